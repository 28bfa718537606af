// A guest that has every function of WASI and exports each under its own name, so that the tests call
// them through the engine, with memory that they fill themselves.
#ifndef WASMRT_TEST_WASI_H
#define WASMRT_TEST_WASI_H

#define _GNU_SOURCE // O_PATH
#include "files.h"

#include <errno.h>
#include <stdarg.h>

// The errors of WASI that the tests name.
enum {
  OK = 0,
  E_ACCES = 2,
  E_AGAIN = 6,
  E_BADF = 8,
  E_DQUOT = 19,
  E_EXIST = 20,
  E_FAULT = 21,
  E_ILSEQ = 25,
  E_INVAL = 28,
  E_IO = 29,
  E_ISDIR = 31,
  E_LOOP = 32,
  E_MFILE = 33,
  E_NAMETOOLONG = 37,
  E_NOENT = 44,
  E_NOSPC = 51,
  E_NOTDIR = 54,
  E_NOTEMPTY = 55,
  E_NOTSOCK = 57,
  E_NOTSUP = 58,
  E_NXIO = 60,
  E_PERM = 63,
  E_PIPE = 64,
  E_SPIPE = 70,
  E_NOTCAPABLE = 76,
};

enum {
  AS_CREATE = 1,
  AS_DIRECTORY = 2,
  AS_EXCL = 4,
  AS_TRUNC = 8,
  AS_FOLLOW = 1,
  AS_APPEND = 1,
  AS_NONBLOCK = 4
};
enum { RIGHT_READ = 1 << 1, RIGHT_WRITE = 1 << 6, RIGHT_RW = RIGHT_READ | RIGHT_WRITE };

typedef struct wasi_row_t {
  const char* name;
  const char* parameters;
} wasi_row_t;

static const wasi_row_t wasi_rows[] = {
    {"args_get", "ii"},
    {"args_sizes_get", "ii"},
    {"clock_res_get", "ii"},
    {"clock_time_get", "iIi"},
    {"environ_get", "ii"},
    {"environ_sizes_get", "ii"},
    {"fd_advise", "iIIi"},
    {"fd_allocate", "iII"},
    {"fd_close", "i"},
    {"fd_datasync", "i"},
    {"fd_fdstat_get", "ii"},
    {"fd_fdstat_set_flags", "ii"},
    {"fd_fdstat_set_rights", "iII"},
    {"fd_filestat_get", "ii"},
    {"fd_filestat_set_size", "iI"},
    {"fd_filestat_set_times", "iIIi"},
    {"fd_pread", "iiiIi"},
    {"fd_prestat_dir_name", "iii"},
    {"fd_prestat_get", "ii"},
    {"fd_pwrite", "iiiIi"},
    {"fd_read", "iiii"},
    {"fd_readdir", "iiiIi"},
    {"fd_renumber", "ii"},
    {"fd_seek", "iIii"},
    {"fd_sync", "i"},
    {"fd_tell", "ii"},
    {"fd_write", "iiii"},
    {"path_create_directory", "iii"},
    {"path_filestat_get", "iiiii"},
    {"path_filestat_set_times", "iiiiIIi"},
    {"path_link", "iiiiiii"},
    {"path_open", "iiiiiIIii"},
    {"path_readlink", "iiiiii"},
    {"path_remove_directory", "iii"},
    {"path_rename", "iiiiii"},
    {"path_symlink", "iiiii"},
    {"path_unlink_file", "iii"},
    {"poll_oneoff", "iiii"},
    {"proc_raise", "i"},
    {"random_get", "ii"},
    {"sched_yield", ""},
    {"sock_recv", "iiiiii"},
    {"sock_send", "iiiii"},
    {"sock_shutdown", "ii"},
    {"sock_accept", "iii"},
};
enum { WASI_ROWS = sizeof wasi_rows / sizeof *wasi_rows };

// The guest's memory: results of functions, then vectors, then text, then data.
enum { OUT = 0, VECTORS = 256, PATH = 1024, OTHER = 8192, DATA = 16384, PAGES = 4 };

