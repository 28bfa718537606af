// Modules and instances: a catalogue of texts, and what their imports and exports mean.
#include "fuzz.h"

#include <sys/stat.h>
#include <unistd.h>

// Shared by two modules: one defines globals, tables and memory, the other imports them.
#define FUNCTIONS                                                                           \
  "(type $nullary (func (result i32)))"                                                     \
  "(func $add (export \"zero\") (param i32 i32) (result i32)"                               \
  "  (i32.add (local.get 0) (local.get 1)))"                                                \
  "(func (export \"reverse\") (param i32 i64 f32 f64 externref funcref)"                    \
  "  (result funcref externref f64 f32 i64 i32) (local.get 5) (local.get 4) (local.get 3)"  \
  "  (local.get 2) (local.get 1) (local.get 0))"                                            \
  "(func (export \"unreachable\") unreachable)"                                             \
  "(func (export \"divide\") (param i32 i32) (result i32)"                                  \
  "  (i32.div_s (local.get 0) (local.get 1)))"                                              \
  "(func (export \"gi_get\") (result i32) (global.get $gi))"                                \
  "(func (export \"gi_set\") (param i32) (global.set $gi (local.get 0)))"                   \
  "(func (export \"ge_get\") (result externref) (global.get $ge))"                          \
  "(func (export \"ge_set\") (param externref) (global.set $ge (local.get 0)))"             \
  "(func (export \"gr_get\") (result funcref) (global.get $gr))"                            \
  "(func (export \"gr_set\") (param funcref) (global.set $gr (local.get 0)))"               \
  "(func (export \"te_get\") (param i32) (result externref) (table.get $te (local.get 0)))" \
  "(func (export \"te_set\") (param i32 externref)"                                         \
  "  (table.set $te (local.get 0) (local.get 1)))"                                          \
  "(func (export \"te_grow\") (param externref i32) (result i32)"                           \
  "  (table.grow $te (local.get 0) (local.get 1)))"                                         \
  "(func (export \"tf_get\") (param i32) (result funcref) (table.get $tf (local.get 0)))"   \
  "(func (export \"tf_set\") (param i32 funcref)"                                           \
  "  (table.set $tf (local.get 0) (local.get 1)))"                                          \
  "(func (export \"indirect\") (param i32) (result i32)"                                    \
  "  (call_indirect $tf (type $nullary) (local.get 0)))"                                    \
  "(func (export \"m_grow\") (param i32) (result i32) (memory.grow (local.get 0)))"         \
  "(func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"           \
  "(func (export \"store\") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))"      \
  "(func (export \"self\") (result funcref) (ref.func $add))"                               \
  "(func $recurse (export \"recurse\") (call $recurse))"

static const char own_text[] =
    "(module"
    "(global $gi (export \"gi\") (mut i32) (i32.const 5))"
    "(global (export \"constant\") i64 (i64.const -7))"
    "(global $ge (export \"ge\") (mut externref) (ref.null extern))"
    "(global $gr (export \"gr\") (mut funcref) (ref.null func))"
    "(table $tf (export \"tf\") 4 12 funcref)"
    "(table $te (export \"te\") 3 9 externref)"
    "(memory $m (export \"a memory\") 1 3)" FUNCTIONS ")";

static const char importing_text[] =
    "(module"
    "(import \"host\" \"one\" (func $one (param i32) (result i32)))"
    "(import \"b\" \"gi\" (global $gi (mut i32)))"
    "(import \"a\" \"ge\" (global $ge (mut externref)))"
    "(import \"a\" \"gr\" (global $gr (mut funcref)))"
    "(import \"\" \"tf\" (table $tf 1 funcref))"
    "(import \"\" \"te\" (table $te 2 9 externref))"
    "(import \"b\" \"\" (memory $m 1 3))"
    "(import \"host\" \"two\" (func $two (param externref funcref) (result externref funcref)))"
    "(type $many (func (param i32 i64 f32 f64 externref funcref i32 i64 f32 f64 externref funcref"
    "  i32 i64 f32 f64 externref funcref i32) (result funcref externref f64 f32 i64 i32"
    "  funcref externref f64 f32 i64 i32 funcref externref f64 f32 i64 i32 funcref)))"
    "(import \"host\" \"many\" (func $many (type $many)))"
    "(export \"two again\" (func $two))"
    "(export \"te\" (table $te))"
    "(export \"gi\" (global $gi))"
    "(export \"m\" (memory $m))"
    "(export \"one again\" (func $one))"
    "(func (export \"call_one\") (param i32) (result i32)"
    "  (i32.add (call $one (local.get 0)) (i32.const 1)))"
    "(func (export \"call_two\") (param externref funcref) (result externref funcref)"
    "  (call $two (local.get 0) (local.get 1)))" FUNCTIONS
    "(func (export \"call_many\") (type $many) (call $many (local.get 0) (local.get 1)"
    "  (local.get 2) (local.get 3) (local.get 4) (local.get 5) (local.get 6) (local.get 7)"
    "  (local.get 8) (local.get 9) (local.get 10) (local.get 11) (local.get 12) (local.get 13)"
    "  (local.get 14) (local.get 15) (local.get 16) (local.get 17) (local.get 18))))";

