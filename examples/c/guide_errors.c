// Errors: what went wrong, of what kind, and where in the module.

#include "example.h"

static const char invalid[] =
    "(module (func nop) (func $sum (param i32 i64) (result i32)"
    "  (i32.add (local.get 0) (local.get 1))))";

static const char demanding[] =
    "(module"
    "  (import \"clock\" \"now\" (func (result i64)))"
    "  (import \"env\" \"memory\" (memory 1))"
    "  (import \"env\" \"log\" (func (param i32))))";

static wasm_trap_t* now(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(0);
  return NULL;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);

  // An invalid module: the kind is for the program, the message for people. It names the function;
  // the offset counts bytes of the binary.
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(invalid, strlen(invalid), &binary)) fail("cannot read the text");
  if (wasm_module_new(store, &binary)) stop("an invalid module was compiled");
  wasm_byte_vec_delete(&binary);
  uint64_t offset = 0;
  if (wasmrt_last_error_kind() == WASMRT_ERROR_COMPILE && wasmrt_last_error_offset(&offset)) {
    printf("error of compilation at byte %d\n", (int)offset);
  }
  fprintf(stderr, "%s\n", wasmrt_last_error_message());

  // Imports that do not match: one line for each. Here the first has the wrong type, the second is
  // NULL, and the third is missing.
  wasm_functype_t* type = wasm_functype_new_0_1(wasm_valtype_new_i32());
  wasm_func_t* host_now = wasm_func_new(store, type, now);
  wasm_functype_delete(type);
  if (!host_now) fail("cannot create the host function");
  wasm_extern_t* externs[] = {wasm_func_as_extern(host_now), NULL};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_module_t* module = new_module(store, demanding);
  if (wasm_instance_new(store, module, &imports, NULL)) stop("this cannot be instantiated");
  printf("error of kind \"%s\"\n", wasmrt_error_kind_name(wasmrt_last_error_kind()));
  printf("%s\n", wasmrt_last_error_message());

  // Success does not clear the last error: it stays until the program clears it.
  wasm_module_delete(new_module(store, "(module)"));
  printf("still there: %s\n", wasmrt_last_error_kind() == WASMRT_ERROR_LINK ? "yes" : "no");
  wasmrt_last_error_clear();
  printf("cleared: %s\n", wasmrt_last_error_message() ? "no" : "yes");

  wasm_func_delete(host_now);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
