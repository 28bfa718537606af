// Wasm and host functions, their types, and the rules for calling them.
#include "test.h"

static wasm_trap_t* copy_arguments(void* env, const wasm_val_vec_t* arguments,
                                   wasm_val_vec_t* results) {
  (void)env;
  for (size_t i = 0; i < results->size; i++) wasm_val_copy(&results->data[i], &arguments->data[i]);
  return NULL;
}

static wasm_trap_t* count_call(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  ++*(size_t*)env;
  return NULL;
}

static int32_t seen_by_plain_callback;

static wasm_trap_t* plain_callback(const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  seen_by_plain_callback = arguments->data[0].of.i32;
  results->data[0] = I32(arguments->data[0].of.i32 + 1);
  return NULL;
}

TEST(func_new) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("i", "i");
  wasm_func_t* func = wasm_func_new(fixture.store, type, plain_callback);
  wasm_functype_delete(type);
  REQUIRE(func);
  CHECK_INT(call_i32_i32(func, 41), 42);
  CHECK_INT(seen_by_plain_callback, 41);
  wasm_func_delete(func);
  fixture_delete(&fixture);
}

TEST(func_type) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param i32 f64 externref) (result i64 funcref)"
      "  (i64.const 0) (ref.null func)))");
  wasm_func_t* funcs[2] = {
      wasm_func_copy(fixture_func(&fixture, 0)),
      host_func(fixture.store, "iFe", "Ir", copy_arguments, NULL),
  };
  for (size_t i = 0; i < 2; i++) {
    wasm_functype_t* type = wasm_func_type(funcs[i]);
    REQUIRE(type);
    CHECK_INT(wasm_func_param_arity(funcs[i]), 3);
    CHECK_INT(wasm_func_result_arity(funcs[i]), 2);
    wasm_func_delete(funcs[i]);
    CHECK(functype_is(type, "iFe", "Ir"));
    wasm_functype_delete(type);
  }
  fixture_delete(&fixture);
}

TEST(func_copy_and_same) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (result i32) (i32.const 1))"
      "  (func (export \"g\") (result i32) (i32.const 1)))");
  wasm_func_t* copy = wasm_func_copy(fixture_func(&fixture, 0));
  CHECK(wasm_func_same(copy, fixture_func(&fixture, 0)));
  CHECK(!wasm_func_same(copy, fixture_func(&fixture, 1)));
  fixture_delete(&fixture);
  CHECK_INT(call_i32(copy), 1);
  wasm_func_delete(copy);
}

