// Bytes that are almost modules, artifacts or text: no function may crash on them, and the answers
// must agree.
#include "fuzz.h"

enum { MAX_BYTES = 1 << 16, MAX_ARTIFACT = 1 << 18 };

typedef struct bytes_t {
  uint8_t* data;
  size_t size;
} bytes_t;

static const char rich_text[] =
    "(module (type $t (func (param i32) (result i32 i64)))"
    "(import \"a\" \"b\" (func $f (type $t))) (import \"a\" \"t\" (table $it 0 3 funcref))"
    "(table $t1 2 funcref) (table $t2 2 externref) (memory 1 2) (memory $two 1)"
    "(global $g i32 (i32.const 3)) (global $h (mut f64) (f64.const nan:0x123))"
    "(elem (table $t1) (i32.const 0) func $f $k) (elem $e declare func $k) (data $d \"some bytes\")"
    "(data (i32.const 3) \"\\00\\ff text\")"
    "(func $k (param i32 i64 f32) (result i32) (local i32 f64 v128 externref)"
    "  (block $b (result i32) (loop $l (br_if $b (i32.const 1) (local.get 0)) drop"
    "    (br_table $l $l 1 (local.get 3))) (i32.const 2))"
    "  (if (result i32) (then (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)) (i32.const "
    "1))"
    "    (else (memory.init $two $d (i32.const 0) (i32.const 0) (i32.const 1)) (i32.const 4)))"
    "  (drop (v128.const i32x4 1 2 3 4)) (drop (ref.func $k))"
    "  (table.copy $t1 $t1 (i32.const 0) (i32.const 1) (i32.const 1)))"
    "(func $tail (param i32) (result i32 i64) (return_call $f (local.get 0)))"
    "(export \"k\" (func $k)) (export \"m\" (memory $two)) (export \"t\" (table $it))"
    "(export \"\\e4\\bd\\a0\" (global $g)) (@custom \"custom section\" \"content\"))";

enum { SEED_COUNT = MODULE_COUNT + 1 };

static wasm_engine_t* engine;
static wasm_store_t* store;
static bytes_t binaries[SEED_COUNT], artifacts[SEED_COUNT];
static const char* texts[SEED_COUNT];

static bytes_t keep(const wasm_byte_vec_t* vector) {
  bytes_t bytes = {malloc(vector->size + 1), vector->size};
  if (!bytes.data) abort();
  memcpy(bytes.data, vector->data, vector->size);
  return bytes;
}

// Some engines keep the code of every module, so they are replaced now and then.
static void renew_engine(void) {
  enum { LONG_ENOUGH = 5000 };
  static unsigned uses;
  if (uses++ % LONG_ENOUGH != 0) return;
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  engine = wasm_engine_new();
  store = wasm_store_new(engine);
}

static void prepare(void) {
  renew_engine();
  if (binaries[0].data) return;
  prepare_catalogue();
  for (unsigned i = 0; i < SEED_COUNT; i++) {
    texts[i] = i < MODULE_COUNT ? catalogue[i].text : rich_text;
    wasm_byte_vec_t binary, artifact;
    if (!wasmrt_wat2wasm(texts[i], strlen(texts[i]), &binary)) FAIL("seed %u", i);
    binaries[i] = keep(&binary);
    wasm_module_t* module = wasm_module_new(store, &binary);
    wasm_byte_vec_delete(&binary);
    if (!module) continue;
    wasm_module_serialize(module, &artifact);
    artifacts[i] = keep(&artifact);
    wasm_byte_vec_delete(&artifact);
    wasm_module_delete(module);
  }
}

// ------------------------------------------------------------------------------------------------
// Mutations

static size_t place(const bytes_t* bytes) {
  return bytes->size == 0 ? 0 : next_u32() % bytes->size;
}

static void remove_range(bytes_t* bytes, size_t at, size_t count) {
  if (count > bytes->size - at) count = bytes->size - at;
  memmove(bytes->data + at, bytes->data + at + count, bytes->size - at - count);
  bytes->size -= count;
}

static void insert_range(bytes_t* bytes, size_t at, const uint8_t* from, size_t count,
                         size_t room) {
  if (count > room - bytes->size) count = room - bytes->size;
  memmove(bytes->data + at + count, bytes->data + at, bytes->size - at);
  memcpy(bytes->data + at, from, count);
  bytes->size += count;
}

