// Types: what they are made of, copies, and views of extern types.
#include "test.hh"

using wasm::ExternKind;
using wasm::Limits;
using wasm::Mutability;

TEST(value_types_have_their_kinds) {
  const ValKind kinds[] = {ValKind::I32, ValKind::I64,       ValKind::F32,
                           ValKind::F64, ValKind::EXTERNREF, ValKind::FUNCREF};
  for (ValKind kind : kinds) {
    auto type = wasm::ValType::make(kind);
    REQUIRE(type);
    CHECK_EQUAL(type->kind(), kind);
    CHECK_EQUAL(type->copy()->kind(), kind);
    CHECK_EQUAL(type->is_num(), kind < ValKind::EXTERNREF);
    CHECK_EQUAL(type->is_ref(), !type->is_num());
    CHECK_EQUAL(wasm::is_num(kind), type->is_num());
    CHECK_EQUAL(wasm::is_ref(kind), type->is_ref());
  }
  CHECK_EQUAL(ValKind::ANYREF, ValKind::EXTERNREF);
  CHECK_ERROR(!wasm::ValType::make(static_cast<ValKind>(77)), WASMRT_ERROR_MISUSE, "77");
}

TEST(function_types) {
  auto params = test::valtypes("iI");
  auto results = test::valtypes("f");
  auto type = wasm::FuncType::make(std::move(params), std::move(results));
  CHECK(!params);
  CHECK(!results);
  REQUIRE(type);
  CHECK_EQUAL(type->params().size(), 2u);
  CHECK_EQUAL(type->params()[1]->kind(), ValKind::I64);
  CHECK_EQUAL(type->results()[0]->kind(), ValKind::F32);
  CHECK_EQUAL(type->copy()->results().size(), 1u);
  CHECK_EQUAL(wasm::FuncType::make()->params().size(), 0u);
}

TEST(global_types) {
  auto content = test::valtype('F');
  auto type = wasm::GlobalType::make(std::move(content), Mutability::CONST);
  CHECK(!content);
  CHECK_EQUAL(type->content()->kind(), ValKind::F64);
  CHECK_EQUAL(type->mutability(), Mutability::CONST);
  CHECK_EQUAL(type->copy()->content()->kind(), ValKind::F64);
  CHECK_ERROR(!wasm::GlobalType::make(nullptr, Mutability::VAR), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(table_and_memory_types) {
  auto table = wasm::TableType::make(test::valtype('r'), Limits(1, 10));
  CHECK_EQUAL(table->element()->kind(), ValKind::EXTERNREF);
  CHECK_EQUAL(table->limits().min, 1u);
  CHECK_EQUAL(table->copy()->limits().max, 10u);
  auto memory = wasm::MemoryType::make(Limits(2));
  CHECK_EQUAL(memory->limits().min, 2u);
  CHECK_EQUAL(memory->copy()->limits().max, wasm_limits_max_default);
}

TEST(tag_types) {
  auto type = wasm::TagType::make(functype("iF", ""));
  CHECK_EQUAL(type->functype()->params().size(), 2u);
  CHECK_EQUAL(type->copy()->functype()->params()[1]->kind(), ValKind::F64);
  CHECK_EQUAL(type->kind(), ExternKind::TAG);
}

TEST(extern_types_are_views) {
  own<wasm::ExternType> types[] = {
      functype("", ""), wasm::GlobalType::make(test::valtype('i'), Mutability::VAR),
      wasm::TableType::make(test::valtype('p'), Limits(0)), wasm::MemoryType::make(Limits(0)),
      wasm::TagType::make(functype("", ""))};
  for (size_t i = 0; i < 5; ++i) {
    wasm::ExternType* type = types[i].get();
    const wasm::ExternType* constant = type;
    CHECK_EQUAL(type->kind(), static_cast<ExternKind>(i));
    CHECK_EQUAL(type->copy()->kind(), type->kind());
    CHECK_EQUAL(type->func() == nullptr, i != 0);
    CHECK_EQUAL(type->global() == nullptr, i != 1);
    CHECK_EQUAL(type->table() == nullptr, i != 2);
    CHECK_EQUAL(type->memory() == nullptr, i != 3);
    CHECK_EQUAL(type->tag() == nullptr, i != 4);
    CHECK_EQUAL(constant->func(), type->func());
    CHECK_EQUAL(constant->global(), type->global());
    CHECK_EQUAL(constant->table(), type->table());
    CHECK_EQUAL(constant->memory(), type->memory());
    CHECK_EQUAL(constant->tag(), type->tag());
  }
  CHECK_EQUAL(static_cast<wasm::ExternType*>(types[3]->memory()), types[3].get());
}

TEST(import_and_export_types) {
  auto module = wasm::Name::make(std::string("module"));
  auto name = wasm::Name::make(std::string("name"));
  own<wasm::ExternType> type = functype("i", "");
  auto imported = wasm::ImportType::make(std::move(module), std::move(name), std::move(type));
  CHECK(!module);
  CHECK(!name);
  CHECK(!type);
  auto copy = imported->copy();
  CHECK_EQUAL(text_of(copy->module()), "module");
  CHECK_EQUAL(text_of(copy->name()), "name");
  CHECK_EQUAL(copy->type()->func()->params().size(), 1u);

  auto exported = wasm::ExportType::make(wasm::Name::make("x"), wasm::MemoryType::make(Limits(9)));
  CHECK_EQUAL(text_of(exported->copy()->name()), "x");
  CHECK_EQUAL(exported->type()->memory()->limits().min, 9u);
}
