// Values, vectors of values and of externs, and what holds values: globals, tables, memories.
#include "fuzz.h"

bool is_reference(wasm_valkind_t kind) {
  return kind >= WASM_EXTERNREF;
}

value_t null_value(wasm_valkind_t kind) {
  return (value_t){.kind = kind};
}

bool carries(wasm_valkind_t kind) {
  return kind == WASM_EXTERNREF ? !lacks.externrefs : kind == WASM_FUNCREF ? !lacks.funcrefs : true;
}

bool can_pass(const object_t* func) {
  const char refused[] = {lacks.externrefs ? 'e' : 'r', lacks.funcrefs ? 'r' : 'e', 0};
  if (!lacks.externrefs && !lacks.funcrefs) return true;
  return !strpbrk(func->params, refused) && !strpbrk(func->results, refused);
}

object_t* target_of(object_t* func) {
  return func->target ? func->target : func;
}

value_t any_value(wasm_valkind_t kind, const store_t* store) {
  value_t value = {.kind = kind};
  if (is_reference(kind)) {
    unsigned kinds = kind == WASM_FUNCREF ? 1u << FUNC : ANY_KIND;
    bool null_only = !carries(kind) || (kind == WASM_FUNCREF && lacks.functions);
    if (!one_in(5) && !null_only) value.object = pick_of(kinds, store);
  } else if (kind == WASM_I32 || kind == WASM_F32) {
    value.bits = one_in(2) ? next_byte() : next_u32();
  } else {
    value.bits = one_in(2) ? next_byte() : next_u64();
  }
  return value;
}

static wasm_val_t with_reference(const value_t* value, wasm_ref_t* ref) {
  wasm_val_t actual;
  memset(&actual, 0xa5, sizeof actual);
  actual.kind = value->kind;
  if (is_reference(value->kind)) {
    actual.of.ref = ref;
  } else if (value->kind == WASM_I32 || value->kind == WASM_F32) {
    actual.of.i32 = (int32_t)value->bits;
  } else {
    actual.of.i64 = (int64_t)value->bits;
  }
  return actual;
}

wasm_val_t borrow_value(const value_t* value) {
  return with_reference(value, value->object ? value->object->pointer : NULL);
}

wasm_val_t own_value(const value_t* value) {
  return with_reference(value, value->object ? take_copy(value->object) : NULL);
}

void release_value(wasm_val_t* actual, const value_t* value) {
  if (value->object) handle_given_up(value->object);
  wasm_val_delete(actual);
  if (is_reference(value->kind)) EXPECT_PTR(actual->of.ref, NULL);
}

// Whether a reference is to another object in the place of a function, which is of the same type.
static bool stands_for(const wasm_ref_t* ref, const value_t* expected) {
  if (!lacks.identity || expected->kind != WASM_FUNCREF || !ref || !expected->object) return false;
  const object_t* known = find(ref);
  if (known) return known->kind == FUNC && known->target == target_of(expected->object);
  const wasm_func_t* func = wasm_ref_as_func_const(ref);
  if (!func) return false;
  wasm_functype_t* type = wasm_func_type(func);
  expect_functype(type, expected->object->params, expected->object->results);
  wasm_functype_delete(type);
  return true;
}

void expect_value(const wasm_val_t* actual, const value_t* expected, const char* what) {
  if (actual->kind != expected->kind)
    FAIL("%s is of kind %d, expected %d", what, actual->kind, expected->kind);
  if (is_reference(expected->kind)) {
    const wasm_ref_t* ref = expected->object ? expected->object->pointer : NULL;
    if (actual->of.ref != ref && !stands_for(actual->of.ref, expected))
      FAIL("%s refers to %p, expected %p", what, (void*)actual->of.ref, (const void*)ref);
    return;
  }
  bool narrow = expected->kind == WASM_I32 || expected->kind == WASM_F32;
  uint64_t bits = narrow ? (uint32_t)actual->of.i32 : (uint64_t)actual->of.i64;
  uint64_t mask = narrow ? 0xffffffff : UINT64_MAX;
  if (bits != (expected->bits & mask))
    FAIL("%s is %" PRIx64 ", expected %" PRIx64, what, bits, expected->bits & mask);
}

