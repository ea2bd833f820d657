//! The origins of settings, for messages.

use std::fmt;
use std::path::PathBuf;

use super::key::Key;

/// The origin of a configured value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Origin {
    /// An option of `cargo hype`.
    Option(Key),
    /// An environment variable.
    Variable(Key),
    /// A file; `None` is the top of it.
    File { path: PathBuf, profile: Option<String> },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Option(key) => write!(f, "the option --{}", key.name()),
            Self::Variable(key) => write!(f, "the variable {}", key.variable()),
            Self::File { path, profile: Some(profile) } => {
                write!(f, "{}, profile {profile}", path.display())
            }
            Self::File { path, profile: None } => path.display().fmt(f),
        }
    }
}
