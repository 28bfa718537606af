// The functions of wasmer.h as programs for wasmer 3 and later call them.
#include "guest.h"
#include "../c/wasi.h"

static wasm_instance_t* instance_of(host_t* host, wasm_module_t* module, wasi_env_t* env) {
  wasm_extern_vec_t imports;
  REQUIRE(wasi_get_imports(host->store, env, module, &imports));
  wasm_instance_t* instance = wasm_instance_new(host->store, module, &imports, NULL);
  REQUIRE(instance);
  wasm_extern_vec_delete(&imports);
  CHECK(wasi_env_initialize_instance(env, host->store, instance));
  return instance;
}

TEST(a_guest_runs_and_its_output_is_kept) {
  host_t host = host_new();
  char directory[256];
  scratch(directory);
  wasi_config_t* config = wasi_config_new("program");
  wasi_config_arg(config, "--flag");
  wasi_config_env(config, "A", "1");
  wasi_config_inherit_stdout(config);
  wasi_config_capture_stdout(config);
  wasi_config_capture_stderr(config);
  wasi_config_capture_stdin(config);
  CHECK(wasi_config_preopen_dir(config, directory));
  wasi_env_t* env = wasi_env_new(host.store, config);
  REQUIRE(env);
  wasm_module_t* module = module_of(host.store, GUEST_WITH_DIRECTORY);
  wasm_instance_t* instance = instance_of(&host, module, env);
  CHECK_INT(start(instance), 7);
  char output[512];
  static const char expected[] = "program\0--flag\0A=1";
  CHECK_INT(wasi_env_read_stdout(env, output, 4), 4);
  CHECK_INT(wasi_env_read_stdout(env, output + 4, sizeof output - 4), sizeof expected - 4);
  CHECK(memcmp(output, expected, sizeof expected) == 0);
  size_t size = drain(env, wasi_env_read_stderr, output, sizeof output);
  char first[64]; // of the path's parts
  snprintf(first, sizeof first, "%.*s", (int)strcspn(directory + 1, "/"), directory + 1);
  CHECK(bytes_have(output, size, first));
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasi_env_delete(env);
  host_delete(&host);
  remove_tree(directory);
}

TEST(instances_of_one_environment_have_their_own_memories) {
  host_t host = host_new();
  wasi_config_t* config = wasi_config_new("program");
  wasi_config_capture_stdout(config);
  wasi_config_capture_stderr(config);
  wasi_env_t* env = wasi_env_new(host.store, config);
  wasm_module_t* module = module_of(host.store, GUEST);
  for (int i = 0; i < 2; i++) {
    wasm_instance_t* instance = instance_of(&host, module, env);
    CHECK(wasi_env_initialize_instance(env, host.store, instance));
    CHECK(wasi_env_set_instance(env, instance));
    CHECK_INT(start(instance), 7);
    char output[64];
    CHECK_INT(drain(env, wasi_env_read_stdout, output, sizeof output), sizeof "program");
    wasm_instance_delete(instance);
  }
  wasm_module_delete(module);
  wasi_env_delete(env);
  host_delete(&host);
}

TEST(functions_that_no_instance_imports_get_the_memory_of_the_environment) {
  host_t host = host_new();
  wasi_config_t* config = wasi_config_new("program");
  wasi_config_capture_stdout(config);
  wasi_env_t* env = wasi_env_new(host.store, config);
  wasm_module_t* module = module_of(host.store, GUEST);
  wasmer_named_extern_vec_t named;
  REQUIRE(wasi_get_unordered_imports(env, module, &named));
  CHECK_INT(named.size, 7);
  const wasm_func_t* sizes = wasm_extern_as_func_const(wasmer_named_extern_unwrap(named.data[0]));
  wasm_val_t arguments[] = {I32(0), I32(4)}, result;
  CHECK_NULL(call(sizes, arguments, 2, &result, 1));
  CHECK_INT(result.of.i32, 21); // EFAULT: there is no memory
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(host.store, type);
  wasm_memorytype_delete(type);
  wasi_env_set_memory(env, memory);
  CHECK_NULL(call(sizes, arguments, 2, &result, 1));
  CHECK_INT(result.of.i32, 0);
  CHECK_INT(wasm_memory_data(memory)[0], 1);
  // What fails changes nothing: the same memory is still bound.
  CHECK_LEAVES(wasi_env_set_memory(env, NULL), "NULL");
  wasi_env_set_memory(env, memory);
  CHECK_NULL(call(sizes, arguments, 2, &result, 1));
  CHECK_INT(result.of.i32, 0);
  wasm_memory_delete(memory);
  wasmer_named_extern_vec_delete(&named);
  wasm_module_delete(module);
  wasi_env_delete(env);
  host_delete(&host);
}

