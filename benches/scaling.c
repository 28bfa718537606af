#include "scaling.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "children.h"
#include "modules.h"

static wasm_module_t *compile(wasm_store_t *store) {
  bytes_t binary = module_with_function("i", "i");
  wasm_byte_vec_t vector = {binary.size, (char *)binary.data};
  wasm_module_t *module = wasm.module_new(store, &vector);
  require(module != NULL);
  bytes_free(&binary);
  return module;
}

static wasm_instance_t *instantiate(wasm_store_t *store, const wasm_module_t *module) {
  wasm_extern_vec_t none = {0, NULL};
  wasm_trap_t *trap = NULL;
  wasm_instance_t *instance = wasm.instance_new(store, module, &none, &trap);
  require(instance != NULL);
  return instance;
}

static wasm_func_t *exported_function(const wasm_instance_t *instance) {
  wasm_extern_vec_t exports;
  wasm.instance_exports(instance, &exports);
  require(exports.size == 1);
  return wasm.extern_as_func(exports.data[0]);
}

static void call(const wasm_func_t *function, int32_t number) {
  wasm_val_t value[1] = {{.kind = WASM_I32, .of = {.i32 = number}}}, result[1];
  wasm_val_vec_t value_vector = {1, value}, result_vector = {1, result};
  require(wasm.func_call(function, &value_vector, &result_vector) == NULL);
  require(result[0].of.i32 == number);
}

typedef struct {
  double resident; // bytes
  double private;  // of these, without pages of files, which processes may share
} memory_t;

static memory_t memory_now(void) {
  unsigned long long resident = 0, anonymous = 0;
  char line[256];
  FILE *file = fopen("/proc/self/smaps_rollup", "r");
  if (file == NULL) abort();
  while (fgets(line, sizeof line, file) != NULL) {
    sscanf(line, "Rss: %llu", &resident);
    sscanf(line, "Anonymous: %llu", &anonymous);
  }
  fclose(file);
  return (memory_t){(double)resident * 1024, (double)anonymous * 1024};
}

// -----------------------------------------------------------------------------------------------
// From dlopen to the first result of a small module, in a fresh process each time

enum { LOADED, STORE, MODULE, RESULT, RESIDENT, STARTUP_NUMBERS };

static void serve_startup(const library_t *library, int command, int answer) {
  (void)command;
  double numbers[STARTUP_NUMBERS];
  double resident = memory_now().resident;
  double start = now(CLOCK_MONOTONIC);
  load(library);
  numbers[LOADED] = now(CLOCK_MONOTONIC) - start;
  wasm_store_t *store = wasm.store_new(wasm.engine_new());
  require(store != NULL);
  numbers[STORE] = now(CLOCK_MONOTONIC) - start;
  wasm_module_t *module = compile(store);
  numbers[MODULE] = now(CLOCK_MONOTONIC) - start;
  call(exported_function(instantiate(store, module)), 42);
  numbers[RESULT] = now(CLOCK_MONOTONIC) - start;
  numbers[RESIDENT] = memory_now().resident - resident;
  reply(answer, numbers, STARTUP_NUMBERS);
}

int startup(const library_t *libraries, size_t library_count) {
  static double samples[MAX_LIBRARIES][STARTUP_NUMBERS][MAX_REPETITIONS];
  child_t last[MAX_LIBRARIES];
  for (size_t repetition = 0; repetition < repetitions; repetition++) {
    for (size_t i = 0; i < library_count; i++) {
      double numbers[STARTUP_NUMBERS] = {0};
      last[i] = start_child(serve_startup, &libraries[i]);
      read_answer(&last[i], numbers, STARTUP_NUMBERS);
      for (size_t n = 0; n < STARTUP_NUMBERS; n++) samples[i][n][repetition] = numbers[n];
      end_child(&last[i]);
    }
  }
  // Medians, each since the start.
  printf("library\tloaded_us\tstore_us\tmodule_us\tresult_us\tresident_bytes\n");
  for (size_t i = 0; i < library_count; i++) {
    printf("%s", libraries[i].label);
    for (size_t n = 0; n < STARTUP_NUMBERS; n++) {
      printf("\t");
      print_figure(&last[i], "%.0f", median(samples[i][n]) / (n == RESIDENT ? 1 : 1000));
    }
    printf("\n");
  }
  return 0;
}

// -----------------------------------------------------------------------------------------------
// Resident bytes of a store, and of an instance, when there are 1, 1,000 and 100,000 of them

static uint64_t objects_wanted;
static bool objects_are_instances;

static void serve_memory(const library_t *library, int command, int answer) {
  (void)command;
  load(library);
  memory_t before = memory_now();
  wasm_engine_t *engine = wasm.engine_new();
  wasm_store_t *store = wasm.store_new(engine);
  wasm_module_t *module = NULL;
  if (objects_are_instances) {
    module = compile(store);
    instantiate(store, module);
  }
  // The first one includes the engine; for many, only what they add is counted.
  if (objects_wanted > 1) before = memory_now();
  for (uint64_t i = 0; i < objects_wanted && objects_wanted > 1; i++) {
    // wasmtime's own C API allows at most 10,000 instances in a store.
    if (!objects_are_instances || i % 1000 == 999) store = wasm.store_new(engine);
    require(store != NULL);
    if (objects_are_instances) instantiate(store, module);
  }
  memory_t after = memory_now();
  const double each[] = {(after.resident - before.resident) / (double)objects_wanted,
                         (after.private - before.private) / (double)objects_wanted};
  reply(answer, each, 2);
}

