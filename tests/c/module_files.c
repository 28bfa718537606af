// Modules: from files and to files, what they are called, what they contain and what they need.
#define _GNU_SOURCE
#include "configured.h"
#include "files.h"

#include <sys/resource.h>

static const char* const text =
    "(module $calculator"
    "  (@custom \"first\" (before first) \"one\")"
    "  (import \"env\" \"unused\" (func (param i32)))"
    "  (memory (export \"memory\") 1) (data (i32.const 8) \"kept\")"
    "  (global (export \"global\") (mut i64) (i64.const 77))"
    "  (table 3 funcref)"
    "  (func $twice (export \"twice\") (param i32) (result i32)"
    "    (i32.add (local.get 0) (local.get 0)))"
    "  (func (export \"fail\") unreachable)"
    "  (@custom \".debug_line\" \"for debuggers\")"
    "  (@custom \"second\" \"two\\00zwei\")"
    "  (@custom \"second\" \"three\"))";

static wasm_trap_t* unused(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env, (void)arguments, (void)results;
  return NULL;
}

// That the module works, its memory has its data, and a trap is told where it happened.
static void check_works(wasm_store_t* store, const wasm_module_t* module) {
  wasm_func_t* import = host_func(store, "i", "", unused, NULL);
  wasm_extern_t* imports[] = {wasm_func_as_extern(import)};
  wasm_instance_t* instance = instantiate(store, module, imports, 1);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  REQUIRE(exports.size == 4);
  CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[2]), 21), 42);
  CHECK(memcmp(wasm_memory_data(wasm_extern_as_memory(exports.data[0])) + 8, "kept", 4) == 0);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(exports.data[3]), &none, &none);
  CHECK_TRAP(trap, "unreachable");
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(import);
}

static void write_binary(const char* path, const char* wat) {
  wasm_byte_vec_t binary = binary_from_wat(wat);
  FILE* file = fopen(path, "wb");
  REQUIRE(file && fwrite(binary.data, 1, binary.size, file) == binary.size);
  fclose(file);
  wasm_byte_vec_delete(&binary);
}

TEST(a_module_from_a_file) {
  char directory[256];
  scratch(directory);
  fixture_t fixture = fixture_new();
  write_binary(in(directory, "module.wasm"), text);
  wasm_module_t* module = wasmrt_module_new_from_file(fixture.store, in(directory, "module.wasm"));
  REQUIRE(module);
  check_works(fixture.store, module);
  wasm_module_delete(module);
  host_write(in(directory, "text.wat"), text);
  CHECK_FAILS_WITH(!wasmrt_module_new_from_file(fixture.store, in(directory, "text.wat")),
                   WASMRT_ERROR_COMPILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "text.wat");
  CHECK_CONTAINS(wasmrt_last_error_message(), "wasmrt_wat2wasm");
  fixture_delete(&fixture);
  remove_tree(directory);
}

