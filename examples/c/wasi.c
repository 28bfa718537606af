// WASI: a program for it, with an argument, standard input from memory and its output captured.

#include "example.h"

// Writes its arguments' number to standard output, copies standard input there, and exits with 3.
static const char text[] =
    "(module"
    "  (import \"wasi_snapshot_preview1\" \"args_sizes_get\""
    "    (func $args_sizes_get (param i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"fd_read\""
    "    (func $fd_read (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"fd_write\""
    "    (func $fd_write (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))"
    "  (memory (export \"memory\") 1)"
    "  (data (i32.const 64) \"? arguments, and: \")"
    "  (func $write (param $from i32) (param $size i32)"
    "    (i32.store (i32.const 0) (local.get $from))"
    "    (i32.store (i32.const 4) (local.get $size))"
    "    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8))))"
    "  (func (export \"_start\")"
    "    (drop (call $args_sizes_get (i32.const 16) (i32.const 20)))"
    "    (i32.store8 (i32.const 64) (i32.add (i32.const 48) (i32.load (i32.const 16))))"
    "    (call $write (i32.const 64) (i32.const 18))"
    "    (i32.store (i32.const 0) (i32.const 128))"
    "    (i32.store (i32.const 4) (i32.const 100))"
    "    (drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))"
    "    (call $write (i32.const 128) (i32.load (i32.const 8)))"
    "    (call $proc_exit (i32.const 3))))";

int main(void) {
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);

  // What the guest is given: nothing but this.
  wasmrt_wasi_config_t* config = wasmrt_wasi_config_new();
  const char input[] = "some input";
  if (!wasmrt_wasi_config_arg(config, "program") || !wasmrt_wasi_config_arg(config, "--verbose") ||
      !wasmrt_wasi_config_stdin_bytes(config, input, strlen(input)) ||
      !wasmrt_wasi_config_capture(config, WASMRT_WASI_STDOUT, 1 << 20))
    fail("cannot configure WASI");
  wasmrt_wasi_t* wasi = wasmrt_wasi_new(store, config);
  wasmrt_wasi_config_delete(config);
  if (!wasi) fail("cannot create the WASI context");

  // Its imports, in the order of the module; NULL for those that are not WASI's.
  wasm_extern_vec_t imports;
  if (!wasmrt_wasi_imports(wasi, module, &imports)) fail("the module wants what WASI does not have");
  wasm_instance_t* instance = new_instance(store, module, &imports);
  wasm_extern_vec_delete(&imports);

  int32_t status;
  wasm_trap_t* trap = wasmrt_wasi_start(wasi, instance, &status);
  if (trap) {
    print_trap(stderr, "error: the program trapped", trap);
    return 1;
  }
  char output[100];
  size_t size;
  if (!wasmrt_wasi_read(wasi, WASMRT_WASI_STDOUT, output, sizeof output, &size))
    fail("cannot read what was captured");
  printf("output: %.*s\nexit status: %d\n", (int)size, output, (int)status);

  wasm_instance_delete(instance);
  wasm_module_delete(module);
  wasmrt_wasi_delete(wasi);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
