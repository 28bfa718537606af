// The model: engines, stores, objects and their lifetimes.
#include <pthread.h>

#include "fuzz.h"

run_t run;

// ------------------------------------------------------------------------------------------------
// Input

bool input_ended(void) {
  return run.input.position >= run.input.size;
}

uint8_t next_byte(void) {
  return input_ended() ? 0 : run.input.data[run.input.position++];
}

uint32_t next_u32(void) {
  uint32_t number = 0;
  for (int i = 0; i < 4; i++) number = number << 8 | next_byte();
  return number;
}

uint64_t next_u64(void) {
  uint64_t high = next_u32();
  return high << 32 | next_u32();
}

unsigned below(unsigned limit) {
  return limit < 2 ? 0 : next_byte() % limit;
}

bool one_in(unsigned count) {
  return next_byte() % count == count - 1;
}

// ------------------------------------------------------------------------------------------------
// Failure

_Noreturn void fail(const char* file, int line, const char* format, ...) {
  const char* base = strrchr(file, '/');
  fprintf(stderr, "fuzz: step %u (%s), depth %u: %s:%d: ", run.step,
          run.step_name ? run.step_name : "none", run.depth, base ? base + 1 : file, line);
  va_list arguments;
  va_start(arguments, format);
  vfprintf(stderr, format, arguments);
  va_end(arguments);
  const char* message = wasmrt_last_error_message();
  fprintf(stderr, "\nfuzz: last error: %s\n", message ? message : "none");
  abort();
}

void forget_error(void) {
  wasmrt_last_error_clear();
}

void expect_error(const char* file, int line, const char* what) {
  const char* message = wasmrt_last_error_message();
  if (message == NULL || message[0] == 0 || wasmrt_last_error_kind() == WASMRT_ERROR_NONE)
    fail(file, line, "%s leaves no error", what);
  if (wasmrt_last_error_kind() == WASMRT_ERROR_INTERNAL)
    fail(file, line, "%s is a defect of the library", what);
}

// ------------------------------------------------------------------------------------------------
// Memory of the model

void* model_memory(size_t size) {
  if (run.memory_count == run.memory_room) {
    run.memory_room = 2 * run.memory_room + 64;
    run.memory = realloc(run.memory, run.memory_room * sizeof(void*));
    if (!run.memory) abort();
  }
  void* memory = calloc(1, size);
  if (!memory) abort();
  run.memory[run.memory_count++] = memory;
  return memory;
}

// ------------------------------------------------------------------------------------------------
// How long objects live

bool store_is_kept(const store_t* store) {
  if (store->owned || store->frames > 0) return true;
  for (unsigned i = 0; i < run.object_count; i++) {
    const object_t* object = run.objects[i];
    if (object->store == store && object->handles > 0) return true;
  }
  return false;
}

// The cell no longer holds its content; the engine may keep that for a while.
void end_cell(cell_t* cell) {
  if (cell->kind == GLOBAL) {
    cell_release(cell->value.object, cell->content);
    cell->value.object = NULL;
  }
  for (uint32_t i = 0; cell->kind == TABLE && i < cell->size; i++) {
    cell_release(cell->elements[i], cell->content);
    cell->elements[i] = NULL;
  }
}

void cell_hold(object_t* object, wasm_valkind_t content) {
  if (!object) return;
  if (content == WASM_FUNCREF) {
    object->pinned = true;
  } else {
    object->held++;
    object->uncertain = true;
  }
}

void cell_release(object_t* object, wasm_valkind_t content) {
  if (object && content == WASM_EXTERNREF && object->held > 0) object->held--;
}

static void expect_may_go(const object_t* object) {
  if (object->handles > 0)
    FAIL("an object of kind %d is gone that has %u handles", object->kind, object->handles);
  if (!object->pinned && object->held == 0) return;
  if (store_is_kept(object->store))
    FAIL("an object of kind %d is gone that its store %s", object->kind,
         object->pinned ? "keeps" : "has in a table or global");
}

// A finalizer may call anything, except on objects that are being freed.
static void act_in_finalizer(void) {
  run.finalizing++;
  store_t* store = pick_store();
  object_t* object = pick(ANY_KIND);
  if (store) wasm_foreign_delete(wasm_foreign_new(store->pointer));
  if (object) {
    wasm_ref_t* copy = take_copy(object);
    handle_given_up(object);
    wasm_ref_delete(copy);
  }
  step_call();
  run.finalizing--;
}