// Where a vector has no values, its address means nothing.
TEST(empty_vectors_at_any_address) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  for (int shift = 0; shift < 8; ++shift) {
    wasm_val_vec_t odd = {0, (wasm_val_t*)(uintptr_t)(0x1000 + shift)}, other = odd;
    CHECK_NO_TRAP(wasm_func_call(fixture_func(&fixture, 0), &odd, &other));
    CHECK_INT(odd.size, 0);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Arguments and results of every number and kind

static const char kind_letters[] = "iIfFer";

static wasm_val_t nth_value(size_t index, wasm_ref_t* func, wasm_ref_t* foreign) {
  switch (kind_letters[index % 6]) {
    case 'i': return I32((int32_t)(index * 3 - 7));
    case 'I': return I64(INT64_MIN + (int64_t)index);
    case 'f': return F32((float)index + 0.5f);
    case 'F': return F64(-1.0 / (double)(index + 1));
    case 'e': return EXTERNREF(index % 4 ? foreign : NULL);
    default: return FUNCREF(index % 4 ? func : NULL);
  }
}

static bool same_value(const wasm_val_t* actual, const wasm_val_t* expected) {
  if (actual->kind != expected->kind) return false;
  switch (actual->kind) {
    case WASM_I32: return actual->of.i32 == expected->of.i32;
    case WASM_I64: return actual->of.i64 == expected->of.i64;
    case WASM_F32: return actual->of.f32 == expected->of.f32;
    case WASM_F64: return actual->of.f64 == expected->of.f64;
    default: return wasm_ref_same(actual->of.ref, expected->of.ref);
  }
}

static const char* wat_kind(size_t index) {
  const char* names[6] = {"i32", "i64", "f32", "f64", "externref", "funcref"};
  return names[index % 6];
}

// A module that imports a function of count parameters and results, and exports one that calls it.
static char* echo_wat(size_t count) {
  size_t capacity = 1000 + count * 60, length = 0;
  char* wat = malloc(capacity);
  REQUIRE(wat);
#define APPEND(...) length += (size_t)snprintf(wat + length, capacity - length, __VA_ARGS__)
  APPEND("(module (type $t (func");
  for (size_t i = 0; i < count; i++) APPEND(" (param %s)", wat_kind(i));
  for (size_t i = 0; i < count; i++) APPEND(" (result %s)", wat_kind(i));
  APPEND(")) (import \"\" \"\" (func $h (type $t))) (func (export \"f\") (type $t)");
  for (size_t i = 0; i < count; i++) APPEND(" local.get %zu", i);
  APPEND(" call $h) (func (export \"g\") (type $t)");
  for (size_t i = 0; i < count; i++) APPEND(" local.get %zu", i);
  APPEND(") (export \"h\" (func $h)))");
#undef APPEND
  REQUIRE(length < capacity);
  return wat;
}

static void check_echo(const wasm_func_t* func, const wasm_val_t* values, size_t count) {
  enum { MOST = 1000 };
  wasm_val_t results[MOST];
  GARBAGE(results); // never read or released before it is written
  CHECK_INT(wasm_func_param_arity(func), count);
  CHECK_INT(wasm_func_result_arity(func), count);
  if (!CHECK_NO_TRAP(call(func, values, count, results, count))) return;
  size_t right = 0;
  for (size_t i = 0; i < count; i++) {
    right += same_value(&results[i], &values[i]);
    wasm_val_delete(&results[i]);
  }
  CHECK_INT(right, count);
}

static void check_count(size_t count) {
  enum { MOST = 1000 };
  fixture_t fixture = fixture_new();
  char letters[MOST + 1] = "";
  for (size_t i = 0; i < count; i++) letters[i] = kind_letters[i % 6];
  wasm_func_t* host = host_func(fixture.store, letters, letters, copy_arguments, NULL);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_val_t values[MOST];
  for (size_t i = 0; i < count; i++) {
    values[i] = nth_value(i, wasm_func_as_ref(host), wasm_foreign_as_ref(foreign));
  }
  char* wat = echo_wat(count);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, wat, imports, 1);
  free(wat);
  check_echo(fixture_func(&fixture, 0), values, count); // C, wasm, host
  check_echo(fixture_func(&fixture, 1), values, count); // C, wasm
  check_echo(fixture_func(&fixture, 2), values, count); // the host function from the exports
  check_echo(host, values, count);                      // C, host
  wasm_foreign_delete(foreign);
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

TEST(results_storage_may_be_uninitialised_for_any_number_of_values) {
  size_t step = repetitions(1, 8);
  for (size_t count = 0; count <= 40; count += step) check_count(count);
}

TEST(a_thousand_arguments_and_results) {
  check_count(repetitions(1000, 200));
}

// ------------------------------------------------------------------------------------------------
// The results vector

static const char* three_results =
    "(module (func (export \"f\") (param externref) (result i32 externref i64)"
    "  (i32.const 1) (local.get 0) (i64.const 3))"
    "  (func (export \"trap\") (result i32) unreachable))";

TEST(results_vector_too_small_or_empty) {
  fixture_t fixture = fixture_from_wat(three_results);
  size_t finalized = 0;
  for (size_t room = 0; room <= 3; room++) {
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(foreign));
    wasm_val_t results[3], untouched;
    GARBAGE(results);
    GARBAGE(untouched);
    CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, results, room));
    if (room > 0) CHECK(results[0].kind == WASM_I32 && results[0].of.i32 == 1);
    if (room > 1) CHECK(wasm_ref_same(results[1].of.ref, argument.of.ref));
    if (room > 2) CHECK(results[2].kind == WASM_I64 && results[2].of.i64 == 3);
    for (size_t i = room; i < 3; i++)
      CHECK(memcmp(&results[i], &untouched, sizeof(untouched)) == 0);
    for (size_t i = 0; i < room; i++) wasm_val_delete(&results[i]);
    wasm_foreign_delete(foreign);
  }
  // No vector at all is an empty one.
  wasm_val_t null = EXTERNREF(NULL);
  wasm_val_vec_t arguments = {1, &null};
  CHECK_NO_TRAP(wasm_func_call(fixture_func(&fixture, 0), &arguments, NULL));
  CHECK_TRAP(call(fixture_func(&fixture, 1), NULL, 0, NULL, 0), "unreachable");
  fixture_delete(&fixture);
  CHECK_INT(finalized, 4); // what was dropped was released
}

