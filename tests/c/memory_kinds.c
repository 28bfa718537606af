// Memories and tables of the proposals: 64-bit addresses, small pages. Those that threads share are in shared_memory.c.
#include "configured.h"

static bool small_pages(wasm_config_t* config, bool enabled) {
  return wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, enabled);
}

// Takes ownership of the type.
static wasm_memory_t* new_memory(wasm_store_t* store, wasm_memorytype_t* type) {
  REQUIRE(type);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  return memory;
}

// Takes ownership of the type.
static wasm_table_t* new_table(wasm_store_t* store, wasm_tabletype_t* type, wasm_ref_t* init) {
  REQUIRE(type);
  wasm_table_t* table = wasm_table_new(store, type, init);
  wasm_tabletype_delete(type);
  return table;
}

static uint64_t pages_of(const wasm_memory_t* memory) {
  uint64_t size = 77;
  CHECK(wasmrt_memory_size(memory, &size));
  return size;
}

static uint64_t elements_of(const wasm_table_t* table) {
  uint64_t size = 77;
  CHECK(wasmrt_table_size(table, &size));
  return size;
}

TEST(memory_types) {
  const uint64_t many = UINT64_C(1) << 33;
  wasm_memorytype_t* type = wasmrt_memorytype_new(many, WASMRT_UNLIMITED, true, false, 65536);
  REQUIRE(type);
  CHECK(wasmrt_memorytype_minimum(type) == many);
  CHECK(wasmrt_memorytype_maximum(type) == WASMRT_UNLIMITED);
  CHECK(wasmrt_memorytype_is_64(type));
  CHECK(!wasmrt_memorytype_is_shared(type));
  CHECK_INT(wasmrt_memorytype_page_size(type), 65536);
  CHECK_INT(wasm_memorytype_limits(type)->min, 0xffffffff);
  CHECK_INT(wasm_memorytype_limits(type)->max, wasm_limits_max_default);
  wasm_memorytype_t* copy = wasm_memorytype_copy(type);
  CHECK(wasmrt_memorytype_minimum(copy) == many);
  wasm_memorytype_delete(copy);
  wasm_memorytype_delete(type);

  type = wasmrt_memorytype_new(3, 5, false, true, 1);
  CHECK_INT(wasmrt_memorytype_minimum(type), 3);
  CHECK_INT(wasmrt_memorytype_maximum(type), 5);
  CHECK(!wasmrt_memorytype_is_64(type));
  CHECK(wasmrt_memorytype_is_shared(type));
  CHECK_INT(wasmrt_memorytype_page_size(type), 1);
  wasm_memorytype_delete(type);

  // The types of wasm.h.
  type = memorytype(1, wasm_limits_max_default);
  CHECK_INT(wasmrt_memorytype_minimum(type), 1);
  CHECK(wasmrt_memorytype_maximum(type) == WASMRT_UNLIMITED);
  CHECK(!wasmrt_memorytype_is_64(type));
  CHECK(!wasmrt_memorytype_is_shared(type));
  CHECK_INT(wasmrt_memorytype_page_size(type), 65536);
  wasm_memorytype_delete(type);
}

TEST(the_largest_memory_types) {
  static const struct {
    bool is_64;
    uint64_t page_size, most;
  } kinds[] = {{false, 65536, UINT64_C(1) << 16},
               {false, 1, UINT32_MAX},
               {true, 65536, UINT64_C(1) << 48},
               {true, 1, UINT64_MAX}};
  for (size_t i = 0; i < 4; i++) {
    bool is_64 = kinds[i].is_64;
    uint64_t page_size = kinds[i].page_size, most = kinds[i].most;
    wasm_memorytype_t* type = wasmrt_memorytype_new(most, most, is_64, false, page_size);
    REQUIRE(type);
    CHECK(wasmrt_memorytype_minimum(type) == most && wasmrt_memorytype_maximum(type) == most);
    wasm_memorytype_delete(type);
    if (most == UINT64_MAX) continue;
    CHECK_FAILS(!wasmrt_memorytype_new(0, most + 1, is_64, false, page_size));
    CHECK_FAILS(!wasmrt_memorytype_new(most + 1, WASMRT_UNLIMITED, is_64, false, page_size));
  }
}

