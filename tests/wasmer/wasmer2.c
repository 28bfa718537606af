// The functions of wasmer.h as programs for wasmer 1 and 2 call them, wasmer-go and wasmer-php among them.
#define WASMRT_WASMER_ABI 2
#include "guest.h"

static wasi_config_t* captured(void) {
  wasi_config_t* config = wasi_config_new("test-program");
  REQUIRE(config);
  wasi_config_capture_stdout(config);
  wasi_config_capture_stderr(config);
  return config;
}

// Instantiates with the unordered imports, found by their names, as wasmer-go does.
static wasm_instance_t* instance_by_name(host_t* host, wasm_module_t* module, wasi_env_t* env,
                                         const wasm_extern_t* own) {
  wasmer_named_extern_vec_t named;
  wasmer_named_extern_vec_new_empty(&named);
  REQUIRE(wasi_get_unordered_imports(host->store, module, env, &named));
  wasm_importtype_vec_t types;
  wasm_module_imports(module, &types);
  wasm_extern_vec_t imports;
  wasm_extern_vec_new_uninitialized(&imports, types.size);
  for (size_t i = 0; i < types.size; i++) {
    const wasm_name_t* from = wasm_importtype_module(types.data[i]);
    const wasm_name_t* name = wasm_importtype_name(types.data[i]);
    imports.data[i] = own ? wasm_extern_copy(own) : NULL;
    for (size_t j = 0; j < named.size; j++) {
      const wasm_name_t* its_module = wasmer_named_extern_module(named.data[j]);
      const wasm_name_t* its_name = wasmer_named_extern_name(named.data[j]);
      if (its_module->size != from->size || its_name->size != name->size ||
          memcmp(its_module->data, from->data, from->size) != 0 ||
          memcmp(its_name->data, name->data, name->size) != 0)
        continue;
      wasm_extern_delete(imports.data[i]);
      imports.data[i] = wasm_extern_copy(wasmer_named_extern_unwrap(named.data[j]));
    }
    CHECK(imports.data[i]);
  }
  wasmer_named_extern_vec_delete(&named);
  CHECK_INT(named.size, 0);
  wasm_importtype_vec_delete(&types);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(host->store, module, &imports, &trap);
  REQUIRE(instance && !trap);
  wasm_extern_vec_delete(&imports);
  return instance;
}

TEST(a_guest_gets_arguments_environment_and_directories_and_its_output_is_kept) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, GUEST_WITH_DIRECTORY);
  CHECK_INT(wasi_get_wasi_version(module), SNAPSHOT1);
  wasi_config_t* config = captured();
  wasi_config_arg(config, "--foo");
  wasi_config_env(config, "ABC", "DEF");
  wasi_config_env(config, "X", "ZY");
  CHECK(wasi_config_mapdir(config, "the_host_current_directory", "."));
  wasi_env_t* env = wasi_env_new(config);
  REQUIRE(env);
  char output[256];
  CHECK_INT(wasi_env_read_stdout(env, output, sizeof output), 0);
  wasm_instance_t* instance = instance_by_name(&host, module, env, NULL);
  CHECK_INT(start(instance), 7);
  static const char expected[] = "test-program\0--foo\0ABC=DEF\0X=ZY";
  size_t size = drain(env, wasi_env_read_stdout, output, sizeof output);
  CHECK_INT(size, sizeof expected);
  CHECK(memcmp(output, expected, sizeof expected) == 0);
  size = drain(env, wasi_env_read_stderr, output, sizeof output);
  CHECK(bytes_have(output, size, "the_host_current_directory"));
  CHECK_INT(wasi_env_read_stderr(env, output, sizeof output), 0);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_module_delete(module);
  host_delete(&host);
}

