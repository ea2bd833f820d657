//! The place in which an attached run was started, and whether this program's runner can look there.

use super::{Found, Inner};
use crate::error::{Error, Result};
use crate::run::known;
use crate::runner::Proof;
use crate::runner::run_place::RunPlace;

/// The place in which a run was started, as its manifest says.
pub(super) enum Whereabouts {
    /// The manifest is gone, or not there yet.
    Unknown,
    /// The manifest can't be read, for this reason.
    Unreadable(Error),
    /// Inside a process, with which it ends.
    Process,
    /// A place in which our runner looks for it.
    Here,
    /// A place in which our runner can't look.
    Elsewhere(RunPlace),
}

impl Inner {
    /// Returns where the run was started, as `found` says.
    pub(super) fn located(&self, found: Found) -> Whereabouts {
        match found {
            Found::NoManifest => Whereabouts::Unknown,
            Found::Manifest(manifest) => match *manifest {
                Err(error) => Whereabouts::Unreadable(error.into()),
                Ok(manifest) => match manifest.place {
                    None => Whereabouts::Process,
                    Some(place) if self.core.runner.looks_in(&place) => Whereabouts::Here,
                    Some(place) => Whereabouts::Elsewhere(RunPlace::read(&place)),
                },
            },
        }
    }

    /// Returns where the run was started, and asks the stage if that isn't known yet.
    pub(super) async fn whereabouts(&self) -> Result<&Whereabouts> {
        self.whereabouts.get_or_try_init(async || Ok(self.located(self.manifest().await?))).await
    }

    /// Returns whether our runner may know of the run.
    pub(super) fn is_for_runner(&self) -> bool {
        match self.whereabouts.get() {
            Some(Whereabouts::Elsewhere(_)) => false,
            Some(Whereabouts::Process) => !self.core.description.outlives_program,
            _ => true,
        }
    }

    /// Returns whether nothing runs any more that could leave an outcome, as far as this program can tell.
    pub(super) async fn is_gone(&self) -> Result<bool> {
        if !self.is_for_runner() {
            return Ok(known::find(&self.id).is_none());
        }
        let is_alive = self.core.runner.is_alive(&self.id).await;
        is_alive.map(|is_alive| !is_alive).map_err(|error| self.left(error))
    }

    /// Returns what vouches for the run's outcome, if that is known here.
    pub(super) async fn proof(&self) -> Result<Option<Proof>> {
        match self.is_for_runner() {
            true => self.core.runner.proof(&self.id).await.map_err(|error| self.left(error)),
            false => Ok(Proof::of_this_process(&self.id)),
        }
    }

    /// Stops and removes what ran of the run.
    pub(super) async fn remove_process(&self, is_orphan: bool) -> Result<()> {
        match self.whereabouts.get() {
            Some(Whereabouts::Elsewhere(place)) => Err(self
                .unreachable(place)
                .hint("cargo hype gc by a submitter of there removes it once it is a week old")),
            _ if self.is_for_runner() => self.core.runner.remove(&self.id, is_orphan).await,
            _ => Ok(()),
        }
    }

    fn unreachable(&self, place: &RunPlace) -> Error {
        let Self { id, core, .. } = self;
        Error::input(format!("{id} was started {}", place.describe())).because(format!(
            "this program's runner, which runs things {}, cannot look there",
            core.description.place
        ))
    }

    /// Returns the error of waiting for a run in another place: this program can't tell whether it will leave an
    /// outcome.
    pub(super) fn elsewhere(&self, place: &RunPlace) -> Error {
        let id = &self.id;
        self.unreachable(place).hint(format!(
            "the run is as it was, and may still run: attach by {}: submitter.attach::<T>(\"{id}\")",
            place.submitter()
        ))
    }

    /// Returns the error of cancelling a run in another place.
    pub(super) fn unstoppable(&self, place: &RunPlace) -> Error {
        self.unreachable(place)
            .hint(format!("the run is as it was: cancel it by {}", place.submitter()))
    }
}
