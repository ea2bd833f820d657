//! `cargo hype doctor`: exactly the line of what is broken fails.

use std::fs;

use insta::assert_snapshot;

use crate::hype::{Hype, hype};

/// Runs the command and returns its exit status and its output, without what differs between machines. A machine without
/// a room for commands counts as one with a room.
fn redacted(command: Hype) -> String {
    let text = command.redacted().to_string();
    let mut lines: Vec<_> = text.lines().map(redact_line).collect();
    if let Some(room) = lines.iter().position(|line| line.starts_with("FAILED   commands: ")) {
        lines.remove(room + 1);
        lines[room] = "ok       commands: [ROOM]".to_owned();
        if !lines.iter().any(|line| line.starts_with("FAILED")) {
            lines[0] = "status 0".to_owned();
        }
    }
    lines.join("\n")
}

fn redact_line(line: &str) -> String {
    let parts = [
        ("ok       toolchain: ", "[VERSION]"),
        ("ok       commands: ", "[ROOM]"),
        ("ok       workers: ", "[WORKERS]"),
    ];
    if let Some((start, redacted)) = parts.iter().find(|(start, _)| line.starts_with(start)) {
        return format!("{start}{redacted}");
    }
    let is_digest = |word: &str| word.len() == 64 && word.chars().all(|c| c.is_ascii_hexdigit());
    let words = line.split_inclusive(['/', ':', ' ']);
    let words = words.map(|word| match word.split_at(word.len().min(64)) {
        (digest, rest) if is_digest(digest) => format!("[DIGEST]{rest}"),
        _ => word.to_owned(),
    });
    words.collect::<String>().replace("differs by 1s", "differs by 0s")
}