TEST(output_of_any_length_is_drained) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, GUEST);
  wasi_env_t* env = wasi_env_new(captured());
  wasm_extern_vec_t imports;
  REQUIRE(wasi_get_imports(host.store, module, env, &imports));
  CHECK_INT(imports.size, 7);
  wasm_instance_t* instance = wasm_instance_new(host.store, module, &imports, NULL);
  REQUIRE(instance);
  wasm_extern_vec_delete(&imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  static char to[8192];
  for (int32_t size = 0; size <= 4096; size += 512) {
    wasm_val_t arguments[] = {I32(1), I32(1024), I32(size)}, result;
    wasm_trap_t* trap = call(wasm_extern_as_func(exports.data[1]), arguments, 3, &result, 1);
    CHECK_NULL(trap);
    CHECK_INT(result.of.i32, 0);
    CHECK_INT(drain(env, wasi_env_read_stdout, to, sizeof to), size);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasi_env_delete(env);
  host_delete(&host);
}

static int own_calls;
static wasm_trap_t* own_callback(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  own_calls++;
  return NULL;
}

TEST(imports_of_the_program_go_with_those_of_wasi) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, GUEST_WITH_IMPORT);
  wasi_env_t* env = wasi_env_new(captured());
  wasm_extern_vec_t imports;
  CHECK_MESSAGE(!wasi_get_imports(host.store, module, env, &imports), "\"env\" \"own\"");
  CHECK_INT(imports.size, 0);
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t* own = wasm_func_new(host.store, type, own_callback);
  wasm_functype_delete(type);
  wasm_instance_t* instance = instance_by_name(&host, module, env, wasm_func_as_extern(own));
  CHECK_INT(start(instance), 7);
  wasm_func_delete(own);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasi_env_delete(env);
  host_delete(&host);
}

TEST(named_externs_are_copied_and_made_into_vectors) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, GUEST);
  wasi_env_t* env = wasi_env_new(captured());
  wasmer_named_extern_vec_t named, copy, again, part;
  REQUIRE(wasi_get_unordered_imports(host.store, module, env, &named));
  CHECK_INT(named.size, 7);
  wasmer_named_extern_vec_copy(&copy, &named);
  CHECK_INT(copy.size, 7);
  wasi_env_delete(env);
  const wasmer_named_extern_t* first = named.data[0];
  CHECK(wasm_extern_kind(wasmer_named_extern_unwrap(copy.data[6])) == WASM_EXTERN_FUNC);
  CHECK(copy.data[6] != named.data[6]);
  wasmer_named_extern_vec_delete(&named);
  wasmer_named_extern_vec_delete(&named);
  CHECK_NULL(named.data);
  CHECK_MESSAGE(!wasmer_named_extern_module(first), "deleted");
  CHECK_MESSAGE(!wasmer_named_extern_name(NULL), "NULL");
  CHECK_MESSAGE(!wasmer_named_extern_unwrap((const wasmer_named_extern_t*)module),
                "not a named extern");

  const wasm_name_t* from = wasm_named_extern_module(copy.data[0]);
  CHECK(from->size == 22 && memcmp(from->data, "wasi_snapshot_preview1", 22) == 0);
  wasmer_named_extern_vec_new(&again, copy.size, copy.data); // takes them
  CHECK_PTR(again.data[3], copy.data[3]);
  wasmer_named_extern_vec_new_uninitialized(&part, 3);
  CHECK_INT(part.size, 3);
  CHECK_NULL(part.data[2]);
  wasmer_named_extern_vec_delete(&part);
  wasmer_named_extern_vec_new_uninitialized(&part, SIZE_MAX / 4);
  CHECK_INT(part.size, 0);
  wasmer_named_extern_vec_copy(&part, NULL);
  CHECK_INT(part.size, 0);
  wasmer_named_extern_vec_new(&part, 5, NULL);
  CHECK_INT(part.size, 0);
  wasmer_named_extern_vec_delete(&again);
  memset(copy.data, 0, copy.size * sizeof *copy.data);
  wasmer_named_extern_vec_delete(&copy);
  wasmer_named_extern_vec_delete(NULL);
  wasmer_named_extern_vec_new_empty(NULL);
  wasmer_named_extern_vec_new_uninitialized(NULL, 1);
  wasmer_named_extern_vec_new(NULL, 0, NULL);
  wasmer_named_extern_vec_copy(NULL, NULL);
  wasm_module_delete(module);
  host_delete(&host);
}

