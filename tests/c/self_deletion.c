// Deleting what is executing, and what was deleted before: by callbacks, start functions and copies of values.
#include "test.h"

typedef struct scene_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_module_t* module;
  wasm_instance_t* instance;
  wasm_func_t* func;
  wasm_extern_vec_t exports;
  size_t finalized;
} scene_t;

static void count_finalized(void* env) {
  ((scene_t*)env)->finalized++;
}

// Gives up every handle; the running call must nevertheless complete.
static void delete_everything(scene_t* scene) {
  wasm_func_delete(scene->func);
  wasm_extern_vec_delete(&scene->exports);
  wasm_instance_delete(scene->instance);
  wasm_module_delete(scene->module);
  wasm_store_delete(scene->store);
  wasm_engine_delete(scene->engine);
}

static wasm_trap_t* deleting_callback(void* env, const wasm_val_vec_t* args,
                                      wasm_val_vec_t* results) {
  scene_t* scene = env;
  delete_everything(scene);
  CHECK(scene->finalized == 0);
  results->data[0].of.i32 = args->data[0].of.i32 + 1;
  return NULL;
}

static wasm_func_t* new_deleting_func(scene_t* scene) {
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  wasm_func_t* func =
      wasm_func_new_with_env(scene->store, type, deleting_callback, scene, count_finalized);
  wasm_functype_delete(type);
  return func;
}

static wasm_module_t* new_module(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t binary;
  REQUIRE(wasmrt_wat2wasm(text, strlen(text), &binary));
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  return module;
}

static scene_t new_scene(void) {
  scene_t scene = {0};
  scene.engine = wasm_engine_new();
  scene.store = wasm_store_new(scene.engine);
  return scene;
}

TEST(a_host_function_deletes_itself_and_its_store) {
  scene_t scene = new_scene();
  scene.func = new_deleting_func(&scene);
  wasm_val_t arg = WASM_I32_VAL(41), result;
  wasm_val_vec_t args = {1, &arg}, results = {1, &result};
  CHECK(wasm_func_call(scene.func, &args, &results) == NULL);
  CHECK_INT(result.of.i32, 42);
  CHECK_INT(scene.finalized, 1);
}

TEST(a_callback_deletes_all_that_is_running) {
  scene_t scene = new_scene();
  scene.module = new_module(scene.store,
                            "(module (import \"\" \"f\" (func $f (param i32) (result i32)))"
                            "  (func (export \"g\") (param i32) (result i32) (i32.add (call $f "
                            "(local.get 0)) (i32.const 1))))");
  scene.func = new_deleting_func(&scene);
  wasm_extern_t* import = wasm_func_as_extern(scene.func);
  wasm_extern_vec_t imports = {1, &import};
  scene.instance = wasm_instance_new(scene.store, scene.module, &imports, NULL);
  REQUIRE(scene.instance);
  wasm_instance_exports(scene.instance, &scene.exports);
  wasm_val_t arg = WASM_I32_VAL(40), result;
  wasm_val_vec_t args = {1, &arg}, results = {1, &result};
  CHECK(wasm_func_call(wasm_extern_as_func(scene.exports.data[0]), &args, &results) == NULL);
  CHECK_INT(result.of.i32, 42);
  CHECK_INT(scene.finalized, 1);
}

TEST(a_start_function_deletes_its_module) {
  scene_t scene = new_scene();
  scene.module = new_module(scene.store,
                            "(module (import \"\" \"f\" (func $f (param i32) (result i32)))"
                            "  (func $start (drop (call $f (i32.const 1)))) (start $start))");
  scene.func = new_deleting_func(&scene);
  wasm_extern_t* import = wasm_func_as_extern(scene.func);
  wasm_extern_vec_t imports = {1, &import};
  wasm_instance_t* instance = wasm_instance_new(scene.store, scene.module, &imports, NULL);
  REQUIRE(instance);
  CHECK_INT(scene.finalized, 0);
  wasm_instance_delete(instance);
  CHECK_INT(scene.finalized, 1);
}

TEST(a_store_deleted_twice_leaves_its_objects_alone) {
  scene_t scene = new_scene();
  wasm_foreign_t* foreign = wasm_foreign_new(scene.store);
  wasm_store_delete(scene.store);
  CHECK_LEAVES_ERROR(wasm_store_delete(scene.store));
  wasm_foreign_t* copy = wasm_foreign_copy(foreign);
  CHECK(wasm_foreign_same(copy, foreign));
  wasm_foreign_delete(copy);
  wasm_foreign_delete(foreign);
  CHECK(wasm_foreign_new(scene.store) == NULL);
  wasm_engine_delete(scene.engine);
}

TEST(values_know_a_dead_reference) {
  scene_t scene = new_scene();
  wasm_foreign_t* foreign = wasm_foreign_new(scene.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &scene, count_finalized);
  wasm_val_t one = WASM_REF_VAL(wasm_foreign_as_ref(foreign)), other = one, copy;
  wasm_val_delete(&one);
  CHECK_INT(scene.finalized, 1);
  wasm_val_copy(&copy, &other);
  CHECK(copy.of.ref == NULL);
  wasm_valtype_t* content = wasm_valtype_new(WASM_EXTERNREF);
  wasm_globaltype_t* type = wasm_globaltype_new(content, WASM_VAR);
  CHECK(wasm_global_new(scene.store, type, &other) == NULL);
  wasm_globaltype_delete(type);
  wasm_val_delete(&other);
  CHECK_INT(scene.finalized, 1);
  wasm_store_delete(scene.store);
  wasm_engine_delete(scene.engine);
}

static void copy_the_dying(void* info) {
  wasm_foreign_t** foreign = info;
  CHECK(wasm_foreign_copy(*foreign) == NULL);
}

TEST(a_finalizer_cannot_revive_its_object) {
  scene_t scene = new_scene();
  wasm_foreign_t* foreign = wasm_foreign_new(scene.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &foreign, copy_the_dying);
  wasm_foreign_delete(foreign);
  wasm_store_delete(scene.store);
  wasm_engine_delete(scene.engine);
}
