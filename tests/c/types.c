// Type objects: value, function, global, table, memory, tag, extern, import and export types.
#include "test.h"

static const uint32_t unlimited = 0xffffffff;

// ------------------------------------------------------------------------------------------------
// Value types

TEST(valtype_new_constants) {
  CHECK_INT(WASM_I32, 0);
  CHECK_INT(WASM_I64, 1);
  CHECK_INT(WASM_F32, 2);
  CHECK_INT(WASM_F64, 3);
  CHECK_INT(WASMRT_V128, 4);
  CHECK_INT(WASM_EXTERNREF, 128);
  CHECK_INT(WASM_FUNCREF, 129);
  const wasm_valkind_t kinds[9] = {WASM_I32,     WASM_I64,      WASM_F32,
                                   WASM_F64,     WASMRT_V128,   WASM_EXTERNREF,
                                   WASM_FUNCREF, WASMRT_ANYREF, WASMRT_EXNREF};
  for (size_t i = 0; i < 9; i++) {
    wasm_valtype_t* type = wasm_valtype_new(kinds[i]);
    REQUIRE(type);
    CHECK_INT(wasm_valtype_kind(type), kinds[i]);
    wasm_valtype_t* copy = wasm_valtype_copy(type);
    wasm_valtype_delete(type);
    CHECK_INT(wasm_valtype_kind(copy), kinds[i]);
    wasm_valtype_delete(copy);
  }
}

// Programs that use the names of older headers compile, even as cases of a switch.
TEST(names_of_older_headers) {
  CHECK_INT(WASM_ANYREF, 128);
  wasm_valtype_t* type = wasm_valtype_new_anyref();
  bool found = false;
  switch (wasm_valtype_kind(type)) {
    case WASM_ANYREF: found = true; break;
    case WASM_FUNCREF: break;
    default: break;
  }
  CHECK(found);
  CHECK(wasm_valtype_is_ref(type));
  wasm_valtype_delete(type);
  wasm_name_t name;
  wasm_name_new_new_uninitialized(&name, 3);
  CHECK_INT(name.size, 3);
  wasm_name_delete(&name);
}

TEST(bad_kinds) {
  size_t accepted = 0;
  for (unsigned kind = 0; kind < 256; kind++) {
    wasmrt_last_error_clear();
    wasm_valtype_t* type = wasm_valtype_new((wasm_valkind_t)kind);
    if (type) {
      accepted++;
      CHECK_INT(wasm_valtype_kind(type), kind);
    } else {
      CHECK(wasmrt_last_error_message() != NULL);
    }
    wasm_valtype_delete(type);
  }
  CHECK_INT(accepted, 9);
  CHECK_FAILS(wasm_valtype_new(77) == NULL);
}

TEST(valtype_shorthands) {
  wasm_valtype_t* types[6] = {wasm_valtype_new_i32(),       wasm_valtype_new_i64(),
                              wasm_valtype_new_f32(),       wasm_valtype_new_f64(),
                              wasm_valtype_new_externref(), wasm_valtype_new_funcref()};
  const wasm_valkind_t kinds[6] = {WASM_I32, WASM_I64,       WASM_F32,
                                   WASM_F64, WASM_EXTERNREF, WASM_FUNCREF};
  for (size_t i = 0; i < 6; i++) {
    REQUIRE(types[i]);
    CHECK_INT(wasm_valtype_kind(types[i]), kinds[i]);
    CHECK_INT(wasm_valtype_is_num(types[i]), i < 4);
    CHECK_INT(wasm_valtype_is_ref(types[i]), i >= 4);
    CHECK_INT(wasm_valkind_is_num(kinds[i]), i < 4);
    CHECK_INT(wasm_valkind_is_ref(kinds[i]), i >= 4);
    wasm_valtype_delete(types[i]);
  }
}

// ------------------------------------------------------------------------------------------------
// Function types

TEST(functype_new) {
  wasm_functype_t* type = functype("iIfFer", "reFfIi");
  REQUIRE(type);
  CHECK(functype_is(type, "iIfFer", "reFfIi"));
  wasm_functype_t* copy = wasm_functype_copy(type);
  wasm_functype_delete(type);
  CHECK(functype_is(copy, "iIfFer", "reFfIi"));
  wasm_functype_delete(copy);
}

