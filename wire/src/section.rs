//! The list of a component's functions, in a custom section that tools read without running it.
//!
//! The SDK puts one record for each function into the section [`SECTION`], and the linker
//! concatenates them. Records are encoded at compile time by `const` functions, so the macro needs
//! no encoder.
//!
//! Numbers are 32-bit little-endian; a text is its length in bytes followed by its UTF-8.
//!
//! ```text
//! record     length of the body, body
//! body       format, sdk, package, name, file, line, docs, result,
//!            number of parameters, then for each: name, type
//! ```

use std::fmt;

use crate::error::WireError;
use crate::shorten::shorten;
use crate::value_type::ValueType;
use crate::version::{HYPE_VERSION, MAX_VERSION, OLDEST_FORMAT, WIRE_FORMAT};

/// The custom section that holds the records.
pub const SECTION: &str = "hype:functions";

/// A function as described by the SDK's macro at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FunctionRecord<'a> {
    /// The package that defines the function.
    pub package: &'a str,
    /// The function's name, unique in its package.
    pub name: &'a str,
    /// The source file of the function.
    pub file: &'a str,
    /// The line of the function's name, counted from 1.
    pub line: u32,
    /// The doc comment.
    pub docs: &'a str,
    /// The parameters, in order.
    pub parameters: &'a [ParameterRecord<'a>],
    /// The return type, as in the source.
    pub result: &'a str,
}

/// A parameter as described by the SDK's macro at compile time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ParameterRecord<'a> {
    /// The parameter's name.
    pub name: &'a str,
    /// The parameter's type, as in the source.
    pub type_name: &'a str,
}

/// A function listed by a component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Function {
    /// The version of the SDK that built the component.
    pub sdk: String,
    /// The package that defines the function.
    pub package: String,
    /// The function's name, unique in its package.
    pub name: String,
    /// The source file of the function.
    pub file: String,
    /// The line of the function's name, counted from 1.
    pub line: u32,
    /// The doc comment.
    pub docs: String,
    /// The parameters, in order.
    pub parameters: Vec<Parameter>,
    /// The return type.
    pub result: ValueType,
}

/// A parameter of a [`Function`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// The parameter's name.
    pub name: String,
    /// The parameter's type.
    pub value_type: ValueType,
}

impl Function {
    /// Returns `PACKAGE::NAME`, which is unique in a component.
    pub fn qualified_name(&self) -> String {
        qualified_name(&self.package, &self.name)
    }
}

/// Returns `PACKAGE::NAME`, which is unique in a component, for the function `name` of `package`.
pub fn qualified_name(package: &str, name: &str) -> String {
    format!("{package}::{name}")
}

/// Returns the function's name without its package.
pub fn plain_name(name: &str) -> &str {
    name.rsplit_once("::").map_or(name, |(_, plain)| plain)
}

impl From<&FunctionRecord<'_>> for Function {
    fn from(record: &FunctionRecord<'_>) -> Self {
        Self {
            sdk: HYPE_VERSION.to_owned(),
            package: record.package.to_owned(),
            name: record.name.to_owned(),
            file: record.file.to_owned(),
            line: record.line,
            docs: record.docs.to_owned(),
            parameters: record
                .parameters
                .iter()
                .map(|parameter| Parameter {
                    name: parameter.name.to_owned(),
                    value_type: ValueType::Rust(parameter.type_name.to_owned()),
                })
                .collect(),
            result: ValueType::Rust(record.result.to_owned()),
        }
    }
}

/// Writes the signature as in the source: `count(text: String) -> u32`.
impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}(", self.name)?;
        for (index, parameter) in self.parameters.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{}: {}", parameter.name, parameter.value_type)?;
        }
        f.write_str(")")?;
        if self.result.is_unit() { Ok(()) } else { write!(f, " -> {}", self.result) }
    }
}

/// Returns the size of the encoded `record`, in bytes.
pub const fn encoded_len(record: &FunctionRecord<'_>) -> usize {
    let mut len = 4 + 4 + 4 + 4;
    let texts = texts(record);
    let mut index = 0;
    while index < texts.len() {
        len += 4 + texts[index].len();
        index += 1;
    }
    let mut index = 0;
    while index < record.parameters.len() {
        let ParameterRecord { name, type_name } = record.parameters[index];
        len += 4 + name.len() + 4 + type_name.len();
        index += 1;
    }
    len
}

