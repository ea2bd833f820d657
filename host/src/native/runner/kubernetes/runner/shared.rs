//! State that the runs of a runner share: their namespaces, and the watches of their Pods.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use super::super::cluster::ConnectedCluster;
use super::super::events::Events;
use super::super::leftovers::Leftovers;
use super::super::pod_watch::PodWatch;
use super::super::search::RunSearch;
use super::Inner;
use crate::run::lease;
use crate::runner::labels;
use crate::runner::namespace::Namespace;

impl Inner {
    pub(super) fn leftovers<'a>(&self, cluster: &'a ConnectedCluster) -> Leftovers<'a> {
        Leftovers { cluster, retry: cluster.retry(self.timeouts.unreachable_server) }
    }

    /// Returns the namespaces that this program named: the default, those of its options, and those in which it
    /// creates Pods. Only in these may
    /// anything be removed.
    pub(super) fn own_namespaces(&self, cluster: &ConnectedCluster) -> BTreeSet<Namespace> {
        let watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: BTreeSet<_> = watches.keys().cloned().collect();
        all.insert(cluster.namespace.clone());
        all.extend(self.further_namespaces.iter().cloned());
        all
    }

    /// Returns the namespaces that this program named, in which a run may be removed or prove its outcome.
    pub(super) fn own_search(&self, cluster: &ConnectedCluster, run_id: &str) -> RunSearch {
        let recorded = self.recorded_namespaces.find(run_id);
        RunSearch { namespaces: self.own_namespaces(cluster), recorded }
    }

    /// Returns all namespaces in which a run may be, including the untrusted one that its manifest names.
    pub(super) fn search(&self, cluster: &ConnectedCluster, run_id: &str) -> RunSearch {
        let mut search = self.own_search(cluster, run_id);
        search.namespaces.extend(search.recorded.clone());
        search
    }

    pub(super) fn watches(
        &self,
        cluster: &ConnectedCluster,
        namespace: &Namespace,
    ) -> (PodWatch, Events) {
        let mut watches = self.watches.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = watches.entry(namespace.to_owned()).or_insert_with(|| {
            let selector = format!("{}={}", labels::SUBMITTER, lease::owner());
            let retry = cluster.retry(self.timeouts.unreachable_server);
            let pods = PodWatch::new(cluster.api(namespace), selector, retry);
            (pods, Events::new(cluster.api(namespace)))
        });
        shared.clone()
    }
}
