;; A br_table whose targets carry two values, with another operand below them. wasmi 2.0.0 does not move the values when all
;; targets are of one height, so that the block has the operand below as a result. wasmtime is right.
(module
  (func (export "f") (param i32) (result i64 i64)
    (block (result i64 i64)
      (i64.const 5)
      (br_table 0 1 1 (i64.const 7) (i64.const 8) (local.get 0)))))
