// Unchecked calls: the program knows the types, so values go in and out as they are.

#include "example.h"

static const char text[] =
    "(module (import \"host\" \"scale\" (func $scale (param f64 i32) (result f64)))"
    "  (func (export \"area\") (param f64 f64) (result f64)"
    "    (call $scale (f64.mul (local.get 0) (local.get 1)) (i32.const 2))))";

// The arguments are in `values`; the result takes their place.
static wasm_trap_t* scale(void* env, wasmrt_raw_t* values) {
  ++*(int*)env;
  values[0].f64 *= values[1].i32;
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  int calls = 0;
  wasm_functype_t* type =
      wasm_functype_new_2_1(wasm_valtype_new_f64(), wasm_valtype_new_i32(), wasm_valtype_new_f64());
  wasm_func_t* host = wasmrt_func_new_unchecked(store, type, scale, &calls, NULL);
  if (!host) fail("cannot create the host function");
  wasm_functype_delete(type);

  wasm_module_t* module = new_module(store, text);
  wasm_extern_t* externs[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_func_t* area = func_named(instance, "area");

  // Nothing will be checked at each call, so the type is looked at once.
  if (wasm_func_param_arity(area) != 2 || wasm_func_result_arity(area) != 1)
    stop("the function has another type");
  double sum = 0;
  for (int i = 1; i <= 1000; ++i) {
    wasmrt_raw_t values[2]; // as many as there are parameters or results, whichever are more
    values[0].f64 = i;
    values[1].f64 = 0.5;
    wasm_trap_t* trap = wasmrt_func_call_unchecked(area, values);
    if (trap) {
      print_trap(stderr, "error: the call trapped", trap);
      return 1;
    }
    sum += values[0].f64;
  }
  printf("%.0f in all, %d calls of the host\n", sum, calls);

  wasm_func_delete(area);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_func_delete(host);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