static const char without_text[] =
    "(module (type $nullary (func (result i32)))"
    "(import \"host\" \"one\" (func $one (param i32) (result i32)))"
    "(import \"b\" \"gi\" (global $gi (mut i32)))"
    "(import \"\" \"tf\" (table $tf 1 funcref))"
    "(import \"\" \"te\" (table $te 2 9 externref))"
    "(import \"b\" \"\" (memory $m 1 3))"
    "(export \"te\" (table $te)) (export \"gi\" (global $gi)) (export \"m\" (memory $m))"
    "(export \"one again\" (func $one))"
    "(func (export \"call_one\") (param i32) (result i32)"
    "  (i32.add (call $one (local.get 0)) (i32.const 1)))"
    "(func (export \"gi_get\") (result i32) (global.get $gi))"
    "(func (export \"gi_set\") (param i32) (global.set $gi (local.get 0)))"
    "(func (export \"indirect\") (param i32) (result i32)"
    "  (call_indirect $tf (type $nullary) (local.get 0)))"
    "(func (export \"m_grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
    "(func (export \"load\") (param i32) (result i32) (i32.load8_u (local.get 0)))"
    "(func (export \"store\") (param i32 i32) (i32.store8 (local.get 0) (local.get 1))))";

static const char start_text[] =
    "(module (import \"\" \"s\" (func $s (param i32) (result i32)))"
    "(export \"s\" (func $s)) (func $start (drop (call $s (i32.const 3)))) (start $start))";

// Numbers only: engines have special paths for calls with few of them.
static const char numbers_text[] =
    "(module "
    "(import \"I\" \"I\" (func $f0 (param i64) (result i64)))"
    "(import \"If\" \"f\" (func $f1 (param i64 f32) (result f32)))"
    "(import \"IfF\" \"F\" (func $f2 (param i64 f32 f64) (result f64)))"
    "(import \"IfFi\" \"i\" (func $f3 (param i64 f32 f64 i32) (result i32)))"
    "(import \"IfFiI\" \"I\" (func $f4 (param i64 f32 f64 i32 i64) (result i64)))"
    "(import \"IfFiIf\" \"f\" (func $f5 (param i64 f32 f64 i32 i64 f32) (result f32)))"
    "(import \"IfFiIfF\" \"F\" (func $f6 (param i64 f32 f64 i32 i64 f32 f64) (result f64)))"
    "(import \"iii\" \"i\" (func $f7 (param i32 i32 i32) (result i32)))"
    "(import \"iiiiii\" \"i\" (func $f8 (param i32 i32 i32 i32 i32 i32) (result i32)))"
    "(import \"iiiiiiii\" \"\" (func $f9 (param i32 i32 i32 i32 i32 i32 i32 i32)))"
    "(import \"F\" \"f\" (func $f10 (param f64) (result f32)))"
    "(import \"f\" \"F\" (func $f11 (param f32) (result f64)))"
    "(import \"Fi\" \"I\" (func $f12 (param f64 i32) (result i64)))"
    "(import \"fF\" \"\" (func $f13 (param f32 f64)))"
    "(func (export \"through I\") (param i64) (result i64)"
    "  (call $f0 (local.get 0)))"
    "(func (export \"through If\") (param i64 f32) (result f32)"
    "  (call $f1 (local.get 0) (local.get 1)))"
    "(func (export \"through IfF\") (param i64 f32 f64) (result f64)"
    "  (call $f2 (local.get 0) (local.get 1) (local.get 2)))"
    "(func (export \"through IfFi\") (param i64 f32 f64 i32) (result i32)"
    "  (call $f3 (local.get 0) (local.get 1) (local.get 2) (local.get 3)))"
    "(func (export \"through IfFiI\") (param i64 f32 f64 i32 i64) (result i64)"
    "  (call $f4 (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)))"
    "(func (export \"through IfFiIf\") (param i64 f32 f64 i32 i64 f32) (result f32)"
    "  (call $f5 (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get "
    "5)))"
    "(func (export \"through IfFiIfF\") (param i64 f32 f64 i32 i64 f32 f64) (result f64)"
    "  (call $f6 (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get "
    "5) "
    "(local.get 6)))"
    "(func (export \"through iii\") (param i32 i32 i32) (result i32)"
    "  (call $f7 (local.get 0) (local.get 1) (local.get 2)))"
    "(func (export \"through iiiiii\") (param i32 i32 i32 i32 i32 i32) (result i32)"
    "  (call $f8 (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get "
    "5)))"
    "(func (export \"through iiiiiiii\") (param i32 i32 i32 i32 i32 i32 i32 i32)"
    "  (call $f9 (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4) (local.get "
    "5) "
    "(local.get 6) (local.get 7)))"
    "(func (export \"through F\") (param f64) (result f32)"
    "  (call $f10 (local.get 0)))"
    "(func (export \"through f\") (param f32) (result f64)"
    "  (call $f11 (local.get 0)))"
    "(func (export \"through Fi\") (param f64 i32) (result i64)"
    "  (call $f12 (local.get 0) (local.get 1)))"
    "(func (export \"through fF\") (param f32 f64)"
    "  (call $f13 (local.get 0) (local.get 1)))"
    "(func (export \"last I\") (param i64) (result i64) (local.get 0))"
    "(func (export \"last If\") (param i64 f32) (result f32) (local.get 1))"
    "(func (export \"last IfF\") (param i64 f32 f64) (result f64) (local.get 2))"
    "(func (export \"last IfFi\") (param i64 f32 f64 i32) (result i32) (local.get 3))"
    "(func (export \"last IfFiI\") (param i64 f32 f64 i32 i64) (result i64) (local.get 4))"
    "(func (export \"last IfFiIf\") (param i64 f32 f64 i32 i64 f32) (result f32) (local.get 5))"
    "(func (export \"last IfFiIfF\") (param i64 f32 f64 i32 i64 f32 f64) (result f64) (local.get "
    "6))"
    "(func (export \"swap\") (param i32 i64 f32 f64) (result f64 f32 i64 i32) (local.get 3)"
    "  (local.get 2) (local.get 1) (local.get 0))"
    "(func (export \"none\") (param f32 f64))"
    ")";

