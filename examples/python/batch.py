"""Calls for many rows: a column for each parameter, and one for each result."""

import array

import wasmrt

store = wasmrt.Store()
module = wasmrt.Module(store, """
(module (func (export "area") (param f64 f64) (result f64) (f64.mul (local.get 0) (local.get 1)))
  (func (export "half") (param i32) (result i32) (i32.div_u (i32.const 100) (local.get 0))))
""")
exports = wasmrt.Instance(store, module).exports

widths, heights = array.array("d", [1, 2, 3]), array.array("d", [10, 20, 30])
(areas,) = exports.area.call_batch(widths, heights)
print(areas)

# Columns may be anything with a buffer of such numbers, numpy arrays for example, and so may results.
out = array.array("i", [0, 0, 0])
try:
    exports.half.call_batch(array.array("i", [1, 2, 0]), out=[out])
except wasmrt.Trap as trap:
    print(trap.message, trap.rows_done, out)
