"""What goes wrong."""

from __future__ import annotations

from typing import NoReturn

from ._native import ffi, lib


class Error(Exception):
    """The base of what this package raises, apart from TypeError and what other code raises."""


class MisuseError(Error, ValueError):
    """Something was used in a way that its documentation does not allow."""


class ClosedError(MisuseError):
    """Something was used that is closed, or whose store is."""


class ThreadError(MisuseError, RuntimeError):
    """A store was used by two threads at once."""


class CompileError(Error):
    """A module is malformed or invalid, or uses a proposal that is off."""

    offset: int | None = None
    """Where it is, in bytes from the start of the binary, if that is known."""


class LinkError(Error):
    """Imports are missing, or do not fit the module."""


class LimitError(Error):
    """A limit was reached, or memory ran out."""


class UnsupportedError(Error):
    """The backend does not support what was asked for."""


class ArtifactError(Error):
    """The bytes are not a serialized module of this library, backend and configuration."""


class FileError(Error, OSError):
    """A file or a directory could not be read or written."""


class InternalError(Error):
    """A defect in the library."""


_KINDS: dict[int, type[Error]] = {
    lib.WASMRT_ERROR_MISUSE: MisuseError,
    lib.WASMRT_ERROR_COMPILE: CompileError,
    lib.WASMRT_ERROR_LINK: LinkError,
    lib.WASMRT_ERROR_LIMIT: LimitError,
    lib.WASMRT_ERROR_UNSUPPORTED: UnsupportedError,
    lib.WASMRT_ERROR_ARTIFACT: ArtifactError,
    lib.WASMRT_ERROR_FILE: FileError,
    lib.WASMRT_ERROR_INTERNAL: InternalError,
}


def text(pointer: object) -> str:
    """A string of the library."""
    return str(ffi.string(pointer).decode("utf-8", "replace"))


def error_of(kind: int, message: str) -> Error:
    """The exception for a kind of the library's errors."""
    return _KINDS.get(kind, Error)(message)


def last_error() -> Error:
    """The exception for the thread's last error."""
    message = lib.wasmrt_last_error_message()
    error = error_of(lib.wasmrt_last_error_kind(), text(message) if message else "the library gave no reason")
    offset = ffi.new("uint64_t *")
    if isinstance(error, CompileError) and lib.wasmrt_last_error_offset(offset):
        error.offset = int(offset[0])
    return error


def fail() -> NoReturn:
    """Raises the thread's last error."""
    raise last_error()


def check(done: bool) -> None:
    """Raises the thread's last error if the library could not do something."""
    if not done:
        fail()
