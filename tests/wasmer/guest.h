// A guest that shows what it was given, and what the programs here do with it.
#ifndef WASMRT_TEST_WASMER_H
#define WASMRT_TEST_WASMER_H

#define _XOPEN_SOURCE 700 // mkdtemp
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../c/test.h"
#include "wasmrt-wasmer.h"

// Writes its arguments and environment to standard output, each with a zero at its end, and what is in
// "/" to standard error; exits with 7. Directories come before "/", which is 3 if there is none.
#define IMPORT(version, name, params) \
  "(import \"" version "\" \"" name "\" (func $" name " (param " params ") (result i32)))"
#define GUEST_OF(version, more, root)                                                              \
  "(module $guest " IMPORT(version, "args_sizes_get", "i32 i32") IMPORT(                           \
      version, "args_get", "i32 i32") IMPORT(version, "environ_sizes_get",                         \
                                             "i32 i32") IMPORT(version, "environ_get", "i32 i32")  \
      IMPORT(version, "fd_write", "i32 i32 i32 i32") IMPORT(                                       \
          version, "fd_readdir",                                                                   \
          "i32 i32 i32 i64 i32") "(import \"" version                                              \
                                 "\" \"proc_exit\" (func $proc_exit (param i32)))" more            \
                                 "(memory (export \"memory\") 2)"                                  \
                                 "(func $write (export \"write\")"                                 \
                                 "  (param $fd i32) (param $from i32) (param $size i32) (result "  \
                                 "i32)"                                                            \
                                 "  (i32.store (i32.const 16) (local.get $from))"                  \
                                 "  (i32.store (i32.const 20) (local.get $size))"                  \
                                 "  (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) " \
                                 "(i32.const 24)))"                                                \
                                 "(func (export \"_start\")"                                       \
                                 "  (drop (call $args_sizes_get (i32.const 0) (i32.const 4)))"     \
                                 "  (drop (call $args_get (i32.const 1024) (i32.const 2048)))"     \
                                 "  (drop (call $write (i32.const 1) (i32.const 2048) (i32.load "  \
                                 "(i32.const 4))))"                                                \
                                 "  (drop (call $environ_sizes_get (i32.const 0) (i32.const 4)))"  \
                                 "  (drop (call $environ_get (i32.const 1024) (i32.const 4096)))"  \
                                 "  (drop (call $write (i32.const 1) (i32.const 4096) (i32.load "  \
                                 "(i32.const 4))))"                                                \
                                 "  (drop (call $fd_readdir (i32.const " root                      \
                                 ") (i32.const 8192) (i32.const 1024)"                             \
                                 "                          (i64.const 0) (i32.const 8)))"         \
                                 "  (drop (call $write (i32.const 2) (i32.const 8192) (i32.load "  \
                                 "(i32.const 8))))"                                                \
                                 "  (call $proc_exit (i32.const 7))))"
#define GUEST GUEST_OF("wasi_snapshot_preview1", "", "3")
#define GUEST_WITH_DIRECTORY GUEST_OF("wasi_snapshot_preview1", "", "4")
#define GUEST_WITH_IMPORT \
  GUEST_OF("wasi_snapshot_preview1", "(import \"env\" \"own\" (func (param i32)))", "3")

// The failed call leaves a message with this in it, which is forgotten when it is read.
static inline void check_message(const char* part, const char* file, int line) {
  char message[1024] = "";
  int length = wasmer_last_error_length();
  check_report(length > 1 && length < 1024, file, line, "a message of some length");
  check_integers(wasmer_last_error_message(message, sizeof message), length, file, line,
                 "wasmer_last_error_message");
  check_contains(message, part, file, line, "the message");
  check_integers(wasmer_last_error_length(), 0, file, line, "wasmer_last_error_length afterwards");
}

static inline void forget_message(void) {
  char message[1];
  wasmer_last_error_message(message, 1);
}

#define CHECK_MESSAGE(condition, part)                         \
  do {                                                         \
    forget_message();                                          \
    check_report((condition), __FILE__, __LINE__, #condition); \
    check_message(part, __FILE__, __LINE__);                   \
  } while (0)

#define CHECK_LEAVES(call, part)             \
  do {                                       \
    forget_message();                        \
    call;                                    \
    check_message(part, __FILE__, __LINE__); \
  } while (0)

// Whether `size` bytes have a text in them.
static inline bool bytes_have(const char* bytes, size_t size, const char* text) {
  size_t length = strlen(text);
  for (size_t i = 0; i + length <= size; i++) {
    if (memcmp(bytes + i, text, length) == 0) return true;
  }
  return false;
}

static inline wasm_name_t name_of(const char* text) {
  wasm_name_t name;
  wasm_byte_vec_new(&name, strlen(text), text);
  return name;
}

// The module of a text, by way of wat2wasm.
static inline wasm_module_t* module_of(wasm_store_t* store, const char* text) {
  wasm_byte_vec_t wat = name_of(text), wasm;
  wat2wasm(&wat, &wasm);
  REQUIRE(wasm.size >= 8);
  wasm_module_t* module = wasm_module_new(store, &wasm);
  REQUIRE(module);
  wasm_byte_vec_delete(&wat);
  wasm_byte_vec_delete(&wasm);
  return module;
}

// Calls `_start`; returns the status with which it exited.
static inline int32_t start(wasm_instance_t* instance) {
  wasm_func_t* func = wasi_get_start_function(instance);
  REQUIRE(func);
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(func, &none, &none);
  REQUIRE(trap);
  int32_t status = -1;
  CHECK(wasmrt_trap_exit_status(trap, &status));
  wasm_trap_delete(trap);
  wasm_func_delete(func);
  return status;
}

// What wasmer-go does to read all that was captured: as long as exactly so many bytes come. Returns the
// number of bytes.
typedef intptr_t (*read_t)(wasi_env_t* env, char* buffer, uintptr_t size);
static inline size_t drain(wasi_env_t* env, read_t read, char* to, size_t room) {
  enum { PIECE = 1024 };
  size_t total = 0;
  intptr_t size;
  do {
    char piece[PIECE];
    size = read(env, piece, PIECE);
    REQUIRE(size >= 0 && total + (size_t)size <= room);
    memcpy(to + total, piece, (size_t)size);
    total += (size_t)size;
  } while (size == PIECE);
  return total;
}

typedef struct host_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
} host_t;

static inline host_t host_new(void) {
  host_t host = {.engine = wasm_engine_new()};
  host.store = wasm_store_new(host.engine);
  REQUIRE(host.store);
  return host;
}

static inline void host_delete(host_t* host) {
  wasm_store_delete(host->store);
  wasm_engine_delete(host->engine);
}

#endif
