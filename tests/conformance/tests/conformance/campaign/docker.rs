//! What a Docker daemon has of runs.

use std::process::Command;

use crate::campaign::remains::{CONTAINER, Remains, VOLUME};

/// Whether a container of a run runs.
pub(crate) fn is_running() -> bool {
    !told(&["ps", "--quiet", "--filter", "label=com.spotify.hype/run"]).is_empty()
}

pub(crate) fn add_remains(remains: &mut Remains) {
    let label = "label=com.spotify.hype/submitter";
    for name in told(&["ps", "--all", "--filter", label, "--format", "{{.Names}}"]) {
        remains.add(CONTAINER, name);
    }
    for name in told(&["volume", "ls", "--quiet", "--filter", label]) {
        remains.add(VOLUME, name);
    }
}

/// The lines that the `docker` command prints, which must do well.
fn told(arguments: &[&str]) -> Vec<String> {
    let output = Command::new("docker").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "docker {arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}
