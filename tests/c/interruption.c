// Deadlines, timeouts and interrupts: they stop a guest that would not stop by itself.
#include "configured.h"

#include <dirent.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

// Sanitizers, valgrind and busy machines slow things down, so the tests check only that a guest
// stops at all.
static const uint64_t millisecond = 1000000, forever = 60000000000;

static fixture_t interruptible_fixture(const char* wat) {
  return fixture_with(wasmrt_config_set_interruption, NULL, wat);
}

static const char* endless =
    "(module"
    "  (func (export \"loop\") (loop (br 0)))"
    "  (func (export \"once\") (result i32) (i32.const 11)))";

// Checks that an endless guest is stopped, and for this reason.
#define CHECK_STOPS(call, code)           \
  do {                                    \
    uint64_t stops_begin = now();         \
    CHECK_TRAP_CODE((call), (code));      \
    CHECK(now() - stops_begin < forever); \
  } while (0)

static void check_works(const fixture_t* fixture) {
  CHECK_INT(call_i32(fixture_func(fixture, 1)), 11);
}

// ------------------------------------------------------------------------------------------------
// Without interruption, and bad input

TEST(an_engine_without_interruption) {
  for (int with_fuel = 0; with_fuel < 2; with_fuel++) {
    fixture_t fixture = fixture_with(with_fuel ? wasmrt_config_set_fuel : NULL, NULL, NULL);
    CHECK_FAILS(!wasmrt_store_set_timeout(fixture.store, 1));
    CHECK_FAILS(!wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    CHECK_FAILS(!wasmrt_store_set_call_timeout(fixture.store, 1));
    CHECK_FAILS(!wasmrt_store_set_poll(fixture.store, NULL, NULL, NULL));
    CHECK_FAILS(wasmrt_interrupt_new(fixture.store) == NULL);
    fixture_delete(&fixture);
  }
}

TEST(null) {
  CHECK_FAILS(!wasmrt_store_set_timeout(NULL, 1));
  CHECK_FAILS(!wasmrt_store_set_call_timeout(NULL, 1));
  CHECK_FAILS(wasmrt_interrupt_new(NULL) == NULL);
  CHECK_LEAVES_ERROR(wasmrt_interrupt_trigger(NULL));
  CHECK_LEAVES_ERROR(wasmrt_interrupt_clear(NULL));
  wasmrt_last_error_clear();
  wasmrt_interrupt_delete(NULL);
  CHECK_NULL(wasmrt_last_error_message());
}

// ------------------------------------------------------------------------------------------------
// Deadlines

TEST(an_endless_loop_stops_at_the_deadline_of_the_store) {
  fixture_t fixture = interruptible_fixture(endless);
  uint64_t sum = 0, worst = 0;
  size_t times = repetitions(20, 3);
  for (size_t i = 0; i < times; i++) {
    uint64_t begin = now();
    CHECK(wasmrt_store_set_timeout(fixture.store, 20 * millisecond));
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    uint64_t took = now() - begin;
    CHECK(took >= 20 * millisecond);
    sum += took - 20 * millisecond;
    if (took - 20 * millisecond > worst) worst = took - 20 * millisecond;
  }
  printf("stopped after a deadline of 20 ms: on average %.2f ms late, at worst %.2f ms\n",
         (double)sum / (double)times / 1e6, (double)worst / 1e6);
  fixture_delete(&fixture);
}

TEST(an_endless_loop_stops_at_the_timeout_of_the_call) {
  fixture_t fixture = interruptible_fixture(endless);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 20 * millisecond));
  uint64_t sum = 0, worst = 0;
  size_t times = repetitions(20, 3);
  for (size_t i = 0; i < times; i++) {
    uint64_t begin = now();
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    uint64_t took = now() - begin;
    CHECK(took >= 20 * millisecond);
    sum += took - 20 * millisecond;
    if (took - 20 * millisecond > worst) worst = took - 20 * millisecond;
    // Time that the host takes does not count as the guest's.
    if (i == 0) sleep_for(50 * millisecond);
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), 11);
  }
  printf("stopped after a timeout of 20 ms: on average %.2f ms late, at worst %.2f ms\n",
         (double)sum / (double)times / 1e6, (double)worst / 1e6);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  check_works(&fixture);
  fixture_delete(&fixture);
}

TEST(a_deadline_lasts_until_it_is_set_anew) {
  fixture_t fixture = interruptible_fixture(endless);
  CHECK(wasmrt_store_set_timeout(fixture.store, 0));
  for (int i = 0; i < 3; i++) {
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    wasm_val_t result;
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), NULL, 0, &result, 1), WASMRT_TRAP_TIMEOUT);
  }
  CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  check_works(&fixture);
  CHECK(wasmrt_store_set_timeout(fixture.store, 1));
  sleep_for(millisecond);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  CHECK(wasmrt_store_set_timeout(fixture.store, 3600 * 1000 * millisecond));
  check_works(&fixture);
  fixture_delete(&fixture);
}

TEST(times_too_far_away_never_come) {
  fixture_t fixture = interruptible_fixture(endless);
  const uint64_t far[] = {UINT64_MAX - 1, UINT64_MAX / 2, (uint64_t)INT64_MAX + 1, INT64_MAX,
                          UINT64_MAX / 1000};
  for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
    CHECK(wasmrt_store_set_timeout(fixture.store, far[i]));
    CHECK(wasmrt_store_set_call_timeout(fixture.store, far[i]));
    check_works(&fixture);
  }
  fixture_delete(&fixture);
}

