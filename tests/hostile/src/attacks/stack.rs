//! Attacks on the stack.

use hype_wire::FailureKind::Stack;

use crate::attack::Attack;
use crate::guest::Guest;

/// Returns endless recursions, in each part of a guest.
pub fn attacks() -> Vec<Attack> {
    let good = Guest::GOOD;
    let deep = "(func $deep (param i32) (result i32)
        (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    vec![
        Attack::new(
            "a function that calls itself",
            Guest { items: deep, ..Guest::with_call("(call $deep (i32.const 0))") },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "two functions that call each other",
            Guest {
                items: "(func $odd (param i32) (result i32)
                      (i32.add (call $even (local.get 0)) (i32.const 1)))
                    (func $even (param i32) (result i32)
                      (i32.add (call $odd (local.get 0)) (i32.const 1)))",
                ..Guest::with_call("(call $odd (i32.const 0))")
            },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "recursion through a table",
            Guest {
                items: "(table 1 funcref) (elem (i32.const 0) func $around)
                    (func $around (result i32)
                      (i32.add (call_indirect (result i32) (i32.const 0)) (i32.const 1)))",
                ..Guest::with_call("(call $around)")
            },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "recursion in the start function",
            Guest { items: "(start $bad) (func $bad (call $bad) (call $bad))", ..good },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "recursion in realloc",
            Guest { items: deep, realloc: "(call $deep (i32.const 0))", ..good },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "recursion in post-return",
            Guest { items: deep, post_return: "(drop (call $deep (i32.const 0)))", ..good },
            Stack,
            "called too deep",
        ),
        Attack::new(
            "an exhausted stack in linear memory",
            Guest {
                items: "(func $deep (param $at i32) (result i32)
                      (i32.store (local.get $at) (i32.const 1))
                      (i32.add (i32.load (local.get $at))
                        (call $deep (i32.sub (local.get $at) (i32.const 256)))))",
                ..Guest::with_call("(call $deep (i32.const 65536))")
            },
            Stack,
            "called too deep",
        ),
    ]
}
