// Runs a program of the suite: host PROGRAM DIRECTORY OTHER. In DIRECTORY are rw and ro; suite.py lays them out.
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasm.h>
#include <wasmrt.h>

static void need(bool condition, const char* what) {
  if (condition) return;
  const char* reason = wasmrt_last_error_message();
  fprintf(stderr, "error: %s: %s\n", what, reason ? reason : "no reason given");
  exit(1);
}

static wasm_byte_vec_t read_file(const char* path) {
  FILE* file = fopen(path, "rb");
  need(file && fseek(file, 0, SEEK_END) == 0, path);
  wasm_byte_vec_t bytes;
  wasm_byte_vec_new_uninitialized(&bytes, (size_t)ftell(file));
  rewind(file);
  need(fread(bytes.data, 1, bytes.size, file) == bytes.size, path);
  fclose(file);
  return bytes;
}

static ptrdiff_t print(void* env, const void* from, size_t size) {
  (void)env;
  return (ptrdiff_t)fwrite(from, 1, size, stdout);
}

int main(int argc, char** argv) {
  need(argc == 4, "usage: host PROGRAM DIRECTORY OTHER");
  char rw[4096], ro[4096];
  snprintf(rw, sizeof rw, "%s/rw", argv[2]);
  snprintf(ro, sizeof ro, "%s/ro", argv[2]);
  wasm_byte_vec_t binary = read_file(argv[1]);
  wasm_engine_t* engine = wasm_engine_new();
  need(engine, "cannot create the engine");
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = wasm_module_new(store, &binary);
  need(module, "cannot compile the program");
  wasm_byte_vec_delete(&binary);

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  need(wasmrt_wasi_config_arg(config, "suite") && wasmrt_wasi_config_arg(config, "0") &&
           wasmrt_wasi_config_env(config, "NAME", "value") &&
           wasmrt_wasi_config_env(config, "EMPTY", "") &&
           wasmrt_wasi_config_stdin_bytes(config, "input", 5) &&
           wasmrt_wasi_config_writer(config, WASMRT_WASI_STDOUT, print, NULL, NULL) &&
           wasmrt_wasi_config_file(config, WASMRT_WASI_STDERR, "/dev/full", false) &&
           wasmrt_wasi_config_preopen(config, rw, "/rw", WASMRT_WASI_READ_WRITE) &&
           wasmrt_wasi_config_preopen(config, ro, "/ro", WASMRT_WASI_READ_ONLY) &&
           wasmrt_wasi_config_preopen(config, argv[3], "/other", WASMRT_WASI_READ_WRITE),
       "cannot configure WASI");
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  need(wasi, "cannot create the context");
  wasm_extern_vec_t imports;
  need(wasmrt_wasi_imports(wasi, module, &imports), "cannot make the imports");
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  wasm_extern_vec_delete(&imports);
  need(instance, "cannot instantiate the program");
  int32_t status = -1;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  if (trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    printf("TRAP\n%s\n", message.data);
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
  } else {
    printf("exit status: %d\n", (int)status);
  }
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
