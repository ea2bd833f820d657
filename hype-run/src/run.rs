//! The flow of a run, from its manifest to its outcome.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{Created, Source, Stage, StageError};
use hype_wire::{
    Blob, Digest, End, Outcome, RunId, RunKey, RunManifest, TerminationLine, WireError, names,
    seal, unseal,
};
use tokio_util::sync::CancellationToken;

use crate::attempt::{Presence, end, manifest_exists};
use crate::executor::Executor;
use crate::output::GuestOutput;
use crate::variables::Variables;

/// The time that an interrupted run may spend on the upload of its log, of the seconds before it is killed.
const LOG_UPLOAD_TIMEOUT: Duration = Duration::from_secs(4);

/// A manifest to run, with the secrets and the variables of this attempt at the run.
#[derive(Debug, Clone)]
pub struct RunRequest {
    /// The URL of the manifest: `STAGE/runs/RUN/manifest`.
    pub manifest_url: String,
    /// The manifest's digest, from a source that the submitter controls, such as the command line.
    /// Without a digest the manifest is not verified, and its machine code is not loaded.
    pub digest: Option<Digest>,
    /// The manifest itself, from a trusted caller in this process. It is then not read from the stage.
    pub manifest: Option<Arc<RunManifest>>,
    /// The arguments, from a trusted caller in this process. Those in the manifest are then ignored.
    pub arguments: Option<Bytes>,
    /// The run's key, which seals the outcome. Without a key the outcome is not sealed.
    pub key: Option<RunKey>,
    /// The number of this attempt at the run, counted from 1.
    pub attempt: u32,
    /// Environment variables of the runner's machine. The guest sees those that hold no credentials.
    pub variables: Variables,
    /// Cancelling this token stops the run immediately, with a failure of the kind `interrupted`.
    pub interrupt: CancellationToken,
}

impl RunRequest {
    /// Returns whether the manifest comes from a trusted caller, or is verified by a trusted digest.
    pub(crate) fn has_trusted_manifest(&self) -> bool {
        self.digest.is_some() || self.manifest.is_some()
    }
}

/// A run that has an outcome: a value or a failure.
#[derive(Debug)]
pub struct Finished {
    /// The outcome's URL and digest.
    pub line: TerminationLine,
    /// The outcome. If an earlier attempt has already written the run's outcome, this is that one.
    pub outcome: Outcome,
}

/// The error of a run for which no outcome was written.
#[derive(Debug)]
pub struct RunError {
    message: String,
    source: Option<StageError>,
}

impl fmt::Display for RunError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for RunError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source as _)
    }
}

/// Runs the call of a manifest and writes its outcome to the stage.
///
/// A failure of the function, of its sandbox or of the machinery is an outcome too. The run's first
/// outcome is permanent: a later attempt returns it instead of its own. A failure of the machinery
/// (`infrastructure`) is written beside it, so that another attempt may still succeed.
///
/// # Errors
///
/// When no outcome could be written: the URL is not that of a manifest, the stage is unreachable or
/// rejects the write, an existing outcome is malformed, or the manifest no longer exists because the
/// run was cancelled or collected.
///
/// # Examples
///
/// ```no_run
/// # use hype_run::{Executor, GuestOutput, RunRequest, run};
/// use hype_wire::End;
///
/// # async fn example(executor: &Executor, request: &RunRequest) -> Result<(), hype_run::RunError> {
/// let finished = run(executor, request, GuestOutput::new(|_, _| {})).await?;
/// match finished.outcome.end {
///     End::Value(_) => println!("a value, by {}", finished.line),
///     End::Failure(failure) => println!("{}", failure.message),
/// }
/// # Ok(())
/// # }
/// ```
pub async fn run(
    executor: &Executor,
    request: &RunRequest,
    output: GuestOutput,
) -> Result<Finished, RunError> {
    let (stage_url, run_id) = split(request)?;
    let no_outcome = |source| RunError {
        message: format!("no outcome of run {run_id} could be written"),
        source: Some(source),
    };
    let stage = Stage::open(stage_url).map_err(no_outcome)?;
    let ended = end(executor, &stage, &run_id, request, &output, Presence::Staged).await;
    if !needs_outcome(&stage, &run_id, request, &ended.end).await {
        return Err(RunError {
            message: format!(
                "no outcome of run {run_id} is needed: its manifest was removed, since the run was \
                 cancelled or collected"
            ),
            source: None,
        });
    }
    let mut outcome = ended.into_outcome(run_id.clone(), request, &output);
    outcome.log = put_log(&stage, &run_id, request, &output).await;
    write_outcome(&stage, request.key.as_ref(), outcome).await.map_err(no_outcome)
}

