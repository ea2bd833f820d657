//! `cargo hype inspect`.

use std::fs;
use std::sync::LazyLock;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::build::EXAMPLES;
use crate::hype::{Seen, hype, target_directory};

/// Inspects the example `hello`.
fn hello(options: &[&str]) -> Seen {
    LazyLock::force(&EXAMPLES);
    let component = target_directory().join("hype/hello.wasm");
    hype(&[&["inspect", component.to_str().unwrap()], options].concat()).seen()
}

#[test]
fn a_component_has_functions_imports_and_exports() {
    let mut seen = hello(&[]);
    let (head, rest) = seen.stdout.split_once('\n').unwrap();
    assert!(head.starts_with("hello.wasm: ") && head.ends_with(", for any machine"), "{head}");
    seen.stdout = rest.trim_start().to_owned();
    assert_snapshot!(seen, @r#"
    status 0
    --- stdout
    Functions, by the SDK 0.1.0:

      example(arg: String) -> String
          Greets `arg`.
          hello, examples/hello/src/lib.rs:5

    Imports:
      spotify:hype/report@0.1.0
      wasi:cli/environment@0.2.12
      wasi:cli/exit@0.2.12
      wasi:cli/stderr@0.2.12
      wasi:cli/stdin@0.2.12
      wasi:cli/stdout@0.2.12
      wasi:clocks/wall-clock@0.2.12
      wasi:filesystem/preopens@0.2.12
      wasi:filesystem/types@0.2.12
      wasi:io/error@0.2.12
      wasi:io/streams@0.2.12

    Exports:
      spotify:hype/closure@0.1.0
    "#);
}

#[test]
fn tools_read_one_object_of_json() {
    let seen = hello(&["--json"]);
    assert_eq!((seen.status, seen.stderr.as_str()), (0, ""));
    let value: Value = serde_json::from_str(&seen.stdout).unwrap();
    let bytes = fs::read(target_directory().join("hype/hello.wasm")).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(keys, ["digest", "exports", "functions", "imports", "name", "powers", "size"]);
    assert_eq!(value["name"], "hello.wasm");
    assert_eq!(value["size"], json!(bytes.len()));
    assert_eq!(value["digest"], json!(::hype::stage::Digest::of(&bytes).to_string()));
    assert_eq!(value["imports"][0], "spotify:hype/report@0.1.0");
    assert_eq!(value["powers"], json!([]));
    assert_eq!(value["exports"], json!(["spotify:hype/closure@0.1.0"]));
    assert_eq!(
        value["functions"],
        json!([{
            "name": "example",
            "package": "hello",
            "parameters": [{ "name": "arg", "type": "String" }],
            "result": "String",
            "docs": "Greets `arg`.",
            "file": "examples/hello/src/lib.rs",
            "line": 5,
            "sdk": "0.1.0",
        }])
    );
}

#[test]
fn what_takes_a_power_says_what_grants_it() {
    let directory = tempfile::tempdir().unwrap();
    let rights = "a command has all the rights of the process that runs the closure";
    for (name, call, warning) in [
        ("wasi:http/outgoing-handler@0.2.6", "RunEnvironment::allow_http", None),
        ("spotify:hype/process@0.1.0", "RunEnvironment::allow_command", Some(rights)),
    ] {
        // One import, of an instance of type 0.
        let size = u8::try_from(name.len()).unwrap();
        let import = [&[size + 5, 1, 0, size][..], name.as_bytes(), &[5, 0]].concat();
        let bytes = [b"\0asm\x0d\0\x01\0\x0a", &import[..]].concat();
        fs::write(directory.path().join("asks.wasm"), bytes).unwrap();
        let inspect = |options: &[&str]| {
            let command = [&["inspect", "asks.wasm"], options].concat();
            hype(&command).in_directory(directory.path()).seen().stdout
        };
        let warned = warning.map(|warning| format!("; {warning}")).unwrap_or_default();
        let told = format!("{name}, granted by {call}{warned}\n");
        assert!(inspect(&[]).contains(&told), "{}", inspect(&[]));
        let value: Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
        assert_eq!(
            value["powers"],
            json!([{ "import": name, "granted-by": call, "warning": warning }])
        );
    }
}

#[test]
fn what_can_not_be_inspected_says_why() {
    let directory = tempfile::tempdir().unwrap();
    let inspect = |name: &str, bytes: &[u8]| {
        fs::write(directory.path().join(name), bytes).unwrap();
        hype(&["inspect", name]).in_directory(directory.path()).seen()
    };
    assert_snapshot!(inspect("silent.wasm", b"\0asm\x0d\0\x01\0").stdout, @r#"
    silent.wasm: 8 B, digest 48d3a2e8a9b0, for any machine

    It doesn't say which functions it has: it wasn't written with hype's SDK.

    Imports: none

    Exports: none
    "#);
    assert_snapshot!(inspect("module.wasm", b"\0asm\x01\0\0\0"), @r#"
    status 2
    --- stderr
    error: module.wasm is a WebAssembly module, not yet a component
    Hint: make one of it with cargo hype build, or with wasm-tools component new
    "#);
    assert_snapshot!(inspect("script.sh", b"#!/bin/sh\n"), @r#"
    status 2
    --- stderr
    error: script.sh is not a WebAssembly component
    Caused by:
       0: it doesn't begin as WebAssembly does
    "#);
    assert_snapshot!(hype(&["inspect", "no/such.wasm"]).seen(), @r#"
    status 2
    --- stderr
    error: there is no component no/such.wasm
    Hint: cargo hype build makes them: target/hype/PACKAGE.wasm
    "#);
}
