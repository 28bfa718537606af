// A library with the functions of wasm.h that behaves as libraries of others do, for tests of the engines that are loaded. It
// runs WebAssembly with the wasmi of the libwasmrt that loads it. It ends the process where such a library would: on a call
// that its dialect does not have, on an argument that is not as it has to be.
//
// STANDIN_WAMR    vectors of 40 bytes, threads that have to be announced, one engine for all, nothing of the host's but
//                 functions and globals
// STANDIN_WASMER  references to functions, but not to the host's; foreign objects; compilers; errors without traps
// STANDIN_ARRAYS  calls as they were before vectors
// STANDIN_LACKS   without functions for memories
// STANDIN_NO_TYPES without the types of functions, and without engines of a configuration
// STANDIN_UNSETS  takes a variable away when it is loaded
// STANDIN_LIBRARY the name of the libwasmrt
//
// It is linked without care: its calls of its own functions can be taken over by other libraries. Every handle begins with a
// number that no other library's has, so a call that goes astray is noticed.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORTED __attribute__((visibility("default")))

static void check(bool right, const char* what) {
  if (right) return;
  fprintf(stderr, "stand-in: %s\n", what);
  abort();
}

// ------------------------------------------------------------------------------------------------
// Vectors and values

typedef struct {
  size_t size;
  void* data;
#ifdef STANDIN_WAMR
  size_t num_elems, size_of_elem;
  void* lock;
#endif
} vec_t;

typedef struct {
  size_t size;
  void* data;
} inner_vec_t;

typedef struct {
  uint8_t kind;
  union {
    int64_t i64;
    void* ref;
  } of;
} val_t;

typedef struct {
  uint32_t min, max;
} limits_t;

static void vec_make(vec_t* vec, size_t size, size_t element) {
  memset(vec, 0, sizeof *vec);
  vec->size = size;
  vec->data = size > 0 ? calloc(size, element) : NULL;
#ifdef STANDIN_WAMR
  vec->num_elems = size;
  vec->size_of_elem = element;
#endif
}

static void vec_check(const vec_t* vec, size_t element) {
  (void)element;
  check(vec != NULL, "a vector is NULL");
  check(vec->size == 0 || vec->data != NULL, "a vector has no array");
#ifdef STANDIN_WAMR
  check(vec->num_elems == vec->size,
        "a vector has another number of elements than it has room for");
  check(vec->size_of_elem == element, "a vector is of other elements");
#endif
}

// ------------------------------------------------------------------------------------------------
// The library behind it

static void* inner_symbol(const char* name) {
  static void* library;
  // From the library itself: a search of all libraries might begin with this one.
  if (library == NULL) library = dlopen(STANDIN_LIBRARY, RTLD_NOW | RTLD_NOLOAD);
  check(library != NULL, "libwasmrt is not loaded");
  void* symbol = dlsym(library, name);
  check(symbol != NULL, name);
  return symbol;
}

#define INNER(result, name, ...) ((result(*)(__VA_ARGS__))inner_symbol(#name))

typedef struct {
  uint64_t magic;
  void* inner;
  bool is_export, is_host_func, is_reference;
  // Of a function's type.
  vec_t params, results;
} handle_t;

static const uint64_t MAGIC = 0x57a4d14c0ffee000;

static handle_t* wrap(void* inner) {
  if (inner == NULL) return NULL;
  handle_t* handle = calloc(1, sizeof *handle);
  handle->magic = MAGIC;
  handle->inner = inner;
  return handle;
}

// How many handles there are of references, and of functions that were made of them.
EXPORTED _Atomic long standin_references;

static handle_t* wrap_reference(void* inner) {
  handle_t* handle = wrap(inner);
  if (handle == NULL) return NULL;
  handle->is_reference = true;
  standin_references++;
  return handle;
}

static void* unwrap(const void* handle) {
  check(handle != NULL, "a handle is NULL");
  check(((const handle_t*)handle)->magic == MAGIC, "a handle is another library's, or was deleted");
  return ((const handle_t*)handle)->inner;
}

