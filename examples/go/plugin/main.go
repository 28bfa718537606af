// A plug-in that works on a text in its memory, with host functions that know it, fail, and panic.
package main

import (
	"errors"
	"fmt"
	"log"
	"strings"

	"wasmrt"
)

const text = `(module
  (import "host" "upper" (func $upper (param i32 i32)))
  (import "host" "check" (func $check (param externref)))
  (memory (export "memory") 1)
  (func (export "shout") (param $at i32) (param $size i32)
    (call $upper (local.get $at) (local.get $size)))
  (func (export "check") (param externref) (call $check (local.get 0))))`

type ticket struct{ owner string }

var errNotInvited = errors.New("not invited")

func run() error {
	engine, err := wasmrt.NewEngine()
	if err != nil {
		return err
	}
	defer engine.Close()
	store, err := wasmrt.NewStore(engine)
	if err != nil {
		return err
	}
	defer store.Close() // and everything in it
	binary, err := wasmrt.Wat2Wasm(text)
	if err != nil {
		return err
	}
	module, err := wasmrt.NewModule(engine, binary)
	if err != nil {
		return err
	}
	defer module.Close()

	linker, err := wasmrt.NewLinker(store)
	if err != nil {
		return err
	}
	// A *Caller leads to the memory of whoever calls.
	err = linker.DefineFunc("host", "upper", func(caller *wasmrt.Caller, at, size int32) error {
		memory := caller.Memory()
		if uint64(uint32(at))+uint64(uint32(size)) > uint64(len(memory)) {
			return errors.New("the text is not in the memory")
		}
		part := memory[uint32(at) : uint32(at)+uint32(size)]
		copy(part, strings.ToUpper(string(part)))
		return nil
	})
	if err != nil {
		return err
	}
	// Any value of Go goes through WebAssembly as an externref.
	err = linker.DefineFunc("host", "check", func(t *ticket) error {
		if t == nil {
			panic("nobody is there")
		}
		if t.owner != "Ada" {
			return fmt.Errorf("%s is %w", t.owner, errNotInvited)
		}
		return nil
	})
	if err != nil {
		return err
	}
	instance, err := linker.Instantiate(module)
	if err != nil {
		return err
	}

	memory := instance.GetMemory("memory")
	if _, err := memory.WriteAt([]byte("hello"), 100); err != nil {
		return err
	}
	shout := instance.GetFunc("shout")
	if _, err := shout.Call(100, 5); err != nil {
		return err
	}
	fmt.Println(string(memory.Data()[100:105]))
	_, err = shout.Call(100, 1<<20)
	fmt.Println("refused:", err.(*wasmrt.Trap).Message())

	check := instance.GetFunc("check")
	if _, err := check.Call(&ticket{"Ada"}); err != nil {
		return err
	}
	_, err = check.Call(&ticket{"Bob"})
	fmt.Println(errors.Is(err, errNotInvited), err.(*wasmrt.Trap).Message())
	defer func() { fmt.Println("panic:", recover()) }()
	_, err = check.Call(nil)
	return err
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
