//! The local runner: the suite, and messages that docs/closures.md quotes.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::sync::LazyLock;

use hype::{RunEnvironment, Submitter};
use test_guests::surroundings::variables;

/// Returns a submitter that all cases share, with one stage, so they must not interfere with each other.
fn local() -> hype::Result<Submitter> {
    static LOCAL: LazyLock<(tempfile::TempDir, Submitter)> = LazyLock::new(|| {
        let stage = tempfile::tempdir().unwrap();
        let url = format!("file://{}", stage.path().display());
        (stage, Submitter::local_with(&url).unwrap())
    });
    Ok(LOCAL.1.clone())
}

conformance::suite!(local());

/// The guest's standard library prints the same on every runner, so the local one suffices.
mod documented {
    use conformance::documented::*;

    #[test]
    fn quoted_messages_are_provoked_by_cases() {
        conformance::run(super::local, provoke_quoted_messages);
    }

    #[test]
    fn non_utf8_names_are_omitted() {
        conformance::run(super::local, non_utf8_name_is_omitted_with_a_warning);
    }

    #[test]
    fn non_utf8_paths_are_rejected() {
        conformance::run(super::local, non_utf8_path_is_rejected_on_both_sides);
    }

    #[test]
    fn large_array_overflows_the_stack() {
        conformance::run(super::local, array_larger_than_stack_differs_from_wild_address);
    }

    #[test]
    fn oversized_usize_is_explained() {
        conformance::run(super::local, oversized_number_is_explained);
    }
}

/// Other runners, and programs that can't have workers, make HTTP requests from the process of the guest.
#[test]
fn http_cases_pass_without_worker_processes() {
    let mut tests = std::process::Command::new(std::env::current_exe().unwrap());
    let output = tests.arg("local::http::").env("HYPE_LOCAL_WORKERS", "0").output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && !text.contains(" 0 passed"), "{text}");
}

/// A container may set more variables.
#[test]
fn local_guest_sees_only_named_variables() {
    conformance::run(local, async |submitter| {
        let env = RunEnvironment::new().with_env("GREETING", "hello");
        let seen = submitter.submit(variables(), &env).await.unwrap();
        let expected = ["GREETING", "HOME", "HYPE_ATTEMPT", "HYPE_EXECUTION_ID", "PATH"];
        assert_eq!(seen.keys().map(String::as_str).collect::<BTreeSet<_>>(), expected.into());
    });
}
