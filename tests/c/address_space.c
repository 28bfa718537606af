// The process runs out of address space: an object that cannot be reserved gives an error with a
// message, and when there is room again, everything works.
#define _GNU_SOURCE // MAP_ANONYMOUS
#include "configured.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static struct rlimit unlimited;

// What the process has mapped, and how much of that it may write to.
static size_t mapped_bytes(size_t* data) {
  FILE* file = fopen("/proc/self/statm", "r");
  REQUIRE(file);
  size_t pages = 0;
  int fields = fscanf(file, "%zu %*u %*u %*u %*u %zu", &pages, data);
  fclose(file);
  REQUIRE(fields == 2);
  *data *= (size_t)sysconf(_SC_PAGESIZE);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

// How much the process may map in addition to what it has.
static void leave_room(size_t bytes) {
  size_t data;
  REQUIRE(getrlimit(RLIMIT_AS, &unlimited) == 0);
  struct rlimit limit = {mapped_bytes(&data) + bytes, unlimited.rlim_max};
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
}

static void leave_all_room(void) {
  REQUIRE(setrlimit(RLIMIT_AS, &unlimited) == 0);
}

enum { ROOM = 512 << 20, TOO_MANY_PAGES = 32768 }; // the pages are 2 GiB

static const char with_memory[] =
    "(module (memory (export \"memory\") 1) (func (export \"f\") (result i32) (i32.const 7)))";
static const char with_large_memory[] = "(module (memory 32768))";

// NULL if it fails; then there is a trap with a message.
static wasm_instance_t* try_instantiate(const fixture_t* fixture, const wasm_module_t* module) {
  wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  wasm_trap_t* trap = NULL;
  wasmrt_last_error_clear();
  wasm_instance_t* instance = wasm_instance_new(fixture->store, module, &imports, &trap);
  CHECK((instance == NULL) == (trap != NULL));
  if (!instance) {
    check_error_left(__FILE__, __LINE__, "wasm_instance_new");
    CHECK_TRAP_CONTAINS(trap, "memory");
  }
  return instance;
}

TEST(memories_without_room) {
  fixture_t fixture = fixture_from_wat(with_memory);
  wasm_module_t* small = module_from_wat(fixture.store, with_memory);
  wasm_module_t* large = module_from_wat(fixture.store, with_large_memory);
  wasm_memorytype_t* small_type = memorytype(1, 2);
  wasm_memorytype_t* large_type = memorytype(TOO_MANY_PAGES, TOO_MANY_PAGES);

  leave_room(ROOM);
  CHECK_FAILS(wasm_memory_new(fixture.store, large_type) == NULL);
  CHECK_NULL(try_instantiate(&fixture, large));
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 7);
  // wasmtime reserves gigabytes for the smallest memory.
  wasmrt_last_error_clear();
  wasm_memory_t* memory = wasm_memory_new(fixture.store, small_type);
  if (!memory) check_error_left(__FILE__, __LINE__, "wasm_memory_new");
  CHECK(memory || backend_is(fixture.engine, "wasmtime"));
  wasm_instance_t* instance = try_instantiate(&fixture, small);
  CHECK(instance || backend_is(fixture.engine, "wasmtime"));
  wasm_memory_delete(memory);
  wasm_instance_delete(instance);
  leave_all_room();

  memory = wasm_memory_new(fixture.store, small_type);
  CHECK(memory != NULL);
  wasm_memory_delete(memory);
  instance = try_instantiate(&fixture, small);
  CHECK(instance != NULL);
  wasm_instance_delete(instance);
  wasm_memorytype_delete(small_type);
  wasm_memorytype_delete(large_type);
  wasm_module_delete(small);
  wasm_module_delete(large);
  fixture_delete(&fixture);
}

// The address space was reserved when the memory was made; growing uses the reservation.
TEST(growing_without_room) {
  fixture_t fixture = fixture_from_wat(with_memory);
  wasm_memory_t* memory = fixture_memory(&fixture, 0);
  leave_room(ROOM);
  wasm_memory_pages_t pages = 2 * ROOM / MEMORY_PAGE_SIZE;
  CHECK(wasm_memory_grow(memory, pages));
  CHECK_INT(wasm_memory_size(memory), pages + 1);
  leave_all_room();
  CHECK(wasm_memory_grow(memory, 1));
  wasm_memory_data(memory)[65536] = 'x';
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 7);
  fixture_delete(&fixture);
}

TEST(engines_and_stores_with_little_room) {
  leave_room(ROOM);
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (result i32) (i32.const 7)))");
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 7);
  fixture_delete(&fixture);
  leave_all_room();
}

