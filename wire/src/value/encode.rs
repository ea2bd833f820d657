//! A value to bytes.

use rmp::encode::{self as write, ByteBuf};
use serde::Serialize;
use serde::ser::Serializer;

use super::byte_probe::as_byte;
use super::compound::Compound;
use super::error::{Error, Result};
use super::known;
use super::tuple::Tuple;
use super::{SIGNED, SOME, UNSIGNED};
use crate::error::{Fault, WireError};
use crate::shape::{MAX_DEPTH, TOO_DEEP};

/// How many `Some` may be around each other on the way to a value, lists and the like between them or
/// not. It bounds the stack, and leaves room for some in each level.
const MAX_SOMES: usize = 4 * MAX_DEPTH;

/// What [`encode`] tells of a value that it wrote.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    /// Whether there is something in it that not every type can be read from: a 128-bit number.
    pub(crate) is_unusual: bool,
}

/// Writes `value` behind what `bytes` holds; after an error they are as before.
pub(crate) fn encode<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> std::result::Result<Written, WireError> {
    encode_to_depth(bytes, value, MAX_DEPTH)
}

/// [`encode`], for a value that may nest to another depth.
pub(crate) fn encode_to_depth<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
    levels: usize,
) -> std::result::Result<Written, WireError> {
    let before = bytes.len();
    let out = ByteBuf::from_vec(std::mem::take(bytes));
    let mut encoder = Encoder { out, levels, somes: 0, is_unusual: false };
    let written = value.serialize(&mut encoder);
    *bytes = encoder.out.into_vec();
    if let Err(error) = written {
        bytes.truncate(before);
        return Err(error.into());
    }
    Ok(Written { is_unusual: encoder.is_unusual })
}

pub(super) struct Encoder {
    pub(super) out: ByteBuf,
    /// How many lists, maps, structures and variants may still be opened.
    levels: usize,
    somes: usize,
    is_unusual: bool,
}

impl Encoder {
    /// Opens `levels` more.
    #[inline]
    pub(super) fn enter(&mut self, levels: usize) -> Result<()> {
        let left = self.levels.checked_sub(levels);
        self.levels = left.ok_or_else(|| Error::new(Fault::Depth, TOO_DEEP))?;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self, levels: usize) {
        self.levels += levels;
    }

    #[inline]
    pub(super) fn levels(&self) -> usize {
        self.levels
    }

    /// Closes all that was opened since so many levels were left. Processors wait for what they
    /// have just written when it is added to together with what stands beside it, as compilers do with
    /// the levels and the length of `out`: so this doesn't add.
    #[inline]
    pub(super) fn leave_to(&mut self, levels: usize) {
        self.levels = levels;
    }

    #[inline]
    pub(super) fn array_head(&mut self, length: usize) -> Result<()> {
        if length < 16 {
            return self.put([0x90 | length as u8]);
        }
        let Ok(_) = write::write_array_len(&mut self.out, check_length(length)?);
        Ok(())
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.out.as_slice().len()
    }

    /// Puts the head that was written behind `end` into the place of that at `start`.
    pub(super) fn replace_head(&mut self, start: usize, end: usize) {
        let out = self.out.as_mut_vec();
        let old = match out[start] {
            0x80..=0x9f => 1,
            0xc4 => 2,
            0xc5 | 0xdc | 0xde => 3,
            _ => 5,
        };
        let head = out.split_off(end);
        out.splice(start..start + old, head);
    }

    /// The head of a map with the one entry of a variant, and its key.
    fn variant_head(&mut self, variant: &'static str) -> Result<()> {
        let Ok(_) = write::write_map_len(&mut self.out, 1);
        self.text(variant)
    }

    #[inline]
    fn text(&mut self, text: &str) -> Result<()> {
        check_length(text.len())?;
        let Ok(()) = write::write_str(&mut self.out, text);
        Ok(())
    }

    fn wide(&mut self, type_: i8, number: [u8; 16]) -> Result<()> {
        self.is_unusual = true;
        let Ok(_) = write::write_ext_meta(&mut self.out, 16, type_);
        self.out.as_mut_vec().extend_from_slice(&number);
        Ok(())
    }

    /// Puts one more `Some` around the value that begins at `start`, where it is nil within.
    fn mark_some(&mut self, start: usize) -> Result<()> {
        const EXT: u8 = 0xd4;
        let out = self.out.as_mut_vec();
        match out[start..] {
            [0xc0] => {
                out.truncate(start);
                out.extend_from_slice(&[EXT, SOME as u8, 1]);
            }
            [EXT, type_, count] if type_ == SOME as u8 => {
                if usize::from(count) == MAX_DEPTH - 1 {
                    return Err(too_many_somes());
                }
                out[start + 2] = count + 1;
            }
            _ => {}
        }
        Ok(())
    }
}

fn too_many_somes() -> Error {
    Error::new(Fault::Depth, "it nests too deep: too many `Some` are around each other")
}

/// Lengths have 32 bits in MessagePack.
#[inline]
pub(super) fn check_length(length: usize) -> Result<u32> {
    u32::try_from(length)
        .map_err(|_| Error::new(Fault::Type, "it has more than 4 GiB or 4,294,967,295 elements"))
}

