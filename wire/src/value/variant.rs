//! The deserializer of variants: a name, or a map from a name to the content.

use serde::Deserialize;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, Unexpected, VariantAccess,
    Visitor,
};

use super::decode::Decoder;
use super::error::{Error, Result};
use super::key::name_of;

pub(super) struct Variant<'a, 'de> {
    decoder: &'a mut Decoder<'de>,
    has_content: bool,
    /// The names of the variants.
    names: &'static [&'static str],
    /// The input from the name on.
    name: &'de [u8],
}

impl<'a, 'de> Variant<'a, 'de> {
    pub(super) fn new(
        decoder: &'a mut Decoder<'de>,
        has_content: bool,
        names: &'static [&'static str],
    ) -> Self {
        let name = decoder.rest();
        Self { decoder, has_content, names, name }
    }

    /// Reads the content by `read`.
    fn content<T>(self, read: impl FnOnce(&mut Decoder<'de>) -> Result<T>) -> Result<T> {
        if !self.has_content {
            return Err(de::Error::invalid_type(
                Unexpected::Other("a variant without content"),
                &"its content",
            ));
        }
        read(self.decoder).map_err(|error| error.at_name(name_of(self.name)))
    }
}

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self)> {
        if let Some(name) = self.decoder.take_spelled(self.names) {
            return seed.deserialize(name.into_deserializer()).map(|variant| (variant, self));
        }
        self.decoder.mark_key();
        let variant = seed.deserialize(&mut *self.decoder)?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        if self.has_content { self.content(|content| <()>::deserialize(content)) } else { Ok(()) }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        self.content(|content| seed.deserialize(content))
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        self.content(|content| content.deserialize_tuple(length, visitor))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.content(|content| content.deserialize_struct("", fields, visitor))
    }
}
