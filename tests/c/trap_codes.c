// Kinds of traps: every code of wasmrt_trap_code_enum, on every engine that can give it.
#include "configured.h"

static void check_code(const char* wat, wasmrt_trap_code_t code) {
  fixture_t fixture = fixture_from_wat(wat);
  wasmrt_last_error_clear();
  // The trapping function is the last export.
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, fixture.exports.size - 1));
  if (!CHECK_TRAP_CODE(trap, code)) fprintf(stderr, "    in %s\n", wat);
  check_error_left(__FILE__, __LINE__, wat);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_TRAP);
  fixture_delete(&fixture);
}

static void check_code_of(wasmrt_proposal_t proposal, const char* wat, wasmrt_trap_code_t code) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(fixture.store, wat);
  bool there = module != NULL;
  wasm_module_delete(module);
  const char* backend = wasmrt_engine_backend_name(fixture.engine);
  bool expected = wasmrt_backend_supports_proposal(backend, proposal);
  fixture_delete(&fixture);
  CHECK_INT(there, expected);
  if (there) check_code(wat, code);
}

TEST(null) {
  CHECK_FAILS(wasmrt_trap_code(NULL) == WASMRT_TRAP_NONE);
  CHECK_FAILS_WITH(wasmrt_trap_error_kind(NULL) == WASMRT_ERROR_NONE, WASMRT_ERROR_MISUSE);
  int32_t status = 77;
  fixture_t fixture = fixture_new();
  wasm_trap_t* trap = new_trap(fixture.store, "text");
  CHECK_FAILS(!wasmrt_trap_exit_status(NULL, &status));
  CHECK_FAILS(!wasmrt_trap_exit_status(trap, NULL));
  CHECK_INT(status, 77);
  wasm_trap_delete(trap);
  trap = wasmrt_trap_new_exit(fixture.store, 1);
  CHECK_FAILS(!wasmrt_trap_exit_status(trap, NULL));
  CHECK_FAILS(wasmrt_trap_new_exit(NULL, 1) == NULL);
  CHECK_FAILS(wasmrt_trap_data(NULL) == NULL);
  wasm_name_t name;
  GARBAGE(name);
  CHECK_LEAVES_ERROR(wasmrt_frame_func_name(NULL, &name));
  CHECK_INT(name.size, 0);
  GARBAGE(name);
  CHECK_LEAVES_ERROR(wasmrt_frame_module_name(NULL, &name));
  CHECK_INT(name.size, 0);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}

TEST(names_of_codes) {
  static const struct {
    wasmrt_trap_code_t code;
    const char* name;
  } names[] = {
      {WASMRT_TRAP_NONE, "none"},
      {WASMRT_TRAP_UNREACHABLE, "unreachable"},
      {WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS, "memory-out-of-bounds"},
      {WASMRT_TRAP_TABLE_OUT_OF_BOUNDS, "table-out-of-bounds"},
      {WASMRT_TRAP_UNDEFINED_ELEMENT, "undefined-element"},
      {WASMRT_TRAP_UNINITIALIZED_ELEMENT, "uninitialized-element"},
      {WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH, "indirect-call-type-mismatch"},
      {WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO, "integer-divide-by-zero"},
      {WASMRT_TRAP_INTEGER_OVERFLOW, "integer-overflow"},
      {WASMRT_TRAP_INVALID_CONVERSION, "invalid-conversion"},
      {WASMRT_TRAP_STACK_EXHAUSTED, "stack-exhausted"},
      {WASMRT_TRAP_UNALIGNED_ATOMIC, "unaligned-atomic"},
      {WASMRT_TRAP_NULL_REFERENCE, "null-reference"},
      {WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS, "array-out-of-bounds"},
      {WASMRT_TRAP_CAST_FAILURE, "cast-failure"},
      {WASMRT_TRAP_UNCAUGHT_EXCEPTION, "uncaught-exception"},
      {WASMRT_TRAP_OTHER, "other"},
      {WASMRT_TRAP_OUT_OF_FUEL, "out-of-fuel"},
      {WASMRT_TRAP_TIMEOUT, "timeout"},
      {WASMRT_TRAP_INTERRUPTED, "interrupted"},
      {WASMRT_TRAP_MEMORY_LIMIT, "memory-limit"},
      {WASMRT_TRAP_TABLE_LIMIT, "table-limit"},
      {WASMRT_TRAP_HOST, "host"},
      {WASMRT_TRAP_EXIT, "exit"},
      {WASMRT_TRAP_ERROR, "error"},
  };
  enum { NAMES = sizeof names / sizeof *names };
  wasmrt_last_error_clear();
  size_t found = 0;
  for (wasmrt_trap_code_t code = 0; code < 1000; code++) {
    const char* name = wasmrt_trap_code_name(code);
    if (name && CHECK(found < NAMES)) {
      CHECK_INT(code, names[found].code);
      CHECK_STR(name, names[found].name);
      found++;
    }
  }
  CHECK_INT(found, NAMES);
  CHECK_NULL(wasmrt_trap_code_name(UINT32_MAX));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
}

