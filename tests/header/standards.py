#!/usr/bin/env python3
"""Compiles both headers without a warning as C99, C11, C17 and C++11 to C++20.

Each alone, both in either order, twice in one translation unit, and in two translation units of one program.
"""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

FLAGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
LANGUAGES = [
    ("CC", "gcc", "c", ["c99", "c11", "c17"]),
    ("CXX", "g++", "c++", ["c++11", "c++14", "c++17", "c++20"]),
]
UNITS = {  # name: includes; the first two make the program
    "main": ["wasm.h", "wasmrt.h"],
    "other": ["wasmrt.h", "wasm.h"],
    "wasm_alone": ["wasm.h"],
    "wasmrt_alone": ["wasmrt.h"],
    "twice": ["wasm.h", "wasmrt.h", "wasm.h", "wasmrt.h"],
}
BODIES = {
    "main": """const char* other_version(void);
        int main(void) { return wasmrt_version() == other_version() && MEMORY_PAGE_SIZE == 65536 ? 0 : 1; }""",
    "other": """const char* other_version(void);
        const char* other_version(void) { return wasm_limits_max_default ? wasmrt_version() : NULL; }""",
}


def check_standard(compiler, language, standard, include, library):
    """Diagnostics of everything that fails to compile, link or run under one standard."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        command = [compiler, f"-std={standard}", *FLAGS, f"-I{include}"]
        steps = []
        for name, includes in UNITS.items():
            source = directory / f"{name}.{language.replace('+', 'p')}"
            body = BODIES.get(name, f"int {name}(void);\nint {name}(void) {{ return WASM_F64; }}")
            source.write_text("".join(f"#include <{header}>\n" for header in includes) + body + "\n")
            steps.append([*command, "-c", source, "-o", directory / f"{name}.o"])
        program = directory / "program"
        steps.append([*command, directory / "main.o", directory / "other.o", "-o", program, f"-L{library}",
                      f"-Wl,-rpath,{library}", "-lwasmrt"])
        steps.append([program])
        for step in steps:
            run = subprocess.run(step, capture_output=True, text=True)
            if run.returncode != 0:
                command_line = " ".join(map(str, step))
                return f"{standard}: exit status {run.returncode} from {command_line}\n{run.stdout}{run.stderr}"
    return None


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of wasm.h and wasmrt.h")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    options = parser.parse_args()

    problems = []
    for variable, default, language, standards in LANGUAGES:
        compiler = os.environ.get(variable, default)
        if not shutil.which(compiler):
            print(f"no {compiler} here: {', '.join(standards)} are not checked")
            continue
        for standard in standards:
            problem = check_standard(compiler, language, standard, options.include.resolve(), options.library.resolve())
            if problem:
                problems.append(problem)
            else:
                print(f"{standard}: clean")
    for problem in problems:
        print(problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
