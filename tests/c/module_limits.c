// Limits on compilation, and modules made to be expensive to compile.
#include "bytes.h"
#include "configured.h"

#include <sys/resource.h>
#include <time.h>

// ------------------------------------------------------------------------------------------------
// The limits

static const char* text =
    "(module (import \"a\" \"b\" (func)) (type (func (param i32))) (func)"
    "  (func (param i64) (local i32 i64 f32) nop))";

static bool compiles_within(wasmrt_module_limit_t limit, uint64_t value, const char* wat) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_module_limit(config, limit, value));
  fixture_t fixture = fixture_from_config(config);
  wasm_byte_vec_t binary = binary_from_wat(wat);
  wasmrt_last_error_clear();
  wasm_module_t* module = wasm_module_new(fixture.store, &binary);
  bool compiled = module != NULL;
  if (!compiled) {
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    char number[32];
    snprintf(number, sizeof number, "%" PRIu64, value);
    CHECK_CONTAINS(wasmrt_last_error_message(), number);
    CHECK_INT(modules_of(fixture.engine), 0);
  }
  wasm_byte_vec_delete(&binary);
  wasm_module_delete(module);
  fixture_delete(&fixture);
  return compiled;
}

TEST(each_limit_at_and_beyond) {
  wasm_byte_vec_t binary = binary_from_wat(text);
  const struct {
    wasmrt_module_limit_t limit;
    uint64_t has;
  } limits[] = {{WASMRT_MODULE_LIMIT_BYTES, binary.size},
                {WASMRT_MODULE_LIMIT_FUNCTIONS, 3},
                {WASMRT_MODULE_LIMIT_TYPES, 3},
                {WASMRT_MODULE_LIMIT_LOCALS, 3},
                {WASMRT_MODULE_LIMIT_FUNCTION_BYTES, 9}};
  wasm_byte_vec_delete(&binary);
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++) {
    CHECK(compiles_within(limits[i].limit, limits[i].has, text));
    CHECK(compiles_within(limits[i].limit, limits[i].has + 1, text));
    CHECK(compiles_within(limits[i].limit, WASMRT_UNLIMITED, text));
    CHECK(!compiles_within(limits[i].limit, limits[i].has - 1, text));
    CHECK(!compiles_within(limits[i].limit, 0, text));
  }
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_FUNCTIONS, 0, "(module)"));
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_BYTES, 8, "(module)"));
}

// The cost of compiling is computed from the bytes, on any backend, once a limit on it is set.
TEST(costs) {
  static const char nested[] = "(module (func block loop i32.const 0 if end end end))";
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_NESTING, 3, nested));
  CHECK(!compiles_within(WASMRT_MODULE_LIMIT_NESTING, 2, nested));
  CHECK_CONTAINS(wasmrt_last_error_message(), "function 0 has 3 blocks");
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_FUNCTION_COST, 1000, nested));
  CHECK(!compiles_within(WASMRT_MODULE_LIMIT_FUNCTION_COST, 2, nested));
  CHECK_CONTAINS(wasmrt_last_error_message(), "function 0 (mostly instructions)");
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_COST_PER_BYTE, 1, nested));
  CHECK(!compiles_within(WASMRT_MODULE_LIMIT_COST_PER_BYTE, 0, nested));
  static const char constant[] = "(module (global i32 i32.const 1 i32.const 2 i32.add))";
  CHECK(compiles_within(WASMRT_MODULE_LIMIT_CONSTANT_TERMS, 3, constant));
  CHECK(!compiles_within(WASMRT_MODULE_LIMIT_CONSTANT_TERMS, 2, constant));
}