typedef struct guest_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasmrt_wasi_t* wasi;
  wasm_module_t* module;
  wasm_instance_t* instance;
  wasm_extern_vec_t exports;
  wasm_memory_t* memory;
  size_t rows;
  wasm_trap_t* trap; // of the last call
} guest_t;

static inline char* wasi_guest_text(const char* version, size_t rows, unsigned pages) {
  size_t room = 64 * 1024;
  char* wat = malloc(room);
  size_t used = 0;
#define PUT(...) used += (size_t)snprintf(wat + used, room - used, __VA_ARGS__)
  PUT("(module ");
  for (int pass = 0; pass < 2; pass++) {
    for (size_t i = 0; i < rows; i++) {
      const char* name = wasi_rows[i].name;
      const char* parameters = wasi_rows[i].parameters;
      if (pass == 0)
        PUT("(import \"%s\" \"%s\" (func $%s (param", version, name, name);
      else
        PUT("(func (export \"%s\") (param", name);
      for (const char* p = parameters; *p; p++) PUT(" %s", *p == 'i' ? "i32" : "i64");
      PUT(") (result i32)");
      if (pass == 1) {
        PUT("(call $%s", name);
        for (size_t p = 0; p < strlen(parameters); p++) PUT("(local.get %zu)", p);
        PUT(")");
      }
      PUT(pass == 0 ? "))" : ")");
    }
  }
  PUT("(memory (export \"memory\") %u %u))", pages, pages > 64 ? pages : 64);
#undef PUT
  REQUIRE(used < room);
  return wat;
}

// Takes ownership of the engine, if one is given, and of the configuration.
static inline guest_t guest_with(wasm_engine_t* engine, wasmrt_wasi_config_t* config,
                                 const char* version, unsigned pages) {
  guest_t guest = {.engine = engine ? engine : wasm_engine_new()};
  REQUIRE(guest.engine);
  guest.store = wasm_store_new(guest.engine);
  REQUIRE(guest.store);
  guest.wasi = wasmrt_wasi_new(guest.store, config);
  wasmrt_wasi_config_delete(config);
  REQUIRE(guest.wasi);
  guest.rows = WASI_ROWS - (strcmp(version, "wasi_unstable") == 0);
  char* wat = wasi_guest_text(version, guest.rows, pages);
  guest.module = module_from_wat(guest.store, wat);
  free(wat);
  wasm_extern_vec_t imports;
  REQUIRE(wasmrt_wasi_imports(guest.wasi, guest.module, &imports));
  REQUIRE(imports.size == guest.rows);
  guest.instance = instantiate(guest.store, guest.module, imports.data, imports.size);
  wasm_extern_vec_delete(&imports);
  wasm_instance_exports(guest.instance, &guest.exports);
  guest.memory = wasm_extern_as_memory(guest.exports.data[guest.rows]);
  REQUIRE(guest.memory);
  return guest;
}

static inline guest_t guest_of(wasm_engine_t* engine, wasmrt_wasi_config_t* config,
                               const char* version) {
  return guest_with(engine, config, version, PAGES);
}

static inline guest_t guest_new(wasmrt_wasi_config_t* config) {
  return guest_of(NULL, config, "wasi_snapshot_preview1");
}

static inline void guest_delete(guest_t* guest) {
  wasm_trap_delete(guest->trap);
  wasmrt_wasi_delete(guest->wasi);
  wasm_extern_vec_delete(&guest->exports);
  wasm_instance_delete(guest->instance);
  wasm_module_delete(guest->module);
  wasm_store_delete(guest->store);
  wasm_engine_delete(guest->engine);
}

// Calls a function; returns its errno, or -1 if it trapped.
static inline int guest_call(guest_t* guest, const char* name, const int64_t* values,
                             size_t count) {
  size_t row = 0;
  while (row < guest->rows && strcmp(wasi_rows[row].name, name) != 0) row++;
  REQUIRE(row < guest->rows);
  REQUIRE(strlen(wasi_rows[row].parameters) == count);
  wasm_val_t arguments[9];
  for (size_t i = 0; i < count; i++) {
    arguments[i] = wasi_rows[row].parameters[i] == 'i' ? I32((int32_t)values[i]) : I64(values[i]);
  }
  wasm_val_t result;
  wasm_trap_delete(guest->trap);
  guest->trap = call(wasm_extern_as_func(guest->exports.data[row]), arguments, count, &result, 1);
  return guest->trap ? -1 : result.of.i32;
}

