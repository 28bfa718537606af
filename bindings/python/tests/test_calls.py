"""Functions of guests: arguments, results, traps."""

import math

import pytest
import wasmrt
from wasmrt import Func, FuncType, Trap, TrapCode, ValType

ECHO = """(module
  (func (export "i32") (param i32) (result i32) local.get 0)
  (func (export "i64") (param i64) (result i64) local.get 0)
  (func (export "f32") (param f32) (result f32) local.get 0)
  (func (export "f64") (param f64) (result f64) local.get 0)
  (func (export "nothing"))
  (func (export "swap") (param i32 i64) (result i64 i32) local.get 1 local.get 0)
  (func (export "ref") (param externref) (result externref) local.get 0)
  (func (export "func") (param funcref) (result funcref) local.get 0)
  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))"""


@pytest.fixture
def echo(make):
    return make(ECHO)


@pytest.mark.parametrize(
    "name, given, returned",
    [
        ("i32", 7, 7),
        ("i32", -1, -1),
        ("i32", 2**32 - 1, -1),
        ("i32", -(2**31), -(2**31)),
        ("i32", True, 1),
        ("i64", 2**63, -(2**63)),
        ("i64", 2**64 - 1, -1),
        ("i64", -(2**63), -(2**63)),
        ("f32", 0.5, 0.5),
        ("f32", 1e300, math.inf),
        ("f64", 1e300, 1e300),
        ("f64", 3, 3.0),
    ],
)
def test_numbers(echo, name, given, returned):
    answer = echo[name](given)
    assert answer == returned and type(answer) is type(returned)


@pytest.mark.parametrize("name, given", [("i32", 2**32), ("i32", -(2**31) - 1), ("i64", 2**64), ("i64", -(2**63) - 1), ("i64", 2**200)])
def test_too_large(echo, name, given):
    with pytest.raises(OverflowError, match=f"too large for an {name}"):
        echo[name](given)


@pytest.mark.parametrize(
    "name, given",
    [("i32", "1"), ("i32", 1.0), ("i64", None), ("f64", "x"), ("f32", None), ("func", 1), ("func", len)],
)
def test_wrong_kind(echo, name, given):
    with pytest.raises(TypeError, match=f"needed for an? {name}"):
        echo[name](given)


def test_wrong_number(echo):
    with pytest.raises(TypeError, match=r"2 parameters \(i32, i64\), and 1 given"):
        echo.swap(1)
    with pytest.raises(TypeError, match="0 parameters"):
        echo.nothing(1)
    with pytest.raises(TypeError, match="keyword"):
        echo.i32(x=1)


def test_index(echo):
    class Seven:
        def __index__(self):
            return 7

    assert echo.i32(Seven()) == 7


def test_results(echo):
    assert echo.nothing() is None
    assert echo.swap(1, 2) == (2, 1)


def test_many_values(make):
    count = 40
    kinds = " ".join(["i64"] * count)
    gets = " ".join(f"local.get {index}" for index in reversed(range(count)))
    exports = make(f'(module (func (export "f") (param {kinds}) (result {kinds}) {gets}))')
    assert exports.f(*range(count)) == tuple(reversed(range(count)))


def test_type(echo):
    assert echo.swap.type == FuncType(["i32", "i64"], [ValType.I64, "i32"])
    assert str(echo.swap.type) == "(i32, i64) -> (i64, i32)"


def test_references(echo):
    thing = ["any object"]
    assert echo.ref(thing) is thing
    assert echo.ref(None) is None
    assert echo.ref(echo.ref) is echo.ref
    assert echo.func(None) is None
    back = echo.func(echo.i32)
    assert isinstance(back, Func) and back(5) == 5 and back == echo.i32 and back != echo.i64
    assert hash(back) == hash(echo.i32)


def test_reference_of_another_store(echo):
    other = wasmrt.Store(echo.i32.store.engine)
    function = wasmrt.Instance(other, wasmrt.Module(other, ECHO)).exports.i32
    with pytest.raises(ValueError, match="another store"):
        echo.func(function)


def test_trap(echo, moves):
    with pytest.raises(Trap, match="integer divide by zero") as caught:
        echo.div(1, 0)
    assert caught.value.code is TrapCode.INTEGER_DIVIDE_BY_ZERO
    assert str(caught.value.code) == "integer-divide-by-zero"
    assert caught.value.message == "integer divide by zero"
    assert isinstance(caught.value, wasmrt.Error)
    assert echo.div(4, 2) == 2


def test_frames(make, moves):
    exports = make('(module $m (func $inner unreachable) (func $outer (export "f") call $inner))')
    with pytest.raises(Trap) as caught:
        exports.f()
    frames = caught.value.frames
    if moves:  # wasmi
        assert frames == ()
        return
    assert [(frame.func_name, frame.func_index, frame.module_name) for frame in frames] == [("inner", 0, "m"), ("outer", 1, "m")]
    assert frames[0].module_offset > 0 and frames[0].func_offset == 0
    assert "in m!inner at 0x" in str(caught.value)


def test_stack_exhausted(make):
    exports = make('(module (func $f (export "f") (result i32) (i32.add (call $f) (i32.const 1))))')
    with pytest.raises(Trap) as caught:
        exports.f()
    assert caught.value.code is TrapCode.STACK_EXHAUSTED


