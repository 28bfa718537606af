"""Instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Callable, Union

from . import _core
from ._errors import LinkError, MisuseError, last_error
from ._externs import KIND_INSTANCE, Extern, address_of, extern_of, needs_store, wrap, wrap_extern
from ._func import func_for
from ._module import Module
from ._native import ffi, lib
from ._store import Store
from ._trap import _PINNED
from ._types import FuncType, ImportType

Imports = Union[Sequence[Any], Mapping[str, Mapping[str, Any]]]


class Exports(Mapping[str, Any]):
    """The exports of an instance: exports.name or exports["name"]. As an attribute, an export has precedence over a method
    such as items, unless its name begins with an underscore."""

    # Of these, exports cannot take the place; what else they are called goes to __dict__.
    __slots__ = ("__dict__", "_found", "_instance")
    _found: dict[str, Any]
    _instance: Instance

    def __init__(self, instance: Instance) -> None:
        # A handle of its own: an instance and its exports that had each other would wait for the garbage collector.
        own = Instance._wrap(instance.store, instance.store._do(lambda: lib.wasm_instance_copy(instance._pointer)))
        own._module = instance._module
        if own._module is not None:
            # The exports may live longer, and the instance has them.
            own.store._instances.discard(instance)
            own.store._instances.add(own)
        object.__setattr__(self, "_instance", own)
        object.__setattr__(self, "_found", {})
        for name in own._module._export_names if own._module else ():
            if hasattr(type(self), name) and not name.startswith("_"):
                self.__dict__[name] = self[name]

    def __getitem__(self, name: str) -> Any:
        if not isinstance(name, str):
            raise KeyError(name)
        if name in self._found:
            return self._found[name]
        store, encoded = self._instance.store, name.encode("utf-8", "surrogatepass")
        pointer = store._do(lambda: lib.wasmrt_instance_export(self._instance._pointer, encoded, len(encoded)))
        if not pointer:
            raise KeyError(name)
        item = self._found[name] = wrap_extern(store, pointer)
        return item

    def __getattr__(self, name: str) -> Any:
        try:
            item = self[name]
        except KeyError:
            raise AttributeError(f"the instance has no export {name!r}") from None
        self.__dict__[name] = item
        return item

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("exports cannot be set")

    def __iter__(self) -> Iterator[str]:
        return iter(self._instance._find_module()._export_names)

    def __len__(self) -> int:
        return int(self._instance.store._do(lambda: lib.wasmrt_instance_export_count(self._instance._pointer)))

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self[name] is not None
        except KeyError:
            return False

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self]

    def __repr__(self) -> str:
        return f"<Exports: {', '.join(self)}>"


class Instance(_core.Handle):
    """An instance of a module.

    Imports are a sequence, in the order of Module.imports, or a dict of dicts: {"module": {"name": item}}. An item is a Func,
    Global, Table, Memory or Tag, or any callable, which becomes a host function of the type that the module wants.
    """

    def __init__(self, store: Store, module: Module, imports: Imports = ()) -> None:
        needs_store(store)
        if not isinstance(module, Module):
            raise TypeError(f"a Module is needed, not {type(module).__name__}")
        wanted = module.imports
        given = imports if isinstance(imports, Sequence) else _found(wanted, imports)
        items = [
            func_for(store, item, want.type if want and isinstance(want.type, FuncType) else None)
            for want, item in zip([*wanted, *[None] * (len(given) - len(wanted))], given)
        ]
        self._module = module
        obtained = module._obtain(store)

        def make(trap: Any) -> Any:
            data = ffi.new("wasm_extern_t *[]", [extern_of(item) for item in items] or 1)
            vector = ffi.new("wasm_extern_vec_t *", {"size": len(items), "data": data})
            return lib.wasm_instance_new(ffi.cast("wasm_store_t *", store._address), obtained, vector, trap)

        self._make(store, make)

    def _make(self, store: Store, make: Callable[[Any], Any]) -> None:
        made = store._run(make, lib.wasm_instance_delete)
        if not made:
            raise BufferError(f"{last_error()}; {_PINNED}") if store._pins else last_error()
        self._attach(store, KIND_INSTANCE, address_of(made))
        store._instances.add(self)

    @classmethod
    def _made(cls, store: Store, module: Module, make: Callable[[Any], Any]) -> Instance:
        instance = cls.__new__(cls)
        instance._module = module
        instance._make(store, make)
        return instance

    @classmethod
    def _wrap(cls, store: Store, pointer: Any) -> Instance:
        return wrap(cls, store, KIND_INSTANCE, pointer)

    _module: Module | None = None
    _exports: Exports | None = None

    @property
    def _pointer(self) -> Any:
        return ffi.cast("wasm_instance_t *", self._address)

    @property
    def module(self) -> Module | None:
        """The module; None for an instance that came from a Caller."""
        return self._module

    @property
    def exports(self) -> Exports:
        """The exports."""
        if self._exports is None:
            self._exports = Exports(self)
        return self._exports

    def _find_module(self) -> Module:
        if self._module is None:
            self._module = next((other._module for other in self.store._instances if other == self), None)
        if self._module is None:
            raise MisuseError("the names of the exports are not known: the program has forgotten the instance")
        return self._module


def _found(wanted: list[ImportType], given: Mapping[str, Mapping[str, Any]]) -> list[Any]:
    if not isinstance(given, Mapping):
        raise TypeError(f"imports are a sequence or a dict of dicts, not {type(given).__name__}")
    items, missing = [], []
    for want in wanted:
        try:
            items.append(given[want.module][want.name])
        except KeyError:
            missing.append(f'"{want.module}" "{want.name}"')
    if missing:
        raise LinkError(f"missing imports: {', '.join(missing)}")
    return items
