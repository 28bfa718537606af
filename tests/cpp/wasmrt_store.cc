// wasmrt.hh: what a store has, what stops its guests, why they stopped, and functions.
#include "test.hh"

#include <thread>

using wasm::Trap;

static const char* const LOOP =
    "(module (memory (export \"memory\") 1)"
    "  (func (export \"loop\") (loop $again (br $again)))"
    "  (func (export \"grow\") (result i32) (memory.grow (i32.const 1))))";

static own<Trap> run(const wasm::Func* func) {
  auto none = vec<Val>::make();
  return func->call(none, none);
}

TEST(a_store_has_data) {
  int finalized = 0;
  {
    Fixture fixture;
    CHECK(!wasmrt::store_data(fixture.store));
    CHECK(wasmrt::store_set_data(fixture.store, &finalized, test::count));
    CHECK_EQUAL(wasmrt::store_data(fixture.store), &finalized);
    CHECK(wasmrt::store_gc(fixture.store));
  }
  CHECK_EQUAL(finalized, 1);
  CHECK_ERROR(!wasmrt::store_gc(nullptr), WASMRT_ERROR_MISUSE, "NULL");
}

TEST(exports_one_by_one) {
  Fixture fixture;
  auto instance = fixture.instance(LOOP);
  CHECK_EQUAL(wasmrt::instance_export_count(instance.get()), 3u);
  CHECK(wasmrt::instance_export(instance.get(), std::string("loop"))->func());
  CHECK(!wasmrt::instance_export(instance.get(), "none"));
  CHECK(wasmrt::instance_export_at(instance.get(), 0)->memory());
  CHECK(!wasmrt::instance_export_at(instance.get(), 3));
}

TEST(fuel_runs_out) {
  auto config = wasm::Config::make();
  CHECK(wasmrt::config_set_fuel(config.get(), true));
  Fixture fixture(std::move(config));
  CHECK(wasmrt::store_set_fuel(fixture.store, 5000));
  CHECK(wasmrt::store_add_fuel(fixture.store, 5000));
  auto instance = fixture.instance(LOOP);
  auto loop = wasmrt::instance_export(instance.get(), "loop");
  auto trap = run(loop->func());
  REQUIRE(trap);
  CHECK_EQUAL(wasmrt::trap_code(trap.get()), wasmrt_trap_code_t{WASMRT_TRAP_OUT_OF_FUEL});
  CHECK_EQUAL(std::string(wasmrt::trap_code_name(WASMRT_TRAP_OUT_OF_FUEL)), "out-of-fuel");
  CHECK_EQUAL(wasmrt::trap_error_kind(trap.get()), wasmrt_error_kind_t{WASMRT_ERROR_TRAP});
  uint64_t left = 10000, consumed = 0;
  CHECK(wasmrt::store_fuel(fixture.store, &left));
  CHECK(wasmrt::store_fuel_consumed(fixture.store, &consumed));
  CHECK_EQUAL(left + consumed, 10000u);
  CHECK_ERROR(!wasmrt::store_set_fuel(Fixture().store, 1), WASMRT_ERROR_MISUSE, "fuel");
}

TEST(guests_are_stopped) {
  auto config = wasm::Config::make();
  CHECK(wasmrt::config_set_interruption(config.get(), true));
  Fixture fixture(std::move(config));
  auto instance = fixture.instance(LOOP);
  auto loop = wasmrt::instance_export(instance.get(), "loop");

  CHECK(wasmrt::store_set_call_timeout(fixture.store, 1000000));
  auto trap = run(loop->func());
  CHECK_EQUAL(wasmrt::trap_code(trap.get()), wasmrt_trap_code_t{WASMRT_TRAP_TIMEOUT});
  CHECK(wasmrt::store_set_call_timeout(fixture.store, WASMRT_NO_TIMEOUT));
  CHECK(wasmrt::store_set_timeout(fixture.store, 1000000));
  trap = run(loop->func());
  CHECK_EQUAL(wasmrt::trap_code(trap.get()), wasmrt_trap_code_t{WASMRT_TRAP_TIMEOUT});
  CHECK(wasmrt::store_set_timeout(fixture.store, WASMRT_NO_TIMEOUT));

  CHECK(wasmrt::store_set_poll(fixture.store, [](void*) { return true; }));
  CHECK(wasmrt::store_set_poll(fixture.store, nullptr));
  auto interrupt = wasmrt::Interrupt::make(fixture.store);
  REQUIRE(interrupt);
  interrupt->trigger();
  interrupt->clear();
  std::thread other([&] { interrupt->trigger(); });
  trap = run(loop->func());
  other.join();
  CHECK_EQUAL(wasmrt::trap_code(trap.get()), wasmrt_trap_code_t{WASMRT_TRAP_INTERRUPTED});
  CHECK(!wasmrt::Interrupt::make(nullptr));
}