TEST(a_file_that_is_written_and_mapped) {
  char directory[256];
  scratch(directory);
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  const char* path = in(directory, "module.cwasm");
  REQUIRE(wasmrt_module_serialize_to_file(module, path));
  wasm_byte_vec_t artifact, again;
  wasm_module_serialize(module, &artifact);
  wasm_module_delete(module);

  // The file has the same bytes, and a module from it is serialized to them once more.
  wasm_module_t* mapped = wasmrt_module_deserialize_file(fixture.store, path);
  REQUIRE(mapped);
  wasm_module_serialize(mapped, &again);
  CHECK_INT(again.size, artifact.size);
  CHECK(again.size == artifact.size && memcmp(again.data, artifact.data, again.size) == 0);
  struct stat status;
  REQUIRE(stat(path, &status) == 0);
  CHECK_INT(status.st_size, artifact.size);
  wasm_byte_vec_delete(&again);
  wasm_byte_vec_delete(&artifact);
  check_works(fixture.store, mapped);

  // It can be replaced and removed while it is in use.
  CHECK(wasmrt_module_serialize_to_file(mapped, path));
  check_works(fixture.store, mapped);
  CHECK(unlink(path) == 0);
  check_works(fixture.store, mapped);
  wasm_shared_module_t* shared = wasm_module_share(mapped);
  wasm_module_delete(mapped);
  wasm_module_t* obtained = wasm_module_obtain(fixture.store, shared);
  check_works(fixture.store, obtained);
  CHECK(wasmrt_module_serialize_to_file(obtained, path));
  wasm_module_delete(obtained);
  wasm_shared_module_delete(shared);
  fixture_delete(&fixture);

  // Nothing but the file is left in the directory.
  DIR* dir = opendir(directory);
  size_t count = 0;
  for (struct dirent* entry; (entry = readdir(dir));) count += entry->d_name[0] != '.';
  rewinddir(dir);
  for (struct dirent* entry; (entry = readdir(dir));) CHECK(!strstr(entry->d_name, ".tmp"));
  closedir(dir);
  CHECK_INT(count, 1);
  remove_tree(directory);
}

TEST(descriptors_of_mapped_files_are_closed) {
  char directory[256];
  scratch(directory);
  const char* path = in(directory, "module.cwasm");
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  REQUIRE(wasmrt_module_serialize_to_file(module, path));
  wasm_module_delete(module);
  fixture_delete(&fixture);
  for (int round = 0; round < (int)repetitions(2000, 50); ++round) {
    fixture = fixture_new();
    module = wasmrt_module_deserialize_file(fixture.store, path);
    REQUIRE(module);
    wasm_module_delete(module);
    fixture_delete(&fixture);
  }
  int descriptor = dup(0);
  CHECK(descriptor >= 0 && descriptor < 100);
  close(descriptor);
  remove_tree(directory);
}

// With few descriptors left, modules are copied from their files.
TEST(mapped_files_leave_descriptors_to_the_host) {
  char directory[256];
  scratch(directory);
  const char* path = in(directory, "module.cwasm");
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  REQUIRE(wasmrt_module_serialize_to_file(module, path));
  wasm_module_delete(module);
  struct rlimit old, few;
  REQUIRE(getrlimit(RLIMIT_NOFILE, &old) == 0);
  few = old;
  few.rlim_cur = 64;
  REQUIRE(setrlimit(RLIMIT_NOFILE, &few) == 0);
  wasm_module_t* modules[200];
  for (size_t i = 0; i < 200; ++i) {
    modules[i] = wasmrt_module_deserialize_file(fixture.store, path);
    REQUIRE(modules[i]);
  }
  int descriptor = dup(0);
  CHECK(descriptor >= 0);
  close(descriptor);
  check_works(fixture.store, modules[0]);
  check_works(fixture.store, modules[199]);
  for (size_t i = 0; i < 200; ++i) wasm_module_delete(modules[i]);
  REQUIRE(setrlimit(RLIMIT_NOFILE, &old) == 0);
  fixture_delete(&fixture);
  remove_tree(directory);
}

static void check_file_refused(wasm_store_t* store, const char* path, wasmrt_error_kind_t kind) {
  CHECK_FAILS_WITH(!wasmrt_module_deserialize_file(store, path), kind);
  CHECK_CONTAINS(wasmrt_last_error_message(), path);
}

