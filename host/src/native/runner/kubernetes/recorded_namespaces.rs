//! The namespaces that the manifests of runs name.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::runner::namespace::Namespace;

/// The maximum number of runs whose namespaces are kept.
const MAX_RUNS: usize = 10_000;

/// The namespaces that manifests name, by run: each is searched for that run only, and never trusted.
///
/// Everyone who can write to the stage can add runs, so only those that were searched last are kept.
#[derive(Debug)]
pub(super) struct RecordedNamespaces {
    state: Mutex<State>,
    max_runs: usize,
}

#[derive(Debug, Default)]
struct State {
    by_run: HashMap<String, Recorded>,
    /// The number of uses of all runs so far.
    uses: u64,
}

#[derive(Debug)]
struct Recorded {
    namespace: Namespace,
    /// The number of uses of all runs before the last use of this one.
    last_use: u64,
}

impl Default for RecordedNamespaces {
    fn default() -> Self {
        Self::with_max_runs(MAX_RUNS)
    }
}

impl RecordedNamespaces {
    fn with_max_runs(max_runs: usize) -> Self {
        Self { state: Mutex::default(), max_runs }
    }

    /// Records the namespace of a run, and forgets the run that was used least recently if there are too many.
    pub(super) fn insert(&self, run_id: &str, namespace: Namespace) {
        let mut state = self.lock();
        if state.by_run.len() >= self.max_runs && !state.by_run.contains_key(run_id) {
            let oldest = state.by_run.iter().min_by_key(|(_, recorded)| recorded.last_use);
            let oldest = oldest.map(|(run_id, _)| run_id.clone());
            oldest.and_then(|run_id| state.by_run.remove(&run_id));
        }
        let last_use = state.next_use();
        state.by_run.insert(run_id.to_owned(), Recorded { namespace, last_use });
    }

    /// Returns the namespace of a run, if it was recorded.
    pub(super) fn find(&self, run_id: &str) -> Option<Namespace> {
        let mut state = self.lock();
        let last_use = state.next_use();
        let recorded = state.by_run.get_mut(run_id)?;
        recorded.last_use = last_use;
        Some(recorded.namespace.clone())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn next_use(&mut self) -> u64 {
        self.uses += 1;
        self.uses
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn run_that_was_used_least_recently_is_forgotten() {
        let recorded = RecordedNamespaces::with_max_runs(2);
        let namespace = |name: &str| Namespace::parse(name).unwrap();
        recorded.insert("run-a", namespace("a"));
        recorded.insert("run-b", namespace("b"));
        assert_eq!(recorded.find("run-a"), Some(namespace("a")));
        recorded.insert("run-b", namespace("other"));
        assert_eq!(recorded.find("run-a"), Some(namespace("a")));
        recorded.insert("run-c", namespace("c"));
        let found = ["run-a", "run-b", "run-c"].map(|run_id| recorded.find(run_id).is_some());
        assert_eq!(found, [true, false, true]);
    }
}
