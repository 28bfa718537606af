// References of every kind as externref, and functions as funcref, through everything that carries
// values: calls, callbacks, globals and tables.
#include "test.h"

static const char* wat =
    "(module"
    "  (import \"\" \"e\" (func $host_extern (param externref) (result externref)))"
    "  (import \"\" \"r\" (func $host_func (param funcref) (result funcref)))"
    "  (func (export \"0 id extern\") (param externref) (result externref) (local.get 0))"
    "  (func (export \"1 id func\") (param funcref) (result funcref) (local.get 0))"
    "  (func (export \"2 host extern\") (param externref) (result externref)"
    "    (call $host_extern (local.get 0)))"
    "  (func (export \"3 host func\") (param funcref) (result funcref)"
    "    (call $host_func (local.get 0)))"
    "  (global $ge (export \"4 global extern\") (mut externref) (ref.null extern))"
    "  (global $gr (export \"5 global func\") (mut funcref) (ref.null func))"
    "  (func (export \"6 global set extern\") (param externref) (global.set $ge (local.get 0)))"
    "  (func (export \"7 global get extern\") (result externref) (global.get $ge))"
    "  (func (export \"8 global set func\") (param funcref) (global.set $gr (local.get 0)))"
    "  (func (export \"9 global get func\") (result funcref) (global.get $gr))"
    "  (table $te (export \"10 table extern\") 4 20 externref)"
    "  (table $tr (export \"11 table func\") 4 20 funcref)"
    "  (func (export \"12 table set extern\") (param externref)"
    "    (table.set $te (i32.const 1) (local.get 0)))"
    "  (func (export \"13 table get extern\") (result externref)"
    "    (table.get $te (i32.const 1)))"
    "  (func (export \"14 table set func\") (param funcref)"
    "    (table.set $tr (i32.const 1) (local.get 0)))"
    "  (func (export \"15 table get func\") (result funcref) (table.get $tr (i32.const 1)))"
    "  (func (export \"16 is null\") (param externref) (result i32) (ref.is_null (local.get 0)))"
    "  (func $five (export \"17 five\") (result i32) (i32.const 5))"
    "  (func (export \"18 ref.func\") (result funcref) (ref.func $five))"
    "  (type $i (func (result i32)))"
    "  (func (export \"19 call element\") (result i32)"
    "    (call_indirect $tr (type $i) (i32.const 1))))";

enum {
  ID_EXTERN,
  ID_FUNC,
  HOST_EXTERN,
  HOST_FUNC,
  GLOBAL_EXTERN,
  GLOBAL_FUNC,
  GLOBAL_SET_EXTERN,
  GLOBAL_GET_EXTERN,
  GLOBAL_SET_FUNC,
  GLOBAL_GET_FUNC,
  TABLE_EXTERN,
  TABLE_FUNC,
  TABLE_SET_EXTERN,
  TABLE_GET_EXTERN,
  TABLE_SET_FUNC,
  TABLE_GET_FUNC,
  IS_NULL,
  FIVE,
  REF_FUNC,
  CALL_ELEMENT,
};

// The reference that a callback must get, and returns.
typedef struct host_t {
  wasm_valkind_t kind;
  const wasm_ref_t* expected;
  size_t calls;
} host_t;

static wasm_trap_t* give_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  host_t* host = env;
  host->calls++;
  CHECK_INT(arguments->data[0].kind, host->kind);
  CHECK(wasm_ref_same(arguments->data[0].of.ref, host->expected));
  wasm_val_copy(&results->data[0], &arguments->data[0]);
  return NULL;
}

typedef struct world_t {
  fixture_t fixture;
  host_t host_extern, host_func;
  wasm_func_t *extern_callback, *func_callback;
} world_t;

static void world_init(world_t* world) {
  world->fixture = fixture_new();
  world->host_extern = (host_t){WASM_EXTERNREF, NULL, 0};
  world->host_func = (host_t){WASM_FUNCREF, NULL, 0};
  wasm_store_t* store = world->fixture.store;
  world->extern_callback = host_func(store, "e", "e", give_back, &world->host_extern);
  world->func_callback = host_func(store, "r", "r", give_back, &world->host_func);
  wasm_extern_t* imports[2] = {wasm_func_as_extern(world->extern_callback),
                               wasm_func_as_extern(world->func_callback)};
  fixture_load(&world->fixture, wat, imports, 2);
}

