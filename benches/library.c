#include "library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

wasm_functions_t wasm;
wasmrt_functions_t wasmrt;
bool has_wasmrt;
wasmtime_functions_t wasmtime;
wasmtime_wasi_functions_t wasmtime_wasi;
bool has_wasmtimes_wasi;
void *(*floor_prepare)(const char *row, uint64_t parameter);
void (*floor_run)(void *prepared, uint64_t count);

static void missing_function(void) {
  _exit(STATUS_MISSING);
}

void require(bool condition) {
  if (!condition) _exit(STATUS_FAILS);
}

static void resolve(void *library, const char *name, void *function_pointer) {
  void *symbol = dlsym(library, name);
  void (*function)(void) = missing_function;
  if (symbol != NULL) memcpy(&function, &symbol, sizeof function);
  memcpy(function_pointer, &function, sizeof function);
}

void load(const library_t *library) {
  char *setting = library->settings == NULL ? NULL : strtok(strdup(library->settings), ",");
  for (; setting != NULL; setting = strtok(NULL, ",")) putenv(setting);
  void *handle = dlopen(library->path, RTLD_NOW | RTLD_LOCAL);
  if (handle == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    _exit(STATUS_FAILS);
  }
#define RESOLVE(name) resolve(handle, "wasm_" #name, &wasm.name);
  FUNCTIONS(RESOLVE)
#undef RESOLVE
#define RESOLVE(name) resolve(handle, "wasmrt_" #name, &wasmrt.name);
  has_wasmrt = dlsym(handle, "wasmrt_linker_new") != NULL;
  WASMRT_FUNCTIONS(RESOLVE)
#undef RESOLVE
#define RESOLVE(name, ...) resolve(handle, "wasmtime_" #name, &wasmtime.name);
  WASMTIME_FUNCTIONS(RESOLVE)
#undef RESOLVE
#define RESOLVE(name, ...) resolve(handle, "wasi_" #name, &wasmtime_wasi.name);
  has_wasmtimes_wasi = dlsym(handle, "wasmtime_linker_define_wasi") != NULL;
  WASMTIME_WASI_FUNCTIONS(RESOLVE)
  if (dlsym(handle, "floor_prepare") != NULL) {
    resolve(handle, "floor_prepare", &floor_prepare);
    resolve(handle, "floor_run", &floor_run);
  }
}
