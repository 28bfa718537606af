// Threads: one engine and shared modules used by many, stores by one at a time.
#include "test.h"

#include <pthread.h>

enum { THREADS = 8 };

#define FIB                                                              \
  "(func $fib (export \"fib\") (param i32) (result i32)"                 \
  "  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))"            \
  "    (then (local.get 0))"                                             \
  "    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))" \
  "                   (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"

static const char* wat = "(module " FIB " (memory (export \"memory\") 1))";
// Many instances at the same time: under valgrind there is not room for as many memories.
static const char* wat_without_memory = "(module " FIB ")";

static void run_threads(void* (*run)(void*), void* argument) {
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    REQUIRE(pthread_create(&threads[i], NULL, run, argument) == 0);
  }
  for (size_t i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
}

static void run_in_thread(void* (*run)(void*), void* argument) {
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, run, argument) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
}

static void check_fib(wasm_store_t* store, const wasm_module_t* module) {
  wasm_instance_t* instance = instantiate(store, module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[0]), 15), 610);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

// ------------------------------------------------------------------------------------------------

typedef struct shared_t {
  wasm_engine_t* engine;
  const wasm_shared_module_t* module;
} shared_t;

static void* obtain_and_run(void* argument) {
  const shared_t* shared = argument;
  for (size_t i = 0; i < repetitions(50, 2); i++) {
    wasm_store_t* store = wasm_store_new(shared->engine);
    REQUIRE(store);
    wasm_module_t* module = wasm_module_obtain(store, shared->module);
    REQUIRE(module);
    check_fib(store, module);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  return NULL;
}

TEST(module_compiled_once_and_used_from_many_threads) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  wasm_shared_module_t* shared_module = wasm_module_share(module);
  REQUIRE(shared_module);
  wasm_module_delete(module);
  shared_t shared = {fixture.engine, shared_module};
  run_threads(obtain_and_run, &shared);
  wasm_shared_module_delete(shared_module);
  fixture_delete(&fixture);
}

