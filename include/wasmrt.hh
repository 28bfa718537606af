// wasmrt.hh: what libwasmrt adds to wasm.hh, the standard WebAssembly C++ API, over wasmrt.h.
//
// A function `wasmrt_NAME` of wasmrt.h is `wasmrt::NAME` here: `wasmrt_store_set_fuel` is called as
// `wasmrt::store_set_fuel(store.get(), 1000)`. Those of the types that wasmrt.h adds are members:
// `wasmrt_linker_define` is `Linker::define`. What they do and how they fail is said in wasmrt.h.
// The conventions of wasm.hh apply.
//
// Constants and their types are C's, such as `WASMRT_TRAP_OUT_OF_FUEL` and `wasmrt_trap_code_t`.
// Names of any bytes are taken as `Text`, other strings as `const char*`. What is own in C is
// returned as an `own`, or as a vector that is invalid on failure. Numbers are written to `out`, as
// in C.
//
// Callbacks with values are called with wasm.hh's types; all others are C's. `finalizer`, unless
// null, is called with `env` once, at once if the function fails.

#ifndef WASMRT_HH
#define WASMRT_HH

#if __cplusplus >= 201703L
#include <string_view>
#endif

#include "wasm.hh"
#include "wasmrt.h"

namespace wasmrt {

using wasm::make_own;
using wasm::own;
using wasm::ownvec;
using wasm::vec;

using wasm::Config;
using wasm::Engine;
using wasm::ExportType;
using wasm::Extern;
using wasm::Frame;
using wasm::Func;
using wasm::FuncType;
using wasm::Global;
using wasm::GlobalType;
using wasm::ImportType;
using wasm::Instance;
using wasm::Memory;
using wasm::MemoryType;
using wasm::Message;
using wasm::Module;
using wasm::Name;
using wasm::Ref;
using wasm::Store;
using wasm::Table;
using wasm::TableType;
using wasm::TagType;
using wasm::Trap;
using wasm::Val;
using wasm::ValType;

// -------------------------------------------------------------------------------------------------
// C types: see wasm.hh

using wasm::from_c;
using wasm::to_c;

#define WASMRT_HH_HANDLE(Class, c_type)                                                     \
  class Class;                                                                              \
  inline auto to_c(Class* pointer)->c_type* { return reinterpret_cast<c_type*>(pointer); }  \
  inline auto to_c(const Class* pointer)->const c_type* {                                   \
    return reinterpret_cast<const c_type*>(pointer);                                        \
  }                                                                                         \
  inline auto from_c(c_type* pointer)->Class* { return reinterpret_cast<Class*>(pointer); } \
  inline auto from_c(const c_type* pointer)->const Class* {                                 \
    return reinterpret_cast<const Class*>(pointer);                                         \
  }

WASMRT_HH_HANDLE(Caller, wasmrt_caller_t)
WASMRT_HH_HANDLE(SharedMemory, wasmrt_shared_memory_t)
WASMRT_HH_HANDLE(Linker, wasmrt_linker_t)
WASMRT_HH_HANDLE(InstancePre, wasmrt_instance_pre_t)
WASMRT_HH_HANDLE(Interrupt, wasmrt_interrupt_t)
WASMRT_HH_HANDLE(WasiConfig, wasmrt_wasi_config_t)
WASMRT_HH_HANDLE(Wasi, wasmrt_wasi_t)
#undef WASMRT_HH_HANDLE

// -------------------------------------------------------------------------------------------------
// Names, and vectors that are borrowed

// A name or a text as bytes and their number, borrowed for a call.
struct Text {
  // The bytes.
  const char* data;
  // Their number.
  size_t size;

  // Makes a text of bytes that are kept by the caller. Null, or nothing, is NULL.

