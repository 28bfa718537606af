// Stores: deleting them first, last or in between; what outlives them.
#include "test.h"

static const char* wat =
    "(module"
    "  (func (export \"add\") (param i32) (result i32)"
    "    (global.set $sum (i32.add (global.get $sum) (local.get 0))) (global.get $sum))"
    "  (global $sum (export \"sum\") (mut i32) (i32.const 0))"
    "  (table (export \"table\") 2 funcref)"
    "  (memory (export \"memory\") 1)"
    "  (elem (i32.const 0) 0)"
    "  (data (i32.const 0) \"data\"))";

// The five objects of a fixture are deleted in every order; after each deletion the rest is used.
static void use(const fixture_t* fixture, bool have_exports, bool have_instance, bool have_module,
                bool have_store, bool have_engine) {
  if (have_exports) {
    CHECK(call_i32_i32(fixture_func(fixture, 0), 1) > 0);
    wasm_val_t value;
    wasm_global_get(fixture_global(fixture, 1), &value);
    CHECK(value.kind == WASM_I32 && value.of.i32 > 0);
    wasm_ref_t* element = wasm_table_get(fixture_table(fixture, 2), 0);
    CHECK(wasm_ref_as_func(element) != NULL);
    wasm_ref_delete(element);
    CHECK(memcmp(wasm_memory_data(fixture_memory(fixture, 3)), "data", 4) == 0);
  }
  if (have_instance) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(fixture->instance, &exports);
    CHECK_INT(exports.size, 4);
    CHECK(call_i32_i32(wasm_extern_as_func(exports.data[0]), 1) > 0);
    wasm_extern_vec_delete(&exports);
  }
  if (have_module) {
    wasm_exporttype_vec_t types;
    wasm_module_exports(fixture->module, &types);
    CHECK_INT(types.size, 4);
    wasm_exporttype_vec_delete(&types);
  }
  if (have_store) {
    wasm_foreign_t* foreign = wasm_foreign_new(fixture->store);
    CHECK(foreign != NULL);
    wasm_foreign_delete(foreign);
  }
  if (have_store && have_module) {
    wasm_instance_delete(instantiate(fixture->store, fixture->module, NULL, 0));
  }
  if (have_engine) {
    wasm_store_t* store = wasm_store_new(fixture->engine);
    CHECK(store != NULL);
    wasm_store_delete(store);
  }
}

static void delete_in_order(const int order[5]) {
  fixture_t fixture = fixture_from_wat(wat);
  bool have[5] = {true, true, true, true, true};
  use(&fixture, true, true, true, true, true);
  for (int i = 0; i < 5; i++) {
    switch (order[i]) {
      case 0: wasm_extern_vec_delete(&fixture.exports); break;
      case 1: wasm_instance_delete(fixture.instance); break;
      case 2: wasm_module_delete(fixture.module); break;
      case 3: wasm_store_delete(fixture.store); break;
      case 4: wasm_engine_delete(fixture.engine); break;
    }
    have[order[i]] = false;
    use(&fixture, have[0], have[1], have[2], have[3], have[4]);
  }
}

TEST(an_object_may_outlive_every_handle_to_its_store) {
  int order[5];
  size_t orders = 0;
  for (int code = 0; code < 5 * 5 * 5 * 5 * 5; code++) {
    int rest = code;
    unsigned seen = 0;
    for (int i = 0; i < 5; i++, rest /= 5) {
      order[i] = rest % 5;
      seen |= 1u << order[i];
    }
    if (seen != 31) continue;
    if (under_valgrind() && orders % 12 != 0) {
      orders++;
      continue;
    }
    delete_in_order(order);
    orders++;
  }
  CHECK_INT(orders, 120);
}

static wasm_trap_t* add_env(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  *(int32_t*)env += arguments->data[0].of.i32;
  results->data[0] = I32(*(int32_t*)env);
  return NULL;
}

