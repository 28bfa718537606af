// Threads whose stack is as small as the README allows: recursion without end is a trap.
#include "test.h"

#include <pthread.h>

enum { STACK = 1 << 20 };  // what the README asks for

static void run_with_stack(size_t size, void* (*run)(void*)) {
  pthread_attr_t attributes;
  pthread_t thread;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, size) == 0);
  REQUIRE(pthread_create(&thread, &attributes, run, NULL) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
}

// Compiles there, too. Values in every frame make it a large one.
static void* exhaust(void* argument) {
  (void)argument;
  fixture_t fixture = fixture_from_wat(
      "(module (func $f (export \"f\") (param i64 i64 i64 i64) (result i64)"
      "  (i64.add (call $f (local.get 1) (local.get 2) (local.get 3) (local.get 0))"
      "           (i64.mul (local.get 0) (local.get 3)))))");
  for (int i = 0; i < 3; i++) {
    wasm_val_t arguments[4] = {I64(1), I64(2), I64(3), I64(4)}, result;
    CHECK_TRAP(call(fixture_func(&fixture, 0), arguments, 4, &result, 1), "call stack exhausted");
  }
  fixture_delete(&fixture);
  return NULL;
}

TEST(recursion_in_a_thread_with_a_small_stack) {
  run_with_stack(STACK, exhaust);
}

// WebAssembly and the host call each other; the trap comes out of the innermost call.
static wasm_trap_t* call_again(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  return call_plain(fixture_func(env, 0));
}

static void* exhaust_through_host(void* argument) {
  (void)argument;
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "", "", call_again, &fixture);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))",
               imports, 1);
  wasm_func_delete(host);
  CHECK_TRAP(call_plain(fixture_func(&fixture, 0)), "call stack exhausted");
  fixture_delete(&fixture);
  return NULL;
}

TEST(recursion_through_the_host_in_a_thread_with_a_small_stack) {
  run_with_stack(STACK, exhaust_through_host);
}
