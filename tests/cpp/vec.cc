// wasm::vec and wasm::own: the C vector and the C handle, and who owns what.
#include "test.hh"

static_assert(!std::is_copy_constructible<vec<Val>>::value, "a vector is moved, not copied");
static_assert(!std::is_constructible<wasm::Store>::value, "a handle cannot be made");
static_assert(std::is_same<vec<Val>::elem_type, Val>::value, "elem_type");

TEST(an_empty_vector_is_valid) {
  auto bytes = vec<byte_t>::make();
  CHECK(bytes);
  CHECK_EQUAL(bytes.size(), 0u);
  CHECK(!bytes.get());
  CHECK(vec<byte_t>::make_uninitialized());
  auto copy = bytes.copy();
  CHECK(copy);
  CHECK_EQUAL(copy.size(), 0u);
}

TEST(strings_become_bytes_with_and_without_a_zero) {
  std::string text("a\0b", 3);
  auto bytes = vec<byte_t>::make(text);
  CHECK_EQUAL(bytes.size(), 3u);
  CHECK(std::memcmp(bytes.get(), "a\0b", 3) == 0);
  auto message = vec<byte_t>::make_nt(std::string("ab"));
  CHECK_EQUAL(message.size(), 3u);
  CHECK(std::memcmp(message.get(), "ab", 3) == 0);
  auto literal = vec<byte_t>::make("abc");
  CHECK_EQUAL(text_of(literal), "abc");
  CHECK_EQUAL(vec<byte_t>::make(std::string()).size(), 0u);
}

TEST(arrays_and_arguments_become_elements) {
  byte_t array[] = {'x', 'y'};
  auto bytes = vec<byte_t>::make(2, array);
  CHECK_EQUAL(text_of(bytes), "xy");
  auto arguments = vec<byte_t>::make('1', '2', '3');
  CHECK_EQUAL(text_of(arguments), "123");
  const auto& constant = arguments;
  CHECK_EQUAL(constant[2], '3');
  CHECK_EQUAL(*constant.get(), '1');
  arguments[0] = '0';
  auto copy = arguments.copy();
  arguments[1] = 'x';
  CHECK_EQUAL(text_of(copy), "023");
}

TEST(what_was_moved_from_is_invalid) {
  auto one = vec<byte_t>::make('1');
  const byte_t* data = one.get();
  vec<byte_t> other(std::move(one));
  CHECK(!one);
  CHECK_EQUAL(one.size(), 0u);
  CHECK(!one.get());
  CHECK(!one.copy());
  CHECK(!one.deep_copy());
  CHECK_EQUAL(other.get(), data);

  auto third = vec<byte_t>::make('3');
  third = std::move(other);
  CHECK(!other);
  CHECK_EQUAL(third.get(), data);
  vec<byte_t>& same = third;
  third = std::move(same);
  CHECK_EQUAL(third.get(), data);

  auto fourth = vec<byte_t>::invalid();
  CHECK(!fourth);
  fourth.reset(third);
  CHECK(!third);
  CHECK_EQUAL(fourth.get(), data);
  fourth.reset();
  CHECK(!fourth);
}

TEST(an_array_can_be_released_and_adopted) {
  auto one = vec<byte_t>::make('1', '2');
  byte_t* data = one.release();
  CHECK(!one);
  auto other = vec<byte_t>::adopt(2, data);
  CHECK_EQUAL(text_of(other), "12");
  // C's vectors have arrays of malloc.
  auto allocated = static_cast<byte_t*>(std::malloc(1));
  REQUIRE(allocated);
  *allocated = 'm';
  CHECK_EQUAL(text_of(vec<byte_t>::adopt(1, allocated)), "m");
}

TEST(a_vector_is_the_c_vector) {
  auto types = test::valtypes("iF");
  const wasm_valtype_vec_t* c = wasm::to_c(&types);
  wasm_valtype_vec_t read;
  std::memcpy(&read, c, sizeof read);
  CHECK_EQUAL(read.size, 2u);
  CHECK_EQUAL(static_cast<const void*>(read.data), static_cast<const void*>(types.get()));
  CHECK_EQUAL(wasm_valtype_kind(read.data[1]), WASM_F64);
  CHECK_EQUAL(wasm::from_c(c), &types);
}

TEST(an_invalid_vector_is_an_empty_one_to_c) {
  Fixture fixture;
  auto bytes = vec<byte_t>::invalid();
  CHECK_ERROR(!wasm::Module::make(fixture.store, bytes), WASMRT_ERROR_COMPILE, "");
  auto params = ownvec<wasm::ValType>::invalid();
  auto type = wasm::FuncType::make(std::move(params));
  REQUIRE(type);
  CHECK_EQUAL(type->params().size(), 0u);
  CHECK(type->params());
}

TEST(owned_elements_are_copied_with_what_they_own) {
  auto names = ownvec<wasm::ExportType>::make(
      wasm::ExportType::make(vec<byte_t>::make("one"), wasm::MemoryType::make(wasm::Limits(1))),
      own<wasm::ExportType>());
  auto copy = names.deep_copy();
  CHECK_EQUAL(copy.size(), 2u);
  CHECK(copy[0].get() != names[0].get());
  names.reset();
  CHECK_EQUAL(text_of(copy[0]->name()), "one");
  CHECK(!copy[1]);
}

