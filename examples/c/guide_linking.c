// Linking by name: one module's exports and a host function become what other modules import.

#include "example.h"

#define NAME(text) (text), strlen(text)

static const char library_text[] =
    "(module (func (export \"square\") (param i32) (result i32)"
    "  (i32.mul (local.get 0) (local.get 0))))";

static const char program_text[] =
    "(module"
    "  (import \"host\" \"print\" (func $print (param i32)))"
    "  (import \"math\" \"square\" (func $square (param i32) (result i32)))"
    "  (func (export \"run\") (call $print (call $square (i32.const 7)))))";

// Imports what nobody defines: one name is misspelt.
static const char misspelt_text[] =
    "(module (import \"math\" \"sqare\" (func (param i32) (result i32))))";

static wasm_trap_t* print(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env;
  (void)results;
  printf("%d\n", args->data[0].of.i32);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasmrt_linker_t* linker = wasmrt_linker_new(store);
  if (!linker) fail("cannot create the linker");

  // A host function, and all exports of an instance under the name of a module.
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  if (!wasmrt_linker_define_func(linker, NAME("host"), NAME("print"), type, print, NULL, NULL))
    fail("cannot define the host function");
  wasm_functype_delete(type);
  wasm_module_t* library = new_module(store, library_text);
  wasm_instance_t* math = wasmrt_linker_instantiate(linker, library, NULL);
  if (!math || !wasmrt_linker_define_instance(linker, NAME("math"), math))
    fail("cannot define the library");

  // Imports are found once; then each instance costs only what the engine takes.
  wasm_module_t* program = new_module(store, program_text);
  wasmrt_instance_pre_t* prepared = wasmrt_linker_prepare(linker, program);
  if (!prepared) fail("cannot link the program");
  for (int i = 0; i < 2; ++i) {
    wasm_instance_t* instance = wasmrt_instance_pre_instantiate(prepared, NULL);
    if (!instance) fail("cannot instantiate the program");
    wasm_func_t* run = func_named(instance, "run");
    call(run, NULL, NULL);
    wasm_func_delete(run);
    wasm_instance_delete(instance);
  }

  wasm_module_t* misspelt = new_module(store, misspelt_text);
  if (!wasmrt_linker_prepare(linker, misspelt)) printf("%s\n", wasmrt_last_error_message());

  wasm_module_delete(misspelt);
  wasmrt_instance_pre_delete(prepared);
  wasm_module_delete(program);
  wasm_instance_delete(math);
  wasm_module_delete(library);
  wasmrt_linker_delete(linker);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
