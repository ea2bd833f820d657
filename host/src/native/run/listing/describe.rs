//! Everything that is known of one run.

use std::sync::Arc;

use hype_wire::{End, Outcome, Statistics};

use super::failures::SearchFailures;
use super::{Candidate, RunInfo};
use crate::error::{Error, Result};
use crate::run::control;
use crate::run::driver::Dispatcher;
use crate::run::lease::LeaseWatch;
use crate::run::submitter::Submitter;
use crate::runner::ProcessInfo;

/// Everything that is known of one run.
#[derive(Debug)]
#[non_exhaustive]
pub struct RunDetails {
    /// The run, as a list shows it.
    pub info: RunInfo,
    /// The processes of its attempts that exist, with their events.
    pub processes: Vec<ProcessInfo>,
    /// The durations and sizes of the attempt that wrote the outcome, if the run has ended.
    pub statistics: Option<Statistics>,
    /// The error with which the run ended, if it did: the failure of the closure with its backtrace, or the reason why
    /// the run has no outcome.
    pub error: Option<Error>,
}

impl Submitter {
    /// Returns everything that is known of the run `run_id`, whichever program started it.
    ///
    /// ```no_run
    /// # async fn run(submitter: hype::Submitter) -> hype::Result<()> {
    /// let run = submitter.describe("hype-run-tizxijbai4").await?;
    /// println!("{} {}", run.info.function, run.info.status);
    /// if let Some(error) = &run.error {
    ///     println!("{}", error.report());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the run doesn't exist, [`Stage`](crate::ErrorKind::Stage) when the stage
    /// can't be read. If the runner can't search for a run that the stage has, the status is
    /// [`Unknown`](super::RunStatus::Unknown); [`Runner`](crate::ErrorKind::Runner) if the stage doesn't have it.
    pub async fn describe(&self, run_id: &str) -> Result<RunDetails> {
        let (dispatcher, run_id) = (Arc::clone(self.dispatcher()), run_id.to_owned());
        self.on_thread(async move {
            describe(&dispatcher, &run_id, None).await.map(|described| described.details)
        })
        .await
    }
}

/// A described run.
pub(super) struct Described {
    pub(super) details: RunDetails,
    /// The error of the runner, if it could not search for the run.
    pub(super) failure: Option<Error>,
}

/// Describes a run. `lease` watches its lease over several calls.
pub(super) async fn describe(
    dispatcher: &Dispatcher,
    run_id: &str,
    lease: Option<&mut LeaseWatch>,
) -> Result<Described> {
    let Dispatcher { stage, runner, .. } = dispatcher;
    let (processes, locals, now) =
        tokio::join!(runner.processes(Some(run_id)), control::list(stage.url()), stage.now());
    let local = locals.into_iter().find(|local| *local.run.run_id == *run_id);
    let mut candidate = Candidate::new(run_id.to_owned());
    let failures = SearchFailures::default();
    candidate.processes = failures.record(processes);
    candidate.local = local;
    let described = candidate.describe(dispatcher, now.ok(), lease, &failures).await?;
    let Some((info, facts)) = described else {
        let failure = failures.take_unreported().into_iter().next();
        return Err(failure.unwrap_or_else(|| not_existing(run_id, stage.url())));
    };
    let failure = candidate.search_failure.as_ref().and_then(|_| {
        let location = facts.staged.as_ref()?.run_location.as_deref()?;
        failures.take_unreported_of(location)
    });
    let (statistics, error) = match facts.outcome {
        Some(Outcome { end: End::Failure(failure), statistics, .. }) => {
            (Some(statistics), Some(Error::failed(&info.function, failure)))
        }
        Some(Outcome { statistics, .. }) => (Some(statistics), None),
        None => (None, loss(dispatcher, &info).await),
    };
    let details = RunDetails { info, processes: candidate.processes, statistics, error };
    Ok(Described { details, failure })
}

/// Returns the reason why a run has no outcome and won't have one.
async fn loss(dispatcher: &Dispatcher, info: &RunInfo) -> Option<Error> {
    if info.status.is_live() {
        return None;
    }
    let reason = info.status.reason().unwrap_or_default();
    // The status has the reason of the loss. The runner only knows more.
    let of_runner = dispatcher.runner.failure(&info.id).await.ok().flatten();
    Some(of_runner.unwrap_or_else(|| Error::lost(&info.id, reason)))
}

fn not_existing(run_id: &str, stage_url: &str) -> Error {
    Error::input(format!("there is no run {run_id} in {stage_url}")).hint(
        "its value may have been collected, which removes it; cargo hype ps --all lists the others",
    )
}
