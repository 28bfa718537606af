// Instances: linking, its errors, and the exports.
#include "test.h"

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

TEST(trap_out_parameter_is_null_on_success) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  wasm_trap_t* trap;
  GARBAGE(trap);
  wasm_instance_t* instance = wasm_instance_new(fixture.store, module, NULL, &trap);
  CHECK(instance != NULL);
  CHECK_NULL(trap);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(no_trap_out_parameter) {
  fixture_t fixture = fixture_new();
  wasm_module_t* fine = module_from_wat(fixture.store, "(module)");
  wasm_module_t* trapping = module_from_wat(fixture.store, "(module (func unreachable) (start 0))");
  wasm_module_t* unlinked = module_from_wat(fixture.store, "(module (import \"\" \"\" (func)))");
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(fixture.store, fine, &none, NULL);
  CHECK(instance != NULL);
  wasm_instance_delete(instance);
  CHECK_FAILS(wasm_instance_new(fixture.store, trapping, &none, NULL) == NULL);
  CHECK_FAILS(wasm_instance_new(fixture.store, unlinked, &none, NULL) == NULL);
  wasm_module_delete(fine);
  wasm_module_delete(trapping);
  wasm_module_delete(unlinked);
  fixture_delete(&fixture);
}

TEST(instance_exports_in_declared_order) {
  fixture_t fixture = fixture_from_wat(
      "(module"
      "  (func $f (result i32) (i32.const 1)) (func $g (result i32) (i32.const 2))"
      "  (global $g (mut i64) (i64.const 1)) (table $t 2 4 externref) (memory $m 1)"
      "  (export \"z\" (memory $m)) (export \"a\" (func $g)) (export \"y\" (global $g))"
      "  (export \"\" (table $t)) (export \"b\" (func $f)) (export \"x\" (func $g))"
      "  (export \"c\" (memory $m)))");
  const wasm_externkind_t kinds[7] = {WASM_EXTERN_MEMORY, WASM_EXTERN_FUNC, WASM_EXTERN_GLOBAL,
                                      WASM_EXTERN_TABLE,  WASM_EXTERN_FUNC, WASM_EXTERN_FUNC,
                                      WASM_EXTERN_MEMORY};
  REQUIRE(fixture.exports.size == 7);
  for (size_t i = 0; i < 7; i++) CHECK_INT(wasm_extern_kind(fixture.exports.data[i]), kinds[i]);
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 2);
  CHECK_INT(call_i32(fixture_func(&fixture, 4)), 1);
  CHECK_INT(call_i32(fixture_func(&fixture, 5)), 2);
  fixture_delete(&fixture);
}

static wasm_extern_t* export_of(const fixture_t* fixture, const char* name) {
  return wasmrt_instance_export(fixture->instance, name, strlen(name));
}

TEST(an_export_by_its_name) {
  static const struct {
    const char* name;
    size_t length;
  } names[] = {{"z", 1}, {"a", 1},    {"y", 1},        {"", 0},  {"b", 1},
               {"x", 1}, {"a\0b", 3}, {"\xc3\xa9", 2}, {"aa", 2}};
  enum { NAMES = sizeof names / sizeof *names };
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "", "", do_nothing, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module"
               "  (import \"host\" \"f\" (func $f))"
               "  (global $g (mut i64) (i64.const 1)) (table $t 2 4 externref) (memory $m 1)"
               "  (func $h (result i32) (i32.const 2))"
               "  (export \"z\" (memory $m)) (export \"a\" (func $f)) (export \"y\" (global $g))"
               "  (export \"\" (table $t)) (export \"b\" (func $h)) (export \"x\" (func $h))"
               "  (export \"a\\00b\" (func $h)) (export \"\\c3\\a9\" (func $h))"
               "  (export \"aa\" (memory $m)))",
               imports, 1);
  REQUIRE(fixture.exports.size == NAMES);
  wasmrt_last_error_clear();
  for (size_t i = 0; i < NAMES; i++) {
    wasm_extern_t* export =
        wasmrt_instance_export(fixture.instance, names[i].name, names[i].length);
    REQUIRE(export);
    CHECK(wasm_extern_same(export, fixture.exports.data[i]));
    wasm_extern_delete(export);
  }
  // No such export: no error either.
  const char* none[] = {"A", "zz", "ab", "c", "\xc3", "\xff\xff\xff", "host", "f"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) CHECK_NULL(export_of(&fixture, none[i]));
  CHECK_NULL(wasmrt_instance_export(fixture.instance, "z", 2)); // with its terminating zero
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  CHECK_FAILS(wasmrt_instance_export(fixture.instance, NULL, 0) == NULL);
  CHECK_FAILS(wasmrt_instance_export(NULL, "z", 1) == NULL);

  // A handle of its own: what it refers to outlives everything else.
  wasm_extern_t* func = export_of(&fixture, "b");
  wasm_func_delete(host);
  fixture_delete(&fixture);
  CHECK_INT(call_i32(wasm_extern_as_func(func)), 2);
  wasm_extern_delete(func);
}

