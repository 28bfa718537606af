// Callbacks that know their caller, and the data of stores.
#include "configured.h"

#define S(text) (text), strlen(text)

// What the callbacks of a test saw, and what they are to do.
typedef struct seen_t {
  wasm_store_t* store;
  const wasmrt_caller_t* caller;
  size_t calls, finalized;
  // Copies of the calling instances, in the order of the calls; NULL where none was known.
  wasm_instance_t* instances[8];
  // Called in the first call.
  wasm_func_t* then;
  wasm_module_t* instantiate;
  wasm_extern_t* import;
} seen_t;

static void seen_delete(seen_t* seen) {
  for (size_t i = 0; i < 8; i++) wasm_instance_delete(seen->instances[i]);
  memset(seen, 0, sizeof *seen);
}

static void finalize(void* env) {
  ((seen_t*)env)->finalized++;
}

static wasm_trap_t* see(void* env, const wasmrt_caller_t* caller, const wasm_val_vec_t* arguments,
                        wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  seen_t* seen = env;
  seen->caller = caller;
  CHECK_PTR(wasmrt_caller_store(caller), seen->store);
  wasmrt_last_error_clear();
  const wasm_instance_t* instance = wasmrt_caller_instance(caller);
  if (!instance) CHECK_CONTAINS(wasmrt_last_error_message(), "no instance is known to call");
  REQUIRE(seen->calls < 8);
  bool first = seen->calls == 0;
  seen->instances[seen->calls++] = wasm_instance_copy(instance);
  if (first && seen->then) {
    CHECK_NO_TRAP(call_plain(seen->then));
    // The inner call is over, and this one is the caller again.
    CHECK_PTR(wasmrt_caller_instance(caller), instance);
  }
  if (first && seen->instantiate) {
    wasm_instance_t* other = instantiate(seen->store, seen->instantiate, &seen->import, 1);
    CHECK_INT(seen->calls, 2);
    CHECK(wasm_instance_same(other, seen->instances[1]));
    CHECK_PTR(wasmrt_caller_instance(caller), instance);
    wasm_instance_delete(other);
  }
  return NULL;
}

static wasm_func_t* with_caller(wasm_store_t* store, const char* parameters, const char* results,
                                wasmrt_func_callback_with_caller_t callback, void* env) {
  wasm_functype_t* type = functype(parameters, results);
  wasm_func_t* func = wasmrt_func_new_with_caller(store, type, callback, env, NULL);
  wasm_functype_delete(type);
  REQUIRE(func);
  return func;
}

static wasm_func_t* export_func(const wasm_instance_t* instance, const char* name) {
  wasm_extern_t* export = wasmrt_instance_export(instance, S(name));
  REQUIRE(export);
  return wasm_extern_as_func(export);
}

static void call_export(const wasm_instance_t* instance, const char* name) {
  wasm_func_t* func = export_func(instance, name);
  CHECK_NO_TRAP(call_plain(func));
  wasm_func_delete(func);
}

// Adds the byte that the argument points to, in the caller's memory, to one behind it.
static wasm_trap_t* add_in_memory(void* env, const wasmrt_caller_t* caller,
                                  const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  size_t size = 0;
  wasm_byte_t* memory = wasmrt_caller_memory(caller, &size);
  REQUIRE(memory);
  CHECK_INT(size % 65536, 0);
  int32_t address = arguments->data[0].of.i32;
  REQUIRE(address >= 0 && (size_t)address + 1 < size);
  memory[address + 1] = (wasm_byte_t)(memory[address + 1] + memory[address]);
  if (results->size) results->data[0] = I32(memory[address + 1]);
  return NULL;
}