static void world_delete(world_t* world) {
  wasm_func_delete(world->extern_callback);
  wasm_func_delete(world->func_callback);
  fixture_delete(&world->fixture);
}

// Takes ownership of the reference.
static void check_came_back(wasm_ref_t* actual, const wasm_ref_t* expected) {
  CHECK_INT(actual == NULL, expected == NULL);
  CHECK(wasm_ref_same(actual, expected));
  if (actual && expected) {
#define SAME_KIND(kind) \
  CHECK_INT(wasm_ref_as_##kind(actual) != NULL, wasm_ref_as_##kind##_const(expected) != NULL)
    SAME_KIND(instance);
    SAME_KIND(module);
    SAME_KIND(trap);
    SAME_KIND(foreign);
    SAME_KIND(func);
    SAME_KIND(global);
    SAME_KIND(table);
    SAME_KIND(memory);
    SAME_KIND(extern);
#undef SAME_KIND
    CHECK_PTR(wasm_ref_get_host_info(actual), wasm_ref_get_host_info(expected));
  }
  wasm_ref_delete(actual);
}

static wasm_ref_t* call_ref(const wasm_func_t* func, wasm_val_t argument) {
  wasm_val_t result;
  GARBAGE(result);
  if (!CHECK_NO_TRAP(call(func, &argument, 1, &result, 1))) return NULL;
  CHECK_INT(result.kind, argument.kind);
  return result.of.ref;
}

static wasm_ref_t* get_ref(const wasm_func_t* func, wasm_valkind_t kind) {
  wasm_val_t result;
  GARBAGE(result);
  if (!CHECK_NO_TRAP(call(func, NULL, 0, &result, 1))) return NULL;
  CHECK_INT(result.kind, kind);
  return result.of.ref;
}

static void check_calls(world_t* world, wasm_val_t value) {
  const fixture_t* fixture = &world->fixture;
  bool is_func = value.kind == WASM_FUNCREF;
  host_t* host = is_func ? &world->host_func : &world->host_extern;
  const wasm_func_t* callback = is_func ? world->func_callback : world->extern_callback;
  size_t calls_before = host->calls;
  host->expected = value.of.ref;
  check_came_back(call_ref(fixture_func(fixture, is_func ? ID_FUNC : ID_EXTERN), value),
                  value.of.ref);
  check_came_back(call_ref(fixture_func(fixture, is_func ? HOST_FUNC : HOST_EXTERN), value),
                  value.of.ref);
  check_came_back(call_ref(callback, value), value.of.ref);
  CHECK_INT(host->calls, calls_before + 2);
  if (!is_func) {
    wasm_val_t result;
    CHECK_NO_TRAP(call(fixture_func(fixture, IS_NULL), &value, 1, &result, 1));
    CHECK_INT(result.of.i32, value.of.ref == NULL);
  }
}

static void check_globals(world_t* world, wasm_val_t value) {
  const fixture_t* fixture = &world->fixture;
  bool is_func = value.kind == WASM_FUNCREF;
  wasm_global_t* global = fixture_global(fixture, is_func ? GLOBAL_FUNC : GLOBAL_EXTERN);
  const wasm_func_t* get = fixture_func(fixture, is_func ? GLOBAL_GET_FUNC : GLOBAL_GET_EXTERN);
  const wasm_func_t* set = fixture_func(fixture, is_func ? GLOBAL_SET_FUNC : GLOBAL_SET_EXTERN);
  wasm_val_t null = {.kind = value.kind, .of = {.ref = NULL}}, read;

  wasm_global_set(global, &value); // written by C, read by both
  GARBAGE(read);
  wasm_global_get(global, &read);
  CHECK_INT(read.kind, value.kind);
  check_came_back(read.of.ref, value.of.ref);
  check_came_back(get_ref(get, value.kind), value.of.ref);

  wasm_global_set(global, &null);
  check_came_back(get_ref(get, value.kind), NULL);

  CHECK_NO_TRAP(call(set, &value, 1, NULL, 0)); // written by wasm, read by both
  GARBAGE(read);
  wasm_global_get(global, &read);
  CHECK_INT(read.kind, value.kind);
  check_came_back(read.of.ref, value.of.ref);
  check_came_back(get_ref(get, value.kind), value.of.ref);
  CHECK_NO_TRAP(call(set, &null, 1, NULL, 0));

  for (wasm_mutability_t mutability = WASM_CONST; mutability <= WASM_VAR; mutability++) {
    wasm_globaltype_t* type = globaltype(value.kind, mutability);
    wasm_global_t* own = wasm_global_new(fixture->store, type, &value);
    wasm_globaltype_delete(type);
    REQUIRE(own);
    GARBAGE(read);
    wasm_global_get(own, &read);
    CHECK_INT(read.kind, value.kind);
    check_came_back(read.of.ref, value.of.ref);
    wasm_global_delete(own);
  }
}

static void check_tables(world_t* world, wasm_val_t value) {
  const fixture_t* fixture = &world->fixture;
  bool is_func = value.kind == WASM_FUNCREF;
  wasm_table_t* table = fixture_table(fixture, is_func ? TABLE_FUNC : TABLE_EXTERN);
  const wasm_func_t* get = fixture_func(fixture, is_func ? TABLE_GET_FUNC : TABLE_GET_EXTERN);
  const wasm_func_t* set = fixture_func(fixture, is_func ? TABLE_SET_FUNC : TABLE_SET_EXTERN);

  CHECK(wasm_table_set(table, 1, value.of.ref)); // written by C, read by both
  check_came_back(wasm_table_get(table, 1), value.of.ref);
  check_came_back(get_ref(get, value.kind), value.of.ref);

  CHECK(wasm_table_set(table, 1, NULL));
  check_came_back(get_ref(get, value.kind), NULL);

  CHECK_NO_TRAP(call(set, &value, 1, NULL, 0)); // written by wasm, read by both
  check_came_back(wasm_table_get(table, 1), value.of.ref);
  check_came_back(get_ref(get, value.kind), value.of.ref);

  wasm_tabletype_t* type = tabletype(value.kind, 2, 5);
  wasm_table_t* own = wasm_table_new(fixture->store, type, value.of.ref);
  wasm_tabletype_delete(type);
  REQUIRE(own);
  CHECK(wasm_table_grow(own, 1, NULL));
  CHECK(wasm_table_grow(own, 2, value.of.ref));
  for (uint32_t i = 0; i < 5; i++) {
    check_came_back(wasm_table_get(own, i), i == 2 ? NULL : value.of.ref);
  }
  wasm_table_delete(own);
}

// One object of each kind there is.
#define OBJECT_TEST(kind, declaration, object, cleanup)                          \
  TEST(kind##_as_externref) {                                                    \
    world_t world;                                                               \
    world_init(&world);                                                          \
    fixture_t* fixture = &world.fixture;                                         \
    (void)fixture;                                                               \
    declaration;                                                                 \
    int info;                                                                    \
    wasm_##kind##_set_host_info(object, &info);                                  \
    wasm_val_t value = EXTERNREF(wasm_##kind##_as_ref(object));                  \
    REQUIRE(value.of.ref);                                                       \
    check_calls(&world, value);                                                  \
    check_globals(&world, value);                                                \
    check_tables(&world, value);                                                 \
    wasm_ref_t* back = call_ref(fixture_func(&world.fixture, ID_EXTERN), value); \
    CHECK(wasm_##kind##_same(wasm_ref_as_##kind(back), object));                 \
    CHECK_PTR(wasm_##kind##_get_host_info(wasm_ref_as_##kind(back)), &info);     \
    cleanup;                                                                     \
    CHECK_PTR(wasm_ref_get_host_info(back), &info); /* on its own now */         \
    wasm_ref_delete(back);                                                       \
    world_delete(&world);                                                        \
  }

OBJECT_TEST(instance, wasm_instance_t* object = wasm_instance_copy(fixture->instance), object,
            wasm_instance_delete(object))
OBJECT_TEST(module, wasm_module_t* object = wasm_module_copy(fixture->module), object,
            wasm_module_delete(object))
OBJECT_TEST(trap, wasm_trap_t* object = new_trap(fixture->store, "a trap as a value"), object,
            wasm_trap_delete(object))
OBJECT_TEST(foreign, wasm_foreign_t* object = wasm_foreign_new(fixture->store), object,
            wasm_foreign_delete(object))
OBJECT_TEST(func, wasm_func_t* object = wasm_func_copy(fixture_func(fixture, FIVE)), object,
            wasm_func_delete(object))
OBJECT_TEST(global, wasm_global_t* object = wasm_global_copy(fixture_global(fixture, GLOBAL_FUNC)),
            object, wasm_global_delete(object))
OBJECT_TEST(table, wasm_table_t* object = wasm_table_copy(fixture_table(fixture, TABLE_EXTERN)),
            object, wasm_table_delete(object))
OBJECT_TEST(memory, wasm_memorytype_t* type = memorytype(1, 1);
            wasm_memory_t* object = wasm_memory_new(fixture->store, type);
            wasm_memorytype_delete(type), object, wasm_memory_delete(object))
OBJECT_TEST(extern, wasm_extern_t* object = wasm_extern_copy(fixture->exports.data[FIVE]), object,
            wasm_extern_delete(object))

TEST(null_stays_null) {
  world_t world;
  world_init(&world);
  const wasm_val_t nulls[2] = {EXTERNREF(NULL), FUNCREF(NULL)};
  for (size_t i = 0; i < 2; i++) {
    check_calls(&world, nulls[i]);
    check_globals(&world, nulls[i]);
    check_tables(&world, nulls[i]);
  }
  world_delete(&world);
}

// ------------------------------------------------------------------------------------------------

static wasm_trap_t* give_six(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  results->data[0] = I32(6);
  return NULL;
}

TEST(functions_as_funcref) {
  world_t world;
  world_init(&world);
  wasm_func_t* six = host_func(world.fixture.store, "", "i", give_six, NULL);
  wasm_func_t* funcs[2] = {fixture_func(&world.fixture, FIVE), six};
  for (int i = 0; i < 2; i++) {
    wasm_val_t value = FUNCREF(wasm_func_as_ref(funcs[i]));
    check_calls(&world, value);
    check_globals(&world, value);
    check_tables(&world, value);
    // Callable when they come back, from C and from wasm.
    wasm_ref_t* back = call_ref(fixture_func(&world.fixture, HOST_FUNC), value);
    CHECK_INT(call_i32(wasm_ref_as_func(back)), 5 + i);
    wasm_ref_delete(back);
    back = wasm_table_get(fixture_table(&world.fixture, TABLE_FUNC), 1);
    CHECK_INT(call_i32(wasm_ref_as_func(back)), 5 + i);
    wasm_ref_delete(back);
    CHECK_INT(call_i32(fixture_func(&world.fixture, CALL_ELEMENT)), 5 + i);
  }
  wasm_func_delete(six);
  world_delete(&world);
}

TEST(ref_func_of_wasm) {
  world_t world;
  world_init(&world);
  wasm_ref_t* first = get_ref(fixture_func(&world.fixture, REF_FUNC), WASM_FUNCREF);
  wasm_ref_t* second = get_ref(fixture_func(&world.fixture, REF_FUNC), WASM_FUNCREF);
  CHECK(wasm_ref_same(first, second));
  CHECK(wasm_ref_same(first, wasm_func_as_ref(fixture_func(&world.fixture, FIVE))));
  wasm_ref_delete(second);
  world_delete(&world);
  CHECK_INT(call_i32(wasm_ref_as_func(first)), 5);
  wasm_ref_delete(first);
}

// ------------------------------------------------------------------------------------------------
// wasm_ref_t owns an object of any kind

#define REF_DELETE_AND_COPY(kind, object)                                           \
  do {                                                                              \
    size_t finalized = 0;                                                           \
    fixture_t fixture = fixture_from_wat(                                           \
        "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 1))"   \
        "  (table (export \"t\") 1 funcref) (memory (export \"m\") 1))");           \
    wasm_##kind##_t* owner = object;                                                \
    wasm_##kind##_set_host_info_with_finalizer(owner, &finalized, count_finalizer); \
    wasm_ref_t* ref = wasm_##kind##_as_ref(owner);                                  \
    wasm_ref_t* copy = wasm_ref_copy(ref);                                          \
    CHECK(wasm_ref_same(ref, copy));                                                \
    wasm_ref_delete(ref); /* instead of the function of its kind */                 \
    CHECK(wasm_ref_as_##kind(copy) != NULL);                                        \
    CHECK_PTR(wasm_ref_get_host_info(copy), &finalized);                            \
    CHECK_INT(finalized, 0);                                                        \
    fixture_delete(&fixture);                                                       \
    CHECK_INT(finalized, 0);                                                        \
    wasm_##kind##_delete(wasm_ref_as_##kind(copy)); /* and the other way round */   \
    CHECK_INT(finalized, 1);                                                        \
  } while (0)

TEST(ref_delete_and_ref_copy_work_on_any_kind) {
  REF_DELETE_AND_COPY(instance, wasm_instance_copy(fixture.instance));
  REF_DELETE_AND_COPY(module, wasm_module_copy(fixture.module));
  REF_DELETE_AND_COPY(trap, new_trap(fixture.store, "owned by a reference"));
  REF_DELETE_AND_COPY(foreign, wasm_foreign_new(fixture.store));
  REF_DELETE_AND_COPY(func, wasm_func_copy(fixture_func(&fixture, 0)));
  REF_DELETE_AND_COPY(global, wasm_global_copy(fixture_global(&fixture, 1)));
  REF_DELETE_AND_COPY(table, wasm_table_copy(fixture_table(&fixture, 2)));
  REF_DELETE_AND_COPY(memory, wasm_memory_copy(fixture_memory(&fixture, 3)));
  REF_DELETE_AND_COPY(extern, wasm_extern_copy(fixture.exports.data[0]));
}

TEST(ref_host_info) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  int info;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_ref_t* ref = wasm_foreign_as_ref(foreign);
  CHECK_NULL(wasm_ref_get_host_info(ref));
  wasm_ref_set_host_info(ref, &info);
  CHECK_PTR(wasm_foreign_get_host_info(foreign), &info);
  wasm_ref_set_host_info_with_finalizer(ref, &finalized, count_finalizer);
  CHECK_PTR(wasm_foreign_get_host_info(foreign), &finalized);
  wasm_ref_delete(ref);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

// A downcast to any other kind gives NULL.
TEST(wrong_downcast_gives_null) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 1))"
      "  (table (export \"t\") 1 funcref) (memory (export \"m\") 1))");
  wasm_trap_t* trap = new_trap(fixture.store, "");
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_ref_t* refs[8] = {
      wasm_instance_as_ref(fixture.instance),
      wasm_module_as_ref(fixture.module),
      wasm_trap_as_ref(trap),
      wasm_foreign_as_ref(foreign),
      wasm_func_as_ref(fixture_func(&fixture, 0)),
      wasm_global_as_ref(fixture_global(&fixture, 1)),
      wasm_table_as_ref(fixture_table(&fixture, 2)),
      wasm_memory_as_ref(fixture_memory(&fixture, 3)),
  };
  for (size_t i = 0; i < 8; i++) {
    CHECK_INT(wasm_ref_as_instance(refs[i]) != NULL, i == 0);
    CHECK_INT(wasm_ref_as_module(refs[i]) != NULL, i == 1);
    CHECK_INT(wasm_ref_as_trap(refs[i]) != NULL, i == 2);
    CHECK_INT(wasm_ref_as_foreign(refs[i]) != NULL, i == 3);
    CHECK_INT(wasm_ref_as_func(refs[i]) != NULL, i == 4);
    CHECK_INT(wasm_ref_as_global(refs[i]) != NULL, i == 5);
    CHECK_INT(wasm_ref_as_table(refs[i]) != NULL, i == 6);
    CHECK_INT(wasm_ref_as_memory(refs[i]) != NULL, i == 7);
    CHECK_INT(wasm_ref_as_extern(refs[i]) != NULL, i >= 4);
    CHECK_INT(wasm_ref_as_instance_const(refs[i]) != NULL, i == 0);
    CHECK_INT(wasm_ref_as_module_const(refs[i]) != NULL, i == 1);
    CHECK_INT(wasm_ref_as_trap_const(refs[i]) != NULL, i == 2);
    CHECK_INT(wasm_ref_as_foreign_const(refs[i]) != NULL, i == 3);
    CHECK_INT(wasm_ref_as_func_const(refs[i]) != NULL, i == 4);
    CHECK_INT(wasm_ref_as_global_const(refs[i]) != NULL, i == 5);
    CHECK_INT(wasm_ref_as_table_const(refs[i]) != NULL, i == 6);
    CHECK_INT(wasm_ref_as_memory_const(refs[i]) != NULL, i == 7);
    CHECK_INT(wasm_ref_as_extern_const(refs[i]) != NULL, i >= 4);
  }
  wasm_trap_delete(trap);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

// Many references are alive inside wasm at once; each must be the one that was put there.
TEST(many_references_in_a_table) {
  enum { COUNT = 2000 };
  fixture_t fixture = fixture_from_wat(
      "(module (table (export \"t\") 2000 externref)"
      "  (func (export \"get\") (param i32) (result externref) (table.get (local.get 0)))"
      "  (func (export \"swap\") (param i32 externref) (result externref)"
      "    (table.get (local.get 0)) (table.set (local.get 0) (local.get 1))))");
  size_t finalized = 0;
  for (int32_t i = 0; i < COUNT; i++) {
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_val_t arguments[2] = {I32(i), EXTERNREF(wasm_foreign_as_ref(foreign))}, result;
    CHECK_NO_TRAP(call(fixture_func(&fixture, 2), arguments, 2, &result, 1));
    CHECK_NULL(result.of.ref);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 1), arguments, 1, &result, 1));
    CHECK(wasm_ref_same(result.of.ref, wasm_foreign_as_ref(foreign)));
    wasm_val_delete(&result);
    wasm_foreign_delete(foreign);
  }
  CHECK_INT(finalized, 0);
  wasm_ref_t* previous = NULL;
  for (uint32_t i = 0; i < COUNT; i++) {
    wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 0), i);
    CHECK(wasm_ref_as_foreign(element) != NULL);
    CHECK(!wasm_ref_same(element, previous));
    wasm_ref_delete(previous);
    previous = element;
  }
  wasm_ref_delete(previous);
  fixture_delete(&fixture);
  CHECK_INT(finalized, COUNT);
}

