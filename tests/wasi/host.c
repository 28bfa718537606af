// Runs a WASI program and compares what it prints with a file: host PROGRAM EXPECTED
#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasm.h>
#include <wasmrt.h>

enum { EXIT_STATUS = 7 };

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

int main(int argc, char** argv) {
  need(argc == 3, "usage: host PROGRAM EXPECTED");
  char directory[] = "/tmp/wasmrt-wasi-XXXXXX";
  need(mkdtemp(directory), "cannot make a directory");
  wasm_byte_vec_t binary = read_file(argv[1]), expected = read_file(argv[2]);
  wasm_engine_t* engine = wasm_engine_new();
  need(engine, "cannot create the engine");
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = wasm_module_new(store, &binary);
  need(module, "cannot compile the program");

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  need(wasmrt_wasi_config_arg(config, "guest") && wasmrt_wasi_config_arg(config, "an argument") &&
           wasmrt_wasi_config_env(config, "NAME", "value") &&
           wasmrt_wasi_config_stdin_bytes(config, "input", 5) &&
           wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 1 << 16) &&
           wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDERR) &&
           wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE),
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
  need(!trap, "the program trapped");

  static char output[1 << 16];
  size_t size = 0;
  need(wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, output, sizeof output, &size), "no output");
  bool same = size == expected.size && memcmp(output, expected.data, size) == 0;
  if (!same) printf("the output differs from %s:\n%.*s", argv[2], (int)size, output);
  if (status != EXIT_STATUS) printf("the exit status is %d, not %d\n", (int)status, EXIT_STATUS);
  if (rmdir(directory) != 0) printf("something is left in %s\n", directory);

  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&binary);
  wasm_byte_vec_delete(&expected);
  return !same || status != EXIT_STATUS;
}
