//! The local runner.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hype::{RunEnvironment, Submitter};
use test_guests::surroundings::variables;

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

/// In a container there may be more.
#[test]
fn a_guest_in_this_process_sees_no_other_variables() {
    conformance::run(local, async |submitter| {
        let env = RunEnvironment::new().with_env("GREETING", "hello");
        let seen = submitter.submit(variables(), &env).await.unwrap();
        let expected = ["GREETING", "HOME", "HYPE_ATTEMPT", "HYPE_EXECUTION_ID", "PATH"];
        assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected.into());
    });
}
