// Choosing the engine: by the environment, by the configuration; and the library's version.
#include "test.h"

static char* saved_backend;

// The program runs with WASMRT_BACKEND set; tests that change it restore it.
static void save_environment(void) {
  const char* value = getenv("WASMRT_BACKEND");
  saved_backend = NULL;
  if (value) {
    saved_backend = malloc(strlen(value) + 1);
    REQUIRE(saved_backend);
    strcpy(saved_backend, value);
  }
}

static void restore_environment(void) {
  if (saved_backend) {
    setenv("WASMRT_BACKEND", saved_backend, 1);
  } else {
    unsetenv("WASMRT_BACKEND");
  }
  free(saved_backend);
}

static void check_message_lists_backends(void) {
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_backend_name(i));
  }
}

TEST(unknown_backend_in_the_environment) {
  save_environment();
  setenv("WASMRT_BACKEND", "nonsense", 1);
  CHECK_FAILS(wasm_engine_new() == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "nonsense");
  check_message_lists_backends();
  CHECK_FAILS(wasm_engine_new_with_config(wasm_config_new()) == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "nonsense");
  check_message_lists_backends();
  setenv("WASMRT_BACKEND", "wasmtime,wasmi", 1);
  CHECK_FAILS(wasm_engine_new() == NULL);
  setenv("WASMRT_BACKEND", "\xff\xfe", 1); // not even UTF-8
  CHECK_FAILS(wasm_engine_new() == NULL);
  restore_environment();
}

TEST(backend_of_the_environment) {
  save_environment();
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    setenv("WASMRT_BACKEND", wasmrt_backend_name(i), 1);
    wasm_engine_t* engine = wasm_engine_new();
    REQUIRE(engine);
    CHECK_STR(wasmrt_engine_backend_name(engine), wasmrt_backend_name(i));
    wasm_engine_delete(engine);
    engine = wasm_engine_new_with_config(wasm_config_new());
    REQUIRE(engine);
    CHECK_STR(wasmrt_engine_backend_name(engine), wasmrt_backend_name(i));
    wasm_engine_delete(engine);
  }
  restore_environment();
}

TEST(first_backend_is_the_default) {
  save_environment();
  unsetenv("WASMRT_BACKEND");
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  CHECK_STR(wasmrt_engine_backend_name(engine), wasmrt_backend_name(0));
  wasm_engine_delete(engine);
  restore_environment();
}

TEST(config_goes_before_the_environment) {
  save_environment();
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    const char* environments[2] = {wasmrt_backend_name(wasmrt_backend_count() - 1 - i), "nonsense"};
    for (size_t j = 0; j < 2; j++) {
      setenv("WASMRT_BACKEND", environments[j], 1);
      wasm_config_t* config = wasm_config_new();
      CHECK(wasmrt_config_set_backend(config, wasmrt_backend_name(i)));
      wasm_engine_t* engine = wasm_engine_new_with_config(config);
      REQUIRE(engine);
      CHECK_STR(wasmrt_engine_backend_name(engine), wasmrt_backend_name(i));
      wasm_engine_delete(engine);
    }
  }
  restore_environment();
}

TEST(unknown_backend_in_the_config) {
  wasm_config_t* config = wasm_config_new();
  size_t last = wasmrt_backend_count() - 1;
  CHECK(wasmrt_config_set_backend(config, wasmrt_backend_name(last)));
  const char* names[4] = {"nonsense", "", "WASMTIME", "wasm"};
  for (size_t i = 0; i < 4; i++) {
    CHECK_FAILS(!wasmrt_config_set_backend(config, names[i]));
    check_message_lists_backends();
  }
  wasm_engine_t* engine = wasm_engine_new_with_config(config); // as it was before
  REQUIRE(engine);
  CHECK_STR(wasmrt_engine_backend_name(engine), wasmrt_backend_name(last));
  wasm_engine_delete(engine);
}

TEST(list_of_backends) {
  size_t count = wasmrt_backend_count();
  CHECK(count >= 1);
  for (size_t i = 0; i < count; i++) {
    const char* name = wasmrt_backend_name(i);
    REQUIRE(name && name[0]);
    for (size_t j = 0; j < i; j++) CHECK(strcmp(name, wasmrt_backend_name(j)) != 0);
  }
  CHECK_NULL(wasmrt_backend_name(count));
  CHECK_NULL(wasmrt_backend_name(SIZE_MAX));
}

// The tests are run once per backend: this is the one they are meant to run on.
TEST(this_program_runs_on_the_backend_of_its_environment) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  const char* expected = getenv("WASMRT_BACKEND");
  CHECK_STR(wasmrt_engine_backend_name(engine), expected ? expected : wasmrt_backend_name(0));
  wasm_engine_delete(engine);
}

