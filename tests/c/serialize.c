// Serialized modules: round trips, and every way an artifact can be damaged or foreign.
#include "test.h"

static const char* wat =
    "(module"
    "  (import \"env\" \"log\" (func $log (param i32)))"
    "  (func $add (export \"add\") (param i32) (result i32)"
    "    (i32.add (local.get 0) (i32.const 1000)))"
    "  (memory (export \"memory\") 1 2) (data (i32.const 8) \"kept\")"
    "  (global (export \"global\") (mut i64) (i64.const 77))"
    "  (table (export \"table\") 3 funcref) (elem (i32.const 1) $add))";

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

static wasm_byte_vec_t serialize(const wasm_module_t* module) {
  wasm_byte_vec_t artifact;
  GARBAGE(artifact);
  wasm_module_serialize(module, &artifact);
  REQUIRE(artifact.size > 0 && artifact.data);
  return artifact;
}

static wasm_byte_vec_t serialize_wat(wasm_store_t* store, const char* text) {
  wasm_module_t* module = module_from_wat(store, text);
  wasm_byte_vec_t artifact = serialize(module);
  wasm_module_delete(module);
  return artifact;
}

static void check_works(wasm_store_t* store, const wasm_module_t* module) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  REQUIRE(imports.size == 1);
  CHECK(name_is(wasm_importtype_module(imports.data[0]), "env"));
  CHECK(name_is(wasm_importtype_name(imports.data[0]), "log"));
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  REQUIRE(exports.size == 4);
  const char* names[4] = {"add", "memory", "global", "table"};
  for (size_t i = 0; i < 4; i++) {
    CHECK(name_is(wasm_exporttype_name(exports.data[i]), names[i]));
  }
  wasm_exporttype_vec_delete(&exports);

  wasm_func_t* log = host_func(store, "i", "", do_nothing, NULL);
  wasm_extern_t* import = wasm_func_as_extern(log);
  wasm_instance_t* instance = instantiate(store, module, &import, 1);
  wasm_extern_vec_t externs;
  wasm_instance_exports(instance, &externs);
  REQUIRE(externs.size == 4);
  CHECK_INT(call_i32_i32(wasm_extern_as_func(externs.data[0]), 1), 1001);
  CHECK(memcmp(wasm_memory_data(wasm_extern_as_memory(externs.data[1])) + 8, "kept", 4) == 0);
  wasm_ref_t* element = wasm_table_get(wasm_extern_as_table(externs.data[3]), 1);
  CHECK(wasm_ref_same(element, wasm_extern_as_ref(externs.data[0])));
  wasm_ref_delete(element);
  wasm_extern_vec_delete(&externs);
  wasm_instance_delete(instance);
  wasm_func_delete(log);
}

TEST(serialize_and_deserialize) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, wat);
  wasm_module_t* module = wasm_module_deserialize(fixture.store, &artifact);
  REQUIRE(module);
  wasm_byte_vec_delete(&artifact); // not needed any more
  check_works(fixture.store, module);
  wasm_byte_vec_t again = serialize(module); // also from what was deserialized
  wasm_module_t* second = wasm_module_deserialize(fixture.store, &again);
  REQUIRE(second);
  CHECK(!wasm_module_same(module, second));
  wasm_byte_vec_delete(&again);
  check_works(fixture.store, second);
  wasm_module_delete(module);
  wasm_module_delete(second);
  fixture_delete(&fixture);
}

TEST(deserialize_in_another_engine) {
  fixture_t first = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(first.store, wat);
  fixture_delete(&first);
  fixture_t second = fixture_new();
  wasm_module_t* module = wasm_module_deserialize(second.store, &artifact);
  REQUIRE(module);
  wasm_byte_vec_delete(&artifact);
  check_works(second.store, module);
  wasm_module_delete(module);
  fixture_delete(&second);
}

// The bytes may lie anywhere, at any alignment.
TEST(deserialize_from_unaligned_bytes) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, wat);
  char* room = malloc(artifact.size + 16);
  REQUIRE(room);
  for (size_t offset = 0; offset < 16; offset++) {
    memcpy(room + offset, artifact.data, artifact.size);
    wasm_byte_vec_t view = {artifact.size, room + offset};
    wasm_module_t* module = wasm_module_deserialize(fixture.store, &view);
    CHECK(module != NULL);
    wasm_module_delete(module);
  }
  free(room);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(the_same_module_gives_artifacts_of_the_same_size) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t first = serialize_wat(fixture.store, wat);
  wasm_byte_vec_t second = serialize_wat(fixture.store, wat);
  CHECK_INT(first.size, second.size);
  wasm_byte_vec_delete(&first);
  wasm_byte_vec_delete(&second);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Damage

static bool refused(wasm_store_t* store, const char* bytes, size_t size) {
  // A copy of exactly this size lets the memory checkers see a read beyond its end.
  char* exact = malloc(size ? size : 1);
  REQUIRE(exact);
  memcpy(exact, bytes, size);
  wasm_byte_vec_t view = {size, exact};
  wasmrt_last_error_clear();
  wasm_module_t* module = wasm_module_deserialize(store, &view);
  free(exact);
  bool right = !module && wasmrt_last_error_message() && wasmrt_last_error_message()[0] &&
               wasmrt_last_error_kind() == WASMRT_ERROR_ARTIFACT;
  wasm_module_delete(module);
  return right;
}

