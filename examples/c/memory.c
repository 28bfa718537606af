// A module's memory is an array of bytes that C and wasm both read and write, to exchange strings
// and buffers. Shows reading, writing, growing, the limit, and what happens at an address outside.

#include "example.h"

static const char text[] =
    "(module"
    "  (memory (export \"memory\") 1 3)"
    "  (data (i32.const 16) \"a greeting kept in wasm\\00\")"
    "  (func (export \"greeting\") (result i32) (i32.const 16))"
    // sum of the bytes from `address` to `address + length`
    "  (func (export \"sum\") (param $address i32) (param $length i32) (result i32)"
    "    (local $total i32) (local $end i32)"
    "    (local.set $end (i32.add (local.get $address) (local.get $length)))"
    "    (block $done (loop $next"
    "      (br_if $done (i32.ge_u (local.get $address) (local.get $end)))"
    "      (local.set $total"
    "        (i32.add (local.get $total) (i32.load8_u (local.get $address))))"
    "      (local.set $address (i32.add (local.get $address) (i32.const 1)))"
    "      (br $next)))"
    "    (local.get $total))"
    "  (func (export \"load\") (param i32) (result i32) (i32.load (local.get 0)))"
    "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))";

// Makes a call with i32 arguments and one i32 result.
static int32_t call_i32(const wasm_func_t* func, size_t count, int32_t first, int32_t second) {
  wasm_val_t arguments[] = {WASM_I32_VAL(first), WASM_I32_VAL(second)};
  wasm_val_t answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = {count, arguments}, results = WASM_ARRAY_VEC(answers);
  call(func, &args, &results);
  return answers[0].of.i32;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_memory_t* memory = exports.size > 0 ? wasm_extern_as_memory(exports.data[0]) : NULL;
  if (!memory) stop("the module does not export its memory");
  const wasm_func_t* greeting = exported_func(&exports, 1);
  const wasm_func_t* sum = exported_func(&exports, 2);
  const wasm_func_t* load = exported_func(&exports, 3);
  const wasm_func_t* grow = exported_func(&exports, 4);
  printf("size: %u page, %zu bytes\n", wasm_memory_size(memory), wasm_memory_data_size(memory));

  // Read what wasm wrote. Do not trust an address from wasm: check it, and check that the string
  // ends inside the memory.
  size_t address = (uint32_t)call_i32(greeting, 0, 0, 0);
  const char* data = wasm_memory_data(memory);
  size_t size = wasm_memory_data_size(memory);
  if (!data || address >= size || !memchr(data + address, 0, size - address)) {
    stop("the greeting does not lie inside the memory");
  }
  printf("wasm says: %s\n", data + address);

  // Write what wasm reads.
  const char message[] = {1, 2, 3, 4, 90};
  memcpy(wasm_memory_data(memory) + 1000, message, sizeof message);
  printf("sum of the bytes C wrote: %d\n", call_i32(sum, 2, 1000, sizeof message));

  // Either side may grow the memory. That may move it, so old pointers must not be used any more.
  if (!wasm_memory_grow(memory, 1)) fail("cannot grow the memory");
  printf("grown by C to %u pages\n", wasm_memory_size(memory));
  printf("wasm grows it too, from %d pages", call_i32(grow, 1, 1, 0));
  printf(" to %u\n", wasm_memory_size(memory));
  printf("the bytes are still there: %d\n", call_i32(sum, 2, 1000, sizeof message));

  // The module declared at most 3 pages; this limits both sides.
  if (wasm_memory_grow(memory, 1)) stop("the memory grew beyond its limit");
  printf("beyond the limit C gets: false\n");
  printf("beyond the limit wasm gets: %d\n", call_i32(grow, 1, 1, 0));

  // An address outside the memory traps; it never reaches other memory.
  wasm_val_t arguments[] = {WASM_I32_VAL(3 * 65536 - 3)};
  wasm_val_t answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_trap_t* trap = wasm_func_call(load, &args, &results);
  if (!trap) stop("loading 4 bytes at 3 before the end did not trap");
  print_trap(stdout, "loading 4 bytes at 3 before the end", trap);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
