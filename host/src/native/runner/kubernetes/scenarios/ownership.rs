//! Tests of deletions: only objects of this very run, and only in namespaces that the program named.

use std::collections::BTreeSet;

use hype_stage::CollectMode;
use hype_wire::{Blob, Call, ComponentRef, Job, Payload, RunManifest, names};
use serde_json::{Value, json};

use super::attached::{Detached, RUN};
use super::{POD, Scenario, ended, termination_line};
use crate::environment::RunEnvironment;
use crate::environment::mount::VolumeRequest;
use crate::error::ErrorKind;
use crate::runner::kubernetes::fake_api_server::Fault;
use crate::runner::{Runner, labels};

/// Places that would become a part of a URL, were they not parsed.
const FORGED: [&str; 5] = [
    "kubernetes:prod/pods?x=1#",
    "kubernetes:kube-system/secrets?#",
    "kubernetes:../../apis",
    "kubernetes:prod%2fpods",
    "kubernetes:",
];

impl Detached {
    /// Replaces the run's manifest by one that names `place`.
    async fn forge_place(&self, place: &str) {
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let call = Call::closure("greet", Payload::Inline(Vec::new().into()));
        let mut manifest = RunManifest::new(RUN.parse().unwrap(), Job::new(component), call);
        manifest.place = Some(place.into());
        let bytes = manifest.to_bytes().unwrap();
        self.stage.put(&names::manifest(RUN), bytes.into()).await.unwrap();
    }

    /// Asserts that no request left the program's namespace.
    fn expect_own_namespace(&self, place: &str) {
        let namespaces: BTreeSet<_> = self.server.namespaces("").into_iter().collect();
        assert!(namespaces.iter().all(|it| it == "default"), "{place}: {namespaces:?}");
    }
}

