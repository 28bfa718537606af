// What the hosts of this folder share: the steps from a file to a guest that was started.

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
