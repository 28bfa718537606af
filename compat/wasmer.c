// The names of wasmer.h, over wasm.h and wasmrt.h.

#define _XOPEN_SOURCE 700   // tsearch, fcntl
#define WASMRT_WASMER_ABI 0 // the functions with two forms are declared below
#include "wasmrt-wasmer.h"

#include "operators.h"

#include <fcntl.h>
#include <pthread.h>
#include <search.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// -------------------------------------------------------------------------------------------------
// Errors

// The message of the last failure here, unless libwasmrt has a later one.
static _Thread_local char own_message[512];

__attribute__((format(printf, 1, 2))) static void fail(const char* format, ...) {
  wasmrt_last_error_clear();
  va_list values;
  va_start(values, format);
  vsnprintf(own_message, sizeof own_message, format, values);
  va_end(values);
}

static const char* last_message(void) {
  const char* message = wasmrt_last_error_message();
  return message ? message : own_message;
}

static void forget_message(void) {
  wasmrt_last_error_clear();
  own_message[0] = 0;
}

static int size_for_int(size_t length) {
  return length < INT32_MAX ? (int)length + 1 : INT32_MAX;
}

int wasmer_last_error_length(void) {
  size_t length = strlen(last_message());
  return length > 0 ? size_for_int(length) : 0;
}

int wasmer_last_error_message(char* buffer, int length) {
  if (!buffer) return -1;
  int size = wasmer_last_error_length();
  bool fits = size <= length;
  if (size > 0 && fits) memcpy(buffer, last_message(), (size_t)size);
  forget_message();
  return fits ? size : -1;
}

// -------------------------------------------------------------------------------------------------
// The objects of this library. A pointer is only followed if it is one of those that are alive.

typedef enum kind_t {
  CONFIG,
  ENVIRONMENT,
  NAMED_EXTERN,
  FEATURES,
  TRIPLE,
  CPU_FEATURES,
  TARGET,
  FUNCENV,
  METERING,
  MIDDLEWARE,
} kind_t;

static const char* const kind_names[] = {
    [CONFIG] = "a WASI configuration",
    [ENVIRONMENT] = "a WASI environment",
    [NAMED_EXTERN] = "a named extern",
    [FEATURES] = "a set of features",
    [TRIPLE] = "a target triple",
    [CPU_FEATURES] = "a set of a processor's features",
    [TARGET] = "a target",
    [FUNCENV] = "a function's environment",
    [METERING] = "a metering",
    [MIDDLEWARE] = "a middleware",
};

// What every object begins with.
typedef struct object_t {
  kind_t kind;
} object_t;

static pthread_mutex_t live_lock = PTHREAD_MUTEX_INITIALIZER;
static void* live; // a tree of tsearch, of the objects' addresses

static int compare_addresses(const void* left, const void* right) {
  return ((uintptr_t)left > (uintptr_t)right) - ((uintptr_t)left < (uintptr_t)right);
}

// Returns a new object, all zero but for its kind, or NULL.
static void* object_new(kind_t kind, size_t size) {
  object_t* object = calloc(1, size);
  bool kept = false;
  if (object) {
    object->kind = kind;
    pthread_mutex_lock(&live_lock);
    kept = tsearch(object, &live, compare_addresses) != NULL;
    pthread_mutex_unlock(&live_lock);
  }
  if (kept) return object;
  free(object);
  fail("there is not enough memory for %s", kind_names[kind]);
  return NULL;
}

// Returns whether something is a live object of a kind. Deleted ones, and what others made, are not.
static bool is(const void* object, kind_t kind) {
  pthread_mutex_lock(&live_lock);
  bool found =
      object && tfind(object, &live, compare_addresses) && ((const object_t*)object)->kind == kind;
  pthread_mutex_unlock(&live_lock);
  return found;
}

static bool require(const void* object, kind_t kind) {
  if (is(object, kind)) return true;
  if (!object)
    fail("%s is NULL", kind_names[kind]);
  else
    fail("this is not %s, or one that was deleted or taken", kind_names[kind]);
  return false;
}

// Ends an object's life, so that its parts may be freed. Does nothing, and says so, for NULL.
static bool retire(const void* object, kind_t kind) {
  if (!object) return false;
  // At once, so that of two threads only one succeeds.
  pthread_mutex_lock(&live_lock);
  bool retired = tfind(object, &live, compare_addresses) && ((const object_t*)object)->kind == kind;
  if (retired) tdelete(object, &live, compare_addresses);
  pthread_mutex_unlock(&live_lock);
  if (!retired) require(object, kind); // says why
  return retired;
}

// Frees an object that has been retired, but not at once: bindings delete what was taken from them once
// more, when their garbage is collected, and must not hit what is new at the same address.
static void release(void* object) {
  static void* resting[256];
  static size_t next;
  pthread_mutex_lock(&live_lock);
  void* oldest = resting[next];
  resting[next] = object;
  next = (next + 1) % (sizeof resting / sizeof *resting);
  pthread_mutex_unlock(&live_lock);
  free(oldest);
}

static void delete_plain(void* object, kind_t kind) {
  if (retire(object, kind)) release(object);
}

// -------------------------------------------------------------------------------------------------
// Versions, text

const char* wasmer_version(void) {
  return wasmrt_version();
}

uint8_t wasmer_version_major(void) {
  return (uint8_t)(wasmrt_version_number() >> 16);
}

