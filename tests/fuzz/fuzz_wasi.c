// The arguments of WASI's functions: a guest calls each of them, of both versions, with numbers that are often just right and
// often just wrong, in a directory that is laid out for it. What must not be: an errno that there is not, a trap of the
// library's, a byte of memory that is written although the function failed or that is no result of it, a change of
// anything that was not given for writing, more bytes or descriptors than the guest may have, and what is left open.
#define _GNU_SOURCE // nftw
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fuzz.h"

enum {
  LAST_ERRNO = 76,
  ALL_BYTES = 65536,
  MAX_PARAMETERS = 9,
  MAX_DESCRIPTORS = 12,
  MAX_FILE_BYTES = 1 << 16,
  MAX_AREAS = 300,
  MAX_VECTORS = 256, // those behind are not looked at
  MAX_SUBSCRIPTIONS = 1024,
  RW = 3,
  RO = 4,
};

// What a parameter is, one letter each:
//   d  a descriptor             n, N  a number of 32 or 64 bits
//   D  a directory              f  flags, of which few are set
//   c  one that may go          R  rights
//   s  a path, and its length   b     room for a result, and its length
//   r  buffers that are read to, and their number; w  buffers that are written
//   1, 2, 3, 4  the place of a result of 2, 4, 8, 24 bytes; 5 the place of a file's attributes
//   a, A  where arguments go: pointers, bytes; e, E  the same of variables
//   i, o  subscriptions; events, and their number
static const struct {
  const char* name;
  const char* parameters;
} functions[] = {
    {"args_get", "aA"},
    {"args_sizes_get", "22"},
    {"clock_res_get", "f3"},
    {"clock_time_get", "fN3"},
    {"environ_get", "eE"},
    {"environ_sizes_get", "22"},
    {"fd_advise", "dNNf"},
    {"fd_allocate", "dNN"},
    {"fd_close", "c"},
    {"fd_datasync", "d"},
    {"fd_fdstat_get", "d4"},
    {"fd_fdstat_set_flags", "df"},
    {"fd_fdstat_set_rights", "cRR"},
    {"fd_filestat_get", "d5"},
    {"fd_filestat_set_size", "dN"},
    {"fd_filestat_set_times", "dNNf"},
    {"fd_pread", "drN2"},
    {"fd_prestat_dir_name", "db"},
    {"fd_prestat_get", "d3"},
    {"fd_pwrite", "dwN2"},
    {"fd_read", "dr2"},
    {"fd_readdir", "DbN2"},
    {"fd_renumber", "cc"},
    {"fd_seek", "dNf3"},
    {"fd_sync", "d"},
    {"fd_tell", "d3"},
    {"fd_write", "dw2"},
    {"path_create_directory", "Ds"},
    {"path_filestat_get", "Dfs5"},
    {"path_filestat_set_times", "DfsNNf"},
    {"path_link", "DfsDs"},
    {"path_open", "DfsfRRf2"},
    {"path_readlink", "Dsb2"},
    {"path_remove_directory", "Ds"},
    {"path_rename", "DsDs"},
    {"path_symlink", "sDs"},
    {"path_unlink_file", "Ds"},
    {"poll_oneoff", "io2"},
    {"proc_exit", "n"},
    {"proc_raise", "n"},
    {"random_get", "b"},
    {"sched_yield", ""},
    {"sock_recv", "drn21"},
    {"sock_send", "dwn2"},
    {"sock_shutdown", "dn"},
    {"sock_accept", "dn2"}, // last: the older version does not have it
};
enum { FUNCTIONS = LENGTH_OF(functions), OPEN = 31, EXIT = 38 };

static const char* const versions[] = {"wasi_snapshot_preview1", "wasi_unstable"};
static unsigned version; // of this input

static unsigned function_count(void) {
  return FUNCTIONS - version;
}

// ------------------------------------------------------------------------------------------------
// The directory: base/rw is given for writing, base/ro for reading, base/outside not at all.

