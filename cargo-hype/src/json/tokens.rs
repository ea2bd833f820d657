//! Reads MessagePack, one token at a time.

use rmp::Marker;

/// MessagePack extension types of hype; `docs/values.md` lists them.
const SOME: i8 = 1;
const UNSIGNED: i8 = 2;
const SIGNED: i8 = 3;

/// A scalar value, or the head of a list or map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Token<'a> {
    Nil,
    /// This many nested `Some`, the innermost of `None` or `()`.
    Some(u8),
    Bool(bool),
    Unsigned(u128),
    Signed(i128),
    F32(f32),
    F64(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    /// A list; this many values follow.
    List(u32),
    /// A map; this many keys follow, each with its value.
    Map(u32),
}

/// A reader over the remaining bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tokens<'a>(pub(super) &'a [u8]);

impl<'a> Tokens<'a> {
    /// Reads the next token.
    ///
    /// # Errors
    ///
    /// If the bytes aren't MessagePack, or have an unknown extension type. The message is the end of a sentence about
    /// the value.
    pub(super) fn next(&mut self) -> Result<Token<'a>, String> {
        Ok(match Marker::from_u8(self.unsigned(1)? as u8) {
            Marker::Null => Token::Nil,
            Marker::False => Token::Bool(false),
            Marker::True => Token::Bool(true),
            Marker::FixPos(number) => Token::Unsigned(number.into()),
            Marker::FixNeg(number) => Token::Signed(number.into()),
            Marker::U8 => Token::Unsigned(self.unsigned(1)?.into()),
            Marker::U16 => Token::Unsigned(self.unsigned(2)?.into()),
            Marker::U32 => Token::Unsigned(self.unsigned(4)?.into()),
            Marker::U64 => Token::Unsigned(self.unsigned(8)?.into()),
            Marker::I8 => Token::Signed((self.unsigned(1)? as i8).into()),
            Marker::I16 => Token::Signed((self.unsigned(2)? as i16).into()),
            Marker::I32 => Token::Signed((self.unsigned(4)? as i32).into()),
            Marker::I64 => Token::Signed((self.unsigned(8)? as i64).into()),
            Marker::F32 => Token::F32(f32::from_bits(self.unsigned(4)? as u32)),
            Marker::F64 => Token::F64(f64::from_bits(self.unsigned(8)?)),
            Marker::FixStr(length) => self.text(length.into())?,
            Marker::Str8 => self.sized(1, Self::text)?,
            Marker::Str16 => self.sized(2, Self::text)?,
            Marker::Str32 => self.sized(4, Self::text)?,
            Marker::Bin8 => self.sized(1, Self::bytes)?,
            Marker::Bin16 => self.sized(2, Self::bytes)?,
            Marker::Bin32 => self.sized(4, Self::bytes)?,
            Marker::FixArray(length) => Token::List(length.into()),
            Marker::Array16 => Token::List(self.unsigned(2)? as u32),
            Marker::Array32 => Token::List(self.unsigned(4)? as u32),
            Marker::FixMap(length) => Token::Map(length.into()),
            Marker::Map16 => Token::Map(self.unsigned(2)? as u32),
            Marker::Map32 => Token::Map(self.unsigned(4)? as u32),
            Marker::FixExt1 => self.extension(1)?,
            Marker::FixExt2 => self.extension(2)?,
            Marker::FixExt4 => self.extension(4)?,
            Marker::FixExt8 => self.extension(8)?,
            Marker::FixExt16 => self.extension(16)?,
            Marker::Ext8 => self.sized(1, Self::extension)?,
            Marker::Ext16 => self.sized(2, Self::extension)?,
            Marker::Ext32 => self.sized(4, Self::extension)?,
            Marker::Reserved => {
                return Err("has a byte that MessagePack doesn't use".to_owned());
            }
        })
    }

    fn sized(
        &mut self,
        width: usize,
        read: fn(&mut Self, usize) -> Result<Token<'a>, String>,
    ) -> Result<Token<'a>, String> {
        let length = self.unsigned(width)? as usize;
        read(self, length)
    }

    fn text(&mut self, length: usize) -> Result<Token<'a>, String> {
        let text = std::str::from_utf8(self.take(length)?);
        text.map(Token::Text).map_err(|_| "has a string that isn't UTF-8".to_owned())
    }

    fn bytes(&mut self, length: usize) -> Result<Token<'a>, String> {
        self.take(length).map(Token::Bytes)
    }

    fn extension(&mut self, length: usize) -> Result<Token<'a>, String> {
        let kind = self.unsigned(1)? as i8;
        let content = self.take(length)?;
        match (kind, content, <[u8; 16]>::try_from(content)) {
            (SOME, [levels], _) if *levels > 0 => Ok(Token::Some(*levels)),
            (UNSIGNED, _, Ok(bytes)) => Ok(Token::Unsigned(u128::from_be_bytes(bytes))),
            (SIGNED, _, Ok(bytes)) => Ok(Token::Signed(i128::from_be_bytes(bytes))),
            _ => Err(format!(
                "has a MessagePack extension that JSON has no form for: type {kind}, {length} bytes"
            )),
        }
    }

    /// Reads a big-endian number of `width` bytes.
    fn unsigned(&mut self, width: usize) -> Result<u64, String> {
        let bytes = self.take(width)?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn take(&mut self, length: usize) -> Result<&'a [u8], String> {
        let (taken, rest) =
            self.0.split_at_checked(length).ok_or("ends too early: it is truncated")?;
        self.0 = rest;
        Ok(taken)
    }
}
