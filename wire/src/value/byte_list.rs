//! Bytes as the elements of a list, for a type that requests a list.

use serde::de::{DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::error::{Error, Result};

/// The bytes not read yet, as the elements of a list.
pub(super) struct ByteList<'de> {
    bytes: std::slice::Iter<'de, u8>,
    length: usize,
}

impl<'de> ByteList<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self { bytes: bytes.iter(), length: bytes.len() }
    }

    /// Returns the number of bytes that the visitor has not read.
    pub(super) fn left(&self) -> usize {
        self.bytes.len()
    }
}

impl<'de> SeqAccess<'de> for ByteList<'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let Some(byte) = self.bytes.next() else {
            return Ok(None);
        };
        match seed.deserialize(Byte(*byte)) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at_index(self.length - self.bytes.len() - 1)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.bytes.len())
    }
}

struct Byte(u8);

impl<'de> Deserializer<'de> for Byte {
    type Error = Error;

    #[inline]
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_u8(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_some(self)
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
