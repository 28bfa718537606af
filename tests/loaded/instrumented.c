// Modules that are rewritten for an engine that is loaded: what they pay, and what nobody sees of it.
// The folder of the stand-ins is in STANDINS.
#include "../c/configured.h"

static const char* const standins[] = {"libplain.so", "libiwasm.so", "libwasmer.so"};
enum { STANDINS = sizeof standins / sizeof *standins, PAGE = 65536 };

// An engine of a stand-in, or of a backend that is compiled in; NULL if there is none.
static wasm_engine_t* engine_of(const char* name, config_switch_t first, config_switch_t second) {
  const char* folder = getenv("STANDINS");
  REQUIRE(folder);
  char path[1024];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  wasm_config_t* config = config_with(first, second);
  if (!wasmrt_config_set_backend(config, strstr(name, ".so") ? path : name)) {
    wasm_config_delete(config);
    return NULL;
  }
  wasm_engine_t* engine = wasm_engine_new_with_config(config);
  REQUIRE(engine);
  return engine;
}

static fixture_t fixture_on(wasm_engine_t* engine) {
  return (fixture_t){engine, wasm_store_new(engine), NULL, NULL, WASM_EMPTY_VEC};
}

static fixture_t fuelled_on(const char* name) {
  fixture_t fixture = fixture_on(engine_of(name, wasmrt_config_set_fuel, NULL));
  CHECK(wasmrt_store_set_fuel(fixture.store, 1000000));
  return fixture;
}

static const char* programs =
    "(module (memory $m 1) (memory 1) (table $t 10 funcref) (data $d \"abcdefgh\") (type $v (func))"
    "  (elem $e funcref (ref.null func)) (elem (i32.const 0) $nothing $tail)"
    "  (func $nothing (export \"nothing\"))"
    "  (func (export \"loop\") (local i32) (local.set 0 (i32.const 1000))"
    "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1))) (br_if 0 (local.get 0))))"
    "  (func $fib (param i32) (result i32)"
    "    (if (result i32) (i32.lt_u (local.get 0) (i32.const 2)) (then (local.get 0))"
    "      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))"
    "        (call $fib (i32.sub (local.get 0) (i32.const 2)))))))"
    "  (func (export \"calls\") (drop (call $fib (i32.const 12))))"
    "  (func $tail (return_call $nothing))"
    "  (func (export \"indirect\") (call_indirect (type $v) (i32.const 1))"
    "    (call_indirect (type $v) (i32.const 0)))"
    "  (func (export \"tables\") (local i32) (loop"
    "    (block (block (block (br_table 0 1 2 (i32.rem_u (local.get 0) (i32.const 3))))"
    "      nop (drop (i32.const 1)) (br 1)) (local.set 0 (i32.add (local.get 0) (i32.const 5))))"
    "    (local.set 0 (i32.add (local.get 0) (i32.const 1)))"
    "    (br_if 0 (i32.lt_u (local.get 0) (i32.const 100)))))"
    "  (func (export \"early\") (block (br_if 0 (i32.const 1)) (drop (i32.const 2)) unreachable)"
    "    (drop (i32.const 3)) return (drop (i32.const 4)))"
    "  (func (export \"moves\") (memory.fill (i32.const 0) (i32.const 1) (i32.const 6000))"
    "    (memory.copy (i32.const 0) (i32.const 9) (i32.const 60000))"
    "    (memory.fill (i32.const 0) (i32.const 1) (i32.const 60))"
    "    (memory.init $m $d (i32.const 0) (i32.const 1) (i32.const 5))"
    "    (table.fill $t (i32.const 0) (ref.null func) (i32.const 10))"
    "    (table.init $t $e (i32.const 0) (i32.const 0) (i32.const 1)))"
    "  (func (export \"growth\") (drop (memory.grow $m (i32.const 2)))"
    "    (drop (memory.grow 1 (i32.const -1))) (drop (table.grow $t (ref.null func) (i32.const 3)))"
    "    (drop (table.grow $t (ref.null func) (i32.const 700)))"
    "    (drop (table.grow $t (ref.null func) (i32.const -1)))))";

