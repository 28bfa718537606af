// Engines that are loaded: how a library is found, which are refused, and that one may be used from anywhere.
// The folder of the stand-ins is in STANDINS.
#define _GNU_SOURCE // for dladdr
#include "../c/configured.h"
#include <dlfcn.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char* standin(const char* name) {
  static char paths[8][1024];
  static size_t next;
  const char* folder = getenv("STANDINS");
  REQUIRE(folder);
  char* path = paths[next++ % 8];
  snprintf(path, sizeof paths[0], "%s/%s", folder, name);
  return path;
}

static wasm_engine_t* engine_of(const char* backend) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_backend(config, backend)) {
    wasm_config_delete(config);
    return NULL;
  }
  return wasm_engine_new_with_config(config);
}

static void works_on(wasm_engine_t* engine) {
  fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
  fixture_load(
      &fixture,
      "(module (memory (export \"m\") 2 5) (global $g (export \"g\") (mut i64) (i64.const 7))"
      "  (table 1 funcref) (elem (i32.const 0) $f) (start $s)"
      "  (func $s (global.set $g (i64.const 40)))"
      "  (func $f (export \"f\") (result i32) (i32.add (memory.size) (i32.wrap_i64 (global.get "
      "$g)))))",
      NULL, 0);
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 42);
  CHECK_INT(wasm_memory_size(fixture_memory(&fixture, 0)), 2);
  fixture_delete(&fixture);
}

static void check_refused(const char* path, const char* words) {
  wasmrt_last_error_clear();
  CHECK(engine_of(path) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_UNSUPPORTED);
  CHECK_CONTAINS(wasmrt_last_error_message(), path);
  CHECK_CONTAINS(wasmrt_last_error_message(), words);
}

TEST(by_its_path) {
  size_t before = wasmrt_backend_count();
  const char* path = standin("libplain.so");
  wasm_engine_t* engine = engine_of(path);
  REQUIRE(engine);
  CHECK_STR(wasmrt_engine_backend_name(engine), path);
  CHECK_INT(wasmrt_backend_count(), before + 1);
  CHECK_STR(wasmrt_backend_name(before), path);
  CHECK(wasmrt_backend_name(before + 1) == NULL);
  CHECK_STR(wasmrt_backend_version(path), "unknown");
  works_on(engine);
  engine = engine_of(path);
  CHECK_INT(wasmrt_backend_count(), before + 1);
  works_on(engine);
}

TEST(by_its_name) {
  setenv("WASMRT_ENGINE_PATH", standin("nowhere"), 1);
  check_refused("wamr", "libiwasm.so");
  CHECK(engine_of("plain") == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "there is no backend \"plain\"");
  char folders[2048];
  snprintf(folders, sizeof folders, "%s::.:%s", standin("nowhere"), standin("."));
  setenv("WASMRT_ENGINE_PATH", folders, 1);
  wasm_engine_t* wamr = engine_of("wamr");
  REQUIRE(wamr);
  CHECK_STR(wasmrt_engine_backend_name(wamr), "wamr");
  CHECK_STR(wasmrt_backend_version("wamr"), "2.4.3");
  wasm_engine_t* plain = engine_of("plain");
  REQUIRE(plain);
  // Two engines at once, and those that are compiled in.
  works_on(wamr);
  works_on(plain);
  works_on(engine_of("wasmi"));
  // The same library under another name.
  works_on(engine_of(standin("libiwasm.so")));
  unsetenv("WASMRT_ENGINE_PATH");
}

TEST(by_the_environment) {
  setenv("WASMRT_BACKEND", standin("libwasmer.so"), 1);
  wasm_engine_t* engine = wasm_engine_new();
  REQUIRE(engine);
  CHECK_STR(wasmrt_engine_backend_name(engine), standin("libwasmer.so"));
  works_on(engine);
  setenv("WASMRT_BACKEND", standin("nothing.so"), 1);
  CHECK_FAILS(wasm_engine_new() == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "WASMRT_BACKEND");
  unsetenv("WASMRT_BACKEND");
}

