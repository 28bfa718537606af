// The process belongs to the host: its signals, threads and file descriptors are left alone, and
// nothing runs while no guest does. Each test is a child process, because it changes what the
// process may do.
#define _GNU_SOURCE // setgroups
#include "configured.h"

#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void run_in_child(void (*run)(void)) {
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    alarm(100); // some failures are hangs
    size_t failed_before = checks_failed;
    run();
    fflush(NULL);
    _exit(checks_failed != failed_before ? EXIT_FAILURE : EXIT_SUCCESS);
  }
  int status = -1;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
}

#define TEST_IN_CHILD(name)          \
  static void name##_in_child(void); \
  TEST(name) {                       \
    run_in_child(name##_in_child);   \
  }                                  \
  static void name##_in_child(void)

// A module of many functions, large enough to be worth threads. The first one may be invalid.
static wasm_byte_vec_t large_module(size_t functions, bool valid) {
  static const char function[] =
      "(func (param i32) (result i32)"
      "  (i32.add (i32.mul (local.get 0) (i32.const 3)) (i32.xor (local.get 0) (i32.const 9)))"
      "  (i32.sub (i32.const 77)) (i32.rotl (local.get 0)) (i32.and (i32.const 255)))";
  char* text = malloc(functions * sizeof function + 200);
  REQUIRE(text);
  char* end = text + sprintf(text, "(module (func (result i32) %s)",
                             valid ? "(i32.const 1)" : "(i64.const 1)");
  for (size_t i = 0; i < functions; i++) end += sprintf(end, "%s", function);
  end += sprintf(end, "(func (export \"f\") (result i32) (i32.const 12)))");
  wasm_byte_vec_t binary;
  REQUIRE(wasmrt_wat2wasm(text, (size_t)(end - text), &binary));
  free(text);
  return binary;
}

// Calls `visit` for each of the process's threads with its directory in /proc; returns their
// number.
static size_t for_each_thread(void (*visit)(const char* directory)) {
  DIR* tasks = opendir("/proc/self/task");
  REQUIRE(tasks);
  size_t count = 0;
  for (struct dirent* task; (task = readdir(tasks));) {
    if (task->d_name[0] == '.') continue;
    char directory[300];
    snprintf(directory, sizeof directory, "/proc/self/task/%s", task->d_name);
    count++;
    if (visit) visit(directory);
  }
  closedir(tasks);
  return count;
}

// Returns the number of threads, once those that have ended are gone from /proc: that takes the
// system a moment after they were joined.
static size_t threads_in_the_end(void) {
  size_t count = for_each_thread(NULL);
  for (int i = 0; i < 1000 && count > 1; i++) {
    nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
    count = for_each_thread(NULL);
  }
  return count;
}

// Reads a line of a thread's status; 0 if the thread is gone.
static unsigned long long thread_status(const char* directory, const char* line, int base) {
  char path[320], text[200];
  snprintf(path, sizeof path, "%s/status", directory);
  FILE* file = fopen(path, "r");
  unsigned long long value = 0;
  while (file && fgets(text, sizeof text, file)) {
    if (strncmp(text, line, strlen(line)) == 0) value = strtoull(text + strlen(line), NULL, base);
  }
  if (file) fclose(file);
  return value;
}

static bool thread_is_named(const char* directory, const char* start) {
  char path[320], name[50] = "";
  snprintf(path, sizeof path, "%s/comm", directory);
  FILE* file = fopen(path, "r");
  bool is = file && fgets(name, sizeof name, file) && strncmp(name, start, strlen(start)) == 0;
  if (file) fclose(file);
  return is;
}

// ------------------------------------------------------------------------------------------------
// The library's own threads

static atomic_size_t helpers_seen, helpers_loud;

// All that can be blocked: not SIGKILL, SIGSTOP, and the two that the C library keeps.
static void look_at_helper(const char* directory) {
  if (!thread_is_named(directory, "wasmrt")) return;
  unsigned long long blocked = thread_status(directory, "SigBlk:", 16);
  if (blocked == 0 && access(directory, F_OK) != 0) return; // it has just ended
  unsigned long long all = ~0ull & ~(1ull << (SIGKILL - 1)) & ~(1ull << (SIGSTOP - 1));
  for (int i = 32; i < SIGRTMIN; i++) all &= ~(1ull << (i - 1));
  helpers_seen++;
  if ((blocked & all) != all) helpers_loud++;
}

static atomic_bool watching;

static void* watch_helpers(void* argument) {
  (void)argument;
  while (watching) for_each_thread(look_at_helper);
  return NULL;
}

static void compile_while_watched(wasm_engine_t* engine, const wasm_byte_vec_t* binary) {
  pthread_t watcher;
  watching = true;
  REQUIRE(pthread_create(&watcher, NULL, watch_helpers, NULL) == 0);
  wasm_store_t* store = wasm_store_new(engine);
  bool parallel = backend_is(engine, "wasmtime") && sysconf(_SC_NPROCESSORS_ONLN) > 1;
  for (int i = 0; i < (parallel ? 50 : 3) && helpers_seen == 0; i++) {
    CHECK(wasm_module_validate(store, binary));
    wasm_module_t* module = wasm_module_new(store, binary);
    REQUIRE(module);
    wasm_module_delete(module);
  }
  wasm_store_delete(store);
  watching = false;
  REQUIRE(pthread_join(watcher, NULL) == 0);
}

TEST_IN_CHILD(threads_that_compile_block_all_signals_and_do_not_stay) {
  wasm_byte_vec_t binary = large_module(1000, true);
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  compile_while_watched(engine, &binary);
  if (backend_is(engine, "wasmtime") && sysconf(_SC_NPROCESSORS_ONLN) > 1) CHECK(helpers_seen > 0);
  CHECK_INT(helpers_loud, 0);
  CHECK_INT(threads_in_the_end(), 1);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&binary);
}

