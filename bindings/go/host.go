package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// hostFunc is a function of Go that guests can call.
type hostFunc struct {
	ty FuncType
	// One of the two. The caller of a raw one is nil unless it is asked for.
	raw         func(caller *Caller, values []Raw) error
	val         func(caller *Caller, args []Val) ([]Val, error)
	needsCaller bool
}

// NewFunc makes a host function of a type, which must have no vectors: NewRawFunc takes those. f gets values of the types
// of the parameters, and returns values of those of the results, or an error, which comes out of the call into the guest.
func NewFunc(store *Store, ty FuncType, f func(caller *Caller, args []Val) ([]Val, error)) (*Func, error) {
	return store.newHost(&hostFunc{ty: ty, val: f})
}

// NewRawFunc makes a host function of a type, which must have no references. f gets the arguments in values, and writes
// the results over them. This is the fastest form. The values must not be used after f has returned.
func NewRawFunc(store *Store, ty FuncType, f func(values []Raw) error) (*Func, error) {
	if ty.hasRefs() {
		return nil, misuse("a type with references cannot be raw: %v; use NewFunc", ty)
	}
	if f == nil {
		return nil, errNoHost
	}
	return store.newHost(&hostFunc{ty: ty, raw: func(_ *Caller, values []Raw) error { return f(values) }})
}

// NewRawCallerFunc makes a host function as NewRawFunc does, which knows the instance that calls it. The type must have
// no vectors either, which only NewRawFunc takes.
func NewRawCallerFunc(store *Store, ty FuncType, f func(caller *Caller, values []Raw) error) (*Func, error) {
	if ty.hasRefs() {
		return nil, misuse("a type with references cannot be raw: %v; use NewFunc", ty)
	}
	if ty.hasVectors() {
		return nil, misuse("a host function of vectors cannot have a caller: %v; use NewRawFunc", ty)
	}
	return store.newHost(&hostFunc{ty: ty, raw: f, needsCaller: true})
}

var errNoHost = misuse("a host function has to be a function, not nil")

func (s *Store) newHost(h *hostFunc) (*Func, error) {
	if h.raw == nil && h.val == nil {
		return nil, errNoHost
	}
	if h.raw == nil && h.ty.hasVectors() {
		return nil, &Error{Kind: ErrorUnsupported, Message: fmt.Sprintf("a host function cannot have a v128 beside a *Caller or "+
			"a reference, or as a Val: %v; use NewRawFunc, or WrapFunc without a *Caller", h.ty), Offset: -1}
	}
	level, err := s.enter()
	if err != nil {
		return nil, err
	}
	defer s.leave(level)
	id := C.uintptr_t(len(s.hosts))
	index := C.uintptr_t(s.core.index)
	var ptr *C.wasm_func_t
	err = attempt(func() bool {
		ty := h.ty.c()
		if ty == nil {
			return false
		}
		defer C.wasm_functype_delete(ty)
		switch {
		case h.raw == nil:
			ptr = C.wasmrtgo_func_new(s.core.ptr, ty, index, id)
		case h.needsCaller:
			ptr = C.wasmrtgo_func_new_raw_caller(s.core.ptr, ty, index, id)
		default:
			ptr = C.wasmrtgo_func_new_raw(s.core.ptr, ty, index, id)
		}
		return ptr != nil
	})
	if err != nil {
		return nil, err
	}
	// Functions live as long as the store, so this is never removed.
	s.hosts = append(s.hosts, h)
	return s.newFunc(ptr), nil
}

// Caller is the instance that called a host function. It must not be used after the function has returned.
type Caller struct {
	store *Store
	ptr   *C.wasmrt_caller_t
}

// Store returns the store of the function.
func (c *Caller) Store() *Store { return c.store }

// Instance returns the calling instance; nil if it is not known, as that of a function that the host calls itself.
func (c *Caller) Instance() (instance *Instance) {
	if c.ptr == nil {
		return nil
	}
	_ = c.store.do(func() bool {
		if ptr := C.wasmrt_caller_instance(c.ptr); ptr != nil {
			instance = c.store.newInstance(C.wasm_instance_copy(ptr))
		}
		return true
	})
	return
}

// GetExport returns an export of the calling instance, or nil if there is no such export.
func (c *Caller) GetExport(name string) *Extern {
	instance := c.Instance()
	if instance == nil {
		return nil
	}
	defer instance.Close()
	return instance.GetExport(name)
}

