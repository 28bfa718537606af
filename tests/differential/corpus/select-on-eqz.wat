;; A select whose condition compares a local with zero, or a reference with null. Found by seed 142 of an early generator:
;; wasmi 2.0.0 leaves the comparison out, to select by the local itself, but then selects by whatever is in the register where
;; the comparison's result would have been. libwasmrt keeps the two apart.
(module
  (func (export "eqz") (param i32) (result i32)
    (select (i32.const 7) (i32.const 5) (i32.eqz (local.get 0))))
  (func (export "ne") (param i32) (result i32)
    (select (i32.const 7) (i32.const 5) (i32.ne (local.get 0) (i32.const 0))))
  (func (export "is null") (param externref) (result i32)
    (select (i32.const 7) (i32.const 5) (ref.is_null (local.get 0)))))
