//! Calls deeper than the stack.

use hype_wire::FailureKind::Stack;

use crate::guest::Guest;
use crate::shape::Shape;

/// Recursion, wherever a guest runs.
pub fn shapes() -> Vec<Shape> {
    let good = Guest::GOOD;
    let deep = "(func $deep (param i32) (result i32)
        (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))";
    vec![
        Shape::new(
            "itself",
            Guest { items: deep, ..Guest::calling("(call $deep (i32.const 0))") },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "one another",
            Guest {
                items: "(func $odd (param i32) (result i32)
                      (i32.add (call $even (local.get 0)) (i32.const 1)))
                    (func $even (param i32) (result i32)
                      (i32.add (call $odd (local.get 0)) (i32.const 1)))",
                ..Guest::calling("(call $odd (i32.const 0))")
            },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "through a table",
            Guest {
                items: "(table 1 funcref) (elem (i32.const 0) func $around)
                    (func $around (result i32)
                      (i32.add (call_indirect (result i32) (i32.const 0)) (i32.const 1)))",
                ..Guest::calling("(call $around)")
            },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "in the start",
            Guest { items: "(start $bad) (func $bad (call $bad) (call $bad))", ..good },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "where memory is asked for",
            Guest { items: deep, realloc: "(call $deep (i32.const 0))", ..good },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "after the call",
            Guest { items: deep, post_return: "(drop (call $deep (i32.const 0)))", ..good },
            Stack,
            "called too deep",
        ),
        Shape::new(
            "a stack in memory",
            Guest {
                items: "(func $deep (param $at i32) (result i32)
                      (i32.store (local.get $at) (i32.const 1))
                      (i32.add (i32.load (local.get $at))
                        (call $deep (i32.sub (local.get $at) (i32.const 256)))))",
                ..Guest::calling("(call $deep (i32.const 65536))")
            },
            Stack,
            "called too deep",
        ),
    ]
}
