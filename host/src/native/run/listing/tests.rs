//! Tests of lists over a stage that is written by hand.

use std::time::{Duration, Instant};

use futures::StreamExt;
use hype_stage::Stage;
use hype_wire::{
    Blob, Bytes, Call, ComponentRef, End, Failure, FailureKind, Job, Lease, LiveRun, Outcome,
    Payload, RunManifest, Statistics, names,
};

use super::{LogOptions, RunInfo, RunOwner, RunScope, RunStatus};
use crate::error::ErrorKind;
use crate::run::log::LogStream;
use crate::run::submitter::Submitter;
use crate::runner::LocalRunner;

/// A stage with runs of other programs, and a local submitter.
struct Written {
    stage: Stage,
    submitter: Submitter,
    directory: tempfile::TempDir,
}

impl Written {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stage = Stage::in_directory(&directory.path().join("stage")).unwrap();
        let runner = LocalRunner::new().unwrap();
        let runner = runner.with_volumes(directory.path().join("volumes")).unwrap();
        let submitter = Submitter::new(stage.clone(), runner).unwrap();
        Self { stage, submitter, directory }
    }

    async fn put(&self, name: &str, bytes: Vec<u8>) {
        self.stage.put(name, bytes.into()).await.unwrap();
    }

    async fn write_manifest(&self, id: &str) {
        let component = ComponentRef { name: "models.wasm".into(), blob: Blob::of(b"component") };
        let call = Call::closure("models::train", Payload::Inline(Bytes(Vec::new())));
        let manifest = RunManifest::new(id.parse().unwrap(), Job::new(component), call);
        self.put(&names::manifest(id), manifest.to_bytes().unwrap()).await;
    }

    async fn write_live(&self, id: &str) {
        self.write_manifest(id).await;
        let mut entry = LiveRun::new(id.parse().unwrap(), "train", "models.wasm");
        entry.set_age(Duration::from_secs(5));
        self.put(&names::live(id), entry.to_bytes().unwrap()).await;
        self.write_lease(id, false).await;
    }

    async fn write_lease(&self, id: &str, is_detached: bool) {
        let mut lease = Lease::new(id.parse().unwrap(), "train", "owner", Duration::from_secs(60));
        lease.detached = is_detached;
        self.put(&names::lease(id), lease.to_bytes().unwrap()).await;
    }

    async fn write_outcome(&self, id: &str, end: End) {
        let mut outcome = Outcome::new(id.parse().unwrap(), 1, end, Statistics::default());
        outcome.stdout = b"one\ntwo\n".to_vec().into();
        outcome.stderr = b"no weights\n".to_vec().into();
        self.put(&names::outcome(id), outcome.to_bytes().unwrap()).await;
    }

    async fn runs(&self, scope: RunScope) -> Vec<RunInfo> {
        self.submitter.runs(scope).map(Result::unwrap).collect().await
    }

    /// Moves the time of an object to a day ago.
    fn age_object(&self, name: &str) {
        let path = self.directory.path().join("stage").join(name);
        let file = std::fs::File::options().write(true).open(path).unwrap();
        let day = Duration::from_secs(24 * 3600);
        file.set_modified(std::time::SystemTime::now() - day).unwrap();
    }
}

fn failure() -> End {
    End::Failure(Failure::new(FailureKind::Panic, "no weights"))
}

#[tokio::test(flavor = "multi_thread")]
async fn live_runs_are_listed_without_ended_ones() {
    let written = Written::new();
    written.write_live("hype-run-live").await;
    written.write_live("hype-run-failed").await;
    written.write_outcome("hype-run-failed", failure()).await;
    written.write_live("hype-run-lost").await;
    written.age_object("runs/hype-run-lost/lease");
    let live = written.runs(RunScope::Live).await;
    let [run] = &live[..] else { panic!("{live:?}") };
    assert_eq!(
        (run.id.as_str(), &run.status, run.owner),
        ("hype-run-live", &RunStatus::Running, RunOwner::Live)
    );
    assert_eq!((run.function.as_str(), run.component.as_str()), ("train", "models.wasm"));
    assert!(run.age.unwrap() >= Duration::from_secs(5), "{run:?}");
    let all = written.runs(RunScope::All).await;
    let status: Vec<_> = all.iter().map(|run| (run.id.as_str(), run.status.name())).collect();
    let expected =
        [("hype-run-failed", "failed"), ("hype-run-live", "running"), ("hype-run-lost", "lost")];
    assert_eq!(status, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn stale_entry_of_a_removed_run_is_not_listed() {
    let written = Written::new();
    written.write_live("hype-run-gone").await;
    let objects = [names::manifest("hype-run-gone"), names::lease("hype-run-gone")];
    written.stage.remove(&objects).await.unwrap();
    assert_eq!(written.runs(RunScope::Live).await, []);
    assert_eq!(written.runs(RunScope::All).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_ended_runs_cost_nothing() {
    let written = Written::new();
    let runs = written.directory.path().join("stage/runs");
    for number in 0..10_000 {
        let run = runs.join(format!("hype-run-old{number:05}"));
        std::fs::create_dir_all(&run).unwrap();
        std::fs::write(run.join("outcome"), "x").unwrap();
    }
    for number in 0..5 {
        written.write_live(&format!("hype-run-live{number}")).await;
    }
    let begun = Instant::now();
    let live = written.runs(RunScope::Live).await;
    let took = begun.elapsed();
    assert_eq!(live.len(), 5, "{live:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_run_is_described_with_its_statistics_and_log() {
    let written = Written::new();
    written.write_manifest("hype-run-failed").await;
    written.write_lease("hype-run-failed", true).await;
    written.write_outcome("hype-run-failed", failure()).await;
    let id = written.submitter.find_run("fai").await.unwrap();
    let details = written.submitter.describe(&id).await.unwrap();
    assert_eq!(details.info.owner, RunOwner::Detached);
    assert!(details.statistics.is_some() && details.processes.is_empty());
    let report = details.error.unwrap().report();
    assert!(report.contains("no weights"), "{report}");
    let lines = written.submitter.logs(&id, LogOptions { tail: Some(2), follow: false });
    let lines: Vec<_> = lines.map(Result::unwrap).collect().await;
    let lines: Vec<_> = lines.iter().map(|line| (line.stream, line.text.as_str())).collect();
    assert_eq!(lines, [(LogStream::Stdout, "two"), (LogStream::Stderr, "no weights")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn log_of_a_run_in_an_unreachable_process_waits_for_its_end() {
    let written = Written::new();
    let id = "hype-run-elsewhere";
    written.write_live(id).await;
    let mut now = written.submitter.logs(id, LogOptions::default());
    let error = now.next().await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.report().contains("not visible here yet"), "{error:?}");
    let mut followed = written.submitter.logs(id, LogOptions { tail: None, follow: true });
    written.write_outcome(id, failure()).await;
    assert_eq!(followed.next().await.unwrap().unwrap().text, "one");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_run_is_an_input_error() {
    let written = Written::new();
    let error = written.submitter.describe("hype-run-none").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    let mut lines = written.submitter.logs("hype-run-none", LogOptions::default());
    let error = lines.next().await.unwrap().unwrap_err();
    assert!(error.to_string().starts_with("there is no run hype-run-none in "), "{error:?}");
    assert_eq!(written.submitter.find_run("x").await.unwrap_err().kind(), ErrorKind::Input);
}