TEST(each_caller_has_its_own_memory) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = with_caller(fixture.store, "i", "i", add_in_memory, NULL);
  wasm_extern_t* import = wasm_func_as_extern(func);
  const char* text =
      "(module (import \"m\" \"f\" (func $f (param i32) (result i32)))"
      "  (memory (export \"memory\") 1) (data (i32.const 40) \"%s\")"
      "  (func (export \"f\") (param i32) (result i32) (call $f (local.get 0))))";
  wasm_instance_t* instances[2];
  for (size_t i = 0; i < 2; i++) {
    char own[400];
    snprintf(own, sizeof own, text, i == 0 ? "\\01\\02" : "\\0a\\14");
    wasm_module_t* module = module_from_wat(fixture.store, own);
    instances[i] = instantiate(fixture.store, module, &import, 1);
    wasm_module_delete(module);
  }
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < 2; i++) {
      wasm_func_t* f = export_func(instances[i], "f");
      CHECK_INT(call_i32_i32(f, 40), i == 0 ? 3 + round : 30 + 10 * round);
      wasm_func_delete(f);
    }
  }
  wasm_instance_delete(instances[0]);
  wasm_instance_delete(instances[1]);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* grow_memory(void* env, const wasmrt_caller_t* caller,
                                const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  size_t size;
  GARBAGE(size);
  CHECK(wasmrt_caller_memory(caller, &size) != NULL);
  CHECK_INT(size, 65536);
  wasm_func_t* grow = export_func(wasmrt_caller_instance(caller), "grow");
  CHECK_INT(call_i32_i32(grow, 2), 1);
  wasm_func_delete(grow);
  wasm_byte_t* memory = wasmrt_caller_memory(caller, &size);
  CHECK_INT(size, 3 * 65536);
  memory[size - 1] = 'x';
  CHECK_FAILS(wasmrt_caller_memory(caller, NULL) == NULL);
  return NULL;
}

TEST(memory_that_grows) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = with_caller(fixture.store, "", "", grow_memory, NULL);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture,
               "(module (import \"m\" \"f\" (func $f)) (memory (export \"memory\") 1)"
               "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
               "  (func (export \"f\") (result i32) (call $f) (i32.load8_u (i32.const 196607))))",
               &import, 1);
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 'x');
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* look_for_memory(void* env, const wasmrt_caller_t* caller,
                                    const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  wasm_memory_t** expected = env;
  size_t size = 7;
  if (*expected) {
    CHECK_PTR(wasmrt_caller_memory(caller, &size), wasm_memory_data(*expected));
    CHECK_INT(size, wasm_memory_data_size(*expected));
  } else {
    CHECK_FAILS(wasmrt_caller_memory(caller, &size) == NULL);
    CHECK_CONTAINS(wasmrt_last_error_message(), "exported as \"memory\"");
    CHECK_INT(size, 7);
  }
  return NULL;
}

TEST(which_export_is_the_memory) {
  const struct {
    const char* text;
    bool found;
  } modules[] = {
      {"(module (import \"m\" \"f\" (func $f)) (import \"m\" \"n\" (memory 1))"
       "  (export \"memory\" (memory 0)) (func (export \"f\") (call $f)))",
       true},
      {"(module (import \"m\" \"f\" (func $f)) (import \"m\" \"n\" (memory 1))"
       "  (export \"other\" (memory 0)) (export \"memory\" (memory 0))"
       "  (func (export \"f\") (call $f)))",
       true},
      {"(module (import \"m\" \"f\" (func $f)) (import \"m\" \"n\" (memory 1))"
       "  (func (export \"f\") (call $f)))",
       false},
      {"(module (import \"m\" \"f\" (func $f)) (import \"m\" \"n\" (memory 1))"
       "  (export \"Memory\" (memory 0)) (func (export \"f\") (call $f)))",
       false},
      {"(module (import \"m\" \"f\" (func $f)) (import \"m\" \"n\" (memory 1))"
       "  (export \"memory\" (func $f)) (func (export \"f\") (call $f)))",
       false},
  };
  fixture_t fixture = fixture_new();
  wasm_memorytype_t* type = memorytype(1, 2);
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  wasm_memorytype_delete(type);
  wasm_memory_t* expected = NULL;
  wasm_func_t* func = with_caller(fixture.store, "", "", look_for_memory, &expected);
  for (size_t i = 0; i < sizeof modules / sizeof *modules; i++) {
    wasm_module_t* module = module_from_wat(fixture.store, modules[i].text);
    wasm_extern_t* imports[] = {wasm_func_as_extern(func), wasm_memory_as_extern(memory)};
    wasm_instance_t* instance = instantiate(fixture.store, module, imports, 2);
    expected = modules[i].found ? memory : NULL;
    call_export(instance, "f");
    call_export(instance, "f");
    wasm_instance_delete(instance);
    wasm_module_delete(module);
  }
  wasm_func_delete(func);
  wasm_memory_delete(memory);
  fixture_delete(&fixture);
}

