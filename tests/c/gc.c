// Types narrower than their kind, and garbage-collected objects, through everything that carries
// values.
#include "configured.h"

#include <pthread.h>

#define ANYREF(x) ((wasm_val_t){.kind = WASMRT_ANYREF, .of = {.ref = (x)}})

static bool has_gc(const wasm_engine_t* engine) {
  return wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(engine), WASMRT_PROPOSAL_GC);
}

static const char* wat =
    "(module"
    "  (type $point (struct (field i32) (field (mut i8)) (field (mut (ref null $point)))))"
    "  (type $bytes (array (mut i16)))"
    "  (type $fixed (array i64))"
    "  (import \"\" \"any\" (func $any (param anyref) (result anyref)))"
    "  (import \"\" \"point\" (func $point_host (param (ref $point)) (result (ref $point))))"
    "  (func (export \"0 point\") (param i32) (result (ref $point))"
    "    (struct.new $point (local.get 0) (i32.const -2) (ref.null $point)))"
    "  (func (export \"1 bytes\") (param i32) (result (ref $bytes))"
    "    (array.new $bytes (i32.const -3) (local.get 0)))"
    "  (func (export \"2 i31\") (param i32) (result i31ref) (ref.i31 (local.get 0)))"
    "  (func (export \"3 id\") (param anyref) (result anyref) (local.get 0))"
    "  (func (export \"4 x\") (param (ref $point)) (result i32) (struct.get $point 0 (local.get "
    "0)))"
    "  (func (export \"5 host any\") (param anyref) (result anyref) (call $any (local.get 0)))"
    "  (func (export \"6 host point\") (param (ref $point)) (result (ref $point))"
    "    (call $point_host (local.get 0)))"
    "  (global (export \"7 global\") (mut anyref) (ref.null none))"
    "  (global (export \"8 point\") (mut (ref null $point)) (ref.null $point))"
    "  (table (export \"9 table\") 4 20 anyref)"
    "  (table (export \"10 points\") 4 20 (ref null $point))"
    "  (func (export \"11 extern\") (param anyref) (result externref)"
    "    (extern.convert_any (local.get 0)))"
    "  (func (export \"12 any\") (param externref) (result anyref)"
    "    (any.convert_extern (local.get 0)))"
    "  (func (export \"13 eq\") (param eqref eqref) (result i32)"
    "    (ref.eq (local.get 0) (local.get 1)))"
    "  (func (export \"14 fixed\") (result (ref $fixed)) (array.new_default $fixed (i32.const 3)))"
    "  (func (export \"15 null\") (param nullref) (result nullref) (local.get 0))"
    "  (func (export \"16 nofunc\") (param nullfuncref) (result i32) (ref.is_null (local.get 0)))"
    "  (func (export \"17 noextern\") (param nullexternref) (result i32)"
    "    (ref.is_null (local.get 0))))";

enum {
  POINT,
  BYTES,
  I31,
  ID,
  GET_X,
  HOST_ANY,
  HOST_POINT,
  GLOBAL,
  GLOBAL_POINT,
  TABLE,
  TABLE_POINTS,
  TO_EXTERN,
  TO_ANY,
  EQ,
  FIXED,
  NULLREF,
  NOFUNC,
  NOEXTERN,
};

typedef struct {
  const wasm_ref_t* expected;
  // What the callback returns, or NULL for what it got.
  const wasm_ref_t* answer;
  size_t calls;
} host_t;

static wasm_trap_t* give_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  host_t* host = env;
  host->calls++;
  CHECK_INT(arguments->data[0].kind, WASMRT_ANYREF);
  CHECK(wasm_ref_same(arguments->data[0].of.ref, host->expected));
  wasm_val_t value = ANYREF((wasm_ref_t*)(uintptr_t)host->answer);
  wasm_val_copy(&results->data[0], host->answer ? &value : &arguments->data[0]);
  return NULL;
}

typedef struct {
  fixture_t fixture;
  host_t host;
  const wasm_valtype_t *point, *bytes, *fixed;
  wasm_functype_t* types[3];
} world_t;

// A function of the type that a module imports.
static wasm_func_t* func_of_import(wasm_store_t* store, const wasm_module_t* module, size_t index,
                                   wasm_func_callback_with_env_t callback, void* env) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  REQUIRE(index < imports.size);
  const wasm_externtype_t* type = wasm_importtype_type(imports.data[index]);
  wasm_func_t* func =
      wasm_func_new_with_env(store, wasm_externtype_as_functype_const(type), callback, env, NULL);
  wasm_importtype_vec_delete(&imports);
  return func;
}

static const wasm_valtype_t* result_type(world_t* world, size_t slot, size_t func) {
  world->types[slot] = wasm_func_type(fixture_func(&world->fixture, func));
  return wasm_functype_results(world->types[slot])->data[0];
}

static void world_init(world_t* world) {
  *world = (world_t){.fixture = fixture_new()};
  fixture_t* fixture = &world->fixture;
  fixture->module = module_from_wat(fixture->store, wat);
  wasm_extern_t* imports[2];
  for (size_t i = 0; i < 2; i++) {
    wasm_func_t* func = func_of_import(fixture->store, fixture->module, i, give_back, &world->host);
    REQUIRE(func);
    imports[i] = wasm_func_as_extern(func);
  }
  fixture->instance = instantiate(fixture->store, fixture->module, imports, 2);
  wasm_instance_exports(fixture->instance, &fixture->exports);
  for (size_t i = 0; i < 2; i++) wasm_extern_delete(imports[i]);
  world->point = result_type(world, 0, POINT);
  world->bytes = result_type(world, 1, BYTES);
  world->fixed = result_type(world, 2, FIXED);
}

static void world_delete(world_t* world) {
  for (size_t i = 0; i < 3; i++) wasm_functype_delete(world->types[i]);
  fixture_delete(&world->fixture);
}

static wasm_func_t* func(const world_t* world, size_t index) {
  return fixture_func(&world->fixture, index);
}

