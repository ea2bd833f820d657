//! The runner: combines the user's configuration with the daemon's information.

mod items;
mod options;

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ContainerCreateBody;
use futures::future::BoxFuture;
use hype_stage::CollectMode;
use hype_wire::{Access, Mount};

use super::container::{self, Bind, ContainerOptions};
use super::daemon::{ConnectedDaemon, Daemon};
use super::end::EndedContainer;
use super::endpoint::Endpoint;
use super::image::Images;
use super::key_files::key_files;
use super::limits::Limits;
use super::machine::{platform, user};
use super::stage_access::stage_access;
use super::stage_mounts::stage_mounts;
use super::volumes::Volumes;
use super::{check, collection, endpoint, foreign_run, leftovers, log_copy, processes, run};
use crate::cleanup::list::CleanupList;
use crate::configuration::{Configuration, Key};
use crate::doctor::Reporter;
use crate::environment::RunEnvironment;
use crate::environment::mount::Source;
use crate::error::{Error, Result};
use crate::progress::warn_once;
use crate::run::key_store::KeyStore;
use crate::run::log::Log;
use crate::runner::mount::{host_mount, same_path_mount};
use crate::runner::run_location::RunLocation;
use crate::runner::secrets::Secrets;
use crate::runner::{
    Attempt, CollectedLeftovers, Completion, DefaultImages, Description, FoundProcesses,
    ItemRunner, LogMode, Plan, PlanRequest, Process, Proof, Runner, StageSecret, labels,
};

/// The default size of a container's `/tmp`, in bytes, for the guest's files and the staged files.
const DEFAULT_TMP_BYTES: u64 = 4 << 30;

/// The default reconnect timeout. A restarted daemon may keep its containers.
const RECONNECT_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs each closure in its own container of a Docker daemon. The items of a map share containers. Cloning is cheap.
///
/// The output of a closure goes to this program's standard error, line by line, while it runs.
///
/// ```no_run
/// # fn main() -> hype::Result<()> {
/// use hype::{DockerRunner, Stage, Submitter};
///
/// let stage = Stage::in_directory("/var/tmp/stage".as_ref())?;
/// let submitter = Submitter::new(stage, DockerRunner::new()?)?;
/// # Ok(())
/// # }
/// ```
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
    reconnect_timeout: Duration,
    /// The container runtime; `None` means the daemon's default.
    runtime: Option<String>,
    keys: KeyStore,
    /// The secret of the stage for programs that name none.
    stage_secret: Option<StageSecret>,
}

impl DockerRunner {
    /// Creates a runner for the daemon that the `docker` command would use: from `DOCKER_HOST`, `DOCKER_CONTEXT`, the
    /// current context, or the system's socket. Sends no request yet.
    ///
    /// If neither closure nor environment names an image, `HYPE_IMAGE` or `hype.toml` does. The default is
    /// `spotify/hype` of this version, with the suffix `-debian` if the environment grants commands. `HYPE_STAGE_SECRET`
    /// or `hype.toml` name the [secret of the stage](crate::Submitter::with_stage_secret) of programs that name none.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if these name a missing context or an unsupported kind of address.
    pub fn new() -> Result<Self> {
        let variable = |name: &str| std::env::var(name).ok();
        Self::of(endpoint::find(variable, dirs::home_dir().as_deref())?)
    }