void adopt_value(const wasm_val_t* actual, const value_t* expected, const char* what) {
  expect_value(actual, expected, what);
  if (!expected->object) return;
  object_t* known = find(actual->of.ref);
  if (known) {
    adopt_known(actual->of.ref, known);
    return;
  }
  const object_t* target = target_of(expected->object);
  object_t* object = adopt_new(actual->of.ref, FUNC, target->store);
  strcpy(object->params, target->params);
  strcpy(object->results, target->results);
  object->behaviour = target->behaviour;
  object->instance = target->instance;
  object->target = target_of(expected->object);
  object->uncertain = true;
}

// An element for a table that only the host writes, where functions stay what they are, though they
// do not come back from WebAssembly otherwise.
static value_t any_element(wasm_valkind_t content, bool only_host, const store_t* store) {
  value_t value = any_value(content, store);
  if (content != WASM_FUNCREF || !lacks.functions || lacks.funcrefs || !only_host) return value;
  object_t* func = pick_of(1u << FUNC, store);
  if (func && can_pass(func)) value.object = func;
  return value;
}

static wasm_val_t element_value(wasm_ref_t* actual, const cell_t* table, uint32_t index,
                                value_t* expected) {
  object_t* object = table->elements[index];
  *expected = (value_t){.kind = table->content, .object = object};
  if (table->only_host) EXPECT_PTR(actual, object ? object->pointer : NULL);
  return (wasm_val_t){.kind = table->content, .of = {.ref = actual}};
}

void expect_element(wasm_ref_t* actual, const cell_t* table, uint32_t index) {
  value_t expected;
  wasm_val_t value = element_value(actual, table, index, &expected);
  expect_value(&value, &expected, "an element");
}

void adopt_element(wasm_ref_t* actual, const cell_t* table, uint32_t index) {
  value_t expected;
  wasm_val_t value = element_value(actual, table, index, &expected);
  adopt_value(&value, &expected, "an element");
}

// ------------------------------------------------------------------------------------------------
// Values and vectors of references, whose copies are handles of their own

void step_values(void) {
  store_t* store = pick_store();
  if (!store) return;
  value_t value = any_value(kind_of_letter("iIfFer"[below(6)]), store);
  wasm_val_t actual = own_value(&value), copy;
  memset(&copy, 0xa5, sizeof copy);
  wasm_val_copy(&copy, &actual);
  if (value.object) value.object->handles++;
  expect_value(&copy, &value, "a copy of a value");
  expect_value(&actual, &value, "a value that was copied");
  bool copy_first = one_in(2);
  release_value(copy_first ? &copy : &actual, &value);
  wasm_val_t* left = copy_first ? &actual : &copy;
  expect_value(left, &value, "what is left of a value");
  if (value.object) EXPECT_PTR(wasm_ref_get_host_info(left->of.ref), value.object->witness);
  release_value(left, &value);
  wasm_val_copy(&copy, NULL);
  value_t null = null_value(WASM_EXTERNREF);
  expect_value(&copy, &null, "a copy of no value");
}

void test_val_vec(void);
void test_extern_vec(void);

