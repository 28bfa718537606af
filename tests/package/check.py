#!/usr/bin/env python3
"""Installs libwasmrt into a temporary prefix, moves the prefix, and uses it from there as outside projects do."""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
from steps import SKIPPED, expect, fresh, run  # noqa: E402

SOURCES = pathlib.Path(__file__).resolve().parent
WARNINGS = ["-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]


class Check:
    def __init__(self, options):
        self.options = options
        self.work = options.work.resolve()
        self.prefix = self.work / "moved"
        self.library_directory = self.prefix / options.libdir
        self.soname = "libwasmrt.so." + options.version.rpartition(".")[0]  # until 1.0, see docs/abi.md
        on_each = "".join(f", 5 on {backend}" for backend in options.backends.split(","))
        self.greeting = f"wasmrt {options.version}{on_each}\n"

    def expect_greeting(self, program, **environment):
        found = run(program, env={**os.environ, **environment})
        expect(f"output of {program}", found, self.greeting)

    def needed(self, file):
        return re.findall(r"\(NEEDED\).*\[(.*)\]", run("readelf", "-d", file))

    def install(self):
        """Every expected file is installed, and no text file names the original prefix."""
        shutil.rmtree(self.prefix, ignore_errors=True)
        first = fresh(self.work / "first")
        run(self.options.cmake, "--install", self.options.build, "--prefix", first)
        first.rename(self.prefix)

        package = pathlib.Path(self.options.libdir)
        for file in ["include/wasm.h", "include/wasmrt.h", "include/wasm.hh", "include/wasmrt.hh",
                     package / "libwasmrt.a", package / "pkgconfig/wasmrt.pc",
                     package / "cmake/wasmrt/wasmrtConfig.cmake", package / "cmake/wasmrt/wasmrtConfigVersion.cmake",
                     "share/doc/wasmrt/LICENSE", "share/doc/wasmrt/THIRD-PARTY.txt"]:
            expect(f"{file} is installed", (self.prefix / file).is_file(), True)
        for file in [*self.prefix.rglob("*.pc"), *self.prefix.rglob("*.cmake"), *self.prefix.rglob("*.h*")]:
            for place in (self.work, SOURCES.parent.parent):
                expect(f"{file} names {place}", str(place) in file.read_text(), False)

    def links(self):
        versioned = f"libwasmrt.so.{self.options.version}"
        expect("target of libwasmrt.so", os.readlink(self.library_directory / "libwasmrt.so"), self.soname)
        expect(f"target of {self.soname}", os.readlink(self.library_directory / self.soname), versioned)
        dynamic = run("readelf", "-d", self.library_directory / versioned)
        expect("SONAME", re.findall(r"\(SONAME\).*\[(.*)\]", dynamic), [self.soname])
        expect("RPATH and RUNPATH", re.findall(r"\((?:RPATH|RUNPATH)\).*", dynamic), [])

    def command(self):
        """The program and its manual page are installed, and it finds the library beside it."""
        expect("the manual page is installed", (self.prefix / "share/man/man1/wasmrt.1").is_file(), True)
        environment = {name: value for name, value in os.environ.items() if name != "LD_LIBRARY_PATH"}
        found = run(self.prefix / "bin/wasmrt", "--version", env=environment)
        expect("the program's version", found.split()[:2], ["wasmrt", self.options.version])

    def versions(self):
        """Programs ask for the version of the symbols; those linked with a library that had none yet run, too."""
        directory = fresh(self.work / "versions")
        node = self.soname.replace("libwasmrt.so.", "WASMRT_")
        unversioned = pathlib.Path(self.options.cargo_target, self.options.profile, "libwasmrt.so")  # as cargo links it
        for name, library, asked in [("with", self.library_directory / "libwasmrt.so", 1), ("without", unversioned, 0)]:
            run(self.options.compiler, *WARNINGS, SOURCES / "project/main.c", f"-I{self.prefix / 'include'}", library,
                "-o", directory / name)
            expect(f"mentions of {node} in a program linked with {library}",
                   run("readelf", "--version-info", directory / name).count(f"Name: {node}"), asked)
            self.expect_greeting(directory / name, LD_LIBRARY_PATH=str(self.library_directory))

    def pkg_config(self):
        """Links dynamically, statically with dynamic system libraries, and wholly statically."""
        if not shutil.which("pkg-config"):
            print("skipped: pkg-config is not installed")
            sys.exit(SKIPPED)
        environment = {**os.environ, "PKG_CONFIG_PATH": str(self.library_directory / "pkgconfig")}

        def ask(*question):
            return run("pkg-config", *question, "wasmrt", env=environment).split()

        expect("version in wasmrt.pc", ask("--modversion"), [self.options.version])
        directory = fresh(self.work / "pkg-config")
        compile_main = [self.options.compiler, *WARNINGS, SOURCES / "project/main.c"]

        run(*compile_main, "-o", directory / "shared", *ask("--cflags", "--libs"))
        expect("libwasmrt needed by the dynamic program", self.soname in self.needed(directory / "shared"), True)
        self.expect_greeting(directory / "shared", LD_LIBRARY_PATH=str(self.library_directory))

        if compiler := shutil.which(os.environ.get("CXX", "c++")):
            run(compiler, "-std=c++11", *WARNINGS[1:], SOURCES.parents[1] / "examples/cpp/hello.cc",
                "-o", directory / "cpp", *ask("--cflags", "--libs"))
            found = run(directory / "cpp", env={**os.environ, "LD_LIBRARY_PATH": str(self.library_directory)})
            expect("the last line of the C++ program", found.splitlines()[-1:], ["hello from wasm: twice that is 42"])

        run(*compile_main, "-o", directory / "static", *ask("--cflags"), "-Wl,-Bstatic", *ask("--libs"),
            "-Wl,-Bdynamic", *ask("--static", "--libs-only-l")[1:])
        expect("libwasmrt needed by the static program", self.soname in self.needed(directory / "static"), False)
        self.expect_greeting(directory / "static")

        run(*compile_main, "-static", "-o", directory / "wholly-static", *ask("--static", "--cflags", "--libs"),
            stderr=subprocess.DEVNULL)  # the linker warns of getaddrinfo, which Rust's library has
        expect("libraries needed by the wholly static program", self.needed(directory / "wholly-static"), [])
        self.expect_greeting(directory / "wholly-static")

    def beside(self):
        """The static library exports only its functions, and links beside another Rust library in any order."""
        def symbols(*options):
            listed = run("nm", "--defined-only", "--format=posix", *options).splitlines()
            return sorted(line.split()[0] for line in listed if len(line.split()) > 2)

        ours = self.library_directory / "libwasmrt.a"
        shared = symbols("-D", self.library_directory / self.soname)
        expect("global symbols of the static library", symbols("--extern-only", ours),
               [name.partition("@@")[0] for name in shared if "@@" in name])
        sources = SOURCES / "beside"
        directory = fresh(self.work / "beside")
        other = directory / "libother.a"
        run(self.options.rustc, "--edition=2024", "-O", "--crate-type=staticlib", "--crate-name=other",
            sources / "other.rs", "-o", other)
        system = ["-lpthread", "-ldl", "-lm"]
        orders = [("first", ours, other), ("second", other, ours), ("pruned", "-Wl,--gc-sections", ours, other)]
        for name, *link in orders:
            run(self.options.compiler, *WARNINGS, f"-I{self.prefix / 'include'}", sources / "main.c", *link, *system,
                "-o", directory / name)
            for backend in self.options.backends.split(","):
                # The other library prints its panic.
                found = run(directory / name, env={**os.environ, "WASMRT_BACKEND": backend}, stderr=subprocess.DEVNULL)
                expect(f"output of {name} on {backend}", found, "-1 49: 100 [integer divide by zero] -4900\n")

    def readme(self):
        """The README's programs run on each engine, and list the engines if asked for an unknown one."""
        self.readme_program("c", self.options.compiler, "-std=c11")
        if compiler := shutil.which(os.environ.get("CXX", "c++")):
            self.readme_program("cpp", compiler, "-std=c++11")

    def readme_program(self, language, compiler, standard):
        directory = fresh(self.work / "readme")
        text = (SOURCES.parent.parent / "README.md").read_text()
        source = directory / f"program.{language}"
        source.write_text(re.search(rf"```{language}\n(.*?)```", text, re.DOTALL).group(1))
        program = directory / "program"
        run(compiler, standard, "-Wall", "-Wextra", "-Wno-unused-parameter", "-Werror",
            f"-I{self.prefix / 'include'}", source, f"-L{self.library_directory}", "-lwasmrt",
            f"-Wl,-rpath,{self.library_directory}", "-o", program)
        backends = self.options.backends.split(",")
        for backend in backends:
            found = run(program, env={**os.environ, "WASMRT_BACKEND": backend})
            expect(f"output of the README's {source.name} on {backend}", found, "WebAssembly says 42\n")
        unknown = {**os.environ, "WASMRT_BACKEND": "nope"}
        done = subprocess.run([program], env=unknown, stdout=subprocess.PIPE, text=True)
        expect("exit status without an engine", done.returncode, 1)
        for word in ["nope", *backends]:
            expect(f"\"{word}\" in {done.stdout!r}", word in done.stdout, True)

    def build_with_cmake(self, source, directory, *definitions):
        fresh(directory)
        run(self.options.cmake, "-S", source, "-B", directory, f"-DCMAKE_C_COMPILER={self.options.compiler}",
            *definitions)
        run(self.options.cmake, "--build", directory)
        expect("libwasmrt needed by the dynamic program", self.soname in self.needed(directory / "shared"), True)
        expect("libwasmrt needed by the static program", self.soname in self.needed(directory / "static"), False)
        self.expect_greeting(directory / "shared")
        self.expect_greeting(directory / "static")

    def find_package(self):
        self.build_with_cmake(SOURCES / "project", self.work / "find-package",
                              f"-DCMAKE_PREFIX_PATH={self.prefix}", f"-DEXPECTED_VERSION={self.options.version}")

    def add_subdirectory(self):
        self.build_with_cmake(SOURCES / "embedded", self.work / "add-subdirectory",
                              f"-DWASMRT_SOURCE_DIR={SOURCES.parent.parent}",
                              f"-DWASMRT_CARGO_TARGET_DIR={self.options.cargo_target}",
                              f"-DWASMRT_CARGO_PROFILE={self.options.profile}",
                              f"-DWASMRT_BACKENDS={self.options.backends.replace(',', ';')}")


def main():
    checks = {
        "command": Check.command,
        "install": Check.install,
        "links": Check.links,
        "versions": Check.versions,
        "beside": Check.beside,
        "readme": Check.readme,
        "pkg-config": Check.pkg_config,
        "find-package": Check.find_package,
        "add-subdirectory": Check.add_subdirectory,
    }
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("check", choices=checks)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--compiler", required=True)
    parser.add_argument("--rustc", required=True)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build tree to install from")
    parser.add_argument("--work", type=pathlib.Path, required=True, help="directory for everything that is made")
    parser.add_argument("--libdir", required=True, help="library directory under the prefix")
    parser.add_argument("--version", required=True)
    parser.add_argument("--backends", required=True, help="engines in the library, with commas between")
    parser.add_argument("--cargo-target", required=True, help="where cargo has built the library")
    parser.add_argument("--profile", required=True, help="the profile of cargo that it was built with")
    options = parser.parse_args()
    checks[options.check](Check(options))
    return 0


if __name__ == "__main__":
    sys.exit(main())
