//! Runs that take values of other runs, on the local runner: what they read and what they leave in the stage.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::time::Duration;

use conformance::overridden::Overridden;
use conformance::tampering::TamperingRunner;
use futures::StreamExt;
use hype::__internal::submitter_with_lease_term;
use hype::{ErrorKind, FailureKind, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::chaining::{fill_bytes, measure, show, wait_and_return};
use test_guests::ends::bake;
use test_guests::values::greet;

/// A size beyond which values are objects of the stage.
const LARGE: u32 = 1 << 20;

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    Submitter::local_with(&format!("file://{}", directory.display())).unwrap()
}

/// Returns a submitter that calls `after` with the directory of each run whose process has ended.
fn tampered(directory: &Path, after: fn(&Path)) -> Submitter {
    conformance::build_guests();
    let runs = directory.join("runs");
    let runner = TamperingRunner::new().unwrap().after(move |run_id| after(&runs.join(run_id)));
    Submitter::new(Stage::in_directory(directory).unwrap(), Overridden(runner)).unwrap()
}

/// Returns whether any object of a run is left in the stage.
fn has_runs(directory: &Path) -> bool {
    ["runs", "live"].iter().any(|name| {
        let entries = std::fs::read_dir(directory.join(name));
        entries.is_ok_and(|mut entries| entries.next().is_some())
    })
}

async fn timely<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(300), work).await.unwrap()
}

/// If the program read the value, its own error would be of the kind `Stage`.
#[tokio::test]
async fn altered_large_value_is_rejected_by_the_next_run_alone() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = tampered(directory.path(), |run| {
        let result = run.join("attempts/1/result");
        if let Ok(mut bytes) = std::fs::read(&result) {
            bytes[1000] ^= 1;
            std::fs::write(&result, bytes).unwrap();
        }
    });
    let env = RunEnvironment::new();
    let run = submitter.spawn(fill_bytes(1, LARGE), &env);
    let error = run.then(measure::HANDLE.bind_rest(("a".into(),)), &env).wait().await.unwrap_err();
    let failure = error.failure().unwrap();
    assert_eq!(failure.kind, FailureKind::Infrastructure);
    assert!(failure.message.starts_with("the arguments: file:///"), "{error:?}");
    assert!(failure.message.contains("/value was altered"), "{error:?}");
}

#[tokio::test]
async fn large_value_that_was_removed_is_an_error_of_the_stage() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = tampered(directory.path(), |run| {
        // The next run has none.
        let _ = std::fs::remove_file(run.join("attempts/1/result"));
    });
    let env = RunEnvironment::new();
    let run = submitter.spawn(fill_bytes(1, LARGE), &env);
    let error = run.then(measure::HANDLE.bind_rest(("a".into(),)), &env).wait().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Stage, "{error:?}");
    assert!(error.report().contains("attempts/1/result"), "{error:?}");
}

#[tokio::test]
async fn chained_runs_leave_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    for size in [10, LARGE] {
        let run = submitter.spawn(fill_bytes(1, size), &env);
        let run = run.then(measure::HANDLE.bind_rest(("a".into(),)), &env);
        assert_eq!(run.wait().await.unwrap(), (1, size.into(), "a".to_owned()));
    }
    submitter.spawn(bake(false), &env).then(greet::HANDLE, &env).wait().await.unwrap_err();
    submitter.close().await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn dropped_run_cancels_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("a".into(), 600), &env);
    let lines = run.logs();
    drop(run.then(greet::HANDLE, &env).then(greet::HANDLE, &env));
    assert_eq!(timely(lines.count()).await, 0);
    timely(submitter.close()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn cancel_returns_once_the_runs_before_are_removed() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("a".into(), 600), &env);
    let staged = directory.path().join("runs").join(run.id()).join("manifest");
    let written = async {
        while !staged.exists() {
            tokio::task::yield_now().await;
        }
    };
    timely(written).await;
    let run = run.then(greet::HANDLE, &env).then(greet::HANDLE, &env);
    timely(run.cancel()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

/// A run writes its lease while it waits.
#[tokio::test]
async fn dropped_run_that_waits_long_leaves_nothing() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let (runner, term) = (LocalRunner::new().unwrap(), Duration::from_millis(300));
    let submitter = submitter_with_lease_term(stage, runner, term).unwrap();
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("a".into(), 600), &env);
    let next = run.then(greet::HANDLE, &env);
    let lease = directory.path().join("runs").join(next.id()).join("lease");
    let written = async {
        while !lease.exists() {
            tokio::task::yield_now().await;
        }
    };
    timely(written).await;
    drop(next);
    timely(submitter.close()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn run_with_invalid_environment_cancels_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("a".into(), 600), &env);
    let missing = env.with_file("/nonexistent/file", "/tmp/../file");
    let error = timely(run.then(greet::HANDLE, &missing).wait()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    timely(submitter.close()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn detached_run_is_attached_after_the_one_before() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let run = submitter.spawn(wait_and_return("you".into(), 1), &env);
    let id = run.then(greet::HANDLE, &env).detach().await.unwrap();
    let value = timely(submitter.attach::<String>(&id).wait()).await.unwrap();
    assert_eq!(value, "hello you");
    timely(submitter.close()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn value_of_attached_run_goes_into_next_function() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let id = submitter.spawn(show(7), &env).detach().await.unwrap();
    let run = submitter.attach::<String>(&id).then(greet::HANDLE, &env);
    assert_eq!(timely(run.wait()).await.unwrap(), "hello 7;");
    timely(submitter.close()).await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[test]
fn blocking_run_goes_into_next_function() {
    let directory = tempfile::tempdir().unwrap();
    conformance::build_guests();
    let url = format!("file://{}", directory.path().display());
    let submitter = hype::blocking::Submitter::local_with(&url).unwrap();
    let env = RunEnvironment::new();
    let run = submitter.spawn(show(7), &env).then(greet::HANDLE, &env);
    assert_eq!(run.wait().unwrap(), "hello 7;");
    submitter.close().unwrap();
}
