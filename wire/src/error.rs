use std::fmt;

/// Why bytes could not be written or read as one of hype's types.
///
/// The message is a whole sentence for the person who must act on it; what lies beneath is in
/// [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct WireError {
    message: String,
    fault: Fault,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What is wrong with bytes that cannot be read as a value, or with a value that cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// They are a value of another type.
    Type,
    /// The value nests deeper than [`MAX_DEPTH`](crate::codec::MAX_DEPTH) levels.
    Depth,
    /// They are no value: not MessagePack as hype reads it.
    Malformed,
}

impl WireError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), fault: Fault::Type, source: None }
    }

    /// Adds the cause.
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

    /// The error, as that of an argument, counted from 1.
    #[must_use]
    pub fn of_argument(mut self, number: usize) -> Self {
        self.message = format!("argument {number}: {}", self.message);
        self
    }

    /// What is wrong, where this is about a value.
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
