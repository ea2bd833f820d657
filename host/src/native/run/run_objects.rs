//! What a run has in the stage, and how that goes again.

use std::sync::{Arc, Mutex, PoisonError};

use hype_stage::Stage;
use hype_wire::{End, Outcome, Payload, names};

use crate::error::Result;
use crate::run::keys;
use crate::run::lease::Lease;
use crate::run::registry::Registry;

/// The objects of one run. Clones are one list.
///
/// As long as it isn't certain what there is, the stage is asked.
#[derive(Debug, Clone)]
pub(crate) struct RunObjects {
    run_id: String,
    stage: Stage,
    lease: Lease,
    registry: Arc<Registry>,
    names: Arc<Mutex<Option<Vec<String>>>>,
}

impl RunObjects {
    pub(crate) fn new(
        run_id: &str,
        stage: &Stage,
        lease: &Lease,
        registry: &Arc<Registry>,
    ) -> Self {
        Self {
            run_id: run_id.to_owned(),
            stage: stage.clone(),
            lease: lease.clone(),
            registry: Arc::clone(registry),
            names: Arc::default(),
        }
    }

    /// Takes what the submitter `staged` and the outcome called `name` for all that there is, the
    /// first attempt having ended with it.
    pub(crate) fn are_known(&self, staged: &[String], name: &str, outcome: &Outcome) {
        let mut known = staged.to_vec();
        known.push(name.to_owned());
        if let End::Value(Payload::Staged { name, .. }) = &outcome.end {
            known.push(name.clone());
        }
        if outcome.log.is_some() {
            known.push(names::log(&self.run_id, outcome.attempt));
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Some(known);
    }

    /// Takes the manifest away from a run that may still go on, so that whoever runs it knows that nobody wants its
    /// outcome any more.
    pub(crate) async fn withdraw(&self) -> Result<()> {
        if self.names.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            // It has ended.
            return Ok(());
        }
        Ok(self.stage.remove(&[names::manifest(&self.run_id)]).await?)
    }

    /// Removes all of them, and forgets the run's key, which is of no more use.
    pub(crate) async fn remove(&self) -> Result<()> {
        keys::forget(&self.run_id);
        self.registry.remember_removed(&self.run_id);
        let has_lease = self.lease.close().await;
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match names.filter(|_| !has_lease) {
            Some(names) => Ok(self.stage.remove(&names).await?),
            None => Ok(self.stage.remove_run(&self.run_id).await?),
        }
    }
}
