"""Globals, tables, and references to any object of Python."""

import wasmrt
from wasmrt import Global, GlobalType, Table, TableType

store = wasmrt.Store()
counter = Global(store, GlobalType("i64", mutable=True), 5)
counter.value += 1
print(counter.value)

module = wasmrt.Module(store, """
(module (table (export "table") 2 funcref)
  (func $one (export "one") (result i32) (i32.const 1))
  (elem (i32.const 0) $one)
  (func (export "same") (param externref) (result externref) (local.get 0)))
""")
exports = wasmrt.Instance(store, module).exports
thing = {"any": "object"}
print(exports.same(thing) is thing, exports.same(None))

table = exports.table
table[1] = table[0]
print([function() for function in table], len(table))

names = Table(store, TableType("externref", 2))
names[0] = "first"
print(list(names))