TEST(types_that_are_refused) {
  CHECK_FAILS_WITH(!wasmrt_memorytype_new(2, 1, false, false, 65536), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_memorytype_new(0, 1, false, false, 0), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "page size");
  CHECK_FAILS(!wasmrt_memorytype_new(0, 1, true, false, 4096));
  CHECK_FAILS(!wasmrt_memorytype_new(0, WASMRT_UNLIMITED, false, true, 65536));
  CHECK_CONTAINS(wasmrt_last_error_message(), "maximum");
  CHECK_FAILS(!wasmrt_tabletype_new(NULL, 0, 1, false));
  CHECK_FAILS(!wasmrt_tabletype_new(wasm_valtype_new(WASM_I32), 0, 1, false));
  CHECK_CONTAINS(wasmrt_last_error_message(), "i32");
  CHECK_FAILS(!wasmrt_tabletype_new(wasm_valtype_new(WASM_FUNCREF), 2, 1, true));
  CHECK_FAILS(!wasmrt_tabletype_new(wasm_valtype_new(WASM_FUNCREF), 0, UINT64_C(1) << 32, false));
}

TEST(memories_with_64_bit_addresses) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory =
      new_memory(fixture.store, wasmrt_memorytype_new(1, 4, true, false, 65536));
  REQUIRE(memory);
  wasm_memory_data(memory)[65535] = 'x';
  uint64_t former = 77;
  CHECK(wasmrt_memory_grow(memory, 2, &former));
  CHECK_INT(former, 1);
  CHECK(wasmrt_memory_grow(memory, 0, NULL));
  CHECK_INT(pages_of(memory), 3);
  CHECK_INT(wasm_memory_size(memory), 3);
  CHECK_INT(wasm_memory_data_size(memory), 3 * 65536);
  former = 77;
  CHECK_FAILS(!wasmrt_memory_grow(memory, 2, &former));
  CHECK_FAILS(!wasmrt_memory_grow(memory, UINT64_C(1) << 48, &former));
  CHECK_FAILS(!wasmrt_memory_grow(memory, UINT64_MAX, &former));
  CHECK_INT(former, 77);
  CHECK_INT(pages_of(memory), 3);
  wasm_memorytype_t* type = wasm_memory_type(memory);
  CHECK_INT(wasmrt_memorytype_minimum(type), 3);
  CHECK_INT(wasmrt_memorytype_maximum(type), 4);
  CHECK(wasmrt_memorytype_is_64(type));
  wasm_memorytype_delete(type);

  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory)};
  fixture_load(
      &fixture,
      "(module (import \"\" \"\" (memory i64 2 4))"
      "  (func (export \"read\") (param i32) (result i32)"
      "    (i32.load8_u (i64.extend_i32_u (local.get 0))))"
      "  (func (export \"grow\") (result i32) (i32.wrap_i64 (memory.grow (i64.const 1)))))",
      imports, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 65535), 'x');
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 3);
  CHECK_INT(pages_of(memory), 4);
  CHECK_INT(wasm_memory_data_size(memory), 4 * 65536);

  // A memory with 32-bit addresses is another thing, and so is one that may grow further.
  wasm_module_t* other = module_from_wat(fixture.store, "(module (import \"a\" \"b\" (memory 1)))");
  wasm_extern_vec_t given = WASM_ARRAY_VEC(imports);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(!wasm_instance_new(fixture.store, other, &given, &trap));
  CHECK_CONTAINS(wasmrt_last_error_message(), "64-bit memory, 4 to 4 pages");
  wasm_trap_delete(trap);
  wasm_module_delete(other);
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

// Limits that wasm.h cannot tell apart are compared as they are.
// All of the address space of 64 bits, more bytes than a 64-bit number counts.
TEST(memories_with_the_largest_maximum) {
  const uint64_t most = UINT64_C(1) << 48;
#define GROW(memory)                                   \
  "(module (memory " memory                            \
  " i64 1 0x1000000000000) (export \"m\" (memory 0))"  \
  "  (func (export \"grow\") (param i32) (result i32)" \
  "    (i32.wrap_i64 (memory.grow (i64.extend_i32_u (local.get 0))))))"
  fixture_t fixtures[] = {fixture_from_wat(GROW("")), fixture_new()};
  wasm_memory_t* of_host =
      new_memory(fixtures[1].store, wasmrt_memorytype_new(1, most, true, false, 65536));
  REQUIRE(of_host);
  wasm_extern_t* imports[] = {wasm_memory_as_extern(of_host)};
  fixture_load(&fixtures[1], GROW("(import \"\" \"\")"), imports, 1);
#undef GROW
  for (int i = 0; i < 2; i++) {
    wasm_memory_t* memory = fixture_memory(&fixtures[i], 0);
    wasm_memorytype_t* type = wasm_memory_type(memory);
    CHECK(wasmrt_memorytype_maximum(type) == most);
    wasm_memorytype_delete(type);
    CHECK_INT(call_i32_i32(fixture_func(&fixtures[i], 1), 1), 1);
    uint64_t former = 77;
    CHECK(wasmrt_memory_grow(memory, 1, &former));
    CHECK_INT(former, 2);
    CHECK_FAILS(!wasmrt_memory_grow(memory, most, &former));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    CHECK_INT(call_i32_i32(fixture_func(&fixtures[i], 1), -1), -1);
    CHECK_INT(pages_of(memory), 3);
  }
  wasm_memory_delete(of_host);
  fixture_delete(&fixtures[0]);
  fixture_delete(&fixtures[1]);
}