/// Encodes `record` into an array of [`encoded_len`] bytes.
///
/// # Panics
///
/// At compile time, if `N` differs from [`encoded_len`].
pub const fn encode<const N: usize>(record: &FunctionRecord<'_>) -> [u8; N] {
    let mut out = Writer { bytes: [0; N], at: 0 };
    let [sdk, package, name, file, docs, result] = texts(record);
    out.number(N as u32 - 4);
    out.number(WIRE_FORMAT);
    out.text(sdk);
    out.text(package);
    out.text(name);
    out.text(file);
    out.number(record.line);
    out.text(docs);
    out.text(result);
    out.number(record.parameters.len() as u32);
    let mut index = 0;
    while index < record.parameters.len() {
        out.text(record.parameters[index].name);
        out.text(record.parameters[index].type_name);
        index += 1;
    }
    assert!(out.at == N, "the length is not encoded_len's");
    out.bytes
}

const fn texts<'a>(record: &FunctionRecord<'a>) -> [&'a str; 6] {
    let FunctionRecord { package, name, file, docs, result, .. } = *record;
    [HYPE_VERSION, package, name, file, docs, result]
}

struct Writer<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Writer<N> {
    const fn number(&mut self, number: u32) {
        self.raw(&number.to_le_bytes());
    }

    const fn text(&mut self, text: &str) {
        self.number(text.len() as u32);
        self.raw(text.as_bytes());
    }

    const fn raw(&mut self, bytes: &[u8]) {
        let mut index = 0;
        while index < bytes.len() {
            self.bytes[self.at] = bytes[index];
            self.at += 1;
            index += 1;
        }
    }
}

/// Decodes all records of a section, in the linker's order.
///
/// # Errors
///
/// Returns an error if a record is truncated, is not UTF-8, or has an unsupported format.
pub fn decode(section: &[u8]) -> Result<Vec<Function>, WireError> {
    let mut rest = Reader(section);
    let mut functions = Vec::new();
    while !rest.0.is_empty() {
        let length = rest.number()?;
        functions.push(Reader(rest.take(length)?).function()?);
    }
    Ok(functions)
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn function(&mut self) -> Result<Function, WireError> {
        let format = self.number()?;
        let sdk = self.text()?;
        if !(OLDEST_FORMAT..=WIRE_FORMAT).contains(&format) {
            let sdk = shorten(sdk, MAX_VERSION);
            return Err(WireError::new(format!(
                "the component was built with hype {sdk}, whose format {format} this hype \
                 {HYPE_VERSION} doesn't read: use the same version in both, and build again"
            )));
        }
        Ok(Function {
            sdk,
            package: self.text()?,
            name: self.text()?,
            file: self.text()?,
            line: self.number()?,
            docs: self.text()?,
            result: ValueType::Rust(self.text()?),
            parameters: (0..self.number()?)
                .map(|_| {
                    Ok(Parameter { name: self.text()?, value_type: ValueType::Rust(self.text()?) })
                })
                .collect::<Result<_, WireError>>()?,
        })
    }

    fn number(&mut self) -> Result<u32, WireError> {
        let bytes = self.take(4)?;
        Ok(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
    }

    fn text(&mut self) -> Result<String, WireError> {
        let length = self.number()?;
        String::from_utf8(self.take(length)?.to_vec()).map_err(|error| {
            WireError::new("a text of its function list is not UTF-8").because(error)
        })
    }

    fn take(&mut self, length: u32) -> Result<&'a [u8], WireError> {
        let (taken, rest) = self
            .0
            .split_at_checked(length as usize)
            .ok_or_else(|| WireError::new("its function list ends in the middle of a record"))?;
        self.0 = rest;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COUNT: FunctionRecord<'static> = FunctionRecord {
        package: "wordcount",
        name: "count",
        file: "src/lib.rs",
        line: 7,
        docs: "Counts.\n\nWörter.",
        parameters: &[
            ParameterRecord { name: "text", type_name: "String" },
            ParameterRecord { name: "least", type_name: "Option<u32>" },
        ],
        result: "Vec<Word>",
    };
    static ENCODED: [u8; encoded_len(&COUNT)] = encode(&COUNT);

    #[test]
    fn concatenated_records_decode() {
        let section = [ENCODED, ENCODED].concat();
        let functions = decode(&section).unwrap();
        assert_eq!(functions, [Function::from(&COUNT), Function::from(&COUNT)]);
        assert_eq!(
            functions[0].to_string(),
            "count(text: String, least: Option<u32>) -> Vec<Word>"
        );
        assert_eq!(functions[0].qualified_name(), "wordcount::count");
    }

    #[test]
    fn truncated_section_is_rejected() {
        for length in 1..ENCODED.len() {
            assert!(decode(&ENCODED[..length]).is_err(), "{length} bytes");
        }
        assert_eq!(decode(&[]).unwrap(), []);
    }

    #[test]
    fn unsupported_record_format_names_both_versions() {
        for format in [1, 9] {
            let mut other = ENCODED;
            other[4] = format;
            let error = decode(&other).unwrap_err().to_string();
            assert!(error.contains(&format!("format {format}")), "{error}");
            assert!(error.contains(HYPE_VERSION) && error.contains("build again"), "{error}");
        }
    }
}
