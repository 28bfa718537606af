// The rows of wasmrt.h: each beside what wasmtime's own C API has for the same purpose.
#include "extension.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "library.h"
#include "modules.h"

enum { INSTANCES_OF_A_STORE = 200 };

static const char HOST[] = "host", MEMORY[] = "memory";

static wasm_engine_t *engine;
static wasm_functype_t *nothing; // the type () -> ()
static size_t names;             // import_0 and so on, or export_0
static volatile uintptr_t sink;  // keeps the compiler from removing what computes it

// What both libraries have, in the form that each has it.
static struct {
  void *module, *store, *linker, *pre;
  wasm_instance_t *instance;
  wasm_extern_t *export;
  // Of wasmtime.
  void *context;
  wasmtime_instance_t own_instance;
  wasmtime_extern_t own_export;
} it;

static void prepare_engine(void) {
  memset(&it, 0, sizeof it);
  engine = wasm.engine_new();
  require(engine != NULL);
  wasm_valtype_vec_t none = {0, NULL}, none_either = {0, NULL};
  nothing = wasm.functype_new(&none, &none_either);
}

static void new_module(bytes_t binary) {
  if (has_wasmrt) {
    it.store = wasm.store_new(engine);
    wasm_byte_vec_t vector = {binary.size, (char *)binary.data};
    it.module = wasm.module_new(it.store, &vector);
    wasm.store_delete(it.store);
  } else {
    require(wasmtime.module_new(engine, binary.data, binary.size, &it.module) == NULL);
  }
  bytes_free(&binary);
  require(it.module != NULL);
}

static wasm_trap_t *look_at_memory(void *env, const wasmrt_caller_t *caller,
                                   const wasm_val_vec_t *arguments, wasm_val_vec_t *results) {
  (void)env, (void)arguments, (void)results;
  size_t size;
  sink = (uintptr_t)wasmrt.caller_memory(caller, &size) + size;
  return NULL;
}

static wasm_trap_t *look_at_memory_of_wasmtime(void *env, void *caller, const void *arguments,
                                               size_t argument_count, void *results,
                                               size_t result_count) {
  (void)env, (void)arguments, (void)argument_count, (void)results, (void)result_count;
  wasmtime_extern_t memory;
  require(wasmtime.caller_export_get(caller, MEMORY, strlen(MEMORY), &memory));
  void *context = wasmtime.caller_context(caller);
  sink = (uintptr_t)wasmtime.memory_data(context, &memory.of) +
         wasmtime.memory_data_size(context, &memory.of);
  wasmtime.extern_delete(&memory);
  return NULL;
}

static void new_store_and_linker(void) {
  char name[32];
  if (has_wasmrt) {
    it.store = wasm.store_new(engine);
    it.linker = wasmrt.linker_new(it.store);
  } else {
    it.store = wasmtime.store_new(engine, NULL, NULL);
    it.context = wasmtime.store_context(it.store);
    it.linker = wasmtime.linker_new(engine);
  }
  for (size_t i = 0; i < names; i++) {
    size_t length = (size_t)snprintf(name, sizeof name, "import_%zu", i);
    if (has_wasmrt) {
      require(wasmrt.linker_define_func_with_caller(it.linker, HOST, strlen(HOST), name, length,
                                                    nothing, look_at_memory, NULL, NULL));
    } else {
      require(wasmtime.linker_define_func(it.linker, HOST, strlen(HOST), name, length, nothing,
                                          look_at_memory_of_wasmtime, NULL, NULL) == NULL);
    }
  }
}

static void delete_store_and_linker(void) {
  if (has_wasmrt) {
    wasmrt.linker_delete(it.linker);
    wasm.store_delete(it.store);
  } else {
    wasmtime.linker_delete(it.linker);
    wasmtime.store_delete(it.store);
  }
}

static void link_by_name(void) {
  wasm_trap_t *trap = NULL;
  if (has_wasmrt) {
    it.instance = wasmrt.linker_instantiate(it.linker, it.module, &trap);
    require(it.instance != NULL);
  } else {
    require(wasmtime.linker_instantiate(it.linker, it.context, it.module, &it.own_instance,
                                        &trap) == NULL);
  }
  require(trap == NULL);
}