TEST(what_comes_first_counts) {
  fixture_t fixture = interruptible_fixture(endless);
  const uint64_t hour = 3600 * 1000 * millisecond;
  CHECK(wasmrt_store_set_timeout(fixture.store, hour));
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  check_works(&fixture);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, hour));
  CHECK(wasmrt_store_set_timeout(fixture.store, 10 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  fixture_delete(&fixture);
}

// Every way in which a guest can run forever.
TEST(every_endless_guest_stops) {
  static const char* const guests[] = {
      "(func (export \"f\") (loop (br_if 0 (i32.const 1))))",
      "(func (export \"f\") (loop (br_table 0 0 0 (i32.const 1))))",
      "(func (export \"f\") (loop (if (i32.const 1) (then (br 1)))))",
      "(func (export \"f\") (local v128) (loop (local.set 0 (i8x16.add (local.get 0) "
      "  (local.get 0))) (br 0)))",
      "(func $g) (func (export \"f\") (loop (call $g) (br 0)))",
      "(table 1 funcref) (elem (i32.const 0) $g) (func $g)"
      "  (func (export \"f\") (loop (call_indirect (i32.const 0)) (br 0)))",
      "(func $f (export \"f\") (return_call $f))",
      "(func $f (export \"f\") (return_call $g)) (func $g (return_call $f))",
      "(table 1 funcref) (elem (i32.const 0) $f)"
      "  (func $f (export \"f\") (return_call_indirect (i32.const 0)))",
      // Thousands deep, again and again.
      "(func $deep (param i32) (if (local.get 0)"
      "    (then (call $deep (i32.sub (local.get 0) (i32.const 1))))))"
      "  (func (export \"f\") (loop (call $deep (i32.const 500)) (br 0)))",
      // A tree of 2 to the 40 calls.
      "(func $tree (param i32) (if (local.get 0) (then"
      "    (call $tree (i32.sub (local.get 0) (i32.const 1)))"
      "    (call $tree (i32.sub (local.get 0) (i32.const 1))))))"
      "  (func (export \"f\") (call $tree (i32.const 40)))",
      "(memory 16) (func (export \"f\") (loop"
      "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x100000)) (br 0)))",
      "(memory 16) (func (export \"f\") (loop"
      "    (memory.copy (i32.const 0) (i32.const 1) (i32.const 0xfffff)) (br 0)))",
      "(memory 1) (data \"abcdefgh\") (func (export \"f\") (loop"
      "    (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 8)) (br 0)))",
      "(table 1000 funcref) (func (export \"f\") (loop"
      "    (table.fill (i32.const 0) (ref.null func) (i32.const 1000)) (br 0)))",
      "(table 1000 funcref) (func (export \"f\") (loop"
      "    (table.copy (i32.const 0) (i32.const 1) (i32.const 999)) (br 0)))",
      "(memory 1) (func (export \"f\") (loop (drop (memory.grow (i32.const 0))) (br 0)))",
      "(table 1 funcref) (func (export \"f\") (loop"
      "    (drop (table.grow (ref.null func) (i32.const 0))) (br 0)))",
      "(func (export \"f\") (local i64) (loop"
      "    (local.set 0 (i64.div_u (i64.const -1) (i64.or (local.get 0) (i64.const 1)))) (br 0)))",
  };
  for (size_t i = 0; i < sizeof guests / sizeof *guests; i++) {
    char wat[1000];
    snprintf(wat, sizeof wat, "(module %s)", guests[i]);
    fixture_t fixture = interruptible_fixture(wat);
    for (size_t j = 0; j < 2; j++) {
      if (j == 0) {
        CHECK(wasmrt_store_set_timeout(fixture.store, 10 * millisecond));
      } else {
        CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
        CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
      }
      size_t last = fixture.exports.size - 1;
      uint64_t begin = now();
      wasm_trap_t* trap = call_plain(fixture_func(&fixture, last));
      if (!CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT)) fprintf(stderr, "    in %s\n", guests[i]);
      uint64_t late = now() - begin > 10 * millisecond ? now() - begin - 10 * millisecond : 0;
      CHECK(late < forever);
      if (late > 50 * millisecond) printf("%.2f ms late: %s\n", (double)late / 1e6, guests[i]);
    }
    fixture_delete(&fixture);
  }
}

// With interruption a guest does the same as without, wherever it is checked.
TEST(growth_is_done_once) {
  fixture_t fixture = interruptible_fixture(
      "(module (memory 0 1000) (table 0 10000 externref) (table 0 10000 funcref)"
      "  (func $busy (param i32) (loop"
      "    (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))))"
      "  (func (export \"memory\") (param i32) (result i32) (local $sum i32)"
      "    (loop"
      "      (call $busy (i32.add (i32.const 977) (local.get 0)))"
      "      (local.set $sum (i32.add (local.get $sum) (memory.grow (i32.const 1))))"
      "      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "    (i32.mul (local.get $sum) (i32.sub (memory.size) (i32.const 0))))"
      "  (func (export \"table\") (param i32) (result i32) (local $sum i32)"
      "    (loop"
      "      (call $busy (i32.add (i32.const 977) (local.get 0)))"
      "      (local.set $sum (i32.add (local.get $sum)"
      "        (table.grow 0 (ref.null extern) (i32.const 1))))"
      "      (drop (table.grow 1 (ref.null func) (i32.const 1)))"
      "      (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "    (i32.mul (local.get $sum) (table.size 1))))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 600 * 1000 * millisecond));
  int32_t times = (int32_t)repetitions(300, 50), sum = times * (times - 1) / 2;
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), times), sum * times);
  times = (int32_t)repetitions(800, 50);
  sum = times * (times - 1) / 2;
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 1), times), sum * times);
  fixture_delete(&fixture);
}