void test_val_vec(void) {
  store_t* store = pick_store();
  if (!store) return;
  unsigned size = below(24);
  value_t values[24];
  wasm_val_t array[24];
  for (unsigned i = 0; i < size; i++) {
    values[i] = any_value(kind_of_letter("iIfFereer"[below(9)]), store);
    array[i] = own_value(&values[i]);
  }
  wasm_val_vec_t vector, copy;
  memset(&vector, 0xa5, sizeof vector);
  memset(&copy, 0xa5, sizeof copy);
  wasm_val_vec_new(&vector, size, array);
  wasm_val_vec_copy(&copy, &vector);
  EXPECT_INT(vector.size, size);
  EXPECT_INT(copy.size, size);
  for (unsigned i = 0; i < size; i++) {
    expect_value(&vector.data[i], &values[i], "an element");
    expect_value(&copy.data[i], &values[i], "an element of a copy");
    if (values[i].object) values[i].object->handles++;
  }
  wasm_val_vec_t* first = one_in(2) ? &vector : &copy;
  wasm_val_vec_t* second = first == &vector ? &copy : &vector;
  for (int both = 0; both < 2; both++) {
    // Vectors do not share memory.
    for (unsigned i = 0; i < size; i++) {
      if (!is_reference(values[i].kind)) first->data[i].of.i64 = ~first->data[i].of.i64;
      if (both == 0) expect_value(&second->data[i], &values[i], "an element of the other");
      if (values[i].object) handle_given_up(values[i].object);
    }
    wasm_val_vec_delete(first);
    EXPECT_PTR(first->data, NULL);
    check_lives();
    first = second;
  }
  wasm_val_vec_new_uninitialized(&vector, size);
  EXPECT_INT(vector.size, size);
  wasm_val_vec_delete(&vector);
  wasm_val_vec_new_empty(&vector);
  wasm_val_vec_delete(&vector);
}

void test_extern_vec(void) {
  unsigned size = below(24);
  object_t* objects[24];
  wasm_extern_t* array[24];
  for (unsigned i = 0; i < size; i++) {
    objects[i] = one_in(6) ? NULL : pick(EXTERN_KINDS);
    array[i] = objects[i] ? wasm_ref_as_extern(take_copy(objects[i])) : NULL;
  }
  wasm_extern_vec_t vector, copy;
  memset(&copy, 0xa5, sizeof copy);
  if (one_in(2)) {
    wasm_extern_vec_new(&vector, size, array);
  } else {
    wasm_extern_vec_new_uninitialized(&vector, size);
    for (unsigned i = 0; i < size; i++) vector.data[i] = array[i];
  }
  wasm_extern_vec_copy(&copy, &vector);
  EXPECT_INT(vector.size, size);
  EXPECT_INT(copy.size, size);
  for (unsigned i = 0; i < size; i++) {
    EXPECT_PTR(vector.data[i], array[i]);
    EXPECT_PTR(copy.data[i], array[i]);
    if (objects[i]) objects[i]->handles++;
    EXPECT(wasm_extern_same(copy.data[i], vector.data[i]));
  }
  bool copy_first = one_in(2);
  for (int both = 0; both < 2; both++) {
    for (unsigned i = 0; i < size; i++)
      if (objects[i]) handle_given_up(objects[i]);
    wasm_extern_vec_delete((both == 0) == copy_first ? &copy : &vector);
    check_lives();
  }
  // A result that cannot be delivered is released.
  object_t* object = pick(EXTERN_KINDS);
  if (!object) return;
  array[0] = wasm_ref_as_extern(take_copy(object));
  handle_given_up(object);
  wasm_extern_vec_new(NULL, 1, array);
}

// ------------------------------------------------------------------------------------------------
// Globals

static bool same_kind_of_value(wasm_valkind_t one, wasm_valkind_t other) {
  return is_reference(one) ? is_reference(other) : one == other;
}

static wasm_valkind_t another_kind(wasm_valkind_t kind) {
  wasm_valkind_t other = kind_of_letter("iIfFer"[below(6)]);
  if (!same_kind_of_value(kind, other)) return other;
  return kind == WASM_I32 ? WASM_F32 : WASM_I32;
}

