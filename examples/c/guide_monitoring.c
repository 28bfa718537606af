// Monitoring: what a store and an engine hold, and the log, which has problems that fail no call.

#include "example.h"

static const char text[] =
    "(module (memory 2) (table 10 funcref)"
    "  (func (export \"grow\") (result i32) (memory.grow (i32.const 100))))";

static void print_event(void* env, uint32_t level, const char* message) {
  ++*(int*)env;
  printf("%s: %s\n", level <= WASMRT_LOG_ERROR ? "error" : "warning", message);
}

static int modules(const wasm_engine_t* engine) {
  size_t count = 0;
  if (!wasmrt_engine_module_count(engine, &count)) fail("cannot count modules");
  return (int)count;
}

int main(void) {
  // One callback for the process. It may run on several threads at once; this program has only one.
  int events = 0;
  wasmrt_log_set_callback(print_event, &events, NULL);

  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_fuel(config, true)) fail("cannot turn fuel on");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  if (!wasmrt_store_set_fuel(store, 1000000)) fail("cannot set fuel");
  if (!wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 1 << 20)) {
    fail("cannot set a limit");
  }
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instances[3];
  for (int i = 0; i < 3; ++i) instances[i] = new_instance(store, module, NULL);

  const struct {
    const char* name;
    wasmrt_store_limit_t what;
  } numbers[] = {
      {"bytes of linear memory", WASMRT_STORE_LIMIT_MEMORY_BYTES},
      {"table elements", WASMRT_STORE_LIMIT_TABLE_ELEMENTS},
      {"instances", WASMRT_STORE_LIMIT_INSTANCES},
      {"tables", WASMRT_STORE_LIMIT_TABLES},
      {"memories", WASMRT_STORE_LIMIT_MEMORIES},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    uint64_t usage = 0;
    if (!wasmrt_store_usage(store, numbers[i].what, &usage)) fail("cannot get usage");
    printf("%s: %d\n", numbers[i].name, (int)usage);
  }
  printf("modules: %d\n", modules(engine));

  wasm_func_t* grow = func_named(instances[0], "grow");
  wasm_val_t answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(answers);
  call(grow, NULL, &results); // beyond the limit: a warning
  uint64_t consumed = 0;
  if (!wasmrt_store_fuel_consumed(store, &consumed)) fail("cannot get the fuel");
  printf("fuel consumed: %s; events: %d\n", consumed > 0 ? "some" : "none", events);

  wasm_func_delete(grow);
  for (int i = 0; i < 3; ++i) wasm_instance_delete(instances[i]);
  wasm_module_delete(module);
  wasm_store_delete(store);
  printf("modules: %d\n", modules(engine));
  wasm_engine_delete(engine);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  return 0;
}
