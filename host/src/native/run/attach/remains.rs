//! How a run that somebody attached to goes, once it may.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::whereabouts::Whereabouts;
use super::{Attachment, Found, Inner};
use crate::error::{Error, Result};
use crate::run::{known, lease};

/// How often the lease of an owner is looked at that may be gone.
const PAUSE: Duration = Duration::from_secs(1);

impl Attachment {
    /// Removes the run, whose end is decoded, if it is ours; or, without being waited for, once its owner turns out to
    /// be gone. What can't be removed is told.
    pub(crate) async fn settle(&self) {
        let inner = &self.0;
        inner.is_over.store(true, Ordering::Relaxed);
        if inner.is_ours.load(Ordering::Relaxed) {
            return self.remove_on_the_thread().await;
        }
        if known::lease(&inner.id).is_some_and(|lease| !lease.is_detached()) {
            // A handle of this process has it.
            return;
        }
        let what = format!(
            "until it is known whether another program still waits for {}; what is left of it goes otherwise",
            inner.id
        );
        let attachment = self.clone();
        inner.owned.finish(what, async move { attachment.0.remove_once_abandoned().await });
    }

    /// Stops the run and removes all of it.
    ///
    /// # Errors
    ///
    /// When something of it could not be removed, or it runs inside another process.
    pub(crate) async fn cancel(&self) -> Result<()> {
        let Inner { id, is_over, .. } = &*self.0;
        is_over.store(true, Ordering::Relaxed);
        if !hype_wire::names::is_run_id(id) {
            return Err(Error::input(format!("`{id}` cannot be a run's name")));
        }
        if known::lease(id).is_none() {
            self.0.check_that_it_can_be_stopped().await?;
        }
        let removal = self.0.owned.remove_now({
            let inner = self.clone();
            async move {
                known::cancel(&inner.0.id).await;
                inner.0.remove_all().await
            }
        });
        removal.await
    }

    /// Removes the run where nobody who drops the caller's future interrupts that.
    async fn remove_on_the_thread(&self) {
        let attachment = self.clone();
        // What could not be removed has been told.
        let _ = self
            .0
            .owned
            .remove_now(async move {
                attachment.0.remove().await;
                Ok(())
            })
            .await;
    }
}

impl Inner {
    /// Waits until the owner's lease says that it is gone, and removes the run then; one that is there removes it
    /// itself.
    async fn remove_once_abandoned(&self) {
        let longest = Instant::now() + self.core.lease_term * 2;
        loop {
            match self.is_abandoned().await {
                Ok(Some(true)) => {
                    self.is_ours.store(true, Ordering::Relaxed);
                    return self.remove().await;
                }
                Ok(Some(false)) => return,
                Err(error) if Instant::now() >= longest => {
                    tracing::warn!("what is left of {} stays: {}", self.id, error.report());
                    return;
                }
                Ok(None) | Err(_) => tokio::time::sleep(PAUSE.min(self.lease.pause())).await,
            }
        }
    }

    /// Whether nobody else removes what is left; none while that isn't known.
    async fn is_abandoned(&self) -> Result<Option<bool>> {
        if let Found::NoManifest = self.manifest().await? {
            return Ok(Some(false));
        }
        let found = lease::find(&self.core.stage, &self.id).await?;
        let is_lapsed = self.owners_lease.lock().await.is_lapsed(found.as_ref(), Instant::now());
        let is_left = found.is_some_and(|lease| lease.detached);
        Ok((is_left || is_lapsed).then_some(true))
    }

    async fn check_that_it_can_be_stopped(&self) -> Result<()> {
        match self.whereabouts().await? {
            Whereabouts::Elsewhere(place) => Err(self.unstoppable(place)),
            Whereabouts::Process => self.check_that_its_process_is_gone().await,
            _ if !self.core.description.outlives_program => {
                self.check_that_its_process_is_gone().await
            }
            _ => Ok(()),
        }
    }

    /// A run inside another process can be stopped by nobody else.
    async fn check_that_its_process_is_gone(&self) -> Result<()> {
        let found = lease::find(&self.core.stage, &self.id).await?;
        let is_lapsed = self.owners_lease.lock().await.is_lapsed(found.as_ref(), Instant::now());
        if is_lapsed || self.is_ours.load(Ordering::Relaxed) {
            return Ok(());
        }
        let what = format!("{} cannot be cancelled: it may run inside another process", self.id);
        Err(Error::input(what).hint(format!(
            "cancel it there, or end that program; its lease tells within {:?} that it is gone",
            self.core.lease_term
        )))
    }

    /// Removes all of the run; what can't be removed is told.
    pub(super) async fn remove(&self) {
        // It has been told.
        let _ = self.remove_all().await;
    }

    async fn remove_all(&self) -> Result<()> {
        if let Some(lease) = known::lease(&self.id) {
            // Whoever drives it here writes it no more.
            lease.close().await;
        }
        let withdrawn = self.objects.withdraw().await;
        let is_orphan = self.is_ours.load(Ordering::Relaxed);
        let stopped = self.remove_process(is_orphan).await;
        let stopped = self.told(&format!("what ran of {}", self.id), stopped);
        let removed = self.objects.remove().await;
        let what = format!("what is left of {} in {}", self.id, self.core.stage.url());
        // What can't be withdrawn can't be removed either.
        drop(withdrawn);
        self.told(&what, removed).and(stopped)
    }

    fn told(&self, what: &str, removed: Result<()>) -> Result<()> {
        if let Err(error) = &removed {
            tracing::warn!("{what} could not be removed: {}", error.report());
        }
        removed
    }
}
