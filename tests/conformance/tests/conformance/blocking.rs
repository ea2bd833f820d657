//! The blocking API, and cleanup when handles are dropped.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::Path;

use hype::blocking::Submitter;
use hype::{ErrorKind, HostDirectory, LocalRunner, RunEnvironment, Stage, VolumeRequest};
use test_guests::ends::bake;
use test_guests::surroundings::{list, read, say, say_then_wait_for, write};
use test_guests::values::greet;

fn local(directory: &Path) -> Submitter {
    conformance::build_guests();
    let runner = LocalRunner::new().unwrap().with_volumes(directory.join("volumes")).unwrap();
    let runner = runner.with_secrets(directory.join("secrets")).unwrap();
    let runner = runner.with_staged_runs().unwrap();
    Submitter::new(Stage::in_directory(&directory.join("stage")).unwrap(), runner).unwrap()
}

fn count(directory: &Path) -> usize {
    fs::read_dir(directory).map_or(0, Iterator::count)
}

#[test]
fn blocking_submitter_returns_values_errors_and_output() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    assert_eq!(submitter.submit(greet("you".into()), &env).unwrap(), "hello you");
    let error = submitter.submit(bake(false), &env).unwrap_err();
    assert_eq!(error.to_string(), "closure `bake` failed: cannot bake");

    let run = submitter.spawn(say("one\ntwo\n".into(), String::new()), &env);
    let lines: Vec<_> = run.logs().unwrap().map(|line| line.text).collect();
    assert_eq!(lines, ["one", "two"]);
    run.wait().unwrap();
    submitter.close().unwrap();
}

#[tokio::test]
async fn blocking_call_inside_a_runtime_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new();
    let error = submitter.submit(greet("you".into()), &env).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert!(error.report().contains("without `blocking`, and await it"), "{error:?}");
    let run = submitter.spawn(greet("you".into()), &env);
    assert!(run.logs().is_err());
    assert!(run.wait().is_err());
}

#[test]
fn dropped_submitter_removes_runs_and_volumes() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let signal = HostDirectory::new(directory.path()).mount_read_only("/signal");
    let env =
        RunEnvironment::new().with_mount(volume.mount_read_write("/volume")).with_mount(signal);
    submitter.submit(write("/volume/word".into(), "one".into()), &env).unwrap();
    let run = submitter.spawn(say_then_wait_for("waiting".into(), "/signal/go".into()), &env);
    let first = run.logs().unwrap().next();
    assert_eq!(first.map(|line| line.text).as_deref(), Some("waiting"));
    assert_eq!(count(&directory.path().join("stage/runs")), 1);
    // The volume and the lock of its owner.
    assert_eq!(count(&directory.path().join("volumes")), 2);
    drop(submitter);
    drop(run);
    assert_eq!(count(&directory.path().join("stage/runs")), 0);
    assert_eq!(count(&directory.path().join("volumes")), 0);
}

#[test]
fn panic_removes_volume() {
    let directory = tempfile::tempdir().unwrap();
    let submitter = local(directory.path());
    let volume = VolumeRequest::transient("local-disk", "10Mi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
    let panicked = std::thread::spawn(move || {
        submitter.submit(write("/volume/word".into(), "one".into()), &env).unwrap();
        panic!("the program panics");
    });
    assert!(panicked.join().is_err());
    assert_eq!(count(&directory.path().join("volumes")), 0);
}

#[test]
fn secret_is_a_read_only_directory() {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir_all(directory.path().join("secrets/gcp-key")).unwrap();
    fs::write(directory.path().join("secrets/gcp-key/key.json"), "hush").unwrap();
    let submitter = local(directory.path());
    let env = RunEnvironment::new().with_secret("gcp-key", "/etc/gcloud");
    assert!(!format!("{env:?}").contains("hush"));
    let key = submitter.submit(read("/etc/gcloud/key.json".into()), &env).unwrap();
    assert_eq!(key, "hush");
    let spoilt = submitter.submit(write("/etc/gcloud/key.json".into(), String::new()), &env);
    assert!(spoilt.is_err());

    for name in ["no-key", "..", "../secrets/gcp-key"] {
        let env = RunEnvironment::new().with_secret(name, "/etc/gcloud");
        let error = submitter.submit(greet("you".into()), &env).unwrap_err();
        assert_eq!(error.to_string(), format!("there is no secret `{name}` for /etc/gcloud"));
        assert!(error.report().contains("put its files into the directory"), "{error:?}");
    }
}

#[test]
fn persistent_volume_survives_submitter() {
    let directory = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let submitter = local(directory.path());
        let volume = VolumeRequest::persistent("models", "local-disk", "10Mi");
        let env = RunEnvironment::new().with_mount(volume.mount_read_write("/volume"));
        submitter.submit(write("/volume/word".into(), "one".into()), &env).unwrap();
        submitter.close().unwrap();
    }
    let submitter = local(directory.path());
    let volume = VolumeRequest::persistent("models", "local-disk", "10Mi");
    let env = RunEnvironment::new().with_mount(volume.mount_read_only("/volume"));
    assert_eq!(submitter.submit(list("/volume".into()), &env).unwrap(), ["word"]);
}
