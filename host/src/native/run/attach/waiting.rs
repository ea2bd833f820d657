//! Waiting for the outcome of an attached run, by polling the stage until the outcome exists or can't appear any more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_wire::{Authenticity, Digest, Outcome, names, unseal};

use super::location::StartLocation;
use super::{Inner, StagedManifest};
use crate::error::{Error, Result};
use crate::run::driven;
use crate::run::lease;
use crate::run::outcome::decode_outcome;
use crate::run::status::Status;
use crate::runner::Proof;

/// The first and the longest poll interval. The interval doubles. Object stores send no notifications.
const POLL_INTERVALS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// The maximum number of attempts whose outcomes are read to explain a lost run.
const MAX_ATTEMPTS: u32 = 100;

impl Inner {
    /// Waits until the run is staged, and returns its manifest. Returns `None` if this process drives the run.
    ///
    /// # Errors
    ///
    /// [`Input`](crate::ErrorKind::Input) when the run doesn't exist, [`Lost`](crate::ErrorKind::Lost) when its program
    /// ended before it was staged.
    pub(super) async fn wait_until_staged(&self) -> Result<Option<StagedManifest>> {
        let began = Instant::now();
        let first_lease_timeout = lease::first_lease_timeout(self.dispatcher.lease_term);
        let mut pause = self.first_poll_interval();
        loop {
            if self.dispatcher.registry.has_removed(&self.id) {
                return Err(self.not_existing());
            }
            let is_driven = self.is_driven_here();
            let manifest = self.manifest().await?;
            if let StagedManifest::Present(_) = manifest {
                return Ok(Some(manifest));
            }
            if is_driven {
                return Ok(None);
            }
            let lease = lease::find(&self.dispatcher.stage, &self.id)
                .await
                .map_err(|error| self.with_attach_hint(error))?;
            let is_expired = self.owner_lease.lock().await.update(lease.as_ref(), Instant::now());
            match lease {
                None if driven::is_removed(&self.id) || !is_generated(&self.id) => {
                    return Err(self.not_existing());
                }
                None if began.elapsed() >= first_lease_timeout => return Err(self.not_existing()),
                Some(_) if is_expired => return Err(self.remove_never_staged().await),
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.longest_poll_interval());
        }
    }

