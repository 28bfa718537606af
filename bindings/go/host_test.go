package wasmrt

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
)

const callsHost = `(module (import "host" "f" (func $f))
  (func (export "run") (call $f)))`

func TestErrorsOfHostFunctions(t *testing.T) {
	var give error
	g := load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() error { return give }))
	})
	run := g.GetFunc("run")

	give = io.ErrUnexpectedEOF
	_, err := run.Call()
	if trap := trapOf(t, err); !errors.Is(err, io.ErrUnexpectedEOF) || trap.Code() != TrapHost || trap.Message() != "unexpected EOF" {
		t.Fatalf("%v", err)
	}
	if KindOf(err) != ErrorTrap {
		t.Fatalf("%v", KindOf(err))
	}
	give = NewTrap("enough")
	_, err = run.Call()
	if trap := trapOf(t, err); trap.Message() != "enough" || trap.Code() != TrapHost {
		t.Fatalf("%v", err)
	}
	give = &ExitError{Status: 7}
	_, err = run.Call()
	var exit *ExitError
	if !errors.As(err, &exit) || exit.Status != 7 || trapOf(t, err).Code() != TrapExit {
		t.Fatalf("%v", err)
	}
	give = nil
	_, err = run.Call()
	must(t, err)
	// What C kept of the errors is gone again.
	_, err = run.Call()
	must(t, err)
	if n := len(g.store.values); n != 0 {
		t.Fatalf("%d values are left", n)
	}
}

func TestPanics(t *testing.T) {
	for _, form := range []string{"raw", "val"} {
		g := load(t, NewConfig(), callsHost, func(l *Linker) {
			if form == "raw" {
				must(t, l.DefineFunc("host", "f", func() { panic(form) }))
			} else {
				must(t, l.FuncNew("host", "f", FuncType{}, func(*Caller, []Val) ([]Val, error) { panic(form) }))
			}
		})
		run := g.GetFunc("run")
		for i := 0; i < 3; i++ {
			func() {
				defer func() {
					if value := recover(); value != form {
						t.Fatalf("%v", value)
					}
				}()
				run.Call()
				t.Fatal("no panic")
			}()
		}
	}
}

// trouble is an error whose methods panic.
type trouble struct{ message, unwrap string }

func (t trouble) Error() string {
	if t.message != "" {
		panic(t.message)
	}
	return "trouble"
}

func (t trouble) Unwrap() error {
	if t.unwrap != "" {
		panic(t.unwrap)
	}
	return nil
}

// Methods of errors are called before C is returned to: what they panic with does not cross it.
func TestErrorsThatPanic(t *testing.T) {
	var give error
	var value any
	for _, raw := range []bool{true, false} {
		g := load(t, NewConfig(), `(module (import "host" "f" (func $f (result externref)))
		  (import "host" "raw" (func $raw))
		  (func (export "true") (call $raw))
		  (func (export "false") (drop (call $f))))`, func(l *Linker) {
			must(t, l.DefineFunc("host", "raw", func() error { return give }))
			must(t, l.FuncNew("host", "f", NewFuncType(nil, []ValType{ExternRef}), func(*Caller, []Val) ([]Val, error) {
				return []Val{ValExternref(value)}, give
			}))
		})
		run := g.GetFunc(fmt.Sprint(raw))
		for _, test := range []struct {
			give   error
			panics any
			text   string
		}{
			{trouble{message: "message"}, "message", ""},
			{trouble{unwrap: "unwrap"}, "unwrap", ""},
			{(*Trap)(nil), nil, "a nil *Trap"},
			{(*ExitError)(nil), nil, "a nil *ExitError"},
			{(*Error)(nil), nil, "a nil *Error"},
			{fmt.Errorf("wrapped: %w", (*Trap)(nil)), nil, "wrapped: a nil *Trap"},
		} {
			give = test.give
			func() {
				defer func() {
					if value := recover(); value != test.panics {
						t.Errorf("%#v: panic %v", test.give, value)
					}
				}()
				_, err := run.Call()
				if trap := trapOf(t, err); trap.Code() != TrapHost || !strings.HasPrefix(trap.Message(), test.text) || KindOf(err) != ErrorTrap {
					t.Errorf("%#v: %v", test.give, err)
				}
			}()
			// Nobody has the store.
			if _, err := g.anyUse(); err != nil {
				t.Fatalf("%#v: %v", test.give, err)
			}
		}
		if KindOf((*Trap)(nil)) != 0 || KindOf((*Error)(nil)) != 0 {
			t.Error("a nil pointer has a kind")
		}
		give = nil
		for _, value = range []any{(*Ref)(nil), nil, "text"} {
			_, err := run.Call()
			must(t, err)
		}
	}
}