static wasm_trap_t* write_and_trap(void* store, const wasm_val_vec_t* arguments,
                                   wasm_val_vec_t* results) {
  (void)arguments;
  results->data[0] = I32(7);
  return new_trap(store, "after writing");
}

TEST(results_are_written_only_on_success) {
  fixture_t fixture =
      fixture_from_wat("(module (func (export \"f\") (result i32) (i32.const 1) unreachable))");
  wasm_func_t* host = host_func(fixture.store, "", "i", write_and_trap, fixture.store);
  wasm_val_t result, untouched;
  GARBAGE(result);
  GARBAGE(untouched);
  CHECK_TRAP(call(fixture_func(&fixture, 0), NULL, 0, &result, 1), "unreachable");
  CHECK_TRAP(call(host, NULL, 0, &result, 1), "after writing");
  CHECK_REFUSED(call(host, &I32(1), 1, &result, 1));
  CHECK(memcmp(&result, &untouched, sizeof(result)) == 0);
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

TEST(results_vector_too_large) {
  fixture_t fixture = fixture_from_wat(three_results);
  wasm_val_t argument = EXTERNREF(NULL), results[6], untouched;
  GARBAGE(results);
  GARBAGE(untouched);
  CHECK_NO_TRAP(call(fixture_func(&fixture, 0), &argument, 1, results, 6));
  CHECK_INT(results[0].of.i32, 1);
  CHECK(results[1].kind == WASM_EXTERNREF && results[1].of.ref == NULL);
  CHECK_INT(results[2].of.i64, 3);
  for (size_t i = 3; i < 6; i++) CHECK(memcmp(&results[i], &untouched, sizeof(untouched)) == 0);
  fixture_delete(&fixture);
}

// The same two for a host function.
TEST(results_vector_of_another_size_for_a_host_function) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "iei", "iei", copy_arguments, NULL);
  size_t finalized = 0;
  for (size_t room = 0; room <= 5; room++) {
    wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
    wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
    wasm_val_t arguments[3] = {I32(1), EXTERNREF(wasm_foreign_as_ref(foreign)), I32(3)};
    wasm_val_t results[5], untouched;
    GARBAGE(results);
    GARBAGE(untouched);
    CHECK_NO_TRAP(call(host, arguments, 3, results, room));
    for (size_t i = 0; i < 5; i++) {
      if (i < room && i < 3) {
        CHECK(same_value(&results[i], &arguments[i]));
        wasm_val_delete(&results[i]);
      } else {
        CHECK(memcmp(&results[i], &untouched, sizeof(untouched)) == 0);
      }
    }
    wasm_foreign_delete(foreign);
    CHECK_INT(finalized, room + 1);
  }
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// A caller may reuse the storage of its arguments for the results.
TEST(arguments_and_results_in_the_same_memory) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "Ie", "Ie", copy_arguments, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (param i64 externref) (result i64 externref)))"
               "  (func (export \"f\") (param i64 externref) (result i64 externref)"
               "    (call $h (i64.add (local.get 0) (i64.const 1)) (local.get 1))))",
               imports, 1);
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t values[2] = {I64(1), EXTERNREF(wasm_foreign_as_ref(foreign))};
  const wasm_func_t* funcs[2] = {host, fixture_func(&fixture, 0)};
  for (size_t i = 0; i < 2; i++) {
    wasm_ref_t* given = values[1].of.ref;
    wasm_val_vec_t vec = WASM_ARRAY_VEC(values);
    CHECK_NO_TRAP(wasm_func_call(funcs[i], &vec, &vec));
    CHECK(wasm_ref_same(values[1].of.ref, given));
    wasm_ref_delete(given); // it still belongs to the caller; the result is another
  }
  CHECK_INT(values[0].of.i64, 2);
  CHECK_INT(finalized, 0);
  wasm_val_delete(&values[1]);
  wasm_func_delete(host);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