TEST(functype_shorthands) {
#define I wasm_valtype_new_i32()
#define L wasm_valtype_new_i64()
#define F wasm_valtype_new_f32()
#define R wasm_valtype_new_externref()
  const struct {
    wasm_functype_t* type;
    const char *parameters, *results;
  } shorthands[] = {
      {wasm_functype_new_0_0(), "", ""},
      {wasm_functype_new_1_0(I), "i", ""},
      {wasm_functype_new_2_0(I, L), "iI", ""},
      {wasm_functype_new_3_0(I, L, F), "iIf", ""},
      {wasm_functype_new_0_1(R), "", "e"},
      {wasm_functype_new_1_1(I, R), "i", "e"},
      {wasm_functype_new_2_1(I, L, R), "iI", "e"},
      {wasm_functype_new_3_1(I, L, F, R), "iIf", "e"},
      {wasm_functype_new_0_2(R, I), "", "ei"},
      {wasm_functype_new_1_2(I, R, I), "i", "ei"},
      {wasm_functype_new_2_2(I, L, R, I), "iI", "ei"},
      {wasm_functype_new_3_2(I, L, F, R, I), "iIf", "ei"},
  };
#undef I
#undef L
#undef F
#undef R
  for (size_t i = 0; i < sizeof(shorthands) / sizeof(*shorthands); i++) {
    REQUIRE(shorthands[i].type);
    CHECK(functype_is(shorthands[i].type, shorthands[i].parameters, shorthands[i].results));
    wasm_functype_delete(shorthands[i].type);
  }
}

TEST(moved_from_vectors_are_left_empty) {
  wasm_valtype_vec_t parameters = valtypes_from_letters("if");
  wasm_valtype_vec_t results = valtypes_from_letters("r");
  wasm_functype_t* type = wasm_functype_new(&parameters, &results);
  CHECK_INT(parameters.size, 0);
  CHECK_NULL(parameters.data);
  CHECK_INT(results.size, 0);
  CHECK_NULL(results.data);
  wasm_valtype_vec_delete(&parameters); // harmless
  wasm_valtype_vec_delete(&results);
  CHECK(functype_is(type, "if", "r"));
  wasm_functype_delete(type);

  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "m");
  wasm_name_new_from_string(&name, "n");
  wasm_importtype_t* import =
      wasm_importtype_new(&module, &name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
  CHECK_INT(module.size, 0);
  CHECK_NULL(module.data);
  CHECK_INT(name.size, 0);
  CHECK_NULL(name.data);
  wasm_name_delete(&module);
  wasm_name_delete(&name);
  wasm_importtype_delete(import);

  wasm_name_new_from_string(&name, "n");
  wasm_exporttype_t* export =
      wasm_exporttype_new(&name, wasm_functype_as_externtype(wasm_functype_new_0_0()));
  CHECK_INT(name.size, 0);
  CHECK_NULL(name.data);
  wasm_name_delete(&name);
  wasm_exporttype_delete(export);
}

TEST(functype_null_vector_means_empty) {
  wasm_functype_t* type = wasm_functype_new(NULL, NULL);
  REQUIRE(type);
  CHECK(functype_is(type, "", ""));
  wasm_functype_delete(type);
  wasm_valtype_vec_t some = valtypes_from_letters("iF");
  type = wasm_functype_new(&some, NULL);
  CHECK(functype_is(type, "iF", ""));
  wasm_functype_delete(type);
  some = valtypes_from_letters("iF");
  type = wasm_functype_new(NULL, &some);
  CHECK(functype_is(type, "", "iF"));
  wasm_functype_delete(type);
}

TEST(functype_null_element) {
  wasm_valtype_vec_t parameters, results;
  wasm_valtype_vec_new_uninitialized(&parameters, 2);
  parameters.data[0] = wasm_valtype_new_i32();
  results = valtypes_from_letters("i");
  CHECK_FAILS(wasm_functype_new(&parameters, &results) == NULL);
  CHECK_NULL(parameters.data); // consumed nevertheless
  CHECK_NULL(results.data);
}

TEST(functype_of_many) {
  for (size_t count = 0; count <= 1000; count += 125) {
    wasm_valtype_vec_t parameters, results;
    wasm_valtype_vec_new_uninitialized(&parameters, count);
    wasm_valtype_vec_new_uninitialized(&results, count);
    for (size_t i = 0; i < count; i++) {
      parameters.data[i] = wasm_valtype_new((wasm_valkind_t)(i % 4));
      results.data[i] = wasm_valtype_new((wasm_valkind_t)((i + 1) % 4));
    }
    wasm_functype_t* type = wasm_functype_new(&parameters, &results);
    REQUIRE(type);
    CHECK_INT(wasm_functype_params(type)->size, count);
    CHECK_INT(wasm_functype_results(type)->size, count);
    size_t right = 0;
    for (size_t i = 0; i < count; i++) {
      right += wasm_valtype_kind(wasm_functype_params(type)->data[i]) == i % 4;
      right += wasm_valtype_kind(wasm_functype_results(type)->data[i]) == (i + 1) % 4;
    }
    CHECK_INT(right, 2 * count);
    wasm_functype_delete(type);
  }
}