TEST(an_environment_is_for_the_first_store_that_it_sees) {
  host_t host = host_new();
  wasm_store_t* other = wasm_store_new(host.engine);
  wasm_module_t* module = module_of(host.store, GUEST);
  wasi_env_t* env = wasi_env_new(captured());
  wasm_extern_vec_t imports;
  wasmer_named_extern_vec_t named;
  CHECK_MESSAGE(!wasi_get_imports(NULL, module, env, &imports), "store");
  REQUIRE(wasi_get_imports(host.store, module, env, &imports));
  wasm_extern_vec_delete(&imports);
  CHECK_MESSAGE(!wasi_get_imports(other, module, env, &imports), "another store");
  CHECK_MESSAGE(!wasi_get_unordered_imports(other, module, env, &named), "another store");
  CHECK_INT(named.size, 0);
  wasi_env_delete(env);
  wasm_module_delete(module);
  wasm_store_delete(other);
  host_delete(&host);
}

TEST(a_configuration_with_a_fault_makes_no_environment) {
  wasi_config_t* config = captured();
  CHECK_LEAVES(wasi_config_env(config, "A=B", "C"), "'='");
  wasi_config_arg(config, "fine");
  CHECK_MESSAGE(!wasi_env_new(config), "'='");
  config = captured();
  CHECK_LEAVES(wasi_config_arg(config, NULL), "NULL");
  CHECK_MESSAGE(!wasi_env_new(config), "NULL");
  config = captured();
  CHECK_MESSAGE(!wasi_config_preopen_dir(config, "/is/not/there"), "/is/not/there");
  CHECK_MESSAGE(!wasi_config_mapdir(config, NULL, "."), "NULL");
  CHECK_MESSAGE(!wasi_config_mapdir(config, "a", NULL), "NULL");
  CHECK(wasi_config_mapdir(config, "a", "."));
  CHECK_MESSAGE(!wasi_config_mapdir(config, "a", "."), "a");
  wasi_env_delete(wasi_env_new(config));
}

