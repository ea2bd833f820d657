//! Guests that make the host hold something for them.

use crate::attacks::memory::leak;
use crate::calls::HostCall;
use crate::calls::{
    AFTER, APPEND_FIELD, BLOCKING_READ, BODY, CLONE_FIELDS, DIRECTORIES, FIELDS, FIELDS_OF_LIST,
    INSECURE_RANDOM, LIST, MAKE_DIRECTORY, OPEN, RANDOM, READ, READ_STREAM, REQUEST, SET_AUTHORITY,
    SET_METHOD, SET_PATH, STDOUT, WRITE_BODY, WRITE_FILE, WRITE_ZEROES,
};
use crate::guest::Guest;

/// A guest that makes the host hold something until it ends as `memory` or `resources`.
#[derive(Debug)]
pub struct Holder {
    pub name: &'static str,
    pub guest: Guest,
}

/// The texts that the guests pass: 60,000 bytes from this address on.
const TEXT: &str = "(memory.fill (i32.const 65536) (i32.const 120) (i32.const 60000))
    (i32.store8 (i32.const 65536) (i32.const 47))";

/// Opens `/tmp/a` for reading and writing, and sets local 1 to its handle.
pub(super) const OPEN_A: &str =
    "(call $open (local.get 0) (i32.const 0) (i32.const 96) (i32.const 1)
       (i32.const 1) (i32.const 3) (i32.const 80))
     (local.set 1 (i32.load (i32.const 84)))";

/// Writes one byte to the file in local 1.
pub(super) const WRITE_A: &str =
    "(call $write-file (local.get 1) (i32.const 96) (i32.const 1) (i64.const 0) (i32.const 112))";

