//! The head of a value: a whole scalar, or the length of a list or map.

use rmp::Marker;
use serde::de::{Unexpected, Visitor};

use super::decode::Decoder;
use super::error::{Error, Result};
use super::{SIGNED, SOME, UNSIGNED};

/// The head of a value.
pub(crate) enum Head<'de> {
    Nil,
    Bool(bool),
    Int(Int),
    F32(f32),
    F64(f64),
    Wide(Wide),
    Text(&'de str),
    Bytes(&'de [u8]),
    List(usize),
    Map(usize),
    /// `Some`, whose content follows.
    Some,
}

/// A whole number of up to 64 bits.
#[derive(Clone, Copy)]
pub(crate) enum Int {
    Unsigned(u64),
    Negative(i64),
}

/// A whole number of 128 bits.
#[derive(Clone, Copy)]
pub(crate) enum Wide {
    Unsigned(u128),
    Signed(i128),
}

impl From<i64> for Int {
    #[inline]
    fn from(number: i64) -> Self {
        u64::try_from(number).map_or(Self::Negative(number), Self::Unsigned)
    }
}

impl Int {
    #[inline]
    pub(super) fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self {
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Negative(number) => visitor.visit_i64(number),
        }
    }
}

impl Head<'_> {
    /// Describes the value for serde's errors.
    pub(super) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Nil => Unexpected::Unit,
            Self::Bool(value) => Unexpected::Bool(*value),
            Self::Int(Int::Unsigned(number)) => Unexpected::Unsigned(*number),
            Self::Int(Int::Negative(number)) => Unexpected::Signed(*number),
            Self::F32(number) => Unexpected::Float(f64::from(*number)),
            Self::F64(number) => Unexpected::Float(*number),
            Self::Wide(_) => Unexpected::Other("a number of 128 bits"),
            Self::Text(text) => Unexpected::Str(text),
            Self::Bytes(bytes) => Unexpected::Bytes(bytes),
            Self::List(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
            Self::Some => Unexpected::Option,
        }
    }
}

impl<'de> Decoder<'de> {
    /// Reads a whole number of up to 64 bits, or returns `None` if the next value is something else.
    #[inline]
    pub(crate) fn take_int(&mut self) -> Option<Int> {
        let (&first, rest) = self.rest().split_first()?;
        let (number, rest) = match first {
            0x00..=0x7f => (Int::Unsigned(first.into()), rest),
            0xcc => unsigned(rest, u8::from_be_bytes)?,
            0xcd => unsigned(rest, u16::from_be_bytes)?,
            0xce => unsigned(rest, u32::from_be_bytes)?,
            0xcf => unsigned(rest, u64::from_be_bytes)?,
            0xe0..=0xff => (Int::Negative((first as i8).into()), rest),
            0xd0 => signed(rest, i8::from_be_bytes)?,
            0xd1 => signed(rest, i16::from_be_bytes)?,
            0xd2 => signed(rest, i32::from_be_bytes)?,
            0xd3 => signed(rest, i64::from_be_bytes)?,
            _ => return None,
        };
        self.advance_to(rest);
        Some(number)
    }