TEST(what_is_not_alive_or_something_else_is_refused) {
  host_t host = host_new();
  wasm_module_t* module = module_of(host.store, GUEST);
  wasm_extern_vec_t imports;
  wasmer_named_extern_vec_t named = {0, NULL};
  wasi_config_t* config = captured();
  wasi_env_t* env = wasi_env_new(config);
  REQUIRE(env);
  // The configuration was taken.
  CHECK_MESSAGE(!wasi_env_new(config), "taken");
  CHECK_LEAVES(wasi_config_arg(config, "a"), "taken");
  CHECK_LEAVES(wasi_config_env(config, "a", "b"), "taken");
  CHECK_MESSAGE(!wasi_config_mapdir(config, "a", "."), "taken");
  CHECK_LEAVES(wasi_config_capture_stdout(config), "taken");
  CHECK_LEAVES(wasi_config_inherit_stdin(config), "taken");
  // An environment is no configuration, a store no environment.
  CHECK_LEAVES(wasi_config_arg((wasi_config_t*)env, "a"), "not a WASI configuration");
  CHECK_MESSAGE(wasi_env_read_stdout((wasi_env_t*)host.store, NULL, 0) == -1,
                "not a WASI environment");
  CHECK_MESSAGE(!wasi_get_imports(host.store, module, (wasi_env_t*)module, &imports),
                "environment");
  CHECK_MESSAGE(!wasi_get_imports(host.store, module, env, NULL), "NULL");
  CHECK_MESSAGE(!wasi_get_imports(host.store, NULL, env, &imports), "NULL");
  CHECK_INT(imports.size, 0);
  CHECK_MESSAGE(!wasi_get_unordered_imports(host.store, module, env, NULL), "NULL");
  CHECK_MESSAGE(!wasi_get_unordered_imports(host.store, NULL, env, &named), "NULL");
  CHECK_INT(named.size, 0);
  char byte;
  CHECK_MESSAGE(wasi_env_read_stdout(env, NULL, 1) == -1, "NULL");
  CHECK_INT(wasi_env_read_stdout(env, NULL, 0), 0);
  wasi_env_delete(env);
  CHECK_LEAVES(wasi_env_delete(env), "deleted");
  wasi_env_delete(NULL);
  CHECK_MESSAGE(wasi_env_read_stderr(env, &byte, 1) == -1, "deleted");
  CHECK_MESSAGE(!wasi_get_imports(host.store, module, env, &imports), "deleted");
  CHECK_MESSAGE(!wasi_get_unordered_imports(host.store, module, env, &named), "deleted");
  CHECK_LEAVES(wasi_env_set_memory(env, NULL), "deleted");
  CHECK_MESSAGE(!wasi_env_set_instance(env, NULL), "deleted");
  CHECK_MESSAGE(!wasi_config_new(NULL), "NULL");
  CHECK_LEAVES(wasi_config_arg(NULL, "a"), "NULL");
  CHECK_MESSAGE(!wasi_get_start_function(NULL), "NULL");
  CHECK_MESSAGE(wasi_get_wasi_version(NULL) == INVALID_VERSION, "NULL");
  // What is not captured cannot be read.
  env = wasi_env_new(wasi_config_new("a"));
  REQUIRE(env);
  CHECK_MESSAGE(wasi_env_read_stdout(env, &byte, 1) == -1, "not captured");
  CHECK_LEAVES(wasi_env_set_memory(env, NULL), "no store");
  wasi_env_delete(env);
  wasm_module_delete(module);
  host_delete(&host);
}

TEST(versions_of_wasi_are_recognised) {
  host_t host = host_new();
  static const struct {
    const char* text;
    wasi_version_t version;
  } rows[] = {
      {"(module)", INVALID_VERSION},
      {"(module (import \"wasi_snpsht_prvw1\" \"args_get\" (func (param i32 i32) (result i32))))",
       INVALID_VERSION},
      {"(module (import \"wasi_unstable\" \"args_get\" (func (param i32 i32) (result i32))))",
       SNAPSHOT0},
      {"(module (import \"wasi_snapshot_preview1\" \"sched_yield\" (func (result i32))))",
       SNAPSHOT1},
      {"(module (import \"wasix_32v1\" \"thread_id\" (func (param i32) (result i32))))", WASIX32V1},
      {"(module (import \"wasix_64v1\" \"thread_id\" (func (param i64) (result i32))))", WASIX64V1},
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    wasm_module_t* module = module_of(host.store, rows[i].text);
    CHECK_INT(wasi_get_wasi_version(module), rows[i].version);
    wasm_module_delete(module);
  }
  wasm_module_t* module = module_of(host.store, GUEST_OF("wasi_unstable", "", "3"));
  wasi_env_t* env = wasi_env_new(captured());
  wasm_extern_vec_t imports;
  REQUIRE(wasi_get_imports(host.store, module, env, &imports));
  wasm_instance_t* instance = wasm_instance_new(host.store, module, &imports, NULL);
  REQUIRE(instance);
  CHECK_INT(start(instance), 7);
  wasm_extern_vec_delete(&imports);
  wasm_instance_delete(instance);
  wasi_env_delete(env);
  wasm_module_delete(module);
  module = module_of(host.store, "(module (func (export \"start\")))");
  instance = wasm_instance_new(host.store, module, NULL, NULL);
  REQUIRE(instance);
  CHECK_MESSAGE(!wasi_get_start_function(instance), "_start");
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  host_delete(&host);
}

