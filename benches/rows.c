#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "extension.h"
#include "library.h"
#include "modules.h"
#include "wasi.h"

enum { MAX_VALUES = 1000 }; // of a call

// -----------------------------------------------------------------------------------------------
// What the rows have in common

static wasm_engine_t *engine;
static wasm_store_t *store;
static wasm_module_t *module;
static wasm_extern_vec_t exports; // of the last instance
static wasm_func_t *function;
static wasm_global_t *global;
static wasm_memory_t *memory;
static wasm_table_t *table;
static wasm_ref_t *reference;
static wasm_extern_t **imports; // of the module
static size_t import_count;
static char parameters[MAX_VALUES + 1]; // types of the called function, as in modules.h
static char results[MAX_VALUES + 1];
static wasm_val_t arguments[MAX_VALUES];
static wasm_byte_vec_t artifact;
const char *module_files[2];
static volatile uintptr_t sink; // keeps the compiler from removing what computes it

static void new_engine_and_store(void) {
  engine = wasm.engine_new();
  require(engine != NULL);
  store = wasm.store_new(engine);
  require(store != NULL);
}

static wasm_module_t *new_module(bytes_t binary) {
  wasm_byte_vec_t vector = {binary.size, (char *)binary.data};
  wasm_module_t *compiled = wasm.module_new(store, &vector);
  bytes_free(&binary);
  require(compiled != NULL);
  return compiled;
}

static wasm_instance_t *new_instance(wasm_store_t *in) {
  wasm_extern_vec_t vector = {import_count, imports};
  wasm_trap_t *trap = NULL;
  wasm_instance_t *instance = wasm.instance_new(in, module, &vector, &trap);
  require(instance != NULL && trap == NULL);
  return instance;
}

// Compiles the module and leaves the exports of an instance in `exports`.
static void instantiate(bytes_t binary) {
  module = new_module(binary);
  wasm.instance_exports(new_instance(store), &exports);
  require(exports.size > 0);
}

static wasm_valkind_t kind_of(char letter) {
  return letter == 'i' ? WASM_I32 : letter == 'I' ? WASM_I64 : letter == 'f' ? WASM_F32 : WASM_F64;
}

static void fill_types(wasm_valtype_vec_t *vector, const char *letters) {
  static wasm_valtype_t *types[MAX_VALUES];
  size_t count = strlen(letters);
  for (size_t i = 0; i < count; i++) types[i] = wasm.valtype_new(kind_of(letters[i]));
  wasm.valtype_vec_new(vector, count, types);
}

static wasm_functype_t *new_function_type(void) {
  wasm_valtype_vec_t parameter_types, result_types;
  fill_types(&parameter_types, parameters);
  fill_types(&result_types, results);
  return wasm.functype_new(&parameter_types, &result_types);
}

static wasm_trap_t *do_nothing(const wasm_val_vec_t *args, wasm_val_vec_t *out) {
  (void)args, (void)out;
  return NULL;
}

static wasm_trap_t *increment(const wasm_val_vec_t *args, wasm_val_vec_t *out) {
  out->data[0].kind = WASM_I32;
  out->data[0].of.i32 = args->data[0].of.i32 + 1;
  return NULL;
}

static wasm_func_t *new_host_function(void) {
  wasm_functype_t *type = new_function_type();
  wasm_func_t *host = wasm.func_new(store, type, results[0] == 0 ? do_nothing : increment);
  wasm.functype_delete(type);
  require(host != NULL);
  return host;
}

static void set_types(const char *parameter_types, const char *result_types) {
  strcpy(parameters, parameter_types);
  strcpy(results, result_types);
}

static void set_argument_types(uint64_t count) {
  require(count <= MAX_VALUES);
  memset(parameters, 'i', count);
  parameters[count] = 0;
  strcpy(results, "i");
}

static void no_trap(wasm_trap_t *trap) {
  require(trap == NULL);
}

// -----------------------------------------------------------------------------------------------
// Rows: calls

static void call_nothing(uint64_t count) {
  wasm_val_vec_t none = {0, NULL};
  wasm_val_vec_t no_results = {0, NULL};
  for (uint64_t i = 0; i < count; i++) no_trap(wasm.func_call(function, &none, &no_results));
}

