// Fuel: the store's account, what WebAssembly consumes, and what happens when it runs out.
#include "configured.h"

static uint64_t consumed_of(const wasm_store_t* store) {
  uint64_t fuel;
  GARBAGE(fuel);
  CHECK(wasmrt_store_fuel_consumed(store, &fuel));
  return fuel;
}

static fixture_t fuelled_fixture(const char* wat) {
  return fixture_with(wasmrt_config_set_fuel, NULL, wat);
}

// For modules whose instantiation needs some.
static fixture_t filled_fixture(const char* wat) {
  fixture_t fixture = fuelled_fixture(NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
  fixture_load(&fixture, wat, NULL, 0);
  return fixture;
}

// The loop counts its rounds in the global, so that progress can be seen.
static const char* endless =
    "(module"
    "  (global $rounds (export \"rounds\") (mut i64) (i64.const 0))"
    "  (func (export \"loop\")"
    "    (loop (global.set $rounds (i64.add (global.get $rounds) (i64.const 1))) (br 0)))"
    "  (func (export \"once\") (result i32) (i32.const 11)))";

static int64_t rounds_of(const fixture_t* fixture) {
  wasm_val_t value;
  wasm_global_get(fixture_global(fixture, 0), &value);
  return value.of.i64;
}

// ------------------------------------------------------------------------------------------------
// Without fuel, and bad input

TEST(an_engine_without_fuel) {
  fixture_t fixture = fixture_new();
  uint64_t fuel = 77;
  CHECK_FAILS(!wasmrt_store_set_fuel(fixture.store, 1));
  CHECK_FAILS(!wasmrt_store_add_fuel(fixture.store, 1));
  CHECK_FAILS(!wasmrt_store_fuel(fixture.store, &fuel));
  CHECK_FAILS(!wasmrt_store_fuel_consumed(fixture.store, &fuel));
  CHECK_INT(fuel, 77);
  fixture_delete(&fixture);
}

TEST(an_engine_with_fuel_turned_off_again) {
  wasm_config_t* config = config_with(wasmrt_config_set_fuel, NULL);
  CHECK(wasmrt_config_set_fuel(config, false));
  fixture_t fixture = fixture_from_config(config);
  CHECK_FAILS(!wasmrt_store_set_fuel(fixture.store, 1));
  fixture_delete(&fixture);
}

TEST(an_engine_with_interruption_has_no_fuel) {
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL, endless);
  uint64_t fuel = 77;
  CHECK_FAILS(!wasmrt_store_set_fuel(fixture.store, 1));
  CHECK_FAILS(!wasmrt_store_fuel(fixture.store, &fuel));
  CHECK_INT(fuel, 77);
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 11);
  fixture_delete(&fixture);
}

TEST(null_for_store_or_output) {
  fixture_t fixture = fuelled_fixture(NULL);
  uint64_t fuel = 77;
  CHECK_FAILS(!wasmrt_store_set_fuel(NULL, 1));
  CHECK_FAILS(!wasmrt_store_add_fuel(NULL, 1));
  CHECK_FAILS(!wasmrt_store_fuel(NULL, &fuel));
  CHECK_FAILS(!wasmrt_store_fuel(fixture.store, NULL));
  CHECK_FAILS(!wasmrt_store_fuel_consumed(NULL, &fuel));
  CHECK_FAILS(!wasmrt_store_fuel_consumed(fixture.store, NULL));
  CHECK_INT(fuel, 77);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// The account

TEST(a_store_has_none_at_first) {
  fixture_t fixture = fuelled_fixture(endless);
  CHECK_INT(fuel_of(fixture.store), 0);
  CHECK_INT(consumed_of(fixture.store), 0);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 11);
  fixture_delete(&fixture);
}

TEST(set_and_add) {
  fixture_t fixture = fuelled_fixture(NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 100));
  CHECK_INT(fuel_of(fixture.store), 100);
  CHECK(wasmrt_store_add_fuel(fixture.store, 23));
  CHECK_INT(fuel_of(fixture.store), 123);
  CHECK(wasmrt_store_add_fuel(fixture.store, 0));
  CHECK_INT(fuel_of(fixture.store), 123);
  CHECK(wasmrt_store_set_fuel(fixture.store, 5));
  CHECK_INT(fuel_of(fixture.store), 5);
  CHECK(wasmrt_store_set_fuel(fixture.store, 0));
  CHECK_INT(fuel_of(fixture.store), 0);
  CHECK_INT(consumed_of(fixture.store), 0);
  fixture_delete(&fixture);
}

