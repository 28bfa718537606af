// Callbacks that use the store which is running: calls to any depth, objects made and deleted,
// memories and tables grown, traps passed on.
#include "test.h"

// The data of callbacks; each test sets what it uses.
typedef struct context_t {
  fixture_t fixture;
  wasm_func_t* inner;
  size_t calls;
  int depth;
} context_t;

// ------------------------------------------------------------------------------------------------

// wasm calls the host, the host calls wasm, down to zero and back with a sum.
static const char* ping_wat =
    "(module (import \"\" \"\" (func $h (param i32) (result i32)))"
    "  (func (export \"f\") (param i32) (result i32)"
    "    (if (result i32) (local.get 0)"
    "      (then (i32.add (local.get 0)"
    "        (call $h (i32.sub (local.get 0) (i32.const 1)))))"
    "      (else (i32.const 0)))))";

static wasm_trap_t* call_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  context_t* context = env;
  context->calls++;
  return wasm_func_call(fixture_func(&context->fixture, 0), arguments, results);
}

static void load_ping(context_t* context) {
  context->fixture = fixture_new();
  context->calls = 0;
  wasm_func_t* host = host_func(context->fixture.store, "i", "i", call_back, context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context->fixture, ping_wat, &import, 1);
  wasm_func_delete(host);
}

TEST(calls_to_some_depth) {
  context_t context;
  load_ping(&context);
  for (int32_t depth = 0; depth <= 100; depth += 10) {
    context.calls = 0;
    CHECK_INT(call_i32_i32(fixture_func(&context.fixture, 0), depth), depth * (depth + 1) / 2);
    CHECK_INT(context.calls, depth);
  }
  fixture_delete(&context.fixture);
}

// Endless recursion must trap before it crashes, and the store remains usable.
TEST(calls_without_end) {
  context_t context;
  load_ping(&context);
  for (int i = 0; i < 3; i++) {
    wasm_val_t argument = I32(100000000), result;
    GARBAGE(result);
    CHECK_TRAP(call(fixture_func(&context.fixture, 0), &argument, 1, &result, 1),
               "call stack exhausted");
    CHECK_INT(call_i32_i32(fixture_func(&context.fixture, 0), 10), 55);
  }
  fixture_delete(&context.fixture);
}

// The same with host functions only, without the engine between them.
static wasm_trap_t* call_itself(void* env, const wasm_val_vec_t* arguments,
                                wasm_val_vec_t* results) {
  context_t* context = env;
  context->calls++;
  wasm_val_t argument = I32(arguments->data[0].of.i32 - 1);
  results->data[0] = I32(0);
  return argument.of.i32 == 0 ? NULL : call(context->inner, &argument, 1, results->data, 1);
}

TEST(host_function_that_calls_itself) {
  context_t context = {.fixture = fixture_new(), .calls = 0};
  context.inner = host_func(context.fixture.store, "i", "i", call_itself, &context);
  CHECK_INT(call_i32_i32(context.inner, 1000), 0);
  CHECK_INT(context.calls, 1000);
  wasm_func_delete(context.inner);
  fixture_delete(&context.fixture);
}

// ------------------------------------------------------------------------------------------------

static wasm_trap_t* trap_at_the_bottom(void* env, const wasm_val_vec_t* arguments,
                                       wasm_val_vec_t* results) {
  context_t* context = env;
  if (arguments->data[0].of.i32 == 0) return new_trap(context->fixture.store, "at the bottom");
  return wasm_func_call(fixture_func(&context->fixture, 0), arguments, results);
}

TEST(trap_through_many_levels) {
  context_t context = {.fixture = fixture_new()};
  wasm_func_t* host = host_func(context.fixture.store, "i", "i", trap_at_the_bottom, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture, ping_wat, &import, 1);
  wasm_func_delete(host);
  for (int32_t depth = 1; depth <= 64; depth *= 2) {
    wasm_val_t argument = I32(depth), result;
    GARBAGE(result);
    CHECK_TRAP(call(fixture_func(&context.fixture, 0), &argument, 1, &result, 1), "at the bottom");
  }
  fixture_delete(&context.fixture);
}

// The callback handles a trap instead of passing it on: its caller never sees it.
static wasm_trap_t* swallow_trap(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  context_t* context = env;
  (void)arguments;
  CHECK_TRAP(call_plain(fixture_func(&context->fixture, 1)), "unreachable");
  CHECK_TRAP(call_plain(fixture_func(&context->fixture, 2)), "out of bounds memory access");
  results->data[0] = I32(9);
  return NULL;
}

