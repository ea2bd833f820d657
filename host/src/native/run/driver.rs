//! What drives a run: from staging, over its attempts, to the value.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::{Code, End, FailureKind, Outcome, Payload, RunKey, Statistics};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use crate::call::closure::Call;
use crate::call::component::ComponentFunction;
use crate::call::value;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::handover::{Handover, Need};
use crate::run::keys;
use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::log_rest;
use crate::run::registry::Registry;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;
use crate::run::vouched::{outcome_by_key, outcome_by_line};
use crate::runner::{Attempt, Description, Plan, PlanRequest, Runner, StageSecret, Voucher};
use crate::staging::upload::Uploads;
use crate::staging::{Ingredients, StagedRun};

/// What all runs of a submitter share.
pub(crate) struct Core {
    pub(crate) stage: Stage,
    pub(crate) runner: Box<dyn Runner>,
    pub(crate) description: Description,
    pub(crate) uploads: Uploads,
    /// How long an owner of a run that doesn't renew its lease may still be there.
    pub(crate) lease_term: Duration,
    /// What outlives single runs.
    pub(crate) owned: Owned,
    pub(crate) registry: Arc<Registry>,
}

/// A run that somebody wants.
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) call: Call,
    pub(crate) env: RunEnvironment,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) log: Log,
    pub(crate) owned: Owned,
    pub(crate) lease: Lease,
    pub(crate) objects: RunObjects,
    /// What the runner reaches the stage with.
    pub(crate) stage_secret: Option<StageSecret>,
    pub(crate) fate: watch::Receiver<Fate>,
    pub(crate) handover: Handover,
    /// Cancelled when another handle cancels the run.
    pub(crate) cancel: CancellationToken,
}

/// What whoever has the handle of a run decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Undecided,
    /// The value is wanted, and nothing else of the run.
    Wanted,
    /// All of it stays for somebody else.
    Detached,
}

impl Core {
    /// Brings what is ordered to its end, and waits until somebody has decided about it. Unless it is detached, all
    /// that it made goes with `order`, without anybody waiting for that.
    pub(crate) async fn drive(&self, order: &mut Order) -> Result<Bytes> {
        let lease = order.lease.clone();
        let driven = async {
            let cancel = order.cancel.clone();
            let result = tokio::select! {
                result = self.value(order) => result,
                () = cancel.cancelled() => Err(Error::lost(&order.id, "another handle cancelled it")),
            };
            order.status.send_replace(Status::Ended);
            order.log.end();
            let is_settled = result.as_ref().err().is_none_or(|error| error.failure().is_some());
            order.handover.change(if is_settled { Need::Collecting } else { Need::Failed });
            // An error says that the handle is gone, and with it all that is to be removed.
            let mut fate = order.fate.clone();
            let _ = fate.wait_for(|fate| *fate != Fate::Undecided).await;
            if *order.fate.borrow() == Fate::Detached {
                self.leave(order, &result, is_settled).await;
            }
            result
        };
        tokio::select! {
            result = driven => result,
            never = lease.keep() => match never {},
        }
    }

    /// Leaves what a detached run left to whoever attaches to it. Where nothing is left to wait for, all of it goes.
    async fn leave(&self, order: &Order, result: &Result<Bytes>, is_settled: bool) {
        let id = &order.id;
        if let (false, Err(error)) = (is_settled, result) {
            if self.description.outlives_program {
                tracing::warn!(
                    "{id}, which is detached, is not followed here any more; submitter.attach waits for it: {}",
                    error.report()
                );
            } else {
                // Its list of what is to be removed is still there.
                tracing::warn!("the detached run {id} was lost: {}", error.report());
                return;
            }
        }
        order.owned.leave();
        if let Err(error) = order.lease.detach().await {
            tracing::warn!("the stage does not know that {id} is detached: {}", error.report());
        }
    }

    /// Makes the run's objects in the stage go with it.
    fn own_run(&self, order: &Order) {
        let (objects, withdrawn) = (order.objects.clone(), order.objects.clone());
        let what = format!("run {} in {}", order.id, self.stage.url());
        order.owned.enter(&what, async move { objects.remove().await });
        // So that a runner process that is told to stop knows that nobody wants its outcome.
        order.owned.enter_first(what, async move { withdrawn.withdraw().await });
    }

