// Fuel: a guest gets a number of instructions, and can get more.

#include "example.h"

static const char text[] =
    "(module (func (export \"count\") (param $n i32)"
    "  (loop $again"
    "    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))";

int main(void) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_fuel(config, true)) fail("cannot turn fuel on");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* count = func_named(instance, "count");

  // Each call uses fuel from the store's account. What it does not use stays there.
  wasm_val_t arguments[] = {WASM_I32_VAL(10000)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_EMPTY_VEC;
  if (!wasmrt_store_set_fuel(store, 1000)) fail("cannot set fuel");
  wasm_trap_t* trap = wasm_func_call(count, &args, &results);
  while (trap && wasmrt_trap_code(trap) == WASMRT_TRAP_OUT_OF_FUEL) {
    // The guest's call is lost; the store remains usable.
    print_trap(stdout, "count to 10000", trap);
    if (!wasmrt_store_add_fuel(store, 500000)) fail("cannot add fuel");
    trap = wasm_func_call(count, &args, &results);
  }
  if (trap) stop("the call trapped for another reason");

  uint64_t left = 0, consumed = 0;
  if (!wasmrt_store_fuel(store, &left) || !wasmrt_store_fuel_consumed(store, &consumed)) {
    fail("cannot get the fuel");
  }
  fprintf(stderr, "%llu consumed\n", (unsigned long long)consumed); // depends on the backend
  printf("counted; consumed and left are what was given: %s\n",
         left + consumed == 501000 ? "yes" : "no");

  wasm_func_delete(count);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
