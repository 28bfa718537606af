// The same ten thousand times: every finalizer runs once, and no memory accumulates.
#define _GNU_SOURCE // malloc_trim, mallinfo2
#include "test.h"

#include <malloc.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
// Freed memory goes into quarantine; the checker itself looks for leaks.
enum { CYCLES = 500, MEMORY_IS_COUNTED = 0 };
#else
enum { CYCLES = 10000, MEMORY_IS_COUNTED = 1 };
#endif

enum { WARM_UP = CYCLES / 10 };

// ------------------------------------------------------------------------------------------------
// Memory

// The process's resident memory, without what the allocator can return to the system.
static size_t resident_bytes(void) {
  malloc_trim(0);
  FILE* file = fopen("/proc/self/statm", "r");
  REQUIRE(file);
  size_t pages = 0, resident = 0;
  int fields = fscanf(file, "%zu %zu", &pages, &resident);
  fclose(file);
  REQUIRE(fields == 2);
  return resident * (size_t)sysconf(_SC_PAGESIZE);
}

// Allocated memory: the library's allocations go through malloc too.
static size_t allocated_bytes(void) {
  struct mallinfo2 all = mallinfo2();
  return all.uordblks + all.hblkhd;
}

// Runs a cycle many times, and returns how many. What is made once and kept exists after the
// warm-up; from then on the process must not grow by one percent. Counting allocated memory is more
// precise: an allocation takes at least 32 bytes, and one in two cycles would be found. An engine's
// threads may later need more memory than before; that does not happen each time.
static size_t check_cycles(void (*cycle)(void*), void* argument) {
  enum { ATTEMPTS = 3 };
  for (int i = 0; i < WARM_UP; i++) cycle(argument);
  resident_bytes(); // measuring takes memory too, the first time
  for (int attempt = 1;; attempt++) {
    size_t resident = resident_bytes(), allocated = allocated_bytes();
    for (int i = 0; i < CYCLES; i++) cycle(argument);
    size_t resident_after = resident_bytes(), allocated_after = allocated_bytes();
    bool bounded =
        resident_after < resident + resident / 100 && allocated_after < allocated + 16 * CYCLES;
    if (bounded || attempt == ATTEMPTS || !MEMORY_IS_COUNTED) {
      if (MEMORY_IS_COUNTED && !CHECK(bounded)) {
        fprintf(stderr, "    resident: %zu bytes, then %zu; allocated: %zu bytes, then %zu\n",
                resident, resident_after, allocated, allocated_after);
      }
      return WARM_UP + (size_t)attempt * CYCLES;
    }
  }
}

// ------------------------------------------------------------------------------------------------
// What a cycle is made of

static const char text[] =
    "(module (import \"\" \"\" (func $host (param i32 externref) (result externref)))"
    "  (func (export \"call\") (param i32 externref) (result externref)"
    "    (global.set $kept (local.get 1))"
    "    (call $host (local.get 0) (local.get 1)))"
    "  (func (export \"trap\") unreachable)"
    "  (table (export \"table\") 2 funcref) (elem (i32.const 0) 2)"
    "  (memory (export \"memory\") 1)"
    "  (global $kept (export \"kept\") (mut externref) (ref.null extern)))";

// Small, because compiling takes long.
static const char small_text[] = "(module (import \"\" \"\" (func)) (func (export \"f\")))";

typedef struct context_t {
  wasm_engine_t* engine;
  wasm_store_t* store;
  wasm_byte_vec_t small_binary;
  wasm_module_t* module;
  wasm_shared_module_t* shared_module;
  wasm_instance_t* instance;
  wasm_extern_vec_t exports;
  wasm_foreign_t* foreign;
  size_t finalized, environments_finalized, calls;
} context_t;

static wasm_trap_t* give_back(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  context_t* context = env;
  context->calls++;
  wasm_val_copy(&results->data[0], &arguments->data[1]);
  return NULL;
}

static void finalize_environment(void* env) {
  context_t* context = env;
  context->environments_finalized++;
}

static wasm_func_t* counted_func(context_t* context, wasm_store_t* store) {
  wasm_functype_t* type = functype("ie", "e");
  wasm_func_t* func = wasm_func_new_with_env(store, type, give_back, context, finalize_environment);
  wasm_functype_delete(type);
  REQUIRE(func);
  wasm_func_set_host_info_with_finalizer(func, &context->finalized, count_finalizer);
  return func;
}

static wasm_foreign_t* counted_foreign(context_t* context, wasm_store_t* store) {
  wasm_foreign_t* foreign = wasm_foreign_new(store);
  REQUIRE(foreign);
  wasm_foreign_set_host_info_with_finalizer(foreign, &context->finalized, count_finalizer);
  return foreign;
}