TEST(files_that_are_not_there_or_something_else) {
  char directory[256];
  scratch(directory);
  fixture_t fixture = fixture_new();
  const char* missing = in(directory, "missing");
  check_file_refused(fixture.store, missing, WASMRT_ERROR_FILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "No such file");
  CHECK_FAILS_WITH(!wasmrt_module_new_from_file(fixture.store, missing), WASMRT_ERROR_FILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), missing);
  check_file_refused(fixture.store, directory, WASMRT_ERROR_FILE);
  CHECK_FAILS_WITH(!wasmrt_module_new_from_file(fixture.store, directory), WASMRT_ERROR_FILE);
  const char* pipe = in(directory, "pipe");
  REQUIRE(mkfifo(pipe, 0600) == 0);
  check_file_refused(fixture.store, pipe, WASMRT_ERROR_FILE); // and does not wait
  check_file_refused(fixture.store, "/dev/zero", WASMRT_ERROR_FILE);
  host_write(in(directory, "empty"), "");
  check_file_refused(fixture.store, in(directory, "empty"), WASMRT_ERROR_ARTIFACT);
  CHECK_FAILS_WITH(!wasmrt_module_new_from_file(fixture.store, in(directory, "empty")),
                   WASMRT_ERROR_COMPILE);
  write_binary(in(directory, "module.wasm"), text);
  check_file_refused(fixture.store, in(directory, "module.wasm"), WASMRT_ERROR_ARTIFACT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "wasm_module_new");

  wasm_module_t* module = module_from_wat(fixture.store, text);
  const char* nowhere = in(directory, "no/such/directory");
  CHECK_FAILS_WITH(!wasmrt_module_serialize_to_file(module, nowhere), WASMRT_ERROR_FILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), nowhere);
  CHECK_FAILS_WITH(!wasmrt_module_serialize_to_file(module, directory), WASMRT_ERROR_FILE);
  CHECK_FAILS_WITH(!wasmrt_module_serialize_to_file(module, in(directory, "pipe")),
                   WASMRT_ERROR_FILE);
  struct stat status;
  CHECK(stat(in(directory, "pipe"), &status) == 0 && S_ISFIFO(status.st_mode)); // still what it was
  char long_name[256];
  memset(long_name, 'n', 255);
  long_name[255] = 0;
  CHECK(wasmrt_module_serialize_to_file(module, in(directory, long_name)));
  CHECK_FAILS_WITH(!wasmrt_module_serialize_to_file(module, ""), WASMRT_ERROR_FILE);
  CHECK_FAILS_WITH(!wasmrt_module_serialize_to_file(module, "/"), WASMRT_ERROR_FILE);
  wasm_module_delete(module);
  fixture_delete(&fixture);
  remove_tree(directory);
}

TEST(damaged_files) {
  char directory[256];
  scratch(directory);
  fixture_t fixture = fixture_new();
  const char* path = in(directory, "module.cwasm");
  wasm_module_t* module = module_from_wat(fixture.store, text);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  size_t steps = repetitions(100, 10);
  for (size_t step = 0; step < steps; ++step) {
    size_t place = artifact.size * step / steps;
    wasm_byte_vec_t damaged;
    wasm_byte_vec_copy(&damaged, &artifact);
    damaged.data[place] ^= 0x40;
    for (int cut = 0; cut < 2; ++cut) {
      FILE* file = fopen(path, "wb");
      size_t size = cut ? place : damaged.size;
      REQUIRE(file && fwrite(damaged.data, 1, size, file) == size);
      fclose(file);
      check_file_refused(fixture.store, path, WASMRT_ERROR_ARTIFACT);
    }
    wasm_byte_vec_delete(&damaged);
  }
  CHECK(wasmrt_module_serialize_to_file(module, path));
  wasm_module_t* whole = wasmrt_module_deserialize_file(fixture.store, path);
  REQUIRE(whole);
  check_works(fixture.store, whole);
  wasm_module_delete(whole);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
  remove_tree(directory);
}

// ------------------------------------------------------------------------------------------------
// Without a store

