package wasmrt

import (
	"math"
	"reflect"
	"strings"
	"testing"
)

// Each kind of value goes through a guest and a host function.
func TestValues(t *testing.T) {
	g := load(t, NewConfig(), `(module
	  (import "host" "f" (func $f (param i32 i64 f32 f64) (result f64 f32 i64 i32)))
	  (func (export "run") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
	    (call $f (local.get 0) (local.get 1) (local.get 2) (local.get 3))))`, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func(a uint32, b int64, c float32, d float64) (float64, float32, uint64, int32) {
			return d, c, uint64(b), int32(a)
		}))
	})
	run := g.GetFunc("run")
	if text := run.Type().String(); text != "(i32, i64, f32, f64) -> (f64, f32, i64, i32)" {
		t.Error(text)
	}
	for _, bits := range []uint64{0, 1, 0x7ff8000000000001, 0x7ff000007fa00000, 0xfff0000000000000, math.MaxUint64} {
		given := []Raw{{bits}, {bits}, {bits}, {bits}}
		args := []any{given[0].I32(), given[1].I64(), given[2].F32(), given[3].F64()}
		result, err := run.Call(args...)
		must(t, err)
		vals := result.([]Val)
		if vals[3].I32() != args[0] || vals[2].I64() != args[1] ||
			math.Float32bits(vals[1].F32()) != uint32(bits) || math.Float64bits(vals[0].F64()) != bits {
			t.Errorf("%x: %v", bits, vals)
		}
		must(t, run.CallRaw(given))
		if math.Float64bits(given[0].F64()) != bits || uint32(given[3].I32()) != uint32(bits) {
			t.Errorf("%x: %v", bits, given)
		}
	}
	func() {
		defer func() {
			if text, _ := recover().(string); text != "the value has type i32, not f64" {
				t.Error(text)
			}
		}()
		ValI32(1).F64()
	}()
}

func TestV128(t *testing.T) {
	g := load(t, NewConfig(), `(module (func (export "f") (param v128 v128) (result v128)
	  (i8x16.add (local.get 0) (local.get 1))))`, nil)
	a, b := [16]byte{1, 2, 15: 3}, [16]byte{10, 20, 15: 30}
	result, err := g.GetFunc("f").Call(a, ValV128(b))
	must(t, err)
	if result != [16]byte{11, 22, 15: 33} {
		t.Fatal(result)
	}
}

const references = `(module
  (import "host" "f" (func $f (param externref funcref) (result externref funcref)))
  (table (export "table") 4 externref)
  (global (export "global") (mut externref) (ref.null extern))
  (func (export "id") (param externref) (result externref) (local.get 0))
  (func (export "set") (param i32 externref) (table.set (local.get 0) (local.get 1)))
  (func (export "get") (param i32) (result externref) (table.get (local.get 0)))
  (func (export "run") (param externref funcref) (result externref funcref) (call $f (local.get 0) (local.get 1))))`

type thing struct{ name string }

func TestReferences(t *testing.T) {
	g := load(t, NewConfig(), references, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func(v any, f *Func) (any, *Func) { return v, f }))
	})
	id := g.GetFunc("id")
	one := &thing{"one"}
	for _, given := range []any{one, "text", 7, thing{"two"}, nil, id, []int{1}} {
		result, err := id.Call(given)
		must(t, err)
		if !reflect.DeepEqual(result, given) {
			t.Errorf("%v instead of %v", result, given)
		}
	}
	result, err := g.GetFunc("run").Call(one, id)
	must(t, err)
	vals := result.([]Val)
	if vals[0].Externref() != one {
		t.Error(vals)
	}
	if again, err := vals[1].Funcref().Call("x"); err != nil || again != "x" {
		t.Error(again, err)
	}
	result, err = g.GetFunc("run").Call(nil, nil)
	must(t, err)
	if vals := result.([]Val); vals[0].Externref() != nil || vals[1].Funcref() != nil {
		t.Error(vals)
	}

	// In tables and globals they are kept.
	_, err = g.GetFunc("set").Call(2, one)
	must(t, err)
	if v, err := g.GetTable("table").Get(2); err != nil || v.Externref() != one {
		t.Error(v, err)
	}
	must(t, g.GetTable("table").Set(3, "three"))
	if v, err := g.GetFunc("get").Call(3); err != nil || v != "three" {
		t.Error(v, err)
	}
	if former, err := g.GetTable("table").Grow(2, one); err != nil || former != 4 {
		t.Error(former, err)
	}
	if v, err := g.GetTable("table").Get(5); err != nil || v.Get() != any(one) {
		t.Error(v, err)
	}
	if _, err := g.GetTable("table").Get(6); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	must(t, g.GetGlobal("global").Set(one))
	if v, err := g.GetGlobal("global").Get(); err != nil || v.Externref() != one {
		t.Error(v, err)
	}
}

