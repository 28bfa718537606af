"""Traps: what stops a guest."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any

from . import _core
from ._errors import Error, error_of, fail
from ._native import ffi, lib
from ._store import Store
from ._types import name_of


class TrapCode(enum.IntEnum):
    """Why a call trapped."""

    UNREACHABLE = 1
    MEMORY_OUT_OF_BOUNDS = 2
    TABLE_OUT_OF_BOUNDS = 3
    UNDEFINED_ELEMENT = 4
    UNINITIALIZED_ELEMENT = 5
    INDIRECT_CALL_TYPE_MISMATCH = 6
    INTEGER_DIVIDE_BY_ZERO = 7
    INTEGER_OVERFLOW = 8
    INVALID_CONVERSION = 9
    STACK_EXHAUSTED = 10
    UNALIGNED_ATOMIC = 11
    NULL_REFERENCE = 12
    ARRAY_OUT_OF_BOUNDS = 13
    CAST_FAILURE = 14
    UNCAUGHT_EXCEPTION = 15
    OTHER = 16
    OUT_OF_FUEL = 32
    TIMEOUT = 33
    INTERRUPTED = 34
    MEMORY_LIMIT = 35
    TABLE_LIMIT = 36
    HOST = 64
    EXIT = 65
    ERROR = 66

    def __str__(self) -> str:
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True)
class Frame:
    """A function of WebAssembly that was running."""

    func_index: int
    """Its index in the module."""
    func_name: str | None
    """Its name, if the module has one for it."""
    module_name: str | None
    """The name of the module, if it has one."""
    func_offset: int
    """Where it was, in bytes from the start of its body."""
    module_offset: int
    """Where it was, in bytes from the start of the module."""

    def __str__(self) -> str:
        module = f"{self.module_name}!" if self.module_name else ""
        return f"{module}{self.func_name or f'function {self.func_index}'} at 0x{self.module_offset:x}"


class Trap(Error):
    """A guest trapped. A host function may raise one, too, to stop its guest."""

    code: TrapCode = TrapCode.HOST
    """Why."""
    frames: tuple[Frame, ...] = ()
    """What was running, the innermost first. On wasmi there are none."""
    rows_done: int | None = None
    """For Func.call_batch: the number of rows that were done before."""

    def __init__(self, message: str = "") -> None:
        super().__init__(message)
        self.message = message
        """The message alone."""

    def __str__(self) -> str:
        return "\n".join([self.message, *(f"  in {frame}" for frame in self.frames)])


class Exit(Trap):
    """A guest ended its program, by proc_exit of WASI. A host function may raise one, too."""

    code = TrapCode.EXIT

    def __init__(self, status: int = 0) -> None:
        super().__init__(f"exit with status {status}")
        self.status = status
        """The exit status."""


class WasmException(Trap):
    """An exception of the proposal of that name, which no guest caught; raised by a host function, one to throw."""

    code = TrapCode.UNCAUGHT_EXCEPTION

    def __init__(self, tag: Any, *values: Any) -> None:
        super().__init__("uncaught exception")
        self.tag = tag
        """Its tag, a Tag."""
        self.values: tuple[Any, ...] = values
        """Its values."""


def _name(function: Any, frame: Any) -> str | None:
    out = ffi.new("wasm_byte_vec_t *")
    function(frame, out)
    name = name_of(out)
    lib.wasm_byte_vec_delete(out)
    return name or None


def _frames(trap: Any) -> tuple[Frame, ...]:
    vector = ffi.new("wasm_frame_vec_t *")
    lib.wasm_trap_trace(trap, vector)
    frames = tuple(
        Frame(
            lib.wasm_frame_func_index(frame),
            _name(lib.wasmrt_frame_func_name, frame),
            _name(lib.wasmrt_frame_module_name, frame),
            lib.wasm_frame_func_offset(frame),
            lib.wasm_frame_module_offset(frame),
        )
        for frame in (ffi.unpack(vector.data, vector.size) if vector.size else ())
    )
    lib.wasm_frame_vec_delete(vector)
    return frames


def _message(trap: Any) -> str:
    out = ffi.new("wasm_byte_vec_t *")
    lib.wasm_trap_message(trap, out)
    message = name_of(out).rstrip("\0")
    lib.wasm_byte_vec_delete(out)
    return message


def _exception(store: Store, trap: Any) -> WasmException | None:
    from ._externs import Tag

    tag = lib.wasmrt_trap_exception_tag(trap)
    if not tag:
        return None
    values = ffi.new("wasm_val_vec_t *")
    found: tuple[Any, ...] = ()
    if lib.wasmrt_trap_exception_values(trap, values):
        found = _core.values_to_python(store, int(ffi.cast("uintptr_t", values.data)), values.size)
        lib.wasm_val_vec_delete(values)
    return WasmException(Tag._wrap(store, tag), *found)


def raise_trap(store: Store, address: int) -> None:
    """Raises the exception for a trap of the library, which is deleted."""
    if address == 0:
        raise Error("the call failed without a trap")
    trap = ffi.gc(ffi.cast("wasm_trap_t *", address), lib.wasm_trap_delete)
    code, message = lib.wasmrt_trap_code(trap), _message(trap)
    status = ffi.new("int32_t *")
    if code == TrapCode.ERROR:
        kind = lib.wasmrt_trap_error_kind(trap)
        if kind == lib.WASMRT_ERROR_LIMIT and store._pins:
            raise BufferError(f"{message}; {_PINNED}")
        raise error_of(kind, message)
    if code == TrapCode.MEMORY_LIMIT and store._pins:
        raise BufferError(_PINNED)
    error: Trap | None = None
    if lib.wasmrt_trap_exit_status(trap, status):
        error = Exit(status[0])
    elif code == TrapCode.UNCAUGHT_EXCEPTION:
        error = _exception(store, trap)
    if error is None:
        error = Trap(message)
        error.code = TrapCode(code) if code in TrapCode.__members__.values() else TrapCode.OTHER
    error.frames = _frames(trap)
    raise error


def throw(store: Store, error: WasmException) -> int:
    """The address of a trap of the library, own, that throws an exception in a guest."""
    from ._externs import Tag

    if not isinstance(error.tag, Tag):
        raise TypeError(f"the tag of an exception has to be a Tag, not {type(error.tag).__name__}")
    kinds = error.tag.type.params
    room = ffi.new("wasm_val_t[]", len(kinds) + 1)
    values = ffi.new("wasm_val_vec_t *", {"size": len(kinds), "data": room})
    address = int(ffi.cast("uintptr_t", room))
    _core.values_from_python(store, bytes(kinds), error.values, address)
    trap = store._call(lib.wasmrt_exception_new, ffi.cast("wasm_extern_t *", error.tag._address), values)
    for value in room[0 : len(kinds)]:
        lib.wasm_val_delete(ffi.addressof(value))
    return int(ffi.cast("uintptr_t", trap)) if trap else fail()


_PINNED = (
    "no memory of the store can grow while there are views of one that would move, such as a memoryview or a numpy array; "
    "release them first"
)