static void* release(void* handle) {
  void* inner = unwrap(handle);
  if (((handle_t*)handle)->is_reference) standin_references--;
  ((handle_t*)handle)->magic = 0;
  free(handle);
  return inner;
}

#ifdef STANDIN_UNSETS
__attribute__((constructor)) static void unset(void) {
  unsetenv("STANDIN_UNSETS");
}
#endif

// ------------------------------------------------------------------------------------------------
// Threads, engines, stores

#ifdef STANDIN_WAMR
static __thread bool announced;

EXPORTED bool wasm_runtime_init_thread_env(void) {
  check(!announced, "a thread is announced twice");
  announced = true;
  return true;
}

EXPORTED void wasm_runtime_destroy_thread_env(void) {
  announced = false;
}

EXPORTED void wasm_runtime_get_version(uint32_t* major, uint32_t* minor, uint32_t* patch) {
  *major = 2, *minor = 4, *patch = 3;
}

static int log_level = 3;

EXPORTED void wasm_runtime_set_log_level(int level) {
  log_level = level;
}
#endif

static void check_thread(void) {
#ifdef STANDIN_WAMR
  check(announced, "this thread was not announced");
  if (log_level > 0) puts("stand-in: a message on the standard output");
#endif
}

EXPORTED void* wasm_engine_new(void) {
  void* config = INNER(void*, wasm_config_new, void)();
  check(INNER(bool, wasmrt_config_set_backend, void*, const char*)(config, "wasmi"),
        "there is no wasmi");
  return wrap(INNER(void*, wasm_engine_new_with_config, void*)(config));
}

EXPORTED void wasm_engine_delete(void* engine) {
  INNER(void, wasm_engine_delete, void*)(release(engine));
}

EXPORTED void* wasm_store_new(void* engine) {
  check_thread();
  return wrap(INNER(void*, wasm_store_new, void*)(unwrap(engine)));
}

EXPORTED void wasm_store_delete(void* store) {
  INNER(void, wasm_store_delete, void*)(release(store));
}

// ------------------------------------------------------------------------------------------------
// Vectors that the library makes

EXPORTED void wasm_byte_vec_new(vec_t* out, size_t size, const char* bytes) {
  vec_make(out, size, 1);
  if (size > 0) memcpy(out->data, bytes, size);
}

EXPORTED void wasm_byte_vec_delete(vec_t* vec) {
  vec_check(vec, 1);
  free(vec->data);
  memset(vec, 0, sizeof *vec);
}

EXPORTED void* wasm_valtype_new(uint8_t kind) {
  check(kind < 4 || kind == 128 || kind == 129, "a kind that the standard does not have");
  return wrap(INNER(void*, wasm_valtype_new, uint8_t)(kind));
}

EXPORTED void wasm_valtype_vec_new(vec_t* out, size_t size, void* const* types) {
  vec_make(out, size, sizeof(void*));
  if (size > 0) memcpy(out->data, types, size * sizeof(void*));
}

static inner_vec_t inner_types(vec_t* types) {
  vec_check(types, sizeof(void*));
  inner_vec_t inner;
  INNER(void, wasm_valtype_vec_new_uninitialized, inner_vec_t*, size_t)(&inner, types->size);
  for (size_t i = 0; i < types->size; i++)
    ((void**)inner.data)[i] = release(((void**)types->data)[i]);
  free(types->data);
  memset(types, 0, sizeof *types);
  return inner;
}

EXPORTED void* wasm_functype_new(vec_t* params, vec_t* results) {
  inner_vec_t inner_params = inner_types(params), inner_results = inner_types(results);
  return wrap(
      INNER(void*, wasm_functype_new, inner_vec_t*, inner_vec_t*)(&inner_params, &inner_results));
}

EXPORTED void wasm_functype_delete(void* type) {
  handle_t* handle = type;
  unwrap(handle);
  for (size_t i = 0; i < handle->params.size; i++) free(((void**)handle->params.data)[i]);
  for (size_t i = 0; i < handle->results.size; i++) free(((void**)handle->results.data)[i]);
  free(handle->params.data);
  free(handle->results.data);
  INNER(void, wasm_functype_delete, void*)(release(type));
}

