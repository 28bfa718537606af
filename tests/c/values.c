// Values: copies, deletion, and every numeric kind on its way through wasm and through the host.
#include "test.h"

#include <math.h>

TEST(val_copy_of_numbers) {
  const wasm_val_t values[4] = {I32(INT32_MIN), I64(INT64_MAX), F32(1.5f), F64(-2.5)};
  for (size_t i = 0; i < 4; i++) {
    wasm_val_t copy;
    GARBAGE(copy);
    wasm_val_copy(&copy, &values[i]);
    CHECK_INT(copy.kind, values[i].kind);
    size_t size = copy.kind == WASM_I32 || copy.kind == WASM_F32 ? 4 : 8;
    CHECK(memcmp(&copy.of, &values[i].of, size) == 0);
    wasm_val_delete(&copy);
  }
}

TEST(val_copy_of_references) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t value = EXTERNREF(wasm_foreign_as_ref(foreign)), copy, second;
  GARBAGE(copy);
  GARBAGE(second);
  wasm_val_copy(&copy, &value);
  wasm_val_copy(&second, &copy);
  CHECK_INT(copy.kind, WASM_EXTERNREF);
  CHECK(wasm_ref_same(copy.of.ref, value.of.ref));
  wasm_val_delete(&value); // deep: each copy is owned
  wasm_val_delete(&copy);
  CHECK_INT(finalized, 0);
  CHECK_PTR(wasm_ref_get_host_info(second.of.ref), &finalized);
  wasm_val_delete(&second);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

TEST(val_copy_of_null_references) {
  const wasm_val_t values[2] = {EXTERNREF(NULL), FUNCREF(NULL)};
  for (size_t i = 0; i < 2; i++) {
    wasm_val_t copy;
    GARBAGE(copy);
    wasm_val_copy(&copy, &values[i]);
    CHECK_INT(copy.kind, values[i].kind);
    CHECK_NULL(copy.of.ref);
    wasm_val_delete(&copy);
  }
}

TEST(val_macros) {
  wasm_val_t value = WASM_INIT_VAL;
  CHECK(value.kind == WASM_EXTERNREF && value.of.ref == NULL);
  wasm_val_t number = WASM_I32_VAL(-7);
  CHECK(number.kind == WASM_I32 && number.of.i32 == -7);
  wasm_val_t large = WASM_I64_VAL(INT64_MIN);
  CHECK(large.kind == WASM_I64 && large.of.i64 == INT64_MIN);
  wasm_val_t single = WASM_F32_VAL(0.5f);
  CHECK(single.kind == WASM_F32 && single.of.f32 == 0.5f);
  wasm_val_t precise = WASM_F64_VAL(0.25);
  CHECK(precise.kind == WASM_F64 && precise.of.f64 == 0.25);
  wasm_val_t reference = WASM_REF_VAL(NULL);
  CHECK(reference.kind == WASM_EXTERNREF && reference.of.ref == NULL);
  int object;
  wasm_val_t pointer;
  wasm_val_init_ptr(&pointer, &object);
  CHECK_PTR(wasm_val_ptr(&pointer), &object);
  wasm_val_delete(&pointer);
}

// A value of a kind that wasm.h does not know owns nothing.
TEST(val_of_unknown_kind) {
  wasm_val_t value;
  GARBAGE(value);
  value.kind = 77;
  wasm_val_t copy;
  wasm_val_copy(&copy, &value);
  wasm_val_delete(&copy);
  wasm_val_delete(&value);
  value.kind = WASMRT_V128;
  value.of.i64 = 0x5a5a;
  wasm_val_copy(&copy, &value);
  wasm_val_delete(&copy);
  wasm_val_delete(&value);
}

// ------------------------------------------------------------------------------------------------
// The bits of a number survive every way it can take

static const uint32_t bits32[] = {
    0,          1,          0x7fffffff, 0x80000000,
    0xffffffff, 0xfffffffe, 0x7f800000, 0xff800000, // infinities
    0x7fc00000, 0xffc00000, 0x7fc12345, 0x7fffffff, // quiet NaNs with payload
    0x00000001, 0x807fffff, 0x00800000, 0x7f7fffff, // subnormal, smallest, largest
    0x80000000, 0x3f800000,
};

