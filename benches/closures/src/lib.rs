//! The functions that are measured: as closures, and called as they are.

mod compute;
mod crossing;

pub use compute::{json, matrix, sha256, sha256_of_the_crate, words};
pub use crossing::{Record, RecordOfBytes, echo, echo_record, echo_record_of_bytes, greet};
