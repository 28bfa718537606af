// The WASMRT_* variables of the environment: what an operator sets where the program does not.
#include "configured.h"

// Sets a variable, and restores its previous value.
typedef struct variable_t {
  const char* name;
  char* before;
} variable_t;

static variable_t variable_set(const char* name, const char* value) {
  const char* before = getenv(name);
  variable_t variable = {name, before ? strdup(before) : NULL};
  REQUIRE(setenv(name, value, 1) == 0);
  return variable;
}

static void variable_restore(variable_t variable) {
  if (variable.before) {
    setenv(variable.name, variable.before, 1);
  } else {
    unsetenv(variable.name);
  }
  free(variable.before);
}

static bool default_is(const char* backend) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  bool is = backend_is(engine, backend);
  wasm_engine_delete(engine);
  return is;
}

static void check_engine_works(wasm_engine_t* engine) {
  fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&fixture,
               "(module (memory 1) (func (export \"f\") (result i32) (i32.add (i32.const 5)"
               "  (memory.size))))",
               NULL, 0);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 6);
  fixture_delete(&fixture);
}

// An engine that the variable rules out: the message names the variable.
static void check_refused(wasm_config_t* config, const char* name, const char* part) {
  CHECK_FAILS(wasm_engine_new_with_config(config) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), name);
  CHECK_CONTAINS(wasmrt_last_error_message(), part);
}

TEST(backend) {
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    variable_t variable = variable_set("WASMRT_BACKEND", wasmrt_backend_name(i));
    CHECK(default_is(wasmrt_backend_name(i)));
    variable_restore(variable);
  }
}

typedef struct case_t {
  const char *name, *value;
  bool wasmtime, wasmi;
} case_t;

static const case_t good[] = {
    {"WASMRT_COMPILER", "cranelift", true, false},
    {"WASMRT_COMPILER", "winch", true, false},
    {"WASMRT_COMPILER", "pulley", true, false},
    {"WASMRT_COMPILER", "eager", false, true},
    {"WASMRT_COMPILER", "lazy-translation", false, true},
    {"WASMRT_COMPILER", "lazy", false, true},
    {"WASMRT_OPTIMIZATION", "none", true, false},
    {"WASMRT_OPTIMIZATION", "speed", true, false},
    {"WASMRT_OPTIMIZATION", "speed-and-size", true, false},
    {"WASMRT_PROFILING", "none", true, true},
    {"WASMRT_PARALLEL_COMPILATION", "0", true, true},
    {"WASMRT_PARALLEL_COMPILATION", "1", true, false},
    {"WASMRT_MAX_WASM_STACK", "300000", true, true},
    {"WASMRT_MAX_SHARDS", "1", true, true},
    {"WASMRT_MAX_SHARDS", "1024", true, true},
    {"WASMRT_MEMORY_RESERVATION", "1048576", true, false},
    {"WASMRT_MEMORY_RESERVATION", "0", true, false},
};

TEST(values_that_mean_something) {
  bool wasmi = default_is("wasmi");
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    variable_t variable = variable_set(good[i].name, good[i].value);
    if (wasmi ? good[i].wasmi : good[i].wasmtime) {
      wasm_engine_t* engine = wasm_engine_new();
      REQUIRE(engine);
      check_engine_works(engine);
    } else {
      check_refused(wasm_config_new(), good[i].name, wasmi ? "wasmi" : "wasmtime");
      CHECK_FAILS(wasm_engine_new() == NULL);
    }
    variable_restore(variable);
  }
}

TEST(garbage) {
  static const char* const bad[][2] = {
      {"WASMRT_BACKEND", "nonsense"},
      {"WASMRT_BACKEND", "Wasmi"},
      {"WASMRT_BACKEND", "wasmi "},
      {"WASMRT_COMPILER", "nonsense"},
      {"WASMRT_COMPILER", "1"},
      {"WASMRT_COMPILER", "CRANELIFT"},
      {"WASMRT_COMPILER", "cranelift,winch"},
      {"WASMRT_OPTIMIZATION", "fast"},
      {"WASMRT_OPTIMIZATION", "2"},
      {"WASMRT_PROFILING", "perf"},
      {"WASMRT_PARALLEL_COMPILATION", "yes"},
      {"WASMRT_PARALLEL_COMPILATION", "2"},
      {"WASMRT_PARALLEL_COMPILATION", "01"},
      {"WASMRT_MAX_WASM_STACK", "much"},
      {"WASMRT_MAX_WASM_STACK", "-1"},
      {"WASMRT_MAX_WASM_STACK", "0"},
      {"WASMRT_MAX_WASM_STACK", "+1000000"},
      {"WASMRT_MAX_WASM_STACK", " 1000000"},
      {"WASMRT_MAX_WASM_STACK", "1M"},
      {"WASMRT_MAX_WASM_STACK", "99999999999999999999999999"},
      {"WASMRT_MAX_SHARDS", "0"},
      {"WASMRT_MAX_SHARDS", "1025"},
      {"WASMRT_MAX_SHARDS", "-1"},
      {"WASMRT_MAX_SHARDS", "+1"},
      {"WASMRT_MAX_SHARDS", "4294967297"},
      {"WASMRT_MAX_SHARDS", "auto"},
      {"WASMRT_MEMORY_RESERVATION", "1 GB"},
      {"WASMRT_MEMORY_RESERVATION", "+1048576"},
      {"WASMRT_MEMORY_RESERVATION", "0x1000"},
      {"WASMRT_MEMORY_RESERVATION", "\xff\xfe"},
  };
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    variable_t variable = variable_set(bad[i][0], bad[i][1]);
    check_refused(wasm_config_new(), bad[i][0], "");
    CHECK_FAILS(wasm_engine_new() == NULL);
    variable_restore(variable);
  }
  // The message lists the names that exist.
  variable_t variable = variable_set("WASMRT_COMPILER", "nonsense");
  check_refused(wasm_config_new(), "nonsense", "lazy-translation");
  variable_restore(variable);
}