EXPORTED void* wasm_globaltype_new(void* content, uint8_t mutability) {
  return wrap(INNER(void*, wasm_globaltype_new, void*, uint8_t)(release(content), mutability));
}

EXPORTED void wasm_globaltype_delete(void* type) {
  INNER(void, wasm_globaltype_delete, void*)(release(type));
}

EXPORTED void* wasm_tabletype_new(void* element, const limits_t* limits) {
  check(limits->max <= 10000000, "a table may grow until the machine has no memory");
  return wrap(INNER(void*, wasm_tabletype_new, void*, const limits_t*)(release(element), limits));
}

EXPORTED void wasm_tabletype_delete(void* type) {
  INNER(void, wasm_tabletype_delete, void*)(release(type));
}

EXPORTED void* wasm_memorytype_new(const limits_t* limits) {
  return wrap(INNER(void*, wasm_memorytype_new, const limits_t*)(limits));
}

EXPORTED void wasm_memorytype_delete(void* type) {
  INNER(void, wasm_memorytype_delete, void*)(release(type));
}

// ------------------------------------------------------------------------------------------------
// Modules

EXPORTED bool wasm_module_validate(void* store, const vec_t* binary) {
  vec_check(binary, 1);
  inner_vec_t inner = {binary->size, binary->data};
  return INNER(bool, wasm_module_validate, void*, inner_vec_t*)(unwrap(store), &inner);
}

EXPORTED void* wasm_module_new(void* store, const vec_t* binary) {
  check_thread();
  vec_check(binary, 1);
  inner_vec_t inner = {binary->size, binary->data};
  return wrap(INNER(void*, wasm_module_new, void*, inner_vec_t*)(unwrap(store), &inner));
}

EXPORTED void wasm_module_delete(void* module) {
  INNER(void, wasm_module_delete, void*)(release(module));
}

// ------------------------------------------------------------------------------------------------
// Externs: a handle is its own view

EXPORTED uint8_t wasm_extern_kind(const void* external) {
  return INNER(uint8_t, wasm_extern_kind, const void*)(unwrap(external));
}

#define VIEWS(name, number)                                           \
  EXPORTED void* wasm_##name##_as_extern(void* handle) {              \
    unwrap(handle);                                                   \
    return handle;                                                    \
  }                                                                   \
  EXPORTED void* wasm_extern_as_##name(void* handle) {                \
    /* through the address of the function, as compilers do it too */ \
    uint8_t (*volatile kind)(const void*) = wasm_extern_kind;         \
    return kind(handle) == number ? handle : NULL;                    \
  }                                                                   \
  EXPORTED void wasm_##name##_delete(void* handle) {                  \
    INNER(void, wasm_##name##_delete, void*)(release(handle));        \
  }
VIEWS(func, 0)
VIEWS(global, 1)
VIEWS(table, 2)
#ifndef STANDIN_LACKS
VIEWS(memory, 3)
#endif

EXPORTED void wasm_extern_delete(void* handle) {
  INNER(void, wasm_extern_delete, void*)(release(handle));
}

// In data that the linker writes, as tables of C++ classes are.
static void (*const deleters[])(void*) = {wasm_extern_delete, wasm_func_delete};

EXPORTED void wasm_extern_vec_delete(vec_t* vec) {
  vec_check(vec, sizeof(void*));
  for (size_t i = 0; i < vec->size; i++) deleters[0](((void**)vec->data)[i]);
  free(vec->data);
  memset(vec, 0, sizeof *vec);
}

// ------------------------------------------------------------------------------------------------
// Values

// References go through in a dialect that has them, or null.
static val_t into_inner(val_t value) {
  if (value.kind >= 128 && value.of.ref != NULL) {
#ifdef STANDIN_WASMER
    value.of.ref = unwrap(value.of.ref);
#else
    check(false, "a reference that is not null");
#endif
  }
  return value;
}

