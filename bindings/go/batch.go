package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"runtime"
	"unsafe"
)

// column is a wasmrt_column_t. The address is a number here: the slice is pinned during the call.
type column struct {
	kind uint8
	size uintptr
	data uintptr
}

// CallBatch calls the function for each of rows rows, in order, in a fraction of the time of as many calls.
//
// args has a column for each parameter, results one for each result: an []int32 or []uint32 for an i32, an []int64 or
// []uint64 for an i64, a []float32, a []float64; or nil for results that are not wanted. A column has a value for each
// row. A column of results may be one of args. References and vectors cannot be passed.
//
// If a row traps, no later one is called. done is the number of rows that were done.
func (f *Func) CallBatch(rows int, args, results []any) (done int, err error) {
	if f == nil {
		return 0, errNoFunc
	}
	if len(args) != len(f.ty.Params) || len(results) != len(f.ty.Results) {
		return 0, misuse("the function needs %d columns of arguments and %d of results, not %d and %d: %v", len(f.ty.Params),
			len(f.ty.Results), len(args), len(results), f.ty)
	}
	if rows < 0 {
		return 0, misuse("there cannot be %d rows", rows)
	}
	var pins pinner
	defer pins.Unpin()
	columns := make([]column, len(args)+len(results)+1)
	for i, given := range args {
		if columns[i], err = newColumn(&pins, f.ty.Params[i], given, rows); err != nil {
			return 0, err
		}
		if given == nil {
			return 0, misuse("a column of arguments is nil")
		}
	}
	for i, given := range results {
		if columns[len(args)+i], err = newColumn(&pins, f.ty.Results[i], given, rows); err != nil {
			return 0, err
		}
	}
	ptr, level, err := f.use()
	if err != nil {
		return 0, err
	}
	var count C.size_t
	var trap *C.wasm_trap_t
	err = attempt(func() bool {
		return bool(C.wasmrt_func_call_batch((*C.wasm_func_t)(ptr), C.size_t(rows),
			(*C.wasmrt_column_t)(unsafe.Pointer(&columns[0])), C.size_t(len(args)),
			(*C.wasmrt_column_t)(unsafe.Pointer(&columns[len(args)])), C.size_t(len(results)), &count, &trap)) || trap != nil
	})
	if trap != nil {
		err = f.store.takeTrap(trap)
	}
	runtime.KeepAlive(args)
	runtime.KeepAlive(results)
	runtime.KeepAlive(f)
	return int(count), f.store.finish(level, err)
}

func newColumn(pins *pinner, kind ValType, given any, rows int) (c column, err error) {
	c.kind = uint8(kind)
	fits := func(of ValType, length int, data unsafe.Pointer) {
		if of != kind {
			err = misuse("a column is a %T, which is of no %v", given, kind)
		} else if length < rows {
			err = misuse("a column has %d values for %d rows", length, rows)
		} else if length > 0 {
			pins.Pin(data)
			c.size, c.data = uintptr(length), uintptr(data)
		}
	}
	switch s := given.(type) {
	case nil:
		c.size = uintptr(rows)
	case []int32:
		fits(I32, len(s), addressOf(s))
	case []uint32:
		fits(I32, len(s), addressOf(s))
	case []int64:
		fits(I64, len(s), addressOf(s))
	case []uint64:
		fits(I64, len(s), addressOf(s))
	case []float32:
		fits(F32, len(s), addressOf(s))
	case []float64:
		fits(F64, len(s), addressOf(s))
	default:
		err = misuse("a column is a %T; use a slice of int32, int64, float32 or float64", given)
	}
	return
}

// addressOf returns where the elements of a slice are.
func addressOf[T any](s []T) unsafe.Pointer {
	if len(s) == 0 {
		return nil
	}
	return unsafe.Pointer(&s[0])
}