TEST(callback_that_swallows_a_trap) {
  context_t context = {.fixture = fixture_new()};
  wasm_func_t* host = host_func(context.fixture.store, "", "i", swallow_trap, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h (result i32))) (memory 1)"
               "  (func (export \"f\") (result i32) (i32.add (call $h) (call $h)))"
               "  (func (export \"trap\") unreachable)"
               "  (func (export \"outside\") (drop (i32.load (i32.const -4)))))",
               &import, 1);
  wasm_func_delete(host);
  CHECK_INT(call_i32(fixture_func(&context.fixture, 0)), 18);
  fixture_delete(&context.fixture);
}

// ------------------------------------------------------------------------------------------------

static wasm_trap_t* grow_everything(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  context_t* context = env;
  (void)arguments;
  (void)results;
  wasm_memory_t* memory = fixture_memory(&context->fixture, 1);
  size_t size = wasm_memory_data_size(memory);
  CHECK(wasm_memory_grow(memory, 10));
  CHECK_INT(wasm_memory_data_size(memory), size + 10 * MEMORY_PAGE_SIZE);
  wasm_memory_data(memory)[size] = 123;
  wasm_table_t* table = fixture_table(&context->fixture, 2);
  CHECK(wasm_table_grow(table, 1, wasm_func_as_ref(fixture_func(&context->fixture, 4))));
  wasm_val_t value;
  wasm_global_get(fixture_global(&context->fixture, 3), &value);
  CHECK_INT(value.of.i32, 5);
  wasm_global_set(fixture_global(&context->fixture, 3), &I32(6));
  return NULL;
}

// Before the call everything was in the engine's registers or caches; afterwards it has changed.
TEST(callback_that_grows_memory_and_table_and_sets_a_global) {
  context_t context = {.fixture = fixture_new()};
  wasm_func_t* host = host_func(context.fixture.store, "", "", grow_everything, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h))"
               "  (type $r (func (result i32)))"
               "  (memory (export \"m\") 1) (table (export \"t\") 0 10 funcref)"
               "  (global $g (export \"g\") (mut i32) (i32.const 0))"
               "  (func (export \"seven\") (result i32) (i32.const 7))"
               "  (func (export \"f\") (result i32)"
               "    (i32.store8 (i32.const 0) (i32.const 1))"
               "    (global.set $g (i32.const 5))"
               "    (call $h)"
               "    (i32.load8_u (i32.const 65536))"
               "    (i32.add (i32.mul (memory.size) (i32.const 1000)))"
               "    (i32.add (i32.mul (global.get $g) (i32.const 100000)))"
               "    (i32.add (call_indirect (type $r) (i32.const 0)))"
               "    (i32.add (i32.load8_u (i32.const 0)))))",
               &import, 1);
  wasm_func_delete(host);
  // The exports are: m t g seven f; the callback counts from 1, after a func put first.
  wasm_extern_t* order[5] = {context.fixture.exports.data[4], context.fixture.exports.data[0],
                             context.fixture.exports.data[1], context.fixture.exports.data[2],
                             context.fixture.exports.data[3]};
  memcpy(context.fixture.exports.data, order, sizeof(order));
  CHECK_INT(call_i32(fixture_func(&context.fixture, 0)), 123 + 11000 + 600000 + 7 + 1);
  fixture_delete(&context.fixture);
}

// ------------------------------------------------------------------------------------------------

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

static wasm_trap_t* make_and_delete(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  context_t* context = env;
  (void)arguments;
  (void)results;
  context->calls++;
  wasm_store_t* store = context->fixture.store;

  wasm_func_t* func = host_func(store, "", "", do_nothing, NULL);
  CHECK_NO_TRAP(call_plain(func));
  wasm_globaltype_t* global_type = globaltype(WASM_EXTERNREF, WASM_VAR);
  wasm_global_t* global = wasm_global_new(store, global_type, &EXTERNREF(wasm_func_as_ref(func)));
  wasm_globaltype_delete(global_type);
  wasm_tabletype_t* table_type = tabletype(WASM_FUNCREF, 1, 2);
  wasm_table_t* table = wasm_table_new(store, table_type, wasm_func_as_ref(func));
  wasm_tabletype_delete(table_type);
  wasm_memorytype_t* memory_type = memorytype(1, 2);
  wasm_memory_t* memory = wasm_memory_new(store, memory_type);
  wasm_memorytype_delete(memory_type);
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  wasm_trap_t* trap = new_trap(store, "not thrown");
  CHECK(global && table && memory && foreign && trap);

  wasm_module_t* module =
      module_from_wat(store,
                      "(module (import \"\" \"\" (func $h)) (import \"\" \"\" (memory 1))"
                      "  (func $start (call $h)) (start $start)"
                      "  (func (export \"f\") (result i32) (i32.store (i32.const 0) (i32.const 77))"
                      "    (i32.load (i32.const 0))))");
  wasm_extern_t* imports[2] = {wasm_func_as_extern(func), wasm_memory_as_extern(memory)};
  wasm_instance_t* instance = instantiate(store, module, imports, 2);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 77);
  CHECK_INT(wasm_memory_data(memory)[0], 77);

  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_trap_delete(trap);
  wasm_foreign_delete(foreign);
  wasm_memory_delete(memory);
  wasm_table_delete(table);
  wasm_global_delete(global);
  wasm_func_delete(func);
  return NULL;
}

