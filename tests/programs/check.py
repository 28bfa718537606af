#!/usr/bin/env python3
"""Runs a program for WASI and checks what it prints and writes, on the engine that WASMRT_BACKEND names.

check.py PROGRAM FILES COMMAND [HOST]   FILES is what scripts/fetch PROGRAM made, COMMAND is wasmrt, and HOST the program
                                        of this folder that runs PROGRAM in its place
With --show, prints the command that is run and its output for a reader, and checks nothing.

Exit status 77 if FILES are not there.
"""

import hashlib
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

SKIPPED = 77
BACKEND = os.environ.get("WASMRT_BACKEND", "wasmtime")
SHOW = sys.argv[1] == "--show"
PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" width="320" height="200">
  <defs><linearGradient id="sky"><stop offset="0" stop-color="#08f"/><stop offset="1" stop-color="#fff"/></linearGradient></defs>
  <rect width="320" height="200" fill="url(#sky)"/>
  <path d="M10 190 C 80 10, 160 10, 310 190 Z" fill="#4a4" stroke="#252" stroke-width="3"/>
  <g transform="rotate(12 250 50)"><circle cx="250" cy="50" r="30" fill="#fc0" opacity="0.8"/></g>
</svg>
"""
PICTURE_SHA256 = "bfb8ad90f697e981c44c50f9429ff6c3c3be437951ea004db1f215fb2948eb07"
MICROPYTHON = """
import host, json, os
with open("/w/note", "w") as file:
    file.write("a note\\n")
os.rename("/w/note", "/w/renamed")
with open("/w/renamed") as file:
    print(json.dumps({"answer": 6 * 7}), os.listdir("/w"), repr(file.read()), os.stat("/w/renamed")[6])
print(host.call("greet", "every engine"))
try:
    open("/w/nothing")
except OSError as error:
    print("errno", error.errno)
"""
JAVASCRIPT = """
console.log("6*7 =", 6 * 7, [3, 1, 2].sort().map(x => x ** 2), 2n ** 70n);
console.log(/(?<y>\\d+)-(?<m>\\d+)/.exec("2026-11").groups.m, JSON.stringify({ a: [1, { b: null }] }));
try { null.x; } catch (error) { console.log(error instanceof TypeError); }
const file = std.open("/w/note.js", "w");
file.puts("globalThis.answer = 42;");
file.close();
std.loadScript("/w/note.js");
console.log(answer, os.readdir("/w")[0].sort().join(), os.stat("/w/note.js")[0].size, os.remove("/w/note.js"));
console.log(os.platform, os.open("/w/nothing", os.O_RDONLY));
"""


class Failure(Exception):
    pass


def run(*words, expected="", errors="", status=0, **options):
    """Runs a command, which must print what is expected and nothing else, and exit with that status."""
    if SHOW:
        print(f"== on {BACKEND}: {words[-1]}", flush=True)
        if subprocess.run(words, **options).returncode != status:
            raise Failure(f"the exit status is not {status}")
        return
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **options)
    got = (done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace"), done.returncode)
    command = " ".join(shlex.quote(str(word)) for word in words)
    for what, is_, wanted in zip(["output", "errors", "exit status"], got, [expected, errors, status]):
        if is_ != wanted:
            raise Failure(f"{command}\n{what}: {is_!r}\nexpected: {wanted!r}\nerrors:\n{got[1]}")


def documented_python():
    """The README's command, for sh."""
    readme = pathlib.Path(__file__).resolve().parents[2] / "README.md"
    lines = [line.strip() for line in readme.read_text().splitlines() if line.startswith("    wasmrt run --dir . python-")]
    if len(lines) != 1:
        raise Failure("README.md does not have its one line with Python")
    return lines[0]


def python(module, command, host, directory):
    environment = {**os.environ, "PATH": f"{command.parent}:{os.environ['PATH']}"}
    (directory / module.name).symlink_to(module)
    run("sh", "-c", documented_python(), cwd=directory, env=environment, expected="3.12.0 ['python-3.12.0.wasm']\n")


def micropython(module, command, host, directory):
    if BACKEND == "wasmi":  # has no exceptions, and the module is made of them
        run(host, module, directory, MICROPYTHON, status=1,
            errors="error: cannot compile the module: exceptions proposal not enabled (at offset 0xb42)\n")
        return
    run(host, module, directory, MICROPYTHON,
        expected="""{"answer": 42} ['renamed'] 'a note\\n' 7\ngreet: every engine\nerrno 44\n""")


def quickjs(module, command, host, directory):
    run(host, module, directory, "--std", "-e", JAVASCRIPT,
        expected="""6*7 = 42 1,4,9 1180591620717411303424\n11 {"a":[1,{"b":null}]}\ntrue\n"""
                 "42 .,..,note.js 23 0\nwasi -44\n")
    if list(directory.iterdir()):
        raise Failure("the file was not removed")


def resvg(module, command, host, directory):
    (directory / "picture.svg").write_text(PICTURE)
    run(command, "run", "--dir", f"{directory}::/w", module, "/w/picture.svg", "/w/picture.png")
    png = (directory / "picture.png").read_bytes()
    if png[:8] != b"\x89PNG\r\n\x1a\n" or png[12:16] != b"IHDR" or struct.unpack(">II", png[16:24]) != (320, 200):
        raise Failure(f"not a PNG of 320 by 200 pixels: {png[:24]}")
    if hashlib.sha256(png).hexdigest() != PICTURE_SHA256:
        raise Failure(f"another picture, with the SHA-256 {hashlib.sha256(png).hexdigest()}")


def sqlite(module, command, host, directory):
    database = directory / "d"
    database.mkdir()

    def sql(text, expected=""):
        run(command, "run", "--allow-precompiled", "--dir", f"{database}::/d", directory / "sqlite.cwasm", "/d/test.db", text,
            expected=expected)

    run(command, "compile", "-o", directory / "sqlite.cwasm", module)
    sql("create table t(a, b); insert into t values(1, 'x'), (2, 'y'); select sum(a), group_concat(b) from t;", "3|x,y\n")
    sql("begin; with recursive n(i) as (select 1 union all select i + 1 from n where i < 20000) "
        "insert into t select i, hex(i) from n; create index by_b on t(b); commit; delete from t where a % 2; vacuum;")
    sql("select sqlite_version(), count(*), sum(a), max(b) from t; pragma integrity_check;",
        "3.54.1|10001|100010002|y\nok\n")
    left = [path.name for path in database.iterdir()]
    if left != ["test.db"]:
        raise Failure(f"the directory has {left}")


PROGRAMS = {
    "python": (python, "python-3.12.0.wasm"),
    "micropython": (micropython, "micropython-wasi.wasm"),
    "quickjs": (quickjs, "qjs-wasi-reactor.wasm"),
    "resvg": (resvg, "resvg.wasm"),
    "sqlite": (sqlite, "sqlite.wasm"),
}


def main():
    name, *paths = sys.argv[2 if SHOW else 1:]
    files, command, host = [pathlib.Path(path) for path in paths] + [None] * (3 - len(paths))
    check, file = PROGRAMS[name]
    if not (files / file).exists():
        if SHOW:
            return 0
        print(f"skipped: {files / file} is not there")
        return SKIPPED
    try:
        with tempfile.TemporaryDirectory() as directory:
            check(files / file, command, host, pathlib.Path(directory))
    except Failure as failure:
        print(failure)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
