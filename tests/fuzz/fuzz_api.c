// One run: the bytes choose the steps, and then the order in which everything is given up.
#include "fuzz.h"

static const struct {
  const char* name;
  void (*run)(void);
} steps[] = {
#define ENTRY(name) {#name, name},
    STEPS(ENTRY)
#undef ENTRY
    // More frequent than the rest: what makes objects for the others, and what runs them.
    {"step_call", step_call},
    {"step_call", step_call},
    {"step_call", step_call},
    {"step_call", step_call},
    {"step_instance_new", step_instance_new},
    {"step_instance_new", step_instance_new},
    {"step_instance_exports", step_instance_exports},
    {"step_func_new", step_func_new},
    {"step_copy", step_copy},
    {"step_delete", step_delete},
};

void do_step(void) {
  unsigned which = below(LENGTH_OF(steps));
  const char* outer = run.step_name;
  run.step++;
  run.step_name = steps[which].name;
  static int tracing = -1;
  if (tracing < 0) tracing = getenv("FUZZ_TRACE") != NULL;
  if (tracing) fprintf(stderr, "%*s%u %s\n", (int)run.depth * 2, "", run.step, run.step_name);
  steps[which].run();
  check_lives();
  run.step_name = outer;
}

// The beginning of most sequences: without a store, there is little to do.
static void begin(void) {
  run.step_name = "begin";
  step_engine_new();
  if (!one_in(16)) step_store_new();
  if (one_in(3)) step_store_new();
  if (one_in(2)) {
    step_foreign_new();
    step_func_new();
    step_module_new();
    step_instance_new();
    step_instance_exports();
  }
  check_lives();
}

static void delete_something(void) {
  switch (below(6)) {
    case 0: step_store_delete(); break;
    case 1: step_engine_delete(); break;
    case 2: step_shared_delete(); break;
    case 3: step_frame_delete(); break;
    default: step_delete();
  }
}

static void end(void) {
  run.step_name = "end";
  while (!input_ended() && loose_count() > 0) {
    delete_something();
    check_lives();
  }
  bool stores_first = run.input.size % 2;
  for (int pass = 0; pass < 2; pass++) {
    for (unsigned i = 0; (pass == 0) == stores_first && i < run.store_count; i++) {
      store_t* store = &run.stores[i];
      if (store->owned) {
        store->owned = false;
        wasm_store_delete(store->pointer);
      }
    }
    for (unsigned i = 0; (pass == 0) != stores_first && i < run.object_count; i++) {
      object_t* object = run.objects[i];
      while (object->loose > 0) delete_loose(object);
    }
    check_lives();
  }
  forget_frames();
  for (unsigned i = 0; i < run.shared_count; i++) wasm_shared_module_delete(run.shared[i].pointer);
  for (unsigned i = 0; i < run.engine_count; i++)
    if (run.engines[i].pointer && !run.engines[i].lasting)
      wasm_engine_delete(run.engines[i].pointer);
  check_lives();
  for (unsigned i = 0; i < run.object_count; i++) {
    const object_t* object = run.objects[i];
    if (!object->gone) FAIL("an object of kind %d is never gone", object->kind);
    EXPECT_INT(object->handles, 0);
    EXPECT_INT(object->finalized, object->witnesses);
  }
}

int fuzz_api(const uint8_t* data, size_t size) {
  memset(&run, 0, sizeof run);
  // The last bytes choose the order in which everything is given up.
  run.input = (input_t){data, size - size / 8, 0};
  begin();
  while (!input_ended()) do_step();
  run.input.size = size;
  end();
  for (size_t i = 0; i < run.memory_count; i++) free(run.memory[i]);
  free(run.memory);
  // Leaked memory must not look as if it were still in use.
  memset(&run, 0, sizeof run);
  return 0;
}