TEST(streams_are_those_of_the_process_unless_they_are_captured) {
  host_t host = host_new();
  char directory[256];
  scratch(directory);
  wasi_config_t* config = wasi_config_new("inherited");
  wasi_config_capture_stdout(config);
  wasi_config_inherit_stdout(config);
  wasi_config_capture_stderr(config);
  // What the process has when the environment is made counts.
  fflush(stdout);
  int saved = dup(STDOUT_FILENO);
  REQUIRE(freopen(in(directory, "out"), "w", stdout));
  wasi_env_t* env = wasi_env_new(host.store, config);
  REQUIRE(env);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  wasm_module_t* module = module_of(host.store, GUEST);
  wasm_instance_t* instance = instance_of(&host, module, env);
  CHECK_INT(start(instance), 7);
  CHECK(host_has(in(directory, "out"), "inherited"));
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  // One that the process has closed discards.
  fflush(stdout);
  saved = dup(STDOUT_FILENO);
  close(STDOUT_FILENO);
  config = wasi_config_new("closed");
  wasi_config_capture_stderr(config);
  env = wasi_env_new(host.store, config);
  dup2(saved, STDOUT_FILENO);
  close(saved);
  REQUIRE(env);
  instance = instance_of(&host, module, env);
  CHECK_INT(start(instance), 7);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_module_delete(module);
  host_delete(&host);
  remove_tree(directory);
}

TEST(what_is_not_alive_or_something_else_is_refused) {
  host_t host = host_new();
  wasm_store_t* other = wasm_store_new(host.engine);
  wasm_module_t* module = module_of(host.store, GUEST);
  wasmer_named_extern_vec_t named = {0, NULL};
  wasm_extern_vec_t imports;
  CHECK_MESSAGE(!wasi_env_new(host.store, NULL), "NULL");
  CHECK_MESSAGE(!wasi_env_new(host.store, (wasi_config_t*)module), "configuration");
  wasi_config_t* config = wasi_config_new("a");
  CHECK_MESSAGE(!wasi_env_new(NULL, config), "store");
  CHECK_MESSAGE(!wasi_env_new(host.store, config), "taken"); // also by that call
  config = wasi_config_new("a");
  wasi_env_t* env = wasi_env_new(host.store, config);
  REQUIRE(env);
  CHECK_MESSAGE(!wasi_get_imports(other, env, module, &imports), "another store");
  CHECK_MESSAGE(!wasi_get_imports(host.store, env, NULL, &imports), "NULL");
  CHECK_MESSAGE(!wasi_get_imports(host.store, NULL, module, &imports), "environment");
  REQUIRE(wasi_get_imports(NULL, env, module, &imports)); // it is known already
  wasm_instance_t* instance = wasm_instance_new(host.store, module, &imports, NULL);
  REQUIRE(instance);
  wasm_extern_vec_delete(&imports);
  CHECK_MESSAGE(!wasi_env_initialize_instance(env, other, instance), "another store");
  CHECK_MESSAGE(!wasi_env_initialize_instance(env, NULL, instance), "NULL");
  CHECK_MESSAGE(!wasi_env_initialize_instance(env, host.store, NULL), "NULL");
  CHECK_MESSAGE(!wasi_env_initialize_instance(NULL, host.store, instance), "NULL");
  CHECK_LEAVES(wasi_env_set_memory(env, NULL), "NULL");
  CHECK_MESSAGE(!wasi_get_unordered_imports(env, NULL, &named), "NULL");
  CHECK_MESSAGE(!wasi_get_unordered_imports(env, module, NULL), "NULL");
  CHECK_MESSAGE(!wasi_get_unordered_imports(NULL, module, &named), "environment");
  wasi_env_delete(env);
  CHECK_MESSAGE(!wasi_env_initialize_instance(env, host.store, instance), "deleted");
  CHECK_MESSAGE(!wasi_get_imports(host.store, env, module, &imports), "environment");
  CHECK_MESSAGE(!wasi_get_unordered_imports(env, module, &named), "environment");
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  module =
      module_of(host.store, "(module (import \"wasi_snapshot_preview1\" \"fd_dance\" (func)))");
  config = wasi_config_new("a");
  env = wasi_env_new(host.store, config);
  CHECK_MESSAGE(!wasi_get_imports(host.store, env, module, &imports), "fd_dance");
  CHECK_INT(imports.size, 0);
  CHECK_MESSAGE(!wasi_get_unordered_imports(env, module, &named), "fd_dance");
  wasi_env_delete(env);
  wasm_module_delete(module);
  wasm_store_delete(other);
  host_delete(&host);
}

