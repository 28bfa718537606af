package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"math"
	"unsafe"
)

// Val is a value with its type. The zero Val is the i32 0.
type Val struct {
	kind ValType
	raw  Raw
	ref  any
}

// ValI32 returns an i32.
func ValI32(v int32) (val Val) { val.kind = I32; val.raw.SetI32(v); return }

// ValI64 returns an i64.
func ValI64(v int64) (val Val) { val.kind = I64; val.raw.SetI64(v); return }

// ValF32 returns an f32.
func ValF32(v float32) (val Val) { val.kind = F32; val.raw.SetF32(v); return }

// ValF64 returns an f64.
func ValF64(v float64) (val Val) { val.kind = F64; val.raw.SetF64(v); return }

// ValV128 returns a v128.
func ValV128(v [16]byte) (val Val) { val.kind = V128; val.raw.SetV128(v); return }

// ValFuncref returns a reference to a function, or null for nil.
func ValFuncref(f *Func) Val {
	if f == nil {
		return Val{kind: FuncRef}
	}
	return Val{kind: FuncRef, ref: f}
}

// ValExternref returns a reference to any value of Go, or null for nil.
func ValExternref(v any) Val { return Val{kind: ExternRef, ref: v} }

// Type returns the type of the value.
func (v Val) Type() ValType { return v.kind }

// Get returns the value: an int32, int64, float32, float64, [16]byte, *Func, what an externref refers to, a *Ref of
// something else that is the guest's, or nil.
func (v Val) Get() any {
	if v.kind.isRef() {
		return v.ref
	}
	return v.raw.get(v.kind)
}

// I32 returns the value of an i32. It panics if it is something else.
func (v Val) I32() int32 { v.must(I32); return v.raw.I32() }

// I64 returns the value of an i64. It panics if it is something else.
func (v Val) I64() int64 { v.must(I64); return v.raw.I64() }

// F32 returns the value of an f32. It panics if it is something else.
func (v Val) F32() float32 { v.must(F32); return v.raw.F32() }

// F64 returns the value of an f64. It panics if it is something else.
func (v Val) F64() float64 { v.must(F64); return v.raw.F64() }

// V128 returns the value of a v128. It panics if it is something else.
func (v Val) V128() [16]byte { v.must(V128); return v.raw.V128() }

// Externref returns what an externref refers to, nil if it is null. It panics if the value is something else.
func (v Val) Externref() any { v.must(ExternRef); return v.ref }

// Funcref returns the function that a funcref refers to, nil if it is null. It panics if the value is something else.
func (v Val) Funcref() *Func {
	v.must(FuncRef)
	f, _ := v.ref.(*Func)
	return f
}

func (v Val) must(kind ValType) {
	if v.kind != kind {
		panic(fmt.Sprintf("the value has type %v, not %v", v.kind, kind))
	}
}

// String returns the type and the value.
func (v Val) String() string { return fmt.Sprintf("%v %v", v.kind, v.Get()) }

func (r *Raw) get(kind ValType) any {
	switch kind {
	case I32:
		return r.I32()
	case I64:
		return r.I64()
	case F32:
		return r.F32()
	case F64:
		return r.F64()
	case V128:
		return r.V128()
	}
	return nil
}

// set stores a value of Go as one of WebAssembly, and returns whether it can be one.
func (r *Raw) set(kind ValType, value any) bool {
	switch kind {
	case I32:
		switch v := value.(type) {
		case int32:
			r.SetI32(v)
			return true
		case int:
			r.SetI32(int32(v))
			return v >= math.MinInt32 && v <= math.MaxInt32
		case uint32:
			r.SetI32(int32(v))
			return true
		}
	case I64:
		switch v := value.(type) {
		case int64:
			r.SetI64(v)
			return true
		case int:
			r.SetI64(int64(v))
			return true
		case uint64:
			r.SetI64(int64(v))
			return true
		}
	case F32:
		if v, ok := value.(float32); ok {
			r.SetF32(v)
			return true
		}
	case F64:
		if v, ok := value.(float64); ok {
			r.SetF64(v)
			return true
		}
	case V128:
		if v, ok := value.([16]byte); ok {
			r.SetV128(v)
			return true
		}
	}
	if v, ok := value.(Val); ok && v.kind == kind && !kind.isRef() {
		*r = v.raw
		return true
	}
	return false
}

