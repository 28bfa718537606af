;; Sample for run.c: an imported function, which only one of the two exports calls.
(module
  (import "house" "butler" (func $butler (param i32) (result i32)))
  (func (export "alone") (result i32) (i32.const 1))
  (func (export "served") (result i32) (call $butler (i32.const 2))))
