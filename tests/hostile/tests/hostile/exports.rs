//! Functions with WIT types whose component breaks the canonical ABI, or returns too much.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use hostile::Staged;
use hostile::attack::{executor, runtime, workers};
use hostile::staged::failure_text;
use hype_wire::FailureKind::{self, Incompatible, Result, Trap};
use hype_wire::{End, FunctionRef, Payload, codec};

/// A component that exports a function `f` with a parameter.
struct Exporting {
    /// The type definitions, as WebAssembly text.
    types: &'static str,
    /// The type of the parameter.
    parameter: &'static str,
    /// The type of the result.
    result: &'static str,
    /// The types of the core function.
    core: &'static str,
    /// The body of the core function.
    body: &'static str,
    /// The result of the allocator.
    address: &'static str,
    /// The initial memory, in pages.
    pages: u32,
}

const RETURNING: Exporting = Exporting {
    types: "",
    parameter: "u8",
    result: "string",
    core: "(param i32) (result i32)",
    body: "(i32.const 8)",
    address: "(i32.const 4096)",
    pages: 2,
};

impl Exporting {
    /// Calls `f` with 7, and returns its failure.
    fn failure(&self) -> (FailureKind, String) {
        self.failure_with(&(7,))
    }

    /// Calls `f`, and returns its failure, which must be the same in this process and in workers.
    fn failure_with(&self, arguments: &impl serde::Serialize) -> (FailureKind, String) {
        let [here, in_worker] = self.ends(arguments).map(|end| match end {
            End::Failure(failure) => (failure.kind, failure_text(&failure)),
            End::Value(value) => panic!("{value:?}"),
        });
        assert_eq!(here, in_worker);
        here
    }

    /// Calls `f` in this process and in a worker.
    fn ends(&self, arguments: &impl serde::Serialize) -> [End; 2] {
        let Self { types, parameter, result, core, body, address, pages } = self;
        let text = format!(
            r#"(component {types}
            (core module $m (memory (export "memory") {pages})
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) {address})
                (func (export "f") {core} {body}))
            (core instance $i (instantiate $m))
            (func (export "f") (param "x" {parameter}) (result {result})
                (canon lift (core func $i "f") (memory $i "memory")
                    (realloc (func $i "realloc")))))"#
        );
        let component = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        runtime().block_on(async {
            let mut staged = Staged::new(&component).await;
            staged.manifest.job.limits.result = Some(1 << 20);
            let arguments = codec::to_vec(arguments).unwrap();
            staged.manifest.call.arguments = Payload::Inline(arguments.into());
            staged.manifest.call.function =
                FunctionRef::Export { interface: None, function: "f".into() };
            [staged.run(executor()).await.end, staged.run(workers()).await.end]
        })
    }
}

/// Checks the failure.
fn assert_fails(exporting: &Exporting, kind: FailureKind, text: &str) {
    let (found, message) = exporting.failure();
    assert_eq!(found, kind, "{message}");
    assert!(message.contains(text), "{message}");
}

#[test]
fn string_outside_of_the_memory_is_a_trap() {
    let body = "(i32.store (i32.const 12) (i32.const 0x7fffffff)) (i32.const 8)";
    assert_fails(&Exporting { body, ..RETURNING }, Trap, "a string of length 2147483647");
}

#[test]
fn string_that_is_not_utf_8_is_a_trap() {
    let body = "(i32.store (i32.const 8) (i32.const 64)) (i32.store (i32.const 12) (i32.const 1))
                (i32.store (i32.const 64) (i32.const 0xff)) (i32.const 8)";
    assert_fails(&Exporting { body, ..RETURNING }, Trap, "not valid text");
}

#[test]
fn result_outside_of_the_memory_is_a_trap() {
    for body in ["(i32.const -1)", "(i32.const 0x20000)", "(i32.const 9)"] {
        assert_fails(&Exporting { body, ..RETURNING }, Trap, "a result that is not within");
    }
}

#[test]
fn half_of_a_character_is_a_trap() {
    let body = "(i32.const 0xd800)";
    assert_fails(&Exporting { result: "char", body, ..RETURNING }, Trap, "0xd800, which is not");
}

