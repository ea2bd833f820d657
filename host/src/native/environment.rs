//! Run environments: everything that a run has besides its closure.

pub(crate) mod check;
mod debug;
pub(crate) mod mount;
#[cfg(feature = "kubernetes")]
pub(crate) mod placement;
#[cfg(feature = "kubernetes")]
pub(crate) mod pod_base;
pub(crate) mod powers;
#[cfg(feature = "kubernetes")]
pub(crate) mod sharing;

pub use self::mount::{HostDirectory, VolumeMount, VolumeRequest};
pub use self::powers::CommandGrant;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::environment::mount::Source;
#[cfg(feature = "kubernetes")]
use crate::environment::placement::Placement;
use crate::environment::powers::Powers;

/// The environment of a run: files, variables, limits, mounts, secrets and grants. The closure sees nothing that
/// isn't listed here.
///
/// An environment is immutable: each `with_*` and `allow_*` returns a changed copy, so that one environment can be the
/// base of many. Cloning is cheap.
///
/// The methods `with_*` set files, variables, limits, mounts and secrets. [`allow_http`](Self::allow_http) and
/// [`allow_command`](Self::allow_command) grant access beyond the sandbox. With the feature `kubernetes`,
/// `with_namespace`, `with_toleration` and others choose where a Pod runs.
///
/// ```
/// use std::time::Duration;
///
/// let base = hype::RunEnvironment::new().with_env("LOG", "info");
/// let quick = base.with_timeout(Duration::from_secs(5));
/// let large = base.with_memory(2 << 30).with_request("cpu", "750m");
/// assert_eq!(base.timeout(), None);
/// assert_eq!(quick.env(), large.env());
/// ```
#[derive(Clone, Default, PartialEq)]
pub struct RunEnvironment(Arc<Inner>);

#[derive(Clone, Default, PartialEq)]
struct Inner {
    image: Option<String>,
    requests: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
    files: BTreeMap<String, PathBuf>,
    dirs: BTreeMap<String, PathBuf>,
    mounts: Vec<VolumeMount>,
    secrets: BTreeMap<String, String>,
    timeout: Option<Duration>,
    memory: Option<u64>,
    max_value: Option<u64>,
    retries: u32,
    seed: Option<u64>,
    powers: Powers,
    /// The placement of Pods. It belongs to the environment, not to the runner, since two environments of one program
    /// may need different nodes or namespaces.
    #[cfg(feature = "kubernetes")]
    placement: Placement,
}

impl RunEnvironment {
    /// Returns an empty environment.
    ///
    /// ```
    /// assert_eq!(format!("{:?}", hype::RunEnvironment::new()), "RunEnvironment");
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    fn change(&self, change: impl FnOnce(&mut Inner)) -> Self {
        let mut inner = Inner::clone(&self.0);
        change(&mut inner);
        Self(Arc::new(inner))
    }

    pub(crate) fn change_powers(&self, change: impl FnOnce(&mut Powers)) -> Self {
        self.change(|env| change(&mut env.powers))
    }

    /// Returns the granted powers.
    pub(crate) fn powers(&self) -> &Powers {
        &self.0.powers
    }

    #[cfg(feature = "kubernetes")]
    pub(crate) fn change_placement(&self, change: impl FnOnce(&mut Placement)) -> Self {
        self.change(|env| change(&mut env.placement))
    }