void prepare_link(uint64_t count) {
  prepare_engine();
  names = count;
  new_module(module_with_imports_and_exports(count, count));
}

// Instances stay as long as their store: new stores now and then limit what accumulates.
void make_linked(uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    new_store_and_linker();
    for (uint64_t i = 0; i < INSTANCES_OF_A_STORE && done < count; i++, done++) {
      link_by_name();
      if (has_wasmrt) wasm.instance_delete(it.instance);
    }
    delete_store_and_linker();
  }
}

void make_prepared(uint64_t count) {
  for (uint64_t done = 0; done < count;) {
    new_store_and_linker();
    if (has_wasmrt) {
      it.pre = wasmrt.linker_prepare(it.linker, it.module);
    } else {
      require(wasmtime.linker_instantiate_pre(it.linker, it.module, &it.pre) == NULL);
    }
    require(it.pre != NULL);
    for (uint64_t i = 0; i < INSTANCES_OF_A_STORE && done < count; i++, done++) {
      wasm_trap_t *trap = NULL;
      if (has_wasmrt) {
        it.instance = wasmrt.instance_pre_instantiate(it.pre, &trap);
        require(it.instance != NULL);
        wasm.instance_delete(it.instance);
      } else {
        require(wasmtime.instance_pre_instantiate(it.pre, it.context, &it.own_instance, &trap) ==
                NULL);
      }
    }
    if (has_wasmrt) {
      wasmrt.instance_pre_delete(it.pre);
    } else {
      wasmtime.instance_pre_delete(it.pre);
    }
    delete_store_and_linker();
  }
}

void prepare_export(uint64_t count) {
  prepare_engine();
  names = 0;
  new_module(module_with_imports_and_exports(0, count));
  new_store_and_linker();
  link_by_name();
  names = count;
}

void find_export(uint64_t count) {
  char name[32];
  size_t length = (size_t)snprintf(name, sizeof name, "export_%zu", names / 2);
  for (uint64_t i = 0; i < count; i++) {
    if (has_wasmrt) {
      it.export = wasmrt.instance_export(it.instance, name, length);
      require(it.export != NULL);
      wasm.extern_delete(it.export);
    } else {
      require(
          wasmtime.instance_export_get(it.context, &it.own_instance, name, length, &it.own_export));
      wasmtime.extern_delete(&it.own_export);
    }
  }
}

void prepare_export_at(uint64_t count) {
  if (!has_wasmrt) _exit(STATUS_MISSING);
  prepare_export(count);
}

void get_export_at(uint64_t count) {
  for (uint64_t i = 0; i < count; i++)
    wasm.extern_delete(wasmrt.instance_export_at(it.instance, names / 2));
}

void prepare_caller_memory(uint64_t parameter) {
  (void)parameter;
  prepare_engine();
  new_module(module_with_memory_and_callback_loop());
  names = 1;
  new_store_and_linker();
  link_by_name();
  static const char LOOP[] = "loop";
  if (has_wasmrt) {
    it.export = wasmrt.instance_export(it.instance, LOOP, strlen(LOOP));
    require(it.export != NULL);
  } else {
    require(wasmtime.instance_export_get(it.context, &it.own_instance, LOOP, strlen(LOOP),
                                         &it.own_export));
  }
}

void call_for_memory(uint64_t count) {
  wasm_trap_t *trap = NULL;
  if (has_wasmrt) {
    wasm_val_t value[1] = {{.kind = WASM_I32, .of = {.i32 = (int32_t)count}}};
    wasm_val_vec_t value_vector = {1, value}, no_results = {0, NULL};
    trap = wasm.func_call(wasm.extern_as_func(it.export), &value_vector, &no_results);
  } else {
    wasmtime_val_t value = {.kind = 0, .of = {.i32 = (int32_t)count}};
    require(wasmtime.func_call(it.context, &it.own_export.of, &value, 1, NULL, 0, &trap) == NULL);
  }
  require(trap == NULL);
}
