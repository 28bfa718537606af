package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"encoding/binary"
	"io"
	"math"
	"runtime"
	"unsafe"
)

// Memory is a linear memory. It is an io.ReaderAt and an io.WriterAt.
type Memory struct{ object }

// NewMemory makes a memory.
func NewMemory(store *Store, ty MemoryType) (m *Memory, err error) {
	err = store.do(func() bool {
		if ty.PageSize == 0 {
			ty.PageSize = 65536
		}
		t := C.wasmrt_memorytype_new(C.uint64_t(ty.Min), C.uint64_t(ty.Max), C.bool(ty.Is64), C.bool(ty.Shared),
			C.uint64_t(ty.PageSize))
		if t == nil {
			return false
		}
		defer C.wasm_memorytype_delete(t)
		ptr := C.wasm_memory_new(store.core.ptr, t)
		if ptr != nil {
			m = &Memory{object{store, store.add(unsafe.Pointer(ptr), deleteRef), "memory"}}
		}
		return ptr != nil
	})
	return
}

// Data returns the bytes of the memory themselves, not a copy; nil if the memory is closed or in use by another
// goroutine. They must not be used after the memory has grown, which it may whenever the guest runs, nor after its store
// was closed, nor after the last use of its store or of anything in it: the bytes keep none of that from being freed. End
// with runtime.KeepAlive(memory).
func (m *Memory) Data() []byte {
	ptr, level, err := m.use()
	if err != nil {
		return nil
	}
	bytes := C.wasmrtgo_memory_data((*C.wasm_memory_t)(ptr))
	m.store.leave(level)
	runtime.KeepAlive(m)
	return unsafe.Slice((*byte)(bytes.data), int(bytes.size))
}

// bytes calls f with the bytes, while nobody else uses the store.
func (m *Memory) bytes(f func([]byte) error) error {
	ptr, level, err := m.use()
	if err != nil {
		return err
	}
	defer runtime.KeepAlive(m)
	defer m.store.leave(level)
	bytes := C.wasmrtgo_memory_data((*C.wasm_memory_t)(ptr))
	return f(unsafe.Slice((*byte)(bytes.data), int(bytes.size)))
}

// part returns length bytes at offset.
func part(data []byte, offset uint64, length uint64) ([]byte, error) {
	if size := uint64(len(data)); offset > size || length > size-offset {
		return nil, misuse("%d bytes at %d are beyond the end of the memory, which has %d", length, offset, size)
	}
	return data[offset : offset+length], nil
}

// ReadAt copies bytes at an offset to p. It returns io.EOF if there are fewer.
func (m *Memory) ReadAt(p []byte, offset int64) (n int, err error) {
	err = m.bytes(func(data []byte) error {
		if offset < 0 {
			return misuse("the offset %d is negative", offset)
		}
		if offset < int64(len(data)) {
			n = copy(p, data[offset:])
		}
		if n < len(p) {
			return io.EOF
		}
		return nil
	})
	return
}

// WriteAt copies p to an offset. If it does not fit, nothing is written.
func (m *Memory) WriteAt(p []byte, offset int64) (n int, err error) {
	err = m.bytes(func(data []byte) error {
		to, err := part(data, uint64(offset), uint64(len(p)))
		if err == nil {
			n = copy(to, p)
		}
		return err
	})
	return
}

// ReadString returns length bytes at an offset as a string.
func (m *Memory) ReadString(offset, length uint32) (text string, err error) {
	err = m.bytes(func(data []byte) error {
		from, err := part(data, uint64(offset), uint64(length))
		text = string(from)
		return err
	})
	return
}

func (m *Memory) number(offset uint64, size uint64, f func([]byte)) error {
	return m.bytes(func(data []byte) error {
		at, err := part(data, offset, size)
		if err == nil {
			f(at)
		}
		return err
	})
}

// ReadUint8 returns the byte at an offset.
func (m *Memory) ReadUint8(offset uint64) (v uint8, err error) {
	err = m.number(offset, 1, func(at []byte) { v = at[0] })
	return
}

// ReadUint32 returns the 32-bit number at an offset.
func (m *Memory) ReadUint32(offset uint64) (v uint32, err error) {
	err = m.number(offset, 4, func(at []byte) { v = binary.LittleEndian.Uint32(at) })
	return
}

// ReadUint64 returns the 64-bit number at an offset.
func (m *Memory) ReadUint64(offset uint64) (v uint64, err error) {
	err = m.number(offset, 8, func(at []byte) { v = binary.LittleEndian.Uint64(at) })
	return
}

// ReadFloat64 returns the float64 at an offset.
func (m *Memory) ReadFloat64(offset uint64) (v float64, err error) {
	err = m.number(offset, 8, func(at []byte) { v = math.Float64frombits(binary.LittleEndian.Uint64(at)) })
	return
}

// WriteUint8 writes a byte to an offset.
func (m *Memory) WriteUint8(offset uint64, v uint8) error {
	return m.number(offset, 1, func(at []byte) { at[0] = v })
}

// WriteUint32 writes a 32-bit number to an offset.
func (m *Memory) WriteUint32(offset uint64, v uint32) error {
	return m.number(offset, 4, func(at []byte) { binary.LittleEndian.PutUint32(at, v) })
}

// WriteUint64 writes a 64-bit number to an offset.
func (m *Memory) WriteUint64(offset uint64, v uint64) error {
	return m.number(offset, 8, func(at []byte) { binary.LittleEndian.PutUint64(at, v) })
}

// WriteFloat64 writes a float64 to an offset.
func (m *Memory) WriteFloat64(offset uint64, v float64) error {
	return m.number(offset, 8, func(at []byte) { binary.LittleEndian.PutUint64(at, math.Float64bits(v)) })
}

// Size returns the size in pages.
func (m *Memory) Size() (pages uint64, err error) {
	err = m.do(func(ptr unsafe.Pointer) bool {
		return bool(C.wasmrt_memory_size((*C.wasm_memory_t)(ptr), (*C.uint64_t)(&pages)))
	})
	return
}

// DataSize returns the size in bytes.
func (m *Memory) DataSize() (size uint64, err error) {
	err = m.bytes(func(data []byte) error {
		size = uint64(len(data))
		return nil
	})
	return
}

// Grow adds pages, and returns the former size.
func (m *Memory) Grow(delta uint64) (former uint64, err error) {
	err = m.do(func(ptr unsafe.Pointer) bool {
		return bool(C.wasmrt_memory_grow((*C.wasm_memory_t)(ptr), C.uint64_t(delta), (*C.uint64_t)(&former)))
	})
	return
}

// Close frees the handle at once. The memory itself lives as long as its store.
func (m *Memory) Close() error {
	if m == nil {
		return misuse("the memory is nil; GetMemory gives nil where there is none of that name")
	}
	return m.close()
}

// Type returns the type of the memory.
func (m *Memory) Type() (ty MemoryType, err error) {
	err = m.do(func(ptr unsafe.Pointer) bool {
		t := C.wasm_memory_type((*C.wasm_memory_t)(ptr))
		ty = goMemoryType(t)
		C.wasm_memorytype_delete(t)
		return true
	})
	return
}
