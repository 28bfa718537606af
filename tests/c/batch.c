// Calls for many rows: wasmrt_func_call_batch does what as many single calls do.
#include <pthread.h>

#include "configured.h"

// So many rows at once are called from inside the engine, where it can do that: that many pay for
// what it has to compile. Fewer are, afterwards.
#define MANY 60000

#define COLUMN(column_kind, count, array) ((wasmrt_column_t){(column_kind), (count), (array)})

static const char* simple =
    "(module"
    "  (func (export \"next\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))"
    "  (func (export \"mix\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
    "    (f64.add (local.get 3) (f64.const 0.5)) (f32.mul (local.get 2) (f32.const 2))"
    "    (i64.sub (local.get 1) (i64.const 1)) (i32.xor (local.get 0) (i32.const -1)))"
    "  (global $calls (export \"calls\") (mut i32) (i32.const 0))"
    "  (func (export \"count\") (global.set $calls (i32.add (global.get $calls) (i32.const 1))))"
    "  (func (export \"divide\") (param i32 i32) (result i32)"
    "    (i32.div_s (local.get 0) (local.get 1)))"
    "  (func (export \"answer\") (result i64) (i64.const 42))"
    "  (func (export \"wide\") (param i64) (result i64) (i64.mul (local.get 0) (i64.const 3))))";

enum { NEXT, MIX, CALLS, COUNT, DIVIDE, ANSWER, WIDE };

static int32_t ints[MANY], int_results[MANY + 1];

static void fill_ints(void) {
  for (int32_t i = 0; i < MANY; i++) ints[i] = i * 7 - 1000;
  memset(int_results, 0xa5, sizeof(int_results));
}

static bool batch_i32(const wasm_func_t* func, size_t rows, size_t* done, wasm_trap_t** trap) {
  wasmrt_column_t argument = COLUMN(WASM_I32, rows, ints);
  wasmrt_column_t result = COLUMN(WASM_I32, rows, int_results);
  return wasmrt_func_call_batch(func, rows, &argument, 1, &result, 1, done, trap);
}

static const int32_t untouched = (int32_t)0xa5a5a5a5;

static void check_next(const wasm_func_t* func, size_t rows) {
  fill_ints();
  size_t done = 77;
  wasm_trap_t* trap = (wasm_trap_t*)&done;
  CHECK(batch_i32(func, rows, &done, &trap));
  CHECK_INT(done, rows);
  CHECK_NULL(trap);
  size_t wrong = 0;
  for (size_t i = 0; i < rows; i++) wrong += int_results[i] != ints[i] + 1;
  CHECK_INT(wrong, 0);
  CHECK_INT(int_results[rows], untouched);
}

// ------------------------------------------------------------------------------------------------
// Rows of numbers

TEST(few_and_many_rows) {
  fixture_t fixture = fixture_from_wat(simple);
  // First one by one, and after the largest from inside the engine.
  const size_t numbers[] = {0, 1, 2, 7, 8, 9, 2047, MANY, 2048, 2049, 4096, 9, 8, 7, 1, 0};
  for (size_t i = 0; i < sizeof(numbers) / sizeof(*numbers); i++)
    check_next(fixture_func(&fixture, NEXT), numbers[i]);
  fixture_delete(&fixture);
}

TEST(mixed_kinds_and_several_results) {
  fixture_t fixture = fixture_from_wat(simple);
  // Not aligned, and with room for more rows.
  static char room[6][MANY * 8 + 9];
  static float floats[MANY];
  static double doubles[MANY];
  for (int round = 0; round < 3; round++) {
    size_t rows = round == 1 ? MANY : 1000;
    memset(room, 0xa5, sizeof(room));
    for (size_t i = 0; i < rows; i++) {
      int32_t narrow = (int32_t)i;
      int64_t wide = (int64_t)i << 33;
      memcpy(room[0] + 1 + i * 4, &narrow, 4);
      memcpy(room[1] + 3 + i * 8, &wide, 8);
      floats[i] = (float)i / 4;
      doubles[i] = (double)i / 8;
    }
    wasmrt_column_t arguments[] = {COLUMN(WASM_I32, MANY, room[0] + 1),
                                   COLUMN(WASM_I64, MANY, room[1] + 3),
                                   COLUMN(WASM_F32, MANY, floats), COLUMN(WASM_F64, MANY, doubles)};
    wasmrt_column_t results[] = {
        COLUMN(WASM_F64, MANY, room[2] + 5), COLUMN(WASM_F32, MANY, room[3] + 1),
        COLUMN(WASM_I64, MANY, room[4] + 7), COLUMN(WASM_I32, MANY, room[5] + 2)};
    size_t done = 0, wrong = 0;
    CHECK(wasmrt_func_call_batch(fixture_func(&fixture, MIX), rows, arguments, 4, results, 4, &done,
                                 NULL));
    CHECK_INT(done, rows);
    for (size_t i = 0; i < rows; i++) {
      double f64;
      float f32;
      int64_t i64;
      int32_t i32;
      memcpy(&f64, room[2] + 5 + i * 8, 8);
      memcpy(&f32, room[3] + 1 + i * 4, 4);
      memcpy(&i64, room[4] + 7 + i * 8, 8);
      memcpy(&i32, room[5] + 2 + i * 4, 4);
      wrong += f64 != doubles[i] + 0.5 || f32 != floats[i] * 2 || i64 != ((int64_t)i << 33) - 1 ||
               i32 != ~(int32_t)i;
    }
    CHECK_INT(wrong, 0);
    // Neither before the arrays nor after the rows.
    CHECK_INT(room[2][4], (char)0xa5);
    CHECK_INT(room[2][5 + rows * 8], (char)0xa5);
    CHECK_INT(room[5][1], (char)0xa5);
    CHECK_INT(room[5][2 + rows * 4], (char)0xa5);
  }
  fixture_delete(&fixture);
}

