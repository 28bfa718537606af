// Frames: where a trap happened, on engines that keep a backtrace.
#include "test.h"

// Three functions deep; $import makes function indices and positions in the code section differ.
static const char* wat =
    "(module"
    "  (import \"\" \"\" (func $import))"
    "  (func $outer (export \"outer\") nop nop (call $middle))"
    "  (func $middle (local i64 i32) nop (call $inner) nop)"
    "  (func $inner nop nop nop unreachable)"
    "  (func (export \"host\") (call $import)))";

static wasm_trap_t* do_nothing(void* env, const wasm_val_vec_t* arguments,
                               wasm_val_vec_t* results) {
  (void)env;
  (void)arguments;
  (void)results;
  return NULL;
}

static bool has_frames(const fixture_t* fixture) {
  return !backend_is(fixture->engine, "wasmi");
}

static fixture_t trapping_fixture(wasm_func_callback_with_env_t callback, void* env) {
  fixture_t fixture = fixture_new();
  wasm_func_t* host = host_func(fixture.store, "", "", callback, env);
  wasm_extern_t* imports[1] = {wasm_func_as_extern(host)};
  fixture_load(&fixture, wat, imports, 1);
  wasm_func_delete(host);
  return fixture;
}

static size_t read_number(const wasm_byte_vec_t* binary, size_t* position) {
  size_t number = 0;
  for (unsigned shift = 0;; shift += 7) {
    REQUIRE(*position < binary->size);
    unsigned char byte = (unsigned char)binary->data[(*position)++];
    number |= (size_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80)) return number;
  }
}

// Where the body (its locals) of the index-th function of the code section starts.
static size_t body_start(const wasm_byte_vec_t* binary, size_t index) {
  size_t position = 8;
  for (;;) {
    REQUIRE(position < binary->size);
    int section = binary->data[position++];
    size_t size = read_number(binary, &position);
    if (section == 10) break;
    position += size;
  }
  REQUIRE(index < read_number(binary, &position));
  for (;; index--) {
    size_t size = read_number(binary, &position);
    if (index == 0) return position;
    position += size;
  }
}

static void check_frame(const wasm_frame_t* frame, const fixture_t* fixture,
                        const wasm_byte_vec_t* binary, uint32_t func_index, int opcode) {
  REQUIRE(frame);
  CHECK_INT(wasm_frame_func_index(frame), func_index);
  size_t offset = wasm_frame_module_offset(frame);
  REQUIRE(offset < binary->size);
  CHECK_INT((unsigned char)binary->data[offset], opcode);
  CHECK_INT(wasm_frame_func_offset(frame), offset - body_start(binary, func_index - 1));
  CHECK(wasm_frame_instance(frame) != NULL);
  CHECK(wasm_instance_same(wasm_frame_instance(frame), fixture->instance));
}

static const int call_opcode = 0x10, unreachable_opcode = 0x00;

