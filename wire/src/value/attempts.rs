//! Decoding in several attempts, for text arguments ([`crate::text_argument`]).
//!
//! The keys of a JSON map are texts, so users write other keys as texts, or the entries as a list of pairs. A
//! type that requests a map with numbers as keys is decoded directly. Untagged, internally tagged and flattened
//! types let serde buffer the value first, without a type. For them, a value that doesn't decode as it is
//! is decoded again with texts as numbers, with lists of pairs as maps, and finally as the text that
//! the user typed.

use serde::de::DeserializeSeed;

use super::decode::Decoder;
use super::error::Error;
use super::lenience::{Lenience, TakenAs};
use crate::error::{Fault, WireError};
use crate::shape::split_value;
use crate::text_argument::{BorrowedNotJson, EncodedTextArgument};

/// The attempts to decode a value, until one of them succeeds.
pub(super) struct Attempts<'de> {
    bytes: &'de [u8],
    /// The text argument, and the input after it.
    argument: Option<(EncodedTextArgument<'de>, &'de [u8])>,
    /// The number of failed attempts.
    failures: u8,
    first_error: Option<Error>,
}

/// The interpretations of each attempt: texts as numbers, pairs as maps, the text instead of the value.
const INTERPRETATIONS: [(bool, bool, bool); 5] = [
    (false, false, false),
    (true, false, false),
    (false, true, false),
    (true, true, false),
    (false, false, true),
];

impl<'de> Attempts<'de> {
    pub(super) fn of(bytes: &'de [u8]) -> Result<Self, WireError> {
        let argument = match bytes.first() {
            // The markers of extensions.
            Some(0xc7..=0xc9 | 0xd4..=0xd8) => EncodedTextArgument::split(bytes)?,
            _ => None,
        };
        Ok(Self { bytes, argument, failures: 0, first_error: None })
    }

    /// Returns a decoder for the next attempt.
    pub(super) fn decoder(&self) -> Decoder<'de> {
        let Some((argument, _)) = self.argument else {
            return Decoder::new(self.bytes);
        };
        let EncodedTextArgument { text, value } = argument;
        let (texts_are_numbers, pairs_are_maps, prefers_text) =
            INTERPRETATIONS.get(usize::from(self.failures)).copied().unwrap_or_default();
        let value_bytes = value.unwrap_or_default();
        let prefers_text = prefers_text && (argument.is_record() || is_scalar(value_bytes));
        let mut decoder = Decoder::new(value_bytes);
        decoder.lenience = Lenience {
            is_text_argument: true,
            is_record: argument.is_record(),
            text: if argument.is_record() { &[] } else { text },
            text_at: value_bytes.len(),
            is_word: value.map_or_else(|not_json| not_json.is_word, |_| prefers_text),
            taken_as: None,
            prefers_text,
            texts_are_numbers,
            pairs_are_maps,
        };
        decoder
    }

    /// Returns the input after the value that `decoder` has read.
    pub(super) fn rest(&self, decoder: &Decoder<'de>) -> Result<&'de [u8], WireError> {
        match self.argument {
            None => Ok(decoder.rest()),
            Some((_, rest)) if decoder.rest().is_empty() => Ok(rest),
            Some(_) => Err(WireError::new("something follows the value's end")),
        }
    }

    /// Records a failed attempt.
    ///
    /// # Errors
    ///
    /// Returns the first attempt's error if there are no further attempts.
    pub(super) fn record_failure(
        &mut self,
        error: Error,
        decoder: &Decoder<'de>,
    ) -> Result<(), WireError> {
        match self.argument {
            // Malformed and too deep input takes precedence over a type error.
            None if error.fault() == Fault::Type => {
                Err(split_value(self.bytes).err().unwrap_or_else(|| error.into()))
            }
            None => Err(error.into()),
            Some((EncodedTextArgument { value: Err(not_json), .. }, _)) => {
                Err(not_json_error(&not_json, error, decoder.lenience))
            }
            Some((EncodedTextArgument { value: Ok(_), .. }, _)) => {
                let first_error = self.first_error.take().unwrap_or(error);
                self.failures += 1;
                if usize::from(self.failures) == INTERPRETATIONS.len() {
                    return Err(first_error.into());
                }
                self.first_error = Some(first_error);
                Ok(())
            }
        }
    }
}

/// Returns whether the value is a number, a boolean or nil, where the user may mean a string.
fn is_scalar(value: &[u8]) -> bool {
    matches!(value.first(), Some(0x00..=0x7f | 0xc0..=0xc3 | 0xca..=0xd3 | 0xd8 | 0xe0..=0xff))
}

/// Decodes the next value of `decoder`, which is that of a field of a text record.
#[cold]
pub(super) fn decode_field<'de, S: DeserializeSeed<'de>>(
    decoder: &mut Decoder<'de>,
    seed: S,
) -> Result<S::Value, Error> {
    let Some((EncodedTextArgument { text, value }, rest)) =
        EncodedTextArgument::split(decoder.rest()).map_err(Error::from)?
    else {
        return seed.deserialize(decoder);
    };
    let value_bytes = value.unwrap_or_default();
    let mut inner = decoder.inner(value_bytes);
    inner.lenience = Lenience {
        is_record: false,
        text,
        text_at: value_bytes.len(),
        is_word: value.is_err_and(|not_json| not_json.is_word),
        prefers_text: decoder.lenience.prefers_text && is_scalar(value_bytes),
        taken_as: None,
        ..decoder.lenience
    };
    let decoded = seed.deserialize(&mut inner).map_err(|error| match value {
        Ok(_) => error,
        Err(not_json) => not_json_error(&not_json, error, inner.lenience).into(),
    })?;
    decoder.advance_to(rest);
    Ok(decoded)
}

/// Returns the error of a text that isn't JSON.
fn not_json_error(
    not_json: &BorrowedNotJson<'_>,
    error: Error,
    lenience: Lenience<'_>,
) -> WireError {
    let problem = not_json.problem;
    match lenience.taken_as {
        // A type that reads text has the most precise error.
        Some(TakenAs::Text) => error.into(),
        Some(TakenAs::Variant | TakenAs::Anything) => {
            error.with_note(&format!(" (the argument {problem})")).into()
        }
        Some(TakenAs::Float) | None => WireError::new(format!("the argument {problem}")),
    }
}
