//! The decision that the infrastructure fails all items of a map alike, so that further attempts would be in vain.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::error::Error;

/// The minimum number of items and of failed attempts of a broken infrastructure. Fewer may have one bad cause.
const MIN_ITEMS: usize = 3;
const MIN_ATTEMPTS: usize = 8;

/// The minimum number of failed attempts for each item that may run concurrently: one cause may end them all at once.
const MIN_ROUNDS: usize = 2;

/// The failures of the infrastructure before a function of the map has had an end of its own. If at least one item has no
/// retries left by then, and others fail as well, the map ends.
#[derive(Debug)]
pub(crate) struct Breakdown {
    min_attempts: usize,
    /// Whether a function has returned, or failed by itself.
    has_run: AtomicBool,
    failed: Mutex<Failed>,
}

#[derive(Debug, Default)]
struct Failed {
    attempts: usize,
    items: BTreeSet<u64>,
    /// Whether an item has no retries left.
    is_final: bool,
    /// The last error.
    error: Option<Error>,
}

impl Breakdown {
    /// Creates the record of a map of which `parallelism` items run concurrently.
    pub(crate) fn new(parallelism: usize) -> Self {
        let min_attempts = MIN_ATTEMPTS.max(MIN_ROUNDS * parallelism);
        Self { min_attempts, has_run: AtomicBool::new(false), failed: Mutex::default() }
    }

    /// Records that a function has returned, or failed by itself.
    pub(crate) fn record_run(&self) {
        if !self.has_run() {
            self.has_run.store(true, Ordering::Relaxed);
            *self.lock() = Failed::default();
        }
    }

    /// Records an attempt at the item `index` that the infrastructure failed. `is_final` is true if there is no other.
    pub(crate) fn record_failure(&self, index: u64, is_final: bool, error: impl FnOnce() -> Error) {
        if self.has_run() {
            return;
        }
        let mut failed = self.lock();
        failed.attempts += 1;
        failed.items.insert(index);
        failed.is_final |= is_final;
        failed.error = Some(error());
    }

    /// Returns the error of the map, if its infrastructure is broken.
    pub(crate) fn error(&self) -> Option<Error> {
        if self.has_run() {
            return None;
        }
        let failed = self.lock();
        let Failed { attempts, items, is_final, error: Some(error) } = &*failed else {
            return None;
        };
        let is_broken = *is_final && *attempts >= self.min_attempts && items.len() >= MIN_ITEMS;
        is_broken.then(|| {
            let message = format!(
                "no item of the map could run: {attempts} attempts at {} items failed because of the infrastructure",
                items.len()
            );
            Error::runner(message, error.duplicate())
        })
    }

    fn has_run(&self) -> bool {
        self.has_run.load(Ordering::Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, Failed> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Records failed attempts at the items `indexes`, of which the last one is final.
    fn fail(breakdown: &Breakdown, indexes: &[u64]) {
        for (position, index) in indexes.iter().enumerate() {
            let is_final = position + 1 == indexes.len();
            breakdown.record_failure(*index, is_final, || {
                Error::lost("hype-run-a", "the disk is full").hint("buy one")
            });
        }
    }

    fn is_broken(parallelism: usize, indexes: &[u64]) -> bool {
        let breakdown = Breakdown::new(parallelism);
        fail(&breakdown, indexes);
        breakdown.error().is_some()
    }

    #[test]
    fn several_items_and_attempts_show_a_broken_infrastructure() {
        assert!(is_broken(2, &[0, 1, 0, 1, 2, 0, 1, 0]));
        assert!(!is_broken(2, &[0, 1, 0, 1, 2, 0, 0]));
        assert!(!is_broken(2, &[0, 1, 0, 1, 0, 1, 0, 1]));
        // One cause may have ended all of the first round.
        assert!(!is_broken(9, &[0, 1, 2, 3, 4, 5, 6, 7, 8]));
        assert!(is_broken(4, &[0, 1, 2, 3, 0, 1, 2, 3]));
    }

    #[test]
    fn map_goes_on_while_items_have_retries() {
        let breakdown = Breakdown::new(2);
        for index in 0..100 {
            breakdown.record_failure(index, false, || Error::lost("hype-run-a", "gone"));
        }
        assert!(breakdown.error().is_none());
    }

    #[test]
    fn map_with_an_item_that_ran_goes_on() {
        let breakdown = Breakdown::new(2);
        fail(&breakdown, &[0, 1, 2, 0, 1, 2]);
        breakdown.record_run();
        fail(&breakdown, &[0, 1, 2, 0, 1, 2, 3, 4]);
        assert!(breakdown.error().is_none());
    }

    #[test]
    fn error_has_the_last_cause_with_its_hint() {
        let breakdown = Breakdown::new(1);
        fail(&breakdown, &[0, 1, 2, 0, 1, 2, 0, 1]);
        let report = breakdown.error().unwrap().report();
        let head = "no item of the map could run: 8 attempts at 3 items failed because of the infrastructure\n";
        assert!(report.starts_with(head), "{report}");
        assert!(
            report.contains("the disk is full") && report.ends_with("Hint: buy one"),
            "{report}"
        );
    }
}
