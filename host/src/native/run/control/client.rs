//! Requests to the submitters of other processes of this user.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::stream::BoxStream;
use futures::{StreamExt, stream};
use hype_stage::CollectMode;
use hype_wire::{ControlAction, ControlReply, ControlRequest, DrivenRun, RunId, printable};
use tokio::net::UnixStream;

use super::{Cancelled, directory, frame};
use crate::error::{Error, Result};
use crate::removal::accept_missing;
use crate::run::log::{LogLine, LogStream};
use crate::runner::CollectedLeftovers;
use crate::runner::collected::OF_LIVE_PROGRAM;

/// The time that a submitter may take to list its runs. One that is stopped doesn't reply.
const LIST_TIMEOUT: Duration = Duration::from_secs(2);

/// The time that a submitter may take to cancel a run, which includes the removal of its container or Pod.
const CANCEL_TIMEOUT: Duration = Duration::from_secs(120);

/// The maximum number of runs that a submitter lists.
const MAX_RUNS: usize = 100_000;

/// The problem of a reply that doesn't fit its request.
const SENSELESS: &str = "its reply makes no sense";

/// A run that a submitter of another process, or of this one, drives.
#[derive(Debug, Clone)]
pub(crate) struct LocalRun {
    /// The path of the submitter's socket.
    pub(crate) socket: PathBuf,
    pub(crate) run: DrivenRun,
}

/// The lines of a run's log in another process.
pub(crate) type RemoteLog = BoxStream<'static, Result<LogLine>>;

/// Returns the runs that the submitters of this user on this machine drive with the stage at `stage_url`. Removes the
/// sockets of processes that have ended, and skips submitters that don't reply.
pub(crate) async fn list(stage_url: &str) -> Vec<LocalRun> {
    list_in(&directory::candidates(), stage_url).await
}

pub(super) async fn list_in(candidates: &[PathBuf], stage_url: &str) -> Vec<LocalRun> {
    let listings = directory::sockets(candidates).into_iter().map(|socket| async move {
        let listed = tokio::time::timeout(LIST_TIMEOUT, list_runs(&socket)).await;
        match listed.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
            Ok(runs) => runs
                .into_iter()
                .map(|run| LocalRun { socket: socket.clone(), run })
                .collect::<Vec<_>>(),
            Err(error) => {
                tracing::debug!("{} was skipped: {error}", socket.display());
                Vec::new()
            }
        }
    });
    let all = futures::future::join_all(listings).await;
    all.into_iter().flatten().filter(|local| local.run.stage_url == stage_url).collect()
}

async fn list_runs(socket: &Path) -> io::Result<Vec<DrivenRun>> {
    let mut stream = request(socket, ControlAction::List).await?;
    let mut runs = Vec::new();
    while runs.len() < MAX_RUNS {
        match receive(&mut stream).await? {
            ControlReply::Run(run) => runs.push(run),
            ControlReply::Done => break,
            ControlReply::Failed(reason) => return Err(io::Error::other(reason)),
            ControlReply::Line { .. } | ControlReply::Unknown => {
                return Err(io::Error::other(SENSELESS));
            }
        }
    }
    Ok(runs)
}

/// Cancels a run that the submitter at `socket` drives.
///
/// # Errors
///
/// The error of the submitter, or [`Runner`](crate::ErrorKind::Runner) if it doesn't reply.
pub(crate) async fn cancel(socket: &Path, run_id: &RunId) -> Result<Cancelled> {
    let replied = async {
        let mut stream = request(socket, ControlAction::Cancel { run_id: run_id.clone() }).await?;
        receive(&mut stream).await
    };
    let replied = tokio::time::timeout(CANCEL_TIMEOUT, replied).await;
    let what = || format!("{run_id} could not be cancelled by the program that drives it");
    match replied.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into())) {
        Ok(ControlReply::Done) => Ok(Cancelled::Done),
        Ok(ControlReply::Unknown) => Ok(Cancelled::Unknown),
        Ok(ControlReply::Failed(reason)) => Err(Error::runner(what(), reason)),
        Ok(_) => Err(Error::runner(what(), SENSELESS)),
        Err(error) if has_ended(&error) => Ok(Cancelled::ProgramEnded),
        Err(error) => Err(Error::runner(what(), error)),
    }
}

/// Returns whether a request failed since the process at the other end has ended.
fn has_ended(error: &io::Error) -> bool {
    use ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(
        error.kind(),
        BrokenPipe | ConnectionRefused | ConnectionReset | NotFound | UnexpectedEof
    )
}

