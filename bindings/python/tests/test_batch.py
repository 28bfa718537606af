"""Calls for many rows."""

import array

import numpy
import pytest
import wasmrt
from wasmrt import Func, FuncType, Trap, TrapCode

TEXT = """(module (func (export "mix") (param i32 f64) (result i64 f32)
    (i64.extend_i32_s (local.get 0)) (f32.demote_f64 (local.get 1)))
  (func (export "inc") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
  (func (export "div") (param i32) (result i32) (i32.div_s (i32.const 100) (local.get 0)))
  (func (export "none") (result i32) (i32.const 3)) (func (export "ref") (param externref))
  (memory (export "memory") 1))"""


@pytest.fixture
def exports(make):
    return make(TEXT)


def test_columns(exports):
    longs, floats = exports.mix.call_batch(array.array("i", [1, -2, 3]), numpy.array([0.5, 1.5, 2.5]))
    assert list(longs) == [1, -2, 3] and list(floats) == [0.5, 1.5, 2.5]
    assert (longs.typecode, floats.typecode) == ("q", "f")


def test_numpy(exports):
    rows = numpy.arange(100_000, dtype=numpy.int32)
    out = numpy.empty_like(rows)
    (answer,) = exports.inc.call_batch(rows, out=[out])
    assert answer is out and (out == rows + 1).all()
    assert exports.inc.call_batch(rows, out=[rows])[0] is rows and (rows == out).all()
    assert list(exports.inc.call_batch(memoryview(rows)[5:8])[0]) == [7, 8, 9]
    unsigned = numpy.array([2**32 - 1], dtype=numpy.uint32)
    assert list(exports.inc.call_batch(unsigned)[0]) == [0]


def test_columns_in_memory(exports):
    column = memoryview(exports.memory).cast("i")[:10]
    column[3] = 41
    assert exports.inc.call_batch(column)[0][3] == 42


def test_rows(exports):
    assert list(exports.none.call_batch(rows=3)[0]) == [3, 3, 3]
    assert list(exports.inc.call_batch(array.array("i"))[0]) == []
    with pytest.raises(TypeError, match="number of rows"):
        exports.none.call_batch()


@pytest.mark.parametrize(
    "columns",
    [[], [[1, 2]], [array.array("q", [1])], [array.array("f", [1])], [b"abcd"], [numpy.arange(8, dtype=numpy.int32)[::2]],
     [numpy.zeros((2, 2), numpy.int32)], [numpy.zeros(2, ">i4")], [array.array("i", [1])] * 2],
)
def test_wrong_columns(exports, columns):
    with pytest.raises(TypeError):
        exports.inc.call_batch(*columns)


def test_wrong_results(exports):
    column = numpy.arange(8, dtype=numpy.int32)
    for out in ([], [bytes(32)], [numpy.zeros(8, numpy.int64)], [memoryview(column).toreadonly()]):
        with pytest.raises(TypeError):
            exports.inc.call_batch(column, out=out)
    for out in ([numpy.zeros(7, numpy.int32)],):
        with pytest.raises(ValueError, match="less than 8 rows"):
            exports.inc.call_batch(column, out=out)
    with pytest.raises(ValueError, match="overlaps"):
        exports.inc.call_batch(column[:6], out=[column[2:]])
    with pytest.raises(ValueError, match="same length"):
        exports.mix.call_batch(column, numpy.zeros(3))
    with pytest.raises(ValueError):
        exports.inc.call_batch(column, rows=5)

    class Three:
        def __index__(self):
            return 3

    assert len(exports.inc.call_batch(array.array("i", [1, 2, 3]), rows=Three())[0]) == 3
    with pytest.raises(TypeError, match="externref"):
        exports.ref.call_batch([None])


def test_trap(exports):
    column, out = array.array("i", [1, 2, 0, 4]), array.array("i", [9] * 4)
    with pytest.raises(Trap) as caught:
        exports.div.call_batch(column, out=[out])
    assert caught.value.code is TrapCode.INTEGER_DIVIDE_BY_ZERO and caught.value.rows_done == 2
    assert list(out) == [100, 50, 9, 9]


def test_host_function(store):
    def f(x):
        if x == 3:
            raise KeyError(x)
        return x * 2

    function = Func(store, f, FuncType(["i32"], ["i32"]))
    assert list(function.call_batch(array.array("i", [1, 2]))[0]) == [2, 4]
    with pytest.raises(KeyError):
        function.call_batch(array.array("i", [1, 3]))


def test_closed(store, exports):
    function = exports.inc
    store.close()
    with pytest.raises(wasmrt.ClosedError):
        function.call_batch(array.array("i", [1]))