static val_t out_of_inner(val_t value) {
  if (value.kind >= 128 && value.of.ref != NULL) {
#ifdef STANDIN_WASMER
    value.of.ref = wrap_reference(value.of.ref);
#else
    check(false, "a reference that is not null came out");
#endif
  }
  return value;
}

// ------------------------------------------------------------------------------------------------
// Traps

EXPORTED void* wasm_trap_new(void* store, const vec_t* message) {
  vec_check(message, 1);
  check(message->size > 0 && ((char*)message->data)[message->size - 1] == 0,
        "a message without its zero");
  inner_vec_t inner = {message->size, message->data};
  return wrap(INNER(void*, wasm_trap_new, void*, inner_vec_t*)(unwrap(store), &inner));
}

EXPORTED void wasm_trap_message(const void* trap, vec_t* out) {
#ifdef STANDIN_WAMR
  const char* prefix = "Exception: ";
#elif defined STANDIN_WASMER
  const char* prefix = "RuntimeError: ";
#else
  const char* prefix = "";
#endif
  inner_vec_t inner;
  INNER(void, wasm_trap_message, const void*, inner_vec_t*)(unwrap(trap), &inner);
  char* text = malloc(strlen(prefix) + inner.size + 1);
  sprintf(text, "%s%s", prefix, (const char*)inner.data);
  wasm_byte_vec_new(out, strlen(text) + 1, text);
  free(text);
  INNER(void, wasm_byte_vec_delete, inner_vec_t*)(&inner);
}

EXPORTED void wasm_trap_delete(void* trap) {
  INNER(void, wasm_trap_delete, void*)(release(trap));
}

// ------------------------------------------------------------------------------------------------
// Functions

typedef void* (*callback_t)(void* env, const vec_t* args, vec_t* results);

typedef struct {
  callback_t callback;
  void* env;
} host_t;

static void* call_host(void* env, const inner_vec_t* args, inner_vec_t* results) {
  const host_t* host = env;
  vec_t outer_args, outer_results;
  vec_make(&outer_args, args->size, sizeof(val_t));
  vec_make(&outer_results, results->size, sizeof(val_t));
  for (size_t i = 0; i < args->size; i++)
    ((val_t*)outer_args.data)[i] = out_of_inner(((val_t*)args->data)[i]);
  for (size_t i = 0; i < results->size; i++) {
    val_t zero = {.kind = 1};
#ifndef STANDIN_WASMER
    zero.kind = ((val_t*)results->data)[i].kind;
#endif
    ((val_t*)outer_results.data)[i] = zero;
  }
  void* trap = host->callback(host->env, &outer_args, &outer_results);
  if (trap == NULL) {
    for (size_t i = 0; i < results->size; i++) {
      val_t value = ((val_t*)outer_results.data)[i];
      check(value.kind == ((val_t*)results->data)[i].kind,
            "a callback left a result of another kind");
      ((val_t*)results->data)[i] = into_inner(value);
      if (value.kind >= 128 && value.of.ref != NULL) release(value.of.ref);
    }
  }
  for (size_t i = 0; i < args->size; i++) {
    val_t arg = ((val_t*)outer_args.data)[i];
    if (arg.kind >= 128 && arg.of.ref != NULL) release(arg.of.ref);
  }
  free(outer_args.data);
  free(outer_results.data);
  return trap ? release(trap) : NULL;
}

EXPORTED void* wasm_func_new_with_env(void* store, const void* type, callback_t callback, void* env,
                                      void (*finalizer)(void*)) {
  check(finalizer == NULL, "no finalizer is expected");
  // wasmer makes no function then.
  if (env == NULL) return NULL;
  host_t* host = malloc(sizeof *host);
  *host = (host_t){callback, env};
  handle_t* func = wrap(INNER(void*, wasm_func_new_with_env, void*, const void*,
                              void* (*)(void*, const inner_vec_t*, inner_vec_t*), void*,
                              void (*)(void*))(unwrap(store), unwrap(type), call_host, host, free));
  func->is_host_func = true;
  return func;
}

