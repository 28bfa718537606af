// Unchecked calls and host functions: the same as the checked ones, for callers who know the types.
#include "configured.h"

static const char* simple =
    "(module"
    "  (func (export \"next\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"
    "  (func (export \"mix\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
    "    (f64.add (local.get 3) (f64.const 0.5)) (f32.mul (local.get 2) (f32.const 2))"
    "    (i64.sub (local.get 1) (i64.const 1)) (i32.xor (local.get 0) (i32.const -1)))"
    "  (global $calls (export \"calls\") (mut i32) (i32.const 0))"
    "  (func (export \"count\") (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"
    "  (func (export \"trap\") (param i32) (result i32) unreachable)"
    "  (func (export \"pass\") (param externref) (result externref) (local.get 0))"
    "  (func (export \"pair\") (result i64 i32) (i64.const -7) (i32.const 9)))";

enum { NEXT, MIX, CALLS, COUNT, TRAP, PASS, PAIR };

static int32_t call_unchecked(const wasm_func_t* func, int32_t argument) {
  wasmrt_raw_t values[1];
  GARBAGE(values);
  values[0].i32 = argument;
  if (!CHECK_NO_TRAP(wasmrt_func_call_unchecked(func, values))) return -1;
  return values[0].i32;
}

TEST(numbers) {
  fixture_t fixture = fixture_from_wat(simple);
  CHECK_INT(call_unchecked(fixture_func(&fixture, NEXT), 41), 42);
  CHECK_INT(call_unchecked(fixture_func(&fixture, NEXT), -1), 0);
  wasmrt_raw_t values[5];
  GARBAGE(values);
  values[0].i32 = 5;
  values[1].i64 = INT64_MIN + 1;
  values[2].f32 = 1.25F;
  values[3].f64 = -3.0;
  CHECK_NO_TRAP(wasmrt_func_call_unchecked(fixture_func(&fixture, MIX), values));
  CHECK(values[0].f64 == -2.5);
  CHECK(values[1].f32 == 2.5F);
  CHECK(values[2].i64 == INT64_MIN);
  CHECK_INT(values[3].i32, -6);
  CHECK_INT(values[4].v128[0], 0xa5);
  CHECK_NO_TRAP(wasmrt_func_call_unchecked(fixture_func(&fixture, PAIR), values));
  CHECK_INT(values[0].i64, -7);
  CHECK_INT(values[1].i32, 9);
  for (int i = 0; i < 3; i++)
    CHECK_NO_TRAP(wasmrt_func_call_unchecked(fixture_func(&fixture, COUNT), NULL));
  wasm_val_t calls;
  wasm_global_get(fixture_global(&fixture, CALLS), &calls);
  CHECK_INT(calls.of.i32, 3);
  fixture_delete(&fixture);
}

TEST(many_parameters) {
  // More than any engine has a fast way for.
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param i32 i64 f32 f64 i32 i64 f32 f64 i32 i64 f32 f64 i32 i64"
      "  f32 f64 i32 i64 f32 f64) (result i64 f64 i32 f32)"
      "  local.get 17 local.get 19 local.get 0 local.get 18))");
  wasmrt_raw_t values[20];
  for (int i = 0; i < 20; i += 4) {
    values[i].i32 = i;
    values[i + 1].i64 = i + 1;
    values[i + 2].f32 = (float)i + 2;
    values[i + 3].f64 = i + 3;
  }
  CHECK_NO_TRAP(wasmrt_func_call_unchecked(fixture_func(&fixture, 0), values));
  CHECK_INT(values[0].i64, 17);
  CHECK(values[1].f64 == 19);
  CHECK_INT(values[2].i32, 0);
  CHECK(values[3].f32 == 18);
  fixture_delete(&fixture);
}

TEST(a_trap) {
  fixture_t fixture = fixture_from_wat(simple);
  wasmrt_raw_t value = {.i32 = 1};
  wasm_trap_t* trap = wasmrt_func_call_unchecked(fixture_func(&fixture, TRAP), &value);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_TRAP);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  if (backend_is(fixture.engine, "wasmtime")) CHECK_INT(frames.size, 1);
  wasm_frame_vec_delete(&frames);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_UNREACHABLE);
  CHECK_INT(call_unchecked(fixture_func(&fixture, NEXT), 1), 2);
  fixture_delete(&fixture);
}

