//! The output of all attempts of a run that another process started.

use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;

use futures::future::BoxFuture;
use hype_stage::Stage;
use hype_wire::Outcome;
use tokio::sync::watch;

use crate::run::log::Log;
use crate::run::log_backfill;
use crate::run::poll_pause::PollPause;
use crate::runner::{LogMode, Runner};

/// The time to wait for the rest of the output after the outcome is there.
const LOG_DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Copies the output of a run's attempts to a log, one attempt after the other.
pub(crate) struct AttemptLogs<'a> {
    runner: &'a dyn Runner,
    run_id: &'a str,
    log: &'a Log,
    copied: watch::Sender<Copied>,
}

/// The latest attempt whose output is copied; 0 before the first one.
#[derive(Debug, Clone, Copy)]
struct Copied {
    attempt: u32,
    has_ended: bool,
}

impl<'a> AttemptLogs<'a> {
    /// Starts with the latest attempt.
    pub(crate) fn new(runner: &'a dyn Runner, run_id: &'a str, log: &'a Log) -> Self {
        let copied = watch::Sender::new(Copied { attempt: 0, has_ended: true });
        Self { runner, run_id, log, copied }
    }

    /// Starts with the attempt `first`.
    pub(crate) fn starting_with(
        first: u32,
        runner: &'a dyn Runner,
        run_id: &'a str,
        log: &'a Log,
    ) -> Self {
        let copied = watch::Sender::new(Copied { attempt: first, has_ended: false });
        Self { runner, run_id, log, copied }
    }

    /// Copies the output of one attempt until its end, and then that of each following one, until the future is dropped.
    pub(crate) fn follow(&self) -> BoxFuture<'_, Infallible> {
        Box::pin(async {
            loop {
                let Copied { attempt, has_ended } = *self.copied.borrow();
                if has_ended {
                    let attempt = self.next_attempt().await;
                    // The outcome of a later attempt has none of the lines of an earlier one.
                    self.log.take_truncation();
                    self.copied.send_replace(Copied { attempt, has_ended: false });
                } else {
                    let log = self.log.clone();
                    self.runner.copy_log(self.run_id, attempt, log, LogMode::Follow).await;
                    self.copied.send_replace(Copied { attempt, has_ended: true });
                }
            }
        })
    }

    /// Waits until `following`, the future of [`follow`](Self::follow), has copied the rest of the output of a run that
    /// has ended, for some seconds. Takes the lines that are missing then from the stage, if the run has an outcome.
    pub(crate) async fn finish(
        &self,
        mut following: BoxFuture<'_, Infallible>,
        stage: &Stage,
        outcome: Option<&Outcome>,
    ) {
        let last = outcome.map(|outcome| outcome.attempt);
        let draining = async {
            let mut drained = pin!(self.wait_until_drained(last));
            tokio::select! {
                never = &mut following => match never {},
                () = &mut drained => {}
            }
        };
        let _ = tokio::time::timeout(LOG_DRAIN_TIMEOUT, draining).await;
        // Dropping it marks the log as truncated.
        drop(following);
        let truncation = self.log.take_truncation();
        let Some(outcome) = outcome else { return };
        let is_of_outcome = self.copied.borrow().attempt == outcome.attempt;
        let present = truncation.filter(|_| is_of_outcome).unwrap_or_default();
        log_backfill::backfill(stage, outcome, self.log, present).await;
    }

    /// Waits until the output of the attempt `last` is copied, or nothing of a later attempt than the copied one exists.
    async fn wait_until_drained(&self, last: Option<u32>) {
        let mut copied = self.copied.subscribe();
        loop {
            // The sender exists as long as `self`.
            let Ok(idle) = copied.wait_for(|copied| copied.has_ended).await.map(|idle| *idle)
            else {
                return;
            };
            let newest = self.newest_attempt().await;
            if last.is_some_and(|last| idle.attempt >= last)
                || newest.is_none_or(|newest| newest <= idle.attempt)
            {
                return;
            }
            let _ = copied.wait_for(|copied| copied.attempt > idle.attempt).await;
        }
    }

    /// Waits until a later attempt than the copied one has a process, and returns its number.
    async fn next_attempt(&self) -> u32 {
        let (copied, mut pause) = (self.copied.borrow().attempt, PollPause::default());
        loop {
            match self.newest_attempt().await {
                Some(newest) if newest > copied => return newest,
                // No event reports a new process, so this polls.
                _ => pause.wait().await,
            }
        }
    }

    async fn newest_attempt(&self) -> Option<u32> {
        let found = self.runner.processes(Some(self.run_id)).await.ok()?;
        found.processes.iter().map(|process| process.attempt).max()
    }
}