TEST(empty_is_as_if_there_were_none) {
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
    variable_t variable = variable_set(good[i].name, "");
    wasm_engine_t* engine = wasm_engine_new();
    CHECK(engine != NULL);
    wasm_engine_delete(engine);
    variable_restore(variable);
  }
}

// The program takes precedence over the environment.
TEST(the_program_decides) {
  bool wasmi = default_is("wasmi");
  const char* theirs = wasmi ? "wasmtime" : "wasmi";
  variable_t variable = variable_set("WASMRT_BACKEND", theirs);
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_backend(config, wasmi ? "wasmi" : "wasmtime"));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  CHECK_STR(wasmrt_engine_backend_name(engine), wasmi ? "wasmi" : "wasmtime");
  check_engine_works(engine);
  variable_restore(variable);

  // One that this backend does not have, overridden.
  variable = variable_set("WASMRT_COMPILER", wasmi ? "cranelift" : "lazy");
  config = wasm_config_new();
  CHECK(wasmrt_config_set_compiler(config,
                                   wasmi ? WASMRT_COMPILER_EAGER : WASMRT_COMPILER_CRANELIFT));
  engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  check_engine_works(engine);
  variable_restore(variable);

  variable = variable_set("WASMRT_MAX_WASM_STACK", "1000000");
  config = wasm_config_new();
  CHECK(wasmrt_config_set_max_wasm_stack(config, 20000));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture,
               "(module (func $f (export \"f\") (param i32) (result i32)"
               "  (if (result i32) (local.get 0)"
               "    (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 5)))))",
               NULL, 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 3), 5);
  wasm_val_t argument = I32(2000), result;
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), &argument, 1, &result, 1),
                  WASMRT_TRAP_STACK_EXHAUSTED);
  fixture_delete(&fixture);
  variable_restore(variable);

  variable = variable_set("WASMRT_PARALLEL_COMPILATION", "1");
  config = wasm_config_new();
  CHECK(wasmrt_config_set_parallel_compilation(config, false));
  engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  check_engine_works(engine);
  variable_restore(variable);

  variable = variable_set("WASMRT_MAX_SHARDS", "1");
  config = wasm_config_new();
  CHECK(wasmrt_config_set_max_shards(config, 2));
  engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  check_engine_works(engine);
  variable_restore(variable);

  variable = variable_set("WASMRT_PROFILING", "perfmap");
  config = wasm_config_new();
  CHECK(wasmrt_config_set_profiling(config, WASMRT_PROFILING_NONE));
  engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  check_engine_works(engine);
  variable_restore(variable);
}

TEST(a_variable_can_be_seen_at_work) {
  variable_t variable = variable_set("WASMRT_MAX_WASM_STACK", "20000");
  fixture_t fixture = fixture_from_wat(
      "(module (func $f (export \"f\") (param i32) (result i32)"
      "  (if (result i32) (local.get 0)"
      "    (then (call $f (i32.sub (local.get 0) (i32.const 1)))) (else (i32.const 5)))))");
  variable_restore(variable);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 3), 5);
  wasm_val_t argument = I32(2000), result;
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), &argument, 1, &result, 1),
                  WASMRT_TRAP_STACK_EXHAUSTED);
  fixture_delete(&fixture);
}

// In combination with an option of the program: the refusal is the same.
TEST(a_variable_beside_an_option) {
  bool wasmi = default_is("wasmi");
  variable_t variable = variable_set("WASMRT_COMPILER", wasmi ? "lazy" : "winch");
  wasm_config_t* config = wasm_config_new();
  if (wasmi) {
    CHECK(wasmrt_config_set_fuel(config, true));
  } else {
    CHECK(wasmrt_config_set_deterministic(config, true));
  }
  check_refused(config, wasmi ? "wasmi" : "wasmtime", wasmi ? "lazy" : "winch");
  variable_restore(variable);
}

static void keep_message(void* env, uint32_t level, const char* message) {
  CHECK_INT(level, WASMRT_LOG_WARNING);
  char** kept = env;
  free(*kept);
  *kept = strdup(message);
}

TEST(an_unknown_variable_is_warned_of) {
  char* message = NULL;
  wasmrt_log_set_callback(keep_message, &message, NULL);
  variable_t variable = variable_set("WASMRT_COMPILLER", "winch");
  wasm_engine_t* engine = wasm_engine_new();
  CHECK(engine != NULL);
  CHECK_CONTAINS(message, "WASMRT_COMPILLER");
  variable_restore(variable);
  wasmrt_log_set_callback(NULL, NULL, NULL);
  wasm_engine_delete(engine);
  free(message);
}

// An engine keeps what it was made with.
TEST(later_changes_do_not_matter) {
  fixture_t fixture = fixture_new();
  variable_t variable = variable_set("WASMRT_COMPILER", "nonsense");
  variable_t stack = variable_set("WASMRT_MAX_WASM_STACK", "1");
  fixture_load(&fixture, "(module (func (export \"f\") (result i32) (i32.const 3)))", NULL, 0);
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 3);
  variable_restore(stack);
  variable_restore(variable);
  fixture_delete(&fixture);
}
