// Memory runs out: the nth allocation fails, for every n, in a child process for each. The outcome
// is an error with a message, after which the library goes on working, or Rust's abort, which says
// how much memory was requested. It is never another kind of crash, or a hang.
#define _GNU_SOURCE // strsignal, dladdr
#include "test.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

// ------------------------------------------------------------------------------------------------
// An allocator that fails: the program's malloc replaces that of the C library, for the shared
// library too.

void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* block, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

// Allocations until a failure, 0 for no failure; and whether only one fails.
static atomic_long countdown;
static bool fails_once;
static atomic_long failures;

// gcc's runtime library (up to version 12 at least) allocates a small block for each piece of
// generated code that is registered, and uses it unchecked.
static bool is_spared(void* caller) {
  Dl_info info;
  return dladdr(caller, &info) && strstr(info.dli_fname, "libgcc_s");
}

static bool allocation_fails(void* caller) {
  long before = atomic_load(&countdown);
  while (before > 1) {
    if (atomic_compare_exchange_weak(&countdown, &before, before - 1)) return false;
  }
  if (before == 0 || is_spared(caller)) return false;
  if (fails_once) atomic_store(&countdown, 0);
  failures++;
  errno = ENOMEM;
  return true;
}

void* malloc(size_t size) {
  return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void* calloc(size_t count, size_t size) {
  return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_calloc(count, size);
}

void* realloc(void* block, size_t size) {
  return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return allocation_fails(__builtin_return_address(0)) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void** block, size_t alignment, size_t size) {
  bool fails = allocation_fails(__builtin_return_address(0));
  void* answer = fails ? NULL : __libc_memalign(alignment, size);
  if (answer) *block = answer;
  return answer ? 0 : ENOMEM;
}

// ------------------------------------------------------------------------------------------------
// The actions during which memory runs out. Each returns whether it succeeded.

static const char text[] =
    "(module (import \"\" \"\" (func $host (param externref i64) (result externref)))"
    "  (func (export \"call\") (param externref) (result externref)"
    "    (call $host (local.get 0) (i64.const 5)))"
    "  (func (export \"trap\") (unreachable))"
    "  (table (export \"table\") 2 1000 funcref)"
    "  (memory (export \"memory\") 1 100) (data (i32.const 9) \"data\")"
    "  (global (export \"global\") (mut externref) (ref.null extern)))";

typedef struct context_t {
  fixture_t fixture;
  wasm_byte_vec_t binary, serialized;
  wasm_foreign_t* foreign;
  wasm_func_t* host;
} context_t;

static wasm_trap_t* give_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)env;
  wasm_val_copy(&results->data[0], &arguments->data[0]);
  return NULL;
}

static bool make_engine(context_t* context) {
  (void)context;
  wasm_config_t* config = wasm_config_new();
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  wasm_engine_delete(engine);
  return engine != NULL;
}

static bool make_store(context_t* context) {
  wasm_store_t* store = wasm_store_new(context->fixture.engine);
  wasm_store_delete(store);
  return store != NULL;
}

static bool convert_text(context_t* context) {
  (void)context;
  wasm_byte_vec_t binary;
  bool converted = wasmrt_wat2wasm(text, sizeof(text) - 1, &binary);
  wasm_byte_vec_delete(&binary);
  return converted;
}

static bool validate(context_t* context) {
  return wasm_module_validate(context->fixture.store, &context->binary);
}

static bool compile(context_t* context) {
  wasm_module_t* module = wasm_module_new(context->fixture.store, &context->binary);
  wasm_module_delete(module);
  return module != NULL;
}

static bool reflect(context_t* context) {
  wasm_importtype_vec_t imports;
  wasm_exporttype_vec_t exports;
  wasm_module_imports(context->fixture.module, &imports);
  wasm_module_exports(context->fixture.module, &exports);
  bool complete = imports.size == 1 && exports.size == 5;
  wasm_importtype_vec_delete(&imports);
  wasm_exporttype_vec_delete(&exports);
  return complete;
}

