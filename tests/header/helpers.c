// Uses every macro, constant and static inline helper that wasm.h gives to C programs and checks what each one does.
// Compiled against the upstream header as well, so that what is asked here is what the standard means.
#include <wasm.h>

#include <stdarg.h>
#include <stdio.h>

static int failures = 0;

static void check(bool holds, const char* subject, const char* condition) {
  if (holds) return;
  printf("%s: %s does not hold\n", subject, condition);
  failures++;
}
#define CHECK(subject, condition) check((condition), (subject), #condition)

static bool kinds_are(const wasm_valtype_vec_t* types, size_t size, va_list* kinds) {
  if (types->size != size) return false;
  for (size_t i = 0; i < size; i++) {
    if (wasm_valtype_kind(types->data[i]) != va_arg(*kinds, int)) return false;
  }
  return true;
}

// Checks the kinds of the parameters, then of the results, and deletes the type.
static void check_functype(const char* subject, wasm_functype_t* type, size_t parameter_count,
                           size_t result_count, ...) {
  va_list kinds;
  va_start(kinds, result_count);
  bool parameters_hold = kinds_are(wasm_functype_params(type), parameter_count, &kinds);
  CHECK(subject, parameters_hold);
  bool results_hold =
      parameters_hold && kinds_are(wasm_functype_results(type), result_count, &kinds);
  CHECK(subject, results_hold);
  va_end(kinds);
  wasm_functype_delete(type);
}

static void check_valtype(const char* subject, wasm_valtype_t* type, wasm_valkind_t kind) {
  CHECK(subject, type != NULL);
  CHECK(subject, wasm_valtype_kind(type) == kind);
  CHECK(subject, wasm_valtype_is_num(type) == (kind < 128));
  CHECK(subject, wasm_valtype_is_ref(type) == (kind >= 128));
  wasm_valtype_delete(type);
}

static void check_kinds(void) {
  const wasm_valkind_t numbers[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64};
  const wasm_valkind_t references[] = {WASM_EXTERNREF, WASM_FUNCREF};
  for (size_t i = 0; i < 4; i++) {
    CHECK("wasm_valkind_is_num", wasm_valkind_is_num(numbers[i]));
    CHECK("wasm_valkind_is_ref", !wasm_valkind_is_ref(numbers[i]));
  }
  for (size_t i = 0; i < 2; i++) {
    CHECK("wasm_valkind_is_num", !wasm_valkind_is_num(references[i]));
    CHECK("wasm_valkind_is_ref", wasm_valkind_is_ref(references[i]));
  }
  check_valtype("wasm_valtype_new_i32", wasm_valtype_new_i32(), 0);
  check_valtype("wasm_valtype_new_i64", wasm_valtype_new_i64(), 1);
  check_valtype("wasm_valtype_new_f32", wasm_valtype_new_f32(), 2);
  check_valtype("wasm_valtype_new_f64", wasm_valtype_new_f64(), 3);
  check_valtype("wasm_valtype_new_externref", wasm_valtype_new_externref(), 128);
  check_valtype("wasm_valtype_new_funcref", wasm_valtype_new_funcref(), 129);
}

static void check_functypes(void) {
#define I32 wasm_valtype_new_i32()
#define I64 wasm_valtype_new_i64()
#define F32 wasm_valtype_new_f32()
#define F64 wasm_valtype_new_f64()
#define REF wasm_valtype_new_externref()
  check_functype("wasm_functype_new_0_0", wasm_functype_new_0_0(), 0, 0);
  check_functype("wasm_functype_new_1_0", wasm_functype_new_1_0(I64), 1, 0, 1);
  check_functype("wasm_functype_new_2_0", wasm_functype_new_2_0(I64, F32), 2, 0, 1, 2);
  check_functype("wasm_functype_new_3_0", wasm_functype_new_3_0(I64, F32, F64), 3, 0, 1, 2, 3);
  check_functype("wasm_functype_new_0_1", wasm_functype_new_0_1(REF), 0, 1, 128);
  check_functype("wasm_functype_new_1_1", wasm_functype_new_1_1(I64, REF), 1, 1, 1, 128);
  check_functype("wasm_functype_new_2_1", wasm_functype_new_2_1(I64, F32, REF), 2, 1, 1, 2, 128);
  check_functype("wasm_functype_new_3_1", wasm_functype_new_3_1(I64, F32, F64, REF), 3, 1, 1, 2, 3,
                 128);
  check_functype("wasm_functype_new_0_2", wasm_functype_new_0_2(REF, I32), 0, 2, 128, 0);
  check_functype("wasm_functype_new_1_2", wasm_functype_new_1_2(I64, REF, I32), 1, 2, 1, 128, 0);
  check_functype("wasm_functype_new_2_2", wasm_functype_new_2_2(I64, F32, REF, I32), 2, 2, 1, 2,
                 128, 0);
  check_functype("wasm_functype_new_3_2", wasm_functype_new_3_2(I64, F32, F64, REF, I32), 3, 2, 1,
                 2, 3, 128, 0);
}

