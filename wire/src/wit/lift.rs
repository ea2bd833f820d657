//! Values: from a guest's memory to MessagePack.

mod encode;
#[cfg(test)]
mod tests;
mod text;

use std::fmt;

use crate::value::Error;
use crate::wit::layout::{Field, Kind, Layout, Name};
use crate::wit::lift::text::StoredText;
use crate::wit::memory::{COPIED_AT_ONCE, ReturnedMemory};

/// The maximum size of the head of a byte string, in bytes.
const MAX_HEAD: usize = 5;

/// The bytes that are written before they are charged.
const CHARGED_AT_ONCE: usize = 16 << 10;

/// The markers of MessagePack.
const NIL: u8 = 0xc0;
const FALSE: u8 = 0xc2;
const F32: u8 = 0xca;
const F64: u8 = 0xcb;
const SOME: [u8; 2] = [0xd4, 1];

/// The end of a function, as MessagePack.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Returned {
    /// The value; nil if the function has none.
    Value(Vec<u8>),
    /// The error of a function that returns a `result`; nil if it has no type.
    Error(Vec<u8>),
}

/// The error of reading a function's value.
#[derive(Debug)]
pub enum LiftError<E> {
    /// The guest returned something that is not a value of the function's type.
    Invalid(InvalidValue),
    /// The value is too large.
    Memory(E),
}

/// The problem of an invalid value: `at words[3]: a discriminant of 7, with 3 cases`.
#[derive(Debug)]
pub struct InvalidValue(Error);

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for InvalidValue {}

impl<E> LiftError<E> {
    pub(super) fn invalid(problem: impl Into<String>) -> Self {
        Self::Invalid(InvalidValue(Error::malformed(problem)))
    }

    #[cold]
    fn at_index(self, index: usize) -> Self {
        match self {
            Self::Invalid(InvalidValue(error)) => {
                Self::Invalid(InvalidValue(error.at_index(index)))
            }
            memory @ Self::Memory(_) => memory,
        }
    }

    #[cold]
    fn at_name(self, name: &str) -> Self {
        match self {
            Self::Invalid(InvalidValue(error)) => Self::Invalid(InvalidValue(error.at_name(name))),
            memory @ Self::Memory(_) => memory,
        }
    }
}

type Outcome<E> = Result<(), LiftError<E>>;

/// Reads values from `memory` and appends their MessagePack to `out`.
pub(super) struct Lifting<'m, M> {
    memory: M,
    /// The whole memory.
    bytes: &'m [u8],
    out: Vec<u8>,
    /// The size of `out` that is charged, which may be more than what is written.
    charged: usize,
}

