//! The progress of a call, which another thread reads if the call never returns.

use std::sync::OnceLock;
use std::time::Instant;

use crate::budget::Budget;
#[cfg(target_os = "linux")]
use crate::execution::Execution;
use crate::holdings::Holdings;
#[cfg(target_os = "linux")]
use crate::run::micros;

/// The progress of a call: its beginning, and the state of its guest that outlives the guest's thread.
#[derive(Default)]
pub(crate) struct Progress {
    guest: OnceLock<(Budget, Holdings)>,
    called_at: OnceLock<Instant>,
}

impl Progress {
    /// Notes that the sandbox of the guest exists.
    pub(crate) fn prepared(&self, budget: &Budget, holdings: &Holdings) {
        let _ = self.guest.set((budget.clone(), holdings.clone()));
    }

    /// Notes that the function is called now.
    pub(crate) fn called(&self, at: Instant) {
        let _ = self.called_at.set(at);
    }

    /// Ends the commands of the guest, and removes its temporary directory.
    #[cfg(target_os = "linux")]
    pub(crate) fn end_holdings(&self) {
        if let Some((_, holdings)) = self.guest.get() {
            holdings.end();
        }
    }

    /// Adds the times and the memory of a call that began at `started` and has ended now to its result.
    #[cfg(target_os = "linux")]
    pub(crate) fn complete(&self, started: Instant, execution: Execution) -> Execution {
        let run_us = self.called_at.get().map_or(0, |called_at| micros(*called_at));
        let start_us = micros(started).saturating_sub(run_us);
        let peak_memory = self.guest.get().map_or(0, |(budget, _)| budget.peak());
        Execution { start_us, run_us, peak_memory, ..execution }
    }
}
