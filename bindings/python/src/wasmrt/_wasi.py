"""WASI: arguments, environment, streams and directories of guests."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Callable, Union

from . import _core
from ._errors import MisuseError, check
from ._externs import KIND_WASI, address_or_fail, needs_store
from ._instance import Instance
from ._native import ffi, lib
from ._store import Store

_CALLBACKS = _core.callbacks()
_STREAMS = ("stdin", "stdout", "stderr")
_LIMITS = {"descriptors": 0, "file_bytes": 1}


class Inherit:
    """The type of INHERIT."""

    def __repr__(self) -> str:
        return "wasmrt.INHERIT"


INHERIT = Inherit()
"""For a stream: that of this process."""


class Capture:
    """For standard output or standard error: what the guest writes is kept for Wasi.read, at most `size` bytes at a time."""

    def __init__(self, size: int = 1 << 20) -> None:
        self.size = size


Stream = Union[None, Inherit, Capture, bytes, str, "os.PathLike[str]", int, Callable[..., Any], Any]


class WasiConfig:
    """What a guest is given: nothing, at first.

    A stream is None (at its end, or discarded), INHERIT, a path, the number of a descriptor, a file of Python, text or
    binary, or a callable. Standard input may also be bytes; its callable gets the most bytes that it may return, and returns
    bytes, none at the end. The other streams may also be Capture(); their callable gets bytes. If a file or callable raises
    OSError, the guest gets its errno; another exception ends the call.
    """

    def __init__(
        self,
        argv: Iterable[str] = (),
        env: Mapping[str, str] | Iterable[tuple[str, str]] | Inherit = (),
        *,
        stdin: Stream = None,
        stdout: Stream = None,
        stderr: Stream = None,
        preopens: Mapping[str, str | os.PathLike[str]] | None = None,
    ) -> None:
        """`preopens` are directories that the guest may read and write: {"/data": path}."""
        self.argv = list(argv)
        """The arguments, the first of which is the program's name."""
        self.env: Mapping[str, str] | Iterable[tuple[str, str]] | Inherit = env
        """The environment: a dict, pairs, or INHERIT."""
        self.stdin = stdin
        """Standard input."""
        self.stdout = stdout
        """Standard output."""
        self.stderr = stderr
        """Standard error."""
        self.virtual_root = False
        """Whether the guest also gets a directory "/" that lists the directories."""
        self.random_seed: int | None = None
        """From which random bytes are computed; None for those of the system."""
        self.limits: dict[str, int] = {}
        """Limits: "descriptors" and "file_bytes"."""
        self._preopens: list[tuple[bytes, bytes, int]] = []
        for guest, host in (preopens or {}).items():
            self.preopen_dir(host, guest)

    def preopen_dir(self, host: str | os.PathLike[str], guest: str, *, read_only: bool = False) -> None:
        """Gives the guest a directory, which it calls `guest`, and everything beneath it."""
        access = lib.WASMRT_WASI_READ_ONLY if read_only else lib.WASMRT_WASI_READ_WRITE
        self._preopens.append((os.fsencode(host), guest.encode(), access))

    def inherit_argv(self) -> None:
        """Gives the guest the arguments of this process."""
        self.argv = list(sys.argv)

    def inherit_env(self) -> None:
        """Gives the guest the environment of this process."""
        self.env = INHERIT

    def inherit_stdin(self) -> None:
        """Gives the guest the standard input of this process."""
        self.stdin = INHERIT

    def inherit_stdout(self) -> None:
        """Gives the guest the standard output of this process."""
        self.stdout = INHERIT

    def inherit_stderr(self) -> None:
        """Gives the guest the standard error of this process."""
        self.stderr = INHERIT

    def _to_c(self, store: Store) -> Any:
        config = ffi.gc(lib.wasmrt_wasi_config_new(), lib.wasmrt_wasi_config_delete)
        for arg in self.argv:
            check(lib.wasmrt_wasi_config_arg(config, _text(arg)))
        if isinstance(self.env, Inherit):
            check(lib.wasmrt_wasi_config_inherit_env(config))
        else:
            for name, value in self.env.items() if isinstance(self.env, Mapping) else self.env:
                check(lib.wasmrt_wasi_config_env(config, _text(name), _text(value)))
        for number, name in enumerate(_STREAMS):
            _connect(config, store, number, getattr(self, name))
        for host, guest, access in self._preopens:
            check(lib.wasmrt_wasi_config_preopen(config, host, guest, access))
        if self.virtual_root:
            check(lib.wasmrt_wasi_config_virtual_root(config, True))
        if self.random_seed is not None:
            check(lib.wasmrt_wasi_config_random_seed(config, self.random_seed))
        for name, amount in self.limits.items():
            if name not in _LIMITS:
                raise ValueError(f"there is no limit {name!r}; there are {', '.join(_LIMITS)}")
            check(lib.wasmrt_wasi_config_limit(config, _LIMITS[name], amount))
        return config


def _text(given: str) -> bytes:
    encoded = os.fsencode(given)
    if b"\0" in encoded:
        raise MisuseError(f"arguments and environment variables cannot contain a zero: {given!r}")
    return encoded


