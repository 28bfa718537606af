"""Traps and other errors."""

import wasmrt
from wasmrt import TrapCode

store = wasmrt.Store()
module = wasmrt.Module(store, """
(module (func (export "divide") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))
""")
divide = wasmrt.Instance(store, module).exports.divide
try:
    divide(1, 0)
except wasmrt.Trap as trap:
    assert trap.code is TrapCode.INTEGER_DIVIDE_BY_ZERO
    print(trap.message)
    for frame in trap.frames:  # on wasmi there are none
        assert frame.func_index == 0

for wrong in [(1,), (1, "2"), (1, 2**40)]:
    try:
        divide(*wrong)
    except (TypeError, OverflowError) as error:
        print(error)

store.close()
try:
    divide(1, 1)
except wasmrt.ClosedError as error:
    print(error)
