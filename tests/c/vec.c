// Vectors: the five functions of each of the 13 vector types.
#include "test.h"

// ------------------------------------------------------------------------------------------------
// Elements. The makers return an owned element; the testers say whether it is still in order.

static fixture_t fixture;

static wasm_valtype_t* make_valtype(void) {
  return wasm_valtype_new(WASM_F64);
}
static bool is_valtype(const wasm_valtype_t* type) {
  return wasm_valtype_kind(type) == WASM_F64;
}

static wasm_functype_t* make_functype(void) {
  return functype("iI", "F");
}
static bool is_functype(const wasm_functype_t* type) {
  return functype_is(type, "iI", "F");
}

static wasm_globaltype_t* make_globaltype(void) {
  return globaltype(WASM_I64, WASM_VAR);
}
static bool is_globaltype(const wasm_globaltype_t* type) {
  return wasm_valtype_kind(wasm_globaltype_content(type)) == WASM_I64 &&
         wasm_globaltype_mutability(type) == WASM_VAR;
}

static wasm_tabletype_t* make_tabletype(void) {
  return tabletype(WASM_FUNCREF, 3, 9);
}
static bool is_tabletype(const wasm_tabletype_t* type) {
  return wasm_tabletype_limits(type)->min == 3 && wasm_tabletype_limits(type)->max == 9;
}

static wasm_memorytype_t* make_memorytype(void) {
  return memorytype(2, 5);
}
static bool is_memorytype(const wasm_memorytype_t* type) {
  return wasm_memorytype_limits(type)->min == 2 && wasm_memorytype_limits(type)->max == 5;
}

static wasm_tagtype_t* make_tagtype(void) {
  return wasm_tagtype_new(functype("f", ""));
}
static bool is_tagtype(const wasm_tagtype_t* type) {
  return functype_is(wasm_tagtype_functype(type), "f", "");
}

static wasm_externtype_t* make_externtype(void) {
  return wasm_memorytype_as_externtype(make_memorytype());
}
static bool is_externtype(const wasm_externtype_t* type) {
  return is_memorytype(wasm_externtype_as_memorytype_const(type));
}

static wasm_importtype_t* make_importtype(void) {
  wasm_name_t module, name;
  wasm_name_new_from_string(&module, "outer");
  wasm_name_new_from_string(&name, "inner");
  return wasm_importtype_new(&module, &name, make_externtype());
}
static bool is_importtype(const wasm_importtype_t* type) {
  return name_is(wasm_importtype_module(type), "outer") &&
         name_is(wasm_importtype_name(type), "inner") && is_externtype(wasm_importtype_type(type));
}

static wasm_exporttype_t* make_exporttype(void) {
  wasm_name_t name;
  wasm_name_new_from_string(&name, "out");
  return wasm_exporttype_new(&name, make_externtype());
}
static bool is_exporttype(const wasm_exporttype_t* type) {
  return name_is(wasm_exporttype_name(type), "out") && is_externtype(wasm_exporttype_type(type));
}

static wasm_extern_t* make_extern(void) {
  wasm_memorytype_t* type = make_memorytype();
  wasm_memory_t* memory = wasm_memory_new(fixture.store, type);
  wasm_memorytype_delete(type);
  return wasm_memory_as_extern(memory);
}
static bool is_extern(const wasm_extern_t* external) {
  return wasm_memory_size(wasm_extern_as_memory_const(external)) == 2;
}

// Only a trap has frames, and only on an engine that keeps them; elsewhere the elements are NULL.
static wasm_frame_t* make_frame(void) {
  fixture_t trapping = fixture_from_wat("(module (func (export \"f\") unreachable))");
  wasm_trap_t* trap = call_plain(fixture_func(&trapping, 0));
  REQUIRE(trap);
  wasm_frame_t* frame = wasm_trap_origin(trap);
  wasm_trap_delete(trap);
  fixture_delete(&trapping);
  return frame;
}
static bool is_frame(const wasm_frame_t* frame) {
  return !frame || wasm_frame_func_index(frame) == 0;
}

// ------------------------------------------------------------------------------------------------
// The vectors of pointers

