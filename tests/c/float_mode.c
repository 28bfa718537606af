// WebAssembly computes as IEEE 754 says, whatever the floating-point mode of the host's thread. The
// host's mode is restored afterwards and in callbacks.
#define _GNU_SOURCE // feenableexcept
#include "configured.h"

#include <fenv.h>
#include <math.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

// A mode of the processor: how it rounds, and whether it treats very small numbers as zero.
typedef struct float_mode_t {
  int rounding;
  bool flush;
} float_mode_t;

static const float_mode_t modes[] = {
    {FE_TONEAREST, false}, {FE_TOWARDZERO, false}, {FE_UPWARD, false},
    {FE_DOWNWARD, false},  {FE_TONEAREST, true},   {FE_DOWNWARD, true},
};
enum { MODES = sizeof(modes) / sizeof(modes[0]) };

#if defined(__x86_64__)
enum { FLUSH = 0x8040 }; // flush to zero, denormals are zero
#endif

static void set_mode(float_mode_t mode) {
  fesetround(mode.rounding);
#if defined(__x86_64__)
  _mm_setcsr((_mm_getcsr() & ~(unsigned)FLUSH) | (mode.flush ? FLUSH : 0));
#endif
}

static bool mode_is(float_mode_t mode) {
  bool flush = mode.flush;
#if defined(__x86_64__)
  flush = (_mm_getcsr() & FLUSH) == FLUSH;
#endif
  return fegetround() == mode.rounding && flush == mode.flush;
}

// 1 + 3 * 2^-54 is one step up if rounded to the nearest; 2^-1022 / 2 is not zero.
static const char* wat =
    "(module (import \"\" \"\" (func $h (param f64) (result f64)))"
    "  (func $sum (export \"sum\") (param f64 f64) (result f64)"
    "    (f64.add (local.get 0) (local.get 1)))"
    "  (func $half (export \"half\") (param f64) (result f64)"
    "    (f64.mul (local.get 0) (f64.const 0.5)))"
    "  (func (export \"constant\") (result f64) (f64.add (f64.const 1) (f64.const 0x1.8p-53)))"
    "  (func (export \"small\") (result f64) (f64.mul (f64.const 0x1p-1022) (f64.const 0.5)))"
    "  (func (export \"after\") (param f64) (result f64)"
    "    (f64.add (call $h (local.get 0)) (f64.const 0x1.8p-53)))"
    "  (func (export \"trap\") (drop (f64.add (f64.const 1) (f64.const 2))) (unreachable))"
    "  (global (export \"g\") f64 (f64.const 0.1)))";
enum { SUM, HALF, CONSTANT, SMALL, AFTER, TRAP, GLOBAL };

static const double up = 0x1.0000000000001p+0, small = 0x1p-1023;

typedef struct context_t {
  fixture_t fixture;
  float_mode_t outside; // the mode that the callback finds
  float_mode_t after;   // and the one that it leaves
} context_t;

static uint64_t bits(double number) {
  uint64_t result;
  memcpy(&result, &number, sizeof(result));
  return result;
}

// Compared by their bits: in some modes small numbers are equal to zero.
static void check_number(const fixture_t* fixture, size_t index, const wasm_val_t* arguments,
                         size_t count, double expected) {
  wasm_val_t result;
  CHECK_NO_TRAP(call(fixture_func(fixture, index), arguments, count, &result, 1));
  CHECK_INT(bits(result.of.f64), bits(expected));
}

static void check_arithmetic(const fixture_t* fixture) {
  wasm_val_t sum[2] = {F64(1), F64(0x1.8p-53)}, half[1] = {F64(0x1p-1022)};
  check_number(fixture, SUM, sum, 2, up);
  check_number(fixture, HALF, half, 1, small);
  check_number(fixture, CONSTANT, NULL, 0, up);
  check_number(fixture, SMALL, NULL, 0, small);
}

// In its own mode, even after it makes calls.
static wasm_trap_t* host(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  context_t* context = env;
  CHECK(mode_is(context->outside));
  check_arithmetic(&context->fixture);
  CHECK(mode_is(context->outside));
  results->data[0] = arguments->data[0];
  set_mode(context->after);
  return NULL;
}

