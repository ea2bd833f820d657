//! The commands of one guest, which this process starts, or another one for it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures::future::{BoxFuture, Either};
use hype_wire::{CommandName, Failure, Job};
use tokio::sync::Semaphore;

use super::calls::Command;
use super::commands::{Child, Commands, Slot, Unstarted, check, slot};
use super::place::{Shown, Spawned};
use super::variables::Changes;
use crate::budget::Budget;
use crate::limits::COMMANDS;
use crate::quota::CommandEvents;

/// Starts the commands of a guest from another process, which checks all grants.
pub(crate) trait Starter: Send + Sync {
    /// Returns the path of the guest's `/tmp`, which is also that of its commands.
    fn tmp(&self) -> PathBuf;

    /// Starts `command` with `changes` of its variables. What this process holds for it is charged to `budget`, and it occupies
    /// `slot`.
    fn start<'a>(
        &'a self,
        command: &'a Command,
        changes: &'a Changes,
        budget: &'a Budget,
        slot: Slot,
    ) -> BoxFuture<'a, Result<Child, Unstarted>>;
}

/// The commands of one guest. Dropping it ends all their processes, if this process has started them.
#[expect(
    clippy::large_enum_variant,
    reason = "there is one for each call, where a box would be another allocation"
)]
pub(crate) enum GuestCommands {
    Here(Commands),
    Elsewhere(Elsewhere),
}

/// The commands of one guest that another process starts.
pub(crate) struct Elsewhere {
    starter: Arc<dyn Starter>,
    granted: BTreeSet<CommandName>,
    budget: Budget,
    running: Arc<Semaphore>,
}

impl GuestCommands {
    /// Returns the commands that `job` grants, which `starter` starts. What this process holds for them is charged to `budget`.
    pub(crate) fn elsewhere(starter: &Arc<dyn Starter>, job: &Job, budget: &Budget) -> Self {
        Self::Elsewhere(Elsewhere {
            starter: Arc::clone(starter),
            granted: job.powers.commands.iter().cloned().collect(),
            budget: budget.clone(),
            running: Arc::new(Semaphore::new(COMMANDS)),
        })
    }

    /// Returns the path of the `/tmp` that the guest shares with its commands in a room, which is created below the directory
    /// `scratch` if this process starts them. Returns `None` if there is no room.
    pub(crate) fn make_room(
        &mut self,
        shown: &[Shown],
        scratch: &Path,
    ) -> Result<Option<PathBuf>, Failure> {
        match self {
            Self::Here(commands) => commands.make_room(shown, scratch),
            Self::Elsewhere(elsewhere) => Ok(Some(elsewhere.starter.tmp())),
        }
    }

    /// Returns the events of commands outside of a room, or `None` if no command is granted.
    pub(crate) fn events(&self) -> Option<CommandEvents> {
        match self {
            Self::Here(commands) => commands.events(),
            Self::Elsewhere(_) => None,
        }
    }

    /// Checks that the environment grants `program`.
    pub(crate) fn check(&self, program: &str) -> Result<(), Unstarted> {
        match self {
            Self::Here(commands) => commands.check(program),
            Self::Elsewhere(Elsewhere { granted, .. }) => {
                check(program, |name| granted.iter().any(|granted| granted.as_str() == name))
            }
        }
    }

    /// Starts `command` for a guest whose directories are `shown`. The returned future doesn't borrow the commands.
    pub(crate) fn start<'a>(
        &mut self,
        command: &'a Command,
        changes: &'a Changes,
        shown: &[Shown],
    ) -> impl Future<Output = Result<Child, Unstarted>> + Send + use<'a> {
        let start = match self {
            Self::Here(commands) => Either::Left(commands.start(command, changes, shown)),
            Self::Elsewhere(Elsewhere { starter, budget, running, .. }) => {
                let slot = slot(running, &command.program);
                Either::Right((Arc::clone(starter), budget.clone(), slot))
            }
        };
        async move {
            match start {
                Either::Left(started) => started.map(Spawned::into_child),
                Either::Right((starter, budget, slot)) => {
                    starter.start(command, changes, &budget, slot?).await
                }
            }
        }
    }

    /// Ends all commands and all processes that they started, if this process has started them.
    pub(crate) fn end(&mut self) {
        match self {
            Self::Here(commands) => commands.end(),
            // The process that has started them ends them before it reports the end of the call.
            Self::Elsewhere(_) => {}
        }
    }
}
