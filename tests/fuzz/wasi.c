// WASI: a guest that calls any of its functions with anything, on an engine beside the model's. The
// host's files can be read at most.
#include "fuzz.h"

static const char* const names[] = {
    "args_get",
    "args_sizes_get",
    "clock_res_get",
    "clock_time_get",
    "environ_get",
    "environ_sizes_get",
    "fd_advise",
    "fd_allocate",
    "fd_close",
    "fd_datasync",
    "fd_fdstat_get",
    "fd_fdstat_set_flags",
    "fd_fdstat_set_rights",
    "fd_filestat_get",
    "fd_filestat_set_size",
    "fd_filestat_set_times",
    "fd_pread",
    "fd_prestat_dir_name",
    "fd_prestat_get",
    "fd_pwrite",
    "fd_read",
    "fd_readdir",
    "fd_renumber",
    "fd_seek",
    "fd_sync",
    "fd_tell",
    "fd_write",
    "path_create_directory",
    "path_filestat_get",
    "path_filestat_set_times",
    "path_link",
    "path_open",
    "path_readlink",
    "path_remove_directory",
    "path_rename",
    "path_symlink",
    "path_unlink_file",
    "poll_oneoff",
    "proc_exit",
    "proc_raise",
    "random_get",
    "sched_yield",
    "sock_recv",
    "sock_send",
    "sock_shutdown",
    "sock_accept",
};

enum { NAMES = LENGTH_OF(names), MAX_PARAMETERS = 9, LAST_ERRNO = 76, OUTPUT = 1000 };

typedef struct host_t {
  wasm_memory_t* memory;
  unsigned calls, envs, finalized;
} host_t;

static void count_finalizer(void* env) {
  ((host_t*)env)->finalized++;
}

// What any callback may do: anything with the library, and move the memory.
static void act(host_t* host) {
  host->calls++;
  if (run.depth <= MAX_DEPTH && one_in(8)) do_step();
  if (host->memory && one_in(4)) wasm_memory_grow(host->memory, 1);
}

// A count of bytes, or an error, or what is neither.
static ptrdiff_t count_of(size_t size) {
  if (one_in(8)) return -(ptrdiff_t)next_byte();
  if (one_in(16)) return (ptrdiff_t)size + 1;
  return (ptrdiff_t)(one_in(2) ? size : size / 2);
}

static ptrdiff_t reader(void* env, void* to, size_t size) {
  act(env);
  memset(to, next_byte(), size);
  return count_of(size);
}

static ptrdiff_t writer(void* env, const void* from, size_t size) {
  act(env);
  volatile char last = size > 0 ? ((const char*)from)[size - 1] : 0;
  (void)last;
  return count_of(size);
}

static uint64_t clock_of(void* env) {
  act(env);
  return next_u64();
}

static bool random_of(void* env, void* to, size_t size) {
  act(env);
  memset(to, 4, size);
  return !one_in(8);
}

