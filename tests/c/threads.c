// Threads: one engine and shared modules used by many, stores by one at a time.
#include "test.h"

#include <pthread.h>

enum { THREADS = 8 };

static const char* wat =
    "(module (func $fib (export \"fib\") (param i32) (result i32)"
    "  (if (result i32) (i32.lt_u (local.get 0) (i32.const 2))"
    "    (then (local.get 0))"
    "    (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))"
    "                   (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"
    "  (memory (export \"memory\") 1))";

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