// ------------------------------------------------------------------------------------------------
// Wrong arguments

TEST(wrong_argument_count_or_kind) {
  fixture_t fixture = fixture_new();
  size_t calls = 0;
  wasm_func_t* host = host_func(fixture.store, "iF", "", count_call, &calls);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (param i32 f64)))"
               "  (func (export \"f\") (param i32 f64) (call $h (local.get 0) (local.get 1)))"
               "  (export \"h\" (func $h)))",
               imports, 1);
  const wasm_func_t* funcs[3] = {host, fixture_func(&fixture, 0), fixture_func(&fixture, 1)};
  const wasm_val_t right[3] = {I32(1), F64(2), I32(3)};
  const wasm_val_t wrong[][2] = {
      {F64(1), I32(2)}, {I64(1), F64(2)},          {I32(1), F32(2)},
      {I32(1), I64(2)}, {EXTERNREF(NULL), F64(2)}, {I32(1), FUNCREF(NULL)},
  };
  for (size_t i = 0; i < 3; i++) {
    calls = 0;
    CHECK_REFUSED(call(funcs[i], right, 0, NULL, 0));
    CHECK_REFUSED(call(funcs[i], right, 1, NULL, 0));
    CHECK_REFUSED(call(funcs[i], right, 3, NULL, 0));
    CHECK_REFUSED(wasm_func_call(funcs[i], NULL, NULL));
    for (size_t j = 0; j < sizeof(wrong) / sizeof(*wrong); j++) {
      CHECK_REFUSED(call(funcs[i], wrong[j], 2, NULL, 0));
    }
    wasm_val_t unknown[2] = {I32(1), F64(2)};
    unknown[1].kind = 77;
    CHECK_REFUSED(call(funcs[i], unknown, 2, NULL, 0));
    CHECK_INT(calls, 0); // nothing ran
    CHECK_NO_TRAP(call(funcs[i], right, 2, NULL, 0));
    CHECK_INT(calls, 1);
  }
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

TEST(wrong_reference_for_a_funcref) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param funcref) (result funcref) (local.get 0)))");
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_val_t argument = FUNCREF(wasm_foreign_as_ref(foreign)), result;
  CHECK_REFUSED(call(fixture_func(&fixture, 0), &argument, 1, &result, 1));
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
}

TEST(null_instead_of_a_vector_means_empty) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\")))");
  CHECK_NO_TRAP(wasm_func_call(fixture_func(&fixture, 0), NULL, NULL));
  size_t calls = 0;
  wasm_func_t* host = host_func(fixture.store, "", "", count_call, &calls);
  CHECK_NO_TRAP(wasm_func_call(host, NULL, NULL));
  CHECK_INT(calls, 1);
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// A wasm_val_t cannot hold a v128, so such a function cannot be called, only reflected.
TEST(functions_of_v128) {
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"p\") (param v128)) (func (export \"r\") (result v128)"
      "  (v128.const i64x2 1 2)))");
  wasm_val_t value;
  GARBAGE(value);
  value.kind = WASMRT_V128;
  CHECK_TRAP_CONTAINS(call(fixture_func(&fixture, 0), &value, 1, NULL, 0), "v128");
  wasm_val_t result;
  CHECK_TRAP_CONTAINS(call(fixture_func(&fixture, 1), NULL, 0, &result, 1), "v128");
  wasm_functype_t* type = wasm_func_type(fixture_func(&fixture, 0));
  CHECK_INT(wasm_valtype_kind(wasm_functype_params(type)->data[0]), WASMRT_V128);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The results that callbacks leave

static wasm_trap_t* leave_untouched(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  (void)arguments;
  const char* letters = env;
  CHECK_INT(results->size, strlen(letters));
  for (size_t i = 0; i < results->size; i++) {
    CHECK_INT(results->data[i].kind, kind_from_letter(letters[i]));
    if (letters[i] == 'e' || letters[i] == 'r') CHECK_NULL(results->data[i].of.ref);
  }
  return NULL;
}