// What a library does when it is loaded does not disturb the reading of the environment.
TEST(a_library_that_changes_the_environment) {
  static char backend[1100];
  snprintf(backend, sizeof backend, "WASMRT_BACKEND=%s", standin("libunsets.so"));
  char taken[] = "STANDIN_UNSETS=1", compiler[] = "WASMRT_COMPILER=nonsense";
  char* wrong[] = {taken, backend, compiler, NULL};
  char* right[] = {taken, backend, NULL};
  char** before = environ;
  environ = wrong;
  CHECK_FAILS(wasm_engine_new() == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), "WASMRT_COMPILER");
  environ = right;
  wasm_engine_t* engine = wasm_engine_new();
  CHECK(getenv("STANDIN_UNSETS") == NULL);
  environ = before;
  REQUIRE(engine);
  works_on(engine);
}

TEST(what_is_no_engine) {
  check_refused(standin("nothing.so"), "cannot be opened");
  check_refused(standin("."), "cannot be");
  check_refused("/dev/null", "no shared library");
  check_refused(standin("text.so"), "no shared library");
  check_refused(standin("libempty.so"), "no functions of the WebAssembly C API");
  check_refused(standin("libdepends.so"), "name that library");
  CHECK_CONTAINS(wasmrt_last_error_message(), "libplain.so");
  check_refused(standin("liblacks.so"),
                "it lacks 8 functions of the standard, the first of them wasm_extern_as_memory");
  CHECK_CONTAINS(wasmrt_last_error_message(), "a newer version of it may have");
  check_refused(standin("libunlinked.so"),
                "it has to be linked with the library that has this symbol");
  check_refused(standin("libarrays.so"), "before the standard had vectors");
  Dl_info ours;
  REQUIRE(dladdr((void*)(uintptr_t)wasmrt_version, &ours));
  check_refused(ours.dli_fname, "it is this library itself");
}

TEST(files_that_are_not_whole) {
  char path[] = "/tmp/wasmrt-engine-XXXXXX";
  int file = mkstemp(path);
  FILE* whole = fopen(standin("libplain.so"), "rb");
  REQUIRE(file >= 0 && whole);
  // The system's linker would map what is not there.
  static char begin[5000];
  const size_t sizes[] = {0, 10, 63, 64, 100, sizeof begin};
  REQUIRE(fread(begin, 1, sizeof begin, whole) == sizeof begin);
  fclose(whole);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    CHECK_INT(ftruncate(file, 0), 0);
    CHECK_INT(pwrite(file, begin, sizes[i], 0), sizes[i]);
    check_refused(path, sizes[i] < 64 ? "no shared library" : "the end of the file is missing");
  }
  close(file);
  unlink(path);
  // Nobody is at its other end.
  REQUIRE(mkfifo(path, 0600) == 0);
  check_refused(path, "no shared library");
  unlink(path);
  check_refused(standin("."), "directory");
}

TEST(for_another_machine) {
  // The beginning of a library for a machine that there is none of.
  unsigned char header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1, [16] = 3, [18] = 0xfe, [19] = 0xca};
  char path[] = "/tmp/wasmrt-engine-XXXXXX";
  int file = mkstemp(path);
  REQUIRE(file >= 0);
  CHECK_INT(write(file, header, sizeof header), sizeof header);
  close(file);
  check_refused(path, "for another machine");
  unlink(path);
}

