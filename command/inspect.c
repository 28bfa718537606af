// wasmrt inspect: what a module imports and exports, and what it needs to run.
// wasmrt backends: the engines in the library, and what they can do.

#include "common.h"

static const char* wasi_name(const wasm_module_t* module) {
  wasmrt_wasi_version_t version = WASMRT_WASI_NONE;
  if (!wasmrt_module_wasi(module, &version)) fail("%s", reason());
  switch (version) {
    case WASMRT_WASI_NONE: return "none";
    case WASMRT_WASI_PREVIEW1: return "preview 1 (wasi_snapshot_preview1)";
    case WASMRT_WASI_UNSTABLE: return "unstable (wasi_unstable)";
    default: return "unknown";
  }
}

static void print_imports(const wasm_module_t* module) {
  wasm_importtype_vec_t imports;
  wasm_module_imports(module, &imports);
  for (size_t i = 0; i < imports.size; ++i) {
    fputs("import ", stdout);
    print_import(stdout, imports.data[i]);
    putchar('\n');
  }
  wasm_importtype_vec_delete(&imports);
}

static void print_exports(const wasm_module_t* module) {
  wasm_exporttype_vec_t exports;
  wasm_module_exports(module, &exports);
  for (size_t i = 0; i < exports.size; ++i) {
    fputs("export ", stdout);
    print_export(stdout, exports.data[i]);
    putchar('\n');
  }
  wasm_exporttype_vec_delete(&exports);
}

static void print_proposals(wasm_engine_t* engine, const wasm_byte_vec_t* binary) {
  uint64_t proposals;
  if (!wasmrt_module_required_proposals(engine, binary, &proposals)) fail("%s", reason());
  for (wasmrt_proposal_t i = 0; i < 64; ++i) {
    if (proposals >> i & 1) printf("proposal %s\n", wasmrt_proposal_name(i));
  }
}

int inspect_command(words_t* words) {
  const char *backend = NULL, *value;
  bool with_proposals = false;
  wasm_config_t* config = wasm_config_new();
  while (at_option(words)) {
    if ((value = take_option(words, "--backend")))
      backend = value;
    else if (take_flag(words, "--proposals"))
      with_proposals = true;
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
  wasm_module_t* module = load_module(store, path, &bytes, false);
  printf("wasi: %s\n", wasi_name(module));
  if (with_proposals) print_proposals(engine, &bytes);
  print_imports(module);
  print_exports(module);
  wasm_module_delete(module);
  wasm_store_delete(store);
  wasm_engine_delete(engine);
  wasm_byte_vec_delete(&bytes);
  return SUCCESS;
}

// The settings have no names in wasmrt.h: these are the functions' without `wasmrt_config_set_`.
static const struct {
  wasmrt_setting_t setting;
  const char* name;
} settings[] = {
    {WASMRT_SETTING_COMPILER, "compiler"},
    {WASMRT_SETTING_OPTIMIZATION, "optimization"},
    {WASMRT_SETTING_FUEL, "fuel"},
    {WASMRT_SETTING_INTERRUPTION, "interruption"},
    {WASMRT_SETTING_MAX_WASM_STACK, "max-wasm-stack"},
    {WASMRT_SETTING_MEMORY_RESERVATION, "memory-reservation"},
    {WASMRT_SETTING_MEMORY_GUARD_SIZE, "memory-guard-size"},
    {WASMRT_SETTING_MEMORY_COPY_ON_WRITE, "memory-copy-on-write"},
    {WASMRT_SETTING_POOLING, "pooling"},
    {WASMRT_SETTING_PARALLEL_COMPILATION, "parallel-compilation"},
    {WASMRT_SETTING_DEBUG_INFO, "debug-info"},
    {WASMRT_SETTING_PROFILING, "profiling"},
    {WASMRT_SETTING_DETERMINISTIC, "deterministic"},
    {WASMRT_SETTING_TARGET, "target"},
    {WASMRT_SETTING_CPU_FEATURE, "cpu-feature"},
    {WASMRT_SETTING_MEMORY_CREATOR, "memory-creator"},
};

int backends_command(words_t* words) {
  if (at_option(words)) unknown_option(words);
  expect_end(words);
  const char* name;
  for (size_t i = 0; (name = wasmrt_backend_name(i)); ++i) {
    printf("%s %s%s\n", name, wasmrt_backend_version(name), i == 0 ? " (default)" : "");
    fputs("  settings:", stdout);
    for (size_t k = 0; k < sizeof settings / sizeof *settings; ++k) {
      if (wasmrt_backend_supports(name, settings[k].setting)) printf(" %s", settings[k].name);
    }
    fputs("\n  proposals:", stdout);
    const char* proposal;
    for (wasmrt_proposal_t k = 1; (proposal = wasmrt_proposal_name(k)); ++k) {
      if (wasmrt_backend_supports_proposal(name, k)) printf(" %s", proposal);
    }
    putchar('\n');
  }
  return SUCCESS;
}
