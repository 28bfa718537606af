// What the headers and the README say about threads: a test for each sentence, which stands above.
#include "test.h"

#include <pthread.h>

enum { FEW = 8, MANY = 64 };

static const char text[] =
    "(module (import \"\" \"\" (func $host (param i32) (result i32)))"
    "  (func (export \"call\") (param i32) (result i32) (call $host (local.get 0)))"
    "  (func (export \"trap\") unreachable)"
    "  (global (export \"global\") (mut i32) (i32.const 0))"
    "  (table (export \"table\") 2 10 funcref)"
    "  (memory (export \"memory\") 1 3))";

static wasm_trap_t* twice(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  results->data[0] = I32(arguments->data[0].of.i32 * 2);
  return NULL;
}

// All start at once.
typedef struct crew_t {
  pthread_barrier_t start;
  void* (*run)(void*);
  void* argument;
} crew_t;

static void* run_member(void* argument) {
  crew_t* crew = argument;
  pthread_barrier_wait(&crew->start);
  return crew->run(crew->argument);
}

static void run_threads(unsigned count, void* (*run)(void*), void* argument) {
  crew_t crew = {.run = run, .argument = argument};
  pthread_t threads[MANY];
  REQUIRE(count <= MANY && pthread_barrier_init(&crew.start, NULL, count) == 0);
  for (unsigned i = 0; i < count; i++) {
    REQUIRE(pthread_create(&threads[i], NULL, run_member, &crew) == 0);
  }
  for (unsigned i = 0; i < count; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
  pthread_barrier_destroy(&crew.start);
}

static void run_in_thread(void* (*run)(void*), void* argument) {
  run_threads(1, run, argument);
}

static void fixture_instantiate(fixture_t* fixture) {
  wasm_func_t* host = host_func(fixture->store, "i", "i", twice, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture->instance = instantiate(fixture->store, fixture->module, imports, 1);
  wasm_func_delete(host);
  wasm_instance_exports(fixture->instance, &fixture->exports);
}

static fixture_t fixture_with_host(void) {
  fixture_t fixture = fixture_new();
  fixture.module = module_from_wat(fixture.store, text);
  fixture_instantiate(&fixture);
  return fixture;
}

// Everything in a store that has state, once.
static void use_fixture(fixture_t* fixture) {
  CHECK_INT(call_i32_i32(fixture_func(fixture, 0), 21), 42);
  CHECK_TRAP(call_plain(fixture_func(fixture, 1)), "unreachable");
  wasm_val_t value;
  wasm_global_get(fixture_global(fixture, 2), &value);
  wasm_global_set(fixture_global(fixture, 2), &I32(value.of.i32 + 1));
  wasm_table_t* table = fixture_table(fixture, 3);
  CHECK(wasm_table_set(table, 0, wasm_func_as_ref(fixture_func(fixture, 0))));
  wasm_ref_t* element = wasm_table_get(table, 0);
  CHECK(wasm_ref_same(element, wasm_func_as_ref(fixture_func(fixture, 0))));
  wasm_ref_delete(element);
  wasm_memory_data(fixture_memory(fixture, 4))[7]++;
  wasm_foreign_delete(wasm_foreign_new(fixture->store));
  wasm_exporttype_vec_t types;
  wasm_module_exports(fixture->module, &types);
  CHECK_INT(types.size, 5);
  wasm_exporttype_vec_delete(&types);
}

// A store for one thread, with a module that others share.
typedef struct shared_t {
  wasm_engine_t* engine;
  wasm_shared_module_t* module;
  size_t rounds;
} shared_t;

static void* use_own_store(void* argument) {
  const shared_t* shared = argument;
  for (size_t i = 0; i < shared->rounds; i++) {
    fixture_t fixture = {NULL, wasm_store_new(shared->engine), NULL, NULL, WASM_EMPTY_VEC};
    REQUIRE(fixture.store);
    fixture.module = wasm_module_obtain(fixture.store, shared->module);
    REQUIRE(fixture.module);
    fixture_instantiate(&fixture);
    for (int j = 0; j < 3; j++) use_fixture(&fixture);
    CHECK_INT(wasm_memory_data(fixture_memory(&fixture, 4))[7], 3);
    fixture_delete(&fixture);
  }
  return NULL;
}

static shared_t shared_new(size_t rounds) {
  fixture_t fixture = fixture_new();
  fixture.module = module_from_wat(fixture.store, text);
  shared_t shared = {fixture.engine, wasm_module_share(fixture.module), rounds};
  REQUIRE(shared.module);
  fixture.engine = NULL;
  fixture_delete(&fixture);
  return shared;
}

static void shared_delete(shared_t* shared) {
  wasm_shared_module_delete(shared->module);
  wasm_engine_delete(shared->engine);
}

// ------------------------------------------------------------------------------------------------
// wasm.h: "Engines and shared modules may be used from any thread."

static void* use_engine(void* argument) {
  wasm_engine_t* engine = argument;
  const char* backend = wasmrt_engine_backend_name(engine);
  for (size_t i = 0; i < repetitions(20, 2); i++) {
    CHECK_PTR(wasmrt_engine_backend_name(engine), backend);
    wasm_store_t* store = wasm_store_new(engine);
    REQUIRE(store);
    wasm_byte_vec_t binary = binary_from_wat(text), serialized;
    CHECK(wasm_module_validate(store, &binary));
    wasm_module_t* module = wasm_module_new(store, &binary);
    REQUIRE(module);
    wasm_module_serialize(module, &serialized);
    wasm_module_delete(module);
    module = wasm_module_deserialize(store, &serialized);
    CHECK(module != NULL);
    wasm_module_delete(module);
    wasm_byte_vec_delete(&serialized);
    wasm_byte_vec_delete(&binary);
    wasm_store_delete(store);
  }
  return NULL;
}

TEST(engines_may_be_used_from_any_thread) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  run_threads(FEW, use_engine, engine);
  wasm_engine_delete(engine);
}

TEST(shared_modules_may_be_used_from_any_thread) {
  shared_t shared = shared_new(repetitions(40, 2));
  run_threads(FEW, use_own_store, &shared);
  shared_delete(&shared);
}

TEST(sixty_four_threads_with_stores_of_one_engine) {
  shared_t shared = shared_new(repetitions(20, 1));
  run_threads((unsigned)repetitions(MANY, FEW), use_own_store, &shared);
  shared_delete(&shared);
}

// ------------------------------------------------------------------------------------------------
// wasm.h: "A store, and everything that belongs to it, is used by one thread at a time, which need
// not always be the same"; "it may move between threads".

typedef struct moving_t {
  pthread_mutex_t mutex;
  fixture_t fixture;
} moving_t;

static void* use_in_turn(void* argument) {
  moving_t* moving = argument;
  for (size_t i = 0; i < repetitions(200, 5); i++) {
    REQUIRE(pthread_mutex_lock(&moving->mutex) == 0);
    use_fixture(&moving->fixture);
    REQUIRE(pthread_mutex_unlock(&moving->mutex) == 0);
  }
  return NULL;
}

TEST(a_store_is_used_by_one_thread_at_a_time_not_always_the_same) {
  moving_t moving = {.fixture = fixture_with_host()};
  REQUIRE(pthread_mutex_init(&moving.mutex, NULL) == 0);
  run_threads(FEW, use_in_turn, &moving);
  wasm_val_t value;
  wasm_global_get(fixture_global(&moving.fixture, 2), &value);
  CHECK_INT(value.of.i32, FEW * repetitions(200, 5));
  pthread_mutex_destroy(&moving.mutex);
  fixture_delete(&moving.fixture);
}

// A frame of a trap, a value and types belong to no store; they move as well.
typedef struct parts_t {
  fixture_t* fixture;
  wasm_trap_t* trap;
  wasm_frame_vec_t trace;
  wasm_functype_t* type;
  wasm_val_t value;
} parts_t;

static void* make_parts(void* argument) {
  parts_t* parts = argument;
  parts->trap = call_plain(fixture_func(parts->fixture, 1));
  wasm_trap_trace(parts->trap, &parts->trace);
  parts->type = wasm_func_type(fixture_func(parts->fixture, 0));
  wasm_foreign_t* foreign = wasm_foreign_new(parts->fixture->store);
  parts->value = EXTERNREF(wasm_foreign_as_ref(foreign));
  return NULL;
}

static void* use_and_delete_parts(void* argument) {
  parts_t* parts = argument;
  wasm_frame_vec_t trace;
  wasm_frame_vec_copy(&trace, &parts->trace);
  CHECK_INT(trace.size, parts->trace.size);
  wasm_frame_vec_delete(&trace);
  wasm_frame_vec_delete(&parts->trace);
  CHECK_TRAP(parts->trap, "unreachable");
  CHECK(functype_is(parts->type, "i", "i"));
  wasm_functype_delete(parts->type);
  wasm_val_t copy;
  wasm_val_copy(&copy, &parts->value);
  CHECK(wasm_ref_same(copy.of.ref, parts->value.of.ref));
  wasm_val_delete(&copy);
  wasm_val_delete(&parts->value);
  return NULL;
}

TEST(what_belongs_to_a_store_moves_with_it) {
  fixture_t fixture = fixture_with_host();
  parts_t parts = {.fixture = &fixture};
  run_in_thread(make_parts, &parts);
  run_in_thread(use_and_delete_parts, &parts);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// wasm.h: "handles may be copied and deleted from any thread"; "Deleting handles is allowed from
// any thread"; of each _copy and _delete: "May be called from any thread."

typedef struct handles_t {
  fixture_t fixture;
  wasm_trap_t* trap;
  wasm_foreign_t* foreign;
  atomic_bool stop;
} handles_t;

#define COPY_AND_DELETE(noun, handle)                   \
  do {                                                  \
    wasm_##noun##_t* copy = wasm_##noun##_copy(handle); \
    CHECK_PTR(copy, (handle));                          \
    wasm_##noun##_delete(copy);                         \
  } while (0)

static void* copy_and_delete(void* argument) {
  handles_t* handles = argument;
  const fixture_t* fixture = &handles->fixture;
  for (size_t i = 0; !handles->stop && i < repetitions(100000, 50); i++) {
    COPY_AND_DELETE(func, fixture_func(fixture, 0));
    COPY_AND_DELETE(global, fixture_global(fixture, 2));
    COPY_AND_DELETE(table, fixture_table(fixture, 3));
    COPY_AND_DELETE(memory, fixture_memory(fixture, 4));
    COPY_AND_DELETE(extern, fixture->exports.data[1]);
    COPY_AND_DELETE(instance, fixture->instance);
    COPY_AND_DELETE(module, fixture->module);
    COPY_AND_DELETE(trap, handles->trap);
    COPY_AND_DELETE(foreign, handles->foreign);
    COPY_AND_DELETE(ref, wasm_foreign_as_ref(handles->foreign));
  }
  return NULL;
}

static void* use_meanwhile(void* argument) {
  handles_t* handles = argument;
  for (size_t i = 0; i < repetitions(500, 5); i++) use_fixture(&handles->fixture);
  handles->stop = true;
  return NULL;
}

TEST(handles_may_be_copied_and_deleted_from_any_thread) {
  handles_t handles = {.fixture = fixture_with_host(), .stop = false};
  handles.trap = new_trap(handles.fixture.store, "kept");
  handles.foreign = wasm_foreign_new(handles.fixture.store);
  pthread_t threads[FEW];
  for (int i = 0; i < FEW; i++) {
    REQUIRE(pthread_create(&threads[i], NULL, copy_and_delete, &handles) == 0);
  }
  use_meanwhile(&handles);
  for (int i = 0; i < FEW; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
  wasm_trap_delete(handles.trap);
  wasm_foreign_delete(handles.foreign);
  fixture_delete(&handles.fixture);
}

// The last handles of many objects, and the store's own, while the store is in use.
enum { OBJECTS = 1000 };

typedef struct deletions_t {
  wasm_store_t* store;
  wasm_func_t* funcs[OBJECTS];
  wasm_trap_t* traps[OBJECTS];
  wasm_foreign_t* foreigns[OBJECTS];
  size_t count, finalized;
} deletions_t;

static void* delete_all(void* argument) {
  deletions_t* deletions = argument;
  wasm_store_delete(deletions->store);
  for (size_t i = 0; i < deletions->count; i++) {
    wasm_func_delete(deletions->funcs[i]);
    wasm_trap_delete(deletions->traps[i]);
    wasm_foreign_delete(deletions->foreigns[i]);
  }
  return NULL;
}

TEST(last_handles_may_be_deleted_from_any_thread_while_the_store_is_in_use) {
  fixture_t fixture = fixture_with_host();
  deletions_t* deletions = calloc(1, sizeof(*deletions));
  REQUIRE(deletions);
  deletions->store = fixture.store;
  deletions->count = repetitions(OBJECTS, 20);
  for (size_t i = 0; i < deletions->count; i++) {
    deletions->funcs[i] = host_func(fixture.store, "i", "i", twice, NULL);
    deletions->traps[i] = new_trap(fixture.store, "trap");
    deletions->foreigns[i] = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(deletions->foreigns[i], &deletions->finalized,
                                              count_finalizer);
  }
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, delete_all, deletions) == 0);
  for (size_t i = 0; i < repetitions(2000, 20); i++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 4), 8);
    CHECK_TRAP(call_plain(fixture_func(&fixture, 1)), "unreachable");
  }
  REQUIRE(pthread_join(thread, NULL) == 0);
  fixture.store = NULL;
  fixture_delete(&fixture);
  CHECK_INT(deletions->finalized, deletions->count);
  free(deletions);
}

