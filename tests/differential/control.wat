;; What the control plants its differences in: each of them shows in this module, and two calls to the host come about
;; before the exports have been called twice.
(module
  (import "host" "exchange" (func $exchange (param i64 f32 externref) (result i64 f32)))
  (memory (export "memory") 1 2)
  (table (export "table") 2 10 funcref)
  (global $total (export "total") (mut i64) (i64.const 0))
  (global $last (export "last") (mut f32) (f32.const 0))
  (func (export "call the host") (param i64 externref) (result i64)
    (call $exchange (local.get 0) (f32.const 1.5) (local.get 1))
    (global.set $last)
    (global.set $total (i64.add (global.get $total)))
    (i64.store (i32.const 8) (global.get $total))
    (global.get $total))
  (func (export "add") (param i32 i64) (result i64)
    (i64.add (i64.extend_i32_u (local.get 0)) (local.get 1)))
  (func (export "call the host again") (param i64) (result i64 f32)
    (call $exchange (local.get 0) (f32.const 2.5) (ref.null extern)))
  (elem (i32.const 0) funcref (ref.func 1) (ref.func 2)))
