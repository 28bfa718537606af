// Externals: the common view of functions, globals, tables and memories.
#include "test.h"

static const char* wat =
    "(module"
    "  (func (export \"func\") (param i32) (result i64) (i64.const 1))"
    "  (global (export \"global\") (mut f32) (f32.const 1))"
    "  (table (export \"table\") 1 2 externref)"
    "  (memory (export \"memory\") 3 4))";

TEST(extern_kind) {
  fixture_t fixture = fixture_from_wat(wat);
  REQUIRE(fixture.exports.size == 4);
  CHECK_INT(wasm_extern_kind(fixture.exports.data[0]), WASM_EXTERN_FUNC);
  CHECK_INT(wasm_extern_kind(fixture.exports.data[1]), WASM_EXTERN_GLOBAL);
  CHECK_INT(wasm_extern_kind(fixture.exports.data[2]), WASM_EXTERN_TABLE);
  CHECK_INT(wasm_extern_kind(fixture.exports.data[3]), WASM_EXTERN_MEMORY);
  fixture_delete(&fixture);
}

TEST(extern_type) {
  fixture_t fixture = fixture_from_wat(wat);
  wasm_externtype_t* types[4];
  for (size_t i = 0; i < 4; i++) {
    types[i] = wasm_extern_type(fixture.exports.data[i]);
    REQUIRE(types[i]);
    CHECK_INT(wasm_externtype_kind(types[i]), wasm_extern_kind(fixture.exports.data[i]));
  }
  fixture_delete(&fixture);
  CHECK(functype_is(wasm_externtype_as_functype(types[0]), "i", "I"));
  wasm_globaltype_t* global = wasm_externtype_as_globaltype(types[1]);
  CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(global)), WASM_F32);
  CHECK_INT(wasm_globaltype_mutability(global), WASM_VAR);
  wasm_tabletype_t* table = wasm_externtype_as_tabletype(types[2]);
  CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(table)), WASM_EXTERNREF);
  CHECK_INT(wasm_tabletype_limits(table)->max, 2);
  wasm_memorytype_t* memory = wasm_externtype_as_memorytype(types[3]);
  CHECK_INT(wasm_memorytype_limits(memory)->min, 3);
  CHECK_INT(wasm_memorytype_limits(memory)->max, 4);
  for (size_t i = 0; i < 4; i++) wasm_externtype_delete(types[i]);
}

