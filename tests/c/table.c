// Tables of functions and of external references.
#include "test.h"

static const uint32_t unlimited = 0xffffffff;

static wasm_table_t* new_table(wasm_store_t* store, wasm_valkind_t kind, uint32_t min, uint32_t max,
                               wasm_ref_t* init) {
  wasm_tabletype_t* type = tabletype(kind, min, max);
  REQUIRE(type);
  wasm_table_t* table = wasm_table_new(store, type, init);
  wasm_tabletype_delete(type);
  return table;
}

static bool element_is(const wasm_table_t* table, uint32_t index, const wasm_ref_t* expected) {
  wasm_ref_t* element = wasm_table_get(table, index);
  bool same = wasm_ref_same(element, expected);
  wasm_ref_delete(element);
  return same;
}

TEST(table_new) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  wasm_ref_t* func = wasm_func_as_ref(fixture_func(&fixture, 0));
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  const struct {
    wasm_valkind_t kind;
    wasm_ref_t* init;
  } cases[4] = {{WASM_FUNCREF, NULL},
                {WASM_FUNCREF, func},
                {WASM_EXTERNREF, NULL},
                {WASM_EXTERNREF, wasm_foreign_as_ref(foreign)}};
  for (size_t i = 0; i < 4; i++) {
    wasm_table_t* table = new_table(fixture.store, cases[i].kind, 3, 5, cases[i].init);
    REQUIRE(table);
    CHECK_INT(wasm_table_size(table), 3);
    for (uint32_t j = 0; j < 3; j++) CHECK(element_is(table, j, cases[i].init));
    wasm_table_delete(table);
  }
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

TEST(table_new_with_the_wrong_reference) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  CHECK_FAILS(new_table(fixture.store, WASM_FUNCREF, 1, 1, wasm_foreign_as_ref(foreign)) == NULL);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

// Thirty-two gigabytes of null references must be refused, not tried.
TEST(table_new_of_four_billion_elements) {
  fixture_t fixture = fixture_new();
  CHECK_FAILS(new_table(fixture.store, WASM_FUNCREF, 0xfffffffe, unlimited, NULL) == NULL);
  CHECK_FAILS(new_table(fixture.store, WASM_EXTERNREF, 0xf0000000, 0xf0000000, NULL) == NULL);
  wasm_table_t* table = new_table(fixture.store, WASM_EXTERNREF, 1, unlimited, NULL);
  CHECK(!wasm_table_grow(table, 0xf0000000, NULL));
  CHECK(!wasm_table_grow(table, unlimited, NULL));
  CHECK_INT(wasm_table_size(table), 1);
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(table_grown_by_wasm_to_four_billion_elements) {
  fixture_t fixture = fixture_from_wat(
      "(module (table $e 1 externref) (table $f 1 funcref)"
      "  (func (export \"e\") (param i32) (result i32)"
      "    (table.grow $e (ref.null extern) (local.get 0)))"
      "  (func (export \"f\") (param i32) (result i32)"
      "    (table.grow $f (ref.null func) (local.get 0))))");
  for (size_t i = 0; i < 2; i++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), -2), -1);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), INT32_MAX), -1);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), 1), 1);
  }
  fixture_delete(&fixture);
}