static const char tag_text[] =
    "(module (tag (export \"thrown\") (param i32 i64)) (global (export \"constant\") i64 "
    "(i64.const "
    "-7)))";

#define FUNCTION_EXPORTS                                                               \
  {"zero", FUNC, ADD, "ii", "i"}, {"reverse", FUNC, REVERSE, "iIfFer", "reFfIi"},      \
      {"unreachable", FUNC, UNREACHABLE, "", ""}, {"divide", FUNC, DIVIDE, "ii", "i"}, \
      {"gi_get", FUNC, GI_GET, "", "i"}, {"gi_set", FUNC, GI_SET, "i", ""},            \
      {"ge_get", FUNC, GE_GET, "", "e"}, {"ge_set", FUNC, GE_SET, "e", ""},            \
      {"gr_get", FUNC, GR_GET, "", "r"}, {"gr_set", FUNC, GR_SET, "r", ""},            \
      {"te_get", FUNC, TE_GET, "i", "e"}, {"te_set", FUNC, TE_SET, "ie", ""},          \
      {"te_grow", FUNC, TE_GROW, "ei", "i"}, {"tf_get", FUNC, TF_GET, "i", "r"},       \
      {"tf_set", FUNC, TF_SET, "ir", ""}, {"indirect", FUNC, INDIRECT, "i", "i"},      \
      {"m_grow", FUNC, M_GROW, "i", "i"}, {"load", FUNC, LOAD, "i", "i"},              \
      {"store", FUNC, STORE, "ii", ""}, {"self", FUNC, SELF, "", "r"}, {               \
    "recurse", FUNC, RECURSE, "", ""                                                   \
  }

// Imports among the exports are told by these in place of a behaviour.
enum { IMPORTED_ONE = 100, IMPORTED_TWO };

static const export_t own_exports[] = {
    {"gi", GLOBAL, CELL_GI, "", ""},      {"constant", GLOBAL, CELL_GC, "", ""},
    {"ge", GLOBAL, CELL_GE, "", ""},      {"gr", GLOBAL, CELL_GR, "", ""},
    {"tf", TABLE, CELL_TF, "", ""},       {"te", TABLE, CELL_TE, "", ""},
    {"a memory", MEMORY, CELL_M, "", ""}, FUNCTION_EXPORTS};
static const export_t importing_exports[] = {
    {"two again", FUNC, IMPORTED_TWO, "er", "er"},
    {"te", TABLE, CELL_TE, "", ""},
    {"gi", GLOBAL, CELL_GI, "", ""},
    {"m", MEMORY, CELL_M, "", ""},
    {"one again", FUNC, IMPORTED_ONE, "i", "i"},
    {"call_one", FUNC, CALL_ONE, "i", "i"},
    {"call_two", FUNC, CALL_TWO, "er", "er"},
    FUNCTION_EXPORTS,
    {"call_many", FUNC, CALL_MANY, MANY_PARAMS, MANY_RESULTS}};
static const export_t without_exports[] = {
    {"te", TABLE, CELL_TE, "", ""},         {"gi", GLOBAL, CELL_GI, "", ""},
    {"m", MEMORY, CELL_M, "", ""},          {"one again", FUNC, IMPORTED_ONE, "i", "i"},
    {"call_one", FUNC, CALL_ONE, "i", "i"}, {"gi_get", FUNC, GI_GET, "", "i"},
    {"gi_set", FUNC, GI_SET, "i", ""},      {"indirect", FUNC, INDIRECT, "i", "i"},
    {"m_grow", FUNC, M_GROW, "i", "i"},     {"load", FUNC, LOAD, "i", "i"},
    {"store", FUNC, STORE, "ii", ""}};
static const export_t start_exports[] = {{"s", FUNC, IMPORTED_ONE, "i", "i"}};
static const export_t numbers_exports[] = {
    {"through I", FUNC, THROUGH + 0, "I", "I"},
    {"through If", FUNC, THROUGH + 1, "If", "f"},
    {"through IfF", FUNC, THROUGH + 2, "IfF", "F"},
    {"through IfFi", FUNC, THROUGH + 3, "IfFi", "i"},
    {"through IfFiI", FUNC, THROUGH + 4, "IfFiI", "I"},
    {"through IfFiIf", FUNC, THROUGH + 5, "IfFiIf", "f"},
    {"through IfFiIfF", FUNC, THROUGH + 6, "IfFiIfF", "F"},
    {"through iii", FUNC, THROUGH + 7, "iii", "i"},
    {"through iiiiii", FUNC, THROUGH + 8, "iiiiii", "i"},
    {"through iiiiiiii", FUNC, THROUGH + 9, "iiiiiiii", ""},
    {"through F", FUNC, THROUGH + 10, "F", "f"},
    {"through f", FUNC, THROUGH + 11, "f", "F"},
    {"through Fi", FUNC, THROUGH + 12, "Fi", "I"},
    {"through fF", FUNC, THROUGH + 13, "fF", ""},
    {"last I", FUNC, LAST, "I", "I"},
    {"last If", FUNC, LAST, "If", "f"},
    {"last IfF", FUNC, LAST, "IfF", "F"},
    {"last IfFi", FUNC, LAST, "IfFi", "i"},
    {"last IfFiI", FUNC, LAST, "IfFiI", "I"},
    {"last IfFiIf", FUNC, LAST, "IfFiIf", "f"},
    {"last IfFiIfF", FUNC, LAST, "IfFiIfF", "F"},
    {"swap", FUNC, SWAP, "iIfF", "FfIi"},
    {"none", FUNC, NONE, "fF", ""},
};
static const export_t tag_exports[] = {{"thrown", TAG, 0, "iI", ""},
                                       {"constant", GLOBAL, CELL_GC, "", ""}};

