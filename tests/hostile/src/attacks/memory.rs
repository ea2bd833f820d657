//! Attacks on memory.

use hype_wire::FailureKind::{Memory, Resources, Trap};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::guest::Guest;

const SMALL_MEMORY: Limits =
    Limits { timeout_ms: None, memory: Some(64 << 20), result: None, tmp: None, http_body: None };

/// Returns guests whose memories are large, grow, or are too many.
pub fn attacks() -> Vec<Attack> {
    let good = Guest::GOOD;
    let grow = "(loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    let two = "(memory $a 1) (memory $b 1)";
    vec![
        Attack::new(
            "endless growth",
            Guest { items: grown(grow, "unreachable"), ..Guest::with_call("(call $grown)") },
            Memory,
            "its limit of 64 MiB",
        )
        .with_limits(SMALL_MEMORY),
        Attack::without_effect(
            "growth that stops when it is denied",
            Guest { items: grown(grow, "(call $nil)"), ..Guest::with_call("(call $grown)") },
        )
        .with_limits(SMALL_MEMORY),
        Attack::new(
            "denied growth and an unrelated trap",
            Guest {
                items: grown(grow, "(i32.load (i32.const 0x7ffffff0))"),
                ..Guest::with_call("(call $grown)")
            },
            Trap,
            "out of bounds memory access",
        )
        .with_limits(SMALL_MEMORY),
        Attack::new(
            "a memory with a large initial size",
            Guest { memory: "1025", ..good },
            Memory,
            "its limit of 64 MiB",
        )
        .with_limits(SMALL_MEMORY),
        Attack::new(
            "two memories that exceed the limit together",
            Guest { items: "(memory $a 600) (memory $b 600)", ..good },
            Memory,
            "its limit of 64 MiB",
        )
        .with_limits(SMALL_MEMORY),
        Attack::new(
            "two memories that exceed the default limit together",
            Guest {
                items: two,
                ..Guest::with_call(
                    "(drop (memory.grow $a (i32.const 40000)))
                     (if (i32.eq (memory.grow $b (i32.const 40000)) (i32.const -1))
                       (then unreachable))
                     (call $nil)",
                )
            },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Attack::new(
            "a 64-bit memory that grows beyond the machine's memory",
            Guest {
                items: "(memory $large i64 1)",
                ..Guest::with_call(
                    "(if (i64.eq (memory.grow $large (i64.const 0x1000000)) (i64.const -1))
                       (then unreachable))
                     (call $nil)",
                )
            },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Attack::new(
            "a 64-bit memory with a large initial size",
            Guest { items: "(memory $large i64 0x100000)", ..good },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Attack::new(
            "too many memories",
            Guest { items: memories(60), extra_items: memories_of_another_module(60), ..good },
            Resources,
            "memory count too high",
        ),
    ]
}

fn grown(grow: &str, then: &str) -> &'static str {
    leak(format!("(func $grown (result i32) {grow} {then})"))
}

fn memories(count: usize) -> &'static str {
    leak("(memory 0)".repeat(count))
}

fn memories_of_another_module(count: usize) -> &'static str {
    leak(format!(
        "(core module $more {}) (core instance (instantiate $more))",
        "(memory 0)".repeat(count)
    ))
}

/// Leaks a text that is created once per process.
pub(crate) fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
