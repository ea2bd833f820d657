//! The commands and the temporary directory of a call, which another thread can end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hype_wire::Failure;

use crate::deadline;
use crate::process::{GuestCommands, Shown};
use crate::scratch::Scratch;

/// The commands of a call and its temporary directory. Clones share them, so that another thread can end them if the guest
/// never returns.
#[derive(Clone)]
pub(crate) struct Holdings(Arc<Mutex<Held>>);

/// The commands of a call, its temporary directory, and the directories that both the guest and the commands see.
pub(crate) struct Held {
    /// Declared before `scratch`, so that all commands end before their files are removed.
    pub(crate) commands: GuestCommands,
    pub(crate) shown: Vec<Shown>,
    pub(crate) scratch: Option<Scratch>,
    has_ended: bool,
}

impl Holdings {
    pub(crate) fn new(
        commands: GuestCommands,
        shown: Vec<Shown>,
        scratch: Option<Scratch>,
    ) -> Self {
        Self(Arc::new(Mutex::new(Held { commands, shown, scratch, has_ended: false })))
    }

    /// Returns what the call holds.
    ///
    /// # Errors
    ///
    /// A failure of the kind `interrupted` if the call has ended, although its guest hasn't noticed it yet.
    pub(crate) fn get(&self) -> Result<MutexGuard<'_, Held>, Failure> {
        let held = self.lock();
        if held.has_ended { Err(deadline::interrupted()) } else { Ok(held) }
    }

    /// Ends all commands and removes the temporary directory. Nothing can be added later.
    pub(crate) fn end(&self) {
        let mut held = self.lock();
        held.has_ended = true;
        held.commands.end();
        held.scratch = None;
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
