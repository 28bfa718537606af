// Limits of a store: how much guests and the host may have, and how they learn that a limit is
// reached.
#include "configured.h"

enum { PAGE = 65536, LIMITS = 5 };
static const wasmrt_store_limit_t every_limit[LIMITS] = {
    WASMRT_STORE_LIMIT_MEMORY_BYTES, WASMRT_STORE_LIMIT_TABLE_ELEMENTS,
    WASMRT_STORE_LIMIT_INSTANCES, WASMRT_STORE_LIMIT_TABLES, WASMRT_STORE_LIMIT_MEMORIES};

static void check_usage(const wasm_store_t* store, uint64_t memory_bytes, uint64_t table_elements,
                        uint64_t instances, uint64_t tables, uint64_t memories) {
  const uint64_t expected[LIMITS] = {memory_bytes, table_elements, instances, tables, memories};
  for (size_t i = 0; i < LIMITS; i++)
    if (!CHECK_INT(usage_of(store, every_limit[i]), expected[i]))
      fprintf(stderr, "    of limit %zu\n", i);
}

static void set_limit(wasm_store_t* store, wasmrt_store_limit_t limit, uint64_t value) {
  CHECK(wasmrt_store_set_limit(store, limit, value));
  CHECK(limit_of(store, limit) == value);
}

// An instance that is refused: the store holds the same as before. Not if wasmi has already made a
// part of it, which it keeps as long as the store.
static void check_not_instantiated(wasm_store_t* store, const char* wat, const char* part) {
  uint64_t before[LIMITS];
  for (size_t i = 0; i < LIMITS; i++) before[i] = usage_of(store, every_limit[i]);
  wasm_module_t* module = module_from_wat(store, wat);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(wasm_instance_new(store, module, NULL, &trap) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), part);
  char* message = strdup(wasmrt_last_error_message());
  CHECK_TRAP(trap, message);
  free(message);
  wasm_module_delete(module);
  for (size_t i = 0; i < LIMITS; i++) CHECK_INT(usage_of(store, every_limit[i]), before[i]);
}

static const char* growing =
    "(module"
    "  (memory (export \"m\") 1) (table (export \"t\") 10 funcref)"
    "  (func (export \"memory\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "  (func (export \"table\") (param i32) (result i32)"
    "    (table.grow (ref.null func) (local.get 0)))"
    "  (func (export \"bomb\") (result i32) (local i32)"
    "    (loop (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size))"
    "  (func (export \"table_bomb\") (result i32)"
    "    (loop (br_if 0 (i32.ne (table.grow (ref.null func) (i32.const 100)) (i32.const -1))))"
    "    (table.size)))";
enum { MEMORY, TABLE, GROW_MEMORY, GROW_TABLE, BOMB, TABLE_BOMB };

// ------------------------------------------------------------------------------------------------

TEST(bad_input) {
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < LIMITS; i++) {
    CHECK(limit_of(fixture.store, every_limit[i]) == WASMRT_UNLIMITED);
    wasmrt_last_error_clear();
    CHECK_INT(usage_of(fixture.store, every_limit[i]), 0);
    CHECK_NULL(wasmrt_last_error_message());
    CHECK_FAILS(!wasmrt_store_set_limit(NULL, every_limit[i], 1));
    uint64_t number = 77;
    CHECK_FAILS_WITH(!wasmrt_store_limit(NULL, every_limit[i], &number), WASMRT_ERROR_MISUSE);
    CHECK_FAILS_WITH(!wasmrt_store_usage(NULL, every_limit[i], &number), WASMRT_ERROR_MISUSE);
    CHECK_INT(number, 77);
    CHECK_FAILS(!wasmrt_store_limit(fixture.store, every_limit[i], NULL));
    CHECK_FAILS(!wasmrt_store_usage(fixture.store, every_limit[i], NULL));
  }
  // What a narrower parameter would take for a limit as well.
  const wasmrt_store_limit_t none[] = {5, 255, 256, 65536, UINT32_MAX};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    uint64_t number = 77;
    CHECK_FAILS_WITH(!wasmrt_store_set_limit(fixture.store, none[i], 1), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "is not a value of wasmrt_store_limit_enum");
    CHECK_FAILS_WITH(!wasmrt_store_limit(fixture.store, none[i], &number), WASMRT_ERROR_MISUSE);
    CHECK_FAILS_WITH(!wasmrt_store_usage(fixture.store, none[i], &number), WASMRT_ERROR_MISUSE);
    CHECK_INT(number, 77);
  }
  CHECK_FAILS(!wasmrt_store_set_growth_trap(NULL, true));
  size_t count = 77;
  CHECK_FAILS_WITH(!wasmrt_engine_module_count(NULL, &count), WASMRT_ERROR_MISUSE);
  CHECK_INT(count, 77);
  CHECK_FAILS_WITH(!wasmrt_engine_module_count(fixture.engine, NULL), WASMRT_ERROR_MISUSE);
  fixture_delete(&fixture);
}

