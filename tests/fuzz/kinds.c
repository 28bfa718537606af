// Memories and tables of every kind, shared memories and exceptions, in stores beside the model.
#include "fuzz.h"

static wasm_engine_t* kinds_engine(void) {
  static wasm_engine_t* engine;
  if (!engine) {
    wasm_config_t* config = wasm_config_new();
    EXPECT(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES, true));
    engine = wasm_engine_new_with_config(config);
    EXPECT(engine != NULL);
  }
  return engine;
}

static bool supports(wasmrt_proposal_t proposal) {
  return wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(kinds_engine()), proposal);
}

// Mostly small; sometimes near a limit of 32 or of 64 bits.
static uint64_t any_size(void) {
  switch (below(8)) {
    case 0: return UINT64_MAX - below(3);
    case 1: return (UINT64_C(1) << 32) - 2 + below(4);
    case 2: return (UINT64_C(1) << 48) - 2 + below(4);
    case 3: return next_u64();
    default: return below(5);
  }
}

static void use_memory(wasm_store_t* store) {
  uint64_t minimum = any_size(), maximum = one_in(3) ? WASMRT_UNLIMITED : any_size();
  bool is_64 = one_in(2), is_shared = one_in(3);
  uint64_t page_size = one_in(16) ? next_u64() : one_in(2) ? 1 : 65536;
  bool known = page_size == 1 || page_size == 65536;
  bool fits = known && minimum <= maximum && !(is_shared && maximum == WASMRT_UNLIMITED);
  wasm_memorytype_t* type;
  forget_error();
  type = wasmrt_memorytype_new(minimum, maximum, is_64, is_shared, page_size);
  if (!fits) EXPECT(type == NULL);
  if (!type) {
    expect_error(__FILE__, __LINE__, "a memory type");
    return;
  }
  EXPECT(wasmrt_memorytype_minimum(type) == minimum);
  EXPECT(wasmrt_memorytype_maximum(type) == maximum);
  EXPECT_INT(wasmrt_memorytype_page_size(type), page_size);
  EXPECT_INT(wasmrt_memorytype_is_64(type), is_64);
  EXPECT_INT(wasmrt_memorytype_is_shared(type), is_shared);
  // The machine has room for small ones only.
  if (minimum * page_size > 1 << 20 || minimum > 1 << 20) {
    wasm_memorytype_delete(type);
    return;
  }
  forget_error();
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  if (!memory) {
    expect_error(__FILE__, __LINE__, "a memory");
    // Limits of the fuzzer's store, and what the engine lacks.
    if (!is_shared) EXPECT(wasmrt_last_error_kind() == WASMRT_ERROR_LIMIT);
    return;
  }
  EXPECT(!is_shared || supports(WASMRT_PROPOSAL_THREADS));
  uint64_t size = minimum, found;
  for (unsigned i = below(4); i > 0; i--) {
    uint64_t delta = any_size(), former = 77;
    if (wasmrt_memory_grow(memory, delta, &former)) {
      EXPECT(former == size && delta <= maximum - size);
      size += delta;
    } else {
      EXPECT_INT(former, 77);
    }
    EXPECT(wasmrt_memory_size(memory, &found) && found == size);
    EXPECT(wasm_memory_data_size(memory) == size * page_size);
  }
  wasmrt_shared_memory_t* shared = NULL;
  if (is_shared) {
    shared = wasmrt_memory_share(memory);
    EXPECT(shared != NULL);
    wasm_store_t* other = one_in(2) ? wasm_store_new(kinds_engine()) : NULL;
    wasm_memory_t* obtained = wasmrt_memory_obtain(other ? other : store, shared);
    if (obtained) {
      EXPECT(wasm_memory_data(obtained) == wasm_memory_data(memory));
      EXPECT(wasmrt_memory_size(obtained, &found) && found == size);
      uint32_t woken = 77;
      uint64_t address = any_size();
      if (wasmrt_memory_notify(obtained, address, next_byte(), &woken)) {
        EXPECT_INT(woken, 0);
        EXPECT(address % 4 == 0 && address + 4 <= size * page_size);
      }
    }
    if (one_in(2)) wasm_store_delete(other), other = NULL;
    wasm_memory_delete(obtained);
    wasm_store_delete(other);
  } else {
    EXPECT_REFUSED_AS(WASMRT_ERROR_MISUSE, wasmrt_memory_share(memory) == NULL);
  }
  wasm_memory_delete(memory);
  wasmrt_shared_memory_delete(shared);
}

