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

/// What the guest's standard library says is the same wherever closures run.
mod documented {
    use conformance::documented::*;

    #[test]
    fn every_quoted_message_is_provoked_by_a_case() {
        conformance::run(super::local, every_quoted_message_is_provoked);
    }

    #[test]
    fn names_that_are_not_utf8() {
        conformance::run(super::local, a_name_that_is_not_utf8_is_left_out_and_told);
    }

    #[test]
    fn paths_that_are_not_utf8() {
        conformance::run(super::local, a_path_that_is_not_utf8_is_refused_on_both_sides);
    }

    #[test]
    fn large_arrays() {
        conformance::run(super::local, an_array_larger_than_the_stack_is_told_from_a_wild_address);
    }

    #[test]
    fn numbers_with_too_many_bits() {
        conformance::run(super::local, a_number_that_has_too_many_bits_is_explained);
    }
}

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
