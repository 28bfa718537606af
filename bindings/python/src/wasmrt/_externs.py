"""What modules import and export, apart from functions: memories, globals, tables and tags."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, SupportsIndex, TypeVar, Union, overload

from . import _core
from ._errors import check, fail, last_error
from ._native import ffi, lib
from ._store import Store
from ._trap import _PINNED
from ._types import (
    AnyValType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    globaltype_from_c,
    globaltype_to_c,
    memorytype_from_c,
    memorytype_to_c,
    tabletype_from_c,
    tabletype_to_c,
    tagtype_from_c,
    tagtype_to_c,
)

if TYPE_CHECKING:
    from ._func import Func

KIND_FUNC, KIND_GLOBAL, KIND_TABLE, KIND_MEMORY, KIND_TAG, KIND_INSTANCE, KIND_REF, KIND_LINKER, KIND_PRE, KIND_WASI = range(10)

Handle_ = TypeVar("Handle_", bound="_core.Handle")


def address_of(pointer: Any) -> int:
    """The address in a pointer of cffi."""
    return int(ffi.cast("uintptr_t", pointer))


def address_or_fail(pointer: Any) -> int:
    """The address in what the library returned; raises its error for NULL."""
    return address_of(pointer) if pointer else fail()


def wrap(cls: type[Handle_], store: Store, kind: int, pointer: Any) -> Handle_:
    """An object of a class for an owned object of the library."""
    handle = cls.__new__(cls)
    handle._attach(store, kind, address_of(pointer))
    return handle


def needs_store(store: object) -> Store:
    """A store, or TypeError."""
    if not isinstance(store, Store):
        raise TypeError(f"a Store is needed, not {type(store).__name__}")
    return store


def count_of(number: SupportsIndex, what: str) -> int:
    """A number that fits the library's, from 0."""
    index = operator.index(number)
    if not 0 <= index < 2**64:
        raise ValueError(f"{what} is out of range: {index}")
    return index


class Memory(_core.Memory):
    """A memory. It has the buffer protocol: memoryview(memory) and numpy.frombuffer(memory, ...) are views of its bytes,
    without a copy.

    A view stays valid, also after the memory has grown, of which it has the former size, and after the store is closed. If
    the memory would move when it grows, as all do on wasmi, no memory of the store grows as long as there is a view: growth
    raises BufferError, from guests as well.
    """

    def __init__(self, store: Store, type: MemoryType) -> None:
        made = needs_store(store)._call(lib.wasm_memory_new, memorytype_to_c(type))
        self._attach(store, KIND_MEMORY, address_or_fail(made))
        self._settle()

    @classmethod
    def _wrap(cls, store: Store, pointer: Any) -> Memory:
        memory = wrap(cls, store, KIND_MEMORY, pointer)
        memory._settle()
        return memory

    def _settle(self) -> None:
        type_, reservation = self.type, self.store.engine._reservation
        greatest = type_.maximum if type_.maximum is not None else 2**48 if type_.is_64 else 2**32 // type_.page_size
        stays = greatest == type_.minimum or greatest * type_.page_size <= reservation
        self._moves = not (type_.shared or stays)

    def _call(self, function: Any, *args: Any) -> Any:
        return self.store._do(lambda: function(ffi.cast("wasm_memory_t *", self._address), *args))

    @property
    def type(self) -> MemoryType:
        """The type, whose minimum is the present size."""
        return memorytype_from_c(ffi.gc(self._call(lib.wasm_memory_type), lib.wasm_memorytype_delete))

    @property
    def size(self) -> int:
        """The size in pages."""
        out = ffi.new("uint64_t *")
        check(self._call(lib.wasmrt_memory_size, out))
        return int(out[0])

    def __len__(self) -> int:
        """The size in bytes."""
        return int(self._call(lib.wasm_memory_data_size))

    def grow(self, delta: int) -> int:
        """Adds pages of zeros. Returns the former size in pages."""
        out = ffi.new("uint64_t *")
        if not self._call(lib.wasmrt_memory_grow, count_of(delta, "the number of pages"), out):
            raise BufferError(_PINNED) if self.store._pins else last_error()
        return int(out[0])

    def read(self, start: int = 0, stop: int | None = None) -> bytes:
        """A copy of the bytes from start to stop, which follow the rules of slices."""
        with memoryview(self) as view:
            return bytes(view[start:stop])

    def write(self, data: bytes | bytearray | memoryview, start: int = 0) -> int:
        """Writes bytes at start. Returns their number. Raises IndexError if there is not so much room."""
        source = memoryview(data).cast("B")
        with memoryview(self) as view:
            begin = start + len(view) if start < 0 else start
            if not 0 <= begin <= len(view) - len(source):
                raise IndexError(f"{len(source)} bytes at {start} are beyond the memory's {len(view)} bytes")
            view[begin : begin + len(source)] = source
        return len(source)

    @overload
    def __getitem__(self, index: SupportsIndex) -> int: ...
    @overload
    def __getitem__(self, index: slice) -> bytes: ...
    def __getitem__(self, index: SupportsIndex | slice) -> int | bytes:
        """A byte, or a copy of a slice."""
        with memoryview(self) as view:
            return bytes(view[index]) if isinstance(index, slice) else view[index]

    def __setitem__(self, index: SupportsIndex | slice, value: Any) -> None:
        with memoryview(self) as view:
            if isinstance(index, slice):
                view[index] = memoryview(value).cast("B")
            else:
                view[index] = value