static void mutate(bytes_t* bytes, const bytes_t* donor, size_t room) {
  static const uint8_t numbers[] = {0, 1, 0x7f, 0x80, 0xff, 0x40, 0x70, 0x6f, 0x7b};
  static const uint8_t long_numbers[][5] = {{0xff, 0xff, 0xff, 0xff, 0x0f},
                                            {0xff, 0xff, 0xff, 0xff, 0x7f},
                                            {0x80, 0x80, 0x80, 0x80, 0x00},
                                            {0x80, 0x80, 0x80, 0x80, 0x10}};
  unsigned count = 1 + below(6);
  for (unsigned i = 0; i < count && bytes->size > 0; i++) {
    size_t at = place(bytes);
    uint8_t part[64];
    size_t length = 1 + below(32);
    switch (below(9)) {
      case 0: bytes->data[at] ^= (uint8_t)(1 << below(8)); break;
      case 1: bytes->data[at] = next_byte(); break;
      case 2: bytes->data[at] = numbers[below(LENGTH_OF(numbers))]; break;
      // Most numbers that say how long something is are one byte.
      case 3: bytes->data[at] = (uint8_t)(bytes->data[at] + below(5) - 2); break;
      case 4: bytes->size = at; break;
      case 5: remove_range(bytes, at, length); break;
      case 6:
        remove_range(bytes, at, 1);
        insert_range(bytes, at, long_numbers[below(LENGTH_OF(long_numbers))], 5, room);
        break;
      case 7: {
        size_t from = place(bytes);
        if (length > bytes->size - from) length = bytes->size - from;
        memcpy(part, bytes->data + from, length);
        insert_range(bytes, at, part, length, room);
        break;
      }
      default: {
        if (donor->size == 0) break;
        size_t from = place(donor);
        size_t rest = donor->size - from;
        insert_range(bytes, at, donor->data + from,
                     one_in(4)       ? rest
                     : rest < length ? rest
                                     : length,
                     room);
      }
    }
  }
}

static bytes_t copy_seed(const uint8_t* data, size_t size, size_t room) {
  bytes_t bytes = {malloc(room + 1), size};
  if (!bytes.data) abort();
  memcpy(bytes.data, data, size);
  return bytes;
}

// ------------------------------------------------------------------------------------------------
// Modules

// Compares everything that reflection shows of two modules; it must be the same.
static void expect_same_reflection(const wasm_module_t* one, const wasm_module_t* other) {
  wasm_importtype_vec_t imports[2];
  wasm_exporttype_vec_t exports[2];
  const wasm_module_t* modules[2] = {one, other};
  for (int i = 0; i < 2; i++) {
    wasm_module_imports(modules[i], &imports[i]);
    wasm_module_exports(modules[i], &exports[i]);
  }
  EXPECT_INT(imports[0].size, imports[1].size);
  EXPECT_INT(exports[0].size, exports[1].size);
  for (size_t i = 0; i < imports[0].size; i++) {
    const wasm_importtype_t *first = imports[0].data[i], *second = imports[1].data[i];
    const wasm_name_t* name = wasm_importtype_module(first);
    expect_name(wasm_importtype_module(second), name->data, name->size);
    name = wasm_importtype_name(first);
    expect_name(wasm_importtype_name(second), name->data, name->size);
    EXPECT_INT(wasm_externtype_kind(wasm_importtype_type(first)),
               wasm_externtype_kind(wasm_importtype_type(second)));
  }
  for (size_t i = 0; i < exports[0].size; i++) {
    const wasm_exporttype_t *first = exports[0].data[i], *second = exports[1].data[i];
    const wasm_name_t* name = wasm_exporttype_name(first);
    expect_name(wasm_exporttype_name(second), name->data, name->size);
    EXPECT_INT(wasm_externtype_kind(wasm_exporttype_type(first)),
               wasm_externtype_kind(wasm_exporttype_type(second)));
  }
  for (int i = 0; i < 2; i++) {
    wasm_importtype_vec_delete(&imports[i]);
    wasm_exporttype_vec_delete(&exports[i]);
  }
}

static void try_module(const bytes_t* bytes) {
  wasm_byte_vec_t binary = {bytes->size, (char*)bytes->data};
  forget_error();
  bool valid = wasm_module_validate(store, &binary);
  if (!valid) expect_error(__FILE__, __LINE__, "validate");
  forget_error();
  wasm_module_t* module = wasm_module_new(store, &binary);
  if (!module) expect_error(__FILE__, __LINE__, "wasm_module_new");
  // wasmi's translator has a few defects, which docs/security.md lists.
  bool defect = valid && !module && strstr(wasmrt_last_error_message(), "which is a bug in");
  if (valid != (module != NULL) && !defect)
    FAIL("a module %s, but %s", valid ? "validates" : "does not validate",
         module ? "compiles" : "does not compile");
  if (!module) return;
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  if (artifact.size == 0) FAIL("a module cannot be serialized");
  wasm_module_t* back = wasm_module_deserialize(store, &artifact);
  if (!back) FAIL("a serialized module cannot be read");
  expect_same_reflection(module, back);
  wasm_module_delete(back);
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(module);
}

// ------------------------------------------------------------------------------------------------
// Artifacts

