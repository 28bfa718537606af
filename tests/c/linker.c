// Linking by name.
#include "test.h"

// A text as the two arguments that the functions take.
#define S(text) (text), strlen(text)

static wasm_trap_t* add_env(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  results->data[0] = I32(arguments->data[0].of.i32 + *(int32_t*)env);
  return NULL;
}

static bool define_adder(wasmrt_linker_t* linker, const char* module, const char* name,
                         int32_t* addend) {
  wasm_functype_t* type = functype("i", "i");
  bool defined = wasmrt_linker_define_func(linker, S(module), S(name), type, add_env, addend, NULL);
  wasm_functype_delete(type);
  return defined;
}

static wasmrt_linker_t* linker_new(wasm_store_t* store) {
  wasmrt_linker_t* linker = wasmrt_linker_new(store);
  REQUIRE(linker);
  return linker;
}

// Instantiates a module that has to fail, and checks that the last error is of linking.
static void check_unlinked(const wasmrt_linker_t* linker, const wasm_module_t* module,
                           const char* part) {
  wasm_trap_t* trap;
  GARBAGE(trap);
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_linker_instantiate(linker, module, &trap));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  CHECK_CONTAINS(wasmrt_last_error_message(), part);
  CHECK_TRAP_CONTAINS(trap, part);
}

static int32_t call_export(const wasm_instance_t* instance, const char* name, int32_t argument) {
  wasm_extern_t* export = wasmrt_instance_export(instance, S(name));
  REQUIRE(export);
  int32_t result = call_i32_i32(wasm_extern_as_func(export), argument);
  wasm_extern_delete(export);
  return result;
}

TEST(imports_are_found_by_name_in_any_order) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  int32_t ten = 10, hundred = 100;
  CHECK(define_adder(linker, "host", "hundred", &hundred));
  CHECK(define_adder(linker, "host", "ten", &ten));
  CHECK(define_adder(linker, "", "", &hundred));
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"host\" \"ten\" (func $ten (param i32) (result i32)))"
                      "  (import \"\" \"\" (func (param i32) (result i32)))"
                      "  (import \"host\" \"hundred\" (func $hundred (param i32) (result i32)))"
                      "  (func (export \"f\") (param i32) (result i32) (call $hundred (call $ten "
                      "(local.get 0)))))");
  wasm_trap_t* trap;
  GARBAGE(trap);
  wasm_instance_t* instance = wasmrt_linker_instantiate(linker, module, &trap);
  REQUIRE(instance);
  CHECK_NULL(trap);
  CHECK_INT(call_export(instance, "f", 1), 111);
  wasm_instance_delete(instance);
  // With NULL for the trap.
  instance = wasmrt_linker_instantiate(linker, module, NULL);
  CHECK_INT(call_export(instance, "f", 2), 112);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

TEST(exports_of_an_instance_are_the_same_objects) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param i32) (result i32) (local.get 0))"
      "  (memory (export \"m\") 1) (global (export \"g\") i32 (i32.const 5))"
      "  (table (export \"t\") 1 funcref))");
  wasmrt_linker_t* linker = linker_new(fixture.store);
  CHECK(wasmrt_linker_define_instance(linker, S("lib"), fixture.instance));
  const char* names[4] = {"f", "m", "g", "t"};
  for (size_t i = 0; i < 4; i++) {
    wasm_extern_t* defined = wasmrt_linker_get(linker, S("lib"), S(names[i]));
    CHECK(wasm_extern_same(defined, fixture.exports.data[i]));
    wasm_extern_delete(defined);
  }
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"lib\" \"m\" (memory 1)) (import \"lib\" \"t\" (table 1 funcref))"
      "  (import \"lib\" \"g\" (global i32)) (import \"lib\" \"f\" (func (param i32) (result i32)))"
      "  (export \"f\" (func 0)))");
  wasm_instance_t* instance = wasmrt_linker_instantiate(linker, module, NULL);
  CHECK_INT(call_export(instance, "f", 7), 7);
  // The linker keeps what it has when all else is deleted.
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  fixture_delete(&fixture);
  wasm_extern_t* defined = wasmrt_linker_get(linker, S("lib"), S("f"));
  CHECK_INT(call_i32_i32(wasm_extern_as_func(defined), 3), 3);
  wasm_extern_delete(defined);
  wasmrt_linker_delete(linker);
}

