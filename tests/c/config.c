// Configurations: every option, on every engine that has it, and the refusal of those that do not.
#define _GNU_SOURCE
#include "configured.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static bool on_wasmi(void) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  bool is = backend_is(engine, "wasmi");
  wasm_engine_delete(engine);
  return is;
}

static wasm_config_t* new_config(void) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  return config;
}

// Takes ownership. The message names the backend and what it cannot do.
static void check_refused(wasm_config_t* config, const char* part) {
  wasm_engine_t* engine;
  CHECK_FAILS((engine = wasm_engine_new_with_config(config)) == NULL);
  if (engine) fprintf(stderr, "    expected a refusal of %s\n", part);
  wasm_engine_delete(engine);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), part);
  CHECK_CONTAINS(wasmrt_last_error_message(), on_wasmi() ? "wasmi" : "wasmtime");
}

// Takes ownership. Runs a module with all common features.
static void check_runs(wasm_config_t* config) {
  fixture_t fixture = fixture_from_config(config);
  uint64_t fuel;
  if (wasmrt_store_fuel(fixture.store, &fuel)) CHECK(wasmrt_store_set_fuel(fixture.store, 1000000));
  fixture_load(&fixture,
               "(module (memory 1) (table 2 funcref) (elem (i32.const 1) $f)"
               "  (data (i32.const 3) \"\\05\") (global $g (mut i32) (i32.const 7))"
               "  (func $f (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))"
               "  (func (export \"f\") (param i32) (result i32)"
               "    (global.set $g (i32.add (global.get $g) (i32.load8_u (i32.const 3))))"
               "    (i32.add (global.get $g)"
               "      (call_indirect (param i32) (result i32) (local.get 0) (i32.const 1)))))",
               NULL, 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 10), 112);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 3), 26);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Every option: what means something, what does not, NULL

typedef bool (*set_number_t)(wasm_config_t* config, uint32_t number);

TEST(numbers_that_mean_something) {
  static const struct {
    set_number_t set;
    uint32_t first, last;
    const char* type;
  } options[] = {
      {wasmrt_config_set_compiler, WASMRT_COMPILER_DEFAULT, WASMRT_COMPILER_SINGLEPASS,
       "wasmrt_compiler_enum"},
      {wasmrt_config_set_optimization, WASMRT_OPTIMIZATION_DEFAULT,
       WASMRT_OPTIMIZATION_SPEED_AND_SIZE, "wasmrt_optimization_enum"},
      {wasmrt_config_set_profiling, WASMRT_PROFILING_NONE, WASMRT_PROFILING_JITDUMP,
       "wasmrt_profiling_enum"},
  };
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    wasm_config_t* config = new_config();
    // Beyond a byte, too: 257 is not the same as 1.
    for (uint32_t number = 0; number < 600; number++) {
      if (number >= options[i].first && number <= options[i].last) {
        CHECK(options[i].set(config, number));
      } else {
        CHECK_FAILS_WITH(!options[i].set(config, number), WASMRT_ERROR_MISUSE);
        char expected[80];
        snprintf(expected, sizeof expected, ": %" PRIu32 " is not a value of %s", number,
                 options[i].type);
        CHECK_CONTAINS(wasmrt_last_error_message(), expected);
      }
    }
    CHECK_FAILS_WITH(!options[i].set(NULL, options[i].last), WASMRT_ERROR_MISUSE);
    wasm_config_delete(config);
  }
  wasm_config_t* config = new_config();
  for (uint32_t number = 0; number < 600; number++) {
    bool proposal = number >= 1 && number <= WASMRT_PROPOSAL_THREADS;
    CHECK_INT(wasmrt_config_set_proposal(config, number, true), proposal);
    CHECK_INT(wasmrt_config_set_proposal(config, number, false), proposal);
    bool limit = number <= WASMRT_MODULE_LIMIT_CONSTANT_TERMS;
    CHECK_INT(wasmrt_config_set_module_limit(config, number, 5), limit);
  }
  CHECK_FAILS_WITH(!wasmrt_config_set_proposal(config, 0, true), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(
      !wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_CONSTANT_TERMS + 1, 1),
      WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_proposal(NULL, WASMRT_PROPOSAL_SIMD, true),
                   WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_module_limit(NULL, 0, 1), WASMRT_ERROR_MISUSE);
  wasm_config_delete(config);
}

TEST(what_is_refused_leaves_the_configuration_as_it_was) {
  bool wasmi = on_wasmi();
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_set_compiler(config,
                                   wasmi ? WASMRT_COMPILER_EAGER : WASMRT_COMPILER_CRANELIFT));
  CHECK_FAILS(!wasmrt_config_set_compiler(config, 99));
  CHECK_FAILS(!wasmrt_config_set_max_wasm_stack(config, 0));
  CHECK_FAILS(!wasmrt_config_set_target(config, NULL));
  CHECK_FAILS(!wasmrt_config_enable_cpu_feature(config, NULL));
  CHECK_FAILS(!wasmrt_config_set_profiling(config, 3));
  CHECK_FAILS(!wasmrt_config_set_optimization(config, 4));
  CHECK_FAILS(!wasmrt_config_set_max_shards(config, 0));
  CHECK_FAILS(!wasmrt_config_set_max_shards(config, 1025));
  check_runs(config);
}

