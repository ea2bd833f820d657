//! Attacks that never end.

use hype_wire::FailureKind::{Deadline, Trap};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::calls::{AFTER, BLOCK, POLL, RANDOM};
use crate::guest::Guest;

const SHORT_TIMEOUT: Limits =
    Limits { timeout_ms: Some(500), memory: None, result: None, tmp: None, http_body: None };

/// Returns endless loops and waits, in each part of a guest.
pub fn attacks() -> Vec<Attack> {
    let good = Guest::GOOD;
    let endless_loop = "(loop $again (br $again))";
    let timed_out = "timeout of 500ms";
    let attacks = [
        Attack::new(
            "an endless loop",
            Guest::with_call("(loop $again (br $again)) unreachable"),
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless loop in the start function",
            Guest { items: "(start $bad) (func $bad (loop $again (br $again)))", ..good },
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless loop in realloc",
            Guest { realloc: "(loop $again (br $again)) unreachable", ..good },
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless loop in post-return",
            Guest { post_return: endless_loop, ..good },
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless wait",
            Guest {
                calls: &[AFTER, BLOCK],
                ..Guest::with_call("(call $block (call $after (i64.const -1))) unreachable")
            },
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless loop of empty waits",
            Guest {
                calls: &[AFTER, POLL],
                ..Guest::with_call(
                    "(i32.store (i32.const 64) (call $after (i64.const 0)))
                     (loop $again
                       (call $poll (i32.const 64) (i32.const 1) (i32.const 80)) (br $again))
                     unreachable",
                )
            },
            Deadline,
            timed_out,
        ),
        Attack::new(
            "an endless loop of random bytes",
            Guest {
                calls: &[RANDOM],
                ..Guest::with_call(
                    "(loop $again (call $random (i64.const 0) (i32.const 64)) (br $again))
                     unreachable",
                )
            },
            Deadline,
            timed_out,
        ),
    ];
    let mut attacks: Vec<_> =
        attacks.into_iter().map(|attack| attack.with_limits(SHORT_TIMEOUT)).collect();
    attacks.push(Attack::new(
        "too many random bytes in one call",
        Guest {
            calls: &[RANDOM],
            ..Guest::with_call(
                "(call $random (i64.const 0x7fffffffffffffff) (i32.const 64)) unreachable",
            )
        },
        Trap,
        "exceeds limit",
    ));
    attacks
}
