#!/usr/bin/env python3
"""Checks that the shared library exports exactly the functions that its headers declare.

A missing one breaks programs at link time, and an extra one could clash with another library in the same process. (That
wasm.h declares the standard's functions, no more and no fewer, is what upstream.py checks.) A library made with one
function too few and one too many shows that this check can fail.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

from c_header import Header, compile_c

STANDARD_FUNCTION_COUNT = 293


def exported(library):
    """Names of all defined dynamic symbols, functions and data alike."""
    run = subprocess.run(["nm", "-D", "--defined-only", "--format=posix", str(library)],
                         capture_output=True, text=True, check=True)
    return {line.split()[0] for line in run.stdout.splitlines()}


def compare(library, declared):
    symbols = exported(library)
    return ([f"{name}: declared but not exported" for name in sorted(declared - symbols)]
            + [f"{name}: exported but not declared" for name in sorted(symbols - declared)])


def control(declared):
    """Whether the comparison detects both faults of a library made for that purpose."""
    left_out, *kept = sorted(declared)
    source = "".join(f"void {name}(void) {{}}\n" for name in [*kept, "rust_eh_personality"])
    with tempfile.TemporaryDirectory() as temporary:
        library = pathlib.Path(temporary) / "libfaulty.so"
        succeeded, diagnostics = compile_c(["-shared", "-fPIC", "-o", str(library)], source)
        if not succeeded:
            return [f"negative control: {diagnostics}"]
        found = compare(library, declared)
    expected = [f"{left_out}: declared but not exported", "rust_eh_personality: exported but not declared"]
    return [] if found == expected else [f"negative control: found {found}, expected {expected}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of wasm.h and wasmrt.h")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="libwasmrt.so")
    options = parser.parse_args()

    standard = set(Header(options.include / "wasm.h").functions)
    extension = set(Header(options.include / "wasmrt.h").functions)
    problems = [f"{name}: not named wasmrt_*" for name in sorted(extension) if not name.startswith("wasmrt_")]
    if len(standard) != STANDARD_FUNCTION_COUNT:
        problems.append(f"wasm.h declares {len(standard)} functions, expected {STANDARD_FUNCTION_COUNT}")
    problems += compare(options.library, standard | extension)
    problems += control(standard | extension)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"exactly {len(standard)} functions of wasm.h and {len(extension)} of wasmrt.h are exported")
    return 0


if __name__ == "__main__":
    sys.exit(main())
