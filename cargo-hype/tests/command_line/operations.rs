//! `cargo hype ps`, `logs`, `describe`, `attach` and `cancel`.

use std::path::Path;
use std::time::Duration;

use hype_wire::{
    Blob, Bytes, Call, ComponentRef, End, Failure, FailureKind, Frame, Job, Lease, Location,
    Outcome, Payload, RunManifest, Statistics, names,
};
use insta::assert_snapshot;

use crate::hype::{Hype, hype};

const FAILED: &str = "hype-run-failedrun2";
const VALUE: &str = "hype-run-valuerun22";

/// Returns a command whose stage has a detached run that failed, and one with a value.
fn with_runs(arguments: &[&str]) -> Hype {
    let command = hype(arguments);
    let mut failure = Failure::new(FailureKind::Panic, "no \u{1b}[31mweights");
    failure.causes = vec!["the file is missing".into()];
    let location = Location { file: "src/lib.rs".into(), line: 12 };
    let frame = Frame { function: "models::train".into(), location: Some(location) };
    failure.backtrace = vec![frame];
    write_run(&command.stage(), FAILED, End::Failure(failure));
    // The MessagePack of 42.
    write_run(&command.stage(), VALUE, End::Value(Payload::Inline(Bytes(vec![42]))));
    command
}