TEST(add_stops_at_the_greatest_number) {
  fixture_t fixture = fuelled_fixture(endless);
  const uint64_t extremes[] = {UINT64_MAX, UINT64_MAX - 1, (uint64_t)INT64_MAX + 1, INT64_MAX, 1};
  for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, extremes[i]));
    CHECK(fuel_of(fixture.store) == extremes[i]);
    CHECK(wasmrt_store_add_fuel(fixture.store, UINT64_MAX));
    CHECK(fuel_of(fixture.store) == UINT64_MAX);
    uint64_t before = consumed_of(fixture.store);
    CHECK_INT(call_i32(fixture_func(&fixture, 2)), 11);
    uint64_t spent = consumed_of(fixture.store) - before;
    CHECK(spent > 0 && spent < 100);
    CHECK(fuel_of(fixture.store) == UINT64_MAX - spent);
  }
  fixture_delete(&fixture);
}

TEST(what_is_consumed_is_what_is_missing) {
  fixture_t fixture = fuelled_fixture(
      "(module (func (export \"f\") (param i32) (result i32)"
      "  (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "  (local.get 0)))");
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000000));
  uint64_t first = 0;
  for (int round = 1; round <= 5; round++) {
    CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 100), 0);
    CHECK_INT(fuel_of(fixture.store) + consumed_of(fixture.store), 1000000);
    if (round == 1) first = consumed_of(fixture.store);
    // The same each time.
    CHECK_INT(consumed_of(fixture.store), first * (uint64_t)round);
  }
  // About one unit for each of some five hundred instructions.
  CHECK(first >= 200 && first <= 1500);
  uint64_t hundred = first;
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 1000), 0);
  uint64_t thousand = consumed_of(fixture.store) - 5 * first;
  CHECK(thousand > 9 * hundred && thousand < 11 * hundred);
  // What the host sets or adds is no consumption.
  uint64_t consumed = consumed_of(fixture.store);
  CHECK(wasmrt_store_set_fuel(fixture.store, 7));
  CHECK(wasmrt_store_add_fuel(fixture.store, 100000));
  CHECK_INT(consumed_of(fixture.store), consumed);
  CHECK_INT(fuel_of(fixture.store), 100007);
  fixture_delete(&fixture);
}

TEST(the_same_in_every_store) {
  uint64_t consumed[3];
  fixture_t fixture = fuelled_fixture(NULL);
  for (size_t i = 0; i < 3; i++) {
    wasm_store_t* store = wasm_store_new(fixture.engine);
    wasm_module_t* module = module_from_wat(store, endless);
    wasm_instance_t* instance = instantiate(store, module, NULL, 0);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK(wasmrt_store_set_fuel(store, 5000 + i));
    CHECK_INT(call_i32(wasm_extern_as_func(exports.data[2])), 11);
    consumed[i] = consumed_of(store);
    CHECK_INT(fuel_of(store), 5000 + i - consumed[i]);
    wasm_extern_vec_delete(&exports);
    wasm_instance_delete(instance);
    wasm_module_delete(module);
    wasm_store_delete(store);
  }
  CHECK(consumed[0] > 0);
  CHECK_INT(consumed[1], consumed[0]);
  CHECK_INT(consumed[2], consumed[0]);
  CHECK_INT(fuel_of(fixture.store), 0);
  fixture_delete(&fixture);
}

// On engines that are loaded, the same as on wasmtime.
static bool counts_as_wasmtime(const wasm_engine_t* engine) {
  return backend_is(engine, "wasmtime") || is_loaded(engine);
}

// What the header says of instructions on wasmtime.
TEST(what_an_instruction_costs) {
  fixture_t fixture = fuelled_fixture(
      "(module (memory 1)"
      "  (func (export \"two\") (drop (i32.const 1)) (drop (i32.const 2)))"
      "  (func (export \"four\")"
      "    (drop (i32.const 1)) (drop (i32.const 2)) (drop (i32.const 3)) (drop (i32.const 4)))"
      "  (func (export \"free\")"
      "    (block (loop nop nop (drop (i32.const 1)))) nop nop (block (drop (i32.const 2)))))");
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  uint64_t cost[3];
  for (size_t i = 0; i < 3; i++) {
    uint64_t before = consumed_of(fixture.store);
    CHECK_NO_TRAP(call_plain(fixture_func(&fixture, i)));
    cost[i] = consumed_of(fixture.store) - before;
  }
  if (counts_as_wasmtime(fixture.engine)) {
    CHECK_INT(cost[1] - cost[0], 2);
    CHECK_INT(cost[2], cost[0]);
  }
  fixture_delete(&fixture);
}