static wasmrt_wasi_config_t* any_config(host_t* host) {
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  EXPECT(config != NULL);
  unsigned given = !one_in(4);
  if (given) EXPECT(wasmrt_wasi_config_preopen(config, ".", "/", WASMRT_WASI_READ_ONLY));
  for (size_t i = below(8); i > 0; i--) {
    wasmrt_wasi_stream_t output = 1 + below(2);
    switch (below(12)) {
      case 0: EXPECT(wasmrt_wasi_config_arg(config, "an argument")); break;
      case 1: EXPECT(wasmrt_wasi_config_env(config, "NAME", "value")); break;
      case 2: EXPECT(wasmrt_wasi_config_stdin_bytes(config, "input", below(6))); break;
      case 3:
        host->envs++;
        EXPECT(wasmrt_wasi_config_reader(config, reader, host, count_finalizer));
        break;
      case 4:
        host->envs++;
        EXPECT(wasmrt_wasi_config_writer(config, output, writer, host, count_finalizer));
        break;
      case 5: EXPECT(wasmrt_wasi_config_capture(config, output, OUTPUT)); break;
      case 6:
        host->envs++;
        EXPECT(wasmrt_wasi_config_clock(config, below(4), clock_of, host, count_finalizer));
        break;
      case 7:
        host->envs++;
        EXPECT(wasmrt_wasi_config_random(config, random_of, host, count_finalizer));
        break;
      case 8: EXPECT(wasmrt_wasi_config_random_seed(config, next_u64())); break;
      case 9: {
        unsigned name = below(2);
        bool taken = wasmrt_wasi_config_preopen(config, ".", name == 0 ? "/" : "/a/b",
                                                WASMRT_WASI_READ_ONLY);
        EXPECT_INT(taken, !(given & 1u << name));
        given |= 1u << name;
        break;
      }
      case 10: EXPECT(wasmrt_wasi_config_virtual_root(config, one_in(2))); break;
      default:
        EXPECT(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_DESCRIPTORS, 3 + next_byte()));
        EXPECT(wasmrt_wasi_config_limit(config, WASMRT_WASI_LIMIT_FILE_BYTES, next_byte()));
        EXPECT_REFUSED(!wasmrt_wasi_config_limit(config, 2 + next_byte(), 0));
        EXPECT_REFUSED(!wasmrt_wasi_config_capture(config, WASMRT_WASI_STDIN, 1));
        EXPECT_REFUSED(!wasmrt_wasi_config_inherit(config, 3 + next_byte()));
        EXPECT_REFUSED(!wasmrt_wasi_config_arg(config, NULL));
        host->envs++;
        EXPECT_REFUSED(
            !wasmrt_wasi_config_clock(config, 4 + next_byte(), clock_of, host, count_finalizer));
        host->envs++;
        EXPECT_REFUSED(!wasmrt_wasi_config_random(NULL, random_of, host, count_finalizer));
    }
  }
  return config;
}

// A module that imports every function, with another export around each, so that a guest calls.
static wasm_shared_module_t* guest_module(wasm_store_t* store, const wasmrt_wasi_t* wasi) {
  static wasm_shared_module_t* shared;
  if (shared) return shared;
  static char text[64 * 1024];
  size_t used = (size_t)snprintf(text, sizeof text, "(module");
#define PUT(...) used += (size_t)snprintf(text + used, sizeof text - used, __VA_ARGS__)
  for (int body = 0; body < 2; body++) {
    for (unsigned i = 0; i < NAMES; i++) {
      wasm_func_t* func = wasmrt_wasi_func(wasi, "wasi_snapshot_preview1", names[i]);
      EXPECT(func != NULL);
      wasm_functype_t* type = wasm_func_type(func);
      const wasm_valtype_vec_t* params = wasm_functype_params(type);
      PUT(body ? "(func (export \"%s\")" : "(import \"wasi_snapshot_preview1\" \"%s\" (func",
          names[i]);
      for (size_t at = 0; at < params->size; at++) {
        PUT(" (param %s)", wasm_valtype_kind(params->data[at]) == WASM_I64 ? "i64" : "i32");
      }
      if (wasm_functype_results(type)->size > 0) PUT(" (result i32)");
      for (size_t at = 0; body && at < params->size; at++) PUT(" local.get %zu", at);
      if (body) PUT(" call %u", i);
      PUT(body ? ")" : "))");
      wasm_functype_delete(type);
      wasm_func_delete(func);
    }
  }
  PUT("(memory (export \"memory\") 1 4))");
#undef PUT
  wasm_byte_vec_t binary;
  if (!wasmrt_wat2wasm(text, used, &binary)) FAIL("text of the guest");
  wasm_module_t* module = wasm_module_new(store, &binary);
  EXPECT(module != NULL);
  wasmrt_wasi_version_t version = 77;
  EXPECT(wasmrt_module_wasi(module, &version));
  EXPECT_INT(version, WASMRT_WASI_PREVIEW1);
  shared = wasm_module_share(module);
  wasm_module_delete(module);
  wasm_byte_vec_delete(&binary);
  return shared;
}

// Mostly of one byte of the input: descriptors and sizes, addresses, what is at the end of the
// memory, and anything.
static uint64_t any_number(bool wide) {
  uint8_t byte = next_byte();
  uint32_t low = byte & 31;
  switch (byte >> 5) {
    case 4: return 16 * low;
    case 5: return 16 * low + 8;
    case 6: return 65536 * (1 + (low & 3)) - (low >> 2);
    case 7: return wide ? next_u64() : next_u32();
    default: return low & 7;
  }
}

