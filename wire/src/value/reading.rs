//! A value that is to be read: as it stands, or as what a person wrote ([`crate::text_argument`]).
//!
//! JSON has no map whose keys are no texts, so a person writes those keys as texts, or the entries as a list of
//! pairs. Where a type asks for a map with numbers as keys, that's no question. Where serde first keeps anything in
//! its buffer (untagged, internally tagged and flattened types), nobody asks: so a value that can't be
//! read as it stands is read again, with the texts or the lists taken for what they may mean; at last as the
//! text that was written.

use super::decode::Decoder;
use super::error::Error;
use super::lenience::{Lenience, TakenAs};
use crate::error::{Fault, WireError};
use crate::shape::split_value;
use crate::text_argument::{Received, Refused};

/// The ways to read a value, until one of them succeeds.
pub(super) struct Readings<'de> {
    bytes: &'de [u8],
    argument: Option<(Received<'de>, &'de [u8])>,
    /// How many failed.
    failed: u8,
    first: Option<Error>,
}

/// What is tried: whether texts are numbers, whether pairs are maps, and whether the text is preferred.
const ATTEMPTS: [(bool, bool, bool); 5] = [
    (false, false, false),
    (true, false, false),
    (false, true, false),
    (true, true, false),
    (false, false, true),
];

impl<'de> Readings<'de> {
    pub(super) fn of(bytes: &'de [u8]) -> Result<Self, WireError> {
        let argument = match bytes.first() {
            // Extensions alone.
            Some(0xc7..=0xc9 | 0xd4..=0xd8) => Received::split(bytes)?,
            _ => None,
        };
        Ok(Self { bytes, argument, failed: 0, first: None })
    }

    /// A decoder for the next attempt.
    pub(super) fn decoder(&self) -> Decoder<'de> {
        let Some((Received { text, value }, _)) = self.argument else {
            return Decoder::new(self.bytes);
        };
        let (texts_are_numbers, pairs_are_maps, prefers_text) =
            ATTEMPTS.get(usize::from(self.failed)).copied().unwrap_or_default();
        let value_bytes = value.unwrap_or_default();
        let prefers_text = prefers_text && is_scalar(value_bytes);
        let mut decoder = Decoder::new(value_bytes);
        decoder.lenience = Lenience {
            is_text_argument: true,
            text,
            text_at: value_bytes.len(),
            is_word: value.map_or_else(|refused| refused.is_word, |_| prefers_text),
            taken_as: None,
            prefers_text,
            texts_are_numbers,
            pairs_are_maps,
        };
        decoder
    }

    /// What follows the value, which `decoder` has read.
    pub(super) fn rest(&self, decoder: &Decoder<'de>) -> Result<&'de [u8], WireError> {
        match self.argument {
            None => Ok(decoder.rest()),
            Some((_, rest)) if decoder.rest().is_empty() => Ok(rest),
            Some(_) => Err(WireError::new("something follows the value's end")),
        }
    }

    /// Takes note of a failed attempt; gives the error if it was the last one.
    pub(super) fn failed(&mut self, error: Error, decoder: &Decoder<'de>) -> Result<(), WireError> {
        match self.argument {
            // What is no value at all, or nests too deep, is no value of another type.
            None if error.fault() == Fault::Type => {
                Err(split_value(self.bytes).err().unwrap_or_else(|| error.into()))
            }
            None => Err(error.into()),
            Some((Received { value: Err(refused), .. }, _)) => {
                Err(refused_as(&refused, error, decoder.lenience))
            }
            Some((Received { value: Ok(_), .. }, _)) => {
                let first = self.first.take().unwrap_or(error);
                self.failed += 1;
                if usize::from(self.failed) == ATTEMPTS.len() {
                    return Err(first.into());
                }
                self.first = Some(first);
                Ok(())
            }
        }
    }
}

/// Whether JSON's number, boolean or `null` is all that there is: a person may mean a string.
fn is_scalar(value: &[u8]) -> bool {
    matches!(value.first(), Some(0x00..=0x7f | 0xc0..=0xc3 | 0xca..=0xd3 | 0xd8 | 0xe0..=0xff))
}

/// The error about a text that isn't JSON.
fn refused_as(refused: &Refused<'_>, error: Error, lenience: Lenience<'_>) -> WireError {
    let problem = refused.problem;
    match lenience.taken_as {
        // A type that reads text says best what is wrong with it.
        Some(TakenAs::Text) => error.into(),
        Some(TakenAs::Variant | TakenAs::Anything) => {
            error.with_note(&format!(" (the argument {problem})")).into()
        }
        Some(TakenAs::Float) | None => WireError::new(format!("the argument {problem}")),
    }
}
