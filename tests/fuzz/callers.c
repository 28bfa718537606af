// Callbacks that know their caller, data of stores and garbage, in a store beside the model; and
// imports and exports by position, of the model's modules and instances.
#include "fuzz.h"

static const char guest_text[] =
    "(module (import \"\" \"f\" (func $f (param i32) (result i32)))"
    "  (memory (export \"memory\") 1 3) (global $g (mut i32) (i32.const 0))"
    "  (table (export \"t\") 1 funcref) (elem (i32.const 0) $f)"
    "  (func $start (global.set $g (call $f (i32.const 7)))) %s"
    "  (func (export \"f\") (param i32) (result i32) (call $f (local.get 0)))"
    "  (func (export \"i\") (param i32) (result i32)"
    "    (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))"
    "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0))))";

enum { GUESTS = 3 };

typedef struct callers_t {
  wasm_store_t* store;
  wasm_func_t* func;
  wasm_module_t* module;
  wasm_instance_t* guests[GUESTS];
  // Who is expected to call: an instance, or NULL for the host.
  const wasm_instance_t* expected;
  bool starting;
  const wasmrt_caller_t* caller;
  unsigned depth, env_finalized, data_finalized, data_set;
} callers_t;

static void finalize_env(void* env) {
  ((callers_t*)env)->env_finalized++;
}
static void finalize_data(void* data) {
  ((callers_t*)data)->data_finalized++;
}

static wasm_func_t* func_of(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wasmrt_instance_export(instance, name, strlen(name));
  EXPECT(export != NULL);
  return wasm_extern_as_func(export);
}

static int32_t call_int(const wasm_func_t* func, int32_t argument) {
  wasm_val_t args[] = {WASM_I32_VAL(argument)}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t given = WASM_ARRAY_VEC(args), taken = WASM_ARRAY_VEC(results);
  wasm_trap_t* trap = wasm_func_call(func, &given, &taken);
  EXPECT(trap == NULL);
  return results[0].of.i32;
}

static void use_callers(callers_t* callers);

static void expect_memory(const wasmrt_caller_t* caller, const wasm_instance_t* instance) {
  wasm_extern_t* export = wasmrt_instance_export(instance, "memory", 6);
  wasm_memory_t* memory = wasm_extern_as_memory(export);
  size_t size = 77;
  EXPECT_PTR(wasmrt_caller_memory(caller, &size), wasm_memory_data(memory));
  EXPECT_INT(size, wasm_memory_data_size(memory));
  wasm_extern_delete(export);
}

static wasm_trap_t* called(void* env, const wasmrt_caller_t* caller, const wasm_val_vec_t* args,
                           wasm_val_vec_t* results) {
  callers_t* callers = env;
  const wasm_instance_t* expected = callers->expected;
  bool starting = callers->starting;
  callers->caller = caller;
  EXPECT_PTR(wasmrt_caller_store(caller), callers->store);
  if (expected || starting) {
    const wasm_instance_t* instance = wasmrt_caller_instance(caller);
    EXPECT(instance != NULL);
    if (expected) EXPECT_PTR(instance, expected);
    expect_memory(caller, instance);
    wasm_func_t* grow = func_of(instance, "grow");
    call_int(grow, (int32_t)below(2));
    wasm_func_delete(grow);
    expect_memory(caller, instance);
  } else {
    size_t size = 77;
    EXPECT_REFUSED(wasmrt_caller_instance(caller) == NULL);
    EXPECT_REFUSED(wasmrt_caller_memory(caller, &size) == NULL);
    EXPECT_INT(size, 77);
  }
  EXPECT_REFUSED(wasmrt_caller_memory(caller, NULL) == NULL);
  if (++callers->depth <= MAX_DEPTH && one_in(2)) {
    use_callers(callers);
    if (run.depth <= MAX_DEPTH && one_in(2)) do_step();
    // What was called in between is over.
    if (expected) EXPECT_PTR(wasmrt_caller_instance(caller), expected);
    if (!expected && !starting) EXPECT_REFUSED(wasmrt_caller_instance(caller) == NULL);
  }
  callers->depth--;
  callers->expected = expected;
  callers->starting = starting;
  results->data[0] = (wasm_val_t)WASM_I32_VAL(args->data[0].of.i32 + 1);
  return NULL;
}

static void call_from(callers_t* callers, const wasm_instance_t* from, const wasm_func_t* func) {
  callers->expected = from;
  callers->starting = false;
  int32_t argument = (int32_t)next_byte();
  EXPECT_INT(call_int(func, argument), argument + 1);
}

// A guest, made from the module as it is, by name, or prepared.
static wasm_instance_t* new_guest(callers_t* callers) {
  callers->expected = NULL;
  callers->starting = true;
  wasm_extern_t* import = wasm_func_as_extern(callers->func);
  if (one_in(2)) {
    wasm_extern_vec_t imports = {1, &import};
    return wasm_instance_new(callers->store, callers->module, &imports, NULL);
  }
  wasmrt_linker_t* linker = wasmrt_linker_new(callers->store);
  EXPECT(wasmrt_linker_define(linker, "", 0, "f", 1, import));
  wasm_instance_t* guest;
  if (one_in(2)) {
    guest = wasmrt_linker_instantiate(linker, callers->module, NULL);
    wasmrt_linker_delete(linker);
  } else {
    wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, callers->module);
    EXPECT(pre != NULL);
    wasmrt_linker_delete(linker);
    guest = wasmrt_instance_pre_instantiate(pre, NULL);
    wasmrt_instance_pre_delete(pre);
  }
  return guest;
}