// Each is looked up, with names that differ at their ends: in no time quadratic in their number.
TEST(many_exports_by_their_names) {
  size_t count = repetitions(50000, 2000);
  char* wat = malloc(count * 120 + 100);
  REQUIRE(wat);
  char* end = wat + sprintf(wat, "(module (global $g i32 (i32.const 7))");
  for (size_t i = 0; i < count; i++)
    end += sprintf(end, "(export \"all_of_them_begin_with_the_same_words_%zu\" (global $g))", i);
  sprintf(end, ")");
  fixture_t fixture = fixture_new();
  fixture_load(&fixture, wat, NULL, 0);
  for (size_t i = 0; i < count; i++) {
    char name[80];
    sprintf(name, "all_of_them_begin_with_the_same_words_%zu", i);
    wasm_extern_t* export = export_of(&fixture, name);
    if (!export || !wasm_extern_same(export, fixture.exports.data[i]))
      CHECK(!"the export is found");
    wasm_extern_delete(export);
  }
  CHECK_NULL(export_of(&fixture, "all_of_them_begin_with_the_same_words_"));
  free(wat);
  fixture_delete(&fixture);
}

TEST(instance_without_exports) {
  fixture_t fixture = fixture_from_wat("(module (func))");
  CHECK_INT(fixture.exports.size, 0);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Linking. The host offers one external of every kind.

typedef struct offer_t {
  wasm_func_t* func;     // (i32) -> (f64)
  wasm_global_t* global; // const i32
  wasm_table_t* table;   // 2..4 funcref
  wasm_memory_t* memory; // 1..3
} offer_t;

static offer_t offer_new(wasm_store_t* store) {
  offer_t offer;
  offer.func = host_func(store, "i", "F", do_nothing, NULL);
  wasm_globaltype_t* global = globaltype(WASM_I32, WASM_CONST);
  offer.global = wasm_global_new(store, global, &I32(4));
  wasm_globaltype_delete(global);
  wasm_tabletype_t* table = tabletype(WASM_FUNCREF, 2, 4);
  offer.table = wasm_table_new(store, table, NULL);
  wasm_tabletype_delete(table);
  wasm_memorytype_t* memory = memorytype(1, 3);
  offer.memory = wasm_memory_new(store, memory);
  wasm_memorytype_delete(memory);
  REQUIRE(offer.func && offer.global && offer.table && offer.memory);
  return offer;
}

static void offer_delete(offer_t* offer) {
  wasm_func_delete(offer->func);
  wasm_global_delete(offer->global);
  wasm_table_delete(offer->table);
  wasm_memory_delete(offer->memory);
}

// The message names all of the texts.
static void check_link_error(wasm_store_t* store, const char* wat, wasm_extern_t** imports,
                             size_t count, const char* const texts[4]) {
  wasm_module_t* module = module_from_wat(store, wat);
  wasm_extern_vec_t import_vec = {count, imports};
  wasm_trap_t* trap = NULL;
  size_t failed_before = checks_failed;
  CHECK_FAILS(wasm_instance_new(store, module, &import_vec, &trap) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK(trap != NULL);
  if (trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    for (size_t i = 0; i < 4 && texts[i]; i++) CHECK_CONTAINS(message.data, texts[i]);
    for (size_t i = 0; i < 4 && texts[i]; i++) {
      CHECK_CONTAINS(wasmrt_last_error_message(), texts[i]);
    }
    wasm_byte_vec_delete(&message);
  }
  wasm_trap_delete(trap);
  wasm_module_delete(module);
  if (checks_failed != failed_before) fprintf(stderr, "    module: %s\n", wat);
}

#define TEXTS(...) ((const char* const[4]){__VA_ARGS__})

TEST(right_imports_of_every_kind) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_extern_t* imports[4] = {
      wasm_memory_as_extern(offer.memory),
      wasm_func_as_extern(offer.func),
      wasm_table_as_extern(offer.table),
      wasm_global_as_extern(offer.global),
  };
  fixture_load(&fixture,
               "(module (import \"m\" \"memory\" (memory 0 3))"
               "  (import \"m\" \"func\" (func (param i32) (result f64)))"
               "  (import \"m\" \"table\" (table 1 5 funcref))"
               "  (import \"m\" \"global\" (global i32)))",
               imports, 4);
  offer_delete(&offer);
  fixture_delete(&fixture);
}

// Imports of all kinds by turns, with memories that the module defines itself: each is what its index says, although an
// engine may want another order.
TEST(imports_of_all_kinds_by_turns) {
  fixture_t exporter = fixture_from_wat(
      "(module"
      "  (global (export \"g1\") i32 (i32.const 1)) (global (export \"g2\") i32 (i32.const 2))"
      "  (memory (export \"m1\") 1) (memory (export \"m2\") 2)"
      "  (func (export \"f1\") (result i32) (i32.const 3))"
      "  (func (export \"f2\") (result i32) (i32.const 4))"
      "  (table (export \"t1\") 5 funcref) (table (export \"t2\") 6 funcref))");
  wasm_extern_t** from = exporter.exports.data;
  REQUIRE(exporter.exports.size == 8);
  wasm_extern_t* imports[8] = {from[0], from[2], from[6], from[4],
                               from[5], from[7], from[3], from[1]};
  wasm_module_t* module = module_from_wat(
      exporter.store,
      "(module"
      "  (import \"\" \"\" (global i32)) (import \"\" \"\" (memory 1)) (import \"\" \"\" (table 1 "
      "funcref))"
      "  (import \"\" \"\" (func (result i32))) (import \"\" \"\" (func (result i32)))"
      "  (import \"\" \"\" (table 1 funcref)) (import \"\" \"\" (memory 1)) (import \"\" \"\" "
      "(global i32))"
      "  (memory 7) (memory 8)"
      "  (func (export \"g1\") (result i32) (global.get 0))"
      "  (func (export \"g2\") (result i32) (global.get 1))"
      "  (func (export \"f1\") (result i32) (call 0)) (func (export \"f2\") (result i32) (call 1))"
      "  (func (export \"t1\") (result i32) (table.size 0))"
      "  (func (export \"t2\") (result i32) (table.size 1))"
      "  (func (export \"m1\") (result i32) (memory.size 0))"
      "  (func (export \"m2\") (result i32) (memory.size 1))"
      "  (func (export \"m3\") (result i32) (memory.size 2))"
      "  (func (export \"m4\") (result i32) (memory.size 3)))");
  const int32_t expected[10] = {1, 2, 3, 4, 5, 6, 1, 2, 7, 8};
  wasm_extern_vec_t import_vec = {8, imports};
  wasm_instance_t* instance = wasm_instance_new(exporter.store, module, &import_vec, NULL);
  REQUIRE(instance);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  REQUIRE(exports.size == 10);
  for (size_t i = 0; i < 10; i++) {
    CHECK_INT(call_i32(wasm_extern_as_func(exports.data[i])), expected[i]);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&exporter);
}

TEST(missing_import_names_module_name_and_expected_type) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  const char* wat =
      "(module (import \"first\" \"f\" (func (param i32) (result f64)))"
      "  (import \"outer\" \"inner\" (func (param i64 f32))))";
  wasm_extern_t* imports[2] = {wasm_func_as_extern(offer.func), NULL};
  check_link_error(fixture.store, wat, imports, 0, TEXTS("first", "i32", "f64"));
  check_link_error(fixture.store, wat, imports, 1, TEXTS("outer", "inner", "i64", "f32"));
  check_link_error(fixture.store, wat, imports, 2, TEXTS("outer", "inner", "i64", "f32"));
  imports[1] = imports[0];
  imports[0] = NULL;
  check_link_error(fixture.store, wat, imports, 2, TEXTS("first", "i32", "f64"));
  // No vector at all is an empty one.
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
  CHECK_TRAP_CONTAINS(trap, "first");
  wasm_module_delete(module);
  offer_delete(&offer);
  fixture_delete(&fixture);
}

