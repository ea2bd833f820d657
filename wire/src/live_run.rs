use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::run_id::RunId;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// The entry of a run in the index of live runs, at [`names::live`](crate::names::live).
///
/// The owner writes it together with the first lease, so that programs list the runs in progress without listing those
/// that have ended. It is a hint: an entry may remain when its run is gone.
///
/// ```
/// use std::time::Duration;
///
/// use hype_wire::LiveRun;
///
/// let mut entry = LiveRun::new("run-1".parse().unwrap(), "greet", "greet.wasm");
/// entry.set_age(Duration::from_secs(5));
/// let read = LiveRun::from_bytes(&entry.to_bytes()?)?;
/// assert_eq!((read.function.as_str(), read.age()), ("greet", Duration::from_secs(5)));
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveRun {
    /// The format of the entry.
    pub format: u32,
    /// The version of hype that wrote the entry.
    pub hype: String,
    /// The run's name.
    pub run_id: RunId,
    /// The function's name, for messages.
    pub function: String,
    /// The component's name, for messages.
    pub component: String,
    /// The location of the run, as its manifest records it; `None` for a run in the submitter's process, or before the
    /// location is known.
    #[serde(default)]
    pub place: Option<String>,
    /// The age of the run when the entry was written, in milliseconds.
    pub age_ms: u64,
}

impl LiveRun {
    /// The maximum size of an encoded entry, in bytes.
    pub const MAX_SIZE: u64 = 64 << 10;

    /// Creates the entry of a new run in the current format.
    pub fn new(run_id: RunId, function: impl Into<String>, component: impl Into<String>) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id,
            function: function.into(),
            component: component.into(),
            place: None,
            age_ms: 0,
        }
    }

    /// Sets the age of the run.
    pub fn set_age(&mut self, age: Duration) {
        self.age_ms = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
    }

    /// Returns the age of the run when the entry was written.
    pub fn age(&self) -> Duration {
        Duration::from_millis(self.age_ms)
    }

    /// Encodes the entry.
    ///
    /// # Errors
    ///
    /// Returns an error if the entry exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Decodes an entry, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not an entry, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for LiveRun {
    const OBJECT: &'static str = "entry of a live run";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build this program with hype {hype} or later";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
