// Modules that the host changes on their way in.
#define _GNU_SOURCE
#include "configured.h"
#include "files.h"

#include <pthread.h>

// A transformation that adds a custom section with a letter, and counts.
typedef struct letter_t {
  char letter;
  atomic_size_t calls, finalized;
} letter_t;

static bool add_section(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                        wasm_message_t* message) {
  letter_t* letter = env;
  letter->calls++;
  CHECK(out->size == 0 && out->data == NULL);
  CHECK(message->size == 0 && message->data == NULL);
  wasm_byte_vec_new_uninitialized(out, binary->size + 4);
  memcpy(out->data, binary->data, binary->size);
  const char section[4] = {0, 2, 1, letter->letter};
  memcpy(out->data + binary->size, section, 4);
  return true;
}

static void count_finalized(void* env) {
  ((letter_t*)env)->finalized++;
}

static wasm_config_t* with_letters(letter_t* letters, size_t count) {
  wasm_config_t* config = wasm_config_new();
  for (size_t i = 0; i < count; ++i)
    CHECK(wasmrt_config_push_transform(config, add_section, &letters[i], count_finalized));
  return config;
}

static const char* const text =
    "(module (func (export \"f\") (param i32) (result i32)"
    "  (i32.add (local.get 0) (i32.const 1))))";

static void check_letters(const wasm_module_t* module, const char* expected) {
  CHECK_INT(wasmrt_module_part_count(module, WASMRT_MODULE_CUSTOM_SECTIONS), strlen(expected));
  for (size_t i = 0; expected[i]; ++i) {
    const char *name, *contents;
    size_t length = 0, size;
    CHECK(wasmrt_module_custom_section_at(module, i, &name, &length, &contents, &size));
    CHECK(length == 1 && *name == expected[i]);
  }
}

TEST(in_order) {
  letter_t letters[3] = {{.letter = 'a'}, {.letter = 'b'}, {.letter = 'c'}};
  fixture_t fixture = fixture_from_config(with_letters(letters, 3));
  fixture_load(&fixture, text, NULL, 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 41), 42);
  check_letters(fixture.module, "abc");
  // What is serialized is the result, and it is not changed again.
  wasm_byte_vec_t artifact, binary = binary_from_wat(text);
  wasm_module_serialize(fixture.module, &artifact);
  wasm_module_t* again = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(again);
  check_letters(again, "abc");
  wasm_module_delete(again);
  wasm_byte_vec_delete(&artifact);
  for (int i = 0; i < 3; ++i) CHECK_INT(letters[i].calls, 1);
  CHECK(wasm_module_validate(fixture.store, &binary));
  for (int i = 0; i < 3; ++i) CHECK_INT(letters[i].calls, 2);
  REQUIRE(wasmrt_module_precompile(fixture.engine, &binary, &artifact));
  again = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(again);
  check_letters(again, "abc");
  wasm_module_delete(again);
  wasm_byte_vec_delete(&artifact);
  wasm_byte_vec_delete(&binary);
  for (int i = 0; i < 3; ++i) CHECK_INT(letters[i].finalized, 0);
  fixture_delete(&fixture);
  for (int i = 0; i < 3; ++i) CHECK_INT(letters[i].finalized, 1);
}

// The cache is asked for the result: the same bytes may become another module.
TEST(the_result_is_what_is_cached) {
  char directory[256];
  scratch(directory);
  for (int round = 0; round < 3; ++round) {
    letter_t letters[1] = {{.letter = (char)('a' + round / 2)}};
    wasm_config_t* config = with_letters(letters, 1);
    CHECK(wasmrt_config_set_cache(config, directory, 0));
    fixture_t fixture = fixture_from_config(config);
    fixture_load(&fixture, text, NULL, 0);
    check_letters(fixture.module, round < 2 ? "a" : "b");
    uint64_t found, missing;
    CHECK(wasmrt_engine_cache_counts(fixture.engine, &found, &missing));
    if (backend_is(fixture.engine, "wasmtime")) CHECK_INT(found, round == 1);
    fixture_delete(&fixture);
  }
  remove_tree(directory);
}

