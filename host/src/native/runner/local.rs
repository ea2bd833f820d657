//! Runs closures in this process, through the function that the `hype-run` command calls, too.

mod attempt;
mod items;
mod running;
mod threads;
mod turns;
mod worker_program;

use std::collections::BTreeSet;
use std::future::ready;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use hype_run::{CommandIsolation, CommandRoom, Executor, NoNamespaces, Platform, Target};
use hype_stage::CollectMode;
use hype_wire::Mount;

use self::attempt::{request, run};
use self::running::AllRunning;
use self::threads::Threads;
use super::host_mounts::HostMounts;
use super::{
    Attempt, CollectedLeftovers, Completion, Description, FoundProcesses, ItemRunner, LogMode,
    Plan, PlanRequest, Proof, Runner, is_driven_here, local_check, local_leftovers,
};
use crate::blocking_task::blocking;
use crate::cleanup::list::CleanupList;
use crate::doctor::Reporter;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::log::Log;
use crate::staging::compiler::compiler;

/// The maximum number of concurrent closures for each core. It is above 1 since closures may wait for I/O.
const PER_CORE: usize = 8;

/// The variable that keeps closures in this process instead of worker processes, if its value is 0.
const WORKERS_VARIABLE: &str = "HYPE_LOCAL_WORKERS";

/// Runs closures in this process, each in its own sandbox. Cloning is cheap.
///
/// On Linux, closures run in worker processes, which are this program, started again and taken over before `main`. They
/// end with the last clone of the runner. The variable `HYPE_WORKER` names another program for them, such as `hype-run`, which
/// serves programs that have loaded hype in a library. This process makes the HTTP requests of closures, and starts their
/// commands. Closures run in this process itself where worker processes can't start, or if the variable `HYPE_LOCAL_WORKERS`
/// is 0, and so do those with grants for commands if commands run without a room, or if this process runs as root and the kernel
/// has no Landlock.
///
/// The output of a closure goes to this program's standard error, line by line.
///
/// ```
/// # fn main() -> hype::Result<()> {
/// use hype::{LocalRunner, Stage, Submitter};
///
/// # let directory = tempfile::tempdir().unwrap();
/// # let directory = directory.path();
/// let submitter = Submitter::new(Stage::in_directory(directory)?, LocalRunner::new()?)?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct LocalRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    executor: Executor,
    threads: Threads,
    /// The number of processor cores.
    cores: usize,
    /// The maximum number of concurrent closures.
    slots: usize,
    mounts: HostMounts,
    is_unconfined: bool,
    /// Whether each run has its manifest and its outcome in the stage.
    stages_all: bool,
    running: AllRunning,
}

impl LocalRunner {
    /// Creates a runner with an empty cache of compiled components.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) if no threads can be started. [`Input`](crate::ErrorKind::Input) if `HYPE_WORKER`
    /// names no file.
    pub fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        let slots = cores * PER_CORE;
        let executor = executor(slots)?.with_compiler(compiler().clone());
        let threads = Threads::start(slots)
            .map_err(|error| Error::runner("cannot start threads for closures", error))?;
        Ok(Self(Arc::new(Inner {
            executor,
            threads,
            cores,
            slots,
            mounts: HostMounts::of_user("LocalRunner"),
            is_unconfined: false,
            stages_all: false,
            running: AllRunning::default(),
        })))
    }

    /// Sets the directory of volumes. The default is `hype/volumes` in the user's data directory, on Linux
    /// `~/.local/share`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// let runner = hype::LocalRunner::new()?.with_volumes("/var/tmp/volumes")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_volumes(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.mounts.set_volumes(directory))
    }

    /// Sets the directory of secrets: the files of the secret `gcp-key` are in its subdirectory `gcp-key`. The default
    /// is `hype/secrets` in the user's configuration directory, on Linux `~/.config`.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// let runner = hype::LocalRunner::new()?.with_secrets("/etc/hype/secrets")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_secrets(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.mounts.set_secrets(directory))
    }

    /// Runs the commands that environments grant without a room of namespaces, for machines where users may make none:
    /// a command then reads what this user may read, reaches other processes of this user, and may leave processes
    /// behind. Its system calls, memory and open files stay restricted, and where the kernel has Landlock, so do the
    /// directories that it writes to.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_unconfined_commands(self) -> Result<Self> {
        let mut inner = self.into_inner()?;
        inner.executor = inner.executor.with_commands(CommandIsolation::Unconfined);
        inner.is_unconfined = true;
        Ok(Self(Arc::new(inner)))
    }

    /// Writes the manifest and the outcome of each run to the stage, as other runners do. Without this, a run leaves nothing in
    /// the stage while its program waits for it, for its first 5 seconds. This is for tests that look into the stage.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) if a clone of this runner exists.
    ///
    /// ```
    /// # fn main() -> hype::Result<()> {
    /// let runner = hype::LocalRunner::new()?.with_staged_runs()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn with_staged_runs(self) -> Result<Self> {
        self.change(|inner| inner.stages_all = true)
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Result<Self> {
        let mut inner = self.into_inner()?;
        change(&mut inner);
        Ok(Self(Arc::new(inner)))
    }

    fn into_inner(self) -> Result<Inner> {
        Arc::into_inner(self.0)
            .ok_or_else(|| Error::input("a local runner cannot be changed while it is in use"))
    }
}

impl Runner for LocalRunner {
    fn description(&self) -> Description {
        Description { location: "in this process".to_owned(), outlives_program: false }
    }

