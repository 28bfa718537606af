// Linear memories.
#include "test.h"

#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

static const uint32_t unlimited = 0xffffffff;

static wasm_memory_t* new_memory(wasm_store_t* store, uint32_t min, uint32_t max) {
  wasm_memorytype_t* type = memorytype(min, max);
  REQUIRE(type);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  return memory;
}

TEST(memory_new) {
  fixture_t fixture = fixture_new();
  CHECK_INT(MEMORY_PAGE_SIZE, 65536);
  wasm_memory_t* memory = new_memory(fixture.store, 2, 5);
  REQUIRE(memory);
  CHECK_INT(wasm_memory_size(memory), 2);
  CHECK_INT(wasm_memory_data_size(memory), 2 * MEMORY_PAGE_SIZE);
  byte_t* data = wasm_memory_data(memory);
  REQUIRE(data);
  size_t zeros = 0;
  for (size_t i = 0; i < 2 * MEMORY_PAGE_SIZE; i++) zeros += data[i] == 0;
  CHECK_INT(zeros, 2 * MEMORY_PAGE_SIZE);
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

TEST(memory_type_has_the_current_size_as_minimum) {
  fixture_t fixture = fixture_from_wat("(module (memory (export \"m\") 1 4))");
  wasm_memory_t* memories[2] = {wasm_memory_copy(fixture_memory(&fixture, 0)),
                                new_memory(fixture.store, 1, 4)};
  for (size_t i = 0; i < 2; i++) {
    for (uint32_t size = 1; size <= 4; size++) {
      wasm_memorytype_t* type = wasm_memory_type(memories[i]);
      REQUIRE(type);
      CHECK_INT(wasm_memorytype_limits(type)->min, size);
      CHECK_INT(wasm_memorytype_limits(type)->max, 4);
      wasm_memorytype_delete(type);
      wasm_externtype_t* external = wasm_extern_type(wasm_memory_as_extern(memories[i]));
      CHECK_INT(wasm_memorytype_limits(wasm_externtype_as_memorytype(external))->min, size);
      wasm_externtype_delete(external);
      CHECK_INT(wasm_memory_grow(memories[i], 1), size < 4);
    }
    wasm_memory_delete(memories[i]);
  }
  wasm_memory_t* open = new_memory(fixture.store, 0, unlimited);
  wasm_memorytype_t* type = wasm_memory_type(open);
  CHECK_INT(wasm_memorytype_limits(type)->min, 0);
  CHECK_INT(wasm_memorytype_limits(type)->max, unlimited);
  wasm_memorytype_delete(type);
  wasm_memory_delete(open);
  fixture_delete(&fixture);
}

TEST(memory_grow) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, 1, 10);
  wasm_memory_data(memory)[MEMORY_PAGE_SIZE - 1] = 'x';
  CHECK(wasm_memory_grow(memory, 0));
  CHECK(wasm_memory_grow(memory, 9));
  CHECK_INT(wasm_memory_size(memory), 10);
  CHECK_INT(wasm_memory_data_size(memory), 10 * MEMORY_PAGE_SIZE);
  CHECK_INT(wasm_memory_data(memory)[MEMORY_PAGE_SIZE - 1], 'x');
  CHECK_INT(wasm_memory_data(memory)[10 * MEMORY_PAGE_SIZE - 1], 0);
  CHECK_FAILS(!wasm_memory_grow(memory, 1));
  CHECK_FAILS(!wasm_memory_grow(memory, 65536));
  CHECK_FAILS(!wasm_memory_grow(memory, 0xffffffff));
  CHECK_INT(wasm_memory_size(memory), 10);
  wasm_memory_delete(memory);
  memory = new_memory(fixture.store, 1, unlimited);
  CHECK_FAILS(!wasm_memory_grow(memory, 65536));
  CHECK_FAILS(!wasm_memory_grow(memory, 0xffffffff));
  CHECK_INT(wasm_memory_size(memory), 1);
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

