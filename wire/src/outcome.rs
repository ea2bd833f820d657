use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::bytes::Bytes;
use crate::call::Payload;
use crate::error::WireError;
use crate::failure::Failure;
use crate::names;
use crate::run_id::RunId;
use crate::shorten::shorten;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// The maximum size of [`Statistics::why_compiled`], in bytes.
const MAX_REASON: usize = 4 << 10;

/// The end of an attempt, written by the runner at [`names::outcome`](crate::names::outcome).
///
/// ```
/// use hype_wire::{Bytes, End, Outcome, Payload, Statistics, codec};
///
/// let value = Payload::Inline(Bytes(codec::to_vec("hello")?));
/// let outcome = Outcome::new("run-1".parse().unwrap(), 1, End::Value(value), Statistics::default());
/// let read = Outcome::from_bytes(&outcome.to_bytes()?)?;
/// let End::Value(Payload::Inline(value)) = read.end else { panic!("not an inline value") };
/// assert_eq!(codec::from_slice::<String>(&value)?, "hello");
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The format of the outcome.
    pub format: u32,
    /// The version of hype that wrote the outcome.
    pub hype: String,
    /// The run's name.
    pub run_id: RunId,
    /// The number of the attempt, counted from 1.
    pub attempt: u32,
    /// A random number that makes the outcome unique. A runner that lost the response to its write
    /// recognizes its own outcome by it.
    #[serde(default)]
    pub nonce: u64,
    /// The value or the failure.
    pub end: End,
    /// The [`ProgramOutput`](crate::ProgramOutput) of a program that ended with a failure, as MessagePack.
    /// The output of one that exited with 0 is its value.
    #[serde(default)]
    pub output: Option<Payload>,
    /// The durations and sizes of the attempt.
    pub statistics: Statistics,
    /// The end of the guest's standard output, at most 64 KiB.
    pub stdout: Bytes,
    /// The end of the guest's standard error, at most 64 KiB.
    pub stderr: Bytes,
    /// The log at [`names::log`](crate::names::log), if the runner keeps logs and the guest wrote more
    /// than `stdout` and `stderr` hold: the first 64 MiB of the output, where the lines of the standard
    /// error begin with [`ERROR_MARK`](crate::ERROR_MARK). The object may be missing if the runner
    /// failed to write it.
    #[serde(default)]
    pub log: Option<Blob>,
}

impl Outcome {
    /// The maximum size of an encoded outcome, in bytes: 64 KiB of value, two times 64 KiB of output,
    /// and a truncated failure. Readers reject larger objects.
    pub const MAX_SIZE: u64 = 1 << 20;

    /// Creates an outcome in the current format. Truncates a failure that is too large.
    pub fn new(run_id: RunId, attempt: u32, end: End, statistics: Statistics) -> Self {
        let (end, statistics) = (end.shortened(), statistics.shortened());
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id,
            attempt,
            nonce: 0,
            end,
            output: None,
            statistics,
            stdout: Bytes::default(),
            stderr: Bytes::default(),
            log: None,
        }
    }

    /// Returns the name of the staged value or output, which is the only object of its own that an outcome
    /// names.
    pub fn staged_result(&self) -> Option<&str> {
        let result = match &self.end {
            End::Value(value) => Some(value),
            End::Failure(_) => self.output.as_ref(),
        };
        match result {
            Some(Payload::Staged { name, .. }) => Some(name),
            _ => None,
        }
    }

    /// Returns the value, or the output of a program that failed.
    pub fn result_mut(&mut self) -> Option<&mut Payload> {
        match &mut self.end {
            End::Value(value) => Some(value),
            End::Failure(_) => self.output.as_mut(),
        }
    }

    /// Returns the name of its object in the stage: that of its attempt for a failure of the machinery, since another attempt may
    /// still succeed, or else that of the run.
    pub fn name(&self) -> String {
        match &self.end {
            End::Failure(failure) if failure.kind.is_infrastructure() => {
                names::attempt_outcome(&self.run_id, self.attempt)
            }
            _ => names::outcome(&self.run_id),
        }
    }

    /// Encodes the outcome.
    ///
    /// # Errors
    ///
    /// Returns an error if the outcome exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Decodes an outcome, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not an outcome, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        let mut outcome: Self = read(bytes)?;
        outcome.end = outcome.end.shortened();
        outcome.statistics = outcome.statistics.shortened();
        Ok(outcome)
    }
}

impl Versioned for Outcome {
    const OBJECT: &'static str = "outcome";
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
    /// The failure, if there is no value.
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

/// The durations and sizes of an attempt. Durations are in microseconds, sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Statistics {
    /// The time to read manifest, component, arguments and files from the stage or the runner's cache.
    pub fetch_us: u64,
    /// The time to compile the component, or to load its machine code.
    pub compile_us: u64,
    /// The time to set up the sandbox and to instantiate the component.
    pub start_us: u64,
    /// The time of the call.
    pub run_us: u64,
    /// The processor time of the call; zero if it is unknown.
    pub cpu_us: u64,
    /// The time to write the result to the stage.
    pub upload_us: u64,
    /// The guest's peak linear memory.
    pub peak_memory: u64,
    /// The number of bytes read from the stage, without the manifest and without cache hits.
    pub fetched: u64,
    /// The number of bytes written to the stage, without the outcome.
    pub uploaded: u64,
    /// The source of the machine code.
    pub code: Code,
    /// The reason why staged machine code was not used.
    pub why_compiled: Option<String>,
}

impl Statistics {
    pub(crate) fn shortened(mut self) -> Self {
        self.why_compiled = self.why_compiled.map(|why| shorten(why, MAX_REASON));
        self
    }
}

/// The source of a component's machine code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Code {
    /// The runner compiled the component.
    #[default]
    Compiled,
    /// The submitter compiled the component, and the runner loaded the machine code.
    Precompiled,
    /// The runner had loaded the component before, in the same process.
    Reused,
}
