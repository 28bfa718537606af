// wasmrt.hh: linkers, and WASI.
#include "test.hh"

#include <unistd.h>

using wasm::Trap;

static own<Trap> seven(void*, const vec<Val>&, vec<Val>& results) {
  results[0] = Val::i32(7);
  return nullptr;
}

static own<Trap> memory_size(void*, const wasmrt::Caller* caller, const vec<Val>&,
                             vec<Val>& results) {
  size_t size = 0;
  results[0] = Val::i32(caller->memory(&size) ? static_cast<int32_t>(size) : -1);
  return nullptr;
}

static const char* const IMPORTS =
    "(module (import \"host\" \"f\" (func $f (result i32))) (memory (export \"memory\") 1)"
    "  (func (export \"run\") (result i32) (call $f)))";

static int32_t run(const wasm::Instance* instance) {
  REQUIRE(instance);
  return call_i32(wasmrt::instance_export(instance, "run")->func());
}

TEST(definitions_are_found_by_name) {
  Fixture fixture;
  auto linker = wasmrt::Linker::make(fixture.store);
  REQUIRE(linker);
  auto type = functype("", "i");
  auto func = wasm::Func::make(fixture.store, type.get(), seven, nullptr);
  CHECK(linker->define("host", "g", func.get()));
  CHECK_ERROR(!linker->define("host", "g", func.get()), WASMRT_ERROR_MISUSE, "g");
  CHECK(linker->set_shadowing(true));
  CHECK(linker->define("host", "g", func.get()));
  CHECK(linker->alias("host", "g", "host", "f"));
  CHECK(linker->get("host", "f")->same(func.get()));
  CHECK(!linker->get("host", "none"));
  auto module = fixture.module(IMPORTS);
  auto instance = linker->instantiate(module.get());
  CHECK_EQUAL(run(instance.get()), 7);
  auto pre = linker->prepare(module.get());
  REQUIRE(pre);
  linker.reset();
  own<Trap> trap;
  CHECK_EQUAL(run(pre->instantiate(&trap).get()), 7);
  CHECK(!trap);
}

TEST(functions_are_defined_at_once) {
  Fixture fixture;
  auto type = functype("", "i");
  auto module = fixture.module(IMPORTS);
  int finalized = 0;
  auto linker = wasmrt::Linker::make(fixture.store);
  CHECK(linker->define_func("host", "f", type.get(), seven));
  CHECK(!linker->define_func("host", "f", type.get(), seven, &finalized, test::count));
  CHECK_EQUAL(finalized, 1);
  CHECK_EQUAL(run(linker->instantiate(module.get()).get()), 7);
  CHECK(linker->set_shadowing(true));
  CHECK(linker->define_func_with_caller("host", "f", type.get(), memory_size));
  CHECK_EQUAL(run(linker->instantiate(module.get()).get()), 65536);
}

TEST(instances_and_other_linkers_define) {
  Fixture fixture;
  auto provider = fixture.instance("(module (func (export \"f\") (result i32) (i32.const 9)))");
  auto base = wasmrt::Linker::make(fixture.store);
  CHECK(base->define_instance(std::string("host"), provider.get()));
  auto linker = wasmrt::Linker::make(fixture.store);
  CHECK(linker->set_next(base.get()));
  CHECK_ERROR(!base->set_next(linker.get()), WASMRT_ERROR_MISUSE, "");
  CHECK_EQUAL(run(linker->instantiate(fixture.module(IMPORTS).get()).get()), 9);
}

TEST(what_is_not_defined) {
  Fixture fixture;
  auto module = fixture.module(IMPORTS);
  auto linker = wasmrt::Linker::make(fixture.store);
  own<Trap> trap;
  CHECK_ERROR(!linker->instantiate(module.get(), &trap), WASMRT_ERROR_LINK, "host");
  CHECK_TRAP(std::move(trap), "host");
  CHECK(!linker->prepare(module.get()));
  CHECK(linker->set_unknown(WASMRT_UNKNOWN_IMPORTS_DEFAULT));
  CHECK_EQUAL(run(linker->instantiate(module.get()).get()), 0);
}