static const uint64_t bits64[] = {
    0,
    1,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffffffffffff,
    0x00000000ffffffff,
    0xffffffff00000000,
    0x7ff0000000000000,
    0xfff0000000000000,
    0x7ff8000000000000,
    0xfff8000000000000,
    0x7ff8123456789abc,
    0x0000000000000001,
    0x800fffffffffffff,
    0x0010000000000000,
    0x7fefffffffffffff,
    0x3ff0000000000000,
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static wasm_trap_t* echo(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  for (size_t i = 0; i < results->size; i++) wasm_val_copy(&results->data[i], &arguments->data[i]);
  return NULL;
}

static void check_bits(const wasm_func_t* func, wasm_valkind_t kind, uint64_t bits) {
  bool narrow = kind == WASM_I32 || kind == WASM_F32;
  wasm_val_t argument, result;
  GARBAGE(argument);
  GARBAGE(result);
  argument.kind = kind;
  uint32_t low = (uint32_t)bits;
  memcpy(&argument.of, narrow ? (const void*)&low : (const void*)&bits, narrow ? 4 : 8);
  if (!CHECK_NO_TRAP(call(func, &argument, 1, &result, 1))) return;
  CHECK_INT(result.kind, kind);
  uint64_t actual = 0;
  memcpy(&actual, &result.of, narrow ? 4 : 8);
  CHECK_INT(actual, narrow ? low : bits);
}

static void check_global_bits(wasm_store_t* store, wasm_valkind_t kind, uint64_t bits) {
  bool narrow = kind == WASM_I32 || kind == WASM_F32;
  wasm_val_t value, read;
  GARBAGE(value);
  GARBAGE(read);
  value.kind = kind;
  uint32_t low = (uint32_t)bits;
  memcpy(&value.of, narrow ? (const void*)&low : (const void*)&bits, narrow ? 4 : 8);
  wasm_globaltype_t* type = globaltype(kind, WASM_CONST);
  wasm_global_t* global = wasm_global_new(store, type, &value);
  wasm_globaltype_delete(type);
  REQUIRE(global);
  wasm_global_get(global, &read);
  CHECK_INT(read.kind, kind);
  uint64_t actual = 0;
  memcpy(&actual, &read.of, narrow ? 4 : 8);
  CHECK_INT(actual, narrow ? low : bits);
  wasm_global_delete(global);
}

TEST(extreme_values_and_nan_payloads) {
  fixture_t fixture = fixture_new();
  const char letters[4][2] = {"i", "I", "f", "F"};
  wasm_func_t* hosts[4];
  wasm_extern_t* imports[4];
  for (size_t i = 0; i < 4; i++) {
    hosts[i] = host_func(fixture.store, letters[i], letters[i], echo, NULL);
    imports[i] = wasm_func_as_extern(hosts[i]);
  }
  fixture_load(&fixture,
               "(module"
               "  (import \"\" \"\" (func $i (param i32) (result i32)))"
               "  (import \"\" \"\" (func $I (param i64) (result i64)))"
               "  (import \"\" \"\" (func $f (param f32) (result f32)))"
               "  (import \"\" \"\" (func $F (param f64) (result f64)))"
               "  (func (export \"i\") (param i32) (result i32) (call $i (local.get 0)))"
               "  (func (export \"I\") (param i64) (result i64) (call $I (local.get 0)))"
               "  (func (export \"f\") (param f32) (result f32) (call $f (local.get 0)))"
               "  (func (export \"F\") (param f64) (result f64) (call $F (local.get 0))))",
               imports, 4);
  for (wasm_valkind_t kind = WASM_I32; kind <= WASM_F64; kind++) {
    bool narrow = kind == WASM_I32 || kind == WASM_F32;
    size_t count = narrow ? COUNT(bits32) : COUNT(bits64);
    for (size_t i = 0; i < count; i++) {
      uint64_t bits = narrow ? bits32[i] : bits64[i];
      check_bits(fixture_func(&fixture, kind), kind, bits); // C, wasm, host and back
      check_bits(hosts[kind], kind, bits);                  // C to host
      check_global_bits(fixture.store, kind, bits);
    }
  }
  for (size_t i = 0; i < 4; i++) wasm_func_delete(hosts[i]);
  fixture_delete(&fixture);
}

TEST(arithmetic_of_every_kind) {
  fixture_t fixture = fixture_from_wat(
      "(module"
      "  (func (export \"i\") (param i32 i32) (result i32)"
      "    (i32.sub (local.get 0) (local.get 1)))"
      "  (func (export \"I\") (param i64 i64) (result i64)"
      "    (i64.sub (local.get 0) (local.get 1)))"
      "  (func (export \"f\") (param f32 f32) (result f32)"
      "    (f32.sub (local.get 0) (local.get 1)))"
      "  (func (export \"F\") (param f64 f64) (result f64)"
      "    (f64.sub (local.get 0) (local.get 1))))");
  wasm_val_t result;
  GARBAGE(result);
  CHECK_NO_TRAP(
      call(fixture_func(&fixture, 0), (wasm_val_t[]){I32(INT32_MIN), I32(1)}, 2, &result, 1));
  CHECK_INT(result.of.i32, INT32_MAX);
  GARBAGE(result);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 1), (wasm_val_t[]){I64(5), I64(INT64_C(1) << 40)}, 2,
                     &result, 1));
  CHECK_INT(result.of.i64, 5 - (INT64_C(1) << 40));
  GARBAGE(result);
  CHECK_NO_TRAP(
      call(fixture_func(&fixture, 2), (wasm_val_t[]){F32(1.25f), F32(0.5f)}, 2, &result, 1));
  CHECK(result.kind == WASM_F32 && result.of.f32 == 0.75f);
  GARBAGE(result);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 3), (wasm_val_t[]){F64(1.0), F64(NAN)}, 2, &result, 1));
  CHECK(result.kind == WASM_F64 && isnan(result.of.f64));
  fixture_delete(&fixture);
}
