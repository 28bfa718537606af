#!/usr/bin/env python3
"""Checks that the C tests call every function that the headers declare.

The programs are run once more with the dynamic linker telling which symbols it binds; as they are linked for lazy
binding, it binds a function when it is called, not before. A small program of which the answer is known shows that the
method sees calls and only calls.
"""

import argparse
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from c_header import Header, compile_c

CONTROL = """#include <wasmrt.h>
int main(int count, char** arguments) {
  (void)arguments;
  if (count > 1000) wasmrt_last_error_clear();
  return wasmrt_version() ? 0 : 1;
}
"""


def called_by(programs):
    """Names of the library's functions that the programs call, and messages about programs that fail."""
    called, problems = set(), []
    with tempfile.TemporaryDirectory() as temporary:
        trace = pathlib.Path(temporary) / "trace"
        environment = {**os.environ, "LD_DEBUG": "bindings", "LD_DEBUG_OUTPUT": str(trace)}
        environment.pop("LD_BIND_NOW", None)
        for program in programs:
            run = subprocess.run([program], env=environment, capture_output=True, text=True)
            if run.returncode not in (0, 77):
                problems.append(f"{program.name}: exit status {run.returncode}\n{run.stdout}{run.stderr}")
            binding = re.compile(rf"binding file \S*{re.escape(program.name)} \[0\] to \S*libwasmrt\S* \[0\]: "
                                 r"normal symbol `(\w+)'")
            for file in trace.parent.iterdir():  # one for each process
                called.update(binding.findall(file.read_text(errors="replace")))
                file.unlink()
    return called, problems


def control(include, library):
    with tempfile.TemporaryDirectory() as temporary:
        program = pathlib.Path(temporary) / "control"
        succeeded, diagnostics = compile_c(
            [f"-I{include}", "-o", str(program), f"-L{library}", f"-Wl,-rpath,{library}", "-Wl,-z,lazy",
             "-Wl,--no-as-needed", "-lwasmrt"], CONTROL)
        if not succeeded:
            return [f"control: {diagnostics}"]
        called, problems = called_by([program])
    return problems or ([] if called == {"wasmrt_version"} else [f"control: saw {called}, expected wasmrt_version"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--include", type=pathlib.Path, required=True, help="directory of wasm.h and wasmrt.h")
    parser.add_argument("--library", type=pathlib.Path, required=True, help="directory of libwasmrt.so")
    parser.add_argument("programs", type=pathlib.Path, nargs="+", help="the C test programs")
    options = parser.parse_args()

    declared = {name for header in ("wasm.h", "wasmrt.h") for name in Header(options.include / header).functions}
    problems = control(options.include.resolve(), options.library.resolve())
    called, failed = called_by(options.programs)
    problems += failed
    problems += [f"{name}: no C test calls it" for name in sorted(declared - called)]
    for problem in problems:
        print(problem)
    if problems:
        return 1
    print(f"{len(options.programs)} programs call all {len(declared)} functions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
