// The stack: recursion of every kind traps before it faults, on large and on small stacks, on the
// stacks of coroutines, and with stores that move from one thread to another.
#define _DEFAULT_SOURCE // MAP_ANONYMOUS
#include "test.h"

#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

static const size_t kib = 1024;

// In KiB. The README says what size is enough.
static const size_t stack_sizes[] = {64, 128, 256, 512, 1024, 8192};
enum { STACK_SIZES = sizeof(stack_sizes) / sizeof(stack_sizes[0]) };

static void run_with_stack(size_t size, void* (*run)(void*), void* argument) {
  pthread_attr_t attributes;
  pthread_t thread;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, size) == 0);
  REQUIRE(pthread_create(&thread, &attributes, run, argument) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
}

static void run_with_each_stack(void* (*run)(void*), void* argument) {
  for (size_t i = 0; i < STACK_SIZES; i++) run_with_stack(stack_sizes[i] * kib, run, argument);
}

// ------------------------------------------------------------------------------------------------
// One store

// Values in every frame make it large.
static const char* deep_wat =
    "(module (func $f (export \"f\") (param i64 i64 i64 i64) (result i64)"
    "  (i64.add (call $f (local.get 1) (local.get 2) (local.get 3) (local.get 0))"
    "           (i64.mul (local.get 0) (local.get 3))))"
    "  (func $g (export \"shallow\") (param i32) (result i32)"
    "    (if (result i32) (local.get 0)"
    "      (then (i32.add (i32.const 1) (call $g (i32.sub (local.get 0) (i32.const 1)))))"
    "      (else (i32.const 0)))))";

static void check_deep_and_shallow(const fixture_t* fixture) {
  wasm_val_t arguments[4] = {I64(1), I64(2), I64(3), I64(4)}, result;
  for (int i = 0; i < 3; i++) {
    CHECK_TRAP(call(fixture_func(fixture, 0), arguments, 4, &result, 1), "call stack exhausted");
    CHECK_INT(call_i32_i32(fixture_func(fixture, 1), 100), 100);
  }
}

// Compiles there too.
static void* exhaust(void* argument) {
  (void)argument;
  fixture_t fixture = fixture_from_wat(deep_wat);
  check_deep_and_shallow(&fixture);
  fixture_delete(&fixture);
  return NULL;
}

static void exhaust_below(const fixture_t* fixture, size_t frames) {
  volatile char frame[64 * 1024];
  frame[0] = 1;
  if (frames > 0) {
    exhaust_below(fixture, frames - 1);
  } else {
    wasm_val_t arguments[4] = {I64(1), I64(2), I64(3), I64(4)}, result;
    CHECK_TRAP(call(fixture_func(fixture, 0), arguments, 4, &result, 1), "call stack exhausted");
  }
  frame[1] = frame[0];
}

// The system tells the bounds of the main thread's stack in a file. In a child, and first of all
// tests, because a thread asks only once.
TEST(deep_in_the_main_thread_without_files) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    struct rlimit limit, none = {0, 0};
    REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
    const size_t most = limit.rlim_cur < 8192 * kib ? (size_t)limit.rlim_cur : 8192 * kib;
    fixture_t fixture = fixture_from_wat(deep_wat);
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 100), 100);
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
    for (size_t left = most / 4; left >= 256 * kib; left /= 2) {
      exhaust_below(&fixture, (most - left) / (64 * kib));
    }
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 100), 100);
    _exit(checks_failed == 0 ? 0 : 1);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

// Growth that succeeds, or fails, or is none: on all stacks it ends, or traps.
static void* grow_in_loops(void* argument) {
  (void)argument;
  fixture_t fixture = fixture_from_wat(
      "(module (memory 1 20) (table $t 1 30 funcref)"
      "  (func (export \"memory\") (param i32 i32) (result i32)"
      "    (loop (drop (memory.grow (local.get 1)))"
      "      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
      "    (memory.size))"
      "  (func (export \"table\") (param i32 i32) (result i32)"
      "    (loop (drop (table.grow $t (ref.null func) (local.get 1)))"
      "      (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
      "    (table.size $t)))");
  static const int32_t sizes[] = {20, 30};
  for (size_t i = 0; i < 2; i++) {
    for (int32_t delta = 0; delta < 2; delta++) {
      wasm_val_t arguments[2] = {I32(100), I32(delta)}, result;
      CHECK_NULL(call(fixture_func(&fixture, i), arguments, 2, &result, 1));
      CHECK_INT(result.of.i32, delta == 0 ? 1 : sizes[i]);
      arguments[0] = I32(300000);
      wasm_trap_t* trap = call(fixture_func(&fixture, i), arguments, 2, &result, 1);
      if (trap) CHECK_TRAP(trap, "call stack exhausted");
    }
  }
  fixture_delete(&fixture);
  return NULL;
}

