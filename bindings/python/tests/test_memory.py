"""Memories, globals and tables."""

import gc
import weakref

import numpy
import pytest
import wasmrt
from wasmrt import Global, GlobalType, Memory, MemoryType, Table, TableType, ValType

GROWS = """(module (memory (export "memory") 1 10)
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "load") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))"""


def test_bytes(make):
    exports = make(GROWS)
    memory = exports.memory
    assert len(memory) == 65536 and memory.size == 1
    assert memory.type == MemoryType(1, 10)
    memory[0] = 200
    assert exports.load(0) == 200 and memory[0] == 200
    memory[1:4] = b"abc"
    assert memory[0:4] == b"\xc8abc" and memory.read(1, 4) == b"abc"
    assert memory.write(b"xyz", 65533) == 3 and memory[-3:] == b"xyz"
    assert memory.write(bytearray(b"q"), -1) == 1 and memory[-1] == ord("q")
    for start in (65534, -70000, 2**40):
        with pytest.raises(IndexError):
            memory.write(b"xyz", start)
    with pytest.raises(IndexError):
        memory[65536]
    with pytest.raises(ValueError):
        memory[0:4] = b"too long"
    assert memory.read(65530, 99999) == b"\0\0\0xyq"


def test_no_copy(make):
    exports = make(GROWS)
    view = memoryview(exports.memory)
    assert (view.format, view.itemsize, view.ndim, view.readonly, view.c_contiguous) == ("B", 1, 1, False, True)
    exports.store(100, 42)
    assert view[100] == 42
    view[101] = 43
    assert exports.load(101) == 43


def test_numpy(make):
    exports = make(GROWS)
    array = numpy.frombuffer(exports.memory, dtype=numpy.uint32, count=16, offset=64)
    array[:] = numpy.arange(16)
    assert exports.load(64 + 4 * 5) == 5
    assert array.flags.writeable and not array.flags.owndata
    assert numpy.asarray(memoryview(exports.memory)).shape == (65536,)
    assert bytes(exports.memory) == exports.memory.read()


def test_growth_with_a_view(make, moves):
    exports = make(GROWS)
    array = numpy.frombuffer(exports.memory, dtype=numpy.uint8)
    array[7] = 7
    if moves:
        with pytest.raises(BufferError, match="views"):
            exports.grow()
        with pytest.raises(BufferError, match="views"):
            exports.memory.grow(1)
        assert len(exports.memory) == 65536
        del array
    else:
        assert exports.grow() == 1
        assert exports.memory.grow(1) == 2
        exports.store(7, 8)
        assert array[7] == 8 and len(array) == 65536
        exports.store(7, 7)
    former = exports.grow()
    assert former == (1 if moves else 3) and len(exports.memory) == 65536 * (former + 1)
    assert exports.load(7) == 7


def test_several_views(make, moves):
    exports = make(GROWS)
    one, two = memoryview(exports.memory), memoryview(exports.memory)
    one.release()
    if moves:
        with pytest.raises(BufferError):
            exports.grow()
    two.release()
    assert exports.grow() == 1


def test_limits_come_back_after_views(make, store):
    exports = make(GROWS)
    store.set_limits(memory_bytes=65536 * 2)
    with memoryview(exports.memory):
        assert store.limit("memory_bytes") == 65536 * 2
    assert exports.grow() == 1
    assert exports.grow() == -1
    with pytest.raises(wasmrt.LimitError):
        exports.memory.grow(1)
    assert store.usage("memory_bytes") == 65536 * 2
    store.set_growth_trap(True)
    with pytest.raises(wasmrt.Trap) as caught:
        exports.grow()
    assert caught.value.code is wasmrt.TrapCode.MEMORY_LIMIT
    with memoryview(exports.memory):
        store.set_limits(memory_bytes=wasmrt.UNLIMITED)
        store.set_growth_trap(False)
    assert exports.grow() == 2
    assert store.limit("memory_bytes") is None


def test_instances_with_a_view(make, moves):
    exports = make(GROWS)
    with memoryview(exports.memory):
        if moves:
            with pytest.raises(BufferError, match="views"):
                make(GROWS)
            make("(module)")
        else:
            make(GROWS)
    make(GROWS)


def test_small_reservations():
    if not wasmrt.Engine().backend.supports("memory_reservation"):
        return
    store = wasmrt.Store(wasmrt.Engine(wasmrt.Config(memory_reservation=1 << 17, memory_guard_size=0)))
    exports = wasmrt.Instance(store, wasmrt.Module(store, GROWS)).exports
    with memoryview(exports.memory):
        with pytest.raises(BufferError):
            exports.grow()
    assert exports.grow() == 1


