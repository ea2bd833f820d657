//! The decoder: the remaining input, and limits on depth and claimed lengths.

use serde::Deserialize;
use serde::de::{self, Unexpected, Visitor};

use super::access::{Elements, Entries};
use super::attempts::Attempts;
use super::error::{Error, Result};
use super::head::{Head, Int, Wide};
use super::lenience::{Lenience, TakenAs, is_json_number, parse_non_json_float};
use crate::error::{Fault, WireError};
use crate::shape::{MAX_DEPTH, TOO_DEEP, split_value};
use crate::spelling::is_spelling;

/// Decodes the first value in `bytes`. Returns the value and the rest.
pub(crate) fn decode_first<'de, T: Deserialize<'de>>(
    bytes: &'de [u8],
) -> std::result::Result<(T, &'de [u8]), WireError> {
    let mut attempts = Attempts::of(bytes)?;
    loop {
        let mut decoder = attempts.decoder();
        match T::deserialize(&mut decoder) {
            Ok(value) => return Ok((value, attempts.rest(&decoder)?)),
            Err(error) => attempts.record_failure(error, &decoder)?,
        }
    }
}

/// A decoder of values.
///
/// Types allocate memory for the claimed length of a list. So the open lists together may not claim
/// more elements than there are bytes.
pub(crate) struct Decoder<'de> {
    rest: &'de [u8],
    /// The number of elements claimed by the open lists and maps.
    claimed: u64,
    /// The maximum of `claimed`.
    max_claimed: u64,
    /// The number of levels that can still be opened.
    levels: usize,
    /// The remaining length of the input at the last key.
    key_at: usize,
    /// The remaining length of the input at the last `Some` around nil, and the number of `Some` read there.
    some_at: (usize, u8),
    pub(super) lenience: Lenience<'de>,
    /// Whether names of fields and variants are names of WIT, which Rust may spell differently.
    has_wit_names: bool,
}

impl<'de> Decoder<'de> {
    pub(crate) fn new(bytes: &'de [u8]) -> Self {
        Self {
            rest: bytes,
            claimed: 0,
            // Each open list is itself an element of another list.
            max_claimed: (bytes.len() + MAX_DEPTH) as u64,
            levels: MAX_DEPTH,
            key_at: usize::MAX,
            some_at: (usize::MAX, 0),
            lenience: Lenience::default(),
            has_wit_names: false,
        }
    }

    /// Creates a decoder of a value of a WIT function.
    pub(crate) fn of_wit(bytes: &'de [u8]) -> Self {
        Self { has_wit_names: true, ..Self::new(bytes) }
    }

    /// Creates a decoder of other bytes, for a value inside this decoder's value.
    #[cold]
    pub(super) fn inner(&self, bytes: &'de [u8]) -> Self {
        Self { levels: self.levels, ..Self::new(bytes) }
    }

    /// Reads a name of WIT. Returns the one of `names` that spells it, or `None`, reading nothing, if there is
    /// none.
    #[inline]
    pub(super) fn take_spelled(&mut self, names: &[&'static str]) -> Option<&'static str> {
        if self.has_wit_names { self.find_spelled(names) } else { None }
    }

    #[cold]
    fn find_spelled(&mut self, names: &[&'static str]) -> Option<&'static str> {
        let before = self.rest;
        let name = self.take_text().ok().flatten()?;
        let exact = names.iter().find(|spelled| **spelled == name);
        let found = exact.or_else(|| names.iter().find(|spelled| is_spelling(name, spelled)));
        if found.is_none() {
            self.rest = before;
        }
        found.copied()
    }

    #[inline]
    pub(crate) fn rest(&self) -> &'de [u8] {
        self.rest
    }

    #[inline]
    pub(crate) fn advance_to(&mut self, rest: &'de [u8]) {
        self.rest = rest;
    }

    /// Marks the next value as a key.
    #[inline]
    pub(super) fn mark_key(&mut self) {
        self.key_at = self.rest.len();
    }

    /// Returns whether the next value is a key.
    #[inline]
    pub(super) fn is_key(&self) -> bool {
        self.key_at == self.rest.len()
    }

    /// Counts one more `Some` at the current position. Returns how many were counted before.
    pub(super) fn count_some(&mut self) -> u8 {
        let here = self.rest.len();
        let before = if self.some_at.0 == here { self.some_at.1 } else { 0 };
        self.some_at = (here, before.saturating_add(1));
        before
    }

    /// Skips the next value.
    pub(super) fn skip(&mut self) -> Result<()> {
        let (_, rest) = split_value(self.rest)?;
        self.rest = rest;
        Ok(())
    }

    #[inline]
    fn enter(&mut self, claimed: u64) -> Result<()> {
        self.levels = self.levels.checked_sub(1).ok_or_else(too_deep)?;
        self.claimed += claimed;
        if self.claimed > self.max_claimed { Err(claims_too_much()) } else { Ok(()) }
    }

    #[inline]
    fn leave(&mut self, claimed: u64) {
        self.levels += 1;
        self.claimed -= claimed;
    }

    /// Reads a list of `length` elements, whose head has been read.
    #[inline]
    pub(super) fn list<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value> {
        let claimed = length as u64;
        self.enter(claimed)?;
        let mut elements = Elements::new(self, length);
        let value = visitor.visit_seq(&mut elements)?;
        check_all_read(length, elements.left())?;
        self.leave(claimed);
        Ok(value)
    }

    /// Reads a map of `length` entries, whose head has been read.
    #[inline]
    pub(super) fn map<V: Visitor<'de>>(&mut self, length: usize, visitor: V) -> Result<V::Value> {
        self.entries(length, false, &[], visitor)
    }

    /// Reads a map of `length` entries with the names of fields, whose head has been read.
    #[inline]
    pub(super) fn fields<V: Visitor<'de>>(
        &mut self,
        length: usize,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        self.entries(length, false, names, visitor)
    }

    /// Reads a list of `length` pairs as a map.
    pub(super) fn map_of_pairs<V: Visitor<'de>>(
        &mut self,
        length: usize,
        visitor: V,
    ) -> Result<V::Value> {
        if self.lenience.is_text_argument {
            // The pairs only represent the map's entries, so they don't count as a level.
            return self.entries(length, true, &[], visitor);
        }
        // The pairs count as a level.
        self.enter(0)?;
        let value = self.entries(length, true, &[], visitor)?;
        self.leave(0);
        Ok(value)
    }