// An instruction that moves much counts as many, so a guest stops after the one that is running. If
// each counted as one, some forty would run before the next check.
TEST(a_guest_that_moves_memory_stops_after_an_instruction) {
  size_t mebibytes = repetitions(128, 8);
  static const char* const moves[] = {"memory.fill (i32.const 0) (i32.const 1)",
                                      "memory.copy (i32.const 0) (i32.const 1)"};
  for (size_t i = 0; i < 2; i++) {
    char wat[800];
    snprintf(wat, sizeof wat,
             "(module (memory %zu) (global $n (export \"n\") (mut i32) (i32.const 0))"
             "  (func (export \"loop\") (loop (%s (i32.const %zu))"
             "    (global.set $n (i32.add (global.get $n) (i32.const 1))) (br 0))))",
             mebibytes * 16, moves[i], (mebibytes << 20) - 1);
    fixture_t fixture = interruptible_fixture(wat);
    CHECK(wasmrt_store_set_call_timeout(fixture.store, millisecond));
    CHECK_STOPS(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_TIMEOUT);
    wasm_val_t done;
    wasm_global_get(fixture_global(&fixture, 0), &done);
    if (!under_valgrind() && !under_thread_sanitizer()) CHECK(done.of.i32 < 20);
    fixture_delete(&fixture);
  }
}

// Tables grow by different amounts, with different numbers of other instructions between, so that
// slices end before, at and after growth. The contents must be right.
TEST(tables_grow_across_slices) {
  for (int with_fuel = 0; with_fuel < 2; with_fuel++) {
    fixture_t fixture = fixture_with(
        wasmrt_config_set_interruption, with_fuel ? wasmrt_config_set_fuel : NULL,
        "(module (table $t 0 funcref) (table $wide i64 0 externref) (elem declare func $f)"
        "  (func $f (export \"f\") (param $times i32) (result i32)"
        "    (local $i i32) (local $wrong i32) (local $size i32)"
        "    (loop $next"
        "      (local.set $wrong (i32.add (local.get $wrong) (i32.ne (local.get $size)"
        "        (table.grow $t (ref.func $f) (i32.mul (local.get $i) (i32.const 7))))))"
        "      (local.set $wrong (i32.add (local.get $wrong) (i32.ne (local.get $size)"
        "        (i32.wrap_i64 (table.grow $wide (ref.null extern)"
        "          (i64.extend_i32_u (i32.mul (local.get $i) (i32.const 7))))))))"
        "      (local.set $size (i32.add (local.get $size)"
        "        (i32.mul (local.get $i) (i32.const 7))))"
        "      (if (local.get $size) (then (local.set $wrong (i32.add (local.get $wrong)"
        "        (ref.is_null (table.get $t (i32.sub (local.get $size) (i32.const 1))))))))"
        "      (local.set $i (i32.add (local.get $i) (i32.const 1)))"
        "      (br_if $next (i32.lt_u (local.get $i) (local.get $times))))"
        "    (i32.add (local.get $wrong) (i32.ne (local.get $size) (table.size $t)))))");
    CHECK(wasmrt_store_set_call_timeout(fixture.store, 600 * 1000 * millisecond));
    if (with_fuel) CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), (int32_t)repetitions(1500, 100)), 0);
    fixture_delete(&fixture);
  }
}

// An instantiation that took too long fails, although nothing checks the time while it runs.
TEST(an_instantiation_counts_against_the_deadline) {
  char wat[300];
  snprintf(wat, sizeof wat, "(module (memory %zu) (data (i32.const 0) \"x\"))",
           repetitions(4000, 400));
  fixture_t fixture = interruptible_fixture(NULL);
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 1));
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(recursion_without_end_exhausts_the_stack_as_ever) {
  fixture_t fixture = interruptible_fixture("(module (func $f (export \"f\") (call $f)))");
  CHECK(wasmrt_store_set_timeout(fixture.store, 600 * 1000 * millisecond));
  for (int i = 0; i < 3; i++)
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_STACK_EXHAUSTED);
  fixture_delete(&fixture);
}

TEST(arguments_results_and_traps_come_through_many_slices) {
  fixture_t fixture = interruptible_fixture(
      "(module (func (export \"f\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
      "  (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "  (local.get 3) (local.get 2) (local.get 1) (local.get 0))"
      "  (func (export \"g\") (param i32)"
      "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "    unreachable))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 600 * 1000 * millisecond));
  int32_t rounds = (int32_t)repetitions(20000000, 200000);
  wasm_val_t arguments[4] = {I32(rounds), I64(-5), F32(1.5f), F64(-2.25)}, results[4];
  GARBAGE(results);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), arguments, 4, results, 4));
  CHECK(results[0].of.f64 == -2.25 && results[1].of.f32 == 1.5f);
  CHECK_INT(results[2].of.i64, -5);
  CHECK_INT(results[3].of.i32, 0);
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), arguments, 1, NULL, 0), WASMRT_TRAP_UNREACHABLE);
  fixture_delete(&fixture);
}

TEST(every_compiler_can_be_interrupted) {
  static const wasmrt_compiler_t all[] = {WASMRT_COMPILER_CRANELIFT, WASMRT_COMPILER_WINCH,
                                          WASMRT_COMPILER_PULLEY, WASMRT_COMPILER_EAGER};
  size_t tried = 0;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    wasm_config_t* config = config_with(wasmrt_config_set_interruption, NULL);
    CHECK(wasmrt_config_set_compiler(config, all[i]));
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    if (!engine) continue; // of the other backend
    tried++;
    fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
    fixture_load(&fixture, endless, NULL, 0);
    CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    check_works(&fixture);
    fixture_delete(&fixture);
  }
  CHECK(tried >= 1);
}

// ------------------------------------------------------------------------------------------------
// Start functions

