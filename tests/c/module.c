// Modules: compiling, validating, and the reflection of what they import and export.
#include "test.h"

static const uint32_t unlimited = 0xffffffff;

TEST(module_new) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t binary = binary_from_wat("(module)");
  wasm_module_t* module = wasm_module_new(fixture.store, &binary);
  REQUIRE(module);
  CHECK(wasm_module_validate(fixture.store, &binary));
  wasm_byte_vec_delete(&binary); // not needed any more
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// A caller may pass bytes of its own.
TEST(module_new_from_a_borrowed_view) {
  fixture_t fixture = fixture_new();
  wasm_byte_t bytes[8] = {0, 'a', 's', 'm', 1, 0, 0, 0};
  wasm_byte_vec_t view = WASM_ARRAY_VEC(bytes);
  wasm_module_t* module = wasm_module_new(fixture.store, &view);
  REQUIRE(module);
  memset(bytes, 0xff, sizeof(bytes));
  wasm_instance_delete(instantiate(fixture.store, module, NULL, 0));
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

static void check_refused(wasm_store_t* store, const void* bytes, size_t size) {
  wasm_byte_vec_t view = {size, (wasm_byte_t*)(uintptr_t)bytes};
  CHECK_FAILS(wasm_module_new(store, &view) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  CHECK_FAILS(!wasm_module_validate(store, &view));
}

TEST(module_new_of_what_is_no_module) {
  fixture_t fixture = fixture_new();
  check_refused(fixture.store, "", 0);
  check_refused(fixture.store, NULL, 0);
  check_refused(fixture.store, "(module)", 8); // text is for wasmrt_wat2wasm
  check_refused(fixture.store, "\0asm", 4);
  check_refused(fixture.store, "\0asm\1\0\0", 7);
  check_refused(fixture.store, "\0asm\2\0\0\0", 8);
  check_refused(fixture.store, "\0asm\r\0\1\0", 8); // a component
  check_refused(fixture.store, "\177ELF\2\1\1\0\0\0\0\0\0\0\0\0", 16);
  fixture_delete(&fixture);
}

TEST(module_validate_checks_types) {
  fixture_t fixture = fixture_new();
  wasm_byte_vec_t wrong = binary_from_wat("(module (func (result i32)))");
  check_refused(fixture.store, wrong.data, wrong.size);
  wasm_byte_vec_delete(&wrong);
  wasm_byte_vec_t right = binary_from_wat("(module (func (result i32) (i32.const 1)))");
  CHECK(wasm_module_validate(fixture.store, &right));
  wasm_byte_vec_delete(&right);
  fixture_delete(&fixture);
}

// Makes a text of `head`, then `times` times `piece`, then `tail`.
static wasm_byte_vec_t binary_repeating(const char* head, const char* piece, size_t times,
                                        const char* tail) {
  size_t length = strlen(piece), size = strlen(head) + times * length + strlen(tail);
  char* wat = malloc(size + 1);
  REQUIRE(wat);
  strcpy(wat, head);
  char* end = wat + strlen(head);
  for (size_t i = 0; i < times; i++, end += length) memcpy(end, piece, length);
  strcpy(end, tail);
  wasm_byte_vec_t binary = binary_from_wat(wat);
  free(wat);
  return binary;
}

// A valid module may be beyond what an engine compiles; then validation refuses it too, with the
// same message.
TEST(module_validate_agrees_with_module_new) {
  static const struct {
    const char *head, *piece, *tail, *words;
    size_t times;
  } cases[] = {
      {"(module (func) (func (local", " i32", ")))", "locals", 29999},
      {"(module (func) (func (param i64) (local", " i32", ")))", "locals", 29999},
      {"(module (func) (func (param i64) (local", " i32", ")))", "locals", 30000},
      {"(module (func) (func (local", " i32", ")))", "locals", 49000},
      {"(module (func) (func (local", " v128", ")))", "locals", 40000},
      {"(module (func) (func (local", " i32", ")))", "locals", 50000},
      {"(module (func) (func (local", " i32", ")))", "locals", 50001},
      {"(module (func", " i32.const 1", " unreachable))", "operands", 70000},
      {"(module (func (block i32.const 0 br_table", " 0", ")))", "br_table", 65521},
      {"(module (func (block i32.const 0 br_table", " 0", ")))", "br_table", 65522},
      {"(module (func (block unreachable br_table", " 0", ")))", "br_table", 70000},
      {"(module (@custom \"webidl-bindings\" \"", "x", "\"))", "webidl-bindings", 1},
      {"(module (func (result", " i32", ") unreachable))", "returns", 1001},
  };
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    wasm_byte_vec_t binary =
        binary_repeating(cases[i].head, cases[i].piece, cases[i].times, cases[i].tail);
    wasmrt_last_error_clear();
    bool valid = wasm_module_validate(fixture.store, &binary);
    char* message = strdup(valid ? "" : wasmrt_last_error_message());
    wasmrt_error_kind_t kind = wasmrt_last_error_kind();
    uint64_t offset = 0, other_offset = 0;
    wasmrt_last_error_offset(&offset);
    wasmrt_last_error_clear();
    wasm_module_t* module = wasm_module_new(fixture.store, &binary);
    if (!CHECK_INT(valid, module != NULL)) {
      fprintf(stderr, "    case %zu: %s\n", i, valid ? wasmrt_last_error_message() : message);
    } else if (!valid) {
      CHECK_INT(wasmrt_last_error_kind(), kind);
      CHECK_STR(wasmrt_last_error_message(), message);
      CHECK_CONTAINS(message, cases[i].words);
      wasmrt_last_error_offset(&other_offset);
      CHECK_INT(other_offset, offset);
    }
    if (!valid && kind == WASMRT_ERROR_COMPILE && strcmp(cases[i].words, "locals") == 0)
      CHECK_CONTAINS(message, "function 1");
    free(message);
    wasm_module_delete(module);
    wasm_byte_vec_delete(&binary);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Reflection

static const wasm_externtype_t* check_import(const wasm_importtype_vec_t* types, size_t index,
                                             const char* module, const char* name,
                                             wasm_externkind_t kind) {
  REQUIRE(index < types->size);
  const wasm_importtype_t* type = types->data[index];
  CHECK_STR(wasm_importtype_module(type)->data, module);
  CHECK_INT(wasm_importtype_module(type)->size, strlen(module));
  CHECK_STR(wasm_importtype_name(type)->data, name);
  CHECK_INT(wasm_importtype_name(type)->size, strlen(name));
  CHECK_INT(wasm_externtype_kind(wasm_importtype_type(type)), kind);
  return wasm_importtype_type(type);
}

static const wasm_externtype_t* check_export(const wasm_exporttype_vec_t* types, size_t index,
                                             const char* name, wasm_externkind_t kind) {
  REQUIRE(index < types->size);
  const wasm_exporttype_t* type = types->data[index];
  CHECK_STR(wasm_exporttype_name(type)->data, name);
  CHECK_INT(wasm_exporttype_name(type)->size, strlen(name));
  CHECK_INT(wasm_externtype_kind(wasm_exporttype_type(type)), kind);
  return wasm_exporttype_type(type);
}

static void check_global(const wasm_externtype_t* type, wasm_valkind_t kind,
                         wasm_mutability_t mutability) {
  const wasm_globaltype_t* global = wasm_externtype_as_globaltype_const(type);
  REQUIRE(global);
  CHECK_INT(wasm_valtype_kind(wasm_globaltype_content(global)), kind);
  CHECK_INT(wasm_globaltype_mutability(global), mutability);
}

static void check_table(const wasm_externtype_t* type, wasm_valkind_t kind, uint32_t min,
                        uint32_t max) {
  const wasm_tabletype_t* table = wasm_externtype_as_tabletype_const(type);
  REQUIRE(table);
  CHECK_INT(wasm_valtype_kind(wasm_tabletype_element(table)), kind);
  CHECK_INT(wasm_tabletype_limits(table)->min, min);
  CHECK_INT(wasm_tabletype_limits(table)->max, max);
}

static void check_memory(const wasm_externtype_t* type, uint32_t min, uint32_t max) {
  const wasm_memorytype_t* memory = wasm_externtype_as_memorytype_const(type);
  REQUIRE(memory);
  CHECK_INT(wasm_memorytype_limits(memory)->min, min);
  CHECK_INT(wasm_memorytype_limits(memory)->max, max);
}

static void check_func(const wasm_externtype_t* type, const char* parameters, const char* results) {
  const wasm_functype_t* func = wasm_externtype_as_functype_const(type);
  REQUIRE(func);
  CHECK(functype_is(func, parameters, results));
}

// Kinds interleaved and names neither sorted nor unique, so that any regrouping shows.
TEST(module_imports_in_declared_order) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module"
      "  (import \"z\" \"memory\" (memory 1 2))"
      "  (import \"b\" \"z\" (func (param i32 i64 f32 f64 externref funcref) (result f64 i32)))"
      "  (import \"b\" \"a\" (global (mut f32)))"
      "  (import \"a\" \"t\" (table 3 funcref))"
      "  (import \"b\" \"z\" (func))"
      "  (import \"a\" \"g\" (global externref))"
      "  (import \"\" \"\" (table 0 5 externref))"
      "  (import \"a\" \"a\" (func (result funcref))))");
  wasm_importtype_vec_t types;
  GARBAGE(types);
  wasm_module_imports(module, &types);
  CHECK_INT(types.size, 8);
  check_memory(check_import(&types, 0, "z", "memory", WASM_EXTERN_MEMORY), 1, 2);
  check_func(check_import(&types, 1, "b", "z", WASM_EXTERN_FUNC), "iIfFer", "Fi");
  check_global(check_import(&types, 2, "b", "a", WASM_EXTERN_GLOBAL), WASM_F32, WASM_VAR);
  check_table(check_import(&types, 3, "a", "t", WASM_EXTERN_TABLE), WASM_FUNCREF, 3, unlimited);
  check_func(check_import(&types, 4, "b", "z", WASM_EXTERN_FUNC), "", "");
  check_global(check_import(&types, 5, "a", "g", WASM_EXTERN_GLOBAL), WASM_EXTERNREF, WASM_CONST);
  check_table(check_import(&types, 6, "", "", WASM_EXTERN_TABLE), WASM_EXTERNREF, 0, 5);
  check_func(check_import(&types, 7, "a", "a", WASM_EXTERN_FUNC), "", "r");
  wasm_module_delete(module);
  wasm_importtype_vec_t copy;
  wasm_importtype_vec_copy(&copy, &types);
  wasm_importtype_vec_delete(&types);
  check_func(check_import(&copy, 1, "b", "z", WASM_EXTERN_FUNC), "iIfFer", "Fi");
  wasm_importtype_vec_delete(&copy);
  fixture_delete(&fixture);
}

TEST(module_exports_in_declared_order) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store,
                                          "(module"
                                          "  (func $f (param i64) (result i64) (local.get 0))"
                                          "  (global $g (mut i64) (i64.const 1))"
                                          "  (table $t 2 4 externref)"
                                          "  (memory $m 1)"
                                          "  (export \"z\" (memory $m))"
                                          "  (export \"a\" (func $f))"
                                          "  (export \"y\" (global $g))"
                                          "  (export \"\" (table $t))"
                                          "  (export \"b\" (func $f))"
                                          "  (export \"x\" (memory $m)))");
  wasm_exporttype_vec_t types;
  GARBAGE(types);
  wasm_module_exports(module, &types);
  CHECK_INT(types.size, 6);
  check_memory(check_export(&types, 0, "z", WASM_EXTERN_MEMORY), 1, unlimited);
  check_func(check_export(&types, 1, "a", WASM_EXTERN_FUNC), "I", "I");
  check_global(check_export(&types, 2, "y", WASM_EXTERN_GLOBAL), WASM_I64, WASM_VAR);
  check_table(check_export(&types, 3, "", WASM_EXTERN_TABLE), WASM_EXTERNREF, 2, 4);
  check_func(check_export(&types, 4, "b", WASM_EXTERN_FUNC), "I", "I");
  check_memory(check_export(&types, 5, "x", WASM_EXTERN_MEMORY), 1, unlimited);
  wasm_exporttype_vec_delete(&types);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(module_without_imports_and_exports) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  wasm_importtype_vec_t imports;
  wasm_exporttype_vec_t exports;
  GARBAGE(imports);
  GARBAGE(exports);
  wasm_module_imports(module, &imports);
  wasm_module_exports(module, &exports);
  CHECK_INT(imports.size, 0);
  CHECK_INT(exports.size, 0);
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(names_of_a_module_are_not_touched) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"m\\00\" \"\\00n\\00\\00\" (func))"
                      "  (func (export \"e\\00\")) (func (export \"\\00\")) (func "
                      "(export \"gr\\c3\\bc\\c3\\9f\")))");
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  REQUIRE(imports.size == 1);
  CHECK(bytes_are(wasm_importtype_module(imports.data[0]), "m\0", 2));
  CHECK(bytes_are(wasm_importtype_name(imports.data[0]), "\0n\0\0", 4));
  CHECK_INT(wasm_importtype_name(imports.data[0])->data[4], 0); // the zero after the end
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  REQUIRE(exports.size == 3);
  CHECK(bytes_are(wasm_exporttype_name(exports.data[0]), "e\0", 2));
  CHECK(bytes_are(wasm_exporttype_name(exports.data[1]), "\0", 1));
  CHECK(bytes_are(wasm_exporttype_name(exports.data[2]), "gr\xc3\xbc\xc3\x9f", 6));
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(reflection_of_v128) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"\" \"f\" (func (param v128 i32) (result v128)))"
                      "  (import \"\" \"g\" (global v128))"
                      "  (global (export \"g\") (mut v128) (v128.const i64x2 1 2))"
                      "  (func (export \"f\") (result v128) (v128.const i64x2 3 4)))");
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  const wasm_functype_t* func =
      wasm_externtype_as_functype_const(check_import(&imports, 0, "", "f", WASM_EXTERN_FUNC));
  REQUIRE(func && wasm_functype_params(func)->size == 2 && wasm_functype_results(func)->size == 1);
  CHECK_INT(wasm_valtype_kind(wasm_functype_params(func)->data[0]), WASMRT_V128);
  CHECK_INT(wasm_valtype_kind(wasm_functype_params(func)->data[1]), WASM_I32);
  CHECK_INT(wasm_valtype_kind(wasm_functype_results(func)->data[0]), WASMRT_V128);
  check_global(check_import(&imports, 1, "", "g", WASM_EXTERN_GLOBAL), WASMRT_V128, WASM_CONST);
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  check_global(check_export(&exports, 0, "g", WASM_EXTERN_GLOBAL), WASMRT_V128, WASM_VAR);
  func = wasm_externtype_as_functype_const(check_export(&exports, 1, "f", WASM_EXTERN_FUNC));
  REQUIRE(func && wasm_functype_results(func)->size == 1);
  CHECK_INT(wasm_valtype_kind(wasm_functype_results(func)->data[0]), WASMRT_V128);
  wasm_exporttype_vec_delete(&exports);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// The limits in wasm.h have 32 bits: a larger number is shown as the largest possible.
