// Host info and its finalizers, for every kind of object.
#include "test.h"

// ------------------------------------------------------------------------------------------------
// One maker per kind; each returns an owned handle of an object of the fixture's store.

static const char* wat =
    "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 1))"
    "  (table (export \"t\") 1 funcref) (memory (export \"m\") 1))";

static wasm_instance_t* make_instance(fixture_t* fixture) {
  return instantiate(fixture->store, fixture->module, NULL, 0);
}

static wasm_module_t* make_module(fixture_t* fixture) {
  return module_from_wat(fixture->store, wat);
}

static wasm_trap_t* make_trap(fixture_t* fixture) {
  return new_trap(fixture->store, "made");
}

static wasm_foreign_t* make_foreign(fixture_t* fixture) {
  return wasm_foreign_new(fixture->store);
}

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

static wasm_func_t* make_func(fixture_t* fixture) {
  return host_func(fixture->store, "", "", do_nothing, NULL);
}

static wasm_global_t* make_global(fixture_t* fixture) {
  wasm_globaltype_t* type = globaltype(WASM_I32, WASM_VAR);
  wasm_global_t* global = wasm_global_new(fixture->store, type, &I32(0));
  wasm_globaltype_delete(type);
  return global;
}

static wasm_table_t* make_table(fixture_t* fixture) {
  wasm_tabletype_t* type = tabletype(WASM_EXTERNREF, 1, 2);
  wasm_table_t* table = wasm_table_new(fixture->store, type, NULL);
  wasm_tabletype_delete(type);
  return table;
}

static wasm_memory_t* make_memory(fixture_t* fixture) {
  wasm_memorytype_t* type = memorytype(0, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture->store, type);
  wasm_memorytype_delete(type);
  return memory;
}

static wasm_extern_t* make_extern(fixture_t* fixture) {
  return wasm_memory_as_extern(make_memory(fixture));
}

static wasm_ref_t* make_ref(fixture_t* fixture) {
  return wasm_table_as_ref(make_table(fixture));
}

// ------------------------------------------------------------------------------------------------
// The tests of each kind. `view` and `unview` lead to wasm_ref_t and back.

