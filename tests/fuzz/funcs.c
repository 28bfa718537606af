// Functions: host functions that re-enter, calls and what they must come out with, traps, frames.
#include "fuzz.h"

// ------------------------------------------------------------------------------------------------
// Host functions

static const struct {
  const char *params, *results;
} signatures[] = {
    {"i", "i"},
    {"er", "er"},
    {MANY_PARAMS, MANY_RESULTS},
    {"", "i"},
    {"", ""},
    {"iIfFer", "reFfIi"},
    {"eeeeeeeeeeeeeeeeee", "eeeeeeeeeeeeeeeeer"},
    {"r", "e"},
    {"I", "I"},
    {"If", "f"},
    {"IfF", "F"},
    {"IfFi", "i"},
    {"IfFiI", "I"},
    {"IfFiIf", "f"},
    {"IfFiIfF", "F"},
    {"iii", "i"},
    {"iiiiii", "i"},
    {"iiiiiiii", ""},
    {"F", "f"},
    {"f", "F"},
    {"Fi", "I"},
    {"fF", ""},
};

void step_func_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  unsigned which = below(2 * LENGTH_OF(signatures));
  // The first ones are what modules import, and so twice as frequent.
  if (which >= LENGTH_OF(signatures)) which %= 4;
  const char *params = signatures[which].params, *results = signatures[which].results;
  wasm_functype_t* type = new_functype(params, results);
  unsigned how = below(8);
  if (how == 0) {
    // A function that cannot be made still finalizes its environment.
    object_t* none = model_memory(sizeof *none);
    none->has_env = true;
    EXPECT_REFUSED(!wasm_func_new_with_env(one_in(2) ? NULL : store->pointer, type, NULL, none,
                                           env_finalizer));
    EXPECT(none->env_finalized);
    wasm_functype_delete(type);
    return;
  }
  object_t* object;
  if (how < 4) {
    object = adopt_new(wasm_func_new(store->pointer, type, host_callback), FUNC, store);
  } else {
    // The environment is the object of the model, which is there before the function.
    object_t* env = model_memory(sizeof *env);
    env->has_env = true;
    wasm_func_t* func =
        wasm_func_new_with_env(store->pointer, type, host_callback_with_env, env, env_finalizer);
    object = adopt_new(func, FUNC, store);
    *env = *object;
    env->has_env = true;
    env->witness->object = env;
    run.objects[run.object_count - 1] = env;
    object = env;
  }
  wasm_functype_delete(type);
  object->behaviour = HOST;
  strcpy(object->params, params);
  strcpy(object->results, results);
  expect_functype(type = wasm_func_type(wasm_ref_as_func(object->pointer)), params, results);
  wasm_functype_delete(type);
  EXPECT_INT(wasm_func_param_arity(wasm_ref_as_func(object->pointer)), strlen(params));
  EXPECT_INT(wasm_func_result_arity(wasm_ref_as_func(object->pointer)), strlen(results));
}

// Leaves results that do not fit, in one of several ways; false if there is none.
static bool spoil_results(const object_t* self, wasm_val_vec_t* results) {
  if (results->size == 0) return false;
  unsigned position = below((unsigned)results->size);
  wasm_val_t* result = &results->data[position];
  bool reference = is_reference(kind_of_letter(self->results[position]));
  object_t* other = pick_foreign_to(1u << FUNC, self->store);
  if (reference && other) {
    wasm_ref_t* copy = take_copy(other);
    handle_given_up(other);
    *result = (wasm_val_t){.kind = WASM_FUNCREF, .of = {.ref = copy}};
  } else {
    *result = (wasm_val_t){.kind = reference ? WASM_I32 : WASM_EXTERNREF, .of = {.i64 = 0}};
  }
  return true;
}

