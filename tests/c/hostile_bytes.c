// Truncated, mutated, random and deliberately nasty bytes: an error and a message, never a crash.
// Every mutation is made by a generator with a fixed seed, so that a failure can be repeated.
#include "test.h"

static uint64_t random_state;

static uint32_t random_number(void) {  // xorshift64*
  random_state ^= random_state >> 12;
  random_state ^= random_state << 25;
  random_state ^= random_state >> 27;
  return (uint32_t)((random_state * 0x2545f4914f6cdd1d) >> 32);
}

static size_t random_below(size_t limit) {
  return random_number() % limit;
}

// Something of everything, and small, so that mutations hit.
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

// Compiling, validating and reflecting; what was accepted also has to hold together.
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
      case 5: {  // a run of bytes from elsewhere
        size_t from = random_below(size), length = random_below(16);
        size_t room = size - (at > from ? at : from);
        memmove(copy + at, copy + from, length < room ? length : room);
        break;
      }
      default: {  // one byte taken out or put in
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
  REFUSED("\x01\x05\xff\xff\xff\xff\x0f");          // four billion types
  REFUSED("\x02\x05\xff\xff\xff\xff\x0f");          // imports
  REFUSED("\x03\x05\xff\xff\xff\xff\x0f");          // functions
  REFUSED("\x04\x05\xff\xff\xff\xff\x0f");          // tables
  REFUSED("\x05\x05\xff\xff\xff\xff\x0f");          // memories
  REFUSED("\x06\x05\xff\xff\xff\xff\x0f");          // globals
  REFUSED("\x07\x05\xff\xff\xff\xff\x0f");          // exports
  REFUSED("\x09\x05\xff\xff\xff\xff\x0f");          // element segments
  REFUSED("\x0a\x05\xff\xff\xff\xff\x0f");          // bodies
  REFUSED("\x0b\x05\xff\xff\xff\xff\x0f");          // data segments
  REFUSED("\x0c\x05\xff\xff\xff\xff\x0f");          // a data count without data
  REFUSED("\x01\xff\xff\xff\xff\x0f");              // a section larger than the file
  REFUSED("\x00\x05\xff\xff\xff\xff\x0f");          // a custom section with a large name
  REFUSED("\x01\x07\x01\x60\xff\xff\xff\xff\x0f");  // a type of four billion parameters
  REFUSED("\x04\x0a\x01\x70\x00\xff\xff\xff\xff\x0f\x00\x00");  // a malformed table
  REFUSED("\x05\x07\x01\x00\xff\xff\xff\xff\x0f");              // a memory of four billion pages
  REFUSED("\x05\x07\x01\x00\x81\x80\x84\x00\x00");              // one page more than there can be
  REFUSED("\x05\x04\x01\x01\x02\x01");                          // a maximum below the minimum
  // Four billion locals.
  REFUSED("\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x0a\x0a\x01\x08\x01\xff\xff\xff\xff\x0f\x7f"
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
    const size_t sizes[2] = {1 + 5 + body, body};  // of the section and of its one body
    for (size_t j = 0; j < 2; j++) {
      for (unsigned k = 0; k < 5; k++) {
        bytes[size++] = (char)(((sizes[j] >> (7 * k)) & 0x7f) | (k < 4 ? 0x80 : 0));
      }
      if (j == 0) bytes[size++] = 1;
    }
    bytes[size++] = 0;  // no locals
    for (size_t j = 0; j < depth; j++) {
      bytes[size++] = 0x02;  // block
      bytes[size++] = 0x40;
    }
    for (size_t j = 0; j <= depth; j++) bytes[size++] = 0x0b;
    CHECK(try_module(fixture.store, bytes, size));
    free(bytes);
  }
  fixture_delete(&fixture);
}

// Text goes through a parser of its own.
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
