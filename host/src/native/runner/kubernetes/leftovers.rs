//! What of hype's is on a cluster without a submitter in this process: Pods by their run, and what
//! expired.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use hype_stage::Removal;
use hype_wire::TerminationLine;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use super::cluster::Reached;
use super::making::{REMOVAL, STOP, delete_pod};
use super::patience::Patience;
use super::refusal::refused;
use super::seen::{ProcessState, Seen};
use super::volumes::remove_claim;
use crate::error::Result;
use crate::runner::labels;

/// How long a Pod whose outcome is there may take to end.
const END: Duration = Duration::from_secs(30);

/// What finds and removes them.
pub(crate) struct Leftovers<'a> {
    pub(crate) reached: &'a Reached,
    pub(crate) patience: Patience,
}

impl Leftovers<'_> {
    /// Whether a Pod of this run, in one of these namespaces, may still leave an outcome.
    pub(crate) async fn is_alive(
        &self,
        namespaces: &BTreeSet<String>,
        run_id: &str,
    ) -> Result<bool> {
        for namespace in namespaces {
            let pods = self.of_run(&self.reached.api(namespace), run_id).await?;
            if pods.iter().any(|pod| !has_ended(pod)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What the Pods of this run say of its outcome, once they have ended or didn't for a while.
    pub(crate) async fn line(
        &self,
        namespaces: &BTreeSet<String>,
        run_id: &str,
    ) -> Result<Option<TerminationLine>> {
        for namespace in namespaces {
            let pods: Api<Pod> = self.reached.api(namespace);
            for pod in self.of_run(&pods, run_id).await? {
                if let Some(line) = said(&self.ended(&pods, pod).await) {
                    return Ok(Some(line));
                }
            }
        }
        Ok(None)
    }

    /// The Pod once it has ended, or as it is after a while.
    async fn ended(&self, pods: &Api<Pod>, pod: Pod) -> Pod {
        if has_ended(&pod) {
            return pod;
        }
        let params = WatchParams::default().fields(&format!("metadata.name={}", pod.name_any()));
        let end = async {
            let patience = self.patience.at_most(END);
            let mut events = patience.persist(|| pods.watch(&params, "0")).await.ok()?.boxed();
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
        tokio::time::timeout(END, end).await.ok().flatten().unwrap_or(pod)
    }

    /// Stops and removes what is there of this run in these namespaces; with it, if its submitter is gone, the
    /// transient claims that no other Pod of that submitter uses.
    pub(crate) async fn remove_run(
        &self,
        namespaces: &BTreeSet<String>,
        run_id: &str,
        is_orphan: bool,
    ) -> Result<()> {
        let patience = self.patience.at_most(REMOVAL);
        for namespace in namespaces {
            let pods: Api<Pod> = self.reached.api(namespace);
            let of_run = self.of_run(&pods, run_id).await?;
            for pod in &of_run {
                let name = pod.name_any();
                if !has_ended(pod) {
                    delete_pod(&pods, &name, Some(STOP), &patience).await?;
                    let there = patience.persist(|| pods.get_opt(&name)).await;
                    let there = there
                        .map_err(|error| refused(format!("cannot look for pod {name}"), error))?;
                    if let Some(stopping) = there {
                        self.ended(&pods, stopping).await;
                    }
                }
                delete_pod(&pods, &name, Some(0), &patience).await?;
            }
            for pod in of_run.iter().filter(|_| is_orphan) {
                self.remove_claims(namespace, pod).await?;
            }
        }
        Ok(())
    }

    /// Removes the transient claims of a Pod that is gone, but for those that others use.
    async fn remove_claims(&self, namespace: &str, pod: &Pod) -> Result<()> {
        let of_pod = claims_of(pod);
        let Some(submitter) = pod.labels().get(labels::SUBMITTER).filter(|_| !of_pod.is_empty())
        else {
            return Ok(());
        };
        let pods: Api<Pod> = self.reached.api(namespace);
        let claims: Api<PersistentVolumeClaim> = self.reached.api(namespace);
        let of_submitter = format!("{}={submitter}", labels::SUBMITTER);
        let used: HashSet<_> = {
            let others = self.listed(&pods, &of_submitter).await?;
            let own = pod.labels().get(labels::RUN);
            let others =
                others.iter().filter(|it| !has_ended(it) && it.labels().get(labels::RUN) != own);
            others.flat_map(claims_of).collect()
        };
        let transient = format!("{of_submitter},{}=transient", labels::VOLUME);
        for claim in self.listed(&claims, &transient).await? {
            let name = claim.name_any();
            if of_pod.contains(&name) && !used.contains(&name) {
                remove_claim(&claims, &name, &self.patience).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn of_run(&self, pods: &Api<Pod>, run_id: &str) -> Result<Vec<Pod>> {
        self.listed(pods, &format!("{}={run_id}", labels::RUN)).await
    }

    async fn listed<K>(&self, api: &Api<K>, selector: &str) -> Result<Vec<K>>
    where
        K: Clone + DeserializeOwned + std::fmt::Debug + Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        let params = ListParams::default().labels(selector);
        let listed = self.patience.persist(|| api.list(&params)).await;
        let kind = K::plural(&K::DynamicType::default()).into_owned();
        listed
            .map(|listed| listed.items)
            .map_err(|error| refused(format!("cannot list {kind}"), error))
    }

    /// Removes the Pods and transient claims that have expired, that nothing uses, and that don't belong to the runs
    /// `kept_runs`, and returns their names.
    pub(crate) async fn collect(
        &self,
        removal: Removal,
        kept_runs: &BTreeSet<String>,
    ) -> Result<Vec<String>> {
        let pods: Api<Pod> = self.reached.api(&self.reached.namespace);
        let claims: Api<PersistentVolumeClaim> = self.reached.api(&self.reached.namespace);
        let there = self.listed(&pods, labels::RUN).await?;
        let is_expired = |pod: &Pod| has_ended(pod) && is_over(pod) && !is_of(pod, kept_runs);
        let (expired, kept): (Vec<Pod>, _) = there.into_iter().partition(is_expired);
        let used: HashSet<_> = kept.iter().flat_map(claims_of).collect();
        let is_real = removal == Removal::Real;
        let mut names = Vec::new();
        for name in expired.iter().map(ResourceExt::name_any) {
            if is_real {
                delete_pod(&pods, &name, Some(0), &self.patience.at_most(REMOVAL)).await?;
            }
            names.push(format!("pod {name}"));
        }
        let transient = self.listed(&claims, &format!("{}=transient", labels::VOLUME)).await?;
        for name in transient.iter().filter(|it| is_over(*it)).map(ResourceExt::name_any) {
            if used.contains(&name) {
                continue;
            }
            if is_real {
                remove_claim(&claims, &name, &self.patience).await?;
            }
            names.push(format!("claim {name}"));
        }
        Ok(names)
    }
}

/// What `hype-run` of this Pod left, if it ended well.
fn said(pod: &Pod) -> Option<TerminationLine> {
    match Seen::of(pod).process {
        ProcessState::Ended(exit) if exit.status == 0 => exit.line().parse().ok(),
        _ => None,
    }
}

fn claims_of(pod: &Pod) -> Vec<String> {
    let volumes = pod.spec.iter().flat_map(|spec| spec.volumes.iter().flatten());
    let claims = volumes.filter_map(|volume| volume.persistent_volume_claim.as_ref());
    claims.map(|claim| claim.claim_name.clone()).collect()
}

pub(super) fn has_ended(pod: &Pod) -> bool {
    let seen = Seen::of(pod);
    seen.ended.is_some() || matches!(seen.process, ProcessState::Ended(_))
}

/// Whether the Pod belongs to one of these runs.
fn is_of(pod: &Pod, runs: &BTreeSet<String>) -> bool {
    pod.labels().get(labels::RUN).is_some_and(|run| runs.contains(run))
}

fn is_over(thing: &impl ResourceExt) -> bool {
    let expiry = thing.annotations().get(labels::EXPIRY).map(String::as_str);
    labels::is_over(expiry, SystemTime::now())
}