EXPORTED void* wasm_func_call(const void* func, const vec_t* args, vec_t* results) {
  check_thread();
#ifdef STANDIN_ARRAYS
  // args are values, and results room for them: the caller's vectors are taken for that.
  val_t* room = (val_t*)results;
  inner_vec_t inner_args = {0, NULL}, inner_results = {1, room};
  (void)args;
  return wrap(INNER(void*, wasm_func_call, const void*, inner_vec_t*, inner_vec_t*)(
      unwrap(func), &inner_args, &inner_results));
#else
  vec_check(args, sizeof(val_t));
  vec_check(results, sizeof(val_t));
  check(!((const handle_t*)func)->is_host_func, "a host function is called from C");
  val_t* values = calloc(args->size + results->size + 1, sizeof *values);
  for (size_t i = 0; i < args->size; i++) values[i] = into_inner(((val_t*)args->data)[i]);
  inner_vec_t inner_args = {args->size, values},
              inner_results = {results->size, values + args->size};
  void* trap = INNER(void*, wasm_func_call, const void*, inner_vec_t*, inner_vec_t*)(
      unwrap(func), &inner_args, &inner_results);
  for (size_t i = 0; trap == NULL && i < results->size; i++)
    ((val_t*)results->data)[i] = out_of_inner(values[args->size + i]);
  free(values);
  return wrap(trap);
#endif
}

// ------------------------------------------------------------------------------------------------
// Globals, tables, memories

EXPORTED void* wasm_global_new(void* store, const void* type, const val_t* value) {
  val_t inner = into_inner(*value);
  return wrap(INNER(void*, wasm_global_new, void*, const void*, const val_t*)(
      unwrap(store), unwrap(type), &inner));
}

EXPORTED void wasm_global_get(const void* global, val_t* out) {
  val_t inner;
  INNER(void, wasm_global_get, const void*, val_t*)(unwrap(global), &inner);
  *out = out_of_inner(inner);
}

EXPORTED void wasm_global_set(void* global, const val_t* value) {
  val_t inner = into_inner(*value);
  INNER(void, wasm_global_set, void*, const val_t*)(unwrap(global), &inner);
}

static void* inner_ref(void* ref) {
#ifndef STANDIN_WASMER
  check(ref == NULL, "a reference that is not null");
#endif
  return ref ? unwrap(ref) : NULL;
}

static void check_room(void) {
#ifdef STANDIN_WAMR
  check(false, "the host's memories and tables are empty shells");
#endif
}

EXPORTED void* wasm_table_new(void* store, const void* type, void* init) {
  check_room();
  return wrap(INNER(void*, wasm_table_new, void*, const void*, void*)(unwrap(store), unwrap(type),
                                                                      inner_ref(init)));
}

// Whether no element comes out of a table.
EXPORTED bool standin_no_elements;

EXPORTED void* wasm_table_get(const void* table, uint32_t index) {
  if (standin_no_elements) return NULL;
  return wrap_reference(INNER(void*, wasm_table_get, const void*, uint32_t)(unwrap(table), index));
}

EXPORTED bool wasm_table_set(void* table, uint32_t index, void* ref) {
  return INNER(bool, wasm_table_set, void*, uint32_t, void*)(unwrap(table), index, inner_ref(ref));
}

EXPORTED uint32_t wasm_table_size(const void* table) {
  return INNER(uint32_t, wasm_table_size, const void*)(unwrap(table));
}

EXPORTED bool wasm_table_grow(void* table, uint32_t delta, void* init) {
  check_room();
  return INNER(bool, wasm_table_grow, void*, uint32_t, void*)(unwrap(table), delta,
                                                              inner_ref(init));
}

#ifndef STANDIN_LACKS
EXPORTED void* wasm_memory_new(void* store, const void* type) {
  check_room();
  return wrap(INNER(void*, wasm_memory_new, void*, const void*)(unwrap(store), unwrap(type)));
}

