//! The runner itself: what it is told, put together with what the daemon says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hype_stage::Removal;
use hype_wire::{Access, Mount, RunKey, names};

use super::container::{self, Bind, Parts};
use super::daemon::{Daemon, Reached};
use super::end::Ended;
use super::endpoint::Endpoint;
use super::image::Images;
use super::key_files::key_files;
use super::limits::Limits;
use super::machine::{platform, user};
use super::reach::{Reach, STAGE, reach};
use super::volumes::Volumes;
use super::{endpoint, following, leftovers, run};
use crate::cleanup::owned::Owned;
use crate::configuration::Configuration;
use crate::environment::RunEnvironment;
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::progress::warn_once;
use crate::run::keys;
use crate::run::log::Log;
use crate::runner::run_place::RunPlace;
use crate::runner::secrets::{Secrets, shown};
use crate::runner::{Attempt, DefaultImages, Runner, StageSecret, Voucher, labels};

/// How much `/tmp` of a container may hold, in bytes: the guest's own, and the files that are staged.
const TMP: u64 = 4 << 30;

/// How long a daemon that went away is waited for: one that is restarted may keep its containers.
const PATIENCE: Duration = Duration::from_secs(30);

/// How many of its last lines are told of a container that left no outcome.
const SAID: usize = 5;

/// Runs closures in containers of a Docker daemon, each in one of its own. Cloning is cheap.
///
/// The daemon is that which the `docker` command would use. What a closure writes to its standard
/// output and error goes to this program's standard error, line by line, while it runs.
#[derive(Debug, Clone)]
pub struct DockerRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    daemon: Daemon,
    default_images: DefaultImages,
    images: Images,
    volumes: Volumes,
    secrets: Secrets,
    tmp: u64,
    patience: Duration,
}

impl DockerRunner {
    /// A runner for the daemon that the `docker` command would use: that of `DOCKER_HOST`, of
    /// `DOCKER_CONTEXT`, of the context that was chosen, or the system's. Nothing is asked of it yet.
    ///
    /// Its image is that of `HYPE_IMAGE`, of `hype.toml`, or `spotify/hype` of this version, where
    /// neither closure nor environment names one; that with the tag `-debian`, where the environment grants
    /// commands.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when these name something that isn't there, or a way to a
    /// daemon that hype doesn't know.
    pub fn new() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::of(endpoint::find(variable, dirs::home_dir().as_deref())?)
    }

    /// The same for the daemon at `host`, written as in `DOCKER_HOST`: `unix:///path/of/socket` or
    /// `tcp://host:port`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when that is a way to a daemon that hype doesn't know, or
    /// `hype.toml` can't be read.
    pub fn at(host: &str) -> Result<Self> {
        Self::of(endpoint::at(host)?)
    }

    fn of(endpoint: Endpoint) -> Result<Self> {
        Ok(Self(Arc::new(Inner {
            daemon: Daemon::new(endpoint, PATIENCE),
            default_images: DefaultImages::new(Configuration::here()?.image),
            images: Images::default(),
            volumes: Volumes::default(),
            secrets: Secrets::of_user("DockerRunner::with_secrets(\"/path\")"),
            tmp: TMP,
            patience: PATIENCE,
        })))
    }

    /// The same with secrets as directories below `directory`, rather than below `hype/secrets` of
    /// the user's configuration: the files of the secret `gcp-key` are in `gcp-key` there.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_secrets(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.secrets.set_directory(directory.into()))
    }

    /// The same with containers whose `/tmp`, which is memory, holds up to so many bytes, rather than
    /// 4 GiB: the closure's own files there, and those that are staged for it.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_tmp(self, bytes: u64) -> Result<Self> {
        self.change(|inner| inner.tmp = bytes)
    }

    /// The same with so much time, rather than 30 s, for a daemon to come back that went away while
    /// containers ran.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_patience(self, patience: Duration) -> Result<Self> {
        self.change(|inner| {
            inner.patience = patience;
            inner.daemon.set_patience(patience);
        })
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Result<Self> {
        let mut inner = Arc::into_inner(self.0)
            .ok_or_else(|| Error::input("a Docker runner cannot be changed while it is in use"))?;
        change(&mut inner);
        Ok(Self(Arc::new(inner)))
    }
}

impl Runner for DockerRunner {
    fn place(&self) -> String {
        "in Docker".to_owned()
    }

    fn image(&self, named: Option<&str>, env: &RunEnvironment) -> Option<String> {
        Some(self.0.default_images.image(named, env).to_owned())
    }