TEST(mistyped_import_names_expected_and_given_type) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_extern_t* func = wasm_func_as_extern(offer.func);
  wasm_extern_t* global = wasm_global_as_extern(offer.global);
  wasm_extern_t* table = wasm_table_as_extern(offer.table);
  wasm_extern_t* memory = wasm_memory_as_extern(offer.memory);
  // Another signature.
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (func (param i64))))", &func, 1,
                   TEXTS("mod", "name", "i64", "f64"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (func)))", &func, 1,
                   TEXTS("mod", "name", "i32", "f64"));
  // Another kind.
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (func)))", &global, 1,
                   TEXTS("mod", "name", "func", "global"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (global i32)))", &memory, 1,
                   TEXTS("mod", "name", "global", "memory"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (memory 1)))", &table, 1,
                   TEXTS("mod", "name", "memory", "table"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (table 1 funcref)))", &func, 1,
                   TEXTS("mod", "name", "table", "func"));
  // Another value type or mutability.
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (global i64)))", &global, 1,
                   TEXTS("mod", "name", "i64", "i32"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (global (mut i32))))", &global,
                   1, TEXTS("mod", "name", "mut", "i32"));
  // Other limits or elements.
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (table 3 4 funcref)))", &table,
                   1, TEXTS("mod", "name", "3", "2"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (table 1 3 funcref)))", &table,
                   1, TEXTS("mod", "name", "3", "4"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (table 2 4 externref)))",
                   &table, 1, TEXTS("mod", "name", "externref", "funcref"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (memory 2 3)))", &memory, 1,
                   TEXTS("mod", "name", "2", "1"));
  check_link_error(fixture.store, "(module (import \"mod\" \"name\" (memory 1 2)))", &memory, 1,
                   TEXTS("mod", "name", "2", "3"));
  offer_delete(&offer);
  fixture_delete(&fixture);
}

