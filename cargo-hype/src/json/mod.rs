//! Converts between JSON and the MessagePack encoding of values.
//!
//! MessagePack has values that JSON lacks. They are written so that a reader that knows the type restores them:
//!
//! | value | as JSON |
//! |---|---|
//! | bytes | a list of numbers |
//! | `Some(None)`, `Some(())` | `{"$some": null}`, nested for each level ([`some`]) |
//! | a map whose keys are all numbers, or all booleans | an object with the keys as strings |
//! | a map with any other keys | a list of `[key, value]` pairs |
//! | NaN and the infinities | the strings `"NaN"`, `"inf"` and `"-inf"` |
//!
//! - [`read`]: parses the text of an argument to a [`Json`].
//! - [`survey`] and [`write`]: print a result in two passes.
//! - [`tokens`]: reads MessagePack, one token at a time.

mod document;
mod escaped;
mod numbers;
mod read;
#[cfg(test)]
mod round_trip;
mod some;
mod survey;
mod tokens;
mod write;

pub(crate) use document::Json;
pub(crate) use escaped::escaped;
pub(crate) use read::{Problem, read};
pub(crate) use survey::{Survey, survey};
pub(crate) use write::write;