TEST(engines_and_compilers_are_available_or_refused) {
  CHECK(wasmer_is_engine_available(UNIVERSAL));
  CHECK(wasmer_is_engine_available(DYLIB));
  CHECK(!wasmer_is_engine_available(STATICLIB));
  CHECK(!wasmer_is_engine_available((wasmer_engine_t)77));
  CHECK(!wasmer_is_compiler_available(LLVM));
  CHECK(!wasmer_is_compiler_available((wasmer_compiler_t)77));
  CHECK(!wasmer_is_headless());
  CHECK_INT(wasmer_last_error_length(), 0);
  for (int compiler = CRANELIFT; compiler <= SINGLEPASS; compiler++) {
    for (int engine = UNIVERSAL; engine <= STATICLIB; engine++) {
      wasm_config_t* config = wasm_config_new();
      wasm_config_set_compiler(config, (wasmer_compiler_t)compiler);
      wasm_config_set_engine(config, (wasmer_engine_t)engine);
      forget_message();
      wasm_engine_t* made = wasm_engine_new_with_config(config);
      bool is_available = wasmer_is_compiler_available((wasmer_compiler_t)compiler) &&
                          wasmer_is_engine_available((wasmer_engine_t)engine);
      CHECK_INT(made != NULL, is_available);
      if (made) {
        wasm_store_t* store = wasm_store_new(made);
        wasm_module_t* module = module_of(store, "(module (func (export \"f\")))");
        wasm_module_delete(module);
        wasm_store_delete(store);
      }
      wasm_engine_delete(made);
    }
  }
  // A refused setting is not undone by a later one.
  wasm_config_t* config = wasm_config_new();
  CHECK_LEAVES(wasm_config_set_compiler(config, LLVM), "LLVM");
  wasm_config_set_compiler(config, CRANELIFT);
  CHECK_MESSAGE(!wasm_engine_new_with_config(config), "");
  CHECK_LEAVES(wasm_config_set_compiler(NULL, CRANELIFT), "NULL");
  CHECK_LEAVES(wasm_config_set_engine(NULL, UNIVERSAL), "NULL");
}

// ------------------------------------------------------------------------------------------------
// Metering

static uint64_t some_costs(wasmer_parser_operator_t kind) {
  switch (kind) {
    case End:
    case LocalGet: return 1;
    case I32Add: return 4;
    default: return 0;
  }
}

static uint64_t one_each(wasmer_parser_operator_t kind) {
  (void)kind;
  return 1;
}

static host_t metered(uint64_t points, wasmer_metering_cost_function_t cost) {
  wasm_config_t* config = wasm_config_new();
  wasmer_metering_t* metering = wasmer_metering_new(points, cost);
  wasm_config_push_middleware(config, wasmer_metering_as_middleware(metering));
  host_t host = {.engine = wasm_engine_new_with_config(config)};
  host.store = wasm_store_new(host.engine);
  REQUIRE(host.store);
  return host;
}

static wasm_func_t* first_func(wasm_instance_t* instance) {
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_func_t* func = wasm_func_copy(wasm_extern_as_func(exports.data[0]));
  wasm_extern_vec_delete(&exports);
  return func;
}

