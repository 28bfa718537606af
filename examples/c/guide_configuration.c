// Configuration: an unsupported setting is refused when the engine is made, not when it is used.

#include "example.h"

// Each configuration gets one of these settings, which returns whether its value is valid.
static bool pulley(wasm_config_t* config) {
  return wasmrt_config_set_compiler(config, WASMRT_COMPILER_PULLEY);
}

static bool eager(wasm_config_t* config) {
  return wasmrt_config_set_compiler(config, WASMRT_COMPILER_EAGER);
}

static bool no_simd(wasm_config_t* config) {
  return wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_SIMD, false) &&
         wasmrt_config_set_proposal(config, WASMRT_PROPOSAL_RELAXED_SIMD, false);
}

static bool deterministic(wasm_config_t* config) {
  return wasmrt_config_set_deterministic(config, true);
}

static bool pool(wasm_config_t* config) {
  return wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_INSTANCES, 10) &&
         wasmrt_config_set_pool_limit(config, WASMRT_POOL_LIMIT_MEMORY_BYTES, 1 << 20);
}

static bool small_stack(wasm_config_t* config) {
  return wasmrt_config_set_max_wasm_stack(config, 128 * 1024);
}

static bool nonsense(wasm_config_t* config) {
  return wasmrt_config_set_compiler(config, 99);
}

int main(void) {
  const struct {
    const char* name;
    bool (*apply)(wasm_config_t*);
  } settings[] = {
      {"the compiler pulley", pulley},
      {"the compiler eager", eager},
      {"no SIMD", no_simd},
      {"deterministic mode", deterministic},
      {"pooling", pool},
      {"a small stack", small_stack},
      {"compiler number 99", nonsense},
  };
  for (size_t i = 0; i < sizeof settings / sizeof *settings; ++i) {
    wasm_config_t* config = wasm_config_new();
    bool valid = settings[i].apply(config);
    printf("%s: ", settings[i].name);
    if (!valid) {
      printf("invalid: %s\n", wasmrt_last_error_message());
      wasm_config_delete(config);
      continue;
    }
    wasm_engine_t* engine = wasm_engine_new_with_config(config); // takes the configuration
    if (engine)
      printf("yes\n");
    else
      printf("refused: %s\n", wasmrt_last_error_message());
    wasm_engine_delete(engine);
  }
  return 0;
}