static char base[64];

static int remove_entry(const char* path, const struct stat* status, int type, struct FTW* walk) {
  (void)status, (void)type;
  return walk->level == 0 ? 0 : remove(path);
}

static void empty_base(void) {
  nftw(base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

static void remove_base(void) {
  empty_base();
  rmdir(base);
}

static const char* in_base(const char* name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", base, name);
  return path;
}

static void lay_out(void) {
  if (!base[0]) {
    // In memory, where there is such a place.
    snprintf(base, sizeof base, "%s/wasmrt-fuzz-XXXXXX",
             access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    EXPECT(mkdtemp(base) != NULL);
    atexit(remove_base);
  }
  empty_base();
  static const char* const folders[] = {"rw",   "rw/d",    "rw/d/e",   "ro",
                                        "ro/d", "outside", "outside/d"};
  static const char* const files[] = {"rw/f",      "rw/d/f",      "ro/f", "ro/d/f",
                                      "outside/f", "outside/d/f", "f"};
  static const char* const links[][2] = {{"f", "rw/l"},
                                         {"d", "rw/k"},
                                         {"..", "rw/u"},
                                         {"../outside/f", "rw/o"},
                                         {"p", "rw/p"},
                                         {"nothing", "rw/x"},
                                         {"../../outside", "rw/d/o"},
                                         {"f", "ro/l"}};
  for (size_t i = 0; i < LENGTH_OF(folders); i++) EXPECT_INT(mkdir(in_base(folders[i]), 0700), 0);
  for (size_t i = 0; i < LENGTH_OF(files); i++) {
    int file = open(in_base(files[i]), O_CREAT | O_WRONLY, 0600);
    EXPECT(file >= 0 && write(file, "0123456789", 10) == 10);
    close(file);
  }
  for (size_t i = 0; i < LENGTH_OF(links); i++)
    EXPECT_INT(symlink(links[i][0], in_base(links[i][1])), 0);
  char absolute[128];
  snprintf(absolute, sizeof absolute, "%s", in_base("rw/a"));
  EXPECT_INT(symlink(in_base("outside"), absolute), 0);
  EXPECT_INT(mkfifo(in_base("rw/q"), 0600), 0);
}

// A number that tells apart everything that must not change, and how many bytes are in what may.
static uint64_t digest;
static uint64_t writable_bytes;

static int digest_entry(const char* path, const struct stat* status, int type, struct FTW* walk) {
  (void)type;
  const char* name = path + strlen(base);
  if (strncmp(name, "/rw", 3) == 0) {
    if (S_ISREG(status->st_mode)) writable_bytes += (uint64_t)status->st_blocks * 512;
    return 0;
  }
  uint64_t parts[] = {status->st_ino,
                      status->st_mode,
                      status->st_nlink,
                      (uint64_t)status->st_size,
                      (uint64_t)status->st_mtim.tv_sec,
                      (uint64_t)status->st_mtim.tv_nsec,
                      (uint64_t)walk->level};
  for (const char* byte = name; *byte; byte++) digest = (digest ^ (uint8_t)*byte) * 0x100000001b3;
  for (size_t i = 0; i < LENGTH_OF(parts); i++) digest = (digest ^ parts[i]) * 0x100000001b3;
  return 0;
}

static uint64_t digest_of_the_rest(void) {
  digest = 0xcbf29ce484222325, writable_bytes = 0;
  EXPECT_INT(nftw(base, digest_entry, 16, FTW_PHYS), 0);
  return digest;
}

// ------------------------------------------------------------------------------------------------
// Arguments

static uint8_t* memory; // the guest's
static uint8_t before[ALL_BYTES];

// Where a function may write.
static struct { uint32_t at, size; } areas[MAX_AREAS];
static unsigned area_count;

static void add_area(uint32_t at, uint64_t size) {
  if (at >= ALL_BYTES || area_count == MAX_AREAS) return;
  areas[area_count].at = at;
  areas[area_count++].size = size > ALL_BYTES - at ? ALL_BYTES - at : (uint32_t)size;
}

static uint32_t any_address(void) {
  uint8_t byte = next_byte();
  switch (byte & 15) {
    case 0: return next_u32();
    case 1: return ALL_BYTES - (byte >> 4);
    case 2: return ALL_BYTES - 64 + (byte >> 4);
    case 3: return UINT32_MAX - (byte >> 4);
    case 4: return byte >> 4;
    default: return (uint32_t)next_byte() << 8 | (byte & 0xf0);
  }
}

static uint32_t any_length(void) {
  uint8_t byte = next_byte();
  switch (byte & 15) {
    case 0: return next_u32();
    case 1: return UINT32_MAX - (byte >> 4);
    case 2: return 0x20000000 + (byte >> 4) - 8;
    case 3: return (uint32_t)next_byte() << 8;
    default: return byte >> 4 | (byte & 8) << 4;
  }
}

static uint64_t any_number(bool wide) {
  uint8_t byte = next_byte();
  switch (byte & 15) {
    case 0: return wide ? next_u64() : next_u32();
    case 1: return UINT64_MAX - (byte >> 4);
    case 2: return (uint64_t)INT64_MAX - (byte >> 4);
    case 3: return 1ull << (byte >> 4) * 4;
    case 4: return wide ? UINT64_MAX >> 36 : 255;
    case 5: return 1u << (byte >> 4 & 7);
    default: return byte >> 4;
  }
}

static uint32_t any_descriptor(void) {
  uint8_t byte = next_byte();
  switch (byte & 7) {
    case 0: return (byte & 0x38) == 0 ? next_u32() : byte >> 3;
    case 1: return byte >> 6;
    case 2: return RW + (byte >> 7);
    default: return RO + 1 + (byte >> 5) % 6;
  }
}

static uint32_t any_directory(void) {
  uint8_t byte = next_byte();
  if ((byte & 7) == 0) return any_descriptor();
  return (byte & 7) < 6 ? RW : (byte & 7) == 6 ? RO : RO + 1 + (byte >> 6);
}

// Those that were given are seldom closed: without them, there is little to do.
static uint32_t any_closable(void) {
  return one_in(24) ? any_descriptor() : RO + 1 + below(6);
}

static uint32_t any_flags(void) {
  uint8_t byte = next_byte();
  switch (byte & 15) {
    case 0: return (uint32_t)any_number(false);
    case 1: return byte >> 4;
    case 2:
    case 3:
    case 4: return 1u << (byte >> 4 & 3);
    case 5: return 9; // creates and truncates
    default: return byte >> 4 & 1;
  }
}

static uint64_t any_rights(void) {
  uint8_t byte = next_byte();
  const uint64_t read = 1 << 1, write = 1 << 6;
  switch (byte & 7) {
    case 0: return any_number(true);
    case 1: return 0;
    case 2: return UINT64_MAX;
    case 3: return (uint64_t)next_u32() & 0x1fffffff;
    case 4: return write;
    case 5: return read;
    default: return read | write;
  }
}

// The values of a call.
static wasm_val_t values[MAX_PARAMETERS];
static unsigned value_count;

static void add_u32(uint32_t value) {
  values[value_count++] = (wasm_val_t)WASM_I32_VAL((int32_t)value);
}

static void put_u32(uint32_t at, uint32_t value) {
  if (at <= ALL_BYTES - 4) memcpy(memory + at, &value, 4);
}

static void add_path(void) {
  static const char* const steps[] = {"f", "d", "..", ".",   "l",   "k",         "u",
                                      "o", "a", "p",  "x",   "q",   "e",         "",
                                      "n", "m", "d",  "d/e", "d/f", "../outside"};
  char path[400];
  size_t size = 0;
  unsigned count = one_in(16) ? 60 : one_in(2) ? 1 : below(4) + 1;
  for (unsigned i = 0; i < count; i++) {
    const char* step = steps[below(LENGTH_OF(steps))];
    if (i > 0) path[size++] = '/';
    memcpy(path + size, step, strlen(step));
    size += strlen(step);
    if (size > sizeof path - 32) break;
  }
  if (one_in(12)) path[size++] = '/';
  if (one_in(64)) path[size++] = one_in(2) ? 0 : (char)next_byte();
  uint32_t at = one_in(8) ? any_address() : ALL_BYTES - (uint32_t)size - next_byte();
  if (at <= ALL_BYTES - size) memcpy(memory + at, path, size);
  add_u32(at);
  add_u32(one_in(16) ? any_length() : (uint32_t)size);
}

static void add_buffers(bool results) {
  uint32_t at = any_address(), count = one_in(8) ? any_length() : below(5);
  for (uint32_t i = 0; i < count && i < 8; i++) {
    put_u32(at + 8 * i, any_address());
    put_u32(at + 8 * i + 4, any_length());
  }
  for (uint32_t i = 0;
       results && i < count && i < MAX_VECTORS && (uint64_t)at + 8 * i + 8 <= ALL_BYTES; i++) {
    uint32_t vector[2];
    memcpy(vector, memory + at + 8 * i, 8);
    add_area(vector[0], vector[1]);
  }
  add_u32(at);
  add_u32(count);
}

static void add_subscriptions(void) {
  uint32_t size = version ? 56 : 48, at = any_address(),
           count = one_in(6) ? any_length() : below(4);
  for (uint32_t i = 0; i < count && i < 4; i++) {
    uint32_t here = at + size * i;
    if ((uint64_t)here + size > ALL_BYTES) break;
    memset(memory + here, 0, size);
    memory[here + 8] = (uint8_t)(one_in(8) ? next_byte() : below(3));
    bool clock = memory[here + 8] == 0;
    uint32_t number = here + (clock && version ? 24 : 16);
    put_u32(number, clock ? below(3) : any_descriptor());
    uint64_t timeout = one_in(4) ? any_number(true) : below(100);
    memcpy(memory + number + 8, &timeout, 8);
    memory[here + size - 8] = (uint8_t)below(3);
  }
  add_u32(at);
}

// Puts what the parameters want into the memory, and the values of the call into `values`.
static void choose_arguments(const char* parameters) {
  value_count = area_count = 0;
  static const uint32_t sizes[] = {2, 4, 8, 24};
  for (const char* letter = parameters; *letter; letter++) {
    switch (*letter) {
      case 'd': add_u32(any_descriptor()); break;
      case 'D': add_u32(any_directory()); break;
      case 'c': add_u32(any_closable()); break;
      case 'f': add_u32(any_flags()); break;
      case 'R': values[value_count++] = (wasm_val_t)WASM_I64_VAL((int64_t)any_rights()); break;
      case 'n': add_u32((uint32_t)any_number(false)); break;
      case 'N': values[value_count++] = (wasm_val_t)WASM_I64_VAL((int64_t)any_number(true)); break;
      case 's': add_path(); break;
      case 'r':
      case 'w': add_buffers(*letter == 'r'); break;
      case 'i': add_subscriptions(); break;
      case 'b': {
        uint32_t at = any_address(), size = one_in(3) ? any_length() : 256;
        add_area(at, size);
        add_u32(at), add_u32(size);
        break;
      }
      case 'o': {
        uint32_t at = any_address(), count = one_in(4) ? any_length() : below(4);
        add_area(at, 32ull * count);
        add_u32(at), add_u32(count);
        break;
      }
      default: {
        // The place of a result, whose size the letter says.
        uint32_t at = any_address(), size;
        switch (*letter) {
          case '5': size = version ? 56 : 64; break;
          case 'a': size = 4 * 2; break;
          case 'A': size = sizeof "program" + sizeof "an argument"; break;
          case 'e': size = 4 * 1; break;
          case 'E': size = sizeof "NAME=value"; break;
          default: size = sizes[*letter - '1'];
        }
        add_area(at, size);
        add_u32(at);
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------
// The guest

static wasm_engine_t* engine;
static wasm_shared_module_t* modules[2];

static void make_module(wasm_store_t* store) {
  if (modules[version]) return;
  char* text = malloc(64 * 1024);
  size_t used = (size_t)snprintf(text, 64 * 1024, "(module");
#define PUT(...) used += (size_t)snprintf(text + used, 64 * 1024 - used, __VA_ARGS__)
  for (int body = 0; body < 2; body++) {
    for (unsigned i = 0; i < function_count(); i++) {
      if (body) {
        PUT("(func (export \"%s\")", functions[i].name);
      } else {
        PUT("(import \"%s\" \"%s\" (func", versions[version], functions[i].name);
      }
      unsigned count = 0;
      for (const char* letter = functions[i].parameters; *letter; letter++) {
        bool two = strchr("sbrwo", *letter) != NULL;
        PUT(" (param %s%s)", strchr("NR", *letter) ? "i64" : "i32", two ? " i32" : "");
        count += two ? 2 : 1;
      }
      if (i != EXIT) PUT(" (result i32)");
      for (unsigned at = 0; body && at < count; at++) PUT(" local.get %u", at);
      if (body) PUT(" call %u", i);
      PUT(body ? ")" : "))");
    }
  }
  PUT("(memory (export \"memory\") 1 1))");
#undef PUT
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(text, used, &binary)) FAIL("text of the guest");
  free(text);
  wasm_module_t* module = wasm_module_new(store, &binary);
  EXPECT(module != NULL);
  modules[version] = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
}

// Everything but the areas has to be as it was; after an error, these too.
static void check_memory(bool failed) {
  for (unsigned i = 0; !failed && i < area_count; i++) {
    memcpy(before + areas[i].at, memory + areas[i].at, areas[i].size);
  }
  if (memcmp(before, memory, ALL_BYTES) == 0) return;
  size_t at = 0;
  while (before[at] == memory[at]) at++;
  FAIL("the byte at %zu was written, which is no result", at);
}

static void call_one(const wasm_extern_vec_t* exports) {
  unsigned which = next_byte() % function_count();
  // What opens and makes is wanted more often than the rest.
  if (one_in(3)) which = one_in(2) ? OPEN : 20 + below(17);
  run.step++;
  run.step_name = functions[which].name;
  choose_arguments(functions[which].parameters);
  memcpy(before, memory, ALL_BYTES);
  wasm_val_t results[1] = {WASM_INIT_VAL};
  wasm_val_vec_t given = {value_count, values}, taken = {which != EXIT, results};
  wasm_trap_t* trap =
      wasm_func_call(wasm_extern_as_func_const(exports->data[which]), &given, &taken);
  if (trap) {
    wasmrt_trap_code_t code = wasmrt_trap_code(trap);
    if (code == WASMRT_TRAP_EXIT) {
      EXPECT_INT(which, EXIT);
    } else {
      EXPECT_INT(code, WASMRT_TRAP_TIMEOUT);
    }
    wasm_trap_delete(trap);
    // Bytes can have come before the time was over.
    check_memory(which == EXIT);
    return;
  }
  if (getenv("FUZZ_TRACE"))
    fprintf(stderr, "%u %s gives %d\n", run.step, run.step_name, results[0].of.i32);
  EXPECT((uint32_t)results[0].of.i32 <= LAST_ERRNO);
  check_memory(results[0].of.i32 != 0);
}

// What the rest of a guest can work with.
static void open_some(const wasm_extern_vec_t* exports) {
  static const char* const paths[] = {"f", "d", "d/f", "q"};
  for (size_t i = 0; i < LENGTH_OF(paths); i++) {
    memcpy(memory, paths[i], strlen(paths[i]));
    value_count = 0;
    add_u32(i == 2 && one_in(2) ? RO : RW), add_u32(1);
    add_u32(0), add_u32((uint32_t)strlen(paths[i])), add_u32(0);
    uint64_t rights = i == 0 ? 1 << 1 | 1 << 6 : 1 << 1;
    values[value_count++] = (wasm_val_t)WASM_I64_VAL((int64_t)rights);
    values[value_count++] = (wasm_val_t)WASM_I64_VAL(0);
    add_u32(0), add_u32(16);
    wasm_val_t results[1] = {WASM_INIT_VAL};
    wasm_val_vec_t given = {value_count, values}, taken = {1, results};
    EXPECT(!wasm_func_call(wasm_extern_as_func_const(exports->data[OPEN]), &given, &taken));
    EXPECT_INT(results[0].of.i32, 0);
  }
}

static wasmrt_wasi_t* context(wasm_store_t* store) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  char rw[128], ro[128];
  snprintf(rw, sizeof rw, "%s/rw", base);
  snprintf(ro, sizeof ro, "%s/ro", base);
  EXPECT(wasmrt_wasi_config_arg(config, "program") &&
         wasmrt_wasi_config_arg(config, "an argument") &&
         wasmrt_wasi_config_env(config, "NAME", "value"));
  EXPECT(wasmrt_wasi_config_stdin_bytes(config, "some input", 10));
  EXPECT(wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 1000));
  EXPECT(wasmrt_wasi_config_preopen(config, rw, "/rw", WASMRT_WASI_READ_WRITE));
  EXPECT(wasmrt_wasi_config_preopen(config, ro, "/ro", WASMRT_WASI_READ_ONLY));
  EXPECT(wasmrt_wasi_config_virtual_root(config, one_in(2)));
  EXPECT(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_DESCRIPTORS, MAX_DESCRIPTORS));
  EXPECT(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_FILE_BYTES, MAX_FILE_BYTES));
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  EXPECT(wasi != NULL);
  return wasi;
}

// The lowest number of the host's that is free.
static int free_descriptor(void) {
  int free = dup(0);
  close(free);
  return free;
}

int fuzz_wasi(const uint8_t* data, size_t size) {
  memset(&run, 0, sizeof run);
  run.input = (input_t){data, size, 0};
  run.step_name = "begin";
  version = one_in(2);
  if (!engine) {
    wasm_config_t* config = wasm_config_new();
    EXPECT(wasmrt_config_set_interruption(config, true));
    EXPECT((engine = wasm_engine_new_with_config(config)));
  }
  lay_out();
  wasm_store_t* store = wasm_store_new(engine);
  make_module(store);
  int descriptors = free_descriptor();
  wasmrt_wasi_t* wasi = context(store);
  wasm_module_t* module = wasm_module_obtain(store, modules[version]);
  wasm_extern_vec_t imports, exports;
  EXPECT(wasmrt_wasi_imports(wasi, module, &imports));
  EXPECT_INT(imports.size, function_count());
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  EXPECT(instance != NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasm_instance_exports(instance, &exports);
  memory = (uint8_t*)wasm_memory_data(wasm_extern_as_memory(exports.data[function_count()]));
  uint32_t noise = next_u32();
  for (size_t i = 0; i < ALL_BYTES; i++) {
    noise = noise * 1664525 + 1013904223;
    memory[i] = (uint8_t)(noise >> 24);
  }
  open_some(&exports);
  EXPECT(wasmrt_store_set_call_timeout(store, 1000000));
  uint64_t rest = digest_of_the_rest(), bytes = writable_bytes;
  while (!input_ended()) call_one(&exports);
  run.step_name = "end";
  EXPECT(rest == digest_of_the_rest());
  // The system allocates whole blocks, of each file that there can be.
  EXPECT(writable_bytes <= bytes + MAX_FILE_BYTES + 4096 * 100);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  EXPECT_INT(free_descriptor(), descriptors);
  return 0;
}
