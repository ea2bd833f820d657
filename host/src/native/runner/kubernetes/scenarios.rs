//! Tests of the runner against a fake API server, with the messages of a real one.

mod attached;
mod attachers;
mod checked;
mod configured;
mod forbidden;
mod logs;
mod other_namespaces;
mod ownership;
mod pods;

use std::time::Duration;

use futures::StreamExt;
use hype_wire::{Digest, RunKey, TerminationLine};
use serde_json::{Value, json};

use super::cluster::ClusterSource;
use super::fake_api_server::{FakeApiServer, Fault, status};
use crate::cleanup::background::Background;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::{Error, ErrorKind, Result};
use crate::run::handover::Handover;
use crate::run::log::Log;
use crate::runner::{Attempt, Completion, KubernetesRunner, PodTimeouts, Runner};

/// A runner with its fake API server, log and cleanup list.
struct Scenario {
    server: FakeApiServer,
    runner: KubernetesRunner,
    log: Log,
    cleanup: CleanupList,
    background: Background,
}

const POD: &str = "hype-run-abcdefghij-1";

impl Scenario {
    fn new() -> Self {
        Self::with(PodTimeouts::default())
    }

    fn with(timeouts: PodTimeouts) -> Self {
        let server = FakeApiServer::start();
        let runner = KubernetesRunner::of(ClusterSource::TestClient(server.client())).unwrap();
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        let runner = runner.with_pod_timeouts(timeouts).unwrap();
        Self { server, runner, log: Log::new("run"), cleanup, background }
    }

    fn run(&self, env: &RunEnvironment) -> tokio::task::JoinHandle<Result<Completion>> {
        tokio::spawn(self.runner.run(Attempt {
            run_id: "hype-run-abcdefghij".into(),
            number: 1,
            function: "guests::greet".into(),
            component: "guests.wasm".into(),
            stage_url: "gs://bucket".into(),
            manifest_url: "gs://bucket/runs/hype-run-abcdefghij/manifest".into(),
            manifest_digest: Digest::of(b"manifest"),
            manifest: None,
            unstaged: None,
            arguments: None,
            image: Some("spotify/hype:test".into()),
            env: env.clone(),
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: self.log.clone(),
            cleanup: self.cleanup.of_run(),
            handover: Handover::new(),
        }))
    }

    /// Starts a run, and waits until its Pod exists and is watched.
    async fn start(&self, env: &RunEnvironment) -> tokio::task::JoinHandle<Result<Completion>> {
        let run = self.run(env);
        self.server.wait_for_requests("POST pods", 1).await;
        self.server.wait_for_requests("WATCH pods", 1).await;
        run
    }

    /// Returns the number of requests that begin with `prefix`.
    fn count(&self, prefix: &str) -> usize {
        self.server.requests().iter().filter(|it| it.starts_with(prefix)).count()
    }
}

fn termination_line() -> TerminationLine {
    TerminationLine { outcome: "gs://bucket/runs/r/outcome".into(), digest: Digest::of(b"o") }
}

/// Returns the status of a Pod whose container is in `state`.
fn container(phase: &str, state: &Value) -> Value {
    let own = json!({"name": "hype-run", "state": state, "image": "", "imageID": "", "ready": false,
        "restartCount": 0});
    json!({"status": {"phase": phase, "containerStatuses": [own]}})
}

fn ended(phase: &str, exit: i32, message: &str) -> Value {
    container(
        phase,
        &json!({"terminated": {"exitCode": exit, "reason": "Completed",
        "message": message}}),
    )
}

fn running() -> Value {
    container("Running", &json!({"running": {}}))
}

async fn expect_termination_line(run: tokio::task::JoinHandle<Result<Completion>>) {
    assert_eq!(run.await.unwrap().unwrap(), Completion::Line(termination_line()));
}

