;; A tail call of a host function without parameters and results, after which the caller has neither parameters nor locals.
;; Found by seed 1541 of an early generator: wasmi 2.0.0 goes on there with a stack pointer to nowhere, and the process ends.
;; libwasmrt gives such callers a local.
(module
  (import "host" "f" (func $host))
  (global $global (export "global") (mut i64) (i64.const 5))
  (func (export "caller") (result i64)
    (call $tail)
    (global.get $global))
  (func $tail
    (return_call $host)))