uint8_t wasmer_version_minor(void) {
  return (uint8_t)(wasmrt_version_number() >> 8);
}

uint8_t wasmer_version_patch(void) {
  return (uint8_t)wasmrt_version_number();
}

const char* wasmer_version_pre(void) {
  const char* dash = strchr(wasmrt_version(), '-');
  return dash ? dash + 1 : "";
}

void wat2wasm(const wasm_byte_vec_t* wat, wasm_byte_vec_t* out) {
  wasmrt_wat2wasm(wat ? wat->data : NULL, wat ? wat->size : 0, out);
}

void wasmer_setup_tracing(int verbosity_level, int use_color) {
  (void)verbosity_level, (void)use_color;
  fail(
      "wasmer_setup_tracing: this library prints nothing; wasmrt_log_set_callback gets its "
      "warnings");
}

// -------------------------------------------------------------------------------------------------
// Configuration: features

// The proposals that wasmer.h has functions for.
enum { PROPOSALS = WASMRT_PROPOSAL_THREADS + 1 };

struct wasmer_features_t {
  object_t object;
  bool named[PROPOSALS], enabled[PROPOSALS];
};

wasmer_features_t* wasmer_features_new(void) {
  return object_new(FEATURES, sizeof(wasmer_features_t));
}

void wasmer_features_delete(wasmer_features_t* features) {
  delete_plain(features, FEATURES);
}

static bool set_feature(wasmer_features_t* features, wasmrt_proposal_t proposal, bool enable) {
  if (!require(features, FEATURES)) return false;
  features->named[proposal] = true;
  features->enabled[proposal] = enable;
  return true;
}

#define FEATURE(name, proposal)                                           \
  bool wasmer_features_##name(wasmer_features_t* features, bool enable) { \
    return set_feature(features, WASMRT_PROPOSAL_##proposal, enable);     \
  }
FEATURE(bulk_memory, BULK_MEMORY)
FEATURE(exceptions, EXCEPTIONS)
FEATURE(extended_const, EXTENDED_CONST)
FEATURE(memory64, MEMORY64)
FEATURE(multi_memory, MULTI_MEMORY)
FEATURE(multi_value, MULTI_VALUE)
FEATURE(reference_types, REFERENCE_TYPES)
FEATURE(relaxed_simd, RELAXED_SIMD)
FEATURE(simd, SIMD)
FEATURE(tail_call, TAIL_CALL)
FEATURE(threads, THREADS)
FEATURE(wide_arithmetic, WIDE_ARITHMETIC)

bool wasmer_features_module_linking(wasmer_features_t* features, bool enable) {
  if (!require(features, FEATURES)) return false;
  if (enable) fail("module linking is not supported; link instances with wasmrt_linker_new");
  return !enable;
}

// -------------------------------------------------------------------------------------------------
// Configuration: targets

struct wasmer_triple_t {
  object_t object;
  bool is_host;
  char name[];
};

struct wasmer_cpu_features_t {
  object_t object;
  uint32_t set; // of `cpu_features`
};

struct wasmer_target_t {
  object_t object;
  wasmer_triple_t* triple;
  wasmer_cpu_features_t* features;
};

#if defined(__x86_64__)
#define HOST_ARCHITECTURE "x86_64"
#elif defined(__aarch64__)
#define HOST_ARCHITECTURE "aarch64"
#elif defined(__riscv)
#define HOST_ARCHITECTURE "riscv64gc"
#elif defined(__s390x__)
#define HOST_ARCHITECTURE "s390x"
#else
#define HOST_ARCHITECTURE "unknown"
#endif
#if defined(__GLIBC__)
#define HOST_TRIPLE HOST_ARCHITECTURE "-unknown-linux-gnu"
#else
#define HOST_TRIPLE HOST_ARCHITECTURE "-unknown-linux-musl"
#endif

static wasmer_triple_t* triple_new(const char* name, size_t size) {
  wasmer_triple_t* triple = object_new(TRIPLE, sizeof *triple + size + 1);
  if (!triple) return NULL;
  memcpy(triple->name, name, size);
  triple->is_host = strcmp(triple->name, HOST_TRIPLE) == 0;
  return triple;
}

// Names are given with and without their final zero.
static size_t name_size(const wasm_name_t* name) {
  return name->size > 0 && name->data[name->size - 1] == 0 ? name->size - 1 : name->size;
}

wasmer_triple_t* wasmer_triple_new(const wasm_name_t* triple) {
  if (!triple || !triple->data) {
    fail("a target triple is NULL");
    return NULL;
  }
  size_t size = name_size(triple), parts = 1;
  for (size_t i = 0; i < size; i++) {
    char c = triple->data[i];
    bool is_part = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                   c == '_' || c == '.';
    bool is_dash = c == '-' && i > 0 && triple->data[i - 1] != '-' && i + 1 < size;
    parts += is_dash;
    if (!is_part && !is_dash) parts = SIZE_MAX / 2; // not to be mended by what follows
  }
  if (parts >= 2 && parts <= 5) return triple_new(triple->data, size);
  fail("this is not a target triple, such as \"" HOST_TRIPLE "\": \"%.*s\"",
       (int)(size < 100 ? size : 100), triple->data);
  return NULL;
}

wasmer_triple_t* wasmer_triple_new_from_host(void) {
  return triple_new(HOST_TRIPLE, strlen(HOST_TRIPLE));
}

