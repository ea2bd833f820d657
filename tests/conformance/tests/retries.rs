//! Attempts: further ones only when asked for, and never of what the function itself did.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::future::BoxFuture;
use hype::blocking::Submitter;
use hype::{Attempt, Error, LocalRunner, Owned, RunEnvironment, Runner, Stage, Voucher};
use hype_wire::Mount;
use test_guests::ends::bake;
use test_guests::surroundings::variables;

/// A local runner whose first attempt is lost.
#[derive(Debug)]
struct Losing {
    runner: LocalRunner,
    started: Arc<AtomicU32>,
}

impl Runner for Losing {
    fn place(&self) -> String {
        "where first attempts are lost".to_owned()
    }

    fn platform<'a>(
        &'a self,
        env: &'a RunEnvironment,
    ) -> BoxFuture<'a, hype::Result<Option<String>>> {
        self.runner.platform(env)
    }

    fn mounts<'a>(
        &'a self,
        env: &'a RunEnvironment,
        owned: &'a Owned,
    ) -> BoxFuture<'a, hype::Result<Vec<Mount>>> {
        self.runner.mounts(env, owned)
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, hype::Result<Voucher>> {
        if self.started.fetch_add(1, Ordering::Relaxed) == 0 {
            let lost = Error::lost(&attempt.run_id, "its machine is gone");
            return Box::pin(std::future::ready(Err(lost)));
        }
        self.runner.run(attempt)
    }
}

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
        let runner = Losing { runner: LocalRunner::new().unwrap(), started: Arc::clone(&started) };
        let stage = Stage::in_directory(directory.path()).unwrap();
        let submitter = Submitter::new(stage, runner).unwrap();
        Self { _stage: directory, submitter, started }
    }

    fn started(&self) -> u32 {
        self.started.load(Ordering::Relaxed)
    }
}

#[test]
fn nothing_is_started_twice_unasked() {
    let lost = Lost::first_attempt();
    let error = lost.submitter.submit(variables(), &RunEnvironment::new()).unwrap_err();
    assert!(error.is_lost() && error.report().contains("its machine is gone"), "{error:?}");
    assert_eq!(lost.started(), 1);
}

#[test]
fn a_lost_attempt_is_followed_by_another_when_asked() {
    let lost = Lost::first_attempt();
    let env = RunEnvironment::new().with_retries(1);
    assert_eq!(lost.submitter.submit(variables(), &env).unwrap()["HYPE_ATTEMPT"], "2");
    assert_eq!(lost.started(), 2);
}

#[test]
fn the_functions_own_error_is_its_last_word() {
    let lost = Lost::first_attempt();
    let env = RunEnvironment::new().with_retries(5);
    let error = lost.submitter.submit(bake(false), &env).unwrap_err();
    assert_eq!(error.to_string(), "closure `bake` failed: cannot bake");
    assert_eq!(lost.started(), 2);
}
