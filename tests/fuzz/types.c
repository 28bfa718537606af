// Types: made, copied, viewed, put into names and vectors, and always equal to what was made.
#include "fuzz.h"

wasm_valkind_t kind_of_letter(char letter) {
  switch (letter) {
    case 'i': return WASM_I32;
    case 'I': return WASM_I64;
    case 'f': return WASM_F32;
    case 'F': return WASM_F64;
    case 'e': return WASM_EXTERNREF;
    case 'r': return WASM_FUNCREF;
    default: FAIL("no kind of value is called %c", letter);
  }
}

static void any_letters(char* letters, unsigned limit) {
  unsigned count = below(limit);
  for (unsigned i = 0; i < count; i++) letters[i] = "iIfFer"[below(6)];
  letters[count] = 0;
}

static void fill_valtypes(wasm_valtype_vec_t* types, const char* letters) {
  size_t count = strlen(letters);
  wasm_valtype_t* array[MAX_VALUES];
  for (size_t i = 0; i < count; i++) array[i] = wasm_valtype_new(kind_of_letter(letters[i]));
  if (count == 0 && one_in(2)) {
    wasm_valtype_vec_new_empty(types);
  } else if (one_in(2)) {
    wasm_valtype_vec_new(types, count, array);
  } else {
    wasm_valtype_vec_new_uninitialized(types, count);
    for (size_t i = 0; i < count; i++) types->data[i] = array[i];
  }
  EXPECT_INT(types->size, count);
}

wasm_functype_t* new_functype(const char* params, const char* results) {
  wasm_valtype_vec_t given[2];
  fill_valtypes(&given[0], params);
  fill_valtypes(&given[1], results);
  wasm_functype_t* type = wasm_functype_new(&given[0], &given[1]);
  for (int i = 0; i < 2; i++) {
    EXPECT_INT(given[i].size, 0);
    EXPECT_PTR(given[i].data, NULL);
    wasm_valtype_vec_delete(&given[i]);
  }
  EXPECT(type != NULL);
  return type;
}

static void expect_valtypes(const wasm_valtype_vec_t* types, const char* letters) {
  EXPECT(types != NULL);
  EXPECT_INT(types->size, strlen(letters));
  for (size_t i = 0; i < types->size; i++)
    EXPECT_INT(wasm_valtype_kind(types->data[i]), kind_of_letter(letters[i]));
}

void expect_functype(const wasm_functype_t* type, const char* params, const char* results) {
  EXPECT(type != NULL);
  expect_valtypes(wasm_functype_params(type), params);
  expect_valtypes(wasm_functype_results(type), results);
}

wasm_globaltype_t* new_globaltype(wasm_valkind_t content, bool variable) {
  wasm_globaltype_t* type =
      wasm_globaltype_new(wasm_valtype_new(content), variable ? WASM_VAR : WASM_CONST);
  EXPECT(type != NULL);
  return type;
}

wasm_tabletype_t* new_tabletype(wasm_valkind_t element, uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  wasm_tabletype_t* type = wasm_tabletype_new(wasm_valtype_new(element), &limits);
  EXPECT(type != NULL);
  return type;
}

wasm_memorytype_t* new_memorytype(uint32_t min, uint32_t max) {
  wasm_limits_t limits = {min, max};
  wasm_memorytype_t* type = wasm_memorytype_new(&limits);
  EXPECT(type != NULL);
  return type;
}

void expect_name(const wasm_name_t* name, const char* text, size_t size) {
  EXPECT(name != NULL);
  EXPECT_INT(name->size, size);
  EXPECT(size == 0 || memcmp(name->data, text, size) == 0);
  // The library's own names can be read as strings.
  EXPECT(name->data != NULL);
  EXPECT_INT(name->data[size], 0);
}

// ------------------------------------------------------------------------------------------------
// Types of externs, each beside what it should say

typedef struct shape_t {
  wasm_externkind_t kind;
  char params[MAX_VALUES + 1], results[MAX_VALUES + 1];
  wasm_valkind_t content;
  bool variable;
  wasm_limits_t limits;
} shape_t;

