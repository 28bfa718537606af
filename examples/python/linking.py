"""Linking by name."""

import wasmrt
from wasmrt import i32

store = wasmrt.Store()
linker = wasmrt.Linker(store)


@linker.func("env")
def offset() -> i32:
    return 40


library = wasmrt.Module(store, """
(module (import "env" "offset" (func $offset (result i32)))
  (func (export "move") (param i32) (result i32) (i32.add (local.get 0) (call $offset))))
""")
linker.define_instance("library", linker.instantiate(library))

program = wasmrt.Module(store, """
(module (import "library" "move" (func $move (param i32) (result i32)))
  (func (export "run") (result i32) (call $move (i32.const 2))))
""")
print(linker.instantiate(program).exports.run())

prepared = linker.prepare(program)  # the imports are found once
print(sum(prepared.instantiate().exports.run() for _ in range(10)))

try:
    linker.instantiate(wasmrt.Module(store, '(module (import "env" "ofset" (func)))'))
except wasmrt.LinkError:
    print("not defined")
