#include "shim.h"

#include "_cgo_export.h"

static wasmrtgo_env_t* env_new(uintptr_t store, uintptr_t id) {
  wasmrtgo_env_t* env = malloc(sizeof *env);
  if (env == NULL) abort();
  env->store = store;
  env->id = id;
  return env;
}

static wasm_trap_t* call(void* env, const wasmrt_caller_t* caller, const wasm_val_vec_t* args,
                         wasm_val_vec_t* results) {
  return wasmrtGoCall(env, (wasmrt_caller_t*)caller, args->data, args->size, results->data,
                      results->size);
}

static wasm_trap_t* call_raw(void* env, wasmrt_raw_t* values) {
  return wasmrtGoCallRaw(env, NULL, values);
}

static wasm_trap_t* call_raw_caller(void* env, const wasmrt_caller_t* caller,
                                    const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasmrt_raw_t few[8];
  size_t slots = args->size > results->size ? args->size : results->size;
  wasmrt_raw_t* values = slots <= 8 ? few : malloc(slots * sizeof *values);
  if (values == NULL) abort();
  for (size_t i = 0; i < args->size; i++) values[i].i64 = args->data[i].of.i64;
  wasm_trap_t* trap = wasmrtGoCallRaw(env, (wasmrt_caller_t*)caller, values);
  if (trap == NULL)
    for (size_t i = 0; i < results->size; i++)
      results->data[i].of.i64 = values[i].i64; /* the kinds are there */
  if (values != few) free(values);
  return trap;
}

// A value that only C still had.
static void released(void* data) {
  wasmrtgo_env_t* env = data;
  wasmrtGoRelease(env->store, env->id);
  free(env);
}

static void store_gone(void* data) {
  wasmrtGoStoreGone((uintptr_t)data);
}

wasm_func_t* wasmrtgo_func_new(wasm_store_t* in, const wasm_functype_t* type, uintptr_t store,
                               uintptr_t id) {
  return wasmrt_func_new_with_caller(in, type, call, env_new(store, id), free);
}

wasm_func_t* wasmrtgo_func_new_raw_caller(wasm_store_t* in, const wasm_functype_t* type,
                                          uintptr_t store, uintptr_t id) {
  return wasmrt_func_new_with_caller(in, type, call_raw_caller, env_new(store, id), free);
}

wasm_func_t* wasmrtgo_func_new_raw(wasm_store_t* in, const wasm_functype_t* type, uintptr_t store,
                                   uintptr_t id) {
  return wasmrt_func_new_unchecked(in, type, call_raw, env_new(store, id), free);
}

wasm_ref_t* wasmrtgo_extern_new(wasm_store_t* in, uintptr_t store, uintptr_t id) {
  wasm_foreign_t* foreign = wasm_foreign_new(in);
  if (foreign == NULL) return NULL;
  wasm_foreign_set_host_info_with_finalizer(foreign, env_new(store, id), released);
  return wasm_foreign_as_ref(foreign);
}

bool wasmrtgo_extern_id(wasm_ref_t* ref, uintptr_t* id) {
  wasm_foreign_t* foreign = wasm_ref_as_foreign(ref);
  wasmrtgo_env_t* env = foreign == NULL ? NULL : wasm_foreign_get_host_info(foreign);
  if (env == NULL) return false;
  *id = env->id;
  return true;
}

wasm_trap_t* wasmrtgo_trap_new(wasm_store_t* in, const char* message, size_t length,
                               uintptr_t store, uintptr_t id) {
  wasm_message_t text = {length, (char*)message};
  return wasmrt_trap_new_with_data(in, &text, env_new(store, id), released);
}

bool wasmrtgo_trap_id(const wasm_trap_t* trap, uintptr_t* id) {
  wasmrtgo_env_t* env = wasmrt_trap_data(trap);
  if (env == NULL) return false;
  *id = env->id;
  return true;
}

bool wasmrtgo_store_watch(wasm_store_t* in, uintptr_t store) {
  return wasmrt_store_set_data(in, (void*)store, store_gone);
}

void wasmrtgo_functype_kinds(const wasm_functype_t* type, uint8_t* kinds, size_t room,
                             size_t* params, size_t* results) {
  const wasm_valtype_vec_t* from[] = {wasm_functype_params(type), wasm_functype_results(type)};
  *params = from[0]->size;
  *results = from[1]->size;
  if (*params + *results > room) return;
  for (size_t part = 0; part < 2; part++)
    for (size_t i = 0; i < from[part]->size; i++) *kinds++ = wasm_valtype_kind(from[part]->data[i]);
}

void wasmrtgo_func_kinds(const wasm_func_t* func, uint8_t* kinds, size_t room, size_t* params,
                         size_t* results) {
  wasm_functype_t* type = wasm_func_type(func);
  wasmrtgo_functype_kinds(type, kinds, room, params, results);
  wasm_functype_delete(type);
}

wasm_functype_t* wasmrtgo_functype_new(const uint8_t* kinds, size_t params, size_t results) {
  wasm_valtype_vec_t to[2];
  wasm_valtype_vec_new_uninitialized(&to[0], params);
  wasm_valtype_vec_new_uninitialized(&to[1], results);
  for (size_t part = 0; part < 2; part++)
    for (size_t i = 0; i < to[part].size; i++) to[part].data[i] = wasm_valtype_new(*kinds++);
  return wasm_functype_new(&to[0], &to[1]);
}

wasm_trap_t* wasmrtgo_func_call(const wasm_func_t* func, const wasm_val_t* args, size_t arg_count,
                                wasm_val_t* results, size_t result_count) {
  wasm_val_vec_t from = {arg_count, (wasm_val_t*)args}, to = {result_count, results};
  return wasm_func_call(func, &from, &to);
}

wasm_instance_t* wasmrtgo_instance_new(wasm_store_t* in, const wasm_module_t* module,
                                       wasm_extern_t* const* imports, size_t count,
                                       wasm_trap_t** trap) {
  wasm_extern_vec_t vec = {count, (wasm_extern_t**)imports};
  return wasm_instance_new(in, module, &vec, trap);
}

wasmrtgo_bytes_t wasmrtgo_memory_data(wasm_memory_t* memory) {
  return (wasmrtgo_bytes_t){wasm_memory_data(memory), wasm_memory_data_size(memory)};
}

static ptrdiff_t read_stream(void* env, void* to, size_t size) {
  return wasmrtGoRead(env, to, size);
}

static ptrdiff_t write_stream(void* env, const void* from, size_t size) {
  return wasmrtGoWrite(env, (void*)from, size);
}

bool wasmrtgo_wasi_reader(wasmrt_wasi_config_t* config, uintptr_t store, uintptr_t id) {
  return wasmrt_wasi_config_reader(config, read_stream, env_new(store, id), free);
}

bool wasmrtgo_wasi_writer(wasmrt_wasi_config_t* config, wasmrt_wasi_stream_t stream,
                          uintptr_t store, uintptr_t id) {
  return wasmrt_wasi_config_writer(config, stream, write_stream, env_new(store, id), free);
}

void wasmrtgo_nothing(void* data) {
  (void)data;
}

void wasmrtgo_call_nothing(size_t times) {
  while (times-- > 0) wasmrtGoNothing(NULL);
}
