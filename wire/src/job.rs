use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::blob::Blob;
use crate::guest_path::GuestPath;
use crate::powers::Powers;

/// A component and the environment of its [`Call`](crate::Call)s.
///
/// A runner prepares a job once and then makes any number of calls, each in a new instance and a new
/// sandbox.
///
/// ```
/// use hype_wire::{Access, Blob, ComponentRef, Job, Mount};
///
/// let blob = Blob::of(b"component");
/// let mut job = Job::new(ComponentRef { name: "greet.wasm".into(), blob });
/// job.env.insert("LANG".into(), "C".into());
/// job.limits.timeout_ms = Some(60_000);
/// job.mounts.push(Mount {
///     source: "/srv/models".into(),
///     path: "/models".parse()?,
///     access: Access::ReadOnly,
/// });
/// assert_eq!(job.blobs().collect::<Vec<_>>(), [blob]);
/// # Ok::<(), hype_wire::WireError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// The component whose functions are called.
    pub component: ComponentRef,
    /// Machine code of the component for one platform, if the submitter compiled it.
    #[serde(default)]
    pub artefact: Option<Artefact>,
    /// The guest's environment variables.
    pub env: BTreeMap<String, String>,
    /// Staged files in the guest, read-only.
    pub files: Vec<File>,
    /// Directories in the guest, read-only and possibly empty. Parent directories of `files` need not
    /// be listed.
    #[serde(default)]
    pub directories: Vec<GuestPath>,
    /// Directories of the runner's machine that are mounted in the guest.
    pub mounts: Vec<Mount>,
    /// The limits of each call.
    pub limits: Limits,
    /// The seed of the guest's random numbers. With a seed the guest's clock is deterministic too;
    /// without one, random numbers and clock are the system's.
    #[serde(default)]
    pub seed: Option<u64>,
    /// The guest's grants beyond computing.
    #[serde(default)]
    pub powers: Powers,
}

impl Job {
    /// Creates a job without files, mounts, limits or powers.
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

    /// Returns the blobs of the component, of its machine code and of the files.
    pub fn blobs(&self) -> impl Iterator<Item = Blob> {
        let artefact = self.artefact.iter().map(|artefact| artefact.blob);
        let files = self.files.iter().map(|file| file.blob);
        [self.component.blob].into_iter().chain(artefact).chain(files)
    }
}

/// A staged component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComponentRef {
    /// The component's name in messages: `wordcount.wasm`.
    pub name: String,
    /// The digest and the size of the component.
    pub blob: Blob,
}

impl ComponentRef {
    /// The maximum size of a component, in bytes. A larger one is rejected before it is read.
    pub const MAX_SIZE: u64 = 512 << 20;
}

/// Staged machine code of a component. A runner loads it only if the manifest is verified.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artefact {
    /// The target platform and the kind of code, as named by the executor: `x86_64-v3`, `x86_64-v3-unchecked`.
    pub platform: String,
    /// The digest and the size of the machine code.
    pub blob: Blob,
}

/// A staged file and its path in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path in the guest.
    pub path: GuestPath,
    /// The digest and the size of the file.
    pub blob: Blob,
}

/// A directory of the runner's machine and its path in the guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// The absolute path on the runner's machine.
    pub source: String,
    /// The path in the guest.
    pub path: GuestPath,
    /// The guest's access to the directory.
    pub access: Access,
}

/// A guest's access to a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Read only.
    ReadOnly,
    /// Read, write, create and remove.
    ReadWrite,
}

/// The limits of a call; `None` means the runner's default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// The timeout of the function in milliseconds, including the compilation of the component.
    pub timeout_ms: Option<u64>,
    /// The maximum linear memory, in bytes.
    pub memory: Option<u64>,
    /// The maximum size of the value, in bytes.
    #[serde(default)]
    pub result: Option<u64>,
    /// The maximum size of `/tmp`, in bytes.
    #[serde(default)]
    pub tmp: Option<u64>,
    /// The maximum size of the body of an HTTP request or response, in bytes.
    #[serde(default)]
    pub http_body: Option<u64>,
}

impl Limits {
    /// Returns the timeout of the function.
    pub fn timeout(&self) -> Option<Duration> {
        self.timeout_ms.map(Duration::from_millis)
    }
}