    fn platform<'a>(&'a self, _: &'a RunEnvironment) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async { Ok(platform(self.0.daemon.reach().await?)) })
    }

    fn check_stage<'a>(
        &'a self,
        url: &'a str,
        _env: &'a RunEnvironment,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            let place = self.0.daemon.reach().await?.place;
            reach(url, place, |name| std::env::var(name).ok()).map(drop)
        })
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(self.0.mounts(env, owned))
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.run(&attempt).await })
    }

    fn outlives_program(&self) -> bool {
        true
    }

    fn place_of<'a>(&'a self, _: &'a RunEnvironment) -> BoxFuture<'a, Result<Option<String>>> {
        Box::pin(async {
            let Reached { machine, address, .. } = self.0.daemon.reach().await?;
            let (machine, address) = (machine.clone(), address.clone());
            Ok(Some(RunPlace::Docker { machine, address }.to_string()))
        })
    }

    /// One daemon has many addresses, and a machine may have more than one: it is looked for here whatever these are.
    fn looks_in(&self, place: &str) -> bool {
        matches!(RunPlace::read(place), RunPlace::Docker { .. })
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            leftovers::is_alive(self.0.daemon.reach_patiently().await?, run_id).await
        })
    }

    fn key<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<RunKey>>> {
        Box::pin(async {
            match keys::find(run_id) {
                Some(key) => Ok(Some(key)),
                None => leftovers::key(self.0.daemon.reach_patiently().await?, run_id).await,
            }
        })
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(async move {
            let reached = self.0.daemon.reach_patiently().await?;
            following::failure(reached, self.0.patience, run_id).await
        })
    }

    fn follow(&self, run_id: &str, log: Log) -> BoxFuture<'static, ()> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            // Whoever waits for the run is told why that can't be reached.
            let Ok(reached) = inner.daemon.reach_patiently().await else { return };
            following::follow(reached, &run_id, &log).await;
        })
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            leftovers::remove_run(inner.daemon.reach_patiently().await?, &run_id, is_orphan).await
        })
    }

    fn collect<'a>(
        &'a self,
        removal: Removal,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(
            async move { leftovers::collect(self.0.daemon.reach().await?, removal, kept).await },
        )
    }
}

impl Inner {
    async fn mounts(&self, env: &RunEnvironment, owned: &Owned) -> Result<Vec<Mount>> {
        let reached = self.daemon.reach().await?;
        let mut mounts = Vec::new();
        for mount in env.mounts() {
            match &mount.source {
                Source::Volume(request) => self.volumes.make(reached, request, owned).await?,
                Source::Directory(directory) => {
                    bind(reached, directory, &mount.path, mount.access)?;
                }
            }
            mounts.push(in_container(&mount.path, mount.access));
        }
        for (path, name) in env.secrets() {
            self.secret(reached, name, path)?;
            mounts.push(in_container(path, Access::ReadOnly));
        }
        Ok(mounts)
    }

    async fn run(&self, attempt: &Attempt) -> Result<Voucher> {
        let reached = self.daemon.reach().await?;
        let image = self.default_images.image(attempt.image.as_deref(), &attempt.env);
        container::check_paths(attempt)?;
        let reach = reach(stage_url(attempt)?, reached.place, |name| std::env::var(name).ok())?;
        let binds = self.binds(attempt, reached, &reach)?;
        let limits = limits(attempt)?;
        let found = self.images.find(reached, image).await?;
        self.volumes.open(reached, attempt, image).await?;
        let parts = Parts {
            image,
            reach: &reach,
            limits,
            user: user(reached.place, !binds.is_empty()),
            binds,
            key_files: key_files(&self.secrets, attempt, &found),
            tmp: self.tmp,
            expiry: labels::expiry(attempt.env.timeout()),
        };
        let (name, body) = (container::name(attempt), container::body(attempt, parts));
        let end = run::run(reached, attempt, (&name, body), self.patience).await?;
        Ended {
            run_id: &attempt.run_id,
            container: &name,
            image,
            daemon: &reached.address,
            patience: self.patience,
            memory: attempt.env.requests().get("memory").map(String::as_str),
            said: attempt.log.last(SAID),
        }
        .judged(end)
    }

    /// All directories of this machine that the container is shown.
    fn binds(&self, attempt: &Attempt, reached: &Reached, reach: &Reach) -> Result<Vec<Bind>> {
        let mut binds = Vec::new();
        for mount in attempt.env.mounts() {
            if let Source::Directory(directory) = &mount.source {
                binds.push(bind(reached, directory, &mount.path, mount.access)?);
            }
        }
        for (path, name) in attempt.env.secrets() {
            binds.push(self.secret(reached, name, path)?);
        }
        if let Some(StageSecret { name, path }) = &attempt.stage_secret {
            binds.push(self.secret(reached, name, path)?);
        }
        if let Some(directory) = &reach.directory {
            binds.push(bind(reached, directory, STAGE, Access::ReadWrite)?);
        }
        Ok(binds)
    }

    fn secret(&self, reached: &Reached, name: &str, path: &str) -> Result<Bind> {
        bind(reached, &self.secrets.directory(name, path)?, path, Access::ReadOnly)
    }
}

/// The directory of this machine as the container sees it, at `path`.
fn bind(reached: &Reached, directory: &Path, path: &str, access: Access) -> Result<Bind> {
    if !reached.place.is_here {
        return Err(Error::input(format!(
            "the Docker daemon at {} is on another machine and cannot show {} at {path}",
            reached.address,
            directory.display()
        ))
        .hint("stage what is in it: RunEnvironment::with_dir, or with_file"));
    }
    let Mount { source, path, access } = shown(directory, path, access)?;
    Ok(Bind { source, target: path, access })
}

/// A mount whose place in the container is that in the guest.
fn in_container(path: &str, access: Access) -> Mount {
    Mount { source: path.to_owned(), path: path.to_owned(), access }
}

fn stage_url(attempt: &Attempt) -> Result<&str> {
    let url = &attempt.manifest_url;
    let split = names::split_manifest(url).map(|(stage, _)| stage);
    split.ok_or_else(|| Error::input(format!("`{url}` is not the URL of a manifest")))
}

fn limits(attempt: &Attempt) -> Result<Limits> {
    let limits = Limits::of(attempt.env.requests())?;
    for resource in &limits.unknown {
        warn_once(format!(
            "Docker has no resource `{resource}`, and the request for it has no effect"
        ));
    }
    Ok(limits)
}
