// The harness of the C test suite. Every program is one translation unit that includes this header
// first and defines its tests with TEST(name); main is here. A program runs all its tests, or those
// named on its command line, prints each failed check with file, line, expected and actual value,
// and exits non-zero when there was one.
#ifndef WASMRT_TEST_H
#define WASMRT_TEST_H

#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L // setenv
#endif

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wasm.h>
#include <wasmrt.h>

// ------------------------------------------------------------------------------------------------
// Tests and checks

typedef struct test_t {
  const char* name;
  void (*run)(void);
  struct test_t* next;
} test_t;

static test_t* test_first;
static test_t** test_last = &test_first;

// Checks are counted atomically: some tests check from several threads.
static atomic_size_t checks_passed, checks_failed;

// Defines a test and registers it, in the order of definition.
#define TEST(test_name)                                                 \
  static void test_name(void);                                          \
  __attribute__((constructor)) static void register_##test_name(void) { \
    static test_t test = {#test_name, test_name, NULL};                 \
    *test_last = &test;                                                 \
    test_last = &test.next;                                             \
  }                                                                     \
  static void test_name(void)

static inline bool check_report(bool passed, const char* file, int line, const char* what) {
  if (passed) {
    checks_passed++;
  } else {
    checks_failed++;
    fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  }
  return passed;
}

static inline bool check_integers(int64_t actual, int64_t expected, const char* file, int line,
                                  const char* what) {
  bool passed = check_report(actual == expected, file, line, what);
  if (!passed) fprintf(stderr, "    expected %" PRId64 ", actual %" PRId64 "\n", expected, actual);
  return passed;
}

static inline bool check_pointers(const void* actual, const void* expected, const char* file,
                                  int line, const char* what) {
  bool passed = check_report(actual == expected, file, line, what);
  if (!passed) fprintf(stderr, "    expected %p, actual %p\n", expected, actual);
  return passed;
}

static inline bool check_strings(const char* actual, const char* expected, const char* file,
                                 int line, const char* what) {
  bool passed = actual && strcmp(actual, expected) == 0;
  check_report(passed, file, line, what);
  if (!passed)
    fprintf(stderr, "    expected \"%s\", actual \"%s\"\n", expected, actual ? actual : "(null)");
  return passed;
}

static inline bool check_contains(const char* actual, const char* part, const char* file, int line,
                                  const char* what) {
  bool passed = actual && strstr(actual, part) != NULL;
  check_report(passed, file, line, what);
  if (!passed)
    fprintf(stderr, "    expected a text with \"%s\", actual \"%s\"\n", part,
            actual ? actual : "(null)");
  return passed;
}