static const config_switch_t switches[] = {
    wasmrt_config_set_fuel,
    wasmrt_config_set_interruption,
    wasmrt_config_set_memory_copy_on_write,
    wasmrt_config_set_parallel_compilation,
    wasmrt_config_set_debug_info,
    wasmrt_config_set_deterministic,
};
enum { SWITCHES = sizeof switches / sizeof *switches };

TEST(null) {
  for (size_t i = 0; i < SWITCHES; i++) {
    CHECK_FAILS_WITH(!switches[i](NULL, true), WASMRT_ERROR_MISUSE);
    CHECK_FAILS_WITH(!switches[i](NULL, false), WASMRT_ERROR_MISUSE);
  }
  CHECK_FAILS_WITH(!wasmrt_config_set_max_wasm_stack(NULL, 1000), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_memory_reservation(NULL, 1000), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_memory_guard_size(NULL, 1000), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_pooling(NULL, true), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_max_shards(NULL, 1), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_pool_limit(NULL, WASMRT_POOL_LIMIT_TABLES, 1),
                   WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_set_target(NULL, "x86_64"), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_config_enable_cpu_feature(NULL, "has_avx2"), WASMRT_ERROR_MISUSE);
}

TEST(every_switch_off_runs_everywhere) {
  for (size_t i = 0; i < SWITCHES; i++) {
    wasm_config_t* config = new_config();
    CHECK(switches[i](config, true));
    CHECK(switches[i](config, false));
    check_runs(config);
  }
}

// ------------------------------------------------------------------------------------------------
// What each backend supports

// Options, each with a value that changes something.
static void use_fuel(wasm_config_t* config) {
  CHECK(wasmrt_config_set_fuel(config, true));
}
static void use_interruption(wasm_config_t* config) {
  CHECK(wasmrt_config_set_interruption(config, true));
}
static void use_stack(wasm_config_t* config) {
  CHECK(wasmrt_config_set_max_wasm_stack(config, 300000));
}
static void use_reservation(wasm_config_t* config) {
  CHECK(wasmrt_config_set_memory_reservation(config, 1 << 20));
}
static void use_guard(wasm_config_t* config) {
  CHECK(wasmrt_config_set_memory_guard_size(config, 1 << 16));
}
static void use_copy_on_write(wasm_config_t* config) {
  CHECK(wasmrt_config_set_memory_copy_on_write(config, true));
}
static void use_no_copy_on_write(wasm_config_t* config) {
  CHECK(wasmrt_config_set_memory_copy_on_write(config, false));
}
static void use_pooling(wasm_config_t* config) {
  CHECK(set_pool(config, 4, 4, 4, 1 << 20, 100));
}
static void use_threads(wasm_config_t* config) {
  CHECK(wasmrt_config_set_parallel_compilation(config, true));
}
static void use_one_thread(wasm_config_t* config) {
  CHECK(wasmrt_config_set_parallel_compilation(config, false));
}
static void use_debug_info(wasm_config_t* config) {
  CHECK(wasmrt_config_set_debug_info(config, true));
}
static void use_deterministic(wasm_config_t* config) {
  CHECK(wasmrt_config_set_deterministic(config, true));
}
static void use_optimization(wasm_config_t* config) {
  CHECK(wasmrt_config_set_optimization(config, WASMRT_OPTIMIZATION_NONE));
}
static void use_perfmap(wasm_config_t* config) {
  CHECK(wasmrt_config_set_profiling(config, WASMRT_PROFILING_PERFMAP));
}
static void use_no_profiling(wasm_config_t* config) {
  CHECK(wasmrt_config_set_profiling(config, WASMRT_PROFILING_NONE));
}
static void use_target(wasm_config_t* config) {
  CHECK(wasmrt_config_set_target(config, "x86_64-unknown-linux-gnu"));
}
static void use_feature(wasm_config_t* config) {
  CHECK(wasmrt_config_enable_cpu_feature(config, "has_sse3"));
}
static void use_cranelift(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_CRANELIFT));
}
static void use_winch(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_WINCH));
}
static void use_pulley(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_PULLEY));
}
static void use_eager(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_EAGER));
}
static void use_lazy(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_LAZY));
}
static void use_lazy_translation(wasm_config_t* config) {
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_LAZY_TRANSLATION));
}
static void use_gc(wasm_config_t* config) {
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_GC, true));
}
static void use_exceptions(wasm_config_t* config) {
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_EXCEPTIONS, true));
}
static void use_function_references(wasm_config_t* config) {
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_FUNCTION_REFERENCES, true));
}
static void use_threads_proposal(wasm_config_t* config) {
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_THREADS, true));
}

// Memories that can become no larger than a few pages, and never move.
enum { ROOM = 1 << 20 };

