//! Arguments: from MessagePack into a guest's memory.

mod cases;
mod list;
mod record;
mod typed;

use crate::error::{Fault, WireError};
use crate::shorten::shorten;
use crate::spelling::find;
use crate::text_argument::EncodedTextArgument;
use crate::value::{Decoder, Error, Head, Int, Wide, parse_non_json_float};
use crate::value_type::WitType;
use crate::wit::layout::{Kind, Layout};
use crate::wit::lower::typed::chosen;
use crate::wit::memory::GuestMemory;
use crate::wit::render::render;

/// The maximum length of a type in a message, in bytes.
const MAX_TYPE: usize = 200;

/// The error of passing arguments to a guest.
#[derive(Debug)]
pub enum LowerError<E> {
    /// The arguments don't fit the function's parameters.
    Mismatch(WireError),
    /// The guest's memory can't hold them.
    Memory(E),
}

/// The error inside an argument.
pub(super) enum Problem<E> {
    Value(Error),
    Memory(E),
}

impl<E> From<Error> for Problem<E> {
    fn from(error: Error) -> Self {
        Self::Value(error)
    }
}

impl<E> Problem<E> {
    #[cold]
    fn at_index(self, index: usize) -> Self {
        match self {
            Self::Value(error) => Self::Value(error.at_index(index)),
            memory @ Self::Memory(_) => memory,
        }
    }

    #[cold]
    fn at_name(self, name: &str) -> Self {
        match self {
            Self::Value(error) => Self::Value(error.at_name(name)),
            memory @ Self::Memory(_) => memory,
        }
    }

    /// Returns the error of the argument `number`, counted from 1.
    pub(super) fn of_argument(self, number: usize, name: &str) -> LowerError<E> {
        match self {
            Self::Value(error) => {
                let fault = error.fault();
                let message = format!("argument {number} ({name}): {error}");
                LowerError::Mismatch(WireError::new(message).with_fault(fault))
            }
            Self::Memory(error) => LowerError::Memory(error),
        }
    }
}

type Outcome<M> = Result<(), Problem<<M as GuestMemory>::Error>>;

/// Writes values from `decoder` to `memory`.
pub(super) struct Lowering<'a, 'de, M> {
    decoder: Decoder<'de>,
    memory: &'a mut M,
    /// Whether the input is JSON that a user typed, where some numbers are texts.
    is_typed: bool,
}

impl<'a, 'de, M: GuestMemory> Lowering<'a, 'de, M> {
    pub(super) fn new(bytes: &'de [u8], memory: &'a mut M) -> Self {
        Self { decoder: Decoder::new(bytes), memory, is_typed: false }
    }

