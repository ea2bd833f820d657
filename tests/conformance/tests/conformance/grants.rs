//! Warnings about unused grants, and errors about unknown imports, before a run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use conformance::log_capture::capture_log;
use conformance::subprocess::run_in_subprocess;
use hype::{Component, ErrorKind, RunEnvironment, Submitter};
use test_guests::values::greet;
use test_library::name_of_crate;

/// Runs in a process of its own, since the warning is logged once per process.
#[test]
fn unused_grants_and_unknown_imports_are_reported() {
    run_in_subprocess(
        "grants::unused_grants_and_unknown_imports_are_reported",
        compare_powers_and_imports,
    );
}

fn compare_powers_and_imports() {
    conformance::build_guests();
    let directory = tempfile::tempdir().unwrap();
    let submitter =
        Submitter::local_with(&format!("file://{}/stage", directory.path().display())).unwrap();
    let plain = RunEnvironment::new();
    let granting = plain.allow_http("api.example.com").allow_command("uname");
    let about_powers = |lines: Vec<String>| {
        let about = |line: &String| line.contains("HTTP") || line.contains("commands, ");
        lines.into_iter().filter(about).collect::<Vec<_>>()
    };
    // One package sends requests and runs commands, the other doesn't.
    let warnings = [
        "test-library.wasm sends no HTTP requests, though its environment grants them",
        "test-library.wasm runs no commands, though its environment grants them",
    ];
    // A missing grant is reported by the denied call, not before the run.
    for env in [&plain, &granting] {
        let (value, seen) = capture_log(submitter.submit(greet("x".into()), env));
        value.unwrap();
        assert_eq!(about_powers(seen), [""; 0]);
    }
    // An unused grant is reported once for all runs.
    for (env, lines) in [(&granting, &warnings[..]), (&granting, &[]), (&plain, &[])] {
        let (value, seen) = capture_log(submitter.submit(name_of_crate(), env));
        value.unwrap();
        assert_eq!(about_powers(seen), lines);
    }

    // A component that imports an unknown instance with a function.
    let name = b"wasi:keyvalue/store@0.2.0";
    let import = [&[0x0a, 30, 1, 0, 25][..], name, &[5, 0]].concat();
    let instance_type = b"\x07\x0e\x01\x42\x02\x01\x40\0\x01\0\x04\0\x01f\x01\0";
    let bytes = [b"\0asm\x0d\0\x01\0", &instance_type[..], &import[..]].concat();
    let component = Component::new("asks.wasm", bytes).unwrap();
    let closure = component.function("any").unwrap().bind::<()>(());
    let (result, _) = capture_log(submitter.submit(closure, &plain));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "asks.wasm imports wasi:keyvalue/store@0.2.0, which hype doesn't offer"
    );
}
