#include "modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
  SECTION_TYPE = 1,
  SECTION_IMPORT = 2,
  SECTION_FUNCTION = 3,
  SECTION_TABLE = 4,
  SECTION_MEMORY = 5,
  SECTION_GLOBAL = 6,
  SECTION_EXPORT = 7,
  SECTION_ELEMENT = 9,
  SECTION_CODE = 10,
  SECTION_DATA = 11,
  SECTIONS = 12,
};

enum { KIND_FUNCTION, KIND_TABLE, KIND_MEMORY, KIND_GLOBAL };

// Opcodes.
enum {
  LOOP = 0x03,
  IF = 0x04,
  END = 0x0b,
  BR_IF = 0x0d,
  CALL = 0x10,
  DROP = 0x1a,
  LOCAL_GET = 0x20,
  LOCAL_SET = 0x21,
  LOCAL_TEE = 0x22,
  I32_CONST = 0x41,
  I64_CONST = 0x42,
  F32_CONST = 0x43,
  F64_CONST = 0x44,
  I32_LT_U = 0x49,
  I32_ADD = 0x6a,
  I32_SUB = 0x6b,
  I32_MUL = 0x6c,
  I32_XOR = 0x73,
  I32 = 0x7f,
  FUNCREF = 0x70,
  NO_RESULT = 0x40,
};

// A module being written: the entries of each section, and their number.
typedef struct {
  bytes_t content[SECTIONS];
  size_t count[SECTIONS];
} module_t;

void bytes_free(bytes_t *bytes) {
  free(bytes->data);
  memset(bytes, 0, sizeof *bytes);
}

static void put_bytes(bytes_t *to, const void *data, size_t size) {
  if (to->size + size > to->capacity) {
    to->capacity = 2 * (to->size + size);
    to->data = realloc(to->data, to->capacity);
    if (to->data == NULL) abort();
  }
  if (size > 0) memcpy(to->data + to->size, data, size);
  to->size += size;
}

static void put_byte(bytes_t *to, uint8_t byte) {
  put_bytes(to, &byte, 1);
}

#define PUT(to, ...) \
  put_bytes(to, (const uint8_t[]){__VA_ARGS__}, sizeof(const uint8_t[]){__VA_ARGS__})

// A number in LEB128.
static void put_number(bytes_t *to, size_t number) {
  for (; number >= 0x80; number >>= 7) put_byte(to, (uint8_t)(0x80 | (number & 0x7f)));
  put_byte(to, (uint8_t)number);
}

static void put_name(bytes_t *to, const char *name) {
  put_number(to, strlen(name));
  put_bytes(to, name, strlen(name));
}

static void put_types(bytes_t *to, const char *letters) {
  put_number(to, strlen(letters));
  for (; *letters != 0; letters++) {
    put_byte(to, *letters == 'i' ? 0x7f : *letters == 'I' ? 0x7e : *letters == 'f' ? 0x7d : 0x7c);
  }
}

static size_t add_type(module_t *module, const char *parameters, const char *results) {
  bytes_t *section = &module->content[SECTION_TYPE];
  put_byte(section, 0x60);
  put_types(section, parameters);
  put_types(section, results);
  return module->count[SECTION_TYPE]++;
}

static void add_import(module_t *module, const char *name, size_t type) {
  bytes_t *section = &module->content[SECTION_IMPORT];
  put_name(section, "host");
  put_name(section, name);
  put_byte(section, KIND_FUNCTION);
  put_number(section, type);
  module->count[SECTION_IMPORT]++;
}

// Takes ownership of the body, which lacks its final END; the function has no locals besides its
// parameters. Returns its index.
static size_t add_function(module_t *module, size_t type, bytes_t *body) {
  put_number(&module->content[SECTION_FUNCTION], type);
  bytes_t *section = &module->content[SECTION_CODE];
  put_number(section, body->size + 2);
  put_byte(section, 0);
  put_bytes(section, body->data, body->size);
  put_byte(section, END);
  bytes_free(body);
  module->count[SECTION_CODE]++;
  return module->count[SECTION_IMPORT] + module->count[SECTION_FUNCTION]++;
}

static void add_export(module_t *module, const char *name, uint8_t kind, size_t index) {
  bytes_t *section = &module->content[SECTION_EXPORT];
  put_name(section, name);
  put_byte(section, kind);
  put_number(section, index);
  module->count[SECTION_EXPORT]++;
}

static void add_memory(module_t *module, size_t pages) {
  PUT(&module->content[SECTION_MEMORY], 0);
  put_number(&module->content[SECTION_MEMORY], pages);
  module->count[SECTION_MEMORY] = 1;
}

static bytes_t finish(module_t *module) {
  bytes_t binary = {0};
  PUT(&binary, 0, 'a', 's', 'm', 1, 0, 0, 0);
  for (uint8_t id = 0; id < SECTIONS; id++) {
    if (module->count[id] == 0) continue;
    bytes_t count = {0};
    put_number(&count, module->count[id]);
    put_byte(&binary, id);
    put_number(&binary, count.size + module->content[id].size);
    put_bytes(&binary, count.data, count.size);
    put_bytes(&binary, module->content[id].data, module->content[id].size);
    bytes_free(&count);
    bytes_free(&module->content[id]);
  }
  return binary;
}