// What a run consumes is what it needs: it succeeds with so much, and not with one unit less.
TEST(exactly_what_a_run_consumes_suffices) {
  fixture_t fixture = filled_fixture(
      "(module (memory 1) (table 1 funcref)"
      "  (func (export \"constant\") (result i32) (i32.const 1))"
      "  (func (export \"after a loop\") (result i32) (local i32)"
      "    (local.set 0 (i32.const 9))"
      "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0)))"
      "    (i32.add (i32.add (local.get 0) (i32.const 1))"
      "      (i32.add (local.get 0) (i32.const 1))))"
      "  (func (export \"after a call\") (result i32)"
      "    (i32.add (call 1) (i32.add (call 0) (i32.const 1))))"
      "  (func (export \"after a fill\") (result i32)"
      "    (memory.fill (i32.const 0) (i32.const 5) (i32.const 1000))"
      "    (i32.add (i32.load8_u (i32.const 999)) (i32.const 1))))");
  for (size_t i = 0; i < 4; i++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
    uint64_t before = consumed_of(fixture.store);
    int32_t expected = call_i32(fixture_func(&fixture, i));
    uint64_t needed = consumed_of(fixture.store) - before;
    CHECK(wasmrt_store_set_fuel(fixture.store, needed));
    CHECK_INT(call_i32(fixture_func(&fixture, i)), expected);
    CHECK_INT(fuel_of(fixture.store), 0);
    CHECK(wasmrt_store_set_fuel(fixture.store, needed + 1));
    CHECK_INT(call_i32(fixture_func(&fixture, i)), expected);
    CHECK_INT(fuel_of(fixture.store), 1);
    for (uint64_t fuel = 0; fuel < needed; fuel++) {
      CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
      wasm_val_t result = I32(77);
      CHECK_TRAP_CODE(call(fixture_func(&fixture, i), NULL, 0, &result, 1),
                      WASMRT_TRAP_OUT_OF_FUEL);
      CHECK_INT(result.of.i32, 77);
    }
  }
  fixture_delete(&fixture);
}

TEST(a_start_function_that_takes_more_than_there_is) {
  fixture_t fixture = fuelled_fixture(NULL);
  wasm_module_t* module = module_from_wat(
      fixture.store,
      "(module (start $f)"
      "  (func $f (drop (i32.const 1)) (drop (i32.const 2)) (drop (i32.const 3))))");
  CHECK(wasmrt_store_set_fuel(fixture.store, 2));
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, NULL, &trap) == NULL);
  CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// An instruction that traps anyway, or returns -1, does so however much it would have moved, and
// does not pay for that.
TEST(what_is_out_of_bounds_is_not_paid_for) {
  fixture_t fixture = filled_fixture(
      "(module (memory 1) (table $t 4 funcref) (data $d \"abc\") (elem $e funcref (ref.null func))"
      "  (func (export \"fill\") (param i32)"
      "    (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"copy\") (param i32)"
      "    (memory.copy (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"init\") (param i32)"
      "    (memory.init $d (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"table fill\") (param i32)"
      "    (table.fill $t (i32.const 0) (ref.null func) (local.get 0)))"
      "  (func (export \"table copy\") (param i32)"
      "    (table.copy (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"table init\") (param i32)"
      "    (table.init $t $e (i32.const 0) (i32.const 0) (local.get 0)))"
      "  (func (export \"table grow\") (param i32) (result i32)"
      "    (table.grow $t (ref.null func) (local.get 0)))"
      "  (func (export \"grow\") (param i32) (result i32) (memory.grow (local.get 0)))"
      "  (func (export \"constant\") (param i32)"
      "    (memory.fill (i32.const 0) (i32.const 1) (i32.const -1))))");
  static const int32_t lengths[] = {-1, INT32_MIN, INT32_MAX, 100000};
  for (size_t i = 0; i < 9; i++) {
    for (size_t j = 0; j < 4; j++) {
      CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
      wasm_val_t length = I32(lengths[j]), result = I32(0);
      if (i >= 6 && i < 8) {
        if (lengths[j] == 100000) continue;
        CHECK_INT(call_i32_i32(fixture_func(&fixture, i), lengths[j]), -1);
      } else {
        CHECK_TRAP_CODE(
            call(fixture_func(&fixture, i), &length, 1, &result, 0),
            i < 3 || i == 8 ? WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS : WASMRT_TRAP_TABLE_OUT_OF_BOUNDS);
      }
      CHECK(fuel_of(fixture.store) > 900);
    }
  }
  fixture_delete(&fixture);
}

