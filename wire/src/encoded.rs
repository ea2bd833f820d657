use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// The name by which the codec knows that its bytes are asked for.
pub(crate) const ENCODED_VALUE: &str = "$hype::component::EncodedValue";

/// A value of any type, as the MessagePack that the codec writes for it. Only the codec can read one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncodedValue(pub Vec<u8>);

impl<'de> Deserialize<'de> for EncodedValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(ENCODED_VALUE, BytesVisitor)
    }
}

struct BytesVisitor;

impl Visitor<'_> for BytesVisitor {
    type Value = EncodedValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the MessagePack of a value")
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<EncodedValue, E> {
        Ok(EncodedValue(bytes.to_vec()))
    }
}