#define POINTER_VECTOR_TESTS(name)                                                     \
  static void check_##name##_vec_deleted(const wasm_##name##_vec_t* vec) {             \
    CHECK_INT(vec->size, 0);                                                           \
    CHECK_NULL(vec->data);                                                             \
  }                                                                                    \
                                                                                       \
  TEST(name##_vec_new_empty) {                                                         \
    wasm_##name##_vec_t vec;                                                           \
    GARBAGE(vec);                                                                      \
    wasm_##name##_vec_new_empty(&vec);                                                 \
    check_##name##_vec_deleted(&vec);                                                  \
    wasm_##name##_vec_delete(&vec);                                                    \
    check_##name##_vec_deleted(&vec);                                                  \
  }                                                                                    \
                                                                                       \
  TEST(name##_vec_new_uninitialized) {                                                 \
    wasm_##name##_vec_t vec;                                                           \
    GARBAGE(vec);                                                                      \
    wasm_##name##_vec_new_uninitialized(&vec, 3);                                      \
    CHECK_INT(vec.size, 3);                                                            \
    REQUIRE(vec.data);                                                                 \
    for (size_t i = 0; i < 3; i++) CHECK_NULL(vec.data[i]);                            \
    fixture = fixture_new();                                                           \
    vec.data[1] = make_##name(); /* the others stay NULL, and are skipped by delete */ \
    wasm_##name##_vec_delete(&vec);                                                    \
    check_##name##_vec_deleted(&vec);                                                  \
    fixture_delete(&fixture);                                                          \
                                                                                       \
    GARBAGE(vec);                                                                      \
    wasm_##name##_vec_new_uninitialized(&vec, 0);                                      \
    CHECK_INT(vec.size, 0);                                                            \
    wasm_##name##_vec_delete(&vec);                                                    \
  }                                                                                    \
                                                                                       \
  TEST(name##_vec_new) {                                                               \
    fixture = fixture_new();                                                           \
    wasm_##name##_t* elements[2] = {make_##name(), make_##name()};                     \
    wasm_##name##_vec_t vec;                                                           \
    GARBAGE(vec);                                                                      \
    wasm_##name##_vec_new(&vec, 2, elements);                                          \
    CHECK_INT(vec.size, 2);                                                            \
    REQUIRE(vec.data);                                                                 \
    CHECK(vec.data != elements);                                                       \
    for (size_t i = 0; i < 2; i++) CHECK_PTR(vec.data[i], elements[i]); /* moved */    \
    wasm_##name##_vec_delete(&vec);                                                    \
    check_##name##_vec_deleted(&vec);                                                  \
    wasm_##name##_vec_delete(&vec); /* a second time: nothing happens */               \
    check_##name##_vec_deleted(&vec);                                                  \
                                                                                       \
    GARBAGE(vec);                                                                      \
    wasm_##name##_vec_new(&vec, 0, elements);                                          \
    CHECK_INT(vec.size, 0);                                                            \
    wasm_##name##_vec_delete(&vec);                                                    \
    fixture_delete(&fixture);                                                          \
  }                                                                                    \
                                                                                       \
  TEST(name##_vec_copy) {                                                              \
    fixture = fixture_new();                                                           \
    wasm_##name##_t* elements[3] = {make_##name(), NULL, make_##name()};               \
    wasm_##name##_vec_t vec, copy;                                                     \
    wasm_##name##_vec_new(&vec, 3, elements);                                          \
    GARBAGE(copy);                                                                     \
    wasm_##name##_vec_copy(&copy, &vec);                                               \
    CHECK_INT(copy.size, 3);                                                           \
    REQUIRE(copy.data);                                                                \
    CHECK(copy.data != vec.data);                                                      \
    CHECK((copy.data[0] != NULL) == (vec.data[0] != NULL));                            \
    CHECK_NULL(copy.data[1]); /* the copy of NULL */                                   \
    wasm_##name##_vec_delete(&vec);                                                    \
    CHECK(is_##name(copy.data[0])); /* lives on its own */                             \
    CHECK(is_##name(copy.data[2]));                                                    \
    wasm_##name##_vec_delete(&copy);                                                   \
    check_##name##_vec_deleted(&copy);                                                 \
                                                                                       \
    wasm_##name##_vec_new_empty(&vec);                                                 \
    GARBAGE(copy);                                                                     \
    wasm_##name##_vec_copy(&copy, &vec);                                               \
    CHECK_INT(copy.size, 0);                                                           \
    wasm_##name##_vec_delete(&copy);                                                   \
    wasm_##name##_vec_delete(&vec);                                                    \
    fixture_delete(&fixture);                                                          \
  }                                                                                    \
                                                                                       \
  TEST(name##_vec_element_taken_out) {                                                 \
    fixture = fixture_new();                                                           \
    wasm_##name##_t* elements[2] = {make_##name(), make_##name()};                     \
    wasm_##name##_vec_t vec;                                                           \
    wasm_##name##_vec_new(&vec, 2, elements);                                          \
    wasm_##name##_t* taken = vec.data[0];                                              \
    vec.data[0] = NULL;                                                                \
    wasm_##name##_vec_delete(&vec);                                                    \
    CHECK(is_##name(taken));                                                           \
    wasm_##name##_delete(taken);                                                       \
    fixture_delete(&fixture);                                                          \
  }

POINTER_VECTOR_TESTS(valtype)
POINTER_VECTOR_TESTS(functype)
POINTER_VECTOR_TESTS(globaltype)
POINTER_VECTOR_TESTS(tabletype)
POINTER_VECTOR_TESTS(memorytype)
POINTER_VECTOR_TESTS(tagtype)
POINTER_VECTOR_TESTS(externtype)
POINTER_VECTOR_TESTS(importtype)
POINTER_VECTOR_TESTS(exporttype)
POINTER_VECTOR_TESTS(frame)
POINTER_VECTOR_TESTS(extern)

// ------------------------------------------------------------------------------------------------
// Bytes

TEST(byte_vec_new_empty) {
  wasm_byte_vec_t vec;
  GARBAGE(vec);
  wasm_byte_vec_new_empty(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
  wasm_byte_vec_delete(&vec);
  wasm_byte_vec_delete(&vec);
}

TEST(byte_vec_new_uninitialized) {
  wasm_byte_vec_t vec;
  GARBAGE(vec);
  wasm_byte_vec_new_uninitialized(&vec, 100);
  CHECK_INT(vec.size, 100);
  REQUIRE(vec.data);
  size_t zeros = 0;
  for (size_t i = 0; i < 101; i++) zeros += vec.data[i] == 0;
  CHECK_INT(zeros, 101); // the one after the end included
  memset(vec.data, 7, vec.size);
  wasm_byte_vec_delete(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
}

TEST(byte_vec_new) {
  const char bytes[4] = {'a', 0, (char)0xff, 'z'};
  wasm_byte_vec_t vec;
  GARBAGE(vec);
  wasm_byte_vec_new(&vec, sizeof(bytes), bytes);
  CHECK(bytes_are(&vec, bytes, sizeof(bytes)));
  CHECK(vec.data != bytes);
  wasm_byte_vec_delete(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
  wasm_byte_vec_delete(&vec);
}

TEST(byte_vec_copy) {
  wasm_byte_vec_t vec, copy;
  wasm_byte_vec_new(&vec, 5, "12345");
  GARBAGE(copy);
  wasm_byte_vec_copy(&copy, &vec);
  CHECK(copy.data != vec.data);
  wasm_byte_vec_delete(&vec);
  CHECK(bytes_are(&copy, "12345", 5));
  wasm_byte_vec_delete(&copy);
}

// Clients written for other implementations read names with strcmp.
TEST(byte_vectors_have_a_zero_after_their_end) {
  for (size_t size = 0; size <= 64; size++) {
    char bytes[64];
    memset(bytes, 'x', sizeof(bytes));
    wasm_byte_vec_t vec, copy;
    wasm_byte_vec_new(&vec, size, bytes);
    wasm_byte_vec_copy(&copy, &vec);
    CHECK_INT(vec.size, size);
    CHECK_INT(copy.size, size);
    if (size > 0 || vec.data) CHECK_INT(vec.data[size], 0);
    if (size > 0 || copy.data) CHECK_INT(copy.data[size], 0);
    wasm_byte_vec_delete(&vec);
    wasm_byte_vec_delete(&copy);
  }
  wasm_name_t name;
  wasm_name_new_from_string(&name, "plain");
  CHECK_INT(name.size, 5);
  CHECK_STR(name.data, "plain");
  wasm_name_delete(&name);
  wasm_name_new_from_string_nt(&name, "counted");
  CHECK_INT(name.size, 8);
  CHECK_STR(name.data, "counted");
  wasm_name_delete(&name);
}

TEST(name_is_another_word_for_byte_vec) {
  wasm_name_t name, copy;
  wasm_name_new(&name, 3, "abc");
  wasm_name_copy(&copy, &name);
  CHECK(name_is(&copy, "abc"));
  wasm_name_delete(&name);
  wasm_name_delete(&copy);
  wasm_name_new_empty(&name);
  CHECK_INT(name.size, 0);
  wasm_name_delete(&name);
  wasm_name_new_uninitialized(&name, 2);
  CHECK_INT(name.size, 2);
  wasm_name_delete(&name);
}

// ------------------------------------------------------------------------------------------------
// Values

TEST(val_vec_new_empty) {
  wasm_val_vec_t vec;
  GARBAGE(vec);
  wasm_val_vec_new_empty(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
  wasm_val_vec_delete(&vec);
  wasm_val_vec_delete(&vec);
}

// Zero is what makes a vector whose elements were never written safe to delete.
TEST(val_vec_new_uninitialized) {
  wasm_val_vec_t vec;
  GARBAGE(vec);
  wasm_val_vec_new_uninitialized(&vec, 5);
  CHECK_INT(vec.size, 5);
  REQUIRE(vec.data);
  for (size_t i = 0; i < 5; i++) {
    CHECK_INT(vec.data[i].kind, 0);
    CHECK_INT(vec.data[i].of.i64, 0);
  }
  wasm_val_vec_delete(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
}

TEST(val_vec_new) {
  wasm_val_t values[4] = {I32(-1), I64(INT64_MIN), F32(0.5f), F64(-0.25)};
  wasm_val_vec_t vec;
  GARBAGE(vec);
  wasm_val_vec_new(&vec, 4, values);
  CHECK_INT(vec.size, 4);
  CHECK(vec.data != values);
  CHECK(vec.data[0].kind == WASM_I32 && vec.data[0].of.i32 == -1);
  CHECK(vec.data[1].kind == WASM_I64 && vec.data[1].of.i64 == INT64_MIN);
  CHECK(vec.data[2].kind == WASM_F32 && vec.data[2].of.f32 == 0.5f);
  CHECK(vec.data[3].kind == WASM_F64 && vec.data[3].of.f64 == -0.25);
  wasm_val_vec_delete(&vec);
  CHECK_INT(vec.size, 0);
  CHECK_NULL(vec.data);
  wasm_val_vec_delete(&vec);
}

// The references in a vector belong to it: new moves them in, delete releases them.
TEST(val_vec_new_takes_its_references) {
  fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t values[2] = {EXTERNREF(wasm_foreign_as_ref(foreign)), EXTERNREF(NULL)};
  wasm_val_vec_t vec;
  wasm_val_vec_new(&vec, 2, values);
  CHECK_PTR(vec.data[0].of.ref, wasm_foreign_as_ref(foreign));
  CHECK_INT(finalized, 0);
  wasm_val_vec_delete(&vec);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

TEST(val_vec_copy_owns_its_references) {
  fixture = fixture_new();
  size_t finalized = 0;
  wasm_foreign_t* foreign = wasm_foreign_new(fixture.store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &finalized, count_finalizer);
  wasm_val_t values[3] = {EXTERNREF(wasm_foreign_as_ref(foreign)), I32(7), FUNCREF(NULL)};
  wasm_val_vec_t vec, copy;
  wasm_val_vec_new(&vec, 3, values);
  GARBAGE(copy);
  wasm_val_vec_copy(&copy, &vec);
  CHECK_INT(copy.size, 3);
  CHECK_INT(copy.data[0].kind, WASM_EXTERNREF);
  CHECK(wasm_ref_same(copy.data[0].of.ref, vec.data[0].of.ref));
  CHECK(copy.data[1].kind == WASM_I32 && copy.data[1].of.i32 == 7);
  CHECK(copy.data[2].kind == WASM_FUNCREF && copy.data[2].of.ref == NULL);
  wasm_val_vec_delete(&vec);
  CHECK_INT(finalized, 0);
  CHECK_PTR(wasm_ref_get_host_info(copy.data[0].of.ref), &finalized);
  wasm_val_vec_delete(&copy);
  CHECK_INT(finalized, 1);
  fixture_delete(&fixture);
}

TEST(vec_macros) {
  wasm_val_vec_t empty = WASM_EMPTY_VEC;
  CHECK_INT(empty.size, 0);
  CHECK_NULL(empty.data);
  wasm_val_vec_delete(&empty);
  wasm_val_t values[3] = {I32(1), I32(2), I32(3)};
  wasm_val_vec_t view = WASM_ARRAY_VEC(values);
  CHECK_INT(view.size, 3);
  CHECK_PTR(view.data, values);
}
