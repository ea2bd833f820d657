//! Containers that don't end by their closure.

use std::process::Command;

use hype::{DockerRunner, RunEnvironment, Stage, Submitter};

use super::waiting::Waiting;
use super::{assert_gone, docker_output, submitter, wait};

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn killed_container_is_reported() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        docker_output(&["kill", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("-1 was killed (status 137)"), "{report}");
        assert!(report.contains("1: its last lines:\n      waiting\n"), "{report}");
    });
}

/// Docker hands over the run's key only once.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn restarted_container_runs_nothing() {
    let Waiting { stage, run, container, signal: _signal } =
        wait(Waiting::start(&RunEnvironment::new()));
    let run = wait(run.detach()).unwrap();
    docker_output(&["restart", &container]);
    assert_eq!(docker_output(&["wait", &container]), "4");
    let logs = Command::new("docker").args(["logs", &container]).output().unwrap();
    assert_eq!(String::from_utf8(logs.stdout).unwrap(), "waiting\n");
    // The outcome of the first start counts.
    let stage = Stage::in_directory(stage.path()).unwrap();
    let submitter = Submitter::new(stage, DockerRunner::new().unwrap()).unwrap();
    let error = wait(submitter.attach::<String>(&run).wait()).unwrap_err();
    assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
    assert_gone(&run);
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn removed_container_is_reported() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        docker_output(&["rm", "--force", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("was deleted by another client"), "{report}");
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn stopped_container_writes_outcome() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        docker_output(&["stop", &waiting.container]);
        let error = waiting.run.wait().await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
        assert!(error.is_infrastructure());
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn oom_killed_container_is_reported() {
    let (_stage, submitter) = submitter(|runner| runner);
    // `with_retries` doesn't apply to this failure.
    let env = RunEnvironment::new().with_request("memory", "96Mi").with_retries(1);
    let error = wait(submitter.submit(test_guests::ends::hoard(), &env)).unwrap_err();
    let report = error.report();
    assert!(error.is_out_of_memory() && error.exit_code() == 1, "{report}");
    assert!(report.contains("was OOM-killed: it used up its memory limit of 96Mi"), "{report}");
    assert!(report.contains("Hint: raise the container's limit"), "{report}");
}