TEST(what_is_not_defined_is_reported_at_once_with_similar_names) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  int32_t one = 1;
  CHECK(define_adder(linker, "env", "increment", &one));
  CHECK(define_adder(linker, "other", "log", &one));
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"env\" \"incremant\" (func (param i32) (result i32)))"
                      "  (import \"env\" \"increment\" (func (param i64)))"
                      "  (import \"env\" \"log\" (func (param i32) (result i32)))"
                      "  (import \"env\" \"xyzzy\" (memory 1)))");
  check_unlinked(linker, module, "did you mean \"env\" \"increment\"?");
  check_unlinked(linker, module, "did you mean \"other\" \"log\"?");
  check_unlinked(
      linker, module,
      "import 2 \"env\" \"increment\": expected a function (i64) -> (): a function (i32) ->");
  check_unlinked(linker, module,
                 "import 4 \"env\" \"xyzzy\": expected a memory, 1 or more pages: it is not");
  CHECK_FAILS(wasmrt_linker_prepare(linker, module) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

TEST(shadowing) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  int32_t one = 1, two = 2;
  size_t finalized = 0;
  wasm_functype_t* type = functype("i", "i");
  CHECK(wasmrt_linker_define_func(linker, S("m"), S("f"), type, add_env, &one, NULL));
  CHECK_FAILS(!wasmrt_linker_define_func(linker, S("m"), S("f"), type, add_env, &finalized,
                                         count_finalizer));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "\"m\" \"f\" is defined already");
  // What was not taken over is released.
  CHECK_INT(finalized, 1);
  CHECK(wasmrt_linker_set_shadowing(linker, true));
  CHECK(wasmrt_linker_define_func(linker, S("m"), S("f"), type, add_env, &two, NULL));
  wasm_extern_t* defined = wasmrt_linker_get(linker, S("m"), S("f"));
  CHECK_INT(call_i32_i32(wasm_extern_as_func(defined), 5), 7);
  CHECK(wasmrt_linker_set_shadowing(linker, false));
  CHECK_FAILS(!wasmrt_linker_define(linker, S("m"), S("f"), defined));
  wasm_extern_delete(defined);
  wasm_functype_delete(type);

  // An instance is defined as a whole or not at all.
  fixture_load(&fixture, "(module (func (export \"a\")) (func (export \"f\")))", NULL, 0);
  CHECK_FAILS(!wasmrt_linker_define_instance(linker, S("m"), fixture.instance));
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_linker_get(linker, S("m"), S("a")));
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

TEST(aliases) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  int32_t one = 1;
  CHECK(define_adder(linker, "m", "f", &one));
  CHECK(wasmrt_linker_alias(linker, S("m"), S("f"), S("n"), S("g")));
  wasm_extern_t* one_name = wasmrt_linker_get(linker, S("m"), S("f"));
  wasm_extern_t* other_name = wasmrt_linker_get(linker, S("n"), S("g"));
  CHECK(one_name && wasm_extern_same(one_name, other_name));
  wasm_extern_delete(one_name);
  wasm_extern_delete(other_name);
  CHECK_FAILS(!wasmrt_linker_alias(linker, S("m"), S("f"), S("n"), S("g")));
  CHECK_FAILS(!wasmrt_linker_alias(linker, S("m"), S("F"), S("n"), S("h")));
  CHECK_CONTAINS(wasmrt_last_error_message(), "\"m\" \"F\" is not defined");
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

TEST(linkers_ask_the_next_one) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t *own = linker_new(fixture.store), *shared = linker_new(fixture.store),
                  *last = linker_new(fixture.store);
  int32_t one = 1, two = 2, three = 3;
  CHECK(define_adder(own, "m", "f", &one));
  CHECK(define_adder(shared, "m", "f", &two));
  CHECK(define_adder(last, "m", "g", &three));
  CHECK(wasmrt_linker_set_next(own, shared));
  CHECK(wasmrt_linker_set_next(shared, last));
  CHECK_FAILS(!wasmrt_linker_set_next(last, own));
  CHECK_CONTAINS(wasmrt_last_error_message(), "circle");
  CHECK_FAILS(!wasmrt_linker_set_next(own, own));
  // Those in between are kept.
  wasmrt_linker_delete(shared);
  wasmrt_linker_delete(last);
  wasm_extern_t* f = wasmrt_linker_get(own, S("m"), S("f"));
  wasm_extern_t* g = wasmrt_linker_get(own, S("m"), S("g"));
  CHECK_INT(call_i32_i32(wasm_extern_as_func(f), 0), 1);
  CHECK_INT(call_i32_i32(wasm_extern_as_func(g), 0), 3);
  wasm_extern_delete(f);
  wasm_extern_delete(g);
  CHECK(wasmrt_linker_set_next(own, NULL));
  CHECK_NULL(wasmrt_linker_get(own, S("m"), S("g")));

  fixture_t other = fixture_new();
  wasmrt_linker_t* foreign = linker_new(other.store);
  CHECK_FAILS(!wasmrt_linker_set_next(own, foreign));
  wasmrt_linker_delete(foreign);
  fixture_delete(&other);
  wasmrt_linker_delete(own);
  fixture_delete(&fixture);
}

