//! The command line as a person sees it, as snapshots: what is printed where, and the exit status.
//!
//! `cargo insta review` shows what a change does to them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod blurred;
mod hype;
mod package;

mod build;
mod call;
mod embed;
mod gc;
mod guest_flags;
mod inspect;
mod interrupt;
mod new;
mod refusal;
mod run;
mod second_run;
#[cfg(unix)]
mod target;
mod typed;
mod usage;