    /// Creates a runner for the daemon at `host`, written as in `DOCKER_HOST`: `unix:///path/of/socket` or
    /// `tcp://host:port`. Sends no request yet.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if `host` is an unsupported kind of address, or `hype.toml` can't be read.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// let runner = hype::DockerRunner::at("unix:///run/user/1000/docker.sock")?;
    /// assert!(hype::DockerRunner::at("ssh://user@host").is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub fn at(host: &str) -> Result<Self> {
        Self::of(endpoint::at(host)?)
    }

    fn of(endpoint: Endpoint) -> Result<Self> {
        Ok(Self::configured(endpoint, &Configuration::here()?))
    }

    pub(super) fn configured(endpoint: Endpoint, configuration: &Configuration) -> Self {
        Self(Arc::new(Inner {
            daemon: Daemon::new(endpoint, RECONNECT_TIMEOUT),
            default_images: DefaultImages::new(configuration.get(Key::Image)),
            images: Images::default(),
            volumes: Volumes::default(),
            secrets: Secrets::of_user("DockerRunner::with_secrets(\"/path\")"),
            tmp: DEFAULT_TMP_BYTES,
            reconnect_timeout: RECONNECT_TIMEOUT,
            runtime: None,
            keys: KeyStore::of_user(),
            stage_secret: StageSecret::configured(configuration),
        }))
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
        Description { location: "in Docker".to_owned(), outlives_program: true }
    }

    fn check<'a>(&'a self, reporter: &'a Reporter) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let image = self.0.default_images.image(None, &RunEnvironment::new()).to_owned();
            check::check(&self.0.daemon, &self.0.images, &image, reporter).await;
        })
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(self.0.plan(request))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(self.0.mounts(env, cleanup))
    }

    fn run(&self, mut attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            attempt.use_configured_secret(inner.stage_secret.as_ref());
            inner.run(&attempt).await
        })
    }

    fn items(&self) -> Option<&dyn ItemRunner> {
        Some(self)
    }

    /// Accepts every location in Docker: one daemon has many addresses, so they can't be compared.
    fn add_search_location(&self, _: &str, run_location: &str) -> bool {
        matches!(RunLocation::parse(run_location), Ok(RunLocation::Docker { .. }))
    }

    /// Accepts every location: containers are only removed from the daemon that this program named.
    fn check_removable<'a>(&'a self, _run_location: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(std::future::ready(Ok(())))
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            leftovers::is_alive(self.0.daemon.connect_with_retries().await?, run_id).await
        })
    }

    /// Returns the run's key, if this process or another one of this user on this machine started the run.
    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        let of_user = || self.0.keys.find(run_id).map(Proof::Key);
        let proof = Proof::of_this_process(run_id).or_else(of_user);
        Box::pin(std::future::ready(Ok(proof)))
    }

    fn failure<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(async move {
            let daemon = self.0.daemon.connect_with_retries().await?;
            foreign_run::failure(daemon, run_id).await
        })
    }

    fn processes<'a>(&'a self, run_id: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        Box::pin(async move {
            let listed = processes::list(self.0.daemon.connect().await?, run_id).await;
            listed.map(FoundProcesses::from)
        })
    }

    fn copy_log(
        &self,
        run_id: &str,
        attempt: u32,
        log: Log,
        mode: LogMode,
    ) -> BoxFuture<'static, ()> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            // The call that waits for the run reports the outage.
            let Ok(daemon) = inner.daemon.connect_with_retries().await else { return };
            log_copy::copy_log(daemon, &run_id, attempt, &log, mode).await;
        })
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            let daemon = inner.daemon.connect_with_retries().await?;
            leftovers::remove_run(daemon, &run_id, is_orphan).await?;
            inner.keys.delete(&run_id)
        })
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        Box::pin(async move {
            let daemon = self.0.daemon.connect().await?;
            collection::collect(daemon, &self.0.keys, mode, kept).await
        })
    }
}

impl Inner {
    async fn mounts(&self, env: &RunEnvironment, cleanup: &CleanupList) -> Result<Vec<Mount>> {
        let daemon = self.daemon.connect().await?;
        let mut mounts = Vec::new();
        for mount in env.mounts() {
            match &mount.source {
                Source::Volume(request) => self.volumes.ensure(daemon, request, cleanup).await?,
                Source::Directory(directory) => {
                    bind(daemon, directory, &mount.path, mount.access)?;
                }
            }
            mounts.push(same_path_mount(&mount.path, mount.access)?);
        }
        for (path, name) in env.secrets() {
            self.secret(daemon, name, path)?;
            mounts.push(same_path_mount(path, Access::ReadOnly)?);
        }
        Ok(mounts)
    }

