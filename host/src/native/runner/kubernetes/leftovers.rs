//! Finds and removes Pods and claims without the submitter that created them.

use std::collections::HashSet;
use std::time::Duration;

use futures::StreamExt;
use hype_wire::{TerminationLine, names};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::api_error::request_error;
use super::cluster::ConnectedCluster;
use super::deletion::delete;
use super::pod_lifecycle::{REMOVAL_TIMEOUT, STOP_GRACE_SECONDS};
use super::retry::Retry;
use super::search::RunSearch;
use super::snapshot::{PodSnapshot, ProcessState};
use crate::error::Result;
use crate::runner::labels;
use crate::runner::namespace::Namespace;

/// The time to wait for the end of a Pod.
const EXIT_TIMEOUT: Duration = Duration::from_secs(30);

/// Finds and removes leftovers on a cluster.
pub(crate) struct Leftovers<'a> {
    pub(crate) cluster: &'a ConnectedCluster,
    pub(crate) retry: Retry,
}

impl Leftovers<'_> {
    /// Returns a searcher that retries requests for at most `limit`.
    pub(super) fn at_most(&self, limit: Duration) -> Self {
        Self { cluster: self.cluster, retry: self.retry.at_most(limit) }
    }

    /// Returns whether a Pod of this run may still write an outcome.
    pub(crate) async fn is_alive(&self, search: &RunSearch, run_id: &str) -> Result<bool> {
        let found = self.find_pods(search, run_id).await;
        if found.pods.iter().any(|(_, pod)| !has_ended(pod)) {
            return Ok(true);
        }
        found.complete().map(|_| false)
    }

    /// Returns the termination line of this run, after waiting some seconds for the end of its Pods.
    pub(crate) async fn line(
        &self,
        search: &RunSearch,
        run_id: &str,
    ) -> Result<Option<TerminationLine>> {
        let found = self.find_pods(search, run_id).await;
        for (namespace, pod) in &found.pods {
            let pods = self.cluster.api(namespace);
            if let Some(line) = termination_line(&self.wait_for_end(&pods, pod.clone()).await) {
                return Ok(Some(line));
            }
        }
        found.complete().map(|_| None)
    }

    /// Waits for the end of a Pod, and returns its last known state after the end or the timeout.
    async fn wait_for_end(&self, pods: &Api<Pod>, pod: Pod) -> Pod {
        if has_ended(&pod) {
            return pod;
        }
        let params = WatchParams::default().fields(&format!("metadata.name={}", pod.name_any()));
        let end = async {
            let retry = self.retry.at_most(EXIT_TIMEOUT);
            let mut events = retry.run(|| pods.watch(&params, "0")).await.ok()?.boxed();
            while let Some(event) = events.next().await {
                match event.ok()? {
                    WatchEvent::Added(pod) | WatchEvent::Modified(pod) if has_ended(&pod) => {
                        return Some(pod);
                    }
                    WatchEvent::Deleted(pod) => return Some(pod),
                    _ => {}
                }
            }
            None
        };
        tokio::time::timeout(EXIT_TIMEOUT, end).await.ok().flatten().unwrap_or(pod)
    }

    /// Stops and deletes the Pods of this run in these namespaces, which the program must have named. With `is_orphan`,
    /// also deletes their transient claims that no other Pod of the same submitter uses. A Pod that can't be deleted
    /// doesn't keep the others, but all claims.
    pub(crate) async fn remove_run(
        &self,
        search: &RunSearch,
        run_id: &str,
        is_orphan: bool,
    ) -> Result<()> {
        let found = self.find_pods(search, run_id).await;
        let mut removed = Ok(());
        for (namespace, pod) in &found.pods {
            removed = removed.and(self.remove_pod(namespace, pod).await);
        }
        // A Pod that remains may use the claims of the others.
        let are_unused = is_orphan && removed.is_ok();
        for (namespace, pod) in found.pods.iter().filter(|_| are_unused) {
            removed = removed.and(self.remove_claims(namespace, pod).await);
        }
        removed.and(found.complete().map(drop))
    }

    /// Stops and deletes a Pod.
    async fn remove_pod(&self, namespace: &Namespace, pod: &Pod) -> Result<()> {
        let (pods, retry) = (self.cluster.api(namespace), self.retry.at_most(REMOVAL_TIMEOUT));
        if !has_ended(pod) {
            delete(&pods, pod, Some(STOP_GRACE_SECONDS), &retry).await?;
            let name = pod.name_any();
            let stopping = retry.run(|| pods.get_opt(&name)).await;
            let stopping = stopping
                .map_err(|error| request_error(format!("cannot look for pod {name}"), error))?;
            if let Some(stopping) = stopping.filter(|it| it.uid() == pod.uid()) {
                self.wait_for_end(&pods, stopping).await;
            }
        }
        delete(&pods, pod, Some(0), &retry).await
    }

    /// Deletes the transient claims of a deleted Pod, except those that other Pods use.
    async fn remove_claims(&self, namespace: &Namespace, pod: &Pod) -> Result<()> {
        let of_pod = claims_of(pod);
        let Some(submitter) = pod.labels().get(labels::SUBMITTER).filter(|_| !of_pod.is_empty())
        else {
            return Ok(());
        };
        let claims: Api<PersistentVolumeClaim> = self.cluster.api(namespace);
        let of_submitter = format!("{}={submitter}", labels::SUBMITTER);
        let used: HashSet<_> = {
            let others = self.list::<Pod>(namespace, &of_submitter).await?;
            let own = pod.labels().get(labels::RUN);
            let others =
                others.iter().filter(|it| !has_ended(it) && it.labels().get(labels::RUN) != own);
            others.flat_map(claims_of).collect()
        };
        let transient = format!("{of_submitter},{}=transient", labels::VOLUME);
        for claim in self.list::<PersistentVolumeClaim>(namespace, &transient).await? {
            let name = claim.name_any();
            let is_of_submitter = claim.labels().get(labels::SUBMITTER) == Some(submitter);
            if is_of_submitter
                && is_transient(&claim)
                && of_pod.contains(&name)
                && !used.contains(&name)
            {
                delete(&claims, &claim, None, &self.retry.at_most(REMOVAL_TIMEOUT)).await?;
            }
        }
        Ok(())
    }

    /// Returns the Pods that, read back, have the label of this run.
    pub(super) async fn of_run(&self, namespace: &Namespace, run_id: &str) -> Result<Vec<Pod>> {
        let selector = format!("{}={run_id}", labels::RUN);
        let mut of_run = self.list::<Pod>(namespace, &selector).await?;
        of_run.retain(|pod| pod.labels().get(labels::RUN).is_some_and(|run| run == run_id));
        Ok(of_run)
    }

    /// Lists the resources of a namespace that `selector` selects by their labels.
    pub(super) async fn list<K>(&self, namespace: &Namespace, selector: &str) -> Result<Vec<K>>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        let params = ListParams::default().labels(selector);
        let api: Api<K> = self.cluster.api(namespace);
        let listed = self.retry.run(|| api.list(&params)).await;
        listed.map(|listed| listed.items).map_err(|error| {
            let kind = K::plural(&K::DynamicType::default()).into_owned();
            request_error(format!("cannot list {kind} in the namespace {namespace}"), error)
        })
    }
}

/// Returns the termination line of a Pod whose `hype-run` exited successfully.
fn termination_line(pod: &Pod) -> Option<TerminationLine> {
    match PodSnapshot::of(pod).process {
        ProcessState::Ended(exit) if exit.status == 0 => exit.line().parse().ok(),
        _ => None,
    }
}

pub(super) fn claims_of(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.map(|claim| claim.claim_name.clone()).collect()
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    let snapshot = PodSnapshot::of(pod);
    snapshot.final_phase.is_some() || matches!(snapshot.process, ProcessState::Ended(_))
}

/// Returns whether a runner of hype created the Pod: it names its run and its submitter.
pub(super) fn is_of_hype(pod: &Pod) -> bool {
    let labels = pod.labels();
    labels.get(labels::RUN).is_some_and(|run| names::is_run_id(run))
        && labels.contains_key(labels::SUBMITTER)
}

/// Returns whether the claim is of a transient volume.
pub(super) fn is_transient(claim: &PersistentVolumeClaim) -> bool {
    claim.labels().get(labels::VOLUME).is_some_and(|life| life == "transient")
}
