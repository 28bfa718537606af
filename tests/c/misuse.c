// What C cannot prevent: handles of the wrong kind behind a cast, which give an error, and objects
// deleted twice, which do nothing.
#include "test.h"

static const char* wat =
    "(module (func (export \"f\")) (global (export \"g\") (mut i32) (i32.const 1))"
    "  (table (export \"t\") 1 2 funcref) (memory (export \"m\") 1 2))";

// One object of each kind, as untyped pointers.
enum { INSTANCE, MODULE, TRAP, FOREIGN, FUNC, GLOBAL, TABLE, MEMORY, KINDS };

typedef struct objects_t {
  fixture_t fixture;
  wasm_trap_t* trap;
  wasm_foreign_t* foreign;
  void* all[KINDS];
} objects_t;

static void objects_init(objects_t* objects) {
  objects->fixture = fixture_from_wat(wat);
  objects->trap = new_trap(objects->fixture.store, "a trap");
  objects->foreign = wasm_foreign_new(objects->fixture.store);
  objects->all[INSTANCE] = objects->fixture.instance;
  objects->all[MODULE] = objects->fixture.module;
  objects->all[TRAP] = objects->trap;
  objects->all[FOREIGN] = objects->foreign;
  objects->all[FUNC] = fixture_func(&objects->fixture, 0);
  objects->all[GLOBAL] = fixture_global(&objects->fixture, 1);
  objects->all[TABLE] = fixture_table(&objects->fixture, 2);
  objects->all[MEMORY] = fixture_memory(&objects->fixture, 3);
}

static void objects_delete(objects_t* objects) {
  wasm_trap_delete(objects->trap);
  wasm_foreign_delete(objects->foreign);
  fixture_delete(&objects->fixture);
}

TEST(function_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    if (i == FUNC) continue;
    const wasm_func_t* func = objects.all[i];
    CHECK_REFUSED(call_plain(func));
    CHECK_FAILS(wasm_func_type(func) == NULL);
    CHECK_FAILS(wasm_func_param_arity(func) == 0);
    CHECK_FAILS(wasm_func_result_arity(func) == 0);
  }
  objects_delete(&objects);
}

TEST(global_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    if (i == GLOBAL) continue;
    wasm_global_t* global = objects.all[i];
    wasm_val_t value;
    GARBAGE(value);
    CHECK_LEAVES_ERROR(wasm_global_get(global, &value));
    wasm_val_delete(&value);
    CHECK_LEAVES_ERROR(wasm_global_set(global, &I32(1)));
    CHECK_FAILS(wasm_global_type(global) == NULL);
  }
  objects_delete(&objects);
}

TEST(table_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    if (i == TABLE) continue;
    wasm_table_t* table = objects.all[i];
    CHECK_FAILS(wasm_table_type(table) == NULL);
    CHECK_FAILS(wasm_table_get(table, 0) == NULL);
    CHECK_FAILS(!wasm_table_set(table, 0, NULL));
    CHECK_FAILS(wasm_table_size(table) == 0);
    CHECK_FAILS(!wasm_table_grow(table, 1, NULL));
  }
  objects_delete(&objects);
}

TEST(memory_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    if (i == MEMORY) continue;
    wasm_memory_t* memory = objects.all[i];
    CHECK_FAILS(wasm_memory_type(memory) == NULL);
    CHECK_FAILS(wasm_memory_data(memory) == NULL);
    CHECK_FAILS(wasm_memory_data_size(memory) == 0);
    CHECK_FAILS(wasm_memory_size(memory) == 0);
    CHECK_FAILS(!wasm_memory_grow(memory, 1));
  }
  objects_delete(&objects);
}

TEST(module_instance_trap_and_extern_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    if (i != MODULE) {
      const wasm_module_t* module = objects.all[i];
      wasm_importtype_vec_t imports;
      wasm_exporttype_vec_t exports;
      wasm_byte_vec_t artifact;
      GARBAGE(imports);
      GARBAGE(exports);
      GARBAGE(artifact);
      CHECK_LEAVES_ERROR(wasm_module_imports(module, &imports));
      CHECK_LEAVES_ERROR(wasm_module_exports(module, &exports));
      CHECK_LEAVES_ERROR(wasm_module_serialize(module, &artifact));
      CHECK(imports.size == 0 && exports.size == 0 && artifact.size == 0);
      CHECK_FAILS(wasm_module_share(module) == NULL);
      wasm_trap_t* trap = NULL;
      CHECK_FAILS(wasm_instance_new(objects.fixture.store, module, NULL, &trap) == NULL);
      wasm_trap_delete(trap);
    }
    if (i != INSTANCE) {
      wasm_extern_vec_t exports;
      GARBAGE(exports);
      CHECK_LEAVES_ERROR(wasm_instance_exports(objects.all[i], &exports));
      CHECK_INT(exports.size, 0);
    }
    if (i != TRAP) {
      wasm_message_t message;
      wasm_frame_vec_t trace;
      GARBAGE(message);
      GARBAGE(trace);
      CHECK_LEAVES_ERROR(wasm_trap_message(objects.all[i], &message));
      CHECK_LEAVES_ERROR(wasm_trap_trace(objects.all[i], &trace));
      CHECK(message.size == 0 && trace.size == 0);
      CHECK_FAILS(wasm_trap_origin(objects.all[i]) == NULL);
    }
    if (i < FUNC) {
      CHECK_FAILS(wasm_extern_kind(objects.all[i]) == 0);
      CHECK_FAILS(wasm_extern_type(objects.all[i]) == NULL);
    }
  }
  objects_delete(&objects);
}

