//! Output of an attached run: its function in the progress display, and its log.

use hype_wire::Outcome;
use tracing::Span;

use super::Inner;
use crate::error::Result;
use crate::progress::STEP;
use crate::run::attempt_logs::AttemptLogs;
use crate::run::log_backfill;

impl Inner {
    /// Reports the attachment, with the function's name if it is known.
    pub(super) fn report_attached(&self, function: Option<&str>) {
        let (span, id) = (Span::current(), &self.id);
        span.record("attempt", 1);
        match function {
            Some(function) => {
                span.record("closure", function);
                tracing::info!(target: STEP, "attached to `{function}` ({id})");
            }
            None => tracing::info!(target: STEP, "attached to {id}"),
        }
    }

    /// Waits for `outcome`, and writes the closure's output to the log meanwhile, if the runner can follow it. The rest
    /// of the output is taken from the outcome.
    pub(super) async fn with_output(
        &self,
        outcome: impl Future<Output = Result<Outcome>>,
    ) -> Result<Outcome> {
        if self.is_driven_here() {
            // The driver displays the output.
            return outcome.await;
        }
        if !self.may_be_in_runner() {
            let outcome = outcome.await?;
            log_backfill::backfill(&self.dispatcher.stage, &outcome, &self.log, [0, 0]).await;
            return Ok(outcome);
        }
        let attempts = AttemptLogs::new(&*self.dispatcher.runner, &self.id, &self.log);
        let mut following = attempts.follow();
        let outcome = tokio::select! {
            outcome = outcome => outcome?,
            never = &mut following => match never {},
        };
        attempts.finish(following, &self.dispatcher.stage, Some(&outcome)).await;
        Ok(outcome)
    }
}
