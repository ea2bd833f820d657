use std::fmt;

use hype_wire::WireError;

/// What can be done about a failed use of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StageErrorKind {
    /// The URL names no stage that this program can open.
    Location,
    /// An object isn't there.
    NotFound,
    /// An object isn't what its digest says.
    Altered,
    /// An object is larger than anything that may stand there.
    TooLarge,
    /// The store refuses us.
    Denied,
    /// The store failed, and trying again may help.
    Unavailable,
}

/// A failed use of a stage. The message names the object by its URL.
#[derive(Debug)]
pub struct StageError {
    kind: StageErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl StageError {
    pub(crate) fn new(kind: StageErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), source: None }
    }

    pub(crate) fn because(
        kind: StageErrorKind,
        message: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { source: Some(source.into()), ..Self::new(kind, message) }
    }

    /// The error of a request for the object at `url`; `doing` says what was tried: `write`.
    pub(crate) fn of_request(doing: &str, url: &str, error: object_store::Error) -> Self {
        let (kind, message) = match &error {
            object_store::Error::NotFound { .. } => {
                return Self::new(StageErrorKind::NotFound, format!("{url} is not there"));
            }
            object_store::Error::PermissionDenied { .. }
            | object_store::Error::Unauthenticated { .. } => {
                (StageErrorKind::Denied, format!("not allowed to {doing} {url}"))
            }
            _ => (StageErrorKind::Unavailable, format!("cannot {doing} {url}")),
        };
        Self::because(kind, message, error)
    }

    /// The object at `url` has more bytes than may stand there.
    pub fn too_large(url: &str, size: u64, at_most: u64) -> Self {
        let problem = format!("{url} is too large: it has {size} bytes, of at most {at_most}");
        Self::new(StageErrorKind::TooLarge, problem)
    }

    /// The object at `url` cannot be written or read as what it is.
    pub fn from_encoding(url: &str, error: WireError) -> Self {
        Self::because(StageErrorKind::Altered, format!("{url} is malformed"), error)
    }

    /// What can be done about it.
    pub fn kind(&self) -> StageErrorKind {
        self.kind
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