// The trap knows what was wrong with the call also when the last error is another's.
TEST(kind_of_the_error_that_a_trap_is) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param i32)) (func (export \"g\") unreachable))");
  wasm_trap_t* misuse = call(fixture_func(&fixture, 0), NULL, 0, NULL, 0);
  wasm_trap_t* unreachable = call_plain(fixture_func(&fixture, 1));
  wasm_module_t* unlinked = module_from_wat(fixture.store, "(module (import \"\" \"\" (func)))");
  wasm_trap_t* link = NULL;
  CHECK_NULL(wasm_instance_new(fixture.store, unlinked, NULL, &link));
  wasm_trap_t* host = new_trap(fixture.store, "text");
  CHECK_INT(wasmrt_trap_code(misuse), WASMRT_TRAP_ERROR);
  CHECK_INT(wasmrt_trap_code(link), WASMRT_TRAP_ERROR);
  wasmrt_last_error_clear();
  CHECK_INT(wasmrt_trap_error_kind(misuse), WASMRT_ERROR_MISUSE);
  CHECK_INT(wasmrt_trap_error_kind(link), WASMRT_ERROR_LINK);
  CHECK_INT(wasmrt_trap_error_kind(unreachable), WASMRT_ERROR_TRAP);
  CHECK_INT(wasmrt_trap_error_kind(host), WASMRT_ERROR_TRAP);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  wasm_trap_delete(misuse);
  wasm_trap_delete(unreachable);
  wasm_trap_delete(link);
  wasm_trap_delete(host);
  wasm_module_delete(unlinked);
  fixture_delete(&fixture);
}

TEST(unreachable) {
  check_code("(module (func (export \"f\") unreachable))", WASMRT_TRAP_UNREACHABLE);
}

