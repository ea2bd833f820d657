//! Runs that another handle began, here or in another process: waited for through the stage.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hype_stage::StageErrorKind;
use hype_wire::{Digest, Origin, Outcome, RunManifest, names, unseal};

use crate::driver::{Core, Order};
use crate::error::{Error, Result};
use crate::known;
use crate::lease::{self, Watch};
use crate::run::Status;

/// After how long the stage is looked at again, at first and at the most. An object store doesn't tell
/// when something comes.
const PAUSES: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

impl Core {
    /// The value of a run that somebody else began.
    ///
    /// What it leaves is removed if its owner left it to us or is gone. While another owner waits for
    /// it too, it's theirs to remove.
    pub(crate) async fn collect(&self, order: &Order) -> Result<Bytes> {
        let id = &order.id;
        if !names::is_run_id(id) {
            return Err(Error::input(format!("`{id}` cannot be a run's name"))
                .hint("Run::id gives it: hype-run- and ten letters and digits"));
        }
        let mut attached = Attached {
            core: self,
            order,
            watch: Watch::new(Instant::now(), self.lease_term),
            begun: false,
            is_ours: false,
            renewed: None,
        };
        let manifest = self.find(&names::manifest(id), RunManifest::MAX_SIZE).await?;
        let begun = manifest.is_some();
        // One that can't be read is told by whoever runs it.
        let manifest = manifest.and_then(|bytes| RunManifest::from_bytes(&bytes).ok());
        if let Some(place) = manifest.and_then(|manifest| manifest.place) {
            self.runner.looks_in(&place);
        }
        if !begun && known::find(id).is_none() {
            return Err(self.none(id));
        }
        attached.begun = begun;
        order.status.send_replace(Status::Running(1));
        let outcome = attached.outcome().await?;
        self.conclude(order, outcome).await
    }

    fn none(&self, id: &str) -> Error {
        Error::input(format!("there is no run {id} in {}", self.stage.url()))
            .hint("its value may have been collected; of a run, that can be done once")
    }

    async fn find(&self, name: &str, at_most: u64) -> Result<Option<Bytes>> {
        match self.stage.get(name, at_most).await {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == StageErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// A run that we wait for and don't drive.
struct Attached<'a> {
    core: &'a Core,
    order: &'a Order,
    watch: Watch,
    /// Whether it was in the stage when we came. A driver in this process may still be about to put it
    /// there, or to notice that somebody has collected it.
    begun: bool,
    /// Whether it is ours to remove.
    is_ours: bool,
    /// When we last renewed its lease, if that is ours.
    renewed: Option<Instant>,
}

impl Attached<'_> {
    async fn outcome(&mut self) -> Result<Outcome> {
        let name = names::outcome(&self.order.id);
        let longest = PAUSES.1.min(self.order.lease.pause());
        let mut pause = PAUSES.0.min(longest);
        loop {
            let driven = known::find(&self.order.id);
            let is_abandoned = self.look_at_lease().await?;
            // Looked for last: one that comes before the owner goes is found.
            if let Some(bytes) = self.core.find(&name, Outcome::MAX_SIZE).await? {
                return self.verified(bytes).await;
            }
            if is_abandoned {
                return Err(self.abandoned());
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

    /// Takes the run over where nobody else takes care of it, and says whether it came to nothing.
    async fn look_at_lease(&mut self) -> Result<bool> {
        let Self { core, order, .. } = *self;
        if let Some(renewed) = self.renewed {
            if renewed.elapsed() >= order.lease.pause() {
                order.lease.renew().await;
                self.renewed = Some(Instant::now());
            }
            return Ok(!core.runner.is_alive(&order.id).await?);
        }
        if let Some(lease) = known::detached(&order.id) {
            // It is told before anything of the run is removed.
            lease.detach().await;
        }
        let found = lease::find(&core.stage, &order.id).await?;
        if found.as_ref().is_some_and(|lease| lease.detached) {
            self.own();
        }
        if !self.watch.is_lapsed(found.as_ref(), Instant::now()) {
            return Ok(false);
        }
        self.own();
        order.lease.renew().await;
        self.renewed = Some(Instant::now());
        Ok(!core.runner.is_alive(&order.id).await?)
    }

    fn own(&mut self) {
        if !std::mem::replace(&mut self.is_ours, true) {
            let Self { core, order, .. } = self;
            core.own_run(order);
            let what = format!("what runs of {} {}", order.id, core.runner.place());
            order.owned.enter(what, core.runner.remove(&order.id));
        }
    }

    /// The outcome in `bytes`, if somebody vouches for it, or nobody needs to.
    async fn verified(&self, bytes: Bytes) -> Result<Outcome> {
        let Order { id, is_strict, .. } = self.order;
        let key = self.core.runner.key(id).await?;
        let is_told = match &key {
            Some(_) => false,
            None => self.is_told(&bytes).await?,
        };
        let (bytes, origin) =
            unseal(Vec::from(bytes), key.as_ref()).map_err(|error| Error::lost(id, error))?;
        match origin {
            Origin::Verified => {}
            Origin::Unverified if is_told => {}
            Origin::Unverified if *is_strict => return Err(self.unverified()),
            Origin::Unverified => tracing::warn!(
                "the outcome of {id} is unverified: whoever can write to {} could have written it",
                self.core.stage.url()
            ),
        }
        Ok(Outcome::from_bytes(&bytes)?)
    }

    /// Whether a line of its runner process vouches for the outcome in `bytes`.
    async fn is_told(&self, bytes: &[u8]) -> Result<bool> {
        let line = self.core.runner.line(&self.order.id).await?;
        Ok(line.is_some_and(|line| line.digest == Digest::of(bytes)))
    }

    fn unverified(&self) -> Error {
        Error::lost(&self.order.id, "its outcome is unverified: the run's key is not known here")
            .hint("attach to it where it began, or by a submitter without strict results")
    }

    async fn check_that_it_is_there(&self) -> Result<()> {
        let Self { core, order, .. } = self;
        match core.find(&names::manifest(&order.id), RunManifest::MAX_SIZE).await? {
            Some(_) => Ok(()),
            None if !self.begun => Err(core.none(&order.id)),
            None => Err(Error::lost(&order.id, "somebody else took its value or cancelled it")),
        }
    }

    fn abandoned(&self) -> Error {
        let reason = format!(
            "it left no outcome, its owner is gone, and it doesn't run {}",
            self.core.runner.place()
        );
        Error::lost(&self.order.id, reason)
            .hint("a run in a process ends when that process does: submit it again")
    }
}
