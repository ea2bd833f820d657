//! The runner and an API server that does what a test says: one scenario a test, with the messages of a
//! real one.

mod attached;
mod attachers;
mod elsewhere;
mod logs;
mod pods;

use std::time::Duration;

use futures::StreamExt;
use hype_wire::{Digest, RunKey, TerminationLine};
use serde_json::{Value, json};

use super::cluster::Way;
use super::scripted::{Answer, Scripted, status};
use crate::cleanup::background::Background;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::{Error, ErrorKind, Result};
use crate::run::handover::Handover;
use crate::run::log::Log;
use crate::runner::{Attempt, Graces, KubernetesRunner, Runner, Voucher};

/// A runner, what it is given, and the server that it talks to.
struct Scenario {
    server: Scripted,
    runner: KubernetesRunner,
    log: Log,
    owned: Owned,
    background: Background,
}

const POD: &str = "hype-run-abcdefghij-1";

impl Scenario {
    fn new() -> Self {
        Self::with(Graces::default())
    }

    fn with(graces: Graces) -> Self {
        let server = Scripted::start();
        let runner = KubernetesRunner::of(Way::Given(server.client())).unwrap();
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        let runner = runner.with_graces(graces).unwrap();
        Self { server, runner, log: Log::new("run"), owned, background }
    }

    fn run(&self, env: &RunEnvironment) -> tokio::task::JoinHandle<Result<Voucher>> {
        tokio::spawn(self.runner.run(Attempt {
            run_id: "hype-run-abcdefghij".into(),
            number: 1,
            function: "guests::greet".into(),
            component: "guests.wasm".into(),
            stage_url: "gs://bucket".into(),
            manifest_url: "gs://bucket/runs/hype-run-abcdefghij/manifest".into(),
            manifest_digest: Digest::of(b"manifest"),
            manifest: None,
            image: Some("spotify/hype:test".into()),
            env: env.clone(),
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: self.log.clone(),
            owned: self.owned.of_run(),
            handover: Handover::new(),
        }))
    }

    /// A run whose Pod is there and watched.
    async fn begun(&self, env: &RunEnvironment) -> tokio::task::JoinHandle<Result<Voucher>> {
        let run = self.run(env);
        self.server.asked("POST pods", 1).await;
        self.server.asked("WATCH pods", 1).await;
        run
    }

    /// What is asked of `kind` by this verb.
    fn count(&self, what: &str) -> usize {
        self.server.requests().iter().filter(|it| it.starts_with(what)).count()
    }
}

fn line() -> TerminationLine {
    TerminationLine { outcome: "gs://bucket/runs/r/outcome".into(), digest: Digest::of(b"o") }
}

/// The status of a Pod whose container is in `state`.
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

async fn line_of(run: tokio::task::JoinHandle<Result<Voucher>>) {
    assert_eq!(run.await.unwrap().unwrap(), Voucher::Line(line()));
}

async fn error_of(run: tokio::task::JoinHandle<Result<Voucher>>) -> Error {
    let error = run.await.unwrap().unwrap_err();
    // What a user is told, where the tests show their output.
    eprintln!("---8<---\n{}\n--->8---", error.report());
    error
}

