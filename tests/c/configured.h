// For the tests of wasmrt.h: fixtures of a configured engine, and checks of codes and kinds.
#ifndef WASMRT_TEST_CONFIGURED_H
#define WASMRT_TEST_CONFIGURED_H

#include "test.h"

#include <time.h>

// Options that are on or off: wasmrt_config_set_fuel, wasmrt_config_set_interruption and others.
typedef bool (*config_switch_t)(wasm_config_t* config, bool enabled);

static inline wasm_config_t* config_with(config_switch_t first, config_switch_t second) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  if (first) REQUIRE(first(config, true));
  if (second) REQUIRE(second(config, true));
  return config;
}

// A pool of so much of everything; 0 for what the engine has by default.
static inline bool set_pool(wasm_config_t* config, uint64_t instances, uint64_t memories,
                            uint64_t tables, uint64_t memory_bytes, uint64_t table_elements) {
  return wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_INSTANCES, instances) &&
         wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_MEMORIES, memories) &&
         wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_TABLES, tables) &&
         wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_MEMORY_BYTES, memory_bytes) &&
         wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_TABLE_ELEMENTS, table_elements);
}

// Takes ownership of the configuration.
static inline fixture_t fixture_from_config(wasm_config_t* config) {
  fixture_t fixture = {NULL, NULL, NULL, NULL, WASM_EMPTY_VEC};
  fixture.engine = wasm_engine_new_with_config(config);
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  REQUIRE(fixture.store);
  return fixture;
}

static inline fixture_t fixture_with(config_switch_t first, config_switch_t second,
                                     const char* wat) {
  fixture_t fixture = fixture_from_config(config_with(first, second));
  if (wat) fixture_load(&fixture, wat, NULL, 0);
  return fixture;
}

// The module of a fixture that has none yet, with one host function for its only import.
static inline void fixture_load_with_host(fixture_t* fixture, const char* wat,
                                          wasm_func_callback_with_env_t callback, void* env) {
  wasm_func_t* host = host_func(fixture->store, "", "", callback, env);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(fixture, wat, imports, 1);
  wasm_func_delete(host);
}

// The fuel that a store has left.
static inline uint64_t fuel_of(const wasm_store_t* store) {
  uint64_t fuel;
  GARBAGE(fuel);
  CHECK(wasmrt_store_fuel(store, &fuel));
  return fuel;
}

// Times are in nanoseconds.
static inline uint64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static inline void sleep_for(uint64_t nanoseconds) {
  struct timespec time = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
  nanosleep(&time, NULL);
}

// For a thread: triggers an interrupt when the guest has had the time to begin what it stops.
enum { SOON = 30 * 1000000 };

static inline void* trigger_soon(void* interrupt) {
  sleep_for(SOON);
  wasmrt_interrupt_trigger(interrupt);
  return NULL;
}

// Takes ownership of the trap.
static inline bool check_trap_code(wasm_trap_t* trap, wasmrt_trap_code_t code, const char* file,
                                   int line, const char* what) {
  if (!check_report(trap != NULL, file, line, what)) {
    fprintf(stderr, "    expected a trap with code %" PRIu32 ", there is none\n", code);
    return false;
  }
  bool passed = check_integers(wasmrt_trap_code(trap), code, file, line, what);
  check_report(wasmrt_trap_code_name(code) != NULL, file, line, "the code has a name");
  wasmrt_error_kind_t kind = wasmrt_trap_error_kind(trap);
  if (code == WASMRT_TRAP_ERROR) {
    check_report(kind != WASMRT_ERROR_NONE && kind != WASMRT_ERROR_TRAP, file, line, what);
  } else {
    bool limit = code == WASMRT_TRAP_MEMORY_LIMIT || code == WASMRT_TRAP_TABLE_LIMIT;
    check_integers(kind, limit ? WASMRT_ERROR_LIMIT : WASMRT_ERROR_TRAP, file, line, what);
  }
  if (!passed) print_trap(trap);
  wasm_trap_delete(trap);
  return passed;
}

#define CHECK_TRAP_CODE(trap, code) check_trap_code((trap), (code), __FILE__, __LINE__, #trap)

// A call that fails and leaves a last error of a certain kind.
#define CHECK_FAILS_WITH(condition, kind)      \
  do {                                         \
    CHECK_FAILS(condition);                    \
    CHECK_INT(wasmrt_last_error_kind(), kind); \
  } while (0)

#endif
