//! Functions with trivial bodies, whose cost is that of the call.

use serde::{Deserialize, Serialize};

/// Greets.
#[hype::function]
pub fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Returns the bytes.
#[hype::function]
pub fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// A struct with bytes in a `Vec<u8>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The name.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Returns the argument.
#[hype::function]
pub fn echo_record(record: Record) -> Record {
    record
}

/// A struct with bytes in a `hype::Bytes`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOfBytes {
    /// The name.
    pub name: String,
    /// The bytes.
    pub bytes: hype::Bytes,
}

/// Returns the argument.
#[hype::function]
pub fn echo_record_of_bytes(record: RecordOfBytes) -> RecordOfBytes {
    record
}