TEST(memory_out_of_bounds) {
  static const char* const bodies[] = {
      "(drop (i32.load (i32.const 65536)))",
      "(drop (i32.load (i32.const 65533)))",
      "(drop (i64.load offset=0xffffffff (i32.const -1)))",
      "(i32.store8 (i32.const 65536) (i32.const 0))",
      "(memory.fill (i32.const 65535) (i32.const 0) (i32.const 2))",
      "(memory.copy (i32.const 0) (i32.const 65535) (i32.const 2))",
      "(memory.init 0 (i32.const 0) (i32.const 2) (i32.const 2))",
      "(drop (v128.load (i32.const 65521)))",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    char wat[500];
    snprintf(wat, sizeof wat, "(module (memory 1) (data \"abc\") (func (export \"f\") %s))",
             bodies[i]);
    check_code(wat, WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
  }
  check_code("(module (memory i64 1) (func (export \"f\") (drop (i32.load (i64.const -1)))))",
             WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
}

TEST(table_out_of_bounds) {
  static const char* const bodies[] = {
      "(drop (table.get (i32.const 10)))",
      "(table.set (i32.const -1) (ref.null func))",
      "(table.fill (i32.const 9) (ref.null func) (i32.const 2))",
      "(table.copy (i32.const 9) (i32.const 0) (i32.const 2))",
      "(table.init 0 (i32.const 0) (i32.const 1) (i32.const 1))",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    char wat[500];
    snprintf(wat, sizeof wat,
             "(module (table 10 funcref) (elem func $g) (func $g) (func (export \"f\") %s))",
             bodies[i]);
    check_code(wat, WASMRT_TRAP_TABLE_OUT_OF_BOUNDS);
  }
}

TEST(indirect_calls) {
  static const char* const wat =
      "(module (table 3 funcref) (elem (i32.const 1) $g) (func $g (param i32))"
      "  (func (export \"f\") (call_indirect (i32.const %d))))";
  static const struct {
    int index;
    wasmrt_trap_code_t code;
  } cases[] = {{3, WASMRT_TRAP_UNDEFINED_ELEMENT},
               {-1, WASMRT_TRAP_UNDEFINED_ELEMENT},
               {0, WASMRT_TRAP_UNINITIALIZED_ELEMENT},
               {1, WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    // Under valgrind the address of a call through null is not exact.
    if (under_valgrind() && cases[i].code == WASMRT_TRAP_UNINITIALIZED_ELEMENT) continue;
    char text[500];
    snprintf(text, sizeof text, wat, cases[i].index);
    check_code(text, cases[i].code);
  }
}

TEST(arithmetic) {
  static const struct {
    const char* instruction;
    wasmrt_trap_code_t code;
  } cases[] = {
      {"i32.div_s (i32.const 1) (i32.const 0)", WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO},
      {"i32.rem_u (i32.const 1) (i32.const 0)", WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO},
      {"i64.div_u (i64.const 1) (i64.const 0)", WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO},
      {"i32.div_s (i32.const 0x80000000) (i32.const -1)", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"i64.div_s (i64.const 0x8000000000000000) (i64.const -1)", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"i32.trunc_f64_s (f64.const 1e10)", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"i64.trunc_f32_u (f32.const -1)", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"i32.trunc_f32_s (f32.const inf)", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"i32.trunc_f64_s (f64.const nan)", WASMRT_TRAP_INVALID_CONVERSION},
      {"i64.trunc_f32_u (f32.const nan)", WASMRT_TRAP_INVALID_CONVERSION},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    // Under valgrind the address of the processor's signal is not exact.
    if (under_valgrind() && strstr(cases[i].instruction, "trunc") == NULL) continue;
    char wat[500];
    snprintf(wat, sizeof wat, "(module (func (export \"f\") (drop (%s))))", cases[i].instruction);
    check_code(wat, cases[i].code);
  }
}

TEST(stack_exhausted) {
  check_code("(module (func $f (export \"f\") (call $f)))", WASMRT_TRAP_STACK_EXHAUSTED);
  check_code("(module (func $f (call $g)) (func $g (export \"f\") (call $f)))",
             WASMRT_TRAP_STACK_EXHAUSTED);
}

TEST(proposals_of_one_engine) {
  check_code_of(WASMRT_PROPOSAL_THREADS,
                "(module (memory 1) (func (export \"f\") (drop (i32.atomic.load (i32.const 1)))))",
                WASMRT_TRAP_UNALIGNED_ATOMIC);
  // A processor's signal, which valgrind gives no exact address of.
  if (!under_valgrind()) {
    check_code_of(WASMRT_PROPOSAL_FUNCTION_REFERENCES,
                  "(module (type $t (func)) (func (export \"f\") (call_ref $t (ref.null $t))))",
                  WASMRT_TRAP_NULL_REFERENCE);
    check_code_of(WASMRT_PROPOSAL_GC,
                  "(module (type $s (struct (field i32)))"
                  "  (func (export \"f\") (drop (struct.get $s 0 (ref.null $s)))))",
                  WASMRT_TRAP_NULL_REFERENCE);
  }
  check_code_of(WASMRT_PROPOSAL_FUNCTION_REFERENCES,
                "(module (func (export \"f\") (drop (ref.as_non_null (ref.null func)))))",
                WASMRT_TRAP_NULL_REFERENCE);
  check_code_of(WASMRT_PROPOSAL_GC,
                "(module (type $a (array i32)) (func (export \"f\")"
                "  (drop (array.get $a (array.new_default $a (i32.const 3)) (i32.const 3)))))",
                WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS);
  check_code_of(WASMRT_PROPOSAL_GC,
                "(module (type $a (array i32)) (type $s (struct)) (func (export \"f\")"
                "  (drop (ref.cast (ref $a) (struct.new $s)))))",
                WASMRT_TRAP_CAST_FAILURE);
  check_code_of(WASMRT_PROPOSAL_EXCEPTIONS, "(module (tag $t) (func (export \"f\") (throw $t)))",
                WASMRT_TRAP_UNCAUGHT_EXCEPTION);
}

// One function that calls through a table and accesses it, in every way, and its neighbours: what
// it did last decides.
static const char* accessing =
    "(module (type $t (func)) (table $t (export \"t\") 10 funcref) (table $e 10 externref)"
    "  (elem $s func $nothing) (func $nothing) (memory 1)"
    "  (func $f (export \"f\") (param $what i32)"
    "    (table.set $t (i32.const 3) (table.get $t (i32.const 3)))"
    "    (block $init (block $copy (block $fill (block $set (block $get (block $call"
    "      (br_table $call $get $set $fill $copy $init (local.get $what)))"
    "      (call_indirect $t (type $t) (i32.const 10)))"
    "      (drop (table.get $e (i32.const 10))))"
    "      (table.set $t (i32.const -1) (ref.null func)))"
    "      (table.fill $e (i32.const 9) (ref.null extern) (i32.const 2)))"
    "      (table.copy $t $t (i32.const 9) (i32.const 0) (i32.const 2)))"
    "    (table.init $t $s (i32.const 0) (i32.const 1) (i32.const 1)))"
    "  (func (export \"tail\") (param i32) (return_call $f (local.get 0))))";

static void check_accesses(const wasm_func_t* func) {
  static const wasmrt_trap_code_t codes[] = {
      WASMRT_TRAP_UNDEFINED_ELEMENT,   WASMRT_TRAP_TABLE_OUT_OF_BOUNDS,
      WASMRT_TRAP_TABLE_OUT_OF_BOUNDS, WASMRT_TRAP_TABLE_OUT_OF_BOUNDS,
      WASMRT_TRAP_TABLE_OUT_OF_BOUNDS, WASMRT_TRAP_TABLE_OUT_OF_BOUNDS};
  // In any order: none leaves anything behind for the next.
  for (int32_t round = 0; round < 60; round++) {
    wasm_val_t what = I32(round * 7 % 6);
    CHECK_TRAP_CODE(call(func, &what, 1, NULL, 0), codes[what.of.i32]);
  }
}

TEST(an_access_and_a_call_are_told_apart) {
  static const config_switch_t switches[] = {NULL, wasmrt_config_set_fuel,
                                             wasmrt_config_set_interruption};
  for (size_t i = 0; i < 3; i++) {
    fixture_t fixture = fixture_with(switches[i], NULL, NULL);
    if (i == 1) CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
    fixture_load(&fixture, accessing, NULL, 0);
    check_accesses(fixture_func(&fixture, 1));
    check_accesses(fixture_func(&fixture, 2));
    // From another instance, which does nothing itself.
    wasm_module_t* module =
        module_from_wat(fixture.store,
                        "(module (import \"\" \"\" (func $f (param i32))) (table 1 funcref)"
                        "  (elem (i32.const 0) $f) (func (export \"f\") (param i32)"
                        "    (call_indirect (param i32) (local.get 0) (i32.const 0))))");
    wasm_extern_t* imports[1] = {fixture.exports.data[1]};
    wasm_instance_t* instance = instantiate(fixture.store, module, imports, 1);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    check_accesses(wasm_extern_as_func(exports.data[0]));
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    fixture_delete(&fixture);
  }
}

TEST(an_access_in_a_start_function_is_told_apart) {
  static const struct {
    const char* start;
    wasmrt_trap_code_t code;
  } cases[] = {{"(drop (table.get (i32.const 1)))", WASMRT_TRAP_TABLE_OUT_OF_BOUNDS},
               {"(call_indirect (i32.const 1))", WASMRT_TRAP_UNDEFINED_ELEMENT}};
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < 2; i++) {
    char wat[500];
    snprintf(wat, sizeof wat,
             "(module (table 1 funcref) (func $s (drop (table.get (i32.const 0))) %s) (start $s)"
             "  (func (export \"start\")) (func (export \"mark\")))",
             cases[i].start);
    wasm_module_t* module = module_from_wat(fixture.store, wat);
    wasm_exporttype_vec_t exports;
    wasm_module_exports(module, &exports);
    CHECK_INT(exports.size, 2);
    wasm_exporttype_vec_delete(&exports);
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
    CHECK_TRAP_CODE(trap, cases[i].code);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// A module that uses what another has more of stays invalid.
TEST(what_tells_accesses_is_not_the_modules) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, NULL, NULL);
  static const char* const parts[] = {"(drop (global.get 1))", "(global.set 1 (i32.const 1))",
                                      "(call 1)", "(drop (ref.func 1))"};
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
    char wat[500];
    snprintf(wat, sizeof wat,
             "(module (table 1 funcref) (global i32 (i32.const 0)) (func"
             "  (drop (table.get (i32.const 0)))"
             "  (drop (table.grow (ref.null func) (i32.const 1))) %s))",
             parts[i]);
    wasm_byte_vec_t binary = binary_from_wat(wat);
    CHECK_FAILS_WITH(wasm_module_new(fixture.store, &binary) == NULL, WASMRT_ERROR_COMPILE);
    wasm_byte_vec_delete(&binary);
  }
  fixture_delete(&fixture);
}

// Fuel runs out in the middle of accesses; the next trap is a call all the same.
TEST(an_access_without_fuel_is_not_taken_for_the_next_trap) {
  for (int interruption = 0; interruption < 2; interruption++) {
    fixture_t fixture =
        fixture_with(wasmrt_config_set_fuel, interruption ? wasmrt_config_set_interruption : NULL,
                     "(module (table 20000 funcref)"
                     "  (func (export \"fill\")"
                     "    (table.fill (i32.const 0) (ref.null func) (i32.const 20000)))"
                     "  (func (export \"call\") (call_indirect (i32.const 20000))))");
    // Less than the 20,000 elements cost, at 64 for a unit.
    for (uint64_t fuel = 0; fuel < 312; fuel += 5) {
      CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
      CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
      CHECK(wasmrt_store_set_fuel(fixture.store, 100));
      CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_UNDEFINED_ELEMENT);
    }
    fixture_delete(&fixture);
  }
}

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