static const import_t importing_imports[] = {{"host", "one", FUNC, 0, "i", "i"},
                                             {"b", "gi", GLOBAL, CELL_GI, "", ""},
                                             {"a", "ge", GLOBAL, CELL_GE, "", ""},
                                             {"a", "gr", GLOBAL, CELL_GR, "", ""},
                                             {"", "tf", TABLE, CELL_TF, "", ""},
                                             {"", "te", TABLE, CELL_TE, "", ""},
                                             {"b", "", MEMORY, CELL_M, "", ""},
                                             {"host", "two", FUNC, 0, "er", "er"},
                                             {"host", "many", FUNC, 0, MANY_PARAMS, MANY_RESULTS}};
static const import_t numbers_imports[] = {
    {"I", "I", FUNC, 0, "I", "I"},
    {"If", "f", FUNC, 0, "If", "f"},
    {"IfF", "F", FUNC, 0, "IfF", "F"},
    {"IfFi", "i", FUNC, 0, "IfFi", "i"},
    {"IfFiI", "I", FUNC, 0, "IfFiI", "I"},
    {"IfFiIf", "f", FUNC, 0, "IfFiIf", "f"},
    {"IfFiIfF", "F", FUNC, 0, "IfFiIfF", "F"},
    {"iii", "i", FUNC, 0, "iii", "i"},
    {"iiiiii", "i", FUNC, 0, "iiiiii", "i"},
    {"iiiiiiii", "", FUNC, 0, "iiiiiiii", ""},
    {"F", "f", FUNC, 0, "F", "f"},
    {"f", "F", FUNC, 0, "f", "F"},
    {"Fi", "I", FUNC, 0, "Fi", "I"},
    {"fF", "", FUNC, 0, "fF", ""},
};
static const import_t without_imports[] = {{"host", "one", FUNC, 0, "i", "i"},
                                           {"b", "gi", GLOBAL, CELL_GI, "", ""},
                                           {"", "tf", TABLE, CELL_TF, "", ""},
                                           {"", "te", TABLE, CELL_TE, "", ""},
                                           {"b", "", MEMORY, CELL_M, "", ""}};
static const import_t start_imports[] = {{"", "s", FUNC, 0, "i", "i"}};

#define WITH_COUNT(array) array, LENGTH_OF(array)
catalogue_entry_t catalogue[CATALOGUE_COUNT] = {
    {own_text, NULL, 0, WITH_COUNT(own_exports), false, {0, NULL}},
    {importing_text,
     WITH_COUNT(importing_imports),
     WITH_COUNT(importing_exports),
     false,
     {0, NULL}},
    {start_text, WITH_COUNT(start_imports), WITH_COUNT(start_exports), false, {0, NULL}},
    {numbers_text, WITH_COUNT(numbers_imports), WITH_COUNT(numbers_exports), false, {0, NULL}},
    {tag_text, NULL, 0, WITH_COUNT(tag_exports), true, {0, NULL}},
    {without_text, WITH_COUNT(without_imports), WITH_COUNT(without_exports), false, {0, NULL}},
};

void prepare_catalogue(void) {
  if (catalogue[0].binary.data) return;
  for (unsigned i = 0; i < CATALOGUE_COUNT; i++) {
    const char* text = catalogue[i].text;
    if (!wasmrt_wat2wasm(text, strlen(text), &catalogue[i].binary)) FAIL("module %u", i);
  }
}

void set_up_cell(cell_t* cell, int which) {
  switch (which) {
    case CELL_GI:
      *cell = (cell_t){.kind = GLOBAL, .content = WASM_I32, .variable = true};
      cell->value = (value_t){.kind = WASM_I32, .bits = 5};
      break;
    case CELL_GC:
      *cell = (cell_t){.kind = GLOBAL, .content = WASM_I64};
      cell->value = (value_t){.kind = WASM_I64, .bits = (uint64_t)-7};
      break;
    case CELL_GE:
    case CELL_GR:
      *cell = (cell_t){.kind = GLOBAL, .variable = true};
      cell->content = which == CELL_GE ? WASM_EXTERNREF : WASM_FUNCREF;
      cell->value = null_value(cell->content);
      break;
    case CELL_TF:
      *cell = (cell_t){.kind = TABLE, .content = WASM_FUNCREF, .size = 4, .max = 12};
      break;
    case CELL_TE:
      *cell = (cell_t){.kind = TABLE, .content = WASM_EXTERNREF, .size = 3, .max = 9};
      break;
    default: *cell = (cell_t){.kind = MEMORY, .size = 1, .max = 3};
  }
}

// ------------------------------------------------------------------------------------------------
// Modules

