// Choosing the engine: the program lists the backends, and runs a module on each.

#include "example.h"

static const char text[] =
    "(module (func (export \"twice\") (param i32) (result i32)"
    "  (i32.mul (local.get 0) (i32.const 2))))";

// Runs the module on one backend. Every step is checked; `fail` prints the library's last error.
static int32_t twice(const char* backend, int32_t number) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_backend(config, backend)) fail("cannot choose the backend");
  wasm_engine_t* engine = wasm_engine_new_with_config(config); // takes the configuration
  if (!engine) fail("cannot create the engine");
  fprintf(stderr, "running on %s %s\n", backend, wasmrt_backend_version(backend));
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* func = func_named(instance, "twice");

  wasm_val_t arguments[] = {WASM_I32_VAL(number)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  call(func, &args, &results);

  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return answers[0].of.i32;
}

int main(void) {
  for (size_t i = 0; i < wasmrt_backend_count(); ++i) {
    const char* backend = wasmrt_backend_name(i);
    if (twice(backend, 21) != 42) stop("an engine cannot multiply");
    // A program can ask what a backend supports before it makes an engine.
    fprintf(stderr, "  pooling: %s, exceptions: %s\n",
            wasmrt_backend_supports(backend, WASMRT_SETTING_POOLING) ? "yes" : "no",
            wasmrt_backend_supports_proposal(backend, WASMRT_PROPOSAL_EXCEPTIONS) ? "yes" : "no");
  }
  printf("twice 21 is 42 on every backend\n");

  // An unknown name is refused at once; the message lists the backends.
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_backend(config, "abacus")) {
    printf("refused: abacus\n");
    fprintf(stderr, "%s\n", wasmrt_last_error_message());
  }
  wasm_config_delete(config);
  return 0;
}
