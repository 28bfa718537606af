// Runs a program of the suite: host PROGRAM DIRECTORY OTHER. In DIRECTORY are rw and ro; suite.py lays them out.
#include "../host.h"

static ptrdiff_t print(void* env, const void* from, size_t size) {
  (void)env;
  return (ptrdiff_t)fwrite(from, 1, size, stdout);
}

int main(int argc, char** argv) {
  if (argc != 4) stop("usage: host PROGRAM DIRECTORY OTHER");
  char rw[4096], ro[4096];
  snprintf(rw, sizeof rw, "%s/rw", argv[2]);
  snprintf(ro, sizeof ro, "%s/ro", argv[2]);
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = module_from_file(store, argv[1]);

  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  if (!wasmrt_wasi_config_arg(config, "suite") || !wasmrt_wasi_config_arg(config, "0") ||
      !wasmrt_wasi_config_env(config, "NAME", "value") ||
      !wasmrt_wasi_config_env(config, "EMPTY", "") ||
      !wasmrt_wasi_config_stdin_bytes(config, "input", 5) ||
      !wasmrt_wasi_config_writer(config, WASMRT_WASI_STDOUT, print, NULL, NULL) ||
      !wasmrt_wasi_config_file(config, WASMRT_WASI_STDERR, "/dev/full", false) ||
      !wasmrt_wasi_config_preopen(config, rw, "/rw", WASMRT_WASI_READ_WRITE) ||
      !wasmrt_wasi_config_preopen(config, ro, "/ro", WASMRT_WASI_READ_ONLY) ||
      !wasmrt_wasi_config_preopen(config, argv[3], "/other", WASMRT_WASI_READ_WRITE))
    fail("cannot configure WASI");
  wasmrt_wasi_t* wasi = new_wasi(store, config);
  wasm_instance_t* instance = new_guest(store, module, wasi);
  int32_t status = -1;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  if (trap) {
    puts("TRAP");
    print_trap(stderr, "the program trapped", trap);
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
