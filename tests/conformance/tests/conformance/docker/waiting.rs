//! A waiting closure in a container, for tests that disturb it.

use futures::StreamExt;
use hype::{DockerRunner, HostDirectory, RunEnvironment};
use test_guests::surroundings::say_then_wait_for;

use super::{assert_gone, containers, submitter};

/// A closure that has printed "waiting", and its container.
pub(crate) struct Waiting {
    pub(crate) stage: tempfile::TempDir,
    pub(crate) signal: tempfile::TempDir,
    pub(crate) run: hype::Run<String>,
    pub(crate) container: String,
}

impl Waiting {
    pub(crate) async fn start(env: &RunEnvironment) -> Self {
        let waiting = Self::begin(env, DockerRunner::new().unwrap()).await;
        assert_eq!(containers(waiting.run.id()), waiting.container);
        waiting
    }

    pub(crate) async fn begin(env: &RunEnvironment, runner: DockerRunner) -> Self {
        let (stage, submitter) = submitter(|_| runner);
        let signal = tempfile::tempdir().unwrap();
        let mount = HostDirectory::new(signal.path()).mount_read_only("/signal");
        let closure = say_then_wait_for("waiting".into(), "/signal/go".into());
        let run = submitter.spawn(closure, &env.with_mount(mount));
        let line = run.logs().next().await.map(|line| line.text);
        if line.as_deref() != Some("waiting") {
            panic!("{:?}", run.wait().await);
        }
        let container = format!("{}-1", run.id());
        Self { stage, signal, run, container }
    }

    /// Returns the report of the run's error, and checks that its container is gone.
    pub(crate) async fn lost(self) -> String {
        let id = self.run.id().to_owned();
        let error = self.run.wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert_gone(&id);
        error.report()
    }
}