TEST(what_no_library_can) {
  const char* path = standin("libplain.so");
  for (wasmrt_setting_t setting = 1; setting <= 16; setting++) {
    bool is_added = setting == WASMRT_SETTING_FUEL || setting == WASMRT_SETTING_INTERRUPTION;
    CHECK(wasmrt_backend_supports(path, setting) == is_added);
  }
  wasm_config_t* config = wasm_config_new();
  wasmrt_config_set_backend(config, path);
  wasmrt_config_set_max_wasm_stack(config, 1 << 20);
  CHECK_FAILS(wasm_engine_new_with_config(config) == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), path);
  CHECK_CONTAINS(wasmrt_last_error_message(), "stack");
  CHECK_CONTAINS(wasmrt_last_error_message(), "wasmi");
}

// Returns an engine with a compiler; NULL if that is refused.
static wasm_engine_t* with_compiler(const char* backend, wasmrt_compiler_t compiler) {
  wasm_config_t* config = wasm_config_new();
  REQUIRE(wasmrt_config_set_backend(config, backend));
  REQUIRE(wasmrt_config_set_compiler(config, compiler));
  return wasm_engine_new_with_config(config);
}

TEST(compilers_of_a_library) {
  const char* wasmer = standin("libwasmer.so");
  wasm_engine_t* engine = with_compiler(wasmer, WASMRT_COMPILER_SINGLEPASS);
  REQUIRE(engine);
  void* library = dlopen(wasmer, RTLD_NOW | RTLD_NOLOAD);
  const uint32_t* number = library ? dlsym(library, "standin_compiler") : NULL;
  REQUIRE(number);
  CHECK_INT(*number, 2);
  works_on(engine);
  works_on(with_compiler(wasmer, WASMRT_COMPILER_CRANELIFT));
  CHECK_INT(*number, 0);
  dlclose(library);
  CHECK(wasmrt_backend_supports(wasmer, WASMRT_SETTING_COMPILER));
  static const wasmrt_compiler_t none[] = {WASMRT_COMPILER_LLVM, WASMRT_COMPILER_WINCH,
                                           WASMRT_COMPILER_LAZY};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
    CHECK_FAILS_WITH(with_compiler(wasmer, none[i]) == NULL, WASMRT_ERROR_UNSUPPORTED);
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmrt_compiler_name(none[i]));
    CHECK_CONTAINS(wasmrt_last_error_message(), wasmer);
  }
  // It would make an engine without asking for the compiler.
  const char* untyped = standin("libuntyped.so");
  CHECK_FAILS_WITH(with_compiler(untyped, WASMRT_COMPILER_CRANELIFT) == NULL,
                   WASMRT_ERROR_UNSUPPORTED);
  CHECK(!wasmrt_backend_supports(untyped, WASMRT_SETTING_COMPILER));
  const char* plain = standin("libplain.so");
  CHECK_FAILS_WITH(with_compiler(plain, WASMRT_COMPILER_CRANELIFT) == NULL,
                   WASMRT_ERROR_UNSUPPORTED);
}

// What a library has on can be turned off all the same.
TEST(proposals_of_a_library_are_off) {
  const char* const names[] = {"libplain.so", "libiwasm.so", "libwasmer.so"};
  for (size_t i = 0; i < 3; i++) {
    wasm_config_t* config = wasm_config_new();
    REQUIRE(wasmrt_config_set_backend(config, standin(names[i])));
    REQUIRE(wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_MULTI_VALUE, false));
    wasm_engine_t* engine = wasm_engine_new_with_config(config);
    REQUIRE(engine);
    wasm_store_t* store = wasm_store_new(engine);
    wasm_byte_vec_t binary =
        binary_from_wat("(module (func (result i32 i32) (i32.const 1) (i32.const 2)))");
    CHECK_FAILS_WITH(wasm_module_new(store, &binary) == NULL, WASMRT_ERROR_COMPILE);
    CHECK_CONTAINS(wasmrt_last_error_message(), "multi-value");
    CHECK_FAILS_WITH(!wasm_module_validate(store, &binary), WASMRT_ERROR_COMPILE);
    uint64_t offset;
    CHECK(wasmrt_last_error_offset(&offset));
    wasm_byte_vec_delete(&binary);
    wasm_store_delete(store);
    works_on(engine);
  }
}

