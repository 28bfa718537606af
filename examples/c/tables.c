// A table is an array of references, here to functions: WebAssembly's way to call through a
// pointer. C and wasm both read, fill and grow it. A slot can hold any function, including a host
// function.

#include "example.h"

static const char text[] =
    "(module"
    "  (type $operation (func (param i32) (result i32)))"
    "  (table (export \"operations\") 3 6 funcref)"
    "  (func $double (type $operation) (i32.mul (local.get 0) (i32.const 2)))"
    "  (func $square (type $operation) (i32.mul (local.get 0) (local.get 0)))"
    "  (func $two (result i32) (i32.const 2))"
    "  (elem (i32.const 0) $double $square)"
    "  (func (export \"apply\") (param $slot i32) (param $value i32) (result i32)"
    "    (call_indirect (type $operation) (local.get $value) (local.get $slot)))"
    "  (export \"square\" (func $square))"
    "  (export \"two\" (func $two)))";

static wasm_trap_t* negate(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0] = (wasm_val_t)WASM_I32_VAL(-args->data[0].of.i32);
  return NULL;
}

// Applies the operation in this slot to this value, in wasm, and prints the result or trap.
static void apply(const wasm_func_t* func, int32_t slot, int32_t value) {
  wasm_val_t arguments[] = {WASM_I32_VAL(slot), WASM_I32_VAL(value)};
  wasm_val_t answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  wasm_trap_t* trap = wasm_func_call(func, &args, &results);
  printf("slot %d of %d", slot, value);
  if (trap)
    print_trap(stdout, "", trap);
  else
    printf(": %d\n", answers[0].of.i32);
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_table_t* table = exports.size > 0 ? wasm_extern_as_table(exports.data[0]) : NULL;
  if (!table) stop("the module does not export its table");
  const wasm_func_t* apply_func = exported_func(&exports, 1);
  wasm_func_t* square = exported_func(&exports, 2);
  wasm_func_t* two = exported_func(&exports, 3);

  printf("%u slots\n", wasm_table_size(table));
  apply(apply_func, 0, 9);
  apply(apply_func, 1, 9);
  apply(apply_func, 2, 9); // an empty slot
  apply(apply_func, 3, 9); // no such slot

  // Reading returns an owned reference, or NULL for an empty slot. It is the exported function
  // itself.
  wasm_ref_t* reference = wasm_table_get(table, 1);
  if (!reference) fail("cannot read slot 1");
  printf("slot 1 is the exported square: %s\n",
         wasm_func_same(wasm_ref_as_func(reference), square) ? "yes" : "no");
  wasm_ref_delete(reference);

  // Filling does not take ownership of the reference. wasm_func_as_ref returns a view.
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* host_negate = wasm_func_new(store, type, negate);
  wasm_functype_delete(type);
  if (!host_negate) fail("cannot create the host function");
  if (!wasm_table_set(table, 2, wasm_func_as_ref(host_negate))) fail("cannot fill slot 2");
  apply(apply_func, 2, 9);

  // Each indirect call checks the type: this function has no parameter.
  if (!wasm_table_set(table, 0, wasm_func_as_ref(two))) fail("cannot fill slot 0");
  apply(apply_func, 0, 9);
  if (!wasm_table_set(table, 0, NULL)) fail("cannot empty slot 0");
  apply(apply_func, 0, 9);

  // Growing fills the new slots. The module declared at most 6.
  if (!wasm_table_grow(table, 2, wasm_func_as_ref(square))) fail("cannot grow the table");
  printf("%u slots\n", wasm_table_size(table));
  apply(apply_func, 4, 7);
  if (wasm_table_grow(table, 2, NULL)) stop("the table grew beyond its maximum");
  if (wasm_table_set(table, 5, NULL)) stop("a slot outside of the table was set");
  printf("beyond the limits: refused\n");

  wasm_func_delete(host_negate);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
