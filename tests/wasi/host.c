// Runs a WASI program and compares what it prints with a file: host PROGRAM EXPECTED
#define _POSIX_C_SOURCE 200809L // mkdtemp
#include "host.h"

#include <unistd.h>

enum { EXIT_STATUS = 7 };

int main(int argc, char** argv) {
  if (argc != 3) stop("usage: host PROGRAM EXPECTED");
  char directory[] = "/tmp/wasmrt-wasi-XXXXXX";
  if (!mkdtemp(directory)) stop("cannot make a directory");
  size_t expected_size;
  char* expected = read_file(argv[2], &expected_size);
  if (!expected) return 1;
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = module_from_file(store, argv[1]);

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  if (!wasmrt_wasi_config_arg(config, "guest") || !wasmrt_wasi_config_arg(config, "an argument") ||
      !wasmrt_wasi_config_env(config, "NAME", "value") ||
      !wasmrt_wasi_config_stdin_bytes(config, "input", 5) ||
      !wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 1 << 16) ||
      !wasmrt_wasi_config_inherit(config, WASMRT_WASI_STDERR) ||
      !wasmrt_wasi_config_preopen(config, directory, "/w", WASMRT_WASI_READ_WRITE))
    fail("cannot configure WASI");
  wasmrt_wasi_t* wasi = new_wasi(store, config);
  wasm_instance_t* instance = new_guest(store, module, wasi);
  int32_t status = start(wasi, instance);

  static char output[1 << 16];
  size_t size = 0;
  if (!wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, output, sizeof output, &size)) fail("no output");
  bool same = size == expected_size && memcmp(output, expected, size) == 0;
  if (!same) printf("the output differs from %s:\n%.*s", argv[2], (int)size, output);
  if (status != EXIT_STATUS) printf("the exit status is %d, not %d\n", (int)status, EXIT_STATUS);
  bool empty = rmdir(directory) == 0;
  if (!empty) printf("something is left in %s\n", directory);

  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  free(expected);
  return !same || status != EXIT_STATUS || !empty;
}
