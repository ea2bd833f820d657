use std::fmt;

use hype_wire::WireError;

/// What can be done about a failed use of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageErrorKind {
    /// The URL names no stage that this program can open, or a bucket that isn't there.
    Location,
    /// An object isn't there.
    NotFound,
    /// An object isn't what its digest says.
    Altered,
    /// An object is larger than anything that may stand there.
    TooLarge,
    /// The store refuses us, or nobody says who we are.
    Denied,
    /// A file of this machine cannot be read or written, or changed while it was being staged.
    File,
    /// The store failed for as long as it was tried, and trying later may help.
    Unavailable,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A failed use of a stage. The message names the object by its URL.
#[derive(Debug)]
pub struct StageError {
    kind: StageErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Source>,
}

impl StageError {
    pub(crate) fn new(kind: StageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, source: None }
    }

    /// Adds the cause.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Adds what a person can do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The object at `url` has more bytes than may stand there.
    pub fn too_large(url: &str, size: u64, at_most: u64) -> Self {
        let problem = format!("{url} is too large: it has {size} bytes, of at most {at_most}");
        Self::new(StageErrorKind::TooLarge, problem)
    }

    /// The object at `url` cannot be written or read as what it is.
    pub fn from_encoding(url: &str, error: WireError) -> Self {
        Self::new(StageErrorKind::Altered, format!("{url} is malformed")).because(error)
    }

    /// What can be done about it.
    pub fn kind(&self) -> StageErrorKind {
        self.kind
    }

    /// Returns what a person can do about it, where there is something.
    pub fn advice(&self) -> Option<&str> {
        self.hint.as_deref()
    }
}

impl fmt::Display for StageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for StageError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}
