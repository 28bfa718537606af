// Memories that threads share.
#include <pthread.h>

#include "configured.h"

static bool has_threads(const wasm_engine_t* engine) {
  return wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(engine),
                                          WASMRT_PROPOSAL_THREADS);
}

static wasm_memory_t* new_shared(wasm_store_t* store, uint64_t minimum, uint64_t maximum) {
  wasm_memorytype_t* type = wasmrt_memorytype_new(minimum, maximum, false, true, 65536);
  REQUIRE(type);
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  return memory;
}

static uint64_t pages_of(const wasm_memory_t* memory) {
  uint64_t size = 77;
  CHECK(wasmrt_memory_size(memory, &size));
  return size;
}

static const char* guest_text =
    "(module (import \"\" \"\" (memory 1 4 shared))"
    "  (func (export \"add\") (param $n i32) (loop $again"
    "    (drop (i32.atomic.rmw.add (i32.const 64) (i32.const 1)))"
    "    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
    "  (func (export \"read\") (param i32) (result i32) (i32.atomic.load (local.get 0)))"
    "  (func (export \"wait\") (param i32) (result i32)"
    "    (memory.atomic.wait32 (i32.const 128) (local.get 0) (i64.const -1)))"
    "  (func (export \"wait_long\") (param i64) (result i32)"
    "    (memory.atomic.wait64 offset=8 (i32.const 128) (local.get 0) (i64.const 30000000)))"
    "  (func (export \"notify\") (param i32) (result i32)"
    "    (memory.atomic.notify (i32.const 128) (local.get 0)))"
    "  (func (export \"store\") (param i32) (i32.atomic.store (i32.const 128) (local.get 0)))"
    "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))";

enum { ADD, READ, WAIT, WAIT_LONG, NOTIFY, STORE, GROW };

// A store with a guest that uses a shared memory.
typedef struct {
  wasm_store_t* store;
  wasm_memory_t* memory;
  fixture_t fixture;
} guest_t;

static guest_t guest_of(wasm_engine_t* engine, const wasmrt_shared_memory_t* shared) {
  guest_t guest = {.store = wasm_store_new(engine)};
  REQUIRE(guest.store);
  guest.memory = wasmrt_memory_obtain(guest.store, shared);
  REQUIRE(guest.memory);
  guest.fixture.store = guest.store;
  wasm_extern_t* imports[] = {wasm_memory_as_extern(guest.memory)};
  fixture_load(&guest.fixture, guest_text, imports, 1);
  return guest;
}

static void guest_delete(guest_t* guest) {
  wasm_memory_delete(guest->memory);
  guest->fixture.engine = NULL;
  fixture_delete(&guest->fixture);
}

// An engine, and a memory apart from any store.
typedef struct {
  wasm_engine_t* engine;
  wasmrt_shared_memory_t* shared;
} world_t;

static bool world_new(world_t* world, config_switch_t option) {
  world->engine = wasm_engine_new_with_config(config_with(option, NULL));
  REQUIRE(world->engine);
  if (!has_threads(world->engine)) {
    wasm_engine_delete(world->engine);
    return false;
  }
  wasm_store_t* store = wasm_store_new(world->engine);
  wasm_memory_t* memory = new_shared(store, 1, 4);
  REQUIRE(memory);
  world->shared = wasmrt_memory_share(memory);
  REQUIRE(world->shared);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
  return true;
}

static void world_delete(world_t* world) {
  wasmrt_shared_memory_delete(world->shared);
  wasm_engine_delete(world->engine);
}

TEST(a_backend_without_threads_refuses) {
  fixture_t fixture = fixture_new();
  if (!has_threads(fixture.engine)) {
    wasm_memorytype_t* type = wasmrt_memorytype_new(0, 1, false, true, 65536);
    REQUIRE(type);
    CHECK_FAILS_WITH(!wasm_memory_new(fixture.store, type), WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), "threads");
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
    wasm_memorytype_delete(type);
    wasm_byte_vec_t binary = binary_from_wat("(module (memory 1 1 shared))");
    CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &binary), WASMRT_ERROR_COMPILE);
    wasm_byte_vec_delete(&binary);
  }
  fixture_delete(&fixture);
}

