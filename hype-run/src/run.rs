//! The flow of a run. Whatever happens after the stage is open ends in an outcome.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::try_join;
use hype_stage::{Created, Source, Stage, StageError};
use hype_wire::{
    Blob, Digest, End, Failure, FailureKind, Outcome, Payload, RunKey, RunManifest, Statistics,
    TerminationLine, WireError, names, seal, unseal,
};
use tokio_util::sync::CancellationToken;

use crate::blobs::Blobs;
use crate::deadline;
use crate::executor::Executor;
use crate::fetch;
use crate::output::{Output, Stream};
use crate::prepared::Prepared;
use crate::variables::Variables;

/// How much of its last seconds a runner that is told to stop may spend on the log.
const LAST_LOG: Duration = Duration::from_secs(4);

/// How long a function takes, at the least, whose run another request to its stage doesn't slow down noticeably.
const SOON: Duration = Duration::from_millis(500);

/// What a runner is told.
#[derive(Debug, Clone)]
pub struct Request {
    /// Where the manifest stands: `STAGE/runs/RUN/manifest`.
    pub manifest_url: String,
    /// The manifest's digest, when a trusted way told it.
    pub digest: Option<Digest>,
    /// The manifest, when a caller in this process has it and vouches for it; then it is not read.
    pub manifest: Option<Arc<RunManifest>>,
    /// What the outcome is sealed with, when a trusted way told it.
    pub key: Option<RunKey>,
    /// Which attempt at the run this is, counted from 1.
    pub attempt: u32,
    /// Variables of the runner's machine, for the guest to see so far as they hold no keys.
    pub variables: Variables,
    /// Cancelling it stops the run at once; the outcome then says so.
    pub interrupt: CancellationToken,
}

impl Request {
    /// Returns whether a trusted way vouches for the manifest.
    pub(crate) fn is_vouched_for(&self) -> bool {
        self.digest.is_some() || self.manifest.is_some()
    }
}

/// A run that came to its end, whatever that is.
#[derive(Debug)]
pub struct Finished {
    /// Names the outcome and vouches for it.
    pub line: TerminationLine,
    /// The outcome itself; the run's first, if another attempt was there before.
    pub outcome: Outcome,
}

/// Why there is no outcome.
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

/// Runs what the manifest says and leaves an outcome.
///
/// # Errors
///
/// Only when no outcome could be written: the URL names no manifest, the stage is out of reach, somebody else wrote
/// an outcome before, or the run's manifest is gone, since it was cancelled or collected.
pub async fn run(
    executor: &Executor,
    request: &Request,
    output: Output,
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
    let mut statistics = Statistics::default();
    let attempt = attempt(executor, &stage, run_id, request, &output, &mut statistics);
    let end = match deadline::unless_interrupted(&request.interrupt, attempt).await {
        Ok(value) => End::Value(value),
        Err(failure) => End::Failure(failure),
    };
    if !is_wanted(&stage, run_id, request, &end).await {
        return Err(RunError {
            message: format!(
                "nobody wants the outcome of run {run_id} any more: its manifest is gone"
            ),
            source: None,
        });
    }
    let mut outcome = Outcome::new(run_id, request.attempt, end, statistics);
    outcome.nonce = nonce();
    outcome.stdout = output.tail(Stream::Stdout).into();
    outcome.stderr = output.tail(Stream::Stderr).into();
    outcome.log = put_log(&stage, run_id, request, &output).await;
    conclude(&stage, request.key.as_ref(), outcome).await.map_err(no_outcome)
}

/// Whether somebody may still want this end of the run. One of the function's own was looked at before, unless this
/// process is told to stop.
async fn is_wanted(stage: &Stage, run_id: &str, request: &Request, end: &End) -> bool {
    let is_early = matches!(end, End::Failure(failure) if failure.kind.is_infrastructure());
    (!is_early && !request.interrupt.is_cancelled()) || has_manifest(stage, run_id).await
}

/// Whether the run's manifest is there. Who cancels a run takes that away first, and removes what is there a moment
/// later.
async fn has_manifest(stage: &Stage, run_id: &str) -> bool {
    // Where that can't be told, an outcome too many is better than none.
    stage.has(&names::manifest(run_id)).await.unwrap_or(true)
}

