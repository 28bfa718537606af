// Package wasmrt runs WebAssembly in Go programs, with libwasmrt: on wasmtime, a compiler, or on wasmi, an
// interpreter. The engine is chosen at run time.
//
// An Engine compiles modules. A Store holds everything that belongs to one guest: instances, functions, memories. A
// Linker says what the guest may import.
//
//	engine, err := wasmrt.NewEngine()
//	store, err := wasmrt.NewStore(engine)
//	module, err := wasmrt.NewModule(engine, binary)
//	instance, err := wasmrt.NewLinker(store).Instantiate(module)
//	sum, err := instance.GetFunc("add").Call(1, 2)
//
// # Errors
//
// What fails returns an *Error, which has a kind, or, if a guest trapped, a *Trap, which has a code and frames. A guest
// that ends its program gives an *ExitError. Find them with errors.As. An error that a host function returns comes out
// of the call into the guest: errors.Is and errors.As find it. A panic of a host function comes out as that panic.
//
// # Goroutines
//
// Engines and modules may be used by any number of goroutines at once. A store, and everything in it, may be used by
// one at a time, not always the same one. A second one gets an error that is ErrBusy. Host functions run on the
// goroutine that called the guest, and may use the store.
//
// # Freeing
//
// Everything is freed when it can no longer be reached. Close frees it at once. Closing a store closes what is in it;
// after that, all of it gives errors that are ErrClosed. The functions and instances of a guest live as long as its
// store.
//
// A host function must not end its goroutine with runtime.Goexit, as the FailNow of a test does: the store cannot be
// used, or freed, after that.
package wasmrt