  Text() : data(nullptr), size(0) {}
  Text(const char* string) : data(string), size(string ? std::strlen(string) : 0) {}
  Text(const char* bytes, size_t length) : data(bytes), size(length) {}
  Text(const std::string& string) : data(string.data()), size(string.size()) {}
  // A name without bytes is a name, and not NULL.
  Text(const Name& name) : data(name.get() ? name.get() : ""), size(name.size()) {}
#if __cplusplus >= 201703L
  Text(std::string_view string) : data(string.data() ? string.data() : ""), size(string.size()) {}
#endif
};

// Externs that are owned, as the imports that `Instance::make` takes. They stay where they are.
inline auto borrow(const ownvec<Extern>& externs) -> const vec<Extern*>& {
  return reinterpret_cast<const vec<Extern*>&>(externs);
}

namespace detail {

template <class Callback>
using closure = wasm::detail::closure<Callback>;

using callback_with_caller = auto(*)(void*, const Caller*, const vec<Val>&, vec<Val>&) -> own<Trap>;
using transform_callback = auto(*)(void*, const vec<byte_t>&, vec<byte_t>&, Message&) -> bool;

inline auto call_with_caller(void* env, const wasmrt_caller_t* caller, const wasm_val_vec_t* args,
                             wasm_val_vec_t* results) noexcept -> wasm_trap_t* {
  auto called = static_cast<closure<callback_with_caller>*>(env);
  auto trap = called->callback(called->env, from_c(caller), *from_c(args), *from_c(results));
  return to_c(trap.release());
}

inline auto call_transform(void* env, const wasm_byte_vec_t* binary, wasm_byte_vec_t* out,
                           wasm_message_t* message) noexcept -> bool {
  auto called = static_cast<closure<transform_callback>*>(env);
  return called->callback(called->env, *from_c(binary), *from_c(out), *from_c(message));
}

// Calls a C function that sets `*out` to bytes and returns whether it could.
template <class Function>
auto bytes_from(Function function) -> vec<byte_t> {
  auto out = vec<byte_t>::make();
  return function(to_c(&out)) ? std::move(out) : vec<byte_t>::invalid();
}

// Calls a C function that makes an instance and may set a trap.
template <class Function>
auto instance_from(Function function, own<Trap>* trap) -> own<Instance> {
  wasm_trap_t* trapped = nullptr;
  auto instance = make_own(from_c(function(trap ? &trapped : nullptr)));
  if (trap) *trap = make_own(from_c(trapped));
  return instance;
}

} // namespace detail

// -------------------------------------------------------------------------------------------------
// Version and backends

inline auto version() -> const char* { return wasmrt_version(); }
inline auto version_number() -> uint32_t { return wasmrt_version_number(); }

inline auto backend_count() -> size_t { return wasmrt_backend_count(); }
inline auto backend_name(size_t index) -> const char* { return wasmrt_backend_name(index); }
inline auto backend_version(const char* name) -> const char* {
  return wasmrt_backend_version(name);
}
inline auto backend_supports(const char* name, wasmrt_setting_t setting) -> bool {
  return wasmrt_backend_supports(name, setting);
}
inline auto backend_supports_proposal(const char* name, wasmrt_proposal_t proposal) -> bool {
  return wasmrt_backend_supports_proposal(name, proposal);
}
inline auto compiler_name(wasmrt_compiler_t compiler) -> const char* {
  return wasmrt_compiler_name(compiler);
}
inline auto proposal_name(wasmrt_proposal_t proposal) -> const char* {
  return wasmrt_proposal_name(proposal);
}

// -------------------------------------------------------------------------------------------------
// Configuration

inline auto config_set_backend(Config* config, const char* name) -> bool {
  return wasmrt_config_set_backend(to_c(config), name);
}
inline auto config_set_compiler(Config* config, wasmrt_compiler_t compiler) -> bool {
  return wasmrt_config_set_compiler(to_c(config), compiler);
}
inline auto config_set_optimization(Config* config, wasmrt_optimization_t optimization) -> bool {
  return wasmrt_config_set_optimization(to_c(config), optimization);
}
inline auto config_set_proposal(Config* config, wasmrt_proposal_t proposal, bool enabled) -> bool {
  return wasmrt_config_set_proposal(to_c(config), proposal, enabled);
}
inline auto config_set_fuel(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_fuel(to_c(config), enabled);
}
inline auto config_set_interruption(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_interruption(to_c(config), enabled);
}
inline auto config_set_metering(Config* config, uint64_t points, wasmrt_cost_callback_t cost,
                                void* env = nullptr, void (*finalizer)(void*) = nullptr) -> bool {
  return wasmrt_config_set_metering(to_c(config), points, cost, env, finalizer);
}
inline auto config_set_max_wasm_stack(Config* config, size_t bytes) -> bool {
  return wasmrt_config_set_max_wasm_stack(to_c(config), bytes);
}
inline auto config_set_memory_reservation(Config* config, uint64_t bytes) -> bool {
  return wasmrt_config_set_memory_reservation(to_c(config), bytes);
}
inline auto config_set_memory_guard_size(Config* config, uint64_t bytes) -> bool {
  return wasmrt_config_set_memory_guard_size(to_c(config), bytes);
}
inline auto config_set_memory_copy_on_write(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_memory_copy_on_write(to_c(config), enabled);
}
inline auto config_set_memory_creator(Config* config, const wasmrt_memory_creator_t* creator,
                                      void* env = nullptr, void (*finalizer)(void*) = nullptr)
    -> bool {
  return wasmrt_config_set_memory_creator(to_c(config), creator, env, finalizer);
}
inline auto config_set_pooling(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_pooling(to_c(config), enabled);
}
inline auto config_set_pool_limit(Config* config, wasmrt_pool_limit_t limit, uint64_t value)
    -> bool {
  return wasmrt_config_set_pool_limit(to_c(config), limit, value);
}
inline auto config_set_max_shards(Config* config, uint32_t max) -> bool {
  return wasmrt_config_set_max_shards(to_c(config), max);
}
inline auto config_set_parallel_compilation(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_parallel_compilation(to_c(config), enabled);
}
inline auto config_set_debug_info(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_debug_info(to_c(config), enabled);
}
inline auto config_set_profiling(Config* config, wasmrt_profiling_t profiling) -> bool {
  return wasmrt_config_set_profiling(to_c(config), profiling);
}
inline auto config_set_deterministic(Config* config, bool enabled) -> bool {
  return wasmrt_config_set_deterministic(to_c(config), enabled);
}
inline auto config_set_target(Config* config, const char* triple) -> bool {
  return wasmrt_config_set_target(to_c(config), triple);
}
inline auto config_enable_cpu_feature(Config* config, const char* name) -> bool {
  return wasmrt_config_enable_cpu_feature(to_c(config), name);
}
inline auto config_set_cache(Config* config, const char* directory, uint64_t max_bytes = 0)
    -> bool {
  return wasmrt_config_set_cache(to_c(config), directory, max_bytes);
}
inline auto config_set_module_limit(Config* config, wasmrt_module_limit_t limit, uint64_t value)
    -> bool {
  return wasmrt_config_set_module_limit(to_c(config), limit, value);
}

// `callback` is called with `env`, the module's bytes, and an empty vector for the new ones and for
// a message each.
inline auto config_push_transform(Config* config, detail::transform_callback callback,
                                  void* env = nullptr, void (*finalizer)(void*) = nullptr) -> bool {
  using closure = detail::closure<detail::transform_callback>;
  closure* made = closure::make(callback, env, finalizer);
  return made &&
         wasmrt_config_push_transform(to_c(config), callback ? detail::call_transform : nullptr,
                                      made, closure::finalize);
}

// -------------------------------------------------------------------------------------------------
// Engines, stores and instances

inline auto engine_backend_name(const Engine* engine) -> const char* {
  return wasmrt_engine_backend_name(to_c(engine));
}
inline auto engine_module_count(const Engine* engine, size_t* out) -> bool {
  return wasmrt_engine_module_count(to_c(engine), out);
}
inline auto engine_cache_counts(const Engine* engine, uint64_t* found, uint64_t* missing) -> bool {
  return wasmrt_engine_cache_counts(to_c(engine), found, missing);
}

inline auto store_engine(const Store* store) -> own<Engine> {
  return make_own(from_c(wasmrt_store_engine(to_c(store))));
}
inline auto store_set_data(Store* store, void* data, void (*finalizer)(void*) = nullptr) -> bool {
  return wasmrt_store_set_data(to_c(store), data, finalizer);
}
inline auto store_data(const Store* store) -> void* { return wasmrt_store_data(to_c(store)); }
inline auto store_gc(Store* store) -> bool { return wasmrt_store_gc(to_c(store)); }

inline auto instance_export(const Instance* instance, Text name) -> own<Extern> {
  return make_own(from_c(wasmrt_instance_export(to_c(instance), name.data, name.size)));
}
inline auto instance_export_count(const Instance* instance) -> size_t {
  return wasmrt_instance_export_count(to_c(instance));
}
inline auto instance_export_at(const Instance* instance, size_t position) -> own<Extern> {
  return make_own(from_c(wasmrt_instance_export_at(to_c(instance), position)));
}

// -------------------------------------------------------------------------------------------------
// Modules

inline auto wat2wasm(Text text) -> vec<byte_t> {
  return detail::bytes_from(
      [&](wasm_byte_vec_t* out) { return wasmrt_wat2wasm(text.data, text.size, out); });
}

inline auto module_new_from_file(Store* store, const char* path) -> own<Module> {
  return make_own(from_c(wasmrt_module_new_from_file(to_c(store), path)));
}
inline auto module_serialize_to_file(const Module* module, const char* path) -> bool {
  return wasmrt_module_serialize_to_file(to_c(module), path);
}
inline auto module_deserialize_file(Store* store, const char* path) -> own<Module> {
  return make_own(from_c(wasmrt_module_deserialize_file(to_c(store), path)));
}
inline auto module_precompile(Engine* engine, const vec<byte_t>& binary) -> vec<byte_t> {
  return detail::bytes_from([&](wasm_byte_vec_t* out) {
    return wasmrt_module_precompile(to_c(engine), to_c(&binary), out);
  });
}
inline auto module_required_proposals(Engine* engine, const vec<byte_t>& binary, uint64_t* out)
    -> bool {
  return wasmrt_module_required_proposals(to_c(engine), to_c(&binary), out);
}
// Invalid if it has none.
inline auto module_name(const Module* module) -> Name {
  return detail::bytes_from(
      [&](wasm_byte_vec_t* out) { return wasmrt_module_name(to_c(module), out); });
}
inline auto module_set_name(const Module* module, Text name) -> bool {
  return wasmrt_module_set_name(to_c(module), name.data, name.size);
}
inline auto module_custom_section(const Module* module, Text name, Text* contents) -> bool {
  return wasmrt_module_custom_section(to_c(module), name.data, name.size,
                                      contents ? &contents->data : nullptr,
                                      contents ? &contents->size : nullptr);
}
inline auto module_custom_section_at(const Module* module, size_t position, Text* name,
                                     Text* contents) -> bool {
  return wasmrt_module_custom_section_at(
      to_c(module), position, name ? &name->data : nullptr, name ? &name->size : nullptr,
      contents ? &contents->data : nullptr, contents ? &contents->size : nullptr);
}
inline auto module_part_count(const Module* module, wasmrt_module_part_t part) -> size_t {
  return wasmrt_module_part_count(to_c(module), part);
}
inline auto module_import_count(const Module* module) -> size_t {
  return wasmrt_module_import_count(to_c(module));
}
inline auto module_import_at(const Module* module, size_t position) -> own<ImportType> {
  return make_own(from_c(wasmrt_module_import_at(to_c(module), position)));
}
inline auto module_export_count(const Module* module) -> size_t {
  return wasmrt_module_export_count(to_c(module));
}
inline auto module_export_at(const Module* module, size_t position) -> own<ExportType> {
  return make_own(from_c(wasmrt_module_export_at(to_c(module), position)));
}
inline auto module_export_index(const Module* module, Text name, size_t* out) -> bool {
  return wasmrt_module_export_index(to_c(module), name.data, name.size, out);
}
inline auto module_wasi(const Module* module, wasmrt_wasi_version_t* out) -> bool {
  return wasmrt_module_wasi(to_c(module), out);
}

// -------------------------------------------------------------------------------------------------
// Functions

// What a callback knows of its caller. Borrowed, and valid until the callback returns.
class Caller {
 public:
  Caller() = delete;
  ~Caller() = delete;