TEST(start_functions_stop) {
  fixture_t fixture = interruptible_fixture(NULL);
  wasm_module_t* module = module_from_wat(
      fixture.store, "(module (func $start (loop (br 0))) (start $start) (func (export \"f\")))");
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
  for (int i = 0; i < 3; i++) {
    if (i == 1) {
      CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
      CHECK(wasmrt_store_set_timeout(fixture.store, 10 * millisecond));
    }
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT);
  }
  CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  REQUIRE(interrupt);
  wasmrt_interrupt_trigger(interrupt);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_delete(interrupt);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(start_functions_are_run_once_and_stay_hidden) {
  fixture_t fixture = interruptible_fixture(
      "(module (global $g (export \"g\") (mut i32) (i32.const 0))"
      "  (func $start (export \"start\") (local i32) (local.set 0 (i32.const 100000))"
      "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "    (global.set $g (i32.add (global.get $g) (i32.const 1))))"
      "  (start $start) (memory (export \"m\") 1) (data (i32.const 0) \"abc\"))");
  CHECK_INT(fixture.exports.size, 3);
  wasm_val_t value;
  wasm_global_get(fixture_global(&fixture, 0), &value);
  CHECK_INT(value.of.i32, 1);
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 1)));
  wasm_global_get(fixture_global(&fixture, 0), &value);
  CHECK_INT(value.of.i32, 2);
  CHECK_INT(wasm_memory_data(fixture_memory(&fixture, 2))[1], 'b');
  wasm_exporttype_vec_t exports;
  wasm_module_exports(fixture.module, &exports);
  CHECK_INT(exports.size, 3);
  CHECK(name_is(wasm_exporttype_name(exports.data[1]), "start"));
  wasm_exporttype_vec_delete(&exports);
  fixture_delete(&fixture);
}

TEST(an_imported_start_function) {
  fixture_t other = interruptible_fixture(endless);
  wasm_module_t* module =
      module_from_wat(other.store, "(module (import \"\" \"\" (func $start)) (start $start))");
  wasm_extern_t* imports[1] = {other.exports.data[0]};
  wasm_extern_vec_t import_vec = {1, imports};
  CHECK(wasmrt_store_set_call_timeout(other.store, 10 * millisecond));
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(other.store, module, &import_vec, &trap) == NULL);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT);
  check_works(&other);
  wasm_module_delete(module);
  fixture_delete(&other);
}

// ------------------------------------------------------------------------------------------------
// Host functions and nested calls

typedef struct host_t {
  fixture_t* fixture;
  wasmrt_interrupt_t* interrupt;
  wasmrt_trap_code_t expected, inner;
  int calls, depth;
  bool swallow;
} host_t;

static const char* nesting =
    "(module (import \"\" \"\" (func $host))"
    "  (func (export \"loop\") (loop (br 0)))"
    "  (func (export \"once\") (result i32) (i32.const 11))"
    "  (func (export \"outer\") (call $host))"
    "  (func (export \"outer_loop\") (call $host) (loop (br 0)))"
    "  (func (export \"call_loop\") (loop (call $host) (br 0))))";
enum { LOOP, ONCE, OUTER, OUTER_LOOP, CALL_LOOP };

static wasm_trap_t* descend(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  host->calls++;
  bool deepest = host->depth == 0;
  if (!deepest) host->depth--;
  wasm_trap_t* trap = call_plain(fixture_func(host->fixture, deepest ? LOOP : OUTER));
  if (!trap) return NULL;
  host->inner = wasmrt_trap_code(trap);
  if (!host->swallow) return trap;
  wasm_trap_delete(trap);
  return NULL;
}

TEST(nested_calls_stop) {
  fixture_t fixture = interruptible_fixture(NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, descend, &host);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  const int depths[] = {0, 1, 5, 20};
  for (size_t i = 0; i < sizeof depths / sizeof *depths; i++) {
    for (int swallow = 0; swallow < 2; swallow++) {
      host.depth = depths[i];
      host.swallow = swallow;
      host.calls = 0;
      host.inner = WASMRT_TRAP_NONE;
      uint64_t begin = now();
      CHECK(wasmrt_store_set_call_timeout(fixture.store, 20 * millisecond));
      // Even if a host function discards the trap, the outermost call is out of time too.
      CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_TIMEOUT);
      CHECK_INT(host.calls, depths[i] + 1);
      CHECK_INT(host.inner, WASMRT_TRAP_TIMEOUT);
      if (i == 2) printf("nested, stopped after %.2f ms of 20\n", (double)(now() - begin) / 1e6);
      host.depth = depths[i];
      CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
      CHECK(wasmrt_store_set_timeout(fixture.store, 20 * millisecond));
      CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_TIMEOUT);
      CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
      check_works(&fixture);
    }
  }
  wasmrt_interrupt_delete(interrupt);
  fixture_delete(&fixture);
}

static wasm_trap_t* take_time(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  host->calls++;
  sleep_for(20 * millisecond);
  return NULL;
}

TEST(a_slow_host_function_is_let_finish) {
  fixture_t fixture = interruptible_fixture(NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, take_time, &host);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 5 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_TIMEOUT);
  CHECK_INT(host.calls, 1);
  // The guest stops in the loop that calls the host.
  CHECK_STOPS(call_plain(fixture_func(&fixture, CALL_LOOP)), WASMRT_TRAP_TIMEOUT);
  CHECK(host.calls >= 2 && host.calls < 1000);
  check_works(&fixture);
  fixture_delete(&fixture);
}

