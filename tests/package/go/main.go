// What a Go program outside this tree does with the package: a module, a host function, a call.
package main

import (
	"fmt"
	"log"

	"wasmrt"
)

const text = `(module
	(import "host" "add" (func $add (param i32 i32) (result i32)))
	(func (export "add_and_double") (param i32 i32) (result i32)
		(i32.mul (call $add (local.get 0) (local.get 1)) (i32.const 2))))`

func run() (any, error) {
	engine, err := wasmrt.NewEngine()
	if err != nil {
		return nil, err
	}
	store, err := wasmrt.NewStore(engine)
	if err != nil {
		return nil, err
	}
	binary, err := wasmrt.Wat2Wasm(text)
	if err != nil {
		return nil, err
	}
	module, err := wasmrt.NewModule(engine, binary)
	if err != nil {
		return nil, err
	}
	linker, err := wasmrt.NewLinker(store)
	if err != nil {
		return nil, err
	}
	if err := linker.FuncWrap("host", "add", func(a, b int32) int32 { return a + b }); err != nil {
		return nil, err
	}
	instance, err := linker.Instantiate(module)
	if err != nil {
		return nil, err
	}
	return instance.GetFunc("add_and_double").Call(int32(19), int32(2))
}

func main() {
	answer, err := run()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("hello from wasm: twice that is %v\n", answer)
}