static void write_results(expected_call_t* expected, wasm_val_vec_t* results) {
  const object_t* self = expected->host;
  for (unsigned i = 0; i < results->size; i++) {
    if (one_in(5)) continue; // what is not written is zero
    value_t value = any_value(kind_of_letter(self->results[i]), self->store);
    results->data[i] = own_value(&value);
    if (value.object) {
      handle_given_up(value.object);
      // A reference is one, whatever its kind says.
      if (one_in(3)) results->data[i].kind = WASM_EXTERNREF;
    }
    expected->results[i] = value;
  }
}

// Puts a vector of the callback's own in the place of the one that it was given, with the same
// values and perhaps more.
static void replace_results(wasm_val_vec_t* results) {
  wasm_val_vec_t own;
  size_t size = results->size;
  wasm_val_vec_new_uninitialized(&own, size + below(3));
  for (size_t i = 0; i < size; i++) {
    own.data[i] = results->data[i];
    results->data[i] = (wasm_val_t)WASM_I32_VAL(0);
  }
  if (one_in(2)) wasm_val_vec_delete(results);
  *results = own;
}

static wasm_trap_t* any_trap(expected_call_t* expected) {
  store_t* store = expected->host->store;
  object_t* trap = one_in(2) ? pick(1u << TRAP) : NULL;
  if (trap) {
    take_copy(trap);
  } else {
    if (!store->owned) return NULL;
    trap = adopt_trap(wasm_trap_new(store->pointer, &(wasm_message_t){4, (char*)"host"}), store,
                      "host");
    trap->loose--;
  }
  handle_given_up(trap);
  expected->trap = trap;
  expected->outcome = TRAPS;
  return wasm_ref_as_trap(trap->pointer);
}

static wasm_trap_t* serve(expected_call_t* expected, const wasm_val_vec_t* args,
                          wasm_val_vec_t* results) {
  object_t* self = expected->host;
  if (expected->seen) FAIL("a host function is called twice");
  expected->seen = true;
  if (self->gone) FAIL("a host function is called that is gone");
  EXPECT_INT(args->size, strlen(self->params));
  EXPECT_INT(results->size, strlen(self->results));
  for (unsigned i = 0; i < args->size; i++) {
    const object_t* object = expected->arguments[i].object;
    expect_value(&args->data[i], &expected->arguments[i], "an argument of a host function");
    if (expected->direct && object) EXPECT_PTR(args->data[i].of.ref, object->pointer);
  }
  for (unsigned i = 0; i < results->size; i++) {
    expected->results[i] = null_value(kind_of_letter(self->results[i]));
    expect_value(&results->data[i], &expected->results[i], "a result not yet written");
  }
  expected->outcome = RETURNS;
  unsigned steps = run.depth < MAX_DEPTH ? below(4) : 0;
  for (unsigned i = 0; i < steps && !input_ended(); i++) do_step();
  if (self->gone) FAIL("a host function is gone while it runs");
  // The arguments belong to the caller and stay as they were.
  for (unsigned i = 0; i < args->size; i++)
    expect_value(&args->data[i], &expected->arguments[i], "an argument at the end of a call");
  switch (below(8)) {
    case 0: return any_trap(expected);
    case 1:
      if (spoil_results(self, results)) expected->outcome = IS_REFUSED;
      return NULL;
    case 2: {
      // A trap counts, whatever was written.
      wasm_trap_t* trap = any_trap(expected);
      expected_call_t ignored = {.host = self};
      if (trap) write_results(&ignored, results);
      if (trap && one_in(4)) replace_results(results);
      return trap;
    }
    default:
      write_results(expected, results);
      if (one_in(4)) replace_results(results);
      return NULL;
  }
}

wasm_trap_t* host_callback(const wasm_val_vec_t* args, wasm_val_vec_t* results) {
  if (!run.expected) FAIL("a host function is called that nobody called");
  if (run.expected->host->has_env) FAIL("a callback without environment is called for one with it");
  return serve(run.expected, args, results);
}

