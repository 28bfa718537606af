;; An operand, the parameter, below an if that has a parameter and two results: it is used after the if, in the second
;; exclusive or, where wasmi 2.0.0 has zero instead. Found by seed 3062726. wasmtime is right.
(module
  (type $block (func (param i32) (result funcref i32)))
  (table 0 24 externref)
  (global $global (export "global") (mut i32) (i32.const 0))
  (func (export "f") (type $block)
    local.get 0
    i32.const 0
    table.size 0
    if (type $block)
      block
      end
      unreachable
    else
      drop
      ref.null func
      i32.const -1645996940
    end
    global.get $global
    i32.xor
    global.set $global
    drop
    global.get $global
    i32.xor
    global.set $global
    unreachable))