// While wasm holds a reference in a local, a callback makes work for an engine's collector.
typedef struct collector_t {
  fixture_t* fixture;
  wasm_func_t* identity;
  size_t finalized, made;
} collector_t;

static wasm_trap_t* make_garbage(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  collector_t* collector = env;
  (void)arguments;
  (void)results;
  size_t count = repetitions(20000, 200);
  for (size_t i = 0; i < count; i++) {
    wasm_foreign_t* foreign = wasm_foreign_new(collector->fixture->store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &collector->finalized, count_finalizer);
    wasm_val_t value = EXTERNREF(wasm_foreign_as_ref(foreign)), result;
    CHECK_NO_TRAP(call(collector->identity, &value, 1, &result, 1));
    wasm_val_delete(&result);
    wasm_foreign_delete(foreign);
    collector->made++;
  }
  return NULL;
}

TEST(references_held_by_wasm_survive_collection) {
  fixture_t fixture = fixture_new();
  collector_t collector = {&fixture, NULL, 0, 0};
  wasm_func_t* host = host_func(fixture.store, "", "", make_garbage, &collector);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h))"
               "  (global $g (mut externref) (ref.null extern))"
               "  (table $t 1 externref)"
               "  (func (export \"hold\") (param externref) (result externref externref externref)"
               "    (global.set $g (local.get 0)) (table.set $t (i32.const 0) (local.get 0))"
               "    (call $h) (local.get 0) (global.get $g) (table.get $t (i32.const 0)))"
               "  (func (export \"id\") (param externref) (result externref) (local.get 0)))",
               imports, 1);
  wasm_func_delete(host);
  collector.identity = fixture_func(&fixture, 1);
  size_t finalized = 0;
  wasm_foreign_t* held = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(held, &finalized, count_finalizer);
  for (size_t round = 0; round < 3; round++) {
    wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(held)), results[3];
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, results, 3));
    for (size_t i = 0; i < 3; i++) {
      CHECK(wasm_ref_same(results[i].of.ref, wasm_foreign_as_ref(held)));
      wasm_val_delete(&results[i]);
    }
  }
  wasm_foreign_delete(held);
  CHECK_INT(finalized, 0); // the global has it
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
  CHECK_INT(collector.finalized, collector.made);
}