TEST(imports_with_large_limits) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory =
      new_memory(fixture.store, wasmrt_memorytype_new(1, UINT64_C(1) << 40, true, false, 65536));
  REQUIRE(memory);
  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t given = WASM_ARRAY_VEC(imports);
  static const struct {
    const char* text;
    bool fits;
  } modules[] = {{"(module (import \"\" \"\" (memory i64 1 0x10000000000)))", true},
                 {"(module (import \"\" \"\" (memory i64 1 0x20000000000)))", true},
                 {"(module (import \"\" \"\" (memory i64 1)))", true},
                 {"(module (import \"\" \"\" (memory i64 1 0x8000000000)))", false},
                 {"(module (import \"\" \"\" (memory i64 0x100000000)))", false}};
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    wasm_module_t* module = module_from_wat(fixture.store, modules[i].text);
    wasm_trap_t* trap = NULL;
    wasm_instance_t* instance = wasm_instance_new(fixture.store, module, &given, &trap);
    CHECK_INT(instance != NULL, modules[i].fits);
    CHECK_INT(trap == NULL, modules[i].fits);
    if (trap) CHECK_INT(wasmrt_trap_error_kind(trap), WASMRT_ERROR_LINK);
    if (trap) wasm_trap_delete(trap);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

TEST(memories_with_small_pages) {
  fixture_t fixture = fixture_with(small_pages, NULL, NULL);
  wasm_memory_t* memory = new_memory(fixture.store, wasmrt_memorytype_new(5, 9, false, false, 1));
  REQUIRE(memory);
  CHECK_INT(pages_of(memory), 5);
  CHECK_INT(wasm_memory_data_size(memory), 5);
  uint64_t former = 77;
  CHECK(wasmrt_memory_grow(memory, 2, &former));
  CHECK_INT(former, 5);
  CHECK(wasm_memory_grow(memory, 2));
  CHECK_FAILS(!wasm_memory_grow(memory, 1));
  CHECK_INT(wasm_memory_size(memory), 9);
  CHECK_INT(wasm_memory_data_size(memory), 9);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 9);
  wasm_memory_data(memory)[8] = 42;
  wasm_extern_t* imports[] = {wasm_memory_as_extern(memory)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (memory 9 9 (pagesize 1)))"
               "  (func (export \"\") (param i32) (result i32) (i32.load8_u (local.get 0))))",
               imports, 1);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 8), 42);
  wasm_val_t beyond = WASM_I32_VAL(9);
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), &beyond, 1, NULL, 0),
                  WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

