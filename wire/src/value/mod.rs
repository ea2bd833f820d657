//! The encoding of serde's data model as MessagePack, such that each value decodes to an equal value.
//!
//! Other languages see ordinary MessagePack, and three extension types, each encoded as `fixext`:
//!
//! | type | data | meaning |
//! |---|---|---|
//! | [`SOME`] | 1 byte: a count | that many `Some` around a value that is encoded as nil |
//! | [`UNSIGNED`] | 16 bytes, big-endian | a `u128` |
//! | [`SIGNED`] | 16 bytes, big-endian, two's complement | an `i128` |
//!
//! - Structures are maps with named fields. A variant is its name, or a map from its name to its
//!   content.
//! - `None`, `()` and unit structs are nil. `Some` is encoded as its content, unless that is nil.
//!   Newtypes are encoded as their content.
//! - Bytes and lists of `u8` have the same encoding, `bin`. serde buffers the content of untagged,
//!   tagged and flattened types; there bytes are decoded as lists of numbers, since serde's buffer
//!   would turn bytes into text.
//! - Both sides report a human-readable format, since serde's buffer always does: types that depend on
//!   it, such as `IpAddr`, are text everywhere.

mod access;
mod attempts;
mod byte_list;
mod byte_probe;
mod byte_vec;
mod compound;
mod decode;
mod deserializer;
mod encode;
mod error;
mod head;
mod key;
mod lenience;
mod number;
mod tuple;
mod variant;

pub(crate) use decode::{Decoder, decode_first};
pub(crate) use encode::{Encoded, encode, encode_to_depth};
#[cfg(not(target_family = "wasm"))]
pub(crate) use error::Error;
#[cfg(not(target_family = "wasm"))]
pub(crate) use head::{Head, Int, Wide};
#[cfg(not(target_family = "wasm"))]
pub(crate) use lenience::parse_non_json_float;

/// The extension type of `Some` around nil.
const SOME: i8 = 1;

/// The extension type of `u128`.
const UNSIGNED: i8 = 2;

/// The extension type of `i128`.
const SIGNED: i8 = 3;

/// The newtype name by which `serde_json::value::RawValue` requests its JSON text.
const RAW_JSON: &str = "$serde_json::private::RawValue";
