// Tags, and exceptions thrown and caught across the host.
#include "configured.h"

static bool has_exceptions(const wasm_engine_t* engine) {
  return wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(engine),
                                          WASMRT_PROPOSAL_EXCEPTIONS);
}

static wasm_extern_t* new_tag(wasm_store_t* store, const char* values) {
  wasm_tagtype_t* type = wasm_tagtype_new(functype(values, ""));
  REQUIRE(type);
  wasm_extern_t* tag = wasmrt_tag_new(store, type);
  wasm_tagtype_delete(type);
  return tag;
}

// Checks that a trap is an exception of one i32. Takes ownership of the trap.
static void check_exception(wasm_trap_t* trap, const wasm_extern_t* tag, int32_t value) {
  REQUIRE(trap);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_UNCAUGHT_EXCEPTION);
  wasm_extern_t* found = wasmrt_trap_exception_tag(trap);
  CHECK_PTR(found, tag);
  wasm_extern_delete(found);
  wasm_val_vec_t values;
  CHECK(wasmrt_trap_exception_values(trap, &values));
  CHECK_INT(values.size, 1);
  CHECK_INT(values.data[0].kind, WASM_I32);
  CHECK_INT(values.data[0].of.i32, value);
  wasm_val_vec_delete(&values);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_UNCAUGHT_EXCEPTION);
}

TEST(a_backend_without_exceptions_refuses) {
  fixture_t fixture = fixture_new();
  if (!has_exceptions(fixture.engine)) {
    CHECK_FAILS_WITH(!new_tag(fixture.store, "i"), WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), "exceptions");
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_engine_backend_name(fixture.engine));
  }
  fixture_delete(&fixture);
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_EXCEPTIONS, false));
  fixture = fixture_from_config(config);
  CHECK_FAILS_WITH(!new_tag(fixture.store, "i"), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), "exceptions");
  fixture_delete(&fixture);
}

TEST(a_guest_throws) {
  fixture_t fixture = fixture_new();
  if (has_exceptions(fixture.engine)) {
    fixture_load(&fixture,
                 "(module (tag $e (export \"e\") (param i32)) (tag $other (param i32))"
                 "  (func (export \"throw\") (param i32) (throw $e (local.get 0)))"
                 "  (func (export \"other\") (param i32) (throw $other (local.get 0))))",
                 NULL, 0);
    const wasm_extern_t* tag = fixture.exports.data[0];
    CHECK_INT(wasm_extern_kind(tag), WASM_EXTERN_TAG);
    wasm_val_t value = WASM_I32_VAL(-7);
    check_exception(call(fixture_func(&fixture, 1), &value, 1, NULL, 0), tag, -7);
    // A tag that nobody exports has an object as well, the same each time.
    wasm_extern_t* tags[2];
    for (size_t i = 0; i < 2; i++) {
      wasm_trap_t* trap = call(fixture_func(&fixture, 2), &value, 1, NULL, 0);
      REQUIRE(trap);
      tags[i] = wasmrt_trap_exception_tag(trap);
      REQUIRE(tags[i]);
      wasm_externtype_t* type = wasm_extern_type(tags[i]);
      CHECK(functype_is(wasm_tagtype_functype(wasm_externtype_as_tagtype(type)), "i", ""));
      wasm_externtype_delete(type);
      wasm_trap_delete(trap);
    }
    CHECK_PTR(tags[0], tags[1]);
    CHECK(tags[0] != tag);
    wasm_extern_delete(tags[0]);
    wasm_extern_delete(tags[1]);
  }
  fixture_delete(&fixture);
}

// Before anybody has asked for the export, and while the module is instantiated.
TEST(a_start_function_throws) {
  fixture_t fixture = fixture_new();
  if (has_exceptions(fixture.engine)) {
    wasm_extern_t* tag = new_tag(fixture.store, "i");
    REQUIRE(tag);
    wasm_module_t* module =
        module_from_wat(fixture.store,
                        "(module (import \"\" \"\" (tag $e (param i32)))"
                        "  (func $start (throw $e (i32.const 5))) (start $start))");
    wasm_extern_vec_t imports = {1, &tag};
    wasm_trap_t* trap = NULL;
    CHECK_NULL(wasm_instance_new(fixture.store, module, &imports, &trap));
    check_exception(trap, tag, 5);
    wasm_module_delete(module);
    wasm_extern_delete(tag);
  }
  fixture_delete(&fixture);
}

