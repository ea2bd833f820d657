//! Tests of the checks of a cluster: exactly the check of what is broken fails.

use serde_json::json;

use super::{Fault, Scenario};
use crate::doctor::{Check, CheckState, collect};
use crate::runner::Runner;

const FORBIDDEN: Fault = Fault::Error(403, "Forbidden", "pods is forbidden: User \"jane\" cannot");

/// The checks of a working cluster, in their order.
const ALL: [&str; 8] = [
    "cluster",
    "rights: pods",
    "rights: pods/log",
    "rights: persistentvolumeclaims",
    "rights: secrets",
    "rights: events",
    "quota",
    "namespace",
];

impl Scenario {
    async fn check(&self) -> Vec<Check> {
        let runner = self.runner.clone();
        let checks = collect(async move |reporter| runner.check(&reporter).await).await;
        let names: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        assert_eq!(names, ALL);
        checks
    }
}

/// Returns the checks that aren't ok, with their states.
fn exceptions(checks: &[Check]) -> Vec<(&str, CheckState)> {
    let all = checks.iter().map(|check| (check.name.as_str(), check.state));
    all.filter(|(_, state)| *state != CheckState::Ok).collect()
}

/// Returns a scenario whose cluster has everything.
fn complete() -> Scenario {
    let scenario = Scenario::new();
    let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
    scenario.server.add("namespaces", json!({"metadata": {"name": "default", "labels": labels}}));
    scenario
}

#[tokio::test]
async fn complete_cluster_passes() {
    let scenario = complete();
    let checks = scenario.check().await;
    assert_eq!(exceptions(&checks), [], "{checks:?}");
    assert_eq!(checks[0].detail, "version v1.33.0 at the script, namespace default");
    assert_eq!(checks[1].detail, "create, get, list, watch, delete");
    assert_eq!(checks[6].detail, "the namespace has none");
    assert_eq!(checks[7].detail, "default, with the Pod Security level restricted");
}

#[tokio::test]
async fn each_missing_right_fails_alone() {
    for (resource, verb) in [
        ("pods", "watch"),
        ("pods/log", "get"),
        ("persistentvolumeclaims", "delete"),
        ("secrets", "get"),
        ("events", "list"),
    ] {
        let scenario = complete();
        scenario.server.deny(resource, verb);
        let checks = scenario.check().await;
        let name = format!("rights: {resource}");
        assert_eq!(exceptions(&checks), [(name.as_str(), CheckState::Failed)], "{checks:?}");
        let failed = checks.iter().find(|check| check.name == name).unwrap();
        assert_eq!(failed.detail, format!("this user may not {verb} {resource} in default"));
        assert!(failed.remedy.as_ref().unwrap().contains("role.yaml"), "{failed:?}");
    }
}

#[tokio::test]
async fn unreachable_cluster_fails_alone() {
    let scenario = complete();
    scenario.server.inject("GET version", Fault::Error(400, "BadRequest", "no"));
    let checks = scenario.check().await;
    let (first, rest) = checks.split_first().unwrap();
    assert_eq!(first.state, CheckState::Failed);
    assert!(rest.iter().all(|check| check.state == CheckState::Unknown), "{checks:?}");
}

#[tokio::test]
async fn missing_rights_of_checks_are_unknown() {
    let scenario = complete();
    scenario.server.inject("GET resourcequotas", FORBIDDEN);
    scenario.server.inject("GET namespaces", FORBIDDEN);
    for _ in 0..100 {
        scenario.server.inject("POST selfsubjectaccessreviews", FORBIDDEN);
    }
    let checks = scenario.check().await;
    let expected: Vec<_> = ALL[1..].iter().map(|name| (*name, CheckState::Unknown)).collect();
    assert_eq!(exceptions(&checks), expected, "{checks:?}");
}

#[tokio::test]
async fn exhausted_quota_fails_alone() {
    for (used, expected) in [("9", CheckState::Ok), ("10", CheckState::Failed)] {
        let scenario = complete();
        let amounts = |pods: &str| json!({"pods": pods, "requests.cpu": "2", "services": "0"});
        let mut used = json!({"hard": amounts("10"), "used": amounts(used)});
        used["used"]["requests.cpu"] = "500m".into();
        scenario
            .server
            .add("resourcequotas", json!({"metadata": {"name": "closures"}, "status": used}));
        let checks = scenario.check().await;
        assert_eq!(checks[6].state, expected, "{checks:?}");
        assert_eq!(exceptions(&checks).len(), usize::from(expected == CheckState::Failed));
        assert!(checks[6].detail.contains("of 10"), "{checks:?}");
    }
}

#[tokio::test]
async fn missing_namespace_fails_alone() {
    let scenario = Scenario::new();
    let checks = scenario.check().await;
    assert_eq!(exceptions(&checks), [("namespace", CheckState::Failed)], "{checks:?}");
    assert!(checks[7].remedy.as_ref().unwrap().contains("kubectl create namespace default"));
}