    /// Returns the settings that only Kubernetes uses.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn placement(&self) -> &Placement {
        &self.0.placement
    }

    /// Sets the container image. Runs outside containers ignore it.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_image("example.com/team/hype-run:1");
    /// assert_eq!(env.image(), Some("example.com/team/hype-run:1"));
    /// ```
    #[must_use]
    pub fn with_image(&self, image: impl Into<String>) -> Self {
        self.change(|env| env.image = Some(image.into()))
    }

    /// Adds a resource request, in Kubernetes' notation: `("cpu", "750m")`.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_request("cpu", "750m").with_request("memory", "2Gi");
    /// assert_eq!(env.requests()["cpu"], "750m");
    /// ```
    #[must_use]
    pub fn with_request(&self, resource: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.change(|env| drop(env.requests.insert(resource.into(), quantity.into())))
    }

    /// Adds an environment variable.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_env("LOG", "info").with_env("LOG", "debug");
    /// assert_eq!(env.env()["LOG"], "debug");
    /// ```
    #[must_use]
    pub fn with_env(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change(|env| drop(env.env.insert(name.into(), value.into())))
    }

    /// Adds the file `source` of this machine. Its content is staged, and the closure sees it, read-only, at the
    /// absolute path `path`.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_file("models/weights.bin", "/data/weights.bin");
    /// assert!(env.files()["/data/weights.bin"].ends_with("weights.bin"));
    /// ```
    #[must_use]
    pub fn with_file(&self, source: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.files.insert(path.into(), source.as_ref().to_owned())))
    }

    /// Adds the directory `source` of this machine. Its content is staged, and the closure sees it, read-only, at the
    /// absolute path `path`.
    ///
    /// Files are staged with their bytes only, without permissions, since a closure executes no files. Empty
    /// directories are staged, too. Symbolic links are followed if they lead to a path inside the directory; other
    /// links are an error.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_dir("models", "/models");
    /// assert!(env.dirs()["/models"].ends_with("models"));
    /// ```
    #[must_use]
    pub fn with_dir(&self, source: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.dirs.insert(path.into(), source.as_ref().to_owned())))
    }

    /// Adds a mount of a [`HostDirectory`] or a [`VolumeRequest`].
    ///
    /// ```
    /// let volume = hype::VolumeRequest::persistent("scores", "standard", "10Gi");
    /// let env = hype::RunEnvironment::new()
    ///     .with_mount(volume.mount_read_write("/scores"))
    ///     .with_mount(hype::HostDirectory::new("models").mount_read_only("/models"));
    /// assert_eq!(env.mounts().len(), 2);
    /// ```
    #[must_use]
    pub fn with_mount(&self, mount: VolumeMount) -> Self {
        self.change(|env| env.mounts.push(mount))
    }

    /// Adds the secret called `name`. The closure sees its files, read-only, below the absolute path `path`.
    ///
    /// In Kubernetes it is a Secret of the Pod's namespace; in this process it is a directory, see
    /// `LocalRunner::with_secrets`.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_secret("api-key", "/secrets/api");
    /// assert_eq!(env.secrets()["/secrets/api"], "api-key");
    /// ```
    #[must_use]
    pub fn with_secret(&self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.secrets.insert(path.into(), name.into())))
    }

    /// Sets the timeout of each attempt, measured from the start of its sandbox to its end. Compiling the component
    /// counts, if the runner has to do it. If this program compiles it before the run, that may take as long again.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let env = hype::RunEnvironment::new().with_timeout(Duration::from_secs(60));
    /// assert_eq!(env.timeout(), Some(Duration::from_secs(60)));
    /// ```
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.change(|env| env.timeout = Some(timeout))
    }

    /// Sets the maximum size of the closure's linear memory, in bytes.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_memory(512 << 20);
    /// assert_eq!(env.memory(), Some(536_870_912));
    /// ```
    #[must_use]
    pub fn with_memory(&self, bytes: u64) -> Self {
        self.change(|env| env.memory = Some(bytes))
    }

    /// Sets the maximum size of the closure's value, in bytes. A run with a larger value ends with the failure
    /// [`Result`](crate::FailureKind::Result). The default is 2 GiB.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_max_value(1 << 20);
    /// assert_eq!(env.max_value(), Some(1_048_576));
    /// ```
    #[must_use]
    pub fn with_max_value(&self, bytes: u64) -> Self {
        self.change(|env| env.max_value = Some(bytes))
    }

    /// Sets the maximum number of retries of a run that ends because of the infrastructure, such as a lost node. Pauses
    /// between attempts grow (exponential backoff). Errors of the function itself are never retried, except by
    /// [`Map::with_error_retries`](crate::map::Map::with_error_retries).
    ///
    /// An attempt may have had effects before it was lost: with retries the function runs at least once, without
    /// retries at most once. Items of a map that can't change anything outside are retried without being asked. The
    /// closure finds the number of its attempt in the variable `HYPE_ATTEMPT`.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().with_retries(3);
    /// assert_eq!(env.retries(), 3);
    /// ```
    #[must_use]
    pub fn with_retries(&self, retries: u32) -> Self {
        self.change(|env| env.retries = retries)
    }

    /// Makes runs deterministic: the closure's random numbers follow from `seed`. Its clock starts at the beginning of
    /// the year 2000, advances by a microsecond each time it is read, and jumps ahead when the closure sleeps. Files
    /// have no times.
    ///
    /// Input from outside is unchanged, and so is the order in which a directory lists its entries.
    /// `HYPE_EXECUTION_ID` still names the run. A timeout is measured in real time.
    ///
    /// ```
    /// let env = hype::RunEnvironment::new().deterministic(7);
    /// assert_eq!(env.seed(), Some(7));
    /// ```
    #[must_use]
    pub fn deterministic(&self, seed: u64) -> Self {
        self.change(|env| env.seed = Some(seed))
    }

    /// Returns the container image, if one is set.
    pub fn image(&self) -> Option<&str> {
        self.0.image.as_deref()
    }

    /// Returns the resource requests.
    pub fn requests(&self) -> &BTreeMap<String, String> {
        &self.0.requests
    }

    /// Returns the environment variables.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.0.env
    }

    /// Returns the staged files: the paths in the guest, each with its path on this machine.
    pub fn files(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.files
    }

    /// Returns the staged directories: the paths in the guest, each with its path on this machine.
    pub fn dirs(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.dirs
    }

    /// Returns the mounts.
    pub fn mounts(&self) -> &[VolumeMount] {
        &self.0.mounts
    }

    /// Returns the first mounted volume that is removed with its submitter, if there is any.
    pub(crate) fn transient_volume(&self) -> Option<&VolumeRequest> {
        self.mounts().iter().find_map(|mount| match &mount.source {
            Source::Volume(volume) if volume.is_transient() => Some(volume),
            _ => None,
        })
    }

    /// Returns the secrets: the paths in the guest, each with the name of its secret.
    pub fn secrets(&self) -> &BTreeMap<String, String> {
        &self.0.secrets
    }

    /// Returns the timeout of an attempt, if one is set.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.timeout
    }

    /// Returns the maximum size of the closure's value, in bytes, if one is set.
    pub fn max_value(&self) -> Option<u64> {
        self.0.max_value
    }

    /// Returns the maximum size of the closure's linear memory, in bytes, if one is set.
    pub fn memory(&self) -> Option<u64> {
        self.0.memory
    }

    /// Returns the maximum number of retries.
    pub fn retries(&self) -> u32 {
        self.0.retries
    }

    /// Returns the seed of deterministic runs, if one is set.
    pub fn seed(&self) -> Option<u64> {
        self.0.seed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_methods_leave_the_base_unchanged() {
        let base = RunEnvironment::new().with_env("A", "1");
        let other = base.with_env("B", "2");
        assert_eq!(base.env().len(), 1);
        assert_eq!(other.env().len(), 2);
        assert_eq!(base, RunEnvironment::new().with_env("A", "1"));
    }
}
