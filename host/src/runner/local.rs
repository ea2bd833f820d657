//! Runs closures in this process, by the same function that `hype-run` calls in a container.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use futures::future::BoxFuture;
use hype_run::{Executor, Output, Platform, Request};
use hype_wire::{Mount, TerminationLine};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;

use super::{Attempt, Runner};
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::mount::VolumeMount;

/// How many closures run at once for each core; some of them wait.
const PER_CORE: usize = 8;

/// Runs closures in this process, each in a sandbox of its own. Cloning is cheap.
///
/// What a closure writes to its standard output and error goes to this program's standard error.
#[derive(Debug, Clone)]
pub struct LocalRunner(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    executor: Executor,
    threads: Threads,
    turns: Semaphore,
}

impl LocalRunner {
    /// A runner that has compiled nothing yet.
    ///
    /// # Errors
    ///
    /// [`Runner`](crate::ErrorKind::Runner) when the machine can't run WebAssembly or has no
    /// threads left.
    pub fn new() -> Result<Self> {
        let cores = std::thread::available_parallelism().map_or(1, Into::into);
        Ok(Self(Arc::new(Inner {
            executor: Executor::new()
                .map_err(|error| Error::runner("this machine cannot run closures", error))?,
            threads: Threads::start()
                .map_err(|error| Error::runner("cannot start threads for closures", error))?,
            turns: Semaphore::new(cores * PER_CORE),
        })))
    }
}

impl Runner for LocalRunner {
    fn place(&self) -> String {
        "in this process".to_owned()
    }

    fn platform(&self, _: &RunEnvironment) -> Option<String> {
        Platform::here().map(|platform| platform.name().to_owned())
    }

    fn mounts(&self, env: &RunEnvironment) -> Result<Vec<Mount>> {
        env.mounts().iter().map(mount).collect()
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, Result<TerminationLine>> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let running = inner
                .threads
                .0
                .as_ref()
                .map(|threads| threads.spawn(run(Arc::clone(&inner), attempt)));
            let Some(running) = running else {
                return Err(Error::runner("the local runner is shut down", "its threads are gone"));
            };
            let _stop = StopOnDrop(running.abort_handle());
            running.await.map_err(|error| Error::runner("the local runner broke down", error))?
        })
    }
}

async fn run(inner: Arc<Inner>, attempt: Attempt) -> Result<TerminationLine> {
    // The semaphore is never closed.
    let _turn = inner.turns.acquire().await;
    let request = Request {
        manifest_url: attempt.manifest_url,
        digest: Some(attempt.manifest_digest),
        attempt: attempt.number,
    };
    let output = Output::new(|_, bytes| {
        // There is nobody else to tell.
        let _ = std::io::stderr().write_all(bytes);
    });
    let finished = hype_run::run(&inner.executor, &request, output)
        .await
        .map_err(|error| Error::lost(&attempt.run_id, error))?;
    Ok(finished.line)
}

fn mount(mount: &VolumeMount) -> Result<Mount> {
    let directory: &Path = &mount.directory;
    let source = directory.canonicalize().map_err(|error| {
        Error::input(format!("cannot mount {} at {}", directory.display(), mount.path))
            .because(error)
    })?;
    let source = source
        .to_str()
        .ok_or_else(|| Error::input(format!("the path {} is not UTF-8", source.display())))?;
    Ok(Mount { source: source.to_owned(), path: mount.path.clone(), access: mount.access })
}

/// Stops a run that nobody waits for any more.
struct StopOnDrop(AbortHandle);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.abort();
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