TEST(a_memory_bomb) {
  fixture_t fixture = fixture_from_wat(growing);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 100 * PAGE);
  CHECK_INT(call_i32(fixture_func(&fixture, BOMB)), 100);
  check_usage(fixture.store, 100 * PAGE, 10, 1, 1, 1);
  CHECK_INT(wasm_memory_size(fixture_memory(&fixture, MEMORY)), 100);
  // A limit between pages.
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 103 * PAGE - 1);
  CHECK_INT(call_i32(fixture_func(&fixture, BOMB)), 102);
  // A lower one leaves what there is.
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, PAGE);
  CHECK_INT(call_i32(fixture_func(&fixture, BOMB)), 102);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 0), 102);
  fixture_delete(&fixture);
}

TEST(a_table_bomb) {
  fixture_t fixture = fixture_from_wat(growing);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 1050);
  CHECK_INT(call_i32(fixture_func(&fixture, TABLE_BOMB)), 1010);
  check_usage(fixture.store, PAGE, 1010, 1, 1, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 40), 1010);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 1), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 0), 1050);
  fixture_delete(&fixture);
}

TEST(a_table_has_a_bound_in_any_case) {
  fixture_t fixture = fixture_from_wat(growing);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), -1), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 10000000 - 9), -1);
  check_usage(fixture.store, PAGE, 10, 1, 1, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 10000000 - 10), 10);
  check_usage(fixture.store, PAGE, 10000000, 1, 1, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 1), -1);
  check_not_instantiated(fixture.store, "(module (table 10000001 funcref))", "10000001");
  fixture_delete(&fixture);
}

// The engine reports such a failure without having asked before, so nothing must be subtracted for
// it.
TEST(growth_that_cannot_be_gives_nothing_back) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory (export \"memory\") 1) (table i64 1 funcref)"
      "  (func (export \"round\") (result i32)"
      "    (drop (memory.grow (i32.const 1)))"
      "    (drop (table.grow (ref.null func) (i64.const -1)))"
      "    (memory.size)))");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 4 * PAGE);
  for (int round = 0; round < 20; round++)
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), round < 3 ? round + 2 : 4);
  check_usage(fixture.store, 4 * PAGE, 1, 1, 1, 1);
  fixture_delete(&fixture);
}

// The same for a memory whose type forbids the size.
TEST(a_memory_of_small_pages_gives_nothing_back) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, true));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 4 * PAGE);
  wasm_module_t* module = module_from_wat(store,
                                          "(module (memory 1) (memory $small 1 (pagesize 1))"
                                          "  (func (export \"round\") (result i32)"
                                          "    (drop (memory.grow 0 (i32.const 1)))"
                                          "    (drop (memory.grow $small (i32.const -1)))"
                                          "    (memory.size 0)))");
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  CHECK(instance != NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  for (int round = 0; round < 20; round++)
    CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), round < 2 ? round + 2 : 3);
  CHECK(usage_of(store, WASMRT_STORE_LIMIT_MEMORY_BYTES) == 3 * PAGE + 1);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

// A trap of the engine's own, after the start function has grown the memory.
TEST(what_ran_before_an_odd_trap_stays_counted) {
  fixture_t fixture = fixture_new();
  if (backend_is(fixture.engine, "wasmtime")) { // the one that has arrays
    wasm_module_t* module = module_from_wat(fixture.store,
                                            "(module (type $bytes (array (mut i8))) (memory 1)"
                                            "  (func $start (drop (memory.grow (i32.const 4)))"
                                            "    (drop (array.new_default $bytes (i32.const -1))))"
                                            "  (start $start))");
    wasm_trap_t* trap = NULL;
    CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL,
                     WASMRT_ERROR_TRAP);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_OTHER);
    CHECK(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES) >= 5 * PAGE);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

TEST(what_a_failed_start_function_made_stays_counted) {
  fixture_t fixture = fixture_new();
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 3);
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (memory 1) (table 2 funcref)"
                      "  (func $start (drop (memory.grow (i32.const 1))) unreachable)"
                      "  (start $start))");
  for (uint64_t round = 1; round <= 3; round++) {
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_UNREACHABLE);
    check_usage(fixture.store, round * 2 * PAGE, round * 2, round, round, round);
  }
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL,
                   WASMRT_ERROR_LIMIT);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(exactly_at_the_limit) {
  fixture_t fixture = fixture_from_wat(growing);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 10 * PAGE);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 10), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 65535), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), -1), -1);
  // What failed is not counted.
  check_usage(fixture.store, PAGE, 10, 1, 1, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 9), 1);
  check_usage(fixture.store, 10 * PAGE, 10, 1, 1, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 1), -1);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, WASMRT_UNLIMITED);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 1), 10);
  check_usage(fixture.store, 11 * PAGE, 10, 1, 1, 1);
  fixture_delete(&fixture);
}