TEST(threads_that_are_off) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_THREADS, false));
  fixture_t fixture = fixture_from_config(config);
  CHECK_FAILS_WITH(!new_shared(fixture.store, 0, 1), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), "threads");
  fixture_delete(&fixture);
}

TEST(two_stores_have_the_same_bytes) {
  world_t world;
  if (!world_new(&world, NULL)) return;
  guest_t one = guest_of(world.engine, world.shared), two = guest_of(world.engine, world.shared);
  CHECK_PTR(wasm_memory_data(one.memory), wasm_memory_data(two.memory));
  CHECK_INT(wasm_memory_data_size(one.memory), 65536);
  wasm_memory_data(one.memory)[64] = 5;
  wasm_val_t thrice = WASM_I32_VAL(3);
  CHECK_NO_TRAP(call(fixture_func(&one.fixture, ADD), &thrice, 1, NULL, 0));
  CHECK_INT(call_i32_i32(fixture_func(&two.fixture, READ), 64), 8);

  // What one store grows, the other sees.
  byte_t* data = wasm_memory_data(two.memory);
  CHECK_INT(call_i32_i32(fixture_func(&one.fixture, GROW), 1), 1);
  CHECK_INT(wasm_memory_data_size(two.memory), 2 * 65536);
  CHECK_INT(pages_of(two.memory), 2);
  uint64_t former = 77;
  CHECK(wasmrt_memory_grow(two.memory, 1, &former));
  CHECK_INT(former, 2);
  CHECK_INT(pages_of(one.memory), 3);
  CHECK_INT(wasm_memory_data_size(one.memory), 3 * 65536);
  CHECK_FAILS(!wasmrt_memory_grow(two.memory, 2, NULL));
  CHECK_INT(call_i32_i32(fixture_func(&one.fixture, GROW), 2), -1);
  CHECK_PTR(wasm_memory_data(one.memory), data);
  wasm_memorytype_t* type = wasm_memory_type(one.memory);
  CHECK(wasmrt_memorytype_is_shared(type));
  CHECK_INT(wasmrt_memorytype_minimum(type), 3);
  CHECK_INT(wasmrt_memorytype_maximum(type), 4);
  wasm_memorytype_delete(type);

  // It outlives the stores and the shared form.
  guest_delete(&one);
  world_delete(&world);
  CHECK_INT(call_i32_i32(fixture_func(&two.fixture, READ), 64), 8);
  guest_delete(&two);
}

TEST(a_memory_that_a_module_defines) {
  fixture_t fixture = fixture_new();
  if (has_threads(fixture.engine)) {
    fixture_load(&fixture,
                 "(module (memory (export \"m\") 1 4 shared) (data (i32.const 64) \"\\07\"))", NULL,
                 0);
    wasm_memory_t* memory = fixture_memory(&fixture, 0);
    wasmrt_shared_memory_t* shared = wasmrt_memory_share(memory);
    REQUIRE(shared);
    guest_t guest = guest_of(fixture.engine, shared);
    CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, READ), 64), 7);
    // A memory that was obtained can be shared onward, also into the store that it is from.
    wasmrt_shared_memory_t* onward = wasmrt_memory_share(guest.memory);
    REQUIRE(onward);
    wasm_memory_t* back = wasmrt_memory_obtain(fixture.store, onward);
    REQUIRE(back);
    CHECK_PTR(wasm_memory_data(back), wasm_memory_data(memory));
    wasm_memory_delete(back);
    wasmrt_shared_memory_delete(onward);
    wasmrt_shared_memory_delete(shared);
    guest_delete(&guest);
  }
  fixture_delete(&fixture);
}

enum { THREADS = 4, ROUNDS = 20000 };

static void* hammer(void* argument) {
  world_t* world = argument;
  guest_t guest = guest_of(world->engine, world->shared);
  wasm_val_t rounds = WASM_I32_VAL(ROUNDS);
  CHECK_NO_TRAP(call(fixture_func(&guest.fixture, ADD), &rounds, 1, NULL, 0));
  uint64_t former;
  bool grown = wasmrt_memory_grow(guest.memory, 1, &former);
  CHECK(pages_of(guest.memory) >= 2);
  CHECK(wasm_memory_data_size(guest.memory) >= 2 * 65536);
  guest_delete(&guest);
  return grown ? argument : NULL;
}

