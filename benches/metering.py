#!/usr/bin/env python3
"""Counts what fuel and interruption cost, with valgrind's callgrind, and prints the table of docs/wasmrt.md.

The count is the difference between a run of many iterations (or calls) and a run of few, divided by their number, so
that what is done once is not counted.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
MODES = {
    "-": "nothing",
    "f": "fuel",
    "i": "interruption",
    "id": "interruption, with a timeout of the store",
    "it": "interruption, with a timeout for calls",
    "fi": "fuel and interruption",
}
BACKENDS = ["wasmtime", "wasmi"]
COUNTS = {"loop": (1, 10_000_000), "call": (100_000, 200_000)}


def build(library, directory):
    program = directory / "metering"
    subprocess.run(
        ["cc", "-std=c11", "-O2", "-Wall", "-Wextra", f"-I{ROOT}/include", ROOT / "benches/metering.c", library,
         f"-Wl,-rpath,{directory}", "-o", program], check=True)
    dynamic = subprocess.run(["readelf", "-d", library], check=True, stdout=subprocess.PIPE, text=True).stdout
    (directory / re.search(r"\(SONAME\).*\[(.*)\]", dynamic).group(1)).symlink_to(library)
    return program


def instructions(program, backend, mode, what, count):
    output = program.with_name("counted")
    subprocess.run(
        ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={output}", program, mode, what, str(count)],
        check=True, env={"WASMRT_BACKEND": backend})
    return int(re.search(r"^totals: (\d+)", output.read_text(), re.MULTILINE).group(1))


def cost(program, backend, mode, what):
    """Instructions of one iteration, or of one call."""
    few, many = COUNTS[what]
    counted = [instructions(program, backend, mode, what, count) for count in (few, many)]
    return (counted[1] - counted[0]) / (many - few)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--library", type=pathlib.Path, default=ROOT / "build/lib/libwasmrt.so")
    parser.add_argument("--backend", action="append", help="other backends than those of the table: names or paths")
    options = parser.parse_args()
    columns = [(what, backend) for what in COUNTS for backend in options.backend or BACKENDS]
    print("| enabled | " + " | ".join(f"{what}, {pathlib.Path(backend).name}" for what, backend in columns) + " |")
    print("|---" * (len(columns) + 1) + "|")
    base = {}
    with tempfile.TemporaryDirectory() as directory:
        program = build(options.library.resolve(), pathlib.Path(directory))
        for mode, name in MODES.items():
            cells = [name]
            for what, backend in columns:
                found = cost(program, backend, mode, what)
                base.setdefault((what, backend), found)
                cells.append(f"{found / base[what, backend]:.2f} ({found:.0f})")
            print("| " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    sys.exit(main())
