"""Settings of engines, and the backends that there are."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Callable

from . import _core
from ._errors import ClosedError, check, fail, text
from ._native import ffi, lib

_COMPILERS = {text(lib.wasmrt_compiler_name(number)): number for number in range(7) if lib.wasmrt_compiler_name(number)}
_PROPOSALS = {text(lib.wasmrt_proposal_name(number)): number for number in range(64) if lib.wasmrt_proposal_name(number)}
_OPTIMIZATIONS = {"none": 1, "speed": 2, "speed-and-size": 3}
_PROFILING = {"none": 0, "perfmap": 1, "jitdump": 2}
_POOL_LIMITS = {"instances": 0, "memories": 1, "tables": 2, "memory_bytes": 3, "table_elements": 4}
_MODULE_LIMITS = {
    name: number
    for number, name in enumerate(
        "bytes functions types locals function_bytes nesting function_cost cost_per_byte constant_terms".split()
    )
}
_SETTINGS = {
    name: number
    for number, name in enumerate(
        "compiler optimization fuel interruption max_wasm_stack memory_reservation memory_guard_size memory_copy_on_write "
        "pooling parallel_compilation debug_info profiling deterministic target cpu_features".split(),
        1,
    )
}


class Backend(str):
    """A backend: the name of an engine that the library contains, such as "wasmtime"."""

    @property
    def version(self) -> str:
        """The version of the engine."""
        return text(lib.wasmrt_backend_version(self.encode()))

    def supports(self, setting: str) -> bool:
        """Whether engines of this backend have a setting, by the name that it has in Config."""
        return bool(lib.wasmrt_backend_supports(self.encode(), _chosen(_SETTINGS, setting, "setting")))

    def supports_proposal(self, proposal: str) -> bool:
        """Whether engines of this backend can run modules that use a proposal, such as "simd"."""
        number = _chosen(_PROPOSALS, proposal, "proposal")
        return bool(lib.wasmrt_backend_supports_proposal(self.encode(), number))


backends: tuple[Backend, ...] = tuple(
    Backend(text(lib.wasmrt_backend_name(index))) for index in range(lib.wasmrt_backend_count())
)
"""The backends that there are. The first one is the default."""


def set_log(callback: Callable[[int, str], object] | None) -> None:
    """Has a callable get events that are no errors of any call, such as a store that reached a limit: their level, 1 for a
    defect of the library or 2 for a warning, and a sentence. Called on any thread; None discards them. One for the process.
    """
    if callback is None:
        lib.wasmrt_log_set_callback(ffi.NULL, ffi.NULL, ffi.NULL)
        return
    if not callable(callback):
        raise TypeError(f"a callable is needed, not {callback!r}")
    addresses = _core.callbacks()
    function, finalizer = ffi.cast("wasmrt_log_callback_t", addresses["log"]), ffi.cast("void (*)(void *)", addresses["finalize"])
    lib.wasmrt_log_set_callback(function, ffi.cast("void *", _core.cell(None, callback)), finalizer)


def _chosen(numbers: Mapping[str, int], name: str, what: str) -> int:
    if name not in numbers:
        raise ValueError(f"there is no {what} {name!r}; there are {', '.join(numbers)}")
    return numbers[name]


@dataclass
class Config:
    """Settings for Engine. What is None is left to the library and to its environment variables."""

    backend: str | None = None
    """The backend, by name. Environment: WASMRT_BACKEND."""
    compiler: str | None = None
    """How modules are compiled: "cranelift", "winch", "pulley", "eager", "lazy-translation", "lazy"; "llvm" or
    "singlepass" of a wasmer that is loaded."""
    optimization: str | None = None
    """What compiled code is optimized for: "none", "speed", "speed-and-size"."""
    proposals: Mapping[str, bool] = field(default_factory=dict)
    """Proposals to turn on or off, such as {"threads": True}."""
    fuel: bool = False
    """Whether guests consume fuel, see Store.fuel."""
    interruption: bool | None = None
    """Whether guests can be stopped: by timeouts, Store.interrupt and KeyboardInterrupt. On unless the compiler is lazy.
    Loops of guests run faster without it."""
    max_wasm_stack: int | None = None
    """The most bytes of stack that guests use."""
    memory_reservation: int | None = None
    """The address space in bytes that is reserved for each memory."""
    memory_guard_size: int | None = None
    """The inaccessible bytes after each memory."""
    memory_copy_on_write: bool | None = None
    """Whether memories start as images of a module's data."""
    pooling: bool | None = None
    """Whether room for instances is set aside when the engine is made."""
    pool_limits: Mapping[str, int] = field(default_factory=dict)
    """Limits of the pool: "instances", "memories", "tables", "memory_bytes", "table_elements"."""
    parallel_compilation: bool | None = None
    """Whether modules are compiled on several threads."""
    debug_info: bool | None = None
    """Whether DWARF sections are translated for native debuggers."""
    profiling: str | None = None
    """What to tell profilers: "none", "perfmap", "jitdump"."""
    deterministic: bool | None = None
    """Whether results are the same on every machine, NaNs included."""
    target: str | None = None
    """The machine to compile for, as a target triple."""
    cpu_features: Iterable[str] = ()
    """Features of the processor that code may use."""
    max_shards: int | None = None
    """How many threads can run guests on wasmi at the same time, by default one per processor. Each of these shards
    translates the modules that are used in it."""
    cache: str | os.PathLike[str] | bool | None = None
    """The directory in which compiled modules are kept; False for none, whatever the environment says."""
    cache_max_bytes: int = 0
    """The most bytes that are kept there, 0 for the default."""
    module_limits: Mapping[str, int | None] = field(default_factory=dict)
    """Limits on modules, None for no limit: "bytes", "functions", "types", "locals", "function_bytes", "nesting",
    "function_cost", "cost_per_byte", "constant_terms"."""

    def _interrupts(self) -> bool:
        compiler = self.compiler or os.environ.get("WASMRT_COMPILER", "")
        return not compiler.startswith("lazy") if self.interruption is None else self.interruption

    def _to_c(self) -> Any:
        config = ffi.gc(lib.wasm_config_new(), lib.wasm_config_delete)
        optional = {
            "max_wasm_stack": lib.wasmrt_config_set_max_wasm_stack,
            "memory_reservation": lib.wasmrt_config_set_memory_reservation,
            "memory_guard_size": lib.wasmrt_config_set_memory_guard_size,
            "memory_copy_on_write": lib.wasmrt_config_set_memory_copy_on_write,
            "pooling": lib.wasmrt_config_set_pooling,
            "parallel_compilation": lib.wasmrt_config_set_parallel_compilation,
            "debug_info": lib.wasmrt_config_set_debug_info,
            "max_shards": lib.wasmrt_config_set_max_shards,
            "deterministic": lib.wasmrt_config_set_deterministic,
        }
        if self.backend is not None:
            check(lib.wasmrt_config_set_backend(config, self.backend.encode()))
        if self.compiler is not None:
            check(lib.wasmrt_config_set_compiler(config, _chosen(_COMPILERS, self.compiler, "compiler")))
        if self.optimization is not None:
            number = _chosen(_OPTIMIZATIONS, self.optimization, "optimization")
            check(lib.wasmrt_config_set_optimization(config, number))
        if self.profiling is not None:
            check(lib.wasmrt_config_set_profiling(config, _chosen(_PROFILING, self.profiling, "profiling")))
        for name, enabled in self.proposals.items():
            check(lib.wasmrt_config_set_proposal(config, _chosen(_PROPOSALS, name, "proposal"), enabled))
        if self.fuel:
            check(lib.wasmrt_config_set_fuel(config, True))
        if self._interrupts():
            check(lib.wasmrt_config_set_interruption(config, True))
        for name, setter in optional.items():
            value = getattr(self, name)
            if value is not None:
                check(setter(config, value))
        for name, value in self.pool_limits.items():
            check(lib.wasmrt_config_set_pool_limit(config, _chosen(_POOL_LIMITS, name, "limit"), value))
        for name, limit in self.module_limits.items():
            number = _chosen(_MODULE_LIMITS, name, "limit")
            check(lib.wasmrt_config_set_module_limit(config, number, 2**64 - 1 if limit is None else limit))
        if self.target is not None:
            check(lib.wasmrt_config_set_target(config, self.target.encode()))
        for feature in self.cpu_features:
            check(lib.wasmrt_config_enable_cpu_feature(config, feature.encode()))
        if self.cache is False:
            check(lib.wasmrt_config_set_cache(config, ffi.NULL, 0))
        elif self.cache is not None and self.cache is not True:
            check(lib.wasmrt_config_set_cache(config, os.fsencode(self.cache), self.cache_max_bytes))
        return config


