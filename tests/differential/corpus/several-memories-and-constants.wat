;; Several memories, imported and defined, whose segments and globals have computed offsets: instructions reach the memory
;; they name, also by the longer encodings of far offsets.
(module
  (import "host" "base" (global $base i32))
  (import "host" "first" (memory $first 1 3))
  (memory $second 1 2)
  (memory $third 2 2)
  (export "first" (memory $first))
  (export "second" (memory $second))
  (export "third" (memory $third))
  (global (export "computed") i64
    (i64.add (i64.const 40) (i64.mul (i64.const 2) (i64.sub (i64.const 3) (i64.const 2)))))
  (global (export "with an import") i32 (i32.add (global.get $base) (i32.const 5)))
  (data (memory $second) (i32.add (i32.const 8) (i32.mul (i32.const 4) (i32.const 4))) "second")
  (data (memory $third) (i32.const 65530) "third here")
  (func (export "exchange") (param i32) (result i64 i32)
    (local.set 0 (i32.and (local.get 0) (i32.const 0xfff)))
    (i64.store $first (local.get 0) (i64.load $second (i32.const 24)))
    (i32.store16 $third offset=70000 (local.get 0) (i32.const 0x1234))
    (memory.copy $second $third (local.get 0) (i32.const 65530) (i32.const 10))
    (memory.fill $first (i32.const 60000) (i32.const 0xee) (local.get 0))
    (i64.load $second (local.get 0))
    (i32.load8_s $third offset=65530 (i32.const 1))))
