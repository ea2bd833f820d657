//! What is told of powers before a run.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use conformance::alone::alone;
use conformance::told::told;
use hype::{Component, ErrorKind, RunEnvironment, Submitter};
use test_guests::values::greet;
use test_library::name_of_crate;

/// In a process of its own, which is told once of what is granted and of no use.
#[test]
fn powers_and_imports_are_compared() {
    alone("granted::powers_and_imports_are_compared", compare_powers_and_imports);
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
    // One package sends requests and runs commands, and another doesn't.
    let warnings = [
        "test-library.wasm sends no HTTP requests, though its environment grants them",
        "test-library.wasm runs no commands, though its environment grants them",
    ];
    // What isn't granted is told by the call that is denied.
    for env in [&plain, &granting] {
        let (value, seen) = told(submitter.submit(greet("x".into()), env));
        value.unwrap();
        assert_eq!(about_powers(seen), [""; 0]);
    }
    // What is granted and of no use is told once for all runs.
    for (env, lines) in [(&granting, &warnings[..]), (&granting, &[]), (&plain, &[])] {
        let (value, seen) = told(submitter.submit(name_of_crate(), env));
        value.unwrap();
        assert_eq!(about_powers(seen), lines);
    }

    // One import that nobody knows, of an instance.
    let name = b"wasi:keyvalue/store@0.2.0";
    let import = [&[0x0a, 30, 1, 0, 25][..], name, &[5, 0]].concat();
    let component =
        Component::new("asks.wasm", [b"\0asm\x0d\0\x01\0", &import[..]].concat()).unwrap();
    let closure = component.function("any").unwrap().bind::<()>(());
    let (result, _) = told(submitter.submit(closure, &plain));
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Input);
    assert_eq!(
        error.to_string(),
        "asks.wasm imports wasi:keyvalue/store@0.2.0, which hype doesn't offer"
    );
}
