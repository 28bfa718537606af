// Timeouts and interrupts: the clock or another thread stops a guest that never returns.

#include "example.h"
#include <pthread.h>

static const char text[] = "(module (func (export \"spin\") (loop $again (br $again))))";

static void* press_the_button(void* interrupt) {
  wasmrt_interrupt_trigger(interrupt); // may be called from any thread, at any time
  return NULL;
}

static void spin(const wasm_func_t* func, const char* what) {
  wasm_val_vec_t none = WASM_EMPTY_VEC;
  wasm_trap_t* trap = wasm_func_call(func, &none, &none);
  if (!trap) stop("an endless loop came to an end");
  bool known = wasmrt_trap_code(trap) == WASMRT_TRAP_TIMEOUT ||
               wasmrt_trap_code(trap) == WASMRT_TRAP_INTERRUPTED;
  print_trap(stdout, what, trap);
  if (!known) stop("the loop ended for another reason");
}

int main(void) {
  wasm_config_t* config = wasm_config_new();
  if (!wasmrt_config_set_interruption(config, true)) fail("cannot turn interruption on");
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  if (!engine) fail("cannot create the engine");
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_func_t* func = func_named(instance, "spin");

  // A limit for each call.
  if (!wasmrt_store_set_call_timeout(store, 20 * 1000000)) fail("cannot set a timeout");
  spin(func, "20 ms for a call");
  spin(func, "and for the next");

  // A limit for everything from now on: after that, nothing runs in this store.
  if (!wasmrt_store_set_call_timeout(store, WASMRT_NO_TIMEOUT)) fail("cannot remove the timeout");
  if (!wasmrt_store_set_timeout(store, 20 * 1000000)) fail("cannot set a timeout");
  spin(func, "20 ms in all");
  spin(func, "too late");
  if (!wasmrt_store_set_timeout(store, WASMRT_NO_TIMEOUT)) fail("cannot remove the timeout");

  // No clock: another thread decides. If it does so before the call, the call is stopped at once.
  wasmrt_interrupt_t* interrupt = wasmrt_interrupt_new(store);
  if (!interrupt) fail("cannot create the interrupt");
  pthread_t thread;
  if (pthread_create(&thread, NULL, press_the_button, interrupt)) stop("cannot start a thread");
  spin(func, "until somebody says so");
  pthread_join(thread, NULL);
  wasmrt_interrupt_delete(interrupt);

  wasm_func_delete(func);
  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
