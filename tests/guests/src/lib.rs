//! The closures that the conformance suite runs: each does one thing, well or badly.

#![expect(missing_docs, reason = "each name says what it does")]

pub mod ends;
pub mod surroundings;
pub mod values;