/// Returns the log of a run that the submitter at `socket` drives: the last `tail` existing lines, and with `follow`
/// new lines until the log ends.
///
/// # Errors
///
/// [`Runner`](crate::ErrorKind::Runner) if the submitter doesn't reply. A line is an error, and the last one, if the
/// submitter doesn't drive the run any more ([`Input`](crate::ErrorKind::Input)), or rejects the request.
pub(crate) async fn follow(
    socket: &Path,
    run_id: &RunId,
    tail: Option<usize>,
    follow: bool,
) -> Result<RemoteLog> {
    let action =
        ControlAction::Log { run_id: run_id.clone(), tail: tail.map(|tail| tail as u64), follow };
    let what = format!("the log of {run_id} cannot be read from the program that drives it");
    let failed =
        move |reason: Box<dyn std::error::Error + Send + Sync>| Error::runner(what.clone(), reason);
    let stream = request(socket, action).await.map_err(|error| failed(error.into()))?;
    let run_id = run_id.clone();
    let lines = stream::unfold(Some(stream), move |stream| {
        let (failed, run_id) = (failed.clone(), run_id.clone());
        async move {
            let mut stream = stream?;
            match receive(&mut stream).await {
                Ok(ControlReply::Line { is_error, text }) => {
                    Some((Ok(line(is_error, &text)), Some(stream)))
                }
                Ok(ControlReply::Failed(reason)) => Some((Err(failed(reason.into())), None)),
                Ok(ControlReply::Done) => None,
                Ok(ControlReply::Unknown) => Some((Err(removed(&run_id)), None)),
                Ok(ControlReply::Run(_)) => Some((Err(failed(SENSELESS.into())), None)),
                // The log ends with its program.
                Err(error) if has_ended(&error) => None,
                Err(error) => Some((Err(failed(error.into())), None)),
            }
        }
    });
    Ok(lines.boxed())
}

/// Returns the error of a run that its submitter removed after it was listed.
fn removed(run_id: &RunId) -> Error {
    Error::input(format!("the log of {run_id} does not exist any more"))
        .because("the run has ended, and its program has removed it")
}

fn line(is_error: bool, text: &str) -> LogLine {
    let stream = if is_error { LogStream::Stderr } else { LogStream::Stdout };
    LogLine { stream, text: printable(text).into_owned() }
}

/// Sends a request to the submitter at `socket`.
async fn request(socket: &Path, action: ControlAction) -> io::Result<UnixStream> {
    let is_socket = fs::symlink_metadata(socket)?.file_type().is_socket();
    if !is_socket {
        return Err(io::Error::other("it is no socket"));
    }
    let mut stream = match UnixStream::connect(socket).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            // Nothing listens, so its process has ended. Another process may be faster.
            let _ = fs::remove_file(socket);
            return Err(error);
        }
        connected => connected?,
    };
    frame::check_peer(&stream)?;
    let request = ControlRequest::new(action).to_bytes().map_err(io::Error::other)?;
    frame::write(&mut stream, &request).await?;
    Ok(stream)
}

async fn receive(stream: &mut UnixStream) -> io::Result<ControlReply> {
    match frame::read(stream, ControlReply::MAX_SIZE).await? {
        Some(reply) => ControlReply::from_bytes(&reply).map_err(io::Error::other),
        None => Err(ErrorKind::UnexpectedEof.into()),
    }
}

/// Collects the sockets of this user's processes that have ended.
pub(crate) async fn collect_sockets(mode: CollectMode) -> CollectedLeftovers {
    collect_sockets_in(&directory::candidates(), mode).await
}

pub(super) async fn collect_sockets_in(
    candidates: &[PathBuf],
    mode: CollectMode,
) -> CollectedLeftovers {
    let mut collected = CollectedLeftovers::default();
    for socket in directory::sockets(candidates) {
        let name = format!("socket {}", socket.display());
        let connected = tokio::time::timeout(LIST_TIMEOUT, UnixStream::connect(&socket)).await;
        match connected {
            Ok(Err(error)) if error.kind() == ErrorKind::ConnectionRefused => {
                collected.record_removal(name, remove(&socket, mode));
            }
            // Its program has ended since the directory was read.
            Ok(Err(error)) if error.kind() == ErrorKind::NotFound => {}
            Ok(Err(error)) => collected.keep(name, format!("it cannot be connected to: {error}")),
            Ok(Ok(_)) => collected.keep(name, OF_LIVE_PROGRAM),
            Err(_) => collected.keep(name, "its program does not reply"),
        }
    }
    for socket in directory::abandoned(candidates) {
        let name = format!("socket {}", socket.display());
        collected.record_removal(name, remove(&socket, mode));
    }
    collected
}

fn remove(socket: &Path, mode: CollectMode) -> Result<()> {
    let removed = match mode {
        CollectMode::Delete => accept_missing(fs::remove_file(socket)),
        CollectMode::DryRun => Ok(()),
    };
    removed.map_err(|error| {
        Error::runner(format!("cannot remove the socket {}", socket.display()), error)
    })
}