    async fn plan(&self, request: PlanRequest<'_>) -> Result<Plan> {
        let daemon = self.daemon.connect().await?;
        let PlanRequest { stage_url, env, image, shares_process } = request;
        stage_access(stage_url, daemon.traits, |name| std::env::var(name).ok())?;
        let (machine, address) = (daemon.machine.clone(), daemon.address.clone());
        Ok(Plan {
            image: Some(self.default_images.image(image, env).to_owned()),
            platform: platform(daemon, shares_process),
            run_location: Some(RunLocation::Docker { machine, address }.to_string()),
            returns_outcome: false,
        })
    }

    async fn run(&self, attempt: &Attempt) -> Result<Completion> {
        let process = &Process::of(attempt);
        let (daemon, body) = self.container(attempt, process).await?;
        self.keep_key(process);
        let end = run::run(daemon, process, &process.name, body, self.reconnect_timeout).await?;
        EndedContainer::of(process, &process.name, daemon).judge(end)
    }

    /// Returns the daemon, and the request that creates a container of `process`. Prepares what the container uses.
    async fn container(
        &self,
        attempt: &Attempt,
        process: &Process,
    ) -> Result<(&ConnectedDaemon, ContainerCreateBody)> {
        let daemon = self.daemon.connect().await?;
        let image = process.image.as_deref().unwrap_or_default();
        container::check_paths(process)?;
        let access =
            stage_access(&process.stage_url, daemon.traits, |name| std::env::var(name).ok())?;
        let mut binds = self.binds(process, daemon)?;
        let limits = limits(&process.env)?;
        let found = self.images.find(daemon, image).await?;
        self.volumes.open_to_all_users(daemon, process, image).await?;
        if access.directory.is_some() {
            binds.extend(stage_mounts(attempt).await?);
        }
        let options = ContainerOptions {
            access: &access,
            limits,
            user: user(daemon.traits, !binds.is_empty()),
            binds,
            key_files: key_files(&self.secrets, process, &found),
            tmp: self.tmp,
            runtime: self.runtime.clone(),
        };
        Ok((daemon, container::body(process, options)))
    }

    /// Keeps the run's key for other processes of this user, until the run is removed.
    fn keep_key(&self, process: &Process) {
        let (keys, run_id) = (self.keys.clone(), process.run_id.clone());
        process.cleanup.register(format!("key of {run_id}"), async move { keys.delete(&run_id) });
        let expiry = process.labels.get(labels::EXPIRY).map(String::as_str).unwrap_or_default();
        if let Err(error) = self.keys.write(&process.run_id, &process.key, expiry) {
            warn_once(format!(
                "the keys of runs cannot be kept for other processes, which cannot verify the outcomes: {error}"
            ));
        }
    }

    /// Returns the bind mounts of the container, except for those of the stage.
    fn binds(&self, process: &Process, daemon: &ConnectedDaemon) -> Result<Vec<Bind>> {
        let mut binds = Vec::new();
        for mount in process.env.mounts() {
            if let Source::Directory(directory) = &mount.source {
                binds.push(bind(daemon, directory, &mount.path, mount.access)?);
            }
        }
        for (path, name) in process.env.secrets() {
            binds.push(self.secret(daemon, name, path)?);
        }
        if let Some(StageSecret { name, path }) = &process.stage_secret {
            let bind = self.secret(daemon, name, path);
            binds.push(bind.map_err(|error| error.concerning_value(Key::StageSecret, name))?);
        }
        Ok(binds)
    }

    fn secret(&self, daemon: &ConnectedDaemon, name: &str, path: &str) -> Result<Bind> {
        bind(daemon, &self.secrets.directory(name, path)?, path, Access::ReadOnly)
    }
}

/// Returns a bind mount of a directory of this machine at `path`.
fn bind(daemon: &ConnectedDaemon, directory: &Path, path: &str, access: Access) -> Result<Bind> {
    if !daemon.traits.is_local {
        return Err(Error::input(format!(
            "the Docker daemon at {} is on another machine and cannot show {} at {path}",
            daemon.address,
            directory.display()
        ))
        .hint("stage what is in it: RunEnvironment::with_dir, or with_file"));
    }
    let Mount { source, path, access } = host_mount(directory, path, access)?;
    Ok(Bind { source, target: path.into(), access })
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
