//! Guests that mean harm, and what becomes of them.
//!
//! Each is written as WebAssembly text, so that it does exactly what is meant, and is run through
//! hype-run's library like any other. A [`Shape`] says how it must end; [`assert_all`] runs many on one
//! executor, and makes sure after each that a good guest still runs there.

#![expect(missing_docs, reason = "each shape's name says what it does")]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

pub mod calls;
pub mod guest;
pub mod shape;
pub mod shapes;
pub mod staged;

pub use guest::Guest;
pub use shape::{Shape, assert_all};
pub use staged::Staged;