// Continues a checksum, which begins with 0.
static uint32_t checksum_of(uint32_t checksum, const uint8_t* data, size_t size) {
  checksum = ~checksum;
  for (size_t i = 0; i < size; i++) {
    checksum ^= data[i];
    for (int bit = 0; bit < 8; bit++) checksum = checksum >> 1 ^ (checksum & 1 ? 0xedb88320 : 0);
  }
  return ~checksum;
}

static void try_artifact(const bytes_t* bytes, const bytes_t* original) {
  wasm_byte_vec_t artifact = {bytes->size, (char*)bytes->data};
  bool same =
      bytes->size == original->size && memcmp(bytes->data, original->data, bytes->size) == 0;
  forget_error();
  wasm_module_t* module = wasm_module_deserialize(store, &artifact);
  if (!module) expect_error(__FILE__, __LINE__, "wasm_module_deserialize");
  if (same != (module != NULL))
    FAIL("%s artifact is %s", same ? "an intact" : "a damaged", module ? "accepted" : "refused");
  wasm_module_delete(module);
}

// An envelope whose numbers are wrong, though its checksum is right. The machine code before it is
// trusted, so it is not touched.
static void try_envelope(bytes_t* bytes) {
  enum { MAGIC = 8, CHECKSUM = 4, PARTS = 5, END = 8 };
  uint64_t image;
  memcpy(&image, bytes->data + bytes->size - END - sizeof image, sizeof image);
  size_t checksum_at = (size_t)image + MAGIC, first_part = checksum_at + CHECKSUM;
  size_t at = first_part;
  // Behind the parts is the length of the image.
  unsigned part = below(PARTS + 1);
  for (unsigned i = 0; i < part; i++) {
    uint64_t length = 0;
    memcpy(&length, bytes->data + at, sizeof length);
    at += sizeof length + (size_t)length;
  }
  static const uint64_t lengths[] = {
      0, 1, UINT64_MAX, UINT64_MAX - 7, (uint64_t)1 << 63, UINT32_MAX, 1000000};
  uint64_t length = lengths[below(LENGTH_OF(lengths))], former;
  memcpy(&former, bytes->data + at, sizeof former);
  if (part < 3 && one_in(2)) {
    // Another version, backend or configuration.
    bytes->data[at + sizeof length + next_u32() % former] ^= 1;
  } else {
    if (length == former) return;
    memcpy(bytes->data + at, &length, sizeof length);
    if (one_in(3)) bytes->size = at + below(20);
  }
  uint32_t checksum = checksum_of(0, bytes->data, (size_t)image);
  checksum = checksum_of(checksum, bytes->data + first_part, bytes->size - first_part);
  for (int i = 0; i < 4; i++) bytes->data[checksum_at + i] = (uint8_t)(checksum >> 8 * i);
  wasm_byte_vec_t artifact = {bytes->size, (char*)bytes->data};
  EXPECT_REFUSED(!wasm_module_deserialize(store, &artifact));
}

// ------------------------------------------------------------------------------------------------
// Text

static void try_text(const bytes_t* bytes) {
  wasm_byte_vec_t binary;
  memset(&binary, 0xa5, sizeof binary);
  forget_error();
  if (wasmrt_wat2wasm((const char*)bytes->data, bytes->size, &binary)) {
    wasm_module_validate(store, &binary);
  } else {
    expect_error(__FILE__, __LINE__, "wasmrt_wat2wasm");
    EXPECT_INT(binary.size, 0);
  }
  wasm_byte_vec_delete(&binary);
}

int fuzz_bytes(const uint8_t* data, size_t size) {
  memset(&run, 0, sizeof run);
  run.input = (input_t){data, size, 0};
  run.step_name = "bytes";
  prepare();
  unsigned seed = below(SEED_COUNT), donor = below(SEED_COUNT), what = below(8);
  if (what >= 5 && !artifacts[seed].data) what = 0;
  bytes_t bytes;
  if (what < 4) {
    bytes = copy_seed(binaries[seed].data, binaries[seed].size, MAX_BYTES);
    mutate(&bytes, &binaries[donor], MAX_BYTES);
    try_module(&bytes);
  } else if (what == 4) {
    bytes_t donor_text = {(uint8_t*)texts[donor], strlen(texts[donor])};
    bytes = copy_seed((const uint8_t*)texts[seed], strlen(texts[seed]), MAX_BYTES);
    mutate(&bytes, &donor_text, MAX_BYTES);
    try_text(&bytes);
  } else if (what < 7) {
    bytes = copy_seed(artifacts[seed].data, artifacts[seed].size, MAX_ARTIFACT);
    if (!one_in(8)) mutate(&bytes, &artifacts[donor], MAX_ARTIFACT);
    try_artifact(&bytes, &artifacts[seed]);
  } else {
    bytes = copy_seed(artifacts[seed].data, artifacts[seed].size, MAX_ARTIFACT);
    try_envelope(&bytes);
  }
  free(bytes.data);
  return 0;
}
