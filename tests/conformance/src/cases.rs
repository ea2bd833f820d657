//! The cases that every runner must pass: each function here that takes a [`Submitter`](hype::Submitter) alone. Where
//! it stands is all that makes it one.

pub mod commands;
pub mod determinism;
pub mod ends;
pub mod http;
pub mod runs;
pub mod surroundings;
pub mod values;