int memory_use(const library_t *libraries, size_t library_count) {
  static const uint64_t counts[] = {1, 1000, 100000};
  printf("object\tcount\tlibrary\tresident_each\tprivate_each\n");
  for (int instances = 0; instances < 2; instances++) {
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      for (size_t i = 0; i < library_count; i++) {
        objects_wanted = counts[c];
        objects_are_instances = instances == 1;
        child_t child = start_child(serve_memory, &libraries[i]);
        double each[2] = {0};
        read_answer(&child, each, 2);
        printf("%s\t%" PRIu64 "\t%s\t", instances ? "instance" : "store", counts[c],
               libraries[i].label);
        print_figure(&child, "%.0f", each[0]);
        printf("\t");
        print_figure(&child, "%.0f", each[1]);
        printf("\n");
        end_child(&child);
      }
    }
  }
  return 0;
}

// -----------------------------------------------------------------------------------------------
// Throughput of calls and of instantiations: threads with a store each, in one engine

enum {
  MAX_THREADS = 64,
  CALLS_OF_ALL_THREADS = 2000000,
  INSTANCES_OF_ALL_THREADS = 25600,
  INSTANCES_OF_A_STORE = 100,
};

static size_t thread_count;
static bool threads_instantiate;
static wasm_engine_t *engine_of_threads;
static pthread_barrier_t barrier;

// When a thread began and ended. Each thread reads the clock itself: with more threads than
// processors, no other would run in time.
typedef struct {
  double start;
  double end;
} interval_t;

static void *run_thread(void *interval_to_write) {
  interval_t *interval = interval_to_write;
  wasm_store_t *store = wasm.store_new(engine_of_threads);
  wasm_module_t *module = compile(store);
  wasm_func_t *function = exported_function(instantiate(store, module));
  pthread_barrier_wait(&barrier); // until all are ready
  interval->start = now(CLOCK_MONOTONIC);
  if (threads_instantiate) {
    for (size_t i = 0; i < INSTANCES_OF_ALL_THREADS / thread_count;) {
      wasm_store_t *fresh = wasm.store_new(engine_of_threads);
      for (size_t j = 0; j < INSTANCES_OF_A_STORE; j++, i++) {
        wasm.instance_delete(instantiate(fresh, module));
      }
      wasm.store_delete(fresh);
    }
  } else {
    for (size_t i = 0; i < CALLS_OF_ALL_THREADS / thread_count; i++) call(function, (int32_t)i);
  }
  interval->end = now(CLOCK_MONOTONIC);
  wasm.module_delete(module);
  wasm.store_delete(store);
  return NULL;
}

static void serve_threads(const library_t *library, int command, int answer) {
  load(library);
  engine_of_threads = wasm.engine_new();
  char byte;
  while (read(command, &byte, 1) == 1 && byte == 'r') {
    pthread_t threads[MAX_THREADS];
    interval_t intervals[MAX_THREADS];
    pthread_barrier_init(&barrier, NULL, (unsigned)thread_count);
    for (size_t i = 0; i < thread_count; i++) {
      require(pthread_create(&threads[i], NULL, run_thread, &intervals[i]) == 0);
    }
    double start = INFINITY, end = 0;
    for (size_t i = 0; i < thread_count; i++) {
      pthread_join(threads[i], NULL);
      start = fmin(start, intervals[i].start);
      end = fmax(end, intervals[i].end);
    }
    pthread_barrier_destroy(&barrier);
    double total = threads_instantiate ? INSTANCES_OF_ALL_THREADS : CALLS_OF_ALL_THREADS;
    double per_second = total / (end - start) * 1e9;
    reply(answer, &per_second, 1);
  }
}

int throughput(const library_t *libraries, size_t library_count) {
  static const size_t counts[] = {1, 2, 4, 8, 16, 32, MAX_THREADS};
  static double samples[MAX_LIBRARIES][MAX_REPETITIONS];
  printf("operation\tthreads\tlibrary\tper_second\n"); // medians
  for (int instances = 0; instances < 2; instances++) {
    for (size_t c = 0; c < sizeof counts / sizeof counts[0]; c++) {
      child_t children[MAX_LIBRARIES];
      thread_count = counts[c];
      threads_instantiate = instances == 1;
      for (size_t i = 0; i < library_count; i++) {
        children[i] = start_child(serve_threads, &libraries[i]);
      }
      for (size_t repetition = 0; repetition < repetitions; repetition++) {
        for (size_t i = 0; i < library_count; i++) {
          ask(&children[i], 'r', &samples[i][repetition], 1);
        }
      }
      for (size_t i = 0; i < library_count; i++) {
        printf("%s\t%zu\t%s\t", instances ? "instance" : "call", counts[c], libraries[i].label);
        print_figure(&children[i], "%.0f", median(samples[i]));
        printf("\n");
        end_child(&children[i]);
      }
    }
  }
  return 0;
}
