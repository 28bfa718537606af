// Truncated, mutated, random and deliberately nasty bytes: an error and a message, never a crash.
// Every mutation is made by a generator with a fixed seed, so that a failure can be repeated.
#include "test.h"

static uint64_t random_state;

static uint32_t random_number(void) { // xorshift64*
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 32);
}

static size_t random_below(size_t limit) {
  return random_number() % limit;
}

// A bit of everything, and small, so that mutations hit.
static const char* wat =
    "(module"
    "  (import \"env\" \"f\" (func $f (param i32 i64) (result f64)))"
    "  (import \"env\" \"g\" (global $g (mut i32)))"
    "  (import \"env\" \"m\" (memory 1 4))"
    "  (import \"env\" \"t\" (table $t 2 8 funcref))"
    "  (type $i (func (param i32) (result i32)))"
    "  (global $h (mut f64) (f64.const 1.5))"
    "  (table $e 1 externref)"
    "  (func $a (export \"a\") (type $i)"
    "    (local i64 f32)"
    "    (block (result i32)"
    "      (loop $l (br_if $l (i32.eqz (local.get 0))))"
    "      (if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))"
    "      (br_table 0 0 0 (local.get 0)))"
    "    (call_indirect $t (type $i) (i32.const 3) (i32.const 0))"
    "    (i32.add) (i32.load offset=4 (local.get 0)) (i32.xor))"
    "  (func $b (export \"b\") (param externref) (result externref)"
    "    (table.set $e (i32.const 0) (local.get 0)) (table.get $e (i32.const 0)))"
    "  (func $c (export \"c\") (result f64)"
    "    (call $f (global.get $g) (i64.const -1)) (f64.sqrt) (global.get $h) (f64.mul)"
    "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))"
    "  (func $start (drop (i32.trunc_sat_f64_s (f64.const 1e9))))"
    "  (start $start)"
    "  (elem $t (i32.const 0) func $a $c)"
    "  (data (i32.const 16) \"some data to be seen\")"
    "  (export \"table\" (table $e)) (export \"global\" (global $h)))";

// Compiles, validates and reflects; what was accepted must also be consistent.
static bool try_module(wasm_store_t* store, const char* bytes, size_t size) {
  char* exact = malloc(size ? size : 1);
  REQUIRE(exact);
  memcpy(exact, bytes, size);
  wasm_byte_vec_t view = {size, exact};
  wasmrt_last_error_clear();
  wasm_module_t* module = wasm_module_new(store, &view);
  bool right = module ? true : wasmrt_last_error_message() && wasmrt_last_error_message()[0];
  wasmrt_last_error_clear();
  bool valid = wasm_module_validate(store, &view);
  right = right && (valid || wasmrt_last_error_message());
  right = right && (!module || valid);
  free(exact);
  if (module) {
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    wasm_module_imports(module, &imports);
    wasm_module_exports(module, &exports);
    for (size_t i = 0; i < imports.size; i++) {
      right = right && wasm_importtype_type(imports.data[i]);
    }
    for (size_t i = 0; i < exports.size; i++) {
      right = right && wasm_exporttype_type(exports.data[i]);
    }
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(module);
  }
  return right;
}

static bool try_artifact(wasm_store_t* store, const char* bytes, size_t size) {
  char* exact = malloc(size ? size : 1);
  REQUIRE(exact);
  memcpy(exact, bytes, size);
  wasm_byte_vec_t view = {size, exact};
  wasmrt_last_error_clear();
  wasm_module_t* module = wasm_module_deserialize(store, &view);
  bool right = !module && wasmrt_last_error_message() && wasmrt_last_error_message()[0];
  free(exact);
  wasm_module_delete(module);
  return right;
}

