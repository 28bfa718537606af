// The thread's last error: what sets it, what keeps it, what clears it.
#include "test.h"

TEST(no_error_at_first) {
  // The first test of this program: nothing has failed yet.
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
}

TEST(last_error_is_kept_by_success_and_cleared_on_demand) {
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_NULL(wasm_valtype_new(77));
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_delete(&fixture);
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
}

TEST(last_error_is_the_latest) {
  CHECK_NULL(wasm_valtype_new(77));
  CHECK_NULL(wasm_valtype_new(78));
  CHECK_CONTAINS(wasmrt_last_error_message(), "78");
  CHECK(strstr(wasmrt_last_error_message(), "77") == NULL);
}

TEST(kind_of_a_compile_error) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module (func (result i32)))");
  CHECK_FAILS(wasm_module_new(fixture.store, &binary) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_FAILS(!wasm_module_validate(fixture.store, &binary));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(kind_of_a_link_error) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (import \"mod\" \"name\" (func)))");
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK_CONTAINS(wasmrt_last_error_message(), "mod");
  CHECK_CONTAINS(wasmrt_last_error_message(), "name");
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(kind_of_a_trap) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (func $f unreachable) (start $f))");
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_TRAP);
  CHECK_CONTAINS(wasmrt_last_error_message(), "unreachable");
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(kind_of_an_artifact_error) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t bytes;
  wasm_byte_vec_new(&bytes, 4, "what");
  CHECK_FAILS(wasm_module_deserialize(fixture.store, &bytes) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_ARTIFACT);
  wasm_byte_vec_delete(&bytes);
  fixture_delete(&fixture);
}

TEST(kind_of_misuse) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (param i32)))");
  CHECK_REFUSED(call_plain(fixture_func(&fixture, 0)));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  CHECK_FAILS(wasm_foreign_new(NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_delete(&fixture);
}

TEST(kind_of_a_limit) {
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  CHECK_FAILS(!wasm_memory_grow(memory, 1));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

// A message stays valid over calls that succeed.
TEST(message_stays_where_it_is) {
  CHECK_NULL(wasm_valtype_new(99));
  const char* message = wasmrt_last_error_message();
  fixture_t fixture = fixture_from_wat("(module)");
  fixture_delete(&fixture);
  CHECK_PTR(wasmrt_last_error_message(), message);
  CHECK_CONTAINS(message, "99");
}