TEST(trap_trace_has_indices_offsets_and_instances) {
  fixture_t fixture = trapping_fixture(do_nothing, NULL);
  wasm_byte_vec_t binary = binary_from_wat(wat);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  REQUIRE(trap);
  wasm_frame_vec_t trace;
  GARBAGE(trace);
  wasm_trap_trace(trap, &trace);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  if (has_frames(&fixture)) {
    REQUIRE(trace.size == 3);
    check_frame(trace.data[0], &fixture, &binary, 3, unreachable_opcode);
    check_frame(trace.data[1], &fixture, &binary, 2, call_opcode);
    check_frame(trace.data[2], &fixture, &binary, 1, call_opcode);
    check_frame(origin, &fixture, &binary, 3, unreachable_opcode);
  } else {
    CHECK_INT(trace.size, 0);
    CHECK_NULL(origin);
  }
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(frames_own_what_they_need) {
  fixture_t fixture = trapping_fixture(do_nothing, NULL);
  bool frames = has_frames(&fixture);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  wasm_frame_vec_t trace, copy;
  wasm_trap_trace(trap, &trace);
  wasm_frame_t* origin = wasm_trap_origin(trap);
  wasm_frame_t* origin_copy = origin ? wasm_frame_copy(origin) : NULL;
  GARBAGE(copy);
  wasm_frame_vec_copy(&copy, &trace);
  CHECK_INT(copy.size, trace.size);
  wasm_trap_delete(trap);
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  fixture_delete(&fixture); // the copies outlive even every handle to the store
  if (frames) {
    REQUIRE(copy.size == 3 && origin_copy);
    CHECK_INT(wasm_frame_func_index(copy.data[1]), 2);
    CHECK_INT(wasm_frame_func_index(origin_copy), 3);
    CHECK_INT(wasm_frame_func_offset(copy.data[0]), wasm_frame_func_offset(origin_copy));
    CHECK_INT(wasm_frame_module_offset(copy.data[0]), wasm_frame_module_offset(origin_copy));
    wasm_instance_t* instance = wasm_frame_instance(origin_copy);
    REQUIRE(instance);
    wasm_extern_vec_t exports;
    wasm_instance_exports(instance, &exports);
    CHECK_INT(exports.size, 2);
    wasm_extern_vec_delete(&exports);
  }
  wasm_frame_delete(origin_copy);
  wasm_frame_vec_delete(&copy);
}

TEST(trap_copy_keeps_the_trace) {
  fixture_t fixture = trapping_fixture(do_nothing, NULL);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  wasm_trap_t* copy = wasm_trap_copy(trap);
  wasm_trap_delete(trap);
  wasm_frame_vec_t trace;
  wasm_trap_trace(copy, &trace);
  CHECK_INT(trace.size, has_frames(&fixture) ? 3 : 0);
  wasm_frame_t* origin = wasm_trap_origin(copy);
  CHECK((origin != NULL) == has_frames(&fixture));
  if (origin) CHECK_INT(wasm_frame_func_index(origin), 3);
  wasm_frame_delete(origin);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(copy);
  fixture_delete(&fixture);
}

static wasm_trap_t* give_trap(void* env, const wasm_val_vec_t* arguments, wasm_val_vec_t* results) {
  (void)arguments;
  (void)results;
  return new_trap(*(wasm_store_t**)env, "of the host");
}

// A host function has no frame; its caller has one.
TEST(trace_of_a_host_trap) {
  wasm_store_t* store = NULL;
  fixture_t fixture = trapping_fixture(give_trap, &store);
  store = fixture.store;
  wasm_byte_vec_t binary = binary_from_wat(wat);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 1));
  REQUIRE(trap);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (has_frames(&fixture)) {
    REQUIRE(trace.size == 1);
    check_frame(trace.data[0], &fixture, &binary, 4, call_opcode);
  } else {
    CHECK_INT(trace.size, 0);
  }
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

TEST(a_trap_that_never_ran_has_no_frames) {
  fixture_t fixture = fixture_new();
  wasm_trap_t* trap = new_trap(fixture.store, "not thrown");
  CHECK_NULL(wasm_trap_origin(trap));
  wasm_frame_vec_t trace;
  GARBAGE(trace);
  wasm_trap_trace(trap, &trace);
  CHECK_INT(trace.size, 0);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}

// Each frame has its own instance, even if a trap passes from one module to another.
TEST(frames_of_two_modules) {
  fixture_t inner = fixture_from_wat("(module (func (export \"f\") nop unreachable))");
  wasm_module_t* module = module_from_wat(
      inner.store, "(module (import \"\" \"\" (func $f)) (func (export \"g\") (call $f)))");
  wasm_instance_t* outer = instantiate(inner.store, module, inner.exports.data, 1);
  wasm_extern_vec_t exports;
  wasm_instance_exports(outer, &exports);
  wasm_trap_t* trap = call_plain(wasm_extern_as_func(exports.data[0]));
  REQUIRE(trap);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  if (has_frames(&inner)) {
    REQUIRE(trace.size == 2);
    CHECK_INT(wasm_frame_func_index(trace.data[0]), 0);
    CHECK_INT(wasm_frame_func_index(trace.data[1]), 1);
    CHECK(wasm_instance_same(wasm_frame_instance(trace.data[0]), inner.instance));
    CHECK(wasm_instance_same(wasm_frame_instance(trace.data[1]), outer));
  }
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(outer);
  wasm_module_delete(module);
  fixture_delete(&inner);
}

