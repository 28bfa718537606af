package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Global is a global variable or constant.
type Global struct {
	object
	ty GlobalType
}

func (s *Store) viewGlobal(ptr *C.wasm_global_t, g *guard) *Global {
	t := C.wasm_global_type(ptr)
	defer C.wasm_globaltype_delete(t)
	return &Global{object{s, g, "global"}, goGlobalType(t)}
}

// NewGlobal makes a global with a value, which is given as an argument of Func.Call is.
func NewGlobal(store *Store, ty GlobalType, value any) (g *Global, err error) {
	err = store.with(ty.Content, value, func(v *C.wasm_val_t) error {
		return attempt(func() bool {
			content := C.wasm_valtype_new(C.wasm_valkind_t(ty.Content))
			if content == nil {
				return false
			}
			mutability := C.wasm_mutability_t(C.WASM_CONST)
			if ty.Mutable {
				mutability = C.WASM_VAR
			}
			t := C.wasm_globaltype_new(content, mutability)
			defer C.wasm_globaltype_delete(t)
			ptr := C.wasm_global_new(store.core.ptr, t, v)
			if ptr != nil {
				g = &Global{object{store, store.add(unsafe.Pointer(ptr), deleteRef), "global"}, ty}
			}
			return ptr != nil
		})
	})
	return
}

// with uses the store, and calls f with a value in C.
func (s *Store) with(kind ValType, value any, f func(*C.wasm_val_t) error) error {
	v, ok := newVal(kind, value)
	if !ok {
		return wrongValue("the value", kind, value)
	}
	level, err := s.enter()
	if err != nil {
		return err
	}
	defer s.leave(level)
	c, err := s.cVal(v)
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(value)
	defer release(&c)
	return f(&c)
}

// Close frees the handle at once. The global itself lives as long as its store.
func (g *Global) Close() error {
	if g == nil {
		return misuse("the global is nil; GetGlobal gives nil where there is none of that name")
	}
	return g.close()
}

// Type returns the type of the global.
func (g *Global) Type() GlobalType { return g.ty }

// Get returns the value.
func (g *Global) Get() (v Val, err error) {
	err = g.do(func(ptr unsafe.Pointer) bool {
		var c C.wasm_val_t
		C.wasm_global_get((*C.wasm_global_t)(ptr), &c)
		// Where C cannot give the value, it gives a null reference.
		if ValType(c.kind) != g.ty.Content {
			return false
		}
		v = g.store.goVal(&c, true)
		return true
	})
	return
}

// Set sets the value, which is given as an argument of Func.Call is.
func (g *Global) Set(value any) error {
	if !g.ty.Mutable {
		return misuse("the global is a constant: %v", g.ty)
	}
	return g.store.with(g.ty.Content, value, func(v *C.wasm_val_t) error {
		ptr, err := g.in(g.store)
		if err == nil {
			C.wasm_global_set((*C.wasm_global_t)(ptr), v)
			runtime.KeepAlive(g)
		}
		return err
	})
}
