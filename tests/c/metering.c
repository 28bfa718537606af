// Metering: points that instructions use up, at costs that the program chooses.
#include "test.h"

static int finalized;
static void count_finalized(void* env) {
  (void)env;
  finalized++;
}

static uint64_t same_for_all(void* env, uint32_t opcode) {
  (void)opcode;
  return *(uint64_t*)env;
}

// `local.get` 1, `i32.add` 10, `memory.copy` 100, `i8x16.add` 1000; nothing for the others.
static uint64_t some(void* env, uint32_t opcode) {
  (void)env;
  switch (opcode) {
    case 0x20: return 1;
    case 0x6a: return 10;
    case 0xfc000a: return 100;
    case 0xfd006e: return 1000;
    default: return 0;
  }
}

static uint64_t one = 1;

static wasm_engine_t* engine_with(uint64_t points, wasmrt_cost_callback_t cost, void* env) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_metering(config, points, cost, env, NULL));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  return engine;
}

typedef struct metered_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_module_t* module;
  wasm_instance_t* instance;
} metered_t;

static metered_t metered(uint64_t points, wasmrt_cost_callback_t cost, void* env, const char* wat) {
  metered_t made = {.engine = engine_with(points, cost, env)};
  made.store = wasm_store_new(made.engine);
  made.module = module_from_wat(made.store, wat);
  made.instance = wasm_instance_new(made.store, made.module, NULL, NULL);
  return made;
}

static void metered_delete(metered_t* made) {
  wasm_instance_delete(made->instance);
  wasm_module_delete(made->module);
  wasm_store_delete(made->store);
  wasm_engine_delete(made->engine);
}

static wasm_val_t value_of(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  REQUIRE(export);
  wasm_val_t value;
  wasm_global_get(wasm_extern_as_global(export), &value);
  wasm_extern_delete(export);
  return value;
}

static int64_t points_of(const metered_t* made) {
  return value_of(made->instance, "wasmrt_points").of.i64;
}

static bool exhausted(const metered_t* made) {
  return value_of(made->instance, "wasmrt_points_exhausted").of.i32;
}

// Calls the export at a position, with i32 arguments; returns the trap's code.
static wasmrt_trap_code_t run(metered_t* made, size_t position, int32_t* values, size_t count) {
  wasm_extern_vec_t exports;
  wasm_instance_exports(made->instance, &exports);
  wasm_val_t arguments[4], result;
  for (size_t i = 0; i < count; i++) arguments[i] = I32(values[i]);
  wasm_func_t* func = wasm_extern_as_func(exports.data[position]);
  wasm_trap_t* trap = call(func, arguments, count, &result, wasm_func_result_arity(func));
  wasmrt_trap_code_t code = trap ? wasmrt_trap_code(trap) : WASMRT_TRAP_NONE;
  wasm_trap_delete(trap);
  wasm_extern_vec_delete(&exports);
  return code;
}

TEST(instructions_cost_what_the_program_says) {
  metered_t made = metered(
      5000, some, NULL,
      "(module (memory 1)"
      "  (func (export \"sum\") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))"
      "  (func (export \"copy\") (memory.copy (i32.const 0) (i32.const 0) (i32.const 9)))"
      "  (func (export \"simd\")"
      "    (drop (i8x16.add (v128.const i64x2 0 0) (v128.const i64x2 0 0)))))");
  REQUIRE(made.instance);
  CHECK_INT(points_of(&made), 5000);
  CHECK_INT(run(&made, 0, (int32_t[]){1, 2}, 2), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 5000 - 12);
  CHECK_INT(run(&made, 1, NULL, 0), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 5000 - 112);
  CHECK_INT(run(&made, 2, NULL, 0), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 5000 - 1112);
  CHECK(!exhausted(&made));
  metered_delete(&made);
}

