// NULL for every pointer argument of every function: a value that says so, and no crash.
// Where an object is expected, constructors and accessors also leave a message; NULL instead of
// a vector means an empty one.
#include "test.h"

#define CHECK_EMPTY(vec)      \
  do {                        \
    CHECK_INT((vec).size, 0); \
    CHECK_NULL((vec).data);   \
  } while (0)

// ------------------------------------------------------------------------------------------------
// Families

#define DELETE_NULL(name) wasm_##name##_delete(NULL);

TEST(delete_of_null) {
  DELETE_NULL(config)
  DELETE_NULL(engine)
  DELETE_NULL(store)
  DELETE_NULL(valtype)
  DELETE_NULL(functype)
  DELETE_NULL(globaltype)
  DELETE_NULL(tabletype)
  DELETE_NULL(memorytype)
  DELETE_NULL(tagtype)
  DELETE_NULL(externtype)
  DELETE_NULL(importtype)
  DELETE_NULL(exporttype)
  DELETE_NULL(val)
  DELETE_NULL(ref)
  DELETE_NULL(frame)
  DELETE_NULL(trap)
  DELETE_NULL(foreign)
  DELETE_NULL(module)
  DELETE_NULL(shared_module)
  DELETE_NULL(func)
  DELETE_NULL(global)
  DELETE_NULL(table)
  DELETE_NULL(memory)
  DELETE_NULL(extern)
  DELETE_NULL(instance)
  // Nothing to see from outside but that we are still here; the library also goes on working.
  wasm_valtype_t* type = wasm_valtype_new_i32();
  CHECK_INT(wasm_valtype_kind(type), WASM_I32);
  wasm_valtype_delete(type);
}

#define VECTOR_OF_NULL(name)                                                               \
  TEST(name##_vec_of_null) {                                                               \
    wasm_##name##_vec_new_empty(NULL);                                                     \
    wasm_##name##_vec_new_uninitialized(NULL, 3);                                          \
    wasm_##name##_vec_new(NULL, 0, NULL);                                                  \
    wasm_##name##_vec_delete(NULL);                                                        \
    wasm_##name##_vec_t empty, vec;                                                        \
    wasm_##name##_vec_new_empty(&empty);                                                   \
    wasm_##name##_vec_copy(NULL, &empty);                                                  \
    wasm_##name##_vec_copy(NULL, NULL);                                                    \
    GARBAGE(vec);                                                                          \
    wasm_##name##_vec_copy(&vec, NULL); /* the copy of an empty one */                     \
    CHECK_EMPTY(vec);                                                                      \
    GARBAGE(vec);                                                                          \
    wasm_##name##_vec_new(&vec, 0, NULL);                                                  \
    CHECK_INT(vec.size, 0);                                                                \
    wasm_##name##_vec_delete(&vec);                                                        \
    GARBAGE(vec);                                                                          \
    wasm_##name##_vec_new(&vec, 2, NULL); /* as new_uninitialized: zero */                 \
    CHECK_INT(vec.size, 2);                                                                \
    REQUIRE(vec.data);                                                                     \
    for (size_t i = 0; i < 2 * sizeof(*vec.data); i++) CHECK_INT(((char*)vec.data)[i], 0); \
    wasm_##name##_vec_delete(&vec);                                                        \
    wasm_##name##_vec_t broken = {2, NULL}; /* claims elements that it does not have */    \
    GARBAGE(vec);                                                                          \
    wasm_##name##_vec_copy(&vec, &broken);                                                 \
    CHECK_INT(vec.size, 0);                                                                \
    wasm_##name##_vec_delete(&vec);                                                        \
    wasm_##name##_vec_delete(&broken);                                                     \
    CHECK_EMPTY(broken);                                                                   \
  }

VECTOR_OF_NULL(byte)
VECTOR_OF_NULL(valtype)
VECTOR_OF_NULL(functype)
VECTOR_OF_NULL(globaltype)
VECTOR_OF_NULL(tabletype)
VECTOR_OF_NULL(memorytype)
VECTOR_OF_NULL(tagtype)
VECTOR_OF_NULL(externtype)
VECTOR_OF_NULL(importtype)
VECTOR_OF_NULL(exporttype)
VECTOR_OF_NULL(val)
VECTOR_OF_NULL(frame)
VECTOR_OF_NULL(extern)