static void witness_finalizer(void* info) {
  witness_t* witness = info;
  object_t* object = witness->object;
  if (++witness->calls > 1) FAIL("a finalizer runs a second time");
  object->finalized++;
  if (witness->replaced) return;
  if (witness != object->witness) FAIL("the finalizer of a host info that was not set runs");
  expect_may_go(object);
  object->gone = true;
  bool own_cell = object->cell && !object->instance;
  if (own_cell) end_cell(object->cell);
  if (run.finalizing == 0 && one_in(4)) act_in_finalizer();
}

void env_finalizer(void* env) {
  object_t* object = env;
  if (!object->has_env) FAIL("a finalizer runs for an environment that was never given");
  if (object->env_finalized) FAIL("the finalizer of an environment runs a second time");
  // A function that could not be made has no pointer.
  if (object->pointer) expect_may_go(object);
  object->env_finalized = true;
}

// Every way to set host info does the same.
static void set_host_info(object_t* object, void* info, void (*finalizer)(void*)) {
  wasm_ref_t* ref = object->pointer;
  if (one_in(2)) {
    wasm_ref_set_host_info_with_finalizer(ref, info, finalizer);
    return;
  }
  switch (object->kind) {
    case FUNC:
      wasm_func_set_host_info_with_finalizer(wasm_ref_as_func(ref), info, finalizer);
      break;
    case GLOBAL:
      wasm_global_set_host_info_with_finalizer(wasm_ref_as_global(ref), info, finalizer);
      break;
    case TABLE:
      wasm_table_set_host_info_with_finalizer(wasm_ref_as_table(ref), info, finalizer);
      break;
    case MEMORY:
      wasm_memory_set_host_info_with_finalizer(wasm_ref_as_memory(ref), info, finalizer);
      break;
    case TAG:
      wasm_extern_set_host_info_with_finalizer(wasm_ref_as_extern(ref), info, finalizer);
      break;
    case INSTANCE:
      wasm_instance_set_host_info_with_finalizer(wasm_ref_as_instance(ref), info, finalizer);
      break;
    case MODULE:
      wasm_module_set_host_info_with_finalizer(wasm_ref_as_module(ref), info, finalizer);
      break;
    case TRAP:
      wasm_trap_set_host_info_with_finalizer(wasm_ref_as_trap(ref), info, finalizer);
      break;
    default:
      wasm_foreign_set_host_info_with_finalizer(wasm_ref_as_foreign(ref), info, finalizer);
      break;
  }
}

static void set_witness(object_t* object) {
  witness_t* former = object->witness;
  witness_t* witness = model_memory(sizeof *witness);
  witness->object = object;
  object->witness = witness;
  object->witnesses++;
  if (former) former->replaced = true;
  set_host_info(object, witness, witness_finalizer);
  EXPECT_PTR(wasm_ref_get_host_info(object->pointer), witness);
  if (former) EXPECT_INT(former->calls, 1);
}

void step_host_info(void) {
  object_t* object = pick(ANY_KIND);
  if (!object) return;
  EXPECT_PTR(wasm_ref_get_host_info(object->pointer), object->witness);
  if (one_in(2)) set_witness(object);
  if (one_in(4)) {
    // Host info without a finalizer replaces the witness for a moment.
    object->witness->replaced = true;
    wasm_ref_set_host_info(object->pointer, &run);
    EXPECT_INT(object->witness->calls, 1);
    EXPECT_PTR(wasm_ref_get_host_info(object->pointer), &run);
    object->witness = NULL;
    set_witness(object);
  }
}

// ------------------------------------------------------------------------------------------------
// Objects

object_t* find(const void* handle) {
  for (unsigned i = run.object_count; i-- > 0;) {
    object_t* object = run.objects[i];
    if (object->pointer == handle && !object->gone) return object;
  }
  return NULL;
}

object_t* adopt_new(void* handle, kind_t kind, store_t* store) {
  EXPECT(handle != NULL);
  if (find(handle)) FAIL("a new object has the address of a living one");
  if (run.object_count == MAX_OBJECTS) FAIL("the model has no room for another object");
  object_t* object = model_memory(sizeof *object);
  object->kind = kind;
  object->store = store;
  object->pointer = handle;
  object->handles = object->loose = 1;
  run.objects[run.object_count++] = object;
  EXPECT_PTR(wasm_ref_get_host_info(object->pointer), NULL);
  set_witness(object);
  return object;
}

void adopt_known(void* handle, object_t* object) {
  EXPECT_PTR(handle, object->pointer);
  if (object->gone) FAIL("an object that is gone comes back");
  object->handles++;
  object->loose++;
}