// The guest does not continue, however long the host function takes.
TEST(a_guest_stops_after_a_slow_host_function) {
  static const char* const types[] = {"", "(param i32 i64 f32 f64 i32 i32 i32 i32)",
                                      "(param externref)"};
  static const char* const arguments[] = {
      "",
      "(i32.const 1) (i64.const 2) (f32.const 3) (f64.const 4) (i32.const 5) (i32.const 6)"
      " (i32.const 7) (i32.const 8)",
      "(ref.null extern)"};
  for (size_t i = 0; i < 3; i++) {
    char text[1000];
    snprintf(text, sizeof text,
             "(module (import \"\" \"\" (func $host %s))"
             "  (global (export \"g\") (mut i32) (i32.const 0))"
             "  (func (export \"f\") (call $host %s) (global.set 0 (i32.const 1))))",
             types[i], arguments[i]);
    static const char* const letters[] = {"", "iIfFiiii", "e"};
    fixture_t fixture = interruptible_fixture(NULL);
    host_t host = {.fixture = &fixture};
    wasm_func_t* slow = host_func(fixture.store, letters[i], "", take_time, &host);
    wasm_extern_t* imports[1] = {wasm_func_as_extern(slow)};
    fixture_load(&fixture, text, imports, 1);
    wasm_func_delete(slow);
    CHECK(wasmrt_store_set_call_timeout(fixture.store, 5 * millisecond));
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_TIMEOUT);
    CHECK_INT(host.calls, 1);
    wasm_val_t value;
    wasm_global_get(fixture_global(&fixture, 0), &value);
    CHECK_INT(value.of.i32, 0);
    CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 1)));
    wasm_global_get(fixture_global(&fixture, 0), &value);
    CHECK_INT(value.of.i32, 1);
    fixture_delete(&fixture);
  }
}

static wasm_trap_t* set_times(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  switch (host->calls++) {
    case 0: CHECK(wasmrt_store_set_timeout(host->fixture->store, 10 * millisecond)); break;
    case 1: // in time to save the guest
      CHECK(wasmrt_store_set_timeout(host->fixture->store, WASMRT_NO_TIMEOUT));
      break;
    case 2: // the call that is running keeps the time it began with
      CHECK(wasmrt_store_set_call_timeout(host->fixture->store, WASMRT_NO_TIMEOUT));
      break;
  }
  return NULL;
}

TEST(host_functions_set_deadlines) {
  fixture_t fixture = interruptible_fixture(NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, set_times, &host);
  // Nothing was set before the call began.
  CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_TIMEOUT);
  CHECK(wasmrt_store_set_timeout(fixture.store, 3600 * 1000 * millisecond));
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, OUTER)));
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 20 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_TIMEOUT);
  CHECK_INT(host.calls, 3);
  check_works(&fixture);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Interrupts

TEST(another_thread_stops_a_guest) {
  fixture_t fixture = interruptible_fixture(endless);
  uint64_t worst = 0;
  size_t times = repetitions(10, 2);
  for (size_t i = 0; i < times; i++) {
    wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
    REQUIRE(interrupt);
    pthread_t thread;
    uint64_t begin = now();
    REQUIRE(pthread_create(&thread, NULL, trigger_soon, interrupt) == 0);
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
    if (now() - begin > worst) worst = now() - begin;
    pthread_join(thread, NULL);
    wasmrt_interrupt_delete(interrupt);
    // One trigger stops one call.
    check_works(&fixture);
  }
  printf("triggered after %d ms, stopped after at most %.2f ms\n", SOON / 1000000,
         (double)worst / 1e6);
  fixture_delete(&fixture);
}

TEST(another_thread_stops_a_start_function) {
  fixture_t fixture = interruptible_fixture(NULL);
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (func $start (loop (br 0))) (start $start))");
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, trigger_soon, interrupt) == 0);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTERRUPTED);
  pthread_join(thread, NULL);
  wasmrt_interrupt_delete(interrupt);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(a_trigger_waits_for_the_next_call) {
  fixture_t fixture = interruptible_fixture(endless);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  for (int i = 0; i < 3; i++) {
    wasmrt_interrupt_trigger(interrupt);
    wasm_val_t result;
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), NULL, 0, &result, 1), WASMRT_TRAP_INTERRUPTED);
    check_works(&fixture);
    wasmrt_interrupt_trigger(interrupt);
    wasmrt_interrupt_clear(interrupt);
    check_works(&fixture);
    wasmrt_interrupt_clear(interrupt); // nothing to withdraw
    wasmrt_interrupt_trigger(interrupt);
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
    check_works(&fixture);
  }
  wasmrt_interrupt_delete(interrupt);
  fixture_delete(&fixture);
}

TEST(what_a_deleted_handle_triggered_stays_triggered) {
  fixture_t fixture = interruptible_fixture(endless);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  wasmrt_interrupt_trigger(interrupt);
  wasmrt_interrupt_delete(interrupt);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  check_works(&fixture);
  fixture_delete(&fixture);
}

TEST(all_handles_of_a_store_do_the_same) {
  fixture_t fixture = interruptible_fixture(endless);
  wasmrt_interrupt_t *one = wasmrt_interrupt_new(fixture.store),
                     *two = wasmrt_interrupt_new(fixture.store);
  wasmrt_interrupt_trigger(one);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_trigger(two);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_trigger(one);
  wasmrt_interrupt_clear(two);
  check_works(&fixture);
  wasmrt_interrupt_delete(one);
  wasmrt_interrupt_trigger(two);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_delete(two);
  fixture_delete(&fixture);
}

TEST(a_handle_outlives_store_and_engine) {
  fixture_t fixture = interruptible_fixture(endless);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  fixture_delete(&fixture);
  wasmrt_interrupt_trigger(interrupt);
  wasmrt_interrupt_clear(interrupt);
  wasmrt_interrupt_trigger(interrupt);
  wasmrt_interrupt_delete(interrupt);
}