static const char CALLS[] =
    "(module (import \"m\" \"f\" (func $f)) (export \"again\" (func $f))"
    "  (func (export \"f\") (call $f)))";

TEST(nested_calls_of_one_function) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  wasm_extern_t* import = wasm_func_as_extern(func);
  wasm_module_t* module = module_from_wat(fixture.store, CALLS);
  wasm_instance_t* one = instantiate(fixture.store, module, &import, 1);
  // Imports what the first exports again, which is the same function.
  wasm_extern_t* again = wasmrt_instance_export(one, S("again"));
  CHECK(wasm_extern_same(again, import));
  wasm_instance_t* two = instantiate(fixture.store, module, &again, 1);
  seen.then = export_func(two, "f");
  call_export(one, "f");
  CHECK_INT(seen.calls, 2);
  CHECK(wasm_instance_same(seen.instances[0], one));
  CHECK(wasm_instance_same(seen.instances[1], two));
  call_export(one, "f");
  call_export(two, "f");
  CHECK(wasm_instance_same(seen.instances[2], one));
  CHECK(wasm_instance_same(seen.instances[3], two));
  // When all is over, the caller says so.
  CHECK_FAILS(wasmrt_caller_instance(seen.caller) == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "has returned");
  CHECK_FAILS(wasmrt_caller_store(seen.caller) == NULL);
  size_t size;
  CHECK_FAILS(wasmrt_caller_memory(seen.caller, &size) == NULL);
  wasm_func_delete(seen.then);
  seen_delete(&seen);
  wasm_extern_delete(again);
  wasm_instance_delete(one);
  wasm_instance_delete(two);
  wasm_module_delete(module);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(the_host_itself_calls) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  CHECK_NO_TRAP(call_plain(func));
  CHECK_NULL(seen.instances[0]);
  // Also inside a call by an instance.
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture, CALLS, &import, 1);
  seen.calls = 0;
  seen.then = func;
  call_export(fixture.instance, "f");
  CHECK_INT(seen.calls, 2);
  CHECK(wasm_instance_same(seen.instances[0], fixture.instance));
  CHECK_NULL(seen.instances[1]);
  // An export that is the function itself is called by the host.
  seen.then = NULL;
  call_export(fixture.instance, "again");
  CHECK_NULL(seen.instances[2]);
  seen_delete(&seen);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(start_functions) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  seen.import = wasm_func_as_extern(func);
  const char* text =
      "(module (import \"m\" \"f\" (func $f)) (memory (export \"memory\") 1)"
      "  (func $start (call $f)) (start $start) (func (export \"%s\") (call $f)))";
  char one[300], two[300];
  snprintf(one, sizeof one, text, "one");
  snprintf(two, sizeof two, text, "two");
  wasm_module_t* module = module_from_wat(fixture.store, one);
  seen.instantiate = module_from_wat(fixture.store, two);
  // The start function of the one instantiates the other.
  wasm_instance_t* instance = instantiate(fixture.store, module, &seen.import, 1);
  CHECK_INT(seen.calls, 2);
  CHECK(wasm_instance_same(seen.instances[0], instance));
  CHECK(!wasm_instance_same(seen.instances[1], instance));
  call_export(seen.instances[0], "one");
  call_export(seen.instances[1], "two");
  CHECK(wasm_instance_same(seen.instances[2], instance));
  CHECK(wasm_instance_same(seen.instances[3], seen.instances[1]));
  wasm_module_delete(seen.instantiate);
  wasm_module_delete(module);
  wasm_instance_delete(instance);
  seen_delete(&seen);
  // The import is the start function.
  seen.store = fixture.store;
  fixture_load(&fixture, "(module (import \"m\" \"f\" (func $f)) (start $f))",
               (wasm_extern_t*[]){wasm_func_as_extern(func)}, 1);
  CHECK(wasm_instance_same(seen.instances[0], fixture.instance));
  seen_delete(&seen);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(a_start_function_that_traps) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  wasm_extern_t* import = wasm_func_as_extern(func);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"m\" \"f\" (func $f)) (func $start (call $f) (unreachable)) (start $start)"
      "  (func (export \"g\") (result i32) (i32.const 6)))");
  for (size_t i = 0; i < 2; i++) {
    wasm_trap_t* trap;
    wasm_extern_vec_t imports = {1, &import};
    CHECK_NULL(wasm_instance_new(fixture.store, module, &imports, &trap));
    CHECK_TRAP(trap, "unreachable");
    // What the callback kept of it works.
    wasm_func_t* g = export_func(seen.instances[i], "g");
    CHECK_INT(call_i32(g), 6);
    wasm_func_delete(g);
  }
  CHECK(!wasm_instance_same(seen.instances[0], seen.instances[1]));
  seen_delete(&seen);
  wasm_module_delete(module);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