TEST(growth_that_traps) {
  fixture_t fixture = fixture_from_wat(growing);
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 3 * PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 20);
  wasm_val_t result, argument = I32(11);
  for (int i = 0; i < 2; i++) {
    CHECK_TRAP_CODE(call(fixture_func(&fixture, BOMB), NULL, 0, &result, 1),
                    WASMRT_TRAP_MEMORY_LIMIT);
    CHECK_INT(wasm_memory_size(fixture_memory(&fixture, MEMORY)), 3);
    CHECK_TRAP_CODE(call(fixture_func(&fixture, GROW_TABLE), &argument, 1, &result, 1),
                    WASMRT_TRAP_TABLE_LIMIT);
    CHECK_INT(wasm_table_size(fixture_table(&fixture, TABLE)), 10);
  }
  // The host is told by the result of its functions, not by traps.
  CHECK_FAILS_WITH(!wasm_memory_grow(fixture_memory(&fixture, MEMORY), 1), WASMRT_ERROR_LIMIT);
  CHECK_FAILS_WITH(!wasm_table_grow(fixture_table(&fixture, TABLE), 11, NULL), WASMRT_ERROR_LIMIT);
  CHECK(wasm_table_grow(fixture_table(&fixture, TABLE), 10, NULL));
  check_usage(fixture.store, 3 * PAGE, 20, 1, 1, 1);
  CHECK(wasmrt_store_set_growth_trap(fixture.store, false));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 1), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_TABLE), 1), -1);
  fixture_delete(&fixture);
}

// Beyond a maximum of its own a memory gives -1, as the specification says, not a trap.
TEST(the_maximum_of_a_memory_is_no_limit_of_the_store) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory 1 2) (table 1 2 funcref)"
      "  (func (export \"memory\") (param i32) (result i32) (memory.grow (local.get 0)))"
      "  (func (export \"table\") (param i32) (result i32)"
      "    (table.grow (ref.null func) (local.get 0))))");
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 2), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 2), -1);
  check_usage(fixture.store, PAGE, 1, 1, 1, 1);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 2), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 2), -1);
  check_usage(fixture.store, PAGE, 1, 1, 1, 1);
  fixture_delete(&fixture);
}

// Nor is the most that any table may have.
TEST(what_no_table_can_have_is_no_limit_of_the_store) {
  fixture_t fixture = fixture_from_wat(
      "(module (table $a 2 9 funcref) (table $b 2 funcref)"
      "  (func (export \"a\") (param i32) (result i32)"
      "    (table.grow $a (ref.null func) (local.get 0)))"
      "  (func (export \"b\") (param i32) (result i32)"
      "    (table.grow $b (ref.null func) (local.get 0))))");
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  for (size_t i = 0; i < 2; i++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), -1), -1);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), 9999999), -1);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, i), 1), 2);
  }
  check_usage(fixture.store, 0, 6, 1, 2, 0);
  // Beyond both it is one.
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100);
  wasm_val_t result, argument = I32(20000000);
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), &argument, 1, &result, 1),
                  WASMRT_TRAP_TABLE_LIMIT);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 20000000), -1);
  check_usage(fixture.store, 0, 6, 1, 2, 0);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The host's objects

TEST(memories_of_the_host) {
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(2, 100);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 5 * PAGE);
  wasm_memory_t* one = wasm_memory_new(fixture.store, type);
  wasm_memory_t* two = wasm_memory_new(fixture.store, type);
  REQUIRE(one && two);
  check_usage(fixture.store, 4 * PAGE, 0, 0, 0, 2);
  CHECK_FAILS_WITH(wasm_memory_new(fixture.store, type) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "memory");
  CHECK_CONTAINS(wasmrt_last_error_message(), "327680");
  check_usage(fixture.store, 4 * PAGE, 0, 0, 0, 2);
  CHECK_FAILS_WITH(!wasm_memory_grow(one, 2), WASMRT_ERROR_LIMIT);
  CHECK(wasm_memory_grow(one, 1));
  CHECK_FAILS_WITH(!wasm_memory_grow(two, 1), WASMRT_ERROR_LIMIT);
  CHECK(wasm_memory_grow(two, 0));
  check_usage(fixture.store, 5 * PAGE, 0, 0, 0, 2);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, WASMRT_UNLIMITED);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORIES, 3);
  wasm_memory_t* three = wasm_memory_new(fixture.store, type);
  REQUIRE(three);
  CHECK_FAILS_WITH(wasm_memory_new(fixture.store, type) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "memories");
  CHECK_CONTAINS(wasmrt_last_error_message(), "3");
  check_usage(fixture.store, 7 * PAGE, 0, 0, 0, 3);
  // What a store holds is freed with the store.
  wasm_memory_delete(one);
  wasm_memory_delete(two);
  wasm_memory_delete(three);
  check_usage(fixture.store, 7 * PAGE, 0, 0, 0, 3);
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

