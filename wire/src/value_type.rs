//! The types of parameters and results, in the syntax of their language.

use std::fmt;

/// The type of a parameter or result.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueType {
    /// A Rust type, as in the source: `HashMap<String, f64>`.
    Rust(String),
    /// A WIT type.
    Wit(WitType),
}

impl ValueType {
    /// Returns whether this is Rust's unit type, the type of a function without a result.
    pub fn is_unit(&self) -> bool {
        matches!(self, Self::Rust(text) if text == "()")
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rust(text) => f.write_str(text),
            Self::Wit(wit) => wit.fmt(f),
        }
    }
}

/// A WIT value type with the names of its fields and cases. Resources, streams and futures are not
/// value types.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[expect(missing_docs, reason = "each is the WIT type of its name")]
pub enum WitType {
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
    List(Box<WitType>),
    Option(Box<WitType>),
    Result { ok: Option<Box<WitType>>, err: Option<Box<WitType>> },
    Tuple(Vec<WitType>),
    Record(Vec<(String, WitType)>),
    Variant(Vec<(String, Option<WitType>)>),
    Enum(Vec<String>),
    Flags(Vec<String>),
}

/// Writes the type in WIT, with named types expanded: `list<record { word: string, count: u32 }>`.
impl fmt::Display for WitType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scalar = match self {
            Self::Bool => "bool",
            Self::S8 => "s8",
            Self::S16 => "s16",
            Self::S32 => "s32",
            Self::S64 => "s64",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Char => "char",
            Self::String => "string",
            Self::List(of) => return write!(f, "list<{of}>"),
            Self::Option(of) => return write!(f, "option<{of}>"),
            Self::Result { ok, err } => return result(f, ok.as_deref(), err.as_deref()),
            Self::Tuple(types) => {
                f.write_str("tuple<")?;
                separated(f, types, |f, of| of.fmt(f))?;
                return f.write_str(">");
            }
            Self::Record(fields) => {
                return braced(f, "record", fields, |f, (name, of)| write!(f, "{name}: {of}"));
            }
            Self::Variant(cases) => {
                return braced(f, "variant", cases, |f, (name, of)| match of {
                    Some(of) => write!(f, "{name}({of})"),
                    None => f.write_str(name),
                });
            }
            Self::Enum(names) => return braced(f, "enum", names, |f, name| f.write_str(name)),
            Self::Flags(names) => return braced(f, "flags", names, |f, name| f.write_str(name)),
        };
        f.write_str(scalar)
    }
}

fn result(f: &mut fmt::Formatter<'_>, ok: Option<&WitType>, err: Option<&WitType>) -> fmt::Result {
    match (ok, err) {
        (Some(ok), Some(err)) => write!(f, "result<{ok}, {err}>"),
        (Some(ok), None) => write!(f, "result<{ok}>"),
        (None, Some(err)) => write!(f, "result<_, {err}>"),
        (None, None) => f.write_str("result"),
    }
}

fn braced<T>(
    f: &mut fmt::Formatter<'_>,
    keyword: &str,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    write!(f, "{keyword} {{ ")?;
    separated(f, items, write)?;
    f.write_str(" }")
}

fn separated<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    write: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().enumerate() {
        f.write_str(if index == 0 { "" } else { ", " })?;
        write(f, item)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(of: WitType) -> Box<WitType> {
        Box::new(of)
    }

    #[test]
    fn wit_types_display_in_wit_syntax() {
        use WitType::{
            Enum, F64, Flags, List, Option, Record, Result, String, Tuple, U32, Variant,
        };
        let word = Record(vec![("word".into(), String), ("count".into(), U32)]);
        let name = |name: &str| name.to_owned();
        for (of, text) in [
            (List(boxed(word)), "list<record { word: string, count: u32 }>"),
            (Option(boxed(Option(boxed(F64)))), "option<option<f64>>"),
            (Tuple(vec![U32, String]), "tuple<u32, string>"),
            (Result { ok: None, err: None }, "result"),
            (Result { ok: Some(boxed(U32)), err: None }, "result<u32>"),
            (Result { ok: None, err: Some(boxed(String)) }, "result<_, string>"),
            (Result { ok: Some(boxed(U32)), err: Some(boxed(String)) }, "result<u32, string>"),
            (
                Variant(vec![(name("all"), None), (name("one"), Some(U32))]),
                "variant { all, one(u32) }",
            ),
            (Enum(vec![name("red"), name("green")]), "enum { red, green }"),
            (Flags(vec![name("read")]), "flags { read }"),
        ] {
            assert_eq!(ValueType::Wit(of).to_string(), text);
        }
        let unit = ValueType::Rust("()".into());
        assert!(unit.is_unit() && !ValueType::Rust("u8".into()).is_unit());
    }
}