fn write_run(stage: &Path, id: &str, end: End) {
    let component = ComponentRef { name: "models.wasm".into(), blob: Blob::of(b"component") };
    let call = Call::closure("models::train", Payload::Inline(Bytes(Vec::new())));
    let manifest = RunManifest::new(id.parse().unwrap(), Job::new(component), call);
    let mut lease = Lease::new(id.parse().unwrap(), "train", "owner", Duration::from_secs(60));
    lease.detached = true;
    let statistics = Statistics { run_us: 1500, peak_memory: 2 << 20, ..Statistics::default() };
    let mut outcome = Outcome::new(id.parse().unwrap(), 1, end, statistics);
    outcome.stdout = Bytes(b"one\ntwo\n".to_vec());
    outcome.stderr = Bytes(b"careful\n".to_vec());
    for (name, bytes) in [
        (names::manifest(id), manifest.to_bytes().unwrap()),
        (names::lease(id), lease.to_bytes().unwrap()),
        (names::outcome(id), outcome.to_bytes().unwrap()),
    ] {
        let path = stage.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

#[test]
fn ps_lists_only_live_runs_by_default() {
    assert_snapshot!(with_runs(&["ps"]).redacted(), @r#"
    status 0
    --- stderr
    no run is live in file://[SCRATCH]/stage; --all lists those that have ended, too
    "#);
}

#[test]
fn ps_all_lists_ended_runs_and_their_failures() {
    let output = with_runs(&["ps", "--all"]).redacted().without_ages();
    assert_snapshot!(output, @r#"
    status 0
    --- stdout
    RUN                  FUNCTION  COMPONENT    STATUS     TRY  AGE  OWNER     WHERE
    hype-run-failedrun2  train     models.wasm  failed     1    [AGE]   detached  in the process of its program
      panic
    hype-run-valuerun22  train     models.wasm  succeeded  1    [AGE]   detached  in the process of its program
    "#);
}

#[test]
fn ps_prints_a_json_object_for_each_run() {
    let output = with_runs(&["ps", "--all", "--json"]).redacted().without_ages();
    assert_snapshot!(output, @r#"
    status 0
    --- stdout
    {"age_seconds":[AGE],"attempt":1,"component":"models.wasm","function":"train","id":"hype-run-failedrun2","location":"in the process of its program","node":null,"owner":"detached","reason":"panic","status":"failed"}
    {"age_seconds":[AGE],"attempt":1,"component":"models.wasm","function":"train","id":"hype-run-valuerun22","location":"in the process of its program","node":null,"owner":"detached","reason":null,"status":"succeeded"}
    "#);
}

#[test]
fn logs_separates_the_streams() {
    assert_snapshot!(with_runs(&["logs", "failed"]).redacted(), @r#"
    status 0
    --- stdout
    one
    two
    --- stderr
    careful
    "#);
    assert_snapshot!(with_runs(&["logs", FAILED, "--tail", "1"]).redacted(), @r#"
    status 0
    --- stderr
    careful
    "#);
}

#[test]
fn describe_prints_statistics_and_failure() {
    assert_snapshot!(with_runs(&["describe", "fai"]).redacted().without_ages(), @r#"
    status 0
    --- stdout
    run        hype-run-failedrun2
    function   train
    component  models.wasm
    status     failed: panic
    owner      detached
    location   in the process of its program
    stage      file://[SCRATCH]/stage
    attempt    1
    age        [AGE]
    times      fetch 0.0 ms, compile 0.0 ms, start 0.0 ms, run 1.5 ms, upload 0.0 ms
    sizes      memory 2.0 MiB, fetched 0 B, uploaded 0 B

    closure `train` panicked: no �[31mweights
    Caused by:
       0: the file is missing
    Backtrace of the closure:
       0: models::train
            at src/lib.rs:12
    "#);
}

#[test]
fn describe_prints_one_json_object() {
    let failed = with_runs(&["describe", "fai", "--json"]).redacted().without_ages();
    assert_snapshot!(failed, @r#"
    status 0
    --- stdout
    {"age_seconds":[AGE],"attempt":1,"component":"models.wasm","error":{"backtrace":[{"file":"src/lib.rs","function":"models::train","line":12}],"causes":["the file is missing"],"hint":null,"message":"closure `train` panicked: no �[31mweights"},"function":"train","id":"hype-run-failedrun2","location":"in the process of its program","node":null,"owner":"detached","processes":[],"reason":"panic","stage":"file://[SCRATCH]/stage","statistics":{"compile_us":0,"cpu_us":0,"fetch_us":0,"fetched":0,"peak_memory":2097152,"run_us":1500,"start_us":0,"upload_us":0,"uploaded":0},"status":"failed"}
    "#);
    let value = with_runs(&["describe", "val", "--json"]).redacted().without_ages();
    assert_snapshot!(value, @r#"
    status 0
    --- stdout
    {"age_seconds":[AGE],"attempt":1,"component":"models.wasm","error":null,"function":"train","id":"hype-run-valuerun22","location":"in the process of its program","node":null,"owner":"detached","processes":[],"reason":null,"stage":"file://[SCRATCH]/stage","statistics":{"compile_us":0,"cpu_us":0,"fetch_us":0,"fetched":0,"peak_memory":2097152,"run_us":1500,"start_us":0,"upload_us":0,"uploaded":0},"status":"succeeded"}
    "#);
}

#[test]
fn attach_prints_the_value_and_exits_like_call() {
    let value = with_runs(&["attach", "val"]);
    let stage = value.stage();
    let scratch = value.scratch();
    assert_snapshot!(value.redacted().without_progress(), @r#"
    status 0
    --- stdout
    42
    --- stderr
    one
    two
    careful
    "#);
    assert!(!stage.join("runs").join(VALUE).exists() && stage.join("runs").join(FAILED).exists());
    drop(scratch);
    assert_snapshot!(with_runs(&["attach", "fai"]).redacted().without_progress(), @r#"
    status 1
    --- stderr
    one
    two
    careful
    error: closure `train` panicked: no �[31mweights
    Caused by:
       0: the file is missing
    Backtrace of the closure:
       0: models::train
            at src/lib.rs:12
    "#);
}

#[test]
fn cancel_removes_each_run_and_reports_unknown_ones() {
    let command = with_runs(&["cancel", "val", "nothing", "fai"]);
    let (stage, scratch) = (command.stage(), command.scratch());
    assert_snapshot!(command.redacted(), @r#"
    status 2
    --- stdout
    cancelled hype-run-valuerun22
    cancelled hype-run-failedrun2
    --- stderr
    error: there is no run `nothing` in file://[SCRATCH]/stage
    Hint: the nearest are hype-run-failedrun2
    "#);
    assert!(!stage.join("runs").join(FAILED).exists());
    drop(scratch);
}

#[test]
fn run_is_no_staged_map() {
    assert_snapshot!(with_runs(&["report", "val"]).redacted(), @r#"
    status 2
    --- stderr
    error: hype-run-valuerun22 is a run and no staged map
    Caused by:
       0: no items are staged under its id
    Hint: cargo hype describe hype-run-valuerun22 has the times of a run; the first items of a new map are staged within a second
    "#);
    assert_snapshot!(with_runs(&["attach", "val", "--output", "-"]).redacted(), @r#"
    status 2
    --- stderr
    error: hype-run-valuerun22 is a run and no staged map
    Hint: leave out --output: its value is printed
    "#);
}

#[test]
fn unknown_and_ambiguous_ids_are_usage_errors() {
    assert_snapshot!(with_runs(&["describe", "falied"]).redacted(), @r#"
    status 2
    --- stderr
    error: there is no run `falied` in file://[SCRATCH]/stage
    Hint: the nearest are hype-run-failedrun2, hype-run-valuerun22
    "#);
    assert_snapshot!(with_runs(&["logs", "hype-run-"]).redacted(), @r#"
    status 2
    --- stderr
    error: `hype-run-` matches 2 runs
    Hint: write more of the id: hype-run-failedrun2, hype-run-valuerun22
    "#);
}

#[test]
#[cfg(unix)]
fn following_logs_ends_when_the_reader_has_read_enough() {
    let command = hype(&["logs", "-f", "hype-run-endless222"]);
    let id = "hype-run-endless222";
    write_run(&command.stage(), id, End::Value(Payload::Inline(Bytes(vec![42]))));
    std::fs::remove_file(command.stage().join(names::outcome(id))).unwrap();
    let lease = Lease::new(id.parse().unwrap(), "train", "owner", Duration::from_secs(3600));
    std::fs::write(command.stage().join(names::lease(id)), lease.to_bytes().unwrap()).unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let mut running = command.start_with(writer);
    // It waits for the end of the run, and so writes nothing.
    drop(reader);
    assert_eq!(running.status(), Some(0));
}