TEST(precompiled_bytes_are_a_serialized_module) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(text), artifact;
  GARBAGE(artifact);
  REQUIRE(wasmrt_module_precompile(fixture.engine, &binary, &artifact));
  size_t modules = 1;
  CHECK(wasmrt_engine_module_count(fixture.engine, &modules));
  CHECK_INT(modules, 0);
  wasm_module_t* module = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(module);
  check_works(fixture.store, module);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  GARBAGE(artifact);
  binary.size -= 1;
  CHECK_FAILS_WITH(!wasmrt_module_precompile(fixture.engine, &binary, &artifact),
                   WASMRT_ERROR_COMPILE);
  CHECK_INT(artifact.size, 0);
  CHECK_NULL(artifact.data);
  binary.size += 1;
  CHECK_FAILS(!wasmrt_module_precompile(NULL, &binary, &artifact));
  CHECK_FAILS(!wasmrt_module_precompile(fixture.engine, NULL, &artifact));
  CHECK_FAILS(!wasmrt_module_precompile(fixture.engine, &binary, NULL));
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(precompiled_for_another_machine) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_target(config, "pulley64"));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) return; // wasmi
  wasm_byte_vec_t binary = binary_from_wat(text), artifact;
  REQUIRE(wasmrt_module_precompile(engine, &binary, &artifact));
  wasm_byte_vec_delete(&binary);
  config = wasm_config_new();
  CHECK(wasmrt_config_set_compiler(config, WASMRT_COMPILER_PULLEY));
  fixture_t fixture = fixture_from_config(config);
  wasm_module_t* module = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(module);
  check_works(fixture.store, module);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  wasm_engine_delete(engine);
  fixture_delete(&fixture);
}

TEST(proposals_that_a_module_needs) {
  static const struct {
    const char* wat;
    wasmrt_proposal_t needed[4];
  } cases[] = {
      {"(module)", {0}},
      {"(module (func (param i32) (result i32) (i32.extend8_s (local.get 0))))",
       {WASMRT_PROPOSAL_SIGN_EXTENSION}},
      {"(module (func (result i32 i64) (i32.const 1) (i64.const 2)))",
       {WASMRT_PROPOSAL_MULTI_VALUE}},
      {"(module (func (param v128)))", {WASMRT_PROPOSAL_SIMD}},
      {"(module (memory i64 1))", {WASMRT_PROPOSAL_MEMORY64}},
      {"(module (memory 1) (memory 1) (export \"m\" (memory 1))"
       "  (func $f (return_call $f)))",
       {WASMRT_PROPOSAL_MULTI_MEMORY, WASMRT_PROPOSAL_TAIL_CALL}},
      {"(module (func (param v128 v128 v128) (result v128)"
       "  (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2))))",
       {WASMRT_PROPOSAL_SIMD, WASMRT_PROPOSAL_RELAXED_SIMD}},
      {"(module (import \"\" \"\" (global (mut i32))))", {WASMRT_PROPOSAL_MUTABLE_GLOBAL}},
  };
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; ++i) {
    uint64_t expected = 0, bits;
    for (size_t j = 0; j < 4; ++j) {
      if (cases[i].needed[j]) expected |= UINT64_C(1) << cases[i].needed[j];
    }
    wasm_byte_vec_t binary = binary_from_wat(cases[i].wat);
    REQUIRE(wasmrt_module_required_proposals(fixture.engine, &binary, &bits));
    if (!check_integers((int64_t)bits, (int64_t)expected, __FILE__, __LINE__, cases[i].wat)) break;
    wasm_byte_vec_delete(&binary);
  }
  // An aggregate needs what its proposal is built on, if the engine has it at all.
  wasm_byte_vec_t binary = binary_from_wat("(module (type (struct (field i32))))");
  uint64_t bits = 7;
  if (wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(fixture.engine),
                                       WASMRT_PROPOSAL_GC)) {
    CHECK(wasmrt_module_required_proposals(fixture.engine, &binary, &bits));
    CHECK(bits & UINT64_C(1) << WASMRT_PROPOSAL_GC);
  } else {
    CHECK_FAILS_WITH(!wasmrt_module_required_proposals(fixture.engine, &binary, &bits),
                     WASMRT_ERROR_COMPILE);
    CHECK_INT(bits, 7);
  }
  CHECK_FAILS(!wasmrt_module_required_proposals(NULL, &binary, &bits));
  CHECK_FAILS(!wasmrt_module_required_proposals(fixture.engine, NULL, &bits));
  CHECK_FAILS(!wasmrt_module_required_proposals(fixture.engine, &binary, NULL));
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Names, sections, counts