TEST(callback_that_writes_nothing_returns_zero) {
  fixture_t fixture = fixture_new();
  char letters[] = "iIfFer";
  wasm_func_t* host = host_func(fixture.store, "", letters, leave_untouched, letters);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module"
               "  (import \"\" \"\" (func $h (result i32 i64 f32 f64 externref funcref)))"
               "  (func (export \"f\") (result i32 i64 f32 f64 externref funcref) (call $h)))",
               imports, 1);
  const wasm_func_t* funcs[2] = {host, fixture_func(&fixture, 0)};
  for (size_t i = 0; i < 2; i++) {
    wasm_val_t results[6];
    GARBAGE(results);
    CHECK_NO_TRAP(call(funcs[i], NULL, 0, results, 6));
    CHECK(results[0].kind == WASM_I32 && results[0].of.i32 == 0);
    CHECK(results[1].kind == WASM_I64 && results[1].of.i64 == 0);
    CHECK(results[2].kind == WASM_F32 && results[2].of.f32 == 0);
    CHECK(results[3].kind == WASM_F64 && results[3].of.f64 == 0);
    CHECK(results[4].kind == WASM_EXTERNREF && results[4].of.ref == NULL);
    CHECK(results[5].kind == WASM_FUNCREF && results[5].of.ref == NULL);
  }
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

static wasm_trap_t* leave_env_value(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  (void)arguments;
  wasm_val_copy(&results->data[0], env);
  return NULL;
}

TEST(callback_that_leaves_a_result_of_the_wrong_kind) {
  fixture_t fixture = fixture_new();
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  size_t finalized = 0;
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t unknown = I32(1);
  unknown.kind = 77;
  wasm_val_t values[] = {I32(1),          I64(2),
                         F32(3),          F64(4),
                         EXTERNREF(NULL), EXTERNREF(wasm_foreign_as_ref(foreign)),
                         FUNCREF(NULL),   FUNCREF(wasm_foreign_as_ref(foreign)),
                         unknown};
  const struct {
    const char *letter, *wat;
  } declared[] = {
      {"i",
       "(module (import \"\" \"\" (func $h (result i32))) (func (export \"f\")"
       "  (drop (call $h))))"},
      {"F",
       "(module (import \"\" \"\" (func $h (result f64))) (func (export \"f\")"
       "  (drop (call $h))))"},
      {"e",
       "(module (import \"\" \"\" (func $h (result externref))) (func (export \"f\")"
       "  (drop (call $h))))"},
      {"r",
       "(module (import \"\" \"\" (func $h (result funcref))) (func (export \"f\")"
       "  (drop (call $h))))"},
  };
  for (size_t i = 0; i < sizeof(declared) / sizeof(*declared); i++) {
    for (size_t j = 0; j < sizeof(values) / sizeof(*values); j++) {
      wasm_func_t* host =
          host_func(fixture.store, "", declared[i].letter, leave_env_value, &values[j]);
      wasm_module_t* module = module_from_wat(fixture.store, declared[i].wat);
      wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
      wasm_instance_t* instance = instantiate(fixture.store, module, imports, 1);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      // For references the object decides, not which of the two kinds the value names.
      wasm_valkind_t kind = kind_from_letter(declared[i].letter[0]);
      bool right = wasm_valkind_is_num(kind) || wasm_valkind_is_num(values[j].kind) ||
                           values[j].kind == unknown.kind
                       ? values[j].kind == kind
                       : kind == WASM_EXTERNREF || !values[j].of.ref;
      wasm_trap_t* traps[2] = {call_plain(wasm_extern_as_func(exports.data[0])), call_plain(host)};
      for (size_t k = 0; k < 2; k++) {
        if (right) {
          CHECK_NO_TRAP(traps[k]);
        } else {
          size_t failed_before = checks_failed;
          CHECK_TRAP_CONTAINS(traps[k], "result");
          if (checks_failed != failed_before) {
            fprintf(stderr, "    value %zu for a result of kind %s\n", j, declared[i].letter);
          }
        }
      }
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
      wasm_func_delete(host);
    }
  }
  wasm_foreign_delete(foreign);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1); // references left in the wrong place were released
}

