//! Tests of attaching to runs against a fake API server with injected faults.

mod listed;

use std::time::Duration;

use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, Digest, End, Job, Lease, Outcome, Payload, RunManifest, Statistics,
    TerminationLine, codec, names,
};
use serde_json::json;

use super::{ended, running, short_timeouts};
use crate::error::Result;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::KubernetesRunner;
use crate::runner::kubernetes::cluster::ClusterSource;
use crate::runner::kubernetes::fake_api_server::{FakeApiServer, Fault};

pub(super) const RUN: &str = "hype-run-abcdefghij";
pub(super) const TERM: Duration = Duration::from_millis(300);

/// A run with its own stage, and its Pod.
pub(super) struct Detached {
    pub(super) server: FakeApiServer,
    pub(super) stage: Stage,
    pub(super) submitter: Submitter,
    _directory: tempfile::TempDir,
}

impl Detached {
    pub(super) async fn new(is_detached: bool) -> Self {
        let (server, directory) = (FakeApiServer::start(), tempfile::tempdir().unwrap());
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = KubernetesRunner::of(ClusterSource::TestClient(server.client())).unwrap();
        let runner = runner.with_pod_timeouts(short_timeouts()).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest = RunManifest::new(
            RUN.parse().unwrap(),
            Job::new(component),
            Call::closure("greet", arguments),
        );
        manifest.place = Some("kubernetes:default".into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-gone", TERM);
        lease.detached = is_detached;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let detached = Self { server, stage, submitter, _directory: directory };
        detached.add_pod();
        detached
    }

    fn add_pod(&self) {
        let labels =
            json!({"com.spotify.hype/run": RUN, "com.spotify.hype/submitter": "hype-owner-gone"});
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "volume"}});
        let spec = json!({"nodeName": "n", "containers": [], "volumes": [volume]});
        let pod = json!({"metadata": {"name": format!("{RUN}-1"), "labels": labels}, "spec": spec,
            "status": running()["status"]});
        self.server.add_pod(pod);
    }

    /// Ends the closure with a value. The Pod has its termination line if `has_line`.
    pub(super) async fn end(&self, has_line: bool) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome =
            Outcome::new(RUN.parse().unwrap(), 1, end, Statistics::default()).to_bytes().unwrap();
        let name = names::outcome(RUN);
        let line =
            TerminationLine { outcome: self.stage.url_of(&name), digest: Digest::of(&outcome) };
        self.stage.put(&name, outcome.into()).await.unwrap();
        let line = if has_line { line.to_string() } else { String::new() };
        self.server.update_pod(&json!({"status": ended("Succeeded", 0, &line)["status"]}));
    }

    pub(super) async fn attach(&self) -> Result<String> {
        self.submitter.attach::<String>(RUN).wait().await
    }

    pub(super) async fn cancel(&self) -> Result<()> {
        self.submitter.attach::<String>(RUN).cancel().await
    }

    /// Returns the number of Pods, claims and stage objects of the run.
    pub(super) async fn remaining(&self) -> (usize, usize, usize) {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        let resources = |kind| self.server.resources(kind).len();
        (resources("pods"), resources("persistentvolumeclaims"), objects)
    }
}

/// Returns all faults of a request.
fn faults() -> Vec<Fault> {
    vec![
        Fault::Error(500, "InternalError", "etcdserver: leader changed"),
        Fault::Error(403, "Forbidden", "pods is forbidden: User \"me\" cannot list resource"),
        Fault::Error(404, "NotFound", "the server could not find the requested resource"),
        Fault::Disconnect,
        Fault::Hang,
    ]
}

