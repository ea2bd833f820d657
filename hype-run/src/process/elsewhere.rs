//! Commands need Linux: elsewhere nothing keeps what they leave behind from going on.

use std::fmt;
use std::path::{Path, PathBuf};

use hype_wire::Access;
use tokio::sync::OwnedSemaphorePermit;

use super::calls::ErrorKind;
use super::commands::{Child, Start, Unstarted};

const WHY: &str = "commands run on Linux alone";

/// Where an [`Executor`](crate::Executor) runs commands: nowhere here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CommandPlace {
    /// In Linux namespaces.
    #[default]
    Apart,
    /// Among the processes here, on Linux.
    Here,
}

/// Why this machine can't run commands.
#[derive(Debug, Clone)]
pub struct NoNamespaces;

impl fmt::Display for NoNamespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(WHY)
    }
}

impl std::error::Error for NoNamespaces {}

/// Tells that this machine doesn't run commands.
///
/// # Errors
///
/// Always.
pub fn check_namespaces() -> Result<(), NoNamespaces> {
    Err(NoNamespaces)
}

/// What a guest is shown.
#[expect(dead_code, reason = "nobody looks at it here")]
pub(crate) struct Shown {
    pub(crate) path: String,
    pub(crate) real: PathBuf,
    pub(crate) access: Access,
    pub(crate) is_beside: bool,
}

/// None.
pub(crate) struct Place;

impl Place {
    pub(crate) fn new(_: CommandPlace) -> Self {
        Self
    }

    pub(crate) fn end(&mut self) {}

    pub(crate) fn start(
        &mut self,
        _: Start<'_>,
        _: &[Shown],
        _: &Path,
        _: OwnedSemaphorePermit,
    ) -> Result<Child, Unstarted> {
        Err(Unstarted::Told(ErrorKind::Other, WHY.to_owned()))
    }
}