wasm_trap_t* host_callback_with_env(void* env, const wasm_val_vec_t* args,
                                    wasm_val_vec_t* results) {
  if (!run.expected) FAIL("a host function is called that nobody called");
  EXPECT_PTR(env, run.expected->host);
  return serve(run.expected, args, results);
}

// ------------------------------------------------------------------------------------------------
// Predictions

typedef struct prediction_t {
  const char* trap; // NULL if it returns
  value_t results[MAX_VALUES];
  object_t* host; // the host function that decides, if one does
  value_t host_arguments[MAX_VALUES];
  int32_t added; // by WebAssembly to the host function's i32
} prediction_t;

static value_t i32_value(uint32_t number) {
  return (value_t){.kind = WASM_I32, .bits = number};
}

// The arguments that say where are seldom far out.
static void choose_index(value_t* value, uint32_t size) {
  value->bits = one_in(16) ? next_u32() | 0x80000000 : below(size + 2);
}

static void choose_address(value_t* value, const cell_t* memory) {
  uint32_t page = below(memory->size + 1);
  value->bits = (uint64_t)page * MEMORY_PAGE_SIZE;
  if (one_in(2)) value->bits += MEMORY_PAGE_SIZE - 1;
}

static uint8_t* byte_at(cell_t* memory, uint64_t address) {
  uint64_t page = address / MEMORY_PAGE_SIZE;
  if (page >= memory->size) return NULL;
  return address % MEMORY_PAGE_SIZE ? &memory->last[page] : &memory->first[page];
}

static void set_slot(cell_t* cell, object_t** slot, object_t* object) {
  object_t* former = *slot;
  cell_hold(object, cell->content);
  *slot = object;
  cell_release(former, cell->content);
}