TEST(unknown_imports) {
  const char* text =
      "(module (import \"m\" \"f\" (func $f (param i32) (result i32)))"
      "  (func (export \"f\") (param i32) (result i32) (call $f (local.get 0))))";
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  wasm_module_t* functions = module_from_wat(fixture.store, text);
  wasm_module_t* all = module_from_wat(
      fixture.store,
      "(module (import \"m\" \"f\" (func $f (result i64 externref))) (import \"m\" \"g\" (global "
      "i32))"
      "  (import \"m\" \"t\" (table 2 externref)) (import \"m\" \"n\" (memory 2 3))"
      "  (func (export \"f\") (param i32) (result i32) (local $n i64) (local $r externref)"
      "    (call $f) (local.set $r) (local.set $n)"
      "    (i32.add (i32.add (i32.wrap_i64 (local.get $n)) (ref.is_null (local.get $r)))"
      "      (i32.add (i32.add (memory.size) (table.size 0)) (i32.add (global.get 0) (local.get "
      "0))))))");
  check_unlinked(linker, functions, "it is not defined");
  CHECK_FAILS(!wasmrt_linker_set_unknown(linker, 3));
  CHECK_CONTAINS(wasmrt_last_error_message(), "3 is not a value of wasmrt_unknown_imports_enum");
  CHECK(wasmrt_linker_set_unknown(linker, WASMRT_UNKNOWN_IMPORTS_TRAP));
  wasm_instance_t* instance = wasmrt_linker_instantiate(linker, functions, NULL);
  REQUIRE(instance);
  wasm_extern_t* f = wasmrt_instance_export(instance, S("f"));
  wasm_val_t argument = I32(1), result;
  CHECK_TRAP_CONTAINS(call(wasm_extern_as_func(f), &argument, 1, &result, 1),
                      "the import \"m\" \"f\" is not defined");
  wasm_extern_delete(f);
  wasm_instance_delete(instance);
  check_unlinked(linker, all,
                 "import 2 \"m\" \"g\": expected a constant global i32: it is not defined");

  CHECK(wasmrt_linker_set_unknown(linker, WASMRT_UNKNOWN_IMPORTS_DEFAULT));
  instance = wasmrt_linker_instantiate(linker, functions, NULL);
  CHECK_INT(call_export(instance, "f", 9), 0);
  wasm_instance_delete(instance);
  instance = wasmrt_linker_instantiate(linker, all, NULL);
  REQUIRE(instance);
  CHECK_INT(call_export(instance, "f", 9), 0 + 1 + 2 + 2 + 0 + 9);
  wasm_instance_delete(instance);
  wasm_module_delete(functions);
  wasm_module_delete(all);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

static wasm_trap_t* delete_all(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results);

// What a failed link would have made anew each time.
TEST(a_link_that_fails_makes_nothing) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  CHECK(wasmrt_linker_set_unknown(linker, WASMRT_UNKNOWN_IMPORTS_DEFAULT));
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"m\" \"t\" (table 1000 funcref)) (import \"m\" \"n\" (memory 3))"
      "  (import \"m\" \"v\" (global v128)) (import \"m\" \"f\" (func (param v128))))");
  check_unlinked(linker, module,
                 "import 3 \"m\" \"v\": expected a constant global v128: it is not defined");
  check_unlinked(linker, module,
                 "import 4 \"m\" \"f\": expected a function (v128) -> (): it is not defined");
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 0);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS), 0);
  wasm_module_delete(module);
  // Nor if there is no room for the instance, and within the limits of the store.
  module = module_from_wat(fixture.store, "(module (import \"m\" \"n\" (memory 3)))");
  REQUIRE(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 0));
  CHECK_FAILS(wasmrt_linker_instantiate(linker, module, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  CHECK_INT(usage_of(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES), 0);
  REQUIRE(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, WASMRT_UNLIMITED));
  REQUIRE(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 1 << 17));
  CHECK_FAILS(wasmrt_linker_instantiate(linker, module, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  CHECK_CONTAINS(wasmrt_last_error_message(), "import 1 \"m\" \"n\"");
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

static void delete_linker(void* place) {
  wasmrt_linker_t** linker = place;
  wasmrt_linker_delete(*linker);
  *linker = NULL;
}

TEST(a_definition_that_is_replaced_may_delete_the_linker) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"a\")) (func (export \"b\")) (func (export \"c\")))");
  wasmrt_linker_t* linker = linker_new(fixture.store);
  wasm_functype_t* type = functype("", "");
  CHECK(
      wasmrt_linker_define_func(linker, S("m"), S("b"), type, delete_all, &linker, delete_linker));
  CHECK(wasmrt_linker_set_shadowing(linker, true));
  CHECK(wasmrt_linker_define_instance(linker, S("m"), fixture.instance));
  CHECK_NULL(linker);
  linker = linker_new(fixture.store);
  CHECK(
      wasmrt_linker_define_func(linker, S("m"), S("b"), type, delete_all, &linker, delete_linker));
  CHECK(wasmrt_linker_set_shadowing(linker, true));
  CHECK(wasmrt_linker_define(linker, S("m"), S("b"), fixture.exports.data[0]));
  CHECK_NULL(linker);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

static void make_and_delete_stores(void* engine) {
  for (int i = 0; i < 40; i++) wasm_store_delete(wasm_store_new(engine));
}

// The last that keeps a store is a linker or a prepared instance: what they hold goes before it.
TEST(stores_outlive_what_is_linked) {
  for (int prepared = 0; prepared < 2; prepared++) {
    fixture_t fixture = fixture_new();
    wasmrt_linker_t* linker = linker_new(fixture.store);
    wasm_functype_t* type = functype("", "");
    CHECK(wasmrt_linker_define_func(linker, S("m"), S("f"), type, delete_all, fixture.engine,
                                    make_and_delete_stores));
    wasm_functype_delete(type);
    wasm_module_t* module = module_from_wat(fixture.store, "(module (import \"m\" \"f\" (func)))");
    wasmrt_instance_pre_t* pre = prepared ? wasmrt_linker_prepare(linker, module) : NULL;
    wasm_module_delete(module);
    wasm_store_delete(fixture.store);
    wasmrt_linker_delete(linker);
    wasmrt_instance_pre_delete(pre);
    wasm_engine_delete(fixture.engine);
  }
}

TEST(a_long_chain) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* first = linker_new(fixture.store);
  for (size_t i = repetitions(20000, 1000); i > 0; i--) {
    wasmrt_linker_t* linker = linker_new(fixture.store);
    REQUIRE(wasmrt_linker_set_next(linker, first));
    wasmrt_linker_delete(first);
    first = linker;
  }
  CHECK_NULL(wasmrt_linker_get(first, S("m"), S("f")));
  wasmrt_linker_delete(first);
  fixture_delete(&fixture);
}

