// A function of WebAssembly, which calls one of Go.
package main

import (
	"fmt"
	"log"

	"wasmrt"
)

const text = `(module
  (import "host" "hello" (func $hello (param i32)))
  (func (export "double") (param i32) (result i32)
    (call $hello (local.get 0))
    (i32.mul (local.get 0) (i32.const 2))))`

func run() error {
	engine, err := wasmrt.NewEngine()
	if err != nil {
		return err
	}
	store, err := wasmrt.NewStore(engine)
	if err != nil {
		return err
	}
	binary, err := wasmrt.Wat2Wasm(text)
	if err != nil {
		return err
	}
	module, err := wasmrt.NewModule(engine, binary)
	if err != nil {
		return err
	}

	linker, err := wasmrt.NewLinker(store)
	if err != nil {
		return err
	}
	err = linker.DefineFunc("host", "hello", func(n int32) { fmt.Println("WebAssembly says", n) })
	if err != nil {
		return err
	}
	instance, err := linker.Instantiate(module)
	if err != nil {
		return err
	}
	result, err := instance.GetFunc("double").Call(21)
	if err != nil {
		return err
	}
	fmt.Println("and its double is", result)
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