TEST(results_that_are_not_wanted) {
  fixture_t fixture = fixture_from_wat(simple);
  static int64_t wide[MANY];
  static float floats[MANY];
  static double doubles[MANY];
  static int64_t results_wide[MANY];
  fill_ints();
  for (int round = 0; round < 3; round++) {
    size_t rows = round == 1 ? MANY : 100, wrong = 0;
    for (size_t i = 0; i < rows; i++) wide[i] = (int64_t)i;
    wasmrt_column_t arguments[] = {COLUMN(WASM_I32, rows, ints), COLUMN(WASM_I64, rows, wide),
                                   COLUMN(WASM_F32, rows, floats), COLUMN(WASM_F64, rows, doubles)};
    wasmrt_column_t results[] = {COLUMN(0, 0, NULL), COLUMN(77, 0, NULL),
                                 COLUMN(WASM_I64, rows, results_wide), COLUMN(0, 0, NULL)};
    CHECK(wasmrt_func_call_batch(fixture_func(&fixture, MIX), rows, arguments, 4, results, 4, NULL,
                                 NULL));
    for (size_t i = 0; i < rows; i++) wrong += results_wide[i] != (int64_t)i - 1;
    CHECK_INT(wrong, 0);
  }
  fixture_delete(&fixture);
}

TEST(results_in_place_of_arguments) {
  fixture_t fixture = fixture_from_wat(simple);
  fill_ints();
  wasmrt_column_t column = COLUMN(WASM_I32, MANY, ints);
  for (int round = 0; round < 3; round++) {
    size_t rows = round == 1 ? MANY : 500;
    fill_ints();
    CHECK(wasmrt_func_call_batch(fixture_func(&fixture, NEXT), rows, &column, 1, &column, 1, NULL,
                                 NULL));
    size_t wrong = 0;
    for (int32_t i = 0; i < (int32_t)rows; i++) wrong += ints[i] != i * 7 - 1000 + 1;
    CHECK_INT(wrong, 0);
  }
  fixture_delete(&fixture);
}

TEST(without_parameters_or_results) {
  fixture_t fixture = fixture_from_wat(simple);
  int32_t expected = 0;
  static int64_t answers[MANY];
  for (int round = 0; round < 3; round++) {
    size_t rows = round == 1 ? MANY : 100, done = 0, wrong = 0;
    expected += (int32_t)rows;
    CHECK(
        wasmrt_func_call_batch(fixture_func(&fixture, COUNT), rows, NULL, 0, NULL, 0, &done, NULL));
    CHECK_INT(done, rows);
    wasm_val_t calls;
    wasm_global_get(fixture_global(&fixture, CALLS), &calls);
    CHECK_INT(calls.of.i32, expected);
    wasmrt_column_t result = COLUMN(WASM_I64, rows, answers);
    memset(answers, 0, sizeof(answers));
    CHECK(wasmrt_func_call_batch(fixture_func(&fixture, ANSWER), rows, NULL, 0, &result, 1, NULL,
                                 NULL));
    for (size_t i = 0; i < rows; i++) wrong += answers[i] != 42;
    CHECK_INT(wrong, 0);
  }
  fixture_delete(&fixture);
}

TEST(bits_of_floats_stay) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param f32 f64) (result f64 f32) local.get 1 local.get 0))");
  static uint32_t narrow[MANY], narrow_results[MANY];
  static uint64_t wide[MANY], wide_results[MANY];
  for (uint32_t i = 0; i < MANY; i++) {
    narrow[i] = 0x7f800001u + i * 3;                 // signalling and quiet NaNs
    wide[i] = UINT64_C(0xfff0000000000001) + i * 5u; // with a sign
  }
  wasmrt_column_t arguments[] = {COLUMN(WASM_F32, MANY, narrow), COLUMN(WASM_F64, MANY, wide)};
  wasmrt_column_t results[] = {COLUMN(WASM_F64, MANY, wide_results),
                               COLUMN(WASM_F32, MANY, narrow_results)};
  const size_t numbers[] = {100, MANY};
  for (size_t round = 0; round < 2; round++) {
    size_t size = numbers[round];
    CHECK(wasmrt_func_call_batch(fixture_func(&fixture, 0), size, arguments, 2, results, 2, NULL,
                                 NULL));
    CHECK_INT(memcmp(narrow, narrow_results, size * sizeof(*narrow)), 0);
    CHECK_INT(memcmp(wide, wide_results, size * sizeof(*wide)), 0);
  }
  fixture_delete(&fixture);
}

