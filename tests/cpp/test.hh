// The harness of the C++ tests: as that of the C tests (tests/c/test.h), in C++11 without exceptions
// and run-time type information.
#ifndef WASMRT_TEST_HH
#define WASMRT_TEST_HH

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <wasm.hh>
#include <wasmrt.hh>

using wasm::own;
using wasm::ownvec;
using wasm::Val;
using wasm::ValKind;
using wasm::vec;

namespace test {

struct Test {
  const char* name;
  void (*run)();
  Test* next;
};

static Test* first;
static Test** last = &first;
static int passed, failed;

struct Registered {
  Test test;
  Registered(const char* name, void (*run)()) : test{name, run, nullptr} {
    *last = &test;
    last = &test.next;
  }
};

inline bool report(bool holds, const char* file, int line, const char* what) {
  ++(holds ? passed : failed);
  if (!holds) std::fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
  return holds;
}

template <class Actual, class Expected>
bool equal(const Actual& actual, const Expected& expected, const char* file, int line,
           const char* what) {
  return report(actual == expected, file, line, what);
}

inline bool contains(const char* text, const char* part, const char* file, int line,
                     const char* what) {
  bool holds = report(text && std::strstr(text, part), file, line, what);
  if (!holds) {
    std::fprintf(stderr, "    expected a text with \"%s\", actual \"%s\"\n", part,
                 text ? text : "(null)");
  }
  return holds;
}

// Defines a test and registers it, in the order of definition.
#define TEST(name)                                        \
  static void name();                                     \
  static test::Registered name##_registered(#name, name); \
  static void name()

#define CHECK(condition) test::report(static_cast<bool>(condition), __FILE__, __LINE__, #condition)
#define CHECK_EQUAL(actual, expected) \
  test::equal((actual), (expected), __FILE__, __LINE__, #actual " == " #expected)
#define CHECK_CONTAINS(text, part) test::contains((text), (part), __FILE__, __LINE__, #text)
#define REQUIRE(condition)                          \
  do {                                              \
    if (!CHECK(condition)) std::exit(EXIT_FAILURE); \
  } while (0)

// A failure that leaves a message.
#define CHECK_ERROR(condition, kind, part)              \
  do {                                                  \
    wasmrt::last_error_clear();                         \
    CHECK(condition);                                   \
    test::error_kind(kind, __FILE__, __LINE__);         \
    CHECK_CONTAINS(wasmrt::last_error_message(), part); \
  } while (0)

inline void error_kind(wasmrt_error_kind_t expected, const char* file, int line) {
  wasmrt_error_kind_t kind = wasmrt::last_error_kind();
  if (report(kind == expected, file, line, "kind of error")) return;
  std::fprintf(stderr, "    expected %s, actual %s: %s\n", wasmrt::error_kind_name(expected),
               wasmrt::error_kind_name(kind), wasmrt::last_error_message());
}

// Takes a trap, and checks its message.
#define CHECK_TRAP(trap, part) test::trapped((trap), (part), __FILE__, __LINE__, #trap)
#define CHECK_NO_TRAP(trap) test::not_trapped((trap), __FILE__, __LINE__, #trap)

inline void trapped(own<wasm::Trap> trap, const char* part, const char* file, int line,
                    const char* what) {
  if (!report(static_cast<bool>(trap), file, line, what)) return;
  wasm::Message message = trap->message();
  REQUIRE(message.size() > 0 && message[message.size() - 1] == 0);
  contains(message.get(), part, file, line, what);
}

inline bool not_trapped(own<wasm::Trap> trap, const char* file, int line, const char* what) {
  bool holds = report(!trap, file, line, what);
  if (!holds) std::fprintf(stderr, "    trap: %s\n", trap->message().get());
  return holds;
}

inline std::string text_of(const wasm::Name& name) {
  return std::string(name.get(), name.size());
}

// A finalizer that counts its calls in the int that it is given.
inline void count(void* counter) {
  ++*static_cast<int*>(counter);
}

// A type of a function: a letter (i, I, f, F, r for externref, p for funcref) for each value.
inline own<wasm::ValType> valtype(char letter) {
  switch (letter) {
    case 'i': return wasm::ValType::make(ValKind::I32);
    case 'I': return wasm::ValType::make(ValKind::I64);
    case 'f': return wasm::ValType::make(ValKind::F32);
    case 'F': return wasm::ValType::make(ValKind::F64);
    case 'r': return wasm::ValType::make(ValKind::EXTERNREF);
    default: return wasm::ValType::make(ValKind::FUNCREF);
  }
}

inline ownvec<wasm::ValType> valtypes(const char* letters) {
  auto types = ownvec<wasm::ValType>::make_uninitialized(std::strlen(letters));
  for (size_t i = 0; i < types.size(); ++i) types[i] = valtype(letters[i]);
  return types;
}

inline own<wasm::FuncType> functype(const char* params, const char* results) {
  return wasm::FuncType::make(valtypes(params), valtypes(results));
}

// An engine and a store, and what is made in them.
struct Fixture {
  own<wasm::Engine> engine;
  own<wasm::Store> owned;
  wasm::Store* store;

  explicit Fixture(own<wasm::Config> config = wasm::Config::make())
      : engine(wasm::Engine::make(std::move(config))),
        owned(wasm::Store::make(engine.get())),
        store(owned.get()) {
    REQUIRE(store);
  }

  bool on(const char* backend) const {
    return std::strcmp(wasmrt::engine_backend_name(engine.get()), backend) == 0;
  }

  own<wasm::Module> module(const char* wat) const {
    auto binary = wasmrt::wat2wasm(wat);
    auto module = wasm::Module::make(store, binary);
    if (!module) std::fprintf(stderr, "    error: %s\n", wasmrt::last_error_message());
    REQUIRE(module);
    return module;
  }

  own<wasm::Instance> instance(const char* wat) const {
    own<wasm::Trap> trap;
    auto imports = vec<wasm::Extern*>::make();
    auto instance = wasm::Instance::make(store, module(wat).get(), imports, &trap);
    CHECK_NO_TRAP(std::move(trap));
    REQUIRE(instance);
    return instance;
  }

  own<wasm::Instance> instance(const char* wat, wasm::Extern* import) const {
    own<wasm::Trap> trap;
    auto imports = vec<wasm::Extern*>::make(import);
    auto instance = wasm::Instance::make(store, module(wat).get(), imports, &trap);
    CHECK_NO_TRAP(std::move(trap));
    REQUIRE(instance);
    return instance;
  }
};

// Calls a function whose one result is an i32.
template <class... Ts>
int32_t call_i32(const wasm::Func* func, Ts... arguments) {
  REQUIRE(func);
  auto args = vec<Val>::make(Val(arguments)...);
  auto results = vec<Val>::make_uninitialized(1);
  CHECK_NO_TRAP(func->call(args, results));
  CHECK_EQUAL(results[0].kind(), ValKind::I32);
  return results[0].i32();
}

} // namespace test

using test::call_i32;
using test::Fixture;
using test::functype;
using test::text_of;

int main(int argument_count, char** arguments) {
  int run = 0;
  for (test::Test* test = test::first; test; test = test->next) {
    bool chosen = argument_count < 2;
    for (int i = 1; i < argument_count; ++i)
      chosen = chosen || std::strcmp(arguments[i], test->name) == 0;
    if (!chosen) continue;
    int failed_before = test::failed;
    test->run();
    ++run;
    if (test::failed != failed_before) std::fprintf(stderr, "FAILED %s\n", test->name);
  }
  if (run == 0) {
    std::fprintf(stderr, "no such test\n");
    return EXIT_FAILURE;
  }
  std::printf("%d tests, %d checks passed, %d failed\n", run, test::passed, test::failed);
  return test::failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#endif