def test_vectors(make, store):
    exports = make("""(module (global (export "g") (mut v128) (v128.const i64x2 1 2))
      (func (export "f") (param v128 i32) (result i32 v128)
        (i32.add (local.get 1) (i32.const 1)) (i8x16.add (local.get 0) (v128.const i64x2 1 0)))
      (func (export "g2") (result v128) (global.get 0)) (func (export "trap") (param v128) unreachable)
      (func (export "ref") (param v128 externref)))""")
    assert exports.f(bytes(range(16)), -7) == (-6, bytes([1, *range(1, 16)]))
    assert exports.g2() == exports.g.value == b"\1" + bytes(7) + b"\2" + bytes(7)
    exports.g.value = bytes(range(16))
    assert exports.g2() == bytes(range(16))
    assert wasmrt.Global(store, "v128", b"x" * 16).value == b"x" * 16
    for wrong, kind in ((1, TypeError), (None, TypeError), (b"x" * 15, ValueError)):
        with pytest.raises(kind, match="v128"):
            exports.f(wrong, 1)
        with pytest.raises(kind, match="v128"):
            exports.g.value = wrong
        with pytest.raises(kind, match="v128"):
            wasmrt.Global(store, "v128", wrong)
    with pytest.raises(OverflowError):
        exports.f(bytes(16), 2**32)
    with pytest.raises(Trap) as caught:
        exports.trap(bytes(16))
    assert caught.value.code is TrapCode.UNREACHABLE
    with pytest.raises(TypeError, match="together with a v128"):
        exports.ref(bytes(16), None)
    assert exports.f.type == FuncType([ValType.V128, "i32"], ["i32", ValType.V128])
    with pytest.raises(wasmrt.Error, match="v128"):
        Func(store, print, FuncType(["v128"]))


GC = """(module (type $s (struct (field i32)))
  (func (export "new") (param i32) (result (ref $s)) (struct.new $s (local.get 0)))
  (func (export "get") (param anyref) (result i32) (struct.get $s 0 (ref.cast (ref $s) (local.get 0))))
  (func (export "same") (param anyref) (result anyref) (local.get 0))
  (func (export "out") (param anyref) (result externref) (extern.convert_any (local.get 0)))
  (func (export "in") (param externref) (result anyref) (any.convert_extern (local.get 0)))
  (func (export "i31") (param i32) (result i31ref) (ref.i31 (local.get 0)))
  (func (export "unpack") (param i31ref) (result i32) (i31.get_s (local.get 0)))
  (global (export "g") (mut anyref) (ref.i31 (i32.const 5)))
  (table (export "t") 2 anyref (ref.i31 (i32.const 6))))"""
has_gc = pytest.mark.skipif(not wasmrt.Engine().backend.supports_proposal("gc"), reason="the backend has no gc")


@has_gc
def test_gc_references(make):
    exports = make(GC)
    one, two = exports.new(7), exports.new(7)
    assert isinstance(one, wasmrt.Ref) and one.heap == "struct" and exports.get(one) == 7
    again = exports.same(one)
    assert again == one and again != two and hash(again) == hash(one) and len({one, two, again}) == 2
    assert exports.same(None) is None
    thing = object()
    assert exports.same(thing) is thing and exports["in"](thing) is thing and exports.out(thing) is thing
    assert exports.out(one) == one and exports["in"](one) == one
    with pytest.raises(wasmrt.Error, match="31"):
        int(one)
    with pytest.raises(Trap):
        exports.get(exports.i31(1))


@has_gc
def test_small_integers(make, store):
    exports = make(GC)
    ref = exports.i31(-3)
    assert int(ref) == -3 and ref.heap == "i31" and ref == wasmrt.Ref.i31(store, -3)
    assert exports.unpack(wasmrt.Ref.i31(store, 2**31 - 1)) == -1
    for number in (2**31, -(2**30) - 1, 2**70):
        with pytest.raises(OverflowError):
            wasmrt.Ref.i31(store, number)


@has_gc
def test_gc_references_in_globals_and_tables(make, store):
    exports = make(GC)
    assert int(exports.g.value) == 5 and int(exports.t[1]) == 6
    one = exports.new(1)
    exports.g.value = exports.t[0] = one
    assert exports.g.value == one and exports.t[0] == one and exports.t[0] != exports.t[1]
    assert wasmrt.Global(store, "anyref", one).value == one
    assert wasmrt.Table(store, wasmrt.TableType("anyref", 2), one)[1] == one
    seen = []
    host = make(
        '(module (import "h" "f" (func $f (param anyref) (result anyref))) '
        '(func (export "run") (param anyref) (result anyref) (call $f (local.get 0))))',
        [lambda ref: seen.append(ref) or ref],
    )
    assert host.run(one) == one and seen == [one]


@has_gc
@pytest.mark.skipif(not wasmrt.Engine().backend.supports_proposal("exceptions"), reason="the backend has no exceptions")
def test_caught_exceptions(make):
    """A caught exception in a global and in a table."""
    exports = make("""(module (tag $t) (global (export "g") (mut exnref) (ref.null exn)) (table (export "t") 1 exnref)
      (func (export "catch") (block $b (result exnref) (try_table (catch_all_ref $b) (throw $t)) unreachable)
        (global.set 0) (table.set 0 (i32.const 0) (global.get 0))))""")
    assert exports.g.value is None and exports.t[0] is None
    exports.catch()
    caught = exports.g.value
    assert caught.heap == "exn" and caught == exports.t[0]
    exports.g.value = None
    exports.g.value = caught
    assert exports.g.value == caught
    with pytest.raises(TypeError, match="Ref or None is needed"):
        exports.g.value = object()


def test_exceptions_of_index(echo):
    class Broken:
        def __index__(self):
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        echo.i32(Broken())
    with pytest.raises(OverflowError, match="too large for an i64"):
        echo.i64(10**5000)


def test_names_of_exports_are_strings(echo):
    with pytest.raises(KeyError):
        echo[0]
    assert echo.get(0) is None and 0 not in echo
