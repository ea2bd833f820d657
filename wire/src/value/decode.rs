//! Bytes to a value: what there is to read, and what of it is open.

use serde::Deserialize;
use serde::de::{self, Unexpected, Visitor};

use super::access::{Elements, Entries};
use super::error::{Error, Result};
use super::head::{Head, Int, Wide};
use super::lenience::{Lenience, TakenAs, is_number, not_in_json};
use super::reading::Readings;
use crate::error::{Fault, WireError};
use crate::shape::{MAX_DEPTH, TOO_DEEP, split_value};

/// The first value in `bytes`, and what follows it.
pub(crate) fn decode_first<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
) -> std::result::Result<(T, &'de [u8]), WireError> {
    let mut readings = Readings::of(bytes)?;
    loop {
        let mut decoder = readings.decoder();
        match T::deserialize(&mut decoder) {
            Ok(value) => return Ok((value, readings.rest(&decoder)?)),
            Err(error) => readings.failed(error, &decoder)?,
        }
    }
}

/// What is still to be read.
///
/// A reader makes room for as many elements as a list says it has. So the lists that are open may not
/// claim more elements together than there are bytes.
pub(super) struct Decoder<'de> {
    rest: &'de [u8],
    /// How many elements the lists and maps that are open claimed, and how many they may.
    claimed: u64,
    most: u64,
    /// How many levels may still be opened.
    levels: usize,
    /// How much was left where the last key began.
    key_at: usize,
    /// How much was left where the last `Some` around nil began, and how many of those were taken.
    some_at: (usize, u8),
    pub(super) lenience: Lenience<'de>,
}

impl<'de> Decoder<'de> {
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            claimed: 0,
            // Each list that is open is itself an element of another.
            most: (bytes.len() + MAX_DEPTH) as u64,
            levels: MAX_DEPTH,
            key_at: usize::MAX,
            some_at: (usize::MAX, 0),
            lenience: Lenience::default(),
        }
    }

    #[inline]
    pub(super) fn rest(&self) -> &'de [u8] {
        self.rest
    }

    #[inline]
    pub(super) fn advance_to(&mut self, rest: &'de [u8]) {
        self.rest = rest;
    }

    /// Says that a key comes next.
    #[inline]
    pub(super) fn is_at_key(&mut self) {
        self.key_at = self.rest.len();
    }

    /// Whether a key comes next.
    #[inline]
    pub(super) fn is_key(&self) -> bool {
        self.key_at == self.rest.len()
    }

    /// Takes one of the `Some` that begin here; says how many were taken before.
    pub(super) fn take_some(&mut self) -> u8 {
        let here = self.rest.len();
        let before = if self.some_at.0 == here { self.some_at.1 } else { 0 };
        self.some_at = (here, before.saturating_add(1));
        before
    }

    /// Passes the next value, whatever it is.
    pub(super) fn skip(&mut self) -> Result<()> {
        let (_, rest) = split_value(self.rest)?;
        self.rest = rest;
        Ok(())
    }

    #[inline]
    fn enter(&mut self, claimed: u64) -> Result<()> {
        self.levels = self.levels.checked_sub(1).ok_or_else(too_deep)?;
        self.claimed += claimed;
        if self.claimed > self.most { Err(claims_too_much()) } else { Ok(()) }
    }

    #[inline]
    fn leave(&mut self, claimed: u64) {
        self.levels += 1;
        self.claimed -= claimed;
    }

    /// The list of `length` elements that begins here.
    #[inline]
    pub(super) fn list<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value> {
        let claimed = length as u64;
        self.enter(claimed)?;
        let mut elements = Elements::new(self, length);
        let value = visitor.visit_seq(&mut elements)?;
        all_taken(length, elements.left())?;
        self.leave(claimed);
        Ok(value)
    }

    /// The map of `length` entries that begins here.
    #[inline]
    pub(super) fn map<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value> {
        self.entries(length, false, visitor)
    }

    /// The map whose entries are the `length` elements of the list that begins here.
    pub(super) fn map_of_pairs<V: Visitor<'de>>(
        &mut self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        if self.lenience.is_text_argument {
            // The map was printed so, and is no deeper than it was.
            return self.entries(length, true, visitor);
        }
        // The pairs nest, too.
        self.enter(0)?;
        let value = self.entries(length, true, visitor)?;
        self.leave(0);
        Ok(value)
    }

    #[inline]
    fn entries<V: Visitor<'de>>(
        &mut self,
        length: usize,
        are_pairs: bool,
        visitor: V,
    ) -> Result<V::Value> {
        let claimed = 2 * length as u64;
        self.enter(claimed)?;
        let mut entries = Entries::new(self, length, are_pairs);
        let value = visitor.visit_map(&mut entries)?;
        all_taken(length, entries.left())?;
        self.leave(claimed);
        Ok(value)
    }

    /// The map with one entry that begins here, as `read` takes it.
    pub(super) fn entry<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter(2)?;
        let value = read(self)?;
        self.leave(2);
        Ok(value)
    }

    /// Reads the head of a list that holds a key and its value.
    pub(super) fn pair_head(&mut self) -> Result<()> {
        match self.head()? {
            Head::List(2) => Ok(()),
            head => Err(de::Error::invalid_type(head.unexpected(), &"a list of a key and a value")),
        }
    }

    /// A number, or the text of one where it is a key, as JSON has it.
    #[inline(never)]
    pub(super) fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.take_int() {
            Some(number) => number.visit(visitor),
            None => self.other_number(visitor),
        }
    }

    /// The same, of the numbers that only floats can be, too.
    pub(super) fn float<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        if !self.lenience.is_text_argument {
            return self.number(visitor);
        }
        self.take_text_argument(TakenAs::Float);
        let before = self.rest;
        match self.head()? {
            Head::Text(text) if let Some(number) = not_in_json(text) => visitor.visit_f64(number),
            Head::Wide(Wide::Unsigned(number)) => visitor.visit_f64(number as f64),
            Head::Wide(Wide::Signed(number)) => visitor.visit_f64(number as f64),
            _ => {
                self.rest = before;
                self.number(visitor)
            }
        }
    }

    fn other_number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        let is_key = self.is_key();
        match self.head()? {
            Head::F32(number) => visitor.visit_f32(number),
            Head::F64(number) => visitor.visit_f64(number),
            Head::Wide(number) => visit_wide(number, visitor),
            Head::Text(text) if is_key && let Some(number) = not_in_json(text) => {
                visitor.visit_f64(number)
            }
            Head::Text(text) if is_key && is_number(text) => visit_number_in(text, visitor),
            head => Err(de::Error::invalid_type(head.unexpected(), &visitor)),
        }
    }

    /// A number of up to 128 bits, or the text of one where it is a key.
    pub(super) fn wide(&mut self, expected: &dyn de::Expected) -> Result<Wide> {
        let is_key = self.is_key();
        match self.head()? {
            Head::Wide(number) => Ok(number),
            Head::Int(Int::Unsigned(number)) => Ok(Wide::Unsigned(number.into())),
            Head::Int(Int::Negative(number)) => Ok(Wide::Signed(number.into())),
            Head::Text(text) if is_key && is_number(text) => {
                let number = text.parse().map(Wide::Unsigned);
                let number = number.or_else(|_| text.parse().map(Wide::Signed));
                number.map_err(|_| de::Error::invalid_type(Unexpected::Str(text), expected))
            }
            head => Err(de::Error::invalid_type(head.unexpected(), expected)),
        }
    }

    /// A boolean, or the text of one where it is a key, as JSON has it.
    pub(super) fn boolean(&mut self, expected: &dyn de::Expected) -> Result<bool> {
        let is_key = self.is_key();
        match self.head()? {
            Head::Bool(value) => Ok(value),
            Head::Text("true") if is_key => Ok(true),
            Head::Text("false") if is_key => Ok(false),
            head => Err(de::Error::invalid_type(head.unexpected(), expected)),
        }
    }
}