static void call_i32(uint64_t count) {
  wasm_val_t values[1], result[1];
  wasm_val_vec_t values_vector = {1, values}, result_vector = {1, result};
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    values[0].kind = WASM_I32;
    values[0].of.i32 = (int32_t)i;
    no_trap(wasm.func_call(function, &values_vector, &result_vector));
    sum += (uint32_t)result[0].of.i32;
  }
  sink = sum;
}

static void call_mixed(uint64_t count) {
  wasm_val_t values[4], result[1];
  wasm_val_vec_t values_vector = {4, values}, result_vector = {1, result};
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    values[0].kind = WASM_I32;
    values[0].of.i32 = (int32_t)i;
    values[1].kind = WASM_I64;
    values[1].of.i64 = (int64_t)i;
    values[2].kind = WASM_F32;
    values[2].of.f32 = 1.5F;
    values[3].kind = WASM_F64;
    values[3].of.f64 = 2.5;
    no_trap(wasm.func_call(function, &values_vector, &result_vector));
    sum += (uint64_t)result[0].of.i64;
  }
  sink = sum;
}

static void call_pair(uint64_t count) {
  wasm_val_t result[2];
  wasm_val_vec_t none = {0, NULL}, result_vector = {2, result};
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    no_trap(wasm.func_call(function, &none, &result_vector));
    sum += (uint64_t)result[1].of.i64;
  }
  sink = sum;
}

static void call_arguments(uint64_t count) {
  wasm_val_t result[1];
  wasm_val_vec_t values_vector = {strlen(parameters), arguments}, result_vector = {1, result};
  for (uint64_t i = 0; i < count; i++)
    no_trap(wasm.func_call(function, &values_vector, &result_vector));
  sink = (uintptr_t)result[0].of.i32;
}

static void prepare_function(void) {
  new_engine_and_store();
  instantiate(module_with_function(parameters, results));
  function = wasm.extern_as_func(exports.data[0]);
  for (size_t i = 0; parameters[i] != 0; i++) {
    arguments[i].kind = kind_of(parameters[i]);
    arguments[i].of.i64 = 0;
  }
}

static void prepare_call_nothing(uint64_t parameter) {
  (void)parameter;
  set_types("", "");
  prepare_function();
}

static void prepare_call_i32(uint64_t parameter) {
  (void)parameter;
  set_types("i", "i");
  prepare_function();
  call_i32(11);
  require(sink == 55);
}

static void prepare_call_mixed(uint64_t parameter) {
  (void)parameter;
  set_types("iIfF", "I");
  prepare_function();
  call_mixed(11);
  require(sink == 55);
}

static void prepare_call_pair(uint64_t parameter) {
  (void)parameter;
  set_types("", "iI");
  prepare_function();
  call_pair(10);
  require(sink == 20);
}

static void prepare_call_arguments(uint64_t count) {
  set_argument_types(count);
  prepare_function();
}

static void callback_loop(uint64_t count) {
  while (count > 0) {
    int32_t some = count < 1 << 30 ? (int32_t)count : 1 << 30;
    wasm_val_t value[1] = {{.kind = WASM_I32, .of = {.i32 = some}}};
    wasm_val_vec_t value_vector = {1, value}, no_results = {0, NULL};
    no_trap(wasm.func_call(function, &value_vector, &no_results));
    count -= (uint64_t)some;
  }
}

static void prepare_callback_of(wasm_func_t *(*make)(void)) {
  new_engine_and_store();
  static wasm_extern_t *import[1];
  import[0] = wasm.func_as_extern(make());
  imports = import;
  import_count = 1;
  instantiate(module_with_callback_loop(parameters, results));
  function = wasm.extern_as_func(exports.data[0]);
}

static void prepare_callback(void) {
  prepare_callback_of(new_host_function);
}

static void prepare_callback_nothing(uint64_t parameter) {
  (void)parameter;
  set_types("", "");
  prepare_callback();
}

static void prepare_callback_i32(uint64_t parameter) {
  (void)parameter;
  set_types("i", "i");
  prepare_callback();
}

static void prepare_callback_arguments(uint64_t count) {
  set_argument_types(count);
  prepare_callback();
}

// -----------------------------------------------------------------------------------------------
// Rows: the same with functions of wasmrt.h

static void call_unchecked_nothing(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) no_trap(wasmrt.func_call_unchecked(function, NULL));
}

static void call_unchecked_i32(uint64_t count) {
  wasmrt_raw_t values[1];
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    values[0].i32 = (int32_t)i;
    no_trap(wasmrt.func_call_unchecked(function, values));
    sum += (uint32_t)values[0].i32;
  }
  sink = sum;
}