static void any_shape(shape_t* shape) {
  shape->kind = (wasm_externkind_t)below(5);
  any_letters(shape->params, MAX_VALUES);
  any_letters(shape->results, 6);
  shape->variable = one_in(2);
  shape->content = kind_of_letter("iIfFer"[below(6)]);
  if (shape->kind == WASM_EXTERN_TABLE && !is_reference(shape->content))
    shape->content = WASM_FUNCREF;
  shape->limits.min = below(200);
  shape->limits.max = one_in(2) ? wasm_limits_max_default : shape->limits.min + below(100);
}

static wasm_externtype_t* new_of_shape(const shape_t* shape) {
  switch (shape->kind) {
    case WASM_EXTERN_FUNC:
      return wasm_functype_as_externtype(new_functype(shape->params, shape->results));
    case WASM_EXTERN_GLOBAL:
      return wasm_globaltype_as_externtype(new_globaltype(shape->content, shape->variable));
    case WASM_EXTERN_TABLE:
      return wasm_tabletype_as_externtype(
          new_tabletype(shape->content, shape->limits.min, shape->limits.max));
    case WASM_EXTERN_MEMORY:
      return wasm_memorytype_as_externtype(new_memorytype(shape->limits.min, shape->limits.max));
    default:
      return wasm_tagtype_as_externtype(
          wasm_tagtype_new(new_functype(shape->params, shape->results)));
  }
}

static void expect_limits(const wasm_limits_t* actual, const wasm_limits_t* expected) {
  EXPECT(actual != NULL);
  EXPECT_INT(actual->min, expected->min);
  EXPECT_INT(actual->max, expected->max);
}

static void expect_shape(const wasm_externtype_t* type, const shape_t* shape) {
  EXPECT(type != NULL);
  EXPECT_INT(wasm_externtype_kind(type), shape->kind);
  // A type can be seen as its kind alone.
  const void* views[] = {
      wasm_externtype_as_functype_const(type), wasm_externtype_as_globaltype_const(type),
      wasm_externtype_as_tabletype_const(type), wasm_externtype_as_memorytype_const(type),
      wasm_externtype_as_tagtype_const(type)};
  for (size_t i = 0; i < LENGTH_OF(views); i++)
    EXPECT_PTR(views[i], i == shape->kind ? (const void*)type : NULL);
  // The accessors of another kind refuse a type.
  const wasm_globaltype_t* as_global = (const void*)type;
  const wasm_tabletype_t* as_table = (const void*)type;
  const wasm_memorytype_t* as_memory = (const void*)type;
  const wasm_functype_t* as_func = (const void*)type;
  const wasm_tagtype_t* as_tag = (const void*)type;
  if (shape->kind != WASM_EXTERN_FUNC) {
    EXPECT_REFUSED(wasm_functype_params(as_func) == NULL);
    EXPECT_REFUSED(wasm_functype_results(as_func) == NULL);
  }
  if (shape->kind != WASM_EXTERN_GLOBAL) {
    EXPECT_REFUSED(wasm_globaltype_content(as_global) == NULL);
    EXPECT_REFUSED(wasm_globaltype_mutability(as_global) == WASM_CONST);
  }
  if (shape->kind != WASM_EXTERN_TABLE) {
    EXPECT_REFUSED(wasm_tabletype_element(as_table) == NULL);
    EXPECT_REFUSED(wasm_tabletype_limits(as_table) == NULL);
  }
  if (shape->kind != WASM_EXTERN_MEMORY) EXPECT_REFUSED(wasm_memorytype_limits(as_memory) == NULL);
  if (shape->kind != WASM_EXTERN_TAG) EXPECT_REFUSED(wasm_tagtype_functype(as_tag) == NULL);
  switch (shape->kind) {
    case WASM_EXTERN_FUNC: expect_functype(as_func, shape->params, shape->results); break;
    case WASM_EXTERN_GLOBAL:
      EXPECT_INT(wasm_valtype_kind(wasm_globaltype_content(as_global)), shape->content);
      EXPECT_INT(wasm_globaltype_mutability(as_global), shape->variable ? WASM_VAR : WASM_CONST);
      break;
    case WASM_EXTERN_TABLE:
      EXPECT_INT(wasm_valtype_kind(wasm_tabletype_element(as_table)), shape->content);
      expect_limits(wasm_tabletype_limits(as_table), &shape->limits);
      break;
    case WASM_EXTERN_MEMORY:
      expect_limits(wasm_memorytype_limits(as_memory), &shape->limits);
      break;
    default: expect_functype(wasm_tagtype_functype(as_tag), shape->params, shape->results);
  }
}

