//! The driver of runs: staging, attempts with retries, and the outcome.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures::future::BoxFuture;
use hype_stage::Stage;
use hype_wire::{Code, End, FailureKind, Outcome, RunId, RunKey, Statistics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::call::closure::Call;
use crate::call::component::ComponentFunction;
use crate::cleanup::list::CleanupList;
use crate::configuration::Key;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::chained::{Previous, RunValue, take_value};
use crate::run::handover::{Handover, HandoverState};
use crate::run::keys;
use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::log_backfill;
use crate::run::measured::Measured;
use crate::run::outcome::{outcome_by_key, outcome_by_line};
use crate::run::registry::Registry;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;
use crate::runner::{Attempt, Completion, Description, Plan, PlanRequest, Runner, StageSecret};
use crate::staging::upload::Uploads;
use crate::staging::{RunArguments, RunSpec, StagedRun};

/// The state that all runs of a submitter share. It drives them.
pub(crate) struct Dispatcher {
    pub(crate) stage: Stage,
    pub(crate) runner: Box<dyn Runner>,
    pub(crate) description: Description,
    pub(crate) uploads: Uploads,
    /// The time after which a lease that its owner doesn't renew expires.
    pub(crate) lease_term: Duration,
    /// The submitter's cleanup list, for everything that outlives single runs.
    pub(crate) cleanup: CleanupList,
    pub(crate) registry: Arc<Registry>,
}

/// The state of a run in progress, which its driver owns.
pub(crate) struct RunState {
    pub(crate) id: RunId,
    pub(crate) call: Call,
    pub(crate) env: RunEnvironment,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) log: Log,
    pub(crate) cleanup: CleanupList,
    pub(crate) lease: Lease,
    pub(crate) objects: RunObjects,
    /// The secret with which the runner accesses the stage.
    pub(crate) stage_secret: Option<StageSecret>,
    pub(crate) handle_state: watch::Receiver<HandleState>,
    pub(crate) handover: Handover,
    /// Cancelled when another handle cancels the run.
    pub(crate) cancel: CancellationToken,
    pub(crate) measured: Measured,
    /// The run whose value is the first argument, until the arguments are staged.
    pub(crate) previous: Option<Previous>,
    /// True if `previous` has failed, so that nothing of this run was staged.
    pub(crate) lacks_argument: bool,
}

/// Ends the log of a detached run that goes on without this driver. The cleanup list of any other run ends its log once
/// the run's process has stopped.
impl Drop for RunState {
    fn drop(&mut self) {
        if self.cleanup.is_abandoned() {
            self.log.end();
        }
    }
}

/// A run to be staged.
pub(crate) struct StagingRequest<'a> {
    pub(crate) function: &'a ComponentFunction,
    pub(crate) arguments: RunArguments,
    /// The time after which the compilation of the component is stopped.
    pub(crate) compile_timeout: Option<Duration>,
    pub(crate) is_map: bool,
}

/// A run that its runner has planned, and whose objects are in the stage.
pub(crate) struct PlannedRun {
    pub(crate) run: StagedRun,
    pub(crate) plan: Plan,
    pub(crate) key: RunKey,
}

/// The state of a run's handle, which decides whether the run is removed at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HandleState {
    /// The handle exists, and the program has not decided yet.
    Held,
    /// The program waits for the value. The run is removed afterwards.
    Awaited,
    /// The value is the argument of another run, whose program waits for that one. The run is removed afterwards.
    Chained,
    /// The run is detached. It is kept for programs that attach to it.
    Detached,
}

impl Dispatcher {
    /// Drives a run to its end, and then waits until its handle is awaited, detached or dropped. Unless the run is
    /// detached, everything that it created is removed in the background when `run` is dropped.
    pub(crate) async fn drive(&self, run: &mut RunState) -> Result<RunValue> {
        let lease = run.lease.clone();
        let driven = async {
            let cancel = run.cancel.clone();
            let result = tokio::select! {
                result = self.value(run) => result,
                () = cancel.cancelled() => Err(Error::lost(&run.id, "another handle cancelled it")),
            };
            run.status.send_replace(Status::Ended);
            run.log.end();
            let has_outcome = |error: &Error| error.failure().is_some() && !run.lacks_argument;
            let is_settled = result.as_ref().err().is_none_or(has_outcome);
            run.handover.set(if is_settled {
                HandoverState::Collectable
            } else {
                HandoverState::Failed
            });
            // An error means that the handle was dropped, so that the run is removed.
            let mut handle_state = run.handle_state.clone();
            let _ = handle_state.wait_for(|state| *state != HandleState::Held).await;
            if *run.handle_state.borrow() == HandleState::Detached {
                self.keep_detached(run, &result, is_settled).await;
            } else {
                // The removal itself begins when `run` is dropped, and the value doesn't wait for it.
                run.objects.announce_removal();
            }
            result
        };
        tokio::select! {
            result = driven => result,
            never = lease.keep() => match never {},
        }
    }

