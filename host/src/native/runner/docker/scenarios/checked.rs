//! Tests of the checks of a daemon: exactly the check of what is broken fails.

use super::{Fault, Scenario};
use crate::doctor::{Check, CheckState, collect};
use crate::runner::{DockerRunner, Runner};

impl Scenario {
    async fn check(&self) -> Vec<Check> {
        check(self.runner.clone()).await
    }
}

async fn check(runner: DockerRunner) -> Vec<Check> {
    collect(async move |reporter| runner.check(&reporter).await).await
}

fn states(checks: &[Check]) -> Vec<(&str, CheckState)> {
    checks.iter().map(|check| (check.name.as_str(), check.state)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_with_the_image_passes() {
    let scenario = Scenario::new().await;
    let checks = scenario.check().await;
    assert_eq!(states(&checks), [("docker daemon", CheckState::Ok), ("image", CheckState::Ok)]);
    assert!(checks[0].detail.starts_with("version 28.5.1 at tcp://127.0.0.1:"), "{checks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn unreachable_daemon_fails_alone() {
    let scenario = Scenario::new().await;
    for _ in 0..100 {
        scenario.daemon.inject("GET info", Fault::Disconnect);
    }
    let checks = scenario.check().await;
    assert_eq!(
        states(&checks),
        [("docker daemon", CheckState::Failed), ("image", CheckState::Unknown)]
    );
    assert!(checks[0].remedy.as_ref().unwrap().contains("check that it is running"), "{checks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn old_daemon_fails_alone() {
    let scenario = Scenario::new().await;
    scenario.daemon.set_version("19.03.15");
    let checks = scenario.check().await;
    assert_eq!(
        states(&checks),
        [("docker daemon", CheckState::Failed), ("image", CheckState::Unknown)]
    );
    assert_eq!(checks[0].remedy.as_deref(), Some("hype needs 20.10 or later"));
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_image_that_cannot_be_pulled_fails_alone() {
    let scenario = Scenario::new().await;
    for _ in 0..2 {
        scenario.daemon.inject("GET images", Fault::Error(404));
    }
    scenario.daemon.inject("POST images/create", Fault::Error(404));
    let checks = scenario.check().await;
    assert_eq!(states(&checks), [("docker daemon", CheckState::Ok), ("image", CheckState::Failed)]);
    assert!(checks[1].detail.contains("cannot pull the image spotify/hype"), "{checks:?}");
    assert!(checks[1].remedy.as_ref().unwrap().contains("HYPE_IMAGE"), "{checks:?}");
}

/// A daemon that no client can connect to.
#[tokio::test(flavor = "multi_thread")]
async fn daemon_without_socket_fails_alone() {
    let runner = DockerRunner::at("unix:///no/such/docker.sock").unwrap();
    let checks = check(runner).await;
    assert_eq!(
        states(&checks),
        [("docker daemon", CheckState::Failed), ("image", CheckState::Unknown)]
    );
}
