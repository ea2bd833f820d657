//! The error of a guest that uses a power that its environment doesn't grant.

use std::fmt;

use hype_wire::Remedy;

/// The error that stops a guest when it uses a power that its environment doesn't grant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    /// The denied action: `asked for http://example.com/`.
    pub(crate) what: String,
    /// The builder call that grants the power, or the reason why no call does.
    pub(crate) way_out: String,
    /// The kind of grant that solves the problem, if one does.
    pub(crate) remedy: Option<Remedy>,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, which its environment doesn't grant: {}", self.what, self.way_out)
    }
}

impl std::error::Error for Denied {}
