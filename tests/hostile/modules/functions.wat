(module
    (memory (export "memory") 2 64)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
    (func (export "texts") (param i32 i32) (result i32) unreachable)
    (func (export "bytes") (param i32 i32) (result i32) unreachable)
    (func (export "records") (param i64 i32 i32 i32 i32 i32) (result i32) unreachable)
    (func (export "options") (param i32 i32 i32) (result i32) unreachable)
    (func (export "flags") (param i32) (result i32) unreachable)
    (func (export "lists") (param i32 i32) (result i32) unreachable))
