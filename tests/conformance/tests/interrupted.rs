//! Programs that are told to end, or killed: what they made goes, what was to stay stays, and others can
//! take it over.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use hype::__internal::submitter_with_lease_term;
use hype::{LocalRunner, Stage, Submitter};

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
        assert_eq!(count(&program.directory.path().join("volumes")), 2);
        program
    }

    fn start(way: &str) -> Self {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interrupted"))
            .arg(way)
            .arg(directory.path())
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
        (id, submitter_with_lease_term(stage, LocalRunner::new().unwrap(), term).unwrap())
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
    }
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
    assert_eq!(count(&directory.path().join("volumes")), 2);
}
