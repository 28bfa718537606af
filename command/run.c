// wasmrt run: runs a module, with what WASI it was given.

#include "common.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

typedef struct settings_t {
  const char* backend;
  const char* invoke;
  bool allow_precompiled, no_limits;
  bool has_fuel, has_timeout, has_max_memory;
  uint64_t fuel, timeout, max_memory;
} settings_t;

static char* copy(const char* text, size_t length) {
  char* result = malloc(length + 1);
  if (!result) fail("not enough memory");
  memcpy(result, text, length);
  result[length] = 0;
  return result;
}

// HOST[::GUEST][:ro]. A guest without a name for it of its own uses the host's.
static void add_directory(const words_t* words, wasmrt_wasi_config_t* wasi, const char* text) {
  size_t length = strlen(text);
  bool read_only = length >= 3 && strcmp(text + length - 3, ":ro") == 0;
  char* host = copy(text, read_only ? length - 3 : length);
  char* separator = strstr(host, "::");
  const char* guest = separator ? separator + 2 : host;
  if (separator) *separator = 0;
  if (!*host || !*guest)
    wrong_use(words->command, "--dir needs a directory, as HOST, HOST::GUEST or HOST::GUEST:ro");
  if (!wasmrt_wasi_config_preopen(wasi, host, guest,
                                  read_only ? WASMRT_WASI_READ_ONLY : WASMRT_WASI_READ_WRITE))
    wrong_use(words->command, "--dir: %s", reason());
  free(host);
}

// NAME=VALUE, or NAME for the value that this process has; nothing if it has none.
static void add_variable(const words_t* words, wasmrt_wasi_config_t* wasi, const char* text) {
  size_t length = strcspn(text, "=");
  char* name = copy(text, length);
  const char* value = text[length] ? text + length + 1 : getenv(name);
  if (!*name) wrong_use(words->command, "--env needs a name, as NAME or NAME=VALUE");
  if (value && !wasmrt_wasi_config_env(wasi, name, value))
    wrong_use(words->command, "--env: %s", reason());
  free(name);
}

static settings_t read_options(words_t* words, wasmrt_wasi_config_t* wasi) {
  settings_t settings = {0};
  const char* value;
  while (at_option(words)) {
    if ((value = take_option(words, "--backend"))) {
      settings.backend = value;
    } else if ((value = take_option(words, "--dir"))) {
      add_directory(words, wasi, value);
    } else if ((value = take_option(words, "--env"))) {
      add_variable(words, wasi, value);
    } else if ((value = take_option(words, "--invoke"))) {
      settings.invoke = value;
    } else if ((value = take_option(words, "--fuel"))) {
      settings.has_fuel = true;
      if (!parse_number(value, &settings.fuel))
        wrong_use(words->command, "--fuel needs a number below 2^64, not '%s'", value);
    } else if ((value = take_option(words, "--timeout"))) {
      settings.has_timeout = true;
      if (!parse_time(value, &settings.timeout))
        wrong_use(words->command, "--timeout needs a time, such as 10, 500ms or 2m, not '%s'",
                  value);
    } else if ((value = take_option(words, "--max-memory"))) {
      settings.has_max_memory = true;
      if (!parse_bytes(value, &settings.max_memory))
        wrong_use(words->command,
                  "--max-memory needs a number of bytes, such as 65536, 512K, 64M or 1G, not '%s'",
                  value);
    } else if (take_flag(words, "--allow-precompiled")) {
      settings.allow_precompiled = true;
    } else if (take_no_limits(words)) {
      settings.no_limits = true;
    } else {
      unknown_option(words);
    }
  }
  return settings;
}

static wasm_store_t* new_store(const words_t* words, const settings_t* settings) {
  wasm_config_t* config = wasm_config_new();
  if ((settings->has_fuel && !wasmrt_config_set_fuel(config, true)) ||
      (settings->has_timeout && !wasmrt_config_set_interruption(config, true)))
    fail("%s", reason());
  if (settings->no_limits) lift_limits(config);
  wasm_engine_t* engine = new_engine(words, config, settings->backend);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine); // the store keeps it
  if (!store || (settings->has_fuel && !wasmrt_store_set_fuel(store, settings->fuel)) ||
      (settings->has_max_memory &&
       !wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, settings->max_memory)))
    fail("%s", reason());
  return store;
}