static void check_name(const wasm_module_t* module, const char* expected) {
  wasm_name_t name;
  GARBAGE(name);
  wasmrt_last_error_clear();
  CHECK_INT(wasmrt_module_name(module, &name), expected != NULL);
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(name.size, expected ? strlen(expected) : 0);
  if (expected) CHECK(name_is(&name, expected));
  wasm_name_delete(&name);
}

TEST(names_of_modules) {
  fixture_t fixture = fixture_new();
  wasm_module_t *module = module_from_wat(fixture.store, text),
                *nameless = module_from_wat(fixture.store, "(module)");
  check_name(module, "calculator");
  check_name(nameless, NULL);
  wasm_shared_module_t* shared = wasm_module_share(module);
  wasm_module_t* obtained = wasm_module_obtain(fixture.store, shared);
  CHECK(wasmrt_module_set_name(module, "another", 7));
  check_name(obtained, "another");
  CHECK(wasmrt_module_set_name(nameless, "\0\xff", 2));
  wasm_name_t name;
  CHECK(wasmrt_module_name(nameless, &name));
  CHECK(name.size == 2 && memcmp(name.data, "\0\xff", 3) == 0);
  wasm_name_delete(&name);
  CHECK(wasmrt_module_set_name(nameless, "", 0));
  check_name(nameless, "");
  CHECK(wasmrt_module_set_name(module, NULL, 0));
  check_name(module, NULL);
  // The name that a module gives itself is serialized, the host's is not.
  CHECK(wasmrt_module_set_name(module, "third", 5));
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  wasm_module_t* again = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(again);
  check_name(again, "calculator");

  CHECK_FAILS(!wasmrt_module_name(NULL, &name));
  CHECK_INT(name.size, 0);
  CHECK_FAILS(!wasmrt_module_name(module, NULL));
  CHECK_FAILS(!wasmrt_module_set_name(NULL, "x", 1));
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(again);
  wasm_module_delete(obtained);
  wasm_shared_module_delete(shared);
  wasm_module_delete(nameless);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

static void check_section(const wasm_module_t* module, const char* name, const char* expected,
                          size_t expected_size) {
  const char* contents = NULL;
  size_t size = 0;
  wasmrt_last_error_clear();
  bool found = wasmrt_module_custom_section(module, name, strlen(name), &contents, &size);
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_INT(found, expected != NULL);
  if (!found || !expected) return;
  CHECK_INT(size, expected_size);
  CHECK(size == expected_size && memcmp(contents, expected, size) == 0);
}

static void check_sections(const wasm_module_t* module) {
  check_section(module, "first", "one", 3);
  check_section(module, "second", "two\0zwei", 8); // the first of the two
  check_section(module, "third", NULL, 0);
  check_section(module, "", NULL, 0);
  check_section(module, ".debug_line", NULL, 0);
  static const char* const names[] = {"first", "second", "second", "name"};
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_CUSTOM_SECTIONS), 4);
  for (size_t i = 0; i < 4; ++i) {
    const char *name, *contents;
    size_t length, size;
    REQUIRE(wasmrt_module_custom_section_at(module, i, &name, &length, &contents, &size));
    CHECK(length == strlen(names[i]) && memcmp(name, names[i], length) == 0);
    if (i == 2) CHECK(size == 5 && memcmp(contents, "three", 5) == 0);
  }
}