#[test]
fn working_machine_passes() {
    let command = hype(&["doctor"]);
    let scratch = command.scratch();
    assert_snapshot!(redacted(command), @r#"
    status 0
    --- stdout
    ok       toolchain: [VERSION]
    ok       wasm target: wasm32-wasip1 is installed
    ok       configuration: no hype.toml applies; staging file://[SCRATCH]/stage from the variable HYPE_STAGING
    ok       features: none beyond the default ones is needed
    ok       stage: write: file://[SCRATCH]/stage
    ok       stage: read: reads what was written
    ok       stage: create: creates an object only once
    ok       stage: list: lists what was written
    ok       stage: clock: differs by 0s
    ok       stage: delete: removes what was written
    ok       commands: [ROOM]
    ok       workers: [WORKERS]
    ok       run: a function ran in this process, and read and wrote the stage there
    "#);
    let stage = scratch.path().join("stage");
    let left: Vec<_> =
        ["runs", "blobs"].iter().filter(|name| has_entries(&stage.join(name))).collect();
    assert!(left.is_empty(), "{left:?}");
}

fn has_entries(directory: &std::path::Path) -> bool {
    fs::read_dir(directory).is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn stage_that_takes_no_blobs_fails_the_run() {
    assert_snapshot!(redacted(hype(&["doctor"]).with_broken_stage()), @r#"
    status 3
    --- stdout
    ok       toolchain: [VERSION]
    ok       wasm target: wasm32-wasip1 is installed
    ok       configuration: no hype.toml applies; staging file://[SCRATCH]/stage from the variable HYPE_STAGING
    ok       features: none beyond the default ones is needed
    ok       stage: write: file://[SCRATCH]/stage
    ok       stage: read: reads what was written
    ok       stage: create: creates an object only once
    ok       stage: list: lists what was written
    ok       stage: clock: differs by 0s
    ok       stage: delete: removes what was written
    ok       commands: [ROOM]
    ok       workers: [WORKERS]
    FAILED   run: the stage failed: cannot look for file://[SCRATCH]/stage/blobs/[DIGEST]: Generic directory error: blobs is not a directory: blobs is not a directory
    "#);
}

#[cfg(unix)]
#[test]
fn stage_of_other_users_fails_to_open() {
    use std::os::unix::fs::PermissionsExt;

    let command = hype(&["doctor"]);
    fs::create_dir(command.stage()).unwrap();
    fs::set_permissions(command.stage(), fs::Permissions::from_mode(0o777)).unwrap();
    assert_snapshot!(redacted(command), @r#"
    status 3
    --- stdout
    ok       toolchain: [VERSION]
    ok       wasm target: wasm32-wasip1 is installed
    ok       configuration: no hype.toml applies; staging file://[SCRATCH]/stage from the variable HYPE_STAGING
    ok       features: none beyond the default ones is needed
    FAILED   stage: the stage cannot be opened: the stage [SCRATCH]/stage may be written to by every user, who could read what is staged and change runs
             fix: run `chmod go-w [SCRATCH]/stage`; if all of its users trust each other, declare it as shared: HYPE_STAGE_SHARED=1, or StageOptions::with_sharing
    unknown  stage: write: not checked, since this failed: stage
    unknown  stage: read: not checked, since this failed: stage
    unknown  stage: create: not checked, since this failed: stage
    unknown  stage: list: not checked, since this failed: stage
    unknown  stage: clock: not checked, since this failed: stage
    unknown  stage: delete: not checked, since this failed: stage
    ok       commands: [ROOM]
    ok       workers: [WORKERS]
    unknown  run: not checked, since this failed: stage
    "#);
}

#[test]
fn missing_compiler_fails() {
    assert_snapshot!(redacted(hype(&["doctor"]).with_env("RUSTC", "/no/such/rustc")), @r#"
    status 3
    --- stdout
    FAILED   toolchain: cannot run rustc: No such file or directory (os error 2)
             fix: rustup update stable, or install it: https://rustup.rs
    unknown  wasm target: not checked, since this failed: toolchain
    ok       configuration: no hype.toml applies; staging file://[SCRATCH]/stage from the variable HYPE_STAGING
    ok       features: none beyond the default ones is needed
    ok       stage: write: file://[SCRATCH]/stage
    ok       stage: read: reads what was written
    ok       stage: create: creates an object only once
    ok       stage: list: lists what was written
    ok       stage: clock: differs by 0s
    ok       stage: delete: removes what was written
    ok       commands: [ROOM]
    ok       workers: [WORKERS]
    ok       run: a function ran in this process, and read and wrote the stage there
    "#);
}

#[test]
fn unusable_configuration_fails() {
    let command = hype(&["doctor", "--profile", "prod"]);
    let directory = command.scratch();
    fs::write(directory.path().join("hype.toml"), "[profile.test]\nstagin = 'x'\n").unwrap();
    assert_snapshot!(redacted(command.in_directory(directory.path())), @r#"
    status 3
    --- stdout
    ok       toolchain: [VERSION]
    ok       wasm target: wasm32-wasip1 is installed
    FAILED   configuration: cannot use [SCRATCH]/hype.toml: unknown key `stagin`
             fix: did you mean `staging`? the keys are submitter, staging, image, context, namespace, service-account, stage-secret, profile
    unknown  features: not checked, since this failed: configuration
    unknown  stage: not checked, since this failed: configuration
    unknown  runner: not checked, since this failed: configuration
    unknown  run: not checked, since this failed: configuration
    "#);
}

#[test]
fn json_has_a_line_for_each_check() {
    let output = hype(&["doctor", "--json"]).output();
    let text = String::from_utf8(output.stdout).unwrap();
    let checks: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(checks.len(), 13, "{text}");
    assert_eq!(checks[3]["name"], "features");
    assert_eq!(checks[3]["state"], "ok");
    assert!(checks[3]["remedy"].is_null());
}

#[test]
fn color_is_chosen_by_option_and_not_used_in_a_pipe() {
    for (arguments, is_coloured) in [
        (&["doctor"][..], false),
        (&["--color", "always", "doctor"], true),
        (&["doctor", "--color=never"], false),
    ] {
        let output = hype(arguments).with_env("NO_COLOR", "1").output();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.contains("\x1b[1;32mok"), is_coloured, "{text}");
    }
}
