// Prints types and values of wasm.h, and reads values from text, for reflection.c and run.c.

#ifndef TEXT_H
#define TEXT_H

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "example.h"

static inline const char* kind_name(wasm_valkind_t kind) {
  switch (kind) {
    case WASM_I32: return "i32";
    case WASM_I64: return "i64";
    case WASM_F32: return "f32";
    case WASM_F64: return "f64";
    case WASMRT_V128: return "v128";
    case WASM_EXTERNREF: return "externref";
    case WASM_FUNCREF: return "funcref";
    default: return "an unknown type";
  }
}

// The author of a module may use any bytes in a name. Control characters are printed as \hh, so
// that no module can send commands to the terminal.
static inline void print_name(FILE* out, const wasm_name_t* name) {
  for (size_t i = 0; i < name->size; ++i) {
    unsigned char byte = (unsigned char)name->data[i];
    if (byte < 0x20 || byte == 0x7f || byte == '\\')
      fprintf(out, "\\%02x", byte);
    else
      fputc(byte, out);
  }
}

// "(i32, i64)"
static inline void print_kinds(FILE* out, const wasm_valtype_vec_t* types) {
  fputc('(', out);
  for (size_t i = 0; i < types->size; ++i) {
    fprintf(out, "%s%s", i ? ", " : "", kind_name(wasm_valtype_kind(types->data[i])));
  }
  fputc(')', out);
}

// "(i32, i64) -> (f32)"
static inline void print_functype(FILE* out, const wasm_functype_t* type) {
  print_kinds(out, wasm_functype_params(type));
  fputs(" -> ", out);
  print_kinds(out, wasm_functype_results(type));
}

// "1.." without a maximum, otherwise "1..2"
static inline void print_limits(FILE* out, const wasm_limits_t* limits) {
  fprintf(out, "%" PRIu32 "..", limits->min);
  if (limits->max != wasm_limits_max_default) fprintf(out, "%" PRIu32, limits->max);
}

// The type of an import or export. An externtype is one of five types; its kind says which.
static inline void print_type(FILE* out, const wasm_externtype_t* type) {
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
      fprintf(out, "table of %s, ", kind_name(wasm_valtype_kind(wasm_tabletype_element(table))));
      print_limits(out, wasm_tabletype_limits(table));
      fputs(" elements", out);
      break;
    }
    case WASM_EXTERN_MEMORY:
      fputs("memory, ", out);
      print_limits(out, wasm_memorytype_limits(wasm_externtype_as_memorytype_const(type)));
      fputs(" pages", out);
      break;
    case WASM_EXTERN_TAG:
      fputs("tag ", out);
      print_kinds(
          out, wasm_functype_params(wasm_tagtype_functype(wasm_externtype_as_tagtype_const(type))));
      break;
    default: fputs("something unknown", out);
  }
}

// "module / name: type"
static inline void print_import(FILE* out, const wasm_importtype_t* import) {
  print_name(out, wasm_importtype_module(import));
  fputs(" / ", out);
  print_name(out, wasm_importtype_name(import));
  fputs(": ", out);
  print_type(out, wasm_importtype_type(import));
}

// Prints one line for each import.
static inline void print_imports(FILE* out, const wasm_importtype_vec_t* imports) {
  for (size_t i = 0; i < imports->size; ++i) {
    fputs("import ", out);
    print_import(out, imports->data[i]);
    fputc('\n', out);
  }
}

// The same for exports; `only_funcs` leaves out exports of other kinds.
static inline void print_exports(FILE* out, const wasm_exporttype_vec_t* exports, bool only_funcs) {
  for (size_t i = 0; i < exports->size; ++i) {
    const wasm_externtype_t* type = wasm_exporttype_type(exports->data[i]);
    if (only_funcs && wasm_externtype_kind(type) != WASM_EXTERN_FUNC) continue;
    fputs("export ", out);
    print_name(out, wasm_exporttype_name(exports->data[i]));
    fputs(": ", out);
    print_type(out, type);
    fputc('\n', out);
  }
}

