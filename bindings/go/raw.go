package wasmrt

import "unsafe"

// Raw is a value without its type: what Func.CallRaw and the functions of NewRawFunc pass. Whoever uses it has to know
// the type.
type Raw [2]uint64

// I32 returns the value of an i32.
func (r *Raw) I32() int32 { return *(*int32)(unsafe.Pointer(r)) }

// I64 returns the value of an i64.
func (r *Raw) I64() int64 { return *(*int64)(unsafe.Pointer(r)) }

// F32 returns the value of an f32.
func (r *Raw) F32() float32 { return *(*float32)(unsafe.Pointer(r)) }

// F64 returns the value of an f64.
func (r *Raw) F64() float64 { return *(*float64)(unsafe.Pointer(r)) }

// V128 returns the bytes of a v128.
func (r *Raw) V128() [16]byte { return *(*[16]byte)(unsafe.Pointer(r)) }

// SetI32 makes it an i32.
func (r *Raw) SetI32(v int32) { *(*int32)(unsafe.Pointer(r)) = v }

// SetI64 makes it an i64.
func (r *Raw) SetI64(v int64) { *(*int64)(unsafe.Pointer(r)) = v }

// SetF32 makes it an f32.
func (r *Raw) SetF32(v float32) { *(*float32)(unsafe.Pointer(r)) = v }

// SetF64 makes it an f64.
func (r *Raw) SetF64(v float64) { *(*float64)(unsafe.Pointer(r)) = v }

// SetV128 makes it a v128.
func (r *Raw) SetV128(v [16]byte) { *(*[16]byte)(unsafe.Pointer(r)) = v }
