//! What befalls Pods, and what they wait for.

use std::time::Duration;

use serde_json::{Value, json};

use super::{POD, Scenario, container, ended, error_of, line, line_of, running, short};
use crate::environment::RunEnvironment;
use crate::environment::mount::VolumeRequest;
use crate::environment::sharing::Readers;
use crate::runner::{Runner, Voucher};

#[tokio::test(flavor = "multi_thread")]
async fn an_eviction_and_a_lost_node_are_told_apart() {
    let evicted = json!({"status": {"phase": "Failed", "reason": "Evicted", "message":
        "The node was low on resource: memory. Threshold quantity: 100Mi, available: 88Mi. Container \
         hype-run was using 3Gi, request is 0, has larger consumption of memory. "}});
    let shut_down = json!({"status": {"phase": "Failed", "reason": "Terminated", "message":
        "Pod was terminated in response to imminent node shutdown."}});
    for (change, told) in [
        (evicted, "was evicted (Evicted): The node was low on resource: memory."),
        (shut_down, "was on a node that shut down (Terminated): Pod was terminated"),
    ] {
        let scenario = Scenario::new();
        let run = scenario.begun(&RunEnvironment::new()).await;
        scenario.server.pod(&change);
        let error = error_of(run).await;
        assert!(error.is_infrastructure(), "{error:?}");
        assert!(error.report().contains(told), "{error:?}");
    }
}

/// A node that is gone tells of no end: the Pod stays, and is to be deleted for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_lost_is_not_waited_for_for_ever() {
    let scenario = Scenario::with(short());
    let run = scenario.begun(&RunEnvironment::new()).await;
    let mut lost = running();
    lost["metadata"] = json!({"deletionTimestamp": "2026-11-22T07:00:00Z",
        "deletionGracePeriodSeconds": 0});
    lost["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True",
        "reason": "DeletionByTaintManager",
        "message": "Taint manager: deleting due to NoExecute taint"}]);
    scenario.server.pod(&lost);
    let report = error_of(run).await.report();
    let told = "was on a node that was lost (DeletionByTaintManager): Taint manager: deleting due to \
                NoExecute taint, and its node doesn't say that it ended";
    assert!(report.contains(told), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preemption_says_why_the_outcome_is_an_interruption() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&running());
    let mut preempted = ended("Failed", 0, &line().to_string());
    preempted["status"]["conditions"] = json!([{"type": "DisruptionTarget", "status": "True",
        "reason": "PreemptionByScheduler",
        "message": "default-scheduler: preempting to accommodate a higher priority pod"}]);
    scenario.server.pod(&preempted);
    let why = format!(
        "pod {POD} was preempted (PreemptionByScheduler): default-scheduler: preempting to \
                       accommodate a higher priority pod"
    );
    assert_eq!(run.await.unwrap().unwrap(), Voucher::Stopped(line(), why));
}

fn unschedulable(message: &str) -> Value {
    json!({"status": {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False",
        "reason": "Unschedulable", "message": message}]}})
}

const FULL: &str = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. preemption: 0/3 nodes are \
                    available: 3 No preemption victims found for incoming pod.";

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_no_node_takes_ends_after_its_time() {
    let scenario = Scenario::new();
    let env = RunEnvironment::new().with_queue_timeout(Duration::from_millis(100));
    let run = scenario.begun(&env).await;
    scenario.server.pod(&unschedulable(FULL));
    let report = error_of(run).await.report();
    assert!(report.contains("found no node within 100ms") && report.contains(FULL), "{report}");
    assert!(report.contains("with_queue_timeout"), "{report}");
}

/// Disks that bind when their first consumer comes, and those that another node still has, are no ends.
#[tokio::test(flavor = "multi_thread")]
async fn a_volume_is_waited_for_by_its_pod_alone() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::persistent("models", "standard-rwo", "10Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/models"));
    scenario.runner.mounts(&env, &scenario.owned).await.unwrap();
    let claim = scenario.server.things("persistentvolumeclaims").remove(0);
    assert_eq!(claim["spec"]["accessModes"], json!(["ReadWriteOnce"]));
    // Nobody looked whether it is bound.
    let run = scenario.begun(&env).await;
    scenario.server.pod(&unschedulable("pod has unbound immediate PersistentVolumeClaims"));
    scenario.server.pod(&json!({"spec": {"nodeName": "gke-pool-1"}}));
    scenario
        .server
        .pod(&container("Pending", &json!({"waiting": {"reason": "ContainerCreating"}})));
    scenario.server.asked("WATCH events", 1).await;
    scenario.server.event(
        "FailedAttachVolume",
        "Multi-Attach error for volume \"pvc-1\" Volume is \
        already exclusively attached to one node and can't be attached to another",
    );
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    assert_eq!(scenario.count("GET persistentvolumeclaims"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_of_a_copy_have_one_for_each_write() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::transient("standard-rwo", "10Gi").readers(Readers::Clone);
    let env = RunEnvironment::new();
    let writer = env.with_mount(volume.mount_read_write("/v"));
    let reader = env.with_mount(volume.mount_read_only("/v"));
    let runner = &scenario.runner;
    let copies = || {
        let claims = scenario.server.things("persistentvolumeclaims");
        claims.iter().filter(|claim| claim["spec"]["dataSource"]["name"] == volume.name()).count()
    };
    for (env, expected) in [(&writer, 0), (&reader, 1), (&reader, 1), (&writer, 1), (&reader, 2)] {
        runner.mounts(env, &scenario.owned).await.unwrap();
        assert_eq!(copies(), expected);
    }
    let Scenario { server, background, owned, .. } = scenario;
    drop(owned);
    drop(background);
    // All of them go with the submitter.
    assert_eq!(server.things("persistentvolumeclaims"), [] as [Value; 0]);
}

/// A missing class is told by an event of the claim.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_of_claims_is_asked_for_while_the_pod_has_no_node() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::transient("no-such-class", "10Gi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/v"));
    scenario.runner.mounts(&env, &scenario.owned).await.unwrap();
    let run = scenario.begun(&env).await;
    assert_eq!(scenario.count("GET events"), 0);
    scenario.server.pod(&unschedulable("pod has unbound immediate PersistentVolumeClaims"));
    scenario.server.asked("GET events", 1).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
}
