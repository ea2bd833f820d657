//! Containers and volumes of runs in a Docker daemon.

use std::process::Command;

use crate::campaign::remains::{CONTAINER, Remains, VOLUME};

/// Returns whether a container of a run is running.
pub(crate) fn is_running() -> bool {
    !docker_lines(&["ps", "--quiet", "--filter", "label=com.spotify.hype/run"]).is_empty()
}

pub(crate) fn add_remains(remains: &mut Remains) {
    let label = "label=com.spotify.hype/submitter";
    for name in docker_lines(&["ps", "--all", "--filter", label, "--format", "{{.Names}}"]) {
        remains.add(CONTAINER, name);
    }
    for name in docker_lines(&["volume", "ls", "--quiet", "--filter", label]) {
        remains.add(VOLUME, name);
    }
}

/// Returns the lines that the `docker` command prints, which must succeed.
fn docker_lines(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
