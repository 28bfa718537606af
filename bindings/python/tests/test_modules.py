"""Engines, modules, instances and linkers."""

import copy
import dataclasses
import inspect
import os

import pytest
import wasmrt
from wasmrt import Config, Engine, ExportType, Func, FuncType, ImportType, Instance, Linker, Module, Store

ADD = '(module $adder (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))'


def test_backends():
    assert wasmrt.backends and all(backend.version[0].isdigit() for backend in wasmrt.backends)
    backend = Engine().backend
    assert backend in wasmrt.backends
    assert backend.supports("fuel") and backend.supports_proposal("simd")
    with pytest.raises(ValueError, match="there is no setting 'speed'"):
        backend.supports("speed")
    fields = {field.name for field in dataclasses.fields(Config)}
    assert set(wasmrt._config._SETTINGS) <= fields
    assert isinstance(Engine(Config(max_shards=1)).module_count, int)
    with pytest.raises(wasmrt.MisuseError):
        Engine(Config(max_shards=0))
    for name in wasmrt.backends:
        assert Engine(Config(backend=name)).backend == name


def test_config_errors():
    for config in (Config(backend="v8"), Config(compiler="gcc"), Config(proposals={"magic": True}), Config(max_wasm_stack=0)):
        with pytest.raises((wasmrt.Error, ValueError)):
            Engine(config)
    with pytest.raises(wasmrt.UnsupportedError, match="wasmi"):
        if "wasmi" not in wasmrt.backends:
            raise wasmrt.UnsupportedError("wasmi")
        Engine(Config(backend="wasmi", optimization="speed"))


def test_proposal_off():
    engine = Engine(Config(proposals={"multi-value": False}))
    with pytest.raises(wasmrt.CompileError):
        Module(engine, "(module (func (result i32 i32) unreachable))")


def test_sources(engine, tmp_path):
    binary = wasmrt.wat2wasm(ADD)
    assert binary[:4] == b"\0asm"
    for name, contents in (("m.wasm", binary), ("m.wat", ADD.encode())):
        (tmp_path / name).write_bytes(contents)
    modules = [
        Module(engine, ADD),
        Module(engine, binary),
        Module(engine, bytearray(binary)),
        Module(engine, memoryview(binary)),
        Module(Store(engine), binary),
        Module.from_file(engine, tmp_path / "m.wasm"),
        Module.from_file(engine, str(tmp_path / "m.wat")),
    ]
    for module in modules:
        assert Instance(Store(engine), module).exports.add(2, 3) == 5
    with pytest.raises(OSError):
        Module.from_file(engine, tmp_path / "none.wasm")


def test_bad_modules(engine):
    with pytest.raises(wasmrt.CompileError) as caught:
        Module(engine, b"\0asm\1\0\0\0\x63")
    assert caught.value.offset is not None
    with pytest.raises(wasmrt.CompileError, match="1:"):
        Module(engine, "(modul)")
    with pytest.raises(TypeError):
        Module(engine, 7)
    with pytest.raises(TypeError):
        Module("engine", ADD)
    with pytest.raises(wasmrt.CompileError):
        Module.validate(engine, "(module (func (result i32)))")
    Module.validate(engine, ADD)


def test_reflection(engine):
    module = Module(engine, """(module $m (import "a" "f" (func (param i32))) (import "a" "g" (global (mut i64)))
      (import "b" "t" (table 1 2 funcref)) (import "b" "m" (memory 1 3)) (func (export "f") (result f64) (f64.const 0)))""")
    assert module.imports == [
        ImportType("a", "f", FuncType(["i32"])),
        ImportType("a", "g", wasmrt.GlobalType("i64", True)),
        ImportType("b", "t", wasmrt.TableType("funcref", 1, 2)),
        ImportType("b", "m", wasmrt.MemoryType(1, 3)),
    ]
    assert module.exports == [ExportType("f", FuncType([], ["f64"]))]
    assert module.name == "m"
    module.name = "other"
    assert module.name == "other"
    assert Module(engine, "(module)").name is None
    module = Module(engine, '(module (@custom "one" "\\01\\02") (@custom "two" ""))')
    assert module.custom_sections == [("one", b"\1\2"), ("two", b"")]


