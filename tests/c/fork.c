// A child process uses what its parent made, and compiles: servers compile before they fork their workers.
#include "configured.h"

#include <sys/wait.h>
#include <unistd.h>

static const char text[] =
    "(module (func (export \"f\") (result i32) (i32.const 7)) (func) (func) (func) (func))";

// What the child does; returns true if it all works. It must not use the harness, which belongs to
// the parent.
static bool use_in_child(fixture_t* parent) {
  if (call_i32(fixture_func(parent, 0)) != 7) return false;
  for (int round = 0; round < 3; round++) {
    wasm_store_t* store = wasm_store_new(parent->engine);
    wasm_byte_vec_t binary;
    if (!wasmrt_wat2wasm(text, sizeof(text) - 1, &binary)) return false;
    bool valid = wasm_module_validate(store, &binary);
    wasm_module_t* module = wasm_module_new(store, &binary);
    wasm_byte_vec_delete(&binary);
    if (module == NULL || !valid) return false;
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  return true;
}

TEST(a_forked_child_calls_and_compiles) {
  fixture_t fixture = fixture_from_wat(text);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60); // a failure is a hang
    _exit(use_in_child(&fixture) ? 0 : 1);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  fixture_delete(&fixture);
}

// Memories of one process are no memories of the other, whatever the engine did when it made them.
TEST(a_child_has_memories_of_its_own) {
  enum { PAGES = 100 };
  fixture_t fixture = fixture_from_wat("(module (memory (export \"m\") 100))");
  byte_t* data = wasm_memory_data(fixture_memory(&fixture, 0));
  data[0] = data[MEMORY_PAGE_SIZE * PAGES / 2] = 1;
  int written[2];
  REQUIRE(pipe(written) == 0);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(60);
    char byte;
    bool right = read(written[0], &byte, 1) == 1;
    // What the parent wrote before, and not what it has written since.
    for (size_t at = 0; at < PAGES * MEMORY_PAGE_SIZE; at += 512)
      right &= data[at] == (at == 0 || at == MEMORY_PAGE_SIZE * PAGES / 2);
    memset(data, 3, PAGES * MEMORY_PAGE_SIZE);
    fixture_t own = fixture_from_wat("(module (memory (export \"m\") 100))");
    const byte_t* new_data = wasm_memory_data(fixture_memory(&own, 0));
    for (size_t at = 0; at < PAGES * MEMORY_PAGE_SIZE; at += 512) right &= new_data[at] == 0;
    _exit(right ? 0 : 1);
  }
  memset(data, 2, PAGES * MEMORY_PAGE_SIZE);
  CHECK(write(written[1], "", 1) == 1);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  size_t others = 0;
  for (size_t at = 0; at < PAGES * MEMORY_PAGE_SIZE; at += 512) others += data[at] != 2;
  CHECK_INT(others, 0);
  close(written[0]), close(written[1]);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// A fork in the middle of a call

static wasm_trap_t* fork_in_callback(void* env, const wasm_val_vec_t* arguments,
                                     wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  *(pid_t*)env = fork();
  return NULL;
}

// Both processes come back from the call, and can make another.
TEST(a_callback_forks) {
  fixture_t fixture = fixture_new();
  pid_t child = -1;
  fflush(NULL);
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $fork))"
                         "  (func (export \"f\") (result i32) (call $fork) (i32.const 7))"
                         "  (func (export \"trap\") (call $fork) unreachable))",
                         fork_in_callback, &child);
  for (size_t i = 0; i < 2; i++) {
    wasm_val_t result = I32(0);
    wasm_trap_t* trap = call(fixture_func(&fixture, i), NULL, 0, &result, i == 0 ? 1 : 0);
    if (child == 0) {
      alarm(60);
      bool right = i == 0 ? !trap && result.of.i32 == 7 : trap != NULL;
      fixture_t own = fixture_from_wat(text);
      _exit(right && call_i32(fixture_func(&own, 0)) == 7 ? 0 : 1);
    }
    REQUIRE(child > 0);
    CHECK((trap == NULL) == (i == 0));
    wasm_trap_delete(trap);
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
  }
  fixture_delete(&fixture);
}

// The thread for deadlines does not exist in the child: the guest continues there, and is stopped.
TEST(a_callback_forks_before_a_deadline) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL, NULL);
  pid_t child = -1;
  fflush(NULL);
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $fork))"
                         "  (func (export \"f\") (call $fork) (loop (br 0))))",
                         fork_in_callback, &child);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 100 * 1000 * 1000));
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  bool right = trap && wasmrt_trap_code(trap) == WASMRT_TRAP_TIMEOUT;
  if (child == 0) _exit(right ? 0 : 1);
  CHECK(right);
  wasm_trap_delete(trap);
  REQUIRE(child > 0);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  fixture_delete(&fixture);
}
