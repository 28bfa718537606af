// Limits: how much a store may hold, whether the guest or the host asks for it.

#include "example.h"

static const char text[] =
    "(module (memory 1)"
    "  (func (export \"grow\") (param $pages i32) (result i32) (memory.grow (local.get $pages))))";

static wasm_trap_t* grow(const wasm_func_t* func, int32_t pages) {
  wasm_val_t arguments[] = {WASM_I32_VAL(pages)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_trap_t* trap = wasm_func_call(func, &args, &results);
  if (!trap) printf("growing by %d pages gives %d\n", pages, answers[0].of.i32);
  return trap;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  if (!wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 10 * MEMORY_PAGE_SIZE) ||
      !wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_INSTANCES, 1))
    fail("cannot set a limit");
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* func = func_named(instance, "grow");

  // To a guest, the limit looks like a memory's own maximum.
  if (grow(func, 4) || grow(func, 6)) stop("growth trapped");
  uint64_t bytes = 0;
  if (!wasmrt_store_usage(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, &bytes)) fail("cannot get usage");
  printf("%d pages in use\n", (int)(bytes / MEMORY_PAGE_SIZE));

  // Many programs ignore the result of growing: then a trap is clearer.
  if (!wasmrt_store_set_growth_trap(store, true)) fail("cannot choose traps");
  wasm_trap_t* trap = grow(func, 6);
  if (!trap || wasmrt_trap_code(trap) != WASMRT_TRAP_MEMORY_LIMIT) stop("no such trap");
  print_trap(stdout, "growing by 6 pages", trap);

  // Objects that the host makes count too. The error names the limit.
  wasm_limits_t pages = {6, 6};
  wasm_memorytype_t* type = wasm_memorytype_new(&pages);
  if (!type) fail("cannot create the type of a memory");
  if (wasm_memory_new(store, type)) stop("a memory beyond the limit");
  wasm_memorytype_delete(type);
  printf("a memory of the host: %s\n", wasmrt_last_error_message());
  const wasm_extern_vec_t none = WASM_EMPTY_VEC;
  if (wasm_instance_new(store, module, &none, NULL)) stop("an instance beyond the limit");
  printf("another instance: %s\n", wasmrt_last_error_message());
  if (wasmrt_last_error_kind() != WASMRT_ERROR_LIMIT) stop("the error is of another kind");

  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