    #[inline]
    fn entries<V: Visitor<'de>>(
        &mut self,
        length: usize,
        are_pairs: bool,
        names: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        let claimed = 2 * length as u64;
        self.enter(claimed)?;
        let mut entries = Entries::new(self, length, are_pairs, names);
        let value = visitor.visit_map(&mut entries)?;
        check_all_read(length, entries.left())?;
        self.leave(claimed);
        Ok(value)
    }

    /// Reads the one entry of a map by `read`.
    pub(super) fn entry<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        self.enter(2)?;
        let value = read(self)?;
        self.leave(2);
        Ok(value)
    }

    /// Reads the head of a pair: a list of a key and a value.
    pub(super) fn pair_head(&mut self) -> Result<()> {
        match self.head()? {
            Head::List(2) => Ok(()),
            head => Err(de::Error::invalid_type(head.unexpected(), &"a list of a key and a value")),
        }
    }

    /// Reads a number. A key may also be the text of a number, as in JSON.
    #[inline(never)]
    pub(super) fn number<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        match self.take_int() {
            Some(number) => number.visit(visitor),
            None => self.other_number(visitor),
        }
    }

    /// Reads a float: in a text argument also `NaN`, `inf`, `-inf` and 128-bit numbers.
    pub(super) fn float<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value> {
        if !self.lenience.is_text_argument {
            return self.number(visitor);
        }
        self.take_text_argument(TakenAs::Float);
        let before = self.rest;
        match self.head()? {
            Head::Text(text) if let Some(number) = parse_non_json_float(text) => {
                visitor.visit_f64(number)
            }
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
            Head::Text(text) if is_key && let Some(number) = parse_non_json_float(text) => {
                visitor.visit_f64(number)
            }
            Head::Text(text) if is_key && is_json_number(text) => visit_parsed(text, visitor),
            head => Err(de::Error::invalid_type(head.unexpected(), &visitor)),
        }
    }

    /// Reads a number of up to 128 bits. A key may also be the text of a number.
    pub(super) fn wide(&mut self, expected: &dyn de::Expected) -> Result<Wide> {
        let is_key = self.is_key();
        match self.head()? {
            Head::Wide(number) => Ok(number),
            Head::Int(Int::Unsigned(number)) => Ok(Wide::Unsigned(number.into())),
            Head::Int(Int::Negative(number)) => Ok(Wide::Signed(number.into())),
            Head::Text(text) if is_key && is_json_number(text) => {
                let number = text.parse().map(Wide::Unsigned);
                let number = number.or_else(|_| text.parse().map(Wide::Signed));
                number.map_err(|_| de::Error::invalid_type(Unexpected::Str(text), expected))
            }
            head => Err(de::Error::invalid_type(head.unexpected(), expected)),
        }
    }

    /// Reads a boolean. A key may also be the text of a boolean, as in JSON.
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

/// Passes a 128-bit number to a visitor in the smallest type that holds it.
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

fn visit_parsed<'de, V: Visitor<'de>>(text: &str, visitor: V) -> Result<V::Value> {
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
pub(super) fn check_all_read(length: usize, left: usize) -> Result<()> {
    if left == 0 { Ok(()) } else { Err(not_all_read(length, left)) }
}

#[cold]
fn not_all_read(length: usize, left: usize) -> Error {
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
