//! Starts of an attempt after the first: a node may start a container a second time.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hype_wire::{STARTED_AGAIN, names};

use super::*;

/// Starts an attempt with `directory` and gives how that ended, and what it left in its termination log.
fn start(prepared: &Prepared, directory: &Path) -> (Output, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let arguments = [
        &prepared.url(),
        "--termination-log",
        log.path().to_str().unwrap(),
        "--once",
        directory.to_str().unwrap(),
    ];
    let ended = hype_run(&arguments, &[]);
    (ended, std::fs::read_to_string(log.path()).unwrap())
}

#[test]
fn a_second_start_runs_nothing_and_tells_of_the_first_ones_outcome() {
    let prepared = Prepared::new("say", &["out\n", ""], |_| {});
    let directory = tempfile::tempdir().unwrap();
    let (first, told) = start(&prepared, directory.path());
    assert_eq!((first.status.code(), &first.stdout[..]), (Some(0), &b"out\n"[..]));
    // Whoever took the value removed these.
    let [manifest, outcome] = [names::manifest(RUN), names::outcome(RUN)];
    for name in [manifest, outcome] {
        std::fs::remove_file(prepared.directory.path().join(name)).unwrap();
    }
    for _ in 0..2 {
        let (second, told_again) = start(&prepared, directory.path());
        assert_eq!((second.status.code(), &second.stdout[..]), (Some(0), &b""[..]), "{second:?}");
        assert_eq!(told_again, format!("{told}{STARTED_AGAIN}\n"));
        let runs = prepared.directory.path().join("runs/run-1");
        let left: Vec<_> = std::fs::read_dir(runs).into_iter().flatten().collect();
        assert!(left.is_empty(), "it asked something of the stage: {left:?}");
    }
}

#[test]
fn a_start_after_one_that_was_killed_runs_nothing_and_says_so() {
    let signal = tempfile::tempdir().unwrap();
    let prepared = Prepared::waiting(signal.path());
    let directory = tempfile::tempdir().unwrap();
    let mut first = Command::new(program())
        .args([&prepared.url(), "--once", directory.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    first.kill().unwrap();
    first.wait().unwrap();
    let (second, told) = start(&prepared, directory.path());
    assert_eq!((second.status.code(), told.as_str()), (Some(4), ""), "{second:?}");
    let error =
        "error: this attempt was started before, and runs once: the first start left no outcome\n";
    assert_eq!((&second.stdout[..], stderr(&second).as_ref()), (&b""[..], error));
    assert!(!prepared.directory.path().join(names::outcome(RUN)).exists());
}

/// As in a container of Docker's that somebody starts again.
#[test]
fn a_start_without_the_key_that_was_handed_over_runs_nothing() {
    let prepared = Prepared::new("say", &["out\n", ""], |_| {});
    let ended = Command::new(program())
        .args([&prepared.url(), "--key-file", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(4), &b""[..]), "{ended:?}");
    assert!(stderr(&ended).contains("nobody hands over the run's key"), "{ended:?}");
    assert!(!prepared.directory.path().join(names::outcome(RUN)).exists());
}
