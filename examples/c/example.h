// What the examples share, so that each shows only its own subject: ending the program with an
// error message, and the steps from WebAssembly text to an instance. hello.c does all of it by
// hand.

#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <stdio.h>
#include <stdlib.h>
#include <wasm.h>
#include <wasmrt.h>

// Prints what failed, with the library's reason, and ends the program.
_Noreturn static inline void fail(const char* what) {
  const char* reason = wasmrt_last_error_message();
  fprintf(stderr, "error: %s: %s\n", what, reason ? reason : "no reason given");
  exit(1);
}

// The same for errors that the program itself detects.
_Noreturn static inline void stop(const char* what) {
  fprintf(stderr, "error: %s\n", what);
  exit(1);
}

// Prints a trap's message, which ends with a zero, and deletes the trap.
static inline void print_trap(FILE* out, const char* what, wasm_trap_t* trap) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  fprintf(out, "%s: %s\n", what, message.data);
  wasm_name_delete(&message);
  wasm_trap_delete(trap);
}

static inline wasm_engine_t* new_engine(void) {
  wasm_engine_t* engine = wasm_engine_new();
  if (!engine) fail("cannot create the engine");
  return engine;
}

static inline wasm_store_t* new_store(wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  if (!store) fail("cannot create the store");
  return store;
}

static inline wasm_module_t* new_module(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(text, strlen(text), &binary)) fail("cannot read the module's text");
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  if (!module) fail("cannot compile the module");
  return module;
}

// `imports` are in the order in which the module declares them and remain the caller's; NULL for
// none.
static inline wasm_instance_t* new_instance(wasm_store_t* store, const wasm_module_t* module,
                                            const wasm_extern_vec_t* imports) {
  const wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, imports ? imports : &none, &trap);
  if (trap) {
    print_trap(stderr, "error: cannot instantiate the module", trap);
    exit(1);
  }
  if (!instance) fail("cannot instantiate the module");
  return instance;
}

// Returns the exported function at this index. It belongs to `exports`.
static inline wasm_func_t* exported_func(const wasm_extern_vec_t* exports, size_t index) {
  wasm_func_t* func = index < exports->size ? wasm_extern_as_func(exports->data[index]) : NULL;
  if (!func) stop("the module does not export this function");
  return func;
}

// Returns the export of this name, a function, own: it must be passed to `wasm_func_delete`.
static inline wasm_func_t* func_named(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  wasm_func_t* func = export ? wasm_extern_as_func(export) : NULL;
  if (!func) stop("the module does not export this function");
  return func;
}

// Makes a call that is not expected to trap. NULL means no arguments or no results.
static inline void call(const wasm_func_t* func, wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(func, args ? args : &none, results ? results : &none);
  if (trap) {
    print_trap(stderr, "error: the call trapped", trap);
    exit(1);
  }
}

#endif
