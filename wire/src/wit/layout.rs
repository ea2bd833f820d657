//! The layout of WIT types in a guest's memory, by the canonical ABI.

use crate::codec;
use crate::error::{Fault, WireError};
use crate::shape::MAX_DEPTH;
use crate::value_type::WitType;

/// The size of a pointer and of a length, in bytes.
const POINTER: u32 = 4;

/// The layout of a type. Sizes and offsets are in bytes.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size: u32,
    pub(super) align: u32,
    /// The number of core values that represent the type outside of memory.
    pub(super) flat: usize,
    pub(super) kind: Kind,
}

#[derive(Debug)]
pub(super) enum Kind {
    Bool,
    S8,
    S16,
    S32,
    S64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
    Char,
    String,
    List(Box<Layout>),
    Option { payload_at: u32, some: Box<Layout> },
    Result { payload_at: u32, ok: Option<Box<Layout>>, err: Option<Box<Layout>> },
    Tuple(Vec<(u32, Layout)>),
    Record(Vec<Field>),
    Variant { discriminant: u32, payload_at: u32, cases: Vec<(Name, Option<Layout>)> },
    Enum { discriminant: u32, names: Vec<Name> },
    Flags(Vec<Name>),
}

/// A field of a record.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Name,
    pub(super) at: u32,
    pub(super) of: Layout,
}

/// A name in WIT, and its MessagePack.
#[derive(Debug)]
pub(super) struct Name {
    pub(super) text: String,
    pub(super) encoded: Vec<u8>,
}

impl Name {
    fn new(text: &str) -> Result<Self, WireError> {
        Ok(Self { text: text.to_owned(), encoded: codec::to_vec(text)? })
    }
}

impl Layout {
    /// Computes the layout of `of`.
    ///
    /// # Errors
    ///
    /// Returns an error if the type nests too deep, or is larger than a memory.
    pub(super) fn new(of: &WitType) -> Result<Self, WireError> {
        Self::at_depth(of, MAX_DEPTH)
    }

    fn at_depth(of: &WitType, levels: usize) -> Result<Self, WireError> {
        let levels = levels.checked_sub(1).ok_or_else(|| {
            WireError::new(format!("a type nests deeper than {MAX_DEPTH} levels"))
                .with_fault(Fault::Depth)
        })?;
        let inner = |of: &WitType| Self::at_depth(of, levels);
        let boxed =
            |of: &Option<Box<WitType>>| of.as_deref().map(|of| inner(of).map(Box::new)).transpose();
        let (size, kind) = match of {
            WitType::Bool => (1, Kind::Bool),
            WitType::S8 => (1, Kind::S8),
            WitType::U8 => (1, Kind::U8),
            WitType::S16 => (2, Kind::S16),
            WitType::U16 => (2, Kind::U16),
            WitType::S32 => (4, Kind::S32),
            WitType::U32 => (4, Kind::U32),
            WitType::S64 => (8, Kind::S64),
            WitType::U64 => (8, Kind::U64),
            WitType::F32 => (4, Kind::F32),
            WitType::F64 => (8, Kind::F64),
            WitType::Char => (4, Kind::Char),
            WitType::String => return Ok(Self::pointer_and_length(Kind::String)),
            WitType::List(of) => {
                return Ok(Self::pointer_and_length(Kind::List(Box::new(inner(of)?))));
            }
            WitType::Option(of) => {
                let some = Box::new(inner(of)?);
                let sum = Sum::new(2, [Some(&*some)])?;
                return Ok(sum.layout(Kind::Option { payload_at: sum.payload_at, some }));
            }
            WitType::Result { ok, err } => {
                let (ok, err) = (boxed(ok)?, boxed(err)?);
                let sum = Sum::new(2, [ok.as_deref(), err.as_deref()])?;
                return Ok(sum.layout(Kind::Result { payload_at: sum.payload_at, ok, err }));
            }
            WitType::Tuple(types) => {
                let types = types.iter().map(inner).collect::<Result<Vec<_>, _>>()?;
                return Self::tuple(types);
            }
            WitType::Record(fields) => {
                let types =
                    fields.iter().map(|(_, of)| inner(of)).collect::<Result<Vec<_>, _>>()?;
                let product = Product::new(&types)?;
                let fields = fields.iter().zip(&product.offsets).zip(types);
                let fields = fields
                    .map(|(((name, _), &at), of)| Ok(Field { name: Name::new(name)?, at, of }));
                return Ok(product.layout(Kind::Record(fields.collect::<Result<_, WireError>>()?)));
            }
            WitType::Variant(cases) => {
                let cases = cases
                    .iter()
                    .map(|(name, of)| Ok((Name::new(name)?, of.as_ref().map(inner).transpose()?)));
                let cases = cases.collect::<Result<Vec<_>, WireError>>()?;
                let sum = Sum::new(cases.len(), cases.iter().map(|(_, of)| of.as_ref()))?;
                let Sum { discriminant, payload_at, .. } = sum;
                return Ok(sum.layout(Kind::Variant { discriminant, payload_at, cases }));
            }
            WitType::Enum(names) => {
                let sum = Sum::new(names.len(), [])?;
                let names = names.iter().map(|name| Name::new(name)).collect::<Result<_, _>>()?;
                return Ok(sum.layout(Kind::Enum { discriminant: sum.discriminant, names }));
            }
            WitType::Flags(names) => return Self::flags(names),
        };
        Ok(Self { size, align: size, flat: 1, kind })
    }

