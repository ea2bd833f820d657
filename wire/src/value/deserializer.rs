//! serde's [`Deserializer`] for a [`Decoder`].

use serde::de::{self, Deserializer, Unexpected, Visitor};

use super::RAW_JSON;
use super::byte_list::ByteList;
use super::byte_vec;
use super::decode::Decoder;
use super::error::{Error, Result};
use super::head::{Head, Int, Wide};
use super::lenience::{Scalar, TakenAs, parse_scalar};
use super::variant::Variant;
use crate::encoded::ENCODED_VALUE;

const NO_128_BITS: &str = ": serde can't buffer a number of 128 bits in an untagged, internally \
                           tagged or flattened type; use 64 bits or text there";

/// Implements methods for unsigned integers. Inlines only the type's own form and the one-byte form, which
/// keeps loops over lists of numbers small.
macro_rules! unsigned {
    ($($method:ident: $marker:literal $number:ty;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if let Some(number) = self.take_marked($marker, <$number>::from_be_bytes) {
                return visitor.visit_u64(number.into());
            }
            if let Some(number) = self.take_small() {
                return visitor.visit_u64(number.into());
            }
            self.number(visitor)
        }
    )*};
}

macro_rules! signed {
    ($($method:ident: $marker:literal $number:ty, $positive:literal $unsigned:ty;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            if let Some(number) = self.take_marked($marker, <$number>::from_be_bytes) {
                return Int::from(i64::from(number)).visit(visitor);
            }
            if let Some(number) = self.take_marked($positive, <$unsigned>::from_be_bytes) {
                return visitor.visit_u64(number.into());
            }
            if let Some(number) = self.take_small() {
                return visitor.visit_u64(number.into());
            }
            self.number(visitor)
        }
    )*};
}

macro_rules! float {
    ($($method:ident: $marker:literal $number:ty => $visit:ident;)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            match self.take_marked($marker, <$number>::from_be_bytes) {
                Some(number) => visitor.$visit(number),
                None => self.float(visitor),
            }
        }
    )*};
}

impl<'de> Decoder<'de> {
    /// Passes the encoding of the next value to `visitor`.
    fn encoded<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let before = self.rest();
        self.skip()?;
        visitor.visit_borrowed_bytes(&before[..before.len() - self.rest().len()])
    }

    /// Reads bytes as a list. Not inlined, since the comparison of type identities is slow for tuples.
    #[inline(never)]
    fn bytes_as_list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Bytes(bytes) => self.byte_list(bytes, visitor),
            head => mismatch(&head, &visitor),
        }
    }

    /// Passes `bytes` to `visitor` as a list of numbers.
    #[inline]
    fn byte_list<V: Visitor<'de>>(&mut self, bytes: &'de [u8], visitor: V) -> Result<V::Value> {
        let visitor = match byte_vec::visit(bytes, visitor) {
            Ok(value) => return Ok(value),
            Err(visitor) => visitor,
        };
        let mut list = ByteList::new(bytes);
        let value = visitor.visit_seq(&mut list)?;
        super::decode::check_all_read(bytes.len(), list.left())?;
        Ok(value)
    }
}

fn mismatch<'de, T>(head: &Head<'_>, visitor: &impl Visitor<'de>) -> Result<T> {
    Err(de::Error::invalid_type(head.unexpected(), visitor))
}

fn out_of_range<'de, T>(number: impl ToString, visitor: &impl Visitor<'de>) -> Result<T> {
    let number = format!("the number {}", number.to_string());
    Err(de::Error::invalid_value(Unexpected::Other(&number), visitor))
}

