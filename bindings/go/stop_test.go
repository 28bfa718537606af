package wasmrt

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const runaway = `(module (import "host" "f" (func $f))
  (memory (export "memory") 1)
  (func (export "forever") (loop $again (br $again)))
  (func (export "through") (call $f))
  (func (export "then-forever") (call $f) (loop $again (br $again)))
  (func (export "grow") (result i32) (memory.grow (i32.const 10)))
  (func (export "one") (result i32) (i32.const 1)))`

func interruptible() *Config {
	config := NewConfig()
	config.SetInterruption(true)
	return config
}

func TestContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	g := load(t, interruptible(), runaway, func(l *Linker) { must(t, l.DefineFunc("host", "f", func() { cancel() })) })
	one := g.GetFunc("one")
	_, err := g.GetFunc("then-forever").CallContext(ctx)
	if trap := trapOf(t, err); trap.Code() != TrapInterrupted || !errors.Is(err, context.Canceled) {
		t.Fatalf("%v", err)
	}
	late, end := context.WithTimeout(context.Background(), time.Millisecond)
	defer end()
	if _, err := g.GetFunc("forever").CallContext(late); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	// Nothing of it is left.
	result, err := one.CallContext(context.Background())
	must(t, err)
	if result != int32(1) {
		t.Fatal(result)
	}
	if _, err := one.CallContext(ctx); err != context.Canceled {
		t.Fatal(err)
	}
	// A context that ends at any moment stops that call, and no other.
	for i := 0; i < 200; i++ {
		ctx, cancel := context.WithCancel(context.Background())
		go cancel()
		if _, err := one.CallContext(ctx); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if _, err := one.Call(); err != nil {
			t.Fatal(err)
		}
	}
	none := load(t, NewConfig(), runaway, noImports)
	live, stop := context.WithCancel(context.Background())
	defer stop()
	if _, err := none.GetFunc("one").CallContext(live); KindOf(err) != ErrorUnsupported {
		t.Fatal(err)
	}
	must(t, g.store.Close())
	if _, err := one.CallContext(live); !errors.Is(err, ErrClosed) {
		t.Fatal(err)
	}
}

// A context of a host function's own call stops all that it is inside of.
func TestContextInside(t *testing.T) {
	var g guest
	inside := false
	ctx, cancel := context.WithCancel(context.Background())
	g = load(t, interruptible(), runaway, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() error {
			if inside {
				cancel()
				return nil
			}
			inside = true
			_, err := g.GetFunc("then-forever").CallContext(ctx)
			return err
		}))
	})
	if _, err := g.GetFunc("through").Call(); trapOf(t, err).Code() != TrapInterrupted {
		t.Fatal(err)
	}
	_, err := g.GetFunc("one").Call()
	must(t, err)
}

// peeking is a context that calls a function when it is asked whether it has ended.
type peeking struct {
	context.Context
	peek func()
}

func (p peeking) Err() error {
	p.peek()
	return p.Context.Err()
}

// While a call has a context, no other goroutine gets in.
func TestContextKeepsOthersOut(t *testing.T) {
	ended, end := context.WithCancel(context.Background())
	g := load(t, interruptible(), `(module (import "host" "f" (func $f)) (global $n (mut i32) (i32.const 0))
	  (func (export "forever") (call $f) (loop $again (br $again)))
	  (func (export "next") (result i32) (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))`,
		func(l *Linker) { must(t, l.DefineFunc("host", "f", func() { end() })) })
	next := g.GetFunc("next")
	peeks := 0
	ctx := peeking{ended, func() {
		if peeks++; peeks == 1 {
			return // before the call
		}
		other := make(chan error)
		go func() {
			_, err := next.Call()
			other <- err
		}()
		if err := <-other; !errors.Is(err, ErrBusy) {
			t.Errorf("%v", err)
		}
	}}
	if _, err := g.GetFunc("forever").CallContext(ctx); !errors.Is(err, context.Canceled) || peeks < 2 {
		t.Fatal(peeks, err)
	}

	// Of goroutines that fight for the store, each gets its result, or was not let in.
	live, stop := context.WithCancel(context.Background())
	defer stop()
	var wait sync.WaitGroup
	var done atomic.Int32
	for i := 0; i < 4; i++ {
		call := func() (any, error) { return next.Call() }
		if i%2 == 0 {
			call = func() (any, error) { return next.CallContext(live) }
		}
		wait.Add(1)
		go func() {
			defer wait.Done()
			for n := 0; n < 500; n++ {
				if _, err := call(); err == nil {
					done.Add(1)
				} else if !errors.Is(err, ErrBusy) || strings.Contains(err.Error(), "host function") {
					t.Error(err)
				}
			}
		}()
	}
	wait.Wait()
	if result, err := next.CallContext(live); err != nil || result != done.Load()+1 {
		t.Errorf("%v after %d calls: %v", result, done.Load(), err)
	}
}

