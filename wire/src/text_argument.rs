//! Arguments that a user typed as text, for parameters whose types only the guest knows.
//!
//! A text argument is encoded as a MessagePack extension of type 4 in place of the argument. Its data
//! is an array:
//!
//! - `[text, nil, value]` if the text is JSON: the text as typed, and its JSON value.
//! - `[text, problem, is word]` otherwise. The problem continues a sentence about the argument:
//!   `isn't JSON: trailing comma at column 9`. A word is a text that doesn't look like JSON.
//!
//! The parameter's type decides how the argument is decoded:
//!
//! - A text type reads a JSON string, or else the text as typed: for a `String`, `123`, `null` and
//!   `{broken` are strings.
//! - An enum reads a word as the name of a variant without content.
//! - A type that accepts anything reads the JSON value, or a word as text.
//! - Every other type reads the JSON value. Inside it, a float accepts the texts `NaN`, `inf` and
//!   `-inf`, and a key that is a number or a boolean accepts its text.
//!
//! If there is no JSON value, decoding fails with the problem.
//!
//! A text record has an empty text, and a map of text arguments as its value, one for each field. The type of a field decides
//! how its text is decoded. A text record is no text.

use serde::Serialize;

use crate::codec;
use crate::error::{Fault, WireError};
use crate::value::encode_to_depth;

/// The MessagePack extension type of a text argument.
const TYPE: i8 = 4;

/// The MessagePack of an empty text.
const EMPTY_TEXT: &[u8] = &[0xa0];

/// The maximum depth of a value. A map written as a list of pairs has two levels.
const MAX_LEVELS: usize = 2 * codec::MAX_DEPTH;

/// An argument that a user typed as text.
///
/// ```
/// use hype_wire::{TextArgument, codec};
///
/// let mut bytes = Vec::new();
/// TextArgument { text: "123".to_owned(), value: Ok(123) }.append_to(&mut bytes)?;
/// assert_eq!(codec::from_slice::<u8>(&bytes)?, 123);
/// assert_eq!(codec::from_slice::<String>(&bytes)?, "123");
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TextArgument<T> {
    /// The text as typed.
    pub text: String,
    /// The JSON value of the text.
    pub value: Result<T, NotJson>,
}

/// The reason why a text cannot be used as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJson {
    /// The problem, as the end of a sentence: `isn't JSON: expected value at column 1`.
    pub problem: String,
    /// Whether the text doesn't look like JSON, so that the user may mean a string.
    pub is_word: bool,
}

/// A record whose fields a user typed as texts, such as a row of a table.
///
/// ```
/// use std::collections::BTreeMap;
///
/// use hype_wire::{TextArgument, TextRecord, codec};
///
/// let field = TextArgument { text: "123".to_owned(), value: Ok(123) };
/// let mut bytes = Vec::new();
/// TextRecord { fields: vec![("count".to_owned(), field)] }.append_to(&mut bytes)?;
/// let texts: BTreeMap<String, String> = codec::from_slice(&bytes)?;
/// assert_eq!(texts["count"], "123");
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TextRecord<T> {
    /// The names of the fields, with their texts.
    pub fields: Vec<(String, TextArgument<T>)>,
}

impl<T: Serialize> TextArgument<T> {
    /// Appends the encoded argument to `bytes`.
    ///
    /// # Errors
    ///
    /// Returns an error if the value can't be encoded.
    pub fn append_to(&self, bytes: &mut Vec<u8>) -> Result<(), WireError> {
        append(bytes, &self.text, |data| match &self.value {
            Ok(value) => {
                codec::append(data, &())?;
                encode_to_depth(data, value, MAX_LEVELS)?;
                Ok(())
            }
            Err(NotJson { problem, is_word }) => {
                codec::append(data, problem)?;
                codec::append(data, is_word)
            }
        })
    }
}

impl<T: Serialize> TextRecord<T> {
    /// Appends the encoded record to `bytes`.
    ///
    /// # Errors
    ///
    /// Returns an error if the value of a field can't be encoded.
    pub fn append_to(&self, bytes: &mut Vec<u8>) -> Result<(), WireError> {
        append(bytes, "", |data| {
            codec::append(data, &())?;
            // Writing to a Vec never fails.
            let _ = rmp::encode::write_map_len(data, length(self.fields.len())?);
            self.fields.iter().try_for_each(|(name, field)| {
                codec::append(data, name)?;
                field.append_to(data)
            })
        })
    }
}

/// Appends a text argument whose data is the text and what `rest` appends.
fn append(
    bytes: &mut Vec<u8>,
    text: &str,
    rest: impl FnOnce(&mut Vec<u8>) -> Result<(), WireError>,
) -> Result<(), WireError> {
    let mut data = codec::array_head(3);
    codec::append(&mut data, text)?;
    rest(&mut data)?;
    // Writing to a Vec never fails.
    let _ = rmp::encode::write_ext_meta(bytes, length(data.len())?, TYPE);
    bytes.extend(data);
    Ok(())
}

fn length(length: usize) -> Result<u32, WireError> {
    u32::try_from(length)
        .map_err(|error| WireError::new("the argument is longer than 4 GiB").because(error))
}

/// A text argument as encoded by [`TextArgument::append_to`].
#[derive(Clone, Copy)]
pub(crate) struct EncodedTextArgument<'de> {
    /// The MessagePack of the text.
    pub(crate) text: &'de [u8],
    /// The MessagePack of the JSON value, or the problem.
    pub(crate) value: Result<&'de [u8], BorrowedNotJson<'de>>,
}

/// A decoded [`NotJson`].
#[derive(Clone, Copy)]
pub(crate) struct BorrowedNotJson<'de> {
    pub(crate) problem: &'de str,
    pub(crate) is_word: bool,
}

impl<'de> EncodedTextArgument<'de> {
    /// Splits `bytes` after the text argument at their start. Returns `None` if they start with
    /// something else.
    ///
    /// # Errors
    ///
    /// Returns an error if the extension's data is malformed.
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

    /// Returns whether this is a text record, which has no text.
    pub(crate) fn is_record(&self) -> bool {
        self.text == EMPTY_TEXT && matches!(self.value, Ok([0x80..=0x8f | 0xde | 0xdf, ..]))
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
                Err(BorrowedNotJson { problem, is_word: rmp::decode::read_bool(&mut rest).ok()? })
            }
        };
        Some(Self { text, value })
    }
}