TEST(prepared_instances) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  int32_t one = 1, two = 2;
  CHECK(define_adder(linker, "m", "f", &one));
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"m\" \"f\" (func $f (param i32) (result i32))) (global $n "
                      "(mut i32) (i32.const 0))"
                      "  (func (export \"f\") (param i32) (result i32)"
                      "    (global.set $n (i32.add (global.get $n) (i32.const 1)))"
                      "    (i32.add (global.get $n) (call $f (local.get 0)))))");
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  // Later definitions change nothing, and everything else may go.
  CHECK(wasmrt_linker_set_shadowing(linker, true));
  CHECK(define_adder(linker, "m", "f", &two));
  wasmrt_linker_delete(linker);
  wasm_module_delete(module);
  for (int i = 0; i < 3; i++) {
    wasm_trap_t* trap;
    GARBAGE(trap);
    wasm_instance_t* instance = wasmrt_instance_pre_instantiate(pre, &trap);
    REQUIRE(instance);
    CHECK_NULL(trap);
    CHECK_INT(call_export(instance, "f", 10), 12);
    CHECK_INT(call_export(instance, "f", 10), 13);
    wasm_instance_delete(instance);
  }
  fixture_delete(&fixture);
  wasm_instance_t* instance = wasmrt_instance_pre_instantiate(pre, NULL);
  CHECK_INT(call_export(instance, "f", 10), 12);
  wasm_instance_delete(instance);
  wasmrt_instance_pre_delete(pre);
}