TEST(callback_that_makes_and_deletes_objects_of_the_store) {
  context_t context = {.fixture = fixture_new(), .calls = 0};
  wasm_func_t* host = host_func(context.fixture.store, "", "", make_and_delete, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h))"
               "  (func (export \"f\") (call $h) (call $h) (call $h)))",
               &import, 1);
  wasm_func_delete(host);
  for (int i = 0; i < 5; i++) CHECK_NO_TRAP(call_plain(fixture_func(&context.fixture, 0)));
  CHECK_INT(context.calls, 15);
  fixture_delete(&context.fixture);
}

// While it runs, the callback gives up the last handles of everything but the called function.
typedef struct handles_t {
  fixture_t fixture;
  wasm_func_t *host, *called;
  size_t finalized;
} handles_t;

static wasm_trap_t* delete_handles(void* env, const wasm_val_vec_t* arguments,
                                   wasm_val_vec_t* results) {
  handles_t* handles = env;
  results->data[0] = I32(arguments->data[0].of.i32 + 1);
  fixture_delete(&handles->fixture);
  wasm_func_delete(handles->host);
  handles->fixture = (fixture_t){NULL, NULL, NULL, NULL, WASM_EMPTY_VEC};
  handles->host = NULL;
  return NULL;
}

TEST(callback_that_deletes_its_own_handle_and_its_store) {
  handles_t handles = {.fixture = fixture_new(), .finalized = 0};
  handles.host = host_func(handles.fixture.store, "i", "i", delete_handles, &handles);
  wasm_func_set_host_info_with_finalizer(handles.host, &handles.finalized, count_finalizer);
  wasm_extern_t* import = wasm_func_as_extern(handles.host);
  fixture_load(&handles.fixture,
               "(module (import \"\" \"\" (func $h (param i32) (result i32))) (memory 1)"
               "  (func (export \"f\") (param i32) (result i32)"
               "    (i32.store (i32.const 8) (call $h (local.get 0)))"
               "    (i32.add (i32.load (i32.const 8)) (i32.const 1))))",
               &import, 1);
  handles.called = wasm_func_copy(fixture_func(&handles.fixture, 0));
  CHECK_INT(call_i32_i32(handles.called, 40), 42);
  CHECK_INT(handles.finalized, 0);
  wasm_func_delete(handles.called);
  CHECK_INT(handles.finalized, 1);
}

// ------------------------------------------------------------------------------------------------

// A start function that calls the host, which makes another instance of the same module.
static wasm_trap_t* instantiate_again(void* env, const wasm_val_vec_t* arguments,
                                      wasm_val_vec_t* results) {
  context_t* context = env;
  (void)arguments;
  (void)results;
  context->calls++;
  if (context->depth-- > 0) {
    wasm_extern_t* import = wasm_func_as_extern(context->inner);
    wasm_instance_delete(instantiate(context->fixture.store, context->fixture.module, &import, 1));
  }
  return NULL;
}

TEST(instances_made_while_instantiating) {
  context_t context = {.fixture = fixture_new(), .calls = 0, .depth = 20};
  context.inner = host_func(context.fixture.store, "", "", instantiate_again, &context);
  wasm_extern_t* import = wasm_func_as_extern(context.inner);
  context.fixture.module =
      module_from_wat(context.fixture.store, "(module (import \"\" \"\" (func $h)) (start $h))");
  context.fixture.instance = instantiate(context.fixture.store, context.fixture.module, &import, 1);
  CHECK_INT(context.calls, 21);
  wasm_func_delete(context.inner);
  fixture_delete(&context.fixture);
}

// A callback's arguments stay the same while it makes calls.
static wasm_trap_t* keep_arguments(void* env, const wasm_val_vec_t* arguments,
                                   wasm_val_vec_t* results) {
  context_t* context = env;
  wasm_ref_t* before = arguments->data[1].of.ref;
  int32_t number = arguments->data[0].of.i32;
  if (number > 0) {
    wasm_foreign_t* foreign = wasm_foreign_new(context->fixture.store);
    wasm_val_t inner[2] = {I32(number - 1), EXTERNREF(wasm_foreign_as_ref(foreign))}, result;
    CHECK_NO_TRAP(call(fixture_func(&context->fixture, 0), inner, 2, &result, 1));
    CHECK(wasm_ref_same(result.of.ref, inner[1].of.ref));
    wasm_val_delete(&result);
    wasm_foreign_delete(foreign);
  }
  CHECK_INT(arguments->data[0].of.i32, number);
  CHECK_PTR(arguments->data[1].of.ref, before);
  CHECK(wasm_ref_as_foreign(before) != NULL);
  wasm_val_copy(&results->data[0], &arguments->data[1]);
  return NULL;
}

