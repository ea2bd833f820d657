//! Where and with what a closure runs.

pub(crate) mod mount;
#[cfg(feature = "kubernetes")]
pub(crate) mod placement;
#[cfg(feature = "kubernetes")]
pub(crate) mod pod_base;
pub(crate) mod powers;
#[cfg(feature = "kubernetes")]
pub(crate) mod sharing;

pub use self::mount::{HostDirectory, VolumeMount, VolumeRequest};

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hype_wire::{Access, check_guest_path, is_below};

use crate::environment::mount::Source;
#[cfg(feature = "kubernetes")]
use crate::environment::placement::Placement;
use crate::environment::powers::Powers;
use crate::error::{Error, Result};

/// Where and with what a closure runs; nothing that isn't named here reaches it.
///
/// A value that never changes: each `with_*` gives a new one, so that one environment can be the
/// base of many. Cloning is cheap.
///
/// Files, variables, limits, mounts and secrets are named by `with_*`; what a closure may do beyond computing is
/// granted by [`allow_http`](Self::allow_http) and [`allow_command`](Self::allow_command); where a Pod runs is
/// chosen by `with_namespace`, `with_toleration` and others, with the feature `kubernetes`.
///
/// ```
/// use std::time::Duration;
///
/// let base = hype::RunEnvironment::new().with_env("LOG", "info");
/// let quick = base.with_timeout(Duration::from_secs(5));
/// let large = base.with_memory(2 << 30).with_request("cpu", "750m");
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
    retries: u32,
    seed: Option<u64>,
    powers: Powers,
    /// The placement of Pods. An environment has it, rather than the runner, since one environment may ask for a GPU or
    /// a namespace that another one of the same program doesn't; the ancestor's environments could, too.
    #[cfg(feature = "kubernetes")]
    placement: Placement,
}

impl RunEnvironment {
    /// An environment that names nothing.
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

    /// What a closure may do beyond computing.
    pub(crate) fn powers(&self) -> &Powers {
        &self.0.powers
    }

    #[cfg(feature = "kubernetes")]
    pub(crate) fn change_placement(&self, change: impl FnOnce(&mut Placement)) -> Self {
        self.change(|env| change(&mut env.placement))
    }

    /// What of it is for Kubernetes alone.
    #[cfg(feature = "kubernetes")]
    pub(crate) fn placement(&self) -> &Placement {
        &self.0.placement
    }

    /// With this container image, where there are containers.
    #[must_use]
    pub fn with_image(&self, image: impl Into<String>) -> Self {
        self.change(|env| env.image = Some(image.into()))
    }

    /// With this request for a resource, in Kubernetes' notation: `("cpu", "750m")`.
    #[must_use]
    pub fn with_request(&self, resource: impl Into<String>, quantity: impl Into<String>) -> Self {
        self.change(|env| drop(env.requests.insert(resource.into(), quantity.into())))
    }

    /// With this environment variable.
    #[must_use]
    pub fn with_env(&self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.change(|env| drop(env.env.insert(name.into(), value.into())))
    }