TEST_IN_CHILD(no_thread_is_made_without_parallel_compilation) {
  wasm_byte_vec_t binary = large_module(300, true);
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_parallel_compilation(config, false));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  compile_while_watched(engine, &binary);
  CHECK_INT(helpers_seen, 0);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&binary);
}

// A signal that all of the host's threads block stays pending until the host wants it.
TEST_IN_CHILD(the_hosts_signals_are_the_hosts) {
  fixture_t fixture =
      fixture_with(wasmrt_config_set_interruption, NULL, "(module (func (export \"f\")))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 1000000000));
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  wasm_byte_vec_t binary = large_module(50, true);
  wasm_module_delete(wasm_module_new(fixture.store, &binary));
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  REQUIRE(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
  kill(getpid(), SIGTERM);
  wasm_module_delete(wasm_module_new(fixture.store, &binary));
  int number = 0;
  CHECK_INT(sigwait(&set, &number), 0);
  CHECK_INT(number, SIGTERM);
  for_each_thread(look_at_helper);
  CHECK_INT(helpers_seen, backend_is(fixture.engine, "wasmtime")); // the one for timeouts
  CHECK_INT(helpers_loud, 0);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
  CHECK_INT(threads_in_the_end(), 1);
}

static void* do_nothing(void* argument) {
  return argument;
}

static bool thread_can_be_made(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, do_nothing, NULL) != 0) return false;
  REQUIRE(pthread_join(thread, NULL) == 0);
  return true;
}

TEST_IN_CHILD(modules_compile_where_no_thread_can_be_made) {
  // No limit applies to the superuser.
  if (geteuid() == 0) {
    REQUIRE(setgroups(0, NULL) == 0 && setgid(65533) == 0 && setuid(65533) == 0);
  }
  struct rlimit former, none;
  REQUIRE(getrlimit(RLIMIT_NPROC, &former) == 0);
  none = (struct rlimit){0, former.rlim_max};
  REQUIRE(setrlimit(RLIMIT_NPROC, &none) == 0);
  CHECK(!thread_can_be_made());
  wasm_byte_vec_t large = large_module(200, true), small = large_module(1, true);
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  const wasm_byte_vec_t* binaries[] = {&large, &small};
  for (int round = 0; round < 4; round++) {
    // Again with threads; again without.
    REQUIRE(setrlimit(RLIMIT_NPROC, round % 2 ? &former : &none) == 0);
    CHECK(thread_can_be_made() == (round % 2 == 1));
    for (int i = 0; i < 2; i++) {
      CHECK(wasm_module_validate(store, binaries[i]));
      wasm_module_t* module = wasm_module_new(store, binaries[i]);
      REQUIRE(module);
      wasm_instance_t* instance = instantiate(store, module, NULL, 0);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 12);
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
    }
  }
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&large);
  wasm_byte_vec_delete(&small);
}