// A host function becomes a value by way of WebAssembly: the stand-in ends the process otherwise.
static wasm_trap_t* return_seven(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  (void)env, (void)args;
  results->data[0] = I32(7);
  return NULL;
}

TEST(host_functions_as_values) {
  fixture_t fixture = {engine_of(standin("libwasmer.so")), NULL, NULL, NULL, WASM_EMPTY_VEC};
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  fixture_load(&fixture,
               "(module (type $t (func (result i32))) (table (export \"t\") 2 funcref)"
               "  (func (export \"call\") (result i32) (call_indirect (type $t) (i32.const 1)))"
               "  (func (export \"same\") (param funcref) (result funcref) (local.get 0)))",
               NULL, 0);
  wasm_func_t* host = host_func(fixture.store, "", "i", return_seven, NULL);
  CHECK(wasm_table_set(fixture_table(&fixture, 0), 1, wasm_func_as_ref(host)));
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 7);
  wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 0), 1);
  CHECK(wasm_ref_same(element, wasm_func_as_ref(host)));
  wasm_ref_delete(element);
  // What passes through WebAssembly is a function that calls it.
  wasm_val_t argument = WASM_REF_VAL(wasm_func_as_ref(host)), result;
  argument.kind = WASM_FUNCREF;
  CHECK_NO_TRAP(call(fixture_func(&fixture, 2), &argument, 1, &result, 1));
  REQUIRE(result.kind == WASM_FUNCREF && result.of.ref);
  CHECK_INT(call_i32(wasm_ref_as_func(result.of.ref)), 7);
  wasm_val_delete(&result);
  wasm_func_delete(host);
  fixture_delete(&fixture);
}

// The elements of tables that WebAssembly may change are not known any more.
TEST(functions_in_tables_that_change) {
  static const char reading[] =
      "(module (func $f (export \"f\")) (table (export \"t\") 1 funcref) (elem (i32.const 0) $f))";
  static const char writing[] =
      "(module (func $f (export \"f\")) (table $t (export \"t\") 1 funcref) (elem (i32.const 0) $f)"
      "  (func (export \"clear\") (table.set $t (i32.const 0) (ref.null func))))";
  for (int writes = 0; writes <= 1; writes++) {
    fixture_t fixture = {engine_of(standin("libwasmer.so")), NULL, NULL, NULL, WASM_EMPTY_VEC};
    REQUIRE(fixture.engine);
    fixture.store = wasm_store_new(fixture.engine);
    fixture_load(&fixture, writes ? writing : reading, NULL, 0);
    wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 1), 0);
    REQUIRE(element);
    CHECK_INT(wasm_ref_same(element, wasm_func_as_ref(fixture_func(&fixture, 0))), !writes);
    wasm_ref_delete(element);
    if (writes) {
      CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 2)));
      CHECK_NULL(wasm_table_get(fixture_table(&fixture, 1), 0));
    }
    fixture_delete(&fixture);
  }
}

