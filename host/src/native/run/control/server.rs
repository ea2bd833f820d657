//! The socket of one submitter.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use hype_wire::{ControlAction, ControlReply, ControlRequest, DrivenRun, RunId};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::{directory, frame};
use crate::error::Result;
use crate::names::unique_name;
use crate::run::attach::Attachment;
use crate::run::driver::Dispatcher;
use crate::run::log::{Log, LogLine, LogStream};
use crate::run::status::Status;

/// The maximum number of concurrent connections.
const MAX_CONNECTIONS: usize = 256;

/// The maximum number of connections that read logs. A reader may take any time, so this leaves connections for requests
/// that end soon.
pub(super) const MAX_READERS: usize = 32;

/// The time that a client may take to read the list of runs.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// The time that a client may take to send its request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);

/// The time to wait after a connection could not be accepted, for example since too many files are open.
const ACCEPT_BACKOFF: Duration = Duration::from_secs(1);

/// Serves the runs of a submitter to other processes of this user until the future is dropped. Without a usable
/// directory, nothing is served.
pub(crate) async fn serve(dispatcher: Arc<Dispatcher>) {
    match Socket::bind(&directory::candidates()) {
        Ok(socket) => socket.serve(dispatcher).await,
        Err(error) => {
            tracing::debug!("other processes cannot list the runs of this program: {error}")
        }
    }
}

/// A listening socket, whose file is removed on drop.
pub(super) struct Socket {
    listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Creates a socket in the first usable directory of `candidates`.
    pub(super) fn bind(candidates: &[PathBuf]) -> io::Result<Self> {
        let name = directory::socket_name(&unique_name("hype"));
        let path = directory::create(candidates)?.join(name);
        for abandoned in directory::abandoned(candidates) {
            // Another program may remove it, too.
            let _ = fs::remove_file(abandoned);
        }
        // A client takes a socket that doesn't listen yet for a dead one, so it gets its name afterwards.
        let new = path.with_extension(directory::NEW_SOCKET);
        let listener = UnixListener::bind(&new)?;
        let published = publish(&new, &path);
        if let Err(error) = published {
            let _ = fs::remove_file(&new);
            return Err(error);
        }
        Ok(Self { listener, path })
    }

