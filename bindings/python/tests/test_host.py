"""Host functions."""

from typing import Any, Optional, Tuple

import pytest
import wasmrt
from wasmrt import Caller, Func, FuncType, Trap, TrapCode, ValType, externref, f32, f64, i32, i64


def caller_of(params="", results=""):
    gets = " ".join(f"local.get {index}" for index in range(len(params.split())))
    return f"""(module (import "host" "f" (func $f (param {params}) (result {results})))
      (func (export "run") (param {params}) (result {results}) {gets} call $f) (memory (export "memory") 1))"""


def test_annotations(store):
    def everything(a: i32, b: i64, c: f32, d: f64, e: externref, f: Optional[Func]) -> Tuple[i64, f32]:
        return b, c

    assert Func(store, everything).type == FuncType(["i32", "i64", "f32", "f64", "externref", "funcref"], ["i64", "f32"])

    def plain(a: int, b: float, c: Any) -> None: ...

    assert Func(store, plain).type == FuncType(["i32", "f64", "externref"], [])

    def with_caller(caller: Caller, a: "i32") -> "i32":
        return a

    assert Func(store, with_caller).type == FuncType(["i32"], ["i32"])


def test_no_annotations(store):
    with pytest.raises(TypeError, match="annotate x, return, or give a FuncType"):
        Func(store, lambda x: x)
    with pytest.raises(TypeError, match="no type of WebAssembly"):

        def f(x: str) -> None: ...

        Func(store, f)
    with pytest.raises(TypeError, match="callable"):
        Func(store, 7)


def test_given_type(store):
    kind = FuncType([ValType.I32, "i32"], ["i32"])
    assert Func(store, lambda a, b: a * b, kind)(6, 7) == 42
    assert Func(store, kind, lambda a, b: a + b)(6, 7) == 13


def test_type_of_the_import(make):
    exports = make(caller_of("i32 f64", "f64"), {"host": {"f": lambda a, b: a + b}})
    assert exports.run(1, 0.5) == 1.5


def test_several_results(make):
    exports = make(caller_of("i32 i32", "i32 i32"), [lambda a, b: (b, a)])
    assert exports.run(1, 2) == (2, 1)
    exports = make(caller_of("i32 i32", "i32 i32"), [lambda a, b: [a]])
    with pytest.raises(TypeError, match=r"2 results \(i32, i32\), and 1 given"):
        exports.run(1, 2)
    exports = make(caller_of("i32 i32", "i32 i32"), [lambda a, b: 3])
    with pytest.raises(TypeError, match="must return a tuple"):
        exports.run(1, 2)


@pytest.mark.parametrize("answer", [None, "x", 1.5, 2**40])
def test_wrong_result(make, answer):
    exports = make(caller_of("", "i32"), [lambda: answer])
    with pytest.raises((TypeError, OverflowError)):
        exports.run()


def test_result_of_none(make):
    with pytest.raises(TypeError, match="has no result and must return None"):
        make(caller_of(), [lambda: 1]).run()


def test_exceptions_come_out_as_themselves(make):
    error = KeyError("mine")

    def fail():
        raise error

    exports = make(caller_of(), [fail])
    with pytest.raises(KeyError) as caught:
        exports.run()
    assert caught.value is error
    names = []
    traceback = error.__traceback__
    while traceback:
        names.append(traceback.tb_frame.f_code.co_name)
        traceback = traceback.tb_next
    assert names[-1] == "fail"


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, GeneratorExit, RecursionError])
def test_base_exceptions(make, kind):
    def fail():
        raise kind()

    with pytest.raises(kind):
        make(caller_of(), [fail]).run()


def test_exceptions_through_several_guests(store, make):
    def fail() -> None:
        raise LookupError("deep")

    inner = make(caller_of(), [fail])
    outer = make(caller_of(), [lambda: inner.run()])
    with pytest.raises(LookupError, match="deep"):
        outer.run()

    def catch():
        with pytest.raises(LookupError):
            inner.run()

    make(caller_of(), [catch]).run()


def test_raised_trap(make):
    def fail():
        raise Trap("not today")

    with pytest.raises(Trap, match="not today") as caught:
        make(caller_of(), [fail]).run()
    assert caught.value.code is TrapCode.HOST


