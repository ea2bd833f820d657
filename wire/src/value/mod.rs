//! How values are written: serde's data model as MessagePack, so that each comes back unchanged.
//!
//! Readers and writers of other languages see ordinary MessagePack. What it has no form for stands
//! in three extension types, each of the form `fixext`:
//!
//! | type | data | what it is |
//! |---|---|---|
//! | [`SOME`] | 1 byte: how many | so many `Some` around what is else written as nil |
//! | [`UNSIGNED`] | 16 bytes, the highest first | a `u128` |
//! | [`SIGNED`] | 16 bytes, the highest first, two's complement | an `i128` |
//!
//! - Structures are maps with named fields; variants are their name, or a map from it to their content.
//! - `None`, `()` and unit structs are nil, and `Some` is what it holds unless that is nil. Newtypes
//!   are what they hold.
//! - Bytes and lists of `u8` are one thing, `bin`. serde's own buffer, in which it keeps the content of
//!   untagged, tagged and flattened types, gets them as lists of numbers, since it takes bytes for text.
//! - Both sides say that they are human-readable, as that buffer always does: types that ask, such as
//!   `IpAddr`, are text everywhere.

mod access;
mod byte_list;
mod byte_probe;
mod compound;
mod decode;
mod deserializer;
mod encode;
mod error;
mod head;
mod key;
mod known;
mod lenience;
mod number;
mod reading;
mod tuple;
mod variant;

pub(crate) use decode::decode_first;
pub(crate) use encode::{Written, encode, encode_to_depth};

/// The extension type of `Some` around nil.
const SOME: i8 = 1;

/// The extension type of `u128`.
const UNSIGNED: i8 = 2;

/// The extension type of `i128`.
const SIGNED: i8 = 3;

/// The name by which `serde_json::value::RawValue` asks for text that it takes as it is. Only a
/// reader that knows it can give a `RawValue` back.
const RAW_JSON: &str = "$serde_json::private::RawValue";