static void* reserve_memory(void* env, size_t size, size_t reserved, size_t guard) {
  (void)env;
  if (size > ROOM) return NULL;
  char* memory = mmap(NULL, reserved + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return memory != MAP_FAILED && mprotect(memory, ROOM, PROT_READ | PROT_WRITE) == 0 ? memory
                                                                                     : NULL;
}

static void* grow_memory(void* env, void* memory, size_t size, size_t new_size, size_t reserved,
                         size_t guard) {
  (void)env, (void)size, (void)reserved, (void)guard;
  return new_size <= ROOM ? memory : NULL;
}

static void free_memory(void* env, void* memory, size_t size, size_t reserved, size_t guard) {
  (void)env, (void)size;
  munmap(memory, reserved + guard);
}

static void use_memory_creator(wasm_config_t* config) {
  static const wasmrt_memory_creator_t creator = {reserve_memory, grow_memory, free_memory};
  CHECK(wasmrt_config_set_memory_creator(config, &creator, NULL, NULL));
}

typedef struct option_t {
  void (*use)(wasm_config_t* config);
  bool wasmtime, wasmi;
  const char* name;         // what the refusal calls it
  wasmrt_setting_t setting; // 0 where a backend has it that refuses this value
} option_t;

static const option_t options[] = {
    {use_fuel, true, true, "fuel", WASMRT_SETTING_FUEL},
    {use_interruption, true, true, "interruption", WASMRT_SETTING_INTERRUPTION},
    {use_stack, true, true, "stack", WASMRT_SETTING_MAX_WASM_STACK},
    {use_reservation, true, false, "memory_reservation", WASMRT_SETTING_MEMORY_RESERVATION},
    {use_guard, true, false, "memory_guard", WASMRT_SETTING_MEMORY_GUARD_SIZE},
    {use_copy_on_write, true, false, "copy_on_write", WASMRT_SETTING_MEMORY_COPY_ON_WRITE},
    {use_no_copy_on_write, true, true, "copy_on_write", 0},
    {use_pooling, true, false, "pooling", WASMRT_SETTING_POOLING},
    {use_threads, true, false, "parallel_compilation", WASMRT_SETTING_PARALLEL_COMPILATION},
    {use_one_thread, true, true, "parallel_compilation", 0},
    {use_debug_info, true, false, "debug_info", WASMRT_SETTING_DEBUG_INFO},
    {use_deterministic, true, false, "deterministic", WASMRT_SETTING_DETERMINISTIC},
    {use_optimization, true, false, "optimization", WASMRT_SETTING_OPTIMIZATION},
    {use_perfmap, true, false, "profiling", WASMRT_SETTING_PROFILING},
    {use_no_profiling, true, true, "profiling", 0},
    {use_target, true, false, "target", WASMRT_SETTING_TARGET},
    {use_feature, true, false, "cpu_feature", WASMRT_SETTING_CPU_FEATURE},
    {use_memory_creator, true, false, "memory_creator", WASMRT_SETTING_MEMORY_CREATOR},
    {use_cranelift, true, false, "cranelift", 0},
    {use_winch, true, false, "winch", 0},
    {use_pulley, true, false, "pulley", 0},
    {use_eager, false, true, "eager", 0},
    {use_lazy, false, true, "lazy", 0},
    {use_lazy_translation, false, true, "lazy-translation", 0},
    {use_gc, true, false, "gc", 0},
    {use_exceptions, true, false, "exceptions", 0},
    {use_function_references, true, false, "function-references", 0},
    {use_threads_proposal, true, false, "threads", 0},
};
enum { OPTIONS = sizeof options / sizeof *options };

static bool has(const option_t* option, bool wasmi) {
  return wasmi ? option->wasmi : option->wasmtime;
}

// The engine writes to one file as long as the process lives.
__attribute__((destructor)) static void remove_perfmap(void) {
  char path[64];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
  unlink(path);
}

TEST(every_option_alone) {
  bool wasmi = on_wasmi();
  for (size_t i = 0; i < OPTIONS; i++) {
    wasm_config_t* config = new_config();
    options[i].use(config);
    if (has(&options[i], wasmi)) {
      check_runs(config);
    } else {
      check_refused(config, options[i].name);
    }
  }
}

TEST(what_a_backend_supports_is_what_it_does_not_refuse) {
  bool wasmi = on_wasmi();
  const char* backend = wasmi ? "wasmi" : "wasmtime";
  bool seen[WASMRT_SETTING_MEMORY_CREATOR + 1] = {true};
  wasmrt_last_error_clear();
  for (size_t i = 0; i < OPTIONS; i++) {
    if (options[i].setting == 0) continue;
    bool supported = wasmrt_backend_supports(backend, options[i].setting);
    if (!CHECK_INT(supported, has(&options[i], wasmi)))
      fprintf(stderr, "    %s\n", options[i].name);
    seen[options[i].setting] = true;
  }
  // Each has its own.
  CHECK(wasmrt_backend_supports(backend, WASMRT_SETTING_COMPILER));
  seen[WASMRT_SETTING_COMPILER] = true;
  for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) CHECK(seen[i]);

  for (wasmrt_proposal_t proposal = 1; proposal <= WASMRT_PROPOSAL_THREADS; proposal++) {
    wasmrt_last_error_clear();
    bool supported = wasmrt_backend_supports_proposal(backend, proposal);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
    wasm_config_t* config = new_config();
    CHECK(wasmrt_config_set_proposal(config, proposal, true));
    if (supported) {
      check_runs(config);
    } else {
      check_refused(config, wasmrt_proposal_name(proposal));
    }
  }
}

