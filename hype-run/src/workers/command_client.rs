//! The commands of a worker's guest, which can't start processes: the program starts them.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::future::BoxFuture;
use hype_wire::worker::{
    CommandEnd, CommandMessage, CommandReport, CommandReportStep, CommandRequest, CommandStep,
    CommandStream, FromWorkerKind, StartError, StartErrorKind, parts,
};
use rustix::io::Errno;
use tokio::sync::{Notify, oneshot, watch};

use super::channel::Channel;
use super::message::begin;
use crate::budget::{Budget, Charge};
use crate::power::Denied;
use crate::process::{
    COPY_BUFFER, Changes, Child, Command, Ending, ErrorKind, ExitStatus, Slot, Spawned, Starter,
    Stdio, Unstarted,
};

/// The client of one call. Cloning is cheap.
#[derive(Clone)]
pub(super) struct CommandClient(Arc<Shared>);

struct Shared {
    channel: Arc<Channel>,
    /// The path of the `/tmp` that the program has created.
    tmp: PathBuf,
    state: Mutex<State>,
    /// Notified when the first command is started.
    begun: Arc<Notify>,
}

struct State {
    /// True until the call ends. No message is sent after that.
    is_open: bool,
    /// The number of the next command.
    next: u64,
    /// The start of the next command.
    starting: Option<Starting>,
    running: HashMap<u64, Running>,
}

/// A command whose start the program has not responded to.
struct Starting {
    started: oneshot::Sender<Result<Started, Unstarted>>,
    /// The number of its pipes.
    pipes: usize,
    held: Held,
}

/// A started command: its number, its end and this process's ends of its pipes.
struct Started {
    number: u64,
    status: watch::Receiver<Option<ExitStatus>>,
    pipes: Vec<OwnedFd>,
}

/// A command that has not ended.
struct Running {
    status: watch::Sender<Option<ExitStatus>>,
    _held: Held,
}

/// The slot and the memory that a command occupies until its end.
struct Held {
    _slot: Slot,
    /// The charges of the buffers with which the program copies its output.
    _copies: [Option<Charge>; 2],
}

impl CommandClient {
    /// Creates the client of one call, whose commands share `tmp`. It notifies `begun` of the first command.
    pub(super) fn new(channel: &Arc<Channel>, tmp: PathBuf, begun: &Arc<Notify>) -> Self {
        let (is_open, next, starting, running) = (true, 0, None, HashMap::new());
        let state = Mutex::new(State { is_open, next, starting, running });
        let (channel, begun) = (Arc::clone(channel), Arc::clone(begun));
        Self(Arc::new(Shared { channel, tmp, state, begun }))
    }

    /// Handles a message of the program. `pipes` are its descriptors, without those that this process could not receive.
    pub(super) fn dispatch(&self, report: CommandReport, pipes: Vec<OwnedFd>) -> io::Result<()> {
        let CommandReport { command, step } = report;
        let mut state = self.lock();
        let result = match step {
            CommandReportStep::Ended(end) => {
                if let Some(running) = state.running.remove(&command) {
                    running.status.send_replace(Some(exit_status(end)));
                }
                return Ok(());
            }
            CommandReportStep::Started => Ok(()),
            CommandReportStep::Unstarted(StartError { kind, message }) => {
                Err(Unstarted::Error(error_kind(kind), message))
            }
            CommandReportStep::Denied { what, way_out, remedy } => {
                Err(Unstarted::Denied(Denied { what, way_out, remedy }))
            }
            CommandReportStep::Failed(failure) => Err(Unstarted::Failed(failure)),
        };
        // The call has ended, or the guest with it.
        let Some(starting) = state.starting.take() else { return Ok(()) };
        let result = result.and_then(|()| {
            let (sender, status) = watch::channel(None);
            state.next = command + 1;
            state.running.insert(command, Running { status: sender, _held: starting.held });
            if pipes.len() == starting.pipes {
                return Ok(Started { number: command, status, pipes });
            }
            // The error means that the program is gone.
            let _ = self.send(command, CommandStep::Kill, b"");
            let message = "cannot start a command: this process may open no more files; raise the limit of `ulimit -n`";
            Err(Unstarted::Error(ErrorKind::Other, message.to_owned()))
        });
        // The error means that the guest has ended.
        let _ = starting.started.send(result);
        Ok(())
    }

    /// Ends the call: nothing more is sent.
    pub(super) fn close(&self) {
        let mut state = self.lock();
        state.is_open = false;
        state.starting = None;
        state.running.clear();
    }

