//! JSON for people, to and from the MessagePack of values.
//!
//! MessagePack says more than JSON can. What JSON has no words for is written so that the reader, who knows
//! the wanted type, finds it again:
//!
//! | value | as JSON |
//! |---|---|
//! | bytes | a list of numbers |
//! | `Some(None)`, `Some(())` | `{"$some": null}`, once more for each level ([`some`]) |
//! | a map whose keys are all numbers, or all booleans | an object with the keys as texts |
//! | a map with any other keys | a list of `[key, value]` pairs |
//! | NaN and the infinities | the texts `"NaN"`, `"inf"` and `"-inf"` |
//!
//! - [`read`]: the text of an argument to [`Json`].
//! - [`survey`] and [`write`]: the two passes over a result.
//! - [`tokens`]: MessagePack, one token at a time.

mod document;
mod numbers;
mod read;
#[cfg(test)]
mod round_trip;
mod some;
mod survey;
mod tokens;
mod write;

pub(crate) use document::Json;
pub(crate) use read::{Problem, read};
pub(crate) use survey::survey;
pub(crate) use write::write;