TEST(growth_in_loops_on_stacks_of_all_sizes) {
  run_with_each_stack(grow_in_loops, NULL);
}

TEST(recursion_on_stacks_of_all_sizes) {
  run_with_each_stack(exhaust, NULL);
}

static void* exhaust_given(void* fixture) {
  check_deep_and_shallow(fixture);
  return NULL;
}

TEST(one_store_on_stacks_of_all_sizes) {
  fixture_t fixture = fixture_from_wat(deep_wat);
  run_with_each_stack(exhaust_given, &fixture);
  check_deep_and_shallow(&fixture);
  fixture_delete(&fixture);
}

// The main thread's stack is large, and not looked at as a whole before a part of it is in use.
static void go_down(const fixture_t* fixture, size_t frames) {
  volatile char frame[256 * 1024];
  frame[0] = 1;
  CHECK_INT(call_i32_i32(fixture_func(fixture, 1), 100), 100);
  if (frames > 0) {
    go_down(fixture, frames - 1);
  } else {
    check_deep_and_shallow(fixture);
  }
  frame[1] = frame[0];
}

TEST(deep_in_the_main_thread) {
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
  const size_t most = limit.rlim_cur < 8192 * kib ? (size_t)limit.rlim_cur : 8192 * kib;
  fixture_t fixture = fixture_from_wat(deep_wat);
  check_deep_and_shallow(&fixture);
  for (size_t part = 1; part < 4; part++) go_down(&fixture, most / 4 * part / (256 * kib));
  check_deep_and_shallow(&fixture);
  fixture_delete(&fixture);
}

// WebAssembly and the host call each other; the trap comes out of the innermost call.
static wasm_trap_t* call_again(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  return call_plain(fixture_func(env, 0));
}

static wasm_trap_t* call_again_from_far(void* env, const wasm_val_vec_t* arguments,
                                        wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  volatile char buffer[1200 * 1024];
  for (size_t i = 0; i < sizeof(buffer); i += 4096) buffer[i] = 1;
  wasm_trap_t* trap = call_plain(fixture_func(env, 0));
  return buffer[0] ? trap : NULL;
}

static void check_through_host(wasm_func_callback_with_env_t callback) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "", "", callback, &fixture);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))",
               imports, 1);
  wasm_func_delete(host);
  for (int i = 0; i < 3; i++)
    CHECK_TRAP(call_plain(fixture_func(&fixture, 0)), "call stack exhausted");
  fixture_delete(&fixture);
}

static void* exhaust_through_host(void* argument) {
  (void)argument;
  check_through_host(call_again);
  return NULL;
}

TEST(recursion_through_the_host_on_stacks_of_all_sizes) {
  run_with_each_stack(exhaust_through_host, NULL);
}

// Each takes more of the stack than all guests may take together.
TEST(recursion_through_host_functions_with_large_frames) {
  check_through_host(call_again_from_far);
}

// ------------------------------------------------------------------------------------------------
// A new store at each level: the stack is the thread's.

typedef struct levels_t {
  wasm_engine_t* engine;
  wasm_shared_module_t* module;
  wasm_store_t* outer; // the store of the level that calls
  size_t levels;
} levels_t;

static wasm_trap_t* run_level(levels_t* levels);

static wasm_trap_t* next_level(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  return run_level(env);
}

