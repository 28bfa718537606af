#!/usr/bin/env python3
"""Checks that every function of wasmrt.h has its C++ form in wasmrt.hh, and that the C++ tests call all of those and
every function of wasm.h that wasm.hh names.

What is called is seen as in tests/header/called.py: the dynamic linker tells which functions the programs bind.
"""

import argparse
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "header"))
from c_header import Header  # noqa: E402
from called import called_by, control  # noqa: E402


def named_by(text, functions):
    """The functions whose names are in the text of a header, or are made by a macro out of parts: `wasm_##name##_copy`."""
    text = re.sub(r"//[^\n]*", "", text)
    words = set(re.findall(r"\w+", text))
    patterns = [re.sub(r"##\w+##", r"\\w+", part) for part in set(re.findall(r"\w+##\w+##\w+", text))]
    return {name for name in functions
            if name in words or any(re.fullmatch(pattern, name) for pattern in patterns)}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of the headers")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    parser.add_argument("programs", type=pathlib.Path, nargs="+", help="the C++ test programs")
    options = parser.parse_args()

    additions = set(Header(options.include / "wasmrt.h").functions)
    standard = named_by((options.include / "wasm.hh").read_text(), Header(options.include / "wasm.h").functions)
    wrapped = named_by((options.include / "wasmrt.hh").read_text(), additions)
    problems = control(options.include.resolve(), options.library.resolve())
    problems += [f"{name}: wasmrt.hh does not have it" for name in sorted(additions - wrapped)]
    called, failed = called_by(options.programs)
    problems += failed
    problems += [f"{name}: no C++ test calls it" for name in sorted((standard | wrapped) - called)]
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{len(options.programs)} programs call all {len(additions)} functions of wasmrt.h through wasmrt.hh, and the "
          f"{len(standard)} of wasm.h that wasm.hh needs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