// Counts the functions that come, and keeps the last one.
typedef struct received_t {
  size_t count;
  wasm_func_t* last;
} received_t;

static wasm_trap_t* receive(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  received_t* received = env;
  (void)results;
  received->count += arguments->data[0].of.ref != NULL;
  if (received->last) wasm_func_delete(received->last);
  received->last = wasm_func_copy(wasm_ref_as_func(arguments->data[0].of.ref));
  return NULL;
}

// A guest that passes functions all the time does not use up its store.
TEST(functions_come_out_many_times) {
  enum { COUNT = 12000 };
  fixture_t fixture = fixture_new();
  received_t received = {0, NULL};
  wasm_func_t* host = host_func(fixture.store, "r", "", receive, &received);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (param funcref)))"
               "  (func $five (result i32) (i32.const 5))"
               "  (func $six (result i32) (i32.const 6)) (elem declare func $five $six)"
               "  (func (export \"f\") (param $left i32)"
               "    (loop (call $h (ref.func $five)) (call $h (ref.func $six))"
               "      (br_if 0 (local.tee $left (i32.sub (local.get $left) (i32.const 2)))))))",
               imports, 1);
  wasm_func_delete(host);
  wasm_val_t argument = I32(COUNT);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, NULL, 0));
  CHECK_INT(received.count, COUNT);
  REQUIRE(received.last);
  CHECK_INT(call_i32(received.last), 6);
  wasm_func_delete(received.last);
  fixture_delete(&fixture);
}