// wasmtime tells who calls, wasmi what the function was linked into.
TEST(through_tables_and_references) {
  fixture_t fixture = fixture_new();
  bool told = backend_is(fixture.engine, "wasmtime");
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture,
               "(module (import \"m\" \"f\" (func $f)) (table (export \"t\") 2 funcref)"
               "  (elem (i32.const 0) $f)"
               "  (func (export \"get\") (result funcref) (table.get (i32.const 0)))"
               "  (func (export \"f\") (call_indirect (i32.const 0))))",
               &import, 1);
  wasm_module_t* module = module_from_wat(fixture.store,
                                          "(module (import \"m\" \"t\" (table 2 funcref))"
                                          "  (func (export \"0\") (call_indirect (i32.const 0)))"
                                          "  (func (export \"1\") (call_indirect (i32.const 1))))");
  wasm_instance_t* other = instantiate(fixture.store, module, &fixture.exports.data[0], 1);
  // It is the same function, whatever the engine calls.
  wasm_table_t* table = fixture_table(&fixture, 0);
  wasm_ref_t* element = wasm_table_get(table, 0);
  CHECK(wasm_ref_same(element, wasm_func_as_ref(func)));
  wasm_val_t got;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 1), NULL, 0, &got, 1));
  CHECK(wasm_ref_same(got.of.ref, element));
  wasm_val_delete(&got);
  CHECK(wasm_table_set(table, 1, element));
  wasm_ref_delete(element);
  call_export(fixture.instance, "f");
  call_export(other, "0");
  call_export(other, "1");
  CHECK_INT(seen.calls, 3);
  CHECK(wasm_instance_same(seen.instances[0], fixture.instance));
  CHECK(wasm_instance_same(seen.instances[1], told ? other : fixture.instance));
  CHECK(wasm_instance_same(seen.instances[2], told ? other : NULL));
  seen_delete(&seen);
  wasm_instance_delete(other);
  wasm_module_delete(module);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static wasm_trap_t* pass_on(void* env, const wasmrt_caller_t* caller,
                            const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  see(env, caller, arguments, results);
  for (size_t i = 0; i < results->size; i++) wasm_val_copy(&results->data[i], &arguments->data[i]);
  return NULL;
}

