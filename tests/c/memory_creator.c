// Memories that the host provides.
#define _GNU_SOURCE
#include "configured.h"

#include <sys/mman.h>

typedef struct host_t {
  atomic_size_t made, grown, freed, bytes, finalized;
  size_t most; // of one memory
  bool misaligned, none;
} host_t;

static void* reserve(void* env, size_t size, size_t reserved, size_t guard) {
  host_t* host = env;
  CHECK(size <= reserved && reserved % 4096 == 0 && guard % 4096 == 0);
  if (host->none || size > host->most) return NULL;
  char* memory = mmap(NULL, reserved + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return NULL;
  if (size) CHECK(mprotect(memory, size, PROT_READ | PROT_WRITE) == 0);
  host->made++;
  host->bytes += size;
  return host->misaligned ? memory + 1 : memory;
}

static void* grow(void* env, void* memory, size_t size, size_t new_size, size_t reserved,
                  size_t guard) {
  host_t* host = env;
  CHECK(new_size > size);
  if (new_size > host->most) return NULL;
  if (new_size <= reserved) {
    CHECK(mprotect(memory, new_size, PROT_READ | PROT_WRITE) == 0);
  } else {
    char* moved = mmap(NULL, new_size + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (moved == MAP_FAILED) return NULL;
    CHECK(mprotect(moved, new_size, PROT_READ | PROT_WRITE) == 0);
    memcpy(moved, memory, size);
    munmap(memory, reserved + guard);
    memory = moved;
  }
  host->grown++;
  host->bytes += new_size - size;
  return memory;
}

static void release(void* env, void* memory, size_t size, size_t reserved, size_t guard) {
  host_t* host = env;
  host->freed++;
  host->bytes -= size;
  munmap((char*)memory - host->misaligned, reserved + guard);
}

static void end(void* env) {
  ((host_t*)env)->finalized++;
}

static const wasmrt_memory_creator_t creator = {reserve, grow, release};

// NULL on an engine that cannot take memories of the host; this is checked.
static wasm_engine_t* engine_with(host_t* host, uint64_t reservation) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_memory_creator(config, &creator, host, end));
  if (reservation &&
      wasmrt_backend_supports(wasmrt_backend_name(0), WASMRT_SETTING_MEMORY_RESERVATION))
    CHECK(wasmrt_config_set_memory_reservation(config, reservation));
  wasmrt_last_error_clear();
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) {
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    CHECK_INT(host->finalized, 1);
  }
  return engine;
}

static const char* const text =
    "(module (memory (export \"memory\") 2 100) (data (i32.const 65530) \"across\")"
    "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "  (func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
    "  (func (export \"store\") (param i32) (result i32)"
    "    (i32.store8 (local.get 0) (i32.const 7)) (i32.load8_u (local.get 0))))";

static void use_memories(uint64_t reservation) {
  host_t host = {.most = 5 << 16};
  wasm_engine_t* engine = engine_with(&host, reservation);
  if (!engine) return;
  size_t tried = host.made; // when the engine was tried
  CHECK_INT(host.freed, tried);
  fixture_t fixture = {.engine = engine, .store = wasm_store_new(engine)};
  fixture_load(&fixture, text, NULL, 0);
  CHECK_INT(host.made, tried + 1);
  CHECK_INT(host.bytes, 2 << 16);
  wasm_memory_t* memory = wasm_extern_as_memory(fixture.exports.data[0]);
  CHECK(memcmp(wasm_memory_data(memory) + 65530, "across", 6) == 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), 65531), 'c');
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 1), 2);
  CHECK_INT(wasm_memory_size(memory), 3);
  CHECK(memcmp(wasm_memory_data(memory) + 65530, "across", 6) == 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), (3 << 16) - 1), 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 3), (3 << 16) - 1), 7);
  // The host refuses, and the memory is as before.
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 10), -1);
  CHECK_INT(wasm_memory_size(memory), 3);
  CHECK(!wasm_memory_grow(memory, 10));
  CHECK(wasm_memory_grow(memory, 2));
  CHECK_INT(host.bytes, 5 << 16);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), (3 << 16) - 1), 7);
  CHECK_INT(host.grown, 2);
  // Beyond the memory, an access traps as ever.
  wasm_val_t beyond = WASM_I32_VAL(5 << 16), result = WASM_INIT_VAL;
  wasm_val_vec_t arguments = {1, &beyond}, results = {1, &result};
  wasm_trap_t* trap = wasm_func_call(fixture_func(&fixture, 2), &arguments, &results);
  CHECK_TRAP(trap, "out of bounds memory access");
  // A module with a memory that the host does not have room for.
  wasm_module_t* module = module_from_wat(fixture.store, "(module (memory 6))");
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasmrt_last_error_clear();
  trap = NULL;
  CHECK(!wasm_instance_new(fixture.store, module, &none, &trap));
  CHECK_TRAP_CONTAINS(trap, "the host did not reserve");
  wasm_module_delete(module);
  CHECK_INT(host.finalized, 0);
  fixture_delete(&fixture);
  CHECK_INT(host.freed, host.made);
  CHECK_INT(host.bytes, 0);
  CHECK_INT(host.finalized, 1);
}