static void use_callers(callers_t* callers) {
  wasm_instance_t** guest = &callers->guests[below(GUESTS)];
  switch (below(7)) {
    case 0:
      // One at a time: of several that start at once, some engines cannot tell which calls.
      if (callers->depth > 0) return;
      wasm_instance_delete(*guest);
      EXPECT((*guest = new_guest(callers)) != NULL);
      return;
    case 1:
    case 2: {
      if (!*guest) return;
      wasm_func_t* func = func_of(*guest, one_in(2) ? "f" : "i");
      call_from(callers, *guest, func);
      wasm_func_delete(func);
      return;
    }
    case 3: call_from(callers, NULL, callers->func); return;
    case 4: EXPECT(wasmrt_store_gc(callers->store)); return;
    case 5:
      EXPECT(wasmrt_store_set_data(callers->store, callers, finalize_data));
      EXPECT_INT(callers->data_finalized, callers->data_set);
      callers->data_set++;
      EXPECT_PTR(wasmrt_store_data(callers->store), callers);
      return;
    default:
      if (!callers->caller || callers->depth > 0) return;
      EXPECT_REFUSED(wasmrt_caller_instance(callers->caller) == NULL);
      EXPECT_REFUSED(wasmrt_caller_store(callers->caller) == NULL);
  }
}

void step_callers(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 2 : 8)) return;
  engine_t* engine = pick_engine();
  if (!engine) return;
  callers_t callers = {.store = wasm_store_new(engine->pointer)};
  EXPECT(callers.store != NULL);
  static wasm_byte_vec_t binaries[2];
  wasm_byte_vec_t* binary = &binaries[below(2)];
  if (!binary->data) {
    char text[sizeof guest_text + 20];
    snprintf(text, sizeof text, guest_text, binary == binaries ? "" : "(start $start)");
    EXPECT(wasmrt_wat2wasm(text, strlen(text), binary));
  }
  callers.module = wasm_module_new(callers.store, binary);
  wasm_functype_t* type = wasm_functype_new_1_1(wasm_valtype_new_i32(), wasm_valtype_new_i32());
  callers.func = wasmrt_func_new_with_caller(callers.store, type, called, &callers, finalize_env);
  EXPECT_REFUSED(!wasmrt_func_new_with_caller(NULL, type, called, &callers, finalize_env));
  EXPECT_REFUSED(!wasmrt_store_set_data(NULL, &callers, finalize_data));
  EXPECT_INT(callers.env_finalized + callers.data_finalized, 2);
  callers.env_finalized = callers.data_finalized = 0;
  wasm_functype_delete(type);
  run.depth++;
  for (size_t i = below(12); i > 0; i--) use_callers(&callers);
  run.depth--;
  EXPECT_INT(callers.env_finalized, 0);
  bool store_first = one_in(2);
  if (store_first) wasm_store_delete(callers.store);
  wasm_module_delete(callers.module);
  wasm_func_delete(callers.func);
  for (size_t i = 0; i < GUESTS; i++) wasm_instance_delete(callers.guests[i]);
  if (!store_first) wasm_store_delete(callers.store);
  EXPECT_INT(callers.env_finalized, 1);
  EXPECT_INT(callers.data_finalized, callers.data_set);
}

static bool same_bytes(const wasm_byte_vec_t* one, const wasm_byte_vec_t* other) {
  return one->size == other->size && (one->size == 0 || !memcmp(one->data, other->data, one->size));
}

static void expect_items_of_module(const wasm_module_t* module) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  EXPECT_INT(wasmrt_module_import_count(module), imports.size);
  size_t position = below(256);
  if (position < imports.size) {
    wasm_importtype_t* import = wasmrt_module_import_at(module, position);
    EXPECT(same_bytes(wasm_importtype_name(import), wasm_importtype_name(imports.data[position])));
    wasm_importtype_delete(import);
  } else {
    EXPECT_REFUSED(!wasmrt_module_import_at(module, position));
  }
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  EXPECT_INT(wasmrt_module_export_count(module), exports.size);
  size_t found = 777;
  if (position < exports.size) {
    wasm_exporttype_t* export = wasmrt_module_export_at(module, position);
    const wasm_name_t* name = wasm_exporttype_name(export);
    EXPECT(same_bytes(name, wasm_exporttype_name(exports.data[position])));
    EXPECT(wasmrt_module_export_index(module, name->data, name->size, &found));
    EXPECT_INT(found, position);
    wasm_exporttype_delete(export);
  } else {
    EXPECT_REFUSED(!wasmrt_module_export_at(module, position));
    EXPECT(!wasmrt_module_export_index(module, "no such export", 14, &found));
    EXPECT_INT(found, 777);
  }
  wasm_exporttype_vec_delete(&exports);
}

void step_items(void) {
  object_t* object = pick(1u << MODULE | 1u << INSTANCE);
  if (!object) return;
  if (object->kind == MODULE) {
    expect_items_of_module(wasm_ref_as_module(object->pointer));
    return;
  }
  const wasm_instance_t* instance = wasm_ref_as_instance(object->pointer);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  EXPECT_INT(wasmrt_instance_export_count(instance), exports.size);
  size_t position = below(256);
  if (position < exports.size) {
    wasm_extern_t* export = wasmrt_instance_export_at(instance, position);
    EXPECT_PTR(export, exports.data[position]);
    wasm_extern_delete(export);
  } else {
    EXPECT_REFUSED(!wasmrt_instance_export_at(instance, position));
  }
  wasm_extern_vec_delete(&exports);
}
