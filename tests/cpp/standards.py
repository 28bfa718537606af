#!/usr/bin/env python3
"""Compiles wasm.hh, wasmrt.hh and the C++ tests without a warning as C++11 to C++23, with g++ and with clang++.

Each header alone and each test; all without exceptions and run-time type information. Under its newest standard, each
compiler also takes the headers in either order, twice, and in two translation units of one program, and optimises the
tests, which are run. (CMake builds them as C++11, without optimisation.)

Most of the time would go into reading the same headers for each test, so test.hh is compiled once for all of them.
"""

import argparse
import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fno-exceptions", "-fno-rtti", "-pthread"]
STANDARDS = [["c++11"], ["c++14"], ["c++17"], ["c++20"], ["c++23", "c++2b"]]  # each with its older name
ALONE = ["wasm.hh", "wasmrt.hh"]
TOGETHER = {
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


def is_clang(compiler):
    return not run([compiler, "-fsyntax-only", "-x", "c++", "-"], "#ifndef __clang__\n#error\n#endif\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of the headers")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    parser.add_argument("sources", type=pathlib.Path, nargs="+", help="the tests")
    options = parser.parse_args()
    include, library = options.include.resolve(), options.library.resolve()
    link = [f"-L{library}", f"-Wl,-rpath,{library}", "-lwasmrt"]

    compilers = []
    for compiler in dict.fromkeys([os.environ.get("CXX", "g++"), "g++", "clang++"]):
        path = shutil.which(compiler)
        if path and os.path.realpath(path) not in map(os.path.realpath, compilers):
            compilers.append(path)
    with tempfile.TemporaryDirectory() as temporary, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        directory = pathlib.Path(temporary)

        def check(compiler, standard, newest):
            """What is wrong under one standard."""
            place = directory / f"{pathlib.Path(compiler).name}-{standard}"
            place.mkdir()
            command = [compiler, f"-std={standard}", *FLAGS, f"-I{include}"]

            def reads(headers):
                source = "".join(f"#include <{header}>\n" for header in headers)
                return run([*command, "-fsyntax-only", "-x", "c++", "-"], source)

            for header in ALONE:
                yield f"{header} alone", reads([header])
            if newest:
                for what, headers in TOGETHER.items():
                    yield what, reads(headers)
                for name, source in PROGRAM.items():
                    yield name, run([*command, "-c", "-o", place / f"{name}.o", "-x", "c++", "-"], source)
                program = place / "program"
                linked = run([*command, place / "main.o", place / "other.o", "-o", program, *link])
                yield "the program", linked or run([program])
                command.append("-O2")
            harness, compiled = options.sources[0].with_name("test.hh"), place / "test.hh.gch"
            yield "test.hh", run([*command, "-x", "c++-header", harness, "-o", compiled])
            # g++ finds the file by the name without .gch
            command += ["-include-pch", compiled] if is_clang(compiler) else ["-include", compiled.with_suffix("")]
            for source in options.sources:
                if newest:
                    program = place / source.stem
                    yield source.name, run([*command, source, "-o", program, *link]) or run([program])
                else:
                    yield source.name, run([*command, "-fsyntax-only", source])

        checks = {}
        for compiler in compilers:
            standards = list(filter(None, (standard_name(compiler, names) for names in STANDARDS)))
            for standard in reversed(standards):  # the longest first
                newest = standard == standards[-1]
                checks[f"{pathlib.Path(compiler).name} -std={standard}" + (" -O2, run" if newest else "")] = \
                    pool.submit(lambda *arguments: list(check(*arguments)), compiler, standard, newest)
        failed = False
        for what, future in checks.items():
            problems = [f"{name}: {problem}" for name, problem in future.result() if problem]
            failed = failed or bool(problems)
            print(f"{what}: {'clean' if not problems else ''.join(problems[:1])}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