TEST(tables_of_the_host) {
  fixture_t fixture = fixture_new();
  wasm_tabletype_t* type = tabletype(WASM_EXTERNREF, 20, 100);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 50);
  wasm_table_t* one = wasm_table_new(fixture.store, type, NULL);
  wasm_table_t* two = wasm_table_new(fixture.store, type, NULL);
  REQUIRE(one && two);
  CHECK_FAILS_WITH(wasm_table_new(fixture.store, type, NULL) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "table elements");
  CHECK_FAILS_WITH(!wasm_table_grow(one, 11, NULL), WASMRT_ERROR_LIMIT);
  check_usage(fixture.store, 0, 40, 0, 2, 0);
  CHECK(wasm_table_grow(one, 10, NULL));
  CHECK_FAILS_WITH(!wasm_table_grow(two, 1, NULL), WASMRT_ERROR_LIMIT);
  check_usage(fixture.store, 0, 50, 0, 2, 0);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, WASMRT_UNLIMITED);
  // Beyond its own maximum.
  CHECK_FAILS(!wasm_table_grow(one, 71, NULL));
  check_usage(fixture.store, 0, 50, 0, 2, 0);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLES, 2);
  CHECK_FAILS_WITH(wasm_table_new(fixture.store, type, NULL) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "tables");
  wasm_table_delete(one);
  wasm_table_delete(two);
  wasm_tabletype_delete(type);
  fixture_delete(&fixture);
}

TEST(guest_and_host_share_a_limit) {
  fixture_t fixture = fixture_from_wat(growing);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 10 * PAGE);
  wasm_memorytype_t* type = memorytype(6, 100);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  REQUIRE(memory);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 4), -1);
  CHECK(wasm_memory_grow(fixture_memory(&fixture, MEMORY), 1));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, GROW_MEMORY), 2), 2);
  CHECK_FAILS_WITH(!wasm_memory_grow(memory, 1), WASMRT_ERROR_LIMIT);
  check_usage(fixture.store, 10 * PAGE, 10, 1, 1, 2);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Instances

TEST(instances) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 3);
  for (uint64_t i = 0; i < 3; i++) {
    wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
    check_usage(fixture.store, 0, 0, i + 1, 0, 0);
  }
  check_not_instantiated(fixture.store, "(module)", "instances");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 4);
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  check_not_instantiated(fixture.store, "(module)", "4");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 0);
  check_not_instantiated(fixture.store, "(module)", "0");
  // Another store has its own.
  wasm_store_t* other = wasm_store_new(fixture.engine);
  wasm_instance_delete(instantiate(other, module, NULL, 0));
  check_usage(other, 0, 0, 1, 0, 0);
  wasm_store_delete(other);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(what_instances_bring) {
  fixture_t fixture = fixture_new();
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 3 * PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLES, 3);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORIES, 2);
  check_not_instantiated(fixture.store, "(module (memory 4))", "memory");
  check_not_instantiated(fixture.store, "(module (table 101 funcref))", "table elements");
  check_not_instantiated(fixture.store, "(module (memory 1) (memory 1) (memory 1))", "memories");
  check_not_instantiated(
      fixture.store,
      "(module (table 1 funcref) (table 1 funcref) (table 1 funcref) (table 0 funcref))", "tables");
  check_usage(fixture.store, 0, 0, 0, 0, 0);
  const char* fits = "(module (memory 1) (memory 2) (table 50 funcref) (table 50 externref))";
  wasm_module_t* module = module_from_wat(fixture.store, fits);
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  check_usage(fixture.store, 3 * PAGE, 100, 1, 2, 2);
  check_not_instantiated(fixture.store, "(module (memory 1))", "memories");
  check_not_instantiated(fixture.store, "(module (memory 0))", "memories");
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(the_second_of_an_instance_is_too_much) {
  static const char* const wats[2] = {"(module (memory 1) (memory 3))",
                                      "(module (table 60 funcref) (table 60 externref))"};
  for (size_t i = 0; i < 2; i++) {
    fixture_t fixture = fixture_new();
    set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 3 * PAGE);
    set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100);
    wasm_module_t* module = module_from_wat(fixture.store, wats[i]);
    for (int round = 0; round < 3; round++)
      CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL,
                       WASMRT_ERROR_LIMIT);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_INSTANCES), 0);
    CHECK(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES) <= 3 * PAGE);
    CHECK(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS) <= 100);
    // What was made before the refusal is there, or it is not: it counts as what it is.
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES),
              usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORIES) * PAGE);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS),
              usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLES) * 60);
    if (backend_is(fixture.engine, "wasmtime")) check_usage(fixture.store, 0, 0, 0, 0, 0);
    wasm_module_delete(module);
    fixture_delete(&fixture);
  }
}

