// Every pair of options, and a sample of all combinations: the engine is refused when it is made,
// or it compiles and serializes modules and, unless it compiles for another machine, runs them.
#include "configured.h"

#include <unistd.h>

// ------------------------------------------------------------------------------------------------
// Options and their values

enum { KIB = 1 << 10, MIB = 1 << 20 };
#define GIB ((uint64_t)1 << 30)

static const uint64_t sizes[] = {
    0,
    1,
    65535,
    65536,
    MIB,
    GIB,
    4 * GIB,
    64 * GIB,
    (uint64_t)1 << 40,
    (uint64_t)1 << 45,
    (uint64_t)1 << 46,
    (uint64_t)1 << 47,
    (uint64_t)1 << 62,
    INT64_MAX,
    UINT64_MAX - 65536,
    UINT64_MAX,
};

static const size_t stacks[] = {1, 100, 1000, 20000, 300000, MIB, 7 * MIB, 64 * MIB, GIB};

static const struct {
  uint32_t instances, memories, tables;
  size_t memory_bytes, table_elements;
} pools[] = {
    {0, 0, 0, 0, 0},
    {1, 1, 1, 65536, 1},
    {1, 1, 1, 65535, 1},
    {10, 5, 5, MIB, 10},
    {0, 1, 0, 1, 0},
    {100, 100, 100, 4 * GIB, 10000},
    {1, 1, 1, (size_t)1 << 40, 1},
    {1000, 100000, 1000, 4 * GIB, 1},
    {1, UINT32_MAX, 1, 65536, 1},
    {1, 1, UINT32_MAX, 65536, 1},
    {1, 1, 1, SIZE_MAX, 1},
    {1, 1, 1, 65536, SIZE_MAX},
};

static const char* const targets[] = {
    "x86_64-unknown-linux-gnu",
    "aarch64-unknown-linux-gnu",
    "riscv64gc-unknown-linux-gnu",
    "s390x-unknown-linux-gnu",
    "x86_64-pc-windows-msvc",
    "x86_64-apple-darwin",
    "wasm32-unknown-unknown",
    "pulley32",
    "pulley64",
    "pulley64be",
    "no such machine",
    "",
};

static const char* const cpu_features[] = {
    "has_sse42", "has_avx2", "has_avx512f", "has_lse", "has_nothing", "enable_probestack", "",
};

static bool set_compiler(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_compiler(config, (uint32_t)value + 1);
}
static bool set_optimization(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_optimization(config, (uint32_t)value + 1);
}
static bool set_fuel(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_fuel(config, value == 0);
}
static bool set_interruption(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_interruption(config, value == 0);
}
static bool set_stack(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_max_wasm_stack(config, stacks[value]);
}
static bool set_reservation(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_memory_reservation(config, sizes[value]);
}
static bool set_guard(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_memory_guard_size(config, sizes[value]);
}
static bool set_copy_on_write(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_memory_copy_on_write(config, value == 0);
}
static bool set_pooling(wasm_config_t* config, size_t value) {
  return set_pool(config, pools[value].instances, pools[value].memories, pools[value].tables,
                  pools[value].memory_bytes, pools[value].table_elements);
}
static bool set_shards(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_max_shards(config, 1 + 3 * (uint32_t)value);
}
static bool set_parallel(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_parallel_compilation(config, value == 0);
}
static bool set_debug_info(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_debug_info(config, value == 0);
}
static bool set_profiling(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_profiling(config, (uint32_t)value);
}
static bool set_deterministic(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_deterministic(config, value == 0);
}
static bool set_target(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_target(config, targets[value]);
}
static bool enable_cpu_feature(wasm_config_t* config, size_t value) {
  return wasmrt_config_enable_cpu_feature(config, cpu_features[value]);
}
static bool set_proposal(wasm_config_t* config, size_t value) {
  return wasmrt_config_set_proposal(config, (uint32_t)(1 + value / 2), value % 2 == 0);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const struct option_t {
  const char* name;
  bool (*set)(wasm_config_t* config, size_t value);
  size_t values;
} options[] = {
    {"compiler", set_compiler, WASMRT_COMPILER_SINGLEPASS},
    {"optimization", set_optimization, WASMRT_OPTIMIZATION_SPEED_AND_SIZE},
    {"fuel", set_fuel, 2},
    {"interruption", set_interruption, 2},
    {"max_wasm_stack", set_stack, COUNT(stacks)},
    {"memory_reservation", set_reservation, COUNT(sizes)},
    {"memory_guard_size", set_guard, COUNT(sizes)},
    {"memory_copy_on_write", set_copy_on_write, 2},
    {"pooling", set_pooling, COUNT(pools)},
    {"max_shards", set_shards, 2},
    {"parallel_compilation", set_parallel, 2},
    {"debug_info", set_debug_info, 2},
    {"profiling", set_profiling, WASMRT_PROFILING_JITDUMP + 1},
    {"deterministic", set_deterministic, 2},
    {"target", set_target, COUNT(targets)},
    {"cpu_feature", enable_cpu_feature, COUNT(cpu_features)},
    {"proposal", set_proposal, 2 * WASMRT_PROPOSAL_THREADS},
};

// A value for each option, or NOT_SET.
enum { NOT_SET = 0xff };
typedef struct choice_t {
  uint8_t values[COUNT(options)];
} choice_t;

static void print_choice(const choice_t* choice) {
  for (size_t i = 0; i < COUNT(options); i++)
    if (choice->values[i] != NOT_SET)
      fprintf(stderr, "    %s value %d\n", options[i].name, choice->values[i]);
}

// ------------------------------------------------------------------------------------------------
// What has to hold

static wasm_byte_vec_t binary;
static size_t refused, compiled_only, ran;

// Returns whether an engine with these options works, or is refused with a reason.
static bool holds(const wasm_engine_t* engine) {
  wasm_store_t* store = wasm_store_new((wasm_engine_t*)engine);
  if (!CHECK(store != NULL)) return false;
  uint64_t fuel;
  if (wasmrt_store_fuel(store, &fuel)) CHECK(wasmrt_store_set_fuel(store, 1000000));
  bool passed = false;
  wasm_module_t* module = wasm_module_new(store, &binary);
  if (CHECK(module != NULL)) {
    wasm_byte_vec_t artifact = WASM_EMPTY_VEC;
    wasm_module_serialize(module, &artifact);
    passed = CHECK(artifact.size > 0);
    wasm_byte_vec_delete(&artifact);
    wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
    wasm_trap_t* trap = NULL;
    wasm_instance_t* instance = wasm_instance_new(store, module, &imports, &trap);
    if (instance) {
      wasm_instance_exports(instance, &exports);
      passed = CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 42) && passed;
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      ran++;
    } else {
      const char* message = wasmrt_last_error_message();
      passed = CHECK_CONTAINS(message, "compiled for another machine") && passed;
      wasm_trap_delete(trap);
      compiled_only++;
    }
    wasm_module_delete(module);
  }
  wasm_store_delete(store);
  return passed;
}

