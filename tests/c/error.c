// The thread's last error: what sets it, what keeps it, what clears it.
#include "test.h"

#include <pthread.h>

TEST(no_error_at_first) {
  // The first test of this program: nothing has failed yet.
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
}

TEST(last_error_is_kept_by_success_and_cleared_on_demand) {
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_NULL(wasm_valtype_new(77));
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_delete(&fixture);
  CHECK_CONTAINS(wasmrt_last_error_message(), "77");
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
}

TEST(last_error_is_the_latest) {
  CHECK_NULL(wasm_valtype_new(77));
  CHECK_NULL(wasm_valtype_new(78));
  CHECK_CONTAINS(wasmrt_last_error_message(), "78");
  CHECK(strstr(wasmrt_last_error_message(), "77") == NULL);
}

TEST(kind_of_a_compile_error) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module (func (result i32)))");
  CHECK_FAILS(wasm_module_new(fixture.store, &binary) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_FAILS(!wasm_module_validate(fixture.store, &binary));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(kind_of_a_link_error) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (import \"mod\" \"name\" (func)))");
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK_CONTAINS(wasmrt_last_error_message(), "mod");
  CHECK_CONTAINS(wasmrt_last_error_message(), "name");
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(kind_of_a_trap) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (func $f unreachable) (start $f))");
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_TRAP);
  CHECK_CONTAINS(wasmrt_last_error_message(), "unreachable");
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(kind_of_an_artifact_error) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t bytes;
  wasm_byte_vec_new(&bytes, 4, "what");
  CHECK_FAILS(wasm_module_deserialize(fixture.store, &bytes) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_ARTIFACT);
  wasm_byte_vec_delete(&bytes);
  fixture_delete(&fixture);
}

TEST(kind_of_misuse) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (param i32)))");
  CHECK_REFUSED(call_plain(fixture_func(&fixture, 0)));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  CHECK_FAILS(wasm_foreign_new(NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  fixture_delete(&fixture);
}

TEST(kind_of_a_limit) {
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  CHECK_FAILS(!wasm_memory_grow(memory, 1));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

// A message stays valid over calls that succeed.
TEST(message_stays_where_it_is) {
  CHECK_NULL(wasm_valtype_new(99));
  const char* message = wasmrt_last_error_message();
  fixture_t fixture = fixture_from_wat("(module)");
  fixture_delete(&fixture);
  CHECK_PTR(wasmrt_last_error_message(), message);
  CHECK_CONTAINS(message, "99");
}

// ------------------------------------------------------------------------------------------------
// At the end of a thread and of the process: what failed before is still known, and what fails now
// is.

static void check_error(const char* message) {
  if (CHECK(wasmrt_last_error_message() != NULL))
    CHECK_CONTAINS(wasmrt_last_error_message(), message);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
}

// The handler is registered before the library does anything, and so runs after all of its own.
static const char* at_exit;

static void check_at_exit(void) {
  if (!at_exit) return;
  check_error(at_exit);
  CHECK_NULL(wasm_valtype_new(91));
  check_error("91");
  CHECK_NULL(wasm_valtype_new(92));
  check_error("92");
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module (func (result i32)))");
  CHECK_FAILS(wasm_module_new(fixture.store, &binary) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_FAILS(!wasm_module_validate(fixture.store, &binary));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_NULL(wasm_valtype_new(93));
  if (checks_failed > 0) _Exit(EXIT_FAILURE);
}

__attribute__((constructor)) static void register_check_at_exit(void) {
  atexit(check_at_exit);
}

__attribute__((destructor)) static void check_in_destructor(void) {
  if (!at_exit) return;
  check_error("93");
  CHECK_NULL(wasm_valtype_new(94));
  check_error("94");
  if (checks_failed > 0) _Exit(EXIT_FAILURE);
}

TEST(messages_at_exit) {
  CHECK_NULL(wasm_valtype_new(90));
  at_exit = "90";
}

enum { KEYS = 3 };
static pthread_key_t keys[KEYS];
static atomic_size_t destructors;

static void check_in_thread_destructor(void* value) {
  destructors++;
  check_error(value);
  CHECK_NULL(wasm_valtype_new(81));
  check_error("81");
  CHECK_NULL(wasm_valtype_new(80));
}

static void* fail_and_end(void* key) {
  CHECK_NULL(wasm_valtype_new(80));
  if (key) CHECK(pthread_setspecific(*(pthread_key_t*)key, "80") == 0);
  return NULL;
}

// Fails once more in each round of destructors but the last: what a thread keeps then stays.
static void fail_in_three_rounds(void* value) {
  CHECK_NULL(wasm_valtype_new(82));
  check_error("82");
  destructors++;
  const char* rounds = value;
  if (rounds[1]) CHECK(pthread_setspecific(keys[2], rounds + 1) == 0);
}

static void* fail_only_at_the_end(void* unused) {
  (void)unused;
  CHECK(pthread_setspecific(keys[2], "123") == 0);
  return NULL;
}

// The destructors run in the order of their keys, so that one comes before the library's. That
// nothing is left behind is for the memory checkers to say.
TEST(messages_at_the_end_of_a_thread) {
  for (size_t i = 0; i < KEYS; i++)
    REQUIRE(pthread_key_create(&keys[i],
                               i < 2 ? check_in_thread_destructor : fail_in_three_rounds) == 0);
  void* (*const starts[KEYS + 1])(void*) = {fail_and_end, fail_and_end, fail_only_at_the_end,
                                            fail_and_end};
  destructors = 0;
  for (int again = 0; again < 3; again++) {
    for (size_t i = 0; i <= KEYS; i++) {
      pthread_t thread;
      REQUIRE(pthread_create(&thread, NULL, starts[i], i < KEYS ? &keys[i] : NULL) == 0);
      REQUIRE(pthread_join(thread, NULL) == 0);
    }
  }
  CHECK_INT(destructors, 3 * (2 + 3));
  for (size_t i = 0; i < KEYS; i++) pthread_key_delete(keys[i]);
}

TEST(names_of_kinds) {
  static const char* const names[] = {"none",     "misuse",   "compile",     "link",
                                      "trap",     "limit",    "unsupported", NULL,
                                      "artifact", "internal", "file"};
  for (wasmrt_error_kind_t kind = 0; kind < 1000; kind++) {
    const char* expected = kind < sizeof names / sizeof *names ? names[kind] : NULL;
    if (expected) {
      CHECK_STR(wasmrt_error_kind_name(kind), expected);
    } else {
      CHECK_NULL(wasmrt_error_kind_name(kind));
    }
  }
  CHECK_STR(wasmrt_error_kind_name(WASMRT_ERROR_ARTIFACT), "artifact");
  CHECK_STR(wasmrt_error_kind_name(WASMRT_ERROR_INTERNAL), "internal");
  CHECK_NULL(wasmrt_error_kind_name(UINT32_MAX));
}
