// What cgo cannot say by itself: callbacks, and answers that take several calls.
#ifndef WASMRT_GO_SHIM_H
#define WASMRT_GO_SHIM_H

#include <stdlib.h>
#include <wasmrt.h>

// What a callback is called with: a store, by its number, and a thing that the store keeps in Go.
typedef struct wasmrtgo_env_t {
  uintptr_t store;
  uintptr_t id;
} wasmrtgo_env_t;

// Host functions: `store` and `id` become their environment. None takes `type`. Raw ones have no references; those of
// `_raw` do not know their caller.
wasm_func_t* wasmrtgo_func_new(wasm_store_t* in, const wasm_functype_t* type, uintptr_t store,
                               uintptr_t id);
wasm_func_t* wasmrtgo_func_new_raw_caller(wasm_store_t* in, const wasm_functype_t* type,
                                          uintptr_t store, uintptr_t id);
wasm_func_t* wasmrtgo_func_new_raw(wasm_store_t* in, const wasm_functype_t* type, uintptr_t store,
                                   uintptr_t id);

// References to values of Go. `wasmrtgo_extern_id` is false for other references.
wasm_ref_t* wasmrtgo_extern_new(wasm_store_t* in, uintptr_t store, uintptr_t id);
bool wasmrtgo_extern_id(wasm_ref_t* ref, uintptr_t* id);

// Traps that carry a value of Go. `wasmrtgo_trap_id` is false for other traps.
wasm_trap_t* wasmrtgo_trap_new(wasm_store_t* in, const char* message, size_t length,
                               uintptr_t store, uintptr_t id);
bool wasmrtgo_trap_id(const wasm_trap_t* trap, uintptr_t* id);

// Has `wasmrtGoStoreGone` called when the store is freed.
bool wasmrtgo_store_watch(wasm_store_t* in, uintptr_t store);

// Writes the kinds of the parameters, then of the results, if there is room for all.
void wasmrtgo_functype_kinds(const wasm_functype_t* type, uint8_t* kinds, size_t room,
                             size_t* params, size_t* results);
void wasmrtgo_func_kinds(const wasm_func_t* func, uint8_t* kinds, size_t room, size_t* params,
                         size_t* results);
wasm_functype_t* wasmrtgo_functype_new(const uint8_t* kinds, size_t params, size_t results);

wasm_trap_t* wasmrtgo_func_call(const wasm_func_t* func, const wasm_val_t* args, size_t arg_count,
                                wasm_val_t* results, size_t result_count);

wasm_instance_t* wasmrtgo_instance_new(wasm_store_t* in, const wasm_module_t* module,
                                       wasm_extern_t* const* imports, size_t count,
                                       wasm_trap_t** trap);

typedef struct wasmrtgo_bytes_t {
  void* data;
  size_t size;
} wasmrtgo_bytes_t;

wasmrtgo_bytes_t wasmrtgo_memory_data(wasm_memory_t* memory);

bool wasmrtgo_wasi_reader(wasmrt_wasi_config_t* config, uintptr_t store, uintptr_t id);
bool wasmrtgo_wasi_writer(wasmrt_wasi_config_t* config, wasmrt_wasi_stream_t stream,
                          uintptr_t store, uintptr_t id);

// Does nothing: what a call from Go to C costs by itself.
void wasmrtgo_nothing(void* data);
// Calls back into Go, `times` times: what that costs by itself.
void wasmrtgo_call_nothing(size_t times);

#endif
