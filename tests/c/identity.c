// Identity: two handles of one object are `same`, however they were obtained; other handles are
// not.
#include "test.h"

static const char* exporting =
    "(module"
    "  (func $f (export \"f\") (result i32) (i32.const 1))"
    "  (func $g (export \"g\") (result i32) (i32.const 1))"
    "  (global $v (export \"v\") (mut i32) (i32.const 1))"
    "  (table $t (export \"t\") 2 funcref)"
    "  (memory $m (export \"m\") 1)"
    "  (elem (table $t) (i32.const 0) func $f $g)"
    "  (func (export \"ref\") (result funcref) (ref.func $f))"
    "  (global (export \"r\") funcref (ref.func $f))"
    "  (export \"f again\" (func $f)) (export \"v again\" (global $v))"
    "  (export \"t again\" (table $t)) (export \"m again\" (memory $m)))";
enum { F, G, V, T, M, REF, R, F_AGAIN, V_AGAIN, T_AGAIN, M_AGAIN, EXPORTS };

static wasm_ref_t* result_ref(const wasm_func_t* func) {
  wasm_val_t result;
  GARBAGE(result);
  REQUIRE(CHECK_NO_TRAP(call(func, NULL, 0, &result, 1)));
  CHECK_INT(result.kind, WASM_FUNCREF);
  return result.of.ref;
}

TEST(exports_obtained_twice_are_same) {
  fixture_t fixture = fixture_from_wat(exporting);
  wasm_extern_vec_t again;
  wasm_instance_exports(fixture.instance, &again);
  REQUIRE(fixture.exports.size == EXPORTS && again.size == EXPORTS);
  // Which of the exports are one object.
  const int object[EXPORTS] = {F, G, V, T, M, REF, R, F, V, T, M};
  for (int i = 0; i < EXPORTS; i++) {
    for (int j = 0; j < EXPORTS; j++) {
      CHECK_INT(wasm_extern_same(fixture.exports.data[i], again.data[j]), object[i] == object[j]);
      CHECK_INT(wasm_ref_same(wasm_extern_as_ref(fixture.exports.data[i]),
                              wasm_extern_as_ref(again.data[j])),
                object[i] == object[j]);
    }
  }
  CHECK(wasm_func_same(fixture_func(&fixture, F), wasm_extern_as_func(again.data[F_AGAIN])));
  CHECK(wasm_global_same(fixture_global(&fixture, V), wasm_extern_as_global(again.data[V_AGAIN])));
  CHECK(wasm_table_same(fixture_table(&fixture, T), wasm_extern_as_table(again.data[T_AGAIN])));
  CHECK(wasm_memory_same(fixture_memory(&fixture, M), wasm_extern_as_memory(again.data[M_AGAIN])));
  wasm_extern_vec_delete(&again);
  fixture_delete(&fixture);
}

TEST(functions_from_tables_globals_and_results_are_same) {
  fixture_t fixture = fixture_from_wat(exporting);
  wasm_ref_t* f = wasm_func_as_ref(fixture_func(&fixture, F));
  wasm_ref_t* g = wasm_func_as_ref(fixture_func(&fixture, G));
  wasm_ref_t* from_table[2] = {wasm_table_get(fixture_table(&fixture, T), 0),
                               wasm_table_get(fixture_table(&fixture, T), 1)};
  wasm_ref_t* from_result = result_ref(fixture_func(&fixture, REF));
  wasm_val_t from_global;
  wasm_global_get(fixture_global(&fixture, R), &from_global);
  CHECK(wasm_ref_same(from_table[0], f));
  CHECK(wasm_ref_same(from_table[1], g));
  CHECK(!wasm_ref_same(from_table[0], g));
  CHECK(wasm_ref_same(from_result, f));
  CHECK(wasm_ref_same(from_global.of.ref, f));
  CHECK(wasm_ref_same(from_global.of.ref, from_table[0]));
  CHECK(wasm_func_same(wasm_ref_as_func(from_result), wasm_ref_as_func(from_table[0])));
  wasm_ref_delete(from_table[0]);
  wasm_ref_delete(from_table[1]);
  wasm_ref_delete(from_result);
  wasm_val_delete(&from_global);
  fixture_delete(&fixture);
}

