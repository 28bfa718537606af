package wasmrt

import "testing"

// What cgo costs by itself is measured beside it: BenchmarkCgo and BenchmarkCgoCallback.

const benchmarkModule = `(module
  (import "host" "f" (func $host (param i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "identity") (param i32) (result i32) (local.get 0))
  (func (export "callbacks") (param i32) (result i32) (local i32)
    (loop $again
      (local.set 1 (call $host (local.get 1)))
      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1)))`

func benchmarkGuest(b *testing.B) guest {
	g := load(b, NewConfig(), benchmarkModule, func(l *Linker) {
		must(b, l.DefineFunc("host", "f", func(v int32) int32 { return v + 1 }))
	})
	b.ReportAllocs()
	b.ResetTimer()
	return g
}

func BenchmarkCgo(b *testing.B) {
	b.ReportAllocs()
	for i := 0; i < b.N; i++ {
		cgoNothing()
	}
}

func BenchmarkCgoCallback(b *testing.B) {
	b.ReportAllocs()
	cgoCallbacks(b.N)
}

func BenchmarkCall(b *testing.B) {
	f := benchmarkGuest(b).GetFunc("identity")
	for i := 0; i < b.N; i++ {
		if _, err := f.Call(7); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCallRaw(b *testing.B) {
	f := benchmarkGuest(b).GetFunc("identity")
	values := make([]Raw, 1)
	for i := 0; i < b.N; i++ {
		values[0].SetI32(7)
		if err := f.CallRaw(values); err != nil {
			b.Fatal(err)
		}
	}
}

// A column of 1000 rows: per row.
func BenchmarkCallBatch(b *testing.B) {
	f := benchmarkGuest(b).GetFunc("identity")
	column := make([]int32, 1000)
	for i := 0; i < b.N; i += len(column) {
		if _, err := f.CallBatch(len(column), []any{column}, []any{column}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkCallback(b *testing.B, define func(*Linker) error) {
	g := load(b, NewConfig(), benchmarkModule, func(l *Linker) { must(b, define(l)) })
	b.ReportAllocs()
	b.ResetTimer()
	if _, err := g.GetFunc("callbacks").Call(b.N); err != nil {
		b.Fatal(err)
	}
}

func BenchmarkCallback(b *testing.B) {
	benchmarkCallback(b, func(l *Linker) error {
		return l.DefineFunc("host", "f", func(v int32) int32 { return v + 1 })
	})
}

func BenchmarkCallbackRaw(b *testing.B) {
	benchmarkCallback(b, func(l *Linker) error {
		ty := NewFuncType([]ValType{I32}, []ValType{I32})
		f, err := NewRawFunc(l.Store(), ty, func(values []Raw) error { values[0].SetI32(values[0].I32() + 1); return nil })
		if err != nil {
			return err
		}
		return l.Define("host", "f", f)
	})
}

// By reflection.
func BenchmarkCallbackReflection(b *testing.B) {
	type number int32 // no common type
	benchmarkCallback(b, func(l *Linker) error {
		return l.DefineFunc("host", "f", func(v number) number { return v + 1 })
	})
}

func BenchmarkCallbackCaller(b *testing.B) {
	benchmarkCallback(b, func(l *Linker) error {
		return l.DefineFunc("host", "f", func(_ *Caller, v int32) int32 { return v + 1 })
	})
}

func BenchmarkMemoryData(b *testing.B) {
	m := benchmarkGuest(b).GetMemory("memory")
	for i := 0; i < b.N; i++ {
		m.Data()[i&0xffff]++
	}
}

func BenchmarkMemoryReadUint32(b *testing.B) {
	m := benchmarkGuest(b).GetMemory("memory")
	for i := 0; i < b.N; i++ {
		if _, err := m.ReadUint32(uint64(i & 0xff)); err != nil {
			b.Fatal(err)
		}
	}
}
