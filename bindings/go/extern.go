package wasmrt

/*
#include "shim.h"
*/
import "C"

import "unsafe"

// AsExtern is what can be imported and exported: a *Func, *Global, *Table, *Memory or *Extern.
type AsExtern interface {
	// AsExtern returns it as an extern, which is closed when it is; nil for a nil pointer.
	AsExtern() *Extern
}

// Extern is an import or export of any kind.
type Extern struct{ object }

// newExtern takes the extern.
func (s *Store) newExtern(ptr *C.wasm_extern_t) *Extern {
	return &Extern{object{s, s.add(unsafe.Pointer(ptr), deleteRef), "extern"}}
}

// AsExtern returns the extern itself.
func (e *Extern) AsExtern() *Extern { return e }

// AsExtern returns the function as an extern.
func (f *Func) AsExtern() *Extern {
	if f == nil {
		return nil
	}
	return f.asExtern()
}

// AsExtern returns the global as an extern.
func (g *Global) AsExtern() *Extern {
	if g == nil {
		return nil
	}
	return g.asExtern()
}

// AsExtern returns the table as an extern.
func (t *Table) AsExtern() *Extern {
	if t == nil {
		return nil
	}
	return t.asExtern()
}

// AsExtern returns the memory as an extern.
func (m *Memory) AsExtern() *Extern {
	if m == nil {
		return nil
	}
	return m.asExtern()
}

// The handles of C are views of one allocation, so they are shared.
func (o *object) asExtern() *Extern { return &Extern{object{o.store, o.guard, o.what}} }

// view calls f with the extern, which is in use, and returns whether it succeeded.
func (e *Extern) view(f func(ptr *C.wasm_extern_t) bool) bool {
	ptr, level, err := e.use()
	if err != nil {
		return false
	}
	defer e.store.leave(level)
	return f((*C.wasm_extern_t)(ptr))
}

// Func returns the function that the extern is, or nil if it is something else. It is closed when the extern is.
func (e *Extern) Func() (f *Func) {
	e.view(func(ptr *C.wasm_extern_t) bool {
		if func_ := C.wasm_extern_as_func(ptr); func_ != nil {
			f = e.store.viewFunc(func_, e.guard)
		}
		return true
	})
	return
}

// Global returns the global that the extern is, or nil if it is something else. It is closed when the extern is.
func (e *Extern) Global() (g *Global) {
	e.view(func(ptr *C.wasm_extern_t) bool {
		if global := C.wasm_extern_as_global(ptr); global != nil {
			g = e.store.viewGlobal(global, e.guard)
		}
		return true
	})
	return
}

// Table returns the table that the extern is, or nil if it is something else. It is closed when the extern is.
func (e *Extern) Table() (t *Table) {
	e.view(func(ptr *C.wasm_extern_t) bool {
		if table := C.wasm_extern_as_table(ptr); table != nil {
			t = e.store.viewTable(table, e.guard)
		}
		return true
	})
	return
}

// Memory returns the memory that the extern is, or nil if it is something else. It is closed when the extern is.
func (e *Extern) Memory() (m *Memory) {
	if e.view(func(ptr *C.wasm_extern_t) bool { return C.wasm_extern_as_memory(ptr) != nil }) {
		m = &Memory{object{e.store, e.guard, "memory"}}
	}
	return
}

// Close frees the handle at once. What it is itself lives as long as its store.
func (e *Extern) Close() error {
	if e == nil {
		return misuse("the extern is nil; GetExport gives nil where there is none of that name")
	}
	return e.close()
}

// Type returns the type of the extern.
func (e *Extern) Type() (ty ExternType, err error) {
	err = e.do(func(ptr unsafe.Pointer) bool {
		t := C.wasm_extern_type((*C.wasm_extern_t)(ptr))
		if t == nil {
			return false
		}
		ty = goExternType(t)
		C.wasm_externtype_delete(t)
		return true
	})
	return
}