// The cost of a trap does not depend on the module. If each trap looked at every import, or read
// the module, this would take minutes.
TEST(traps_of_a_large_module_are_cheap) {
  enum { MANY = 4000 };
  char* wat = malloc(MANY * 100);
  REQUIRE(wat);
  char* end = wat + sprintf(wat, "(module ");
  for (int i = 0; i < MANY; i++) end += sprintf(end, "(import \"\" \"\" (func))");
  end += sprintf(end, "(table 1 funcref) (func (export \"get\") (drop (table.get (i32.const 1))) ");
  for (int i = 0; i < 2 * MANY; i++) end += sprintf(end, "(call %d)", i);
  end += sprintf(end, ") (func (export \"call\") (call_indirect (i32.const 1)))");
  for (int i = 0; i < MANY; i++) end += sprintf(end, "(func (call %d))", i);
  sprintf(end, ")");
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "", "", do_nothing, NULL);
  wasm_extern_t** imports = malloc(MANY * sizeof *imports);
  REQUIRE(imports);
  for (int i = 0; i < MANY; i++) imports[i] = wasm_func_as_extern(host);
  fixture_load(&fixture, wat, imports, MANY);
  size_t times = repetitions(20000, 200);
  for (size_t i = 0; i < times; i++) {
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TABLE_OUT_OF_BOUNDS);
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_UNDEFINED_ELEMENT);
  }
  free(imports);
  free(wat);
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// The codes of fuel, deadlines, interrupts and limits, once more in one place.
TEST(what_the_host_bounds) {
  fixture_t fixture = fixture_with(
      wasmrt_config_set_fuel, wasmrt_config_set_interruption,
      "(module (memory 1) (table 1 funcref)"
      "  (func (export \"loop\") (loop (br 0)))"
      "  (func (export \"memory\") (drop (memory.grow (i32.const 1))))"
      "  (func (export \"table\") (drop (table.grow (ref.null func) (i32.const 1)))))");
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
  CHECK(wasmrt_store_set_timeout(fixture.store, 1000));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  wasmrt_interrupt_trigger(interrupt);
  wasmrt_interrupt_delete(interrupt);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 65536));
  CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 1));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_MEMORY_LIMIT);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 2)), WASMRT_TRAP_TABLE_LIMIT);
  fixture_delete(&fixture);
}