// hasGC returns whether the engine has garbage-collected values.
func hasGC(g guest) bool { return g.engine.Backend() == "wasmtime" }

// Arrays and the like, which are the guest's, come as a *Ref and can be given back, by everything that carries values.
func TestGuestReferences(t *testing.T) {
	if !hasGC(load(t, NewConfig(), "(module)", nil)) {
		t.Skip("the engine has no gc")
	}
	var seen any
	g := load(t, NewConfig(), `(module
	  (type $bytes (array (mut i8)))
	  (import "host" "f" (func $f (param anyref) (result anyref)))
	  (table (export "table") 2 anyref)
	  (global (export "global") (mut anyref) (ref.null any))
	  (tag $e)
	  (func (export "new") (result anyref) (array.new $bytes (i32.const 7) (i32.const 10000)))
	  (func (export "new extern") (result externref)
	    (extern.convert_any (array.new $bytes (i32.const 8) (i32.const 10000))))
	  (func (export "len") (param anyref) (result i32) (array.len (ref.cast arrayref (local.get 0))))
	  (func (export "len extern") (param externref) (result i32)
	    (array.len (ref.cast arrayref (any.convert_extern (local.get 0)))))
	  (func (export "array") (param arrayref) (result i32) (array.len (local.get 0)))
	  (func (export "run") (param anyref) (result anyref) (call $f (local.get 0)))
	  (func (export "throw") (result exnref) (block $h (result exnref) (try_table (catch_all_ref $h) (throw $e)) unreachable))
	  (func (export "again") (param exnref) (result i32) (ref.is_null (local.get 0))))`, func(l *Linker) {
		must(t, l.FuncNew("host", "f", NewFuncType([]ValType{AnyRef}, []ValType{AnyRef}), func(_ *Caller, args []Val) ([]Val, error) {
			seen = args[0].Get()
			return args, nil
		}))
	})
	call := func(name string, args ...any) any {
		t.Helper()
		result, err := g.GetFunc(name).Call(args...)
		must(t, err)
		return result
	}
	array := call("new")
	if _, is := array.(*Ref); !is {
		t.Fatalf("%T", array)
	}
	if n := call("len", array); n != int32(10000) {
		t.Error(n)
	}
	if n := call("array", array); n != int32(10000) {
		t.Error(n)
	}
	if n := call("len extern", call("new extern")); n != int32(10000) {
		t.Error(n)
	}
	if n := call("len", call("run", array)); n != int32(10000) {
		t.Error(n)
	}
	must(t, g.GetGlobal("global").Set(array))
	if v, err := g.GetGlobal("global").Get(); err != nil || call("len", v) != int32(10000) {
		t.Error(v, err)
	}
	must(t, g.GetTable("table").Set(1, array))
	if v, err := g.GetTable("table").Get(1); err != nil || call("len", v.Get()) != int32(10000) {
		t.Error(v, err)
	}
	if n := call("again", call("throw")); n != int32(0) {
		t.Error(n)
	}
	// A value of Go is an anyref as it is an externref.
	one := &thing{"one"}
	if v := call("run", one); v != one || seen != one {
		t.Error(v, seen)
	}
	if v := call("run", (*Ref)(nil)); v != nil || seen != nil {
		t.Error(v, seen)
	}
	for name, args := range map[string][]any{"array": {one}, "again": {one}, "len": {1, 2}} {
		if result, err := g.GetFunc(name).Call(args...); err == nil {
			t.Errorf("%s: %v", name, result)
		}
	}
	if err := g.GetTable("table").Set(5, array); err == nil {
		t.Error("beyond the end")
	}

	// Nothing of it is kept: with references to all, they would not fit.
	must(t, g.store.SetLimit(StoreLimitMemoryBytes, 2<<20))
	for i := 0; i < 1000; i++ {
		made := call("new").(*Ref)
		call("len", made)
		back := call("run", made).(*Ref)
		must(t, g.GetGlobal("global").Set(back))
		must(t, g.GetTable("table").Set(0, back))
		must(t, made.Close())
		must(t, back.Close())
		must(t, seen.(*Ref).Close())
	}
}