static bool serialize(context_t* context) {
  wasm_byte_vec_t serialized;
  wasm_module_serialize(context->fixture.module, &serialized);
  bool complete = serialized.size > 0;
  wasm_byte_vec_delete(&serialized);
  return complete;
}

static bool deserialize(context_t* context) {
  wasm_module_t* module = wasm_module_deserialize(context->fixture.store, &context->serialized);
  wasm_module_delete(module);
  return module != NULL;
}

static bool share(context_t* context) {
  wasm_shared_module_t* shared = wasm_module_share(context->fixture.module);
  wasm_module_t* module = wasm_module_obtain(context->fixture.store, shared);
  wasm_shared_module_delete(shared);
  wasm_module_delete(module);
  return module != NULL;
}

static bool make_instance(context_t* context) {
  wasm_extern_t* imports[1] = {wasm_func_as_extern(context->host)};
  wasm_extern_vec_t import_vec = {1, imports}, exports;
  wasm_trap_t* trap = NULL;
  wasm_instance_t* instance =
      wasm_instance_new(context->fixture.store, context->fixture.module, &import_vec, &trap);
  wasm_trap_delete(trap);
  if (!instance) return false;
  wasm_instance_exports(instance, &exports);
  bool complete = exports.size == 5;
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  return complete;
}

static bool make_func(context_t* context) {
  wasm_functype_t* type = wasm_func_type(context->host);
  wasm_func_t* func = wasm_func_new_with_env(context->fixture.store, type, give_back, NULL, NULL);
  wasm_functype_delete(type);
  wasm_func_delete(func);
  return func != NULL;
}

static bool call_func(context_t* context) {
  wasm_val_t argument = EXTERNREF(wasm_foreign_as_ref(context->foreign)), result;
  wasm_trap_t* trap = call(fixture_func(&context->fixture, 0), &argument, 1, &result, 1);
  if (!trap) wasm_val_delete(&result);
  wasm_trap_delete(trap);
  return !trap;
}

static bool trap_and_look(context_t* context) {
  wasm_trap_t* trap = call_plain(fixture_func(&context->fixture, 1));
  if (!trap) return false;
  wasm_message_t message;
  wasm_frame_vec_t trace;
  wasm_trap_message(trap, &message);
  wasm_frame_delete(wasm_trap_origin(trap));
  wasm_trap_trace(trap, &trace);
  bool complete = bytes_are(&message, "unreachable", sizeof("unreachable"));
  wasm_frame_vec_delete(&trace);
  wasm_byte_vec_delete(&message);
  wasm_trap_delete(trap);
  return complete;
}

static bool make_trap(context_t* context) {
  wasm_message_t message = {9, (char[]){"no memory"}};
  wasm_trap_t* trap = wasm_trap_new(context->fixture.store, &message);
  wasm_trap_delete(trap);
  return trap != NULL;
}

static bool make_foreign(context_t* context) {
  wasm_foreign_t* foreign = wasm_foreign_new(context->fixture.store);
  wasm_foreign_delete(wasm_foreign_copy(foreign));
  wasm_foreign_delete(foreign);
  return foreign != NULL;
}

static bool make_externs(context_t* context) {
  wasm_store_t* store = context->fixture.store;
  wasm_globaltype_t* global_type = globaltype(WASM_I32, WASM_VAR);
  wasm_tabletype_t* table_type = tabletype(WASM_FUNCREF, 1, 2);
  wasm_memorytype_t* memory_type = memorytype(1, 2);
  wasm_global_t* global = wasm_global_new(store, global_type, &I32(7));
  wasm_table_t* table = wasm_table_new(store, table_type, NULL);
  wasm_memory_t* memory = wasm_memory_new(store, memory_type);
  wasm_globaltype_delete(global_type);
  wasm_tabletype_delete(table_type);
  wasm_memorytype_delete(memory_type);
  wasm_global_delete(global);
  wasm_table_delete(table);
  wasm_memory_delete(memory);
  return global && table && memory;
}

