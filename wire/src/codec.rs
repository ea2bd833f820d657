//! Values as hype writes and reads them: MessagePack that gives each back unchanged.
//!
//! [`docs/values.md`](https://github.com/spotify/hype/blob/main/docs/values.md) says what stands for
//! what, for readers and writers of other languages.
//!
//! A whole `Vec<u8>`, `String` or [`Bytes`](crate::Bytes) keeps its memory, so that it is copied no more often than
//! it must.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Fault, WireError};
use crate::shape::split_value;
use crate::value::{Written, decode_first, encode};
use crate::whole::{Whole, WholeKind};

pub use crate::shape::MAX_DEPTH;

/// Up to how many bytes a value is read as a trial where it is written.
const TRIAL: usize = 1 << 20;

/// The bytes of one value.
pub fn to_vec<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append(&mut bytes, value)?;
    Ok(bytes)
}

/// Writes one value behind what `bytes` holds already.
///
/// # Errors
///
/// When it has no form: the message names the path to what is wrong in it.
pub fn append<T: Serialize + ?Sized>(bytes: &mut Vec<u8>, value: &T) -> Result<(), WireError> {
    encode(bytes, value).map(|_| ())
}

/// [`append`], and makes sure that the value can be read. Where bytes or text come after little else,
/// their memory becomes that of `bytes`.
///
/// That is tried out, but for large values that have nothing unusual in them, which would take as long
/// again.
///
/// # Errors
///
/// As [`append`]; and when what is written cannot be read as a `T`.
pub fn append_owned<T: Serialize + DeserializeOwned + 'static>(
    bytes: &mut Vec<u8>,
    mut value: T,
) -> Result<(), WireError> {
    if let Some(whole) = Whole::take_from(&mut value) {
        return whole.append_to(bytes);
    }
    let start = bytes.len();
    let Written { is_unusual } = encode(bytes, &value)?;
    drop(value);
    if is_unusual || bytes.len() - start <= TRIAL {
        from_slice::<T>(&bytes[start..]).map_err(|error| {
            WireError::new(format!("it cannot be read again as it is written: {error}"))
        })?;
    }
    Ok(())
}

/// [`append_owned`] to nothing.
pub fn into_vec<T: Serialize + DeserializeOwned + 'static>(value: T) -> Result<Vec<u8>, WireError> {
    let mut bytes = Vec::new();
    append_owned(&mut bytes, value)?;
    Ok(bytes)
}

/// Reads one value that fills `bytes` to the end.
///
/// # Errors
///
/// [`WireError::fault`] says what is wrong, and the message names the path to what didn't fit:
/// `at words[3].count: …`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    let (value, rest) = decode_first(bytes).map_err(|error| as_whole(error, bytes))?;
    nothing_in(rest)?;
    Ok(value)
}

/// The error of a value of another type: bytes that something follows are no value of any.
fn as_whole(error: WireError, bytes: &[u8]) -> WireError {
    match split_value(bytes) {
        Ok((_, rest)) if error.fault() == Fault::Type => nothing_in(rest).err().unwrap_or(error),
        _ => error,
    }
}

/// [`from_slice`]; whole bytes and text keep the memory that `bytes` has.
pub fn from_vec<T: DeserializeOwned + 'static>(bytes: Vec<u8>) -> Result<T, WireError> {
    let mut values = Values { bytes, read: 0 };
    match values.read_owned() {
        Ok(value) => values.finish().map(|()| value),
        Err(error) => Err(as_whole(error, &values.bytes)),
    }
}

/// How many values the array has that `bytes` starts with, and what follows its head.
pub fn split_array_head(mut bytes: &[u8]) -> Result<(u32, &[u8]), WireError> {
    let length = rmp::decode::read_array_len(&mut bytes).map_err(|error| {
        WireError::new("expected a MessagePack array").because(error).with_fault(Fault::Malformed)
    })?;
    Ok((length, bytes))
}

/// The head of an array of `length` values, which [`append`] then adds one by one.
pub fn array_head(length: u32) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Writing to a Vec has no way to fail.
    let _ = rmp::encode::write_array_len(&mut bytes, length);
    bytes
}

fn nothing_in(rest: &[u8]) -> Result<(), WireError> {
    match rest {
        [] => Ok(()),
        _ => Err(WireError::new("something follows the value's end").with_fault(Fault::Malformed)),
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

    /// The next value; whole bytes or text that are the last one keep the memory that they have here.
    /// An error names the path to what didn't fit.
    pub fn read_owned<T: DeserializeOwned + 'static>(&mut self) -> Result<T, WireError> {
        if let Some(whole) = WholeKind::of::<T>()
            && let Some(content) = whole.content(self.rest())
        {
            let before = self.bytes.len() - content.len();
            let mut bytes = std::mem::take(self).bytes;
            bytes.drain(..before);
            return whole.make(bytes);
        }
        let (value, rest) = decode_first(self.rest())?;
        self.read = self.bytes.len() - rest.len();
        Ok(value)
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