/// Runs the call of the manifest in `request`, which isn't in `stage`, and returns its outcome without writing it.
///
/// Machine code that isn't in memory is read from `stage`. The outcome contains the value, however large it is.
///
/// # Errors
///
/// When `request` has no manifest, or the URL of no manifest.
///
/// # Examples
///
/// ```no_run
/// # use hype_run::{Executor, GuestOutput, RunError, RunRequest, run_unstaged};
/// # async fn example(executor: &Executor, request: &RunRequest) -> Result<(), Box<dyn std::error::Error>> {
/// let stage = hype_stage::Stage::open("file:///var/stage")?;
/// let outcome = run_unstaged(executor, &stage, request, GuestOutput::new(|_, _| {})).await?;
/// println!("{:?}", outcome.end);
/// # Ok(())
/// # }
/// ```
pub async fn run_unstaged(
    executor: &Executor,
    stage: &Stage,
    request: &RunRequest,
    output: GuestOutput,
) -> Result<Outcome, RunError> {
    let (_, run_id) = split(request)?;
    if request.manifest.is_none() {
        let message = format!("the manifest of run {run_id} is missing");
        return Err(RunError { message, source: None });
    }
    let ended = end(executor, stage, &run_id, request, &output, Presence::Unstaged).await;
    Ok(ended.into_outcome(run_id, request, &output))
}

/// Returns the URL of the stage and the name of the run.
fn split(request: &RunRequest) -> Result<(&str, RunId), RunError> {
    names::split_manifest(&request.manifest_url).ok_or_else(|| RunError {
        message: format!(
            "`{}` is not the URL of a manifest, STAGE/runs/RUN/manifest",
            request.manifest_url
        ),
        source: None,
    })
}

/// Returns whether the submitter may still read an outcome with this end. Does not check again after
/// the function itself ended, unless the run was interrupted.
async fn needs_outcome(stage: &Stage, run_id: &str, request: &RunRequest, end: &End) -> bool {
    let is_early = matches!(end, End::Failure(failure) if failure.kind.is_infrastructure());
    (!is_early && !request.interrupt.is_cancelled()) || manifest_exists(stage, run_id).await
}

/// Stages the log if the outcome can't carry all of it, and returns the blob that it must be. A failed
/// upload is logged and doesn't fail the run.
async fn put_log(
    stage: &Stage,
    run_id: &str,
    request: &RunRequest,
    output: &GuestOutput,
) -> Option<Blob> {
    let log = output.kept()?;
    let (name, blob) = (names::log(run_id, request.attempt), log.blob());
    let source = Source::file(log.path());
    tokio::select! {
        put = stage.put_at(&name, &blob, &source) => {
            if let Err(error) = put {
                tracing::warn!("cannot stage the log: {error}");
            }
        }
        () = async {
            request.interrupt.cancelled().await;
            tokio::time::sleep(LOG_UPLOAD_TIMEOUT).await;
        } => {}
    }
    Some(blob)
}

/// Creates the run's outcome if it has none. Writes a failure of the machinery under the name of its
/// attempt instead, since a retry may still succeed.
async fn write_outcome(
    stage: &Stage,
    key: Option<&RunKey>,
    outcome: Outcome,
) -> Result<Finished, StageError> {
    let name = outcome.name();
    let malformed = |error| StageError::from_encoding(&stage.url_of(&name), error);
    let bytes = Bytes::from(encode(&outcome, key).map_err(malformed)?);
    if name != names::outcome(&outcome.run_id) {
        stage.put(&name, bytes.clone()).await?;
        return Ok(finished(stage, &name, &bytes, outcome));
    }
    match stage.create(&name, bytes.clone()).await? {
        Created::New => Ok(finished(stage, &name, &bytes, outcome)),
        Created::Existing => {
            // The termination line will prove this outcome. Without a key it cannot be verified here.
            let first = stage.get(&name, Outcome::MAX_SIZE).await?;
            let (opened, _) = unseal(first.to_vec(), key).map_err(malformed)?;
            let outcome = Outcome::from_bytes(&opened).map_err(malformed)?;
            Ok(finished(stage, &name, &first, outcome))
        }
    }
}

fn encode(outcome: &Outcome, key: Option<&RunKey>) -> Result<Vec<u8>, WireError> {
    let bytes = outcome.to_bytes()?;
    match key {
        Some(key) => seal(bytes, key),
        None => Ok(bytes),
    }
}

fn finished(stage: &Stage, name: &str, bytes: &[u8], outcome: Outcome) -> Finished {
    Finished {
        line: TerminationLine { outcome: stage.url_of(name), digest: Digest::of(bytes) },
        outcome,
    }
}

/// Returns the microseconds since `started`.
pub(crate) fn micros(started: Instant) -> u64 {
    as_micros(started.elapsed())
}

pub(crate) fn as_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