TEST(instructions_use_points_up_at_their_costs) {
  host_t host = metered(800000000, some_costs);
  wasm_module_t* module = module_of(host.store,
                                    "(module (func (export \"sum\") (param i32 i32) (result i32)"
                                    "  (i32.add (local.get 0) (local.get 1))))");
  wasm_instance_t* instance = wasm_instance_new(host.store, module, NULL, NULL);
  wasm_instance_t* other = wasm_instance_new(host.store, module, NULL, NULL);
  REQUIRE(instance && other);
  wasm_func_t* sum = first_func(instance);
  wasm_val_t arguments[] = {I32(37), I32(5)}, result;
  CHECK_NULL(call(sum, arguments, 2, &result, 1));
  CHECK_INT(result.of.i32, 42);
  CHECK_INT(wasmer_metering_get_remaining_points(instance), 800000000 - 7);
  CHECK_INT(wasmer_metering_get_remaining_points(other), 800000000);
  CHECK(!wasmer_metering_points_are_exhausted(instance));

  wasmer_metering_set_remaining_points(instance, 13);
  CHECK_NULL(call(sum, arguments, 2, &result, 1));
  CHECK_INT(wasmer_metering_get_remaining_points(instance), 6);
  wasm_trap_t* trap = call(sum, arguments, 2, &result, 1);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_UNREACHABLE);
  wasm_trap_delete(trap);
  CHECK(wasmer_metering_points_are_exhausted(instance));
  CHECK(wasmer_metering_get_remaining_points(instance) == UINT64_MAX);
  CHECK(!wasmer_metering_points_are_exhausted(other));
  wasmer_metering_set_remaining_points(instance, 7);
  CHECK(!wasmer_metering_points_are_exhausted(instance));
  CHECK_NULL(call(sum, arguments, 2, &result, 1));
  CHECK_INT(wasmer_metering_get_remaining_points(instance), 0);
  CHECK_INT(wasmer_last_error_length() > 0, 1); // of the trap
  wasm_func_delete(sum);
  wasm_instance_delete(other);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  host_delete(&host);
}

TEST(an_endless_loop_ends_when_the_points_do) {
  host_t host = metered(100000, one_each);
  wasm_module_t* module = module_of(host.store, "(module (func (export \"f\") (loop (br 0))))");
  wasm_instance_t* instance = wasm_instance_new(host.store, module, NULL, NULL);
  REQUIRE(instance);
  wasm_func_t* func = first_func(instance);
  wasm_trap_t* trap = call(func, NULL, 0, NULL, 0);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_UNREACHABLE);
  wasm_trap_delete(trap);
  CHECK(wasmer_metering_points_are_exhausted(instance));
  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  host_delete(&host);
}

static wasmer_parser_operator_t kinds[64];
static size_t kind_count;
static uint64_t note_kind(wasmer_parser_operator_t kind) {
  if (kind_count < 64) kinds[kind_count++] = kind;
  return 0;
}

TEST(kinds_of_instructions_have_their_numbers) {
  host_t host = metered(1, note_kind);
  kind_count = 0;
  wasm_module_delete(module_of(
      host.store,
      "(module (memory 1) (table $t 1 funcref) (global (mut i64) (i64.const 0)) (func $f (local "
      "i32)"
      "  (block (br_if 0 (i32.const 1))) (local.set 0 (i32.const 2))"
      "  (i64.store8 (i32.const 0) (i64.extend32_s (global.get 0)))"
      "  (drop (f64.reinterpret_i64 (i64.trunc_sat_f64_u (f64.const 0))))"
      "  (drop (ref.is_null (table.get 0 (i32.const 0))))"
      "  (drop (table.grow 0 (ref.func $f) (table.size 0)))"
      "  (table.fill 0 (i32.const 0) (ref.null func) (memory.size))"
      "  (memory.copy (i32.const 0) (i32.const 0) (i32.const 0))"
      "  (drop (i8x16.avgr_u (v128.load (i32.const 0)) (i16x8.q15mulr_sat_s (v128.const i64x2 0 0)"
      "    (f32x4.demote_f64x2_zero (i32x4.splat (i32.rotr (i32.const 0) (i32.const 0)))))))"
      "  (if (i32.const 0) (then (unreachable))) (return)) (elem declare func $f))"));
  static const wasmer_parser_operator_t expected[] = {Block,
                                                      I32Const,
                                                      BrIf,
                                                      End,
                                                      I32Const,
                                                      LocalSet,
                                                      I32Const,
                                                      GlobalGet,
                                                      I64Extend32S,
                                                      I64Store8,
                                                      F64Const,
                                                      I64TruncSatF64U,
                                                      F64ReinterpretI64,
                                                      Drop,
                                                      I32Const,
                                                      TableGet,
                                                      RefIsNull,
                                                      Drop,
                                                      RefFunc,
                                                      TableSize,
                                                      TableGrow,
                                                      Drop,
                                                      I32Const,
                                                      RefNull,
                                                      MemorySize,
                                                      TableFill,
                                                      I32Const,
                                                      I32Const,
                                                      I32Const,
                                                      MemoryCopy,
                                                      I32Const,
                                                      V128Load,
                                                      V128Const,
                                                      I32Const,
                                                      I32Const,
                                                      I32Rotr,
                                                      I32x4Splat,
                                                      F32x4DemoteF64x2Zero,
                                                      I16x8Q15MulrSatS,
                                                      I8x16RoundingAverageU,
                                                      Drop,
                                                      I32Const,
                                                      If,
                                                      Unreachable,
                                                      Return};
  enum { COUNT = sizeof expected / sizeof *expected };
  CHECK_INT(kind_count, COUNT);
  for (size_t i = 0; i < COUNT; i++) CHECK_INT(kinds[i], expected[i]);
  CHECK_INT(I32Add, 99);
  CHECK_INT(F32x4RelaxedDotBf16x8AddF32x4, 533);
  host_delete(&host);
}