TEST(a_thousand_parameters) {
  enum { PARAMETERS = 1000 };
  static char text[PARAMETERS * 40];
  size_t length = (size_t)sprintf(text, "(module (func (export \"f\") (param");
  for (int i = 0; i < PARAMETERS; i++)
    length += (size_t)sprintf(text + length, i % 2 ? " i64" : " i32");
  sprintf(text + length, ") (result i64 i32) local.get 999 local.get 0))");
  fixture_t fixture = fixture_from_wat(text);
  // All columns of a kind may be the same array.
  static int64_t wide[MANY], wide_results[MANY];
  static wasmrt_column_t arguments[PARAMETERS];
  fill_ints();
  for (int32_t i = 0; i < MANY; i++) wide[i] = (int64_t)i << 32;
  for (int i = 0; i < PARAMETERS; i++)
    arguments[i] = i % 2 ? COLUMN(WASM_I64, MANY, wide) : COLUMN(WASM_I32, MANY, ints);
  wasmrt_column_t results[] = {COLUMN(WASM_I64, MANY, wide_results),
                               COLUMN(WASM_I32, MANY, int_results)};
  size_t rows = repetitions(MANY, 100), done = 0;
  CHECK(wasmrt_func_call_batch(fixture_func(&fixture, 0), rows, arguments, PARAMETERS, results, 2,
                               &done, NULL));
  CHECK_INT(done, rows);
  CHECK_INT(memcmp(wide, wide_results, rows * sizeof(*wide)), 0);
  CHECK_INT(memcmp(ints, int_results, rows * sizeof(*ints)), 0);
  fixture_delete(&fixture);
}

