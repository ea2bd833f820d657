//! Tests of the runner against a fake daemon with injected faults.

mod attached;
mod checked;
mod configured;
mod logs;
mod maps;
mod ownership;

use std::time::Duration;

use futures::future::join_all;
use hype_wire::{Digest, RunKey};

use super::daemon::Daemon;
use super::fake_daemon::{FakeDaemon, Fault};
use super::volumes::remove_volume;
use super::{DockerRunner, endpoint};
use crate::cleanup::background::Background;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::run::handover::Handover;
use crate::run::key_store::KeyStore;
use crate::run::log::Log;
use crate::runner::{Attempt, Completion, Runner};

const RUN: &str = "hype-run-abcdefghij";
const CONTAINER: &str = "hype-run-abcdefghij-1";

/// The runner's reconnect timeout.
const RECONNECT_TIMEOUT: Duration = Duration::from_millis(500);

/// A runner with its fake daemon.
struct Scenario {
    daemon: FakeDaemon,
    runner: DockerRunner,
    cleanup: CleanupList,
    background: Background,
    keys: KeyStore,
    _state: tempfile::TempDir,
}

impl Scenario {
    async fn new() -> Self {
        let daemon = FakeDaemon::start().await;
        let runner = DockerRunner::at(daemon.host())
            .unwrap()
            .with_reconnect_timeout(RECONNECT_TIMEOUT)
            .unwrap();
        let state = tempfile::tempdir().unwrap();
        let keys = KeyStore::at(&state.path().join("keys"));
        let runner = runner.with_keys(keys.clone()).unwrap();
        let background = Background::start().unwrap();
        let cleanup = CleanupList::of_submitter(&background);
        Self { daemon, runner, cleanup, background, keys, _state: state }
    }

    fn run(&self) -> tokio::task::JoinHandle<Result<Completion>> {
        tokio::spawn(self.runner.run(self.attempt()))
    }

    fn attempt(&self) -> Attempt {
        Attempt {
            run_id: RUN.into(),
            number: 1,
            function: "guests::greet".into(),
            component: "guests.wasm".into(),
            stage_url: "gs://bucket".into(),
            manifest_url: format!("gs://bucket/runs/{RUN}/manifest"),
            manifest_digest: Digest::of(b"manifest"),
            manifest: None,
            unstaged: None,
            arguments: None,
            image: Some("a/b:1".into()),
            env: RunEnvironment::new(),
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            cleanup: self.cleanup.of_run(),
            handover: Handover::new(),
        }
    }

    /// Runs an attempt whose container exits successfully, and returns the result.
    async fn run_to_its_end(&self) -> Result<Completion> {
        let mut run = self.run();
        tokio::select! {
            ended = &mut run => return ended.unwrap(),
            () = self.daemon.end(CONTAINER, 0) => {}
        }
        run.await.unwrap()
    }
}

/// All faults of a request.
const FAULTS: [Fault; 5] =
    [Fault::Error(503), Fault::Error(500), Fault::Disconnect, Fault::LostResponse, Fault::Hang];

/// The requests of one run.
const REQUESTS: [&str; 6] = [
    "GET images",
    "POST containers/create",
    "POST containers/hype-run-abcdefghij-1/attach",
    "POST containers/hype-run-abcdefghij-1/start",
    "POST containers/hype-run-abcdefghij-1/wait",
    "DELETE containers",
];

/// Returns whether a run survives one such fault. A request that hangs exceeds the reconnect timeout, and one with an
/// internal error is not retried.
fn is_survived(request: &str, fault: Fault) -> bool {
    let is_waited_for = request.ends_with("/wait") || request.starts_with("DELETE");
    is_waited_for || !matches!(fault, Fault::Error(500) | Fault::Hang)
}

#[tokio::test(flavor = "multi_thread")]
async fn daemon_fault_starts_no_second_container_and_leaks_none() {
    let cases = REQUESTS.iter().flat_map(|request| FAULTS.map(|fault| (*request, fault)));
    let cases = cases.map(|(request, fault)| async move {
        let scenario = Scenario::new().await;
        scenario.daemon.inject(request, fault);
        let ended = scenario.run_to_its_end().await;
        let starts = scenario.daemon.starts();
        match ended {
            Ok(completion) => {
                assert_eq!((completion, starts), (Completion::Sealed, 1), "{request} {fault:?}")
            }
            Err(error) => {
                let report = error.report();
                assert!(!is_survived(request, fault), "{request} {fault:?}: {report}");
                assert!(report.starts_with("cannot "), "{request} {fault:?}: {report}");
                assert!(starts <= 1, "{request} {fault:?}: {starts}");
            }
        }
        let Scenario { daemon, cleanup, background, .. } = scenario;
        drop(cleanup);
        tokio::task::spawn_blocking(move || drop(background)).await.unwrap();
        let is_left = request.starts_with("DELETE")
            && !matches!(fault, Fault::Disconnect | Fault::LostResponse | Fault::Error(503));
        assert_eq!(daemon.containers().is_empty(), !is_left, "{request} {fault:?}");
    });
    join_all(cases).await;
}

/// A second start would run nothing.
#[tokio::test(flavor = "multi_thread")]
async fn container_that_ended_early_is_not_restarted() {
    let scenario = Scenario::new().await;
    scenario.daemon.inject(REQUESTS[3], Fault::LostResponse);
    let run = scenario.run();
    scenario.daemon.end(CONTAINER, 0).await;
    assert_eq!(run.await.unwrap().unwrap(), Completion::Sealed);
    let starts = scenario.daemon.requests().iter().filter(|it| it.ends_with("/start")).count();
    assert_eq!(starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_container_of_the_same_name_is_not_adopted() {
    let scenario = Scenario::new().await;
    scenario.daemon.add_container(CONTAINER, Default::default());
    let error = scenario.run().await.unwrap().unwrap_err();
    assert!(error.report().contains("already in use"), "{error:?}");
}

/// The run is lost, and the error names possible leftovers.
#[tokio::test(flavor = "multi_thread")]
async fn permanent_outage_is_reported_with_leftovers() {
    let scenario = Scenario::new().await;
    for _ in 0..1000 {
        scenario.daemon.inject(&format!("GET containers/{CONTAINER}/json"), Fault::Disconnect);
        scenario.daemon.inject(REQUESTS[4], Fault::Disconnect);
    }
    let error = scenario.run().await.unwrap().unwrap_err();
    let report = error.report();
    assert!(error.is_lost() && report.contains("was unreachable for 500ms"), "{report}");
    assert!(report.contains("cargo hype gc removes what is left of the container"), "{report}");
    scenario.daemon.clear_faults();
}

/// A container that is being removed uses its volumes until it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn removal_of_volume_in_use_is_retried() {
    let daemon = FakeDaemon::start().await;
    daemon.inject("DELETE volumes", Fault::Error(409));
    let connection = Daemon::new(endpoint::at(daemon.host()).unwrap(), RECONNECT_TIMEOUT);
    remove_volume(connection.connect().await.unwrap(), "hype-volume-a").await.unwrap();
    let requests = daemon.requests();
    let removals = requests.iter().filter(|request| request.starts_with("DELETE volumes"));
    assert_eq!(removals.count(), 2);
}
