//! MessagePack as hype writes and reads it: named fields, byte strings as `bin`, nothing left over.
//!
//! A `Vec<u8>` is a byte string where it is a whole value. Inside of one it stays a list of numbers,
//! as arrays of bytes do: rmp-serde can write these as `bin`, but goes by the first element, which
//! may be the only number in a list of several kinds, and serde cannot read them back inside of an
//! enum that is tagged within or not at all. [`Bytes`] is a byte string anywhere.

use std::any::Any;

use rmp_serde::decode::Error as DecodeError;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bytes::Bytes;
use crate::error::WireError;
use crate::shape::split_value;
use crate::shorten::shortened;

pub use crate::shape::MAX_DEPTH;

/// How long a message about what didn't fit may be: it quotes bytes that somebody else wrote.
const MAX_PROBLEM: usize = 1 << 10;

/// The bytes of one value.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Ok(bytes)
}

/// Writes one value behind what `bytes` holds already.
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), WireError> {
    value
        .serialize(&mut rmp_serde::Serializer::new(bytes).with_struct_map())
        .map_err(|error| WireError::because("the value has no MessagePack form", error))
}

/// Reads one value that fills `bytes` to the end.
///
/// An error names the path to what didn't fit: `at words[3].count: …`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, rest) = split_first(bytes)?;
    nothing_in(rest)?;
    Ok(value)
}

/// [`from_slice`]; a `Vec<u8>` keeps the memory that `bytes` has.
pub fn from_vec<T: DeserializeOwned + 'static>(bytes: Vec<u8>) -> Result<T, WireError> {
    let mut values = Values { bytes, read: 0 };
    let value = values.read_owned()?;
    values.finish()?;
    Ok(value)
}

/// How many values the array has that `bytes` starts with, and what follows its head.
pub fn split_array_head(mut bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    let length = rmp::decode::read_array_len(&mut bytes)
        .map_err(|error| WireError::because("expected a MessagePack array", error))?;
    Ok((length, bytes))
}

/// The first value in `bytes`, and what follows it.
fn split_first<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, &[u8]), WireError> {
    let (value, rest) = split_value(bytes)?;
    let mut deserializer = rmp_serde::Deserializer::from_read_ref(value);
    let mut track = serde_path_to_error::Track::new();
    let tracked = serde_path_to_error::Deserializer::new(&mut deserializer, &mut track);
    let value = T::deserialize(tracked).map_err(|error| {
        let problem = shortened(describe(&error), MAX_PROBLEM);
        match track.path().to_string() {
            path if path == "." => WireError::new(problem),
            path => WireError::new(format!("at {}: {problem}", shortened(path, MAX_PROBLEM))),
        }
    })?;
    Ok((value, rest))
}

fn nothing_in(rest: &[u8]) -> Result<(), WireError> {
    match rest {
        [] => Ok(()),
        _ => Err(WireError::new("something follows the value's end")),
    }
}

/// Values that stand one behind the other.
#[derive(Default)]
pub struct Values {
    bytes: Vec<u8>,
    /// How many of the bytes were read.
    read: usize,
}

impl Values {
    /// The elements of the array that `bytes` starts with, and how many there should be.
    pub fn of_array(bytes: Vec<u8>) -> Result<(u32, Self), WireError> {
        let (length, rest) = split_array_head(&bytes)?;
        let read = bytes.len() - rest.len();
        Ok((length, Self { bytes, read }))
    }

    /// The next value; a `Vec<u8>` that is the last one keeps the memory that it has here. An error
    /// names the path to what didn't fit.
    pub fn read_owned<T: DeserializeOwned + 'static>(&mut self) -> Result<T, WireError> {
        let mut value: Option<T> = None;
        if let Some(bytes) = (&mut value as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>() {
            *bytes = Some(match self.take_bytes() {
                Some(bytes) => bytes,
                None => self.read::<Bytes>()?.into(),
            });
        }
        value.map_or_else(|| self.read(), Ok)
    }

    fn read<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        let (value, rest) = split_first(self.rest())?;
        self.read = self.bytes.len() - rest.len();
        Ok(value)
    }

    /// The content of a `bin`, if just that is left.
    fn take_bytes(&mut self) -> Option<Vec<u8>> {
        let mut content = self.rest();
        let length = rmp::decode::read_bin_len(&mut content).ok()?;
        if content.len() != length as usize {
            return None;
        }
        let before = self.bytes.len() - content.len();
        let mut bytes = std::mem::take(self).bytes;
        bytes.drain(..before);
        Some(bytes)
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Makes sure that there is nothing more.
    pub fn finish(self) -> Result<(), WireError> {
        nothing_in(self.rest())
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}

/// [`append`]; where a `Vec<u8>` comes after little else, its memory becomes that of `bytes`.
pub fn append_owned<T: Serialize + 'static>(
    bytes: &mut Vec<u8>,
    value: T,
) -> Result<(), WireError> {
    let mut value = Some(value);
    let content =
        (&mut value as &mut dyn Any).downcast_mut::<Option<Vec<u8>>>().and_then(Option::take);
    let Some(mut content) = content else {
        return append(bytes, &value);
    };
    let length = u32::try_from(content.len())
        .map_err(|error| WireError::because("the bytes have no MessagePack form", error))?;
    rmp::encode::write_bin_len(bytes, length)
        .map_err(|error| WireError::because("the bytes have no MessagePack form", error))?;
    if bytes.len() < content.len() {
        content.reserve_exact(bytes.len());
        content.splice(..0, bytes.drain(..));
        *bytes = content;
    } else {
        bytes.append(&mut content);
    }
    Ok(())
}

/// The bytes of one value; those of a `Vec<u8>` stay in the memory that it has, if that can grow.
pub fn into_vec<T: Serialize + 'static>(value: T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append_owned(&mut bytes, value)?;
    Ok(bytes)
}

/// Says what is wrong in words that fit every language, not in those of the format.
fn describe(error: &DecodeError) -> String {
    match error {
        DecodeError::TypeMismatch(marker) => {
            format!("expected a number or a boolean, found {}", name_of(*marker))
        }
        DecodeError::InvalidMarkerRead(_) | DecodeError::InvalidDataRead(_) => {
            "the bytes end too early".to_owned()
        }
        error => error.to_string(),
    }
}

fn name_of(marker: rmp::Marker) -> &'static str {
    use rmp::Marker::{
        Array16, Array32, Bin8, Bin16, Bin32, F32, F64, False, FixArray, FixMap, FixStr, Map16,
        Map32, Null, Reserved, Str8, Str16, Str32, True,
    };
    match marker {
        Null => "nothing",
        True | False => "a boolean",
        F32 | F64 => "a fractional number",
        FixStr(_) | Str8 | Str16 | Str32 => "a string",
        Bin8 | Bin16 | Bin32 => "bytes",
        FixArray(_) | Array16 | Array32 => "a list",
        FixMap(_) | Map16 | Map32 => "a map",
        Reserved => "a byte that MessagePack doesn't use",
        _ => "a number",
    }
}

/// The head of an array of `length` values, which [`append`] then adds one by one.
pub fn array_head(length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec has no way to fail.
    let _ = rmp::encode::write_array_len(&mut bytes, length);
    bytes
}