static const char* catcher =
    "(module (import \"\" \"tag\" (tag $e (param i32)))"
    "  (import \"\" \"host\" (func $host (param i32) (result i32)))"
    "  (func (export \"catch\") (param i32) (result i32)"
    "    (block $caught (result i32)"
    "      (try_table (result i32) (catch $e $caught) (call $host (local.get 0)))"
    "      (return)) (i32.add (i32.const 1000)))"
    "  (func (export \"catch_all\") (param i32) (result i32)"
    "    (block $caught"
    "      (try_table (result i32) (catch_all $caught) (call $host (local.get 0)))"
    "      (return)) (i32.const -1))"
    "  (func (export \"pass\") (param i32) (result i32) (call $host (local.get 0)))"
    "  (export \"host\" (func $host)))";

enum { CATCH, CATCH_ALL, PASS, HOST };

typedef struct {
  wasm_store_t* store;
  wasm_extern_t* tag;
} thrower_t;

static wasm_trap_t* throw_or_return(thrower_t* thrower, int32_t argument, int32_t* result) {
  *result = argument;
  if (argument == 0) return new_trap(thrower->store, "no exception");
  if (argument < 0) return NULL;
  wasm_val_t value = WASM_I32_VAL(argument);
  wasm_val_vec_t values = {1, &value};
  wasm_trap_t* exception = wasmrt_exception_new(thrower->store, thrower->tag, &values);
  REQUIRE(exception);
  CHECK_INT(wasmrt_trap_code(exception), WASMRT_TRAP_UNCAUGHT_EXCEPTION);
  return exception;
}

static wasm_trap_t* plain_host(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  results->data[0].kind = WASM_I32;
  return throw_or_return(env, args->data[0].of.i32, &results->data[0].of.i32);
}

static wasm_trap_t* unchecked_host(void* env, wasmrt_raw_t* values) {
  return throw_or_return(env, values[0].i32, &values[0].i32);
}

static wasm_trap_t* host_with_caller(void* env, const wasmrt_caller_t* caller,
                                     const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  CHECK(wasmrt_caller_instance(caller) != NULL);
  return plain_host(env, args, results);
}

static void check_thrown_by_host(config_switch_t option) {
  for (int kind = 0; kind < 3; kind++) {
    fixture_t fixture = fixture_with(option, NULL, NULL);
    if (!has_exceptions(fixture.engine)) {
      fixture_delete(&fixture);
      return;
    }
    if (option == wasmrt_config_set_fuel) CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
    thrower_t thrower = {fixture.store, new_tag(fixture.store, "i")};
    REQUIRE(thrower.tag);
    wasm_functype_t* type = functype("i", "i");
    wasm_func_t* host =
        kind == 0 ? wasm_func_new_with_env(fixture.store, type, plain_host, &thrower, NULL)
        : kind == 1
            ? wasmrt_func_new_unchecked(fixture.store, type, unchecked_host, &thrower, NULL)
            : wasmrt_func_new_with_caller(fixture.store, type, host_with_caller, &thrower, NULL);
    REQUIRE(host);
    wasm_functype_delete(type);
    wasm_extern_t* imports[] = {thrower.tag, wasm_func_as_extern(host)};
    fixture_load(&fixture, catcher, imports, 2);
    for (int round = 0; round < 3; round++) {
      CHECK_INT(call_i32_i32(fixture_func(&fixture, CATCH), 5), 1005);
      CHECK_INT(call_i32_i32(fixture_func(&fixture, CATCH), -5), -5);
      CHECK_INT(call_i32_i32(fixture_func(&fixture, CATCH_ALL), 5), -1);
      // A trap is no exception.
      wasm_val_t argument = WASM_I32_VAL(0), result;
      CHECK_TRAP(call(fixture_func(&fixture, CATCH_ALL), &argument, 1, &result, 1), "no exception");
      argument.of.i32 = 8;
      check_exception(call(fixture_func(&fixture, PASS), &argument, 1, &result, 1), thrower.tag, 8);
      // Nobody between the host and itself.
      if (kind != 2) check_exception(call(host, &argument, 1, &result, 1), thrower.tag, 8);
      CHECK_INT(call_i32_i32(fixture_func(&fixture, PASS), -8), -8);
    }
    wasm_func_delete(host);
    wasm_extern_delete(thrower.tag);
    fixture_delete(&fixture);
  }
}

