//! Keys of maps as text, for the paths in error messages.

use serde::Deserialize;
use serde::de::{Deserializer, Visitor};

use super::decode::Decoder;
use super::error::Result;

/// Returns the key at the start of `bytes` as text.
#[cold]
pub(super) fn name_of(bytes: &[u8]) -> String {
    let name: Result<Name> = Name::deserialize(&mut Decoder::new(bytes));
    name.map_or_else(|_| "(a key)".to_owned(), |name| name.0)
}

/// The text of a key that is a text, a number or a boolean.
struct Name(String);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(NameVisitor)
    }
}

struct NameVisitor;

macro_rules! names {
    ($($method:ident($value:ty);)*) => {$(
        fn $method<E>(self, value: $value) -> std::result::Result<Name, E> {
            Ok(Name(value.to_string()))
        }
    )*};
}

impl Visitor<'_> for NameVisitor {
    type Value = Name;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a simple key")
    }

    names! {
        visit_str(&str);
        visit_bool(bool);
        visit_u64(u64);
        visit_i64(i64);
        visit_u128(u128);
        visit_i128(i128);
    }
}
