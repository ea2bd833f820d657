//! Programs that are told to end, or killed: what they made goes, what was to stay stays, and others can
//! take it over.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use conformance::around::{Around, Changed};
use futures::future::BoxFuture;
use hype::__internal::submitter_with_lease_term;
use hype::runner::{Mount, Owned, Runner};
use hype::stage::Removal;
use hype::{LocalRunner, RunEnvironment, Stage, Submitter};
use test_guests::ends::sleep;

/// A program that goes with the test.
struct Program {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    directory: tempfile::TempDir,
}

impl Program {
    /// One whose closure waits.
    fn waiting(way: &str) -> Self {
        let mut program = Self::start(way);
        program.wait_for("waiting");
        assert_eq!(count(&program.directory.path().join("stage/runs")), 1);
        // One that persists, a transient one, and the lock of its owner.
        assert_eq!(count(&program.directory.path().join("volumes")), 3);
        program
    }

    fn start(way: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), &[way])
    }

    /// One in this directory, with its way and what that takes besides.
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

    /// The run of the program, and a submitter of ours over the same stage.
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
        found.unwrap_or_else(|| panic!("the program must say {line}")).unwrap();
    }

    fn send(&self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
    }

    /// Its exit status, what it said since, and where it was.
    fn end(mut self) -> (i32, String, tempfile::TempDir) {
        let said: Vec<_> = self.stderr.by_ref().map(Result::unwrap).collect();
        let status = self.child.wait().unwrap().code().expect("it must end by itself");
        let directory = std::mem::replace(&mut self.directory, tempfile::tempdir().unwrap());
        (status, said.join("\n"), directory)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended, which is no error here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A runner with the program's volumes.
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
async fn another_process_waits_for_a_detached_run_and_collects_it() {
    let mut program = Program::start("detached");
    program.wait_for("detached");
    let (id, submitter) = program.run();
    // Its lease is renewed some times meanwhile.
    submitter.attach::<()>(&id).wait().await.unwrap();
    assert_eq!(count(&program.directory.path().join("stage/runs")), 0);
}

#[tokio::test]
async fn a_run_that_was_killed_with_its_owner_is_lost() {
    for way in ["async", "detached"] {
        let mut program = Program::start(way);
        program.wait_for(if way == "async" { "waiting" } else { way });
        let (id, submitter) = program.run();
        program.child.kill().unwrap();
        program.child.wait().unwrap();
        let error = submitter.attach::<()>(&id).wait().await.unwrap_err();
        assert!(error.is_lost(), "{error:?}");
        assert!(error.report().contains("its owner is gone"), "{error:?}");
        assert_eq!(count(&program.directory.path().join("stage/runs")), 0);
        if way == "async" {
            assert_only_what_persists(program.directory.path());
        }
    }
}

#[tokio::test]
async fn collection_removes_volume_of_killed_program() {
    let mut program = Program::waiting("async");
    let stage = Stage::in_directory(&program.directory.path().join("stage")).unwrap();
    let submitter = Submitter::new(stage, runner(program.directory.path())).unwrap();
    let collect = async |removal| submitter.collect_leftovers(removal).await.unwrap();
    assert_eq!(collect(Removal::Real).await, [""; 0]);
    program.child.kill().unwrap();
    program.child.wait().unwrap();
    let volumes = || count(&program.directory.path().join("volumes"));
    let [volume] = &collect(Removal::DryRun).await[..] else { panic!("one volume") };
    assert!(volume.starts_with("volume hype-volume-"), "{volume}");
    assert_eq!((volumes(), collect(Removal::Real).await.len(), volumes()), (3, 1, 1));
}

/// The lease in the stage of the program's one run.
fn is_detached(directory: &Path) -> bool {
    let Ok(mut runs) = fs::read_dir(directory.join("stage/runs")) else { return false };
    let Some(run) = runs.next() else { return false };
    fs::read(run.unwrap().path().join("lease"))
        .is_ok_and(|bytes| hype_wire::Lease::from_bytes(&bytes).unwrap().detached)
}

#[test]
fn the_end_of_a_program_waits_for_a_run_that_is_being_detached() {
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
    let (status, said, directory) = program.end();
    assert_eq!(status, 0, "{said}");
    assert!(is_detached(directory.path()));
}

#[test]
fn ctrl_c_while_a_run_is_being_detached_removes_it() {
    let mut program = Program::start("late");
    let mut lines = program.stderr.by_ref().map(Result::unwrap);
    lines.find(|line| line.contains("hype: waiting until")).unwrap();
    program.send("-INT");
    let (status, said, directory) = program.end();
    assert_eq!(status, 130, "{said}");
    assert_eq!(count(&directory.path().join("stage/runs")), 0, "{said}");
}

#[tokio::test]
async fn ctrl_c_in_a_program_that_attached_leaves_the_run() {
    let directory = tempfile::tempdir().unwrap();
    let mut detached = Program::start_in(directory, &["detached", "8"]);
    detached.wait_for("detached");
    let (id, submitter) = detached.run();
    for signal in ["-INT", "-TERM", "-KILL"] {
        // Both work in the directory of the first.
        let mut child = Command::new(env!("CARGO_BIN_EXE_interrupted"))
            .args(["attach".as_ref(), detached.directory.path(), id.as_ref()])
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        lines.find(|line| line == "attached").unwrap();
        let attached = child.id().to_string();
        assert!(Command::new("kill").args([signal, &attached]).status().unwrap().success());
        let said: Vec<_> = lines.collect();
        child.wait().unwrap();
        let stays = format!(
            "hype: {id} stays as it is: submitter.attach::<T>(\"{id}\") waits for it again"
        );
        assert_eq!(said.contains(&stays), signal != "-KILL", "{said:?}");
    }
    submitter.attach::<()>(&id).wait().await.unwrap();
    assert_eq!(count(&detached.directory.path().join("stage/runs")), 0);
}

#[test]
fn ctrl_c_leaves_nothing() {
    for way in ["async", "task", "plain"] {
        let program = Program::waiting(way);
        program.send("-INT");
        let (status, said, directory) = program.end();
        assert_eq!(status, 130, "{way}: {said}");
        assert_eq!(said, "hype: stopping; press Ctrl-C again to leave at once", "{way}");
        assert_only_what_persists(directory.path());
    }
}

#[test]
fn sigterm_leaves_nothing_either() {
    for way in ["async", "plain"] {
        let program = Program::waiting(way);
        program.send("-TERM");
        let (status, said, directory) = program.end();
        assert_eq!(status, 143, "{way}: {said}");
        assert_only_what_persists(directory.path());
    }
}

#[test]
fn a_second_ctrl_c_waits_for_nothing() {
    let mut program = Program::waiting("stuck");
    program.send("-INT");
    program.wait_for("stuck");
    program.send("-INT");
    let (status, said, directory) = program.end();
    assert_eq!(status, 130, "{said}");
    // What is stuck would be given up after a while, with a word about it.
    assert_eq!(said, "");
    assert_eq!(count(&directory.path().join("volumes")), 3);
}

/// A local runner that never has the mounts of a run.
#[derive(Debug)]
struct WithoutMounts(LocalRunner);

impl Around for WithoutMounts {
    fn inner(&self) -> &dyn Runner {
        &self.0
    }

    fn mounts<'a>(
        &'a self,
        _: &'a RunEnvironment,
        _: &'a Owned,
    ) -> BoxFuture<'a, hype::Result<Vec<Mount>>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn dropped_run_removes_lease_written_before_staging() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let stage = Stage::in_directory(directory.path()).unwrap();
    let term = Duration::from_millis(30);
    let runner = Changed(WithoutMounts(LocalRunner::new().unwrap()));
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
