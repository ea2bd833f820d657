//! Hostile guests and their expected failures.
//!
//! Each guest is written as WebAssembly text, so that it does exactly what the test needs, and runs through
//! hype-run's library. An [`Attack`] is a guest with its expected end. [`assert_all`] runs attacks on one
//! executor, and checks after each that a good guest still runs there.

#![expect(missing_docs, reason = "each attack has a descriptive name")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod attack;
pub mod attacks;
pub mod calls;
#[cfg(unix)]
pub mod forked;
pub mod guest;
mod interfaces;
pub mod staged;
#[cfg(unix)]
pub mod start;

pub use attack::{Attack, assert_all};
pub use guest::Guest;
pub use staged::Staged;