static void call_unchecked_mixed(uint64_t count) {
  wasmrt_raw_t values[4];
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    values[0].i32 = (int32_t)i;
    values[1].i64 = (int64_t)i;
    values[2].f32 = 1.5F;
    values[3].f64 = 2.5;
    no_trap(wasmrt.func_call_unchecked(function, values));
    sum += (uint64_t)values[0].i64;
  }
  sink = sum;
}

static wasm_trap_t *increment_unchecked(void *env, wasmrt_raw_t *values) {
  (void)env;
  values[0].i32++;
  return NULL;
}

static wasm_func_t *new_unchecked_host_function(void) {
  wasm_functype_t *type = new_function_type();
  wasm_func_t *host = wasmrt.func_new_unchecked(store, type, increment_unchecked, NULL, NULL);
  wasm.functype_delete(type);
  require(host != NULL);
  return host;
}

// Columns of the batches. An operation is a row.
enum { BATCH = 2000 };
static int32_t column_i32[BATCH];
static int64_t column_i64[BATCH], result_i64[BATCH];
static float column_f32[BATCH];
static double column_f64[BATCH];
static int32_t result_i32[BATCH];

static void call_batches(uint64_t count, const wasmrt_column_t *args, size_t arg_count,
                         const wasmrt_column_t *result) {
  for (size_t rows; count > 0; count -= rows) {
    rows = count < BATCH ? (size_t)count : BATCH;
    require(wasmrt.func_call_batch(function, rows, args, arg_count, result, 1, NULL, NULL));
  }
}

static void batch_i32(uint64_t count) {
  wasmrt_column_t args[] = {{WASM_I32, BATCH, column_i32}};
  wasmrt_column_t result = {WASM_I32, BATCH, result_i32};
  call_batches(count, args, 1, &result);
}

static void batch_mixed(uint64_t count) {
  wasmrt_column_t args[] = {{WASM_I32, BATCH, column_i32},
                            {WASM_I64, BATCH, column_i64},
                            {WASM_F32, BATCH, column_f32},
                            {WASM_F64, BATCH, column_f64}};
  wasmrt_column_t result = {WASM_I64, BATCH, result_i64};
  call_batches(count, args, 4, &result);
}

// So many rows that what the library makes for the function's type pays.
enum { ROWS_THAT_PAY = 100000 };

static void prepare_host_call(uint64_t parameter) {
  (void)parameter;
  set_types("i", "i");
  new_engine_and_store();
  function = new_host_function();
  call_i32(11);
  require(sink == 66);
}

static void prepare_unchecked_i32(uint64_t parameter) {
  prepare_call_i32(parameter);
  call_unchecked_i32(11);
  require(sink == 55);
}

static void prepare_unchecked_mixed(uint64_t parameter) {
  prepare_call_mixed(parameter);
  call_unchecked_mixed(11);
  require(sink == 55);
}

static void prepare_unchecked_callback_i32(uint64_t parameter) {
  (void)parameter;
  set_types("i", "i");
  prepare_callback_of(new_unchecked_host_function);
}

static void prepare_batch_i32(uint64_t parameter) {
  prepare_call_i32(parameter);
  for (int32_t i = 0; i < BATCH; i++) column_i32[i] = i;
  batch_i32(ROWS_THAT_PAY);
  require(result_i32[BATCH - 1] == BATCH - 1);
}

static void prepare_batch_mixed(uint64_t parameter) {
  prepare_call_mixed(parameter);
  for (int32_t i = 0; i < BATCH; i++) column_i64[i] = i;
  batch_mixed(ROWS_THAT_PAY);
  require(result_i64[BATCH - 1] == BATCH - 1);
}

// -----------------------------------------------------------------------------------------------
// Rows: objects of an instance

static void prepare_objects(uint64_t parameter) {
  (void)parameter;
  new_engine_and_store();
  instantiate(module_with_global_memory_table());
  require(exports.size == 3);
  global = wasm.extern_as_global(exports.data[0]);
  memory = wasm.extern_as_memory(exports.data[1]);
  table = wasm.extern_as_table(exports.data[2]);
}

static void prepare_table(uint64_t parameter) {
  prepare_objects(parameter);
  reference = wasm.table_get(table, 0);
  require(reference != NULL);
}

static void get_global(uint64_t count) {
  wasm_val_t value;
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++) {
    wasm.global_get(global, &value);
    sum += (uint32_t)value.of.i32;
  }
  sink = sum;
}

