"""Measures calls beside the package `wasmtime` of PyPI, in the same run, and prints how many times faster this package is.

pip install wasmtime, then: python bench.py [--check]. With --check, fails if a ratio is below what the project promises.
"""

import sys
import timeit
from importlib.metadata import version

import wasmtime

import wasmrt

TEXT = """(module (import "host" "f" (func $f (param i32) (result i32)))
  (func (export "call") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "callbacks") (param i32) (loop (drop (call $f (local.get 0)))
    (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))))"""
WANTED = {"call": 10, "callback": 5}
CALLBACKS = 1000


def increment(x):
    return x + 1


def ours(backend):
    store = wasmrt.Store(wasmrt.Engine(wasmrt.Config(backend=backend)))
    exports = wasmrt.Instance(store, wasmrt.Module(store, TEXT), [increment]).exports
    call, callbacks = exports.call, exports.callbacks
    return {"call": lambda: call(5), "callback": lambda: callbacks(CALLBACKS)}


def theirs():
    store = wasmtime.Store(wasmtime.Engine())
    i32 = wasmtime.ValType.i32()
    function = wasmtime.Func(store, wasmtime.FuncType([i32], [i32]), increment)
    exports = wasmtime.Instance(store, wasmtime.Module(store.engine, TEXT), [function]).exports(store)
    call, callbacks = exports["call"], exports["callbacks"]
    return {"call": lambda: call(store, 5), "callback": lambda: callbacks(store, CALLBACKS)}


def measure(functions):
    """Nanoseconds of each, the best of several rounds."""
    number = {"call": 20000, "callback": 20}
    return {
        name: min(timeit.repeat(function, number=number[name], repeat=7)) / number[name] * 1e9
        / (CALLBACKS if name == "callback" else 1)
        for name, function in functions.items()
    }


def main():
    their_times = measure(theirs())
    print(f"wasmtime {version('wasmtime')}: " + ", ".join(f"{name} {ns:.0f} ns" for name, ns in their_times.items()))
    slow = False
    for backend in wasmrt.backends:
        for name, ns in measure(ours(backend)).items():
            ratio = their_times[name] / ns
            slow |= ratio < WANTED[name] and backend == "wasmtime"
            print(f"wasmrt on {backend}: {name} {ns:.0f} ns, {ratio:.1f} times faster")
    return 1 if slow and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
