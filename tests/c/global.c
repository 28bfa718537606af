// Globals: made by the host, exported by modules, read and written from both sides.
#include "test.h"

static wasm_global_t* new_global(wasm_store_t* store, wasm_valkind_t kind,
                                 wasm_mutability_t mutability, wasm_val_t value) {
  wasm_globaltype_t* type = globaltype(kind, mutability);
  wasm_global_t* global = wasm_global_new(store, type, &value);
  wasm_globaltype_delete(type);
  return global;
}

static void check_value(const wasm_global_t* global, wasm_val_t expected) {
  wasm_val_t value;
  GARBAGE(value);
  wasm_global_get(global, &value);
  CHECK_INT(value.kind, expected.kind);
  switch (value.kind) {
    case WASM_I32: CHECK_INT(value.of.i32, expected.of.i32); break;
    case WASM_I64: CHECK_INT(value.of.i64, expected.of.i64); break;
    case WASM_F32: CHECK(value.of.f32 == expected.of.f32); break;
    case WASM_F64: CHECK(value.of.f64 == expected.of.f64); break;
    default: CHECK(wasm_ref_same(value.of.ref, expected.of.ref)); break;
  }
  wasm_val_delete(&value);
}

TEST(global_new_of_every_kind) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  const wasm_val_t values[8] = {
      I32(-1),         I64(INT64_MIN),
      F32(0.5f),       F64(-0.125),
      EXTERNREF(NULL), EXTERNREF(wasm_foreign_as_ref(foreign)),
      FUNCREF(NULL),   FUNCREF(wasm_func_as_ref(fixture_func(&fixture, 0))),
  };
  for (size_t i = 0; i < 16; i++) {
    wasm_mutability_t mutability = i < 8 ? WASM_CONST : WASM_VAR;
    wasm_val_t value = values[i % 8];
    wasm_global_t* global = new_global(fixture.store, value.kind, mutability, value);
    REQUIRE(global);
    check_value(global, value);
    wasm_globaltype_t* type = wasm_global_type(global);
    REQUIRE(type);
    CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(type)), value.kind);
    CHECK_INT(wasm_globaltype_mutability(type), mutability);
    wasm_globaltype_delete(type);
    wasm_global_delete(global);
  }
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

TEST(global_new_with_a_value_of_the_wrong_type) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_val_t unknown = I32(0);
  unknown.kind = 77;
  CHECK_FAILS(new_global(fixture.store, WASM_I32, WASM_VAR, I64(1)) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_I64, WASM_CONST, I32(1)) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_F32, WASM_VAR, F64(1)) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_F64, WASM_VAR, EXTERNREF(NULL)) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_EXTERNREF, WASM_VAR, I32(0)) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_I32, WASM_VAR, unknown) == NULL);
  CHECK_FAILS(new_global(fixture.store, WASM_FUNCREF, WASM_VAR,
                         FUNCREF(wasm_foreign_as_ref(foreign))) == NULL);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

TEST(global_set) {
  fixture_t fixture = fixture_new();
  const wasm_val_t before[4] = {I32(1), I64(2), F32(3), F64(4)};
  const wasm_val_t after[4] = {I32(-1), I64(INT64_MAX), F32(-3.5f), F64(1e300)};
  for (size_t i = 0; i < 4; i++) {
    wasm_global_t* global = new_global(fixture.store, before[i].kind, WASM_VAR, before[i]);
    wasm_global_set(global, &after[i]);
    check_value(global, after[i]);
    wasm_global_delete(global);
  }
  fixture_delete(&fixture);
}

TEST(global_set_on_a_constant_or_with_the_wrong_type) {
  fixture_t fixture = fixture_from_wat("(module (global (export \"c\") i32 (i32.const 6)))");
  wasm_global_t* constant = new_global(fixture.store, WASM_I32, WASM_CONST, I32(5));
  wasm_global_t* variable = new_global(fixture.store, WASM_I32, WASM_VAR, I32(7));
  wasm_global_t* function = new_global(fixture.store, WASM_FUNCREF, WASM_VAR, FUNCREF(NULL));
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_val_t unknown = I32(1);
  unknown.kind = 200;
  CHECK_LEAVES_ERROR(wasm_global_set(constant, &I32(1)));
  check_value(constant, I32(5));
  CHECK_LEAVES_ERROR(wasm_global_set(fixture_global(&fixture, 0), &I32(1)));
  check_value(fixture_global(&fixture, 0), I32(6));
  CHECK_LEAVES_ERROR(wasm_global_set(variable, &I64(1)));
  CHECK_LEAVES_ERROR(wasm_global_set(variable, &F32(1)));
  CHECK_LEAVES_ERROR(wasm_global_set(variable, &EXTERNREF(NULL)));
  CHECK_LEAVES_ERROR(wasm_global_set(variable, &unknown));
  check_value(variable, I32(7));
  CHECK_LEAVES_ERROR(wasm_global_set(function, &FUNCREF(wasm_foreign_as_ref(foreign))));
  check_value(function, FUNCREF(NULL));
  wasm_foreign_delete(foreign);
  wasm_global_delete(constant);
  wasm_global_delete(variable);
  wasm_global_delete(function);
  fixture_delete(&fixture);
}