static void check_choice(const choice_t* choice) {
  wasm_config_t* config = wasm_config_new();
  bool set = true;
  for (size_t i = 0; i < COUNT(options) && set; i++)
    if (choice->values[i] != NOT_SET) set = options[i].set(config, choice->values[i]);
  if (!set) {
    wasm_config_delete(config);
    return;
  }
  wasmrt_last_error_clear();
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  bool passed;
  if (engine) {
    passed = holds(engine);
    CHECK_INT(modules_of(engine), 0);
    wasm_engine_delete(engine);
  } else {
    passed = CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    const char* message = wasmrt_last_error_message();
    passed = CHECK(message && message[0]) && passed;
    refused++;
  }
  if (!passed) {
    const char* message = wasmrt_last_error_message();
    fprintf(stderr, "    last error: %s\n", message ? message : "(none)");
    print_choice(choice);
  }
}

static void prepare(void) {
  binary = binary_from_wat(
      "(module (memory 1) (data (i32.const 8) \"*\") (table 1 funcref) (elem (i32.const 0) 0)"
      "  (func (result i32) (i32.load8_u (i32.const 8)))"
      "  (func (export \"f\") (result i32) (call_indirect (result i32) (i32.const 0))))");
  refused = compiled_only = ran = 0;
}

static void conclude(void) {
  wasm_byte_vec_delete(&binary);
  CHECK(ran > 0 && refused > 0);
  printf("%zu engines ran, %zu compiled for other machines, %zu were refused\n", ran, compiled_only,
         refused);
  // The files that profilers would read.
  char name[64];
  snprintf(name, sizeof name, "/tmp/perf-%d.map", (int)getpid());
  unlink(name);
  snprintf(name, sizeof name, "jit-%d.dump", (int)getpid());
  unlink(name);
}

static const choice_t* nothing_set(void) {
  static choice_t choice;
  memset(choice.values, NOT_SET, sizeof choice.values);
  return &choice;
}

TEST(every_pair_of_values) {
  prepare();
  for (size_t a = 0; a < COUNT(options); a++) {
    for (size_t b = a + 1; b < COUNT(options); b++) {
      for (size_t i = 0; i < options[a].values; i++) {
        for (size_t j = 0; j < options[b].values; j++) {
          choice_t choice = *nothing_set();
          choice.values[a] = (uint8_t)i;
          choice.values[b] = (uint8_t)j;
          check_choice(&choice);
        }
      }
    }
  }
  conclude();
}

// xorshift: the same choices each time.
static uint32_t next_number(uint32_t* state) {
  *state ^= *state << 13;
  *state ^= *state >> 17;
  *state ^= *state << 5;
  return *state;
}

TEST(some_of_all_options_together) {
  prepare();
  uint32_t state = 2463534242u;
  for (int round = 0; round < 3000; round++) {
    choice_t choice = *nothing_set();
    for (size_t i = 0; i < COUNT(options); i++) {
      if (next_number(&state) % 3 == 0)
        choice.values[i] = (uint8_t)(next_number(&state) % options[i].values);
    }
    check_choice(&choice);
  }
  conclude();
}