/// A request fails permanently, and later succeeds: the value is available at once or then.
#[tokio::test(flavor = "multi_thread")]
async fn attach_survives_failed_requests() {
    for request in ["GET pods", "WATCH pods", "DELETE pods", "GET persistentvolumeclaims"] {
        for fault in faults() {
            let run = Detached::new(true).await;
            run.end(true).await;
            for _ in 0..1000 {
                run.server.inject(request, fault.clone());
            }
            let before = run.remaining().await;
            let value = match run.attach().await {
                Ok(value) => value,
                Err(error) => {
                    let report = error.report();
                    assert!(report.contains("the run is as it was"), "{request}: {report}");
                    assert_eq!(run.remaining().await, before, "{request}: {report}");
                    run.server.clear_faults();
                    run.attach().await.unwrap()
                }
            };
            assert_eq!(value, "hello you", "{request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_fails_once_is_retried() {
    // A restarted server denies requests until it has loaded its Roles.
    let forbidden = faults().remove(1);
    for fault in [faults().remove(0), forbidden, Fault::Disconnect] {
        let run = Detached::new(true).await;
        run.end(true).await;
        run.server.inject("GET pods", fault);
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.remaining().await, (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn running_pod_survives_server_errors_while_attached() {
    let run = Detached::new(true).await;
    for _ in 0..1000 {
        run.server.inject("GET pods", faults().remove(0));
    }
    let report = run.attach().await.unwrap_err().report();
    assert!(report.contains(&format!("submitter.attach::<T>(\"{RUN}\")")), "{report}");
    assert_eq!(run.remaining().await, (1, 0, 2));
    run.server.clear_faults();
    run.end(true).await;
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!(run.remaining().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_value_is_kept() {
    let run = Detached::new(true).await;
    run.end(false).await;
    let before = run.remaining().await;
    let mistyped = run.submitter.attach::<u64>(RUN).wait().await.unwrap_err().report();
    assert!(mistyped.contains("attach to it again with the type"), "{mistyped}");
    let strict = run.submitter.clone().with_strict_results();
    let request_error = strict.attach::<String>(RUN).wait().await.unwrap_err().report();
    assert!(request_error.contains("by a submitter without strict results"), "{request_error}");
    assert_eq!(run.remaining().await, before);
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!(run.remaining().await, (0, 0, 0));
}

/// The last run of an ended submitter takes the claims of its transient volumes along.
#[tokio::test(flavor = "multi_thread")]
async fn attacher_removes_leftovers_of_a_killed_submitter() {
    let run = Detached::new(false).await;
    let labels = json!({"com.spotify.hype/volume": "transient", "com.spotify.hype/submitter": "hype-owner-gone"});
    run.server
        .add("persistentvolumeclaims", json!({"metadata": {"name": "volume", "labels": labels}}));
    run.end(true).await;
    assert_eq!(run.attach().await.unwrap(), "hello you");
    run.submitter.clone().close().await.unwrap();
    assert_eq!(run.remaining().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn attacher_can_cancel_a_run() {
    let run = Detached::new(true).await;
    run.cancel().await.unwrap();
    assert_eq!(run.remaining().await, (0, 0, 0));
}

/// A later version may have started the run, so the location of its Pod is unknown.
#[tokio::test(flavor = "multi_thread")]
async fn unreadable_manifest_does_not_lose_the_run() {
    let run = Detached::new(true).await;
    run.server.remove_pod(true);
    run.stage.put(&names::manifest(RUN), "not a manifest".into()).await.unwrap();
    let report = run.attach().await.unwrap_err().report();
    assert!(report.contains("the run is as it was"), "{report}");
    assert!(run.stage.has(&names::manifest(RUN)).await.unwrap());
}

/// The run may be in another cluster.
#[tokio::test(flavor = "multi_thread")]
async fn run_without_pod_is_lost_but_not_removed() {
    let run = Detached::new(true).await;
    run.server.remove_pod(true);
    let error = run.attach().await.unwrap_err();
    assert!(error.is_lost() && error.report().contains("its leftovers are kept"), "{error:?}");
    assert_eq!(run.remaining().await, (0, 0, 2));
}

/// Only the lease shows whether a run inside another process is alive or lost.
#[tokio::test(flavor = "multi_thread")]
async fn run_inside_a_process_lives_as_long_as_its_lease() {
    let run = Detached::new(false).await;
    let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
    let manifest = RunManifest::new(
        RUN.parse().unwrap(),
        Job::new(component),
        Call::closure("greet", Payload::Inline(Vec::new().into())),
    );
    run.stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
    let cancelled = run.submitter.attach::<String>(RUN).cancel().await.unwrap_err().report();
    assert!(cancelled.contains("it may run inside another process"), "{cancelled}");
    let mut attached = Box::pin(run.attach());
    let mut lease = Lease::new(RUN.parse().unwrap(), "greet", "hype-owner-there", TERM);
    for _ in 0..6 {
        lease.renewals += 1;
        run.stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let ended = tokio::time::timeout(TERM / 3, &mut attached).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    let error = attached.await.unwrap_err();
    let expected = "its owner is gone, in whose process it ran";
    assert!(error.is_lost() && error.report().contains(expected), "{error:?}");
    assert_eq!(run.server.requests(), [""; 0]);
}