TEST(more_types_than_an_engine_keeps_code_for) {
  fixture_t fixture = fixture_new();
  size_t rows = repetitions(MANY, 100);
  fill_ints();
  for (int count = 0; count < 40; count++) {
    char text[1000];
    size_t length = (size_t)sprintf(text, "(module (func (export \"f\") (param i32");
    for (int i = 0; i < count; i++) length += (size_t)sprintf(text + length, " i32");
    sprintf(text + length, ") (result i32) (i32.add (local.get %d) (i32.const 1))))", count);
    wasm_module_t* module = module_from_wat(fixture.store, text);
    wasm_instance_t* instance = instantiate(fixture.store, module, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasmrt_column_t arguments[40], result = COLUMN(WASM_I32, rows, int_results);
    for (int i = 0; i <= count; i++) arguments[i] = COLUMN(WASM_I32, rows, ints);
    CHECK(wasmrt_func_call_batch(wasm_extern_as_func(exports.data[0]), rows, arguments,
                                 (size_t)count + 1, &result, 1, NULL, NULL));
    CHECK_INT(int_results[rows - 1], ints[rows - 1] + 1);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

TEST(many_functions_of_one_type) {
  enum { FUNCTIONS = 300 };
  static char text[FUNCTIONS * 100];
  size_t length = (size_t)sprintf(text, "(module ");
  for (int i = 0; i < FUNCTIONS; i++) {
    length += (size_t)sprintf(
        text + length,
        "(func (export \"%d\") (param i32) (result i32) (i32.add (local.get 0) (i32.const %d)))", i,
        i);
  }
  sprintf(text + length, ")");
  fixture_t fixture = fixture_from_wat(text);
  fill_ints();
  CHECK(batch_i32(fixture_func(&fixture, 0), MANY, NULL, NULL));
  for (int i = 0; i < FUNCTIONS; i++) {
    CHECK(batch_i32(fixture_func(&fixture, (size_t)i), 20, NULL, NULL));
    CHECK_INT(int_results[19], ints[19] + i);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Traps

TEST(a_trap_in_the_middle) {
  fixture_t fixture = fixture_from_wat(simple);
  static int32_t divisors[MANY];
  const size_t numbers[] = {100, MANY, 3000, 20};
  for (size_t round = 0; round < 4; round++) {
    size_t rows = numbers[round];
    const size_t bad_rows[] = {0, 1, rows / 2, rows - 1};
    for (size_t which = 0; which < 4; which++) {
      size_t bad = bad_rows[which], done = 77, wrong = 0;
      fill_ints();
      for (size_t i = 0; i < rows; i++) divisors[i] = i == bad ? 0 : (int32_t)i + 1;
      wasmrt_column_t arguments[] = {COLUMN(WASM_I32, rows, ints),
                                     COLUMN(WASM_I32, rows, divisors)};
      wasmrt_column_t result = COLUMN(WASM_I32, rows, int_results);
      wasm_trap_t* trap = NULL;
      CHECK_FAILS_WITH(!wasmrt_func_call_batch(fixture_func(&fixture, DIVIDE), rows, arguments, 2,
                                               &result, 1, &done, &trap),
                       WASMRT_ERROR_TRAP);
      CHECK_INT(done, bad);
      for (size_t i = 0; i < bad; i++) wrong += int_results[i] != ints[i] / divisors[i];
      for (size_t i = bad; i < rows; i++) wrong += int_results[i] != untouched;
      CHECK_INT(wrong, 0);
      // The trace is that of a single call.
      wasm_frame_vec_t frames;
      wasm_trap_trace(trap, &frames);
      if (backend_is(fixture.engine, "wasmtime")) CHECK_INT(frames.size, 1);
      for (size_t i = 0; i < frames.size; i++) {
        CHECK_INT(wasm_frame_func_index(frames.data[i]), 3);
        CHECK_PTR(wasm_frame_instance(frames.data[i]), fixture.instance);
      }
      wasm_frame_vec_delete(&frames);
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO);
    }
  }
  fixture_delete(&fixture);
}

TEST(a_trap_without_a_place_for_it) {
  fixture_t fixture = fixture_from_wat(simple);
  int32_t numbers[] = {6, 8}, divisors[] = {2, 0}, quotients[] = {-1, -1};
  wasmrt_column_t arguments[] = {COLUMN(WASM_I32, 2, numbers), COLUMN(WASM_I32, 2, divisors)};
  wasmrt_column_t result = COLUMN(WASM_I32, 2, quotients);
  CHECK_FAILS(!wasmrt_func_call_batch(fixture_func(&fixture, DIVIDE), 2, arguments, 2, &result, 1,
                                      NULL, NULL));
  CHECK_INT(quotients[0], 3);
  CHECK_INT(quotients[1], -1);
  fixture_delete(&fixture);
}

TEST(the_stack_runs_out) {
  fixture_t fixture = fixture_from_wat(
      "(module (func $f (export \"f\") (param i32) (result i32)"
      "  (if (result i32) (i32.eq (local.get 0) (i32.const 0))"
      "    (then (i32.add (call $f (local.get 0)) (i32.const 1))) (else (local.get 0)))))");
  for (int round = 0; round < 2; round++) {
    for (int32_t i = 0; i < MANY; i++) ints[i] = i - (round ? 30000 : 5);
    size_t done = 0;
    wasm_trap_t* trap = NULL;
    CHECK(!batch_i32(fixture_func(&fixture, 0), round ? MANY : 10, &done, &trap));
    CHECK_INT(done, round ? 30000 : 5);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_STACK_EXHAUSTED);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Host functions

typedef struct host_t {
  fixture_t* fixture;
  wasm_func_t* func;
  int32_t rows;    // that were called
  int32_t stop_at; // the row that traps, or does something else
  wasm_trap_t* trap;
  wasmrt_interrupt_t* interrupt;
  bool saw_results;
} host_t;

static wasm_trap_t* host_twice(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  host_t* host = env;
  if (host->rows++ == host->stop_at) {
    host->trap = new_trap(host->fixture->store, "no more");
    return wasm_trap_copy(host->trap);
  }
  if (int_results[0] != untouched) host->saw_results = true;
  if (host->interrupt && host->rows == 10) wasmrt_interrupt_trigger(host->interrupt);
  results->data[0] = I32(args->data[0].of.i32 * 2);
  return NULL;
}

TEST(a_host_function_is_called_directly) {
  fixture_t fixture = fixture_new();
  host_t host = {&fixture, NULL, 0, -1, NULL, NULL, false};
  wasm_func_t* func = host_func(fixture.store, "i", "i", host_twice, &host);
  fill_ints();
  size_t done = 0;
  CHECK(batch_i32(func, 1000, &done, NULL));
  CHECK_INT(done, 1000);
  CHECK_INT(host.rows, 1000);
  CHECK_INT(int_results[999], ints[999] * 2);
  host.stop_at = 1007;
  wasm_trap_t* trap = NULL;
  CHECK(!batch_i32(func, 1000, &done, &trap));
  CHECK_INT(done, 7);
  CHECK(wasm_trap_same(trap, host.trap));
  CHECK_TRAP(trap, "no more");
  wasm_trap_delete(host.trap);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static const char* importing =
    "(module (import \"\" \"host\" (func $host (param i32) (result i32)))"
    "  (func (export \"f\") (param i32) (result i32)"
    "    (i32.add (call $host (local.get 0)) (i32.const 1))))";

TEST(a_guest_calls_a_host_function) {
  fixture_t fixture = fixture_new();
  host_t host = {&fixture, NULL, 0, -1, NULL, NULL, false};
  wasm_func_t* func = host_func(fixture.store, "i", "i", host_twice, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  fill_ints();
  CHECK(batch_i32(fixture_func(&fixture, 0), MANY, NULL, NULL));
  CHECK_INT(host.rows, MANY);
  CHECK_INT(int_results[MANY - 1], ints[MANY - 1] * 2 + 1);

  // That the rows are called from inside the engine can be seen only from when the results come.
  fill_ints();
  host.saw_results = false;
  CHECK(batch_i32(fixture_func(&fixture, 0), 20, NULL, NULL));
  CHECK(!host.saw_results);
  CHECK(batch_i32(fixture_func(&fixture, 0), 5, NULL, NULL));
  CHECK(host.saw_results);

  host.stop_at = MANY + 25 + 17;
  size_t done = 0;
  wasm_trap_t* trap = NULL;
  CHECK(!batch_i32(fixture_func(&fixture, 0), 20, &done, &trap));
  CHECK_INT(done, 17);
  CHECK(wasm_trap_same(trap, host.trap));
  CHECK_TRAP(trap, "no more");
  wasm_trap_delete(host.trap);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

// Calls itself again in a batch of its own, three levels deep.
static wasm_trap_t* host_again(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  host_t* host = env;
  int32_t depth = args->data[0].of.i32, sum = 0;
  host->rows++;
  if (depth > 0) {
    int32_t inner[20], inner_results[20];
    for (int i = 0; i < 20; i++) inner[i] = i == 13 ? depth - 1 : 0;
    wasmrt_column_t argument = COLUMN(WASM_I32, 20, inner);
    wasmrt_column_t result = COLUMN(WASM_I32, 20, inner_results);
    CHECK(wasmrt_func_call_batch(host->func, 20, &argument, 1, &result, 1, NULL, NULL));
    for (int i = 0; i < 20; i++) sum += inner_results[i];
  }
  results->data[0] = I32(sum);
  return NULL;
}

TEST(a_batch_within_a_batch) {
  fixture_t fixture = fixture_new();
  host_t host = {&fixture, NULL, 0, -1, NULL, NULL, false};
  wasm_func_t* func = host_func(fixture.store, "i", "i", host_again, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  host.func = fixture_func(&fixture, 0);
  memset(ints, 0, sizeof(ints));
  CHECK(batch_i32(host.func, MANY, NULL, NULL));
  host.rows = 0;
  ints[5] = 3;
  CHECK(batch_i32(host.func, 20, NULL, NULL));
  CHECK_INT(host.rows, 4 * 20);
  // Each level adds one for each of its rows.
  CHECK_INT(int_results[4], 1);
  CHECK_INT(int_results[5], 20 + 20 + 20 + 1);
  // The outer batch again, as if nothing had happened.
  memset(ints, 0, sizeof(ints));
  CHECK(batch_i32(host.func, 3000, NULL, NULL));
  CHECK_INT(int_results[2999], 1);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* host_delete(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  host_t* host = env;
  if (host->rows++ == host->stop_at) {
    wasm_func_delete(host->func);
    fixture_delete(host->fixture);
  }
  results->data[0] = args->data[0];
  return NULL;
}

TEST(the_store_is_deleted_in_the_middle) {
  for (int round = 0; round < 2; round++) {
    fixture_t fixture = fixture_new();
    host_t host = {&fixture, NULL, 0, 100, NULL, NULL, false};
    host.func = host_func(fixture.store, "i", "i", host_delete, &host);
    wasm_extern_t* imports[] = {wasm_func_as_extern(host.func)};
    fixture_load(&fixture, importing, imports, 1);
    fill_ints();
    size_t rows = round ? MANY : 200, done = 0;
    CHECK(batch_i32(fixture_func(&fixture, 0), rows, &done, NULL));
    CHECK_INT(done, rows);
    CHECK_INT(int_results[rows - 1], ints[rows - 1] + 1);
  }
}

// ------------------------------------------------------------------------------------------------
// References

static wasm_trap_t* host_pass(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env;
  wasm_val_copy(&results->data[0], &args->data[0]);
  return NULL;
}

TEST(references) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param externref i32 funcref) (result funcref externref)"
      "  local.get 2 local.get 0))");
  enum { ROWS = 50 };
  wasm_ref_t *externs[ROWS], *funcs[ROWS], *extern_results[ROWS], *func_results[ROWS];
  int32_t numbers[ROWS] = {0};
  for (int i = 0; i < ROWS; i++) {
    externs[i] = i % 3 ? wasm_foreign_as_ref(wasm_foreign_new(fixture.store)) : NULL;
    funcs[i] = i % 2 ? wasm_func_as_ref(fixture_func(&fixture, 0)) : NULL;
  }
  wasmrt_column_t arguments[] = {COLUMN(WASM_EXTERNREF, ROWS, externs),
                                 COLUMN(WASM_I32, ROWS, numbers),
                                 COLUMN(WASM_FUNCREF, ROWS, funcs)};
  wasmrt_column_t results[] = {COLUMN(WASM_FUNCREF, ROWS, func_results),
                               COLUMN(WASM_EXTERNREF, ROWS, extern_results)};
  size_t done = 0;
  GARBAGE(func_results);
  GARBAGE(extern_results);
  CHECK(wasmrt_func_call_batch(fixture_func(&fixture, 0), ROWS, arguments, 3, results, 2, &done,
                               NULL));
  CHECK_INT(done, ROWS);
  for (int i = 0; i < ROWS; i++) {
    CHECK_PTR(extern_results[i], externs[i]);
    CHECK_PTR(func_results[i], funcs[i]);
    wasm_ref_delete(extern_results[i]);
    wasm_ref_delete(func_results[i]);
  }
  // Those that are not wanted are released.
  results[0].data = NULL;
  results[1].data = NULL;
  CHECK(wasmrt_func_call_batch(fixture_func(&fixture, 0), ROWS, arguments, 3, results, 2, &done,
                               NULL));
  // One of another store, which belongs to no row that was done.
  fixture_t other = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(other.store);
  wasm_ref_t* own = externs[7];
  externs[7] = wasm_foreign_as_ref(foreign);
  results[1].data = extern_results;
  GARBAGE(extern_results);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(!wasmrt_func_call_batch(fixture_func(&fixture, 0), ROWS, arguments, 3, results,
                                           2, &done, &trap),
                   WASMRT_ERROR_MISUSE);
  CHECK_INT(done, 7);
  CHECK_TRAP_CONTAINS(trap, "another store");
  for (int i = 0; i < 7; i++) wasm_ref_delete(extern_results[i]);
  CHECK_INT(((unsigned char*)&extern_results[7])[0], 0xa5);
  externs[7] = own;
  wasm_foreign_delete(foreign);
  fixture_delete(&other);
  for (int i = 0; i < ROWS; i++) wasm_ref_delete(externs[i]);
  fixture_delete(&fixture);
}

TEST(references_through_a_host_function) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = host_func(fixture.store, "e", "e", host_pass, NULL);
  wasm_ref_t* references[] = {NULL, wasm_func_as_ref(func), NULL};
  wasm_ref_t* passed[3];
  wasmrt_column_t argument = COLUMN(WASM_EXTERNREF, 3, references);
  wasmrt_column_t result = COLUMN(WASM_EXTERNREF, 3, passed);
  CHECK(wasmrt_func_call_batch(func, 3, &argument, 1, &result, 1, NULL, NULL));
  CHECK_NULL(passed[0]);
  CHECK_PTR(passed[1], references[1]);
  CHECK_NULL(passed[2]);
  wasm_ref_delete(passed[1]);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(a_type_that_only_looks_like_another) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(
      fixture.store,
      "(module (rec (type $t (func (param i32) (result i32))) (type (func (param i64))))"
      "  (func (export \"f\") (type $t) (i32.add (local.get 0) (i32.const 1)))"
      "  (func (export \"g\") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))");
  if (module) {
    fixture.module = module;
    fixture.instance = instantiate(fixture.store, module, NULL, 0);
    wasm_instance_exports(fixture.instance, &fixture.exports);
    for (size_t i = 0; i < 2; i++) {
      check_next(fixture_func(&fixture, i), MANY);
      check_next(fixture_func(&fixture, i), 100);
    }
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Limits, fuel and interruption

TEST(limits_of_the_store_do_not_count_what_the_library_needs) {
  fixture_t fixture = fixture_from_wat(simple);
  uint64_t usage[5];
  size_t modules = modules_of(fixture.engine);
  for (wasmrt_store_limit_t limit = 0; limit < 5; limit++) {
    usage[limit] = usage_of(fixture.store, limit);
    CHECK(wasmrt_store_set_limit(fixture.store, limit, usage[limit]));
  }
  CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
  check_next(fixture_func(&fixture, NEXT), MANY);
  check_next(fixture_func(&fixture, NEXT), 100);
  for (wasmrt_store_limit_t limit = 0; limit < 5; limit++)
    CHECK_INT(usage_of(fixture.store, limit), usage[limit]);
  CHECK_INT(modules_of(fixture.engine), modules);
  fixture_delete(&fixture);
}

TEST(a_pool_is_the_guests) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(set_pool(config, 1, 1, 1, 65536, 10));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) {
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    return;
  }
  fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(&fixture, simple, NULL, 0);
  check_next(fixture_func(&fixture, NEXT), MANY);
  fixture_delete(&fixture);
}

TEST(fuel_is_used_as_by_single_calls) {
  fixture_t fixture = fixture_with(wasmrt_config_set_fuel, NULL, NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  fixture_load(&fixture, simple, NULL, 0);
  const uint64_t enough = 10000000;
  wasm_func_t* next = fixture_func(&fixture, NEXT);
  CHECK(wasmrt_store_set_fuel(fixture.store, enough));
  CHECK_INT(call_i32_i32(next, 5), 6);
  uint64_t each = enough - fuel_of(fixture.store);
  CHECK(each > 0);
  const size_t numbers[] = {1, 20, 3000, MANY, 20};
  for (size_t i = 0; i < 5; i++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, enough));
    check_next(next, numbers[i]);
    CHECK_INT(enough - fuel_of(fixture.store), numbers[i] * each);
  }
  // It runs out in the 41st row.
  fill_ints();
  CHECK(wasmrt_store_set_fuel(fixture.store, 40 * each + each - 1));
  size_t done = 0;
  wasm_trap_t* trap = NULL;
  CHECK(!batch_i32(next, 100, &done, &trap));
  CHECK_INT(done, 40);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
  CHECK_INT(int_results[39], ints[39] + 1);
  CHECK_INT(int_results[40], untouched);
  fixture_delete(&fixture);
}

static const char* may_hang =
    "(module (func (export \"f\") (param i32) (result i32)"
    "  (loop (br_if 0 (i32.eqz (local.get 0)))) (local.get 0)))";

TEST(a_row_that_hangs_is_stopped) {
  for (int with_fuel = 0; with_fuel < 2; with_fuel++) {
    fixture_t fixture = fixture_with(wasmrt_config_set_interruption,
                                     with_fuel ? wasmrt_config_set_fuel : NULL, NULL);
    if (with_fuel) CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX / 2));
    fixture_load(&fixture, may_hang, NULL, 0);
    for (int round = 0; round < 2; round++) {
      for (int32_t i = 0; i < MANY; i++) ints[i] = i + 1;
      memset(int_results, 0xa5, sizeof(int_results));
      if (round) CHECK(batch_i32(fixture_func(&fixture, 0), MANY, NULL, NULL));
      CHECK(wasmrt_store_set_call_timeout(fixture.store, 20000000));
      ints[37] = 0;
      size_t done = 77;
      wasm_trap_t* trap = NULL;
      CHECK(!batch_i32(fixture_func(&fixture, 0), 50, &done, &trap));
      // On a busy machine the time may be over before.
      CHECK(done <= 37);
      CHECK_INT(int_results[36], done == 37 || round ? 37 : untouched);
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT);
      CHECK(wasmrt_store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
      // The store's own timeout, which has expired before anything runs.
      CHECK(wasmrt_store_set_timeout(fixture.store, 0));
      CHECK(!batch_i32(fixture_func(&fixture, 0), 50, &done, &trap));
      CHECK_INT(done, 0);
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_TIMEOUT);
      CHECK(wasmrt_store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));
    }
    fixture_delete(&fixture);
  }
}

TEST(an_interrupt_stops_a_batch) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL, NULL);
  host_t host = {&fixture, NULL, 0, -1, NULL, NULL, false};
  wasm_func_t* func = host_func(fixture.store, "i", "i", host_twice, &host);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, importing, imports, 1);
  fill_ints();
  CHECK(batch_i32(fixture_func(&fixture, 0), MANY, NULL, NULL));
  host.interrupt = wasmrt_interrupt_new(fixture.store);
  for (int direct = 0; direct < 2; direct++) {
    for (size_t rows = 12; rows < 30; rows += 10) {
      fill_ints();
      host.rows = 0;
      size_t done = 0;
      wasm_trap_t* trap = NULL;
      CHECK(!batch_i32(direct ? func : fixture_func(&fixture, 0), rows, &done, &trap));
      // The host function returns, the guest that called it does not.
      CHECK_INT(done, direct ? 10 : 9);
      CHECK_INT(int_results[8], ints[8] * 2 + (direct ? 0 : 1));
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTERRUPTED);
    }
  }
  wasmrt_interrupt_trigger(host.interrupt);
  size_t done = 77;
  wasm_trap_t* trap = NULL;
  CHECK(!batch_i32(func, 20, &done, &trap));
  CHECK_INT(done, 0);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_INTERRUPTED);
  wasmrt_interrupt_delete(host.interrupt);
  host.interrupt = NULL;
  CHECK(batch_i32(func, 20, &done, &trap));
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Bad input

