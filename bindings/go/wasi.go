package wasmrt

/*
#include "shim.h"
*/
import "C"

import (
	"context"
	"errors"
	"io"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// WasiConfig says what a WASI guest is given: nothing at first. What is wrong with it is reported by Store.SetWasi.
type WasiConfig struct {
	settings []func(*C.wasmrt_wasi_config_t, *Store) bool
	err      error // of the first setting that could not be
}

// Access is what a guest may do with a directory and everything beneath it.
type Access uint32

// What a guest may do with a directory.
const (
	// ReadOnly allows reading.
	ReadOnly Access = C.WASMRT_WASI_READ_ONLY
	// ReadWrite allows reading and writing.
	ReadWrite Access = C.WASMRT_WASI_READ_WRITE
)

// stream is what a guest's stream is connected to.
type stream struct {
	reader io.Reader
	writer io.Writer
}

// NewWasiConfig makes an empty configuration. It may be used for any number of stores.
func NewWasiConfig() *WasiConfig { return &WasiConfig{} }

func (c *WasiConfig) set(f func(config *C.wasmrt_wasi_config_t, s *Store) bool) {
	c.settings = append(c.settings, f)
}

func (c *WasiConfig) setStrings(f func(config *C.wasmrt_wasi_config_t, text []*C.char) bool, values ...string) {
	for _, value := range values {
		if err := noZeros(value); err != nil && c.err == nil {
			c.err = err
		}
	}
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		text := make([]*C.char, len(values))
		for i, value := range values {
			text[i] = C.CString(value)
			defer C.free(unsafe.Pointer(text[i]))
		}
		return f(config, text)
	})
}

// SetArgs sets the arguments. The first is the program's name.
func (c *WasiConfig) SetArgs(args ...string) {
	for _, arg := range args {
		c.setStrings(func(config *C.wasmrt_wasi_config_t, text []*C.char) bool {
			return bool(C.wasmrt_wasi_config_arg(config, text[0]))
		}, arg)
	}
}

// SetEnv sets an environment variable.
func (c *WasiConfig) SetEnv(name, value string) {
	c.setStrings(func(config *C.wasmrt_wasi_config_t, text []*C.char) bool {
		return bool(C.wasmrt_wasi_config_env(config, text[0], text[1]))
	}, name, value)
}

// InheritEnv sets the environment variables that this process has.
func (c *WasiConfig) InheritEnv() {
	for _, variable := range syscall.Environ() {
		if name, value, ok := strings.Cut(variable, "="); ok && name != "" {
			c.SetEnv(name, value)
		}
	}
}

// SetStdin has standard input read from r, when the guest reads. An error of r other than io.EOF is one for the guest.
func (c *WasiConfig) SetStdin(r io.Reader) { c.setReader(r) }

// SetStdout passes what the guest writes to standard output to w.
func (c *WasiConfig) SetStdout(w io.Writer) { c.setWriter(C.WASMRT_WASI_STDOUT, w) }

// SetStderr passes what the guest writes to standard error to w.
func (c *WasiConfig) SetStderr(w io.Writer) { c.setWriter(C.WASMRT_WASI_STDERR, w) }

func (c *WasiConfig) setReader(r io.Reader) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		s.streams = append(s.streams, stream{reader: r})
		return bool(C.wasmrtgo_wasi_reader(config, C.uintptr_t(s.core.index), C.uintptr_t(len(s.streams)-1)))
	})
}

func (c *WasiConfig) setWriter(number C.wasmrt_wasi_stream_t, w io.Writer) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		s.streams = append(s.streams, stream{writer: w})
		return bool(C.wasmrtgo_wasi_writer(config, number, C.uintptr_t(s.core.index), C.uintptr_t(len(s.streams)-1)))
	})
}

func (c *WasiConfig) inherit(number C.wasmrt_wasi_stream_t) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		return bool(C.wasmrt_wasi_config_inherit(config, number))
	})
}

