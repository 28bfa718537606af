package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// Store holds what belongs to one guest: its instances, and what is in them. One goroutine at a time may use it.
//
// A goroutine that uses a store owns it: core.owner is set. When the guest calls a host function, the goroutine lets
// others in again, that is itself: level is then the number of callbacks that are running inside each other. While C
// runs it is the negated number of those that wait for it.
type Store struct {
	core   *core
	guard  *guard
	engine *Engine
	level  atomic.Int32

	hosts   []*hostFunc
	streams []stream
	values  map[uintptr]any
	lastID  uintptr
	scratch []Raw
	used    int
	panics  []any
	wasi    *object

	interrupt *InterruptHandle  // of contexts
	contexts  []context.Context // of calls that are running
}

// NewStore makes a store.
func NewStore(engine *Engine) (*Store, error) {
	s := &Store{engine: engine, core: &core{}, scratch: make([]Raw, 64)}
	err := engine.use(func(e *C.wasm_engine_t) bool {
		s.core.ptr = C.wasm_store_new(e)
		return s.core.ptr != nil
	})
	if err != nil {
		return nil, err
	}
	register(s.core)
	C.wasmrtgo_store_watch(s.core.ptr, C.uintptr_t(s.core.index))
	s.guard = &guard{}
	cleanup(s.guard, (*core).free, s.core)
	return s, nil
}

// guard is what a cleanup is attached to. Nothing leads from it to a value of the user's, so that no cycle keeps it.
type guard struct{ entry *entry }

// entry is a C object of a store, until it is deleted.
type entry struct {
	ptr        unsafe.Pointer
	delete     func(unsafe.Pointer)
	core       *core
	prev, next *entry
}

// core is what is left of a store when nothing refers to it in Go. No value of the user's can be reached from it,
// except while the store is used.
type core struct {
	owner atomic.Pointer[Store]
	dirty atomic.Bool
	index uint32
	ptr   *C.wasm_store_t

	mu       sync.Mutex
	first    *entry
	dropped  []*entry
	released []uintptr
	lost     bool
}

// Two owners that are no stores.
var closedStore, lostStore Store

var (
	coresMu   sync.Mutex
	cores     atomic.Pointer[[]*core]
	freeCores []uint32
)

// register gives a core the number that C knows it by.
func register(c *core) {
	coresMu.Lock()
	defer coresMu.Unlock()
	var all []*core
	if p := cores.Load(); p != nil {
		all = *p
	}
	if n := len(freeCores); n > 0 {
		c.index, freeCores = freeCores[n-1], freeCores[:n-1]
	} else {
		// Readers hold no lock: a larger table is a new one.
		bigger := make([]*core, 2*len(all)+8)
		copy(bigger, all)
		for i := len(bigger) - 1; i > len(all); i-- {
			freeCores = append(freeCores, uint32(i))
		}
		c.index, all = uint32(len(all)), bigger
		cores.Store(&bigger)
	}
	setCore(&all[c.index], c)
}

func setCore(slot **core, c *core) {
	atomic.StorePointer((*unsafe.Pointer)(unsafe.Pointer(slot)), unsafe.Pointer(c))
}

func coreOf(index uintptr) *core {
	slot := &(*cores.Load())[index]
	return (*core)(atomic.LoadPointer((*unsafe.Pointer)(unsafe.Pointer(slot))))
}

//export wasmrtGoStoreGone
func wasmrtGoStoreGone(index C.uintptr_t) {
	coresMu.Lock()
	defer coresMu.Unlock()
	setCore(&(*cores.Load())[index], nil)
	freeCores = append(freeCores, uint32(index))
}

//export wasmrtGoRelease
func wasmrtGoRelease(index, id C.uintptr_t) {
	c := coreOf(uintptr(index))
	if c == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.released = append(c.released, uintptr(id))
	c.dirty.Store(true)
}

// add has the store delete a C object when nothing refers to the guard any more, or when it is closed.
func (s *Store) add(ptr unsafe.Pointer, delete func(unsafe.Pointer)) *guard {
	e := &entry{ptr: ptr, delete: delete, core: s.core}
	c := s.core
	c.mu.Lock()
	e.next = c.first
	if c.first != nil {
		c.first.prev = e
	}
	c.first = e
	c.mu.Unlock()
	g := &guard{entry: e}
	cleanup(g, (*entry).drop, e)
	return g
}

// drop leaves deletion to whoever uses the store next: not everything may be deleted on just any thread.
func (e *entry) drop() {
	c := e.core
	c.mu.Lock()
	defer c.mu.Unlock()
	if e.ptr != nil {
		c.dropped = append(c.dropped, e)
		c.dirty.Store(true)
	}
}

// free deletes the object now. The caller uses the store.
func (e *entry) free() {
	c := e.core
	c.mu.Lock()
	ptr := e.ptr
	if ptr != nil {
		e.ptr = nil
		if e.prev != nil {
			e.prev.next = e.next
		} else {
			c.first = e.next
		}
		if e.next != nil {
			e.next.prev = e.prev
		}
	}
	c.mu.Unlock()
	if ptr != nil {
		e.delete(ptr)
	}
}

// free deletes everything. Nobody else uses the store.
func (c *core) free() {
	for {
		c.mu.Lock()
		e := c.first
		lost := c.lost
		c.mu.Unlock()
		if lost {
			return
		}
		if e == nil {
			break
		}
		e.free()
	}
	if c.ptr != nil {
		C.wasm_store_delete(c.ptr)
		c.ptr = nil
	}
}

