//! Directories that a closure sees: those of a machine, and volumes that outlive a closure.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hype_wire::Access;

#[cfg(feature = "kubernetes")]
use crate::environment::sharing::Sharing;
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
use crate::error::{Error, Result};

/// The prefix of the names of transient volumes.
pub(crate) const TRANSIENT: &str = "hype-volume";

/// A place in the guest, what stands there, and what may be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VolumeMount {
    pub(crate) source: Source,
    pub(crate) path: String,
    pub(crate) access: Access,
}

#[cfg(feature = "kubernetes")]
impl VolumeMount {
    pub(crate) fn is_volume(&self) -> bool {
        matches!(self.source, Source::Volume(_))
    }
}

/// What a mount shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Directory(PathBuf),
    Volume(VolumeRequest),
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
        mount(Source::Directory(self.0.clone()), path, Access::ReadOnly)
    }

    /// Shows it at `path`, absolute, for reading and writing.
    pub fn mount_read_write(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Directory(self.0.clone()), path, Access::ReadWrite)
    }
}

/// A volume that a runner is asked for: its storage class, its size, and how long it lives.
///
/// Clones are the same volume.
#[derive(Clone, PartialEq, Eq)]
pub struct VolumeRequest(Arc<Request>);

#[derive(Clone, PartialEq, Eq)]
struct Request {
    name: String,
    storage_class: String,
    size: String,
    is_transient: bool,
    #[cfg(feature = "kubernetes")]
    sharing: Sharing,
}

impl VolumeRequest {
    /// A volume of this storage class and size, in Kubernetes' notation (`"10Gi"`), that is made
    /// when it is first used and goes when the submitter closes.
    pub fn transient(storage_class: impl Into<String>, size: impl Into<String>) -> Self {
        let name = crate::names::unique_name(TRANSIENT);
        Self::new(name, storage_class, size, true)
    }

    /// The volume called `name`, which is made if absent and stays until somebody removes it. One
    /// that has another class or size is an error.
    pub fn persistent(
        name: impl Into<String>,
        storage_class: impl Into<String>,
        size: impl Into<String>,
    ) -> Self {
        Self::new(name.into(), storage_class, size, false)
    }

    fn new(
        name: String,
        storage_class: impl Into<String>,
        size: impl Into<String>,
        is_transient: bool,
    ) -> Self {
        let (storage_class, size) = (storage_class.into(), size.into());
        Self(Arc::new(Request {
            name,
            storage_class,
            size,
            is_transient,
            #[cfg(feature = "kubernetes")]
            sharing: Sharing::default(),
        }))
    }

    /// The same volume with what `change` makes of its sharing.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn change_sharing(&self, change: impl FnOnce(&mut Sharing)) -> Self {
        let mut request = Request::clone(&self.0);
        change(&mut request.sharing);
        Self(Arc::new(request))
    }

    /// How it is shared on a cluster.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn sharing(&self) -> &Sharing {
        &self.0.sharing
    }

    /// Its name; a transient volume's is made up.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its storage class.
    pub fn storage_class(&self) -> &str {
        &self.0.storage_class
    }

    /// Its size, in Kubernetes' notation.
    pub fn size(&self) -> &str {
        &self.0.size
    }

    /// Whether it goes when the submitter closes.
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// Shows it at `path`, absolute, for reading.
    pub fn mount_read_only(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Volume(self.clone()), path, Access::ReadOnly)
    }

    /// Shows it at `path`, absolute, for reading and writing.
    pub fn mount_read_write(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Volume(self.clone()), path, Access::ReadWrite)
    }
}

/// What runners ask of it.
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
impl VolumeRequest {
    /// Makes sure that its name can be a directory's, a Docker volume's and a claim's on a cluster.
    pub(crate) fn check_name(&self) -> Result<()> {
        let name = self.name();
        let is_fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !name.is_empty()
            && name.len() <= 63
            && name.chars().all(is_fine)
            && !name.starts_with('-')
        {
            return Ok(());
        }
        Err(Error::input(format!(
            "`{name}` cannot be a volume's name: it must be 1 to 63 lower-case letters, digits and `-`"
        )))
    }
}

impl fmt::Debug for VolumeRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} {}", self.name(), self.storage_class(), self.size())
    }
}

fn mount(source: Source, path: impl Into<String>, access: Access) -> VolumeMount {
    VolumeMount { source, path: path.into(), access }
}

#[cfg(all(test, any(feature = "local", feature = "docker", feature = "kubernetes")))]
mod tests {
    use super::*;

    #[test]
    fn a_volumes_name_is_no_path() {
        for name in ["", "..", "a/b", "A", "-a", &"a".repeat(64)] {
            let request = VolumeRequest::persistent(name, "ssd", "1Gi");
            let error = request.check_name().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        assert!(VolumeRequest::persistent("my-volume-2", "ssd", "1Gi").check_name().is_ok());
        assert!(VolumeRequest::transient("ssd", "1Gi").check_name().is_ok());
    }
}
