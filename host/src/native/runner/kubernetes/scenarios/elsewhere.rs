//! Runs in other namespaces than the runner's own.

use std::collections::BTreeSet;

use futures::StreamExt;
use hype_stage::Removal;
use serde_json::json;

use super::{POD, Scenario, container, ended, error_of, line, line_of, running, short};
use crate::environment::RunEnvironment;
use crate::run::log::Log;
use crate::runner::kubernetes::scripted::Answer;
use crate::runner::{PlanRequest, Runner, labels};

const RUN: &str = "hype-run-abcdefghij";

#[tokio::test(flavor = "multi_thread")]
async fn the_namespace_is_that_of_the_environment_or_of_its_own_pod() {
    let scenario = Scenario::new();
    let of_pod = "{metadata: {namespace: its-own}, spec: {containers: [{name: hype-run}]}}";
    let of_pod = RunEnvironment::from_yaml_str(of_pod).unwrap();
    for (env, namespace) in [
        (RunEnvironment::new(), "default"),
        (of_pod.clone(), "its-own"),
        (of_pod.with_namespace("another"), "another"),
    ] {
        let request = PlanRequest { stage_url: "gs://bucket", env: &env, image: None };
        let plan = scenario.runner.plan(request).await.unwrap();
        assert_eq!(plan.place.as_deref(), Some(format!("kubernetes:{namespace}").as_str()));
    }
    let run = scenario.begun(&of_pod).await;
    scenario.server.pod(&ended("Succeeded", 0, &line().to_string()));
    line_of(run).await;
    assert_eq!(scenario.server.namespaces("POST pods"), ["its-own"]);
}

/// Where a stage says that a run is, it may be; nobody there vouches for its outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_looked_for_where_it_is_said_to_be_and_believed_only_where_we_run_things() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    assert!(!runner.is_alive(RUN).await.unwrap());
    assert_eq!(server.namespaces("GET pods"), ["default"]);
    runner.looks_in("kubernetes:another");
    let own = scenario.begun(&RunEnvironment::new()).await;
    server.pod(&running());
    assert!(runner.is_alive(RUN).await.unwrap());
    server.pod(&json!({"status": ended("Succeeded", 0, &line().to_string())["status"]}));
    line_of(own).await;
    let before = server.namespaces("GET pods").len();
    runner.proof(RUN).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before..], ["default"]);
    runner.remove(RUN, false).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before + 1..], ["another", "default"]);
}

/// A run that can't be looked for is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_forbidden_is_told() {
    let scenario = Scenario::with(short());
    scenario.runner.looks_in("kubernetes:another");
    let forbidden = "pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\" in \
                     the namespace \"another\"";
    for _ in 0..1000 {
        scenario.server.answer("GET pods", Answer::Refusal(403, "Forbidden", forbidden));
    }
    let report = scenario.runner.is_alive(RUN).await.unwrap_err().report();
    assert!(report.starts_with("cannot list pods") && report.contains(forbidden), "{report}");
}

/// The log of the run is that of another process.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_of_another_process_writes_is_followed_and_why_it_failed_is_told() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    assert!(runner.failure(RUN).await.unwrap().is_none());
    let env = RunEnvironment::new().with_limit("memory", "96Mi");
    let own = scenario.begun(&env).await;
    let log = Log::new("attached");
    let following = tokio::spawn(runner.follow(RUN, log.clone()));
    server.write("2026-11-22T07:00:00.1Z out\n2026-11-22T07:00:00.2Z \u{2063}err\n");
    server.pod(&running());
    let lines: Vec<_> = log.follow().take(2).map(|line| line.text).collect().await;
    assert_eq!(lines, ["out", "err"]);
    assert!(runner.failure(RUN).await.unwrap().is_none());
    // What the run itself would remove stays.
    server.answer("DELETE pods", Answer::Refusal(422, "Invalid", "not now"));
    let killed = json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}});
    server.pod(&container("Failed", &killed));
    let error = error_of(own).await;
    following.await.unwrap();
    assert_eq!(log.take_cut(), Some([1, 1]));
    let told = runner.failure(RUN).await.unwrap().unwrap();
    assert!(error.is_out_of_memory() && told.is_out_of_memory());
    assert_eq!(told.to_string(), error.to_string());
    assert!(told.to_string().ends_with("used up its memory limit of 96Mi"), "{told}");
}

/// The Pod's status vouches for the outcome of a detached run.
#[tokio::test(flavor = "multi_thread")]
async fn a_collection_leaves_the_pods_of_runs_that_are_kept() {
    let scenario = Scenario::new();
    let (server, runner) = (&scenario.server, &scenario.runner);
    let own = scenario.begun(&RunEnvironment::new()).await;
    server.answer("DELETE pods", Answer::Refusal(422, "Invalid", "not now"));
    let mut expired = ended("Succeeded", 0, &line().to_string());
    expired["metadata"] = json!({"annotations": {labels::EXPIRY: "1"}});
    server.pod(&expired);
    line_of(own).await;
    server.asked("DELETE pods", 1).await;
    let kept = BTreeSet::from([RUN.to_owned()]);
    assert_eq!(runner.collect(Removal::Real, &kept).await.unwrap(), [""; 0]);
    assert_eq!(server.things("pods").len(), 1);
    let others = BTreeSet::from(["hype-run-of-others".to_owned()]);
    assert_eq!(runner.collect(Removal::Real, &others).await.unwrap(), [format!("pod {POD}")]);
    assert_eq!(server.things("pods").len(), 0);
}
