//! Who vouches for an outcome, and what is done about one that nobody vouches for.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

use conformance::told::told;
use futures::StreamExt;
use futures::future::BoxFuture;
use hype::{Attempt, Error, LocalRunner, Owned, RunEnvironment, Runner, Stage, Submitter, Voucher};
use hype_wire::{End, Mount, Outcome, Payload, RunKey, Statistics, codec};
use test_guests::values::greet;

/// A local runner that lets somebody at the stage's directory first, and may not keep the keys of its
/// runs.
#[derive(Debug)]
struct Strange {
    runner: LocalRunner,
    stage: PathBuf,
    meddle: fn(&Path, &Attempt),
    is_forgetful: bool,
}

impl Runner for Strange {
    fn place(&self) -> String {
        "where not all is as it should be".to_owned()
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
        (self.meddle)(&self.stage, &attempt);
        self.runner.run(attempt)
    }

    fn key<'a>(&'a self, run_id: &'a str) -> BoxFuture<'a, hype::Result<Option<RunKey>>> {
        match self.is_forgetful {
            true => Box::pin(std::future::ready(Ok(None))),
            false => self.runner.key(run_id),
        }
    }
}

/// A submitter with a stage of its own.
struct Setting {
    stage: tempfile::TempDir,
    submitter: Submitter,
}

impl Setting {
    fn new(is_forgetful: bool, meddle: fn(&Path, &Attempt)) -> Self {
        conformance::build_guests();
        let stage = tempfile::tempdir().unwrap();
        let (runner, directory) = (LocalRunner::new().unwrap(), stage.path().to_owned());
        let runner = Strange { runner, stage: directory, meddle, is_forgetful };
        let submitter = Submitter::new(Stage::in_directory(stage.path()).unwrap(), runner).unwrap();
        Self { stage, submitter }
    }

    /// The name of a detached run that has ended.
    async fn ended(&self) -> String {
        let run = self.submitter.spawn(greet("you".into()), &RunEnvironment::new());
        run.logs().collect::<Vec<_>>().await;
        run.detach()
    }
}

fn honest(_: &Path, _: &Attempt) {}

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
    let setting = Setting::new(false, honest);
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
    let setting = Setting::new(false, honest);
    let error = wait(async {
        let id = setting.ended().await;
        forge(setting.stage.path(), &id);
        setting.submitter.attach::<String>(&id).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}

#[test]
fn an_outcome_whose_key_is_gone_is_told_or_refused() {
    let setting = Setting::new(true, honest);
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
    let setting = Setting::new(false, |stage, attempt| forge(stage, &attempt.run_id));
    let closure = greet("you".into());
    let error = wait(setting.submitter.submit(closure, &RunEnvironment::new())).unwrap_err();
    assert_not_sealed(&error);
    assert!(error.report().contains("/outcome is malformed"), "{error:?}");
}

/// A run's outcome is good for that run alone.
#[test]
fn the_outcome_of_another_run_is_refused() {
    let setting = Setting::new(false, honest);
    let error = wait(async {
        let (one, other) = (setting.ended().await, setting.ended().await);
        let outcome = |id: &str| setting.stage.path().join("runs").join(id).join("outcome");
        fs::copy(outcome(&one), outcome(&other)).unwrap();
        setting.submitter.attach::<String>(&other).wait().await.unwrap_err()
    });
    assert_not_sealed(&error);
}
