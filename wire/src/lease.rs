use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::WireError;
use crate::run_id::RunId;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// The heartbeat of a run's owner, who waits for the run's end and cleans up after it.
///
/// The owner rewrites the lease at [`names::lease`](crate::names::lease) again and again. Readers don't
/// compare clocks: the owner is gone if the lease stays the same for longer than its term.
///
/// ```
/// use std::time::Duration;
///
/// use hype_wire::Lease;
///
/// let mut lease = Lease::new("run-1".parse().unwrap(), "greet", "owner-7", Duration::from_secs(60));
/// let first = lease.to_bytes()?;
/// lease.renewals += 1;
/// assert_ne!(lease.to_bytes()?, first);
/// assert_eq!(Lease::from_bytes(&first)?.term(), Duration::from_secs(60));
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The format of the lease.
    pub format: u32,
    /// The version of hype that wrote the lease.
    pub hype: String,
    /// The run's name.
    pub run_id: RunId,
    /// The function's name, for messages.
    pub function: String,
    /// The name of the owner, unique among all processes.
    pub owner: String,
    /// The number of renewals by this owner.
    pub renewals: u64,
    /// The time without a renewal after which the owner is gone, in milliseconds.
    pub term_ms: u64,
    /// Whether the run is detached. A detached run is kept until the program that attaches to it
    /// removes it.
    pub detached: bool,
}

impl Lease {
    /// The maximum size of an encoded lease, in bytes.
    pub const MAX_SIZE: u64 = 64 << 10;

    /// Creates a lease in the current format.
    pub fn new(
        run_id: RunId,
        function: impl Into<String>,
        owner: impl Into<String>,
        term: Duration,
    ) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id,
            function: function.into(),
            owner: owner.into(),
            renewals: 0,
            term_ms: u64::try_from(term.as_millis()).unwrap_or(u64::MAX),
            detached: false,
        }
    }

    /// Returns the time without a renewal after which the owner is gone.
    pub fn term(&self) -> Duration {
        Duration::from_millis(self.term_ms)
    }

    /// Encodes the lease.
    ///
    /// # Errors
    ///
    /// Returns an error if the lease exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Decodes a lease, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a lease, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for Lease {
    const OBJECT: &'static str = "lease";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "build this program with hype {hype} or later";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