void expect_reflection(const wasm_module_t* module, unsigned index) {
  const catalogue_entry_t* entry = &catalogue[index];
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  EXPECT_INT(imports.size, entry->import_count);
  for (size_t i = 0; i < imports.size; i++) {
    const import_t* import = &entry->imports[i];
    expect_name(wasm_importtype_module(imports.data[i]), import->module, strlen(import->module));
    expect_name(wasm_importtype_name(imports.data[i]), import->name, strlen(import->name));
    const wasm_externtype_t* type = wasm_importtype_type(imports.data[i]);
    cell_t cell;
    set_up_cell(&cell, import->cell);
    if (import->kind != GLOBAL) {
      // The module asks for less than the cells of the other module have.
      cell.size = import->kind == TABLE && import->cell == CELL_TE ? 2 : 1;
      if (import->cell == CELL_TF) cell.max = wasm_limits_max_default;
    }
    object_t object = {.kind = import->kind, .cell = import->kind == FUNC ? NULL : &cell};
    strcpy(object.params, import->params);
    strcpy(object.results, import->results);
    expect_externtype(type, &object);
  }
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  EXPECT_INT(exports.size, entry->export_count);
  for (size_t i = 0; i < exports.size; i++) {
    const export_t* export = &entry->exports[i];
    expect_name(wasm_exporttype_name(exports.data[i]), export->name, strlen(export->name));
    const wasm_externtype_t* type = wasm_exporttype_type(exports.data[i]);
    EXPECT_INT(wasm_externtype_kind(type), export->kind);
    if (export->kind == FUNC)
      expect_functype(wasm_externtype_as_functype_const(type), export->params, export->results);
  }
  wasm_exporttype_vec_delete(&exports);
}

static object_t* adopt_module(wasm_module_t* module, store_t* store, unsigned index) {
  object_t* object = adopt_new(module, MODULE, store);
  object->module = index;
  return object;
}

void step_module_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  prepare_catalogue();
  unsigned index = below(MODULE_COUNT);
  if (index == MODULE_IMPORTING && (lacks.externrefs || lacks.funcrefs)) index = MODULE_WITHOUT;
  const catalogue_entry_t* entry = &catalogue[index];
  bool possible = !(lacks.exceptions && entry->with_tag);
  EXPECT_INT(wasm_module_validate(store->pointer, &entry->binary), possible);
  wasm_byte_vec_t cut = {entry->binary.size - 1, entry->binary.data};
  EXPECT_REFUSED_AS(WASMRT_ERROR_COMPILE, !wasm_module_validate(store->pointer, &cut));
  uint64_t offset;
  EXPECT(wasmrt_last_error_offset(&offset) && offset == cut.size);
  if (one_in(4)) EXPECT_REFUSED_AS(WASMRT_ERROR_COMPILE, !wasm_module_new(store->pointer, &cut));
  if (!possible) {
    EXPECT_REFUSED(!wasm_module_new(store->pointer, &entry->binary));
    return;
  }
  wasm_module_t* module = wasm_module_new(store->pointer, &entry->binary);
  adopt_module(module, store, index);
  expect_reflection(module, index);
}

static store_t* pick_store_of_engine(unsigned number, bool same) {
  store_t* store = pick_store();
  return store && (store->engine_number == number) == same ? store : NULL;
}

void step_module_serialize(void) {
  object_t* object = pick(1u << MODULE);
  if (!object || loose_count() >= MAX_LOOSE) return;
  wasm_byte_vec_t bytes;
  wasm_module_serialize(wasm_ref_as_module(object->pointer), &bytes);
  EXPECT(bytes.size > 0);
  store_t* store = pick_store();
  if (store) {
    size_t position = next_u32() % bytes.size;
    uint8_t change = next_byte();
    if (change == 0) {
      adopt_module(wasm_module_deserialize(store->pointer, &bytes), store, object->module);
      expect_reflection(wasm_ref_as_module(run.objects[run.object_count - 1]->pointer),
                        object->module);
    } else if (change < 64) {
      wasm_byte_vec_t cut = {position, bytes.data};
      EXPECT_REFUSED_AS(WASMRT_ERROR_ARTIFACT, !wasm_module_deserialize(store->pointer, &cut));
    } else {
      bytes.data[position] = (char)(bytes.data[position] ^ change);
      EXPECT_REFUSED_AS(WASMRT_ERROR_ARTIFACT, !wasm_module_deserialize(store->pointer, &bytes));
    }
  }
  wasm_byte_vec_delete(&bytes);
}

// Through a file, which then changes as the bytes of `step_module_serialize` do.
void step_module_file(void) {
  object_t* object = pick(1u << MODULE);
  store_t* store = pick_store();
  if (!object || !store || loose_count() >= MAX_LOOSE) return;
  static char path[64];
  snprintf(path, sizeof path, "/tmp/wasmrt-fuzz-%d.cwasm", (int)getpid());
  EXPECT(wasmrt_module_serialize_to_file(wasm_ref_as_module(object->pointer), path));
  if (one_in(2)) {
    struct stat status;
    EXPECT(stat(path, &status) == 0 && status.st_size > 0);
    EXPECT(truncate(path, (off_t)(next_u32() % (uint32_t)status.st_size)) == 0);
    EXPECT_REFUSED_AS(WASMRT_ERROR_ARTIFACT, !wasmrt_module_deserialize_file(store->pointer, path));
  } else {
    wasm_module_t* module = wasmrt_module_deserialize_file(store->pointer, path);
    adopt_module(module, store, object->module);
    expect_reflection(module, object->module);
  }
  EXPECT(unlink(path) == 0);
  EXPECT_REFUSED_AS(WASMRT_ERROR_FILE, !wasmrt_module_deserialize_file(store->pointer, path));
  EXPECT_REFUSED_AS(WASMRT_ERROR_FILE, !wasmrt_module_new_from_file(store->pointer, path));
}