/// The host passes the parameter and the result through the same memory.
#[test]
fn large_parameter_does_not_change_a_small_result() {
    let types = r#"(type $t (enum "a" "b")) (export $e "e" (type $t))"#;
    let (core, body) = ("(param i64) (result i32)", "(i32.const 1)");
    let choosing = Exporting { types, parameter: "s64", result: "$e", core, body, ..RETURNING };
    for number in [-1_i64, 1 << 32, i64::MIN] {
        for end in choosing.ends(&(number,)) {
            let End::Value(Payload::Inline(value)) = end else { panic!("{number}: {end:?}") };
            assert_eq!(codec::from_slice::<String>(&value).unwrap(), "b", "{number}");
        }
    }
}

#[test]
fn discriminant_without_a_case_is_a_trap() {
    let types = r#"(type $t (enum "a" "b")) (export $e "e" (type $t))"#;
    for body in ["(i32.const 2)", "(i32.const 256)", "(i32.const -1)"] {
        let exporting = Exporting { types, result: "$e", body, ..RETURNING };
        assert_fails(&exporting, Trap, "with 2 cases");
    }
    let body = "(i32.store (i32.const 8) (i32.const 2)) (i32.const 8)";
    let exporting = Exporting { result: "(option u32)", body, ..RETURNING };
    assert_fails(&exporting, Trap, "a discriminant of 2, with 2 cases");
}

#[test]
fn list_of_a_billion_nothings_is_too_large() {
    let body = "(i32.store (i32.const 12) (i32.const 1000000000)) (i32.const 8)";
    let result = "(list (result))";
    let exporting = Exporting { result, body, pages: 0x4000, ..RETURNING };
    assert_fails(&exporting, Result, "larger than its limit of 1 MiB");
    let exporting = Exporting { result, body, ..RETURNING };
    assert_fails(&exporting, Trap, "a list of 1000000000 elements that is not within");
}

#[test]
fn many_references_to_one_string_are_too_large() {
    // 8,000 strings of 64 KiB each, all at the same address.
    let body = "(local $i i32)
        (loop
            (i32.store (i32.add (i32.const 65536) (local.get $i)) (i32.const 0))
            (i32.store (i32.add (i32.const 65540) (local.get $i)) (i32.const 65536))
            (local.set $i (i32.add (local.get $i) (i32.const 8)))
            (br_if 0 (i32.lt_u (local.get $i) (i32.const 64000))))
        (memory.fill (i32.const 0) (i32.const 32) (i32.const 65536))
        (i32.store (i32.const 8) (i32.const 65536)) (i32.store (i32.const 12) (i32.const 8000))
        (i32.const 8)";
    let exporting = Exporting { result: "(list string)", body, ..RETURNING };
    assert_fails(&exporting, Result, "larger than its limit of 1 MiB");
}

#[test]
fn allocation_outside_of_the_memory_is_a_trap() {
    let exporting = Exporting {
        parameter: "string",
        core: "(param i32 i32) (result i32)",
        address: "(i32.const 0x1fff0)",
        ..RETURNING
    };
    let (kind, message) = exporting.failure_with(&("x".repeat(100),));
    assert_eq!(kind, Trap, "{message}");
    assert!(message.contains("beyond end of memory"), "{message}");
}

#[test]
fn arguments_of_other_types_do_not_reach_the_guest() {
    let (kind, message) = RETURNING.failure_with(&("seven",));
    assert_eq!(kind, Incompatible, "{message}");
    assert!(message.contains(r#"argument 1 (x): expected u8, found "seven""#), "{message}");
    let (kind, message) = RETURNING.failure_with(&());
    assert_eq!(kind, Incompatible, "{message}");
    let (kind, message) = RETURNING.failure_with(&(7, 8));
    assert!(message.contains("expected 1 argument (x), found 2"), "{kind} {message}");
}

#[test]
fn function_that_is_not_exported_is_incompatible() {
    let component = wat::parse_str("(component)").unwrap();
    let outcomes = runtime().block_on(async {
        let mut staged = Staged::new(&component).await;
        let interface = Some("acme:text/stats".into());
        staged.manifest.call.function = FunctionRef::Export { interface, function: "f".into() };
        [staged.run(executor()).await, staged.run(workers()).await]
    });
    for outcome in outcomes {
        let End::Failure(failure) = outcome.end else { panic!("{outcome:?}") };
        assert_eq!(failure.kind, Incompatible);
        assert_eq!(failure.message, "component hostile.wasm doesn't export acme:text/stats.f");
    }
}