// Calls a function that returns a reference, with one argument or none.
static wasm_ref_t* call_ref(const wasm_func_t* func, const wasm_val_t* argument) {
  wasm_val_t result;
  GARBAGE(result);
  if (!CHECK_NO_TRAP(call(func, argument, argument ? 1 : 0, &result, 1))) return NULL;
  CHECK(result.kind == WASMRT_ANYREF || result.kind == WASM_EXTERNREF);
  return result.of.ref;
}

static wasm_ref_t* make(const world_t* world, size_t maker, int32_t value) {
  wasm_val_t argument = I32(value);
  wasm_ref_t* made = call_ref(func(world, maker), maker == FIXED ? NULL : &argument);
  REQUIRE(made);
  return made;
}

static uint32_t heap_of(const wasm_ref_t* reference) {
  uint32_t heap = UINT32_MAX;
  CHECK(wasmrt_ref_heap(reference, &heap));
  return heap;
}

// Takes ownership of the reference.
static void check_came_back(wasm_ref_t* actual, const wasm_ref_t* expected) {
  CHECK_PTR(actual, expected);
  CHECK(wasm_ref_same(actual, expected));
  wasm_ref_delete(actual);
}

static int32_t part_of(const wasm_ref_t* reference, size_t index, bool is_signed) {
  wasm_val_t value;
  GARBAGE(value);
  if (!CHECK(wasmrt_ref_get(reference, index, is_signed, &value))) return -1;
  CHECK_INT(value.kind, WASM_I32);
  return value.of.i32;
}

#define WITH_WORLD(world)                \
  fixture_t probe = fixture_new();       \
  bool supported = has_gc(probe.engine); \
  fixture_delete(&probe);                \
  if (!supported) return;                \
  world_t world;                         \
  world_init(&world)

TEST(a_backend_without_them_refuses) {
  fixture_t fixture = fixture_new();
  wasm_store_t* store = fixture.store;
  if (!has_gc(fixture.engine)) {
    CHECK_FAILS_WITH(!wasmrt_i31_new(store, 1), WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), "gc");
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
    wasm_valtype_t* type = wasmrt_valtype_new_ref(WASMRT_HEAP_STRUCT, true);
    CHECK_FAILS_WITH(!wasmrt_struct_new(store, type, NULL), WASMRT_ERROR_UNSUPPORTED);
    CHECK_FAILS_WITH(!wasmrt_array_new(store, type, 1, NULL), WASMRT_ERROR_UNSUPPORTED);
    static const uint32_t heaps[] = {WASMRT_HEAP_ANY,    WASMRT_HEAP_I31,  WASMRT_HEAP_FUNC,
                                     WASMRT_HEAP_EXTERN, WASMRT_HEAP_NONE, WASMRT_HEAP_EXN};
    for (size_t i = 0; i < sizeof heaps / sizeof heaps[0]; i++) {
      bool is_plain = false;
      for (int nullable = 0; nullable < 2; nullable++) {
        is_plain = nullable && (heaps[i] == WASMRT_HEAP_FUNC || heaps[i] == WASMRT_HEAP_EXTERN);
        if (is_plain) continue;
        wasm_functype_t* func_type =
            wasm_functype_new_1_0(wasmrt_valtype_new_ref(heaps[i], nullable));
        CHECK_FAILS_WITH(!wasm_func_new_with_env(store, func_type, give_back, NULL, NULL),
                         WASMRT_ERROR_UNSUPPORTED);
        CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
        wasm_functype_delete(func_type);
        wasm_globaltype_t* global_type =
            wasm_globaltype_new(wasmrt_valtype_new_ref(heaps[i], nullable), WASM_VAR);
        wasm_val_t null = ANYREF(NULL);
        CHECK_FAILS_WITH(!wasm_global_new(store, global_type, &null), WASMRT_ERROR_UNSUPPORTED);
        wasm_globaltype_delete(global_type);
        wasm_limits_t limits = {1, 2};
        wasm_tabletype_t* table_type =
            wasm_tabletype_new(wasmrt_valtype_new_ref(heaps[i], nullable), &limits);
        CHECK_FAILS_WITH(!wasm_table_new(store, table_type, NULL), WASMRT_ERROR_UNSUPPORTED);
        wasm_tabletype_delete(table_type);
      }
    }
  }
  fixture_delete(&fixture);
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_GC, false));
  fixture = fixture_from_config(config);
  CHECK_FAILS_WITH(!wasmrt_i31_new(fixture.store, 1), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), "gc");
  fixture_delete(&fixture);
}

TEST(types_are_described) {
  for (uint32_t heap = WASMRT_HEAP_EXTERN; heap <= WASMRT_HEAP_NOEXN; heap++) {
    for (int nullable = 0; nullable < 2; nullable++) {
      wasm_valtype_t* type = wasmrt_valtype_new_ref(heap, nullable);
      REQUIRE(type);
      uint32_t found = UINT32_MAX;
      CHECK(wasmrt_valtype_heap(type, &found));
      CHECK_INT(found, heap);
      CHECK_INT(wasmrt_valtype_is_nullable(type), nullable);
      CHECK(!wasmrt_valtype_is_defined(type));
      wasm_valtype_t* other = wasmrt_valtype_with_null(type, !nullable);
      CHECK_INT(wasmrt_valtype_is_nullable(other), !nullable);
      CHECK(wasmrt_valtype_heap(other, &found));
      CHECK_INT(found, heap);
      wasm_valtype_delete(other);
      wasm_valtype_delete(type);
    }
  }
  static const struct {
    wasm_valkind_t kind;
    uint32_t heap;
  } kinds[] = {
      {WASM_EXTERNREF, WASMRT_HEAP_EXTERN},
      {WASM_FUNCREF, WASMRT_HEAP_FUNC},
      {WASMRT_ANYREF, WASMRT_HEAP_ANY},
      {WASMRT_EXNREF, WASMRT_HEAP_EXN},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    wasm_valtype_t* type = wasm_valtype_new(kinds[i].kind);
    wasm_valtype_t* same = wasmrt_valtype_new_ref(kinds[i].heap, true);
    CHECK_PTR(type, same);
    CHECK_INT(wasm_valtype_kind(same), kinds[i].kind);
    wasm_valtype_delete(type);
    wasm_valtype_delete(same);
  }
  wasm_valtype_t* number = wasm_valtype_new_i64();
  uint32_t heap = 77;
  CHECK_FAILS_WITH(!wasmrt_valtype_heap(number, &heap), WASMRT_ERROR_MISUSE);
  CHECK_INT(heap, 77);
  CHECK_FAILS_WITH(!wasmrt_valtype_with_null(number, true), WASMRT_ERROR_MISUSE);
  CHECK(!wasmrt_valtype_is_nullable(number));
  CHECK(!wasmrt_valtype_is_defined(number));
  wasm_valtype_delete(number);
  CHECK_FAILS_WITH(!wasmrt_valtype_new_ref(12, true), WASMRT_ERROR_MISUSE);
}