TEST(shared_module_outlives_store_and_module) {
  fixture_t fixture = fixture_from_wat(wat);
  wasm_shared_module_t* shared = wasm_module_share(fixture.module);
  wasm_engine_t* engine = fixture.engine;
  fixture.engine = NULL;
  fixture_delete(&fixture);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  wasm_module_t* module = wasm_module_obtain(store, shared);
  REQUIRE(module);
  wasm_shared_module_delete(shared);
  check_fib(store, module);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  CHECK_INT(exports.size, 2);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

TEST(obtain_in_a_store_of_another_engine) {
  fixture_t first = fixture_from_wat(wat), second = fixture_new();
  wasm_shared_module_t* shared = wasm_module_share(first.module);
  CHECK_FAILS(wasm_module_obtain(second.store, shared) == NULL);
  wasm_shared_module_delete(shared);
  fixture_delete(&first);
  fixture_delete(&second);
}

static void* compile_and_run(void* argument) {
  wasm_engine_t* engine = argument;
  for (size_t i = 0; i < repetitions(10, 1); i++) {
    wasm_store_t* store = wasm_store_new(engine);
    wasm_module_t* module = module_from_wat(store, wat);
    check_fib(store, module);
    wasm_module_t* trapping = module_from_wat(store, "(module (func $f (export \"f\") (call $f)))");
    wasm_instance_t* instance = instantiate(store, trapping, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK_TRAP(call_plain(wasm_extern_as_func(exports.data[0])), "call stack exhausted");
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(trapping);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  return NULL;
}

TEST(engine_used_from_many_threads) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  run_threads(compile_and_run, engine);
  wasm_engine_delete(engine);
}

// A separate thread is the last one to delete an engine.
static void* make_engine_and_run(void* argument) {
  (void)argument;
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_engine_delete(engine);
  wasm_module_t* module = module_from_wat(store, wat);
  check_fib(store, module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return NULL;
}

TEST(an_engine_for_each_thread) {
  run_threads(make_engine_and_run, NULL);
}

// ------------------------------------------------------------------------------------------------
// A store moves: made here, used there, deleted elsewhere.

typedef struct moving_t {
  fixture_t fixture;
  size_t finalized;
  int32_t calls;
  wasm_trap_t* trap;
} moving_t;

static wasm_trap_t* count_call(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  moving_t* moving = env;
  moving->calls++;
  results->data[0] = I32(arguments->data[0].of.i32 * 2);
  return NULL;
}

static void* create(void* argument) {
  moving_t* moving = argument;
  moving->fixture = fixture_new();
  wasm_func_t* host = host_func(moving->fixture.store, "i", "i", count_call, moving);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&moving->fixture,
               "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
               "  (func (export \"f\") (param i32) (result i32) (call $h (local.get 0)))"
               "  (global (export \"g\") (mut externref) (ref.null extern))"
               "  (func (export \"trap\") unreachable))",
               imports, 1);
  wasm_func_delete(host);
  return NULL;
}

static void* use(void* argument) {
  moving_t* moving = argument;
  CHECK_INT(call_i32_i32(fixture_func(&moving->fixture, 0), 21), 42);
  wasm_foreign_t* foreign = wasm_foreign_new(moving->fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &moving->finalized, count_finalizer);
  wasm_global_set(fixture_global(&moving->fixture, 1), &EXTERNREF(wasm_foreign_as_ref(foreign)));
  wasm_foreign_delete(foreign);
  wasm_trap_delete(moving->trap);
  moving->trap = call_plain(fixture_func(&moving->fixture, 2));
  return NULL;
}

static void* destroy(void* argument) {
  moving_t* moving = argument;
  CHECK_TRAP(moving->trap, "unreachable");
  fixture_delete(&moving->fixture);
  return NULL;
}

TEST(store_moved_between_threads) {
  moving_t moving = {.finalized = 0, .calls = 0, .trap = NULL};
  run_in_thread(create, &moving);
  for (int i = 0; i < 4; i++) run_in_thread(use, &moving);
  use(&moving);
  CHECK_INT(moving.calls, 5);
  run_in_thread(destroy, &moving);
  CHECK_INT(moving.finalized, 5);
}

// ------------------------------------------------------------------------------------------------

static void* fail_in_thread(void* argument) {
  (void)argument;
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  CHECK_FAILS(wasm_valtype_new(77) == NULL);
  return NULL;
}

TEST(last_error_is_of_the_thread) {
  wasmrt_last_error_clear();
  run_threads(fail_in_thread, NULL);
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  CHECK_FAILS(wasm_memorytype_new(NULL) == NULL);
  char* kept = strdup(wasmrt_last_error_message());
  run_threads(fail_in_thread, NULL);
  CHECK_STR(wasmrt_last_error_message(), kept);
  free(kept);
}

// Languages with a garbage collector delete from a separate thread, while other threads run.
typedef struct deletions_t {
  wasm_foreign_t* foreign;
  wasm_func_t* func;
  atomic_bool stop;
} deletions_t;

static void* copy_and_delete(void* argument) {
  deletions_t* deletions = argument;
  do {
    for (size_t i = 0; i < repetitions(1000, 10); i++) {
      wasm_func_delete(wasm_func_copy(deletions->func));
      wasm_foreign_delete(wasm_foreign_copy(deletions->foreign));
    }
  } while (!deletions->stop);
  return NULL;
}

TEST(handles_deleted_by_other_threads_while_the_store_runs) {
  fixture_t fixture = fixture_from_wat(wat);
  size_t finalized = 0;
  deletions_t deletions = {wasm_foreign_new(fixture.store),
                           wasm_func_copy(fixture_func(&fixture, 0)), false};
  wasm_foreign_set_host_info_with_finalizer(deletions.foreign, &finalized, count_finalizer);
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    REQUIRE(pthread_create(&threads[i], NULL, copy_and_delete, &deletions) == 0);
  }
  for (size_t i = 0; i < repetitions(2000, 5); i++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 10), 55);
    wasm_func_delete(wasm_func_copy(deletions.func));
  }
  deletions.stop = true;
  for (size_t i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
  CHECK_INT(finalized, 0);
  wasm_func_delete(deletions.func);
  wasm_foreign_delete(deletions.foreign);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

static void* delete_fixture(void* argument) {
  fixture_delete(argument);
  return NULL;
}

TEST(everything_deleted_by_another_thread) {
  size_t finalized = 0;
  fixture_t fixture = fixture_from_wat(wat);
  wasm_instance_set_host_info_with_finalizer(fixture.instance, &finalized, count_finalizer);
  run_in_thread(delete_fixture, &fixture);
  CHECK_INT(finalized, 1);
}

// The guard against deep recursion must know which stack it is on.
static void* exhaust_stack(void* argument) {
  (void)argument;
  fixture_t fixture = fixture_from_wat("(module (func $f (export \"f\") (call $f)))");
  CHECK_TRAP(call_plain(fixture_func(&fixture, 0)), "call stack exhausted");
  fixture_delete(&fixture);
  return NULL;
}

TEST(stack_exhausted_in_a_thread) {
  run_in_thread(exhaust_stack, NULL);
}

// ------------------------------------------------------------------------------------------------
// Stores of many threads that exist at the same time. On wasmi they are in different shards.

static const char* rich_wat =
    "(module (type $unary (func (param i32) (result i32)))"
    "  (import \"\" \"host\" (func $host (type $unary)))"
    "  (import \"\" \"pair\" (func $pair (param i32 i64) (result i64 i32)))"
    "  (table (export \"table\") 3 funcref)"
    "  (global (export \"global\") (mut externref) (ref.null extern))"
    "  (elem (i32.const 0) $host $own)"
    "  (func $own (type $unary) (i32.add (local.get 0) (i32.const 100)))"
    "  (func (export \"call\") (param i32) (result i32)"
    "    (call_indirect (type $unary) (local.get 0) (local.get 0)))"
    "  (func (export \"pair\") (param i32) (result i32)"
    "    (call $pair (local.get 0) (i64.const 3)) drop i32.wrap_i64))";

static wasm_trap_t* swap(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  results->data[0] = I64(arguments->data[1].of.i64 + arguments->data[0].of.i32);
  results->data[1] = arguments->data[0];
  return NULL;
}

// Calls back into its store.
static wasm_trap_t* call_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  results->data[0] = I32(call_i32_i32(env, arguments->data[0].of.i32 + 10) + 1);
  return NULL;
}

