;; Sample for run.c: an imported memory, which run does not provide.
(module
  (import "house" "cellar" (memory 1))
  (func (export "first") (result i32) (i32.load (i32.const 0))))