TEST(one_store_is_not_the_other) {
  fixture_t fixture = interruptible_fixture(endless);
  wasm_store_t* other = wasm_store_new(fixture.engine);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(other);
  wasmrt_interrupt_trigger(interrupt);
  CHECK(wasmrt_store_set_timeout(other, 0));
  check_works(&fixture);
  wasmrt_interrupt_delete(interrupt);
  wasm_store_delete(other);
  check_works(&fixture);
  fixture_delete(&fixture);
}

static wasm_trap_t* trigger_from_host(void* env, const wasm_val_vec_t* arguments,
                                      wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  if (host->calls++ > 0) return NULL;
  wasmrt_interrupt_trigger(host->interrupt);
  wasm_val_t result;
  wasm_trap_t* trap = call(fixture_func(host->fixture, ONCE), NULL, 0, &result, 1);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTERRUPTED);
  if (host->swallow) wasmrt_interrupt_clear(host->interrupt);
  return NULL;
}

TEST(a_trigger_stops_the_outermost_call_and_all_in_it) {
  fixture_t fixture = interruptible_fixture(NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, trigger_from_host, &host);
  host.interrupt = wasmrt_interrupt_new(fixture.store);
  CHECK_STOPS(call_plain(fixture_func(&fixture, OUTER_LOOP)), WASMRT_TRAP_INTERRUPTED);
  check_works(&fixture);
  CHECK_INT(host.calls, 1);
  wasmrt_interrupt_delete(host.interrupt);
  fixture_delete(&fixture);
}

static wasm_trap_t* trap_of_its_own(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  wasmrt_interrupt_trigger(host->interrupt);
  return new_trap(host->fixture->store, "from the host");
}

// If a call ended for another reason, the trigger did not stop it.
TEST(a_trigger_that_came_too_late_is_not_lost) {
  fixture_t fixture = interruptible_fixture(NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, trap_of_its_own, &host);
  host.interrupt = wasmrt_interrupt_new(fixture.store);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, OUTER)), WASMRT_TRAP_HOST);
  wasm_val_t result;
  CHECK_TRAP_CODE(call(fixture_func(&fixture, ONCE), NULL, 0, &result, 1), WASMRT_TRAP_INTERRUPTED);
  check_works(&fixture);
  wasmrt_interrupt_delete(host.interrupt);
  fixture_delete(&fixture);
}

// Triggers and withdrawals from several threads at once, while guests come and go.
typedef struct storm_t {
  wasmrt_interrupt_t* interrupt;
  atomic_bool over;
} storm_t;

static void* trigger_all_the_time(void* argument) {
  storm_t* storm = argument;
  for (unsigned i = 0; !storm->over; i++) {
    if (i % 3 == 2) {
      wasmrt_interrupt_clear(storm->interrupt);
    } else {
      wasmrt_interrupt_trigger(storm->interrupt);
    }
    if (i % 16 == 0) sleep_for(millisecond / 4);
  }
  return NULL;
}

TEST(a_storm_of_triggers) {
  fixture_t fixture = interruptible_fixture(endless);
  storm_t storm = {.interrupt = wasmrt_interrupt_new(fixture.store)};
  enum { THREADS = 3 };
  pthread_t threads[THREADS];
  for (size_t i = 0; i < THREADS; i++)
    REQUIRE(pthread_create(&threads[i], NULL, trigger_all_the_time, &storm) == 0);
  size_t times = repetitions(100, 5);
  for (size_t i = 0; i < times; i++)
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  storm.over = true;
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  wasmrt_interrupt_clear(storm.interrupt);
  check_works(&fixture);
  wasmrt_interrupt_delete(storm.interrupt);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Together with fuel

static const char* counting =
    "(module (global $rounds (export \"rounds\") (mut i64) (i64.const 0))"
    "  (func (export \"loop\") (loop"
    "    (global.set $rounds (i64.add (global.get $rounds) (i64.const 1))) (br 0)))"
    "  (func (export \"rounds\" ) (param i32) (result i32)"
    "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
    "    (local.get 0))"
    "  (func $f (export \"calls\") (param i32) (result i32)"
    "    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2)) (then (local.get 0))"
    "      (else (i32.add (call $f (i32.sub (local.get 0) (i32.const 1)))"
    "        (call $f (i32.sub (local.get 0) (i32.const 2))))))))";

TEST(fuel_is_spent_as_without_interruption) {
  uint64_t consumed[2][3], left[2];
  int64_t rounds[2];
  int32_t many = (int32_t)repetitions(3000000, 30000), depth = (int32_t)repetitions(24, 12);
  for (int interruption = 0; interruption < 2; interruption++) {
    char wat[1000];
    snprintf(wat, sizeof wat, "%s", counting);
    char* second = strstr(wat, "\"rounds\" )");
    REQUIRE(second);
    memcpy(second, "\"finite\" )", 10);
    fixture_t fixture = fixture_with(wasmrt_config_set_fuel,
                                     interruption ? wasmrt_config_set_interruption : NULL, wat);
    if (interruption) CHECK(wasmrt_store_set_timeout(fixture.store, 3600000 * millisecond));
    CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 2), many), 0);
    CHECK(wasmrt_store_fuel_consumed(fixture.store, &consumed[interruption][0]));
    CHECK(call_i32_i32(fixture_func(&fixture, 3), depth) > 0);
    CHECK(wasmrt_store_fuel_consumed(fixture.store, &consumed[interruption][1]));
    CHECK(wasmrt_store_set_fuel(fixture.store, 300000));
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
    CHECK(wasmrt_store_fuel_consumed(fixture.store, &consumed[interruption][2]));
    CHECK(wasmrt_store_fuel(fixture.store, &left[interruption]));
    CHECK_INT(consumed[interruption][2] - consumed[interruption][1] + left[interruption], 300000);
    wasm_val_t value;
    wasm_global_get(fixture_global(&fixture, 0), &value);
    rounds[interruption] = value.of.i64;
    fixture_delete(&fixture);
  }
  CHECK_INT(consumed[1][0], consumed[0][0]);
  CHECK_INT(consumed[1][1], consumed[0][1]);
  CHECK_INT(consumed[1][2], consumed[0][2]);
  CHECK_INT(rounds[1], rounds[0]);
  CHECK_INT(left[1], left[0]);
}

