// A program for WASI: with an argument, a reader as its standard input and a buffer as its output.
package main

import (
	"bytes"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"

	"wasmrt"
)

// Writes its arguments' number to standard output, copies standard input there, and exits with 3.
const text = `(module
  (import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes_get (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "? arguments, and: ")
  (func $write (param $from i32) (param $size i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))
  (func (export "_start")
    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))
    (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load (i32.const 16))))
    (call $write (i32.const 64) (i32.const 18))
    (i32.store (i32.const 0) (i32.const 128))
    (i32.store (i32.const 4) (i32.const 100))
    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
    (call $write (i32.const 128) (i32.load (i32.const 8)))
    (call $proc_exit (i32.const 3))))`

func run() error {
	engine, err := wasmrt.NewEngine()
	if err != nil {
		return err
	}
	store, err := wasmrt.NewStore(engine)
	if err != nil {
		return err
	}

	// What the guest is given: nothing but this.
	var output bytes.Buffer
	config := wasmrt.NewWasiConfig()
	config.SetArgs("program", "--verbose")
	config.SetStdin(strings.NewReader("some input\n"))
	config.SetStdout(&output)
	config.PreopenDir(os.TempDir(), "/tmp", wasmrt.ReadOnly)
	if err := store.SetWasi(config); err != nil {
		return err
	}

	linker, err := wasmrt.NewLinker(store)
	if err != nil {
		return err
	}
	if err := linker.DefineWasi(); err != nil {
		return err
	}
	binary, err := wasmrt.Wat2Wasm(text) // or wasmrt.NewModuleFromFile
	if err != nil {
		return err
	}
	module, err := wasmrt.NewModule(engine, binary)
	if err != nil {
		return err
	}
	instance, err := linker.Instantiate(module)
	if err != nil {
		return err
	}

	var exit *wasmrt.ExitError
	err = instance.RunWasi()
	if !errors.As(err, &exit) {
		return fmt.Errorf("it did not exit: %w", err)
	}
	fmt.Print(output.String())
	fmt.Println("exit status", exit.Status)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