// A host function whose parameter has a type of its own.
func TestReferencesOfAType(t *testing.T) {
	g := load(t, NewConfig(), `(module (import "host" "f" (func $f (param externref) (result externref)))
	  (func (export "run") (param externref) (result externref) (call $f (local.get 0))))`, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func(v *thing) string {
			if v == nil {
				return "nothing"
			}
			return v.name
		}))
	})
	run := g.GetFunc("run")
	if v, err := run.Call(&thing{"one"}); err != nil || v != "one" {
		t.Error(v, err)
	}
	if v, err := run.Call(nil); err != nil || v != "nothing" {
		t.Error(v, err)
	}
	if _, err := run.Call("text"); err == nil || !strings.Contains(err.Error(), "refers to a string, not a *wasmrt.thing") {
		t.Error(err)
	}
}

func TestGlobalsAndTables(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	global := g.GetGlobal("global")
	must(t, global.Set(5))
	if v, err := global.Get(); err != nil || v.I32() != 5 || v.String() != "i32 5" {
		t.Error(v, err)
	}
	if err := global.Set("5"); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	constant, err := NewGlobal(g.store, NewGlobalType(I64, false), 7)
	must(t, err)
	if v, err := constant.Get(); err != nil || v.I64() != 7 {
		t.Error(v, err)
	}
	if err := constant.Set(8); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewGlobal(g.store, NewGlobalType(I32, true), 1.5); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	table, err := NewTable(g.store, NewTableType(FuncRef, 2, 4), g.GetFunc("f"))
	must(t, err)
	if v, err := table.Get(1); err != nil {
		t.Error(err)
	} else if result, err := v.Funcref().Call(9); err != nil || result != int32(9) {
		t.Error(result, err)
	}
	if _, err := table.Grow(3, nil); err == nil {
		t.Error("grown beyond its maximum")
	}
	if err := table.Set(0, "text"); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewTable(g.store, NewTableType(I32, 1, 1), nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if ty, err := table.Type(); err != nil || ty.String() != "table 2..4 funcref" {
		t.Error(ty, err)
	}
}

func TestMemory(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	m := g.GetMemory("memory")
	m.Data()[3] = 7
	if v, err := m.ReadUint8(3); err != nil || v != 7 {
		t.Error(v, err)
	}
	must(t, m.WriteUint32(4, 0x01020304))
	must(t, m.WriteUint64(8, 1<<40))
	must(t, m.WriteFloat64(16, 1.5))
	if m.Data()[4] != 4 || m.Data()[13] != 1 {
		t.Error(m.Data()[:24])
	}
	if v, err := m.ReadFloat64(16); err != nil || v != 1.5 {
		t.Error(v, err)
	}
	_, err := m.WriteAt([]byte("hello"), 65531)
	must(t, err)
	if text, err := m.ReadString(65531, 5); err != nil || text != "hello" {
		t.Error(text, err)
	}
	if n, err := m.WriteAt([]byte("hello"), 65532); n != 0 || KindOf(err) != ErrorMisuse {
		t.Error(n, err)
	}
	if n, err := m.WriteAt([]byte("hello"), -1); n != 0 || KindOf(err) != ErrorMisuse {
		t.Error(n, err)
	}
	if _, err := m.ReadUint32(math.MaxUint64); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	buffer := make([]byte, 10)
	if n, err := m.ReadAt(buffer, 65531); n != 5 || err == nil || string(buffer[:5]) != "hello" {
		t.Error(n, err)
	}
	if former, err := m.Grow(1); err != nil || former != 1 || len(m.Data()) != 131072 {
		t.Error(former, err)
	}
	if _, err := m.Grow(9); err == nil {
		t.Error("grown beyond its maximum")
	}
	if ty, err := m.Type(); err != nil || ty.Min != 2 || ty.Max != 4 || ty.String() != "memory 2..4" {
		t.Error(ty, err)
	}
	made, err := NewMemory(g.store, NewMemoryType(0, Unlimited))
	must(t, err)
	if data := made.Data(); len(data) != 0 {
		t.Error(len(data))
	}
	if _, err := NewMemory(g.store, NewMemoryType(2, 1)); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
}

func TestBatch(t *testing.T) {
	g := load(t, NewConfig(), `(module
	  (func (export "mul") (param i32 f64) (result f64) (f64.mul (f64.convert_i32_s (local.get 0)) (local.get 1)))
	  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1)))
	  (func (export "none")))`, nil)
	const rows = 5000
	a, b, product := make([]int32, rows), make([]float64, rows), make([]float64, rows)
	for i := range a {
		a[i], b[i] = int32(i), 0.5
	}
	done, err := g.GetFunc("mul").CallBatch(rows, []any{a, b}, []any{product})
	must(t, err)
	for i := range product {
		if product[i] != float64(i)/2 {
			t.Fatal(i, product[i])
		}
	}
	if done != rows {
		t.Error(done)
	}
	// A row traps; a column of results is one of arguments.
	column := []int32{8, 9, 10, 11}
	done, err = g.GetFunc("div").CallBatch(4, []any{column, []uint32{2, 3, 0, 1}}, []any{column})
	if trap := trapOf(t, err); trap.Code() != TrapIntegerDivideByZero || done != 2 || column[0] != 4 || column[1] != 3 || column[2] != 10 {
		t.Error(done, column, err)
	}
	if done, err := g.GetFunc("none").CallBatch(3, nil, nil); err != nil || done != 3 {
		t.Error(done, err)
	}
	if done, err := g.GetFunc("div").CallBatch(0, []any{[]int32{}, []int32{}}, []any{nil}); err != nil || done != 0 {
		t.Error(done, err)
	}
	div := g.GetFunc("div")
	for _, wrong := range [][2][]any{
		{{column}, {nil}}, {{column, column[:2]}, {nil}}, {{column, []float32{1, 2, 3}}, {nil}},
		{{column, nil}, {nil}}, {{column, column}, {[]int64{1, 2, 3}}}, {{column, column}, {"text"}},
	} {
		if _, err := div.CallBatch(3, wrong[0], wrong[1]); KindOf(err) != ErrorMisuse {
			t.Errorf("%v: %v", wrong, err)
		}
	}
	if _, err := div.CallBatch(-1, []any{column, column}, []any{nil}); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
}

// Values that C cannot carry beside references are refused, each with an error.
func TestUnsupportedValues(t *testing.T) {
	g := load(t, NewConfig(), `(module (global (export "v") (mut v128) (v128.const i64x2 1 2))
	  (func (export "f") (param v128 externref)) (func (export "r") (result v128 externref) (v128.const i64x2 1 2) (ref.null extern)))`, nil)
	if v, err := g.GetGlobal("v").Get(); err == nil {
		t.Error(v)
	}
	if err := g.GetGlobal("v").Set([16]byte{}); err == nil {
		t.Error("set a v128")
	}
	if _, err := g.GetFunc("f").Call([16]byte{}, nil); err == nil {
		t.Error("called with a v128")
	}
	if v, err := g.GetFunc("r").Call(); err == nil {
		t.Error(v)
	}
	ty := NewFuncType([]ValType{V128}, nil)
	if _, err := NewFunc(g.store, ty, func(*Caller, []Val) ([]Val, error) { return nil, nil }); err == nil {
		t.Error("a host function of a v128")
	}
	if _, err := NewGlobal(g.store, NewGlobalType(V128, true), [16]byte{}); err == nil {
		t.Error("a global of a v128")
	}
	kinds := []ValType{5, 200}
	if !hasGC(g) {
		kinds = append(kinds, AnyRef, ExnRef)
	}
	for _, kind := range kinds {
		if _, err := NewGlobal(g.store, NewGlobalType(kind, true), nil); err == nil {
			t.Errorf("a global of %v", kind)
		}
		if _, err := NewTable(g.store, NewTableType(kind, 1, 1), nil); err == nil {
			t.Errorf("a table of %v", kind)
		}
	}
}