// Writes its first argument's bytes to standard output, reads 4 bytes of standard input to standard
// error, and exits with the number of its arguments.
static const char* const GUEST =
    "(module"
    "  (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $sizes (param i32 i32) (result "
    "i32)))"
    "  (import \"wasi_snapshot_preview1\" \"fd_write\""
    "    (func $write (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"fd_read\""
    "    (func $read (param i32 i32 i32 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"random_get\" (func $random (param i32 i32) (result "
    "i32)))"
    "  (import \"wasi_snapshot_preview1\" \"clock_time_get\""
    "    (func $clock (param i32 i64 i32) (result i32)))"
    "  (import \"wasi_snapshot_preview1\" \"proc_exit\" (func $exit (param i32)))"
    "  (memory (export \"memory\") 1)"
    "  (data (i32.const 0) \"\\10\\00\\00\\00\\06\\00\\00\\00\")"
    "  (data (i32.const 8) \"\\20\\00\\00\\00\\04\\00\\00\\00\")"
    "  (data (i32.const 16) \"hello\\n\")"
    "  (func (export \"_start\")"
    "    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 40)))"
    "    (drop (call $read (i32.const 0) (i32.const 8) (i32.const 1) (i32.const 40)))"
    "    (i32.store (i32.const 12) (i32.load (i32.const 40)))"
    "    (drop (call $write (i32.const 2) (i32.const 8) (i32.const 1) (i32.const 40)))"
    "    (drop (call $random (i32.const 48) (i32.const 4)))"
    "    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 56)))"
    "    (drop (call $sizes (i32.const 64) (i32.const 68)))"
    "    (call $exit (i32.load (i32.const 64)))))";

struct Streams {
  std::string out, err;
  int finalized;
};

static std::string captured(wasmrt::Wasi* wasi, wasmrt_wasi_stream_t stream) {
  char bytes[64];
  size_t size = 0;
  CHECK(wasi->read(stream, bytes, sizeof bytes, &size));
  return std::string(bytes, size);
}

TEST(a_guest_gets_what_it_is_given) {
  Fixture fixture;
  auto module = fixture.module(GUEST);
  wasmrt_wasi_version_t version = 0;
  CHECK(wasmrt::module_wasi(module.get(), &version));
  CHECK_EQUAL(version, wasmrt_wasi_version_t{WASMRT_WASI_PREVIEW1});

  auto config = wasmrt::WasiConfig::make();
  REQUIRE(config);
  CHECK(config->arg("guest"));
  CHECK(config->arg("one"));
  CHECK(config->env("NAME", "value"));
  CHECK(config->stdin_bytes("in!", 3));
  CHECK(config->capture(WASMRT_WASI_STDOUT, 100));
  CHECK(config->capture(WASMRT_WASI_STDERR, 100));
  CHECK(config->preopen("/", "/host", WASMRT_WASI_READ_ONLY));
  CHECK(config->virtual_root(true));
  CHECK(config->random_seed(1));
  CHECK(config->limit(WASMRT_WASI_LIMIT_DESCRIPTORS, 10));
  auto wasi = wasmrt::Wasi::make(fixture.store, config.get());
  REQUIRE(wasi);

  auto imports = wasi->imports(module.get());
  REQUIRE(imports && imports.size() == 6);
  auto instance = wasm::Instance::make(fixture.store, module.get(), wasmrt::borrow(imports));
  REQUIRE(instance);
  int32_t status = -1;
  CHECK(!wasi->exit_status(&status));
  CHECK_NO_TRAP(wasi->start(instance.get(), &status));
  CHECK_EQUAL(status, 2);
  CHECK(wasi->exit_status(&status));
  CHECK_EQUAL(captured(wasi.get(), WASMRT_WASI_STDOUT), "hello\n");
  CHECK_EQUAL(captured(wasi.get(), WASMRT_WASI_STDERR), "in!");
}

