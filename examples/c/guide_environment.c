// The environment: an operator sets what the program leaves open. This program plays both roles.

#define _POSIX_C_SOURCE 200809L // for setenv
#include "example.h"

static const char text[] =
    "(module (global $depth (export \"depth\") (mut i32) (i32.const 0))"
    "  (func $dive (export \"dive\")"
    "    (global.set $depth (i32.add (global.get $depth) (i32.const 1)))"
    "    (call $dive)))";

// Returns how deep calls nest on a new engine. The program sets the stack to `bytes`, unless that
// is 0.
static int32_t depth(size_t bytes) {
  wasm_config_t* config = wasm_config_new();
  if (bytes && !wasmrt_config_set_max_wasm_stack(config, bytes)) fail("cannot set the stack");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* dive = func_named(instance, "dive");
  wasm_extern_t* global = wasmrt_instance_export(instance, "depth", strlen("depth"));
  if (!global) stop("the module does not export its depth");
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(dive, &none, &none);
  if (!trap || wasmrt_trap_code(trap) != WASMRT_TRAP_STACK_EXHAUSTED) stop("no such trap");
  wasm_trap_delete(trap);
  wasm_val_t value;
  wasm_global_get(wasm_extern_as_global(global), &value);
  wasm_extern_delete(global);
  wasm_func_delete(dive);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return value.of.i32;
}

int main(void) {
  int32_t usual = depth(0);
  setenv("WASMRT_MAX_WASM_STACK", "65536", 1);
  int32_t operators = depth(0), programs = depth(256 * 1024);
  printf("the operator's 64 KiB are less than usual: %s\n", operators < usual ? "yes" : "no");
  printf("the program's 256 KiB take precedence: %s\n", programs > operators ? "yes" : "no");

  // With an invalid value, the next engine cannot be created.
  setenv("WASMRT_MAX_WASM_STACK", "a lot", 1);
  if (wasm_engine_new()) stop("an invalid variable was accepted");
  printf("%s\n", wasmrt_last_error_message());
  return 0;
}