TEST(references_say_what_they_are) {
  WITH_WORLD(world);
  static const struct {
    size_t maker;
    uint32_t heap;
    bool is_defined;
  } kinds[] = {
      {POINT, WASMRT_HEAP_STRUCT, true},
      {BYTES, WASMRT_HEAP_ARRAY, true},
      {I31, WASMRT_HEAP_I31, false},
      {FIXED, WASMRT_HEAP_ARRAY, true},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    wasm_ref_t* made = make(&world, kinds[i].maker, 5);
    CHECK_INT(heap_of(made), kinds[i].heap);
    wasm_valtype_t* type = wasmrt_ref_type(made);
    REQUIRE(type);
    CHECK_INT(wasm_valtype_kind(type), WASMRT_ANYREF);
    CHECK_INT(wasmrt_valtype_is_defined(type), kinds[i].is_defined);
    CHECK(!wasmrt_valtype_is_nullable(type));
    if (kinds[i].maker == POINT) CHECK_PTR(type, world.point);
    wasm_valtype_delete(type);
    // None of the standard's kinds.
    CHECK_NULL(wasm_ref_as_func(made));
    CHECK_NULL(wasm_ref_as_foreign(made));
    CHECK_NULL(wasm_ref_as_extern(made));
    wasm_ref_delete(made);
  }
  wasm_foreign_t* foreign = wasm_foreign_new(world.fixture.store);
  CHECK_INT(heap_of(wasm_foreign_as_ref(foreign)), WASMRT_HEAP_EXTERN);
  wasm_valtype_t* type = wasmrt_ref_type(wasm_foreign_as_ref(foreign));
  CHECK_INT(wasm_valtype_kind(type), WASM_EXTERNREF);
  wasm_valtype_delete(type);
  wasm_foreign_delete(foreign);
  wasm_ref_t* function = wasm_func_as_ref(func(&world, ID));
  CHECK_INT(heap_of(function), WASMRT_HEAP_FUNC);
  type = wasmrt_ref_type(function);
  CHECK_INT(wasm_valtype_kind(type), WASM_FUNCREF);
  CHECK(wasmrt_valtype_is_defined(type));
  wasm_valtype_delete(type);
  world_delete(&world);
}

TEST(they_pass_and_stay_the_same) {
  WITH_WORLD(world);
  static const size_t makers[] = {POINT, BYTES, I31};
  for (size_t i = 0; i < 3; i++) {
    wasm_ref_t* made = make(&world, makers[i], 7);
    world.host.expected = made;
    wasm_val_t value = ANYREF(made);
    // As an externref, which C's macro makes of every reference, as well.
    wasm_val_t as_extern = EXTERNREF(made);
    check_came_back(call_ref(func(&world, ID), &value), made);
    check_came_back(call_ref(func(&world, ID), &as_extern), made);
    check_came_back(call_ref(func(&world, HOST_ANY), &value), made);
    check_came_back(call_ref(func(&world, TO_EXTERN), &value), made);
    check_came_back(call_ref(func(&world, TO_ANY), &as_extern), made);
    wasm_global_t* global = fixture_global(&world.fixture, GLOBAL);
    wasm_global_set(global, &value);
    wasm_val_t read;
    GARBAGE(read);
    wasm_global_get(global, &read);
    CHECK_INT(read.kind, WASMRT_ANYREF);
    check_came_back(read.of.ref, made);
    wasm_table_t* table = fixture_table(&world.fixture, TABLE);
    CHECK(wasm_table_set(table, 2, made));
    check_came_back(wasm_table_get(table, 2), made);
    CHECK(wasm_table_grow(table, 1, made));
    check_came_back(wasm_table_get(table, wasm_table_size(table) - 1), made);
    // A copy is the same, and so is its host info.
    int info;
    wasm_ref_set_host_info(made, &info);
    wasm_ref_t* copy = wasm_ref_copy(made);
    CHECK_PTR(copy, made);
    CHECK_PTR(wasm_ref_get_host_info(copy), &info);
    wasm_ref_delete(copy);
    wasm_ref_delete(made);
    // It is still in the global.
    wasm_global_get(global, &read);
    CHECK_INT(heap_of(read.of.ref), i == 0   ? WASMRT_HEAP_STRUCT
                                    : i == 1 ? WASMRT_HEAP_ARRAY
                                             : WASMRT_HEAP_I31);
    wasm_val_delete(&read);
  }
  CHECK_INT(world.host.calls, 3);
  // Two that are alike are not the same, unless they are small integers.
  for (size_t i = 0; i < 3; i++) {
    wasm_val_t both[2], equal;
    for (size_t j = 0; j < 2; j++) both[j] = ANYREF(make(&world, makers[i], 7));
    CHECK_INT(wasm_ref_same(both[0].of.ref, both[1].of.ref), makers[i] == I31);
    CHECK_NO_TRAP(call(func(&world, EQ), both, 2, &equal, 1));
    CHECK_INT(equal.of.i32, makers[i] == I31);
    for (size_t j = 0; j < 2; j++) wasm_val_delete(&both[j]);
  }
  world_delete(&world);
}

