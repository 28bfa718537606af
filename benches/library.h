// The library being measured: an implementation of wasm.h, loaded by its path.
#ifndef BENCHES_LIBRARY_H
#define BENCHES_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "wasm.h"
#include "wasmrt.h"

// Exit statuses of a process that measures.
enum {
  STATUS_FAILS = 3,   // a function gave an error or a wrong answer
  STATUS_MISSING = 4, // the library has no such function
};

// The functions of wasm.h that are used, without the prefix.
// clang-format off
#define FUNCTIONS(X)                                                                           \
  X(byte_vec_delete) X(config_new) X(engine_new_with_config) X(engine_new) X(engine_delete) X(store_new) X(store_delete)               \
  X(module_new) X(module_delete) X(module_serialize) X(module_deserialize)                     \
  X(instance_new) X(instance_delete) X(instance_exports) X(extern_vec_delete) X(extern_delete) \
  X(extern_as_func) X(extern_as_global) X(extern_as_memory) X(extern_as_table)                 \
  X(func_as_extern) X(func_new) X(func_copy) X(func_delete) X(func_call) X(func_type)          \
  X(functype_new) X(functype_delete) X(valtype_new) X(valtype_vec_new)                         \
  X(global_get) X(global_set) X(memory_data) X(memory_data_size)                               \
  X(table_get) X(table_set) X(ref_delete)
// clang-format on

#define DECLARE(name) __typeof__(wasm_##name) *name;
typedef struct {
  FUNCTIONS(DECLARE)
} wasm_functions_t;
#undef DECLARE

extern wasm_functions_t wasm;

// The same of wasmrt.h, for a library that has it.
// clang-format off
#define WASMRT_FUNCTIONS(X)                                                                    \
  X(linker_new) X(linker_delete) X(linker_define_func_with_caller) X(linker_instantiate)       \
  X(linker_prepare) X(instance_pre_instantiate) X(instance_pre_delete)                         \
  X(instance_export) X(instance_export_at) X(caller_memory) X(wat2wasm)                        \
  X(config_set_cache) X(module_deserialize_file)                                               \
  X(func_call_unchecked) X(func_new_unchecked) X(func_call_batch)                              \
  X(wasi_config_new) X(wasi_config_file) X(wasi_config_preopen) X(wasi_new) X(wasi_imports)    \
  X(wasi_start)
// clang-format on

#define DECLARE(name) __typeof__(wasmrt_##name) *name;
typedef struct {
  WASMRT_FUNCTIONS(DECLARE)
} wasmrt_functions_t;
#undef DECLARE

extern wasmrt_functions_t wasmrt;
extern bool has_wasmrt;

// What is needed of wasmtime's own C API. Its structures are only passed on, except for the value.
typedef struct {
  uint64_t words[2];
} wasmtime_instance_t;

typedef struct {
  uint8_t kind;
  struct {
    uint64_t words[4];
  } of;
} wasmtime_extern_t;

typedef struct {
  uint8_t kind;
  union {
    int32_t i32;
    uint64_t words[3];
  } of;
} wasmtime_val_t;

typedef wasm_trap_t *(*wasmtime_callback_t)(void *env, void *caller, const void *arguments,
                                            size_t argument_count, void *results,
                                            size_t result_count);

// Functions that return a pointer return an error, or NULL.
#define WASMTIME_FUNCTIONS(X)                                                                  \
  X(module_new, void *, wasm_engine_t *, const uint8_t *, size_t, void **)                     \
  X(module_deserialize_file, void *, wasm_engine_t *, const char *, void **)                   \
  X(module_delete, void, void *)                                                               \
  X(store_new, void *, wasm_engine_t *, void *, void (*)(void *))                              \
  X(store_delete, void, void *)                                                                \
  X(store_context, void *, void *)                                                             \
  X(linker_new, void *, wasm_engine_t *)                                                       \
  X(linker_delete, void, void *)                                                               \
  X(linker_define_func, void *, void *, const char *, size_t, const char *, size_t,            \
    const wasm_functype_t *, wasmtime_callback_t, void *, void (*)(void *))                    \
  X(linker_instantiate, void *, void *, void *, void *, wasmtime_instance_t *, wasm_trap_t **) \
  X(linker_instantiate_pre, void *, void *, void *, void **)                                   \
  X(instance_pre_instantiate, void *, void *, void *, wasmtime_instance_t *, wasm_trap_t **)   \
  X(instance_pre_delete, void, void *)                                                         \
  X(instance_export_get, bool, void *, const wasmtime_instance_t *, const char *, size_t,      \
    wasmtime_extern_t *)                                                                       \
  X(extern_delete, void, wasmtime_extern_t *)                                                  \
  X(caller_export_get, bool, void *, const char *, size_t, wasmtime_extern_t *)                \
  X(caller_context, void *, void *)                                                            \
  X(memory_data, uint8_t *, void *, const void *)                                              \
  X(memory_data_size, size_t, void *, const void *)                                            \
  X(func_call, void *, void *, const void *, const wasmtime_val_t *, size_t, wasmtime_val_t *, \
    size_t, wasm_trap_t **)                                                                    \
  X(wat2wasm, void *, const char *, size_t, wasm_byte_vec_t *)                                 \
  X(context_set_wasi, void *, void *, void *)                                                  \
  X(linker_define_wasi, void *, void *)                                                        \
  X(error_exit_status, bool, const void *, int *)

// The same, of its WASI.
#define WASMTIME_WASI_FUNCTIONS(X)                      \
  X(config_new, void *, void)                           \
  X(config_set_stdout_file, bool, void *, const char *) \
  X(config_preopen_dir, bool, void *, const char *, const char *, bool)

#define DECLARE(name, result, ...) result (*name)(__VA_ARGS__);
typedef struct {
  WASMTIME_FUNCTIONS(DECLARE)
} wasmtime_functions_t;
typedef struct {
  WASMTIME_WASI_FUNCTIONS(DECLARE)
} wasmtime_wasi_functions_t;
#undef DECLARE

extern wasmtime_functions_t wasmtime;
extern wasmtime_wasi_functions_t wasmtime_wasi;
extern bool has_wasmtimes_wasi;

// A library may measure something other than wasm.h under the names of the rows, as the floors in
// peers/ do. It then has these two functions, which are NULL otherwise. The first returns NULL if
// the library has no such row.
extern void *(*floor_prepare)(const char *row, uint64_t parameter);
extern void (*floor_run)(void *prepared, uint64_t count);

typedef struct {
  const char *label;
  const char *path;
  char *settings; // environment variables NAME=VALUE, separated by commas, or NULL
} library_t;

// Loads the library into this process, which measures no other.
void load(const library_t *library);

// Ends the process with STATUS_FAILS if not.
void require(bool condition);

#endif
