;; Functions to call, some after `_initialize`.
(module
  (global $ready (export "ready") (mut i32) (i32.const 0))
  (memory (export "memory") 1 2)
  (table (export "table") 3 funcref)
  (func $inner (unreachable))
  (func (export "_initialize") (global.set $ready (i32.const 1)))
  (func (export "is ready") (result i32) (global.get $ready))
  (func (export "swap") (param i64 f64) (result f64 i64) (local.get 1) (local.get 0))
  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "fail") (call $inner)))