void wasmer_triple_delete(wasmer_triple_t* triple) {
  delete_plain(triple, TRIPLE);
}

// wasmer's names of a processor's features, and those of wasmrt_config_enable_cpu_feature. What every
// processor of the architecture has needs no name there.
static const struct {
  const char *name, *of_compiler;
} cpu_features[] = {
    {"sse2", NULL},
    {"sse3", "has_sse3"},
    {"ssse3", "has_ssse3"},
    {"sse4.1", "has_sse41"},
    {"sse4.2", "has_sse42"},
    {"popcnt", "has_popcnt"},
    {"avx", "has_avx"},
    {"avx2", "has_avx2"},
    {"bmi", "has_bmi1"},
    {"bmi2", "has_bmi2"},
    {"avx512dq", "has_avx512dq"},
    {"avx512vl", "has_avx512vl"},
    {"avx512f", "has_avx512f"},
    {"lzcnt", "has_lzcnt"},
    {"neon", NULL},
};
enum { CPU_FEATURE_COUNT = sizeof cpu_features / sizeof *cpu_features };

wasmer_cpu_features_t* wasmer_cpu_features_new(void) {
  return object_new(CPU_FEATURES, sizeof(wasmer_cpu_features_t));
}

void wasmer_cpu_features_delete(wasmer_cpu_features_t* features) {
  delete_plain(features, CPU_FEATURES);
}

bool wasmer_cpu_features_add(wasmer_cpu_features_t* features, const wasm_name_t* feature) {
  if (!require(features, CPU_FEATURES)) return false;
  if (!feature || !feature->data) {
    fail("the name of a processor's feature is NULL");
    return false;
  }
  size_t size = name_size(feature);
  for (size_t i = 0; i < CPU_FEATURE_COUNT; i++) {
    const char* name = cpu_features[i].name;
    if (strlen(name) == size && memcmp(name, feature->data, size) == 0) {
      features->set |= UINT32_C(1) << i;
      return true;
    }
  }
  fail("a processor's feature is unknown: \"%.*s\"", (int)(size < 100 ? size : 100), feature->data);
  return false;
}

wasmer_target_t* wasmer_target_new(wasmer_triple_t* triple, wasmer_cpu_features_t* features) {
  bool has_both = require(triple, TRIPLE) && require(features, CPU_FEATURES);
  wasmer_target_t* target = has_both ? object_new(TARGET, sizeof *target) : NULL;
  bool has_triple = is(triple, TRIPLE) && retire(triple, TRIPLE);
  bool has_features = is(features, CPU_FEATURES) && retire(features, CPU_FEATURES);
  if (target) {
    target->triple = triple;
    target->features = features;
  } else {
    if (has_triple) release(triple);
    if (has_features) release(features);
  }
  return target;
}

void wasmer_target_delete(wasmer_target_t* target) {
  if (!retire(target, TARGET)) return;
  release(target->triple);
  release(target->features);
  release(target);
}

// -------------------------------------------------------------------------------------------------
// Configuration: setting

// Refuses a setting in a configuration. No engine may be made for it then: this asks for a feature that
// no processor has, since what was asked for is not forgotten.
static void refuse(wasm_config_t* config, const char* setting) {
  if (!config) {
    fail("a configuration is NULL");
    return;
  }
  wasmrt_config_enable_cpu_feature(config, setting);
  fail("not supported: %s", setting);
}

static bool set_compiler(wasm_config_t* config, wasmer_compiler_t compiler) {
  switch (compiler) {
    case CRANELIFT: return wasmrt_config_set_compiler(config, WASMRT_COMPILER_CRANELIFT);
    case SINGLEPASS: return wasmrt_config_set_compiler(config, WASMRT_COMPILER_WINCH);
    default: return false;
  }
}

static bool set_backend(wasm_config_t* config, wasmer_backend_t backend) {
  switch (backend) {
    case CRANELIFT:
    case SINGLEPASS:
      return wasmrt_config_set_backend(config, "wasmtime") && set_compiler(config, backend);
    case WASMI: return wasmrt_config_set_backend(config, "wasmi");
    default: return false;
  }
}

static bool set_engine(wasm_config_t* config, wasmer_engine_t engine) {
  return config && (engine == UNIVERSAL || engine == DYLIB);
}

void wasm_config_set_compiler(wasm_config_t* config, wasmer_compiler_t compiler) {
  static const char* const names[] = {"the compiler Cranelift", "the compiler LLVM",
                                      "the compiler Singlepass"};
  if (set_compiler(config, compiler)) return;
  refuse(config, (unsigned)compiler < 3 ? names[compiler] : "an unknown compiler");
}

void wasm_config_set_backend(wasm_config_t* config, wasmer_backend_t backend) {
  static const char* const names[] = {
      "the backend Cranelift", "the backend LLVM",  "the backend Singlepass", "a headless backend",
      "the backend V8",        "the backend wasmi", "the backend WAMR",       "the backend JSC"};
  if (set_backend(config, backend)) return;
  refuse(config, (unsigned)backend < 8 ? names[backend] : "an unknown backend");
}

void wasm_config_set_engine(wasm_config_t* config, wasmer_engine_t engine) {
  if (set_engine(config, engine)) return;
  refuse(config, engine == STATICLIB ? "object files (STATICLIB)" : "an unknown engine");
}