static void check_values(void) {
  int object = 0;
  wasm_ref_t* reference = (wasm_ref_t*)&object; // never looked into
  wasm_val_t values[] = {
      WASM_I32_VAL(-7),    WASM_I64_VAL(-7000000000), WASM_F32_VAL(1.5f),
      WASM_F64_VAL(-2.25), WASM_REF_VAL(reference),   WASM_INIT_VAL,
  };
  CHECK("WASM_I32_VAL", values[0].kind == WASM_I32 && values[0].of.i32 == -7);
  CHECK("WASM_I64_VAL", values[1].kind == WASM_I64 && values[1].of.i64 == -7000000000);
  CHECK("WASM_F32_VAL", values[2].kind == WASM_F32 && values[2].of.f32 == 1.5f);
  CHECK("WASM_F64_VAL", values[3].kind == WASM_F64 && values[3].of.f64 == -2.25);
  CHECK("WASM_REF_VAL", values[4].kind == WASM_EXTERNREF && values[4].of.ref == reference);
  CHECK("WASM_INIT_VAL", values[5].kind == WASM_EXTERNREF && values[5].of.ref == NULL);

  wasm_val_vec_t all = WASM_ARRAY_VEC(values);
  CHECK("WASM_ARRAY_VEC", all.size == 6 && all.data == values);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  CHECK("WASM_EMPTY_VEC", none.size == 0 && none.data == NULL);

  wasm_val_t pointer;
  wasm_val_init_ptr(&pointer, &object);
  CHECK("wasm_val_init_ptr", pointer.kind == (sizeof(void*) == 8 ? WASM_I64 : WASM_I32));
  CHECK("wasm_val_init_ptr", sizeof(void*) != 8 || pointer.of.i64 == (intptr_t)&object);
  CHECK("wasm_val_ptr", wasm_val_ptr(&pointer) == &object);
}

static void check_names(void) {
  wasm_name_t name, copy;
  wasm_name_new_from_string(&name, "four");
  CHECK("wasm_name_new_from_string", name.size == 4 && memcmp(name.data, "four", 4) == 0);
  wasm_name_copy(&copy, &name);
  CHECK("wasm_name_copy", copy.size == 4 && copy.data != name.data);
  wasm_name_delete(&copy);
  wasm_name_delete(&name);
  wasm_name_new_from_string_nt(&name, "four");
  CHECK("wasm_name_new_from_string_nt", name.size == 5 && memcmp(name.data, "four", 5) == 0);
  wasm_name_delete(&name);
  wasm_name_new(&name, 2, "ab");
  CHECK("wasm_name_new", name.size == 2 && name.data[0] == 'a');
  wasm_name_delete(&name);
  wasm_name_new_uninitialized(&name, 3);
  CHECK("wasm_name_new_uninitialized", name.size == 3 && name.data != NULL);
  wasm_name_delete(&name);
  wasm_name_new_empty(&name);
  CHECK("wasm_name_new_empty", name.size == 0);

#define TEXT_OF(macro) TEXT(macro)
#define TEXT(tokens) #tokens
  CHECK("wasm_name", strcmp(TEXT_OF(wasm_name), "wasm_byte_vec") == 0);
}

static void check_constants(void) {
  CHECK("wasm_limits_max_default", wasm_limits_max_default == UINT32_MAX);
  CHECK("MEMORY_PAGE_SIZE", MEMORY_PAGE_SIZE == 65536);
  int own = 1; // the header's word for ownership must not stay behind as a macro
  CHECK("own", own == 1);
}

int main(void) {
  check_kinds();
  check_functypes();
  check_values();
  check_names();
  check_constants();
  return failures != 0;
}