void expect_externtype(const wasm_externtype_t* type, const object_t* object) {
  shape_t shape = {.kind = (wasm_externkind_t)object->kind};
  memcpy(shape.params, object->params, sizeof shape.params);
  memcpy(shape.results, object->results, sizeof shape.results);
  const cell_t* cell = object->cell;
  if (cell) {
    shape.content = cell->content;
    shape.variable = cell->variable;
    shape.limits = (wasm_limits_t){cell->size, cell->max};
  }
  expect_shape(type, &shape);
}

// A copy, by the function of its kind or by that of extern types.
static wasm_externtype_t* copy_of_shape(const wasm_externtype_t* type, const shape_t* shape) {
  if (one_in(3)) return wasm_externtype_copy(type);
  switch (shape->kind) {
    case WASM_EXTERN_FUNC: return (void*)wasm_functype_copy((const void*)type);
    case WASM_EXTERN_GLOBAL: return (void*)wasm_globaltype_copy((const void*)type);
    case WASM_EXTERN_TABLE: return (void*)wasm_tabletype_copy((const void*)type);
    case WASM_EXTERN_MEMORY: return (void*)wasm_memorytype_copy((const void*)type);
    default: return (void*)wasm_tagtype_copy((const void*)type);
  }
}

static void delete_of_shape(wasm_externtype_t* type, const shape_t* shape) {
  if (one_in(3)) {
    wasm_externtype_delete(type);
    return;
  }
  switch (shape->kind) {
    case WASM_EXTERN_FUNC: wasm_functype_delete(wasm_externtype_as_functype(type)); break;
    case WASM_EXTERN_GLOBAL: wasm_globaltype_delete(wasm_externtype_as_globaltype(type)); break;
    case WASM_EXTERN_TABLE: wasm_tabletype_delete(wasm_externtype_as_tabletype(type)); break;
    case WASM_EXTERN_MEMORY: wasm_memorytype_delete(wasm_externtype_as_memorytype(type)); break;
    default: wasm_tagtype_delete(wasm_externtype_as_tagtype(type)); break;
  }
}

static void test_externtype(void) {
  shape_t shape = {0};
  any_shape(&shape);
  wasm_externtype_t* type = new_of_shape(&shape);
  expect_shape(type, &shape);
  wasm_externtype_t* copy = copy_of_shape(type, &shape);
  if (copy == type) FAIL("a copy of a type is the type itself");
  // Each of the two has to live without the other.
  bool copy_first = one_in(2);
  delete_of_shape(copy_first ? copy : type, &shape);
  wasm_externtype_t* left = copy_first ? type : copy;
  expect_shape(left, &shape);
  delete_of_shape(left, &shape);
}

// ------------------------------------------------------------------------------------------------
// Import and export types

static void any_name(wasm_name_t* name, char* text, size_t* size) {
  *size = below(12);
  for (size_t i = 0; i < *size; i++) text[i] = (char)next_byte();
  unsigned zeros = one_in(3) ? below(3) : 0;
  for (unsigned i = 0; i < zeros; i++) text[(*size)++] = 0;
  wasm_byte_vec_new(name, *size, text);
  // One zero at the end is taken for a terminator.
  if (*size > 0 && text[*size - 1] == 0) --*size;
}

static void test_importtype(void) {
  shape_t shape = {0};
  any_shape(&shape);
  char module_text[16], name_text[16];
  size_t module_size, name_size;
  wasm_name_t module, name;
  any_name(&module, module_text, &module_size);
  any_name(&name, name_text, &name_size);
  wasm_importtype_t* type = wasm_importtype_new(&module, &name, new_of_shape(&shape));
  EXPECT_PTR(module.data, NULL);
  EXPECT_PTR(name.data, NULL);
  wasm_importtype_t* copy = wasm_importtype_copy(type);
  EXPECT(wasm_importtype_type(copy) != wasm_importtype_type(type));
  if (one_in(2)) {
    wasm_importtype_t* swap = type;
    type = copy;
    copy = swap;
  }
  for (int i = 0; i < 2; i++) {
    expect_name(wasm_importtype_module(copy), module_text, module_size);
    expect_name(wasm_importtype_name(copy), name_text, name_size);
    expect_shape(wasm_importtype_type(copy), &shape);
    wasm_importtype_delete(copy);
    copy = type;
  }
}