static bool leave(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                  wasm_message_t* message) {
  (void)env, (void)binary, (void)out, (void)message;
  return true;
}

TEST(a_module_that_is_left_as_it_is) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_push_transform(config, leave, NULL, NULL));
  fixture_t fixture = fixture_from_config(config);
  fixture_load(&fixture, text, NULL, 0);
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 41), 42);
  // Its errors are those of the module itself.
  wasm_byte_vec_t binary = {8, (char*)"\0asm\1\0\0\1"};
  CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &binary), WASMRT_ERROR_COMPILE);
  CHECK(!strstr(wasmrt_last_error_message(), "transformation"));
  fixture_delete(&fixture);
}

// From another form: the engine never sees what the program passes.
static bool from_text(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                      wasm_message_t* message) {
  (void)env;
  if (wasmrt_wat2wasm(binary->data, binary->size, out)) return true;
  wasm_name_new_from_string(message, wasmrt_last_error_message());
  return false;
}

TEST(modules_in_another_form) {
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_push_transform(config, from_text, NULL, NULL));
  fixture_t fixture = fixture_from_config(config);
  wasm_byte_vec_t written = {strlen(text), (char*)text};
  wasm_module_t* module = wasm_module_new(fixture.store, &written);
  REQUIRE(module);
  wasm_module_delete(module);
  CHECK(wasm_module_validate(fixture.store, &written));
  written.size -= 1;
  CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &written), WASMRT_ERROR_COMPILE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "the host's transformation failed: ");
  CHECK_CONTAINS(wasmrt_last_error_message(), "expected `)`");
  CHECK_FAILS(!wasm_module_validate(fixture.store, &written));
  char directory[256];
  scratch(directory);
  host_write(in(directory, "text.wat"), text);
  module = wasmrt_module_new_from_file(fixture.store, in(directory, "text.wat"));
  CHECK(module != NULL);
  wasm_module_delete(module);
  remove_tree(directory);
  fixture_delete(&fixture);
}

// The environment is what it answers.
static bool answer(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                   wasm_message_t* message) {
  (void)binary;
  const char* text = env;
  if (!text) {
    // Both are set although it fails.
    wasm_byte_vec_new(out, 4, "\0asm");
    return false;
  }
  wasm_byte_vec_new(out, strlen(text), text);
  wasm_name_new_from_string_nt(message, "a message that nobody reads");
  return true;
}

TEST(transformations_that_go_wrong) {
  for (int kind = 0; kind < 2; ++kind) {
    wasm_config_t* config = wasm_config_new();
    CHECK(wasmrt_config_push_transform(config, answer, kind ? (void*)"garbage" : NULL, NULL));
    fixture_t fixture = fixture_from_config(config);
    wasm_byte_vec_t binary = binary_from_wat(text);
    CHECK_FAILS_WITH(!wasm_module_new(fixture.store, &binary), WASMRT_ERROR_COMPILE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "transformation");
    CHECK_CONTAINS(wasmrt_last_error_message(), kind ? "67 61 72 62" : "no reason");
    CHECK_FAILS(!wasm_module_validate(fixture.store, &binary));
    wasm_byte_vec_delete(&binary);
    // The store is usable afterwards.
    wasm_memorytype_t* type = wasm_memorytype_new(&(wasm_limits_t){1, 2});
    wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
    CHECK(memory != NULL);
    wasm_memory_delete(memory);
    wasm_memorytype_delete(type);
    fixture_delete(&fixture);
  }
}