fn short() -> Graces {
    let short = Duration::from_millis(100);
    Graces { image: short, missing: short, server: short, node: short }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_comes_over_duplicates_and_with_its_output() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&json!({"spec": {"nodeName": "gke-pool-1"}}));
    scenario.server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    for _ in 0..3 {
        scenario.server.pod(&running());
    }
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    scenario.log.end();
    let lines: Vec<_> = scenario.log.follow().map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err"]);
    assert_eq!(scenario.count("POST pods"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_asked_besides_of_a_silent_pod_that_goes_its_way() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&ended("Succeeded", 0, &format!("{}\nsilent\n", line())));
    line_of(run).await;
    let mut requests = scenario.server.requests();
    // The Pod that ended is removed behind the caller's back, now or a moment later.
    requests.retain(|it| *it != format!("DELETE pods/{POD}"));
    let made = ["POST pods", "GET pods", "WATCH pods from 0", "WATCH pods from 1"];
    assert!(
        requests.len() == 3 && requests.iter().all(|it| made.contains(&it.as_str())),
        "{requests:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_breaks_goes_on_where_it_was() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&running());
    scenario.server.end_watches(None);
    scenario.server.asked("WATCH pods", 2).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    // The Pods were listed once.
    let lists = scenario.server.requests().iter().filter(|it| **it == "GET pods").count();
    assert_eq!(lists, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_watch_that_is_too_old_begins_with_a_list() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    let gone = status(410, "Expired", "too old resource version: 1 (2)");
    scenario.server.end_watches(Some(gone));
    scenario.server.asked("WATCH pods", 2).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    let lists = scenario.server.requests().iter().filter(|it| **it == "GET pods").count();
    assert_eq!(lists, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_went_while_nobody_watched_is_missed() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&running());
    // Its request is answered once the Pod has its place among those that were made.
    scenario.server.asked("GET pods/hype-run-abcdefghij-1/log", 1).await;
    scenario.server.take_pod(false);
    scenario.server.end_watches(Some(status(410, "Expired", "too old resource version")));
    let error = error_of(run).await;
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains(&format!("somebody deleted pod {POD}")), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_got_lost_starts_no_second_pod() {
    let scenario = Scenario::new();
    scenario.server.answer("POST pods", Answer::Lost);
    let run = scenario.run(&RunEnvironment::new());
    scenario.server.asked("POST pods", 2).await;
    scenario.server.asked(&format!("GET pods/{POD}"), 1).await;
    scenario.server.asked("WATCH pods", 1).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pod_of_that_name_is_not_taken_for_ours() {
    let scenario = Scenario::new();
    let first = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&json!({"metadata": {"annotations": {"com.spotify.hype/manifest": "x"}}}));
    let error = error_of(scenario.run(&RunEnvironment::new())).await;
    assert!(error.report().contains("another pod of that name is there"), "{error:?}");
    first.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for() {
    let scenario = Scenario::new();
    scenario.server.answer("POST pods", Answer::Away);
    scenario.server.answer("GET pods", Answer::Away);
    scenario.server.answer(
        "WATCH pods",
        Answer::Refusal(503, "ServiceUnavailable", "apiserver is shutting down"),
    );
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.asked("WATCH pods", 2).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    assert_eq!(scenario.count("POST pods"), 2);
}

/// As Kubernetes does whose API server was restarted: it reads its Roles only then.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_has_just_come_back_may_know_no_rights_yet() {
    let scenario = Scenario::new();
    let run = scenario.begun(&RunEnvironment::new()).await;
    scenario.server.pod(&running());
    scenario.server.asked(&format!("GET pods/{POD}/log"), 1).await;
    let forbidden =
        "pods is forbidden: User \"me\" cannot watch resource \"pods\" in API group \"\"";
    scenario.server.answer("WATCH pods", Answer::Refusal(403, "Forbidden", forbidden));
    scenario.server.end_watches(None);
    scenario.server.asked("WATCH pods", 3).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_watch_is_told_at_once() {
    let scenario = Scenario::new();
    let forbidden =
        "pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\"";
    for _ in 0..1000 {
        scenario.server.answer("GET pods", Answer::Refusal(403, "Forbidden", forbidden));
    }
    let report = error_of(scenario.run(&RunEnvironment::new())).await.report();
    assert!(report.starts_with(&format!("cannot watch pod {POD}")), "{report}");
    assert!(report.contains(forbidden) && report.contains("docs/kubernetes.md"), "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stays_away_ends_the_run() {
    let scenario = Scenario::with(short());
    let run = scenario.begun(&RunEnvironment::new()).await;
    for _ in 0..1000 {
        scenario.server.answer("WATCH pods", Answer::Away);
    }
    scenario.server.end_watches(None);
    let error = error_of(run).await;
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("didn't come back within 100ms"), "{error:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_server_refuses_ends_at_once() {
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
        let scenario = Scenario::with(short());
        // Whether it is a right that is missing, some time tells.
        let count = if message == forbidden { 1000 } else { 1 };
        for _ in 0..count {
            scenario.server.answer("POST pods", Answer::Refusal(code, reason, message));
        }
        let error = error_of(scenario.run(&RunEnvironment::new())).await;
        assert_eq!(error.kind(), kind, "{error:?}");
        let report = error.report();
        assert!(report.contains(message) && report.contains(hint), "{report}");
        assert_eq!(scenario.count("POST pods") == 1, count == 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_drops_a_run_removes_its_pod_even_if_its_answer_is_late() {
    let scenario = Scenario::new();
    scenario.server.answer("POST pods", Answer::Lost);
    let run = scenario.run(&RunEnvironment::new());
    scenario.server.asked("POST pods", 1).await;
    run.abort();
    assert!(run.await.unwrap_err().is_cancelled());
    let Scenario { server, background, owned, .. } = scenario;
    drop(owned);
    drop(background);
    assert_eq!(server.things("pods"), [] as [Value; 0]);
}
