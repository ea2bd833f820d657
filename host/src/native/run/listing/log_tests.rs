//! Tests of logs of runs that a runner keeps in several attempts.

use std::collections::BTreeSet;
use std::future::{pending, ready};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::StreamExt;
use futures::future::BoxFuture;
use hype_stage::{CollectMode, Stage};
use hype_wire::{
    Blob, Bytes, Call, ComponentRef, End, Job, Lease, Mount, Outcome, Payload, RunManifest,
    Statistics, names,
};
use tokio::sync::watch;

use super::LogOptions;
use crate::cleanup::list::CleanupList;
use crate::environment::RunEnvironment;
use crate::error::{Error, Result};
use crate::run::attempt_logs::AttemptLogs;
use crate::run::log::{Log, LogStream};
use crate::run::submitter::Submitter;
use crate::runner::{
    Attempt, CollectedLeftovers, Completion, Description, FoundProcesses, LogMode, Plan,
    PlanRequest, ProcessInfo, ProcessPhase, Proof, Runner,
};

const RUN: &str = "hype-run-abcdefghij";

const LOCATION: &str = "script:here";

/// A runner of one run, whose attempts and output the test sets.
#[derive(Debug, Clone)]
struct Scripted {
    attempts: Arc<Mutex<Vec<Output>>>,
    changes: watch::Sender<()>,
    /// The stage from which the run is removed as soon as it has no process that is alive.
    removed_from: Arc<Mutex<Option<Stage>>>,
    locations: Arc<Mutex<BTreeSet<String>>>,
    /// Whether the processes are found only in a location that the manifest names.
    is_elsewhere: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Default)]
struct Output {
    text: String,
    has_ended: bool,
    is_removed: bool,
}

impl Scripted {
    fn new() -> Self {
        Self {
            attempts: Arc::default(),
            changes: watch::Sender::new(()),
            removed_from: Arc::default(),
            locations: Arc::default(),
            is_elsewhere: Arc::default(),
        }
    }

    fn remove_before_next_look(&self, stage: Stage) {
        *self.removed_from.lock().unwrap() = Some(stage);
    }

    /// Starts an attempt that has written `text`.
    fn start(&self, text: &str) {
        let output = Output { text: text.to_owned(), ..Output::default() };
        self.attempts.lock().unwrap().push(output);
        self.changes.send_replace(());
    }

    /// Writes `text` and ends the latest attempt.
    fn end(&self, text: &str) {
        let mut attempts = self.attempts.lock().unwrap();
        let last = attempts.last_mut().unwrap();
        last.text.push_str(text);
        last.has_ended = true;
        self.changes.send_replace(());
    }

    fn is_searched(&self) -> bool {
        self.locations.lock().unwrap().contains(LOCATION)
    }

    fn output(&self, attempt: u32) -> Output {
        self.attempts.lock().unwrap()[attempt as usize - 1].clone()
    }
}

/// The number of copied lines, which truncates the log when it is dropped.
struct Copied(Log, usize);

impl Drop for Copied {
    fn drop(&mut self) {
        self.0.mark_truncated(self.1, 0);
    }
}

impl Runner for Scripted {
    fn description(&self) -> Description {
        Description { location: "in a script".to_owned(), outlives_program: true }
    }

    fn plan<'a>(&'a self, _: PlanRequest<'a>) -> BoxFuture<'a, Result<Plan>> {
        Box::pin(pending())
    }