// Nothing ran: wrong arguments, wrong imports, wrong results of a host function.
static wasm_trap_t* leave_a_wrong_result(void* env, const wasm_val_vec_t* arguments,
                                         wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  results->data[0] = I64(1);
  return NULL;
}

TEST(error) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") (param i32)))");
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_ERROR);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  wasm_module_t* module = module_from_wat(fixture.store, "(module (import \"a\" \"b\" (func)))");
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL,
                   WASMRT_ERROR_LINK);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_ERROR);
  wasm_module_delete(module);
  wasm_func_t* wrong = host_func(fixture.store, "", "i", leave_a_wrong_result, NULL);
  wasm_val_t result;
  CHECK_TRAP_CODE(call(wrong, NULL, 0, &result, 1), WASMRT_TRAP_ERROR);
  wasm_func_delete(wrong);
  fixture_delete(&fixture);
}

TEST(instantiation_traps_with_the_code) {
  fixture_t fixture = fixture_new();
  static const struct {
    const char* wat;
    wasmrt_trap_code_t code;
  } cases[] = {
      {"(module (func $f unreachable) (start $f))", WASMRT_TRAP_UNREACHABLE},
      {"(module (memory 1) (data (i32.const 65536) \"x\"))", WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS},
      {"(module (table 1 funcref) (func $f) (elem (i32.const 1) $f))",
       WASMRT_TRAP_TABLE_OUT_OF_BOUNDS},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wasm_module_t* module = module_from_wat(fixture.store, cases[i].wat);
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
    CHECK_TRAP_CODE(trap, cases[i].code);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The host's traps

typedef enum what_t { PLAIN, EXIT, DATA } what_t;

typedef struct host_t {
  fixture_t* fixture;
  what_t what;
  int32_t status;
  void* data;
  int depth;
} host_t;

static void count_data(void* data) {
  ++*(size_t*)data;
}

static wasm_trap_t* end_it(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  if (host->depth > 0) {
    host->depth--;
    return call_plain(fixture_func(host->fixture, 0));
  }
  if (host->what == PLAIN) return new_trap(host->fixture->store, "from the host");
  if (host->what == EXIT) return wasmrt_trap_new_exit(host->fixture->store, host->status);
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "with data");
  wasm_trap_t* trap =
      wasmrt_trap_new_with_data(host->fixture->store, &message, host->data, count_data);
  wasm_byte_vec_delete(&message);
  return trap;
}

static const char* calling =
    "(module (import \"\" \"\" (func $host))"
    "  (func (export \"f\") (call $middle)) (func $middle (call $host)))";

TEST(host_traps) {
  fixture_t fixture = fixture_new();
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, calling, end_it, &host);
  wasm_trap_t* own = new_trap(fixture.store, "own");
  int32_t status = 77;
  wasmrt_last_error_clear();
  CHECK_INT(wasmrt_trap_code(own), WASMRT_TRAP_HOST);
  CHECK(!wasmrt_trap_exit_status(own, &status));
  CHECK_NULL(wasmrt_trap_data(own));
  // Answers, not errors.
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(status, 77);
  wasm_trap_t* copy = wasm_trap_copy(own);
  CHECK_INT(wasmrt_trap_code(copy), WASMRT_TRAP_HOST);
  wasm_trap_delete(own);
  wasm_trap_delete(copy);
  for (host.depth = 0; host.depth < 4; host.depth++) {
    int depth = host.depth;
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_HOST);
    host.depth = depth;
  }
  fixture_delete(&fixture);
}

