//! Objects of a run in the stage, and their removal.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use hype_stage::Stage;
use hype_wire::{Outcome, names};

use crate::error::Result;
use crate::run::keys;
use crate::run::lease::Lease;
use crate::run::registry::Registry;

/// The objects of one run. Clones share one list.
///
/// Until [`record_objects`](Self::record_objects) is called, the names are unknown and a removal lists the stage.
#[derive(Debug, Clone)]
pub(crate) struct RunObjects {
    run_id: String,
    stage: Stage,
    lease: Lease,
    registry: Arc<Registry>,
    names: Arc<Mutex<Option<Vec<String>>>>,
    /// Whether they remain in the stage, since the run was detached from this program.
    is_kept: Arc<AtomicBool>,
    /// Another reason for which the objects remain, while this is true.
    keeper: Arc<OnceLock<Arc<AtomicBool>>>,
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
            is_kept: Arc::default(),
            keeper: Arc::default(),
        }
    }

    /// Records the names of all objects of a run that ended with its first attempt: `objects`, and the value and log of
    /// its `outcome`. The names of these follow from the run and its attempt, never from the outcome's own text.
    pub(crate) fn record_objects(&self, mut objects: Vec<String>, outcome: &Outcome) {
        if outcome.staged_result().is_some() {
            objects.push(names::result(&self.run_id, outcome.attempt));
        }
        if outcome.log.is_some() {
            objects.push(names::log(&self.run_id, outcome.attempt));
        }
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = Some(objects);
    }

    /// Lets all objects remain in the stage.
    pub(crate) fn keep(&self) {
        self.is_kept.store(true, Ordering::Relaxed);
    }

    /// Lets all objects remain in the stage while `keeper` is true. Only the first call has an effect.
    pub(crate) fn keep_while(&self, keeper: Arc<AtomicBool>) {
        self.keeper.get_or_init(|| keeper);
    }

    /// Ends what [`keep_while`](Self::keep_while) began.
    pub(crate) fn release(&self) {
        if let Some(keeper) = self.keeper.get() {
            keeper.store(false, Ordering::Relaxed);
        }
    }

    /// Returns whether all objects remain in the stage.
    pub(crate) fn are_kept(&self) -> bool {
        let by_keeper = self.keeper.get().is_some_and(|keeper| keeper.load(Ordering::Relaxed));
        by_keeper || self.is_kept.load(Ordering::Relaxed)
    }

    /// Removes the manifest of a run that may still be running. Its runner process then knows that the outcome is not
    /// needed any more.
    pub(crate) async fn withdraw(&self) -> Result<()> {
        let has_ended = self.names.lock().unwrap_or_else(PoisonError::into_inner).is_some();
        if has_ended || self.are_kept() {
            return Ok(());
        }
        Ok(self.stage.remove(&[names::manifest(&self.run_id)]).await?)
    }

    /// Announces to this process that the run is being removed, so that it doesn't attach to it any more.
    pub(crate) fn announce_removal(&self) {
        keys::forget(&self.run_id);
        self.registry.remember_removed(&self.run_id);
    }

    /// Removes all objects and the run's key.
    pub(crate) async fn remove(&self) -> Result<()> {
        let has_lease = self.lease.close().await;
        if self.are_kept() {
            return Ok(());
        }
        self.announce_removal();
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match names.filter(|_| !has_lease) {
            Some(names) => Ok(self.stage.remove(&names).await?),
            None => Ok(self.stage.remove_run(&self.run_id).await?),
        }
    }
}
