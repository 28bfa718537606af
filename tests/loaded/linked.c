// A program that is linked with an engine of another kind, and gets libwasmrt before it by LD_PRELOAD.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <wasm.h>

static const unsigned char module_bytes[] = {0, 'a', 's',  'm', 1, 0, 0, 0,    1,  5,   1, 0x60,
                                             0, 1,   0x7f, 3,   2, 1, 0, 7,    5,  1,   1, 'f',
                                             0, 0,   10,   6,   1, 4, 0, 0x41, 42, 0x0b};

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  if (!engine) return 2;
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t bytes = {sizeof module_bytes, (char*)(uintptr_t)module_bytes};
  wasm_module_t* module = wasm_module_new(store, &bytes);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC, exports;
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  if (!instance) return 3;
  wasm_instance_exports(instance, &exports);
  wasm_val_t values[1] = {WASM_INIT_VAL};
  wasm_val_vec_t arguments = WASM_EMPTY_VEC, results = WASM_ARRAY_VEC(values);
  if (wasm_func_call(wasm_extern_as_func(exports.data[0]), &arguments, &results)) return 4;
  printf("%d\n", values[0].of.i32);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return values[0].of.i32 == 42 ? 0 : 1;
}
