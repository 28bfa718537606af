package wasmrt

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

const everything = `(module
  (memory (export "memory") 1 4)
  (global (export "global") (mut i32) (i32.const 1))
  (table (export "table") 1 8 funcref)
  (func (export "f") (param i32) (result i32) (local.get 0)))`

// use tries everything that uses the guest's store, and gives the errors.
func (g guest) use(f *Func, m *Memory, gl *Global, tb *Table) map[string]error {
	found := map[string]error{}
	_, found["call"] = f.Call(1)
	found["raw"] = f.CallRaw(make([]Raw, 1))
	_, found["batch"] = f.CallBatch(1, []any{[]int32{1}}, []any{nil})
	_, found["read"] = m.ReadAt(make([]byte, 1), 0)
	_, found["write"] = m.WriteAt(make([]byte, 1), 0)
	_, found["size"] = m.Size()
	_, found["grow"] = m.Grow(0)
	_, found["type"] = m.Type()
	_, found["global"] = gl.Get()
	found["set"] = gl.Set(1)
	_, found["table"] = tb.Get(0)
	found["table set"] = tb.Set(0, nil)
	_, found["table grow"] = tb.Grow(1, nil)
	_, found["exports"] = g.Exports()
	found["gc"] = g.store.GC()
	_, found["host"] = WrapFunc(g.store, func() {})
	found["define"] = g.linker.Define("a", "b", f)
	_, found["usage"] = g.store.Usage(StoreLimitMemories)
	return found
}

func TestUseAfterClose(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	f, m, gl, tb := g.GetFunc("f"), g.GetMemory("memory"), g.GetGlobal("global"), g.GetTable("table")
	must(t, f.Close())
	must(t, f.Close())
	if _, err := f.Call(1); !errors.Is(err, ErrClosed) || err.Error() != "the function is closed" {
		t.Fatalf("%v", err)
	}
	f = g.GetFunc("f")
	extern := f.AsExtern()
	must(t, g.store.Close())
	must(t, g.store.Close())
	must(t, f.Close())
	for what, err := range g.use(f, m, gl, tb) {
		if !errors.Is(err, ErrClosed) || KindOf(err) != ErrorMisuse {
			t.Errorf("%s: %v", what, err)
		}
	}
	if m.Data() != nil || g.GetFunc("f") != nil || extern.Func() != nil {
		t.Error("something of a closed store")
	}

	module, err := NewModule(g.engine, wat(t, everything))
	must(t, err)
	must(t, g.engine.Close())
	must(t, g.engine.Close())
	if _, err := NewStore(g.engine); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := NewModule(g.engine, wat(t, everything)); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if exports, err := module.Exports(); err != nil || len(exports) != 4 {
		t.Error(exports, err)
	}
	must(t, module.Close())
	if _, err := module.Exports(); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := NewStore(nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewModule(nil, nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
}

func TestOtherStore(t *testing.T) {
	a := load(t, NewConfig(), everything, nil)
	b := load(t, NewConfig(), everything, nil)
	of := a.GetFunc("f")
	if err := b.linker.Define("a", "f", of); err == nil || !strings.Contains(err.Error(), "another store") {
		t.Error(err)
	}
	if err := b.linker.DefineInstance("a", a.Instance); err == nil {
		t.Error("defined")
	}
	if err := b.GetTable("table").Set(0, of); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewGlobal(b.store, NewGlobalType(FuncRef, true), of); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	module, err := NewModule(b.engine, wat(t, `(module (import "a" "f" (func (param i32) (result i32))))`))
	must(t, err)
	if _, err := NewInstance(b.store, module, []AsExtern{of}); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewInstance(b.store, module, nil); KindOf(err) != ErrorLink {
		t.Errorf("%v: %v", KindOf(err), err)
	}
	if _, err := NewInstance(b.store, nil, nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	// A module of another engine.
	if _, err := NewInstance(a.store, module, []AsExtern{of}); err == nil {
		t.Error("a module of another engine was accepted")
	}
}

func TestArguments(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	f := g.GetFunc("f")
	for _, args := range [][]any{{}, {1, 2}, {"1"}, {1.5}, {int64(1)}, {nil}, {1 << 40}, {ValI64(1)}, {f}} {
		if _, err := f.Call(args...); KindOf(err) != ErrorMisuse {
			t.Errorf("%v: %v", args, err)
		}
	}
	for _, arg := range []any{-1, int32(-1), uint32(0xffffffff), ValI32(-1)} {
		if result, err := f.Call(arg); err != nil || result != int32(-1) {
			t.Errorf("%v: %v, %v", arg, result, err)
		}
	}
	if err := f.CallRaw(nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	_, err := f.Call(1 << 40)
	if err.Error() != "argument 1 is 1099511627776, which does not fit in an i32" {
		t.Error(err)
	}
}

// Two goroutines at once get errors, and nothing else happens.
func TestTwoGoroutines(t *testing.T) {
	inside, leave := make(chan struct{}), make(chan struct{})
	g := load(t, NewConfig(), everything, nil)
	f, m, gl, tb := g.GetFunc("f"), g.GetMemory("memory"), g.GetGlobal("global"), g.GetTable("table")
	level, err := g.store.enter()
	must(t, err)
	go func() {
		for what, err := range g.use(f, m, gl, tb) {
			if !errors.Is(err, ErrBusy) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := g.store.Close(); !errors.Is(err, ErrBusy) {
			t.Error(err)
		}
		close(inside)
	}()
	<-inside
	g.store.leave(level)

	// They fight for the store; some calls fail, and the others are right.
	var wait sync.WaitGroup
	for i := int32(0); i < 8; i++ {
		i := i
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 2000; n++ {
				if result, err := f.Call(i); err == nil && result != i {
					t.Errorf("%v instead of %v", result, i)
				} else if err != nil && !errors.Is(err, ErrBusy) {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	close(leave)
}

// A host function returns while another goroutine, which it started, is in the store.
func TestGoroutineOfHostFunction(t *testing.T) {
	in, out, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var slow *Func
	g := load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() {
			go func() {
				_, err := slow.Call()
				done <- err
			}()
			<-in
			go func() {
				time.Sleep(20 * time.Millisecond)
				close(out)
			}()
		}))
		var err error
		slow, err = WrapFunc(l.Store(), func() { close(in); <-out })
		must(t, err)
	})
	_, err := g.GetFunc("run").Call()
	if !errors.Is(err, ErrBusy) {
		t.Fatalf("%v", err)
	}
	must(t, <-done)
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestClosingWhileInUse(t *testing.T) {
	var g guest
	g = load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() error { return g.store.Close() }))
	})
	_, err := g.GetFunc("run").Call()
	if KindOf(err) != ErrorMisuse && !strings.Contains(err.Error(), "cannot be closed") {
		t.Fatalf("%v", err)
	}
	// Handles may be closed by host functions.
	var run *Func
	g = load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() error { run.Close(); g.linker.Close(); return g.Instance.Close() }))
	})
	run = g.GetFunc("run")
	_, err = run.Call()
	must(t, err)
}

