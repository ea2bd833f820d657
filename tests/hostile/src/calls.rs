//! What a guest may call of its host, as a component imports it and as its core module sees it.

/// A function of the host.
#[derive(Debug, Clone, Copy)]
pub struct Call {
    /// The interfaces that it needs, its own last.
    pub interfaces: &'static [&'static str],
    /// Its name in the core module.
    pub name: &'static str,
    /// Where it is in the component.
    pub function: &'static str,
    /// Its type in the core module.
    pub signature: &'static str,
}

const POLL_INTERFACE: &str = r#"
(import "wasi:io/poll@0.2.6" (instance $poll
    (export "pollable" (type $pollable (sub resource)))
    (export "[method]pollable.block" (func (param "self" (borrow $pollable))))
    (export "poll" (func (param "in" (list (borrow $pollable))) (result (list u32))))))
(alias export $poll "pollable" (type $pollable))"#;

const CLOCK_INTERFACE: &str = r#"
(import "wasi:clocks/monotonic-clock@0.2.6" (instance $clock
    (alias outer 1 $pollable (type $outer))
    (export "pollable" (type $pollable (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $pollable))))))"#;

const RANDOM_INTERFACE: &str = r#"
(import "wasi:random/random@0.2.6" (instance $random
    (export "get-random-bytes" (func (param "len" u64) (result (list u8))))))"#;

const STREAMS_INTERFACE: &str = r#"
(import "wasi:io/error@0.2.6" (instance $error (export "error" (type (sub resource)))))
(alias export $error "error" (type $error))
(import "wasi:io/streams@0.2.6" (instance $streams
    (export "output-stream" (type $output (sub resource)))
    (alias outer 1 $error (type $outer))
    (export "error" (type $error (eq $outer)))
    (type $failed (variant (case "last-operation-failed" (own $error)) (case "closed")))
    (export "stream-error" (type $stream-error (eq $failed)))
    (export "[method]output-stream.write" (func
        (param "self" (borrow $output)) (param "contents" (list u8))
        (result (result (error $stream-error)))))
    (export "[method]output-stream.blocking-write-and-flush" (func
        (param "self" (borrow $output)) (param "contents" (list u8))
        (result (result (error $stream-error)))))
    (export "[method]output-stream.write-zeroes" (func
        (param "self" (borrow $output)) (param "len" u64)
        (result (result (error $stream-error)))))))
(alias export $streams "output-stream" (type $output))"#;

const STDOUT_INTERFACE: &str = r#"
(import "wasi:cli/stdout@0.2.6" (instance $stdout
    (alias outer 1 $output (type $outer))
    (export "output-stream" (type $output (eq $outer)))
    (export "get-stdout" (func (result (own $output))))))"#;

const FILES_INTERFACE: &str = r#"
(import "wasi:filesystem/types@0.2.6" (instance $files
    (export "descriptor" (type $descriptor (sub resource)))
    (export "directory-entry-stream" (type $listing (sub resource)))
    (type $error-code (enum "access" "would-block" "already" "bad-descriptor" "busy" "deadlock"
      "quota" "exist" "file-too-large" "illegal-byte-sequence" "in-progress" "interrupted" "invalid"
      "io" "is-directory" "loop" "too-many-links" "message-size" "name-too-long" "no-device"
      "no-entry" "no-lock" "insufficient-memory" "insufficient-space" "not-directory" "not-empty"
      "not-recoverable" "unsupported" "no-tty" "no-such-device" "overflow" "not-permitted" "pipe"
      "read-only" "invalid-seek" "text-file-busy" "cross-device"))
    (export "error-code" (type $error (eq $error-code)))
    (type $path-flags-of (flags "symlink-follow"))
    (export "path-flags" (type $path-flags (eq $path-flags-of)))
    (type $open-flags-of (flags "create" "directory" "exclusive" "truncate"))
    (export "open-flags" (type $open-flags (eq $open-flags-of)))
    (type $flags-of (flags "read" "write" "file-integrity-sync" "data-integrity-sync"
      "requested-write-sync" "mutate-directory"))
    (export "descriptor-flags" (type $flags (eq $flags-of)))
    (export "[method]descriptor.open-at" (func
      (param "self" (borrow $descriptor)) (param "path-flags" $path-flags) (param "path" string)
      (param "open-flags" $open-flags) (param "flags" $flags)
      (result (result (own $descriptor) (error $error)))))
    (export "[method]descriptor.read-directory" (func
      (param "self" (borrow $descriptor))
      (result (result (own $listing) (error $error)))))))