// wasmi would recurse over them, whatever the configuration allows; in validation too.
TEST(long_constant_expressions) {
  wasm_config_t* config = wasm_config_new();
  CHECK(
      wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_CONSTANT_TERMS, WASMRT_UNLIMITED));
  fixture_t lifted = fixture_from_config(config), fixture = fixture_new();
  bytes_t module = module_begin(), globals = {NULL, 0, 0};
  PUT(&globals, "\1\x7f\0\x41\0");
  REPEAT(&globals, "\x41\1\x6a", 100000);
  put(&globals, 0x0b);
  put_section(&module, 6, globals);
  wasm_byte_vec_t binary = {module.size, (char*)module.data};
  CHECK_FAILS_WITH(!wasm_module_validate(fixture.store, &binary), WASMRT_ERROR_LIMIT);
  CHECK_FAILS_WITH(wasm_module_new(fixture.store, &binary) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "200001 terms");
  if (backend_is(lifted.engine, "wasmi")) {
    CHECK_FAILS_WITH(!wasm_module_validate(lifted.store, &binary), WASMRT_ERROR_LIMIT);
    CHECK_FAILS_WITH(wasm_module_new(lifted.store, &binary) == NULL, WASMRT_ERROR_LIMIT);
    CHECK_CONTAINS(wasmrt_last_error_message(), "wasmi backend accepts at most 1000");
  } else {
    wasm_module_t* compiled = wasm_module_new(lifted.store, &binary);
    CHECK(compiled != NULL);
    wasm_module_delete(compiled);
  }
  free(module.data);
  fixture_delete(&fixture);
  fixture_delete(&lifted);
}

TEST(bad_input) {
  wasm_config_t* config = wasm_config_new();
  CHECK_FAILS(!wasmrt_config_set_module_limit(NULL, WASMRT_MODULE_LIMIT_BYTES, 1));
  CHECK_FAILS(!wasmrt_config_set_module_limit(config, 9, 1));
  CHECK_FAILS(!wasmrt_config_set_module_limit(config, 255, 1));
  wasm_config_delete(config);
}

// An artifact is a module too.
TEST(limits_hold_for_every_way_to_a_module) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  wasm_module_delete(module);
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_FUNCTIONS, 3));
  fixture_t bounded = fixture_from_config(config);
  module = wasm_module_deserialize(bounded.store, &artifact);
  CHECK(module != NULL);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&bounded);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Bombs. Whatever happens, there is an answer: a module, or an error of a known kind.

static double seconds(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static bool within(wasmrt_error_kind_t kind) {
  return kind == WASMRT_ERROR_COMPILE || kind == WASMRT_ERROR_LIMIT;
}

// Frees the bytes. Returns whether it was compiled, and ran, if it exports a function.
static bool explode(const char* name, bytes_t bytes, bool instantiated) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = {bytes.size, (char*)bytes.data};
  wasmrt_last_error_clear();
  double begin = seconds();
  fixture.module = wasm_module_new(fixture.store, &binary);
  double took = seconds() - begin;
  if (!fixture.module) {
    CHECK(within(wasmrt_last_error_kind()));
    CHECK(wasmrt_last_error_message() != NULL);
  }
  bool compiled = fixture.module != NULL;
  begin = seconds();
  if (compiled && instantiated) {
    wasm_trap_t* trap = NULL;
    fixture.instance = wasm_instance_new(fixture.store, fixture.module, NULL, &trap);
    if (!fixture.instance) CHECK(trap != NULL);
    wasm_trap_delete(trap);
    if (fixture.instance) wasm_instance_exports(fixture.instance, &fixture.exports);
    if (fixture.exports.size == 1) {
      trap = call_plain(fixture_func(&fixture, 0));
      if (trap) CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_TRAP);
      wasm_trap_delete(trap);
    }
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  const char* message = compiled ? "" : wasmrt_last_error_message();
  printf("%s: %s in %.2f s, run in %.2f s, %ld MB at most so far: %.80s\n", name,
         compiled ? "compiled" : "refused", took, seconds() - begin, usage.ru_maxrss / 1024,
         message ? message : "");
  fixture_delete(&fixture);
  free(bytes.data);
  return compiled;
}

static size_t scaled(size_t count) {
  return repetitions(count, count / 100);
}