// Returns with a trap of the outer store.
static wasm_trap_t* run_level(levels_t* levels) {
  wasm_store_t* outer = levels->outer;
  wasm_store_t* store = wasm_store_new(levels->engine);
  wasm_module_t* module = wasm_module_obtain(store, levels->module);
  wasm_func_t* host = host_func(store, "", "", next_level, levels);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t import_vec = {1, imports}, exports = WASM_EMPTY_VEC;
  levels->outer = store;
  levels->levels++;
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, &import_vec, &trap);
  if (instance) {
    wasm_instance_exports(instance, &exports);
    trap = call_plain(wasm_extern_as_func(exports.data[0]));
  }
  levels->outer = outer;
  wasm_trap_t* passed_on = NULL;
  if (trap) {
    CHECK_INT(wasmrt_trap_code(trap) == WASMRT_TRAP_STACK_EXHAUSTED ||
                  wasmrt_trap_code(trap) == WASMRT_TRAP_HOST,
              true);
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    passed_on = wasm_trap_new(outer ? outer : store, &message);
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return passed_on;
}

static void* exhaust_by_stores(void* wat) {
  levels_t levels = {wasm_engine_new(), NULL, NULL, 0};
  wasm_store_t* store = wasm_store_new(levels.engine);
  wasm_module_t* module = module_from_wat(store, wat);
  levels.module = wasm_module_share(module);
  CHECK_TRAP(run_level(&levels), "call stack exhausted");
  CHECK(levels.levels > 1);
  wasm_shared_module_delete(levels.module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(levels.engine);
  return NULL;
}

TEST(a_new_store_at_each_level) {
  static char calls[] = "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))";
  run_with_each_stack(exhaust_by_stores, calls);
}

TEST(a_new_store_at_each_level_by_start_functions) {
  static char starts[] =
      "(module (import \"\" \"\" (func $h)) (func $f (export \"f\") (call $h)) (start $f))";
  run_with_each_stack(exhaust_by_stores, starts);
}

// ------------------------------------------------------------------------------------------------
// A store is used elsewhere while one of its host functions waits.

typedef struct handover_t {
  fixture_t fixture;
  void (*run)(struct handover_t*);
  size_t stack;
  bool in_start_function;
  pthread_mutex_t lock; // for the thread that is there before
  pthread_cond_t changed;
  bool go, done;
} handover_t;

// An instance of another module in the same store, and one whose start function recurses.
static void use_store(wasm_store_t* store) {
  fixture_t inner = {NULL, store, NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&inner, deep_wat, NULL, 0);
  check_deep_and_shallow(&inner);
  wasm_extern_vec_delete(&inner.exports);
  wasm_instance_delete(inner.instance);
  wasm_module_delete(inner.module);
  wasm_module_t* module = module_from_wat(store, "(module (func $f (call $f)) (start $f))");
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = NULL;
  CHECK_NULL(wasm_instance_new(store, module, &none, &trap));
  CHECK_TRAP(trap, "call stack exhausted");
  wasm_module_delete(module);
}

static void use_elsewhere(handover_t* handover) {
  // A start function calls before there are exports.
  if (handover->fixture.exports.size != 0) {
    wasm_val_t arguments[4] = {I64(1), I64(2), I64(3), I64(4)}, result;
    CHECK_INT(call_i32_i32(fixture_func(&handover->fixture, 1), 100), 100);
    CHECK_TRAP(call(fixture_func(&handover->fixture, 0), arguments, 4, &result, 1),
               "call stack exhausted");
  }
  use_store(handover->fixture.store);
}

static wasm_trap_t* hand_over(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  handover_t* handover = env;
  handover->run(handover);
  return NULL;
}

static void check_handover(handover_t* handover) {
  static const char* wat =
      "(module (import \"\" \"\" (func $h))"
      "  (func $f (export \"f\") (param i64 i64 i64 i64) (result i64)"
      "    (i64.add (call $f (local.get 1) (local.get 2) (local.get 3) (local.get 0))"
      "             (i64.mul (local.get 0) (local.get 3))))"
      "  (func $g (export \"shallow\") (param i32) (result i32)"
      "    (if (result i32) (local.get 0)"
      "      (then (i32.add (i32.const 1) (call $g (i32.sub (local.get 0) (i32.const 1)))))"
      "      (else (i32.const 0))))"
      "  (func $call (export \"call\") (call $h))"
      "  %s)";
  char text[1024];
  snprintf(text, sizeof(text), wat, handover->in_start_function ? "(start $call)" : "");
  handover->fixture = fixture_new();
  wasm_func_t* host = host_func(handover->fixture.store, "", "", hand_over, handover);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&handover->fixture, text, imports, 1);
  wasm_func_delete(host);
  if (!handover->in_start_function) {
    for (int i = 0; i < 3; i++) CHECK_NO_TRAP(call_plain(fixture_func(&handover->fixture, 2)));
  }
  // Back on this stack, nothing of the other is left.
  wasm_val_t arguments[4] = {I64(1), I64(2), I64(3), I64(4)}, result;
  CHECK_TRAP(call(fixture_func(&handover->fixture, 0), arguments, 4, &result, 1),
             "call stack exhausted");
  CHECK_INT(call_i32_i32(fixture_func(&handover->fixture, 1), 100), 100);
  fixture_delete(&handover->fixture);
}

