// A host function with state, a linker, fuel, and why a guest stopped.
#include <cstdio>
#include <wasmrt.hh>

using wasm::own;
using wasm::Val;
using wasm::vec;

static const char text[] =
    "(module (import \"host\" \"count\" (func $count (result i32)))"
    "  (func (export \"run\") (loop $again (drop (call $count)) (br $again))))";

int main() {
  auto config = wasm::Config::make();
  wasmrt::config_set_fuel(config.get(), true);
  auto engine = wasm::Engine::make(std::move(config));
  auto store = wasm::Store::make(engine.get());
  if (!store) return std::puts(wasmrt::last_error_message()), 1;
  wasmrt::store_set_fuel(store.get(), 1000);

  int calls = 0;
  auto results = wasm::ownvec<wasm::ValType>::make(wasm::ValType::make(wasm::ValKind::I32));
  auto type = wasm::FuncType::make(wasm::ownvec<wasm::ValType>::make(), std::move(results));
  auto count = wasmrt::make_func(store.get(), type.get(),
                                 [&](const vec<Val>&, vec<Val>& out) -> own<wasm::Trap> {
                                   out[0] = Val::i32(++calls);
                                   return nullptr;
                                 });

  auto linker = wasmrt::Linker::make(store.get());
  linker->define("host", "count", count.get());
  auto module = wasm::Module::make(store.get(), wasmrt::wat2wasm(text));
  auto instance = linker->instantiate(module.get());
  if (!instance) return std::puts(wasmrt::last_error_message()), 1;

  auto none = vec<Val>::make();
  auto run = wasmrt::instance_export(instance.get(), "run");
  auto trap = run->func()->call(none, none);
  if (!trap || calls == 0) return std::puts("it did not stop"), 1;
  std::puts(wasmrt::trap_code_name(wasmrt::trap_code(trap.get())));
  return 0;
}