TEST(a_million_instructions) {
  bytes_t body = {NULL, 0, 0};
  put_number(&body, 0);
  REPEAT(&body, "\x41\1\x1a", scaled(500000)); // i32.const 1, drop
  put(&body, 0x0b);
  CHECK(explode("a million instructions", module_of_body(body), true));
  body = (bytes_t){NULL, 0, 0};
  PUT(&body, "\1\1\x7f");                                  // one i32
  REPEAT(&body, "\x20\0\x41\1\x6a\x21\0", scaled(250000)); // x += 1
  put(&body, 0x0b);
  CHECK(explode("a million that depend on each other", module_of_body(body), true));
  body = (bytes_t){NULL, 0, 0};
  put_number(&body, 0);
  REPEAT(&body, "\x41\1", scaled(500000));
  REPEAT(&body, "\x1a", scaled(500000));
  put(&body, 0x0b);
  explode("half a million operands", module_of_body(body), true);
  body = (bytes_t){NULL, 0, 0};
  put_number(&body, 0);
  REPEAT(&body, "\x10\0", scaled(500000)); // calls of itself
  put(&body, 0x0b);
  explode("half a million calls", module_of_body(body), true);
  body = (bytes_t){NULL, 0, 0};
  put_number(&body, 0);
  REPEAT(&body, "\x41\0\x04\x40\x01\x0b", scaled(170000)); // if nop end
  put(&body, 0x0b);
  explode("170,000 ifs", module_of_body(body), true);
}

TEST(deeply_nested) {
  static const struct {
    const char *name, *begin, *end;
    size_t size;
  } kinds[] = {{"blocks", "\x02\x40", "\x0b", 2},
               {"loops", "\x03\x40", "\x0b", 2},
               {"ifs", "\x41\1\x04\x40", "\x0b", 4},
               {"blocks with branches out", "\x02\x40\x41\0\x0d\0", "\x0b", 6}};
  const size_t depths[] = {1000, 10000, scaled(100000)};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    for (size_t j = 0; j < 3; j++) {
      bytes_t body = {NULL, 0, 0};
      put_number(&body, 0);
      put_repeated(&body, kinds[i].begin, kinds[i].size, depths[j]);
      put_repeated(&body, kinds[i].end, 1, depths[j]);
      put(&body, 0x0b);
      char name[100];
      snprintf(name, sizeof name, "%zu %s", depths[j], kinds[i].name);
      bool compiled = explode(name, module_of_body(body), true);
      if (depths[j] == 1000) CHECK(compiled);
    }
  }
}

// The real thing: a million instructions, ten thousand deep.
TEST(a_million_instructions_nested) {
  bytes_t body = {NULL, 0, 0};
  PUT(&body, "\1\1\x7f");
  size_t depth = scaled(10000);
  for (size_t i = 0; i < depth; i++) {
    PUT(&body, "\x02\x40");
    REPEAT(&body, "\x20\0\x41\1\x6a\x21\0", 25);
  }
  REPEAT(&body, "\x0b", depth);
  put(&body, 0x0b);
  explode("a million instructions 10,000 deep", module_of_body(body), true);
}

TEST(types) {
  const size_t counts[] = {scaled(20000), 1000001};
  for (size_t i = 0; i < 2; i++) {
    bytes_t module = module_begin(), types = {NULL, 0, 0};
    put_number(&types, counts[i]);
    for (size_t j = 0; j < counts[i]; j++) {
      // All of them different.
      PUT(&types, "\x60");
      put_number(&types, 20);
      for (size_t k = 0; k < 20; k++) put(&types, (j >> k) & 1 ? 0x7f : 0x7e);
      put(&types, 0);
    }
    put_section(&module, 1, types);
    char name[100];
    snprintf(name, sizeof name, "%zu types", counts[i]);
    bool compiled = explode(name, module, true);
    if (i == 0) CHECK(compiled);
    if (i == 1) CHECK(!compiled);
  }
}

TEST(a_million_types) {
  bytes_t module = module_begin(), types = {NULL, 0, 0};
  put_number(&types, scaled(1000000));
  REPEAT(&types, "\x60\0\0", scaled(1000000));
  put_section(&module, 1, types);
  explode("a million types", module, true);
}