TEST(tables_with_64_bit_indices) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"one\") (result i32) (i32.const 1))"
      "  (func (export \"two\") (result i32) (i32.const 2)))");
  wasm_func_t *one = fixture_func(&fixture, 0), *two = fixture_func(&fixture, 1);
  wasm_tabletype_t* type =
      wasmrt_tabletype_new(wasm_valtype_new(WASM_FUNCREF), 2, UINT64_C(1) << 40, true);
  CHECK(wasmrt_tabletype_minimum(type) == 2);
  CHECK(wasmrt_tabletype_maximum(type) == UINT64_C(1) << 40);
  CHECK(wasmrt_tabletype_is_64(type));
  CHECK_INT(wasm_tabletype_limits(type)->max, 0xffffffff);
  wasm_table_t* table = new_table(fixture.store, type, wasm_func_as_ref(one));
  REQUIRE(table);
  uint64_t former = 77;
  CHECK(wasmrt_table_grow(table, 3, wasm_func_as_ref(two), &former));
  CHECK_INT(former, 2);
  CHECK(wasmrt_table_grow(table, 0, NULL, NULL));
  CHECK_INT(elements_of(table), 5);
  CHECK_INT(wasm_table_size(table), 5);
  former = 77;
  CHECK_FAILS(!wasmrt_table_grow(table, UINT64_C(1) << 41, NULL, &former));
  CHECK_FAILS(!wasmrt_table_grow(table, UINT64_MAX, NULL, &former));
  CHECK_FAILS(!wasmrt_table_grow(table, 20000000, NULL, &former));
  CHECK_INT(former, 77);
  CHECK_INT(elements_of(table), 5);
  CHECK(wasmrt_table_set(table, 0, NULL));
  CHECK_NULL(wasmrt_table_get(table, 0));
  wasm_ref_t* element = wasmrt_table_get(table, 4);
  CHECK_PTR(element, wasm_func_as_ref(two));
  wasm_ref_delete(element);
  // An index is not cut to 32 bits.
  CHECK_FAILS(!wasmrt_table_get(table, UINT64_C(1) << 32));
  CHECK_FAILS(!wasmrt_table_set(table, (UINT64_C(1) << 32) + 1, NULL));
  CHECK_CONTAINS(wasmrt_last_error_message(), "4294967297");
  CHECK_FAILS(!wasmrt_table_get(table, UINT64_MAX));

  wasm_extern_t* imports[] = {wasm_table_as_extern(table)};
  wasm_extern_vec_t given = WASM_ARRAY_VEC(imports);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"\" \"\" (table i64 5 0x10000000000 funcref)) (type $f (func (result i32)))"
      "  (func (export \"call\") (result i32) (call_indirect (type $f) (i64.const 4))))");
  wasm_instance_t* instance = wasm_instance_new(fixture.store, module, &given, NULL);
  REQUIRE(instance);
  wasm_extern_t* call = wasmrt_instance_export_at(instance, 0);
  CHECK_INT(call_i32(wasm_extern_as_func(call)), 2);
  wasm_extern_delete(call);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

// The same functions for what wasm.h makes.
TEST(plain_memories_and_tables) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, memorytype(1, 3));
  uint64_t former = 77;
  CHECK(wasmrt_memory_grow(memory, 2, &former));
  CHECK_INT(former, 1);
  CHECK_INT(pages_of(memory), 3);
  CHECK_FAILS(!wasmrt_memory_grow(memory, UINT64_C(1) << 32, NULL));
  wasm_memory_delete(memory);
  wasm_table_t* table = new_table(fixture.store, tabletype(WASM_EXTERNREF, 1, 3), NULL);
  CHECK(wasmrt_table_grow(table, 2, NULL, &former));
  CHECK_INT(former, 1);
  CHECK_INT(elements_of(table), 3);
  CHECK_FAILS(!wasmrt_table_grow(table, UINT64_C(1) << 32, NULL, NULL));
  CHECK_FAILS(!wasmrt_table_get(table, UINT64_C(1) << 32));
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(proposals_that_are_off) {
  static const struct {
    wasmrt_proposal_t proposal;
    const char* name;
    bool is_64;
    uint64_t page_size;
  } kinds[] = {{WASMRT_PROPOSAL_MEMORY64, "memory64", true, 65536},
               {WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, "custom-page-sizes", false, 1}};
  for (size_t i = 0; i < 2; i++) {
    wasm_config_t* config = wasm_config_new();
    REQUIRE(wasmrt_config_set_proposal(config, kinds[i].proposal, false));
    fixture_t fixture = fixture_from_config(config);
    wasm_memorytype_t* type =
        wasmrt_memorytype_new(0, 1, kinds[i].is_64, false, kinds[i].page_size);
    REQUIRE(type);
    CHECK_FAILS_WITH(!wasm_memory_new(fixture.store, type), WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), kinds[i].name);
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
    CHECK_CONTAINS(wasmrt_last_error_message(), "wasmrt_config_set_proposal");
    wasm_memorytype_delete(type);
    if (kinds[i].is_64) {
      wasm_tabletype_t* table = wasmrt_tabletype_new(wasm_valtype_new(WASM_FUNCREF), 0, 1, true);
      CHECK_FAILS_WITH(!wasm_table_new(fixture.store, table, NULL), WASMRT_ERROR_UNSUPPORTED);
      CHECK_CONTAINS(wasmrt_last_error_message(), "memory64");
      wasm_tabletype_delete(table);
    }
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORIES), 0);
    fixture_delete(&fixture);
  }
}