TEST(reflection_of_64_bit_memories) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(fixture.store,
                                              "(module (import \"\" \"m\" (memory i64 1 2))"
                                              "  (import \"\" \"n\" (memory i64 3 0x800000000000))"
                                              "  (import \"\" \"o\" (memory i64 5)))");
  if (!module) { // an engine without several memories
    module = try_module_from_wat(fixture.store, "(module (import \"\" \"m\" (memory i64 1 2)))");
  }
  REQUIRE(module);
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  check_memory(check_import(&imports, 0, "", "m", WASM_EXTERN_MEMORY), 1, 2);
  if (imports.size == 3) {
    check_memory(check_import(&imports, 1, "", "n", WASM_EXTERN_MEMORY), 3, unlimited);
    check_memory(check_import(&imports, 2, "", "o", WASM_EXTERN_MEMORY), 5, unlimited);
  }
  wasm_importtype_vec_delete(&imports);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

TEST(reflection_of_tags) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = try_module_from_wat(
      fixture.store,
      "(module (import \"\" \"f\" (func))"
      "  (import \"\" \"t\" (tag (param i32 f64)))"
      "  (import \"\" \"g\" (global i32))"
      "  (tag (export \"own\") (param i64)) (export \"again\" (tag 0)) (export \"f\" (func 0)))");
  if (module) {
    wasm_importtype_vec_t imports;
    wasm_module_imports(module, &imports);
    CHECK_INT(imports.size, 3);
    check_func(check_import(&imports, 0, "", "f", WASM_EXTERN_FUNC), "", "");
    const wasm_tagtype_t* tag =
        wasm_externtype_as_tagtype_const(check_import(&imports, 1, "", "t", WASM_EXTERN_TAG));
    REQUIRE(tag);
    CHECK(functype_is(wasm_tagtype_functype(tag), "iF", ""));
    check_global(check_import(&imports, 2, "", "g", WASM_EXTERN_GLOBAL), WASM_I32, WASM_CONST);
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_t exports;
    wasm_module_exports(module, &exports);
    CHECK_INT(exports.size, 3);
    tag = wasm_externtype_as_tagtype_const(check_export(&exports, 0, "own", WASM_EXTERN_TAG));
    REQUIRE(tag);
    CHECK(functype_is(wasm_tagtype_functype(tag), "I", ""));
    tag = wasm_externtype_as_tagtype_const(check_export(&exports, 1, "again", WASM_EXTERN_TAG));
    REQUIRE(tag);
    CHECK(functype_is(wasm_tagtype_functype(tag), "iF", ""));
    check_func(check_export(&exports, 2, "f", WASM_EXTERN_FUNC), "", "");
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// Modules of newer proposals: refused with a message, or reflected without a NULL anywhere.
TEST(reflection_never_aborts) {
  const char* wats[] = {
      "(module (import \"\" \"\" (table i64 1 2 funcref)))",
      "(module (import \"\" \"\" (memory 1 2 shared)))",
      "(module (import \"\" \"\" (memory i64 1 2 shared)))",
      "(module (import \"\" \"\" (global (ref null any))))",
      "(module (import \"\" \"\" (global (ref eq))))",
      "(module (import \"\" \"\" (global (mut (ref null exn)))))",
      "(module (import \"\" \"\" (func (param i31ref) (result structref arrayref))))",
      "(module (import \"\" \"\" (func (param (ref func)) (result (ref extern)))))",
      "(module (type $t (func)) (import \"\" \"\" (func (param (ref $t)) (result (ref null $t)))))",
      "(module (type $s (struct (field i32))) (import \"\" \"\" (global (ref null $s))))",
      "(module (type $a (array i8)) (import \"\" \"\" (table 1 (ref null $a))))",
      "(module (import \"\" \"\" (table 1 2 anyref)))",
      "(module (import \"\" \"\" (func (param nullref nullfuncref nullexternref))))",
      "(module (memory (export \"a\") 1) (memory (export \"b\") 2) (import \"\" \"\" (func)))",
      "(module (memory 1 1 (pagesize 1)) (export \"m\" (memory 0)))",
  };
  fixture_t fixture = fixture_new();
  for (size_t i = 0; i < sizeof(wats) / sizeof(*wats); i++) {
    wasm_byte_vec_t binary;
    // What the text parser does not know cannot be tried either.
    if (!wasmrt_wat2wasm(wats[i], strlen(wats[i]), &binary)) continue;
    wasmrt_last_error_clear();
    wasm_module_t* module = wasm_module_new(fixture.store, &binary);
    CHECK_INT(module != NULL, wasm_module_validate(fixture.store, &binary));
    wasm_byte_vec_delete(&binary);
    if (!module) {
      CHECK(wasmrt_last_error_message() != NULL);
      continue;
    }
    wasm_importtype_vec_t imports;
    wasm_exporttype_vec_t exports;
    wasm_module_imports(module, &imports);
    wasm_module_exports(module, &exports);
    CHECK(imports.size + exports.size > 0);
    for (size_t j = 0; j < imports.size; j++) {
      CHECK(wasm_importtype_type(imports.data[j]) != NULL);
    }
    for (size_t j = 0; j < exports.size; j++) {
      CHECK(wasm_exporttype_type(exports.data[j]) != NULL);
    }
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_delete(&exports);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------

TEST(module_name) {
  fixture_t fixture = fixture_new();
  static const struct {
    const char *wat, *name;
  } rows[] = {
      {"(module)", ""}, {"(module $a_name (func $f))", "a_name"}, {"(module (func $f))", ""}};
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    wasm_module_t* module = module_from_wat(fixture.store, rows[i].wat);
    wasm_name_t name;
    GARBAGE(name);
    wasmrt_module_name(module, &name);
    CHECK(name_is(&name, rows[i].name));
    wasm_name_delete(&name);
    // Also after it was serialized.
    wasm_byte_vec_t bytes;
    wasm_module_serialize(module, &bytes);
    wasm_module_t* again = wasm_module_deserialize(fixture.store, &bytes);
    wasmrt_module_name(again, &name);
    CHECK(name_is(&name, rows[i].name));
    wasm_name_delete(&name);
    wasm_byte_vec_delete(&bytes);
    wasm_module_delete(again);
    wasm_module_delete(module);
  }
  fixture_delete(&fixture);
}

TEST(module_copy) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module =
      module_from_wat(fixture.store, "(module (func (export \"f\") (result i32) (i32.const 3)))");
  wasm_module_t* copy = wasm_module_copy(module);
  wasm_module_t* other = module_from_wat(fixture.store, "(module)");
  CHECK(wasm_module_same(module, copy));
  CHECK(!wasm_module_same(module, other));
  wasm_module_delete(other);
  wasm_module_delete(module);
  wasm_instance_t* instance = instantiate(fixture.store, copy, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  CHECK_INT(call_i32(wasm_extern_as_func(exports.data[0])), 3);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(copy);
  fixture_delete(&fixture);
}

TEST(module_as_ref) {
  fixture_t fixture = fixture_new();
  wasm_module_t* module = module_from_wat(fixture.store, "(module)");
  wasm_ref_t* ref = wasm_module_as_ref(module);
  CHECK_PTR(wasm_ref_as_module(ref), module);
  CHECK_PTR(wasm_module_as_ref_const(module), ref);
  CHECK_PTR(wasm_ref_as_module_const(ref), module);
  CHECK_NULL(wasm_ref_as_instance(ref));
  CHECK_NULL(wasm_ref_as_extern(ref));
  wasm_module_delete(module);
  fixture_delete(&fixture);
}
