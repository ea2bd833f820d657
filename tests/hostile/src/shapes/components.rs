//! Components that are none, or not ours.

use hype_wire::FailureKind::{Deadline, Incompatible};
use hype_wire::Limits;

use crate::guest::Guest;
use crate::shape::Shape;
use crate::shapes::memory::leak;

/// Bytes that are no component, and components that don't fit.
pub fn shapes() -> Vec<Shape> {
    let good = Guest::GOOD.component();
    let not_compiled = "is not a component that can be compiled";
    let not_exported = "doesn't export spotify:hype/closure@0.1.0";
    let not_offered = "imports what hype doesn't offer";
    let text = |text: &str| wat::parse_str(text).expect("a component");
    vec![
        Shape::of_bytes("nothing", Vec::new(), Incompatible, not_compiled),
        Shape::of_bytes("something", b"#!/bin/sh\nexit\n".to_vec(), Incompatible, not_compiled),
        Shape::of_bytes("a core module", text("(module)"), Incompatible, not_compiled),
        Shape::of_bytes(
            "half a component",
            good[..good.len() / 2].to_vec(),
            Incompatible,
            not_compiled,
        ),
        Shape::of_bytes(
            "a component and more",
            [&good[..], b"more"].concat(),
            Incompatible,
            not_compiled,
        ),
        Shape::of_bytes(
            "machine code",
            hype_run::precompile(&good, hype_run::Platform::X86_64).expect("machine code"),
            Incompatible,
            not_compiled,
        ),
        Shape::of_bytes("no exports", text("(component)"), Incompatible, not_exported),
        Shape::of_bytes(
            "a function of another type",
            text(
                r#"(component
                  (core module $m (func (export "call")))
                  (core instance $i (instantiate $m))
                  (func $call (canon lift (core func $i "call")))
                  (instance $closure (export "call" (func $call)))
                  (export "spotify:hype/closure@0.1.0" (instance $closure)))"#,
            ),
            Incompatible,
            "has a `call` of another type",
        ),
        Shape::of_bytes(
            "an import that nobody knows",
            text(
                r#"(component (import "evil:corp/door@1.0.0" (instance (export "open" (func)))))"#,
            ),
            Incompatible,
            not_offered,
        ),
        Shape::of_bytes(
            "an import of another type",
            text(
                r#"(component (import "wasi:random/random@0.2.0" (instance
                    (export "get-random-u64" (func (param "seed" string) (result u64))))))"#,
            ),
            Incompatible,
            not_offered,
        ),
        Shape::in_vain("fifty million bytes of data", data(50_000_000)),
    ]
}

/// A fifth of a second.
pub const SOON: Limits =
    Limits { timeout_ms: Some(200), memory: None, result: None, tmp: None, http_body: None };

/// A component that takes a minute or more to compile, and has a fifth of a second.
pub fn slow() -> Shape {
    let guest = Guest { items: leak(large(LARGE)), ..Guest::calling("(call $large) (call $nil)") };
    Shape::new("a large function", guest, Deadline, "compiling hostile.wasm took longer")
        .within(SOON)
}

fn data(bytes: usize) -> Guest {
    let data = "a".repeat(bytes);
    Guest {
        memory: "800",
        items: leak(format!(r#"(data (i32.const 65536) "{data}")"#)),
        ..Guest::GOOD
    }
}

/// How many steps a function has that takes a minute or more to compile.
const LARGE: usize = 40_000;

/// A function of so many steps, all in one loop: each changes a local by another, so that all are alive
/// everywhere.
fn large(steps: usize) -> String {
    const LOCALS: usize = 1_000;
    let mut body = String::from("(local $again i32)");
    for local in 0..LOCALS {
        body.push_str(&format!("(local $l{local} i64)"));
    }
    body.push_str("(loop $around ");
    for step in 0..steps {
        let (one, other) = (step * 7 % LOCALS, step * 13 % LOCALS);
        body.push_str(&format!(
            "(if (i64.lt_u (local.get $l{one}) (local.get $l{other})) (then (local.set $l{one} \
             (i64.add (local.get $l{other}) (i64.const {step})))))"
        ));
    }
    format!("(func $large {body} (br_if $around (local.get $again))))")
}