  auto instance() const -> const Instance* { return from_c(wasmrt_caller_instance(to_c(this))); }
  auto memory(size_t* size) const -> byte_t* { return wasmrt_caller_memory(to_c(this), size); }
  auto store() const -> Store* { return from_c(wasmrt_caller_store(to_c(this))); }
};

// Creates a host function of anything that can be called with `(args, results)`, such as a lambda
// with captures. It is moved to where the function keeps it, and destroyed with the function.
template <class Callable>
auto make_func(Store* store, const FuncType* type, Callable callable) -> own<Func> {
  struct kept {
    Callable callable;

    static auto call(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) noexcept
        -> wasm_trap_t* {
      own<Trap> trap = static_cast<kept*>(env)->callable(*from_c(args), *from_c(results));
      return to_c(trap.release());
    }
    static void finalize(void* env) { delete static_cast<kept*>(env); }
  };
  kept* env = new (std::nothrow) kept{std::move(callable)};
  if (!env) return nullptr;
  return make_own(
      from_c(wasm_func_new_with_env(to_c(store), to_c(type), kept::call, env, kept::finalize)));
}

inline auto func_new_with_caller(Store* store, const FuncType* type,
                                 detail::callback_with_caller callback, void* env = nullptr,
                                 void (*finalizer)(void*) = nullptr) -> own<Func> {
  using closure = detail::closure<detail::callback_with_caller>;
  closure* made = closure::make(callback, env, finalizer);
  if (!made) return nullptr;
  return make_own(from_c(wasmrt_func_new_with_caller(to_c(store), to_c(type),
                                                     callback ? detail::call_with_caller : nullptr,
                                                     made, closure::finalize)));
}

// Returns a column of rows: an array of `size` values.

inline auto column(int32_t* data, size_t size) -> wasmrt_column_t {
  return wasmrt_column_t{WASM_I32, size, data};
}
inline auto column(int64_t* data, size_t size) -> wasmrt_column_t {
  return wasmrt_column_t{WASM_I64, size, data};
}
inline auto column(float32_t* data, size_t size) -> wasmrt_column_t {
  return wasmrt_column_t{WASM_F32, size, data};
}
inline auto column(float64_t* data, size_t size) -> wasmrt_column_t {
  return wasmrt_column_t{WASM_F64, size, data};
}
// Returns a column of references. Results are written over what was there: it should be null.
inline auto column(own<Ref>* data, size_t size, wasm_valkind_t kind = WASM_EXTERNREF)
    -> wasmrt_column_t {
  return wasmrt_column_t{kind, size, data};
}

inline auto func_call_batch(const Func* func, size_t rows, const wasmrt_column_t* args,
                            size_t arg_count, const wasmrt_column_t* results, size_t result_count,
                            size_t* rows_done = nullptr, own<Trap>* trap = nullptr) -> bool {
  wasm_trap_t* trapped = nullptr;
  bool done = wasmrt_func_call_batch(to_c(func), rows, args, arg_count, results, result_count,
                                     rows_done, trap ? &trapped : nullptr);
  if (trap) *trap = make_own(from_c(trapped));
  return done;
}

inline auto func_call_unchecked(const Func* func, wasmrt_raw_t* values) -> own<Trap> {
  return make_own(from_c(wasmrt_func_call_unchecked(to_c(func), values)));
}
// The callback is C's, which is called without a step between: it returns `to_c(trap.release())`.
inline auto func_new_unchecked(Store* store, const FuncType* type,
                               wasmrt_func_unchecked_callback_t callback, void* env = nullptr,
                               void (*finalizer)(void*) = nullptr) -> own<Func> {
  return make_own(
      from_c(wasmrt_func_new_unchecked(to_c(store), to_c(type), callback, env, finalizer)));
}
inline auto global_new_raw(Store* store, const GlobalType* type, const wasmrt_raw_t& value)
    -> own<Global> {
  return make_own(from_c(wasmrt_global_new_raw(to_c(store), to_c(type), &value)));
}
inline auto global_get_raw(const Global* global, wasmrt_raw_t* out) -> bool {
  return wasmrt_global_get_raw(to_c(global), out);
}
inline auto global_set_raw(Global* global, const wasmrt_raw_t& value) -> bool {
  return wasmrt_global_set_raw(to_c(global), &value);
}

// -------------------------------------------------------------------------------------------------
// Memories and tables of every kind

inline auto memorytype_new(uint64_t minimum, uint64_t maximum = WASMRT_UNLIMITED,
                           bool is_64 = false, bool is_shared = false,
                           uint64_t page_size = Memory::page_size) -> own<MemoryType> {
  return make_own(from_c(wasmrt_memorytype_new(minimum, maximum, is_64, is_shared, page_size)));
}
inline auto memorytype_minimum(const MemoryType* type) -> uint64_t {
  return wasmrt_memorytype_minimum(to_c(type));
}
inline auto memorytype_maximum(const MemoryType* type) -> uint64_t {
  return wasmrt_memorytype_maximum(to_c(type));
}
inline auto memorytype_is_64(const MemoryType* type) -> bool {
  return wasmrt_memorytype_is_64(to_c(type));
}
inline auto memorytype_is_shared(const MemoryType* type) -> bool {
  return wasmrt_memorytype_is_shared(to_c(type));
}
inline auto memorytype_page_size(const MemoryType* type) -> uint64_t {
  return wasmrt_memorytype_page_size(to_c(type));
}

inline auto memory_size(const Memory* memory, uint64_t* out) -> bool {
  return wasmrt_memory_size(to_c(memory), out);
}
inline auto memory_grow(Memory* memory, uint64_t delta, uint64_t* former = nullptr) -> bool {
  return wasmrt_memory_grow(to_c(memory), delta, former);
}

// A memory that threads share, apart from any store.
class SharedMemory {
  friend class wasm::destroyer;
  void destroy() { wasmrt_shared_memory_delete(to_c(this)); }