TEST(everything_of_the_host_passes_as_anyref) {
  WITH_WORLD(world);
  wasm_foreign_t* foreign = wasm_foreign_new(world.fixture.store);
  wasm_ref_t* things[3] = {wasm_foreign_as_ref(foreign), wasm_func_as_ref(func(&world, ID)),
                           wasm_instance_as_ref(world.fixture.instance)};
  for (size_t i = 0; i < 3; i++) {
    wasm_val_t value = ANYREF(things[i]);
    world.host.expected = things[i];
    check_came_back(call_ref(func(&world, ID), &value), things[i]);
    check_came_back(call_ref(func(&world, HOST_ANY), &value), things[i]);
    check_came_back(call_ref(func(&world, TO_EXTERN), &value), things[i]);
    wasm_val_t as_extern = EXTERNREF(things[i]);
    check_came_back(call_ref(func(&world, TO_ANY), &as_extern), things[i]);
    // Not as something that guests compare.
    wasm_val_t both[2] = {value, value}, equal;
    CHECK_REFUSED(call(func(&world, EQ), both, 2, &equal, 1));
  }
  wasm_foreign_delete(foreign);
  world_delete(&world);
}

TEST(what_does_not_fit_is_refused) {
  WITH_WORLD(world);
  wasm_ref_t* point = make(&world, POINT, 41);
  wasm_ref_t* bytes = make(&world, BYTES, 2);
  wasm_val_t good = ANYREF(point), result;
  world.host.expected = point;
  CHECK_NO_TRAP(call(func(&world, GET_X), &good, 1, &result, 1));
  CHECK_INT(result.of.i32, 41);
  check_came_back(call_ref(func(&world, HOST_POINT), &good), point);
  const wasm_val_t bad[] = {ANYREF(NULL), ANYREF(bytes), ANYREF(wasm_func_as_ref(func(&world, ID))),
                            I32(1)};
  wasm_global_t* global = fixture_global(&world.fixture, GLOBAL_POINT);
  wasm_table_t* table = fixture_table(&world.fixture, TABLE_POINTS);
  wasm_global_set(global, &good);
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    CHECK_REFUSED(call(func(&world, GET_X), &bad[i], 1, &result, 1));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "(ref (struct (field i32 (mut i8)");
    if (i == 0) continue;
    CHECK_LEAVES_ERROR(wasm_global_set(global, &bad[i]));
    if (i < 3) CHECK_FAILS_WITH(!wasm_table_set(table, 0, bad[i].of.ref), WASMRT_ERROR_MISUSE);
    if (i < 3) CHECK_FAILS_WITH(!wasm_table_grow(table, 1, bad[i].of.ref), WASMRT_ERROR_MISUSE);
  }
  wasm_global_get(global, &result);
  check_came_back(result.of.ref, point);
  CHECK_INT(wasm_table_size(table), 4);
  // What a host function returns is compared as well.
  world.host.answer = bytes;
  CHECK_TRAP_CONTAINS(call(func(&world, HOST_POINT), &good, 1, &result, 1),
                      "result 1 of the host function");
  world.host.answer = NULL;
  // Only null is of these types.
  static const size_t bottoms[] = {NULLREF, NOFUNC, NOEXTERN};
  for (size_t i = 0; i < 3; i++) {
    wasm_val_t null = ANYREF(NULL), some = ANYREF(wasm_func_as_ref(func(&world, ID)));
    CHECK_NO_TRAP(call(func(&world, bottoms[i]), &null, 1, &result, 1));
    CHECK_REFUSED(call(func(&world, bottoms[i]), &some, 1, &result, 1));
  }
  wasm_ref_delete(bytes);
  wasm_ref_delete(point);
  world_delete(&world);
}

TEST(small_integers) {
  WITH_WORLD(world);
  wasm_store_t* store = world.fixture.store;
  static const struct {
    int32_t value, with_sign;
    uint32_t without;
  } cases[] = {
      {0, 0, 0},
      {-1, -1, 0x7fffffff},
      {1073741823, 1073741823, 1073741823},
      {-1073741824, -1073741824, 0x40000000},
      {1073741824, -1073741824, 0x40000000},
      {INT32_MAX, -1, 0x7fffffff},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    wasm_ref_t* made = wasmrt_i31_new(store, cases[i].value);
    REQUIRE(made);
    CHECK_INT(heap_of(made), WASMRT_HEAP_I31);
    int32_t with_sign = 77;
    uint32_t without = 77;
    CHECK(wasmrt_i31_signed(made, &with_sign));
    CHECK(wasmrt_i31_unsigned(made, &without));
    CHECK_INT(with_sign, cases[i].with_sign);
    CHECK_INT(without, cases[i].without);
    check_came_back(make(&world, I31, cases[i].value), made);
    wasm_ref_delete(made);
  }
  CHECK_FAILS_WITH(!wasmrt_i31_new(store, -1073741825), WASMRT_ERROR_MISUSE);
  wasm_ref_t* point = make(&world, POINT, 1);
  int32_t with_sign = 77;
  uint32_t without = 77;
  CHECK_FAILS_WITH(!wasmrt_i31_signed(point, &with_sign), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_i31_unsigned(point, &without), WASMRT_ERROR_MISUSE);
  CHECK_INT(with_sign, 77);
  CHECK_INT(without, 77);
  wasm_ref_t* small = wasmrt_i31_new(store, 1);
  CHECK_FAILS_WITH(!wasmrt_ref_length(small, &without), WASMRT_ERROR_MISUSE);
  wasm_val_t value = I32(1);
  CHECK_FAILS_WITH(!wasmrt_ref_get(small, 0, false, &value), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_ref_set(small, 0, &value), WASMRT_ERROR_MISUSE);
  wasm_ref_delete(small);
  wasm_ref_delete(point);
  world_delete(&world);
}

