//! Output without an end.

use hype_wire::FailureKind::{Deadline, Trap};
use hype_wire::Limits;

use crate::calls::{STDOUT, WRITE, WRITE_AND_FLUSH, WRITE_ZEROES};
use crate::guest::Guest;
use crate::shape::Shape;

const SOON: Limits =
    Limits { timeout_ms: Some(1000), memory: None, result: None, tmp: None, http_body: None };

/// More in one write than is allowed.
pub fn shapes() -> Vec<Shape> {
    vec![
        Shape::new(
            "64 GiB of zeroes",
            Guest {
                calls: &[STDOUT, WRITE_ZEROES],
                ..Guest::calling(
                    "(call $write-zeroes (call $stdout) (i64.const 0x1000000000) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "cannot write more zeroes",
        ),
        Shape::new(
            "more than was allowed",
            Guest {
                calls: &[STDOUT, WRITE],
                ..Guest::calling(
                    "(call $write (call $stdout) (i32.const 0) (i32.const 131072) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "more was written than the stream allowed",
        ),
        Shape::new(
            "more than is flushed at once",
            Guest {
                calls: &[STDOUT, WRITE_AND_FLUSH],
                ..Guest::calling(
                    "(call $write-and-flush (call $stdout) (i32.const 0) (i32.const 4097)
                       (i32.const 64)) unreachable",
                )
            },
            Trap,
            "Buffer too large",
        ),
    ]
}

/// How much [`large`] writes, in bytes.
pub const LARGE: u64 = 512 << 20;

/// Writes half a gigabyte in pieces as large as they may be, and then gives its value.
pub fn large() -> Shape {
    let guest = Guest {
        calls: &[STDOUT, WRITE],
        ..Guest::calling(
            "(local.set 0 (call $stdout))
             (local.set 1 (i32.const 8192))
             (loop $more
               (call $write (local.get 0) (i32.const 0) (i32.const 65536) (i32.const 64))
               (br_if $more (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
             (call $nil)",
        )
    };
    Shape::in_vain("large writes", guest)
}

/// Writes nothing, for ever.
pub fn empty() -> Shape {
    flood("empty writes", "(call $write (local.get 0) (i32.const 0) (i32.const 0) (i32.const 64))")
}

/// Writes single bytes, for ever.
pub fn small() -> Shape {
    flood(
        "small writes",
        "(call $write-and-flush (local.get 0) (i32.const 0) (i32.const 1) (i32.const 64))",
    )
}

fn flood(name: &'static str, write: &str) -> Shape {
    let call = format!("(local.set 0 (call $stdout)) (loop $more {write} (br $more)) unreachable");
    let call = super::memory::leak(call);
    let guest = Guest { calls: &[STDOUT, WRITE, WRITE_AND_FLUSH], ..Guest::calling(call) };
    Shape::new(name, guest, Deadline, "timeout of 1s").within(SOON)
}