TEST(prepared_imports_of_every_kind_stay_what_they_are) {
  fixture_t fixture = fixture_from_wat(
      "(module (memory (export \"n\") 1 9) (table (export \"t\") 2 9 funcref)"
      "  (global (export \"g\") (mut i32) (i32.const 5)) (func (export \"f\") (result i32)"
      "    (i32.const 6)))");
  wasmrt_linker_t* linker = linker_new(fixture.store);
  CHECK(wasmrt_linker_define_instance(linker, S("m"), fixture.instance));
  // The same name twice, for the same thing.
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (import \"m\" \"f\" (func $f (result i32))) (import \"m\" \"n\" (memory 1))"
      "  (import \"m\" \"g\" (global $g (mut i32))) (import \"m\" \"t\" (table 2 funcref))"
      "  (import \"m\" \"f\" (func $again (result i32)))"
      "  (export \"f\" (func $again)) (export \"n\" (memory 0)) (export \"g\" (global $g))"
      "  (export \"t\" (table 0)) (func (export \"sum\") (param i32) (result i32)"
      "    (i32.add (i32.add (call $f) (call $again)) (i32.add (memory.size) (global.get $g)))))");
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  for (int i = 0; i < 3; i++) {
    wasm_instance_t* instance = wasmrt_instance_pre_instantiate(pre, NULL);
    REQUIRE(instance);
    static const char* const names[4] = {"n", "t", "g", "f"};
    for (size_t export = 0; export < 4; export ++) {
      wasm_extern_t* found = wasmrt_instance_export(instance, S(names[export]));
      CHECK(wasm_extern_same(found, fixture.exports.data[export]));
      wasm_extern_delete(found);
    }
    CHECK_INT(call_export(instance, "sum", 0), 6 + 6 + 1 + i + 5);
    wasm_instance_delete(instance);
    // The memory that was prepared has another size than when it was.
    CHECK(wasm_memory_grow(fixture_memory(&fixture, 0), 1));
  }
  wasmrt_instance_pre_delete(pre);
  wasm_module_delete(module);
  // The same name twice, for different things.
  CHECK(wasmrt_linker_set_unknown(linker, WASMRT_UNKNOWN_IMPORTS_DEFAULT));
  module = module_from_wat(
      fixture.store,
      "(module (import \"m\" \"x\" (func $x (result i32))) (import \"m\" \"x\" (memory 3))"
      "  (import \"m\" \"x\" (func $y (result i64))) (func (export \"f\") (param i32) (result i32)"
      "    (i32.add (memory.size) (i32.add (call $x) (i32.wrap_i64 (call $y))))))");
  pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  wasm_instance_t* instance = wasmrt_instance_pre_instantiate(pre, NULL);
  REQUIRE(instance);
  CHECK_INT(call_export(instance, "f", 0), 3);
  wasm_instance_delete(instance);
  wasmrt_instance_pre_delete(pre);
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

TEST(prepared_instances_fail_as_others_do) {
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (memory 1) (start 0) (func unreachable))");
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linker, module);
  REQUIRE(pre);
  wasm_trap_t* trap;
  GARBAGE(trap);
  CHECK_NULL(wasmrt_instance_pre_instantiate(pre, &trap));
  CHECK_TRAP(trap, "unreachable");
  REQUIRE(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_INSTANCES, 1));
  CHECK_FAILS(wasmrt_instance_pre_instantiate(pre, NULL) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LIMIT);
  wasmrt_instance_pre_delete(pre);
  wasm_module_delete(module);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

// A start function that calls back, and deletes the linker and the module that it is started from.
static struct {
  wasmrt_linker_t* linker;
  wasm_module_t* module;
  wasmrt_instance_pre_t* pre;
} to_delete;

static wasm_trap_t* delete_all(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  wasmrt_linker_delete(to_delete.linker);
  wasm_module_delete(to_delete.module);
  wasmrt_instance_pre_delete(to_delete.pre);
  memset(&to_delete, 0, sizeof to_delete);
  return NULL;
}

