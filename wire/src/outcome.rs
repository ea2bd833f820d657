use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::bytes::Bytes;
use crate::call::Payload;
use crate::error::WireError;
use crate::failure::Failure;
use crate::shorten::shortened;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// How many bytes of the reason for compiling are kept.
const MAX_REASON: usize = 4 << 10;

/// How an attempt at a run ended, written by the runner when it did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The format that this is written in.
    pub format: u32,
    /// The version of hype that wrote it.
    pub hype: String,
    /// The run that ended.
    pub run_id: String,
    /// Which attempt at it, counted from 1.
    pub attempt: u32,
    /// A number that no other outcome has, so that a runner that wrote this and lost the answer
    /// knows it for its own.
    #[serde(default)]
    pub nonce: u64,
    /// How it ended.
    pub end: End,
    /// What it took.
    pub statistics: Statistics,
    /// The last that the guest wrote to its standard output, at most 64 KiB.
    pub stdout: Bytes,
    /// The last that the guest wrote to its standard error, at most 64 KiB.
    pub stderr: Bytes,
    /// What stands at [`names::log`](crate::names::log), if the runner was told to keep all that the
    /// guest writes, and that is more than is in here: the first 64 MiB of it, in lines, of which
    /// those of the standard error begin with [`ERROR_MARK`](crate::ERROR_MARK). It isn't certain that
    /// the runner could write it.
    #[serde(default)]
    pub log: Option<Blob>,
}

impl Outcome {
    /// How many bytes one can have: 64 KiB of value, twice 64 KiB of output, and what is kept of a
    /// failure. A larger object is not the work of a runner, and is not read.
    pub const MAX_SIZE: u64 = 1 << 20;

    /// An outcome in this version's format, with as much of a failure as fits.
    pub fn new(run_id: impl Into<String>, attempt: u32, end: End, statistics: Statistics) -> Self {
        let (end, statistics) = (end.shortened(), statistics.shortened());
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id: run_id.into(),
            attempt,
            nonce: 0,
            end,
            statistics,
            stdout: Bytes::default(),
            stderr: Bytes::default(),
            log: None,
        }
    }

    /// Its bytes, as they are staged.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Reads a staged outcome, in any format that this version knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut outcome: Self = read(bytes)?;
        outcome.end = outcome.end.shortened();
        outcome.statistics = outcome.statistics.shortened();
        Ok(outcome)
    }
}

impl Versioned for Outcome {
    const WHAT: &'static str = "outcome";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build the submitting program with hype {hype} or later";
    const IF_OLDER: &'static str =
        "use a newer runner (image spotify/hype of the submitting program's version)";
}

/// The end of an attempt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// The function's value, as MessagePack.
    Value(Payload),
    /// Why there is none.
    Failure(Failure),
}

impl End {
    fn shortened(self) -> Self {
        match self {
            Self::Failure(failure) => Self::Failure(failure.shortened()),
            value => value,
        }
    }
}

/// What an attempt took. Times are in microseconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// Reading manifest, component, arguments and files, from the stage or the runner's cache.
    pub fetch_us: u64,
    /// Making machine code of the component, or loading what was made before.
    pub compile_us: u64,
    /// Setting up the sandbox and instantiating the component.
    pub start_us: u64,
    /// The call itself.
    pub run_us: u64,
    /// Writing the result to the stage.
    pub upload_us: u64,
    /// The most linear memory that the guest had.
    pub peak_memory: u64,
    /// How many bytes were read from the stage, the manifest not counted; what the runner's cache
    /// had was not read from there.
    pub fetched: u64,
    /// How many bytes were written to it, the outcome not counted.
    pub uploaded: u64,
    /// Where the machine code came from.
    pub code: Code,
    /// Why the staged machine code was not used, where there was some.
    pub why_compiled: Option<String>,
}

impl Statistics {
    fn shortened(mut self) -> Self {
        self.why_compiled = self.why_compiled.map(|why| shortened(why, MAX_REASON));
        self
    }
}

/// Where the machine code of a component came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// The runner compiled the component.
    #[default]
    Compiled,
    /// The submitter had it compiled, and the runner loaded that.
    Precompiled,
    /// The runner had used the same component before, in the same process.
    Reused,
}
