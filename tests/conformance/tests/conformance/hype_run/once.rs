//! Second starts of an attempt: a node may start a container again.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use hype_wire::{STARTED_AGAIN, names};

use super::*;

/// Starts an attempt with `--once DIRECTORY`. Returns its output and its termination log.
fn start(prepared: &Prepared, directory: &Path) -> (Output, String) {
    let log = tempfile::NamedTempFile::new().unwrap();
    let (log_path, directory) = (log.path().to_str().unwrap(), directory.to_str().unwrap());
    let ended = prepared.run_with(&["--termination-log", log_path, "--once", directory], &[]);
    (ended, std::fs::read_to_string(log.path()).unwrap())
}

#[test]
fn second_start_repeats_termination_line() {
    let prepared = Prepared::new("say", &["out\n", ""], |_| {});
    let directory = tempfile::tempdir().unwrap();
    let (first, log) = start(&prepared, directory.path());
    assert_eq!((first.status.code(), &first.stdout[..]), (Some(0), &b"out\n"[..]));
    // Removes them like a submitter that has taken the value.
    let [manifest, outcome] = [names::manifest(RUN), names::outcome(RUN)];
    for name in [manifest, outcome] {
        std::fs::remove_file(prepared.directory.path().join(name)).unwrap();
    }
    for _ in 0..2 {
        let (second, log_again) = start(&prepared, directory.path());
        assert_eq!((second.status.code(), &second.stdout[..]), (Some(0), &b""[..]), "{second:?}");
        assert_eq!(log_again, format!("{log}{STARTED_AGAIN}\n"));
        let runs = prepared.directory.path().join("runs/run-1");
        let left: Vec<_> = std::fs::read_dir(runs).into_iter().flatten().collect();
        assert!(left.is_empty(), "it wrote to the stage: {left:?}");
    }
}

#[test]
fn start_after_killed_start_fails() {
    let signal = tempfile::tempdir().unwrap();
    let prepared = Prepared::waiting(signal.path());
    let directory = tempfile::tempdir().unwrap();
    let mut first = Command::new(program())
        .args(prepared.arguments())
        .args(["--once", directory.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(first.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "waiting\n");
    first.kill().unwrap();
    first.wait().unwrap();
    let (second, log) = start(&prepared, directory.path());
    assert_eq!((second.status.code(), log.as_str()), (Some(4), ""), "{second:?}");
    let error =
        "error: this attempt was started before, and runs once: the first start left no outcome\n";
    assert_eq!((&second.stdout[..], stderr(&second).as_ref()), (&b""[..], error));
    assert!(!prepared.directory.path().join(names::outcome(RUN)).exists());
}

/// A container that is started again with `docker start` receives no key.
#[test]
fn start_without_key_runs_nothing() {
    let prepared = Prepared::new("say", &["out\n", ""], |_| {});
    let ended = Command::new(program())
        .args(["run", &prepared.url(), "--key-file", "-"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert_eq!((ended.status.code(), &ended.stdout[..]), (Some(4), &b""[..]), "{ended:?}");
    assert!(stderr(&ended).contains("no run key arrived"), "{ended:?}");
    assert!(!prepared.directory.path().join(names::outcome(RUN)).exists());
}
