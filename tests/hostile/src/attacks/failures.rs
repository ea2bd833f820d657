//! Attacks by failures and panics that are too large or invalid.

use hype_wire::FailureKind::{Function, Panic, Trap};

use crate::attack::Attack;
use crate::calls::PANICKED;
use crate::guest::Guest;

/// Returns a failure with a message of 100 million `a`.
pub const LONG_MESSAGE: Guest = Guest {
    memory: "1600",
    ..Guest::with_call(
        "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 100000000))
         (call $failed (i32.const 65536) (i32.const 100000000) (i32.const 0) (i32.const 0))",
    )
};

/// Returns a failure with a million empty causes.
pub const MANY_CAUSES: Guest = Guest {
    memory: "200",
    ..Guest::with_call(
        "(call $failed (i32.const 8) (i32.const 0) (i32.const 65536) (i32.const 1000000))",
    )
};

/// Reports a panic with a message and a file name of 50 million `a`, and then traps.
pub const LONG_PANIC: Guest = Guest {
    calls: &[PANICKED],
    memory: "1600",
    ..Guest::with_call(
        "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 50000000))
         (call $panicked (i32.const 65536) (i32.const 50000000)
           (i32.const 65536) (i32.const 50000000) (i32.const -1))
         unreachable",
    )
};

/// Returns failures and panics with invalid or long texts, and repeated panics.
pub fn attacks() -> Vec<Attack> {
    let panics = "(local.set 0 (i32.const 1000000))
        (loop $again
          (call $panicked (i32.const 64) (i32.const 8) (i32.const 64) (i32.const 8) (local.get 0))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))";
    let text = r#"(data (i32.const 64) "too loud")"#;
    let panicking = Guest { calls: &[PANICKED], items: text, ..Guest::GOOD };
    vec![
        Attack::new(
            "a message that is not UTF-8",
            Guest {
                items: r#"(data (i32.const 64) "\ff\fe")"#,
                ..Guest::with_call(
                    "(call $failed (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0))",
                )
            },
            Trap,
            "invalid utf-8",
        ),
        Attack::new(
            "a panic message that is not UTF-8",
            Guest {
                calls: &[PANICKED],
                items: r#"(data (i32.const 64) "\ff\fe")"#,
                ..Guest::with_call(
                    "(call $panicked (i32.const 64) (i32.const 2) (i32.const 64) (i32.const 2)
                       (i32.const 1)) unreachable",
                )
            },
            Trap,
            "invalid utf-8",
        ),
        Attack::new(
            "a panic message outside of memory",
            Guest {
                call: "(call $panicked (i32.const -8) (i32.const 8) (i32.const 64) (i32.const 8)
                    (i32.const 1)) unreachable",
                ..panicking
            },
            Trap,
            "out of bounds",
        ),
        Attack::new("a long message", LONG_MESSAGE, Function, "bytes more"),
        Attack::new("many causes", MANY_CAUSES, Function, "999969 causes more"),
        Attack::new("a long panic message", LONG_PANIC, Panic, "bytes more"),
        Attack::new(
            "a million panics and a trap",
            Guest {
                call: crate::attacks::memory::leak(format!("{panics} unreachable")),
                ..panicking
            },
            Panic,
            "too loud",
        ),
        Attack::without_effect(
            "a million panics and a value",
            Guest {
                call: crate::attacks::memory::leak(format!("{panics} (call $nil)")),
                ..panicking
            },
        ),
        Attack::new(
            "a panic and an unrelated trap",
            Guest {
                call: "(call $panicked (i32.const 64) (i32.const 8) (i32.const 64) (i32.const 8)
                    (i32.const 1)) (i32.load (i32.const 0x7ffffff0))",
                ..panicking
            },
            Trap,
            "out of bounds memory access",
        ),
    ]
}
