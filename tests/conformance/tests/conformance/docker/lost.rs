//! Containers that end otherwise than by their closure.

use std::process::Command;

use hype::{DockerRunner, RunEnvironment, Stage, Submitter};

use super::waiting::Waiting;
use super::{assert_gone, submitter, told, wait};

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_killed_container_is_told_apart() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["kill", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("-1 was killed (status 137)"), "{report}");
        assert!(report.contains("1: its last lines:\n      waiting\n"), "{report}");
    });
}

/// Nobody hands the run's key over a second time.
#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn restarted_container_runs_nothing() {
    let Waiting { stage, run, container, signal: _signal } =
        wait(Waiting::start(&RunEnvironment::new()));
    let run = wait(run.detach()).unwrap();
    told(&["restart", &container]);
    assert_eq!(told(&["wait", &container]), "4");
    let logs = Command::new("docker").args(["logs", &container]).output().unwrap();
    assert_eq!(String::from_utf8(logs.stdout).unwrap(), "waiting\n");
    // The first start's outcome counts.
    let stage = Stage::in_directory(stage.path()).unwrap();
    let submitter = Submitter::new(stage, DockerRunner::new().unwrap()).unwrap();
    let error = wait(submitter.attach::<String>(&run).wait()).unwrap_err();
    assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
    assert_gone(&run);
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_removed_container_is_told_apart() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["rm", "--force", &waiting.container]);
        let report = waiting.lost().await;
        assert!(report.contains("somebody deleted container hype-run-"), "{report}");
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_container_that_is_told_to_stop_leaves_an_outcome() {
    wait(async {
        let waiting = Waiting::start(&RunEnvironment::new()).await;
        told(&["stop", &waiting.container]);
        let error = waiting.run.wait().await.unwrap_err();
        assert_eq!(error.failure().unwrap().kind, hype::FailureKind::Interrupted, "{error:?}");
        assert!(error.is_infrastructure());
    });
}

#[test]
#[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
fn a_container_without_memory_is_told_apart() {
    let (_stage, submitter) = submitter(|runner| runner);
    // It isn't tried again.
    let env = RunEnvironment::new().with_request("memory", "96Mi").with_retries(1);
    let error = wait(submitter.submit(test_guests::ends::hoard(), &env)).unwrap_err();
    let report = error.report();
    assert!(error.is_out_of_memory() && error.exit_code() == 1, "{report}");
    assert!(report.contains("was OOM-killed: it used up its memory limit of 96Mi"), "{report}");
    assert!(report.contains("Hint: raise the container's limit"), "{report}");
}
