// What loaded libraries lack, as each shows it when the fuzzer starts.
#include "fuzz.h"

lacks_t lacks;

static const struct {
  const char* name;
  size_t offset;
} all[] = {
#define ENTRY(name) {#name, offsetof(lacks_t, name)},
    LACKS(ENTRY)
#undef ENTRY
};

static bool* flag_of(size_t position) {
  return (bool*)((char*)&lacks + all[position].offset);
}

// Whether something was made; if not, the library has to say that it cannot.
static bool had(const void* made) {
  if (made) return true;
  EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  return false;
}

static bool makes_global(wasm_store_t* store, wasm_valkind_t kind, wasm_ref_t* ref) {
  wasm_globaltype_t* type = new_globaltype(kind, true);
  wasm_val_t value = {.kind = kind, .of = {.ref = ref}};
  wasm_global_t* global = wasm_global_new(store, type, &value);
  bool made = had(global);
  wasm_globaltype_delete(type);
  if (global) wasm_global_delete(global);
  return made;
}

static bool makes_table(wasm_store_t* store, wasm_valkind_t kind, wasm_ref_t* ref) {
  wasm_tabletype_t* type = new_tabletype(kind, 1, 2);
  wasm_table_t* table = wasm_table_new(store, type, ref);
  bool made = had(table);
  wasm_tabletype_delete(type);
  if (table) wasm_table_delete(table);
  return made;
}

static wasm_extern_t* export_of(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* found = wasmrt_instance_export(instance, name, strlen(name));
  EXPECT(found != NULL);
  return found;
}

static wasm_trap_t* call(wasm_extern_t* func, wasm_val_t* result) {
  wasm_val_vec_t none = WASM_EMPTY_VEC, results = {result != NULL, result};
  return wasm_func_call(wasm_extern_as_func(func), &none, &results);
}

// Looks at what comes out of an instance.
static void look_at_instance(const wasm_instance_t* instance) {
  wasm_extern_t *unreachable = export_of(instance, "unreachable"),
                *self = export_of(instance, "self");
  wasm_extern_t *zero = export_of(instance, "zero"), *memory = export_of(instance, "a memory");
  wasm_trap_t* trap = call(unreachable, NULL);
  EXPECT(trap != NULL);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  lacks.frames = !origin;
  wasm_frame_delete(origin);
  wasm_trap_delete(trap);
  wasm_extern_t* recurse = export_of(instance, "recurse");
  trap = call(recurse, NULL);
  EXPECT(trap != NULL);
  origin = wasm_trap_origin(trap);
  lacks.stack_frames = !origin || wasm_frame_module_offset(origin) == 0;
  wasm_frame_delete(origin);
  wasm_trap_delete(trap);
  wasm_extern_delete(recurse);
  wasm_val_t result = {.kind = WASM_FUNCREF};
  trap = call(self, &result);
  lacks.functions = trap && !had(NULL);
  EXPECT_INT(trap != NULL, lacks.functions);
  wasm_trap_delete(trap);
  lacks.identity = !lacks.functions && result.of.ref != wasm_extern_as_ref(zero);
  wasm_val_delete(&result);
  lacks.growth = !wasm_memory_grow(wasm_extern_as_memory(memory), 1) && !had(NULL);
  wasm_extern_t* externs[] = {unreachable, self, zero, memory};
  for (size_t i = 0; i < LENGTH_OF(externs); i++) wasm_extern_delete(externs[i]);
}

