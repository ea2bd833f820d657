//! Runs as other submitters see them: listed, followed, described, cancelled.

use std::time::Duration;

use futures::StreamExt;
use hype::run::{LogOptions, LogStream, RunOwner, RunScope, RunStatus};
use hype::{ErrorKind, HostDirectory, RunEnvironment, Submitter};
use test_guests::ends;
use test_guests::surroundings::say_then_wait_for;

/// The interval at which runs are listed; a stage sends no notifications.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The timeout for the end of a run to be listed.
const END_TIMEOUT: Duration = Duration::from_secs(60);

/// Returns a run that has printed "waiting", and continues when a file `go` is created in the directory.
async fn waiting(submitter: &Submitter) -> (tempfile::TempDir, hype::Run<String>) {
    let directory = tempfile::tempdir().unwrap();
    let mount = HostDirectory::new(directory.path()).mount_read_only("/signal");
    let env = RunEnvironment::new().with_mount(mount);
    let run = submitter.spawn(say_then_wait_for("waiting".into(), "/signal/go".into()), &env);
    assert!(run.logs().next().await.is_some());
    (directory, run)
}

fn release(directory: &tempfile::TempDir) {
    std::fs::write(directory.path().join("go"), "").unwrap();
}

async fn find(submitter: &Submitter, id: &str, scope: RunScope) -> Option<hype::run::RunInfo> {
    let runs: Vec<_> = submitter.runs(scope).map(Result::unwrap).collect().await;
    runs.into_iter().find(|run| run.id == id)
}

pub async fn running_closure_and_its_end_are_listed(submitter: &Submitter) {
    let (directory, run) = waiting(submitter).await;
    let id = run.id().to_owned();
    let listed = find(submitter, &id, RunScope::Live).await.unwrap();
    assert_eq!((listed.status, listed.owner), (RunStatus::Running, RunOwner::Live));
    assert_eq!((listed.function.as_str(), listed.attempt), ("say_then_wait_for", Some(1)));
    assert!(listed.component.contains("test"), "{}", listed.component);
    let id = run.detach().await.unwrap();
    release(&directory);
    let log = submitter.logs(&id, LogOptions { tail: None, follow: true });
    log.for_each(|_| std::future::ready(())).await;
    let end = async {
        loop {
            match find(submitter, &id, RunScope::All).await.unwrap() {
                run if run.status.is_live() => tokio::time::sleep(POLL_INTERVAL).await,
                run => break run,
            }
        }
    };
    let ended = tokio::time::timeout(END_TIMEOUT, end).await.expect("its end is listed");
    assert_eq!((ended.status, ended.owner), (RunStatus::Succeeded, RunOwner::Detached));
    assert!(find(submitter, &id, RunScope::Live).await.is_none());
    assert_eq!(submitter.attach::<String>(&id).wait().await.unwrap(), "gone");
    assert!(find(submitter, &id, RunScope::All).await.is_none());
}

pub async fn log_is_followed_while_the_closure_runs(submitter: &Submitter) {
    let (directory, run) = waiting(submitter).await;
    let existing = submitter.logs(run.id(), LogOptions::default());
    let existing: Vec<_> = existing.map(|line| line.unwrap().text).collect().await;
    assert_eq!(existing, ["waiting"]);
    let mut log = submitter.logs(run.id(), LogOptions { tail: None, follow: true });
    let first = log.next().await.unwrap().unwrap();
    assert_eq!((first.stream, first.text.as_str()), (LogStream::Stdout, "waiting"));
    release(&directory);
    assert_eq!(log.next().await.unwrap().unwrap().text, "going");
    assert_eq!(run.wait().await.unwrap(), "gone");
}

pub async fn cancel_by_another_submitter_ends_the_closure(submitter: &Submitter) {
    let (directory, run) = waiting(submitter).await;
    let (id, log) = (run.id().to_owned(), run.logs());
    submitter.cancel(&id).await.unwrap();
    release(&directory);
    let lines: Vec<_> = log.map(|line| line.text).collect().await;
    assert_eq!(lines, ["waiting"]);
    assert!(run.wait().await.unwrap_err().is_lost());
    assert!(find(submitter, &id, RunScope::All).await.is_none());
}

pub async fn description_names_the_failure(submitter: &Submitter) {
    let run = submitter.spawn(ends::panic("no weights".into()), &RunEnvironment::new());
    run.logs().for_each(|_| std::future::ready(())).await;
    let id = run.detach().await.unwrap();
    let found = submitter.find_run(&id[..id.len() - 1]).await.unwrap();
    assert_eq!(found, id);
    let details = submitter.describe(&id).await.unwrap();
    assert!(matches!(details.info.status, RunStatus::Failed(_)), "{:?}", details.info);
    let report = details.error.unwrap().report();
    assert!(report.contains("no weights") && report.contains("ends::panic"), "{report}");
    assert!(details.statistics.is_some_and(|statistics| statistics.run_us > 0));
    submitter.cancel(&id).await.unwrap();
    assert_eq!(submitter.describe(&id).await.unwrap_err().kind(), ErrorKind::Input);
}