// Likewise for arrays, which wasmi lacks.
TEST(arrays_are_not_paid_for_beyond_their_bounds) {
  fixture_t fixture = fuelled_fixture(NULL);
  CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
  wasm_module_t* module = try_module_from_wat(
      fixture.store,
      "(module (type $a (array (mut i32))) (data $d \"0123456789\")"
      "  (global $g (mut (ref null $a)) (ref.null $a))"
      "  (func (export \"new\") (param i32)"
      "    (global.set $g (array.new $a (i32.const 1) (local.get 0))))"
      "  (func (export \"fill\") (param i32)"
      "    (array.fill $a (global.get $g) (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"copy\") (param i32)"
      "    (array.copy $a $a (global.get $g) (i32.const 0) (global.get $g) (i32.const 0)"
      "      (local.get 0)))"
      "  (func (export \"init\") (param i32)"
      "    (array.init_data $a $d (global.get $g) (i32.const 0) (i32.const 0) (local.get 0))))");
  if (!module) {
    fixture_delete(&fixture);
    return;
  }
  fixture.module = module;
  fixture.instance = instantiate(fixture.store, module, NULL, 0);
  wasm_instance_exports(fixture.instance, &fixture.exports);
  wasm_val_t length = I32(6400);
  for (size_t i = 0; i < 3; i++) {
    uint64_t before = consumed_of(fixture.store);
    CHECK_NO_TRAP(call(fixture_func(&fixture, i), &length, 1, NULL, 0));
    uint64_t cost = consumed_of(fixture.store) - before;
    CHECK(cost >= 90 && cost <= 130);
  }
  for (size_t i = 1; i < 4; i++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
    length = I32(-1);
    wasm_trap_t* trap = call(fixture_func(&fixture, i), &length, 1, NULL, 0);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_ARRAY_OUT_OF_BOUNDS);
    CHECK(fuel_of(fixture.store) > 900);
  }
  fixture_delete(&fixture);
}

// An instruction that moves much costs one unit for each 64 bytes or elements.
TEST(what_is_moved_is_paid_for) {
  fixture_t fixture = filled_fixture(
      "(module (memory 4) (table $t 200000 funcref)"
      "  (func (export \"fill\") (param i32)"
      "    (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"copy\") (param i32)"
      "    (memory.copy (i32.const 8) (i32.const 0) (local.get 0)))"
      "  (func (export \"table fill\") (param i32)"
      "    (table.fill $t (i32.const 0) (ref.null func) (local.get 0)))"
      "  (func (export \"table copy\") (param i32)"
      "    (table.copy (i32.const 8) (i32.const 0) (local.get 0)))"
      "  (func (export \"grow\") (param i32)"
      "    (drop (table.grow $t (ref.null func) (local.get 0))))"
      "  (func (export \"constant\") (param i32)"
      "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 128000))))");
  for (size_t i = 0; i < 6; i++) {
    wasm_val_t length = I32(128000);
    CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
    uint64_t before = consumed_of(fixture.store);
    CHECK_NO_TRAP(call(fixture_func(&fixture, i), &length, 1, NULL, 0));
    uint64_t cost = consumed_of(fixture.store) - before;
    // On wasmi an element counts as four bytes.
    bool elements = i >= 2 && i <= 4 && backend_is(fixture.engine, "wasmi");
    CHECK(cost >= 1980 && cost <= (elements ? 4 * 2040 : 2040));
    // Too expensive for a guest with less fuel; but one such instruction may be the last.
    CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
    CHECK_TRAP_CODE(call(fixture_func(&fixture, i), &length, 1, NULL, 0), WASMRT_TRAP_OUT_OF_FUEL);
    // An instruction that moves little costs about as much as any other.
    if (i == 5) continue;
    length = I32(10);
    CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
    before = consumed_of(fixture.store);
    CHECK_NO_TRAP(call(fixture_func(&fixture, i), &length, 1, NULL, 0));
    CHECK(consumed_of(fixture.store) - before < 30);
  }
  fixture_delete(&fixture);
}

// Where a trap arose is told as without fuel, also of a module that was serialized.
TEST(traps_of_what_moves_much_have_the_same_frames) {
  static const char text[] =
      "(module (memory 1) (table 3 funcref)"
      "  (func $first (param i32) (memory.fill (i32.const 0) (i32.const 1) (local.get 0)))"
      "  (func (export \"f\") (param i32)"
      "    (memory.copy (i32.const 0) (i32.const 0) (i32.and (local.get 0) (i32.const 255)))"
      "    (call $first (local.get 0)))"
      "  (func (export \"g\") (param i32)"
      "    (table.fill (i32.const 0) (ref.null func) (local.get 0)))"
      "  (func (export \"h\") (param i32)"
      "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 64)) unreachable))";
  struct {
    uint32_t index;
    size_t in_function, in_module;
  } frames[3][4];
  size_t counts[3] = {0, 0, 0};
  wasm_byte_vec_t binary = binary_from_wat(text);
  for (int way = 0; way < 3; way++) {
    fixture_t fixture = way == 0 ? fixture_new() : fuelled_fixture(NULL);
    if (way > 0) CHECK(wasmrt_store_set_fuel(fixture.store, 10000));
    fixture.module = wasm_module_new(fixture.store, &binary);
    REQUIRE(fixture.module);
    if (way == 2) {
      wasm_byte_vec_t artifact;
      wasm_module_serialize(fixture.module, &artifact);
      wasm_module_delete(fixture.module);
      fixture.module = wasm_module_deserialize(fixture.store, &artifact);
      REQUIRE(fixture.module);
      wasm_byte_vec_delete(&artifact);
    }
    fixture.instance = instantiate(fixture.store, fixture.module, NULL, 0);
    wasm_instance_exports(fixture.instance, &fixture.exports);
    for (size_t i = 0; i < 3; i++) {
      wasm_val_t length = I32(-1);
      wasm_trap_t* trap = call(fixture_func(&fixture, i), &length, 1, NULL, 0);
      REQUIRE(trap);
      wasm_frame_vec_t trace;
      wasm_trap_trace(trap, &trace);
      for (size_t j = 0; j < trace.size && counts[way] < 4; j++) {
        frames[way][counts[way]].index = wasm_frame_func_index(trace.data[j]);
        frames[way][counts[way]].in_function = wasm_frame_func_offset(trace.data[j]);
        frames[way][counts[way]++].in_module = wasm_frame_module_offset(trace.data[j]);
      }
      wasm_frame_vec_delete(&trace);
      static const wasmrt_trap_code_t codes[] = {WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS,
                                                 WASMRT_TRAP_TABLE_OUT_OF_BOUNDS,
                                                 WASMRT_TRAP_UNREACHABLE};
      CHECK_TRAP_CODE(trap, codes[i]);
    }
    if (backend_is(fixture.engine, "wasmtime")) CHECK_INT(counts[way], 4);
    CHECK_INT(counts[way], counts[0]);
    for (size_t i = 0; i < counts[way]; i++) {
      CHECK_INT(frames[way][i].index, frames[0][i].index);
      CHECK_INT(frames[way][i].in_function, frames[0][i].in_function);
      CHECK_INT(frames[way][i].in_module, frames[0][i].in_module);
    }
    fixture_delete(&fixture);
  }
  wasm_byte_vec_delete(&binary);
}

