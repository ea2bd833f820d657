use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::powers::Powers;

/// A component and the surroundings that each [`Call`](crate::Call) of its functions sees.
///
/// A runner prepares a job once and then makes any number of calls, each in an instance and a
/// sandbox of its own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The component whose functions are called.
    pub component: ComponentRef,
    /// Machine code that was made of the component for one platform, if any was.
    #[serde(default)]
    pub artefact: Option<Artefact>,
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
    /// Bounds of each call.
    pub limits: Limits,
    /// The seed of the guest's random numbers; the guest's clock then is deterministic, too. `None`
    /// gives real random numbers and the real clock.
    #[serde(default)]
    pub seed: Option<u64>,
    /// Grants of the guest beyond computing.
    #[serde(default)]
    pub powers: Powers,
}

impl Job {
    /// Returns a job with the defaults of this version: no files, no mounts, no limits, no powers.
    pub fn new(component: ComponentRef) -> Self {
        Self {
            component,
            artefact: None,
            env: BTreeMap::new(),
            files: Vec::new(),
            directories: Vec::new(),
            mounts: Vec::new(),
            limits: Limits::default(),
            seed: None,
            powers: Powers::default(),
        }
    }

    /// Returns the blobs that the job needs.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let artefact = self.artefact.iter().map(|artefact| artefact.blob);
        let files = self.files.iter().map(|file| file.blob);
        [self.component.blob].into_iter().chain(artefact).chain(files)
    }
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