TEST(table_type_has_the_current_size_as_minimum) {
  fixture_t fixture = fixture_from_wat("(module (table (export \"t\") 1 4 funcref))");
  wasm_table_t* tables[2] = {wasm_table_copy(fixture_table(&fixture, 0)),
                             new_table(fixture.store, WASM_FUNCREF, 1, 4, NULL)};
  for (size_t i = 0; i < 2; i++) {
    for (uint32_t size = 1; size <= 4; size++) {
      wasm_tabletype_t* type = wasm_table_type(tables[i]);
      REQUIRE(type);
      CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(type)), WASM_FUNCREF);
      CHECK_INT(wasm_tabletype_limits(type)->min, size);
      CHECK_INT(wasm_tabletype_limits(type)->max, 4);
      wasm_tabletype_delete(type);
      wasm_externtype_t* external = wasm_extern_type(wasm_table_as_extern(tables[i]));
      CHECK_INT(wasm_tabletype_limits(wasm_externtype_as_tabletype(external))->min, size);
      wasm_externtype_delete(external);
      CHECK_INT(wasm_table_grow(tables[i], 1, NULL), size < 4);
    }
    wasm_table_delete(tables[i]);
  }
  wasm_table_t* open = new_table(fixture.store, WASM_EXTERNREF, 0, unlimited, NULL);
  wasm_tabletype_t* type = wasm_table_type(open);
  CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(type)), WASM_EXTERNREF);
  CHECK_INT(wasm_tabletype_limits(type)->max, unlimited);
  wasm_tabletype_delete(type);
  wasm_table_delete(open);
  fixture_delete(&fixture);
}

TEST(table_get_and_set) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"a\") (result i32) (i32.const 1))"
      "  (func (export \"b\") (result i32) (i32.const 2)))");
  wasm_ref_t* a = wasm_func_as_ref(fixture_func(&fixture, 0));
  wasm_ref_t* b = wasm_func_as_ref(fixture_func(&fixture, 1));
  wasm_table_t* table = new_table(fixture.store, WASM_FUNCREF, 2, 2, NULL);
  CHECK(wasm_table_set(table, 0, a));
  CHECK(wasm_table_set(table, 1, b));
  wasm_ref_t* element = wasm_table_get(table, 1);
  REQUIRE(wasm_ref_as_func(element));
  CHECK_INT(call_i32(wasm_ref_as_func(element)), 2);
  CHECK(wasm_ref_same(element, b));
  CHECK(!wasm_ref_same(element, a));
  CHECK(wasm_table_set(table, 1, a));
  CHECK(element_is(table, 1, a));
  CHECK_INT(call_i32(wasm_ref_as_func(element)), 2); // a reference read before stays the same
  wasm_ref_delete(element);
  CHECK(wasm_table_set(table, 0, NULL));
  CHECK_NULL(wasm_table_get(table, 0));
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(table_get_and_set_out_of_bounds) {
  fixture_t fixture = fixture_new();
  wasm_table_t* table = new_table(fixture.store, WASM_EXTERNREF, 2, 4, NULL);
  const uint32_t indices[4] = {2, 3, 4, 0xffffffff};
  for (size_t i = 0; i < 4; i++) {
    CHECK_FAILS(wasm_table_get(table, indices[i]) == NULL);
    CHECK_FAILS(!wasm_table_set(table, indices[i], NULL));
  }
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(table_set_of_the_wrong_reference) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_ref_t* func = wasm_func_as_ref(fixture_func(&fixture, 0));
  wasm_table_t* table = new_table(fixture.store, WASM_FUNCREF, 1, 2, func);
  CHECK_FAILS(!wasm_table_set(table, 0, wasm_foreign_as_ref(foreign)));
  CHECK_FAILS(!wasm_table_set(table, 0, wasm_instance_as_ref(fixture.instance)));
  CHECK_FAILS(!wasm_table_grow(table, 1, wasm_foreign_as_ref(foreign)));
  CHECK_INT(wasm_table_size(table), 1);
  CHECK(element_is(table, 0, func));
  wasm_table_delete(table);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

TEST(table_grow) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  wasm_ref_t* func = wasm_func_as_ref(fixture_func(&fixture, 0));
  wasm_table_t* table = new_table(fixture.store, WASM_FUNCREF, 1, 10, NULL);
  CHECK(wasm_table_grow(table, 0, NULL));
  CHECK(wasm_table_grow(table, 4, func));
  CHECK(wasm_table_grow(table, 5, NULL));
  CHECK_INT(wasm_table_size(table), 10);
  CHECK_FAILS(!wasm_table_grow(table, 1, NULL));
  CHECK_FAILS(!wasm_table_grow(table, 0xffffffff, func));
  CHECK(wasm_table_grow(table, 0, func));
  CHECK_INT(wasm_table_size(table), 10);
  for (uint32_t i = 0; i < 10; i++) CHECK(element_is(table, i, i >= 1 && i < 5 ? func : NULL));
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(table_seen_from_both_sides) {
  fixture_t fixture = fixture_new();
  wasm_table_t* table = new_table(fixture.store, WASM_FUNCREF, 2, 8, NULL);
  wasm_extern_t* imports[1] = {wasm_table_as_extern(table)};
  fixture_load(&fixture,
               "(module (import \"\" \"t\" (table $t 2 8 funcref))"
               "  (type $i (func (result i32)))"
               "  (func $seven (export \"seven\") (result i32) (i32.const 7))"
               "  (func (export \"put\") (param i32) (table.set (local.get 0) (ref.func $seven)))"
               "  (func (export \"call\") (param i32) (result i32)"
               "    (call_indirect (type $i) (local.get 0)))"
               "  (func (export \"size\") (result i32) (table.size $t))"
               "  (func (export \"grow\") (param i32) (result i32)"
               "    (table.grow $t (ref.func $seven) (local.get 0)))"
               "  (elem (i32.const 1) $seven))",
               imports, 1);
  wasm_func_t* seven = fixture_func(&fixture, 0);
  CHECK(element_is(table, 0, NULL));
  CHECK(element_is(table, 1, wasm_func_as_ref(seven)));
  wasm_val_t index = I32(0), result;
  CHECK_TRAP(call(fixture_func(&fixture, 2), &index, 1, &result, 1), "uninitialized element");
  CHECK_NO_TRAP(call(fixture_func(&fixture, 1), &index, 1, NULL, 0));
  CHECK(element_is(table, 0, wasm_func_as_ref(seven)));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 0), 7);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 4), 3), 2);
  CHECK_INT(wasm_table_size(table), 5);
  CHECK(element_is(table, 4, wasm_func_as_ref(seven)));
  CHECK(wasm_table_grow(table, 3, NULL));
  CHECK_INT(call_i32(fixture_func(&fixture, 3)), 8);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 4), 1), -1);
  fixture_delete(&fixture);
  // The table has a function; nothing else is left of its module.
  wasm_ref_t* element = wasm_table_get(table, 4);
  CHECK_INT(call_i32(wasm_ref_as_func(element)), 7);
  wasm_ref_delete(element);
  wasm_table_delete(table);
}