// The memories of an instance whose table is too much are nobody's.
TEST(the_table_beside_a_memory_is_too_much) {
  fixture_t fixture = fixture_new();
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100);
  wasm_module_t* module = module_from_wat(
      fixture.store, "(module (memory 16) (memory 0) (memory 300) (table 10000 funcref))");
  for (int round = 0; round < 10; round++) {
    wasmrt_store_set_growth_trap(fixture.store, round > 5);
    CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL,
                     WASMRT_ERROR_LIMIT);
    check_usage(fixture.store, 0, 0, 0, 0, 0);
  }
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 10000);
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  check_usage(fixture.store, 316 * PAGE, 10000, 1, 1, 3);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// A start function that runs into a limit has run: its instance stays, and what the host made in
// the middle of it.
static wasm_trap_t* make_a_table(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  wasm_tabletype_t* type = tabletype(WASM_FUNCREF, 5, 5);
  wasm_table_t* table = wasm_table_new(env, type, NULL);
  CHECK(table != NULL);
  wasm_table_delete(table);
  wasm_tabletype_delete(type);
  return NULL;
}

TEST(a_start_function_that_hits_a_limit_stays_counted) {
  fixture_t fixture = fixture_new();
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 5 * PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 21);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 3);
  wasm_func_t* host = host_func(fixture.store, "", "", make_a_table, fixture.store);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
  static const char* const growths[] = {"(memory.grow (i32.const 100))",
                                        "(table.grow (ref.null func) (i32.const 100))",
                                        "(memory.grow (i32.const 4))"};
  const wasmrt_trap_code_t codes[] = {WASMRT_TRAP_MEMORY_LIMIT, WASMRT_TRAP_TABLE_LIMIT,
                                      WASMRT_TRAP_MEMORY_LIMIT};
  for (uint64_t i = 0; i < 3; i++) {
    char wat[500];
    snprintf(wat, sizeof wat,
             "(module (import \"\" \"\" (func $host)) (memory 1) (table 2 funcref)"
             "  (func $start (call $host) (drop %s)) (start $start))",
             growths[i]);
    wasm_module_t* module = module_from_wat(fixture.store, wat);
    wasm_trap_t* trap = NULL;
    CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, &import_vec, &trap) == NULL,
                     WASMRT_ERROR_LIMIT);
    CHECK_TRAP_CODE(trap, codes[i]);
    check_usage(fixture.store, (i + 1) * PAGE, (i + 1) * 7, i + 1, (i + 1) * 2, i + 1);
    wasm_module_delete(module);
  }
  check_not_instantiated(fixture.store, "(module)", "instances");
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// A limit may be lower than the current usage: then only what needs nothing more is allowed.
TEST(what_adds_nothing_fits_below_a_lowered_limit) {
  fixture_t fixture = fixture_from_wat("(module (memory 2) (memory 2) (table 5 funcref))");
  for (size_t i = 0; i < LIMITS; i++)
    if (every_limit[i] != WASMRT_STORE_LIMIT_INSTANCES) set_limit(fixture.store, every_limit[i], 1);
  wasm_module_t* module = module_from_wat(fixture.store, "(module (func))");
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  wasm_module_delete(module);
  check_usage(fixture.store, 4 * PAGE, 5, 2, 1, 2);
  check_not_instantiated(fixture.store, "(module (memory 0))", "memories");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORIES, 3);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLES, 2);
  module = module_from_wat(fixture.store, "(module (memory 0) (table 0 funcref))");
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  wasm_module_delete(module);
  check_usage(fixture.store, 4 * PAGE, 5, 3, 2, 3);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORIES, 4);
  check_not_instantiated(fixture.store, "(module (memory 1))", "memory");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 2);
  check_not_instantiated(fixture.store, "(module)", "instances");
  fixture_delete(&fixture);
}

