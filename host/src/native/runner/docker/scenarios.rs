//! The runner and a daemon whose requests fail in turn.

mod attached;

use std::time::Duration;

use futures::future::join_all;
use hype_wire::{Digest, RunKey};

use super::daemon::Daemon;
use super::scripted::{Answer, Scripted};
use super::volumes::remove_volume;
use super::{DockerRunner, endpoint};
use crate::cleanup::background::Background;
use crate::cleanup::owned::Owned;
use crate::environment::RunEnvironment;
use crate::error::Result;
use crate::run::handover::Handover;
use crate::run::log::Log;
use crate::runner::{Attempt, Runner, Voucher};

const RUN: &str = "hype-run-abcdefghij";
const CONTAINER: &str = "hype-run-abcdefghij-1";

/// How long the daemon may be away.
const PATIENCE: Duration = Duration::from_millis(500);

/// A runner, and the daemon that it talks to.
struct Scenario {
    daemon: Scripted,
    runner: DockerRunner,
    owned: Owned,
    background: Background,
}

impl Scenario {
    async fn new() -> Self {
        let daemon = Scripted::start().await;
        let runner = DockerRunner::at(daemon.host()).unwrap().with_patience(PATIENCE).unwrap();
        let background = Background::start().unwrap();
        let owned = Owned::of_submitter(&background);
        Self { daemon, runner, owned, background }
    }

    fn run(&self) -> tokio::task::JoinHandle<Result<Voucher>> {
        tokio::spawn(self.runner.run(Attempt {
            run_id: RUN.into(),
            number: 1,
            function: "guests::greet".into(),
            component: "guests.wasm".into(),
            stage_url: "gs://bucket".into(),
            manifest_url: format!("gs://bucket/runs/{RUN}/manifest"),
            manifest_digest: Digest::of(b"manifest"),
            manifest: None,
            image: Some("a/b:1".into()),
            env: RunEnvironment::new(),
            key: RunKey::new([7; 32]),
            stage_secret: None,
            disk: 0,
            log: Log::new("run"),
            owned: self.owned.of_run(),
            handover: Handover::new(),
        }))
    }

    /// Runs it, lets it end well once it is started, and returns what came of it.
    async fn run_to_its_end(&self) -> Result<Voucher> {
        let mut run = self.run();
        tokio::select! {
            ended = &mut run => return ended.unwrap(),
            () = self.daemon.end(CONTAINER, 0) => {}
        }
        run.await.unwrap()
    }
}

/// What can go wrong with a request.
const FAULTS: [Answer; 5] =
    [Answer::Refusal(503), Answer::Refusal(500), Answer::CutOff, Answer::Lost, Answer::Hang];

/// What is asked of a daemon for a run.
const REQUESTS: [&str; 6] = [
    "GET images",
    "POST containers/create",
    "POST containers/hype-run-abcdefghij-1/attach",
    "POST containers/hype-run-abcdefghij-1/start",
    "POST containers/hype-run-abcdefghij-1/wait",
    "DELETE containers",
];

/// Whether a request that fails so, once, passes: one that hangs takes longer than a daemon may be away, and one that
/// the daemon refuses isn't made again.
fn passes(request: &str, fault: Answer) -> bool {
    let is_waited_for = request.ends_with("/wait") || request.starts_with("DELETE");
    is_waited_for || !matches!(fault, Answer::Refusal(500) | Answer::Hang)
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_fails_once_starts_one_container_and_leaves_none() {
    let cases = REQUESTS.iter().flat_map(|request| FAULTS.map(|fault| (*request, fault)));
    let cases = cases.map(|(request, fault)| async move {
        let scenario = Scenario::new().await;
        scenario.daemon.answer(request, fault);
        let ended = scenario.run_to_its_end().await;
        let starts = scenario.daemon.starts();
        match ended {
            Ok(voucher) => assert_eq!((voucher, starts), (Voucher::Key, 1), "{request} {fault:?}"),
            Err(error) => {
                let report = error.report();
                assert!(!passes(request, fault), "{request} {fault:?}: {report}");
                assert!(report.starts_with("cannot "), "{request} {fault:?}: {report}");
                assert!(starts <= 1, "{request} {fault:?}: {starts}");
            }
        }
        let Scenario { daemon, owned, background, .. } = scenario;
        drop(owned);
        tokio::task::spawn_blocking(move || drop(background)).await.unwrap();
        let is_left = request.starts_with("DELETE")
            && !matches!(fault, Answer::CutOff | Answer::Lost | Answer::Refusal(503));
        assert_eq!(daemon.containers().is_empty(), !is_left, "{request} {fault:?}");
    });
    join_all(cases).await;
}

/// It would run nothing a second time.
#[tokio::test(flavor = "multi_thread")]
async fn container_that_ended_before_its_start_was_answered_is_not_started_again() {
    let scenario = Scenario::new().await;
    scenario.daemon.answer(REQUESTS[3], Answer::Lost);
    let run = scenario.run();
    scenario.daemon.end(CONTAINER, 0).await;
    assert_eq!(run.await.unwrap().unwrap(), Voucher::Key);
    let starts = scenario.daemon.requests().iter().filter(|it| it.ends_with("/start")).count();
    assert_eq!(starts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn container_of_another_with_that_name_is_not_adopted() {
    let scenario = Scenario::new().await;
    scenario.daemon.make(CONTAINER, Default::default());
    let error = scenario.run().await.unwrap().unwrap_err();
    assert!(error.report().contains("already in use"), "{error:?}");
}

/// A daemon that doesn't come back takes its run along, and the error says what may be left.
#[tokio::test(flavor = "multi_thread")]
async fn daemon_that_stays_away_is_told_with_what_is_left() {
    let scenario = Scenario::new().await;
    for _ in 0..1000 {
        scenario.daemon.answer(&format!("GET containers/{CONTAINER}/json"), Answer::CutOff);
        scenario.daemon.answer(REQUESTS[4], Answer::CutOff);
    }
    let error = scenario.run().await.unwrap().unwrap_err();
    let report = error.report();
    assert!(error.is_lost() && report.contains("didn't come back within 500ms"), "{report}");
    assert!(report.contains("cargo hype gc removes what is left of the container"), "{report}");
    scenario.daemon.forget_answers();
}

/// A container that is being removed holds its volumes until it is gone.
#[tokio::test(flavor = "multi_thread")]
async fn volume_in_use_is_removed_at_the_next_try() {
    let daemon = Scripted::start().await;
    daemon.answer("DELETE volumes", Answer::Refusal(409));
    let reaching = Daemon::new(endpoint::at(daemon.host()).unwrap(), PATIENCE);
    remove_volume(reaching.reach().await.unwrap(), "hype-volume-a").await.unwrap();
    let removals = daemon.requests();
    let removals = removals.iter().filter(|request| request.starts_with("DELETE volumes"));
    assert_eq!(removals.count(), 2);
}
