// Uses a module made by others: the npm package source-map decodes mappings in lib/mappings.wasm.
// This program does what the package's JavaScript does: it copies the mappings' text into the
// module's memory, and the module calls it back for each mapping.
//
//   source_map MAPPINGS.WASM FILE.JS.MAP
//
// Exit status 77 if the module is missing: it is not part of this repository;
// `scripts/fetch source-map` fetches it.

#include "example.h"
#include "file.h"
#include "json.h"

enum { SHOWN = 5, NOT_THERE = 77 };

struct decoding {
  const char* sources; // JSON arrays that the mappings' numbers point into
  const char* names;
  int32_t count;
};

// env.mapping_callback: ten i32, some of which say whether others are present. Lines and columns
// count from zero.
static wasm_trap_t* on_mapping(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)results;
  struct decoding* decoding = env;
  int32_t value[10];
  for (size_t i = 0; i < 10; ++i) value[i] = args->data[i].of.i32;
  int32_t line = value[0], column = value[1], has_original = value[4], source = value[5],
          original_line = value[6], original_column = value[7], has_name = value[8],
          name = value[9];
  if (decoding->count++ >= SHOWN) return NULL;

  printf("%d:%d", line + 1, column);
  size_t length;
  if (has_original) {
    const char* path = json_string_at(decoding->sources, (uint32_t)source, &length);
    if (path) printf(" is from %.*s:%d:%d", (int)length, path, original_line + 1, original_column);
  }
  if (has_original && has_name) {
    const char* text = json_string_at(decoding->names, (uint32_t)name, &length);
    if (text) printf(", there called %.*s", (int)length, text);
  }
  printf("\n");
  return NULL;
}

// The expected count: commas separate mappings, and semicolons separate lines.
static int32_t count_segments(const char* mappings, size_t length) {
  int32_t count = 0;
  for (size_t i = 0; i < length; ++i) {
    bool separator = mappings[i] == ',' || mappings[i] == ';';
    if (!separator && (i == 0 || mappings[i - 1] == ',' || mappings[i - 1] == ';')) ++count;
  }
  return count;
}

static wasm_extern_t* find(const wasm_exporttype_vec_t* types, const wasm_extern_vec_t* exports,
                           const char* wanted) {
  for (size_t i = 0; i < types->size; ++i) {
    const wasm_name_t* name = wasm_exporttype_name(types->data[i]);
    if (name->size == strlen(wanted) && !memcmp(name->data, wanted, name->size)) {
      return exports->data[i];
    }
  }
  stop("an export is missing");
}

// Makes a call with at most one i32 argument and one i32 result, which all exports used here have.
static int32_t call_i32(const wasm_extern_t* export, int32_t argument) {
  const wasm_func_t* func = wasm_extern_as_func_const(export);
  if (!func) stop("an export is not a function");
  wasm_val_t arguments[] = {WASM_I32_VAL(argument)}, answers[] = {WASM_I32_VAL(0)};
  wasm_val_vec_t args = {wasm_func_param_arity(func), arguments};
  wasm_val_vec_t results = {wasm_func_result_arity(func), answers};
  if (args.size > 1 || results.size > 1) stop("an export has an unexpected type");
  call(func, &args, &results);
  return answers[0].of.i32;
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: source_map MAPPINGS.WASM FILE.JS.MAP\n");
    return 2;
  }
  size_t binary_size, json_size, length;
  char* binary = read_file(argv[1], &binary_size);
  char* json = binary ? read_file(argv[2], &json_size) : NULL;
  if (!json) {
    free(binary);
    return NOT_THERE;
  }
  const char* mappings = json_string(json_member(json, "mappings"), &length);
  if (!mappings) stop("the file has no mappings");
  struct decoding decoding = {json_member(json, "sources"), json_member(json, "names"), 0};

  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_byte_vec_t bytes = {binary_size, binary};
  wasm_module_t* module = wasm_module_new(store, &bytes);
  if (!module) fail("cannot compile the module");
  wasm_importtype_vec_t needed;
  wasm_exporttype_vec_t types;
  wasm_module_imports(module, &needed);
  wasm_module_exports(module, &types);

  // The module declares the import's type. Check it, since on_mapping relies on ten arguments.
  const wasm_functype_t* type =
      needed.size != 1 ? NULL
                       : wasm_externtype_as_functype_const(wasm_importtype_type(needed.data[0]));
  if (!type || wasm_functype_params(type)->size != 10) stop("not the import expected");
  wasm_func_t* callback = wasm_func_new_with_env(store, type, on_mapping, &decoding, NULL);
  if (!callback) fail("cannot create the callback");
  wasm_extern_t* externs[] = {wasm_func_as_extern(callback)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);

  // The module says where to put the text. Asking it for room may have moved the memory, so take
  // the memory's address only now, and check the place against its size.
  size_t at = (uint32_t)call_i32(find(&types, &exports, "allocate_mappings"), (int32_t)length);
  wasm_memory_t* memory = wasm_extern_as_memory(find(&types, &exports, "memory"));
  size_t size = wasm_memory_data_size(memory);
  if (at > size || length > size - at) stop("the module gave no room for the mappings");
  memcpy(wasm_memory_data(memory) + at, mappings, length);

  int32_t parsed = call_i32(find(&types, &exports, "parse_mappings"), (int32_t)at);
  if (parsed) {
    call_i32(find(&types, &exports, "by_generated_location"), parsed);
    call_i32(find(&types, &exports, "free_mappings"), parsed);
    printf("%d mappings\n", decoding.count);
  } else {
    int32_t code = call_i32(find(&types, &exports, "get_last_error"), 0);
    fprintf(stderr, "error: the mappings are malformed (source-map's error %d)\n", code);
  }
  int32_t segments = count_segments(mappings, length);
  bool right = parsed && decoding.count == segments;
  if (!right) fprintf(stderr, "error: %d mappings for %d segments\n", decoding.count, segments);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(callback);
  wasm_exporttype_vec_delete(&types);
  wasm_importtype_vec_delete(&needed);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  free(json);
  free(binary);
  return right ? 0 : 1;
}