    /// With the file `source` of this machine, whose content is staged and which the closure sees,
    /// read-only, at the absolute path `path`.
    #[must_use]
    pub fn with_file(&self, source: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.files.insert(path.into(), source.as_ref().to_owned())))
    }

    /// With the directory `source` of this machine, whose content is staged and which the closure
    /// sees, read-only, at the absolute path `path`.
    ///
    /// All that is in it is staged: files with nothing but their bytes, and directories, empty ones
    /// too. Permissions stay behind, since a closure executes no files. Symbolic links are followed
    /// where they stay inside the directory.
    #[must_use]
    pub fn with_dir(&self, source: impl AsRef<Path>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.dirs.insert(path.into(), source.as_ref().to_owned())))
    }

    /// With this mount.
    #[must_use]
    pub fn with_mount(&self, mount: VolumeMount) -> Self {
        self.change(|env| env.mounts.push(mount))
    }

    /// With the secret called `name`, whose files the closure sees, read-only, below the absolute
    /// path `path`. On a cluster it is a Secret of Kubernetes'; in this process a directory (see
    /// `LocalRunner::with_secrets`).
    #[must_use]
    pub fn with_secret(&self, name: impl Into<String>, path: impl Into<String>) -> Self {
        self.change(|env| drop(env.secrets.insert(path.into(), name.into())))
    }

    /// With this much time for the closure, from the start of its sandbox to its end. If its runner
    /// has to compile the component first, that counts too.
    #[must_use]
    pub fn with_timeout(&self, timeout: Duration) -> Self {
        self.change(|env| env.timeout = Some(timeout))
    }

    /// With this much linear memory for the closure, in bytes.
    #[must_use]
    pub fn with_memory(&self, bytes: u64) -> Self {
        self.change(|env| env.memory = Some(bytes))
    }

    /// With up to so many further attempts, each after a longer pause, when a run ends for a reason
    /// that the function has no part in. Its own errors are never retried.
    ///
    /// An attempt may have had effects before it was lost: with retries the function runs at least
    /// once, without at most once. It sees which attempt it is in `HYPE_ATTEMPT`.
    #[must_use]
    pub fn with_retries(&self, retries: u32) -> Self {
        self.change(|env| env.retries = retries)
    }

    /// With runs that are all alike, as far as the closure goes: its random numbers follow from `seed`, and
    /// its clock starts at a fixed moment, the first of the year 2000, goes on by a microsecond whenever it
    /// is read, and jumps to the end of whatever the closure sleeps. Files tell no times.
    ///
    /// What it gets from outside is as it comes, and so is the order in which a directory lists its
    /// entries. `HYPE_EXECUTION_ID` names the run. A timeout is of real time.
    #[must_use]
    pub fn deterministic(&self, seed: u64) -> Self {
        self.change(|env| env.seed = Some(seed))
    }

    /// The container image, if one was named.
    pub fn image(&self) -> Option<&str> {
        self.0.image.as_deref()
    }

    /// The requests for resources.
    pub fn requests(&self) -> &BTreeMap<String, String> {
        &self.0.requests
    }

    /// The environment variables.
    pub fn env(&self) -> &BTreeMap<String, String> {
        &self.0.env
    }

    /// The staged files: from their paths in the guest to those of this machine.
    pub fn files(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.files
    }

    /// The staged directories: from their paths in the guest to those of this machine.
    pub fn dirs(&self) -> &BTreeMap<String, PathBuf> {
        &self.0.dirs
    }

    /// The mounts.
    pub fn mounts(&self) -> &[VolumeMount] {
        &self.0.mounts
    }

    /// A volume among the mounts that goes with the submitter.
    pub(crate) fn transient_volume(&self) -> Option<&VolumeRequest> {
        self.mounts().iter().find_map(|mount| match &mount.source {
            Source::Volume(volume) if volume.is_transient() => Some(volume),
            _ => None,
        })
    }

    /// The secrets: from their paths in the guest to their names.
    pub fn secrets(&self) -> &BTreeMap<String, String> {
        &self.0.secrets
    }

    /// How long the closure may run.
    pub fn timeout(&self) -> Option<Duration> {
        self.0.timeout
    }

    /// How much linear memory the closure may have, in bytes.
    pub fn memory(&self) -> Option<u64> {
        self.0.memory
    }

    /// How many further attempts there may be.
    pub fn retries(&self) -> u32 {
        self.0.retries
    }

    /// What the closure's random numbers follow from, where its runs are to be alike.
    pub fn seed(&self) -> Option<u64> {
        self.0.seed
    }

    /// Makes sure that it can be had anywhere at all.
    pub(crate) fn check(&self) -> Result<()> {
        for (name, value) in self.env() {
            if name.is_empty() {
                return Err(Error::input("an environment variable has an empty name"));
            }
            if name.contains(['=', '\0']) || value.contains('\0') {
                return Err(Error::input(format!(
                    "`{name}` cannot be an environment variable: its name must not hold `=`, and \
                     neither it nor its value a zero byte"
                )));
            }
        }
        self.powers().to_wire()?;
        self.check_paths()
    }

    fn check_paths(&self) -> Result<()> {
        let mounts = self.mounts().iter().map(|mount| mount.path.as_str());
        let others = self.secrets().keys().chain(self.dirs().keys()).map(String::as_str);
        let directories: Vec<&str> = mounts.chain(others).collect();
        let files: Vec<&str> = self.files().keys().map(String::as_str).collect();
        for path in directories.iter().chain(&files) {
            check_guest_path(path).map_err(Error::input)?;
        }
        for (index, directory) in directories.iter().enumerate() {
            let others = directories[index + 1..].iter().chain(&["/tmp"]).chain(&files);
            check_apart(directory, others)?;
        }
        for (index, file) in files.iter().enumerate() {
            if overlap(file, "/tmp") {
                return Err(Error::input(format!(
                    "the file `{file}` is in /tmp, which is the closure's own: put it elsewhere"
                )));
            }
            check_apart(file, files[index + 1..].iter())?;
        }
        Ok(())
    }
}

fn check_apart<'a>(path: &str, mut others: impl Iterator<Item = &'a &'a str>) -> Result<()> {
    match others.find(|other| overlap(path, other)) {
        None => Ok(()),
        Some(other) => Err(Error::input(format!(
            "the guest paths `{path}` and `{other}` overlap: put one elsewhere"
        ))),
    }
}

