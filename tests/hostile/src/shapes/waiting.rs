//! Guests that never end.

use hype_wire::FailureKind::{Deadline, Trap};
use hype_wire::Limits;

use crate::calls::{AFTER, BLOCK, POLL, RANDOM};
use crate::guest::Guest;
use crate::shape::Shape;

const SOON: Limits =
    Limits { timeout_ms: Some(500), memory: None, result: None, tmp: None, http_body: None };

/// Loops and waits, wherever a guest runs.
pub fn shapes() -> Vec<Shape> {
    let good = Guest::GOOD;
    let for_ever = "(loop $again (br $again))";
    let words = "timeout of 500ms";
    let shapes = [
        Shape::new(
            "a loop",
            Guest::calling("(loop $again (br $again)) unreachable"),
            Deadline,
            words,
        ),
        Shape::new(
            "a loop in the start",
            Guest { items: "(start $bad) (func $bad (loop $again (br $again)))", ..good },
            Deadline,
            words,
        ),
        Shape::new(
            "a loop where memory is asked for",
            Guest { realloc: "(loop $again (br $again)) unreachable", ..good },
            Deadline,
            words,
        ),
        Shape::new(
            "a loop after the call",
            Guest { post_return: for_ever, ..good },
            Deadline,
            words,
        ),
        Shape::new(
            "a wait for ever",
            Guest {
                calls: &[AFTER, BLOCK],
                ..Guest::calling("(call $block (call $after (i64.const -1))) unreachable")
            },
            Deadline,
            words,
        ),
        Shape::new(
            "a wait of no time, again and again",
            Guest {
                calls: &[AFTER, POLL],
                ..Guest::calling(
                    "(i32.store (i32.const 64) (call $after (i64.const 0)))
                     (loop $again
                       (call $poll (i32.const 64) (i32.const 1) (i32.const 80)) (br $again))
                     unreachable",
                )
            },
            Deadline,
            words,
        ),
        Shape::new(
            "random bytes, again and again",
            Guest {
                calls: &[RANDOM],
                ..Guest::calling(
                    "(loop $again (call $random (i64.const 0) (i32.const 64)) (br $again))
                     unreachable",
                )
            },
            Deadline,
            words,
        ),
    ];
    let mut shapes: Vec<_> = shapes.into_iter().map(|shape| shape.within(SOON)).collect();
    shapes.push(Shape::new(
        "more random bytes than there are",
        Guest {
            calls: &[RANDOM],
            ..Guest::calling(
                "(call $random (i64.const 0x7fffffffffffffff) (i32.const 64)) unreachable",
            )
        },
        Trap,
        "exceeds limit",
    ));
    shapes
}
