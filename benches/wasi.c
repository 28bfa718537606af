#include "wasi.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "children.h"
#include "rows.h"

// -----------------------------------------------------------------------------------------------
// A guest, by this library's functions or by wasmtime's

static wasm_byte_vec_t binary_of(const char *text) {
  wasm_byte_vec_t binary;
  if (has_wasmtimes_wasi) {
    require(wasmtime.wat2wasm(text, strlen(text), &binary) == NULL);
  } else {
    require(wasmrt.wat2wasm(text, strlen(text), &binary));
  }
  return binary;
}

static wasm_instance_t *instance;
static wasmrt_wasi_t *context;
static void *their_store;
static wasmtime_instance_t their_instance;

static void start_ours(const wasm_byte_vec_t *binary) {
  wasm_store_t *store = wasm.store_new(wasm.engine_new());
  wasm_module_t *module = wasm.module_new(store, binary);
  require(module != NULL);
  wasmrt_wasi_config_t *config = wasmrt.wasi_config_new();
  require(wasmrt.wasi_config_file(config, WASMRT_WASI_STDOUT, "/dev/null", false));
  require(scratch_directory == NULL ||
          wasmrt.wasi_config_preopen(config, scratch_directory, "/", WASMRT_WASI_READ_WRITE));
  context = wasmrt.wasi_new(store, config);
  wasm_extern_vec_t imports;
  require(wasmrt.wasi_imports(context, module, &imports));
  instance = wasm.instance_new(store, module, &imports, NULL);
  require(instance != NULL);
}

static void start_theirs(const wasm_byte_vec_t *binary) {
  wasm_engine_t *engine = wasm.engine_new();
  void *module;
  require(wasmtime.module_new(engine, (uint8_t *)binary->data, binary->size, &module) == NULL);
  their_store = wasmtime.store_new(engine, NULL, NULL);
  void *config = wasmtime_wasi.config_new();
  require(wasmtime_wasi.config_set_stdout_file(config, "/dev/null"));
  require(scratch_directory == NULL ||
          wasmtime_wasi.config_preopen_dir(config, scratch_directory, "/", true));
  void *in = wasmtime.store_context(their_store);
  require(wasmtime.context_set_wasi(in, config) == NULL);
  void *linker = wasmtime.linker_new(engine);
  require(wasmtime.linker_define_wasi(linker) == NULL);
  wasm_trap_t *trap = NULL;
  require(wasmtime.linker_instantiate(linker, in, module, &their_instance, &trap) == NULL);
  require(trap == NULL);
}

static void start(const wasm_byte_vec_t *binary) {
  if (has_wasmtimes_wasi) {
    start_theirs(binary);
  } else {
    start_ours(binary);
  }
}

// -----------------------------------------------------------------------------------------------
// Rows: functions of WASI

static wasm_func_t *loop;
static wasmtime_extern_t their_loop;

static void call_loop(int32_t count) {
  if (has_wasmtimes_wasi) {
    wasmtime_val_t argument = {.kind = 0, .of = {.i32 = count}};
    wasm_trap_t *trap = NULL;
    require(wasmtime.func_call(wasmtime.store_context(their_store), &their_loop.of, &argument, 1,
                               NULL, 0, &trap) == NULL);
    require(trap == NULL);
  } else {
    wasm_val_t argument = {.kind = WASM_I32, .of = {.i32 = count}};
    wasm_val_vec_t arguments = {1, &argument}, results = {0, NULL};
    require(wasm.func_call(loop, &arguments, &results) == NULL);
  }
}

void call_wasi(uint64_t count) {
  for (; count > 0x40000000; count -= 0x40000000) call_loop(0x40000000);
  call_loop((int32_t)count);
}

// Makes a guest whose "loop" does `body` as often as its parameter $n says; the body leaves an
// errno, and any but 0 is a trap. 3 is the guest's directory. `data` is at address 0. `first` is
// done before each loop.
static void prepare_guest(const char *imports, const char *data, const char *first,
                          const char *body) {
  char text[4096];
  int length =
      snprintf(text, sizeof text,
               "(module %s\n"
               "  (memory (export \"memory\") 4) (data (i32.const 0) \"%s\")\n"
               "  (func (export \"loop\") (param $n i32)\n"
               "    %s\n"
               "    (loop $again\n"
               "      (if %s (then unreachable))\n"
               "      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))",
               imports, data, first, body);
  require(length > 0 && (size_t)length < sizeof text);
  wasm_byte_vec_t binary = binary_of(text);
  start(&binary);
  wasm.byte_vec_delete(&binary);
  if (has_wasmtimes_wasi) {
    void *in = wasmtime.store_context(their_store);
    require(wasmtime.instance_export_get(in, &their_instance, "loop", 4, &their_loop));
  } else {
    wasm_extern_vec_t exports;
    wasm.instance_exports(instance, &exports);
    require(exports.size == 2);
    loop = wasm.extern_as_func(exports.data[1]);
  }
  call_loop(1);
}

