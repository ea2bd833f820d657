//! The cases that every runner must pass: each function here that takes only a [`Submitter`](hype::Submitter).

pub mod chaining;
pub mod checks;
pub mod commands;
pub mod determinism;
pub mod ends;
pub mod http;
pub mod listing;
pub mod maps;
pub mod programs;
pub mod runs;
pub mod surroundings;
pub mod values;
pub mod wit;
