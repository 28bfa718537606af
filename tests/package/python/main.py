"""What a Python program outside this tree does with the package: a module, a host function, a call."""

import wasmrt

TEXT = """(module
  (import "host" "add" (func $add (param i32 i32) (result i32)))
  (func (export "add_and_double") (param i32 i32) (result i32)
    (i32.mul (call $add (local.get 0) (local.get 1)) (i32.const 2))))"""


def add(left: wasmrt.i32, right: wasmrt.i32) -> wasmrt.i32:
    return left + right


engine = wasmrt.Engine()
store = wasmrt.Store(engine)
module = wasmrt.Module(engine, TEXT)
instance = wasmrt.Instance(store, module, [wasmrt.Func(store, add)])
print(f"hello from wasm: twice that is {instance.exports.add_and_double(19, 2)}")