// That call stops everything around it also if the host function takes no notice.
func TestContextInsideStopsOutside(t *testing.T) {
	var g guest
	calls := 0
	ctx, cancel := context.WithCancel(context.Background())
	g = load(t, interruptible(), runaway, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() {
			if calls++; calls == 1 {
				g.GetFunc("then-forever").CallContext(ctx)
			} else {
				cancel()
			}
		}))
	})
	if _, err := g.GetFunc("then-forever").Call(); trapOf(t, err).Code() != TrapInterrupted {
		t.Fatal(err)
	}
	_, err := g.GetFunc("one").Call()
	must(t, err)

	// Both calls have a context, one of the other. What is left of the inner one does not take the outer one's with it.
	for i := 0; i < 100; i++ {
		outer, cancel := context.WithCancel(context.Background())
		g = load(t, interruptible(), runaway, func(l *Linker) {
			must(t, l.DefineFunc("host", "f", func() {
				inner, end := context.WithCancel(outer)
				defer end()
				go cancel()
				g.GetFunc("one").CallContext(inner)
			}))
		})
		if _, err := g.GetFunc("then-forever").CallContext(outer); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		_, err := g.GetFunc("one").Call()
		must(t, err)
	}
}

func TestContextAndPanic(t *testing.T) {
	g := load(t, interruptible(), runaway, func(l *Linker) {
		must(t, l.DefineFunc("host", "f", func() { panic("through") }))
	})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	func() {
		defer func() {
			if value := recover(); value != "through" {
				t.Fatal(value)
			}
		}()
		g.GetFunc("through").CallContext(ctx)
	}()
	_, err := g.GetFunc("one").CallContext(ctx)
	must(t, err)
}

func TestInstantiateContext(t *testing.T) {
	g := load(t, interruptible(), `(module)`, nil)
	module, err := NewModule(g.engine, wat(t, `(module (func $f (loop $again (br $again))) (start $f))`))
	must(t, err)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if _, err := g.linker.InstantiateContext(ctx, module); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
}

func TestInterruptHandle(t *testing.T) {
	g := load(t, interruptible(), runaway, noImports)
	handle, err := g.store.InterruptHandle()
	must(t, err)
	go handle.Interrupt()
	if _, err := g.GetFunc("forever").Call(); trapOf(t, err).Code() != TrapInterrupted {
		t.Fatal(err)
	}
	handle.Interrupt()
	handle.Clear()
	_, err = g.GetFunc("one").Call()
	must(t, err)
	must(t, g.store.Close())
	handle.Interrupt()
	must(t, handle.Close())
	handle.Interrupt()
	handle.Clear()
	none := load(t, NewConfig(), `(module)`, nil)
	if _, err := none.store.InterruptHandle(); err == nil {
		t.Fatal("an interrupt without interruption")
	}
}

func TestTimeouts(t *testing.T) {
	g := load(t, interruptible(), runaway, noImports)
	must(t, g.store.SetTimeout(time.Millisecond))
	for i := 0; i < 2; i++ {
		if _, err := g.GetFunc("forever").Call(); trapOf(t, err).Code() != TrapTimeout {
			t.Fatal(err)
		}
	}
	must(t, g.store.SetTimeout(NoTimeout))
	must(t, g.store.SetCallTimeout(time.Millisecond))
	if _, err := g.GetFunc("forever").Call(); trapOf(t, err).Code() != TrapTimeout {
		t.Fatal(err)
	}
	must(t, g.store.SetCallTimeout(NoTimeout))
	must(t, g.store.SetDeadline(time.Now().Add(-time.Second)))
	if _, err := g.GetFunc("forever").Call(); trapOf(t, err).Code() != TrapTimeout {
		t.Fatal(err)
	}
}

func TestFuel(t *testing.T) {
	config := NewConfig()
	config.SetConsumeFuel(true)
	g := func() guest {
		engine, err := NewEngineWithConfig(config)
		must(t, err)
		store, err := NewStore(engine)
		must(t, err)
		must(t, store.SetFuel(10000))
		module, err := NewModule(engine, wat(t, runaway))
		must(t, err)
		linker, err := NewLinker(store)
		must(t, err)
		noImports(linker)
		instance, err := linker.Instantiate(module)
		must(t, err)
		return guest{instance, engine, store, linker}
	}()
	if _, err := g.GetFunc("forever").Call(); trapOf(t, err).Code() != TrapOutOfFuel {
		t.Fatal(err)
	}
	must(t, g.store.AddFuel(100))
	_, err := g.GetFunc("one").Call()
	must(t, err)
	left, err := g.store.GetFuel()
	must(t, err)
	used, err := g.store.FuelConsumed()
	must(t, err)
	if left == 0 || left >= 100+100 || used+left != 10100 {
		t.Fatal(left, used)
	}
	none := load(t, NewConfig(), `(module)`, nil)
	if err := none.store.SetFuel(1); err == nil {
		t.Fatal("fuel without fuel")
	}
}

func TestLimits(t *testing.T) {
	g := load(t, NewConfig(), runaway, noImports)
	must(t, g.store.SetLimit(StoreLimitMemoryBytes, 3*65536))
	if result, err := g.GetFunc("grow").Call(); err != nil || result != int32(-1) {
		t.Fatal(result, err)
	}
	if _, err := g.GetMemory("memory").Grow(5); KindOf(err) != ErrorLimit {
		t.Fatal(err)
	}
	if usage, err := g.store.Usage(StoreLimitMemoryBytes); err != nil || usage != 65536 {
		t.Fatal(usage, err)
	}
	if limit, err := g.store.Limit(StoreLimitInstances); err != nil || limit != Unlimited {
		t.Fatal(limit, err)
	}
	must(t, g.store.SetGrowthTrap(true))
	if _, err := g.GetFunc("grow").Call(); trapOf(t, err).Code() != TrapMemoryLimit || KindOf(err) != ErrorLimit {
		t.Fatal(err)
	}
}