// Engines call functions of many values, and of references, in ways of their own; and so they do
// where guests may be stopped.
TEST(types_of_every_size) {
  for (int stoppable = 0; stoppable < 2; stoppable++) {
    wasm_config_t* config = wasm_config_new();
    REQUIRE(wasmrt_config_set_interruption(config, stoppable) &&
            wasmrt_config_set_fuel(config, stoppable));
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    wasm_store_t* store = wasm_store_new(engine);
    REQUIRE(store);
    if (stoppable) REQUIRE(wasmrt_store_set_fuel(store, 100000));
    static const char* const parameters[] = {"", "iIfF", "iiiiiiiiiiiiiiiiiiiiiiii", "ei", "r"};
    for (size_t i = 0; i < sizeof parameters / sizeof *parameters; i++) {
      seen_t seen = {.store = store};
      const char* letters = parameters[i];
      wasm_func_t* func = with_caller(store, letters, letters, pass_on, &seen);
      char types[400] = "", gets[1000] = "", text[3000];
      for (size_t p = 0; letters[p]; p++) {
        static const char* const names[128] = {
            ['i'] = "i32", ['I'] = "i64",       ['f'] = "f32",
            ['F'] = "f64", ['e'] = "externref", ['r'] = "funcref"};
        snprintf(types + strlen(types), 16, " %s", names[(int)letters[p]]);
        snprintf(gets + strlen(gets), 40, " (local.get %zu)", p);
      }
      snprintf(text, sizeof text,
               "(module (import \"m\" \"f\" (func $f (param%s) (result%s)))"
               "  (func (export \"f\") (param%s) (result%s) (call $f%s)))",
               types, types, types, types, gets);
      wasm_module_t* module = module_from_wat(store, text);
      wasm_extern_t* import = wasm_func_as_extern(func);
      wasm_instance_t* instance = instantiate(store, module, &import, 1);
      wasm_func_t* f = export_func(instance, "f");
      wasm_foreign_t* foreign = wasm_foreign_new(store);
      wasm_val_t arguments[24], got[24];
      size_t count = strlen(letters);
      for (size_t p = 0; p < count; p++) {
        arguments[p] = letters[p] == 'I'   ? I64(-5)
                       : letters[p] == 'f' ? F32(0.5f)
                       : letters[p] == 'F' ? F64(0.25)
                       : letters[p] == 'e' ? EXTERNREF(wasm_foreign_as_ref(foreign))
                       : letters[p] == 'r' ? FUNCREF(wasm_func_as_ref(func))
                                           : I32((int32_t)p);
      }
      CHECK_NO_TRAP(call(f, arguments, count, got, count));
      for (size_t p = 0; p < count; p++) {
        CHECK_INT(got[p].kind, arguments[p].kind);
        CHECK(memcmp(&got[p].of, &arguments[p].of, got[p].kind == WASM_I32 ? 4 : 0) == 0);
        if (wasm_valkind_is_ref(got[p].kind))
          CHECK(wasm_ref_same(got[p].of.ref, arguments[p].of.ref));
        wasm_val_delete(&got[p]);
      }
      CHECK(wasm_instance_same(seen.instances[0], instance));
      seen_delete(&seen);
      wasm_foreign_delete(foreign);
      wasm_func_delete(f);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
      wasm_func_delete(func);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
}

static wasm_trap_t* count_fuel(void* env, const wasmrt_caller_t* caller,
                               const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  uint64_t left = 0, consumed = 0;
  CHECK(wasmrt_store_fuel(wasmrt_caller_store(caller), &left));
  CHECK(wasmrt_store_fuel_consumed(wasmrt_caller_store(caller), &consumed));
  CHECK_INT(left + consumed, 1000);
  results->data[0] = I64((int64_t)left);
  return NULL;
}

TEST(fuel_of_the_caller) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_fuel(config, true));
  fixture_t fixture = {0};
  fixture.engine = wasm_engine_new_with_config(config);
  fixture.store = wasm_store_new(fixture.engine);
  REQUIRE(fixture.store && wasmrt_store_set_fuel(fixture.store, 1000));
  wasm_func_t* func = with_caller(fixture.store, "", "I", count_fuel, NULL);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture,
               "(module (import \"m\" \"f\" (func $f (result i64)))"
               "  (func (export \"f\") (result i64) (i64.sub (call $f) (call $f))))",
               &import, 1);
  wasm_val_t result;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), NULL, 0, &result, 1));
  CHECK(result.of.i64 >= 0 && result.of.i64 < 100);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