// ------------------------------------------------------------------------------------------------
// Errors, versions, text

TEST(last_error) {
  forget_message();
  char message[512];
  CHECK_INT(wasmer_last_error_length(), 0);
  CHECK_INT(wasmer_last_error_message(message, sizeof message), 0);
  CHECK(!wasmer_features_simd(NULL, true));
  int length = wasmer_last_error_length();
  CHECK(length > 10);
  CHECK_INT(wasmer_last_error_message(NULL, 100), -1);
  CHECK_INT(wasmer_last_error_length(), length); // still there
  memset(message, 'x', sizeof message);
  CHECK_INT(wasmer_last_error_message(message, length), length);
  CHECK_INT(strlen(message), length - 1);
  CHECK_INT(message[length], 'x');
  CHECK_INT(wasmer_last_error_length(), 0);
  // Too little room forgets it, too.
  CHECK(!wasmer_features_simd(NULL, true));
  message[0] = 'x';
  CHECK_INT(wasmer_last_error_message(message, length - 1), -1);
  CHECK_INT(message[0], 'x');
  CHECK_INT(wasmer_last_error_length(), 0);
  CHECK(!wasmer_features_simd(NULL, true));
  CHECK_INT(wasmer_last_error_message(message, -5), -1);
  // The last one counts, whosever it is.
  CHECK(!wasmer_features_simd(NULL, true));
  CHECK_NULL(wasm_store_new(NULL));
  CHECK_MESSAGE(!wasm_store_new(NULL), "expected an engine");
  CHECK_NULL(wasm_store_new(NULL));
  CHECK(!wasmer_features_simd(NULL, true));
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmer_last_error_length(), length);
  forget_message();
}

TEST(the_version_is_the_librarys) {
  char version[32];
  snprintf(version, sizeof version, "%d.%d.%d", wasmer_version_major(), wasmer_version_minor(),
           wasmer_version_patch());
  CHECK(strncmp(wasmer_version(), version, strlen(version)) == 0);
  CHECK_STR(wasmer_version(), wasmrt_version());
  CHECK_STR(wasmer_version(), WASMER_VERSION);
  CHECK_STR(wasmer_version_pre(), WASMER_VERSION_PRE);
  CHECK_LEAVES(wasmer_setup_tracing(4, 1), "prints nothing");
}