TEST(artifact_truncated_at_each_length) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, "(module (func (export \"f\")))");
  size_t step = repetitions(1, artifact.size / 200 + 1), tried = 0, right = 0;
  for (size_t size = 0; size < artifact.size; size += size < 300 ? 1 : step) {
    tried++;
    right += refused(fixture.store, artifact.data, size);
  }
  CHECK_INT(right, tried);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(artifact_with_each_byte_changed) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, "(module (func (export \"f\")))");
  size_t step = repetitions(1, artifact.size / 200 + 1), tried = 0, right = 0;
  for (size_t i = 0; i < artifact.size; i += i < 300 ? 1 : step) {
    const unsigned char flips[3] = {0x01, 0x80, 0xff};
    char* byte = &artifact.data[i];
    char kept = *byte;
    *byte = (char)((unsigned char)kept ^ flips[i % 3]);
    tried++;
    right += refused(fixture.store, artifact.data, artifact.size);
    *byte = kept;
  }
  CHECK_INT(right, tried);
  wasm_module_t* module = wasm_module_deserialize(fixture.store, &artifact);
  CHECK(module != NULL); // in order again
  wasm_module_delete(module);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(artifact_with_bytes_added) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, "(module (func (export \"f\")))");
  char* longer = calloc(artifact.size + 16, 1);
  REQUIRE(longer);
  memcpy(longer, artifact.data, artifact.size);
  CHECK(refused(fixture.store, longer, artifact.size + 1));
  CHECK(refused(fixture.store, longer, artifact.size + 16));
  CHECK(refused(fixture.store, longer + 1, artifact.size - 1));
  free(longer);
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(what_is_no_artifact) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat(wat);
  CHECK(refused(fixture.store, binary.data, binary.size)); // a module that is not serialized
  wasm_byte_vec_delete(&binary);
  CHECK(refused(fixture.store, "", 0));
  CHECK(refused(fixture.store, "(module)", 8));
  CHECK(refused(fixture.store, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16));
  char zeros[1000] = {0};
  CHECK(refused(fixture.store, zeros, sizeof(zeros)));
  memset(zeros, 0xff, sizeof(zeros));
  CHECK(refused(fixture.store, zeros, sizeof(zeros)));
  fixture_delete(&fixture);
}

// A serialized module is not a module either.
TEST(module_new_of_an_artifact) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(fixture.store, wat);
  CHECK_FAILS(wasm_module_new(fixture.store, &artifact) == NULL);
  CHECK(!wasm_module_validate(fixture.store, &artifact));
  wasm_byte_vec_delete(&artifact);
  fixture_delete(&fixture);
}

TEST(artifact_of_another_backend) {
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    const char* name = wasmrt_backend_name(i);
    if (backend_is(fixture.engine, name)) continue;
    wasm_config_t* config = wasm_config_new();
    CHECK(wasmrt_config_set_backend(config, name));
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    wasm_store_t* store = wasm_store_new(engine);
    wasm_byte_vec_t artifact = serialize_wat(store, wat);
    CHECK(refused(fixture.store, artifact.data, artifact.size));
    CHECK_CONTAINS(wasmrt_last_error_message(), name);
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
    wasm_byte_vec_delete(&artifact);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
  fixture_delete(&fixture);
}

// Proposals that are off in the engine and were on for the artifact, or the reverse; the module
// uses none of them.
TEST(artifact_of_other_settings) {
  for (int round = 0; round < 4; round++) {
    wasm_engine_t* engines[2];
    for (int with = 0; with < 2; with++) {
      wasm_config_t* config = wasm_config_new();
      switch (round) {
        case 0: CHECK(wasmrt_config_set_fuel(config, with)); break;
        case 1: CHECK(wasmrt_config_set_interruption(config, with)); break;
        case 2: CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_TAIL_CALL, with)); break;
        default: CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, with));
      }
      engines[with] = wasm_engine_new_with_config(config);
      REQUIRE(engines[with]);
    }
    wasm_store_t* stores[2] = {wasm_store_new(engines[0]), wasm_store_new(engines[1])};
    for (int from = 0; from < 2; from++) {
      wasm_byte_vec_t artifact = serialize_wat(stores[from], "(module (func (export \"f\")))");
      for (int to = 0; to < 2; to++) {
        // An additional proposal does no harm.
        bool fits = from == to || (round >= 2 && to == 1);
        if (fits) {
          wasm_module_t* module = wasm_module_deserialize(stores[to], &artifact);
          CHECK(module != NULL);
          wasm_module_delete(module);
        } else {
          CHECK(refused(stores[to], artifact.data, artifact.size));
        }
      }
      wasm_byte_vec_delete(&artifact);
    }
    for (int with = 0; with < 2; with++) {
      wasm_store_delete(stores[with]);
      wasm_engine_delete(engines[with]);
    }
  }
}

TEST(artifact_that_uses_a_proposal_that_is_off) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t artifact = serialize_wat(
      fixture.store, "(module (func (export \"f\") (param v128) (result v128) (local.get 0)))");
  wasm_config_t* config = wasm_config_new();
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_SIMD, false));
  CHECK(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_RELAXED_SIMD, false));
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  CHECK(refused(store, artifact.data, artifact.size));
  CHECK_CONTAINS(wasmrt_last_error_message(), "simd");
  wasm_byte_vec_delete(&artifact);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  fixture_delete(&fixture);
}