// ------------------------------------------------------------------------------------------------
// wasm.h, of wasm_engine_delete and wasm_shared_module_delete: "May be called from any thread."

static void* delete_engine(void* argument) {
  wasm_engine_delete(argument);
  return NULL;
}

static void* delete_shared_module(void* argument) {
  wasm_shared_module_delete(argument);
  return NULL;
}

TEST(engines_may_be_deleted_from_any_thread) {
  fixture_t fixture = fixture_with_host();
  run_in_thread(delete_engine, fixture.engine);
  fixture.engine = NULL;
  use_fixture(&fixture);
  fixture_delete(&fixture);
  run_in_thread(delete_engine, wasm_engine_new());
}

TEST(shared_modules_may_be_deleted_from_any_thread) {
  shared_t shared = shared_new(1);
  wasm_store_t* store = wasm_store_new(shared.engine);
  wasm_module_t* module = wasm_module_obtain(store, shared.module);
  run_in_thread(delete_shared_module, shared.module);
  wasm_exporttype_vec_t types;
  wasm_module_exports(module, &types);
  CHECK_INT(types.size, 5);
  wasm_exporttype_vec_delete(&types);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(shared.engine);
}

// lib.rs: "configurations being given" are usable from any thread.

static void* make_engine(void* argument) {
  wasm_config_t** config = argument;
  wasm_engine_t* engine = wasm_engine_new_with_config(*config);
  CHECK(engine != NULL);
  wasm_engine_delete(engine);
  return NULL;
}

