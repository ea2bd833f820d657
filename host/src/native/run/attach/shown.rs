//! What a person sees of a run that somebody attached to: its function, and what it writes.

use std::pin::pin;
use std::time::Duration;

use hype_wire::Outcome;
use tracing::Span;

use super::Inner;
use crate::error::Result;
use crate::progress::STEP;
use crate::run::log_rest;

/// How long the rest of its output is waited for once the outcome is there.
const REST: Duration = Duration::from_secs(10);

impl Inner {
    /// Shows that the run is attached to, and its function where the manifest names it.
    pub(super) fn tell(&self, function: Option<&str>) {
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

    /// What `outcome` gives, while what the run writes is shown: as it comes where its runner can follow it, and else, or
    /// what was missed of it, from the outcome.
    pub(super) async fn with_output(
        &self,
        outcome: impl Future<Output = Result<Outcome>>,
    ) -> Result<Outcome> {
        if self.is_driven_here() {
            // What drives it shows that.
            return outcome.await;
        }
        if !self.is_for_runner() {
            let outcome = outcome.await?;
            log_rest::write(&self.core.stage, &outcome, &self.log, [0, 0]).await;
            return Ok(outcome);
        }
        let mut following = self.core.runner.follow(&self.id, self.log.clone());
        let (mut outcome, mut is_over) = (pin!(outcome), false);
        let outcome = loop {
            tokio::select! {
                outcome = &mut outcome => break outcome?,
                () = &mut following, if !is_over => is_over = true,
            }
        };
        if !is_over {
            // What comes later is taken from the outcome.
            let _ = tokio::time::timeout(REST, &mut following).await;
        }
        // It says now how much it was.
        drop(following);
        let cut = self.log.take_cut().unwrap_or_default();
        log_rest::write(&self.core.stage, &outcome, &self.log, cut).await;
        Ok(outcome)
    }
}
