"""Describes the library to cffi: the types of its headers, and those functions that the package uses.

The headers and the library are those of an installation: the prefix WASMRT_PREFIX, or what pkg-config knows as wasmrt.
"""

from __future__ import annotations

import os
import pathlib
import re
import subprocess

import cffi

PACKAGE = pathlib.Path(__file__).resolve().parent / "src/wasmrt"
# Of CPython: the oldest version whose stable ABI suffices. The same number is in pyproject.toml and setup.py.
LIMITED_API = "0x03090000"


def _variable(name: str) -> str:
    try:
        command = ["pkg-config", f"--variable={name}", "wasmrt"]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            "libwasmrt is not installed where pkg-config finds it. Set WASMRT_PREFIX to the prefix of an installation, or "
            "PKG_CONFIG_PATH to its lib/pkgconfig."
        ) from error


def prefix() -> pathlib.Path:
    """The prefix of the installation."""
    return pathlib.Path(os.environ.get("WASMRT_PREFIX") or _variable("prefix")).resolve()


def include() -> pathlib.Path:
    """The folder of the headers."""
    return prefix() / "include" if os.environ.get("WASMRT_PREFIX") else pathlib.Path(_variable("includedir"))


def library() -> pathlib.Path:
    """The folder of the library."""
    return prefix() / "lib" if os.environ.get("WASMRT_PREFIX") else pathlib.Path(_variable("libdir"))


def _statements(text: str) -> list[str]:
    """The declarations of a header that are neither comments, directives nor functions with a body."""
    text = re.sub(r"//.*", "", text)
    text = re.sub(r"#ifdef __cplusplus.*?#endif", "", text, flags=re.DOTALL)
    text = re.sub(r"^ *#(?:.*\\\n)*.*", "", text, flags=re.MULTILINE)
    text = re.sub(r"static inline[^;]*?\{.*?(?:^\}|\}$)", "", text, flags=re.MULTILINE | re.DOTALL)
    statements, depth, begin = [], 0, 0
    for position, character in enumerate(text):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if character == ";" and depth == 0:
            statements.append(text[begin : position + 1].strip())
            begin = position + 1
    return statements


def _definitions() -> str:
    """What cffi is told."""
    sources = "".join(path.read_text() for path in sorted(PACKAGE.glob("*.py")))
    used = set(re.findall(r"\blib\.(wasm\w+)", sources))
    kept = []
    for header in ("wasm.h", "wasmrt.h"):
        for statement in _statements((include() / header).read_text()):
            declared = re.fullmatch(r"WASM_API_EXTERN\s+([^(]*?(\w+)\(.*)", statement, re.DOTALL)
            if declared and declared[2] in used:
                kept.append(declared[1])
                used.discard(declared[2])
            elif statement.startswith(("typedef", "struct")):
                kept.append(statement)
    if used:
        raise SystemExit(f"the headers in {include()} do not declare {', '.join(sorted(used))}")
    return "\n".join(kept)


def ffibuilder() -> cffi.FFI:
    """The builder of the module wasmrt._native."""
    ffi = cffi.FFI()
    ffi.cdef(_definitions())
    ffi.set_source(
        "wasmrt._native",
        "#include <wasmrt.h>",
        include_dirs=[str(include())],
        library_dirs=[str(library())],
        libraries=["wasmrt"],
        extra_link_args=["-Wl,-rpath,$ORIGIN/lib"],
        define_macros=[("Py_LIMITED_API", LIMITED_API)],
        py_limited_api=True,
    )
    return ffi