// A stretch of code costs on every engine that is loaded what it costs on wasmtime.
TEST(fuel_is_that_of_wasmtime) {
  enum { PROGRAMS = 8 };
  uint64_t costs[STANDINS + 1][PROGRAMS];
  wasm_engine_t* reference = engine_of("wasmtime", wasmrt_config_set_fuel, NULL);
  if (!reference) return; // it is not compiled in
  for (size_t i = 0; i <= STANDINS; i++) {
    fixture_t fixture = i ? fuelled_on(standins[i - 1]) : fixture_on(reference);
    CHECK(wasmrt_store_set_fuel(fixture.store, 1000000));
    fixture_load(&fixture, programs, NULL, 0);
    // Instances may need some on wasmtime.
    uint64_t before = fuel_of(fixture.store);
    for (size_t j = 0; j < PROGRAMS; j++) {
      CHECK_NO_TRAP(call_plain(fixture_func(&fixture, j)));
      uint64_t left = fuel_of(fixture.store);
      costs[i][j] = before - left;
      before = left;
      CHECK_INT(costs[i][j], costs[0][j]);
    }
    fixture_delete(&fixture);
  }
  CHECK_INT(costs[0][0], 1);
}

// Nothing of what was added can be seen.
TEST(nothing_more_can_be_seen) {
  for (size_t i = 0; i < STANDINS; i++) {
    fixture_t fixture =
        fixture_on(engine_of(standins[i], wasmrt_config_set_fuel, wasmrt_config_set_interruption));
    CHECK(wasmrt_store_set_fuel(fixture.store, 1000));
    fixture_load(&fixture,
                 "(module (memory 1) (global (export \"account\") i32 (i32.const 7))"
                 "  (func (export \"f\") (result i32) (memory.grow (i32.const 1)))"
                 "  (global $s (mut i32) (i32.const 0)) (start $s)"
                 "  (func $s (global.set $s (i32.const 1))))",
                 NULL, 0);
    CHECK_INT(fixture.exports.size, 2);
    wasm_importtype_vec_t imports;
    wasm_module_imports(fixture.module, &imports);
    CHECK_INT(imports.size, 0);
    wasm_importtype_vec_delete(&imports);
    wasm_exporttype_vec_t exports;
    wasm_module_exports(fixture.module, &exports);
    CHECK_INT(exports.size, 2);
    wasm_exporttype_vec_delete(&exports);
    wasm_val_t value;
    wasm_global_get(fixture_global(&fixture, 0), &value);
    CHECK_INT(value.of.i32, 7);
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), 1);
    fixture_delete(&fixture);
  }
}

// A module is refused that refers to what would be added to it: by the index of a global or a
// function that does not exist.
TEST(nothing_that_is_added_can_be_reached) {
  static const char* const codes[] = {"global.get 0 drop", "call 0", "ref.func 0 drop",
                                      "i32.const 0 call_indirect (type 0)"};
  for (size_t i = 0; i < STANDINS; i++) {
    wasm_engine_t* engine =
        engine_of(standins[i], wasmrt_config_set_fuel, wasmrt_config_set_interruption);
    wasm_store_t* store = wasm_store_new(engine);
    for (size_t j = 0; j < sizeof codes / sizeof *codes; j++) {
      char wat[400];
      snprintf(wat, sizeof wat,
               "(module (table 1 funcref) (global (mut i64) (i64.const 0)) (func %s)"
               "  (elem declare func 0))",
               codes[j]);
      wasm_byte_vec_t binary = binary_from_wat(wat);
      size_t place = 0;
      for (size_t at = 0; at + 1 < binary.size; at++) {
        const unsigned char* bytes = (const unsigned char*)binary.data + at;
        static const unsigned char opcodes[] = {0x23, 0x10, 0xd2, 0x11};
        if (bytes[0] == opcodes[j] && bytes[1] == 0) place = at;
      }
      REQUIRE(place > 0);
      for (char index = 1; index < 5; index++) {
        binary.data[place + 1] = index;
        CHECK_FAILS(wasm_module_new(store, &binary) == NULL);
        CHECK(!wasm_module_validate(store, &binary));
      }
      wasm_byte_vec_delete(&binary);
    }
    wasm_store_delete(store);
    wasm_engine_delete(engine);
  }
}

