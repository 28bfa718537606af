package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// Module is a compiled module. It may be used by several goroutines at once, in any store of its engine.
type Module struct {
	shared *shared
	engine *Engine // a handle of its own
}

// NewModule compiles a module in the binary format.
func NewModule(engine *Engine, binary []byte) (*Module, error) {
	return newModule(engine, func(store *C.wasm_store_t) *C.wasm_module_t {
		vec := cBytes(binary)
		defer C.wasm_byte_vec_delete(&vec)
		return C.wasm_module_new(store, &vec)
	})
}

// NewModuleFromFile compiles a module in a file in the binary format.
func NewModuleFromFile(engine *Engine, path string) (*Module, error) {
	if err := noZeros(path); err != nil {
		return nil, err
	}
	return newModule(engine, func(store *C.wasm_store_t) *C.wasm_module_t {
		text := C.CString(path)
		defer C.free(unsafe.Pointer(text))
		return C.wasmrt_module_new_from_file(store, text)
	})
}

// NewModuleDeserialize makes a module of what Module.Serialize or Engine.Precompile returned. It may be machine code:
// the bytes must come from a source that is trusted.
func NewModuleDeserialize(engine *Engine, artifact []byte) (*Module, error) {
	return newModule(engine, func(store *C.wasm_store_t) *C.wasm_module_t {
		vec := cBytes(artifact)
		defer C.wasm_byte_vec_delete(&vec)
		return C.wasm_module_deserialize(store, &vec)
	})
}

// NewModuleDeserializeFile makes a module of a file that Module.SerializeToFile wrote, which must be trusted. The file
// must not be changed while the module is used; it may be replaced.
func NewModuleDeserializeFile(engine *Engine, path string) (*Module, error) {
	if err := noZeros(path); err != nil {
		return nil, err
	}
	return newModule(engine, func(store *C.wasm_store_t) *C.wasm_module_t {
		text := C.CString(path)
		defer C.free(unsafe.Pointer(text))
		return C.wasmrt_module_deserialize_file(store, text)
	})
}

// newModule makes a module in a store of its own, and takes it out of there.
func newModule(engine *Engine, load func(*C.wasm_store_t) *C.wasm_module_t) (*Module, error) {
	m := &Module{}
	err := engine.use(func(e *C.wasm_engine_t) bool {
		store := C.wasm_store_new(e)
		if store == nil {
			return false
		}
		defer C.wasm_store_delete(store)
		module := load(store)
		if module == nil {
			return false
		}
		defer C.wasm_module_delete(module)
		ptr := C.wasm_module_share(module)
		if ptr == nil {
			return false
		}
		m.shared = &shared{ptr: unsafe.Pointer(ptr), delete: deleteModule}
		// To look into the module also when the engine is closed.
		m.engine = newEngine(C.wasmrt_store_engine(store), engine.interruption)
		return true
	})
	if err != nil {
		return nil, err
	}
	cleanup(m, (*shared).close, m.shared)
	return m, nil
}

func deleteModule(ptr unsafe.Pointer) { C.wasm_shared_module_delete((*C.wasm_shared_module_t)(ptr)) }

// ModuleValidate returns nil if the bytes are a module that the engine can compile, or what is wrong with them.
func ModuleValidate(engine *Engine, binary []byte) error {
	return engine.use(func(e *C.wasm_engine_t) bool {
		store := C.wasm_store_new(e)
		if store == nil {
			return false
		}
		defer C.wasm_store_delete(store)
		vec := cBytes(binary)
		defer C.wasm_byte_vec_delete(&vec)
		return bool(C.wasm_module_validate(store, &vec))
	})
}

// Wat2Wasm converts a module from the text format to the binary format.
func Wat2Wasm(text string) (binary []byte, err error) {
	err = attempt(func() bool {
		var out C.wasm_byte_vec_t
		ptr, length := name(text)
		ok := bool(C.wasmrt_wat2wasm(ptr, length, &out))
		binary = takeBytes(&out)
		return ok
	})
	if err != nil {
		return nil, err
	}
	return
}

var errNoModule = misuse("the module is nil; check the error of NewModule")

