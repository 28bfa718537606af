#!/usr/bin/env python3
"""Checks what CMake's component wasmrt-compat installs: libwasmrt-wasmer, its header, and the libraries that stand in for others.

    install     exactly the files that docs/wasmer.md lists, which find each other wherever the tree is
    header      compiles without a warning in every standard of C and C++, beside the other headers, in both of its forms
    symbols     the library exports exactly the functions that its header declares, and nothing that libwasmrt exports
    wasmer      programs that were linked with another libwasmer.so run with LD_LIBRARY_PATH alone, in both of its forms
    iwasm       the same with a library that has the name of WAMR's
    wasmtime    a program that was linked with PyPI's libwasmtime, and runs with that, runs with LD_LIBRARY_PATH alone, too
"""

import argparse
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys

SOURCES = pathlib.Path(__file__).resolve().parent
sys.dont_write_bytecode = True
sys.path[:0] = [str(SOURCES.parent / "header"), str(SOURCES.parent / "package")]
from c_header import Header  # noqa: E402
from steps import SKIPPED, expect, fresh, run  # noqa: E402

WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
STANDARDS = {"gcc": ("CC", "c", ["c99", "c11", "c17"]),
             "g++": ("CXX", "c++", ["c++11", "c++14", "c++17", "c++20", "c++23"])}
FETCH = SOURCES.parent.parent / "scripts/fetch"


def dynamic(file, tag):
    return re.findall(rf"\({tag}\).*\[(.*)\]", run("readelf", "--wide", "-d", file))


