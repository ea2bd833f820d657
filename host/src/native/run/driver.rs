//! The driver of runs: staging, attempts with retries, and the outcome.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hype_stage::Stage;
use hype_wire::{RunId, RunKey};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::call::closure::Call;
use crate::call::component::ComponentFunction;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::progress::STEP;
use crate::run::chained::{Previous, RunValue, take_value};
use crate::run::handover::{Handover, HandoverState};
use crate::run::keys;
use crate::run::lease::Lease;
use crate::run::log::Log;
use crate::run::measured::Measured;
use crate::run::registry::Registry;
use crate::run::run_objects::RunObjects;
use crate::run::status::Status;
use crate::runner::{Description, Plan, PlanRequest, Runner, StageSecret};
#[cfg(feature = "local")]
use crate::staging::StagedCode;
use crate::staging::unstaged::UnstagedRuns;
use crate::staging::upload::Uploads;
use crate::staging::{RunArguments, RunSpec, StagedRun};

/// The state that all runs of a submitter share. It drives them.
pub(crate) struct Dispatcher {
    pub(crate) stage: Stage,
    pub(crate) runner: Box<dyn Runner>,
    pub(crate) description: Description,
    pub(crate) uploads: Uploads,
    pub(crate) unstaged: UnstagedRuns,
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
    /// Whether the run is a map. It must be in the stage, since other programs look for it there, and its items share a
    /// process.
    pub(crate) is_map: bool,
}

/// A run that its runner has planned, and whose objects are in the stage as far as it needs them there.
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
        let staged = take_value(previous, pin!(self.stage_run(run, request))).await?;
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
        let stage_url = self.stage.url();
        let request = PlanRequest { stage_url, env, image, shares_process: is_map };
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
            unstaged: (plan.returns_outcome && !is_map).then_some(&self.unstaged),
        };
        #[cfg(not(feature = "local"))]
        let _ = compile_timeout;
        let staged = StagedRun::begin(&self.stage, spec).await?;
        match &staged.unstaged {
            Some(unstaged) => run.lease.keep_unstaged(unstaged.clone()).await?,
            None => run.lease.mark_staged(plan.run_location.as_deref()).await,
        }
        self.put_blobs(&staged, function, &plan).await?;
        let image = plan.image.as_deref();
        let actual_env = image.map_or_else(|| env.clone(), |image| env.with_image(image));
        tracing::info!(target: STEP, "submitting {} to {actual_env:?}", staged.manifest_url);
        Ok(PlannedRun { run: staged, plan, key })
    }

    /// Uploads what the stage lacks of a run, unless that is known to be there.
    #[cfg(feature = "local")]
    async fn put_blobs(
        &self,
        staged: &StagedRun,
        function: &ComponentFunction,
        plan: &Plan,
    ) -> Result<()> {
        let StagedCode { cached, is_known } = &staged.code;
        if *is_known {
            return Ok(());
        }
        staged.put_blobs(&self.stage, &self.uploads).await?;
        let platform = plan.platform.as_deref();
        self.unstaged.components.insert(function.component(), platform, cached.clone());
        Ok(())
    }

    #[cfg(not(feature = "local"))]
    async fn put_blobs(&self, staged: &StagedRun, _: &ComponentFunction, _: &Plan) -> Result<()> {
        staged.put_blobs(&self.stage, &self.uploads).await
    }
}
