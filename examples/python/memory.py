"""Memories: bytes, views without a copy, growth."""

import array

import wasmrt

store = wasmrt.Store()
module = wasmrt.Module(store, """
(module (memory (export "memory") 1 4)
  (func (export "sum") (param $n i32) (result i32) (local $sum i32)
    (loop (if (local.get $n) (then
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (local.set $sum (i32.add (local.get $sum) (i32.load (i32.shl (local.get $n) (i32.const 2)))))
      (br 1))))
    (local.get $sum)))
""")
exports = wasmrt.Instance(store, module).exports
memory = exports.memory

memory.write(array.array("i", [1, 2, 3, 4]), 0)
print(exports.sum(4), memory[0:4], len(memory))

# A view is the memory itself. numpy.frombuffer(memory, numpy.int32) is one, too.
with memoryview(memory) as view:
    numbers = view.cast("i")
    numbers[0] = 100
    print(exports.sum(4))
    numbers.release()

print(memory.grow(1), memory.size)