TEST(arguments_and_results_of_nested_callbacks) {
  context_t context = {.fixture = fixture_new()};
  wasm_func_t* host = host_func(context.fixture.store, "ie", "e", keep_arguments, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h (param i32 externref) (result externref)))"
               "  (func (export \"f\") (param i32 externref) (result externref)"
               "    (call $h (local.get 0) (local.get 1))))",
               &import, 1);
  wasm_func_delete(host);
  wasm_foreign_t* foreign = wasm_foreign_new(context.fixture.store);
  wasm_val_t arguments[2] = {I32(40), EXTERNREF(wasm_foreign_as_ref(foreign))}, result;
  CHECK_NO_TRAP(call(fixture_func(&context.fixture, 0), arguments, 2, &result, 1));
  CHECK(wasm_ref_same(result.of.ref, arguments[1].of.ref));
  wasm_val_delete(&result);
  wasm_foreign_delete(foreign);
  fixture_delete(&context.fixture);
}

// Each callback asks for the memory's address again, as a host must after any call.
static wasm_trap_t* write_memory(void* env, const wasm_val_vec_t* arguments,
                                 wasm_val_vec_t* results) {
  context_t* context = env;
  (void)results;
  wasm_memory_t* memory = fixture_memory(&context->fixture, 0);
  wasm_memory_data(memory)[arguments->data[0].of.i32] = (byte_t)arguments->data[1].of.i32;
  return NULL;
}

TEST(memory_written_by_wasm_and_by_callbacks_in_turn) {
  context_t context = {.fixture = fixture_new()};
  wasm_func_t* host = host_func(context.fixture.store, "ii", "", write_memory, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h (param i32 i32)))"
               "  (memory (export \"m\") 1)"
               "  (func (export \"f\") (result i32) (local $i i32)"
               "    (loop $l"
               "      (i32.store8 (local.get $i) (i32.const 1))"
               "      (call $h (local.get $i) (i32.const 2))"
               "      (i32.store8 offset=1 (local.get $i)"
               "        (i32.add (i32.load8_u (local.get $i)) (i32.const 1)))"
               "      (local.set $i (i32.add (local.get $i) (i32.const 2)))"
               "      (br_if $l (i32.lt_u (local.get $i) (i32.const 1000))))"
               "    (i32.load (i32.const 996))))",
               &import, 1);
  wasm_func_delete(host);
  CHECK_INT(call_i32(fixture_func(&context.fixture, 1)), 0x03020302);
  fixture_delete(&context.fixture);
}

// A finalizer that runs in a callback may itself use the store.
static void call_from_finalizer(void* info) {
  context_t* context = info;
  context->calls += (size_t)call_i32(fixture_func(&context->fixture, 1));
}

static wasm_trap_t* run_finalizers(void* env, const wasm_val_vec_t* arguments,
                                   wasm_val_vec_t* results) {
  context_t* context = env;
  (void)arguments;
  (void)results;
  wasm_foreign_t* foreign = wasm_foreign_new(context->fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, context, call_from_finalizer);
  wasm_foreign_set_host_info_with_finalizer(foreign, context, call_from_finalizer); // the first
  wasm_foreign_delete(foreign);                                                     // the second
  return NULL;
}

TEST(finalizer_that_calls_into_the_running_store) {
  context_t context = {.fixture = fixture_new(), .calls = 0};
  wasm_func_t* host = host_func(context.fixture.store, "", "", run_finalizers, &context);
  wasm_extern_t* import = wasm_func_as_extern(host);
  fixture_load(&context.fixture,
               "(module (import \"\" \"\" (func $h)) (global $n (mut i32) (i32.const 0))"
               "  (func (export \"f\") (result i32) (call $h) (call $h) (global.get $n))"
               "  (func (export \"g\") (result i32)"
               "    (global.set $n (i32.add (global.get $n) (i32.const 1))) (global.get $n)))",
               &import, 1);
  wasm_func_delete(host);
  CHECK_INT(call_i32(fixture_func(&context.fixture, 0)), 4);
  CHECK_INT(context.calls, 1 + 2 + 3 + 4);
  fixture_delete(&context.fixture);
}