void step_global_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  wasm_valkind_t content = kind_of_letter("iIfFer"[below(6)]);
  bool variable = one_in(3) ? false : true;
  value_t value = any_value(content, store);
  wasm_globaltype_t* type = new_globaltype(content, variable);
  if (one_in(5)) {
    value_t wrong = any_value(another_kind(content), store);
    wasm_val_t actual = borrow_value(&wrong);
    EXPECT_REFUSED(!wasm_global_new(store->pointer, type, &actual));
  }
  object_t* other = one_in(4) && is_reference(content) ? pick_foreign_to(1u << FUNC, store) : NULL;
  if (other) {
    wasm_val_t actual = {.kind = content, .of = {.ref = other->pointer}};
    EXPECT_REFUSED(!wasm_global_new(store->pointer, type, &actual));
  }
  wasm_val_t actual = borrow_value(&value);
  if (!carries(content)) {
    EXPECT_REFUSED_AS(WASMRT_ERROR_UNSUPPORTED, !wasm_global_new(store->pointer, type, &actual));
    wasm_globaltype_delete(type);
    return;
  }
  // Before it happens: from here on the model says that the global holds the object.
  cell_hold(value.object, content);
  wasm_global_t* global = wasm_global_new(store->pointer, type, &actual);
  wasm_globaltype_delete(type);
  object_t* object = adopt_new(global, GLOBAL, store);
  object->cell = model_memory(sizeof(cell_t));
  *object->cell =
      (cell_t){.kind = GLOBAL, .content = content, .variable = variable, .value = value};
}

// Globals of a module that the host cannot look into.
static bool is_closed(object_t* object) {
  if (carries(object->cell->content)) return false;
  wasm_global_t* global = wasm_ref_as_global(object->pointer);
  wasm_val_t value = {.kind = object->cell->content};
  forget_error();
  wasm_global_get(global, &value);
  EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  EXPECT_PTR(value.of.ref, NULL);
  forget_error();
  wasm_global_set(global, &value);
  EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  return true;
}

static wasm_val_t global_get(object_t* object) {
  wasm_val_t actual;
  memset(&actual, 0xa5, sizeof actual);
  wasm_global_get(wasm_ref_as_global(object->pointer), &actual);
  return actual;
}

void step_global_get(void) {
  object_t* object = pick(1u << GLOBAL);
  if (!object || is_closed(object)) return;
  wasm_val_t actual = global_get(object);
  adopt_value(&actual, &object->cell->value, "a global");
}

void step_global_set(void) {
  object_t* object = pick(1u << GLOBAL);
  if (!object || is_closed(object)) return;
  wasm_global_t* global = wasm_ref_as_global(object->pointer);
  cell_t* cell = object->cell;
  value_t value = any_value(cell->content, object->store);
  wasm_val_t actual = borrow_value(&value);
  unsigned mistake = below(8);
  object_t* other = pick_foreign_to(1u << FUNC | 1u << FOREIGN, object->store);
  if (!cell->variable) {
    EXPECT_LEAVES_ERROR(wasm_global_set(global, &actual));
  } else if (mistake == 0) {
    value_t wrong = any_value(another_kind(cell->content), object->store);
    actual = borrow_value(&wrong);
    EXPECT_LEAVES_ERROR(wasm_global_set(global, &actual));
  } else if (mistake == 1 && is_reference(cell->content) && other) {
    actual = (wasm_val_t){.kind = cell->content, .of = {.ref = other->pointer}};
    EXPECT_LEAVES_ERROR(wasm_global_set(global, &actual));
  } else if (mistake == 2 && cell->content == WASM_FUNCREF) {
    object_t* wrong = pick_of(ANY_KIND & ~(1u << FUNC), object->store);
    if (!wrong) return;
    actual.of.ref = wrong->pointer;
    EXPECT_LEAVES_ERROR(wasm_global_set(global, &actual));
  } else if (mistake == 3) {
    EXPECT_LEAVES_ERROR(wasm_global_set(global, NULL));
  } else {
    value_t former = cell->value;
    cell_hold(value.object, cell->content);
    cell->value = value;
    cell_release(former.object, cell->content);
    wasm_global_set(global, &actual);
  }
  wasm_val_t after = global_get(object);
  adopt_value(&after, &cell->value, "a global after it was set");
}

// ------------------------------------------------------------------------------------------------
// Tables