 public:
  SharedMemory() = delete;
  ~SharedMemory() = delete;
};

inline auto memory_share(const Memory* memory) -> own<SharedMemory> {
  return make_own(from_c(wasmrt_memory_share(to_c(memory))));
}
inline auto memory_obtain(Store* store, const SharedMemory* shared) -> own<Memory> {
  return make_own(from_c(wasmrt_memory_obtain(to_c(store), to_c(shared))));
}
inline auto memory_notify(const Memory* memory, uint64_t address, uint32_t count,
                          uint32_t* woken = nullptr) -> bool {
  return wasmrt_memory_notify(to_c(memory), address, count, woken);
}

inline auto tabletype_new(own<ValType>&& element, uint64_t minimum,
                          uint64_t maximum = WASMRT_UNLIMITED, bool is_64 = false)
    -> own<TableType> {
  return make_own(from_c(wasmrt_tabletype_new(to_c(element.release()), minimum, maximum, is_64)));
}
inline auto tabletype_minimum(const TableType* type) -> uint64_t {
  return wasmrt_tabletype_minimum(to_c(type));
}
inline auto tabletype_maximum(const TableType* type) -> uint64_t {
  return wasmrt_tabletype_maximum(to_c(type));
}
inline auto tabletype_is_64(const TableType* type) -> bool {
  return wasmrt_tabletype_is_64(to_c(type));
}

inline auto table_get(const Table* table, uint64_t index) -> own<Ref> {
  return make_own(from_c(wasmrt_table_get(to_c(table), index)));
}
// C takes a pointer to the reference that it only reads, here and in `table_grow`.
inline auto table_set(Table* table, uint64_t index, const Ref* value) -> bool {
  return wasmrt_table_set(to_c(table), index, to_c(const_cast<Ref*>(value)));
}
inline auto table_size(const Table* table, uint64_t* out) -> bool {
  return wasmrt_table_size(to_c(table), out);
}
inline auto table_grow(Table* table, uint64_t delta, const Ref* init = nullptr,
                       uint64_t* former = nullptr) -> bool {
  return wasmrt_table_grow(to_c(table), delta, to_c(const_cast<Ref*>(init)), former);
}

// -------------------------------------------------------------------------------------------------
// Linking by name

// A module whose imports have been found and checked.
class InstancePre {
  friend class wasm::destroyer;
  void destroy() { wasmrt_instance_pre_delete(to_c(this)); }

