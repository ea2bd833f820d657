//! The program's side of the fork server.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hype_wire::{ComponentRef, Digest, Failure, FailureKind, HYPE_VERSION};
use rustix::event::Timespec;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use tokio::sync::oneshot;

use super::abandoned::{self, has_ended};
use super::call::Worker;
use super::channel::{AsyncChannel, Channel, Received};
use super::entry;
use super::launch::{Launched, launch};
use super::message::{
    EncodedSetup, FromServer, MAX_MESSAGE, Setup, ToServer, begin, head, no_descriptors,
    sealed_file, split,
};
use super::worker_end::WorkerEnd;
use super::worker_program::WorkerProgram;

/// The timeout for a response, and for a new process to report that it is ready. A machine under load may need seconds.
const TIMEOUT: Duration = Duration::from_secs(30);

/// The machine code of a component, in a sealed file.
#[derive(Debug, Clone)]
pub(crate) struct WorkerCode {
    pub(super) component: ComponentRef,
    pub(super) file: Arc<File>,
}

/// The connection to the fork server, which ends when this is dropped.
#[derive(Debug)]
pub(super) struct ForkServer {
    channel: AsyncChannel,
    launched: Launched,
    /// Whether this program has killed it.
    is_killed: bool,
    /// The directories in which its workers have theirs.
    parents: Vec<PathBuf>,
    /// The process that started the fork server. A fork of it has copies of the descriptors.
    owner: Pid,
    /// The components that it has loaded, the most recently used last.
    loaded: Vec<Digest>,
    buffer: Vec<u8>,
}

/// The number of the next worker of this program. A fork server never knows a number of another one.
static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);

const CANNOT_START: &str = "cannot start a worker process";

/// The number of components that the fork server keeps loaded.
const MAX_COMPONENTS: usize = 16;

impl ForkServer {
    /// Starts `program`, or else this program again, as the fork server.
    ///
    /// # Errors
    ///
    /// When the program can't be started, isn't taken over before its `main`, or this one adopts orphans. The kind is
    /// `Unsupported` if another start would fail for the same reason.
    pub(super) async fn start(program: Option<&WorkerProgram>) -> io::Result<Self> {
        let Some(program) = program else { return Self::start_executable(None).await };
        let started = Self::start_executable(Some(program.path().to_owned())).await;
        started.map_err(|error| program.refused(&error))
    }

    async fn start_executable(program: Option<PathBuf>) -> io::Result<Self> {
        check_may_start(program.is_some())?;
        let (ours, theirs) = Channel::pair()?;
        let owner = pidfd_open(getpid(), PidfdFlags::empty())?;
        let (sender, launched) = oneshot::channel();
        // A thread of its own, since guests may use all threads of the runtime that block.
        let thread = std::thread::Builder::new().name("hype-launch".into());
        thread.spawn(move || {
            drop(sender.send(launch(program.as_deref(), theirs.as_fd(), owner.as_fd())))
        })?;
        let launched = launched.await.map_err(io::Error::other)??;
        let channel = AsyncChannel::new(ours)?;
        let (loaded, buffer) = (Vec::new(), vec![0; MAX_MESSAGE]);
        let (is_killed, parents) = (false, Vec::new());
        let owner = getpid();
        let mut server = Self { channel, launched, is_killed, parents, owner, loaded, buffer };
        match server.set_up().await {
            Ok(()) => Ok(server),
            Err(error) => {
                server.kill();
                Err(error)
            }
        }
    }

    /// Waits until the fork server is ready, and forks a worker that makes no calls.
    async fn set_up(&mut self) -> io::Result<()> {
        match self.response().await? {
            (FromServer::Ready { hype }, _) => check_version(&hype)?,
            (response, _) => return Err(unexpected(&response)),
        }
        let probe = self.fork(None, &Setup::of_nothing().encode()?).await?;
        let worker = probe.map_err(|failure| io::Error::other(explain(&failure)))?;
        set_up(worker).await.map(drop)
    }

    /// Kills a fork server that doesn't respond, and with it its workers.
    pub(super) fn kill(mut self) {
        if self.owner == getpid()
            && let Err(error) = pidfd_send_signal(&self.launched.pidfd, Signal::KILL)
            && error != Errno::SRCH
        {
            tracing::warn!("cannot kill a fork server that doesn't respond: {error}");
        }
        self.is_killed = true;
    }