    /// Keeps a detached run that has ended for programs that attach to it. A run that was lost in this process is
    /// removed instead.
    async fn keep_detached(&self, run: &RunState, result: &Result<RunValue>, is_settled: bool) {
        let id = &run.id;
        if let (false, Err(error)) = (is_settled, result) {
            if self.description.outlives_program {
                tracing::warn!(
                    "{id}, which is detached, is not followed here any more; submitter.attach waits for it: {}",
                    error.report()
                );
            } else {
                // Its cleanup list is not abandoned, and so removes it.
                tracing::warn!("the detached run {id} was lost: {}", error.report());
                return;
            }
        }
        run.cleanup.abandon();
        if let Err(error) = run.lease.detach().await {
            tracing::warn!("the stage does not know that {id} is detached: {}", error.report());
        }
    }

    /// Registers the removal of the run's objects in the stage.
    pub(crate) fn register_objects(&self, run: &RunState) {
        let (objects, manifest) = (run.objects.clone(), run.objects.clone());
        let what = format!("run {} in {}", run.id, self.stage.url());
        run.cleanup.register(&what, async move { objects.remove().await });
        // The manifest is removed first, so that a runner process that is stopped later knows that its outcome is not
        // needed.
        run.cleanup.register_first(what, async move { manifest.withdraw().await });
    }

    /// Stages and runs a run with its retries, and returns its value.
    async fn value(&self, run: &mut RunState) -> Result<RunValue> {
        run.env.check()?;
        let mut previous = run.previous.take();
        let (function, own_arguments) = match &previous {
            None => (run.call.component_function()?, run.call.take_arguments()?),
            Some(previous) => (previous.open().component_function()?, Bytes::new()),
        };
        self.prepare(run, &function).await?;
        let arguments = match &mut previous {
            None => RunArguments::Whole(own_arguments),
            Some(previous) => {
                let arguments = previous.arguments().await;
                run.lacks_argument = arguments.is_err();
                arguments?
            }
        };
        let run = &*run;
        let compile_timeout = run.env.timeout();
        let request =
            StagingRequest { function: &function, arguments, compile_timeout, is_map: false };
        let staged = take_value(previous, self.stage_run(run, request)).await?;
        let location = &self.description.location;
        tracing::info!(target: STEP, "running `{}` {location}", run.call.function());
        self.with_retries(run, &staged, |number| {
            let attempt = self.new_attempt(run, &function, &staged, number);
            Box::pin(self.run_attempt(run, attempt, &staged.run))
        })
        .await
    }

    /// Checks the grants of a run, and registers its removal, before anything of it is written.
    pub(crate) async fn prepare(&self, run: &RunState, function: &ComponentFunction) -> Result<()> {
        run.env.powers().compare_with(function.component())?;
        run.lease.add_to_index(function.component().name()).await;
        // Registered before a long wait, since the lease may be written from then on.
        self.register_objects(run);
        Ok(())
    }

    /// Plans and stages a run that is [prepared](Self::prepare).
    pub(crate) async fn stage_run(
        &self,
        run: &RunState,
        request: StagingRequest<'_>,
    ) -> Result<PlannedRun> {
        let RunState { id, call, env, .. } = run;
        let StagingRequest { function, arguments, compile_timeout, is_map } = request;
        let image = call.image().or(env.image());
        let shares_process = is_map;
        let request = PlanRequest { stage_url: self.stage.url(), env, image, shares_process };
        let plan = self.runner.plan(request).await?;
        let mounts = self.runner.mounts(env, &self.cleanup).await?;
        let key = keys::create(&self.registry, id)?;
        let spec = RunSpec {
            run_id: id,
            function,
            arguments,
            env,
            mounts,
            place: plan.run_location.clone(),
            #[cfg(feature = "local")]
            platform: plan.platform.clone(),
            #[cfg(feature = "local")]
            compile_timeout,
        };
        #[cfg(not(feature = "local"))]
        let _ = compile_timeout;
        let staged = StagedRun::begin(&self.stage, spec).await?;
        run.lease.mark_staged(plan.run_location.as_deref()).await;
        staged.put_blobs(&self.stage, &self.uploads).await?;
        let image = plan.image.as_deref();
        let actual_env = image.map_or_else(|| env.clone(), |image| env.with_image(image));
        tracing::info!(target: STEP, "submitting {} to {actual_env:?}", staged.manifest_url);
        Ok(PlannedRun { run: staged, plan, key })
    }

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
    async fn run_attempt(
        &self,
        run: &RunState,
        attempt: Attempt,
        staged: &StagedRun,
    ) -> Result<RunValue> {
        let RunState { id, call, .. } = run;
        let (number, key, started) = (attempt.number, attempt.key.clone(), Instant::now());
        let image = attempt.image.clone();
        run.measured.begin();
        let (name, outcome) = match self.runner.run(attempt).await? {
            Completion::Line(line) => outcome_by_line(&self.stage, id, number, &line).await?,
            Completion::Interrupted(line, reason) => {
                let (name, outcome) = outcome_by_line(&self.stage, id, number, &line).await?;
                (name, with_interruption_reason(outcome, reason))
            }
            Completion::Sealed => outcome_by_key(&self.stage, id, number, &key).await?,
        };
        if let Some(present) = run.log.take_truncation() {
            log_backfill::backfill(&self.stage, &outcome, &run.log, present).await;
        }
        run.measured.end(&outcome.statistics);
        if number == 1 {
            run.objects.record_objects(&staged.objects, &name, &outcome);
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