    /// Returns the layout of a tuple, of which the parameters of a function are one.
    pub(super) fn tuple(types: Vec<Self>) -> Result<Self, WireError> {
        let product = Product::new(&types)?;
        let offsets = product.offsets.iter().copied();
        let elements = offsets.zip(types).collect();
        Ok(product.layout(Kind::Tuple(elements)))
    }

    fn pointer_and_length(kind: Kind) -> Self {
        Self { size: 2 * POINTER, align: POINTER, flat: 2, kind }
    }

    fn flags(names: &[String]) -> Result<Self, WireError> {
        let (size, align, flat) = match names.len() {
            0 => (0, 1, 0),
            1..=8 => (1, 1, 1),
            9..=16 => (2, 2, 1),
            many => {
                let words = many.div_ceil(32);
                (u32::try_from(words * 4).map_err(|_| too_large())?, 4, words)
            }
        };
        let names = names.iter().map(|name| Name::new(name)).collect::<Result<_, _>>()?;
        Ok(Self { size, align, flat, kind: Kind::Flags(names) })
    }
}

/// Fields one after the other.
struct Product {
    size: u32,
    align: u32,
    flat: usize,
    offsets: Vec<u32>,
}

impl Product {
    fn new(types: &[Layout]) -> Result<Self, WireError> {
        let mut product = Self { size: 0, align: 1, flat: 0, offsets: Vec::new() };
        for of in types {
            let at = aligned(product.size, of.align)?;
            product.size = at.checked_add(of.size).ok_or_else(too_large)?;
            product.align = product.align.max(of.align);
            product.flat += of.flat;
            product.offsets.push(at);
        }
        product.size = aligned(product.size, product.align)?;
        Ok(product)
    }

    fn layout(&self, kind: Kind) -> Layout {
        Layout { size: self.size, align: self.align, flat: self.flat, kind }
    }
}

/// A discriminant, and the payload of one of several cases.
struct Sum {
    size: u32,
    align: u32,
    flat: usize,
    discriminant: u32,
    payload_at: u32,
}

impl Sum {
    fn new<'a>(
        cases: usize,
        payloads: impl IntoIterator<Item = Option<&'a Layout>>,
    ) -> Result<Self, WireError> {
        let discriminant = match cases {
            0..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 4,
        };
        let (mut size, mut align, mut flat) = (0, discriminant, 0);
        for payload in payloads.into_iter().flatten() {
            size = size.max(payload.size);
            align = align.max(payload.align);
            flat = flat.max(payload.flat);
        }
        let payload_at = aligned(discriminant, align)?;
        let size = aligned(payload_at.checked_add(size).ok_or_else(too_large)?, align)?;
        Ok(Self { size, align, flat: flat + 1, discriminant, payload_at })
    }

    fn layout(&self, kind: Kind) -> Layout {
        Layout { size: self.size, align: self.align, flat: self.flat, kind }
    }
}

fn aligned(offset: u32, align: u32) -> Result<u32, WireError> {
    offset.checked_next_multiple_of(align).ok_or_else(too_large)
}

fn too_large() -> WireError {
    WireError::new("a type is larger than 4 GiB")
}

/// Returns the type for a message.
impl From<&Layout> for WitType {
    fn from(of: &Layout) -> Self {
        let boxed = |of: &Layout| Box::new(Self::from(of));
        let texts = |names: &[Name]| names.iter().map(|name| name.text.clone()).collect();
        match &of.kind {
            Kind::Bool => Self::Bool,
            Kind::S8 => Self::S8,
            Kind::S16 => Self::S16,
            Kind::S32 => Self::S32,
            Kind::S64 => Self::S64,
            Kind::U8 => Self::U8,
            Kind::U16 => Self::U16,
            Kind::U32 => Self::U32,
            Kind::U64 => Self::U64,
            Kind::F32 => Self::F32,
            Kind::F64 => Self::F64,
            Kind::Char => Self::Char,
            Kind::String => Self::String,
            Kind::List(of) => Self::List(boxed(of)),
            Kind::Option { some, .. } => Self::Option(boxed(some)),
            Kind::Result { ok, err, .. } => {
                Self::Result { ok: ok.as_deref().map(boxed), err: err.as_deref().map(boxed) }
            }
            Kind::Tuple(types) => Self::Tuple(types.iter().map(|(_, of)| of.into()).collect()),
            Kind::Record(fields) => {
                let pair = |field: &Field| (field.name.text.clone(), Self::from(&field.of));
                Self::Record(fields.iter().map(pair).collect())
            }
            Kind::Variant { cases, .. } => {
                let case = |(name, of): &(Name, Option<Layout>)| {
                    (name.text.clone(), of.as_ref().map(Self::from))
                };
                Self::Variant(cases.iter().map(case).collect())
            }
            Kind::Enum { names, .. } => Self::Enum(texts(names)),
            Kind::Flags(names) => Self::Flags(texts(names)),
        }
    }
}
