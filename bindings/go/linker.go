package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Linker says by name what modules may import.
type Linker struct{ object }

// InstancePre is a module whose imports have been found and checked, to be instantiated often.
type InstancePre struct{ object }

// UnknownImports is what happens with imports that are not defined.
type UnknownImports uint32

// What happens with imports that are not defined.
const (
	// UnknownImportsRefuse refuses to instantiate: the default.
	UnknownImportsRefuse UnknownImports = C.WASMRT_UNKNOWN_IMPORTS_REFUSE
	// UnknownImportsTrap makes functions that trap when they are called.
	UnknownImportsTrap UnknownImports = C.WASMRT_UNKNOWN_IMPORTS_TRAP
	// UnknownImportsDefault makes functions that return zeros and nulls, and other things that are empty.
	UnknownImportsDefault UnknownImports = C.WASMRT_UNKNOWN_IMPORTS_DEFAULT
)

// NewLinker makes an empty linker for a store.
func NewLinker(store *Store) (l *Linker, err error) {
	err = store.do(func() bool {
		ptr := C.wasmrt_linker_new(store.core.ptr)
		l = &Linker{object{store, store.add(unsafe.Pointer(ptr), deleteLinker), "linker"}}
		return true
	})
	return
}

func deleteLinker(ptr unsafe.Pointer) { C.wasmrt_linker_delete((*C.wasmrt_linker_t)(ptr)) }

func deletePre(ptr unsafe.Pointer) { C.wasmrt_instance_pre_delete((*C.wasmrt_instance_pre_t)(ptr)) }

func (l *Linker) call(f func(linker *C.wasmrt_linker_t) bool) error {
	return l.do(func(ptr unsafe.Pointer) bool { return f((*C.wasmrt_linker_t)(ptr)) })
}

// Close frees the handle at once. What it has defined, and what was instantiated with it, remains usable.
func (l *Linker) Close() error {
	if l == nil {
		return misuse("the linker is nil; check the error of NewLinker")
	}
	return l.close()
}

// Define defines an import. It fails if the name is defined already, unless that is allowed.
func (l *Linker) Define(module, import_ string, item AsExtern) error {
	var wrong error
	err := l.call(func(linker *C.wasmrt_linker_t) bool {
		var ptr *C.wasm_extern_t
		if ptr, wrong = l.store.given(item); wrong != nil {
			return true
		}
		m, mLength := name(module)
		n, nLength := name(import_)
		return bool(C.wasmrt_linker_define(linker, m, mLength, n, nLength, ptr))
	})
	runtime.KeepAlive(item)
	if wrong != nil {
		return wrong
	}
	return err
}

// DefineFunc defines a host function: a function of Go, as WrapFunc takes it.
func (l *Linker) DefineFunc(module, import_ string, f any) error {
	wrapped, err := WrapFunc(l.store, f)
	if err != nil {
		return err
	}
	defer wrapped.Close()
	return l.Define(module, import_, wrapped)
}

// FuncWrap is another name of DefineFunc.
func (l *Linker) FuncWrap(module, import_ string, f any) error {
	return l.DefineFunc(module, import_, f)
}

// FuncNew defines a host function of a type, as NewFunc makes it.
func (l *Linker) FuncNew(module, import_ string, ty FuncType, f func(caller *Caller, args []Val) ([]Val, error)) error {
	made, err := NewFunc(l.store, ty, f)
	if err != nil {
		return err
	}
	defer made.Close()
	return l.Define(module, import_, made)
}

// DefineInstance defines all exports of an instance, in the module of that name.
func (l *Linker) DefineInstance(module string, instance *Instance) error {
	var wrong error
	err := l.call(func(linker *C.wasmrt_linker_t) bool {
		if instance == nil {
			wrong = errNoInstance
			return true
		}
		var ptr unsafe.Pointer
		if ptr, wrong = instance.in(l.store); wrong != nil {
			return true
		}
		m, length := name(module)
		return bool(C.wasmrt_linker_define_instance(linker, m, length, (*C.wasm_instance_t)(ptr)))
	})
	runtime.KeepAlive(instance)
	if wrong != nil {
		return wrong
	}
	return err
}