TEST(exit_status) {
  fixture_t fixture = fixture_new();
  host_t host = {.fixture = &fixture, .what = EXIT};
  fixture_load_with_host(&fixture, calling, end_it, &host);
  const int32_t statuses[] = {0, 1, -1, 255, 256, INT32_MAX, INT32_MIN};
  for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
    for (int depth = 0; depth < 4; depth++) {
      host.depth = depth;
      host.status = statuses[i];
      wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
      REQUIRE(trap);
      CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_EXIT);
      int32_t status = 77;
      CHECK(wasmrt_trap_exit_status(trap, &status));
      CHECK_INT(status, statuses[i]);
      CHECK_NULL(wasmrt_trap_data(trap));
      wasm_trap_t* copy = wasm_trap_copy(trap);
      wasm_trap_delete(trap);
      status = 77;
      CHECK(wasmrt_trap_exit_status(copy, &status));
      CHECK_INT(status, statuses[i]);
      char text[50];
      snprintf(text, sizeof text, "exit with status %" PRId32, statuses[i]);
      CHECK_TRAP(copy, text);
    }
  }
  fixture_delete(&fixture);
}

TEST(exit_from_a_start_function) {
  fixture_t fixture = fixture_new();
  host_t host = {.fixture = &fixture, .what = EXIT, .status = 42};
  wasm_func_t* func = host_func(fixture.store, "", "", end_it, &host);
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (import \"\" \"\" (func $host)) (start $host))");
  wasm_extern_t* imports[1] = {wasm_func_as_extern(func)};
  wasm_extern_vec_t import_vec = {1, imports};
  wasm_trap_t* trap = NULL;
  CHECK_NULL(wasm_instance_new(fixture.store, module, &import_vec, &trap));
  REQUIRE(trap);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_EXIT);
  int32_t status = 77;
  CHECK(wasmrt_trap_exit_status(trap, &status));
  CHECK_INT(status, 42);
  wasm_trap_delete(trap);
  wasm_module_delete(module);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(data_comes_back_and_is_finalized_once) {
  fixture_t fixture = fixture_new();
  host_t host = {.fixture = &fixture, .what = DATA};
  fixture_load_with_host(&fixture, calling, end_it, &host);
  for (int depth = 0; depth < 4; depth++) {
    size_t finalized = 0, info = 0;
    host.depth = depth;
    host.data = &finalized;
    wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
    REQUIRE(trap);
    CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_HOST);
    CHECK_PTR(wasmrt_trap_data(trap), &finalized);
    wasm_trap_set_host_info_with_finalizer(trap, &info, count_finalizer);
    CHECK_PTR(wasm_trap_get_host_info(trap), &info);
    CHECK_PTR(wasmrt_trap_data(trap), &finalized);
    int32_t status;
    CHECK(!wasmrt_trap_exit_status(trap, &status));
    wasm_trap_t* copy = wasm_trap_copy(trap);
    wasm_ref_t* ref = wasm_trap_as_ref(copy);
    CHECK_PTR(wasmrt_trap_data(wasm_ref_as_trap(ref)), &finalized);
    wasm_trap_delete(trap);
    CHECK_INT(finalized, 0);
    CHECK_PTR(wasmrt_trap_data(copy), &finalized);
    CHECK_TRAP(copy, "with data");
    CHECK_INT(finalized, 1);
    CHECK_INT(info, 1);
  }
  fixture_delete(&fixture);
}