TEST(fields_are_read_and_written) {
  WITH_WORLD(world);
  wasm_ref_t* point = make(&world, POINT, 6);
  uint32_t length = 0;
  CHECK(wasmrt_ref_length(point, &length));
  CHECK_INT(length, 3);
  CHECK_INT(part_of(point, 0, false), 6);
  CHECK_INT(part_of(point, 1, true), -2);
  CHECK_INT(part_of(point, 1, false), 254);
  wasm_val_t value = I32(0x1234), read;
  CHECK(wasmrt_ref_set(point, 1, &value));
  CHECK_INT(part_of(point, 1, false), 0x34);
  CHECK(wasmrt_ref_get(point, 2, false, &read));
  CHECK_INT(read.kind, WASMRT_ANYREF);
  CHECK_NULL(read.of.ref);
  // A cycle.
  value = ANYREF(point);
  CHECK(wasmrt_ref_set(point, 2, &value));
  CHECK(wasmrt_ref_get(point, 2, false, &read));
  check_came_back(read.of.ref, point);
  value = ANYREF(NULL);
  CHECK(wasmrt_ref_set(point, 2, &value));
  // Constant, beyond the end, and of another type.
  value = I32(1);
  CHECK_FAILS_WITH(!wasmrt_ref_set(point, 0, &value), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "constant");
  CHECK_FAILS_WITH(!wasmrt_ref_set(point, 2, &value), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_ref_set(point, 3, &value), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_ref_get(point, 3, false, &value), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_ref_get(point, (size_t)1 << 32, false, &value), WASMRT_ERROR_MISUSE);
  CHECK_INT(value.of.i32, 1);
  value = I64(1);
  CHECK_FAILS_WITH(!wasmrt_ref_set(point, 1, &value), WASMRT_ERROR_MISUSE);
  wasm_ref_t* bytes = make(&world, BYTES, 3);
  value = ANYREF(bytes);
  CHECK_FAILS_WITH(!wasmrt_ref_set(point, 2, &value), WASMRT_ERROR_MISUSE);
  CHECK_INT(part_of(point, 0, false), 6);
  CHECK_INT(part_of(point, 1, false), 0x34);
  CHECK(wasmrt_ref_length(bytes, &length));
  CHECK_INT(length, 3);
  CHECK_INT(part_of(bytes, 2, true), -3);
  CHECK_INT(part_of(bytes, 2, false), 0xfffd);
  value = I32(9);
  CHECK(wasmrt_ref_set(bytes, 1, &value));
  CHECK_INT(part_of(bytes, 1, true), 9);
  CHECK_INT(part_of(bytes, 0, true), -3);
  CHECK_FAILS_WITH(!wasmrt_ref_set(bytes, 3, &value), WASMRT_ERROR_MISUSE);
  wasm_ref_t* fixed = make(&world, FIXED, 0);
  value = I64(9);
  CHECK_FAILS_WITH(!wasmrt_ref_set(fixed, 0, &value), WASMRT_ERROR_MISUSE);
  wasm_ref_delete(fixed);
  wasm_ref_delete(bytes);
  wasm_ref_delete(point);
  world_delete(&world);
}

TEST(the_host_makes_structs_and_arrays) {
  WITH_WORLD(world);
  wasm_store_t* store = world.fixture.store;
  wasm_ref_t* first = wasmrt_struct_new(store, world.point, NULL);
  REQUIRE(first);
  CHECK_INT(part_of(first, 0, true), 0);
  wasm_val_t values[3] = {I32(10), I32(-1), ANYREF(first)};
  wasm_val_vec_t fields = {3, values};
  wasm_ref_t* second = wasmrt_struct_new(store, world.point, &fields);
  REQUIRE(second);
  CHECK(!wasm_ref_same(first, second));
  wasm_val_t value = ANYREF(second), read;
  CHECK_NO_TRAP(call(func(&world, GET_X), &value, 1, &read, 1));
  CHECK_INT(read.of.i32, 10);
  CHECK(wasmrt_ref_get(second, 2, false, &read));
  check_came_back(read.of.ref, first);
  check_came_back(call_ref(func(&world, ID), &value), second);
  // Too few, too many, of another type.
  fields.size = 2;
  CHECK_FAILS_WITH(!wasmrt_struct_new(store, world.point, &fields), WASMRT_ERROR_MISUSE);
  wasm_val_t many[4] = {I32(10), I32(-1), ANYREF(first), I32(1)};
  wasm_val_vec_t four = {4, many};
  CHECK_FAILS_WITH(!wasmrt_struct_new(store, world.point, &four), WASMRT_ERROR_MISUSE);
  fields.size = 3;
  values[2] = ANYREF(wasm_func_as_ref(func(&world, ID)));
  CHECK_FAILS_WITH(!wasmrt_struct_new(store, world.point, &fields), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "field 2 of the struct");
  CHECK_FAILS_WITH(!wasmrt_struct_new(store, world.bytes, NULL), WASMRT_ERROR_MISUSE);
  CHECK_FAILS_WITH(!wasmrt_array_new(store, world.point, 1, NULL), WASMRT_ERROR_MISUSE);
  wasm_valtype_t* any_struct = wasmrt_valtype_new_ref(WASMRT_HEAP_STRUCT, true);
  CHECK_FAILS_WITH(!wasmrt_struct_new(store, any_struct, NULL), WASMRT_ERROR_MISUSE);
  wasm_valtype_delete(any_struct);
  wasm_val_t element = I32(0x15678);
  wasm_ref_t* array = wasmrt_array_new(store, world.bytes, 5, &element);
  REQUIRE(array);
  CHECK_INT(part_of(array, 4, false), 0x5678);
  wasm_ref_delete(array);
  array = wasmrt_array_new(store, world.fixed, 2, NULL);
  REQUIRE(array);
  CHECK(wasmrt_ref_get(array, 1, false, &read));
  CHECK_INT(read.kind, WASM_I64);
  CHECK_INT(read.of.i64, 0);
  wasm_ref_delete(array);
  element = F32(1);
  CHECK_FAILS_WITH(!wasmrt_array_new(store, world.bytes, 5, &element), WASMRT_ERROR_MISUSE);
  // Of another store, and a type of another engine.
  wasm_store_t* other = wasm_store_new(world.fixture.engine);
  fields.size = 3;
  values[2] = ANYREF(first);
  CHECK_FAILS_WITH(!wasmrt_struct_new(other, world.point, &fields), WASMRT_ERROR_MISUSE);
  wasm_ref_t* in_other = wasmrt_struct_new(other, world.point, NULL);
  REQUIRE(in_other);
  wasm_val_t foreign = ANYREF(in_other);
  CHECK_FAILS_WITH(!wasmrt_ref_set(first, 2, &foreign), WASMRT_ERROR_MISUSE);
  CHECK_REFUSED(call(func(&world, ID), &foreign, 1, &read, 1));
  wasm_store_delete(other);
  wasm_ref_delete(in_other);
  wasm_engine_t* engine = wasm_engine_new();
  other = wasm_store_new(engine);
  CHECK_FAILS_WITH(!wasmrt_struct_new(other, world.point, NULL), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "another engine");
  CHECK_FAILS(!func_of_import(other, world.fixture.module, 1, give_back, NULL));
  wasm_store_delete(other);
  wasm_engine_delete(engine);
  wasm_ref_delete(second);
  wasm_ref_delete(first);
  world_delete(&world);
}