static void test_exporttype(void) {
  shape_t shape = {0};
  any_shape(&shape);
  char text[16];
  size_t size;
  wasm_name_t name;
  any_name(&name, text, &size);
  wasm_exporttype_t* type = wasm_exporttype_new(&name, new_of_shape(&shape));
  EXPECT_PTR(name.data, NULL);
  wasm_exporttype_t* copy = wasm_exporttype_copy(type);
  EXPECT(wasm_exporttype_type(copy) != wasm_exporttype_type(type));
  if (one_in(2)) {
    wasm_exporttype_t* swap = type;
    type = copy;
    copy = swap;
  }
  for (int i = 0; i < 2; i++) {
    expect_name(wasm_exporttype_name(copy), text, size);
    expect_shape(wasm_exporttype_type(copy), &shape);
    wasm_exporttype_delete(copy);
    copy = type;
  }
}

void step_types(void) {
  switch (below(3)) {
    case 0: test_externtype(); break;
    case 1: test_importtype(); break;
    default: test_exporttype(); break;
  }
}

// ------------------------------------------------------------------------------------------------
// What is refused

void step_bad_types(void) {
  wasm_limits_t backwards = {1 + below(200), 0}, huge = {65537, wasm_limits_max_default};
  wasm_limits_t fine = {1, 2};
  switch (below(13)) {
    case 0: {
      uint8_t kind = next_byte();
      bool known = kind <= 4 || (kind >= WASM_EXTERNREF && kind <= WASMRT_EXNREF);
      wasm_valtype_t* type = wasm_valtype_new(kind);
      if (known != (type != NULL)) FAIL("wasm_valtype_new(%d) gives %p", kind, (void*)type);
      if (known) EXPECT_INT(wasm_valtype_kind(type), kind);
      wasm_valtype_delete(type);
      break;
    }
    case 1:
      EXPECT_REFUSED(
          !wasm_globaltype_new(wasm_valtype_new(WASM_I32), (wasm_mutability_t)(2 + below(250))));
      break;
    case 2:
      EXPECT_REFUSED(!wasm_tabletype_new(wasm_valtype_new((wasm_valkind_t)below(4)), &fine));
      break;
    case 3: EXPECT_REFUSED(!wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &backwards)); break;
    case 4: EXPECT_REFUSED(!wasm_memorytype_new(&backwards)); break;
    case 5: EXPECT_REFUSED(!wasm_memorytype_new(&huge)); break;
    case 6: {
      wasm_limits_t above = {0, 65537 + below(100)};
      EXPECT_REFUSED(!wasm_memorytype_new(&above));
      break;
    }
    case 7: {
      // The largest memory that there may be is no mistake.
      wasm_limits_t largest = {65536, 65536};
      wasm_memorytype_t* type = wasm_memorytype_new(&largest);
      EXPECT(type != NULL);
      expect_limits(wasm_memorytype_limits(type), &largest);
      wasm_memorytype_delete(type);
      break;
    }
    case 8: EXPECT_REFUSED(!wasm_tagtype_new((wasm_functype_t*)new_memorytype(1, 2))); break;
    case 9: {
      wasm_valtype_vec_t params, results;
      wasm_valtype_t* types[3] = {wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_I64), NULL};
      wasm_valtype_vec_new(&params, 3, types);
      wasm_valtype_vec_new(&results, 2, types);
      bool swapped = one_in(2);
      EXPECT_REFUSED(
          !wasm_functype_new(swapped ? &results : &params, swapped ? &params : &results));
      EXPECT_PTR(params.data, NULL);
      EXPECT_PTR(results.data, NULL);
      break;
    }
    case 10: {
      wasm_name_t one, other;
      wasm_byte_vec_new(&one, 3, "one");
      wasm_byte_vec_new(&other, 5, "other");
      EXPECT_REFUSED(!wasm_importtype_new(&one, &other, NULL));
      EXPECT_PTR(one.data, NULL);
      EXPECT_PTR(other.data, NULL);
      break;
    }
    case 11: {
      // As many parameters as a function may have, and one more.
      store_t* store = pick_store();
      if (!store) return;
      wasm_valtype_vec_t params;
      size_t count = 1000 + one_in(2);
      wasm_valtype_vec_new_uninitialized(&params, count);
      for (size_t i = 0; i < count; i++) params.data[i] = wasm_valtype_new(WASM_I64);
      wasm_functype_t* type = wasm_functype_new(&params, NULL);
      wasm_func_t* func = wasm_func_new(store->pointer, type, host_callback);
      EXPECT_INT(func != NULL, count <= 1000);
      if (func) EXPECT_INT(wasm_func_param_arity(func), count);
      wasm_func_delete(func);
      wasm_functype_delete(type);
      break;
    }
    default: {
      store_t* store = pick_store();
      if (!store) return;
      wasm_functype_t* wrong = (wasm_functype_t*)new_tabletype(WASM_FUNCREF, 1, 2);
      EXPECT_REFUSED(!wasm_func_new(store->pointer, wrong, host_callback));
      wasm_tabletype_delete((wasm_tabletype_t*)wrong);
      wasm_functype_t* type = new_functype("i", "");
      EXPECT_REFUSED(!wasm_table_new(store->pointer, (wasm_tabletype_t*)type, NULL));
      EXPECT_REFUSED(!wasm_memory_new(store->pointer, (wasm_memorytype_t*)type));
      wasm_val_t value = WASM_I32_VAL(1);
      EXPECT_REFUSED(!wasm_global_new(store->pointer, (wasm_globaltype_t*)type, &value));
      wasm_functype_delete(type);
    }
  }
}

