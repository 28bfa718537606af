package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Table is a table of references.
type Table struct {
	object
	element ValType
}

func (s *Store) viewTable(ptr *C.wasm_table_t, g *guard) *Table {
	t := C.wasm_table_type(ptr)
	defer C.wasm_tabletype_delete(t)
	return &Table{object{s, g, "table"}, goTableType(t).Element}
}

// NewTable makes a table whose elements all are init: a *Func or nil for a table of functions, anything for one of
// externrefs.
func NewTable(store *Store, ty TableType, init any) (t *Table, err error) {
	if !ty.Element.isRef() {
		return nil, misuse("the elements of a table are references, not of %v", ty.Element)
	}
	err = store.with(ty.Element, init, func(v *C.wasm_val_t) error {
		return attempt(func() bool {
			element := C.wasm_valtype_new(C.wasm_valkind_t(ty.Element))
			if element == nil {
				return false
			}
			c := C.wasmrt_tabletype_new(element, C.uint64_t(ty.Min), C.uint64_t(ty.Max), C.bool(ty.Is64))
			if c == nil {
				return false
			}
			defer C.wasm_tabletype_delete(c)
			ptr := C.wasm_table_new(store.core.ptr, c, refOf(v))
			if ptr != nil {
				t = &Table{object{store, store.add(unsafe.Pointer(ptr), deleteRef), "table"}, ty.Element}
			}
			return ptr != nil
		})
	})
	return
}

func refOf(v *C.wasm_val_t) *C.wasm_ref_t { return *(**C.wasm_ref_t)(unsafe.Pointer(&v.of)) }

// Close frees the handle at once. The table itself lives as long as its store.
func (t *Table) Close() error {
	if t == nil {
		return misuse("the table is nil; GetTable gives nil where there is none of that name")
	}
	return t.close()
}

// Type returns the type of the table.
func (t *Table) Type() (ty TableType, err error) {
	err = t.do(func(ptr unsafe.Pointer) bool {
		c := C.wasm_table_type((*C.wasm_table_t)(ptr))
		ty = goTableType(c)
		C.wasm_tabletype_delete(c)
		return true
	})
	return
}

// Size returns the number of elements.
func (t *Table) Size() (size uint64, err error) {
	err = t.do(func(ptr unsafe.Pointer) bool {
		return bool(C.wasmrt_table_size((*C.wasm_table_t)(ptr), (*C.uint64_t)(&size)))
	})
	return
}

// Get returns an element.
func (t *Table) Get(index uint64) (v Val, err error) {
	err = t.do(func(ptr unsafe.Pointer) bool {
		table := (*C.wasm_table_t)(ptr)
		ref := C.wasmrt_table_get(table, C.uint64_t(index))
		var size C.uint64_t
		C.wasmrt_table_size(table, &size)
		if C.uint64_t(index) >= size {
			return false
		}
		v = Val{kind: t.element, ref: t.store.goRef(ref, true)}
		return true
	})
	return
}

// with uses the table, and calls f with a reference in C.
func (t *Table) with(value any, f func(*C.wasm_table_t, *C.wasm_ref_t) bool) error {
	return t.store.with(t.element, value, func(v *C.wasm_val_t) error {
		ptr, err := t.in(t.store)
		if err != nil {
			return err
		}
		defer runtime.KeepAlive(t)
		return attempt(func() bool { return f((*C.wasm_table_t)(ptr), refOf(v)) })
	})
}

// Set sets an element: to a *Func or nil in a table of functions, to anything in one of externrefs.
func (t *Table) Set(index uint64, value any) error {
	return t.with(value, func(table *C.wasm_table_t, ref *C.wasm_ref_t) bool {
		return bool(C.wasmrt_table_set(table, C.uint64_t(index), ref))
	})
}

// Grow adds elements, all of them init, and returns the former size.
func (t *Table) Grow(delta uint64, init any) (former uint64, err error) {
	err = t.with(init, func(table *C.wasm_table_t, ref *C.wasm_ref_t) bool {
		return bool(C.wasmrt_table_grow(table, C.uint64_t(delta), ref, (*C.uint64_t)(&former)))
	})
	return
}