TEST(locals) {
  const size_t counts[] = {50000, 50001, 0xffffffff};
  for (size_t i = 0; i < 3; i++) {
    bytes_t body = {NULL, 0, 0};
    put_number(&body, 1);
    put_number(&body, counts[i]);
    put(&body, 0x7e);
    put(&body, 0x0b);
    char name[100];
    snprintf(name, sizeof name, "%zu locals", counts[i]);
    bool compiled = explode(name, module_of_body(body), true);
    // An engine may have a lower bound of its own.
    if (counts[i] > 50000) CHECK(!compiled);
  }
}

TEST(a_branch_table_of_a_million_entries) {
  bytes_t body = {NULL, 0, 0};
  put_number(&body, 0);
  PUT(&body, "\x02\x40\x41\0\x0e");
  put_number(&body, scaled(1000000));
  REPEAT(&body, "\0", scaled(1000000));
  PUT(&body, "\0\x0b\x0b");
  explode("a branch table of a million entries", module_of_body(body), true);
}

TEST(a_giant_data_segment) {
  bytes_t module = module_begin(), data = {NULL, 0, 0};
  size_t size = repetitions(64 << 20, 1 << 20);
  PUT(&module, "\5\4\1\0\x80\x08"); // a memory of 64 MiB
  put_number(&data, 1);
  PUT(&data, "\0\x41\0\x0b");
  put_number(&data, size);
  REPEAT(&data, "x", size);
  put_section(&module, 11, data);
  CHECK(explode("a data segment of 64 MiB", module, true));
  // One that says it is longer than the module.
  module = module_begin();
  data = (bytes_t){NULL, 0, 0};
  PUT(&module, "\5\3\1\0\1");
  put_number(&data, 1);
  PUT(&data, "\0\x41\0\x0b\xff\xff\xff\xff\x0f");
  put_section(&module, 11, data);
  CHECK(!explode("a data segment that is not there", module, false));
}

TEST(functions) {
  size_t count = scaled(100000);
  bytes_t module = module_begin(), functions = {NULL, 0, 0}, code = {NULL, 0, 0};
  PUT(&module, "\1\4\1\x60\0\0");
  put_number(&functions, count);
  REPEAT(&functions, "\0", count);
  put_section(&module, 3, functions);
  put_number(&code, count);
  REPEAT(&code, "\2\0\x0b", count);
  put_section(&module, 10, code);
  CHECK(explode("100,000 functions", module, true));
}

TEST(counts_that_are_lies) {
  // A section with a count of four billion and a few bytes of content.
  static const unsigned char sections[] = {1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 13};
  for (size_t i = 0; i < sizeof sections; i++) {
    bytes_t module = module_begin(), content = {NULL, 0, 0};
    PUT(&content, "\xff\xff\xff\xff\x0f\x60\0\0");
    put_section(&module, sections[i], content);
    CHECK(!explode("a count that is a lie", module, false));
  }
}

// With the limits set, a bomb is refused before it costs anything.
TEST(bombs_are_refused_by_limits) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_FUNCTION_BYTES, 100000));
  CHECK(wasmrt_config_set_module_limit(config, WASMRT_MODULE_LIMIT_TYPES, 1000));
  fixture_t fixture = fixture_from_config(config);
  bytes_t body = {NULL, 0, 0};
  put_number(&body, 0);
  REPEAT(&body, "\x41\1\x1a", 500000);
  put(&body, 0x0b);
  bytes_t bytes = module_of_body(body);
  wasm_byte_vec_t binary = {bytes.size, (char*)bytes.data};
  CHECK_FAILS_WITH(wasm_module_new(fixture.store, &binary) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "100000");
  free(bytes.data);
  bytes = module_begin();
  bytes_t types = {NULL, 0, 0};
  put_number(&types, 1000000);
  REPEAT(&types, "\x60\0\0", 1000000);
  put_section(&bytes, 1, types);
  binary = (wasm_byte_vec_t){bytes.size, (char*)bytes.data};
  CHECK_FAILS_WITH(wasm_module_new(fixture.store, &binary) == NULL, WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "1000");
  free(bytes.data);
  fixture_delete(&fixture);
}
