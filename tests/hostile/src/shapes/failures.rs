//! Failures that say too much.

use hype_wire::FailureKind::{Function, Panic, Trap};

use crate::calls::PANICKED;
use crate::guest::Guest;
use crate::shape::Shape;

/// A message of a hundred million `a`.
pub const LONG: Guest = Guest {
    memory: "1600",
    ..Guest::calling(
        "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 100000000))
         (call $failed (i32.const 65536) (i32.const 100000000) (i32.const 0) (i32.const 0))",
    )
};

/// A million causes, all empty.
pub const MANY: Guest = Guest {
    memory: "200",
    ..Guest::calling(
        "(call $failed (i32.const 8) (i32.const 0) (i32.const 65536) (i32.const 1000000))",
    )
};

/// A panic that says fifty million `a`, in a file whose name is as long, and then a trap.
pub const LOUD: Guest = Guest {
    calls: &[PANICKED],
    memory: "1600",
    ..Guest::calling(
        "(memory.fill (i32.const 65536) (i32.const 97) (i32.const 50000000))
         (call $panicked (i32.const 65536) (i32.const 50000000)
           (i32.const 65536) (i32.const 50000000) (i32.const -1))
         unreachable",
    )
};

/// Texts that are no texts, and panics that are none.
pub fn shapes() -> Vec<Shape> {
    let panics = "(local.set 0 (i32.const 1000000))
        (loop $again
          (call $panicked (i32.const 64) (i32.const 8) (i32.const 64) (i32.const 8) (local.get 0))
          (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))";
    let text = r#"(data (i32.const 64) "too loud")"#;
    let panicking = Guest { calls: &[PANICKED], items: text, ..Guest::GOOD };
    vec![
        Shape::new(
            "a message that is no text",
            Guest {
                items: r#"(data (i32.const 64) "\ff\fe")"#,
                ..Guest::calling(
                    "(call $failed (i32.const 64) (i32.const 2) (i32.const 0) (i32.const 0))",
                )
            },
            Trap,
            "invalid utf-8",
        ),
        Shape::new(
            "a panic that is no text",
            Guest {
                calls: &[PANICKED],
                items: r#"(data (i32.const 64) "\ff\fe")"#,
                ..Guest::calling(
                    "(call $panicked (i32.const 64) (i32.const 2) (i32.const 64) (i32.const 2)
                       (i32.const 1)) unreachable",
                )
            },
            Trap,
            "invalid utf-8",
        ),
        Shape::new(
            "a panic beyond memory",
            Guest {
                call: "(call $panicked (i32.const -8) (i32.const 8) (i32.const 64) (i32.const 8)
                    (i32.const 1)) unreachable",
                ..panicking
            },
            Trap,
            "out of bounds",
        ),
        Shape::new("a message that is long", LONG, Function, "bytes more"),
        Shape::new("causes that are many", MANY, Function, "999969 causes more"),
        Shape::new("a panic that is long", LOUD, Panic, "bytes more"),
        Shape::new(
            "a million panics and a trap",
            Guest {
                call: crate::shapes::memory::leak(format!("{panics} unreachable")),
                ..panicking
            },
            Panic,
            "too loud",
        ),
        Shape::in_vain(
            "a million panics and a value",
            Guest {
                call: crate::shapes::memory::leak(format!("{panics} (call $nil)")),
                ..panicking
            },
        ),
        Shape::new(
            "a panic and a trap of another kind",
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
