//! The local runner.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::LazyLock;

use hype::Submitter;

/// One submitter and one stage for all cases: they must not disturb each other.
fn local() -> hype::Result<Submitter> {
    static LOCAL: LazyLock<(tempfile::TempDir, Submitter)> = LazyLock::new(|| {
        let stage = tempfile::tempdir().unwrap();
        let url = format!("file://{}", stage.path().display());
        (stage, Submitter::local_with(&url).unwrap())
    });
    Ok(LOCAL.1.clone())
}

conformance::suite!(local());
