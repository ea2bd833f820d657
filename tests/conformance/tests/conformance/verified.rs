//! Verification of outcomes, and warnings and errors about unverified ones.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use conformance::log_capture::capture_log;
use conformance::overridden::Overridden;
use conformance::tampering::TamperingRunner;
use futures::StreamExt;
use hype::{Error, RunEnvironment, Stage, Submitter};
use hype_wire::{End, Outcome, Payload, Statistics, codec};
use test_guests::values::greet;

/// A submitter with its own stage.
struct Fixture {
    stage: tempfile::TempDir,
    submitter: Submitter,
}

impl Fixture {
    fn new(change: impl FnOnce(TamperingRunner, PathBuf) -> TamperingRunner) -> Self {
        conformance::build_guests();
        let stage = tempfile::tempdir().unwrap();
        let runner = change(TamperingRunner::new().unwrap(), stage.path().to_owned());
        let submitter =
            Submitter::new(Stage::in_directory(stage.path()).unwrap(), Overridden(runner)).unwrap();
        Self { stage, submitter }
    }

    fn untampered() -> Self {
        Self::new(|runner, _| runner)
    }

    /// Detaches a run that has ended. Returns its id.
    async fn ended(&self) -> String {
        let run = self.submitter.spawn(greet("you".into()), &RunEnvironment::new());
        run.logs().collect::<Vec<_>>().await;
        run.detach().await.unwrap()
    }
}

/// Writes a forged outcome of `run_id` to the stage.
fn forge(stage: &Path, run_id: &str) {
    let value = codec::to_vec(&"forged").unwrap();
    let end = End::Value(Payload::Inline(value.into()));
    let outcome = Outcome::new(run_id.parse().unwrap(), 1, end, Statistics::default());
    let path = stage.join("runs").join(run_id).join("outcome");
    fs::write(path, outcome.to_bytes().unwrap()).unwrap();
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

fn assert_not_sealed(error: &Error) {
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("is not sealed with the run's key"), "{error:?}");
}

#[test]
fn outcome_is_verified_where_the_run_began() {
    let fixture = Fixture::untampered();
    let (value, log) = capture_log(async {
        let id = fixture.ended().await;
        let submitter = fixture.submitter.clone().with_strict_results();
        submitter.attach::<String>(&id).wait().await
    });
    assert_eq!(value.unwrap(), "hello you");
    assert!(!log.iter().any(|line| line.contains("unverified")), "{log:?}");
}

#[test]
fn forged_outcome_is_rejected_where_the_run_began() {
    let fixture = Fixture::untampered();
    let error = wait(async {
        let id = fixture.ended().await;
        forge(fixture.stage.path(), &id);
        fixture.submitter.attach::<String>(&id).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}

#[test]
fn outcome_without_key_warns_or_is_rejected() {
    let fixture = Fixture::new(|runner, _| runner.without_keys());
    let (value, log) = capture_log(async {
        let id = fixture.ended().await;
        fixture.submitter.attach::<String>(&id).wait().await
    });
    assert_eq!(value.unwrap(), "hello you");
    let warning = "is unverified: anyone who can write to file:///";
    assert!(log.iter().any(|line| line.contains(warning)), "{log:?}");

    let error = wait(async {
        let id = fixture.ended().await;
        let submitter = fixture.submitter.clone().with_strict_results();
        submitter.attach::<String>(&id).wait().await.unwrap_err()
    });
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("its outcome is unverified"), "{error:?}");
    assert!(
        error.report().contains("attach to it as the user and on the machine that started it"),
        "{error:?}"
    );
}

/// A runner that finds an outcome before it has written its own treats it as an earlier attempt's.
#[test]
fn outcome_planted_before_the_run_is_rejected() {
    let fixture = Fixture::new(|runner, stage| {
        runner.before(move |attempt| {
            forge(&stage, &attempt.run_id);
            Ok(())
        })
    });
    let closure = greet("you".into());
    let error = wait(fixture.submitter.submit(closure, &RunEnvironment::new())).unwrap_err();
    assert_not_sealed(&error);
    assert!(error.report().contains("/outcome is malformed"), "{error:?}");
}

/// An outcome is valid for one run only.
#[test]
fn outcome_of_other_run_is_rejected() {
    let fixture = Fixture::untampered();
    let error = wait(async {
        let (one, other) = (fixture.ended().await, fixture.ended().await);
        let outcome = |id: &str| fixture.stage.path().join("runs").join(id).join("outcome");
        fs::copy(outcome(&one), outcome(&other)).unwrap();
        fixture.submitter.attach::<String>(&other).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}