// InheritStdin connects standard input to that of this process.
func (c *WasiConfig) InheritStdin() { c.inherit(C.WASMRT_WASI_STDIN) }

// InheritStdout connects standard output to that of this process.
func (c *WasiConfig) InheritStdout() { c.inherit(C.WASMRT_WASI_STDOUT) }

// InheritStderr connects standard error to that of this process.
func (c *WasiConfig) InheritStderr() { c.inherit(C.WASMRT_WASI_STDERR) }

func (c *WasiConfig) setFile(number C.wasmrt_wasi_stream_t, path string) {
	c.setStrings(func(config *C.wasmrt_wasi_config_t, text []*C.char) bool {
		return bool(C.wasmrt_wasi_config_file(config, number, text[0], false))
	}, path)
}

// SetStdinFile connects standard input to a file.
func (c *WasiConfig) SetStdinFile(path string) { c.setFile(C.WASMRT_WASI_STDIN, path) }

// SetStdoutFile connects standard output to a file, which is written anew.
func (c *WasiConfig) SetStdoutFile(path string) { c.setFile(C.WASMRT_WASI_STDOUT, path) }

// SetStderrFile connects standard error to a file, which is written anew.
func (c *WasiConfig) SetStderrFile(path string) { c.setFile(C.WASMRT_WASI_STDERR, path) }

// PreopenDir gives the guest the directory host, and everything beneath it. The guest calls it guest, such as "/data",
// or "." for its current directory.
func (c *WasiConfig) PreopenDir(host, guest string, access Access) {
	c.setStrings(func(config *C.wasmrt_wasi_config_t, text []*C.char) bool {
		return bool(C.wasmrt_wasi_config_preopen(config, text[0], text[1], C.wasmrt_wasi_access_t(access)))
	}, host, guest)
}

// SetRandomSeed has random bytes computed from a seed. They are not for secrets.
func (c *WasiConfig) SetRandomSeed(seed uint64) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		return bool(C.wasmrt_wasi_config_random_seed(config, C.uint64_t(seed)))
	})
}

// SetMaxDescriptors limits how many descriptors are open at a time.
func (c *WasiConfig) SetMaxDescriptors(number uint64) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		return bool(C.wasmrt_wasi_config_limit(config, C.WASMRT_WASI_LIMIT_DESCRIPTORS, C.uint64_t(number)))
	})
}

// SetMaxFileBytes limits how many bytes the guest writes to files in all.
func (c *WasiConfig) SetMaxFileBytes(bytes uint64) {
	c.set(func(config *C.wasmrt_wasi_config_t, s *Store) bool {
		return bool(C.wasmrt_wasi_config_limit(config, C.WASMRT_WASI_LIMIT_FILE_BYTES, C.uint64_t(bytes)))
	})
}

// SetWasi gives the guests of the store what the configuration says: for Linker.DefineWasi. Files and directories are
// opened now. A second call replaces what the first gave, for linkers that use it later.
func (s *Store) SetWasi(config *WasiConfig) error {
	if config == nil {
		return misuse("the WASI configuration is nil; NewWasiConfig makes an empty one")
	}
	if config.err != nil {
		return config.err
	}
	return s.do(func() bool {
		c := C.wasmrt_wasi_config_new()
		defer C.wasmrt_wasi_config_delete(c)
		for _, set := range config.settings {
			if !set(c, s) {
				return false
			}
		}
		ptr := C.wasmrt_wasi_new(s.core.ptr, c)
		if ptr == nil {
			return false
		}
		if s.wasi != nil {
			s.wasi.guard.entry.free()
		}
		s.wasi = &object{s, s.add(unsafe.Pointer(ptr), deleteWasi), "WASI context"}
		return true
	})
}

func deleteWasi(ptr unsafe.Pointer) { C.wasmrt_wasi_delete((*C.wasmrt_wasi_t)(ptr)) }

var errNoWasi = misuse("the store has no WASI; call Store.SetWasi first")

