#!/usr/bin/env python3
"""Checks that the shared library exports exactly the functions that its headers declare, with the right versions.

A missing one breaks programs at link time, and an extra one could clash with another library in the same process. (That
wasm.h declares the standard's functions, no more and no fewer, is what upstream.py checks.) Libraries made with one
function too few and one too many, and without versions, show that this check can fail.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

from c_header import Header, compile_c

STANDARD_FUNCTION_COUNT = 293


def exported(library):
    """The version of each defined dynamic symbol, function or data, None if it has none."""
    run = subprocess.run(["nm", "-D", "--defined-only", "--with-symbol-versions", "--format=posix", str(library)],
                         capture_output=True, text=True, check=True)
    symbols = {}
    for line in run.stdout.splitlines():
        name, kind = line.split()[:2]
        name, _, version = name.partition("@@")
        if kind != "A" or version:  # an absolute symbol without a version is the name of a version
            symbols[name] = version or None
    return symbols


def compare(library, declared, nodes):
    symbols = exported(library)
    return ([f"{name}: declared but not exported" for name in sorted(declared - symbols.keys())]
            + [f"{name}: exported but not declared" for name in sorted(symbols.keys() - declared)]
            + [f"{name}: has the version {version}, expected one of {', '.join(nodes)}"
               for name, version in sorted(symbols.items()) if version not in nodes])


def compare_nodes(library, nodes):
    """Whether the library defines the versions of its script, the first of them named after its SONAME."""
    def read(option, pattern):
        run = subprocess.run(["readelf", "--wide", option, str(library)], capture_output=True, text=True, check=True)
        return re.findall(pattern, run.stdout)

    soname, *defined = read("--version-info", r"Flags: \S+ +Index: \d+ +Cnt: \d+ +Name: (\S+)") or [None]
    problems = [] if defined == nodes else [f"the library defines the versions {defined}, its script has {nodes}"]
    if [soname] != read("--dynamic", r"\(SONAME\).*\[(.*)\]"):
        problems.append(f"the versions are those of {soname}")
    expected = f"WASMRT_{(soname or '').removeprefix('libwasmrt.so.')}"
    if nodes[:1] != [expected]:
        problems.append(f"the first version is {nodes[:1]}, expected {expected}: "
                        "a new SONAME begins anew, with all functions in the one node that is named after it")
    return problems


def control(declared, nodes):
    """Whether the comparison detects the faults of libraries made for that purpose."""
    left_out, *kept = sorted(declared)
    source = "".join(f"void {name}(void) {{}}\n" for name in [*kept, "rust_eh_personality"])
    faults = [f"{left_out}: declared but not exported", "rust_eh_personality: exported but not declared"]
    problems = []
    with tempfile.TemporaryDirectory() as temporary:
        script, library = pathlib.Path(temporary) / "map", pathlib.Path(temporary) / "libfaulty.so"
        script.write_text(f"{nodes[0]} {{ *; }};\n")
        for versions, options in [(nodes[0], [f"-Wl,--version-script={script}"]), (None, [])]:
            succeeded, diagnostics = compile_c(["-shared", "-fPIC", "-o", str(library), *options], source)
            if not succeeded:
                return [f"negative control: {diagnostics}"]
            expected = [*faults]
            if versions is None:
                expected += [f"{name}: has the version None, expected one of {', '.join(nodes)}"
                             for name in sorted([*kept, "rust_eh_personality"])]
            found = compare(library, declared, nodes)
            if found != expected:
                problems.append(f"negative control: found {found}, expected {expected}")
        if not compare_nodes(library, nodes):
            problems.append("negative control: a library without versions is taken for one that has them")
    return problems


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of wasm.h and wasmrt.h")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="libwasmrt.so")
    parser.add_argument("--map", type=pathlib.Path, required=True, help="the linker's version script")
    options = parser.parse_args()

    standard = set(Header(options.include / "wasm.h").functions)
    extension = set(Header(options.include / "wasmrt.h").functions)
    problems = [f"{name}: not named wasmrt_*" for name in sorted(extension) if not name.startswith("wasmrt_")]
    if len(standard) != STANDARD_FUNCTION_COUNT:
        problems.append(f"wasm.h declares {len(standard)} functions, expected {STANDARD_FUNCTION_COUNT}")
    nodes = re.findall(r"^(\w[\w.]*) *\{", options.map.read_text(), re.MULTILINE)
    problems += compare(options.library, standard | extension, nodes)
    problems += compare_nodes(options.library, nodes)
    problems += control(standard | extension, nodes)
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"exactly {len(standard)} functions of wasm.h and {len(extension)} of wasmrt.h are exported, as {', '.join(nodes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