static bool define(wasmrt_linker_t* linker, const char* name, seen_t* seen) {
  wasm_functype_t* type = functype("", "");
  bool defined =
      wasmrt_linker_define_func_with_caller(linker, S("m"), S(name), type, see, seen, finalize);
  wasm_functype_delete(type);
  return defined;
}

TEST(linked_by_name_and_prepared) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasmrt_linker_t* linker = wasmrt_linker_new(fixture.store);
  CHECK(define(linker, "f", &seen));
  CHECK_FAILS(!define(linker, "f", &seen));
  CHECK_INT(seen.finalized, 1);
  wasm_module_t* module = module_from_wat(fixture.store, CALLS);
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  wasmrt_linker_delete(linker);
  wasm_instance_t* instances[3];
  for (size_t i = 0; i < 3; i++) instances[i] = wasmrt_instance_pre_instantiate(pre, NULL);
  for (size_t i = 3; i-- > 0;) call_export(instances[i], "f");
  for (size_t i = 0; i < 3; i++) {
    CHECK(wasm_instance_same(seen.instances[2 - i], instances[i]));
    wasm_instance_delete(instances[i]);
  }
  size_t calls = seen.calls;
  seen_delete(&seen);
  CHECK_INT(calls, 3);
  wasmrt_instance_pre_delete(pre);
  wasm_module_delete(module);
  CHECK_INT(seen.finalized, 0);
  fixture_delete(&fixture);
  CHECK_INT(seen.finalized, 1);
}

TEST(functions_end_with_their_environment) {
  fixture_t fixture = fixture_new();
  seen_t seen = {.store = fixture.store};
  wasm_functype_t* type = functype("", "");
  // Never seen by the engine: it goes with its last handle.
  wasm_func_delete(wasmrt_func_new_with_caller(fixture.store, type, see, &seen, finalize));
  CHECK_INT(seen.finalized, 1);
  CHECK_FAILS(wasmrt_func_new_with_caller(NULL, type, see, &seen, finalize) == NULL);
  CHECK_FAILS(wasmrt_func_new_with_caller(fixture.store, NULL, see, &seen, finalize) == NULL);
  CHECK_FAILS(wasmrt_func_new_with_caller(fixture.store, type, NULL, &seen, finalize) == NULL);
  CHECK_INT(seen.finalized, 4);
  // Seen by the engine: it goes with the store.
  wasm_func_t* func = wasmrt_func_new_with_caller(fixture.store, type, see, &seen, finalize);
  wasm_functype_delete(type);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture, CALLS, &import, 1);
  wasm_func_delete(func);
  call_export(fixture.instance, "f");
  CHECK_INT(seen.calls, 1);
  CHECK_INT(seen.finalized, 4);
  size_t calls = seen.calls;
  wasm_instance_delete(seen.instances[0]);
  fixture_delete(&fixture);
  CHECK_INT(calls, 1);
  CHECK_INT(seen.finalized, 5);
  CHECK_FAILS(wasmrt_caller_instance(NULL) == NULL);
  CHECK_FAILS(wasmrt_caller_store(NULL) == NULL);
  size_t size;
  CHECK_FAILS(wasmrt_caller_memory(NULL, &size) == NULL);
}

