//! `cargo hype inspect` and `call` of a component that was built without hype.

use insta::assert_snapshot;

use crate::hype::{RedactedOutput, hype};

/// Functions of two interfaces and of the world, and comments of one of them.
const COMPONENT: &str = r#"(component
    (import "wasi:sockets/network@0.2.0" (instance (export "network" (type (sub resource)))))
    (core module $m
        (memory (export "memory") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 1024)
        (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
        (func (export "identity") (param i32 i32) (result i32)
            (i32.store (i32.const 8) (local.get 0)) (i32.store (i32.const 12) (local.get 1))
            (i32.const 8))
        (func (export "halve") (param i32) (result i32)
            (i32.store8 (i32.const 8) (i32.and (local.get 0) (i32.const 1)))
            (i32.store (i32.const 12) (i32.shr_u (local.get 0) (i32.const 1)))
            (i32.const 8)))
    (core instance $i (instantiate $m))
    (func $add (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "add")))
    (func $greet (param "name" string) (result string)
        (canon lift (core func $i "identity") (memory $i "memory") (realloc (func $i "realloc"))))
    (func $halve (param "n" u32) (result (result u32 (error u32)))
        (canon lift (core func $i "halve") (memory $i "memory")))
    (instance $calc (export "add" (func $add)) (export "halve" (func $halve)))
    (export "acme:math/calc@1.0.0" (instance $calc))
    (instance $more (export "add" (func $add)))
    (export "acme:math/more" (instance $more))
    (export "greet" (func $greet))
    (@custom "package-docs" "\01{\"interfaces\": {\"calc\": {\"funcs\": {\"add\": {\"docs\": \"Adds.\"}}}}}"))"#;

fn on_component(command: &str, arguments: &[&str]) -> RedactedOutput {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("math.wasm");
    std::fs::write(&path, wat::parse_str(COMPONENT).unwrap()).unwrap();
    let output = hype(&[&[command, path.to_str().unwrap()], arguments].concat());
    output.redacted().without_progress()
}

fn call(arguments: &[&str]) -> RedactedOutput {
    on_component("call", arguments)
}

#[test]
fn functions_are_printed_as_wit_with_comments() {
    let output = on_component("inspect", &[]).stdout;
    let (_, functions) = output.split_once("\n\n").unwrap();
    assert_snapshot!(functions, @r#"
    Functions with WIT types:

      interface acme:math/calc@1.0.0
      add: func(a: u32, b: u32) -> u32;
          Adds.
      halve: func(n: u32) -> result<u32, u32>;

      interface acme:math/more
      add: func(a: u32, b: u32) -> u32;

      greet: func(name: string) -> string;

    Imports:
      wasi:sockets/network@0.2.0

    Exports:
      acme:math/calc@1.0.0
      acme:math/more
      greet
    "#);
    let json = on_component("inspect", &["--json"]).stdout;
    assert!(json.contains(r#""name": "acme:math/calc@1.0.0.halve""#), "{json}");
    assert!(json.contains(r#""result": "result<u32, u32>""#), "{json}");
}

#[test]
fn functions_are_called_by_name() {
    assert_snapshot!(call(&["acme:math/calc.add", "2", "3"]), @r#"
    status 0
    --- stdout
    5
    "#);
    assert_snapshot!(call(&["acme:math/more.add", "2", "3"]), @r#"
    status 0
    --- stdout
    5
    "#);
    assert_snapshot!(call(&["greet", "Ada Lovelace"]), @r#"
    status 0
    --- stdout
    "Ada Lovelace"
    "#);
    assert_snapshot!(call(&["greet", "\"a \\\"b\\\"\""]), @r#"
    status 0
    --- stdout
    "a \"b\""
    "#);
    assert_snapshot!(call(&["halve", "10"]), @r#"
    status 0
    --- stdout
    5
    "#);
    assert_snapshot!(call(&["halve", "9"]), @r#"
    status 1
    --- stderr
    error: closure `halve` failed: 4
    "#);
}

#[test]
fn wrong_names_and_arguments_are_explained() {
    assert_snapshot!(call(&["add", "2", "3"]), @r#"
    status 2
    --- stderr
    error: math.wasm has several functions `add`: write acme:math/calc@1.0.0.add or acme:math/more.add
    "#);
    assert_snapshot!(call(&["sub", "2"]), @r#"
    status 2
    --- stderr
    error: math.wasm has no function `sub`; it has: acme:math/calc@1.0.0.add, acme:math/calc@1.0.0.halve, acme:math/more.add, greet
    "#);
    assert_snapshot!(call(&["acme:math/calc.add", "2", "three"]), @r#"
    status 2
    --- stderr
    error: the arguments of `add` cannot be sent
    Caused by:
       0: argument 2 (b): expected u32, found "three"
    "#);
    assert_snapshot!(call(&["acme:math/calc.add", "2", "[3"]), @r#"
    status 2
    --- stderr
    error: the arguments of `add` cannot be sent
    Caused by:
       0: argument 2 (b): expected u32; the argument isn't JSON: EOF while parsing a list at column 2
    "#);
    assert_snapshot!(call(&["acme:math/calc.add", "2"]), @r#"
    status 2
    --- stderr
    error: the arguments of `add` cannot be sent
    Caused by:
       0: expected 2 arguments (a, b), found 1
    "#);
    assert_snapshot!(call(&["acme:math/calc.add", "2", "4294967296"]), @r#"
    status 2
    --- stderr
    error: the arguments of `add` cannot be sent
    Caused by:
       0: argument 2 (b): expected u32, found 4294967296
    "#);
}
