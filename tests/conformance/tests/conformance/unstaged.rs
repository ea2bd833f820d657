//! Runs of the local runner that are not in the stage, and those that must be there.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use conformance::overridden::{Overridden, RunnerOverrides};
use futures::StreamExt;
use futures::future::BoxFuture;
use hype::__internal::submitter_with_lease_term;
use hype::run::RunScope;
use hype::runner::{Attempt, Completion, Runner};
use hype::{HostDirectory, LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::surroundings::say_then_wait_for;
use test_guests::values::{greet, text_of};

/// The time in which a test must end.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The age from which on a run is in the stage.
const SHORT: Duration = Duration::from_secs(5);

/// A run that has printed "waiting" and continues when `release` is called.
struct Waiting {
    directory: tempfile::TempDir,
    submitter: Submitter,
    started: Instant,
    run: hype::Run<String>,
}

impl Waiting {
    async fn start(lease_term: Duration) -> Self {
        Self::start_with("waiting", lease_term).await
    }

    /// Starts a run that prints `text`, whose first line is "waiting".
    async fn start_with(text: &str, lease_term: Duration) -> Self {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
        let runner = LocalRunner::new().unwrap();
        let submitter = submitter_with_lease_term(stage, runner, lease_term).unwrap();
        // Compiles and stages the component.
        submitter.submit(greet("you".into()), &RunEnvironment::new()).await.unwrap();
        let started = Instant::now();
        let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
        let env = RunEnvironment::new().with_mount(mount);
        let closure = say_then_wait_for(text.into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env);
        assert_eq!(run.logs().next().await.unwrap().text, "waiting");
        Self { directory, submitter, started, run }
    }

    /// Checks that the run isn't in the stage, unless this machine is so slow that it may be.
    fn assert_unstaged(&self) {
        let is_staged = self.object("manifest").exists();
        assert!(!is_staged || self.started.elapsed() >= SHORT);
    }

    /// Checks that the run is in the stage once it is detached, with these objects, and that another submitter gets its value.
    async fn detach_and_attach(self, objects: &[&str]) {
        self.assert_unstaged();
        let objects: Vec<_> = objects.iter().map(|name| self.object(name)).collect();
        release(&self.directory);
        let Self { directory, submitter, run, .. } = self;
        let id = run.detach().await.unwrap();
        assert!(objects.iter().all(|object| object.exists()));
        let other = local(&directory.path().join("stage"));
        assert_eq!(other.attach::<String>(&id).wait().await.unwrap(), "gone");
        submitter.close().await.unwrap();
        assert!(!has_runs(&directory.path().join("stage")));
    }

    /// Returns the path of an object of the run.
    fn object(&self, name: &str) -> PathBuf {
        self.directory.path().join("stage/runs").join(self.run.id()).join(name)
    }
}

fn release(directory: &tempfile::TempDir) {
    std::fs::write(directory.path().join("go"), "").unwrap();
}

fn has_runs(stage: &Path) -> bool {
    let entries = std::fs::read_dir(stage.join("runs"));
    entries.is_ok_and(|mut entries| entries.next().is_some())
}

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    let stage = Stage::in_directory(directory).unwrap();
    Submitter::new(stage, LocalRunner::new().unwrap()).unwrap()
}

#[tokio::test]
async fn short_run_is_not_in_the_stage() {
    let waiting = Waiting::start(Duration::from_secs(60)).await;
    waiting.assert_unstaged();
    let listed: Vec<_> = waiting.submitter.runs(RunScope::Live).map(Result::unwrap).collect().await;
    let listed = listed.into_iter().find(|it| it.id == waiting.run.id()).unwrap();
    assert_eq!(
        (listed.status.name(), &*listed.location),
        ("running", "in the process of its program")
    );
    let outcome = waiting.object("outcome");
    let Waiting { directory, submitter, started, run } = waiting;
    let mut value = std::pin::pin!(run.wait());
    assert!(futures::poll!(&mut value).is_pending());
    release(&directory);
    assert_eq!(value.await.unwrap(), "gone");
    assert!(!outcome.exists() || started.elapsed() >= SHORT);
    submitter.close().await.unwrap();
    assert!(!has_runs(&directory.path().join("stage")));
}

