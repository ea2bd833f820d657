//! Runs in other namespaces than the runner's own.

use serde_json::json;

use super::{Scenario, ended, line, line_of, running};
use crate::environment::RunEnvironment;
use crate::runner::Runner;
use crate::runner::kubernetes::scripted::Answer;

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
        let place = scenario.runner.place_of(&env).await.unwrap();
        assert_eq!(place.as_deref(), Some(namespace));
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
    runner.looks_in("another");
    let own = scenario.begun(&RunEnvironment::new()).await;
    server.pod(&running());
    assert!(runner.is_alive(RUN).await.unwrap());
    server.pod(&json!({"status": ended("Succeeded", 0, &line().to_string())["status"]}));
    line_of(own).await;
    let before = server.namespaces("GET pods").len();
    runner.line(RUN).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before..], ["default"]);
    runner.remove(RUN, false).await.unwrap();
    assert_eq!(server.namespaces("GET pods")[before + 1..], ["another", "default"]);
}

/// A run that can't be looked for is not lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_namespace_that_is_forbidden_is_told() {
    let scenario = Scenario::new();
    scenario.runner.looks_in("another");
    let forbidden = "pods is forbidden: User \"me\" cannot list resource \"pods\" in API group \"\" in \
                     the namespace \"another\"";
    scenario.server.answer("GET pods", Answer::Refusal(403, "Forbidden", forbidden));
    let report = scenario.runner.is_alive(RUN).await.unwrap_err().report();
    assert!(report.starts_with("cannot list pods") && report.contains(forbidden), "{report}");
}
