// The smallest complete program: C++ calls a WebAssembly function, which calls back a C++ function.
//
//   ./hello_cpp                          on the default engine
//   WASMRT_BACKEND=wasmi ./hello_cpp     the same binary on the other one

#include <cstdio>
#include <wasm.hh>
#include <wasmrt.hh> // only for the text format, the engine's name and the last error

using wasm::own;
using wasm::Val;
using wasm::vec;

static const char text[] =
    "(module"
    "  (import \"host\" \"add\" (func $add (param i32 i32) (result i32)))"
    "  (func (export \"add_and_double\") (param i32 i32) (result i32)"
    "    (i32.mul (call $add (local.get 0) (local.get 1)) (i32.const 2))))";

// Every function of the library that fails leaves a message that says why.
static int failed(const char* what) {
  const char* reason = wasmrt::last_error_message();
  std::fprintf(stderr, "error: %s: %s\n", what, reason ? reason : "no reason given");
  return 1;
}

// A host function: wasm calls it as its import "host" "add". The library has already checked the
// number and kinds of the arguments against the declared type, and checks the results in the same
// way.
static own<wasm::Trap> add(const vec<Val>& args, vec<Val>& results) {
  std::printf("hello from C++: wasm asks for %d + %d\n", args[0].i32(), args[1].i32());
  results[0] = Val::i32(args[0].i32() + args[1].i32());
  return nullptr; // no trap: continue
}

int main() {
  // An engine compiles code; threads may share it. A store holds everything that runs. What an `own`
  // has is deleted at the end of its scope.
  auto engine = wasm::Engine::make();
  if (!engine) return failed("cannot create the engine");
  std::fprintf(stderr, "running on %s\n", wasmrt::engine_backend_name(engine.get()));
  auto store = wasm::Store::make(engine.get());
  if (!store) return failed("cannot create the store");

  // A module is compiled once, from a binary. Here the binary is first made from text.
  auto binary = wasmrt::wat2wasm(text);
  if (!binary) return failed("cannot read the text");
  auto module = wasm::Module::make(store.get(), binary);
  if (!module) return failed("cannot compile the module");

  // The host function and its type.
  auto i32 = [] { return wasm::ValType::make(wasm::ValKind::I32); };
  auto type = wasm::FuncType::make(wasm::ownvec<wasm::ValType>::make(i32(), i32()),
                                   wasm::ownvec<wasm::ValType>::make(i32()));
  auto host_add = wasm::Func::make(store.get(), type.get(), add);
  if (!host_add) return failed("cannot create the host function");

  // An instance is a module with its imports filled in, in the order the module declares them.
  auto imports = vec<wasm::Extern*>::make(host_add.get());
  auto instance = wasm::Instance::make(store.get(), module.get(), imports);
  if (!instance) return failed("cannot instantiate the module");

  // Exports come in declared order, too.
  auto exports = instance->exports();
  wasm::Func* add_and_double = exports[0]->func();

  auto args = vec<Val>::make(Val::i32(19), Val::i32(2));
  auto results = vec<Val>::make_uninitialized(1);
  if (auto trap = add_and_double->call(args, results)) {
    std::fprintf(stderr, "error: %s\n", trap->message().get());
    return 1;
  }
  std::printf("hello from wasm: twice that is %d\n", results[0].i32());
  return 0;
}