TEST(a_host_throws) {
  check_thrown_by_host(NULL);
}

TEST(a_host_throws_with_fuel) {
  check_thrown_by_host(wasmrt_config_set_fuel);
}

TEST(a_host_throws_with_interruption) {
  check_thrown_by_host(wasmrt_config_set_interruption);
}

static wasm_trap_t* call_inner(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  return wasm_func_call(env, args, results);
}

// An exception of an inner guest passes through the host to an outer one.
TEST(an_exception_passes_through_the_host) {
  fixture_t inner = fixture_new();
  if (has_exceptions(inner.engine)) {
    fixture_load(&inner,
                 "(module (tag $e (export \"e\") (param i32))"
                 "  (func (export \"throw\") (param i32) (result i32) (throw $e (local.get 0))))",
                 NULL, 0);
    wasm_func_t* host = host_func(inner.store, "i", "i", call_inner, fixture_func(&inner, 1));
    wasm_extern_t* imports[] = {inner.exports.data[0], wasm_func_as_extern(host)};
    wasm_module_t* module = module_from_wat(inner.store, catcher);
    wasm_instance_t* instance = instantiate(inner.store, module, imports, 2);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[CATCH]), 9), 1009);
    CHECK_INT(call_i32_i32(wasm_extern_as_func(exports.data[CATCH_ALL]), 9), -1);
    wasm_val_t argument = WASM_I32_VAL(9), result;
    check_exception(call(wasm_extern_as_func(exports.data[PASS]), &argument, 1, &result, 1),
                    inner.exports.data[0], 9);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
  }
  fixture_delete(&inner);
}

static wasm_trap_t* throw_this(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)args;
  (void)results;
  return wasm_trap_copy(env);
}

TEST(values_of_every_kind) {
  fixture_t fixture = fixture_new();
  if (has_exceptions(fixture.engine)) {
    size_t finalized = 0;
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_functype_t* type = functype("", "");
    wasm_valtype_t* kinds[] = {wasm_valtype_new(WASM_I32),       wasm_valtype_new(WASM_I64),
                               wasm_valtype_new(WASM_F32),       wasm_valtype_new(WASM_F64),
                               wasm_valtype_new(WASM_EXTERNREF), wasm_valtype_new(WASM_FUNCREF)};
    wasm_valtype_vec_t params, results = WASM_EMPTY_VEC;
    wasm_valtype_vec_new(&params, 6, kinds);
    wasm_tagtype_t* tag_type = wasm_tagtype_new(wasm_functype_new(&params, &results));
    wasm_extern_t* tag = wasmrt_tag_new(fixture.store, tag_type);
    REQUIRE(tag);
    wasm_tagtype_delete(tag_type);
    wasm_val_t data[] = {WASM_I32_VAL(-1),
                         WASM_I64_VAL(INT64_MIN),
                         WASM_F32_VAL(1.5F),
                         WASM_F64_VAL(-2.5),
                         WASM_REF_VAL(wasm_foreign_as_ref(foreign)),
                         WASM_REF_VAL(NULL)};
    data[5].kind = WASM_FUNCREF;
    wasm_val_vec_t values = WASM_ARRAY_VEC(data), found;
    wasm_trap_t* exception = wasmrt_exception_new(fixture.store, tag, &values);
    REQUIRE(exception);
    wasm_foreign_delete(foreign);
    // The exception keeps what it carries.
    CHECK_INT(finalized, 0);
    wasm_func_t* host = wasm_func_new_with_env(fixture.store, type, throw_this, exception, NULL);
    wasm_functype_delete(type);
    wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
    fixture_load(&fixture,
                 "(module (import \"\" \"\" (func $host)) (func (export \"\") (call $host)))",
                 imports, 1);
    wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
    REQUIRE(trap);
    CHECK(wasmrt_trap_exception_values(trap, &found));
    CHECK_INT(found.size, 6);
    CHECK_INT(found.data[0].of.i32, -1);
    CHECK(found.data[1].of.i64 == INT64_MIN);
    CHECK(found.data[2].of.f32 == 1.5F);
    CHECK(found.data[3].of.f64 == -2.5);
    CHECK_INT(found.data[4].kind, WASM_EXTERNREF);
    CHECK_PTR(wasm_ref_get_host_info(found.data[4].of.ref), &finalized);
    CHECK_INT(found.data[5].kind, WASM_FUNCREF);
    CHECK_NULL(found.data[5].of.ref);
    wasm_val_vec_delete(&found);
    CHECK_INT(finalized, 0);
    wasm_trap_delete(trap);
    wasm_trap_delete(exception);
    CHECK(wasmrt_store_gc(fixture.store));
    CHECK_INT(finalized, 1);
    wasm_func_delete(host);
    wasm_extern_delete(tag);
  }
  fixture_delete(&fixture);
}