// ------------------------------------------------------------------------------------------------
// Vectors of types. For each element type: how to make element number i, and to know it again.

static void numbered_shape(shape_t* shape, wasm_externkind_t kind, size_t number) {
  static const char* const letters[] = {"", "i", "eI", "fFr", "iiii", "re"};
  *shape = (shape_t){.kind = kind, .variable = number % 2, .limits = {(uint32_t)number, 100}};
  strcpy(shape->params, letters[number % LENGTH_OF(letters)]);
  strcpy(shape->results, letters[(number / 2) % LENGTH_OF(letters)]);
  shape->content = number % 3 ? WASM_EXTERNREF : WASM_FUNCREF;
}

static void* make_of_kind(wasm_externkind_t kind, size_t number) {
  shape_t shape;
  numbered_shape(&shape, kind, number);
  return new_of_shape(&shape);
}

static void know_of_kind(const void* type, wasm_externkind_t kind, size_t number) {
  shape_t shape;
  numbered_shape(&shape, kind, number);
  expect_shape(type, &shape);
}

#define make_functype(number) make_of_kind(WASM_EXTERN_FUNC, number)
#define know_functype(type, number) know_of_kind(type, WASM_EXTERN_FUNC, number)
#define make_globaltype(number) make_of_kind(WASM_EXTERN_GLOBAL, number)
#define know_globaltype(type, number) know_of_kind(type, WASM_EXTERN_GLOBAL, number)
#define make_tabletype(number) make_of_kind(WASM_EXTERN_TABLE, number)
#define know_tabletype(type, number) know_of_kind(type, WASM_EXTERN_TABLE, number)
#define make_memorytype(number) make_of_kind(WASM_EXTERN_MEMORY, number)
#define know_memorytype(type, number) know_of_kind(type, WASM_EXTERN_MEMORY, number)
#define make_tagtype(number) make_of_kind(WASM_EXTERN_TAG, number)
#define know_tagtype(type, number) know_of_kind(type, WASM_EXTERN_TAG, number)
#define make_externtype(number) make_of_kind((wasm_externkind_t)((number) % 5), number)
#define know_externtype(type, number) know_of_kind(type, (wasm_externkind_t)((number) % 5), number)