    /// The MessagePack of the value.
    async fn value(&self, order: &mut Order) -> Result<Bytes> {
        order.env.check()?;
        let function = order.call.component_function()?;
        let arguments = order.call.take_arguments()?;
        let order = &*order;
        let Order { id, call, env, .. } = order;
        env.powers().compare_with(function.component())?;
        // Before anything is waited for, since the lease may be written meanwhile.
        self.own_run(order);
        let image = call.image().or(env.image());
        let request = PlanRequest { stage_url: self.stage.url(), env, image };
        let plan = self.runner.plan(request).await?;
        let mounts = self.runner.mounts(env, &self.owned).await?;
        let key = keys::make(&self.registry, id)?;
        let ingredients = Ingredients {
            run_id: id,
            function: &function,
            arguments,
            env,
            mounts,
            place: plan.place.clone(),
            #[cfg(feature = "local")]
            platform: plan.platform.clone(),
        };
        let staged = StagedRun::begin(&self.stage, ingredients).await?;
        order.lease.mark_staged().await;
        staged.put_blobs(&self.stage, &self.uploads).await?;
        let image = plan.image.as_deref();
        let shown = image.map_or_else(|| env.clone(), |image| env.with_image(image));
        tracing::info!(target: STEP, "submitting {} to {shown:?}", staged.manifest_url);
        tracing::info!(target: STEP, "running `{}` {}", call.function(), self.description.place);
        let (mut number, mut retries, mut restaged) = (1, 0, false);
        loop {
            order.status.send_replace(Status::Running(number));
            order.handover.change(Need::Program);
            Span::current().record("attempt", number);
            match self.attempt(order, &function, &staged, &plan, (number, &key)).await {
                Err(error) if error.misses_object() && !restaged => {
                    tracing::warn!(
                        "{id} is staged again, since a collection came between: {error}"
                    );
                    staged.put_blobs(&self.stage, &self.uploads).await?;
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

    async fn attempt(
        &self,
        order: &Order,
        function: &ComponentFunction,
        staged: &StagedRun,
        plan: &Plan,
        (number, key): (u32, &RunKey),
    ) -> Result<Bytes> {
        let Order { id, call, env, .. } = order;
        let started = Instant::now();
        let attempt = Attempt {
            run_id: id.clone(),
            number,
            function: call.function().to_owned(),
            component: function.component().name().to_owned(),
            stage_url: self.stage.url().to_owned(),
            manifest_url: staged.manifest_url.clone(),
            manifest_digest: staged.manifest_digest,
            manifest: Some(Arc::clone(&staged.manifest)),
            key: key.clone(),
            image: plan.image.clone(),
            env: env.clone(),
            stage_secret: order.stage_secret.clone(),
            disk: staged.disk,
            log: order.log.clone(),
            owned: order.owned.clone(),
            handover: order.handover.clone(),
        };
        let (name, outcome) = match self.runner.run(attempt).await? {
            Voucher::Line(line) => outcome_by_line(&self.stage, id, &line).await?,
            Voucher::Stopped(line, why) => {
                let (name, outcome) = outcome_by_line(&self.stage, id, &line).await?;
                (name, because(outcome, why))
            }
            Voucher::Key => outcome_by_key(&self.stage, id, number, key).await?,
        };
        if let Some(cut) = order.log.take_cut() {
            log_rest::write(&self.stage, &outcome, &order.log, cut).await;
        }
        if number == 1 {
            order.objects.are_known(&staged.objects, &name, &outcome);
        }
        let ending = match &outcome.end {
            End::Value(_) => "a value".to_owned(),
            End::Failure(failure) => format!("a failure ({})", failure.kind),
        };
        let took = started.elapsed().as_secs_f64() * 1000.0;
        tracing::info!(
            "{id} ended with {ending} after {took:.1} ms: {}",
            told(&outcome.statistics)
        );
        self.conclude(call.function(), outcome).await
    }

    /// The MessagePack of the value in `outcome`, or the failure of `function`.
    pub(crate) async fn conclude(&self, function: &str, outcome: Outcome) -> Result<Bytes> {
        match outcome.end {
            End::Value(payload) => read_value(&self.stage, payload).await,
            End::Failure(failure) => Err(Error::failed(function, failure)),
        }
    }
}

/// An interruption says why there was one.
fn because(mut outcome: Outcome, why: String) -> Outcome {
    if let End::Failure(failure) = &mut outcome.end
        && failure.kind == FailureKind::Interrupted
    {
        failure.causes.push(why);
    }
    outcome
}

/// How long to wait after this attempt: 1 s, then twice as long each time, up to a minute.
fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << (attempt - 1).min(6)).min(Duration::from_secs(60))
}

async fn read_value(stage: &Stage, payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::from(bytes.0)),
        Payload::Staged { name, blob } if blob.size <= Payload::MAX_SIZE => {
            stage.get_blob_at(&name, &blob).await.map_err(value::missing)
        }
        Payload::Staged { name, blob } => {
            let url = stage.url_of(&name);
            Err(StageError::too_large(&url, blob.size, Payload::MAX_SIZE).into())
        }
    }
}

fn told(statistics: &Statistics) -> String {
    let ms = |us: u64| us as f64 / 1000.0;
    let Statistics { fetch_us, compile_us, start_us, run_us, peak_memory, code, .. } = statistics;
    let made = match code {
        Code::Compiled => "compile",
        _ => "load",
    };
    format!(
        "fetch {:.1} ms, {made} {:.1} ms, start {:.1} ms, run {:.1} ms, memory {:.1} MiB",
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
    fn attempts_come_further_and_further_apart() {
        let delays: Vec<_> = (1..=8).map(|attempt| backoff(attempt).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 60, 60]);
    }
}