// A size that no memory can hold: an empty vector and a message.
#define VECTOR_TOO_LARGE(name)                                                        \
  GARBAGE(name##_vec);                                                                \
  CHECK_LEAVES_ERROR(wasm_##name##_vec_new_uninitialized(&name##_vec, SIZE_MAX));     \
  CHECK_EMPTY(name##_vec);                                                            \
  GARBAGE(name##_vec);                                                                \
  CHECK_LEAVES_ERROR(wasm_##name##_vec_new_uninitialized(&name##_vec, SIZE_MAX / 2)); \
  CHECK_EMPTY(name##_vec)

TEST(vectors_too_large_for_any_memory) {
  wasm_byte_vec_t byte_vec;
  VECTOR_TOO_LARGE(byte);
  wasm_val_vec_t val_vec;
  VECTOR_TOO_LARGE(val);
  wasm_valtype_vec_t valtype_vec;
  VECTOR_TOO_LARGE(valtype);
  wasm_extern_vec_t extern_vec;
  VECTOR_TOO_LARGE(extern);
}

TEST(copy_of_null) {
  CHECK_NULL(wasm_valtype_copy(NULL));
  CHECK_NULL(wasm_functype_copy(NULL));
  CHECK_NULL(wasm_globaltype_copy(NULL));
  CHECK_NULL(wasm_tabletype_copy(NULL));
  CHECK_NULL(wasm_memorytype_copy(NULL));
  CHECK_NULL(wasm_tagtype_copy(NULL));
  CHECK_NULL(wasm_externtype_copy(NULL));
  CHECK_NULL(wasm_importtype_copy(NULL));
  CHECK_NULL(wasm_exporttype_copy(NULL));
  CHECK_NULL(wasm_frame_copy(NULL));
  CHECK_NULL(wasm_ref_copy(NULL));
  CHECK_NULL(wasm_trap_copy(NULL));
  CHECK_NULL(wasm_foreign_copy(NULL));
  CHECK_NULL(wasm_module_copy(NULL));
  CHECK_NULL(wasm_func_copy(NULL));
  CHECK_NULL(wasm_global_copy(NULL));
  CHECK_NULL(wasm_table_copy(NULL));
  CHECK_NULL(wasm_memory_copy(NULL));
  CHECK_NULL(wasm_extern_copy(NULL));
  CHECK_NULL(wasm_instance_copy(NULL));
}

#define REFERENCE_OF_NULL(name)                                                    \
  TEST(name##_reference_of_null) {                                                 \
    int info;                                                                      \
    CHECK_NULL(wasm_##name##_get_host_info(NULL));                                 \
    wasm_##name##_set_host_info(NULL, &info);                                      \
    wasm_##name##_set_host_info(NULL, NULL);                                       \
    wasm_##name##_set_host_info_with_finalizer(NULL, &info, NULL);                 \
    size_t finalized = 0;                                                          \
    wasm_##name##_set_host_info_with_finalizer(NULL, &finalized, count_finalizer); \
    CHECK_INT(finalized, 1); /* taken, and so gone */                              \
    CHECK_NULL(wasm_##name##_get_host_info(NULL));                                 \
    CHECK(wasm_##name##_same(NULL, NULL));                                         \
  }

REFERENCE_OF_NULL(ref)
REFERENCE_OF_NULL(trap)
REFERENCE_OF_NULL(foreign)
REFERENCE_OF_NULL(module)
REFERENCE_OF_NULL(func)
REFERENCE_OF_NULL(global)
REFERENCE_OF_NULL(table)
REFERENCE_OF_NULL(memory)
REFERENCE_OF_NULL(extern)
REFERENCE_OF_NULL(instance)

#define CAST_OF_NULL(from, to)             \
  CHECK_NULL(wasm_##from##_as_##to(NULL)); \
  CHECK_NULL(wasm_##from##_as_##to##_const(NULL));

TEST(casts_of_null){
    CAST_OF_NULL(trap, ref) CAST_OF_NULL(foreign, ref) CAST_OF_NULL(module, ref) CAST_OF_NULL(
        func, ref) CAST_OF_NULL(global, ref) CAST_OF_NULL(table, ref) CAST_OF_NULL(memory, ref)
        CAST_OF_NULL(extern, ref) CAST_OF_NULL(instance, ref) CAST_OF_NULL(ref, trap)
            CAST_OF_NULL(ref, foreign) CAST_OF_NULL(ref, module) CAST_OF_NULL(ref, func)
                CAST_OF_NULL(ref, global) CAST_OF_NULL(ref, table) CAST_OF_NULL(ref, memory)
                    CAST_OF_NULL(ref, extern) CAST_OF_NULL(ref, instance) CAST_OF_NULL(func, extern)
                        CAST_OF_NULL(global, extern) CAST_OF_NULL(table, extern)
                            CAST_OF_NULL(memory, extern) CAST_OF_NULL(extern, func)
                                CAST_OF_NULL(extern, global) CAST_OF_NULL(extern, table)
                                    CAST_OF_NULL(extern, memory) CAST_OF_NULL(functype, externtype)
                                        CAST_OF_NULL(globaltype,
                                                     externtype) CAST_OF_NULL(tabletype, externtype)
                                            CAST_OF_NULL(memorytype, externtype)
                                                CAST_OF_NULL(tagtype, externtype)
                                                    CAST_OF_NULL(externtype, functype)
                                                        CAST_OF_NULL(externtype, globaltype)
                                                            CAST_OF_NULL(externtype, tabletype)
                                                                CAST_OF_NULL(externtype, memorytype)
                                                                    CAST_OF_NULL(externtype,
                                                                                 tagtype)}

// ------------------------------------------------------------------------------------------------
// Types

TEST(type_constructors_of_null) {
  const wasm_limits_t limits = {1, 2};
  CHECK_FAILS(wasm_globaltype_new(NULL, WASM_VAR) == NULL);
  CHECK_FAILS(wasm_tabletype_new(NULL, &limits) == NULL);
  CHECK_FAILS(wasm_tabletype_new(wasm_valtype_new_funcref(), NULL) == NULL);
  CHECK_FAILS(wasm_tabletype_new(NULL, NULL) == NULL);
  CHECK_FAILS(wasm_memorytype_new(NULL) == NULL);
  CHECK_FAILS(wasm_tagtype_new(NULL) == NULL);
  CHECK_FAILS(wasm_importtype_new(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_exporttype_new(NULL, NULL) == NULL);
  wasm_functype_t* empty = wasm_functype_new(NULL, NULL); // two empty vectors
  CHECK(empty != NULL);
  wasm_functype_delete(empty);
}

TEST(type_accessors_of_null) {
  CHECK_FAILS(wasm_valtype_kind(NULL) == 0);
  CHECK_FAILS(wasm_functype_params(NULL) == NULL);
  CHECK_FAILS(wasm_functype_results(NULL) == NULL);
  CHECK_FAILS(wasm_globaltype_content(NULL) == NULL);
  CHECK_FAILS(wasm_globaltype_mutability(NULL) == 0);
  CHECK_FAILS(wasm_tabletype_element(NULL) == NULL);
  CHECK_FAILS(wasm_tabletype_limits(NULL) == NULL);
  CHECK_FAILS(wasm_memorytype_limits(NULL) == NULL);
  CHECK_FAILS(wasm_tagtype_functype(NULL) == NULL);
  CHECK_FAILS(wasm_externtype_kind(NULL) == 0);
  CHECK_FAILS(wasm_importtype_module(NULL) == NULL);
  CHECK_FAILS(wasm_importtype_name(NULL) == NULL);
  CHECK_FAILS(wasm_importtype_type(NULL) == NULL);
  CHECK_FAILS(wasm_exporttype_name(NULL) == NULL);
  CHECK_FAILS(wasm_exporttype_type(NULL) == NULL);
}

TEST(val_copy_of_null) {
  wasm_val_t value = I32(1), copy;
  GARBAGE(copy);
  copy.kind = WASM_EXTERNREF; // with garbage as reference, unless it is overwritten
  wasm_val_copy(&copy, NULL);
  wasm_val_delete(&copy);
  CHECK(!wasm_valkind_is_ref(copy.kind) || copy.of.ref == NULL);
  wasm_val_copy(NULL, &value);
  wasm_val_copy(NULL, NULL);
}

// ------------------------------------------------------------------------------------------------
// Runtime objects

TEST(engine_and_store_of_null) {
  CHECK_FAILS(wasm_store_new(NULL) == NULL);
  CHECK_FAILS(wasmrt_engine_backend_name(NULL) == NULL);
  wasm_engine_t* engine = wasm_engine_new_with_config(NULL); // as wasm_engine_new, or refused
  if (engine) {
    wasm_store_t* store = wasm_store_new(engine);
    CHECK(store != NULL);
    wasm_store_delete(store);
  } else {
    CHECK(wasmrt_last_error_message() != NULL);
  }
  wasm_engine_delete(engine);
}

TEST(trap_of_null) {
  fixture_t fixture = fixture_new();
  wasm_message_t message;
  wasm_name_new_from_string_nt(&message, "text");
  CHECK_FAILS(wasm_trap_new(NULL, &message) == NULL);
  CHECK_FAILS(wasm_trap_new(NULL, NULL) == NULL);
  wasm_trap_t* trap = wasm_trap_new(fixture.store, &message);
  wasm_trap_message(trap, NULL); // nowhere to write: nothing happens
  wasm_trap_trace(trap, NULL);
  wasm_trap_delete(trap);
  wasm_byte_vec_delete(&message);
  GARBAGE(message);
  CHECK_LEAVES_ERROR(wasm_trap_message(NULL, &message));
  CHECK_EMPTY(message);
  wasm_frame_vec_t trace;
  GARBAGE(trace);
  CHECK_LEAVES_ERROR(wasm_trap_trace(NULL, &trace));
  CHECK_EMPTY(trace);
  CHECK_LEAVES_ERROR(wasm_trap_message(NULL, NULL));
  CHECK_LEAVES_ERROR(wasm_trap_trace(NULL, NULL));
  CHECK_FAILS(wasm_trap_origin(NULL) == NULL);
  fixture_delete(&fixture);
}

TEST(frame_of_null) {
  CHECK_FAILS(wasm_frame_instance(NULL) == NULL);
  CHECK_FAILS(wasm_frame_func_index(NULL) == 0);
  CHECK_FAILS(wasm_frame_func_offset(NULL) == 0);
  CHECK_FAILS(wasm_frame_module_offset(NULL) == 0);
}

TEST(foreign_of_null) {
  CHECK_FAILS(wasm_foreign_new(NULL) == NULL);
}

TEST(module_of_null) {
  fixture_t fixture = fixture_from_wat("(module)");
  wasm_byte_vec_t binary = binary_from_wat("(module)");
  CHECK_FAILS(wasm_module_new(NULL, &binary) == NULL);
  CHECK_FAILS(wasm_module_new(fixture.store, NULL) == NULL);
  CHECK_FAILS(wasm_module_new(NULL, NULL) == NULL);
  CHECK_FAILS(!wasm_module_validate(NULL, &binary));
  CHECK_FAILS(!wasm_module_validate(fixture.store, NULL));
  CHECK_FAILS(!wasm_module_validate(NULL, NULL));
  wasm_byte_vec_delete(&binary);

  wasm_importtype_vec_t imports;
  GARBAGE(imports);
  CHECK_LEAVES_ERROR(wasm_module_imports(NULL, &imports));
  CHECK_EMPTY(imports);
  wasm_module_imports(fixture.module, NULL);
  CHECK_LEAVES_ERROR(wasm_module_imports(NULL, NULL));
  wasm_exporttype_vec_t exports;
  GARBAGE(exports);
  CHECK_LEAVES_ERROR(wasm_module_exports(NULL, &exports));
  CHECK_EMPTY(exports);
  wasm_module_exports(fixture.module, NULL);
  CHECK_LEAVES_ERROR(wasm_module_exports(NULL, NULL));

  wasm_byte_vec_t artifact;
  GARBAGE(artifact);
  CHECK_LEAVES_ERROR(wasm_module_serialize(NULL, &artifact));
  CHECK_EMPTY(artifact);
  wasm_module_serialize(fixture.module, NULL);
  CHECK_LEAVES_ERROR(wasm_module_serialize(NULL, NULL));
  wasm_module_serialize(fixture.module, &artifact);
  CHECK_FAILS(wasm_module_deserialize(NULL, &artifact) == NULL);
  CHECK_FAILS(wasm_module_deserialize(fixture.store, NULL) == NULL);
  CHECK_FAILS(wasm_module_deserialize(NULL, NULL) == NULL);
  wasm_byte_vec_delete(&artifact);

  CHECK_FAILS(wasm_module_share(NULL) == NULL);
  wasm_shared_module_t* shared = wasm_module_share(fixture.module);
  CHECK_FAILS(wasm_module_obtain(NULL, shared) == NULL);
  CHECK_FAILS(wasm_module_obtain(fixture.store, NULL) == NULL);
  CHECK_FAILS(wasm_module_obtain(NULL, NULL) == NULL);
  wasm_shared_module_delete(shared);
  fixture_delete(&fixture);
}

static wasm_trap_t* callback(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  return NULL;
}

static wasm_trap_t* callback_with_env(void* env, const wasm_val_vec_t* arguments,
                                      wasm_val_vec_t* results) {
  (void)env;
  return callback(arguments, results);
}

TEST(func_of_null) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("", "");
  CHECK_FAILS(wasm_func_new(NULL, type, callback) == NULL);
  CHECK_FAILS(wasm_func_new(fixture.store, NULL, callback) == NULL);
  CHECK_FAILS(wasm_func_new(fixture.store, type, NULL) == NULL);
  CHECK_FAILS(wasm_func_new(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_func_new_with_env(NULL, type, callback_with_env, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_func_new_with_env(fixture.store, NULL, callback_with_env, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_func_new_with_env(fixture.store, type, NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_func_new_with_env(NULL, NULL, NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_func_type(NULL) == NULL);
  CHECK_FAILS(wasm_func_param_arity(NULL) == 0);
  CHECK_FAILS(wasm_func_result_arity(NULL) == 0);

  wasm_val_vec_t none = WASM_EMPTY_VEC;
  // There is no store to make a trap in: whichever the answer, there is a message.
  CHECK_LEAVES_ERROR(wasm_trap_delete(wasm_func_call(NULL, &none, &none)));
  CHECK_LEAVES_ERROR(wasm_trap_delete(wasm_func_call(NULL, NULL, NULL)));
  wasm_func_t* func = wasm_func_new(fixture.store, type, callback);
  CHECK_NO_TRAP(wasm_func_call(func, NULL, &none));
  CHECK_NO_TRAP(wasm_func_call(func, &none, NULL));
  CHECK_NO_TRAP(wasm_func_call(func, NULL, NULL));
  wasm_func_delete(func);
  wasm_functype_delete(type);

  // Vectors that claim values they do not have.
  type = functype("i", "i");
  func = wasm_func_new(fixture.store, type, callback);
  wasm_val_vec_t broken = {1, NULL};
  wasm_val_t value = I32(1);
  wasm_val_vec_t right = {1, &value};
  CHECK_REFUSED(wasm_func_call(func, &broken, &right));
  CHECK_NO_TRAP(wasm_func_call(func, &right, &broken)); // the result is dropped
  wasm_func_delete(func);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

TEST(global_of_null) {
  fixture_t fixture = fixture_new();
  wasm_globaltype_t* type = globaltype(WASM_I32, WASM_VAR);
  CHECK_FAILS(wasm_global_new(NULL, type, &I32(1)) == NULL);
  CHECK_FAILS(wasm_global_new(fixture.store, NULL, &I32(1)) == NULL);
  CHECK_FAILS(wasm_global_new(fixture.store, type, NULL) == NULL);
  CHECK_FAILS(wasm_global_new(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_global_type(NULL) == NULL);
  wasm_global_t* global = wasm_global_new(fixture.store, type, &I32(1));
  wasm_globaltype_delete(type);
  wasm_val_t value;
  GARBAGE(value);
  value.kind = WASM_FUNCREF;
  CHECK_LEAVES_ERROR(wasm_global_get(NULL, &value));
  wasm_val_delete(&value);
  wasm_global_get(global, NULL);
  wasm_global_get(NULL, NULL);
  CHECK_LEAVES_ERROR(wasm_global_set(NULL, &I32(2)));
  CHECK_LEAVES_ERROR(wasm_global_set(global, NULL));
  CHECK_LEAVES_ERROR(wasm_global_set(NULL, NULL));
  wasm_global_get(global, &value);
  CHECK(value.kind == WASM_I32 && value.of.i32 == 1);
  wasm_global_delete(global);
  fixture_delete(&fixture);
}

TEST(table_of_null) {
  fixture_t fixture = fixture_new();
  wasm_tabletype_t* type = tabletype(WASM_EXTERNREF, 1, 2);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_ref_t* ref = wasm_foreign_as_ref(foreign);
  CHECK_FAILS(wasm_table_new(NULL, type, NULL) == NULL);
  CHECK_FAILS(wasm_table_new(NULL, type, ref) == NULL);
  CHECK_FAILS(wasm_table_new(fixture.store, NULL, NULL) == NULL);
  CHECK_FAILS(wasm_table_new(fixture.store, NULL, ref) == NULL);
  CHECK_FAILS(wasm_table_type(NULL) == NULL);
  CHECK_FAILS(wasm_table_get(NULL, 0) == NULL);
  CHECK_FAILS(!wasm_table_set(NULL, 0, NULL));
  CHECK_FAILS(!wasm_table_set(NULL, 0, ref));
  CHECK_FAILS(wasm_table_size(NULL) == 0);
  CHECK_FAILS(!wasm_table_grow(NULL, 1, NULL));
  CHECK_FAILS(!wasm_table_grow(NULL, 0, ref));
  wasm_foreign_delete(foreign);
  wasm_tabletype_delete(type);
  fixture_delete(&fixture);
}

TEST(memory_of_null) {
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(1, 2);
  CHECK_FAILS(wasm_memory_new(NULL, type) == NULL);
  CHECK_FAILS(wasm_memory_new(fixture.store, NULL) == NULL);
  CHECK_FAILS(wasm_memory_new(NULL, NULL) == NULL);
  CHECK_FAILS(wasm_memory_type(NULL) == NULL);
  CHECK_FAILS(wasm_memory_data(NULL) == NULL);
  CHECK_FAILS(wasm_memory_data_size(NULL) == 0);
  CHECK_FAILS(wasm_memory_size(NULL) == 0);
  CHECK_FAILS(!wasm_memory_grow(NULL, 0));
  CHECK_FAILS(!wasm_memory_grow(NULL, 1));
  wasm_memorytype_delete(type);
  fixture_delete(&fixture);
}

TEST(extern_of_null) {
  CHECK_FAILS(wasm_extern_kind(NULL) == 0);
  CHECK_FAILS(wasm_extern_type(NULL) == NULL);
}

TEST(instance_of_null) {
  fixture_t fixture = fixture_from_wat("(module)");
  wasm_extern_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(NULL, fixture.module, &none, NULL) == NULL);
  CHECK_FAILS(wasm_instance_new(fixture.store, NULL, &none, NULL) == NULL);
  CHECK_FAILS(wasm_instance_new(NULL, NULL, NULL, NULL) == NULL);
  // The trap out-parameter holds a trap or NULL afterwards, never what was there before.
  GARBAGE(trap);
  CHECK_FAILS(wasm_instance_new(NULL, fixture.module, &none, &trap) == NULL);
  wasm_trap_delete(trap);
  GARBAGE(trap);
  CHECK_FAILS(wasm_instance_new(fixture.store, NULL, &none, &trap) == NULL);
  wasm_trap_delete(trap);
  GARBAGE(trap);
  CHECK_FAILS(wasm_instance_new(NULL, NULL, NULL, &trap) == NULL);
  wasm_trap_delete(trap);
  wasm_instance_t* instance = wasm_instance_new(fixture.store, fixture.module, NULL, NULL);
  CHECK(instance != NULL);
  wasm_instance_delete(instance);
  wasm_extern_vec_t broken = {1, NULL}; // claims an import that it does not have
  wasm_module_t* importing = module_from_wat(fixture.store, "(module (import \"\" \"\" (func)))");
  CHECK_FAILS(wasm_instance_new(fixture.store, importing, &broken, NULL) == NULL);
  wasm_module_delete(importing);

  wasm_extern_vec_t exports;
  GARBAGE(exports);
  CHECK_LEAVES_ERROR(wasm_instance_exports(NULL, &exports));
  CHECK_EMPTY(exports);
  wasm_instance_exports(fixture.instance, NULL);
  CHECK_LEAVES_ERROR(wasm_instance_exports(NULL, NULL));
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The extension

TEST(extension_functions_of_null) {
  wasm_config_t* config = wasm_config_new();
  CHECK_FAILS(!wasmrt_config_set_backend(NULL, wasmrt_backend_name(0)));
  CHECK_FAILS(!wasmrt_config_set_backend(config, NULL));
  CHECK_FAILS(!wasmrt_config_set_backend(NULL, NULL));
  wasm_config_delete(config);
  CHECK_FAILS(wasmrt_backend_version(NULL) == NULL);
  CHECK_FAILS(!wasmrt_backend_supports(NULL, WASMRT_SETTING_FUEL));
  CHECK_FAILS(!wasmrt_backend_supports_proposal(NULL, WASMRT_PROPOSAL_GC));
  wasm_byte_vec_t binary;
  GARBAGE(binary);
  CHECK_FAILS(!wasmrt_wat2wasm(NULL, 8, &binary));
  CHECK_EMPTY(binary);
  CHECK_FAILS(!wasmrt_wat2wasm("(module)", 8, NULL));
  CHECK_FAILS(!wasmrt_wat2wasm(NULL, 8, NULL));
}

// Options of a configuration are in config.c.
TEST(engines_and_stores_of_null) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  size_t count = 77;
  CHECK_FAILS(!wasmrt_engine_module_count(NULL, &count));
  CHECK_FAILS(!wasmrt_engine_module_count(fixture.engine, NULL));
  CHECK_INT(count, 77);
  CHECK_FAILS(wasmrt_store_engine(NULL) == NULL);
  CHECK_FAILS(wasmrt_instance_export(NULL, "f", 1) == NULL);
  CHECK_FAILS(wasmrt_instance_export(fixture.instance, NULL, 1) == NULL);
  CHECK_FAILS(wasmrt_instance_export(NULL, NULL, 0) == NULL);

  uint64_t number = 77;
  CHECK_FAILS(!wasmrt_store_set_fuel(NULL, 1));
  CHECK_FAILS(!wasmrt_store_add_fuel(NULL, 1));
  CHECK_FAILS(!wasmrt_store_fuel(NULL, &number));
  CHECK_FAILS(!wasmrt_store_fuel(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_store_fuel_consumed(NULL, &number));
  CHECK_FAILS(!wasmrt_store_fuel_consumed(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_store_set_timeout(NULL, 1));
  CHECK_FAILS(!wasmrt_store_set_call_timeout(NULL, 1));
  CHECK_FAILS(wasmrt_linker_new(NULL) == NULL);
  wasmrt_linker_delete(NULL);
  CHECK_FAILS(!wasmrt_linker_define(NULL, "m", 1, "n", 1, NULL));
  CHECK_FAILS(!wasmrt_linker_define_func(NULL, "m", 1, "n", 1, NULL, NULL, NULL, NULL));
  CHECK_FAILS(!wasmrt_linker_define_instance(NULL, "m", 1, NULL));
  CHECK_FAILS(!wasmrt_linker_alias(NULL, "m", 1, "n", 1, "o", 1, "p", 1));
  CHECK_FAILS(wasmrt_linker_get(NULL, "m", 1, "n", 1) == NULL);
  CHECK_FAILS(!wasmrt_linker_set_shadowing(NULL, true));
  CHECK_FAILS(!wasmrt_linker_set_unknown(NULL, WASMRT_UNKNOWN_IMPORTS_TRAP));
  CHECK_FAILS(!wasmrt_linker_set_next(NULL, NULL));
  CHECK_FAILS(wasmrt_linker_instantiate(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_linker_prepare(NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_instance_pre_instantiate(NULL, NULL) == NULL);
  wasmrt_instance_pre_delete(NULL);
  CHECK_FAILS(!wasmrt_func_call_batch(NULL, 0, NULL, 0, NULL, 0, NULL, NULL));
  CHECK_FAILS(wasmrt_func_call_unchecked(NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_func_new_unchecked(NULL, NULL, NULL, NULL, NULL) == NULL);
  CHECK_FAILS(!wasmrt_memory_size(NULL, &number));
  CHECK_FAILS(!wasmrt_memory_grow(NULL, 0, &number));
  CHECK_FAILS(wasmrt_memory_share(NULL) == NULL);
  CHECK_FAILS(wasmrt_memory_obtain(NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_memory_obtain(fixture.store, NULL) == NULL);
  CHECK_FAILS(!wasmrt_memory_notify(NULL, 0, 1, NULL));
  CHECK_FAILS(!wasmrt_table_size(NULL, &number));
  CHECK_FAILS(!wasmrt_table_grow(NULL, 0, NULL, &number));
  CHECK_FAILS(wasmrt_tabletype_new(NULL, 0, 1, true) == NULL);
  CHECK_FAILS(wasmrt_tag_new(NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_exception_new(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_trap_exception_tag(NULL) == NULL);
  CHECK_FAILS(!wasmrt_trap_exception_values(NULL, NULL));
  CHECK_FAILS(!wasmrt_store_set_poll(NULL, NULL, NULL, NULL));
  CHECK_FAILS(wasmrt_valtype_with_null(NULL, true) == NULL);
  CHECK_FAILS(!wasmrt_valtype_heap(NULL, NULL));
  CHECK_FAILS(!wasmrt_valtype_is_nullable(NULL));
  CHECK_FAILS(!wasmrt_valtype_is_defined(NULL));
  CHECK_FAILS(!wasmrt_ref_heap(NULL, NULL));
  CHECK_FAILS(wasmrt_ref_type(NULL) == NULL);
  CHECK_FAILS(wasmrt_i31_new(NULL, 0) == NULL);
  CHECK_FAILS(!wasmrt_i31_signed(NULL, NULL));
  CHECK_FAILS(!wasmrt_i31_unsigned(NULL, NULL));
  CHECK_FAILS(wasmrt_struct_new(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(wasmrt_array_new(NULL, NULL, 0, NULL) == NULL);
  CHECK_FAILS(!wasmrt_ref_length(NULL, NULL));
  CHECK_FAILS(!wasmrt_ref_get(NULL, 0, false, NULL));
  CHECK_FAILS(!wasmrt_ref_set(NULL, 0, NULL));
  CHECK_FAILS(wasmrt_global_new_raw(NULL, NULL, NULL) == NULL);
  CHECK_FAILS(!wasmrt_global_get_raw(NULL, NULL));
  CHECK_FAILS(!wasmrt_global_set_raw(NULL, NULL));
  CHECK_FAILS(wasmrt_interrupt_new(NULL) == NULL);
  CHECK_LEAVES_ERROR(wasmrt_interrupt_trigger(NULL));
  CHECK_LEAVES_ERROR(wasmrt_interrupt_clear(NULL));
  wasmrt_interrupt_delete(NULL);
  CHECK_FAILS(!wasmrt_store_set_limit(NULL, WASMRT_STORE_LIMIT_TABLES, 1));
  CHECK_FAILS(!wasmrt_store_limit(NULL, WASMRT_STORE_LIMIT_TABLES, &number));
  CHECK_FAILS(!wasmrt_store_limit(fixture.store, WASMRT_STORE_LIMIT_TABLES, NULL));
  CHECK_FAILS(!wasmrt_store_usage(NULL, WASMRT_STORE_LIMIT_TABLES, &number));
  CHECK_FAILS(!wasmrt_store_usage(fixture.store, WASMRT_STORE_LIMIT_TABLES, NULL));
  CHECK_FAILS(!wasmrt_store_set_growth_trap(NULL, true));
  CHECK_INT(number, 77);
  fixture_delete(&fixture);
}

static size_t finalized;

static void count_finalized(void* data) {
  (void)data;
  finalized++;
}

// Data that is not taken over is finalized at once.
TEST(traps_and_errors_of_null) {
  CHECK_FAILS(wasmrt_trap_code(NULL) == WASMRT_TRAP_NONE);
  CHECK_FAILS(wasmrt_trap_error_kind(NULL) == WASMRT_ERROR_NONE);
  int32_t status = 77;
  CHECK_FAILS(wasmrt_trap_new_exit(NULL, 1) == NULL);
  CHECK_FAILS(!wasmrt_trap_exit_status(NULL, &status));
  CHECK_INT(status, 77);
  finalized = 0;
  CHECK_FAILS(wasmrt_trap_new_with_data(NULL, NULL, &status, count_finalized) == NULL);
  CHECK_INT(finalized, 1);
  CHECK_FAILS(wasmrt_trap_data(NULL) == NULL);
  wasm_name_t name;
  GARBAGE(name);
  CHECK_LEAVES_ERROR(wasmrt_frame_func_name(NULL, &name));
  CHECK_EMPTY(name);
  GARBAGE(name);
  CHECK_LEAVES_ERROR(wasmrt_frame_module_name(NULL, &name));
  CHECK_EMPTY(name);
  GARBAGE(name);
  CHECK_LEAVES_ERROR(wasmrt_module_name(NULL, &name));
  CHECK_EMPTY(name);
  wasmrt_module_name(NULL, NULL);
  wasmrt_frame_func_name(NULL, NULL);
  wasmrt_frame_module_name(NULL, NULL);
  CHECK(!wasmrt_last_error_offset(NULL));
  wasmrt_log_set_callback(NULL, &status, count_finalized);
  CHECK_INT(finalized, 2);
}