    /// Loads `code`, unless it is loaded. Returns `Ok(Err(reason))` if it was compiled by another version or for another
    /// machine.
    pub(super) async fn load(&mut self, code: &WorkerCode) -> io::Result<Result<(), LoadError>> {
        let digest = code.component.blob.digest;
        if let Some(index) = self.loaded.iter().position(|loaded| *loaded == digest) {
            self.loaded.remove(index);
            self.loaded.push(digest);
            return Ok(Ok(()));
        }
        if self.loaded.len() == MAX_COMPONENTS {
            let digest = self.loaded.remove(0);
            self.request(&ToServer::Unload { digest }, &[]).await?;
        }
        let request = ToServer::Load { component: code.component.clone() };
        match self.request(&request, &[code.file.as_fd()]).await?.0 {
            FromServer::Done => {
                self.loaded.push(digest);
                Ok(Ok(()))
            }
            FromServer::Unloadable(reason) => Ok(Err(LoadError::Unloadable(reason))),
            FromServer::Failed(failure) => Ok(Err(LoadError::Failed(failure))),
            response => Err(unexpected(&response)),
        }
    }

    /// Forks a worker of the component with this digest, which must be loaded, for the encoded `setup`. The worker is
    /// usable when [`ready`] returns it.
    ///
    /// # Errors
    ///
    /// When the fork server has ended. A failure of this process is `Ok(Err(failure))`.
    pub(super) async fn fork(
        &mut self,
        component: Option<&Digest>,
        setup: &EncodedSetup,
    ) -> io::Result<Result<Worker, Failure>> {
        let prepared = match Fork::prepare(component, setup) {
            Ok(prepared) => prepared,
            Err(error) => return Ok(Err(broken(CANNOT_START, &error))),
        };
        let Fork { number, request, parent, ours, theirs, setup: file } = prepared;
        if !self.parents.contains(&parent) {
            self.parents.push(parent);
        }
        let mut descriptors = vec![theirs.as_fd(), file.as_fd()];
        descriptors.extend(setup.tmp.as_deref().map(AsFd::as_fd));
        let forked = self.send(&request, &descriptors).await?;
        // Only the worker has the other end, which closes when the worker ends.
        drop(theirs);
        match forked {
            (FromServer::Forked { unwatched }, Some(pidfd)) => {
                if let Some(reason) = unwatched {
                    tracing::debug!(
                        "only RLIMIT_DATA bounds the memory of a worker process: cannot read its status in /proc: {reason}"
                    );
                }
                Ok(Ok(Worker::new(number, ours, pidfd)))
            }
            // The worker ends, since its channel closes.
            (FromServer::Forked { .. }, None) => Ok(Err(no_descriptors("this process"))),
            (FromServer::Failed(failure), _) => Ok(Err(failure)),
            (response, _) => Err(unexpected(&response)),
        }
    }

    /// Returns the end of a worker that has ended, if the fork server is its parent.
    pub(super) async fn end_of(&mut self, number: u64) -> io::Result<Option<WorkerEnd>> {
        match self.request(&ToServer::End { number }, &[]).await?.0 {
            FromServer::Ended(end) => Ok(end),
            response => Err(unexpected(&response)),
        }
    }

