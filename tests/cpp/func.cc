// Functions: calls, callbacks with and without an environment, what they own.
#include "test.hh"

using wasm::Func;
using wasm::Trap;

static own<Trap> twice(const vec<Val>& args, vec<Val>& results) {
  results[0] = Val::i32(2 * args[0].i32());
  return nullptr;
}

static own<Trap> add_and_count(void* env, const vec<Val>& args, vec<Val>& results) {
  int* calls = static_cast<int*>(env);
  ++*calls;
  results[0] = Val::i32(args[0].i32() + *calls);
  return nullptr;
}

static own<Trap> refuse(void* env, const vec<Val>&, vec<Val>&) {
  return Trap::make(static_cast<wasm::Store*>(env), wasm::Message::make_nt("refused"));
}

TEST(a_callback_is_called_by_the_host_and_by_wasm) {
  Fixture fixture;
  auto type = functype("i", "i");
  auto func = Func::make(fixture.store, type.get(), twice);
  REQUIRE(func);
  CHECK_EQUAL(call_i32(func.get(), 21), 42);
  auto instance = fixture.instance(
      "(module (import \"\" \"\" (func $f (param i32) (result i32)))"
      "  (func (export \"g\") (param i32) (result i32) (call $f (local.get 0))))",
      func.get());
  auto exports = instance->exports();
  CHECK_EQUAL(call_i32(exports[0]->func(), 4), 8);
}

TEST(a_lambda_without_captures_is_a_callback) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("", "i").get(),
                         [](const vec<Val>& args, vec<Val>& results) -> own<Trap> {
                           results[0] = Val::i32(args.size() == 0 ? 7 : 0);
                           return nullptr;
                         });
  CHECK_EQUAL(call_i32(func.get()), 7);
}

TEST(an_environment_is_passed_and_finalized_once) {
  int calls = 0;
  {
    Fixture fixture;
    auto func =
        Func::make(fixture.store, functype("i", "i").get(), add_and_count, &calls, test::count);
    CHECK_EQUAL(call_i32(func.get(), 10), 11);
    CHECK_EQUAL(call_i32(func->copy().get(), 10), 12);
    CHECK_EQUAL(calls, 2);
  }
  CHECK_EQUAL(calls, 3); // by the finalizer
}

TEST(a_failure_finalizes_at_once) {
  Fixture fixture;
  int finalized = 0;
  CHECK_ERROR(!Func::make(fixture.store, nullptr, add_and_count, &finalized, test::count),
              WASMRT_ERROR_MISUSE, "NULL");
  CHECK_EQUAL(finalized, 1);
  Func::callback_with_env none_with_env = nullptr;
  CHECK_ERROR(
      !Func::make(fixture.store, functype("", "").get(), none_with_env, &finalized, test::count),
      WASMRT_ERROR_MISUSE, "callback");
  CHECK_EQUAL(finalized, 2);
  Func::callback none = nullptr;
  CHECK_ERROR(!Func::make(fixture.store, functype("", "").get(), none), WASMRT_ERROR_MISUSE,
              "callback");
}

TEST(a_trap_of_a_callback_comes_back) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("", "i").get(), refuse, fixture.store);
  auto args = vec<Val>::make();
  auto results = vec<Val>::make_uninitialized(1);
  CHECK_TRAP(func->call(args, results), "refused");
}

TEST(types_and_arities) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("i", "i").get(), twice);
  CHECK_EQUAL(func->param_arity(), 1u);
  CHECK_EQUAL(func->result_arity(), 1u);
  CHECK_EQUAL(func->type()->params()[0]->kind(), ValKind::I32);
}

TEST(wrong_calls_give_traps) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("i", "i").get(), twice);
  auto results = vec<Val>::make_uninitialized(1);
  CHECK_TRAP(func->call(vec<Val>::make(), results), "");
  CHECK_TRAP(func->call(vec<Val>::make(Val::f32(1)), results), "f32");
  CHECK_TRAP(func->call(vec<Val>::invalid(), results), "");
}

TEST(results_without_room_are_dropped) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("i", "i").get(), twice);
  auto none = vec<Val>::make();
  CHECK_NO_TRAP(func->call(vec<Val>::make(Val::i32(1)), none));
  auto invalid = vec<Val>::invalid();
  CHECK_NO_TRAP(func->call(vec<Val>::make(Val::i32(1)), invalid));
  CHECK(!invalid);
}

TEST(results_that_are_replaced_are_taken) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("", "i").get(),
                         [](const vec<Val>&, vec<Val>& results) -> own<Trap> {
                           results = vec<Val>::make(Val::i32(5), Val::i32(6));
                           return nullptr;
                         });
  CHECK_EQUAL(call_i32(func.get()), 5);
  auto reset = Func::make(fixture.store, functype("", "i").get(),
                          [](const vec<Val>&, vec<Val>& results) -> own<Trap> {
                            results.reset();
                            return nullptr;
                          });
  CHECK_EQUAL(call_i32(reset.get()), 0);
}

TEST(references_go_in_and_out) {
  Fixture fixture;
  auto instance = fixture.instance(
      "(module (table 1 funcref) (func (export \"same\") (param externref) (result externref)"
      "    (local.get 0))"
      "  (func (export \"call\") (param funcref) (result funcref)"
      "    (table.set (i32.const 0) (local.get 0))"
      "    (drop (call_indirect (param i32) (result i32) (i32.const 1) (i32.const 0)))"
      "    (local.get 0)))");
  auto exports = instance->exports();
  auto object = wasm::Foreign::make(fixture.store);
  auto results = vec<Val>::make_uninitialized(1);
  CHECK_NO_TRAP(exports[0]->func()->call(vec<Val>::make(Val::ref(object->copy())), results));
  CHECK(results[0].ref()->same(object.get()));

  int calls = 0;
  auto func = Func::make(fixture.store, functype("i", "i").get(), add_and_count, &calls);
  CHECK_NO_TRAP(exports[1]->func()->call(vec<Val>::make(Val::make(func->copy())), results));
  CHECK_EQUAL(calls, 1);
  CHECK_EQUAL(results[0].kind(), ValKind::FUNCREF);
  CHECK(results[0].release_ref()->same(func.get()));
}

TEST(arguments_may_be_the_results) {
  Fixture fixture;
  auto func = Func::make(fixture.store, functype("i", "i").get(), twice);
  auto values = vec<Val>::make(Val::i32(8));
  CHECK_NO_TRAP(func->call(values, values));
  CHECK_EQUAL(values[0].i32(), 16);
}