// Returns whether an engine can be made with a configuration, which it takes. Leaves no message.
static bool can_make(wasm_config_t* config, bool is_set) {
  wasm_engine_t* engine = is_set ? wasm_engine_new_with_config(config) : NULL;
  if (!is_set) wasm_config_delete(config);
  bool made = engine != NULL;
  wasm_engine_delete(engine);
  if (!made) forget_message();
  return made;
}

bool wasmer_is_compiler_available(wasmer_compiler_t compiler) {
  wasm_config_t* config = wasm_config_new();
  return can_make(config, set_compiler(config, compiler));
}

bool wasmer_is_backend_available(wasmer_backend_t backend) {
  wasm_config_t* config = wasm_config_new();
  return can_make(config, set_backend(config, backend));
}

bool wasmer_is_engine_available(wasmer_engine_t engine) {
  wasm_config_t* config = wasm_config_new();
  return can_make(config, set_engine(config, engine));
}

bool wasmer_is_headless(void) {
  return false;
}

void wasm_config_set_features(wasm_config_t* config, wasmer_features_t* features) {
  if (!features) {
    refuse(config, "features that are NULL");
    return;
  }
  if (!retire(features, FEATURES)) {
    refuse(config, "features that were deleted or taken");
    return;
  }
  if (!config) fail("a configuration is NULL");
  // An engine cannot have the one without the other.
  if (features->named[WASMRT_PROPOSAL_SIMD] && !features->enabled[WASMRT_PROPOSAL_SIMD])
    features->named[WASMRT_PROPOSAL_RELAXED_SIMD] = true;
  for (wasmrt_proposal_t proposal = 1; proposal < PROPOSALS; proposal++) {
    if (features->named[proposal])
      wasmrt_config_set_proposal(config, proposal, features->enabled[proposal]);
  }
  release(features);
}

void wasm_config_set_target(wasm_config_t* config, wasmer_target_t* target) {
  if (!is(target, TARGET)) {
    refuse(config, target ? "a target that was deleted or taken" : "a target that is NULL");
    return;
  }
  if (!config) fail("a configuration is NULL");
  // For this machine, every backend makes what it can run.
  if (!target->triple->is_host) wasmrt_config_set_target(config, target->triple->name);
  for (size_t i = 0; i < CPU_FEATURE_COUNT; i++) {
    bool is_asked = target->features->set >> i & 1;
    if (is_asked && cpu_features[i].of_compiler)
      wasmrt_config_enable_cpu_feature(config, cpu_features[i].of_compiler);
  }
  wasmer_target_delete(target);
}

void wasm_config_canonicalize_nans(wasm_config_t* config, bool enable) {
  wasmrt_config_set_deterministic(config, enable);
}

void wasm_config_sys_canonicalize_nans(wasm_config_t* config, bool enable) {
  wasmrt_config_set_deterministic(config, enable);
}

// -------------------------------------------------------------------------------------------------
// Modules and functions

wasm_module_t* wasmer_module_new(wasm_engine_t* engine, const wasm_byte_vec_t* bytes) {
  // The module keeps the store.
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = store ? wasm_module_new(store, bytes) : NULL;
  wasm_store_delete(store);
  return module;
}

void wasmer_module_name(const wasm_module_t* module, wasm_name_t* out) {
  wasmrt_module_name(module, out);
}

bool wasmer_module_set_name(wasm_module_t* module, const wasm_name_t* name) {
  if (!name) {
    fail("a name is NULL");
    return false;
  }
  return wasmrt_module_set_name(module, name->data ? name->data : "", name->size);
}

struct wasmer_funcenv_t {
  object_t object;
};

wasmer_funcenv_t* wasmer_funcenv_new(wasm_store_t* store, void* data) {
  (void)data;
  if (store) return object_new(FUNCENV, sizeof(wasmer_funcenv_t));
  fail("a store is NULL");
  return NULL;
}

void wasmer_funcenv_delete(wasmer_funcenv_t* funcenv) {
  delete_plain(funcenv, FUNCENV);
}

// -------------------------------------------------------------------------------------------------
// Metering

struct wasmer_metering_t {
  object_t object; // METERING, or MIDDLEWARE later
  uint64_t points;
  wasmer_metering_cost_function_t cost;
};

static uint64_t cost_of(void* metering, uint32_t opcode) {
  int number = operator_of(opcode);
  wasmer_metering_cost_function_t cost = ((wasmer_metering_t*)metering)->cost;
  return number < 0 ? UINT64_MAX : cost((wasmer_parser_operator_t)number);
}

wasmer_metering_t* wasmer_metering_new(uint64_t initial_limit,
                                       wasmer_metering_cost_function_t cost_function) {
  if (!cost_function) {
    fail("the function of costs is NULL");
    return NULL;
  }
  wasmer_metering_t* metering = object_new(METERING, sizeof *metering);
  if (!metering) return NULL;
  metering->points = initial_limit;
  metering->cost = cost_function;
  return metering;
}

void wasmer_metering_delete(wasmer_metering_t* metering) {
  delete_plain(metering, METERING);
}

wasmer_middleware_t* wasmer_metering_as_middleware(wasmer_metering_t* metering) {
  if (!require(metering, METERING)) return NULL;
  metering->object.kind = MIDDLEWARE;
  return (wasmer_middleware_t*)metering;
}

