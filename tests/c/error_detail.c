// What an error says: where in a module, in which function, which imports, and until when.
#include "configured.h"

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

// Compiles what is wrong; the error stays.
static void compile_wrong(fixture_t* fixture, const wasm_byte_vec_t* binary) {
  CHECK_FAILS_WITH(wasm_module_new(fixture->store, binary) == NULL, WASMRT_ERROR_COMPILE);
}

static bool offset_is(uint64_t expected) {
  uint64_t offset = 77777;
  bool known = wasmrt_last_error_offset(&offset);
  return CHECK(known) && CHECK_INT(offset, expected);
}

static size_t find(const wasm_byte_vec_t* binary, const char* bytes, size_t size) {
  for (size_t i = 0; i + size <= binary->size; i++)
    if (memcmp(binary->data + i, bytes, size) == 0) return i;
  REQUIRE(!"the bytes are there");
  return 0;
}

// ------------------------------------------------------------------------------------------------

TEST(no_offset_where_there_is_no_error) {
  wasmrt_last_error_clear();
  uint64_t offset = 77;
  CHECK(!wasmrt_last_error_offset(&offset));
  CHECK(!wasmrt_last_error_offset(NULL));
  CHECK_INT(offset, 77);
  // Sets no error of its own.
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
}

TEST(the_offset_of_an_invalid_instruction) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(
      "(module (import \"a\" \"b\" (func)) (func nop)"
      "  (func $wanted (result i32) nop nop (i32.const 7) (drop) (f32.neg) nop))");
  // i32.const 7, drop, f32.neg
  size_t place = find(&binary, "\x41\x07\x1a\x8c", 4) + 3;
  compile_wrong(&fixture, &binary);
  offset_is(place);
  CHECK_CONTAINS(wasmrt_last_error_message(), "wanted");
  CHECK_CONTAINS(wasmrt_last_error_message(), "function 2");
  CHECK_FAILS_WITH(!wasm_module_validate(fixture.store, &binary), WASMRT_ERROR_COMPILE);
  offset_is(place);
  CHECK_CONTAINS(wasmrt_last_error_message(), "wanted");
  CHECK(!wasmrt_last_error_offset(NULL));
  CHECK_CONTAINS(wasmrt_last_error_message(), "wanted");
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(the_offset_of_every_truncation_is_the_end) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(
      "(module (memory 1) (func $f (export \"f\") (param i32) (result i32) (local.get 0))"
      "  (data (i32.const 0) \"abcdef\") (@custom \"name\" \"abcdef\"))");
  size_t wrong = 0;
  for (size_t size = 0; size < binary.size; size++) {
    wasm_byte_vec_t part = {size, binary.data};
    wasmrt_last_error_clear();
    wasm_module_t* module = wasm_module_new(fixture.store, &part);
    if (module) {
      // Whole sections may be left out.
      wasm_module_delete(module);
      continue;
    }
    wrong++;
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
    offset_is(size);
    CHECK_FAILS_WITH(!wasm_module_validate(fixture.store, &part), WASMRT_ERROR_COMPILE);
    offset_is(size);
  }
  CHECK(wrong * 2 > binary.size);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

// What is compiled and validated is refused for this reason, at this place.
static void check_wrong(fixture_t* fixture, const char* bytes, size_t size, uint64_t offset,
                        const char* words) {
  wasm_byte_vec_t binary = {size, (char*)bytes};
  compile_wrong(fixture, &binary);
  offset_is(offset);
  CHECK_CONTAINS(wasmrt_last_error_message(), words);
  CHECK_FAILS_WITH(!wasm_module_validate(fixture->store, &binary), WASMRT_ERROR_COMPILE);
  offset_is(offset);
  CHECK_CONTAINS(wasmrt_last_error_message(), words);
}

#define WRONG(bytes, offset, words) check_wrong(&fixture, bytes, sizeof(bytes) - 1, offset, words)

