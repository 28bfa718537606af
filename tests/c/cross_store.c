// Objects of another store: NULL, false or a trap with a message, never a mix-up.
#include "test.h"

// Two stores that hold the same kinds of objects at the same positions.
typedef struct pair_t {
  fixture_t own, other;
} pair_t;

static const char* wat =
    "(module"
    "  (func (export \"f\") (param i32) (result i32) (local.get 0))"
    "  (global (export \"g\") (mut i32) (i32.const 1))"
    "  (table (export \"t\") 2 4 funcref)"
    "  (memory (export \"m\") 1)"
    "  (func (export \"e\") (param externref) (result externref) (local.get 0))"
    "  (func (export \"r\") (param funcref) (result funcref) (local.get 0))"
    "  (global (export \"ge\") (mut externref) (ref.null extern))"
    "  (global (export \"gr\") (mut funcref) (ref.null func))"
    "  (table (export \"te\") 2 4 externref))";
enum { F, G, T, M, E, R, GE, GR, TE };

static pair_t pair_same_engine(void) {
  pair_t pair;
  pair.own = fixture_from_wat(wat);
  pair.other = (fixture_t){NULL, NULL, NULL, NULL, WASM_EMPTY_VEC};
  pair.other.store = wasm_store_new(pair.own.engine);
  REQUIRE(pair.other.store);
  fixture_load(&pair.other, wat, NULL, 0);
  return pair;
}

static pair_t pair_two_engines(void) {
  pair_t pair = {fixture_from_wat(wat), fixture_from_wat(wat)};
  return pair;
}

// Engines of different kinds, where there is more than one.
static pair_t pair_two_backends(void) {
  pair_t pair = {fixture_from_wat(wat), {NULL, NULL, NULL, NULL, WASM_EMPTY_VEC}};
  const char* name = wasmrt_backend_name(0);
  for (size_t i = 0; i < wasmrt_backend_count(); i++) {
    if (!backend_is(pair.own.engine, wasmrt_backend_name(i))) name = wasmrt_backend_name(i);
  }
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_backend(config, name));
  pair.other.engine = wasm_engine_new_with_config(config);
  pair.other.store = wasm_store_new(pair.other.engine);
  fixture_load(&pair.other, wat, NULL, 0);
  return pair;
}

static pair_t (*const pairs[3])(void) = {pair_same_engine, pair_two_engines, pair_two_backends};

static void pair_delete(pair_t* pair) {
  fixture_delete(&pair->other);
  fixture_delete(&pair->own);
}

TEST(imports_of_another_store) {
  const char* wats[4] = {
      "(module (import \"mod\" \"name\" (func (param i32) (result i32))))",
      "(module (import \"mod\" \"name\" (global (mut i32))))",
      "(module (import \"mod\" \"name\" (table 1 funcref)))",
      "(module (import \"mod\" \"name\" (memory 1)))",
  };
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    for (size_t j = 0; j < 4; j++) {
      wasm_module_t* module = module_from_wat(pair.own.store, wats[j]);
      wasm_extern_vec_t imports = {1, &pair.other.exports.data[j]};
      wasm_trap_t* trap = NULL;
      CHECK_FAILS(wasm_instance_new(pair.own.store, module, &imports, &trap) == NULL);
      CHECK_TRAP_CONTAINS(trap, "store");
      imports.data = &pair.own.exports.data[j];
      wasm_instance_t* instance = wasm_instance_new(pair.own.store, module, &imports, NULL);
      CHECK(instance != NULL);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
    }
    pair_delete(&pair);
  }
}

TEST(arguments_of_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_foreign_t* foreign = wasm_foreign_new(pair.other.store);
    wasm_ref_t* refs[3] = {
        wasm_foreign_as_ref(foreign),
        wasm_func_as_ref(fixture_func(&pair.other, F)),
        wasm_instance_as_ref(pair.other.instance),
    };
    for (size_t j = 0; j < 3; j++) {
      wasm_val_t argument = EXTERNREF(refs[j]), result;
      CHECK_REFUSED(call(fixture_func(&pair.own, E), &argument, 1, &result, 1));
    }
    wasm_val_t argument = FUNCREF(refs[1]), result;
    CHECK_REFUSED(call(fixture_func(&pair.own, R), &argument, 1, &result, 1));
    wasm_foreign_delete(foreign);
    pair_delete(&pair);
  }
}

static wasm_trap_t* give_env(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  wasm_val_copy(&results->data[0], env);
  return NULL;
}

TEST(callback_results_of_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_foreign_t* foreign = wasm_foreign_new(pair.other.store);
    size_t finalized = 0;
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_val_t values[2] = {EXTERNREF(wasm_foreign_as_ref(foreign)),
                            FUNCREF(wasm_func_as_ref(fixture_func(&pair.other, F)))};
    const char* wats[2] = {
        "(module (import \"\" \"\" (func $h (result externref)))"
        "  (func (export \"f\") (drop (call $h))))",
        "(module (import \"\" \"\" (func $h (result funcref)))"
        "  (func (export \"f\") (drop (call $h))))",
    };
    for (size_t j = 0; j < 2; j++) {
      wasm_func_t* host = host_func(pair.own.store, "", j == 0 ? "e" : "r", give_env, &values[j]);
      wasm_extern_t* import = wasm_func_as_extern(host);
      wasm_module_t* module = module_from_wat(pair.own.store, wats[j]);
      wasm_instance_t* instance = instantiate(pair.own.store, module, &import, 1);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      CHECK_REFUSED(call_plain(wasm_extern_as_func(exports.data[0])));
      CHECK_REFUSED(call_plain(host));
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
      wasm_func_delete(host);
    }
    wasm_foreign_delete(foreign);
    CHECK_INT(finalized, 1); // what was refused was released
    pair_delete(&pair);
  }
}