static void check_module_refused(const char* backend, const char* text, const char* words) {
  wasm_engine_t* engine = engine_of(backend);
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = binary_from_wat(text);
  CHECK_FAILS(wasm_module_new(store, &binary) == NULL);
  CHECK_CONTAINS(wasmrt_last_error_message(), words);
  CHECK_CONTAINS(wasmrt_last_error_message(), backend);
  CHECK_FAILS(!wasm_module_validate(store, &binary));
  wasm_byte_vec_delete(&binary);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

// The library does not say why it refuses a module.
TEST(what_a_module_needs) {
  check_module_refused(standin("libplain.so"), "(module (type (struct)))", "needs: gc;");
  check_module_refused(standin("libplain.so"),
                       "(module (memory 1 1 shared) (tag) (func (drop (i32.const 1))))",
                       "needs: exceptions, threads;");
}

// The library would end the process.
TEST(modules_that_are_too_much) {
  const char* wasmer = standin("libwasmer.so");
  check_module_refused(wasmer, "(module (table 134217728 134217728 funcref))", "cannot grow");
  check_module_refused(wasmer, "(module (table 0xffffffff funcref))", "cannot grow");
  check_module_refused(wasmer,
                       "(module (table 9000000 9000000 funcref) (table 9000000 9000000 funcref))",
                       "cannot grow");
  check_module_refused(wasmer,
                       "(module (table $t 1 externref) (elem $e externref (ref.null extern))"
                       "  (func (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1))))",
                       "table.init");
  // Others are only too large for a store.
  fixture_t fixture = {engine_of(wasmer), NULL, NULL, NULL, WASM_EMPTY_VEC};
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  wasm_byte_vec_t binary = binary_from_wat("(module (table 4000000000 funcref))");
  fixture.module = wasm_module_new(fixture.store, &binary);
  REQUIRE(fixture.module);
  wasm_trap_t* trap = NULL;
  CHECK_FAILS_WITH(wasm_instance_new(fixture.store, fixture.module, NULL, &trap) == NULL,
                   WASMRT_ERROR_LIMIT);
  wasm_trap_delete(trap);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

// Tables get a maximum on their way to the library, and stay what they were otherwise: it does not accept shared ones.
TEST(invalid_tables) {
  static const char shared_table[] = "\0asm\1\0\0\0\4\4\1\x70\2\1";
  wasm_engine_t* engine = engine_of(standin("libplain.so"));
  REQUIRE(engine);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_byte_vec_t binary = {sizeof shared_table - 1, (char*)(uintptr_t)shared_table};
  CHECK(!wasm_module_validate(store, &binary));
  CHECK_FAILS(wasm_module_new(store, &binary) == NULL);
  CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

// The stand-in ends the process if it could have more.
TEST(tables_of_the_host_have_a_maximum) {
  const wasm_limits_t limits[] = {{2, wasm_limits_max_default}, {2, 20000000}, {2, 10}};
  for (size_t i = 0; i < 3; i++) {
    wasm_engine_t* engine = engine_of(standin("libplain.so"));
    REQUIRE(engine);
    fixture_t fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
    wasm_tabletype_t* type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits[i]);
    wasm_table_t* table = wasm_table_new(fixture.store, type, NULL);
    REQUIRE(table);
    wasm_tabletype_t* seen = wasm_table_type(table);
    CHECK_INT(wasm_tabletype_limits(seen)->max, limits[i].max);
    wasm_extern_t* import = wasm_table_as_extern(table);
    fixture_load(&fixture,
                 "(module (table $t (import \"\" \"\") 1 funcref)"
                 "  (func (export \"f\") (result i32) (table.grow $t (ref.null func) (i32.const "
                 "10000000))))",
                 &import, 1);
    CHECK_INT(call_i32(fixture_func(&fixture, 0)), -1);
    CHECK_INT(wasm_table_size(table), 2);
    wasm_tabletype_delete(seen);
    wasm_tabletype_delete(type);
    wasm_table_delete(table);
    fixture_delete(&fixture);
  }
}

// The stand-ins give no address of a memory without bytes.
TEST(an_empty_memory) {
  const char* names[] = {"libplain.so", "libiwasm.so", "libwasmer.so"};
  for (size_t i = 0; i < 3; i++) {
    fixture_t fixture = {engine_of(standin(names[i])), NULL, NULL, NULL, WASM_EMPTY_VEC};
    REQUIRE(fixture.engine);
    fixture.store = wasm_store_new(fixture.engine);
    fixture_load(&fixture, "(module (memory (export \"m\") 0 1))", NULL, 0);
    wasm_memory_t* memory = fixture_memory(&fixture, 0);
    CHECK(wasm_memory_data(memory) != NULL);
    CHECK_INT(wasm_memory_data_size(memory), 0);
    CHECK_INT(wasm_memory_size(memory), 0);
    fixture_delete(&fixture);
  }
}

// Calls a function that returns a function; returns that, or NULL if it was refused.
static wasm_ref_t* function_from(const char* backend, const char* wat, fixture_t* fixture) {
  *fixture = (fixture_t){engine_of(backend), NULL, NULL, NULL, WASM_EMPTY_VEC};
  REQUIRE(fixture->engine);
  fixture->store = wasm_store_new(fixture->engine);
  fixture_load(fixture, wat, NULL, 0);
  wasm_val_t values[1] = {WASM_INIT_VAL};
  wasm_val_vec_t arguments = WASM_EMPTY_VEC, results = WASM_ARRAY_VEC(values);
  wasm_trap_t* trap = wasm_func_call(fixture_func(fixture, 0), &arguments, &results);
  if (trap) {
    wasm_message_t message;
    wasm_trap_message(trap, &message);
    CHECK_CONTAINS(message.data, "does not say what a funcref refers to");
    wasm_byte_vec_delete(&message);
    wasm_trap_delete(trap);
    return NULL;
  }
  REQUIRE(values[0].of.ref);
  return values[0].of.ref;
}

// A function that comes out has a type, or is refused where the library cannot tell it.
TEST(functions_that_come_out) {
  static const char plain[] =
      "(module (func $f (param i32 i64) (result f32) (f32.const 1))"
      "  (func (export \"get\") (result funcref) (ref.func $f)) (elem declare func $f))";
  static const char vectors[] =
      "(module (func $f (param v128)) (func $g)"
      "  (func (export \"get\") (result funcref) (ref.func $g)) (elem declare func $g))";
  fixture_t fixture;
  wasm_ref_t* ref = function_from(standin("libwasmer.so"), plain, &fixture);
  if (CHECK(ref)) {
    CHECK_INT(wasm_func_param_arity(wasm_ref_as_func(ref)), 2);
    CHECK_INT(wasm_func_result_arity(wasm_ref_as_func(ref)), 1);
    wasm_ref_delete(ref);
  }
  fixture_delete(&fixture);
  CHECK(function_from(standin("libwasmer.so"), vectors, &fixture) == NULL);
  fixture_delete(&fixture);
  CHECK(function_from(standin("libuntyped.so"), plain, &fixture) == NULL);
  fixture_delete(&fixture);
}

static void* variable(const char* library, const char* name) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_NOLOAD);
  void* found = handle ? dlsym(handle, name) : NULL;
  REQUIRE(found);
  dlclose(handle);
  return found;
}