static void count_trap(context_t* context, wasm_trap_t* trap, const char* message) {
  REQUIRE(trap);
  wasm_trap_set_host_info_with_finalizer(trap, &context->finalized, count_finalizer);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(wasm_trap_copy(trap));
  CHECK_TRAP(trap, message);
}

// Passes a foreign object through a function.
static void call_with_foreign(const wasm_func_t* func, wasm_foreign_t* foreign) {
  wasm_val_t arguments[2] = {I32(5), EXTERNREF(wasm_foreign_as_ref(foreign))}, result;
  if (CHECK_NO_TRAP(call(func, arguments, 2, &result, 1))) {
    CHECK(wasm_ref_same(result.of.ref, arguments[1].of.ref));
    wasm_val_delete(&result);
  }
}

// An instance, with its exports reflected and its functions called. All of these have finalizers: a
// host function and its environment, a module, an instance, five exports, a foreign object, a trap,
// three objects made by the host.
enum { FINALIZERS_OF_A_STORE = 13 };

static void use_store(context_t* context, wasm_store_t* store, wasm_module_t* module) {
  wasm_module_set_host_info_with_finalizer(module, &context->finalized, count_finalizer);
  wasm_func_t* host = counted_func(context, store);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  wasm_instance_t* instance = instantiate(store, module, imports, 1);
  wasm_instance_set_host_info_with_finalizer(instance, &context->finalized, count_finalizer);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  REQUIRE(exports.size == 5);
  for (size_t i = 0; i < exports.size; i++) {
    wasm_extern_set_host_info_with_finalizer(exports.data[i], &context->finalized, count_finalizer);
  }

  wasm_foreign_t* foreign = counted_foreign(context, store);
  call_with_foreign(wasm_extern_as_func(exports.data[0]), foreign);
  wasm_foreign_delete(foreign);
  count_trap(context, call_plain(wasm_extern_as_func(exports.data[1])), "unreachable");
  wasm_ref_t* element = wasm_table_get(wasm_extern_as_table(exports.data[2]), 0);
  CHECK(wasm_ref_same(element, wasm_extern_as_ref(exports.data[1])));
  wasm_ref_delete(element);
  wasm_memory_t* memory = wasm_memory_copy(wasm_extern_as_memory(exports.data[3]));
  CHECK(wasm_memory_grow(memory, 1));
  wasm_memory_data(memory)[65536] = 'x';

  wasm_globaltype_t* global_type = globaltype(WASM_FUNCREF, WASM_VAR);
  wasm_global_t* global = wasm_global_new(store, global_type, &FUNCREF(wasm_func_as_ref(host)));
  wasm_globaltype_delete(global_type);
  wasm_global_set_host_info_with_finalizer(global, &context->finalized, count_finalizer);
  wasm_tabletype_t* table_type = tabletype(WASM_FUNCREF, 3, 9);
  wasm_table_t* table = wasm_table_new(store, table_type, wasm_func_as_ref(host));
  wasm_tabletype_delete(table_type);
  wasm_table_set_host_info_with_finalizer(table, &context->finalized, count_finalizer);
  wasm_memorytype_t* memory_type = memorytype(1, 2);
  wasm_memory_t* own_memory = wasm_memory_new(store, memory_type);
  wasm_memorytype_delete(memory_type);
  wasm_memory_set_host_info_with_finalizer(own_memory, &context->finalized, count_finalizer);

  wasm_global_delete(global);
  wasm_table_delete(table);
  wasm_memory_delete(own_memory);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_memory_delete(memory);
}

static context_t context_new(void) {
  // One arena: this leaves out the memory that each thread of an engine keeps ready.
  mallopt(M_ARENA_MAX, 1);
  context_t context = {.engine = wasm_engine_new(), .small_binary = binary_from_wat(small_text)};
  REQUIRE(context.engine);
  context.store = wasm_store_new(context.engine);
  REQUIRE(context.store);
  context.module = module_from_wat(context.store, text);
  context.shared_module = wasm_module_share(context.module);
  return context;
}

static void context_instantiate(context_t* context) {
  wasm_func_t* host = counted_func(context, context->store);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  context->instance = instantiate(context->store, context->module, imports, 1);
  wasm_func_delete(host);
  wasm_instance_exports(context->instance, &context->exports);
}

static void context_delete(context_t* context) {
  wasm_extern_vec_delete(&context->exports);
  wasm_instance_delete(context->instance);
  wasm_shared_module_delete(context->shared_module);
  wasm_module_delete(context->module);
  wasm_store_delete(context->store);
  wasm_engine_delete(context->engine);
  wasm_byte_vec_delete(&context->small_binary);
}

// ------------------------------------------------------------------------------------------------
// What is made and deleted with its engine or store