TEST(limits_hold) {
  Fixture fixture;
  auto instance = fixture.instance(LOOP);
  CHECK(wasmrt::store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 65536));
  uint64_t limit = 0, usage = 0;
  CHECK(wasmrt::store_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, &limit));
  CHECK_EQUAL(limit, 65536u);
  CHECK(wasmrt::store_usage(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, &usage));
  CHECK_EQUAL(usage, 65536u);
  auto grow = wasmrt::instance_export(instance.get(), "grow");
  CHECK_EQUAL(call_i32(grow->func()), -1);
  CHECK(wasmrt::store_set_growth_trap(fixture.store, true));
  auto results = vec<Val>::make_uninitialized(1);
  auto trap = grow->func()->call(vec<Val>::make(), results);
  REQUIRE(trap);
  CHECK_EQUAL(wasmrt::trap_error_kind(trap.get()), wasmrt_error_kind_t{WASMRT_ERROR_LIMIT});
}

TEST(errors_have_a_message_a_kind_and_a_place) {
  Fixture fixture;
  wasmrt::last_error_clear();
  CHECK(!wasmrt::last_error_message());
  CHECK_EQUAL(wasmrt::last_error_kind(), wasmrt_error_kind_t{WASMRT_ERROR_NONE});
  auto binary = wasmrt::wat2wasm("(module (func (result i32)))");
  CHECK_ERROR(!wasm::Module::make(fixture.store, binary), WASMRT_ERROR_COMPILE, "");
  uint64_t offset = 0;
  CHECK(wasmrt::last_error_offset(&offset));
  CHECK(offset > 8 && offset <= binary.size());
  CHECK_EQUAL(std::string(wasmrt::error_kind_name(WASMRT_ERROR_COMPILE)), "compile");
}

TEST(traps_of_the_host) {
  Fixture fixture;
  auto exit = wasmrt::trap_new_exit(fixture.store, 3);
  int32_t status = 0;
  CHECK(wasmrt::trap_exit_status(exit.get(), &status));
  CHECK_EQUAL(status, 3);
  CHECK(!wasmrt::trap_data(exit.get()));
  int finalized = 0;
  auto message = wasm::Message::make_nt("with data");
  auto trap = wasmrt::trap_new_with_data(fixture.store, message, &finalized, test::count);
  CHECK_EQUAL(wasmrt::trap_data(trap.get()), &finalized);
  CHECK(!wasmrt::trap_exit_status(trap.get(), &status));
  CHECK_TRAP(std::move(trap), "with data");
  CHECK_EQUAL(finalized, 1);
}

TEST(exceptions_pass_between_guests_and_the_host) {
  Fixture fixture;
  auto type = wasm::TagType::make(functype("i", ""));
  if (!wasmrt::backend_supports_proposal(wasmrt::engine_backend_name(fixture.engine.get()),
                                         WASMRT_PROPOSAL_EXCEPTIONS)) {
    CHECK_ERROR(!wasmrt::tag_new(fixture.store, type.get()), WASMRT_ERROR_UNSUPPORTED,
                "exceptions");
    return;
  }
  auto tag = wasmrt::tag_new(fixture.store, type.get());
  REQUIRE(tag && tag->kind() == wasm::ExternKind::TAG);
  auto host = wasmrt::make_func(
      fixture.store, functype("i", "").get(), [&](const vec<Val>& args, vec<Val>&) {
        return wasmrt::exception_new(fixture.store, tag.get(), vec<Val>::make(args[0].copy()));
      });
  auto module = fixture.module(
      "(module (import \"\" \"tag\" (tag $e (param i32)))"
      "  (import \"\" \"host\" (func $host (param i32)))"
      "  (func (export \"catch\") (param i32) (result i32) (block $caught (result i32)"
      "    (try_table (catch $e $caught) (call $host (local.get 0))) (i32.const 0)))"
      "  (func (export \"throw\") (throw $e (i32.const -7))))");
  auto imports = vec<wasm::Extern*>::make(tag.get(), host.get());
  auto instance = wasm::Instance::make(fixture.store, module.get(), imports);
  REQUIRE(instance);
  auto exports = instance->exports();
  CHECK_EQUAL(call_i32(exports[0]->func(), 5), 5);

  auto trap = run(exports[1]->func());
  REQUIRE(trap);
  CHECK_EQUAL(wasmrt::trap_code(trap.get()), wasmrt_trap_code_t{WASMRT_TRAP_UNCAUGHT_EXCEPTION});
  auto thrown = wasmrt::trap_exception_tag(trap.get());
  CHECK(thrown && thrown->same(tag.get()));
  auto values = wasmrt::trap_exception_values(trap.get());
  REQUIRE(values && values.size() == 1);
  CHECK_EQUAL(values[0].i32(), -7);

  // What does not fit, and other traps.
  CHECK_ERROR(!wasmrt::exception_new(fixture.store, tag.get()), WASMRT_ERROR_MISUSE, "values");
  trap = wasmrt::trap_new_exit(fixture.store, 0);
  CHECK(!wasmrt::trap_exception_tag(trap.get()));
  CHECK(!wasmrt::trap_exception_values(trap.get()));
}