object_t* adopt(void* handle, kind_t kind, store_t* store) {
  object_t* object = find(handle);
  if (!object) return adopt_new(handle, kind, store);
  EXPECT_INT(object->kind, kind);
  EXPECT_PTR(object->store, store);
  adopt_known(handle, object);
  return object;
}

static wasm_ref_t* copy_by_kind(object_t* object) {
  wasm_ref_t* ref = object->pointer;
  switch (object->kind) {
    case FUNC: return wasm_func_as_ref(wasm_func_copy(wasm_ref_as_func(ref)));
    case GLOBAL: return wasm_global_as_ref(wasm_global_copy(wasm_ref_as_global(ref)));
    case TABLE: return wasm_table_as_ref(wasm_table_copy(wasm_ref_as_table(ref)));
    case MEMORY: return wasm_memory_as_ref(wasm_memory_copy(wasm_ref_as_memory(ref)));
    case TAG: return wasm_extern_as_ref(wasm_extern_copy(wasm_ref_as_extern(ref)));
    case INSTANCE: return wasm_instance_as_ref(wasm_instance_copy(wasm_ref_as_instance(ref)));
    case MODULE: return wasm_module_as_ref(wasm_module_copy(wasm_ref_as_module(ref)));
    case TRAP: return wasm_trap_as_ref(wasm_trap_copy(wasm_ref_as_trap(ref)));
    default: return wasm_foreign_as_ref(wasm_foreign_copy(wasm_ref_as_foreign(ref)));
  }
}

wasm_ref_t* take_copy(object_t* object) {
  wasm_ref_t* copy;
  if (one_in(3)) {
    copy = wasm_ref_copy(object->pointer);
  } else if ((1u << object->kind & EXTERN_KINDS) && one_in(3)) {
    copy = wasm_extern_as_ref(wasm_extern_copy(wasm_ref_as_extern(object->pointer)));
  } else {
    copy = copy_by_kind(object);
  }
  EXPECT_PTR(copy, object->pointer);
  object->handles++;
  return copy;
}

void handle_loosened(object_t* object) {
  object->loose++;
}

void handle_given_up(object_t* object) {
  EXPECT(object->handles > 0);
  object->handles--;
}

static void* delete_in_thread(void* handle) {
  run.finalizing++; // a finalizer shall run there, but no WebAssembly
  wasm_ref_delete(handle);
  run.finalizing--;
  return NULL;
}

void delete_loose(object_t* object) {
  wasm_ref_t* ref = object->pointer;
  object->loose--;
  handle_given_up(object);
  pthread_t thread;
  if (run.depth == 0 && next_byte() >= 252 &&
      pthread_create(&thread, NULL, delete_in_thread, ref) == 0) {
    pthread_join(thread, NULL);
  } else if (one_in(3)) {
    wasm_ref_delete(ref);
  } else if ((1u << object->kind & EXTERN_KINDS) && one_in(3)) {
    wasm_extern_delete(wasm_ref_as_extern(ref));
  } else if (one_in(4)) {
    wasm_val_t value = {.kind = WASM_EXTERNREF, .of = {.ref = ref}};
    wasm_val_delete(&value);
    EXPECT_PTR(value.of.ref, NULL);
  } else {
    switch (object->kind) {
      case FUNC: wasm_func_delete(wasm_ref_as_func(ref)); break;
      case GLOBAL: wasm_global_delete(wasm_ref_as_global(ref)); break;
      case TABLE: wasm_table_delete(wasm_ref_as_table(ref)); break;
      case MEMORY: wasm_memory_delete(wasm_ref_as_memory(ref)); break;
      case TAG: wasm_extern_delete(wasm_ref_as_extern(ref)); break;
      case INSTANCE: wasm_instance_delete(wasm_ref_as_instance(ref)); break;
      case MODULE: wasm_module_delete(wasm_ref_as_module(ref)); break;
      case TRAP: wasm_trap_delete(wasm_ref_as_trap(ref)); break;
      default: wasm_foreign_delete(wasm_ref_as_foreign(ref)); break;
    }
  }
}

unsigned loose_count(void) {
  unsigned count = 0;
  for (unsigned i = 0; i < run.object_count; i++) count += run.objects[i]->loose > 0;
  return count;
}

static object_t* pick_where(unsigned kinds, const store_t* in, const store_t* not_in) {
  object_t* candidates[256];
  unsigned count = 0;
  for (unsigned i = run.object_count; i-- > 0 && count < LENGTH_OF(candidates);) {
    object_t* object = run.objects[i];
    if (object->loose == 0 || !(1u << object->kind & kinds)) continue;
    if ((in && object->store != in) || (not_in && object->store == not_in)) continue;
    candidates[count++] = object;
  }
  return count == 0 ? NULL : candidates[below(count)];
}

