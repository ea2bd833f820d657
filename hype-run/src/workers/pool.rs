//! The workers of a program, and the choice of a worker for a call.

use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use hype_wire::{ComponentRef, Digest, Failure, FailureKind, Job, Mount, Powers, codec};
use tokio::sync::{Notify, OwnedMutexGuard};

use super::call::Worker;
use super::choice::State;
use super::fork_server::{ForkServer, LoadError, WorkerCode, broken, ready};
use super::job::WorkerJob;
use super::message::{EncodedSetup, Setup};
use super::server_state::{Delay, ServerState};
use super::wall;
use super::worker_end::WorkerEnd;
use super::worker_program::WorkerProgram;
use crate::engine::Platform;
use crate::layout::Layout;
use crate::process::CommandIsolation;
use crate::variables::Variables;

/// The number of fork servers that a request is sent to, if they end before they respond.
const ATTEMPTS: usize = 3;

/// The number of components whose machine code is kept, the most recently used.
const MAX_COMPONENTS: usize = 16;

/// The time that a call waits for the status of a worker that has ended. The status decides the kind of the call's failure,
/// and the fork server may be loading a component for another call.
const END_TIMEOUT: Duration = Duration::from_secs(30);

/// The worker processes of a program. Cloning is cheap; dropping the last clone ends them.
#[derive(Debug, Clone)]
pub(crate) struct Workers(pub(super) Arc<Inner>);

#[derive(Debug)]
pub(super) struct Inner {
    /// The number of workers that are kept for later calls: one for each core.
    pub(super) kept: usize,
    program: Option<WorkerProgram>,
    server: tokio::sync::Mutex<ServerState<ForkServer>>,
    state: Mutex<State<Worker>>,
    /// Notified when a worker becomes idle or ends.
    pub(super) freed: Notify,
    codes: Mutex<Vec<WorkerCode>>,
    /// The components that are being loaded.
    loading: Mutex<HashMap<Digest, Weak<tokio::sync::Mutex<()>>>>,
    /// Whether the fork server has started. It is false also before its first start.
    is_available: AtomicBool,
}

impl Workers {
    /// Creates a pool without workers, which start with the first call. They are processes of `program`, or else of this one.
    pub(crate) fn new(program: Option<PathBuf>) -> Self {
        let kept = std::thread::available_parallelism().map_or(1, Into::into);
        Self(Arc::new(Inner {
            kept,
            program: program.map(WorkerProgram::new),
            server: tokio::sync::Mutex::new(ServerState::New),
            state: Mutex::default(),
            freed: Notify::new(),
            codes: Mutex::default(),
            loading: Mutex::default(),
            is_available: AtomicBool::new(false),
        }))
    }

    /// Returns whether calls with these grants run in workers, if their commands have the isolation `commands`. Starts the fork
    /// server if it has not been started.
    pub(crate) async fn can_run(&self, powers: &Powers, commands: CommandIsolation) -> bool {
        // Machine code for a machine that is none of our platforms is always compiled with checks.
        let is_possible = Platform::here().is_some();
        let has_room = || commands == CommandIsolation::Namespaces && wall::can_share_files();
        let has_place = powers.commands.is_empty() || has_room();
        is_possible && has_place && (self.has_started() || self.start().await.is_ok())
    }

    /// Returns whether the fork server has started, so that calls without grants for commands run in workers.
    pub(crate) fn has_started(&self) -> bool {
        self.0.is_available.load(Ordering::Relaxed)
    }

    /// Returns the reason why this program has no workers, if so. Starts the fork server if it has not been started.
    pub(crate) async fn refusal(&self) -> Option<String> {
        if Platform::here().is_none() {
            return Some("hype compiles no machine code for this processor".to_owned());
        }
        let failure = self.start().await.err()?;
        Some(failure.causes.into_iter().next().unwrap_or(failure.message))
    }

    async fn start(&self) -> Result<(), Failure> {
        let inner = Arc::clone(&self.0);
        // The start ends even if this run is cancelled meanwhile.
        let started = tokio::spawn(async move {
            let mut server = inner.server.lock().await;
            inner.start(&mut server).await.map(drop)
        });
        started.await.unwrap_or_else(|error| Err(unavailable(&error.to_string())))
    }

    /// Returns the machine code of the component with this digest, if it is kept.
    pub(crate) fn loaded(&self, digest: &Digest) -> Option<WorkerCode> {
        let mut codes = self.0.codes();
        let index = codes.iter().position(|code| code.component.blob.digest == *digest)?;
        let code = codes.remove(index);
        codes.push(code.clone());
        Some(code)
    }