static long resident_kilobytes(void) {
  long total = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  REQUIRE(file && fscanf(file, "%ld %ld", &total, &resident) == 2);
  fclose(file);
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void* compile_once(void* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_delete(module_from_wat(store, "(module (func (export \"f\") (drop (i32.const 1))))"));
  wasm_store_delete(store);
  return NULL;
}

static void compile_in_threads(wasm_engine_t* engine, size_t threads) {
  for (size_t i = 0; i < threads; i++) {
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, compile_once, engine) == 0);
    REQUIRE(pthread_join(thread, NULL) == 0);
  }
}

// The child of a process that has compiled: its threads come and go, and leave nothing behind.
TEST_IN_CHILD(threads_that_compile_in_a_forked_child_leave_nothing) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  wasm_byte_vec_t large = large_module(200, true);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_delete(wasm_module_new(store, &large));
  wasm_byte_vec_delete(&large);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    compile_in_threads(engine, 300); // this fills all caches
    long before = resident_kilobytes();
    compile_in_threads(engine, 1000);
    long grown = resident_kilobytes() - before;
    printf("1000 threads that compiled in a child: %ld KB\n", grown);
    fflush(NULL);
    _exit(grown < 2000 && threads_in_the_end() == 1 ? EXIT_SUCCESS : EXIT_FAILURE);
  }
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK_INT(status, 0);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

