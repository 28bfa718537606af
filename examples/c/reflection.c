// Lists the imports and exports of a module with their types, before anything runs; then those of
// an instance's objects. The printing, which takes types apart, is in text.h.

#include "example.h"
#include "text.h"

static const char text[] =
    "(module"
    "  (import \"host\" \"log\" (func $log (param i32 i32)))"
    "  (import \"host\" \"memory\" (memory 1 4))"
    "  (import \"host\" \"verbose\" (global i32))"
    "  (import \"host\" \"callbacks\" (table 2 funcref))"
    "  (func (export \"mix\") (param i32 i64 f32 f64) (result f64 i32)"
    "    (local.get 3) (local.get 0))"
    "  (func (export \"keep\") (param externref funcref))"
    "  (global (export \"state\") (mut i64) (i64.const 0))"
    "  (table (export \"shelf\") 3 8 externref)"
    "  (export \"grown memory\" (memory 0))"
    "  (export \"log\" (func $log)))";

static wasm_trap_t* ignore(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  return NULL;
}

// Makes an object that fits an import's type, as a program does that links modules it does not
// know. The caller owns the result.
static wasm_extern_t* make_import(wasm_store_t* store, const wasm_externtype_t* type) {
  switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC:
      return wasm_func_as_extern(
          wasm_func_new(store, wasm_externtype_as_functype_const(type), ignore));
    case WASM_EXTERN_GLOBAL: {
      const wasm_globaltype_t* global = wasm_externtype_as_globaltype_const(type);
      wasm_val_t zero = {.kind = wasm_valtype_kind(wasm_globaltype_content(global))};
      return wasm_global_as_extern(wasm_global_new(store, global, &zero));
    }
    case WASM_EXTERN_TABLE:
      return wasm_table_as_extern(
          wasm_table_new(store, wasm_externtype_as_tabletype_const(type), NULL));
    case WASM_EXTERN_MEMORY:
      return wasm_memory_as_extern(
          wasm_memory_new(store, wasm_externtype_as_memorytype_const(type)));
    default: return NULL;
  }
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  // The program owns the vector; what is read from it belongs to the vector.
  wasm_importtype_vec_t needed;
  wasm_module_imports(module, &needed);
  print_imports(stdout, &needed);

  wasm_exporttype_vec_t offered;
  wasm_module_exports(module, &offered);
  print_exports(stdout, &offered, false);

  // The types are enough to make every import. The vector owns them.
  wasm_extern_vec_t imports;
  wasm_extern_vec_new_uninitialized(&imports, needed.size);
  for (size_t i = 0; i < needed.size; ++i) {
    imports.data[i] = make_import(store, wasm_importtype_type(needed.data[i]));
    if (!imports.data[i]) fail("cannot make an import");
  }
  wasm_instance_t* instance = new_instance(store, module, &imports);

  // An instance's exports have types too, which describe the objects as they are now.
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  for (size_t i = 0; i < exports.size; ++i) {
    wasm_memory_t* memory = wasm_extern_as_memory(exports.data[i]); // NULL if it is not a memory
    if (memory && !wasm_memory_grow(memory, 2)) fail("cannot grow the memory");
  }
  for (size_t i = 0; i < exports.size; ++i) {
    wasm_externtype_t* type = wasm_extern_type(exports.data[i]);
    if (!type) fail("cannot get the type of an export");
    printf("instance's ");
    print_name(stdout, wasm_exporttype_name(offered.data[i]));
    printf(": ");
    print_type(stdout, type);
    printf("\n");
    wasm_externtype_delete(type);
  }

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_extern_vec_delete(&imports);
  wasm_exporttype_vec_delete(&offered);
  wasm_importtype_vec_delete(&needed);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
