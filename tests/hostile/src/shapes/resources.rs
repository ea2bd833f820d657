//! More of the host's things than a guest may have.

use hype_wire::FailureKind::{Deadline, Resources, Trap};
use hype_wire::Limits;

use crate::calls::{AFTER, DIRECTORIES, LIST, OPEN, POLL, STDOUT, WRITE};
use crate::guest::Guest;
use crate::shape::Shape;
use crate::shapes::memory::leak;

/// Tables, instances, and handles that are never dropped.
pub fn shapes() -> Vec<Shape> {
    let mut shapes = tables_and_instances();
    shapes.extend(handles());
    shapes
}

fn tables_and_instances() -> Vec<Shape> {
    let good = Guest::GOOD;
    vec![
        Shape::new(
            "a table that grows and grows",
            Guest {
                items: "(table $t 1 funcref)",
                ..Guest::calling(
                    "(loop $more (br_if $more (i32.ne
                       (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1))))
                     unreachable",
                )
            },
            Resources,
            "larger tables",
        ),
        Shape::in_vain(
            "a table that stops growing where it is refused",
            Guest {
                items: "(table $t 1 funcref)",
                ..Guest::calling(
                    "(drop (table.grow $t (ref.null func) (i32.const 0x7fffffff))) (call $nil)",
                )
            },
        ),
        Shape::new(
            "a table that is large from the beginning",
            Guest { items: "(table 9000000 funcref)", ..good },
            Resources,
            "larger tables",
        ),
        Shape::new(
            "many tables",
            Guest { beside: many(&"(table 1 funcref)".repeat(100), 11), ..good },
            Resources,
            "table count too high",
        ),
        Shape::new(
            "many instances",
            Guest { beside: nested(600), ..good },
            Resources,
            "instance count too high",
        ),
    ]
}

fn handles() -> Vec<Shape> {
    let forever = "(call $after (i64.const -1))";
    vec![
        Shape::new(
            "things to wait for",
            Guest {
                calls: &[AFTER],
                ..Guest::calling(
                    "(loop $more (drop (call $after (i64.const 1000))) (br $more)) unreachable",
                )
            },
            Resources,
            "more handles",
        ),
        Shape::new(
            "streams",
            Guest {
                calls: &[STDOUT],
                ..Guest::calling("(loop $more (drop (call $stdout)) (br $more)) unreachable")
            },
            Resources,
            "more handles",
        ),
        Shape::new(
            "directories",
            Guest {
                calls: &[DIRECTORIES],
                ..Guest::calling(
                    "(loop $more (call $directories (i32.const 64)) (br $more)) unreachable",
                )
            },
            Resources,
            "more handles",
        ),
        Shape::new(
            "open files",
            opening(
                "(call $open (local.get 0) (i32.const 0) (i32.const 96) (i32.const 1)
                   (i32.const 1) (i32.const 3) (i32.const 80))",
            ),
            Resources,
            "more open files",
        ),
        Shape::new(
            "open directories",
            opening(
                "(call $open (local.get 0) (i32.const 0) (i32.const 97) (i32.const 1)
                   (i32.const 2) (i32.const 1) (i32.const 80))",
            ),
            Resources,
            "more open files",
        ),
        Shape::new(
            "lists of entries",
            opening("(call $list (local.get 0) (i32.const 80))"),
            Resources,
            "more directories being listed",
        ),
        Shape::new("its own", OWN, Resources, "more handles"),
        Shape::new(
            "a million at once of one thing",
            Guest {
                calls: &[AFTER, POLL],
                memory: "100",
                ..Guest::calling(leak(format!(
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
        Shape::new(
            "thousands to wait for, for ever",
            Guest {
                calls: &[AFTER, POLL],
                ..Guest::calling(
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
        .within(Limits { timeout_ms: Some(1000), ..Limits::default() }),
        Shape::new(
            "nothing to wait for",
            Guest {
                calls: &[POLL],
                ..Guest::calling(
                    "(call $poll (i32.const 64) (i32.const 0) (i32.const 64)) unreachable",
                )
            },
            Trap,
            "empty poll list",
        ),
        Shape::new(
            "a handle that it never had",
            Guest {
                calls: &[STDOUT, WRITE],
                ..Guest::calling(
                    "(call $write (i32.const 99) (i32.const 0) (i32.const 1) (i32.const 64))
                     unreachable",
                )
            },
            Trap,
            "unknown handle index 99",
        ),
        Shape::new(
            "more than the host takes at once",
            Guest {
                calls: &[STDOUT, WRITE],
                memory: "400",
                ..Guest::calling(
                    "(call $write (call $stdout) (i32.const 0) (i32.const 20000000) (i32.const 64))
                     unreachable",
                )
            },
            Resources,
            "more than 16 MiB to the host at once",
        )
        .within(Limits { result: Some(1 << 20), ..Limits::default() }),
    ]
}

/// Makes `call` for `/tmp`, which is local 0, again and again while it succeeds.
fn opening(call: &str) -> Guest {
    Guest {
        calls: &[DIRECTORIES, OPEN, LIST],
        items: r#"(data (i32.const 96) "a.")"#,
        ..Guest::calling(leak(format!(
            "(call $directories (i32.const 64))
             (local.set 0 (i32.load (i32.load (i32.const 64))))
             (loop $more {call} (br_if $more (i32.eqz (i32.load8_u (i32.const 80)))))
             (call $nil)"
        )))
    }
}

/// A resource type of its own, of which it makes more and more.
const OWN: Guest = Guest {
    beside: r#"
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

/// So many instances of a module with these items.
fn many(items: &str, count: usize) -> &'static str {
    let instances = "(core instance (instantiate $many))".repeat(count);
    leak(format!("(core module $many {items}) {instances}"))
}

/// So many instances in each of two components, since one may not have all of them.
fn nested(count: usize) -> &'static str {
    let instances = many("", count);
    leak(format!(
        "(component $nested {instances}) (instance (instantiate $nested)) (instance (instantiate $nested))"
    ))
}
