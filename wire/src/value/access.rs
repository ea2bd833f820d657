//! The elements of a list and the entries of a map, for serde's visitors.

use serde::de::{DeserializeSeed, IntoDeserializer, MapAccess, SeqAccess};

use super::attempts::decode_field;
use super::decode::Decoder;
use super::error::{Error, Result};
use super::key::name_of;

/// The elements of a list.
pub(super) struct Elements<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    length: usize,
    /// The number of elements not read yet.
    left: usize,
}

impl<'a, 'de> Elements<'a, 'de> {
    #[inline]
    pub(super) fn new(decoder: &'a mut Decoder<'de>, length: usize) -> Self {
        Self { decoder, length, left: length }
    }

    /// Returns the number of elements that the visitor has not read.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        match seed.deserialize(&mut *self.decoder) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(error.at_index(self.length - self.left - 1)),
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}

/// The entries of a map.
pub(super) struct Entries<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    left: usize,
    /// Whether each entry is a list of a key and a value.
    are_pairs: bool,
    /// The names of the fields, if the map is a structure.
    names: &'static [&'static str],
    /// The input from the last key on.
    key: &'de [u8],
}

impl<'a, 'de> Entries<'a, 'de> {
    #[inline]
    pub(super) fn new(
        decoder: &'a mut Decoder<'de>,
        length: usize,
        are_pairs: bool,
        names: &'static [&'static str],
    ) -> Self {
        Self { decoder, left: length, are_pairs, names, key: &[] }
    }

    /// Returns the number of elements that the visitor has not read.
    #[inline]
    pub(super) fn left(&self) -> usize {
        self.left
    }
}

impl<'de> MapAccess<'de> for Entries<'_, 'de> {
    type Error = Error;

    #[inline]
    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        if self.left == 0 {
            return Ok(None);
        }
        self.left -= 1;
        if self.are_pairs {
            self.decoder.pair_head()?;
        }
        self.key = self.decoder.rest();
        if let Some(name) = self.decoder.take_spelled(self.names) {
            return seed.deserialize(name.into_deserializer()).map(Some);
        }
        self.decoder.mark_key();
        match seed.deserialize(&mut *self.decoder) {
            Ok(key) => Ok(Some(key)),
            Err(error) => Err(error.at_name(name_of(self.key))),
        }
    }

    #[inline]
    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value> {
        let value = match self.decoder.lenience.is_record {
            true => decode_field(self.decoder, seed),
            false => seed.deserialize(&mut *self.decoder),
        };
        value.map_err(|error| error.at_name(name_of(self.key)))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left)
    }
}
