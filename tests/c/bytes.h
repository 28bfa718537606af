// Binaries, written byte by byte.
#ifndef WASMRT_TEST_BYTES_H
#define WASMRT_TEST_BYTES_H

#include "test.h"

typedef struct bytes_t {
  unsigned char* data;
  size_t size, room;
} bytes_t;

static inline void put(bytes_t* bytes, unsigned char byte) {
  if (bytes->size == bytes->room) {
    bytes->room = bytes->room ? 2 * bytes->room : 4096;
    bytes->data = realloc(bytes->data, bytes->room);
    REQUIRE(bytes->data);
  }
  bytes->data[bytes->size++] = byte;
}

static inline void put_number(bytes_t* bytes, uint64_t number) {
  do {
    unsigned char low = number & 0x7f;
    number >>= 7;
    put(bytes, number ? low | 0x80 : low);
  } while (number);
}

static inline void put_all(bytes_t* bytes, const char* data, size_t size) {
  for (size_t i = 0; i < size; i++) put(bytes, (unsigned char)data[i]);
}

static inline void put_repeated(bytes_t* bytes, const char* data, size_t size, size_t times) {
  for (size_t i = 0; i < times; i++) put_all(bytes, data, size);
}

#define PUT(bytes, literal) put_all((bytes), (literal), sizeof(literal) - 1)
#define REPEAT(bytes, literal, times) put_repeated((bytes), (literal), sizeof(literal) - 1, (times))

static inline bytes_t module_begin(void) {
  bytes_t module = {NULL, 0, 0};
  PUT(&module, "\0asm\1\0\0\0");
  return module;
}

// Appends a section and frees its content.
static inline void put_section(bytes_t* module, unsigned char number, bytes_t content) {
  put(module, number);
  put_number(module, content.size);
  put_all(module, (const char*)content.data, content.size);
  free(content.data);
}

// A module with one function, () -> () and exported as "f", of this body (locals included).
static inline bytes_t module_of_body(bytes_t body) {
  bytes_t module = module_begin(), code = {NULL, 0, 0};
  PUT(&module, "\1\4\1\x60\0\0");
  PUT(&module, "\3\2\1\0");
  PUT(&module, "\7\5\1\1f\0\0");
  put_number(&code, 1);
  put_number(&code, body.size);
  put_all(&code, (const char*)body.data, body.size);
  free(body.data);
  put_section(&module, 10, code);
  return module;
}

#endif
