#!/usr/bin/env python3
"""Fails if a hot path takes over 5 % more instructions than expected-instructions.txt says.

callgrind counts the instructions, so neither the machine nor its load matters. After a change that is worth its cost, or
one that made a path cheaper, write the new numbers with --update, and commit them.
"""

import argparse
import pathlib
import shutil
import sys

import count

EXPECTED = pathlib.Path(__file__).with_name("expected-instructions.txt")
TOLERANCE = 0.05
ROWS = ["call_nothing", "call_i32", "callback_i32", "host_call", "memory_data", "instance"]
BACKENDS = ["wasmtime", "wasmi"]
SKIPPED = 77  # exit status that tells ctest that something is missing

HEADER = """\
# Instructions of one operation of each row, for each engine. make bench-guard compares with these numbers;
# benches/guard.py --update writes them anew.
"""


def read_expected():
    lines = (line.split() for line in EXPECTED.read_text().splitlines() if line and not line.startswith("#"))
    return {(backend, row): int(number) for backend, row, number in lines}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default="build/benches/bench", help="the benchmark program")
    parser.add_argument("--library", default="build/lib/libwasmrt.so")
    parser.add_argument("--backend", choices=BACKENDS, help="all if absent")
    parser.add_argument("--update", action="store_true", help="write the numbers instead of comparing with them")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("skipped: valgrind is not installed")
        return SKIPPED

    backends = [options.backend] if options.backend else BACKENDS
    libraries = [f"{backend}={options.library},WASMRT_BACKEND={backend}" for backend in backends]
    counts = count.count_all(options.bench, libraries, ROWS)
    expected = read_expected() if EXPECTED.exists() else {}
    failures = 0
    for backend in backends:
        for row in ROWS:
            found, wanted = counts[backend].get(row), expected.get((backend, row))
            if not isinstance(found, float):
                verdict, failures = f"{found or 'was not counted'}", failures + 1
            elif options.update:
                expected[backend, row] = round(found)
                verdict = "written"
            elif wanted is None:
                verdict, failures = "no number is expected: see --update", failures + 1
            elif found > wanted * (1 + TOLERANCE):
                verdict, failures = f"MORE than {wanted} by over {TOLERANCE:.0%}", failures + 1
            elif found < wanted * (1 - TOLERANCE):
                verdict = f"less than {wanted} by over {TOLERANCE:.0%}: keep it with --update"
            else:
                verdict = f"as expected, {wanted}"
            print(f"{backend:10} {row:14} {found if isinstance(found, str) else round(found or 0):>8}  {verdict}")
    if options.update and failures == 0:
        lines = [f"{backend:10} {row:14} {number:>8}" for (backend, row), number in sorted(expected.items())]
        EXPECTED.write_text(HEADER + "\n".join(lines) + "\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
