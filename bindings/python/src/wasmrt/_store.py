"""Stores."""

from __future__ import annotations

import weakref
from types import TracebackType
from typing import Any, Callable

from . import _core
from ._config import Engine
from ._errors import ClosedError, MisuseError, check, fail
from ._native import ffi, lib

UNLIMITED = 2**64 - 1
_LIMITS = {"memory_bytes": 0, "table_elements": 1, "instances": 2, "tables": 3, "memories": 4}


def nanoseconds(seconds: float | None) -> int:
    """A duration for the library. None is none."""
    if seconds is None:
        return UNLIMITED
    if not seconds >= 0:
        raise MisuseError(f"a duration has to be 0 or more seconds, not {seconds}")
    return int(min(seconds * 1e9, UNLIMITED - 1))


class Store(_core.Store):
    """Holds instances and what belongs to them. Closing it frees all that.

    One thread at a time may use a store and what is in it, not always the same one. A second one gets a ThreadError.
    """

    def __init__(self, engine: Engine | None = None) -> None:
        if engine is None:
            engine = Engine()
        elif not isinstance(engine, Engine):
            raise TypeError(f"an Engine is needed, not {type(engine).__name__}")
        made = engine._new_store()
        self._attach(int(ffi.cast("uintptr_t", made)), engine._interrupts)
        self._engine = engine
        self.data: Any = None
        """Whatever the program wants to find again, also in host functions, through Caller.store."""
        self._instances: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self._engine

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a function of the library that takes the store first."""
        return self._do(lambda: function(ffi.cast("wasm_store_t *", self._address), *args))

    def _run(self, function: Callable[[Any], Any], discard: Callable[[Any], Any] | None = None) -> Any:
        """Calls what may run guests, with where their trap goes. Raises that trap, or what a callback left, before anything else
        can use the store. `discard` deletes what was made nevertheless."""
        trap = ffi.new("wasm_trap_t **")

        def run() -> Any:
            made = function(trap)
            if trap[0] or self._failed:
                if made and discard is not None:
                    discard(made)
                self._raise(int(ffi.cast("uintptr_t", trap[0])))
            return made

        return self._do(run)

    @property
    def fuel(self) -> int:
        """The fuel that is left. The engine needs Config.fuel. A new store has none."""
        out = ffi.new("uint64_t *")
        check(self._call(lib.wasmrt_store_fuel, out))
        return int(out[0])

    @fuel.setter
    def fuel(self, fuel: int) -> None:
        check(self._call(lib.wasmrt_store_set_fuel, fuel))

    def add_fuel(self, fuel: int) -> None:
        """Adds fuel."""
        check(self._call(lib.wasmrt_store_add_fuel, fuel))

    @property
    def fuel_consumed(self) -> int:
        """The fuel that was consumed so far."""
        out = ffi.new("uint64_t *")
        check(self._call(lib.wasmrt_store_fuel_consumed, out))
        return int(out[0])

    def set_timeout(self, seconds: float | None) -> None:
        """Sets a timeout for everything in the store, from now: what runs then, or later, traps. None removes it."""
        check(self._call(lib.wasmrt_store_set_timeout, nanoseconds(seconds)))

    def set_call_timeout(self, seconds: float | None) -> None:
        """Sets a timeout for each call from outside, from its start. None removes it."""
        check(self._call(lib.wasmrt_store_set_call_timeout, nanoseconds(seconds)))

    def interrupt(self) -> Interrupt:
        """Makes something with which any thread can stop the guests of this store."""
        return Interrupt(self)

    def set_limits(
        self,
        *,
        memory_bytes: int | None = None,
        table_elements: int | None = None,
        instances: int | None = None,
        tables: int | None = None,
        memories: int | None = None,
    ) -> None:
        """Sets how much may be in the store. What is None stays as it is; UNLIMITED removes a limit."""
        given = {"table_elements": table_elements, "instances": instances, "tables": tables, "memories": memories}
        if memory_bytes is not None:
            if not 0 <= memory_bytes <= UNLIMITED:
                raise MisuseError(f"the limit is out of range: {memory_bytes}")
            self._set_memory_limit(memory_bytes)
        for name, value in given.items():
            if value is not None:
                check(self._call(lib.wasmrt_store_set_limit, _LIMITS[name], value))

    def limit(self, name: str) -> int | None:
        """A limit, by the name that it has in set_limits; None if there is none."""
        if name == "memory_bytes":
            value = self._memory_limit
        else:
            out = ffi.new("uint64_t *")
            check(self._call(lib.wasmrt_store_limit, _limit(name), out))
            value = int(out[0])
        return None if value == UNLIMITED else value

    def usage(self, name: str) -> int:
        """How much of a limit is in use."""
        out = ffi.new("uint64_t *")
        check(self._call(lib.wasmrt_store_usage, _limit(name), out))
        return int(out[0])

    def set_growth_trap(self, enabled: bool) -> None:
        """Sets whether a guest that wants to grow a memory or a table beyond a limit traps, rather than gets -1."""
        self._set_growth_trap(enabled)

    def gc(self) -> None:
        """Releases what guests no longer refer to."""
        check(self._call(lib.wasmrt_store_gc))
        _core.settle()

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def _limit(name: str) -> int:
    if name not in _LIMITS:
        raise ValueError(f"there is no limit {name!r}; there are {', '.join(_LIMITS)}")
    return _LIMITS[name]


class Interrupt:
    """Stops the guests of a store, from any thread. Store.interrupt makes it."""

    def __init__(self, store: Store) -> None:
        made = store._call(lib.wasmrt_interrupt_new) or fail()
        self._interrupt = ffi.gc(made, lib.wasmrt_interrupt_delete)

    @property
    def _ptr(self) -> Any:
        found = self._interrupt
        if found is None:
            raise ClosedError("the interrupt is closed")
        return found

    def trigger(self) -> None:
        """Stops what the store is running: the call traps. If nothing runs, that is the next call."""
        lib.wasmrt_interrupt_trigger(self._ptr)

    def clear(self) -> None:
        """Withdraws what has not stopped anything yet."""
        lib.wasmrt_interrupt_clear(self._ptr)

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._interrupt is None

    def close(self) -> None:
        """Frees it. What it has triggered stays so."""
        # Not ffi.release: another thread may be in a function that uses it.
        self._interrupt = None

    def __enter__(self) -> Interrupt:
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()
