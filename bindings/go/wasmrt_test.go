package wasmrt

import "testing"

func wat(t testing.TB, text string) []byte {
	t.Helper()
	binary, err := Wat2Wasm(text)
	must(t, err)
	return binary
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// guest is an instance of a module in a store of its own.
type guest struct {
	*Instance
	engine *Engine
	store  *Store
	linker *Linker
}

// load instantiates a module. define says what it may import.
func load(t testing.TB, config *Config, text string, define func(*Linker)) guest {
	t.Helper()
	engine, err := NewEngineWithConfig(config)
	must(t, err)
	store, err := NewStore(engine)
	must(t, err)
	module, err := NewModule(engine, wat(t, text))
	must(t, err)
	linker, err := NewLinker(store)
	must(t, err)
	if define != nil {
		define(linker)
	}
	instance, err := linker.Instantiate(module)
	must(t, err)
	return guest{instance, engine, store, linker}
}

func TestCall(t *testing.T) {
	g := load(t, NewConfig(), `(module (func (export "add") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1))))`, nil)
	sum, err := g.GetFunc("add").Call(1, int32(2))
	must(t, err)
	if sum != int32(3) {
		t.Fatalf("%v", sum)
	}
}