// ------------------------------------------------------------------------------------------------
// Running out

TEST(out_of_fuel_and_refuelled) {
  fixture_t fixture = fuelled_fixture(endless);
  CHECK(wasmrt_store_set_fuel(fixture.store, 10000));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
  int64_t rounds = rounds_of(&fixture);
  CHECK(rounds > 500 && rounds < 10000);
  CHECK(fuel_of(fixture.store) < 100);
  CHECK_INT(fuel_of(fixture.store) + consumed_of(fixture.store), 10000);
  // Still empty.
  CHECK(wasmrt_store_set_fuel(fixture.store, 0));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(wasmrt_store_add_fuel(fixture.store, 10000));
  CHECK_INT(call_i32(fixture_func(&fixture, 2)), 11);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(rounds_of(&fixture) > rounds + 500);
  fixture_delete(&fixture);
}

TEST(refuelled_a_thousand_times) {
  fixture_t fixture = fuelled_fixture(endless);
  const uint64_t portion = 1000;
  size_t times = repetitions(1000, 50);
  int64_t rounds = 0;
  for (size_t i = 0; i < times; i++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, portion));
    uint64_t consumed = consumed_of(fixture.store);
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 1)), WASMRT_TRAP_OUT_OF_FUEL);
    CHECK_INT(consumed_of(fixture.store) - consumed + fuel_of(fixture.store), portion);
    CHECK(fuel_of(fixture.store) < portion / 10);
    CHECK(rounds_of(&fixture) > rounds);
    rounds = rounds_of(&fixture);
    CHECK(wasmrt_store_add_fuel(fixture.store, portion));
    CHECK_INT(call_i32(fixture_func(&fixture, 2)), 11);
  }
  fixture_delete(&fixture);
}

// Each amount of fuel, however small, gives a clean trap or a clean result.
TEST(every_small_amount) {
  fixture_t fixture = fuelled_fixture(
      "(module (memory 1) (table 4 funcref)"
      "  (func (export \"f\") (param i32) (result i32) (local i64)"
      "    (if (i32.eqz (local.get 0)) (then (return (i32.const 1))))"
      "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 70))"
      "    (memory.copy (i32.const 0) (i32.const 1) (i32.const 70))"
      "    (table.fill (i32.const 0) (ref.null func) (i32.const 3))"
      "    (drop (memory.grow (i32.const 0)))"
      "    (drop (table.grow (ref.null func) (i32.const 0)))"
      "    (i32.add (call 0 (i32.sub (local.get 0) (i32.const 1))) (i32.const 1))))");
  bool finished = false;
  uint64_t enough = 0;
  for (uint64_t fuel = 0; fuel < 5000 && !finished; fuel++) {
    CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
    wasm_val_t argument = I32(3), result = I32(-1);
    wasm_trap_t* trap = call(fixture_func(&fixture, 0), &argument, 1, &result, 1);
    finished = trap == NULL;
    if (finished) {
      CHECK_INT(result.of.i32, 4);
      enough = fuel;
    } else {
      CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
    }
  }
  CHECK(finished);
  CHECK(wasmrt_store_set_fuel(fixture.store, enough + 1));
  CHECK_INT(call_i32_i32(fixture_func(&fixture, 0), 3), 4);
  fixture_delete(&fixture);
}