def test_serialization(engine, tmp_path):
    data = Module(engine, ADD).serialize()
    assert Instance(Store(engine), Module.deserialize(engine, data)).exports.add(1, 2) == 3
    Module(engine, ADD).serialize_to_file(tmp_path / "m")
    assert Instance(Store(engine), Module.deserialize_file(engine, tmp_path / "m")).exports.add(1, 2) == 3
    with pytest.raises(wasmrt.ArtifactError):
        Module.deserialize(engine, data[:50])
    with pytest.raises(wasmrt.FileError):
        Module.deserialize_file(engine, tmp_path / "none")


def test_cache(tmp_path):
    for count in range(2):
        engine = Engine(Config(cache=tmp_path / "cache"))
        Module(engine, ADD)
        if engine.backend == "wasmtime":
            assert engine.cache_counts == (count, 1 - count)


def test_limits():
    with pytest.raises(wasmrt.LimitError):
        Module(Engine(Config(module_limits={"functions": 0})), ADD)
    store = Store()
    store.set_limits(instances=1)
    module = Module(store, ADD)
    Instance(store, module)
    with pytest.raises(wasmrt.LimitError):
        Instance(store, module)
    assert store.limit("instances") == 1 and store.limit("tables") is None and store.usage("instances") == 1
    with pytest.raises(ValueError):
        store.limit("bytes")


def test_exports(make):
    exports = make('(module (func (export "items") (result i32) (i32.const 1)) (memory (export "odd name!") 1)'
                   ' (func (export "__len__")) (func (export "")) (func (export "ünicode")))')
    assert list(exports) == ["items", "odd name!", "__len__", "", "ünicode"] and len(exports) == 5
    assert exports.items() == 1 and exports["items"] is exports.items
    assert "odd name!" in exports and "none" not in exports and 7 not in exports
    assert isinstance(exports["odd name!"], wasmrt.Memory)
    assert exports["__len__"]() is None and exports[""]() is None and exports.ünicode() is None
    assert set(exports.keys()) == set(exports)
    with pytest.raises(KeyError):
        exports["none"]
    with pytest.raises(AttributeError, match="no export 'none'"):
        exports.none
    with pytest.raises(AttributeError):
        exports.x = 1
    assert "ünicode" in dir(exports)


def test_imports(store):
    module = Module(store, """(module (import "a" "f" (func $f (result i32))) (import "b" "g" (global i32))
      (func (export "run") (result i32) (i32.add (call $f) (global.get 0))))""")
    made = wasmrt.Global(store, "i32", 40)
    assert Instance(store, module, {"a": {"f": lambda: 2}, "b": {"g": made}}).exports.run() == 42
    assert Instance(store, module, [lambda: 2, made]).exports.run() == 42
    with pytest.raises(wasmrt.LinkError, match='"a" "f", "b" "g"'):
        Instance(store, module, {})
    with pytest.raises(wasmrt.LinkError):
        Instance(store, module)
    with pytest.raises(wasmrt.LinkError, match="b"):
        Instance(store, module, [lambda: 2, wasmrt.Global(store, "i64", 1)])
    with pytest.raises(TypeError):
        Instance(store, module, [lambda: 2, 40])
    with pytest.raises(wasmrt.Error):
        Instance(store, module, [lambda: 2, made, made])
    with pytest.raises(TypeError):
        Instance(store, module, 7)
    with pytest.raises(TypeError):
        Instance(store, "module")
    other = Store(store.engine)
    with pytest.raises(wasmrt.Error, match="another store|other store"):
        Instance(store, module, [Func(other, lambda: 1, FuncType([], ["i32"])), made])
    with pytest.raises(wasmrt.Error):
        Instance(Store(), module, [lambda: 2, wasmrt.Global(Store(), "i32", 1)])


def test_linker(store):
    linker = Linker(store)
    linker.define("env", "one", lambda: 1, FuncType([], ["i32"]))

    @linker.func("env")
    def two() -> wasmrt.i32:
        return 2

    module = Module(store, """(module (import "env" "one" (func $a (result i32))) (import "env" "two" (func $b (result i32)))
      (func (export "run") (result i32) (i32.sub (call $b) (call $a))))""")
    instance = linker.instantiate(module)
    assert instance.exports.run() == 1 and instance.module is module
    linker.define_instance("lib", instance)
    linker.alias("lib", "run", "lib", "also")
    assert linker.get("lib", "also") == instance.exports.run and linker.get("lib", "none") is None
    with pytest.raises(wasmrt.Error, match="defined"):
        linker.define("env", "two", two)
    linker.shadowing = True
    linker.define("env", "two", lambda: 5, FuncType([], ["i32"]))
    prepared = linker.prepare(module)
    assert [prepared.instantiate().exports.run() for _ in range(3)] == [4, 4, 4]
    with pytest.raises(TypeError, match="annotate"):
        linker.define("env", "three", lambda x: x)
    with pytest.raises(TypeError):
        linker.define("env", "three", 3)
    with pytest.raises(TypeError):
        linker.define_instance("env", module)