static void engine_cycle(void* argument) {
  context_t* context = argument;
  wasm_engine_t* engine = wasm_engine_new();
  wasm_store_t* store = wasm_store_new(engine);
  REQUIRE(store);
  wasm_foreign_delete(counted_foreign(context, store));
  wasm_store_delete(store);
  wasm_engine_delete(engine);
}

TEST(engines) {
  context_t context = context_new();
  size_t cycles = check_cycles(engine_cycle, &context);
  CHECK_INT(context.finalized, cycles);
  context_delete(&context);
}

static void module_cycle(void* argument) {
  context_t* context = argument;
  // wasmi keeps the code of its modules as long as the engine.
  bool has_own_engine = backend_is(context->engine, "wasmi");
  wasm_engine_t* engine = has_own_engine ? wasm_engine_new() : context->engine;
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = wasm_module_new(store, &context->small_binary);
  REQUIRE(module);
  wasm_module_set_host_info_with_finalizer(module, &context->finalized, count_finalizer);
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  wasm_importtype_vec_delete(&imports);
  wasm_shared_module_delete(wasm_module_share(module));
  wasm_module_delete(module);
  wasm_store_delete(store);
  if (has_own_engine) wasm_engine_delete(engine);
}

TEST(modules) {
  context_t context = context_new();
  size_t cycles = check_cycles(module_cycle, &context);
  CHECK_INT(context.finalized, cycles);
  context_delete(&context);
}

static void store_cycle(void* argument) {
  context_t* context = argument;
  wasm_store_t* store = wasm_store_new(context->engine);
  wasm_module_t* module = wasm_module_obtain(store, context->shared_module);
  REQUIRE(module);
  use_store(context, store, module);
  wasm_module_delete(module);
  wasm_store_delete(store);
}

TEST(stores_and_instances) {
  context_t context = context_new();
  size_t cycles = check_cycles(store_cycle, &context);
  CHECK_INT(context.finalized, FINALIZERS_OF_A_STORE * cycles);
  CHECK_INT(context.environments_finalized, cycles);
  CHECK_INT(context.calls, cycles);
  context_delete(&context);
}

// ------------------------------------------------------------------------------------------------
// What is made and deleted while its store lives on

static void func_cycle(void* argument) {
  context_t* context = argument;
  wasm_func_t* func = counted_func(context, context->store);
  wasm_foreign_t* foreign = counted_foreign(context, context->store);
  call_with_foreign(func, foreign);
  wasm_foreign_delete(foreign);
  wasm_func_delete(wasm_func_copy(func));
  wasm_func_delete(func);
}

TEST(functions) {
  context_t context = context_new();
  size_t cycles = check_cycles(func_cycle, &context);
  CHECK_INT(context.finalized, 2 * cycles);
  CHECK_INT(context.environments_finalized, cycles);
  CHECK_INT(context.calls, cycles);
  context_delete(&context);
}

static void trap_cycle(void* argument) {
  context_t* context = argument;
  count_trap(context, call_plain(wasm_extern_as_func(context->exports.data[1])), "unreachable");
  count_trap(context, new_trap(context->store, "made by the host"), "made by the host");
  CHECK_REFUSED(call_plain(wasm_extern_as_func(context->exports.data[0])));
}

TEST(traps) {
  context_t context = context_new();
  context_instantiate(&context);
  size_t cycles = check_cycles(trap_cycle, &context);
  CHECK_INT(context.finalized, 2 * cycles);
  context_delete(&context);
}

static void reference_cycle(void* argument) {
  context_t* context = argument;
  // wasmi keeps every reference that it has seen as long as the store: use the same one each time.
  bool is_kept = backend_is(context->engine, "wasmi");
  if (!context->foreign) context->foreign = counted_foreign(context, context->store);
  call_with_foreign(wasm_extern_as_func(context->exports.data[0]), context->foreign);
  if (!is_kept) {
    wasm_foreign_delete(context->foreign);
    context->foreign = NULL;
  }

  wasm_table_t* table = wasm_extern_as_table(context->exports.data[2]);
  wasm_ref_t* element = wasm_table_get(table, 0);
  CHECK(wasm_table_set(table, 1, element));
  wasm_ref_delete(element);
  wasm_val_t kept;
  wasm_global_get(wasm_extern_as_global(context->exports.data[4]), &kept);
  wasm_val_delete(&kept);
}

// An engine may collect garbage at any time: all finalizers have run when the store is gone.
TEST(references) {
  context_t context = context_new();
  context_instantiate(&context);
  size_t cycles = check_cycles(reference_cycle, &context);
  CHECK_INT(context.calls, cycles);
  size_t objects = context.foreign ? 1 : cycles;
  wasm_foreign_delete(context.foreign);
  context_delete(&context);
  CHECK_INT(context.finalized, objects + 1);
  CHECK_INT(context.environments_finalized, 1);
}
