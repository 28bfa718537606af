"""A module, an instance, and a call each way."""

import wasmrt
from wasmrt import i32

TEXT = """
(module
  (import "host" "double" (func $double (param i32) (result i32)))
  (func (export "add") (param i32 i32) (result i32)
    (i32.add (call $double (local.get 0)) (local.get 1))))
"""


def double(x: i32) -> i32:
    return 2 * x


with wasmrt.Store() as store:
    module = wasmrt.Module(store, TEXT)
    instance = wasmrt.Instance(store, module, {"host": {"double": double}})
    print(instance.exports.add(20, 2))
