use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::digest::Digest;
use crate::error::WireError;
use crate::powers::Powers;
use crate::version::{HYPE_VERSION, Versioned, WIRE_FORMAT, read, write};

/// All that a runner needs to know of a run, written by the submitter before it starts.
///
/// It stands at [`names::manifest`](crate::names::manifest). The digest of its bytes, handed to
/// the runner by a trusted way, vouches for everything in it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunManifest {
    /// The format that this is written in.
    pub format: u32,
    /// The version of hype that wrote it.
    pub hype: String,
    /// The run's name, unique in its stage.
    pub run_id: String,
    /// What holds the function.
    pub component: ComponentRef,
    /// Machine code that was made of the component for one platform, if any was.
    #[serde(default)]
    pub artefact: Option<Artefact>,
    /// Which function to call, as the component knows it.
    pub function: String,
    /// A MessagePack array with one element for each parameter.
    pub arguments: Payload,
    /// Environment variables that the guest sees.
    pub env: BTreeMap<String, String>,
    /// Staged files that the guest sees, read-only.
    pub files: Vec<File>,
    /// Directories that the guest sees, read-only, whether or not staged files are in them. One that
    /// holds a file need not be named.
    #[serde(default)]
    pub directories: Vec<String>,
    /// Directories of the runner's machine that the guest sees.
    pub mounts: Vec<Mount>,
    /// What the run may use.
    pub limits: Limits,
    /// What the guest's random numbers follow from, where its runs are to be alike; its clock then is its
    /// own.
    #[serde(default)]
    pub seed: Option<u64>,
    /// What the guest may do beyond computing.
    #[serde(default)]
    pub powers: Powers,
    /// Where its submitter's runner starts it, as that names places; none if it runs inside its
    /// submitter's process. For whoever attaches, and not to be trusted by them.
    #[serde(default)]
    pub place: Option<String>,
}

impl RunManifest {
    /// How many bytes one can have. A file takes some hundred of them, so that this is room for
    /// more than 50,000 files.
    pub const MAX_SIZE: u64 = 16 << 20;

    /// A manifest with the defaults of this version: no files, no mounts, no limits.
    pub fn new(
        run_id: impl Into<String>,
        component: ComponentRef,
        function: impl Into<String>,
        arguments: Payload,
    ) -> Self {
        Self {
            format: WIRE_FORMAT,
            hype: HYPE_VERSION.to_owned(),
            run_id: run_id.into(),
            component,
            artefact: None,
            function: function.into(),
            arguments,
            env: BTreeMap::new(),
            files: Vec::new(),
            directories: Vec::new(),
            mounts: Vec::new(),
            limits: Limits::default(),
            seed: None,
            powers: Powers::default(),
            place: None,
        }
    }

    /// The blobs that the run needs.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let artefact = self.artefact.iter().map(|artefact| artefact.blob);
        let files = self.files.iter().map(|file| file.blob);
        [self.component.blob].into_iter().chain(artefact).chain(files)
    }

    /// Its bytes, as they are staged.
    ///
    /// # Errors
    ///
    /// When it names so many files, mounts and variables that no runner would read it.
    pub fn to_bytes(&self) -> Result<Vec<u8>, WireError> {
        write(self)
    }

    /// Reads a staged manifest, in any format that this version knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, WireError> {
        read(bytes)
    }
}

impl Versioned for RunManifest {
    const WHAT: &'static str = "run manifest";
    const MAX_SIZE: u64 = Self::MAX_SIZE;
    const IF_NEWER: &'static str =
        "use a runner of hype {hype} or later (image spotify/hype:{hype})";
    const IF_OLDER: &'static str = "build the submitting program with a newer hype";
}

/// A staged component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRef {
    /// What people call it, for messages: `wordcount.wasm`.
    pub name: String,
    /// Its bytes.
    pub blob: Blob,
}

/// Staged machine code of a component. It is loaded only by the word of a verified manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// The platform that it was made for, as the executor names it: `x86_64-v3`.
    pub platform: String,
    /// Its bytes.
    pub blob: Blob,
}

/// An immutable staged object, named by its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// The digest of its bytes.
    pub digest: Digest,
    /// How many bytes it has.
    pub size: u64,
}

impl Blob {
    /// The blob that has these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self { digest: Digest::of(bytes), size: bytes.len() as u64 }
    }
}

/// Some bytes of a run: small ones travel along, large ones are staged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Payload {
    /// The bytes themselves.
    Inline(Bytes),
    /// An object of the stage.
    Staged {
        /// The object's name in the stage.
        name: String,
        /// What it holds.
        blob: Blob,
    },
}

impl Payload {
    /// Up to how many bytes a payload travels along.
    pub const INLINE_LIMIT: usize = 64 << 10;

    /// How many bytes one can have: a guest's memory, of which it is a part, has no more.
    pub const MAX_SIZE: u64 = 4 << 30;

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        match self {
            Self::Inline(bytes) => bytes.len() as u64,
            Self::Staged { blob, .. } => blob.size,
        }
    }
}

/// A staged file and the place where the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The absolute path in the guest.
    pub path: String,
    /// Its bytes.
    pub blob: Blob,
}

/// A directory of the runner's machine and the place where the guest sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path on the runner's machine.
    pub source: String,
    /// The absolute path in the guest.
    pub path: String,
    /// What the guest may do there.
    pub access: Access,
}

/// What may be done below a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Only reading.
    ReadOnly,
    /// Reading, writing, creating and removing.
    ReadWrite,
}

/// What a run may use; `None` leaves it to the runner's own bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// How long the function may run, in milliseconds; making its machine code counts too.
    pub timeout_ms: Option<u64>,
    /// How much linear memory it may have, in bytes.
    pub memory: Option<u64>,
    /// How large its value may be, in bytes.
    #[serde(default)]
    pub result: Option<u64>,
    /// How much its `/tmp` may hold, in bytes.
    #[serde(default)]
    pub tmp: Option<u64>,
    /// How large the body of an HTTP request or of its answer may be, in bytes.
    #[serde(default)]
    pub http_body: Option<u64>,
}

impl Limits {
    /// How long the function may run.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}
