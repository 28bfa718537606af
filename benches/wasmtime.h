// The part of wasmtime's own C API, versions 48 and the like, that WASI is measured with.
#ifndef BENCHES_WASMTIME_H
#define BENCHES_WASMTIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wasm.h"

typedef struct wasi_config_t wasi_config_t;
typedef struct wasmtime_context wasmtime_context_t;
typedef struct wasmtime_error wasmtime_error_t;
typedef struct wasmtime_linker wasmtime_linker_t;
typedef struct wasmtime_module wasmtime_module_t;
typedef struct wasmtime_store wasmtime_store_t;

typedef struct {
  uint64_t store;
  void *place;
} wasmtime_func_t;

typedef wasmtime_func_t wasmtime_instance_t;

typedef struct {
  uint8_t kind;
  union {
    wasmtime_func_t func;
    uint64_t room[3];
  } of;
} wasmtime_extern_t;

typedef struct {
  uint8_t kind; // 0 for i32
  union {
    int32_t i32;
    uint64_t room[3];
  } of;
} wasmtime_val_t;

wasi_config_t *wasi_config_new(void);
bool wasi_config_set_stdout_file(wasi_config_t *, const char *path);
bool wasi_config_preopen_dir(wasi_config_t *, const char *host, const char *guest, bool writable);
wasmtime_error_t *wasmtime_wat2wasm(const char *text, size_t size, wasm_byte_vec_t *out);
wasmtime_error_t *wasmtime_module_new(wasm_engine_t *, const uint8_t *, size_t,
                                      wasmtime_module_t **);
wasmtime_store_t *wasmtime_store_new(wasm_engine_t *, void *data, void (*finalizer)(void *));
wasmtime_context_t *wasmtime_store_context(wasmtime_store_t *);
wasmtime_error_t *wasmtime_context_set_wasi(wasmtime_context_t *, wasi_config_t *);
wasmtime_linker_t *wasmtime_linker_new(wasm_engine_t *);
wasmtime_error_t *wasmtime_linker_define_wasi(wasmtime_linker_t *);
wasmtime_error_t *wasmtime_linker_instantiate(const wasmtime_linker_t *, wasmtime_context_t *,
                                              const wasmtime_module_t *, wasmtime_instance_t *,
                                              wasm_trap_t **);
bool wasmtime_instance_export_get(wasmtime_context_t *, const wasmtime_instance_t *,
                                  const char *name, size_t size, wasmtime_extern_t *);
wasmtime_error_t *wasmtime_func_call(wasmtime_context_t *, const wasmtime_func_t *,
                                     const wasmtime_val_t *, size_t, wasmtime_val_t *, size_t,
                                     wasm_trap_t **);
bool wasmtime_error_exit_status(const wasmtime_error_t *, int *status);

#endif