static void use_table(wasm_store_t* store) {
  uint64_t minimum = below(5), maximum = one_in(3) ? WASMRT_UNLIMITED : any_size();
  bool is_64 = one_in(2);
  wasm_tabletype_t* type =
      wasmrt_tabletype_new(wasm_valtype_new(WASM_EXTERNREF), minimum, maximum, is_64);
  bool fits = minimum <= maximum && (is_64 || maximum == WASMRT_UNLIMITED || maximum <= UINT32_MAX);
  EXPECT_INT(type != NULL, fits);
  if (!type) return;
  wasm_table_t* table = wasm_table_new(store, type, NULL);
  wasm_tabletype_delete(type);
  EXPECT(table != NULL);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  uint64_t size = minimum, found;
  for (unsigned i = below(4); i > 0; i--) {
    uint64_t delta = any_size(), former = 77;
    if (delta < 100 || delta > 10000000) {
      if (wasmrt_table_grow(table, delta, wasm_foreign_as_ref(foreign), &former)) {
        EXPECT(former == size && delta <= maximum - size);
        size += delta;
      } else {
        EXPECT_INT(former, 77);
      }
    }
    EXPECT(wasmrt_table_size(table, &found) && found == size);
    uint64_t index = any_size();
    EXPECT_INT(wasmrt_table_set(table, index, wasm_foreign_as_ref(foreign)), index < size);
    wasm_ref_t* element = wasmrt_table_get(table, index);
    EXPECT_PTR(element, index < size ? wasm_foreign_as_ref(foreign) : NULL);
    wasm_ref_delete(element);
  }
  wasm_foreign_delete(foreign);
  wasm_table_delete(table);
}

static const char thrower_text[] =
    "(module (import \"\" \"\" (tag $e (param i32 externref)))"
    "  (import \"\" \"\" (func $host))"
    "  (func (export \"catch\") (result i32 externref)"
    "    (block $caught (result i32 externref)"
    "      (try_table (catch $e $caught) (call $host))"
    "      (i32.const -1) (ref.null extern)))"
    "  (func (export \"pass\") (call $host))"
    "  (func (export \"throw\") (throw $e (i32.const 3) (ref.null extern))))";

typedef struct exceptions_t {
  wasm_store_t* store;
  wasm_extern_t* tag;
  wasm_foreign_t* foreign;
  wasm_extern_vec_t exports;
  int32_t number;
  unsigned depth;
} exceptions_t;

static wasm_trap_t* call_none(exceptions_t* exceptions, size_t position) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  return wasm_func_call(wasm_extern_as_func(exceptions->exports.data[position]), &none, &none);
}

static void expect_exception(exceptions_t* exceptions, wasm_trap_t* trap, int32_t number,
                             const wasm_foreign_t* foreign) {
  EXPECT(trap != NULL);
  EXPECT_INT(wasmrt_trap_code(trap), WASMRT_TRAP_UNCAUGHT_EXCEPTION);
  wasm_extern_t* tag = wasmrt_trap_exception_tag(trap);
  EXPECT_PTR(tag, exceptions->tag);
  wasm_extern_delete(tag);
  wasm_val_vec_t values;
  EXPECT(wasmrt_trap_exception_values(trap, &values));
  EXPECT_INT(values.size, 2);
  EXPECT_INT(values.data[0].of.i32, number);
  EXPECT_PTR(values.data[1].of.ref, foreign ? wasm_foreign_as_ref_const(foreign) : NULL);
  wasm_val_vec_delete(&values);
}

