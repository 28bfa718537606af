// Uses one module in several threads. One thread at a time may use a store and what is in it;
// engines and compiled modules can be shared. Here a module is compiled once and runs in four
// stores.

#include <pthread.h>
#include "example.h"

enum { THREAD_COUNT = 4, CALL_COUNT = 1000 };

// adds up 1..n, and reports each sum to the host
static const char text[] =
    "(module"
    "  (import \"host\" \"report\" (func $report (param i64)))"
    "  (func (export \"sum_to\") (param $n i64)"
    "    (local $sum i64)"
    "    (loop $next"
    "      (local.set $sum (i64.add (local.get $sum) (local.get $n)))"
    "      (local.set $n (i64.sub (local.get $n) (i64.const 1)))"
    "      (br_if $next (i64.gt_s (local.get $n) (i64.const 0))))"
    "    (call $report (local.get $sum))))";

struct work {
  pthread_t thread;
  wasm_engine_t* engine;              // shared, read only
  const wasm_shared_module_t* shared; // the same
  int number;
  long long total; // private to this thread until it is joined
};

// The env identifies the thread. There is no global data, so nothing needs a lock.
static wasm_trap_t* report(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)results;
  struct work* work = env;
  work->total += args->data[0].of.i64;
  return NULL;
}

static void* run_thread(void* argument) {
  struct work* work = argument;
  wasm_store_t* store = new_store(work->engine);

  // The compiled module becomes an object of this thread's store.
  wasm_module_t* module = wasm_module_obtain(store, work->shared);
  if (!module) fail("cannot obtain the shared module");

  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i64());
  wasm_func_t* host_report = wasm_func_new_with_env(store, type, report, work, NULL);
  wasm_functype_delete(type);
  if (!host_report) fail("cannot create the host function");
  wasm_extern_t* externs[] = {wasm_func_as_extern(host_report)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  const wasm_func_t* sum_to = exported_func(&exports, 0);

  for (int i = 1; i <= CALL_COUNT; ++i) {
    wasm_val_t arguments[] = {WASM_I64_VAL((int64_t)work->number * i)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(arguments);
    call(sum_to, &args, NULL);
  }

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host_report);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  // Sharing creates a handle that any thread may use, independent of the module and its store.
  wasm_shared_module_t* shared = wasm_module_share(module);
  if (!shared) fail("cannot share the module");
  wasm_module_delete(module);
  wasm_store_delete(store);

  struct work works[THREAD_COUNT];
  for (int i = 0; i < THREAD_COUNT; ++i) {
    works[i] = (struct work){.engine = engine, .shared = shared, .number = i + 1};
    if (pthread_create(&works[i].thread, NULL, run_thread, &works[i]) != 0) {
      stop("cannot start a thread");
    }
  }
  for (int i = 0; i < THREAD_COUNT; ++i) {
    pthread_join(works[i].thread, NULL);
    printf("thread %d: %lld from %d calls\n", works[i].number, works[i].total, CALL_COUNT);
  }

  wasm_shared_module_delete(shared);
  wasm_engine_delete(engine);
  return 0;
}