TEST(only_what_runs_is_paid_for) {
  metered_t made =
      metered(1000, same_for_all, &one,
              "(module (func $nothing)"
              "  (func (export \"choose\") (param i32)"
              "    (if (local.get 0) (then (call $nothing) (call $nothing)) (else nop)))"
              "  (func (export \"count\") (param i32)"
              "    (loop $again"
              "      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))"
              "      (br_if $again (local.get 0)))))");
  REQUIRE(made.instance);
  // local.get, if, call, end, call, end, else, end
  CHECK_INT(run(&made, 0, (int32_t[]){1}, 1), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 1000 - 8);
  // local.get, if, nop, end, end
  CHECK_INT(run(&made, 0, (int32_t[]){0}, 1), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 1000 - 8 - 5);
  // loop, ten times 6, two ends
  CHECK_INT(run(&made, 1, (int32_t[]){10}, 1), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 1000 - 8 - 5 - 63);
  metered_delete(&made);
}

TEST(a_guest_traps_when_the_points_do_not_suffice) {
  metered_t made = metered(100000, same_for_all, &one,
                           "(module (func (export \"loop\") (loop (br 0)))"
                           "  (func (export \"once\") nop))");
  REQUIRE(made.instance);
  CHECK_INT(run(&made, 0, NULL, 0), WASMRT_TRAP_UNREACHABLE);
  CHECK(exhausted(&made));
  CHECK_INT(points_of(&made), 0);
  CHECK_INT(run(&made, 1, NULL, 0), WASMRT_TRAP_UNREACHABLE);
  // The host gives it more.
  wasm_extern_t* points = wasmrt_instance_export(made.instance, "wasmrt_points", 13);
  wasm_val_t two = WASM_I64_VAL(2);
  wasm_global_set(wasm_extern_as_global(points), &two);
  wasm_extern_delete(points);
  CHECK_INT(run(&made, 1, NULL, 0), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 0);
  metered_delete(&made);
}

TEST(points_are_unsigned_and_costs_do_not_wrap) {
  uint64_t most = UINT64_MAX;
  const char* two = "(module (func (export \"f\") nop nop))";
  metered_t made = metered(UINT64_MAX - 1, same_for_all, &most, two);
  CHECK_INT(run(&made, 0, NULL, 0), WASMRT_TRAP_UNREACHABLE);
  CHECK_INT(points_of(&made), -2);
  metered_delete(&made);
  made = metered(UINT64_MAX, same_for_all, &one, two);
  CHECK_INT(run(&made, 0, NULL, 0), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), -1 - 3);
  metered_delete(&made);
}

TEST(start_functions_are_metered) {
  const char* wat = "(module (func $start (loop (br 0))) (start $start))";
  wasm_engine_t* engine = engine_with(1000, same_for_all, &one);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_from_wat(store, wat);
  wasm_trap_t* trap = NULL;
  CHECK_NULL(wasm_instance_new(store, module, NULL, &trap));
  REQUIRE(trap);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_UNREACHABLE);
  wasm_trap_delete(trap);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(imports_and_exports_stay_in_their_order) {
  wasm_engine_t* engine = engine_with(1000, same_for_all, &one);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_from_wat(
      store,
      "(module $name (import \"a\" \"g\" (global i32)) (global $own i32 (i32.const 5))"
      "  (func (export \"f\") (result i32) (i32.add (global.get 0) (global.get $own)))"
      "  (export \"own\" (global $own)) (memory (export \"m\") 1) (data (i32.const 0) \"x\"))");
  wasm_exporttype_vec_t types;
  wasm_module_exports(module, &types);
  static const char* const names[] = {"f", "own", "m", "wasmrt_points", "wasmrt_points_exhausted"};
  CHECK_INT(types.size, 5);
  for (size_t i = 0; i < types.size && i < 5; i++)
    CHECK(name_is(wasm_exporttype_name(types.data[i]), names[i]));
  wasm_exporttype_vec_delete(&types);
  wasm_name_t name;
  wasmrt_module_name(module, &name);
  CHECK(name_is(&name, "name"));
  wasm_name_delete(&name);
  wasm_globaltype_t* type = globaltype(WASM_I32, WASM_CONST);
  wasm_val_t seven = I32(7);
  wasm_global_t* global = wasm_global_new(store, type, &seven);
  wasm_globaltype_delete(type);
  wasm_extern_t* import = wasm_global_as_extern(global);
  wasm_instance_t* instance = instantiate(store, module, &import, 1);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 12);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_global_delete(global);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(serialized_modules_stay_as_they_were_compiled) {
  const char* wat = "(module (func (export \"f\") nop))";
  metered_t made = metered(10, same_for_all, &one, wat);
  fixture_t plain = fixture_from_wat(wat);
  wasm_byte_vec_t bytes;
  wasm_module_serialize(made.module, &bytes);
  wasm_module_t* again = wasm_module_deserialize(made.store, &bytes);
  REQUIRE(again);
  wasm_instance_delete(made.instance);
  made.instance = wasm_instance_new(made.store, again, NULL, NULL);
  CHECK_INT(run(&made, 0, NULL, 0), WASMRT_TRAP_NONE);
  CHECK_INT(points_of(&made), 8);
  wasm_module_delete(again);
  wasm_byte_vec_delete(&bytes);
  // One that is not metered does not run by mistake, nor the other way round.
  wasm_store_t* stores[] = {made.store, plain.store};
  const wasm_module_t* modules[] = {plain.module, made.module};
  for (int i = 0; i < 2; i++) {
    wasm_module_serialize(modules[i], &bytes);
    CHECK_FAILS(!wasm_module_deserialize(stores[i], &bytes));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_ARTIFACT);
    CHECK_CONTAINS(wasmrt_last_error_message(), "metering");
    wasm_byte_vec_delete(&bytes);
  }
  fixture_delete(&plain);
  metered_delete(&made);
}