    /// Kills a command that has not ended.
    fn kill(&self, command: u64) {
        let state = self.lock();
        if state.is_open && state.running.contains_key(&command) {
            // The error means that the program is gone.
            let _ = self.send(command, CommandStep::Kill, b"");
        }
    }

    /// Sends the request of a command, whose response the receiver returns.
    fn begin(
        &self,
        request: &[u8],
        pipes: usize,
        held: Held,
    ) -> io::Result<oneshot::Receiver<Result<Started, Unstarted>>> {
        let mut state = self.lock();
        if !state.is_open {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        for (part, is_last) in parts(request) {
            self.send(state.next, CommandStep::Start { is_last }, part)?;
        }
        let (started, response) = oneshot::channel();
        state.starting = Some(Starting { started, pipes, held });
        self.0.begun.notify_one();
        Ok(response)
    }

    fn send(&self, command: u64, step: CommandStep, body: &[u8]) -> io::Result<()> {
        let head = begin(FromWorkerKind::Command as u8, &CommandMessage { command, step })?;
        self.0.channel.send([&head, body], &[])
    }

    async fn start_command(
        &self,
        command: &Command,
        changes: &Changes,
        budget: &Budget,
        slot: Slot,
    ) -> Result<Child, Unstarted> {
        let copy = |stdio| {
            (stdio == Stdio::Inherit).then(|| budget.charge(COPY_BUFFER as u64)).transpose()
        };
        let copies = copy(command.stdout).and_then(|stdout| Ok([stdout, copy(command.stderr)?]));
        let held =
            Held { _slot: Arc::clone(&slot), _copies: copies.map_err(Unstarted::OverBudget)? };
        let failed = |kind, error: io::Error| {
            let directory = command.directory.as_deref().unwrap_or("/");
            let program = &command.program;
            Unstarted::Error(kind, format!("cannot start `{program}` in {directory}: {error}"))
        };
        let other = |error| failed(ErrorKind::Other, error);
        let request = request(command, changes);
        let Some(bytes) = request.to_bytes() else {
            return Err(failed(ErrorKind::Invalid, Errno::TOOBIG.into()));
        };
        let response = self.begin(&bytes, request.pipes(), held).map_err(other)?;
        let response = response.await.map_err(|error| other(io::Error::other(error)))?;
        let Started { number, status, pipes } = response?;
        let client = self.clone();
        let end = Ending::new(status, move || client.kill(number));
        let mut pipes = pipes.into_iter();
        let streams = [request.stdin, request.stdout, request.stderr];
        let streams = streams.map(|stream| match stream {
            CommandStream::Piped => pipes.next(),
            CommandStream::Null | CommandStream::Inherit => None,
        });
        let spawned = Spawned::of_pipes(streams, end, budget, &slot);
        spawned.map(Spawned::into_child).map_err(|error| {
            self.kill(number);
            other(error)
        })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Starter for CommandClient {
    fn tmp(&self) -> PathBuf {
        self.0.tmp.clone()
    }

    fn start<'a>(
        &'a self,
        command: &'a Command,
        changes: &'a Changes,
        budget: &'a Budget,
        slot: Slot,
    ) -> BoxFuture<'a, Result<Child, Unstarted>> {
        Box::pin(self.start_command(command, changes, budget, slot))
    }
}

fn request(command: &Command, changes: &Changes) -> CommandRequest {
    let Changes { clear, removed, set } = changes.clone();
    CommandRequest {
        program: command.program.clone(),
        arguments: command.arguments.clone(),
        environment: set,
        removed,
        clear,
        directory: command.directory.clone(),
        stdin: stream(command.stdin),
        stdout: stream(command.stdout),
        stderr: stream(command.stderr),
    }
}

fn stream(stdio: Stdio) -> CommandStream {
    match stdio {
        Stdio::Null => CommandStream::Null,
        Stdio::Inherit => CommandStream::Inherit,
        Stdio::Piped => CommandStream::Piped,
    }
}

fn error_kind(kind: StartErrorKind) -> ErrorKind {
    match kind {
        StartErrorKind::NotFound => ErrorKind::NotFound,
        StartErrorKind::NotAllowed => ErrorKind::NotAllowed,
        StartErrorKind::Invalid => ErrorKind::Invalid,
        StartErrorKind::TooMany => ErrorKind::TooMany,
        StartErrorKind::Other => ErrorKind::Other,
    }
}

fn exit_status(end: CommandEnd) -> ExitStatus {
    match end {
        CommandEnd::Exited(code) => ExitStatus::Exited(code),
        CommandEnd::Signaled(signal) => ExitStatus::Signaled(signal),
    }
}