static wasm_valkind_t numbered_valkind(size_t number) {
  return kind_of_letter("iIfFer"[number % 6]);
}
#define make_valtype(number) wasm_valtype_new(numbered_valkind(number))
#define know_valtype(type, number) EXPECT_INT(wasm_valtype_kind(type), numbered_valkind(number))

static wasm_importtype_t* make_importtype(size_t number) {
  wasm_name_t module, name;
  wasm_byte_vec_new(&module, number % 7, "modules");
  wasm_byte_vec_new(&name, number % 5, "names");
  return wasm_importtype_new(&module, &name, make_externtype(number));
}

static void know_importtype(const wasm_importtype_t* type, size_t number) {
  expect_name(wasm_importtype_module(type), "modules", number % 7);
  expect_name(wasm_importtype_name(type), "names", number % 5);
  know_externtype(wasm_importtype_type(type), number);
}

static wasm_exporttype_t* make_exporttype(size_t number) {
  wasm_name_t name;
  wasm_byte_vec_new(&name, number % 7, "exports");
  return wasm_exporttype_new(&name, make_externtype(number));
}

static void know_exporttype(const wasm_exporttype_t* type, size_t number) {
  expect_name(wasm_exporttype_name(type), "exports", number % 7);
  know_externtype(wasm_exporttype_type(type), number);
}

// A vector is made in one of three ways, copied, both are compared with what was put in, changed
// and deleted in either order. Elements may be NULL. `shared` says that copies of elements are the
// same.
#define VECTOR_TEST(name, shared)                                                     \
  static void test_##name##_vec(void) {                                               \
    size_t size = below(40), hole = below(40);                                        \
    wasm_##name##_t* array[40];                                                       \
    for (size_t i = 0; i < size; i++) array[i] = i == hole ? NULL : make_##name(i);   \
    wasm_##name##_vec_t vector, copy, late;                                           \
    memset(&vector, 0xa5, sizeof vector);                                             \
    memset(&copy, 0xa5, sizeof copy);                                                 \
    if (one_in(2)) {                                                                  \
      wasm_##name##_vec_new(&vector, size, array);                                    \
    } else {                                                                          \
      wasm_##name##_vec_new_uninitialized(&vector, size);                             \
      for (size_t i = 0; i < size; i++) {                                             \
        EXPECT_PTR(vector.data[i], NULL);                                             \
        vector.data[i] = array[i];                                                    \
      }                                                                               \
    }                                                                                 \
    EXPECT_INT(vector.size, size);                                                    \
    wasm_##name##_vec_copy(&copy, &vector);                                           \
    EXPECT_INT(copy.size, size);                                                      \
    EXPECT_INT(vector.size, size);                                                    \
    for (size_t i = 0; i < size; i++) {                                               \
      EXPECT_PTR(vector.data[i], array[i]);                                           \
      if (!array[i]) EXPECT_PTR(copy.data[i], NULL);                                  \
      if (!array[i]) continue;                                                        \
      if ((copy.data[i] == array[i]) != (shared)) FAIL("element %zu of the copy", i); \
      know_##name(copy.data[i], i);                                                   \
      know_##name(vector.data[i], i);                                                 \
    }                                                                                 \
    if (size > 0 && one_in(2)) {                                                      \
      size_t taken = below((unsigned)size);                                           \
      wasm_##name##_delete(vector.data[taken]);                                       \
      vector.data[taken] = NULL;                                                      \
    }                                                                                 \
    bool copy_first = one_in(2);                                                      \
    wasm_##name##_vec_t* first = copy_first ? &copy : &vector;                        \
    wasm_##name##_vec_t* second = copy_first ? &vector : &copy;                       \
    wasm_##name##_vec_delete(first);                                                  \
    EXPECT_INT(first->size, 0);                                                       \
    EXPECT_PTR(first->data, NULL);                                                    \
    wasm_##name##_vec_delete(first);                                                  \
    for (size_t i = 0; i < size; i++)                                                 \
      if (second->data[i]) know_##name(second->data[i], i);                           \
    wasm_##name##_vec_copy(&late, second);                                            \
    wasm_##name##_vec_delete(second);                                                 \
    for (size_t i = 0; i < size; i++)                                                 \
      if (late.data[i]) know_##name(late.data[i], i);                                 \
    wasm_##name##_vec_delete(&late);                                                  \
    wasm_##name##_vec_new_empty(&vector);                                             \
    EXPECT_INT(vector.size, 0);                                                       \
    wasm_##name##_vec_copy(&copy, one_in(2) ? &vector : NULL);                        \
    EXPECT_INT(copy.size, 0);                                                         \
    wasm_##name##_vec_delete(&copy);                                                  \
    wasm_##name##_vec_delete(&vector);                                                \
  }

