use std::fmt;

use hype_wire::WireError;

/// The kind of a [`StageError`], which decides what a caller can do about it.
///
/// ```
/// use hype_stage::StageErrorKind;
///
/// fn may_succeed_later(kind: StageErrorKind) -> bool {
///     matches!(kind, StageErrorKind::Unavailable | StageErrorKind::NotFound)
/// }
/// assert!(!may_succeed_later(StageErrorKind::Denied));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageErrorKind {
    /// The URL names no stage that this program can open, or the bucket doesn't exist.
    Location,
    /// The object doesn't exist.
    NotFound,
    /// The object differs from its digest or size, or is malformed.
    Altered,
    /// The object exceeds the maximum size.
    TooLarge,
    /// The store denies access, or credentials are missing or invalid.
    Denied,
    /// A local file can't be read or written, or changed while it was staged.
    File,
    /// The store is unreachable or failed until the retry time passed. A later retry may succeed.
    Unavailable,
}

type Source = Box<dyn std::error::Error + Send + Sync>;

/// The error of a stage. The message names the object by its URL.
///
/// ```
/// use hype_stage::{Stage, StageErrorKind};
///
/// let error = Stage::open("ftp://host/directory").unwrap_err();
/// assert_eq!(error.kind(), StageErrorKind::Location);
/// assert!(error.to_string().contains("there are: file://, gs://, s3://"));
/// ```
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

    /// Sets the cause.
    #[must_use]
    pub(crate) fn because(mut self, source: impl Into<Source>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Sets the hint.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Creates the error of an object that exceeds `at_most` bytes.
    ///
    /// ```
    /// use hype_stage::{StageError, StageErrorKind};
    ///
    /// let error = StageError::too_large("gs://bucket/clock", 12, 10);
    /// assert_eq!(error.kind(), StageErrorKind::TooLarge);
    /// assert_eq!(
    ///     error.to_string(),
    ///     "gs://bucket/clock is too large: it has 12 bytes, of at most 10"
    /// );
    /// ```
    pub fn too_large(url: &str, size: u64, at_most: u64) -> Self {
        let problem = format!("{url} is too large: it has {size} bytes, of at most {at_most}");
        Self::new(StageErrorKind::TooLarge, problem)
    }

    /// Creates the error of an object that can't be encoded or decoded.
    ///
    /// ```
    /// use hype_stage::{StageError, StageErrorKind};
    /// use hype_wire::RunManifest;
    ///
    /// let error = RunManifest::from_bytes(b"?").unwrap_err();
    /// let error = StageError::from_encoding("gs://bucket/runs/run-1/manifest", error);
    /// assert_eq!(error.kind(), StageErrorKind::Altered);
    /// ```
    pub fn from_encoding(url: &str, error: WireError) -> Self {
        Self::new(StageErrorKind::Altered, format!("{url} is malformed")).because(error)
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> StageErrorKind {
        self.kind
    }

    /// Returns a hint on how the user can fix the problem.
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
