//! The error of encoding or decoding a value, with the path to the problem.

use std::fmt::{self, Display};

use serde::de::{self, Expected, Unexpected};
use serde::ser;

use crate::error::{Fault, WireError};
use crate::shorten::shorten;

/// The maximum size of a message and of a path, in bytes. Both may quote untrusted bytes.
const MAX_QUOTED: usize = 1 << 10;

pub(crate) type Result<T> = std::result::Result<T, Error>;

/// The error of encoding or decoding a value. Boxed, so that results stay small.
#[derive(Debug)]
pub(crate) struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    fault: Fault,
    message: String,
    /// The path to the problem, the innermost step first.
    path: Vec<Step>,
}

/// A step from a value to a value inside it.
#[derive(Debug)]
enum Step {
    Index(usize),
    Name(String),
}

impl Error {
    #[cold]
    pub(crate) fn new(fault: Fault, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { fault, message: message.into(), path: Vec::new() }))
    }

    #[cold]
    pub(crate) fn malformed(message: impl Into<String>) -> Self {
        Self::new(Fault::Malformed, message)
    }

    /// Prefixes the path with the index of a list's element.
    #[cold]
    #[must_use]
    pub(crate) fn at_index(mut self, index: usize) -> Self {
        self.0.path.push(Step::Index(index));
        self
    }

    /// Prefixes the path with the name of a field or a key.
    #[cold]
    #[must_use]
    pub(crate) fn at_name(mut self, name: impl Into<String>) -> Self {
        self.0.path.push(Step::Name(name.into()));
        self
    }

    /// Appends `note` to the message.
    #[cold]
    #[must_use]
    pub(super) fn with_note(mut self, note: &str) -> Self {
        self.0.message.push_str(note);
        self
    }

    pub(crate) fn fault(&self) -> Fault {
        self.0.fault
    }

    /// Returns whether a visitor rejected a 128-bit number. serde reports that only in the message.
    pub(super) fn is_about_128_bits(&self) -> bool {
        self.0.message.ends_with("` as u128") || self.0.message.ends_with("` as i128")
    }

    fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Name(name) if path.is_empty() => path.push_str(name),
                Step::Name(name) => path.push_str(&format!(".{name}")),
            }
        }
        path
    }
}

/// Writes the path and the message: `at words[3].count: expected a string, found the number 5`.
impl Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.path.is_empty() {
            write!(f, "at {}: ", shorten(self.path(), MAX_QUOTED))?;
        }
        f.write_str(&shorten(self.0.message.clone(), MAX_QUOTED))
    }
}

impl std::error::Error for Error {}

impl From<Error> for WireError {
    fn from(error: Error) -> Self {
        Self::new(error.to_string()).with_fault(error.fault())
    }
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::new(error.fault(), error.to_string())
    }
}

impl ser::Error for Error {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Fault::Type, message.to_string())
    }
}

impl de::Error for Error {
    #[cold]
    fn custom<T: Display>(message: T) -> Self {
        Self::new(Fault::Type, message.to_string())
    }

    #[cold]
    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Fault::Type, format!("expected {expected}, found {}", Found(unexpected)))
    }

    #[cold]
    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        <Self as de::Error>::invalid_type(unexpected, expected)
    }
}

/// Describes the found value in terms that fit every language.
struct Found<'a>(Unexpected<'a>);

impl Display for Found<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Unexpected::Bool(value) => write!(f, "the boolean {value}"),
            Unexpected::Unsigned(value) => write!(f, "the number {value}"),
            Unexpected::Signed(value) => write!(f, "the number {value}"),
            Unexpected::Float(value) => write!(f, "the fractional number {value}"),
            Unexpected::Char(value) => write!(f, "the character {value:?}"),
            Unexpected::Str(value) => write!(f, "the string {value:?}"),
            Unexpected::Bytes(bytes) => write!(f, "{} bytes", bytes.len()),
            Unexpected::Unit | Unexpected::Option => f.write_str("nothing"),
            Unexpected::Seq => f.write_str("a list"),
            Unexpected::Map => f.write_str("a map"),
            other => write!(f, "{other}"),
        }
    }
}
