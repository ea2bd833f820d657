//! A component that exports `spotify:hype/closure`, around what makes it hostile.

use crate::calls::Call;

/// The parts of a guest that differ. By itself it is a good one, whose value is nothing.
///
/// Its core module has the functions `$value(pointer, length)` and
/// `$failed(message, length, causes, count)`, which write a result and give its address, and `$nil`,
/// the result of a good guest. Of its memory, the addresses from 64 to 4096 and from 65536 on are free;
/// what the host gives is between, each over what it gave long before.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// What it calls of its host.
    pub calls: &'static [Call],
    /// The limits of its memory.
    pub memory: &'static str,
    /// More memories, tables, data and functions of its core module.
    pub items: &'static str,
    /// The body of its function, which gives the address of a result.
    pub call: &'static str,
    /// The body of the function by which the host gets memory: `(old, size, align, new size)` to an
    /// address.
    pub realloc: &'static str,
    /// The body of what follows a call, which gets the result's address.
    pub post_return: &'static str,
    /// More modules, instances and components beside its core module.
    pub beside: &'static str,
}

impl Guest {
    /// A good guest.
    pub const GOOD: Self = Self {
        calls: &[],
        memory: "2",
        items: "",
        call: "(call $nil)",
        realloc: r"
            (local $at i32)
            (local.set $at (i32.and (global.get $next) (i32.const 0x7ff0)))
            (global.set $next (i32.add (i32.add (local.get $at) (local.get 3)) (i32.const 15)))
            (i32.add (local.get $at) (i32.const 4096))",
        post_return: "",
        beside: "",
    };

    /// A guest whose function has the body `call`.
    pub const fn calling(call: &'static str) -> Self {
        Self { call, ..Self::GOOD }
    }

    /// The component.
    ///
    /// # Panics
    ///
    /// When its text is wrong.
    pub fn component(&self) -> Vec<u8> {
        let text = self.text();
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn text(&self) -> String {
        let Self { memory, items, call, realloc, post_return, beside, .. } = self;
        let mut interfaces: Vec<&str> = Vec::new();
        let (mut lowered, mut imported, mut given) = (String::new(), String::new(), String::new());
        for Call { interfaces: needed, name, function, signature } in self.calls {
            for interface in *needed {
                if !interfaces.contains(interface) {
                    interfaces.push(interface);
                }
            }
            lowered.push_str(&format!(
                "(core func ${name} (canon lower (func {function}) \
                 (memory $memory \"memory\") (realloc (func $memory \"realloc\"))))\n"
            ));
            imported
                .push_str(&format!("(import \"host\" \"{name}\" (func ${name} {signature}))\n"));
            given.push_str(&format!("(export \"{name}\" (func ${name}))\n"));
        }
        let interfaces = interfaces.concat();
        format!(
            r#"
(component
  {interfaces}
  (core module $memory-module
    (memory (export "memory") {memory})
    (global $next (mut i32) (i32.const 0))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {GOOD_REALLOC}))
  (core instance $memory (instantiate $memory-module))
  {lowered}
  (core module $module
    (import "memory" "memory" (memory 0))
    {imported}
    (global $next (mut i32) (i32.const 0))
    (data (i32.const 8) "\c0")
    (func $value (param i32 i32) (result i32)
      (i32.store8 (i32.const 16) (i32.const 0))
      (i32.store (i32.const 20) (local.get 0))
      (i32.store (i32.const 24) (local.get 1))
      (i32.const 16))
    (func $failed (param i32 i32 i32 i32) (result i32)
      (i32.store8 (i32.const 16) (i32.const 1))
      (i32.store8 (i32.const 20) (i32.const 0))
      (i32.store (i32.const 24) (local.get 0))
      (i32.store (i32.const 28) (local.get 1))
      (i32.store (i32.const 32) (local.get 2))
      (i32.store (i32.const 36) (local.get 3))
      (i32.const 16))
    (func $nil (result i32) (call $value (i32.const 8) (i32.const 1)))
    {items}
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) {realloc})
    (func (export "post-return") (param i32) {post_return})
    (func (export "call") (param i32 i32 i32 i32) (result i32) {call}))
  {beside}
  (core instance $instance (instantiate $module
    (with "memory" (instance $memory))
    (with "host" (instance {given}))))
  (type $failure-kind (enum "function" "incompatible"))
  (type $failure (record
    (field "kind" $failure-kind) (field "message" string) (field "causes" (list string))))
  (func $call
    (param "function" string) (param "arguments" (list u8))
    (result (result (list u8) (error $failure)))
    (canon lift (core func $instance "call")
      (memory $memory "memory") (realloc (func $instance "realloc"))
      (post-return (func $instance "post-return"))))
  {EXPORT})
"#,
            GOOD_REALLOC = Self::GOOD.realloc,
        )
    }
}

/// The types of an interface are exported with its functions, which takes a component around both.
const EXPORT: &str = r#"
  (component $closure-of
    (type $kind-of (enum "function" "incompatible"))
    (import "kind" (type $kind (eq $kind-of)))
    (type $failure-of (record
      (field "kind" $kind) (field "message" string) (field "causes" (list string))))
    (import "failure" (type $failure (eq $failure-of)))
    (import "call" (func $call
      (param "function" string) (param "arguments" (list u8))
      (result (result (list u8) (error $failure)))))
    (export $exported-kind "failure-kind" (type $kind-of))
    (type $exported-failure-of (record
      (field "kind" $exported-kind) (field "message" string) (field "causes" (list string))))
    (export $exported-failure "failure" (type $exported-failure-of))
    (export "call" (func $call) (func
      (param "function" string) (param "arguments" (list u8))
      (result (result (list u8) (error $exported-failure))))))
  (instance $closure (instantiate $closure-of
    (with "kind" (type $failure-kind)) (with "failure" (type $failure)) (with "call" (func $call))))
  (export "spotify:hype/closure@0.1.0" (instance $closure))
"#;
