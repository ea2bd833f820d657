use std::fmt;

/// The result of an HTTP operation.
pub type Result<T> = std::result::Result<T, Error>;

/// The error of a request without a response, or with an unusable one.
///
/// ```
/// # use hype::http;
/// // Outside of a closure, every request fails.
/// let error = http::get("https://example.com/").unwrap_err();
/// assert_eq!(error.to_string(), "GET https://example.com/ can be sent only inside a closure");
/// ```
#[derive(Debug)]
pub struct Error {
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(super) fn because(
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), source: Some(source.into()) }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