// Fuel is one account, whichever instance uses it.
TEST(instances_have_the_fuel_in_common) {
  for (size_t i = 0; i < STANDINS; i++) {
    for (int interruption = 0; interruption < 2; interruption++) {
      fixture_t fixture =
          fixture_on(engine_of(standins[i], wasmrt_config_set_fuel,
                               interruption ? wasmrt_config_set_interruption : NULL));
      fixture_load(&fixture,
                   "(module (func (export \"f\") (param i32) (result i32)"
                   "  (i32.add (local.get 0) (i32.const 1))))",
                   NULL, 0);
      wasm_module_t* module = module_from_wat(
          fixture.store,
          "(module (import \"\" \"f\" (func $f (param i32) (result i32)))"
          "  (func (export \"g\") (param i32) (result i32) (local i32)"
          "    (loop (local.set 1 (call $f (local.get 1)))"
          "      (br_if 0 (i32.lt_u (local.get 1) (local.get 0)))) (local.get 1)))");
      wasm_extern_t* imports[1] = {fixture.exports.data[0]};
      wasm_instance_t* instance = instantiate(fixture.store, module, imports, 1);
      wasm_extern_vec_t exports;
      wasm_instance_exports(instance, &exports);
      wasm_func_t* func = wasm_extern_as_func(exports.data[0]);
      CHECK(wasmrt_store_set_fuel(fixture.store, 100000));
      CHECK_INT(call_i32_i32(func, 100), 100);
      uint64_t needed = 100000 - fuel_of(fixture.store);
      // 4 in the one, 7 in the other, a hundred times.
      CHECK(needed >= 1100 && needed < 1110);
      for (uint64_t fuel = 0; fuel < needed; fuel += 7) {
        CHECK(wasmrt_store_set_fuel(fixture.store, fuel));
        wasm_val_t argument = I32(100), result = I32(0);
        CHECK_TRAP_CODE(call(func, &argument, 1, &result, 1), WASMRT_TRAP_OUT_OF_FUEL);
        CHECK_INT(fuel_of(fixture.store), 0);
      }
      CHECK(wasmrt_store_set_fuel(fixture.store, needed));
      CHECK_INT(call_i32_i32(func, 100), 100);
      CHECK_INT(fuel_of(fixture.store), 0);
      wasm_extern_vec_delete(&exports);
      wasm_instance_delete(instance);
      wasm_module_delete(module);
      fixture_delete(&fixture);
    }
  }
}

// What is left of an instance that was not made pays as well.
TEST(functions_of_an_instance_that_failed_pay) {
  fixture_t fixture = fuelled_on("libwasmer.so");
  fixture_load(&fixture,
               "(module (table (export \"t\") 1 funcref) (type $f (func (result i32)))"
               "  (func (export \"call\") (result i32) (call_indirect (type $f) (i32.const 0))))",
               NULL, 0);
  wasm_module_t* module =
      module_from_wat(fixture.store,
                      "(module (import \"\" \"t\" (table 1 funcref)) (memory 1)"
                      "  (elem (i32.const 0) $f) (data (i32.const 65536) \"x\")"
                      "  (func $f (result i32) (local i32) (local.set 0 (i32.const 100))"
                      "    (loop (local.set 0 (i32.sub (local.get 0) (i32.const 1)))"
                      "      (br_if 0 (local.get 0))) (i32.const 9)))");
  wasm_extern_t* imports[1] = {fixture.exports.data[0]};
  wasm_extern_vec_t vec = {1, imports};
  wasm_trap_t* trap = NULL;
  CHECK_FAILS(wasm_instance_new(fixture.store, module, &vec, &trap) == NULL);
  wasm_trap_delete(trap);
  CHECK_INT(call_i32(fixture_func(&fixture, 1)), 9);
  uint64_t needed = 1000000 - fuel_of(fixture.store);
  CHECK(needed > 600 && needed < 620);
  CHECK(wasmrt_store_set_fuel(fixture.store, needed - 1));
  wasm_val_t result = I32(0);
  CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), NULL, 0, &result, 1), WASMRT_TRAP_OUT_OF_FUEL);
  wasm_module_delete(module);
  fixture_delete(&fixture);
}

// Places in traps are those of the module as it was given.
TEST(places_are_those_of_the_module) {
  static const char* wat =
      "(module (memory 1) (table $t 4 externref) (func $f (export \"f\") (param i32)"
      "    (drop (memory.grow (i32.const 0)))"
      "    (if (local.get 0) (then (call $g (local.get 0))))"
      "    (table.fill $t (i32.const 0) (ref.null extern) (i32.const 100)))"
      "  (func $g (param i32) (drop (i32.load (i32.sub (local.get 0) (i32.const 1))))"
      "    (loop (drop (memory.grow (i32.const 0))) (br_if 0 (i32.const 0))) unreachable))";
  enum { CASES = 3 };
  static const int32_t arguments[CASES] = {0, 1, -1};
  size_t offsets[2][CASES][2] = {{{0}}};
  for (size_t i = 0; i < 2; i++) {
    wasm_engine_t* engine =
        engine_of(i ? "libwasmer.so" : "wasmtime", i ? wasmrt_config_set_fuel : NULL, NULL);
    if (!engine) return; // wasmtime is not compiled in
    fixture_t fixture = fixture_on(engine);
    if (i) CHECK(wasmrt_store_set_fuel(fixture.store, 1000000));
    fixture_load(&fixture, wat, NULL, 0);
    for (size_t j = 0; j < CASES; j++) {
      wasm_val_t argument = I32(arguments[j]);
      wasm_trap_t* trap = call(fixture_func(&fixture, 0), &argument, 1, NULL, 0);
      REQUIRE(trap);
      wasm_frame_vec_t trace;
      wasm_trap_trace(trap, &trace);
      for (size_t k = 0; k < trace.size && k < 2; k++) {
        offsets[i][j][k] = wasm_frame_module_offset(trace.data[k]);
        CHECK_INT(wasm_frame_func_index(trace.data[k]), j == 0 ? 0 : 1 - k);
      }
      // The stand-in is an interpreter, which keeps no frames.
      for (size_t k = 0; i && trace.size && k < 2; k++)
        CHECK_INT(offsets[1][j][k], offsets[0][j][k]);
      wasm_frame_vec_delete(&trace);
      wasm_trap_delete(trap);
    }
    fixture_delete(&fixture);
  }
}

