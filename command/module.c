// Reads files, makes engines and modules.

#include "common.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_standard(const char* path) {
  return strcmp(path, "-") == 0;
}

void read_input(const words_t* words, const char* path, wasm_byte_vec_t* out) {
  FILE* file = is_standard(path) ? stdin : fopen(path, "rb");
  char* bytes = NULL;
  size_t capacity = 0, used = 0;
  int error = file ? 0 : errno;
  while (file && !error && !feof(file)) {
    if (capacity == used) {
      char* larger = realloc(bytes, capacity = capacity ? capacity * 2 : 65536);
      if (!larger) {
        error = ENOMEM;
        break;
      }
      bytes = larger;
    }
    errno = 0;
    used += fread(bytes + used, 1, capacity - used, file);
    if (ferror(file)) error = errno ? errno : EIO;
  }
  if (error) wrong_use(words->command, "cannot read %s: %s", path, strerror(error));
  if (file != stdin) fclose(file);
  if (used == 0) fail("%s is empty", path);
  wasm_byte_vec_new(out, used, bytes);
  free(bytes);
  if (out->size != used) fail("cannot read %s: %s", path, reason());
}

void write_output(const char* path, const wasm_byte_vec_t* bytes) {
  FILE* file = is_standard(path) ? stdout : fopen(path, "wb");
  if (!file) fail("cannot write %s: %s", path, strerror(errno));
  fwrite(bytes->data, 1, bytes->size, file);
  if (file == stdout) return; // `finish` flushes it
  bool failed = ferror(file);
  int error = errno;
  if (fclose(file) != 0) {
    failed = true;
    error = errno;
  }
  if (failed) fail("cannot write %s: %s", path, strerror(error));
}

char* output_path(const words_t* words, const char* path, const char* extension) {
  const char* slash = strrchr(path, '/');
  const char* name = slash ? slash + 1 : path;
  const char* dot = strrchr(name, '.');
  size_t stem = is_standard(path) ? 0 : dot && dot != name ? (size_t)(dot - name) : strlen(name);
  char* result = malloc(stem + strlen(extension) + 2);
  if (!result) fail("not enough memory");
  if (is_standard(path)) return strcpy(result, "-");
  memcpy(result, name, stem);
  strcpy(result + stem, extension);
  if (strcmp(result, path) == 0)
    wrong_use(words->command, "the result would replace %s; name another with -o", path);
  return result;
}

wasm_engine_t* new_engine(const words_t* words, wasm_config_t* config, const char* backend) {
  if (!config) fail("cannot make a configuration: %s", reason());
  if (backend && !wasmrt_config_set_backend(config, backend))
    wrong_use(words->command, "%s", reason());
  wasm_engine_t* engine = wasm_engine_new_with_config(config); // takes the configuration
  if (!engine) wrong_use(words->command, "%s", reason());
  return engine;
}

bool take_no_limits(words_t* words) {
  return take_flag(words, "--no-limits");
}

void lift_limits(wasm_config_t* config) {
  for (wasmrt_module_limit_t limit = 0; wasmrt_config_set_module_limit(config, limit, UINT64_MAX);)
    ++limit;
}

void fail_on_module(const char* path) {
  const char* message = reason();
  // The library names its function, and the command its option.
  const char* advice = strstr(message, "; wasmrt_config_set_module_limit");
  if (!advice) fail("%s: %s", path, message);
  fail("%s: %.*s; --no-limits accepts it, if it can be trusted", path, (int)(advice - message),
       message);
}

static bool is_text(const wasm_byte_vec_t* bytes) {
  size_t first = bytes->size >= 3 && memcmp(bytes->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
  while (first < bytes->size && strchr(" \t\r\n", bytes->data[first]) && bytes->data[first])
    ++first;
  return first < bytes->size && (bytes->data[first] == '(' || bytes->data[first] == ';');
}

void text_to_binary(const char* path, wasm_byte_vec_t* bytes) {
  if (!is_text(bytes)) return;
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(bytes->data, bytes->size, &binary)) fail("%s: %s", path, reason());
  wasm_byte_vec_delete(bytes);
  *bytes = binary;
}

bool is_artifact(const wasm_byte_vec_t* bytes) {
  static const char end[] = {2, 'w', 'a', 's', 'm', 'r', 't', 0};
  return bytes->size >= sizeof end &&
         memcmp(bytes->data + bytes->size - sizeof end, end, sizeof end) == 0;
}

wasm_module_t* load_module(wasm_store_t* store, const char* path, wasm_byte_vec_t* bytes,
                           bool allow_precompiled) {
  text_to_binary(path, bytes);
  bool artifact = is_artifact(bytes);
  if (artifact && !allow_precompiled)
    fail("%s: an artifact may hold machine code; if you trust it, run it with --allow-precompiled",
         path);
  wasm_module_t* module =
      artifact ? wasm_module_deserialize(store, bytes) : wasm_module_new(store, bytes);
  if (!module) fail_on_module(path);
  return module;
}
