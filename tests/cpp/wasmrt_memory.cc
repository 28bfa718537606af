// wasmrt.hh: memories and tables of every kind, and memories that threads share.
#include "test.hh"

using wasm::Memory;
using wasm::Table;

static bool supports(const Fixture& fixture, wasmrt_proposal_t proposal) {
  return wasmrt::backend_supports_proposal(wasmrt::engine_backend_name(fixture.engine.get()),
                                           proposal);
}

TEST(memory_types_of_every_kind) {
  const uint64_t many = uint64_t{1} << 33;
  auto type = wasmrt::memorytype_new(many, WASMRT_UNLIMITED, true);
  REQUIRE(type);
  CHECK_EQUAL(wasmrt::memorytype_minimum(type.get()), many);
  CHECK_EQUAL(wasmrt::memorytype_maximum(type.get()), uint64_t{WASMRT_UNLIMITED});
  CHECK(wasmrt::memorytype_is_64(type.get()));
  CHECK(!wasmrt::memorytype_is_shared(type.get()));
  CHECK_EQUAL(wasmrt::memorytype_page_size(type.get()), 65536u);
  type = wasmrt::memorytype_new(3, 5, false, true, 1);
  REQUIRE(type);
  CHECK_EQUAL(wasmrt::memorytype_maximum(type.get()), 5u);
  CHECK(wasmrt::memorytype_is_shared(type.get()));
  CHECK_EQUAL(wasmrt::memorytype_page_size(type.get()), 1u);
  // One of wasm.hh.
  type = wasm::MemoryType::make(wasm::Limits(2, 4));
  CHECK_EQUAL(wasmrt::memorytype_minimum(type.get()), 2u);
  CHECK(!wasmrt::memorytype_is_64(type.get()));
  CHECK_ERROR(!wasmrt::memorytype_new(2, 1), WASMRT_ERROR_MISUSE, "maximum");
}

TEST(memories_with_64_bit_addresses) {
  Fixture fixture;
  auto memory = Memory::make(fixture.store, wasmrt::memorytype_new(1, 3, true).get());
  REQUIRE(memory);
  uint64_t size = 0, former = 0;
  CHECK(wasmrt::memory_grow(memory.get(), 2, &former));
  CHECK_EQUAL(former, 1u);
  CHECK(wasmrt::memory_size(memory.get(), &size));
  CHECK_EQUAL(size, 3u);
  CHECK_ERROR(!wasmrt::memory_grow(memory.get(), uint64_t{1} << 40), WASMRT_ERROR_LIMIT, "");
  memory->data()[65536] = 42;
  auto instance = fixture.instance(
      "(module (import \"\" \"\" (memory i64 3 3))"
      "  (func (export \"\") (result i32) (i32.load8_u (i64.const 65536))))",
      memory.get());
  CHECK_EQUAL(call_i32(wasmrt::instance_export_at(instance.get(), 0)->func()), 42);
}

TEST(shared_memories) {
  Fixture fixture;
  auto type = wasmrt::memorytype_new(1, 2, false, true);
  if (!supports(fixture, WASMRT_PROPOSAL_THREADS)) {
    CHECK_ERROR(!Memory::make(fixture.store, type.get()), WASMRT_ERROR_UNSUPPORTED, "threads");
    return;
  }
  auto memory = Memory::make(fixture.store, type.get());
  REQUIRE(memory);
  auto shared = wasmrt::memory_share(memory.get());
  REQUIRE(shared);
  memory->data()[8] = 42;
  // Another store of the engine has the same bytes.
  auto other = wasm::Store::make(fixture.engine.get());
  auto obtained = wasmrt::memory_obtain(other.get(), shared.get());
  REQUIRE(obtained);
  shared.reset();
  CHECK_EQUAL(obtained->data()[8], 42);
  CHECK_EQUAL(obtained->data(), memory->data());
  uint32_t woken = 77;
  CHECK(wasmrt::memory_notify(obtained.get(), 8, 1, &woken));
  CHECK_EQUAL(woken, 0u);
  CHECK_ERROR(!wasmrt::memory_notify(obtained.get(), 7, 1), WASMRT_ERROR_MISUSE, "4");
  // A memory that is not shared.
  memory = Memory::make(fixture.store, wasmrt::memorytype_new(1).get());
  CHECK_ERROR(!wasmrt::memory_share(memory.get()), WASMRT_ERROR_MISUSE, "shared");
}

TEST(tables_with_64_bit_indices) {
  Fixture fixture;
  auto type =
      wasmrt::tabletype_new(wasm::ValType::make(ValKind::EXTERNREF), 1, uint64_t{1} << 40, true);
  REQUIRE(type);
  CHECK_EQUAL(wasmrt::tabletype_minimum(type.get()), 1u);
  CHECK_EQUAL(wasmrt::tabletype_maximum(type.get()), uint64_t{1} << 40);
  CHECK(wasmrt::tabletype_is_64(type.get()));
  auto table = Table::make(fixture.store, type.get());
  REQUIRE(table);
  auto first = wasm::Foreign::make(fixture.store), second = wasm::Foreign::make(fixture.store);
  uint64_t size = 0, former = 0;
  CHECK(wasmrt::table_grow(table.get(), 2, first.get(), &former));
  CHECK_EQUAL(former, 1u);
  CHECK(wasmrt::table_size(table.get(), &size));
  CHECK_EQUAL(size, 3u);
  CHECK(wasmrt::table_set(table.get(), 1, second.get()));
  CHECK(!wasmrt::table_get(table.get(), 0));
  CHECK(wasmrt::table_get(table.get(), 1)->same(second.get()));
  CHECK(wasmrt::table_get(table.get(), 2)->same(first.get()));
  CHECK_ERROR(!wasmrt::table_set(table.get(), (uint64_t{1} << 32) + 1, nullptr),
              WASMRT_ERROR_MISUSE, "4294967297");
  CHECK_ERROR(!wasmrt::tabletype_new(wasm::ValType::make(ValKind::I32), 0), WASMRT_ERROR_MISUSE,
              "i32");
}
