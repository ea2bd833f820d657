//! The serializer of lists, maps and structures.

use rmp::encode as write;
use serde::Serialize;
use serde::ser;

use super::byte_probe::as_byte;
use super::encode::{Encoder, check_length};
use super::error::{Error, Result};
use super::key::name_of;

/// An open list, map or structure. Its head has the announced number of elements, and is rewritten if
/// the actual number differs.
pub(super) struct Compound<'a> {
    encoder: &'a mut Encoder,
    form: Form,
    /// The offset of the head in the output.
    start: usize,
    announced: usize,
    count: usize,
    /// The number of nesting levels that end with this value.
    levels: usize,
    /// The range of the last key in the output.
    key: std::ops::Range<usize>,
    /// The variant that has this value as its content.
    variant: Option<&'static str>,
}

/// The MessagePack form of a compound value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A list without elements so far.
    Undecided,
    /// A list whose elements are all bytes so far.
    Bytes,
    Array,
    Map,
}

impl<'a> Compound<'a> {
    pub(super) fn list(encoder: &'a mut Encoder, length: Option<usize>) -> Result<Self> {
        Self::open(encoder, Form::Undecided, length.unwrap_or(0), 1)
    }

    #[inline]
    pub(super) fn tuple(encoder: &'a mut Encoder, length: usize, levels: usize) -> Result<Self> {
        let mut tuple = Self::open(encoder, Form::Array, length, levels)?;
        tuple.head(length)?;
        Ok(tuple)
    }

    #[inline]
    pub(super) fn map(encoder: &'a mut Encoder, length: usize, levels: usize) -> Result<Self> {
        let mut map = Self::open(encoder, Form::Map, length, levels)?;
        map.head(length)?;
        Ok(map)
    }

    pub(super) fn of_variant(mut self, variant: &'static str) -> Self {
        self.variant = Some(variant);
        self
    }

    #[inline]
    fn open(encoder: &'a mut Encoder, form: Form, announced: usize, levels: usize) -> Result<Self> {
        encoder.enter(levels)?;
        let start = encoder.len();
        Ok(Self { encoder, form, start, announced, count: 0, levels, key: 0..0, variant: None })
    }

    #[inline]
    fn head(&mut self, length: usize) -> Result<()> {
        let (length, out) = (check_length(length)?, &mut self.encoder.out);
        let Ok(_) = match self.form {
            Form::Map => write::write_map_len(out, length),
            Form::Bytes => write::write_bin_len(out, length),
            Form::Array | Form::Undecided => write::write_array_len(out, length),
        };
        Ok(())
    }

    /// Writes `first` and the bytes at the start of `elements`. Returns the first element that isn't a
    /// byte.
    pub(super) fn bytes<I>(&mut self, first: u8, elements: &mut I) -> Option<I::Item>
    where
        I: Iterator,
        I::Item: Serialize,
    {
        self.first_byte(first).ok()?;
        let announced = self.announced.saturating_sub(1);
        let out = self.encoder.out.as_mut_vec();
        let begin = out.len();
        out.resize(begin + announced, 0);
        let mut taken = 0;
        let mut other = None;
        for (slot, element) in out[begin..].iter_mut().zip(&mut *elements) {
            let Some(byte) = as_byte(&element) else {
                other = Some(element);
                break;
            };
            *slot = byte;
            taken += 1;
        }
        out.truncate(begin + taken);
        self.count += taken;
        other
    }

    fn first_byte(&mut self, byte: u8) -> Result<()> {
        self.form = Form::Bytes;
        self.head(self.announced)?;
        self.byte(byte);
        Ok(())
    }

    #[inline]
    fn byte(&mut self, byte: u8) {
        self.encoder.out.as_mut_vec().push(byte);
        self.count += 1;
    }

    #[inline]
    pub(super) fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        if self.form != Form::Array {
            match as_byte(value) {
                Some(byte) if self.form == Form::Bytes => {
                    self.byte(byte);
                    return Ok(());
                }
                Some(byte) if self.count == 0 => return self.first_byte(byte),
                _ => self.turn_into_array()?,
            }
        }
        let index = self.count;
        self.count += 1;
        value.serialize(&mut *self.encoder).map_err(|error| self.within(error.at_index(index)))
    }

    /// Rewrites the bytes so far as an array of numbers.
    fn turn_into_array(&mut self) -> Result<()> {
        let out = self.encoder.out.as_mut_vec();
        let bytes = out.split_off(out.len() - self.count);
        out.truncate(self.start);
        self.form = Form::Array;
        self.head(self.announced)?;
        for byte in bytes {
            let Ok(_) = write::write_uint8(&mut self.encoder.out, byte);
        }
        Ok(())
    }

    #[inline]
    fn field(&mut self, name: &'static str, value: &(impl Serialize + ?Sized)) -> Result<()> {
        self.count += 1;
        name.serialize(&mut *self.encoder)?;
        value.serialize(&mut *self.encoder).map_err(|error| self.within(error.at_name(name)))
    }

    #[cold]
    fn within(&self, error: Error) -> Error {
        match self.variant {
            Some(variant) => error.at_name(variant),
            None => error,
        }
    }

    #[inline]
    pub(super) fn finish(mut self) -> Result<()> {
        if self.count != self.announced || self.form == Form::Undecided {
            self.correct_head()?;
        }
        self.encoder.leave(self.levels);
        Ok(())
    }

    #[cold]
    fn correct_head(&mut self) -> Result<()> {
        if self.form == Form::Undecided {
            return self.head(0);
        }
        let end = self.encoder.len();
        self.head(self.count)?;
        self.encoder.replace_head(self.start, end);
        Ok(())
    }
}

impl ser::SerializeSeq for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl ser::SerializeTupleVariant for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.element(value)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl ser::SerializeMap for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.count += 1;
        let begin = self.encoder.len();
        key.serialize(&mut *self.encoder)?;
        self.key = begin..self.encoder.len();
        Ok(())
    }

    #[inline]
    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let result = value.serialize(&mut *self.encoder);
        result.map_err(|error| {
            let key = self.encoder.out.as_slice().get(self.key.clone());
            error.at_name(name_of(key.unwrap_or_default()))
        })
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl ser::SerializeStruct for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}

impl ser::SerializeStructVariant for Compound<'_> {
    type Ok = ();
    type Error = Error;

    #[inline]
    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<()> {
        self.field(name, value)
    }

    #[inline]
    fn end(self) -> Result<()> {
        self.finish()
    }
}