TEST(what_a_guest_exports_does_not_make_it_metered) {
  wasm_engine_t* engine = engine_with(10, same_for_all, &one);
  wasm_store_t* store = wasm_store_new(engine);
  fixture_t plain = fixture_from_wat(
      "(module (global (export \"wasmrt_points\") (mut i64) (i64.const 9))"
      "  (global (export \"wasmrt_points_exhausted\") (mut i32) (i32.const 0))"
      "  (func (export \"f\") (loop (br 0))))");
  wasm_byte_vec_t bytes;
  wasm_module_serialize(plain.module, &bytes);
  CHECK_FAILS(!wasm_module_deserialize(store, &bytes));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_ARTIFACT);
  wasm_byte_vec_delete(&bytes);
  fixture_delete(&plain);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(modules_are_refused_as_without_metering) {
  wasm_engine_t* engine = engine_with(10, same_for_all, &one);
  wasm_store_t* store = wasm_store_new(engine);
  fixture_t plain = fixture_new();
  wasm_byte_vec_t invalid = binary_from_wat("(module (func (result i32) nop))");
  CHECK_FAILS(!wasm_module_new(plain.store, &invalid));
  uint64_t offset = 0, expected = 0;
  CHECK(wasmrt_last_error_offset(&expected));
  CHECK_FAILS(!wasm_module_new(store, &invalid));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK(wasmrt_last_error_offset(&offset));
  CHECK_INT(offset, expected);
  CHECK(!wasm_module_validate(store, &invalid));
  wasm_byte_vec_delete(&invalid);
  wasm_byte_vec_t taken = binary_from_wat("(module (func (export \"wasmrt_points\")))");
  wasm_module_t* module = wasm_module_new(plain.store, &taken);
  CHECK(module);
  wasm_module_delete(module);
  CHECK(!wasm_module_validate(store, &taken));
  CHECK_CONTAINS(wasmrt_last_error_message(), "needed for metering");
  CHECK_FAILS(!wasm_module_new(store, &taken));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "\"wasmrt_points\"");
  CHECK_CONTAINS(wasmrt_last_error_message(), "needed for metering");
  wasm_byte_vec_delete(&taken);
  // What metering adds is not there for the module's own code.
  wasm_byte_vec_t reaches = binary_from_wat("(module (func (global.set 0 (i64.const 99))))");
  CHECK(!wasm_module_validate(store, &reaches));
  CHECK_FAILS(!wasm_module_new(store, &reaches));
  wasm_byte_vec_delete(&reaches);
  fixture_delete(&plain);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(limits_are_those_of_the_module_itself_but_costs_count_what_is_added) {
  char wat[20000] = "(module (func";
  for (int i = 0; i < 1000; i++) strcat(wat, " loop end");
  strcat(wat, "))");
  wasm_byte_vec_t binary = binary_from_wat(wat);
  for (int metered = 0; metered < 2; metered++) {
    for (int bounded = 0; bounded < 2; bounded++) {
      wasm_config_t* config = wasm_config_new();
      if (metered) CHECK(wasmrt_config_set_metering(config, 10, same_for_all, &one, NULL));
      CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_BYTES, binary.size));
      CHECK(
          wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_FUNCTION_BYTES, binary.size));
      CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_NESTING, 1));
      if (bounded)
        CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_FUNCTION_COST, 20000));
      wasm_engine_t* engine = wasm_engine_new_with_config(config);
      wasm_store_t* store = wasm_store_new(engine);
      bool fits = !(metered && bounded);
      CHECK_INT(wasm_module_validate(store, &binary), fits);
      wasm_module_t* module = wasm_module_new(store, &binary);
      CHECK_INT(module != NULL, fits);
      if (!module) {
        CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
        CHECK_CONTAINS(wasmrt_last_error_message(), "function 0");
      }
      wasm_module_delete(module);
      wasm_store_delete(store);
      wasm_engine_delete(engine);
    }
  }
  wasm_byte_vec_delete(&binary);
}