TEST(more_imports_than_the_module_needs) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_extern_t* imports[3] = {wasm_func_as_extern(offer.func), wasm_func_as_extern(offer.func),
                               NULL};
  check_link_error(fixture.store, "(module)", imports, 1, TEXTS("import"));
  check_link_error(fixture.store, "(module (import \"m\" \"n\" (func (param i32) (result f64))))",
                   imports, 2, TEXTS("import"));
  check_link_error(fixture.store, "(module (import \"m\" \"n\" (func (param i32) (result f64))))",
                   imports, 3, TEXTS("import"));
  offer_delete(&offer);
  fixture_delete(&fixture);
}

// Limits are compared with the current size, as the specification says.
TEST(a_grown_memory_satisfies_a_larger_minimum) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (import \"m\" \"n\" (memory 2 3)))");
  CHECK(wasm_memory_grow(offer.memory, 1));
  wasm_extern_t* memory = wasm_memory_as_extern(offer.memory);
  wasm_instance_delete(instantiate(fixture.store, module, &memory, 1));
  wasm_module_delete(module);
  offer_delete(&offer);
  fixture_delete(&fixture);
}

TEST(the_same_name_imported_twice_with_two_types) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_extern_t* imports[2] = {wasm_global_as_extern(offer.global),
                               wasm_func_as_extern(offer.func)};
  fixture_load(&fixture,
               "(module (import \"m\" \"n\" (global $g i32))"
               "  (import \"m\" \"n\" (func (param i32) (result f64)))"
               "  (func (export \"f\") (result i32) (global.get $g)))",
               imports, 2);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 4);
  offer_delete(&offer);
  fixture_delete(&fixture);
}

