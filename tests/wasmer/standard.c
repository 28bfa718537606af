// A program for the standard, to be linked with any implementation of it: calls a host function from a guest.
#include <stdio.h>
#include <string.h>

#include "wasm.h"

static wasm_trap_t* add_one(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  ++*(int*)env;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(arguments->data[0].of.i32 + 1);
  return NULL;
}

int main(void) {
  // (module (import "" "f" (func (param i32) (result i32)))
  //   (func (export "run") (param i32) (result i32) (call 0 (i32.mul (local.get 0) (i32.const 2)))))
  static const char bytes[] =
      "\0asm\1\0\0\0\1\6\1\140\1\177\1\177\2\6\1\0\1f\0\0\3\2\1\0\7\7\1\3run\0\1\12\13\1\11\0\40\0"
      "\101\2\154\20\0\13";
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary;
  wasm_byte_vec_new(&binary, sizeof bytes - 1, bytes);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  if (!module) return printf("no module\n"), 1;
  int calls = 0;
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* func = wasm_func_new_with_env(store, type, add_one, &calls, NULL);
  wasm_extern_t* imports[] = {wasm_func_as_extern(func)};
  wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = wasm_instance_new(store, module, &import_vec, &trap);
  if (!instance) return printf("no instance\n"), 1;
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t arguments[] = {WASM_I32_VAL(20)}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t argument_vec = WASM_ARRAY_VEC(arguments), result_vec = WASM_ARRAY_VEC(results);
  trap = wasm_func_call(wasm_extern_as_func(exports.data[0]), &argument_vec, &result_vec);
  if (trap) return printf("trapped\n"), 1;
  printf("%d after %d call\n", (int)results[0].of.i32, calls);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(func);
  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