VECTOR_TEST(valtype, true)
VECTOR_TEST(functype, false)
VECTOR_TEST(globaltype, false)
VECTOR_TEST(tabletype, false)
VECTOR_TEST(memorytype, false)
VECTOR_TEST(tagtype, false)
VECTOR_TEST(externtype, false)
VECTOR_TEST(importtype, false)
VECTOR_TEST(exporttype, false)

static void test_byte_vec(void) {
  char bytes[256];
  size_t size = next_byte();
  for (size_t i = 0; i < size; i++) bytes[i] = (char)(i * 7 + size);
  wasm_byte_vec_t vector, copy;
  memset(&vector, 0xa5, sizeof vector);
  memset(&copy, 0xa5, sizeof copy);
  if (one_in(2)) {
    wasm_byte_vec_new(&vector, size, bytes);
  } else {
    wasm_byte_vec_new_uninitialized(&vector, size);
    for (size_t i = 0; i < size; i++) EXPECT_INT(vector.data[i], 0);
    memcpy(vector.data, bytes, size);
  }
  expect_name(&vector, bytes, size);
  wasm_byte_vec_copy(&copy, &vector);
  expect_name(&copy, bytes, size);
  EXPECT(copy.data != vector.data);
  for (size_t i = 0; i < size; i++) vector.data[i] = (char)~vector.data[i];
  expect_name(&copy, bytes, size);
  wasm_byte_vec_delete(one_in(2) ? &vector : &copy);
  wasm_byte_vec_delete(&vector);
  wasm_byte_vec_delete(&copy);
  EXPECT_INT(vector.size, 0);
  EXPECT_PTR(copy.data, NULL);
}

// In values.c, because it concerns objects of the model.
void test_val_vec(void);
void test_extern_vec(void);

void step_vectors(void) {
  static void (*const tests[])(void) = {
      test_valtype_vec,    test_functype_vec, test_globaltype_vec, test_tabletype_vec,
      test_memorytype_vec, test_tagtype_vec,  test_externtype_vec, test_importtype_vec,
      test_exporttype_vec, test_byte_vec,     test_val_vec,        test_extern_vec,
      test_byte_vec,       test_val_vec,      test_extern_vec};
  tests[below(LENGTH_OF(tests))]();
}

// Sizes that no memory can hold give empty vectors, and an error.
void step_huge(void) {
  static const size_t sizes[] = {SIZE_MAX,          SIZE_MAX - 1,    SIZE_MAX / 2,   SIZE_MAX / 8,
                                 SIZE_MAX / 16 + 1, (size_t)1 << 60, (size_t)1 << 47};
  size_t size = sizes[below(LENGTH_OF(sizes))];
#ifdef __SANITIZE_ADDRESS__
  size = SIZE_MAX; // which never reaches malloc, where the sanitizer would warn each time
#endif
#define HUGE_TEST(name)                                                      \
  {                                                                          \
    wasm_##name##_vec_t vector;                                              \
    memset(&vector, 0xa5, sizeof vector);                                    \
    EXPECT_LEAVES_ERROR(wasm_##name##_vec_new_uninitialized(&vector, size)); \
    EXPECT_INT(vector.size, 0);                                              \
    EXPECT_PTR(vector.data, NULL);                                           \
    wasm_##name##_vec_delete(&vector);                                       \
    break;                                                                   \
  }
  switch (below(6)) {
    case 0: HUGE_TEST(byte)
    case 1: HUGE_TEST(val)
    case 2: HUGE_TEST(extern)
    case 3: HUGE_TEST(importtype)
    case 4: HUGE_TEST(frame)
    default: HUGE_TEST(functype)
  }
}