// Prints and deletes a trap. Its frames are listed innermost first; some engines keep none.
static inline void print_trap_with_frames(FILE* out, wasm_trap_t* trap) {
  wasm_frame_vec_t frames;
  wasm_trap_trace(trap, &frames);
  print_trap(out, "trap", trap);
  for (size_t i = 0; i < frames.size; ++i) {
    const wasm_frame_t* frame = frames.data[i];
    fprintf(out, "  in function %" PRIu32 " at 0x%zx, 0x%zx in the module\n",
            wasm_frame_func_index(frame), wasm_frame_func_offset(frame),
            wasm_frame_module_offset(frame));
  }
  wasm_frame_vec_delete(&frames);
}

// Prints the shortest decimal that reads back as the same number. The sign and bits of a NaN are
// ignored.
static inline void print_float(FILE* out, double number, bool single) {
  char text[40] = "nan";
  if (!isnan(number)) {
    for (int digits = 1; digits <= 17; ++digits) {
      snprintf(text, sizeof text, "%.*g", digits, number);
      if (single ? strtof(text, NULL) == (float)number : strtod(text, NULL) == number) break;
    }
  }
  fputs(text, out);
}

static inline void print_value(FILE* out, const wasm_val_t* value) {
  switch (value->kind) {
    case WASM_I32: fprintf(out, "%" PRId32, value->of.i32); break;
    case WASM_I64: fprintf(out, "%" PRId64, value->of.i64); break;
    case WASM_F32: print_float(out, value->of.f32, true); break;
    case WASM_F64: print_float(out, value->of.f64, false); break;
    default: fprintf(out, "%s%s", value->of.ref ? "" : "null ", kind_name(value->kind));
  }
}

// Reads decimal or 0x-hexadecimal digits with an optional sign. Like WebAssembly's text format,
// accepts both the signed and the unsigned range of the width: -1 and 0xffffffff are the same i32.
static inline bool parse_integer(const char* text, int bits, int64_t* out) {
  bool negative = *text == '-';
  const char* digits = text + (*text == '-' || *text == '+');
  bool hexadecimal = digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X');
  if (hexadecimal) digits += 2;
  // strtoull would skip spaces and accept a second sign
  if (!strchr("0123456789abcdefABCDEF", *digits) || !*digits) return false;
  char* end;
  errno = 0;
  uint64_t magnitude = strtoull(digits, &end, hexadecimal ? 16 : 10);
  uint64_t largest = negative ? (uint64_t)1 << (bits - 1) : UINT64_MAX >> (64 - bits);
  if (errno || end == digits || *end || magnitude > largest) return false;
  *out = (int64_t)(negative ? 0 - magnitude : magnitude);
  return true;
}

// Reads an argument of this kind. Returns false if the text is not one. A reference can only be
// null.
static inline bool parse_value(const char* text, wasm_valkind_t kind, wasm_val_t* out) {
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
    case WASM_F32: // strtof and strtod know nan, inf and hexadecimal floats
      out->of.f32 = strtof(text, &end);
      return *text && !*end;
    case WASM_F64: out->of.f64 = strtod(text, &end); return *text && !*end;
    default: return wasm_valkind_is_ref(kind) && strcmp(text, "null") == 0;
  }
}

// Describes what parse_value accepts for this kind.
static inline const char* value_syntax(wasm_valkind_t kind) {
  switch (kind) {
    case WASM_I32: return "an integer of 32 bits (i32)";
    case WASM_I64: return "an integer of 64 bits (i64)";
    case WASM_F32: return "a number (f32)";
    case WASM_F64: return "a number (f64)";
    case WASM_EXTERNREF:
    case WASM_FUNCREF: return "null, the only reference that can be written";
    default: return "a value that cannot be written";
  }
}

// Creates a vector of zeros, which may be deleted at any time.
static inline void new_values(wasm_val_vec_t* out, size_t count) {
  wasm_val_vec_new_uninitialized(out, count);
  for (size_t i = 0; i < count; ++i) out->data[i] = (wasm_val_t)WASM_I32_VAL(0);
}

#endif