#define EXTERN_CAST_TEST(name, index)                                               \
  TEST(name##_as_extern_is_a_view) {                                                \
    fixture_t fixture = fixture_from_wat(wat);                                      \
    wasm_extern_t* external = fixture.exports.data[index];                          \
    wasm_##name##_t* object = wasm_extern_as_##name(external);                      \
    REQUIRE(object);                                                                \
    CHECK_PTR(wasm_extern_as_##name##_const(external), object);                     \
    CHECK_PTR(wasm_##name##_as_extern(object), external);                           \
    CHECK_PTR(wasm_##name##_as_extern_const(object), external);                     \
    CHECK_PTR(wasm_extern_as_ref(external), wasm_##name##_as_ref(object));          \
    CHECK_PTR(wasm_ref_as_##name(wasm_extern_as_ref(external)), object);            \
    CHECK_PTR(wasm_ref_as_extern(wasm_##name##_as_ref(object)), external);          \
    CHECK_INT(wasm_extern_as_func(external) != NULL, index == 0);                   \
    CHECK_INT(wasm_extern_as_global(external) != NULL, index == 1);                 \
    CHECK_INT(wasm_extern_as_table(external) != NULL, index == 2);                  \
    CHECK_INT(wasm_extern_as_memory(external) != NULL, index == 3);                 \
    CHECK_INT(wasm_extern_as_func_const(external) != NULL, index == 0);             \
    CHECK_INT(wasm_extern_as_global_const(external) != NULL, index == 1);           \
    CHECK_INT(wasm_extern_as_table_const(external) != NULL, index == 2);            \
    CHECK_INT(wasm_extern_as_memory_const(external) != NULL, index == 3);           \
    wasm_##name##_t* copy = wasm_##name##_copy(object);                             \
    CHECK(wasm_extern_same(wasm_##name##_as_extern(copy), external));               \
    fixture_delete(&fixture);                                                       \
    wasm_extern_delete(wasm_##name##_as_extern(copy)); /* owned through the view */ \
  }

EXTERN_CAST_TEST(func, 0)
EXTERN_CAST_TEST(global, 1)
EXTERN_CAST_TEST(table, 2)
EXTERN_CAST_TEST(memory, 3)

TEST(extern_copy_and_same) {
  fixture_t fixture = fixture_from_wat(wat);
  for (size_t i = 0; i < 4; i++) {
    wasm_extern_t* copy = wasm_extern_copy(fixture.exports.data[i]);
    REQUIRE(copy);
    for (size_t j = 0; j < 4; j++) {
      CHECK_INT(wasm_extern_same(copy, fixture.exports.data[j]), i == j);
    }
    CHECK_INT(wasm_extern_kind(copy), i);
    wasm_extern_delete(copy);
  }
  fixture_delete(&fixture);
}

TEST(extern_as_ref) {
  fixture_t fixture = fixture_from_wat(wat);
  for (size_t i = 0; i < 4; i++) {
    wasm_extern_t* external = fixture.exports.data[i];
    wasm_ref_t* ref = wasm_extern_as_ref(external);
    REQUIRE(ref);
    CHECK_PTR(wasm_ref_as_extern(ref), external);
    CHECK_PTR(wasm_extern_as_ref_const(external), ref);
    CHECK_PTR(wasm_ref_as_extern_const(ref), external);
    CHECK_NULL(wasm_ref_as_instance(ref));
    CHECK_NULL(wasm_ref_as_module(ref));
    CHECK_NULL(wasm_ref_as_foreign(ref));
  }
  fixture_delete(&fixture);
}

TEST(extern_vec_copy_shares_the_objects) {
  fixture_t fixture = fixture_from_wat(wat);
  wasm_extern_vec_t copy;
  wasm_extern_vec_copy(&copy, &fixture.exports);
  for (size_t i = 0; i < 4; i++) {
    CHECK(wasm_extern_same(copy.data[i], fixture.exports.data[i]));
  }
  wasm_memory_data(fixture_memory(&fixture, 3))[0] = 8;
  fixture_delete(&fixture);
  CHECK_INT(wasm_memory_data(wasm_extern_as_memory(copy.data[3]))[0], 8);
  wasm_extern_vec_delete(&copy);
}

// wasm.h has a kind and a type for tags, but no object.
TEST(extern_of_a_tag) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(
      fixture.store, "(module (tag (export \"t\") (param i32)) (func (export \"f\")))");
  if (module) {
    wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    REQUIRE(exports.size == 2);
    wasm_extern_t* tag = exports.data[0];
    REQUIRE(tag);
    CHECK_INT(wasm_extern_kind(tag), WASM_EXTERN_TAG);
    CHECK_NULL(wasm_extern_as_func(tag));
    CHECK_NULL(wasm_extern_as_memory(tag));
    wasm_externtype_t* type = wasm_extern_type(tag);
    REQUIRE(wasm_externtype_as_tagtype(type));
    CHECK(functype_is(wasm_tagtype_functype(wasm_externtype_as_tagtype(type)), "i", ""));
    wasm_externtype_delete(type);
    CHECK(wasm_extern_as_func(exports.data[1]) != NULL);
    // It can be passed to another instance.
    wasm_module_t* importing =
        module_from_wat(fixture.store, "(module (import \"\" \"\" (tag (param i32))))");
    wasm_instance_delete(instantiate(fixture.store, importing, exports.data, 1));
    wasm_module_delete(importing);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}
