// Compiling takes time; a compiled module can be kept as bytes and loaded again. The bytes can only
// be loaded by the same library version, engine and settings; anything else is refused with a
// reason.

#include "example.h"

static const char text[] =
    "(module"
    "  (func $factorial (export \"factorial\") (param i64) (result i64)"
    "    (if (result i64) (i64.eqz (local.get 0))"
    "      (then (i64.const 1))"
    "      (else (i64.mul (local.get 0)"
    "        (call $factorial (i64.sub (local.get 0) (i64.const 1))))))))";

// Runs the module in a store of its engine.
static void run(wasm_store_t* store, const wasm_module_t* module, const char* which) {
  wasm_instance_t* instance = new_instance(store, module, NULL);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_val_t arguments[] = {WASM_I64_VAL(20)}, answers[] = {WASM_INIT_VAL};
  wasm_val_vec_t args = WASM_ARRAY_VEC(arguments), results = WASM_ARRAY_VEC(answers);
  call(exported_func(&exports, 0), &args, &results);
  printf("%s: factorial(20) = %lld\n", which, (long long)answers[0].of.i64);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
}

// Loading damaged bytes must fail with a message. The message depends on the damage, so it goes to
// stderr. If the bytes are accepted, the program fails.
static void refuse(wasm_store_t* store, const wasm_byte_vec_t* bytes, const char* damage) {
  wasm_module_t* module = wasm_module_deserialize(store, bytes);
  if (module) stop("damaged bytes were accepted");
  const char* reason = wasmrt_last_error_message();
  if (!reason) stop("the bytes were refused without a reason");
  printf("%s: refused\n", damage);
  fprintf(stderr, "%s: %s\n", damage, reason);
}

int main(void) {
  // Compile and serialize. The program owns the bytes and could keep them in a file.
  wasm_engine_t* engine = new_engine();
  wasm_store_t* store = new_store(engine);
  wasm_module_t* module = new_module(store, text);
  run(store, module, "compiled");
  wasm_byte_vec_t bytes;
  wasm_module_serialize(module, &bytes);
  if (bytes.size == 0) fail("cannot serialize the module");
  fprintf(stderr, "%zu bytes\n", bytes.size);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);

  // Load them in a new engine, as a later process would: nothing is compiled.
  engine = new_engine();
  store = new_store(engine);
  module = wasm_module_deserialize(store, &bytes);
  if (!module) fail("cannot load the serialized module");
  run(store, module, "loaded");
  wasm_module_delete(module);

  // Damage is detected, wherever it is.
  wasm_byte_vec_t damaged;
  wasm_byte_vec_copy(&damaged, &bytes);
  damaged.data[damaged.size / 2] ^= 1;
  refuse(store, &damaged, "one bit changed");
  wasm_byte_vec_delete(&damaged);

  // These vectors only borrow the bytes, so they are not deleted.
  wasm_byte_vec_t truncated = {bytes.size - 1, bytes.data};
  refuse(store, &truncated, "the last byte missing");
  wasm_byte_vec_t nothing = WASM_EMPTY_VEC;
  refuse(store, &nothing, "no bytes at all");
  char letter[] = "Dear library, this is no compiled module.";
  wasm_byte_vec_t foreign = {sizeof letter, letter};
  refuse(store, &foreign, "something else");

  wasm_byte_vec_delete(&bytes);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  return 0;
}
