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
        Shape::new(
            "a function that takes very long to compile",
            LARGE.guest(),
            Deadline,
            "compiling hostile.wasm took longer",
        )
        .within(Limits { timeout_ms: Some(1000), ..Limits::default() }),
    ]
}

fn data(bytes: usize) -> Guest {
    let data = "a".repeat(bytes);
    Guest {
        memory: "800",
        items: leak(format!(r#"(data (i32.const 65536) "{data}")"#)),
        ..Guest::GOOD
    }
}

/// How large a function is that a compiler works on.
struct Large(usize);

/// One that takes minutes.
const LARGE: Large = Large(40_000);

impl Large {
    /// Each local is used after each other one was changed in a loop around all, so that all are alive
    /// everywhere.
    fn guest(&self) -> Guest {
        let mut body = String::from("(local i64) (local $again i32)");
        let locals = 1_000;
        for local in 0..locals {
            body.push_str(&format!("(local $l{local} i64)"));
        }
        body.push_str("(loop $around ");
        for step in 0..self.0 {
            let (one, other) = (step * 7 % locals, step * 13 % locals);
            body.push_str(&format!(
                "(if (i64.lt_u (local.get $l{one}) (local.get $l{other})) (then (local.set $l{one} \
                 (i64.add (local.get $l{other}) (i64.const {step})))))"
            ));
        }
        body.push_str("(br_if $around (local.get $again)))");
        let items = leak(format!("(func $large {body})"));
        Guest { items, ..Guest::calling("(call $large) (call $nil)") }
    }
}
