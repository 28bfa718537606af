// Engines and their configurations.
#include "test.h"

TEST(engine_new) {
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  CHECK(wasmrt_engine_backend_name(engine) != NULL);
  wasm_engine_delete(engine);
}

TEST(engine_new_with_config_takes_the_config) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  wasm_engine_delete(engine);
}

// The leak detectors find what a failing call leaves behind.
TEST(engine_new_with_config_takes_the_config_also_when_it_fails) {
  const char* kept = getenv("WASMRT_BACKEND");
  char* backend = kept ? strdup(kept) : NULL;
  setenv("WASMRT_BACKEND", "nonsense", 1);
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  CHECK_FAILS(wasm_engine_new_with_config(config) == NULL);
  if (backend) {
    setenv("WASMRT_BACKEND", backend, 1);
  } else {
    unsetenv("WASMRT_BACKEND");
  }
  free(backend);
}

TEST(config_delete_without_an_engine) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(config);
  wasm_config_delete(config);
}

TEST(many_engines_and_stores) {
  enum { ENGINES = 20, STORES = 20 };
  size_t engine_count = repetitions(ENGINES, 3), store_count = repetitions(STORES, 3);
  wasm_engine_t* engines[ENGINES];
  wasm_store_t* stores[ENGINES][STORES];
  for (size_t i = 0; i < engine_count; i++) {
    engines[i] = wasm_engine_new();
    REQUIRE(engines[i]);
    for (size_t j = 0; j < store_count; j++) {
      stores[i][j] = wasm_store_new(engines[i]);
      REQUIRE(stores[i][j]);
    }
  }
  for (size_t i = 0; i < engine_count; i++) {
    if (i % 2) wasm_engine_delete(engines[i]); // before its stores
    for (size_t j = 0; j < store_count; j++) {
      wasm_module_t* module = module_from_wat(
          stores[i][j], "(module (func (export \"f\") (result i32) (i32.const 11)))");
      wasm_instance_t* instance = instantiate(stores[i][j], module, NULL, 0);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 11);
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
      wasm_store_delete(stores[i][j]);
    }
    if (i % 2 == 0) wasm_engine_delete(engines[i]); // after them
  }
}

TEST(engines_one_after_another) {
  size_t count = repetitions(500, 20);
  for (size_t i = 0; i < count; i++) {
    wasm_engine_t* engine = wasm_engine_new();
    wasm_store_t* store = wasm_store_new(engine);
    CHECK(engine != NULL && store != NULL);
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
}

// Engines of different kinds live side by side in one process.
TEST(engines_of_every_backend_together) {
  enum { MOST = 16 };
  size_t count = wasmrt_backend_count();
  REQUIRE(count >= 1 && count <= MOST);
  wasm_engine_t* engines[MOST];
  wasm_store_t* stores[MOST];
  wasm_module_t* modules[MOST];
  wasm_instance_t* instances[MOST];
  wasm_extern_vec_t exports[MOST];
  for (size_t i = 0; i < count; i++) {
    wasm_config_t* config = wasm_config_new();
    CHECK(wasmrt_config_set_backend(config, wasmrt_backend_name(i)));
    engines[i] = wasm_engine_new_with_config(config);
    REQUIRE(engines[i]);
    CHECK_STR(wasmrt_engine_backend_name(engines[i]), wasmrt_backend_name(i));
    stores[i] = wasm_store_new(engines[i]);
    modules[i] = module_from_wat(stores[i],
                                 "(module (func (export \"square\") (param i32) (result i32)"
                                 "  (i32.mul (local.get 0) (local.get 0))))");
    instances[i] = instantiate(stores[i], modules[i], NULL, 0);
    wasm_instance_exports(instances[i], &exports[i]);
  }
  for (size_t i = 0; i < count; i++) {
    CHECK_INT(call_i32_i32(wasm_extern_as_func(exports[i].data[0]), 12), 144);
  }
  for (size_t i = 0; i < count; i++) {
    wasm_extern_vec_delete(&exports[i]);
    wasm_instance_delete(instances[i]);
    wasm_module_delete(modules[i]);
    wasm_store_delete(stores[i]);
    wasm_engine_delete(engines[i]);
  }
}