    pub(super) async fn serve(self, dispatcher: Arc<Dispatcher>) {
        let connections = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let readers = Arc::new(Semaphore::new(MAX_READERS));
        let mut tasks = JoinSet::new();
        loop {
            while tasks.try_join_next().is_some() {}
            // The semaphore is never closed.
            let Ok(permit) = Arc::clone(&connections).acquire_owned().await else { return };
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let (dispatcher, readers) = (Arc::clone(&dispatcher), Arc::clone(&readers));
                    tasks.spawn(async move {
                        let _permit = permit;
                        if let Err(error) = answer(stream, dispatcher, &readers).await {
                            tracing::debug!("a request of another process failed: {error}");
                        }
                    });
                }
                Err(error) => {
                    tracing::debug!("a connection could not be accepted: {error}");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // A user may have removed it.
        let _ = fs::remove_file(&self.path);
    }
}

fn publish(new: &Path, path: &Path) -> io::Result<()> {
    fs::set_permissions(new, Permissions::from_mode(0o600))?;
    fs::rename(new, path)
}

/// Answers the request of a client.
async fn answer(
    mut stream: UnixStream,
    dispatcher: Arc<Dispatcher>,
    readers: &Semaphore,
) -> io::Result<()> {
    frame::check_peer(&stream)?;
    let reading = frame::read(&mut stream, ControlRequest::MAX_SIZE);
    let Some(request) = tokio::time::timeout(REQUEST_TIMEOUT, reading).await?? else {
        return Ok(());
    };
    let action = match ControlRequest::from_bytes(&request) {
        Ok(request) => request.action,
        Err(error) => return send(&mut stream, &ControlReply::Failed(error.to_string())).await,
    };
    let last = match action {
        ControlAction::List => {
            let sending = async {
                for run in runs(&dispatcher) {
                    send(&mut stream, &ControlReply::Run(run)).await?;
                }
                Ok::<_, io::Error>(())
            };
            tokio::time::timeout(LIST_TIMEOUT, sending).await??;
            ControlReply::Done
        }
        ControlAction::Log { run_id, tail, follow } => {
            match (find_log(&dispatcher, &run_id), readers.try_acquire()) {
                (None, _) => ControlReply::Unknown,
                (Some(_), Err(_)) => ControlReply::Failed(too_many_readers()),
                (Some(log), Ok(_reader)) => {
                    let tail = tail.and_then(|tail| usize::try_from(tail).ok());
                    send_lines(&mut stream, lines(&log, tail, follow)).await?;
                    ControlReply::Done
                }
            }
        }
        ControlAction::Cancel { run_id } => match find_log(&dispatcher, &run_id) {
            Some(_) => match cancel(dispatcher, &run_id).await {
                Ok(()) => ControlReply::Done,
                Err(error) => ControlReply::Failed(error.report()),
            },
            None => ControlReply::Unknown,
        },
    };
    send(&mut stream, &last).await
}

fn too_many_readers() -> String {
    format!(
        "{MAX_READERS} other commands read logs of this program, the maximum: end one of them, or read the log after the \
         run's end"
    )
}

/// Returns the lines of a log as a stream, from the last `tail` existing ones on.
fn lines(
    log: &Log,
    tail: Option<usize>,
    follow: bool,
) -> impl Stream<Item = LogLine> + Send + use<> {
    match follow {
        true => log.follow_from(tail).left_stream(),
        false => futures::stream::iter(log.kept(tail)).right_stream(),
    }
}

async fn send_lines(
    stream: &mut UnixStream,
    lines: impl Stream<Item = LogLine> + Send,
) -> io::Result<()> {
    let mut lines = pin!(lines);
    loop {
        let line = tokio::select! {
            line = lines.next() => line,
            closed = wait_for_close(stream) => return closed,
        };
        let Some(LogLine { stream: source, text }) = line else { return Ok(()) };
        let is_error = source == LogStream::Stderr;
        send(stream, &ControlReply::Line { is_error, text }).await?;
    }
}

/// Waits until the client, which sends nothing after its request, closes the connection.
async fn wait_for_close(stream: &UnixStream) -> io::Result<()> {
    loop {
        stream.readable().await?;
        match stream.try_read(&mut [0]) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read.map(drop),
        }
    }
}

async fn send(stream: &mut UnixStream, reply: &ControlReply) -> io::Result<()> {
    frame::write(stream, &reply.to_bytes().map_err(io::Error::other)?).await
}

/// Returns the runs that the submitter drives.
fn runs(dispatcher: &Dispatcher) -> Vec<DrivenRun> {
    let runs = dispatcher.registry.runs();
    let described = runs.iter().filter_map(|(id, run)| {
        if dispatcher.registry.has_removed(id) {
            return None;
        }
        let (lease, status) = (run.lease.upgrade()?, *run.status.borrow());
        Some(DrivenRun {
            run_id: id.parse().ok()?,
            stage_url: dispatcher.stage.url().to_owned(),
            function: run.function.clone(),
            component: lease.component().unwrap_or_default().to_owned(),
            attempt: match status {
                Status::Running(attempt) => attempt,
                _ => 0,
            },
            has_ended: status == Status::Ended,
            is_detached: lease.is_detached(),
            age_ms: u64::try_from(lease.age().as_millis()).unwrap_or(u64::MAX),
        })
    });
    described.collect()
}

/// Returns the log of a run that the submitter drives and isn't removing.
fn find_log(dispatcher: &Dispatcher, run_id: &str) -> Option<Log> {
    if dispatcher.registry.has_removed(run_id) {
        return None;
    }
    dispatcher.registry.runs().get(run_id).map(|run| run.log.clone())
}

/// Cancels a run that the submitter drives.
async fn cancel(dispatcher: Arc<Dispatcher>, run_id: &RunId) -> Result<()> {
    Attachment::to_cancel(dispatcher, run_id).cancel().await
}
