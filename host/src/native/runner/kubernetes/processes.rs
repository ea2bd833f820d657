//! Lists the Pods of runs, whichever program created them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::events;
use super::leftovers::{Leftovers, is_of_hype};
use super::search::{RunSearch, search_failure};
use super::snapshot::{Exit, PodSnapshot, ProcessState, Reason};
use crate::runner::namespace::Namespace;
use crate::runner::{FoundProcesses, ProcessInfo, ProcessPhase, labels};

/// The time that a list may take while the API server is unreachable.
const LIST_TIMEOUT: Duration = Duration::from_secs(30);

/// Returns the Pods of all runs in these namespaces.
pub(super) async fn of_all_runs(
    leftovers: &Leftovers<'_>,
    namespaces: &BTreeSet<Namespace>,
) -> FoundProcesses {
    let leftovers = &leftovers.at_most(LIST_TIMEOUT);
    let list =
        |namespace| async move { (namespace, leftovers.list::<Pod>(namespace, labels::RUN).await) };
    let mut found = FoundProcesses::default();
    for (namespace, listed) in join_all(namespaces.iter().map(list)).await {
        match listed {
            Ok(pods) => {
                found.processes.extend(pods.iter().filter(|pod| is_of_hype(pod)).map(describe))
            }
            Err(error) => found.failures.push(search_failure(namespace, error)),
        }
    }
    found
}

/// Returns the Pods of one run, with their events.
pub(super) async fn of_run(
    leftovers: &Leftovers<'_>,
    search: &RunSearch,
    run_id: &str,
) -> FoundProcesses {
    let pods = leftovers.at_most(LIST_TIMEOUT).find_pods(search, run_id).await;
    let mut found = FoundProcesses::default();
    for (namespace, pod) in pods.pods.iter().filter(|(_, pod)| is_of_hype(pod)) {
        let mut process = describe(pod);
        let events = leftovers.cluster.api(namespace);
        process.events = events::of_existing_pod(events, &pod.name_any()).await;
        found.processes.push(process);
    }
    found.failures.extend(pods.failure);
    found
}

/// Describes a Pod of a run.
fn describe(pod: &Pod) -> ProcessInfo {
    let (name, snapshot) = (pod.name_any(), PodSnapshot::of(pod));
    let run_id = pod.labels().get(labels::RUN).map(String::as_str).unwrap_or_default();
    let phase = phase(&name, &snapshot);
    let attempt = ProcessInfo::attempt_of(&name);
    let mut process = ProcessInfo::new(run_id, attempt, format!("pod {name}"), phase);
    let text = |name: &str| pod.annotations().get(name).cloned().unwrap_or_default();
    process.function = text(labels::FUNCTION);
    process.component = text(labels::COMPONENT);
    process.node = snapshot.node;
    process
}

fn phase(name: &str, snapshot: &PodSnapshot) -> ProcessPhase {
    let stopped = snapshot.stop_reason(name);
    match (&snapshot.process, &snapshot.final_phase) {
        (ProcessState::Ended(exit), _) => ProcessPhase::Ended(describe_exit(exit)),
        (_, Some(phase)) => ProcessPhase::Ended(match stopped {
            Some(reason) => format!("ended: {reason}"),
            None => format!("is in the phase {phase}"),
        }),
        (ProcessState::Running, _) => ProcessPhase::Running,
        (ProcessState::Waiting(reason), _) => ProcessPhase::Pending(describe_waiting(reason)),
        (ProcessState::Unknown, _) => {
            ProcessPhase::Pending(match (&snapshot.node, &snapshot.unschedulable) {
                (None, Some(message)) => format!("no node accepts its Pod: {message}"),
                (None, None) => "its Pod is not scheduled yet".to_owned(),
                (Some(node), _) => format!("its Pod has not started on the node {node} yet"),
            })
        }
    }
}

fn describe_waiting(Reason { code, message }: &Reason) -> String {
    match (code.as_str(), message.trim()) {
        ("", _) => "its container waits".to_owned(),
        (code, "") => format!("its container waits: {code}"),
        (code, message) => format!("its container waits: {code}: {message}"),
    }
}

fn describe_exit(exit: &Exit) -> String {
    match exit.reason.code.as_str() {
        "" | "Completed" | "Error" => format!("exited with status {}", exit.status),
        code => format!("exited with status {} ({code})", exit.status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waiting(code: &str, message: &str) -> PodSnapshot {
        let reason = Reason { code: code.into(), message: message.into() };
        PodSnapshot { process: ProcessState::Waiting(reason), ..PodSnapshot::default() }
    }

    #[test]
    fn pending_pod_names_its_reason() {
        let unschedulable = PodSnapshot {
            unschedulable: Some("0/3 nodes are available".into()),
            ..PodSnapshot::default()
        };
        let scheduled = PodSnapshot { node: Some("node-1".into()), ..PodSnapshot::default() };
        for (snapshot, expected) in [
            (unschedulable, "no node accepts its Pod: 0/3 nodes are available"),
            (PodSnapshot::default(), "its Pod is not scheduled yet"),
            (scheduled, "its Pod has not started on the node node-1 yet"),
            (
                waiting("ImagePullBackOff", "no such image"),
                "its container waits: ImagePullBackOff: no such image",
            ),
            (waiting("ContainerCreating", ""), "its container waits: ContainerCreating"),
        ] {
            assert_eq!(phase("p", &snapshot), ProcessPhase::Pending(expected.into()));
        }
    }

    #[test]
    fn ended_pod_names_its_exit() {
        let exit = |code: &str, status| Exit {
            status,
            reason: Reason { code: code.into(), message: String::new() },
            seconds: None,
        };
        for (exit, expected) in [
            (exit("OOMKilled", 137), "exited with status 137 (OOMKilled)"),
            (exit("Error", 3), "exited with status 3"),
        ] {
            let process = ProcessState::Ended(exit);
            let snapshot = PodSnapshot { process, ..PodSnapshot::default() };
            assert_eq!(phase("p", &snapshot), ProcessPhase::Ended(expected.into()));
        }
        let evicted = PodSnapshot {
            final_phase: Some("Failed".into()),
            failure: Some(Reason { code: "Evicted".into(), message: "low on memory".into() }),
            ..PodSnapshot::default()
        };
        let expected = "ended: pod p was evicted (Evicted): low on memory";
        assert_eq!(phase("p", &evicted), ProcessPhase::Ended(expected.into()));
    }
}