// A function that is not exported is known only through wasm.
TEST(functions_never_exported_are_same) {
  fixture_t fixture = fixture_from_wat(
      "(module (func $f) (table (export \"t\") 3 funcref) (elem (i32.const 0) $f)"
      "  (elem declare func $f)"
      "  (func (export \"ref\") (result funcref) (ref.func $f))"
      "  (func (export \"put\") (table.set (i32.const 2) (ref.func $f))))");
  wasm_ref_t* first = result_ref(fixture_func(&fixture, 1));
  wasm_ref_t* second = result_ref(fixture_func(&fixture, 1));
  wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 0), 0);
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 2)));
  wasm_ref_t* put = wasm_table_get(fixture_table(&fixture, 0), 2);
  CHECK(first && wasm_ref_same(first, second));
  CHECK(wasm_ref_same(first, element));
  CHECK(wasm_ref_same(first, put));
  CHECK(!wasm_ref_same(first, wasm_func_as_ref(fixture_func(&fixture, 1))));
  wasm_ref_delete(first);
  wasm_ref_delete(second);
  wasm_ref_delete(element);
  wasm_ref_delete(put);
  fixture_delete(&fixture);
}

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

TEST(imports_re_exported_are_same) {
  fixture_t first = fixture_from_wat(exporting);
  wasm_func_t* host = host_func(first.store, "", "", do_nothing, NULL);
  wasm_extern_t* imports[5] = {wasm_func_as_extern(host), first.exports.data[F],
                               first.exports.data[V], first.exports.data[T], first.exports.data[M]};
  wasm_module_t* module = module_from_wat(
      first.store,
      "(module (import \"\" \"\" (func $h)) (import \"\" \"\" (func $f (result i32)))"
      "  (import \"\" \"\" (global $v (mut i32))) (import \"\" \"\" (table $t 2 funcref))"
      "  (import \"\" \"\" (memory $m 1)) (elem declare func $h $f)"
      "  (export \"h\" (func $h)) (export \"f\" (func $f)) (export \"v\" (global $v))"
      "  (export \"t\" (table $t)) (export \"m\" (memory $m))"
      "  (func (export \"ref h\") (result funcref) (ref.func $h))"
      "  (func (export \"ref f\") (result funcref) (ref.func $f)))");
  wasm_instance_t* second = instantiate(first.store, module, imports, 5);
  wasm_extern_vec_t exports;
  wasm_instance_exports(second, &exports);
  REQUIRE(exports.size == 7);
  for (size_t i = 0; i < 5; i++) {
    for (size_t j = 0; j < 5; j++) {
      CHECK_INT(wasm_extern_same(exports.data[i], imports[j]), i == j);
    }
  }
  wasm_ref_t* ref_h = result_ref(wasm_extern_as_func(exports.data[5]));
  wasm_ref_t* ref_f = result_ref(wasm_extern_as_func(exports.data[6]));
  CHECK(wasm_ref_same(ref_h, wasm_func_as_ref(host)));
  CHECK(wasm_ref_same(ref_f, wasm_func_as_ref(fixture_func(&first, F))));
  // In and out of the table of the other instance.
  CHECK(wasm_table_set(fixture_table(&first, T), 0, wasm_func_as_ref(host)));
  wasm_ref_t* element = wasm_table_get(wasm_extern_as_table(exports.data[3]), 0);
  CHECK(wasm_ref_same(element, ref_h));
  wasm_ref_delete(element);
  wasm_ref_delete(ref_h);
  wasm_ref_delete(ref_f);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(second);
  wasm_module_delete(module);
  wasm_func_delete(host);
  fixture_delete(&first);
}

TEST(objects_of_two_instances_are_not_same) {
  fixture_t fixture = fixture_from_wat(exporting);
  wasm_instance_t* second = instantiate(fixture.store, fixture.module, NULL, 0);
  wasm_extern_vec_t others;
  wasm_instance_exports(second, &others);
  for (int i = 0; i < EXPORTS; i++) {
    for (int j = 0; j < EXPORTS; j++) {
      CHECK(!wasm_extern_same(fixture.exports.data[i], others.data[j]));
    }
  }
  wasm_ref_t* first_ref = result_ref(fixture_func(&fixture, REF));
  wasm_ref_t* second_ref = result_ref(wasm_extern_as_func(others.data[REF]));
  CHECK(!wasm_ref_same(first_ref, second_ref));
  wasm_ref_delete(first_ref);
  wasm_ref_delete(second_ref);
  CHECK(!wasm_instance_same(fixture.instance, second));
  wasm_extern_vec_delete(&others);
  wasm_instance_delete(second);
  fixture_delete(&fixture);
}

