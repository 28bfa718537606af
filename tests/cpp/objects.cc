// Engines, stores, modules, instances and what is in them.
#include "test.hh"

#include <thread>

static const char* const ADD =
    "(module (func (export \"add\") (param i32 i32) (result i32)"
    "  (i32.add (local.get 0) (local.get 1))))";

TEST(engines_and_stores) {
  CHECK(wasm::Engine::make());
  auto config = wasm::Config::make();
  auto engine = wasm::Engine::make(std::move(config));
  CHECK(!config);
  auto store = wasm::Store::make(engine.get());
  CHECK(store);
  engine.reset();
  CHECK(wasm::Foreign::make(store.get()));
  CHECK_ERROR(!wasm::Store::make(nullptr), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(modules) {
  Fixture fixture;
  auto binary = wasmrt::wat2wasm(
      "(module (import \"m\" \"f\" (func (param i64))) (memory (export \"memory\") 1))");
  CHECK(wasm::Module::validate(fixture.store, binary));
  auto module = wasm::Module::make(fixture.store, binary);
  REQUIRE(module);
  auto imports = module->imports();
  CHECK_EQUAL(imports.size(), 1u);
  CHECK_EQUAL(text_of(imports[0]->module()), "m");
  CHECK_EQUAL(imports[0]->type()->func()->params()[0]->kind(), ValKind::I64);
  auto exports = module->exports();
  CHECK_EQUAL(exports.size(), 1u);
  CHECK_EQUAL(text_of(exports[0]->name()), "memory");
  CHECK(module->copy()->same(module.get()));

  auto serialized = module->serialize();
  CHECK(serialized);
  CHECK_EQUAL(wasm::Module::deserialize(fixture.store, serialized)->exports().size(), 1u);
}

TEST(bad_modules) {
  Fixture fixture;
  auto bytes = vec<byte_t>::make("not a module");
  CHECK(!wasm::Module::validate(fixture.store, bytes));
  CHECK_ERROR(!wasm::Module::make(fixture.store, bytes), WASMRT_ERROR_COMPILE, "");
  CHECK_ERROR(!wasm::Module::deserialize(fixture.store, bytes), WASMRT_ERROR_ARTIFACT, "");
  CHECK_ERROR(!wasm::Module::make(nullptr, bytes), WASMRT_ERROR_MISUSE, "NULL");
  CHECK_ERROR(!wasm::Module::obtain(fixture.store, nullptr), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(modules_are_shared_with_other_threads) {
  Fixture fixture;
  own<wasm::Shared<wasm::Module>> shared = fixture.module(ADD)->share();
  REQUIRE(shared);
  int32_t sum = 0;
  wasm::Engine* engine = fixture.engine.get();
  std::thread([&] {
    auto store = wasm::Store::make(engine);
    auto module = wasm::Module::obtain(store.get(), shared.get());
    auto imports = vec<wasm::Extern*>::make();
    auto instance = wasm::Instance::make(store.get(), module.get(), imports);
    auto exports = instance->exports();
    auto args = vec<Val>::make(Val::i32(3), Val::i32(4));
    auto results = vec<Val>::make_uninitialized(1);
    if (!exports[0]->func()->call(args, results)) sum = results[0].i32();
  }).join();
  CHECK_EQUAL(sum, 7);
}

TEST(instances_and_their_exports) {
  Fixture fixture;
  auto instance = fixture.instance(
      "(module (func (export \"f\")) (global (export \"g\") i32 (i32.const 5))"
      "  (table (export \"t\") 2 funcref) (memory (export \"m\") 1))");
  CHECK(instance->copy()->same(instance.get()));
  auto exports = instance->exports();
  CHECK_EQUAL(exports.size(), 4u);
  for (size_t i = 0; i < exports.size(); ++i) {
    wasm::Extern* exported = exports[i].get();
    const wasm::Extern* constant = exported;
    CHECK_EQUAL(exported->kind(), static_cast<wasm::ExternKind>(i));
    CHECK_EQUAL(exported->type()->kind(), exported->kind());
    CHECK_EQUAL(exported->func() == nullptr, i != 0);
    CHECK_EQUAL(exported->global() == nullptr, i != 1);
    CHECK_EQUAL(exported->table() == nullptr, i != 2);
    CHECK_EQUAL(exported->memory() == nullptr, i != 3);
    CHECK_EQUAL(constant->func(), exported->func());
    CHECK_EQUAL(constant->global(), exported->global());
    CHECK_EQUAL(constant->table(), exported->table());
    CHECK_EQUAL(constant->memory(), exported->memory());
    CHECK(exported->copy()->same(exported));
  }
  auto copy = exports.deep_copy();
  CHECK(copy[3]->same(exports[3].get()));
}

TEST(instantiation_that_traps_says_why) {
  Fixture fixture;
  auto module = fixture.module("(module (func $s unreachable) (start $s))");
  auto imports = vec<wasm::Extern*>::make();
  own<wasm::Trap> trap;
  CHECK(!wasm::Instance::make(fixture.store, module.get(), imports, &trap));
  CHECK_TRAP(std::move(trap), "unreachable");
  CHECK(!wasm::Instance::make(fixture.store, module.get(), imports));
  trap = wasm::Trap::make(fixture.store, wasm::Message::make_nt("before"));
  CHECK(wasm::Instance::make(fixture.store, fixture.module(ADD).get(), imports, &trap));
  CHECK(!trap);
}

TEST(globals) {
  Fixture fixture;
  auto type = wasm::GlobalType::make(test::valtype('i'), wasm::Mutability::VAR);
  auto global = wasm::Global::make(fixture.store, type.get(), Val::i32(1));
  REQUIRE(global);
  CHECK_EQUAL(global->get().i32(), 1);
  global->set(Val::i32(2));
  CHECK_EQUAL(global->copy()->get().i32(), 2);
  CHECK_EQUAL(global->type()->mutability(), wasm::Mutability::VAR);
  CHECK_ERROR((global->set(Val::f32(2)), true), WASMRT_ERROR_MISUSE, "f32");
  CHECK_EQUAL(global->get().i32(), 2);
  CHECK(!wasm::Global::make(fixture.store, nullptr, Val::i32(1)));

  auto refs = wasm::GlobalType::make(test::valtype('r'), wasm::Mutability::VAR);
  auto object = wasm::Foreign::make(fixture.store);
  auto holder = wasm::Global::make(fixture.store, refs.get(), Val::ref(object->copy()));
  REQUIRE(holder);
  CHECK(holder->get().ref()->same(object.get()));
  holder->set(Val());
  CHECK(!holder->get().ref());
}

TEST(tables) {
  Fixture fixture;
  auto type = wasm::TableType::make(test::valtype('r'), wasm::Limits(2, 4));
  auto object = wasm::Foreign::make(fixture.store);
  auto table = wasm::Table::make(fixture.store, type.get(), object.get());
  REQUIRE(table);
  wasm::Table::size_t size = table->size();
  CHECK_EQUAL(size, 2u);
  CHECK(table->get(1)->same(object.get()));
  CHECK(table->set(1, nullptr));
  CHECK(!table->get(1));
  CHECK(!table->get(2));
  CHECK(!table->set(2, object.get()));
  CHECK(table->grow(1, object.get()));
  CHECK(table->get(2)->same(object.get()));
  CHECK(table->grow(1));
  CHECK(!table->get(3));
  CHECK(!table->grow(1));
  CHECK_EQUAL(table->copy()->size(), 4u);
  CHECK_EQUAL(table->type()->limits().max, 4u);
  CHECK(wasm::Table::make(fixture.store, type.get()));
}

TEST(memories) {
  Fixture fixture;
  auto type = wasm::MemoryType::make(wasm::Limits(1, 2));
  auto memory = wasm::Memory::make(fixture.store, type.get());
  REQUIRE(memory);
  memory->data()[0] = 'x';
  wasm::Memory::pages_t pages = memory->size();
  CHECK_EQUAL(pages, 1u);
  size_t page_size = wasm::Memory::page_size;
  CHECK_EQUAL(memory->data_size(), page_size);
  CHECK(memory->grow(1));
  CHECK(!memory->grow(1));
  const wasm::Memory* constant = memory.get();
  CHECK_EQUAL(constant->data()[0], 'x');
  CHECK_EQUAL(constant->copy()->size(), 2u);
  CHECK_EQUAL(constant->type()->limits().max, 2u);
}

TEST(references) {
  Fixture fixture;
  int finalized = 0;
  {
    auto object = wasm::Foreign::make(fixture.store);
    auto other = wasm::Foreign::make(fixture.store);
    CHECK(!object->get_host_info());
    object->set_host_info(&fixture);
    CHECK_EQUAL(object->get_host_info(), &fixture);
    object->set_host_info(&finalized, test::count);
    own<wasm::Ref> copy = static_cast<wasm::Ref*>(object.get())->copy();
    CHECK_EQUAL(copy->get_host_info(), &finalized);
    CHECK(copy->same(object.get()));
    CHECK(object->copy()->same(copy.get()));
    CHECK(!copy->same(other.get()));
    CHECK(!copy->same(nullptr));
    object.reset();
    CHECK_EQUAL(finalized, 0);
  }
  CHECK_EQUAL(finalized, 1);
  CHECK(!wasm::Foreign::make(nullptr));
}

TEST(traps_and_frames) {
  Fixture fixture;
  auto made = wasm::Trap::make(fixture.store, wasm::Message::make_nt("because"));
  CHECK_EQUAL(std::string(made->message().get()), "because");
  CHECK(made->copy()->same(made.get()));
  CHECK(!made->origin());
  CHECK_EQUAL(made->trace().size(), 0u);

  auto instance = fixture.instance(
      "(module (func $inner unreachable) (func (export \"outer\") (call $inner)))");
  auto exports = instance->exports();
  auto none = vec<Val>::make();
  auto trap = exports[0]->func()->call(none, none);
  REQUIRE(trap);
  auto origin = trap->origin();
  auto trace = trap->trace();
  if (fixture.on("wasmi")) {
    CHECK(!origin);
    CHECK_EQUAL(trace.size(), 0u);
  } else {
    REQUIRE(origin && trace.size() == 2);
    CHECK_EQUAL(origin->func_index(), 0u);
    CHECK(origin->instance()->same(instance.get()));
    CHECK_EQUAL(trace[1]->copy()->func_index(), 1u);
    CHECK(origin->module_offset() > origin->func_offset());
    CHECK_EQUAL(trace.deep_copy()[0]->module_offset(), origin->module_offset());
  }
}