// Calls of one nested deeply, and an instantiation when no more may be.
typedef struct nest_t {
  fixture_t* fixture;
  wasm_module_t* module;
  bool tried;
} nest_t;

static wasm_trap_t* nest(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  nest_t* state = env;
  wasm_trap_t* trap = call_plain(fixture_func(state->fixture, 0));
  if (trap && !state->tried) {
    state->tried = true;
    uint64_t before[LIMITS];
    wasm_store_t* store = state->fixture->store;
    for (size_t i = 0; i < LIMITS; i++) before[i] = usage_of(store, every_limit[i]);
    wasm_trap_t* refusal = NULL;
    wasm_instance_t* instance = wasm_instance_new(store, state->module, NULL, &refusal);
    CHECK_INT(usage_of(store, WASMRT_STORE_LIMIT_INSTANCES),
              before[WASMRT_STORE_LIMIT_INSTANCES] + (instance != NULL));
    CHECK_INT(usage_of(store, WASMRT_STORE_LIMIT_MEMORIES),
              before[WASMRT_STORE_LIMIT_MEMORIES] + (instance != NULL));
    if (!instance) CHECK_TRAP_CODE(refusal, WASMRT_TRAP_STACK_EXHAUSTED);
    wasm_instance_delete(instance);
  }
  return trap;
}

TEST(an_instance_refused_for_nesting_is_not_counted) {
  fixture_t fixture = fixture_new();
  nest_t state = {&fixture, module_from_wat(fixture.store, "(module (memory 1))"), false};
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $nest))"
                         "  (func (export \"f\") (call $nest)))",
                         nest, &state);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_STACK_EXHAUSTED);
  CHECK(state.tried);
  wasm_module_delete(state.module);
  fixture_delete(&fixture);
}

// Beyond the largest possible memory or table, growth returns -1, as the specification says,
// whatever the limit.
TEST(what_cannot_be_is_no_matter_of_limits) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory i64 1) (memory 1) (memory i64 0) (table 1 funcref)"
      "  (table i64 1 7 externref) (table i64 0 funcref)"
      "  (func (export \"0\") (result i64) (memory.grow 0 (i64.const -1)))"
      "  (func (export \"1\") (result i64) (i64.extend_i32_s (memory.grow 1 (i32.const -1))))"
      "  (func (export \"2\") (result i64) (memory.grow 2 (i64.const -1)))"
      "  (func (export \"3\") (result i64) (memory.grow 0 (i64.const 0x800000000000)))"
      "  (func (export \"4\") (result i64)"
      "    (i64.extend_i32_s (table.grow 0 (ref.null func) (i32.const -1))))"
      "  (func (export \"5\") (result i64) (table.grow 1 (ref.null extern) (i64.const -1)))"
      "  (func (export \"6\") (result i64) (table.grow 1 (ref.null extern) (i64.const 7)))"
      "  (func (export \"7\") (result i64) (table.grow 1 (ref.null extern) (i64.const 10000000)))"
      "  (func (export \"8\") (result i64) (table.grow 2 (ref.null func) (i64.const -1))))");
  for (int traps = 0; traps < 2; traps++) {
    CHECK(wasmrt_store_set_growth_trap(fixture.store, traps));
    for (size_t i = 0; i < 9; i++) {
      wasm_val_t result = I64(0);
      if (!CHECK_NO_TRAP(call(fixture_func(&fixture, i), NULL, 0, &result, 1)) ||
          !CHECK_INT(result.of.i64, -1))
        fprintf(stderr, "    of function %zu, where growth %s\n", i, traps ? "traps" : "fails");
    }
    check_usage(fixture.store, 2 * PAGE, 2, 1, 3, 3);
    set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 3 * PAGE);
    set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 3);
  }
  fixture_delete(&fixture);
}

TEST(instances_beyond_a_limit_where_growth_traps) {
  fixture_t fixture = fixture_new();
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 1);
  check_not_instantiated(fixture.store, "(module (memory 2))", "memory");
  check_not_instantiated(fixture.store, "(module (table 2 funcref))", "table elements");
  wasm_module_t* modules[2] = {module_from_wat(fixture.store, "(module (memory 2))"),
                               module_from_wat(fixture.store, "(module (table 2 funcref))")};
  const wasmrt_trap_code_t codes[2] = {WASMRT_TRAP_MEMORY_LIMIT, WASMRT_TRAP_TABLE_LIMIT};
  for (int traps = 0; traps < 2; traps++) {
    CHECK(wasmrt_store_set_growth_trap(fixture.store, traps));
    for (size_t i = 0; i < 2; i++) {
      wasm_trap_t* trap = NULL;
      CHECK_FAILS_WITH(wasm_instance_new(fixture.store, modules[i], NULL, &trap) == NULL,
                       WASMRT_ERROR_LIMIT);
      CHECK_TRAP_CODE(trap, codes[i]);
    }
  }
  wasm_module_delete(modules[0]);
  wasm_module_delete(modules[1]);
  fixture_delete(&fixture);
}

