//! Removal of an attached run: after its end is decoded, or when it is cancelled.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use hype_wire::{Lease, RunId, names};

use super::location::StartLocation;
use super::{Attachment, Inner, StagedManifest};
use crate::blocking_task::blocking;
use crate::error::{Error, Result};
use crate::map::staged::open::has_plan;
use crate::run::control::{self, Cancelled};
use crate::run::key_store::KeyStore;
use crate::run::{driven, lease};

/// The time between two reads of the owner's lease.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

impl Attachment {
    /// Removes the run, whose end is decoded, if it has no other owner. If the owner may exist, removes the run in the
    /// background once the owner's lease has expired. Errors are logged.
    pub(crate) async fn settle(&self) {
        let inner = &self.0;
        inner.is_over.store(true, Ordering::Relaxed);
        if inner.is_owned.load(Ordering::Relaxed) {
            return self.remove_uninterrupted().await;
        }
        if driven::lease(&inner.id).is_some_and(|lease| !lease.is_detached()) {
            // A handle of this process owns the run, and removes it.
            return;
        }
        let what = format!(
            "until it is known whether another program still waits for {}; its leftovers are removed otherwise",
            inner.id
        );
        let attachment = self.clone();
        inner.cleanup.finish(what, async move { attachment.0.remove_once_abandoned().await });
    }

    /// Stops the run, and removes all of it.
    ///
    /// # Errors
    ///
    /// The error of the first failed removal, or [`Input`](crate::ErrorKind::Input) when the run runs inside another
    /// process or in another place.
    pub(crate) async fn cancel(&self) -> Result<()> {
        let Inner { id, is_over, .. } = &*self.0;
        is_over.store(true, Ordering::Relaxed);
        if !hype_wire::names::is_run_id(id) {
            return Err(Error::input(format!("`{id}` cannot be a run's name")));
        }
        let removal = self.0.cleanup.run_removal({
            let inner = self.clone();
            async move {
                let id = &inner.0.id;
                if driven::lease(id).is_none() {
                    match inner.0.cancel_in_its_program().await? {
                        Cancelled::Done => return Ok(()),
                        cancelled => inner.0.check_stoppable(cancelled).await?,
                    }
                }
                driven::cancel(id).await;
                inner.0.remove_all().await
            }
        });
        removal.await
    }

    /// Removes the run on the submitter's thread, so that dropping the caller's future doesn't interrupt the removal.
    async fn remove_uninterrupted(&self) {
        let attachment = self.clone();
        // Errors have been logged.
        let _ = self
            .0
            .cleanup
            .run_removal(async move {
                attachment.0.remove().await;
                Ok(())
            })
            .await;
    }
}

impl Inner {
    /// Waits until the owner's lease has expired, and then removes the run. An owner that exists removes the run
    /// itself.
    async fn remove_once_abandoned(&self) {
        let deadline = Instant::now() + self.dispatcher.lease_term * 2;
        loop {
            match self.is_abandoned().await {
                Ok(Some(true)) => {
                    self.is_owned.store(true, Ordering::Relaxed);
                    return self.remove().await;
                }
                Ok(Some(false)) => return,
                Err(error) if Instant::now() >= deadline => {
                    tracing::warn!("leftovers of {} are kept: {}", self.id, error.report());
                    return;
                }
                Ok(None) | Err(_) => {
                    tokio::time::sleep(POLL_INTERVAL.min(self.lease.renewal_interval())).await;
                }
            }
        }
    }

    /// Returns whether the run still exists and has no other owner; `None` while that isn't known.
    async fn is_abandoned(&self) -> Result<Option<bool>> {
        if let StagedManifest::Missing = self.manifest().await? {
            return Ok(Some(false));
        }
        let found = lease::find(&self.dispatcher.stage, &self.id).await?;
        let is_expired = self.owner_lease.lock().await.update(found.as_ref(), Instant::now());
        let is_detached = found.is_some_and(|lease| lease.detached);
        Ok((is_detached || is_expired).then_some(true))
    }

    /// Lets another program of this user on this machine cancel the run, if it drives the run.
    async fn cancel_in_its_program(&self) -> Result<Cancelled> {
        let Ok(id) = self.id.parse::<RunId>() else { return Ok(Cancelled::Unknown) };
        let find = async || {
            let locals = control::list(self.dispatcher.stage.url()).await;
            locals.into_iter().find(|local| local.run.run_id == id)
        };
        let Some(local) = find().await else { return Ok(Cancelled::Unknown) };
        let cancelled = control::cancel(&local.socket, &id).await?;
        if cancelled == Cancelled::ProgramEnded && find().await.is_some() {
            let reason = "the program that drives it closed the connection, and goes on";
            return Err(Error::runner(format!("{id} could not be cancelled"), reason));
        }
        Ok(cancelled)
    }