#define IMPORT(name, parameters)                                                       \
  "(import \"wasi_snapshot_preview1\" \"" name "\" (func $" name " (param " parameters \
  ") (result i32)))"

void prepare_wasi_clock(uint64_t parameter) {
  (void)parameter;
  prepare_guest(IMPORT("clock_time_get", "i32 i64 i32"), "", "",
                "(call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 64))");
}

void prepare_wasi_random(uint64_t bytes) {
  char body[256];
  snprintf(body, sizeof body, "(call $random_get (i32.const 1024) (i32.const %u))",
           (unsigned)bytes);
  prepare_guest(IMPORT("random_get", "i32 i32"), "", "", body);
}

// Data with one buffer of so many bytes, in the second page of the memory, and behind it, at 16,
// the name of the file.
static const char *buffer_of(uint64_t bytes) {
  static char data[128];
  snprintf(data, sizeof data, "\\00\\00\\01\\00\\%02x\\%02x\\%02x\\00--------file",
           (unsigned)(bytes & 0xff), (unsigned)(bytes >> 8 & 0xff), (unsigned)(bytes >> 16));
  return data;
}

void prepare_wasi_null(uint64_t bytes) {
  prepare_guest(IMPORT("fd_write", "i32 i32 i32 i32"), buffer_of(bytes), "",
                "(call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 32))");
}

// The rows that need files.
static const char *path_of(const char *name) {
  static char path[4096];
  require((size_t)snprintf(path, sizeof path, "%s/%s", scratch_directory, name) < sizeof path);
  return path;
}