// Imports are counted where they were made.
TEST(imports_do_not_count_again) {
  fixture_t fixture = fixture_from_wat(growing);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORIES, 1);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLES, 1);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 10);
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"\" \"\" (memory 1)) (import \"\" \"\" (table 10 funcref))"
                      "  (func (export \"grow\") (result i32) (memory.grow (i32.const 1))))");
  wasm_instance_t* instance = instantiate(fixture.store, module, fixture.exports.data, 2);
  check_usage(fixture.store, PAGE, 10, 2, 1, 1);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), -1);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 2 * PAGE);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 1);
  check_usage(fixture.store, 2 * PAGE, 10, 2, 1, 1);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(an_instance_that_fails_for_another_reason_and_the_next_one) {
  fixture_t fixture = fixture_new();
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 4 * PAGE);
  wasm_module_t* missing =
      module_from_wat(fixture.store, "(module (import \"a\" \"b\" (func)) (memory 2))");
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, missing, NULL, &trap) == NULL,
                   WASMRT_ERROR_LINK);
  wasm_trap_delete(trap);
  check_usage(fixture.store, 0, 0, 0, 0, 0);
  // The error of a limit that was reached earlier is not told again.
  check_not_instantiated(fixture.store, "(module (memory 5))", "memory");
  wasm_module_t* traps =
      module_from_wat(fixture.store, "(module (memory 1) (func $f unreachable) (start $f))");
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, traps, NULL, &trap) == NULL, WASMRT_ERROR_TRAP);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_UNREACHABLE);
  wasm_module_delete(missing);
  wasm_module_delete(traps);
  fixture_delete(&fixture);
}

TEST(a_start_function_grows) {
  fixture_t fixture = fixture_new();
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 4 * PAGE);
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (memory 1) (global $g (export \"g\") (mut i32) (i32.const 0))"
                      "  (func $f (drop (memory.grow (i32.const 3)))"
                      "    (global.set $g (memory.grow (i32.const 1)))) (start $f))");
  wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
  check_usage(fixture.store, 4 * PAGE, 0, 1, 0, 1);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t value;
  wasm_global_get(wasm_extern_as_global(exports.data[0]), &value);
  CHECK_INT(value.of.i32, -1);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Memories of other kinds

TEST(several_memories_of_64_bits) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory $a i64 1) (memory $b 1) (table $t i64 1 funcref)"
      "  (func (export \"a\") (param i64) (result i64) (memory.grow $a (local.get 0)))"
      "  (func (export \"b\") (param i32) (result i32) (memory.grow $b (local.get 0)))"
      "  (func (export \"t\") (param i64) (result i64)"
      "    (table.grow $t (ref.null func) (local.get 0))))");
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 10 * PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 10);
  const int64_t too_much[] = {9, 1 << 20, (int64_t)1 << 40, (int64_t)1 << 48, INT64_MAX, -1};
  wasm_val_t argument, result;
  for (size_t i = 0; i < sizeof too_much / sizeof *too_much; i++) {
    argument = I64(too_much[i]);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
    CHECK_INT(result.of.i64, -1);
    argument = I64(too_much[i] == 9 ? 10 : too_much[i]);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 2), &argument, 1, &result, 1));
    CHECK_INT(result.of.i64, -1);
    check_usage(fixture.store, 2 * PAGE, 1, 1, 1, 2);
  }
  argument = I64(5);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
  CHECK_INT(result.of.i64, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 4), -1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 3), 1);
  argument = I64(9);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 2), &argument, 1, &result, 1));
  CHECK_INT(result.of.i64, 1);
  check_usage(fixture.store, 10 * PAGE, 10, 1, 1, 2);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------

TEST(with_fuel_and_interruption) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, wasmrt_config_set_interruption, NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
  CHECK(wasmrt_store_set_call_timeout(fixture.store, UINT64_C(600000000000)));
  fixture_load(&fixture, growing, NULL, 0);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 100 * PAGE);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100010);
  CHECK_INT(call_i32(fixture_func(&fixture, BOMB)), 100);
  CHECK_INT(call_i32(fixture_func(&fixture, TABLE_BOMB)), 100010);
  check_usage(fixture.store, 100 * PAGE, 100010, 1, 1, 1);
  // Growth that fuel does not suffice for did not happen, and is not counted.
  set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, WASMRT_UNLIMITED);
  uint64_t elements = wasm_table_size(fixture_table(&fixture, TABLE));
  for (uint64_t fuel = 0; fuel < 600; fuel++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
    wasm_val_t argument = I32(3), result;
    wasm_trap_t* trap = call(fixture_func(&fixture, GROW_TABLE), &argument, 1, &result, 1);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS),
              wasm_table_size(fixture_table(&fixture, TABLE)));
    if (trap) {
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
    } else {
      elements += 3;
    }
  }
  CHECK(wasm_table_size(fixture_table(&fixture, TABLE)) >= elements);
  fixture_delete(&fixture);
}