TEST(data_outlives_the_store) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "text");
  wasm_trap_t* trap = wasmrt_trap_new_with_data(fixture.store, &message, &finalized, count_data);
  wasm_byte_vec_delete(&message);
  fixture_delete(&fixture);
  CHECK_PTR(wasmrt_trap_data(trap), &finalized);
  CHECK_INT(finalized, 0);
  wasm_trap_delete(trap);
  CHECK_INT(finalized, 1);
}

TEST(data_with_less) {
  fixture_t fixture = fixture_new();
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "text");
  int object;
  wasm_trap_t* trap = wasmrt_trap_new_with_data(fixture.store, &message, &object, NULL);
  CHECK_PTR(wasmrt_trap_data(trap), &object);
  wasm_trap_delete(trap);
  trap = wasmrt_trap_new_with_data(fixture.store, &message, NULL, NULL);
  CHECK_NULL(wasmrt_trap_data(trap));
  CHECK_TRAP(trap, "text");
  // Fails: the data is finalized at once.
  size_t finalized = 0;
  CHECK_FAILS(wasmrt_trap_new_with_data(NULL, &message, &finalized, count_data) == NULL);
  CHECK_INT(finalized, 1);
  // As with wasm_trap_new, no message is an empty one.
  trap = wasmrt_trap_new_with_data(fixture.store, NULL, &finalized, count_data);
  CHECK_PTR(wasmrt_trap_data(trap), &finalized);
  wasm_trap_delete(trap);
  CHECK_INT(finalized, 2);
  wasm_byte_vec_delete(&message);
  fixture_delete(&fixture);
}