macro_rules! bytes {
    ($($method:ident($number:ty) by $way:ident;)*) => {$(
        #[inline]
        fn $method(self, number: $number) -> Result<()> {
            self.$way(number.into())
        }
    )*};
}

/// What a loop over a list of numbers holds are the two forms that most have: the shortest, and the longest
/// of those that aren't negative.
macro_rules! numbers {
    ($($method:ident($number:ty), [$marker:literal $($byte:ident)*] above $most:literal, by $way:ident;)*) => {$(
        #[inline]
        fn $method(self, number: $number) -> Result<()> {
            if (0..0x80).contains(&number) {
                self.put([number as u8])
            } else if number > $most {
                let [$($byte),*] = number.to_be_bytes();
                self.put([$marker, $($byte),*])
            } else {
                self.$way(number.into())
            }
        }
    )*};
}

impl<'a> Serializer for &'a mut Encoder {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Compound<'a>;
    type SerializeTuple = Tuple<'a>;
    type SerializeTupleStruct = Tuple<'a>;
    type SerializeTupleVariant = Compound<'a>;
    type SerializeMap = Compound<'a>;
    type SerializeStruct = Compound<'a>;
    type SerializeStructVariant = Compound<'a>;

    bytes! {
        serialize_i8(i8) by signed;
        serialize_u8(u8) by unsigned;
    }

    numbers! {
        serialize_i16(i16), [0xcd a b] above 0xff, by signed;
        serialize_i32(i32), [0xce a b c d] above 0xffff, by signed;
        serialize_i64(i64), [0xcf a b c d e f g h] above 0xffff_ffff, by signed;
        serialize_u16(u16), [0xcd a b] above 0xff, by unsigned;
        serialize_u32(u32), [0xce a b c d] above 0xffff, by unsigned;
        serialize_u64(u64), [0xcf a b c d e f g h] above 0xffff_ffff, by unsigned;
    }

    fn serialize_i128(self, number: i128) -> Result<()> {
        self.wide(SIGNED, number.to_be_bytes())
    }

    fn serialize_u128(self, number: u128) -> Result<()> {
        self.wide(UNSIGNED, number.to_be_bytes())
    }

    #[inline]
    fn serialize_bool(self, value: bool) -> Result<()> {
        let Ok(()) = write::write_bool(&mut self.out, value);
        Ok(())
    }

    #[inline]
    fn serialize_f32(self, number: f32) -> Result<()> {
        let [a, b, c, d] = number.to_be_bytes();
        self.put([0xca, a, b, c, d])
    }

    #[inline]
    fn serialize_f64(self, number: f64) -> Result<()> {
        let [a, b, c, d, e, f, g, h] = number.to_be_bytes();
        self.put([0xcb, a, b, c, d, e, f, g, h])
    }

    fn serialize_char(self, character: char) -> Result<()> {
        self.text(character.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, text: &str) -> Result<()> {
        self.text(text)
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        check_length(bytes.len())?;
        let Ok(()) = write::write_bin(&mut self.out, bytes);
        Ok(())
    }

    #[inline]
    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        self.somes += 1;
        if self.somes > MAX_SOMES {
            return Err(too_many_somes());
        }
        let start = self.len();
        value.serialize(&mut *self)?;
        self.somes -= 1;
        self.mark_some(start)
    }

    #[inline]
    fn serialize_unit(self) -> Result<()> {
        let Ok(()) = write::write_nil(&mut self.out);
        Ok(())
    }

    #[inline]
    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    #[inline]
    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Result<()> {
        self.text(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        self.enter(1)?;
        self.variant_head(variant)?;
        value.serialize(&mut *self).map_err(|error| error.at_name(variant))?;
        self.leave(1);
        Ok(())
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Compound<'a>> {
        Compound::list(self, length)
    }

    #[inline]
    fn serialize_tuple(self, length: usize) -> Result<Tuple<'a>> {
        Tuple::new(self, length)
    }

    #[inline]
    fn serialize_tuple_struct(self, _: &'static str, length: usize) -> Result<Tuple<'a>> {
        Tuple::new(self, length)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>> {
        self.variant_head(variant)?;
        Ok(Compound::tuple(self, length, 2)?.of_variant(variant))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Compound<'a>> {
        Compound::map(self, length.unwrap_or(0), 1)
    }

    fn serialize_struct(self, _: &'static str, length: usize) -> Result<Compound<'a>> {
        Compound::map(self, length, 1)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Compound<'a>> {
        self.variant_head(variant)?;
        Ok(Compound::map(self, length, 2)?.of_variant(variant))
    }

    /// A whole list at once, so that bytes are written without a question for each.
    fn collect_seq<I>(self, elements: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some(bytes) = known::bytes_of(&elements)
            && !bytes.is_empty()
        {
            return self.serialize_bytes(bytes);
        }
        let mut elements = elements.into_iter();
        let length = match elements.size_hint() {
            (least, Some(most)) if least == most => Some(least),
            _ => None,
        };
        let mut list = Compound::list(self, length)?;
        let mut next = elements.next();
        if let Some(first) = &next
            && let Some(byte) = as_byte(first)
        {
            next = list.bytes(byte, &mut elements);
        }
        for element in next.into_iter().chain(elements) {
            list.element(&element)?;
        }
        list.finish()
    }
}
