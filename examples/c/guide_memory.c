// Memories and tables of every kind: 64-bit addresses, and a memory that threads share.

#include "example.h"
#include <inttypes.h>
#include <pthread.h>

static const char large[] =
    "(module (import \"host\" \"memory\" (memory i64 1))"
    "  (func (export \"at\") (param i64) (result i32) (i32.load8_u (local.get 0))))";

static const char counter[] =
    "(module (import \"host\" \"memory\" (memory 1 1 shared))"
    "  (func (export \"count\") (param $n i32) (loop $again"
    "    (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1)))"
    "    (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))";

// Takes the type.
static wasm_memory_t* new_memory(wasm_store_t* store, wasm_memorytype_t* type) {
  if (!type) fail("cannot create the type");
  wasm_memory_t* memory = wasm_memory_new(store, type);
  wasm_memorytype_delete(type);
  if (!memory) fail("cannot create the memory");
  return memory;
}

static wasm_func_t* func_with(wasm_store_t* store, const char* text, wasm_memory_t* memory,
                              const char* name) {
  wasm_module_t* module = new_module(store, text);
  wasm_extern_t* externs[] = {wasm_memory_as_extern(memory)};
  wasm_extern_vec_t imports = WASM_ARRAY_VEC(externs);
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_func_t* func = func_named(instance, name);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  return func;
}

typedef struct {
  wasm_engine_t* engine;
  const wasmrt_shared_memory_t* shared;
} job_t;

// Each thread has a store of its own, and obtains the memory there.
static void* count(void* argument) {
  const job_t* job = argument;
  wasm_store_t* store = new_store(job->engine);
  wasm_memory_t* memory = wasmrt_memory_obtain(store, job->shared);
  if (!memory) fail("cannot obtain the memory");
  wasm_func_t* func = func_with(store, counter, memory, "count");
  wasm_val_t values[] = {WASM_I32_VAL(50000)};
  wasm_val_vec_t args = WASM_ARRAY_VEC(values);
  call(func, &args, NULL);
  wasm_func_delete(func);
  wasm_memory_delete(memory);
  wasm_store_delete(store);
  return NULL;
}

static void count_on_two_threads(wasm_engine_t* engine, wasm_store_t* store) {
  wasm_memory_t* memory = new_memory(store, wasmrt_memorytype_new(1, 1, false, true, 65536));
  wasmrt_shared_memory_t* shared = wasmrt_memory_share(memory);
  if (!shared) fail("cannot share the memory");
  job_t job = {engine, shared};
  pthread_t threads[2];
  for (int i = 0; i < 2; ++i)
    if (pthread_create(&threads[i], NULL, count, &job) != 0) stop("cannot start a thread");
  for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
  // Nobody else uses the bytes any more, so they can be read as usual.
  uint32_t sum;
  memcpy(&sum, wasm_memory_data(memory), sizeof sum);
  printf("two threads have counted to %" PRIu32 "\n", sum);
  wasmrt_shared_memory_delete(shared);
  wasm_memory_delete(memory);
}

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);

  // From one page to as many as there is room for, and addresses of 64 bits.
  wasm_memory_t* memory =
      new_memory(store, wasmrt_memorytype_new(1, WASMRT_UNLIMITED, true, false, 65536));
  uint64_t former;
  if (!wasmrt_memory_grow(memory, 2, &former)) fail("cannot grow the memory");
  wasm_memory_data(memory)[former * 65536] = 42;
  wasm_func_t* at = func_with(store, large, memory, "at");
  wasm_val_t values[] = {WASM_I64_VAL(65536)}, found[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(values), results = WASM_ARRAY_VEC(found);
  call(at, &args, &results);
  printf("%" PRId32 " is in page %" PRIu64 "\n", found[0].of.i32, former);
  wasm_func_delete(at);
  wasm_memory_delete(memory);

  if (wasmrt_backend_supports_proposal(wasmrt_engine_backend_name(engine),
                                       WASMRT_PROPOSAL_THREADS)) {
    count_on_two_threads(engine, store);
  } else {
    wasm_memorytype_t* type = wasmrt_memorytype_new(1, 1, false, true, 65536);
    if (!wasm_memory_new(store, type)) printf("%s\n", wasmrt_last_error_message());
    wasm_memorytype_delete(type);
  }

  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
