"""Host functions: types, callers, exceptions."""

from typing import Tuple

import wasmrt
from wasmrt import Caller, FuncType, f64, i32, i64

store = wasmrt.Store()


def log(caller: Caller, start: i32, length: i32) -> None:
    """The first parameter is the caller, because its annotation says so."""
    memory = caller["memory"]
    assert isinstance(memory, wasmrt.Memory)
    print("the guest says", memory.read(start, start + length).decode())


def divide(a: i64, b: i64) -> Tuple[i64, f64]:
    if b == 0:
        raise ZeroDivisionError("the host does not divide by zero")
    return a // b, a / b


module = wasmrt.Module(store, """
(module
  (import "host" "log" (func $log (param i32 i32)))
  (import "host" "divide" (func $divide (param i64 i64) (result i64 f64)))
  (memory (export "memory") 1)
  (data (i32.const 8) "hello")
  (func (export "greet") (call $log (i32.const 8) (i32.const 5)))
  (func (export "divide") (param i64 i64) (result i64 f64) (call $divide (local.get 0) (local.get 1))))
""")
exports = wasmrt.Instance(store, module, {"host": {"log": log, "divide": divide}}).exports
exports.greet()
print(exports.divide(7, 2))
try:
    exports.divide(7, 0)
except ZeroDivisionError as error:
    print(error)

# Without annotations, a type is given.
triple = wasmrt.Func(store, lambda x: 3 * x, FuncType(["i32"], ["i32"]))
print(triple(14))