    /// Checks that this program can stop the run, after its own program was asked to cancel it.
    pub(super) async fn check_stoppable(&self, cancelled: Cancelled) -> Result<()> {
        match self.location().await? {
            StartLocation::Elsewhere(place) => Err(self.unstoppable(place)),
            StartLocation::Here(place) => {
                let is_removable = self.dispatcher.runner.check_removable(place).await;
                is_removable.map_err(|error| self.with_attach_hint(error))
            }
            // A run inside a program ends with it.
            _ if cancelled == Cancelled::ProgramEnded => Ok(()),
            StartLocation::Process => self.check_process_gone().await,
            _ if !self.dispatcher.description.outlives_program => self.check_process_gone().await,
            _ => Ok(()),
        }
    }

    /// Rejects cancelling a run that may run inside another process, since only that process can stop it.
    async fn check_process_gone(&self) -> Result<()> {
        let found = lease::find(&self.dispatcher.stage, &self.id).await?;
        let is_expired = self.owner_lease.lock().await.update(found.as_ref(), Instant::now());
        if is_expired || self.is_owned.load(Ordering::Relaxed) || self.has_ended().await? {
            return Ok(());
        }
        // A staged map doesn't run any more when it is detached.
        if found.is_some_and(|lease| lease.detached) && self.is_staged_map().await? {
            return Ok(());
        }
        let what = format!("{} cannot be cancelled: it may run inside another process", self.id);
        Err(Error::input(what).hint(format!(
            "cancel it there, or end that program; its lease tells within {:?} that it is gone",
            self.dispatcher.lease_term
        )))
    }

    /// Returns whether the run has an outcome, or its lease has expired by the clock of the stage.
    async fn has_ended(&self) -> Result<bool> {
        let stage = &self.dispatcher.stage;
        if stage.has(&names::outcome(&self.id)).await? {
            return Ok(true);
        }
        let Some((bytes, written)) =
            stage.find_dated(&names::lease(&self.id), Lease::MAX_SIZE).await?
        else {
            return Ok(false);
        };
        let (term, now) = (Lease::from_bytes(&bytes)?.term(), stage.now().await?);
        let has_expired = now.duration_since(written).is_ok_and(|age| age >= term);
        self.is_owned.fetch_or(has_expired, Ordering::Relaxed);
        Ok(has_expired)
    }

    /// Removes all of the run, and logs errors.
    pub(super) async fn remove(&self) {
        // Errors have been logged.
        let _ = self.remove_all().await;
    }

    async fn remove_all(&self) -> Result<()> {
        if let Some(lease) = driven::lease(&self.id) {
            // The driver in this process must not write it any more.
            lease.close().await;
        }
        // Its error is ignored, since the removal below would fail, too.
        let _ = self.objects.withdraw().await;
        let is_orphan = self.is_owned.load(Ordering::Relaxed);
        let stopped = self.remove_process(is_orphan).await;
        log_failure(&format!("the process of {}", self.id), &stopped);
        let removed = match self.remove_map().await {
            Ok(()) => self.objects.remove().await,
            failed => failed,
        };
        log_failure(
            &format!("objects of {} in {}", self.id, self.dispatcher.stage.url()),
            &removed,
        );
        removed.and(stopped)
    }

    /// Returns whether the run has staged a map.
    pub(super) async fn is_staged_map(&self) -> Result<bool> {
        has_plan(&self.dispatcher.stage, &self.id).await
    }

    /// Removes the map that the run has staged, if it has, and the map's key. A map whose program was killed early has
    /// only a key.
    async fn remove_map(&self) -> Result<()> {
        if self.is_staged_map().await? {
            self.dispatcher.stage.remove_map(&self.id).await?;
        }
        let id = self.id.clone();
        let remove = move || match KeyStore::of_user().file(&id) {
            Some(_) => KeyStore::of_user().delete(&id),
            None => Ok(()),
        };
        blocking(remove).await
    }
}

fn log_failure(what: &str, removed: &Result<()>) {
    if let Err(error) = removed {
        tracing::warn!("{what} could not be removed: {}", error.report());
    }
}
