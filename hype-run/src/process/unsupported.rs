//! Stubs for systems other than Linux, on which commands are not supported, since only Linux can end all processes that
//! a command leaves behind.

use std::path::{Path, PathBuf};

use hype_wire::{Access, Failure};

use super::calls::ErrorKind;
use super::commands::{Child, Slot, Start, Unstarted};
use super::isolation::{CommandIsolation, CommandRoom, NoNamespaces};
use crate::limits::Bounds;

const WHY: &str = "commands run only on Linux";

/// Returns an error, since commands are not supported on this system.
///
/// # Errors
///
/// Always returns an error.
pub fn check_namespaces() -> Result<(), NoNamespaces> {
    Err(NoNamespaces(WHY.to_owned()))
}

impl CommandRoom {
    /// Returns a description without a room.
    pub fn of_this_machine() -> Self {
        let refusal = Some(NoNamespaces(WHY.to_owned()));
        Self {
            refusal,
            is_nobodys: false,
            has_proc: false,
            has_memory_group: false,
            landlock: None,
        }
    }
}

/// A directory that the guest sees.
#[expect(dead_code, reason = "only commands read it")]
pub(crate) struct Shown {
    pub(crate) path: String,
    pub(crate) real: PathBuf,
    pub(crate) access: Access,
    pub(crate) is_beside: bool,
}

/// The directories and limits of a guest, for its commands.
#[expect(dead_code, reason = "only commands read it")]
pub(crate) struct Surroundings<'a> {
    pub(crate) shown: &'a [Shown],
    pub(crate) bounds: Bounds,
    pub(crate) has_network: bool,
}

/// A started command, which doesn't exist.
pub(crate) enum Spawned {}

impl Spawned {
    pub(crate) fn into_child(self) -> Child {
        match self {}
    }
}

/// The isolation of a guest's commands. Starting one always fails.
pub(crate) struct Place;

impl Place {
    pub(crate) fn new(_: CommandIsolation) -> Self {
        Self
    }

    pub(crate) fn make_room(
        &mut self,
        _: &Surroundings<'_>,
        _: &Path,
    ) -> Result<Option<PathBuf>, Failure> {
        Ok(None)
    }

    pub(crate) fn end(&mut self) {}

    pub(crate) fn start(
        &mut self,
        _: Start<'_>,
        _: &Surroundings<'_>,
        _: Slot,
    ) -> Result<Spawned, Unstarted> {
        Err(Unstarted::Error(ErrorKind::Other, WHY.to_owned()))
    }
}