void wasm_config_push_middleware(wasm_config_t* config, wasmer_middleware_t* middleware) {
  if (!is(middleware, MIDDLEWARE)) {
    refuse(config, middleware ? "a middleware that was taken" : "a middleware that is NULL");
    return;
  }
  retire(middleware, MIDDLEWARE);
  wasmer_metering_t* metering = (wasmer_metering_t*)middleware;
  if (!wasmrt_config_set_metering(config, metering->points, cost_of, metering, release))
    refuse(config, "more than one middleware");
}

// Returns a global that a metered instance exports, own, if it has values of a kind.
static wasm_global_t* metering_global(const wasm_instance_t* instance, const char* name,
                                      wasm_valkind_t kind, wasm_val_t* value) {
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  const wasm_global_t* found = export ? wasm_extern_as_global(export) : NULL;
  wasm_global_t* global = found ? wasm_global_copy(found) : NULL;
  wasm_extern_delete(export);
  if (global) {
    wasm_global_get(global, value);
    if (value->kind == kind) return global;
    wasm_val_delete(value);
    wasm_global_delete(global);
  }
  if (instance) fail("the instance is not metered; wasm_config_push_middleware configures that");
  return NULL;
}

static const char points_name[] = "wasmrt_points", exhausted_name[] = "wasmrt_points_exhausted";

bool wasmer_metering_points_are_exhausted(wasm_instance_t* instance) {
  wasm_val_t exhausted;
  wasm_global_t* global = metering_global(instance, exhausted_name, WASM_I32, &exhausted);
  wasm_global_delete(global);
  return global && exhausted.of.i32 != 0;
}

uint64_t wasmer_metering_get_remaining_points(wasm_instance_t* instance) {
  wasm_val_t points;
  wasm_global_t* global = metering_global(instance, points_name, WASM_I64, &points);
  wasm_global_delete(global);
  if (!global) return 0;
  return wasmer_metering_points_are_exhausted(instance) ? UINT64_MAX : (uint64_t)points.of.i64;
}

void wasmer_metering_set_remaining_points(wasm_instance_t* instance, uint64_t new_limit) {
  wasm_val_t old;
  wasm_global_t* points = metering_global(instance, points_name, WASM_I64, &old);
  if (!points) return;
  wasm_global_t* exhausted = metering_global(instance, exhausted_name, WASM_I32, &old);
  if (exhausted) {
    wasm_val_t value = WASM_I64_VAL((int64_t)new_limit), no = WASM_I32_VAL(0);
    wasm_global_set(points, &value);
    wasm_global_set(exhausted, &no);
  }
  wasm_global_delete(exhausted);
  wasm_global_delete(points);
}

// -------------------------------------------------------------------------------------------------
// WASI: configuration

enum { STREAMS = 3, MOST_CAPTURED = 256 << 20 };

struct wasi_config_t {
  object_t object;
  wasmrt_wasi_config_t* config;
  bool captured[STREAMS];
  char* problem; // the first one of those functions that return nothing
};

static void note_problem(wasi_config_t* config) {
  if (!config->problem) config->problem = strdup(last_message());
}

static void config_delete(wasi_config_t* config) {
  if (!retire(config, CONFIG)) return;
  wasmrt_wasi_config_delete(config->config);
  free(config->problem);
  release(config);
}

wasi_config_t* wasi_config_new(const char* program_name) {
  wasi_config_t* config = object_new(CONFIG, sizeof *config);
  if (!config) return NULL;
  config->config = wasmrt_wasi_config_new();
  if (wasmrt_wasi_config_arg(config->config, program_name) &&
      wasmrt_wasi_config_virtual_root(config->config, true))
    return config;
  config_delete(config);
  return NULL;
}

void wasi_config_arg(wasi_config_t* config, const char* arg) {
  if (require(config, CONFIG) && !wasmrt_wasi_config_arg(config->config, arg)) note_problem(config);
}

void wasi_config_env(wasi_config_t* config, const char* key, const char* value) {
  if (require(config, CONFIG) && !wasmrt_wasi_config_env(config->config, key, value))
    note_problem(config);
}

bool wasi_config_preopen_dir(wasi_config_t* config, const char* dir) {
  return wasi_config_mapdir(config, dir, dir);
}

bool wasi_config_mapdir(wasi_config_t* config, const char* alias, const char* dir) {
  return require(config, CONFIG) &&
         wasmrt_wasi_config_preopen(config->config, dir, alias, WASMRT_WASI_READ_WRITE);
}

static void set_captured(wasi_config_t* config, wasmrt_wasi_stream_t stream, bool captured) {
  if (require(config, CONFIG)) config->captured[stream] = captured;
}

void wasi_config_capture_stdin(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDIN, true);
}

void wasi_config_capture_stdout(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDOUT, true);
}

void wasi_config_capture_stderr(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDERR, true);
}

void wasi_config_inherit_stdin(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDIN, false);
}

void wasi_config_inherit_stdout(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDOUT, false);
}

void wasi_config_inherit_stderr(wasi_config_t* config) {
  set_captured(config, WASMRT_WASI_STDERR, false);
}

// -------------------------------------------------------------------------------------------------
// WASI: environments

struct wasi_env_t {
  object_t object;
  // Until there is a store.
  wasmrt_wasi_config_t* config;
  // For this store, which the context keeps.
  wasmrt_wasi_t* wasi;
  const wasm_store_t* store;
  bool captured[STREAMS];
  bool is_bound;
};