TEST(references_are_refused) {
  fixture_t fixture = fixture_from_wat(simple);
  wasmrt_raw_t value = {.i64 = 0};
  wasm_trap_t* trap = wasmrt_func_call_unchecked(fixture_func(&fixture, PASS), &value);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  CHECK_TRAP_CONTAINS(trap, "externref");
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Host functions

typedef struct host_t {
  wasm_store_t* store;
  wasm_func_t* func;
  size_t calls;
  wasm_trap_t* trap;
} host_t;

static wasm_trap_t* mix(void* env, wasmrt_raw_t* values) {
  ((host_t*)env)->calls++;
  int32_t i32 = values[0].i32;
  int64_t i64 = values[1].i64;
  float f32 = values[2].f32;
  double f64 = values[3].f64;
  values[0].f64 = f64 + 0.5;
  values[1].f32 = f32 * 2;
  values[2].i64 = i64 - 1;
  values[3].i32 = ~i32;
  return NULL;
}

static wasm_trap_t* twice(void* env, wasmrt_raw_t* values) {
  ((host_t*)env)->calls++;
  values[0].i32 *= 2;
  return NULL;
}

static wasm_trap_t* fail(void* env, wasmrt_raw_t* values) {
  host_t* host = env;
  values[0].i32 = 77;
  host->trap = new_trap(host->store, "not today");
  return wasm_trap_copy(host->trap);
}

static wasm_trap_t* down(void* env, wasmrt_raw_t* values) {
  host_t* host = env;
  host->calls++;
  return values[0].i32 > 0 ? wasmrt_func_call_unchecked(host->func, values) : NULL;
}

static wasm_func_t* unchecked_func(wasm_store_t* store, const char* parameters, const char* results,
                                   wasmrt_func_unchecked_callback_t callback, void* env) {
  wasm_functype_t* type = functype(parameters, results);
  wasm_func_t* func = wasmrt_func_new_unchecked(store, type, callback, env, NULL);
  wasm_functype_delete(type);
  REQUIRE(func);
  return func;
}

static void check_mix(const wasm_func_t* func) {
  wasm_val_t arguments[] = {I32(3), I64(4), F32(1.5F), F64(2)}, results[4];
  GARBAGE(results);
  CHECK_NO_TRAP(call(func, arguments, 4, results, 4));
  CHECK_INT(results[0].kind, WASM_F64);
  CHECK(results[0].of.f64 == 2.5);
  CHECK_INT(results[1].kind, WASM_F32);
  CHECK(results[1].of.f32 == 3);
  CHECK_INT(results[2].kind, WASM_I64);
  CHECK_INT(results[2].of.i64, 3);
  CHECK_INT(results[3].kind, WASM_I32);
  CHECK_INT(results[3].of.i32, ~3);
  wasmrt_raw_t values[4] = {{.i32 = 3}, {.i64 = 4}, {.f32 = 1.5F}, {.f64 = 2}};
  CHECK_NO_TRAP(wasmrt_func_call_unchecked(func, values));
  CHECK(values[0].f64 == 2.5);
  CHECK(values[1].f32 == 3);
  CHECK_INT(values[2].i64, 3);
  CHECK_INT(values[3].i32, ~3);
}

static const char* mixing =
    "(module (import \"\" \"mix\" (func $mix (param i32 i64 f32 f64) (result f64 f32 i64 i32)))"
    "  (export \"import\" (func $mix))"
    "  (func (export \"f\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
    "    (call $mix (local.get 0) (local.get 1) (local.get 2) (local.get 3))))";

TEST(a_host_function_from_everywhere) {
  for (int interruption = 0; interruption < 2; interruption++) {
    fixture_t fixture =
        fixture_with(interruption ? wasmrt_config_set_interruption : NULL, NULL, NULL);
    host_t host = {fixture.store, NULL, 0, NULL};
    wasm_func_t* func = unchecked_func(fixture.store, "iIfF", "FfIi", mix, &host);
    check_mix(func);
    wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
    fixture_load(&fixture, mixing, imports, 1);
    check_mix(fixture_func(&fixture, 0));
    check_mix(fixture_func(&fixture, 1));
    CHECK_INT(host.calls, 6);
    wasm_functype_t* type = wasm_func_type(func);
    CHECK(functype_is(type, "iIfF", "FfIi"));
    wasm_functype_delete(type);
    wasm_func_delete(func);
    fixture_delete(&fixture);
  }
}

static const char* importing =
    "(module (import \"\" \"host\" (func $host (param i32) (result i32)))"
    "  (func (export \"f\") (param i32) (result i32)"
    "    (i32.add (call $host (local.get 0)) (i32.const 1))))";

TEST(a_host_function_of_a_common_type) {
  fixture_t fixture = fixture_new();
  host_t host = {fixture.store, NULL, 0, NULL};
  wasm_func_t* func = unchecked_func(fixture.store, "i", "i", twice, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 20), 41);
  CHECK_INT(call_unchecked(fixture_func(&fixture, 0), 30), 61);
  CHECK_INT(call_unchecked(func, 21), 42);
  CHECK_INT(call_i32_i32(func, 22), 44);
  int32_t numbers[] = {1, 2, 3};
  wasmrt_column_t column = {WASM_I32, 3, numbers};
  CHECK(wasmrt_func_call_batch(func, 3, &column, 1, &column, 1, NULL, NULL));
  CHECK_INT(numbers[2], 6);
  CHECK_INT(host.calls, 7);
  // A host function of the other kind, unchecked.
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* add_three(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env;
  results->data[0] = I32(args->data[0].of.i32 + 3);
  return NULL;
}

TEST(a_checked_host_function_is_called_unchecked) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = host_func(fixture.store, "i", "i", add_three, NULL);
  CHECK_INT(call_unchecked(func, 4), 7);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(a_host_function_traps) {
  fixture_t fixture = fixture_new();
  host_t host = {fixture.store, NULL, 0, NULL};
  wasm_func_t* func = unchecked_func(fixture.store, "i", "i", fail, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  for (int direct = 0; direct < 2; direct++) {
    wasm_func_t* callee = direct ? func : fixture_func(&fixture, 0);
    wasm_val_t argument = I32(1), result = I32(5);
    wasm_trap_t* trap = call(callee, &argument, 1, &result, 1);
    CHECK(wasm_trap_same(trap, host.trap));
    CHECK_TRAP(trap, "not today");
    CHECK_INT(result.of.i32, 5);
    wasm_trap_delete(host.trap);
    wasmrt_raw_t value = {.i32 = 1};
    trap = wasmrt_func_call_unchecked(callee, &value);
    CHECK(wasm_trap_same(trap, host.trap));
    CHECK_TRAP(trap, "not today");
    wasm_trap_delete(host.trap);
  }
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(calls_back_and_forth) {
  fixture_t fixture = fixture_new();
  host_t host = {fixture.store, NULL, 0, NULL};
  wasm_func_t* func = unchecked_func(fixture.store, "i", "i", down, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture,
               "(module (import \"\" \"host\" (func $host (param i32) (result i32)))"
               "  (func (export \"f\") (param i32) (result i32)"
               "    (i32.add (call $host (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))))",
               imports, 1);
  host.func = fixture_func(&fixture, 0);
  CHECK_INT(call_unchecked(host.func, 10), 10);
  CHECK_INT(host.calls, 10);
  // The stack runs out, and is there again afterwards.
  wasmrt_raw_t value = {.i32 = INT32_MAX};
  CHECK_TRAP_CODE(wasmrt_func_call_unchecked(host.func, &value), WASMRT_TRAP_STACK_EXHAUSTED);
  CHECK_INT(call_unchecked(host.func, 10), 10);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* delete_all(void* env, wasmrt_raw_t* values) {
  (void)values;
  fixture_delete(env);
  return NULL;
}

TEST(the_store_is_deleted_in_the_middle) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = unchecked_func(fixture.store, "i", "i", delete_all, &fixture);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  wasm_func_delete(func);
  CHECK_INT(call_unchecked(fixture_func(&fixture, 0), 5), 6);
}

TEST(the_finalizer_runs_once) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_functype_t* type = functype("i", "i");
  wasm_func_t* func =
      wasmrt_func_new_unchecked(fixture.store, type, twice, &finalized, count_finalizer);
  CHECK_INT(finalized, 0);
  wasm_func_delete(func);
  CHECK_INT(finalized, 1);
  CHECK_FAILS(wasmrt_func_new_unchecked(fixture.store, NULL, twice, &finalized, count_finalizer) ==
              NULL);
  CHECK_INT(finalized, 2);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Vectors

static wasm_trap_t* reverse(void* env, wasmrt_raw_t* values) {
  (void)env;
  wasmrt_raw_t value = values[0];
  for (int i = 0; i < 16; i++) values[0].v128[i] = value.v128[15 - i];
  values[1].i32 = 123;
  return NULL;
}

TEST(vectors) {
  fixture_t fixture = fixture_new();
  wasm_valtype_t* parameters[] = {wasm_valtype_new(WASMRT_V128)};
  wasm_valtype_t* results[] = {wasm_valtype_new(WASMRT_V128), wasm_valtype_new_i32()};
  wasm_valtype_vec_t parameter_types, result_types;
  wasm_valtype_vec_new(&parameter_types, 1, parameters);
  wasm_valtype_vec_new(&result_types, 2, results);
  wasm_functype_t* type = wasm_functype_new(&parameter_types, &result_types);
  wasm_func_t* func = wasmrt_func_new_unchecked(fixture.store, type, reverse, NULL, NULL);
  REQUIRE(func);
  wasm_functype_delete(type);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture,
               "(module (import \"\" \"f\" (func $f (param v128) (result v128 i32)))"
               "  (func (export \"f\") (param v128) (result v128 i32)"
               "    (call $f (i8x16.add (local.get 0)"
               "      (v128.const i8x16 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1)))))",
               imports, 1);
  for (int direct = 0; direct < 2; direct++) {
    wasmrt_raw_t values[2];
    GARBAGE(values);
    for (int i = 0; i < 16; i++) values[0].v128[i] = (uint8_t)(i * 3);
    CHECK_NO_TRAP(wasmrt_func_call_unchecked(direct ? func : fixture_func(&fixture, 0), values));
    for (int i = 0; i < 16; i++) CHECK_INT(values[0].v128[i], (15 - i) * 3 + (direct ? 0 : 1));
    CHECK_INT(values[1].i32, 123);
    // Not with wasm_val_t.
    wasm_val_t argument = {.kind = WASMRT_V128, .of = {.i64 = 0}}, result[2];
    CHECK_REFUSED(call(direct ? func : fixture_func(&fixture, 0), &argument, 1, result, 2));
  }
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Fuel and interruption

TEST(fuel) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, NULL, NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  fixture_load(&fixture, simple, NULL, 0);
  wasm_func_t* next = fixture_func(&fixture, NEXT);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_INT(call_i32_i32(next, 1), 2);
  uint64_t each = 1000 - fuel_of(fixture.store);
  CHECK_INT(call_unchecked(next, 2), 3);
  CHECK_INT(fuel_of(fixture.store), 1000 - 2 * each);
  CHECK(wasmrt_store_set_fuel(fixture.store, each - 1));
  wasmrt_raw_t value = {.i32 = 1};
  CHECK_TRAP_CODE(wasmrt_func_call_unchecked(next, &value), WASMRT_TRAP_OUT_OF_FUEL);
  fixture_delete(&fixture);
}

TEST(timeouts_and_interrupts) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL,
                                   "(module (func (export \"f\") (loop (br 0)))"
                                   "  (func (export \"g\") (param i32) (result i32) local.get 0))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 20000000));
  CHECK_TRAP_CODE(wasmrt_func_call_unchecked(fixture_func(&fixture, 0), NULL), WASMRT_TRAP_TIMEOUT);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  wasmrt_interrupt_trigger(interrupt);
  CHECK_TRAP_CODE(wasmrt_func_call_unchecked(fixture_func(&fixture, 0), NULL),
                  WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_delete(interrupt);
  CHECK_INT(call_unchecked(fixture_func(&fixture, 1), 5), 5);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Bad input

TEST(bad_input) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("i", "i");
  wasm_functype_t* references[] = {functype("e", "i"), functype("i", "r")};
  wasmrt_raw_t value = {.i32 = 1};
  CHECK_FAILS(wasmrt_func_call_unchecked(NULL, &value) == NULL);
  CHECK_FAILS(wasmrt_func_new_unchecked(NULL, type, twice, NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_func_new_unchecked(fixture.store, NULL, twice, NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_func_new_unchecked(fixture.store, type, NULL, NULL, NULL) == NULL);
  for (int i = 0; i < 2; i++) {
    CHECK_FAILS_WITH(
        wasmrt_func_new_unchecked(fixture.store, references[i], twice, NULL, NULL) == NULL,
        WASMRT_ERROR_UNSUPPORTED);
    wasm_functype_delete(references[i]);
  }
  host_t host = {fixture.store, NULL, 0, NULL};
  wasm_func_t* func = wasmrt_func_new_unchecked(fixture.store, type, twice, &host, NULL);
  wasm_func_delete(func);
  CHECK_FAILS(wasmrt_func_call_unchecked(func, &value) == NULL);
  CHECK_INT(value.i32, 1);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Globals

TEST(vector_globals) {
  fixture_t fixture = fixture_from_wat(
      "(module (global $g (export \"g\") (mut v128) (v128.const i32x4 1 2 3 4))"
      "  (global (export \"c\") v128 (v128.const i32x4 5 6 7 8))"
      "  (func (export \"lane\") (result i32) (i32x4.extract_lane 2 (global.get $g)))"
      "  (func (export \"set\") (param i32) (global.set $g (i32x4.splat (local.get 0)))))");
  wasm_global_t* global = fixture_global(&fixture, 0);
  wasmrt_raw_t value, other;
  GARBAGE(value);
  CHECK(wasmrt_global_get_raw(global, &value));
  static const byte_t expected[16] = {1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0};
  CHECK_INT(memcmp(value.v128, expected, 16), 0);
  value.v128[8] = 77;
  CHECK(wasmrt_global_set_raw(global, &value));
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 77);
  wasm_val_t nine = WASM_I32_VAL(9);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 3), &nine, 1, NULL, 0));
  CHECK(wasmrt_global_get_raw(global, &value));
  CHECK_INT(value.v128[12], 9);
  wasm_global_t* constant = fixture_global(&fixture, 1);
  CHECK_FAILS_WITH(!wasmrt_global_set_raw(constant, &value), WASMRT_ERROR_MISUSE);
  CHECK(wasmrt_global_get_raw(constant, &other));
  CHECK_INT(other.v128[12], 8);
  fixture_delete(&fixture);
}

// Made by the host, imported, and the same for both.
TEST(globals_that_the_host_makes_without_kinds) {
  fixture_t fixture = fixture_new();
  wasmrt_raw_t value = {0}, read;
  for (int i = 0; i < 16; i++) value.v128[i] = (uint8_t)(i + 1);
  for (int mutability = WASM_CONST; mutability <= WASM_VAR; mutability++) {
    wasm_globaltype_t* type = globaltype(WASMRT_V128, (wasm_mutability_t)mutability);
    wasm_global_t* global = wasmrt_global_new_raw(fixture.store, type, &value);
    REQUIRE(global);
    wasm_globaltype_delete(type);
    GARBAGE(read);
    CHECK(wasmrt_global_get_raw(global, &read));
    CHECK_INT(memcmp(read.v128, value.v128, 16), 0);
    wasm_extern_t* imports[] = {wasm_global_as_extern(global)};
    fixture_t guest = {.engine = NULL, .store = fixture.store};
    fixture_load(
        &guest,
        mutability == WASM_VAR
            ? "(module (import \"\" \"\" (global $g (mut v128)))"
              "  (func (export \"f\") (result i32) (i8x16.extract_lane_u 15 (global.get $g))))"
            : "(module (import \"\" \"\" (global $g v128))"
              "  (func (export \"f\") (result i32) (i8x16.extract_lane_u 15 (global.get $g))))",
        imports, 1);
    CHECK_INT(call_i32(fixture_func(&guest, 0)), 16);
    wasm_extern_vec_delete(&guest.exports);
    wasm_instance_delete(guest.instance);
    wasm_module_delete(guest.module);
    wasm_global_delete(global);
  }
  static const wasm_valkind_t numbers[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
  for (size_t i = 0; i < 4; i++) {
    wasm_globaltype_t* type = globaltype(numbers[i], WASM_VAR);
    wasm_global_t* global = wasmrt_global_new_raw(fixture.store, type, &value);
    REQUIRE(global);
    size_t width = i % 2 ? 8 : 4;
    CHECK(wasmrt_global_get_raw(global, &read));
    CHECK_INT(memcmp(&read, &value, width), 0);
    wasm_val_t plain;
    wasm_global_get(global, &plain);
    CHECK_INT(plain.kind, numbers[i]);
    CHECK_INT(memcmp(&plain.of, &value, width), 0);
    read.v128[0] = 99;
    CHECK(wasmrt_global_set_raw(global, &read));
    wasm_global_get(global, &plain);
    CHECK_INT(((byte_t*)&plain.of)[0], 99);
    wasm_global_delete(global);
    wasm_globaltype_delete(type);
  }
  wasm_globaltype_t* type = globaltype(WASM_EXTERNREF, WASM_VAR);
  CHECK_FAILS_WITH(!wasmrt_global_new_raw(fixture.store, type, &value), WASMRT_ERROR_UNSUPPORTED);
  wasm_val_t null = EXTERNREF(NULL);
  wasm_global_t* global = wasm_global_new(fixture.store, type, &null);
  wasm_globaltype_delete(type);
  CHECK_FAILS_WITH(!wasmrt_global_get_raw(global, &read), WASMRT_ERROR_UNSUPPORTED);
  CHECK_FAILS_WITH(!wasmrt_global_set_raw(global, &read), WASMRT_ERROR_UNSUPPORTED);
  wasm_global_delete(global);
  fixture_delete(&fixture);
}
