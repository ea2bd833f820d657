//! Attacks by invalid and incompatible components.

use hype_wire::FailureKind::{Deadline, Incompatible};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::attacks::memory::leak;
use crate::guest::Guest;

/// Returns bytes that are not a component, and components with the wrong imports or exports.
pub fn attacks() -> Vec<Attack> {
    let good = Guest::GOOD.component();
    let not_compiled = "is not a component that can be compiled";
    let not_exported = "doesn't export spotify:hype/closure@0.1.0";
    let not_offered = "imports what hype doesn't offer";
    let text = |text: &str| wat::parse_str(text).expect("a component");
    vec![
        Attack::of_bytes("no bytes", Vec::new(), Incompatible, not_compiled),
        Attack::of_bytes(
            "a shell script",
            b"#!/bin/sh\nexit\n".to_vec(),
            Incompatible,
            not_compiled,
        ),
        Attack::of_bytes("a core module", text("(module)"), Incompatible, not_compiled),
        Attack::of_bytes(
            "half a component",
            good[..good.len() / 2].to_vec(),
            Incompatible,
            not_compiled,
        ),
        Attack::of_bytes(
            "a component with trailing bytes",
            [&good[..], b"more"].concat(),
            Incompatible,
            not_compiled,
        ),
        Attack::of_bytes(
            "machine code",
            hype_run::precompile(&good, hype_run::Platform::X86_64).expect("machine code"),
            Incompatible,
            not_compiled,
        ),
        Attack::of_bytes("no exports", text("(component)"), Incompatible, not_exported),
        Attack::of_bytes(
            "a function of the wrong type",
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
        Attack::of_bytes(
            "an unknown import",
            text(
                r#"(component (import "evil:corp/door@1.0.0" (instance (export "open" (func)))))"#,
            ),
            Incompatible,
            not_offered,
        ),
        Attack::of_bytes(
            "an import of the wrong type",
            text(
                r#"(component (import "wasi:random/random@0.2.0" (instance
                    (export "get-random-u64" (func (param "seed" string) (result u64))))))"#,
            ),
            Incompatible,
            not_offered,
        ),
        Attack::without_effect("50 MB of data", data(50_000_000)),
    ]
}

/// A timeout of a fifth of a second.
pub const SHORT_TIMEOUT: Limits =
    Limits { timeout_ms: Some(200), memory: None, result: None, tmp: None, http_body: None };

/// Returns a component that takes a minute or more to compile, with a timeout of a fifth of a second. Each call returns
/// another one, so that no cache has its machine code.
pub fn slow() -> Attack {
    let items = leak(format!("{} {}", unique_global(), large(LARGE)));
    let guest = Guest { items, ..Guest::with_call("(call $large) (call $nil)") };
    Attack::new("a large function", guest, Deadline, "compiling hostile.wasm took longer")
        .with_limits(SHORT_TIMEOUT)
}

/// Returns a global that no component of an earlier call has.
pub fn unique_global() -> String {
    let now = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("(global i64 (i64.const {}))", now.as_nanos() as u64 as i64)
}

fn data(bytes: usize) -> Guest {
    let data = "a".repeat(bytes);
    Guest {
        memory: "800",
        items: leak(format!(r#"(data (i32.const 65536) "{data}")"#)),
        ..Guest::GOOD
    }
}

/// The number of steps of a function that takes a minute or more to compile.
const LARGE: usize = 40_000;

/// Returns a function with `steps` steps in one loop. Each step changes one local by another one, so that
/// all locals are alive everywhere, which makes register allocation slow.
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
