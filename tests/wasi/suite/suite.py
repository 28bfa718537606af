#!/usr/bin/env python3
"""Runs a program of the suite in a directory that is laid out for it, and compares what it prints, line by line.

    suite.py PROGRAM.wasm --host HOST            on a backend of wasmrt; HOST is host.c
    suite.py PROGRAM.wasm --oracle FOLDER        on wasmtime's own WASI, from the Python package in FOLDER
    suite.py PROGRAM.wasm --oracle FOLDER --write

expected/ has what wasmtime prints, which --write writes. differences.txt has the lines that are others with wasmrt, each
under its reason; a line there that does not differ is an error as well.
"""

import argparse
import contextlib
import ctypes
import os
import pathlib
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
TIME = 1_500_000_000
LARGEST_FILE = 1 << 24
MOST_FILES = 1100  # of them the programs can wait for a thousand at once
# What needs a second file system, and a system that does not let the superuser do everything.
ELSEWHERE, PERMISSION = "another file system", "permission"


def lay_out(root):
    """What the programs find."""
    for name in ("rw/dir/sub", "rw/hollow", "rw/bare", "rw/many", "rw/closed/sub", "ro/dir", "ro/hollow"):
        (root / name).mkdir(parents=True)
    files = {"rw/file": "0123456789", "rw/empty": "", "rw/dir/inner": "inner", "rw/truncated": "text",
             "rw/readable": "text", "rw/unreadable": "text", "rw/closed/file": "text", "ro/file": "read only",
             "ro/dir/inner": "inner", "outside": "secret"}
    for name, text in files.items():
        (root / name).write_text(text)
    for number in range(300):
        (root / f"rw/many/entry-{number:03}").touch()
    links = {"link": "file", "chain": "link", "dirlink": "dir", "dangling": "nothing", "loop": "loop-too",
             "loop-too": "loop", "up": "..", "upchain": "up/outside", "absolute": "/etc", "movable": "file",
             "removable": "dir"}
    for name, to in links.items():
        (root / "rw" / name).symlink_to(to)
    (root / "ro/link").symlink_to("file")
    os.mkfifo(root / "rw/fifo")
    with socket.socket(socket.AF_UNIX) as server:
        # Its name may be no longer than 107 bytes.
        former = os.getcwd()
        os.chdir(root / "rw")
        server.bind("socket")
        os.chdir(former)
    os.utime(root / "ro/file", (TIME, TIME))
    (root / "rw/readable").chmod(0o444)
    (root / "rw/unreadable").chmod(0)
    (root / "rw/closed").chmod(0)


def restrict():
    """In the process that runs the program: limits that it can reach, and permissions that hold for the superuser, too."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_FILES, MOST_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    drop_capability, dac_override, dac_read_search = 24, 1, 2
    for capability in (dac_override, dac_read_search):
        ctypes.CDLL(None).prctl(drop_capability, capability, 0, 0, 0)


def run(command):
    """The lines that a program prints, and what its directory outside of those it was given has afterwards."""
    root = pathlib.Path(tempfile.mkdtemp(prefix="wasmrt-suite-"))
    shared = pathlib.Path("/dev/shm")
    other = pathlib.Path(tempfile.mkdtemp(prefix="wasmrt-suite-", dir=shared if shared.is_dir() else None))
    try:
        lay_out(root)
        left_out = [ELSEWHERE] if root.stat().st_dev == other.stat().st_dev else []
        done = subprocess.run([*command, root, other], stdout=subprocess.PIPE, timeout=300, preexec_fn=restrict,
                              restore_signals=False)
        lines = done.stdout.decode(errors="backslashreplace").splitlines()
        if done.returncode != 0:
            lines.append(f"host: ended with {done.returncode}")
        if sorted(os.listdir(root)) != ["outside", "ro", "rw"] or (root / "outside").read_text() != "secret":
            lines.append("outside: it was changed")
        return lines, left_out
    finally:
        with contextlib.suppress(OSError):
            (root / "rw/closed").chmod(0o700)
        shutil.rmtree(root)
        shutil.rmtree(other)


def run_on_wasmtime(program, root, other):
    """The guest on wasmtime, again after each trap from the check behind it on."""
    import wasmtime
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, program)
    printed = bytearray()
    while True:
        config = wasmtime.WasiConfig()
        config.argv = ["suite", str(printed.count(b"\n"))]
        config.env = [("NAME", "value"), ("EMPTY", "")]
        with open(f"{root}/input", "w") as file:
            file.write("input")
        config.stdin_file = f"{root}/input"
        os.unlink(f"{root}/input")
        config.stdout_custom = lambda text: printed.extend(text)
        config.stderr_file = "/dev/full"
        config.preopen_dir(f"{root}/rw", "/rw")
        config.preopen_dir(f"{root}/ro", "/ro", False)
        config.preopen_dir(other, "/other")
        linker, store = wasmtime.Linker(engine), wasmtime.Store(engine)
        linker.define_wasi()
        store.set_wasi(config)
        instance = linker.instantiate(store, module)
        try:
            instance.exports(store)["_start"](store)
            status = 0
        except wasmtime.ExitTrap as end:
            status = end.code
        except wasmtime.WasmtimeError as error:
            print(error, file=sys.stderr)
            printed += b"TRAP\n"
            continue
        sys.stdout.buffer.write(bytes(printed) + b"exit status: %d\n" % status)
        return


def parts(line):
    what, separator, came = line.rpartition(": ")
    return (what, came) if separator else (line, "")


def read_differences(program):
    """What wasmrt prints instead, by what was done."""
    differences = {}
    for line in (HERE / "differences.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(": ")
            if name == program:
                what, came = parts(rest)
                differences[what] = came
    return differences


def compare(lines, expected, left_out):
    wanted, got = dict(map(parts, expected)), dict(map(parts, lines))
    if len(got) != len(lines):
        print("two lines are about the same")
        return False
    if list(wanted) != list(got):
        for what in [*wanted, *got]:
            if what not in got or what not in wanted:
                print(f"{what}: is {'missing' if what in wanted else 'new'}")
    wrong = [what for what in wanted if wanted[what] != got.get(what) and not any(part in what for part in left_out)]
    for what in wrong:
        print(f"{what}: {got.get(what)}, expected {wanted[what]}")
    return not wrong and list(wanted) == list(got)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--host")
    parser.add_argument("--oracle")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--without", action="append", default=[], help="leave out checks that begin with this")
    parser.add_argument("--guest", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.guest:
        sys.path.insert(0, options.oracle)
        return run_on_wasmtime(options.program, *options.guest)
    name = pathlib.Path(options.program).name.partition(".")[0]
    command = [options.host, options.program]
    if options.oracle:
        command = [sys.executable, __file__, options.program, "--oracle", options.oracle, "--guest"]
    lines, left_out = run(command)
    file = HERE / "expected" / f"{name}.txt"
    if options.write:
        file.write_text("\n".join(lines) + "\n")
        return 0
    expected = [line for line in file.read_text().splitlines() if not line.startswith(tuple(options.without))]
    good = True
    if options.host:
        differences = read_differences(name)
        for position, (what, came) in enumerate(map(parts, expected)):
            if what in differences:
                if differences[what] == came:
                    print(f"{what}: is in differences.txt, and is no difference")
                    good = False
                expected[position] = f"{what}: {differences.pop(what)}"
        for what in differences:
            if not what.startswith(tuple(options.without)):
                print(f"{what}: is in differences.txt, and is no check of {name}")
                good = False
    good = compare(lines, expected, left_out) and good
    print(f"{len(lines)} lines, {'as' if good else 'not all as'} expected")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