TEST(configurations_without_an_engine) {
  letter_t letters[2] = {{.letter = 'a'}, {.letter = 'b'}};
  wasm_config_t* config = with_letters(letters, 2);
  CHECK_INT(letters[0].finalized, 0);
  wasm_config_delete(config);
  CHECK_INT(letters[0].finalized, 1);
  CHECK_INT(letters[1].finalized, 1);
  // An engine that cannot be made.
  config = with_letters(letters, 1);
  CHECK(wasmrt_config_set_target(config, "no-such-machine"));
  CHECK(!wasm_engine_new_with_config(config));
  CHECK_INT(letters[0].finalized, 2);
  // No callback, no configuration.
  config = wasm_config_new();
  CHECK_FAILS(!wasmrt_config_push_transform(config, NULL, &letters[0], count_finalized));
  CHECK_INT(letters[0].finalized, 3);
  wasm_config_delete(config);
  CHECK_FAILS(!wasmrt_config_push_transform(NULL, add_section, &letters[0], count_finalized));
  CHECK_INT(letters[0].finalized, 4);
}

static void* make_modules(void* argument) {
  wasm_engine_t* engine = argument;
  wasm_byte_vec_t binary = binary_from_wat(text);
  for (int i = 0; i < 20; ++i) {
    wasm_store_t* store = wasm_store_new(engine);
    wasm_module_t* module = wasm_module_new(store, &binary);
    if (CHECK(module != NULL)) check_letters(module, "x");
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  wasm_byte_vec_delete(&binary);
  return NULL;
}

TEST(several_threads) {
  letter_t letters[1] = {{.letter = 'x'}};
  wasm_engine_t* engine = wasm_engine_new_with_config(with_letters(letters, 1));
  REQUIRE(engine);
  pthread_t threads[4];
  for (int i = 0; i < 4; ++i) REQUIRE(pthread_create(&threads[i], NULL, make_modules, engine) == 0);
  for (int i = 0; i < 4; ++i) pthread_join(threads[i], NULL);
  CHECK_INT(letters[0].calls, 80);
  wasm_engine_delete(engine);
  CHECK_INT(letters[0].finalized, 1);
}

// What is deleted by the function that changes a module lives until the module is made.
typedef struct deleter_t {
  wasm_store_t* store;
  wasm_engine_t* engine;
  size_t finalized;
} deleter_t;

static bool delete_all(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                       wasm_message_t* message) {
  (void)message;
  deleter_t* deleter = env;
  wasm_store_delete(deleter->store);
  wasm_engine_delete(deleter->engine);
  deleter->store = NULL;
  deleter->engine = NULL;
  wasm_byte_vec_copy(out, binary);
  return true;
}

static void count_deleter(void* env) {
  ((deleter_t*)env)->finalized++;
}

TEST(stores_and_engines_deleted_meanwhile) {
  wasm_byte_vec_t binary = binary_from_wat(text);
  for (int kind = 0; kind < 3; ++kind) {
    deleter_t deleter = {NULL, NULL, 0};
    wasm_config_t* config = wasm_config_new();
    // A second one, which is called after the deletion.
    for (int i = 0; i < 2; ++i)
      CHECK(wasmrt_config_push_transform(config, delete_all, &deleter, count_deleter));
    deleter.engine = wasm_engine_new_with_config(config);
    REQUIRE(deleter.engine);
    wasm_byte_vec_t artifact = WASM_EMPTY_VEC;
    wasm_module_t* module = NULL;
    if (kind < 2) deleter.store = wasm_store_new(deleter.engine);
    switch (kind) {
      case 0: module = wasm_module_new(deleter.store, &binary); break;
      case 1: CHECK(wasm_module_validate(deleter.store, &binary)); break;
      default: CHECK(wasmrt_module_precompile(deleter.engine, &binary, &artifact));
    }
    CHECK_INT(module != NULL, kind == 0);
    if (module) CHECK_INT(wasmrt_module_export_count(module), 1);
    wasm_module_delete(module);
    wasm_byte_vec_delete(&artifact);
    CHECK_INT(deleter.finalized, 2);
  }
  wasm_byte_vec_delete(&binary);
}
