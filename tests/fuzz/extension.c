// What wasmrt.h adds: limits and traps of the model's own stores; fuel, deadlines, interrupts and
// configurations on engines beside it, which would change what calls come out with.
#include "fuzz.h"

// ------------------------------------------------------------------------------------------------
// Limits: at what there is, nothing more can be made; what is there stays.

static uint64_t limit_of(const wasm_store_t* store, wasmrt_store_limit_t limit) {
  uint64_t value = 77;
  EXPECT(wasmrt_store_limit(store, limit, &value));
  return value;
}

static uint64_t usage_of(const wasm_store_t* store, wasmrt_store_limit_t limit) {
  uint64_t usage = UINT64_MAX;
  EXPECT(wasmrt_store_usage(store, limit, &usage));
  return usage;
}

static size_t modules_of(const wasm_engine_t* engine) {
  size_t count = SIZE_MAX;
  EXPECT(wasmrt_engine_module_count(engine, &count));
  return count;
}

static bool grows_by_one(object_t* object) {
  if (object->kind == MEMORY) return wasm_memory_grow(wasm_ref_as_memory(object->pointer), 1);
  return wasm_table_grow(wasm_ref_as_table(object->pointer), 1, NULL);
}

static bool makes_one(store_t* store, wasmrt_store_limit_t limit) {
  if (limit == WASMRT_STORE_LIMIT_MEMORIES) {
    wasm_memorytype_t* type = new_memorytype(0, 1);
    wasm_memory_t* memory = wasm_memory_new(store->pointer, type);
    wasm_memorytype_delete(type);
    return memory != NULL;
  }
  if (limit == WASMRT_STORE_LIMIT_TABLES) {
    wasm_tabletype_t* type = new_tabletype(WASM_FUNCREF, 0, 1);
    wasm_table_t* table = wasm_table_new(store->pointer, type, NULL);
    wasm_tabletype_delete(type);
    return table != NULL;
  }
  prepare_catalogue();
  wasm_module_t* module = wasm_module_new(store->pointer, &catalogue[MODULE_OWN].binary);
  wasm_instance_t* instance = wasm_instance_new(store->pointer, module, NULL, NULL);
  wasmrt_error_kind_t kind = wasmrt_last_error_kind();
  wasm_module_delete(module);
  EXPECT_INT(wasmrt_last_error_kind(), kind);
  return instance != NULL;
}

void step_limits(void) {
  store_t* store = pick_store();
  if (!store) return;
  wasm_store_t* pointer = store->pointer;
  wasmrt_store_limit_t limit = (wasmrt_store_limit_t)below(6);
  if (limit > WASMRT_STORE_LIMIT_MEMORIES) {
    // As large as it gets; a byte of it may be that of a limit.
    wasmrt_store_limit_t none = limit + next_byte() * (one_in(2) ? 1u : 256u);
    if (none <= WASMRT_STORE_LIMIT_MEMORIES) none = UINT32_MAX;
    uint64_t number = 77;
    EXPECT_REFUSED(!wasmrt_store_set_limit(pointer, none, 0));
    EXPECT_REFUSED(!wasmrt_store_limit(pointer, none, &number));
    EXPECT_REFUSED(!wasmrt_store_usage(pointer, none, &number));
    EXPECT_REFUSED(!wasmrt_store_limit(pointer, WASMRT_STORE_LIMIT_TABLES, NULL));
    EXPECT_INT(number, 77);
    // Without a limit of the store there is nothing that could trap.
    EXPECT(wasmrt_store_set_growth_trap(pointer, one_in(2)));
    return;
  }
  EXPECT(limit_of(pointer, limit) == WASMRT_UNLIMITED);
  uint64_t usage = usage_of(pointer, limit);
  EXPECT(wasmrt_store_set_limit(pointer, limit, usage));
  EXPECT(limit_of(pointer, limit) == usage);
  if (limit == WASMRT_STORE_LIMIT_MEMORY_BYTES || limit == WASMRT_STORE_LIMIT_TABLE_ELEMENTS) {
    bool bytes = limit == WASMRT_STORE_LIMIT_MEMORY_BYTES;
    object_t* object = pick_of(bytes ? 1u << MEMORY : 1u << TABLE, store);
    if (object) {
      EXPECT_REFUSED_AS(!bytes && lacks.growth ? WASMRT_ERROR_UNSUPPORTED : WASMRT_ERROR_LIMIT,
                        !grows_by_one(object));
      EXPECT(usage >= object->cell->size * (bytes ? MEMORY_PAGE_SIZE : 1));
    }
  } else {
    EXPECT_REFUSED_AS(WASMRT_ERROR_LIMIT, !makes_one(store, limit));
  }
  EXPECT(usage_of(pointer, limit) == usage);
  EXPECT(wasmrt_store_set_limit(pointer, limit, WASMRT_UNLIMITED));
}