TEST(callbacks_of_wasi) {
  Fixture fixture;
  auto module = fixture.module(GUEST);
  Streams streams = {"", "", 0};
  auto count = [](void* env) { ++static_cast<Streams*>(env)->finalized; };
  {
    auto config = wasmrt::WasiConfig::make();
    CHECK(config->reader(
        [](void*, void* to, size_t size) -> ptrdiff_t {
          std::memset(to, 'r', size);
          return static_cast<ptrdiff_t>(size);
        },
        &streams, count));
    CHECK(config->writer(
        WASMRT_WASI_STDERR,
        [](void* env, const void* from, size_t size) -> ptrdiff_t {
          static_cast<Streams*>(env)->err.append(static_cast<const char*>(from), size);
          return static_cast<ptrdiff_t>(size);
        },
        &streams, count));
    CHECK(config->clock(
        WASMRT_WASI_CLOCK_REALTIME, [](void*) -> uint64_t { return 77; }, &streams, count));
    CHECK(config->random(
        [](void*, void* to, size_t size) -> bool {
          std::memset(to, 'x', size);
          return true;
        },
        &streams, count));
    auto linker = wasmrt::Linker::make(fixture.store);
    auto wasi = wasmrt::Wasi::make(fixture.store, config.get());
    CHECK(linker->define_wasi(wasi.get()));
    auto instance = linker->instantiate(module.get());
    REQUIRE(instance);
    CHECK_NO_TRAP(wasi->start(instance.get()));
    CHECK_EQUAL(streams.err, "rrrr");
    auto memory = wasmrt::instance_export(instance.get(), "memory");
    const byte_t* data = memory->memory()->data();
    CHECK(std::memcmp(data + 48, "xxxx", 4) == 0);
    CHECK_EQUAL(static_cast<int>(data[56]), 77);
    CHECK_EQUAL(streams.finalized, 0);
  }
  module.reset();
  fixture.owned.reset();
  CHECK_EQUAL(streams.finalized, 4);
}

TEST(streams_and_directories_of_the_system) {
  Fixture fixture;
  auto config = wasmrt::WasiConfig::make();
  CHECK(config->inherit_env());
  CHECK(config->inherit(WASMRT_WASI_STDERR));
  CHECK(config->fd(WASMRT_WASI_STDOUT, STDERR_FILENO));
  CHECK(config->file(WASMRT_WASI_STDIN, "/dev/null"));
  CHECK(!config->file(WASMRT_WASI_STDIN, "/nonexistent"));
  CHECK_CONTAINS(wasmrt::last_error_message(), "/nonexistent");
  CHECK(!config->preopen_fd(-1, "x", WASMRT_WASI_READ_WRITE));
  CHECK_CONTAINS(wasmrt::last_error_message(), "-1");
  auto wasi = wasmrt::Wasi::make(fixture.store, config.get());
  REQUIRE(wasi);
  auto func = wasi->func("wasi_snapshot_preview1", "random_get");
  REQUIRE(func);
  CHECK_ERROR(!wasi->func("wasi_snapshot_preview1", "none"), WASMRT_ERROR_LINK, "none");
  auto memory = wasm::Memory::make(fixture.store, wasm::MemoryType::make(wasm::Limits(1)).get());
  CHECK(wasi->bind_memory(memory.get()));
  CHECK_EQUAL(call_i32(func.get(), 0, 4), 0);
  char bytes[4];
  size_t size = 0;
  CHECK(!wasi->read(WASMRT_WASI_STDOUT, bytes, sizeof bytes, &size));
  CHECK(!wasmrt::Wasi::make(fixture.store, nullptr));
}