    /// Reads a text, or returns `None` if the next value is something else.
    #[inline]
    pub(crate) fn take_text(&mut self) -> Result<Option<&'de str>> {
        let Some((&first, rest)) = self.rest().split_first() else {
            return Ok(None);
        };
        let (length, rest) = match first {
            0xa0..=0xbf => (usize::from(first & 0x1f), rest),
            0xd9 => length(rest, u8::from_be_bytes)?,
            0xda => length(rest, u16::from_be_bytes)?,
            0xdb => length(rest, u32::from_be_bytes)?,
            _ => return Ok(None),
        };
        let (text, rest) = rest.split_at_checked(length).ok_or_else(ends_early)?;
        let text =
            std::str::from_utf8(text).map_err(|_| Error::malformed("a text in it is not UTF-8"))?;
        self.advance_to(rest);
        Ok(Some(text))
    }

    /// Reads the number after `marker`, or returns `None` if the next byte is another marker.
    #[inline(always)]
    pub(crate) fn take_marked<const N: usize, T>(
        &mut self,
        marker: u8,
        read: impl FnOnce([u8; N]) -> T,
    ) -> Option<T> {
        let (&first, rest) = self.rest().split_first()?;
        if first != marker {
            return None;
        }
        let (number, rest) = rest.split_first_chunk()?;
        self.advance_to(rest);
        Some(read(*number))
    }

    /// Reads a number from 0 to 127, which is its own marker.
    #[inline(always)]
    pub(super) fn take_small(&mut self) -> Option<u8> {
        let (&first, rest) = self.rest().split_first()?;
        if first >= 0x80 {
            return None;
        }
        self.advance_to(rest);
        Some(first)
    }

    /// Reads the length of a list, or returns `None` if the next value is something else.
    #[inline]
    pub(crate) fn take_list(&mut self) -> Result<Option<usize>> {
        match self.rest() {
            [first @ 0x90..=0x9f, rest @ ..] => {
                let length = usize::from(first & 0x0f);
                self.advance_to(rest);
                Ok(Some(length))
            }
            [0xdc | 0xdd, ..] => self.take_long_list().map(Some),
            _ => Ok(None),
        }
    }

    fn take_long_list(&mut self) -> Result<usize> {
        match self.head()? {
            Head::List(length) => Ok(length),
            _ => Err(ends_early()),
        }
    }

    /// Reads the head of the next value.
    pub(crate) fn head(&mut self) -> Result<Head<'de>> {
        if let Some(number) = self.take_int() {
            return Ok(Head::Int(number));
        }
        if let Some(text) = self.take_text()? {
            return Ok(Head::Text(text));
        }
        let (&first, rest) = self.rest().split_first().ok_or_else(ends_early)?;
        let (head, rest) = match Marker::from_u8(first) {
            Marker::Null => (Head::Nil, rest),
            Marker::True => (Head::Bool(true), rest),
            Marker::False => (Head::Bool(false), rest),
            Marker::F32 => fixed(rest, |bytes| Head::F32(f32::from_be_bytes(bytes)))?,
            Marker::F64 => fixed(rest, |bytes| Head::F64(f64::from_be_bytes(bytes)))?,
            Marker::Bin8 => bytes(length(rest, u8::from_be_bytes)?)?,
            Marker::Bin16 => bytes(length(rest, u16::from_be_bytes)?)?,
            Marker::Bin32 => bytes(length(rest, u32::from_be_bytes)?)?,
            Marker::FixArray(length) => (Head::List(length.into()), rest),
            Marker::Array16 => list(length(rest, u16::from_be_bytes)?),
            Marker::Array32 => list(length(rest, u32::from_be_bytes)?),
            Marker::FixMap(length) => (Head::Map(length.into()), rest),
            Marker::Map16 => map(length(rest, u16::from_be_bytes)?),
            Marker::Map32 => map(length(rest, u32::from_be_bytes)?),
            Marker::FixExt1 => return self.some(rest),
            Marker::FixExt16 => wide(rest)?,
            Marker::Reserved => {
                return Err(Error::malformed("it contains a byte that MessagePack doesn't use"));
            }
            Marker::FixExt2
            | Marker::FixExt4
            | Marker::FixExt8
            | Marker::Ext8
            | Marker::Ext16
            | Marker::Ext32 => return Err(unknown_extension()),
            // A truncated number.
            _ => return Err(ends_early()),
        };
        self.advance_to(rest);
        Ok(head)
    }

    /// Reads one of the `Some` around nil, or the nil if all have been read.
    fn some(&mut self, rest: &'de [u8]) -> Result<Head<'de>> {
        let (&[type_, count], behind) = rest.split_first_chunk().ok_or_else(ends_early)?;
        if type_ as i8 != SOME {
            return Err(unknown_extension());
        }
        if self.count_some() < count {
            return Ok(Head::Some);
        }
        self.advance_to(behind);
        Ok(Head::Nil)
    }
}

fn ends_early() -> Error {
    Error::malformed("the bytes end too early")
}

fn unknown_extension() -> Error {
    Error::malformed("it contains a MessagePack extension type that hype doesn't use")
}

/// A parsed part of the input, and the rest.
type Parsed<'de, T> = Result<(T, &'de [u8])>;

#[inline]
fn unsigned<const N: usize, T: Into<u64>>(
    rest: &[u8],
    read: fn([u8; N]) -> T,
) -> Option<(Int, &[u8])> {
    let (number, rest) = rest.split_first_chunk()?;
    Some((Int::Unsigned(read(*number).into()), rest))
}

#[inline]
fn signed<const N: usize, T: Into<i64>>(
    rest: &[u8],
    read: fn([u8; N]) -> T,
) -> Option<(Int, &[u8])> {
    let (number, rest) = rest.split_first_chunk()?;
    Some((Int::from(read(*number).into()), rest))
}

#[inline]
fn fixed<const N: usize, T>(rest: &[u8], read: impl FnOnce([u8; N]) -> T) -> Parsed<'_, T> {
    let (number, rest) = rest.split_first_chunk().ok_or_else(ends_early)?;
    Ok((read(*number), rest))
}

#[inline]
fn length<const N: usize, T: TryInto<usize>>(
    rest: &[u8],
    read: fn([u8; N]) -> T,
) -> Parsed<'_, usize> {
    let (length, rest) = fixed(rest, read)?;
    Ok((length.try_into().map_err(|_| ends_early())?, rest))
}

fn bytes((length, rest): (usize, &[u8])) -> Parsed<'_, Head<'_>> {
    let (bytes, rest) = rest.split_at_checked(length).ok_or_else(ends_early)?;
    Ok((Head::Bytes(bytes), rest))
}

fn list((length, rest): (usize, &[u8])) -> (Head<'_>, &[u8]) {
    (Head::List(length), rest)
}

fn map((length, rest): (usize, &[u8])) -> (Head<'_>, &[u8]) {
    (Head::Map(length), rest)
}

fn wide(rest: &[u8]) -> Parsed<'_, Head<'_>> {
    let (&type_, rest) = rest.split_first().ok_or_else(ends_early)?;
    let (bytes, rest) = fixed(rest, |bytes| bytes)?;
    let number = match type_ as i8 {
        UNSIGNED => Wide::Unsigned(u128::from_be_bytes(bytes)),
        SIGNED => Wide::Signed(i128::from_be_bytes(bytes)),
        _ => return Err(unknown_extension()),
    };
    Ok((Head::Wide(number), rest))
}
