//! The functions that are measured: as closures, and called as they are.

mod compute;
mod crossing;
mod values;

pub use compute::{json, matrix, sha256, sha256_of_the_crate, words};
pub use crossing::{Record, RecordOfBytes, echo, echo_record, echo_record_of_bytes, greet};
pub use values::{
    Message, Picture, echo_blobs, echo_files, echo_floats, echo_matrix, echo_message, echo_numbers,
    echo_pairs, echo_picture, echo_text, echo_texts,
};
