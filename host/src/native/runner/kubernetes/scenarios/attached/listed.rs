//! Tests of lists of runs in Pods that other programs started.

use futures::StreamExt;
use serde_json::json;

use super::{Detached, RUN, ended};
use crate::run::listing::{RunInfo, RunOwner, RunScope};

impl Detached {
    async fn list(&self, scope: RunScope) -> Vec<RunInfo> {
        self.submitter.runs(scope).map(Result::unwrap).collect().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn detached_run_is_listed_by_its_pod() {
    let detached = Detached::new(true).await;
    let listed = detached.list(RunScope::Live).await;
    let [run] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!(
        (run.id.as_str(), run.status.name(), run.owner),
        (RUN, "running", RunOwner::Detached)
    );
    assert_eq!((run.node.as_deref(), run.attempt), (Some("n"), Some(1)));
    assert_eq!(run.location, "in Kubernetes, namespace default");
    detached.end(true).await;
    assert!(detached.list(RunScope::Live).await.is_empty());
    assert_eq!(detached.list(RunScope::All).await[0].status.name(), "succeeded");
}

#[tokio::test(flavor = "multi_thread")]
async fn description_of_a_pending_pod_has_its_events() {
    let detached = Detached::new(true).await;
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "no such image"}});
    let pending = super::super::container("Pending", &waiting);
    detached.server.update_pod(&pending);
    detached.server.add(
        "events",
        json!({"metadata": {"name": "e"}, "involvedObject": {"name": format!("{RUN}-1")},
            "reason": "Failed", "message": "Failed to pull image\n"}),
    );
    let details = detached.submitter.describe(RUN).await.unwrap();
    let status = details.info.status.to_string();
    assert_eq!(status, "pending: its container waits: ImagePullBackOff: no such image");
    assert_eq!(details.processes[0].events, ["Failed: Failed to pull image"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn ended_pod_without_outcome_is_described_as_lost() {
    let detached = Detached::new(false).await;
    let end = ended("Failed", 137, "");
    detached.server.update_pod(&json!({"status": end["status"]}));
    // The lease of the owner, which is gone, expires.
    let run = loop {
        let run = detached.list(RunScope::All).await.remove(0);
        if run.owner == RunOwner::None {
            break run;
        }
        tokio::task::yield_now().await;
    };
    let expected = format!("lost: pod {RUN}-1 exited with status 137, and wrote no outcome");
    assert_eq!(run.status.to_string(), expected);
    let details = detached.submitter.describe(RUN).await.unwrap();
    assert!(details.error.unwrap().is_lost());
}
