//! Attacks by invalid results.

use hype_wire::FailureKind::{Result, Trap};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::guest::Guest;

/// Returns results with invalid pointers, lengths and tags, and values that are too large.
pub fn attacks() -> Vec<Attack> {
    let small = Limits { result: Some(1 << 20), ..Limits::default() };
    vec![
        Attack::new(
            "a value outside of memory",
            Guest::with_call("(call $value (i32.const 0x7fffffff) (i32.const 1))"),
            Trap,
            "out of bounds",
        ),
        Attack::new(
            "a value that begins in memory and ends outside",
            Guest::with_call("(call $value (i32.const 131071) (i32.const 2))"),
            Trap,
            "out of bounds",
        ),
        Attack::new(
            "a length that overflows",
            Guest::with_call("(call $value (i32.const 16) (i32.const -1))"),
            Trap,
            "out of bounds",
        ),
        Attack::new(
            "a result outside of memory",
            Guest::with_call("(i32.const 0x7ffffffc)"),
            Trap,
            "out of bounds",
        ),
        Attack::new("an unaligned result", Guest::with_call("(i32.const 17)"), Trap, "not aligned"),
        Attack::new(
            "an invalid tag of the result",
            Guest::with_call("(i32.store8 (i32.const 16) (i32.const 7)) (i32.const 16)"),
            Trap,
            "invalid",
        ),
        Attack::new(
            "an invalid kind of failure",
            Guest::with_call(
                "(drop (call $failed (i32.const 8) (i32.const 0) (i32.const 0) (i32.const 0)))
                 (i32.store8 (i32.const 20) (i32.const 9)) (i32.const 16)",
            ),
            Trap,
            "unexpected discriminant",
        ),
        Attack::new(
            "unaligned causes",
            Guest::with_call("(call $failed (i32.const 8) (i32.const 0) (i32.const 65) (i32.const 1))"),
            Trap,
            "not aligned",
        ),
        Attack::new(
            "more causes than fit into memory",
            Guest::with_call("(call $failed (i32.const 8) (i32.const 0) (i32.const 64) (i32.const -1))"),
            Trap,
            "out of bounds",
        ),
        Attack::new(
            "a trap after a large value",
            Guest {
                memory: "40",
                post_return: "unreachable",
                ..Guest::with_call("(call $value (i32.const 0) (i32.const 2000000))")
            },
            Trap,
            "unreachable",
        ),
        Attack::new(
            "a value larger than its limit",
            Guest {
                memory: "40",
                ..Guest::with_call("(call $value (i32.const 0) (i32.const 2000000))")
            },
            Result,
            "its limit of 1 MiB",
        )
        .with_limits(small),
        Attack::new(
            "a value larger than the default limit",
            Guest {
                memory: "40000",
                ..Guest::with_call("(call $value (i32.const 0) (i32.const 0x90000000))")
            },
            Result,
            "its limit of 2 GiB",
        ),
        Attack::new(
            "100,000 references to one long cause",
            Guest {
                memory: "40",
                ..Guest::with_call(
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
        .with_limits(small),
    ]
}
