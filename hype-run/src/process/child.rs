//! Starts one command, connects its streams and waits for its end.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, oneshot, watch};
use tokio::task::JoinHandle;

use super::calls::{ErrorKind, ExitStatus, Stdio};
use super::commands::{Child, Ending, Slot, Start, Unstarted};
use super::confinement::Applied;
use super::spawn::{Program, Within, spawn};
use super::started::Started;
use super::streams::{Incoming, Outgoing, Pipe};
use crate::budget::{Budget, Charge};
use crate::output::{GuestOutput, Stream};

/// The size of the buffer with which output of a command is copied to that of the guest, in bytes.
pub(crate) const COPY_BUFFER: usize = 64 << 10;

/// The working directory, namespaces and restrictions of a command.
pub(super) struct At {
    pub(super) directory: PathBuf,
    /// The namespaces of the command, in which `directory` is resolved; `None` for those of this process.
    pub(super) within: Option<Within>,
    pub(super) restrictions: Applied,
}

/// A started command whose pipes are not streams yet.
pub(crate) struct Spawned {
    stdin: Option<Pipe<pipe::Sender>>,
    stdout: Option<Pipe<pipe::Receiver>>,
    stderr: Option<Pipe<pipe::Receiver>>,
    end: Ending,
}

impl Spawned {
    /// Creates a command of another process from its ends of the pipes. What this process holds for them is charged to
    /// `budget`, and they occupy `slot`.
    ///
    /// # Errors
    ///
    /// When they are no pipes, or can't be registered with the runtime.
    pub(crate) fn of_pipes(
        [stdin, stdout, stderr]: [Option<OwnedFd>; 3],
        end: Ending,
        budget: &Budget,
        slot: &Slot,
    ) -> io::Result<Self> {
        let outgoing = |fd: Option<OwnedFd>| -> io::Result<_> {
            let end = fd.map(pipe::Receiver::from_owned_fd).transpose()?;
            Ok(end.map(|end| Pipe::new(end, budget, slot)))
        };
        let stdin = stdin.map(pipe::Sender::from_owned_fd).transpose()?;
        let stdin = stdin.map(|end| Pipe::new(end, budget, slot));
        Ok(Self { stdin, stdout: outgoing(stdout)?, stderr: outgoing(stderr)?, end })
    }

    /// Returns the command with its streams.
    pub(crate) fn into_child(self) -> Child {
        let Self { stdin, stdout, stderr, end } = self;
        Child {
            stdin: stdin.map(|pipe| Box::new(Incoming::Idle(pipe)) as _),
            stdout: stdout.map(|pipe| Box::new(Outgoing::new(pipe)) as _),
            stderr: stderr.map(|pipe| Box::new(Outgoing::new(pipe)) as _),
            end,
        }
    }

    /// Returns the ends of the command's pipes, in the order of its streams, and its end. The pipes then don't occupy its slot
    /// in this process.
    ///
    /// # Errors
    ///
    /// When the system rejects a change of a pipe.
    pub(crate) fn into_pipes(self) -> io::Result<(Vec<OwnedFd>, Ending)> {
        let Self { stdin, stdout, stderr, end } = self;
        let stdin = stdin.map(|pipe| pipe.end.into_nonblocking_fd());
        let outgoing = |pipe: Pipe<pipe::Receiver>| pipe.end.into_nonblocking_fd();
        let all = [stdin, stdout.map(outgoing), stderr.map(outgoing)];
        Ok((all.into_iter().flatten().collect::<io::Result<_>>()?, end))
    }
}

/// Starts a command, which occupies `slot` with its process and with each of its streams. Returns it with its process.
pub(super) fn start(
    start: Start<'_>,
    at: At,
    slot: Slot,
) -> Result<(Spawned, Arc<Started>), Unstarted> {
    let Start { command, output, budget, events, .. } = start;
    let charge = |stdio| match stdio {
        Stdio::Inherit => budget.charge(COPY_BUFFER as u64).map(Some),
        Stdio::Null | Stdio::Piped => Ok(None),
    };
    let charges = charge(command.stdout)
        .and_then(|stdout| Ok([stdout, charge(command.stderr)?]))
        .map_err(Unstarted::OverBudget)?;
    let (started, ours, mut ends) = begin(&start, at).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::NotAllowed,
            io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => ErrorKind::Invalid,
            _ => ErrorKind::Other,
        };
        let directory = command.directory.as_deref().unwrap_or("/");
        let program = &command.program;
        Unstarted::Error(kind, format!("cannot start `{program}` in {directory}: {error}"))
    })?;
    let stdin = ours.stdin.map(|end| Pipe::new(end, budget, &slot));
    let [stdout_charge, stderr_charge] = charges;
    let (mut stdout, mut stderr, mut copied) = (None, None, Vec::new());
    for (end, charge, stream, piped) in [
        (ours.stdout, stdout_charge, Stream::Stdout, &mut stdout),
        (ours.stderr, stderr_charge, Stream::Stderr, &mut stderr),
    ] {
        let Some(end) = end else { continue };
        let pipe = Pipe::new(end, budget, &slot);
        match charge {
            Some(charge) => copied.push(Copied::begin(pipe, charge, output, stream)),
            None => *piped = Some(pipe),
        }
    }
    let (sender, status) = watch::channel(None);
    let kill = Arc::new(Notify::new());
    let killed = Arc::clone(&kill);
    let end = Ending::new(status, move || killed.notify_one());
    let process = Arc::clone(&started);
    let events = events.clone();
    tokio::spawn(async move {
        let status = ended(&process, &mut ends, &kill).await;
        // The guest receives the status after all output.
        for copied in copied {
            copied.finish().await;
        }
        drop(slot);
        events.record();
        sender.send_replace(Some(status));
    });
    Ok((Spawned { stdin, stdout, stderr, end }, started))
}

