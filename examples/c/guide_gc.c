// Garbage-collected objects: made by a guest and by the host, and read by both.

#include "example.h"
#include <inttypes.h>

static const char text[] =
    "(module (type $account (struct (field (mut i64)) (field i8) (field anyref)))"
    "  (func (export \"open\") (param i64) (result (ref $account))"
    "    (struct.new $account (local.get 0) (i32.const -1) (ref.null none)))"
    "  (func (export \"move\") (param $from (ref $account)) (param $to (ref $account)) (param i64)"
    "    (struct.set $account 0 (local.get $from)"
    "      (i64.sub (struct.get $account 0 (local.get $from)) (local.get 2)))"
    "    (struct.set $account 0 (local.get $to)"
    "      (i64.add (struct.get $account 0 (local.get $to)) (local.get 2)))))";

#define ANY_VAL(x)                             \
  {                                            \
    .kind = WASMRT_ANYREF, .of = {.ref = (x) } \
  }

static wasm_val_t field(const wasm_ref_t* account, size_t index) {
  wasm_val_t value;
  if (!wasmrt_ref_get(account, index, true, &value)) fail("read a field");
  return value;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_ref_t* number = wasmrt_i31_new(store, 1234);
  if (!number) {
    // Not every engine has them.
    printf("%s\n", wasmrt_last_error_message());
    wasm_store_delete(store);
    wasm_engine_delete(engine);
    return 0;
  }
  wasm_module_t* module = new_module(store, text);
  wasm_extern_vec_t imports = WASM_EMPTY_VEC;
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_func_t* open = func_named(instance, "open");
  wasm_func_t* move = func_named(instance, "move");

  // A guest makes a struct.
  wasm_val_t balance[] = {WASM_I64_VAL(100)}, opened[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(balance), results = WASM_ARRAY_VEC(opened);
  call(open, &args, &results);
  wasm_ref_t* theirs = opened[0].of.ref;

  // The host makes another of the same type, which it gets from the function's.
  wasm_functype_t* type = wasm_func_type(open);
  const wasm_valtype_t* account = wasm_functype_results(type)->data[0];
  wasm_val_t values[] = {WASM_I64_VAL(5), WASM_I32_VAL(7), ANY_VAL(number)};
  wasm_val_vec_t fields = WASM_ARRAY_VEC(values);
  wasm_ref_t* ours = wasmrt_struct_new(store, account, &fields);
  if (!ours) fail("make a struct");
  wasm_functype_delete(type);

  wasm_val_t moved[] = {ANY_VAL(theirs), ANY_VAL(ours), WASM_I64_VAL(30)};
  wasm_val_vec_t move_args = WASM_ARRAY_VEC(moved), none = WASM_EMPTY_VEC;
  call(move, &move_args, &none);
  printf("theirs: %" PRId64 ", %" PRId32 "\n", field(theirs, 0).of.i64, field(theirs, 1).of.i32);
  printf("ours: %" PRId64 ", %" PRId32 "\n", field(ours, 0).of.i64, field(ours, 1).of.i32);
  wasm_val_t last = field(ours, 2);
  int32_t read;
  if (!wasmrt_i31_signed(last.of.ref, &read)) fail("read a small integer");
  printf("with %" PRId32 ", %s\n", read,
         wasm_ref_same(last.of.ref, number) ? "the same" : "another");
  wasm_val_delete(&last);

  // What does not fit is refused before anything runs.
  moved[1].of.ref = number;
  wasm_trap_t* trap = wasm_func_call(move, &move_args, &none);
  if (!trap) stop("a small integer is no account");
  print_trap(stdout, "refused", trap);

  wasm_ref_delete(ours);
  wasm_ref_delete(theirs);
  wasm_ref_delete(number);
  wasm_func_delete(move);
  wasm_func_delete(open);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
