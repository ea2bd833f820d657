//! The Docker runner with a real daemon: the suite, and failures that only containers have.
//!
//! `HYPE_IMAGE` names an image with this version's `hype-run`. The daemon is the one that the `docker` command uses;
//! the tests cause failures by that command.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bare_image;
mod container;
mod daemons;
mod image;
mod items;
mod leftovers;
mod lost;
mod registry;
mod stage_view;
mod staged_maps;
mod volumes;
mod waiting;

use std::process::Command;
use std::sync::LazyLock;

use hype::{DockerRunner, Stage, Submitter};

/// Creates a submitter for one case. All cases share one stage, so they must not interfere with each other. The
/// submitter owns its volumes.
fn docker_submitter() -> hype::Result<Submitter> {
    static STAGE: LazyLock<tempfile::TempDir> = LazyLock::new(|| tempfile::tempdir().unwrap());
    Submitter::docker_with(&format!("file://{}", STAGE.path().display()))
}

conformance::suite!(
    docker_submitter(),
    #[ignore = "needs a Docker daemon: tests/end-to-end/docker starts one"]
);

/// Returns what the `docker` command prints, which must succeed.
fn docker_output(arguments: &[&str]) -> String {
    command_output("docker", arguments)
}

fn command_output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Returns the names of a run's containers, running or not.
fn containers(run: &str) -> String {
    let filter = format!("label=com.spotify.hype/run={run}");
    docker_output(&["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"])
}

/// Creates a submitter with its own stage, and a runner configured by `change`.
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

/// Checks that no container of the run exists.
fn assert_gone(run: &str) {
    assert_eq!(containers(run), "");
}
