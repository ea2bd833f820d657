//! `cargo hype gc`.

use std::fs::File;
use std::time::{Duration, SystemTime};

use insta::assert_snapshot;

use crate::hype::{Hype, hype};

const BLOB: &str = "blobs/00000000000000000000000000000000000000000000000000000000000000b1";

/// Collects a stage with a run and a blob that are thirty days old, and a run of now.
fn gc(arguments: &[&str]) -> Hype {
    let command = hype(&[&["gc"], arguments].concat());
    for (name, days) in [("runs/old/arguments", 30), (BLOB, 30), ("runs/new/arguments", 0)] {
        let path = command.stage().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let written = SystemTime::now() - Duration::from_secs(days * 86_400);
        File::create(&path).unwrap().set_modified(written).unwrap();
    }
    command
}

#[test]
fn what_is_old_and_not_needed_goes() {
    let command = gc(&[]);
    let scratch = command.scratch();
    assert_snapshot!(command.seen(), @r#"
    status 0
    --- stdout
    run old
    blob 00000000000000000000000000000000000000000000000000000000000000b1
    --- stderr
    removed 1 run and 1 blob (0 B) of file://[SCRATCH]/stage, and kept 1 run
    "#);
    let stage = scratch.path().join("stage");
    assert!(!stage.join("runs/old/arguments").exists() && !stage.join(BLOB).exists());
    assert!(stage.join("runs/new/arguments").exists());
}

#[test]
fn a_dry_run_removes_nothing() {
    let command = gc(&["--older-than", "2d", "--dry-run"]);
    let scratch = command.scratch();
    assert_snapshot!(command.seen(), @r#"
    status 0
    --- stdout
    run old
    blob 00000000000000000000000000000000000000000000000000000000000000b1
    --- stderr
    would remove 1 run and 1 blob (0 B) of file://[SCRATCH]/stage, and keep 1 run
    "#);
    assert!(scratch.path().join("stage/runs/old/arguments").exists());
}

#[test]
fn what_is_young_cannot_be_asked_for() {
    assert_snapshot!(hype(&["gc", "--older-than", "1h"]).seen(), @r#"
    status 2
    --- stderr
    error: invalid value '1h' for '--older-than <AGE>': what is younger than 24h may still be needed by a run; write 24h or more

    For more information, try '--help'.
    "#);
}
