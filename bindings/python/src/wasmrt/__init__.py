"""WebAssembly on the engines of libwasmrt. See docs/python.md of the project for a guide."""

from __future__ import annotations

import atexit as _atexit
import os as _os
import threading as _threading

from . import _core

_core.check_interpreter()
if _threading.current_thread() is _threading.main_thread():
    _core.set_main_thread()
else:
    _core.set_main_thread(_threading.main_thread().ident)

from ._config import Backend, Config, Engine, backends, set_log
from ._errors import (
    ArtifactError,
    ClosedError,
    CompileError,
    Error,
    FileError,
    InternalError,
    LimitError,
    LinkError,
    MisuseError,
    ThreadError,
    UnsupportedError,
)
from ._errors import last_error as _last_error
from ._errors import text as _text
from ._externs import Extern, Global, Memory, Ref, Table, Tag
from ._func import Caller, Func
from ._instance import Exports, Instance
from ._linker import InstancePre, Linker
from ._module import Module, wat2wasm
from ._native import lib
from ._store import UNLIMITED, Interrupt, Store
from ._trap import Exit, Frame, Trap, TrapCode, WasmException
from ._trap import raise_trap as _raise_trap
from ._trap import throw as _throw
from ._types import (
    ExportType,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    TableType,
    TagType,
    ValType,
    externref,
    f32,
    f64,
    funcref,
    i32,
    i64,
)
from ._wasi import INHERIT, Capture, Wasi, WasiConfig

__version__: str = _text(lib.wasmrt_version())

_core.setup(Func, Ref, Caller, ClosedError, ThreadError, _raise_trap, WasmException, _throw, _last_error)
_atexit.register(_core.shutdown)
_atexit.register(set_log, None)
# In the child of a fork, the thread that forked is the main one.
_os.register_at_fork(after_in_child=_core.set_main_thread)

__all__ = [
    "INHERIT",
    "UNLIMITED",
    "ArtifactError",
    "Backend",
    "Caller",
    "Capture",
    "ClosedError",
    "CompileError",
    "Config",
    "Engine",
    "Error",
    "Exit",
    "ExportType",
    "Exports",
    "Extern",
    "ExternType",
    "FileError",
    "Frame",
    "Func",
    "FuncType",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "InstancePre",
    "InternalError",
    "Interrupt",
    "LimitError",
    "LinkError",
    "Linker",
    "Memory",
    "MemoryType",
    "MisuseError",
    "Module",
    "Ref",
    "Store",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "ThreadError",
    "Trap",
    "TrapCode",
    "UnsupportedError",
    "ValType",
    "Wasi",
    "WasiConfig",
    "WasmException",
    "backends",
    "externref",
    "f32",
    "f64",
    "funcref",
    "i32",
    "i64",
    "set_log",
    "wat2wasm",
]