static bool use_global(context_t* context) {
  wasm_global_t* global = fixture_global(&context->fixture, 4);
  wasm_global_set(global, &EXTERNREF(wasm_foreign_as_ref(context->foreign)));
  wasm_val_t value;
  wasm_global_get(global, &value);
  bool kept = value.kind == WASM_EXTERNREF && value.of.ref;
  wasm_val_delete(&value);
  return kept;
}

static bool grow_table(context_t* context) {
  return wasm_table_grow(fixture_table(&context->fixture, 2), 500, NULL);
}

static bool grow_memory(context_t* context) {
  return wasm_memory_grow(fixture_memory(&context->fixture, 3), 50);
}

static bool make_vectors(context_t* context) {
  wasm_byte_vec_t bytes, copy;
  wasm_val_vec_t values;
  wasm_extern_vec_t exports;
  wasm_byte_vec_new(&bytes, 5, "bytes");
  wasm_byte_vec_copy(&copy, &bytes);
  wasm_val_vec_new_uninitialized(&values, 3);
  wasm_extern_vec_copy(&exports, &context->fixture.exports);
  bool complete = bytes.size == 5 && copy.size == 5 && values.size == 3 && exports.size == 5;
  wasm_byte_vec_delete(&bytes);
  wasm_byte_vec_delete(&copy);
  wasm_val_vec_delete(&values);
  wasm_extern_vec_delete(&exports);
  return complete;
}

static bool make_types(context_t* context) {
  wasm_functype_t* type = wasm_functype_new_2_1(
      wasm_valtype_new_i32(), wasm_valtype_new(WASM_EXTERNREF), wasm_valtype_new_f64());
  wasm_functype_t* copy = wasm_functype_copy(type);
  wasm_functype_t* reflected = wasm_func_type(context->host);
  bool complete = copy && wasm_functype_params(copy)->size == 2 && reflected;
  wasm_functype_delete(type);
  wasm_functype_delete(copy);
  wasm_functype_delete(reflected);
  return complete;
}

// ------------------------------------------------------------------------------------------------
// One child for each allocation

enum { FINE = 0, NO_MESSAGE = 3, BROKEN = 4, MEMORY_WAS_ENOUGH = 5, ABORTED = 6 };

typedef bool (*action_t)(context_t*);

static context_t context_in(wasm_engine_t* engine) {
  context_t context = {.fixture = {engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC}};
  REQUIRE(context.fixture.store);
  context.host = host_func(context.fixture.store, "eI", "e", give_back, NULL);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(context.host)};
  fixture_load(&context.fixture, text, imports, 1);
  context.binary = binary_from_wat(text);
  wasm_module_serialize(context.fixture.module, &context.serialized);
  context.foreign = wasm_foreign_new(context.fixture.store);
  return context;
}

static void context_delete(context_t* context) {
  wasm_foreign_delete(context->foreign);
  wasm_func_delete(context->host);
  wasm_byte_vec_delete(&context->binary);
  wasm_byte_vec_delete(&context->serialized);
  fixture_delete(&context->fixture);
}

// Returns whether everything can still be made and used.
static bool works(wasm_engine_t* engine) {
  context_t context = context_in(engine);
  bool worked = call_func(&context) && trap_and_look(&context) && grow_memory(&context);
  context.fixture.engine = NULL;
  context_delete(&context);
  return worked;
}

static void end_of_abort(int signal_number) {
  (void)signal_number;
  _exit(ABORTED); // without a core dump, which takes long
}