func TestNilFunctions(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	f := g.GetFunc("nothing")
	_, err := f.Call()
	_, batch := f.CallBatch(1, nil, nil)
	_, ctx := f.CallContext(context.Background())
	for _, err := range []error{err, f.CallRaw(nil), batch, ctx} {
		if KindOf(err) != ErrorMisuse || !strings.Contains(err.Error(), "GetFunc") {
			t.Error(err)
		}
	}
}

// own is an extern of the program's own.
type own struct{ *Func }

type panics struct{}

func (panics) AsExtern() *Extern { panic("AsExtern") }

func TestNilExterns(t *testing.T) {
	g := load(t, NewConfig(), everything, nil)
	module, err := NewModule(g.engine, wat(t, `(module (import "a" "f" (func)))`))
	must(t, err)
	for _, item := range []AsExtern{nil, (*Func)(nil), (*Global)(nil), (*Table)(nil), (*Memory)(nil), (*Extern)(nil), own{}} {
		if _, err := NewInstance(g.store, module, []AsExtern{item}); KindOf(err) != ErrorMisuse || !strings.Contains(err.Error(), "nil") {
			t.Errorf("%T: %v", item, err)
		}
		if err := g.linker.Define("a", "f", item); KindOf(err) != ErrorMisuse || !strings.Contains(err.Error(), "nil") {
			t.Errorf("%T: %v", item, err)
		}
		if _, err := g.anyUse(); err != nil {
			t.Fatalf("%T: %v", item, err)
		}
	}
	if err := g.linker.DefineInstance("a", nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	for what, f := range map[string]func(){
		"instance":   func() { NewInstance(g.store, module, []AsExtern{panics{}}) },
		"definition": func() { g.linker.Define("a", "f", panics{}) },
	} {
		func() {
			defer func() {
				if value := recover(); value != "AsExtern" {
					t.Errorf("%s: %v", what, value)
				}
			}()
			f()
		}()
		if _, err := g.anyUse(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
}

func TestClosingNil(t *testing.T) {
	for _, closer := range []io.Closer{(*Engine)(nil), (*Store)(nil), (*Module)(nil), (*Linker)(nil), (*InstancePre)(nil),
		(*Instance)(nil), (*Extern)(nil), (*Func)(nil), (*Memory)(nil), (*Global)(nil), (*Table)(nil), (*Ref)(nil),
		(*InterruptHandle)(nil)} {
		if err := closer.Close(); KindOf(err) != ErrorMisuse || !strings.Contains(err.Error(), " is nil; ") {
			t.Errorf("%T: %v", closer, err)
		}
	}
}

func TestZeroBytes(t *testing.T) {
	config := NewConfig()
	config.SetBackend("wasmi\x00time")
	if _, err := NewEngineWithConfig(config); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	g := load(t, NewConfig(), everything, nil)
	wasi := NewWasiConfig()
	wasi.SetArgs("program", "a\x00b")
	if err := g.store.SetWasi(wasi); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewModuleFromFile(g.engine, "a\x00b"); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	// A name may have one.
	must(t, g.linker.Define("a\x00b", "c", g.GetFunc("f")))
	if g.linker.Get("a\x00b", "c") == nil || g.linker.Get("a", "c") != nil {
		t.Error("a name was cut short")
	}
}

// A start function has everything closed that it can close.
func TestClosingInStartFunction(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	module, err := NewModule(engine, wat(t, `(module (import "host" "f" (func $f)) (start $f) (func (export "run") (call $f)))`))
	must(t, err)
	store, err := NewStore(engine)
	must(t, err)
	linker, err := NewLinker(store)
	must(t, err)
	must(t, linker.DefineFunc("host", "f", func() {
		must(t, module.Close())
		must(t, engine.Close())
		must(t, linker.Close())
		runtime.GC()
	}))
	instance, err := linker.Instantiate(module)
	must(t, err)
	_, err = instance.GetFunc("run").Call()
	must(t, err)
}