// ------------------------------------------------------------------------------------------------
// Linking by name: two linkers beside a table of what they should have

#define LINKER_MODULES 2
#define LINKER_NAMES 3
#define EXTERNS (1u << FUNC | 1u << GLOBAL | 1u << TABLE | 1u << MEMORY)

typedef struct linker_t {
  wasmrt_linker_t* pointer;
  bool shadows;
  object_t* defined[LINKER_MODULES][LINKER_NAMES];
} linker_t;

static const char linker_letters[] = "ab\0c";

// Uses one of two linkers once: the second is asked for what the first has not.
static void use_linker(linker_t linkers[2], bool chained, store_t* store) {
  linker_t* linker = &linkers[one_in(3)];
  size_t module = below(LINKER_MODULES), name = below(LINKER_NAMES);
  const char *module_text = linker_letters + module, *name_text = linker_letters + name;
  object_t** place = &linker->defined[module][name];
  object_t* expected = *place;
  if (!expected && chained && linker == linkers) expected = linkers[1].defined[module][name];
  switch (below(6)) {
    case 0: {
      object_t* object = pick_of(EXTERNS, store);
      if (!object) return;
      wasm_extern_t* pointer = wasm_ref_as_extern(object->pointer);
      bool defined = wasmrt_linker_define(linker->pointer, module_text, 1, name_text, 1, pointer);
      EXPECT_INT(defined, !*place || linker->shadows);
      if (defined) *place = object;
      return;
    }
    case 1: {
      object_t* foreign = pick_foreign_to(EXTERNS, store);
      if (!foreign) return;
      EXPECT_REFUSED(!wasmrt_linker_define(linker->pointer, module_text, 1, name_text, 1,
                                           wasm_ref_as_extern(foreign->pointer)));
      return;
    }
    case 2: {
      wasm_extern_t* found = wasmrt_linker_get(linker->pointer, module_text, 1, name_text, 1);
      EXPECT(found == (expected ? wasm_ref_as_extern(expected->pointer) : NULL));
      wasm_extern_delete(found);
      return;
    }
    case 3: {
      size_t other = below(LINKER_NAMES);
      object_t** alias = &linker->defined[module][other];
      bool defined = wasmrt_linker_alias(linker->pointer, module_text, 1, name_text, 1, module_text,
                                         1, linker_letters + other, 1);
      EXPECT_INT(defined, expected && (!*alias || linker->shadows));
      if (defined) *alias = expected;
      return;
    }
    case 4:
      linker->shadows = one_in(2);
      EXPECT(wasmrt_linker_set_shadowing(linker->pointer, linker->shadows));
      return;
    default:
      EXPECT_REFUSED(!wasmrt_linker_define(linker->pointer, "\xff", 1, name_text, 1, NULL));
      EXPECT_REFUSED(!wasmrt_linker_set_unknown(linker->pointer, 3 + next_byte()));
  }
}

void step_linker(void) {
  store_t* store = pick_store();
  if (!store) return;
  linker_t linkers[2];
  memset(linkers, 0, sizeof linkers);
  for (int i = 0; i < 2; i++) EXPECT((linkers[i].pointer = wasmrt_linker_new(store->pointer)));
  bool chained = one_in(2);
  if (chained) {
    EXPECT(wasmrt_linker_set_next(linkers[0].pointer, linkers[1].pointer));
    EXPECT_REFUSED(!wasmrt_linker_set_next(linkers[1].pointer, linkers[0].pointer));
  }
  for (size_t i = below(12); i > 0; i--) use_linker(linkers, chained, store);
  prepare_catalogue();
  wasm_module_t* module = wasm_module_new(store->pointer, &catalogue[MODULE_OWN].binary);
  wasmrt_instance_pre_t* pre = wasmrt_linker_prepare(linkers[0].pointer, module);
  EXPECT(!module || pre);
  wasm_module_delete(module);
  bool first = one_in(2);
  wasmrt_linker_delete(linkers[first].pointer);
  wasmrt_linker_delete(linkers[!first].pointer);
  wasmrt_instance_pre_delete(pre);
}