// A guest's table cannot grow: -1, and nothing is counted. The same for the host's table, and an
// instance's.
TEST(tables_without_room) {
  fixture_t fixture = fixture_from_wat(
      "(module (table 1 externref) (table 1 funcref)"
      "  (func (export \"0\") (result i32)"
      "    (table.grow 0 (ref.null extern) (i32.const 9999999)))"
      "  (func (export \"1\") (result i32) (table.grow 1 (ref.null func) (i32.const 9999999)))"
      "  (func (export \"one\") (result i32) (table.grow 1 (ref.null func) (i32.const 1))))");
  wasm_module_t* large = module_from_wat(fixture.store, "(module (table 10000000 funcref))");
  wasm_tabletype_t* large_type = tabletype(WASM_FUNCREF, 10000000, 10000000);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS), 2);
  leave_room(16 << 20);
  for (int round = 0; round < 3; round++) {
    CHECK_INT(call_i32(fixture_func(&fixture, 0)), -1);
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), -1);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS), 2);
    CHECK_FAILS(wasm_table_new(fixture.store, large_type, NULL) == NULL);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    wasm_extern_vec_t imports = WASM_EMPTY_VEC;
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, large, &imports, &trap) == NULL);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    wasm_trap_delete(trap);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS), 2);
  }
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 1);
  leave_all_room();
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 1);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS), 10000002);
  wasm_tabletype_delete(large_type);
  wasm_module_delete(large);
  fixture_delete(&fixture);
}

// The same for a guest's memory with only the 2 GiB reserved into which wasmtime lets it grow. wasmi
// reserves all or, where address space is limited, nothing.
TEST(a_memory_that_finds_no_room_to_grow) {
  wasm_config_t* config = wasm_config_new();
  wasm_engine_t* engine = wasm_engine_new();
  bool reserves = backend_is(engine, "wasmtime");
  if (reserves) CHECK(wasmrt_config_set_memory_reservation(config, 0));
  wasm_engine_delete(engine);
  fixture_t fixture = fixture_from_config(config);
  if (!reserves) leave_room(ROOM);
  fixture_load(&fixture,
               "(module (memory 1 60000)"
               "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))",
               NULL, 0);
  if (reserves) leave_room(ROOM);
  for (int round = 0; round < 3; round++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 49152), -1);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 65536);
  }
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 1), 1);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 2 * 65536);
  leave_all_room();
  fixture_delete(&fixture);
}

// Address space that a memory has reserved is no memory: the system may refuse that.
TEST(a_memory_that_the_system_refuses_to_grow) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory 1) (memory 1)"
      "  (func (export \"grow\") (param i32) (result i32) (memory.grow 1 (local.get 0))))");
  struct rlimit before;
  REQUIRE(getrlimit(RLIMIT_DATA, &before) == 0);
  struct rlimit limit = {1 << 30, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
  for (int round = 0; round < 3; round++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 49152), -1);
    CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 2 * 65536);
  }
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 1), 1);
  REQUIRE(setrlimit(RLIMIT_DATA, &before) == 0);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 3 * 65536);
  fixture_delete(&fixture);
}

// How many bytes more the process may write to. Returns the limit that was there before.
static struct rlimit leave_data(size_t bytes) {
  struct rlimit before;
  REQUIRE(getrlimit(RLIMIT_DATA, &before) == 0);
  size_t data;
  mapped_bytes(&data);
  struct rlimit limit = {data + bytes, before.rlim_max};
  REQUIRE(setrlimit(RLIMIT_DATA, &limit) == 0);
  return before;
}

