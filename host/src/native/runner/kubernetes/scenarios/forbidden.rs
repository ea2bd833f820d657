//! Tests of namespaces that this program may not read: each is reported by its name, and the others are searched.

use std::collections::BTreeSet;

use futures::StreamExt;
use hype_stage::CollectMode;
use hype_wire::{RunManifest, names};
use serde_json::json;

use super::attached::{Detached, RUN};
use super::{POD, Scenario, ended, running, short_timeouts};
use crate::error::ErrorKind;
use crate::run::listing::{LogOptions, RunScope, RunStatus};
use crate::runner::kubernetes::fake_api_server::Fault;
use crate::runner::{Runner, labels};

impl Scenario {
    /// Returns a runner that also searches `forbidden` namespaces, which deny everything.
    fn with_forbidden(forbidden: &[&str]) -> Self {
        let mut scenario = Self::with(short_timeouts());
        scenario.runner = scenario.runner.with_searched_namespaces(forbidden).unwrap();
        forbidden.iter().for_each(|namespace| scenario.server.forbid(namespace));
        scenario
    }

    /// Adds a Pod of `run` that has expired, if `status` says that it has ended.
    fn add_expired(&self, run: &str, claim: &str, status: &serde_json::Value) {
        let labels = json!({labels::RUN: run, labels::SUBMITTER: "hype-owner"});
        let volume = json!({"name": "v", "persistentVolumeClaim": {"claimName": claim}});
        let metadata = json!({"name": format!("{run}-1"), "labels": labels,
            "annotations": {labels::EXPIRY: "1"}});
        let spec = json!({"containers": [], "volumes": [volume]});
        self.server
            .add_pod(json!({"metadata": metadata, "spec": spec, "status": status["status"]}));
        let labels = json!({labels::VOLUME: "transient"});
        let metadata =
            json!({"name": claim, "labels": labels, "annotations": {labels::EXPIRY: "1"}});
        self.server.add("persistentvolumeclaims", json!({"metadata": metadata}));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forbidden_namespace_hides_no_pods_of_others() {
    let scenario = Scenario::with_forbidden(&["another"]);
    let runner = &scenario.runner;
    scenario.add_expired(RUN, "claim", &running());
    for run_id in [None, Some(RUN)] {
        let found = runner.processes(run_id).await.unwrap();
        let names: Vec<_> = found.processes.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, [format!("pod {POD}")]);
        let [failure] = &found.failures[..] else { panic!("{found:?}") };
        assert_eq!(failure.run_location, "kubernetes:another");
        let report = failure.error.report();
        assert!(report.starts_with("cannot list pods in the namespace another"), "{report}");
    }
    // A run whose manifest names a namespace isn't in another one.
    assert!(runner.add_search_location(RUN, "kubernetes:default"));
    assert_eq!(runner.processes(Some(RUN)).await.unwrap().failures.len(), 0);
    assert!(runner.is_alive(RUN).await.unwrap());
    runner.remove(RUN, true).await.unwrap();
    assert!(!runner.is_alive(RUN).await.unwrap());
    assert!(runner.proof(RUN).await.unwrap().is_none());
    assert!(runner.failure(RUN).await.unwrap().is_none());
    assert_eq!(scenario.server.resources("pods").len(), 0);
}

/// Anyone who can write to the stage can plant a manifest.
#[tokio::test(flavor = "multi_thread")]
async fn planted_namespace_concerns_only_its_run() {
    let scenario = Scenario::with(short_timeouts());
    let (server, runner) = (&scenario.server, &scenario.runner);
    server.forbid("planted");
    assert!(runner.add_search_location("hype-run-planted", "kubernetes:planted"));
    assert!(!runner.is_alive(RUN).await.unwrap());
    assert!(runner.failure(RUN).await.unwrap().is_none());
    assert_eq!(runner.processes(Some(RUN)).await.unwrap().failures.len(), 0);
    assert!(!server.namespaces("GET pods").contains(&"planted".to_owned()));
    let report = runner.is_alive("hype-run-planted").await.unwrap_err().report();
    assert!(report.contains("the namespace planted"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn removal_reports_a_namespace_that_may_have_the_run() {
    let scenario = Scenario::with_forbidden(&["a", "z"]);
    scenario.add_expired(RUN, "claim", &running());
    let report = scenario.runner.remove(RUN, true).await.unwrap_err().report();
    assert!(report.contains("cannot list pods in the namespace a"), "{report}");
    assert_eq!(scenario.server.resources("pods").len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn collection_goes_on_after_failures() {
    let scenario = Scenario::with_forbidden(&["a", "z"]);
    let server = &scenario.server;
    for run in ["hype-run-a", "hype-run-b", "hype-run-c"] {
        scenario.add_expired(run, &format!("claim-of-{run}"), &ended("Succeeded", 0, ""));
    }
    server.inject("DELETE pods/hype-run-b-1", Fault::Error(422, "Invalid", "not now"));
    let fault = Fault::Error(422, "Invalid", "not now");
    server.inject("DELETE persistentvolumeclaims/claim-of-hype-run-a", fault);
    let runner = &scenario.runner;
    let collected = runner.collect(CollectMode::Delete, &BTreeSet::new()).await.unwrap();
    let removed = ["pod hype-run-a-1", "pod hype-run-c-1", "claim claim-of-hype-run-c"];
    assert_eq!(collected.removed, removed);
    let kept: Vec<_> = collected.kept.iter().map(|it| (&*it.name, &*it.reason)).collect();
    assert_eq!(kept, [("claim claim-of-hype-run-b", "a Pod uses it")]);
    let failures: Vec<_> = collected.failures.iter().map(ToString::to_string).collect();
    let expected = ["the namespace a", "hype-run-b-1", "claim-of-hype-run-a", "the namespace z"];
    assert_eq!(failures.len(), expected.len(), "{failures:?}");
    for (failure, expected) in failures.iter().zip(expected) {
        assert!(failure.contains(expected), "{failures:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn run_in_a_forbidden_namespace_is_listed_as_unknown() {
    let run = Detached::new(true).await;
    let bytes = run.stage.get(&names::manifest(RUN), RunManifest::MAX_SIZE).await.unwrap();
    let mut manifest = RunManifest::from_bytes(&bytes).unwrap();
    manifest.place = Some("kubernetes:planted".into());
    run.stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
    let other = "hype-run-planted";
    manifest.run_id = other.parse().unwrap();
    run.stage.put(&names::manifest(other), manifest.to_bytes().unwrap().into()).await.unwrap();
    run.server.remove_pod(true);
    run.server.forbid("planted");
    let listed: Vec<_> = run.submitter.runs(RunScope::All).collect().await;
    let (runs, errors): (Vec<_>, Vec<_>) = listed.into_iter().partition(Result::is_ok);
    let [Err(error)] = &errors[..] else { panic!("{errors:?}") };
    assert_eq!(error.kind(), ErrorKind::Runner);
    let runs: Vec<_> = runs.into_iter().map(Result::unwrap).collect();
    assert_eq!(runs.iter().map(|run| run.id.as_str()).collect::<Vec<_>>(), [RUN, other]);
    for run in &runs {
        let RunStatus::Unknown(reason) = &run.status else { panic!("{run:?}") };
        assert!(
            reason.contains("the namespace planted") && reason.contains("look here"),
            "{reason}"
        );
    }
    let described = run.submitter.describe(RUN).await.unwrap();
    assert_eq!(described.info.status.name(), "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn recorded_namespace_is_reported_before_others() {
    let scenario = Scenario::with_forbidden(&["a", "z"]);
    let runner = &scenario.runner;
    assert!(runner.add_search_location(RUN, "kubernetes:planted"));
    scenario.server.forbid("planted");
    let found = runner.processes(Some(RUN)).await.unwrap();
    let locations: Vec<_> = found.failures.iter().map(|it| it.run_location.as_str()).collect();
    assert_eq!(locations, ["kubernetes:planted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn run_in_one_of_several_forbidden_namespaces_is_described_as_unknown() {
    let run = Detached::new(true).await;
    run.record_namespace("planted").await;
    run.server.remove_pod(true);
    for namespace in ["default", "planted"] {
        run.server.forbid(namespace);
    }
    let described = run.submitter.describe(RUN).await.unwrap();
    let RunStatus::Unknown(reason) = &described.info.status else { panic!("{described:?}") };
    assert!(reason.contains("the namespace planted"), "{reason}");
    let lines: Vec<_> = run.submitter.logs(RUN, LogOptions::default()).collect().await;
    let [Err(error)] = &lines[..] else { panic!("{lines:?}") };
    assert!(error.to_string().contains("the namespace planted"), "{error}");
}

impl Detached {
    /// Stages a manifest that names another namespace than that of the Pod.
    async fn record_namespace(&self, namespace: &str) {
        let bytes = self.stage.get(&names::manifest(RUN), RunManifest::MAX_SIZE).await.unwrap();
        let mut manifest = RunManifest::from_bytes(&bytes).unwrap();
        manifest.place = Some(format!("kubernetes:{namespace}"));
        self.stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
    }
}
