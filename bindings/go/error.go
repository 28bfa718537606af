package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"errors"
	"fmt"
	"runtime"
)

// ErrorKind says what sort of error it is. The numbers are those of the C library.
type ErrorKind uint32

// Kinds of errors.
const (
	// ErrorMisuse is a call that the documentation does not allow.
	ErrorMisuse ErrorKind = C.WASMRT_ERROR_MISUSE
	// ErrorCompile is a module that is malformed, invalid, or beyond what the engine can compile.
	ErrorCompile ErrorKind = C.WASMRT_ERROR_COMPILE
	// ErrorLink is imports that do not match the module.
	ErrorLink ErrorKind = C.WASMRT_ERROR_LINK
	// ErrorTrap is a trap of WebAssembly or of a host function.
	ErrorTrap ErrorKind = C.WASMRT_ERROR_TRAP
	// ErrorLimit is a resource that was exhausted, or a limit that was reached.
	ErrorLimit ErrorKind = C.WASMRT_ERROR_LIMIT
	// ErrorUnsupported is something that the library or the backend does not support.
	ErrorUnsupported ErrorKind = C.WASMRT_ERROR_UNSUPPORTED
	// ErrorArtifact is bytes that are not a serialized module of this library, backend and configuration.
	ErrorArtifact ErrorKind = C.WASMRT_ERROR_ARTIFACT
	// ErrorInternal is a defect in the library.
	ErrorInternal ErrorKind = C.WASMRT_ERROR_INTERNAL
	// ErrorFile is a file or a directory that could not be read or written.
	ErrorFile ErrorKind = C.WASMRT_ERROR_FILE
)

// String returns the name of the kind, such as "misuse".
func (k ErrorKind) String() string {
	if name := C.wasmrt_error_kind_name(C.wasmrt_error_kind_t(k)); name != nil {
		return C.GoString(name)
	}
	return fmt.Sprintf("error kind %d", uint32(k))
}

// Error is an error of the library that is no trap. Find it with errors.As.
type Error struct {
	// Kind says what sort of error it is.
	Kind ErrorKind
	// Message says what is wrong and what to do about it.
	Message string
	// Offset is where in a module's binary the error is, in bytes; -1 if that is not known.
	Offset int64

	cause error
}

// Error returns the message.
func (e *Error) Error() string {
	if e == nil {
		return nilError("Error")
	}
	return e.Message
}

// Unwrap returns ErrClosed or ErrBusy, if that is the reason, or nil.
func (e *Error) Unwrap() error {
	if e == nil {
		return nil
	}
	return e.cause
}

// nilError is the message of a nil pointer in an error, which is an error by the rules of Go.
func nilError(what string) string {
	return "a nil *" + what + " was returned as an error; return nil itself"
}

var (
	// ErrClosed is what errors.Is finds in the error that an object gives after it, or its store, was closed.
	ErrClosed = errors.New("it is closed")
	// ErrBusy is what errors.Is finds in the error that a store gives while another goroutine uses it.
	ErrBusy = errors.New("another goroutine uses the store")
)

// KindOf returns the kind of an error of this package, ErrorTrap for most traps, and 0 for any other error.
func KindOf(err error) ErrorKind {
	var trap *Trap
	if errors.As(err, &trap) && trap != nil {
		return trap.kind
	}
	var e *Error
	if errors.As(err, &e) && e != nil {
		return e.Kind
	}
	return 0
}

func misuse(format string, args ...any) error {
	return &Error{Kind: ErrorMisuse, Message: fmt.Sprintf(format, args...), Offset: -1}
}

func closedError(what string) error {
	return &Error{Kind: ErrorMisuse, Message: "the " + what + " is closed", Offset: -1, cause: ErrClosed}
}

// attempt calls a C function that says whether it succeeded. The last error belongs to a thread of the system.
func attempt(f func() bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if f() {
		return nil
	}
	return lastError()
}

// lastError must be called on the thread that had the error.
func lastError() error {
	e := &Error{Kind: ErrorKind(C.wasmrt_last_error_kind()), Offset: -1}
	if message := C.wasmrt_last_error_message(); message != nil {
		e.Message = C.GoString(message)
	}
	var offset C.uint64_t
	if C.wasmrt_last_error_offset(&offset) {
		e.Offset = int64(offset)
	}
	return e
}
