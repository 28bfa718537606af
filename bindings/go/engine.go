package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"strings"
	"sync"
	"unsafe"
)

// shared is a C object that any number of goroutines may use, until it is closed.
type shared struct {
	mu     sync.RWMutex
	ptr    unsafe.Pointer
	delete func(unsafe.Pointer)
}

// hold keeps the object from being closed until it is released. It returns nil if it is closed.
func (s *shared) hold() unsafe.Pointer {
	s.mu.RLock()
	if s.ptr == nil {
		s.mu.RUnlock()
		return nil
	}
	return s.ptr
}

func (s *shared) release() { s.mu.RUnlock() }

func (s *shared) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ptr != nil {
		s.delete(s.ptr)
		s.ptr = nil
	}
}

// Engine compiles modules, and runs them in stores. It may be used by several goroutines at once.
type Engine struct {
	shared       *shared
	interruption bool
}

// NewEngine makes an engine with the default configuration. WASMRT_BACKEND and the library's other environment
// variables have their effect.
func NewEngine() (*Engine, error) { return NewEngineWithConfig(NewConfig()) }

// NewEngineWithConfig makes an engine. The configuration may be used again.
func NewEngineWithConfig(config *Config) (*Engine, error) {
	if config == nil {
		return nil, misuse("the configuration is nil; NewEngine takes none")
	}
	if config.err != nil {
		return nil, config.err
	}
	var engine *Engine
	err := attempt(func() bool {
		c := C.wasm_config_new()
		for _, set := range config.settings {
			if !set(c) {
				C.wasm_config_delete(c)
				return false
			}
		}
		ptr := C.wasm_engine_new_with_config(c)
		if ptr == nil {
			return false
		}
		engine = newEngine(ptr, config.interruption)
		return true
	})
	return engine, err
}

// newEngine takes the engine.
func newEngine(ptr *C.wasm_engine_t, interruption bool) *Engine {
	e := &Engine{&shared{ptr: unsafe.Pointer(ptr), delete: deleteEngine}, interruption}
	cleanup(e, (*shared).close, e.shared)
	return e
}

func deleteEngine(ptr unsafe.Pointer) { C.wasm_engine_delete((*C.wasm_engine_t)(ptr)) }

var errNoEngine = misuse("the engine is nil; check the error of NewEngine")

// use calls f with the engine, which is not closed meanwhile, and turns false into the last error.
func (e *Engine) use(f func(*C.wasm_engine_t) bool) error {
	if e == nil {
		return errNoEngine
	}
	ptr := e.shared.hold()
	if ptr == nil {
		return closedError("engine")
	}
	defer e.shared.release()
	defer runtime.KeepAlive(e)
	return attempt(func() bool { return f((*C.wasm_engine_t)(ptr)) })
}

// Close frees the engine. Its stores and modules remain usable.
func (e *Engine) Close() error {
	if e == nil {
		return errNoEngine
	}
	e.shared.close()
	return nil
}

// Backend returns the name of the engine's backend, such as "wasmtime"; "" if the engine is closed.
func (e *Engine) Backend() (name string) {
	_ = e.use(func(ptr *C.wasm_engine_t) bool {
		name = C.GoString(C.wasmrt_engine_backend_name(ptr))
		return true
	})
	return
}

// CacheCounts returns how many modules the engine has found in its cache, and how many were not there.
func (e *Engine) CacheCounts() (found, missing uint64, err error) {
	err = e.use(func(ptr *C.wasm_engine_t) bool {
		return bool(C.wasmrt_engine_cache_counts(ptr, (*C.uint64_t)(&found), (*C.uint64_t)(&missing)))
	})
	return
}

// Precompile compiles a module to what Module.Serialize would return, also for another machine.
func (e *Engine) Precompile(binary []byte) (artifact []byte, err error) {
	err = e.use(func(ptr *C.wasm_engine_t) bool {
		var out C.wasm_byte_vec_t
		in := cBytes(binary)
		defer C.wasm_byte_vec_delete(&in)
		ok := bool(C.wasmrt_module_precompile(ptr, &in, &out))
		artifact = takeBytes(&out)
		return ok
	})
	if err != nil {
		return nil, err
	}
	return
}

// Version returns the version of libwasmrt, such as "1.2.3".
func Version() string { return C.GoString(C.wasmrt_version()) }

// Backends returns the names of the backends that the library has. The first is the default.
func Backends() []string {
	names := make([]string, C.wasmrt_backend_count())
	for i := range names {
		names[i] = C.GoString(C.wasmrt_backend_name(C.size_t(i)))
	}
	return names
}

// cBytes copies bytes to C, where wasm_byte_vec_delete frees them.
func cBytes(b []byte) (vec C.wasm_byte_vec_t) {
	if len(b) > 0 {
		C.wasm_byte_vec_new(&vec, C.size_t(len(b)), (*C.wasm_byte_t)(unsafe.Pointer(&b[0])))
	}
	return
}

// takeBytes copies bytes of C, and frees them there.
func takeBytes(vec *C.wasm_byte_vec_t) (b []byte) {
	if vec.data != nil {
		b = make([]byte, int(vec.size))
		copy(b, unsafe.Slice((*byte)(unsafe.Pointer(vec.data)), int(vec.size)))
	}
	C.wasm_byte_vec_delete(vec)
	return
}

func goName(vec *C.wasm_name_t) string {
	if vec.data == nil {
		return ""
	}
	return string(unsafe.Slice((*byte)(unsafe.Pointer(vec.data)), int(vec.size)))
}

// name returns where a string's bytes are, and their number. C must not keep them, and NULL is never returned.
func name(s string) (*C.char, C.size_t) {
	b := make([]byte, len(s)+1)
	copy(b, s)
	return (*C.char)(unsafe.Pointer(&b[0])), C.size_t(len(s))
}

// noZeros returns an error for a text that C would cut short.
func noZeros(text string) error {
	if strings.IndexByte(text, 0) >= 0 {
		return misuse("%q has a zero byte, which cannot be passed to C", text)
	}
	return nil
}
