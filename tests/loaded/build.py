#!/usr/bin/env python3
"""Builds a library of C or C++ that a crate has with it, without the crate's own way of building.

build.py CRATE VERSION SOURCE DIRECTORY TARGET [OPTION...]

SOURCE is the folder in the crate that has a CMakeLists.txt; the options are for CMake. Exit status 77, with a message, if
the crate cannot be fetched, or CMake or a compiler is missing; 1 if it does not build.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile


def run(*command, **options):
    try:
        return subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, **options).returncode == 0
    except FileNotFoundError:
        print(f"{command[0]} is not installed")
        return False


def fetched(crate, version):
    """Lets cargo fetch and unpack a crate, which it does for its information, and returns the folder; None if it is not there."""
    with tempfile.TemporaryDirectory() as elsewhere:
        run(os.environ.get("CARGO", "cargo"), "info", "--quiet", f"{crate}@{version}", cwd=elsewhere,
            env={**os.environ, "CARGO_NET_RETRY": "1"}, stdout=subprocess.DEVNULL)
    home = pathlib.Path(os.environ.get("CARGO_HOME", pathlib.Path.home() / ".cargo"))
    return next(iter(sorted(home.glob(f"registry/src/*/{crate}-{version}"))), None)


def main():
    crate, version, source, directory, target, *options = sys.argv[1:]
    tools = "cmake", *(os.environ.get(name) or usual for name, usual in (("CC", "cc"), ("CXX", "c++")))
    missing = [tool for tool in tools if not shutil.which(tool.split()[0])]
    if missing:
        print(f"skipped: not installed: {', '.join(missing)}")
        return 77
    unpacked = fetched(crate, version)
    if not unpacked:
        print(f"skipped: {crate} {version} cannot be fetched")
        return 77
    built = run(
        "cmake", "-S", unpacked / source, "-B", directory, "-DCMAKE_BUILD_TYPE=Release",
        # Its CMakeLists.txt is older than what the newest CMake understands, and its assembly says nothing of the stack.
        "-DCMAKE_POLICY_VERSION_MINIMUM=3.5", "-DCMAKE_SHARED_LINKER_FLAGS=-Wl,-z,noexecstack", "-Wno-dev", *options)
    if not built or not run("cmake", "--build", directory, "--target", target):
        print(f"error: {crate} {version} does not build")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
