"""Linking by name."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Callable, TypeVar

from . import _core
from ._errors import check
from ._externs import KIND_LINKER, KIND_PRE, Extern, address_or_fail, extern_of, needs_store, wrap_extern
from ._func import func_for
from ._instance import Instance
from ._module import Module
from ._native import ffi, lib
from ._store import Store
from ._types import FuncType
from ._wasi import Wasi, WasiConfig

_UNKNOWN = ("refuse", "trap", "default")
Callable_ = TypeVar("Callable_", bound=Callable[..., Any])


def _name(module: str, name: str) -> tuple[bytes, int, bytes, int]:
    one, two = module.encode(), name.encode()
    return one, len(one), two, len(two)


class Linker(_core.Handle):
    """Definitions by name, for the imports of modules. It belongs to a store."""

    def __init__(self, store: Store, *, shadowing: bool = False, unknown_imports: str = "refuse") -> None:
        """`shadowing` allows a definition to take the place of an earlier one. `unknown_imports` says what happens with
        imports that are not defined: "refuse" them, have functions "trap" when they are called, or make a "default", which
        does nothing."""
        made = needs_store(store)._call(lib.wasmrt_linker_new)
        self._attach(store, KIND_LINKER, address_or_fail(made))
        self._unknown_imports = "refuse"
        self._shadowing = False
        self.shadowing = shadowing
        self.unknown_imports = unknown_imports

    def _call(self, function: Callable[..., Any], *args: Any) -> Any:
        """Calls a function of the library with this linker. Of other objects, it gets what they return when the store is
        this thread's: their addresses."""
        return self.store._do(lambda: function(self._pointer, *[arg() if isinstance(arg, FunctionType) else arg for arg in args]))

    @property
    def _pointer(self) -> Any:
        return ffi.cast("wasmrt_linker_t *", self._address)

    @property
    def shadowing(self) -> bool:
        """Whether a definition may take the place of an earlier one."""
        return self._shadowing

    @shadowing.setter
    def shadowing(self, allowed: bool) -> None:
        check(self._call(lib.wasmrt_linker_set_shadowing, allowed))
        self._shadowing = allowed

    @property
    def unknown_imports(self) -> str:
        """What happens with imports that are not defined."""
        return self._unknown_imports

    @unknown_imports.setter
    def unknown_imports(self, what: str) -> None:
        if what not in _UNKNOWN:
            raise ValueError(f"unknown_imports is one of {', '.join(_UNKNOWN)}, not {what!r}")
        check(self._call(lib.wasmrt_linker_set_unknown, _UNKNOWN.index(what)))
        self._unknown_imports = what

    def define(self, module: str, name: str, item: Extern | Callable[..., Any], type: FuncType | None = None) -> None:
        """Defines an extern, or a host function: a callable, of the given type or that of its annotations."""
        made = func_for(self.store, item, type)
        check(self._call(lib.wasmrt_linker_define, *_name(module, name), lambda: extern_of(made)))

    def func(self, module: str, name: str | None = None, type: FuncType | None = None) -> Callable[[Callable_], Callable_]:
        """A decorator that defines a host function, by its own name unless one is given."""

        def decorate(function: Callable_) -> Callable_:
            self.define(module, name or function.__name__, function, type)
            return function

        return decorate

    def define_instance(self, module: str, instance: Instance) -> None:
        """Defines all exports of an instance, by their names."""
        if not isinstance(instance, Instance):
            raise TypeError(f"an Instance is needed, not {instance.__class__.__name__}")
        encoded = module.encode()
        check(self._call(lib.wasmrt_linker_define_instance, encoded, len(encoded), lambda: instance._pointer))

    def define_wasi(self, config: WasiConfig | Wasi | None = None) -> Wasi:
        """Defines the functions of WASI, for what a configuration gives guests. Returns the context, which starts them."""
        wasi = config if isinstance(config, Wasi) else Wasi(self.store, config)
        check(self._call(lib.wasmrt_linker_define_wasi, lambda: wasi._pointer))
        return wasi

    def alias(self, module: str, name: str, new_module: str, new_name: str) -> None:
        """Gives a definition a second name."""
        check(self._call(lib.wasmrt_linker_alias, *_name(module, name), *_name(new_module, new_name)))

    def get(self, module: str, name: str) -> Extern | None:
        """A definition; None if there is none."""
        found = self._call(lib.wasmrt_linker_get, *_name(module, name))
        return wrap_extern(self.store, found) if found else None

    def set_next(self, linker: Linker | None) -> None:
        """Sets the linker that is asked for what this one does not define."""
        check(self._call(lib.wasmrt_linker_set_next, lambda: ffi.NULL if linker is None else linker._pointer))

    def instantiate(self, module: Module) -> Instance:
        """Makes an instance of a module."""
        obtained = module._obtain(self.store)
        return Instance._made(
            self.store, module, lambda trap: lib.wasmrt_linker_instantiate(self._pointer, obtained, trap)
        )

    def prepare(self, module: Module) -> InstancePre:
        """Finds and checks the imports of a module, of which many instances are to be made."""
        made = self._call(lib.wasmrt_linker_prepare, module._obtain(self.store))
        pre = InstancePre.__new__(InstancePre)
        pre._attach(self.store, KIND_PRE, address_or_fail(made))
        pre._module = module
        return pre


class InstancePre(_core.Handle):
    """A module with its imports. Linker.prepare makes it."""

    _module: Module

    def instantiate(self) -> Instance:
        """Makes an instance."""

        def make(trap: Any) -> Any:
            return lib.wasmrt_instance_pre_instantiate(ffi.cast("wasmrt_instance_pre_t *", self._address), trap)

        return Instance._made(self.store, self._module, make)
