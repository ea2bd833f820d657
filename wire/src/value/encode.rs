//! The encoder: serde's [`Serializer`] that writes MessagePack.

use rmp::encode::{self as write, ByteBuf};
use serde::Serialize;
use serde::ser::Serializer;

use super::byte_probe::as_byte;
use super::byte_vec;
use super::compound::Compound;
use super::error::{Error, Result};
use super::tuple::Tuple;
use super::{SIGNED, SOME, UNSIGNED};
use crate::error::{Fault, WireError};
use crate::shape::{MAX_DEPTH, TOO_DEEP};

/// The maximum number of nested `Some`, including those separated by lists, maps and structures. Bounds
/// the stack.
const MAX_SOMES: usize = 4 * MAX_DEPTH;

/// Facts about an encoded value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Encoded {
    /// Whether the value has 128-bit numbers, which some types can't decode.
    pub(crate) has_wide_numbers: bool,
}

/// Appends the encoded `value` to `bytes`. On an error, `bytes` are unchanged.
pub(crate) fn encode<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
) -> std::result::Result<Encoded, WireError> {
    encode_to_depth(bytes, value, MAX_DEPTH)
}

/// Encodes like [`encode`], with a maximum depth of `levels`.
pub(crate) fn encode_to_depth<T: Serialize + ?Sized>(
    bytes: &mut Vec<u8>,
    value: &T,
    levels: usize,
) -> std::result::Result<Encoded, WireError> {
    let before = bytes.len();
    let out = ByteBuf::from_vec(std::mem::take(bytes));
    let mut encoder = Encoder { out, levels, somes: 0, has_wide_numbers: false };
    let written = value.serialize(&mut encoder);
    *bytes = encoder.out.into_vec();
    if let Err(error) = written {
        bytes.truncate(before);
        return Err(error.into());
    }
    Ok(Encoded { has_wide_numbers: encoder.has_wide_numbers })
}

pub(super) struct Encoder {
    pub(super) out: ByteBuf,
    /// The number of levels (lists, maps, structures, variants) that can still be opened.
    levels: usize,
    somes: usize,
    has_wide_numbers: bool,
}

impl Encoder {
    /// Opens `levels` levels.
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

    /// Resets the number of levels left. Assigns rather than adds: compilers combine an addition with
    /// that to the length of `out` beside it, and the load then stalls on the preceding store.
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

    /// Replaces the head at `start` by the one that was written after `end`.
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

    /// Writes the head of a map with one entry, and the variant's name as its key.
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
        self.has_wide_numbers = true;
        let Ok(_) = write::write_ext_meta(&mut self.out, 16, type_);
        self.out.as_mut_vec().extend_from_slice(&number);
        Ok(())
    }

    /// Wraps the value at `start` in one more `Some`, if it is nil or already wrapped.
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
    Error::new(Fault::Depth, "it nests too deep: too many nested `Some`")
}

/// Converts a length to 32 bits, the maximum in MessagePack.
#[inline]
pub(super) fn check_length(length: usize) -> Result<u32> {
    u32::try_from(length)
        .map_err(|_| Error::new(Fault::Type, "the value exceeds 4 GiB or 4,294,967,295 elements"))
}

macro_rules! bytes {
    ($($method:ident($number:ty) by $method_of_64_bits:ident;)*) => {$(
        #[inline]
        fn $method(self, number: $number) -> Result<()> {
            self.$method_of_64_bits(number.into())
        }
    )*};
}

/// Implements methods for integers. Inlines only the shortest and the longest form of non-negative numbers,
/// which keeps loops over lists of numbers small.
macro_rules! numbers {
    ($($method:ident($number:ty), [$marker:literal $($byte:ident)*] above $most:literal, by $method_of_64_bits:ident;)*) => {$(
        #[inline]
        fn $method(self, number: $number) -> Result<()> {
            if (0..0x80).contains(&number) {
                self.put([number as u8])
            } else if number > $most {
                let [$($byte),*] = number.to_be_bytes();
                self.put([$marker, $($byte),*])
            } else {
                self.$method_of_64_bits(number.into())
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

    /// Writes a whole list, so that bytes are copied at once.
    fn collect_seq<I>(self, elements: I) -> Result<()>
    where
        I: IntoIterator,
        I::Item: Serialize,
    {
        if let Some(bytes) = byte_vec::bytes_of(&elements)
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