async fn expect_error(run: tokio::task::JoinHandle<Result<Completion>>) -> Error {
    let error = run.await.unwrap().unwrap_err();
    // Prints the report that a user sees, for `--nocapture`.
    eprintln!("---8<---\n{}\n--->8---", error.report());
    error
}

fn short_timeouts() -> PodTimeouts {
    let short = Duration::from_millis(100);
    PodTimeouts {
        image_pull: short,
        missing_object: short,
        unreachable_server: short,
        lost_node: short,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn duplicate_events_change_neither_outcome_nor_output() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&json!({"spec": {"nodeName": "gke-pool-1"}}));
    scenario.server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    for _ in 0..3 {
        scenario.server.update_pod(&running());
    }
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    scenario.log.end();
    let lines: Vec<_> = scenario.log.follow().map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err"]);
    assert_eq!(scenario.count("POST pods"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_pod_takes_only_three_requests() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&ended(
        "Succeeded",
        0,
        &format!("{}\nsilent\n", termination_line()),
    ));
    expect_termination_line(run).await;
    let mut requests = scenario.server.requests();
    // The ended Pod is deleted in the background, at any time.
    requests.retain(|it| *it != format!("DELETE pods/{POD}"));
    let expected = ["POST pods", "GET pods", "WATCH pods from 0", "WATCH pods from 1"];
    assert!(
        requests.len() == 3 && requests.iter().all(|it| expected.contains(&it.as_str())),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn interrupted_watch_resumes_without_a_list() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&running());
    scenario.server.end_watches(None);
    scenario.server.wait_for_requests("WATCH pods", 2).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    // The Pods were listed once.
    let lists = scenario.server.requests().iter().filter(|it| **it == "GET pods").count();
    assert_eq!(lists, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_watch_lists_pods_again() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    let gone = status(410, "Expired", "too old resource version: 1 (2)");
    scenario.server.end_watches(Some(gone));
    scenario.server.wait_for_requests("WATCH pods", 2).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    let lists = scenario.server.requests().iter().filter(|it| **it == "GET pods").count();
    assert_eq!(lists, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn pod_deleted_between_watches_is_lost() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&running());
    // The log is requested only after the Pod was marked as created.
    scenario.server.wait_for_requests("GET pods/hype-run-abcdefghij-1/log", 1).await;
    scenario.server.remove_pod(false);
    scenario.server.end_watches(Some(status(410, "Expired", "too old resource version")));
    let error = expect_error(run).await;
    assert!(error.is_lost(), "{error:?}");
    assert!(
        error.report().contains(&format!("pod {POD} was deleted by another client")),
        "{error:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_create_response_starts_no_second_pod() {
    let scenario = Scenario::new();
    scenario.server.inject("POST pods", Fault::LostResponse);
    let run = scenario.run(&RunEnvironment::new());
    scenario.server.wait_for_requests("POST pods", 2).await;
    scenario.server.wait_for_requests(&format!("GET pods/{POD}"), 1).await;
    scenario.server.wait_for_requests("WATCH pods", 1).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_pod_of_the_same_name_is_not_adopted() {
    let scenario = Scenario::new();
    let first = scenario.start(&RunEnvironment::new()).await;
    scenario
        .server
        .update_pod(&json!({"metadata": {"annotations": {"com.spotify.hype/manifest": "x"}}}));
    let error = expect_error(scenario.run(&RunEnvironment::new())).await;
    assert!(error.report().contains("another pod of that name exists"), "{error:?}");
    first.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_retried_during_an_outage() {
    let scenario = Scenario::new();
    scenario.server.inject("POST pods", Fault::Disconnect);
    scenario.server.inject("GET pods", Fault::Disconnect);
    scenario.server.inject(
        "WATCH pods",
        Fault::Error(503, "ServiceUnavailable", "apiserver is shutting down"),
    );
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.wait_for_requests("WATCH pods", 2).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    assert_eq!(scenario.count("POST pods"), 2);
}

/// A restarted API server denies requests until it has loaded its Roles.
#[tokio::test(flavor = "multi_thread")]
async fn watch_survives_denials_of_a_restarted_server() {
    let scenario = Scenario::new();
    let run = scenario.start(&RunEnvironment::new()).await;
    scenario.server.update_pod(&running());
    scenario.server.wait_for_requests(&format!("GET pods/{POD}/log"), 1).await;
    let forbidden =
        "pods is forbidden: User \"me\" cannot watch resource \"pods\" in API group \"\"";
    scenario.server.inject("WATCH pods", Fault::Error(403, "Forbidden", forbidden));
    scenario.server.end_watches(None);
    scenario.server.wait_for_requests("WATCH pods", 3).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn denied_watch_fails_with_a_hint() {
    let scenario = Scenario::new();
    let forbidden =
        "pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\"";
    for _ in 0..1000 {
        scenario.server.inject("GET pods", Fault::Error(403, "Forbidden", forbidden));
    }
    let report = expect_error(scenario.run(&RunEnvironment::new())).await.report();
    assert!(report.starts_with(&format!("cannot watch pod {POD}")), "{report}");
    assert!(report.contains(forbidden) && report.contains("docs/kubernetes.md"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn permanent_outage_loses_the_run() {
    let scenario = Scenario::with(short_timeouts());
    let run = scenario.start(&RunEnvironment::new()).await;
    for _ in 0..1000 {
        scenario.server.inject("WATCH pods", Fault::Disconnect);
    }
    scenario.server.end_watches(None);
    let error = expect_error(run).await;
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("was unreachable for 100ms"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rejected_pod_fails_with_the_servers_message() {
    let quota = "pods \"hype-run-abcdefghij-1\" is forbidden: exceeded quota: gke-resource-quotas, \
                 requested: pods=1, used: pods=1500, limited: pods=1500";
    let forbidden = "pods is forbidden: User \"me@example.com\" cannot create resource \"pods\" in API \
                     group \"\" in the namespace \"default\": requires one of [\"container.pods.create\"] \
                     permission(s).";
    let invalid = "Pod \"hype-run-abcdefghij-1\" is invalid: spec.containers[0].resources.requests: \
                   Invalid value: \"2\": must be less than or equal to memory limit";
    let autopilot = "admission webhook \"warden-validating.common-webhooks.networking.gke.io\" denied the \
                     request: GKE Warden rejected the request because it violates one or more \
                     constraints.\nViolations details: {\"[denied by autogke-no-write-mode-hostpath]\":[..]}";
    for (code, reason, message, kind, hint) in [
        (403, "Forbidden", quota, ErrorKind::Runner, "kubectl describe quota"),
        (403, "Forbidden", forbidden, ErrorKind::Runner, "docs/kubernetes.md has a Role"),
        (422, "Invalid", invalid, ErrorKind::Input, ""),
        (400, "BadRequest", autopilot, ErrorKind::Input, ""),
    ] {
        let scenario = Scenario::with(short_timeouts());
        // Only a missing permission is retried.
        let count = if message == forbidden { 1000 } else { 1 };
        for _ in 0..count {
            scenario.server.inject("POST pods", Fault::Error(code, reason, message));
        }
        let error = expect_error(scenario.run(&RunEnvironment::new())).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        let report = error.report();
        assert!(report.contains(message) && report.contains(hint), "{report}");
        assert_eq!(scenario.count("POST pods") == 1, count == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_run_deletes_pod_created_late() {
    let scenario = Scenario::new();
    scenario.server.inject("POST pods", Fault::LostResponse);
    let run = scenario.run(&RunEnvironment::new());
    scenario.server.wait_for_requests("POST pods", 1).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    let Scenario { server, background, cleanup, .. } = scenario;
    drop(cleanup);
    drop(background);
    assert_eq!(server.resources("pods"), [] as [Value; 0]);
}
