//! What WebAssembly and the component model forbid.

use hype_wire::FailureKind::Trap;

use crate::calls::{EXIT, PANICKED};
use crate::guest::Guest;
use crate::shape::Shape;

/// Traps of the instructions of a function, of a start, of what surrounds a call.
pub fn shapes() -> Vec<Shape> {
    let good = Guest::GOOD;
    let table = r#"(table 4 funcref) (elem (i32.const 0) func $nil)
        (type $other (func (param f64) (result f64)))"#;
    vec![
        Shape::new("unreachable", Guest::calling("unreachable"), Trap, "`unreachable`"),
        Shape::new(
            "a division by zero",
            Guest::calling("(i32.div_u (local.get 1) (i32.const 0))"),
            Trap,
            "integer divide by zero",
        ),
        Shape::new(
            "a division that overflows",
            Guest::calling("(i32.div_s (i32.const 0x80000000) (i32.const -1))"),
            Trap,
            "integer overflow",
        ),
        Shape::new(
            "no number as an integer",
            Guest::calling("(i32.trunc_f64_s (f64.const nan))"),
            Trap,
            "invalid conversion to integer",
        ),
        Shape::new(
            "a load out of bounds",
            Guest::calling("(i32.load (i32.const 0x7ffffff0))"),
            Trap,
            "out of bounds memory access",
        ),
        Shape::new(
            "a store out of bounds",
            Guest::calling(
                "(i64.store offset=0xffffffff (i32.const -1) (i64.const 1)) (i32.const 0)",
            ),
            Trap,
            "out of bounds memory access",
        ),
        Shape::new(
            "a fill out of bounds",
            Guest::calling(
                "(memory.fill (i32.const 1) (i32.const 1) (i32.const -1)) (i32.const 0)",
            ),
            Trap,
            "out of bounds memory access",
        ),
        Shape::new(
            "a call beyond the table",
            Guest { items: table, ..Guest::calling("(call_indirect (result i32) (i32.const 9))") },
            Trap,
            "out of bounds table access",
        ),
        Shape::new(
            "a call of nothing",
            Guest { items: table, ..Guest::calling("(call_indirect (result i32) (i32.const 1))") },
            Trap,
            "uninitialized element",
        ),
        Shape::new(
            "a call as another type",
            Guest {
                items: table,
                ..Guest::calling(
                    "(drop (call_indirect (type $other) (f64.const 0) (i32.const 0))) (i32.const 0)",
                )
            },
            Trap,
            "indirect call type mismatch",
        ),
        Shape::new(
            "a trap in the start",
            Guest { items: "(start $bad) (func $bad unreachable)", ..good },
            Trap,
            "`unreachable`",
        ),
        Shape::new(
            "data out of bounds",
            Guest { items: r#"(data (i32.const 0x7fffffff) "x")"#, ..good },
            Trap,
            "out of bounds memory access",
        ),
        Shape::new(
            "elements out of bounds",
            Guest { items: "(table 1 funcref) (elem (i32.const 1) func $nil)", ..good },
            Trap,
            "out of bounds table access",
        ),
        Shape::new(
            "a trap after the call",
            Guest { post_return: "unreachable", ..good },
            Trap,
            "`unreachable`",
        ),
        Shape::new(
            "a trap where memory is asked for",
            Guest { realloc: "unreachable", ..good },
            Trap,
            "`unreachable`",
        ),
        Shape::new(
            "memory that isn't there",
            Guest { realloc: "(i32.const 0x7ffffff0)", ..good },
            Trap,
            "beyond end of memory",
        ),
        Shape::new(
            "the host called while it gives arguments",
            Guest {
                calls: &[PANICKED],
                realloc: "(call $panicked (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0)) (i32.const 4096)",
                ..good
            },
            Trap,
            "cannot leave component instance",
        ),
        Shape::new(
            "the host called after the call",
            Guest {
                calls: &[PANICKED],
                post_return:
                    "(call $panicked (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0))",
                ..good
            },
            Trap,
            "cannot leave component instance",
        ),
        Shape::new(
            "exit",
            Guest { calls: &[EXIT], ..Guest::calling("(call $exit (i32.const 0)) (i32.const 0)") },
            Trap,
            "called `exit`",
        ),
        Shape::new(
            "exit in the start",
            Guest {
                calls: &[EXIT],
                items: "(start $bad) (func $bad (call $exit (i32.const 1)))",
                ..good
            },
            Trap,
            "called `exit`",
        ),
    ]
}