// Alias gives a definition a second name.
func (l *Linker) Alias(module, import_, newModule, newImport string) error {
	return l.call(func(linker *C.wasmrt_linker_t) bool {
		m, mLength := name(module)
		n, nLength := name(import_)
		newM, newMLength := name(newModule)
		newN, newNLength := name(newImport)
		return bool(C.wasmrt_linker_alias(linker, m, mLength, n, nLength, newM, newMLength, newN, newNLength))
	})
}

// Get returns a definition, or nil if there is none.
func (l *Linker) Get(module, import_ string) (e *Extern) {
	_ = l.call(func(linker *C.wasmrt_linker_t) bool {
		m, mLength := name(module)
		n, nLength := name(import_)
		if found := C.wasmrt_linker_get(linker, m, mLength, n, nLength); found != nil {
			e = l.store.newExtern(found)
		}
		return true
	})
	return
}

// AllowShadowing sets whether a definition may take the place of an earlier one.
func (l *Linker) AllowShadowing(allowed bool) error {
	return l.call(func(linker *C.wasmrt_linker_t) bool {
		return bool(C.wasmrt_linker_set_shadowing(linker, C.bool(allowed)))
	})
}

// SetUnknownImports sets what happens with imports that are not defined.
func (l *Linker) SetUnknownImports(unknown UnknownImports) error {
	return l.call(func(linker *C.wasmrt_linker_t) bool {
		return bool(C.wasmrt_linker_set_unknown(linker, C.wasmrt_unknown_imports_t(unknown)))
	})
}

// Instantiate instantiates a module, and runs its start function if it has one.
func (l *Linker) Instantiate(module *Module) (*Instance, error) {
	defer runtime.KeepAlive(l)
	return l.store.instantiate(l.maker(module))
}

func (l *Linker) maker(module *Module) maker {
	return func(trap **C.wasm_trap_t) (ptr *C.wasm_instance_t, err error) {
		linker, err := l.in(l.store)
		if err != nil {
			return nil, err
		}
		err = module.obtain(l.store.core.ptr, func(m *C.wasm_module_t) bool {
			ptr = C.wasmrt_linker_instantiate((*C.wasmrt_linker_t)(linker), m, trap)
			return true
		})
		return
	}
}

// Prepare finds and checks the imports of a module. Later definitions do not change them.
func (l *Linker) Prepare(module *Module) (pre *InstancePre, err error) {
	var inner error
	err = l.call(func(linker *C.wasmrt_linker_t) bool {
		inner = module.obtain(l.store.core.ptr, func(m *C.wasm_module_t) bool {
			ptr := C.wasmrt_linker_prepare(linker, m)
			if ptr != nil {
				pre = &InstancePre{object{l.store, l.store.add(unsafe.Pointer(ptr), deletePre), "prepared instance"}}
			}
			return ptr != nil
		})
		return true
	})
	if err == nil {
		err = inner
	}
	return
}

// Close frees the handle at once. Its instances remain usable.
func (p *InstancePre) Close() error {
	if p == nil {
		return misuse("the prepared instance is nil; check the error of Prepare")
	}
	return p.close()
}

// Instantiate instantiates the module, and runs its start function if it has one.
func (p *InstancePre) Instantiate() (*Instance, error) {
	defer runtime.KeepAlive(p)
	return p.store.instantiate(func(trap **C.wasm_trap_t) (*C.wasm_instance_t, error) {
		pre, err := p.in(p.store)
		if err != nil {
			return nil, err
		}
		return C.wasmrt_instance_pre_instantiate((*C.wasmrt_instance_pre_t)(pre), trap), nil
	})
}
