package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"errors"
	"runtime"
	"time"
	"unsafe"
)

// InterruptHandle stops the guests of a store, from any goroutine.
type InterruptHandle struct{ shared *shared }

// InterruptHandle returns a new handle that stops the store's guests. The engine must have been configured with
// Config.SetInterruption.
func (s *Store) InterruptHandle() (handle *InterruptHandle, err error) {
	level, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.leave(level)
	return s.newInterrupt()
}

// newInterrupt makes a handle of the store, which is in use.
func (s *Store) newInterrupt() (handle *InterruptHandle, err error) {
	err = attempt(func() bool {
		ptr := C.wasmrt_interrupt_new(s.core.ptr)
		if ptr == nil {
			return false
		}
		handle = &InterruptHandle{&shared{ptr: unsafe.Pointer(ptr), delete: deleteInterrupt}}
		cleanup(handle, (*shared).close, handle.shared)
		return true
	})
	return
}

func deleteInterrupt(ptr unsafe.Pointer) { C.wasmrt_interrupt_delete((*C.wasmrt_interrupt_t)(ptr)) }

func (h *InterruptHandle) use(f func(*C.wasmrt_interrupt_t)) {
	if ptr := h.shared.hold(); ptr != nil {
		f((*C.wasmrt_interrupt_t)(ptr))
		h.shared.release()
		runtime.KeepAlive(h)
	}
}

// Interrupt stops what is running in the store: the outermost call, with all calls inside it, gives a *Trap of code
// TrapInterrupted. If nothing is running, the next call is stopped. After the store was closed it does nothing.
func (h *InterruptHandle) Interrupt() {
	h.use(func(ptr *C.wasmrt_interrupt_t) { C.wasmrt_interrupt_trigger(ptr) })
}

// Clear withdraws an Interrupt that has not stopped anything yet.
func (h *InterruptHandle) Clear() {
	h.use(func(ptr *C.wasmrt_interrupt_t) { C.wasmrt_interrupt_clear(ptr) })
}

// Close frees the handle. After that it does nothing.
func (h *InterruptHandle) Close() error {
	if h == nil {
		return misuse("the interrupt handle is nil; check the error of Store.InterruptHandle")
	}
	h.shared.close()
	return nil
}

// CallContext calls the function as Call does. When the context is cancelled, or its deadline passes, the guest is
// stopped, with all calls of the store that it is inside of: the error is a *Trap of code TrapInterrupted, in which
// errors.Is finds the context's error. A host function is not stopped; the guest stops when it returns.
//
// The engine must have been configured with Config.SetInterruption, unless the context is never cancelled.
func (f *Func) CallContext(ctx context.Context, args ...any) (result any, err error) {
	if f == nil {
		return nil, errNoFunc
	}
	if len(args) != len(f.ty.Params) {
		return nil, f.wrongCount(args)
	}
	err = f.store.during(ctx, func() error {
		ptr, err := f.in(f.store)
		if err == nil {
			result, err = f.called(ptr, args)
		}
		return err
	})
	return
}

// InstantiateContext instantiates a module as Instantiate does. The context stops it as it does Func.CallContext.
func (l *Linker) InstantiateContext(ctx context.Context, module *Module) (instance *Instance, err error) {
	defer runtime.KeepAlive(l)
	err = l.store.during(ctx, func() (err error) {
		instance, err = l.store.made(l.maker(module))
		return
	})
	return
}

// during uses the store to call f, and stops the guests that run in it when the context is cancelled. Other goroutines,
// which would be stopped too, are kept out until nothing of that is left.
func (s *Store) during(ctx context.Context, f func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx.Done() == nil {
		return s.run(f)
	}
	if !s.engine.interruption {
		return &Error{Kind: ErrorUnsupported, Message: "a context can stop guests only of an engine that is configured with " +
			"Config.SetInterruption", Offset: -1}
	}
	return s.run(func() error { return s.watched(ctx, f) })
}

// watched calls f, and interrupts the store, which is in use, when the context is cancelled.
func (s *Store) watched(ctx context.Context, f func() error) (err error) {
	if s.interrupt == nil {
		if s.interrupt, err = s.newInterrupt(); err != nil {
			return err
		}
	}
	handle := s.interrupt
	ended, stopped := make(chan struct{}), make(chan bool)
	go func() {
		select {
		case <-ctx.Done():
			handle.Interrupt()
			stopped <- true
		case <-ended:
			stopped <- false
		}
	}()
	interrupted := false
	s.contexts = append(s.contexts, ctx)
	defer func() {
		close(ended)
		fired := <-stopped || ctx.Err() != nil
		s.contexts = s.contexts[:len(s.contexts)-1]
		// What has stopped a call of a host function stops what is around it, too.
		if inside := s.level.Load() < 0; !fired || inside && interrupted {
			return
		}
		handle.Clear()
		for _, outer := range s.contexts {
			if outer.Err() != nil {
				handle.Interrupt()
			}
		}
	}()
	err = f()
	var trap *Trap
	if errors.As(err, &trap) && trap.code == TrapInterrupted {
		interrupted = true
		if trap.cause == nil {
			trap.cause = ctx.Err()
		}
	}
	return err
}