// A host that is asked while a guest runs is asked in its own mode.
typedef struct poll_t {
  float_mode_t mode;
  int calls;
} poll_t;

static bool on_poll(void* env) {
  poll_t* poll = env;
  CHECK(mode_is(poll->mode));
  return ++poll->calls < 2;
}

static void check_poll_in_mode(float_mode_t mode) {
  set_mode(mode);
  fixture_t fixture = fixture_with(wasmrt_config_set_interruption, NULL,
                                   "(module (func (export \"\") (loop (br 0))))");
  poll_t poll = {mode, 0};
  CHECK(wasmrt_store_set_poll(fixture.store, on_poll, &poll, NULL));
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_INTERRUPTED);
  wasm_trap_delete(trap);
  CHECK_INT(poll.calls, 2);
  CHECK(mode_is(mode));
  fixture_delete(&fixture);
  set_mode(modes[0]);
}

static void check_in_mode(float_mode_t mode) {
  context_t context = {{NULL, NULL, NULL, NULL, WASM_EMPTY_VEC}, mode, mode};
  set_mode(mode);
  context.fixture = fixture_new();
  wasm_func_t* func = host_func(context.fixture.store, "F", "F", host, &context);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(func)};
  fixture_load(&context.fixture, wat, imports, 1);
  CHECK(mode_is(mode));
  check_arithmetic(&context.fixture);
  CHECK(mode_is(mode));
  wasm_val_t global;
  wasm_global_get(fixture_global(&context.fixture, GLOBAL), &global);
  CHECK_INT(bits(global.of.f64), 0x3fb999999999999a);
  wasm_val_t argument = F64(1);
  for (size_t i = 0; i < MODES; i++) {
    // A mode that a callback sets persists, as if there were no WebAssembly between it and its
    // caller.
    context.outside = mode;
    context.after = modes[i];
    check_number(&context.fixture, AFTER, &argument, 1, up);
    CHECK(mode_is(modes[i]));
    check_arithmetic(&context.fixture);
    CHECK(mode_is(modes[i]));
    set_mode(mode);
  }
  CHECK_TRAP(call_plain(fixture_func(&context.fixture, TRAP)), "unreachable");
  CHECK(mode_is(mode));
  wasm_func_delete(func);
  fixture_delete(&context.fixture);
  CHECK(mode_is(mode));
  set_mode(modes[0]);
}

TEST(arithmetic_and_the_hosts_mode) {
  for (size_t i = 0; i < MODES; i++) {
    check_in_mode(modes[i]);
    check_poll_in_mode(modes[i]);
  }
}

#if defined(__GLIBC__) && defined(__x86_64__)
// Guests divide by zero and round, which is not an error.
TEST(exceptions_that_the_host_unmasks) {
  feenableexcept(FE_ALL_EXCEPT);
  fixture_t fixture = fixture_from_wat(
      "(module (func (export \"f\") (param f64) (result f64)"
      "    (f64.mul (f64.const 0.1) (f64.div (local.get 0) (f64.const 3))))"
      "  (func (export \"g\") (param f64) (result f64) (f64.div (f64.const 1) (local.get 0)))"
      "  (global f64 (f64.const 0.1)))");
  wasm_val_t arguments[2] = {F64(1), F64(0)}, results[2];
  wasm_trap_t* traps[2];
  for (size_t i = 0; i < 2; i++)
    traps[i] = call(fixture_func(&fixture, i), &arguments[i], 1, &results[i], 1);
  int unmasked = fegetexcept();
  fedisableexcept(FE_ALL_EXCEPT);
  feclearexcept(FE_ALL_EXCEPT);
  CHECK_INT(unmasked, FE_ALL_EXCEPT);
  for (size_t i = 0; i < 2; i++) CHECK_NO_TRAP(traps[i]);
  CHECK(results[0].of.f64 > 0.0333 && results[0].of.f64 < 0.0334);
  CHECK(isinf(results[1].of.f64));
  fixture_delete(&fixture);
}
#endif