TEST(globals_and_tables_of_a_modules_types) {
  WITH_WORLD(world);
  wasm_store_t* store = world.fixture.store;
  wasm_ref_t* point = make(&world, POINT, 1);
  wasm_ref_t* bytes = make(&world, BYTES, 1);
  wasm_val_t good = ANYREF(point), bad = ANYREF(bytes), null = ANYREF(NULL), read;
  for (int nullable = 0; nullable < 2; nullable++) {
    wasm_globaltype_t* type =
        wasm_globaltype_new(wasmrt_valtype_with_null(world.point, nullable), WASM_VAR);
    wasm_global_t* global = wasm_global_new(store, type, &good);
    REQUIRE(global);
    CHECK_FAILS_WITH(!wasm_global_new(store, type, &bad), WASMRT_ERROR_MISUSE);
    wasm_global_get(global, &read);
    check_came_back(read.of.ref, point);
    wasmrt_last_error_clear();
    wasm_global_set(global, &null);
    CHECK_INT(wasmrt_last_error_kind(), nullable ? WASMRT_ERROR_NONE : WASMRT_ERROR_MISUSE);
    wasm_global_delete(global);
    wasm_globaltype_delete(type);
    wasm_limits_t limits = {2, 4};
    wasm_tabletype_t* table_type =
        wasm_tabletype_new(wasmrt_valtype_with_null(world.point, nullable), &limits);
    wasm_table_t* table = wasm_table_new(store, table_type, point);
    REQUIRE(table);
    check_came_back(wasm_table_get(table, 1), point);
    CHECK_FAILS_WITH(!wasm_table_set(table, 1, bytes), WASMRT_ERROR_MISUSE);
    CHECK_INT(wasm_table_set(table, 1, NULL), nullable);
    CHECK_FAILS_WITH(!wasm_table_new(store, table_type, bytes), WASMRT_ERROR_MISUSE);
    wasm_table_delete(table);
    wasm_tabletype_delete(table_type);
  }
  wasm_ref_delete(point);
  wasm_ref_delete(bytes);
  world_delete(&world);
}

// ------------------------------------------------------------------------------------------------
// Functions

static wasm_trap_t* return_seven(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  results->data[0] = I32(7);
  return NULL;
}

static const char* typed_functions =
    "(module"
    "  (rec (type $f (sub (func (result i32)))) (type $other (func (param (ref null $f)))))"
    "  (type $plain (func (result i32)))"
    "  (import \"\" \"f\" (func $import (type $f)))"
    "  (import \"\" \"g\" (global $g (ref null $f)))"
    "  (func (export \"0 call\") (param (ref $f)) (result i32) (call_ref $f (local.get 0)))"
    "  (func (export \"1 import\") (result (ref $f)) (ref.func $import))"
    "  (func (export \"2 plain\") (result i32) (i32.const 3))"
    "  (func (export \"3 own\") (type $f) (i32.const 4))"
    "  (table (export \"4 table\") 2 8 (ref null $f))"
    "  (func (export \"5 global\") (result (ref null $f)) (global.get $g))"
    "  (elem declare func $import))";

TEST(functions_of_a_modules_types) {
  fixture_t fixture = fixture_new();
  wasm_store_t* store = fixture.store;
  if (has_gc(fixture.engine)) {
    fixture.module = module_from_wat(store, typed_functions);
    wasm_func_t* host = func_of_import(store, fixture.module, 0, return_seven, NULL);
    REQUIRE(host);
    // One with the same parameters and results is of another type.
    wasm_func_t* plain = host_func(store, "", "i", return_seven, NULL);
    wasm_importtype_vec_t types;
    wasm_module_imports(fixture.module, &types);
    const wasm_globaltype_t* global_type =
        wasm_externtype_as_globaltype_const(wasm_importtype_type(types.data[1]));
    wasm_val_t value = FUNCREF(wasm_func_as_ref(host)), bad = FUNCREF(wasm_func_as_ref(plain));
    wasm_global_t* global = wasm_global_new(store, global_type, &value);
    REQUIRE(global);
    CHECK_FAILS_WITH(!wasm_global_new(store, global_type, &bad), WASMRT_ERROR_MISUSE);
    wasm_importtype_vec_delete(&types);
    wasm_extern_t* imports[2] = {wasm_func_as_extern(plain), wasm_global_as_extern(global)};
    wasm_extern_vec_t vec = {2, imports};
    wasm_trap_t* trap = NULL;
    CHECK_NULL(wasm_instance_new(store, fixture.module, &vec, &trap));
    CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
    CHECK_TRAP_CONTAINS(trap, "import 1 \"\" \"f\"");
    imports[0] = wasm_func_as_extern(host);
    fixture.instance = instantiate(store, fixture.module, imports, 2);
    wasm_instance_exports(fixture.instance, &fixture.exports);
    wasm_val_t result;
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &value, 1, &result, 1));
    CHECK_INT(result.of.i32, 7);
    value = FUNCREF(wasm_func_as_ref(fixture_func(&fixture, 3)));
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &value, 1, &result, 1));
    CHECK_INT(result.of.i32, 4);
    wasm_val_t refused[] = {bad, FUNCREF(NULL),
                            FUNCREF(wasm_func_as_ref(fixture_func(&fixture, 2)))};
    for (size_t i = 0; i < 3; i++) {
      CHECK_REFUSED(call(fixture_func(&fixture, 0), &refused[i], 1, &result, 1));
      CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
      CHECK_CONTAINS(wasmrt_last_error_message(), "(ref (func (result i32)))");
      wasm_table_t* table = fixture_table(&fixture, 4);
      CHECK_INT(wasm_table_set(table, 0, refused[i].of.ref), i == 1);
    }
    CHECK_NO_TRAP(call(fixture_func(&fixture, 1), NULL, 0, &result, 1));
    CHECK_INT(result.kind, WASM_FUNCREF);
    CHECK(wasm_ref_same(result.of.ref, wasm_func_as_ref(host)));
    wasm_val_delete(&result);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 5), NULL, 0, &result, 1));
    CHECK(wasm_ref_same(result.of.ref, wasm_func_as_ref(host)));
    wasm_val_delete(&result);
    // A function made of an export's type, by way of copies of its value types.
    wasm_functype_t* call_type = wasm_func_type(fixture_func(&fixture, 0));
    wasm_valtype_vec_t parameters, results;
    wasm_valtype_vec_copy(&parameters, wasm_functype_params(call_type));
    wasm_valtype_vec_copy(&results, wasm_functype_results(call_type));
    wasm_functype_t* copied = wasm_functype_new(&parameters, &results);
    wasm_func_t* caller = wasm_func_new_with_env(store, copied, return_seven, NULL, NULL);
    REQUIRE(caller);
    CHECK_NO_TRAP(call(caller, &value, 1, &result, 1));
    CHECK_INT(result.of.i32, 7);
    CHECK_REFUSED(call(caller, &bad, 1, &result, 1));
    wasm_func_delete(caller);
    wasm_functype_delete(copied);
    wasm_functype_delete(call_type);
    wasm_global_delete(global);
    wasm_func_delete(plain);
    wasm_func_delete(host);
  }
  fixture_delete(&fixture);
}