#define W(name, ...) \
  guest_call(g, #name, (int64_t[]){__VA_ARGS__}, sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t))

static inline uint8_t* guest_at(guest_t* g, uint32_t address) {
  return (uint8_t*)wasm_memory_data(g->memory) + address;
}

static inline uint32_t guest_u32(guest_t* g, uint32_t address) {
  uint32_t value;
  memcpy(&value, guest_at(g, address), 4);
  return value;
}

static inline uint64_t guest_u64(guest_t* g, uint32_t address) {
  uint64_t value;
  memcpy(&value, guest_at(g, address), 8);
  return value;
}

static inline void guest_put_u32(guest_t* g, uint32_t address, uint32_t value) {
  memcpy(guest_at(g, address), &value, 4);
}

static inline void guest_put_u64(guest_t* g, uint32_t address, uint64_t value) {
  memcpy(guest_at(g, address), &value, 8);
}

// A vector of one buffer at VECTORS.
static inline void guest_vector(guest_t* g, uint32_t address, uint32_t size) {
  guest_put_u32(g, VECTORS, address);
  guest_put_u32(g, VECTORS + 4, size);
}

static inline int64_t guest_text(guest_t* g, uint32_t address, const char* text) {
  memcpy(guest_at(g, address), text, strlen(text) + 1);
  return (int64_t)strlen(text);
}

static inline int guest_write(guest_t* g, int64_t fd, const char* text) {
  memcpy(guest_at(g, DATA), text, strlen(text));
  guest_vector(g, DATA, (uint32_t)strlen(text));
  return W(fd_write, fd, VECTORS, 1, OUT);
}

static inline int guest_read(guest_t* g, int64_t fd, uint32_t size) {
  guest_vector(g, DATA, size);
  return W(fd_read, fd, VECTORS, 1, OUT);
}

// Whether the last read gave exactly this.
static inline bool guest_has(guest_t* g, const char* text) {
  return guest_u32(g, OUT) == strlen(text) && memcmp(guest_at(g, DATA), text, strlen(text)) == 0;
}

static inline int guest_open(guest_t* g, int64_t fd, const char* path, int64_t flags,
                             int64_t rights) {
  int64_t size = guest_text(g, PATH, path);
  return W(path_open, fd, AS_FOLLOW, PATH, size, flags, rights, 0, 0, OUT);
}

// Opens what must be there.
static inline int64_t guest_opened(guest_t* g, int64_t fd, const char* path, int64_t flags,
                                   int64_t rights) {
  REQUIRE(guest_open(g, fd, path, flags, rights) == OK);
  return guest_u32(g, OUT);
}

// A path function with one path.
#define P(name, fd, path) W(name, (fd), PATH, guest_text(g, PATH, (path)))
#define STAT(fd, path) W(path_filestat_get, (fd), AS_FOLLOW, PATH, guest_text(g, PATH, (path)), OUT)
#define LSTAT(fd, path) W(path_filestat_get, (fd), 0, PATH, guest_text(g, PATH, (path)), OUT)
#define RENAME(fd, path, fd2, path2)                                    \
  W(path_rename, (fd), PATH, guest_text(g, PATH, (path)), (fd2), OTHER, \
    guest_text(g, OTHER, (path2)))
#define LINK(fd, path, fd2, path2)                                       \
  W(path_link, (fd), 0, PATH, guest_text(g, PATH, (path)), (fd2), OTHER, \
    guest_text(g, OTHER, (path2)))
#define SYMLINK(contents, fd, path) \
  W(path_symlink, PATH, guest_text(g, PATH, (contents)), (fd), OTHER, guest_text(g, OTHER, (path)))
#define READLINK(fd, path, room) \
  W(path_readlink, (fd), PATH, guest_text(g, PATH, (path)), DATA, (room), OUT)

#endif