// Makes the environment's context for a store, or checks that it is for that one.
static bool has_context(wasi_env_t* env, wasm_store_t* store) {
  if (!env->wasi) {
    env->wasi = wasmrt_wasi_new(store, env->config);
    if (!env->wasi) return false;
    env->store = store;
    wasmrt_wasi_config_delete(env->config);
    env->config = NULL;
  }
  if (!store || store == env->store) return true;
  fail("the WASI environment is for another store; create one for each store");
  return false;
}

// Sets the streams. One that this process has closed is at its end, or discards.
static bool set_streams(const wasi_config_t* config) {
  for (int stream = 0; stream < STREAMS; stream++) {
    bool is_set = true;
    if (config->captured[stream])
      is_set = stream == WASMRT_WASI_STDIN ||
               wasmrt_wasi_config_capture(config->config, (uint32_t)stream, MOST_CAPTURED);
    else if (fcntl(stream, F_GETFD) != -1)
      is_set = wasmrt_wasi_config_inherit(config->config, (uint32_t)stream);
    if (!is_set) return false;
  }
  return true;
}

WASM_API_EXTERN wasi_env_t* wasi_env_new(void* first, void* second);
wasi_env_t* wasi_env_new(void* first, void* second) {
  // (config) or (store, config): nobody has passed a second argument in the older form.
  bool is_older = is(first, CONFIG);
  wasi_config_t* config = is_older ? first : second;
  if (!is(config, CONFIG)) {
    fail("wasi_env_new: expected a WASI configuration, got NULL or one that was deleted or taken");
    return NULL;
  }
  wasi_env_t* env = NULL;
  if (config->problem)
    fail("the WASI configuration has a fault: %s", config->problem);
  else if (!is_older && !first)
    fail("a store is NULL");
  else if (set_streams(config))
    env = object_new(ENVIRONMENT, sizeof *env);
  if (env) {
    env->config = config->config;
    config->config = NULL;
    memcpy(env->captured, config->captured, sizeof env->captured);
    if (!is_older && !has_context(env, first)) {
      wasi_env_delete(env);
      env = NULL;
    }
  }
  config_delete(config);
  return env;
}

void wasi_env_delete(wasi_env_t* env) {
  if (!retire(env, ENVIRONMENT)) return;
  wasmrt_wasi_delete(env->wasi);
  wasmrt_wasi_config_delete(env->config);
  release(env);
}

static intptr_t read_stream(wasi_env_t* env, wasmrt_wasi_stream_t stream, char* buffer,
                            uintptr_t size) {
  if (!require(env, ENVIRONMENT)) return -1;
  if (!env->captured[stream]) {
    fail("the stream is not captured; wasi_config_capture_stdout or _stderr does that");
    return -1;
  }
  // Before imports were asked for, nothing can have been written.
  size_t moved = 0;
  if (env->wasi && size > 0 && !wasmrt_wasi_read(env->wasi, stream, buffer, size, &moved))
    return -1;
  return (intptr_t)moved;
}

intptr_t wasi_env_read_stdout(wasi_env_t* env, char* buffer, uintptr_t buffer_len) {
  return read_stream(env, WASMRT_WASI_STDOUT, buffer, buffer_len);
}

intptr_t wasi_env_read_stderr(wasi_env_t* env, char* buffer, uintptr_t buffer_len) {
  return read_stream(env, WASMRT_WASI_STDERR, buffer, buffer_len);
}

static bool bind_memory(wasi_env_t* env, const wasm_memory_t* memory) {
  if (!env->wasi) {
    fail("no imports were asked of the WASI environment yet, so it has no store");
    return false;
  }
  bool bound = wasmrt_wasi_bind_memory(env->wasi, memory);
  env->is_bound |= bound; // what was bound before stays so
  return bound;
}

bool wasi_env_set_instance(wasi_env_t* env, const wasm_instance_t* instance) {
  if (!require(env, ENVIRONMENT)) return false;
  if (!instance) {
    fail("an instance is NULL");
    return false;
  }
  static const char name[] = "memory";
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  const wasm_memory_t* memory = export ? wasm_extern_as_memory(export) : NULL;
  // The imports of each instance know its memory. What has none gets that of the first instance.
  bool is_right = !memory || env->is_bound || bind_memory(env, memory);
  wasm_extern_delete(export);
  return is_right;
}

bool wasi_env_initialize_instance(wasi_env_t* env, wasm_store_t* store, wasm_instance_t* instance) {
  if (!require(env, ENVIRONMENT)) return false;
  if (!store) {
    fail("a store is NULL");
    return false;
  }
  return has_context(env, store) && wasi_env_set_instance(env, instance);
}

void wasi_env_set_memory(wasi_env_t* env, const wasm_memory_t* memory) {
  if (require(env, ENVIRONMENT)) bind_memory(env, memory);
}

// -------------------------------------------------------------------------------------------------
// WASI: modules and instances

// Returns whether text is a zero-terminated one.
static bool name_is(const wasm_name_t* name, const char* text) {
  return name->size == strlen(text) && memcmp(name->data, text, name->size) == 0;
}

