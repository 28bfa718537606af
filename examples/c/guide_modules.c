// Modules: ready to run from a file, found in a cache instead of compiled, and what they say of
// themselves.

#define _XOPEN_SOURCE 700 // for mkdtemp
#include "example.h"

#include <dirent.h>
#include <unistd.h>

static const char text[] =
    "(module $doubler"
    "  (@custom \"author\" \"the guide\")"
    "  (func (export \"double\") (param i32) (result i32)"
    "    (i32.mul (local.get 0) (i32.const 2))))";

static void run(wasm_store_t* store, const wasm_module_t* module) {
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* func = func_named(instance, "double");
  wasm_val_t argument = WASM_I32_VAL(21), result = WASM_INIT_VAL;
  wasm_val_vec_t arguments = {1, &argument}, results = {1, &result};
  call(func, &arguments, &results);
  printf("double(21) = %d\n", result.of.i32);
  wasm_func_delete(func);
  wasm_instance_delete(instance);
}

static void describe(const wasm_module_t* module) {
  wasm_name_t name;
  if (wasmrt_module_name(module, &name)) printf("the module calls itself %s\n", name.data);
  wasm_name_delete(&name);
  const char* contents; // lent by the module
  size_t size;
  if (wasmrt_module_custom_section(module, "author", strlen("author"), &contents, &size))
    printf("it was written by %.*s\n", (int)size, contents);
  printf("functions: %zu\n", wasmrt_module_part_count(module, WASMRT_MODULE_FUNCTIONS));
}

// Makes the module on an engine of its own that has a cache. The first one compiles it.
static void make_cached(const char* directory) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_cache(config, directory, 64 << 20)) fail("cannot use the cache");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  uint64_t found, missing;
  wasmrt_engine_cache_counts(engine, &found, &missing);
  printf("found in the cache: %d, compiled: %d\n", (int)found, (int)missing);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

// Removes the directory, with the files in it.
static void remove_directory(const char* directory) {
  if (chdir(directory) != 0) stop("the directory is gone");
  DIR* dir = opendir(".");
  for (struct dirent* entry; dir && (entry = readdir(dir));) unlink(entry->d_name);
  if (dir) closedir(dir);
  if (chdir("/") == 0) rmdir(directory);
}

int main(void) {
  char directory[] = "/tmp/wasmrt-guide-XXXXXX";
  if (!mkdtemp(directory)) stop("cannot make a directory");
  char path[64];
  snprintf(path, sizeof path, "%s/double.cwasm", directory);
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);

  // Compiled here and now, perhaps by an installer or by another process.
  wasm_module_t* module = new_module(store, text);
  describe(module);
  if (!wasmrt_module_serialize_to_file(module, path)) fail("cannot write the file");
  wasm_module_delete(module);

  // Nothing is compiled; where the engine has machine code, the file is mapped.
  module = wasmrt_module_deserialize_file(store, path);
  if (!module) fail("cannot load the file");
  run(store, module);
  wasm_module_delete(module);

  if (!wasmrt_module_deserialize_file(store, "missing.cwasm"))
    printf("%s\n", wasmrt_last_error_message());
  wasm_store_delete(store);
  wasm_engine_delete(engine);

  make_cached(directory);
  make_cached(directory);
  remove_directory(directory);
  return 0;
}
