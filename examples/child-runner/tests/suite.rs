//! hype's conformance suite with the example's runner.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use child_runner::ChildRunner;
use hype::{Result, Stage, Submitter};

/// Returns the submitter of all cases, which has its own directory.
fn submitter() -> Result<Submitter> {
    static SUBMITTER: LazyLock<(tempfile::TempDir, Submitter)> = LazyLock::new(|| {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        std::fs::create_dir(path("stage")).unwrap();
        let runner = ChildRunner::new(conformance::hype_run())
            .with_directories(path("volumes"), path("secrets"));
        let stage = Stage::in_directory(&path("stage")).unwrap();
        let submitter = Submitter::new(stage, runner).unwrap();
        (directory, submitter)
    });
    Ok(SUBMITTER.1.clone())
}

conformance::suite!(submitter());