static void* use_in_thread(void* argument) {
  use_elsewhere(argument);
  return NULL;
}

static void run_in_new_thread(handover_t* handover) {
  run_with_stack(handover->stack, use_in_thread, handover);
}

TEST(a_store_goes_to_a_new_thread) {
  for (size_t i = 0; i < STACK_SIZES; i++) {
    for (int start = 0; start < 2; start++) {
      handover_t handover = {
          .run = run_in_new_thread, .stack = stack_sizes[i] * kib, .in_start_function = start};
      check_handover(&handover);
    }
  }
}

// The reverse: the stack that was made first lies above.
static void* wait_and_use(void* argument) {
  handover_t* handover = argument;
  pthread_mutex_lock(&handover->lock);
  for (int i = 0; i < 3; i++) {
    while (!handover->go) pthread_cond_wait(&handover->changed, &handover->lock);
    use_elsewhere(handover);
    handover->go = false;
    handover->done = true;
    pthread_cond_broadcast(&handover->changed);
  }
  pthread_mutex_unlock(&handover->lock);
  return NULL;
}

static void run_in_old_thread(handover_t* handover) {
  pthread_mutex_lock(&handover->lock);
  handover->go = true;
  handover->done = false;
  pthread_cond_broadcast(&handover->changed);
  while (!handover->done) pthread_cond_wait(&handover->changed, &handover->lock);
  pthread_mutex_unlock(&handover->lock);
}

static void* hand_over_to_old_thread(void* handover) {
  check_handover(handover);
  return NULL;
}

TEST(a_store_goes_to_an_older_thread) {
  handover_t handover = {.run = run_in_old_thread,
                         .lock = PTHREAD_MUTEX_INITIALIZER,
                         .changed = PTHREAD_COND_INITIALIZER};
  pthread_t old, new;
  REQUIRE(pthread_create(&old, NULL, wait_and_use, &handover) == 0);
  REQUIRE(pthread_create(&new, NULL, hand_over_to_old_thread, &handover) == 0);
  REQUIRE(pthread_join(new, NULL) == 0);
  REQUIRE(pthread_join(old, NULL) == 0);
}

// ------------------------------------------------------------------------------------------------
// Coroutines

static ucontext_t outside, inside;
static handover_t* of_coroutine;

static void coroutine(void) {
  use_elsewhere(of_coroutine);
  swapcontext(&inside, &outside);
}

// The stack has a page below it that faults.
static void run_in_coroutine(handover_t* handover) {
  const size_t page = 4096;
  char* memory = mmap(NULL, handover->stack + page, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(memory != MAP_FAILED);
  REQUIRE(mprotect(memory, page, PROT_NONE) == 0);
  of_coroutine = handover;
  getcontext(&inside);
  inside.uc_stack.ss_sp = memory + page;
  inside.uc_stack.ss_size = handover->stack;
  inside.uc_link = &outside;
  makecontext(&inside, coroutine, 0);
  swapcontext(&outside, &inside);
  munmap(memory, handover->stack + page);
}

TEST(a_store_goes_to_a_coroutine) {
  for (size_t i = 0; i < STACK_SIZES; i++) {
    handover_t handover = {.run = run_in_coroutine, .stack = stack_sizes[i] * kib};
    check_handover(&handover);
  }
}

TEST(everything_in_coroutines) {
  fixture_t fixture = fixture_from_wat(deep_wat);
  for (size_t i = 0; i < STACK_SIZES; i++) {
    handover_t handover = {
        .fixture = fixture, .run = run_in_coroutine, .stack = stack_sizes[i] * kib};
    run_in_coroutine(&handover);
    check_deep_and_shallow(&fixture);
  }
  fixture_delete(&fixture);
}
