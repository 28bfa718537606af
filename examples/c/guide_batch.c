// Calls for many rows: a function over columns, as a database calls it.

#include "example.h"

static const char text[] =
    "(module (func (export \"discount\") (param $cents i64) (param $percent i32) (result i64)"
    "  (if (i32.gt_u (local.get $percent) (i32.const 100)) (then unreachable))"
    "  (i64.div_s (i64.mul (local.get $cents)"
    "    (i64.extend_i32_u (i32.sub (i32.const 100) (local.get $percent)))) (i64.const 100))))";

enum { ROWS = 100000 };
static int64_t prices[ROWS], reduced[ROWS];
static int32_t percents[ROWS];

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* discount = func_named(instance, "discount");

  for (int i = 0; i < ROWS; ++i) {
    prices[i] = 1000 + i;
    percents[i] = i % 50;
  }
  // A column for each parameter and for each result. They say what they are and how long.
  const wasmrt_column_t args[] = {{WASM_I64, ROWS, prices}, {WASM_I32, ROWS, percents}};
  const wasmrt_column_t results[] = {{WASM_I64, ROWS, reduced}};
  if (!wasmrt_func_call_batch(discount, ROWS, args, 2, results, 1, NULL, NULL))
    fail("cannot call the function");
  printf("row 25 costs %lld\n", (long long)reduced[25]);

  // A row that traps ends the batch. What was done before is there.
  percents[1000] = 101;
  size_t done = 0;
  wasm_trap_t* trap = NULL;
  if (!wasmrt_func_call_batch(discount, ROWS, args, 2, results, 1, &done, &trap)) {
    if (!trap) fail("the columns are wrong");
    printf("%zu rows done, the next one trapped\n", done);
    print_trap(stdout, "its trap", trap);
  }

  wasm_func_delete(discount);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
