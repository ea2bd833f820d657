//! Tests of disruptions of Pods, and of their waits.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    POD, Scenario, container, ended, expect_error, expect_termination_line, running,
    short_timeouts, termination_line,
};
use crate::environment::RunEnvironment;
use crate::environment::mount::VolumeRequest;
use crate::environment::sharing::Readers;
use crate::runner::{Completion, Runner};

#[tokio::test(flavor = "multi_thread")]
async fn eviction_and_node_shutdown_have_distinct_messages() {
    let evicted = json!({"status": {"phase": "Failed", "reason": "Evicted", "message":
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Mi. Container \
         hype-run was using 3Gi, request is 0, has larger consumption of memory. "}});
    let shut_down = json!({"status": {"phase": "Failed", "reason": "Terminated", "message":
        "Pod was terminated in response to imminent node shutdown."}});
    for (change, expected) in [
        (evicted, "was evicted (Evicted): The node was low on resource: memory."),
        (shut_down, "was on a node that shut down (Terminated): Pod was terminated"),
    ] {
        let scenario = Scenario::new();
        let run = scenario.start(&RunEnvironment::new()).await;
        scenario.server.update_pod(&change);
        let error = expect_error(run).await;
        assert!(error.is_infrastructure(), "{error:?}");
        assert!(error.report().contains(expected), "{error:?}");
    }
}

/// A lost node never confirms the deletion, so the Pod remains in deletion.
#[tokio::test(flavor = "multi_thread")]
async fn lost_node_times_out() {
    let scenario = Scenario::with(short_timeouts());
    let run = scenario.start(&RunEnvironment::new()).await;
    let mut lost = running();
    lost["metadata"] = json!({"deletionTimestamp": "2026-11-22T07:00:00Z",
        "deletionGracePeriodSeconds": 0});
    lost["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint"}]);
    scenario.server.update_pod(&lost);
    let report = expect_error(run).await.report();
    let expected = "was on a node that was lost (DeletionByTaintManager): Taint manager: deleting due to \
                NoExecute taint, and its node doesn't report its end";
    assert!(report.contains(expected), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn preemption_is_the_reason_of_an_interruption() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&running());
    let mut preempted = ended("Failed", 0, &termination_line().to_string());
    preempted["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "default-scheduler: preempting to accommodate a higher priority pod"}]);
    scenario.server.update_pod(&preempted);
    let why = format!(
        "pod {POD} was preempted (PreemptionByScheduler): default-scheduler: preempting to \
                       accommodate a higher priority pod"
    );
    assert_eq!(run.await.unwrap().unwrap(), Completion::Interrupted(termination_line(), why));
}

fn unschedulable(message: &str) -> Value {
    json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": message}]}})
}

const FULL: &str = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are \
                    available: 3 No preemption victims found for incoming pod.";

#[tokio::test(flavor = "multi_thread")]
async fn unschedulable_pod_times_out() {
    let scenario = Scenario::new();
    let env = RunEnvironment::new().with_queue_timeout(Duration::from_millis(100));
    let run = scenario.start(&env).await;
    scenario.server.update_pod(&unschedulable(FULL));
    let report = expect_error(run).await.report();
    assert!(report.contains("found no node within 100ms") && report.contains(FULL), "{report}");
    assert!(report.contains("with_queue_timeout"), "{report}");
}

/// Neither a disk that binds on first use, nor one that is still attached elsewhere, ends the run.
#[tokio::test(flavor = "multi_thread")]
async fn pod_waits_for_its_volume() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::persistent("models", "standard-rwo", "10Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/models"));
    scenario.runner.mounts(&env, &scenario.cleanup).await.unwrap();
    let claim = scenario.server.resources("persistentvolumeclaims").remove(0);
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    // The runner doesn't wait until the claim is bound.
    let run = scenario.start(&env).await;
    scenario.server.update_pod(&unschedulable("pod has unbound immediate PersistentVolumeClaims"));
    scenario.server.update_pod(&json!({"spec": {"nodeName": "gke-pool-1"}}));
    scenario
        .server
        .update_pod(&container("Pending", &json!({"waiting": {"reason": "ContainerCreating"}})));
    scenario.server.wait_for_requests("WATCH events", 1).await;
    scenario.server.emit_event(
        "FailedAttachVolume",
        "Multi-Attach error for volume \"pvc-1\" Volume is \
        already exclusively attached to one node and can't be attached to another",
    );
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    assert_eq!(scenario.count("GET persistentvolumeclaims"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn volume_is_copied_for_readers_once_per_write() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::transient("standard-rwo", "10Gi").readers(Readers::Clone);
    let env = RunEnvironment::new();
    let writer = env.with_mount(volume.mount_read_write("/v"));
    let reader = env.with_mount(volume.mount_read_only("/v"));
    let runner = &scenario.runner;
    let copies = || {
        let claims = scenario.server.resources("persistentvolumeclaims");
        claims.iter().filter(|claim| claim["spec"]["dataSource"]["name"] == volume.name()).count()
    };
    for (env, expected) in [(&writer, 0), (&reader, 1), (&reader, 1), (&writer, 1), (&reader, 2)] {
        runner.mounts(env, &scenario.cleanup).await.unwrap();
        assert_eq!(copies(), expected);
    }
    let Scenario { server, background, cleanup, .. } = scenario;
    drop(cleanup);
    drop(background);
    // The submitter deletes all copies.
    assert_eq!(server.resources("persistentvolumeclaims"), [] as [Value; 0]);
}

/// An event of the claim reports a missing storage class.
#[tokio::test(flavor = "multi_thread")]
async fn claim_events_are_polled_while_the_pod_has_no_node() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::transient("no-such-class", "10Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/v"));
    scenario.runner.mounts(&env, &scenario.cleanup).await.unwrap();
    let run = scenario.start(&env).await;
    assert_eq!(scenario.count("GET events"), 0);
    scenario.server.update_pod(&unschedulable("pod has unbound immediate PersistentVolumeClaims"));
    scenario.server.wait_for_requests("GET events", 1).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
}