// One line for the reason and one for each frame, the innermost first; some engines keep none.
static void report_trap(const char* path, const wasm_trap_t* trap) {
  wasm_message_t message;
  wasm_trap_message(trap, &message); // ends with a zero
  report("%s: %s", path, message.data);
  wasm_name_delete(&message);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  for (size_t i = 0; i < frames.size; ++i) {
    wasm_name_t name;
    wasmrt_frame_func_name(frames.data[i], &name);
    fputs("  at ", stderr);
    print_name(stderr, &name);
    fprintf(stderr, "%sfunction %" PRIu32 ", byte 0x%zx of the module\n", name.size ? ", " : "",
            wasm_frame_func_index(frames.data[i]), wasm_frame_module_offset(frames.data[i]));
    wasm_name_delete(&name);
  }
  wasm_frame_vec_delete(&frames);
}

// The system keeps the low 8 bits of a status. One that is not 0 must not become 0.
static int exit_status(int32_t status) {
  int kept = (int)((uint32_t)status & 0xff);
  return status != 0 && kept == 0 ? FAILED : kept;
}

// Returns the status of a guest that a trap ended. Takes the trap.
static int status_of_trap(const char* path, wasm_trap_t* trap) {
  int32_t status = FAILED;
  if (wasmrt_trap_exit_status(trap, &status))
    status = exit_status(status);
  else
    report_trap(path, trap);
  wasm_trap_delete(trap);
  return status;
}

// Returns the function that an instance exports by this name, own, or NULL.
static wasm_func_t* exported_func(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  wasm_func_t* func = export ? wasm_extern_as_func(export) : NULL;
  if (!func) wasm_extern_delete(export);
  return func;
}

// Reads the arguments of the function in --invoke.
static void read_values(const words_t* words, const char* name, const wasm_functype_t* type,
                        wasm_val_vec_t* out) {
  const wasm_valtype_vec_t* params = wasm_functype_params(type);
  size_t count = 0;
  while (words->next[count]) ++count;
  if (count != params->size)
    wrong_use(words->command, "'%s' takes %zu argument%s, and %zu %s given", name, params->size,
              params->size == 1 ? "" : "s", count, count == 1 ? "is" : "are");
  wasm_val_vec_new_uninitialized(out, count);
  for (size_t i = 0; i < count; ++i) {
    wasm_valkind_t kind = wasm_valtype_kind(params->data[i]);
    if (!parse_value(words->next[i], kind, &out->data[i]))
      wrong_use(words->command, "argument %zu of '%s' is of type %s, which '%s' is not", i + 1,
                name, kind_name(kind), words->next[i]);
  }
}

static bool is_function(const wasm_exporttype_t* export) {
  return wasm_externtype_kind(wasm_exporttype_type(export)) == WASM_EXTERN_FUNC;
}

static bool has_name(const wasm_exporttype_t* export, const char* name) {
  const wasm_name_t* own = wasm_exporttype_name(export);
  return own->size == strlen(name) && memcmp(own->data, name, own->size) == 0;
}

// Returns the type of the exported function of this name, which must be there.
static const wasm_functype_t* find_function(const words_t* words,
                                            const wasm_exporttype_vec_t* exports,
                                            const char* name) {
  for (size_t i = 0; i < exports->size; ++i) {
    if (is_function(exports->data[i]) && has_name(exports->data[i], name))
      return wasm_externtype_as_functype_const(wasm_exporttype_type(exports->data[i]));
  }
  wrong_use(words->command, "the module exports no function '%s'", name);
}

// Calls the function of --invoke and prints its results. In a module for WASI that is a library,
// `_initialize` is called before.
static int invoke(const char* path, const wasm_instance_t* instance, const char* name,
                  const wasm_val_vec_t* arguments) {
  wasm_val_vec_t none = WASM_EMPTY_VEC, results;
  wasm_func_t* initialize = exported_func(instance, "_initialize");
  wasm_trap_t* trap = initialize && strcmp(name, "_initialize") != 0
                          ? wasm_func_call(initialize, &none, &none)
                          : NULL;
  wasm_func_delete(initialize);
  wasm_func_t* func = exported_func(instance, name);
  wasm_val_vec_new_uninitialized(&results, wasm_func_result_arity(func));
  if (!trap) trap = wasm_func_call(func, arguments, &results);
  int status = SUCCESS;
  if (trap) {
    status = status_of_trap(path, trap);
  } else {
    for (size_t i = 0; i < results.size; ++i) {
      print_value(stdout, &results.data[i]);
      putchar('\n');
    }
  }
  wasm_val_vec_delete(&results);
  wasm_func_delete(func);
  return status;
}

