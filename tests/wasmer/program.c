// A program for wasmer that knows its header only. It is linked with a library of that name in which nothing works.
#include <stdio.h>
#include <string.h>

#include "wasmer.h"

static void fail(const char* what) {
  char message[512] = "";
  wasmer_last_error_message(message, sizeof message);
  printf("%s: %s\n", what, message);
}

int main(void) {
  static const char text[] =
      "(module"
      "  (import \"wasi_snapshot_preview1\" \"fd_write\""
      "    (func $fd_write (param i32 i32 i32 i32) (result i32)))"
      "  (memory (export \"memory\") 1)"
      "  (data (i32.const 0) \"\\08\\00\\00\\00\\0a\\00\\00\\00WASI works\")"
      "  (func (export \"_start\")"
      "    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32)))))";
  wasm_engine_t* engine = wasm_engine_new_with_config(wasm_config_new());
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t wat, wasm;
  wasm_byte_vec_new(&wat, strlen(text), text);
  wat2wasm(&wat, &wasm);
  wasm_module_t* module = wasm_module_new(store, &wasm);
  if (!module) return fail("no module"), 1;

  wasi_config_t* config = wasi_config_new("program");
  wasi_config_capture_stdout(config);
  wasm_extern_vec_t imports;
#if WASMRT_WASMER_ABI == 2
  wasi_env_t* env = wasi_env_new(config);
  if (!wasi_get_imports(store, module, env, &imports)) return fail("no imports"), 1;
#else
  wasi_env_t* env = wasi_env_new(store, config);
  if (!wasi_get_imports(store, env, module, &imports)) return fail("no imports"), 1;
#endif
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return fail("no instance"), 1;
#if WASMRT_WASMER_ABI != 2
  if (!wasi_env_initialize_instance(env, store, instance)) return fail("not initialized"), 1;
#endif
  wasm_func_t* start = wasi_get_start_function(instance);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  if (wasm_func_call(start, &none, &none)) return fail("trapped"), 1;
  char output[64];
  long size = wasi_env_read_stdout(env, output, sizeof output);
  printf("%.*s\n", (int)size, output);

  wasm_func_delete(start);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_module_delete(module);
  wasm_extern_vec_delete(&imports);
  wasm_byte_vec_delete(&wasm);
  wasm_byte_vec_delete(&wat);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