/// The ends of a command's pipes that this process keeps.
struct Ours {
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
}

/// Starts the process of a command. The returned signal reports the end of any child process.
fn begin(
    start: &Start<'_>,
    at: At,
) -> io::Result<(Arc<Started>, Ours, tokio::signal::unix::Signal)> {
    let Start { command, file, variables, .. } = start;
    let (stdin, input) = match command.stdin {
        Stdio::Piped => {
            let (theirs, ours) = io::pipe()?;
            (Some(pipe::Sender::from_owned_fd(ours.into())?), theirs.into())
        }
        Stdio::Null | Stdio::Inherit => (None, OpenOptions::new().read(true).open(NULL)?.into()),
    };
    let (stdout, output) = outgoing(command.stdout)?;
    let (stderr, errors) = outgoing(command.stderr)?;
    // A command can open a pipe again through a path such as `/dev/stdout`, which needs ownership of the pipe.
    let is_pipe = [stdin.is_some(), stdout.is_some(), stderr.is_some()];
    for (stream, _) in [&input, &output, &errors].into_iter().zip(is_pipe).filter(|it| it.1) {
        at.restrictions.give(stream)?;
    }
    let arguments = [&command.program].into_iter().chain(&command.arguments);
    let variables = variables.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let program = Program {
        file: CString::new(file.as_os_str().as_bytes())?,
        arguments: arguments.map(|it| CString::new(it.as_str())).collect::<Result<_, _>>()?,
        variables: variables.collect::<Result<_, _>>()?,
        directory: CString::new(at.directory.as_os_str().as_bytes())?,
        streams: [input, output, errors],
        within: at.within,
        restrictions: at.restrictions,
    };
    let ends = signal(SignalKind::child())?;
    let started = Arc::new(Started::new(spawn(&program)?));
    Ok((started, Ours { stdin, stdout, stderr }, ends))
}

const NULL: &str = "/dev/null";

/// Opens an output stream of a command. Returns this process's end, if there is one, and the command's end.
fn outgoing(stdio: Stdio) -> io::Result<(Option<pipe::Receiver>, OwnedFd)> {
    match stdio {
        Stdio::Null => Ok((None, OpenOptions::new().write(true).open(NULL)?.into())),
        Stdio::Inherit | Stdio::Piped => {
            let (ours, theirs) = io::pipe()?;
            Ok((Some(pipe::Receiver::from_owned_fd(ours.into())?), theirs.into()))
        }
    }
}

/// Waits for the end of `process`, and kills its process group on `kill`. `ends` reports each child that has ended.
async fn ended(
    process: &Started,
    ends: &mut tokio::signal::unix::Signal,
    kill: &Notify,
) -> ExitStatus {
    loop {
        if let Some(status) = process.status() {
            return status;
        }
        tokio::select! {
            Some(()) = ends.recv() => {}
            () = kill.notified() => process.kill(),
        }
    }
}

/// A copy of a command's output to the guest's output, in progress.
struct Copied {
    has_ended: oneshot::Sender<()>,
    finished: JoinHandle<()>,
}

impl Copied {
    /// Begins to copy, with a buffer that `charge` charges.
    fn begin(
        pipe: Pipe<pipe::Receiver>,
        charge: Charge,
        output: &GuestOutput,
        stream: Stream,
    ) -> Self {
        let (has_ended, ends) = oneshot::channel();
        let finished = tokio::spawn(copy(pipe, charge, output.clone(), stream, ends));
        Self { has_ended, finished }
    }

    /// Waits until all output of the command, which has ended, is copied. Processes that it left behind may still
    /// write.
    async fn finish(self) {
        let _ = self.has_ended.send(());
        let _ = self.finished.await;
    }
}

async fn copy(
    mut pipe: Pipe<pipe::Receiver>,
    charge: Charge,
    output: GuestOutput,
    stream: Stream,
    mut ends: oneshot::Receiver<()>,
) {
    let mut bytes = vec![0; COPY_BUFFER];
    loop {
        tokio::select! {
            read = pipe.end.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => output.write(stream, &bytes[..length]),
            },
            _ = &mut ends => break,
        }
    }
    // The command has ended, so the rest of its output is in the pipe.
    while let Ok(length @ 1..) = rustix::io::read(&pipe.end, &mut bytes[..]) {
        output.write(stream, &bytes[..length]);
    }
    // Processes that the command left behind may write until the call ends. They occupy its slot.
    tokio::spawn(async move {
        let _charge = charge;
        while let Ok(length @ 1..) = pipe.end.read(&mut bytes).await {
            output.write(stream, &bytes[..length]);
        }
    });
}
