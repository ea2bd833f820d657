//! Directories that a closure sees.

use std::path::{Path, PathBuf};

use hype_wire::Access;

/// A place in the guest, what stands there, and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    pub(crate) directory: PathBuf,
    pub(crate) path: String,
    pub(crate) access: Access,
}

/// A directory of the machine that the closure runs on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDirectory(PathBuf);

impl HostDirectory {
    /// The directory at `path`; a relative path counts from this program's working directory.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// Shows it at `path`, absolute, for reading.
    pub fn mount_read_only(&self, path: impl Into<String>) -> VolumeMount {
        self.mount(path.into(), Access::ReadOnly)
    }

    /// Shows it at `path`, absolute, for reading and writing.
    pub fn mount_read_write(&self, path: impl Into<String>) -> VolumeMount {
        self.mount(path.into(), Access::ReadWrite)
    }

    fn mount(&self, path: String, access: Access) -> VolumeMount {
        VolumeMount { directory: self.0.clone(), path, access }
    }
}