// Compilers need more stack than such a thread has, so the library compiles in another thread.
static void* compile_everything(void* argument) {
  const char* const compilers[] = {"", "winch"};
  for (int i = 0; i < 2; i++) {
    wasm_config_t* config = wasm_config_new();
    if (i == 1 && !wasmrt_config_set_backend(config, "wasmtime")) {
      wasm_config_delete(config);
      continue; // a library without it
    }
    if (i == 1) REQUIRE(wasmrt_config_set_compiler(config, WASMRT_COMPILER_WINCH));
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    REQUIRE(engine);
    wasm_store_t* store = wasm_store_new(engine);
    for (const wasm_byte_vec_t* binary = argument; binary->size > 0; binary++) {
      wasm_module_t* module = wasm_module_new(store, binary);
      CHECK(module);
      if (!module) printf("    with the compiler \"%s\"\n", compilers[i]);
      wasm_module_delete(module);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
  return NULL;
}

TEST_IN_CHILD(a_thread_with_a_tiny_stack_compiles) {
  wasm_byte_vec_t binaries[] = {large_module(0, true), large_module(200, true), WASM_EMPTY_VEC};
  pthread_attr_t attributes;
  pthread_t thread;
  REQUIRE(pthread_attr_init(&attributes) == 0);
  REQUIRE(pthread_attr_setstacksize(&attributes, 128 << 10) == 0);
  REQUIRE(pthread_create(&thread, &attributes, compile_everything, binaries) == 0);
  REQUIRE(pthread_join(thread, NULL) == 0);
  pthread_attr_destroy(&attributes);
  wasm_byte_vec_delete(&binaries[0]);
  wasm_byte_vec_delete(&binaries[1]);
}

// ------------------------------------------------------------------------------------------------
// The processor

static uint64_t processor_time(void) {
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static char* error_copy(uint64_t* offset) {
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK(wasmrt_last_error_offset(offset));
  return strdup(wasmrt_last_error_message());
}

TEST_IN_CHILD(an_invalid_module_is_refused_before_anything_is_compiled) {
  wasm_byte_vec_t valid = large_module(3000, true), invalid = large_module(3000, false);
  fixture_t fixture = fixture_new();
  CHECK_FAILS(!wasm_module_validate(fixture.store, &invalid));
  uint64_t validated_offset = 0, offset = 1;
  char* validated = error_copy(&validated_offset);
  uint64_t begin = processor_time();
  CHECK_FAILS(wasm_module_new(fixture.store, &invalid) == NULL);
  uint64_t refused = processor_time() - begin;
  char* message = error_copy(&offset);
  CHECK_STR(message, validated);
  CHECK_INT(offset, validated_offset);
  begin = processor_time();
  wasm_module_t* module = wasm_module_new(fixture.store, &valid);
  REQUIRE(module);
  uint64_t compiled = processor_time() - begin;
  // wasmi compiles so quickly that this does not hold there.
  if (backend_is(fixture.engine, "wasmtime")) CHECK(refused < compiled / 4);
  free(validated);
  free(message);
  wasm_module_delete(module);
  fixture_delete(&fixture);
  wasm_byte_vec_delete(&valid);
  wasm_byte_vec_delete(&invalid);
}

static unsigned long long ticker_switches;
static size_t tickers;

static void look_at_ticker(const char* directory) {
  if (!thread_is_named(directory, "wasmrt-ticker")) return;
  ticker_switches = thread_status(directory, "voluntary_ctxt_switches:", 10);
  tickers++;
}

// How often the thread for timeouts has gone to sleep.
static unsigned long long switches(void) {
  tickers = 0;
  for_each_thread(look_at_ticker);
  CHECK_INT(tickers, 1);
  return ticker_switches;
}

static void wait_a_second(void) {
  nanosleep(&(struct timespec){1, 0}, NULL);
}

TEST_IN_CHILD(nothing_wakes_up_while_no_guest_runs) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL,
                                   "(module (func (export \"loop\") (loop (br 0))) (func (export "
                                   "\"f\") (result i32) (i32.const 3)))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 30000000));
  if (!backend_is(fixture.engine, "wasmtime")) {
    CHECK_INT(for_each_thread(NULL), 1); // wasmi looks at the time itself
    fixture_delete(&fixture);
    return;
  }
  for (int round = 0; round < 2; round++) {
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    unsigned long long before = switches();
    wait_a_second();
    CHECK(switches() - before <= 5);
    // It wakes up for a guest that does not return,
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    // but not for each of many that do.
    before = switches();
    for (int i = 0; i < 20000; i++) {
      wasm_val_t result;
      CHECK_NO_TRAP(call(fixture_func(&fixture, 1), NULL, 0, &result, 1));
    }
    CHECK(switches() - before < 5000);
  }
  fixture_delete(&fixture);
}

static wasm_trap_t* set_deadline(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  (void)arguments, (void)results;
  CHECK(wasmrt_store_set_timeout(env, 20000000));
  return NULL;
}

// The deadline passes while the guest runs, with its thread asleep or not yet started.
TEST_IN_CHILD(a_deadline_set_by_a_callback_stops_the_guest) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL, NULL);
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $host))"
                         "  (func (export \"f\") (call $host) (loop (br 0))))",
                         set_deadline, fixture.store);
  for (int round = 0; round < 3; round++) {
    CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    CHECK(
        wasmrt_store_set_call_timeout(fixture.store, round == 0 ? WASMRT_NO_TIMEOUT : 60000000000));
    if (round == 2) nanosleep(&(struct timespec){0, 50000000}, NULL);
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  }
  fixture_delete(&fixture);
}

// Guests that begin just when the thread for timeouts goes to sleep are stopped nevertheless.
static void* stop_often(void* argument) {
  wasm_engine_t* engine = argument;
  fixture_t fixture = {NULL, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&fixture, "(module (func (export \"loop\") (loop (br 0))))", NULL, 0);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 100000));
  for (int i = 0; i < 60; i++) {
    // Its steps take 5 ms; this hits them at many points.
    nanosleep(&(struct timespec){0, 4000000 + i * 100000}, NULL);
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  }
  fixture_delete(&fixture);
  return NULL;
}

TEST_IN_CHILD(a_guest_that_begins_at_any_time_is_stopped) {
  wasm_engine_t* engine =
      wasm_engine_new_with_config(config_with(wasmrt_config_set_interruption, NULL));
  REQUIRE(engine);
  pthread_t threads[3];
  for (int i = 0; i < 3; i++) REQUIRE(pthread_create(&threads[i], NULL, stop_often, engine) == 0);
  for (int i = 0; i < 3; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
  wasm_engine_delete(engine);
}

// ------------------------------------------------------------------------------------------------
// File descriptors

enum { FEW = 40, MODULES = 100 };

static size_t open_descriptors(void) {
  size_t count = 0;
  for (int i = 0; i < FEW; i++) {
    int copy = dup(i);
    count += copy >= 0 || errno == EMFILE;
    if (copy >= 0) close(copy);
  }
  return count;
}

static void allow_few_descriptors(void) {
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &limit) == 0);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){FEW, limit.rlim_max}) == 0);
}

