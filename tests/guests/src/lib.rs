//! The closures that the conformance suite runs. Each exercises one behaviour, valid or invalid.

#![expect(missing_docs, reason = "each name says what it does")]
#![expect(clippy::expect_used, reason = "a guest without an output shall panic")]

pub mod chaining;
pub mod determinism;
pub mod differences;
pub mod ends;
pub mod escapes;
pub mod http;
pub mod marks;
pub mod process;
pub mod space;
pub mod surroundings;
pub mod typed;
pub mod values;
