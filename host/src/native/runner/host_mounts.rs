//! The mounts of a runner whose processes are on this machine: volumes and secrets are directories.

use std::path::PathBuf;

use hype_stage::Removal;

use super::secrets::{Secrets, shown};
use super::volumes::Volumes;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::environment::mount::{Source, VolumeMount};
use crate::error::{Error, Result};
use hype_wire::{Access, Mount};

/// Directories of this machine that stand for volumes and secrets, for a runner whose processes are on this
/// machine.
#[derive(Debug)]
pub struct HostMounts {
    volumes: Option<Volumes>,
    secrets: Secrets,
    /// The name of the runner's type.
    runner: &'static str,
}

impl HostMounts {
    /// Returns the directories of this user: volumes below `hype/volumes` of the user's data, secrets below
    /// `hype/secrets` of the user's configuration. `runner` is the name of the runner's type, whose
    /// `with_volumes` and `with_secrets` messages advise.
    pub fn of_user(runner: &'static str) -> Self {
        let volumes = dirs::data_local_dir()
            .map(|directory| Volumes::new(directory.join("hype").join("volumes")));
        let secrets = Secrets::of_user(format!("{runner}::with_secrets(\"/path\")"));
        Self { volumes, secrets, runner }
    }

    /// Keeps volumes below `directory`.
    pub fn set_volumes(&mut self, directory: impl Into<PathBuf>) {
        self.volumes = Some(Volumes::new(directory.into()));
    }

    /// Looks for secrets below `directory`: the files of the secret `gcp-key` are in `gcp-key` there.
    pub fn set_secrets(&mut self, directory: impl Into<PathBuf>) {
        self.secrets.set_directory(directory.into());
    }

    /// Returns the mounts of `env`, with their volumes made. Registers transient volumes with `owned`, the
    /// submitter's.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when one of them can't be had.
    pub fn mounts(&self, env: &RunEnvironment, owned: &Owned) -> Result<Vec<Mount>> {
        let mounts = env.mounts().iter().map(|mount| self.mount(mount, owned));
        let secrets = env.secrets().iter().map(|(path, name)| self.secret(name, path));
        mounts.chain(secrets).collect()
    }

    /// Removes transient volumes whose programs are gone, killed for example, and returns their names.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when they can't be listed or removed.
    pub fn collect(&self, removal: Removal) -> Result<Vec<String>> {
        self.volumes.as_ref().map_or_else(|| Ok(Vec::new()), |volumes| volumes.collect(removal))
    }

    fn mount(&self, mount: &VolumeMount, owned: &Owned) -> Result<Mount> {
        let directory = match &mount.source {
            Source::Directory(directory) => directory.clone(),
            Source::Volume(request) => self.volumes()?.directory(request, owned)?,
        };
        shown(&directory, &mount.path, mount.access)
    }

    fn secret(&self, name: &str, path: &str) -> Result<Mount> {
        shown(&self.secrets.directory(name, path)?, path, Access::ReadOnly)
    }

    fn volumes(&self) -> Result<&Volumes> {
        self.volumes.as_ref().ok_or_else(|| {
            Error::input("this user has no directory for volumes")
                .hint(format!("name one: {}::with_volumes(\"/var/tmp/volumes\")", self.runner))
        })
    }
}
