package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Instance is a module that runs.
type Instance struct{ object }

var errNoInstance = misuse("the instance is nil; check the error of Instantiate")

// newInstance takes the instance.
func (s *Store) newInstance(ptr *C.wasm_instance_t) *Instance {
	return &Instance{object{s, s.add(unsafe.Pointer(ptr), deleteRef), "instance"}}
}

// NewInstance instantiates a module with its imports in order. With a Linker they are found by name.
func NewInstance(store *Store, module *Module, imports []AsExtern) (*Instance, error) {
	return store.instantiate(func(trap **C.wasm_trap_t) (ptr *C.wasm_instance_t, err error) {
		externs := make([]*C.wasm_extern_t, len(imports)+1)
		for i, item := range imports {
			given, err := store.given(item)
			if err != nil {
				return nil, err
			}
			externs[i] = given
		}
		err = module.obtain(store.core.ptr, func(m *C.wasm_module_t) bool {
			ptr = C.wasmrtgo_instance_new(store.core.ptr, m, &externs[0], C.size_t(len(imports)), trap)
			return true
		})
		runtime.KeepAlive(imports)
		return
	})
}

// given returns an extern for a call into the store, which is in use.
func (s *Store) given(item AsExtern) (*C.wasm_extern_t, error) {
	if item == nil {
		return nil, misuse("an extern is nil")
	}
	extern := item.AsExtern()
	if extern == nil {
		return nil, misuse("an extern is a nil %T; GetFunc and the like give nil where there is nothing of that name", item)
	}
	ptr, err := extern.in(s)
	return (*C.wasm_extern_t)(ptr), err
}

// maker makes an instance in a store that is in use. A trap or the last error says why it could not.
type maker func(trap **C.wasm_trap_t) (*C.wasm_instance_t, error)

// instantiate uses the store to make an instance.
func (s *Store) instantiate(make maker) (instance *Instance, err error) {
	err = s.run(func() (err error) {
		instance, err = s.made(make)
		return
	})
	return
}

// made makes an instance, or an error of what prevents it. The store is in use.
func (s *Store) made(make maker) (*Instance, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var trap *C.wasm_trap_t
	ptr, err := make(&trap)
	switch {
	case trap != nil:
		return nil, s.takeTrap(trap)
	case ptr != nil:
		return s.newInstance(ptr), nil
	case err == nil:
		err = lastError()
	}
	return nil, err
}

// Close frees the handle at once. The instance itself lives as long as its store.
func (i *Instance) Close() error {
	if i == nil {
		return errNoInstance
	}
	return i.close()
}

// Exports returns what the instance exports, in the module's order.
func (i *Instance) Exports() (exports []*Extern, err error) {
	err = i.do(func(ptr unsafe.Pointer) bool {
		instance := (*C.wasm_instance_t)(ptr)
		exports = make([]*Extern, int(C.wasmrt_instance_export_count(instance)))
		for n := range exports {
			exports[n] = i.store.newExtern(C.wasmrt_instance_export_at(instance, C.size_t(n)))
		}
		return true
	})
	return
}

// GetExport returns an export, or nil if there is none of that name, or if the instance is closed.
func (i *Instance) GetExport(export string) (e *Extern) {
	_ = i.do(func(ptr unsafe.Pointer) bool {
		text, length := name(export)
		if found := C.wasmrt_instance_export((*C.wasm_instance_t)(ptr), text, length); found != nil {
			e = i.store.newExtern(found)
		}
		return true
	})
	return
}

// GetFunc returns a function that is exported, or nil if there is none of that name.
func (i *Instance) GetFunc(export string) *Func {
	if e := i.GetExport(export); e != nil {
		return e.Func()
	}
	return nil
}

// GetMemory returns a memory that is exported, or nil if there is none of that name.
func (i *Instance) GetMemory(export string) *Memory {
	if e := i.GetExport(export); e != nil {
		return e.Memory()
	}
	return nil
}

// GetGlobal returns a global that is exported, or nil if there is none of that name.
func (i *Instance) GetGlobal(export string) *Global {
	if e := i.GetExport(export); e != nil {
		return e.Global()
	}
	return nil
}

// GetTable returns a table that is exported, or nil if there is none of that name.
func (i *Instance) GetTable(export string) *Table {
	if e := i.GetExport(export); e != nil {
		return e.Table()
	}
	return nil
}