TEST(a_start_function_may_delete_what_it_is_made_from) {
  for (int prepared = 0; prepared < 2; prepared++) {
    fixture_t fixture = fixture_new();
    to_delete.linker = linker_new(fixture.store);
    wasm_functype_t* type = functype("", "");
    CHECK(
        wasmrt_linker_define_func(to_delete.linker, S("m"), S("f"), type, delete_all, NULL, NULL));
    wasm_functype_delete(type);
    to_delete.module =
        module_from_wat(fixture.store,
                        "(module (import \"m\" \"f\" (func $f)) (start $f)"
                        "  (func (export \"g\") (param i32) (result i32) (local.get 0)))");
    wasm_instance_t* instance;
    if (prepared) {
      to_delete.pre = wasmrt_linker_prepare(to_delete.linker, to_delete.module);
      instance = wasmrt_instance_pre_instantiate(to_delete.pre, NULL);
    } else {
      instance = wasmrt_linker_instantiate(to_delete.linker, to_delete.module, NULL);
    }
    REQUIRE(instance);
    CHECK_INT(call_export(instance, "g", 4), 4);
    wasm_instance_delete(instance);
    fixture_delete(&fixture);
  }
}

TEST(objects_of_another_store_and_bad_names) {
  fixture_t fixture = fixture_new(), other = fixture_from_wat("(module (func (export \"f\")))");
  wasmrt_linker_t* linker = linker_new(fixture.store);
  CHECK_FAILS(!wasmrt_linker_define(linker, S("m"), S("f"), other.exports.data[0]));
  CHECK_CONTAINS(wasmrt_last_error_message(), "another store");
  CHECK_FAILS(!wasmrt_linker_define_instance(linker, S("m"), other.instance));
  wasm_module_t* module = module_from_wat(other.store, "(module)");
  wasm_trap_t* trap;
  CHECK_FAILS(wasmrt_linker_instantiate(linker, module, &trap) == NULL);
  CHECK_TRAP_CONTAINS(trap, "engine");
  wasm_module_delete(module);
  fixture_delete(&other);
  wasm_func_t* func = host_func(fixture.store, "", "", delete_all, NULL);
  wasm_extern_t* defined = wasm_func_as_extern(func);
  CHECK_FAILS(!wasmrt_linker_define(linker, "\xff", 1, S("f"), defined));
  CHECK_CONTAINS(wasmrt_last_error_message(), "UTF-8");
  CHECK_FAILS(!wasmrt_linker_define(linker, S("m"), "\xc3", 1, defined));
  // Zeros are part of a name.
  CHECK(wasmrt_linker_define(linker, "a\0b", 3, S("f"), defined));
  CHECK_NULL(wasmrt_linker_get(linker, "a", 1, S("f")));
  wasm_extern_t* found = wasmrt_linker_get(linker, "a\0b", 3, S("f"));
  CHECK(wasm_extern_same(found, defined));
  wasm_extern_delete(found);
  wasm_func_delete(func);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}

// Each missing name is compared with all definitions: that has to end soon for as many as a module
// of this size can have.
TEST(many_missing_imports_of_a_module) {
  enum { IMPORTS = 20000, DEFINED = 20000 };
  fixture_t fixture = fixture_new();
  wasmrt_linker_t* linker = linker_new(fixture.store);
  wasm_func_t* func = host_func(fixture.store, "", "", delete_all, NULL);
  char name[32];
  for (int i = 0; i < DEFINED; i++) {
    snprintf(name, sizeof name, "definition_%d", i);
    REQUIRE(wasmrt_linker_define(linker, S("env"), S(name), wasm_func_as_extern(func)));
  }
  char* text = malloc(IMPORTS * 64);
  REQUIRE(text);
  size_t length = (size_t)sprintf(text, "(module");
  for (int i = 0; i < IMPORTS; i++)
    length += (size_t)sprintf(text + length, "(import \"env\" \"defination_%d\" (func))", i);
  strcpy(text + length, ")");
  wasm_module_t* module = module_from_wat(fixture.store, text);
  free(text);
  check_unlinked(linker, module, "import 20000 \"env\" \"defination_19999\"");
  wasm_module_delete(module);
  wasm_func_delete(func);
  wasmrt_linker_delete(linker);
  fixture_delete(&fixture);
}
