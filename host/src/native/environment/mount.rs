//! Mounts of host directories and of volumes.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hype_wire::Access;

#[cfg(feature = "kubernetes")]
use crate::environment::sharing::Sharing;
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
use crate::error::{Error, Result};

/// The prefix of the names of transient volumes.
pub(crate) const TRANSIENT_PREFIX: &str = "hype-volume";

/// A mount: its source, its path in the guest, and its access mode. [`HostDirectory`] and [`VolumeRequest`] create it.
///
/// ```
/// let mount = hype::HostDirectory::new("models").mount_read_only("/models");
/// let env = hype::RunEnvironment::new().with_mount(mount.clone());
/// assert_eq!(env.mounts(), [mount]);
/// ```
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

/// The source of a mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    Directory(PathBuf),
    Volume(VolumeRequest),
}

/// A directory of the machine on which the closure runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostDirectory(PathBuf);

impl HostDirectory {
    /// Names the directory at `path`. A relative path is resolved against this program's working directory.
    ///
    /// ```
    /// let directory = hype::HostDirectory::new("models");
    /// assert_ne!(directory.mount_read_only("/models"), directory.mount_read_write("/models"));
    /// ```
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self(path.as_ref().to_owned())
    }

    /// Mounts the directory at the absolute path `path` of the guest, for reading.
    ///
    /// ```
    /// let mount = hype::HostDirectory::new("models").mount_read_only("/models");
    /// let env = hype::RunEnvironment::new().with_mount(mount);
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { mounts: ["/models:ro"] }"#);
    /// ```
    pub fn mount_read_only(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Directory(self.0.clone()), path, Access::ReadOnly)
    }

    /// Mounts the directory at the absolute path `path` of the guest, for reading and writing.
    ///
    /// ```
    /// let mount = hype::HostDirectory::new("results").mount_read_write("/results");
    /// let env = hype::RunEnvironment::new().with_mount(mount);
    /// assert_eq!(format!("{env:?}"), r#"RunEnvironment { mounts: ["/results"] }"#);
    /// ```
    pub fn mount_read_write(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Directory(self.0.clone()), path, Access::ReadWrite)
    }
}

/// A request for a volume: its storage class, its size and its lifetime. The runner creates the volume when it is first
/// used.
///
/// Clones request the same volume.
#[derive(Clone, PartialEq, Eq)]
pub struct VolumeRequest(Arc<VolumeSpec>);

#[derive(Clone, PartialEq, Eq)]
struct VolumeSpec {
    name: String,
    storage_class: String,
    size: String,
    is_transient: bool,
    #[cfg(feature = "kubernetes")]
    sharing: Sharing,
}

impl VolumeRequest {
    /// Requests a new volume of this storage class and size, in Kubernetes' notation (`"10Gi"`). It is created when it
    /// is first used, and removed when the submitter closes.
    ///
    /// ```
    /// let scratch = hype::VolumeRequest::transient("standard", "10Gi");
    /// assert!(scratch.is_transient() && scratch.name().starts_with("hype-volume-"));
    /// ```
    pub fn transient(storage_class: impl Into<String>, size: impl Into<String>) -> Self {
        let name = crate::names::unique_name(TRANSIENT_PREFIX);
        Self::new(name, storage_class, size, true)
    }

    /// Requests the volume called `name`. It is created if it doesn't exist, and kept until a user removes it. An
    /// existing volume of another class or size is an error.
    ///
    /// ```
    /// let scores = hype::VolumeRequest::persistent("scores", "standard", "10Gi");
    /// assert_eq!((scores.name(), scores.storage_class(), scores.size()), ("scores", "standard", "10Gi"));
    /// ```
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
        Self(Arc::new(VolumeSpec {
            name,
            storage_class,
            size,
            is_transient,
            #[cfg(feature = "kubernetes")]
            sharing: Sharing::default(),
        }))
    }

    /// Returns the request after `change` has changed its sharing.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn change_sharing(&self, change: impl FnOnce(&mut Sharing)) -> Self {
        let mut spec = VolumeSpec::clone(&self.0);
        change(&mut spec.sharing);
        Self(Arc::new(spec))
    }

    /// Returns the sharing of the volume in a cluster.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn sharing(&self) -> &Sharing {
        &self.0.sharing
    }

    /// Returns the volume's name, which is generated for a transient volume.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Returns the storage class.
    pub fn storage_class(&self) -> &str {
        &self.0.storage_class
    }

    /// Returns the size, in Kubernetes' notation.
    pub fn size(&self) -> &str {
        &self.0.size
    }

    /// Returns whether the volume is removed when the submitter closes.
    pub fn is_transient(&self) -> bool {
        self.0.is_transient
    }

    /// Mounts the volume at the absolute path `path` of the guest, for reading.
    ///
    /// ```
    /// let scores = hype::VolumeRequest::persistent("scores", "standard", "10Gi");
    /// let env = hype::RunEnvironment::new().with_mount(scores.mount_read_only("/scores"));
    /// assert_eq!(env.mounts().len(), 1);
    /// ```
    pub fn mount_read_only(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Volume(self.clone()), path, Access::ReadOnly)
    }

    /// Mounts the volume at the absolute path `path` of the guest, for reading and writing.
    ///
    /// ```
    /// let scores = hype::VolumeRequest::persistent("scores", "standard", "10Gi");
    /// assert_ne!(scores.mount_read_write("/scores"), scores.mount_read_only("/scores"));
    /// ```
    pub fn mount_read_write(&self, path: impl Into<String>) -> VolumeMount {
        mount(Source::Volume(self.clone()), path, Access::ReadWrite)
    }
}

/// Checks for runners.
#[cfg(any(feature = "local", feature = "docker", feature = "kubernetes"))]
impl VolumeRequest {
    /// Checks that the name is valid for a directory, a Docker volume and a claim in a cluster.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when it isn't.
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
    fn check_name_rejects_paths_and_invalid_names() {
        for name in ["", "..", "a/b", "A", "-a", &"a".repeat(64)] {
            let request = VolumeRequest::persistent(name, "ssd", "1Gi");
            let error = request.check_name().unwrap_err().to_string();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
        assert!(VolumeRequest::persistent("my-volume-2", "ssd", "1Gi").check_name().is_ok());
        assert!(VolumeRequest::transient("ssd", "1Gi").check_name().is_ok());
    }
}