/// Returns a Pod called `name` that another client created with these labels.
fn foreign_pod(name: &str, labels: &Value) -> Value {
    let metadata = json!({"name": name, "labels": labels, "annotations": {labels::EXPIRY: "1"}});
    let mut pod = json!({"metadata": metadata, "spec": {"containers": []}});
    pod["status"] = ended("Succeeded", 0, &termination_line().to_string())["status"].clone();
    pod
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_place_sends_no_request_beyond_own_namespaces() {
    for place in FORGED {
        let run = Detached::new(true).await;
        run.forge_place(place).await;
        run.server.remove_pod(true);
        let report = run.attach().await.unwrap_err().report();
        let expected = format!("`{place}` is not a location of a run");
        assert!(report.contains(&expected), "{report}");
        run.cancel().await.unwrap();
        run.expect_own_namespace(place);
        assert_eq!(run.remaining().await, (0, 0, 0), "{place}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_place_of_ended_run_deletes_nothing_elsewhere() {
    for place in FORGED.into_iter().chain(["kubernetes:prod"]) {
        let run = Detached::new(true).await;
        run.end(false).await;
        run.forge_place(place).await;
        assert_eq!(run.attach().await.unwrap(), "hello you");
        let deletions = run.server.namespaces("DELETE");
        assert!(deletions.iter().all(|it| it == "default"), "{place}: {deletions:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_run_in_unnamed_namespace_is_rejected() {
    let run = Detached::new(true).await;
    run.forge_place("kubernetes:prod").await;
    let error = run.cancel().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
    let report = error.report();
    assert!(report.starts_with("nothing is removed in the namespace prod"), "{report}");
    assert!(report.contains("KubernetesRunner::with_namespace(\"prod\")"), "{report}");
    assert!(report.contains("the run is as it was"), "{report}");
    assert_eq!(run.server.namespaces("DELETE"), [""; 0]);
    assert_eq!(run.remaining().await, (1, 0, 2));
}

/// The fake API server ignores label selectors, so only the labels that were read back protect these Pods.
#[tokio::test(flavor = "multi_thread")]
async fn removal_and_collection_keep_pods_of_others() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    for (name, labels) in [
        ("unlabelled", json!({})),
        ("of-another-run", json!({labels::RUN: "hype-run-another", "app": "x"})),
        ("no-run-id", json!({labels::RUN: "../x", labels::SUBMITTER: "hype-owner"})),
    ] {
        server.add_pod(foreign_pod(name, &labels));
    }
    let own = json!({labels::RUN: RUN, labels::SUBMITTER: "hype-owner"});
    server.add_pod(foreign_pod(POD, &own));
    runner.remove(RUN, true).await.unwrap();
    assert_eq!(server.resources("pods").len(), 3);
    let claim = json!({"metadata": {"name": "claim", "annotations": {labels::EXPIRY: "1"}}});
    server.add("persistentvolumeclaims", claim);
    let collected = runner.collect(CollectMode::Delete, &BTreeSet::new()).await.unwrap();
    assert_eq!(collected.removed, [""; 0]);
    assert_eq!(server.resources("pods").len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_that_cannot_be_removed_keeps_the_claims_of_its_run() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    let submitter = json!({labels::RUN: RUN, labels::SUBMITTER: "hype-owner"});
    let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "claim"}});
    for name in [POD, "hype-run-abcdefghij-2"] {
        let mut pod = foreign_pod(name, &submitter);
        pod["spec"]["volumes"] = json!([volume]);
        server.add_pod(pod);
    }
    let labels = json!({labels::VOLUME: "transient", labels::SUBMITTER: "hype-owner"});
    let claim = json!({"metadata": {"name": "claim", "labels": labels}});
    server.add("persistentvolumeclaims", claim);
    server.inject(&format!("DELETE pods/{POD}"), Fault::Error(422, "Invalid", "not now"));
    runner.remove(RUN, true).await.unwrap_err();
    let counts =
        || (server.resources("pods").len(), server.resources("persistentvolumeclaims").len());
    assert_eq!(counts(), (1, 1));
    runner.remove(RUN, true).await.unwrap();
    assert_eq!(counts(), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_with_another_uid_is_kept() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    // Another client replaces the Pod by one with the same labels.
    let mut replacement = scenario.server.resources("pods").remove(0);
    replacement["metadata"]["uid"] = "another".into();
    scenario.server.replace_silently("pods", replacement);
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    let Scenario { server, background, cleanup, .. } = scenario;
    drop(cleanup);
    drop(background);
    assert!(server.requests().contains(&format!("DELETE pods/{POD}")));
    assert_eq!(server.resources("pods").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_run_keeps_foreign_pod_of_its_name() {
    for (labels, digest) in
        [(json!({}), None), (json!({labels::RUN: RUN, labels::SUBMITTER: "hype-owner"}), Some("x"))]
    {
        let scenario = Scenario::new();
        let mut pod = foreign_pod(POD, &labels);
        if let Some(digest) = digest {
            pod["metadata"]["annotations"][labels::MANIFEST] = json!(digest);
        }
        scenario.server.add_pod(pod);
        let error = scenario.run(&RunEnvironment::new()).await.unwrap().unwrap_err();
        assert!(error.report().contains("another pod of that name exists"), "{error:?}");
        let Scenario { server, background, cleanup, .. } = scenario;
        drop(cleanup);
        drop(background);
        assert_eq!(server.resources("pods").len(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_claim_of_a_volumes_name_is_kept() {
    let scenario = Scenario::new();
    let volume = VolumeRequest::transient("standard-rwo", "10Gi");
    let claim = json!({"metadata": {"name": volume.name()}, "spec": {"storageClassName": "standard-rwo",
        "resources": {"requests": {"storage": "10Gi"}}}});
    scenario.server.add("persistentvolumeclaims", claim);
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/v"));
    scenario.runner.mounts(&env, &scenario.cleanup).await.unwrap();
    let Scenario { server, background, cleanup, .. } = scenario;
    drop(cleanup);
    drop(background);
    assert_eq!(server.resources("persistentvolumeclaims").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn programs_invalid_namespace_is_rejected() {
    let scenario = Scenario::new();
    let env = RunEnvironment::new().with_namespace("prod/pods?x=1#");
    let error = scenario.run(&env).await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input, "{error:?}");
    assert!(error.report().contains("is not the name of a namespace"), "{error:?}");
    assert_eq!(scenario.server.requests(), [""; 0]);
}