// Memories that the system refuses leave nothing behind, however many they are.
TEST(memories_that_the_system_refuses_to_make) {
  fixture_t fixture = fixture_from_wat(with_memory);
  wasm_store_t* store = wasm_store_new(fixture.engine);
  wasm_module_t* module = module_from_wat(store, with_large_memory);
  wasm_memorytype_t* small_type = memorytype(1, 2);
  wasm_memorytype_t* large_type = memorytype(TOO_MANY_PAGES, TOO_MANY_PAGES);
  size_t before_data, after_data;
  size_t before = mapped_bytes(&before_data);
  struct rlimit unlimited_data = leave_data(1 << 30);
  for (int round = 0; round < 20; round++) {
    CHECK_FAILS(wasm_memory_new(store, large_type) == NULL);
    CHECK_FAILS(wasm_instance_new(store, module, NULL, NULL) == NULL);
    CHECK_INT(usage_of(store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 0);
  }
  REQUIRE(setrlimit(RLIMIT_DATA, &unlimited_data) == 0);
  wasm_memory_t* memory = wasm_memory_new(store, small_type);
  CHECK(memory != NULL);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(small_type);
  wasm_memorytype_delete(large_type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  // wasmtime reserves 4 GiB for a memory, and may keep them for the next.
  CHECK(mapped_bytes(&after_data) < before + ((size_t)5 << 30));
  CHECK(after_data < before_data + (64 << 20));
  fixture_delete(&fixture);
}

// Of many memories, one that grows takes not much more than it grows by.
TEST(one_of_many_memories_grows) {
  enum { COUNT = 100, PAGES_MORE = 256 }; // they are 16 MiB, which may take 512
  fixture_t fixture = fixture_from_wat(with_memory);
  wasm_memorytype_t* type = memorytype(1, 65536);
  wasm_memory_t* memories[COUNT];
  for (int i = 0; i < COUNT; i++) REQUIRE(memories[i] = wasm_memory_new(fixture.store, type));
  struct rlimit before = leave_data(ROOM);
  for (int i = 0; i < COUNT; i += COUNT - 1) {
    CHECK(wasm_memory_grow(memories[i], PAGES_MORE));
    byte_t* data = wasm_memory_data(memories[i]);
    CHECK_INT(data[PAGES_MORE * MEMORY_PAGE_SIZE], 0);
    data[PAGES_MORE * MEMORY_PAGE_SIZE] = 1;
    CHECK_INT(wasm_memory_size(memories[i]), PAGES_MORE + 1);
  }
  REQUIRE(setrlimit(RLIMIT_DATA, &before) == 0);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES),
            (COUNT + 1 + 2 * PAGES_MORE) * MEMORY_PAGE_SIZE);
  for (int i = 0; i < COUNT; i++) {
    CHECK_INT(wasm_memory_data(memories[i])[MEMORY_PAGE_SIZE - 1], 0);
    wasm_memory_delete(memories[i]);
  }
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

// What a limit of the store forbids is not begun. A memory of 4 GiB has a million pages.
TEST(a_memory_beyond_a_limit_touches_nothing) {
  fixture_t fixture = fixture_from_wat(with_memory);
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 1 << 20));
  wasm_memorytype_t* type = memorytype(65536, 65536);
  wasm_module_t* module = module_from_wat(fixture.store, "(module (memory 65536))");
  struct rusage before, after;
  REQUIRE(getrusage(RUSAGE_SELF, &before) == 0);
  for (int round = 0; round < 3; round++) {
    CHECK_FAILS(wasm_memory_new(fixture.store, type) == NULL);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL);
  }
  REQUIRE(getrusage(RUSAGE_SELF, &after) == 0);
  CHECK(after.ru_minflt - before.ru_minflt < 10000);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 65536);
  wasm_memorytype_delete(type);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

static size_t most_mappings(void) {
  FILE* file = fopen("/proc/sys/vm/max_map_count", "r");
  if (!file) return 0;
  size_t most = 0;
  REQUIRE(fscanf(file, "%zu", &most) == 1);
  fclose(file);
  return most;
}

// All but a few of the mappings that a process may have are in use: what is made is whole, or there
// is an error.
TEST(memories_with_few_mappings) {
  enum { PAGES = 800 }; // 25 page tables
  size_t most = most_mappings(), page = (size_t)sysconf(_SC_PAGESIZE);
  if (most == 0 || most > 100000 || under_valgrind()) return;
  fixture_t fixture = fixture_from_wat(with_memory);
  wasm_memorytype_t* type = memorytype(PAGES, 2 * PAGES);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  REQUIRE(memory);
  wasm_memory_delete(memory);
  byte_t* all = mmap(NULL, most * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(all != MAP_FAILED);
  size_t count = 1; // every second page is a mapping of its own
  while (count + 1 < most && mprotect(all + count * page, page, PROT_READ) == 0) count += 2;
  REQUIRE(count + 1 < most);
  int made = 0;
  for (int few = 0; few < 24; few++) {
    wasm_store_t* store = wasm_store_new(fixture.engine);
    REQUIRE(store);
    wasmrt_last_error_clear();
    memory = wasm_memory_new(store, type);
    if (memory) {
      made++;
      const byte_t* data = wasm_memory_data(memory);
      size_t others = 0;
      for (size_t at = 0; at < PAGES * MEMORY_PAGE_SIZE; at += 509) others += data[at] != 0;
      CHECK_INT(others, 0);
      memset(wasm_memory_data(memory), 0x5a, PAGES * MEMORY_PAGE_SIZE);
      if (wasm_memory_grow(memory, PAGES))
        CHECK_INT(wasm_memory_data(memory)[2 * PAGES * MEMORY_PAGE_SIZE - 1], 0);
    } else {
      check_error_left(__FILE__, __LINE__, "wasm_memory_new");
    }
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), 7);
    wasm_memory_delete(memory);
    wasm_store_delete(store);
    // Two more.
    REQUIRE(mprotect(all + (count -= 2) * page, page, PROT_NONE) == 0);
  }
  REQUIRE(munmap(all, most * page) == 0);
  CHECK(made > 0);
  memory = wasm_memory_new(fixture.store, type);
  CHECK(memory != NULL);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}