TEST(version) {
  CHECK_STR(wasmrt_version(), WASMRT_VERSION);
  char numbers[64];
  snprintf(numbers, sizeof(numbers), "%d.%d.%d", WASMRT_VERSION_MAJOR, WASMRT_VERSION_MINOR,
           WASMRT_VERSION_PATCH);
  CHECK_STR(wasmrt_version(), numbers);
  CHECK_INT(wasmrt_version_number(), WASMRT_VERSION_NUMBER);
  CHECK_INT(WASMRT_VERSION_NUMBER,
            WASMRT_VERSION_MAJOR << 16 | WASMRT_VERSION_MINOR << 8 | WASMRT_VERSION_PATCH);
#if WASMRT_VERSION_NUMBER < 0x000100
#error "the first version was 0.1.0"
#endif
}

TEST(versions_of_backends) {
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    const char* version = wasmrt_backend_version(wasmrt_backend_name(i));
    REQUIRE(version);
    int major = -1, minor = -1, patch = -1;
    CHECK_INT(sscanf(version, "%d.%d.%d", &major, &minor, &patch), 3);
    CHECK(major >= 1 && minor >= 0 && patch >= 0);
    CHECK_PTR(wasmrt_backend_version(wasmrt_backend_name(i)), version);
  }
  CHECK_FAILS(wasmrt_backend_version(NULL) == NULL);
  CHECK_FAILS(wasmrt_backend_version("nonsense") == NULL);
  check_message_lists_backends();
}

// What is right is in config.c, beside what backends refuse.
TEST(wrong_questions_about_backends) {
  const char* backend = wasmrt_backend_name(0);
  CHECK_FAILS(!wasmrt_backend_supports(NULL, WASMRT_SETTING_FUEL));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  CHECK_FAILS(!wasmrt_backend_supports("nonsense", WASMRT_SETTING_FUEL));
  check_message_lists_backends();
  CHECK_FAILS(!wasmrt_backend_supports_proposal(NULL, WASMRT_PROPOSAL_SIMD));
  CHECK_FAILS(!wasmrt_backend_supports_proposal("", WASMRT_PROPOSAL_SIMD));
  check_message_lists_backends();
  const uint32_t none[] = {0, 19, 255, 256 + WASMRT_SETTING_FUEL, 65536 + 1, UINT32_MAX};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    CHECK_FAILS(!wasmrt_backend_supports(backend, none[i]));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "is not a value of wasmrt_setting_enum");
    CHECK_FAILS(!wasmrt_backend_supports_proposal(backend, none[i]));
    CHECK_CONTAINS(wasmrt_last_error_message(), "is not a value of wasmrt_proposal_enum");
  }
}

TEST(names_of_compilers_and_proposals) {
  CHECK_STR(wasmrt_compiler_name(WASMRT_COMPILER_DEFAULT), "default");
  CHECK_STR(wasmrt_compiler_name(WASMRT_COMPILER_CRANELIFT), "cranelift");
  CHECK_STR(wasmrt_compiler_name(WASMRT_COMPILER_LAZY_TRANSLATION), "lazy-translation");
  CHECK_STR(wasmrt_proposal_name(WASMRT_PROPOSAL_MUTABLE_GLOBAL), "mutable-global");
  CHECK_STR(wasmrt_proposal_name(WASMRT_PROPOSAL_THREADS), "threads");
  for (uint32_t number = 0; number < 600; number++) {
    CHECK_INT(wasmrt_compiler_name(number) != NULL, number <= WASMRT_COMPILER_SINGLEPASS);
    CHECK_INT(wasmrt_proposal_name(number) != NULL,
              number >= 1 && number <= WASMRT_PROPOSAL_THREADS);
  }
  CHECK_NULL(wasmrt_compiler_name(UINT32_MAX));
  CHECK_NULL(wasmrt_proposal_name(UINT32_MAX));
}

TEST(wat2wasm) {
  const char text[] = "(module (func (export \"f\") (result i32) (i32.const 5)))rest";
  wasm_byte_vec_t binary;
  GARBAGE(binary);
  CHECK(wasmrt_wat2wasm(text, sizeof(text) - 5, &binary)); // need not be zero-terminated
  CHECK(binary.size > 8 && memcmp(binary.data, "\0asm\1\0\0\0", 8) == 0);
  fixture_t fixture = fixture_new();
  wasm_module_t* module = wasm_module_new(fixture.store, &binary);
  CHECK(module != NULL);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(wat2wasm_of_wrong_text) {
  const char* texts[5] = {"(module", "(module\n  (func (i32.konst 1)))", "module)",
                          "(module (func 1))", "\xff\xff"};
  for (size_t i = 0; i < 5; i++) {
    wasm_byte_vec_t binary;
    GARBAGE(binary);
    CHECK_FAILS(!wasmrt_wat2wasm(texts[i], strlen(texts[i]), &binary));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
    CHECK_INT(binary.size, 0);
    CHECK_NULL(binary.data);
  }
  wasm_byte_vec_t binary;
  CHECK_FAILS(!wasmrt_wat2wasm(texts[1], strlen(texts[1]), &binary));
  CHECK_CONTAINS(wasmrt_last_error_message(), "2:10"); // line and column of the wrong word
}
