//! An argument that a person wrote as text, for a parameter whose type only the guest knows.
//!
//! In MessagePack it is an extension of the type 4 in the place of the argument. Its data is an array:
//!
//! - `[text, nil, value]` for a text that is JSON: the text as it was written, and what it stands for.
//! - `[text, problem, is word]` for another one. The problem continues a sentence about the argument:
//!   `isn't JSON: trailing comma at column 9`. A word is a text that doesn't look like JSON either.
//!
//! The type that a parameter asks for decides what it gets:
//!
//! - Text is the string that the JSON is, or else the text as it was written: `123` and `null` are strings for
//!   a `String`, and so is `{broken`.
//! - An enum without content is named by a word.
//! - What can be anything is the value, or a word as text.
//! - All else is the value. Inside of it, the texts `NaN`, `inf` and `-inf` are numbers where a float is
//!   asked for, and keys that are the texts of numbers or booleans are such where these are asked for.
//!
//! Where there is no value, the error is the problem.

use serde::Serialize;

use crate::codec;
use crate::error::{Fault, WireError};
use crate::value::encode_to_depth;

/// The extension type.
const TYPE: i8 = 4;

/// How deep a value may nest: a map may be a list of pairs, which are two levels.
const MAX_LEVELS: usize = 2 * codec::MAX_DEPTH;

/// An argument that a person wrote as text.
#[derive(Debug, Clone)]
pub struct TextArgument<T> {
    /// As it was written.
    pub text: String,
    /// What it stands for as JSON.
    pub value: Result<T, NotJson>,
}

/// Why a text cannot be used as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson {
    /// What is wrong, as a continued sentence: `isn't JSON: expected value at column 1`.
    pub problem: String,
    /// Whether it doesn't even look like JSON, so that a string may be meant.
    pub is_word: bool,
}

impl<T: Serialize> TextArgument<T> {
    /// Writes it behind what `bytes` holds already.
    ///
    /// # Errors
    ///
    /// When the value has no form.
    pub fn append_to(&self, bytes: &mut Vec<u8>) -> Result<(), WireError> {
        let mut data = codec::array_head(3);
        codec::append(&mut data, &self.text)?;
        match &self.value {
            Ok(value) => {
                codec::append(&mut data, &())?;
                encode_to_depth(&mut data, value, MAX_LEVELS)?;
            }
            Err(NotJson { problem, is_word }) => {
                codec::append(&mut data, problem)?;
                codec::append(&mut data, is_word)?;
            }
        }
        let length = u32::try_from(data.len())
            .map_err(|error| WireError::new("the argument is longer than 4 GiB").because(error))?;
        // Writing to a Vec has no way to fail.
        let _ = rmp::encode::write_ext_meta(bytes, length, TYPE);
        bytes.extend(data);
        Ok(())
    }
}

/// What [`TextArgument::append_to`] wrote.
#[derive(Clone, Copy)]
pub(crate) struct Received<'de> {
    /// The MessagePack of the text.
    pub(crate) text: &'de [u8],
    /// The MessagePack of the value, or what is wrong.
    pub(crate) value: Result<&'de [u8], Refused<'de>>,
}

/// A [`NotJson`] that was received.
#[derive(Clone, Copy)]
pub(crate) struct Refused<'de> {
    pub(crate) problem: &'de str,
    pub(crate) is_word: bool,
}

impl<'de> Received<'de> {
    /// The text argument that `bytes` begin with, if they do with one, and what follows it.
    ///
    /// # Errors
    ///
    /// When its data are not as described above.
    pub(crate) fn split(bytes: &'de [u8]) -> Result<Option<(Self, &'de [u8])>, WireError> {
        let mut rest = bytes;
        match rmp::decode::read_ext_meta(&mut rest) {
            Ok(meta) if meta.typeid == TYPE => {
                let split = rest.split_at_checked(meta.size as usize);
                let received = split.and_then(|(data, rest)| Some((Self::of(data)?, rest)));
                received.map(Some).ok_or_else(|| {
                    WireError::new("a text argument is not as hype writes it")
                        .with_fault(Fault::Malformed)
                })
            }
            _ => Ok(None),
        }
    }

    fn of(mut data: &'de [u8]) -> Option<Self> {
        if rmp::decode::read_array_len(&mut data).ok()? != 3 {
            return None;
        }
        let (_, rest) = rmp::decode::read_str_from_slice(data).ok()?;
        let text = data.get(..data.len() - rest.len())?;
        let value = match rest {
            [0xc0, value @ ..] => Ok(value),
            problem => {
                let (problem, mut rest) = rmp::decode::read_str_from_slice(problem).ok()?;
                Err(Refused { problem, is_word: rmp::decode::read_bool(&mut rest).ok()? })
            }
        };
        Some(Self { text, value })
    }
}
