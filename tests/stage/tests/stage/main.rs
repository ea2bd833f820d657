//! Stages on the stores of all providers, when all goes well and when it doesn't.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ambiguity;
mod credentials;
mod faults;
mod google;
mod interrupted;
mod killed;
mod refusals;
mod suite;
mod variables;
