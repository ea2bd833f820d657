//! The serializer of tuples. Lists can have many of them, so it does the minimum of work.

use serde::Serialize;
use serde::ser;

use super::encode::Encoder;
use super::error::{Error, Result};

pub(super) struct Tuple<'a> {
    encoder: &'a mut Encoder,
    announced: usize,
    count: usize,
    /// The offset of the head in the output.
    start: usize,
    /// The number of levels left before this one was opened.
    levels: usize,
}

impl<'a> Tuple<'a> {
    #[inline]
    pub(super) fn new(encoder: &'a mut Encoder, length: usize) -> Result<Self> {
        let levels = encoder.levels();
        encoder.enter(1)?;
        let start = encoder.len();
        let tuple = Self { encoder, announced: length, count: 0, start, levels };
        tuple.encoder.array_head(length)?;
        Ok(tuple)
    }

    #[inline]
    fn element<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        let index = self.count;
        self.count += 1;
        value.serialize(&mut *self.encoder).map_err(|error| error.at_index(index))
    }

    #[inline]
    fn finish(self) -> Result<()> {
        if self.count != self.announced {
            let end = self.encoder.len();
            self.encoder.array_head(self.count)?;
            self.encoder.replace_head(self.start, end);
        }
        self.encoder.leave_to(self.levels);
        Ok(())
    }
}

impl ser::SerializeTuple for Tuple<'_> {
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

impl ser::SerializeTupleStruct for Tuple<'_> {
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