EXPORTED size_t wasm_memory_data_size(const void* memory) {
  return INNER(size_t, wasm_memory_data_size, const void*)(unwrap(memory));
}

EXPORTED char* wasm_memory_data(void* memory) {
  if (wasm_memory_data_size(memory) == 0) return NULL;
  return INNER(char*, wasm_memory_data, void*)(unwrap(memory));
}

EXPORTED uint32_t wasm_memory_size(const void* memory) {
#ifdef STANDIN_WAMR
  // As if no instruction made it grow.
  if (wasm_memory_data_size(memory) > 0) return 1;
#endif
  return INNER(uint32_t, wasm_memory_size, const void*)(unwrap(memory));
}

EXPORTED bool wasm_memory_grow(void* memory, uint32_t delta) {
  check_room();
  return INNER(bool, wasm_memory_grow, void*, uint32_t)(unwrap(memory), delta);
}
#endif

// ------------------------------------------------------------------------------------------------
// Instances

static void* instantiate(void* store, const void* module, const vec_t* imports, void** trap) {
  check_thread();
  vec_check(imports, sizeof(void*));
  void** externs = calloc(imports->size + 1, sizeof *externs);
  for (size_t i = 0; i < imports->size; i++) {
    const handle_t* import = ((void**)imports->data)[i];
    externs[i] = unwrap(import);
#ifdef STANDIN_WAMR
    check(!import->is_export || wasm_extern_kind(import) == 1,
          "an export of another instance is imported");
#endif
  }
  inner_vec_t inner = {imports->size, externs};
  void* inner_trap = NULL;
  void* instance = INNER(void*, wasm_instance_new, void*, const void*, inner_vec_t*, void**)(
      unwrap(store), unwrap(module), &inner, &inner_trap);
  free(externs);
  if (trap) *trap = wrap(inner_trap);
  return wrap(instance);
}

EXPORTED void* wasm_instance_new(void* store, const void* module, const vec_t* imports,
                                 void** trap) {
#ifdef STANDIN_WAMR
  check(false, "this adds a heap to the guest's memory");
#endif
  return instantiate(store, module, imports, trap);
}

#ifdef STANDIN_WAMR
EXPORTED void* wasm_instance_new_with_args(void* store, const void* module, const vec_t* imports,
                                           void** trap, uint32_t stack, uint32_t heap) {
  check(stack > 0 && heap == 0, "an instance without stack, or with a heap");
  return instantiate(store, module, imports, trap);
}
#endif

EXPORTED void wasm_instance_exports(const void* instance, vec_t* out) {
  check(out->size == 0 && out->data == NULL, "an empty vector has an array");
  inner_vec_t inner;
  INNER(void, wasm_instance_exports, const void*, inner_vec_t*)(unwrap(instance), &inner);
  vec_make(out, inner.size, sizeof(void*));
  for (size_t i = 0; i < inner.size; i++) {
    handle_t* export = wrap(((void**)inner.data)[i]);
    export->is_export = true;
    ((void**)out->data)[i] = export;
    ((void**)inner.data)[i] = NULL;
  }
  INNER(void, wasm_extern_vec_delete, inner_vec_t*)(&inner);
}

EXPORTED void wasm_instance_delete(void* instance) {
  INNER(void, wasm_instance_delete, void*)(release(instance));
}

// ------------------------------------------------------------------------------------------------

#ifdef STANDIN_WASMER
EXPORTED const char* wasmer_version(void) {
  return "7.4.2";
}

EXPORTED int wasmer_last_error_length(void) {
  const char* message = INNER(const char*, wasmrt_last_error_message, void)();
  return message ? (int)strlen(message) + 1 : 0;
}

EXPORTED int wasmer_last_error_message(char* buffer, int length) {
  const char* message = INNER(const char*, wasmrt_last_error_message, void)();
  return message ? snprintf(buffer, (size_t)length, "%s", message) : 0;
}

EXPORTED void* wasm_foreign_new(void* store) {
  return wrap_reference(INNER(void*, wasm_foreign_new, void*)(unwrap(store)));
}