TEST(many_imports_and_exports) {
  enum { COUNT = 200, CAPACITY = 200 * 120 };
  fixture_t fixture = fixture_new();
  char* wat = malloc(CAPACITY);
  REQUIRE(wat);
  size_t length = (size_t)snprintf(wat, CAPACITY, "(module");
  for (int i = 0; i < COUNT; i++) {
    length += (size_t)snprintf(wat + length, CAPACITY - length, " (import \"m\" \"%d\" %s)", i,
                               i % 2 ? "(func)" : "(global i64)");
  }
  for (int i = 0; i < COUNT; i++) {
    length += (size_t)snprintf(wat + length, CAPACITY - length, " (export \"%d\" (%s %d))",
                               COUNT - i, i % 2 ? "func" : "global", i / 2);
  }
  snprintf(wat + length, CAPACITY - length, ")");
  wasm_extern_t* imports[COUNT];
  wasm_globaltype_t* type = globaltype(WASM_I64, WASM_CONST);
  for (int i = 0; i < COUNT; i++) {
    imports[i] = i % 2 ? wasm_func_as_extern(host_func(fixture.store, "", "", do_nothing, NULL))
                       : wasm_global_as_extern(wasm_global_new(fixture.store, type, &I64(i)));
  }
  wasm_globaltype_delete(type);
  fixture_load(&fixture, wat, imports, COUNT);
  free(wat);
  REQUIRE(fixture.exports.size == COUNT);
  size_t same = 0;
  for (int i = 0; i < COUNT; i++) same += wasm_extern_same(fixture.exports.data[i], imports[i]);
  CHECK_INT(same, COUNT);
  for (int i = 0; i < COUNT; i++) wasm_extern_delete(imports[i]);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------

TEST(instances_are_independent) {
  fixture_t fixture = fixture_from_wat(
      "(module (global $n (mut i32) (i32.const 0))"
      "  (func (export \"next\") (result i32)"
      "    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))");
  wasm_instance_t* second = instantiate(fixture.store, fixture.module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(second, &exports);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 1);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 2);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 1);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 3);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(second);
  fixture_delete(&fixture);
}

TEST(instance_copy_and_same) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (result i32) (i32.const 1)))");
  wasm_instance_t* copy = wasm_instance_copy(fixture.instance);
  wasm_instance_t* other = instantiate(fixture.store, fixture.module, NULL, 0);
  CHECK(wasm_instance_same(copy, fixture.instance));
  CHECK(!wasm_instance_same(other, fixture.instance));
  wasm_instance_delete(other);
  fixture_delete(&fixture);
  wasm_extern_vec_t exports;
  wasm_instance_exports(copy, &exports);
  wasm_instance_delete(copy);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 1);
  wasm_extern_vec_delete(&exports);
}

TEST(instance_as_ref) {
  fixture_t fixture = fixture_from_wat("(module)");
  wasm_ref_t* ref = wasm_instance_as_ref(fixture.instance);
  CHECK_PTR(wasm_ref_as_instance(ref), fixture.instance);
  CHECK_PTR(wasm_instance_as_ref_const(fixture.instance), ref);
  CHECK_PTR(wasm_ref_as_instance_const(ref), fixture.instance);
  CHECK_NULL(wasm_ref_as_module(ref));
  CHECK_NULL(wasm_ref_as_extern(ref));
  fixture_delete(&fixture);
}

// What a failed instantiation had written remains, as the specification says.
TEST(a_failed_instantiation_keeps_its_effects) {
  fixture_t fixture = fixture_new();
  offer_t offer = offer_new(fixture.store);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"\" \"m\" (memory 1)) (import \"\" \"t\" (table 2 funcref))"
      "  (func $f unreachable) (data (i32.const 0) \"written\") (elem (i32.const 0) $f)"
      "  (start $f))");
  wasm_extern_t* imports[2] = {wasm_memory_as_extern(offer.memory),
                               wasm_table_as_extern(offer.table)};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
  wasm_trap_t* trap = NULL;
  CHECK_NULL(wasm_instance_new(fixture.store, module, &import_vec, &trap));
  CHECK_TRAP(trap, "unreachable");
  wasm_module_delete(module);
  CHECK(memcmp(wasm_memory_data(offer.memory), "written", 7) == 0);
  wasm_ref_t* element = wasm_table_get(offer.table, 0);
  REQUIRE(wasm_ref_as_func(element));
  CHECK_TRAP(call_plain(wasm_ref_as_func(element)), "unreachable");
  wasm_ref_delete(element);
  offer_delete(&offer);
  fixture_delete(&fixture);
}

