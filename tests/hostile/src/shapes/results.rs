//! Results that lie.

use hype_wire::FailureKind::{Result, Trap};
use hype_wire::Limits;

use crate::guest::Guest;
use crate::shape::Shape;

/// Pointers, lengths and tags of results that are wrong, and values that are too large.
pub fn shapes() -> Vec<Shape> {
    let small = Limits { result: Some(1 << 20), ..Limits::default() };
    vec![
        Shape::new(
            "a value beyond memory",
            Guest::calling("(call $value (i32.const 0x7fffffff) (i32.const 1))"),
            Trap,
            "out of bounds",
        ),
        Shape::new(
            "a value that begins in memory and ends beyond",
            Guest::calling("(call $value (i32.const 131071) (i32.const 2))"),
            Trap,
            "out of bounds",
        ),
        Shape::new(
            "a length that overflows",
            Guest::calling("(call $value (i32.const 16) (i32.const -1))"),
            Trap,
            "out of bounds",
        ),
        Shape::new(
            "a result beyond memory",
            Guest::calling("(i32.const 0x7ffffffc)"),
            Trap,
            "out of bounds",
        ),
        Shape::new("a result out of line", Guest::calling("(i32.const 17)"), Trap, "not aligned"),
        Shape::new(
            "neither a value nor a failure",
            Guest::calling("(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)"),
            Trap,
            "invalid",
        ),
        Shape::new(
            "neither kind of failure",
            Guest::calling(
                "(drop (call $failed (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0)))
                 (i32.store8 (i32.const 20) (i32.const 9)) (i32.const 16)",
            ),
            Trap,
            "unexpected discriminant",
        ),
        Shape::new(
            "causes out of line",
            Guest::calling("(call $failed (i32.const 8) (i32.const 0) (i32.const 65) (i32.const 1))"),
            Trap,
            "not aligned",
        ),
        Shape::new(
            "more causes than memory",
            Guest::calling("(call $failed (i32.const 8) (i32.const 0) (i32.const 64) (i32.const -1))"),
            Trap,
            "out of bounds",
        ),
        Shape::new(
            "a value larger than allowed",
            Guest {
                memory: "40",
                ..Guest::calling("(call $value (i32.const 0) (i32.const 2000000))")
            },
            Result,
            "its limit of 1 MiB",
        )
        .within(small),
        Shape::new(
            "a value of gigabytes",
            Guest {
                memory: "40000",
                ..Guest::calling("(call $value (i32.const 0) (i32.const 0x90000000))")
            },
            Result,
            "its limit of 2 GiB",
        ),
        Shape::new(
            "one long cause, a hundred thousand times",
            Guest {
                memory: "40",
                ..Guest::calling(
                    "(local.set 0 (i32.const 65536))
                     (loop $next
                       (i32.store (local.get 0) (i32.const 65536))
                       (i32.store offset=4 (local.get 0) (i32.const 1000000))
                       (local.set 0 (i32.add (local.get 0) (i32.const 8)))
                       (br_if $next (i32.lt_u (local.get 0) (i32.const 865536))))
                     (call $failed (i32.const 64) (i32.const 1) (i32.const 65536) (i32.const 100000))",
                )
            },
            Result,
            "its limit of 1 MiB",
        )
        .within(small),
    ]
}