#[tokio::test]
async fn lasting_run_is_in_the_stage_until_it_is_removed() {
    let waiting = Waiting::start(Duration::from_millis(300)).await;
    let written = async {
        while !waiting.object("lease").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, written).await.unwrap();
    assert!(waiting.object("manifest").exists());
    release(&waiting.directory);
    let stage = waiting.directory.path().join("stage");
    assert_eq!(waiting.run.wait().await.unwrap(), "gone");
    waiting.submitter.close().await.unwrap();
    assert!(!has_runs(&stage));
}

#[tokio::test]
async fn detached_run_is_in_the_stage() {
    let waiting = Waiting::start(Duration::from_secs(60)).await;
    waiting.detach_and_attach(&["manifest", "lease"]).await;
}

#[tokio::test]
async fn run_that_ends_unawaited_is_in_the_stage() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let run = submitter.spawn(greet("you".into()), &RunEnvironment::new());
    // The log ends with the run.
    assert_eq!(run.logs().count().await, 0);
    let of_run = directory.path().join("runs").join(run.id());
    assert!(of_run.join("manifest").exists() && of_run.join("outcome").exists());
    assert_eq!(run.wait().await.unwrap(), "hello you");
    submitter.close().await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn run_is_attached_to_while_its_program_waits() {
    let waiting = Waiting::start(Duration::from_secs(60)).await;
    let attached = waiting.submitter.attach::<String>(waiting.run.id());
    let attached = tokio::spawn(attached.wait());
    let staged = async {
        while !waiting.object("manifest").exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(TIMEOUT, staged).await.unwrap();
    release(&waiting.directory);
    let Waiting { directory, submitter, run, .. } = waiting;
    let attached = tokio::time::timeout(TIMEOUT, attached).await.unwrap().unwrap();
    assert_eq!(attached.unwrap(), "gone");
    assert_eq!(run.wait().await.unwrap(), "gone");
    submitter.close().await.unwrap();
    assert!(!has_runs(&directory.path().join("stage")));
}

#[tokio::test]
async fn large_value_of_a_short_run_is_removed() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let text = submitter.submit(text_of(1 << 20), &RunEnvironment::new()).await.unwrap();
    assert_eq!(text.len(), 1 << 20);
    submitter.close().await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn large_arguments_and_values_of_a_short_run_are_not_in_the_stage() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    submitter.submit(greet("you".into()), &RunEnvironment::new()).await.unwrap();
    let name = "x".repeat(1 << 20);
    let run = submitter.spawn(greet(name.clone()), &RunEnvironment::new());
    let of_run = directory.path().join("runs").join(run.id());
    let (mut run, mut was_staged) = (std::pin::pin!(run.wait()), false);
    let value = std::future::poll_fn(|context| {
        was_staged |= of_run.exists();
        run.as_mut().poll(context)
    });
    assert_eq!(value.await.unwrap(), format!("hello {name}"));
    assert!(!was_staged);
    submitter.close().await.unwrap();
    assert!(!has_runs(directory.path()));
}

#[tokio::test]
async fn large_arguments_of_a_lasting_run_are_in_the_stage() {
    let text = format!("waiting\n{}", "x".repeat(1 << 20));
    let waiting = Waiting::start_with(&text, Duration::from_secs(60)).await;
    waiting.detach_and_attach(&["arguments", "manifest"]).await;
}

/// Runs each attempt by another runner, which has no component in memory.
#[derive(Debug)]
struct Forgetful {
    runners: [LocalRunner; 3],
    attempts: AtomicUsize,
}

impl RunnerOverrides for Forgetful {
    fn inner(&self) -> &dyn Runner {
        &self.runners[0]
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, hype::Result<Completion>> {
        self.runners[self.attempts.fetch_add(1, Ordering::Relaxed)].run(attempt)
    }
}

#[tokio::test]
async fn collected_component_is_staged_again() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let runners = [(); 3].map(|()| LocalRunner::new().unwrap());
    let runner = Forgetful { runners, attempts: AtomicUsize::new(0) };
    let stage = Stage::in_directory(directory.path()).unwrap();
    let submitter = Submitter::new(stage, Overridden(runner)).unwrap();
    let env = RunEnvironment::new();
    for _ in 0..2 {
        let greeting = submitter.submit(greet("you".into()), &env).await.unwrap();
        assert_eq!(greeting, "hello you");
        std::fs::remove_dir_all(directory.path().join("blobs")).unwrap();
    }
}
