// wasmrt validate, wasmrt compile and wasmrt wat2wasm: what is done to a module without running it.

#include "common.h"

#include <stdlib.h>
#include <string.h>

int validate_command(words_t* words) {
  const char *backend = NULL, *value;
  wasm_config_t* config = wasm_config_new();
  while (at_option(words)) {
    if ((value = take_option(words, "--backend")))
      backend = value;
    else if (take_no_limits(words))
      lift_limits(config);
    else
      unknown_option(words);
  }
  const char* path = take_file(words);
  expect_end(words);

  wasm_byte_vec_t bytes;
  read_input(words, path, &bytes);
  wasm_engine_t* engine = new_engine(words, config, backend);
  wasm_store_t* store = wasm_store_new(engine);
  text_to_binary(path, &bytes);
  if (!wasm_module_validate(store, &bytes)) fail_on_module(path);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&bytes);
  return SUCCESS;
}

int compile_command(words_t* words) {
  const char *backend = NULL, *output = NULL, *value;
  bool with_fuel = false, with_timeout = false;
  wasm_config_t* config = wasm_config_new();
  while (at_option(words)) {
    if ((value = take_option(words, "-o")))
      output = value;
    else if ((value = take_option(words, "--output")))
      output = value;
    else if ((value = take_option(words, "--backend")))
      backend = value;
    else if (take_flag(words, "--fuel"))
      with_fuel = true;
    else if (take_flag(words, "--timeout"))
      with_timeout = true;
    else if (take_no_limits(words))
      lift_limits(config);
    else
      unknown_option(words);
  }
  const char* path = take_file(words);
  expect_end(words);
  char* own_path = output ? NULL : output_path(words, path, ".cwasm");

  wasm_byte_vec_t bytes, artifact;
  read_input(words, path, &bytes);
  wasmrt_config_set_fuel(config, with_fuel);
  wasmrt_config_set_interruption(config, with_timeout);
  wasm_engine_t* engine = new_engine(words, config, backend);
  wasm_store_t* store = wasm_store_new(engine);
  wasm_module_t* module = load_module(store, path, &bytes, false);
  wasm_module_serialize(module, &artifact);
  if (artifact.size == 0) fail("%s: %s", path, reason());
  write_output(output ? output : own_path, &artifact);
  wasm_byte_vec_delete(&artifact);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&bytes);
  free(own_path);
  return SUCCESS;
}

int wat2wasm_command(words_t* words) {
  const char *output = NULL, *value;
  while (at_option(words)) {
    if ((value = take_option(words, "-o")))
      output = value;
    else if ((value = take_option(words, "--output")))
      output = value;
    else
      unknown_option(words);
  }
  const char* path = take_file(words);
  expect_end(words);
  char* own_path = output ? NULL : output_path(words, path, ".wasm");

  wasm_byte_vec_t bytes, binary;
  read_input(words, path, &bytes);
  if (!wasmrt_wat2wasm(bytes.data, bytes.size, &binary)) fail("%s: %s", path, reason());
  write_output(output ? output : own_path, &binary);
  wasm_byte_vec_delete(&binary);
  wasm_byte_vec_delete(&bytes);
  free(own_path);
  return SUCCESS;
}