TEST(globals_and_values_of_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_foreign_t* foreign = wasm_foreign_new(pair.other.store);
    wasm_val_t e = EXTERNREF(wasm_foreign_as_ref(foreign));
    wasm_val_t r = FUNCREF(wasm_func_as_ref(fixture_func(&pair.other, F)));
    wasm_globaltype_t* type = globaltype(WASM_EXTERNREF, WASM_VAR);
    CHECK_FAILS(wasm_global_new(pair.own.store, type, &e) == NULL);
    wasm_globaltype_delete(type);
    type = globaltype(WASM_FUNCREF, WASM_CONST);
    CHECK_FAILS(wasm_global_new(pair.own.store, type, &r) == NULL);
    wasm_globaltype_delete(type);
    CHECK_LEAVES_ERROR(wasm_global_set(fixture_global(&pair.own, GE), &e));
    CHECK_LEAVES_ERROR(wasm_global_set(fixture_global(&pair.own, GR), &r));
    wasm_val_t value;
    wasm_global_get(fixture_global(&pair.own, GE), &value);
    CHECK_NULL(value.of.ref);
    wasm_global_get(fixture_global(&pair.own, GR), &value);
    CHECK_NULL(value.of.ref);
    wasm_foreign_delete(foreign);
    pair_delete(&pair);
  }
}

TEST(tables_and_elements_of_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_foreign_t* foreign = wasm_foreign_new(pair.other.store);
    wasm_ref_t* refs[2] = {wasm_func_as_ref(fixture_func(&pair.other, F)),
                           wasm_foreign_as_ref(foreign)};
    const wasm_valkind_t kinds[2] = {WASM_FUNCREF, WASM_EXTERNREF};
    wasm_table_t* tables[2] = {fixture_table(&pair.own, T), fixture_table(&pair.own, TE)};
    for (size_t j = 0; j < 2; j++) {
      wasm_tabletype_t* type = tabletype(kinds[j], 1, 2);
      CHECK_FAILS(wasm_table_new(pair.own.store, type, refs[j]) == NULL);
      wasm_tabletype_delete(type);
      CHECK_FAILS(!wasm_table_set(tables[j], 0, refs[j]));
      CHECK_FAILS(!wasm_table_grow(tables[j], 1, refs[j]));
      CHECK_INT(wasm_table_size(tables[j]), 2);
      CHECK_NULL(wasm_table_get(tables[j], 0));
    }
    wasm_foreign_delete(foreign);
    pair_delete(&pair);
  }
}

static wasm_trap_t* give_trap(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  return wasm_trap_copy(env);
}

// A trap is only a message and some frames: it ends the call, whatever its store.
TEST(callback_trap_of_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_trap_t* trap = new_trap(pair.other.store, "from elsewhere");
    wasm_func_t* host = host_func(pair.own.store, "", "", give_trap, trap);
    wasm_extern_t* import = wasm_func_as_extern(host);
    wasm_module_t* module = module_from_wat(
        pair.own.store, "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))");
    wasm_instance_t* instance = instantiate(pair.own.store, module, &import, 1);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_trap_t* traps[2] = {call_plain(wasm_extern_as_func(exports.data[0])), call_plain(host)};
    for (size_t j = 0; j < 2; j++) {
      CHECK(traps[j] != NULL);
      wasm_trap_delete(traps[j]);
    }
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
    wasm_trap_delete(trap);
    pair_delete(&pair);
  }
}

TEST(module_of_another_store_of_the_same_engine_is_accepted) {
  pair_t pair = pair_same_engine();
  wasm_instance_t* instance = instantiate(pair.own.store, pair.other.module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[F]), 3), 3);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  pair_delete(&pair);
}

TEST(module_of_another_engine_is_refused) {
  for (size_t i = 1; i < 3; i++) {
    pair_t pair = pairs[i]();
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(pair.own.store, pair.other.module, NULL, &trap) == NULL);
    CHECK_CONTAINS(wasmrt_last_error_message(), "engine");
    wasm_trap_delete(trap);
    pair_delete(&pair);
  }
}

// While one store runs, a callback may use another one.
typedef struct other_call_t {
  wasm_func_t* func;
} other_call_t;

static wasm_trap_t* call_other(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  const other_call_t* other = env;
  results->data[0] = I32(call_i32_i32(other->func, arguments->data[0].of.i32) + 1);
  return NULL;
}

TEST(callback_that_calls_into_another_store) {
  for (size_t i = 0; i < 3; i++) {
    pair_t pair = pairs[i]();
    other_call_t other = {fixture_func(&pair.other, F)};
    wasm_func_t* host = host_func(pair.own.store, "i", "i", call_other, &other);
    wasm_extern_t* import = wasm_func_as_extern(host);
    wasm_module_t* module =
        module_from_wat(pair.own.store,
                        "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
                        "  (func (export \"f\") (param i32) (result i32)"
                        "    (call $h (call $h (local.get 0)))))");
    wasm_instance_t* instance = instantiate(pair.own.store, module, &import, 1);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[0]), 40), 42);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
    pair_delete(&pair);
  }
}
