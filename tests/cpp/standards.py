#!/usr/bin/env python3
"""Compiles wasm.hh, wasmrt.hh and the C++ tests without a warning as C++11 to C++23, with g++ and with clang++.

The headers alone, in either order, twice, and in two translation units of one program; all without exceptions and
run-time type information. Under its newest standard, each compiler also optimises the tests, which are run. (CMake
builds them as C++11, without optimisation.)
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fno-exceptions", "-fno-rtti"]
STANDARDS = [["c++11"], ["c++14"], ["c++17"], ["c++20"], ["c++23", "c++2b"]]  # each with its older name
UNITS = {
    "wasm.hh alone": ["wasm.hh"],
    "wasmrt.hh alone": ["wasmrt.hh"],
    "both": ["wasm.hh", "wasmrt.hh"],
    "the other order": ["wasmrt.hh", "wasm.hh"],
    "after the C headers": ["wasmrt.h", "wasm.h", "wasmrt.hh"],
    "twice": ["wasm.hh", "wasmrt.hh", "wasm.hh", "wasmrt.hh"],
}
PROGRAM = {
    "main": """#include <wasmrt.hh>
        wasm::own<wasm::Engine> make_engine();
        int main() { return wasm::Store::make(make_engine().get()) ? 0 : 1; }""",
    "other": """#include <wasmrt.hh>
        wasm::own<wasm::Engine> make_engine();
        wasm::own<wasm::Engine> make_engine() { return wasm::Engine::make(); }""",
}


def run(command, source=None):
    """What is wrong with a command, None if nothing."""
    done = subprocess.run(list(map(str, command)), input=source, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return f"exit status {done.returncode} from {' '.join(map(str, command))}\n{done.stdout}{done.stderr}"


def standard_name(compiler, names):
    """The name that the compiler knows a standard by, None if it does not know it."""
    for name in names:
        if not run([compiler, f"-std={name}", "-fsyntax-only", "-x", "c++", "-"], ""):
            return name
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of the headers")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    parser.add_argument("sources", type=pathlib.Path, nargs="+", help="the tests")
    options = parser.parse_args()
    include, library = options.include.resolve(), options.library.resolve()
    link = [f"-L{library}", f"-Wl,-rpath,{library}", "-lwasmrt", "-pthread"]

    compilers = []
    for compiler in dict.fromkeys([os.environ.get("CXX", "g++"), "g++", "clang++"]):
        path = shutil.which(compiler)
        if path and os.path.realpath(path) not in map(os.path.realpath, compilers):
            compilers.append(path)
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        directory = pathlib.Path(temporary)

        def check(compiler, standard, optimised):
            """What is wrong under one standard."""
            place = directory / f"{pathlib.Path(compiler).name}-{standard}"
            place.mkdir()
            command = [compiler, f"-std={standard}", *FLAGS, f"-I{include}"]
            for what, headers in UNITS.items():
                source = "".join(f"#include <{header}>\n" for header in headers)
                yield what, run([*command, "-fsyntax-only", "-x", "c++", "-"], source)
            for name, source in PROGRAM.items():
                yield name, run([*command, "-c", "-o", place / f"{name}.o", "-x", "c++", "-"], source)
            yield "the program", run([*command, place / "main.o", place / "other.o", "-o", place / "program", *link])
            yield "the program", run([place / "program"])
            for source in options.sources:
                if optimised:
                    program = place / source.stem
                    yield source.name, run([*command, "-O2", source, "-o", program, *link]) or run([program])
                else:
                    yield source.name, run([*command, "-fsyntax-only", source])

        checks = {}
        for compiler in compilers:
            standards = list(filter(None, (standard_name(compiler, names) for names in STANDARDS)))
            for standard in standards:
                optimised = standard == standards[-1]
                checks[f"{pathlib.Path(compiler).name} -std={standard}" + (" -O2, run" if optimised else "")] = \
                    pool.submit(lambda *arguments: list(check(*arguments)), compiler, standard, optimised)
        failed = False
        for what, future in checks.items():
            problems = [f"{name}: {problem}" for name, problem in future.result() if problem]
            failed = failed or bool(problems)
            print(f"{what}: {'clean' if not problems else ''.join(problems[:1])}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