static long references_in(const char* library) {
  return *(_Atomic long*)variable(library, "standin_references");
}

// What a library makes of a function or a reference keeps its store, until it is deleted; also if it is refused then.
TEST(references_end_with_the_store) {
  const char* library = standin("libwasmer.so");
  static const char* const others[] = {"", "(func (param v128))"};
  for (size_t i = 0; i < 2; i++) {
    char text[400];
    snprintf(text, sizeof text,
             "(module (func $f (export \"f\") (result i32) (i32.const 5)) %s"
             "  (func (export \"same\") (param funcref) (result funcref) (local.get 0)))",
             others[i]);
    fixture_t fixture = {engine_of(library), NULL, NULL, NULL, WASM_EMPTY_VEC};
    REQUIRE(fixture.engine);
    fixture.store = wasm_store_new(fixture.engine);
    CHECK_INT(references_in(library), 0);
    fixture_load(&fixture, text, NULL, 0);
    wasm_val_t argument = WASM_REF_VAL(wasm_func_as_ref(fixture_func(&fixture, 0)));
    wasm_val_t result = WASM_INIT_VAL;
    argument.kind = WASM_FUNCREF;
    wasm_trap_t* trap = call(fixture_func(&fixture, 1), &argument, 1, &result, 1);
    if (i == 0) {
      CHECK_NO_TRAP(trap);
      CHECK_INT(call_i32(wasm_ref_as_func(result.of.ref)), 5);
      wasm_val_delete(&result);
    } else {
      CHECK_TRAP_CONTAINS(trap, "does not say what a funcref refers to");
    }
    CHECK(references_in(library) > 0);
    fixture_delete(&fixture);
    CHECK_INT(references_in(library), 0);
  }
}