// Functions come out with their types, of however many.
TEST(functions_of_many_types) {
  enum { TYPES = 600, BITS = 10 };
  static const int numbers[] = {0, 1, 255, 256, 511, 512, 599};
  size_t size = TYPES * (BITS * 4 + 40) + 4096, used = 0;
  char* text = malloc(size);
  used += (size_t)snprintf(text + used, size - used, "(module ");
  for (int i = 0; i < TYPES; i++) {
    used += (size_t)snprintf(text + used, size - used, "(type $t%d (func (param", i);
    for (int bit = 0; bit < BITS; bit++)
      used += (size_t)snprintf(text + used, size - used, i >> bit & 1 ? " i64" : " i32");
    used += (size_t)snprintf(text + used, size - used, ")))");
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    int number = numbers[i];
    used += (size_t)snprintf(text + used, size - used,
                             "(func $f%d (type $t%d)) (elem declare func $f%d)"
                             "(func (export \"%d\") (result funcref) (ref.func $f%d))",
                             number, number, number, number, number);
  }
  snprintf(text + used, size - used, ")");
  fixture_t fixture = fixture_from_wat(text);
  free(text);
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    wasm_val_t result = WASM_INIT_VAL;
    CHECK_NO_TRAP(call(fixture_func(&fixture, i), NULL, 0, &result, 1));
    REQUIRE(result.of.ref);
    wasm_functype_t* type = wasm_func_type(wasm_ref_as_func(result.of.ref));
    const wasm_valtype_vec_t* params = wasm_functype_params(type);
    REQUIRE(params->size == BITS);
    for (size_t bit = 0; bit < BITS; bit++)
      CHECK_INT(wasm_valtype_kind(params->data[bit]), numbers[i] >> bit & 1 ? WASM_I64 : WASM_I32);
    wasm_functype_delete(type);
    wasm_val_delete(&result);
  }
  fixture_delete(&fixture);
}