static wasm_trap_t* delete_all(void* env, const wasmrt_caller_t* caller,
                               const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  fixture_t* fixture = env;
  wasm_instance_t* instance = wasm_instance_copy(wasmrt_caller_instance(caller));
  CHECK(wasm_instance_same(instance, fixture->instance));
  fixture_delete(fixture);
  wasm_instance_delete(instance);
  // The store is there as long as the callback runs.
  CHECK(wasmrt_caller_instance(caller) != NULL);
  CHECK(wasmrt_store_set_data(wasmrt_caller_store(caller), fixture, NULL));
  return NULL;
}

TEST(a_callback_that_deletes_everything) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = with_caller(fixture.store, "", "", delete_all, &fixture);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture, CALLS, &import, 1);
  wasm_func_delete(func);
  wasm_func_t* f = export_func(fixture.instance, "f");
  CHECK_NO_TRAP(call_plain(f));
  wasm_func_delete(f);
}

// -------------------------------------------------------------------------------------------------
// Data of stores, and garbage

static void count(void* data) {
  ++*(int*)data;
}

TEST(data_of_a_store) {
  fixture_t fixture = fixture_new();
  CHECK_NULL(wasmrt_store_data(fixture.store));
  int one = 0, two = 0;
  CHECK(wasmrt_store_set_data(fixture.store, &one, count));
  CHECK_PTR(wasmrt_store_data(fixture.store), &one);
  CHECK(wasmrt_store_set_data(fixture.store, &two, count));
  CHECK_INT(one, 1);
  CHECK_PTR(wasmrt_store_data(fixture.store), &two);
  // The store outlives its handle, and so does the data.
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  fixture_delete(&fixture);
  CHECK_INT(two, 0);
  wasm_foreign_delete(foreign);
  CHECK_INT(two, 1);
  CHECK_INT(one, 1);
  CHECK_FAILS(!wasmrt_store_set_data(NULL, &one, count));
  CHECK_INT(one, 2);
  CHECK_FAILS(wasmrt_store_data(NULL) == NULL);
}

static wasm_store_t* deleted;

static void use_deleted_store(void* data) {
  int* finalized = data;
  ++*finalized;
  CHECK_FAILS(!wasmrt_store_set_data(deleted, data, count));
  CHECK_FAILS(wasmrt_store_data(deleted) == NULL);
  CHECK_FAILS(!wasmrt_store_gc(deleted));
}

TEST(data_that_is_set_when_the_store_has_gone) {
  fixture_t fixture = fixture_new();
  deleted = fixture.store;
  int finalized = 0;
  CHECK(wasmrt_store_set_data(fixture.store, &finalized, use_deleted_store));
  fixture_delete(&fixture);
  CHECK_INT(finalized, 2);
}

static void finalize_before(void* env) {
  CHECK_INT(*(int*)env, 0);
}

TEST(data_is_finalized_last) {
  fixture_t fixture = fixture_new();
  int data = 0;
  CHECK(wasmrt_store_set_data(fixture.store, &data, count));
  wasm_functype_t* type = functype("", "");
  wasm_func_t* func = wasmrt_func_new_with_caller(fixture.store, type, see, &data, finalize_before);
  wasm_functype_delete(type);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture, CALLS, &import, 1);
  wasm_instance_set_host_info_with_finalizer(fixture.instance, &data, finalize_before);
  wasm_func_delete(func);
  fixture_delete(&fixture);
  CHECK_INT(data, 1);
}

TEST(garbage_is_collected_on_request) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param externref) (result i32)"
      "  (ref.is_null (local.get 0))))");
  int finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count);
  wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(foreign)), result;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
  CHECK(wasmrt_store_gc(fixture.store));
  CHECK_INT(finalized, 0);
  wasm_foreign_delete(foreign);
  CHECK(wasmrt_store_gc(fixture.store));
  // wasmi keeps references as long as the store.
  CHECK_INT(finalized, backend_is(fixture.engine, "wasmtime") ? 1 : 0);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
  CHECK_FAILS(!wasmrt_store_gc(NULL));
}