TEST(threads_add_and_grow) {
  world_t world;
  if (!world_new(&world, NULL)) return;
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    REQUIRE(pthread_create(&threads[i], NULL, hammer, &world) == 0);
  size_t grown = 0;
  for (size_t i = 0; i < THREADS; i++) {
    void* answer;
    pthread_join(threads[i], &answer);
    grown += answer != NULL;
  }
  // From one page to four.
  CHECK_INT(grown, 3);
  guest_t guest = guest_of(world.engine, world.shared);
  CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, READ), 64), THREADS * ROUNDS);
  CHECK_INT(pages_of(guest.memory), 4);
  guest_delete(&guest);
  world_delete(&world);
}

typedef struct {
  world_t* world;
  int32_t answer;
} waiter_t;

static void* wait_for_change(void* argument) {
  waiter_t* waiter = argument;
  guest_t guest = guest_of(waiter->world->engine, waiter->world->shared);
  waiter->answer = call_i32_i32(fixture_func(&guest.fixture, WAIT), 0);
  guest_delete(&guest);
  return NULL;
}

// Notifies until somebody has been woken.
static void wake_one(guest_t* guest, bool by_host) {
  uint32_t woken = 0;
  while (woken == 0) {
    if (by_host) {
      CHECK(wasmrt_memory_notify(guest->memory, 128, 1, &woken));
    } else {
      woken = (uint32_t)call_i32_i32(fixture_func(&guest->fixture, NOTIFY), 1);
    }
    sched_yield();
  }
  CHECK_INT(woken, 1);
}

static void check_waiting(config_switch_t option) {
  world_t world;
  if (!world_new(&world, option)) return;
  guest_t guest = guest_of(world.engine, world.shared);
  for (int by_host = 0; by_host < 2; by_host++) {
    waiter_t waiter = {&world, -1};
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, wait_for_change, &waiter) == 0);
    wake_one(&guest, by_host);
    pthread_join(thread, NULL);
    CHECK_INT(waiter.answer, 0);
  }
  CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, NOTIFY), 1), 0);
  // Another value, and a time that is over.
  CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, WAIT), 1), 1);
  wasm_val_t expected[] = {WASM_I64_VAL(0), WASM_I64_VAL(INT64_C(1) << 40)}, answer;
  CHECK_NO_TRAP(call(fixture_func(&guest.fixture, WAIT_LONG), &expected[0], 1, &answer, 1));
  CHECK_INT(answer.of.i32, 2);
  CHECK_NO_TRAP(call(fixture_func(&guest.fixture, WAIT_LONG), &expected[1], 1, &answer, 1));
  CHECK_INT(answer.of.i32, 1);
  guest_delete(&guest);
  world_delete(&world);
}

TEST(wait_and_notify) {
  check_waiting(NULL);
}

TEST(wait_and_notify_with_interruption) {
  check_waiting(wasmrt_config_set_interruption);
}

TEST(wait_and_notify_with_fuel) {
  world_t world;
  if (!world_new(&world, wasmrt_config_set_fuel)) return;
  wasm_store_t* store = wasm_store_new(world.engine);
  CHECK(wasmrt_store_set_fuel(store, 1000));
  fixture_t fixture = {NULL, store, NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&fixture,
               "(module (memory 1 1 shared) (func (export \"\") (result i32)"
               "  (memory.fill (i32.const 0) (i32.const 1) (i32.const 64))"
               "  (memory.atomic.wait32 (i32.const 0) (i32.const 0x01010101) (i64.const 1))))",
               NULL, 0);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 2);
  fixture_delete(&fixture);
  world_delete(&world);
}

