// Warnings: what a logger receives, and when the logger itself is released.
#include "configured.h"

#include <pthread.h>

typedef struct logger_t {
  atomic_size_t calls, finalized;
  char last[4096];
} logger_t;

static void keep(void* env, uint32_t level, const char* message) {
  logger_t* logger = env;
  logger->calls++;
  CHECK_INT(level, WASMRT_LOG_WARNING);
  CHECK(message && message[0]);
  snprintf(logger->last, sizeof logger->last, "%s", message);
}

static void finalize(void* env) {
  ((logger_t*)env)->finalized++;
}

// An engine reads the environment, and warns about variables that it does not know.
static void cause_warning(void) {
  setenv("WASMRT_NO_SUCH_VARIABLE", "1", 1);
  wasm_engine_t* engine = wasm_engine_new();
  CHECK(engine != NULL);
  wasm_engine_delete(engine);
  unsetenv("WASMRT_NO_SUCH_VARIABLE");
}

TEST(nobody_hears_of_it_by_default) {
  wasmrt_last_error_clear();
  cause_warning();
  // A warning is not an error.
  CHECK_NULL(wasmrt_last_error_message());
}

TEST(a_variable_that_does_not_exist) {
  logger_t logger = {0};
  wasmrt_log_set_callback(keep, &logger, finalize);
  wasm_engine_delete(wasm_engine_new());
  CHECK_INT(logger.calls, 0);
  cause_warning();
  CHECK_INT(logger.calls, 1);
  CHECK_CONTAINS(logger.last, "WASMRT_NO_SUCH_VARIABLE");
  CHECK_INT(logger.finalized, 0);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  CHECK_INT(logger.finalized, 1);
  cause_warning();
  CHECK_INT(logger.calls, 1);
}

TEST(the_former_logger_is_let_go) {
  logger_t one = {0}, two = {0};
  wasmrt_log_set_callback(keep, &one, finalize);
  wasmrt_log_set_callback(keep, &two, finalize);
  CHECK_INT(one.finalized, 1);
  cause_warning();
  CHECK_INT(one.calls, 0);
  CHECK_INT(two.calls, 1);
  wasmrt_log_set_callback(keep, &two, NULL);
  CHECK_INT(two.finalized, 1);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  CHECK_INT(one.finalized, 1);
  CHECK_INT(two.finalized, 1);
}

TEST(no_callback_finalizes_at_once) {
  logger_t logger = {0};
  wasmrt_log_set_callback(NULL, &logger, finalize);
  CHECK_INT(logger.finalized, 1);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  CHECK_INT(logger.finalized, 1);
}

TEST(a_limit_that_was_reached) {
  logger_t logger = {0};
  wasmrt_log_set_callback(keep, &logger, finalize);
  fixture_t fixture = fixture_from_wat(
      "(module (memory 1) (func (export \"f\") (result i32) (memory.grow (i32.const 1))))");
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 65536));
  CHECK_INT(logger.calls, 0);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), -1);
  CHECK(logger.calls >= 1);
  CHECK_CONTAINS(logger.last, "65536");
  CHECK_CONTAINS(logger.last, "memory");
  fixture_delete(&fixture);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  CHECK_INT(logger.finalized, 1);
}

TEST(something_deleted_twice) {
  logger_t logger = {0};
  fixture_t fixture = fixture_new();
  wasm_trap_t* trap = new_trap(fixture.store, "text");
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasmrt_log_set_callback(keep, &logger, finalize);
  wasm_trap_delete(trap);
  wasm_foreign_delete(foreign);
  CHECK_INT(logger.calls, 0);
  wasm_foreign_delete(foreign);
  CHECK_INT(logger.calls, 1);
  wasm_trap_delete(trap);
  CHECK_INT(logger.calls, 2);
  CHECK_CONTAINS(logger.last, "deleted");
  wasmrt_log_set_callback(NULL, NULL, NULL);
  fixture_delete(&fixture);
}

// Uses the library, another engine and store than those of the warning, and replaces itself.
static void use_the_library(void* env, uint32_t level, const char* message) {
  keep(env, level, message);
  logger_t* logger = env;
  if (logger->calls > 1) return;
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (result i32) (i32.const 5)))");
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 5);
  fixture_delete(&fixture);
  CHECK_NULL(wasm_valtype_new(77));
  wasmrt_log_set_callback(NULL, NULL, NULL);
  // A thread is still inside it.
  CHECK_INT(logger->finalized, 0);
}

TEST(a_logger_that_uses_the_library_and_replaces_itself) {
  logger_t logger = {0};
  wasmrt_log_set_callback(use_the_library, &logger, finalize);
  cause_warning();
  CHECK(logger.calls >= 1);
  CHECK_INT(logger.finalized, 1);
  size_t calls = logger.calls;
  cause_warning();
  CHECK_INT(logger.calls, calls);
}

// Threads that cause warnings while another replaces the logger.
static void count_call(void* env, uint32_t level, const char* message) {
  logger_t* logger = env;
  CHECK_INT(level, WASMRT_LOG_WARNING);
  CHECK(message != NULL);
  CHECK_INT(logger->finalized, 0);
  logger->calls++;
}

static void* reach_limits(void* argument) {
  wasm_engine_t* engine = argument;
  size_t times = repetitions(200, 10);
  for (size_t i = 0; i < times; i++) {
    wasm_store_t* store = wasm_store_new(engine);
    CHECK(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 0));
    wasm_memorytype_t* type = memorytype(1, 1);
    CHECK_NULL(wasm_memory_new(store, type));
    wasm_memorytype_delete(type);
    wasm_store_delete(store);
  }
  return NULL;
}

TEST(warnings_on_many_threads) {
  enum { THREADS = 4, LOGGERS = 50 };
  static logger_t loggers[LOGGERS];
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  pthread_t threads[THREADS];
  wasmrt_log_set_callback(count_call, &loggers[0], finalize);
  for (size_t i = 0; i < THREADS; i++)
    REQUIRE(pthread_create(&threads[i], NULL, reach_limits, engine) == 0);
  for (size_t i = 1; i < LOGGERS; i++) wasmrt_log_set_callback(count_call, &loggers[i], finalize);
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  size_t calls = 0;
  wasmrt_log_set_callback(NULL, NULL, NULL);
  for (size_t i = 0; i < LOGGERS; i++) {
    CHECK_INT(loggers[i].finalized, 1);
    calls += loggers[i].calls;
  }
  CHECK(calls >= 1);
  wasm_engine_delete(engine);
}