static void set_global(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    wasm_val_t value = {.kind = WASM_I32, .of = {.i32 = (int32_t)i}};
    wasm.global_set(global, &value);
  }
}

static void look_at_memory(uint64_t count) {
  uint64_t sum = 0;
  for (uint64_t i = 0; i < count; i++)
    sum += (uintptr_t)wasm.memory_data(memory) + wasm.memory_data_size(memory);
  sink = sum;
}

static void get_from_table(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) wasm.ref_delete(wasm.table_get(table, 3));
}

static void set_in_table(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) sink = wasm.table_set(table, 4, reference);
}

static void copy_function(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) wasm.func_delete(wasm.func_copy(function));
}

static void look_at_function_type(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) wasm.functype_delete(wasm.func_type(function));
}

static wasm_instance_t *instance_of_exports;

static void prepare_exports(uint64_t count) {
  new_engine_and_store();
  module = new_module(module_with_imports_and_exports(0, count));
  instance_of_exports = new_instance(store);
}

static void look_at_exports(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    wasm_extern_vec_t vector;
    wasm.instance_exports(instance_of_exports, &vector);
    wasm.extern_vec_delete(&vector);
  }
}

// -----------------------------------------------------------------------------------------------
// Rows: stores, engines, instances

static void prepare_engine(uint64_t parameter) {
  (void)parameter;
  new_engine_and_store();
}

static void make_stores(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) wasm.store_delete(wasm.store_new(engine));
}

static void make_engines(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) wasm.engine_delete(wasm.engine_new());
}

// Instances stay as long as their store: new stores now and then limit what accumulates.
static uint64_t instances_of_a_store = 100;

static void make_instances(uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    wasm_store_t *fresh = wasm.store_new(engine);
    for (uint64_t i = 0; i < instances_of_a_store && done < count; i++, done++)
      wasm.instance_delete(new_instance(fresh));
    wasm.store_delete(fresh);
  }
}

enum { MAX_STORES_AT_ONCE = 64 };
static uint64_t stores_at_once;

static void make_stores_with_instance(uint64_t count) {
  wasm_store_t *stores[MAX_STORES_AT_ONCE];
  for (uint64_t done = 0; done < count;) {
    uint64_t made = 0;
    for (; made < stores_at_once && done < count; made++, done++) {
      stores[made] = wasm.store_new(engine);
      wasm.instance_delete(new_instance(stores[made]));
    }
    for (uint64_t i = 0; i < made; i++) wasm.store_delete(stores[i]);
  }
}

// Imports belong to one store, so all instances do too.
static void make_instances_with_imports(uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    wasm_store_t *shared = store;
    store = wasm.store_new(engine);
    wasm_func_t *host = new_host_function();
    for (size_t i = 0; i < import_count; i++) imports[i] = wasm.func_as_extern(host);
    for (uint64_t i = 0; i < instances_of_a_store && done < count; i++, done++)
      wasm.instance_delete(new_instance(store));
    wasm.func_delete(host);
    wasm.store_delete(store);
    store = shared;
  }
}

static void prepare_instance(uint64_t parameter) {
  (void)parameter;
  new_engine_and_store();
  module = new_module(module_with_function("", ""));
}

static void prepare_instance_with_data(uint64_t kilobytes) {
  new_engine_and_store();
  module = new_module(module_with_data((size_t)kilobytes * 1024));
  instances_of_a_store = 10; // valgrind has address space for at most 20 of wasmtime's memories
}

static void prepare_instance_with_memory(uint64_t pages) {
  new_engine_and_store();
  module = new_module(module_with_memory((size_t)pages));
  // Several at once, as a server has, but no more than half a gigabyte, unless one alone has more.
  stores_at_once = pages > 1024 ? 1 : pages > 64 ? 8 : 64;
}

static void prepare_instance_with_imports(uint64_t count) {
  set_types("", "");
  new_engine_and_store();
  module = new_module(module_with_imports_and_exports(count, count));
  import_count = count;
  imports = calloc(count + 1, sizeof *imports);
  require(imports != NULL);
}

// -----------------------------------------------------------------------------------------------
// Rows: modules

static bytes_t binary_to_compile;

static void prepare_module(uint64_t functions) {
  new_engine_and_store();
  binary_to_compile = module_with_functions(functions);
}