// Fails if an import is not of WASI: there is nothing else to give to a module.
static void check_imports(const char* path, const wasm_module_t* module,
                          const wasm_extern_vec_t* imports) {
  wasm_importtype_vec_t types;
  wasm_module_imports(module, &types);
  size_t missing = 0;
  for (size_t i = 0; i < types.size && i < imports->size; ++i) {
    if (imports->data[i]) continue;
    if (missing++ == 0) report("%s needs what wasmrt does not provide:", path);
    fputs("  ", stderr);
    print_import(stderr, types.data[i]);
    fputc('\n', stderr);
  }
  wasm_importtype_vec_delete(&types);
  if (missing > 0) finish(FAILED);
}

// Returns whether there is a function to start with. A module without any function has run when its
// instance is made; one that has only others needs --invoke.
static bool has_start(const char* path, const wasm_exporttype_vec_t* exports) {
  size_t functions = 0;
  for (size_t i = 0; i < exports->size; ++i) {
    if (!is_function(exports->data[i])) continue;
    if (has_name(exports->data[i], "_start") || has_name(exports->data[i], "_initialize"))
      return true;
    ++functions;
  }
  if (functions == 0) return false;
  report("%s has no function _start; choose one with --invoke:", path);
  for (size_t i = 0; i < exports->size; ++i) {
    if (!is_function(exports->data[i])) continue;
    fputs("  ", stderr);
    print_export(stderr, exports->data[i]);
    fputc('\n', stderr);
  }
  finish(FAILED);
}

// Calls `_start`, or `_initialize` of a module that has no `_start`.
static int start(const char* path, wasmrt_wasi_t* wasi, const wasm_instance_t* instance) {
  int32_t status = SUCCESS;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  return trap ? status_of_trap(path, trap) : exit_status(status);
}

int run_command(words_t* words) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  settings_t settings = read_options(words, config);
  const char* path = take_file(words);
  bool ready = wasmrt_wasi_config_arg(config, path);
  for (char** word = words->next; ready && *word; ++word)
    ready = wasmrt_wasi_config_arg(config, *word);
  for (wasmrt_wasi_stream_t stream = WASMRT_WASI_STDIN; ready && stream <= WASMRT_WASI_STDERR;
       ++stream)
    ready = wasmrt_wasi_config_inherit(config, stream);
  if (!ready) fail("%s", reason());

  wasm_byte_vec_t bytes;
  read_input(words, path, &bytes);
  wasm_store_t* store = new_store(words, &settings);
  wasm_module_t* module = load_module(store, path, &bytes, settings.allow_precompiled);
  wasm_byte_vec_delete(&bytes);

  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  wasm_val_vec_t arguments = WASM_EMPTY_VEC;
  if (settings.invoke)
    read_values(words, settings.invoke, find_function(words, &exports, settings.invoke),
                &arguments);
  bool starts = !settings.invoke && has_start(path, &exports);

  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasm_extern_vec_t imports;
  if (!wasi || !wasmrt_wasi_imports(wasi, module, &imports)) fail("%s: %s", path, reason());
  check_imports(path, module, &imports);
  if (settings.has_timeout && !wasmrt_store_set_timeout(store, settings.timeout))
    fail("%s", reason());
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, &trap);
  int status = SUCCESS;
  if (!instance) {
    if (!trap) fail("%s: %s", path, reason());
    status = status_of_trap(path, trap);
  } else if (settings.invoke) {
    status = invoke(path, instance, settings.invoke, &arguments);
  } else if (starts) {
    status = start(path, wasi, instance);
  }

  wasm_instance_delete(instance);
  wasm_extern_vec_delete(&imports);
  wasmrt_wasi_delete(wasi);
  wasm_val_vec_delete(&arguments);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasmrt_wasi_config_delete(config);
  return status;
}
