"""What stops a guest: fuel, timeouts, another thread, limits."""

import threading

import wasmrt

TEXT = """(module (memory 1) (func (export "forever") (loop br 0))
  (func (export "grow") (result i32) (memory.grow (i32.const 100))))"""

engine = wasmrt.Engine(wasmrt.Config(fuel=True))
store = wasmrt.Store(engine)
store.fuel = 10_000
exports = wasmrt.Instance(store, wasmrt.Module(engine, TEXT)).exports


def run() -> None:
    try:
        exports.forever()
    except wasmrt.Trap as trap:
        print(trap.code)


run()

store.fuel = 2**63
store.set_call_timeout(0.05)
run()
store.set_call_timeout(None)

interrupt = store.interrupt()
threading.Timer(0.05, interrupt.trigger).start()
run()

store.set_limits(memory_bytes=1 << 20)
print(exports.grow())
