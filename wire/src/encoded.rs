use std::fmt;

use serde::de::{Deserialize, Deserializer, Visitor};

/// The newtype name by which the codec recognizes [`EncodedValue`].
pub(crate) const ENCODED_VALUE: &str = "$hype::component::EncodedValue";

/// The MessagePack encoding of a value of any type. Only the codec can deserialize it.
///
/// ```
/// use hype_wire::{EncodedValue, codec};
///
/// let bytes = codec::to_vec(&("a", 1))?;
/// let (_, number) = codec::from_slice::<(EncodedValue, EncodedValue)>(&bytes)?;
/// assert_eq!(codec::from_slice::<u8>(&number.0)?, 1);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
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
