//! Runs that somebody attaches to, by a submitter whose API server fails.

use std::time::Duration;

use hype_stage::Stage;
use hype_wire::{
    Blob, Call, ComponentRef, Digest, End, Job, Lease, Outcome, Payload, RunManifest, Statistics,
    TerminationLine, codec, names,
};
use serde_json::json;

use super::{ended, running, short};
use crate::error::Result;
use crate::run::submitter::{Submitter, submitter_with_lease_term};
use crate::runner::KubernetesRunner;
use crate::runner::kubernetes::cluster::Way;
use crate::runner::kubernetes::scripted::{Answer, Scripted};

pub(super) const RUN: &str = "hype-run-abcdefghij";
pub(super) const TERM: Duration = Duration::from_millis(300);

/// A detached run in a stage of its own, and its Pod.
pub(super) struct Detached {
    pub(super) server: Scripted,
    pub(super) stage: Stage,
    submitter: Submitter,
    _directory: tempfile::TempDir,
}

impl Detached {
    pub(super) async fn new(is_detached: bool) -> Self {
        let (server, directory) = (Scripted::start(), tempfile::tempdir().unwrap());
        let stage = Stage::in_directory(directory.path()).unwrap();
        let runner = KubernetesRunner::of(Way::Given(server.client())).unwrap();
        let runner = runner.with_graces(short()).unwrap();
        let submitter = submitter_with_lease_term(stage.clone(), runner, TERM).unwrap();
        let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
        let arguments = Payload::Inline(Vec::new().into());
        let mut manifest =
            RunManifest::new(RUN, Job::new(component), Call::closure("greet", arguments));
        manifest.place = Some("kubernetes:default".into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let mut lease = Lease::new(RUN, "greet", "hype-owner-gone", TERM);
        lease.detached = is_detached;
        stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let detached = Self { server, stage, submitter, _directory: directory };
        detached.make_pod();
        detached
    }

    fn make_pod(&self) {
        let labels =
            json!({"com.spotify.hype/run": RUN, "com.spotify.hype/submitter": "hype-owner-gone"});
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": "volume"}});
        let spec = json!({"nodeName": "n", "containers": [], "volumes": [volume]});
        let pod = json!({"metadata": {"name": format!("{RUN}-1"), "labels": labels}, "spec": spec,
            "status": running()["status"]});
        self.server.make_pod(pod);
    }

    /// Lets its closure end with a value, for which the Pod vouches if it is to.
    pub(super) async fn end(&self, is_vouched: bool) {
        let value = codec::to_vec(&"hello you").unwrap();
        let end = End::Value(Payload::Inline(value.into()));
        let outcome = Outcome::new(RUN, 1, end, Statistics::default()).to_bytes().unwrap();
        let name = names::outcome(RUN);
        let line =
            TerminationLine { outcome: self.stage.url_of(&name), digest: Digest::of(&outcome) };
        self.stage.put(&name, outcome.into()).await.unwrap();
        let line = if is_vouched { line.to_string() } else { String::new() };
        self.server.pod(&json!({"status": ended("Succeeded", 0, &line)["status"]}));
    }

    pub(super) async fn attach(&self) -> Result<String> {
        self.submitter.attach::<String>(RUN).wait().await
    }

    /// How many Pods, claims and objects of the run there are.
    pub(super) async fn left(&self) -> (usize, usize, usize) {
        let mut objects = 0;
        for name in [names::manifest(RUN), names::lease(RUN), names::outcome(RUN)] {
            objects += usize::from(self.stage.has(&name).await.unwrap());
        }
        let things = |kind| self.server.things(kind).len();
        (things("pods"), things("persistentvolumeclaims"), objects)
    }
}

/// What can go wrong with a request.
fn faults() -> Vec<Answer> {
    vec![
        Answer::Refusal(500, "InternalError", "etcdserver: leader changed"),
        Answer::Refusal(403, "Forbidden", "pods is forbidden: User \"me\" cannot list resource"),
        Answer::Refusal(404, "NotFound", "the server could not find the requested resource"),
        Answer::Away,
        Answer::Hang,
    ]
}

/// Each request fails for as long as it is made, and later doesn't: the value is there, then or now.
#[tokio::test(flavor = "multi_thread")]
async fn no_request_that_fails_loses_the_run_or_its_value() {
    for request in ["GET pods", "WATCH pods", "DELETE pods", "GET persistentvolumeclaims"] {
        for fault in faults() {
            let run = Detached::new(true).await;
            run.end(true).await;
            for _ in 0..1000 {
                run.server.answer(request, fault.clone());
            }
            let before = run.left().await;
            let value = match run.attach().await {
                Ok(value) => value,
                Err(error) => {
                    let report = error.report();
                    assert!(report.contains("the run is as it was"), "{request}: {report}");
                    assert_eq!(run.left().await, before, "{request}: {report}");
                    run.server.forget_answers();
                    run.attach().await.unwrap()
                }
            };
            assert_eq!(value, "hello you", "{request}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_fails_once_is_asked_again() {
    // As after a restart, when it knows nobody's rights yet.
    let forbidden = faults().remove(1);
    for fault in [faults().remove(0), forbidden, Answer::Away] {
        let run = Detached::new(true).await;
        run.end(true).await;
        run.server.answer("GET pods", fault);
        assert_eq!(run.attach().await.unwrap(), "hello you");
        assert_eq!(run.left().await, (0, 0, 0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_run_that_fails_while_it_runs_goes_on() {
    let run = Detached::new(true).await;
    for _ in 0..1000 {
        run.server.answer("GET pods", faults().remove(0));
    }
    let report = run.attach().await.unwrap_err().report();
    assert!(report.contains(&format!("submitter.attach::<T>(\"{RUN}\")")), "{report}");
    assert_eq!(run.left().await, (1, 0, 2));
    run.server.forget_answers();
    run.end(true).await;
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!(run.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refuses_a_value_leaves_it() {
    let run = Detached::new(true).await;
    run.end(false).await;
    let before = run.left().await;
    let mistyped = run.submitter.attach::<u64>(RUN).wait().await.unwrap_err().report();
    assert!(mistyped.contains("attach to it again with the type"), "{mistyped}");
    let strict = run.submitter.clone().with_strict_results();
    let refused = strict.attach::<String>(RUN).wait().await.unwrap_err().report();
    assert!(refused.contains("by a submitter without strict results"), "{refused}");
    assert_eq!(run.left().await, before);
    assert_eq!(run.attach().await.unwrap(), "hello you");
    assert_eq!(run.left().await, (0, 0, 0));
}

/// The claim of a transient volume goes with the last run of a submitter that is gone, and no other claim.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_a_killed_programs_run_goes_by_the_close_of_who_attached() {
    let run = Detached::new(false).await;
    let labels = json!({"com.spotify.hype/volume": "transient", "com.spotify.hype/submitter": "hype-owner-gone"});
    run.server
        .make("persistentvolumeclaims", json!({"metadata": {"name": "volume", "labels": labels}}));
    run.end(true).await;
    assert_eq!(run.attach().await.unwrap(), "hello you");
    run.submitter.clone().close().await.unwrap();
    assert_eq!(run.left().await, (0, 0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attached_run_is_cancelled_when_that_is_asked_for() {
    let run = Detached::new(true).await;
    run.submitter.attach::<String>(RUN).cancel().await.unwrap();
    assert_eq!(run.left().await, (0, 0, 0));
}

/// A program of a later version may have begun it, so that nobody knows here where its Pod is.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_manifest_cannot_be_read_is_not_taken_for_lost() {
    let run = Detached::new(true).await;
    run.server.take_pod(true);
    run.stage.put(&names::manifest(RUN), "not a manifest".into()).await.unwrap();
    let report = run.attach().await.unwrap_err().report();
    assert!(report.contains("the run is as it was"), "{report}");
    assert!(run.stage.has(&names::manifest(RUN)).await.unwrap());
}

/// It may run in another cluster.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_pod_is_not_there_is_lost_and_stays() {
    let run = Detached::new(true).await;
    run.server.take_pod(true);
    let error = run.attach().await.unwrap_err();
    assert!(error.is_lost() && error.report().contains("what is left of it stays"), "{error:?}");
    assert_eq!(run.left().await, (0, 0, 2));
}

/// A living lease alone says that a run in another process is alive, and its end that it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn run_in_a_process_is_judged_by_its_lease_alone() {
    let run = Detached::new(false).await;
    let component = ComponentRef { name: "guests.wasm".into(), blob: Blob::of(b"component") };
    let manifest = RunManifest::new(
        RUN,
        Job::new(component),
        Call::closure("greet", Payload::Inline(Vec::new().into())),
    );
    run.stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
    let cancelled = run.submitter.attach::<String>(RUN).cancel().await.unwrap_err().report();
    assert!(cancelled.contains("it may run inside another process"), "{cancelled}");
    let mut attached = Box::pin(run.attach());
    let mut lease = Lease::new(RUN, "greet", "hype-owner-there", TERM);
    for _ in 0..6 {
        lease.renewals += 1;
        run.stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
        let ended = tokio::time::timeout(TERM / 3, &mut attached).await;
        assert!(ended.is_err(), "{ended:?}");
    }
    let error = attached.await.unwrap_err();
    let told = "its owner is gone, in whose process it ran";
    assert!(error.is_lost() && error.report().contains(told), "{error:?}");
    assert_eq!(run.server.requests(), [""; 0]);
}