// The largest possible 32-bit memory; where it cannot be allocated, there is an error.
TEST(memory_of_all_pages) {
  fixture_t fixture = fixture_new();
  // Valgrind keeps count of every byte: four gigabytes of real memory.
  if (under_valgrind()) {
    fixture_delete(&fixture);
    return;
  }
  wasmrt_last_error_clear();
  wasm_memory_t* memory = new_memory(fixture.store, 65536, 65536);
  if (memory) {
    CHECK_INT(wasm_memory_size(memory), 65536);
    CHECK_INT(wasm_memory_data_size(memory), 65536 * MEMORY_PAGE_SIZE);
    wasm_memory_data(memory)[65536 * MEMORY_PAGE_SIZE - 1] = 1;
    CHECK_FAILS(!wasm_memory_grow(memory, 1));
  } else {
    CHECK(wasmrt_last_error_message() != NULL);
  }
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

TEST(memory_of_no_pages) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, 0, 1);
  CHECK_INT(wasm_memory_size(memory), 0);
  CHECK_INT(wasm_memory_data_size(memory), 0);
  CHECK(wasm_memory_grow(memory, 1));
  REQUIRE(wasm_memory_data(memory));
  wasm_memory_data(memory)[0] = 1;
  wasm_memory_delete(memory);
  memory = new_memory(fixture.store, 0, 0);
  CHECK_FAILS(!wasm_memory_grow(memory, 1));
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

TEST(memory_seen_from_both_sides) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, 1, 3);
  wasm_extern_t* imports[1] = {wasm_memory_as_extern(memory)};
  fixture_load(&fixture,
               "(module (import \"\" \"m\" (memory 1 3))"
               "  (data (i32.const 10) \"hello\")"
               "  (func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
               "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
               "  (func (export \"size\") (param i32) (result i32) (memory.size))"
               "  (func (export \"store\") (param i32)"
               "    (i32.store8 (local.get 0) (i32.const 42)))"
               "  (export \"again\" (memory 0)))",
               imports, 1);
  CHECK(memcmp(wasm_memory_data(memory) + 10, "hello", 5) == 0);
  wasm_memory_data(memory)[11] = 'u';
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 11), 'u');
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 1), 1);
  CHECK_INT(wasm_memory_size(memory), 2);
  wasm_val_t address = I32((int32_t)(2 * MEMORY_PAGE_SIZE - 1)), result;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 3), &address, 1, NULL, 0));
  CHECK_INT(wasm_memory_data(memory)[2 * MEMORY_PAGE_SIZE - 1], 42);
  CHECK(wasm_memory_grow(memory, 1));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 0), 3);
  wasm_memory_data(memory)[3 * MEMORY_PAGE_SIZE - 1] = 5;
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), (int32_t)(3 * MEMORY_PAGE_SIZE - 1)), 5);
  address = I32((int32_t)(3 * MEMORY_PAGE_SIZE));
  CHECK_TRAP(call(fixture_func(&fixture, 0), &address, 1, &result, 1),
             "out of bounds memory access");
  CHECK(wasm_memory_same(memory, fixture_memory(&fixture, 4)));
  CHECK_PTR(wasm_memory_data(memory), wasm_memory_data(fixture_memory(&fixture, 4)));
  fixture_delete(&fixture);
  CHECK(memcmp(wasm_memory_data(memory) + 10, "hullo", 5) == 0);
  wasm_memory_delete(memory);
}

TEST(memory_copy_is_the_same_memory) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, 1, 2);
  wasm_memory_t* other = new_memory(fixture.store, 1, 2);
  wasm_memory_t* copy = wasm_memory_copy(memory);
  CHECK(wasm_memory_same(memory, copy));
  CHECK(!wasm_memory_same(memory, other));
  wasm_memory_data(memory)[0] = 'm';
  wasm_memory_delete(memory);
  CHECK_INT(wasm_memory_data(copy)[0], 'm');
  CHECK_INT(wasm_memory_data(other)[0], 0);
  wasm_memory_delete(copy);
  wasm_memory_delete(other);
  fixture_delete(&fixture);
}