// Changes a copy of the bytes in one of several ways; returns the new size, at most size + 16.
static size_t mutate(char* copy, const char* bytes, size_t size) {
  memcpy(copy, bytes, size);
  size_t count = 1 + random_below(4);
  for (size_t i = 0; i < count && size > 0; i++) {
    size_t at = random_below(size);
    switch (random_below(7)) {
      case 0: copy[at] = (char)(copy[at] ^ (1 << random_below(8))); break;
      case 1: copy[at] = (char)random_number(); break;
      case 2: copy[at] = (char)0xff; break;
      case 3: copy[at] = (char)(copy[at] + (random_number() % 2 ? 1 : -1)); break;
      case 4: size = at; break;
      case 5: { // a run of bytes from elsewhere
        size_t from = random_below(size), length = random_below(16);
        size_t room = size - (at > from ? at : from);
        memmove(copy + at, copy + from, length < room ? length : room);
        break;
      }
      default: { // one byte taken out or put in
        if (random_number() % 2) {
          memmove(copy + at, copy + at + 1, size - at - 1);
          size--;
        } else if (i < 4) {
          memmove(copy + at + 1, copy + at, size - at);
          copy[at] = (char)random_number();
          size++;
        }
      }
    }
  }
  return size;
}

static void report(uint64_t seed, size_t index) {
  fprintf(stderr, "    mutation %zu of seed %" PRIu64 "\n", index, seed);
}

