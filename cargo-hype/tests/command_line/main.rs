//! Snapshot tests of the command line: standard output, standard error and the exit status.
//!
//! `cargo insta review` shows changes to the snapshots.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod hype;
mod package;
mod redaction;

mod build;
mod build_command;
mod call;
mod completions;
mod configuration;
mod diagnosis;
mod doctor;
mod embed;
mod exec;
mod gc;
mod guest_flags;
#[cfg(unix)]
mod guide;
mod incremental;
mod inspect;
mod interrupt;
mod map;
mod new;
mod operations;
mod optimized;
mod run;
#[cfg(unix)]
mod staged_maps;
#[cfg(unix)]
mod target;
mod typed;
mod usage;
mod wit;
