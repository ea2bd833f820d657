//! Mounts for runners whose processes are on this machine: volumes and secrets are directories.

use std::path::PathBuf;

use hype_stage::CollectMode;

use super::CollectedLeftovers;
use super::mount::host_mount;
use super::secrets::Secrets;
use super::volumes::Volumes;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::environment::mount::{Source, VolumeMount};
use crate::error::{Error, Result};
use hype_wire::{Access, Mount};

/// Volumes and secrets as directories, for a runner whose processes are on this machine.
///
/// ```
/// use hype::Result;
/// use hype::RunEnvironment;
/// use hype::runner::{CleanupList, HostMounts, Mount};
///
/// /// Implements `Runner::mounts`.
/// fn mounts(host: &HostMounts, env: &RunEnvironment, cleanup: &CleanupList) -> Result<Vec<Mount>> {
///     host.mounts(env, cleanup)
/// }
///
/// let mut host = HostMounts::of_user("MyRunner");
/// host.set_volumes("/var/tmp/volumes");
/// host.set_secrets("/etc/hype/secrets");
/// ```
#[derive(Debug)]
pub struct HostMounts {
    volumes: Option<Volumes>,
    secrets: Secrets,
    /// The name of the runner's type.
    runner: &'static str,
}

impl HostMounts {
    /// Returns the default directories of this user: volumes in `hype/volumes` of the user's data directory, secrets in
    /// `hype/secrets` of the user's configuration directory. Hints name the methods `with_volumes` and `with_secrets`
    /// of the type `runner`.
    pub fn of_user(runner: &'static str) -> Self {
        let volumes = dirs::data_local_dir()
            .map(|directory| Volumes::new(directory.join("hype").join("volumes")));
        let secrets = Secrets::of_user(format!("{runner}::with_secrets(\"/path\")"));
        Self { volumes, secrets, runner }
    }

    /// Sets the directory of volumes.
    pub fn set_volumes(&mut self, directory: impl Into<PathBuf>) {
        self.volumes = Some(Volumes::new(directory.into()));
    }

    /// Sets the directory of secrets: the files of the secret `gcp-key` are in its subdirectory `gcp-key`.
    pub fn set_secrets(&mut self, directory: impl Into<PathBuf>) {
        self.secrets.set_directory(directory.into());
    }

    /// Creates the volumes of `env` and returns all its mounts. Registers transient volumes with `cleanup`, the
    /// submitter's list.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a secret or directory is missing, or a volume exists with another class or
    /// size.
    pub fn mounts(&self, env: &RunEnvironment, cleanup: &CleanupList) -> Result<Vec<Mount>> {
        let mounts = env.mounts().iter().map(|mount| self.mount(mount, cleanup));
        let secrets = env.secrets().iter().map(|(path, name)| self.secret(name, path));
        mounts.chain(secrets).collect()
    }

    /// Garbage-collects the transient volumes of programs that ended without cleanup.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if volumes can't be listed.
    pub fn collect(&self, mode: CollectMode) -> Result<CollectedLeftovers> {
        let none = || Ok(CollectedLeftovers::default());
        self.volumes.as_ref().map_or_else(none, |volumes| volumes.collect(mode))
    }

    fn mount(&self, mount: &VolumeMount, cleanup: &CleanupList) -> Result<Mount> {
        let directory = match &mount.source {
            Source::Directory(directory) => directory.clone(),
            Source::Volume(request) => self.volumes()?.directory(request, cleanup)?,
        };
        host_mount(&directory, &mount.path, mount.access)
    }

    fn secret(&self, name: &str, path: &str) -> Result<Mount> {
        host_mount(&self.secrets.directory(name, path)?, path, Access::ReadOnly)
    }

    fn volumes(&self) -> Result<&Volumes> {
        self.volumes.as_ref().ok_or_else(|| {
            Error::input("this user has no directory for volumes")
                .hint(format!("name one: {}::with_volumes(\"/var/tmp/volumes\")", self.runner))
        })
    }
}