// ------------------------------------------------------------------------------------------------
// Traps with a status, and with data

void step_trap_extension(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  if (one_in(2)) {
    int32_t status = (int32_t)next_u32();
    char text[48];
    snprintf(text, sizeof text, "exit with status %" PRId32, status);
    object_t* object = adopt_trap(wasmrt_trap_new_exit(store->pointer, status), store, text);
    object->code = WASMRT_TRAP_EXIT;
    object->status = status;
    return;
  }
  // The data is the object of the model, and goes as the environment of a function does.
  object_t* data = model_memory(sizeof *data);
  data->has_env = true;
  if (one_in(4)) {
    EXPECT_REFUSED(!wasmrt_trap_new_with_data(NULL, NULL, data, env_finalizer));
    EXPECT(data->env_finalized);
    return;
  }
  wasm_message_t message = {4, (char*)"data"};
  wasm_trap_t* trap = wasmrt_trap_new_with_data(store->pointer, &message, data, env_finalizer);
  object_t* object = adopt_trap(trap, store, "data");
  *data = *object;
  data->has_env = true;
  data->code = WASMRT_TRAP_HOST;
  data->witness->object = data;
  run.objects[run.object_count - 1] = data;
}

void look_at_trap_extension(const object_t* object) {
  const wasm_trap_t* trap = wasm_ref_as_trap_const(object->pointer);
  EXPECT_INT(wasmrt_trap_code(trap), object->code);
  int32_t status = 77;
  bool exits = object->code == WASMRT_TRAP_EXIT;
  EXPECT_INT(wasmrt_trap_exit_status(trap, &status), exits);
  EXPECT_INT(status, exits ? object->status : 77);
  EXPECT_REFUSED(!wasmrt_trap_exit_status(trap, NULL));
  EXPECT(wasmrt_trap_code_name(wasmrt_trap_code(trap)) != NULL);
  EXPECT(wasmrt_error_kind_name(wasmrt_trap_error_kind(trap)) != NULL);
  bool limit = object->code == WASMRT_TRAP_MEMORY_LIMIT || object->code == WASMRT_TRAP_TABLE_LIMIT;
  if (object->code != WASMRT_TRAP_ERROR) {
    EXPECT_INT(wasmrt_trap_error_kind(trap), limit ? WASMRT_ERROR_LIMIT : WASMRT_ERROR_TRAP);
  }
  EXPECT_PTR(wasmrt_trap_data(trap), object->has_env ? object : NULL);
}

// ------------------------------------------------------------------------------------------------
// Fuel, deadlines and interrupts: a store of its own, on an engine that has them

static const char metered_text[] =
    "(module (import \"\" \"visit\" (func $visit))"
    "  (func (export \"count\") (param $n i32) (result i32) (local $i i32)"
    "    (loop $l (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1)))"
    "      (local.get $n))))"
    "    (call $visit) (local.get $i)))";

static wasm_engine_t* metered_engine(void) {
  static wasm_engine_t* engine;
  static unsigned uses;
  if (engine && ++uses % 1000 == 0) {
    wasm_engine_delete(engine);
    engine = NULL;
  }
  if (engine) return engine;
  wasm_config_t* config = wasm_config_new();
  EXPECT(wasmrt_config_set_fuel(config, true));
  EXPECT(wasmrt_config_set_interruption(config, true));
  engine = wasm_engine_new_with_config(config);
  EXPECT(engine != NULL);
  return engine;
}

typedef struct metered_t {
  wasm_store_t* store;
  wasm_func_t* func;
  wasmrt_interrupt_t* interrupt;
  bool triggers, visited;
} metered_t;

static wasm_trap_t* visit(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  metered_t* metered = env;
  EXPECT_INT(args->size + results->size, 0);
  metered->visited = true;
  if (run.depth <= MAX_DEPTH && one_in(2)) do_step();
  if (metered->triggers) wasmrt_interrupt_trigger(metered->interrupt);
  return NULL;
}