// obtain calls f with the module as one of a store, which must be in use. Meanwhile the module may be closed.
func (m *Module) obtain(store *C.wasm_store_t, f func(*C.wasm_module_t) bool) error {
	if m == nil {
		return errNoModule
	}
	ptr := m.shared.hold()
	if ptr == nil {
		return closedError("module")
	}
	var module *C.wasm_module_t
	err := attempt(func() bool {
		module = C.wasm_module_obtain(store, (*C.wasm_shared_module_t)(ptr))
		return module != nil
	})
	m.shared.release()
	runtime.KeepAlive(m)
	if err != nil {
		return err
	}
	defer C.wasm_module_delete(module)
	return attempt(func() bool { return f(module) })
}

// inspect calls f with the module in a store of its own.
func (m *Module) inspect(f func(*C.wasm_module_t) bool) (err error) {
	if m == nil {
		return errNoModule
	}
	var inner error
	err = m.engine.use(func(e *C.wasm_engine_t) bool {
		store := C.wasm_store_new(e)
		if store == nil {
			return false
		}
		defer C.wasm_store_delete(store)
		inner = m.obtain(store, f)
		return true
	})
	if err == nil {
		err = inner
	}
	return
}

// Close frees the module. Its instances remain usable.
func (m *Module) Close() error {
	if m == nil {
		return errNoModule
	}
	m.shared.close()
	return m.engine.Close()
}

// Imports returns what the module imports, in its order.
func (m *Module) Imports() (imports []ImportType, err error) {
	err = m.inspect(func(module *C.wasm_module_t) bool {
		var vec C.wasm_importtype_vec_t
		C.wasm_module_imports(module, &vec)
		defer C.wasm_importtype_vec_delete(&vec)
		imports = make([]ImportType, int(vec.size))
		for i, t := range unsafe.Slice(vec.data, int(vec.size)) {
			imports[i] = ImportType{
				Module: goName(C.wasm_importtype_module(t)),
				Name:   goName(C.wasm_importtype_name(t)),
				Type:   goExternType(C.wasm_importtype_type(t)),
			}
		}
		return true
	})
	return
}

// Exports returns what the module exports, in its order.
func (m *Module) Exports() (exports []ExportType, err error) {
	err = m.inspect(func(module *C.wasm_module_t) bool {
		var vec C.wasm_exporttype_vec_t
		C.wasm_module_exports(module, &vec)
		defer C.wasm_exporttype_vec_delete(&vec)
		exports = make([]ExportType, int(vec.size))
		for i, t := range unsafe.Slice(vec.data, int(vec.size)) {
			exports[i] = ExportType{goName(C.wasm_exporttype_name(t)), goExternType(C.wasm_exporttype_type(t))}
		}
		return true
	})
	return
}

// Name returns the name of the module in its name section, "" if it has none.
func (m *Module) Name() (text string, err error) {
	err = m.inspect(func(module *C.wasm_module_t) bool {
		var out C.wasm_name_t
		C.wasmrt_module_name(module, &out)
		text = goName(&out)
		C.wasm_byte_vec_delete(&out)
		return true
	})
	return
}

// CustomSection returns the contents of the first custom section of a name; nil if there is none.
func (m *Module) CustomSection(section string) (contents []byte, err error) {
	err = m.inspect(func(module *C.wasm_module_t) bool {
		ptr, length := name(section)
		var data *C.char
		var size C.size_t
		if C.wasmrt_module_custom_section(module, ptr, length, &data, &size) {
			contents = append([]byte{}, unsafe.Slice((*byte)(unsafe.Pointer(data)), int(size))...)
		}
		return true
	})
	return
}

// Serialize returns the compiled module, for NewModuleDeserialize.
func (m *Module) Serialize() (artifact []byte, err error) {
	err = m.inspect(func(module *C.wasm_module_t) bool {
		var out C.wasm_byte_vec_t
		C.wasm_module_serialize(module, &out)
		ok := out.data != nil
		artifact = takeBytes(&out)
		return ok
	})
	return
}

// SerializeToFile writes the compiled module to a file, for NewModuleDeserializeFile.
func (m *Module) SerializeToFile(path string) error {
	if err := noZeros(path); err != nil {
		return err
	}
	return m.inspect(func(module *C.wasm_module_t) bool {
		text := C.CString(path)
		defer C.free(unsafe.Pointer(text))
		return bool(C.wasmrt_module_serialize_to_file(module, text))
	})
}