impl<'m, M: ReturnedMemory<'m>> Lifting<'m, M> {
    pub(super) fn new(memory: M) -> Self {
        Self { bytes: memory.bytes(), memory, out: Vec::new(), charged: 0 }
    }

    /// Charges the rest and returns the MessagePack.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, LiftError<M::Error>> {
        self.charge(0)?;
        Ok(self.out)
    }

    /// Reads the discriminant of a `result` in `bytes`.
    pub(super) fn is_error(&self, bytes: &[u8]) -> Result<bool, LiftError<M::Error>> {
        match bytes.first() {
            Some(0) => Ok(false),
            Some(1) => Ok(true),
            other => Err(discriminant_beyond(other.copied(), 2)),
        }
    }

    /// Appends the value of a result of a function: nil if it has no type.
    pub(super) fn optional(&mut self, of: Option<&Layout>, bytes: &[u8]) -> Outcome<M::Error> {
        match of {
            Some(of) => self.value(of, bytes),
            None => {
                self.out.push(NIL);
                Ok(())
            }
        }
    }

    /// Appends the value of the type `of` in `bytes`, which have its size.
    pub(super) fn value(&mut self, of: &Layout, bytes: &[u8]) -> Outcome<M::Error> {
        match &of.kind {
            Kind::Bool => self.out.push(FALSE + u8::from(bytes.first() != Some(&0))),
            Kind::U8 => self.unsigned(u8::from_le_bytes(scalar(bytes)).into()),
            Kind::U16 => self.unsigned(u16::from_le_bytes(scalar(bytes)).into()),
            Kind::U32 => self.unsigned(u32::from_le_bytes(scalar(bytes)).into()),
            Kind::U64 => self.unsigned(u64::from_le_bytes(scalar(bytes))),
            Kind::S8 => self.signed(i8::from_le_bytes(scalar(bytes)).into()),
            Kind::S16 => self.signed(i16::from_le_bytes(scalar(bytes)).into()),
            Kind::S32 => self.signed(i32::from_le_bytes(scalar(bytes)).into()),
            Kind::S64 => self.signed(i64::from_le_bytes(scalar(bytes))),
            Kind::F32 => self.float(F32, u32::from_le_bytes(scalar(bytes)).to_be_bytes()),
            Kind::F64 => self.float(F64, u64::from_le_bytes(scalar(bytes)).to_be_bytes()),
            Kind::Char => self.char(u32::from_le_bytes(scalar(bytes)))?,
            Kind::String => self.text(bytes)?,
            Kind::List(element) => self.list(element, bytes)?,
            Kind::Option { .. } => self.option(of, bytes, 0)?,
            Kind::Result { payload_at, ok, err } => {
                let (name, of): (&[u8], _) = match self.is_error(bytes)? {
                    false => (b"\xa2Ok", ok.as_deref()),
                    true => (b"\xa3Err", err.as_deref()),
                };
                self.out.push(0x81);
                self.out.extend_from_slice(name);
                let content = of.map(|of| part(bytes, *payload_at, of)).unwrap_or_default();
                self.optional(of, content)?;
            }
            Kind::Tuple(types) => {
                self.list_head(types.len());
                for (index, (at, of)) in types.iter().enumerate() {
                    self.value(of, part(bytes, *at, of)).map_err(|it| it.at_index(index))?;
                }
            }
            Kind::Record(fields) => {
                self.map_head(fields.len());
                for Field { name, at, of } in fields {
                    self.out.extend_from_slice(&name.encoded);
                    self.value(of, part(bytes, *at, of)).map_err(|it| it.at_name(&name.text))?;
                }
            }
            Kind::Variant { discriminant, payload_at, cases } => {
                let index = discriminant_of(bytes, *discriminant);
                let case = cases.get(index as usize);
                let (name, of) = case.ok_or_else(|| discriminant_beyond(index, cases.len()))?;
                match of {
                    None => self.out.extend_from_slice(&name.encoded),
                    Some(of) => {
                        self.out.push(0x81);
                        self.out.extend_from_slice(&name.encoded);
                        let content = part(bytes, *payload_at, of);
                        self.value(of, content).map_err(|it| it.at_name(&name.text))?;
                    }
                }
            }
            Kind::Enum { discriminant, names } => {
                let index = discriminant_of(bytes, *discriminant);
                let name = names.get(index as usize);
                let name = name.ok_or_else(|| discriminant_beyond(index, names.len()))?;
                self.out.extend_from_slice(&name.encoded);
            }
            Kind::Flags(names) => self.flags(names, bytes),
        }
        Ok(())
    }

    /// Appends an option inside of `somes` others.
    fn option(&mut self, of: &Layout, bytes: &[u8], somes: u8) -> Outcome<M::Error> {
        let Kind::Option { payload_at, some } = &of.kind else {
            return self.value(of, bytes);
        };
        match bytes.first() {
            Some(0) if somes == 0 => self.out.push(NIL),
            Some(0) => {
                self.out.extend_from_slice(&SOME);
                self.out.push(somes);
            }
            Some(1) => {
                self.option(some, part(bytes, *payload_at, some), somes.saturating_add(1))?;
            }
            other => return Err(discriminant_beyond(other.copied(), 2)),
        }
        Ok(())
    }

    fn list(&mut self, element: &Layout, bytes: &[u8]) -> Outcome<M::Error> {
        let (at, length) = pair(bytes);
        let size = element.size as usize;
        let total = size.checked_mul(length as usize);
        let content = total.and_then(|total| self.bytes.get(at as usize..)?.get(..total));
        let Some(content) = content.filter(|_| at.is_multiple_of(element.align)) else {
            return Err(LiftError::invalid(format!(
                "a list of {length} elements that is not within the memory"
            )));
        };
        if matches!(element.kind, Kind::U8) {
            self.charge(content.len())?;
            // An exact size copies a large value once; for many lists in a list, each would be a new copy of all.
            match content.len() >= self.out.len() {
                true => self.memory.reserve_exact(&mut self.out, content.len() + MAX_HEAD),
                false => self.out.reserve(content.len() + MAX_HEAD),
            }
            self.bytes_head(length);
            for part in content.chunks(COPIED_AT_ONCE) {
                self.out.extend_from_slice(part);
            }
            return Ok(());
        }
        // Each element has at least one byte.
        self.charge(length as usize)?;
        self.out.reserve(length as usize);
        self.list_head(length as usize);
        for index in 0..length as usize {
            if self.out.len().saturating_sub(self.charged) > CHARGED_AT_ONCE {
                self.charge(0)?;
            }
            let bytes = content.get(index * size..(index + 1) * size).unwrap_or_default();
            self.value(element, bytes).map_err(|it| it.at_index(index))?;
        }
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Outcome<M::Error> {
        let (at, length) = pair(bytes);
        let invalid = || {
            LiftError::invalid(format!(
                "a string of length {length} that is not valid text, or not within the memory"
            ))
        };
        let stored = StoredText::at(self.bytes, self.memory.encoding(), at, length);
        let stored = stored.ok_or_else(invalid)?;
        self.charge(stored.min_size())?;
        let text = stored.decode().ok_or_else(invalid)?;
        self.charge(text.len())?;
        let (bytes, out) = (text.as_bytes(), &mut self.out);
        match bytes.len() {
            length @ 0..0x20 => out.push(0xa0 | length as u8),
            length @ 0x20..0x100 => out.extend_from_slice(&[0xd9, length as u8]),
            length @ 0x100..0x1_0000 => {
                out.push(0xda);
                out.extend_from_slice(&(length as u16).to_be_bytes());
            }
            length => {
                out.push(0xdb);
                out.extend_from_slice(&(length as u32).to_be_bytes());
            }
        }
        out.extend_from_slice(bytes);
        Ok(())
    }

    fn char(&mut self, scalar: u32) -> Outcome<M::Error> {
        let letter = char::from_u32(scalar)
            .ok_or_else(|| LiftError::invalid(format!("{scalar:#x}, which is not a character")))?;
        let mut buffer = [0; 4];
        let text = letter.encode_utf8(&mut buffer);
        self.out.push(0xa0 | text.len() as u8);
        self.out.extend_from_slice(text.as_bytes());
        Ok(())
    }

    fn flags(&mut self, names: &[Name], bytes: &[u8]) {
        let is_set =
            |index: usize| bytes.get(index / 8).is_some_and(|byte| byte & (1 << (index % 8)) != 0);
        let set = || names.iter().enumerate().filter(|(index, _)| is_set(*index));
        self.list_head(set().count());
        for (_, name) in set() {
            self.out.extend_from_slice(&name.encoded);
        }
    }

    /// Charges what is written and `more` that will be, unless it is charged.
    fn charge(&mut self, more: usize) -> Outcome<M::Error> {
        let size = self.out.len() + more;
        if let Some(uncharged) = size.checked_sub(self.charged) {
            self.memory.charge(uncharged).map_err(LiftError::Memory)?;
            self.charged = size;
        }
        Ok(())
    }
}

