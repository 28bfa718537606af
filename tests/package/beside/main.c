// A program with two Rust libraries: WebAssembly calls a host function that calls the other
// library, and traps.
#include <stdio.h>
#include <string.h>
#include <wasmrt.h>

int other_square(int number);

static const char text[] =
    "(module (import \"other\" \"square\" (func $square (param i32) (result i32)))"
    "  (func (export \"run\") (param i32) (result i32)"
    "    (i32.div_s (i32.const 4900) (call $square (local.get 0)))))";

static wasm_trap_t* square(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].of.i32 = other_square(args->data[0].of.i32);
  return NULL;
}

static void run(const wasm_func_t* func, int number) {
  wasm_val_t arguments[] = {WASM_I32_VAL(number)}, results[] = {WASM_I32_VAL(0)};
  wasm_val_vec_t argument_vec = WASM_ARRAY_VEC(arguments), result_vec = WASM_ARRAY_VEC(results);
  wasm_trap_t* trap = wasm_func_call(func, &argument_vec, &result_vec);
  if (trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    printf(" [%s]", message.data);
    wasm_byte_vec_delete(&message);
  } else {
    printf(" %d", (int)results[0].of.i32);
  }
  wasm_trap_delete(trap);
}

int main(void) {
  printf("%d %d:", other_square(-7), other_square(7));
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = WASM_EMPTY_VEC;
  wasmrt_wat2wasm(text, strlen(text), &binary);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host = wasm_func_new(store, type, square);
  wasm_extern_t* externs[] = {wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs), exports = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (instance) wasm_instance_exports(instance, &exports);
  if (exports.size == 1) {
    const wasm_func_t* func = wasm_extern_as_func(exports.data[0]);
    run(func, 7);
    run(func, 0);
    run(func, -7);
  }
  printf("\n");
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_functype_delete(type);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
