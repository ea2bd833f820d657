//! The server as a client sees it byte by byte.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod client;
mod credentials;
mod faults;
mod requests;