async fn attempt(
    executor: &Executor,
    stage: &Stage,
    run_id: &str,
    request: &Request,
    output: &Output,
    statistics: &mut Statistics,
) -> Result<Payload, Failure> {
    let permit = executor.permit().await;
    let started = Instant::now();
    let RunManifest { job, call, .. } = match &request.manifest {
        Some(manifest) => RunManifest::clone(manifest),
        None => fetch::manifest(stage, run_id, request.digest.as_ref()).await?,
    };
    let blobs = Blobs::new(stage, executor.cache());
    let (prepared, arguments) = try_join(
        Prepared::new(executor, request, &blobs, run_id, job),
        fetch::arguments(&blobs, &call),
    )
    .await?;
    let compiling = prepared.compile_time();
    (statistics.code, statistics.why_compiled) = prepared.code();
    statistics.compile_us = as_micros(compiling);
    statistics.fetch_us = as_micros(started.elapsed().saturating_sub(compiling));
    statistics.fetched = blobs.fetched();
    let execution = prepared.call_first(&call.function, arguments, output, permit).await;
    drop(prepared);
    statistics.start_us = execution.start_us;
    statistics.run_us = execution.run_us;
    statistics.peak_memory = execution.peak_memory;
    let is_over_soon = Duration::from_micros(execution.run_us) < SOON;
    if !is_over_soon && !has_manifest(stage, run_id).await {
        return Err(Failure::new(FailureKind::Interrupted, "the run was cancelled"));
    }
    let value = execution.value?;

    let started = Instant::now();
    let (payload, uploaded) = put_value(stage, run_id, request.attempt, value).await?;
    statistics.upload_us = micros(started);
    statistics.uploaded = uploaded;
    Ok(payload)
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

/// Leaves the log beside the outcome where that can't carry it, and says what it must be. Whether that was
/// written or not, its outcome counts.
async fn put_log(stage: &Stage, run_id: &str, request: &Request, output: &Output) -> Option<Blob> {
    let log = output.kept()?;
    let (name, blob) = (names::log(run_id, request.attempt), log.blob());
    let source = Source::file(log.path());
    tokio::select! {
        put = stage.put_at(&name, &blob, &source) => {
            if let Err(error) = put {
                tracing::warn!("the log is lost: {error}");
            }
        }
        () = async {
            request.interrupt.cancelled().await;
            tokio::time::sleep(LAST_LOG).await;
        } => {}
    }
    Some(blob)
}

/// Writes the outcome where the first of a run stays, or with its attempt if the function had no
/// part in it, since another attempt may still reach an end of the function's own.
async fn conclude(
    stage: &Stage,
    key: Option<&RunKey>,
    outcome: Outcome,
) -> Result<Finished, StageError> {
    let name = names::outcome(&outcome.run_id);
    let strange = |error| StageError::from_encoding(&stage.url_of(&name), error);
    let bytes = Bytes::from(sealed(&outcome, key).map_err(strange)?);
    if let End::Failure(failure) = &outcome.end
        && failure.kind.is_infrastructure()
    {
        let name = names::attempt_outcome(&outcome.run_id, outcome.attempt);
        stage.put(&name, bytes.clone()).await?;
        return Ok(finished(stage, &name, &bytes, outcome));
    }
    match stage.create(&name, bytes.clone()).await? {
        Created::Now => Ok(finished(stage, &name, &bytes, outcome)),
        Created::Before => {
            // We vouch for it: without a key, for whatever stands there.
            let first = stage.get(&name, Outcome::MAX_SIZE).await?;
            let (opened, _) = unseal(first.to_vec(), key).map_err(strange)?;
            let outcome = Outcome::from_bytes(&opened).map_err(strange)?;
            Ok(finished(stage, &name, &first, outcome))
        }
    }
}

fn sealed(outcome: &Outcome, key: Option<&RunKey>) -> Result<Vec<u8>, WireError> {
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

/// A number that nobody else has.
fn nonce() -> u64 {
    // Each `RandomState` has keys of its own, made of the system's random numbers.
    RandomState::new().hash_one(std::process::id())
}

/// Microseconds since `started`.
pub(crate) fn micros(started: Instant) -> u64 {
    as_micros(started.elapsed())
}

fn as_micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}
