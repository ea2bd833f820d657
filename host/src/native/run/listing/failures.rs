//! The runner's failures to search for runs, each of which is reported once.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use hype_wire::one_line;

use crate::error::{Error, Result};
use crate::runner::{FoundProcesses, ProcessInfo, SearchFailure};

/// The failures of a runner to search for the processes of runs.
#[derive(Debug, Default)]
pub(super) struct SearchFailures(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// The reason why no location can be searched.
    everywhere: Option<String>,
    /// The reasons by location, as manifests record it.
    by_location: BTreeMap<String, String>,
    unreported: Vec<Unreported>,
}

/// An error of one location, or of all.
#[derive(Debug)]
struct Unreported {
    location: Option<String>,
    error: Error,
}

impl SearchFailures {
    /// Returns the reason why the runner can't search `location`, if it has failed to.
    pub(super) fn reason(&self, location: &str) -> Option<String> {
        let state = self.lock();
        state.everywhere.clone().or_else(|| state.by_location.get(location).cloned())
    }

    /// Returns the processes that a search found, and records its failures.
    pub(super) fn record(&self, found: Result<FoundProcesses>) -> Vec<ProcessInfo> {
        let mut state = self.lock();
        let FoundProcesses { processes, failures } = match found {
            Ok(found) => found,
            Err(error) => {
                if state.everywhere.is_none() {
                    state.everywhere = Some(one_line(&error));
                    state.unreported.push(Unreported { location: None, error });
                }
                return Vec::new();
            }
        };
        for failure in failures {
            let SearchFailure { run_location, error } = failure;
            if state.by_location.insert(run_location.clone(), one_line(&error)).is_none() {
                state.unreported.push(Unreported { location: Some(run_location), error });
            }
        }
        processes
    }

    /// Takes the errors that were not reported yet.
    pub(super) fn take_unreported(&self) -> Vec<Error> {
        let unreported = std::mem::take(&mut self.lock().unreported);
        unreported.into_iter().map(|unreported| unreported.error).collect()
    }

    /// Takes the error because of which `location` can't be searched, if it was not reported yet.
    pub(super) fn take_unreported_of(&self, location: &str) -> Option<Error> {
        let unreported = &mut self.lock().unreported;
        let concerns = |it: &Unreported| it.location.as_deref().is_none_or(|at| at == location);
        let index = unreported.iter().position(concerns)?;
        Some(unreported.remove(index).error)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forbidden(namespace: &str) -> FoundProcesses {
        let mut found = FoundProcesses::default();
        let error = Error::runner(format!("cannot list pods in {namespace}"), "forbidden");
        found.add_failure(format!("kubernetes:{namespace}"), error);
        found
    }

    #[test]
    fn failure_of_a_location_is_reported_once() {
        let failures = SearchFailures::default();
        for namespace in ["a", "a", "b"] {
            assert_eq!(failures.record(Ok(forbidden(namespace))), []);
        }
        let reason = failures.reason("kubernetes:a");
        assert_eq!(reason.as_deref(), Some("cannot list pods in a: forbidden"));
        assert_eq!(failures.reason("kubernetes:c"), None);
        let reported: Vec<_> = failures.take_unreported().iter().map(ToString::to_string).collect();
        assert_eq!(reported, ["cannot list pods in a", "cannot list pods in b"]);
        assert!(failures.take_unreported().is_empty());
    }

    #[test]
    fn error_of_a_location_is_none_of_another() {
        let failures = SearchFailures::default();
        for namespace in ["a", "b"] {
            failures.record(Ok(forbidden(namespace)));
        }
        let message =
            |location: &str| failures.take_unreported_of(location).map(|error| error.to_string());
        assert_eq!(message("kubernetes:b").as_deref(), Some("cannot list pods in b"));
        assert_eq!(message("kubernetes:b"), None);
        failures.record(Err(Error::runner("cannot reach the API server", "connection refused")));
        assert_eq!(message("kubernetes:c").as_deref(), Some("cannot reach the API server"));
    }

    #[test]
    fn unreachable_runner_can_search_nothing() {
        let failures = SearchFailures::default();
        for _ in 0..2 {
            failures.record(Err(Error::runner("cannot reach the daemon", "connection refused")));
        }
        let reason = failures.reason("docker:m:unix:///s");
        assert_eq!(reason.as_deref(), Some("cannot reach the daemon: connection refused"));
        assert_eq!(failures.take_unreported().len(), 1);
    }
}