TEST(values_that_cannot_be_carried) {
  fixture_t fixture = fixture_new();
  if (has_exceptions(fixture.engine)) {
    fixture_load(&fixture,
                 "(module (tag $e (export \"e\") (param i32 v128 externref))"
                 "  (func (export \"throw\") (throw $e (i32.const 1) (v128.const i64x2 1 2)"
                 "    (ref.null extern))))",
                 NULL, 0);
    wasm_trap_t* trap = call_plain(fixture_func(&fixture, 1));
    REQUIRE(trap);
    wasm_extern_t* tag = wasmrt_trap_exception_tag(trap);
    CHECK_PTR(tag, fixture.exports.data[0]);
    wasm_val_vec_t values = {77, NULL};
    CHECK_FAILS_WITH(!wasmrt_trap_exception_values(trap, &values), WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), "v128");
    CHECK_INT(values.size, 77);
    // It cannot be thrown again, and remains a trap.
    wasm_functype_t* type = functype("", "");
    wasm_func_t* host = wasm_func_new_with_env(fixture.store, type, throw_this, trap, NULL);
    wasm_functype_delete(type);
    wasm_module_t* module = module_from_wat(
        fixture.store,
        "(module (import \"\" \"\" (func $host))"
        "  (func (export \"\") (block $b (try_table (catch_all $b) (call $host)))))");
    wasm_extern_t* imports[] = {wasm_func_as_extern(host)};
    wasm_instance_t* instance = instantiate(fixture.store, module, imports, 1);
    wasm_extern_t* func = wasmrt_instance_export_at(instance, 0);
    CHECK_TRAP_CODE(call_plain(wasm_extern_as_func(func)), WASMRT_TRAP_UNCAUGHT_EXCEPTION);
    wasm_extern_delete(func);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
    wasm_extern_delete(tag);
    wasm_trap_delete(trap);
    wasm_tagtype_t* tag_type = wasm_tagtype_new(functype("", "i"));
    CHECK_FAILS_WITH(!wasmrt_tag_new(fixture.store, tag_type), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "results");
    wasm_tagtype_delete(tag_type);
  }
  fixture_delete(&fixture);
}

