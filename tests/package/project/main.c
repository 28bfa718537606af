// What a program outside this tree does with libwasmrt: asks for its version, then adds two numbers on each engine.
#include <stdio.h>
#include <wasmrt.h>

static const char text[] =
    "(module (func (export \"add\") (param i32 i32) (result i32)"
    "  (i32.add (local.get 0) (local.get 1))))";

// 2 + 3 on the engine called `backend`; -1 when anything fails
static int add_on(const char* backend) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_backend(config, backend)) {
    wasm_config_delete(config);
    return -1;
  }
  int sum = -1;
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = WASM_EMPTY_VEC;
  wasmrt_wat2wasm(text, sizeof(text) - 1, &binary);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  wasm_extern_vec_t exports = WASM_EMPTY_VEC;
  if (instance) wasm_instance_exports(instance, &exports);
  if (exports.size == 1) {
    wasm_val_t arguments[] = {WASM_I32_VAL(2), WASM_I32_VAL(3)};
    wasm_val_t results[] = {WASM_INIT_VAL};
    wasm_val_vec_t argument_vec = WASM_ARRAY_VEC(arguments);
    wasm_val_vec_t result_vec = WASM_ARRAY_VEC(results);
    wasm_trap_t* trap =
        wasm_func_call(wasm_extern_as_func(exports.data[0]), &argument_vec, &result_vec);
    if (!trap) sum = results[0].of.i32;
    wasm_trap_delete(trap);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return sum;
}

int main(void) {
  printf("wasmrt %s", wasmrt_version());
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    const char* backend = wasmrt_backend_name(i);
    printf(", %d on %s", add_on(backend), backend);
  }
  printf("\n");
  return 0;
}