TEST(module_bytes_mutated) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(wat);
  char* copy = malloc(binary.size + 16);
  REQUIRE(copy);
  CHECK(try_module(fixture.store, binary.data, binary.size));
  const uint64_t seed = 20210915;
  random_state = seed;
  size_t count = repetitions(20000, 300), right = 0;
  for (size_t i = 0; i < count; i++) {
    size_t size = mutate(copy, binary.data, binary.size);
    bool fine = try_module(fixture.store, copy, size);
    right += fine;
    if (!fine) report(seed, i);
  }
  CHECK_INT(right, count);
  free(copy);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(module_bytes_truncated_at_each_length) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(wat);
  size_t right = 0;
  for (size_t size = 0; size < binary.size; size++) {
    right += try_module(fixture.store, binary.data, size);
  }
  CHECK_INT(right, binary.size);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(module_with_each_byte_flipped) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(wat);
  size_t right = 0, tried = 0;
  for (size_t i = 0; i < binary.size; i++) {
    for (int bit = 0; bit < 8; bit += under_valgrind() ? 5 : 1) {
      binary.data[i] = (char)(binary.data[i] ^ (1 << bit));
      right += try_module(fixture.store, binary.data, binary.size);
      tried++;
      binary.data[i] = (char)(binary.data[i] ^ (1 << bit));
    }
  }
  CHECK_INT(right, tried);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(artifact_bytes_mutated) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, wat);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  wasm_module_delete(module);
  REQUIRE(artifact.size > 0);
  char* copy = malloc(artifact.size + 16);
  REQUIRE(copy);
  const uint64_t seed = 915202;
  random_state = seed;
  size_t count = repetitions(20000, 300), right = 0;
  for (size_t i = 0; i < count; i++) {
    size_t size = mutate(copy, artifact.data, artifact.size);
    // A mutation may undo another.
    if (size == artifact.size && memcmp(copy, artifact.data, size) == 0) {
      right++;
      continue;
    }
    bool fine = try_artifact(fixture.store, copy, size);
    right += fine;
    if (!fine) report(seed, i);
  }
  CHECK_INT(right, count);
  free(copy);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(random_bytes) {
  fixture_t fixture = fixture_new();
  random_state = 4711;
  size_t count = repetitions(5000, 200), right = 0;
  for (size_t i = 0; i < count; i++) {
    char bytes[256] = {0, 'a', 's', 'm', 1, 0, 0, 0};
    size_t size = random_below(sizeof(bytes) + 1);
    for (size_t j = i % 2 ? 8 : 0; j < size; j++) bytes[j] = (char)random_number();
    right += try_module(fixture.store, bytes, size);
    right += try_artifact(fixture.store, bytes, size);
  }
  CHECK_INT(right, 2 * count);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Modules that claim far more than they have

static void check_refused(wasm_store_t* store, const char* section, size_t size) {
  char bytes[64] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  memcpy(bytes + 8, section, size);
  wasm_byte_vec_t view = {8 + size, bytes};
  CHECK_FAILS(wasm_module_new(store, &view) == NULL);
  CHECK_FAILS(!wasm_module_validate(store, &view));
}

#define REFUSED(section) check_refused(fixture.store, section, sizeof(section) - 1)

TEST(counts_that_lie) {
  fixture_t fixture = fixture_new();
  REFUSED("\x01\x05\xff\xff\xff\xff\x0f");                     // four billion types
  REFUSED("\x02\x05\xff\xff\xff\xff\x0f");                     // imports
  REFUSED("\x03\x05\xff\xff\xff\xff\x0f");                     // functions
  REFUSED("\x04\x05\xff\xff\xff\xff\x0f");                     // tables
  REFUSED("\x05\x05\xff\xff\xff\xff\x0f");                     // memories
  REFUSED("\x06\x05\xff\xff\xff\xff\x0f");                     // globals
  REFUSED("\x07\x05\xff\xff\xff\xff\x0f");                     // exports
  REFUSED("\x09\x05\xff\xff\xff\xff\x0f");                     // element segments
  REFUSED("\x0a\x05\xff\xff\xff\xff\x0f");                     // bodies
  REFUSED("\x0b\x05\xff\xff\xff\xff\x0f");                     // data segments
  REFUSED("\x0c\x05\xff\xff\xff\xff\x0f");                     // a data count without data
  REFUSED("\x01\xff\xff\xff\xff\x0f");                         // a section larger than the file
  REFUSED("\x00\x05\xff\xff\xff\xff\x0f");                     // a custom section with a large name
  REFUSED("\x01\x07\x01\x60\xff\xff\xff\xff\x0f");             // a type of four billion parameters
  REFUSED("\x04\x0a\x01\x70\x00\xff\xff\xff\xff\x0f\x00\x00"); // a malformed table
  REFUSED("\x05\x07\x01\x00\xff\xff\xff\xff\x0f");             // a memory of four billion pages
  REFUSED("\x05\x07\x01\x00\x81\x80\x84\x00\x00");             // one page more than there can be
  REFUSED("\x05\x04\x01\x01\x02\x01");                         // a maximum below the minimum
  // Four billion locals.
  REFUSED(
      "\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f"
      "\x0b");
  fixture_delete(&fixture);
}

// Nested blocks beyond any native stack: refused or compiled, not overflowed.
TEST(deeply_nested_blocks) {
  fixture_t fixture = fixture_new();
  const size_t depths[3] = {1000, 50000, repetitions(1000000, 100000)};
  for (size_t i = 0; i < 3; i++) {
    size_t depth = depths[i], body = 1 + 3 * depth + 1;
    char* bytes = malloc(64 + body);
    REQUIRE(bytes);
    size_t size = 0;
    const char head[] = "\0asm\1\0\0\0\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a";
    memcpy(bytes, head, sizeof(head) - 1);
    size = sizeof(head) - 1;
    const size_t sizes[2] = {1 + 5 + body, body}; // of the section and of its one body
    for (size_t j = 0; j < 2; j++) {
      for (unsigned k = 0; k < 5; k++) {
        bytes[size++] = (char)(((sizes[j] >> (7 * k)) & 0x7f) | (k < 4 ? 0x80 : 0));
      }
      if (j == 0) bytes[size++] = 1;
    }
    bytes[size++] = 0; // no locals
    for (size_t j = 0; j < depth; j++) {
      bytes[size++] = 0x02; // block
      bytes[size++] = 0x40;
    }
    for (size_t j = 0; j <= depth; j++) bytes[size++] = 0x0b;
    CHECK(try_module(fixture.store, bytes, size));
    free(bytes);
  }
  fixture_delete(&fixture);
}

// Text has a separate parser.
TEST(text_mutated) {
  size_t size = strlen(wat);
  char* copy = malloc(size + 16);
  REQUIRE(copy);
  random_state = 99;
  size_t count = repetitions(5000, 100), right = 0;
  for (size_t i = 0; i < count; i++) {
    size_t mutated = mutate(copy, wat, size);
    wasm_byte_vec_t binary;
    GARBAGE(binary);
    wasmrt_last_error_clear();
    if (wasmrt_wat2wasm(copy, mutated, &binary)) {
      right += binary.size >= 8;
    } else {
      right += binary.size == 0 && !binary.data && wasmrt_last_error_message() != NULL;
    }
    wasm_byte_vec_delete(&binary);
  }
  CHECK_INT(right, count);
  free(copy);
}

TEST(text_of_deep_nesting) {
  size_t depth = repetitions(1000000, 50000);
  char* text = malloc(depth);
  REQUIRE(text);
  memset(text, '(', depth);
  wasm_byte_vec_t binary;
  GARBAGE(binary);
  CHECK_FAILS(!wasmrt_wat2wasm(text, depth, &binary));
  CHECK_NULL(binary.data);
  free(text);
}

// ------------------------------------------------------------------------------------------------
// Debug info

// int f(int a) { int b = a; return b + 1; }, by clang -g.
static const unsigned char with_debug_info[] = {
    0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00, 0x01, 0x86, 0x80, 0x80, 0x80, 0x00, 0x01, 0x60,
    0x01, 0x7f, 0x01, 0x7f, 0x02, 0xaf, 0x80, 0x80, 0x80, 0x00, 0x02, 0x03, 0x65, 0x6e, 0x76, 0x0f,
    0x5f, 0x5f, 0x6c, 0x69, 0x6e, 0x65, 0x61, 0x72, 0x5f, 0x6d, 0x65, 0x6d, 0x6f, 0x72, 0x79, 0x02,
    0x00, 0x00, 0x03, 0x65, 0x6e, 0x76, 0x0f, 0x5f, 0x5f, 0x73, 0x74, 0x61, 0x63, 0x6b, 0x5f, 0x70,
    0x6f, 0x69, 0x6e, 0x74, 0x65, 0x72, 0x03, 0x7f, 0x01, 0x03, 0x82, 0x80, 0x80, 0x80, 0x00, 0x01,
    0x00, 0x0a, 0xc3, 0x80, 0x80, 0x80, 0x00, 0x01, 0x41, 0x01, 0x07, 0x7f, 0x23, 0x80, 0x80, 0x80,
    0x80, 0x00, 0x21, 0x01, 0x41, 0x10, 0x21, 0x02, 0x20, 0x01, 0x20, 0x02, 0x6b, 0x21, 0x03, 0x20,
    0x03, 0x20, 0x00, 0x36, 0x02, 0x0c, 0x20, 0x03, 0x28, 0x02, 0x0c, 0x21, 0x04, 0x20, 0x03, 0x20,
    0x04, 0x36, 0x02, 0x08, 0x20, 0x03, 0x28, 0x02, 0x08, 0x21, 0x05, 0x41, 0x01, 0x21, 0x06, 0x20,
    0x05, 0x20, 0x06, 0x6a, 0x21, 0x07, 0x20, 0x07, 0x0f, 0x0b, 0x00, 0xe2, 0x80, 0x80, 0x80, 0x00,
    0x0d, 0x2e, 0x64, 0x65, 0x62, 0x75, 0x67, 0x5f, 0x61, 0x62, 0x62, 0x72, 0x65, 0x76, 0x01, 0x11,
    0x01, 0x25, 0x0e, 0x13, 0x05, 0x03, 0x0e, 0x10, 0x17, 0x1b, 0x0e, 0x11, 0x01, 0x12, 0x06, 0x00,
    0x00, 0x02, 0x2e, 0x01, 0x11, 0x01, 0x12, 0x06, 0x40, 0x18, 0x03, 0x0e, 0x3a, 0x0b, 0x3b, 0x0b,
    0x27, 0x19, 0x49, 0x13, 0x3f, 0x19, 0x00, 0x00, 0x03, 0x05, 0x00, 0x02, 0x18, 0x03, 0x0e, 0x3a,
    0x0b, 0x3b, 0x0b, 0x49, 0x13, 0x00, 0x00, 0x04, 0x34, 0x00, 0x02, 0x18, 0x03, 0x0e, 0x3a, 0x0b,
    0x3b, 0x0b, 0x49, 0x13, 0x00, 0x00, 0x05, 0x24, 0x00, 0x03, 0x0e, 0x3e, 0x0b, 0x0b, 0x0b, 0x00,
    0x00, 0x00, 0x00, 0xef, 0x80, 0x80, 0x80, 0x00, 0x0b, 0x2e, 0x64, 0x65, 0x62, 0x75, 0x67, 0x5f,
    0x69, 0x6e, 0x66, 0x6f, 0x5f, 0x00, 0x00, 0x00, 0x04, 0x00, 0x00, 0x00, 0x00, 0x00, 0x04, 0x01,
    0x00, 0x00, 0x00, 0x00, 0x0c, 0x00, 0x1c, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x20, 0x00,
    0x00, 0x00, 0x02, 0x00, 0x00, 0x00, 0x41, 0x00, 0x00, 0x00, 0x02, 0x02, 0x00, 0x00, 0x00, 0x41,
    0x00, 0x00, 0x00, 0x04, 0xed, 0x00, 0x03, 0x9f, 0x22, 0x00, 0x00, 0x00, 0x01, 0x01, 0x5b, 0x00,
    0x00, 0x00, 0x03, 0x02, 0x91, 0x0c, 0x28, 0x00, 0x00, 0x00, 0x01, 0x01, 0x5b, 0x00, 0x00, 0x00,
    0x04, 0x02, 0x91, 0x08, 0x2a, 0x00, 0x00, 0x00, 0x01, 0x01, 0x5b, 0x00, 0x00, 0x00, 0x00, 0x05,
    0x24, 0x00, 0x00, 0x00, 0x05, 0x04, 0x00, 0x00, 0xb7, 0x80, 0x80, 0x80, 0x00, 0x0a, 0x2e, 0x64,
    0x65, 0x62, 0x75, 0x67, 0x5f, 0x73, 0x74, 0x72, 0x44, 0x65, 0x62, 0x69, 0x61, 0x6e, 0x20, 0x63,
    0x6c, 0x61, 0x6e, 0x67, 0x20, 0x76, 0x65, 0x72, 0x73, 0x69, 0x6f, 0x6e, 0x20, 0x31, 0x34, 0x2e,
    0x30, 0x2e, 0x36, 0x00, 0x74, 0x2e, 0x63, 0x00, 0x2e, 0x00, 0x66, 0x00, 0x69, 0x6e, 0x74, 0x00,
    0x61, 0x00, 0x62, 0x00, 0x00, 0xd0, 0x80, 0x80, 0x80, 0x00, 0x0b, 0x2e, 0x64, 0x65, 0x62, 0x75,
    0x67, 0x5f, 0x6c, 0x69, 0x6e, 0x65, 0x40, 0x00, 0x00, 0x00, 0x04, 0x00, 0x1b, 0x00, 0x00, 0x00,
    0x01, 0x01, 0x01, 0xfb, 0x0e, 0x0d, 0x00, 0x01, 0x01, 0x01, 0x01, 0x00, 0x00, 0x00, 0x01, 0x00,
    0x00, 0x01, 0x00, 0x74, 0x2e, 0x63, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x02, 0x02, 0x00,
    0x00, 0x00, 0x01, 0x05, 0x14, 0x0a, 0x08, 0xba, 0x05, 0x12, 0x06, 0x74, 0x05, 0x1d, 0x74, 0x05,
    0x1e, 0x74, 0x05, 0x16, 0xac, 0x02, 0x04, 0x00, 0x01, 0x01,
};

// Nonsense in sections for debuggers: the module compiles without them, or is refused.
TEST(debug_sections_mutated) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_debug_info(config, true));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) return; // wasmi has none
  wasm_store_t* store = wasm_store_new(engine);
  const size_t size = sizeof with_debug_info;
  wasm_byte_vec_t binary;
  wasm_byte_vec_new(&binary, size, (const char*)with_debug_info);
  wasm_module_t* module = wasm_module_new(store, &binary);
  CHECK(module != NULL);
  wasm_module_delete(module);
  size_t first = 0, defects = 0, step = under_valgrind() ? 31 : 1;
  while (memcmp(with_debug_info + first, ".debug", 6) != 0) first++;
  static const unsigned char masks[] = {0x01, 0x53, 0x80, 0xff};
  for (size_t at = first; at < size; at += step) {
    for (size_t i = 0; i < sizeof masks; i++) {
      binary.data[at] = (char)(with_debug_info[at] ^ masks[i]);
      wasmrt_last_error_clear();
      module = wasm_module_new(store, &binary);
      if (!module) {
        CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
        defects += strstr(wasmrt_last_error_message(), "which is a bug in") != NULL;
      }
      wasm_module_delete(module);
      binary.data[at] = (char)with_debug_info[at];
    }
  }
  // wasmtime 48 panics on some of them. If a later one does not, this can go.
  CHECK(defects > 0 || step > 1);
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}
