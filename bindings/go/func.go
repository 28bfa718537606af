package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"
)

// Func is a function: a guest's, or one of the host's.
type Func struct {
	object
	ty    FuncType
	slots int
	refs  bool
}

var errNoFunc = misuse("the function is nil; GetFunc gives nil where there is no function of that name, " +
	"or if something is closed")

// newFunc takes the function.
func (s *Store) newFunc(ptr *C.wasm_func_t) *Func {
	return s.viewFunc(ptr, s.add(unsafe.Pointer(ptr), deleteRef))
}

func (s *Store) viewFunc(ptr *C.wasm_func_t, g *guard) *Func {
	f := &Func{object: object{s, g, "function"}}
	f.ty = kinds(func(buf *C.uint8_t, room C.size_t, params, results *C.size_t) {
		C.wasmrtgo_func_kinds(ptr, buf, room, params, results)
	})
	f.slots = f.ty.slots()
	f.refs = f.ty.hasRefs()
	return f
}

// slots is the number of raw values that a call needs.
func (t FuncType) slots() int {
	if len(t.Params) > len(t.Results) {
		return len(t.Params)
	}
	return len(t.Results)
}

// Type returns the type of the function.
func (f *Func) Type() FuncType { return f.ty }

// Close frees the handle at once. The function itself lives as long as its store.
func (f *Func) Close() error {
	if f == nil {
		return errNoFunc
	}
	return f.close()
}

// Call calls the function. An i32 may be given as an int32, uint32 or int, an i64 as an int64, uint64 or int, an f32
// as a float32, an f64 as a float64, a v128 as a [16]byte, a funcref as a *Func, an externref or anyref as anything, an
// exnref as a *Ref; or any of them as a Val.
//
// It returns nil for a function without results, the value for one with one result, and a []Val for more: an i32 as
// an int32, an i64 as an int64.
//
// If arguments do not fit, nothing is called, and the error is an *Error. If the guest traps, it is a *Trap; if it
// ends its program, an *ExitError. A panic of a host function continues here.
func (f *Func) Call(args ...any) (any, error) {
	if f == nil {
		return nil, errNoFunc
	}
	if len(args) != len(f.ty.Params) {
		return nil, f.wrongCount(args)
	}
	ptr, level, err := f.use()
	if err != nil {
		return nil, err
	}
	result, err := f.called(ptr, args)
	return result, f.store.finish(level, err)
}

func (f *Func) wrongCount(args []any) error {
	return misuse("the function takes %d arguments, not %d: %v", len(f.ty.Params), len(args), f.ty)
}

// called calls the function, whose store is in use, with as many arguments as it takes.
func (f *Func) called(ptr unsafe.Pointer, args []any) (result any, err error) {
	s := f.store
	if f.refs {
		return s.callRefs(f, (*C.wasm_func_t)(ptr), args)
	}
	values := s.take(f.slots)
	for i, arg := range args {
		if kind := f.ty.Params[i]; !values[i].set(kind, arg) {
			s.give(f.slots)
			return nil, wrongValue(fmt.Sprintf("argument %d", i+1), kind, arg)
		}
	}
	if err = s.call(ptr, values); err == nil {
		switch len(f.ty.Results) {
		case 0:
		case 1:
			result = values[0].get(f.ty.Results[0])
		default:
			vals := make([]Val, len(f.ty.Results))
			for i, kind := range f.ty.Results {
				vals[i] = Val{kind: kind, raw: values[i]}
			}
			result = vals
		}
	}
	s.give(f.slots)
	runtime.KeepAlive(f)
	return
}

// CallRaw calls the function with the arguments in values, and writes the results over them. Nothing is converted and
// nothing allocated. values must have as many elements as the function has parameters or results, whichever are more.
// The function must not have references.
func (f *Func) CallRaw(values []Raw) error {
	if f == nil {
		return errNoFunc
	}
	if f.refs || len(values) < f.slots {
		return f.notRaw(len(values))
	}
	ptr, level, err := f.use()
	if err != nil {
		return err
	}
	err = f.store.call(ptr, values)
	runtime.KeepAlive(f)
	return f.store.finish(level, err)
}

func (f *Func) notRaw(given int) error {
	if f.refs {
		return misuse("the function has references, which cannot be raw: %v; use Call", f.ty)
	}
	return misuse("the function needs %d raw values, not %d: %v", f.slots, given, f.ty)
}

// call calls a function whose type has no references.
func (s *Store) call(ptr unsafe.Pointer, values []Raw) error {
	var first *[16]byte
	if len(values) > 0 {
		first = (*[16]byte)(unsafe.Pointer(&values[0]))
	}
	if trap := C.wasmrt_func_call_unchecked((*C.wasm_func_t)(ptr), first); trap != nil {
		return s.takeTrap(trap)
	}
	return nil
}

// finish ends a call into a guest. A panic of a host function goes on here.
func (s *Store) finish(level int32, err error) error {
	if err == nil && s.panics == nil {
		s.leave(level)
		return nil
	}
	panicked := s.panics
	s.panics = nil
	s.leave(level)
	if trap, ok := err.(*Trap); ok {
		if p, ok := trap.cause.(hostPanic); ok {
			panic(p.value)
		}
	}
	if len(panicked) > 0 {
		panic(panicked[0])
	}
	return err
}

// run uses the store to call f, which may call guests. A panic of f leaves the store usable.
func (s *Store) run(f func() error) error {
	level, err := s.enter()
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended {
			s.leave(level)
		}
	}()
	err = f()
	ended = true
	return s.finish(level, err)
}

// callRefs calls a function whose type has references.
func (s *Store) callRefs(f *Func, ptr *C.wasm_func_t, args []any) (any, error) {
	params, results := len(f.ty.Params), len(f.ty.Results)
	values := make([]C.wasm_val_t, params+results+1)
	done := 0
	defer func() {
		for i := 0; i < done; i++ {
			release(&values[i])
		}
	}()
	for i, arg := range args {
		v, ok := newVal(f.ty.Params[i], arg)
		if !ok {
			return nil, wrongValue(fmt.Sprintf("argument %d", i+1), f.ty.Params[i], arg)
		}
		c, err := s.cVal(v)
		if err != nil {
			return nil, err
		}
		values[i] = c
		done++
	}
	if trap := C.wasmrtgo_func_call(ptr, &values[0], C.size_t(params), &values[params], C.size_t(results)); trap != nil {
		return nil, s.takeTrap(trap)
	}
	runtime.KeepAlive(args)
	runtime.KeepAlive(f)
	vals := make([]Val, results)
	for i := range vals {
		vals[i] = s.goVal(&values[params+i], true)
	}
	switch results {
	case 0:
		return nil, nil
	case 1:
		return vals[0].Get(), nil
	}
	return vals, nil
}