// Names, sections and counts.
void step_module_look(void) {
  object_t* object = pick(1u << MODULE);
  if (!object) return;
  wasm_module_t* module = wasm_ref_as_module(object->pointer);
  const catalogue_entry_t* entry = &catalogue[object->module];
  EXPECT_INT(wasmrt_module_import_count(module), entry->import_count);
  EXPECT_INT(wasmrt_module_export_count(module), entry->export_count);
  size_t sections = wasmrt_module_part_count(module, WASMRT_MODULE_CUSTOM_SECTIONS);
  const char *name, *contents;
  size_t length, size, position = next_byte() % 4;
  EXPECT_INT(wasmrt_module_custom_section_at(module, position, &name, &length, &contents, &size),
             position < sections);
  if (position < sections)
    EXPECT(wasmrt_module_custom_section(module, name, length, &contents, &size));
  EXPECT(!wasmrt_module_custom_section(module, "no such section", 15, &contents, &size));
  char letters[2] = {(char)next_byte(), (char)next_byte()};
  EXPECT(wasmrt_module_set_name(module, letters, sizeof letters));
  wasm_name_t found;
  EXPECT(wasmrt_module_name(module, &found));
  EXPECT(found.size == 2 && memcmp(found.data, letters, 2) == 0);
  wasm_name_delete(&found);
  EXPECT(wasmrt_module_set_name(module, NULL, next_byte()));
  EXPECT(!wasmrt_module_name(module, &found));
  EXPECT_REFUSED(wasmrt_module_part_count(module, 7 + next_byte()) == 0);
}

void step_module_share(void) {
  object_t* object = pick(1u << MODULE);
  if (!object || run.shared_count == MAX_SHARED) return;
  wasm_shared_module_t* shared = wasm_module_share(wasm_ref_as_module(object->pointer));
  EXPECT(shared != NULL);
  run.shared[run.shared_count++] = (shared_t){shared, object->module, object->store->engine_number};
}

void step_module_obtain(void) {
  if (run.shared_count == 0 || loose_count() >= MAX_LOOSE) return;
  shared_t* shared = &run.shared[below(run.shared_count)];
  store_t* store = pick_store();
  if (!store) return;
  if (store->engine_number != shared->engine_number) {
    EXPECT_REFUSED(!wasm_module_obtain(store->pointer, shared->pointer));
    return;
  }
  wasm_module_t* module = wasm_module_obtain(store->pointer, shared->pointer);
  adopt_module(module, store, shared->module);
  expect_reflection(module, shared->module);
}

void step_shared_delete(void) {
  if (run.shared_count == 0 || !one_in(2)) return;
  unsigned position = below(run.shared_count);
  wasm_shared_module_delete(run.shared[position].pointer);
  run.shared[position] = run.shared[--run.shared_count];
}

// A module of another engine is refused.
void step_module_foreign(void) {
  object_t* object = pick(1u << MODULE);
  store_t* store = object ? pick_store_of_engine(object->store->engine_number, false) : NULL;
  if (!store || loose_count() >= MAX_LOOSE) return;
  wasm_trap_t* trap = (wasm_trap_t*)&run;
  EXPECT_REFUSED(
      !wasm_instance_new(store->pointer, wasm_ref_as_module(object->pointer), NULL, &trap));
  EXPECT(trap != NULL);
  delete_loose(adopt_trap(trap, store, NULL));
}

// ------------------------------------------------------------------------------------------------
// Instances

static bool fits(const object_t* object, const import_t* want) {
  if (object->kind != want->kind) return false;
  if (want->kind == FUNC)
    return strcmp(object->params, want->params) == 0 && strcmp(object->results, want->results) == 0;
  cell_t cell;
  set_up_cell(&cell, want->cell);
  const cell_t* given = object->cell;
  if (want->kind == MEMORY) return given->size >= 1 && given->max <= 3;
  if (given->content != cell.content) return false;
  if (want->cell == CELL_TE) return given->size >= 2 && given->max <= 9;
  return want->kind == TABLE ? given->size >= 1 : given->variable == cell.variable;
}

static object_t* pick_fitting(const import_t* want, const store_t* store) {
  object_t* candidates[64];
  unsigned count = 0;
  for (unsigned i = run.object_count; i-- > 0 && count < LENGTH_OF(candidates);) {
    object_t* object = run.objects[i];
    if (object->loose > 0 && object->store == store && fits(object, want))
      candidates[count++] = object;
  }
  return count == 0 ? NULL : candidates[below(count)];
}

