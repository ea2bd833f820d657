//! Detection of `u8` values through their `Serialize` implementation.
//!
//! serde distinguishes a list of `u8` from other lists only by its elements. This serializer accepts a
//! `u8` and rejects everything else immediately. So the compiler removes the check where the element
//! type is known.

use std::fmt::{self, Display};

use serde::Serialize;
use serde::ser::{self, Impossible, Serializer};

/// Returns the byte if `value` is a `u8` or a newtype of one.
pub(super) fn as_byte<T: Serialize + ?Sized>(value: &T) -> Option<u8> {
    value.serialize(ByteProbe).ok()
}

struct ByteProbe;

#[derive(Debug)]
struct NotAByte;

impl Display for NotAByte {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a byte")
    }
}

impl std::error::Error for NotAByte {}

impl ser::Error for NotAByte {
    fn custom<T: Display>(_: T) -> Self {
        Self
    }
}

type ByteResult = Result<u8, NotAByte>;
type Never = Impossible<u8, NotAByte>;

macro_rules! reject {
    ($($method:ident($($argument:ty),*) -> $result:ty;)*) => {$(
        #[inline]
        fn $method(self, $(_: $argument),*) -> Result<$result, NotAByte> {
            Err(NotAByte)
        }
    )*};
}

impl Serializer for ByteProbe {
    type Ok = u8;
    type Error = NotAByte;
    type SerializeSeq = Never;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStruct = Never;
    type SerializeStructVariant = Never;

    #[inline]
    fn serialize_u8(self, byte: u8) -> ByteResult {
        Ok(byte)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> ByteResult {
        value.serialize(self)
    }

    reject! {
        serialize_bool(bool) -> u8;
        serialize_i8(i8) -> u8;
        serialize_i16(i16) -> u8;
        serialize_i32(i32) -> u8;
        serialize_i64(i64) -> u8;
        serialize_i128(i128) -> u8;
        serialize_u16(u16) -> u8;
        serialize_u32(u32) -> u8;
        serialize_u64(u64) -> u8;
        serialize_u128(u128) -> u8;
        serialize_f32(f32) -> u8;
        serialize_f64(f64) -> u8;
        serialize_char(char) -> u8;
        serialize_str(&str) -> u8;
        serialize_bytes(&[u8]) -> u8;
        serialize_none() -> u8;
        serialize_unit() -> u8;
        serialize_unit_struct(&'static str) -> u8;
        serialize_unit_variant(&'static str, u32, &'static str) -> u8;
        serialize_seq(Option<usize>) -> Never;
        serialize_tuple(usize) -> Never;
        serialize_tuple_struct(&'static str, usize) -> Never;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) -> Never;
        serialize_map(Option<usize>) -> Never;
        serialize_struct(&'static str, usize) -> Never;
        serialize_struct_variant(&'static str, u32, &'static str, usize) -> Never;
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> ByteResult {
        Err(NotAByte)
    }

    #[inline]
    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> ByteResult {
        Err(NotAByte)
    }

    fn collect_str<T: Display + ?Sized>(self, _: &T) -> ByteResult {
        Err(NotAByte)
    }

    fn collect_seq<I>(self, _: I) -> ByteResult
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        Err(NotAByte)
    }

    fn collect_map<K, V, I>(self, _: I) -> ByteResult
    where
        K: Serialize,
        V: Serialize,
        I: IntoIterator<Item = (K, V)>,
    {
        Err(NotAByte)
    }
}