def test_raised_exit(make):
    def fail():
        raise wasmrt.Exit(3)

    with pytest.raises(wasmrt.Exit) as caught:
        make(caller_of(), [fail]).run()
    assert caught.value.status == 3 and caught.value.code is TrapCode.EXIT


def test_caller(store):
    kept = []

    def f(caller: Caller, start: i32) -> i32:
        kept.append(caller)
        assert caller.store is store
        assert caller.get("nothing") is None
        with pytest.raises(KeyError):
            caller["nothing"]
        caller["memory"][start] = 9
        assert list(caller.instance.exports) == ["run", "memory"]
        return len(caller["memory"])

    instance = wasmrt.Instance(store, wasmrt.Module(store, caller_of("i32", "i32")), [f])
    assert instance.exports.run(5) == 65536
    assert instance.exports.memory[5] == 9
    with pytest.raises(wasmrt.ClosedError, match="until its host function returns"):
        kept[0].get("memory")


def test_host_calls_itself(store):
    def f(caller: Caller) -> i32:
        assert caller.instance is None and caller.get("memory") is None
        return 3

    assert Func(store, f)() == 3


def test_reentrancy(make):
    depth = []

    def f(x):
        depth.append(x)
        return exports.run(x - 1) + 1 if x else 0

    exports = make(caller_of("i32", "i32"), [f])
    assert exports.run(20) == 20 and len(depth) == 21


def test_endless_recursion(make):
    exports = make(caller_of("", ""), [lambda: exports.run()])
    with pytest.raises((RecursionError, Trap)):
        exports.run()
    assert exports.memory[0] == 0


def test_closing_inside(store, make):
    def close():
        with pytest.raises(RuntimeError, match="while its guest runs"):
            store.close()
        with pytest.raises(RuntimeError, match="while its store's guest runs"):
            exports.run.close()

    exports = make(caller_of(), [close])
    exports.run()
    assert not store.closed


def test_methods_and_classes(store):
    class Counter:
        def __init__(self):
            self.count = 0

        def __call__(self, by: i32) -> i32:
            self.count += by
            return self.count

        def method(self, by: i32) -> None:
            self.count -= by

    counter = Counter()
    assert Func(store, counter)(5) == 5
    Func(store, counter.method)(2)
    assert counter.count == 3
    assert Func(store, print, FuncType())() is None


def test_references(make):
    seen = []
    exports = make(caller_of("externref", "externref"), [lambda x: seen.append(x) or {"answer": x}])
    thing = object()
    assert exports.run(thing) == {"answer": thing} and seen == [thing]


def test_host_function_in_a_table(store, make):
    exports = make("""(module (table (export "t") 2 funcref) (type $t (func (param i32) (result i32)))
      (func (export "call") (param i32) (result i32) (call_indirect (type $t) (local.get 0) (i32.const 1))))""")
    exports.t[1] = Func(store, lambda x: x * 3, FuncType(["i32"], ["i32"]))
    assert exports.call(5) == 15


def test_exception_in_a_start_function(store):
    module = wasmrt.Module(store, '(module (import "h" "f" (func $f)) (start $f))')

    def fail():
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        wasmrt.Instance(store, module, [fail])
    linker = wasmrt.Linker(store)
    linker.define("h", "f", fail, FuncType())
    with pytest.raises(ZeroDivisionError):
        linker.instantiate(module)


@pytest.mark.skipif(wasmrt.Engine().backend == "wasmi", reason="wasmi has no exceptions")
def test_wasm_exceptions(store, make):
    exports = make("""(module (import "h" "throw" (func $throw)) (tag $t (export "t") (param i32 f64))
      (func (export "throws") (throw $t (i32.const 4) (f64.const 0.5)))
      (func (export "catches") (result i32) (block $b (result i32 f64) (try_table (catch $t $b) (call $throw))
        (return (i32.const 0))) drop))""", [lambda: throw()])
    with pytest.raises(wasmrt.WasmException) as caught:
        exports.throws()
    assert caught.value.values == (4, 0.5) and caught.value.tag == exports.t
    assert caught.value.code is TrapCode.UNCAUGHT_EXCEPTION

    def throw():
        raise wasmrt.WasmException(exports.t, 11, 1.0)

    assert exports.catches() == 11

    def throw():
        raise wasmrt.WasmException(exports.t, "x")

    with pytest.raises(TypeError):
        exports.catches()
    assert wasmrt.Tag(store, ["i32"]).type == wasmrt.TagType(["i32"])