TEST(a_guest_with_fuel_stops_at_its_deadline) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, wasmrt_config_set_interruption, endless);
  const uint64_t all = UINT64_MAX;
  CHECK(wasmrt_store_set_fuel(fixture.store, all));
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  uint64_t left, consumed;
  CHECK(wasmrt_store_fuel(fixture.store, &left));
  CHECK(wasmrt_store_fuel_consumed(fixture.store, &consumed));
  CHECK(left == all - consumed);
  // Code made by wasmtime keeps the account in a register until the next call or return.
  if (!backend_is(fixture.engine, "wasmtime")) CHECK(consumed > 0);
  // Little fuel: it ends before its time.
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 600 * 1000 * millisecond));
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(fixture.store);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  wasmrt_interrupt_trigger(interrupt);
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  CHECK(wasmrt_store_fuel(fixture.store, &left));
  CHECK(left > 900);
  check_works(&fixture);
  wasmrt_interrupt_delete(interrupt);
  fixture_delete(&fixture);
}

static wasm_trap_t* fuel_in_host(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  uint64_t left, consumed;
  CHECK(wasmrt_store_fuel(host->fixture->store, &left));
  CHECK(wasmrt_store_fuel_consumed(host->fixture->store, &consumed));
  CHECK(left <= 100000);
  if (++host->calls % 100 == 0) CHECK(wasmrt_store_set_fuel(host->fixture->store, 100000));
  return NULL;
}

TEST(host_functions_refuel_under_a_deadline) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, wasmrt_config_set_interruption, NULL);
  host_t host = {.fixture = &fixture};
  fixture_load_with_host(&fixture, nesting, fuel_in_host, &host);
  CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 100 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, CALL_LOOP)), WASMRT_TRAP_TIMEOUT);
  CHECK(host.calls > 0);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Threads

typedef struct worker_t {
  wasm_engine_t* engine;
  size_t number;
} worker_t;

static void* run_worker(void* argument) {
  worker_t* worker = argument;
  wasm_engine_t* own = NULL;
  if (!worker->engine)
    own = wasm_engine_new_with_config(config_with(wasmrt_config_set_interruption, NULL));
  wasm_engine_t* engine = worker->engine ? worker->engine : own;
  size_t times = repetitions(5, 1);
  for (size_t i = 0; i < times; i++) {
    fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
    fixture_load(&fixture, endless, NULL, 0);
    uint64_t time = (5 + 7 * worker->number) * millisecond;
    if (i % 2) {
      CHECK(wasmrt_store_set_call_timeout(fixture.store, time));
    } else {
      CHECK(wasmrt_store_set_timeout(fixture.store, time));
    }
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    check_works(&fixture);
    fixture.engine = NULL;
    fixture_delete(&fixture);
  }
  wasm_engine_delete(own);
  return NULL;
}

TEST(many_stores_on_many_threads) {
  enum { THREADS = 12 };
  wasm_engine_t* shared =
      wasm_engine_new_with_config(config_with(wasmrt_config_set_interruption, NULL));
  REQUIRE(shared);
  pthread_t threads[THREADS];
  worker_t workers[THREADS];
  for (size_t i = 0; i < THREADS; i++) {
    workers[i] = (worker_t){i % 2 ? shared : NULL, i};
    REQUIRE(pthread_create(&threads[i], NULL, run_worker, &workers[i]) == 0);
  }
  for (size_t i = 0; i < THREADS; i++) pthread_join(threads[i], NULL);
  wasm_engine_delete(shared);
}