// Types are the same in a module that comes from an artifact, and in another module that defines
// them alike.
TEST(types_are_the_same_in_every_module_of_an_engine) {
  WITH_WORLD(world);
  wasm_byte_vec_t bytes;
  wasm_module_serialize(world.fixture.module, &bytes);
  wasm_module_t* again = wasm_module_deserialize(world.fixture.store, &bytes);
  REQUIRE(again);
  wasm_byte_vec_delete(&bytes);
  wasm_module_t* other = module_from_wat(world.fixture.store, wat);
  wasm_module_t* modules[2] = {again, other};
  for (size_t i = 0; i < 2; i++) {
    wasm_exporttype_vec_t exports;
    wasm_module_exports(modules[i], &exports);
    const wasm_functype_t* type =
        wasm_externtype_as_functype_const(wasm_exporttype_type(exports.data[POINT]));
    CHECK_PTR(wasm_functype_results(type)->data[0], world.point);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(modules[i]);
  }
  world_delete(&world);
}

// The host can use 16,384 types of modules in an engine. The types of this module are all different, because they are in
// one group.
TEST(types_beyond_those_that_the_host_can_use_are_refused) {
  enum { TYPES = 16400 };
  char* text = malloc(200 * TYPES);
  REQUIRE(text);
  char* end = text + sprintf(text, "(module (rec");
  for (int i = 0; i < TYPES; i++) end += sprintf(end, "(type $t%d (struct))", i);
  *end++ = ')';
  for (int i = 0; i < TYPES; i++)
    end += sprintf(end, "(global (export \"%d\") (ref null $t%d) (ref.null $t%d))", i, i, i);
  static const char make_and_take[] =
      "(func (export \"make %d\") (result (ref $t%d)) (struct.new $t%d))"
      "(func (export \"take %d\") (param (ref $t%d)))";
  for (int i = 0; i < TYPES; i += TYPES - 1) end += sprintf(end, make_and_take, i, i, i, i, i);
  sprintf(end, ")");
  fixture_t fixture = fixture_new();
  if (has_gc(fixture.engine)) {
    fixture_load(&fixture, text, NULL, 0);
    REQUIRE(fixture.exports.size == TYPES + 4);
    wasm_func_t* makers[2] = {fixture_func(&fixture, TYPES), fixture_func(&fixture, TYPES + 2)};
    wasm_func_t* takers[2] = {fixture_func(&fixture, TYPES + 1), fixture_func(&fixture, TYPES + 3)};
    wasm_val_t first = ANYREF(call_ref(makers[0], NULL)), last = ANYREF(call_ref(makers[1], NULL));
    CHECK_NO_TRAP(call(takers[0], &first, 1, NULL, 0));
    CHECK_REFUSED(call(takers[0], &last, 1, NULL, 0));
    for (int i = 0; i < 2; i++) {
      CHECK_REFUSED(call(takers[1], i ? &first : &last, 1, NULL, 0));
      CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
      CHECK_CONTAINS(wasmrt_last_error_message(), "16384");
    }
    wasm_ref_delete(first.of.ref);
    wasm_ref_delete(last.of.ref);
  }
  free(text);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Lifetimes

// Many that nobody holds fit in a memory that has room for few.
TEST(what_nobody_holds_is_collected) {
  WITH_WORLD(world);
  wasm_store_t* store = world.fixture.store;
  REQUIRE(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 1 << 20));
  size_t count = repetitions(100000, 3000), finalized = 0;
  for (size_t i = 0; i < count; i++) {
    wasm_ref_t* made =
        i % 2 ? make(&world, POINT, (int32_t)i) : wasmrt_array_new(store, world.bytes, 16, NULL);
    REQUIRE(made);
    wasm_ref_set_host_info_with_finalizer(made, &finalized, count_finalizer);
    wasm_ref_delete(made);
  }
  CHECK_INT(finalized, count);
  world_delete(&world);
}