    /// Waits for the turn to load the component with this digest, so that concurrent runs load it once.
    pub(crate) async fn turn(&self, digest: &Digest) -> OwnedMutexGuard<()> {
        let turn = {
            let mut loading = self.0.loading.lock().unwrap_or_else(PoisonError::into_inner);
            loading.retain(|_, turn| turn.strong_count() > 0);
            let present = loading.get(digest).and_then(Weak::upgrade);
            present.unwrap_or_else(|| {
                let turn = Arc::default();
                loading.insert(*digest, Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }

    /// Loads the machine code in the sealed `file`. Returns `Ok(Err(reason))` when another version compiled it, or for
    /// another machine.
    ///
    /// # Safety
    ///
    /// As [`Executor::load`](crate::Executor) demands: the file must be the output of [`precompile`](crate::precompile).
    pub(crate) async unsafe fn load(
        &self,
        component: &ComponentRef,
        file: File,
    ) -> Result<Result<WorkerCode, String>, Failure> {
        let code = WorkerCode { component: component.clone(), file: Arc::new(file) };
        match self.with_server(code.clone(), None).await {
            Ok(_) => {
                let mut codes = self.0.codes();
                if codes.len() == MAX_COMPONENTS {
                    codes.remove(0);
                }
                codes.push(code.clone());
                Ok(Ok(code))
            }
            Err(LoadError::Unloadable(reason)) => Ok(Err(reason)),
            Err(LoadError::Failed(failure)) => Err(failure),
        }
    }

    /// Returns the job of `code` with the files in `layout`.
    ///
    /// # Errors
    ///
    /// A failure of the kind `infrastructure` if the job can't be encoded.
    pub(crate) fn job(
        &self,
        code: WorkerCode,
        job: &Job,
        layout: &Layout,
        variables: &Variables,
    ) -> Result<WorkerJob, Failure> {
        let mut of_worker = job.clone();
        // This process ends a call at its deadline.
        of_worker.limits.timeout_ms = None;
        of_worker.artefact = None;
        let roots = layout.roots().iter().map(|root| (root.path.clone(), root.real.clone()));
        let setup = Setup { job: of_worker, roots: roots.collect(), variables: variables.clone() };
        let is_unique = !setup.roots.is_empty();
        let setup = setup.encode();
        let setup =
            setup.map_err(|error| Failure::from_error(FailureKind::Infrastructure, &error))?;
        let key = key(&setup.bytes, &job.mounts)?;
        let memory = job.limits.memory;
        Ok(WorkerJob { workers: self.clone(), code, setup, key, is_unique, memory })
    }

    /// Returns the end of a worker that has ended, if the fork server responds soon.
    pub(super) async fn end_of(&self, number: u64) -> Option<WorkerEnd> {
        let inner = Arc::clone(&self.0);
        // Requests and responses alternate, so a request ends even if its caller is gone.
        let end = tokio::spawn(async move {
            let mut server = inner.server.lock().await;
            let ServerState::Running(running) = &mut *server else { return None };
            match running.end_of(number).await {
                Ok(end) => end,
                Err(_) => {
                    give_up(&mut server);
                    None
                }
            }
        });
        tokio::time::timeout(END_TIMEOUT, end).await.ok()?.ok()?
    }

    /// Loads `code` into the fork server, and forks a worker for `setup`, if any.
    pub(super) async fn with_server(
        &self,
        code: WorkerCode,
        setup: Option<EncodedSetup>,
    ) -> Result<Option<Worker>, LoadError> {
        let inner = Arc::clone(&self.0);
        // Requests and responses alternate, so a request ends even if its run is cancelled meanwhile.
        let request = tokio::spawn(async move { inner.request(&code, setup.as_ref()).await });
        let worker = request.await.unwrap_or_else(|error| {
            let error = io::Error::other(error);
            Err(LoadError::Failed(broken("the request of a worker was abandoned", &error)))
        })?;
        match worker {
            Some(worker) => ready(worker).await.map(Some).map_err(LoadError::Failed),
            None => Ok(None),
        }
    }
}

/// Returns the digest of a setup and of the directories that are its mounts now. A worker can open only the directories
/// that were there when it was forked, whatever has their paths later.
fn key(setup: &[u8], mounts: &[Mount]) -> Result<Digest, Failure> {
    let identity = |mount: &Mount| {
        std::fs::metadata(&mount.source).ok().map(|metadata| (metadata.dev(), metadata.ino()))
    };
    let mounted: Vec<Option<(u64, u64)>> = mounts.iter().map(identity).collect();
    let key = codec::to_vec(&(Digest::of(setup), mounted));
    let key = key.map_err(|error| Failure::from_error(FailureKind::Infrastructure, &error))?;
    Ok(Digest::of(&key))
}

async fn load_and_fork(
    server: &mut ForkServer,
    code: &WorkerCode,
    setup: Option<&EncodedSetup>,
) -> io::Result<Result<Option<Worker>, LoadError>> {
    if let Err(error) = server.load(code).await? {
        return Ok(Err(error));
    }
    let Some(setup) = setup else { return Ok(Ok(None)) };
    let worker = server.fork(Some(&code.component.blob.digest), setup).await?;
    Ok(worker.map(Some).map_err(LoadError::Failed))
}

impl Inner {
    async fn request(
        &self,
        code: &WorkerCode,
        setup: Option<&EncodedSetup>,
    ) -> Result<Option<Worker>, LoadError> {
        let mut server = self.server.lock().await;
        let mut attempts = 0;
        loop {
            let running = self.start(&mut server).await.map_err(LoadError::Failed)?;
            match load_and_fork(running, code, setup).await {
                Ok(ended) => return ended,
                Err(error) => {
                    // Another one loads what calls need.
                    give_up(&mut server);
                    attempts += 1;
                    if attempts == ATTEMPTS {
                        return Err(LoadError::Failed(broken("the fork server ended", &error)));
                    }
                }
            }
        }
    }

    /// Returns the fork server, and starts it if none runs.
    ///
    /// # Errors
    ///
    /// Returns a failure that names the reason if the fork server can't be started.
    async fn start<'a>(
        &self,
        server: &'a mut ServerState<ForkServer>,
    ) -> Result<&'a mut ForkServer, Failure> {
        if server.needs_start(Instant::now()) {
            let started = ForkServer::start(self.program.as_ref()).await;
            self.is_available.store(started.is_ok(), Ordering::Relaxed);
            match started {
                Ok(started) => *server = ServerState::Running(started),
                Err(error) => {
                    *server = server.after_failure(&error, Instant::now());
                    log(server, self.program.is_some());
                    return Err(unavailable(&error.to_string()));
                }
            }
        }
        match server {
            ServerState::Running(server) => Ok(server),
            ServerState::Unavailable(reason) => Err(unavailable(reason)),
            ServerState::Delayed(delay) => Err(unavailable(&delay.reason)),
            ServerState::New | ServerState::Ended => Err(unavailable("it was not started")),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State<Worker>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn codes(&self) -> MutexGuard<'_, Vec<WorkerCode>> {
        self.codes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the idle workers of a job.
    pub(super) fn end_idle(&self, key: &Digest) {
        let mut state = self.state();
        let (ended, kept) =
            std::mem::take(&mut state.idle).into_iter().partition(|(job, _)| job == key);
        state.idle = kept;
        let ended: Vec<(Digest, Worker)> = ended;
        state.live -= ended.len();
        drop(state);
        if !ended.is_empty() {
            self.freed.notify_one();
        }
    }
}

/// Kills a fork server that has ended or doesn't respond.
fn give_up(server: &mut ServerState<ForkServer>) {
    if let ServerState::Running(ended) = std::mem::replace(server, ServerState::Ended) {
        ended.kill();
    }
}

/// Logs that calls run without workers because the first start failed. A program that `is_named` was expected to work.
fn log(state: &ServerState<ForkServer>, is_named: bool) {
    match state {
        ServerState::Unavailable(reason) if is_named => {
            tracing::warn!("calls run in this process, without worker processes: {reason}");
        }
        ServerState::Unavailable(reason) => {
            tracing::debug!("calls run in this process, without worker processes: {reason}");
        }
        ServerState::Delayed(Delay { reason, length, .. }) => tracing::warn!(
            "calls run in this process for {length:?}, without worker processes: {reason}"
        ),
        ServerState::New | ServerState::Running(_) | ServerState::Ended => {}
    }
}

/// Returns the failure of a call whose fork server can't be started.
fn unavailable(reason: &str) -> Failure {
    let what = "cannot start the fork server of this program's worker processes; \
                HYPE_LOCAL_WORKERS=0 runs calls without them";
    Failure { causes: vec![reason.to_owned()], ..Failure::new(FailureKind::Infrastructure, what) }
}

#[cfg(test)]
mod tests {
    use hype_wire::Access;

    use super::*;

    #[test]
    fn key_changes_when_a_mount_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("mounted");
        let mount = Mount {
            source: source.to_str().unwrap().to_owned(),
            path: "/mounted".parse().unwrap(),
            access: Access::ReadOnly,
        };
        let key = || key(b"setup", std::slice::from_ref(&mount)).unwrap();
        let missing = key();
        std::fs::create_dir(&source).unwrap();
        let first = key();
        assert_eq!(first, key());
        std::fs::rename(&source, directory.path().join("first")).unwrap();
        assert_eq!(missing, key());
        std::fs::create_dir(&source).unwrap();
        assert!(first != key() && first != missing);
    }
}
