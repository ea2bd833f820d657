//! Stages on the stores of all providers, with and without faults.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ambiguity;
mod credentials;
mod denied;
mod faults;
mod google;
mod interrupted;
mod killed;
mod suite;
mod variables;