// What a wasm function will do; what it does to cells is done to the model right away.
static void predict(object_t* func, value_t* args, prediction_t* prediction) {
  func = target_of(func);
  value_t* results = prediction->results;
  cell_t* const* cells = func->instance ? func->instance->cells : NULL;
  switch (func->behaviour) {
    case HOST:
      prediction->host = func;
      memcpy(prediction->host_arguments, args, sizeof prediction->host_arguments);
      break;
    case ADD: results[0] = i32_value((uint32_t)(args[0].bits + args[1].bits)); break;
    case REVERSE:
      for (int i = 0; i < 6; i++) results[i] = args[5 - i];
      break;
    case UNREACHABLE: prediction->trap = "unreachable"; break;
    case RECURSE: prediction->trap = "call stack exhausted"; break;
    case DIVIDE: {
      if (one_in(3)) args[1].bits = one_in(2) ? 0 : UINT32_MAX;
      if (one_in(3)) args[0].bits = 0x80000000;
      int64_t one = (int32_t)args[0].bits, other = (int32_t)args[1].bits;
      if (other == 0)
        prediction->trap = "integer divide by zero";
      else if (one / other > INT32_MAX)
        prediction->trap = "integer overflow";
      else
        results[0] = i32_value((uint32_t)(one / other));
      break;
    }
    case LAST: results[0] = args[strlen(func->params) - 1]; break;
    case SWAP:
      for (int i = 0; i < 4; i++) results[i] = args[3 - i];
      break;
    case NONE: break;
    case GI_GET: results[0] = cells[CELL_GI]->value; break;
    case GE_GET: results[0] = cells[CELL_GE]->value; break;
    case GR_GET: results[0] = cells[CELL_GR]->value; break;
    case GI_SET: cells[CELL_GI]->value = args[0]; break;
    case GE_SET: set_slot(cells[CELL_GE], &cells[CELL_GE]->value.object, args[0].object); break;
    case GR_SET: set_slot(cells[CELL_GR], &cells[CELL_GR]->value.object, args[0].object); break;
    case TE_GET:
    case TE_SET:
    case TF_GET:
    case TF_SET: {
      bool set = func->behaviour == TE_SET || func->behaviour == TF_SET;
      bool externs = func->behaviour == TE_GET || func->behaviour == TE_SET;
      cell_t* table = cells[externs ? CELL_TE : CELL_TF];
      choose_index(&args[0], table->size);
      if (args[0].bits >= table->size)
        prediction->trap = "out of bounds table access";
      else if (set)
        set_slot(table, &table->elements[args[0].bits], args[1].object);
      else
        results[0] = (value_t){.kind = table->content, .object = table->elements[args[0].bits]};
      break;
    }
    case TE_GROW: {
      cell_t* table = cells[CELL_TE];
      args[1].bits = one_in(8) ? UINT32_MAX : below(4);
      if (args[1].bits < 4 && table->size + args[1].bits > MAX_ELEMENTS) args[1].bits = 0;
      bool fits = table->size + args[1].bits <= table->max && args[1].bits < 4;
      results[0] = i32_value(fits ? table->size : UINT32_MAX);
      for (uint64_t i = 0; fits && i < args[1].bits; i++)
        set_slot(table, &table->elements[table->size++], args[0].object);
      break;
    }
    case M_GROW: {
      cell_t* memory = cells[CELL_M];
      args[0].bits = one_in(8) ? 65536u + next_byte() : below(3);
      if (args[0].bits < 4 && memory->size + args[0].bits > MAX_PAGES &&
          memory->size + args[0].bits <= memory->max)
        args[0].bits = 0;
      bool fits = memory->size + args[0].bits <= memory->max && args[0].bits < 4;
      results[0] = i32_value(fits ? memory->size : UINT32_MAX);
      if (fits) memory->size += (uint32_t)args[0].bits;
      break;
    }
    case LOAD:
    case STORE: {
      choose_address(&args[0], cells[CELL_M]);
      uint8_t* byte = byte_at(cells[CELL_M], args[0].bits);
      if (!byte)
        prediction->trap = "out of bounds memory access";
      else if (func->behaviour == STORE)
        *byte = (uint8_t)args[1].bits;
      else
        results[0] = i32_value(*byte);
      break;
    }
    case SELF:
      results[0] =
          (value_t){.kind = WASM_FUNCREF, .object = func->instance->exports[FIRST_FUNCTION]};
      break;
    case INDIRECT: {
      cell_t* table = cells[CELL_TF];
      choose_index(&args[0], table->size);
      object_t* callee = args[0].bits < table->size ? table->elements[args[0].bits] : NULL;
      if (callee) callee = target_of(callee);
      if (args[0].bits >= table->size)
        prediction->trap = "undefined element";
      else if (!callee)
        prediction->trap = "uninitialized element";
      else if (strcmp(callee->params, "") != 0 || strcmp(callee->results, "i") != 0)
        prediction->trap = "indirect call type mismatch";
      else if (callee->behaviour == HOST)
        prediction->host = callee;
      else
        results[0] = callee->instance->cells[CELL_GI]->value;
      break;
    }
    // What was imported may itself be WebAssembly.
    case CALL_ONE:
      predict(func->instance->hosts[0], args, prediction);
      prediction->added++;
      break;
    case CALL_TWO: predict(func->instance->hosts[1], args, prediction); break;
    case CALL_MANY: predict(func->instance->hosts[2], args, prediction); break;
    // THROUGH and what follows: each calls an import of its own.
    default: predict(func->instance->hosts[func->behaviour - THROUGH], args, prediction); break;
  }
}

// ------------------------------------------------------------------------------------------------
// Calls

// The engine has seen these.
static void seen_by_wasm(const value_t* value) {
  if (!value->object) return;
  if (value->kind == WASM_FUNCREF)
    value->object->pinned = true;
  else
    value->object->uncertain = true;
}

static bool is_untouched(const wasm_val_t* value) {
  wasm_val_t garbage;
  memset(&garbage, 0xa5, sizeof garbage);
  return memcmp(&garbage, value, sizeof garbage) == 0;
}