TEST(text_becomes_a_binary_or_an_error) {
  wasm_byte_vec_t wat = name_of("(module)"), wasm, again;
  wat2wasm(&wat, &wasm);
  CHECK_INT(wasm.size, 8);
  wat2wasm(&wasm, &again);
  CHECK(again.size == 8 && memcmp(again.data, "\0asm\1\0\0\0", 8) == 0);
  wasm_byte_vec_delete(&again);
  wasm_byte_vec_delete(&wasm);
  wasm_byte_vec_delete(&wat);
  wat = name_of("(module");
  memset(&wasm, 0x5a, sizeof wasm);
  CHECK_LEAVES(wat2wasm(&wat, &wasm), "1:8");
  CHECK(wasm.size == 0 && !wasm.data);
  CHECK_LEAVES(wat2wasm(&wat, NULL), "NULL");
  CHECK_LEAVES(wat2wasm(NULL, &wasm), "NULL");
  CHECK(wasm.size == 0 && !wasm.data);
  wasm_byte_vec_delete(&wat);
  wasm_byte_vec_new_empty(&wat);
  CHECK_LEAVES(wat2wasm(&wat, &wasm), "");
  CHECK_INT(wasm.size, 0);
}

TEST(modules_have_names) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, "(module $moduleName)");
  wasm_name_t name;
  wasmer_module_name(module, &name);
  CHECK(name.size == 10 && memcmp(name.data, "moduleName", 10) == 0);
  name.size = 6;
  CHECK(wasmer_module_set_name(module, &name));
  name.size = 10;
  wasm_name_delete(&name);
  wasm_module_name(module, &name);
  CHECK(name.size == 6 && memcmp(name.data, "module", 6) == 0);
  CHECK_LEAVES(CHECK(!wasmer_module_set_name(NULL, &name)), "NULL");
  CHECK_MESSAGE(!wasmer_module_set_name(module, NULL), "NULL");
  wasm_name_delete(&name);
  CHECK_LEAVES(wasmer_module_name(NULL, &name), "NULL");
  CHECK_INT(name.size, 0);
  wasm_byte_vec_t wasm, text = name_of("(module (func (export \"f\")))");
  wat2wasm(&text, &wasm);
  wasm_module_t* other = wasmer_module_new(host.engine, &wasm);
  REQUIRE(other);
  wasmer_module_name(other, &name);
  CHECK_INT(name.size, 0);
  wasm_instance_t* instance = wasm_instance_new(host.store, other, NULL, NULL);
  CHECK(instance);
  wasm_instance_delete(instance);
  wasm_module_delete(other);
  wasm.data[0] = 1;
  CHECK_MESSAGE(!wasmer_module_new(host.engine, &wasm), "");
  CHECK_MESSAGE(!wasmer_module_new(NULL, &wasm), "NULL");
  CHECK_MESSAGE(!wasmer_module_new(host.engine, NULL), "");
  wasm_byte_vec_delete(&wasm);
  wasm_byte_vec_delete(&text);
  wasm_module_delete(module);
  wasmer_funcenv_t* funcenv = wasmer_funcenv_new(host.store, NULL);
  REQUIRE(funcenv);
  wasmer_funcenv_delete(funcenv);
  CHECK_LEAVES(wasmer_funcenv_delete(funcenv), "deleted");
  wasmer_funcenv_delete(NULL);
  CHECK_MESSAGE(!wasmer_funcenv_new(NULL, NULL), "NULL");
  host_delete(&host);
}

// ------------------------------------------------------------------------------------------------
// Configuration

static bool compiles(wasm_config_t* config, const char* text) {
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) return false;
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t wat = name_of(text), wasm;
  wat2wasm(&wat, &wasm);
  wasm_module_t* module = wasm_module_new(store, &wasm);
  wasm_byte_vec_delete(&wat);
  wasm_byte_vec_delete(&wasm);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return module != NULL;
}