static void make_file(const char *name, off_t size) {
  int file = open(path_of(name), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
  require(file >= 0 && ftruncate(file, size) == 0);
  close(file);
}

static void need_directory(void) {
  if (scratch_directory == NULL) _exit(STATUS_MISSING);
  make_file("file", 1 << 20);
}

// Reads or writes a file of 1 MB: 16 times in a row, and then again from its start.
static void prepare_file(const char *function, uint64_t bytes) {
  need_directory();
  char imports[1024];
  snprintf(imports, sizeof imports,
           IMPORT("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32")
               IMPORT("fd_seek", "i32 i64 i32 i32") "(import \"wasi_snapshot_preview1\" \"%s\""
                                                    " (func $move (param i32 i32 i32 i32)"
                                                    " (result i32)))",
           function);
  // Its descriptor is at 64.
  prepare_guest(imports, buffer_of(bytes),
                "(if (i32.eqz (i32.load (i32.const 64))) (then (if"
                " (call $path_open (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 4)"
                "  (i32.const 0) (i64.const 0x46) (i64.const 0) (i32.const 0) (i32.const 64))"
                " (then unreachable))))",
                "(i32.or (if (result i32) (i32.and (local.get $n) (i32.const 15))"
                "  (then (i32.const 0)) (else"
                "  (call $fd_seek (i32.load (i32.const 64)) (i64.const 0) (i32.const 0)"
                "   (i32.const 72))))"
                " (call $move (i32.load (i32.const 64)) (i32.const 0) (i32.const 1)"
                "  (i32.const 32)))");
}

void prepare_wasi_write(uint64_t bytes) {
  prepare_file("fd_write", bytes);
}

void prepare_wasi_read(uint64_t bytes) {
  prepare_file("fd_read", bytes);
}

void prepare_wasi_stat(uint64_t parameter) {
  (void)parameter;
  need_directory();
  prepare_guest(IMPORT("path_filestat_get", "i32 i32 i32 i32 i32"), buffer_of(0), "",
                "(call $path_filestat_get (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 4)"
                " (i32.const 64))");
}

void prepare_wasi_open(uint64_t parameter) {
  (void)parameter;
  need_directory();
  prepare_guest(IMPORT("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32")
                    IMPORT("fd_close", "i32"),
                buffer_of(0), "",
                "(i32.or (call $path_open (i32.const 3) (i32.const 1) (i32.const 16) (i32.const 4)"
                "  (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 64))"
                " (call $fd_close (i32.load (i32.const 64))))");
}

// Lists a directory: all of it is in the room, which is not full then.
void prepare_wasi_list(uint64_t entries) {
  need_directory();
  char name[64];
  snprintf(name, sizeof name, "list%05u", (unsigned)entries);
  require(strlen(name) == 9 && (mkdir(path_of(name), 0755) == 0 || errno == EEXIST));
  for (uint64_t i = 0; i < entries; i++) {
    snprintf(name, sizeof name, "list%05u/%06u", (unsigned)entries, (unsigned)i);
    make_file(name, 0);
  }
  char data[64], body[512];
  snprintf(data, sizeof data, "list%05u", (unsigned)entries);
  snprintf(body, sizeof body,
           "(i32.or (call $fd_readdir (i32.load (i32.const 64)) (i32.const 0x10000)"
           "  (i32.const 0x20000) (i64.const 0) (i32.const 72))"
           " (i32.or (i32.lt_u (i32.load (i32.const 72)) (i32.const %u))"
           "  (i32.eq (i32.load (i32.const 72)) (i32.const 0x20000))))",
           (unsigned)entries * 30);
  prepare_guest(IMPORT("path_open", "i32 i32 i32 i32 i32 i64 i64 i32 i32")
                    IMPORT("fd_readdir", "i32 i32 i32 i64 i32"),
                data,
                "(if (i32.eqz (i32.load (i32.const 64))) (then (if"
                " (call $path_open (i32.const 3) (i32.const 1) (i32.const 0) (i32.const 9)"
                "  (i32.const 2) (i64.const 0x4000) (i64.const 0) (i32.const 0) (i32.const 64))"
                " (then unreachable))))",
                body);
}

// -----------------------------------------------------------------------------------------------
// A program that writes a line and exits, in a fresh process each time

static const char hello_text[] =
    "(module"
    "  (import \"wasi_snapshot_preview1\" \"fd_write\""
    "    (func $fd_write (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))"
    "  (memory (export \"memory\") 1)"
    "  (data (i32.const 0) \"\\10\\00\\00\\00\\0d\\00\\00\\00--------hello, world\\0a\")"
    "  (func (export \"_start\")"
    "    (if (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))"
    "      (then unreachable))"
    "    (call $proc_exit (i32.const 42))))";

static void serve_hello(const library_t *library, int command, int answer) {
  (void)command;
  load(library);
  wasm_byte_vec_t binary = binary_of(hello_text);
  double begin = now(CLOCK_MONOTONIC);
  start(&binary);
  int status = 0;
  if (has_wasmtimes_wasi) {
    void *in = wasmtime.store_context(their_store);
    wasm_trap_t *trap = NULL;
    wasmtime_extern_t entry;
    require(wasmtime.instance_export_get(in, &their_instance, "_start", 6, &entry));
    void *error = wasmtime.func_call(in, &entry.of, NULL, 0, NULL, 0, &trap);
    require(error != NULL && wasmtime.error_exit_status(error, &status));
  } else {
    require(wasmrt.wasi_start(context, instance, &status) == NULL);
  }
  const double time = now(CLOCK_MONOTONIC) - begin;
  require(status == 42);
  reply(answer, &time, 1);
}

int hello(const library_t *libraries, size_t library_count) {
  static double samples[MAX_LIBRARIES][MAX_REPETITIONS];
  child_t last[MAX_LIBRARIES];
  for (size_t repetition = 0; repetition < repetitions; repetition++) {
    for (size_t i = 0; i < library_count; i++) {
      last[i] = start_child(serve_hello, &libraries[i]);
      read_answer(&last[i], &samples[i][repetition], 1);
      end_child(&last[i]);
    }
  }
  printf("row\tlibrary\tminimum_ns\tmedian_ns\n");
  for (size_t i = 0; i < library_count; i++) {
    sort(samples[i]);
    printf("hello\t%s\t", libraries[i].label);
    print_figure(&last[i], "%.4g", samples[i][0]);
    printf("\t");
    print_figure(&last[i], "%.4g", median(samples[i]));
    printf("\n");
  }
  return 0;
}