def test_views_outlive_the_store(make, store):
    exports = make(GROWS)
    view = memoryview(exports.memory)
    view[5] = 5
    with pytest.raises(BufferError, match="views"):
        exports.memory.close()
    store.close()
    assert view[5] == 5
    view[6] = 6
    assert exports.memory.closed
    with pytest.raises(wasmrt.ClosedError):
        memoryview(exports.memory)
    with pytest.raises(wasmrt.ClosedError):
        len(exports.memory)
    view.release()


def test_views_keep_everything():
    def view():
        store = wasmrt.Store()
        return memoryview(wasmrt.Memory(store, MemoryType(1)))

    kept = view()
    gc.collect()
    kept[0] = 1
    assert kept[0] == 1


def test_garbage_with_views():
    """A view in a cycle with its store."""
    store = wasmrt.Store()
    memory = Memory(store, MemoryType(1))
    store.data = [memoryview(memory), store]
    gone = weakref.ref(store)
    del store, memory
    gc.collect()
    assert gone() is None


def test_made_memory(store):
    memory = Memory(store, MemoryType(1, 2))
    assert memory.grow(1) == 1
    with pytest.raises(wasmrt.Error):
        memory.grow(1)
    with pytest.raises(ValueError):
        memory.grow(-1)
    with pytest.raises(wasmrt.Error):
        Memory(store, MemoryType(3, 2))
    with pytest.raises(TypeError):
        Memory(None, MemoryType(1))
    empty = Memory(store, MemoryType(0))
    assert len(memoryview(empty)) == 0 and bytes(empty) == b""


def test_memory64(store):
    memory = Memory(store, MemoryType(1, is_64=True))
    assert memory.type.is_64 and memory._moves
    with memoryview(memory):
        with pytest.raises(BufferError):
            memory.grow(1)
    assert memory.grow(1) == 1


def test_global(store, make):
    exports = make('(module (global (export "g") (mut i64) (i64.const 5)) (global (export "c") f32 (f32.const 0.5)))')
    assert exports.g.value == 5 and exports.g.type == GlobalType("i64", True)
    exports.g.value = -1
    assert exports.g.value == -1
    with pytest.raises(TypeError):
        exports.g.value = "x"
    with pytest.raises(TypeError, match="constant"):
        exports.c.value = 1.0
    made = Global(store, GlobalType("externref", True), {"a": 1})
    assert made.value == {"a": 1}
    made.value = None
    assert made.value is None
    assert Global(store, "i32", 7).value == 7
    with pytest.raises(TypeError):
        Global(store, "i32", None)


def test_table(store, make):
    exports = make("""(module (table (export "t") 2 5 funcref) (func $f (export "f") (result i32) (i32.const 7))
      (elem (i32.const 0) $f))""")
    table = exports.t
    assert len(table) == 2 and table[0]() == 7 and table[1] is None and table[-1] is None
    table[1] = exports.f
    assert [entry() for entry in table] == [7, 7]
    assert table.grow(2, exports.f) == 2 and table[3] == exports.f
    assert table.type == TableType("funcref", 4, 5)
    for index in (4, -5, 2**70):
        with pytest.raises(IndexError):
            table[index]
        with pytest.raises(IndexError):
            table[index] = None
    with pytest.raises(TypeError):
        table[0] = 7
    with pytest.raises(wasmrt.LimitError):
        table.grow(2)
    objects = Table(store, TableType(ValType.EXTERNREF, 2), "x")
    assert list(objects) == ["x", "x"]
    objects[1] = exports
    assert objects[1] is exports


def test_closed(store, make):
    exports = make(GROWS)
    function, memory = exports.load, exports.memory
    made, table = Global(store, "i32", 1), Table(store, TableType("externref", 1))
    made.close()
    assert made.closed and not function.closed
    with pytest.raises(wasmrt.ClosedError, match="object is closed"):
        made.value
    store.close()
    store.close()
    for use in (
        lambda: function(1),
        lambda: exports.store,
        lambda: memory[0],
        lambda: memory.type,
        lambda: table[0],
        lambda: len(table),
        lambda: Global(store, "i32", 1),
        lambda: wasmrt.Instance(store, wasmrt.Module(store, "(module)")),
        lambda: wasmrt.Linker(store),
        lambda: store.fuel,
        lambda: wasmrt.Func(store, print, wasmrt.FuncType()),
        lambda: wasmrt.Wasi(store),
        lambda: store.interrupt(),
    ):
        with pytest.raises(wasmrt.ClosedError):
            use()
