#!/usr/bin/env python3
"""Configures and builds on machines with several cargos: those of the system's packages lie beside the only CMake, are too old
or do not work at all, and PATH, or WASMRT_CARGO, says which one is meant."""

import argparse
import os
import pathlib
import shutil
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOLS = ["cargo", "rustc", "cc"]


def link(directory, name, target):
    directory.mkdir(parents=True, exist_ok=True)
    (directory / name).symlink_to(target)
    return directory


def script(directory, name, text):
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return directory


class Machine:
    """A PATH, and builds of the library under it."""

    def __init__(self, options, name, *folders):
        self.options, self.name = options, name
        self.build = options.work / name
        self.path = os.pathsep.join(map(str, folders))

    def run(self, *arguments):
        environment = {**os.environ, "PATH": self.path}
        environment.pop("CARGO_HOME", None)  # where it is not set, a hint of its folder is "/bin"
        return subprocess.run([str(part) for part in [ROOT / "scripts/with-cmake", "cmake", *arguments]], env=environment,
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def configure(self, *definitions):
        return self.run("-S", ROOT, "-B", self.build, "-DWASMRT_BUILD_TESTS=OFF", "-DWASMRT_BUILD_EXAMPLES=OFF",
                        f"-DWASMRT_BACKENDS={self.options.backends.replace(',', ';')}",
                        f"-DWASMRT_CARGO_TARGET_DIR={self.options.cargo_target}",
                        f"-DWASMRT_CARGO_PROFILE={self.options.profile}", *definitions)

    def builds_with(self, cargo, *definitions):
        done = self.configure(*definitions)
        if done.returncode == 0:
            done = self.run("--build", self.build)
        if done.returncode != 0 or "decoy of" in done.stdout:
            sys.exit(f"{self.name}: exit status {done.returncode}\n{done.stdout}")
        cache = (self.build / "CMakeCache.txt").read_text()
        if f"WASMRT_CARGO:FILEPATH={cargo}\n" not in cache:
            sys.exit(f"{self.name}: {cargo} was not taken:\n{cache}")

    def refuses(self, cargo):
        done = self.configure()
        sentence = " ".join(done.stdout.split())
        if done.returncode == 0 or f"wasmrt needs Rust 1.95 or newer, but {cargo} says \"cargo 1.63.0\"" not in sentence:
            sys.exit(f"{self.name}: an old cargo is not refused with a sentence\n{done.stdout}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--backends", required=True, help="separated by commas")
    parser.add_argument("--cargo-target", required=True)
    parser.add_argument("--profile", required=True, help="of cargo")
    options = parser.parse_args()
    options.work = options.work.resolve() / "path"
    shutil.rmtree(options.work, ignore_errors=True)
    system = os.environ["PATH"].split(os.pathsep)

    for tool in TOOLS:
        real = link(options.work / "tools/real", tool, shutil.which(tool))
        decoys = script(options.work / "tools/decoys", tool, f"echo decoy of {tool} >&2; exit 1")
    link(decoys, "cmake", options.cmake)
    old = script(options.work / "tools/old", "cargo", "echo cargo 1.63.0")
    script(old, "rustc", "echo decoy of rustc >&2; exit 1")
    # A toolchain that no rustup leads to.
    sysroot = subprocess.run(["rustc", "--print", "sysroot"], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
    toolchain = pathlib.Path(sysroot) / "bin/cargo"

    Machine(options, "decoys-behind", real, decoys, *system).builds_with(real / "cargo")
    Machine(options, "old-in-front", old, *system).refuses(old / "cargo")
    if toolchain.exists():
        Machine(options, "named", old, *system).builds_with(toolchain, f"-DWASMRT_CARGO={toolchain}")


if __name__ == "__main__":
    main()
