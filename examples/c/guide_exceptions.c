// Exceptions: thrown by the host and caught by a guest, and the other way round.

#include "example.h"
#include <inttypes.h>

static const char text[] =
    "(module (import \"host\" \"not found\" (tag $not_found (param i32)))"
    "  (import \"host\" \"find\" (func $find (param i32) (result i32)))"
    "  (func (export \"find or zero\") (param i32) (result i32)"
    "    (block $missing (result i32)"
    "      (try_table (result i32) (catch $not_found $missing) (call $find (local.get 0)))"
    "      (return))"
    "    (drop) (i32.const 0))"
    "  (func (export \"find\") (param i32) (result i32) (call $find (local.get 0))))";

typedef struct {
  wasm_store_t* store;
  wasm_extern_t* not_found;
} host_t;

// Knows even numbers only.
static wasm_trap_t* find(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  const host_t* host = env;
  int32_t key = args->data[0].of.i32;
  if (key % 2 == 0) {
    results->data[0] = (wasm_val_t)WASM_I32_VAL(key / 2);
    return NULL;
  }
  wasm_val_t value[] = {WASM_I32_VAL(key)};
  wasm_val_vec_t values = WASM_ARRAY_VEC(value);
  return wasmrt_exception_new(host->store, host->not_found, &values);
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  host_t host = {new_store(engine), NULL};
  wasm_valtype_t* params[] = {wasm_valtype_new_i32()};
  wasm_valtype_vec_t values, none = WASM_EMPTY_VEC;
  wasm_valtype_vec_new(&values, 1, params);
  wasm_tagtype_t* tag_type = wasm_tagtype_new(wasm_functype_new(&values, &none));
  host.not_found = wasmrt_tag_new(host.store, tag_type);
  wasm_tagtype_delete(tag_type);
  if (!host.not_found) {
    // Not every engine has exceptions.
    printf("%s\n", wasmrt_last_error_message());
    wasm_store_delete(host.store);
    wasm_engine_delete(engine);
    return 0;
  }

  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* func = wasm_func_new_with_env(host.store, type, find, &host, NULL);
  wasm_functype_delete(type);
  wasm_module_t* module = new_module(host.store, text);
  wasm_extern_t* externs[] = {host.not_found, wasm_func_as_extern(func)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(host.store, module, &imports);

  // The guest catches what the host throws.
  wasm_func_t* find_or_zero = func_named(instance, "find or zero");
  for (int32_t key = 7; key <= 8; ++key) {
    wasm_val_t argument[] = {WASM_I32_VAL(key)}, found[] = {WASM_INIT_VAL};
    wasm_val_vec_t args = WASM_ARRAY_VEC(argument), results = WASM_ARRAY_VEC(found);
    call(find_or_zero, &args, &results);
    printf("%" PRId32 ": %" PRId32 "\n", key, found[0].of.i32);
  }

  // What nobody catches comes back as a trap.
  wasm_func_t* plain = func_named(instance, "find");
  wasm_val_t argument[] = {WASM_I32_VAL(9)}, found[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(argument), results = WASM_ARRAY_VEC(found);
  wasm_trap_t* trap = wasm_func_call(plain, &args, &results);
  wasm_extern_t* tag = trap ? wasmrt_trap_exception_tag(trap) : NULL;
  wasm_val_vec_t carried;
  if (!tag || !wasm_extern_same(tag, host.not_found) ||
      !wasmrt_trap_exception_values(trap, &carried))
    stop("this is not the exception");
  printf("%" PRId32 " was not found\n", carried.data[0].of.i32);
  wasm_val_vec_delete(&carried);
  wasm_extern_delete(tag);
  wasm_trap_delete(trap);

  wasm_func_delete(plain);
  wasm_func_delete(find_or_zero);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_func_delete(func);
  wasm_extern_delete(host.not_found);
  wasm_store_delete(host.store);
  wasm_engine_delete(engine);
  return 0;
}
