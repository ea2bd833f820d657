use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// Says that somebody takes care of a run: waits for its end and will remove what it leaves.
///
/// It stands at [`names::lease`](crate::names::lease) and is written anew again and again. No clocks
/// are compared: a reader who sees the same lease for longer than its term knows that its owner is
/// gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The format that this is written in.
    pub format: u32,
    /// The version of hype that wrote it.
    pub hype: String,
    /// The run.
    pub run_id: String,
    /// The function that it runs, for people.
    pub function: String,
    /// Who takes care of it, unique among all processes.
    pub owner: String,
    /// How often it was renewed by this owner.
    pub renewals: u64,
    /// After how many milliseconds without a renewal the owner is gone.
    pub term_ms: u64,
    /// Whether the owner left the run to whoever collects it: nobody else may remove it then.
    pub detached: bool,
}

impl Lease {
    /// How many bytes one can have.
    pub const MAX_SIZE: u64 = 64 << 10;

    /// A lease in this version's format, for as long as `term` each time.
    pub fn new(
        run_id: impl Into<String>,
        function: impl Into<String>,
        owner: impl Into<String>,
        term: Duration,
    ) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id: run_id.into(),
            function: function.into(),
            owner: owner.into(),
            renewals: 0,
            term_ms: u64::try_from(term.as_millis()).unwrap_or(u64::MAX),
            detached: false,
        }
    }

    /// After how long without a renewal the owner is gone.
    pub fn term(&self) -> Duration {
        Duration::from_millis(self.term_ms)
    }

    /// Its bytes, as they are staged.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Reads a staged lease, in any format that this version knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for Lease {
    const WHAT: &'static str = "lease";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build this program with hype {hype} or later";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