static wasm_trap_t* thrown(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  exceptions_t* exceptions = env;
  if (exceptions->depth < 3 && one_in(3)) {
    // Through one more guest.
    exceptions->depth++;
    wasm_trap_t* trap = call_none(exceptions, 1);
    exceptions->depth--;
    expect_exception(exceptions, trap, exceptions->number, exceptions->foreign);
    return trap;
  }
  exceptions->number = (int32_t)next_u32();
  wasm_val_t data[] = {WASM_I32_VAL(exceptions->number),
                       WASM_REF_VAL(wasm_foreign_as_ref(exceptions->foreign))};
  wasm_val_vec_t values = WASM_ARRAY_VEC(data);
  return wasmrt_exception_new(exceptions->store, exceptions->tag, &values);
}

static void use_exceptions(wasm_store_t* store) {
  wasm_valtype_t* kinds[] = {wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_EXTERNREF)};
  wasm_valtype_vec_t params, none = WASM_EMPTY_VEC;
  wasm_valtype_vec_new(&params, 2, kinds);
  wasm_tagtype_t* tag_type = wasm_tagtype_new(wasm_functype_new(&params, &none));
  exceptions_t exceptions = {.store = store};
  forget_error();
  exceptions.tag = wasmrt_tag_new(store, tag_type);
  wasm_tagtype_delete(tag_type);
  EXPECT_INT(exceptions.tag != NULL, supports(WASMRT_PROPOSAL_EXCEPTIONS));
  if (!exceptions.tag) {
    expect_error(__FILE__, __LINE__, "a tag");
    return;
  }
  static wasm_byte_vec_t binary;
  if (!binary.data && !wasmrt_wat2wasm(thrower_text, strlen(thrower_text), &binary)) FAIL("text");
  exceptions.foreign = wasm_foreign_new(store);
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_func_t* host = wasm_func_new_with_env(store, type, thrown, &exceptions, NULL);
  wasm_functype_delete(type);
  wasm_module_t* module = wasm_module_new(store, &binary);
  wasm_extern_t* externs[] = {exceptions.tag, wasm_func_as_extern(host)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  EXPECT(instance != NULL);
  wasm_instance_exports(instance, &exceptions.exports);
  for (unsigned i = 1 + below(4); i > 0; i--) {
    wasm_trap_t* trap = NULL;
    wasm_val_t found[] = {WASM_INIT_VAL, WASM_INIT_VAL};
    wasm_val_vec_t results = WASM_ARRAY_VEC(found), no_args = WASM_EMPTY_VEC;
    switch (below(3)) {
      case 0:
        EXPECT_PTR(
            wasm_func_call(wasm_extern_as_func(exceptions.exports.data[0]), &no_args, &results),
            NULL);
        EXPECT_INT(found[0].of.i32, exceptions.number);
        EXPECT_PTR(found[1].of.ref, wasm_foreign_as_ref(exceptions.foreign));
        wasm_ref_delete(found[1].of.ref);
        break;
      case 1:
        trap = call_none(&exceptions, 1);
        expect_exception(&exceptions, trap, exceptions.number, exceptions.foreign);
        break;
      default: trap = call_none(&exceptions, 2); expect_exception(&exceptions, trap, 3, NULL);
    }
    if (trap) wasm_trap_delete(trap);
  }
  wasm_extern_vec_delete(&exceptions.exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_func_delete(host);
  wasm_foreign_delete(exceptions.foreign);
  wasm_extern_delete(exceptions.tag);
}

void step_kinds(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 4 : 8)) return;
  wasm_store_t* store = wasm_store_new(kinds_engine());
  EXPECT(store != NULL);
  EXPECT(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 16 << 20));
  EXPECT(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100000));
  for (unsigned i = 1 + below(4); i > 0; i--) {
    switch (below(4)) {
      case 0: use_table(store); break;
      case 1: use_exceptions(store); break;
      default: use_memory(store);
    }
  }
  wasm_store_delete(store);
}
