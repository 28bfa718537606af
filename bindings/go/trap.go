package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"strings"
	"unsafe"
)

// TrapCode says why a guest trapped. The numbers are those of the C library, and the same on every backend.
type TrapCode uint32

// Codes of traps.
const (
	// TrapUnreachable is the instruction unreachable.
	TrapUnreachable TrapCode = C.WASMRT_TRAP_UNREACHABLE
	// TrapMemoryOutOfBounds is an access beyond the end of a memory.
	TrapMemoryOutOfBounds TrapCode = C.WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS
	// TrapTableOutOfBounds is an access beyond the end of a table.
	TrapTableOutOfBounds TrapCode = C.WASMRT_TRAP_TABLE_OUT_OF_BOUNDS
	// TrapUndefinedElement is an indirect call beyond the end of a table.
	TrapUndefinedElement TrapCode = C.WASMRT_TRAP_UNDEFINED_ELEMENT
	// TrapUninitializedElement is an indirect call of a null element.
	TrapUninitializedElement TrapCode = C.WASMRT_TRAP_UNINITIALIZED_ELEMENT
	// TrapIndirectCallTypeMismatch is an indirect call of a function of another type.
	TrapIndirectCallTypeMismatch TrapCode = C.WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH
	// TrapIntegerDivideByZero is an integer division by zero.
	TrapIntegerDivideByZero TrapCode = C.WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO
	// TrapIntegerOverflow is an integer division or conversion whose result cannot be represented.
	TrapIntegerOverflow TrapCode = C.WASMRT_TRAP_INTEGER_OVERFLOW
	// TrapInvalidConversion is a conversion of a NaN to an integer.
	TrapInvalidConversion TrapCode = C.WASMRT_TRAP_INVALID_CONVERSION
	// TrapStackExhausted is calls that are nested too deeply.
	TrapStackExhausted TrapCode = C.WASMRT_TRAP_STACK_EXHAUSTED
	// TrapUnalignedAtomic is an atomic access to an unaligned address.
	TrapUnalignedAtomic TrapCode = C.WASMRT_TRAP_UNALIGNED_ATOMIC
	// TrapNullReference is a null reference where an object is needed.
	TrapNullReference TrapCode = C.WASMRT_TRAP_NULL_REFERENCE
	// TrapArrayOutOfBounds is an access beyond the end of an array.
	TrapArrayOutOfBounds TrapCode = C.WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS
	// TrapCastFailure is a cast of a reference to a type that it does not have.
	TrapCastFailure TrapCode = C.WASMRT_TRAP_CAST_FAILURE
	// TrapUncaughtException is an exception that the guest did not catch.
	TrapUncaughtException TrapCode = C.WASMRT_TRAP_UNCAUGHT_EXCEPTION
	// TrapOther is a trap of the engine that is none of the others.
	TrapOther TrapCode = C.WASMRT_TRAP_OTHER
	// TrapOutOfFuel is that the store ran out of fuel.
	TrapOutOfFuel TrapCode = C.WASMRT_TRAP_OUT_OF_FUEL
	// TrapTimeout is that the timeout of the call or of the store expired.
	TrapTimeout TrapCode = C.WASMRT_TRAP_TIMEOUT
	// TrapInterrupted is that a context was cancelled, or an InterruptHandle used.
	TrapInterrupted TrapCode = C.WASMRT_TRAP_INTERRUPTED
	// TrapMemoryLimit is the store's limit of memory bytes.
	TrapMemoryLimit TrapCode = C.WASMRT_TRAP_MEMORY_LIMIT
	// TrapTableLimit is the store's limit of table elements.
	TrapTableLimit TrapCode = C.WASMRT_TRAP_TABLE_LIMIT
	// TrapHost is a trap or an error of a host function.
	TrapHost TrapCode = C.WASMRT_TRAP_HOST
	// TrapExit is that the guest ended its program: see ExitError.
	TrapExit TrapCode = C.WASMRT_TRAP_EXIT
	// TrapError is that the call itself failed.
	TrapError TrapCode = C.WASMRT_TRAP_ERROR
)

