package wasmrt

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const wasiImports = `
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $print (param $to i32) (param $at i32) (param $size i32) (result i32)
    (i32.store (i32.const 0) (local.get $at))
    (i32.store (i32.const 4) (local.get $size))
    (call $write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8)))`

// wasi makes an instance that WASI is defined for.
func wasi(t testing.TB, config *WasiConfig, start string) guest {
	t.Helper()
	return load(t, interruptible(), "(module"+wasiImports+`(func (export "_start")`+start+"))", func(l *Linker) {
		must(t, l.Store().SetWasi(config))
		must(t, l.DefineWasi())
	})
}

// copyIn copies standard input to standard output, and exits with an error number.
const copyIn = `(local $error i32)
  (loop $again
    (i32.store (i32.const 0) (i32.const 1000))
    (i32.store (i32.const 4) (i32.const 7))
    (local.set $error (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (if (local.get $error) (then (call $exit (local.get $error))))
    (if (i32.load (i32.const 8))
      (then
        (local.set $error (call $print (i32.const 1) (i32.const 1000) (i32.load (i32.const 8))))
        (if (local.get $error) (then (call $exit (local.get $error))))
        (br $again))))`

func TestWasiStreams(t *testing.T) {
	var out bytes.Buffer
	config := NewWasiConfig()
	config.SetStdin(strings.NewReader("what goes in comes out"))
	config.SetStdout(&out)
	g := wasi(t, config, copyIn)
	must(t, g.RunWasi())
	if out.String() != "what goes in comes out" {
		t.Error(out.String())
	}
	// A configuration may be used again; here its reader is at its end.
	g = wasi(t, config, copyIn)
	must(t, g.RunWasi())
	if out.Len() != 22 {
		t.Error(out.String())
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error)  { return 0, b.err }
func (b broken) Write([]byte) (int, error) { return 0, b.err }

func TestWasiBrokenStreams(t *testing.T) {
	for _, test := range []struct {
		err    error
		status int32
	}{{errors.New("broken"), 29 /* io */}, {io.ErrClosedPipe, 64 /* pipe */}, {os.ErrPermission, 29}} {
		config := NewWasiConfig()
		config.SetStdin(strings.NewReader("text"))
		config.SetStdout(broken{test.err})
		var exit *ExitError
		if err := wasi(t, config, copyIn).RunWasi(); !errors.As(err, &exit) || exit.Status != test.status {
			t.Errorf("%v: %v", test.err, err)
		}
		config.SetStdin(broken{test.err})
		if err := wasi(t, config, copyIn).RunWasi(); !errors.As(err, &exit) || exit.Status != test.status {
			t.Errorf("%v: %v", test.err, err)
		}
	}
}

type panicking struct{}

func (panicking) Read([]byte) (int, error) { panic("while it reads") }

func TestWasiPanic(t *testing.T) {
	config := NewWasiConfig()
	config.SetStdin(panicking{})
	g := wasi(t, config, copyIn)
	for i := 0; i < 2; i++ {
		func() {
			defer func() {
				if value := recover(); value != "while it reads" {
					t.Fatal(value)
				}
			}()
			g.RunWasi()
		}()
	}
}

func TestWasiArgumentsAndEnvironment(t *testing.T) {
	t.Setenv("WASI_TEST_VARIABLE", "inherited")
	var out bytes.Buffer
	config := NewWasiConfig()
	config.SetArgs("program", "argument")
	config.SetEnv("name", "value")
	config.SetStdout(&out)
	print := `(drop (call $args_sizes (i32.const 100) (i32.const 104)))
	  (drop (call $args (i32.const 200) (i32.const 1000)))
	  (drop (call $print (i32.const 1) (i32.const 1000) (i32.load (i32.const 104))))
	  (drop (call $environ_sizes (i32.const 100) (i32.const 104)))
	  (drop (call $environ (i32.const 4000) (i32.const 16000)))
	  (drop (call $print (i32.const 1) (i32.const 16000) (i32.load (i32.const 104))))`
	must(t, wasi(t, config, print).RunWasi())
	if out.String() != "program\x00argument\x00name=value\x00" {
		t.Errorf("%q", out.String())
	}
	config.InheritEnv()
	must(t, wasi(t, config, print).RunWasi())
	if !strings.Contains(out.String(), "WASI_TEST_VARIABLE=inherited\x00") {
		t.Errorf("%q", out.String())
	}
}

func TestWasiExit(t *testing.T) {
	var exit *ExitError
	g := wasi(t, NewWasiConfig(), "(call $exit (i32.const 3))")
	if err := g.RunWasi(); !errors.As(err, &exit) || exit.Status != 3 {
		t.Error(err)
	}
	if _, err := g.GetFunc("_start").Call(); !errors.As(err, &exit) || exit.Status != 3 || trapOf(t, err).Code() != TrapExit {
		t.Error(err)
	}
	must(t, wasi(t, NewWasiConfig(), "(call $exit (i32.const 0))").RunWasi())
	if err := wasi(t, NewWasiConfig(), "unreachable").RunWasi(); trapOf(t, err).Code() != TrapUnreachable {
		t.Error(err)
	}
}

func TestWasiFiles(t *testing.T) {
	directory := t.TempDir()
	must(t, os.WriteFile(filepath.Join(directory, "file"), []byte("contents"), 0o600))
	open := `(i64.store (i32.const 1000) (i64.const 0x656c6966)) (; "file" ;)
	  (drop (call $open (i32.const 3) (i32.const 0) (i32.const 1000) (i32.const 4) (i32.const 0)
	    (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 100)))
	  (i32.store (i32.const 0) (i32.const 2000)) (i32.store (i32.const 4) (i32.const 100))
	  (drop (call $read (i32.load (i32.const 100)) (i32.const 0) (i32.const 1) (i32.const 8)))
	  (drop (call $print (i32.const 1) (i32.const 2000) (i32.load (i32.const 8))))`
	config := NewWasiConfig()
	config.PreopenDir(directory, "/data", ReadOnly)
	to := filepath.Join(directory, "out")
	config.SetStdoutFile(to)
	must(t, wasi(t, config, open).RunWasi())
	if text, err := os.ReadFile(to); err != nil || string(text) != "contents" {
		t.Error(string(text), err)
	}

	store, err := NewStore(wasi(t, config, "").engine)
	must(t, err)
	missing := NewWasiConfig()
	missing.PreopenDir(filepath.Join(directory, "nothing"), ".", ReadWrite)
	if err := store.SetWasi(missing); KindOf(err) != ErrorFile || !strings.Contains(err.Error(), "nothing") {
		t.Error(err)
	}
	if err := store.SetWasi(nil); KindOf(err) != ErrorMisuse {
		t.Error(err)
	}
	linker, err := NewLinker(store)
	must(t, err)
	if err := linker.DefineWasi(); err == nil || !strings.Contains(err.Error(), "SetWasi") {
		t.Error(err)
	}
	few := NewWasiConfig()
	few.SetMaxDescriptors(1)
	few.SetMaxFileBytes(10)
	few.SetRandomSeed(1)
	if err := store.SetWasi(few); err == nil {
		t.Error("fewer descriptors than there are")
	}
}

func TestWasiContext(t *testing.T) {
	g := wasi(t, NewWasiConfig(), "(loop $again (br $again))")
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	if err := g.RunWasiContext(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	none := load(t, NewConfig(), "(module)", nil)
	if err := none.RunWasi(); err == nil || !strings.Contains(err.Error(), "SetWasi") {
		t.Error(err)
	}
	must(t, none.store.SetWasi(NewWasiConfig()))
	if err := none.RunWasi(); err == nil {
		t.Error("ran nothing")
	}
}
