//! Who vouches for an outcome, and what is done about one that nobody vouches for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use conformance::around::Changed;
use conformance::disturbed::Disturbed;
use conformance::told::told;
use futures::StreamExt;
use hype::{Error, RunEnvironment, Stage, Submitter};
use hype_wire::{End, Outcome, Payload, Statistics, codec};
use test_guests::values::greet;

/// A submitter with a stage of its own.
struct Setting {
    stage: tempfile::TempDir,
    submitter: Submitter,
}

impl Setting {
    fn new(change: impl FnOnce(Disturbed, PathBuf) -> Disturbed) -> Self {
        conformance::build_guests();
        let stage = tempfile::tempdir().unwrap();
        let runner = change(Disturbed::new().unwrap(), stage.path().to_owned());
        let submitter =
            Submitter::new(Stage::in_directory(stage.path()).unwrap(), Changed(runner)).unwrap();
        Self { stage, submitter }
    }

    fn undisturbed() -> Self {
        Self::new(|runner, _| runner)
    }

    /// The name of a detached run that has ended.
    async fn ended(&self) -> String {
        let run = self.submitter.spawn(greet("you".into()), &RunEnvironment::new());
        run.logs().collect::<Vec<_>>().await;
        run.detach().await.unwrap()
    }
}

/// Puts an outcome of somebody else's where that of `run_id` is or will be.
fn forge(stage: &Path, run_id: &str) {
    let value = codec::to_vec(&"forged").unwrap();
    let end = End::Value(Payload::Inline(value.into()));
    let outcome = Outcome::new(run_id, 1, end, Statistics::default());
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
fn an_outcome_is_verified_where_the_run_began() {
    let setting = Setting::undisturbed();
    let (value, told) = told(async {
        let id = setting.ended().await;
        let submitter = setting.submitter.clone().with_strict_results();
        submitter.attach::<String>(&id).wait().await
    });
    assert_eq!(value.unwrap(), "hello you");
    assert!(!told.iter().any(|line| line.contains("unverified")), "{told:?}");
}

#[test]
fn a_forged_outcome_is_refused_where_the_run_began() {
    let setting = Setting::undisturbed();
    let error = wait(async {
        let id = setting.ended().await;
        forge(setting.stage.path(), &id);
        setting.submitter.attach::<String>(&id).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}

#[test]
fn an_outcome_whose_key_is_gone_is_told_or_refused() {
    let setting = Setting::new(|runner, _| runner.without_keys());
    let (value, told) = told(async {
        let id = setting.ended().await;
        setting.submitter.attach::<String>(&id).wait().await
    });
    assert_eq!(value.unwrap(), "hello you");
    let warning = "is unverified: whoever can write to file:///";
    assert!(told.iter().any(|line| line.contains(warning)), "{told:?}");

    let error = wait(async {
        let id = setting.ended().await;
        let submitter = setting.submitter.clone().with_strict_results();
        submitter.attach::<String>(&id).wait().await.unwrap_err()
    });
    assert!(error.is_lost(), "{error:?}");
    assert!(error.report().contains("its outcome is unverified"), "{error:?}");
    assert!(error.report().contains("attach to it where it began"), "{error:?}");
}

/// A runner that finds an outcome before it has written its own takes it for an earlier attempt's.
#[test]
fn an_outcome_that_somebody_put_there_before_is_not_vouched_for() {
    let setting = Setting::new(|runner, stage| {
        runner.before(move |attempt| {
            forge(&stage, &attempt.run_id);
            Ok(())
        })
    });
    let closure = greet("you".into());
    let error = wait(setting.submitter.submit(closure, &RunEnvironment::new())).unwrap_err();
    assert_not_sealed(&error);
    assert!(error.report().contains("/outcome is malformed"), "{error:?}");
}

/// A run's outcome is good for that run alone.
#[test]
fn the_outcome_of_another_run_is_refused() {
    let setting = Setting::undisturbed();
    let error = wait(async {
        let (one, other) = (setting.ended().await, setting.ended().await);
        let outcome = |id: &str| setting.stage.path().join("runs").join(id).join("outcome");
        fs::copy(outcome(&one), outcome(&other)).unwrap();
        setting.submitter.attach::<String>(&other).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}
