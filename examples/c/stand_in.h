// Functions that take the place of a module's imports, for run.c: the module can then be tried as
// long as it does not call them. open_memstream needs _POSIX_C_SOURCE to be defined as 200809L.

#ifndef STAND_IN_H
#define STAND_IN_H

#include "example.h"
#include "text.h"

// What a stand-in needs: the store for its trap, and the import to name in it.
struct stand_in {
  wasm_store_t* store;
  wasm_importtype_t* import;
};

static inline wasm_trap_t* trap_naming_import(void* env, const wasm_val_vec_t* args,
                                              wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  const struct stand_in* stand_in = env;
  wasm_message_t message;
  FILE* out = open_memstream(&message.data, &message.size);
  if (!out) stop("no memory for a message");
  fputs("run does not provide the import ", out);
  print_import(out, stand_in->import);
  fputc(0, out); // messages end with a zero
  fclose(out);
  wasm_trap_t* trap = wasm_trap_new(stand_in->store, &message);
  free(message.data);
  return trap;
}

static inline void delete_stand_in(void* env) {
  struct stand_in* stand_in = env;
  wasm_importtype_delete(stand_in->import);
  free(stand_in);
}

// Makes the function for one import; on failure prints why and returns NULL. Only functions have
// stand-ins: an empty memory, or a global with zero, would give wrong results instead of a message.
static inline wasm_extern_t* new_stand_in(wasm_store_t* store, const wasm_importtype_t* import) {
  const wasm_functype_t* type = wasm_externtype_as_functype_const(wasm_importtype_type(import));
  if (!type) {
    fputs("error: the module needs an import that run does not provide: ", stderr);
    print_import(stderr, import);
    fputc('\n', stderr);
    return NULL;
  }
  struct stand_in* stand_in = malloc(sizeof *stand_in);
  if (!stand_in) stop("no memory for an import");
  *stand_in = (struct stand_in){store, wasm_importtype_copy(import)};
  // The function owns its stand_in: the finalizer releases it when the function is freed.
  wasm_func_t* func =
      wasm_func_new_with_env(store, type, trap_naming_import, stand_in, delete_stand_in);
  if (!func) fail("cannot create a function for an import");
  return wasm_func_as_extern(func);
}

// Instantiates the module with stand-ins for all its imports. On failure returns NULL, and either
// sets the trap or has printed the reason.
static inline wasm_instance_t* new_instance_with_stand_ins(wasm_store_t* store,
                                                           const wasm_module_t* module,
                                                           wasm_trap_t** trap) {
  wasm_importtype_vec_t needed;
  wasm_module_imports(module, &needed);
  wasm_extern_vec_t imports;
  wasm_extern_vec_new_uninitialized(&imports, needed.size);
  bool complete = true;
  for (size_t i = 0; i < needed.size; ++i) {
    imports.data[i] = complete ? new_stand_in(store, needed.data[i]) : NULL;
    complete = imports.data[i] != NULL;
  }
  wasm_instance_t* instance = NULL;
  if (complete) {
    instance = wasm_instance_new(store, module, &imports, trap);
    if (!instance && !*trap) fail("cannot instantiate the module");
  }
  wasm_extern_vec_delete(&imports);
  wasm_importtype_vec_delete(&needed);
  return instance;
}

#endif