TEST(nothing_runs_unmetered_by_mistake) {
  CHECK_MESSAGE(!wasmer_metering_new(1, NULL), "NULL");
  CHECK_MESSAGE(!wasmer_metering_as_middleware(NULL), "NULL");
  wasmer_metering_t* metering = wasmer_metering_new(1, one_each);
  wasmer_metering_delete(metering);
  CHECK_LEAVES(wasmer_metering_delete(metering), "deleted");
  CHECK_MESSAGE(!wasmer_metering_as_middleware(metering), "deleted");
  wasmer_metering_delete(NULL);
  wasm_config_t* config = wasm_config_new();
  CHECK_LEAVES(wasm_config_push_middleware(config, NULL), "NULL");
  CHECK_NULL(wasm_engine_new_with_config(config));

  metering = wasmer_metering_new(1, one_each);
  wasmer_middleware_t* middleware = wasmer_metering_as_middleware(metering);
  CHECK_LEAVES(wasmer_metering_delete(metering), "taken");
  config = wasm_config_new();
  wasm_config_push_middleware(config, middleware);
  CHECK_LEAVES(wasm_config_push_middleware(config, middleware), "taken");
  CHECK_NULL(wasm_engine_new_with_config(config));
  config = wasm_config_new();
  for (int i = 0; i < 2; i++) {
    middleware = wasmer_metering_as_middleware(wasmer_metering_new(1, one_each));
    wasm_config_push_middleware(config, middleware);
  }
  CHECK_NULL(wasm_engine_new_with_config(config));
  middleware = wasmer_metering_as_middleware(wasmer_metering_new(1, one_each));
  CHECK_LEAVES(wasm_config_push_middleware(NULL, middleware), "NULL");

  // Instances without points, some of which pretend.
  host_t host = host_new();
  static const char* const texts[] = {
      "(module)",
      "(module (func (export \"wasmrt_points\")) (func (export \"wasmrt_points_exhausted\")))",
      "(module (global (export \"wasmrt_points\") i32 (i32.const 1))"
      "  (global (export \"wasmrt_points_exhausted\") externref (ref.null extern)))"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    wasm_module_t* module = module_of(host.store, texts[i]);
    wasm_instance_t* instance = wasm_instance_new(host.store, module, NULL, NULL);
    REQUIRE(instance);
    CHECK_MESSAGE(wasmer_metering_get_remaining_points(instance) == 0, "not metered");
    CHECK_MESSAGE(!wasmer_metering_points_are_exhausted(instance), "not metered");
    CHECK_LEAVES(wasmer_metering_set_remaining_points(instance, 1), "not metered");
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  CHECK_MESSAGE(wasmer_metering_get_remaining_points(NULL) == 0, "NULL");
  CHECK_MESSAGE(!wasmer_metering_points_are_exhausted(NULL), "NULL");
  CHECK_LEAVES(wasmer_metering_set_remaining_points(NULL, 1), "NULL");
  host_delete(&host);
}