    fn mounts<'a>(
        &'a self,
        _: &'a RunEnvironment,
        _: &'a CleanupList,
    ) -> BoxFuture<'a, Result<Vec<Mount>>> {
        Box::pin(pending())
    }

    fn run(&self, _: Attempt) -> BoxFuture<'static, Result<Completion>> {
        Box::pin(pending())
    }

    fn add_search_location(&self, _: &str, location: &str) -> bool {
        self.locations.lock().unwrap().insert(location.to_owned());
        true
    }

    fn check_removable<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn is_alive<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<bool>> {
        Box::pin(async {
            if !self.is_searched() {
                return Err(Error::runner("cannot search script:elsewhere", "forbidden"));
            }
            let is_alive = self.attempts.lock().unwrap().iter().any(|output| !output.has_ended);
            let removed_from = self.removed_from.lock().unwrap().clone();
            if let Some(stage) = removed_from.filter(|_| !is_alive) {
                self.attempts
                    .lock()
                    .unwrap()
                    .iter_mut()
                    .for_each(|output| output.is_removed = true);
                stage.remove_run(RUN).await.unwrap();
                stage.remove(&[names::lease(RUN)]).await.unwrap();
            }
            Ok(is_alive)
        })
    }

    fn proof<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Proof>>> {
        Box::pin(ready(Ok(None)))
    }

    fn failure<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Option<Error>>> {
        Box::pin(ready(Ok(None)))
    }

    fn processes<'a>(&'a self, _: Option<&'a str>) -> BoxFuture<'a, Result<FoundProcesses>> {
        if self.is_elsewhere.load(Ordering::Relaxed) && !self.is_searched() {
            return Box::pin(ready(Ok(FoundProcesses::default())));
        }
        let attempts = self.attempts.lock().unwrap();
        let kept = attempts.iter().zip(1..).filter(|(output, _)| !output.is_removed);
        let processes = kept.map(|(output, attempt)| {
            let phase = match output.has_ended {
                true => ProcessPhase::Ended("ended".to_owned()),
                false => ProcessPhase::Running,
            };
            ProcessInfo::new(RUN, attempt, format!("script {attempt}"), phase)
        });
        Box::pin(ready(Ok(FoundProcesses::from(processes.collect::<Vec<_>>()))))
    }

    fn copy_log(&self, _: &str, attempt: u32, log: Log, mode: LogMode) -> BoxFuture<'static, ()> {
        let (script, mut changes) = (self.clone(), self.changes.subscribe());
        Box::pin(async move {
            let mut copied = Copied(log, 0);
            loop {
                let output = script.output(attempt);
                for line in output.text.split_inclusive('\n').skip(copied.1) {
                    copied.0.write(LogStream::Stdout, line.as_bytes());
                    copied.1 += 1;
                }
                if output.has_ended || mode == LogMode::Existing {
                    return;
                }
                changes.changed().await.unwrap();
            }
        })
    }

    fn remove(&self, _: &str, _: bool) -> BoxFuture<'static, Result<()>> {
        Box::pin(ready(Ok(())))
    }

    fn collect<'a>(
        &'a self,
        _: CollectMode,
        _: &'a BTreeSet<String>,
    ) -> BoxFuture<'a, Result<CollectedLeftovers>> {
        Box::pin(ready(Ok(CollectedLeftovers::default())))
    }
}

