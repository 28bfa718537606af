"""A program for WASI: its streams are objects of Python."""

import io
from typing import List

import wasmrt

# Copies its input to its output, 4 KiB at most, and exits with 3.
TEXT = """
(module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\00\\04\\00\\00\\00\\10\\00\\00")
  (func (export "_start")
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $exit (i32.const 3))))
"""

engine = wasmrt.Engine()
module = wasmrt.Module(engine, TEXT)


def run(config: wasmrt.WasiConfig) -> wasmrt.Wasi:
    linker = wasmrt.Linker(wasmrt.Store(engine))
    wasi = linker.define_wasi(config)
    print("status", wasi.start(linker.instantiate(module)))
    return wasi


output = io.StringIO()
run(wasmrt.WasiConfig(["copy"], {"HOME": "/"}, stdin=io.StringIO("from a file"), stdout=output))
print(output.getvalue())

parts: List[bytes] = []
run(wasmrt.WasiConfig(stdin=lambda size: b"from a function", stdout=parts.append))
print(b"".join(parts))

print(run(wasmrt.WasiConfig(stdin=b"from bytes", stdout=wasmrt.Capture())).read())