// A module with data at the beginning and at the end of a page.
static wasm_module_t* module_with_data(wasm_store_t* store, int number) {
  char text[300];
  snprintf(text, sizeof text,
           "(module (memory (export \"m\") 1) (data (i32.const 0) \"number %d\")"
           "  (data \"passive\") (data (i32.const 65535) \"x\"))",
           number);
  return module_from_wat(store, text);
}

static void check_data(wasm_store_t* store, const wasm_module_t* module, int number) {
  wasm_instance_t* instance = instantiate(store, module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  const char* data = wasm_memory_data(wasm_extern_as_memory(exports.data[0]));
  char expected[30];
  snprintf(expected, sizeof expected, "number %d", number);
  CHECK_STR(data, expected);
  CHECK_INT(data[65535], 'x');
  CHECK_INT(data[65534], 0);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

static void use_many_modules(wasm_config_t* config) {
  allow_few_descriptors();
  fixture_t fixture = fixture_from_config(config);
  wasm_module_t* modules[MODULES];
  // Some are instantiated at once, some later; some are deleted before their instances.
  for (int i = 0; i < MODULES; i++) {
    modules[i] = module_with_data(fixture.store, i);
    if (i % 2) check_data(fixture.store, modules[i], i);
    if (i % 4 == 3) wasm_module_delete(modules[i]);
  }
  for (int i = 0; i < MODULES; i += 2) check_data(fixture.store, modules[i], i);
  CHECK(open_descriptors() <= FEW - FEW / 4); // the host has some left
  for (int i = 0; i < MODULES; i++) {
    if (i % 4 != 3) wasm_module_delete(modules[i]);
  }
  fixture_delete(&fixture);
}

TEST_IN_CHILD(modules_with_data_and_few_file_descriptors) {
  use_many_modules(wasm_config_new());
}

TEST_IN_CHILD(modules_with_data_compiled_by_winch_and_few_file_descriptors) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_backend(config, "wasmtime")) {
    wasm_config_delete(config);
    return;
  }
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_WINCH));
  use_many_modules(config);
}

TEST_IN_CHILD(modules_with_data_and_no_file_descriptor) {
  fixture_t fixture = fixture_new();
  wasm_module_delete(module_from_wat(fixture.store, "(module)"));
  REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0}) == 0);
  for (int i = 0; i < 3; i++) {
    wasm_module_t* module = module_with_data(fixture.store, i);
    check_data(fixture.store, module, i);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// A serialized module is compiled already, with an image.
TEST_IN_CHILD(a_serialized_module_and_no_file_descriptor) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_with_data(fixture.store, 1);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  wasm_module_delete(module);
  fixture_delete(&fixture);
  fixture = fixture_new();
  struct rlimit former;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &former) == 0);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, former.rlim_max}) == 0);
  module = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(module);
  if (backend_is(fixture.engine, "wasmtime")) {
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, &none, NULL) == NULL,
                     WASMRT_ERROR_LIMIT);
    CHECK_CONTAINS(wasmrt_last_error_message(), strerror(EMFILE));
    CHECK_CONTAINS(wasmrt_last_error_message(), "ulimit -n");
    CHECK_CONTAINS(wasmrt_last_error_message(), "turn copy-on-write off in the configuration");
    REQUIRE(setrlimit(RLIMIT_NOFILE, &former) == 0);
  }
  check_data(fixture.store, module, 1);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Address space

