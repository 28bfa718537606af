;; An active segment that does not fit, after one that does: instantiation traps.
(module
  (memory (export "memory") 1 1)
  (data (i32.const 0) "fits")
  (data (i32.const 65533) "does not"))