// NoTimeout removes a timeout.
const NoTimeout time.Duration = -1

func nanoseconds(d time.Duration) C.uint64_t {
	if d < 0 {
		return C.WASMRT_NO_TIMEOUT
	}
	return C.uint64_t(d)
}

// SetTimeout stops the store's guests a time from now, with a *Trap of code TrapTimeout, until it is set again or
// removed with NoTimeout. The engine must have been configured with Config.SetInterruption.
func (s *Store) SetTimeout(d time.Duration) error {
	return s.do(func() bool { return bool(C.wasmrt_store_set_timeout(s.core.ptr, nanoseconds(d))) })
}

// SetDeadline is SetTimeout with a point in time.
func (s *Store) SetDeadline(t time.Time) error {
	d := time.Until(t)
	if d < 0 {
		d = 0
	}
	return s.SetTimeout(d)
}

// SetCallTimeout limits each call into the store to a time from its start. NoTimeout removes the limit. The engine must
// have been configured with Config.SetInterruption.
func (s *Store) SetCallTimeout(d time.Duration) error {
	return s.do(func() bool { return bool(C.wasmrt_store_set_call_timeout(s.core.ptr, nanoseconds(d))) })
}

// SetFuel sets the fuel of the store, of which an instruction costs about one unit. A new store has none. A guest that
// has no more gives a *Trap of code TrapOutOfFuel. The engine must have been configured with Config.SetConsumeFuel.
func (s *Store) SetFuel(fuel uint64) error {
	return s.do(func() bool { return bool(C.wasmrt_store_set_fuel(s.core.ptr, C.uint64_t(fuel))) })
}

// AddFuel adds to the fuel of the store.
func (s *Store) AddFuel(fuel uint64) error {
	return s.do(func() bool { return bool(C.wasmrt_store_add_fuel(s.core.ptr, C.uint64_t(fuel))) })
}

// GetFuel returns the fuel that is left.
func (s *Store) GetFuel() (fuel uint64, err error) {
	err = s.do(func() bool { return bool(C.wasmrt_store_fuel(s.core.ptr, (*C.uint64_t)(&fuel))) })
	return
}

// FuelConsumed returns the fuel that was consumed since the store was made.
func (s *Store) FuelConsumed() (fuel uint64, err error) {
	err = s.do(func() bool { return bool(C.wasmrt_store_fuel_consumed(s.core.ptr, (*C.uint64_t)(&fuel))) })
	return
}

// StoreLimit is a limit on what is in a store.
type StoreLimit uint32

// Limits of stores.
const (
	// StoreLimitMemoryBytes is the bytes of all memories together.
	StoreLimitMemoryBytes StoreLimit = C.WASMRT_STORE_LIMIT_MEMORY_BYTES
	// StoreLimitTableElements is the elements of all tables together.
	StoreLimitTableElements StoreLimit = C.WASMRT_STORE_LIMIT_TABLE_ELEMENTS
	// StoreLimitInstances is the number of instances.
	StoreLimitInstances StoreLimit = C.WASMRT_STORE_LIMIT_INSTANCES
	// StoreLimitTables is the number of tables.
	StoreLimitTables StoreLimit = C.WASMRT_STORE_LIMIT_TABLES
	// StoreLimitMemories is the number of memories.
	StoreLimitMemories StoreLimit = C.WASMRT_STORE_LIMIT_MEMORIES
)

// SetLimit sets the most that the store may hold of something. Beyond it, a guest's memory.grow and table.grow give -1,
// and functions of this package give an error of kind ErrorLimit.
func (s *Store) SetLimit(limit StoreLimit, value uint64) error {
	return s.do(func() bool {
		return bool(C.wasmrt_store_set_limit(s.core.ptr, C.wasmrt_store_limit_t(limit), C.uint64_t(value)))
	})
}

// Limit returns a limit, Unlimited if there is none.
func (s *Store) Limit(limit StoreLimit) (value uint64, err error) {
	err = s.do(func() bool {
		return bool(C.wasmrt_store_limit(s.core.ptr, C.wasmrt_store_limit_t(limit), (*C.uint64_t)(&value)))
	})
	return
}

// Usage returns how much of a limit is in use.
func (s *Store) Usage(limit StoreLimit) (value uint64, err error) {
	err = s.do(func() bool {
		return bool(C.wasmrt_store_usage(s.core.ptr, C.wasmrt_store_limit_t(limit), (*C.uint64_t)(&value)))
	})
	return
}

// SetGrowthTrap sets whether a guest's growth beyond a limit traps instead of giving -1.
func (s *Store) SetGrowthTrap(enabled bool) error {
	return s.do(func() bool { return bool(C.wasmrt_store_set_growth_trap(s.core.ptr, C.bool(enabled))) })
}