static void check_rich(wasm_store_t* store, const wasm_module_t* module) {
  fixture_t inner = {NULL, store, NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&inner, wat_without_memory, NULL, 0);
  wasm_func_t* host = host_func(store, "i", "i", call_back, fixture_func(&inner, 0));
  wasm_func_t* pair = host_func(store, "iI", "Ii", swap, NULL);
  wasm_extern_t* imports[2] = {wasm_func_as_extern(host), wasm_func_as_extern(pair)};
  fixture_t outer = {NULL, NULL, NULL, instantiate(store, module, imports, 2), WASM_EMPTY_VEC};
  wasm_instance_exports(outer.instance, &outer.exports);
  wasm_func_t* call_element = fixture_func(&outer, 2);
  CHECK_INT(call_i32_i32(call_element, 0), 56);
  CHECK_INT(call_i32_i32(call_element, 1), 101);
  wasm_val_t two = I32(2), result;
  // A signal on wasmtime, for which valgrind tells the handler another address than the instruction's.
  if (!under_valgrind()) {
    CHECK_TRAP(call(call_element, &two, 1, &result, 1), "uninitialized element");
  }
  // A function of one instance, with its type, in a table of another.
  CHECK(wasm_table_set(fixture_table(&outer, 0), 2, wasm_func_as_ref(fixture_func(&inner, 0))));
  CHECK_INT(call_i32_i32(call_element, 2), 1);
  CHECK(wasm_table_set(fixture_table(&outer, 0), 2, wasm_func_as_ref(pair)));
  CHECK_TRAP(call(call_element, &two, 1, &result, 1), "indirect call type mismatch");
  CHECK_INT(call_i32_i32(fixture_func(&outer, 3), 39), 42);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_global_set(fixture_global(&outer, 1), &EXTERNREF(wasm_foreign_as_ref(foreign)));
  wasm_global_get(fixture_global(&outer, 1), &result);
  CHECK(wasm_ref_same(result.of.ref, wasm_foreign_as_ref(foreign)));
  wasm_val_delete(&result);
  wasm_foreign_delete(foreign);
  wasm_func_delete(host);
  wasm_func_delete(pair);
  inner.store = NULL;
  fixture_delete(&outer);
  fixture_delete(&inner);
}

typedef struct many_t {
  wasm_engine_t* engine;
  const wasm_module_t* module;
  const wasm_shared_module_t* shared;
  pthread_barrier_t all;
} many_t;

// Every thread has a store with an instance in it while all do the same.
static void* run_rich(void* argument) {
  many_t* many = argument;
  wasm_store_t* store = wasm_store_new(many->engine);
  check_rich(store, many->module);
  pthread_barrier_wait(&many->all);
  for (size_t i = 0; i < repetitions(20, 2); i++) {
    // The module of another thread's store, itself and shared, and what becomes of it as an artifact.
    check_rich(store, many->module);
    wasm_store_t* second = wasm_store_new(many->engine);
    wasm_module_t* obtained = wasm_module_obtain(second, many->shared);
    check_rich(second, obtained);
    wasm_byte_vec_t artifact;
    wasm_module_serialize(obtained, &artifact);
    wasm_module_t* again = wasm_module_deserialize(store, &artifact);
    REQUIRE(again);
    check_rich(store, again);
    wasm_byte_vec_delete(&artifact);
    wasm_module_delete(again);
    wasm_module_delete(obtained);
    wasm_store_delete(second);
  }
  pthread_barrier_wait(&many->all);
  wasm_store_delete(store);
  return NULL;
}