static wasm_trap_t* leave_result_and_trap(void* env, const wasm_val_vec_t* arguments,
                                          wasm_val_vec_t* results) {
  wasm_val_copy(&results->data[0], &arguments->data[0]);
  return new_trap(env, "changed its mind");
}

TEST(callback_that_writes_results_and_traps) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "e", "e", leave_result_and_trap, fixture.store);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (param externref) (result externref)))"
               "  (func (export \"f\") (param externref) (result externref)"
               "    (call $h (local.get 0))))",
               imports, 1);
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(foreign)), result;
  GARBAGE(result);
  CHECK_TRAP(call(host, &argument, 1, &result, 1), "changed its mind");
  CHECK_TRAP(call(fixture_func(&fixture, 0), &argument, 1, &result, 1), "changed its mind");
  wasm_foreign_delete(foreign);
  wasm_func_delete(host);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

// What a callback may do with the results vector, apart from writing to its elements.
typedef enum replacement_t {
  WHOLE,              // its own vector
  SHORTER,            // with too few values
  LONGER,             // with too many
  EMPTIED,            // wasm_val_vec_delete
  FORGOTTEN,          // {0, NULL}
  WRITTEN_EMPTIED,    // after it wrote to the elements
  WRITTEN_REPLACED,   // likewise
  EMPTIED_REPLACED,   // as wasmer's Go package does
  REPLACED_AND_TRAPS, // nobody gets the values
  REPLACEMENTS,
} replacement_t;

typedef struct replacer_t {
  wasm_store_t* store;
  replacement_t how;
  const wasm_val_t* values;
  size_t count;
} replacer_t;

static void own_copies(wasm_val_vec_t* out, const wasm_val_t* values, size_t count) {
  wasm_val_vec_new_uninitialized(out, count);
  for (size_t i = 0; i < count; i++) wasm_val_copy(&out->data[i], &values[i]);
}

static wasm_trap_t* replace_results(void* env, const wasm_val_vec_t* arguments,
                                    wasm_val_vec_t* results) {
  (void)arguments;
  const replacer_t* replacer = env;
  replacement_t how = replacer->how;
  if (how == WRITTEN_EMPTIED || how == WRITTEN_REPLACED || how == EMPTIED_REPLACED) {
    for (size_t i = 0; i < results->size; i++)
      wasm_val_copy(&results->data[i], &replacer->values[i]);
  }
  if (how == EMPTIED || how == WRITTEN_EMPTIED || how == EMPTIED_REPLACED)
    wasm_val_vec_delete(results);
  if (how == FORGOTTEN) *results = (wasm_val_vec_t)WASM_EMPTY_VEC;
  if (how == EMPTIED || how == WRITTEN_EMPTIED || how == FORGOTTEN) {
    CHECK(results->size == 0 && results->data == NULL);
    return NULL;
  }
  size_t count = replacer->count - (how == SHORTER ? replacer->count / 2 : 0);
  own_copies(results, replacer->values, count);
  if (how == LONGER) {
    wasm_val_vec_t more;
    wasm_val_vec_new_uninitialized(&more, count + 2);
    for (size_t i = 0; i < count; i++) more.data[i] = results->data[i];
    wasm_val_t surplus = count > 0 ? replacer->values[count - 1] : I32(7);
    for (size_t i = count; i < more.size; i++) wasm_val_copy(&more.data[i], &surplus);
    for (size_t i = 0; i < count; i++) results->data[i] = I32(0);
    wasm_val_vec_delete(results);
    *results = more;
  }
  return how == REPLACED_AND_TRAPS ? new_trap(replacer->store, "changed its mind") : NULL;
}