TEST(a_configuration_moves_between_threads) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  CHECK(wasmrt_config_set_backend(config, wasmrt_backend_name(0)));
  run_in_thread(make_engine, &config);
}

// ------------------------------------------------------------------------------------------------
// wasm.h, of host info and of wasm_func_new_with_env: the finalizer is called "on the thread that
// lets go of it".

typedef struct finalized_t {
  pthread_t thread;
  size_t count;
} finalized_t;

static void note_thread(void* argument) {
  finalized_t* finalized = argument;
  finalized->thread = pthread_self();
  finalized->count++;
}

typedef struct letting_go_t {
  fixture_t fixture;
  wasm_foreign_t* foreign;
  finalized_t replaced, deleted, environment, with_store;
} letting_go_t;

static void* let_go(void* argument) {
  letting_go_t* all = argument;
  wasm_foreign_set_host_info_with_finalizer(all->foreign, &all->deleted, note_thread);
  CHECK_INT(all->replaced.count, 1);
  CHECK(pthread_equal(all->replaced.thread, pthread_self()));
  wasm_foreign_delete(all->foreign);
  CHECK_INT(all->deleted.count, 1);
  CHECK(pthread_equal(all->deleted.thread, pthread_self()));
  CHECK_INT(all->with_store.count, 0);
  fixture_delete(&all->fixture);
  CHECK_INT(all->with_store.count, 1);
  CHECK(pthread_equal(all->with_store.thread, pthread_self()));
  CHECK_INT(all->environment.count, 1);
  CHECK(pthread_equal(all->environment.thread, pthread_self()));
  return NULL;
}

