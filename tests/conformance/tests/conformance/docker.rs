//! The Docker runner, with a real daemon: what every runner must do, and the ends that only containers
//! have.
//!
//! `HYPE_IMAGE` names an image with this version's `hype-run`, and the daemon is that of the `docker`
//! command, which the tests use to provoke what befalls containers.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod by_hand;
mod container;
mod daemons;
mod image;
mod leftovers;
mod lost;
mod registry;
mod volumes;
mod waiting;

use std::process::Command;
use std::sync::LazyLock;

use hype::{DockerRunner, Stage, Submitter};

/// One stage for all cases: they must not disturb each other. Each has a submitter, with which its
/// volumes go.
fn docker() -> hype::Result<Submitter> {
    static STAGE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    Submitter::docker_with(&format!("file://{}", STAGE.path().display()))
}

conformance::suite!(
    docker(),
    #[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
);

/// What the `docker` command prints, which must do well.
fn told(arguments: &[&str]) -> String {
    told_by("docker", arguments)
}

fn told_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The names of the containers of a run, running or not.
fn containers(run: &str) -> String {
    let filter = format!("label=com.spotify.hype/run={run}");
    told(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
}

/// A submitter with a stage of its own, and what `change` makes of its runner.
fn submitter(change: impl FnOnce(DockerRunner) -> DockerRunner) -> (tempfile::TempDir, Submitter) {
    conformance::build_guests();
    let stage = tempfile::tempdir().unwrap();
    let runner = change(DockerRunner::new().unwrap());
    let submitter = Submitter::new(Stage::in_directory(stage.path()).unwrap(), runner);
    (stage, submitter.unwrap())
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(future)
}

/// Once a submitter is gone, so is what it made.
fn assert_gone(run: &str) {
    assert_eq!(containers(run), "");
}