// String returns the name of the code, such as "integer-divide-by-zero".
func (c TrapCode) String() string {
	if name := C.wasmrt_trap_code_name(C.wasmrt_trap_code_t(c)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("trap code %d", uint32(c))
}

// Trap is the error of a guest that trapped. Find it with errors.As.
type Trap struct {
	code    TrapCode
	kind    ErrorKind
	message string
	frames  []Frame
	cause   error
}

// Frame is a call that was running when a guest trapped. On wasmi there are none.
type Frame struct {
	// FuncIndex is the number of the function in its module.
	FuncIndex uint32
	// FuncName is the name of the function in the module's name section, "" if it has none.
	FuncName string
	// ModuleName is the name of the module in its name section, "" if it has none.
	ModuleName string
	// FuncOffset is where in the function's body the call was, in bytes.
	FuncOffset uint64
	// ModuleOffset is where in the module's binary the call was, in bytes.
	ModuleOffset uint64
}

// NewTrap makes a trap with a message, for a host function to return. Any other error will do as well.
func NewTrap(message string) *Trap { return &Trap{code: TrapHost, kind: ErrorTrap, message: message} }

// Code returns why the guest trapped.
func (t *Trap) Code() TrapCode { return t.code }

// Message returns the reason as text, without the frames.
func (t *Trap) Message() string { return t.message }

// Frames returns the calls that were running, the innermost first.
func (t *Trap) Frames() []Frame { return t.frames }

// Unwrap returns the error that a host function returned, or that of the context that was cancelled, or nil.
func (t *Trap) Unwrap() error {
	if t == nil {
		return nil
	}
	return t.cause
}

// Error returns the message, and a line for each frame.
func (t *Trap) Error() string {
	if t == nil {
		return nilError("Trap")
	}
	if len(t.frames) == 0 {
		return t.message
	}
	var text strings.Builder
	text.WriteString(t.message)
	for i, f := range t.frames {
		name := f.FuncName
		if name == "" {
			name = fmt.Sprintf("function %d", f.FuncIndex)
		}
		if f.ModuleName != "" {
			name = f.ModuleName + "!" + name
		}
		fmt.Fprintf(&text, "\n  %d: %s at offset 0x%x", i, name, f.ModuleOffset)
	}
	return text.String()
}

// ExitError is the error of a guest that ended its program. A host function that returns one ends the guest's program.
type ExitError struct {
	// Status is the exit status.
	Status int32

	trap *Trap
}

// Error returns "exit with status" and the status.
func (e *ExitError) Error() string {
	if e == nil {
		return nilError("ExitError")
	}
	return fmt.Sprintf("exit with status %d", e.Status)
}

// Unwrap returns the guest's trap, or nil.
func (e *ExitError) Unwrap() error {
	if e == nil || e.trap == nil {
		return nil
	}
	return e.trap
}

// hostPanic is what a host function panicked with, on its way to whoever called the guest.
type hostPanic struct{ value any }

func (hostPanic) Error() string { return "a host function panicked" }

// failure is what a host function failed with, after its error was asked all that a trap needs.
type failure struct {
	err     error
	exit    *ExitError
	message string
}

// failureOf calls methods of the error, which may panic if it is the user's.
func failureOf(err error) *failure {
	f := &failure{err: err}
	if errors.As(err, &f.exit) && f.exit != nil {
		return f
	}
	if trap, ok := err.(*Trap); ok && trap != nil {
		f.message = trap.message
	} else {
		f.message = err.Error()
	}
	return f
}

// cTrap makes a trap of a failure, for C to take.
func (s *Store) cTrap(failed *failure) *C.wasm_trap_t {
	if failed.exit != nil {
		return C.wasmrt_trap_new_exit(s.core.ptr, C.int32_t(failed.exit.Status))
	}
	id := s.keep(failed.err)
	text, length := name(failed.message)
	return C.wasmrtgo_trap_new(s.core.ptr, text, length, C.uintptr_t(s.core.index), C.uintptr_t(id))
}

// takeTrap makes an error of a trap, which it deletes.
func (s *Store) takeTrap(c *C.wasm_trap_t) error {
	defer C.wasm_trap_delete(c)
	var cause error
	var id C.uintptr_t
	if C.wasmrtgo_trap_id(c, &id) {
		cause, _ = s.values[uintptr(id)].(error)
		// A guest's trap comes out as it went in. One of NewTrap gets frames.
		if trap, ok := cause.(*Trap); ok && trap != nil {
			if trap.code != TrapHost || len(trap.frames) > 0 {
				return trap
			}
			cause = trap.cause
		}
	}
	var text C.wasm_message_t
	C.wasm_trap_message(c, &text)
	trap := &Trap{
		code:    TrapCode(C.wasmrt_trap_code(c)),
		kind:    ErrorKind(C.wasmrt_trap_error_kind(c)),
		message: strings.TrimSuffix(goName(&text), "\x00"),
		cause:   cause,
	}
	C.wasm_byte_vec_delete(&text)
	if trap.code == TrapError {
		return &Error{Kind: trap.kind, Message: trap.message, Offset: -1}
	}
	trap.frames = framesOf(c)
	var status C.int32_t
	if C.wasmrt_trap_exit_status(c, &status) {
		return &ExitError{int32(status), trap}
	}
	return trap
}

func framesOf(trap *C.wasm_trap_t) []Frame {
	var trace C.wasm_frame_vec_t
	C.wasm_trap_trace(trap, &trace)
	defer C.wasm_frame_vec_delete(&trace)
	if trace.size == 0 {
		return nil
	}
	frames := make([]Frame, int(trace.size))
	for i, f := range unsafe.Slice(trace.data, int(trace.size)) {
		var function, module C.wasm_name_t
		C.wasmrt_frame_func_name(f, &function)
		C.wasmrt_frame_module_name(f, &module)
		frames[i] = Frame{
			FuncIndex:    uint32(C.wasm_frame_func_index(f)),
			FuncName:     goName(&function),
			ModuleName:   goName(&module),
			FuncOffset:   uint64(C.wasm_frame_func_offset(f)),
			ModuleOffset: uint64(C.wasm_frame_module_offset(f)),
		}
		C.wasm_byte_vec_delete(&function)
		C.wasm_byte_vec_delete(&module)
	}
	return frames
}
