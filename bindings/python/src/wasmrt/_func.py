"""Functions, of guests and of the host."""

from __future__ import annotations

import array
import inspect
import operator
import typing
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Callable, Optional, SupportsIndex, Union, overload

from . import _core
from ._errors import ClosedError, MisuseError, check
from ._externs import KIND_FUNC, Extern, address_of, needs_store, wrap, wrap_extern
from ._native import ffi, lib
from ._store import Store
from ._trap import Trap
from ._types import FuncType, ValType, functype_to_c, valtype

if TYPE_CHECKING:
    from ._instance import Instance

_CODES = {ValType.I32: "i", ValType.I64: "q", ValType.F32: "f", ValType.F64: "d"}
_FORMATS = {ValType.I32: "iIlL", ValType.I64: "qQlL", ValType.F32: "f", ValType.F64: "d"}
_SIZES = {ValType.I32: 4, ValType.I64: 8, ValType.F32: 4, ValType.F64: 8}


class Caller:
    """What a host function knows of its caller. A parameter with this annotation, the first one, gets it.

    It is valid until the host function returns.
    """

    def __init__(self, store: Store, address: int) -> None:
        self._store = store
        self._caller: Any = ffi.cast("wasmrt_caller_t *", address)

    def _end(self) -> None:
        self._caller = None

    def _valid(self) -> Any:
        if self._caller is None:
            raise ClosedError("a Caller is valid only until its host function returns")
        return self._caller

    @property
    def store(self) -> Store:
        """The store."""
        return self._store

    @property
    def instance(self) -> Instance | None:
        """The instance that calls; None if the host does, or the backend does not know."""
        from ._instance import Instance

        found = self._store._do(lambda: lib.wasm_instance_copy(lib.wasmrt_caller_instance(self._valid())))
        return Instance._wrap(self._store, found) if found else None

    def get(self, name: str) -> Extern | None:
        """An export of the calling instance; None if there is none of that name."""
        encoded = name.encode()

        def find() -> Any:
            return lib.wasmrt_instance_export(lib.wasmrt_caller_instance(self._valid()), encoded, len(encoded))

        export = self._store._do(find)
        return wrap_extern(self._store, export) if export else None

    def __getitem__(self, name: str) -> Extern:
        """An export of the calling instance."""
        found = self.get(name)
        if found is None:
            raise KeyError(name)
        return found


def _kind_of(annotation: object) -> ValType:
    if annotation is int:
        return ValType.I32
    if annotation is float:
        return ValType.F64
    if annotation is Any or annotation is object:
        return ValType.EXTERNREF
    if annotation is Func or annotation == Optional[Func]:
        return ValType.FUNCREF
    for given in getattr(annotation, "__metadata__", ()):
        if isinstance(given, (ValType, str)):
            return valtype(given)
    if isinstance(annotation, (ValType, str)):
        return valtype(annotation)
    raise TypeError(f"no type of WebAssembly belongs to the annotation {annotation!r}; i32, i64, f32, f64, externref do")


def _annotations(function: Callable[..., Any]) -> dict[str, Any]:
    target = function if inspect.isroutine(function) or isinstance(function, type) else getattr(function, "__call__")
    try:
        return typing.get_type_hints(target, include_extras=True)
    except Exception:
        return dict(getattr(target, "__annotations__", {}))


def _wants_caller(function: Callable[..., Any]) -> bool:
    """Whether the first parameter is for the caller."""
    annotations = _annotations(function)
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return False
    return bool(names) and annotations.get(names[0]) in (Caller, "Caller")


def signature(function: Callable[..., Any]) -> FuncType:
    """The type of a host function, from its annotations: int is i32, float is f64, Any is externref."""
    annotations = _annotations(function)
    names = list(inspect.signature(function).parameters)
    if _wants_caller(function):
        names = names[1:]
    missing = [name for name in [*names, "return"] if name not in annotations]
    if missing:
        raise TypeError(f"the type of the host function is not known: annotate {', '.join(missing)}, or give a FuncType")
    params = [_kind_of(annotations[name]) for name in names]
    answer = annotations["return"]
    if answer is None or answer is type(None):
        return FuncType(params)
    if typing.get_origin(answer) is tuple:
        return FuncType(params, [_kind_of(item) for item in typing.get_args(answer) if item != ()])
    return FuncType(params, [_kind_of(answer)])


