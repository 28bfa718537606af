// What all references share: casts, identity, and refusing to be used as something else.
#include "fuzz.h"

#define FOR_EACH_KIND(X) \
  X(FUNC, func)          \
  X(GLOBAL, global)      \
  X(TABLE, table)        \
  X(MEMORY, memory) X(INSTANCE, instance) X(MODULE, module) X(TRAP, trap) X(FOREIGN, foreign)

static void expect_casts(object_t* object) {
  wasm_ref_t* ref = object->pointer;
#define EXPECT_CAST(KIND, name)                                                     \
  {                                                                                 \
    const void* expected = object->kind == KIND ? ref : NULL;                       \
    EXPECT_PTR(wasm_ref_as_##name(ref), expected);                                  \
    EXPECT_PTR(wasm_ref_as_##name##_const(ref), expected);                          \
    if (object->kind == KIND) {                                                     \
      EXPECT_PTR(wasm_##name##_as_ref(wasm_ref_as_##name(ref)), ref);               \
      EXPECT_PTR(wasm_##name##_as_ref_const(wasm_ref_as_##name##_const(ref)), ref); \
    }                                                                               \
  }
  FOR_EACH_KIND(EXPECT_CAST)
  bool is_extern = 1u << object->kind & EXTERN_KINDS;
  wasm_extern_t* as_extern = wasm_ref_as_extern(ref);
  EXPECT_PTR(as_extern, is_extern ? ref : NULL);
  EXPECT_PTR(wasm_ref_as_extern_const(ref), as_extern);
  if (!is_extern) return;
  EXPECT_INT(wasm_extern_kind(as_extern), object->kind);
  EXPECT_PTR(wasm_extern_as_ref(as_extern), ref);
  EXPECT_PTR(wasm_extern_as_func(as_extern), object->kind == FUNC ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_global(as_extern), object->kind == GLOBAL ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_table(as_extern), object->kind == TABLE ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_memory(as_extern), object->kind == MEMORY ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_func_const(as_extern), object->kind == FUNC ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_global_const(as_extern), object->kind == GLOBAL ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_table_const(as_extern), object->kind == TABLE ? ref : NULL);
  EXPECT_PTR(wasm_extern_as_memory_const(as_extern), object->kind == MEMORY ? ref : NULL);
  EXPECT_PTR(wasm_extern_get_host_info(as_extern), object->witness);
}

void step_casts(void) {
  object_t* object = pick(ANY_KIND);
  if (object) expect_casts(object);
}

void step_same(void) {
  object_t *one = pick(ANY_KIND), *other = pick(ANY_KIND);
  if (!one || !other) return;
  bool same = one == other;
  EXPECT_INT(wasm_ref_same(one->pointer, other->pointer), same);
  EXPECT(!wasm_ref_same(one->pointer, NULL));
  EXPECT(!wasm_ref_same(NULL, one->pointer));
  EXPECT(wasm_ref_same(NULL, NULL));
#define EXPECT_SAME(KIND, name)                                                 \
  if (one->kind == KIND && other->kind == KIND) {                               \
    const wasm_##name##_t* first = wasm_ref_as_##name##_const(one->pointer);    \
    const wasm_##name##_t* second = wasm_ref_as_##name##_const(other->pointer); \
    EXPECT_INT(wasm_##name##_same(first, second), same);                        \
    EXPECT(!wasm_##name##_same(first, NULL));                                   \
    wasm_##name##_t* copy = wasm_##name##_copy(first);                          \
    EXPECT(wasm_##name##_same(first, copy));                                    \
    EXPECT_PTR(wasm_##name##_get_host_info(copy), one->witness);                \
    wasm_##name##_delete(copy);                                                 \
  }
  FOR_EACH_KIND(EXPECT_SAME)
}

// A handle that is used as one of another kind: every function reports it, and does nothing.
void step_wrong_kind(void) {
  object_t* object = pick(ANY_KIND);
  if (!object) return;
  void* handle = object->pointer;
  if (object->kind != FUNC) {
    wasm_val_t result = WASM_I32_VAL(1);
    wasm_val_vec_t none = WASM_EMPTY_VEC, results = {1, &result};
    forget_error();
    wasm_trap_t* trap = wasm_func_call(handle, &none, &results);
    if (!trap) FAIL("what is no function was called");
    expect_error(__FILE__, __LINE__, "a call of what is no function");
    delete_loose(adopt_trap(trap, object->store, NULL));
    EXPECT_REFUSED(!wasm_func_type(handle));
    EXPECT_REFUSED(wasm_func_param_arity(handle) == 0);
    EXPECT_REFUSED(wasm_func_result_arity(handle) == 0);
  }
  if (object->kind != GLOBAL) {
    wasm_val_t value;
    memset(&value, 0xa5, sizeof value);
    EXPECT_LEAVES_ERROR(wasm_global_get(handle, &value));
    EXPECT_INT(value.kind, WASM_EXTERNREF);
    EXPECT_PTR(value.of.ref, NULL);
    EXPECT_LEAVES_ERROR(wasm_global_set(handle, &value));
    EXPECT_REFUSED(!wasm_global_type(handle));
  }
  if (object->kind != TABLE) {
    EXPECT_REFUSED(!wasm_table_type(handle));
    EXPECT_REFUSED(!wasm_table_get(handle, 0));
    EXPECT_REFUSED(!wasm_table_set(handle, 0, NULL));
    EXPECT_REFUSED(wasm_table_size(handle) == 0);
    EXPECT_REFUSED(!wasm_table_grow(handle, 1, NULL));
  }
  if (object->kind != MEMORY) {
    EXPECT_REFUSED(!wasm_memory_type(handle));
    EXPECT_REFUSED(!wasm_memory_data(handle));
    EXPECT_REFUSED(wasm_memory_data_size(handle) == 0);
    EXPECT_REFUSED(wasm_memory_size(handle) == 0);
    EXPECT_REFUSED(!wasm_memory_grow(handle, 0));
  }
  if (object->kind != MODULE) {
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    wasm_byte_vec_t bytes;
    EXPECT_LEAVES_ERROR(wasm_module_imports(handle, &imports));
    EXPECT_INT(imports.size, 0);
    EXPECT_LEAVES_ERROR(wasm_module_exports(handle, &exports));
    EXPECT_INT(exports.size, 0);
    EXPECT_LEAVES_ERROR(wasm_module_serialize(handle, &bytes));
    EXPECT_INT(bytes.size, 0);
    EXPECT_REFUSED(!wasm_module_share(handle));
    store_t* store = pick_store();
    if (store) {
      EXPECT_REFUSED(!wasm_instance_new(store->pointer, handle, NULL, NULL));
    }
  }
  if (object->kind != INSTANCE) {
    wasm_extern_vec_t exports;
    EXPECT_LEAVES_ERROR(wasm_instance_exports(handle, &exports));
    EXPECT_INT(exports.size, 0);
  }
  if (object->kind != TRAP) {
    wasm_message_t message;
    wasm_frame_vec_t trace;
    EXPECT_LEAVES_ERROR(wasm_trap_message(handle, &message));
    EXPECT_INT(message.size, 0);
    EXPECT_REFUSED(!wasm_trap_origin(handle));
    EXPECT_LEAVES_ERROR(wasm_trap_trace(handle, &trace));
    EXPECT_INT(trace.size, 0);
  }
  if (!(1u << object->kind & EXTERN_KINDS)) {
    EXPECT_REFUSED(wasm_extern_kind(handle) == 0);
    EXPECT_REFUSED(!wasm_extern_type(handle));
  }
}

// References of one store where those of another are expected.
void step_wrong_store(void) {
  object_t* object = pick(1u << GLOBAL | 1u << TABLE | 1u << FUNC);
  if (!object) return;
  object_t* other = pick_foreign_to(1u << FUNC, object->store);
  if (!other) return;
  wasm_ref_t* ref = other->pointer;
  wasm_val_t value = {.kind = WASM_FUNCREF, .of = {.ref = ref}};
  if (object->kind == TABLE) {
    wasm_table_t* table = wasm_ref_as_table(object->pointer);
    EXPECT_REFUSED(!wasm_table_set(table, 0, ref));
    EXPECT_REFUSED(!wasm_table_grow(table, 0, ref));
  } else if (object->kind == GLOBAL) {
    EXPECT_LEAVES_ERROR(wasm_global_set(wasm_ref_as_global(object->pointer), &value));
  } else if (object->params[0] == 'e' || object->params[0] == 'r') {
    wasm_val_t args[MAX_VALUES] = {value};
    size_t count = strlen(object->params);
    for (size_t i = 1; i < count; i++) {
      value_t null = null_value(kind_of_letter(object->params[i]));
      args[i] = borrow_value(&null);
    }
    wasm_val_vec_t given = {count, args};
    expected_call_t* outer = run.expected;
    run.expected = NULL;
    wasm_trap_t* trap = wasm_func_call(wasm_ref_as_func(object->pointer), &given, NULL);
    run.expected = outer;
    if (!trap) FAIL("an argument of another store was accepted");
    delete_loose(adopt_trap(trap, object->store, NULL));
  }
}

void step_reflect(void) {
  object_t* object = pick(EXTERN_KINDS | 1u << MODULE);
  if (!object) return;
  if (object->kind == MODULE) {
    expect_reflection(wasm_ref_as_module(object->pointer), object->module);
    return;
  }
  wasm_externtype_t* type = wasm_extern_type(wasm_ref_as_extern(object->pointer));
  expect_externtype(type, object);
  wasm_externtype_delete(type);
  switch (object->kind) {
    case FUNC: {
      const wasm_func_t* func = wasm_ref_as_func(object->pointer);
      type = wasm_functype_as_externtype(wasm_func_type(func));
      EXPECT_INT(wasm_func_param_arity(func), strlen(object->params));
      EXPECT_INT(wasm_func_result_arity(func), strlen(object->results));
      break;
    }
    case GLOBAL:
      type = wasm_globaltype_as_externtype(wasm_global_type(wasm_ref_as_global(object->pointer)));
      break;
    case TABLE:
      type = wasm_tabletype_as_externtype(wasm_table_type(wasm_ref_as_table(object->pointer)));
      break;
    case MEMORY:
      type = wasm_memorytype_as_externtype(wasm_memory_type(wasm_ref_as_memory(object->pointer)));
      break;
    default: return;
  }
  expect_externtype(type, object);
  wasm_externtype_delete(type);
}

// Compares all that can be asked without changing anything.
void step_look_at_all(void) {
  for (unsigned i = 0; i < run.object_count; i++) {
    object_t* object = run.objects[i];
    if (object->loose == 0) continue;
    wasm_ref_t* ref = object->pointer;
    EXPECT_PTR(wasm_ref_get_host_info(ref), object->witness);
    expect_casts(object);
    const cell_t* cell = object->cell;
    if (object->kind == GLOBAL && carries(cell->content)) {
      wasm_val_t actual;
      wasm_global_get(wasm_ref_as_global(ref), &actual);
      expect_value(&actual, &cell->value, "a global");
      wasm_val_delete(&actual);
    } else if (object->kind == TABLE) {
      wasm_table_t* table = wasm_ref_as_table(ref);
      EXPECT_INT(wasm_table_size(table), cell->size);
      for (uint32_t slot = 0; !lacks.tables && slot < cell->size; slot++) {
        wasm_ref_t* element = wasm_table_get(table, slot);
        expect_element(element, cell, slot);
        wasm_ref_delete(element);
      }
    } else if (object->kind == MEMORY) {
      wasm_memory_t* memory = wasm_ref_as_memory(ref);
      EXPECT_INT(wasm_memory_size(memory), cell->size);
      const char* data = wasm_memory_data(memory);
      for (uint32_t page = 0; page < cell->size; page++) {
        EXPECT_INT((uint8_t)data[page * MEMORY_PAGE_SIZE], cell->first[page]);
        EXPECT_INT((uint8_t)data[(page + 1) * MEMORY_PAGE_SIZE - 1], cell->last[page]);
      }
    }
  }
}

// NULL in every place, for a handful of functions at a time.
void step_nulls(void) {
  store_t* store = pick_store();
  wasm_store_t* pointer = store ? store->pointer : NULL;
  wasm_val_t value = WASM_I32_VAL(1);
  switch (below(12)) {
    case 0:
      EXPECT_REFUSED(!wasm_store_new(NULL));
      EXPECT_REFUSED(!wasm_foreign_new(NULL));
      EXPECT_REFUSED(!wasm_trap_new(NULL, NULL));
      break;
    case 1:
      EXPECT_REFUSED(!wasm_func_new(pointer, NULL, host_callback));
      EXPECT_REFUSED(!wasm_global_new(pointer, NULL, &value));
      EXPECT_REFUSED(!wasm_table_new(pointer, NULL, NULL));
      EXPECT_REFUSED(!wasm_memory_new(pointer, NULL));
      break;
    case 2:
      EXPECT_REFUSED(!wasm_module_new(pointer, NULL));
      EXPECT_REFUSED(!wasm_module_validate(pointer, NULL));
      EXPECT_REFUSED(!wasm_module_deserialize(pointer, NULL));
      EXPECT_REFUSED(!wasm_module_obtain(pointer, NULL));
      break;
    case 3:
      EXPECT_REFUSED(!wasm_instance_new(pointer, NULL, NULL, NULL));
      EXPECT_PTR(wasm_func_call(NULL, NULL, NULL), NULL);
      break;
    case 4:
      EXPECT_PTR(wasm_ref_copy(NULL), NULL);
      EXPECT_PTR(wasm_ref_as_func(NULL), NULL);
      EXPECT_PTR(wasm_func_as_ref(NULL), NULL);
      EXPECT_PTR(wasm_extern_as_func(NULL), NULL);
      break;
    case 5:
      wasm_ref_delete(NULL);
      wasm_func_delete(NULL);
      wasm_extern_delete(NULL);
      wasm_store_delete(NULL);
      wasm_engine_delete(NULL);
      wasm_config_delete(NULL);
      break;
    case 6:
      wasm_shared_module_delete(NULL);
      wasm_frame_delete(NULL);
      wasm_importtype_delete(NULL);
      wasm_byte_vec_delete(NULL);
      wasm_val_vec_delete(NULL);
      wasm_val_delete(NULL);
      break;
    case 7:
      EXPECT_REFUSED(!wasm_globaltype_new(NULL, WASM_VAR));
      EXPECT_REFUSED(!wasm_tabletype_new(NULL, NULL));
      EXPECT_REFUSED(!wasm_memorytype_new(NULL));
      EXPECT_REFUSED(!wasm_tagtype_new(NULL));
      EXPECT_REFUSED(!wasm_exporttype_new(NULL, NULL));
      break;
    case 8: {
      object_t* global = pick(1u << GLOBAL);
      if (global) {
        EXPECT_LEAVES_ERROR(wasm_global_set(wasm_ref_as_global(global->pointer), NULL));
        wasm_global_get(wasm_ref_as_global(global->pointer), NULL);
      }
      EXPECT_LEAVES_ERROR(wasm_global_get(NULL, &value));
      EXPECT_PTR(value.of.ref, NULL);
      break;
    }
    case 9: {
      wasm_extern_vec_t exports;
      memset(&exports, 0xa5, sizeof exports);
      EXPECT_LEAVES_ERROR(wasm_instance_exports(NULL, &exports));
      EXPECT_INT(exports.size, 0);
      wasm_byte_vec_t bytes;
      EXPECT_REFUSED(!wasmrt_wat2wasm(NULL, 0, &bytes));
      EXPECT_INT(bytes.size, 0);
      break;
    }
    case 10: {
      // Out-parameters that are NULL: what would be written there is released.
      object_t* instance = pick(1u << INSTANCE);
      if (!instance) break;
      // The exports come to be, but the model has not seen them.
      wasm_extern_vec_t exports;
      wasm_instance_exports(wasm_ref_as_instance(instance->pointer), &exports);
      wasm_extern_vec_delete(&exports);
      wasm_instance_exports(wasm_ref_as_instance(instance->pointer), NULL);
      break;
    }
    default: {
      // A functype without anything, from no vectors at all.
      wasm_functype_t* type = wasm_functype_new(NULL, NULL);
      expect_functype(type, "", "");
      wasm_functype_delete(type);
    }
  }
}

void step_foreign_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  adopt_new(wasm_foreign_new(store->pointer), FOREIGN, store);
}