// ------------------------------------------------------------------------------------------------
// Global, table, memory and tag types

TEST(globaltype_new) {
  const wasm_valkind_t kinds[6] = {WASM_I32, WASM_I64,       WASM_F32,
                                   WASM_F64, WASM_EXTERNREF, WASM_FUNCREF};
  for (size_t i = 0; i < 12; i++) {
    wasm_mutability_t mutability = i < 6 ? WASM_CONST : WASM_VAR;
    wasm_globaltype_t* type = globaltype(kinds[i % 6], mutability);
    REQUIRE(type);
    wasm_globaltype_t* copy = wasm_globaltype_copy(type);
    wasm_globaltype_delete(type);
    CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(copy)), kinds[i % 6]);
    CHECK_INT(wasm_globaltype_mutability(copy), mutability);
    wasm_globaltype_delete(copy);
  }
}

TEST(bad_mutability) {
  CHECK_FAILS(globaltype(WASM_I32, 2) == NULL); // the value type is consumed
  CHECK_FAILS(globaltype(WASM_I32, 255) == NULL);
}

TEST(tabletype_new) {
  wasm_tabletype_t* type = tabletype(WASM_EXTERNREF, 0, unlimited);
  REQUIRE(type);
  CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(type)), WASM_EXTERNREF);
  CHECK_INT(wasm_tabletype_limits(type)->min, 0);
  CHECK_INT(wasm_tabletype_limits(type)->max, wasm_limits_max_default);
  wasm_tabletype_delete(type);
  type = tabletype(WASM_FUNCREF, 7, 7);
  REQUIRE(type);
  wasm_tabletype_t* copy = wasm_tabletype_copy(type);
  wasm_tabletype_delete(type);
  CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(copy)), WASM_FUNCREF);
  CHECK_INT(wasm_tabletype_limits(copy)->min, 7);
  CHECK_INT(wasm_tabletype_limits(copy)->max, 7);
  wasm_tabletype_delete(copy);
}

TEST(bad_limits) {
  CHECK_FAILS(tabletype(WASM_FUNCREF, 2, 1) == NULL);
  CHECK_FAILS(memorytype(2, 1) == NULL);
  CHECK_FAILS(memorytype(65537, unlimited) == NULL);
  CHECK_FAILS(memorytype(0, 65537) == NULL);
  CHECK_FAILS(memorytype(unlimited, unlimited) == NULL);
  CHECK_FAILS(wasm_tabletype_new(wasm_valtype_new_funcref(), NULL) == NULL);
  CHECK_FAILS(wasm_memorytype_new(NULL) == NULL);
}

TEST(tabletype_of_numbers) {
  CHECK_FAILS(tabletype(WASM_I32, 1, 2) == NULL);
  CHECK_FAILS(tabletype(WASM_F64, 1, 2) == NULL);
  CHECK_FAILS(tabletype(WASMRT_V128, 1, 2) == NULL);
}

TEST(memorytype_new) {
  const uint32_t limits[4][2] = {{0, unlimited}, {1, 1}, {0, 65536}, {65536, 65536}};
  for (size_t i = 0; i < 4; i++) {
    wasm_memorytype_t* type = memorytype(limits[i][0], limits[i][1]);
    REQUIRE(type);
    wasm_memorytype_t* copy = wasm_memorytype_copy(type);
    wasm_memorytype_delete(type);
    CHECK_INT(wasm_memorytype_limits(copy)->min, limits[i][0]);
    CHECK_INT(wasm_memorytype_limits(copy)->max, limits[i][1]);
    wasm_memorytype_delete(copy);
  }
}

TEST(tagtype_new) {
  wasm_tagtype_t* type = wasm_tagtype_new(functype("iF", ""));
  REQUIRE(type);
  wasm_tagtype_t* copy = wasm_tagtype_copy(type);
  wasm_tagtype_delete(type);
  CHECK(functype_is(wasm_tagtype_functype(copy), "iF", ""));
  wasm_tagtype_delete(copy);
}

// ------------------------------------------------------------------------------------------------
// Extern types: a view of any of the five