// Pairs of options that the engine has, but not together, in the words of the header.
static const struct {
  void (*one)(wasm_config_t* config);
  void (*other)(wasm_config_t* config);
  const char* part;
} pairs[] = {
    {use_winch, use_optimization, "winch"},
    {use_winch, use_deterministic, "winch"},
    {use_winch, use_gc, "winch"},
    {use_winch, use_exceptions, "winch"},
    {use_winch, use_function_references, "winch"},
    {use_winch, use_debug_info, "winch"},
    {use_pulley, use_target, "pulley"},
    {use_pulley, use_feature, "pulley"},
    {use_pulley, use_threads_proposal, "pulley"},
    {use_pulley, use_debug_info, "pulley"},
    {use_memory_creator, use_pooling, "memories of the host together with pooling"},
    {use_memory_creator, use_copy_on_write, "memories of the host together with copy-on-write"},
    {use_lazy, use_fuel, "lazy"},
    {use_lazy, use_interruption, "lazy"},
    {use_lazy_translation, use_fuel, "lazy-translation"},
    {use_lazy_translation, use_interruption, "lazy-translation"},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

TEST(every_pair_of_options) {
  bool wasmi = on_wasmi();
  for (size_t i = 0; i < OPTIONS; i++) {
    for (size_t j = 0; j < OPTIONS; j++) {
      if (i == j) continue;
      wasm_config_t* config = new_config();
      options[i].use(config);
      options[j].use(config);
      // A second compiler replaces the first; a second word about one option likewise.
      bool replaced =
          strstr("cranelift winch pulley eager lazy lazy-translation", options[i].name) != NULL &&
          strstr("cranelift winch pulley eager lazy lazy-translation", options[j].name) != NULL;
      replaced = replaced || strcmp(options[i].name, options[j].name) == 0;
      const char* refusal = NULL;
      if (!has(&options[j], wasmi)) refusal = options[j].name;
      if (!replaced && !has(&options[i], wasmi)) refusal = "";
      for (size_t k = 0; k < PAIRS && !refusal; k++) {
        if ((pairs[k].one == options[i].use && pairs[k].other == options[j].use) ||
            (pairs[k].one == options[j].use && pairs[k].other == options[i].use))
          refusal = pairs[k].part;
      }
      if (refusal) {
        if (!has(&options[i], wasmi) && !replaced) refusal = "";
        wasm_engine_t* engine = wasm_engine_new_with_config(config);
        if (!CHECK(engine == NULL))
          fprintf(stderr, "    not refused: %s, %s\n", options[i].name, options[j].name);
        CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
        CHECK_CONTAINS(wasmrt_last_error_message(), refusal);
        CHECK_CONTAINS(wasmrt_last_error_message(), wasmi ? "wasmi" : "wasmtime");
        wasm_engine_delete(engine);
      } else {
        wasm_engine_t* engine = wasm_engine_new_with_config(config);
        if (!CHECK(engine != NULL))
          fprintf(stderr, "    refused: %s, %s: %s\n", options[i].name, options[j].name,
                  wasmrt_last_error_message());
        wasm_engine_delete(engine);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------
// Compilers

TEST(what_winch_lacks) {
  if (on_wasmi()) return;
  for (int number = WASMRT_PROPOSAL_FUNCTION_REFERENCES; number <= WASMRT_PROPOSAL_EXCEPTIONS;
       number++) {
    wasm_config_t* config = new_config();
    CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_WINCH));
    CHECK(wasmrt_config_set_proposal(config, (uint32_t)number, false));
    check_runs(config);
  }
}

TEST(invalid_code_under_every_compiler) {
  static const wasmrt_compiler_t compilers[2][3] = {
      {WASMRT_COMPILER_CRANELIFT, WASMRT_COMPILER_WINCH, WASMRT_COMPILER_PULLEY},
      {WASMRT_COMPILER_EAGER, WASMRT_COMPILER_LAZY_TRANSLATION, WASMRT_COMPILER_LAZY}};
  bool wasmi = on_wasmi();
  for (size_t i = 0; i < 3; i++) {
    wasm_config_t* config = new_config();
    CHECK(wasmrt_config_set_compiler(config, compilers[wasmi][i]));
    fixture_t fixture = fixture_from_config(config);
    wasm_byte_vec_t binary = binary_from_wat(
        "(module (func (export \"good\") (result i32) (i32.const 5))"
        "  (func (export \"bad\") (result i32)))");
    if (compilers[wasmi][i] == WASMRT_COMPILER_LAZY) {
      // An invalid function traps when it is called.
      fixture.module = wasm_module_new(fixture.store, &binary);
      REQUIRE(fixture.module);
      fixture.instance = instantiate(fixture.store, fixture.module, NULL, 0);
      wasm_instance_exports(fixture.instance, &fixture.exports);
      CHECK_INT(call_i32(fixture_func(&fixture, 0)), 5);
      wasm_val_t result;
      wasm_trap_t* trap = call(fixture_func(&fixture, 1), NULL, 0, &result, 1);
      CHECK(trap != NULL);
      wasm_trap_delete(trap);
      CHECK_INT(call_i32(fixture_func(&fixture, 0)), 5);
    } else {
      CHECK_FAILS_WITH(wasm_module_new(fixture.store, &binary) == NULL, WASMRT_ERROR_COMPILE);
    }
    CHECK_FAILS_WITH(!wasm_module_validate(fixture.store, &binary), WASMRT_ERROR_COMPILE);
    wasm_byte_vec_delete(&binary);
    fixture_delete(&fixture);
  }
}

TEST(every_optimisation_level) {
  if (on_wasmi()) return;
  for (uint32_t level = 0; level <= WASMRT_OPTIMIZATION_SPEED_AND_SIZE; level++) {
    wasm_config_t* config = new_config();
    CHECK(wasmrt_config_set_optimization(config, level));
    check_runs(config);
  }
}

// ------------------------------------------------------------------------------------------------
// Proposals

// For each proposal, by number, a module that uses it and is invalid without it.
static const struct {
  wasmrt_proposal_t number;
  const char* wat;
} proposals[] = {
    {WASMRT_PROPOSAL_MUTABLE_GLOBAL, "(module (global (export \"g\") (mut i32) (i32.const 1)))"},
    {WASMRT_PROPOSAL_SIGN_EXTENSION,
     "(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))"},
    {WASMRT_PROPOSAL_SATURATING_FLOAT_TO_INT,
     "(module (func (param f32) (result i32) (i32.trunc_sat_f32_s (local.get 0))))"},
    {WASMRT_PROPOSAL_MULTI_VALUE, "(module (func (result i32 i32) (i32.const 1) (i32.const 2)))"},
    {WASMRT_PROPOSAL_BULK_MEMORY,
     "(module (memory 1) (func (memory.fill (i32.const 0) (i32.const 0) (i32.const 1))))"},
    {WASMRT_PROPOSAL_REFERENCE_TYPES, "(module (func (param externref)))"},
    {WASMRT_PROPOSAL_SIMD,
     "(module (func (param i32) (result i32)"
     "  (i8x16.extract_lane_u 3 (i8x16.splat (local.get 0)))))"},
    {WASMRT_PROPOSAL_RELAXED_SIMD,
     "(module (func (result i32) (i32x4.extract_lane 0"
     "  (i32x4.relaxed_trunc_f32x4_s (f32x4.splat (f32.const 1))))))"},
    {WASMRT_PROPOSAL_TAIL_CALL, "(module (func $f (return_call $f)))"},
    {WASMRT_PROPOSAL_EXTENDED_CONST, "(module (global i32 (i32.add (i32.const 1) (i32.const 2))))"},
    {WASMRT_PROPOSAL_MULTI_MEMORY, "(module (memory 1) (memory 1))"},
    {WASMRT_PROPOSAL_MEMORY64, "(module (memory i64 1))"},
    {WASMRT_PROPOSAL_FUNCTION_REFERENCES,
     "(module (type $t (func)) (func (param (ref $t)) (call_ref $t (local.get 0))))"},
    {WASMRT_PROPOSAL_GC,
     "(module (type $s (struct (field i32))) (func (drop (struct.new $s (i32.const 1)))))"},
    {WASMRT_PROPOSAL_EXCEPTIONS, "(module (tag $t) (func (throw $t)))"},
    {WASMRT_PROPOSAL_WIDE_ARITHMETIC,
     "(module (func (param i64 i64) (result i64 i64)"
     "  (i64.mul_wide_u (local.get 0) (local.get 1))))"},
    {WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, "(module (memory 1 (pagesize 1)))"},
    {WASMRT_PROPOSAL_THREADS,
     "(module (memory 1) (func (result i32) (i32.atomic.load (i32.const 0))))"},
};
enum { PROPOSALS = sizeof proposals / sizeof *proposals };

typedef enum setting_t { DEFAULT, ON, OFF } setting_t;

// Returns whether a module of the proposal compiles, or whether the engine was refused.
typedef enum outcome_t { REFUSED, INVALID, VALID } outcome_t;

static outcome_t try_proposal(size_t index, setting_t setting, wasmrt_compiler_t compiler) {
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_set_compiler(config, compiler));
  wasmrt_proposal_t number = proposals[index].number;
  if (setting != DEFAULT) CHECK(wasmrt_config_set_proposal(config, number, setting == ON));
  // Stands on the other.
  if (setting == OFF && number == WASMRT_PROPOSAL_SIMD)
    CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_RELAXED_SIMD, false));
  wasmrt_last_error_clear();
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) {
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    return REFUSED;
  }
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = binary_from_wat(proposals[index].wat);
  wasm_module_t* module = wasm_module_new(store, &binary);
  if (!module) CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_INT(wasm_module_validate(store, &binary), module != NULL);
  if (module) wasm_instance_delete(instantiate(store, module, NULL, 0));
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return module ? VALID : INVALID;
}