/// Returns the first bytes, which the layout guarantees to exist.
#[inline(always)]
fn scalar<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.first_chunk().copied().unwrap_or([0; N])
}

/// Reads a pointer and a length.
#[inline(always)]
fn pair(bytes: &[u8]) -> (u32, u32) {
    let length = bytes.get(4..).unwrap_or_default();
    (u32::from_le_bytes(scalar(bytes)), u32::from_le_bytes(scalar(length)))
}

/// Returns the bytes of a value of the type `of` at `at` in `bytes`.
#[inline(always)]
fn part<'b>(bytes: &'b [u8], at: u32, of: &Layout) -> &'b [u8] {
    bytes.get(at as usize..).and_then(|rest| rest.get(..of.size as usize)).unwrap_or_default()
}

fn discriminant_of(bytes: &[u8], size: u32) -> u32 {
    match size {
        1 => u8::from_le_bytes(scalar(bytes)).into(),
        2 => u16::from_le_bytes(scalar(bytes)).into(),
        _ => u32::from_le_bytes(scalar(bytes)),
    }
}

#[cold]
fn discriminant_beyond<E>(index: impl Into<Discriminant>, cases: usize) -> LiftError<E> {
    let Discriminant(index) = index.into();
    LiftError::invalid(format!("a discriminant of {index}, with {cases} cases"))
}

struct Discriminant(u32);

impl From<u32> for Discriminant {
    fn from(index: u32) -> Self {
        Self(index)
    }
}

impl From<Option<u8>> for Discriminant {
    fn from(index: Option<u8>) -> Self {
        Self(index.unwrap_or_default().into())
    }
}
