//! A component that exports `spotify:hype/closure`, with replaceable parts.

use crate::calls::{DROP, HostCall};

/// The replaceable parts of a guest. [`Guest::GOOD`] is a good guest, whose value is nil.
///
/// Its core module has the functions `$value(pointer, length)` and
/// `$failed(message, length, causes, count)`, which write a result and return its address, and `$nil`,
/// the result of a good guest. Guests may use the memory from 64 to 4096, and from 65536 on. The host
/// writes between them, and overwrites older data.
#[derive(Debug, Clone, Copy)]
pub struct Guest {
    /// The host functions that the guest imports.
    pub calls: &'static [HostCall],
    /// The limits of its memory, in pages.
    pub memory: &'static str,
    /// Additional memories, tables, data and functions of its core module.
    pub items: &'static str,
    /// The body of its function, which returns the address of a result.
    pub call: &'static str,
    /// The body of `realloc`, by which the host allocates memory: `(old, size, align, new size)` to an
    /// address.
    pub realloc: &'static str,
    /// The body of `post-return`, which receives the result's address.
    pub post_return: &'static str,
    /// Additional modules, instances and components of the component.
    pub extra_items: &'static str,
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
        extra_items: "",
    };

    /// Returns a guest whose function has the body `call`.
    pub const fn with_call(call: &'static str) -> Self {
        Self { call, ..Self::GOOD }
    }

    /// Compiles the text to a component.
    ///
    /// # Panics
    ///
    /// When the text is invalid.
    pub fn component(&self) -> Vec<u8> {
        let text = self.text();
        wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    fn text(&self) -> String {
        let Self { memory, items, call, realloc, post_return, extra_items, .. } = self;
        let mut interfaces: Vec<&str> = Vec::new();
        let (mut lowered, mut imported, mut exported) =
            (String::new(), String::new(), String::new());
        for HostCall { interfaces: needed, name, function, signature } in self.calls {
            for interface in *needed {
                if !interfaces.contains(interface) {
                    interfaces.push(interface);
                }
            }
            let canonical = match function.strip_prefix(DROP) {
                Some(resource) => format!("resource.drop {resource}"),
                None => format!(
                    "lower (func {function}) (memory $memory \"memory\") \
                     (realloc (func $memory \"realloc\"))"
                ),
            };
            lowered.push_str(&format!("(core func ${name} (canon {canonical}))\n"));
            imported
                .push_str(&format!("(import \"host\" \"{name}\" (func ${name} {signature}))\n"));
            exported.push_str(&format!("(export \"{name}\" (func ${name}))\n"));
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
  {extra_items}
  (core instance $instance (instantiate $module
    (with "memory" (instance $memory))
    (with "host" (instance {exported}))))
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

/// The exported interface: a nested component that exports the types together with the function.
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