object_t* pick(unsigned kinds) {
  return pick_where(kinds, NULL, NULL);
}

object_t* pick_of(unsigned kinds, const store_t* store) {
  return pick_where(kinds, store, NULL);
}

object_t* pick_foreign_to(unsigned kinds, const store_t* store) {
  return pick_where(kinds, NULL, store);
}

void step_copy(void) {
  object_t* object = loose_count() < MAX_LOOSE ? pick(ANY_KIND) : NULL;
  if (!object || object->handles > 6) return;
  take_copy(object);
  handle_loosened(object);
}

void step_delete(void) {
  unsigned count = 1 + below(4);
  for (unsigned i = 0; i < count; i++) {
    object_t* object = pick(ANY_KIND);
    if (object) delete_loose(object);
  }
}

// Whether an object that nobody refers to is there only because a call of its store is running,
// which may be its own.
static bool waits_for_the_end_of_a_call(const object_t* object) {
  return !object->gone && object->store->running > 0 && object->handles == 0 && !object->pinned &&
         !object->uncertain && object->held == 0;
}

// What was deleted a moment ago is still known to be dead, whatever it is used for. What a call may
// still look at, a function or a module, is as dead, though not gone.
void step_dead_handle(void) {
  object_t* object = run.expected && one_in(2) ? run.expected->host : pick(ANY_KIND);
  if (!object || object->handles != 1 || object->loose != 1) return;
  delete_loose(object);
  // While a finalizer runs, others that go with its object may still be held by the list of them.
  bool waits = run.finalizing == 0 && waits_for_the_end_of_a_call(object);
  if (!object->gone && !waits) return;
  wasm_ref_t* ref = object->pointer;
  switch (below(waits ? 4 : 7)) {
    case 0: EXPECT_LEAVES_ERROR(wasm_ref_delete(ref)); break;
    case 1: EXPECT_PTR(wasm_ref_copy(ref), NULL); break;
    case 2: {
      wasm_val_t value = {.kind = WASM_EXTERNREF, .of = {.ref = ref}}, copy;
      wasm_val_copy(&copy, &value);
      EXPECT_PTR(copy.of.ref, NULL);
      break;
    }
    case 3:
      if (waits) EXPECT_PTR(copy_by_kind(object), NULL);
      break;
    case 4: EXPECT_REFUSED(wasm_ref_get_host_info(ref) == NULL); break;
    case 5: EXPECT_PTR(wasm_ref_as_func(ref), NULL); break;
    default: EXPECT_LEAVES_ERROR(wasm_ref_set_host_info(ref, &run)); break;
  }
  EXPECT_INT(object->gone, !waits);
  if (object->gone) EXPECT_INT(object->finalized, object->witnesses);
}

// ------------------------------------------------------------------------------------------------
// Engines and stores

static void expect_backend(wasm_engine_t* engine) {
  const char* name = wasmrt_engine_backend_name(engine);
  EXPECT(name != NULL);
  run.wasmi = strcmp(name, "wasmi") == 0;
}

// An engine that serves many inputs, but not forever: some keep the code of every module.
static wasm_engine_t* lasting_engine(void) {
  enum { LONG_ENOUGH = 1000 };
  static wasm_engine_t* engine;
  static unsigned uses;
  if (engine && ++uses % LONG_ENOUGH == 0) {
    wasm_engine_delete(engine);
    engine = NULL;
  }
  if (!engine) {
    static bool known;
    engine = wasm_engine_new();
    if (!known) look_at_peer(engine);
    known = true;
  }
  return engine;
}

void step_engine_new(void) {
  bool first = run.engine_count == 0;
  if (!first && (run.engines_made >= 2 || !one_in(4))) return;
  engine_t* engine = NULL;
  for (unsigned i = 0; i < run.engine_count; i++)
    if (run.engines[i].pointer == NULL) engine = &run.engines[i];
  if (!engine && run.engine_count == MAX_ENGINES) return;
  if (!engine) engine = &run.engines[run.engine_count++];
  engine->lasting = first;
  if (first) {
    engine->pointer = lasting_engine();
    engine->number = 0;
  } else {
    engine->number = ++run.engines_made;
    switch (below(3)) {
      case 0: engine->pointer = wasm_engine_new(); break;
      case 1: engine->pointer = wasm_engine_new_with_config(NULL); break;
      default: {
        wasm_config_t* config = wasm_config_new();
        EXPECT_REFUSED(!wasmrt_config_set_backend(config, "no such backend"));
        wasm_config_delete(wasm_config_new());
        if (one_in(2))
          EXPECT(wasmrt_config_set_backend(config,
                                           wasmrt_engine_backend_name(run.engines[0].pointer)));
        engine->pointer = wasm_engine_new_with_config(config);
      }
    }
  }
  expect_backend(engine->pointer);
}