static void call_any(const wasm_extern_vec_t* exports) {
  unsigned which = below(NAMES);
  const wasm_func_t* func = wasm_extern_as_func_const(exports->data[which]);
  wasm_functype_t* type = wasm_func_type(func);
  const wasm_valtype_vec_t* params = wasm_functype_params(type);
  EXPECT(params->size <= MAX_PARAMETERS);
  wasm_val_t args[MAX_PARAMETERS], results[1] = {WASM_INIT_VAL};
  for (size_t i = 0; i < params->size; i++) {
    bool wide = wasm_valtype_kind(params->data[i]) == WASM_I64;
    // Often, what comes first is the directory.
    uint64_t number = i == 0 && one_in(2) ? 3 : any_number(wide);
    args[i] = wide ? (wasm_val_t)WASM_I64_VAL((int64_t)number)
                   : (wasm_val_t)WASM_I32_VAL((int32_t)number);
  }
  size_t result_count = wasm_functype_results(type)->size;
  wasm_functype_delete(type);
  wasm_val_vec_t given = {wasm_func_param_arity(func), args}, taken = {result_count, results};
  run.depth++;
  wasm_trap_t* trap = wasm_func_call(func, &given, &taken);
  run.depth--;
  if (!trap) {
    EXPECT(result_count > 0 && (uint32_t)results[0].of.i32 <= LAST_ERRNO);
    return;
  }
  wasmrt_trap_code_t code = wasmrt_trap_code(trap);
  if (code == WASMRT_TRAP_EXIT) {
    EXPECT_INT(strcmp(names[which], "proc_exit"), 0);
  } else {
    EXPECT_INT(code, WASMRT_TRAP_TIMEOUT);
  }
  wasm_trap_delete(trap);
}

static void use_guest(wasm_store_t* store, wasmrt_wasi_t* wasi, host_t* host) {
  wasm_module_t* module = wasm_module_obtain(store, guest_module(store, wasi));
  EXPECT(module != NULL);
  wasm_extern_vec_t imports, exports;
  EXPECT(wasmrt_wasi_imports(wasi, module, &imports));
  EXPECT_INT(imports.size, NAMES);
  wasm_instance_t* instance = wasm_instance_new(store, module, &imports, NULL);
  EXPECT(instance != NULL);
  wasm_extern_vec_delete(&imports);
  wasm_module_delete(module);
  wasm_instance_exports(instance, &exports);
  host->memory = wasm_extern_as_memory(exports.data[NAMES]);
  // Small addresses and sizes, and paths, which are what the functions look for in it.
  uint32_t noise = next_u32();
  for (size_t i = 0; i < 4096; i++) {
    noise = noise * 1664525 + 1013904223;
    char byte = i % 4 < 2 ? (char)(noise >> 28) : 0;
    wasm_memory_data(host->memory)[i] = i % 16 < 8 ? byte : "./bin/.."[i % 8];
  }
  EXPECT(wasmrt_store_set_call_timeout(store, 1000000));
  for (size_t i = below(24); i > 0; i--) call_any(&exports);
  EXPECT(wasmrt_store_set_call_timeout(store, WASMRT_NO_TIMEOUT));
  // A guest that is no program is refused with a trap.
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, NULL);
  EXPECT(trap != NULL);
  wasm_trap_delete(trap);
  host->memory = NULL;
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

void step_wasi(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 3 : 16)) return;
  static wasm_engine_t* engine;
  if (!engine) {
    wasm_config_t* configuration = wasm_config_new();
    EXPECT(wasmrt_config_set_interruption(configuration, true));
    EXPECT((engine = wasm_engine_new_with_config(configuration)));
  }
  host_t* host = model_memory(sizeof *host);
  wasm_store_t* store = wasm_store_new(engine);
  wasmrt_wasi_config_t* config = any_config(host);
  EXPECT_REFUSED(wasmrt_wasi_new(NULL, config) == NULL);
  // The limit on descriptors may be too low for what is given.
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  if (wasi) {
    EXPECT_REFUSED(wasmrt_wasi_func(wasi, "wasi_snapshot_preview1", "none") == NULL);
    use_guest(store, wasi, host);
    char output[OUTPUT + 1];
    size_t size = 0;
    if (wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, output, sizeof output, &size)) {
      EXPECT(size <= OUTPUT);
    }
    EXPECT_REFUSED(!wasmrt_wasi_read(wasi, 3 + next_byte(), output, sizeof output, &size));
    wasmrt_wasi_delete(wasi);
  }
  wasm_store_delete(store);
  EXPECT_INT(host->finalized, host->envs);
}
