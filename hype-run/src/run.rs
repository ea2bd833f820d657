//! The flow of a run, from its manifest to its outcome.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join;
use hype_stage::{Created, Source, Stage, StageError};
use hype_wire::{
    Blob, Digest, End, Failure, FailureKind, Outcome, Payload, RunId, RunKey, RunManifest,
    Statistics, TerminationLine, WireError, names, seal, unseal,
};
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::deadline;
use crate::executor::Executor;
use crate::fetch;
use crate::output::{GuestOutput, Stream};
use crate::prepared::{Prepared, ReadyJob};
use crate::variables::Variables;

/// The time that an interrupted run may spend on the upload of its log, of the seconds before it is killed.
const LOG_UPLOAD_TIMEOUT: Duration = Duration::from_secs(4);

/// The duration of a call below which one more request to the stage would slow down its run noticeably.
const SHORT_RUN: Duration = Duration::from_millis(500);

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
    let (stage_url, run_id) =
        names::split_manifest(&request.manifest_url).ok_or_else(|| RunError {
            message: format!(
                "`{}` is not the URL of a manifest, STAGE/runs/RUN/manifest",
                request.manifest_url
            ),
            source: None,
        })?;
    let no_outcome = |source| RunError {
        message: format!("no outcome of run {run_id} could be written"),
        source: Some(source),
    };
    let stage = Stage::open(stage_url).map_err(no_outcome)?;
    let mut report = Report::default();
    let attempt = attempt(executor, &stage, &run_id, request, &output, &mut report);
    let end = match attempt.await {
        Ok(value) => End::Value(value),
        Err(failure) => End::Failure(failure),
    };
    if !needs_outcome(&stage, &run_id, request, &end).await {
        return Err(RunError {
            message: format!(
                "no outcome of run {run_id} is needed: its manifest was removed, since the run was \
                 cancelled or collected"
            ),
            source: None,
        });
    }
    let mut outcome = Outcome::new(run_id.clone(), request.attempt, end, report.statistics);
    outcome.output = report.output;
    outcome.nonce = nonce();
    outcome.stdout = output.tail(Stream::Stdout).into();
    outcome.stderr = output.tail(Stream::Stderr).into();
    outcome.log = put_log(&stage, &run_id, request, &output).await;
    write_outcome(&stage, request.key.as_ref(), outcome).await.map_err(no_outcome)
}

/// Returns whether the submitter may still read an outcome with this end. Does not check again after
/// the function itself ended, unless the run was interrupted.
async fn needs_outcome(stage: &Stage, run_id: &str, request: &RunRequest, end: &End) -> bool {
    let is_early = matches!(end, End::Failure(failure) if failure.kind.is_infrastructure());
    (!is_early && !request.interrupt.is_cancelled()) || manifest_exists(stage, run_id).await
}

/// Returns whether the run's manifest exists. A cancellation removes the manifest first, and the other
/// objects of the run a moment later.
async fn manifest_exists(stage: &Stage, run_id: &str) -> bool {
    // If the stage doesn't answer, an unneeded outcome is better than a missing one.
    stage.has(&names::manifest(run_id)).await.unwrap_or(true)
}

/// The parts of an outcome that an attempt determines before its end.
#[derive(Default)]
struct Report {
    statistics: Statistics,
    output: Option<Payload>,
}

async fn attempt(
    executor: &Executor,
    stage: &Stage,
    run_id: &RunId,
    request: &RunRequest,
    output: &GuestOutput,
    report: &mut Report,
) -> Result<Payload, Failure> {
    // The call itself ends when it is interrupted. It isn't dropped: its guest may change files until it has ended.
    let interrupt = &request.interrupt;
    let blobs = Blobs::new(stage, executor.cache());
    let fetched = async {
        let permit = executor.permit().await;
        let started = Instant::now();
        let manifest = fetch::requested_manifest(stage, run_id, request).await?;
        let RunManifest { job, call, .. } = manifest;
        let ready = ReadyJob::fetch(executor, request, &blobs, job);
        let (ready, arguments) = try_join(ready, fetch::arguments(&blobs, &call)).await?;
        Ok((permit, started, ready, arguments, call))
    };
    let (permit, started, ready, arguments, call) =
        deadline::unless_interrupted(interrupt, fetched).await?;
    let prepared = Prepared::new(executor, request, stage, run_id.clone(), ready);
    let compiling = prepared.compile_time();
    let statistics = &mut report.statistics;
    (statistics.code, statistics.why_compiled) = prepared.code();
    statistics.compile_us = as_micros(compiling);
    statistics.fetch_us = as_micros(started.elapsed().saturating_sub(compiling));
    statistics.fetched = blobs.fetched();
    let execution = prepared.call_first(&call.function, arguments, output, permit).await;
    drop(prepared);
    statistics.start_us = execution.start_us;
    statistics.run_us = execution.run_us;
    statistics.cpu_us = execution.cpu_us;
    statistics.peak_memory = execution.peak_memory;
    let is_short = Duration::from_micros(execution.run_us) < SHORT_RUN;
    let check_is_needed = async {
        match is_short || manifest_exists(stage, run_id).await {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Interrupted, "the run was cancelled")),
        }
    };
    deadline::unless_interrupted(interrupt, check_is_needed).await?;
    let started = Instant::now();
    let (ended, result) = match (execution.value, execution.output) {
        (Ok(value), _) => (Ok(()), value),
        (Err(failure), Some(output)) => (Err(failure), output),
        (Err(failure), None) => return Err(failure),
    };
    let put = put_value(stage, run_id, request.attempt, result);
    let (payload, uploaded) = deadline::unless_interrupted(interrupt, put).await?;
    statistics.upload_us = micros(started);
    statistics.uploaded = uploaded;
    match ended {
        Ok(()) => Ok(payload),
        Err(failure) => {
            report.output = Some(payload);
            Err(failure)
        }
    }
}

async fn put_value(
    stage: &Stage,
    run_id: &str,
    attempt: u32,
    value: Vec<u8>,
) -> Result<(Payload, u64), Failure> {
    if value.len() <= Payload::INLINE_LIMIT {
        return Ok((Payload::Inline(value.into()), 0));
    }
    let name = names::result(run_id, attempt);
    let put = stage.put_blob_at(&name, value.into()).await;
    let blob = put.map_err(|error| fetch::infrastructure(&error))?;
    Ok((Payload::Staged { name, blob }, blob.size))
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
    let name = names::outcome(&outcome.run_id);
    let malformed = |error| StageError::from_encoding(&stage.url_of(&name), error);
    let bytes = Bytes::from(encode(&outcome, key).map_err(malformed)?);
    if let End::Failure(failure) = &outcome.end
        && failure.kind.is_infrastructure()
    {
        let name = names::attempt_outcome(&outcome.run_id, outcome.attempt);
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

/// Returns a random number.
fn nonce() -> u64 {
    // The keys of each `RandomState` derive from the system's random numbers.
    RandomState::new().hash_one(std::process::id())
}

/// Returns the microseconds since `started`.
pub(crate) fn micros(started: Instant) -> u64 {
    as_micros(started.elapsed())
}

pub(crate) fn as_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