// The owner may be the view, as in wasm_importtype_new.
#define EXTERNTYPE_TEST(name, kind_constant, make)                                                 \
  TEST(externtype_of_##name##type) {                                                               \
    wasm_##name##type_t* type = make;                                                              \
    wasm_externtype_t* view = wasm_##name##type_as_externtype(type);                               \
    REQUIRE(view);                                                                                 \
    CHECK_INT(wasm_externtype_kind(view), kind_constant);                                          \
    CHECK_PTR(wasm_externtype_as_##name##type(view), type);                                        \
    CHECK_PTR(wasm_##name##type_as_externtype_const(type), view);                                  \
    CHECK_PTR(wasm_externtype_as_##name##type_const(view), type);                                  \
    CHECK((wasm_externtype_as_functype(view) != NULL) == (kind_constant == WASM_EXTERN_FUNC));     \
    CHECK((wasm_externtype_as_globaltype(view) != NULL) == (kind_constant == WASM_EXTERN_GLOBAL)); \
    CHECK((wasm_externtype_as_tabletype(view) != NULL) == (kind_constant == WASM_EXTERN_TABLE));   \
    CHECK((wasm_externtype_as_memorytype(view) != NULL) == (kind_constant == WASM_EXTERN_MEMORY)); \
    CHECK((wasm_externtype_as_tagtype(view) != NULL) == (kind_constant == WASM_EXTERN_TAG));       \
    CHECK((wasm_externtype_as_functype_const(view) != NULL) ==                                     \
          (kind_constant == WASM_EXTERN_FUNC));                                                    \
    CHECK((wasm_externtype_as_globaltype_const(view) != NULL) ==                                   \
          (kind_constant == WASM_EXTERN_GLOBAL));                                                  \
    CHECK((wasm_externtype_as_tabletype_const(view) != NULL) ==                                    \
          (kind_constant == WASM_EXTERN_TABLE));                                                   \
    CHECK((wasm_externtype_as_memorytype_const(view) != NULL) ==                                   \
          (kind_constant == WASM_EXTERN_MEMORY));                                                  \
    CHECK((wasm_externtype_as_tagtype_const(view) != NULL) == (kind_constant == WASM_EXTERN_TAG)); \
    wasm_externtype_t* copy = wasm_externtype_copy(view);                                          \
    wasm_externtype_delete(view);                                                                  \
    CHECK_INT(wasm_externtype_kind(copy), kind_constant);                                          \
    wasm_##name##type_t* inner = wasm_externtype_as_##name##type(copy);                            \
    CHECK(inner != NULL);                                                                          \
    wasm_##name##type_delete(inner); /* likewise the other way round */                            \
  }

EXTERNTYPE_TEST(func, WASM_EXTERN_FUNC, functype("i", "F"))
EXTERNTYPE_TEST(global, WASM_EXTERN_GLOBAL, globaltype(WASM_F32, WASM_VAR))
EXTERNTYPE_TEST(table, WASM_EXTERN_TABLE, tabletype(WASM_FUNCREF, 1, 2))
EXTERNTYPE_TEST(memory, WASM_EXTERN_MEMORY, memorytype(1, 2))
EXTERNTYPE_TEST(tag, WASM_EXTERN_TAG, wasm_tagtype_new(functype("i", "")))

TEST(externtype_kind_constants) {
  CHECK_INT(WASM_EXTERN_FUNC, 0);
  CHECK_INT(WASM_EXTERN_GLOBAL, 1);
  CHECK_INT(WASM_EXTERN_TABLE, 2);
  CHECK_INT(WASM_EXTERN_MEMORY, 3);
  CHECK_INT(WASM_EXTERN_TAG, 4);
}

// ------------------------------------------------------------------------------------------------
// Import and export types

static wasm_importtype_t* importtype(const char* module, size_t module_size, const char* name,
                                     size_t name_size) {
  wasm_name_t module_vec, name_vec;
  wasm_name_new(&module_vec, module_size, module);
  wasm_name_new(&name_vec, name_size, name);
  return wasm_importtype_new(&module_vec, &name_vec,
                             wasm_functype_as_externtype(functype("i", "")));
}

static wasm_exporttype_t* exporttype(const char* name, size_t size) {
  wasm_name_t name_vec;
  wasm_name_new(&name_vec, size, name);
  return wasm_exporttype_new(&name_vec, wasm_functype_as_externtype(functype("i", "")));
}

TEST(importtype_new) {
  wasm_importtype_t* type = importtype("env", 3, "log", 3);
  REQUIRE(type);
  wasm_importtype_t* copy = wasm_importtype_copy(type);
  wasm_importtype_delete(type);
  CHECK(name_is(wasm_importtype_module(copy), "env"));
  CHECK(name_is(wasm_importtype_name(copy), "log"));
  CHECK_STR(wasm_importtype_module(copy)->data, "env"); // the zero after the end
  CHECK_STR(wasm_importtype_name(copy)->data, "log");
  const wasm_externtype_t* extern_type = wasm_importtype_type(copy);
  CHECK(functype_is(wasm_externtype_as_functype_const(extern_type), "i", ""));
  wasm_importtype_delete(copy);
}

TEST(exporttype_new) {
  wasm_exporttype_t* type = exporttype("run", 3);
  REQUIRE(type);
  wasm_exporttype_t* copy = wasm_exporttype_copy(type);
  wasm_exporttype_delete(type);
  CHECK(name_is(wasm_exporttype_name(copy), "run"));
  CHECK_STR(wasm_exporttype_name(copy)->data, "run");
  const wasm_externtype_t* extern_type = wasm_exporttype_type(copy);
  CHECK(functype_is(wasm_externtype_as_functype_const(extern_type), "i", ""));
  wasm_exporttype_delete(copy);
}

TEST(name_given_with_its_final_zero) {
  wasm_importtype_t* import = importtype("env", 4, "log", 4);
  CHECK(name_is(wasm_importtype_module(import), "env"));
  CHECK(name_is(wasm_importtype_name(import), "log"));
  wasm_importtype_delete(import);
  wasm_exporttype_t* export = exporttype("run", 4);
  CHECK(name_is(wasm_exporttype_name(export), "run"));
  wasm_exporttype_delete(export);

  // Exactly one zero, and only the last byte.
  export = exporttype("run\0", 5);
  CHECK(bytes_are(wasm_exporttype_name(export), "run\0", 4));
  wasm_exporttype_delete(export);
  export = exporttype("r\0n", 3);
  CHECK(bytes_are(wasm_exporttype_name(export), "r\0n", 3));
  wasm_exporttype_delete(export);
  export = exporttype("", 1);
  CHECK_INT(wasm_exporttype_name(export)->size, 0);
  wasm_exporttype_delete(export);
  export = exporttype("", 0);
  CHECK_INT(wasm_exporttype_name(export)->size, 0);
  wasm_exporttype_delete(export);
}

TEST(names_that_are_not_utf8) {
  const char bytes[5] = {'a', (char)0xff, (char)0xc0, (char)0x80, 'b'};
  wasm_exporttype_t* export = exporttype(bytes, 5);
  REQUIRE(export);
  CHECK(bytes_are(wasm_exporttype_name(export), bytes, 5));
  wasm_exporttype_t* copy = wasm_exporttype_copy(export);
  wasm_exporttype_delete(export);
  CHECK(bytes_are(wasm_exporttype_name(copy), bytes, 5));
  wasm_exporttype_delete(copy);
  wasm_importtype_t* import = importtype(bytes, 5, bytes, 2);
  REQUIRE(import);
  CHECK(bytes_are(wasm_importtype_module(import), bytes, 5));
  CHECK(bytes_are(wasm_importtype_name(import), bytes, 2));
  wasm_importtype_delete(import);
}

TEST(importtype_and_exporttype_consume_also_when_they_fail) {
  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "m");
  wasm_name_new_from_string(&name, "n");
  CHECK_FAILS(wasm_importtype_new(&module, &name, NULL) == NULL);
  CHECK_NULL(module.data);
  CHECK_NULL(name.data);
  wasm_name_new_from_string(&name, "n");
  CHECK_FAILS(wasm_exporttype_new(&name, NULL) == NULL);
  CHECK_NULL(name.data);
}

TEST(importtype_null_name_means_empty) {
  wasm_importtype_t* import =
      wasm_importtype_new(NULL, NULL, wasm_memorytype_as_externtype(memorytype(1, 1)));
  REQUIRE(import);
  CHECK_INT(wasm_importtype_module(import)->size, 0);
  CHECK_INT(wasm_importtype_name(import)->size, 0);
  wasm_importtype_delete(import);
  wasm_exporttype_t* export =
      wasm_exporttype_new(NULL, wasm_memorytype_as_externtype(memorytype(1, 1)));
  REQUIRE(export);
  CHECK_INT(wasm_exporttype_name(export)->size, 0);
  wasm_exporttype_delete(export);
}
