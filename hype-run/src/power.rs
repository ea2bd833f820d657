//! The end of a guest that does what nobody granted it.

use std::fmt;

use hype_wire::Remedy;

/// The error that a guest is stopped with when it tries what its environment doesn't grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// What it did: `asked for http://example.com/`.
    pub(crate) what: String,
    /// The call of the environment's builder that would grant it, or why there is none.
    pub(crate) way_out: String,
    /// The kind of grant that would help, if one would.
    pub(crate) remedy: Option<Remedy>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which its environment doesn't grant: {}", self.what, self.way_out)
    }
}

impl std::error::Error for Denied {}