TEST(import_of_the_wrong_kind) {
  objects_t objects;
  objects_init(&objects);
  wasm_module_t* module = module_from_wat(objects.fixture.store,
                                          "(module (import \"mod\" \"name\" (func (param i32))))");
  for (int i = 0; i < KINDS; i++) {
    wasm_extern_t* import = objects.all[i];
    wasm_extern_vec_t imports = {1, &import};
    CHECK_FAILS(wasm_instance_new(objects.fixture.store, module, &imports, NULL) == NULL);
    CHECK_CONTAINS(wasmrt_last_error_message(), "name");
  }
  wasm_module_delete(module);
  objects_delete(&objects);
}

static wasm_trap_t* give_env(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  return (wasm_trap_t*)wasm_ref_copy(env);
}

TEST(callback_that_returns_something_else_as_a_trap) {
  objects_t objects;
  objects_init(&objects);
  for (int i = 0; i < KINDS; i++) {
    wasm_func_t* host = host_func(objects.fixture.store, "", "", give_env, objects.all[i]);
    wasm_extern_t* import = wasm_func_as_extern(host);
    wasm_module_t* module =
        module_from_wat(objects.fixture.store,
                        "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))");
    wasm_instance_t* instance = instantiate(objects.fixture.store, module, &import, 1);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    wasm_trap_t* traps[2] = {call_plain(wasm_extern_as_func(exports.data[0])), call_plain(host)};
    for (size_t j = 0; j < 2; j++) {
      REQUIRE(traps[j]);
      wasm_message_t message;
      GARBAGE(message);
      wasm_trap_message(traps[j], &message); // of a trap, or refused
      wasm_byte_vec_delete(&message);
      wasm_trap_delete(traps[j]);
    }
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
  }
  objects_delete(&objects);
}

TEST(type_of_the_wrong_kind) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* func = functype("i", "i");
  wasm_globaltype_t* global = globaltype(WASM_I32, WASM_VAR);
  wasm_tabletype_t* table = tabletype(WASM_FUNCREF, 1, 2);
  wasm_memorytype_t* memory = memorytype(1, 2);
  wasm_tagtype_t* tag = wasm_tagtype_new(functype("i", ""));
  void* types[5] = {func, global, table, memory, tag};
  for (int i = 0; i < 5; i++) {
    if (i != 0) {
      CHECK_FAILS(wasm_functype_params(types[i]) == NULL);
      CHECK_FAILS(wasm_functype_results(types[i]) == NULL);
      CHECK_FAILS(wasm_func_new_with_env(fixture.store, types[i], give_env, NULL, NULL) == NULL);
    }
    if (i != 1) {
      CHECK_FAILS(wasm_globaltype_content(types[i]) == NULL);
      CHECK_FAILS(wasm_globaltype_mutability(types[i]) == 0);
      CHECK_FAILS(wasm_global_new(fixture.store, types[i], &I32(1)) == NULL);
    }
    if (i != 2) {
      CHECK_FAILS(wasm_tabletype_element(types[i]) == NULL);
      CHECK_FAILS(wasm_tabletype_limits(types[i]) == NULL);
      CHECK_FAILS(wasm_table_new(fixture.store, types[i], NULL) == NULL);
    }
    if (i != 3) {
      CHECK_FAILS(wasm_memorytype_limits(types[i]) == NULL);
      CHECK_FAILS(wasm_memory_new(fixture.store, types[i]) == NULL);
    }
    if (i != 4) CHECK_FAILS(wasm_tagtype_functype(types[i]) == NULL);
  }
  wasm_functype_delete(func);
  wasm_globaltype_delete(global);
  wasm_tabletype_delete(table);
  wasm_memorytype_delete(memory);
  wasm_tagtype_delete(tag);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Deleted twice. Programs written for collectors do that; the second time, nothing happens.

TEST(objects_deleted_twice) {
  fixture_t fixture = fixture_from_wat(wat);
  size_t finalized = 0;
  wasm_func_t* func = wasm_func_copy(fixture_func(&fixture, 0));
  wasm_func_delete(func);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_foreign_delete(foreign);
  wasm_foreign_delete(foreign);
  CHECK_INT(finalized, 1);
  wasm_trap_t* trap = new_trap(fixture.store, "deleted");
  wasm_trap_delete(trap);
  wasm_trap_delete(trap);
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

// Info that a deleted object cannot keep is finalized at once.
TEST(host_info_of_deleted_objects) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_delete(foreign);
  CHECK_LEAVES_ERROR(
      wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer));
  CHECK_INT(finalized, 1);
  CHECK_NULL(wasm_foreign_get_host_info(foreign));
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

TEST(val_deleted_twice) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t value = EXTERNREF(wasm_foreign_as_ref(foreign));
  wasm_val_delete(&value);
  wasm_val_delete(&value);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

TEST(valtype_deleted_after_it_was_moved) {
  wasm_valtype_t* type = wasm_valtype_new_i32();
  wasm_globaltype_t* global = wasm_globaltype_new(type, WASM_CONST);
  wasm_valtype_delete(type); // belongs to the global type by now
  CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(global)), WASM_I32);
  wasm_globaltype_delete(global);
  wasm_valtype_vec_t parameters;
  type = wasm_valtype_new_f64();
  wasm_valtype_vec_new(&parameters, 1, &type);
  wasm_functype_t* func = wasm_functype_new(&parameters, NULL);
  wasm_valtype_delete(type);
  CHECK(functype_is(func, "F", ""));
  wasm_functype_delete(func);
}
