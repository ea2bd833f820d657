//! The measurements of a run.

use std::sync::{Arc, Mutex, PoisonError};

use hype_wire::Statistics;

/// The number of attempts of a run, and the statistics of the last outcome. Clones share them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Measured(Arc<Mutex<(u32, Option<Statistics>)>>);

impl Measured {
    /// Records that an attempt begins.
    pub(crate) fn begin(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
    }

    /// Records the statistics of an outcome.
    pub(crate) fn end(&self, statistics: &Statistics) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = Some(statistics.clone());
    }

    /// Returns the number of attempts, and the statistics of the last outcome.
    pub(crate) fn get(&self) -> (u32, Option<Statistics>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