// Finds or makes what a module wants to import.
static object_t* provide(const import_t* want, store_t* store) {
  object_t* object = pick_fitting(want, store);
  if (object || !store->owned) return object;
  if (lacks.tables && want->kind == TABLE) return NULL;
  cell_t* cell = model_memory(sizeof *cell);
  set_up_cell(cell, want->cell);
  void* made;
  if (want->kind == FUNC) {
    wasm_functype_t* type = new_functype(want->params, want->results);
    object = adopt_new(wasm_func_new(store->pointer, type, host_callback), FUNC, store);
    wasm_functype_delete(type);
    object->behaviour = HOST;
    strcpy(object->params, want->params);
    strcpy(object->results, want->results);
    return object;
  }
  if (want->kind == GLOBAL) {
    wasm_globaltype_t* type = new_globaltype(cell->content, cell->variable);
    wasm_val_t value = borrow_value(&cell->value);
    made = wasm_global_new(store->pointer, type, &value);
    wasm_globaltype_delete(type);
  } else if (want->kind == TABLE) {
    wasm_tabletype_t* type = new_tabletype(cell->content, cell->size, cell->max);
    cell->only_host = true;
    made = wasm_table_new(store->pointer, type, NULL);
    wasm_tabletype_delete(type);
  } else {
    wasm_memorytype_t* type = new_memorytype(cell->size, cell->max);
    made = wasm_memory_new(store->pointer, type);
    wasm_memorytype_delete(type);
  }
  object = adopt_new(made, want->kind, store);
  object->cell = cell;
  return object;
}

static instance_t* new_instance(unsigned module, object_t* const* imports) {
  const catalogue_entry_t* entry = &catalogue[module];
  instance_t* instance = model_memory(sizeof *instance);
  instance->module = module;
  unsigned hosts = 0;
  for (size_t i = 0; i < entry->import_count; i++) {
    const import_t* want = &entry->imports[i];
    if (want->kind != FUNC)
      instance->cells[want->cell] = imports[i]->cell;
    else
      instance->hosts[hosts++] = imports[i];
  }
  for (int which = 0; which < CELL_COUNT; which++) {
    if (instance->cells[which]) continue;
    instance->cells[which] = model_memory(sizeof(cell_t));
    set_up_cell(instance->cells[which], which);
  }
  for (size_t i = 0; i < entry->export_count; i++) {
    const export_t* export = &entry->exports[i];
    if (export->kind == FUNC && export->what == IMPORTED_ONE)
      instance->exports[i] = instance->hosts[0];
    if (export->kind == FUNC && export->what == IMPORTED_TWO)
      instance->exports[i] = instance->hosts[1];
    for (size_t j = 0; j < entry->import_count && export->kind != FUNC; j++)
      if (entry->imports[j].kind == export->kind && entry->imports[j].cell == export->what)
        instance->exports[i] = imports[j];
  }
  return instance;
}

void step_instance_new(void) {
  object_t* module = pick(1u << MODULE);
  if (!module || loose_count() >= MAX_LOOSE || run.depth > MAX_DEPTH) return;
  store_t* store =
      one_in(4) ? pick_store_of_engine(module->store->engine_number, true) : module->store;
  if (!store || !store->owned) return;
  const catalogue_entry_t* entry = &catalogue[module->module];
  object_t* imports[MAX_VALUES];
  wasm_extern_t* given[MAX_VALUES];
  bool as_vector = one_in(2);
  for (size_t i = 0; i < entry->import_count; i++) {
    imports[i] = provide(&entry->imports[i], store);
    if (!imports[i]) return;
  }
  // The imports stay the caller's: handles of their own, which a start function cannot delete.
  for (size_t i = 0; i < entry->import_count; i++)
    given[i] = wasm_ref_as_extern(take_copy(imports[i]));
  unsigned index = module->module;
  expected_call_t expected = {.outer = run.expected};
  bool starts = index == MODULE_START;
  // A function of wasm's may be what the module starts with, too.
  prepare_catalogue();
  bool host = starts && imports[0]->behaviour == HOST;
  bool refused = lacks.imports && module->module == MODULE_WITHOUT;
  if (starts && !host) {
    for (size_t i = 0; i < entry->import_count; i++) {
      handle_given_up(imports[i]);
      wasm_extern_delete(given[i]);
    }
    return;
  }
  if (host) {
    expected.host = target_of(imports[0]);
    expected.arguments[0] = (value_t){.kind = WASM_I32, .bits = 3};
  }
  // From here on the store keeps the functions; other imports only if there is an instance.
  for (size_t i = 0; i < entry->import_count; i++) {
    if (imports[i]->kind == FUNC && !refused)
      imports[i]->pinned = true;
    else
      imports[i]->uncertain = true;
    // From now on a module writes there.
    if (index == MODULE_IMPORTING && imports[i]->cell) imports[i]->cell->only_host = false;
  }
  run.expected = host ? &expected : NULL;
  forget_error();
  store->running++;
  run.depth++;
  wasm_extern_vec_t vector = {entry->import_count, given};
  wasm_trap_t* trap = (wasm_trap_t*)&run;
  bool with_trap = one_in(4) ? false : true;
  wasm_instance_t* made = wasm_instance_new(store->pointer, wasm_ref_as_module(module->pointer),
                                            entry->import_count == 0 && as_vector ? NULL : &vector,
                                            with_trap ? &trap : NULL);
  run.depth--;
  store->running--;
  run.expected = expected.outer;
  if (host && !expected.seen) FAIL("the start function was not called");
  bool traps = refused || (host && expected.outcome != RETURNS);
  if (traps) {
    store->failed_starts += host;
    EXPECT_PTR(made, NULL);
    if (refused) EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
    if (with_trap && host && expected.outcome == TRAPS)
      adopt_known(trap, expected.trap);
    else if (with_trap)
      adopt_trap(trap, store, NULL);
  } else {
    if (with_trap) EXPECT_PTR(trap, NULL);
    object_t* object = adopt_new(made, INSTANCE, store);
    object->pinned = true;
    object->instance = new_instance(index, imports);
    object->instance->object = object;
    for (size_t i = 0; i < entry->import_count; i++) imports[i]->pinned = true;
  }
  for (size_t i = 0; i < entry->import_count; i++) {
    handle_given_up(imports[i]);
    wasm_extern_delete(given[i]);
  }
  // So many functions would displace the rest; those without handles stay alive in the instance.
  for (size_t i = 0; index == MODULE_NUMBERS && i < entry->import_count; i++)
    if (imports[i]->loose > 0 && !one_in(4)) delete_loose(imports[i]);
}

