// What the hosts of guests for WASI share: the steps from a file to a guest that was started.

#ifndef HOST_H
#define HOST_H

#include "../../examples/c/example.h"
#include "../../examples/c/file.h"

static inline wasm_module_t* module_from_file(wasm_store_t* store, const char* path) {
  size_t size;
  char* bytes = read_file(path, &size);
  if (!bytes) exit(1);
  wasm_byte_vec_t binary = {size, bytes};
  wasm_module_t* module = wasm_module_new(store, &binary);
  free(bytes);
  if (!module) fail("cannot compile the module");
  return module;
}

// Makes the context of `config`, which it takes.
static inline wasmrt_wasi_t* new_wasi(wasm_store_t* store, wasmrt_wasi_config_t* config) {
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  if (!wasi) fail("cannot create the context");
  return wasi;
}

// Instantiates a module all of whose imports are WASI's.
static inline wasm_instance_t* new_guest(wasm_store_t* store, const wasm_module_t* module,
                                         wasmrt_wasi_t* wasi) {
  wasm_extern_vec_t imports;
  if (!wasmrt_wasi_imports(wasi, module, &imports)) fail("cannot make the imports");
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_delete(&imports);
  return instance;
}

// Returns the memory that a guest exports, own.
static inline wasm_memory_t* memory_of(const wasm_instance_t* instance) {
  wasm_extern_t* export = wasmrt_instance_export(instance, "memory", strlen("memory"));
  wasm_memory_t* memory = export ? wasm_extern_as_memory(export) : NULL;
  if (!memory) stop("the module exports no memory");
  return memory;
}

// Returns the guest's exit status.
static inline int32_t start(wasmrt_wasi_t* wasi, const wasm_instance_t* instance) {
  int32_t status;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  if (trap) {
    print_trap(stderr, "error: the guest trapped", trap);
    exit(1);
  }
  return status;
}

#endif
