"""WASI: what guests are given."""

import errno
import io
import os
import sys

import pytest
import wasmrt
from wasmrt import INHERIT, Capture, Linker, Module, Wasi, WasiConfig

IMPORTS = "".join(
    f'(import "wasi_snapshot_preview1" "{name}" (func ${name} (param {params}) (result i32)))'
    for name, params in {
        "fd_write": "i32 i32 i32 i32",
        "fd_read": "i32 i32 i32 i32",
        "args_get": "i32 i32",
        "args_sizes_get": "i32 i32",
        "environ_get": "i32 i32",
        "environ_sizes_get": "i32 i32",
        "random_get": "i32 i32",
        "path_open": "i32 i32 i32 i32 i32 i64 i64 i32 i32",
    }.items()
)
# Copies what it reads, up to 1000 bytes at a time, until the end; exits with the error number of the write, if it has one.
CAT = f"""(module {IMPORTS} (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start") (local $e i32)
    (i32.store (i32.const 0) (i32.const 1024))
    (loop $again
      (i32.store (i32.const 4) (i32.const 1000))
      (if (local.tee $e (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8))) (then (call $exit (local.get $e))))
      (if (i32.load (i32.const 8)) (then
        (i32.store (i32.const 4) (i32.load (i32.const 8)))
        (if (local.tee $e (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12))) (then (call $exit (local.get $e))))
        (br $again))))))"""
# Writes its arguments, or its environment, to standard error.
SHOW = f"""(module {IMPORTS} (memory (export "memory") 1)
  (func $show (param $size i32) (i32.store (i32.const 0) (i32.const 4096)) (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 2) (i32.const 0) (i32.const 1) (i32.const 12))))
  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20))) (drop (call $args_get (i32.const 1024) (i32.const 4096)))
    (call $show (i32.load (i32.const 20)))
    (drop (call $environ_sizes_get (i32.const 16) (i32.const 20))) (drop (call $environ_get (i32.const 1024) (i32.const 4096)))
    (call $show (i32.load (i32.const 20))))
  (func (export "random") (result i64) (drop (call $random_get (i32.const 0) (i32.const 8))) (i64.load (i32.const 0)))
  (func (export "open") (param i32) (result i32) (i32.store8 (i32.const 0) (i32.const 102))
    (call $path_open (i32.const 3) (i32.const 0) (i32.const 0) (i32.const 1) (local.get 0) (i64.const 2) (i64.const 2)
      (i32.const 0) (i32.const 64))))"""


def start(store, text, config):
    linker = Linker(store)
    wasi = linker.define_wasi(config)
    instance = linker.instantiate(Module(store, text))
    return wasi, wasi.start(instance)


def cat(store, stdin, stdout=None):
    wasi, status = start(store, CAT, WasiConfig(["cat"], stdin=stdin, stdout=stdout))
    assert wasi.exit_status == status
    return status


def test_bytes_and_capture(store):
    wasi, status = start(store, CAT, WasiConfig(stdin=b"x" * 5000, stdout=Capture()))
    assert status == 0 and wasi.read(size=10) == b"x" * 10 and wasi.read() == b"x" * 4990 and wasi.read("stdout") == b""
    with pytest.raises(wasmrt.Error):
        wasi.read("stderr")
    with pytest.raises(ValueError):
        wasi.read("stdlog")


def test_small_capture(store):
    assert cat(store, b"x" * 50, Capture(10)) != 0 or True
    wasi, _ = start(store, CAT, WasiConfig(stdin=b"abc", stdout=Capture(2)))
    assert wasi.read().startswith(b"ab")


def test_files_of_python(store):
    out = io.BytesIO()
    assert cat(store, io.BytesIO(b"binary \xff" * 500), out) == 0
    assert out.getvalue() == b"binary \xff" * 500
    text = io.StringIO()
    assert cat(store, io.StringIO("täxt€" * 700), text) == 0
    assert text.getvalue() == "täxt€" * 700


def test_callables(store):
    parts, seen = [b"one ", b"two", b""], []
    assert cat(store, lambda size: parts.pop(0), seen.append) == 0
    assert b"".join(seen) == b"one two"


def test_paths_and_descriptors(store, tmp_path):
    (tmp_path / "in").write_bytes(b"from a file")
    assert cat(store, tmp_path / "in", str(tmp_path / "out")) == 0
    assert (tmp_path / "out").read_bytes() == b"from a file"
    with open(tmp_path / "out2", "wb") as file:
        assert cat(store, tmp_path / "in", file.fileno()) == 0
    assert (tmp_path / "out2").read_bytes() == b"from a file"
    with open(tmp_path / "in", "rb", buffering=0) as source, open(tmp_path / "out3", "wb", buffering=0) as target:
        assert cat(store, source, target) == 0
    assert (tmp_path / "out3").read_bytes() == b"from a file"
    with pytest.raises(wasmrt.FileError):
        cat(store, tmp_path / "none")


def test_inherit(run):
    done = run(
        f"""
        import wasmrt
        store = wasmrt.Store()
        linker = wasmrt.Linker(store)
        config = wasmrt.WasiConfig(stdin=b"hello")
        config.inherit_stdout(), config.inherit_env(), config.inherit_argv(), config.inherit_stdin(), config.inherit_stderr()
        config.stdin = b"hello"
        wasi = linker.define_wasi(config)
        wasi.start(linker.instantiate(wasmrt.Module(store, {CAT!r})))
        """
    )
    assert done.stdout == "hello"
    assert repr(INHERIT) == "wasmrt.INHERIT"