/// A run of a program that exists, in a stage.
struct Site {
    stage: Stage,
    submitter: Submitter,
    script: Scripted,
    _directory: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (stage, script) = (Stage::in_directory(directory.path()).unwrap(), Scripted::new());
        let submitter = Submitter::new(stage.clone(), script.clone()).unwrap();
        let component = ComponentRef { name: "models.wasm".into(), blob: Blob::of(b"component") };
        let call = Call::closure("train", Payload::Inline(Bytes(Vec::new())));
        let mut manifest = RunManifest::new(RUN.parse().unwrap(), Job::new(component), call);
        manifest.place = Some(LOCATION.into());
        stage.put(&names::manifest(RUN), manifest.to_bytes().unwrap().into()).await.unwrap();
        let site = Self { stage, submitter, script, _directory: directory };
        site.write_lease(Duration::from_secs(3600)).await;
        site
    }

    async fn write_lease(&self, term: Duration) {
        let lease = Lease::new(RUN.parse().unwrap(), "train", "owner", term);
        self.stage.put(&names::lease(RUN), lease.to_bytes().unwrap().into()).await.unwrap();
    }

    /// Stops the clock of the stage, as if no program could write to the stage.
    async fn stop_clock(&self) {
        let clock = self._directory.path().join(names::CLOCK);
        std::fs::create_dir_all(clock.join("full")).unwrap();
        self.stage.now().await.unwrap_err();
    }

    /// Writes the outcome of an attempt that wrote `stdout`.
    async fn write_outcome(&self, attempt: u32, stdout: &str) -> Outcome {
        let end = End::Value(Payload::Inline(vec![1].into()));
        let mut outcome = Outcome::new(RUN.parse().unwrap(), attempt, end, Statistics::default());
        outcome.stdout = stdout.as_bytes().to_vec().into();
        let bytes = outcome.to_bytes().unwrap();
        self.stage.put(&names::outcome(RUN), bytes.into()).await.unwrap();
        outcome
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_run_continues_with_its_next_attempt() {
    let site = Site::new().await;
    site.script.start("one\n");
    let mut lines = site.submitter.logs(RUN, LogOptions { tail: None, follow: true });
    assert_eq!(lines.next().await.unwrap().unwrap().text, "one");
    site.script.end("two\n");
    assert_eq!(lines.next().await.unwrap().unwrap().text, "two");
    // Its program starts the next attempt later than the log is searched for the end.
    let early = tokio::time::timeout(Duration::from_millis(1500), lines.next()).await;
    assert!(early.is_err(), "{early:?}");
    site.script.start("three\n");
    assert_eq!(lines.next().await.unwrap().unwrap().text, "three");
    site.script.end("four\n");
    site.write_outcome(2, "three\nfour\n").await;
    let rest: Vec<_> = lines.map(|line| line.unwrap().text).collect().await;
    assert_eq!(rest, ["four"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_of_a_long_log_skips_all_earlier_lines() {
    let site = Site::new().await;
    let all: String = (0..25_000).map(|number| format!("{number}\n")).collect();
    site.script.start(&format!("{all}unfin"));
    let mut lines = site.submitter.logs(RUN, LogOptions { tail: Some(2), follow: true });
    for expected in ["24998", "24999"] {
        assert_eq!(lines.next().await.unwrap().unwrap().text, expected);
    }
    site.script.end("ished\nlast\n");
    site.write_outcome(1, "unfinished\nlast\n").await;
    let rest: Vec<_> = lines.map(|line| line.unwrap().text).collect().await;
    assert_eq!(rest.last().map(String::as_str), Some("last"));
    assert!(rest.len() <= 2, "{} lines", rest.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_lost_run_has_all_lines() {
    let site = Site::new().await;
    site.write_lease(Duration::ZERO).await;
    site.script.start("one\n");
    site.script.end("two\nunfinished");
    let lines = site.submitter.logs(RUN, LogOptions { tail: None, follow: true });
    let lines: Vec<_> = lines.map(|line| line.unwrap().text).collect().await;
    assert_eq!(lines, ["one", "two", "unfinished"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_lost_run_ends_without_a_clock() {
    let site = Site::new().await;
    site.write_lease(Duration::from_millis(100)).await;
    site.stop_clock().await;
    site.script.start("one\n");
    site.script.end("two\n");
    let lines = site.submitter.logs(RUN, LogOptions { tail: None, follow: true });
    let lines = tokio::time::timeout(Duration::from_secs(60), lines.collect::<Vec<_>>());
    let lines: Vec<_> = lines.await.unwrap().into_iter().map(|line| line.unwrap().text).collect();
    assert_eq!(lines, ["one", "two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn follower_reports_a_loss_without_a_clock() {
    let site = Site::new().await;
    site.write_lease(Duration::from_millis(100)).await;
    site.stop_clock().await;
    let mut lines = site.submitter.logs(RUN, LogOptions { tail: None, follow: true });
    let line = tokio::time::timeout(Duration::from_secs(60), lines.next()).await.unwrap();
    assert!(line.unwrap().unwrap_err().is_lost());
}

#[tokio::test(flavor = "multi_thread")]
async fn lost_run_in_a_location_of_its_manifest_has_its_lines() {
    for follow in [false, true] {
        let site = Site::new().await;
        site.write_lease(Duration::ZERO).await;
        site.script.is_elsewhere.store(true, Ordering::Relaxed);
        site.script.start("one\n");
        site.script.end("two\n");
        let lines = site.submitter.logs(RUN, LogOptions { tail: None, follow });
        let lines: Vec<_> = lines.map(|line| line.unwrap().text).collect().await;
        assert_eq!(lines, ["one", "two"], "{follow}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn end_without_an_outcome_copies_all_attempts() {
    let site = Site::new().await;
    site.script.start("one\n");
    let log = Log::silent();
    let attempts = AttemptLogs::starting_with(1, &site.script, RUN, &log);
    site.script.end("two\n");
    site.script.start("three\n");
    site.script.end("");
    attempts.finish(attempts.follow(), &site.stage, None).await;
    assert_eq!(log.last(10), ["one", "two", "three"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn followed_run_ends_when_its_program_removes_it() {
    let site = Site::new().await;
    site.script.start("one\n");
    let mut lines = site.submitter.logs(RUN, LogOptions { tail: None, follow: true });
    assert_eq!(lines.next().await.unwrap().unwrap().text, "one");
    // The search for the run's state comes after its manifest was found.
    site.script.remove_before_next_look(site.stage.clone());
    site.script.end("two\n");
    let rest: Vec<_> = lines.map(|line| line.unwrap().text).collect().await;
    assert_eq!(rest, ["two"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn tail_of_an_attempt_continues_with_its_own_lines() {
    let site = Site::new().await;
    site.script.start("one\ntwo\n");
    let log = Log::silent();
    let attempts = AttemptLogs::starting_with(1, &site.script, RUN, &log);
    site.script.end("");
    site.script.start("a\nb\n");
    let mut following = attempts.follow();
    let copied = log.follow().take(3).collect::<Vec<_>>();
    let copied = tokio::time::timeout(Duration::from_secs(60), copied);
    tokio::select! {
        never = &mut following => match never {},
        copied = copied => assert_eq!(copied.unwrap()[2].text, "a"),
    }
    drop(following);
    assert_eq!(log.last(10), ["one", "two", "a", "b"]);
}

/// The container of the last attempt is removed before its output is copied.
#[tokio::test(flavor = "multi_thread")]
async fn outcome_of_a_later_attempt_skips_no_lines_of_an_earlier_one() {
    let site = Site::new().await;
    site.script.start("one\ntwo\n");
    site.script.end("three\n");
    let outcome = site.write_outcome(2, "a\nb\n").await;
    let log = Log::silent();
    let attempts = AttemptLogs::new(&site.script, RUN, &log);
    let mut following = attempts.follow();
    let copied = log.follow().take(3).collect::<Vec<_>>();
    tokio::select! {
        never = &mut following => match never {},
        copied = copied => assert_eq!(copied.len(), 3),
    }
    attempts.finish(following, &site.stage, Some(&outcome)).await;
    assert_eq!(log.last(10), ["one", "two", "three", "a", "b"]);
}
