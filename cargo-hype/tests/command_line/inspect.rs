//! `cargo hype inspect`.

use std::fs;
use std::sync::LazyLock;

use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::build::EXAMPLES;
use crate::hype::{RedactedOutput, hype, target_directory};

/// Inspects the example `hello`.
fn hello(options: &[&str]) -> RedactedOutput {
    LazyLock::force(&EXAMPLES);
    let component = target_directory().join("hype/hello.wasm");
    hype(&[&["inspect", component.to_str().unwrap()], options].concat()).redacted()
}

#[test]
fn text_lists_functions_imports_and_exports() {
    let mut output = hello(&[]);
    let (head, rest) = output.stdout.split_once('\n').unwrap();
    assert!(head.starts_with("hello.wasm: ") && head.ends_with(", for any machine"), "{head}");
    output.stdout = rest.trim_start().to_owned();
    assert_snapshot!(output, @r#"
    status 0
    --- stdout
    Functions, built with the SDK 0.1.0:

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
fn json_is_one_object() {
    let output = hello(&["--json"]);
    assert_eq!((output.status, output.stderr.as_str()), (0, ""));
    let value: Value = serde_json::from_str(&output.stdout).unwrap();
    let bytes = fs::read(target_directory().join("hype/hello.wasm")).unwrap();
    let keys: Vec<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "command-room",
            "digest",
            "exports",
            "functions",
            "imports",
            "name",
            "powers",
            "size",
            "wit-functions"
        ]
    );
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
fn import_of_a_power_names_the_grant() {
    let directory = tempfile::tempdir().unwrap();
    let rights = "a command is native code outside of the closure's sandbox";
    for (name, call, warning) in [
        ("wasi:http/outgoing-handler@0.2.6", "RunEnvironment::allow_http", None),
        ("spotify:hype/process@0.1.0", "RunEnvironment::allow_command", Some(rights)),
    ] {
        // A component with the type of an empty instance, and one import of that type.
        let size = u8::try_from(name.len()).unwrap();
        let import = [&[size + 5, 1, 0, size][..], name.as_bytes(), &[5, 0]].concat();
        let bytes = [b"\0asm\x0d\0\x01\0\x07\x03\x01\x42\0\x0a", &import[..]].concat();
        fs::write(directory.path().join("asks.wasm"), bytes).unwrap();
        let inspect = |options: &[&str]| {
            let command = [&["inspect", "asks.wasm"], options].concat();
            hype(&command).in_directory(directory.path()).redacted().stdout
        };
        let warned = warning.map(|warning| format!("; {warning}")).unwrap_or_default();
        let line = format!("{name}, granted by {call}{warned}\n");
        assert!(inspect(&[]).contains(&line), "{}", inspect(&[]));
        let value: Value = serde_json::from_str(&inspect(&["--json"])).unwrap();
        assert_eq!(
            value["powers"],
            json!([{ "import": name, "granted-by": call, "warning": warning }])
        );
        let is_reported = inspect(&[]).contains("Its commands' room on this machine: ");
        assert_eq!(is_reported, warning.is_some());
        assert_eq!(value["command-room"].is_object(), warning.is_some());
    }
}

#[test]
fn invalid_component_is_rejected_with_reason() {
    let directory = tempfile::tempdir().unwrap();
    let inspect = |name: &str, bytes: &[u8]| {
        fs::write(directory.path().join(name), bytes).unwrap();
        hype(&["inspect", name]).in_directory(directory.path()).redacted()
    };
    assert_snapshot!(inspect("silent.wasm", b"\0asm\x0d\0\x01\0").stdout, @r#"
    silent.wasm: 8 B, digest 48d3a2e8a9b0, for any machine

    Functions: unknown, since the component wasn't built with hype's SDK

    Imports: none

    Exports: none
    "#);
    assert_snapshot!(inspect("module.wasm", b"\0asm\x01\0\0\0"), @r#"
    status 2
    --- stderr
    error: module.wasm is a WebAssembly module, not yet a component
    Hint: convert it with cargo hype build, or with wasm-tools component new
    "#);
    assert_snapshot!(inspect("script.sh", b"#!/bin/sh\n"), @r#"
    status 2
    --- stderr
    error: script.sh is not a WebAssembly component
    Caused by:
       0: it doesn't begin as WebAssembly does
    "#);
    assert_snapshot!(hype(&["inspect", "no/such.wasm"]).redacted(), @r#"
    status 2
    --- stderr
    error: there is no component no/such.wasm
    Hint: cargo hype build creates components: target/hype/PACKAGE.wasm
    "#);
}
