//! `cargo hype gc`.

use std::fs::File;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;

use crate::hype::{Hype, RedactedOutput, hype};

const BLOB: &str = "blobs/00000000000000000000000000000000000000000000000000000000000000b1";

/// Returns a `cargo hype gc` command for a stage with a run and a blob that are 30 days old, and a new run.
fn gc(arguments: &[&str]) -> Hype {
    let command = hype(&[&["gc"], arguments].concat()).without_leftovers();
    for (name, days) in [("runs/old/arguments", 30), (BLOB, 30), ("runs/new/arguments", 0)] {
        let path = command.stage().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let written = SystemTime::now() - Duration::from_secs(days * 86_400);
        File::create(&path).unwrap().set_modified(written).unwrap();
    }
    command
}

/// Removes the lines about files that programs of other tests have on this machine.
fn without_other_tests(mut output: RedactedOutput) -> RedactedOutput {
    for text in [&mut output.stdout, &mut output.stderr] {
        let kinds = ["socket /", "directory /", "file /"];
        let is_other = |line: &str| kinds.iter().any(|kind| line.contains(kind));
        *text = text.split_inclusive('\n').filter(|line| !is_other(line)).collect();
    }
    output
}

#[test]
fn old_runs_and_unused_blobs_are_deleted() {
    let command = gc(&[]);
    let scratch = command.scratch();
    assert_snapshot!(without_other_tests(command.redacted()), @r#"
    status 0
    --- stdout
    run old
    blob 00000000000000000000000000000000000000000000000000000000000000b1
    --- stderr
    removed 1 run and 1 blob (0 B) of file://[SCRATCH]/stage, and kept 1 run (1 young)
    "#);
    let stage = scratch.path().join("stage");
    assert!(!stage.join("runs/old/arguments").exists() && !stage.join(BLOB).exists());
    assert!(stage.join("runs/new/arguments").exists());
}

#[test]
fn dry_run_deletes_nothing() {
    let command = gc(&["--older-than", "2d", "--dry-run"]);
    let scratch = command.scratch();
    assert_snapshot!(without_other_tests(command.redacted()), @r#"
    status 0
    --- stdout
    run old
    blob 00000000000000000000000000000000000000000000000000000000000000b1
    --- stderr
    would remove 1 run and 1 blob (0 B) of file://[SCRATCH]/stage, and keep 1 run (1 young)
    "#);
    assert!(scratch.path().join("stage/runs/old/arguments").exists());
}

#[test]
fn failure_is_reported_after_the_rest_is_deleted() {
    let command = gc(&[]);
    let scratch = command.scratch();
    let volumes = scratch.path().join("data/hype/volumes");
    for name in ["hype-volume-a", "hype-volume-b", "hype-volume-c"] {
        std::fs::create_dir_all(volumes.join(name)).unwrap();
        std::fs::write(volumes.join(format!("{name}.owner")), "").unwrap();
    }
    // A volume is a directory.
    std::fs::remove_dir(volumes.join("hype-volume-b")).unwrap();
    std::fs::write(volumes.join("hype-volume-b"), "").unwrap();
    let output = without_other_tests(command.redacted());
    let removed = ["volume hype-volume-a", "volume hype-volume-c", "run old"];
    assert!(output.status == 3 && removed.iter().all(|it| output.stdout.contains(it)), "{output}");
    let error = "error: cannot remove the volume [SCRATCH]/data/hype/volumes/hype-volume-b\n";
    let after_the_summary = output.stderr.split_once("removed 1 run and 1 blob").unwrap().1;
    assert!(after_the_summary.contains(error), "{output}");
}

#[test]
fn age_below_24h_is_rejected() {
    assert_snapshot!(hype(&["gc", "--older-than", "1h"]).without_leftovers().redacted(), @r#"
    status 2
    --- stderr
    error: invalid value '1h' for '--older-than <AGE>': a run may still need objects younger than 24h; write 24h or more

    For more information, try '--help'.
    "#);
}