class Engine:
    """Compiles and runs modules. Stores and modules of one engine go together. May be used by any thread."""

    def __init__(self, config: Config | None = None) -> None:
        self.config = Config() if config is None else config
        """The settings that it was made with."""
        made = self.config._to_c()
        self._interrupts = self.config._interrupts()
        # The library takes the configuration, also if it fails.
        ffi.gc(made, None)
        engine = lib.wasm_engine_new_with_config(made)
        self._engine = ffi.gc(engine, lib.wasm_engine_delete) if engine else fail()
        self._closed = False
        self._anchor: Any = None
        reserved = self.config.memory_reservation
        if reserved is None:
            given = os.environ.get("WASMRT_MEMORY_RESERVATION") or str(2**32)
            reserved = int(given) if given.isdecimal() else 0
        # How large a memory can grow without moving.
        self._reservation = reserved if self.backend.supports("memory_reservation") else 0

    def _new_store(self) -> Any:
        """A store of the library, own."""
        if self._interrupts and self._anchor is None:
            # The library's thread for polls exists as long as any store has one. This keeps it between stores.
            self._anchor = ffi.gc(lib.wasm_store_new(self._ptr) or fail(), lib.wasm_store_delete)
            go_on = ffi.cast("wasmrt_poll_callback_t", _core.callbacks()["go_on"])
            check(lib.wasmrt_store_set_poll(self._anchor, go_on, ffi.NULL, ffi.NULL))
        return lib.wasm_store_new(self._ptr) or fail()

    @property
    def _ptr(self) -> Any:
        if self._closed:
            raise ClosedError("the engine is closed")
        return self._engine

    @property
    def backend(self) -> Backend:
        """The backend."""
        return Backend(text(lib.wasmrt_engine_backend_name(self._ptr)))

    @property
    def module_count(self) -> int:
        """The number of modules that there are."""
        count = ffi.new("size_t *")
        check(lib.wasmrt_engine_module_count(self._ptr, count))
        return int(count[0])

    @property
    def cache_counts(self) -> tuple[int, int]:
        """How many modules were found in the cache, and how many were not."""
        found, missing = ffi.new("uint64_t *"), ffi.new("uint64_t *")
        check(lib.wasmrt_engine_cache_counts(self._ptr, found, missing))
        return int(found[0]), int(missing[0])

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Frees the engine, once its stores and modules are gone, too. They may still be used."""
        if not self._closed:
            self._closed = True
            # Not ffi.release: another thread may be in a function that uses it.
            self._engine = self._anchor = None

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
