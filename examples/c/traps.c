// A trap ends a call at once, in WebAssembly or in a host function. The caller gets an object with
// a message and, if the engine keeps one, a backtrace. The instance remains usable.

#include "example.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"withdraw\" (func $withdraw (param i32) (result i32)))"
    "  (memory 1)"
    "  (func $fail unreachable)"
    "  (func $middle (param i32) (if (i32.gt_s (local.get 0) (i32.const 3)) (then (call $fail))))"
    "  (func (export \"nested\") (param i32) (result i32) (call $middle (local.get 0)) (i32.const "
    "0))"
    "  (func (export \"divide\") (param i32) (result i32)"
    "    (i32.div_s (i32.const 100) (local.get 0)))"
    "  (func (export \"load\") (param i32) (result i32) (i32.load (local.get 0)))"
    "  (func (export \"truncate\") (param i32) (result i32)"
    "    (i32.trunc_f32_s (f32.div (f32.const 0) (f32.convert_i32_s (local.get 0)))))"
    "  (func $recurse (export \"recurse\") (param i32) (result i32)"
    "    (i32.add (i32.const 1) (call $recurse (local.get 0))))"
    "  (func (export \"withdraw\") (param i32) (result i32) (call $withdraw (local.get 0))))";

// The host function's env. It includes the store, which is needed to create a trap.
struct account {
  wasm_store_t* store;
  int32_t balance;
};

// A host function refuses by returning a trap with its own message. The trap passes through all
// wasm frames to the caller of wasm.
static wasm_trap_t* withdraw(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  struct account* account = env;
  int32_t amount = args->data[0].of.i32;
  if (amount > account->balance) {
    char reason[80];
    snprintf(reason, sizeof reason, "%d asked, %d there", amount, account->balance);
    wasm_message_t message;
    wasm_name_new_from_string_nt(&message, reason);
    wasm_trap_t* trap = wasm_trap_new(account->store, &message);
    wasm_name_delete(&message);
    return trap;
  }
  account->balance -= amount;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(account->balance);
  return NULL;
}

// Prints the frames, innermost first. wasm.h numbers functions, imported ones first. Some engines
// keep no backtrace (wasmi does not), so it goes to stderr, which is not compared between engines.
static void print_frames(const wasm_trap_t* trap, const wasm_instance_t* instance) {
  wasm_frame_t* origin = wasm_trap_origin(trap);
  if (!origin) return;
  fprintf(stderr, "  raised in function %u\n", wasm_frame_func_index(origin));
  wasm_frame_delete(origin);
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  for (size_t i = 0; i < frames.size && i < 8; ++i) {
    const wasm_frame_t* frame = frames.data[i];
    fprintf(
        stderr, "    function %u + %zu, at byte %zu of %s\n", wasm_frame_func_index(frame),
        wasm_frame_func_offset(frame), wasm_frame_module_offset(frame),
        wasm_instance_same(wasm_frame_instance(frame), instance) ? "our module" : "another module");
  }
  if (frames.size > 8) fprintf(stderr, "    and %zu more\n", frames.size - 8);
  wasm_frame_vec_delete(&frames);
}

static void try(const wasm_instance_t* instance, const wasm_func_t* func, const char* name,
                int32_t argument) {
  wasm_val_t arguments[] = {WASM_I32_VAL(argument)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_trap_t* trap = wasm_func_call(func, &args, &results);
  printf("%s(%d): ", name, argument);
  if (trap) {
    fprintf(stderr, "%s(%d) trapped\n", name, argument);
    print_frames(trap, instance);
    print_trap(stdout, "trap", trap);
  } else {
    printf("%d\n", answers[0].of.i32);
  }
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  // The last argument is NULL for no finalizer: the account outlives the function.
  struct account account = {store, 100};
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host_withdraw = wasm_func_new_with_env(store, type, withdraw, &account, NULL);
  wasm_functype_delete(type);
  if (!host_withdraw) fail("cannot create the host function");

  wasm_extern_t* externs[] = {wasm_func_as_extern(host_withdraw)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);

  // Calls each function with an argument that works and one that traps, if there are both.
  const struct {
    const char* name;
    size_t count;
    int32_t arguments[3];
  } attempts[] = {
      {"nested", 2, {3, 4}},   {"divide", 2, {7, 0}}, {"load", 3, {0, 65533, -1}},
      {"truncate", 2, {1, 0}}, {"recurse", 1, {0}},   {"withdraw", 3, {70, 70, 30}},
  };
  for (size_t i = 0; i < sizeof attempts / sizeof *attempts; ++i) {
    for (size_t j = 0; j < attempts[i].count; ++j) {
      try(instance, exported_func(&exports, i), attempts[i].name, attempts[i].arguments[j]);
    }
  }

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host_withdraw);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
