// Runs one operation COUNT times, for callgrind to count what fuel and interruption cost.
// metering.py runs this program.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasmrt.h>

static const char text[] =
    "(module"
    "  (func (export \"loop\") (param i32)"
    "    (loop $again"
    "      (br_if $again (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))"
    "  (func (export \"call\") (param i32) (result i32) (local.get 0)))";

static void check(bool good, const char* what) {
  if (good) return;
  const char* reason = wasmrt_last_error_message();
  fprintf(stderr, "%s: %s\n", what, reason ? reason : "no reason given");
  exit(1);
}

// metering MODE loop|call COUNT, where MODE says what is enabled, by letters: f(uel), i(nterruption), d(eadline of the
// store), t(ime for each call).
int main(int argc, char** argv) {
  check(argc == 4, "expected: MODE loop|call COUNT");
  const char* mode = argv[1];
  bool fuel = strchr(mode, 'f'), interruption = strchr(mode, 'i');
  int count = atoi(argv[3]);
  const uint64_t hour = UINT64_C(3600) * 1000000000;

  wasm_config_t* config = wasm_config_new();
  check(wasmrt_config_set_fuel(config, fuel), "fuel");
  check(wasmrt_config_set_interruption(config, interruption), "interruption");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  check(engine, "engine");
  wasm_store_t* store = wasm_store_new(engine);
  if (fuel) check(wasmrt_store_set_fuel(store, UINT64_C(1) << 60), "fuel");
  if (strchr(mode, 'd')) check(wasmrt_store_set_timeout(store, hour), "deadline");
  if (strchr(mode, 't')) check(wasmrt_store_set_call_timeout(store, hour), "timeout");

  wasm_byte_vec_t binary;
  check(wasmrt_wat2wasm(text, strlen(text), &binary), "text");
  wasm_module_t* module = wasm_module_new(store, &binary);
  check(module, "module");
  const wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  check(instance, "instance");
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  bool loop = strcmp(argv[2], "loop") == 0;
  wasm_func_t* func = wasm_extern_as_func(exports.data[loop ? 0 : 1]);
  wasm_val_t arguments[] = {WASM_I32_VAL(count)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  for (int i = loop ? count - 1 : 0; i < count; ++i) {
    check(wasm_func_call(func, &args, loop ? &none : &results) == NULL, "call");
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