// Each kind of object, made by the host, as the only thing left.
TEST(host_objects_outlive_their_store) {
  fixture_t fixture = fixture_new();
  int32_t sum = 0;
  wasm_func_t* func = host_func(fixture.store, "i", "i", add_env, &sum);
  wasm_globaltype_t* global_type = globaltype(WASM_I64, WASM_VAR);
  wasm_global_t* global = wasm_global_new(fixture.store, global_type, &I64(5));
  wasm_globaltype_delete(global_type);
  wasm_tabletype_t* table_type = tabletype(WASM_FUNCREF, 1, 3);
  wasm_table_t* table = wasm_table_new(fixture.store, table_type, NULL);
  wasm_tabletype_delete(table_type);
  wasm_memorytype_t* memory_type = memorytype(1, 2);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, memory_type);
  wasm_memorytype_delete(memory_type);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_trap_t* trap = new_trap(fixture.store, "kept");
  fixture_delete(&fixture);

  CHECK_INT(call_i32_i32(func, 4), 4);
  CHECK(wasm_table_set(table, 0, wasm_func_as_ref(func)));
  wasm_func_delete(func);
  wasm_ref_t* element = wasm_table_get(table, 0);
  CHECK_INT(call_i32_i32(wasm_ref_as_func(element), 6), 10);
  wasm_ref_delete(element);
  CHECK(wasm_table_grow(table, 2, NULL));
  CHECK(!wasm_table_grow(table, 1, NULL));
  wasm_table_delete(table);

  wasm_val_t value;
  wasm_global_set(global, &I64(-5));
  wasm_global_get(global, &value);
  CHECK_INT(value.of.i64, -5);
  wasm_global_delete(global);

  CHECK(wasm_memory_grow(memory, 1));
  wasm_memory_data(memory)[2 * MEMORY_PAGE_SIZE - 1] = 1;
  CHECK_INT(wasm_memory_size(memory), 2);
  wasm_memory_delete(memory);

  wasm_foreign_set_host_info(foreign, &value);
  CHECK_PTR(wasm_foreign_get_host_info(foreign), &value);
  wasm_foreign_delete(foreign);
  CHECK_TRAP(trap, "kept");
}

TEST(many_stores) {
  wasm_engine_t* engine = wasm_engine_new();
  enum { MOST = 1000 };
  size_t count = repetitions(MOST, 50);
  wasm_store_t* stores[MOST];
  for (size_t i = 0; i < count; i++) {
    stores[i] = wasm_store_new(engine);
    REQUIRE(stores[i]);
  }
  for (size_t i = 0; i < count; i += 2) wasm_store_delete(stores[i]);
  for (size_t i = 1; i < count; i += 2) wasm_store_delete(stores[i]);
  wasm_engine_delete(engine);
}

TEST(store_of_a_deleted_engine_makes_everything) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  wasm_module_t* module = module_from_wat(store, wat);
  wasm_instance_t* instance = instantiate(store, module, NULL, 0);
  CHECK(instance != NULL);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

TEST(the_engine_of_a_store) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  REQUIRE(store);
  wasm_engine_t* same = wasmrt_store_engine(store);
  REQUIRE(same);
  CHECK_PTR(wasmrt_engine_backend_name(same), wasmrt_engine_backend_name(engine));
  // What belongs to one engine goes together, whichever handle made it.
  wasm_module_t* module = module_from_wat(store, "(module)");
  CHECK_INT(modules_of(same), 1);
  wasm_store_t* other = wasm_store_new(same);
  REQUIRE(other);
  wasm_instance_t* instance = instantiate(other, module, NULL, 0);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(other);
  // It outlives the store, and the handle that the store was made with.
  wasm_engine_delete(engine);
  wasm_store_delete(store);
  CHECK_INT(modules_of(same), 0);
  store = wasm_store_new(same);
  REQUIRE(store);
  wasm_engine_t* again = wasmrt_store_engine(store);
  wasm_engine_delete(same);
  wasm_store_delete(store);
  CHECK(wasmrt_engine_backend_name(again) != NULL);
  wasm_engine_delete(again);
  CHECK_FAILS(wasmrt_store_engine(NULL) == NULL);
}