// What kind of trap has a message that was predicted; any other is the host's.
static wasmrt_trap_code_t code_of(const char* message) {
  static const struct {
    const char* message;
    wasmrt_trap_code_t code;
  } codes[] = {
      {"unreachable", WASMRT_TRAP_UNREACHABLE},
      {"out of bounds memory access", WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS},
      {"out of bounds table access", WASMRT_TRAP_TABLE_OUT_OF_BOUNDS},
      {"undefined element", WASMRT_TRAP_UNDEFINED_ELEMENT},
      {"uninitialized element", WASMRT_TRAP_UNINITIALIZED_ELEMENT},
      {"indirect call type mismatch", WASMRT_TRAP_INDIRECT_CALL_TYPE_MISMATCH},
      {"integer divide by zero", WASMRT_TRAP_INTEGER_DIVIDE_BY_ZERO},
      {"integer overflow", WASMRT_TRAP_INTEGER_OVERFLOW},
      {"call stack exhausted", WASMRT_TRAP_STACK_EXHAUSTED},
  };
  for (size_t i = 0; i < LENGTH_OF(codes); i++)
    if (strcmp(message, codes[i].message) == 0) return codes[i].code;
  return WASMRT_TRAP_HOST;
}

object_t* adopt_trap(wasm_trap_t* trap, store_t* store, const char* message) {
  object_t* object = adopt_new(trap, TRAP, store);
  object->code = message ? code_of(message) : WASMRT_TRAP_ERROR;
  if (message) snprintf(object->message, sizeof object->message, "%s", message);
  return object;
}

void invoke(object_t* func) {
  unsigned params = (unsigned)strlen(func->params), arity = (unsigned)strlen(func->results);
  store_t* store = func->store;
  value_t args[MAX_VALUES];
  wasm_val_t actual[MAX_VALUES], results[MAX_VALUES + 3];
  memset(args, 0, sizeof args);
  for (unsigned i = 0; i < params; i++) args[i] = any_value(kind_of_letter(func->params[i]), store);
  prediction_t prediction;
  memset(&prediction, 0, sizeof prediction);
  bool direct = func->behaviour == HOST && !func->target;
  bool refused = !direct && (!can_pass(func) || (func->behaviour == SELF && lacks.functions));
  if (!refused) predict(func, args, &prediction);
  if (!direct)
    for (unsigned i = 0; i < params; i++) seen_by_wasm(&args[i]);
  for (unsigned i = 0; i < params; i++) actual[i] = own_value(&args[i]);
  memset(results, 0xa5, sizeof results);
  unsigned room = one_in(4) ? below(arity + 1) : one_in(4) ? arity + below(4) : arity;
  wasm_val_vec_t given = {params, actual}, taken = {room, results};
  // Numbers may come back in the memory that they went out in.
  bool in_place = params >= room && strspn(func->params, "iIfF") == params && one_in(6);
  if (in_place) taken.data = actual;
  if (room == 0 && one_in(2)) taken = (wasm_val_vec_t){3, NULL};
  expected_call_t expected = {.host = prediction.host, .direct = direct, .outer = run.expected};
  memcpy(expected.arguments, prediction.host_arguments, sizeof expected.arguments);
  run.expected = prediction.host ? &expected : NULL;
  store->running++;
  run.depth++;
  wasm_trap_t* trap = wasm_func_call(wasm_ref_as_func_const(func->pointer),
                                     params == 0 && one_in(2) ? NULL : &given,
                                     room == 0 && one_in(2) ? NULL : &taken);
  run.depth--;
  store->running--;
  run.expected = expected.outer;

  bool traps = prediction.trap != NULL || refused;
  if (prediction.host) {
    if (!expected.seen) FAIL("the host function was not called");
    traps = expected.outcome != RETURNS;
    memcpy(prediction.results, expected.results, sizeof prediction.results);
    if (!direct)
      for (unsigned i = 0; !traps && i < strlen(prediction.host->results); i++)
        seen_by_wasm(&prediction.results[i]);
  }
  if (!traps && prediction.added) prediction.results[0].bits += (uint64_t)prediction.added;
  if (traps != (trap != NULL)) FAIL("%s", traps ? "a call should trap" : "a call traps");
  if (!traps) {
    for (unsigned i = 0; i < arity && i < room; i++) {
      const wasm_val_t* result = &(in_place ? actual : results)[i];
      const object_t* known = prediction.results[i].object;
      if (direct && known) EXPECT_PTR(result->of.ref, known->pointer);
      adopt_value(result, &prediction.results[i], "a result");
    }
  } else if (prediction.host && expected.outcome == TRAPS) {
    adopt_known(trap, expected.trap);
  } else {
    object_t* object =
        adopt_trap(trap, prediction.host ? prediction.host->store : store, prediction.trap);
    if (refused) EXPECT_INT(wasmrt_trap_error_kind(trap), WASMRT_ERROR_UNSUPPORTED);
    bool own = !refused && !func->target && !prediction.host && func->behaviour < CALL_ONE &&
               func->behaviour != INDIRECT;
    if (own) object->instance = func->instance;
  }
  if (in_place) return;
  for (unsigned i = traps ? 0 : arity < room ? arity : room; i < LENGTH_OF(results); i++)
    if (!is_untouched(&results[i])) FAIL("result %u was written", i);
  for (unsigned i = 0; i < params; i++) {
    expect_value(&actual[i], &args[i], "an argument after the call");
    release_value(&actual[i], &args[i]);
  }
}