static void check_replacements(const char* letters, const wasm_val_t* values, const char* wat) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0, count = strlen(letters);
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t given[32];
  for (size_t i = 0; i < count; i++)
    given[i] = letters[i] == 'e' ? EXTERNREF(wasm_foreign_as_ref(foreign)) : values[i];
  replacer_t replacer = {fixture.store, WHOLE, given, count};
  wasm_func_t* host = host_func(fixture.store, "", letters, replace_results, &replacer);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, wat, imports, 1);
  const wasm_func_t* funcs[2] = {host, fixture_func(&fixture, 0)};
  for (int how = 0; how < REPLACEMENTS; how++) {
    replacer.how = how;
    for (size_t i = 0; i < 2; i++) {
      wasm_val_t results[32];
      GARBAGE(results);
      wasm_trap_t* trap = call(funcs[i], NULL, 0, results, count);
      if (how == REPLACED_AND_TRAPS) {
        CHECK_TRAP(trap, "changed its mind");
        continue;
      }
      CHECK_NO_TRAP(trap);
      bool nothing = how == EMPTIED || how == FORGOTTEN || how == WRITTEN_EMPTIED;
      size_t there = nothing ? 0 : how == SHORTER ? count - count / 2 : count;
      for (size_t j = 0; j < count; j++) {
        CHECK_INT(results[j].kind, kind_from_letter(letters[j]));
        if (letters[j] == 'e') {
          CHECK_PTR(results[j].of.ref, j < there ? given[j].of.ref : NULL);
        } else if (letters[j] == 'i') {
          CHECK_INT(results[j].of.i32, j < there ? given[j].of.i32 : 0);
        } else {
          CHECK_INT(results[j].of.i64, j < there ? given[j].of.i64 : 0);
        }
        wasm_val_delete(&results[j]);
      }
    }
  }
  wasm_foreign_delete(foreign);
  wasm_func_delete(host);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

TEST(callback_that_replaces_the_vector_of_its_results) {
  wasm_val_t values[] = {I32(42), I64(-43)};
  check_replacements("i", values,
                     "(module (import \"\" \"\" (func $h (result i32)))"
                     "  (func (export \"f\") (result i32) (call $h)))");
  check_replacements("iI", values,
                     "(module (import \"\" \"\" (func $h (result i32 i64)))"
                     "  (func (export \"f\") (result i32 i64) (call $h)))");
  check_replacements("", values,
                     "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))");
}

TEST(callback_that_replaces_references) {
  wasm_val_t values[] = {I32(42), WASM_INIT_VAL, I64(7), WASM_INIT_VAL};
  check_replacements("ieIe", values,
                     "(module (import \"\" \"\" (func $h (result i32 externref i64 externref)))"
                     "  (func (export \"f\") (result i32 externref i64 externref) (call $h)))");
}

// More than there is room for on the stack.
TEST(callback_that_replaces_many_results) {
  wasm_val_t values[20];
  for (int i = 0; i < 20; i++) values[i] = I32(i + 100);
  check_replacements(
      "iiiiiiiiiiiiiiiiiiii", values,
      "(module (import \"\" \"\" (func $h (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"
      "    i32 i32 i32 i32 i32 i32 i32 i32)))"
      "  (func (export \"f\") (result i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32"
      "    i32 i32 i32 i32 i32 i32 i32 i32) (call $h)))");
}

// WASM_REF_VAL makes a value of kind externref, whatever it refers to; the declared kind comes out.
TEST(a_function_given_by_the_macro_for_references) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "r", "r", copy_arguments, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (param funcref) (result funcref)))"
               "  (func (export \"f\") (param funcref) (result funcref) (call $h (local.get 0))))",
               imports, 1);
  const wasm_func_t* funcs[2] = {host, fixture_func(&fixture, 0)};
  wasm_val_t arguments[2] = {WASM_REF_VAL(wasm_func_as_ref(host)), WASM_INIT_VAL};
  for (size_t i = 0; i < 2; i++) {
    for (size_t j = 0; j < 2; j++) {
      wasm_val_t result;
      GARBAGE(result);
      CHECK_NO_TRAP(call(funcs[i], &arguments[j], 1, &result, 1));
      CHECK_INT(result.kind, WASM_FUNCREF);
      CHECK(wasm_ref_same(result.of.ref, arguments[j].of.ref));
      wasm_val_delete(&result);
    }
  }
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The environment of a host function

TEST(env_finalizer_runs_once) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0;
  wasm_functype_t* type = functype("", "");
  wasm_func_t* func =
      wasm_func_new_with_env(fixture.store, type, count_call, &finalized, count_finalizer);
  wasm_functype_delete(type);
  wasm_func_t* copy = wasm_func_copy(func);
  wasm_func_delete(func);
  CHECK_INT(finalized, 0);
  wasm_func_delete(copy);
  fixture_delete(&fixture);
  CHECK_INT(finalized, 1);
}