// Imports that are missing, too many, of another kind, type or store.
void step_instance_wrong(void) {
  object_t* module = pick(1u << MODULE);
  if (!module || loose_count() >= MAX_LOOSE) return;
  store_t* store = module->store;
  const catalogue_entry_t* entry = &catalogue[module->module];
  if (!store->owned || entry->import_count == 0) return;
  wasm_extern_t* given[MAX_VALUES + 1];
  for (size_t i = 0; i < entry->import_count; i++) {
    object_t* object = provide(&entry->imports[i], store);
    if (!object) return;
    given[i] = wasm_ref_as_extern(object->pointer);
    if (object->kind == FUNC) object->uncertain = true;
  }
  size_t count = entry->import_count;
  unsigned position = below((unsigned)count);
  object_t* wrong = pick(ANY_KIND);
  switch (below(3)) {
    case 0: position = (unsigned)--count; break;
    case 1: given[count++] = one_in(2) ? NULL : given[0]; break;
    default:
      if (wrong && wrong->store == store && fits(wrong, &entry->imports[position])) wrong = NULL;
      // A handle of another kind of object is not a `wasm_extern_t*`, but may be cast to one.
      given[position] = wrong ? (wasm_extern_t*)wrong->pointer : NULL;
      if (wrong && wrong->kind == FUNC) wrong->uncertain = true;
  }
  wasm_extern_vec_t vector = {count, given};
  wasm_trap_t* trap = (wasm_trap_t*)&run;
  EXPECT_REFUSED(
      !wasm_instance_new(store->pointer, wasm_ref_as_module(module->pointer), &vector, &trap));
  if (!trap) FAIL("wrong imports leave no trap");
  EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_LINK);
  if (count <= entry->import_count) {
    const import_t* want = &entry->imports[position];
    const char* message = wasmrt_last_error_message();
    if (!strstr(message, want->module) || !strstr(message, want->name) ||
        !strstr(message, "expected"))
      FAIL("the message does not name the import that is wrong, \"%s\" \"%s\"", want->module,
           want->name);
  }
  delete_loose(adopt_trap(trap, store, NULL));
}

static void adopt_export(object_t* instance, size_t position, wasm_extern_t* handle) {
  const export_t* export = &catalogue[instance->instance->module].exports[position];
  object_t** known = &instance->instance->exports[position];
  EXPECT_INT(wasm_extern_kind(handle), export->kind);
  if (*known) {
    adopt_known(handle, *known);
    return;
  }
  object_t* object = adopt_new(handle, export->kind, instance->store);
  object->pinned = true;
  object->instance = instance->instance;
  strcpy(object->params, export->params);
  strcpy(object->results, export->results);
  if (export->kind == FUNC)
    object->behaviour = (behaviour_t) export->what;
  else if (export->kind != TAG)
    object->cell = instance->instance->cells[export->what];
  *known = object;
}

// One export, by its name: one that the model has seen, since what a function returns may be another.
static void look_up_export(object_t* instance) {
  const wasm_instance_t* pointer = wasm_ref_as_instance(instance->pointer);
  const catalogue_entry_t* entry = &catalogue[instance->instance->module];
  forget_error();
  EXPECT_PTR(wasmrt_instance_export(pointer, "no such export", 14), NULL);
  EXPECT_INT(wasmrt_last_error_kind(), WASMRT_ERROR_NONE);
  EXPECT_REFUSED(!wasmrt_instance_export(pointer, NULL, 0));
  EXPECT_REFUSED(!wasmrt_instance_export(NULL, "", 0));
  if (entry->export_count == 0) return;
  size_t position = below((unsigned)entry->export_count);
  if (!instance->instance->exports[position]) return;
  const char* name = entry->exports[position].name;
  wasm_extern_t* handle = wasmrt_instance_export(pointer, name, strlen(name));
  EXPECT(handle != NULL);
  adopt_export(instance, position, handle);
}

void step_instance_exports(void) {
  object_t* instance = pick(1u << INSTANCE);
  if (!instance || loose_count() >= MAX_LOOSE) return;
  if (one_in(4)) {
    look_up_export(instance);
    return;
  }
  wasm_extern_vec_t exports;
  memset(&exports, 0xa5, sizeof exports);
  wasm_instance_exports(wasm_ref_as_instance(instance->pointer), &exports);
  size_t count = catalogue[instance->instance->module].export_count;
  EXPECT_INT(exports.size, count);
  for (size_t i = 0; i < count; i++) adopt_export(instance, i, exports.data[i]);
  // Some are taken out of the vector, the others go with it.
  for (size_t i = 0; i < count; i++) {
    object_t* object = instance->instance->exports[i];
    if (one_in(3)) {
      exports.data[i] = NULL;
    } else {
      object->loose--;
      handle_given_up(object);
    }
  }
  wasm_extern_vec_delete(&exports);
}
