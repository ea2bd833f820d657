//! Runs closures in this process, by the same function that `hype-run` calls in a container.

use std::collections::{BTreeSet, HashMap};
use std::future::ready;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use hype_run::{CancellationToken, Executor, Output, Request, Stream, Variables};
use hype_stage::Removal;
use hype_wire::Mount;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::host_mounts::HostMounts;
use super::{Attempt, Description, Plan, PlanRequest, Proof, Runner, Voucher, is_driven_here};
use crate::blocking_task::blocking;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::log::{Log, LogStream};

/// How many closures run at once for each core; some of them wait.
const PER_CORE: usize = 8;

/// Runs closures in this process, each in a sandbox of its own. Cloning is cheap.
///
/// What a closure writes to its standard output and error goes to this program's standard error,
/// line by line.
#[derive(Debug, Clone)]
pub struct LocalRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    executor: Executor,
    threads: Threads,
    mounts: HostMounts,
    running: Mutex<HashMap<String, Running>>,
}

/// A closure that runs here.
#[derive(Debug)]
struct Running {
    stop: AbortHandle,
    /// Closed when the closure is gone, by whatever way.
    here: watch::Receiver<()>,
}

impl LocalRunner {
    /// A runner that has compiled nothing yet.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when the machine has no threads left.
    pub fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Ok(Self(Arc::new(Inner {
            executor: Executor::pooled(cores * PER_CORE),
            threads: Threads::start()
                .map_err(|error| Error::runner("cannot start threads for closures", error))?,
            mounts: HostMounts::of_user("LocalRunner"),
            running: Mutex::default(),
        })))
    }

    /// The same with volumes as directories below `directory`, rather than below `hype/volumes` of
    /// the user's data.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_volumes(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.mounts.set_volumes(directory))
    }

    /// The same with secrets as directories below `directory`, rather than below `hype/secrets` of
    /// the user's configuration: the files of the secret `gcp-key` are in `gcp-key` there.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when a clone of this runner is in use.
    pub fn with_secrets(self, directory: impl Into<PathBuf>) -> Result<Self> {
        self.change(|inner| inner.mounts.set_secrets(directory))
    }

    fn change(self, change: impl FnOnce(&mut Inner)) -> Result<Self> {
        let mut inner = Arc::into_inner(self.0)
            .ok_or_else(|| Error::input("a local runner cannot be changed while it is in use"))?;
        change(&mut inner);
        Ok(Self(Arc::new(inner)))
    }
}

impl Runner for LocalRunner {
    fn description(&self) -> Description {
        Description { place: "in this process".to_owned(), outlives_program: false }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(ready(Ok(Plan::on_this_machine())))
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        let mounts = check_commands(env).and_then(|()| self.0.mounts.mounts(env, owned));
        Box::pin(ready(mounts))
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<Voucher>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let threads = inner.threads.0.as_ref().ok_or_else(|| {
                Error::runner("the local runner is shut down", "its threads are gone")
            })?;
            let Attempt { run_id, log, owned, .. } = attempt;
            let request = Request {
                manifest_url: attempt.manifest_url,
                digest: Some(attempt.manifest_digest),
                manifest: attempt.manifest,
                key: Some(attempt.key),
                attempt: attempt.number,
                variables: Variables::none(),
                interrupt: CancellationToken::new(),
            };
            let (inside, here) = watch::channel(());
            let closure = run(Arc::clone(&inner), run_id.clone(), request, log);
            let running = threads.spawn(async move {
                let _inside = inside;
                closure.await
            });
            inner.enter(&run_id, Running { stop: running.abort_handle(), here });
            let (known, id) = (Arc::clone(&inner), run_id.clone());
            owned.enter("the closure in this process", async move {
                known.stop(&id).await;
                Ok(())
            });
            let ended = running.await;
            inner.forget(&run_id);
            ended.map_err(|error| match error.is_cancelled() {
                true => Error::lost(&run_id, "somebody stopped it"),
                false => Error::runner("the local runner broke down", error),
            })?
        })
    }

    fn looks_in(&self, _: &str) -> bool {
        false
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

    fn follow(&self, _: &str, _: Log) -> BoxFuture<'static, ()> {
        Box::pin(ready(()))
    }

    fn remove(&self, run_id: &str, is_orphan: bool) -> BoxFuture<'static, Result<()>> {
        let (inner, run_id) = (Arc::clone(&self.0), run_id.to_owned());
        Box::pin(async move {
            inner.stop(&run_id).await;
            match is_orphan {
                // Nothing tells which volumes were its owner's, but those of all who are gone may go.
                true => inner.collect(Removal::Real).await.map(drop),
                false => Ok(()),
            }
        })
    }

    fn collect<'a>(
        &'a self,
        removal: Removal,
        _kept: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<Vec<String>>> {
        Box::pin(Arc::clone(&self.0).collect(removal))
    }
}

/// Checks that this machine can run the commands that `env` grants, if it grants any.
///
/// # Errors
///
/// [`Input`](crate::ErrorKind::Input) when it can't: the user may make no namespaces, for example.
pub fn check_commands(env: &RunEnvironment) -> Result<()> {
    if env.commands().is_empty() {
        return Ok(());
    }
    hype_run::check_namespaces().map_err(|error| {
        Error::input("this machine cannot run a closure's commands")
            .because(error)
            .hint("run the closure in a container: Submitter::docker()")
    })
}

async fn run(inner: Arc<Inner>, run_id: String, request: Request, log: Log) -> Result<Voucher> {
    let output = Output::new(move |stream, bytes| match stream {
        Stream::Stdout => log.write(LogStream::Stdout, bytes),
        Stream::Stderr => log.write(LogStream::Stderr, bytes),
    });
    let finished = hype_run::run(&inner.executor, &request, output)
        .await
        .map_err(|error| Error::lost(&run_id, error))?;
    Ok(Voucher::Line(finished.line))
}

impl Inner {
    fn running(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self, run_id: &str, running: Running) {
        self.running().insert(run_id.to_owned(), running);
    }

    fn forget(&self, run_id: &str) {
        self.running().remove(run_id);
    }

    /// Stops the closure of a run, if it is here, and waits until it is gone.
    async fn stop(&self, run_id: &str) {
        let Some(Running { stop, mut here }) = self.running().remove(run_id) else { return };
        stop.abort();
        // Nobody sends anything: an error says that it is gone.
        let _ = here.changed().await;
    }

    /// Removes the transient volumes whose owners are gone, and returns their names.
    async fn collect(self: Arc<Self>, removal: Removal) -> Result<Vec<String>> {
        blocking(move || self.mounts.collect(removal)).await
    }
}

/// A runtime that may be dropped anywhere, inside another runtime too.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn start() -> std::io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("hype-local")
            .enable_all()
            .build()?;
        Ok(Self(Some(runtime)))
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}
