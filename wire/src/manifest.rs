use serde::{Deserialize, Serialize};

use crate::call::Call;
use crate::error::WireError;
use crate::job::Job;
use crate::run_id::RunId;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// The description of a run: one job and one call, written by the submitter before the run starts.
///
/// The manifest is staged at [`names::manifest`](crate::names::manifest). The runner receives its digest
/// over a trusted channel, and so verifies the manifest and all objects that it names.
///
/// ```
/// use hype_wire::{Blob, Bytes, Call, ComponentRef, Job, Payload, RunManifest, codec};
///
/// let component = ComponentRef { name: "greet.wasm".into(), blob: Blob::of(b"component") };
/// let arguments = Payload::Inline(Bytes(codec::array_head(0)));
/// let manifest =
///     RunManifest::new("run-1".parse().unwrap(), Job::new(component), Call::closure("greeter::greet", arguments));
/// assert_eq!(RunManifest::from_bytes(&manifest.to_bytes()?)?, manifest);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// The format of the manifest.
    pub format: u32,
    /// The version of hype that wrote the manifest.
    pub hype: String,
    /// The run's name, unique in its stage.
    pub run_id: RunId,
    /// The component and its environment.
    pub job: Job,
    /// The function and its arguments.
    pub call: Call,
    /// The location where the submitter's runner starts the run: the kind of runner, a colon, and the runner's
    /// name for the location, such as a namespace; `None` for a run in the submitter's process. Attaching
    /// programs use it as a hint and must not trust it.
    #[serde(default)]
    pub place: Option<String>,
}

impl RunManifest {
    /// The maximum size of an encoded manifest, in bytes: enough for more than 50,000 files.
    pub const MAX_SIZE: u64 = 16 << 20;

    /// Creates the manifest of a run that makes `call`.
    pub fn new(run_id: RunId, job: Job, call: Call) -> Self {
        let hype = HYPE_VERSION.to_owned();
        Self { format: WIRE_FORMAT, hype, run_id, job, call, place: None }
    }

    /// Encodes the manifest.
    ///
    /// # Errors
    ///
    /// Returns an error if the manifest exceeds [`MAX_SIZE`](Self::MAX_SIZE).
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Decodes a manifest, in any supported format.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes are not a manifest, or if their format is not supported.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for RunManifest {
    const OBJECT: &'static str = "run manifest";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str = "use hype {hype} or later: a runner (image spotify/hype:{hype}), or a program that attaches";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}