static void check_proposal(size_t index, setting_t setting, wasmrt_compiler_t compiler,
                           outcome_t expected) {
  outcome_t outcome = try_proposal(index, setting, compiler);
  if (!CHECK_INT(outcome, expected)) {
    const char* message = wasmrt_last_error_message();
    fprintf(stderr, "    proposal %d, setting %d, compiler %d: %s\n", proposals[index].number,
            setting, compiler, message ? message : "");
  }
}

TEST(every_proposal_on_and_off) {
  bool wasmi = on_wasmi();
  for (size_t i = 0; i < PROPOSALS; i++) {
    wasmrt_proposal_t number = proposals[i].number;
    bool lacks =
        wasmi &&
        ((number >= WASMRT_PROPOSAL_FUNCTION_REFERENCES && number <= WASMRT_PROPOSAL_EXCEPTIONS) ||
         number >= WASMRT_PROPOSAL_THREADS);
    bool off = number == WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES;
    check_proposal(i, DEFAULT, WASMRT_COMPILER_DEFAULT, lacks || off ? INVALID : VALID);
    check_proposal(i, ON, WASMRT_COMPILER_DEFAULT, lacks ? REFUSED : VALID);
    check_proposal(i, OFF, WASMRT_COMPILER_DEFAULT, INVALID);
  }
}

