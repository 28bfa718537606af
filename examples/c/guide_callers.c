// Callers: one host function that works on the memory of whichever instance calls it.

#include "example.h"

#define NAME(text) (text), strlen(text)

// Two programs, each with a memory of its own.
static const char program_format[] =
    "(module"
    "  (import \"host\" \"print\" (func $print (param i32 i32)))"
    "  (memory (export \"memory\") 1)"
    "  (data (i32.const 8) \"%s\")"
    "  (func (export \"run\") (call $print (i32.const 8) (i32.const 5))))";

// The data of the store: what all callbacks in it share.
typedef struct log_t {
  const char* prefix;
  int lines;
} log_t;

static void end_log(void* data) {
  printf("%d lines\n", ((log_t*)data)->lines);
}

static wasm_trap_t* print(void* env, const wasmrt_caller_t* caller, const wasm_val_vec_t* args,
                          wasm_val_vec_t* results) {
  (void)env;
  (void)results;
  wasm_store_t* store = wasmrt_caller_store(caller);
  log_t* log = wasmrt_store_data(store);
  log->lines++;
  // The addresses are a guest's: nothing is read before they were compared with the size.
  size_t size = 0;
  const char* memory = wasmrt_caller_memory(caller, &size);
  uint32_t address = (uint32_t)args->data[0].of.i32, length = (uint32_t)args->data[1].of.i32;
  if (!memory || address > size || length > size - address) {
    printf("%snothing: %s\n", log->prefix, memory ? "beyond the memory" : "no memory");
    return NULL;
  }
  printf("%s%.*s\n", log->prefix, (int)length, memory + address);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  log_t log = {"guest: ", 0};
  if (!wasmrt_store_set_data(store, &log, end_log)) fail("cannot set the store's data");

  wasmrt_linker_t* linker = wasmrt_linker_new(store);
  if (!linker) fail("cannot create the linker");
  wasm_functype_t* type = wasm_functype_new_2_0(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  if (!wasmrt_linker_define_func_with_caller(linker, NAME("host"), NAME("print"), type, print, NULL,
                                             NULL))
    fail("cannot define the host function");
  wasm_functype_delete(type);

  static const char* const words[] = {"hello", "world"};
  for (int i = 0; i < 2; ++i) {
    char text[sizeof program_format + 8];
    snprintf(text, sizeof text, program_format, words[i]);
    wasm_module_t* program = new_module(store, text);
    // Found once, for all instances of the module.
    size_t run_position;
    if (!wasmrt_module_export_index(program, NAME("run"), &run_position))
      stop("the program exports no \"run\"");
    wasm_instance_t* instance = wasmrt_linker_instantiate(linker, program, NULL);
    if (!instance) fail("cannot instantiate the program");
    wasm_extern_t* run = wasmrt_instance_export_at(instance, run_position);
    call(wasm_extern_as_func(run), NULL, NULL);
    wasm_extern_delete(run);
    wasm_instance_delete(instance);
    wasm_module_delete(program);
  }

  // The host is no instance: there is no memory then.
  wasm_extern_t* defined = wasmrt_linker_get(linker, NAME("host"), NAME("print"));
  wasm_val_t values[2] = {WASM_I32_VAL(8), WASM_I32_VAL(5)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(values);
  call(wasm_extern_as_func(defined), &args, NULL);
  wasm_extern_delete(defined);

  wasmrt_linker_delete(linker);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