void step_call(void) {
  if (run.depth > MAX_DEPTH || loose_count() >= MAX_LOOSE) return;
  object_t* func = pick(1u << FUNC);
  if (func) invoke(func);
}

// What does not fit the function's type does not run.
void step_call_wrong(void) {
  object_t* func = pick(1u << FUNC);
  if (!func) return;
  unsigned params = (unsigned)strlen(func->params);
  wasm_val_t actual[MAX_VALUES + 2], results[MAX_VALUES];
  value_t args[MAX_VALUES];
  memset(results, 0xa5, sizeof results);
  for (unsigned i = 0; i < params; i++) {
    args[i] = any_value(kind_of_letter(func->params[i]), func->store);
    actual[i] = borrow_value(&args[i]);
  }
  wasm_val_vec_t given = {params, actual}, taken = {strlen(func->results), results};
  unsigned mistake = params == 0 ? 0 : below(5);
  unsigned position = params == 0 ? 0 : below(params);
  object_t* other = pick_foreign_to(1u << FUNC, func->store);
  bool reference = params > 0 && is_reference(args[position].kind);
  if (mistake == 0) {
    actual[params] = actual[params + 1] = (wasm_val_t)WASM_I32_VAL(0);
    given.size += 1 + below(2);
  } else if (mistake == 1) {
    given.size -= 1 + below(params);
  } else if (mistake == 2 && reference && other) {
    actual[position] = (wasm_val_t){.kind = WASM_FUNCREF, .of = {.ref = other->pointer}};
  } else if (reference) {
    object_t* wrong = pick_of(ANY_KIND & ~(1u << FUNC), func->store);
    bool not_func = args[position].kind == WASM_FUNCREF && wrong && one_in(2);
    if (not_func)
      actual[position] = (wasm_val_t){.kind = WASM_FUNCREF, .of = {.ref = wrong->pointer}};
    else
      actual[position] = (wasm_val_t)WASM_I64_VAL(0);
  } else {
    static const uint8_t kinds[] = {WASM_I32, WASM_I64, WASM_F32, WASM_F64, 4, 77, 255};
    uint8_t kind = kinds[below(LENGTH_OF(kinds))];
    actual[position].kind = kind == args[position].kind ? (uint8_t)99 : kind;
  }
  forget_error();
  expected_call_t* outer = run.expected;
  run.expected = NULL;
  wasm_trap_t* trap = wasm_func_call(wasm_ref_as_func(func->pointer), &given, &taken);
  run.expected = outer;
  if (!trap) FAIL("a call with wrong arguments does not trap");
  expect_error(__FILE__, __LINE__, "a call with wrong arguments");
  for (unsigned i = 0; i < LENGTH_OF(results); i++)
    if (!is_untouched(&results[i])) FAIL("a call with wrong arguments writes result %u", i);
  delete_loose(adopt_trap(trap, func->store, NULL));
}

