use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::WireError;
use crate::job::Job;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// A run: one job and one call, written by the submitter before the run starts.
///
/// It stands at [`names::manifest`](crate::names::manifest). The digest of its bytes, handed to
/// the runner by a trusted way, vouches for everything in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// The format that the manifest is written in.
    pub format: u32,
    /// The version of hype that wrote it.
    pub hype: String,
    /// The run's name, unique in its stage.
    pub run_id: String,
    /// The component and its surroundings.
    pub job: Job,
    /// The function and its arguments.
    pub call: Call,
    /// The place where the submitter's runner starts the run: the kind of runner, a colon, and its own name
    /// for the place; `None` for a run inside the submitter's process. A hint for attaching programs, which must not trust it.
    #[serde(default)]
    pub place: Option<String>,
}

impl RunManifest {
    /// The most bytes that a manifest can have. A file takes some hundred of them, so that this is
    /// room for more than 50,000 files.
    pub const MAX_SIZE: u64 = 16 << 20;

    /// Returns the manifest of a run that makes `call`.
    pub fn new(run_id: impl Into<String>, job: Job, call: Call) -> Self {
        let (hype, run_id) = (HYPE_VERSION.to_owned(), run_id.into());
        Self { format: WIRE_FORMAT, hype, run_id, job, call, place: None }
    }

    /// Returns the bytes to be staged.
    ///
    /// # Errors
    ///
    /// When it names so many files, mounts and variables that no runner would read it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Reads a staged manifest, in any format that this version knows.
    ///
    /// # Errors
    ///
    /// When the bytes are no manifest, or one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for RunManifest {
    const WHAT: &'static str = "run manifest";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "use hype {hype} or later: a runner (image spotify/hype:{hype}), or a program that attaches";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