// Functions that were written into a table before a later segment did not fit are complete: they
// have their instance's globals, memory, tables and other functions.
TEST(functions_of_an_instance_that_failed_are_whole) {
  static const char* const last[] = {
      "(data (i32.const 65536) \"x\")",
      "(data (i32.const 0) \"fits\") (data (i32.const 70000) \"x\")",
      "(elem (table $own) (i32.const 4) func $global)",
      "(elem (i32.const 9) func $global $global)",
      "(elem (table $other) (i32.const 3) externref (ref.null extern))",
      "(func $start unreachable) (start $start)",
      "(data (i32.const 100) \"x\") (func $start unreachable) (start $start)",
  };
  for (size_t i = 0; i < sizeof last / sizeof *last; i++) {
    fixture_t fixture = fixture_from_wat(
        "(module (type $t (func (result i32))) (table (export \"t\") 10 funcref)"
        "  (func (export \"call\") (param i32) (result i32)"
        "    (call_indirect (type $t) (local.get 0))))");
    char wat[2000];
    snprintf(wat, sizeof wat,
             "(module (import \"\" \"t\" (table 10 funcref)) (memory 1)"
             "  (table $own 3 funcref) (table $other 3 externref)"
             "  (global $g (mut i32) (i32.const 42))"
             "  (elem (table 0) (i32.const 2) func $global $memory $call $table)"
             "  (elem $passive func $global) (elem declare func $call)"
             "  (func $global (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1)))"
             "    (global.get $g))"
             "  (func $memory (result i32) (i32.store (i32.const 8) (i32.const 5))"
             "    (i32.load (i32.const 8)))"
             "  (func $call (result i32) (call $memory))"
             "  (func $table (result i32) (table.size $own)) %s)",
             last[i]);
    wasm_module_t* module = module_from_wat(fixture.store, wat);
    wasm_extern_t* imports[1] = {fixture.exports.data[0]};
    wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
    wasm_trap_t* trap = NULL;
    CHECK_NULL(wasm_instance_new(fixture.store, module, &import_vec, &trap));
    CHECK_TRAP(trap, i < 2   ? "out of bounds memory access"
                     : i < 5 ? "out of bounds table access"
                             : "unreachable");
    wasm_module_delete(module);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 2), 43);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 2), 44);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 3), 5);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 4), 5);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 5), 3);
    fixture_delete(&fixture);
  }
}

// The same segments where they fit, at offsets from globals and arithmetic, and then the start
// function.
TEST(segments_of_an_instance_with_an_imported_table) {
  fixture_t fixture = fixture_from_wat(
      "(module (type $t (func (result i32))) (table (export \"t\") 10 funcref)"
      "  (global (export \"base\") i32 (i32.const 4))"
      "  (func (export \"call\") (param i32) (result i32)"
      "    (call_indirect (type $t) (local.get 0))))");
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"\" \"t\" (table 10 funcref)) (import \"\" \"base\" (global $base i32))"
      "  (memory $m 1) (table $own 200 externref) (data $passive \"passive\")"
      "  (elem (global.get $base) $a $b) (elem (table 0) (i32.const 9) funcref (ref.func $b))"
      "  (data (i32.add (global.get $base) (i32.const 60)) \"*\") (data (i32.const 100)"
      "    \"0123456789012345678901234567890123456789012345678901234567890123456789\")"
      "  (func $a (result i32) (i32.load8_u (i32.const 64)))"
      "  (func $b (result i32) (i32.load8_u (i32.const 1)))"
      "  (func $start (i32.store8 (i32.const 1) (i32.load8_u (i32.const 169))))"
      "  (start $start)"
      "  (func (export \"init\") (memory.init $passive (i32.const 0) (i32.const 0) (i32.const 7))"
      "    (i32.store8 (i32.const 1) (i32.load8_u (i32.const 3)))))");
  wasm_extern_t* imports[2] = {fixture.exports.data[0], fixture.exports.data[1]};
  wasm_instance_t* instance = instantiate(fixture.store, module, imports, 2);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 4), '*');
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 5), '9');
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 9), '9');
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(exports.size, 1);
  CHECK_NO_TRAP(call_plain(wasm_extern_as_func(exports.data[0])));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 5), 's');
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