TEST(proposals_of_winch_and_pulley) {
  if (on_wasmi()) return;
  for (size_t i = 0; i < PROPOSALS; i++) {
    wasmrt_proposal_t number = proposals[i].number;
    bool off = number == WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES;
    bool pulley_lacks = number == WASMRT_PROPOSAL_THREADS;
    check_proposal(i, DEFAULT, WASMRT_COMPILER_PULLEY, pulley_lacks || off ? INVALID : VALID);
    check_proposal(i, ON, WASMRT_COMPILER_PULLEY, pulley_lacks ? REFUSED : VALID);
    bool winch_lacks =
        (number >= WASMRT_PROPOSAL_FUNCTION_REFERENCES && number <= WASMRT_PROPOSAL_EXCEPTIONS) ||
        number == WASMRT_PROPOSAL_TAIL_CALL || number == WASMRT_PROPOSAL_RELAXED_SIMD;
    if (winch_lacks) {
      check_proposal(i, DEFAULT, WASMRT_COMPILER_WINCH, INVALID);
      check_proposal(i, ON, WASMRT_COMPILER_WINCH, REFUSED);
    } else if (!off && number != WASMRT_PROPOSAL_SIMD) {
      // References to the host's objects need the collector, which it lacks.
      bool invalid =
          number == WASMRT_PROPOSAL_REFERENCE_TYPES || number == WASMRT_PROPOSAL_WIDE_ARITHMETIC;
      check_proposal(i, DEFAULT, WASMRT_COMPILER_WINCH, invalid ? INVALID : VALID);
    }
    check_proposal(i, OFF, WASMRT_COMPILER_WINCH, INVALID);
    check_proposal(i, OFF, WASMRT_COMPILER_PULLEY, INVALID);
  }
}

TEST(the_last_word_about_a_proposal_counts) {
  wasm_config_t* config = new_config();
  for (int i = 0; i < 10; i++)
    CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_MEMORY64, i % 2));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture, "(module (memory i64 1))", NULL, 0);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Options that can be seen at work

static size_t depth_with_stack(size_t bytes) {
  wasm_config_t* config = new_config();
  if (bytes) CHECK(wasmrt_config_set_max_wasm_stack(config, bytes));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture,
               "(module (global $depth (export \"depth\") (mut i32) (i32.const 0))"
               "  (func $f (export \"f\")"
               "    (global.set $depth (i32.add (global.get $depth) (i32.const 1))) (call $f)))",
               NULL, 0);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_STACK_EXHAUSTED);
  wasm_val_t value;
  wasm_global_get(fixture_global(&fixture, 0), &value);
  fixture_delete(&fixture);
  return (size_t)value.of.i32;
}

TEST(the_stack_is_bounded) {
  size_t small = depth_with_stack(20000), middle = depth_with_stack(100000),
         large = depth_with_stack(1000000), by_default = depth_with_stack(0);
  CHECK(small > 1 && small < middle && middle < large);
  CHECK(by_default > middle && by_default <= large);
  struct rlimit limit;
  REQUIRE(getrlimit(RLIMIT_STACK, &limit) == 0);
  if (limit.rlim_cur >= 8 << 20) CHECK(depth_with_stack(6000000) > 5 * large);
  if (on_wasmi()) {
    CHECK(small >= 18 && small <= 22);
    CHECK(middle >= 98 && middle <= 102);
    CHECK_INT(large, by_default);
  }
}

// NaNs that instructions produce have one bit pattern; this one would keep its payload otherwise.
TEST(deterministic_mode) {
  if (on_wasmi()) return;
  for (int deterministic = 0; deterministic < 2; deterministic++) {
    wasm_config_t* config = new_config();
    CHECK(wasmrt_config_set_deterministic(config, deterministic));
    fixture_t fixture = fixture_from_config(config);
    fixture_load(&fixture,
                 "(module (func (export \"f\") (param f32) (result i32)"
                 "  (i32.reinterpret_f32 (f32.add (local.get 0) (f32.const 1)))))",
                 NULL, 0);
    uint32_t bits = 0x7fc12345;
    wasm_val_t argument = F32(0), result;
    memcpy(&argument.of.f32, &bits, sizeof bits);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
    if (deterministic) {
      CHECK_INT(result.of.i32, 0x7fc00000);
    } else {
      CHECK_INT(result.of.i32 & 0x7fc00000, 0x7fc00000);
    }
    fixture_delete(&fixture);
  }
}