static void run_many(uint32_t max_shards) {
  wasm_config_t* config = wasm_config_new();
  if (max_shards != 0) REQUIRE(wasmrt_config_set_max_shards(config, max_shards));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_from_wat(store, rich_wat);
  wasm_shared_module_t* shared = wasm_module_share(module);
  many_t many = {.engine = engine, .module = module, .shared = shared};
  REQUIRE(pthread_barrier_init(&many.all, NULL, THREADS) == 0);
  run_threads(run_rich, &many);
  pthread_barrier_destroy(&many.all);
  CHECK_INT(modules_of(engine), 1);
  check_rich(store, module);
  wasm_shared_module_delete(shared);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(stores_of_many_threads_at_the_same_time) {
  run_many(0);
}

TEST(as_many_shards_as_threads) {
  run_many(THREADS + 1);
}

TEST(more_threads_than_shards) {
  run_many(1);
  run_many(2);
}

// Another thread's shard translates the module when it is instantiated there: at nobody's expense.
typedef struct fuelled_t {
  wasm_store_t* store;
  const wasm_module_t* module;
  uint64_t consumed;
} fuelled_t;

static void* consume(void* argument) {
  fuelled_t* fuelled = argument;
  check_fib(fuelled->store, fuelled->module);
  CHECK(wasmrt_store_fuel_consumed(fuelled->store, &fuelled->consumed));
  return NULL;
}

TEST(fuel_is_the_same_in_every_store) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_max_shards(config, THREADS));
  REQUIRE(wasmrt_config_set_fuel(config, true));
  REQUIRE(wasmrt_config_set_interruption(config, true));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  // All of them made on this thread, and used by others.
  fuelled_t fuelled[3];
  for (size_t i = 0; i < 3; i++) {
    fuelled[i].store = wasm_store_new(engine);
    if (i == 1) CHECK(wasmrt_store_set_fuel(fuelled[i].store, 1000000));
  }
  wasm_module_t* module = module_from_wat(fuelled[0].store, wat);
  for (size_t i = 0; i < 3; i++) {
    fuelled[i].module = module;
    if (i != 1) CHECK(wasmrt_store_set_fuel(fuelled[i].store, 1000000));
    run_in_thread(consume, &fuelled[i]);
    CHECK(fuelled[i].consumed > 1000);
    CHECK_INT(fuelled[i].consumed, fuelled[0].consumed);
  }
  wasm_module_delete(module);
  for (size_t i = 0; i < 3; i++) wasm_store_delete(fuelled[i].store);
  wasm_engine_delete(engine);
}

// Prepared instances in the stores of several threads.
static void* run_prepared(void* argument) {
  many_t* many = argument;
  wasm_store_t* store = wasm_store_new(many->engine);
  wasm_func_t* host = host_func(store, "i", "i", call_back, NULL);
  wasm_func_t* pair = host_func(store, "iI", "Ii", swap, NULL);
  wasmrt_linker_t* linker = wasmrt_linker_new(store);
  REQUIRE(wasmrt_linker_define(linker, "", 0, "host", 4, wasm_func_as_extern(host)));
  REQUIRE(wasmrt_linker_define(linker, "", 0, "pair", 4, wasm_func_as_extern(pair)));
  wasmrt_instance_pre_t* prepared = wasmrt_linker_prepare(linker, many->module);
  REQUIRE(prepared);
  pthread_barrier_wait(&many->all);
  for (size_t i = 0; i < repetitions(50, 3); i++) {
    wasm_instance_t* instance = wasmrt_instance_pre_instantiate(prepared, NULL);
    REQUIRE(instance);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[3]), 39), 42);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
  }
  wasmrt_instance_pre_delete(prepared);
  wasmrt_linker_delete(linker);
  wasm_func_delete(host);
  wasm_func_delete(pair);
  wasm_store_delete(store);
  return NULL;
}

TEST(prepared_instances_of_one_module_on_many_threads) {
  fixture_t fixture = fixture_new();
  fixture.module = module_from_wat(fixture.store, rich_wat);
  many_t many = {.engine = fixture.engine, .module = fixture.module};
  REQUIRE(pthread_barrier_init(&many.all, NULL, THREADS) == 0);
  run_threads(run_prepared, &many);
  pthread_barrier_destroy(&many.all);
  fixture_delete(&fixture);
}
