// Monitoring: what a store and an engine hold, and warnings about problems that fail no call.

#include "example.h"

static const char text[] =
  "(module (memory 2) (table 10 funcref)"
  "  (func (export \"grow\") (result i32) (memory.grow (i32.const 100))))";

static void warn(void* env, uint32_t level, const char* message) {
  ++*(int*)env;
  printf("warning: %s\n", message);
}

int main(void) {
  // One logger for the process. Several threads may call it at once; this program has only one.
  int warnings = 0;
  wasmrt_log_set_callback(warn, &warnings, NULL);

  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_fuel(config, true)) fail("cannot ask for fuel");
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

  const struct { const char* name; wasmrt_store_limit_t what; } numbers[] = {
    {"bytes of linear memory", WASMRT_STORE_LIMIT_MEMORY_BYTES},
    {"table elements", WASMRT_STORE_LIMIT_TABLE_ELEMENTS},
    {"instances", WASMRT_STORE_LIMIT_INSTANCES},
    {"tables", WASMRT_STORE_LIMIT_TABLES},
    {"memories", WASMRT_STORE_LIMIT_MEMORIES},
  };
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; ++i) {
    printf("%s: %d\n", numbers[i].name, (int)wasmrt_store_usage(store, numbers[i].what));
  }
  printf("modules: %d\n", (int)wasmrt_engine_module_count(engine));

  wasm_extern_vec_t exports;
  wasm_instance_exports(instances[0], &exports);
  wasm_val_t answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t results = WASM_ARRAY_VEC(answers);
  call(exported_func(&exports, 0), NULL, &results);  // beyond the limit: a warning
  uint64_t consumed = 0;
  if (!wasmrt_store_fuel_consumed(store, &consumed)) fail("cannot read the account");
  printf("fuel consumed: %s; warnings: %d\n", consumed > 0 ? "some" : "none", warnings);

  wasm_extern_vec_delete(&exports);
  for (int i = 0; i < 3; ++i) wasm_instance_delete(instances[i]);
  wasm_module_delete(module);
  wasm_store_delete(store);
  printf("modules: %d\n", (int)wasmrt_engine_module_count(engine));
  wasm_engine_delete(engine);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  return 0;
}
