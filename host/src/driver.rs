//! What drives a run: from staging, over its attempts, to the value.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::{Stage, StageError};
use hype_wire::{Code, End, Outcome, Payload, RunKey, Statistics, TerminationLine, names, unseal};
use tokio::sync::watch;
use tracing::Span;

use crate::closure::Call;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::keys;
use crate::lease::Lease;
use crate::log::Log;
use crate::owned::Owned;
use crate::progress::STEP;
use crate::run::Status;
use crate::run_objects::RunObjects;
use crate::runner::{Attempt, Runner};
use crate::staging::{Ingredients, StagedRun};
use crate::upload::Uploads;

/// What all runs of a submitter share.
pub(crate) struct Core {
    pub(crate) stage: Stage,
    pub(crate) runner: Box<dyn Runner>,
    pub(crate) uploads: Uploads,
    /// How long an owner of a run that doesn't renew its lease may still be there.
    pub(crate) lease_term: Duration,
    /// What outlives single runs.
    pub(crate) owned: Owned,
}

/// Where a run begins.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Beginning {
    /// With its staging.
    Staging,
    /// By another handle, here or elsewhere.
    Elsewhere,
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
    /// Whether an outcome that nobody vouches for is refused.
    pub(crate) is_strict: bool,
    pub(crate) fate: watch::Receiver<Fate>,
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
    /// Brings what is ordered to its end. What that made goes once the value is wanted: without
    /// anybody waiting for it, but where the value can be taken once.
    pub(crate) async fn drive(&self, order: &Order, beginning: Beginning) -> Result<Bytes> {
        let result = match beginning {
            Beginning::Staging => tokio::select! {
                result = self.value(order) => result,
                never = order.lease.keep() => match never {},
            },
            Beginning::Elsewhere => self.collect(order).await,
        };
        order.status.send_replace(Status::Ended);
        order.log.end();
        // An error says that the handle is gone, and with it all that is to be removed.
        let mut fate = order.fate.clone();
        let _ = fate.wait_for(|fate| *fate != Fate::Undecided).await;
        if *order.fate.borrow() == Fate::Detached {
            return self.leave(order, result).await;
        }
        match beginning {
            Beginning::Staging => result,
            Beginning::Elsewhere => {
                let removed = order.owned.remove().await;
                let value = result?;
                removed.map(|()| value)
            }
        }
    }

    /// Leaves a detached run's outcome to be collected; without one there is nothing to leave.
    async fn leave(&self, order: &Order, result: Result<Bytes>) -> Result<Bytes> {
        match &result {
            Err(error) if error.failure().is_none() => {
                tracing::warn!("the detached run {} was lost: {}", order.id, error.report());
                order.objects.remove().await?;
            }
            _ => order.lease.detach().await,
        }
        result
    }

    /// Makes the run's objects in the stage go with it.
    pub(crate) fn own_run(&self, order: &Order) {
        let objects = order.objects.clone();
        let what = format!("run {} in {}", order.id, self.stage.url());
        order.owned.enter(what, async move { objects.remove().await });
    }

    /// The MessagePack of the value.
    async fn value(&self, order: &Order) -> Result<Bytes> {
        let Order { id, call, env, .. } = order;
        env.check()?;
        let function = call.component_function()?;
        let arguments = call.arguments()?;
        let mounts = self.runner.mounts(env, &self.owned).await?;
        self.own_run(order);
        let key = keys::make(id)?;
        let ingredients = Ingredients {
            run_id: id,
            function: &function,
            arguments,
            env,
            mounts,
            #[cfg(feature = "local")]
            platform: self.runner.platform(env),
        };
        let staged = StagedRun::begin(&self.stage, ingredients).await?;
        staged.put_blobs(&self.stage, &self.uploads).await?;
        tracing::info!(target: STEP, "submitting {} to {env:?}", staged.manifest_url);
        tracing::info!(target: STEP, "running `{}` {}", call.function(), self.runner.place());
        let (mut number, mut retries, mut restaged) = (1, 0, false);
        loop {
            order.status.send_replace(Status::Running(number));
            Span::current().record("attempt", number);
            match self.attempt(order, &staged, &key, number).await {
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
        staged: &StagedRun,
        key: &RunKey,
        number: u32,
    ) -> Result<Bytes> {
        let Order { id, call, env, .. } = order;
        let started = Instant::now();
        let attempt = Attempt {
            run_id: id.clone(),
            number,
            manifest_url: staged.manifest_url.clone(),
            manifest_digest: staged.manifest_digest,
            key: key.clone(),
            image: call.image().or(env.image()).map(str::to_owned),
            env: env.clone(),
            log: order.log.clone(),
            owned: order.owned.clone(),
        };
        let line = self.runner.run(attempt).await?;
        let (name, outcome) = read_outcome(&self.stage, id, &line).await?;
        if number == 1 {
            order.objects.are_known(&staged.objects, name, &outcome);
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
        self.conclude(order, outcome).await
    }

    pub(crate) async fn conclude(&self, order: &Order, outcome: Outcome) -> Result<Bytes> {
        match outcome.end {
            End::Value(payload) => read_value(&self.stage, payload).await,
            End::Failure(failure) => Err(Error::failed(order.call.function(), failure)),
        }
    }
}

/// How long to wait after this attempt: 1 s, then twice as long each time, up to a minute.
fn backoff(attempt: u32) -> Duration {
    Duration::from_secs(1 << (attempt - 1).min(6)).min(Duration::from_secs(60))
}

/// The outcome that `line` vouches for, and its name.
async fn read_outcome<'a>(
    stage: &Stage,
    run_id: &str,
    line: &'a TerminationLine,
) -> Result<(&'a str, Outcome)> {
    let name = line
        .outcome
        .strip_prefix(stage.url())
        .and_then(|name| name.strip_prefix('/'))
        .filter(|name| name.starts_with(&format!("{}/", names::run(run_id))))
        .ok_or_else(|| {
            Error::lost(run_id, format!("its runner named a foreign outcome, {}", line.outcome))
        })?;
    let bytes = stage
        .get_verified(name, &line.digest, Outcome::MAX_SIZE)
        .await
        .map_err(|error| Error::lost(run_id, error))?;
    let (bytes, _) = unseal(Vec::from(bytes), None)?;
    Ok((name, Outcome::from_bytes(&bytes)?))
}

async fn read_value(stage: &Stage, payload: Payload) -> Result<Bytes> {
    match payload {
        Payload::Inline(bytes) => Ok(Bytes::from(bytes.0)),
        Payload::Staged { name, blob } if blob.size <= Payload::MAX_SIZE => {
            Ok(stage.get_blob_at(&name, &blob).await?)
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
