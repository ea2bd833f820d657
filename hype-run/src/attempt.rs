//! One attempt at a run: from its manifest to its end.

use std::hash::{BuildHasher, RandomState};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures::future::try_join;
use hype_stage::Stage;
use hype_wire::{
    End, Failure, FailureKind, Outcome, Payload, RunId, RunManifest, Statistics, names,
};

use crate::blobs::Blobs;
use crate::deadline;
use crate::executor::Executor;
use crate::fetch;
use crate::output::{GuestOutput, Stream};
use crate::prepared::{Prepared, ReadyJob};
use crate::run::{RunRequest, as_micros, micros};

/// The duration of a call below which one more request to the stage would slow down its run noticeably.
const SHORT_RUN: Duration = Duration::from_millis(500);

/// Whether the manifest of a run is in the stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// If it is missing later, the run was cancelled or collected.
    Staged,
    Unstaged,
}

/// The end of an attempt, with the parts of an outcome that it determines.
pub(crate) struct Ended {
    pub(crate) end: End,
    report: Report,
}

impl Ended {
    pub(crate) fn into_outcome(
        self,
        run_id: RunId,
        request: &RunRequest,
        output: &GuestOutput,
    ) -> Outcome {
        let Report { statistics, output: collected } = self.report;
        let mut outcome = Outcome::new(run_id, request.attempt, self.end, statistics);
        outcome.output = collected;
        outcome.nonce = nonce();
        outcome.stdout = output.tail(Stream::Stdout).into();
        outcome.stderr = output.tail(Stream::Stderr).into();
        outcome
    }
}

/// Makes the call of the manifest in `request`, or of that of the run in `stage`.
pub(crate) async fn end(
    executor: &Executor,
    stage: &Stage,
    run_id: &RunId,
    request: &RunRequest,
    output: &GuestOutput,
    presence: Presence,
) -> Ended {
    let mut report = Report::default();
    let attempt = attempt(executor, stage, run_id, request, output, presence, &mut report);
    let end = match attempt.await {
        Ok(value) => End::Value(value),
        Err(failure) => End::Failure(failure),
    };
    Ended { end, report }
}

/// Returns whether the run's manifest exists. A cancellation removes the manifest first, and the other
/// objects of the run a moment later.
pub(crate) async fn manifest_exists(stage: &Stage, run_id: &str) -> bool {
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
    presence: Presence,
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
        let (ready, arguments) =
            try_join(ready, fetch::requested_arguments(&blobs, request, &call)).await?;
        Ok((permit, started, ready, arguments, call))
    };
    let (permit, started, ready, arguments, call) =
        deadline::unless_interrupted(interrupt, pin!(fetched)).await?;
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
        let is_unstaged = presence == Presence::Unstaged;
        match is_short || is_unstaged || manifest_exists(stage, run_id).await {
            true => Ok(()),
            false => Err(Failure::new(FailureKind::Interrupted, "the run was cancelled")),
        }
    };
    deadline::unless_interrupted(interrupt, pin!(check_is_needed)).await?;
    let started = Instant::now();
    let (ended, result) = match (execution.value, execution.output) {
        (Ok(value), _) => (Ok(()), value),
        (Err(failure), Some(output)) => (Err(failure), output),
        (Err(failure), None) => return Err(failure),
    };
    let put = async {
        match presence {
            Presence::Staged => put_value(stage, run_id, request.attempt, result).await,
            Presence::Unstaged => Ok((Payload::Inline(result.into()), 0)),
        }
    };
    let (payload, uploaded) = deadline::unless_interrupted(interrupt, pin!(put)).await?;
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

/// Returns a random number.
fn nonce() -> u64 {
    // The keys of each `RandomState` derive from the system's random numbers.
    RandomState::new().hash_one(std::process::id())
}