static size_t threads_of_process(void) {
  size_t count = 0;
  DIR* directory = opendir("/proc/self/task");
  REQUIRE(directory);
  for (struct dirent* entry; (entry = readdir(directory));) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

// A thread that was joined may be listed for a moment more.
static size_t threads_at_last(size_t expected) {
  size_t count = threads_of_process();
  for (int i = 0; i < 1000 && count != expected; i++) {
    sleep_for(10 * millisecond);
    count = threads_of_process();
  }
  return count;
}

TEST(the_ticker_is_there_only_when_needed) {
  wasm_engine_delete(wasm_engine_new());
  enum { STORES = 10 };
  fixture_t fixtures[STORES];
  for (size_t i = 0; i < STORES; i++) fixtures[i] = interruptible_fixture(endless);
  // Threads that the engine compiles with stay.
  size_t before = threads_of_process();
  bool asks = backend_is(fixtures[0].engine, "wasmi") || is_loaded(fixtures[0].engine);
  size_t ticker = asks ? 0 : 1;
  for (size_t i = 0; i < STORES; i++) {
    CHECK(wasmrt_store_set_timeout(fixtures[i].store, 3600 * 1000 * millisecond));
    CHECK(wasmrt_store_set_call_timeout(fixtures[i].store, 5 * millisecond));
    CHECK_INT(threads_of_process(), before + ticker);
  }
  for (size_t i = 0; i < STORES; i++)
    CHECK_STOPS(call_plain(fixture_func(&fixtures[i], 0)), WASMRT_TRAP_TIMEOUT);
  for (size_t i = 0; i < STORES; i++) {
    CHECK_INT(threads_of_process(), before + ticker);
    if (i % 2) {
      fixture_delete(&fixtures[i]);
    } else {
      CHECK(wasmrt_store_set_timeout(fixtures[i].store, WASMRT_NO_TIMEOUT));
      CHECK(wasmrt_store_set_call_timeout(fixtures[i].store, WASMRT_NO_TIMEOUT));
    }
  }
  CHECK_INT(threads_at_last(before), before);
  // It comes again.
  CHECK(wasmrt_store_set_call_timeout(fixtures[0].store, 5 * millisecond));
  CHECK_INT(threads_of_process(), before + ticker);
  CHECK_STOPS(call_plain(fixture_func(&fixtures[0], 0)), WASMRT_TRAP_TIMEOUT);
  for (size_t i = 0; i < STORES; i += 2) fixture_delete(&fixtures[i]);
  CHECK_INT(threads_at_last(before), before);
}

TEST(deadlines_come_and_go) {
  fixture_t fixture = interruptible_fixture(endless);
  size_t before = threads_of_process(), times = repetitions(300, 20);
  for (size_t i = 0; i < times; i++) {
    CHECK(wasmrt_store_set_timeout(fixture.store, (i % 3) * millisecond));
    if (i % 3 == 1) CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
    CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    check_works(&fixture);
  }
  CHECK_INT(threads_at_last(before), before);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Polls

typedef struct {
  pthread_t thread;
  int calls, last, finalized;
  bool elsewhere;
} poll_t;

static bool on_poll(void* env) {
  poll_t* poll = env;
  poll->calls++;
  poll->elsewhere |= !pthread_equal(poll->thread, pthread_self());
  return poll->calls < poll->last;
}

static void on_poll_finalized(void* env) {
  ((poll_t*)env)->finalized++;
}

TEST(a_poll_stops_a_guest_when_it_says_so) {
  fixture_t fixture = interruptible_fixture(endless);
  poll_t poll = {.thread = pthread_self(), .last = 3};
  CHECK(wasmrt_store_set_poll(fixture.store, on_poll, &poll, on_poll_finalized));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
  CHECK_INT(poll.calls, 3);
  CHECK(!poll.elsewhere);
  check_works(&fixture);
  // A deadline counts all the same.
  poll.last = 1000000;
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 150 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  CHECK_INT(poll.finalized, 0);
  CHECK(wasmrt_store_set_poll(fixture.store, NULL, NULL, NULL));
  CHECK_INT(poll.finalized, 1);
  int calls = poll.calls;
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  CHECK_INT(poll.calls, calls);
  // NULL with an environment, and a store that goes.
  CHECK(wasmrt_store_set_poll(fixture.store, NULL, &poll, on_poll_finalized));
  CHECK_INT(poll.finalized, 2);
  CHECK(wasmrt_store_set_poll(fixture.store, on_poll, &poll, on_poll_finalized));
  fixture_delete(&fixture);
  CHECK_INT(poll.finalized, 3);
  CHECK_FAILS(!wasmrt_store_set_poll(NULL, on_poll, &poll, on_poll_finalized));
  CHECK_INT(poll.finalized, 4);
}

TEST(a_poll_has_the_ticker_on_every_engine) {
  fixture_t one = interruptible_fixture(endless), two = interruptible_fixture(endless);
  size_t before = threads_of_process();
  poll_t poll = {.thread = pthread_self(), .last = 2};
  CHECK(wasmrt_store_set_poll(one.store, on_poll, &poll, NULL));
  CHECK(wasmrt_store_set_poll(two.store, on_poll, &poll, NULL));
  CHECK_INT(threads_of_process(), before + 1);
  // The one that is left keeps its place.
  fixture_delete(&one);
  CHECK_STOPS(call_plain(fixture_func(&two, 0)), WASMRT_TRAP_INTERRUPTED);
  CHECK_INT(threads_of_process(), before + 1);
  fixture_delete(&two);
  CHECK_INT(threads_at_last(before), before);
}

// ------------------------------------------------------------------------------------------------
// Child processes

// The status reports what fails, because the harness belongs to the parent.
static int use_in_child(fixture_t* inherited, int round) {
  alarm(60); // hanging is how this fails
  // It tries what it inherited first, and again at the end.
  if (round % 2) {
    if (round > 2 && !wasmrt_store_set_timeout(inherited->store, 10 * millisecond)) return 6;
    wasm_trap_t* stopped = call_plain(fixture_func(inherited, 0));
    if (wasmrt_trap_code(stopped) != WASMRT_TRAP_TIMEOUT) return 7;
    wasm_trap_delete(stopped);
    if (!wasmrt_store_set_timeout(inherited->store, WASMRT_NO_TIMEOUT)) return 8;
  }
  fixture_t fixture = interruptible_fixture(endless);
  if (!wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond)) return 1;
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  if (wasmrt_trap_code(trap) != WASMRT_TRAP_TIMEOUT) return 2;
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
  trap = call_plain(fixture_func(inherited, 0));
  if (wasmrt_trap_code(trap) != WASMRT_TRAP_TIMEOUT) return 3;
  wasm_trap_delete(trap);
  if (!wasmrt_store_set_timeout(inherited->store, 10 * millisecond)) return 4;
  trap = call_plain(fixture_func(inherited, 0));
  if (wasmrt_trap_code(trap) != WASMRT_TRAP_TIMEOUT) return 5;
  wasm_trap_delete(trap);
  fixture_delete(inherited);
  return 0;
}

TEST(a_forked_child_has_deadlines) {
  if (under_valgrind()) return; // takes what belonged to the parent's threads for lost
  fixture_t fixture = interruptible_fixture(endless);
  CHECK(wasmrt_store_set_call_timeout(fixture.store, 10 * millisecond));
  CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  for (int i = 0; i < 5; i++) {
    fflush(NULL);
    pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) _exit(use_in_child(&fixture, i));
    int status = -1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_INT(status, 0);
    CHECK_STOPS(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_TIMEOUT);
  }
  fixture_delete(&fixture);
}
