// The library being measured: an implementation of wasm.h, loaded by its path.
#ifndef BENCHES_LIBRARY_H
#define BENCHES_LIBRARY_H

#include <stdbool.h>
#include <stdint.h>

#include "wasm.h"
#include "wasmrt.h"
#include "wasmtime.h"
#include "wasmrt.h"

// Exit statuses of a process that measures.
enum {
  STATUS_FAILS = 3,   // a function gave an error or a wrong answer
  STATUS_MISSING = 4, // the library has no such function
};

// The functions of wasm.h that are used, without the prefix.
// clang-format off
#define FUNCTIONS(X)                                                                           \
  X(byte_vec_delete) X(engine_new) X(engine_delete) X(store_new) X(store_delete)               \
  X(module_new) X(module_delete) X(module_serialize) X(module_deserialize)                     \
  X(instance_new) X(instance_delete) X(instance_exports) X(extern_vec_delete)                  \
  X(extern_as_func) X(extern_as_global) X(extern_as_memory) X(extern_as_table)                 \
  X(func_as_extern) X(func_new) X(func_copy) X(func_delete) X(func_call) X(func_type)          \
  X(functype_new) X(functype_delete) X(valtype_new) X(valtype_vec_new)                         \
  X(global_get) X(global_set) X(memory_data) X(memory_data_size)                               \
  X(table_get) X(table_set) X(ref_delete)

// Those of wasmrt.h and of wasmtime's own headers, for WASI.
#define WASMRT_FUNCTIONS(X)                                                                    \
  X(wat2wasm) X(wasi_config_new) X(wasi_config_file) X(wasi_config_preopen) X(wasi_new)        \
  X(wasi_imports) X(wasi_start)
#define WASMTIME_FUNCTIONS(X)                                                                  \
  X(wat2wasm) X(module_new) X(store_new) X(store_context) X(context_set_wasi) X(linker_new)    \
  X(linker_define_wasi) X(linker_instantiate) X(instance_export_get) X(func_call)              \
  X(error_exit_status)
#define WASMTIME_WASI_FUNCTIONS(X)                                                             \
  X(config_new) X(config_set_stdout_file) X(config_preopen_dir)
// clang-format on

#define DECLARE(name) __typeof__(wasm_##name) *name;
typedef struct {
  FUNCTIONS(DECLARE)
} wasm_functions_t;
#undef DECLARE

#define DECLARE(name) __typeof__(wasmrt_##name) *name;
typedef struct {
  WASMRT_FUNCTIONS(DECLARE)
} wasmrt_functions_t;
#undef DECLARE

#define DECLARE(name) __typeof__(wasmtime_##name) *name;
typedef struct {
  WASMTIME_FUNCTIONS(DECLARE)
} wasmtime_functions_t;
#undef DECLARE

#define DECLARE(name) __typeof__(wasi_##name) *name;
typedef struct {
  WASMTIME_WASI_FUNCTIONS(DECLARE)
} wasmtime_wasi_functions_t;
#undef DECLARE

extern wasm_functions_t wasm;
extern wasmrt_functions_t wasmrt;
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
