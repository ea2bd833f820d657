//! Programs that are told to end: what they made goes, and what was to stay stays.

#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStderr, Command, Stdio};

/// A program that goes with the test.
struct Program {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    directory: tempfile::TempDir,
}

impl Program {
    /// One whose closure waits.
    fn waiting(way: &str) -> Self {
        conformance::build_guests();
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_interrupted"))
            .arg(way)
            .arg(directory.path())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut program = Self { child, stderr, directory };
        program.wait_for("waiting");
        assert_eq!(count(&program.directory.path().join("stage/runs")), 1);
        assert_eq!(count(&program.directory.path().join("volumes")), 2);
        program
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