class Global(_core.Handle):
    """A global."""

    def __init__(self, store: Store, type: GlobalType | AnyValType, value: Any) -> None:
        given = type if isinstance(type, GlobalType) else GlobalType(type)
        made = globaltype_to_c(given)
        self._attach(needs_store(store), KIND_GLOBAL, _core.global_new(store, address_of(made), value))

    @property
    def type(self) -> GlobalType:
        """The type."""
        made = self.store._do(lambda: lib.wasm_global_type(ffi.cast("wasm_global_t *", self._address)))
        return globaltype_from_c(ffi.gc(made, lib.wasm_globaltype_delete))

    @property
    def value(self) -> Any:
        """The value, which can be set unless the global is constant."""
        return _core.global_get(self)

    @value.setter
    def value(self, value: Any) -> None:
        _core.global_set(self, value)


class Table(_core.Handle):
    """A table: a sequence of functions, or of any Python objects if its elements are externrefs; None is null."""

    def __init__(self, store: Store, type: TableType, init: Any = None) -> None:
        made = tabletype_to_c(type)
        self._attach(needs_store(store), KIND_TABLE, _core.table_new(store, address_of(made), init))

    @property
    def type(self) -> TableType:
        """The type, whose minimum is the present size."""
        made = self.store._do(lambda: lib.wasm_table_type(ffi.cast("wasm_table_t *", self._address)))
        return tabletype_from_c(ffi.gc(made, lib.wasm_tabletype_delete))

    def __len__(self) -> int:
        out = ffi.new("uint64_t *")
        check(self.store._do(lambda: lib.wasmrt_table_size(ffi.cast("wasm_table_t *", self._address), out)))
        return int(out[0])

    def _index(self, index: SupportsIndex) -> int:
        number = operator.index(index)
        number = number + len(self) if number < 0 else number
        if not 0 <= number < 2**64:
            raise IndexError(f"index {operator.index(index)} is beyond the end of the table")
        return number

    def __getitem__(self, index: SupportsIndex) -> Any:
        return _core.table_get(self, self._index(index))

    def __setitem__(self, index: SupportsIndex, value: Any) -> None:
        _core.table_set(self, self._index(index), value)

    def __iter__(self) -> Iterator[Any]:
        index = 0
        while index < len(self):
            yield self[index]
            index += 1

    def grow(self, delta: int, init: Any = None) -> int:
        """Adds elements. Returns the former size."""
        return _core.table_grow(self, count_of(delta, "the number of elements"), init)


