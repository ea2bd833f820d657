//! `cargo hype exec`.

use std::io::Read;

use insta::assert_snapshot;

use crate::hype::{Hype, hype};

/// A core module for `wasm32-wasip1` that writes its input to its output, then `end` to its standard error, and exits
/// with 42. With any argument it writes forever.
const COPY: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_read"
        (func $read (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "args_sizes_get"
        (func $arguments (param i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
    (memory (export "memory") 2)
    (data (i32.const 32) "end")
    (func $put (param $fd i32) (param $at i32) (param $length i32)
        (loop $rest
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $length))
            (if (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8))
                (then (call $exit (i32.const 9))))
            (local.set $at (i32.add (local.get $at) (i32.load (i32.const 8))))
            (local.set $length (i32.sub (local.get $length) (i32.load (i32.const 8))))
            (br_if $rest (local.get $length))))
    (func (export "_start")
        (drop (call $arguments (i32.const 16) (i32.const 20)))
        (if (i32.gt_u (i32.load (i32.const 16)) (i32.const 1))
            (then (loop $forever (call $put (i32.const 1) (i32.const 1024) (i32.const 4096)) (br $forever))))
        (loop $next
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 65536))
            (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (if (i32.load (i32.const 8))
                (then
                    (call $put (i32.const 1) (i32.const 1024) (i32.load (i32.const 8)))
                    (br $next))))
        (call $put (i32.const 2) (i32.const 32) (i32.const 3))
        (call $exit (i32.const 42))
        unreachable))"#;

/// Runs the program with `options`; `arguments` follow it.
fn exec(program: &str, options: &[&str], arguments: &[&str], input: &[u8]) -> Hype {
    let command = hype(&[]);
    let scratch = command.scratch();
    let (program_path, input_path) =
        (scratch.path().join("copy.wasm"), scratch.path().join("input"));
    std::fs::write(&program_path, wat::parse_str(program).unwrap()).unwrap();
    std::fs::write(&input_path, input).unwrap();
    let [program, input] = [&program_path, &input_path].map(|path| path.to_str().unwrap());
    command.with_arguments(
        &[&["exec", program, "--stdin", input], options, &["--"], arguments].concat(),
    )
}

#[test]
fn output_and_exit_status_are_those_of_the_program() {
    let input: Vec<u8> = (0..=255).cycle().take(3 << 20).collect();
    let output = exec(COPY, &[], &[], &input).output();
    assert!(output.stdout == input, "{} bytes", output.stdout.len());
    assert_eq!((output.stderr.as_slice(), output.status.code()), (&b"end"[..], Some(42)));
}

#[test]
fn program_whose_output_is_closed_is_stopped() {
    let (mut child, _scratch) = exec(COPY, &[], &["forever"], b"").spawn_with_pipes();
    let mut first = [1];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((first, ended.status.code()), ([0], Some(141)));
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "");
}

#[cfg(unix)]
#[test]
fn closed_output_stops_program_that_writes_nothing() {
    let spin = r#"(module
        (memory (export "memory") 1)
        (func (export "_start") (loop $forever (br $forever))))"#;
    let (mut child, _scratch) = exec(spin, &["--timeout", "5m"], &[], b"").spawn_with_pipes();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn errors_of_hype_have_their_own_status() {
    assert_eq!(hype(&["exec"]).output().status.code(), Some(125));
    let crash = r#"(module (memory (export "memory") 1) (func (export "_start") unreachable))"#;
    assert_eq!(exec(crash, &[], &[], b"").output().status.code(), Some(134));
    let stopped = exec(COPY, &["--timeout", "1s"], &["forever"], b"").output();
    assert_eq!(stopped.status.code(), Some(125));
    let message = "`copy` ran longer than its timeout of 1s";
    assert!(String::from_utf8_lossy(&stopped.stderr).contains(message));
    let library = r#"(module (memory (export "memory") 1))"#;
    assert_snapshot!(exec(library, &[], &[], b"").redacted(), @"
    status 125
    --- stderr
    error: copy.wasm cannot be converted to a component
    Caused by:
       0: it is no program: it doesn't export _start
    Hint: cargo hype exec runs programs for wasm32-wasip1 (core modules) and wasm32-wasip2 (components)
    ");
}