bytes_t module_with_function(const char *parameters, const char *results) {
  module_t module = {0};
  bytes_t body = {0};
  for (const char *result = results; *result != 0; result++) {
    const char *same = strchr(parameters, *result);
    if (same != NULL) {
      put_byte(&body, LOCAL_GET);
      put_number(&body, (size_t)(same - parameters));
    } else if (*result == 'i') {
      PUT(&body, I32_CONST, 1);
    } else if (*result == 'I') {
      PUT(&body, I64_CONST, 2);
    } else if (*result == 'f') {
      PUT(&body, F32_CONST, 0, 0, 0, 0);
    } else {
      PUT(&body, F64_CONST, 0, 0, 0, 0, 0, 0, 0, 0);
    }
  }
  size_t function = add_function(&module, add_type(&module, parameters, results), &body);
  add_export(&module, "f", KIND_FUNCTION, function);
  return finish(&module);
}

static bytes_t callback_loop(module_t *module, const char *name, const char *parameters,
                             const char *results) {
  add_import(module, name, add_type(module, parameters, results));
  bytes_t body = {0};
  PUT(&body, LOOP, NO_RESULT);
  for (size_t i = strlen(parameters); i > 0; i--) PUT(&body, LOCAL_GET, 0);
  PUT(&body, CALL, 0);
  for (size_t i = strlen(results); i > 0; i--) PUT(&body, DROP);
  PUT(&body, LOCAL_GET, 0, I32_CONST, 1, I32_SUB, LOCAL_TEE, 0, BR_IF, 0, END);
  size_t function = add_function(module, add_type(module, "i", ""), &body);
  add_export(module, "loop", KIND_FUNCTION, function);
  return finish(module);
}

bytes_t module_with_callback_loop(const char *parameters, const char *results) {
  module_t module = {0};
  return callback_loop(&module, "f", parameters, results);
}

bytes_t module_with_memory_and_callback_loop(void) {
  module_t module = {0};
  add_memory(&module, 1);
  add_export(&module, "memory", KIND_MEMORY, 0);
  return callback_loop(&module, "import_0", "", "");
}

bytes_t module_with_imports_and_exports(size_t imports, size_t exports) {
  module_t module = {0};
  size_t type = add_type(&module, "", "");
  char name[32];
  for (size_t i = 0; i < imports; i++) {
    snprintf(name, sizeof name, "import_%zu", i);
    add_import(&module, name, type);
  }
  for (size_t i = 0; i < exports; i++) {
    bytes_t body = {0};
    size_t function = add_function(&module, type, &body);
    snprintf(name, sizeof name, "export_%zu", i);
    add_export(&module, name, KIND_FUNCTION, function);
  }
  return finish(&module);
}

bytes_t module_with_global_memory_table(void) {
  module_t module = {0};
  bytes_t body = {0};
  size_t function = add_function(&module, add_type(&module, "", ""), &body);
  PUT(&module.content[SECTION_TABLE], FUNCREF, 0, 10);
  module.count[SECTION_TABLE] = 1;
  add_memory(&module, 1);
  PUT(&module.content[SECTION_GLOBAL], I32, 1, I32_CONST, 42, END);
  module.count[SECTION_GLOBAL] = 1;
  add_export(&module, "global", KIND_GLOBAL, 0);
  add_export(&module, "memory", KIND_MEMORY, 0);
  add_export(&module, "table", KIND_TABLE, 0);
  bytes_t *elements = &module.content[SECTION_ELEMENT];
  PUT(elements, 0, I32_CONST, 0, END);
  put_number(elements, 10);
  for (size_t i = 0; i < 10; i++) put_number(elements, function);
  module.count[SECTION_ELEMENT] = 1;
  return finish(&module);
}

bytes_t module_with_data(size_t size) {
  module_t module = {0};
  add_memory(&module, size / 0x10000 + 1);
  add_export(&module, "memory", KIND_MEMORY, 0);
  bytes_t *data = &module.content[SECTION_DATA];
  PUT(data, 0, I32_CONST, 0, END);
  put_number(data, size);
  for (size_t i = 0; i < size; i++) put_byte(data, (uint8_t)(i * 7 + 1));
  module.count[SECTION_DATA] = 1;
  return finish(&module);
}

bytes_t module_with_memory(size_t pages) {
  module_t module = {0};
  add_memory(&module, pages);
  return finish(&module);
}

bytes_t module_with_functions(size_t count) {
  module_t module = {0};
  size_t type = add_type(&module, "ii", "i");
  size_t last = 0;
  for (size_t i = 0; i < count; i++) {
    bytes_t body = {0};
    PUT(&body, LOCAL_GET, 0, LOCAL_GET, 1, I32_LT_U, IF, NO_RESULT, LOCAL_GET, 1, LOCAL_SET, 0,
        END);
    PUT(&body, LOCAL_GET, 0, I32_CONST, (uint8_t)(i & 0x3f), I32_MUL, LOCAL_GET, 1, I32_XOR);
    last = add_function(&module, type, &body);
  }
  add_export(&module, "f", KIND_FUNCTION, last);
  return finish(&module);
}