// sweep deletes what nothing refers to any more. The caller uses the store.
func (s *Store) sweep() {
	c := s.core
	for c.dirty.Load() {
		c.mu.Lock()
		dropped, released := c.dropped, c.released
		c.dropped, c.released = nil, nil
		c.dirty.Store(false)
		c.mu.Unlock()
		for _, id := range released {
			delete(s.values, id)
		}
		for _, e := range dropped {
			e.free()
		}
	}
}

// enter begins a use of the store. It returns what leave has to be called with.
func (s *Store) enter() (level int32, err error) {
	if s == nil {
		return 0, misuse("the store is nil; check the error of NewStore")
	}
	c := s.core
	if !c.owner.CompareAndSwap(nil, s) {
		level = s.level.Load()
		if owner := c.owner.Load(); owner == &closedStore {
			return 0, closedError("store")
		} else if owner == &lostStore {
			return 0, errLost
		} else if level <= 0 || !s.level.CompareAndSwap(level, -level) {
			return 0, &Error{Kind: ErrorMisuse, Message: "another goroutine uses the store; " +
				"give each goroutine its own store, or use a mutex", Offset: -1, cause: ErrBusy}
		}
	}
	if c.dirty.Load() {
		s.sweep()
	}
	return level, nil
}

func (s *Store) leave(level int32) {
	if level == 0 {
		s.core.owner.CompareAndSwap(s, nil)
	} else {
		s.level.Store(level)
	}
}

// beginCallback lets the host function use the store. It returns what endCallback has to be called with.
func (s *Store) beginCallback() int32 {
	level := 1 - s.level.Load()
	s.level.Store(level)
	return level
}

// endCallback gives the store back to C. If another goroutine is using it, which the host function must have allowed
// by mistake, it waits, and returns an error.
func (s *Store) endCallback(level int32) (err error) {
	for !s.level.CompareAndSwap(level, 1-level) {
		err = &Error{Kind: ErrorMisuse, Message: "a host function returned while another goroutine was using its store; " +
			"wait for it first", Offset: -1, cause: ErrBusy}
		time.Sleep(100 * time.Microsecond)
	}
	return
}

// lose is called when C code is left without returning to it. The store is never freed, and the thread, which C left
// its state on, ends with the goroutine. A panic with nil looks the same in old versions of Go, but C does get the
// trap.
func (s *Store) lose() *C.wasm_trap_t {
	trap := s.cTrap(failureOf(errLost))
	s.core.mu.Lock()
	s.core.lost = true
	s.core.mu.Unlock()
	s.core.owner.Store(&lostStore)
	runtime.LockOSThread()
	return trap
}

var errLost = misuse("the store is lost: a host function ended its goroutine with runtime.Goexit, or panicked with nil; " +
	"return an error instead")

// do uses the store to call C functions, and turns false into the last error.
func (s *Store) do(f func() bool) error {
	level, err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave(level)
	return attempt(f)
}

// Close frees the store with everything in it, unless it is in use: then it returns an error.
func (s *Store) Close() error {
	level, err := s.enter()
	if s == nil {
		return err
	} else if s.core.owner.Load() == &closedStore {
		return nil
	} else if err != nil {
		return err
	}
	if level != 0 {
		s.leave(level)
		return misuse("a store cannot be closed by a host function that it has called")
	}
	s.core.free()
	if s.interrupt != nil {
		s.interrupt.Close()
	}
	s.hosts, s.streams, s.values, s.wasi = nil, nil, nil, nil
	s.core.owner.Store(&closedStore)
	return nil
}

// Engine returns the engine that the store was made with.
func (s *Store) Engine() *Engine { return s.engine }

// GC releases references that the guest no longer holds now, rather than when the engine needs room.
func (s *Store) GC() error {
	return s.do(func() bool { return bool(C.wasmrt_store_gc(s.core.ptr)) })
}

// keep stores a value for C, which knows it by the number.
func (s *Store) keep(value any) uintptr {
	if s.values == nil {
		s.values = make(map[uintptr]any)
	}
	s.lastID++
	s.values[s.lastID] = value
	return s.lastID
}

// take returns room for n values, which give returns.
func (s *Store) take(n int) []Raw {
	s.used += n
	if s.used > len(s.scratch) {
		return make([]Raw, n)
	}
	return s.scratch[s.used-n : s.used]
}

func (s *Store) give(n int) { s.used -= n }

// object is a C object of a store.
type object struct {
	store *Store
	guard *guard
	what  string
}

// use begins a use of the object, and of its store. store.leave ends it.
func (o *object) use() (ptr unsafe.Pointer, level int32, err error) {
	level, err = o.store.enter()
	if err != nil {
		return
	}
	if ptr = o.guard.entry.ptr; ptr == nil {
		o.store.leave(level)
		err = closedError(o.what)
	}
	return
}

// do uses the object to call C functions, and turns false into the last error.
func (o *object) do(f func(ptr unsafe.Pointer) bool) error {
	ptr, level, err := o.use()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(o)
	defer o.store.leave(level)
	return attempt(func() bool { return f(ptr) })
}

// in returns the C object for a call into store, which is in use.
func (o *object) in(s *Store) (unsafe.Pointer, error) {
	if o.store != s {
		return nil, misuse("the %s belongs to another store", o.what)
	}
	if o.guard.entry.ptr == nil {
		return nil, closedError(o.what)
	}
	return o.guard.entry.ptr, nil
}

// close frees the handle, if its store is not closed with all handles.
func (o *object) close() error {
	if o.store.core.owner.Load() == &closedStore {
		return nil
	}
	level, err := o.store.enter()
	if err != nil {
		return err
	}
	o.guard.entry.free()
	o.store.leave(level)
	return nil
}

// Store returns the store that the object belongs to.
func (o *object) Store() *Store { return o.store }

func deleteRef(ptr unsafe.Pointer) { C.wasm_ref_delete((*C.wasm_ref_t)(ptr)) }