TEST(globals_of_a_module_seen_from_both_sides) {
  fixture_t fixture = fixture_from_wat(
      "(module (global $g (export \"g\") (mut i64) (i64.const 1))"
      "  (func (export \"set\") (param i64) (global.set $g (local.get 0)))"
      "  (func (export \"get\") (result i64) (global.get $g)))");
  wasm_global_t* global = fixture_global(&fixture, 0);
  check_value(global, I64(1));
  wasm_val_t value = I64(INT64_MIN + 1), result;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 1), &value, 1, NULL, 0));
  check_value(global, value);
  wasm_global_set(global, &I64(-9));
  CHECK_NO_TRAP(call(fixture_func(&fixture, 2), NULL, 0, &result, 1));
  CHECK_INT(result.of.i64, -9);
  fixture_delete(&fixture);
}

TEST(globals_of_the_host_seen_from_both_sides) {
  fixture_t fixture = fixture_new();
  wasm_global_t* variable = new_global(fixture.store, WASM_F64, WASM_VAR, F64(1));
  wasm_global_t* constant = new_global(fixture.store, WASM_I32, WASM_CONST, I32(20));
  wasm_extern_t* imports[2] = {wasm_global_as_extern(variable), wasm_global_as_extern(constant)};
  fixture_load(&fixture,
               "(module (import \"\" \"v\" (global $v (mut f64)))"
               "  (import \"\" \"c\" (global $c i32))"
               "  (func (export \"double\")"
               "    (global.set $v (f64.add (global.get $v) (global.get $v))))"
               "  (func (export \"c\") (result i32) (global.get $c)))",
               imports, 2);
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  check_value(variable, F64(2));
  wasm_global_set(variable, &F64(8));
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  check_value(variable, F64(16));
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 20);
  wasm_global_delete(variable);
  wasm_global_delete(constant);
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0))); // the instance keeps it
  fixture_delete(&fixture);
}

TEST(global_copy_and_same) {
  fixture_t fixture = fixture_new();
  wasm_global_t* global = new_global(fixture.store, WASM_I32, WASM_VAR, I32(1));
  wasm_global_t* other = new_global(fixture.store, WASM_I32, WASM_VAR, I32(1));
  wasm_global_t* copy = wasm_global_copy(global);
  CHECK(wasm_global_same(global, copy));
  CHECK(!wasm_global_same(global, other));
  wasm_global_set(global, &I32(2));
  wasm_global_delete(global);
  check_value(copy, I32(2));
  check_value(other, I32(1));
  wasm_global_delete(copy);
  wasm_global_delete(other);
  fixture_delete(&fixture);
}

// A global keeps a reference alive, and releases it when another replaces it.
TEST(global_owns_its_reference) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_global_t* global =
      new_global(fixture.store, WASM_EXTERNREF, WASM_VAR, EXTERNREF(wasm_foreign_as_ref(foreign)));
  wasm_foreign_delete(foreign);
  CHECK_INT(finalized, 0);
  wasm_val_t value;
  GARBAGE(value);
  wasm_global_get(global, &value);
  REQUIRE(value.kind == WASM_EXTERNREF && value.of.ref);
  CHECK_PTR(wasm_ref_get_host_info(value.of.ref), &finalized);
  wasm_val_delete(&value);
  wasm_global_set(global, &EXTERNREF(NULL));
  check_value(global, EXTERNREF(NULL));
  wasm_global_delete(global);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

// A v128 does not fit into a wasm_val_t.
TEST(globals_of_v128) {
  fixture_t fixture =
      fixture_from_wat("(module (global (export \"g\") (mut v128) (v128.const i64x2 1 2)))");
  wasm_globaltype_t* type = wasm_global_type(fixture_global(&fixture, 0));
  CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(type)), WASMRT_V128);
  wasm_val_t value;
  GARBAGE(value);
  CHECK_LEAVES_ERROR(wasm_global_get(fixture_global(&fixture, 0), &value));
  wasm_val_delete(&value); // whatever remains there owns nothing
  GARBAGE(value);
  value.kind = WASMRT_V128;
  CHECK_LEAVES_ERROR(wasm_global_set(fixture_global(&fixture, 0), &value));
  CHECK_FAILS(wasm_global_new(fixture.store, type, &value) == NULL);
  wasm_globaltype_delete(type);
  fixture_delete(&fixture);
}

TEST(global_as_ref) {
  fixture_t fixture = fixture_new();
  wasm_global_t* global = new_global(fixture.store, WASM_I32, WASM_VAR, I32(3));
  wasm_ref_t* ref = wasm_global_as_ref(global);
  CHECK_PTR(wasm_ref_as_global(ref), global);
  CHECK_PTR(wasm_global_as_ref_const(global), ref);
  CHECK_PTR(wasm_ref_as_global_const(ref), global);
  CHECK_NULL(wasm_ref_as_table(ref));
  CHECK_NULL(wasm_ref_as_memory(ref));
  CHECK_NULL(wasm_ref_as_func(ref));
  wasm_global_delete(global);
  fixture_delete(&fixture);
}
