;; A store whose value is the address, far from the start of the memory. wasmi 2.0.0 has no instruction for that and panics
;; when it compiles the function, so that the module is refused. wasmtime is right.
(module
  (memory (export "memory") 2)
  (func (export "store") (param i32)
    (i32.store offset=70000 (local.tee 0 (i32.and (local.get 0) (i32.const 255))) (local.get 0))))
