//! Garbage collection of Pods and claims in all namespaces that the program named.

use std::collections::{BTreeSet, HashSet};
use std::time::SystemTime;

use hype_stage::CollectMode;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::deletion::delete;
use super::leftovers::{Leftovers, claims_of, has_ended, is_of_hype, is_transient};
use super::pod_lifecycle::REMOVAL_TIMEOUT;
use crate::error::Result;
use crate::runner::collected::{NOT_EXPIRED, OF_KEPT_RUN, PERSISTENT, RUNNING};
use crate::runner::namespace::Namespace;
use crate::runner::{CollectedLeftovers, labels};

/// A collection in one namespace.
struct Collection<'a> {
    leftovers: &'a Leftovers<'a>,
    namespace: &'a Namespace,
    /// The end of each resource's name in the report. Names in the default namespace are short.
    suffix: String,
    mode: CollectMode,
    kept_runs: &'a BTreeSet<String>,
    collected: CollectedLeftovers,
}

impl Leftovers<'_> {
    /// Garbage-collects expired, unused Pods and transient claims in these namespaces, which the program must have
    /// named, except those of the runs `kept_runs`. A namespace that can't be read doesn't stop the collection.
    pub(crate) async fn collect(
        &self,
        namespaces: &BTreeSet<Namespace>,
        mode: CollectMode,
        kept_runs: &BTreeSet<String>,
    ) -> CollectedLeftovers {
        let mut all = CollectedLeftovers::default();
        for namespace in namespaces {
            let suffix = match *namespace == self.cluster.namespace {
                true => String::new(),
                false => format!(" in {namespace}"),
            };
            let collected = CollectedLeftovers::default();
            let mut collection =
                Collection { leftovers: self, namespace, suffix, mode, kept_runs, collected };
            let result = collection.run().await;
            all.record(Ok(collection.collected));
            all.failures.extend(result.err());
        }
        all
    }
}

impl Collection<'_> {
    /// Collects Pods and then claims, since claims can be removed only if it is known that no Pod uses them.
    async fn run(&mut self) -> Result<()> {
        let used = self.collect_pods().await?;
        self.collect_claims(&used).await
    }

    /// Collects Pods, and returns the claims that the remaining Pods use.
    async fn collect_pods(&mut self) -> Result<HashSet<String>> {
        let mut used = HashSet::new();
        for pod in self.leftovers.list::<Pod>(self.namespace, labels::RUN).await? {
            let name = format!("pod {}{}", pod.name_any(), self.suffix);
            let reason = match &pod {
                pod if !is_of_hype(pod) => None,
                pod if !has_ended(pod) => Some(RUNNING),
                pod if belongs_to(pod, self.kept_runs) => Some(OF_KEPT_RUN),
                pod if !has_expired(pod) => Some(NOT_EXPIRED),
                pod => {
                    if !self.remove(name, pod, Some(0)).await {
                        used.extend(claims_of(pod));
                    }
                    continue;
                }
            };
            used.extend(claims_of(&pod));
            if let Some(reason) = reason {
                self.collected.keep(name, reason);
            }
        }
        Ok(used)
    }

    async fn collect_claims(&mut self, used: &HashSet<String>) -> Result<()> {
        let claims = self.leftovers.list::<PersistentVolumeClaim>(self.namespace, labels::VOLUME);
        for claim in claims.await? {
            let name = format!("claim {}{}", claim.name_any(), self.suffix);
            if !claim.labels().contains_key(labels::VOLUME) {
                continue;
            } else if !is_transient(&claim) {
                self.collected.keep(name, PERSISTENT);
            } else if !has_expired(&claim) {
                self.collected.keep(name, NOT_EXPIRED);
            } else if used.contains(&claim.name_any()) {
                self.collected.keep(name, "a Pod uses it");
            } else {
                self.remove(name, &claim, None).await;
            }
        }
        Ok(())
    }

    /// Removes a resource, except in a dry run, and records it or the error. Returns whether it is removed.
    async fn remove<K>(&mut self, name: String, resource: &K, grace: Option<u32>) -> bool
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        let removed = match self.mode {
            CollectMode::DryRun => Ok(()),
            CollectMode::Delete => {
                let api: Api<K> = self.leftovers.cluster.api(self.namespace);
                let retry = self.leftovers.retry.at_most(REMOVAL_TIMEOUT);
                delete(&api, resource, grace, &retry).await
            }
        };
        let is_removed = removed.is_ok();
        self.collected.record_removal(name, removed);
        is_removed
    }
}

/// Returns whether the Pod belongs to one of these runs.
fn belongs_to(pod: &Pod, runs: &BTreeSet<String>) -> bool {
    pod.labels().get(labels::RUN).is_some_and(|run| runs.contains(run))
}

fn has_expired(resource: &impl ResourceExt) -> bool {
    let expiry = resource.annotations().get(labels::EXPIRY).map(String::as_str);
    labels::is_expired(expiry, SystemTime::now())
}