impl<'de> Deserializer<'de> for &mut Decoder<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        if self.rest().is_empty() || self.lenience.prefers_text {
            self.take_text_argument(TakenAs::Anything);
        }
        let is_key = self.is_key();
        match self.head()? {
            Head::Nil => visitor.visit_unit(),
            Head::Bool(value) => visitor.visit_bool(value),
            Head::Int(Int::Unsigned(number)) => visitor.visit_u64(number),
            Head::Int(Int::Negative(number)) => visitor.visit_i64(number),
            Head::F32(number) => visitor.visit_f32(number),
            Head::F64(number) => visitor.visit_f64(number),
            Head::Wide(Wide::Unsigned(number)) => explain_128_bits(visitor.visit_u128(number)),
            Head::Wide(Wide::Signed(number)) => explain_128_bits(visitor.visit_i128(number)),
            Head::Text(text) if !self.lenience.texts_are_numbers => {
                visitor.visit_borrowed_str(text)
            }
            Head::Text(text) => match parse_scalar(text, is_key) {
                None => visitor.visit_borrowed_str(text),
                Some(Scalar::Bool(value)) => visitor.visit_bool(value),
                Some(Scalar::Unsigned(number)) => visitor.visit_u64(number),
                Some(Scalar::Negative(number)) => visitor.visit_i64(number),
                Some(Scalar::Float(number)) => visitor.visit_f64(number),
            },
            Head::Bytes(bytes) => self.byte_list(bytes, visitor),
            Head::List(length) if self.lenience.pairs_are_maps && self.is_map_of_pairs(length) => {
                self.map_of_pairs(length, visitor)
            }
            Head::List(length) => self.list(length, visitor),
            Head::Map(length) => self.map(length, visitor),
            Head::Some => visitor.visit_some(self),
        }
    }

    unsigned! {
        deserialize_u8: 0xcc u8;
        deserialize_u16: 0xcd u16;
        deserialize_u32: 0xce u32;
        deserialize_u64: 0xcf u64;
    }

    signed! {
        deserialize_i8: 0xd0 i8, 0xcc u8;
        deserialize_i16: 0xd1 i16, 0xcd u16;
        deserialize_i32: 0xd2 i32, 0xce u32;
        deserialize_i64: 0xd3 i64, 0xcf u64;
    }

    float! {
        deserialize_f32: 0xca f32 => visit_f32;
        deserialize_f64: 0xcb f64 => visit_f64;
    }

    fn deserialize_i128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.wide(&visitor)? {
            Wide::Signed(number) => visitor.visit_i128(number),
            Wide::Unsigned(number) => match i128::try_from(number) {
                Ok(number) => visitor.visit_i128(number),
                Err(_) => out_of_range(number, &visitor),
            },
        }
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.wide(&visitor)? {
            Wide::Unsigned(number) => visitor.visit_u128(number),
            Wide::Signed(number) => match u128::try_from(number) {
                Ok(number) => visitor.visit_u128(number),
                Err(_) => out_of_range(number, &visitor),
            },
        }
    }

    #[inline]
    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.rest() {
            [byte @ (0xc2 | 0xc3), rest @ ..] => {
                self.advance_to(rest);
                visitor.visit_bool(*byte == 0xc3)
            }
            _ => {
                let value = self.boolean(&visitor)?;
                visitor.visit_bool(value)
            }
        }
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    #[inline]
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.take_text()? {
            Some(text) => visitor.visit_borrowed_str(text),
            None if self.take_text_argument(TakenAs::Text) => self.deserialize_str(visitor),
            None => mismatch(&self.head()?, &visitor),
        }
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Bytes(bytes) => visitor.visit_borrowed_bytes(bytes),
            Head::Text(text) => visitor.visit_borrowed_bytes(text.as_bytes()),
            Head::List(length) => self.list(length, visitor),
            head => mismatch(&head, &visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Bytes(bytes) => visitor.visit_byte_buf(bytes.to_vec()),
            Head::Text(text) => visitor.visit_byte_buf(text.as_bytes().to_vec()),
            Head::List(length) => self.list(length, visitor),
            head => mismatch(&head, &visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.rest().first() {
            Some(0xc0 | 0xd4) => match self.head()? {
                Head::Some => visitor.visit_some(self),
                _ => visitor.visit_none(),
            },
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Nil => {}
            // A type that serializes as `Some(())` and deserializes as `()`.
            Head::Some => self.skip()?,
            head => return mismatch(&head, &visitor),
        }
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match self.rest().first() {
            // Other encoders write an empty list or map.
            Some(0x80 | 0x90) => {
                self.head()?;
                visitor.visit_unit()
            }
            _ => self.deserialize_unit(visitor),
        }
    }

    #[inline]
    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        match name {
            RAW_JSON => self.deserialize_map(visitor),
            ENCODED_VALUE => self.encoded(visitor),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    #[inline]
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.take_list()? {
            Some(length) => self.list(length, visitor),
            None => self.bytes_as_list(visitor),
        }
    }

    #[inline]
    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    #[inline]
    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.head()? {
            Head::Map(length) => self.map(length, visitor),
            Head::List(length) => self.map_of_pairs(length, visitor),
            head => mismatch(&head, &visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.head()? {
            Head::Map(length) => self.fields(length, names, visitor),
            Head::List(length) => self.list(length, visitor),
            head => mismatch(&head, &visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        if self.lenience.is_text_argument {
            self.take_variant_text(variants);
        }
        let here = self.rest();
        match self.head()? {
            Head::Text(_) | Head::Int(Int::Unsigned(_)) => {
                self.advance_to(here);
                visitor.visit_enum(Variant::new(self, false, variants))
            }
            Head::Map(1) => {
                self.entry(|decoder| visitor.visit_enum(Variant::new(decoder, true, variants)))
            }
            Head::Map(_) => Err(de::Error::invalid_type(
                Unexpected::Map,
                &"a variant: its name, or a map with one entry",
            )),
            head => mismatch(&head, &visitor),
        }
    }

    #[inline]
    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.take_text()? {
            Some(text) => visitor.visit_borrowed_str(text),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.skip()?;
        visitor.visit_unit()
    }
}

fn explain_128_bits<T>(result: Result<T>) -> Result<T> {
    result.map_err(
        |error| if error.is_about_128_bits() { error.with_note(NO_128_BITS) } else { error },
    )
}
