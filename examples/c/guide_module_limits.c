// Limits of modules: a module that is too big is refused before compiling takes time and memory.

#include "example.h"

static void compile(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(text, strlen(text), &binary)) fail("cannot read the text");
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  if (module)
    printf("compiled\n");
  else if (wasmrt_last_error_kind() == WASMRT_ERROR_LIMIT) {
    printf("too big: %s\n", wasmrt_last_error_message());
  } else {
    fail("cannot compile the module");
  }
  wasm_module_delete(module);
}

int main(void) {
  const struct {
    wasmrt_module_limit_t limit;
    uint64_t value;
  } limits[] = {
      {WASMRT_MODULE_LIMIT_BYTES, 200},         {WASMRT_MODULE_LIMIT_FUNCTIONS, 2},
      {WASMRT_MODULE_LIMIT_TYPES, 2},           {WASMRT_MODULE_LIMIT_LOCALS, 100},
      {WASMRT_MODULE_LIMIT_FUNCTION_BYTES, 20},
  };
  wasm_config_t* config = wasm_config_new();
  for (size_t i = 0; i < sizeof limits / sizeof *limits; ++i) {
    if (!wasmrt_config_set_module_limit(config, limits[i].limit, limits[i].value)) {
      fail("cannot set a limit");
    }
  }
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);

  compile(store, "(module (func) (func (param i32)))");
  compile(store, "(module (func) (func) (func))");
  compile(store, "(module (type (func)) (type (func (param i32))) (type (func (param i64))))");
  compile(store,
          "(module (func (local i64 i64)) (func"
          "  nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop nop))");
  compile(store,
          "(module (memory 1) (data (i32.const 0)"
          "  \"0123456789012345678901234567890123456789012345678901234567890123456789\""
          "  \"0123456789012345678901234567890123456789012345678901234567890123456789\""
          "  \"0123456789012345678901234567890123456789012345678901234567890123456789\"))");

  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