/// A number of 128 bits for who asked for fewer.
fn visit_wide<'de, V: Visitor<'de>>(number: Wide, visitor: V) -> Result<V::Value> {
    let (small, large) = match number {
        Wide::Unsigned(number) => (u64::try_from(number).ok(), i64::try_from(number).ok()),
        Wide::Signed(number) => (u64::try_from(number).ok(), i64::try_from(number).ok()),
    };
    match (small, large, number) {
        (Some(number), ..) => visitor.visit_u64(number),
        (_, Some(number), _) => visitor.visit_i64(number),
        (.., Wide::Unsigned(number)) => visitor.visit_u128(number),
        (.., Wide::Signed(number)) => visitor.visit_i128(number),
    }
}

fn visit_number_in<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value> {
    if let Ok(number) = text.parse() {
        visitor.visit_u64(number)
    } else if let Ok(number) = text.parse() {
        visitor.visit_i64(number)
    } else if let Ok(number) = text.parse() {
        visitor.visit_u128(number)
    } else if let Ok(number) = text.parse() {
        visitor.visit_i128(number)
    } else if let Ok(number) = text.parse() {
        visitor.visit_f64(number)
    } else {
        Err(de::Error::invalid_type(Unexpected::Str(text), &visitor))
    }
}

#[inline]
pub(super) fn all_taken(length: usize, left: usize) -> Result<()> {
    if left == 0 { Ok(()) } else { Err(not_all_taken(length, left)) }
}

#[cold]
fn not_all_taken(length: usize, left: usize) -> Error {
    de::Error::invalid_length(length, &format!("{} elements", length - left).as_str())
}

#[cold]
fn too_deep() -> Error {
    Error::new(Fault::Depth, TOO_DEEP)
}

#[cold]
fn claims_too_much() -> Error {
    Error::malformed("the bytes end too early")
}
