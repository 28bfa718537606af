// wasmrt.hh: version, backends, configuration, modules.
#include "test.hh"

#include <sys/mman.h>
#include <unistd.h>

static const char* const SMALL =
    "(module $small (import \"m\" \"f\" (func)) (memory (export \"memory\") 1)"
    "  (func (export \"run\") (result i32) (i32.const 7))"
    "  (@custom \"note\" \"text\"))";

static std::string scratch_path(const char* name) {
  const char* directory = std::getenv("TMPDIR");
  return std::string(directory ? directory : "/tmp") + "/wasmrt-cpp-" +
         std::to_string(static_cast<long>(getpid())) + "-" + name;
}

TEST(version_and_backends) {
  CHECK_EQUAL(std::string(wasmrt::version()), WASMRT_VERSION);
  CHECK_EQUAL(wasmrt::version_number(), uint32_t{WASMRT_VERSION_NUMBER});
  REQUIRE(wasmrt::backend_count() > 0);
  CHECK(!wasmrt::backend_name(wasmrt::backend_count()));
  const char* name = wasmrt::backend_name(0);
  REQUIRE(name);
  CHECK(wasmrt::backend_version(name));
  CHECK(wasmrt::backend_supports(name, WASMRT_SETTING_FUEL));
  CHECK(wasmrt::backend_supports_proposal(name, WASMRT_PROPOSAL_MULTI_VALUE));
  CHECK_ERROR(!wasmrt::backend_version("nope"), WASMRT_ERROR_UNSUPPORTED, "nope");
  CHECK_EQUAL(std::string(wasmrt::compiler_name(WASMRT_COMPILER_WINCH)), "winch");
  CHECK_EQUAL(std::string(wasmrt::proposal_name(WASMRT_PROPOSAL_SIMD)), "simd");
}

TEST(settings_are_set) {
  auto owned = wasm::Config::make();
  wasm::Config* config = owned.get();
  CHECK(wasmrt::config_set_backend(config, wasmrt::backend_name(0)));
  CHECK(wasmrt::config_set_compiler(config, WASMRT_COMPILER_DEFAULT));
  CHECK(wasmrt::config_set_optimization(config, WASMRT_OPTIMIZATION_SPEED));
  CHECK(wasmrt::config_set_proposal(config, WASMRT_PROPOSAL_TAIL_CALL, false));
  CHECK(wasmrt::config_set_fuel(config, true));
  CHECK(wasmrt::config_set_interruption(config, true));
  CHECK(wasmrt::config_set_max_wasm_stack(config, 100000));
  CHECK(wasmrt::config_set_memory_reservation(config, 1 << 20));
  CHECK(wasmrt::config_set_memory_guard_size(config, 1 << 16));
  CHECK(wasmrt::config_set_memory_copy_on_write(config, false));
  CHECK(wasmrt::config_set_pooling(config, false));
  CHECK(wasmrt::config_set_pool_limit(config, WASMRT_POOL_LIMIT_INSTANCES, 10));
  CHECK(wasmrt::config_set_max_shards(config, 2));
  CHECK(wasmrt::config_set_parallel_compilation(config, false));
  CHECK(wasmrt::config_set_debug_info(config, false));
  CHECK(wasmrt::config_set_profiling(config, WASMRT_PROFILING_NONE));
  CHECK(wasmrt::config_set_deterministic(config, true));
  CHECK(wasmrt::config_set_target(config, "x86_64-unknown-linux-gnu"));
  CHECK(wasmrt::config_enable_cpu_feature(config, "has_sse3"));
  CHECK(wasmrt::config_set_cache(config, nullptr));
  CHECK(wasmrt::config_set_module_limit(config, WASMRT_MODULE_LIMIT_FUNCTIONS, 10));
}

