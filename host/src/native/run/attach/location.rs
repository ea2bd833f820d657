//! The location of an attached run, and whether this program's runner can find the run there.

use super::{Inner, StagedManifest};
use crate::error::{Error, Result};
use crate::run::driven;
use crate::runner::Proof;
use crate::runner::run_location::RunLocation;

/// The location in which a run was started, as its manifest names it.
pub(super) enum StartLocation {
    /// The manifest doesn't exist any more, or not yet.
    Unknown,
    /// The manifest can't be read, for this reason.
    Unreadable(Error),
    /// Inside a process, so that it ends with that process.
    Process,
    /// A location, as the manifest records it, in which this program's runner can find it.
    Here(String),
    /// A place that this program's runner can't search.
    Elsewhere(RunLocation),
}

impl Inner {
    /// Returns the location that the run's manifest names.
    pub(super) fn locate(&self, manifest: StagedManifest) -> StartLocation {
        match manifest {
            StagedManifest::Missing => StartLocation::Unknown,
            StagedManifest::Present(manifest) => match *manifest {
                Err(error) => StartLocation::Unreadable(error),
                Ok(manifest) => match manifest.place {
                    None => StartLocation::Process,
                    Some(place) => match RunLocation::parse(&place) {
                        Err(error) => StartLocation::Unreadable(error),
                        Ok(_) if self.dispatcher.runner.add_search_location(&self.id, &place) => {
                            StartLocation::Here(place)
                        }
                        Ok(location) => StartLocation::Elsewhere(location),
                    },
                },
            },
        }
    }

    /// Returns the location of the run, and reads its manifest if the location isn't known yet.
    pub(super) async fn location(&self) -> Result<&StartLocation> {
        self.location.get_or_try_init(async || Ok(self.locate(self.manifest().await?))).await
    }

    /// Returns whether this program's runner may know the run.
    pub(super) fn may_be_in_runner(&self) -> bool {
        match self.location.get() {
            Some(StartLocation::Elsewhere(_)) => false,
            Some(StartLocation::Process) => !self.dispatcher.description.outlives_program,
            _ => true,
        }
    }

    /// Returns whether nothing runs any more that could write an outcome, as far as this program can find out.
    pub(super) async fn is_gone(&self) -> Result<bool> {
        if !self.may_be_in_runner() {
            return Ok(driven::find(&self.id).is_none());
        }
        let is_alive = self.dispatcher.runner.is_alive(&self.id).await;
        is_alive.map(|is_alive| !is_alive).map_err(|error| self.with_attach_hint(error))
    }

    /// Returns the proof of the run's outcome, if this program has it.
    pub(super) async fn proof(&self) -> Result<Option<Proof>> {
        match self.may_be_in_runner() {
            true => self
                .dispatcher
                .runner
                .proof(&self.id)
                .await
                .map_err(|error| self.with_attach_hint(error)),
            false => Ok(Proof::of_this_process(&self.id)),
        }
    }

    /// Stops and removes the process, container or Pod of the run.
    pub(super) async fn remove_process(&self, is_orphan: bool) -> Result<()> {
        match self.location.get() {
            Some(StartLocation::Elsewhere(place)) => Err(self
                .unreachable(place)
                .hint("cargo hype gc by a submitter of there removes it once it is a week old")),
            location if self.may_be_in_runner() => {
                let runner = &self.dispatcher.runner;
                runner.remove(&self.id, is_orphan).await?;
                match location {
                    Some(StartLocation::Here(place)) => runner.check_removable(place).await,
                    _ => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    fn unreachable(&self, place: &RunLocation) -> Error {
        let Self { id, dispatcher, .. } = self;
        Error::input(format!("{id} was started {}", place.describe())).because(format!(
            "this program's runner, which runs things {}, cannot look there",
            dispatcher.description.location
        ))
    }

    /// Returns the error of waiting for a run in another place: this program can't find out whether it will write an
    /// outcome.
    pub(super) fn elsewhere(&self, place: &RunLocation) -> Error {
        let id = &self.id;
        self.unreachable(place).hint(format!(
            "the run is as it was, and may still run: attach by {}: submitter.attach::<T>(\"{id}\")",
            place.submitter_hint()
        ))
    }

    /// Returns the error of cancelling a run in another place.
    pub(super) fn unstoppable(&self, place: &RunLocation) -> Error {
        self.unreachable(place)
            .hint(format!("the run is as it was: cancel it by {}", place.submitter_hint()))
    }
}
