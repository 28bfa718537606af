// Memories and tables of every kind, shared memories, exceptions, globals without kinds and
// garbage-collected objects, in stores beside the model.
#include "fuzz.h"

static wasm_engine_t* kinds_engine(void) {
  static wasm_engine_t* engine;
  if (!engine) {
    wasm_engine_t* plain = wasm_engine_new();
    bool has_page_sizes = wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(plain),
                                                           WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES);
    wasm_engine_delete(plain);
    EXPECT(has_page_sizes || lacks.loaded);
    wasm_config_t* config = wasm_config_new();
    if (has_page_sizes)
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
  bool lacking = (is_64 && lacks.wide_memories) ||
                 (page_size == 1 && !supports(WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES));
  forget_error();
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  if (!memory) {
    expect_error(__FILE__, __LINE__, "a memory");
    // Limits of the fuzzer's store, and what the engine lacks.
    if (lacking) EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    if (!lacking && !is_shared) EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
    return;
  }
  EXPECT(!lacking);
  EXPECT(!is_shared || supports(WASMRT_PROPOSAL_THREADS));
  uint64_t size = minimum, found;
  for (unsigned i = below(4); i > 0; i--) {
    uint64_t delta = any_size(), former = 77;
    forget_error();
    if (wasmrt_memory_grow(memory, delta, &former)) {
      EXPECT(former == size && delta <= maximum - size);
      size += delta;
    } else {
      expect_error(__FILE__, __LINE__, "growth");
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
  forget_error();
  wasm_table_t* table = wasm_table_new(store, type, NULL);
  wasm_tabletype_delete(type);
  if (lacks.tables || (is_64 && lacks.wide_tables)) {
    EXPECT(table == NULL);
    EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    return;
  }
  EXPECT(table != NULL);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_ref_t* ref = lacks.externrefs ? NULL : wasm_foreign_as_ref(foreign);
  uint64_t size = minimum, found;
  for (unsigned i = below(4); i > 0; i--) {
    uint64_t delta = any_size(), former = 77;
    if (delta < 100 || delta > 10000000) {
      forget_error();
      if (wasmrt_table_grow(table, delta, ref, &former)) {
        EXPECT(former == size && delta <= maximum - size);
        size += delta;
      } else {
        expect_error(__FILE__, __LINE__, "growth");
        EXPECT_INT(former, 77);
      }
    }
    EXPECT(wasmrt_table_size(table, &found) && found == size);
    uint64_t index = any_size();
    EXPECT_INT(wasmrt_table_set(table, index, ref), index < size);
    wasm_ref_t* element = wasmrt_table_get(table, index);
    EXPECT_PTR(element, index < size ? ref : NULL);
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
  EXPECT_INT(exceptions.tag != NULL, !lacks.tags);
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

static const char objects_text[] =
    "(module (type $node (struct (field (mut i16)) (field (mut (ref null $node)))))"
    "  (type $array (array (mut i64)))"
    "  (func (export \"node\") (param (ref null $node)) (result (ref null $node)) (local.get 0))"
    "  (func (export \"array\") (param (ref $array)) (result (ref $array)) (local.get 0))"
    "  (func (export \"any\") (param anyref) (result anyref) (local.get 0)))";

enum { HELD = 6 };

// What one of the references that are held should be.
typedef struct {
  wasm_ref_t* ref;
  uint32_t heap, length;
  // A small integer, or the value of a packed field.
  int32_t number;
} held_t;

static void use_held(const wasm_store_t* store, held_t* held, const wasm_extern_vec_t* exports) {
  uint32_t heap = UINT32_MAX, length = UINT32_MAX, without = 0;
  int32_t with_sign = 0;
  EXPECT(wasmrt_ref_heap(held->ref, &heap));
  EXPECT_INT(heap, held->heap);
  wasm_val_t argument = {.kind = WASMRT_ANYREF, .of = {.ref = held->ref}}, result = WASM_INIT_VAL;
  wasm_val_vec_t args = {1, &argument}, results = {1, &result};
  size_t taker = below(3);
  bool fits = taker == 2 || heap == (taker ? WASMRT_HEAP_ARRAY : WASMRT_HEAP_STRUCT);
  wasm_trap_t* trap = wasm_func_call(wasm_extern_as_func(exports->data[taker]), &args, &results);
  EXPECT_INT(trap == NULL, fits);
  if (!trap) EXPECT_PTR(result.of.ref, held->ref);
  if (!trap) wasm_ref_delete(result.of.ref);
  wasm_trap_delete(trap);
  size_t index = one_in(4) ? (size_t)next_u64() : below(4);
  bool is_array = heap == WASMRT_HEAP_ARRAY, has_parts = is_array || heap == WASMRT_HEAP_STRUCT;
  EXPECT_INT(wasmrt_ref_length(held->ref, &length), has_parts);
  if (has_parts) EXPECT_INT(length, held->length);
  EXPECT_INT(wasmrt_ref_get(held->ref, index, one_in(2), &result), has_parts && index < length);
  if (has_parts && index < length) wasm_val_delete(&result);
  EXPECT_INT(wasmrt_i31_signed(held->ref, &with_sign), !has_parts);
  EXPECT_INT(wasmrt_i31_unsigned(held->ref, &without), !has_parts);
  if (!has_parts) EXPECT_INT(with_sign, held->number);
  if (!has_parts) EXPECT_INT(without, (uint32_t)held->number & 0x7fffffff);
  wasm_val_t value = WASM_I32_VAL((int32_t)next_u32());
  bool written = wasmrt_ref_set(held->ref, index, &value);
  EXPECT_INT(written, heap == WASMRT_HEAP_STRUCT && index == 0);
  if (written) held->number = (int16_t)value.of.i32;
  if (heap == WASMRT_HEAP_STRUCT) {
    EXPECT(wasmrt_ref_get(held->ref, 0, true, &result));
    EXPECT_INT(result.of.i32, held->number);
  }
  if (one_in(8)) EXPECT(wasmrt_store_gc((wasm_store_t*)(uintptr_t)store));
}

static void use_objects(wasm_store_t* store) {
  static wasm_byte_vec_t binary;
  if (!binary.data && !wasmrt_wat2wasm(objects_text, strlen(objects_text), &binary)) FAIL("text");
  forget_error();
  wasm_module_t* module = wasm_module_new(store, &binary);
  EXPECT_INT(module != NULL, !lacks.collection);
  wasm_valtype_t* type = wasmrt_valtype_new_ref(below(14), one_in(2));
  if (lacks.objects) {
    if (module) wasm_module_delete(module);
    EXPECT_REFUSED(!wasmrt_i31_new(store, 1));
    EXPECT_REFUSED(!wasmrt_struct_new(store, type, NULL));
    EXPECT_REFUSED(!wasmrt_array_new(store, type, 1, NULL));
    if (type) wasm_valtype_delete(type);
    return;
  }
  EXPECT_REFUSED(!wasmrt_struct_new(store, type, NULL));
  if (type) {
    wasm_valtype_t* other = wasmrt_valtype_with_null(type, true);
    uint32_t heaps[2];
    EXPECT(wasmrt_valtype_heap(type, &heaps[0]) && wasmrt_valtype_heap(other, &heaps[1]));
    EXPECT_INT(heaps[0], heaps[1]);
    EXPECT(wasmrt_valtype_is_nullable(other) && !wasmrt_valtype_is_defined(other));
    wasm_valtype_delete(other);
    wasm_valtype_delete(type);
  }
  wasm_extern_vec_t none = WASM_EMPTY_VEC, exports;
  wasm_instance_t* instance = wasm_instance_new(store, module, &none, NULL);
  EXPECT(instance != NULL);
  wasm_instance_exports(instance, &exports);
  wasm_functype_t* types[2];
  const wasm_valtype_t* parts[2];
  for (size_t i = 0; i < 2; i++) {
    types[i] = wasm_func_type(wasm_extern_as_func(exports.data[i]));
    parts[i] = wasm_functype_params(types[i])->data[0];
    EXPECT(wasmrt_valtype_is_defined(parts[i]));
  }
  held_t held[HELD] = {{NULL, 0, 0, 0}};
  for (unsigned i = 1 + below(12); i > 0; i--) {
    held_t* one = &held[below(HELD)];
    if (one->ref && one_in(2)) {
      use_held(store, one, &exports);
      continue;
    }
    wasm_ref_delete(one->ref);
    *one = (held_t){.number = (int32_t)(next_u32() >> 2) - (1 << 29)};
    switch (below(3)) {
      case 0:
        one->ref = wasmrt_i31_new(store, one->number);
        one->heap = WASMRT_HEAP_I31;
        break;
      case 1: {
        // With another of those that are held, which may be of another type.
        const held_t* next = &held[below(HELD)];
        wasm_val_t values[] = {WASM_I32_VAL(one->number), WASM_REF_VAL(next->ref)};
        wasm_val_vec_t fields = WASM_ARRAY_VEC(values);
        bool fits = !next->ref || next->heap == WASMRT_HEAP_STRUCT;
        one->ref = wasmrt_struct_new(store, parts[0], &fields);
        EXPECT_INT(one->ref != NULL, fits);
        one->heap = WASMRT_HEAP_STRUCT;
        one->length = 2;
        one->number = (int16_t)one->number;
        break;
      }
      default:
        one->length = one_in(8) ? next_u32() : below(100);
        wasm_val_t element = WASM_I64_VAL((int64_t)next_u64());
        one->ref = wasmrt_array_new(store, parts[1], one->length, one_in(2) ? &element : NULL);
        if (one->length < 100) EXPECT(one->ref != NULL);
        one->heap = WASMRT_HEAP_ARRAY;
    }
    if (!one->ref) continue;
    wasm_valtype_t* exact = wasmrt_ref_type(one->ref);
    EXPECT(exact && !wasmrt_valtype_is_nullable(exact));
    wasm_valtype_delete(exact);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  for (size_t i = 0; i < HELD; i++) wasm_ref_delete(held[i].ref);
  for (size_t i = 0; i < 2; i++) wasm_functype_delete(types[i]);
  wasm_module_delete(module);
}

static void use_raw_globals(wasm_store_t* store) {
  static const wasm_valkind_t kinds[] = {WASM_I32, WASM_I64, WASMRT_V128, WASM_EXTERNREF};
  wasm_valkind_t kind = kinds[below(4)];
  wasm_mutability_t mutability = one_in(2) ? WASM_VAR : WASM_CONST;
  wasmrt_raw_t value, found;
  for (size_t i = 0; i < 16; i++) value.v128[i] = next_byte();
  wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new(kind), mutability);
  forget_error();
  wasm_global_t* global = wasmrt_global_new_raw(store, type, &value);
  wasm_globaltype_delete(type);
  bool is_had = kind != WASM_EXTERNREF && !(kind == WASMRT_V128 && lacks.vectors);
  EXPECT_INT(global != NULL, is_had);
  if (!global) {
    expect_error(__FILE__, __LINE__, "a global");
    return;
  }
  size_t width = kind == WASM_I32 ? 4 : kind == WASM_I64 ? 8 : 16;
  EXPECT(wasmrt_global_get_raw(global, &found));
  EXPECT_INT(memcmp(&found, &value, width), 0);
  wasmrt_raw_t other = value;
  other.v128[0] ^= 1;
  EXPECT_INT(wasmrt_global_set_raw(global, &other), mutability == WASM_VAR);
  EXPECT(wasmrt_global_get_raw(global, &found));
  EXPECT_INT(memcmp(&found, mutability == WASM_VAR ? &other : &value, width), 0);
  wasm_global_delete(global);
}

void step_kinds(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 4 : 8)) return;
  wasm_store_t* store = wasm_store_new(kinds_engine());
  EXPECT(store != NULL);
  EXPECT(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 16 << 20));
  EXPECT(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 100000));
  for (unsigned i = 1 + below(4); i > 0; i--) {
    switch (below(6)) {
      case 0: use_table(store); break;
      case 1: use_exceptions(store); break;
      case 4: use_objects(store); break;
      case 5: use_raw_globals(store); break;
      default: use_memory(store);
    }
  }
  wasm_store_delete(store);
}
