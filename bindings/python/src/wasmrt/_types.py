"""Types: of values, functions, globals, tables, memories, tags, imports and exports."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated, Any, Optional, Union

from ._errors import MisuseError, fail
from ._native import ffi, lib

UNLIMITED = 2**64 - 1


class ValType(enum.IntEnum):
    """The type of a value. Wherever one is taken, its name is taken as well: "i32" for ValType.I32."""

    I32 = 0
    I64 = 1
    F32 = 2
    F64 = 3
    V128 = 4
    EXTERNREF = 128
    FUNCREF = 129
    ANYREF = 130
    EXNREF = 131

    def __str__(self) -> str:
        return self.name.lower()


AnyValType = Union[ValType, str]

# For annotations of host functions: `def f(x: i32) -> f64`. To type checkers they are int, float and so on.
i32 = Annotated[int, ValType.I32]
i64 = Annotated[int, ValType.I64]
f32 = Annotated[float, ValType.F32]
f64 = Annotated[float, ValType.F64]
externref = Annotated[Any, ValType.EXTERNREF]
funcref = Annotated[Optional[Any], ValType.FUNCREF]


def valtype(given: AnyValType) -> ValType:
    """A type of values from itself or its name."""
    if isinstance(given, ValType):
        return given
    if isinstance(given, str) and given.upper() in ValType.__members__:
        return ValType[given.upper()]
    raise TypeError(f'a type of values is needed, such as "i32" or ValType.I32, not {given!r}')


def valtypes(given: AnyValType | Iterable[AnyValType]) -> tuple[ValType, ...]:
    """Types of values from themselves or their names."""
    if isinstance(given, (str, ValType)):
        raise TypeError(f"a sequence of types is needed, not {given!r}; write [{given!r}]")
    return tuple(valtype(item) for item in given)


@dataclass(frozen=True)
class FuncType:
    """The type of a function."""

    params: tuple[ValType, ...]
    results: tuple[ValType, ...]

    def __init__(self, params: Iterable[AnyValType] = (), results: Iterable[AnyValType] = ()) -> None:
        object.__setattr__(self, "params", valtypes(params))
        object.__setattr__(self, "results", valtypes(results))

    def __str__(self) -> str:
        return f"({', '.join(map(str, self.params))}) -> ({', '.join(map(str, self.results))})"


@dataclass(frozen=True)
class GlobalType:
    """The type of a global."""

    content: ValType
    mutable: bool = False

    def __init__(self, content: AnyValType, mutable: bool = False) -> None:
        object.__setattr__(self, "content", valtype(content))
        object.__setattr__(self, "mutable", bool(mutable))


@dataclass(frozen=True)
class TableType:
    """The type of a table: of its elements, and how many there are at least and at most. None is no maximum."""

    element: ValType
    minimum: int
    maximum: int | None = None
    is_64: bool = False

    def __init__(self, element: AnyValType, minimum: int, maximum: int | None = None, is_64: bool = False) -> None:
        object.__setattr__(self, "element", valtype(element))
        object.__setattr__(self, "minimum", minimum)
        object.__setattr__(self, "maximum", maximum)
        object.__setattr__(self, "is_64", is_64)


@dataclass(frozen=True)
class MemoryType:
    """The type of a memory: its pages, at least and at most. None is no maximum."""

    minimum: int
    maximum: int | None = None
    is_64: bool = False
    shared: bool = False
    page_size: int = 65536


@dataclass(frozen=True)
class TagType:
    """The type of a tag: of the values of its exceptions."""

    params: tuple[ValType, ...]

    def __init__(self, params: Iterable[AnyValType] = ()) -> None:
        object.__setattr__(self, "params", valtypes(params))


ExternType = Union[FuncType, GlobalType, TableType, MemoryType, TagType]


@dataclass(frozen=True)
class ImportType:
    """An import of a module."""

    module: str
    name: str
    type: ExternType = field(compare=True)


@dataclass(frozen=True)
class ExportType:
    """An export of a module."""

    name: str
    type: ExternType


def name_of(vector: Any) -> str:
    """A name of the library, borrowed. Names of modules are UTF-8."""
    return bytes(ffi.buffer(vector.data, vector.size)).decode("utf-8", "replace") if vector.size else ""


def _own(pointer: Any, delete: Any) -> Any:
    return ffi.gc(pointer, delete) if pointer else fail()


def _count(number: int | None, what: str) -> int:
    if number is None:
        return UNLIMITED
    if not isinstance(number, int):
        raise TypeError(f"the {what} has to be an int, not {number!r}")
    if not 0 <= number < UNLIMITED:
        raise MisuseError(f"the {what} is out of range: {number}")
    return number


def _vector(kinds: tuple[ValType, ...]) -> Any:
    vector = ffi.new("wasm_valtype_vec_t *")
    lib.wasm_valtype_vec_new_uninitialized(vector, len(kinds))
    for position, kind in enumerate(kinds):
        vector.data[position] = lib.wasm_valtype_new(kind)
    return vector


def functype_to_c(given: FuncType) -> Any:
    """A function type of the library, own."""
    return _own(lib.wasm_functype_new(_vector(given.params), _vector(given.results)), lib.wasm_functype_delete)


def globaltype_to_c(given: GlobalType) -> Any:
    """A global type of the library, own."""
    mutability = lib.WASM_VAR if given.mutable else lib.WASM_CONST
    return _own(lib.wasm_globaltype_new(lib.wasm_valtype_new(given.content), mutability), lib.wasm_globaltype_delete)


def tabletype_to_c(given: TableType) -> Any:
    """A table type of the library, own."""
    minimum, maximum = _count(given.minimum, "minimum"), _count(given.maximum, "maximum")
    element = lib.wasm_valtype_new(given.element)
    return _own(lib.wasmrt_tabletype_new(element, minimum, maximum, given.is_64), lib.wasm_tabletype_delete)


def memorytype_to_c(given: MemoryType) -> Any:
    """A memory type of the library, own."""
    minimum, maximum = _count(given.minimum, "minimum"), _count(given.maximum, "maximum")
    page_size = _count(given.page_size, "page size")
    made = lib.wasmrt_memorytype_new(minimum, maximum, given.is_64, given.shared, page_size)
    return _own(made, lib.wasm_memorytype_delete)


def tagtype_to_c(given: TagType) -> Any:
    """A tag type of the library, own."""
    return _own(lib.wasm_tagtype_new(functype_to_c_unowned(given)), lib.wasm_tagtype_delete)


def functype_to_c_unowned(given: TagType) -> Any:
    """The function type of a tag, for the library to take."""
    return lib.wasm_functype_new(_vector(given.params), _vector(())) or fail()


def _kinds(vector: Any) -> list[ValType]:
    return [ValType(lib.wasm_valtype_kind(vector.data[i])) for i in range(vector.size)]


def _maximum(number: int) -> int | None:
    return None if number == UNLIMITED else number


def functype_from_c(given: Any) -> FuncType:
    """A function type, from a borrowed one of the library."""
    return FuncType(_kinds(lib.wasm_functype_params(given)), _kinds(lib.wasm_functype_results(given)))


def globaltype_from_c(given: Any) -> GlobalType:
    """A global type, from a borrowed one of the library."""
    content = ValType(lib.wasm_valtype_kind(lib.wasm_globaltype_content(given)))
    return GlobalType(content, lib.wasm_globaltype_mutability(given) == lib.WASM_VAR)


def tabletype_from_c(given: Any) -> TableType:
    """A table type, from a borrowed one of the library."""
    element = ValType(lib.wasm_valtype_kind(lib.wasm_tabletype_element(given)))
    maximum = _maximum(lib.wasmrt_tabletype_maximum(given))
    return TableType(element, lib.wasmrt_tabletype_minimum(given), maximum, lib.wasmrt_tabletype_is_64(given))


def memorytype_from_c(given: Any) -> MemoryType:
    """A memory type, from a borrowed one of the library."""
    return MemoryType(
        lib.wasmrt_memorytype_minimum(given),
        _maximum(lib.wasmrt_memorytype_maximum(given)),
        lib.wasmrt_memorytype_is_64(given),
        lib.wasmrt_memorytype_is_shared(given),
        lib.wasmrt_memorytype_page_size(given),
    )


def tagtype_from_c(given: Any) -> TagType:
    """A tag type, from a borrowed one of the library."""
    return TagType(_kinds(lib.wasm_functype_params(lib.wasm_tagtype_functype(given))))


def externtype_from_c(given: Any) -> ExternType:
    """The type of an extern, from a borrowed one of the library."""
    kind = lib.wasm_externtype_kind(given)
    if kind == lib.WASM_EXTERN_FUNC:
        return functype_from_c(lib.wasm_externtype_as_functype_const(given))
    if kind == lib.WASM_EXTERN_GLOBAL:
        return globaltype_from_c(lib.wasm_externtype_as_globaltype_const(given))
    if kind == lib.WASM_EXTERN_TABLE:
        return tabletype_from_c(lib.wasm_externtype_as_tabletype_const(given))
    if kind == lib.WASM_EXTERN_MEMORY:
        return memorytype_from_c(lib.wasm_externtype_as_memorytype_const(given))
    return tagtype_from_c(lib.wasm_externtype_as_tagtype_const(given))
