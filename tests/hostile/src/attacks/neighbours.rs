//! Guests that run beside a good one, and the good one.

use hype_wire::Limits;

use crate::attacks::held::{self, Holder, OPEN_A, WRITE_A};
use crate::attacks::memory::leak;
use crate::attacks::output;
use crate::calls::{
    AFTER, DIRECTORIES, DROP_LISTING, LIST, OPEN, POLL, RANDOM, STDOUT, SYMLINK, UNLINK,
    WRITE_AND_FLUSH, WRITE_FILE,
};
use crate::guest::Guest;

/// A guest that runs beside others.
#[derive(Debug, Clone)]
pub struct Neighbour {
    pub name: &'static str,
    pub component: Vec<u8>,
    pub limits: Limits,
    /// Whether it fills its `/tmp` before it attacks. It writes [`FULL`] then.
    pub fills_tmp: bool,
}

/// The number of entries with which a `/tmp` is full.
const ENTRIES: u32 = 10_000;

/// The output of a guest that fills its `/tmp`, once it is full.
pub const FULL: &[u8] = b"full";

const LIMITS: Limits = Limits {
    timeout_ms: None,
    memory: Some(64 << 20),
    result: None,
    tmp: Some(ENTRIES as u64 * 4096),
    http_body: None,
};

/// Returns a guest that writes a file and computes for some milliseconds.
pub fn good() -> Neighbour {
    let call = leak(format!(
        "(call $directories (i32.const 64)) (local.set 0 (i32.load (i32.load (i32.const 64))))
         {OPEN_A} {WRITE_A} (local.set 1 (i32.const 3000000))
         (loop $more (local.set 1 (i32.sub (local.get 1) (i32.const 1))) (br_if $more (local.get 1)))
         (call $nil)"
    ));
    let (calls, items) = (&[DIRECTORIES, OPEN, WRITE_FILE], r#"(data (i32.const 96) "a")"#);
    neighbour("a good guest", Guest { calls, items, ..Guest::with_call(call) })
}

/// Returns a guest that computes for ever.
pub fn busy() -> Neighbour {
    neighbour("a busy guest", Guest::with_call("(loop $more (br $more)) unreachable"))
}

/// Returns the kinds of hostile guests: eight different ones.
pub fn hostile() -> Vec<Neighbour> {
    vec![
        full_tmp(),
        held("long fields"),
        held("streams that read a short file"),
        held("listings of a large directory"),
        held("tables and memory"),
        small_writes(),
        timers(),
        random(),
    ]
}

/// Returns the guest of this name that makes the host hold memory.
fn held(wanted: &str) -> Neighbour {
    let holders = held::holders();
    let found = holders.into_iter().find(|holder| holder.name == wanted);
    let Holder { name, guest } = found.expect("a holder of that name");
    neighbour(name, guest)
}

/// Writes single bytes to the output, for ever.
fn small_writes() -> Neighbour {
    Neighbour { name: "small writes", component: output::small().component, ..busy() }
}

/// The call that creates a link whose name is at the address 1000.
const LINK: &str =
    "(call $symlink (local.get 0) (i32.const 96) (i32.const 4) (i32.const 1000) (i32.const 5)
     (i32.const 80))";

/// Fills `/tmp`. Then replaces a link and fails to create eight more, for ever.
pub fn full_tmp() -> Neighbour {
    // The guest cannot yield between these calls, since it is not in a loop.
    let full = LINK.repeat(8);
    with_full_tmp(
        "a full /tmp",
        &format!(
            "(call $name (i32.const 1))
             (call $unlink (local.get 0) (i32.const 1000) (i32.const 5) (i32.const 80))
             {LINK}
             (call $name (i32.const 99999))
             {full}"
        ),
    )
}

/// Fills `/tmp`, and lists it for ever.
pub fn listings() -> Neighbour {
    with_full_tmp(
        "listings of a full /tmp",
        "(call $list (local.get 0) (i32.const 80))
         (call $drop-listing (i32.load (i32.const 84)))",
    )
}

/// Creates links with consecutive names until `/tmp` is full. Then does `again` for ever.
fn with_full_tmp(name: &'static str, again: &str) -> Neighbour {
    let items = r#"
        (data (i32.const 96) "full")
        ;; Writes a number of five digits to the address 1000.
        (func $name (param i32)
          (local $at i32)
          (local.set $at (i32.const 1004))
          (loop $next
            (i32.store8 (local.get $at)
              (i32.add (i32.const 48) (i32.rem_u (local.get 0) (i32.const 10))))
            (local.set 0 (i32.div_u (local.get 0) (i32.const 10)))
            (local.set $at (i32.sub (local.get $at) (i32.const 1)))
            (br_if $next (i32.ge_u (local.get $at) (i32.const 1000)))))"#;
    let call = leak(format!(
        "(call $directories (i32.const 64)) (local.set 0 (i32.load (i32.load (i32.const 64))))
         (local.set 1 (i32.const {ENTRIES}))
         (loop $next
           (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
           (call $name (local.get 1))
           {LINK}
           (br_if $next (local.get 1)))
         (call $write-and-flush (call $stdout) (i32.const 96) (i32.const 4) (i32.const 80))
         (loop $more {again} (br $more))
         unreachable"
    ));
    let calls = &[DIRECTORIES, SYMLINK, UNLINK, STDOUT, WRITE_AND_FLUSH, LIST, DROP_LISTING];
    let guest = Guest { calls, items, ..Guest::with_call(call) };
    Neighbour { fills_tmp: true, ..neighbour(name, guest) }
}

/// Waits for 8,000 timers at a time.
fn timers() -> Neighbour {
    let call = "(loop $next
           (i32.store (i32.add (i32.const 65536) (i32.mul (local.get 0) (i32.const 4)))
             (call $after (i64.const 1000000)))
           (local.set 0 (i32.add (local.get 0) (i32.const 1)))
           (br_if $next (i32.lt_u (local.get 0) (i32.const 8000))))
         (loop $more
           (call $poll (i32.const 65536) (i32.const 8000) (i32.const 64)) (br $more))
         unreachable";
    let realloc = "(i32.const 131072)";
    let guest = Guest { calls: &[AFTER, POLL], memory: "4", realloc, ..Guest::with_call(call) };
    neighbour("timers", guest)
}

/// Requests 8 MB of random bytes at a time.
fn random() -> Neighbour {
    let call =
        "(loop $more (call $random (i64.const 8000000) (i32.const 64)) (br $more)) unreachable";
    neighbour("random bytes", Guest { calls: &[RANDOM], memory: "200", ..Guest::with_call(call) })
}

fn neighbour(name: &'static str, guest: Guest) -> Neighbour {
    Neighbour { name, component: guest.component(), limits: LIMITS, fills_tmp: false }
}