/// Returns the body of a function that repeatedly creates fields from a list of `entries` entries.
fn fields_of_list(entries: u32) -> String {
    format!(
        "(memory.fill (i32.const 65536) (i32.const 120) (i32.const 16))
         (local.set 0 (i32.const {entries})) (local.set 1 (i32.const 69632))
         (loop $next
           (i32.store (local.get 1) (i32.const 65536))
           (i32.store offset=4 (local.get 1) (i32.const 1))
           (i32.store offset=8 (local.get 1) (i32.const 65536))
           (i32.store offset=12 (local.get 1) (i32.const 1))
           (local.set 1 (i32.add (local.get 1) (i32.const 16)))
           (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
           (br_if $next (local.get 0)))
         (loop $more
           (call $fields-of-list (i32.const 69632) (i32.const {entries}) (i32.const 80))
           (br $more))
         unreachable"
    )
}

/// Returns guests that repeat one call of the host, or a few.
pub fn holders() -> Vec<Holder> {
    let new_request = "(local.set 0 (call $request (call $fields)))";
    let append = |length: u32| {
        format!(
            "(call $append (local.get 0) (i32.const 65537) (i32.const 1)
               (i32.const 65537) (i32.const {length}) (i32.const 80))"
        )
    };
    let append_long = append(50_000);
    vec![
        repeating(
            "bodies that are never sent",
            &[FIELDS, REQUEST, BODY, WRITE_BODY, WRITE_ZEROES],
            "",
            &format!(
                "{new_request}
                 (call $body (local.get 0) (i32.const 64))
                 (call $write-body (i32.load (i32.const 68)) (i32.const 64))
                 (call $write-zeroes (i32.load (i32.const 68)) (i64.const 1048576) (i32.const 80))
                 (call $write-zeroes (i32.load (i32.const 68)) (i64.const 1048576) (i32.const 80))"
            ),
        ),
        repeating(
            "long fields",
            &[FIELDS, APPEND_FIELD],
            TEXT,
            &format!("(local.set 0 (call $fields)) {append_long} {append_long}"),
        ),
        repeating(
            "many short fields",
            &[FIELDS, APPEND_FIELD],
            TEXT,
            &format!(
                "(local.set 0 (call $fields)) (local.set 1 (i32.const 800))
                 (loop $next {} (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
                   (br_if $next (local.get 1)))",
                append(1)
            ),
        ),
        repeating(
            "changed clones of fields",
            &[FIELDS, APPEND_FIELD, CLONE_FIELDS],
            &format!("{TEXT} (local.set 1 (call $fields)) (local.set 0 (local.get 1)) {append_long}"),
            &format!("(local.set 0 (call $clone-fields (local.get 1))) {}", append(1)),
        ),
        repeating(
            "requests with long paths",
            &[FIELDS, REQUEST, SET_PATH],
            TEXT,
            &format!(
                "{new_request} (drop (call $set-path (local.get 0) (i32.const 1)
                   (i32.const 65536) (i32.const 60000)))"
            ),
        ),
        repeating(
            "requests with long hosts",
            &[FIELDS, REQUEST, SET_AUTHORITY],
            TEXT,
            &format!(
                "{new_request} (drop (call $set-authority (local.get 0) (i32.const 1)
                   (i32.const 65537) (i32.const 50000)))"
            ),
        ),
        repeating(
            "requests with long methods",
            &[FIELDS, REQUEST, SET_METHOD],
            TEXT,
            &format!(
                "{new_request} (drop (call $set-method (local.get 0) (i32.const 9)
                   (i32.const 65537) (i32.const 60000)))"
            ),
        ),
        Holder {
            name: "fields from a list",
            guest: Guest {
                calls: &[FIELDS_OF_LIST],
                ..Guest::with_call(leak(fields_of_list(1_000)))
            },
        },
        repeating("requests", &[FIELDS, REQUEST], "", new_request),
        repeating("timers", &[AFTER], "", "(drop (call $after (i64.const -1)))"),
        repeating("streams", &[STDOUT], "", "(drop (call $stdout))"),
        repeating("directories", &[DIRECTORIES], "", "(call $directories (i32.const 64))"),
        repeating(
            "random bytes",
            &[RANDOM],
            "",
            "(call $random (i64.const 50000000) (i32.const 64))",
        ),
        repeating(
            "insecure random bytes",
            &[INSECURE_RANDOM],
            "",
            "(call $insecure-random (i64.const 50000000) (i32.const 64))",
        ),
        opening(
            "files",
            "",
            "(call $open (local.get 0) (i32.const 0) (i32.const 96) (i32.const 1)
               (i32.const 1) (i32.const 3) (i32.const 80))",
        ),
        opening(
            "streams that read a file",
            // `/tmp/a` is a file without content, whose reads end at once.
            OPEN_A,
            "(call $read-stream (local.get 1) (i64.const 0) (i32.const 80))
             (call $read (i32.load (i32.const 84)) (i64.const 65536) (i32.const 112))",
        ),
        opening(
            "streams that read a short file",
            &format!("{OPEN_A} {WRITE_A}"),
            "(call $read-stream (local.get 1) (i64.const 0) (i32.const 80))
             (call $blocking-read (i32.load (i32.const 84)) (i64.const 65536) (i32.const 112))
             (call $read-stream (local.get 1) (i64.const 0) (i32.const 80))
             (call $read (i32.load (i32.const 84)) (i64.const 65536) (i32.const 112))",
        ),
        opening(
            "errors of streams",
            // The flag `write` alone.
            "(call $open (local.get 0) (i32.const 0) (i32.const 96) (i32.const 1)
               (i32.const 1) (i32.const 2) (i32.const 80))
             (local.set 1 (i32.load (i32.const 84)))",
            "(call $read-stream (local.get 1) (i64.const 0) (i32.const 80))
             (call $blocking-read (i32.load (i32.const 84)) (i64.const 1) (i32.const 112))",
        ),
        opening(
            "listings of a large directory",
            "(memory.fill (i32.const 65536) (i32.const 120) (i32.const 250))
             (local.set 1 (i32.const 1500))
             (loop $next
               (i32.store8 (i32.const 65536)
                 (i32.add (i32.const 97) (i32.and (local.get 1) (i32.const 15))))
               (i32.store8 (i32.const 65537)
                 (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get 1) (i32.const 4)) (i32.const 15))))
               (i32.store8 (i32.const 65538)
                 (i32.add (i32.const 97) (i32.and (i32.shr_u (local.get 1) (i32.const 8)) (i32.const 15))))
               (i32.store8 (i32.const 65539)
                 (i32.add (i32.const 97) (i32.shr_u (local.get 1) (i32.const 12))))
               (call $make-directory (local.get 0) (i32.const 65536) (i32.const 250) (i32.const 80))
               (local.set 1 (i32.sub (local.get 1) (i32.const 1)))
               (br_if $next (local.get 1)))",
            "(call $list (local.get 0) (i32.const 80))",
        ),
        Holder {
            name: "tables and memory",
            guest: Guest {
                items: "(table $t 1 funcref)",
                memory: "2",
                ..Guest::with_call(
                    "(drop (table.grow $t (ref.null func) (i32.const 1000000)))
                     (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
                     unreachable",
                )
            },
        },
    ]
}

fn repeating(name: &'static str, calls: &'static [HostCall], first: &str, then: &str) -> Holder {
    let call = leak(format!("{first} (loop $more {then} (br $more)) unreachable"));
    Holder { name, guest: Guest { calls, ..Guest::with_call(call) } }
}

/// Returns a guest whose local 0 is the handle of `/tmp`.
fn opening(name: &'static str, first: &str, then: &str) -> Holder {
    let call = leak(format!(
        "(call $directories (i32.const 64))
         (local.set 0 (i32.load (i32.load (i32.const 64))))
         {first} (loop $more {then} (br $more)) unreachable"
    ));
    let calls =
        &[DIRECTORIES, OPEN, LIST, MAKE_DIRECTORY, READ_STREAM, READ, BLOCKING_READ, WRITE_FILE];
    let items = r#"(data (i32.const 96) "a")"#;
    Holder { name, guest: Guest { calls, items, ..Guest::with_call(call) } }
}
