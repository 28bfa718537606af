// Imports and exports one by one.
#include "test.h"

#define S(text) (text), strlen(text)

static const char ITEMS[] =
    "(module (import \"b\" \"f\" (func (param i32))) (import \"a\" \"\" (memory 1))"
    "  (import \"b\" \"g\" (global i64))"
    "  (export \"z\" (global 0)) (func $f) (export \"y\" (func $f)) (export \"\" (memory 0))"
    "  (export \"f\" (func $f)))";

TEST(the_same_as_in_vectors) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, ITEMS);
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  CHECK_INT(wasmrt_module_import_count(module), imports.size);
  for (size_t i = 0; i < imports.size; i++) {
    wasm_importtype_t* import = wasmrt_module_import_at(module, i);
    REQUIRE(import);
    const wasm_name_t *one = wasm_importtype_name(import),
                      *other = wasm_importtype_name(imports.data[i]);
    CHECK(bytes_are(one, other->data, other->size));
    one = wasm_importtype_module(import), other = wasm_importtype_module(imports.data[i]);
    CHECK(bytes_are(one, other->data, other->size));
    CHECK_INT(wasm_externtype_kind(wasm_importtype_type(import)),
              wasm_externtype_kind(wasm_importtype_type(imports.data[i])));
    wasm_importtype_delete(import);
  }
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  CHECK_INT(wasmrt_module_export_count(module), exports.size);
  for (size_t i = 0; i < exports.size; i++) {
    wasm_exporttype_t* export = wasmrt_module_export_at(module, i);
    REQUIRE(export);
    const wasm_name_t *one = wasm_exporttype_name(export),
                      *other = wasm_exporttype_name(exports.data[i]);
    CHECK(bytes_are(one, other->data, other->size));
    CHECK_INT(wasm_externtype_kind(wasm_exporttype_type(export)),
              wasm_externtype_kind(wasm_exporttype_type(exports.data[i])));
    size_t position = 99;
    CHECK(wasmrt_module_export_index(module, other->data, other->size, &position));
    CHECK_INT(position, i);
    wasm_exporttype_delete(export);
  }
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(exports_of_instances_by_position) {
  fixture_t fixture = fixture_from_wat(
      "(module (func $f (export \"f\") (result i32) (i32.const 4)) (memory (export \"m\") 1)"
      "  (export \"again\" (func $f)))");
  CHECK_INT(wasmrt_instance_export_count(fixture.instance), 3);
  // Found once, for all instances.
  size_t position = 99;
  CHECK(wasmrt_module_export_index(fixture.module, S("again"), &position));
  CHECK_INT(position, 2);
  wasm_instance_t* other = instantiate(fixture.store, fixture.module, NULL, 0);
  const wasm_instance_t* instances[] = {fixture.instance, other};
  for (size_t i = 0; i < 2; i++) {
    wasm_extern_t* by_position = wasmrt_instance_export_at(instances[i], position);
    wasm_extern_t* by_name = wasmrt_instance_export(instances[i], S("f"));
    CHECK(wasm_extern_same(by_position, by_name));
    CHECK_INT(call_i32(wasm_extern_as_func(by_position)), 4);
    wasm_extern_delete(by_position);
    wasm_extern_delete(by_name);
  }
  for (size_t i = 0; i < 3; i++) {
    wasm_extern_t* export = wasmrt_instance_export_at(fixture.instance, i);
    CHECK(wasm_extern_same(export, fixture.exports.data[i]));
    wasm_extern_delete(export);
  }
  wasm_instance_delete(other);
  fixture_delete(&fixture);
}

TEST(what_is_not_there) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  size_t position = 99;
  wasmrt_last_error_clear();
  CHECK(!wasmrt_module_export_index(fixture.module, S("g"), &position));
  CHECK(!wasmrt_module_export_index(fixture.module, "f\0", 2, &position));
  CHECK(!wasmrt_module_export_index(fixture.module, "f", 0, &position));
  CHECK_INT(position, 99);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  CHECK_FAILS(!wasmrt_module_export_index(NULL, S("f"), &position));
  CHECK_FAILS(!wasmrt_module_export_index(fixture.module, NULL, 0, &position));
  CHECK_FAILS(!wasmrt_module_export_index(fixture.module, S("f"), NULL));
  CHECK_FAILS(wasmrt_module_import_at(fixture.module, 0) == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "there are 0 imports, so none at position 0");
  CHECK_FAILS(wasmrt_module_export_at(fixture.module, 1) == NULL);
  CHECK_FAILS(wasmrt_instance_export_at(fixture.instance, 1) == NULL);
  CHECK_FAILS(wasmrt_instance_export_at(fixture.instance, SIZE_MAX) == NULL);
  CHECK_FAILS(wasmrt_module_import_at(NULL, 0) == NULL);
  CHECK_FAILS(wasmrt_module_export_at(NULL, 0) == NULL);
  CHECK_FAILS(wasmrt_instance_export_at(NULL, 0) == NULL);
  CHECK_FAILS(wasmrt_module_import_count(NULL) == 0);
  CHECK_FAILS(wasmrt_module_export_count(NULL) == 0);
  CHECK_FAILS(wasmrt_instance_export_count(NULL) == 0);
  fixture_delete(&fixture);
}