def _connect(config: Any, store: Store, number: int, stream: Stream) -> None:
    if stream is None:
        return
    if isinstance(stream, Inherit):
        check(lib.wasmrt_wasi_config_inherit(config, number))
    elif isinstance(stream, int):
        check(lib.wasmrt_wasi_config_fd(config, number, stream))
    elif isinstance(stream, (str, os.PathLike)):
        check(lib.wasmrt_wasi_config_file(config, number, os.fsencode(stream), False))
    elif isinstance(stream, (bytes, bytearray, memoryview)) and number == 0:
        data = bytes(stream)
        check(lib.wasmrt_wasi_config_stdin_bytes(config, data, len(data)))
    elif isinstance(stream, Capture) and number != 0:
        check(lib.wasmrt_wasi_config_capture(config, number, stream.size))
    elif number == 0:
        cell = _core.cell(store, _reader(stream))
        reader = ffi.cast("wasmrt_wasi_reader_t", _CALLBACKS["read"])
        check(lib.wasmrt_wasi_config_reader(config, reader, ffi.cast("void *", cell), _finalizer()))
    else:
        cell = _core.cell(store, _writer(stream))
        writer = ffi.cast("wasmrt_wasi_writer_t", _CALLBACKS["write"])
        check(lib.wasmrt_wasi_config_writer(config, number, writer, ffi.cast("void *", cell), _finalizer()))


def _finalizer() -> Any:
    return ffi.cast("void (*)(void *)", _CALLBACKS["finalize"])


def _reader(stream: Any) -> Callable[[int], bytes]:
    # What has arrived is enough. Of text, read waits for as many characters as it is asked for.
    is_text = isinstance(stream, io.TextIOBase) or hasattr(stream, "encoding")
    names = ("readline", "read") if is_text else ("read1", "read")
    read = getattr(stream, names[0], None) or getattr(stream, names[1], None)
    if read is None:
        if not callable(stream):
            raise TypeError(f"standard input cannot be {stream!r}")
        function: Callable[[int], bytes] = stream
        return function
    rest = b""

    def from_file(size: int) -> bytes:
        nonlocal rest
        if not rest:
            # One character takes up to four bytes.
            found = read(size)
            rest = found.encode() if isinstance(found, str) else bytes(found or b"")
        answer, rest = rest[:size], rest[size:]
        return answer

    return from_file


def _writer(stream: Any) -> Callable[[bytes], object]:
    write = getattr(stream, "write", None)
    if write is None:
        if not callable(stream):
            raise TypeError(f"standard output cannot be {stream!r}")
        function: Callable[[bytes], object] = stream
        return function
    if not isinstance(stream, io.TextIOBase) and not hasattr(stream, "encoding"):
        return _all_to(write)
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def to_text(data: bytes) -> None:
        write(decode(data))

    return to_text


def _all_to(write: Callable[[bytes], Any]) -> Callable[[bytes], None]:
    def to_file(data: bytes) -> None:
        # A file without a buffer may write less.
        while data:
            done = write(data)
            data = data[done:] if isinstance(done, int) and not isinstance(done, bool) else b""

    return to_file


class Wasi(_core.Handle):
    """A WASI context of a store: what its guests have open. Linker.define_wasi makes one, too."""

    def __init__(self, store: Store, config: WasiConfig | None = None) -> None:
        made = needs_store(store)._call(lib.wasmrt_wasi_new, (config or WasiConfig())._to_c(store))
        self._attach(store, KIND_WASI, address_or_fail(made))

    @property
    def _pointer(self) -> Any:
        return ffi.cast("wasmrt_wasi_t *", self._address)

    def start(self, instance: Instance) -> int:
        """Runs a program: calls its `_start`, or else its `_initialize`. Returns the exit status."""
        if not isinstance(instance, Instance):
            raise TypeError(f"an Instance is needed, not {type(instance).__name__}")
        status = ffi.new("int32_t *")

        def run(trap: Any) -> None:
            trap[0] = lib.wasmrt_wasi_start(self._pointer, instance._pointer, status)

        self.store._run(run)
        return int(status[0])

    @property
    def exit_status(self) -> int | None:
        """The status with which a guest exited last; None if none has."""
        status = ffi.new("int32_t *")
        found = self.store._do(lambda: lib.wasmrt_wasi_exit_status(self._pointer, status))
        return int(status[0]) if found else None

    def read(self, stream: str = "stdout", size: int = -1) -> bytes:
        """Takes what was captured of "stdout" or "stderr": at most `size` bytes, or all."""
        if stream not in _STREAMS:
            raise ValueError(f"there is no stream {stream!r}")
        found, count = bytearray(), ffi.new("size_t *")
        while size < 0 or len(found) < size:
            room = ffi.new("char[]", 65536 if size < 0 else min(65536, size - len(found)))
            args = (_STREAMS.index(stream), room, len(room), count)
            check(self.store._do(lambda: lib.wasmrt_wasi_read(self._pointer, *args)))
            if count[0] == 0:
                break
            found += ffi.buffer(room, count[0])
        return bytes(found)