TEST(another_guest_does_not_get_at_the_points) {
  metered_t made = metered(10, same_for_all, &one, "(module (func (export \"f\")))");
  wasmrt_linker_t* linker = wasmrt_linker_new(made.store);
  CHECK(wasmrt_linker_define_instance(linker, "first", 5, made.instance));
  static const char* const imports[] = {
      "(func (import \"first\" \"f\"))",
      "(global (import \"first\" \"wasmrt_points\") (mut i64))"
      "(func $more (global.set 0 (i64.const 1000))) (start $more)",
      "(global (import \"first\" \"wasmrt_points_exhausted\") (mut i32))"};
  for (int i = 0; i < 3; i++) {
    char wat[200];
    snprintf(wat, sizeof wat, "(module %s)", imports[i]);
    wasm_module_t* module = module_from_wat(made.store, wat);
    wasm_trap_t* trap = NULL;
    wasm_instance_t* instance = wasmrt_linker_instantiate(linker, module, &trap);
    CHECK_INT(instance != NULL, i == 0);
    CHECK_INT(trap == NULL, i == 0);
    if (trap) {
      wasm_message_t message;
      wasm_trap_message(trap, &message);
      CHECK_CONTAINS(message.data, "not defined");
      wasm_byte_vec_delete(&message);
    }
    wasm_trap_delete(trap);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  CHECK_INT(points_of(&made), 10);
  // The host has them, and may pass them on.
  wasm_extern_t* points = wasmrt_instance_export(made.instance, "wasmrt_points", 13);
  CHECK(wasmrt_linker_define(linker, "first", 5, "wasmrt_points", 13, points));
  wasm_extern_delete(points);
  wasmrt_linker_delete(linker);
  metered_delete(&made);
}

TEST(without_metering_these_are_names_like_others) {
  fixture_t plain =
      fixture_from_wat("(module (global (export \"wasmrt_points\") (mut i64) (i64.const 9)))");
  wasmrt_linker_t* linker = wasmrt_linker_new(plain.store);
  CHECK(wasmrt_linker_define_instance(linker, "first", 5, plain.instance));
  wasm_extern_t* points = wasmrt_linker_get(linker, "first", 5, "wasmrt_points", 13);
  CHECK(points);
  wasm_extern_delete(points);
  wasmrt_linker_delete(linker);
  fixture_delete(&plain);
}

TEST(the_environment_is_finalized_once) {
  finalized = 0;
  CHECK_FAILS(!wasmrt_config_set_metering(NULL, 1, same_for_all, &one, count_finalized));
  CHECK_INT(finalized, 1);
  wasm_config_t* config = wasm_config_new();
  CHECK_FAILS(!wasmrt_config_set_metering(config, 1, NULL, &one, count_finalized));
  CHECK_INT(finalized, 2);
  CHECK(wasmrt_config_set_metering(config, 1, same_for_all, &one, count_finalized));
  CHECK_FAILS(!wasmrt_config_set_metering(config, 1, same_for_all, &one, count_finalized));
  CHECK_INT(finalized, 3);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  CHECK_INT(finalized, 3);
  wasm_store_delete(store);
  CHECK_INT(finalized, 4);
  config = wasm_config_new();
  CHECK(wasmrt_config_set_metering(config, 1, same_for_all, &one, count_finalized));
  wasm_config_delete(config);
  CHECK_INT(finalized, 5);
}