// A panic goes through guests and host functions that are inside each other.
func TestPanicThroughGuests(t *testing.T) {
	var inner guest
	unwound := 0
	outer := load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() {
			defer func() { unwound++ }()
			inner.GetFunc("run").Call()
		}))
	})
	inner = load(t, NewConfig(), callsHost, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() { panic(io.EOF) }))
	})
	for i := 1; i <= 2; i++ {
		func() {
			defer func() {
				if value := recover(); value != io.EOF || unwound != i {
					t.Fatalf("%v, %d", value, unwound)
				}
			}()
			outer.GetFunc("run").Call()
		}()
	}
}

// Ending the goroutine from a host function leaves C without returning to it.
func TestGoexit(t *testing.T) {
	for i := 0; i < 20; i++ {
		g := load(t, NewConfig(), callsHost, func(l *Linker) {
			must(t, l.DefineFunc("host", "f", func() { runtime.Goexit() }))
		})
		other := load(t, NewConfig(), trapping, noImports)
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			g.GetFunc("run").Call()
		}()
		<-ended
		_, err := g.anyUse()
		if err == nil || !strings.Contains(err.Error(), "Goexit") {
			t.Fatalf("%v", err)
		}
		if err := g.store.Close(); err == nil {
			t.Fatal("closed")
		}
		// Other stores still work, also on the threads of the system that Go uses now.
		_, err = other.GetFunc("unreachable").Call()
		if trapOf(t, err).Code() != TrapUnreachable {
			t.Fatal(err)
		}
	}
	runtime.GC()
	runtime.GC()
}

// anyUse is any use of the store that gives its error.
func (g guest) anyUse() (uint64, error) { return g.store.Usage(StoreLimitInstances) }

func TestCaller(t *testing.T) {
	var known *Caller
	calls := 0
	g := load(t, NewConfig(), `(module (import "host" "f" (func $f (param i32) (result i32)))
	  (memory (export "memory") 1) (data (i32.const 8) "hello")
	  (func (export "run") (param i32) (result i32) (call $f (local.get 0)))
	  (func (export "twice") (param i32) (result i32) (i32.mul (i32.const 2) (local.get 0))))`, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func(c *Caller, v int32) (int32, error) {
			calls++
			known = c
			if text := string(c.Memory()[v : v+5]); text != "hello" {
				return 0, errors.New(text)
			}
			if c.GetExport("nothing") != nil {
				return 0, errors.New("found nothing")
			}
			twice, err := c.GetExport("twice").Func().Call(v)
			if err != nil {
				return 0, err
			}
			return twice.(int32), nil
		}))
	})
	result, err := g.GetFunc("run").Call(8)
	must(t, err)
	if result != int32(16) || calls != 1 {
		t.Fatalf("%v", result)
	}
	if known.Memory() != nil || known.Instance() != nil || known.GetExport("run") != nil || known.Store() != g.store {
		t.Fatal("a caller is known after the call")
	}
}