// The caller passed ownership of the environment, and could not know when to take it back.
TEST(env_finalizer_runs_also_when_no_function_is_made) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("", "");
  size_t finalized = 0;
  CHECK_FAILS(wasm_func_new_with_env(NULL, type, count_call, &finalized, count_finalizer) == NULL);
  CHECK_INT(finalized, 1);
  CHECK_FAILS(
      wasm_func_new_with_env(fixture.store, NULL, count_call, &finalized, count_finalizer) == NULL);
  CHECK_INT(finalized, 2);
  CHECK_FAILS(wasm_func_new_with_env(fixture.store, type, NULL, &finalized, count_finalizer) ==
              NULL);
  CHECK_INT(finalized, 3);
  wasm_functype_delete(type);
  fixture_delete(&fixture);
}

TEST(env_lives_as_long_as_wasm_can_call_the_function) {
  fixture_t fixture = fixture_new();
  size_t uses = 0; // the calls, and one more by the finalizer
  wasm_functype_t* type = functype("", "");
  wasm_func_t* func =
      wasm_func_new_with_env(fixture.store, type, count_call, &uses, count_finalizer);
  wasm_functype_delete(type);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(func)};
  fixture_load(&fixture, "(module (import \"\" \"\" (func $h)) (func (export \"f\") (call $h)))",
               imports, 1);
  wasm_func_delete(func);
  for (size_t i = 1; i <= 10; i++) {
    CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
    CHECK_INT(uses, i);
  }
  fixture_delete(&fixture);
  CHECK_INT(uses, 11);
}

static size_t finalized_null_environments;

static void finalize_null(void* env) {
  CHECK_NULL(env);
  finalized_null_environments++;
}

TEST(env_may_be_null) {
  fixture_t fixture = fixture_new();
  wasm_functype_t* type = functype("i", "i");
  wasm_func_t* without = wasm_func_new_with_env(fixture.store, type, copy_arguments, NULL, NULL);
  wasm_func_t* with =
      wasm_func_new_with_env(fixture.store, type, copy_arguments, NULL, finalize_null);
  wasm_functype_delete(type);
  CHECK_INT(call_i32_i32(without, 5), 5);
  CHECK_INT(call_i32_i32(with, 6), 6);
  wasm_func_delete(without);
  wasm_func_delete(with);
  fixture_delete(&fixture);
  CHECK_INT(finalized_null_environments, 1);
}

TEST(env_finalizers_of_many_functions) {
  fixture_t fixture = fixture_new();
  size_t finalized = 0, count = repetitions(20000, 500);
  wasm_functype_t* type = functype("i", "i");
  for (size_t i = 0; i < count; i++) {
    wasm_func_delete(
        wasm_func_new_with_env(fixture.store, type, count_call, &finalized, count_finalizer));
  }
  wasm_functype_delete(type);
  fixture_delete(&fixture);
  CHECK_INT(finalized, count);
}

// More parameters than any engine accepts: an error, or a function that can be deleted.
TEST(func_new_of_too_many_parameters) {
  fixture_t fixture = fixture_new();
  const size_t counts[3] = {1001, 5000, 70000};
  for (size_t i = 0; i < 3; i++) {
    wasm_valtype_vec_t parameters;
    wasm_valtype_vec_new_uninitialized(&parameters, counts[i]);
    for (size_t j = 0; j < counts[i]; j++) parameters.data[j] = wasm_valtype_new_i32();
    wasmrt_last_error_clear();
    wasm_functype_t* type = wasm_functype_new(&parameters, NULL);
    if (!type) {
      CHECK(wasmrt_last_error_message() != NULL);
      continue;
    }
    size_t calls = 0;
    wasm_func_t* func = wasm_func_new_with_env(fixture.store, type, count_call, &calls, NULL);
    if (func) {
      CHECK_INT(wasm_func_param_arity(func), counts[i]);
    } else {
      CHECK(wasmrt_last_error_message() != NULL);
    }
    wasm_func_delete(func);
    wasm_functype_delete(type);
  }
  fixture_delete(&fixture);
}