typedef struct {
  wasm_func_t *good, *bad;
} pair_t;

static wasm_trap_t* return_both(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  const pair_t* pair = env;
  (void)args;
  wasm_func_t* funcs[] = {pair->good, pair->bad, pair->good};
  for (size_t i = 0; i < 3; i++)
    results->data[i] =
        (wasm_val_t){WASM_FUNCREF, .of.ref = wasm_ref_copy(wasm_func_as_ref(funcs[i]))};
  return NULL;
}

// Of several results none is left behind if one of them cannot be passed.
TEST(results_of_callbacks_are_passed_together) {
  const char* library = standin("libwasmer.so");
  fixture_t fixture = {engine_of(library), NULL, NULL, NULL, WASM_EMPTY_VEC};
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  pair_t pair;
  wasm_func_t* host = host_func(fixture.store, "", "rrr", return_both, &pair);
  pair.bad = host_func(fixture.store, "", "i", return_seven, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (func $h (result funcref funcref funcref)))"
               "  (func (export \"good\"))"
               "  (func (export \"f\") (call $h) (drop) (drop) (drop)))",
               imports, 1);
  pair.good = fixture_func(&fixture, 0);
  bool* no_elements = variable(library, "standin_no_elements");
  *no_elements = true;
  for (int i = 0; i < 3; i++) {
    CHECK_TRAP_CONTAINS(call_plain(fixture_func(&fixture, 1)),
                        "does not make a reference to a function");
    // The one that the store keeps.
    CHECK_INT(references_in(library), 1);
  }
  *no_elements = false;
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 1)));
  wasm_func_delete(pair.bad);
  wasm_func_delete(host);
  fixture_delete(&fixture);
  CHECK_INT(references_in(library), 0);
}

// An instance does not see what is written to a table of functions that it defines and that cannot grow; of others it does.
TEST(fixed_tables_are_written) {
  fixture_t fixture = {engine_of(standin("libwasmer.so")), NULL, NULL, NULL, WASM_EMPTY_VEC};
  REQUIRE(fixture.engine);
  fixture.store = wasm_store_new(fixture.engine);
  wasm_limits_t limits = {1, 1};
  wasm_tabletype_t* type = wasm_tabletype_new(wasm_valtype_new(WASM_FUNCREF), &limits);
  wasm_table_t* table = wasm_table_new(fixture.store, type, NULL);
  REQUIRE(table);
  wasm_tabletype_delete(type);
  wasm_extern_t* imports[1] = {wasm_table_as_extern(table)};
  fixture_load(&fixture,
               "(module (import \"\" \"\" (table $h 1 1 funcref)) (export \"host\" (table $h))"
               "  (table (export \"f\") 1 1 funcref) (table (export \"e\") 1 1 externref) (func $f"
               "  (export \"g\")))",
               imports, 1);
  wasm_ref_t* func = wasm_func_as_ref(fixture_func(&fixture, 3));
  CHECK(wasm_table_set(table, 0, func));
  CHECK(wasm_table_set(fixture_table(&fixture, 0), 0, NULL));
  CHECK_NULL(wasm_table_get(table, 0));
  CHECK_FAILS_WITH(!wasm_table_set(fixture_table(&fixture, 1), 0, func), WASMRT_ERROR_UNSUPPORTED);
  CHECK(wasm_table_set(fixture_table(&fixture, 2), 0, func));
  wasm_ref_t* element = wasm_table_get(fixture_table(&fixture, 2), 0);
  CHECK(wasm_ref_same(element, func));
  wasm_ref_delete(element);
  wasm_table_delete(table);
  fixture_delete(&fixture);
}

