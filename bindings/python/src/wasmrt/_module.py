"""Modules."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any, Union

from ._config import Engine
from ._errors import ClosedError, check, fail
from ._native import ffi, lib
from ._store import Store
from ._types import ExportType, ImportType, externtype_from_c, name_of

Source = Union[bytes, bytearray, memoryview, str]


def wat2wasm(text: str | bytes) -> bytes:
    """Converts a module from the text format to the binary format."""
    encoded = text.encode() if isinstance(text, str) else bytes(text)
    out = ffi.new("wasm_byte_vec_t *")
    check(lib.wasmrt_wat2wasm(encoded, len(encoded), out))
    return take_bytes(out)


def take_bytes(vector: Any) -> bytes:
    """The bytes of a vector of the library, which is deleted."""
    try:
        return bytes(ffi.buffer(vector.data, vector.size)) if vector.size else b""
    finally:
        lib.wasm_byte_vec_delete(vector)


def _binary(source: Source) -> bytes:
    if isinstance(source, str):
        return wat2wasm(source)
    if not isinstance(source, (bytes, bytearray, memoryview)):
        raise TypeError(f"a module is given as bytes, or as str in the text format, not as {type(source).__name__}")
    return source if isinstance(source, bytes) else bytes(source)


def _lent(binary: bytes) -> Any:
    """A vector of the library over bytes, and what keeps them."""
    vector = ffi.new("wasm_byte_vec_t *")
    buffer = ffi.from_buffer(binary)
    vector.size, vector.data = len(binary), ffi.cast("char *", buffer)
    return vector, buffer


class Module:
    """A compiled module, from bytes in the binary format, or from str in the text format. May be used by any thread, and in
    all stores of its engine."""

    def __init__(self, engine: Engine | Store, source: Source) -> None:
        vector, _kept = _lent(_binary(source))
        self._make(engine, lib.wasm_module_new, vector)

    def _make(self, engine: Engine | Store, make: Any, *args: Any) -> None:
        if isinstance(engine, Store):
            engine = engine.engine
        if not isinstance(engine, Engine):
            raise TypeError(f"an Engine or a Store is needed, not {type(engine).__name__}")
        self._engine = engine
        self._lock = threading.Lock()
        self._names: tuple[str, ...] | None = None
        self._module: Any = None
        self._shared: Any = None
        # In a store of its own, so that it can be looked at whatever other stores are doing.
        store = ffi.gc(lib.wasm_store_new(engine._ptr) or fail(), lib.wasm_store_delete)
        self._module = ffi.gc(make(store, *args) or fail(), lib.wasm_module_delete)
        self._shared = ffi.gc(lib.wasm_module_share(self._module) or fail(), lib.wasm_shared_module_delete)

    @classmethod
    def _from(cls, engine: Engine | Store, make: Any, *args: Any) -> Module:
        module = cls.__new__(cls)
        module._make(engine, make, *args)
        return module

    @classmethod
    def from_file(cls, engine: Engine | Store, path: str | os.PathLike[str]) -> Module:
        """Makes a module from a file, in the binary or the text format."""
        with open(path, "rb") as file:
            if file.read(4) != b"\0asm":
                file.seek(0)
                return cls(engine, wat2wasm(file.read()))
        return cls._from(engine, lib.wasmrt_module_new_from_file, os.fsencode(path))

    @classmethod
    def deserialize(cls, engine: Engine | Store, data: bytes | bytearray | memoryview) -> Module:
        """Makes a module from what serialize returned, for an engine with the same configuration. The data contains machine
        code: use only your own."""
        vector, _kept = _lent(bytes(data))
        return cls._from(engine, lib.wasm_module_deserialize, vector)

    @classmethod
    def deserialize_file(cls, engine: Engine | Store, path: str | os.PathLike[str]) -> Module:
        """Makes a module from a file of serialize_to_file. The file must not be written to while the module is used."""
        return cls._from(engine, lib.wasmrt_module_deserialize_file, os.fsencode(path))

    @staticmethod
    def validate(engine: Engine | Store, source: Source) -> None:
        """Raises CompileError, or LimitError, if a module is not valid."""
        if isinstance(engine, Store):
            engine = engine.engine
        vector, _kept = _lent(_binary(source))
        store = ffi.gc(lib.wasm_store_new(engine._ptr) or fail(), lib.wasm_store_delete)
        check(lib.wasm_module_validate(store, vector))

    @property
    def engine(self) -> Engine:
        """The engine that it was made for."""
        return self._engine

    def _use(self, function: Any, *args: Any) -> Any:
        with self._lock:
            if self._module is None:
                raise ClosedError("the module is closed")
            return function(self._module, *args)

    def _obtain(self, store: Store) -> Any:
        """The module in a store, own."""
        shared = self._shared
        if shared is None:
            raise ClosedError("the module is closed")
        return ffi.gc(store._call(lib.wasm_module_obtain, shared) or fail(), lib.wasm_module_delete)

    def serialize(self) -> bytes:
        """The compiled module as bytes, for deserialize."""
        out = ffi.new("wasm_byte_vec_t *")
        self._use(lib.wasm_module_serialize, out)
        return take_bytes(out) or fail()

    def serialize_to_file(self, path: str | os.PathLike[str]) -> None:
        """Writes the compiled module to a file, for deserialize_file. A file that is there is replaced at once."""
        check(self._use(lib.wasmrt_module_serialize_to_file, os.fsencode(path)))

    @property
    def name(self) -> str | None:
        """The name: the one that was set, or that the module has. None if there is none."""
        out = ffi.new("wasm_byte_vec_t *")
        return take_bytes(out).decode("utf-8", "replace") if self._use(lib.wasmrt_module_name, out) else None

    @name.setter
    def name(self, name: str | None) -> None:
        encoded = None if name is None else name.encode()
        pointer = ffi.NULL if encoded is None else ffi.from_buffer(encoded)
        check(self._use(lib.wasmrt_module_set_name, pointer, len(encoded or b"")))

    @property
    def imports(self) -> list[ImportType]:
        """The imports, in their order."""
        return list(self._each_import())

    def _each_import(self) -> Iterator[ImportType]:
        for position in range(self._use(lib.wasmrt_module_import_count)):
            found = ffi.gc(self._use(lib.wasmrt_module_import_at, position) or fail(), lib.wasm_importtype_delete)
            module, name = name_of(lib.wasm_importtype_module(found)), name_of(lib.wasm_importtype_name(found))
            yield ImportType(module, name, externtype_from_c(lib.wasm_importtype_type(found)))

    @property
    def exports(self) -> list[ExportType]:
        """The exports, in their order."""
        return [ExportType(name, externtype_from_c(lib.wasm_exporttype_type(found))) for name, found in self._each_export()]

    def _each_export(self) -> Iterator[tuple[str, Any]]:
        for position in range(self._use(lib.wasmrt_module_export_count)):
            found = ffi.gc(self._use(lib.wasmrt_module_export_at, position) or fail(), lib.wasm_exporttype_delete)
            yield name_of(lib.wasm_exporttype_name(found)), found

    @property
    def _export_names(self) -> tuple[str, ...]:
        if self._names is None:
            self._names = tuple(name for name, _ in self._each_export())
        return self._names

    @property
    def custom_sections(self) -> list[tuple[str, bytes]]:
        """The custom sections, names and contents, in their order."""
        sections: list[tuple[str, bytes]] = []
        name, contents = ffi.new("const char **"), ffi.new("const char **")
        length, size = ffi.new("size_t *"), ffi.new("size_t *")
        while self._use(lib.wasmrt_module_custom_section_at, len(sections), name, length, contents, size):
            found = bytes(ffi.buffer(name[0], length[0])).decode("utf-8", "replace")
            sections.append((found, bytes(ffi.buffer(contents[0], size[0]))))
        return sections

    @property
    def wasi_version(self) -> str | None:
        """What of WASI the module imports: "wasi_snapshot_preview1", "wasi_unstable", or None."""
        version = ffi.new("wasmrt_wasi_version_t *")
        check(self._use(lib.wasmrt_module_wasi, version))
        names: dict[int, str] = {1: "wasi_unstable", 2: "wasi_snapshot_preview1"}
        return names.get(int(version[0]))

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._module is None

    def close(self) -> None:
        """Frees the module, once its instances are gone, too. They may still be used."""
        with self._lock:
            self._module = self._shared = None

    def __enter__(self) -> Module:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