TEST(recursion_without_end) {
  fixture_t fixture = fuelled_fixture("(module (func $f (export \"f\") (call $f)))");
  CHECK(wasmrt_store_set_fuel(fixture.store, 500));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_STACK_EXHAUSTED);
  fixture_delete(&fixture);
}

TEST(another_trap_keeps_the_account) {
  fixture_t fixture = fuelled_fixture(
      "(module (func (export \"f\") (drop (i32.const 1)) (drop (i32.const 1)) unreachable))");
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_UNREACHABLE);
  uint64_t first = consumed_of(fixture.store);
  CHECK(first > 0);
  CHECK_INT(fuel_of(fixture.store) + first, 1000);
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_UNREACHABLE);
  CHECK_INT(consumed_of(fixture.store), 2 * first);
  fixture_delete(&fixture);
}

TEST(what_costs_nothing) {
  fixture_t fixture = fuelled_fixture(
      "(module (memory (export \"m\") 1 2) (table (export \"t\") 1 funcref)"
      "  (data (i32.const 0) \"x\")"
      "  (global (export \"g\") (mut i32) (i32.const 4)) (func $f) (elem (i32.const 0) $f))");
  // Instantiated, without fuel; the host may use all of it.
  CHECK(wasm_memory_grow(fixture_memory(&fixture, 0), 1));
  CHECK(wasm_table_grow(fixture_table(&fixture, 1), 1, NULL));
  wasm_val_t value = I32(5);
  wasm_global_set(fixture_global(&fixture, 2), &value);
  CHECK_INT(consumed_of(fixture.store), 0);
  CHECK_INT(fuel_of(fixture.store), 0);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Start functions

TEST(start_functions) {
  fixture_t fixture = fuelled_fixture(NULL);
  wasm_module_t* endless_start =
      module_from_wat(fixture.store, "(module (func $f (loop (br 0))) (start $f))");
  wasm_module_t* short_start = module_from_wat(
      fixture.store,
      "(module (global $g (mut i32) (i32.const 0)) (func $f (global.set $g (i32.const 1)))"
      "  (start $f))");
  for (uint64_t fuel = 0; fuel <= 10000; fuel += 5000) {
    CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
    wasm_trap_t* trap = NULL;
    CHECK_FAILS(wasm_instance_new(fixture.store, endless_start, NULL, &trap) == NULL);
    CHECK_TRAP_CODE(trap, WASMRT_TRAP_OUT_OF_FUEL);
  }
  CHECK(wasmrt_store_set_fuel(fixture.store, 100));
  uint64_t consumed = consumed_of(fixture.store);
  wasm_instance_t* instance = instantiate(fixture.store, short_start, NULL, 0);
  CHECK(consumed_of(fixture.store) > consumed);
  CHECK(consumed_of(fixture.store) < consumed + 50);
  wasm_instance_delete(instance);
  wasm_module_delete(endless_start);
  wasm_module_delete(short_start);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// Host functions

typedef struct host_t {
  fixture_t* fixture;
  uint64_t fuel, consumed;
  size_t calls;
} host_t;

static wasm_trap_t* look(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  host->fuel = fuel_of(host->fixture->store);
  host->consumed = consumed_of(host->fixture->store);
  host->calls++;
  return NULL;
}

TEST(host_functions_see_the_account) {
  fixture_t fixture = fuelled_fixture(NULL);
  host_t host = {&fixture, 0, 0, 0};
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $host)) (func (export \"f\")"
                         "  (drop (i32.const 1)) (drop (i32.const 1)) (drop (i32.const 1))"
                         "  (call $host) (call $host)))",
                         look, &host);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_NO_TRAP(call_plain(fixture_func(&fixture, 0)));
  CHECK_INT(host.calls, 2);
  CHECK_INT(host.fuel + host.consumed, 1000);
  CHECK(host.consumed > 0 && host.consumed <= consumed_of(fixture.store));
  // A call of a host function from the host runs no WebAssembly.
  wasm_func_t* direct = host_func(fixture.store, "", "", look, &host);
  uint64_t consumed = consumed_of(fixture.store);
  CHECK_NO_TRAP(call_plain(direct));
  CHECK_INT(consumed_of(fixture.store), consumed);
  CHECK_INT(host.consumed, consumed);
  wasm_func_delete(direct);
  fixture_delete(&fixture);
}

// Refuels every time, so that a guest runs further than its fuel went at first; then no more.
static wasm_trap_t* refuel(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  if (++host->calls < 100) {
    CHECK(wasmrt_store_set_fuel(host->fixture->store, 1000));
  } else if (host->calls == 100) {
    CHECK(wasmrt_store_add_fuel(host->fixture->store, 500));
  } else if (host->calls == 110) {
    CHECK(wasmrt_store_set_fuel(host->fixture->store, 0));
  }
  return NULL;
}

TEST(host_functions_refuel) {
  fixture_t fixture = fuelled_fixture(NULL);
  host_t host = {&fixture, 0, 0, 0};
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $host)) (func (export \"f\") (local i32)"
                         "  (loop"
                         "    (call $host)"
                         "    (local.set 0 (i32.const 20))"
                         "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1)))"
                         "      (br_if 0 (local.get 0)))"
                         "    (br 0))))",
                         refuel, &host);
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
  // Each round takes about a hundred: the guest came past the last refuelling, not past the end.
  CHECK(host.calls > 100 && host.calls <= 111);
  CHECK(consumed_of(fixture.store) > 1000);
  fixture_delete(&fixture);
}