#define CHECK_NOT_STARTED(call, text)                    \
  do {                                                   \
    size_t done = 77;                                    \
    wasm_trap_t* trap = (wasm_trap_t*)&done;             \
    CHECK_FAILS_WITH(!(call), WASMRT_ERROR_MISUSE);      \
    CHECK_CONTAINS(wasmrt_last_error_message(), (text)); \
    CHECK_INT(done, 0);                                  \
    CHECK_NULL(trap);                                    \
  } while (0)

#define BATCH(func, rows, args, results)                                                    \
  wasmrt_func_call_batch((func), (rows), (args), sizeof(args) / sizeof(*(args)), (results), \
                         sizeof(results) / sizeof(*(results)), &done, &trap)

TEST(columns_that_do_not_match) {
  fixture_t fixture = fixture_from_wat(simple);
  wasm_func_t* func = fixture_func(&fixture, DIVIDE);
  fill_ints();
  wasmrt_column_t good[] = {COLUMN(WASM_I32, 10, ints), COLUMN(WASM_I32, 10, ints)};
  wasmrt_column_t result[] = {COLUMN(WASM_I32, 10, int_results)};
  wasmrt_column_t kinds[] = {COLUMN(WASM_I32, 10, ints), COLUMN(WASM_F32, 10, ints)};
  wasmrt_column_t no_kind[] = {COLUMN(77, 10, ints), COLUMN(WASM_I32, 10, ints)};
  wasmrt_column_t missing[] = {COLUMN(WASM_I32, 10, ints), COLUMN(WASM_I32, 10, NULL)};
  wasmrt_column_t wide[] = {COLUMN(WASM_I64, 10, int_results)};
  CHECK_NOT_STARTED(BATCH(NULL, 10, good, result), "NULL");
  CHECK_NOT_STARTED(BATCH(func, 10, result, result), "expected 2 argument columns");
  CHECK_NOT_STARTED(BATCH(func, 10, good, good), "expected 1 result columns");
  CHECK_NOT_STARTED(BATCH(func, 10, kinds, result), "argument column 2: expected i32, got f32");
  CHECK_NOT_STARTED(BATCH(func, 10, no_kind, result), "argument column 1: expected i32");
  CHECK_NOT_STARTED(BATCH(func, 10, missing, result), "argument column 2: expected 10 values");
  CHECK_NOT_STARTED(BATCH(func, 10, good, wide), "result column 1: expected i32, got i64");
  CHECK_NOT_STARTED(BATCH(func, 11, good, result), "expected 11 values, got 10");
  CHECK_NOT_STARTED(wasmrt_func_call_batch(func, 10, NULL, 2, result, 1, &done, &trap),
                    "expected 2 columns, got NULL");
  good[0].size = good[1].size = result[0].size = SIZE_MAX;
  CHECK_NOT_STARTED(BATCH(func, SIZE_MAX, good, result), "expected 18446744073709551615 values");
  CHECK_INT(int_results[0], untouched);
  fixture_delete(&fixture);
}