    /// Waits for the outcome, verifies it, and returns it.
    pub(super) async fn outcome(&self) -> Result<Outcome> {
        let name = names::outcome(&self.id);
        let longest = self.longest_poll_interval();
        let (mut pause, mut renewed) = (self.first_poll_interval(), None);
        loop {
            let driven = driven::find(&self.id);
            let is_lost = self.check_lease(&mut renewed).await?;
            // Read after the lease, so that an outcome that was written before the owner ended is found.
            if let Some(bytes) = self.find(&name, Outcome::MAX_SIZE).await? {
                return self.verify(bytes).await;
            }
            if is_lost {
                return self.explain_loss().await;
            }
            if let Some(mut driven) = driven {
                // An error means that its driver is gone, so that it has ended, too.
                let ended = driven.wait_for(|status| *status == Status::Ended);
                let _ = tokio::time::timeout(longest, ended).await;
            } else {
                self.check_existing().await?;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }

    fn longest_poll_interval(&self) -> Duration {
        POLL_INTERVALS.1.min(self.lease.renewal_interval())
    }

    fn first_poll_interval(&self) -> Duration {
        POLL_INTERVALS.0.min(self.longest_poll_interval())
    }

    /// Reads the owner's lease, takes the run over if the lease has expired, and renews our own lease then. Returns
    /// whether nothing runs any more that could write an outcome.
    async fn check_lease(&self, renewed: &mut Option<Instant>) -> Result<bool> {
        if let Some(last) = *renewed {
            if last.elapsed() >= self.lease.renewal_interval() {
                self.lease.renew().await;
                *renewed = Some(Instant::now());
            }
            return self.is_gone().await;
        }
        if let Some(lease) = driven::detached_lease(&self.id)
            && let Err(error) = lease.detach().await
        {
            tracing::warn!(
                "the stage does not know that {} is detached: {}",
                self.id,
                error.report()
            );
        }
        let found = lease::find(&self.dispatcher.stage, &self.id)
            .await
            .map_err(|error| self.with_attach_hint(error))?;
        if found.as_ref().is_some_and(|lease| lease.detached) {
            self.is_owned.store(true, Ordering::Relaxed);
            // The lease of a detached run is never renewed, so waiting for its expiry is useless if the runner can't find
            // the run.
            if matches!(self.location().await?, StartLocation::Elsewhere(_)) {
                return Ok(true);
            }
        }
        if !self.owner_lease.lock().await.update(found.as_ref(), Instant::now()) {
            return Ok(false);
        }
        self.is_owned.store(true, Ordering::Relaxed);
        self.lease.take_over(found.as_ref()).await;
        *renewed = Some(Instant::now());
        self.is_gone().await
    }

    /// Verifies and decodes the outcome in `bytes`. Without strict results, an unverified outcome causes a warning
    /// only.
    async fn verify(&self, bytes: Bytes) -> Result<Outcome> {
        let Self { id, dispatcher, is_strict, .. } = self;
        let (key, is_proven) = match self.proof().await? {
            Some(Proof::Key(key)) => (Some(key), false),
            Some(Proof::Line(line)) => (None, line.digest == Digest::of(&bytes)),
            None => (None, false),
        };
        let (bytes, origin) = unseal(Vec::from(bytes), key.as_ref())
            .map_err(|error| self.with_attach_hint(Error::lost(id, error)))?;
        match origin {
            Authenticity::Verified => {}
            Authenticity::Unverified if is_proven => {}
            Authenticity::Unverified if *is_strict => return Err(self.unverified()),
            Authenticity::Unverified => tracing::warn!(
                "the outcome of {id} is unverified: anyone who can write to {} could have written it",
                dispatcher.stage.url()
            ),
        }
        decode_outcome(id, &bytes).map_err(|error| self.with_attach_hint(error))
    }

    fn unverified(&self) -> Error {
        let id = &self.id;
        Error::lost(id, "its outcome is unverified: the run's key is not known here").hint(format!(
            "the run is as it was: attach to it as the user and on the machine that started it, or by a submitter without strict results, \
             submitter.attach::<T>(\"{id}\")"
        ))
    }

    async fn check_existing(&self) -> Result<()> {
        match self.manifest().await? {
            StagedManifest::Present(_) => Ok(()),
            StagedManifest::Missing if driven::is_removed(&self.id) => Err(self.not_existing()),
            StagedManifest::Missing => {
                Err(Error::lost(&self.id, "another program took its value or cancelled it"))
            }
        }
    }

    /// Returns the outcome of the last attempt of a run without an outcome, or an error that explains the loss.
    async fn explain_loss(&self) -> Result<Outcome> {
        if let StartLocation::Elsewhere(place) = self.location().await? {
            return Err(self.elsewhere(place));
        }
        if self.is_staged_map().await? {
            let id = &self.id;
            return Err(Error::input(format!(
                "{id} is a staged map, which has no value of its own"
            ))
            .hint(format!("attach to it: submitter.attach_map::<T>(\"{id}\")")));
        }
        let mut last = None;
        for attempt in 1..=MAX_ATTEMPTS {
            let name = names::attempt_outcome(&self.id, attempt);
            match self.find(&name, Outcome::MAX_SIZE).await? {
                Some(bytes) => last = Some(bytes),
                None => break,
            }
        }
        if let Some(bytes) = last {
            return self.verify(bytes).await;
        }
        if self.may_be_in_runner() {
            let failure = self.dispatcher.runner.failure(&self.id).await;
            match failure.map_err(|error| self.with_attach_hint(error))? {
                Some(error) if error.failure().is_some() => return Err(error),
                Some(error) => return Err(self.with_attach_hint(error)),
                None => {}
            }
        }
        match self.location().await? {
            StartLocation::Unreadable(error) => Err(self.with_attach_hint(error.duplicate())),
            StartLocation::Process => {
                self.remove().await;
                Err(Error::lost(
                    &self.id,
                    "it left no outcome, and its owner is gone, in whose process it ran",
                )
                .hint("a run in a process ends when that process does: submit it again"))
            }
            _ => Err(self.not_found()),
        }
    }

    /// Returns the error of a run that this program's runner can't find. It may be in another cluster.
    fn not_found(&self) -> Error {
        let Self { id, dispatcher, .. } = self;
        let place = &dispatcher.description.location;
        Error::lost(
            id,
            format!("it left no outcome, its owner is gone, and it doesn't run {place}"),
        )
        .hint(format!(
            "its leftovers are kept: attach by a submitter of the place where it ran, or remove it, \
             submitter.attach::<T>(\"{id}\").cancel(), and submit it again"
        ))
    }

    /// Removes a run whose program ended before it was staged, and returns the error.
    async fn remove_never_staged(&self) -> Error {
        self.is_owned.store(true, Ordering::Relaxed);
        self.remove().await;
        Error::lost(&self.id, "its program ended before it was staged").hint("submit it again")
    }
}

/// Returns whether `id` has the form that submitters generate.
fn is_generated(id: &str) -> bool {
    id.strip_prefix("hype-run-").is_some_and(|rest| rest.len() == 10)
}
