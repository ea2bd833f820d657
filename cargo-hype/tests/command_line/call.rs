//! `cargo hype call`.

use std::sync::LazyLock;

use insta::assert_snapshot;

use crate::build::EXAMPLES;
use crate::hype::{Hype, RedactedOutput, hype, target_directory};

/// Calls a function of an example.
fn call(component: &str, arguments: &[&str]) -> Hype {
    LazyLock::force(&EXAMPLES);
    let component = target_directory().join("hype").join(component);
    hype(&[&["call", component.to_str().unwrap()], arguments].concat())
}

fn result(component: &str, arguments: &[&str]) -> RedactedOutput {
    call(component, arguments).redacted().without_progress()
}

#[test]
fn only_the_value_is_printed_to_standard_output() {
    assert_snapshot!(call("hello.wasm", &["example", "hello"]).redacted(), @r#"
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
fn progress_variable_controls_progress_lines() {
    let call = |choice| {
        call("hello.wasm", &["example", "hello"]).with_env("HYPE_PROGRESS", choice).redacted()
    };
    assert_snapshot!(call("off"), @r#"
    status 0
    --- stdout
    "hello world!"
    "#);
    assert_eq!(call("plain").to_string(), call("auto").to_string());
    let lines = call("loud").stderr;
    let (warning, others) = lines.split_once('\n').unwrap();
    assert_snapshot!(warning, @"hype: HYPE_PROGRESS is `loud`, which is treated as `auto`; it can be `auto`, `plain` or `off`");
    assert_eq!(others, call("plain").stderr);
}

#[test]
fn arguments_are_read_by_parameter_type() {
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

/// Neither a value, nor an error that quotes an argument, nor the name of a missing file changes the terminal.
#[test]
fn output_has_no_terminal_controls() {
    let evil = "\u{1b}]0;title\u{7}\u{9b}31m\u{202e}\r\u{1b}[2J";
    let missing = format!("/missing/{evil}.wasm");
    for (arguments, quoted) in [
        (["call", "hello.wasm", "example", evil].as_slice(), r#""\u001b]0;title"#),
        (&["call", "wordcount.wasm", "count", "a", r#""\u001b]0;title\u0007""#], "]0;title"),
        (&["call", "wordcount.wasm", evil], "]0;title"),
        (&["inspect", &missing], "/missing/"),
    ] {
        LazyLock::force(&EXAMPLES);
        let path = |name: &str| target_directory().join("hype").join(name).display().to_string();
        let components = ["hello.wasm", "wordcount.wasm"].map(|name| (name, path(name)));
        let located = |argument| match components.iter().find(|(name, _)| *name == argument) {
            Some((_, path)) => path.as_str(),
            None => argument,
        };
        let arguments: Vec<_> = arguments.iter().map(|argument| located(*argument)).collect();
        let output = hype(&arguments).output();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(text.contains(quoted), "{arguments:?}: {text:?}");
        let is_control = |c: char| c.is_control() && c != '\n' && c != '\t' || c == '\u{202e}';
        assert!(!text.contains(is_control), "{arguments:?}: {text:?}");
    }
}

#[test]
fn wrong_number_of_arguments_is_rejected() {
    assert_snapshot!(call("hello.wasm", &["example"]).redacted(), @r#"
    status 2
    --- stderr
    error: `example(arg: String) -> String` takes 1 argument, and 0 were given
    "#);
    assert_snapshot!(call("hello.wasm", &["example", "hello", "7"]).redacted(), @r#"
    status 2
    --- stderr
    error: `example(arg: String) -> String` takes 1 argument, and 2 were given
    "#);
}

#[test]
fn argument_of_wrong_type_names_the_parameter() {
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
fn unknown_function_lists_known_functions() {
    assert_snapshot!(call("hello.wasm", &["exmaple", "hello"]).redacted(), @r#"
    status 2
    --- stderr
    error: hello.wasm has no function `exmaple`; it has: example
    "#);
}

#[test]
fn missing_component_names_the_build_command() {
    assert_snapshot!(hype(&["call", "no/such.wasm", "example"]).redacted(), @r#"
    status 2
    --- stderr
    error: there is no component no/such.wasm
    Hint: cargo hype build creates components: target/hype/PACKAGE.wasm
    "#);
}

#[test]
fn file_that_is_no_component_is_rejected() {
    let directory = tempfile::tempdir().unwrap();
    let call = |name: &str, bytes: &[u8]| {
        std::fs::write(directory.path().join(name), bytes).unwrap();
        hype(&["call", name, "example"]).in_directory(directory.path()).redacted()
    };
    assert_snapshot!(call("module.wasm", b"\0asm\x01\0\0\0"), @r#"
    status 2
    --- stderr
    error: module.wasm is a WebAssembly module, not yet a component
    Hint: convert it with cargo hype build, or with wasm-tools component new
    "#);
    let script = call("script.sh", b"#!/bin/sh\n");
    assert_eq!(script.status, 2);
    assert!(script.stderr.starts_with("error: script.sh is not a WebAssembly component\n"));
}

#[test]
fn error_of_an_invalid_option_value_names_the_format() {
    let call = |option: &[&str]| hype(&[&["call", "x.wasm", "f"], option].concat()).redacted();
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
fn failed_closure_exits_with_1() {
    assert_snapshot!(result("hello.wasm", &["example", "hello", "--memory", "64KiB"]), @r#"
    status 1
    --- stderr
    error: `example` needed more memory than its limit of 64 KiB
    Hint: allow it more: RunEnvironment::with_memory, or --memory of cargo hype call
    "#);
}

#[test]
fn failed_stage_exits_with_3() {
    let output = call("hello.wasm", &["example", "hello"]).with_broken_stage().redacted();
    let output = output.without_progress();
    assert_eq!((output.status, output.stdout.as_str()), (3, ""), "{output}");
    let report: Vec<_> = output.stderr.lines().take(3).collect();
    assert_eq!(report[..2], ["error: the stage failed", "Caused by:"], "{output}");
    assert!(
        report[2].starts_with("   0: cannot look for file://[SCRATCH]/stage/blobs/"),
        "{output}"
    );
}

#[test]
fn submitter_option_overrides_the_variable() {
    let call = call("hello.wasm", &["--submitter", "abacus", "example", "hello"]);
    let output = call.with_env("HYPE_SUBMITTER", "local").redacted();
    assert_eq!((output.status, output.stdout.as_str()), (2, ""), "{output}");
    assert!(output.stderr.starts_with("error: there is no submitter `abacus` in this"), "{output}");
    assert!(output.stderr.contains("Hint: it has: local"), "{output}");
}