// Empties the tank; the guest that called stops.
static wasm_trap_t* empty(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  host->calls++;
  CHECK(wasmrt_store_set_fuel(host->fixture->store, 0));
  CHECK_INT(fuel_of(host->fixture->store), 0);
  return NULL;
}

TEST(host_functions_empty_the_tank) {
  fixture_t fixture = fuelled_fixture(NULL);
  host_t host = {&fixture, 0, 0, 0};
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $host)) (func (export \"f\")"
                         "  (loop (call $host) (br 0))))",
                         empty, &host);
  CHECK(wasmrt_store_set_fuel(fixture.store, UINT64_MAX));
  CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK(host.calls >= 1 && host.calls < 100);
  CHECK(consumed_of(fixture.store) < 1000);
  fixture_delete(&fixture);
}

// Calls the guest's endless loop from inside; hands its trap on, or keeps it to itself.
static wasm_trap_t* nest(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  host_t* host = env;
  wasm_trap_t* trap = call_plain(fixture_func(host->fixture, 1));
  REQUIRE(trap);
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_OUT_OF_FUEL);
  if (host->calls++ == 0) return trap;
  wasm_trap_delete(trap);
  CHECK(wasmrt_store_add_fuel(host->fixture->store, 500));
  return NULL;
}

TEST(nested_calls_share_the_fuel) {
  fixture_t fixture = fuelled_fixture(NULL);
  host_t host = {&fixture, 0, 0, 0};
  fixture_load_with_host(&fixture,
                         "(module (import \"\" \"\" (func $host))"
                         "  (func (export \"outer\") (result i32) (call $host) (i32.const 12))"
                         "  (func (export \"loop\") (loop (br 0))))",
                         nest, &host);
  CHECK(wasmrt_store_set_fuel(fixture.store, 2000));
  wasm_val_t result;
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), NULL, 0, &result, 1), WASMRT_TRAP_OUT_OF_FUEL);
  CHECK_INT(fuel_of(fixture.store) + consumed_of(fixture.store), 2000);
  CHECK(wasmrt_store_set_fuel(fixture.store, 2000));
  CHECK_INT(call_i32(fixture_func(&fixture, 0)), 12);
  CHECK_INT(host.calls, 2);
  fixture_delete(&fixture);
}

// ------------------------------------------------------------------------------------------------
// What instructions copy

TEST(bulk_instructions_in_a_loop) {
  static const char* const bodies[] = {
      "(memory.fill (i32.const 0) (i32.const 1) (i32.const 65536))",
      "(memory.copy (i32.const 0) (i32.const 1) (i32.const 65535))",
      "(memory.init 0 (i32.const 0) (i32.const 0) (i32.const 3))",
      "(table.fill (i32.const 0) (ref.null func) (i32.const 100))",
      "(table.copy (i32.const 0) (i32.const 1) (i32.const 99))",
      "(table.init 0 (i32.const 0) (i32.const 0) (i32.const 1))",
      "(drop (memory.grow (i32.const 0)))",
      "(drop (table.grow (ref.null func) (i32.const 0)))",
      "(drop (memory.size))",
      "(call $f)",
      "(call_indirect (i32.const 100))",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    for (int with_interruption = 0; with_interruption < 2; with_interruption++) {
      char wat[1000];
      snprintf(wat, sizeof wat,
               "(module (memory 1) (table 101 funcref) (data \"abc\") (elem func $f)"
               "  (elem (i32.const 100) func $f)"
               "  (func $f) (func (export \"loop\") (loop %s (br 0))))",
               bodies[i]);
      fixture_t fixture = fixture_with(
          wasmrt_config_set_fuel, with_interruption ? wasmrt_config_set_interruption : NULL, NULL);
      // Before it is instantiated: initialisers of elements may be code.
      CHECK(wasmrt_store_set_fuel(fixture.store, 20000));
      fixture_load(&fixture, wat, NULL, 0);
      CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_OUT_OF_FUEL);
      CHECK_INT(fuel_of(fixture.store) + consumed_of(fixture.store), 20000);
      CHECK(consumed_of(fixture.store) > 10000);
      fixture_delete(&fixture);
    }
  }
}

