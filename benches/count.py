#!/usr/bin/env python3
"""Counts instructions of an operation of each row of the benchmark, with valgrind's callgrind.

The count of a row is the difference between 2 n and n operations, divided by n, so that what is done once is not
counted. It covers instructions in user space, of all threads.
"""

import argparse
import concurrent.futures
import pathlib
import re
import subprocess
import sys
import tempfile


def instructions(bench, library, rows, options=()):
    """A dictionary from the names of rows to instructions of an operation, or to "aborts" and the like."""
    counts = {}
    rows = list(rows)
    while rows:
        with tempfile.TemporaryDirectory() as directory:
            output = pathlib.Path(directory, "callgrind")
            run = subprocess.run(
                ["valgrind", "--tool=callgrind", "--quiet", f"--callgrind-out-file={output}",
                 str(bench), "count", *options, "--rows", ",".join(rows), library],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            # The program names each row before it runs, and makes callgrind write two files for it.
            started = [line.split("\t") for line in run.stdout.splitlines()]
            sums = [total(f"{output}.{number}") for number in range(1, 2 * len(started) + 1)]
        if not started and run.returncode != 0:
            sys.exit(f"{' '.join(run.args)}: exit status {run.returncode}\n{run.stderr}")
        for (row, operations), once, twice in zip(started, sums[::2], sums[1::2]):
            if once is not None and twice is not None:
                counts[row] = (twice - once) / int(operations)
            else:
                counts[row] = {3: "fails", 4: "missing"}.get(run.returncode, "aborts")
        # Continue after the row that ended the run.
        rows = rows[rows.index(started[-1][0]) + 1:] if run.returncode != 0 else []
    return counts


def total(path):
    """The count in one file, or None if there is none, or if the program did not ask for the file."""
    try:
        text = pathlib.Path(path).read_text()
    except FileNotFoundError:
        return None
    if "Trigger: Client Request" not in text:
        return None
    # Not its "summary", which is wrong once the counters were set to zero.
    return int(re.search(r"^totals: (\d+)", text, re.MULTILINE).group(1))


def count_all(bench, libraries, rows, jobs=1):
    """A dictionary from the libraries' labels to what `instructions` gives."""
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        counts = pool.map(lambda library: instructions(bench, library, rows), libraries)
        return dict(zip((library.split("=")[0] for library in libraries), counts))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bench", default="build/benches/bench", help="the benchmark program")
    parser.add_argument("--rows", help="NAME[/PARAMETER] with commas between; all if absent")
    parser.add_argument("--jobs", type=int, default=1, help="how many libraries at once")
    parser.add_argument("libraries", nargs="+", metavar="LABEL=PATH[,VARIABLE=VALUE]")
    options = parser.parse_args()
    names = ["--rows", options.rows] if options.rows else []
    rows = subprocess.run([options.bench, "rows", *names], stdout=subprocess.PIPE, check=True, text=True).stdout.split()
    counts = count_all(options.bench, options.libraries, rows, options.jobs)
    print("\t".join(["row", *counts]))
    for row in rows:
        figures = [of_library.get(row, "-") for of_library in counts.values()]
        print("\t".join([row, *(figure if isinstance(figure, str) else f"{figure:.0f}" for figure in figures)]))


if __name__ == "__main__":
    main()