// What a child does. The alarm ends a hang.
static void act(context_t* context, action_t action, long nth, bool once) {
  alarm(30);
  signal(SIGABRT, end_of_abort);
  setenv("RUST_BACKTRACE", "0", 1); // it takes long too
  wasmrt_last_error_clear();
  fails_once = once;
  atomic_store(&countdown, nth);
  bool worked = action(context);
  atomic_store(&countdown, 0);
  if (failures == 0) _exit(worked ? MEMORY_WAS_ENOUGH : BROKEN);
  const char* message = wasmrt_last_error_message();
  if (!worked && !(message && message[0])) _exit(NO_MESSAGE);
  if (!works(context->fixture.engine)) _exit(BROKEN);
  context_delete(context);
  _exit(FINE);
}

// Puts the beginning of the child's standard error into `said`.
enum { SAID = 500 };

static int in_child(context_t* context, action_t action, long nth, bool once, char* said) {
  int pipes[2];
  REQUIRE(pipe(pipes) == 0);
  fflush(NULL);
  pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    dup2(pipes[1], STDERR_FILENO);
    close(pipes[0]);
    act(context, action, nth, once);
  }
  close(pipes[1]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  ssize_t size = read(pipes[0], said, SAID - 1);
  said[size > 0 ? size : 0] = 0;
  close(pipes[0]);
  return status;
}

typedef struct outcomes_t {
  long survived, aborts;
} outcomes_t;

// Fails the first, second, ... allocation until there are no more; with gaps if there are many.
static outcomes_t fail_each(context_t* context, const char* name, action_t action, bool once) {
  outcomes_t outcomes = {0, 0};
  for (long nth = 1;; nth += 1 + nth / 16) {
    char said[SAID];
    int status = in_child(context, action, nth, once, said);
    if (WIFEXITED(status) && WEXITSTATUS(status) == MEMORY_WAS_ENOUGH) return outcomes;
    bool survived = WIFEXITED(status) && WEXITSTATUS(status) == FINE;
    // The C library aborts if it cannot allocate thread-local data.
    bool aborted =
        WIFEXITED(status) && WEXITSTATUS(status) == ABORTED &&
        (strncmp(said, "memory allocation of ", 21) == 0 || strstr(said, "out of memory"));
    outcomes.survived += survived;
    outcomes.aborts += aborted;
    if (!CHECK(survived || aborted)) {
      fprintf(stderr, "    %s, allocation %ld%s: %s %d, said: %s\n", name, nth,
              once ? "" : " and all that follow",
              WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "exit status",
              WEXITSTATUS(status), said);
      return outcomes;
    }
  }
}

// What happened when single allocations failed.
static outcomes_t check_failures(const char* name, action_t action) {
  context_t context = context_in(wasm_engine_new());
  outcomes_t once = fail_each(&context, name, action, true);
  outcomes_t from_then_on = fail_each(&context, name, action, false);
  printf("%-14s one fails: %ld survived, %ld aborts; all fail: %ld survived, %ld aborts\n", name,
         once.survived, once.aborts, from_then_on.survived, from_then_on.aborts);
  context_delete(&context);
  return once;
}

#define FAILURES(action)             \
  TEST(action##_without_memory) {    \
    check_failures(#action, action); \
  }

FAILURES(make_engine)
FAILURES(make_store)
FAILURES(convert_text)
FAILURES(validate)
FAILURES(compile)
FAILURES(reflect)
FAILURES(serialize)
FAILURES(deserialize)
FAILURES(share)
FAILURES(make_instance)
FAILURES(make_func)
FAILURES(call_func)
FAILURES(trap_and_look)
FAILURES(make_trap)
FAILURES(make_foreign)
FAILURES(make_externs)
FAILURES(use_global)
FAILURES(grow_table)
FAILURES(grow_memory)
FAILURES(make_types)

// C programs use vectors themselves: if there is no memory, the vector is empty, and there is an
// error.
TEST(make_vectors_without_memory) {
  outcomes_t once = check_failures("make_vectors", make_vectors);
  CHECK_INT(once.survived, 4);
  CHECK_INT(once.aborts, 0);
}