TEST(what_is_no_module_is_named) {
  fixture_t fixture = fixture_new();
  // A component, with and without anything in it: what it is, and what to do.
  WRONG("\0asm\x0d\0\1\0", 4, "component");
  WRONG("\0asm\x0d\0\1\0\7\1\0", 4, "wasm32-wasip1");
  WRONG("", 0, "no bytes");
  WRONG("\0as", 3, "beginning");
  WRONG("\0asm\1\0", 6, "beginning");
  WRONG("\0asm\2\0\0\0", 4, "02 00 00 00");
  WRONG("\0asm\1\0\1\0", 4, "01 00 01 00");
  WRONG("\0asn\1\0\0\0", 0, "00 61 73 6e");
  WRONG("(module)", 0, "wasmrt_wat2wasm");
  WRONG("\xef\xbb\xbf\n (module)", 0, "wasmrt_wat2wasm");
  WRONG("\x1f\x8b\x08\0\0\0\0\0", 0, "gzip");
  WRONG("PK\3\4\0\0\0\0", 0, "zip");
  WRONG("\177ELF\2\1\1\0", 0, "ELF");
  WRONG("<!DOCTYPE html>", 0, "HTML");
  WRONG("{\"error\": 404}", 0, "JSON");
  WRONG("AGFzbQEAAAA=", 0, "base64");
  // The others that are given modules say it, too.
  wasm_byte_vec_t page = {15, (char*)"<!DOCTYPE html>"}, binary;
  CHECK_FAILS_WITH(wasm_module_deserialize(fixture.store, &page) == NULL, WASMRT_ERROR_ARTIFACT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "HTML");
  CHECK_FAILS_WITH(!wasmrt_wat2wasm(page.data, page.size, &binary), WASMRT_ERROR_COMPILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "HTML");
  CHECK_FAILS_WITH(!wasmrt_wat2wasm("(component)", 11, &binary), WASMRT_ERROR_COMPILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "wasm32-wasip1");
  // A mark that some editors begin a text with is none of its characters.
  CHECK(wasmrt_wat2wasm("\xef\xbb\xbf(module)", 11, &binary));
  CHECK_INT(binary.size, 8);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(the_offset_of_a_section_is_its_number) {
  fixture_t fixture = fixture_new();
#define START "\0asm\1\0\0\0"
  WRONG(START "\x0e\1\0", 8, "section 14");
  WRONG(START "\x7f\x80\0", 8, "section 127");
  WRONG(START "\xff\0", 8, "section 255");
  WRONG(START "\1\1\0\0\2\1a\x2a\0", 15, "section 42");
  WRONG(START "\3\1\0\1\1\0", 11, "type section is out of order");
  WRONG(START "\1\1\0\1\1\0", 11, "type section occurs twice");
  WRONG(START "\1\4\1\x60\0\0" START, 14, "another module");
  WRONG(START "\1\7\1\x60\0\0", 14, "3 bytes of the type section");
#undef START
  fixture_delete(&fixture);
}

TEST(no_offset_for_errors_about_something_else) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module (func (result i32)))");
  compile_wrong(&fixture, &binary);
  uint64_t offset = 77;
  CHECK(wasmrt_last_error_offset(&offset));
  CHECK_NULL(wasm_valtype_new(99));
  offset = 77;
  CHECK(!wasmrt_last_error_offset(&offset));
  CHECK_INT(offset, 77);
  compile_wrong(&fixture, &binary);
  wasmrt_last_error_clear();
  CHECK(!wasmrt_last_error_offset(&offset));
  CHECK_INT(offset, 77);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(success_keeps_the_offset) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module (func $named (result i32)))");
  compile_wrong(&fixture, &binary);
  uint64_t before, after;
  CHECK(wasmrt_last_error_offset(&before));
  const char* message = wasmrt_last_error_message();
  wasm_module_delete(module_from_wat(fixture.store, "(module)"));
  CHECK(wasmrt_last_error_offset(&after));
  CHECK_INT(after, before);
  CHECK_PTR(wasmrt_last_error_message(), message);
  CHECK_CONTAINS(message, "named");
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Imports

TEST(forty_wrong_imports_are_all_named) {
  enum { IMPORTS = 40 };
  fixture_t fixture = fixture_new();
  char wat[8000] = "(module";
  for (int i = 0; i < IMPORTS; i++) {
    static const char* const types[] = {"(func (param i64) (result f32))", "(global i64)",
                                        "(memory 7 9)", "(table 5 externref)"};
    size_t length = strlen(wat);
    snprintf(wat + length, sizeof wat - length, " (import \"module_%d\" \"name_%d\" %s)", i, i,
             types[i % 4]);
  }
  strcat(wat, ")");
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  wasm_memorytype_t* small = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, small);
  wasm_func_t* func = host_func(fixture.store, "i", "", do_nothing, NULL);
  wasm_extern_t* given[IMPORTS];
  for (int i = 0; i < IMPORTS; i++)
    given[i] = i % 3 ? wasm_memory_as_extern(memory) : wasm_func_as_extern(func);
  wasm_extern_vec_t vec = {IMPORTS, given};
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, &vec, &trap) == NULL,
                   WASMRT_ERROR_LINK);
  const char* message = wasmrt_last_error_message();
  size_t lines = 1;
  for (const char* c = message; *c; c++) lines += *c == '\n';
  CHECK(lines >= IMPORTS);
  // Each on a line of its own, with both its names.
  for (int i = 0; i < IMPORTS; i++) {
    char names[2][32];
    snprintf(names[0], sizeof names[0], "module_%d\"", i);
    snprintf(names[1], sizeof names[1], "name_%d\"", i);
    const char* place = strstr(message, names[0]);
    if (!CHECK(place != NULL)) continue;
    const char* end = strchr(place, '\n');
    const char* other = strstr(place, names[1]);
    CHECK(other != NULL && (!end || other < end));
  }
  CHECK_CONTAINS(message, "i64");
  CHECK_CONTAINS(message, "f32");
  CHECK_CONTAINS(message, "memory");
  CHECK_CONTAINS(message, "table");
  CHECK_CONTAINS(message, "externref");
  char* copy = strdup(message);
  CHECK_TRAP(trap, copy);
  free(copy);
  // None at all: the same forty.
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, NULL, NULL) == NULL, WASMRT_ERROR_LINK);
  for (int i = 0; i < IMPORTS; i++) {
    char name[32];
    snprintf(name, sizeof name, "name_%d\"", i);
    CHECK_CONTAINS(wasmrt_last_error_message(), name);
  }
  wasm_func_delete(func);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(small);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(only_the_wrong_ones_are_named) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store,
                                          "(module (import \"a\" \"right\" (memory 1))"
                                          "  (import \"a\" \"wrong\" (memory 2)))");
  wasm_memorytype_t* type = memorytype(1, 1);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  wasm_extern_t* given[2] = {wasm_memory_as_extern(memory), wasm_memory_as_extern(memory)};
  wasm_extern_vec_t vec = {2, given};
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, module, &vec, NULL) == NULL, WASMRT_ERROR_LINK);
  CHECK_CONTAINS(wasmrt_last_error_message(), "wrong");
  CHECK(strstr(wasmrt_last_error_message(), "right") == NULL);
  wasm_memory_delete(memory);
  wasm_memorytype_delete(type);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