TEST(memories_of_the_host) {
  use_memories(0);
}

// Address space for less than the memories become: they move.
TEST(memories_that_move) {
  use_memories(2 << 16);
}

TEST(addresses_that_begin_no_page) {
  host_t host = {.most = 1 << 20};
  wasm_config_t* config = wasm_config_new();
  host.misaligned = true;
  CHECK(wasmrt_config_set_memory_creator(config, &creator, &host, end));
  CHECK_FAILS_WITH(!wasm_engine_new_with_config(config), WASMRT_ERROR_UNSUPPORTED);
  CHECK_INT(host.freed, host.made);
  CHECK_INT(host.finalized, 1);
}

TEST(hosts_without_memory) {
  host_t host = {.none = true};
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_memory_creator(config, &creator, &host, end));
  CHECK_FAILS_WITH(!wasm_engine_new_with_config(config), WASMRT_ERROR_UNSUPPORTED);
  CHECK_INT(host.made, 0);
  CHECK_INT(host.finalized, 1);
}

TEST(creators_that_lack_a_function) {
  host_t host = {.most = 1 << 20};
  wasm_config_t* config = wasm_config_new();
  for (int i = 0; i < 3; ++i) {
    wasmrt_memory_creator_t lacking = creator;
    if (i == 0) lacking.reserve = NULL;
    if (i == 1) lacking.grow = NULL;
    if (i == 2) lacking.free = NULL;
    CHECK_FAILS(!wasmrt_config_set_memory_creator(config, &lacking, &host, end));
    CHECK_INT(host.finalized, i + 1);
  }
  CHECK_FAILS(!wasmrt_config_set_memory_creator(config, NULL, &host, end));
  CHECK_FAILS(!wasmrt_config_set_memory_creator(NULL, &creator, &host, end));
  CHECK_INT(host.finalized, 5);
  // Replacing one ends it.
  CHECK(wasmrt_config_set_memory_creator(config, &creator, &host, end));
  CHECK(wasmrt_config_set_memory_creator(config, &creator, &host, end));
  CHECK_INT(host.finalized, 6);
  wasm_config_delete(config);
  CHECK_INT(host.finalized, 7);
}

TEST(not_together_with_pooling) {
  host_t host = {.most = 1 << 20};
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_memory_creator(config, &creator, &host, end));
  CHECK(wasmrt_config_set_pooling(config, true));
  CHECK_FAILS_WITH(!wasm_engine_new_with_config(config), WASMRT_ERROR_UNSUPPORTED);
  CHECK_INT(host.finalized, 1);
}
