//! Tests of checks: exactly the check of what is broken fails.

use std::path::Path;
use std::time::{Duration, SystemTime};

use futures::StreamExt;
use hype_stage::Stage;

use super::{Check, CheckState, Reporter, reporter, stage};

/// Returns what `work` reports.
pub(crate) async fn collect<F>(work: impl FnOnce(Reporter) -> F) -> Vec<Check>
where
    F: Future<Output = ()> + Send + 'static,
{
    reporter::stream(work).collect().await
}

/// Returns the checks of `submitter`.
#[cfg(feature = "kubernetes")]
pub(crate) async fn collect_of(submitter: crate::Submitter) -> Vec<Check> {
    submitter.check().collect().await
}

/// Returns the names of the checks in `state`.
pub(crate) fn names(checks: &[Check], state: CheckState) -> Vec<&str> {
    checks.iter().filter(|check| check.state == state).map(|check| check.name.as_str()).collect()
}

/// Returns the number of files below `directory`.
fn files(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| if path.is_dir() { files(&path) } else { 1 }).sum()
}

async fn check_stage(
    directory: &Path,
    now: impl Fn() -> SystemTime + Send + 'static,
) -> Vec<Check> {
    let stage = Stage::in_directory(directory).unwrap().with_retry_for(Duration::ZERO);
    collect(async move |reporter| stage::check(&stage, now, &reporter).await).await
}

#[tokio::test]
async fn stage_that_works_passes_and_is_left_empty() {
    let directory = tempfile::tempdir().unwrap();
    let checks = check_stage(directory.path(), SystemTime::now).await;
    assert_eq!(names(&checks, CheckState::Ok).len(), 6, "{checks:?}");
    assert_eq!(checks.len(), 6);
    // The marker of the stage.
    assert_eq!(files(directory.path()), 1);
}

#[tokio::test]
async fn unwritable_stage_fails_the_write_alone() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("runs"), "").unwrap();
    let checks = check_stage(directory.path(), SystemTime::now).await;
    assert_eq!(names(&checks, CheckState::Failed), ["stage: write"], "{checks:?}");
    assert_eq!(names(&checks, CheckState::Unknown).len(), 5, "{checks:?}");
}

#[tokio::test]
async fn skewed_clock_fails_alone() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    for (ahead, behind, is_failed) in [(4, 0, false), (6, 0, true), (0, 4, false), (0, 6, true)] {
        let directory = tempfile::tempdir().unwrap();
        let now = move || SystemTime::now() + minutes(ahead) - minutes(behind);
        let checks = check_stage(directory.path(), now).await;
        let expected: &[&str] = if is_failed { &["stage: clock"] } else { &[] };
        assert_eq!(names(&checks, CheckState::Failed), expected, "{checks:?}");
        let remedies = checks.iter().filter_map(|check| check.remedy.as_deref());
        assert!(remedies.into_iter().all(|remedy| remedy.contains("timedatectl")), "{checks:?}");
    }
}

#[tokio::test]
async fn only_faults_that_runs_meet_skip_the_run() {
    let failed = async |name: &'static str| {
        let work = async move |reporter: Reporter| {
            reporter.failed(name, &crate::Error::input("no"));
            reporter.ok("first failed", format!("{:?}", reporter.first_failed()));
        };
        collect(work).await[1].detail.clone()
    };
    for name in ["stage: list", "stage: clock", "rights: events", "rights: secrets", "commands"] {
        assert_eq!(failed(name).await, "None", "{name}");
    }
    // A run without the right to delete would leave its objects behind.
    for name in ["stage: write", "stage: delete", "rights: pods", "image", "namespace"] {
        assert_eq!(failed(name).await, format!("Some({name:?})"));
    }
}

#[cfg(feature = "local")]
mod local {
    mod old_image;

    use super::*;
    use crate::LocalRunner;
    use crate::run::submitter::Submitter;

    async fn check(directory: &Path) -> Vec<Check> {
        let stage = Stage::in_directory(directory).unwrap();
        let submitter = Submitter::new(stage, LocalRunner::new().unwrap()).unwrap();
        let checks = submitter.check().collect().await;
        submitter.close().await.unwrap();
        checks
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn submitter_that_works_passes_and_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let checks = check(directory.path()).await;
        let [run] = &checks.iter().filter(|check| check.name == "run").collect::<Vec<_>>()[..]
        else {
            panic!("{checks:?}")
        };
        assert!(run.detail.starts_with("a function ran in this process"), "{run:?}");
        // A machine may have no room for commands.
        let failed = names(&checks, CheckState::Failed);
        assert!(failed.is_empty() || failed == ["commands"], "{checks:?}");
        assert_eq!(files(directory.path()), 1);
    }

    /// Blobs can't be written, so the function can't be staged.
    #[tokio::test(flavor = "multi_thread")]
    async fn run_fails_alone() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("blobs"), "").unwrap();
        let checks = check(directory.path()).await;
        let failed = names(&checks, CheckState::Failed);
        assert_eq!(failed, ["run"], "{checks:?}");
    }
}