static void read_module_file(const char *path) {
  new_engine_and_store();
  FILE *file = path == NULL ? NULL : fopen(path, "rb");
  if (file == NULL) _exit(STATUS_MISSING);
  require(fseek(file, 0, SEEK_END) == 0);
  binary_to_compile.size = (size_t)ftell(file);
  binary_to_compile.data = malloc(binary_to_compile.size);
  rewind(file);
  require(fread(binary_to_compile.data, 1, binary_to_compile.size, file) == binary_to_compile.size);
  fclose(file);
}

static void prepare_module_medium(uint64_t parameter) {
  (void)parameter;
  read_module_file(module_files[0]);
}

static void prepare_module_large(uint64_t parameter) {
  (void)parameter;
  read_module_file(module_files[1]);
}

static void prepare_serialize(uint64_t parameter) {
  prepare_module_large(parameter);
  wasm_byte_vec_t vector = {binary_to_compile.size, (char *)binary_to_compile.data};
  module = wasm.module_new(store, &vector);
  require(module != NULL);
  wasm.module_serialize(module, &artifact);
  require(artifact.size > 0);
}

static void compile(uint64_t count) {
  wasm_byte_vec_t vector = {binary_to_compile.size, (char *)binary_to_compile.data};
  for (uint64_t i = 0; i < count; i++) {
    wasm_module_t *compiled = wasm.module_new(store, &vector);
    require(compiled != NULL);
    wasm.module_delete(compiled);
  }
}

static void serialize(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    wasm_byte_vec_t vector;
    wasm.module_serialize(module, &vector);
    wasm.byte_vec_delete(&vector);
  }
}

static void deserialize(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    wasm_module_t *read = wasm.module_deserialize(store, &artifact);
    require(read != NULL);
    wasm.module_delete(read);
  }
}

static char artifact_path[32];

static void prepare_mapped(uint64_t parameter) {
  prepare_serialize(parameter);
  int file = memfd_create("artifact", 0); // has a path, and is gone when the process ends
  require(file >= 0);
  require(write(file, artifact.data, artifact.size) == (ssize_t)artifact.size);
  snprintf(artifact_path, sizeof artifact_path, "/proc/self/fd/%d", file);
}

static void map(uint64_t count) {
  for (uint64_t i = 0; i < count; i++) {
    if (has_wasmrt) {
      wasm_module_t *mapped = wasmrt.module_deserialize_file(store, artifact_path);
      require(mapped != NULL);
      wasm.module_delete(mapped);
    } else {
      void *mapped = NULL;
      require(wasmtime.module_deserialize_file(engine, artifact_path, &mapped) == NULL);
      wasmtime.module_delete(mapped);
    }
  }
}

static void prepare_cached(uint64_t parameter) {
  if (!has_wasmrt || scratch_directory == NULL) _exit(STATUS_MISSING);
  prepare_module_large(parameter);
  char directory[4096];
  require((size_t)snprintf(directory, sizeof directory, "%s/cache", scratch_directory) <
          sizeof directory);
  wasm_config_t *config = wasm.config_new();
  require(wasmrt.config_set_cache(config, directory, 0));
  engine = wasm.engine_new_with_config(config);
  require(engine != NULL);
  store = wasm.store_new(engine);
  compile(1);
}

// -----------------------------------------------------------------------------------------------
// The rows