TEST(wrong_settings_are_refused) {
  auto config = wasm::Config::make();
  CHECK_ERROR(!wasmrt::config_set_backend(config.get(), "nope"), WASMRT_ERROR_UNSUPPORTED, "nope");
  CHECK_ERROR(!wasmrt::config_set_fuel(nullptr, true), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(a_limit_of_modules_holds) {
  auto config = wasm::Config::make();
  CHECK(wasmrt::config_set_module_limit(config.get(), WASMRT_MODULE_LIMIT_FUNCTIONS, 0));
  Fixture fixture(std::move(config));
  auto binary = wasmrt::wat2wasm("(module (func))");
  CHECK_ERROR(!wasm::Module::make(fixture.store, binary), WASMRT_ERROR_LIMIT, "functions");
}

TEST(metering_calls_the_cost) {
  int finalized = 0;
  {
    auto config = wasm::Config::make();
    CHECK(wasmrt::config_set_metering(
        config.get(), 100, [](void*, uint32_t) -> uint64_t { return 1; }, &finalized, test::count));
    Fixture fixture(std::move(config));
    auto instance = fixture.instance("(module (func (export \"f\")))");
    auto points = wasmrt::instance_export(instance.get(), "wasmrt_points");
    REQUIRE(points);
    CHECK_EQUAL(points->global()->get().i64(), 100);
    CHECK_EQUAL(finalized, 0);
  }
  CHECK_EQUAL(finalized, 1);
}

static int memories;

static void* reserve(void*, size_t size, size_t reserved, size_t guard) {
  void* memory = mmap(nullptr, reserved + guard, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  if (size && mprotect(memory, size, PROT_READ | PROT_WRITE) != 0) return nullptr;
  ++memories;
  return memory;
}

static void* grow(void*, void* memory, size_t, size_t new_size, size_t reserved, size_t) {
  if (new_size > reserved) return nullptr;
  return mprotect(memory, new_size, PROT_READ | PROT_WRITE) == 0 ? memory : nullptr;
}

static void release(void*, void* memory, size_t, size_t reserved, size_t guard) {
  munmap(memory, reserved + guard);
  --memories;
}

TEST(the_host_provides_memories) {
  const wasmrt_memory_creator_t creator = {reserve, grow, release};
  int finalized = 0;
  {
    auto config = wasm::Config::make();
    CHECK(wasmrt::config_set_memory_creator(config.get(), &creator, &finalized, test::count));
    CHECK(wasmrt::config_set_memory_copy_on_write(config.get(), false));
    CHECK(wasmrt::config_set_memory_reservation(config.get(), 1 << 20));
    if (!Fixture().on("wasmtime")) {
      CHECK_ERROR(!wasm::Engine::make(std::move(config)), WASMRT_ERROR_UNSUPPORTED, "wasmi");
    } else {
      Fixture fixture(std::move(config));
      auto instance = fixture.instance("(module (memory (export \"memory\") 1))");
      CHECK_EQUAL(memories, 1);
      auto memory = wasmrt::instance_export(instance.get(), "memory");
      CHECK(memory->memory()->grow(2));
      memory->memory()->data()[0x20000] = 'x';
    }
  }
  CHECK_EQUAL(memories, 0);
  CHECK_EQUAL(finalized, 1);
}

// Replaces the module that is just its header by one with a function, and refuses others.
static bool transform(void* env, const vec<byte_t>& binary, vec<byte_t>& out,
                      wasm::Message& message) {
  ++*static_cast<int*>(env);
  if (binary.size() == 8) {
    out = wasmrt::wat2wasm("(module (func (export \"added\")))");
    return true;
  }
  message = wasm::Message::make_nt("not today");
  return false;
}

TEST(modules_are_transformed) {
  int calls = 0;
  {
    auto config = wasm::Config::make();
    CHECK(wasmrt::config_push_transform(config.get(), transform, &calls, test::count));
    Fixture fixture(std::move(config));
    auto module = fixture.module("(module)");
    CHECK_EQUAL(module->exports().size(), 1u);
    CHECK_EQUAL(calls, 1);
    auto binary = wasmrt::wat2wasm("(module (func))");
    CHECK_ERROR(!wasm::Module::make(fixture.store, binary), WASMRT_ERROR_COMPILE, "not today");
    CHECK_EQUAL(calls, 2);
  }
  CHECK_EQUAL(calls, 3);
  CHECK(!wasmrt::config_push_transform(nullptr, transform, &calls, test::count));
  CHECK_EQUAL(calls, 4);
}

TEST(a_transform_may_leave_the_module) {
  auto config = wasm::Config::make();
  auto leave = [](void*, const vec<byte_t>&, vec<byte_t>& out, wasm::Message& message) -> bool {
    out.reset();
    message.reset();
    return true;
  };
  CHECK(wasmrt::config_push_transform(config.get(), leave));
  Fixture fixture(std::move(config));
  CHECK_EQUAL(fixture.module(SMALL)->exports().size(), 2u);
}

TEST(engines) {
  Fixture fixture;
  wasm::Engine* engine = fixture.engine.get();
  CHECK(wasmrt::engine_backend_name(engine));
  size_t modules = 9;
  CHECK(wasmrt::engine_module_count(engine, &modules));
  CHECK_EQUAL(modules, 0u);
  auto module = fixture.module(SMALL);
  CHECK(wasmrt::engine_module_count(engine, &modules));
  CHECK_EQUAL(modules, 1u);
  uint64_t found = 9, missing = 9;
  CHECK(wasmrt::engine_cache_counts(engine, &found, &missing));
  CHECK_EQUAL(found + missing, 0u);
  auto same = wasmrt::store_engine(fixture.store);
  REQUIRE(same);
  CHECK(wasm::Store::make(same.get()));
  CHECK_ERROR(!wasmrt::engine_backend_name(nullptr), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(text_becomes_binary) {
  CHECK_EQUAL(wasmrt::wat2wasm("(module)").size(), 8u);
  CHECK_EQUAL(wasmrt::wat2wasm(std::string("(module)")).size(), 8u);
  CHECK_EQUAL(wasmrt::wat2wasm(wasmrt::Text("(module)xx", 8)).size(), 8u);
  CHECK_EQUAL(wasmrt::wat2wasm(wasm::Name::make("(module)")).size(), 8u);
#if __cplusplus >= 201703L
  CHECK_EQUAL(wasmrt::wat2wasm(std::string_view("(module)")).size(), 8u);
#endif
  CHECK_ERROR(!wasmrt::wat2wasm("(nodule)"), WASMRT_ERROR_COMPILE, "nodule");
  CHECK_ERROR(!wasmrt::wat2wasm(nullptr), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(modules_and_files) {
  Fixture fixture;
  std::string binary_path = scratch_path("module.wasm");
  std::string serialized_path = scratch_path("module.bin");
  auto binary = wasmrt::wat2wasm(SMALL);
  std::FILE* file = std::fopen(binary_path.c_str(), "wb");
  REQUIRE(file);
  CHECK_EQUAL(std::fwrite(binary.get(), 1, binary.size(), file), binary.size());
  REQUIRE(std::fclose(file) == 0);

  auto module = wasmrt::module_new_from_file(fixture.store, binary_path.c_str());
  REQUIRE(module);
  CHECK(wasmrt::module_serialize_to_file(module.get(), serialized_path.c_str()));
  auto again = wasmrt::module_deserialize_file(fixture.store, serialized_path.c_str());
  REQUIRE(again);
  CHECK_EQUAL(again->exports().size(), 2u);
  again.reset();
  std::remove(binary_path.c_str());
  std::remove(serialized_path.c_str());
  CHECK_ERROR(!wasmrt::module_new_from_file(fixture.store, binary_path.c_str()), WASMRT_ERROR_FILE,
              "module.wasm");
}

TEST(modules_are_precompiled) {
  Fixture fixture;
  auto compiled = wasmrt::module_precompile(fixture.engine.get(), wasmrt::wat2wasm(SMALL));
  CHECK(compiled);
  CHECK(wasm::Module::deserialize(fixture.store, compiled));
  CHECK(!wasmrt::module_precompile(fixture.engine.get(), vec<byte_t>::make()));
  uint64_t proposals = 0;
  auto multi = wasmrt::wat2wasm("(module (func (result i32 i32) i32.const 1 i32.const 2))");
  CHECK(wasmrt::module_required_proposals(fixture.engine.get(), multi, &proposals));
  CHECK_EQUAL(proposals, uint64_t{1} << WASMRT_PROPOSAL_MULTI_VALUE);
}

TEST(what_a_module_says_of_itself) {
  Fixture fixture;
  auto module = fixture.module(SMALL);
  CHECK_EQUAL(text_of(wasmrt::module_name(module.get())), "small");
  CHECK(wasmrt::module_set_name(module.get(), "other"));
  CHECK_EQUAL(text_of(wasmrt::module_name(module.get())), "other");
  CHECK(wasmrt::module_set_name(module.get(), nullptr));
  CHECK(!wasmrt::module_name(module.get()));

  wasmrt::Text contents, name;
  CHECK(wasmrt::module_custom_section(module.get(), "note", &contents));
  CHECK_EQUAL(std::string(contents.data, contents.size), "text");
  CHECK(!wasmrt::module_custom_section(module.get(), "none", &contents));
  bool seen = false;
  for (size_t i = 0; wasmrt::module_custom_section_at(module.get(), i, &name, &contents); ++i)
    seen = seen || std::string(name.data, name.size) == "note";
  CHECK(seen);
  CHECK_ERROR(!wasmrt::module_custom_section(module.get(), "note", nullptr), WASMRT_ERROR_MISUSE,
              "NULL");
  CHECK_EQUAL(wasmrt::module_part_count(module.get(), WASMRT_MODULE_FUNCTIONS), 2u);

  CHECK_EQUAL(wasmrt::module_import_count(module.get()), 1u);
  CHECK_EQUAL(text_of(wasmrt::module_import_at(module.get(), 0)->name()), "f");
  CHECK_EQUAL(wasmrt::module_export_count(module.get()), 2u);
  CHECK_EQUAL(text_of(wasmrt::module_export_at(module.get(), 1)->name()), "run");
  CHECK(!wasmrt::module_export_at(module.get(), 2));
  size_t position = 9;
  CHECK(wasmrt::module_export_index(module.get(), "run", &position));
  CHECK_EQUAL(position, 1u);
  wasmrt_wasi_version_t version = 9;
  CHECK(wasmrt::module_wasi(module.get(), &version));
  CHECK_EQUAL(version, wasmrt_wasi_version_t{WASMRT_WASI_NONE});
}
