"""Modules: where they come from, and what is known of them."""

import pathlib
import tempfile

import wasmrt

engine = wasmrt.Engine()
binary = wasmrt.wat2wasm('(module (func (export "seven") (result i32) (i32.const 7)))')
module = wasmrt.Module(engine, binary)
for export in module.exports:
    print(export.name, export.type)

with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder) / "seven.wasm"
    path.write_bytes(binary)
    print(wasmrt.Module.from_file(engine, path).imports)

# What was compiled can be kept; Config(cache=...) does so for all modules of an engine.
again = wasmrt.Module.deserialize(engine, module.serialize())
print(wasmrt.Instance(wasmrt.Store(engine), again).exports["seven"]())

try:
    wasmrt.Module(engine, b"\0asm\1\0\0\0\x63")
except wasmrt.CompileError as error:
    print("invalid, at offset", error.offset)
