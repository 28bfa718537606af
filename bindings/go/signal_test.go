package wasmrt

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"testing"
)

const trapping = `(module
  (import "host" "again" (func $again (param i32)))
  (memory (export "memory") 1)
  (table 2 funcref)
  (type $none (func))
  (func (export "unreachable") unreachable)
  (func (export "memory-out-of-bounds") (drop (i32.load (i32.const 65536))))
  (func (export "integer-divide-by-zero") (drop (i32.div_s (i32.const 1) (i32.const 0))))
  (func (export "integer-overflow") (drop (i32.div_s (i32.const 0x80000000) (i32.const -1))))
  (func (export "uninitialized-element") (call_indirect (type $none) (i32.const 0)))
  (func $deep (export "stack-exhausted") (call $deep))
  (func (export "nest") (param i32) (call $again (local.get 0))))`

var trapCodes = []TrapCode{TrapUnreachable, TrapMemoryOutOfBounds, TrapIntegerDivideByZero, TrapIntegerOverflow,
	TrapUninitializedElement, TrapStackExhausted}

func trapOf(t testing.TB, err error) *Trap {
	t.Helper()
	var trap *Trap
	if !errors.As(err, &trap) {
		t.Fatalf("not a trap: %v", err)
	}
	return trap
}

func noImports(l *Linker) { l.SetUnknownImports(UnknownImportsTrap) }

// The engines find out by signals that a guest traps, and Go has handlers of its own.
func TestTrapsInManyGoroutines(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	module, err := NewModule(engine, wat(t, trapping))
	must(t, err)
	var wait sync.WaitGroup
	failed := make(chan error, 64)
	for i := 0; i < 64; i++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			failed <- func() error {
				store, err := NewStore(engine)
				if err != nil {
					return err
				}
				defer store.Close()
				linker, err := NewLinker(store)
				if err != nil {
					return err
				}
				noImports(linker)
				instance, err := linker.Instantiate(module)
				if err != nil {
					return err
				}
				for i := 0; i < 30; i++ {
					code := trapCodes[i%len(trapCodes)]
					_, err := instance.GetFunc(code.String()).Call()
					var trap *Trap
					if !errors.As(err, &trap) || trap.Code() != code {
						return fmt.Errorf("%v instead of %v", err, code)
					}
					runtime.Gosched()
				}
				return nil
			}()
		}()
	}
	wait.Wait()
	for i := 0; i < 64; i++ {
		must(t, <-failed)
	}
	// Go's own signals still are what they were.
	func() {
		defer func() {
			if _, ok := recover().(runtime.Error); !ok {
				t.Error("a nil pointer did not panic")
			}
		}()
		var nothing *int
		*nothing = 1
	}()
}

// A guest and a host function call each other until the stack of the thread ends.
func TestNestedRecursion(t *testing.T) {
	depth, deepest := 0, 0
	var nest *Func
	g := load(t, NewConfig(), trapping, func(l *Linker) {
		must(t, l.DefineFunc("host", "again", func(v int32) error {
			depth++
			if depth > deepest {
				deepest = depth
			}
			defer func() { depth-- }()
			_, err := nest.Call(v + 1)
			return err
		}))
	})
	nest = g.GetFunc("nest")
	for i := 0; i < 3; i++ {
		_, err := nest.Call(0)
		if trap := trapOf(t, err); trap.Code() != TrapStackExhausted {
			t.Fatalf("%v", err)
		}
		if deepest < 10 || depth != 0 {
			t.Fatalf("%d, %d", deepest, depth)
		}
	}
	t.Logf("%d calls inside each other", deepest)
	_, err := g.GetFunc("stack-exhausted").Call()
	if trapOf(t, err).Code() != TrapStackExhausted {
		t.Fatal(err)
	}
}

// The same through a new store each time: they share the thread's stack.
func TestNestedStores(t *testing.T) {
	engine, err := NewEngine()
	must(t, err)
	module, err := NewModule(engine, wat(t, trapping))
	must(t, err)
	var run func() error
	deepest := 0
	run = func() error {
		deepest++
		store, err := NewStore(engine)
		if err != nil {
			return err
		}
		defer store.Close()
		linker, err := NewLinker(store)
		if err != nil {
			return err
		}
		if err := linker.DefineFunc("host", "again", func(int32) error { return run() }); err != nil {
			return err
		}
		instance, err := linker.Instantiate(module)
		if err != nil {
			return err
		}
		_, err = instance.GetFunc("nest").Call(0)
		return err
	}
	err = run()
	if trapOf(t, err).Code() != TrapStackExhausted || deepest < 10 {
		t.Fatalf("%d: %v", deepest, err)
	}
}

// Host functions that make the stack of the goroutine grow.
func TestGrowingGoroutineStack(t *testing.T) {
	var grow func(n int) int
	grow = func(n int) int {
		var room [1024]byte
		room[n%1024] = 1
		if n == 0 {
			return int(room[0])
		}
		return grow(n-1) + int(room[1023])
	}
	g := load(t, NewConfig(), trapping, func(l *Linker) {
		must(t, l.DefineFunc("host", "again", func(v int32) error { grow(int(v)); runtime.GC(); return nil }))
	})
	for _, n := range []int{1, 100, 10000} {
		_, err := g.GetFunc("nest").Call(n)
		must(t, err)
	}
}

// A nil pointer in a host function is a signal too, while a guest waits.
func TestFaultInHostFunction(t *testing.T) {
	g := load(t, NewConfig(), trapping, func(l *Linker) {
		must(t, l.DefineFunc("host", "again", func(int32) {
			var nothing *int
			*nothing = 1
		}))
	})
	for i := 0; i < 3; i++ {
		func() {
			defer func() {
				if err, ok := recover().(runtime.Error); !ok || !strings.Contains(err.Error(), "nil pointer") {
					t.Fatal(err)
				}
			}()
			g.GetFunc("nest").Call(0)
		}()
		if _, err := g.GetFunc("memory-out-of-bounds").Call(); trapOf(t, err).Code() != TrapMemoryOutOfBounds {
			t.Fatal(err)
		}
	}
}
