//! The measured functions, which benchmarks run as closures and call natively.

mod allocator;
mod compute;
mod crossing;
mod values;

pub use compute::{json, matrix, sha256, sha256_of_the_crate, spin, temporary_files, words};
pub use crossing::{Record, RecordOfBytes, echo, echo_record, echo_record_of_bytes, greet};
pub use values::{
    Item, Message, Picture, Place, echo_blobs, echo_files, echo_floats, echo_items, echo_matrix,
    echo_message, echo_numbers, echo_pairs, echo_picture, echo_text, echo_texts,
};