TEST(custom_sections) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  check_sections(module);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  wasm_module_t* again = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(again);
  check_sections(again);
  const char *name, *contents;
  size_t length, size;
  wasmrt_last_error_clear();
  CHECK(!wasmrt_module_custom_section_at(module, 4, &name, &length, &contents, &size));
  CHECK(!wasmrt_module_custom_section_at(module, SIZE_MAX, &name, &length, &contents, &size));
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_FAILS(!wasmrt_module_custom_section_at(NULL, 0, &name, &length, &contents, &size));
  // On failure nothing is written, wherever the NULL is.
  name = NULL;
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 0, &name, &length, &contents, NULL));
  CHECK_NULL(name);
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 99, &name, &length, &contents, NULL));
  CHECK_FAILS(!wasmrt_module_custom_section(module, "none", 4, &contents, NULL));
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 0, NULL, &length, &contents, &size));
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 0, &name, NULL, &contents, &size));
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 0, &name, &length, NULL, &size));
  CHECK_FAILS(!wasmrt_module_custom_section_at(module, 0, &name, &length, &contents, NULL));
  CHECK_FAILS(!wasmrt_module_custom_section(NULL, "a", 1, &contents, &size));
  CHECK_FAILS(!wasmrt_module_custom_section(module, NULL, 1, &contents, &size));
  CHECK_FAILS(!wasmrt_module_custom_section(module, "first", 5, NULL, &size));
  CHECK_FAILS(!wasmrt_module_custom_section(module, "first", 5, &contents, NULL));
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(again);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// As many sections as fit: none of the steps is quadratic in them.
TEST(many_custom_sections) {
  fixture_t fixture = fixture_new();
  size_t count = repetitions(1000000, 20000);
  wasm_byte_vec_t binary;
  wasm_byte_vec_new_uninitialized(&binary, 8 + 3 * count);
  memcpy(binary.data, "\0asm\1\0\0\0", 8);
  for (size_t i = 0; i < count; ++i) memcpy(binary.data + 8 + 3 * i, "\0\1\0", 3);
  wasm_module_t* module = wasm_module_new(fixture.store, &binary);
  REQUIRE(module);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_CUSTOM_SECTIONS), count);
  size_t right = 0;
  for (size_t i = 0; i < count; ++i) {
    const char *name, *contents;
    size_t length = 1, size = 1;
    wasmrt_module_custom_section_at(module, i, &name, &length, &contents, &size);
    right += length == 0 && size == 0;
  }
  CHECK_INT(right, count);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(counts) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, text);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_FUNCTIONS), 3);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_GLOBALS), 1);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_TABLES), 1);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_MEMORIES), 1);
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_TAGS), 0);
  size_t code = wasmrt_module_part_count(module, WASMRT_MODULE_CODE_BYTES);
  wasm_byte_vec_t artifact;
  wasm_module_serialize(module, &artifact);
  CHECK(code > 100 && code < artifact.size);
  wasm_module_t* again = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(again);
  for (wasmrt_module_part_t part = 0; part <= WASMRT_MODULE_CODE_BYTES; ++part)
    CHECK_INT(wasmrt_module_part_count(again, part), wasmrt_module_part_count(module, part));
  CHECK_FAILS(wasmrt_module_part_count(NULL, WASMRT_MODULE_FUNCTIONS) == 0);
  CHECK_FAILS(wasmrt_module_part_count(module, WASMRT_MODULE_CODE_BYTES + 1) == 0);
  CHECK_FAILS(wasmrt_module_part_count(module, UINT32_MAX) == 0);
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(again);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(null_instead_of_stores_modules_and_paths) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  CHECK_FAILS(!wasmrt_module_new_from_file(NULL, "x"));
  CHECK_FAILS(!wasmrt_module_new_from_file(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_module_deserialize_file(NULL, "x"));
  CHECK_FAILS(!wasmrt_module_deserialize_file(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_module_serialize_to_file(NULL, "x"));
  CHECK_FAILS(!wasmrt_module_serialize_to_file(module, NULL));
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