// The fuel that a function takes, with and without interruption: with this amount it ends in the
// same way, with less it runs out. The fuel left and the fuel consumed always add up to the fuel
// given.
TEST(fuel_is_exact) {
  static const struct {
    const char* body;
    uint64_t least, most; // units, where a unit is 64 bytes or up to 64 elements
    wasmrt_trap_code_t code;
  } cases[] = {
      {"(memory.fill (i32.const 0) (i32.const 1) (i32.const 6400))", 100, 110, 0},
      {"(memory.copy (i32.const 0) (i32.const 1) (i32.const 128000))", 2000, 2010, 0},
      {"(memory.init $d (i32.const 0) (i32.const 0) (i32.const 3))", 1, 10, 0},
      {"(table.fill (i32.const 0) (ref.null func) (i32.const 6400))", 100, 410, 0},
      {"(table.copy (i32.const 0) (i32.const 0) (i32.const 6400))", 100, 410, 0},
      {"(drop (table.grow (ref.null func) (i32.const 64000)))", 1000, 4010, 0},
      {"(drop (table.grow (ref.null func) (i32.const 640000)))", 10000, 40010, 0},
      {"(drop (table.get (i32.const 1)))", 2, 10, 0},
      // What traps or fails in any case costs as much as an instruction.
      {"(memory.fill (i32.const 0) (i32.const 1) (i32.const -1))", 1, 10,
       WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS},
      {"(memory.copy (i32.const 1) (i32.const 0) (i32.const 131072))", 1, 10,
       WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS},
      {"(memory.init $d (i32.const 0) (i32.const 0) (i32.const 65536))", 1, 10,
       WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS},
      {"(table.fill (i32.const 0) (ref.null func) (i32.const -1))", 1, 10,
       WASMRT_TRAP_TABLE_OUT_OF_BOUNDS},
      {"(table.copy (i32.const 1) (i32.const 0) (i32.const 6400))", 1, 10,
       WASMRT_TRAP_TABLE_OUT_OF_BOUNDS},
      {"(drop (table.grow (ref.null func) (i32.const -1)))", 1, 10, 0},
      {"(drop (memory.grow (i32.const -1)))", 1, 10, 0},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char wat[600];
    snprintf(wat, sizeof wat,
             "(module (memory 2) (table 6400 funcref) (data $d \"abc\")"
             "  (func (export \"f\") %s))",
             cases[i].body);
    uint64_t costs[2] = {0, 0};
    for (int interruption = 0; interruption < 2; interruption++) {
      fixture_t fixture = fixture_with(wasmrt_config_set_fuel,
                                       interruption ? wasmrt_config_set_interruption : NULL, NULL);
      // There an instruction that moves something costs some 10 in itself, and what a function
      // consumed until it trapped is not known.
      bool as_wasmtime = counts_as_wasmtime(fixture.engine);
      if (as_wasmtime && cases[i].code) {
        fixture_delete(&fixture);
        continue;
      }
      wasm_module_t* module = module_from_wat(fixture.store, wat);
      const uint64_t enough = 1000000;
      for (int short_of = -1; short_of < 6; short_of++) {
        uint64_t fuel = short_of < 0 ? enough : costs[interruption] - (uint64_t)short_of;
        if (short_of > 0 && costs[interruption] < (uint64_t)short_of) break;
        wasm_store_t* store = wasm_store_new(fixture.engine);
        CHECK(wasmrt_store_set_fuel(store, fuel));
        wasm_instance_t* instance = instantiate(store, module, NULL, 0);
        CHECK_INT(consumed_of(store), 0);
        wasm_extern_vec_t exports;
        wasm_instance_exports(instance, &exports);
        wasm_trap_t* trap = call_plain(wasm_extern_as_func(exports.data[0]));
        wasmrt_trap_code_t code = short_of > 0 ? WASMRT_TRAP_OUT_OF_FUEL : cases[i].code;
        if (!CHECK_INT(trap ? wasmrt_trap_code(trap) : 0, code))
          fprintf(stderr, "    %d short of it, in %s\n", short_of, cases[i].body);
        wasm_trap_delete(trap);
        CHECK_INT(fuel_of(store) + consumed_of(store), fuel);
        if (short_of < 0) costs[interruption] = consumed_of(store);
        wasm_extern_vec_delete(&exports);
        wasm_instance_delete(instance);
        wasm_store_delete(store);
      }
      uint64_t most = cases[i].most + (as_wasmtime ? 20 : 0);
      if (!CHECK(costs[interruption] >= cases[i].least && costs[interruption] <= most))
        fprintf(stderr, "    %" PRIu64 " in %s\n", costs[interruption], cases[i].body);
      wasm_module_delete(module);
      fixture_delete(&fixture);
    }
    CHECK_INT(costs[1], costs[0]);
  }
}
