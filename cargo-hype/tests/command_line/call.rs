//! `cargo hype call`.

use std::sync::LazyLock;

use insta::assert_snapshot;

use crate::build::EXAMPLES;
use crate::hype::{Hype, Seen, hype, target_directory};

/// Calls a function of an example.
fn call(component: &str, arguments: &[&str]) -> Hype {
    LazyLock::force(&EXAMPLES);
    let component = target_directory().join("hype").join(component);
    hype(&[&["call", component.to_str().unwrap()], arguments].concat())
}

fn result(component: &str, arguments: &[&str]) -> Seen {
    call(component, arguments).seen().without_progress()
}

#[test]
fn the_value_alone_goes_to_the_standard_output() {
    assert_snapshot!(call("hello.wasm", &["example", "hello"]).seen(), @r#"
    status 0
    --- stdout
    "hello world!"
    --- stderr
    hype: uploading 2 files to file://[SCRATCH]/stage
    hype: uploading complete: 2 newly uploaded, 0 cached
    hype: submitting file://[SCRATCH]/stage/runs/[RUN]/manifest to RunEnvironment
    hype: running `example` in this process
    hype: [RUN] ended with a value after [TIME]: fetch [TIME], load [TIME], start [TIME], run [TIME], memory [SIZE]
    "#);
}

#[test]
fn progress_is_shown_as_it_was_chosen() {
    let call =
        |choice| call("hello.wasm", &["example", "hello"]).with_env("HYPE_PROGRESS", choice).seen();
    assert_snapshot!(call("off"), @r#"
    status 0
    --- stdout
    "hello world!"
    "#);
    assert_eq!(call("plain").to_string(), call("auto").to_string());
    let lines = call("loud").stderr;
    let (warning, others) = lines.split_once('\n').unwrap();
    assert_snapshot!(warning, @"hype: HYPE_PROGRESS is `loud`, which is taken for `auto`; it can be `auto`, `plain` or `off`");
    assert_eq!(others, call("plain").stderr);
}

#[test]
fn arguments_are_what_their_parameters_ask_for() {
    assert_snapshot!(result("wordcount.wasm", &["count", "a b a", "2"]), @r#"
    status 0
    --- stdout
    {"total":3,"different":2,"most":[{"text":"a","count":2},{"text":"b","count":1}]}
    "#);
    assert_snapshot!(result("hello.wasm", &["example", "\"3\""]), @r#"
    status 0
    --- stdout
    "3 world!"
    "#);
}

#[test]
fn the_number_of_arguments_is_checked_first() {
    assert_snapshot!(call("hello.wasm", &["example"]).seen(), @r#"
    status 2
    --- stderr
    error: `example(arg: String) -> String` takes 1 argument, and 0 were given
    "#);
    assert_snapshot!(call("hello.wasm", &["example", "hello", "7"]).seen(), @r#"
    status 2
    --- stderr
    error: `example(arg: String) -> String` takes 1 argument, and 2 were given
    "#);
}

#[test]
fn a_wrong_type_names_the_parameter() {
    assert_snapshot!(result("wordcount.wasm", &["count", "a", "[2]"]), @r#"
    status 2
    --- stderr
    error: parameter `most: usize` of `count`: expected usize, found a list
    "#);
    assert_snapshot!(result("wordcount.wasm", &["count", "a", "-2"]), @r#"
    status 2
    --- stderr
    error: parameter `most: usize` of `count`: expected usize, found the number -2
    "#);
    assert_snapshot!(result("wordcount.wasm", &["count", "a", "two"]), @r#"
    status 2
    --- stderr
    error: parameter `most: usize` of `count`: the argument isn't JSON: expected value at column 1
    "#);
}

#[test]
fn an_unknown_function_is_answered_with_those_that_there_are() {
    assert_snapshot!(call("hello.wasm", &["exmaple", "hello"]).seen(), @r#"
    status 2
    --- stderr
    error: hello.wasm has no function `exmaple`; it has: example
    "#);
}

#[test]
fn a_component_that_is_not_there_says_who_makes_it() {
    assert_snapshot!(hype(&["call", "no/such.wasm", "example"]).seen(), @r#"
    status 2
    --- stderr
    error: there is no component no/such.wasm
    Hint: cargo hype build makes them: target/hype/PACKAGE.wasm
    "#);
}

#[test]
fn what_is_no_component_says_what_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let call = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        hype(&["call", name, "example"]).in_directory(directory.path()).seen()
    };
    assert_snapshot!(call("module.wasm", b"\0asm\x01\0\0\0"), @r#"
    status 2
    --- stderr
    error: module.wasm is a WebAssembly module, not yet a component
    Hint: make one of it with cargo hype build, or with wasm-tools component new
    "#);
    let script = call("script.sh", b"#!/bin/sh\n");
    assert_eq!(script.status, 2);
    assert!(script.stderr.starts_with("error: script.sh is not a WebAssembly component\n"));
}

#[test]
fn options_that_cannot_be_read_show_how_they_are_written() {
    let call = |option: &[&str]| hype(&[&["call", "x.wasm", "f"], option].concat()).seen();
    assert_snapshot!(call(&["--env", "HOME"]), @r#"
    status 2
    --- stderr
    error: invalid value 'HOME' for '--env <NAME=VALUE>': write NAME=VALUE

    For more information, try '--help'.
    "#);
    assert_snapshot!(call(&["--mount", "/data"]), @r#"
    status 2
    --- stderr
    error: invalid value '/data' for '--mount <HOST:GUEST[:ro]>': write HOST:GUEST or HOST:GUEST:ro, e.g. ./data:/data:ro

    For more information, try '--help'.
    "#);
    assert_snapshot!(call(&["--dir", "/data"]), @r#"
    status 2
    --- stderr
    error: invalid value '/data' for '--dir <HOST:GUEST>': write HOST:GUEST, e.g. ./data:/data

    For more information, try '--help'.
    "#);
    assert_snapshot!(call(&["--timeout", "soon"]), @r#"
    status 2
    --- stderr
    error: invalid value 'soon' for '--timeout <DURATION>': write a duration such as 30s or 5m

    For more information, try '--help'.
    "#);
    assert_snapshot!(call(&["--memory", "much"]), @r#"
    status 2
    --- stderr
    error: invalid value 'much' for '--memory <SIZE>': write a size such as 512MiB or 2GiB

    For more information, try '--help'.
    "#);
}

#[test]
fn a_closure_that_fails_has_a_status_of_its_own() {
    assert_snapshot!(result("hello.wasm", &["example", "hello", "--memory", "64KiB"]), @r#"
    status 1
    --- stderr
    error: `example` needed more memory than its limit of 64 KiB
    Hint: allow it more: RunEnvironment::with_memory, or --memory of cargo hype call
    "#);
}

#[test]
fn machinery_that_fails_has_a_status_of_its_own() {
    let seen = call("hello.wasm", &["example", "hello"]).with_broken_stage().seen();
    let seen = seen.without_progress();
    assert_eq!((seen.status, seen.stdout.as_str()), (3, ""), "{seen}");
    let report: Vec<_> = seen.stderr.lines().take(3).collect();
    assert_eq!(report[..2], ["error: the stage failed", "Caused by:"], "{seen}");
    assert!(report[2].starts_with("   0: cannot look for file://[SCRATCH]/stage/blobs/"), "{seen}");
}

#[test]
fn the_submitter_is_chosen_before_all_else() {
    let call = call("hello.wasm", &["--submitter", "abacus", "example", "hello"]);
    let seen = call.with_env("HYPE_SUBMITTER", "local").seen();
    assert_eq!((seen.status, seen.stdout.as_str()), (2, ""), "{seen}");
    assert!(seen.stderr.starts_with("error: there is no submitter `abacus` in this"), "{seen}");
    assert!(seen.stderr.contains("Hint: it has: local"), "{seen}");
}
