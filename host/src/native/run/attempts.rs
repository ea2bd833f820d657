//! The attempts at a run, with retries, and their outcomes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use hype_wire::{Code, End, FailureKind, Outcome, Statistics};
use tracing::Span;

use crate::call::component::ComponentFunction;
use crate::configuration::Key;
use crate::error::Result;
use crate::run::chained::RunValue;
use crate::run::driver::{Dispatcher, HandleState, PlannedRun, RunState};
use crate::run::handover::HandoverState;
use crate::run::log_backfill;
use crate::run::outcome::{outcome_by_key, outcome_by_line};
use crate::run::status::Status;
use crate::runner::{Attempt, Completion};
use crate::staging::StagedRun;

impl Dispatcher {
    /// Calls `attempt` with the number of each attempt, until one succeeds or there are no retries left.
    pub(crate) async fn with_retries<'a, T>(
        &'a self,
        run: &RunState,
        staged: &PlannedRun,
        attempt: impl Fn(u32) -> BoxFuture<'a, Result<T>> + Send + Sync,
    ) -> Result<T> {
        let RunState { id, env, .. } = run;
        let (mut number, mut retries, mut restaged) = (1, 0, false);
        loop {
            run.status.send_replace(Status::Running(number));
            run.handover.set(HandoverState::NeedsProgram);
            Span::current().record("attempt", number);
            match attempt(number).await {
                Err(error) if error.misses_object() && !restaged => {
                    tracing::warn!(
                        "{id} is staged again, since a collection came between: {error}"
                    );
                    #[cfg(feature = "local")]
                    self.unstaged.components.clear();
                    staged.run.put_blobs(&self.stage, &self.uploads).await?;
                    restaged = true;
                }
                Err(error) if error.is_infrastructure() && retries < env.retries() => {
                    retries += 1;
                    let delay = backoff(retries);
                    tracing::warn!(
                        "attempt {number} of {id} ended early, the next follows in {delay:?}: {error}"
                    );
                    tokio::time::sleep(delay).await;
                }
                end => return end,
            }
            number += 1;
        }
    }

    pub(crate) fn new_attempt(
        &self,
        run: &RunState,
        function: &ComponentFunction,
        planned: &PlannedRun,
        number: u32,
    ) -> Attempt {
        let PlannedRun { run: staged, plan, key } = planned;
        Attempt {
            run_id: run.id.to_string(),
            number,
            function: run.call.function().to_owned(),
            component: function.component().name().to_owned(),
            stage_url: self.stage.url().to_owned(),
            manifest_url: staged.manifest_url.clone(),
            manifest_digest: staged.manifest_digest,
            manifest: Some(Arc::clone(&staged.manifest)),
            unstaged: staged.unstaged.is_some().then(|| self.stage.clone()),
            arguments: staged.unstaged.as_ref().and_then(|it| it.arguments().cloned()),
            key: key.clone(),
            image: plan.image.clone(),
            env: run.env.clone(),
            stage_secret: run.stage_secret.clone(),
            disk: staged.disk,
            log: run.log.clone(),
            cleanup: run.cleanup.clone(),
            handover: run.handover.clone(),
        }
    }

    /// Runs one attempt, verifies its outcome, and returns the value.
    pub(super) async fn run_attempt(
        &self,
        run: &RunState,
        attempt: Attempt,
        staged: &StagedRun,
    ) -> Result<RunValue> {
        let RunState { id, call, .. } = run;
        let (number, key, started) = (attempt.number, attempt.key.clone(), Instant::now());
        let image = attempt.image.clone();
        run.measured.begin();
        let mut objects = staged.objects.clone();
        let outcome = match self.runner.run(attempt).await? {
            Completion::Returned(outcome) => {
                let state = *run.handle_state.borrow();
                let is_awaited = matches!(state, HandleState::Awaited | HandleState::Chained);
                let (outcome, names) = run.lease.stage_end(*outcome, &key, is_awaited).await?;
                objects.extend(names);
                outcome
            }
            Completion::Line(line) => {
                let (name, outcome) = outcome_by_line(&self.stage, id, number, &line).await?;
                objects.push(name);
                outcome
            }
            Completion::Interrupted(line, reason) => {
                let (name, outcome) = outcome_by_line(&self.stage, id, number, &line).await?;
                objects.push(name);
                with_interruption_reason(outcome, reason)
            }
            Completion::Sealed => {
                let (name, outcome) = outcome_by_key(&self.stage, id, number, &key).await?;
                objects.push(name);
                outcome
            }
        };
        if let Some(present) = run.log.take_truncation() {
            log_backfill::backfill(&self.stage, &outcome, &run.log, present).await;
        }
        run.measured.end(&outcome.statistics);
        if number == 1 {
            run.objects.record_objects(objects, &outcome);
        }
        let ending = match &outcome.end {
            End::Value(_) => "a value".to_owned(),
            End::Failure(failure) => format!("a failure ({})", failure.kind),
        };
        let took = started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(
            "{id} ended with {ending} after {took:.1} ms: {}",
            format_statistics(&outcome.statistics)
        );
        let is_chained = *run.handle_state.borrow() == HandleState::Chained;
        if let End::Value(payload) = &outcome.end
            && let Some(value) = RunValue::staged(payload).filter(|_| is_chained)
        {
            return Ok(value);
        }
        let concluded = self.conclude(call.function(), outcome).await.map(RunValue::Read);
        concluded.map_err(|error| match image {
            Some(image) if error.is_incompatible() => error.concerning_value(Key::Image, &image),
            _ => error,
        })
    }
}

/// Adds the reason of an interruption to the causes of its failure.
fn with_interruption_reason(mut outcome: Outcome, reason: String) -> Outcome {
    if let End::Failure(failure) = &mut outcome.end
        && failure.kind == FailureKind::Interrupted
    {
        failure.causes.push(reason);
    }
    outcome
}

/// Returns the exponential backoff before a retry, counted from 1: 1 s, doubled for each retry, up to a minute.
pub(crate) fn backoff(retry: u32) -> Duration {
    Duration::from_secs(1 << (retry - 1).min(6)).min(Duration::from_secs(60))
}

fn format_statistics(statistics: &Statistics) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    let Statistics { fetch_us, compile_us, start_us, run_us, peak_memory, code, .. } = statistics;
    let code_step = match code {
        Code::Compiled => "compile",
        _ => "load",
    };
    format!(
        "fetch {:.1} ms, {code_step} {:.1} ms, start {:.1} ms, run {:.1} ms, memory {:.1} MiB",
        ms(*fetch_us),
        ms(*compile_us),
        ms(*start_us),
        ms(*run_us),
        *peak_memory as f64 / f64::from(1 << 20),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backoff_doubles_up_to_a_minute() {
        let delays: Vec<_> = (1..=8).map(|retry| backoff(retry).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
