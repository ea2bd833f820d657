//! Functions that do next to nothing: what they cost is the way to them and back.

use serde::{Deserialize, Serialize};

/// Greets.
#[hype::function]
pub fn greet(name: String) -> String {
    format!("hello {name}")
}

/// Gives bytes back.
#[hype::function]
pub fn echo(bytes: Vec<u8>) -> Vec<u8> {
    bytes
}

/// Bytes among other things, as one writes them without a thought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// What they are.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
}

/// Gives it back.
#[hype::function]
pub fn echo_record(record: Record) -> Record {
    record
}

/// Bytes among other things, in hype's type for them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordOfBytes {
    /// What they are.
    pub name: String,
    /// The bytes.
    pub bytes: hype::Bytes,
}

/// Gives it back.
#[hype::function]
pub fn echo_record_of_bytes(record: RecordOfBytes) -> RecordOfBytes {
    record
}