wasi_version_t wasi_get_wasi_version(const wasm_module_t* module) {
  wasmrt_wasi_version_t version;
  if (!wasmrt_module_wasi(module, &version)) return INVALID_VERSION;
  if (version == WASMRT_WASI_PREVIEW1) return SNAPSHOT1;
  if (version == WASMRT_WASI_UNSTABLE) return SNAPSHOT0;
  wasi_version_t found = INVALID_VERSION;
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  for (size_t i = 0; i < imports.size && found == INVALID_VERSION; i++) {
    const wasm_name_t* name = wasm_importtype_module(imports.data[i]);
    if (name_is(name, "wasix_32v1")) found = WASIX32V1;
    if (name_is(name, "wasix_64v1")) found = WASIX64V1;
  }
  wasm_importtype_vec_delete(&imports);
  return found;
}

static bool imports_of(wasi_env_t* env, wasm_store_t* store, const wasm_module_t* module,
                       wasm_extern_vec_t* imports) {
  if (!env->wasi && !store) {
    fail("a store is NULL");
    return false;
  }
  return has_context(env, store) && wasmrt_wasi_imports(env->wasi, module, imports);
}

// Says which import is not WASI's.
static void fail_import(const wasm_module_t* module, size_t position) {
  wasm_importtype_vec_t types;
  wasm_module_imports(module, &types);
  if (position < types.size) {
    const wasm_name_t* from = wasm_importtype_module(types.data[position]);
    const wasm_name_t* name = wasm_importtype_name(types.data[position]);
    fail(
        "the module's import \"%.*s\" \"%.*s\" is not WASI's; wasi_get_unordered_imports leaves it "
        "to the program",
        (int)(from->size < 100 ? from->size : 100), from->data,
        (int)(name->size < 100 ? name->size : 100), name->data);
  }
  wasm_importtype_vec_delete(&types);
}

WASM_API_EXTERN
bool wasi_get_imports(void* first, void* second, void* third, wasm_extern_vec_t* out);
bool wasi_get_imports(void* store, void* second, void* third, wasm_extern_vec_t* out) {
  // (store, env, module, out) or (store, module, env, out)
  bool is_newer = is(second, ENVIRONMENT);
  wasi_env_t* env = is_newer ? second : third;
  const wasm_module_t* module = is_newer ? third : second;
  if (!out) {
    fail("a vector to write to is NULL");
    return false;
  }
  wasm_extern_vec_new_empty(out);
  if (!require(env, ENVIRONMENT) || !imports_of(env, store, module, out)) return false;
  for (size_t i = 0; i < out->size; i++) {
    if (out->data[i]) continue;
    wasm_extern_vec_delete(out);
    fail_import(module, i);
    return false;
  }
  return true;
}

wasm_func_t* wasi_get_start_function(wasm_instance_t* instance) {
  static const char name[] = "_start";
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  const wasm_func_t* func = export ? wasm_extern_as_func(export) : NULL;
  wasm_func_t* start = func ? wasm_func_copy(func) : NULL;
  wasm_extern_delete(export);
  if (!func && instance) fail("the instance exports no function \"_start\"");
  return start;
}

// -------------------------------------------------------------------------------------------------
// WASI: named externs

struct wasmer_named_extern_t {
  object_t object;
  wasm_name_t module, name;
  wasm_extern_t* external;
};

// Takes the extern.
static wasmer_named_extern_t* named_new(const wasm_name_t* module, const wasm_name_t* name,
                                        wasm_extern_t* external) {
  wasmer_named_extern_t* named = object_new(NAMED_EXTERN, sizeof *named);
  if (named) {
    wasm_byte_vec_copy(&named->module, module);
    wasm_byte_vec_copy(&named->name, name);
    named->external = external;
  } else {
    wasm_extern_delete(external);
  }
  return named;
}

static void named_delete(wasmer_named_extern_t* named) {
  if (!retire(named, NAMED_EXTERN)) return;
  wasm_byte_vec_delete(&named->module);
  wasm_byte_vec_delete(&named->name);
  wasm_extern_delete(named->external);
  release(named);
}

const wasm_name_t* wasmer_named_extern_module(const wasmer_named_extern_t* named) {
  return require(named, NAMED_EXTERN) ? &named->module : NULL;
}

const wasm_name_t* wasmer_named_extern_name(const wasmer_named_extern_t* named) {
  return require(named, NAMED_EXTERN) ? &named->name : NULL;
}

const wasm_extern_t* wasmer_named_extern_unwrap(const wasmer_named_extern_t* named) {
  return require(named, NAMED_EXTERN) ? named->external : NULL;
}

void wasmer_named_extern_vec_new_empty(wasmer_named_extern_vec_t* out) {
  if (out) *out = (wasmer_named_extern_vec_t){0, NULL};
}

void wasmer_named_extern_vec_new_uninitialized(wasmer_named_extern_vec_t* out, uintptr_t length) {
  if (!out) return;
  wasmer_named_extern_vec_new_empty(out);
  if (length == 0) return;
  out->data = calloc(length, sizeof *out->data);
  if (out->data)
    out->size = length;
  else
    fail("there is not enough memory for %zu named externs", (size_t)length);
}

void wasmer_named_extern_vec_new(wasmer_named_extern_vec_t* out, uintptr_t length,
                                 wasmer_named_extern_t* const* init) {
  if (!out) return;
  wasmer_named_extern_vec_new_uninitialized(out, init ? length : 0);
  if (out->size > 0) memcpy(out->data, init, out->size * sizeof *out->data);
}