TEST(table_copy_and_same) {
  fixture_t fixture = fixture_new();
  wasm_table_t* table = new_table(fixture.store, WASM_EXTERNREF, 1, 4, NULL);
  wasm_table_t* other = new_table(fixture.store, WASM_EXTERNREF, 1, 4, NULL);
  wasm_table_t* copy = wasm_table_copy(table);
  CHECK(wasm_table_same(table, copy));
  CHECK(!wasm_table_same(table, other));
  CHECK(wasm_table_grow(table, 2, NULL));
  wasm_table_delete(table);
  CHECK_INT(wasm_table_size(copy), 3);
  CHECK_INT(wasm_table_size(other), 1);
  wasm_table_delete(copy);
  wasm_table_delete(other);
  fixture_delete(&fixture);
}

TEST(table_as_ref) {
  fixture_t fixture = fixture_new();
  wasm_table_t* table = new_table(fixture.store, WASM_FUNCREF, 1, 4, NULL);
  wasm_ref_t* ref = wasm_table_as_ref(table);
  CHECK_PTR(wasm_ref_as_table(ref), table);
  CHECK_PTR(wasm_table_as_ref_const(table), ref);
  CHECK_PTR(wasm_ref_as_table_const(ref), table);
  CHECK_NULL(wasm_ref_as_memory(ref));
  CHECK_NULL(wasm_ref_as_global(ref));
  wasm_table_delete(table);
  fixture_delete(&fixture);
}
