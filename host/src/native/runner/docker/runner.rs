//! The runner itself: what it is told, put together with what the daemon says.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hype_stage::Removal;
use hype_wire::{Access, Mount};

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
use crate::run::log::Log;
use crate::runner::run_place::RunPlace;
use crate::runner::secrets::{Secrets, shown};
use crate::runner::{
    Attempt, DefaultImages, Description, Plan, PlanRequest, Process, Proof, Runner, StageSecret,
    Voucher,
};

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
    fn description(&self) -> Description {
        Description { place: "in Docker".to_owned(), outlives_program: true }
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(self.0.plan(request))
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
        Box::pin(async move { inner.run(&Process::of(&attempt)).await })
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

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(async {
            if let Some(proof) = Proof::of_this_process(run_id) {
                return Ok(Some(proof));
            }
            let key = leftovers::key(self.0.daemon.reach_patiently().await?, run_id).await?;
            Ok(key.map(Proof::Key))
        })
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(async move {
            let reached = self.0.daemon.reach_patiently().await?;
            following::failure(reached, run_id).await
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

    async fn plan(&self, request: PlanRequest<'_>) -> Result<Plan> {
        let reached = self.daemon.reach().await?;
        let PlanRequest { stage_url, env, image } = request;
        reach(stage_url, reached.place, |name| std::env::var(name).ok())?;
        let (machine, address) = (reached.machine.clone(), reached.address.clone());
        Ok(Plan {
            image: Some(self.default_images.image(image, env).to_owned()),
            platform: platform(reached),
            place: Some(RunPlace::Docker { machine, address }.to_string()),
        })
    }

    async fn run(&self, process: &Process) -> Result<Voucher> {
        let reached = self.daemon.reach().await?;
        let image = process.image.as_deref().unwrap_or_default();
        container::check_paths(process)?;
        let reach = reach(&process.stage_url, reached.place, |name| std::env::var(name).ok())?;
        let binds = self.binds(process, reached, &reach)?;
        let limits = limits(&process.env)?;
        let found = self.images.find(reached, image).await?;
        self.volumes.open(reached, process, image).await?;
        let parts = Parts {
            reach: &reach,
            limits,
            user: user(reached.place, !binds.is_empty()),
            binds,
            key_files: key_files(&self.secrets, process, &found),
            tmp: self.tmp,
        };
        let body = container::body(process, parts);
        let end = run::run(reached, process, (&process.name, body), self.patience).await?;
        let ended = Ended {
            run_id: &process.run_id,
            container: &process.name,
            image,
            daemon: &reached.address,
            memory: process.env.requests().get("memory").map(String::as_str),
            last_lines: process.log.last(SAID),
        };
        ended.judge(end)
    }

    /// All directories of this machine that the container is shown.
    fn binds(&self, process: &Process, reached: &Reached, reach: &Reach) -> Result<Vec<Bind>> {
        let mut binds = Vec::new();
        for mount in process.env.mounts() {
            if let Source::Directory(directory) = &mount.source {
                binds.push(bind(reached, directory, &mount.path, mount.access)?);
            }
        }
        for (path, name) in process.env.secrets() {
            binds.push(self.secret(reached, name, path)?);
        }
        if let Some(StageSecret { name, path }) = &process.stage_secret {
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

fn limits(env: &RunEnvironment) -> Result<Limits> {
    let limits = Limits::of(env.requests())?;
    for resource in &limits.unknown {
        warn_once(format!(
            "Docker has no resource `{resource}`, and the request for it has no effect"
        ));
    }
    Ok(limits)
}
