//! The encoding of values: MessagePack that decodes to an equal value.
//!
//! [`docs/values.md`](https://github.com/spotify/hype/blob/main/docs/values.md) describes the format
//! for implementations in other languages.
//!
//! A value that is a `Vec<u8>`, a `String` or [`Bytes`](crate::Bytes) keeps its buffer, to avoid
//! copies.
//!
//! ```
//! use hype_wire::codec;
//!
//! let bytes = codec::to_vec(&("a", Some(7_u8)))?;
//! assert_eq!(codec::from_slice::<(String, Option<u8>)>(&bytes)?, ("a".to_owned(), Some(7)));
//! let error = codec::from_slice::<(String, Vec<u8>)>(&bytes).unwrap_err();
//! assert!(error.to_string().starts_with("at [1]: expected"));
//! # Ok::<(), hype_wire::WireError>(())
//! ```

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::buffer::{Buffer, BufferType};
use crate::error::{Fault, WireError};
use crate::shape::split_value;
use crate::value::{Encoded, decode_first, encode};

pub use crate::shape::MAX_DEPTH;

/// The maximum size of a value that [`append_owned`] always decodes to verify it, in bytes.
const MAX_VERIFIED: usize = 1 << 20;

/// Encodes one value.
///
/// # Errors
///
/// Returns an error if the value can't be encoded; the message names the path to the problem.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Ok(bytes)
}

/// Appends one encoded value to `bytes`.
///
/// # Errors
///
/// Returns an error if the value can't be encoded; the message names the path to the problem.
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), WireError> {
    encode(bytes, value).map(|_| ())
}

/// Appends one encoded value to `bytes`, and verifies that it decodes. A value that is a byte
/// string or text gives its buffer to `bytes` if it is longer than they are.
///
/// The value is decoded to verify it, unless it exceeds 1 MiB and has no 128-bit numbers.
///
/// # Errors
///
/// Returns an error if the value can't be encoded, or if its encoding can't be decoded as a `T`.
pub fn append_owned<T: Serialize + DeserializeOwned + 'static>(
    bytes: &mut Vec<u8>,
    mut value: T,
) -> Result<(), WireError> {
    if let Some(buffer) = Buffer::take_from(&mut value) {
        return buffer.append_to(bytes);
    }
    let start = bytes.len();
    let Encoded { has_wide_numbers } = encode(bytes, &value)?;
    drop(value);
    if has_wide_numbers || bytes.len() - start <= MAX_VERIFIED {
        from_slice::<T>(&bytes[start..]).map_err(|error| {
            WireError::new(format!("it cannot be read again as it is written: {error}"))
        })?;
    }
    Ok(())
}

/// Appends one encoded value to `bytes`. A value that is a byte string or text gives its buffer to `bytes` if it is
/// longer than they are. Unlike [`append_owned`] it doesn't verify that the value decodes.
///
/// # Errors
///
/// Returns an error if the value can't be encoded.
pub fn append_unverified<T: Serialize + 'static>(
    bytes: &mut Vec<u8>,
    mut value: T,
) -> Result<(), WireError> {
    match Buffer::take_from(&mut value) {
        Some(buffer) => buffer.append_to(bytes),
        None => append(bytes, &value),
    }
}

/// Encodes one value and verifies that it decodes; reuses the buffer of a byte string or text.
///
/// # Errors
///
/// Returns an error if the value can't be encoded, or if its encoding can't be decoded as a `T`.
pub fn into_vec<T: Serialize + DeserializeOwned + 'static>(value: T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append_owned(&mut bytes, value)?;
    Ok(bytes)
}

/// Decodes one value that fills `bytes` exactly.
///
/// # Errors
///
/// Returns an error whose [`fault`](WireError::fault) is the kind of problem, and whose message names
/// the path to it: `at words[3].count: …`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, rest) = decode_first(bytes).map_err(|error| prefer_malformed(error, bytes))?;
    check_end(rest)?;
    Ok(value)
}

/// Replaces a type error if bytes follow the value: such bytes are malformed for every type.
fn prefer_malformed(error: WireError, bytes: &[u8]) -> WireError {
    match split_value(bytes) {
        Ok((_, rest)) if error.fault() == Fault::Type => check_end(rest).err().unwrap_or(error),
        _ => error,
    }
}