 public:
  InstancePre() = delete;
  ~InstancePre() = delete;

  auto instantiate(own<Trap>* trap = nullptr) const -> own<Instance> {
    return detail::instance_from(
        [&](wasm_trap_t** out) { return wasmrt_instance_pre_instantiate(to_c(this), out); }, trap);
  }
};

// Definitions by name, for the imports of modules.
class Linker {
  friend class wasm::destroyer;
  void destroy() { wasmrt_linker_delete(to_c(this)); }

 public:
  Linker() = delete;
  ~Linker() = delete;

  static auto make(Store* store) -> own<Linker> {
    return make_own(from_c(wasmrt_linker_new(to_c(store))));
  }

  auto define(Text module, Text name, const Extern* defined) -> bool {
    return wasmrt_linker_define(to_c(this), module.data, module.size, name.data, name.size,
                                to_c(defined));
  }
  auto define_func(Text module, Text name, const FuncType* type, Func::callback_with_env callback,
                   void* env = nullptr, void (*finalizer)(void*) = nullptr) -> bool {
    using closure = detail::closure<Func::callback_with_env>;
    closure* made = closure::make(callback, env, finalizer);
    return made && wasmrt_linker_define_func(
                       to_c(this), module.data, module.size, name.data, name.size, to_c(type),
                       callback ? wasm::detail::call_with_env : nullptr, made, closure::finalize);
  }
  auto define_func_with_caller(Text module, Text name, const FuncType* type,
                               detail::callback_with_caller callback, void* env = nullptr,
                               void (*finalizer)(void*) = nullptr) -> bool {
    using closure = detail::closure<detail::callback_with_caller>;
    closure* made = closure::make(callback, env, finalizer);
    return made && wasmrt_linker_define_func_with_caller(
                       to_c(this), module.data, module.size, name.data, name.size, to_c(type),
                       callback ? detail::call_with_caller : nullptr, made, closure::finalize);
  }
  auto define_instance(Text module, const Instance* instance) -> bool {
    return wasmrt_linker_define_instance(to_c(this), module.data, module.size, to_c(instance));
  }
  auto define_wasi(const Wasi* wasi) -> bool {
    return wasmrt_linker_define_wasi(to_c(this), to_c(wasi));
  }
  auto alias(Text module, Text name, Text new_module, Text new_name) -> bool {
    return wasmrt_linker_alias(to_c(this), module.data, module.size, name.data, name.size,
                               new_module.data, new_module.size, new_name.data, new_name.size);
  }
  auto get(Text module, Text name) const -> own<Extern> {
    return make_own(
        from_c(wasmrt_linker_get(to_c(this), module.data, module.size, name.data, name.size)));
  }
  auto set_shadowing(bool allowed) -> bool {
    return wasmrt_linker_set_shadowing(to_c(this), allowed);
  }
  auto set_unknown(wasmrt_unknown_imports_t unknown) -> bool {
    return wasmrt_linker_set_unknown(to_c(this), unknown);
  }
  auto set_next(const Linker* next) -> bool {
    return wasmrt_linker_set_next(to_c(this), to_c(next));
  }
  auto instantiate(const Module* module, own<Trap>* trap = nullptr) const -> own<Instance> {
    return detail::instance_from(
        [&](wasm_trap_t** out) { return wasmrt_linker_instantiate(to_c(this), to_c(module), out); },
        trap);
  }
  auto prepare(const Module* module) const -> own<InstancePre> {
    return make_own(from_c(wasmrt_linker_prepare(to_c(this), to_c(module))));
  }
};

// -------------------------------------------------------------------------------------------------
// Fuel, timeouts and interrupts, limits

inline auto store_set_fuel(Store* store, uint64_t fuel) -> bool {
  return wasmrt_store_set_fuel(to_c(store), fuel);
}
inline auto store_add_fuel(Store* store, uint64_t fuel) -> bool {
  return wasmrt_store_add_fuel(to_c(store), fuel);
}
inline auto store_fuel(const Store* store, uint64_t* out) -> bool {
  return wasmrt_store_fuel(to_c(store), out);
}
inline auto store_fuel_consumed(const Store* store, uint64_t* out) -> bool {
  return wasmrt_store_fuel_consumed(to_c(store), out);
}

inline auto store_set_timeout(Store* store, uint64_t nanoseconds) -> bool {
  return wasmrt_store_set_timeout(to_c(store), nanoseconds);
}
inline auto store_set_call_timeout(Store* store, uint64_t nanoseconds) -> bool {
  return wasmrt_store_set_call_timeout(to_c(store), nanoseconds);
}

// Stops the guests of a store, from any thread.
class Interrupt {
  friend class wasm::destroyer;
  void destroy() { wasmrt_interrupt_delete(to_c(this)); }