static void* on_thread(void* backend) {
  for (int i = 0; i < 10; i++) works_on(engine_of(backend));
  return NULL;
}

static void* on_both(void* unused) {
  (void)unused;
  wasm_engine_t* one = engine_of(standin("libiwasm.so"));
  works_on(engine_of(standin("libmicro.so")));
  works_on(one);
  return NULL;
}

// Both have to be told of each thread.
TEST(two_that_threads_have_to_enter) {
  on_both(NULL);
  pthread_t thread;
  REQUIRE(pthread_create(&thread, NULL, on_both, NULL) == 0);
  pthread_join(thread, NULL);
}

// Start functions become exports on their way to the library, which may have any type.
TEST(invalid_start_functions) {
  const char* names[] = {"libplain.so", "libiwasm.so", "libwasmer.so"};
  static const char* const texts[] = {
      "(module (func $s (param i32)) (start $s))",
      "(module (func $s (result i32) (i32.const 1)) (start $s))",
      "(module (func) (start 1))",
  };
  for (size_t i = 0; i < 3; i++) {
    fixture_t fixture = {engine_of(standin(names[i])), NULL, NULL, NULL, WASM_EMPTY_VEC};
    REQUIRE(fixture.engine);
    fixture.store = wasm_store_new(fixture.engine);
    for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
      wasm_byte_vec_t binary = binary_from_wat(texts[j]);
      CHECK(!wasm_module_validate(fixture.store, &binary));
      CHECK_FAILS(wasm_module_new(fixture.store, &binary) == NULL);
      CHECK_INT(wasmrt_last_error_kind(), WASMRT_ERROR_COMPILE);
      wasm_byte_vec_delete(&binary);
    }
    fixture_delete(&fixture);
  }
}

TEST(on_many_threads) {
  const char* names[] = {"libplain.so", "libiwasm.so", "libwasmer.so"};
  pthread_t threads[9];
  char paths[3][1024];
  for (size_t i = 0; i < 3; i++) strcpy(paths[i], standin(names[i]));
  for (size_t i = 0; i < 9; i++)
    REQUIRE(pthread_create(&threads[i], NULL, on_thread, paths[i % 3]) == 0);
  for (size_t i = 0; i < 9; i++) pthread_join(threads[i], NULL);
}

// Makes it impossible to make pages writable again.
static bool without_writable_pages(void) {
  struct sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mprotect, 0, 3),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PROT_READ | PROT_WRITE, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

// Returns how many copies of libraries are open.
static int open_copies(void) {
  int copies = 0;
  for (int file = 0; file < 256; file++) {
    char link[64], target[256] = "";
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    if (readlink(link, target, sizeof target - 1) > 0)
      copies += strstr(target, "memfd:wasmrt") != NULL;
  }
  return copies;
}

static void works_on_copies(void) {
  const char *one = standin("libfresh.so"), *other = standin("libfresh_wasmer.so");
  works_on(engine_of(one));
  CHECK_INT(open_copies(), 1);
  // A program may close what it does not know, and the number is in use again.
  for (int file = 3; file < 256; file++) close(file);
  works_on(engine_of(other));
  CHECK_STR(wasmrt_backend_version(one), "unknown");
  CHECK_STR(wasmrt_backend_version(other), "7.4.2");
  works_on(engine_of(one));
  // The same one by another path.
  works_on(engine_of(standin("./libfresh.so")));
  CHECK_INT(open_copies(), 1);
}

// Where the library's calls of itself cannot be corrected, a copy is loaded that makes them itself.
TEST(where_pages_stay_as_they_are) {
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    size_t before = checks_failed;
    if (CHECK(without_writable_pages())) works_on_copies();
    _exit(checks_failed != before);
  }
  int status;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK_INT(WEXITSTATUS(status), 0);
}