    fn check<'a>(&'a self, reporter: &'a Reporter) -> BoxFuture<'a, ()> {
        Box::pin(async {
            let room = tokio::task::spawn_blocking(CommandRoom::of_this_machine).await;
            if let Ok(room) = room {
                local_check::check_room(room, self.0.is_unconfined, reporter);
            }
            local_check::check_workers(self.0.worker_refusal().await, reporter);
        })
    }

    fn plan<'a>(&'a self, request: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(async move {
            let powers = request.env.powers().to_wire()?;
            let kind = match self.0.executor.known_code_kind(&powers) {
                Some(kind) => kind,
                None => {
                    let inner = Arc::clone(&self.0);
                    // The first plan starts what workers need. Their connections belong to the runtime of the closures.
                    let kind = async move { inner.executor.code_kind(&powers).await };
                    let kind = self.0.threads.get()?.spawn(kind);
                    let kind = within(request.env.timeout(), kind).await;
                    // Code of this kind runs everywhere. A start that takes too long goes on for later runs.
                    kind.and_then(std::result::Result::ok).unwrap_or_default()
                }
            };
            let platform = Platform::here().map(|platform| Target { platform, kind }.to_string());
            let returns_outcome = !self.0.stages_all;
            Ok(Plan { platform, returns_outcome, ..Plan::on_this_machine() })
        })
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        cleanup: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        let checked = if self.0.is_unconfined { Ok(()) } else { check_commands(env) };
        let mounts = checked.and_then(|()| self.0.mounts.mounts(env, cleanup));
        Box::pin(ready(mounts))
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Completion>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let Attempt { run_id, log, cleanup, unstaged, .. } = &attempt;
            let request = request(&attempt);
            let interrupt = request.interrupt.clone();
            let (log, unstaged) = (log.clone(), unstaged.clone());
            let closure = Box::pin(run(Arc::clone(&inner), run_id.clone(), request, log, unstaged));
            inner.start(run_id, cleanup, interrupt, |_| closure).await
        })
    }

    fn items(&self) -> Option<&dyn ItemRunner> {
        Some(self)
    }

    fn add_search_location(&self, _: &str, _: &str) -> bool {
        false
    }

    /// Accepts every location: this runner removes only runs inside this process.
    fn check_removable<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn is_alive<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(ready(Ok(is_driven_here(run_id))))
    }

    fn proof<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(ready(Ok(Proof::of_this_process(run_id))))
    }

    fn failure<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(ready(Ok(None)))
    }

    /// Returns none: the submitter that drives a run lists it.
    fn processes<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        Box::pin(ready(Ok(FoundProcesses::default())))
    }

    fn copy_log(&self, _: &str, _: u32, _: Log, _: LogMode) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            inner.stop(&run_id).await;
            match is_orphan {
                // Volumes don't name their submitter, so this removes those of all ended submitters.
                true => inner.collect_volumes(CollectMode::Delete).await?.check(),
                false => Ok(()),
            }
        })
    }

    fn collect<'a>(
        &'a self,
        mode: CollectMode,
        _kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        let volumes = Arc::clone(&self.0).collect_volumes(mode);
        Box::pin(async move {
            let mut collected = blocking(move || Ok(local_leftovers::collect(mode))).await?;
            collected.record(volumes.await);
            Ok(collected)
        })
    }
}

/// Checks that this machine can run the commands that `env` grants.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) if `env` grants commands and this machine can't run them, for example since the
/// user may not create namespaces.
///
/// ```
/// # fn main() -> hype::Result<()> {
/// hype::runner::check_commands(&hype::RunEnvironment::new())?;
/// # Ok(())
/// # }
/// ```
pub fn check_commands(env: &RunEnvironment) -> Result<()> {
    if env.commands().is_empty() {
        return Ok(());
    }
    hype_run::check_namespaces().map_err(no_commands)
}

/// Returns the error of a machine that has no room for commands.
pub(super) fn no_commands(refusal: NoNamespaces) -> Error {
    Error::input("this machine cannot run a closure's commands").because(refusal).hint(
        "let this program make user namespaces (docs/closures.md has a profile for AppArmor), run the \
         closure in a container (Submitter::docker()), or run its commands without a room \
         (LocalRunner::with_unconfined_commands())",
    )
}

/// Waits for `work`, at most for `timeout`.
async fn within<T>(timeout: Option<Duration>, work: impl Future<Output = T>) -> Option<T> {
    match timeout {
        Some(timeout) => tokio::time::timeout(timeout, work).await.ok(),
        None => Some(work.await),
    }
}

fn executor(slots: usize) -> Result<Executor> {
    if !has_workers() {
        return Ok(Executor::pooled(slots));
    }
    let executor = Executor::in_workers(slots);
    Ok(match worker_program::configured()? {
        Some(program) => executor.with_worker_program(program),
        None => executor,
    })
}

/// Returns whether closures may run in worker processes.
fn has_workers() -> bool {
    std::env::var_os(WORKERS_VARIABLE).is_none_or(|value| value != "0")
}

impl Inner {
    /// Returns the reason why all closures run in this process, if so.
    async fn worker_refusal(self: &Arc<Self>) -> Option<String> {
        if !has_workers() {
            return Some(format!("{WORKERS_VARIABLE} is 0"));
        }
        let inner = Arc::clone(self);
        let threads = self.threads.get().ok()?;
        let refusal = threads.spawn(async move { inner.executor.worker_refusal().await });
        refusal.await.ok().flatten()
    }

    /// Garbage-collects the transient volumes of ended submitters.
    async fn collect_volumes(self: Arc<Self>, mode: CollectMode) -> Result<CollectedLeftovers> {
        blocking(move || self.mounts.collect(mode)).await
    }
}