void step_table_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  wasm_valkind_t element = one_in(2) ? WASM_FUNCREF : WASM_EXTERNREF;
  uint32_t min = below(8), max = one_in(3) ? wasm_limits_max_default : min + below(8);
  value_t init = any_element(element, true, store);
  wasm_tabletype_t* type = new_tabletype(element, min, max);
  object_t* other = one_in(4) ? pick_foreign_to(1u << FUNC, store) : NULL;
  if (other) EXPECT_REFUSED(!wasm_table_new(store->pointer, type, other->pointer));
  object_t* wrong =
      one_in(4) && element == WASM_FUNCREF ? pick_of(ANY_KIND & ~(1u << FUNC), store) : NULL;
  if (wrong) EXPECT_REFUSED(!wasm_table_new(store->pointer, type, wrong->pointer));
  if (lacks.tables) {
    EXPECT_REFUSED_AS(WASMRT_ERROR_UNSUPPORTED, !wasm_table_new(store->pointer, type, NULL));
    wasm_tabletype_delete(type);
    return;
  }
  cell_t* cell = model_memory(sizeof *cell);
  *cell = (cell_t){.kind = TABLE, .content = element, .size = min, .max = max, .only_host = true};
  for (uint32_t i = 0; i < min; i++) {
    cell->elements[i] = init.object;
    cell_hold(init.object, element);
  }
  // The engine may or may not have seen an element that no slot took.
  if (init.object && element == WASM_EXTERNREF) init.object->uncertain = true;
  if (init.object && element == WASM_FUNCREF) init.object->uncertain = true;
  wasm_table_t* table =
      wasm_table_new(store->pointer, type, init.object ? init.object->pointer : NULL);
  wasm_tabletype_delete(type);
  object_t* object = adopt_new(table, TABLE, store);
  object->cell = cell;
  EXPECT_INT(wasm_table_size(table), min);
}

void step_table_get(void) {
  object_t* object = pick(1u << TABLE);
  if (!object) return;
  const wasm_table_t* table = wasm_ref_as_table_const(object->pointer);
  uint32_t index = below(object->cell->size + 3);
  if (one_in(16)) index = next_u32() | 0x80000000;
  if (index >= object->cell->size) {
    EXPECT_REFUSED(!wasm_table_get(table, index));
    return;
  }
  if (lacks.tables) {
    EXPECT_REFUSED_AS(WASMRT_ERROR_UNSUPPORTED, !wasm_table_get(table, index));
    return;
  }
  adopt_element(wasm_table_get(table, index), object->cell, index);
}

void step_table_set(void) {
  object_t* object = pick(1u << TABLE);
  if (!object) return;
  wasm_table_t* table = wasm_ref_as_table(object->pointer);
  cell_t* cell = object->cell;
  uint32_t index = below(cell->size + 2);
  value_t value = any_element(cell->content, cell->only_host, object->store);
  wasm_ref_t* ref = value.object ? value.object->pointer : NULL;
  object_t* other = one_in(4) ? pick_foreign_to(1u << FUNC | 1u << FOREIGN, object->store) : NULL;
  object_t* wrong = one_in(4) && cell->content == WASM_FUNCREF
                        ? pick_of(ANY_KIND & ~(1u << FUNC), object->store)
                        : NULL;
  if (lacks.tables) {
    EXPECT_REFUSED(!wasm_table_set(table, index, NULL));
    return;
  }
  if (other) {
    EXPECT_REFUSED(!wasm_table_set(table, index, other->pointer));
  } else if (wrong) {
    EXPECT_REFUSED(!wasm_table_set(table, index, wrong->pointer));
  } else if (index >= cell->size) {
    if (value.object) value.object->uncertain = true;
    EXPECT_REFUSED(!wasm_table_set(table, index, ref));
  } else {
    object_t* former = cell->elements[index];
    cell_hold(value.object, cell->content);
    cell->elements[index] = value.object;
    cell_release(former, cell->content);
    EXPECT(wasm_table_set(table, index, ref));
  }
  if (index < cell->size) adopt_element(wasm_table_get(table, index), cell, index);
}

