// The smallest complete program: C calls a WebAssembly function, which calls back a C function.
//
//   ./hello                          on the default engine
//   WASMRT_BACKEND=wasmi ./hello     the same binary on the other one

#include <stdio.h>
#include <string.h>
#include <wasm.h>
#include <wasmrt.h> // only for the text format, the engine's name and the last error

static const char text[] =
    "(module"
    "  (import \"host\" \"add\" (func $add (param i32 i32) (result i32)))"
    "  (func (export \"add_and_double\") (param i32 i32) (result i32)"
    "    (i32.mul (call $add (local.get 0) (local.get 1)) (i32.const 2))))";

// Every function of the library that fails leaves a message that says why.
static int failed(const char* what) {
  const char* reason = wasmrt_last_error_message();
  fprintf(stderr, "error: %s: %s\n", what, reason ? reason : "no reason given");
  return 1;
}

// A host function: wasm calls it as its import "host" "add". The library has already checked the
// number and kinds of the arguments against the declared type, and checks the results in the same
// way.
static wasm_trap_t* add(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  int32_t sum = args->data[0].of.i32 + args->data[1].of.i32;
  printf("hello from C: wasm asks for %d + %d\n", args->data[0].of.i32, args->data[1].of.i32);
  results->data[0] = (wasm_val_t)WASM_I32_VAL(sum);
  return NULL; // no trap: continue
}

int main(void) {
  // An engine compiles code; threads may share it. A store holds everything that runs.
  wasm_engine_t* engine = wasm_engine_new();
  if (!engine) return failed("cannot create the engine");
  fprintf(stderr, "running on %s\n", wasmrt_engine_backend_name(engine));
  wasm_store_t* store = wasm_store_new(engine);
  if (!store) return failed("cannot create the store");

  // A module is compiled once, from a binary. Here the binary is first made from text.
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(text, strlen(text), &binary)) return failed("cannot read the text");
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  if (!module) return failed("cannot compile the module");

  // The host function and its type. wasm_func_new only reads the type, so delete it afterwards.
  wasm_functype_t* type =
      wasm_functype_new_2_1(wasm_valtype_new_i32(), wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host_add = wasm_func_new(store, type, add);
  wasm_functype_delete(type);
  if (!host_add) return failed("cannot create the host function");

  // An instance is a module with its imports filled in, in the order the module declares them.
  wasm_extern_t* externs[] = {wasm_func_as_extern(host_add)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return failed("cannot instantiate the module");

  // Exports are in declared order too. wasm_extern_as_func returns a view, not a new object.
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_func_t* add_and_double = exports.size > 0 ? wasm_extern_as_func(exports.data[0]) : NULL;
  if (!add_and_double) return failed("cannot find the exported function");

  wasm_val_t arguments[] = {WASM_I32_VAL(19), WASM_I32_VAL(2)};
  wasm_val_t answers[1];
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_trap_t* trap = wasm_func_call(add_and_double, &args, &results);
  if (trap) {
    wasm_trap_delete(trap);
    return failed("the call trapped");
  }
  printf("hello from wasm: twice that is %d\n", answers[0].of.i32);

  // Everything that the program created or owns is deleted, in any order.
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host_add);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
