//! Retries: only on request, and never after an error of the function.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use conformance::overridden::Overridden;
use conformance::tampering::TamperingRunner;
use hype::blocking::Submitter;
use hype::{Error, RunEnvironment, Stage};
use test_guests::ends::bake;
use test_guests::surroundings::variables;

/// A submitter whose first attempt is lost.
struct Lost {
    _stage: tempfile::TempDir,
    submitter: Submitter,
    started: Arc<AtomicU32>,
}

impl Lost {
    fn first_attempt() -> Self {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let started = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&started);
        let runner = TamperingRunner::new().unwrap().before(move |attempt| {
            match counted.fetch_add(1, Ordering::Relaxed) {
                0 => Err(Error::lost(&attempt.run_id, "its machine is gone")),
                _ => Ok(()),
            }
        });
        let stage = Stage::in_directory(directory.path()).unwrap();
        let submitter = Submitter::new(stage, Overridden(runner)).unwrap();
        Self { _stage: directory, submitter, started }
    }

    fn started(&self) -> u32 {
        self.started.load(Ordering::Relaxed)
    }
}

#[test]
fn lost_attempt_is_not_retried_by_default() {
    let lost = Lost::first_attempt();
    let error = lost.submitter.submit(variables(), &RunEnvironment::new()).unwrap_err();
    assert!(error.is_lost() && error.report().contains("its machine is gone"), "{error:?}");
    assert_eq!(lost.started(), 1);
}

#[test]
fn lost_attempt_is_retried_on_request() {
    let lost = Lost::first_attempt();
    let env = RunEnvironment::new().with_retries(1);
    assert_eq!(lost.submitter.submit(variables(), &env).unwrap()["HYPE_ATTEMPT"], "2");
    assert_eq!(lost.started(), 2);
}

#[test]
fn function_error_is_not_retried() {
    let lost = Lost::first_attempt();
    let env = RunEnvironment::new().with_retries(5);
    let error = lost.submitter.submit(bake(false), &env).unwrap_err();
    assert_eq!(error.to_string(), "closure `bake` failed: cannot bake");
    assert_eq!(lost.started(), 2);
}
