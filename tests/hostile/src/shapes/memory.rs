//! More memory than there is to have.

use hype_wire::FailureKind::{Memory, Resources, Trap};
use hype_wire::Limits;

use crate::guest::Guest;
use crate::shape::Shape;

const LIMIT: Limits =
    Limits { timeout_ms: None, memory: Some(64 << 20), result: None, tmp: None, http_body: None };

/// Memories that are large from the beginning, that grow, and that are many.
pub fn shapes() -> Vec<Shape> {
    let good = Guest::GOOD;
    let grow = "(loop $more
        (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))";
    let two = "(memory $a 1) (memory $b 1)";
    vec![
        Shape::new(
            "growth that goes on",
            Guest { items: grown(grow, "unreachable"), ..Guest::calling("(call $grown)") },
            Memory,
            "its limit of 64 MiB",
        )
        .within(LIMIT),
        Shape::in_vain(
            "growth that stops where it is refused",
            Guest { items: grown(grow, "(call $nil)"), ..Guest::calling("(call $grown)") },
        )
        .within(LIMIT),
        Shape::new(
            "growth that is refused, and a trap for another reason",
            Guest {
                items: grown(grow, "(i32.load (i32.const 0x7ffffff0))"),
                ..Guest::calling("(call $grown)")
            },
            Trap,
            "out of bounds memory access",
        )
        .within(LIMIT),
        Shape::new(
            "a large beginning",
            Guest { memory: "1025", ..good },
            Memory,
            "its limit of 64 MiB",
        )
        .within(LIMIT),
        Shape::new(
            "two that are too much together",
            Guest { items: "(memory $a 600) (memory $b 600)", ..good },
            Memory,
            "its limit of 64 MiB",
        )
        .within(LIMIT),
        Shape::new(
            "two that grow in turns, without a limit",
            Guest {
                items: two,
                ..Guest::calling(
                    "(drop (memory.grow $a (i32.const 40000)))
                     (if (i32.eq (memory.grow $b (i32.const 40000)) (i32.const -1))
                       (then unreachable))
                     (call $nil)",
                )
            },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Shape::new(
            "one of 64 bits that is larger than the machine",
            Guest {
                items: "(memory $large i64 1)",
                ..Guest::calling(
                    "(if (i64.eq (memory.grow $large (i64.const 0x1000000)) (i64.const -1))
                       (then unreachable))
                     (call $nil)",
                )
            },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Shape::new(
            "one of 64 bits that is large from the beginning",
            Guest { items: "(memory $large i64 0x100000)", ..good },
            Memory,
            "the 4 GiB that WebAssembly has",
        ),
        Shape::new(
            "more memories than address space",
            Guest { items: memories(60), beside: beside(60), ..good },
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

fn beside(count: usize) -> &'static str {
    leak(format!(
        "(core module $more {}) (core instance (instantiate $more))",
        "(memory 0)".repeat(count)
    ))
}

/// Text that is made once a process.
pub(crate) fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}