 public:
  Interrupt() = delete;
  ~Interrupt() = delete;

  static auto make(Store* store) -> own<Interrupt> {
    return make_own(from_c(wasmrt_interrupt_new(to_c(store))));
  }
  void trigger() const { wasmrt_interrupt_trigger(to_c(this)); }
  void clear() const { wasmrt_interrupt_clear(to_c(this)); }
};

// `callback` is called with `env`.
inline auto store_set_poll(Store* store, auto(*callback)(void*)->bool, void* env = nullptr,
                           void (*finalizer)(void*) = nullptr) -> bool {
  return wasmrt_store_set_poll(to_c(store), callback, env, finalizer);
}

inline auto store_set_limit(Store* store, wasmrt_store_limit_t limit, uint64_t value) -> bool {
  return wasmrt_store_set_limit(to_c(store), limit, value);
}
inline auto store_limit(const Store* store, wasmrt_store_limit_t limit, uint64_t* out) -> bool {
  return wasmrt_store_limit(to_c(store), limit, out);
}
inline auto store_usage(const Store* store, wasmrt_store_limit_t limit, uint64_t* out) -> bool {
  return wasmrt_store_usage(to_c(store), limit, out);
}
inline auto store_set_growth_trap(Store* store, bool enabled) -> bool {
  return wasmrt_store_set_growth_trap(to_c(store), enabled);
}

// -------------------------------------------------------------------------------------------------
// Errors and traps

inline auto last_error_message() -> const char* { return wasmrt_last_error_message(); }
inline auto last_error_kind() -> wasmrt_error_kind_t { return wasmrt_last_error_kind(); }
inline auto last_error_offset(uint64_t* out) -> bool { return wasmrt_last_error_offset(out); }
inline void last_error_clear() { wasmrt_last_error_clear(); }
inline auto error_kind_name(wasmrt_error_kind_t kind) -> const char* {
  return wasmrt_error_kind_name(kind);
}

inline auto trap_code(const Trap* trap) -> wasmrt_trap_code_t {
  return wasmrt_trap_code(to_c(trap));
}
inline auto trap_code_name(wasmrt_trap_code_t code) -> const char* {
  return wasmrt_trap_code_name(code);
}
inline auto trap_error_kind(const Trap* trap) -> wasmrt_error_kind_t {
  return wasmrt_trap_error_kind(to_c(trap));
}
inline auto trap_new_exit(Store* store, int32_t status) -> own<Trap> {
  return make_own(from_c(wasmrt_trap_new_exit(to_c(store), status)));
}
inline auto trap_exit_status(const Trap* trap, int32_t* out) -> bool {
  return wasmrt_trap_exit_status(to_c(trap), out);
}
inline auto trap_new_with_data(Store* store, const Message& message, void* data,
                               void (*finalizer)(void*) = nullptr) -> own<Trap> {
  return make_own(from_c(wasmrt_trap_new_with_data(to_c(store), to_c(&message), data, finalizer)));
}
inline auto trap_data(const Trap* trap) -> void* { return wasmrt_trap_data(to_c(trap)); }

inline auto frame_func_name(const Frame* frame) -> Name {
  return wasm::detail::vector_from<byte_t>(wasmrt_frame_func_name, to_c(frame));
}
inline auto frame_module_name(const Frame* frame) -> Name {
  return wasm::detail::vector_from<byte_t>(wasmrt_frame_module_name, to_c(frame));
}

// -------------------------------------------------------------------------------------------------
// Tags and exceptions

inline auto tag_new(Store* store, const TagType* type) -> own<Extern> {
  return make_own(from_c(wasmrt_tag_new(to_c(store), to_c(type))));
}
inline auto exception_new(Store* store, const Extern* tag,
                          const vec<Val>& values = vec<Val>::make()) -> own<Trap> {
  return make_own(from_c(wasmrt_exception_new(to_c(store), to_c(tag), to_c(&values))));
}
inline auto trap_exception_tag(const Trap* trap) -> own<Extern> {
  return make_own(from_c(wasmrt_trap_exception_tag(to_c(trap))));
}
inline auto trap_exception_values(const Trap* trap) -> vec<Val> {
  auto out = vec<Val>::make();
  bool is_exception = wasmrt_trap_exception_values(to_c(trap), to_c(&out));
  return is_exception ? std::move(out) : vec<Val>::invalid();
}

// Reference types and garbage-collected objects

inline auto valtype_new_ref(wasmrt_heap_t heap, bool nullable = true) -> own<ValType> {
  return make_own(from_c(wasmrt_valtype_new_ref(heap, nullable)));
}
inline auto valtype_with_null(const ValType* type, bool nullable) -> own<ValType> {
  return make_own(from_c(wasmrt_valtype_with_null(to_c(type), nullable)));
}
inline auto valtype_heap(const ValType* type, wasmrt_heap_t* out) -> bool {
  return wasmrt_valtype_heap(to_c(type), out);
}
inline auto valtype_is_nullable(const ValType* type) -> bool {
  return wasmrt_valtype_is_nullable(to_c(type));
}
inline auto valtype_is_defined(const ValType* type) -> bool {
  return wasmrt_valtype_is_defined(to_c(type));
}
inline auto ref_heap(const Ref* reference, wasmrt_heap_t* out) -> bool {
  return wasmrt_ref_heap(to_c(reference), out);
}
inline auto ref_type(const Ref* reference) -> own<ValType> {
  return make_own(from_c(wasmrt_ref_type(to_c(reference))));
}
inline auto i31_new(Store* store, int32_t value) -> own<Ref> {
  return make_own(from_c(wasmrt_i31_new(to_c(store), value)));
}
inline auto i31_signed(const Ref* reference, int32_t* out) -> bool {
  return wasmrt_i31_signed(to_c(reference), out);
}
inline auto i31_unsigned(const Ref* reference, uint32_t* out) -> bool {
  return wasmrt_i31_unsigned(to_c(reference), out);
}
// Without fields, all are zero or null.
inline auto struct_new(Store* store, const ValType* type) -> own<Ref> {
  return make_own(from_c(wasmrt_struct_new(to_c(store), to_c(type), nullptr)));
}
inline auto struct_new(Store* store, const ValType* type, const vec<Val>& fields) -> own<Ref> {
  return make_own(from_c(wasmrt_struct_new(to_c(store), to_c(type), to_c(&fields))));
}
inline auto array_new(Store* store, const ValType* type, uint32_t length,
                      const Val* element = nullptr) -> own<Ref> {
  return make_own(from_c(wasmrt_array_new(to_c(store), to_c(type), length, to_c(element))));
}
inline auto ref_length(const Ref* reference, uint32_t* out) -> bool {
  return wasmrt_ref_length(to_c(reference), out);
}
inline auto ref_get(const Ref* reference, size_t index, bool is_signed, Val* out) -> bool {
  Val value;
  bool found = wasmrt_ref_get(to_c(reference), index, is_signed, out ? to_c(&value) : nullptr);
  if (found) *out = std::move(value);
  return found;
}
inline auto ref_set(Ref* reference, size_t index, const Val& value) -> bool {
  return wasmrt_ref_set(to_c(reference), index, to_c(&value));
}

// -------------------------------------------------------------------------------------------------
// Log

inline void log_set_callback(wasmrt_log_callback_t callback, void* env = nullptr,
                             void (*finalizer)(void*) = nullptr) {
  wasmrt_log_set_callback(callback, env, finalizer);
}

// -------------------------------------------------------------------------------------------------
// WASI

// What a WASI guest is given.
class WasiConfig {
  friend class wasm::destroyer;
  void destroy() { wasmrt_wasi_config_delete(to_c(this)); }

