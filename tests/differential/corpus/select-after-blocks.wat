;; A select whose condition comes from a comparison with zero through the end of a loop, or past a br_if that is not taken: as
;; in select-on-eqz.wat, but the comparison is not the instruction before.
(module
  (func (export "loop") (param i32) (result i32)
    (select (i32.const 7) (i32.const 5) (loop (result i32) (i32.eqz (local.get 0)))))
  (func (export "br_if") (param i32) (result i32)
    (block $out (result i32)
      (select (i32.const 7) (i32.const 5) (br_if $out (i32.eqz (local.get 0)) (i32.const 0))))))
