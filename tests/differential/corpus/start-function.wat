;; A start function that calls the host, before C knows any export, and writes what the exports then show.
(module
  (import "host" "f" (func $host (param i32 funcref) (result i64 externref)))
  (memory (export "memory") 1 1)
  (global $object (export "object") (mut externref) (ref.null extern))
  (table (export "table") 2 2 funcref)
  (elem declare func $start)
  (func $start
    (local $number i64)
    (call $host (i32.const 1) (ref.func $start))
    (global.set $object)
    (local.set $number)
    (i64.store (i32.const 0) (i64.xor (local.get $number) (i64.const -1)))
    (i32.store8 (i32.const 65535) (i32.const 9))
    (table.set 0 (i32.const 1) (ref.func $start)))
  (start $start)
  (func (export "load") (result i64 i32)
    (i64.load (i32.const 0))
    (i32.load8_u (i32.const 65535))))
