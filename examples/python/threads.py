"""Threads: a module for all, a store for each."""

import threading
from typing import List

import wasmrt

engine = wasmrt.Engine()
module = wasmrt.Module(engine, """
(module (func (export "count") (param i32) (result i32) (local $n i32)
  (loop (local.set $n (i32.add (local.get $n) (i32.const 1)))
    (br_if 0 (i32.lt_u (local.get $n) (local.get 0))))
  (local.get $n)))
""")
counts: List[int] = []


def work() -> None:
    # While its guest runs, a thread does not hold Python's lock.
    with wasmrt.Store(engine) as store:
        counts.append(wasmrt.Instance(store, module).exports.count(100_000))


threads = [threading.Thread(target=work) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(sum(counts))
