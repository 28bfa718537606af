#!/usr/bin/env python3
"""Runs the C tests on an engine that is loaded, each test function in a process of its own.

suite.py --tests DIRECTORY --sources DIRECTORY --engine LIBRARY --expected FILE [--only NAME...] [--write]
suite.py --table [--write]

What an engine that is loaded cannot do is in FILE: a line for each test function that does not pass, `program/function`, with
a word: `refused` if the library has to say so (in an error that names the engine), `different` if it does something else,
`crashed` if a signal ends it, in the library or in the test, which goes on without what it asked for, `any` if the function
is not run. Fails if a function ends in another way, also if one passes that is in FILE. Exit status 77 if there is no such
library. FILE begins with a comment that says which library it is about.

With --table it checks that the table in docs/engines.md says what these files say, or writes it.
"""

import argparse
import collections
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys

SKIPPED = 77
ENDS = ["passed", "refused", "different", "crashed", "slow", "skipped"]


def functions(source: pathlib.Path) -> list:
    return re.findall(r"^TEST\((\w+)\)", source.read_text(), re.MULTILINE)


def expectations(path: pathlib.Path) -> dict:
    lines = [line.split("#")[0].split() for line in path.read_text().splitlines()]
    return {words[0]: words[1] for words in lines if words}


# The files of libraries, in the order of the table.
LIBRARIES = ["wasmtime-50", "wasmtime-36", "wasmtime-14", "wasmer-7", "wasmer", "wamr", "wasmi", "plain"]


def table() -> str:
    """Returns the rows of the table in docs/engines.md."""
    here = pathlib.Path(__file__).parent
    programs = re.search(r"^set\(suite_programs\n(.*?)\)", (here / "CMakeLists.txt").read_text(), re.M | re.S)[1].split()
    sources = here.parent / "c"
    every = {f"{name}/{function}" for name in programs for function in functions(sources / f"{name}.c")}
    rows = []
    for name in LIBRARIES:
        path = here / "expected" / f"{name}.txt"
        expected = {test: how for test, how in expectations(path).items() if test in every}
        counts = collections.Counter(expected.values())
        title = path.read_text().splitlines()[0].lstrip("# ")
        hung = counts["crashed"] + counts["slow"]
        numbers = [len(every) - counts["any"], len(every) - len(expected), counts["refused"], counts["different"], hung]
        rows.append(f"| {title} | " + " | ".join(map(str, numbers)) + " |")
    return "\n".join(rows)


def document(write: bool) -> int:
    """Checks or writes that table."""
    path = pathlib.Path(__file__).parents[2] / "docs" / "engines.md"
    text = path.read_text()
    begin, end = "|---|--:|--:|--:|--:|--:|\n", "\n\n"
    start = text.index(begin) + len(begin)
    new = text[:start] + table() + text[text.index(end, start):]
    if write:
        path.write_text(new)
    elif new != text:
        print("docs/engines.md does not say what tests/loaded/expected says; tests/loaded/suite.py --table --write does that")
        return 1
    return 0


def run(program: pathlib.Path, function: str, engine: str, limit: int) -> tuple:
    """Returns how a test function ended, and what it printed."""
    environment = {**os.environ, "WASMRT_BACKEND": engine}
    try:
        done = subprocess.run([program, function], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=limit, errors="replace")
    except subprocess.TimeoutExpired:
        return "slow", ""
    if done.returncode == 0:
        return "passed", ""
    if done.returncode == SKIPPED:
        return "skipped", done.stdout
    if done.returncode != 1:
        return "crashed", done.stdout
    refused = re.search(r" \((?:plain|wasmtime|wasmer|wamr)\) (?:cannot|does not)|backend does not support", done.stdout)
    return "refused" if refused else "different", done.stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--table", action="store_true", help="check, or with --write write, the table in docs/engines.md")
    parser.add_argument("--tests", type=pathlib.Path, help="the folder of the programs")
    parser.add_argument("--sources", type=pathlib.Path, help="the folder of their sources")
    parser.add_argument("--engine", help="the path of the library")
    parser.add_argument("--expected", type=pathlib.Path, help="what does not pass")
    parser.add_argument("--only", nargs="*", default=[], help="programs, instead of all")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--limit", type=int, default=120, help="seconds for each function")
    parser.add_argument("--write", action="store_true", help="write FILE from what happens")
    options = parser.parse_args()
    if options.table:
        return document(options.write)
    if not (options.tests and options.sources and options.engine):
        parser.error("--tests, --sources and --engine are needed")
    if not pathlib.Path(options.engine).exists():
        print(f"skipped: there is no {options.engine}")
        return SKIPPED
    expected = expectations(options.expected) if options.expected and options.expected.exists() else {}
    names = options.only or sorted(source.stem for source in options.sources.glob("*.c"))
    tests = [(name, function) for name in names if (options.tests / name).exists()
             for function in functions(options.sources / f"{name}.c") if expected.get(f"{name}/{function}") != "any"]
    counts, wrong, lines = collections.Counter(), 0, []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        ends = pool.map(lambda test: run(options.tests / test[0], test[1], options.engine, options.limit), tests)
        for (name, function), (end, text) in zip(tests, ends):
            test = f"{name}/{function}"
            counts[end] += 1
            if end not in ("passed", "skipped"):
                lines.append(f"{test} {end}")
            if not options.write and end != expected.get(test, "passed") and end != "skipped":
                wrong += 1
                print(f"{test}: {end}, expected: {expected.get(test, 'passed')}\n{text}", file=sys.stderr)
    if options.write:
        lines += [f"{test} any" for test, how in expected.items() if how == "any"]
        before = options.expected.read_text().splitlines() if options.expected.exists() else []
        comments = [line for line in before if line.startswith("#")]
        options.expected.write_text("\n".join(comments + sorted(lines)) + "\n")
    print(f"{options.engine}: {len(tests)} functions, " + ", ".join(f"{counts[end]} {end}" for end in ENDS))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