TEST(a_pool_is_used_up_and_used_again) {
  if (on_wasmi()) return;
  wasm_config_t* config = new_config();
  CHECK(set_pool(config, 3, 3, 3, 131072, 100));
  fixture_t fixture = fixture_from_config(config);
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (memory (export \"m\") 1) (table 50 funcref)"
                      "  (func (export \"f\") (result i32) (memory.grow (i32.const 1))))");
  for (int round = 0; round < 4; round++) {
    wasm_store_t* stores[3];
    for (size_t i = 0; i < 3; i++) {
      stores[i] = wasm_store_new(fixture.engine);
      wasm_instance_t* instance = instantiate(stores[i], module, NULL, 0);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      // Two pages fit, three do not; and the memory is as new each time.
      wasm_memory_t* memory = wasm_extern_as_memory(exports.data[0]);
      CHECK_INT(wasm_memory_data(memory)[7], 0);
      wasm_memory_data(memory)[7] = 7;
      CHECK_INT(call_i32(wasm_extern_as_func(exports.data[1])), 1);
      CHECK_INT(call_i32(wasm_extern_as_func(exports.data[1])), -1);
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
    }
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    wasm_trap_delete(trap);
    for (size_t i = 0; i < 3; i++) wasm_store_delete(stores[i]);
  }
  // Too much for the pool altogether.
  wasm_byte_vec_t binary = binary_from_wat("(module (memory 3))");
  CHECK_FAILS(wasm_module_new(fixture.store, &binary) == NULL);
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(a_pool_is_on_once_it_has_a_limit) {
  wasm_config_t* config = new_config();
  const wasmrt_pool_limit_t none[] = {5, 255, 256, UINT32_MAX};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    CHECK_FAILS_WITH(!wasmrt_config_set_pool_limit(config, none[i], 1), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "is not a value of wasmrt_pool_limit_enum");
  }
  // Not on by what was refused, and off again after all: every backend makes this engine.
  CHECK(wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_INSTANCES, UINT64_MAX));
  CHECK(wasmrt_config_set_pooling(config, false));
  check_runs(config);
  if (on_wasmi()) {
    config = new_config();
    CHECK(wasmrt_config_set_pooling(config, true));
    check_refused(config, "pooling");
    config = new_config();
    CHECK(wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_TABLES, 0));
    check_refused(config, "pooling");
    return;
  }
  const wasmrt_pool_limit_t counts[] = {WASMRT_POOL_LIMIT_INSTANCES, WASMRT_POOL_LIMIT_MEMORIES,
                                        WASMRT_POOL_LIMIT_TABLES};
  const uint64_t too_many[] = {1000001, UINT64_C(1) << 32, UINT64_MAX};
  for (size_t i = 0; i < 3; i++) {
    for (size_t j = 0; j < 3; j++) {
      config = new_config();
      CHECK(wasmrt_config_set_pool_limit(config, counts[i], too_many[j]));
      check_refused(config, "1000000");
    }
  }
  if (under_valgrind()) return; // it has not that much address space
  // Turning on what is on already keeps the limits: one instance, and no second.
  config = new_config();
  CHECK(set_pool(config, 1, 1, 1, 1 << 20, 10));
  CHECK(wasmrt_config_set_pooling(config, true));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture, "(module (memory 1))", NULL, 0);
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, fixture.module, NULL, NULL) == NULL,
                   WASMRT_ERROR_LIMIT);
  fixture_delete(&fixture);
  // And without limits the engine has its own, here with a smaller memory.
  config = new_config();
  CHECK(wasmrt_config_set_pooling(config, true));
  CHECK(wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_MEMORY_BYTES, 1 << 20));
  check_runs(config);
}

TEST(pools_of_any_size) {
  if (on_wasmi()) return;
  wasm_config_t* config = new_config();
  // valgrind has not that much address space.
  if (!under_valgrind()) {
    CHECK(set_pool(config, 0, 0, 0, 1 << 20, 0));
    check_runs(config);
    config = new_config();
  }
  CHECK(set_pool(config, UINT32_MAX, UINT32_MAX, UINT32_MAX, SIZE_MAX, SIZE_MAX));
  CHECK_FAILS(wasm_engine_new_with_config(config) == NULL);
}