static const row_t rows[] = {
    {"call_nothing", 0, false, 2000, prepare_call_nothing, call_nothing},
    {"call_i32", 0, false, 2000, prepare_call_i32, call_i32},
    {"call_mixed", 0, false, 2000, prepare_call_mixed, call_mixed},
    {"call_pair", 0, false, 2000, prepare_call_pair, call_pair},
    {"call_arguments", 16, false, 200, prepare_call_arguments, call_arguments},
    {"callback_nothing", 0, false, 2000, prepare_callback_nothing, callback_loop},
    {"callback_i32", 0, false, 2000, prepare_callback_i32, callback_loop},
    {"callback_arguments", 16, false, 200, prepare_callback_arguments, callback_loop},
    {"host_call", 0, false, 2000, prepare_host_call, call_i32},
    {"unchecked_nothing", 0, false, 2000, prepare_call_nothing, call_unchecked_nothing},
    {"unchecked_i32", 0, false, 2000, prepare_unchecked_i32, call_unchecked_i32},
    {"unchecked_mixed", 0, false, 2000, prepare_unchecked_mixed, call_unchecked_mixed},
    {"unchecked_callback_i32", 0, false, 2000, prepare_unchecked_callback_i32, callback_loop},
    {"batch_i32", 0, false, 100000, prepare_batch_i32, batch_i32},
    {"batch_mixed", 0, false, 100000, prepare_batch_mixed, batch_mixed},
    {"global_get", 0, false, 2000, prepare_objects, get_global},
    {"global_set", 0, false, 2000, prepare_objects, set_global},
    {"memory_data", 0, false, 2000, prepare_objects, look_at_memory},
    {"table_get", 0, false, 2000, prepare_table, get_from_table},
    {"table_set", 0, false, 2000, prepare_table, set_in_table},
    {"func_copy", 0, false, 2000, prepare_call_i32, copy_function},
    {"func_type", 0, false, 2000, prepare_call_i32, look_at_function_type},
    {"exports", 1, false, 500, prepare_exports, look_at_exports},
    {"store", 0, false, 300, prepare_engine, make_stores},
    {"engine", 0, false, 50, prepare_engine, make_engines},
    {"instance", 0, false, 300, prepare_instance, make_instances},
    {"instance_data", 1024, false, 20, prepare_instance_with_data, make_instances},
    {"instance_memory", 1, false, 64, prepare_instance_with_memory, make_stores_with_instance},
    {"instance_imports", 100, false, 100, prepare_instance_with_imports,
     make_instances_with_imports},
    {"link", 100, false, 1000, prepare_link, make_linked},
    {"prepared", 100, false, 1000, prepare_link, make_prepared},
    {"export", 100, false, 500, prepare_export, find_export},
    {"export_at", 100, false, 500, prepare_export_at, get_export_at},
    {"caller_memory", 0, false, 2000, prepare_caller_memory, call_for_memory},
    {"module", 1, true, 5, prepare_module, compile},
    {"module_medium", 0, true, 0, prepare_module_medium, compile},
    {"module_large", 0, true, 0, prepare_module_large, compile},
    {"serialize", 0, true, 0, prepare_serialize, serialize},
    {"deserialize", 0, true, 0, prepare_serialize, deserialize},
    {"mapped", 0, true, 0, prepare_mapped, map},
    {"cached", 0, true, 0, prepare_cached, compile},
    {"wasi_clock", 0, false, 1000, prepare_wasi_clock, call_wasi},
    {"wasi_random", 8, false, 1000, prepare_wasi_random, call_wasi},
    {"wasi_null", 1, true, 1000, prepare_wasi_null, call_wasi},
    {"wasi_write", 1, true, 1000, prepare_wasi_write, call_wasi},
    {"wasi_read", 1, true, 1000, prepare_wasi_read, call_wasi},
    {"wasi_stat", 0, true, 1000, prepare_wasi_stat, call_wasi},
    {"wasi_open", 0, true, 1000, prepare_wasi_open, call_wasi},
    {"wasi_list", 1000, true, 10, prepare_wasi_list, call_wasi},
};

chosen_row_t chosen[MAX_ROWS];
size_t chosen_count;

static void choose_row(const char *name) {
  size_t length = strcspn(name, "/");
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (strlen(rows[i].name) != length || strncmp(rows[i].name, name, length) != 0) continue;
    chosen_row_t *row = &chosen[chosen_count++];
    row->row = &rows[i];
    row->parameter =
        name[length] == '/' ? strtoull(name + length + 1, NULL, 10) : rows[i].parameter;
    snprintf(row->name, sizeof row->name, "%s", name);
    return;
  }
  fprintf(stderr, "there is no row %s\n", name);
  exit(2);
}

void choose_all_rows(void) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) choose_row(rows[i].name);
}

void choose_rows(const char *names) {
  char *copy = strdup(names);
  for (char *name = strtok(copy, ","); name != NULL && chosen_count < MAX_ROWS;
       name = strtok(NULL, ",")) {
    choose_row(name);
  }
  free(copy);
}

void prepare(chosen_row_t *row) {
  imports = NULL;
  import_count = 0;
  instances_of_a_store = 100;
  if (floor_prepare != NULL) {
    row->floor = floor_prepare(row->row->name, row->parameter);
    if (row->floor == NULL) _exit(STATUS_MISSING);
  } else {
    row->row->prepare(row->parameter);
  }
}

void run(const chosen_row_t *row, uint64_t count) {
  if (floor_prepare != NULL) {
    floor_run(row->floor, count);
  } else {
    row->row->run(count);
  }
}