TEST(memory_of_64_bit_addresses) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(
      fixture.store,
      "(module (memory (export \"m\") i64 1 4)"
      "  (func (export \"f\") (param i64) (i32.store8 (local.get 0) (i32.const 9))))");
  if (module) {
    wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_memory_t* memory = wasm_extern_as_memory(exports.data[0]);
    wasm_val_t address = I64(100);
    CHECK_NO_TRAP(call(wasm_extern_as_func(exports.data[1]), &address, 1, NULL, 0));
    CHECK_INT(wasm_memory_data(memory)[100], 9);
    CHECK(wasm_memory_grow(memory, 1));
    CHECK_FAILS(!wasm_memory_grow(memory, 3));
    CHECK_INT(wasm_memory_size(memory), 2);
    wasm_memorytype_t* type = wasm_memory_type(memory);
    REQUIRE(type);
    CHECK_INT(wasm_memorytype_limits(type)->min, 2);
    CHECK_INT(wasm_memorytype_limits(type)->max, 4);
    wasm_memorytype_delete(type);
    address = I64(INT64_MIN);
    CHECK_TRAP(call(wasm_extern_as_func(exports.data[1]), &address, 1, NULL, 0),
               "out of bounds memory access");
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

TEST(memory_as_ref) {
  fixture_t fixture = fixture_new();
  wasm_memory_t* memory = new_memory(fixture.store, 1, 4);
  wasm_ref_t* ref = wasm_memory_as_ref(memory);
  CHECK_PTR(wasm_ref_as_memory(ref), memory);
  CHECK_PTR(wasm_memory_as_ref_const(memory), ref);
  CHECK_PTR(wasm_ref_as_memory_const(ref), memory);
  CHECK_NULL(wasm_ref_as_table(ref));
  CHECK_NULL(wasm_ref_as_func(ref));
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// What memories cost

static size_t resident_pages(void) {
  FILE* file = fopen("/proc/self/statm", "r");
  REQUIRE(file);
  size_t pages = 0, resident = 0;
  REQUIRE(fscanf(file, "%zu %zu", &pages, &resident) == 2);
  fclose(file);
  return resident;
}

// Where address space is limited, wasmi makes memories that are in memory as a whole, and move.
static bool is_space_limited(void) {
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_AS, &limit) == 0);
  return limit.rlim_cur != RLIM_INFINITY;
}

// A page that nothing was written to is not in memory, whoever made the memory. These are 768 MiB.
TEST(only_what_is_written_to_is_in_memory) {
  if (is_space_limited() || under_valgrind()) return; // valgrind lacks what it takes on wasmi
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store,
                                          "(module (memory 4096) (memory (export \"m\") 4096) "
                                          "(data (memory 1) (i32.const 200000000) \"x\"))");
  size_t before = resident_pages();
  wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
  wasm_memory_t* memory = new_memory(fixture.store, 4096, unlimited);
  REQUIRE(memory);
  CHECK_INT(wasm_memory_data_size(memory), 4096 * MEMORY_PAGE_SIZE);
  CHECK((resident_pages() - before) * (size_t)sysconf(_SC_PAGESIZE) < (64 << 20));
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  const byte_t* data = wasm_memory_data(wasm_extern_as_memory(exports.data[0]));
  CHECK_INT(data[200000000], 'x');
  CHECK_INT(data[199999999], 0);
  wasm_extern_vec_delete(&exports);
  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// A memory grows where it is.
TEST(data_do_not_move) {
  if (is_space_limited()) return;
  fixture_t fixture = fixture_from_wat("(module (memory (export \"m\") 1 300) (memory 1))");
  wasm_memory_t* memory = fixture_memory(&fixture, 0);
  byte_t* data = wasm_memory_data(memory);
  data[7] = 9;
  for (int i = 0; i < 10; i++) {
    CHECK(wasm_memory_grow(memory, 29));
    CHECK(wasm_memory_data(memory) == data);
  }
  CHECK_INT(data[7], 9);
  CHECK_INT(data[291 * MEMORY_PAGE_SIZE - 1], 0);
  fixture_delete(&fixture);
}

// No memory shows what was in one before.
TEST(every_memory_begins_with_zeros) {
  static const uint32_t sizes[] = {1, 2, 16, 40, 400};
  for (int round = 0; round < 12; round++) {
    fixture_t fixture = fixture_from_wat("(module (memory (export \"m\") 3 500))");
    wasm_memory_t* memories[6] = {wasm_memory_copy(fixture_memory(&fixture, 0))};
    for (size_t i = 1; i < 6; i++)
      REQUIRE(memories[i] = new_memory(fixture.store, sizes[(i + (size_t)round) % 5], 500));
    for (size_t i = 0; i < 6; i++) {
      for (int grown = 0; grown < 2; grown++) {
        byte_t* data = wasm_memory_data(memories[i]);
        size_t size = wasm_memory_data_size(memories[i]), others = 0;
        size_t from = grown ? size - 5 * MEMORY_PAGE_SIZE : 0;
        for (size_t at = from; at < size; at += 61) others += data[at] != 0;
        CHECK_INT(others, 0);
        memset(data, 0x5a, size);
        if (!grown) CHECK(wasm_memory_grow(memories[i], 5));
      }
      wasm_memory_delete(memories[i]);
    }
    fixture_delete(&fixture);
  }
}
