//! Attacks on the standard output.

use hype_wire::FailureKind::{Deadline, Trap};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::calls::{STDOUT, WRITE, WRITE_AND_FLUSH, WRITE_ZEROES};
use crate::guest::Guest;

const SHORT_TIMEOUT: Limits =
    Limits { timeout_ms: Some(1000), memory: None, result: None, tmp: None, http_body: None };

/// Returns attacks that write more at once than the stream allows.
pub fn attacks() -> Vec<Attack> {
    vec![
        Attack::new(
            "a write of 64 GiB of zeroes",
            Guest {
                calls: &[STDOUT, WRITE_ZEROES],
                ..Guest::with_call(
                    "(call $write-zeroes (call $stdout) (i64.const 0x1000000000) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "cannot write more zeroes",
        ),
        Attack::new(
            "a write larger than the stream allows",
            Guest {
                calls: &[STDOUT, WRITE],
                ..Guest::with_call(
                    "(call $write (call $stdout) (i32.const 0) (i32.const 131072) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "more was written than the stream allowed",
        ),
        Attack::new(
            "a blocking write larger than 4 KiB",
            Guest {
                calls: &[STDOUT, WRITE_AND_FLUSH],
                ..Guest::with_call(
                    "(call $write-and-flush (call $stdout) (i32.const 0) (i32.const 4097)
                       (i32.const 64)) unreachable",
                )
            },
            Trap,
            "Buffer too large",
        ),
    ]
}

/// The bytes that [`large`] writes.
pub const LARGE: u64 = 512 << 20;

/// Writes [`LARGE`] bytes in writes of the maximum size, and then returns nil.
pub fn large() -> Attack {
    let guest = Guest {
        calls: &[STDOUT, WRITE],
        ..Guest::with_call(
            "(local.set 0 (call $stdout))
             (local.set 1 (i32.const 8192))
             (loop $more
               (call $write (local.get 0) (i32.const 0) (i32.const 65536) (i32.const 64))
               (br_if $more (local.tee 1 (i32.sub (local.get 1) (i32.const 1)))))
             (call $nil)",
        )
    };
    Attack::without_effect("large writes", guest)
}

/// Writes zero bytes forever.
pub fn empty() -> Attack {
    flood("empty writes", "(call $write (local.get 0) (i32.const 0) (i32.const 0) (i32.const 64))")
}

/// Writes single bytes forever.
pub fn small() -> Attack {
    flood(
        "small writes",
        "(call $write-and-flush (local.get 0) (i32.const 0) (i32.const 1) (i32.const 64))",
    )
}

fn flood(name: &'static str, write: &str) -> Attack {
    let call = format!("(local.set 0 (call $stdout)) (loop $more {write} (br $more)) unreachable");
    let call = super::memory::leak(call);
    let guest = Guest { calls: &[STDOUT, WRITE, WRITE_AND_FLUSH], ..Guest::with_call(call) };
    Attack::new(name, guest, Deadline, "timeout of 1s").with_limits(SHORT_TIMEOUT)
}
