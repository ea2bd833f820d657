//! Tests of runs in other namespaces than the runner's.

use std::collections::BTreeSet;

use futures::StreamExt;
use hype_stage::CollectMode;
use serde_json::json;

use super::{
    POD, Scenario, container, ended, expect_error, expect_termination_line, running,
    short_timeouts, termination_line,
};
use crate::environment::RunEnvironment;
use crate::run::log::Log;
use crate::runner::kubernetes::fake_api_server::Fault;
use crate::runner::{LogMode, PlanRequest, Runner, labels};

const RUN: &str = "hype-run-abcdefghij";

#[tokio::test(flavor = "multi_thread")]
async fn namespace_comes_from_environment_then_pod_template() {
    let scenario = Scenario::new();
    let of_pod = "{metadata: {namespace: its-own}, spec: {containers: [{name: hype-run}]}}";
    let of_pod = RunEnvironment::from_yaml_str(of_pod).unwrap();
    for (env, namespace) in [
        (RunEnvironment::new(), "default"),
        (of_pod.clone(), "its-own"),
        (of_pod.with_namespace("another"), "another"),
    ] {
        let request =
            PlanRequest { stage_url: "gs://bucket", env: &env, image: None, shares_process: false };
        let plan = scenario.runner.plan(request).await.unwrap();
        assert_eq!(plan.run_location.as_deref(), Some(format!("kubernetes:{namespace}").as_str()));
    }
    let run = scenario.start(&of_pod).await;
    scenario.server.update_pod(&ended("Succeeded", 0, &termination_line().to_string()));
    expect_termination_line(run).await;
    assert_eq!(scenario.server.namespaces("POST pods"), ["its-own"]);
}

/// The stage is untrusted: its location is searched, but proves no outcome.
#[tokio::test(flavor = "multi_thread")]
async fn namespace_from_the_stage_is_searched_but_not_trusted() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    assert!(!runner.is_alive(RUN).await.unwrap());
    assert_eq!(server.namespaces("GET pods"), ["default"]);
    runner.add_search_location(RUN, "kubernetes:another");
    let own = scenario.start(&RunEnvironment::new()).await;
    server.update_pod(&running());
    assert!(runner.is_alive(RUN).await.unwrap());
    server.update_pod(
        &json!({"status": ended("Succeeded", 0, &termination_line().to_string())["status"]}),
    );
    expect_termination_line(own).await;
    let before = server.namespaces("GET pods").len();
    runner.proof(RUN).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before..], ["default"]);
    runner.remove(RUN, false).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before + 1..], ["default"]);
}

/// A run that can't be searched for is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn denied_namespace_is_reported() {
    let scenario = Scenario::with(short_timeouts());
    scenario.runner.add_search_location(RUN, "kubernetes:another");
    let forbidden = "pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\" in \
                     the namespace \"another\"";
    for _ in 0..1000 {
        scenario.server.inject("GET pods", Fault::Error(403, "Forbidden", forbidden));
    }
    let report = scenario.runner.is_alive(RUN).await.unwrap_err().report();
    assert!(report.starts_with("cannot list pods") && report.contains(forbidden), "{report}");
}

/// The runner only has the log that another process doesn't use.
#[tokio::test(flavor = "multi_thread")]
async fn foreign_run_is_followed_and_its_failure_is_found() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    assert!(runner.failure(RUN).await.unwrap().is_none());
    let env = RunEnvironment::new().with_limit("memory", "96Mi");
    let own = scenario.start(&env).await;
    let log = Log::new("attached");
    let foreign_run = tokio::spawn(runner.copy_log(RUN, 1, log.clone(), LogMode::Follow));
    server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    server.update_pod(&running());
    let lines: Vec<_> = log.follow().take(2).map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err"]);
    assert!(runner.failure(RUN).await.unwrap().is_none());
    // Keeps the Pod, which the run would delete.
    server.inject("DELETE pods", Fault::Error(422, "Invalid", "not now"));
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    server.update_pod(&container("Failed", &killed));
    let error = expect_error(own).await;
    foreign_run.await.unwrap();
    assert_eq!(log.take_truncation(), Some([1, 1]));
    let expected = runner.failure(RUN).await.unwrap().unwrap();
    assert!(error.is_out_of_memory() && expected.is_out_of_memory());
    assert_eq!(expected.to_string(), error.to_string());
    assert!(expected.to_string().ends_with("used up its memory limit of 96Mi"), "{expected}");
}

/// The Pod's status proves the outcome of a detached run.
#[tokio::test(flavor = "multi_thread")]
async fn collection_keeps_pods_of_detached_runs() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    let own = scenario.start(&RunEnvironment::new()).await;
    server.inject("DELETE pods", Fault::Error(422, "Invalid", "not now"));
    let mut expired = ended("Succeeded", 0, &termination_line().to_string());
    expired["metadata"] = json!({"annotations": {labels::EXPIRY: "1"}});
    server.update_pod(&expired);
    expect_termination_line(own).await;
    server.wait_for_requests("DELETE pods", 1).await;
    let kept = BTreeSet::from([RUN.to_owned()]);
    let collected = runner.collect(CollectMode::Delete, &kept).await.unwrap();
    assert_eq!(collected.removed, [""; 0]);
    let kept: Vec<_> = collected.kept.iter().map(|it| (&*it.name, &*it.reason)).collect();
    assert_eq!(kept, [(&*format!("pod {POD}"), "its run is young or detached")]);
    assert_eq!(server.resources("pods").len(), 1);
    let others = BTreeSet::from(["hype-run-of-others".to_owned()]);
    let collected = runner.collect(CollectMode::Delete, &others).await.unwrap();
    assert_eq!(collected.removed, [format!("pod {POD}")]);
    assert_eq!(server.resources("pods").len(), 0);
}
