//! Programs that are interrupted or killed: cleanup, persistence and takeover by other processes.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use conformance::overridden::{Overridden, RunnerOverrides, WithoutMounts};
use futures::StreamExt;
use futures::future::BoxFuture;
use hype::__internal::submitter_with_lease_term;
use hype::runner::{Attempt, Completion, Description, Runner};
use hype::stage::CollectMode;
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::ends::sleep;
use test_guests::surroundings::say_then_wait_for;

/// A process that is killed when this is dropped.
struct Program {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    directory: tempfile::TempDir,
}

impl Program {
    /// Starts a program and waits until its closure waits.
    fn waiting(mode: &str) -> Self {
        let mut program = Self::start(mode);
        program.wait_for("waiting");
        assert_eq!(count(&program.directory.path().join("stage/runs")), 1);
        // A persistent volume, a transient one, and the lock of its owner.
        assert_eq!(count(&program.directory.path().join("volumes")), 3);
        program
    }

    fn start(mode: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[mode])
    }

    /// Starts a program in this directory, with its mode and further arguments.
    fn start_in(directory: tempfile::TempDir, arguments: &[&str]) -> Self {
        conformance::build_guests();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interrupted"))
            .arg(arguments[0])
            .arg(directory.path())
            .args(&arguments[1..])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        Self { child, stderr, directory }
    }

    /// Returns the id of the program's run, and a submitter over the same stage.
    fn run(&self) -> (String, Submitter) {
        let stage = self.directory.path().join("stage");
        let mut runs = fs::read_dir(stage.join("runs")).unwrap();
        let id = runs.next().unwrap().unwrap().file_name().into_string().unwrap();
        let stage = Stage::in_directory(&stage).unwrap();
        let term = Duration::from_secs(1);
        (id, submitter_with_lease_term(stage, runner(self.directory.path()), term).unwrap())
    }

    fn wait_for(&mut self, line: &str) {
        let found = self.stderr.find(|read| read.as_ref().unwrap() == line);
        found.unwrap_or_else(|| panic!("the program must print {line}")).unwrap();
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Waits for the end. Returns the exit status, the rest of the standard error, and the directory.
    fn end(mut self) -> (i32, String, tempfile::TempDir) {
        let stderr: Vec<_> = self.stderr.by_ref().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap().code().expect("it must end by itself");
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        (status, stderr.join("\n"), directory)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Creates a runner that shares the program's volumes.
fn runner(directory: &Path) -> LocalRunner {
    LocalRunner::new().unwrap().with_volumes(directory.join("volumes")).unwrap()
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

fn assert_only_what_persists(directory: &Path) {
    assert_eq!(count(&directory.join("stage/runs")), 0);
    let volumes: Vec<_> = fs::read_dir(directory.join("volumes"))
        .unwrap()
        .map(|volume| volume.unwrap().file_name())
        .collect();
    assert_eq!(volumes, ["kept"]);
    assert_eq!(fs::read_to_string(directory.join("volumes/kept/data/word")).unwrap(), "word");
}

#[tokio::test]
async fn other_process_attaches_to_detached_run() {
    let mut program = Program::start("detached");
    program.wait_for("detached");
    let (id, submitter) = program.run();
    // The run lasts longer than several lease terms.
    submitter.attach::<()>(&id).wait().await.unwrap();
    assert_eq!(count(&program.directory.path().join("stage/runs")), 0);
}

#[tokio::test]
async fn run_killed_with_its_owner_is_lost() {
    for mode in ["async", "detached"] {
        let mut program = Program::start(mode);
        program.wait_for(if mode == "async" { "waiting" } else { mode });
        let (id, submitter) = program.run();
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        let error = submitter.attach::<()>(&id).wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("its owner is gone"), "{error:?}");
        assert_eq!(count(&program.directory.path().join("stage/runs")), 0);
        if mode == "async" {
            assert_only_what_persists(program.directory.path());
        }
    }
}

#[tokio::test]
async fn collection_removes_volume_of_killed_program() {
    let mut program = Program::waiting("async");
    let stage = Stage::in_directory(&program.directory.path().join("stage")).unwrap();
    let submitter = Submitter::new(stage, runner(program.directory.path())).unwrap();
    // Other tests leave dead sockets and temporary directories.
    let collect = async |mode| {
        let mut removed = submitter.collect_leftovers(mode).await.unwrap().removed;
        removed.retain(|name| name.starts_with("volume "));
        removed
    };
    assert_eq!(collect(CollectMode::Delete).await, [""; 0]);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let volumes = || count(&program.directory.path().join("volumes"));
    let [volume] = &collect(CollectMode::DryRun).await[..] else { panic!("one volume") };
    assert!(volume.starts_with("volume hype-volume-"), "{volume}");
    assert_eq!((volumes(), collect(CollectMode::Delete).await.len(), volumes()), (3, 1, 1));
}

/// Returns whether the lease of the program's only run says that it was detached.
fn is_detached(directory: &Path) -> bool {
    let Ok(mut runs) = fs::read_dir(directory.join("stage/runs")) else { return false };
    let Some(run) = runs.next() else { return false };
    fs::read(run.unwrap().path().join("lease"))
        .is_ok_and(|bytes| hype_wire::Lease::from_bytes(&bytes).unwrap().detached)
}

#[test]
fn program_exit_waits_for_detach() {
    let mut program = Program::start("late");
    let waiting =
        program.stderr.find(|line| line.as_ref().unwrap().contains("hype: waiting until"));
    let waiting = waiting.unwrap().unwrap();
    assert!(
        waiting.ends_with("which is being detached, goes on elsewhere without this program"),
        "{waiting}"
    );
    assert!(!is_detached(program.directory.path()));
    fs::write(program.directory.path().join("handover"), "").unwrap();
    let (status, stderr, directory) = program.end();
    assert_eq!(status, 0, "{stderr}");
    assert!(is_detached(directory.path()));
}

#[test]
fn ctrl_c_during_detach_removes_the_run() {
    let mut program = Program::start("late");
    let mut lines = program.stderr.by_ref().map(Result::unwrap);
    lines.find(|line| line.contains("hype: waiting until")).unwrap();
    program.send("-INT");
    let (status, stderr, directory) = program.end();
    assert_eq!(status, 130, "{stderr}");
    assert_eq!(count(&directory.path().join("stage/runs")), 0, "{stderr}");
}

#[tokio::test]
async fn ctrl_c_in_attached_program_keeps_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut detached = Program::start_in(directory, &["detached", "8"]);
    detached.wait_for("detached");
    let (id, submitter) = detached.run();
    for signal in ["-INT", "-TERM", "-KILL"] {
        // Both programs use the directory of the first.
        let mut child = Command::new(env!("CARGO_BIN_EXE_interrupted"))
            .args(["attach".as_ref(), detached.directory.path(), id.as_ref()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line == "attached").unwrap();
        let attached = child.id().to_string();
        assert!(Command::new("kill").args([signal, &attached]).status().unwrap().success());
        let stderr: Vec<_> = lines.collect();
        child.wait().unwrap();
        let hint = format!(
            "hype: {id} stays as it is: submitter.attach::<T>(\"{id}\") waits for it again"
        );
        assert_eq!(stderr.contains(&hint), signal != "-KILL", "{stderr:?}");
    }
    submitter.attach::<()>(&id).wait().await.unwrap();
    assert_eq!(count(&detached.directory.path().join("stage/runs")), 0);
}

#[test]
fn ctrl_c_removes_run_and_transient_volume() {
    for mode in ["async", "task", "plain"] {
        let program = Program::waiting(mode);
        program.send("-INT");
        let (status, stderr, directory) = program.end();
        assert_eq!(status, 130, "{mode}: {stderr}");
        assert_eq!(stderr, "hype: stopping; press Ctrl-C again to leave at once", "{mode}");
        assert_only_what_persists(directory.path());
    }
}

#[test]
fn sigterm_removes_run_and_transient_volume() {
    for mode in ["async", "plain"] {
        let program = Program::waiting(mode);
        program.send("-TERM");
        let (status, stderr, directory) = program.end();
        assert_eq!(status, 143, "{mode}: {stderr}");
        assert_only_what_persists(directory.path());
    }
}

#[test]
fn second_ctrl_c_exits_immediately() {
    let mut program = Program::waiting("stuck");
    program.send("-INT");
    program.wait_for("stuck");
    program.send("-INT");
    let (status, stderr, directory) = program.end();
    assert_eq!(status, 130, "{stderr}");
    // Without the second Ctrl-C, the program would print that it gave up on the cleanup.
    assert_eq!(stderr, "");
    assert_eq!(count(&directory.path().join("volumes")), 3);
}

#[tokio::test]
async fn dropped_run_removes_lease_written_before_staging() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let term = Duration::from_millis(30);
    let runner = Overridden(WithoutMounts(LocalRunner::new().unwrap()));
    let submitter = submitter_with_lease_term(stage, runner, term).unwrap();
    let run = submitter.spawn(sleep(0), &RunEnvironment::new());
    let lease = directory.path().join("runs").join(run.id()).join("lease");
    while !lease.exists() {
        tokio::task::yield_now().await;
    }
    drop(run);
    submitter.close().await.unwrap();
    assert_eq!(count(&directory.path().join("runs")), 0);
}

/// A local runner that takes over runs at once, as one whose containers outlive the program.
#[derive(Debug)]
struct TakingOver(LocalRunner);

impl RunnerOverrides for TakingOver {
    fn inner(&self) -> &dyn Runner {
        &self.0
    }

    fn description(&self) -> Description {
        Description { location: "elsewhere".to_owned(), outlives_program: true }
    }

    fn run(&self, attempt: Attempt) -> BoxFuture<'static, hype::Result<Completion>> {
        attempt.handover.done();
        self.0.run(attempt)
    }
}

#[tokio::test]
async fn followed_log_of_a_detached_run_ends_with_its_submitter() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let runner = Overridden(TakingOver(LocalRunner::new().unwrap()));
    let submitter = Submitter::new(stage, runner).unwrap();
    let say = say_then_wait_for("waiting".into(), "/nonexistent".into());
    let run = submitter.spawn(say, &RunEnvironment::new());
    let mut log = run.logs();
    assert_eq!(log.next().await.unwrap().text, "waiting");
    run.detach().await.unwrap();
    submitter.close().await.unwrap();
    let rest = tokio::time::timeout(Duration::from_secs(60), log.count()).await;
    assert!(rest.is_ok(), "the log does not end");
}