TEST(no_rows) {
  fixture_t fixture = fixture_from_wat(simple);
  wasmrt_column_t arguments[] = {COLUMN(WASM_I32, 0, NULL), COLUMN(WASM_I32, 0, NULL)};
  size_t done = 77;
  wasm_func_t* func = fixture_func(&fixture, DIVIDE);
  CHECK(wasmrt_func_call_batch(func, 0, arguments, 2, arguments, 1, &done, NULL));
  CHECK_INT(done, 0);
  CHECK_FAILS(!wasmrt_func_call_batch(func, 0, arguments, 1, arguments, 1, &done, NULL));
  CHECK_FAILS(!wasmrt_func_call_batch(func, 0, NULL, 0, arguments, 1, &done, NULL));
  fixture_delete(&fixture);
}

TEST(a_deleted_function) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = host_func(fixture.store, "", "", host_pass, NULL);
  wasm_func_delete(func);
  size_t done = 77;
  CHECK_FAILS(!wasmrt_func_call_batch(func, 1, NULL, 0, NULL, 0, &done, NULL));
  CHECK_INT(done, 0);
  fixture_delete(&fixture);
}

TEST(v128_is_refused) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(
      fixture.store, "(module (func (export \"f\") (param v128) (result v128) local.get 0))");
  if (module) {
    fixture.module = module;
    fixture.instance = instantiate(fixture.store, module, NULL, 0);
    wasm_instance_exports(fixture.instance, &fixture.exports);
    char bytes[32] = {0};
    wasmrt_column_t column = COLUMN(WASMRT_V128, 1, bytes);
    CHECK_FAILS_WITH(
        !wasmrt_func_call_batch(fixture_func(&fixture, 0), 1, &column, 1, &column, 1, NULL, NULL),
        WASMRT_ERROR_UNSUPPORTED);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Threads

static void* run_batches(void* engine) {
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = module_from_wat(store, simple);
  wasm_instance_t* instance = instantiate(store, module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  static const int64_t numbers[MANY] = {1, 2, 3};
  int64_t* results = malloc(MANY * sizeof(*results));
  wasmrt_column_t argument = COLUMN(WASM_I64, MANY, (void*)(uintptr_t)numbers);
  wasmrt_column_t result = COLUMN(WASM_I64, MANY, results);
  for (int i = 0; i < 3; i++) {
    CHECK(wasmrt_func_call_batch(wasm_extern_as_func(exports.data[WIDE]), MANY, &argument, 1,
                                 &result, 1, NULL, NULL));
    CHECK_INT(results[2], 9);
  }
  free(results);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  return NULL;
}

TEST(threads_share_an_engine) {
  wasm_engine_t* engine = wasm_engine_new();
  pthread_t threads[4];
  for (int i = 0; i < 4; i++) pthread_create(&threads[i], NULL, run_batches, engine);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  wasm_engine_delete(engine);
}