// As long as there is a handle, it is kept, whatever else is collected.
TEST(what_somebody_holds_is_kept) {
  WITH_WORLD(world);
  enum { HELD = 100 };
  wasm_ref_t* held[HELD];
  for (int32_t i = 0; i < HELD; i++) held[i] = make(&world, POINT, i);
  for (size_t i = 0; i < 2000; i++) wasm_ref_delete(make(&world, BYTES, 100));
  CHECK(wasmrt_store_gc(world.fixture.store));
  for (size_t i = 0; i < 2000; i++) wasm_ref_delete(make(&world, BYTES, 100));
  for (int32_t i = 0; i < HELD; i++) {
    CHECK_INT(part_of(held[i], 0, true), i);
    wasm_val_t value = ANYREF(held[i]);
    check_came_back(call_ref(func(&world, ID), &value), held[i]);
  }
  // They outlive the handle to the store, and everything else.
  world_delete(&world);
  for (int32_t i = 0; i < HELD; i++) {
    CHECK_INT(part_of(held[i], 0, true), i);
    wasm_ref_delete(held[i]);
  }
}

enum { FEW = 4, EACH = 200 };

static void* delete_all(void* references) {
  wasm_ref_t** all = references;
  for (size_t i = 0; i < EACH; i++) wasm_ref_delete(all[i]);
  return NULL;
}

// While one thread makes references to a few things, another deletes them.
TEST(handles_are_deleted_on_any_thread) {
  WITH_WORLD(world);
  wasm_table_t* table = fixture_table(&world.fixture, TABLE);
  for (uint32_t i = 0; i < FEW; i++) {
    wasm_ref_t* made = make(&world, i % 2 ? POINT : BYTES, (int32_t)i);
    REQUIRE(wasm_table_set(table, i, made));
    wasm_ref_delete(made);
  }
  for (size_t round = 0; round < repetitions(50, 5); round++) {
    wasm_ref_t* references[EACH];
    for (uint32_t i = 0; i < EACH; i++) references[i] = wasm_table_get(table, i % FEW);
    pthread_t thread;
    REQUIRE(pthread_create(&thread, NULL, delete_all, references) == 0);
    for (uint32_t i = 0; i < EACH; i++) {
      wasm_ref_t* again = wasm_table_get(table, i % FEW);
      CHECK_INT(heap_of(again), i % 2 ? WASMRT_HEAP_STRUCT : WASMRT_HEAP_ARRAY);
      wasm_ref_t* once_more = wasm_table_get(table, i % FEW);
      check_came_back(once_more, again);
      wasm_ref_delete(again);
    }
    pthread_join(thread, NULL);
  }
  world_delete(&world);
}

TEST(too_little_room_is_an_error) {
  WITH_WORLD(world);
  wasm_store_t* store = world.fixture.store;
  wasm_ref_t* small = wasmrt_array_new(store, world.fixed, 10, NULL);
  REQUIRE(small);
  uint64_t used = usage_of(store, WASMRT_STORE_LIMIT_MEMORY_BYTES);
  REQUIRE(wasmrt_store_set_limit(store, WASMRT_STORE_LIMIT_MEMORY_BYTES, used + (1 << 20)));
  CHECK_FAILS_WITH(!wasmrt_array_new(store, world.fixed, 1 << 20, NULL), WASMRT_ERROR_LIMIT);
  CHECK_FAILS_WITH(!wasmrt_array_new(store, world.fixed, UINT32_MAX, NULL), WASMRT_ERROR_LIMIT);
  // A list that grows until there is no more room.
  wasm_ref_t* list = NULL;
  wasmrt_last_error_clear();
  for (size_t i = 0; i < 1 << 20; i++) {
    wasm_val_t values[3] = {I32(1), I32(2), ANYREF(list)};
    wasm_val_vec_t fields = {3, values};
    wasm_ref_t* longer = wasmrt_struct_new(store, world.point, &fields);
    if (!longer) break;
    wasm_ref_delete(list);
    list = longer;
  }
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  wasm_ref_delete(list);
  CHECK(wasmrt_store_gc(store));
  wasm_ref_t* afterwards = wasmrt_struct_new(store, world.point, NULL);
  CHECK(afterwards != NULL);
  wasm_ref_delete(afterwards);
  wasm_ref_delete(small);
  world_delete(&world);
}

// ------------------------------------------------------------------------------------------------
// Exceptions as references

TEST(caught_exceptions_pass) {
  fixture_t fixture = fixture_new();
  if (has_gc(fixture.engine)) {
    fixture_load(&fixture,
                 "(module (tag $e (param i32))"
                 "  (func (export \"catch\") (param i32) (result exnref)"
                 "    (block $caught (result exnref)"
                 "      (try_table (catch_all_ref $caught) (throw $e (local.get 0)))"
                 "      unreachable))"
                 "  (func (export \"throw\") (param exnref) (throw_ref (local.get 0)))"
                 "  (func (export \"id\") (param (ref exn)) (result exnref) (local.get 0)))",
                 NULL, 0);
    wasm_val_t value = I32(12), caught, result;
    REQUIRE(CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &value, 1, &caught, 1)));
    CHECK_INT(caught.kind, WASMRT_EXNREF);
    REQUIRE(caught.of.ref);
    CHECK_INT(heap_of(caught.of.ref), WASMRT_HEAP_EXN);
    CHECK(wasmrt_store_gc(fixture.store));
    CHECK_NO_TRAP(call(fixture_func(&fixture, 2), &caught, 1, &result, 1));
    check_came_back(result.of.ref, caught.of.ref);
    wasm_trap_t* trap = call(fixture_func(&fixture, 1), &caught, 1, NULL, 0);
    REQUIRE(trap);
    wasm_val_vec_t values;
    CHECK(wasmrt_trap_exception_values(trap, &values));
    CHECK_INT(values.data[0].of.i32, 12);
    wasm_val_vec_delete(&values);
    wasm_trap_delete(trap);
    wasm_val_t bad[] = {ANYREF(NULL), EXTERNREF(wasm_instance_as_ref(fixture.instance))};
    for (size_t i = 0; i < 2; i++)
      CHECK_REFUSED(call(fixture_func(&fixture, 2), &bad[i], 1, &result, 1));
    wasm_val_delete(&caught);
  }
  fixture_delete(&fixture);
}