    async fn request(
        &mut self,
        request: &ToServer,
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(FromServer, Option<OwnedFd>)> {
        self.send(&begin(0, request)?, descriptors).await
    }

    async fn send(
        &mut self,
        message: &[u8],
        descriptors: &[BorrowedFd<'_>],
    ) -> io::Result<(FromServer, Option<OwnedFd>)> {
        self.channel.send([message, b""], descriptors).await?;
        self.response().await
    }

    async fn response(&mut self) -> io::Result<(FromServer, Option<OwnedFd>)> {
        let received = self.channel.receive(&mut self.buffer, Duration::ZERO);
        let received = tokio::time::timeout(TIMEOUT, received).await??;
        let Received { length, descriptors, .. } = received.ok_or_else(|| {
            io::Error::new(io::ErrorKind::UnexpectedEof, "the fork server has ended")
        })?;
        let (_, response, _) = split(&self.buffer[..length]).ok_or(io::ErrorKind::InvalidData)?;
        Ok((head(response)?, descriptors.into_iter().next()))
    }
}

impl Drop for ForkServer {
    fn drop(&mut self) {
        if self.owner != getpid() {
            return;
        }
        let Launched { process, pidfd } = &self.launched;
        if (self.is_killed || has_ended(pidfd, &Timespec::default()))
            && let Ok(pidfd) = pidfd.try_clone()
        {
            abandoned::remove(*process, pidfd, std::mem::take(&mut self.parents));
        }
        // A fork of this process may keep the channel open.
        self.channel.shut_down();
    }
}

/// A request for a worker, and the program's end of its channel.
struct Fork {
    number: u64,
    request: Vec<u8>,
    parent: PathBuf,
    ours: AsyncChannel,
    theirs: Channel,
    setup: File,
}

impl Fork {
    fn prepare(component: Option<&Digest>, setup: &EncodedSetup) -> io::Result<Self> {
        let EncodedSetup { bytes, memory, .. } = setup;
        let parent = std::path::absolute(tempfile::env::temp_dir())?;
        let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
        let (component, memory) = (component.copied(), *memory);
        let request = ToServer::Fork { number, component, parent: parent.clone(), memory };
        let request = begin(0, &request)?;
        let (ours, theirs) = Channel::pair()?;
        let (ours, setup) = (AsyncChannel::new(ours)?, sealed_file(bytes)?);
        Ok(Self { number, request, parent, ours, theirs, setup })
    }
}

/// Waits until `worker` has set itself up.
pub(super) async fn ready(worker: Worker) -> Result<Worker, Failure> {
    set_up(worker).await.map_err(|error| broken(CANNOT_START, &error))
}

async fn set_up(mut worker: Worker) -> io::Result<Worker> {
    tokio::time::timeout(TIMEOUT, worker.wait_until_ready()).await??;
    Ok(worker)
}

/// The reason why the fork server did not load machine code.
#[derive(Debug)]
pub(super) enum LoadError {
    /// Another version compiled it, or for another machine.
    Unloadable(String),
    Failed(Failure),
}

/// Returns an error if this program must not start a fork server: one with more rights than its caller, or, unless a program
/// `is_named`, one whose executable doesn't contain hype.
fn check_may_start(is_named: bool) -> io::Result<()> {
    let reason = if entry::has_more_rights() {
        "this program has more rights than the process that started it (such as set-user-ID)"
    } else if !is_named && !entry::is_in_executable() {
        "hype is not a part of this process's executable; HYPE_WORKER can name the path of hype-run, which serves such \
         programs"
    } else {
        return Ok(());
    };
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

/// Returns an error if `version` of hype isn't that of this program.
fn check_version(version: &str) -> io::Result<()> {
    if version == HYPE_VERSION {
        return Ok(());
    }
    let reason = format!("it has version {version} of hype instead of {HYPE_VERSION}");
    Err(io::Error::new(io::ErrorKind::Unsupported, reason))
}

fn unexpected(response: &FromServer) -> io::Error {
    io::Error::other(format!("the fork server responded with {response:?}"))
}

/// Returns the message and the causes of a failure.
fn explain(failure: &Failure) -> String {
    let all: Vec<_> =
        std::iter::once(&failure.message).chain(&failure.causes).map(String::as_str).collect();
    all.join(": ")
}

/// Returns the failure of a run whose worker or fork server is broken.
pub(super) fn broken(what: &str, error: &io::Error) -> Failure {
    Failure { causes: vec![error.to_string()], ..Failure::new(FailureKind::Infrastructure, what) }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    /// Waits until the process of the pidfd has ended.
    fn wait_for_end(pidfd: &OwnedFd) {
        let timeout = Timespec { tv_sec: 60, tv_nsec: 0 };
        assert_eq!(poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout)), Ok(1));
    }

    /// A fork of the program keeps this end of the channel open.
    #[tokio::test]
    async fn dropped_fork_server_ends_while_its_channel_is_open() {
        let server = ForkServer::start(None).await.unwrap();
        let pidfd = server.launched.pidfd.try_clone().unwrap();
        let copy = server.channel.try_clone().unwrap();
        drop(server);
        wait_for_end(&pidfd);
        drop(copy);
    }

    #[test]
    fn other_version_is_rejected() {
        assert!(check_version(HYPE_VERSION).is_ok());
        let error = check_version("0.0.1").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::Unsupported);
        assert!(error.to_string().starts_with("it has version 0.0.1"), "{error}");
    }

    #[tokio::test]
    async fn stopped_fork_server_is_killed() {
        let server = ForkServer::start(None).await.unwrap();
        let pidfd = server.launched.pidfd.try_clone().unwrap();
        pidfd_send_signal(&pidfd, Signal::STOP).unwrap();
        server.kill();
        wait_for_end(&pidfd);
    }
}