class Check:
    def __init__(self, options):
        self.options = options
        self.abi = ".".join(options.version.split(".")[:2])
        # Installed elsewhere and moved here: nothing knows where it is.
        self.prefix = options.work / options.check / "prefix"
        first = fresh(options.work / options.check) / "first"
        run(options.cmake, "--install", options.build, "--prefix", first)
        before = {path.relative_to(first) for path in first.rglob("*") if not path.is_dir()}
        run(options.cmake, "--install", options.build, "--prefix", first, "--component", "wasmrt-compat")
        self.added = {path.relative_to(first) for path in first.rglob("*") if not path.is_dir()} - before
        first.rename(self.prefix)
        self.work = self.prefix.parent
        self.include = self.prefix / "include"
        self.libraries = self.prefix / options.libdir
        self.compat = self.libraries / "wasmrt/compat"

    def install(self):
        libdir, wasmer = self.options.libdir, "libwasmrt-wasmer.so"
        if self.added: # or they are a part of the installation already
            expect("files of the component", sorted(map(str, self.added)), sorted([
                "include/wasmrt-wasmer.h", "include/wasmrt/compat/wasmer.h",
                *(f"{libdir}/{name}" for name in [wasmer, f"{wasmer}.{self.abi}", f"{wasmer}.{self.options.version}"]),
                *(f"{libdir}/wasmrt/compat/lib{name}" for name in ["wasmer.so", "wasmtime.so", "iwasm.so", "iwasm.so.2"])]))
        ours = f"libwasmrt.so.{self.abi}"
        for library, soname, runpath, needed in [
                (self.libraries / wasmer, f"{wasmer}.{self.abi}", "$ORIGIN", [ours]),
                (self.compat / "libwasmer.so", "libwasmer.so", "$ORIGIN/../..", [f"{wasmer}.{self.abi}", ours]),
                (self.compat / "libwasmtime.so", "libwasmtime.so", "$ORIGIN/../..", [ours]),
                (self.compat / "libiwasm.so.2", "libiwasm.so", "$ORIGIN/../..", [ours])]:
            expect(f"SONAME of {library}", dynamic(library, "SONAME"), [soname])
            expect(f"RUNPATH of {library}", dynamic(library, "RUNPATH"), [runpath])
            expect(f"libraries of ours that {library} needs",
                   [name for name in dynamic(library, "NEEDED") if name.startswith("libwasm")], needed)

    def header(self):
        orders = {"alone": ["wasmrt-wasmer.h"], "first": ["wasmrt-wasmer.h", "wasmrt.h", "wasmrt-wasmer.h"],
                  "last": ["wasm.h", "wasmrt.h", "wasmrt-wasmer.h"], "renamed": ["wasmrt/compat/wasmer.h"]}
        for default, (variable, language, standards) in STANDARDS.items():
            compiler = os.environ.get(variable, default)
            if not shutil.which(compiler):
                print(f"no {compiler} here: {', '.join(standards)} are not checked")
                continue
            for standard in standards:
                if standard == "c++23":
                    standard = "c++2b" # as older compilers call it
                for name, headers in orders.items():
                    for form in [[], ["-DWASMRT_WASMER_ABI=2"]]:
                        source = "".join(f"#include <{header}>\n" for header in headers)
                        source += "int f(void);\nint f(void) { return wasmer_is_headless() + (int)CRANELIFT + (int)INVALID_VERSION; }\n"
                        run(compiler, "-x", language, f"-std={standard}", *WARNINGS, *form, f"-I{self.include}", "-c", "-",
                            "-o", self.work / f"{name}.o", input=source)
                print(f"{standard}: clean")

    def declared(self):
        return set(Header(self.include / "wasmrt-wasmer.h", self.include).functions)

    def symbols(self):
        def exported(library):
            lines = run("nm", "-D", "--defined-only", "--format=posix", library).splitlines()
            return {line.split("@@")[0]: line.split()[0].partition("@@")[2] for line in lines if line.split()[1] != "A"}
        found = exported(self.libraries / "libwasmrt-wasmer.so")
        expect("exported functions", sorted(found), sorted(self.declared()))
        expect("their versions", set(found.values()), {f"WASMRT_WASMER_{self.abi}"})
        expect("functions that libwasmrt exports, too", sorted(set(found) & set(exported(self.libraries / "libwasmrt.so"))), [])
        for name in ["wasmer", "wasmtime", "iwasm"]:
            expect(f"functions of lib{name}.so", exported(self.compat / f"lib{name}.so"), {})

    def runs(self, program, output):
        """The program runs on each engine with the folder's libraries alone, which an unknown engine shows to be ours."""
        for backend in self.options.backends.split(","):
            environment = {**os.environ, "LD_LIBRARY_PATH": str(self.compat), "WASMRT_BACKEND": backend}
            expect(f"output of {program} on {backend}", run(program, env=environment), output)
        environment["WASMRT_BACKEND"] = "nope"
        done = subprocess.run([program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        expect(f"exit status of {program} on an engine that is not there", done.returncode, 1)

    def make_stub(self, name, soname, functions):
        """A library of that name in which nothing works."""
        functions |= set(Header(self.include / "wasm.h").functions)
        run(self.options.compiler, "-shared", "-fPIC", "-x", "c", "-", "-o", self.work / name, f"-Wl,-soname,{soname}",
            input="".join(f"void {function}(void) {{ __builtin_trap(); }}\n" for function in sorted(functions)))

    def iwasm(self):
        self.make_stub("libiwasm.so", "libiwasm.so.2", set())
        program = self.work / "standard"
        run(self.options.compiler, "-std=c99", *WARNINGS, f"-I{self.include}", SOURCES / "standard.c", f"-L{self.work}",
            "-liwasm", "-o", program)
        expect("libraries that it needs", [name for name in dynamic(program, "NEEDED") if "wasm" in name], ["libiwasm.so.2"])
        self.runs(program, "41 after 1 call\n")

    def wasmer(self):
        self.make_stub("libwasmer.so", "libwasmer.so", self.declared())
        for form in [2, 3]:
            program = self.work / f"program{form}"
            run(self.options.compiler, "-std=c99", *WARNINGS, f"-DWASMRT_WASMER_ABI={form}", f"-I{self.include}",
                f"-I{self.include / 'wasmrt/compat'}", SOURCES / "program.c", f"-L{self.work}", "-lwasmer", "-o", program)
            expect("libraries that it needs", [name for name in dynamic(program, "NEEDED") if "wasm" in name], ["libwasmer.so"])
            self.runs(program, "WASI works\n")

    def wasmtime(self):
        if platform.machine() != "x86_64":
            print("skipped: the library from PyPI is not for this machine")
            sys.exit(SKIPPED)
        fetched = self.options.work / "pypi"
        status = subprocess.run([sys.executable, str(FETCH), "wasmtime", str(fetched)]).returncode
        if status != 0:
            sys.exit(status)
        shutil.copy(fetched / "_libwasmtime.so", self.work / "libwasmtime.so")
        program = self.work / "standard"
        run(self.options.compiler, "-std=c99", *WARNINGS, f"-I{self.include}", SOURCES / "standard.c", f"-L{self.work}",
            "-lwasmtime", "-o", program)
        expect("libraries that it needs", [name for name in dynamic(program, "NEEDED") if "wasm" in name], ["libwasmtime.so"])
        output = "41 after 1 call\n"
        expect("output with wasmtime itself", run(program, env={**os.environ, "LD_LIBRARY_PATH": str(self.work)}), output)
        self.runs(program, output)


def main():
    checks = [name for name in vars(Check) if not name.startswith("_") and name not in ("declared", "make_stub", "runs")]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("check", choices=checks)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build tree to install from")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="directory for everything that is made")
    parser.add_argument("--libdir", required=True, help="library directory under the prefix")
    parser.add_argument("--version", required=True)
    parser.add_argument("--backends", required=True, help="engines in the library, with commas between")
    options = parser.parse_args()
    getattr(Check(options), options.check)()
    return 0


if __name__ == "__main__":
    sys.exit(main())
