//! Waiting for a run until its outcome is there, or can't come any more.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_wire::{Digest, Origin, Outcome, names, unseal};

use super::whereabouts::Whereabouts;
use super::{Found, Inner};
use crate::error::{Error, Result};
use crate::run::known;
use crate::run::lease::{self, FIRST_AFTER};
use crate::run::status::Status;
use crate::runner::Proof;

/// After how long the stage is looked at again, at first and at the most. An object store doesn't tell
/// when something comes.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// How long a run that nothing in the stage tells of may be at its beginning, beyond the time after which it has a
/// lease.
const BEGINNING: Duration = Duration::from_secs(2);

/// How many attempts are looked at for why a run was lost.
const ATTEMPTS: u32 = 100;

impl Inner {
    /// The manifest, once the run is staged; none if it is driven in this process, or ended already.
    ///
    /// # Errors
    ///
    /// When there is no such run, or it was never staged.
    pub(super) async fn staged(&self) -> Result<Option<Found>> {
        let began = Instant::now();
        let grace = FIRST_AFTER.min(self.lease.pause()) + BEGINNING.min(self.lease.pause());
        let mut pause = self.first_pause();
        loop {
            let is_driven = self.is_driven_here();
            let found = self.manifest().await?;
            if let Found::Manifest(_) = found {
                return Ok(Some(found));
            }
            if is_driven {
                return Ok(None);
            }
            let lease = lease::find(&self.core.stage, &self.id).await.map_err(|e| self.left(e))?;
            let is_lapsed =
                self.owners_lease.lock().await.is_lapsed(lease.as_ref(), Instant::now());
            match lease {
                None if known::is_gone(&self.id) || !is_of_ours(&self.id) => {
                    return Err(self.none());
                }
                None if began.elapsed() >= grace => return Err(self.none()),
                Some(_) if is_lapsed => return Err(self.never_staged().await),
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(self.longest_pause());
        }
    }

    /// The outcome, once it is there.
    pub(super) async fn outcome(&self) -> Result<Outcome> {
        let name = names::outcome(&self.id);
        let longest = self.longest_pause();
        let (mut pause, mut renewed) = (self.first_pause(), None);
        loop {
            let driven = known::find(&self.id);
            let is_lost = self.look_at_lease(&mut renewed).await?;
            // Looked for last: one that comes before the owner goes is found.
            if let Some(bytes) = self.find(&name, Outcome::MAX_SIZE).await? {
                return self.verified(bytes).await;
            }
            if is_lost {
                return self.lost().await;
            }
            if let Some(mut driven) = driven {
                // An error says that nobody drives it any more, which is the same.
                let ended = driven.wait_for(|status| *status == Status::Ended);
                let _ = tokio::time::timeout(longest, ended).await;
            } else {
                self.check_that_it_is_there().await?;
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(longest);
            }
        }
    }

    fn longest_pause(&self) -> Duration {
        PAUSES.1.min(self.lease.pause())
    }

    fn first_pause(&self) -> Duration {
        PAUSES.0.min(self.longest_pause())
    }

    /// Takes care of the run where nobody else does, and says whether nothing runs any more that could leave an
    /// outcome.
    async fn look_at_lease(&self, renewed: &mut Option<Instant>) -> Result<bool> {
        if let Some(last) = *renewed {
            if last.elapsed() >= self.lease.pause() {
                self.lease.renew().await;
                *renewed = Some(Instant::now());
            }
            return self.is_gone().await;
        }
        if let Some(lease) = known::detached(&self.id)
            && let Err(error) = lease.detach().await
        {
            tracing::warn!(
                "the stage does not know that {} is detached: {}",
                self.id,
                error.report()
            );
        }
        let found = lease::find(&self.core.stage, &self.id).await.map_err(|e| self.left(e))?;
        if found.as_ref().is_some_and(|lease| lease.detached) {
            self.is_ours.store(true, Ordering::Relaxed);
            // No lease tells anything more of a run that we cannot look for.
            if matches!(self.whereabouts().await?, Whereabouts::Elsewhere(_)) {
                return Ok(true);
            }
        }
        if !self.owners_lease.lock().await.is_lapsed(found.as_ref(), Instant::now()) {
            return Ok(false);
        }
        self.is_ours.store(true, Ordering::Relaxed);
        self.lease.take_over(found.as_ref()).await;
        *renewed = Some(Instant::now());
        self.is_gone().await
    }

    /// The outcome in `bytes`, if somebody vouches for it, or nobody needs to.
    async fn verified(&self, bytes: Bytes) -> Result<Outcome> {
        let Self { id, core, is_strict, .. } = self;
        let (key, is_told) = match self.proof().await? {
            Some(Proof::Key(key)) => (Some(key), false),
            Some(Proof::Line(line)) => (None, line.digest == Digest::of(&bytes)),
            None => (None, false),
        };
        let (bytes, origin) = unseal(Vec::from(bytes), key.as_ref())
            .map_err(|error| self.left(Error::lost(id, error)))?;
        match origin {
            Origin::Verified => {}
            Origin::Unverified if is_told => {}
            Origin::Unverified if *is_strict => return Err(self.unverified()),
            Origin::Unverified => tracing::warn!(
                "the outcome of {id} is unverified: whoever can write to {} could have written it",
                core.stage.url()
            ),
        }
        Outcome::from_bytes(&bytes).map_err(|error| self.left(error.into()))
    }

    fn unverified(&self) -> Error {
        let id = &self.id;
        Error::lost(id, "its outcome is unverified: the run's key is not known here").hint(format!(
            "the run is as it was: attach to it where it began, or by a submitter without strict results, \
             submitter.attach::<T>(\"{id}\")"
        ))
    }

    async fn check_that_it_is_there(&self) -> Result<()> {
        match self.manifest().await? {
            Found::Manifest(_) => Ok(()),
            Found::NoManifest if known::is_gone(&self.id) => Err(self.none()),
            Found::NoManifest => {
                Err(Error::lost(&self.id, "somebody else took its value or cancelled it"))
            }
        }
    }

    /// Why the run has no outcome: what the last attempt left of its own, or that nobody can tell.
    async fn lost(&self) -> Result<Outcome> {
        if let Whereabouts::Elsewhere(place) = self.whereabouts().await? {
            return Err(self.elsewhere(place));
        }
        let mut last = None;
        for attempt in 1..=ATTEMPTS {
            let name = names::attempt_outcome(&self.id, attempt);
            match self.find(&name, Outcome::MAX_SIZE).await? {
                Some(bytes) => last = Some(bytes),
                None => break,
            }
        }
        if let Some(bytes) = last {
            return self.verified(bytes).await;
        }
        if self.is_for_runner() {
            let failure = self.core.runner.failure(&self.id).await;
            match failure.map_err(|error| self.left(error))? {
                Some(error) if error.failure().is_some() => return Err(error),
                Some(error) => return Err(self.left(error)),
                None => {}
            }
        }
        match self.whereabouts().await? {
            Whereabouts::Unreadable(error) => Err(self.left(error.again())),
            Whereabouts::Process => {
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

    /// Returns the error of a run that our runner can't find; it may be in another cluster.
    fn not_found(&self) -> Error {
        let Self { id, core, .. } = self;
        let place = &core.description.place;
        Error::lost(
            id,
            format!("it left no outcome, its owner is gone, and it doesn't run {place}"),
        )
        .hint(format!(
            "what is left of it stays: attach by a submitter of where it ran, or remove it, \
             submitter.attach::<T>(\"{id}\").cancel(), and submit it again"
        ))
    }

    async fn never_staged(&self) -> Error {
        // Its lease tells that the program is gone.
        self.is_ours.store(true, Ordering::Relaxed);
        self.remove().await;
        Error::lost(&self.id, "its program ended before it was staged").hint("submit it again")
    }
}

/// Whether `id` is made as a submitter makes them.
fn is_of_ours(id: &str) -> bool {
    id.strip_prefix("hype-run-").is_some_and(|rest| rest.len() == 10)
}