// ------------------------------------------------------------------------------------------------
// Traps and frames

void step_trap_new(void) {
  store_t* store = pick_store();
  if (!store || loose_count() >= MAX_LOOSE) return;
  char text[32];
  unsigned size = below(31);
  for (unsigned i = 0; i < size; i++) text[i] = (char)('a' + (size + i) % 26);
  text[size] = 0;
  wasm_message_t message;
  wasm_byte_vec_new(&message, size + one_in(2), text);
  wasm_trap_t* trap = wasm_trap_new(store->pointer, size == 0 && one_in(2) ? NULL : &message);
  wasm_byte_vec_delete(&message);
  object_t* object = adopt_trap(trap, store, text);
  wasm_message_t back;
  wasm_trap_message(trap, &back);
  expect_name(&back, text, size + 1);
  wasm_byte_vec_delete(&back);
  EXPECT_PTR(wasm_trap_origin(wasm_ref_as_trap(object->pointer)), NULL);
}

static void look_at_frame(const wasm_frame_t* frame, const store_t* store) {
  EXPECT(frame != NULL);
  wasm_instance_t* instance = wasm_frame_instance(frame);
  if (instance) {
    object_t* object = find(instance);
    bool failed = !object && lacks.loaded && store->failed_starts > 0;
    if (!object && !failed) FAIL("the instance of a frame is not known");
    if (failed) EXPECT_PTR(wasm_instance_get_host_info(instance), NULL);
  }
  if (instance && find(instance)) {
    const object_t* object = find(instance);
    EXPECT_INT(object->kind, INSTANCE);
    EXPECT_PTR(object->store, store);
    EXPECT_PTR(wasm_instance_get_host_info(instance), object->witness);
  }
  EXPECT(wasm_frame_func_index(frame) < MAX_EXPORTS + 4);
  wasm_name_t name;
  wasmrt_frame_module_name(frame, &name);
  EXPECT_INT(name.size, 0);
  wasm_byte_vec_delete(&name);
  size_t func_offset = wasm_frame_func_offset(frame), offset = wasm_frame_module_offset(frame);
  // Where the stack ends is nowhere in particular.
  if (func_offset >= offset && offset > 0)
    FAIL("a frame is at %zu in its function, %zu in its module", func_offset, offset);
}

static void expect_same_frame(const wasm_frame_t* one, const wasm_frame_t* other) {
  EXPECT_PTR(wasm_frame_instance(one), wasm_frame_instance(other));
  EXPECT_INT(wasm_frame_func_index(one), wasm_frame_func_index(other));
  EXPECT_INT(wasm_frame_func_offset(one), wasm_frame_func_offset(other));
  EXPECT_INT(wasm_frame_module_offset(one), wasm_frame_module_offset(other));
  wasm_name_t name, other_name;
  wasmrt_frame_func_name(one, &name);
  wasmrt_frame_func_name(other, &other_name);
  EXPECT_INT(name.size, other_name.size);
  if (name.size > 0) expect_name(&name, other_name.data, other_name.size);
  wasm_byte_vec_delete(&name);
  wasm_byte_vec_delete(&other_name);
}

