// Calls for many rows and unchecked calls, beside single calls of wasm_func_call: on engines beside
// the model's, one plain and one with fuel.
#include "fuzz.h"

enum { MOST_ROWS = 3000, ROWS_THAT_PAY = 60000 };

static const char batch_text[] =
    "(module (import \"\" \"host\" (func $host (param i32) (result i32)))"
    "  (func (export \"divide\") (param i32) (result i32)"
    "    (i32.div_s (i32.const 1000000) (local.get 0)))"
    "  (func (export \"mix\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
    "    local.get 3 local.get 2 (i64.add (local.get 1) (i64.const 3)) local.get 0)"
    "  (func (export \"call\") (param i32) (result i32)"
    "    (i32.add (call $host (local.get 0)) (i32.const 1)))"
    "  (func (export \"work\") (param i32) (result i32) (local i32)"
    "    (loop (local.set 1 (i32.add (local.get 1) (i32.const 1)))"
    "      (br_if 0 (i32.lt_u (local.get 1) (i32.and (local.get 0) (i32.const 15)))))"
    "    (local.get 1)))";

typedef struct batch_t {
  wasm_store_t* store;
  wasm_func_t* host;
  wasm_extern_vec_t exports;
  bool fuel;
  unsigned nested; // how deep the host function may still go
} batch_t;

static int32_t ints[ROWS_THAT_PAY], int_results[ROWS_THAT_PAY];

static bool call_ints(const wasm_func_t* func, size_t rows, int32_t* args, int32_t* results,
                      size_t* done, wasm_trap_t** trap) {
  wasmrt_column_t arg = {WASM_I32, rows, args}, result = {WASM_I32, rows, results};
  return wasmrt_func_call_batch(func, rows, &arg, 1, &result, 1, done, trap);
}

// Returns whether the call did not trap.
static bool call_one(const wasm_func_t* func, int32_t argument, int32_t* result) {
  wasm_val_t value = WASM_I32_VAL(argument), answer = WASM_INIT_VAL;
  wasm_val_vec_t args = {1, &value}, results = {1, &answer};
  wasm_trap_t* trap = NULL;
  if (one_in(2)) {
    trap = wasm_func_call(func, &args, &results);
    *result = answer.of.i32;
  } else {
    wasmrt_raw_t raw;
    raw.i32 = argument;
    trap = wasmrt_func_call_unchecked(func, &raw);
    *result = raw.i32;
  }
  wasm_trap_delete(trap);
  return trap == NULL;
}

static wasm_func_t* exported(const batch_t* batch, unsigned index) {
  return wasm_extern_as_func(batch->exports.data[index]);
}

// Twice the argument; some numbers trap, and some start a batch of the same function.
static wasm_trap_t* answer_host(batch_t* batch, int32_t argument, int32_t* result) {
  if (argument % 1009 == 7) {
    wasm_byte_vec_t message = {5, (char[]){"stop"}};
    return wasm_trap_new(batch->store, &message);
  }
  if (argument % 97 == 5 && batch->nested > 0) {
    batch->nested--;
    int32_t args[20], results[20];
    for (int32_t i = 0; i < 20; i++) args[i] = i * 97 + 300;
    size_t done = 0;
    wasm_trap_t* trap = NULL;
    // Only fuel can end it.
    if (!call_ints(exported(batch, 2), 20, args, results, &done, &trap)) {
      EXPECT_INT(wasmrt_trap_code(trap), WASMRT_TRAP_OUT_OF_FUEL);
      return trap;
    }
    EXPECT_INT(done, 20);
    EXPECT_INT(results[19], args[19] * 2 + 1);
  }
  *result = (int32_t)((uint32_t)argument * 2);
  return NULL;
}

static wasm_trap_t* host_checked(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].kind = WASM_I32;
  return answer_host(env, args->data[0].of.i32, &results->data[0].of.i32);
}

static wasm_trap_t* host_unchecked(void* env, wasmrt_raw_t* values) {
  return answer_host(env, values[0].i32, &values[0].i32);
}

static uint64_t fuel_left(const batch_t* batch) {
  uint64_t fuel = 0;
  if (batch->fuel) EXPECT(wasmrt_store_fuel(batch->store, &fuel));
  return fuel;
}

static void give_fuel(const batch_t* batch, uint64_t fuel) {
  if (batch->fuel) EXPECT(wasmrt_store_set_fuel(batch->store, fuel));
}

// One batch, and the same rows one by one.
static void compare(batch_t* batch, wasm_func_t* func) {
  size_t rows = one_in(3) ? below(20) : below(MOST_ROWS), done = SIZE_MAX;
  uint32_t first = next_u32() >> below(32), step = 1 + below(300);
  bool zeros = one_in(4);
  for (size_t i = 0; i < rows; i++) {
    ints[i] = (int32_t)(first + (uint32_t)i * step);
    if (ints[i] == 0 && !zeros) ints[i] = 1;
    int_results[i] = 0x5a5a5a5a;
  }
  uint64_t given = batch->fuel && one_in(2) ? below(50000) : UINT64_C(1) << 40;
  wasm_trap_t* trap = (wasm_trap_t*)&done;
  batch->nested = below(3);
  unsigned nested = batch->nested;
  give_fuel(batch, given);
  bool whole = call_ints(func, rows, ints, int_results, &done, &trap);
  uint64_t left = fuel_left(batch);
  EXPECT_INT(whole, done == rows);
  EXPECT_INT(whole, trap == NULL);
  wasm_trap_delete(trap);

  batch->nested = nested;
  give_fuel(batch, given);
  for (size_t i = 0; i < done; i++) {
    int32_t result = 0;
    EXPECT(call_one(func, ints[i], &result));
    EXPECT_INT(int_results[i], result);
  }
  if (whole) {
    EXPECT(fuel_left(batch) == left);
  } else {
    int32_t result;
    EXPECT(!call_one(func, ints[done], &result));
    for (size_t i = done; i < rows; i++) EXPECT_INT(int_results[i], 0x5a5a5a5a);
  }
}