void step_table_grow(void) {
  object_t* object = pick(1u << TABLE);
  if (!object) return;
  wasm_table_t* table = wasm_ref_as_table(object->pointer);
  cell_t* cell = object->cell;
  uint32_t room = (cell->max < MAX_ELEMENTS ? cell->max : MAX_ELEMENTS) - cell->size;
  uint32_t delta = below(room + 1);
  value_t value = any_element(cell->content, cell->only_host, object->store);
  wasm_ref_t* ref = value.object ? value.object->pointer : NULL;
  object_t* other = one_in(4) ? pick_foreign_to(1u << FUNC, object->store) : NULL;
  if (value.object) value.object->uncertain = true;
  if (other) {
    EXPECT_REFUSED(!wasm_table_grow(table, delta, other->pointer));
  } else if (lacks.growth) {
    EXPECT_REFUSED_AS(WASMRT_ERROR_UNSUPPORTED, !wasm_table_grow(table, delta, NULL));
  } else if (one_in(4) && cell->max != wasm_limits_max_default) {
    EXPECT_REFUSED(!wasm_table_grow(table, cell->max - cell->size + 1 + below(4), ref));
  } else if (one_in(4)) {
    EXPECT_REFUSED(!wasm_table_grow(table, UINT32_MAX - below(40), ref));
  } else {
    for (uint32_t i = 0; i < delta; i++) {
      cell->elements[cell->size++] = value.object;
      cell_hold(value.object, cell->content);
    }
    EXPECT(wasm_table_grow(table, delta, ref));
  }
  EXPECT_INT(wasm_table_size(table), cell->size);
}

// ------------------------------------------------------------------------------------------------
// Memories

void step_memory_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  uint32_t min = below(3);
  uint32_t max = one_in(3) ? wasm_limits_max_default : min + below(3);
  wasm_memorytype_t* type = new_memorytype(min, max);
  wasm_memory_t* memory = wasm_memory_new(store->pointer, type);
  wasm_memorytype_delete(type);
  object_t* object = adopt_new(memory, MEMORY, store);
  object->cell = model_memory(sizeof(cell_t));
  *object->cell = (cell_t){.kind = MEMORY, .size = min, .max = max};
}

void step_memory_access(void) {
  object_t* object = pick(1u << MEMORY);
  if (!object) return;
  wasm_memory_t* memory = wasm_ref_as_memory(object->pointer);
  cell_t* cell = object->cell;
  EXPECT_INT(wasm_memory_size(memory), cell->size);
  EXPECT_INT(wasm_memory_data_size(memory), cell->size * MEMORY_PAGE_SIZE);
  char* data = wasm_memory_data(memory);
  for (uint32_t page = 0; page < cell->size; page++) {
    uint8_t* first = (uint8_t*)data + page * MEMORY_PAGE_SIZE;
    uint8_t* last = first + MEMORY_PAGE_SIZE - 1;
    EXPECT_INT(*first, cell->first[page]);
    EXPECT_INT(*last, cell->last[page]);
    if (one_in(2)) *first = cell->first[page] = next_byte();
    if (one_in(2)) *last = cell->last[page] = next_byte();
  }
}

void step_memory_grow(void) {
  object_t* object = pick(1u << MEMORY);
  if (!object) return;
  wasm_memory_t* memory = wasm_ref_as_memory(object->pointer);
  cell_t* cell = object->cell;
  uint32_t limit = cell->max == wasm_limits_max_default ? 65536 : cell->max;
  switch (below(4)) {
    case 0: EXPECT_REFUSED(!wasm_memory_grow(memory, limit - cell->size + 1)); break;
    case 1: EXPECT_REFUSED(!wasm_memory_grow(memory, UINT32_MAX - below(3))); break;
    default: {
      uint32_t room = (limit < MAX_PAGES ? limit : MAX_PAGES) - cell->size;
      uint32_t delta = below(room + 1);
      EXPECT(wasm_memory_grow(memory, delta));
      cell->size += delta;
    }
  }
  EXPECT_INT(wasm_memory_size(memory), cell->size);
  EXPECT_INT(wasm_memory_data_size(memory), cell->size * MEMORY_PAGE_SIZE);
  char* data = wasm_memory_data(memory);
  for (uint32_t page = 0; page < cell->size; page++) {
    EXPECT_INT((uint8_t)data[page * MEMORY_PAGE_SIZE], cell->first[page]);
    EXPECT_INT((uint8_t)data[(page + 1) * MEMORY_PAGE_SIZE - 1], cell->last[page]);
  }
}
