// The fast forms: a call for each row of columns, calls without conversion, and a host function without reflection.
package main

import (
	"fmt"
	"log"

	"wasmrt"
)

const text = `(module
  (import "host" "rate" (func $rate (param i32) (result f64)))
  (func (export "price") (param $amount i32) (param $each f64) (result f64)
    (f64.mul (f64.mul (f64.convert_i32_s (local.get $amount)) (local.get $each)) (call $rate (local.get $amount)))))`

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

	// A raw host function finds its arguments where its result goes.
	ty := wasmrt.NewFuncType([]wasmrt.ValType{wasmrt.I32}, []wasmrt.ValType{wasmrt.F64})
	rate, err := wasmrt.NewRawFunc(store, ty, func(values []wasmrt.Raw) error {
		if values[0].I32() >= 10 {
			values[0].SetF64(0.5)
		} else {
			values[0].SetF64(1)
		}
		return nil
	})
	if err != nil {
		return err
	}
	instance, err := wasmrt.NewInstance(store, module, []wasmrt.AsExtern{rate})
	if err != nil {
		return err
	}
	price := instance.GetFunc("price")

	amounts, each, prices := []int32{1, 5, 10}, []float64{2, 3, 4}, make([]float64, 3)
	rows, err := price.CallBatch(3, []any{amounts, each}, []any{prices})
	if err != nil {
		return err
	}
	fmt.Println(rows, prices)

	values := make([]wasmrt.Raw, 2) // may be used again and again
	values[0].SetI32(20)
	values[1].SetF64(1.5)
	if err := price.CallRaw(values); err != nil {
		return err
	}
	fmt.Println(values[0].F64())
	return nil
}

func main() {
	if err := run(); err != nil {
		log.Fatal(err)
	}
}
