package wasmrt

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"
)

// resident returns how many bytes of memory the process has.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("no /proc")
	}
	var total, pages int
	fmt.Sscan(string(text), &total, &pages)
	return pages * os.Getpagesize()
}

// settle collects garbage until cleanups have run, or it is clear that they will not.
func settle(done func() bool) {
	for i := 0; i < 3 || i < 1000 && !done(); i++ {
		runtime.GC()
		time.Sleep(5 * time.Millisecond)
	}
}

// liveStores counts stores that C has not freed.
func liveStores() (n int) {
	coresMu.Lock()
	defer coresMu.Unlock()
	all := cores.Load()
	if all == nil {
		return // there has been no store
	}
	for _, c := range *all {
		if c != nil {
			n++
		}
	}
	return
}

func (c *core) count() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.first; e != nil; e = e.next {
		n++
	}
	return
}

// A memory keeps its store, with the bytes that Memory.Data gave.
func TestMemoryKeepsStore(t *testing.T) {
	before := liveStores()
	memory, data := func() (*Memory, []byte) {
		m := load(t, NewConfig(), everything, nil).GetMemory("memory")
		return m, m.Data()
	}()
	data[65535] = 1
	settle(func() bool { return true })
	data[65535]++
	if v, err := memory.ReadUint8(65535); err != nil || v != 2 {
		t.Error(v, err)
	}
	runtime.KeepAlive(memory)
	memory, data = nil, nil
	settle(func() bool { return liveStores() <= before })
	if n := liveStores(); n > before {
		t.Errorf("%d stores, not %d", n, before)
	}
}

// 100,000 of each kind, half of them closed and half of them left to the collector.
func TestLeaks(t *testing.T) {
	total := 100_000
	if testing.Short() {
		total = 2_000
	}
	config := interruptible()
	engine, err := NewEngineWithConfig(config)
	must(t, err)
	binary := wat(t, `(module (import "host" "f" (func))
	  (memory (export "memory") 0) (global (export "global") i32 (i32.const 1)) (table (export "table") 1 funcref)
	  (func (export "f") unreachable)
	  (func (export "id") (param externref) (result externref) (local.get 0)))`)
	module, err := NewModule(engine, binary)
	must(t, err)
	empty := wat(t, `(module)`)

	var store *Store
	var instance *Instance
	fresh := func() {
		store, err = NewStore(engine)
		must(t, err)
		host, err := WrapFunc(store, func() {})
		must(t, err)
		instance, err = NewInstance(store, module, []AsExtern{host})
		must(t, err)
	}
	closing := func(i int, err error, c interface{ Close() error }) {
		t.Helper()
		must(t, err)
		if i%2 == 0 {
			must(t, c.Close())
		}
	}
	// What a store keeps until its end is made in many stores.
	kinds := []struct {
		name    string
		renewed bool
		make    func(i int)
	}{
		{"engine", false, func(i int) { e, err := NewEngine(); closing(i, err, e) }},
		{"store", false, func(i int) { s, err := NewStore(engine); closing(i, err, s) }},
		{"store that a host function keeps", false, func(i int) {
			s, err := NewStore(engine)
			must(t, err)
			_, err = WrapFunc(s, func(int64, int64, int64) { s.GC() })
			closing(i, err, s)
		}},
		{"module", false, func(i int) { m, err := NewModule(engine, empty); closing(i, err, m) }},
		{"instance", true, func(i int) {
			f := instance.GetFunc("f")
			in, err := NewInstance(store, module, []AsExtern{f})
			closing(i, err, in)
		}},
		{"extern", false, func(i int) { e := instance.GetExport("f"); closing(i, nil, e) }},
		{"function", false, func(i int) { f := instance.GetFunc("f"); closing(i, nil, f) }},
		{"host function", true, func(i int) { f, err := WrapFunc(store, func() {}); closing(i, err, f) }},
		{"memory handle", false, func(i int) { m := instance.GetMemory("memory"); closing(i, nil, m) }},
		{"memory", true, func(i int) { m, err := NewMemory(store, NewMemoryType(0, 0)); closing(i, err, m) }},
		{"global", true, func(i int) { g, err := NewGlobal(store, NewGlobalType(I32, true), 1); closing(i, err, g) }},
		{"table", true, func(i int) { tb, err := NewTable(store, NewTableType(FuncRef, 0, 1), nil); closing(i, err, tb) }},
		{"linker", true, func(i int) {
			l, err := NewLinker(store)
			must(t, err)
			must(t, l.Define("host", "f", instance.GetFunc("f")))
			pre, err := l.Prepare(module)
			must(t, err)
			closing(i, l.Close(), pre)
		}},
		{"trap", false, func(i int) {
			if _, err := instance.GetFunc("f").Call(); err == nil {
				t.Fatal("no trap")
			}
		}},
		{"reference", true, func(i int) {
			if v, err := instance.GetFunc("id").Call(i); err != nil || v != i {
				t.Fatal(v, err)
			}
		}},
		{"interrupt", false, func(i int) {
			s, err := NewStore(engine)
			must(t, err)
			h, err := s.InterruptHandle()
			closing(i, err, h)
		}},
		{"WASI", false, func(i int) {
			s, err := NewStore(engine)
			must(t, err)
			config := NewWasiConfig()
			config.SetStdin(strings.NewReader("text"))
			closing(i, s.SetWasi(config), s)
		}},
	}
	for _, kind := range kinds {
		t.Run(kind.name, func(t *testing.T) {
			begin := time.Now()
			round := func(n int) {
				for i := 0; i < n; i++ {
					if i%1000 == 0 && (i == 0 || kind.renewed) {
						if store != nil {
							must(t, store.Close())
						}
						fresh()
					}
					kind.make(i)
					if i%5000 == 0 {
						// Go does not see how much memory C has: it would collect late.
						runtime.GC()
					}
				}
				settle(func() bool {
					must(t, store.GC())
					return liveStores() <= 100 && store.core.count() <= 4000
				})
			}
			round(total / 10)
			// A leak of 100 bytes each. Memory that the collector was late to give back does not grow again and again.
			grown := 0
			for try := 0; try == 0 || try < 3 && grown > total*100+8<<20; try++ {
				before := resident(t)
				round(total)
				grown = resident(t) - before
			}
			if objects := store.core.count(); objects > 4000 {
				t.Errorf("%d objects are left in the store", objects)
			}
			if stores := liveStores(); stores > 100 {
				t.Errorf("%d stores are left", stores)
			}
			// With few of each kind, and under the race detector, it would not show.
			if !testing.Short() && grown > total*100+8<<20 {
				t.Errorf("%d bytes more for each", grown/total)
			}
			t.Logf("%d bytes, %v", grown, time.Since(begin))
		})
	}
}