/// Decodes one value that fills `bytes` exactly; a byte string or text reuses the buffer.
///
/// # Errors
///
/// Returns the errors of [`from_slice`].
pub fn from_vec<T: DeserializeOwned + 'static>(bytes: Vec<u8>) -> Result<T, WireError> {
    let mut values = Values { bytes, read: 0 };
    match values.read_owned() {
        Ok(value) => values.finish().map(|()| value),
        Err(error) => Err(prefer_malformed(error, &values.bytes)),
    }
}

/// Decodes a value of a function with WIT types. Reuses the buffer as [`from_vec`] does.
///
/// Fields and variants of Rust types may be spelled as is usual in Rust, or as serde renames them:
/// `word_count`, `wordCount` and `WordCount` match the WIT name `word-count`.
///
/// # Errors
///
/// Returns the errors of [`from_slice`].
pub fn from_wit<T: DeserializeOwned + 'static>(bytes: Vec<u8>) -> Result<T, WireError> {
    if BufferType::of::<T>().is_some() {
        return from_vec(bytes);
    }
    let mut decoder = crate::value::Decoder::of_wit(&bytes);
    let value = T::deserialize(&mut decoder);
    let value = value.map_err(|error| prefer_malformed(error.into(), &bytes))?;
    check_end(decoder.rest())?;
    Ok(value)
}

/// Splits `bytes` after the array head at their start. Returns the array's length and the rest.
///
/// # Errors
///
/// Returns an error if `bytes` don't start with an array.
pub fn split_array_head(mut bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    let length = rmp::decode::read_array_len(&mut bytes).map_err(|error| {
        WireError::new("expected a MessagePack array").because(error).with_fault(Fault::Malformed)
    })?;
    Ok((length, bytes))
}

/// Returns the head of an array of `length` values, to which [`append`] adds the values.
pub fn array_head(length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec never fails.
    let _ = rmp::encode::write_array_len(&mut bytes, length);
    bytes
}

fn check_end(rest: &[u8]) -> Result<(), WireError> {
    match rest {
        [] => Ok(()),
        _ => Err(WireError::new("something follows the value's end").with_fault(Fault::Malformed)),
    }
}

/// A reader of consecutive values.
///
/// ```
/// use hype_wire::codec::{self, Values};
///
/// let mut bytes = codec::array_head(2);
/// codec::append(&mut bytes, "a")?;
/// codec::append(&mut bytes, &7)?;
/// let (length, mut values) = Values::of_array(bytes)?;
/// assert_eq!(length, 2);
/// assert_eq!(values.read_owned::<String>()?, "a");
/// assert_eq!(values.read_owned::<u8>()?, 7);
/// values.finish()?;
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Default)]
pub struct Values {
    bytes: Vec<u8>,
    /// The number of bytes read so far.
    read: usize,
}

impl Values {
    /// Returns the length of the array at the start of `bytes` and a reader of its elements.
    ///
    /// # Errors
    ///
    /// Returns an error if `bytes` don't start with an array.
    pub fn of_array(bytes: Vec<u8>) -> Result<(u32, Self), WireError> {
        let (length, rest) = split_array_head(&bytes)?;
        let read = bytes.len() - rest.len();
        Ok((length, Self { bytes, read }))
    }

    /// Reads the next value. A byte string or text that is the last value reuses the buffer.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`from_slice`].
    pub fn read_owned<T: DeserializeOwned + 'static>(&mut self) -> Result<T, WireError> {
        if let Some(buffer_type) = BufferType::of::<T>()
            && let Some(content) = buffer_type.content(self.rest())
        {
            let before = self.bytes.len() - content.len();
            let mut bytes = std::mem::take(self).bytes;
            bytes.drain(..before);
            return buffer_type.value(bytes);
        }
        let (value, rest) = decode_first(self.rest())?;
        self.read = self.bytes.len() - rest.len();
        Ok(value)
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Checks that no bytes are left.
    ///
    /// # Errors
    ///
    /// Returns an error if bytes are left.
    pub fn finish(self) -> Result<(), WireError> {
        check_end(self.rest())
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Values")
    }
}