TEST(features_turn_proposals_on_and_off) {
  static const char two_results[] = "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))";
  static const char simd[] = "(module (func (param v128)))";
  for (int enable = 0; enable < 2; enable++) {
    wasmer_features_t* features = wasmer_features_new();
    CHECK(wasmer_features_multi_value(features, enable));
    wasm_config_t* config = wasm_config_new();
    wasm_config_set_features(config, features);
    CHECK_INT(compiles(config, two_results), enable);
    features = wasmer_features_new();
    CHECK(wasmer_features_simd(features, enable));
    config = wasm_config_new();
    wasm_config_set_features(config, features);
    CHECK_INT(compiles(config, simd), enable);
  }
  wasmer_features_t* features = wasmer_features_new();
  bool (*const set[])(wasmer_features_t*, bool) = {
      wasmer_features_bulk_memory,
      wasmer_features_exceptions,
      wasmer_features_extended_const,
      wasmer_features_memory64,
      wasmer_features_multi_memory,
      wasmer_features_multi_value,
      wasmer_features_reference_types,
      wasmer_features_relaxed_simd,
      wasmer_features_simd,
      wasmer_features_tail_call,
      wasmer_features_threads,
      wasmer_features_wide_arithmetic,
  };
  for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
    CHECK(set[i](features, true));
    CHECK(set[i](features, false));
    CHECK_MESSAGE(!set[i](NULL, true), "NULL");
  }
  CHECK(wasmer_features_module_linking(features, false));
  CHECK_MESSAGE(!wasmer_features_module_linking(features, true), "wasmrt_linker");
  CHECK_MESSAGE(!wasmer_features_module_linking(NULL, true), "NULL");
  wasmer_features_delete(features);
  CHECK_LEAVES(wasmer_features_delete(features), "deleted");
  wasmer_features_delete(NULL);
  wasm_config_t* config = wasm_config_new();
  CHECK_LEAVES(wasm_config_set_features(config, features), "deleted");
  CHECK(!compiles(config, "(module)"));
  config = wasm_config_new();
  CHECK_LEAVES(wasm_config_set_features(config, NULL), "NULL");
  CHECK(!compiles(config, "(module)"));
  features = wasmer_features_new();
  CHECK_LEAVES(wasm_config_set_features(NULL, features), "NULL");
  wasmer_target_t* target =
      wasmer_target_new(wasmer_triple_new_from_host(), wasmer_cpu_features_new());
  CHECK_LEAVES(wasm_config_set_target(NULL, target), "NULL");
}

TEST(targets_are_compiled_for_or_refused) {
  wasmer_triple_t* triple = wasmer_triple_new_from_host();
  REQUIRE(triple);
  wasmer_cpu_features_t* features = wasmer_cpu_features_new();
  wasmer_target_t* target = wasmer_target_new(triple, features);
  REQUIRE(target);
  wasm_config_t* config = wasm_config_new();
  wasm_config_set_target(config, target);
  CHECK(compiles(config, "(module)"));
  // All of it was taken.
  CHECK_LEAVES(wasmer_triple_delete(triple), "taken");
  CHECK_LEAVES(wasmer_cpu_features_delete(features), "taken");
  CHECK_LEAVES(wasmer_target_delete(target), "taken");
  config = wasm_config_new();
  CHECK_LEAVES(wasm_config_set_target(config, target), "taken");
  CHECK(!compiles(config, "(module)"));
  config = wasm_config_new();
  CHECK_LEAVES(wasm_config_set_target(config, NULL), "NULL");
  CHECK(!compiles(config, "(module)"));

  wasm_name_t name = name_of("mips-unknown-none");
  triple = wasmer_triple_new(&name);
  REQUIRE(triple);
  config = wasm_config_new();
  wasm_config_set_target(config, wasm_target_new(triple, wasm_cpu_features_new()));
  CHECK_MESSAGE(!compiles(config, "(module)"), "target");
  wasm_name_delete(&name);

  // A binding's garbage collector deletes again what was taken, and does not hit what is new.
  triple = wasmer_triple_new_from_host();
  features = wasmer_cpu_features_new();
  target = wasmer_target_new(triple, features);
  wasmer_target_delete(target);
  wasmer_triple_t* new_triple = wasmer_triple_new_from_host();
  wasmer_cpu_features_t* new_features = wasmer_cpu_features_new();
  CHECK_LEAVES(wasmer_triple_delete(triple), "taken");
  CHECK_LEAVES(wasmer_cpu_features_delete(features), "taken");
  target = wasmer_target_new(new_triple, new_features);
  CHECK(target);
  wasmer_target_delete(target);

  static const char* const wrong[] = {"",   "x",     "-",           "a--b",  "a-",
                                      "-a", "a b-c", "a-b-c-d-e-f", "\xff-a"};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    name = name_of(wrong[i]);
    CHECK_MESSAGE(!wasmer_triple_new(&name), "triple");
    wasm_name_delete(&name);
  }
  CHECK_MESSAGE(!wasmer_triple_new(NULL), "NULL");

  features = wasmer_cpu_features_new();
  wasm_name_new_from_string_nt(&name, "sse4.1");
  CHECK(wasmer_cpu_features_add(features, &name));
  CHECK_MESSAGE(!wasmer_cpu_features_add(NULL, &name), "NULL");
  wasm_name_delete(&name);
  name = name_of("sse99");
  CHECK_MESSAGE(!wasmer_cpu_features_add(features, &name), "sse99");
  wasm_name_delete(&name);
  CHECK_MESSAGE(!wasmer_cpu_features_add(features, NULL), "NULL");
  CHECK_MESSAGE(!wasmer_target_new(NULL, features), "NULL");
  CHECK_LEAVES(wasmer_cpu_features_delete(features), "taken");
  triple = wasm_triple_new_from_host();
  CHECK_MESSAGE(!wasmer_target_new(triple, NULL), "NULL");
  CHECK_LEAVES(wasm_triple_delete(triple), "taken");
  CHECK_MESSAGE(!wasmer_target_new((wasmer_triple_t*)&name, NULL), "not a target triple");
  wasmer_target_delete(wasmer_target_new(wasmer_triple_new_from_host(), wasmer_cpu_features_new()));
}

