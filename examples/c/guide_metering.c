// Metering: what a guest may do, priced by the host.

#include "example.h"

static const char text[] =
    "(module (func (export \"sum\") (param $n i32) (result i32) (local $sum i32)"
    "  (loop $next"
    "    (local.set $sum (i32.add (local.get $sum) (local.get $n)))"
    "    (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))"
    "  (local.get $sum)))";

// Additions and subtractions cost a point each; everything else is free.
static uint64_t price(void* env, uint32_t opcode) {
  (void)env;
  return opcode == 0x6a || opcode == 0x6b; // i32.add, i32.sub
}

static uint64_t points_of(const wasm_instance_t* instance) {
  static const char name[] = "wasmrt_points";
  wasm_extern_t* points = wasmrt_instance_export(instance, name, strlen(name));
  if (!points) stop("the instance has no points");
  wasm_val_t value;
  wasm_global_get(wasm_extern_as_global(points), &value);
  wasm_extern_delete(points);
  return (uint64_t)value.of.i64;
}

int main(void) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_metering(config, 1000, price, NULL, NULL)) fail("cannot set the metering");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* sum = func_named(instance, "sum");

  wasm_val_t argument = WASM_I32_VAL(100), result = WASM_INIT_VAL;
  wasm_val_vec_t args = {1, &argument}, results = {1, &result};
  call(sum, &args, &results);
  printf("the sum is %d, points left: %d\n", result.of.i32, (int)points_of(instance));

  // Not enough for a thousand rounds: the guest stops before the round that it cannot pay for.
  argument.of.i32 = 1000;
  wasm_trap_t* trap = wasm_func_call(sum, &args, &results);
  if (!trap) stop("the guest was not stopped");
  print_trap(stdout, "stopped", trap);
  printf("points left: %d\n", (int)points_of(instance));

  wasm_func_delete(sum);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
