//! Random WIT types, and random values of them.

use hype_wire::wit::Signature;
use hype_wire::{Bytes, WitType, codec};

/// The maximum number of levels of a random type.
const LEVELS: usize = 4;

/// The maximum number of nodes of a random value.
const NODES: usize = 200;

/// Choices that input bytes make; zeros behind their end.
#[derive(Debug)]
pub(crate) struct Choices<'a> {
    /// The input that made no choice yet.
    pub(crate) bytes: &'a [u8],
    /// The nodes that a value may still have.
    nodes: usize,
}

impl<'a> Choices<'a> {
    /// Creates choices by `bytes`.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, nodes: NODES }
    }

    fn byte(&mut self) -> u8 {
        match self.bytes {
            [first, rest @ ..] => {
                self.bytes = rest;
                *first
            }
            [] => 0,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::from(self.byte()) % bound
    }

    /// A number: small, extreme or any.
    fn number(&mut self) -> u64 {
        match self.below(4) {
            0 => u64::from(self.byte()),
            1 => u64::MAX >> self.below(64),
            2 => 1 << self.below(64),
            _ => (0..8).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// Returns a random type.
    pub(crate) fn of(&mut self) -> WitType {
        self.of_levels(LEVELS)
    }

    fn of_levels(&mut self, levels: usize) -> WitType {
        let kinds = if levels == 0 { 15 } else { 22 };
        let count = 1 + self.below(5);
        let names = |prefix: &str| (0..count).map(|index| format!("{prefix}-n{index}")).collect();
        match self.below(kinds) {
            0 => WitType::Bool,
            1 => WitType::S8,
            2 => WitType::S16,
            3 => WitType::S32,
            4 => WitType::S64,
            5 => WitType::U8,
            6 => WitType::U16,
            7 => WitType::U32,
            8 => WitType::U64,
            9 => WitType::F32,
            10 => WitType::F64,
            11 => WitType::Char,
            12 => WitType::String,
            13 => WitType::Enum(names("case")),
            14 => WitType::Flags((0..count * 6).map(|index| format!("flag-n{index}")).collect()),
            15 => WitType::List(Box::new(self.of_levels(levels - 1))),
            16 | 17 => WitType::Option(Box::new(self.of_levels(levels - 1))),
            18 => {
                let mut side = || (self.below(3) > 0).then(|| Box::new(self.of_levels(levels - 1)));
                WitType::Result { ok: side(), err: side() }
            }
            19 => WitType::Tuple((0..count).map(|_| self.of_levels(levels - 1)).collect()),
            20 => {
                let field = |index| (format!("field-n{index}"), self.of_levels(levels - 1));
                WitType::Record((0..count).map(field).collect())
            }
            _ => {
                let case = |index| {
                    let of = (self.below(3) > 0).then(|| self.of_levels(levels - 1));
                    (format!("case-n{index}"), of)
                };
                WitType::Variant((0..count).map(case).collect())
            }
        }
    }

    /// Appends a random value of the type `of`, as hype writes it.
    pub(crate) fn value(&mut self, of: &WitType, out: &mut Vec<u8>) {
        self.value_in_somes(of, 0, out);
    }

    fn value_in_somes(&mut self, of: &WitType, somes: u8, out: &mut Vec<u8>) {
        self.nodes = self.nodes.saturating_sub(1);
        match of {
            WitType::Bool => append(out, &(self.below(2) == 0)),
            WitType::S8 => append(out, &(self.number() as i8)),
            WitType::S16 => append(out, &(self.number() as i16)),
            WitType::S32 => append(out, &(self.number() as i32)),
            WitType::S64 => append(out, &(self.number() as i64)),
            WitType::U8 => append(out, &(self.number() as u8)),
            WitType::U16 => append(out, &(self.number() as u16)),
            WitType::U32 => append(out, &(self.number() as u32)),
            WitType::U64 => append(out, &self.number()),
            WitType::F32 => append(out, &f32::from_bits(self.number() as u32)),
            WitType::F64 => append(out, &f64::from_bits(self.number())),
            WitType::Char => append(out, &self.char()),
            WitType::String => {
                let length = self.below(40);
                append(out, &(0..length).map(|_| self.char()).collect::<String>());
            }
            WitType::List(element) if **element == WitType::U8 => {
                let length = self.below(300);
                append(out, &Bytes((0..length).map(|_| self.byte()).collect()));
            }
            WitType::List(element) => {
                let length = self.below(20).min(self.nodes);
                list_head(out, length);
                (0..length).for_each(|_| self.value(element, out));
            }
            WitType::Option(some) => match self.below(3) {
                0 if somes == 0 => append(out, &()),
                0 => out.extend([0xd4, 1, somes]),
                _ => self.value_in_somes(some, somes + 1, out),
            },
            WitType::Result { ok, err } => {
                let (name, of) = if self.below(2) == 0 { ("Ok", ok) } else { ("Err", err) };
                out.push(0x81);
                append(out, name);
                match of {
                    Some(of) => self.value(of, out),
                    None => append(out, &()),
                }
            }
            WitType::Tuple(types) => {
                list_head(out, types.len());
                types.iter().for_each(|of| self.value(of, out));
            }
            WitType::Record(fields) => {
                out.push(0x80 | fields.len() as u8);
                for (name, of) in fields {
                    append(out, name);
                    self.value(of, out);
                }
            }
            WitType::Variant(cases) => {
                let (name, of) = &cases[self.below(cases.len())];
                match of {
                    None => append(out, name),
                    Some(of) => {
                        out.push(0x81);
                        append(out, name);
                        self.value(of, out);
                    }
                }
            }
            WitType::Enum(names) => append(out, &names[self.below(names.len())]),
            WitType::Flags(names) => {
                let set: Vec<_> = names.iter().filter(|_| self.below(2) == 0).collect();
                append(out, &set);
            }
            other => unreachable!("{other}"),
        }
    }

    fn char(&mut self) -> char {
        char::from_u32(self.number() as u32 % 0x11_0000).unwrap_or('ß')
    }
}

/// Returns the signature of a function that returns its only argument.
pub(crate) fn signature(of: &WitType) -> Signature {
    Signature::new(&[("x".to_owned(), of.clone())], Some(of))
        .unwrap_or_else(|error| panic!("a type with few levels: {error}"))
}

fn append<T: serde::Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    codec::append(out, value).unwrap_or_else(|error| panic!("a value of serde: {error}"));
}

fn list_head(out: &mut Vec<u8>, length: usize) {
    out.extend(codec::array_head(length as u32));
}