static wasm_trap_t* collect(void* env, const wasmrt_caller_t* caller,
                            const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  CHECK(wasmrt_store_gc(wasmrt_caller_store(caller)));
  wasm_val_copy(&results->data[0], &arguments->data[0]);
  CHECK(wasmrt_store_gc(wasmrt_caller_store(caller)));
  return NULL;
}

TEST(garbage_is_collected_in_a_callback) {
  fixture_t fixture = fixture_new();
  wasm_func_t* func = with_caller(fixture.store, "e", "e", collect, NULL);
  wasm_extern_t* import = wasm_func_as_extern(func);
  fixture_load(&fixture,
               "(module (import \"m\" \"f\" (func $f (param externref) (result externref)))"
               "  (func (export \"f\") (param externref) (result externref)"
               "    (call $f (call $f (local.get 0)))))",
               &import, 1);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(foreign)), result;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
  CHECK(wasm_ref_same(result.of.ref, wasm_foreign_as_ref(foreign)));
  wasm_val_delete(&result);
  wasm_foreign_delete(foreign);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

// An instance whose start function trapped is not forgotten by the engine: its function is in the
// table that it imports. It calls while another instance of its module starts, and is not taken for
// that one.
TEST(an_instance_that_failed_is_not_the_one_that_starts) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"\" \"see\" (func $see)) (import \"\" \"table\" (table 2 funcref))"
      "  (import \"\" \"slot\" (global $slot i32))"
      "  (global (export \"own\") (mut i32) (i32.const 0))"
      "  (func $f (call $see))"
      "  (elem (global.get $slot) $f)"
      "  (func $start (global.set 1 (i32.add (global.get $slot) (i32.const 40)))"
      "    (if (i32.eqz (global.get $slot)) (then unreachable))"
      "    (call_indirect (i32.const 0)) (call $f))"
      "  (start $start))");
  seen_t seen = {.store = fixture.store};
  wasm_func_t* func = with_caller(fixture.store, "", "", see, &seen);
  wasm_tabletype_t* table_type =
      wasm_tabletype_new(wasm_valtype_new_funcref(), &(wasm_limits_t){2, 2});
  wasm_table_t* table = wasm_table_new(fixture.store, table_type, NULL);
  wasm_tabletype_delete(table_type);
  for (int slot = 0; slot < 2; slot++) {
    wasm_globaltype_t* type = wasm_globaltype_new(wasm_valtype_new_i32(), WASM_CONST);
    wasm_val_t value = I32(slot);
    wasm_global_t* global = wasm_global_new(fixture.store, type, &value);
    wasm_globaltype_delete(type);
    wasm_extern_t* imports[] = {wasm_func_as_extern(func), wasm_table_as_extern(table),
                                wasm_global_as_extern(global)};
    wasm_extern_vec_t import_vec = WASM_ARRAY_VEC(imports);
    wasm_trap_t* trap = NULL;
    wasm_instance_t* instance = wasm_instance_new(fixture.store, module, &import_vec, &trap);
    if (slot == 0) {
      CHECK(!instance);
      CHECK_TRAP(trap, "unreachable");
    } else {
      CHECK_NO_TRAP(trap);
      REQUIRE(instance && seen.calls == 2);
      CHECK(!seen.instances[0] || !wasm_instance_same(seen.instances[0], instance));
      // Its own call is its own, unless the engine cannot tell it from the one that failed.
      CHECK(!seen.instances[1] || wasm_instance_same(seen.instances[1], instance));
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      wasm_val_t own;
      wasm_global_get(wasm_extern_as_global(exports.data[0]), &own);
      CHECK_INT(own.of.i32, 41);
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
    }
    wasm_global_delete(global);
  }
  seen_delete(&seen);
  wasm_table_delete(table);
  wasm_func_delete(func);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