static uint64_t fuel_of(const metered_t* metered) {
  uint64_t fuel = 77;
  EXPECT(wasmrt_store_fuel(metered->store, &fuel));
  return fuel;
}

static uint64_t consumed_by(const metered_t* metered) {
  uint64_t fuel = 77;
  EXPECT(wasmrt_store_fuel_consumed(metered->store, &fuel));
  return fuel;
}

// What was consumed does not depend on what there is.
static void set_fuel(const metered_t* metered, uint64_t fuel) {
  uint64_t consumed = consumed_by(metered);
  EXPECT(wasmrt_store_set_fuel(metered->store, fuel));
  EXPECT(fuel_of(metered) == fuel);
  EXPECT(consumed_by(metered) == consumed);
}

// Calls "count" and gives the code of the trap, 0 if it returns what it should. The account is
// exact where the function returns.
static wasmrt_trap_code_t count(metered_t* metered, uint32_t times) {
  uint64_t fuel = fuel_of(metered), consumed = consumed_by(metered);
  wasm_val_t args[] = {WASM_I32_VAL((int32_t)times)}, results[] = {WASM_INIT_VAL};
  wasm_val_vec_t given = WASM_ARRAY_VEC(args), taken = WASM_ARRAY_VEC(results);
  expected_call_t* outer = run.expected;
  metered->visited = false;
  run.depth++;
  wasm_trap_t* trap = wasm_func_call(metered->func, &given, &taken);
  run.depth--;
  EXPECT_PTR(run.expected, outer);
  EXPECT(fuel_of(metered) <= fuel);
  if (!trap) {
    EXPECT_INT(results[0].of.i32, times > 0 ? times : 1);
    EXPECT(metered->visited);
    EXPECT(consumed_by(metered) - consumed == fuel - fuel_of(metered));
    EXPECT(fuel - fuel_of(metered) >= times);
    return WASMRT_TRAP_NONE;
  }
  wasmrt_trap_code_t code = wasmrt_trap_code(trap);
  wasm_trap_delete(trap);
  return code;
}

static void use_metered(metered_t* metered) {
  switch (below(5)) {
    case 0: {
      // What is too little; then there is more.
      uint32_t times = 1 + next_byte();
      set_fuel(metered, times);
      EXPECT_INT(count(metered, times), WASMRT_TRAP_OUT_OF_FUEL);
      uint64_t left = fuel_of(metered), more = 100 + 20 * (uint64_t)times;
      EXPECT(wasmrt_store_add_fuel(metered->store, more));
      EXPECT(fuel_of(metered) == left + more);
      EXPECT_INT(count(metered, times), WASMRT_TRAP_NONE);
      EXPECT(wasmrt_store_add_fuel(metered->store, UINT64_MAX));
      EXPECT(fuel_of(metered) == UINT64_MAX);
      break;
    }
    case 1:
      EXPECT(wasmrt_store_set_timeout(metered->store, 0));
      EXPECT_INT(count(metered, 1), WASMRT_TRAP_TIMEOUT);
      EXPECT(wasmrt_store_set_timeout(metered->store, WASMRT_NO_TIMEOUT));
      EXPECT(wasmrt_store_set_call_timeout(metered->store, UINT64_C(3600000000000)));
      break;
    case 2:
      wasmrt_interrupt_trigger(metered->interrupt);
      if (one_in(2)) wasmrt_interrupt_trigger(metered->interrupt);
      if (one_in(2)) {
        wasmrt_interrupt_clear(metered->interrupt);
      } else {
        EXPECT_INT(count(metered, 1), WASMRT_TRAP_INTERRUPTED);
      }
      break;
    case 3: {
      // Triggered from within: it stops this call, or else the next, and only one.
      metered->triggers = true;
      wasmrt_trap_code_t first = count(metered, 1);
      metered->triggers = false;
      if (first == WASMRT_TRAP_NONE) first = count(metered, 100000);
      EXPECT_INT(first, WASMRT_TRAP_INTERRUPTED);
      break;
    }
    default: {
      // Another handle triggers the same, also once it is gone.
      wasmrt_interrupt_t* other = wasmrt_interrupt_new(metered->store);
      wasmrt_interrupt_trigger(other);
      wasmrt_interrupt_delete(other);
      EXPECT_INT(count(metered, 1), WASMRT_TRAP_INTERRUPTED);
    }
  }
  set_fuel(metered, 1000000);
  EXPECT_INT(count(metered, next_byte()), WASMRT_TRAP_NONE);
}