TEST(a_guest_that_waits_is_stopped_by_a_timeout) {
  world_t world;
  if (!world_new(&world, wasmrt_config_set_interruption)) return;
  guest_t guest = guest_of(world.engine, world.shared);
  wasm_val_t expected = WASM_I32_VAL(0);
  CHECK(wasmrt_store_set_call_timeout(guest.store, 30000000));
  CHECK_TRAP_CODE(call(fixture_func(&guest.fixture, WAIT), &expected, 1, NULL, 0),
                  WASMRT_TRAP_TIMEOUT);
  // The store remains usable.
  CHECK(wasmrt_store_set_call_timeout(guest.store, WASMRT_NO_TIMEOUT));
  CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, WAIT), 1), 1);
  guest_delete(&guest);
  world_delete(&world);
}

TEST(a_guest_that_waits_is_interrupted) {
  world_t world;
  if (!world_new(&world, wasmrt_config_set_interruption)) return;
  guest_t guest = guest_of(world.engine, world.shared);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(guest.store);
  REQUIRE(interrupt);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, trigger_soon, interrupt) == 0);
  wasm_val_t expected = WASM_I32_VAL(0), answer;
  CHECK_TRAP_CODE(call(fixture_func(&guest.fixture, WAIT), &expected, 1, &answer, 1),
                  WASMRT_TRAP_INTERRUPTED);
  pthread_join(thread, NULL);
  // The store remains usable.
  CHECK_INT(call_i32_i32(fixture_func(&guest.fixture, WAIT), 1), 1);
  wasmrt_interrupt_delete(interrupt);
  guest_delete(&guest);
  world_delete(&world);
}

TEST(traps) {
  fixture_t fixture = fixture_new();
  if (has_threads(fixture.engine)) {
    fixture_load(&fixture,
                 "(module (memory 1 1 shared) (memory $own 1)"
                 "  (func (export \"a\") (result i32) (i32.atomic.load (i32.const 1)))"
                 "  (func (export \"b\") (result i32) (i32.atomic.load (i32.const 65536)))"
                 "  (func (export \"c\") (result i32)"
                 "    (memory.atomic.wait32 (i32.const 65536) (i32.const 0) (i64.const 0)))"
                 "  (func (export \"d\") (result i32)"
                 "    (memory.atomic.wait32 $own (i32.const 0) (i32.const 0) (i64.const 0))))",
                 NULL, 0);
    wasm_val_t result;
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), NULL, 0, &result, 1),
                    WASMRT_TRAP_UNALIGNED_ATOMIC);
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), NULL, 0, &result, 1),
                    WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 2), NULL, 0, &result, 1),
                    WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
    CHECK_TRAP(call(fixture_func(&fixture, 3), NULL, 0, &result, 1),
               "atomic wait on non-shared memory");
  }
  fixture_delete(&fixture);
}

TEST(limits_count_the_maximum) {
  fixture_t fixture = fixture_new();
  if (has_threads(fixture.engine)) {
    const wasmrt_store_limit_t bytes = WASMRT_STORE_LIMIT_MEMORY_BYTES;
    CHECK(wasmrt_store_set_limit(fixture.store, bytes, 5 * 65536));
    CHECK_FAILS_WITH(!new_shared(fixture.store, 1, 6), WASMRT_ERROR_LIMIT);
    CHECK_INT(usage_of(fixture.store, bytes), 0);
    wasm_memory_t* memory = new_shared(fixture.store, 1, 3);
    REQUIRE(memory);
    CHECK_INT(usage_of(fixture.store, bytes), 3 * 65536);
    CHECK(wasmrt_memory_grow(memory, 2, NULL));
    CHECK_INT(usage_of(fixture.store, bytes), 3 * 65536);

    static const char* texts[] = {"(module (memory 1 3 shared))", "(module (memory 3 3 shared))",
                                  "(module (memory 0 65536 shared))"};
    for (size_t i = 0; i < 3; i++) {
      wasm_module_t* module = module_from_wat(fixture.store, texts[i]);
      wasm_trap_t* trap = NULL;
      CHECK_FAILS_WITH(!wasm_instance_new(fixture.store, module, NULL, &trap), WASMRT_ERROR_LIMIT);
      CHECK(trap != NULL);
      if (trap) wasm_trap_delete(trap);
      wasm_module_delete(module);
      CHECK_INT(usage_of(fixture.store, bytes), 3 * 65536);
    }
    fixture_load(&fixture,
                 "(module (memory 1 2 shared) (func (export \"\") (result i32)"
                 "  (memory.grow (i32.const 1))))",
                 NULL, 0);
    CHECK_INT(usage_of(fixture.store, bytes), 5 * 65536);
    CHECK_INT(call_i32(fixture_func(&fixture, 0)), 1);
    CHECK_INT(usage_of(fixture.store, bytes), 5 * 65536);

    // A store that obtains it has a memory more, and no bytes.
    wasmrt_shared_memory_t* shared = wasmrt_memory_share(memory);
    wasm_store_t* other = wasm_store_new(fixture.engine);
    CHECK(wasmrt_store_set_limit(other, WASMRT_STORE_LIMIT_MEMORIES, 1));
    wasm_memory_t* obtained = wasmrt_memory_obtain(other, shared);
    REQUIRE(obtained);
    CHECK_INT(usage_of(other, bytes), 0);
    CHECK_INT(usage_of(other, WASMRT_STORE_LIMIT_MEMORIES), 1);
    CHECK_FAILS_WITH(!wasmrt_memory_obtain(other, shared), WASMRT_ERROR_LIMIT);
    wasm_memory_delete(obtained);
    wasm_store_delete(other);
    wasmrt_shared_memory_delete(shared);
    wasm_memory_delete(memory);
  }
  fixture_delete(&fixture);
}

