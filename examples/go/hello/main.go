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

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	engine := must(wasmrt.NewEngine())
	store := must(wasmrt.NewStore(engine))
	module := must(wasmrt.NewModule(engine, must(wasmrt.Wat2Wasm(text))))

	linker := must(wasmrt.NewLinker(store))
	hello := func(n int32) { fmt.Println("WebAssembly says", n) }
	if err := linker.DefineFunc("host", "hello", hello); err != nil {
		log.Fatal(err)
	}
	instance := must(linker.Instantiate(module))
	fmt.Println("and its double is", must(instance.GetFunc("double").Call(21)))
}