void step_metered(void) {
  if (run.depth > MAX_DEPTH || !one_in(run.wasmi ? 4 : 16)) return;
  metered_t metered = {.store = wasm_store_new(metered_engine())};
  EXPECT(fuel_of(&metered) == 0 && consumed_by(&metered) == 0);
  set_fuel(&metered, 1000000);
  static wasm_byte_vec_t binary;
  if (!binary.data && !wasmrt_wat2wasm(metered_text, strlen(metered_text), &binary)) FAIL("text");
  wasm_module_t* module = wasm_module_new(metered.store, &binary);
  EXPECT(modules_of(metered_engine()) >= 1);
  wasm_functype_t* type = wasm_functype_new_0_0();
  wasm_func_t* host = wasm_func_new_with_env(metered.store, type, visit, &metered, NULL);
  wasm_functype_delete(type);
  wasm_extern_t* import = wasm_func_as_extern(host);
  wasm_extern_vec_t imports = {1, &import}, exports;
  wasm_instance_t* instance = wasm_instance_new(metered.store, module, &imports, NULL);
  wasm_instance_exports(instance, &exports);
  EXPECT_INT(exports.size, 1);
  metered.func = wasm_extern_as_func(exports.data[0]);
  metered.interrupt = wasmrt_interrupt_new(metered.store);
  EXPECT(metered.interrupt != NULL);
  for (unsigned i = 1 + below(3); i > 0; i--) use_metered(&metered);
  bool store_first = one_in(2);
  if (store_first) wasm_store_delete(metered.store);
  wasmrt_interrupt_trigger(metered.interrupt);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_func_delete(host);
  wasm_module_delete(module);
  if (!store_first) wasm_store_delete(metered.store);
  // Its store is gone.
  wasmrt_interrupt_trigger(metered.interrupt);
  wasmrt_interrupt_clear(metered.interrupt);
  wasmrt_interrupt_delete(metered.interrupt);
}

// What was not asked for of the model's engines is refused.
void step_unmetered(void) {
  store_t* store = pick_store();
  wasm_store_t* pointer = store ? store->pointer : NULL;
  uint64_t fuel = 77;
  switch (below(5)) {
    case 4: {
      // One handle of the engine more, which may be the last but those of its stores.
      if (!store) {
        EXPECT_REFUSED(!wasmrt_store_engine(NULL));
        break;
      }
      wasm_engine_t* engine = wasmrt_store_engine(pointer);
      EXPECT(engine != NULL && wasmrt_engine_backend_name(engine) != NULL);
      wasm_store_t* other = wasm_store_new(engine);
      EXPECT(other != NULL);
      wasm_store_delete(other);
      wasm_engine_delete(engine);
      break;
    }
    case 0:
      EXPECT_REFUSED(!wasmrt_store_set_fuel(pointer, 1));
      EXPECT_REFUSED(!wasmrt_store_add_fuel(pointer, 1));
      break;
    case 1:
      EXPECT_REFUSED(!wasmrt_store_fuel(pointer, &fuel));
      EXPECT_REFUSED(!wasmrt_store_fuel_consumed(pointer, &fuel));
      EXPECT_INT(fuel, 77);
      break;
    case 2:
      EXPECT_REFUSED(!wasmrt_store_set_timeout(pointer, 1));
      EXPECT_REFUSED(!wasmrt_store_set_call_timeout(pointer, 1));
      EXPECT_REFUSED(!wasmrt_interrupt_new(pointer));
      break;
    default:
      EXPECT_LEAVES_ERROR(wasmrt_interrupt_trigger(NULL));
      EXPECT_LEAVES_ERROR(wasmrt_interrupt_clear(NULL));
      wasmrt_interrupt_delete(NULL);
  }
}

// ------------------------------------------------------------------------------------------------
// Configurations: an engine that can be made can run a module

typedef struct configuration_t {
  wasm_config_t* config;
  bool fuel, elsewhere;
} configuration_t;