EXPORTED void wasm_foreign_delete(void* foreign) {
  INNER(void, wasm_foreign_delete, void*)(release(foreign));
}

EXPORTED void wasm_foreign_set_host_info(void* foreign, void* info) {
  INNER(void, wasm_foreign_set_host_info, void*, void*)(unwrap(foreign), info);
}

EXPORTED void* wasm_foreign_as_ref(void* foreign) {
  unwrap(foreign);
  return foreign;
}

EXPORTED void* wasm_ref_get_host_info(const void* ref) {
  return INNER(void*, wasm_ref_get_host_info, const void*)(unwrap(ref));
}

// Without LLVM: the number of the compiler of the engine that was made last.
EXPORTED uint32_t standin_compiler;

EXPORTED bool wasmer_is_backend_available(uint32_t compiler) {
  return compiler == 0 || compiler == 2;
}

EXPORTED void* wasm_config_new(void) {
  return wrap(calloc(1, sizeof(uint32_t)));
}

EXPORTED void wasm_config_set_backend(void* config, uint32_t compiler) {
  *(uint32_t*)unwrap(config) = compiler;
}

#ifndef STANDIN_NO_TYPES
EXPORTED void* wasm_engine_new_with_config(void* config) {
  uint32_t* compiler = release(config);
  check(wasmer_is_backend_available(*compiler), "a compiler that it does not have");
  standin_compiler = *compiler;
  free(compiler);
  return wasm_engine_new();
}
#endif

static void* copy_of_ref(const void* inner) {
  return wrap_reference(INNER(void*, wasm_ref_copy, const void*)(inner));
}

// Both make something new, which the caller has to delete.
EXPORTED void* wasm_func_as_ref(void* func) {
  check(!((handle_t*)func)->is_host_func, "a host function as a reference ends the process");
  return copy_of_ref(INNER(void*, wasm_func_as_ref, void*)(unwrap(func)));
}

EXPORTED void* wasm_ref_as_func(void* ref) {
  void* func = INNER(void*, wasm_ref_as_func, void*)(unwrap(ref));
  return wrap_reference(func ? INNER(void*, wasm_func_copy, const void*)(func) : NULL);
}

EXPORTED void* wasm_ref_copy(const void* ref) {
  return copy_of_ref(unwrap(ref));
}

EXPORTED void wasm_ref_delete(void* ref) {
  INNER(void, wasm_ref_delete, void*)(release(ref));
}

static void describe(const inner_vec_t* inner, vec_t* out) {
  vec_make(out, inner->size, sizeof(void*));
  for (size_t i = 0; i < inner->size; i++) ((void**)out->data)[i] = wrap(((void**)inner->data)[i]);
}

EXPORTED uint8_t wasm_valtype_kind(const void* type) {
  uint8_t kind = INNER(uint8_t, wasm_valtype_kind, const void*)(unwrap(type));
  check(kind < 4 || kind == 128 || kind == 129, "a type that it cannot describe");
  return kind;
}

EXPORTED const vec_t* wasm_functype_params(const void* type) {
  unwrap(type);
  return &((const handle_t*)type)->params;
}

#ifndef STANDIN_NO_TYPES
EXPORTED const vec_t* wasm_functype_results(const void* type) {
  unwrap(type);
  return &((const handle_t*)type)->results;
}
#endif

EXPORTED void* wasm_func_type(const void* func) {
  handle_t* type = wrap(INNER(void*, wasm_func_type, const void*)(unwrap(func)));
  describe(INNER(inner_vec_t*, wasm_functype_params, const void*)(type->inner), &type->params);
  describe(INNER(inner_vec_t*, wasm_functype_results, const void*)(type->inner), &type->results);
  for (size_t i = 0; i < type->params.size; i++) wasm_valtype_kind(((void**)type->params.data)[i]);
  for (size_t i = 0; i < type->results.size; i++)
    wasm_valtype_kind(((void**)type->results.data)[i]);
  return type;
}
#endif