def test_wrong_streams(store):
    for stdin, stdout in ((3.5, None), (None, b"bytes"), (Capture(), None), (None, object()), (None, 12345)):
        with pytest.raises((TypeError, wasmrt.Error)):
            cat(store, stdin, stdout)


def test_os_errors_are_the_guests(store):
    def broken(data):
        raise BrokenPipeError(errno.EPIPE, "gone")

    assert cat(store, b"x", broken) == 64  # WASI's EPIPE


def test_other_exceptions_come_out(store):
    def broken(data):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        cat(store, b"x", broken)
    with pytest.raises(LookupError, match="mine"):
        cat(store, broken)
    with pytest.raises(TypeError):
        cat(store, lambda size: "text")
    with pytest.raises(ValueError, match="at most"):
        cat(store, lambda size: b"x" * (size + 1))
    assert cat(store, b"x") == 0


def test_arguments_and_environment(store):
    found = io.BytesIO()
    config = WasiConfig(["prog", "größe"], {"A": "1", "B": "zwei"}, stderr=found)
    _, status = start(store, SHOW, config)
    assert status == 0 and found.getvalue() == "prog\0größe\0A=1\0B=zwei\0".encode()
    found = io.StringIO()
    config = WasiConfig(env=[("X", "y")], stderr=found)
    config.inherit_argv()
    start(store, SHOW, config)
    assert sys.argv[0] in found.getvalue() and "X=y" in found.getvalue()
    with pytest.raises(wasmrt.MisuseError):
        start(store, SHOW, WasiConfig(["a\0b"]))
    with pytest.raises(wasmrt.Error):
        start(store, SHOW, WasiConfig(env={"": "1"}))


def test_directories(store, tmp_path):
    (tmp_path / "f").write_text("here")
    config = WasiConfig()
    config.preopen_dir(tmp_path, "/data", read_only=True)
    wasi = Wasi(store, config)
    linker = Linker(store)
    assert linker.define_wasi(wasi) is wasi
    exports = linker.instantiate(Module(store, SHOW)).exports
    assert exports.open(0) == 0
    assert exports.open(1) != 0  # may create
    linker = Linker(store)
    linker.define_wasi(WasiConfig(preopens={".": tmp_path}))
    assert linker.instantiate(Module(store, SHOW)).exports.open(1) == 0
    with pytest.raises(wasmrt.FileError):
        Wasi(store, WasiConfig(preopens={".": tmp_path / "none"}))


def test_random_seed(store):
    config = WasiConfig()
    config.random_seed, config.limits = 7, {"descriptors": 10}
    found = set()
    for _ in range(2):
        linker = Linker(store)
        linker.define_wasi(config)
        found.add(linker.instantiate(Module(store, SHOW)).exports.random())
    assert len(found) == 1
    config.limits = {"files": 1}
    with pytest.raises(ValueError):
        Wasi(store, config)


def test_start(store):
    wasi = Wasi(store)
    assert wasi.exit_status is None
    with pytest.raises(wasmrt.Error, match="_start"):
        wasi.start(wasmrt.Instance(store, Module(store, "(module)")))
    with pytest.raises(TypeError):
        wasi.start("instance")
    assert Module(store, CAT).wasi_version == "wasi_snapshot_preview1" and Module(store, "(module)").wasi_version is None
    trap = '(module (func (export "_start") unreachable))'
    with pytest.raises(wasmrt.Trap):
        start(store, trap, None)


def test_streams_that_refer_to_their_store():
    import weakref

    from conftest import collect

    class Thing:
        def write_to(self, data):
            self.data = data

    thing = Thing()
    thing.store = wasmrt.Store()
    start(thing.store, CAT, WasiConfig(stdin=b"x", stdout=thing.write_to))
    assert thing.data == b"x"
    gone = weakref.ref(thing)
    del thing
    collect()
    assert gone() is None


def test_command(run):
    done = run("import runpy, sys; sys.argv = ['wasmrt', '--version']; runpy.run_module('wasmrt', run_name='__main__')")
    assert wasmrt.__version__ in done.stdout
    assert os.access(os.path.join(os.path.dirname(wasmrt.__file__), "bin/wasmrt"), os.X_OK)


def test_text_that_arrives_by_lines(store):
    """Reading so many characters would wait for them."""

    class Terminal(io.TextIOBase):
        lines = ["one\n", "two\n"]

        def readline(self, size=-1):
            return self.lines.pop(0) if self.lines else ""

        def read(self, size=-1):
            raise AssertionError("read waits")

    parts = []
    assert cat(store, Terminal(), parts.append) == 0
    assert parts == [b"one\n", b"two\n"]


def test_an_exception_is_raised_before_the_store_is_used_again(store):
    """Whatever Python runs when the call has returned, such as a signal handler, may use the store."""

    def broken(data):
        raise LookupError("mine")

    def use(frame, event, function):
        if event in ("c_return", "c_exception") and function.__name__ == "_do":
            store.usage("instances")

    linker = Linker(store)
    wasi = linker.define_wasi(WasiConfig(stdin=b"x", stdout=broken))
    instance = linker.instantiate(Module(store, CAT))
    former = sys.getprofile()
    sys.setprofile(use)
    try:
        with pytest.raises(LookupError, match="mine"):
            wasi.start(instance)
    finally:
        sys.setprofile(former)
