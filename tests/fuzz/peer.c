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

// Whether a call does what it should; if not, it has to leave the error that the library cannot.
#define WORKS(call) (forget_error(), worked((call) != 0))

static bool worked(bool yes) {
  if (!yes) EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  return yes;
}

static bool makes_global(wasm_store_t* store, wasm_valkind_t kind, wasm_ref_t* ref) {
  wasm_globaltype_t* type = new_globaltype(kind, true);
  wasm_val_t value = {.kind = kind, .of = {.ref = ref}};
  wasm_global_t* global;
  bool made = WORKS(global = wasm_global_new(store, type, &value));
  wasm_globaltype_delete(type);
  if (global) wasm_global_delete(global);
  return made;
}

static bool makes_table(wasm_store_t* store, wasm_valkind_t kind, wasm_ref_t* ref) {
  wasm_tabletype_t* type = new_tabletype(kind, 1, 2);
  wasm_table_t* table;
  bool made = WORKS(table = wasm_table_new(store, type, ref));
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

static bool imports(wasm_store_t* store, const char* text, wasm_extern_t* given) {
  wasm_byte_vec_t binary;
  EXPECT(wasmrt_wat2wasm(text, strlen(text), &binary));
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_byte_vec_delete(&binary);
  EXPECT(module != NULL);
  wasm_extern_vec_t vector = {1, &given};
  wasm_instance_t* instance;
  bool made = WORKS(instance = wasm_instance_new(store, module, &vector, NULL));
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  return made;
}

// Looks at what comes out of an instance.
static void look_at_instance(wasm_store_t* store, const wasm_instance_t* instance) {
  wasm_extern_t *unreachable = export_of(instance, "unreachable"),
                *self = export_of(instance, "self");
  wasm_extern_t *zero = export_of(instance, "zero"), *table = export_of(instance, "tf");
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
  lacks.functions = trap != NULL;
  if (trap) EXPECT_INT(wasmrt_trap_error_kind(trap), WASMRT_ERROR_UNSUPPORTED);
  wasm_trap_delete(trap);
  lacks.identity = !lacks.functions && result.of.ref != wasm_extern_as_ref(zero);
  wasm_val_delete(&result);
  lacks.growth = !WORKS(wasm_table_grow(wasm_extern_as_table(table), 1, NULL));
  EXPECT_INT(imports(store, "(module (import \"\" \"\" (table 1 funcref)))", table),
             !lacks.imports);
  wasm_extern_t* externs[] = {unreachable, self, zero, table};
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
  EXPECT(memory != NULL);
  lacks.imports =
      !imports(store, "(module (import \"\" \"\" (memory 1)))", wasm_memory_as_extern(memory));
  wasm_memory_delete(memory);
  wasm_memorytype_delete(memory_type);
  memory_type = wasmrt_memorytype_new(1, 2, true, false, 65536);
  lacks.wide_memories = !WORKS(memory = wasm_memory_new(store, memory_type));
  if (memory) wasm_memory_delete(memory);
  wasm_memorytype_delete(memory_type);
  wasm_tabletype_t* table_type = wasmrt_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), 1, 2, true);
  wasm_table_t* table;
  lacks.wide_tables = !WORKS(table = wasm_table_new(store, table_type, NULL));
  if (table) wasm_table_delete(table);
  wasm_tabletype_delete(table_type);
  wasm_globaltype_t* global_type = wasm_globaltype_new(wasm_valtype_new(WASMRT_V128), WASM_VAR);
  wasmrt_raw_t vector = {.i64 = 0};
  wasm_global_t* global;
  lacks.vectors = !WORKS(global = wasmrt_global_new_raw(store, global_type, &vector));
  if (global) wasm_global_delete(global);
  wasm_globaltype_delete(global_type);
  wasm_tagtype_t* tag_type = wasm_tagtype_new(wasm_functype_copy(type));
  wasm_extern_t* tag;
  lacks.tags = !WORKS(tag = wasmrt_tag_new(store, tag_type));
  if (tag) wasm_extern_delete(tag);
  wasm_tagtype_delete(tag_type);
  wasm_ref_t* i31;
  lacks.objects = !WORKS(i31 = wasmrt_i31_new(store, 1));
  wasm_ref_delete(i31);
  lacks.exceptions = !wasmrt_backend_supports_proposal(backend, WASMRT_PROPOSAL_EXCEPTIONS);
  lacks.collection = !wasmrt_backend_supports_proposal(backend, WASMRT_PROPOSAL_GC);
  prepare_catalogue();
  wasm_module_t* module = wasm_module_new(store, &catalogue[MODULE_OWN].binary);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  EXPECT(instance != NULL);
  look_at_instance(store, instance);
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
