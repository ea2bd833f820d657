//! Attacks that WebAssembly and the component model forbid.

use hype_wire::FailureKind::Trap;

use crate::attack::Attack;
use crate::calls::{EXIT, PANICKED};
use crate::guest::Guest;

/// Returns traps in a function, in the start function, in `realloc` and in `post-return`.
pub fn attacks() -> Vec<Attack> {
    let good = Guest::GOOD;
    let table = r#"(table 4 funcref) (elem (i32.const 0) func $nil)
        (type $other (func (param f64) (result f64)))"#;
    vec![
        Attack::new("unreachable", Guest::with_call("unreachable"), Trap, "`unreachable`"),
        Attack::new(
            "a division by zero",
            Guest::with_call("(i32.div_u (local.get 1) (i32.const 0))"),
            Trap,
            "integer divide by zero",
        ),
        Attack::new(
            "a division that overflows",
            Guest::with_call("(i32.div_s (i32.const 0x80000000) (i32.const -1))"),
            Trap,
            "integer overflow",
        ),
        Attack::new(
            "a conversion of NaN to an integer",
            Guest::with_call("(i32.trunc_f64_s (f64.const nan))"),
            Trap,
            "invalid conversion to integer",
        ),
        Attack::new(
            "a load out of bounds",
            Guest::with_call("(i32.load (i32.const 0x7ffffff0))"),
            Trap,
            "out of bounds memory access",
        ),
        Attack::new(
            "a store out of bounds",
            Guest::with_call(
                "(i64.store offset=0xffffffff (i32.const -1) (i64.const 1)) (i32.const 0)",
            ),
            Trap,
            "out of bounds memory access",
        ),
        Attack::new(
            "a fill out of bounds",
            Guest::with_call(
                "(memory.fill (i32.const 1) (i32.const 1) (i32.const -1)) (i32.const 0)",
            ),
            Trap,
            "out of bounds memory access",
        ),
        Attack::new(
            "a call outside of the table",
            Guest {
                items: table,
                ..Guest::with_call("(call_indirect (result i32) (i32.const 9))")
            },
            Trap,
            "out of bounds table access",
        ),
        Attack::new(
            "a call of an empty table element",
            Guest {
                items: table,
                ..Guest::with_call("(call_indirect (result i32) (i32.const 1))")
            },
            Trap,
            "uninitialized element",
        ),
        Attack::new(
            "an indirect call with the wrong type",
            Guest {
                items: table,
                ..Guest::with_call(
                    "(drop (call_indirect (type $other) (f64.const 0) (i32.const 0))) (i32.const 0)",
                )
            },
            Trap,
            "indirect call type mismatch",
        ),
        Attack::new(
            "a trap in the start function",
            Guest { items: "(start $bad) (func $bad unreachable)", ..good },
            Trap,
            "`unreachable`",
        ),
        Attack::new(
            "data out of bounds",
            Guest { items: r#"(data (i32.const 0x7fffffff) "x")"#, ..good },
            Trap,
            "out of bounds memory access",
        ),
        Attack::new(
            "elements out of bounds",
            Guest { items: "(table 1 funcref) (elem (i32.const 1) func $nil)", ..good },
            Trap,
            "out of bounds table access",
        ),
        Attack::new(
            "a trap in post-return",
            Guest { post_return: "unreachable", ..good },
            Trap,
            "`unreachable`",
        ),
        Attack::new(
            "a trap in realloc",
            Guest { realloc: "unreachable", ..good },
            Trap,
            "`unreachable`",
        ),
        Attack::new(
            "a realloc outside of memory",
            Guest { realloc: "(i32.const 0x7ffffff0)", ..good },
            Trap,
            "beyond end of memory",
        ),
        Attack::new(
            "a host call in realloc",
            Guest {
                calls: &[PANICKED],
                realloc: "(call $panicked (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)
                    (i32.const 0)) (i32.const 4096)",
                ..good
            },
            Trap,
            "cannot leave component instance",
        ),
        Attack::new(
            "a host call in post-return",
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
        Attack::new(
            "exit",
            Guest {
                calls: &[EXIT],
                ..Guest::with_call("(call $exit (i32.const 0)) (i32.const 0)")
            },
            Trap,
            "called `exit`",
        ),
        Attack::new(
            "exit in the start function",
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