TEST(every_vector_of_c_is_made_copied_and_freed) {
  auto valtypes = test::valtypes("i");
  CHECK_EQUAL(valtypes.deep_copy()[0]->kind(), ValKind::I32);
  auto functypes = ownvec<wasm::FuncType>::make(functype("i", ""));
  CHECK_EQUAL(functypes.deep_copy()[0]->params().size(), 1u);
  auto globaltypes = ownvec<wasm::GlobalType>::make(
      wasm::GlobalType::make(test::valtype('i'), wasm::Mutability::VAR));
  CHECK_EQUAL(globaltypes.deep_copy()[0]->mutability(), wasm::Mutability::VAR);
  auto tabletypes =
      ownvec<wasm::TableType>::make(wasm::TableType::make(test::valtype('p'), wasm::Limits(1, 2)));
  CHECK_EQUAL(tabletypes.deep_copy()[0]->limits().max, 2u);
  auto memorytypes = ownvec<wasm::MemoryType>::make(wasm::MemoryType::make(wasm::Limits(3)));
  CHECK_EQUAL(memorytypes.deep_copy()[0]->limits().min, 3u);
  auto tagtypes = ownvec<wasm::TagType>::make(wasm::TagType::make(functype("I", "")));
  CHECK_EQUAL(tagtypes.deep_copy()[0]->functype()->params().size(), 1u);
  auto externtypes = ownvec<wasm::ExternType>::make(own<wasm::ExternType>(functype("", "")));
  CHECK_EQUAL(externtypes.deep_copy()[0]->kind(), wasm::ExternKind::FUNC);
  auto importtypes = ownvec<wasm::ImportType>::make(
      wasm::ImportType::make(vec<byte_t>::make("m"), vec<byte_t>::make("n"), functype("", "")));
  CHECK_EQUAL(text_of(importtypes.deep_copy()[0]->module()), "m");
  auto frames = ownvec<wasm::Frame>::make_uninitialized(2);
  CHECK_EQUAL(frames.deep_copy().size(), 2u);
  CHECK(!frames[1]);
  auto values = vec<Val>::make(Val::i32(7), Val::f64(0.5));
  CHECK_EQUAL(values.deep_copy()[1].f64(), 0.5);
  auto bytes = vec<byte_t>::make("b");
  CHECK_EQUAL(text_of(bytes.deep_copy()), "b");
}

TEST(elements_without_a_vector_in_c_have_one_here) {
  Fixture fixture;
  auto objects = ownvec<wasm::Foreign>::make(wasm::Foreign::make(fixture.store), nullptr);
  auto copy = objects.deep_copy();
  CHECK_EQUAL(copy.size(), 2u);
  CHECK(copy[0]->same(objects[0].get()));
  CHECK(!copy[1]);
  wasm::Foreign** borrowed = nullptr;
  {
    auto pointers = vec<wasm::Foreign*>::make(objects[0].get(), objects[0].get());
    CHECK_EQUAL(pointers.copy()[1], objects[0].get());
    borrowed = pointers.release();
  }
  auto adopted = vec<wasm::Foreign*>::adopt(2, borrowed);
  CHECK_EQUAL(adopted[0], objects[0].get());
}

TEST(imports_are_borrowed) {
  Fixture fixture;
  auto memory = wasm::Memory::make(fixture.store, wasm::MemoryType::make(wasm::Limits(1)).get());
  int finalized = 0;
  memory->set_host_info(&finalized, test::count);
  {
    auto imports = vec<wasm::Extern*>::make(memory.get(), memory.get());
    CHECK_EQUAL(imports[1], memory.get());
    auto copy = imports.copy();
    CHECK_EQUAL(copy[0], memory.get());
  }
  CHECK_EQUAL(memory->size(), 1u);
  CHECK_EQUAL(memory->get_host_info(), &finalized);
  auto externs = ownvec<wasm::Extern>::make(memory->copy());
  const vec<wasm::Extern*>& same = wasmrt::borrow(externs);
  CHECK_EQUAL(same.size(), 1u);
  CHECK(same[0]->same(memory.get()));
}

TEST(too_much_memory_gives_an_invalid_vector) {
  size_t size = SIZE_MAX / 4 / sizeof(Val);
  CHECK_ERROR(!vec<Val>::make_uninitialized(size), WASMRT_ERROR_LIMIT, "memory");
  CHECK(!vec<byte_t>::make_uninitialized(SIZE_MAX));
}

TEST(an_own_is_a_pointer) {
  Fixture fixture;
  auto one = wasm::Foreign::make(fixture.store);
  wasm::Foreign* pointer = one.get();
  auto other = std::move(one);
  CHECK(!one);
  CHECK_EQUAL(other.get(), pointer);
  own<wasm::Ref> ref = std::move(other);
  CHECK(!other);
  CHECK_EQUAL(ref.get(), static_cast<wasm::Ref*>(pointer));
  wasm_ref_t* c = wasm::to_c(ref.release());
  auto again = wasm::make_own(wasm::from_c(c));
  CHECK_EQUAL(again.get(), static_cast<wasm::Ref*>(pointer));
}
