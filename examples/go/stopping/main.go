// A guest that does not end, stopped in three ways, and one that wants too much memory.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"wasmrt"
)

const text = `(module
  (memory (export "memory") 1)
  (func (export "forever") (loop $again (br $again)))
  (func (export "grow") (result i32) (memory.grow (i32.const 100))))`

func run() error {
	config := wasmrt.NewConfig()
	config.SetConsumeFuel(true)
	config.SetInterruption(true)
	engine, err := wasmrt.NewEngineWithConfig(config)
	if err != nil {
		return err
	}
	store, err := wasmrt.NewStore(engine)
	if err != nil {
		return err
	}
	if err := store.SetFuel(1_000_000); err != nil {
		return err
	}
	if err := store.SetLimit(wasmrt.StoreLimitMemoryBytes, 1<<20); err != nil {
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
	instance, err := wasmrt.NewInstance(store, module, nil)
	if err != nil {
		return err
	}
	forever := instance.GetFunc("forever")

	// By fuel: the same on every run.
	var trap *wasmrt.Trap
	_, err = forever.Call()
	if !errors.As(err, &trap) {
		return fmt.Errorf("it was not stopped: %w", err)
	}
	fmt.Println(trap.Code())

	// By a context: for the user who goes away.
	if err := store.SetFuel(wasmrt.Unlimited); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	_, err = forever.CallContext(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))

	// By a time that every call has.
	if err := store.SetCallTimeout(20 * time.Millisecond); err != nil {
		return err
	}
	_, err = forever.Call()
	if !errors.As(err, &trap) {
		return fmt.Errorf("it was not stopped: %w", err)
	}
	fmt.Println(trap.Code())

	pages, err := instance.GetFunc("grow").Call()
	fmt.Println(pages)
	return err
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
