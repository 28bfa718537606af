// Types and values as text.

#include "common.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char* kind_name(wasm_valkind_t kind) {
  switch (kind) {
    case WASM_I32: return "i32";
    case WASM_I64: return "i64";
    case WASM_F32: return "f32";
    case WASM_F64: return "f64";
    case WASMRT_V128: return "v128";
    case WASM_EXTERNREF: return "externref";
    case WASM_FUNCREF: return "funcref";
    case WASMRT_ANYREF: return "anyref";
    case WASMRT_EXNREF: return "exnref";
    default: return "unknown";
  }
}

void print_name(FILE* out, const wasm_name_t* name) {
  write_escaped(out, name->data, name->size);
}

static void print_kinds(FILE* out, const wasm_valtype_vec_t* types) {
  fputc('(', out);
  for (size_t i = 0; i < types->size; ++i)
    fprintf(out, "%s%s", i ? ", " : "", kind_name(wasm_valtype_kind(types->data[i])));
  fputc(')', out);
}

static void print_functype(FILE* out, const wasm_functype_t* type) {
  print_kinds(out, wasm_functype_params(type));
  fputs(" -> ", out);
  print_kinds(out, wasm_functype_results(type));
}

// "at least 1 page", "1 to 2 pages"
static void print_limits(FILE* out, const wasm_limits_t* limits, const char* unit) {
  uint32_t last = limits->min;
  if (limits->max == wasm_limits_max_default) {
    fprintf(out, "at least %" PRIu32, limits->min);
  } else {
    last = limits->max;
    if (limits->min != limits->max) fprintf(out, "%" PRIu32 " to ", limits->min);
    fprintf(out, "%" PRIu32, limits->max);
  }
  fprintf(out, " %s%s", unit, last == 1 ? "" : "s");
}

static void print_externtype(FILE* out, const wasm_externtype_t* type) {
  switch (wasm_externtype_kind(type)) {
    case WASM_EXTERN_FUNC:
      fputs("func ", out);
      print_functype(out, wasm_externtype_as_functype_const(type));
      break;
    case WASM_EXTERN_GLOBAL: {
      const wasm_globaltype_t* global = wasm_externtype_as_globaltype_const(type);
      fprintf(out, "global %s%s", wasm_globaltype_mutability(global) == WASM_VAR ? "mut " : "",
              kind_name(wasm_valtype_kind(wasm_globaltype_content(global))));
      break;
    }
    case WASM_EXTERN_TABLE: {
      const wasm_tabletype_t* table = wasm_externtype_as_tabletype_const(type);
      fprintf(out, "table %s, ", kind_name(wasm_valtype_kind(wasm_tabletype_element(table))));
      print_limits(out, wasm_tabletype_limits(table), "element");
      break;
    }
    case WASM_EXTERN_MEMORY:
      fputs("memory ", out);
      print_limits(out, wasm_memorytype_limits(wasm_externtype_as_memorytype_const(type)), "page");
      break;
    case WASM_EXTERN_TAG:
      fputs("tag ", out);
      print_kinds(
          out, wasm_functype_params(wasm_tagtype_functype(wasm_externtype_as_tagtype_const(type))));
      break;
    default: fputs("unknown", out);
  }
}

void print_import(FILE* out, const wasm_importtype_t* import) {
  print_name(out, wasm_importtype_module(import));
  fputs(" / ", out);
  print_name(out, wasm_importtype_name(import));
  fputs(": ", out);
  print_externtype(out, wasm_importtype_type(import));
}

void print_export(FILE* out, const wasm_exporttype_t* export) {
  print_name(out, wasm_exporttype_name(export));
  fputs(": ", out);
  print_externtype(out, wasm_exporttype_type(export));
}

// Writes the shortest decimal that is read back as the same number. The sign and the bits of a NaN
// are left out.
static void print_float(FILE* out, double number, bool single) {
  char text[40] = "nan";
  for (int digits = 1; !isnan(number) && digits <= 17; ++digits) {
    snprintf(text, sizeof text, "%.*g", digits, number);
    if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number) break;
  }
  fputs(text, out);
}

void print_value(FILE* out, const wasm_val_t* value) {
  switch (value->kind) {
    case WASM_I32: fprintf(out, "%" PRId32, value->of.i32); break;
    case WASM_I64: fprintf(out, "%" PRId64, value->of.i64); break;
    case WASM_F32: print_float(out, value->of.f32, true); break;
    case WASM_F64: print_float(out, value->of.f64, false); break;
    default: fprintf(out, "%s%s", value->of.ref ? "" : "null ", kind_name(value->kind));
  }
}

// Reads digits, decimal or hexadecimal after 0x, with an optional sign. As in WebAssembly's text
// format both ranges of the width are accepted: -1 and 0xffffffff are the same i32.
static bool parse_integer(const char* text, int bits, int64_t* out) {
  bool negative = *text == '-';
  const char* digits = text + (*text == '-' || *text == '+');
  bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  if (hexadecimal) digits += 2;
  // strtoull would pass over spaces and a second sign.
  if (!*digits || !strchr("0123456789abcdefABCDEF", *digits)) return false;
  char* end;
  errno = 0;
  uint64_t magnitude = strtoull(digits, &end, hexadecimal ? 16 : 10);
  uint64_t largest = negative ? (uint64_t)1 << (bits - 1) : UINT64_MAX >> (64 - bits);
  if (errno || end == digits || *end || magnitude > largest) return false;
  *out = (int64_t)(negative ? 0 - magnitude : magnitude);
  return true;
}

bool parse_value(const char* text, wasm_valkind_t kind, wasm_val_t* out) {
  *out = (wasm_val_t){.kind = kind};
  int64_t integer = 0;
  char* end = NULL;
  switch (kind) {
    case WASM_I32:
      if (!parse_integer(text, 32, &integer)) return false;
      out->of.i32 = (int32_t)integer;
      return true;
    case WASM_I64:
      if (!parse_integer(text, 64, &integer)) return false;
      out->of.i64 = integer;
      return true;
    case WASM_F32: // strtof and strtod know nan, inf and hexadecimal numbers
      out->of.f32 = strtof(text, &end);
      return *text && !*end;
    case WASM_F64: out->of.f64 = strtod(text, &end); return *text && !*end;
    default: return wasm_valkind_is_ref(kind) && strcmp(text, "null") == 0;
  }
}
