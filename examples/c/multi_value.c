// A function may have several results, whether it is a WebAssembly or a host function. They are
// passed as a vector, like the arguments.

#include "example.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"divide\" (func $divide (param i32 i32) (result i32 i32)))"
    // quotient and remainder from the host, then their sum and the quotient as a float
    "  (func (export \"report\") (param i32 i32) (result i32 i32 i64 f64)"
    "    (local $quotient i32) (local $remainder i32)"
    "    (call $divide (local.get 0) (local.get 1))"
    "    (local.set $remainder)"
    "    (local.set $quotient)"
    "    (local.get $quotient)"
    "    (local.get $remainder)"
    "    (i64.extend_i32_s (i32.add (local.get $quotient) (local.get $remainder)))"
    "    (f64.convert_i32_s (local.get $quotient)))"
    "  (func (export \"swap\") (param i32 i64 f32 f64) (result f64 f32 i64 i32)"
    "    (local.get 3) (local.get 2) (local.get 1) (local.get 0)))";

// Writes one value for each declared result. They are checked: a wrong kind would trap.
static wasm_trap_t* divide(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  div_t answer = div(args->data[0].of.i32, args->data[1].of.i32);
  results->data[0] = (wasm_val_t)WASM_I32_VAL(answer.quot);
  results->data[1] = (wasm_val_t)WASM_I32_VAL(answer.rem);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  wasm_functype_t* type = wasm_functype_new_2_2(wasm_valtype_new_i32(), wasm_valtype_new_i32(),
                                                wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host_divide = wasm_func_new(store, type, divide);
  wasm_functype_delete(type);
  if (!host_divide) fail("cannot create the host function");

  wasm_extern_t* externs[] = {wasm_func_as_extern(host_divide)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  const wasm_func_t* report = exported_func(&exports, 0);
  const wasm_func_t* swap = exported_func(&exports, 1);
  printf("report takes %zu values and gives %zu\n", wasm_func_param_arity(report),
         wasm_func_result_arity(report));

  // The caller provides room for the results, which may be uninitialised.
  wasm_val_t numbers[] = {WASM_I32_VAL(47), WASM_I32_VAL(5)};
  wasm_val_t four[4];
  wasm_val_vec_t args = WASM_ARRAY_VEC(numbers), results = WASM_ARRAY_VEC(four);
  call(report, &args, &results);
  printf("47 by 5: %d, remainder %d, sum %lld, as float %.1f\n", four[0].of.i32, four[1].of.i32,
         (long long)four[2].of.i64, four[3].of.f64);

  wasm_val_t mixed[] = {WASM_I32_VAL(1), WASM_I64_VAL(2000000000000), WASM_F32_VAL(0.25f),
                        WASM_F64_VAL(-1e100)};
  wasm_val_vec_t mixed_args = WASM_ARRAY_VEC(mixed);
  call(swap, &mixed_args, &results);
  printf("swapped: %g, %g, %lld, %d\n", four[0].of.f64, four[1].of.f32, (long long)four[2].of.i64,
         four[3].of.i32);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host_divide);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