// A host function that gets a trap from a nested call and turns it into another one.
static wasm_trap_t* replace(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  size_t* finalized = host->data;
  wasm_trap_t* inner = end_it(env, arguments, results);
  CHECK_PTR(wasmrt_trap_data(inner), finalized);
  wasm_trap_delete(inner);
  CHECK_INT(*finalized, 1);
  return new_trap(host->fixture->store, "another");
}

TEST(data_of_a_trap_that_was_caught) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  host_t host = {.fixture = &fixture, .what = DATA, .data = &finalized};
  fixture_load_with_host(&fixture, calling, replace, &host);
  CHECK_TRAP(call_plain(fixture_func(&fixture, 0)), "another");
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Names of frames

static void check_names(const wasm_frame_t* frame, const char* func, const char* module) {
  wasm_name_t name;
  GARBAGE(name);
  wasmrt_frame_func_name(frame, &name);
  if (!CHECK(name_is(&name, func))) fprintf(stderr, "    got %s\n", name.size ? name.data : "");
  wasm_byte_vec_delete(&name);
  GARBAGE(name);
  wasmrt_frame_module_name(frame, &name);
  if (!CHECK(name_is(&name, module))) fprintf(stderr, "    got %s\n", name.size ? name.data : "");
  wasm_byte_vec_delete(&name);
}

TEST(names_of_frames) {
  fixture_t fixture = fixture_from_wat(
      "(module $house"
      "  (func $cellar unreachable) (func (call $cellar))"
      "  (func $roof (export \"f\") (call 1)))");
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  REQUIRE(trap);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  if (!backend_is(fixture.engine, "wasmi")) {
    REQUIRE(frames.size == 3);
    check_names(frames.data[0], "cellar", "house");
    check_names(frames.data[1], "", "house");
    check_names(frames.data[2], "roof", "house");
    wasm_frame_t* frame = wasm_frame_copy(frames.data[2]);
    wasm_trap_delete(trap);
    wasm_frame_vec_delete(&frames);
    fixture_delete(&fixture);
    check_names(frame, "roof", "house");
    wasm_frame_delete(frame);
    return;
  }
  // wasmi keeps no frames.
  CHECK_INT(frames.size, 0);
  wasm_frame_vec_delete(&frames);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}

TEST(frames_without_names) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") unreachable))");
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  REQUIRE(trap);
  wasm_frame_t* frame = wasm_trap_origin(trap);
  CHECK_INT(frame != NULL, !backend_is(fixture.engine, "wasmi"));
  if (frame) check_names(frame, "", "");
  wasm_frame_delete(frame);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}