/// A mount as `cargo hype call --mount` takes its end: `/data` or `/data:ro`.
fn shown(mount: &VolumeMount) -> String {
    match mount.access {
        Access::ReadOnly => format!("{}:ro", mount.path),
        Access::ReadWrite => mount.path.clone(),
    }
}

fn overlap(one: &str, other: &str) -> bool {
    is_below(one, other) || is_below(other, one)
}

/// Only what is named; of environment variables the names alone, since values may be secret.
impl fmt::Debug for RunEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("RunEnvironment");
        if let Some(image) = self.image() {
            text.field("image", &image);
        }
        if !self.requests().is_empty() {
            text.field("requests", self.requests());
        }
        if !self.env().is_empty() {
            text.field("env", &self.env().keys().collect::<Vec<_>>());
        }
        if !self.files().is_empty() {
            text.field("files", &self.files().keys().collect::<Vec<_>>());
        }
        if !self.dirs().is_empty() {
            text.field("dirs", &self.dirs().keys().collect::<Vec<_>>());
        }
        if !self.mounts().is_empty() {
            text.field("mounts", &self.mounts().iter().map(shown).collect::<Vec<_>>());
        }
        if !self.secrets().is_empty() {
            text.field("secrets", self.secrets());
        }
        if let Some(timeout) = self.timeout() {
            text.field("timeout", &timeout);
        }
        if let Some(memory) = self.memory() {
            text.field("memory", &memory);
        }
        if self.retries() > 0 {
            text.field("retries", &self.retries());
        }
        if let Some(seed) = self.seed() {
            text.field("seed", &seed);
        }
        if self.http().next().is_some() {
            text.field("http", &self.http().collect::<Vec<_>>());
        }
        if !self.commands().is_empty() {
            text.field("commands", &self.commands());
        }
        #[cfg(feature = "kubernetes")]
        self.placement().show(&mut text);
        text.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::mount::HostDirectory;

    #[test]
    fn one_environment_is_the_base_of_many() {
        let base = RunEnvironment::new().with_env("A", "1");
        let other = base.with_env("B", "2");
        assert_eq!(base.env().len(), 1);
        assert_eq!(other.env().len(), 2);
        assert_eq!(base, RunEnvironment::new().with_env("A", "1"));
    }

    #[test]
    fn values_of_variables_are_not_shown() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new().with_env("TOKEN", "hush").with_image("a/b:1");
        let env =
            env.with_mount(here.mount_read_only("/in")).with_mount(here.mount_read_write("/out"));
        assert_eq!(
            format!("{env:?}"),
            r#"RunEnvironment { image: "a/b:1", env: ["TOKEN"], mounts: ["/in:ro", "/out"] }"#
        );
    }

    #[test]
    fn what_cannot_be_had_is_named() {
        let here = HostDirectory::new(".");
        let env = RunEnvironment::new;
        for (env, named) in [
            (env().with_env("A=B", "1"), "`A=B`"),
            (env().with_mount(here.mount_read_only("data")), "`data`"),
            (env().with_file("x", "/data/../x"), "`/data/../x`"),
            (env().with_file("x", "/tmp/x"), "`/tmp/x`"),
            (
                env()
                    .with_mount(here.mount_read_only("/a"))
                    .with_mount(here.mount_read_write("/a/b")),
                "`/a` and `/a/b`",
            ),
            (
                env().with_mount(here.mount_read_only("/a")).with_file("x", "/a/x"),
                "`/a` and `/a/x`",
            ),
            (env().with_mount(here.mount_read_only("/tmp")), "`/tmp` and `/tmp`"),
            (env().with_file("x", "/a").with_file("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "data"), "`data`"),
            (env().with_dir("x", "/tmp/x"), "`/tmp/x` and `/tmp`"),
            (env().with_dir("x", "/a").with_dir("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "/a").with_file("y", "/a/b"), "`/a` and `/a/b`"),
            (env().with_dir("x", "/a/b").with_file("y", "/a"), "`/a/b` and `/a`"),
            (env().with_dir("x", "/a/b").with_mount(here.mount_read_only("/a")), "`/a` and `/a/b`"),
        ] {
            let error = env.check().unwrap_err().to_string();
            assert!(error.contains(named), "{error}");
        }
        let secret = env().with_mount(here.mount_read_only("/a")).with_secret("key", "/a/b");
        assert!(secret.check().unwrap_err().to_string().contains("`/a` and `/a/b`"));
        let good = env().with_mount(here.mount_read_only("/a")).with_file("x", "/ab/x");
        let good = good.with_dir("x", "/b/dir").with_file("x", "/b/file");
        assert!(good.check().is_ok());
    }
}
