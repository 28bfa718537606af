// Two threads use one store at the same time, which is against the contract: ThreadSanitizer has to
// see it, inside the library (see CMakeLists.txt).
#include <pthread.h>
#include <wasm.h>

static void* set(void* global) {
  wasm_val_t value = WASM_I32_VAL(7);
  wasm_global_set(global, &value);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_VAR);
  wasm_val_t value = WASM_I32_VAL(0);
  wasm_global_t* global = wasm_global_new(store, type, &value);
  pthread_t threads[2];
  for (int i = 0; i < 2; i++) {
    if (pthread_create(&threads[i], NULL, set, global) != 0) return 1;
  }
  for (int i = 0; i < 2; i++) pthread_join(threads[i], NULL);
  wasm_global_delete(global);
  wasm_globaltype_delete(type);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