func TestHostFunctionsThatDoNotFit(t *testing.T) {
	g := load(t, NewConfig(), `(module)`, nil)
	var none func(int32)
	for _, f := range []any{nil, 7, none, func(...int32) {}, func(int) {}, func() bool { return true }, func(error) {},
		func(int32, *Caller) {}, func() (error, int32) { return nil, 0 }} {
		if _, err := WrapFunc(g.store, f); KindOf(err) != ErrorMisuse {
			t.Errorf("%T: %v", f, err)
		}
	}
	refs := NewFuncType([]ValType{ExternRef}, nil)
	if _, err := NewRawFunc(g.store, refs, func([]Raw) error { return nil }); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewFunc(g.store, FuncType{}, nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	if _, err := NewFunc(g.store, NewFuncType([]ValType{77}, nil), func(*Caller, []Val) ([]Val, error) { return nil, nil }); err == nil {
		t.Error("a type that does not exist")
	}
	if _, err := NewFunc(nil, FuncType{}, func(*Caller, []Val) ([]Val, error) { return nil, nil }); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	for _, wrong := range [][]Val{nil, {ValI64(1)}, {ValI32(1), ValI32(2)}, {ValExternref(1)}} {
		f, err := NewFunc(g.store, NewFuncType(nil, []ValType{I32}), func(*Caller, []Val) ([]Val, error) { return wrong, nil })
		must(t, err)
		if _, err := f.Call(); err == nil || !strings.Contains(err.Error(), "host function") {
			t.Errorf("%v: %v", wrong, err)
		}
	}
}

// Common types, which are called without reflection, and others: each gets its arguments and gives its results.
func TestFormsOfHostFunctions(t *testing.T) {
	type number int32
	seen := ""
	see := func(v ...any) { seen = strings.TrimSpace(fmt.Sprintln(v...)) }
	store := load(t, NewConfig(), "(module)", nil).store
	caller := func(c *Caller) {
		if c.Store() != store || c.Instance() != nil || c.Memory() != nil {
			t.Error("a caller that is none")
		}
	}
	for _, test := range []struct {
		f      any
		args   []any
		result any
		seen   string
	}{
		{func() { see() }, nil, nil, ""},
		{func() error { see(); return nil }, nil, nil, ""},
		{func() int32 { return 5 }, nil, int32(5), ""},
		{func() int64 { return 5 }, nil, int64(5), ""},
		{func(a int32) { see(a) }, []any{1}, nil, "1"},
		{func(a int32) error { see(a); return nil }, []any{1}, nil, "1"},
		{func(a int32) int32 { see(a); return a + 1 }, []any{1}, int32(2), "1"},
		{func(a, b int32) { see(a, b) }, []any{1, 2}, nil, "1 2"},
		{func(a, b int32) int32 { see(a, b); return a - b }, []any{1, 2}, int32(-1), "1 2"},
		{func(a int64) { see(a) }, []any{1 << 40}, nil, "1099511627776"},
		{func(a int64) int64 { see(a); return a + 1 }, []any{1 << 40}, int64(1<<40 + 1), "1099511627776"},
		{func(a, b int64) int64 { see(a, b); return a - b }, []any{1, 2}, int64(-1), "1 2"},
		{func(a float64) float64 { see(a); return a / 2 }, []any{1.5}, 0.75, "1.5"},
		{func(a, b float64) float64 { see(a, b); return a - b }, []any{1.5, 1.0}, 0.5, "1.5 1"},
		{func(c *Caller, a int32) int32 { caller(c); see(a); return a + 1 }, []any{1}, int32(2), "1"},
		{func(c *Caller, a, b int32) { caller(c); see(a, b) }, []any{1, 2}, nil, "1 2"},
		{func(c *Caller, a, b int32) error { caller(c); see(a, b); return nil }, []any{1, 2}, nil, "1 2"},
		{func(c *Caller, a, b int32) int32 { caller(c); see(a, b); return a - b }, []any{1, 2}, int32(-1), "1 2"},
		{func(c *Caller, a float32, b number, d uint64) number { caller(c); see(a, b, d); return b }, []any{float32(1.5), 2, 3},
			int32(2), "1.5 2 3"},
		{func(a, b, c, d, e, f, g, h, i, j int32) int32 { see(a, j); return j }, []any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, int32(10), "1 10"},
		{func(_ *Caller, a, b, c, d, e, f, g, h, i, j int32) int32 { see(a, j); return j },
			[]any{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, int32(10), "1 10"},
		{func(a [16]byte) [16]byte { a[0]++; return a }, []any{[16]byte{1}}, [16]byte{2}, ""},
	} {
		seen = ""
		f, err := WrapFunc(store, test.f)
		must(t, err)
		for i := 0; i < 2; i++ {
			result, err := f.Call(test.args...)
			if err != nil || result != test.result || seen != test.seen {
				t.Errorf("%T: %v, %q, %v", test.f, result, seen, err)
			}
		}
	}
	ty := NewFuncType([]ValType{I32}, []ValType{F64})
	f, err := NewRawCallerFunc(store, ty, func(c *Caller, values []Raw) error {
		caller(c)
		values[0].SetF64(float64(values[0].I32()) / 2)
		return nil
	})
	must(t, err)
	if result, err := f.Call(3); err != nil || result != 1.5 {
		t.Error(result, err)
	}
	// A v128 goes only by itself, and the error says how.
	raw := func(*Caller, []Raw) error { return nil }
	_, raws := NewRawCallerFunc(store, NewFuncType([]ValType{V128}, nil), raw)
	_, refs := NewRawCallerFunc(store, NewFuncType([]ValType{ExternRef, I32}, nil), raw)
	_, vals := NewFunc(store, NewFuncType([]ValType{V128}, nil), func(*Caller, []Val) ([]Val, error) { return nil, nil })
	_, wrapped := WrapFunc(store, func(*Caller, [16]byte) {})
	_, both := WrapFunc(store, func(any, [16]byte) {})
	for _, test := range []struct {
		err  error
		text string
	}{{raws, "use NewRawFunc"}, {refs, "use NewFunc"}, {vals, "use NewRawFunc"}, {wrapped, "*Caller"}, {both, "reference"}} {
		if test.err == nil || !strings.Contains(test.err.Error(), test.text) {
			t.Error(test.err)
		}
	}
	if _, err := NewRawFunc(store, ty, nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
}