static void compare_mixed(batch_t* batch) {
  static int64_t wide[MOST_ROWS], wide_results[MOST_ROWS];
  static uint32_t floats[MOST_ROWS], float_results[MOST_ROWS];
  static uint64_t doubles[MOST_ROWS], double_results[MOST_ROWS];
  size_t rows = below(MOST_ROWS), done = SIZE_MAX;
  uint32_t first = next_u32(), step = next_u32();
  for (size_t i = 0; i < rows; i++) {
    ints[i] = (int32_t)(first += step);
    wide[i] = (int64_t)(UINT64_C(0x100000001) * first);
    floats[i] = first;
    doubles[i] = UINT64_C(0x1000193) * first * first;
  }
  bool wanted = one_in(2);
  wasmrt_column_t args[] = {{WASM_I32, rows, ints},
                            {WASM_I64, rows, wide},
                            {WASM_F32, rows, floats},
                            {WASM_F64, rows, doubles}};
  wasmrt_column_t results[] = {{WASM_F64, rows, double_results},
                               {WASM_F32, rows, wanted ? float_results : NULL},
                               {WASM_I64, rows, wide_results},
                               {WASM_I32, rows, int_results}};
  give_fuel(batch, UINT64_C(1) << 40);
  EXPECT(wasmrt_func_call_batch(exported(batch, 1), rows, args, 4, results, 4, &done, NULL));
  EXPECT_INT(done, rows);
  EXPECT(memcmp(doubles, double_results, rows * sizeof *doubles) == 0);
  EXPECT(!wanted || memcmp(floats, float_results, rows * sizeof *floats) == 0);
  EXPECT(memcmp(ints, int_results, rows * sizeof *ints) == 0);
  for (size_t i = 0; i < rows; i++) EXPECT(wide_results[i] == wide[i] + 3);
}

static void refuse(batch_t* batch) {
  wasmrt_column_t arg = {WASM_I32, 10, ints}, result = {WASM_I32, 10, int_results};
  wasmrt_column_t* spoilt = one_in(2) ? &arg : &result;
  size_t done = 77, rows = 10, arg_count = 1, result_count = 1;
  switch (below(6)) {
    case 0: spoilt->kind = (wasm_valkind_t)(1 + below(255)); break;
    case 1: spoilt->size = below(10); break;
    case 2: arg.data = NULL; break;
    case 3: rows = SIZE_MAX - below(20); break;
    case 4: arg_count = one_in(2) ? 0 : 2 + next_byte(); break;
    default: result_count = one_in(2) ? 0 : 2 + next_byte();
  }
  wasm_trap_t* trap = (wasm_trap_t*)&done;
  EXPECT_REFUSED(!wasmrt_func_call_batch(exported(batch, 0), rows, &arg, arg_count, &result,
                                         result_count, &done, &trap));
  EXPECT_INT(done, 0);
  EXPECT_PTR(trap, NULL);
}

static wasm_engine_t* batch_engine(bool fuel) {
  static wasm_engine_t* engines[2];
  if (!engines[fuel]) {
    wasm_config_t* config = wasm_config_new();
    EXPECT(wasmrt_config_set_fuel(config, fuel));
    engines[fuel] = wasm_engine_new_with_config(config);
    EXPECT(engines[fuel] != NULL);
  }
  return engines[fuel];
}

void step_batch(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 8 : 16)) return;
  static wasm_byte_vec_t binary;
  if (!binary.data && !wasmrt_wat2wasm(batch_text, strlen(batch_text), &binary)) FAIL("text");
  batch_t batch = {.fuel = one_in(3)};
  batch.store = wasm_store_new(batch_engine(batch.fuel));
  give_fuel(&batch, 1000000);
  wasm_module_t* module = wasm_module_new(batch.store, &binary);
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  batch.host = one_in(2)
                   ? wasm_func_new_with_env(batch.store, type, host_checked, &batch, NULL)
                   : wasmrt_func_new_unchecked(batch.store, type, host_unchecked, &batch, NULL);
  wasm_functype_delete(type);
  wasm_extern_t* import = wasm_func_as_extern(batch.host);
  wasm_extern_vec_t imports = {1, &import};
  wasm_instance_t* instance = wasm_instance_new(batch.store, module, &imports, NULL);
  EXPECT(instance != NULL);
  wasm_instance_exports(instance, &batch.exports);
  if (!batch.fuel && one_in(2)) {
    // So many that from now on the rows are called from inside the engine.
    for (size_t i = 0; i < ROWS_THAT_PAY; i++) ints[i] = 1;
    EXPECT(call_ints(exported(&batch, 0), ROWS_THAT_PAY, ints, int_results, NULL, NULL));
  }
  for (unsigned i = 1 + below(4); i > 0; i--) {
    switch (below(7)) {
      case 0: compare_mixed(&batch); break;
      case 1: refuse(&batch); break;
      case 2: compare(&batch, batch.host); break;
      case 3: compare(&batch, exported(&batch, 0)); break;
      case 4: compare(&batch, exported(&batch, 3)); break;
      default: compare(&batch, exported(&batch, 2));
    }
  }
  wasm_extern_vec_delete(&batch.exports);
  wasm_instance_delete(instance);
  wasm_func_delete(batch.host);
  wasm_module_delete(module);
  wasm_store_delete(batch.store);
}