void step_engine_delete(void) {
  engine_t* engine = pick_engine();
  if (!engine || engine->lasting) return;
  wasm_engine_delete(engine->pointer);
  engine->pointer = NULL;
}

engine_t* pick_engine(void) {
  if (run.engine_count == 0) return NULL;
  engine_t* engine = &run.engines[below(run.engine_count)];
  return engine->pointer ? engine : NULL;
}

void step_store_new(void) {
  unsigned owned = 0;
  for (unsigned i = 0; i < run.store_count; i++) owned += run.stores[i].owned;
  engine_t* engine = pick_engine();
  if (!engine || run.store_count == MAX_STORES || owned >= 4) return;
  store_t* store = &run.stores[run.store_count++];
  *store = (store_t){.pointer = wasm_store_new(engine->pointer), .owned = true};
  store->engine_number = engine->number;
  EXPECT(store->pointer != NULL);
}

void step_store_delete(void) {
  store_t* store = pick_store();
  if (!store || !one_in(2)) return;
  store->owned = false;
  wasm_store_delete(store->pointer);
  // Deleted is deleted, whether its objects keep it or not.
  if (one_in(4)) EXPECT_LEAVES_ERROR(wasm_store_delete(store->pointer));
  // In a finalizer, what is going still keeps its store.
  bool closed = !store_is_kept(store) && store->running == 0 && run.finalizing == 0;
  if (one_in(4) && closed) EXPECT_REFUSED(!wasm_foreign_new(store->pointer));
}

store_t* pick_store(void) {
  store_t* candidates[MAX_STORES];
  unsigned count = 0;
  for (unsigned i = 0; i < run.store_count; i++)
    if (run.stores[i].owned) candidates[count++] = &run.stores[i];
  return count == 0 ? NULL : candidates[below(count)];
}

// Gives up a whole store, in the middle of a call perhaps, and of that very store.
void step_abandon(void) {
  store_t* store = run.expected && one_in(2) ? run.expected->host->store : pick_store();
  if (!store || !one_in(run.depth > 0 ? 2 : 6)) return;
  bool store_first = one_in(2);
  if (store_first && store->owned) {
    store->owned = false;
    wasm_store_delete(store->pointer);
  }
  for (unsigned i = 0; i < run.object_count; i++) {
    object_t* object = run.objects[i];
    while (object->store == store && object->loose > 0) delete_loose(object);
  }
  if (store->owned) {
    store->owned = false;
    wasm_store_delete(store->pointer);
  }
}

// ------------------------------------------------------------------------------------------------
// Checks after every step

void check_lives(void) {
  if (run.finalizing > 0) return;
  bool kept[MAX_STORES];
  for (unsigned i = 0; i < run.store_count; i++) kept[i] = store_is_kept(&run.stores[i]);
  for (unsigned i = 0; i < run.object_count; i++) {
    const object_t* object = run.objects[i];
    const store_t* store = object->store;
    bool running = store->running > 0;
    bool store_kept = kept[store - run.stores] || running;
    bool needed = object->handles > 0 || (store_kept && (object->pinned || object->held > 0));
    bool may_stay = needed || (store_kept && object->uncertain) ||
                    (running && (object->kind == FUNC || object->kind == MODULE));
    if (needed && object->gone)
      FAIL("an object of kind %d is gone that has %u handles%s%s", object->kind, object->handles,
           object->pinned ? ", is kept by its store" : "",
           object->held ? ", is in a table or global" : "");
    if (!may_stay && !object->gone)
      FAIL("an object of kind %d should be gone: no handle is left%s", object->kind,
           store_kept ? "" : ", and its store should be gone");
    if (object->gone && object->finalized != object->witnesses)
      FAIL("%u of %u finalizers of host info have run", object->finalized, object->witnesses);
    if (object->gone && object->has_env && !object->env_finalized)
      FAIL("a function is gone, but its environment was not finalized");
    if (!object->gone && object->env_finalized)
      FAIL("the environment of a living function was finalized");
  }
}