TEST_IN_CHILD(memories_without_address_space_are_refused_with_what_to_do) {
  fixture_t fixture = fixture_new();
  if (backend_is(fixture.engine, "wasmtime")) {
    wasm_module_t* module = module_from_wat(fixture.store, "(module (memory 1))");
    // Each of them reserves 4 GiB.
    REQUIRE(setrlimit(RLIMIT_AS, &(struct rlimit){(rlim_t)20 << 30, (rlim_t)20 << 30}) == 0);
    wasm_instance_t* instance = NULL;
    wasm_extern_vec_t none = WASM_EMPTY_VEC;
    int made = 0;
    while ((instance = wasm_instance_new(fixture.store, module, &none, NULL))) {
      wasm_instance_delete(instance);
      REQUIRE(++made < 10);
    }
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    CHECK_CONTAINS(wasmrt_last_error_message(), strerror(ENOMEM));
    CHECK_CONTAINS(wasmrt_last_error_message(), "configure a smaller memory reservation");
    CHECK_CONTAINS(wasmrt_last_error_message(), "vm.max_map_count");
    wasm_memorytype_t* type = memorytype(1, 1);
    CHECK_FAILS_WITH(wasm_memory_new(fixture.store, type) == NULL, WASMRT_ERROR_LIMIT);
    CHECK_CONTAINS(wasmrt_last_error_message(), "configure a smaller memory reservation");
    wasm_memorytype_delete(type);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Forks while other threads are at work. Not in fork.c: AddressSanitizer's allocator may be left
// locked in the child.

static atomic_bool stop;
static atomic_size_t ready;

static void* run_guests(void* argument) {
  fixture_t fixture = {NULL, wasm_store_new(argument), NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&fixture,
               "(module (func (export \"f\") (local i32)"
               "  (loop (br_if 0 (i32.lt_u (local.tee 0 (i32.add (local.get 0) (i32.const 1)))"
               "                            (i32.const 1000))))))",
               NULL, 0);
  ready++;
  while (!stop) CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  fixture_delete(&fixture);
  return NULL;
}

static void ignore_message(void* env, uint32_t level, const char* message) {
  (void)env, (void)level, (void)message;
}

static void* change_loggers(void* argument) {
  (void)argument;
  ready++;
  while (!stop) wasmrt_log_set_callback(ignore_message, NULL, NULL);
  return NULL;
}

static void* change_timeouts(void* argument) {
  wasm_store_t* store = wasm_store_new(argument);
  ready++;
  while (!stop) {
    CHECK(wasmrt_store_set_call_timeout(store, 1000000));
    CHECK(wasmrt_store_set_call_timeout(store, WASMRT_NO_TIMEOUT));
  }
  wasm_store_delete(store);
  return NULL;
}

// The child makes a new engine: it does not depend on what other threads did with theirs.
static bool work_in_child(void) {
  wasmrt_log_set_callback(ignore_message, NULL, NULL);
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL,
                                   "(module (func (export \"f\") (result i32) (i32.const 7)) (func "
                                   "(export \"g\") (loop (br 0))))");
  if (!wasmrt_store_set_call_timeout(fixture.store, 10000000)) return false;
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 1));
  bool stopped = trap && wasmrt_trap_code(trap) == WASMRT_TRAP_TIMEOUT;
  wasm_trap_delete(trap);
  if (!wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT)) return false;
  bool right = call_i32(fixture_func(&fixture, 0)) == 7;
  fixture_delete(&fixture);
  return stopped && right;
}

TEST_IN_CHILD(a_child_with_an_engine_of_its_own_works_whatever_other_threads_do) {
  wasm_engine_t* engine =
      wasm_engine_new_with_config(config_with(wasmrt_config_set_interruption, NULL));
  REQUIRE(engine);
  void* (*const work[])(void*) = {run_guests, run_guests, change_loggers, change_timeouts};
  enum { THREADS = sizeof work / sizeof *work };
  pthread_t threads[THREADS];
  stop = false;
  for (size_t i = 0; i < THREADS; i++) {
    REQUIRE(pthread_create(&threads[i], NULL, work[i], engine) == 0);
  }
  // On wasmtime no other thread may be making or deleting a module.
  while (ready < THREADS) sched_yield();
  for (size_t i = 0; i < 40; i++) {
    fflush(NULL);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      alarm(60);
      _exit(work_in_child() ? 0 : 1);
    }
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
  }
  stop = true;
  for (size_t i = 0; i < THREADS; i++) REQUIRE(pthread_join(threads[i], NULL) == 0);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  wasm_engine_delete(engine);
}