TEST(finalizers_run_on_the_thread_that_lets_go) {
  letting_go_t all = {.fixture = fixture_new()};
  all.foreign = wasm_foreign_new(all.fixture.store);
  wasm_foreign_set_host_info_with_finalizer(all.foreign, &all.replaced, note_thread);
  all.fixture.module = module_from_wat(all.fixture.store, text);
  wasm_functype_t* type = functype("i", "i");
  wasm_func_t* host =
      wasm_func_new_with_env(all.fixture.store, type, twice, &all.environment, note_thread);
  wasm_functype_delete(type);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  all.fixture.instance = instantiate(all.fixture.store, all.fixture.module, imports, 1);
  wasm_func_delete(host);
  wasm_instance_set_host_info_with_finalizer(all.fixture.instance, &all.with_store, note_thread);
  run_in_thread(let_go, &all);
}

// ------------------------------------------------------------------------------------------------
// wasm.h: a function that fails "leaves a message for the thread"; wasmrt.h: "Borrowed, valid until
// the next failure on this thread", "Forgets the thread's last error".

static void* fail_and_forget(void* argument) {
  (void)argument;
  for (size_t i = 0; i < repetitions(1000, 10); i++) {
    CHECK_NULL(wasmrt_last_error_message());
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
    wasm_valtype_new(77);
    CHECK_CONTAINS(wasmrt_last_error_message(), "77");
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
    wasmrt_last_error_clear();
  }
  return NULL;
}

TEST(the_last_error_is_the_threads_own) {
  wasm_valtype_new(99);
  const char* borrowed = wasmrt_last_error_message();
  CHECK_CONTAINS(borrowed, "99");
  run_threads(FEW, fail_and_forget, NULL);
  CHECK_PTR(wasmrt_last_error_message(), borrowed);
  CHECK_CONTAINS(borrowed, "99");
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
}