// Which of the two it is nobody can tell where an engine does not; but the place is the same in both.
TEST(frames_of_one_of_two_equal_modules) {
  static const char* equal =
      "(module (func (export \"f\") (param i32) (drop (memory.grow (i32.const 0)))"
      "    (call $g (local.get 0)))"
      "  (memory 1) (func $g (param i32) (drop (memory.grow (i32.const 0)))"
      "    (drop (i32.load (local.get 0)))))";
  wasm_byte_vec_t binary = binary_from_wat(equal);
  fixture_t fixture = fixture_new();
  fixture_load(&fixture, equal, NULL, 0);
  wasm_module_t* second = wasm_module_new(fixture.store, &binary);
  wasm_instance_t* instance = instantiate(fixture.store, second, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(instance, &exports);
  wasm_func_t* funcs[2] = {fixture_func(&fixture, 0), wasm_extern_as_func(exports.data[0])};
  for (size_t i = 0; has_frames(&fixture) && i < 2; i++) {
    wasm_val_t argument = I32(-1);
    wasm_trap_t* trap = call(funcs[i], &argument, 1, NULL, 0);
    CHECK_INT(wasmrt_trap_code(trap), WASMRT_TRAP_MEMORY_OUT_OF_BOUNDS);
    wasm_frame_vec_t trace;
    wasm_trap_trace(trap, &trace);
    CHECK_INT(trace.size, 2);
    for (size_t j = 0; j < trace.size; j++) {
      CHECK_INT(wasm_frame_func_index(trace.data[j]), 1 - j);
      size_t offset = wasm_frame_module_offset(trace.data[j]);
      REQUIRE(offset < binary.size);
      CHECK_INT((unsigned char)binary.data[offset], j == 0 ? 0x28 : call_opcode);
      CHECK_INT(wasm_frame_func_offset(trace.data[j]), offset - body_start(&binary, 1 - j));
    }
    wasm_frame_vec_delete(&trace);
    wasm_trap_delete(trap);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(instance);
  wasm_module_delete(second);
  wasm_byte_vec_delete(&binary);
  fixture_delete(&fixture);
}

// Two instances of one module: a frame names the right one or, where it can't know, none.
TEST(frames_of_two_instances_of_a_module) {
  fixture_t fixture = fixture_from_wat("(module (func (export \"f\") unreachable))");
  wasm_instance_t* second = instantiate(fixture.store, fixture.module, NULL, 0);
  wasm_extern_vec_t exports;
  wasm_instance_exports(second, &exports);
  const wasm_func_t* funcs[2] = {fixture_func(&fixture, 0), wasm_extern_as_func(exports.data[0])};
  const wasm_instance_t* instances[2] = {fixture.instance, second};
  for (size_t i = 0; i < 2; i++) {
    wasm_trap_t* trap = call_plain(funcs[i]);
    wasm_frame_t* origin = wasm_trap_origin(trap);
    CHECK((origin != NULL) == has_frames(&fixture));
    if (origin && wasm_frame_instance(origin)) {
      CHECK(wasm_instance_same(wasm_frame_instance(origin), instances[i]));
    }
    wasm_frame_delete(origin);
    wasm_trap_delete(trap);
  }
  wasm_extern_vec_delete(&exports);
  wasm_instance_delete(second);
  fixture_delete(&fixture);
}

TEST(host_info_of_an_instance_found_through_a_frame) {
  fixture_t fixture = trapping_fixture(do_nothing, NULL);
  int info;
  wasm_instance_set_host_info(fixture.instance, &info);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  wasm_frame_t* origin = wasm_trap_origin(trap);
  if (has_frames(&fixture)) {
    REQUIRE(origin && wasm_frame_instance(origin));
    CHECK_PTR(wasm_instance_get_host_info(wasm_frame_instance(origin)), &info);
  }
  wasm_frame_delete(origin);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}

// A recursion into the stack limit leaves many frames; all must be in order.
TEST(frames_of_a_deep_recursion) {
  static const char text[] = "(module (func $f (export \"f\") (call $f)))";
  fixture_t fixture = fixture_from_wat(text);
  wasm_byte_vec_t binary = binary_from_wat(text);
  wasm_trap_t* trap = call_plain(fixture_func(&fixture, 0));
  REQUIRE(trap);
  wasm_frame_vec_t trace;
  wasm_trap_trace(trap, &trace);
  CHECK((trace.size > 0) == has_frames(&fixture));
  size_t right = 0;
  // The first one may not have begun; then its place is not known.
  for (size_t i = 0; i < trace.size; i++) {
    right += wasm_frame_func_index(trace.data[i]) == 0 &&
             wasm_frame_module_offset(trace.data[i]) < binary.size &&
             wasm_instance_same(wasm_frame_instance(trace.data[i]), fixture.instance);
  }
  CHECK_INT(right, trace.size);
  wasm_byte_vec_delete(&binary);
  wasm_frame_vec_delete(&trace);
  wasm_trap_delete(trap);
  fixture_delete(&fixture);
}