TEST(memories_of_every_layout) {
  if (on_wasmi()) return;
  const uint64_t sizes[] = {0, 1, 65536, 1 << 24, UINT64_C(1) << 32};
  for (size_t i = 0; i < 5; i++) {
    for (size_t j = 0; j < 4; j++) {
      for (int copy_on_write = 0; copy_on_write < 2; copy_on_write++) {
        wasm_config_t* config = new_config();
        CHECK(wasmrt_config_set_memory_reservation(config, sizes[i]));
        CHECK(wasmrt_config_set_memory_guard_size(config, sizes[j]));
        CHECK(wasmrt_config_set_memory_copy_on_write(config, copy_on_write));
        fixture_t fixture = fixture_from_config(config);
        fixture_load(&fixture,
                     "(module (memory 1) (data (i32.const 100) \"x\")"
                     "  (func (export \"grow\") (param i32) (result i32)"
                     "    (memory.grow (local.get 0)))"
                     "  (func (export \"load\") (param i32) (result i32)"
                     "    (i32.load8_u (local.get 0))))",
                     NULL, 0);
        CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 100), 'x');
        wasm_val_t argument = I32(65536), result;
        CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), &argument, 1, &result, 1),
                        WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
        CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 20), 1);
        CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 100), 'x');
        CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), 65536 * 21 - 1), 0);
        argument = I32(-1);
        CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), &argument, 1, &result, 1),
                        WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
        fixture_delete(&fixture);
      }
    }
  }
}

TEST(profiling) {
  if (on_wasmi()) return;
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_set_profiling(config, WASMRT_PROFILING_PERFMAP));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture, "(module (func $a_name_to_find (export \"f\")))", NULL, 0);
  char path[64], line[1000];
  snprintf(path, sizeof path, "/tmp/perf-%d.map", (int)getpid());
  FILE* file = fopen(path, "r");
  CHECK(file != NULL);
  bool found = false;
  while (file && fgets(line, sizeof line, file)) found = found || strstr(line, "a_name_to_find");
  CHECK(found);
  if (file) fclose(file);
  fixture_delete(&fixture);

  // Here the engine reads a page of the kernel's that valgrind hides.
  if (under_valgrind()) return;
  config = new_config();
  CHECK(wasmrt_config_set_profiling(config, WASMRT_PROFILING_JITDUMP));
  fixture = fixture_from_config(config);
  fixture_load(&fixture, "(module (func (export \"f\")))", NULL, 0);
  snprintf(path, sizeof path, "jit-%d.dump", (int)getpid());
  CHECK(access(path, R_OK) == 0);
  fixture_delete(&fixture);
  unlink(path);
}

// ------------------------------------------------------------------------------------------------
// Other machines

TEST(targets) {
  if (on_wasmi()) return;
  static const char* const bad[] = {"", "nonsense", "x86_64", "vax-unknown-unix", "\xff"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wasm_config_t* config = new_config();
    if (!wasmrt_config_set_target(config, bad[i])) {
      CHECK(wasmrt_last_error_kind() == WASMRT_ERROR_MISUSE);
      wasm_config_delete(config);
      continue;
    }
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    // "x86_64" alone may be taken for a triple whose other parts are unknown.
    if (!engine) CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    if (i != 2) CHECK(engine == NULL);
    wasm_engine_delete(engine);
  }
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_set_target(config, "pulley64"));
  fixture_t fixture = fixture_from_config(config);
  wasm_byte_vec_t binary = binary_from_wat("(module (func (export \"f\")))"), artifact;
  wasm_module_t* module = wasm_module_new(fixture.store, &binary);
  REQUIRE(module);
  wasm_byte_vec_delete(&binary);
  wasm_module_serialize(module, &artifact);
  CHECK(artifact.size > 0);
  // A host's own code is not taken for another's.
  fixture_t native = fixture_new();
  CHECK_FAILS_WITH(wasm_module_deserialize(native.store, &artifact) == NULL, WASMRT_ERROR_ARTIFACT);
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(module);
  fixture_delete(&native);
  fixture_delete(&fixture);
}

TEST(code_for_a_machine_that_this_one_is_not) {
  if (on_wasmi()) return;
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_set_target(config, "x86_64-pc-windows-msvc"));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  REQUIRE(store);
  wasm_byte_vec_t binary = binary_from_wat("(module (func (export \"f\")))"), artifact;
  wasm_module_t* module = wasm_module_new(store, &binary);
  REQUIRE(module);
  wasm_module_serialize(module, &artifact);
  CHECK(artifact.size > 0);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(store, module, NULL, &trap) == NULL);
  CHECK(trap != NULL);
  wasm_trap_delete(trap);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  CHECK_INT(exports.size, 1);
  wasm_exporttype_vec_delete(&exports);
  CHECK(wasm_module_validate(store, &binary));
  wasm_byte_vec_delete(&artifact);
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(features_of_the_processor) {
  if (on_wasmi()) return;
  static const char* const bad[] = {"avx2", "has_nonsense", "", "enable_pinned_reg",
                                    "opt_level=none"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    wasm_config_t* config = new_config();
    if (!wasmrt_config_enable_cpu_feature(config, bad[i])) {
      wasm_config_delete(config);
      continue;
    }
    CHECK_FAILS_WITH(wasm_engine_new_with_config(config) == NULL, WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), bad[i]);
  }
  wasm_config_t* config = new_config();
  CHECK(wasmrt_config_enable_cpu_feature(config, "has_sse3"));
  CHECK(wasmrt_config_enable_cpu_feature(config, "has_ssse3"));
  check_runs(config);
}