(alias export $files "descriptor" (type $descriptor))"#;

const PREOPENS_INTERFACE: &str = r#"
(import "wasi:filesystem/preopens@0.2.6" (instance $preopens
    (alias outer 1 $descriptor (type $outer))
    (export "descriptor" (type $descriptor (eq $outer)))
    (export "get-directories" (func (result (list (tuple (own $descriptor) string)))))))"#;

const EXIT_INTERFACE: &str = r#"
(import "wasi:cli/exit@0.2.6" (instance $exit
    (export "exit" (func (param "status" (result))))))"#;

const REPORT_INTERFACE: &str = r#"
(import "spotify:hype/report@0.1.0" (instance $report
    (export "panicked" (func (param "message" string) (param "file" string) (param "line" u32)))))"#;

/// Waits for one of many.
pub const POLL: Call = Call {
    interfaces: &[POLL_INTERFACE],
    name: "poll",
    function: r#"$poll "poll""#,
    signature: "(param i32 i32 i32)",
};

/// Waits for one.
pub const BLOCK: Call = Call {
    interfaces: &[POLL_INTERFACE],
    name: "block",
    function: r#"$poll "[method]pollable.block""#,
    signature: "(param i32)",
};

/// A thing to wait for that comes after so many nanoseconds.
pub const AFTER: Call = Call {
    interfaces: &[POLL_INTERFACE, CLOCK_INTERFACE],
    name: "after",
    function: r#"$clock "subscribe-duration""#,
    signature: "(param i64) (result i32)",
};

/// So many random bytes.
pub const RANDOM: Call = Call {
    interfaces: &[RANDOM_INTERFACE],
    name: "random",
    function: r#"$random "get-random-bytes""#,
    signature: "(param i64 i32)",
};

/// The standard output.
pub const STDOUT: Call = Call {
    interfaces: &[STREAMS_INTERFACE, STDOUT_INTERFACE],
    name: "stdout",
    function: r#"$stdout "get-stdout""#,
    signature: "(result i32)",
};

/// Writes as much as was allowed before.
pub const WRITE: Call = Call {
    interfaces: &[STREAMS_INTERFACE],
    name: "write",
    function: r#"$streams "[method]output-stream.write""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Writes up to 4 KiB.
pub const WRITE_AND_FLUSH: Call = Call {
    interfaces: &[STREAMS_INTERFACE],
    name: "write-and-flush",
    function: r#"$streams "[method]output-stream.blocking-write-and-flush""#,
    signature: "(param i32 i32 i32 i32)",
};

/// Writes so many zeroes.
pub const WRITE_ZEROES: Call = Call {
    interfaces: &[STREAMS_INTERFACE],
    name: "write-zeroes",
    function: r#"$streams "[method]output-stream.write-zeroes""#,
    signature: "(param i32 i64 i32)",
};

/// The directories that there are, each opened anew.
pub const DIRECTORIES: Call = Call {
    interfaces: &[FILES_INTERFACE, PREOPENS_INTERFACE],
    name: "directories",
    function: r#"$preopens "get-directories""#,
    signature: "(param i32)",
};

/// Opens a file or directory.
pub const OPEN: Call = Call {
    interfaces: &[FILES_INTERFACE],
    name: "open",
    function: r#"$files "[method]descriptor.open-at""#,
    signature: "(param i32 i32 i32 i32 i32 i32 i32)",
};

/// Begins to list a directory.
pub const LIST: Call = Call {
    interfaces: &[FILES_INTERFACE],
    name: "list",
    function: r#"$files "[method]descriptor.read-directory""#,
    signature: "(param i32 i32)",
};

/// Leaves.
pub const EXIT: Call = Call {
    interfaces: &[EXIT_INTERFACE],
    name: "exit",
    function: r#"$exit "exit""#,
    signature: "(param i32)",
};

/// Says that a panic is coming.
pub const PANICKED: Call = Call {
    interfaces: &[REPORT_INTERFACE],
    name: "panicked",
    function: r#"$report "panicked""#,
    signature: "(param i32 i32 i32 i32 i32)",
};
