use std::fmt;

/// The error of encoding or decoding one of hype's types or a value.
///
/// The message names the problem and, where possible, the fix. The cause is in
/// [`source`](std::error::Error::source).
///
/// ```
/// use hype_wire::{Fault, codec};
///
/// let error = codec::from_slice::<u8>(&codec::to_vec("a")?).unwrap_err();
/// assert_eq!(error.fault(), Fault::Type);
/// assert_eq!(error.of_argument(2).to_string(), "argument 2: expected u8, found the string \"a\"");
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug)]
pub struct WireError {
    message: String,
    fault: Fault,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kind of a [`WireError`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The bytes are a value of another type, or the value can't be encoded.
    Type,
    /// The value nests deeper than [`MAX_DEPTH`](crate::codec::MAX_DEPTH) levels.
    Depth,
    /// The bytes are not one value in hype's MessagePack.
    Malformed,
}

impl WireError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), fault: Fault::Type, source: None }
    }

    /// Sets the cause.
    #[must_use]
    pub(crate) fn because(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }

    #[must_use]
    pub(crate) fn with_fault(mut self, fault: Fault) -> Self {
        self.fault = fault;
        self
    }

    /// Prefixes the message with the argument's number, counted from 1.
    #[must_use]
    pub fn of_argument(mut self, number: usize) -> Self {
        self.message = format!("argument {number}: {}", self.message);
        self
    }

    /// Returns the kind of the error.
    pub fn fault(&self) -> Fault {
        self.fault
    }
}

impl fmt::Display for WireError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for WireError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
