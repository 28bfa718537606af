// Values: kinds, templates, ownership of references.
#include "test.hh"

TEST(numbers) {
  CHECK_EQUAL(Val::i32(-1).i32(), -1);
  CHECK_EQUAL(Val::i64(INT64_MIN).i64(), INT64_MIN);
  CHECK_EQUAL(Val::f32(0.5f).f32(), 0.5f);
  CHECK_EQUAL(Val::f64(0.25).f64(), 0.25);
  CHECK_EQUAL(Val(int32_t{3}).kind(), ValKind::I32);
  CHECK_EQUAL(Val(int64_t{3}).kind(), ValKind::I64);
  CHECK_EQUAL(Val(3.0f).kind(), ValKind::F32);
  CHECK_EQUAL(Val(3.0).kind(), ValKind::F64);
  CHECK(Val::i32(0).is_num());
  CHECK(!Val::i32(0).is_ref());
}

TEST(numbers_by_type) {
  CHECK_EQUAL(Val::make(int32_t{-2}).get<int32_t>(), -2);
  CHECK_EQUAL(Val::make(int64_t{-2}).get<int64_t>(), -2);
  CHECK_EQUAL(Val::make(1.5f).get<float32_t>(), 1.5f);
  CHECK_EQUAL(Val::make(1.5).get<float64_t>(), 1.5);
  CHECK_EQUAL(Val::make(UINT32_MAX).get<uint32_t>(), UINT32_MAX);
  CHECK_EQUAL(Val::make(UINT64_MAX).get<uint64_t>(), UINT64_MAX);
  CHECK_EQUAL(Val::make(UINT32_MAX).i32(), -1);
}

TEST(null_is_the_default) {
  Val value;
  CHECK_EQUAL(value.kind(), ValKind::EXTERNREF);
  CHECK(value.is_ref());
  CHECK(!value.ref());
  CHECK(!value.get<wasm::Ref*>());
  CHECK(!value.release_ref());
  CHECK(!value.copy().ref());
  CHECK(!Val::ref(nullptr).ref());
}

TEST(a_value_owns_its_reference) {
  Fixture fixture;
  int finalized = 0;
  auto object = wasm::Foreign::make(fixture.store);
  object->set_host_info(&finalized, test::count);
  wasm::Ref* handle = object.get();

  Val value = Val::make(std::move(object));
  CHECK_EQUAL(value.ref(), handle);
  Val moved(std::move(value));
  CHECK(!value.ref());
  Val copy = moved.copy();
  CHECK(copy.ref()->same(handle));
  value = std::move(moved);
  CHECK(!moved.ref());
  moved.reset(value);
  CHECK(!value.ref());
  Val& same = moved;
  moved = std::move(same);
  CHECK_EQUAL(moved.ref(), handle);
  own<wasm::Ref> released = moved.release_ref();
  CHECK_EQUAL(released.get(), handle);
  CHECK(!moved.ref());
  copy = Val::i32(1);
  CHECK_EQUAL(finalized, 0);
  value = Val::ref(std::move(released));
  value.reset();
  CHECK(!value.ref());
  CHECK_EQUAL(finalized, 1);
}

TEST(a_value_is_the_c_value) {
  Val value = Val::i64(42);
  wasm_val_t read;
  std::memcpy(&read, wasm::to_c(&value), sizeof read);
  CHECK_EQUAL(read.kind, WASM_I64);
  CHECK_EQUAL(read.of.i64, 42);
}

TEST(elements_are_assigned) {
  Fixture fixture;
  auto values = vec<Val>::make_uninitialized(2);
  values[0] = Val::f32(1);
  values[1] = Val::make(wasm::Foreign::make(fixture.store));
  auto copy = values.deep_copy();
  CHECK(copy[1].ref()->same(values[1].ref()));
  values[1] = Val::i32(2);
  CHECK_EQUAL(values[1].i32(), 2);
}