// The same position in two stores, so that equal engine handles could be confused.
TEST(objects_of_two_stores_are_not_same) {
  fixture_t first = fixture_from_wat(exporting), second = fixture_from_wat(exporting);
  for (int i = 0; i < EXPORTS; i++) {
    CHECK(!wasm_extern_same(first.exports.data[i], second.exports.data[i]));
  }
  CHECK(!wasm_instance_same(first.instance, second.instance));
  CHECK(!wasm_module_same(first.module, second.module));
  fixture_delete(&first);
  fixture_delete(&second);
}

// Identity belongs to the object, and does not need a handle to persist.
TEST(identity_survives_the_handle) {
  fixture_t fixture = fixture_from_wat(exporting);
  int info;
  wasm_func_set_host_info(fixture_func(&fixture, F), &info);
  wasm_extern_vec_delete(&fixture.exports);
  wasm_instance_exports(fixture.instance, &fixture.exports);
  CHECK_PTR(wasm_func_get_host_info(fixture_func(&fixture, F)), &info);
  CHECK_PTR(wasm_func_get_host_info(fixture_func(&fixture, F_AGAIN)), &info);
  CHECK_NULL(wasm_func_get_host_info(fixture_func(&fixture, G)));
  wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, T), 0);
  CHECK_PTR(wasm_ref_get_host_info(element), &info);
  wasm_ref_delete(element);
  fixture_delete(&fixture);
}

// Objects must not be confused when an address is reused.
TEST(a_new_object_is_not_an_old_one) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("", "");
  int info;
  for (int i = 0; i < 100; i++) {
    wasm_func_t* func = wasm_func_new_with_env(fixture.store, type, do_nothing, NULL, NULL);
    CHECK_NULL(wasm_func_get_host_info(func));
    wasm_func_set_host_info(func, &info);
    wasm_func_delete(func);
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    CHECK_NULL(wasm_foreign_get_host_info(foreign));
    wasm_foreign_set_host_info(foreign, &info);
    wasm_foreign_delete(foreign);
  }
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

#define SAME_OF_NULL(kind)                  \
  CHECK(wasm_##kind##_same(NULL, NULL));    \
  CHECK(!wasm_##kind##_same(object, NULL)); \
  CHECK(!wasm_##kind##_same(NULL, object)); \
  CHECK(wasm_##kind##_same(object, object))

TEST(same_of_null) {
  fixture_t fixture = fixture_from_wat(exporting);
  {
    wasm_func_t* object = fixture_func(&fixture, F);
    SAME_OF_NULL(func);
  }
  {
    wasm_global_t* object = fixture_global(&fixture, V);
    SAME_OF_NULL(global);
  }
  {
    wasm_table_t* object = fixture_table(&fixture, T);
    SAME_OF_NULL(table);
  }
  {
    wasm_memory_t* object = fixture_memory(&fixture, M);
    SAME_OF_NULL(memory);
  }
  {
    wasm_extern_t* object = fixture.exports.data[F];
    SAME_OF_NULL(extern);
  }
  {
    wasm_ref_t* object = wasm_extern_as_ref(fixture.exports.data[F]);
    SAME_OF_NULL(ref);
  }
  {
    wasm_instance_t* object = fixture.instance;
    SAME_OF_NULL(instance);
  }
  {
    wasm_module_t* object = fixture.module;
    SAME_OF_NULL(module);
  }
  {
    wasm_foreign_t* object = wasm_foreign_new(fixture.store);
    SAME_OF_NULL(foreign);
    wasm_foreign_delete(object);
  }
  {
    wasm_trap_t* object = new_trap(fixture.store, "");
    SAME_OF_NULL(trap);
    wasm_trap_delete(object);
  }
  fixture_delete(&fixture);
}