    /// Returns the input that isn't read yet.
    pub(super) fn rest(&self) -> &'de [u8] {
        self.decoder.rest()
    }

    /// Writes a whole argument, which may be a text that a user typed. `out` is zero.
    pub(super) fn argument(&mut self, of: &Layout, out: &mut [u8]) -> Outcome<M> {
        // The markers of extensions.
        if !matches!(self.rest().first(), Some(0xc7..=0xc9 | 0xd4..=0xd8)) {
            return self.value(of, out);
        }
        match EncodedTextArgument::split(self.rest()).map_err(Error::from)? {
            None => self.value(of, out),
            Some((typed, rest)) => {
                let decoder = Decoder::new(chosen(of, &typed)?);
                Lowering { decoder, memory: &mut *self.memory, is_typed: true }.value(of, out)?;
                self.decoder.advance_to(rest);
                Ok(())
            }
        }
    }

    fn value(&mut self, of: &Layout, out: &mut [u8]) -> Outcome<M> {
        let before = self.rest();
        match &of.kind {
            Kind::Bool => match self.decoder.head()? {
                Head::Bool(value) => put(out, &[value.into()]),
                _ => return mismatch(of, before),
            },
            Kind::U8 => put(out, &[self.unsigned(of, u8::MAX.into())? as u8]),
            Kind::U16 => put(out, &(self.unsigned(of, u16::MAX.into())? as u16).to_le_bytes()),
            Kind::U32 => put(out, &(self.unsigned(of, u32::MAX.into())? as u32).to_le_bytes()),
            Kind::U64 => put(out, &self.unsigned(of, u64::MAX)?.to_le_bytes()),
            Kind::S8 => {
                put(out, &(self.signed(of, i8::MIN.into(), i8::MAX.into())? as i8).to_le_bytes())
            }
            Kind::S16 => {
                put(out, &(self.signed(of, i16::MIN.into(), i16::MAX.into())? as i16).to_le_bytes())
            }
            Kind::S32 => {
                put(out, &(self.signed(of, i32::MIN.into(), i32::MAX.into())? as i32).to_le_bytes())
            }
            Kind::S64 => put(out, &self.signed(of, i64::MIN, i64::MAX)?.to_le_bytes()),
            Kind::F32 => put(out, &self.f32(of)?.to_le_bytes()),
            Kind::F64 => put(out, &self.f64(of)?.to_le_bytes()),
            Kind::Char => match self.decoder.take_text()?.map(single_char) {
                Some(Some(letter)) => put(out, &u32::from(letter).to_le_bytes()),
                _ => return mismatch(of, before),
            },
            Kind::String => match self.decoder.take_text()? {
                Some(text) => {
                    let (at, length) = self.memory.write_text(text).map_err(Problem::Memory)?;
                    put_pair(out, at, length);
                }
                None => return mismatch(of, before),
            },
            Kind::List(element) => self.list(of, element, out)?,
            Kind::Option { payload_at, some } => self.option(*payload_at, some, out)?,
            Kind::Result { payload_at, ok, err } => {
                self.result(of, *payload_at, ok.as_deref(), err.as_deref(), out)?;
            }
            Kind::Tuple(types) => match self.decoder.take_list()? {
                Some(length) if length == types.len() => {
                    for (index, (at, of)) in types.iter().enumerate() {
                        self.value(of, part(out, *at, of)).map_err(|it| it.at_index(index))?;
                    }
                }
                _ => return mismatch(of, before),
            },
            Kind::Record(fields) => self.record(of, fields, out)?,
            Kind::Variant { discriminant, payload_at, cases } => {
                self.variant(of, *discriminant, *payload_at, cases, out)?;
            }
            Kind::Enum { discriminant, names } => {
                let (name, has_content) = self.case_name(of)?;
                let Some(index) = find(names.iter().map(|name| &*name.text), name) else {
                    return mismatch(of, before);
                };
                put_discriminant(out, *discriminant, index);
                if has_content {
                    self.nothing(of).map_err(|it| it.at_name(name))?;
                }
            }
            Kind::Flags(names) => self.flags(of, names, out)?,
        }
        Ok(())
    }

    #[inline]
    fn unsigned(&mut self, of: &Layout, max: u64) -> Result<u64, Problem<M::Error>> {
        let before = self.rest();
        match self.decoder.take_int() {
            Some(Int::Unsigned(number)) if number <= max => Ok(number),
            _ => mismatch(of, before),
        }
    }

    #[inline]
    fn signed(&mut self, of: &Layout, min: i64, max: i64) -> Result<i64, Problem<M::Error>> {
        let before = self.rest();
        match self.decoder.take_int() {
            Some(Int::Unsigned(number)) if number <= max as u64 => Ok(number as i64),
            Some(Int::Negative(number)) if number >= min => Ok(number),
            _ => mismatch(of, before),
        }
    }

    #[inline]
    fn f64(&mut self, of: &Layout) -> Result<f64, Problem<M::Error>> {
        match self.decoder.take_marked(0xcb, f64::from_be_bytes) {
            Some(number) => Ok(number),
            None => self.other_float(of),
        }
    }

    #[inline]
    fn f32(&mut self, of: &Layout) -> Result<f32, Problem<M::Error>> {
        if let Some(number) = self.decoder.take_marked(0xca, f32::from_be_bytes) {
            return Ok(number);
        }
        let before = self.rest();
        let number = self.other_float(of)?;
        let narrow = number as f32;
        if number.is_finite() && narrow.is_infinite() { mismatch(of, before) } else { Ok(narrow) }
    }

    fn other_float(&mut self, of: &Layout) -> Result<f64, Problem<M::Error>> {
        let before = self.rest();
        Ok(match self.decoder.head()? {
            Head::F32(number) => number.into(),
            Head::F64(number) => number,
            Head::Int(Int::Unsigned(number)) => number as f64,
            Head::Int(Int::Negative(number)) => number as f64,
            Head::Wide(Wide::Unsigned(number)) => number as f64,
            Head::Wide(Wide::Signed(number)) => number as f64,
            Head::Text(text)
                if self.is_typed
                    && let Some(number) = parse_non_json_float(text) =>
            {
                number
            }
            _ => return mismatch(of, before),
        })
    }
}

fn single_char(text: &str) -> Option<char> {
    let mut chars = text.chars();
    chars.next().filter(|_| chars.next().is_none())
}

/// Writes `bytes` to the start of `out`.
#[inline(always)]
fn put(out: &mut [u8], bytes: &[u8]) {
    if let Some(target) = out.get_mut(..bytes.len()) {
        target.copy_from_slice(bytes);
    }
}

#[inline(always)]
fn put_pair(out: &mut [u8], at: u32, length: u32) {
    put(out, &at.to_le_bytes());
    put(out.get_mut(4..).unwrap_or_default(), &length.to_le_bytes());
}

fn put_discriminant(out: &mut [u8], size: u32, index: usize) {
    // The number of cases determines the size.
    let bytes = (index as u32).to_le_bytes();
    put(out, bytes.get(..size as usize).unwrap_or_default());
}

/// Returns the bytes of a value of the type `of` at `at` in `out`.
#[inline(always)]
fn part<'o>(out: &'o mut [u8], at: u32, of: &Layout) -> &'o mut [u8] {
    let rest = out.get_mut(at as usize..).unwrap_or_default();
    rest.get_mut(..of.size as usize).unwrap_or_default()
}

#[cold]
fn mismatch<T, E>(of: &Layout, found: &[u8]) -> Result<T, Problem<E>> {
    Err(found_in(of, &render(found)))
}

#[cold]
fn found_in<E>(of: &Layout, found: &str) -> Problem<E> {
    let message = format!("expected {}, found {found}", expected(of));
    Error::new(Fault::Type, message).into()
}

fn expected(of: &Layout) -> String {
    shorten(WitType::from(of).to_string(), MAX_TYPE)
}
