;; Sample for run.c: not a module.
(module
  (func (export "broken") (result i32) (i32.add (i32.const 1)))