// newVal makes a value of a type, and returns whether it can be one.
func newVal(kind ValType, value any) (v Val, ok bool) {
	v.kind = kind
	if !kind.isRef() {
		return v, v.raw.set(kind, value)
	}
	if given, is := value.(Val); is {
		return given, given.kind == kind
	}
	if f, is := value.(*Func); is && f == nil {
		value = nil
	}
	if kind == FuncRef && value != nil {
		if _, is := value.(*Func); !is {
			return v, false
		}
	}
	// A *Ref may be one of any other kind, which C finds out.
	_, ref := value.(*Ref)
	v.ref = value
	return v, ref || kind == ExternRef || kind == AnyRef || kind == FuncRef || value == nil
}

func wrongValue(what string, kind ValType, value any) error {
	if v, ok := value.(int); ok && kind == I32 {
		return misuse("%s is %d, which does not fit in an i32", what, v)
	}
	if v, ok := value.(Val); ok {
		return misuse("%s has type %v where %v is needed", what, v.kind, kind)
	}
	return misuse("%s is a %T, which is no %v", what, value, kind)
}

// isNull returns whether a reference is null, which a nil *Ref is, too.
func isNull(ref any) bool {
	r, ok := ref.(*Ref)
	return ref == nil || ok && r == nil
}

// cVal makes a C value. A reference is own, and release deletes it; that of a funcref is borrowed.
func (s *Store) cVal(v Val) (c C.wasm_val_t, err error) {
	c.kind = C.wasm_valkind_t(v.kind)
	ref := (**C.wasm_ref_t)(unsafe.Pointer(&c.of))
	switch {
	case v.kind == V128:
		err = &Error{Kind: ErrorUnsupported, Message: "a v128 can be passed only where no reference is", Offset: -1}
	case !v.kind.isRef():
		*(*uint64)(unsafe.Pointer(&c.of)) = v.raw[0]
	case isNull(v.ref):
		*ref = nil
	case v.kind == FuncRef:
		var ptr unsafe.Pointer
		ptr, err = v.ref.(*Func).in(s)
		*ref = (*C.wasm_ref_t)(ptr)
	default:
		if r, ok := v.ref.(*Ref); ok {
			var ptr unsafe.Pointer
			if ptr, err = r.in(s); err == nil {
				*ref = C.wasm_ref_copy((*C.wasm_ref_t)(ptr))
			}
			return
		}
		id := s.keep(v.ref)
		if *ref = C.wasmrtgo_extern_new(s.core.ptr, C.uintptr_t(s.core.index), C.uintptr_t(id)); *ref == nil {
			delete(s.values, id)
			err = misuse("there is no memory for a reference")
		}
	}
	return
}

// release deletes what cVal made.
func release(c *C.wasm_val_t) {
	if kind := ValType(c.kind); !kind.isRef() || kind == FuncRef {
		return
	}
	if ref := *(**C.wasm_ref_t)(unsafe.Pointer(&c.of)); ref != nil {
		C.wasm_ref_delete(ref)
	}
}

// goVal returns what a C value is in Go. If own is set, its reference is taken.
func (s *Store) goVal(c *C.wasm_val_t, own bool) (v Val) {
	v.kind = ValType(c.kind)
	if !v.kind.isRef() {
		v.raw[0] = *(*uint64)(unsafe.Pointer(&c.of))
		return
	}
	v.ref = s.goRef(*(**C.wasm_ref_t)(unsafe.Pointer(&c.of)), own)
	return
}

func (s *Store) goRef(ref *C.wasm_ref_t, own bool) any {
	if ref == nil {
		return nil
	}
	var id C.uintptr_t
	if C.wasmrtgo_extern_id(ref, &id) {
		value := s.values[uintptr(id)]
		if own {
			C.wasm_ref_delete(ref)
		}
		return value
	}
	if !own {
		ref = C.wasm_ref_copy(ref)
	}
	if f := C.wasm_ref_as_func(ref); f != nil {
		return s.newFunc(f)
	}
	return &Ref{object{s, s.add(unsafe.Pointer(ref), deleteRef), "reference"}}
}

// Ref is a reference to something of the guest's that is neither a function nor a value of Go: a struct, an array, a
// small integer or an exception. It can be given back to the guest, and keeps what it refers to until it is closed.
type Ref struct{ object }

// Close frees the handle at once. What it refers to lives as long as something refers to it.
func (r *Ref) Close() error {
	if r == nil {
		return misuse("the reference is nil; a null reference is nil")
	}
	return r.close()
}