TEST(backends_are_chosen_or_refused) {
  static const struct {
    wasmer_backend_t backend;
    const char* name;
  } rows[] = {{CRANELIFT, "wasmtime"},
              {SINGLEPASS, "wasmtime"},
              {WASMI, "wasmi"},
              {LLVM, NULL},
              {HEADLESS, NULL},
              {V8, NULL},
              {WAMR, NULL},
              {JSC, NULL},
              {(wasmer_backend_t)9, NULL}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    wasm_config_t* config = wasm_config_new();
    wasm_config_set_backend(config, rows[i].backend);
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    CHECK_INT(engine != NULL, wasmer_is_backend_available(rows[i].backend));
    if (engine) {
      CHECK_STR(wasmrt_engine_backend_name(engine), rows[i].name);
    } else if (rows[i].name) {
      // A library may be built without it.
      for (size_t j = 0; j < wasmrt_backend_count(); j++) {
        CHECK(strcmp(wasmrt_backend_name(j), rows[i].name) != 0);
      }
    }
    wasm_engine_delete(engine);
  }
  CHECK_LEAVES(wasm_config_set_backend(NULL, WASMI), "NULL");
}

TEST(canonical_nans_are_the_setting_deterministic) {
  wasm_engine_t* engine = wasm_engine_new();
  bool is_supported =
      wasmrt_backend_supports(wasmrt_engine_backend_name(engine), WASMRT_SETTING_DETERMINISTIC);
  wasm_engine_delete(engine);
  wasm_config_t* config = wasm_config_new();
  wasm_config_canonicalize_nans(config, true);
  CHECK_INT(compiles(config, "(module)"), is_supported);
  config = wasm_config_new();
  wasm_config_sys_canonicalize_nans(config, true);
  wasm_config_sys_canonicalize_nans(config, false);
  CHECK(compiles(config, "(module)"));
  CHECK_LEAVES(wasm_config_canonicalize_nans(NULL, true), "NULL");
}

TEST(file_systems_in_memory_are_refused) {
  CHECK_MESSAGE(!wasi_filesystem_init_static_memory(NULL), "wasi_config_mapdir");
  wasi_filesystem_delete(NULL);
  wasi_config_t* config = wasi_config_new("a");
  wasm_extern_vec_t imports;
  CHECK_MESSAGE(!wasi_env_with_filesystem(config, NULL, NULL, NULL, &imports, "b"), "mapdir");
  CHECK_INT(imports.size, 0);
  CHECK_LEAVES(wasi_config_arg(config, "a"), "taken");
}