typedef struct {
  wasm_store_t* store;
  wasmrt_interrupt_t* interrupt;
  int finalized;
} interrupting_t;

static void count_finalized(void* info) {
  ++*(int*)info;
}

static wasm_trap_t* give_and_interrupt(void* env, const wasm_val_vec_t* arguments,
                                       wasm_val_vec_t* results) {
  (void)arguments;
  interrupting_t* host = env;
  wasm_foreign_t* foreign = wasm_foreign_new(host->store);
  wasm_foreign_set_host_info_with_finalizer(foreign, &host->finalized, count_finalized);
  results->data[0] = (wasm_val_t){.kind = WASM_EXTERNREF, .of.ref = wasm_foreign_as_ref(foreign)};
  wasmrt_interrupt_trigger(host->interrupt);
  return NULL;
}

// Results of a host function after which the guest stops are released, because no guest gets them.
TEST(results_are_released_if_the_guest_stops) {
  fixture_t fixture = fixture_on(engine_of("libwasmer.so", wasmrt_config_set_interruption, NULL));
  interrupting_t host = {fixture.store, wasmrt_interrupt_new(fixture.store), 0};
  wasm_functype_t* type = wasm_functype_new_0_1(wasm_valtype_new(WASM_EXTERNREF));
  wasm_func_t* func = wasm_func_new_with_env(fixture.store, type, give_and_interrupt, &host, NULL);
  wasm_functype_delete(type);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(func)};
  fixture_load(&fixture,
               "(module (import \"\" \"f\" (func $f (result externref)))"
               "  (func (export \"g\") (drop (call $f))))",
               imports, 1);
  wasm_func_delete(func);
  for (int i = 1; i <= 3; i++) {
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 0)), WASMRT_TRAP_INTERRUPTED);
    CHECK_INT(host.finalized, i);
    wasmrt_interrupt_clear(host.interrupt);
  }
  wasmrt_interrupt_delete(host.interrupt);
  fixture_delete(&fixture);
}

// A guest that grows without end, and one that runs without end, on each.
TEST(bombs) {
  for (size_t i = 0; i < STANDINS; i++) {
    fixture_t fixture = fixture_on(engine_of(standins[i], wasmrt_config_set_interruption, NULL));
    CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_MEMORY_BYTES, 20 * PAGE));
    CHECK(wasmrt_store_set_limit(fixture.store, WASMRT_STORE_LIMIT_TABLE_ELEMENTS, 1000));
    fixture_load(&fixture,
                 "(module (memory 1) (table 1 externref)"
                 "  (func (export \"memory\") (result i32) (loop"
                 "    (br_if 0 (i32.ne (memory.grow (i32.const 1)) (i32.const -1)))) (memory.size))"
                 "  (func (export \"table\") (result i32) (loop"
                 "    (br_if 0 (i32.ne (table.grow (ref.null extern) (i32.const 9))"
                 "      (i32.const -1)))) (table.size))"
                 "  (func (export \"loop\") (loop (br 0))))",
                 NULL, 0);
    CHECK_INT(call_i32(fixture_func(&fixture, 0)), 20);
    CHECK_INT(call_i32(fixture_func(&fixture, 1)), 1000);
    CHECK(wasmrt_store_set_call_timeout(fixture.store, 20000000));
    CHECK_TRAP_CODE(call_plain(fixture_func(&fixture, 2)), WASMRT_TRAP_TIMEOUT);
    CHECK(wasmrt_store_set_growth_trap(fixture.store, true));
    wasm_val_t result = I32(0);
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 0), NULL, 0, &result, 1), WASMRT_TRAP_MEMORY_LIMIT);
    CHECK_TRAP_CODE(call(fixture_func(&fixture, 1), NULL, 0, &result, 1), WASMRT_TRAP_TABLE_LIMIT);
    fixture_delete(&fixture);
  }
}