class Tag(_core.Handle):
    """A tag: a kind of exceptions of the proposal exceptions. See WasmException."""

    def __init__(self, store: Store, type: TagType | Iterable[AnyValType] = ()) -> None:
        given = type if isinstance(type, TagType) else TagType(type)
        made = needs_store(store)._call(lib.wasmrt_tag_new, tagtype_to_c(given))
        self._attach(store, KIND_TAG, address_or_fail(made))

    @classmethod
    def _wrap(cls, store: Store, pointer: Any) -> Tag:
        return wrap(cls, store, KIND_TAG, pointer)

    @property
    def type(self) -> TagType:
        """The type."""
        made = self.store._do(lambda: lib.wasm_extern_type(ffi.cast("wasm_extern_t *", self._address)))
        owned = ffi.gc(made, lib.wasm_externtype_delete)
        return tagtype_from_c(lib.wasm_externtype_as_tagtype_const(owned))


class Ref(_core.Handle):
    """A reference to what a guest made, a struct or an array, or to a small integer. It can be passed on, and compared: two
    are equal if they refer to the same."""

    @classmethod
    def i31(cls, store: Store, value: SupportsIndex) -> Ref:
        """A reference to a small integer, of 31 bits, with or without its sign."""
        number = operator.index(value)
        if not -(2**30) <= number < 2**31:
            raise OverflowError("the int is too large for an i31")
        return wrap(cls, store, KIND_REF, needs_store(store)._call(lib.wasmrt_i31_new, number) or fail())

    @property
    def heap(self) -> str:
        """What it refers to: "struct", "array", "i31", "exn", "func" or "extern"."""
        out = ffi.new("wasmrt_heap_t *")
        check(self.store._do(lambda: lib.wasmrt_ref_heap(ffi.cast("wasm_ref_t *", self._address), out)))
        return _HEAPS.get(out[0], "extern")

    def __int__(self) -> int:
        """The small integer, with its sign."""
        out = ffi.new("int32_t *")
        check(self.store._do(lambda: lib.wasmrt_i31_signed(ffi.cast("wasm_ref_t *", self._address), out)))
        return int(out[0])


_HEAPS: dict[int, str] = {
    lib.WASMRT_HEAP_FUNC: "func",
    lib.WASMRT_HEAP_EXN: "exn",
    lib.WASMRT_HEAP_I31: "i31",
    lib.WASMRT_HEAP_STRUCT: "struct",
    lib.WASMRT_HEAP_ARRAY: "array",
}


def wrap_extern(store: Store, pointer: Any) -> Extern:
    """An object for an owned extern of the library."""
    from ._func import Func

    kind = lib.wasm_extern_kind(pointer)
    if kind == lib.WASM_EXTERN_FUNC:
        return wrap(Func, store, KIND_FUNC, lib.wasm_extern_as_func(pointer))
    if kind == lib.WASM_EXTERN_GLOBAL:
        return wrap(Global, store, KIND_GLOBAL, lib.wasm_extern_as_global(pointer))
    if kind == lib.WASM_EXTERN_TABLE:
        return wrap(Table, store, KIND_TABLE, lib.wasm_extern_as_table(pointer))
    if kind == lib.WASM_EXTERN_MEMORY:
        return Memory._wrap(store, lib.wasm_extern_as_memory(pointer))
    return Tag._wrap(store, pointer)


def extern_of(item: object) -> Any:
    """The extern of the library for one of ours, borrowed."""
    from ._func import Func

    if isinstance(item, Func):
        return lib.wasm_func_as_extern(ffi.cast("wasm_func_t *", item._address))
    if isinstance(item, Global):
        return lib.wasm_global_as_extern(ffi.cast("wasm_global_t *", item._address))
    if isinstance(item, Table):
        return lib.wasm_table_as_extern(ffi.cast("wasm_table_t *", item._address))
    if isinstance(item, Memory):
        return lib.wasm_memory_as_extern(ffi.cast("wasm_memory_t *", item._address))
    if isinstance(item, Tag):
        return ffi.cast("wasm_extern_t *", item._address)
    raise TypeError(f"a Func, Global, Table, Memory or Tag is needed, not {type(item).__name__}")


Extern = Union["Func", Global, Table, Memory, Tag]