TEST(garbage_collected_objects) {
  Fixture fixture;
  if (!wasmrt::backend_supports_proposal(wasmrt::engine_backend_name(fixture.engine.get()),
                                         WASMRT_PROPOSAL_GC)) {
    CHECK_ERROR(!wasmrt::i31_new(fixture.store, 1), WASMRT_ERROR_UNSUPPORTED, "gc");
    return;
  }
  auto module = fixture.module(
      "(module (type $pair (struct (field (mut i8)) (field i64))) (type $list (array (mut i32)))"
      "  (func (export \"pair\") (param (ref $pair)) (result anyref) (local.get 0))"
      "  (func (export \"list\") (param (ref null $list))))");
  auto instance = wasm::Instance::make(fixture.store, module.get(), vec<wasm::Extern*>::make());
  REQUIRE(instance);
  auto exports = instance->exports();
  auto pair_functype = exports[0]->func()->type(), list_functype = exports[1]->func()->type();
  const wasm::ValType* pair_type = pair_functype->params()[0].get();
  const wasm::ValType* list_type = list_functype->params()[0].get();
  uint32_t heap = 77, length = 77;
  CHECK(wasmrt::valtype_is_defined(pair_type) && !wasmrt::valtype_is_nullable(pair_type));
  CHECK(wasmrt::valtype_heap(pair_type, &heap));
  CHECK_EQUAL(heap, uint32_t{WASMRT_HEAP_STRUCT});
  CHECK(wasmrt::valtype_is_nullable(wasmrt::valtype_with_null(pair_type, true).get()));
  auto i31_type = wasmrt::valtype_new_ref(WASMRT_HEAP_I31);
  CHECK(i31_type && wasmrt::valtype_is_nullable(i31_type.get()));

  auto pair =
      wasmrt::struct_new(fixture.store, pair_type, vec<Val>::make(Val::i32(-1), Val::i64(7)));
  REQUIRE(pair && wasmrt::struct_new(fixture.store, pair_type));
  CHECK(wasmrt::ref_heap(pair.get(), &heap) && wasmrt::ref_length(pair.get(), &length));
  CHECK_EQUAL(heap, uint32_t{WASMRT_HEAP_STRUCT});
  CHECK_EQUAL(length, 2u);
  Val value;
  CHECK(wasmrt::ref_get(pair.get(), 0, false, &value));
  CHECK_EQUAL(value.i32(), 255);
  CHECK(wasmrt::ref_set(pair.get(), 0, Val::i32(-2)));
  CHECK(wasmrt::ref_get(pair.get(), 0, true, &value));
  CHECK_EQUAL(value.i32(), -2);
  CHECK_ERROR(!wasmrt::ref_set(pair.get(), 1, Val::i64(0)), WASMRT_ERROR_MISUSE, "constant");
  auto type = wasmrt::ref_type(pair.get());
  CHECK_EQUAL(type.get(), pair_type);
  auto results = vec<Val>::make_uninitialized(1);
  CHECK_NO_TRAP(exports[0]->func()->call(vec<Val>::make(Val::ref(pair->copy())), results));
  CHECK(results[0].ref()->same(pair.get()));

  Val three = Val::i32(3);
  auto list = wasmrt::array_new(fixture.store, list_type, 5, &three);
  REQUIRE(list && wasmrt::ref_get(list.get(), 4, false, &value));
  CHECK_EQUAL(value.i32(), 3);
  auto small = wasmrt::i31_new(fixture.store, -5);
  int32_t with_sign = 0;
  uint32_t without = 0;
  REQUIRE(small && wasmrt::i31_signed(small.get(), &with_sign));
  CHECK(wasmrt::i31_unsigned(small.get(), &without));
  CHECK_EQUAL(with_sign, -5);
  CHECK_EQUAL(without, 0x7ffffffbu);
}

