;; Returns the pages there were before 16 more, or -1.
(module
  (memory 1)
  (func (export "grow") (result i32) (memory.grow (i32.const 16))))