TEST(what_does_not_fit) {
  fixture_t fixture = fixture_from_wat("(module (memory (export \"\") 1))");
  wasm_val_t data[] = {WASM_I32_VAL(1), WASM_I64_VAL(2)};
  wasm_val_vec_t one = {1, data}, two = {2, data}, wide = {1, data + 1};
  wasm_extern_t* memory = fixture.exports.data[0];
  CHECK_FAILS_WITH(!wasmrt_exception_new(fixture.store, memory, &one), WASMRT_ERROR_MISUSE);
  CHECK_CONTAINS(wasmrt_last_error_message(), "memory");
  CHECK_FAILS(!wasmrt_exception_new(fixture.store, NULL, &one));
  CHECK_FAILS(!wasmrt_tag_new(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_trap_exception_tag(NULL));
  CHECK_FAILS(!wasmrt_trap_exception_values(NULL, &one));
  // Other traps are no exceptions, which is no error.
  wasm_trap_t* trap = new_trap(fixture.store, "a trap");
  wasmrt_last_error_clear();
  CHECK_NULL(wasmrt_trap_exception_tag(trap));
  CHECK(!wasmrt_trap_exception_values(trap, &one));
  CHECK_NULL(wasmrt_last_error_message());
  CHECK_FAILS(!wasmrt_trap_exception_values(trap, NULL));
  CHECK_INT(one.size, 1);
  wasm_trap_delete(trap);
  if (has_exceptions(fixture.engine)) {
    wasm_extern_t* tag = new_tag(fixture.store, "i");
    REQUIRE(tag);
    CHECK_FAILS(!wasmrt_exception_new(NULL, tag, &one));
    CHECK_FAILS_WITH(!wasmrt_exception_new(fixture.store, tag, NULL), WASMRT_ERROR_MISUSE);
    CHECK_FAILS_WITH(!wasmrt_exception_new(fixture.store, tag, &two), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "1 values, not 2");
    CHECK_FAILS_WITH(!wasmrt_exception_new(fixture.store, tag, &wide), WASMRT_ERROR_MISUSE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "i64");
    wasm_store_t* other = wasm_store_new(fixture.engine);
    CHECK_FAILS(!wasmrt_exception_new(other, tag, &one));
    // An exception of another store is a trap like any.
    wasm_extern_t* theirs = new_tag(other, "i");
    wasm_trap_t* foreign = wasmrt_exception_new(other, theirs, &one);
    REQUIRE(foreign);
    wasm_functype_t* type = functype("i", "i");
    wasm_func_t* host = wasm_func_new_with_env(fixture.store, type, throw_this, foreign, NULL);
    wasm_functype_delete(type);
    wasm_extern_t* imports[] = {tag, wasm_func_as_extern(host)};
    wasm_module_t* module = module_from_wat(fixture.store, catcher);
    wasm_instance_t* instance = instantiate(fixture.store, module, imports, 2);
    wasm_extern_t* catch_all = wasmrt_instance_export_at(instance, CATCH_ALL);
    wasm_val_t result;
    trap = call(wasm_extern_as_func(catch_all), data, 1, &result, 1);
    CHECK_PTR(trap, foreign);
    wasm_trap_delete(trap);
    wasm_extern_delete(catch_all);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_func_delete(host);
    wasm_extern_delete(theirs);
    wasm_store_delete(other);
    wasm_trap_delete(foreign);
    wasm_extern_delete(tag);
  }
  fixture_delete(&fixture);
}

// A trap keeps its store, and what its exception carries.
TEST(the_trap_is_last) {
  fixture_t fixture = fixture_new();
  if (!has_exceptions(fixture.engine)) {
    fixture_delete(&fixture);
    return;
  }
  fixture_load(&fixture,
               "(module (tag $e (param externref))"
               "  (func (export \"\") (param externref) (throw $e (local.get 0))))",
               NULL, 0);
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t argument = WASM_REF_VAL(wasm_foreign_as_ref(foreign));
  wasm_trap_t* trap = call(fixture_func(&fixture, 0), &argument, 1, NULL, 0);
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
  wasm_val_vec_t values;
  CHECK(wasmrt_trap_exception_values(trap, &values));
  CHECK_PTR(wasm_ref_get_host_info(values.data[0].of.ref), &finalized);
  wasm_trap_delete(trap);
  CHECK_INT(finalized, 0);
  wasm_val_vec_delete(&values);
  CHECK_INT(finalized, 1);
}
