// Traps: their kinds, the exit status of a program that ends itself, and data that a host function
// passes to the caller of WebAssembly.

#include "example.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"knock\" (func $knock (param i32)))"
    "  (func $divide (export \"divide\") (param i32) (drop (i32.div_s (i32.const 1) (local.get "
    "0))))"
    "  (func $visit (export \"visit\") (param i32) (call $knock (local.get 0))))";

// Door 7 ends the program. All other doors are locked; the trap says which one it was.
static wasm_trap_t* knock(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)results;
  if (args->data[0].of.i32 == 7) return wasmrt_trap_new_exit(env, 3);
  int32_t* door = malloc(sizeof *door);
  if (!door) stop("out of memory");
  *door = args->data[0].of.i32;
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "the door is locked");
  wasm_trap_t* trap = wasmrt_trap_new_with_data(env, &message, door, free);
  wasm_name_delete(&message);
  return trap;
}

static void report(wasm_trap_t* trap) {
  wasmrt_trap_code_t code = wasmrt_trap_code(trap);
  printf("%s: ", wasmrt_trap_code_name(code));
  int32_t status = 0;
  if (code == WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO)
    printf("the guest divided by zero\n");
  else if (wasmrt_trap_exit_status(trap, &status))
    printf("ended with status %d\n", status);
  else if (wasmrt_trap_data(trap))
    printf("door %d is locked\n", *(int32_t*)wasmrt_trap_data(trap));
  else if (code == WASMRT_TRAP_ERROR) {
    printf("the call failed, %s\n", wasmrt_error_kind_name(wasmrt_trap_error_kind(trap)));
  } else
    printf("some other trap\n");

  wasm_frame_t* frame = wasm_trap_origin(trap); // where it trapped; wasmi keeps no frames
  if (frame) {
    wasm_name_t name;
    wasmrt_frame_func_name(frame, &name);
    fprintf(stderr, "  in function \"%.*s\"\n", (int)name.size, name.data);
    wasm_name_delete(&name);
    wasm_frame_delete(frame);
  }
  wasm_trap_delete(trap); // also frees its data
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_functype_t* type = wasm_functype_new_1_0(wasm_valtype_new_i32());
  wasm_func_t* host_knock = wasm_func_new_with_env(store, type, knock, store, NULL);
  wasm_functype_delete(type);
  if (!host_knock) fail("cannot create the host function");
  wasm_extern_t* externs[] = {wasm_func_as_extern(host_knock)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_func_t* divide = func_named(instance, "divide");
  wasm_func_t* visit = func_named(instance, "visit");

  const struct {
    wasm_func_t* func;
    int32_t argument;
  } calls[] = {
      {divide, 0},
      {visit, 7},
      {visit, 12},
  };
  for (size_t i = 0; i < sizeof calls / sizeof *calls; ++i) {
    wasm_val_t arguments[] = {WASM_I32_VAL(calls[i].argument)};
    wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_EMPTY_VEC;
    wasm_trap_t* trap = wasm_func_call(calls[i].func, &args, &results);
    if (!trap) stop("a call that should trap did not");
    report(trap);
  }
  // Too few arguments: nothing runs, and the trap says that the call itself was wrong.
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  report(wasm_func_call(visit, &none, &none));

  wasm_func_delete(divide);
  wasm_func_delete(visit);
  wasm_instance_delete(instance);
  wasm_func_delete(host_knock);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
