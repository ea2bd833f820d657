//! The objects of a run in the stage, as far as they describe it.

use std::time::{Duration, Instant, SystemTime};

use hype_wire::{Lease, LiveRun, Outcome, RunManifest, names, unseal};

use crate::error::Result;
use crate::run::driver::Dispatcher;
use crate::run::lease::{self, LeaseWatch};

/// The objects of a run in the stage, read once.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(super) staged: Option<Staged>,
    pub(super) lease: Option<FoundLease>,
    pub(super) outcome: Option<Outcome>,
    /// Whether an object of the run can't be read by this version of hype.
    pub(super) is_unreadable: bool,
    /// Whether the age of the objects is known.
    pub(super) has_clock: bool,
    /// Whether the lease was seen unchanged, or missing, for its term. It takes no clock of the stage to know that.
    pub(super) is_abandoned: bool,
    /// The age until which an owned run may have no lease.
    pub(super) first_lease_timeout: Duration,
}

/// The description of a staged run, by its entry in the index of live runs or by its manifest.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) function: String,
    pub(super) component: String,
    pub(super) run_location: Option<String>,
    pub(super) age: Option<Duration>,
    /// Whether the manifest is in the stage.
    pub(super) has_manifest: bool,
}

/// A lease, and whether it has expired.
#[derive(Debug)]
pub(super) struct FoundLease {
    pub(super) record: Lease,
    pub(super) is_expired: bool,
}

impl Facts {
    /// Reads the objects of a run. `now` is the time of the store's clock.
    pub(super) async fn read(
        dispatcher: &Dispatcher,
        run_id: &str,
        is_indexed: bool,
        now: Option<SystemTime>,
    ) -> Result<Self> {
        let stage = &dispatcher.stage;
        let (lease, entry, outcome) =
            (names::lease(run_id), names::live(run_id), names::outcome(run_id));
        let find_entry = async {
            match is_indexed {
                true => stage.find_dated(&entry, LiveRun::MAX_SIZE).await,
                false => Ok(None),
            }
        };
        let (lease, entry, outcome) = tokio::try_join!(
            stage.find_dated(&lease, Lease::MAX_SIZE),
            find_entry,
            stage.find_dated(&outcome, Outcome::MAX_SIZE),
        )?;
        let mut facts = Self {
            staged: None,
            lease: None,
            outcome: None,
            is_unreadable: false,
            has_clock: now.is_some(),
            is_abandoned: false,
            first_lease_timeout: lease::first_lease_timeout(dispatcher.lease_term),
        };
        let age = |written: SystemTime| Some(now?.duration_since(written).unwrap_or_default());
        if let Some((bytes, written)) = lease
            && let Some(record) = facts.decoded(Lease::from_bytes(&bytes))
        {
            let is_expired = age(written).is_some_and(|age| age >= record.term());
            facts.lease = Some(FoundLease { record, is_expired });
        }
        if let Some((bytes, _)) = outcome {
            // Only displayed, so that nothing needs to prove it.
            let outcome = unseal(Vec::from(bytes), None);
            facts.outcome =
                facts.decoded(outcome.and_then(|(bytes, _)| Outcome::from_bytes(&bytes)));
        }
        if let Some((bytes, written)) = entry
            && let Some(entry) = facts.decoded(LiveRun::from_bytes(&bytes))
        {
            let age = age(written).map(|since| since.saturating_add(entry.age()));
            let LiveRun { function, component, place: run_location, .. } = entry;
            // The location is known once the manifest is staged, and the lease is removed with it.
            let is_known = run_location.is_some() && facts.lease.is_some();
            let has_manifest = is_known || stage.has(&names::manifest(run_id)).await?;
            facts.staged = Some(Staged { function, component, run_location, age, has_manifest });
        }
        if facts.staged.is_none() {
            facts.read_manifest(dispatcher, run_id, age).await?;
        }
        Ok(facts)
    }

    /// Adds what a watch of the lease knows, after it has seen the lease of these facts.
    pub(super) fn update(&mut self, watch: Option<&mut LeaseWatch>) {
        let lease = self.lease.as_ref().map(|lease| &lease.record);
        self.is_abandoned = watch.is_some_and(|watch| watch.update(lease, Instant::now()));
    }

    async fn read_manifest(
        &mut self,
        dispatcher: &Dispatcher,
        run_id: &str,
        age: impl Fn(SystemTime) -> Option<Duration>,
    ) -> Result<()> {
        let (stage, name) = (&dispatcher.stage, names::manifest(run_id));
        if let Some((bytes, written)) = stage.find_dated(&name, RunManifest::MAX_SIZE).await?
            && let Some(manifest) = self.decoded(RunManifest::from_bytes(&bytes))
        {
            self.staged = Some(Staged {
                function: manifest.call.function.plain_name().to_owned(),
                component: manifest.job.component.name,
                run_location: manifest.place,
                age: age(written),
                has_manifest: true,
            });
        }
        Ok(())
    }

    fn decoded<T, E>(&mut self, decoded: std::result::Result<T, E>) -> Option<T> {
        self.is_unreadable |= decoded.is_err();
        decoded.ok()
    }
}
