#!/usr/bin/env python3
"""Configures and builds where tools that do not work lie on PATH behind those that do, beside the only CMake, as an old cargo
and rustc of the system's packages do; then with nothing but an old cargo, which has to be refused with a sentence."""

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


def script(directory, name, text):
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def run(path, *command):
    environment = {**os.environ, "PATH": path}
    environment.pop("CARGO_HOME", None)  # where it is not set, a hint of its folder is "/bin"
    return subprocess.run([str(part) for part in command], env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def configure(path, build, *options):
    return run(path, ROOT / "scripts/with-cmake", "cmake", "-S", ROOT, "-B", build, "-DWASMRT_BUILD_TESTS=OFF",
               "-DWASMRT_BUILD_EXAMPLES=OFF", *options)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--backends", required=True, help="separated by commas")
    parser.add_argument("--cargo-target", required=True)
    options = parser.parse_args()
    work = options.work.resolve() / "path"
    shutil.rmtree(work, ignore_errors=True)

    real, decoys, old = work / "real", work / "decoys", work / "old"
    for tool in TOOLS:
        link(real, tool, shutil.which(tool))
        script(decoys, tool, f"echo decoy of {tool} >&2; exit 1")
    link(decoys, "cmake", options.cmake)
    script(old, "cargo", "echo cargo 1.63.0")

    backends = options.backends.replace(",", ";")
    done = configure(f"{real}:{decoys}:{os.environ['PATH']}", work / "build", f"-DWASMRT_BACKENDS={backends}",
                     f"-DWASMRT_CARGO_TARGET_DIR={options.cargo_target}")
    if done.returncode == 0:
        done = run(f"{real}:{decoys}:{os.environ['PATH']}", ROOT / "scripts/with-cmake", "cmake", "--build", work / "build")
    if done.returncode != 0 or "decoy" in done.stdout:
        sys.exit(f"exit status {done.returncode} with decoys behind the real tools\n{done.stdout}")

    done = configure(f"{old}:{os.environ['PATH']}", work / "refused")
    sentence = " ".join(done.stdout.split())
    if done.returncode == 0 or "needs Rust" not in sentence or "cargo 1.63.0" not in sentence:
        sys.exit(f"an old cargo is not refused with a sentence\n{done.stdout}")


if __name__ == "__main__":
    main()
