//! The search for the Pods of one run in several namespaces, some of which this program may be unable to read.

use std::collections::BTreeSet;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;

use super::leftovers::Leftovers;
use crate::error::{Error, Result};
use crate::runner::SearchFailure;
use crate::runner::namespace::Namespace;
use crate::runner::run_location::RunLocation;

/// The namespaces in which the Pods of one run may be.
#[derive(Debug, Clone)]
pub(super) struct RunSearch {
    pub(super) namespaces: BTreeSet<Namespace>,
    /// The namespace that the run's manifest names, if this program has read it.
    pub(super) recorded: Option<Namespace>,
}

/// The Pods of one run.
#[derive(Debug)]
pub(super) struct FoundPods {
    pub(super) pods: Vec<(Namespace, Pod)>,
    /// The error of a namespace that may have further Pods of the run.
    pub(super) failure: Option<SearchFailure>,
}

impl FoundPods {
    /// Returns the Pods.
    ///
    /// # Errors
    ///
    /// The error of a namespace that may have further Pods of the run.
    pub(super) fn complete(self) -> Result<Vec<(Namespace, Pod)>> {
        match self.failure {
            Some(failure) => Err(failure.error),
            None => Ok(self.pods),
        }
    }
}

impl Leftovers<'_> {
    /// Searches all namespaces for the Pods of a run. A namespace that can't be read is a failure only if the run may be
    /// in it: its manifest names that namespace, or none that was read.
    pub(super) async fn find_pods(&self, search: &RunSearch, run_id: &str) -> FoundPods {
        let of_run = |namespace| async move { (namespace, self.of_run(namespace, run_id).await) };
        let (mut pods, mut failures, mut is_decided) = (Vec::new(), Vec::new(), false);
        for (namespace, listed) in join_all(search.namespaces.iter().map(of_run)).await {
            match listed {
                Ok(of_run) => {
                    is_decided |= search.recorded.as_ref() == Some(namespace);
                    pods.extend(of_run.into_iter().map(|pod| (namespace.clone(), pod)));
                }
                Err(error) => failures.push((namespace, error)),
            }
        }
        if is_decided {
            for (namespace, error) in failures.drain(..) {
                tracing::debug!("{run_id} is not in the namespace {namespace}: {error}");
            }
        }
        // Only the recorded namespace decides whether a run without Pods is lost.
        let is_recorded =
            |(namespace, _): &(&Namespace, _)| search.recorded.as_ref() == Some(*namespace);
        let chosen = failures.iter().position(is_recorded).unwrap_or_default();
        let failure = failures.into_iter().nth(chosen);
        FoundPods {
            pods,
            failure: failure.map(|(namespace, error)| search_failure(namespace, error)),
        }
    }
}

/// Describes a namespace that can't be searched.
pub(super) fn search_failure(namespace: &Namespace, error: Error) -> SearchFailure {
    let run_location = RunLocation::Kubernetes { namespace: namespace.clone() }.to_string();
    SearchFailure { run_location, error }
}