TEST(globals_without_kinds) {
  Fixture fixture;
  auto type = wasm::GlobalType::make(wasm::ValType::make(static_cast<wasm::ValKind>(WASMRT_V128)),
                                     wasm::Mutability::VAR);
  wasmrt_raw_t value = {}, found = {};
  value.v128[15] = 9;
  auto global = wasmrt::global_new_raw(fixture.store, type.get(), value);
  REQUIRE(global && wasmrt::global_get_raw(global.get(), &found));
  CHECK_EQUAL(found.v128[15], 9);
  value.v128[15] = 8;
  CHECK(wasmrt::global_set_raw(global.get(), value));
  CHECK(wasmrt::global_get_raw(global.get(), &found));
  CHECK_EQUAL(found.v128[15], 8);
}

TEST(frames_have_names) {
  Fixture fixture;
  if (fixture.on("wasmi")) {
    wasmrt::last_error_clear();
    CHECK_EQUAL(wasmrt::frame_func_name(nullptr).size(), 0u);
    CHECK_EQUAL(wasmrt::frame_module_name(nullptr).size(), 0u);
    CHECK(wasmrt::last_error_message());
    return;
  }
  auto instance = fixture.instance("(module $m (func $f (export \"f\") unreachable))");
  auto trap = run(wasmrt::instance_export(instance.get(), "f")->func());
  REQUIRE(trap && trap->origin());
  CHECK_EQUAL(text_of(wasmrt::frame_func_name(trap->origin().get())), "f");
  CHECK_EQUAL(text_of(wasmrt::frame_module_name(trap->origin().get())), "m");
}

TEST(events_are_logged) {
  struct Log {
    int events, finalized;
  };
  static Log log;
  log = {0, 0};
  wasmrt::log_set_callback(
      [](void* env, wasmrt_log_level_t level, const char* message) {
        CHECK_EQUAL(level, wasmrt_log_level_t{WASMRT_LOG_WARNING});
        CHECK_CONTAINS(message, "limit");
        ++static_cast<Log*>(env)->events;
      },
      &log, [](void* env) { ++static_cast<Log*>(env)->finalized; });
  Fixture fixture;
  auto instance = fixture.instance(LOOP);
  CHECK(wasmrt::store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 65536));
  CHECK_EQUAL(call_i32(wasmrt::instance_export(instance.get(), "grow")->func()), -1);
  CHECK_EQUAL(log.events, 1);
  wasmrt::log_set_callback(nullptr);
  CHECK_EQUAL(log.finalized, 1);
}

// Adds the argument to the first byte of the caller's memory.
static own<Trap> add_to_memory(void* env, const wasmrt::Caller* caller, const vec<Val>& args,
                               vec<Val>&) {
  size_t size = 0;
  byte_t* memory = caller->memory(&size);
  if (!memory || size == 0 || !caller->instance() || caller->store() != env)
    return Trap::make(caller->store(), wasm::Message::make_nt("no memory"));
  memory[0] = static_cast<byte_t>(memory[0] + args[0].i32());
  return nullptr;
}

TEST(a_callback_knows_its_caller) {
  Fixture fixture;
  auto type = functype("i", "");
  auto func = wasmrt::func_new_with_caller(fixture.store, type.get(), add_to_memory, fixture.store);
  REQUIRE(func);
  auto instance = fixture.instance(
      "(module (import \"\" \"\" (func $f (param i32))) (memory (export \"memory\") 1)"
      "  (func (export \"f\") (call $f (i32.const 5))))",
      func.get());
  auto exports = instance->exports();
  CHECK_NO_TRAP(run(exports[1]->func()));
  CHECK_EQUAL(exports[0]->memory()->data()[0], 5);
  auto results = vec<Val>::make();
  CHECK_TRAP(func->call(vec<Val>::make(Val::i32(1)), results), "no memory");
  int finalized = 0;
  CHECK(!wasmrt::func_new_with_caller(nullptr, type.get(), add_to_memory, &finalized, test::count));
  CHECK_EQUAL(finalized, 1);
}