def test_unknown_imports(store):
    module = Module(store, '(module (import "env" "alpha" (func $f (result i32))) (func (export "run") (result i32) call $f))')
    linker = Linker(store)
    linker.define("env", "alphq", lambda: 1, FuncType([], ["i32"]))
    with pytest.raises(wasmrt.LinkError, match="alphq"):
        linker.instantiate(module)
    assert Linker(store, unknown_imports="default").instantiate(module).exports.run() == 0
    with pytest.raises(wasmrt.Trap, match="alpha"):
        Linker(store, unknown_imports="trap").instantiate(module).exports.run()
    with pytest.raises(ValueError):
        linker.unknown_imports = "guess"
    with pytest.raises(wasmrt.LinkError):
        linker.prepare(module)
    other = Linker(store, unknown_imports="default")
    linker.define("env", "alpha", lambda: 9, FuncType([], ["i32"]))
    other.set_next(linker)
    assert other.instantiate(module).exports.run() == 9
    other.set_next(None)


def test_with(engine):
    with Engine() as own, Store(own) as store, Module(own, ADD) as module:
        instance = Instance(store, module)
        assert instance.exports.add(1, 1) == 2
    assert own.closed and store.closed and module.closed
    for use in (lambda: Store(own), lambda: own.backend, lambda: Module(own, ADD), lambda: module.serialize(),
                lambda: module.exports, lambda: Instance(Store(engine), module)):
        with pytest.raises(wasmrt.ClosedError):
            use()


def test_module_count():
    engine = Engine()
    modules = [Module(engine, ADD) for _ in range(3)]
    assert engine.module_count == 3
    del modules
    assert engine.module_count == 0


def test_uninitialized_objects(store):
    """Objects whose __init__ was never called, or failed."""
    for cls in (Func, wasmrt.Memory, wasmrt.Global, wasmrt.Table, Instance, Linker, wasmrt.Wasi, wasmrt.Tag):
        item = cls.__new__(cls)
        assert item.closed
        item.close()
        with pytest.raises(wasmrt.ClosedError):
            item.store
    with pytest.raises(wasmrt.ClosedError):
        Func.__new__(Func)(1)
    with pytest.raises(wasmrt.ClosedError):
        memoryview(wasmrt.Memory.__new__(wasmrt.Memory))
    with pytest.raises(wasmrt.ClosedError):
        Store.__new__(Store)._call(print)
    function = Func(store, print, FuncType())
    with pytest.raises(RuntimeError):
        function.__init__(store, print, FuncType())
    with pytest.raises(RuntimeError):
        store.__init__(Engine())
    with pytest.raises(AttributeError):
        store.engine = Engine()
    with pytest.raises(TypeError):
        copy.copy(function)
    assert function() is None


def test_log():
    found = []
    wasmrt.set_log(lambda level, message: found.append((level, message)))
    store = Store()
    store.set_limits(memory_bytes=65536)
    grow = Instance(store, Module(store, '(module (memory 1) (func (export "f") (result i32) (memory.grow (i32.const 1))))')).exports.f
    assert grow() == -1
    assert [level for level, _ in found] == [2] and "memory" in found[0][1]
    wasmrt.set_log(None)
    other = Store(store.engine)
    other.set_limits(memory_bytes=0)
    with pytest.raises(wasmrt.LimitError):
        wasmrt.Memory(other, wasmrt.MemoryType(1))
    assert len(found) == 1
    with pytest.raises(TypeError):
        wasmrt.set_log(1)


def test_documentation():
    """Every public name has a docstring."""
    for name in wasmrt.__all__:
        item = getattr(wasmrt, name)
        if isinstance(item, type):
            assert item.__doc__ and (item.__module__ or "").startswith("wasmrt"), name
            for key, member in vars(item).items():
                if not key.startswith("_") and (callable(member) or isinstance(member, (property, classmethod, staticmethod))):
                    assert getattr(member, "__doc__", None), f"{name}.{key}"
        elif inspect.isfunction(item):
            assert item.__doc__, name


def test_paths(engine, tmp_path):
    folder = tmp_path / os.fsdecode(b"\xff")
    folder.mkdir()
    Module(engine, ADD).serialize_to_file(folder / "m")
    Module.deserialize_file(engine, folder / "m")
