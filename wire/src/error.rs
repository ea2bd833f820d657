use std::fmt;

/// Why bytes could not be written or read as one of hype's types.
///
/// The message is a whole sentence for the person who must act on it; what lies beneath is in
/// [`source`](std::error::Error::source).
#[derive(Debug)]
pub struct WireError {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl WireError {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(crate) fn because(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
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
