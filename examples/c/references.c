// C objects pass through WebAssembly as external references, which wasm can store and pass on but
// not look into. An object carries its C data as host info; a finalizer runs when the object is
// freed.

#include "example.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"inspect\" (func $inspect (param externref) (result externref)))"
    "  (global $kept (export \"kept\") (mut externref) (ref.null extern))"
    "  (table $shelf (export \"shelf\") 3 externref)"
    "  (func (export \"keep\") (param externref) (global.set $kept (local.get 0)))"
    "  (func (export \"put\") (param i32 externref)"
    "    (table.set $shelf (local.get 0) (local.get 1)))"
    "  (func (export \"show\") (param externref) (result externref)"
    "    (call $inspect (local.get 0))))";

static int finalized = 0;

static void finalize(void* info) {
  ++finalized;
  free(info);
}

// A foreign object is empty; C uses it for its own purposes. Its host info is what it represents.
static wasm_foreign_t* new_object(wasm_store_t* store, const char* name) {
  wasm_foreign_t* object = wasm_foreign_new(store);
  char* info = malloc(strlen(name) + 1);
  if (!object || !info) fail("cannot create a foreign object");
  strcpy(info, name);
  wasm_foreign_set_host_info_with_finalizer(object, info, finalize);
  return object;
}

// Returns the host info of the reference's object. A function has none unless it was set.
static const char* info_of(const wasm_ref_t* reference) {
  if (!reference) return "null";
  const char* info = wasm_ref_get_host_info(reference);
  return info ? info : "nothing";
}

// Arguments are borrowed: a callback must copy what it returns or keeps.
static wasm_trap_t* inspect(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  printf("  inspect sees %s\n", info_of(args->data[0].of.ref));
  wasm_val_copy(&results->data[0], &args->data[0]);
  return NULL;
}

// Passes a reference through wasm to the host function and back. The caller owns the result.
static wasm_ref_t* show(const wasm_func_t* func, wasm_ref_t* reference) {
  wasm_val_t arguments[] = {WASM_REF_VAL(reference)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  call(func, &args, &results);
  return answers[0].of.ref;
}

static void print_same(const char* what, const wasm_ref_t* one, const wasm_ref_t* other) {
  printf("%s: %s, %s\n", what, info_of(one), wasm_ref_same(one, other) ? "the same" : "another");
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_functype_t* type =
      wasm_functype_new_1_1(wasm_valtype_new_externref(), wasm_valtype_new_externref());
  wasm_func_t* host_inspect = wasm_func_new(store, type, inspect);
  wasm_functype_delete(type);
  if (!host_inspect) fail("cannot create the host function");
  wasm_extern_t* externs[] = {wasm_func_as_extern(host_inspect)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_global_t* kept = exports.size > 0 ? wasm_extern_as_global(exports.data[0]) : NULL;
  wasm_table_t* shelf = exports.size > 1 ? wasm_extern_as_table(exports.data[1]) : NULL;
  if (!kept || !shelf) stop("the module does not export its global and its table");
  const wasm_func_t* keep = exported_func(&exports, 2);
  const wasm_func_t* put = exported_func(&exports, 3);
  const wasm_func_t* show_func = exported_func(&exports, 4);

  // Through calls: the same object comes back, null stays null, and any object can be passed that
  // has a reference, here the host function itself.
  wasm_foreign_t* apple = new_object(store, "an apple");
  wasm_foreign_t* pear = new_object(store, "a pear");
  wasm_ref_t* sent[] = {wasm_foreign_as_ref(apple), NULL, wasm_func_as_ref(host_inspect)};
  for (size_t i = 0; i < sizeof sent / sizeof *sent; ++i) {
    wasm_ref_t* back = show(show_func, sent[i]);
    print_same("back from wasm", back, sent[i]);
    wasm_ref_delete(back);
  }

  // Through a global, set by wasm and read by C.
  wasm_val_t value[] = {WASM_REF_VAL(wasm_foreign_as_ref(pear))};
  wasm_val_vec_t args = WASM_ARRAY_VEC(value);
  call(keep, &args, NULL);
  wasm_val_t content;
  wasm_global_get(kept, &content);
  print_same("kept in the global", content.of.ref, wasm_foreign_as_ref(pear));
  wasm_val_delete(&content);

  // Through a table. Any handle gives access to the host info, even one that was obtained later.
  wasm_val_t placed[] = {WASM_I32_VAL(1), WASM_REF_VAL(wasm_foreign_as_ref(apple))};
  wasm_val_vec_t put_args = WASM_ARRAY_VEC(placed);
  call(put, &put_args, NULL);
  if (!wasm_table_set(shelf, 2, wasm_foreign_as_ref(pear))) fail("cannot fill a slot");
  for (wasm_table_size_t i = 0; i < wasm_table_size(shelf); ++i) {
    wasm_ref_t* slot = wasm_table_get(shelf, i);
    print_same("on the shelf", slot, wasm_foreign_as_ref(apple));
    wasm_ref_delete(slot);
  }

  // Replacing host info finalizes the old one at once. The new one is finalized with its object, at
  // the latest with its store.
  wasm_foreign_set_host_info(apple, NULL);
  printf("replaced: %d finalized\n", finalized);
  wasm_foreign_delete(apple);
  wasm_foreign_delete(pear);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host_inspect);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  printf("all released: %d finalized\n", finalized);
  return 0;
}