TEST(what_does_not_fit) {
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* own = wasm_memory_new(fixture.store, type);
  wasm_memorytype_delete(type);
  uint32_t woken = 77;
  CHECK_FAILS_WITH(!wasmrt_memory_share(own), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "not shared");
  CHECK_FAILS_WITH(!wasmrt_memory_notify(own, 0, 1, &woken), WASMRT_ERROR_MISUSE);
  CHECK_FAILS(!wasmrt_memory_share(NULL));
  CHECK_FAILS(!wasmrt_memory_notify(NULL, 0, 1, &woken));
  CHECK_FAILS(!wasmrt_memory_obtain(fixture.store, NULL));
  wasmrt_shared_memory_delete(NULL);
  if (has_threads(fixture.engine)) {
    wasm_memory_t* memory = new_shared(fixture.store, 1, 1);
    wasmrt_shared_memory_t* shared = wasmrt_memory_share(memory);
    REQUIRE(shared);
    CHECK_FAILS(!wasmrt_memory_obtain(NULL, shared));
    fixture_t other = fixture_new();
    CHECK_FAILS_WITH(!wasmrt_memory_obtain(other.store, shared), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "different engines");
    fixture_delete(&other);
    CHECK_FAILS(!wasmrt_memory_notify(memory, 2, 1, &woken));
    CHECK_FAILS(!wasmrt_memory_notify(memory, 65536, 1, &woken));
    CHECK_FAILS(!wasmrt_memory_notify(memory, UINT64_MAX - 3, 1, &woken));
    CHECK_INT(woken, 77);
    CHECK(wasmrt_memory_notify(memory, 65532, 1, NULL));
    // A module that wants one of its own, and the other way round.
    wasm_extern_t* imports[] = {wasm_memory_as_extern(memory), wasm_memory_as_extern(own)};
    static const char* texts[] = {"(module (import \"\" \"\" (memory 1 1)))",
                                  "(module (import \"\" \"\" (memory 1 1 shared)))"};
    for (size_t i = 0; i < 2; i++) {
      wasm_module_t* module = module_from_wat(fixture.store, texts[i]);
      wasm_extern_vec_t given = {1, &imports[i]};
      CHECK_FAILS_WITH(!wasm_instance_new(fixture.store, module, &given, NULL), WASMRT_ERROR_LINK);
      CHECK_CONTAINS(wasmrt_last_error_message(), "shared memory");
      wasm_module_delete(module);
    }
    wasm_memory_delete(memory);
    CHECK_FAILS(!wasmrt_memory_share(memory));
    wasmrt_shared_memory_delete(shared);
  }
  wasm_memory_delete(own);
  fixture_delete(&fixture);
}