TEST(limits_of_the_store) {
  fixture_t fixture = fixture_new();
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 2 * 65536));
  wasm_memorytype_t* type = wasmrt_memorytype_new(3, WASMRT_UNLIMITED, true, false, 65536);
  CHECK_FAILS_WITH(!wasm_memory_new(fixture.store, type), WASMRT_ERROR_LIMIT);
  wasm_memorytype_delete(type);
  wasm_memory_t* memory =
      new_memory(fixture.store, wasmrt_memorytype_new(2, WASMRT_UNLIMITED, true, false, 65536));
  REQUIRE(memory);
  CHECK_FAILS_WITH(!wasmrt_memory_grow(memory, 1, NULL), WASMRT_ERROR_LIMIT);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 2 * 65536);
  wasm_memory_delete(memory);
  // More than there is.
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, WASMRT_UNLIMITED));
  type = wasmrt_memorytype_new(UINT64_C(1) << 47, WASMRT_UNLIMITED, true, false, 65536);
  CHECK_FAILS_WITH(!wasm_memory_new(fixture.store, type), WASMRT_ERROR_LIMIT);
  wasm_memorytype_delete(type);
  wasm_tabletype_t* elements = wasmrt_tabletype_new(wasm_valtype_new(WASM_EXTERNREF),
                                                    UINT64_C(1) << 40, WASMRT_UNLIMITED, true);
  CHECK_FAILS_WITH(!wasm_table_new(fixture.store, elements, NULL), WASMRT_ERROR_LIMIT);
  wasm_tabletype_delete(elements);
  fixture_delete(&fixture);
}

TEST(null_and_deleted) {
  uint64_t number = 77;
  CHECK_FAILS(wasmrt_memorytype_minimum(NULL) == 0);
  CHECK_FAILS(wasmrt_memorytype_maximum(NULL) == 0);
  CHECK_FAILS(!wasmrt_memorytype_is_64(NULL));
  CHECK_FAILS(!wasmrt_memorytype_is_shared(NULL));
  CHECK_FAILS(wasmrt_memorytype_page_size(NULL) == 0);
  CHECK_FAILS(!wasmrt_memory_size(NULL, &number));
  CHECK_FAILS(!wasmrt_memory_grow(NULL, 1, &number));
  CHECK_FAILS(wasmrt_tabletype_minimum(NULL) == 0);
  CHECK_FAILS(wasmrt_tabletype_maximum(NULL) == 0);
  CHECK_FAILS(!wasmrt_tabletype_is_64(NULL));
  CHECK_FAILS(!wasmrt_table_size(NULL, &number));
  CHECK_FAILS(!wasmrt_table_get(NULL, 0));
  CHECK_FAILS(!wasmrt_table_set(NULL, 0, NULL));
  CHECK_FAILS(!wasmrt_table_grow(NULL, 1, NULL, &number));
  CHECK_INT(number, 77);
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, memorytype(1, 1));
  wasm_table_t* table = new_table(fixture.store, tabletype(WASM_FUNCREF, 1, 1), NULL);
  CHECK_FAILS(!wasmrt_memory_size(memory, NULL));
  CHECK_FAILS(!wasmrt_table_size(table, NULL));
  // Another kind of object, and one that is gone.
  CHECK_FAILS(!wasmrt_table_size((const wasm_table_t*)memory, &number));
  wasm_memory_delete(memory);
  CHECK_FAILS(!wasmrt_memory_grow(memory, 0, &number));
  CHECK_INT(number, 77);
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

TEST(linker_defaults) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"a\" \"m\" (memory i64 2)) (import \"a\" \"t\" (table i64 3 funcref))"
      "  (func (export \"m\") (result i32) (i32.wrap_i64 (memory.size)))"
      "  (func (export \"t\") (result i32) (i32.wrap_i64 (table.size 0))))");
  wasmrt_linker_t* linker = wasmrt_linker_new(fixture.store);
  REQUIRE(linker);
  CHECK(wasmrt_linker_set_unknown(linker, WASMRT_UNKNOWN_IMPORTS_DEFAULT));
  wasm_instance_t* instance = wasmrt_linker_instantiate(linker, module, NULL);
  REQUIRE(instance);
  for (size_t i = 0; i < 2; i++) {
    wasm_extern_t* func = wasmrt_instance_export_at(instance, i);
    CHECK_INT(call_i32(wasm_extern_as_func(func)), (int)i + 2);
    wasm_extern_delete(func);
  }
  wasm_instance_delete(instance);
  wasmrt_linker_delete(linker);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