TEST(growth_without_fuel_is_not_counted) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, NULL, growing);
  for (uint64_t fuel = 0; fuel < 3000; fuel += 1 + fuel / 20) {
    for (size_t i = 0; i < 2; i++) {
      CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
      wasm_val_t argument = I32(i ? 300 : 1), result;
      wasm_trap_t* trap =
          call(fixture_func(&fixture, i ? GROW_TABLE : GROW_MEMORY), &argument, 1, &result, 1);
      if (trap) CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
      check_usage(fixture.store, (uint64_t)wasm_memory_size(fixture_memory(&fixture, 0)) * PAGE,
                  wasm_table_size(fixture_table(&fixture, 1)), 1, 1, 1);
    }
  }
  fixture_delete(&fixture);
}

// The heap of structures and arrays counts as memory. Instructions that create them cannot return
// -1.
TEST(a_heap_of_objects) {
  fixture_t fixture = fixture_new();
  if (backend_is(fixture.engine, "wasmi")) {
    fixture_delete(&fixture);
    return;
  }
  fixture_load(&fixture,
               "(module (type $a (array (mut i64))) (table 100 (ref null $a))"
               "  (memory 1) (func (export \"grow\") (param i32) (result i32)"
               "    (memory.grow (local.get 0)))"
               "  (func (export \"make\") (param i32)"
               "    (loop"
               "      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))"
               "      (table.set (local.get 0) (array.new $a (i64.const 1) (i32.const 10000)))"
               "      (br_if 0 (local.get 0)))))",
               NULL, 0);
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, PAGE + 1000000);
  for (int growth_trap = 0; growth_trap < 2; growth_trap++) {
    CHECK(wasmrt_store_set_growth_trap(fixture.store, growth_trap));
    wasm_val_t count = I32(90);
    wasm_trap_t* trap = call(fixture_func(&fixture, 1), &count, 1, NULL, 0);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    CHECK_CONTAINS(wasmrt_last_error_message(), "bytes of linear memory");
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_MEMORY_LIMIT);
    CHECK(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES) > PAGE);
    CHECK(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES) <= PAGE + 1000000);
  }
  // It has to do with this limit only as long as it is met.
  set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, WASMRT_UNLIMITED);
  wasm_val_t count = I32(90);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 1), &count, 1, NULL, 0));
  fixture_delete(&fixture);
}

TEST(modules_of_an_engine) {
  fixture_t fixture = fixture_new();
  CHECK_INT(modules_of(fixture.engine), 0);
  wasm_module_t* module = module_from_wat(fixture.store, "(module (func (export \"f\")))");
  CHECK_INT(modules_of(fixture.engine), 1);
  wasm_module_t* copy = wasm_module_copy(module);
  CHECK_INT(modules_of(fixture.engine), 1);
  wasm_module_t* other = module_from_wat(fixture.store, "(module)");
  CHECK_INT(modules_of(fixture.engine), 2);
  wasm_shared_module_t* shared = wasm_module_share(other);
  wasm_module_delete(other);
  CHECK_INT(modules_of(fixture.engine), 2);
  wasm_shared_module_delete(shared);
  CHECK_INT(modules_of(fixture.engine), 1);
  wasm_module_delete(module);
  CHECK_INT(modules_of(fixture.engine), 1);
  wasm_module_delete(copy);
  CHECK_INT(modules_of(fixture.engine), 0);
  wasm_byte_vec_t binary = binary_from_wat("(module (func (result i32)))");
  CHECK_NULL(wasm_module_new(fixture.store, &binary));
  wasm_byte_vec_delete(&binary);
  CHECK_INT(modules_of(fixture.engine), 0);
  module = module_from_wat(fixture.store, "(module)");
  wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
  wasm_module_delete(module);
  CHECK_INT(modules_of(fixture.engine), 1);
  wasm_instance_delete(instance);
  wasm_store_delete(fixture.store);
  fixture.store = NULL;
  CHECK_INT(modules_of(fixture.engine), 0);
  fixture_delete(&fixture);
}