static void look_at_store(wasm_store_t* store, const char* backend) {
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_func_t* func = wasm_func_new(store, type, host_callback);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_ref_t *func_ref = wasm_func_as_ref(func), *foreign_ref = wasm_foreign_as_ref(foreign);
  lacks.externrefs = !makes_global(store, WASM_EXTERNREF, NULL);
  lacks.funcrefs = !makes_global(store, WASM_FUNCREF, NULL);
  EXPECT_INT(makes_global(store, WASM_EXTERNREF, foreign_ref), !lacks.externrefs);
  EXPECT_INT(makes_global(store, WASM_FUNCREF, func_ref), !lacks.funcrefs);
  lacks.tables = !makes_table(store, WASM_FUNCREF, NULL);
  EXPECT_INT(makes_table(store, WASM_EXTERNREF, NULL), !lacks.tables);
  EXPECT_INT(makes_table(store, WASM_EXTERNREF, foreign_ref), !lacks.externrefs);
  EXPECT_INT(makes_table(store, WASM_FUNCREF, func_ref), !lacks.funcrefs);
  wasm_memorytype_t* memory_type = new_memorytype(1, 2);
  wasm_memory_t* memory = wasm_memory_new(store, memory_type);
  lacks.memories = !had(memory);
  if (memory) wasm_memory_delete(memory);
  wasm_memorytype_delete(memory_type);
  memory_type = wasmrt_memorytype_new(1, 2, true, false, 65536);
  memory = wasm_memory_new(store, memory_type);
  lacks.wide_memories = !had(memory);
  if (memory) wasm_memory_delete(memory);
  wasm_memorytype_delete(memory_type);
  wasm_tabletype_t* table_type = wasmrt_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), 1, 2, true);
  wasm_table_t* table = wasm_table_new(store, table_type, NULL);
  lacks.wide_tables = !had(table);
  if (table) wasm_table_delete(table);
  wasm_tabletype_delete(table_type);
  wasm_globaltype_t* global_type = wasm_globaltype_new(wasm_valtype_new(WASMRT_V128), WASM_VAR);
  wasmrt_raw_t vector = {.i64 = 0};
  wasm_global_t* global = wasmrt_global_new_raw(store, global_type, &vector);
  lacks.vectors = !had(global);
  if (global) wasm_global_delete(global);
  wasm_globaltype_delete(global_type);
  wasm_tagtype_t* tag_type = wasm_tagtype_new(wasm_functype_copy(type));
  wasm_extern_t* tag = wasmrt_tag_new(store, tag_type);
  lacks.tags = !had(tag);
  if (tag) wasm_extern_delete(tag);
  wasm_tagtype_delete(tag_type);
  wasm_ref_t* i31 = wasmrt_i31_new(store, 1);
  lacks.objects = !had(i31);
  wasm_ref_delete(i31);
  lacks.exceptions = !wasmrt_backend_supports_proposal(backend, WASMRT_PROPOSAL_EXCEPTIONS);
  lacks.collection = !wasmrt_backend_supports_proposal(backend, WASMRT_PROPOSAL_GC);
  prepare_catalogue();
  wasm_module_t* module = wasm_module_new(store, &catalogue[MODULE_OWN].binary);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  EXPECT(instance != NULL);
  look_at_instance(instance);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  wasm_functype_delete(type);
}

void look_at_peer(wasm_engine_t* engine) {
  const char* backend = wasmrt_engine_backend_name(engine);
  bool wasmi = strcmp(backend, "wasmi") == 0;
  if (wasmi || strcmp(backend, "wasmtime") == 0) {
    // What is compiled in is known, and does not lack more because it says so.
    lacks.frames = lacks.exceptions = lacks.tags = lacks.collection = lacks.objects = wasmi;
    return;
  }
  lacks.loaded = true;
  wasm_store_t* store = wasm_store_new(engine);
  look_at_store(store, backend);
  wasm_store_delete(store);
  const char* expected = getenv("FUZZ_LACKS");
  char found[256] = "";
  for (size_t i = 0; i < LENGTH_OF(all); i++) {
    if (!*flag_of(i)) continue;
    if (found[0]) strcat(found, " ");
    strcat(found, all[i].name);
  }
  if (!expected)
    fprintf(stderr, "fuzz: %s lacks: %s\n", backend, found);
  else if (strcmp(found, expected) != 0)
    FAIL("the library lacks \"%s\", and should lack \"%s\"", found, expected);
}