#define CHECK(condition) check_report((condition), __FILE__, __LINE__, #condition)
#define CHECK_INT(actual, expected) \
  check_integers((int64_t)(actual), (int64_t)(expected), __FILE__, __LINE__, #actual)
#define CHECK_PTR(actual, expected) \
  check_pointers((actual), (expected), __FILE__, __LINE__, #actual)
#define CHECK_NULL(actual) check_pointers((actual), NULL, __FILE__, __LINE__, #actual)
#define CHECK_STR(actual, expected) check_strings((actual), (expected), __FILE__, __LINE__, #actual)
#define CHECK_CONTAINS(actual, part) check_contains((actual), (part), __FILE__, __LINE__, #actual)

// Ends the program if the condition does not hold: for what a test cannot continue without.
#define REQUIRE(condition)                                                                     \
  do {                                                                                         \
    if (!check_report((condition), __FILE__, __LINE__, "(required) " #condition)) {            \
      const char* required_message = wasmrt_last_error_message();                              \
      fprintf(stderr, "    last error: %s\n", required_message ? required_message : "(none)"); \
      exit(EXIT_FAILURE);                                                                      \
    }                                                                                          \
  } while (0)

static inline void check_error_left(const char* file, int line, const char* what) {
  const char* message = wasmrt_last_error_message();
  if (!check_report(message && message[0], file, line, what)) {
    fprintf(stderr, "    expected a last error message, there is none\n");
  }
  if (!check_report(wasmrt_last_error_kind() != WASMRT_ERROR_NONE, file, line, what)) {
    fprintf(stderr, "    expected a last error kind, there is none\n");
  }
}

// The condition describes a failed call; the call must also leave a message and a kind.
#define CHECK_FAILS(condition)                                 \
  do {                                                         \
    wasmrt_last_error_clear();                                 \
    check_report((condition), __FILE__, __LINE__, #condition); \
    check_error_left(__FILE__, __LINE__, #condition);          \
  } while (0)

// The same for a call without a result.
#define CHECK_LEAVES_ERROR(call)                 \
  do {                                           \
    wasmrt_last_error_clear();                   \
    call;                                        \
    check_error_left(__FILE__, __LINE__, #call); \
  } while (0)

// ------------------------------------------------------------------------------------------------
// Where the tests run

// valgrind is some fifty times slower, and so are threads that wait for each other under
// ThreadSanitizer. Loops that only repeat are shortened under them.
static inline bool under_valgrind(void) {
  const char* preload = getenv("LD_PRELOAD");
  return preload && strstr(preload, "vgpreload");
}

static inline bool under_thread_sanitizer(void) {
#if defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

static inline size_t repetitions(size_t full, size_t with_checker) {
  return under_valgrind() || under_thread_sanitizer() ? with_checker : full;
}

static inline bool backend_is(const wasm_engine_t* engine, const char* name) {
  const char* actual = wasmrt_engine_backend_name(engine);
  return actual && strcmp(actual, name) == 0;
}

// Whether the engine is a library that was loaded: the tests give its path.
static inline bool is_loaded(const wasm_engine_t* engine) {
  const char* name = wasmrt_engine_backend_name(engine);
  return name && strchr(name, '/');
}

// Getters that cannot fail here.
static inline uint64_t limit_of(const wasm_store_t* store, wasmrt_store_limit_t limit) {
  uint64_t value = 0;
  REQUIRE(wasmrt_store_limit(store, limit, &value));
  return value;
}

static inline uint64_t usage_of(const wasm_store_t* store, wasmrt_store_limit_t limit) {
  uint64_t usage = 0;
  REQUIRE(wasmrt_store_usage(store, limit, &usage));
  return usage;
}

static inline size_t modules_of(const wasm_engine_t* engine) {
  size_t count = 0;
  REQUIRE(wasmrt_engine_module_count(engine, &count));
  return count;
}

// ------------------------------------------------------------------------------------------------
// Values and types

#define I32(x) ((wasm_val_t)WASM_I32_VAL(x))
#define I64(x) ((wasm_val_t)WASM_I64_VAL(x))
#define F32(x) ((wasm_val_t)WASM_F32_VAL(x))
#define F64(x) ((wasm_val_t)WASM_F64_VAL(x))
#define EXTERNREF(x) ((wasm_val_t){.kind = WASM_EXTERNREF, .of = {.ref = (x)}})
#define FUNCREF(x) ((wasm_val_t){.kind = WASM_FUNCREF, .of = {.ref = (x)}})

// Fills an output with what looks like a value, so that a library that reads it before writing is
// caught.
#define GARBAGE(object) memset(&(object), 0xa5, sizeof(object))

// One letter a kind: i = i32, I = i64, f = f32, F = f64, e = externref, r = funcref.
static inline wasm_valkind_t kind_from_letter(char letter) {
  switch (letter) {
    case 'i': return WASM_I32;
    case 'I': return WASM_I64;
    case 'f': return WASM_F32;
    case 'F': return WASM_F64;
    case 'e': return WASM_EXTERNREF;
    default: return WASM_FUNCREF;
  }
}

static inline wasm_valtype_vec_t valtypes_from_letters(const char* letters) {
  wasm_valtype_vec_t types;
  size_t count = strlen(letters);
  wasm_valtype_vec_new_uninitialized(&types, count);
  for (size_t i = 0; i < count; i++) types.data[i] = wasm_valtype_new(kind_from_letter(letters[i]));
  return types;
}

// functype("iI", "F") is the type of (param i32 i64) (result f64).
static inline wasm_functype_t* functype(const char* parameters, const char* results) {
  wasm_valtype_vec_t parameter_types = valtypes_from_letters(parameters);
  wasm_valtype_vec_t result_types = valtypes_from_letters(results);
  return wasm_functype_new(&parameter_types, &result_types);
}

static inline bool functype_is(const wasm_functype_t* type, const char* parameters,
                               const char* results) {
  const wasm_valtype_vec_t* both[2] = {wasm_functype_params(type), wasm_functype_results(type)};
  const char* letters[2] = {parameters, results};
  for (size_t side = 0; side < 2; side++) {
    if (!both[side] || both[side]->size != strlen(letters[side])) return false;
    for (size_t i = 0; i < both[side]->size; i++) {
      if (wasm_valtype_kind(both[side]->data[i]) != kind_from_letter(letters[side][i]))
        return false;
    }
  }
  return true;
}

static inline wasm_globaltype_t* globaltype(wasm_valkind_t kind, wasm_mutability_t mutability) {
  return wasm_globaltype_new(wasm_valtype_new(kind), mutability);
}

static inline wasm_tabletype_t* tabletype(wasm_valkind_t kind, uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  return wasm_tabletype_new(wasm_valtype_new(kind), &limits);
}

static inline wasm_memorytype_t* memorytype(uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  return wasm_memorytype_new(&limits);
}

static inline bool bytes_are(const wasm_byte_vec_t* bytes, const char* expected, size_t size) {
  return bytes && bytes->size == size && (size == 0 || memcmp(bytes->data, expected, size) == 0);
}

static inline bool name_is(const wasm_name_t* name, const char* expected) {
  return bytes_are(name, expected, strlen(expected));
}

// ------------------------------------------------------------------------------------------------
// Objects

static inline wasm_byte_vec_t binary_from_wat(const char* wat) {
  wasm_byte_vec_t binary;
  REQUIRE(wasmrt_wat2wasm(wat, strlen(wat), &binary));
  return binary;
}

static inline wasm_module_t* module_from_wat(wasm_store_t* store, const char* wat) {
  wasm_byte_vec_t binary = binary_from_wat(wat);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  REQUIRE(module);
  return module;
}

// For modules of proposals that an engine may lack: returns NULL, and then there is a message.
static inline wasm_module_t* try_module_from_wat(wasm_store_t* store, const char* wat) {
  wasm_byte_vec_t binary = binary_from_wat(wat);
  wasmrt_last_error_clear();
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  if (!module) check_error_left(__FILE__, __LINE__, "wasm_module_new");
  return module;
}

static inline void print_trap(const wasm_trap_t* trap) {
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  fprintf(stderr, "    trap: %s\n", message.size ? message.data : "(no message)");
  wasm_byte_vec_delete(&message);
}

// An engine, a store, and (fixture_load) one instance with its exports in declared order.
typedef struct fixture_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_module_t* module;
  wasm_instance_t* instance;
  wasm_extern_vec_t exports;
} fixture_t;

static inline fixture_t fixture_new(void) {
  fixture_t fixture = {NULL, NULL, NULL, NULL, WASM_EMPTY_VEC};
  fixture.engine = wasm_engine_new();
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  REQUIRE(fixture.store);
  return fixture;
}

static inline wasm_instance_t* instantiate(wasm_store_t* store, const wasm_module_t* module,
                                           wasm_extern_t** imports, size_t import_count) {
  wasm_extern_vec_t import_vec = {import_count, imports};
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, &import_vec, &trap);
  if (trap) print_trap(trap);
  wasm_trap_delete(trap);
  REQUIRE(instance);
  return instance;
}

static inline void fixture_load(fixture_t* fixture, const char* wat, wasm_extern_t** imports,
                                size_t import_count) {
  fixture->module = module_from_wat(fixture->store, wat);
  fixture->instance = instantiate(fixture->store, fixture->module, imports, import_count);
  wasm_instance_exports(fixture->instance, &fixture->exports);
}

static inline fixture_t fixture_from_wat(const char* wat) {
  fixture_t fixture = fixture_new();
  fixture_load(&fixture, wat, NULL, 0);
  return fixture;
}

static inline void fixture_delete(fixture_t* fixture) {
  wasm_extern_vec_delete(&fixture->exports);
  wasm_instance_delete(fixture->instance);
  wasm_module_delete(fixture->module);
  wasm_store_delete(fixture->store);
  wasm_engine_delete(fixture->engine);
}

// The exports, borrowed from the fixture.
static inline wasm_func_t* fixture_func(const fixture_t* fixture, size_t index) {
  REQUIRE(index < fixture->exports.size);
  wasm_func_t* func = wasm_extern_as_func(fixture->exports.data[index]);
  REQUIRE(func);
  return func;
}

static inline wasm_global_t* fixture_global(const fixture_t* fixture, size_t index) {
  REQUIRE(index < fixture->exports.size);
  wasm_global_t* global = wasm_extern_as_global(fixture->exports.data[index]);
  REQUIRE(global);
  return global;
}

static inline wasm_table_t* fixture_table(const fixture_t* fixture, size_t index) {
  REQUIRE(index < fixture->exports.size);
  wasm_table_t* table = wasm_extern_as_table(fixture->exports.data[index]);
  REQUIRE(table);
  return table;
}

static inline wasm_memory_t* fixture_memory(const fixture_t* fixture, size_t index) {
  REQUIRE(index < fixture->exports.size);
  wasm_memory_t* memory = wasm_extern_as_memory(fixture->exports.data[index]);
  REQUIRE(memory);
  return memory;
}

static inline wasm_func_t* host_func(wasm_store_t* store, const char* parameters,
                                     const char* results, wasm_func_callback_with_env_t callback,
                                     void* env) {
  wasm_functype_t* type = functype(parameters, results);
  wasm_func_t* func = wasm_func_new_with_env(store, type, callback, env, NULL);
  wasm_functype_delete(type);
  REQUIRE(func);
  return func;
}

static inline wasm_trap_t* new_trap(wasm_store_t* store, const char* text) {
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, text);
  wasm_trap_t* trap = wasm_trap_new(store, &message);
  wasm_byte_vec_delete(&message);
  return trap;
}

// ------------------------------------------------------------------------------------------------
// Calls

static inline wasm_trap_t* call(const wasm_func_t* func, const wasm_val_t* arguments,
                                size_t argument_count, wasm_val_t* results, size_t result_count) {
  // wasm.h has no vector of const values; the arguments are not written.
  wasm_val_vec_t argument_vec = {argument_count, (wasm_val_t*)(uintptr_t)arguments};
  wasm_val_vec_t result_vec = {result_count, results};
  return wasm_func_call(func, &argument_vec, &result_vec);
}

static inline wasm_trap_t* call_plain(const wasm_func_t* func) {
  return call(func, NULL, 0, NULL, 0);
}

static inline bool check_no_trap(wasm_trap_t* trap, const char* file, int line, const char* what) {
  bool passed = check_report(trap == NULL, file, line, what);
  if (!passed) print_trap(trap);
  wasm_trap_delete(trap);
  return passed;
}

// These two take ownership of the trap.
#define CHECK_NO_TRAP(trap) check_no_trap((trap), __FILE__, __LINE__, #trap)
#define CHECK_TRAP(trap, text) check_trap((trap), (text), true, __FILE__, __LINE__, #trap)
#define CHECK_TRAP_CONTAINS(trap, text) check_trap((trap), (text), false, __FILE__, __LINE__, #trap)

static inline void check_trap(wasm_trap_t* trap, const char* text, bool exact, const char* file,
                              int line, const char* what) {
  if (!check_report(trap != NULL, file, line, what)) {
    fprintf(stderr, "    expected a trap, there is none\n");
    return;
  }
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  bool terminated = message.size > 0 && message.data[message.size - 1] == 0;
  if (check_report(terminated, file, line, "message ends in zero")) {
    (exact ? check_strings : check_contains)(message.data, text, file, line, what);
    check_integers((int64_t)message.size, (int64_t)strlen(message.data) + 1, file, line,
                   "message size");
  }
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

// A call that the library refuses: a trap with some message, and the same kept as the last error.
#define CHECK_REFUSED(call)                                \
  do {                                                     \
    wasmrt_last_error_clear();                             \
    check_refused_trap((call), __FILE__, __LINE__, #call); \
  } while (0)

static inline void check_refused_trap(wasm_trap_t* trap, const char* file, int line,
                                      const char* what) {
  check_error_left(file, line, what);
  if (!check_report(trap != NULL, file, line, what)) return;
  wasm_message_t message;
  wasm_trap_message(trap, &message);
  check_report(message.size > 1, file, line, "the trap has a message");
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
}

// Calls a function () -> i32 or (i32) -> i32.
static inline int32_t call_i32(const wasm_func_t* func) {
  wasm_val_t result;
  GARBAGE(result);
  if (!CHECK_NO_TRAP(call(func, NULL, 0, &result, 1))) return -1;
  CHECK_INT(result.kind, WASM_I32);
  return result.of.i32;
}

static inline int32_t call_i32_i32(const wasm_func_t* func, int32_t argument) {
  wasm_val_t value = I32(argument), result;
  GARBAGE(result);
  if (!CHECK_NO_TRAP(call(func, &value, 1, &result, 1))) return -1;
  CHECK_INT(result.kind, WASM_I32);
  return result.of.i32;
}

// A finalizer that counts its calls in the size_t it is given, and host info that points there.
static inline void count_finalizer(void* counter) {
  ++*(size_t*)counter;
}

// ------------------------------------------------------------------------------------------------

int main(int argument_count, char** arguments) {
  size_t run = 0;
  for (test_t* test = test_first; test; test = test->next) {
    bool chosen = argument_count < 2;
    for (int i = 1; i < argument_count; i++)
      chosen = chosen || strcmp(arguments[i], test->name) == 0;
    if (!chosen) continue;
    size_t failed_before = checks_failed;
    test->run();
    run++;
    if (checks_failed != failed_before) fprintf(stderr, "FAILED %s\n", test->name);
  }
  if (run == 0) {
    fprintf(stderr, "no such test\n");
    return EXIT_FAILURE;
  }
  printf("%zu tests, %zu checks passed, %zu failed\n", run, (size_t)checks_passed,
         (size_t)checks_failed);
  return checks_failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
