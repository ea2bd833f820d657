//! One command: its start, its streams, and its end.

use std::ffi::CString;
use std::fs::OpenOptions;
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{Notify, OwnedSemaphorePermit, oneshot, watch};
use tokio::task::JoinHandle;

use super::calls::{ErrorKind, ExitStatus, Stdio};
use super::commands::{Child, Ending, Start, Unstarted};
use super::spawn::{Program, spawn};
use super::started::Started;
use super::streams::{Incoming, Outgoing};
use crate::output::{Output, Stream};

/// How much of a command's output is handed on at once, in bytes.
const PIECE: usize = 64 << 10;

/// Where a command starts.
pub(super) struct At {
    pub(super) directory: PathBuf,
    /// A descriptor of a process in whose namespaces it starts; then the directory is one of theirs.
    pub(super) within: Option<RawFd>,
}

/// Starts a command, and gives its process, too.
pub(super) fn start(
    start: Start<'_>,
    at: At,
    permit: OwnedSemaphorePermit,
) -> Result<(Child, Arc<Started>), Unstarted> {
    let Start { command, output, .. } = start;
    let (started, ours, mut ends) = begin(&start, at).map_err(|error| {
        let kind = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => ErrorKind::NotFound,
            io::ErrorKind::PermissionDenied => ErrorKind::NotAllowed,
            io::ErrorKind::ArgumentListTooLong | io::ErrorKind::InvalidInput => ErrorKind::Invalid,
            _ => ErrorKind::Other,
        };
        let directory = command.directory.as_deref().unwrap_or("/");
        let program = &command.program;
        Unstarted::Told(kind, format!("cannot start `{program}` in {directory}: {error}"))
    })?;
    let stdin = ours.stdin.map(|pipe| Box::new(Incoming::Idle(pipe)) as _);
    let (mut stdout, mut stderr, mut copied) = (None, None, Vec::new());
    for (pipe, stdio, stream, piped) in [
        (ours.stdout, command.stdout, Stream::Stdout, &mut stdout),
        (ours.stderr, command.stderr, Stream::Stderr, &mut stderr),
    ] {
        match (pipe, stdio) {
            (None, _) => {}
            (Some(pipe), Stdio::Piped) => *piped = Some(Box::new(Outgoing::new(pipe)) as _),
            (Some(pipe), _) => copied.push(Copied::begin(pipe, output, stream)),
        }
    }
    let (told, status) = watch::channel(None);
    let kill = Arc::new(Notify::new());
    let end = Ending::new(status, Arc::clone(&kill));
    let process = Arc::clone(&started);
    tokio::spawn(async move {
        let status = ended(&process, &mut ends, &kill).await;
        // All that it wrote comes before its end.
        for copied in copied {
            copied.finish().await;
        }
        drop(permit);
        told.send_replace(Some(status));
    });
    Ok((Child { stdin, stdout, stderr, end }, started))
}

/// The ends of pipes that this process has.
struct Ours {
    stdin: Option<pipe::Sender>,
    stdout: Option<pipe::Receiver>,
    stderr: Option<pipe::Receiver>,
}

/// Starts a command's process. Its end is among those that are told of by the last that this gives.
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
    let arguments = [&command.program].into_iter().chain(&command.arguments);
    let variables = variables.iter().map(|(name, value)| CString::new(format!("{name}={value}")));
    let program = Program {
        file: CString::new(file.as_os_str().as_bytes())?,
        arguments: arguments.map(|it| CString::new(it.as_str())).collect::<Result<_, _>>()?,
        variables: variables.collect::<Result<_, _>>()?,
        directory: CString::new(at.directory.as_os_str().as_bytes())?,
        streams: [input, output, errors],
        within: at.within,
    };
    let ends = signal(SignalKind::child())?;
    let started = Arc::new(Started::new(spawn(&program)?));
    Ok((started, Ours { stdin, stdout, stderr }, ends))
}

const NULL: &str = "/dev/null";

/// The two ends of what a command writes: this process's, if there is one, and the command's.
fn outgoing(stdio: Stdio) -> io::Result<(Option<pipe::Receiver>, OwnedFd)> {
    match stdio {
        Stdio::Null => Ok((None, OpenOptions::new().write(true).open(NULL)?.into())),
        Stdio::Inherit | Stdio::Piped => {
            let (ours, theirs) = io::pipe()?;
            Ok((Some(pipe::Receiver::from_owned_fd(ours.into())?), theirs.into()))
        }
    }
}

/// Waits for the end of `process`, which is brought about, with all of its group, when `kill` says so. `ends` tells
/// when some process of this one has ended.
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

/// An output of a command that is the guest's own.
struct Copied {
    has_ended: oneshot::Sender<()>,
    finished: JoinHandle<()>,
}

impl Copied {
    fn begin(pipe: pipe::Receiver, output: &Output, stream: Stream) -> Self {
        let (has_ended, ends) = oneshot::channel();
        let finished = tokio::spawn(copy(pipe, output.clone(), stream, ends));
        Self { has_ended, finished }
    }

    /// Waits until all is handed on that the command wrote, which has ended. Others may still write.
    async fn finish(self) {
        let _ = self.has_ended.send(());
        let _ = self.finished.await;
    }
}

async fn copy(
    mut pipe: pipe::Receiver,
    output: Output,
    stream: Stream,
    mut ends: oneshot::Receiver<()>,
) {
    let mut bytes = vec![0; PIECE];
    loop {
        tokio::select! {
            read = pipe.read(&mut bytes) => match read {
                Ok(0) | Err(_) => return,
                Ok(length) => output.write(stream, &bytes[..length]),
            },
            _ = &mut ends => break,
        }
    }
    // What is in the pipe now.
    while let Ok(length @ 1..) = rustix::io::read(&pipe, &mut bytes[..]) {
        output.write(stream, &bytes[..length]);
    }
    // What it left behind may write on, until the call ends.
    tokio::spawn(async move {
        while let Ok(length @ 1..) = pipe.read(&mut bytes).await {
            output.write(stream, &bytes[..length]);
        }
    });
}
