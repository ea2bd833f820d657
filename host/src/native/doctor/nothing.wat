;; The component that a check runs: its function ignores name and arguments, and returns nil.
(component
  (core module $module
    (memory (export "memory") 1)
    ;; The result: the case `ok`, with a list of one byte at 32, the MessagePack of nil.
    (data (i32.const 0) "\00\00\00\00\20\00\00\00\01\00\00\00")
    (data (i32.const 32) "\c0")
    ;; The host writes name and arguments to the same place, since neither is read.
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "call") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
  (core instance $instance (instantiate $module))
  (type $failure-kind (enum "function" "incompatible"))
  (type $failure (record
    (field "kind" $failure-kind) (field "message" string) (field "causes" (list string))))
  (func $call
    (param "function" string) (param "arguments" (list u8))
    (result (result (list u8) (error $failure)))
    (canon lift (core func $instance "call")
      (memory $instance "memory") (realloc (func $instance "realloc"))))
  ;; The exported interface: a nested component that exports the types together with the function.
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
  (export "spotify:hype/closure@0.1.0" (instance $closure)))