void step_trap_look(void) {
  object_t* object = pick(1u << TRAP);
  if (!object) return;
  look_at_trap_extension(object);
  const wasm_trap_t* trap = wasm_ref_as_trap_const(object->pointer);
  wasm_message_t message;
  memset(&message, 0xa5, sizeof message);
  wasm_trap_message(trap, &message);
  EXPECT(message.size > 0);
  EXPECT_INT(strlen(message.data) + 1, message.size);
  if (object->message[0]) expect_name(&message, object->message, strlen(object->message) + 1);
  wasm_byte_vec_delete(&message);

  wasm_frame_vec_t trace, copy;
  wasm_trap_trace(trap, &trace);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  EXPECT_INT(origin != NULL, trace.size > 0);
  if (lacks.frames) EXPECT_INT(trace.size, 0);
  for (size_t i = 0; i < trace.size; i++) {
    look_at_frame(trace.data[i], object->store);
    const wasm_instance_t* instance = wasm_frame_instance(trace.data[i]);
    if (object->instance && instance) EXPECT_PTR(instance, object->instance->object->pointer);
  }
  bool has_frames = !(object->code == WASMRT_TRAP_STACK_EXHAUSTED && lacks.stack_frames);
  if (object->instance && has_frames && !lacks.frames) EXPECT(trace.size > 0);
  if (origin) expect_same_frame(origin, trace.data[0]);
  wasm_frame_delete(origin);
  wasm_frame_vec_copy(&copy, &trace);
  EXPECT_INT(copy.size, trace.size);
  bool copy_first = one_in(2);
  wasm_frame_vec_t *first = copy_first ? &copy : &trace, *second = copy_first ? &trace : &copy;
  for (size_t i = 0; i < trace.size; i++) {
    EXPECT(copy.data[i] != trace.data[i]);
    expect_same_frame(copy.data[i], trace.data[i]);
  }
  wasm_frame_vec_delete(first);
  wasm_frame_t* copies[4] = {0};
  size_t count = second->size < 4 ? second->size : 4;
  for (size_t i = 0; i < count; i++) copies[i] = wasm_frame_copy(second->data[i]);
  wasm_frame_vec_new(first, count, copies);
  EXPECT_INT(first->size, count);
  for (size_t i = 0; i < count; i++) expect_same_frame(first->data[i], second->data[i]);
  wasm_frame_vec_delete(first);
  for (size_t i = 0; i < second->size; i++) look_at_frame(second->data[i], object->store);
  wasm_frame_vec_delete(second);
}

void step_frame_keep(void) {
  object_t* object = pick(1u << TRAP);
  if (!object || run.frame_count == MAX_FRAMES) return;
  wasm_frame_t* frame = wasm_trap_origin(wasm_ref_as_trap(object->pointer));
  if (!frame) return;
  if (one_in(2)) {
    wasm_frame_t* copy = wasm_frame_copy(frame);
    expect_same_frame(frame, copy);
    wasm_frame_delete(frame);
    frame = copy;
  }
  look_at_frame(frame, object->store);
  object->store->frames++;
  run.frames[run.frame_count++] = (frame_t){frame, object->store};
}

static void delete_frame(unsigned position) {
  frame_t frame = run.frames[position];
  look_at_frame(frame.pointer, frame.store);
  // Forgotten first: it may be the last of its store, whose finalizers act.
  run.frames[position] = run.frames[--run.frame_count];
  frame.store->frames--;
  wasm_frame_delete(frame.pointer);
}

void step_frame_delete(void) {
  if (run.frame_count == 0) return;
  unsigned position = below(run.frame_count);
  frame_t* frame = &run.frames[position];
  wasm_instance_t* instance = wasm_frame_instance(frame->pointer);
  if (instance && find(instance) && one_in(3)) {
    // The instance outlives the frame if a handle of its own is taken.
    wasm_instance_t* copy = wasm_instance_copy(instance);
    adopt(copy, INSTANCE, frame->store);
  }
  delete_frame(position);
}

void forget_frames(void) {
  while (run.frame_count > 0) delete_frame(run.frame_count - 1);
}