#define HOST_INFO_TESTS(kind, view, unview)                                               \
  TEST(kind##_host_info) {                                                                \
    fixture_t fixture = fixture_from_wat(wat);                                            \
    wasm_##kind##_t* object = make_##kind(&fixture);                                      \
    REQUIRE(object);                                                                      \
    int first, second;                                                                    \
    CHECK_NULL(wasm_##kind##_get_host_info(object));                                      \
    wasm_##kind##_set_host_info(object, &first);                                          \
    CHECK_PTR(wasm_##kind##_get_host_info(object), &first);                               \
    wasm_##kind##_set_host_info(object, &second);                                         \
    CHECK_PTR(wasm_##kind##_get_host_info(object), &second);                              \
    wasm_##kind##_set_host_info(object, NULL);                                            \
    CHECK_NULL(wasm_##kind##_get_host_info(object));                                      \
    wasm_##kind##_delete(object);                                                         \
    fixture_delete(&fixture);                                                             \
  }                                                                                       \
                                                                                          \
  TEST(kind##_host_info_belongs_to_the_object) {                                          \
    fixture_t fixture = fixture_from_wat(wat);                                            \
    wasm_##kind##_t* object = make_##kind(&fixture);                                      \
    wasm_##kind##_t* copy = wasm_##kind##_copy(object);                                   \
    CHECK(wasm_##kind##_same(object, copy));                                              \
    int first, second;                                                                    \
    wasm_##kind##_set_host_info(object, &first);                                          \
    CHECK_PTR(wasm_##kind##_get_host_info(copy), &first); /* seen by an older copy */     \
    wasm_ref_t* ref = view(copy);                                                         \
    CHECK_PTR(wasm_ref_get_host_info(ref), &first);                                       \
    wasm_ref_set_host_info(ref, &second); /* and set through a view of it */              \
    CHECK_PTR(wasm_##kind##_get_host_info(object), &second);                              \
    wasm_##kind##_delete(object);                                                         \
    wasm_ref_t* ref_copy = wasm_ref_copy(ref);                                            \
    wasm_##kind##_delete(copy);                                                           \
    CHECK_PTR(wasm_ref_get_host_info(ref_copy), &second);                                 \
    CHECK_PTR(wasm_##kind##_get_host_info(unview(ref_copy)), &second);                    \
    wasm_ref_delete(ref_copy);                                                            \
    fixture_delete(&fixture);                                                             \
  }                                                                                       \
                                                                                          \
  TEST(kind##_finalizer_runs_once) {                                                      \
    size_t at_replacement = 0, at_reset = 0, at_removal = 0, at_the_end = 0;              \
    fixture_t fixture = fixture_from_wat(wat);                                            \
    wasm_##kind##_t* object = make_##kind(&fixture);                                      \
    wasm_##kind##_set_host_info_with_finalizer(object, &at_replacement, count_finalizer); \
    CHECK_PTR(wasm_##kind##_get_host_info(object), &at_replacement);                      \
    CHECK_INT(at_replacement, 0);                                                         \
    wasm_##kind##_set_host_info_with_finalizer(object, &at_reset, count_finalizer);       \
    CHECK_INT(at_replacement, 1);                                                         \
    wasm_##kind##_set_host_info(object, &fixture); /* has no finalizer */                 \
    CHECK_INT(at_reset, 1);                                                               \
    wasm_##kind##_set_host_info_with_finalizer(object, &at_removal, count_finalizer);     \
    wasm_##kind##_set_host_info(object, NULL);                                            \
    CHECK_INT(at_removal, 1);                                                             \
    wasm_##kind##_set_host_info_with_finalizer(object, &at_the_end, count_finalizer);     \
    wasm_##kind##_t* copy = wasm_##kind##_copy(object);                                   \
    wasm_##kind##_delete(object);                                                         \
    CHECK_INT(at_the_end, 0);                                                             \
    wasm_##kind##_delete(copy);                                                           \
    CHECK(at_the_end <= 1);                                                               \
    fixture_delete(&fixture);                                                             \
    CHECK_INT(at_replacement, 1);                                                         \
    CHECK_INT(at_reset, 1);                                                               \
    CHECK_INT(at_removal, 1);                                                             \
    CHECK_INT(at_the_end, 1);                                                             \
  }                                                                                       \
                                                                                          \
  TEST(kind##_finalizer_when_the_store_went_first) {                                      \
    size_t finalized = 0;                                                                 \
    fixture_t fixture = fixture_from_wat(wat);                                            \
    wasm_##kind##_t* object = make_##kind(&fixture);                                      \
    wasm_##kind##_set_host_info_with_finalizer(object, &finalized, count_finalizer);      \
    fixture_delete(&fixture);                                                             \
    CHECK_INT(finalized, 0);                                                              \
    CHECK_PTR(wasm_##kind##_get_host_info(object), &finalized);                           \
    wasm_##kind##_delete(object);                                                         \
    CHECK_INT(finalized, 1);                                                              \
  }

#define SELF(ref) (ref)

HOST_INFO_TESTS(instance, wasm_instance_as_ref, wasm_ref_as_instance)
HOST_INFO_TESTS(module, wasm_module_as_ref, wasm_ref_as_module)
HOST_INFO_TESTS(trap, wasm_trap_as_ref, wasm_ref_as_trap)
HOST_INFO_TESTS(foreign, wasm_foreign_as_ref, wasm_ref_as_foreign)
HOST_INFO_TESTS(func, wasm_func_as_ref, wasm_ref_as_func)
HOST_INFO_TESTS(global, wasm_global_as_ref, wasm_ref_as_global)
HOST_INFO_TESTS(table, wasm_table_as_ref, wasm_ref_as_table)
HOST_INFO_TESTS(memory, wasm_memory_as_ref, wasm_ref_as_memory)
HOST_INFO_TESTS(extern, wasm_extern_as_ref, wasm_ref_as_extern)
HOST_INFO_TESTS(ref, SELF, SELF)

// ------------------------------------------------------------------------------------------------

// An object that was never passed to wasm is freed with its last handle.
TEST(finalizer_at_deletion) {
  fixture_t fixture = fixture_from_wat(wat);
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_foreign_delete(foreign);
  CHECK_INT(finalized, 1);
  wasm_trap_t* trap = new_trap(fixture.store, "never thrown");
  wasm_trap_set_host_info_with_finalizer(trap, &finalized, count_finalizer);
  wasm_trap_delete(trap);
  CHECK_INT(finalized, 2);
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  wasm_module_set_host_info_with_finalizer(module, &finalized, count_finalizer);
  wasm_module_delete(module);
  CHECK_INT(finalized, 3);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 3);
}

TEST(host_info_seen_by_a_handle_obtained_later) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 1))"
      "  (table (export \"t\") 1 funcref) (memory (export \"m\") 1)"
      "  (elem (i32.const 0) 0))");
  int infos[4];
  for (size_t i = 0; i < 4; i++) wasm_extern_set_host_info(fixture.exports.data[i], &infos[i]);
  wasm_extern_vec_delete(&fixture.exports);
  wasm_instance_exports(fixture.instance, &fixture.exports);
  CHECK_PTR(wasm_func_get_host_info(fixture_func(&fixture, 0)), &infos[0]);
  CHECK_PTR(wasm_global_get_host_info(fixture_global(&fixture, 1)), &infos[1]);
  CHECK_PTR(wasm_table_get_host_info(fixture_table(&fixture, 2)), &infos[2]);
  CHECK_PTR(wasm_memory_get_host_info(fixture_memory(&fixture, 3)), &infos[3]);
  wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 2), 0);
  CHECK_PTR(wasm_ref_get_host_info(element), &infos[0]);
  wasm_ref_delete(element);
  fixture_delete(&fixture);
}

TEST(a_hundred_thousand_instances_with_finalizers) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module (func (export \"f\")))");
  size_t finalized = 0, count = repetitions(100000, 500);
  for (size_t i = 0; i < count; i++) {
    wasm_instance_t* instance = wasm_instance_new(fixture.store, module, NULL, NULL);
    REQUIRE(instance);
    wasm_instance_set_host_info_with_finalizer(instance, &finalized, count_finalizer);
    wasm_instance_delete(instance);
  }
  wasm_module_delete(module);
  CHECK(finalized <= count);
  fixture_delete(&fixture);
  CHECK_INT(finalized, count);
}

TEST(finalizers_of_many_objects) {
  fixture_t fixture = fixture_from_wat(wat);
  size_t finalized = 0, count = repetitions(2000, 50);
  for (size_t i = 0; i < count; i++) {
    wasm_ref_t* refs[5] = {
        wasm_trap_as_ref(make_trap(&fixture)),   wasm_foreign_as_ref(make_foreign(&fixture)),
        wasm_func_as_ref(make_func(&fixture)),   wasm_global_as_ref(make_global(&fixture)),
        wasm_table_as_ref(make_table(&fixture)),
    };
    for (size_t j = 0; j < 5; j++) {
      wasm_ref_set_host_info_with_finalizer(refs[j], &finalized, count_finalizer);
      wasm_ref_delete(refs[j]);
    }
  }
  fixture_delete(&fixture);
  CHECK_INT(finalized, 5 * count);
}

// A finalizer may use the library: here it deletes a foreign object of another store.
static void delete_foreign(void* foreign) {
  wasm_foreign_delete(foreign);
}

TEST(finalizer_that_deletes_an_object) {
  fixture_t inner = fixture_new(), outer = fixture_from_wat(wat);
  size_t finalized = 0;
  wasm_ref_t* owners[4] = {
      wasm_instance_as_ref(make_instance(&outer)),
      wasm_foreign_as_ref(make_foreign(&outer)),
      wasm_func_as_ref(make_func(&outer)),
      wasm_trap_as_ref(make_trap(&outer)),
  };
  for (size_t i = 0; i < 4; i++) {
    wasm_foreign_t* owned = wasm_foreign_new(inner.store);
    wasm_foreign_set_host_info_with_finalizer(owned, &finalized, count_finalizer);
    wasm_ref_set_host_info_with_finalizer(owners[i], owned, delete_foreign);
  }
  fixture_delete(&inner);
  CHECK_INT(finalized, 0);
  for (size_t i = 0; i < 4; i++) wasm_ref_delete(owners[i]);
  fixture_delete(&outer);
  CHECK_INT(finalized, 4);
}

// Replacing host info from within its own finalizer must not run it again.
typedef struct chain_t {
  wasm_foreign_t* object;
  size_t finalized;
} chain_t;

static void replace_again(void* info) {
  chain_t* chain = info;
  chain->finalized++;
  if (chain->object) wasm_foreign_set_host_info(chain->object, NULL);
}

TEST(finalizer_that_replaces_the_host_info) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  chain_t chain = {foreign, 0};
  wasm_foreign_set_host_info_with_finalizer(foreign, &chain, replace_again);
  wasm_foreign_set_host_info(foreign, &fixture);
  CHECK_INT(chain.finalized, 1);
  chain.object = NULL;
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
  CHECK_INT(chain.finalized, 1);
}

static size_t finalized_nulls;

static void finalize_null(void* info) {
  CHECK_NULL(info);
  finalized_nulls++;
}

TEST(finalizer_of_null_info) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, NULL, finalize_null);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
  CHECK_INT(finalized_nulls, 1);
}

TEST(finalizer_may_be_null) {
  fixture_t fixture = fixture_new();
  int info;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &info, NULL);
  CHECK_PTR(wasm_foreign_get_host_info(foreign), &info);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}