// Memory returns the bytes of the memory that the calling instance exports as "memory"; nil if there is none. They must
// not be used after the memory has grown, which it may whenever the host function calls the guest, or after the host
// function has returned.
func (c *Caller) Memory() []byte {
	if c.ptr == nil {
		return nil
	}
	level, err := c.store.enter()
	if err != nil {
		return nil
	}
	defer c.store.leave(level)
	var size C.size_t
	data := C.wasmrt_caller_memory(c.ptr, &size)
	if data == nil {
		return nil
	}
	return unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size))
}

// ended gives the store back to C, and turns what a host function failed with into a trap. No method of an error of the
// user's is called: a panic must not cross C.
func (s *Store) ended(level int32, failed *failure) *C.wasm_trap_t {
	if busy := s.endCallback(level); busy != nil && failed == nil {
		failed = failureOf(busy)
	}
	if failed != nil {
		return s.cTrap(failed)
	}
	return nil
}

//export wasmrtGoCallRaw
func wasmrtGoCallRaw(env *C.wasmrtgo_env_t, from *C.wasmrt_caller_t, values *C.wasmrt_raw_t) (trap *C.wasm_trap_t) {
	s := coreOf(uintptr(env.store)).owner.Load()
	h := s.hosts[env.id]
	var caller *Caller
	if h.needsCaller {
		caller = &Caller{s, from}
	}
	level := s.beginCallback()
	finished := false
	var failed *failure
	defer func() {
		if caller != nil {
			caller.ptr = nil
		}
		if !finished {
			if value := recover(); value != nil {
				failed = failureOf(hostPanic{value})
			} else {
				trap = s.lose()
				return
			}
		}
		trap = s.ended(level, failed)
	}()
	if err := h.raw(caller, unsafe.Slice((*Raw)(unsafe.Pointer(values)), h.ty.slots())); err != nil {
		failed = failureOf(err)
	}
	finished = true
	return
}

//export wasmrtGoCall
func wasmrtGoCall(env *C.wasmrtgo_env_t, from *C.wasmrt_caller_t, args *C.wasm_val_t, argCount C.size_t,
	results *C.wasm_val_t, resultCount C.size_t) (trap *C.wasm_trap_t) {
	s := coreOf(uintptr(env.store)).owner.Load()
	h := s.hosts[env.id]
	vals := make([]Val, int(argCount))
	for i := range vals {
		vals[i] = s.goVal((*C.wasm_val_t)(unsafe.Add(unsafe.Pointer(args), uintptr(i)*C.sizeof_wasm_val_t)), false)
	}
	caller := &Caller{s, from}
	level := s.beginCallback()
	finished := false
	var out []Val
	var failed *failure
	defer func() {
		caller.ptr = nil
		if !finished {
			if value := recover(); value != nil {
				failed = failureOf(hostPanic{value})
			} else {
				trap = s.lose()
				return
			}
		}
		if trap = s.ended(level, failed); trap != nil {
			return
		}
		for i := range out {
			to := (*C.wasm_val_t)(unsafe.Add(unsafe.Pointer(results), uintptr(i)*C.sizeof_wasm_val_t))
			v, err := s.cVal(out[i])
			if err != nil {
				trap = s.cTrap(failureOf(err))
				return
			}
			// C takes results; a function's reference is its handle's.
			if ref := (**C.wasm_ref_t)(unsafe.Pointer(&v.of)); v.kind == C.WASM_FUNCREF && *ref != nil {
				*ref = C.wasm_ref_copy(*ref)
			}
			*to = v
		}
		runtime.KeepAlive(out)
	}()
	var err error
	if out, err = h.val(caller, vals); err == nil {
		err = h.checkResults(out)
	}
	if err != nil {
		failed = failureOf(err)
	}
	finished = true
	return
}

func (h *hostFunc) checkResults(out []Val) error {
	if len(out) != len(h.ty.Results) {
		return misuse("a host function returned %d values, not %d: %v", len(out), len(h.ty.Results), h.ty)
	}
	for i, kind := range h.ty.Results {
		if out[i].kind != kind {
			return wrongValue(fmt.Sprintf("result %d of a host function", i+1), kind, out[i])
		}
	}
	return nil
}