class Func(_core.Function):
    """A function, of a guest or of the host. It is called like one of Python.

    An int becomes an i32 or i64, and may be that of the number without its sign; a float becomes an f32 or f64. A function
    without results returns None, one with several a tuple.
    """

    @overload
    def __init__(
        self, store: Store, function: Callable[..., Any], type: FuncType | None = None, *, caller: bool | None = None
    ) -> None: ...
    @overload
    def __init__(
        self, store: Store, function: FuncType, type: Callable[..., Any], *, caller: bool | None = None
    ) -> None: ...
    def __init__(self, store: Store, function: Any, type: Any = None, *, caller: bool | None = None) -> None:
        """Makes a host function of a callable. Without a type, it is that of its annotations. `caller` says whether the
        first argument is a Caller; by default that is what the annotation says."""
        if isinstance(function, FuncType):
            function, type = type, function
        if not callable(function):
            raise TypeError(f"a callable is needed, not {function!r}")
        given = signature(function) if type is None else type
        if not isinstance(given, FuncType):
            raise TypeError(f"a FuncType is needed, not {given!r}")
        with_caller = _wants_caller(function) if caller is None else caller
        made = functype_to_c(given)
        address = _core.host_new(needs_store(store), address_of(made), function, with_caller)
        self._attach(store, KIND_FUNC, address)

    @property
    def type(self) -> FuncType:
        """The type."""
        params, results = self._kinds
        return FuncType(map(ValType, params), map(ValType, results))

    def call_batch(self, *columns: Any, out: Sequence[Any] | None = None, rows: SupportsIndex | None = None) -> tuple[Any, ...]:
        """Calls the function for each row of columns: a buffer of numbers for each parameter, such as an array.array or a
        numpy array. Returns a column for each result: those of `out`, which are written to, or new ones of array.array.

        `rows` is needed if there are no parameters. If a row traps, the exception is raised, and a Trap has rows_done.
        """
        kind = self.type
        if len(columns) != len(kind.params):
            raise TypeError(f"{len(kind.params)} columns are needed, and {len(columns)} given")
        views = [_column(column, want, False) for column, want in zip(columns, kind.params)]
        if rows is None:
            if not views:
                raise TypeError("the function has no parameters, so the number of rows has to be given")
            rows = len(views[0])
        rows = operator.index(rows)
        if rows < 0:
            raise MisuseError(f"the number of rows has to be 0 or more, not {rows}")
        if any(len(view) != rows for view in views):
            raise MisuseError("the columns have to be of the same length")
        if out is None:
            out = [array.array(_code(want), bytes(rows * _SIZES[want])) for want in kind.results]
        if len(out) != len(kind.results):
            raise TypeError(f"{len(kind.results)} columns of results are needed, and {len(out)} given")
        outs = [_column(column, want, True) for column, want in zip(out, kind.results)]
        if any(len(view) < rows for view in outs):
            raise MisuseError(f"a column of results has less than {rows} rows")
        self._batch(rows, views, outs)
        return tuple(out)

    def _batch(self, rows: int, views: list[memoryview], outs: list[memoryview]) -> None:
        kept: list[Any] = []
        try:
            kept.extend(ffi.from_buffer(view) for view in views)
            kept.extend(ffi.from_buffer(view, require_writable=True) for view in outs)
            self._batch_of(rows, kept, views, outs)
        finally:
            # Not left to the garbage collector, which clears a view before what has a buffer of it.
            for item in kept:
                ffi.release(item)

    def _batch_of(self, rows: int, kept: list[Any], views: list[memoryview], outs: list[memoryview]) -> None:
        _check_overlap([(address_of(ffi.cast("char *", item)), len(item)) for item in kept], len(views), views + outs)
        kinds = b"".join(self._kinds)
        table = ffi.new("wasmrt_column_t[]", len(kept) + 1)
        for column, item, kind in zip(table, kept, kinds):
            column.kind, column.size, column.data = kind, rows, ffi.cast("void *", item)
        done = ffi.new("size_t *")
        args = (table, len(views), table + len(views), len(outs), done)

        def call(trap: Any) -> Any:
            return lib.wasmrt_func_call_batch(ffi.cast("wasm_func_t *", self._address), rows, *args, trap)

        try:
            check(self.store._run(call))
        except Trap as error:
            error.rows_done = done[0]
            raise


def _code(kind: ValType) -> str:
    if kind not in _CODES:
        raise TypeError(f"there are no columns of {kind}")
    return _CODES[kind]


def _column(given: Any, kind: ValType, written: bool) -> memoryview:
    _code(kind)
    view = memoryview(given)
    format_ = view.format.lstrip("@=<") if view.format else "B"
    if view.ndim != 1 or not view.c_contiguous or view.itemsize != _SIZES[kind] or format_ not in _FORMATS[kind]:
        raise TypeError(f"a column of {kind} is a contiguous buffer of such numbers, not of {view.format!r}")
    if written and view.readonly:
        raise TypeError("a column of results has to be writable")
    return view


def _check_overlap(places: list[tuple[int, int]], args: int, views: list[memoryview]) -> None:
    for position in range(args, len(places)):
        start, size = places[position]
        for other in range(position):
            begin, length = places[other]
            same = other < args and begin == start and views[other].itemsize == views[position].itemsize
            if not same and begin < start + size and start < begin + length:
                raise MisuseError("a column of results overlaps another column")


AnyFunc = Union[Func, Callable[..., Any]]


def func_for(store: Store, item: object, type: FuncType | None = None) -> object:
    """The item, or a host function if it is a callable of Python's."""
    if isinstance(item, _core.Handle) or not callable(item):
        return item
    return Func(store, item, type)


def wrap_func(store: Store, pointer: Any) -> Func:
    """A function for an owned one of the library."""
    return wrap(Func, store, KIND_FUNC, pointer)
