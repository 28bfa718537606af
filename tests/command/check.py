#!/usr/bin/env python3
"""Runs the program wasmrt and checks its exit status, its output and its messages.

check.py PROGRAM VERSION ENGINE...   on the engine that WASMRT_BACKEND names
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile

MODULES = pathlib.Path(__file__).resolve().parent / "modules"
BACKEND = os.environ["WASMRT_BACKEND"]
EPERM, EPIPE, EBADF = 63, 64, 8  # WASI's numbers

HELLO, LOOP, LIBRARY = MODULES / "hello.wat", MODULES / "loop.wat", MODULES / "library.wat"
INSPECTED = """wasi: preview 1 (wasi_snapshot_preview1)
import wasi_snapshot_preview1 / fd_write: func (i32, i32, i32, i32) -> (i32)
import wasi_snapshot_preview1 / proc_exit: func (i32) -> ()
export memory: memory at least 1 page
export _start: func () -> ()
"""
INSPECTED_LIBRARY = """wasi: none
export ready: global mut i32
export memory: memory 1 to 2 pages
export table: table funcref, at least 3 elements
export _initialize: func () -> ()
export is ready: func () -> (i32)
export swap: func (i64, f64) -> (f64, i64)
export add: func (i32, i32) -> (i32)
export fail: func () -> ()
"""

# Wrong use: the words, and what the one line on standard error must have in it.
WRONG = [
    ([], "a command is missing"),
    (["walk"], "there is no command 'walk'"),
    (["--walk"], "there is no option '--walk'"),
    (["help", "walk"], "there is no command 'walk'"),
    (["run"], "run needs a file"),
    (["run", ""], "the name of the file is empty"),
    (["run", "--walk", HELLO], "run has no option '--walk'"),
    (["run", "--fuels=1", HELLO], "run has no option '--fuels=1'"),
    (["run", "--dir"], "--dir needs a value"),
    (["run", "--dir", "/nowhere/at all", HELLO], "/nowhere/at all"),
    (["run", "--dir", "::/guest", HELLO], "--dir needs a directory"),
    (["run", "--dir", ":ro", HELLO], "--dir needs a directory"),
    (["run", "--dir", HELLO, HELLO], "--dir: .*hello.wat"),
    (["run", "--dir", "/::/a", "--dir", "/::/a", HELLO], "--dir: .*/a"),
    (["run", "--env", "=value", HELLO], "--env needs a name"),
    (["run", "--env", "", HELLO], "--env needs a name"),
    (["run", "--fuel", "-1", HELLO], "--fuel needs a number below 2\\^64, not '-1'"),
    (["run", "--fuel", "18446744073709551616", HELLO], "--fuel needs a number"),
    (["run", "--fuel=", HELLO], "--fuel needs a number"),
    (["run", "--timeout", "1h", HELLO], "--timeout needs a time, .*not '1h'"),
    (["run", "--timeout", "inf", HELLO], "--timeout needs a time"),
    (["run", "--timeout", "99999999999999", HELLO], "--timeout needs a time"),
    (["run", "--timeout", ".", HELLO], "--timeout needs a time"),
    (["run", "--max-memory", "1T", HELLO], "--max-memory needs a number of bytes"),
    (["run", "--max-memory", "17179869184G", HELLO], "--max-memory needs a number of bytes"),
    (["run", "--backend", "abacus", HELLO], "abacus"),
    (["run", "/nowhere/module.wasm"], "cannot read /nowhere/module.wasm: No such file or directory"),
    (["run", MODULES], "cannot read .*: Is a directory"),
    (["run", "--invoke", "subtract", LIBRARY], "the module exports no function 'subtract'"),
    (["run", "--invoke", "memory", LIBRARY], "the module exports no function 'memory'"),
    (["run", "--invoke", "add", LIBRARY, "1"], "'add' takes 2 arguments, and 1 is given"),
    (["run", "--invoke", "add", LIBRARY, "1", "2x"], "argument 2 of 'add' is of type i32, which '2x' is not"),
    (["run", "--invoke", "add", LIBRARY, "1", "4294967296"], "argument 2"),
    (["inspect", "--fuel", "1", HELLO], "inspect has no option '--fuel'"),
    (["inspect", HELLO, "more"], "'more' is one word too many"),
    (["validate"], "validate needs a file"),
    (["backends", "all"], "'all' is one word too many"),
    (["compile", "-o"], "-o needs a value"),
    (["wat2wasm", "red\x1b[31m\n.wat"], "cannot read red\\\\1b\\[31m\\\\0a.wat"),
]


class Checker:
    def __init__(self, program, version, backends):
        self.program, self.version, self.backends = program, version, backends
        self.wrong = []

    def check(self, words, status=0, stdout="", stderr="", **options):
        """`stdout` is compared, or matched if it is a pattern; `stderr` is a pattern that the whole must match."""
        done = subprocess.run([self.program, *words], stdout=options.pop("to", subprocess.PIPE), stderr=subprocess.PIPE,
                              stdin=options.pop("stdin", None if "input" in options else subprocess.DEVNULL), **options)
        output, errors = (done.stdout or b"").decode(), done.stderr.decode()
        fits = stdout.search(output) if isinstance(stdout, re.Pattern) else stdout == output
        if done.returncode != status or not fits or not re.fullmatch(stderr, errors):
            expected = stdout.pattern if isinstance(stdout, re.Pattern) else stdout
            self.wrong.append(f"wasmrt {' '.join(map(str, words))}\n"
                              f"  exit status {done.returncode}, expected {status}\n"
                              f"  output {output!r}, expected {expected!r}\n  errors {errors!r}, expected {stderr!r}")

    def wrong_use(self):
        for words, message in WRONG:
            self.check(words, status=2, stderr=f"wasmrt: [^\n]*{message}[^\n]*(?<=; see 'wasmrt help)[ a-z0-9]*'\n")

    def help(self):
        self.check(["--help"], stdout=re.compile("^Usage: wasmrt COMMAND"))
        self.check(["help"], stdout=re.compile("^Usage: wasmrt COMMAND"))
        for command in ["run", "inspect", "validate", "compile", "backends", "wat2wasm"]:
            self.check(["help", command], stdout=re.compile(f"^Usage: wasmrt {command}"))
            self.check([command, "--help"], stdout=re.compile(f"^Usage: wasmrt {command}"))
        self.check(["--version"], stdout=re.compile(f"^wasmrt {re.escape(self.version)} \\(.*{BACKEND} [0-9.]+"))
        for name in self.backends:
            self.check(["backends"], stdout=re.compile(
                f"^{name} [0-9.]+( .default.)?\n  settings:.* fuel.*\n  proposals:.* simd.*\n", re.MULTILINE))

    def guests(self):
        self.check(["run", HELLO], stdout="hello\n")
        self.check(["run", "-"], stdout="hello\n", input=HELLO.read_bytes())
        self.check(["run", "--backend", self.backends[-1], "--", HELLO, "--fuel"], stdout="hello\n")
        self.check(["run", MODULES / "exit.wat"], status=7)
        for status, kept in [(0, 0), (255, 255), (-1, 255), (256, 1)]:
            self.check(["run", "--invoke", "exit", MODULES / "exit.wat", str(status)], status=kept)

        echo = MODULES / "echo.wat"
        self.check(["run", echo, "--env", "", "two words"], stdout=f"{echo}\0--env\0\0two words\0")
        self.check(["run", "--env", "A=1", "--env=B=x=y", "--env", "FROM_HERE", "--env", "NOT_HERE", "--env", "A=2", echo],
                   stdout=re.compile("\0A=2\0B=x=y\0FROM_HERE=here\0$"), env={**os.environ, "FROM_HERE": "here"})
        self.check(["run", MODULES / "copy.wat"], stdout="from here\n" * 1000, input=b"from here\n" * 1000)

    def directories(self, directory):
        (directory / "note").write_text("a note\n")
        read, create = MODULES / "read.wat", MODULES / "create.wat"
        for given in [f"{directory}", f"{directory}::/data", f"{directory}:ro", f"{directory}::.:ro"]:
            self.check(["run", "--dir", given, read], stdout="a note\n")
        self.check(["run", read], status=EBADF)
        self.check(["run", "--dir", f"{directory}:ro", create], status=EPERM)
        self.check(["run", "--dir", f"{directory}::/data:ro", create], status=EPERM)
        if (directory / "new").exists():
            self.wrong.append("a module wrote to a directory that it was given for reading")
        self.check(["run", "--dir", directory, create])
        if not (directory / "new").exists():
            self.wrong.append("a module made no file in its directory")

    def limits(self):
        for time in ["50ms", "0.05", ".05s", "0.001m"]:
            self.check(["run", "--timeout", time, LOOP], status=1, stderr="wasmrt: .*loop.wat: timed out\n(  at .*\n)?")
        reader, writer = os.pipe()  # nothing is ever written
        self.check(["run", "--timeout", "50ms", MODULES / "copy.wat"], status=1, stdin=reader,
                   stderr="wasmrt: .*copy.wat: timed out\n(  at .*\n)?")
        os.close(reader)
        os.close(writer)
        self.check(["run", "--fuel", "100000", LOOP], status=1, stderr="wasmrt: .*loop.wat: .*fuel.*\n(  at .*\n)?")
        grow = ["--invoke", "grow", MODULES / "grow.wat"]
        self.check(["run", *grow], stdout="1\n")
        self.check(["run", "--max-memory", "2M", *grow], stdout="1\n")
        self.check(["run", "--max-memory", "128k", *grow], stdout="-1\n")
        self.check(["run", "--max-memory", "65535", *grow], status=1, stderr="wasmrt: .*grow.wat: .*65535 bytes.*\n")

    def calls(self):
        self.check(["run", "--invoke", "add", LIBRARY, "0xffffffff", "3"], stdout="2\n")
        self.check(["run", "--invoke", "swap", LIBRARY, "-9223372036854775808", "0.1"],
                   stdout="0.1\n-9223372036854775808\n")
        self.check(["run", "--invoke", "is ready", LIBRARY], stdout="1\n")
        self.check(["run", LIBRARY])  # calls _initialize
        frames = "  at inner, function 0, byte 0x[0-9a-f]+ of the module\n  at function [0-9]+, .*\n"
        self.check(["run", "--invoke", "fail", LIBRARY], status=1,
                   stderr="wasmrt: .*library.wat: .*unreachable.*\n" + (frames if BACKEND == "wasmtime" else ""))
        self.check(["run", MODULES / "no_start.wat"], status=1,
                   stderr="wasmrt: .*no_start.wat has no function _start; choose one with --invoke:\n"
                          r"  double: func \(i32\) -> \(i32\)" "\n")
        self.check(["run", MODULES / "foreign.wat"], status=1,
                   stderr="wasmrt: .*foreign.wat needs what wasmrt does not provide:\n"
                          r"  env / red\\1b\[31m: func \(i32\) -> \(\)" "\n" r"  env / two\\0alines: global i32" "\n")

    def inspections(self):
        self.check(["inspect", HELLO], stdout=INSPECTED)
        self.check(["inspect", LIBRARY], stdout=INSPECTED_LIBRARY)
        self.check(["inspect", MODULES / "foreign.wat"],
                   stdout="wasi: none\nimport env / red\\1b[31m: func (i32) -> ()\n"
                          "import env / two\\0alines: global i32\nexport _start: func () -> ()\n")
        self.check(["validate", HELLO])
        for content, message in [(b"", "is empty"), (bytes(range(128, 256)), ".*expected a WebAssembly binary.*"),
                                 (b"\0asm\1\0\0\0\xff", ".*"), (b"\0asm", ".*only the beginning.*"), (b"\0", ".*"),
                                 (b"(module (func (result i32)))", ".*type mismatch.*"), (b"\0wasmrt\1", ".*"),
                                 (b"(module\n  (func (i32.mul))", r"[^\n]*\n[^\n]*:2:19\n(?s:.*)")]:
            for command in ["validate", "inspect", "run", "compile"]:
                self.check([command, "-"], status=1, input=content, stderr=f"wasmrt: -:? {message}\n")
        types = b"(module" + 100_001 * b"(type (func))" + b")"
        for command in [["validate"], ["inspect"], ["run"], ["compile", "-o", "/dev/null"]]:
            self.check([*command, "-"], status=1, input=types, stderr="wasmrt: -: .*100001 types.*; --no-limits accepts .*\n")
        for command in [["validate"], ["compile", "-o", "/dev/null"]]:
            self.check([*command, "--no-limits", "-"], input=types)
        self.check(["inspect", "--no-limits", "-"], input=types, stdout="wasi: none\n")
        self.check(["inspect", "--proposals", "-"], input=b"(module (func (param v128)) (func (result i32 i32) unreachable))",
                   stdout="wasi: none\nproposal multi-value\nproposal simd\n")
        self.check(["wat2wasm", "-o", "-", "-"], status=1, input=b"<html>", stderr="wasmrt: -: .*HTML.*\n")

    def conversions(self, directory):
        """Text and binary of a module are the same to every command; artifacts are run if that is allowed."""
        here = {"cwd": directory}
        self.check(["wat2wasm", HELLO], **here)
        self.check(["compile", "hello.wasm"], **here)
        self.check(["compile", "-o", "other", HELLO], **here)
        self.check(["run", "hello.wasm"], stdout="hello\n", **here)
        self.check(["inspect", "hello.wasm"], stdout=INSPECTED, **here)
        self.check(["validate", "hello.wasm"], **here)
        for file in ["hello.cwasm", "other"]:
            self.check(["run", "--allow-precompiled", file], stdout="hello\n", **here)
            self.check(["run", file], status=1, stderr="wasmrt: .*--allow-precompiled\n", **here)
            self.check(["inspect", file], status=1, stderr="wasmrt: .*--allow-precompiled\n", **here)
            self.check(["validate", file], status=1, stderr="wasmrt: .*serialized module.*\n", **here)
        if (directory / "hello.wasm").read_bytes()[:4] != b"\0asm":
            self.wrong.append("wat2wasm did not write a binary")
        self.check(["wat2wasm", "hello.wasm"], status=2, stderr="wasmrt: .*name another with -o; see .*\n", **here)
        self.check(["compile", "--fuel", "--timeout", "-o", "limited", LOOP], **here)
        self.check(["run", "--fuel", "100000", "--timeout", "60", "--allow-precompiled", "limited"], status=1,
                   stderr="wasmrt: limited: .*fuel.*\n(  at .*\n)?", **here)
        self.check(["run", "--allow-precompiled", "limited"], status=1, stderr="wasmrt: limited: .*(settings|fuel).*\n", **here)
        self.check(["wat2wasm", "-o", "no/where", HELLO], status=1, stderr="wasmrt: cannot write no/where: .*\n", **here)
        damaged = bytearray((directory / "hello.cwasm").read_bytes())
        damaged[-1] ^= 1
        (directory / "damaged").write_bytes(damaged)
        self.check(["run", "--allow-precompiled", "damaged"], status=1, stderr="wasmrt: damaged: .*\n", **here)

    def streams(self):
        """Standard output that is closed, full, or has no reader; a guest that closes its own."""
        closed = ["sh", "-c", 'exec "$@" >&-', "sh", self.program]
        full = ["sh", "-c", 'exec "$@" >/dev/full', "sh", self.program]
        program = self.program
        for wrapper, reason in [(closed, "Bad file descriptor"), (full, "No space left on device")]:
            self.program, words = wrapper[0], wrapper[1:]
            self.check([*words, "inspect", HELLO], status=1, stderr=f"wasmrt: cannot write to standard output: {reason}\n")
            self.check([*words, "--version"], status=1, stderr=f"wasmrt: cannot write to standard output: {reason}\n")
        self.check([*closed[1:], "run", HELLO], status=EBADF)
        self.program = program
        reader, writer = os.pipe()
        os.close(reader)
        self.check(["run", HELLO], status=EPIPE, to=writer)
        self.check(["inspect", HELLO], status=-signal.SIGPIPE, to=writer)
        os.close(writer)
        self.check(["run", MODULES / "close.wat"], status=EBADF)
        self.check(["run", "--invoke", "answer", MODULES / "close.wat"], stdout=f"{EBADF}\n")


def main():
    program, version, *backends = sys.argv[1:]
    checker = Checker(program, version, backends)
    checker.help()
    checker.wrong_use()
    checker.guests()
    checker.limits()
    checker.calls()
    checker.inspections()
    checker.streams()
    with tempfile.TemporaryDirectory() as directory:
        checker.directories(pathlib.Path(directory))
        checker.conversions(pathlib.Path(directory))
    for problem in checker.wrong:
        print(problem)
    sys.exit(1 if checker.wrong else 0)


if __name__ == "__main__":
    main()