// Sets an option that can be told to mean something, or not.
static void set_option(configuration_t* it) {
  static const struct {
    size_t bytes;
    bool right;
  } stacks[] = {{0, false}, {1 << 17, true}, {1 << 19, true}, {((size_t)1 << 30) + 1, false}};
  static const uint64_t pool[] = {4, 4, 4, 1 << 20, 1000};
  static const uint64_t reservations[] = {0, 1 << 16, 1 << 24, UINT64_C(1) << 32};
  wasm_config_t* config = it->config;
  bool on = one_in(2), right = true, done;
  uint32_t value = next_byte();
  switch (below(16)) {
    case 0:
      value = one_in(4) ? value << 8 | 1 : value % 11;
      done = wasmrt_config_set_compiler(config, value);
      right = value <= 8;
      break;
    case 1:
      done = wasmrt_config_set_optimization(config, value %= 6);
      right = value <= 3;
      break;
    case 2:
      done = wasmrt_config_set_proposal(config, value %= 21, on);
      right = value >= 1 && value <= 18;
      break;
    case 3: done = wasmrt_config_set_fuel(config, it->fuel = on); break;
    case 4: done = wasmrt_config_set_interruption(config, on); break;
    case 5:
      done = wasmrt_config_set_max_wasm_stack(config, stacks[value % 4].bytes);
      right = stacks[value % 4].right;
      break;
    case 6: done = wasmrt_config_set_memory_reservation(config, reservations[value % 4]); break;
    case 7: done = wasmrt_config_set_memory_guard_size(config, reservations[value % 3]); break;
    case 8: done = wasmrt_config_set_memory_copy_on_write(config, on); break;
    case 9:
      if (one_in(2)) {
        value %= 7;
        done = wasmrt_config_set_pool_limit(config, value, pool[value % 5]);
        right = value <= WASMRT_POOL_LIMIT_TABLE_ELEMENTS;
      } else {
        done = wasmrt_config_set_pooling(config, on);
      }
      break;
    case 10:
      if (value % 4 == 0) {
        done = wasmrt_config_set_max_shards(config, value / 4);
        right = value != 0;
      } else {
        done = wasmrt_config_set_parallel_compilation(config, on);
      }
      break;
    case 11:
      // Only asked for: Pulley has none, and what has leaves files.
      done = wasmrt_config_set_debug_info(config, false);
      break;
    case 12:
      done = wasmrt_config_set_profiling(config, on ? WASMRT_PROFILING_NONE : 3);
      right = on;
      break;
    case 13: done = wasmrt_config_set_deterministic(config, on); break;
    case 14:
      done = wasmrt_config_set_module_limit(config, on ? value % 5 : 255, 1 << 20);
      right = on;
      break;
    default:
      // Whether these can be had is known when the engine is made.
      it->elsewhere = true;
      done = on ? wasmrt_config_set_target(config, value % 2 ? "pulley64" : "riscv32")
                : wasmrt_config_enable_cpu_feature(config, value % 2 ? "has_avx2" : "has_wings");
      if (!done) expect_error(__FILE__, __LINE__, "an option that means nothing");
      return;
  }
  if (done != right) FAIL("an option %s", right ? "is refused" : "that means nothing is accepted");
  if (!done) expect_error(__FILE__, __LINE__, "an option that means nothing");
}

