// Reports to the user.

#include "common.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// Whether a control character begins here. Those of the second kind, U+0080 to U+009F, take two
// bytes in UTF-8.
static bool is_control(const unsigned char* bytes, size_t size) {
  return bytes[0] < 0x20 || bytes[0] == 0x7f ||
         (bytes[0] == 0xc2 && size > 1 && bytes[1] >= 0x80 && bytes[1] < 0xa0);
}

void write_escaped(FILE* out, const char* text, size_t size) {
  const unsigned char* bytes = (const unsigned char*)text;
  for (size_t i = 0; i < size; ++i) {
    if (!is_control(bytes + i, size - i)) {
      fputc(bytes[i], out);
    } else {
      fprintf(out, "\\%02x", bytes[i]);
      if (bytes[i] == 0xc2) fprintf(out, "\\%02x", bytes[++i]);
    }
  }
}

// Writes a message, with its line breaks if `lines`.
static void write_message(const char* format, va_list values, bool lines) {
  va_list again;
  va_copy(again, values);
  int length = vsnprintf(NULL, 0, format, again);
  va_end(again);
  char* message = length < 0 ? NULL : malloc((size_t)length + 1);
  fflush(stdout); // what came before is to be read before
  fputs("wasmrt: ", stderr);
  if (message) {
    vsnprintf(message, (size_t)length + 1, format, values);
    const char* line = message;
    for (const char* end; lines && (end = strchr(line, '\n')); line = end + 1) {
      write_escaped(stderr, line, (size_t)(end - line));
      fputs(end[1] ? "\n  " : "", stderr);
    }
    write_escaped(stderr, line, strlen(line));
  }
  free(message);
}

void report(const char* format, ...) {
  va_list values;
  va_start(values, format);
  write_message(format, values, true);
  va_end(values);
  fputc('\n', stderr);
}

_Noreturn void fail(const char* format, ...) {
  va_list values;
  va_start(values, format);
  write_message(format, values, true);
  va_end(values);
  fputc('\n', stderr);
  finish(FAILED);
}

_Noreturn void wrong_use(const char* command, const char* format, ...) {
  va_list values;
  va_start(values, format);
  write_message(format, values, false);
  va_end(values);
  fprintf(stderr, "; see 'wasmrt help%s%s'\n", command ? " " : "", command ? command : "");
  finish(WRONG_USE);
}

const char* reason(void) {
  const char* message = wasmrt_last_error_message();
  if (!message) return "no reason given";
  size_t name = strspn(message, "abcdefghijklmnopqrstuvwxyz0123456789_");
  bool has_name = strncmp(message, "wasm", 4) == 0 && strncmp(message + name, ": ", 2) == 0;
  return has_name ? message + name + 2 : message;
}

_Noreturn void finish(int status) {
  errno = 0;
  bool failed = ferror(stdout);
  if (fflush(stdout) != 0 || failed) {
    fprintf(stderr, "wasmrt: cannot write to standard output: %s\n",
            errno ? strerror(errno) : "an earlier write failed");
    if (status == SUCCESS) status = FAILED;
  }
  exit(status);
}