 public:
  WasiConfig() = delete;
  ~WasiConfig() = delete;

  static auto make() -> own<WasiConfig> { return make_own(from_c(wasmrt_wasi_config_new())); }

  auto arg(const char* value) -> bool { return wasmrt_wasi_config_arg(to_c(this), value); }
  auto env(const char* name, const char* value) -> bool {
    return wasmrt_wasi_config_env(to_c(this), name, value);
  }
  auto inherit_env() -> bool { return wasmrt_wasi_config_inherit_env(to_c(this)); }
  auto inherit(wasmrt_wasi_stream_t stream) -> bool {
    return wasmrt_wasi_config_inherit(to_c(this), stream);
  }
  auto file(wasmrt_wasi_stream_t stream, const char* path, bool append = false) -> bool {
    return wasmrt_wasi_config_file(to_c(this), stream, path, append);
  }
  auto fd(wasmrt_wasi_stream_t stream, int open) -> bool {
    return wasmrt_wasi_config_fd(to_c(this), stream, open);
  }
  auto stdin_bytes(const void* bytes, size_t size) -> bool {
    return wasmrt_wasi_config_stdin_bytes(to_c(this), bytes, size);
  }
  auto reader(wasmrt_wasi_reader_t callback, void* env = nullptr,
              void (*finalizer)(void*) = nullptr) -> bool {
    return wasmrt_wasi_config_reader(to_c(this), callback, env, finalizer);
  }
  auto writer(wasmrt_wasi_stream_t stream, wasmrt_wasi_writer_t callback, void* env = nullptr,
              void (*finalizer)(void*) = nullptr) -> bool {
    return wasmrt_wasi_config_writer(to_c(this), stream, callback, env, finalizer);
  }
  auto capture(wasmrt_wasi_stream_t stream, size_t size) -> bool {
    return wasmrt_wasi_config_capture(to_c(this), stream, size);
  }
  auto preopen(const char* host, const char* guest, wasmrt_wasi_access_t access) -> bool {
    return wasmrt_wasi_config_preopen(to_c(this), host, guest, access);
  }
  auto preopen_fd(int fd, const char* guest, wasmrt_wasi_access_t access) -> bool {
    return wasmrt_wasi_config_preopen_fd(to_c(this), fd, guest, access);
  }
  auto virtual_root(bool enabled) -> bool {
    return wasmrt_wasi_config_virtual_root(to_c(this), enabled);
  }
  auto clock(wasmrt_wasi_clock_t which, wasmrt_wasi_clock_callback_t callback, void* env = nullptr,
             void (*finalizer)(void*) = nullptr) -> bool {
    return wasmrt_wasi_config_clock(to_c(this), which, callback, env, finalizer);
  }
  auto random(wasmrt_wasi_random_callback_t callback, void* env = nullptr,
              void (*finalizer)(void*) = nullptr) -> bool {
    return wasmrt_wasi_config_random(to_c(this), callback, env, finalizer);
  }
  auto random_seed(uint64_t seed) -> bool {
    return wasmrt_wasi_config_random_seed(to_c(this), seed);
  }
  auto limit(wasmrt_wasi_limit_t limit, uint64_t amount) -> bool {
    return wasmrt_wasi_config_limit(to_c(this), limit, amount);
  }
};

// A WASI context of a store.
class Wasi {
  friend class wasm::destroyer;
  void destroy() { wasmrt_wasi_delete(to_c(this)); }