static void run_something(wasm_engine_t* engine, bool fuel) {
  static const char text[] =
      "(module (func (export \"f\") (result i32) (i32.add (i32.const 3) (i32.const 4))))";
  static wasm_byte_vec_t binary;
  if (!binary.data && !wasmrt_wat2wasm(text, strlen(text), &binary)) FAIL("text");
  wasm_store_t* store = wasm_store_new(engine);
  EXPECT(store != NULL);
  if (fuel) EXPECT(wasmrt_store_set_fuel(store, 1000));
  EXPECT_INT(modules_of(engine), 0);
  EXPECT(wasm_module_validate(store, &binary));
  wasm_module_t* module = wasm_module_new(store, &binary);
  EXPECT(module != NULL);
  EXPECT_INT(modules_of(engine), 1);
  wasm_instance_t* instance = wasm_instance_new(store, module, NULL, NULL);
  EXPECT(instance != NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t results[] = {WASM_INIT_VAL};
  wasm_val_vec_t taken = WASM_ARRAY_VEC(results);
  EXPECT_PTR(wasm_func_call(wasm_extern_as_func(exports.data[0]), NULL, &taken), NULL);
  EXPECT_INT(results[0].of.i32, 7);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  EXPECT_INT(modules_of(engine), 0);
}

static bool rewrite(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                    wasm_message_t* message) {
  EXPECT_INT(message->size, 0);
  ++*(unsigned*)env;
  wasm_byte_vec_copy(out, binary);
  return true;
}

static void end_rewriting(void* env) {
  *(unsigned*)env = 1000;
}

void step_configuration(void) {
  if (!one_in(run.wasmi ? 2 : 16) || run.depth > 0) return;
  configuration_t it = {.config = wasm_config_new()};
  for (unsigned i = below(5); i > 0; i--) set_option(&it);
  unsigned rewritten = 0;
  bool rewrites = one_in(2);
  if (rewrites) EXPECT(wasmrt_config_push_transform(it.config, rewrite, &rewritten, end_rewriting));
  if (one_in(8)) {
    wasm_config_delete(it.config);
    EXPECT_INT(rewritten, rewrites ? 1000 : 0);
    return;
  }
  forget_error();
  wasm_engine_t* engine = wasm_engine_new_with_config(it.config);
  if (!engine) {
    expect_error(__FILE__, __LINE__, "an engine that cannot be made");
    return;
  }
  EXPECT_INT(rewritten, 0); // not the module with which an engine is tried
  if (!it.elsewhere) {
    run_something(engine, it.fuel);
    EXPECT_INT(rewritten, rewrites ? 2 : 0); // validated, and made
  }
  wasm_engine_delete(engine);
  EXPECT_INT(rewritten, rewrites ? 1000 : 0);
}

// ------------------------------------------------------------------------------------------------
// What belongs to no engine

static void log_finalizer(void* env) {
  ++*(unsigned*)env;
}

static void log_warning(void* env, uint32_t level, const char* message) {
  EXPECT(env != NULL && message && message[0]);
  EXPECT_INT(level, WASMRT_LOG_WARNING);
  EXPECT(wasmrt_version() != NULL);
}

void step_process(void) {
  EXPECT(strlen(wasmrt_version()) >= 5);
  size_t count = wasmrt_backend_count();
  EXPECT(count >= 1);
  EXPECT(wasmrt_backend_name(below((unsigned)count)) != NULL);
  EXPECT_PTR(wasmrt_backend_name(count), NULL);
  const char* name = wasmrt_backend_name(below((unsigned)count));
  EXPECT(wasmrt_backend_version(name) != NULL);
  EXPECT_PTR(wasmrt_backend_version(NULL), NULL);
  EXPECT(wasmrt_backend_supports(name, WASMRT_SETTING_FUEL));
  bool is_ours = strcmp(name, "wasmi") == 0 || strcmp(name, "wasmtime") == 0;
  EXPECT(wasmrt_backend_supports_proposal(
      name, is_ours ? WASMRT_PROPOSAL_SIMD : WASMRT_PROPOSAL_MULTI_VALUE));
  uint32_t beyond = 19 + (next_u32() >> 1);
  EXPECT_REFUSED(!wasmrt_backend_supports(name, beyond));
  EXPECT_REFUSED(!wasmrt_backend_supports_proposal(name, beyond));
  EXPECT_REFUSED(!wasmrt_backend_supports("", WASMRT_SETTING_FUEL));
  EXPECT_PTR(wasmrt_compiler_name(beyond), NULL);
  EXPECT_PTR(wasmrt_proposal_name(beyond), NULL);
  EXPECT_PTR(wasmrt_error_kind_name(beyond), NULL);
  EXPECT_PTR(wasmrt_trap_code_name(100 + beyond), NULL);
  uint64_t offset = 77;
  EXPECT_REFUSED(!wasm_valtype_new(77));
  EXPECT(!wasmrt_last_error_offset(&offset));
  EXPECT_INT(offset, 77);
  unsigned finalized = 0, other = 0;
  wasmrt_log_set_callback(log_warning, &finalized, log_finalizer);
  EXPECT_INT(finalized, 0);
  store_t* store = pick_store();
  if (store) {
    // Deleted twice: the library warns.
    wasm_foreign_t* foreign = wasm_foreign_new(store->pointer);
    wasm_foreign_delete(foreign);
    EXPECT_LEAVES_ERROR(wasm_foreign_delete(foreign));
  }
  wasmrt_log_set_callback(NULL, &other, log_finalizer);
  EXPECT_INT(finalized, 1);
  EXPECT_INT(other, 1);
}