void wasmer_named_extern_vec_copy(wasmer_named_extern_vec_t* out,
                                  const wasmer_named_extern_vec_t* in) {
  if (!out) return;
  wasmer_named_extern_vec_new_uninitialized(out, in ? in->size : 0);
  for (size_t i = 0; i < out->size; i++) {
    const wasmer_named_extern_t* named = in->data[i];
    if (is(named, NAMED_EXTERN))
      out->data[i] = named_new(&named->module, &named->name, wasm_extern_copy(named->external));
  }
}

void wasmer_named_extern_vec_delete(wasmer_named_extern_vec_t* vec) {
  if (!vec) return;
  for (size_t i = 0; i < vec->size; i++) named_delete(vec->data[i]);
  free(vec->data);
  wasmer_named_extern_vec_new_empty(vec);
}

WASM_API_EXTERN bool wasi_get_unordered_imports(void* first, void* second, void* third,
                                                wasmer_named_extern_vec_t* fourth);
bool wasi_get_unordered_imports(void* first, void* second, void* third,
                                wasmer_named_extern_vec_t* fourth) {
  // (env, module, out) or (store, module, env, out): nobody has passed a fourth argument in the newer
  // form.
  bool is_newer = is(first, ENVIRONMENT);
  wasi_env_t* env = is_newer ? first : third;
  // In the newer form, the third argument is where to write; if no argument is an environment, it may be
  // anything.
  if (!require(env, ENVIRONMENT)) return false;
  wasmer_named_extern_vec_t* out = is_newer ? third : fourth;
  if (!out) {
    fail("a vector to write to is NULL");
    return false;
  }
  wasmer_named_extern_vec_new_empty(out);
  wasm_extern_vec_t imports;
  if (!imports_of(env, is_newer ? NULL : first, second, &imports)) return false;
  wasm_importtype_vec_t types;
  wasm_module_imports(second, &types);
  size_t count = 0;
  for (size_t i = 0; i < imports.size; i++) count += imports.data[i] != NULL;
  wasmer_named_extern_vec_new_uninitialized(out, count);
  bool is_complete = out->size == count;
  for (size_t i = 0, next = 0; i < imports.size && is_complete; i++) {
    if (!imports.data[i]) continue;
    out->data[next] = named_new(wasm_importtype_module(types.data[i]),
                                wasm_importtype_name(types.data[i]), imports.data[i]);
    imports.data[i] = NULL;
    is_complete = out->data[next++] != NULL;
  }
  if (!is_complete) wasmer_named_extern_vec_delete(out);
  wasm_importtype_vec_delete(&types);
  wasm_extern_vec_delete(&imports);
  return is_complete;
}

// -------------------------------------------------------------------------------------------------
// WASI: file systems in memory

static void fail_filesystem(void) {
  fail(
      "file systems in memory are not supported; give the guest a directory with "
      "wasi_config_mapdir");
}

wasi_filesystem_t* wasi_filesystem_init_static_memory(const wasm_byte_vec_t* volume_bytes) {
  (void)volume_bytes;
  fail_filesystem();
  return NULL;
}

void wasi_filesystem_delete(wasi_filesystem_t* filesystem) {
  if (filesystem) fail_filesystem();
}

wasi_env_t* wasi_env_with_filesystem(wasi_config_t* config, wasm_store_t* store,
                                     const wasm_module_t* module,
                                     const wasi_filesystem_t* filesystem,
                                     wasm_extern_vec_t* imports, const char* package) {
  (void)store, (void)module, (void)filesystem, (void)package;
  if (is(config, CONFIG)) config_delete(config);
  if (imports) wasm_extern_vec_new_empty(imports);
  fail_filesystem();
  return NULL;
}

// -------------------------------------------------------------------------------------------------
// The names of wasmer 1

#define ALSO(name, of) extern __typeof__(of) name __attribute__((alias(#of)));
ALSO(wasm_triple_new, wasmer_triple_new)
ALSO(wasm_triple_new_from_host, wasmer_triple_new_from_host)
ALSO(wasm_triple_delete, wasmer_triple_delete)
ALSO(wasm_cpu_features_new, wasmer_cpu_features_new)
ALSO(wasm_cpu_features_delete, wasmer_cpu_features_delete)
ALSO(wasm_cpu_features_add, wasmer_cpu_features_add)
ALSO(wasm_target_new, wasmer_target_new)
ALSO(wasm_target_delete, wasmer_target_delete)
ALSO(wasm_module_name, wasmer_module_name)
ALSO(wasm_module_set_name, wasmer_module_set_name)
ALSO(wasm_named_extern_module, wasmer_named_extern_module)
ALSO(wasm_named_extern_name, wasmer_named_extern_name)
ALSO(wasm_named_extern_unwrap, wasmer_named_extern_unwrap)
ALSO(wasm_named_extern_vec_new_empty, wasmer_named_extern_vec_new_empty)
ALSO(wasm_named_extern_vec_new_uninitialized, wasmer_named_extern_vec_new_uninitialized)
ALSO(wasm_named_extern_vec_new, wasmer_named_extern_vec_new)
ALSO(wasm_named_extern_vec_copy, wasmer_named_extern_vec_copy)
ALSO(wasm_named_extern_vec_delete, wasmer_named_extern_vec_delete)