TEST(anything_that_can_be_called_is_a_function) {
  struct Counted {
    int* destroyed;
    int step;
    Counted(int* counter, int by) : destroyed(counter), step(by) {}
    Counted(Counted&& that) : destroyed(that.destroyed), step(that.step) {
      that.destroyed = nullptr;
    }
    ~Counted() {
      if (destroyed) ++*destroyed;
    }
    own<Trap> operator()(const vec<Val>& args, vec<Val>& results) {
      results[0] = Val::i32(args[0].i32() + step++);
      return nullptr;
    }
  };
  int destroyed = 0, calls = 0;
  {
    Fixture fixture;
    auto type = functype("i", "i");
    auto func = wasmrt::make_func(fixture.store, type.get(), Counted(&destroyed, 1));
    CHECK_EQUAL(call_i32(func.get(), 1), 2);
    CHECK_EQUAL(call_i32(func.get(), 1), 3);
    auto lambda = wasmrt::make_func(fixture.store, type.get(),
                                    [&calls](const vec<Val>&, vec<Val>& results) -> own<Trap> {
                                      results[0] = Val::i32(++calls);
                                      return nullptr;
                                    });
    CHECK_EQUAL(call_i32(lambda.get(), 0), 1);
    CHECK_EQUAL(destroyed, 0);
  }
  CHECK_EQUAL(destroyed, 1);
  CHECK(!wasmrt::make_func(nullptr, nullptr, Counted(&destroyed, 1)));
  CHECK_EQUAL(destroyed, 2);
}

TEST(rows_are_called) {
  Fixture fixture;
  auto instance = fixture.instance(
      "(module (func (export \"f\") (param i32 i64 f32 f64) (result i32)"
      "    (i32.div_s (i32.const 12) (local.get 0)))"
      "  (func (export \"same\") (param externref) (result externref) (local.get 0)))");
  auto exports = instance->exports();
  int32_t first[] = {1, 2, 0, 3}, quotients[4] = {};
  int64_t second[4] = {};
  float32_t third[4] = {};
  float64_t fourth[4] = {};
  const wasmrt_column_t args[] = {wasmrt::column(first, 4), wasmrt::column(second, 4),
                                  wasmrt::column(third, 4), wasmrt::column(fourth, 4)};
  const wasmrt_column_t results[] = {wasmrt::column(quotients, 4)};
  size_t done = 0;
  own<Trap> trap;
  CHECK(wasmrt::func_call_batch(exports[0]->func(), 2, args, 4, results, 1, &done, &trap));
  CHECK(!trap);
  CHECK_EQUAL(done, 2u);
  CHECK_EQUAL(quotients[1], 6);
  CHECK(!wasmrt::func_call_batch(exports[0]->func(), 4, args, 4, results, 1, &done, &trap));
  CHECK_EQUAL(done, 2u);
  CHECK_TRAP(std::move(trap), "divide");
  CHECK(!wasmrt::func_call_batch(exports[0]->func(), 1, args, 3, results, 1));

  auto object = wasm::Foreign::make(fixture.store);
  own<wasm::Ref> given[1] = {object->copy()}, received[1];
  const wasmrt_column_t refs = wasmrt::column(given, 1), same = wasmrt::column(received, 1);
  CHECK(wasmrt::func_call_batch(exports[1]->func(), 1, &refs, 1, &same, 1));
  REQUIRE(received[0]);
  CHECK(received[0]->same(object.get()));
}

static wasm_trap_t* add_unchecked(void* env, wasmrt_raw_t* values) {
  if (values[0].i32 < 0) {
    auto trap = Trap::make(static_cast<wasm::Store*>(env), wasm::Message::make_nt("negative"));
    return wasm::to_c(trap.release());
  }
  values[0].i32 += values[1].i32;
  return nullptr;
}

TEST(unchecked_calls) {
  Fixture fixture;
  auto func = wasmrt::func_new_unchecked(fixture.store, functype("ii", "i").get(), add_unchecked,
                                         fixture.store);
  REQUIRE(func);
  wasmrt_raw_t values[2];
  values[0].i32 = 3;
  values[1].i32 = 4;
  CHECK_NO_TRAP(wasmrt::func_call_unchecked(func.get(), values));
  CHECK_EQUAL(values[0].i32, 7);
  values[0].i32 = -1;
  CHECK_TRAP(wasmrt::func_call_unchecked(func.get(), values), "negative");
}
