// Globals are single typed values, constant or variable, that C and wasm share. Either C creates
// them and the module imports them, or the module creates and exports them. Both see every change
// at once.

#include "example.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"factor\" (global $factor f64))"
    "  (import \"host\" \"counter\" (global $counter (mut i64)))"
    "  (global (export \"limit\") i32 (i32.const 100))"
    "  (global $level (export \"level\") (mut f32) (f32.const 0.5))"
    "  (export \"counter\" (global $counter))"
    "  (func (export \"scale\") (param f64) (result f64)"
    "    (global.set $counter (i64.add (global.get $counter) (i64.const 1)))"
    "    (f64.mul (local.get 0) (global.get $factor)))"
    "  (func (export \"raise\")"
    "    (global.set $level (f32.mul (global.get $level) (f32.const 2)))))";

// Creates a global of this type, starting with this value.
static wasm_global_t* new_global(wasm_store_t* store, wasm_mutability_t mutability,
                                 const wasm_val_t* value) {
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new(value->kind), mutability);
  if (!type) fail("cannot create the type of a global");
  wasm_global_t* global = wasm_global_new(store, type, value);
  wasm_globaltype_delete(type);
  if (!global) fail("cannot create a global");
  return global;
}

static wasm_val_t get(const wasm_global_t* global) {
  wasm_val_t value;
  wasm_global_get(global, &value);
  return value; // a number: nothing to release
}

// wasm_global_set returns nothing: the last error shows whether it was refused.
static bool set(wasm_global_t* global, const wasm_val_t* value) {
  wasmrt_last_error_clear();
  wasm_global_set(global, value);
  return wasmrt_last_error_kind() == WASMRT_ERROR_NONE;
}

static wasm_global_t* exported_global(const wasm_extern_vec_t* exports, size_t index) {
  wasm_global_t* global =
      index < exports->size ? wasm_extern_as_global(exports->data[index]) : NULL;
  if (!global) stop("the module does not export this global");
  return global;
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  wasm_val_t half = WASM_F64_VAL(0.5), forty = WASM_I64_VAL(40);
  wasm_global_t* factor = new_global(store, WASM_CONST, &half);
  wasm_global_t* counter = new_global(store, WASM_VAR, &forty);

  wasm_extern_t* externs[] = {wasm_global_as_extern(factor), wasm_global_as_extern(counter)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_global_t* limit = exported_global(&exports, 0);
  wasm_global_t* level = exported_global(&exports, 1);
  const wasm_func_t* scale = exported_func(&exports, 3);
  const wasm_func_t* raise_level = exported_func(&exports, 4);

  printf("limit %d, level %g, counter %lld\n", get(limit).of.i32, get(level).of.f32,
         (long long)get(counter).of.i64);

  // wasm reads the constant and increments the variable that C created.
  wasm_val_t arguments[] = {WASM_F64_VAL(7)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  call(scale, &args, &results);
  printf("scale(7) = %g, counter %lld\n", answers[0].of.f64, (long long)get(counter).of.i64);

  // C sets new values; wasm continues from them.
  wasm_val_t eight = WASM_F32_VAL(8), thousand = WASM_I64_VAL(1000);
  if (!set(level, &eight)) fail("cannot set the level");
  if (!set(counter, &thousand)) fail("cannot set the counter");
  call(raise_level, NULL, NULL);
  call(scale, &args, &results);
  printf("level %g, counter %lld\n", get(level).of.f32, (long long)get(counter).of.i64);

  // A constant cannot be set, nor can a variable be set to a value of another kind.
  wasm_val_t number = WASM_I32_VAL(1);
  if (set(limit, &number) || set(level, &number)) stop("a wrong value was accepted");
  printf("refused: limit %d, level %g\n", get(limit).of.i32, get(level).of.f32);

  // The re-exported counter is the one that C created: the same object, through another handle.
  printf("same counter: %s, limit and level: %s\n",
         wasm_global_same(counter, exported_global(&exports, 2)) ? "yes" : "no",
         wasm_global_same(limit, level) ? "yes" : "no");

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_global_delete(counter);
  wasm_global_delete(factor);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