 public:
  Wasi() = delete;
  ~Wasi() = delete;

  static auto make(Store* store, const WasiConfig* config) -> own<Wasi> {
    return make_own(from_c(wasmrt_wasi_new(to_c(store), to_c(config))));
  }

  // The imports that are not WASI's are null. See `borrow`.
  auto imports(const Module* module) const -> ownvec<Extern> {
    auto out = ownvec<Extern>::make();
    bool made = wasmrt_wasi_imports(to_c(this), to_c(module), to_c(&out));
    return made ? std::move(out) : ownvec<Extern>::invalid();
  }
  auto func(const char* module, const char* name) const -> own<Func> {
    return make_own(from_c(wasmrt_wasi_func(to_c(this), module, name)));
  }
  auto bind_memory(const Memory* memory) -> bool {
    return wasmrt_wasi_bind_memory(to_c(this), to_c(memory));
  }
  auto start(const Instance* instance, int32_t* out = nullptr) -> own<Trap> {
    return make_own(from_c(wasmrt_wasi_start(to_c(this), to_c(instance), out)));
  }
  auto exit_status(int32_t* out) const -> bool { return wasmrt_wasi_exit_status(to_c(this), out); }
  auto read(wasmrt_wasi_stream_t stream, void* to, size_t size, size_t* out) -> bool {
    return wasmrt_wasi_read(to_c(this), stream, to, size, out);
  }
};

} // namespace wasmrt

#endif // WASMRT_HH
