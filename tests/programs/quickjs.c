// Runs QuickJS, a library (a reactor): the host calls its exports and writes to its memory.
//
//   quickjs QJS.WASM DIRECTORY WORD...   the directory is /w; the words are those of the command qjs

#include "../wasi/host.h"

enum { WORDS = 16 };

// Calls an export that takes i32 and returns one.
static int32_t call_i32(const wasm_instance_t* instance, const char* name, size_t count,
                        const int32_t* arguments) {
  wasm_val_t values[2], result[1] = {WASM_INIT_VAL};
  for (size_t i = 0; i < count; ++i) values[i] = (wasm_val_t)WASM_I32_VAL(arguments[i]);
  wasm_val_vec_t args = {count, values}, results = WASM_ARRAY_VEC(result);
  wasm_func_t* func = func_named(instance, name);
  call(func, &args, &results);
  wasm_func_delete(func);
  return result[0].of.i32;
}

// Copies bytes to memory that the guest allocates, and returns their address.
static int32_t copy(const wasm_instance_t* instance, wasm_memory_t* memory, const void* bytes,
                    size_t size) {
  int32_t address = call_i32(instance, "malloc", 1, (const int32_t[]){(int32_t)size});
  if (address == 0) stop("the guest has no memory left");
  memcpy(wasm_memory_data(memory) + (uint32_t)address, bytes, size);
  return address;
}

int main(int argc, char** argv) {
  if (argc < 3 || argc > WORDS) stop("usage: quickjs QJS.WASM DIRECTORY WORD...");
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = module_from_file(store, argv[1]);

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  if (!wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDOUT) ||
      !wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDERR) ||
      !wasmrt_wasi_config_preopen(config, argv[2], "/w", WASMRT_WASI_READ_WRITE))
    fail("cannot configure WASI");
  wasmrt_wasi_t* wasi = new_wasi(store, config);
  wasm_instance_t* instance = new_guest(store, module, wasi);

  // _initialize, as the module has no _start
  if (start(wasi, instance) != 0) stop("the module cannot be initialised");
  wasm_memory_t* memory = memory_of(instance);
  int32_t words[WORDS], count = 0;
  for (; argv[count + 2]; ++count) {
    const char* word = count == 0 ? "qjs" : argv[count + 2];
    words[count] = copy(instance, memory, word, strlen(word) + 1);
  }
  int32_t address = copy(instance, memory, words, (size_t)count * sizeof *words);
  int32_t result = call_i32(instance, "qjs_init_argv", 2, (const int32_t[]){count, address});

  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return result == 0 ? 0 : 1;
}
