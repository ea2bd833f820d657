//! Attacks on the host's resources.

use hype_wire::FailureKind::{Deadline, Resources, Trap};
use hype_wire::Limits;

use crate::attack::Attack;
use crate::attacks::memory::leak;
use crate::calls::{AFTER, DIRECTORIES, LIST, OPEN, POLL, STDOUT, WRITE};
use crate::guest::Guest;

/// Returns guests with too many tables, instances and handles.
pub fn attacks() -> Vec<Attack> {
    let mut attacks = tables_and_instances();
    attacks.extend(handles());
    attacks
}

fn tables_and_instances() -> Vec<Attack> {
    let good = Guest::GOOD;
    vec![
        Attack::new(
            "a table that grows endlessly",
            Guest {
                items: "(table $t 1 funcref)",
                ..Guest::with_call(
                    "(loop $more (br_if $more (i32.ne
                       (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                     unreachable",
                )
            },
            Resources,
            "larger tables",
        ),
        Attack::without_effect(
            "a table that stops growing when it is denied",
            Guest {
                items: "(table $t 1 funcref)",
                ..Guest::with_call(
                    "(drop (table.grow $t (ref.null func) (i32.const 0x7fffffff))) (call $nil)",
                )
            },
        ),
        Attack::new(
            "a table with a large initial size",
            Guest { items: "(table 9000000 funcref)", ..good },
            Resources,
            "larger tables",
        ),
        Attack::new(
            "too many tables",
            Guest { extra_items: many(&"(table 1 funcref)".repeat(100), 11), ..good },
            Resources,
            "table count too high",
        ),
        Attack::new(
            "too many instances",
            Guest { extra_items: nested(600), ..good },
            Resources,
            "instance count too high",
        ),
    ]
}

fn handles() -> Vec<Attack> {
    let forever = "(call $after (i64.const -1))";
    vec![
        Attack::new(
            "too many pollables",
            Guest {
                calls: &[AFTER],
                ..Guest::with_call(
                    "(loop $more (drop (call $after (i64.const 1000))) (br $more)) unreachable",
                )
            },
            Resources,
            "more handles",
        ),
        Attack::new(
            "too many streams",
            Guest {
                calls: &[STDOUT],
                ..Guest::with_call("(loop $more (drop (call $stdout)) (br $more)) unreachable")
            },
            Resources,
            "more handles",
        ),
        Attack::new(
            "too many directories",
            Guest {
                calls: &[DIRECTORIES],
                ..Guest::with_call(
                    "(loop $more (call $directories (i32.const 64)) (br $more)) unreachable",
                )
            },
            Resources,
            "more handles",
        ),
        Attack::new(
            "too many open files",
            repeating(
                "(call $open (local.get 0) (i32.const 0) (i32.const 96) (i32.const 1)
                   (i32.const 1) (i32.const 3) (i32.const 80))",
            ),
            Resources,
            "more open files",
        ),
        Attack::new(
            "too many open directories",
            repeating(
                "(call $open (local.get 0) (i32.const 0) (i32.const 97) (i32.const 1)
                   (i32.const 2) (i32.const 1) (i32.const 80))",
            ),
            Resources,
            "more open files",
        ),
        Attack::new(
            "too many listings",
            repeating("(call $list (local.get 0) (i32.const 80))"),
            Resources,
            "more directories being listed",
        ),
        Attack::new("too many resources of its own type", OWN_RESOURCES, Resources, "more handles"),
        Attack::new(
            "a wait for one pollable a million times",
            Guest {
                calls: &[AFTER, POLL],
                memory: "100",
                ..Guest::with_call(leak(format!(
                    "(memory.fill (i32.const 65536) (i32.const 0) (i32.const 4000000))
                     (local.set 0 {forever})
                     (local.set 1 (i32.const 65536))
                     (loop $next
                       (i32.store (local.get 1) (local.get 0))
                       (local.set 1 (i32.add (local.get 1) (i32.const 4)))
                       (br_if $next (i32.lt_u (local.get 1) (i32.const 4065536))))
                     (call $poll (i32.const 65536) (i32.const 1000000) (i32.const 64))
                     unreachable"
                )))
            },
            Resources,
            "more handles",
        ),
        Attack::new(
            "an endless wait for thousands of pollables",
            Guest {
                calls: &[AFTER, POLL],
                ..Guest::with_call(
                    "(local.set 1 (i32.const 65536))
                     (loop $next
                       (i32.store (local.get 1) (call $after (i64.const -1)))
                       (local.set 1 (i32.add (local.get 1) (i32.const 4)))
                       (br_if $next (i32.lt_u (local.get 1) (i32.const 77536))))
                     (call $poll (i32.const 65536) (i32.const 3000) (i32.const 64))
                     unreachable",
                )
            },
            Deadline,
            "timeout of 1s",
        )
        .with_limits(Limits { timeout_ms: Some(1000), ..Limits::default() }),
        Attack::new(
            "a wait without pollables",
            Guest {
                calls: &[POLL],
                ..Guest::with_call(
                    "(call $poll (i32.const 64) (i32.const 0) (i32.const 64)) unreachable",
                )
            },
            Trap,
            "empty poll list",
        ),
        Attack::new(
            "an unknown handle",
            Guest {
                calls: &[STDOUT, WRITE],
                ..Guest::with_call(
                    "(call $write (i32.const 99) (i32.const 0) (i32.const 1) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "unknown handle index 99",
        ),
        Attack::new(
            "too many bytes in one call of the host",
            Guest {
                calls: &[STDOUT, WRITE],
                memory: "400",
                ..Guest::with_call(
                    "(call $write (call $stdout) (i32.const 0) (i32.const 20000000) (i32.const 64))
                     unreachable",
                )
            },
            Resources,
            "more than 16 MiB to the host in one call",
        )
        .with_limits(Limits { result: Some(1 << 20), ..Limits::default() }),
    ]
}

/// Returns a guest that repeats `call` while it succeeds. Local 0 is the handle of `/tmp`.
fn repeating(call: &str) -> Guest {
    Guest {
        calls: &[DIRECTORIES, OPEN, LIST],
        items: r#"(data (i32.const 96) "a.")"#,
        ..Guest::with_call(leak(format!(
            "(call $directories (i32.const 64))
             (local.set 0 (i32.load (i32.load (i32.const 64))))
             (loop $more {call} (br_if $more (i32.eqz (i32.load8_u (i32.const 80)))))
             (call $nil)"
        )))
    }
}

/// A guest that defines a resource type and creates resources of it endlessly.
const OWN_RESOURCES: Guest = Guest {
    extra_items: r#"
      (type $mine (resource (rep i32)))
      (core func $new (canon resource.new $mine))
      (core module $maker
        (import "mine" "new" (func $new (param i32) (result i32)))
        (start $make)
        (func $make (loop $more (drop (call $new (i32.const 1))) (br $more))))
      (core instance (instantiate $maker
        (with "mine" (instance (export "new" (func $new))))))"#,
    ..Guest::GOOD
};

/// Returns `count` instances of a module with `items`.
fn many(items: &str, count: usize) -> &'static str {
    let instances = "(core instance (instantiate $many))".repeat(count);
    leak(format!("(core module $many {items}) {instances}"))
}

/// Returns two components with `count` instances each, since one component may not have all of them.
fn nested(count: usize) -> &'static str {
    let instances = many("", count);
    leak(format!(
        "(component $nested {instances}) (instance (instantiate $nested)) (instance (instantiate $nested))"
    ))
}
