// Lists what a module imports and exports, or calls one of its functions, from .wasm or .wat:
//
//   run [--backend NAME] FILE [FUNCTION [ARGUMENTS...]]
//
// Exit status: 0 success; 1 the module is bad, lacks an import, or trapped; 2 wrong usage.

#define _POSIX_C_SOURCE 200809L

#include "example.h"
#include "file.h"
#include "stand_in.h"
#include "text.h"

enum { SUCCESS = 0, FAILED = 1, WRONG_USE = 2 };

static int report(int status, const char* what) {
  const char* reason = wasmrt_last_error_message();
  fprintf(stderr, "error: %s: %s\n", what, reason ? reason : "no reason given");
  return status;
}

// Returns the index of this function among the exports. If there is none, lists the functions and
// returns exports->size.
static size_t find_function(const wasm_exporttype_vec_t* exports, const char* wanted) {
  for (size_t i = 0; i < exports->size; ++i) {
    const wasm_name_t* name = wasm_exporttype_name(exports->data[i]);
    wasm_externkind_t kind = wasm_externtype_kind(wasm_exporttype_type(exports->data[i]));
    if (kind == WASM_EXTERN_FUNC && name->size == strlen(wanted) &&
        memcmp(name->data, wanted, name->size) == 0)
      return i;
  }
  fprintf(stderr, "error: no function %s is exported; those that are:\n", wanted);
  print_exports(stderr, exports, true);
  return exports->size;
}

static int read_arguments(const wasm_functype_t* type, size_t count, char** words,
                          wasm_val_vec_t* args) {
  const wasm_valtype_vec_t* params = wasm_functype_params(type);
  if (params->size != count) {
    fprintf(stderr, "error: %zu arguments expected and %zu given; the function is ", params->size,
            count);
    print_functype(stderr, type);
    fputc('\n', stderr);
    return WRONG_USE;
  }
  for (size_t i = 0; i < count; ++i) {
    wasm_valkind_t kind = wasm_valtype_kind(params->data[i]);
    if (!parse_value(words[i], kind, &args->data[i])) {
      fprintf(stderr, "error: argument %zu: expected %s, not '%s'\n", i + 1, value_syntax(kind),
              words[i]);
      return WRONG_USE;
    }
  }
  return SUCCESS;
}

static int instantiate_and_call(wasm_store_t* store, const wasm_module_t* module, size_t index,
                                const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance = new_instance_with_stand_ins(store, module, &trap);
  if (instance) {
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    trap = wasm_func_call(wasm_extern_as_func(exports.data[index]), args, results);
    wasm_extern_vec_delete(&exports);
  }
  int status = instance && !trap ? SUCCESS : FAILED;
  if (trap) print_trap_with_frames(stderr, trap);
  wasm_instance_delete(instance);
  return status;
}

// words: the function's name and its arguments
static int call_function(wasm_store_t* store, const wasm_module_t* module,
                         const wasm_exporttype_vec_t* exports, size_t count, char** words) {
  size_t index = find_function(exports, words[0]);
  if (index == exports->size) return WRONG_USE;
  const wasm_functype_t* type =
      wasm_externtype_as_functype_const(wasm_exporttype_type(exports->data[index]));
  wasm_val_vec_t args, results;
  new_values(&args, wasm_functype_params(type)->size);
  new_values(&results, wasm_functype_results(type)->size);
  int status = read_arguments(type, count - 1, words + 1, &args);
  if (status == SUCCESS) status = instantiate_and_call(store, module, index, &args, &results);
  for (size_t i = 0; status == SUCCESS && i < results.size; ++i) {
    print_value(stdout, &results.data[i]);
    putchar('\n');
  }
  wasm_val_vec_delete(&results);
  wasm_val_vec_delete(&args);
  return status;
}

static int run(wasm_engine_t* engine, const char* bytes, size_t size, size_t count, char** words) {
  wasm_byte_vec_t binary;
  if (size >= 4 && memcmp(bytes, "\0asm", 4) == 0) {
    wasm_byte_vec_new(&binary, size, bytes);
  } else if (!wasmrt_wat2wasm(bytes, size, &binary)) {
    return report(FAILED, "cannot read the text");
  }
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  int status = module ? SUCCESS : report(FAILED, "cannot compile the module");
  if (module) {
    wasm_exporttype_vec_t exports;
    wasm_module_exports(module, &exports);
    if (count > 0) {
      status = call_function(store, module, &exports, count, words);
    } else {
      wasm_importtype_vec_t imports;
      wasm_module_imports(module, &imports);
      print_imports(stdout, &imports);
      print_exports(stdout, &exports, false);
      wasm_importtype_vec_delete(&imports);
    }
    wasm_exporttype_vec_delete(&exports);
  }
  wasm_module_delete(module);
  wasm_store_delete(store);
  return status;
}

int main(int argc, char** argv) {
  bool chosen = argc > 2 && strcmp(argv[1], "--backend") == 0;
  int first = chosen ? 3 : 1;
  if (argc <= first || argv[first][0] == '-') {
    fputs("usage: run [--backend NAME] FILE [FUNCTION [ARGUMENTS...]]\n", stderr);
    return WRONG_USE;
  }
  size_t size;
  char* bytes = read_file(argv[first], &size);
  if (!bytes) return WRONG_USE;

  int status = SUCCESS;
  wasm_config_t* config = wasm_config_new();
  if (!config) fail("cannot create the configuration");
  if (chosen && !wasmrt_config_set_backend(config, argv[2])) {
    status = report(WRONG_USE, "cannot use this backend");
    wasm_config_delete(config);
  } else {
    wasm_engine_t* engine = wasm_engine_new_with_config(config); // takes the configuration
    if (!engine)
      status = report(WRONG_USE, "cannot create the engine");
    else
      status = run(engine, bytes, size, (size_t)(argc - first - 1), argv + first + 1);
    wasm_engine_delete(engine);
  }
  free(bytes);
  return status;
}
