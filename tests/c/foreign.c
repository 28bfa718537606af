// Foreign objects: references that only the host knows.
#include "test.h"

TEST(foreign_new) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* first = wasm_foreign_new(fixture.store);
  wasm_foreign_t* second = wasm_foreign_new(fixture.store);
  REQUIRE(first && second);
  CHECK(wasm_foreign_same(first, first));
  CHECK(!wasm_foreign_same(first, second));
  CHECK_NULL(wasm_foreign_get_host_info(first));
  wasm_foreign_delete(first);
  wasm_foreign_delete(second);
  fixture_delete(&fixture);
}

TEST(foreign_copy) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_t* copy = wasm_foreign_copy(foreign);
  CHECK(wasm_foreign_same(foreign, copy));
  int info;
  wasm_foreign_set_host_info(foreign, &info);
  wasm_foreign_delete(foreign);
  CHECK_PTR(wasm_foreign_get_host_info(copy), &info);
  wasm_foreign_delete(copy);
  fixture_delete(&fixture);
}

TEST(foreign_as_ref) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_ref_t* ref = wasm_foreign_as_ref(foreign);
  REQUIRE(ref);
  CHECK_PTR(wasm_ref_as_foreign(ref), foreign);
  CHECK_PTR(wasm_foreign_as_ref_const(foreign), ref);
  CHECK_PTR(wasm_ref_as_foreign_const(ref), foreign);
  CHECK_NULL(wasm_ref_as_func(ref));
  CHECK_NULL(wasm_ref_as_extern(ref));
  CHECK_NULL(wasm_ref_as_instance(ref));
  CHECK_NULL(wasm_ref_as_module(ref));
  CHECK_NULL(wasm_ref_as_trap(ref));
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

// References that were passed to an engine are released with the store, if not earlier.
TEST(foreign_objects_that_went_through_wasm_are_released) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"id\") (param externref) (result externref) (local.get 0)))");
  size_t finalized = 0, count = repetitions(10000, 200);
  for (size_t i = 0; i < count; i++) {
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(foreign)), result;
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
    CHECK(wasm_ref_same(result.of.ref, argument.of.ref));
    wasm_val_delete(&result);
    wasm_foreign_delete(foreign);
  }
  CHECK(finalized <= count);
  fixture_delete(&fixture);
  CHECK_INT(finalized, count);
}
