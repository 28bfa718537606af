package wasmrt_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"runtime"
	"time"

	"wasmrt"
)

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// instantiate makes an instance of a module in the text format.
func instantiate(config *wasmrt.Config, text string, define func(*wasmrt.Linker)) *wasmrt.Instance {
	engine, err := wasmrt.NewEngineWithConfig(config)
	check(err)
	store, err := wasmrt.NewStore(engine)
	check(err)
	binary, err := wasmrt.Wat2Wasm(text)
	check(err)
	module, err := wasmrt.NewModule(engine, binary)
	check(err)
	linker, err := wasmrt.NewLinker(store)
	check(err)
	if define != nil {
		define(linker)
	}
	instance, err := linker.Instantiate(module)
	check(err)
	return instance
}

func Example() {
	engine, err := wasmrt.NewEngine()
	check(err)
	defer engine.Close()
	store, err := wasmrt.NewStore(engine)
	check(err)
	defer store.Close()
	binary, err := wasmrt.Wat2Wasm(`(module
	  (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`)
	check(err)
	module, err := wasmrt.NewModule(engine, binary)
	check(err)
	instance, err := wasmrt.NewInstance(store, module, nil)
	check(err)
	sum, err := instance.GetFunc("add").Call(1, 2)
	check(err)
	fmt.Println(sum)
	// Output: 3
}

func ExampleLinker_DefineFunc() {
	instance := instantiate(wasmrt.NewConfig(), `(module (import "host" "print" (func $print (param i32 i32)))
	  (memory (export "memory") 1) (data (i32.const 8) "hello")
	  (func (export "run") (call $print (i32.const 8) (i32.const 5))))`, func(linker *wasmrt.Linker) {
		check(linker.DefineFunc("host", "print", func(caller *wasmrt.Caller, at, size int32) error {
			memory := caller.Memory()
			if uint64(uint32(at))+uint64(uint32(size)) > uint64(len(memory)) {
				return errors.New("beyond the memory")
			}
			fmt.Println(string(memory[uint32(at):][:uint32(size)]))
			return nil
		}))
	})
	_, err := instance.GetFunc("run").Call()
	check(err)
	// Output: hello
}

func ExampleTrap() {
	instance := instantiate(wasmrt.NewConfig(), `(module
	  (func (export "div") (param i32 i32) (result i32) (i32.div_s (local.get 0) (local.get 1))))`, nil)
	_, err := instance.GetFunc("div").Call(1, 0)
	var trap *wasmrt.Trap
	if errors.As(err, &trap) {
		fmt.Println(trap.Code(), "-", trap.Message())
	}
	// Output: integer-divide-by-zero - integer divide by zero
}

func ExampleFunc_CallContext() {
	config := wasmrt.NewConfig()
	config.SetInterruption(true)
	instance := instantiate(config, `(module (func (export "forever") (loop $again (br $again))))`, nil)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err := instance.GetFunc("forever").CallContext(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleFunc_CallRaw() {
	instance := instantiate(wasmrt.NewConfig(), `(module
	  (func (export "square") (param f64) (result f64) (f64.mul (local.get 0) (local.get 0))))`, nil)
	square := instance.GetFunc("square")
	values := make([]wasmrt.Raw, 1)
	values[0].SetF64(1.5)
	check(square.CallRaw(values))
	fmt.Println(values[0].F64())
	// Output: 2.25
}

func ExampleFunc_CallBatch() {
	instance := instantiate(wasmrt.NewConfig(), `(module
	  (func (export "double") (param i64) (result i64) (i64.add (local.get 0) (local.get 0))))`, nil)
	column := []int64{1, 2, 3}
	rows, err := instance.GetFunc("double").CallBatch(3, []any{column}, []any{column})
	check(err)
	fmt.Println(rows, column)
	// Output: 3 [2 4 6]
}

func ExampleMemory_Data() {
	instance := instantiate(wasmrt.NewConfig(), `(module (memory (export "memory") 1)
	  (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))`, nil)
	memory := instance.GetMemory("memory")
	data := memory.Data()
	data[7] = 42
	value, err := instance.GetFunc("get").Call(7)
	check(err)
	fmt.Println(value, data[7])
	runtime.KeepAlive(memory) // data is used up to here
	// Output: 42 42
}