// DefineWasi defines the functions of WASI preview 1, with what Store.SetWasi has given.
func (l *Linker) DefineWasi() error {
	none := false
	err := l.call(func(linker *C.wasmrt_linker_t) bool {
		if none = l.store.wasi == nil; none {
			return true
		}
		return bool(C.wasmrt_linker_define_wasi(linker, (*C.wasmrt_wasi_t)(l.store.wasi.guard.entry.ptr)))
	})
	if none {
		return errNoWasi
	}
	return err
}

// RunWasi runs a WASI program: calls its _start, or else its _initialize. It returns nil if the program ended with
// status 0, an *ExitError if it ended with another, and a *Trap if it trapped.
func (i *Instance) RunWasi() error { return i.store.run(i.runWasi) }

// runWasi runs a WASI program in the store, which is in use.
func (i *Instance) runWasi() error {
	s := i.store
	ptr, err := i.in(s)
	if err != nil {
		return err
	}
	if s.wasi == nil {
		return errNoWasi
	}
	var status C.int32_t
	wasi := (*C.wasmrt_wasi_t)(s.wasi.guard.entry.ptr)
	if trap := C.wasmrt_wasi_start(wasi, (*C.wasm_instance_t)(ptr), &status); trap != nil {
		err = s.takeTrap(trap)
	} else if status != 0 {
		err = &ExitError{Status: int32(status)}
	}
	runtime.KeepAlive(i)
	return err
}

// RunWasiContext runs a WASI program as RunWasi does. The context stops it as it does Func.CallContext.
func (i *Instance) RunWasiContext(ctx context.Context) error {
	return i.store.during(ctx, i.runWasi)
}

// errorNumber returns what a guest gets for an error of a stream.
func errorNumber(err error) C.ptrdiff_t {
	var number syscall.Errno
	if errors.As(err, &number) && number > 0 {
		return -C.ptrdiff_t(number)
	}
	if errors.Is(err, io.ErrClosedPipe) {
		return -C.ptrdiff_t(syscall.EPIPE)
	}
	return -C.ptrdiff_t(syscall.EIO)
}

// transfer calls f as a host function. A panic goes on when the guest has returned.
func transfer(env *C.wasmrtgo_env_t, size C.size_t, f func(stream) (int, error)) (n C.ptrdiff_t) {
	s := coreOf(uintptr(env.store)).owner.Load()
	stream := s.streams[env.id]
	level := s.beginCallback()
	finished := false
	defer func() {
		if !finished {
			value := recover()
			if value == nil {
				C.wasm_trap_delete(s.lose())
				n = -C.ptrdiff_t(syscall.EIO)
				return
			}
			s.panics = append(s.panics, value)
			n = -C.ptrdiff_t(syscall.EIO)
		}
		if s.endCallback(level) != nil {
			n = -C.ptrdiff_t(syscall.EIO)
		}
	}()
	count, err := f(stream)
	n = C.ptrdiff_t(count)
	if count == 0 && err != nil && err != io.EOF {
		n = errorNumber(err)
	} else if count < 0 || C.size_t(count) > size {
		n = -C.ptrdiff_t(syscall.EIO)
	}
	finished = true
	return
}

//export wasmrtGoRead
func wasmrtGoRead(env *C.wasmrtgo_env_t, to unsafe.Pointer, size C.size_t) C.ptrdiff_t {
	return transfer(env, size, func(s stream) (int, error) {
		// A reader may give nothing without an error, which is not the end.
		for {
			n, err := s.reader.Read(unsafe.Slice((*byte)(to), int(size)))
			if n > 0 || err != nil {
				return n, err
			}
			runtime.Gosched()
		}
	})
}

//export wasmrtGoWrite
func wasmrtGoWrite(env *C.wasmrtgo_env_t, from unsafe.Pointer, size C.size_t) C.ptrdiff_t {
	return transfer(env, size, func(s stream) (int, error) {
		return s.writer.Write(unsafe.Slice((*byte)(from), int(size)))
	})
}
