// wasm.hh: the standard WebAssembly C++ API, over wasm.h.
//
// Classes, functions and values are those of the standard (github.com/WebAssembly/wasm-c-api at
// 9d6b937). What each function does, what it does with NULL and how it fails is said in wasm.h, at
// the C function that it calls: `Module::make` calls `wasm_module_new`, `Func::call` calls
// `wasm_func_call`, and so on. wasmrt.hh has the same for wasmrt.h. C++11 or newer; exceptions and
// run-time type information are not needed.
//
// Handles. No object of the classes below exists. A `Store*` is the `wasm_store_t*` of the C API
// under another type, and a member function passes it on: a call through this header is the call of
// a C function. The classes are empty, so that nothing is read or written through such a pointer,
// and a conversion to a base class leaves it as it is, as C's `wasm_func_as_ref` and its like do.
// As everywhere in C++, a member function must not be called on a null pointer. Null arguments are
// passed on, and give what they give in C.
//
// Ownership. `own<T>` is a `std::unique_ptr` that deletes with the `_delete` function of the C
// type. It has the size of a pointer. What was moved from is null. Other pointers are borrowed.
//
// Vectors. A `vec` has the layout of the C vector of its elements, and its array is C's. Vectors
// and values that the library has written are used in place. This header reads and writes them as
// `vec`, `own` and `Val` only, never as C's structs, and what the functions of the library do with
// them a compiler cannot see: so its rules on aliasing hold. Do the same if you call C functions on
// them, see `to_c`. An invalid vector, as after an allocation that failed or a move, is false, has
// the size 0 and no data. C takes it for an empty one.
//
// Exceptions. The library and this header throw none. Callbacks must not throw: the program ends
// with `std::terminate`.

#ifndef WASM_HH
#define WASM_HH

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <memory>
#include <new>
#include <string>
#include <type_traits>
#include <utility>

#include "wasm.h"

namespace wasm {

// -------------------------------------------------------------------------------------------------
// Ownership

// Deletes what an `own` has.
class destroyer {
 public:
  // Deletes a handle.
  template <class T>
  void operator()(T* handle) {
    handle->destroy();
  }
};

// A pointer that owns its handle.
template <class T>
using own = std::unique_ptr<T, destroyer>;

// Returns an owner of a handle.
template <class T>
auto make_own(T* handle) -> own<T> {
  return own<T>(handle);
}

// -------------------------------------------------------------------------------------------------
// C types
//
// `to_c` and `from_c` return a pointer under its type in the other API: a handle's, a vector's, a
// value's or that of limits. The pointer stays the same, and so does what it owns: an owned C
// handle becomes an `own` by `make_own(from_c(handle))`, and back by `to_c(handle.release())`.

#define WASM_HH_C_TYPE(Type, c_type)                                                      \
  inline auto to_c(Type* pointer)->c_type* { return reinterpret_cast<c_type*>(pointer); } \
  inline auto to_c(const Type* pointer)->const c_type* {                                  \
    return reinterpret_cast<const c_type*>(pointer);                                      \
  }                                                                                       \
  inline auto from_c(c_type* pointer)->Type* { return reinterpret_cast<Type*>(pointer); } \
  inline auto from_c(const c_type* pointer)->const Type* {                                \
    return reinterpret_cast<const Type*>(pointer);                                        \
  }

#define WASM_HH_HANDLE(Class, c_type) \
  class Class;                        \
  WASM_HH_C_TYPE(Class, c_type)

template <class T>
class Shared;

WASM_HH_HANDLE(Config, wasm_config_t)
WASM_HH_HANDLE(Engine, wasm_engine_t)
WASM_HH_HANDLE(Store, wasm_store_t)
WASM_HH_HANDLE(ValType, wasm_valtype_t)
WASM_HH_HANDLE(ExternType, wasm_externtype_t)
WASM_HH_HANDLE(FuncType, wasm_functype_t)
WASM_HH_HANDLE(GlobalType, wasm_globaltype_t)
WASM_HH_HANDLE(TableType, wasm_tabletype_t)
WASM_HH_HANDLE(MemoryType, wasm_memorytype_t)
WASM_HH_HANDLE(TagType, wasm_tagtype_t)
WASM_HH_HANDLE(ImportType, wasm_importtype_t)
WASM_HH_HANDLE(ExportType, wasm_exporttype_t)
WASM_HH_HANDLE(Ref, wasm_ref_t)
WASM_HH_HANDLE(Frame, wasm_frame_t)
WASM_HH_HANDLE(Trap, wasm_trap_t)
WASM_HH_HANDLE(Module, wasm_module_t)
WASM_HH_C_TYPE(Shared<Module>, wasm_shared_module_t)
WASM_HH_HANDLE(Foreign, wasm_foreign_t)
WASM_HH_HANDLE(Extern, wasm_extern_t)
WASM_HH_HANDLE(Func, wasm_func_t)
WASM_HH_HANDLE(Global, wasm_global_t)
WASM_HH_HANDLE(Table, wasm_table_t)
WASM_HH_HANDLE(Memory, wasm_memory_t)
WASM_HH_HANDLE(Instance, wasm_instance_t)
WASM_HH_HANDLE(Val, wasm_val_t)
#undef WASM_HH_HANDLE

struct Limits;
WASM_HH_C_TYPE(Limits, wasm_limits_t)

template <class T>
class vec;
WASM_HH_C_TYPE(vec<byte_t>, wasm_byte_vec_t)
WASM_HH_C_TYPE(vec<Val>, wasm_val_vec_t)
WASM_HH_C_TYPE(vec<own<ValType>>, wasm_valtype_vec_t)
WASM_HH_C_TYPE(vec<own<FuncType>>, wasm_functype_vec_t)
WASM_HH_C_TYPE(vec<own<GlobalType>>, wasm_globaltype_vec_t)
WASM_HH_C_TYPE(vec<own<TableType>>, wasm_tabletype_vec_t)
WASM_HH_C_TYPE(vec<own<MemoryType>>, wasm_memorytype_vec_t)
WASM_HH_C_TYPE(vec<own<TagType>>, wasm_tagtype_vec_t)
WASM_HH_C_TYPE(vec<own<ExternType>>, wasm_externtype_vec_t)
WASM_HH_C_TYPE(vec<own<ImportType>>, wasm_importtype_vec_t)
WASM_HH_C_TYPE(vec<own<ExportType>>, wasm_exporttype_vec_t)
WASM_HH_C_TYPE(vec<own<Frame>>, wasm_frame_vec_t)
WASM_HH_C_TYPE(vec<own<Extern>>, wasm_extern_vec_t)
#undef WASM_HH_C_TYPE

// Imports: a C vector whose elements are borrowed.
inline auto to_c(const vec<Extern*>* vector) -> const wasm_extern_vec_t* {
  return reinterpret_cast<const wasm_extern_vec_t*>(vector);
}

// -------------------------------------------------------------------------------------------------
// Vectors

namespace detail {

// How the array of a `vec<T>` is made, freed and copied. Here: of elements that have no vector in
// C.
template <class T>
struct elements {
  static void make(vec<T>& out, size_t size) {
    out.data_ = new (std::nothrow) T[size]();
    out.size_ = out.data_ ? size : 0;
  }

  static void free(vec<T>& vector) { delete[] vector.data_; }

  static void copy(vec<T>& out, const vec<T>& vector) {
    out = vec<T>::make_uninitialized(vector.size_);
    for (size_t i = 0; i < out.size_; ++i) {
      if (vector.data_[i]) out.data_[i] = vector.data_[i]->copy();
    }
  }
};

// Of elements that have one. What is new is all zeros: a null pointer, or a value that is 0.
#define WASM_HH_ELEMENTS(T, name)                                                 \
  template <>                                                                     \
  struct elements<T> {                                                            \
    static void make(vec<T>& out, size_t size) {                                  \
      wasm_##name##_vec_new_uninitialized(to_c(&out), size);                      \
    }                                                                             \
    static void free(vec<T>& vector) { wasm_##name##_vec_delete(to_c(&vector)); } \
    static void copy(vec<T>& out, const vec<T>& vector) {                         \
      wasm_##name##_vec_copy(to_c(&out), to_c(&vector));                          \
    }                                                                             \
  };

WASM_HH_ELEMENTS(byte_t, byte)
WASM_HH_ELEMENTS(Val, val)
WASM_HH_ELEMENTS(own<ValType>, valtype)
WASM_HH_ELEMENTS(own<FuncType>, functype)
WASM_HH_ELEMENTS(own<GlobalType>, globaltype)
WASM_HH_ELEMENTS(own<TableType>, tabletype)
WASM_HH_ELEMENTS(own<MemoryType>, memorytype)
WASM_HH_ELEMENTS(own<TagType>, tagtype)
WASM_HH_ELEMENTS(own<ExternType>, externtype)
WASM_HH_ELEMENTS(own<ImportType>, importtype)
WASM_HH_ELEMENTS(own<ExportType>, exporttype)
WASM_HH_ELEMENTS(own<Frame>, frame)
WASM_HH_ELEMENTS(own<Extern>, extern)
#undef WASM_HH_ELEMENTS

// Whether all of `Ts` can be elements of a `vec<T>`.
template <class T, class... Ts>
struct all_convertible : std::true_type {};
template <class T, class U, class... Ts>
struct all_convertible<T, U, Ts...>
    : std::integral_constant<bool, std::is_convertible<U, T>::value &&
                                       all_convertible<T, Ts...>::value> {};

} // namespace detail

// A vector that owns its array, and the elements if they are owned.
template <class T>
class vec {
  friend struct detail::elements<T>;

  // C's two fields, in C's order.
  size_t size_;
  T* data_;

  vec(size_t size, T* data) : size_(size), data_(data) {}

  // The data of an invalid vector: an address that no array has. C does not read from it, as the
  // size is 0, and does not free it, as it is not one of `malloc`, which aligns more.
  static auto nowhere() -> T* { return reinterpret_cast<T*>(~uintptr_t{sizeof(void*) - 1}); }

  void free_data() {
    if (data_ && *this) detail::elements<T>::free(*this);
  }

 public:
  // The type of its elements.
  using elem_type = T;

  // Takes the array of another vector, which is invalid afterwards.
  vec(vec&& that) noexcept : vec(that.size_, that.data_) { that.release(); }

  ~vec() { free_data(); }

  // Whether it is valid.
  operator bool() const { return data_ != nowhere(); }

  // Returns the number of elements.
  auto size() const -> size_t { return size_; }

  // Returns the array, null if the vector is invalid.

  auto get() const -> const T* { return *this ? data_ : nullptr; }

  auto get() -> T* { return *this ? data_ : nullptr; }

  // Gives up the array, for `adopt`. The vector is invalid afterwards.
  auto release() -> T* {
    T* data = get();
    size_ = 0;
    data_ = nowhere();
    return data;
  }

  // Frees the array and the elements. The vector is invalid afterwards.
  void reset() {
    free_data();
    release();
  }

  // Takes the array of another vector, which is invalid afterwards.
  void reset(vec& that) {
    if (this == &that) return;
    free_data();
    size_ = that.size_;
    data_ = that.data_;
    that.release();
  }

  // The same as `reset`.
  auto operator=(vec&& that) noexcept -> vec& {
    reset(that);
    return *this;
  }

  // Returns an element. `i` must be less than `size()`.

  auto operator[](size_t i) -> T& {
    assert(i < size_);
    return data_[i];
  }

  auto operator[](size_t i) const -> const T& {
    assert(i < size_);
    return data_[i];
  }

  // Copies elements that can be assigned. The copy is invalid if there is no memory.
  auto copy() const -> vec {
    if (!*this) return invalid();
    vec copy = make_uninitialized(size_);
    for (size_t i = 0; i < copy.size_; ++i) copy.data_[i] = data_[i];
    return copy;
  }

  // Copies elements that are owned, with what they own. The copy is invalid if there is no memory.
  auto deep_copy() const -> vec {
    if (!*this) return invalid();
    vec copy(0, nullptr);
    detail::elements<T>::copy(copy, *this);
    return copy.size_ == size_ ? std::move(copy) : invalid();
  }

  // Makes a vector of `size` elements, for the caller to assign. It is invalid if there is no
  // memory.
  static auto make_uninitialized(size_t size = 0) -> vec {
    vec made(0, nullptr);
    if (size != 0) detail::elements<T>::make(made, size);
    return made.size_ == size ? std::move(made) : invalid();
  }

  // Makes a vector of the `size` elements at `init`, which are moved.
  static auto make(size_t size, T init[]) -> vec {
    vec made = make_uninitialized(size);
    for (size_t i = 0; i < made.size_; ++i) made.data_[i] = std::move(init[i]);
    return made;
  }

  // Makes a vector of the characters of a string.
  static auto make(std::string s) -> vec<char> {
    auto made = vec<char>::make_uninitialized(s.length());
    if (made.size() != 0) std::memcpy(made.get(), s.data(), s.length());
    return made;
  }

  // Makes a vector of the characters of a string and the terminating zero.
  static auto make_nt(std::string s) -> vec<char> {
    auto made = vec<char>::make_uninitialized(s.length() + 1);
    if (made) std::memcpy(made.get(), s.c_str(), s.length() + 1);
    return made;
  }

  // Makes an empty vector.
  static auto make() -> vec { return vec(0, nullptr); }

  // Makes a vector of the arguments.
  template <class... Ts,
            class = typename std::enable_if<detail::all_convertible<T, Ts&&...>::value>::type>
  static auto make(Ts&&... args) -> vec {
    T init[] = {std::forward<Ts>(args)...};
    return make(sizeof...(Ts), init);
  }

  // Takes an array that `release` has given up, or one that came from where C vectors take theirs,
  // `malloc`. (Arrays of elements that have no vector in C come from `new T[]`.)
  static auto adopt(size_t size, T data[]) -> vec { return vec(size, data); }

  // Makes an invalid vector.
  static auto invalid() -> vec { return vec(0, nowhere()); }
};

// A vector of owned handles.
template <class T>
using ownvec = vec<own<T>>;

namespace detail {

// Imports are borrowed, so C must not delete them with the vector.
template <>
struct elements<Extern*> {
  static void make(vec<Extern*>& out, size_t size) {
    wasm_extern_vec_new_uninitialized(reinterpret_cast<wasm_extern_vec_t*>(&out), size);
  }
  static void free(vec<Extern*>& vector) {
    for (size_t i = 0; i < vector.size_; ++i) vector.data_[i] = nullptr;
    wasm_extern_vec_delete(reinterpret_cast<wasm_extern_vec_t*>(&vector));
  }
};

// Calls a C function that writes a vector.
template <class T, class C, class Object>
auto vector_from(void (*function)(const Object*, C*), const Object* object) -> vec<T> {
  auto out = vec<T>::make();
  function(object, to_c(&out));
  return out;
}

} // namespace detail

// -------------------------------------------------------------------------------------------------
// Runtime environment

class Config {
  friend class destroyer;
  void destroy() { wasm_config_delete(to_c(this)); }

 public:
  Config() = delete;
  ~Config() = delete;

  static auto make() -> own<Config> { return make_own(from_c(wasm_config_new())); }
};

class Engine {
  friend class destroyer;
  void destroy() { wasm_engine_delete(to_c(this)); }

 public:
  Engine() = delete;
  ~Engine() = delete;

  static auto make(own<Config>&& config = Config::make()) -> own<Engine> {
    return make_own(from_c(wasm_engine_new_with_config(to_c(config.release()))));
  }
};

class Store {
  friend class destroyer;
  void destroy() { wasm_store_delete(to_c(this)); }

 public:
  Store() = delete;
  ~Store() = delete;

  static auto make(Engine* engine) -> own<Store> {
    return make_own(from_c(wasm_store_new(to_c(engine))));
  }
};

// -------------------------------------------------------------------------------------------------
// Types

// Whether a global can be changed.
enum class Mutability : uint8_t { CONST = WASM_CONST, VAR = WASM_VAR };

// Limits of a size: of a table in elements, of a memory in pages.
struct Limits {
  // The smallest size.
  uint32_t min;
  // The largest size.
  uint32_t max;

  // Makes limits; without `most`, there is no maximum.
  Limits(uint32_t least, uint32_t most = std::numeric_limits<uint32_t>::max())
      : min(least), max(most) {}
};

// The kinds of values.
enum class ValKind : uint8_t {
  I32 = WASM_I32,
  I64 = WASM_I64,
  F32 = WASM_F32,
  F64 = WASM_F64,
  EXTERNREF = WASM_EXTERNREF,
  FUNCREF = WASM_FUNCREF,
  ANYREF = EXTERNREF, // its name in older versions of the standard
};

// Returns whether values of a kind are numbers.
inline bool is_num(ValKind kind) { return kind < ValKind::EXTERNREF; }
// Returns whether values of a kind are references.
inline bool is_ref(ValKind kind) { return kind >= ValKind::EXTERNREF; }

class ValType {
  friend class destroyer;
  void destroy() { wasm_valtype_delete(to_c(this)); }

 public:
  ValType() = delete;
  ~ValType() = delete;

  static auto make(ValKind kind) -> own<ValType> {
    return make_own(from_c(wasm_valtype_new(static_cast<wasm_valkind_t>(kind))));
  }
  auto copy() const -> own<ValType> { return make_own(from_c(wasm_valtype_copy(to_c(this)))); }

  auto kind() const -> ValKind { return static_cast<ValKind>(wasm_valtype_kind(to_c(this))); }
  // Returns whether its values are numbers.
  auto is_num() const -> bool { return wasm::is_num(kind()); }
  // Returns whether its values are references.
  auto is_ref() const -> bool { return wasm::is_ref(kind()); }
};

// The kinds of externs.
enum class ExternKind : uint8_t {
  FUNC = WASM_EXTERN_FUNC,
  GLOBAL = WASM_EXTERN_GLOBAL,
  TABLE = WASM_EXTERN_TABLE,
  MEMORY = WASM_EXTERN_MEMORY,
  TAG = WASM_EXTERN_TAG,
};

class ExternType {
  friend class destroyer;
  void destroy() { wasm_externtype_delete(to_c(this)); }

 public:
  ExternType() = delete;
  ~ExternType() = delete;

  auto copy() const -> own<ExternType> {
    return make_own(from_c(wasm_externtype_copy(to_c(this))));
  }

  auto kind() const -> ExternKind {
    return static_cast<ExternKind>(wasm_externtype_kind(to_c(this)));
  }

  auto func() -> FuncType* { return from_c(wasm_externtype_as_functype(to_c(this))); }
  auto global() -> GlobalType* { return from_c(wasm_externtype_as_globaltype(to_c(this))); }
  auto table() -> TableType* { return from_c(wasm_externtype_as_tabletype(to_c(this))); }
  auto memory() -> MemoryType* { return from_c(wasm_externtype_as_memorytype(to_c(this))); }
  auto tag() -> TagType* { return from_c(wasm_externtype_as_tagtype(to_c(this))); }

  auto func() const -> const FuncType* {
    return from_c(wasm_externtype_as_functype_const(to_c(this)));
  }
  auto global() const -> const GlobalType* {
    return from_c(wasm_externtype_as_globaltype_const(to_c(this)));
  }
  auto table() const -> const TableType* {
    return from_c(wasm_externtype_as_tabletype_const(to_c(this)));
  }
  auto memory() const -> const MemoryType* {
    return from_c(wasm_externtype_as_memorytype_const(to_c(this)));
  }
  auto tag() const -> const TagType* {
    return from_c(wasm_externtype_as_tagtype_const(to_c(this)));
  }
};

class FuncType : public ExternType {
  friend class destroyer;
  void destroy() { wasm_functype_delete(to_c(this)); }

 public:
  // Takes the types out of both vectors.
  static auto make(ownvec<ValType>&& params = ownvec<ValType>::make(),
                   ownvec<ValType>&& results = ownvec<ValType>::make()) -> own<FuncType> {
    wasm_functype_t* type = wasm_functype_new(to_c(&params), to_c(&results));
    params.release();
    results.release();
    return make_own(from_c(type));
  }
  auto copy() const -> own<FuncType> { return make_own(from_c(wasm_functype_copy(to_c(this)))); }

  auto params() const -> const ownvec<ValType>& {
    return *from_c(wasm_functype_params(to_c(this)));
  }
  auto results() const -> const ownvec<ValType>& {
    return *from_c(wasm_functype_results(to_c(this)));
  }
};

class GlobalType : public ExternType {
  friend class destroyer;
  void destroy() { wasm_globaltype_delete(to_c(this)); }

 public:
  static auto make(own<ValType>&& content, Mutability mutability) -> own<GlobalType> {
    return make_own(from_c(
        wasm_globaltype_new(to_c(content.release()), static_cast<wasm_mutability_t>(mutability))));
  }
  auto copy() const -> own<GlobalType> {
    return make_own(from_c(wasm_globaltype_copy(to_c(this))));
  }

  auto content() const -> const ValType* { return from_c(wasm_globaltype_content(to_c(this))); }
  auto mutability() const -> Mutability {
    return static_cast<Mutability>(wasm_globaltype_mutability(to_c(this)));
  }
};

class TableType : public ExternType {
  friend class destroyer;
  void destroy() { wasm_tabletype_delete(to_c(this)); }

 public:
  static auto make(own<ValType>&& element, Limits limits) -> own<TableType> {
    return make_own(from_c(wasm_tabletype_new(to_c(element.release()), to_c(&limits))));
  }
  auto copy() const -> own<TableType> { return make_own(from_c(wasm_tabletype_copy(to_c(this)))); }

  auto element() const -> const ValType* { return from_c(wasm_tabletype_element(to_c(this))); }
  auto limits() const -> const Limits& { return *from_c(wasm_tabletype_limits(to_c(this))); }
};

class MemoryType : public ExternType {
  friend class destroyer;
  void destroy() { wasm_memorytype_delete(to_c(this)); }

 public:
  static auto make(Limits limits) -> own<MemoryType> {
    return make_own(from_c(wasm_memorytype_new(to_c(&limits))));
  }
  auto copy() const -> own<MemoryType> {
    return make_own(from_c(wasm_memorytype_copy(to_c(this))));
  }

  auto limits() const -> const Limits& { return *from_c(wasm_memorytype_limits(to_c(this))); }
};

class TagType : public ExternType {
  friend class destroyer;
  void destroy() { wasm_tagtype_delete(to_c(this)); }

 public:
  static auto make(own<FuncType>&& type) -> own<TagType> {
    return make_own(from_c(wasm_tagtype_new(to_c(type.release()))));
  }
  auto copy() const -> own<TagType> { return make_own(from_c(wasm_tagtype_copy(to_c(this)))); }

  auto functype() const -> const FuncType* { return from_c(wasm_tagtype_functype(to_c(this))); }
};

// A name, in UTF-8.
using Name = vec<byte_t>;

class ImportType {
  friend class destroyer;
  void destroy() { wasm_importtype_delete(to_c(this)); }

 public:
  ImportType() = delete;
  ~ImportType() = delete;

  // Takes both names and the type.
  static auto make(Name&& module, Name&& name, own<ExternType>&& type) -> own<ImportType> {
    wasm_importtype_t* made = wasm_importtype_new(to_c(&module), to_c(&name), to_c(type.release()));
    module.release();
    name.release();
    return make_own(from_c(made));
  }
  auto copy() const -> own<ImportType> {
    return make_own(from_c(wasm_importtype_copy(to_c(this))));
  }

  auto module() const -> const Name& { return *from_c(wasm_importtype_module(to_c(this))); }
  auto name() const -> const Name& { return *from_c(wasm_importtype_name(to_c(this))); }
  auto type() const -> const ExternType* { return from_c(wasm_importtype_type(to_c(this))); }
};

class ExportType {
  friend class destroyer;
  void destroy() { wasm_exporttype_delete(to_c(this)); }

 public:
  ExportType() = delete;
  ~ExportType() = delete;

  // Takes the name and the type.
  static auto make(Name&& name, own<ExternType>&& type) -> own<ExportType> {
    wasm_exporttype_t* made = wasm_exporttype_new(to_c(&name), to_c(type.release()));
    name.release();
    return make_own(from_c(made));
  }
  auto copy() const -> own<ExportType> {
    return make_own(from_c(wasm_exporttype_copy(to_c(this))));
  }

  auto name() const -> const Name& { return *from_c(wasm_exporttype_name(to_c(this))); }
  auto type() const -> const ExternType* { return from_c(wasm_exporttype_type(to_c(this))); }
};

// -------------------------------------------------------------------------------------------------
// References and values

class Ref {
  friend class destroyer;
  void destroy() { wasm_ref_delete(to_c(this)); }

 public:
  Ref() = delete;
  ~Ref() = delete;

  auto copy() const -> own<Ref> { return make_own(from_c(wasm_ref_copy(to_c(this)))); }
  auto same(const Ref* that) const -> bool { return wasm_ref_same(to_c(this), to_c(that)); }

  auto get_host_info() const -> void* { return wasm_ref_get_host_info(to_c(this)); }
  void set_host_info(void* info, void (*finalizer)(void*) = nullptr) {
    wasm_ref_set_host_info_with_finalizer(to_c(this), info, finalizer);
  }
};

// A value: C's `wasm_val_t`. It owns the reference that it has.
//
// References are made with the kind EXTERNREF, also those of functions: the library takes them
// where a funcref is expected, too.
class Val {
  // C's two fields, in C's order.
  ValKind kind_;
  union impl {
    int32_t i32;
    int64_t i64;
    float32_t f32;
    float64_t f64;
    Ref* ref;
  } impl_;

 public:
  // Makes a null reference.
  Val() : kind_(ValKind::EXTERNREF) { impl_.ref = nullptr; }

  // Makes a value of the kind of the argument. A reference is taken.

  explicit Val(int32_t value) : kind_(ValKind::I32) { impl_.i32 = value; }
  explicit Val(int64_t value) : kind_(ValKind::I64) { impl_.i64 = value; }
  explicit Val(float32_t value) : kind_(ValKind::F32) { impl_.f32 = value; }
  explicit Val(float64_t value) : kind_(ValKind::F64) { impl_.f64 = value; }
  explicit Val(own<Ref>&& value) : kind_(ValKind::EXTERNREF) { impl_.ref = value.release(); }

  // Takes the value of another, which keeps no reference.
  Val(Val&& that) noexcept : kind_(that.kind_), impl_(that.impl_) {
    if (that.is_ref()) that.impl_.ref = nullptr;
  }

  ~Val() { reset(); }

  // Returns whether it is a number.
  auto is_num() const -> bool { return wasm::is_num(kind_); }
  // Returns whether it is a reference, or null.
  auto is_ref() const -> bool { return wasm::is_ref(kind_); }

  // Makes a value of the kind that the name or the argument says. A reference is taken.

  static auto i32(int32_t value) -> Val { return Val(value); }
  static auto i64(int64_t value) -> Val { return Val(value); }
  static auto f32(float32_t value) -> Val { return Val(value); }
  static auto f64(float64_t value) -> Val { return Val(value); }
  static auto ref(own<Ref>&& value) -> Val { return Val(std::move(value)); }
  template <class T>
  static auto make(T value) -> Val;
  template <class T>
  static auto make(own<T>&& value) -> Val;

  // Deletes the reference, if there is one.
  void reset() {
    if (is_ref() && impl_.ref) {
      wasm_ref_delete(to_c(impl_.ref));
      impl_.ref = nullptr;
    }
  }

  // Takes the value of another, which keeps no reference.
  void reset(Val& that) {
    if (this == &that) return;
    reset();
    kind_ = that.kind_;
    impl_ = that.impl_;
    if (that.is_ref()) that.impl_.ref = nullptr;
  }

  // The same as `reset`.
  auto operator=(Val&& that) noexcept -> Val& {
    reset(that);
    return *this;
  }

  // Returns its kind.
  auto kind() const -> ValKind { return kind_; }

  // Returns the value, which must be of the kind that the name, or `T`, says. A reference stays
  // owned by this.

  auto i32() const -> int32_t {
    assert(kind_ == ValKind::I32);
    return impl_.i32;
  }
  auto i64() const -> int64_t {
    assert(kind_ == ValKind::I64);
    return impl_.i64;
  }
  auto f32() const -> float32_t {
    assert(kind_ == ValKind::F32);
    return impl_.f32;
  }
  auto f64() const -> float64_t {
    assert(kind_ == ValKind::F64);
    return impl_.f64;
  }
  auto ref() const -> Ref* {
    assert(is_ref());
    return impl_.ref;
  }
  template <class T>
  auto get() const -> T;

  // Gives up the reference: the value is null afterwards.
  auto release_ref() -> own<Ref> {
    assert(is_ref());
    Ref* given = impl_.ref;
    impl_.ref = nullptr;
    return own<Ref>(given);
  }

  auto copy() const -> Val {
    Val out;
    wasm_val_copy(to_c(&out), to_c(this));
    return out;
  }
};

template <>
inline auto Val::make<int32_t>(int32_t value) -> Val {
  return Val(value);
}
template <>
inline auto Val::make<int64_t>(int64_t value) -> Val {
  return Val(value);
}
template <>
inline auto Val::make<float32_t>(float32_t value) -> Val {
  return Val(value);
}
template <>
inline auto Val::make<float64_t>(float64_t value) -> Val {
  return Val(value);
}
template <>
inline auto Val::make<uint32_t>(uint32_t value) -> Val {
  return Val(static_cast<int32_t>(value));
}
template <>
inline auto Val::make<uint64_t>(uint64_t value) -> Val {
  return Val(static_cast<int64_t>(value));
}
template <class T>
inline auto Val::make(own<T>&& value) -> Val {
  return Val(own<Ref>(std::move(value)));
}

template <>
inline auto Val::get<int32_t>() const -> int32_t {
  return i32();
}
template <>
inline auto Val::get<int64_t>() const -> int64_t {
  return i64();
}
template <>
inline auto Val::get<float32_t>() const -> float32_t {
  return f32();
}
template <>
inline auto Val::get<float64_t>() const -> float64_t {
  return f64();
}
template <>
inline auto Val::get<uint32_t>() const -> uint32_t {
  return static_cast<uint32_t>(i32());
}
template <>
inline auto Val::get<uint64_t>() const -> uint64_t {
  return static_cast<uint64_t>(i64());
}
template <>
inline auto Val::get<Ref*>() const -> Ref* {
  return ref();
}

// -------------------------------------------------------------------------------------------------
// Traps

using Message = vec<byte_t>; // ends in a zero

class Frame {
  friend class destroyer;
  void destroy() { wasm_frame_delete(to_c(this)); }

 public:
  Frame() = delete;
  ~Frame() = delete;

  auto copy() const -> own<Frame> { return make_own(from_c(wasm_frame_copy(to_c(this)))); }

  auto instance() const -> Instance* { return from_c(wasm_frame_instance(to_c(this))); }
  auto func_index() const -> uint32_t { return wasm_frame_func_index(to_c(this)); }
  auto func_offset() const -> size_t { return wasm_frame_func_offset(to_c(this)); }
  auto module_offset() const -> size_t { return wasm_frame_module_offset(to_c(this)); }
};

class Trap : public Ref {
  friend class destroyer;
  void destroy() { wasm_trap_delete(to_c(this)); }

 public:
  static auto make(Store* store, const Message& message) -> own<Trap> {
    return make_own(from_c(wasm_trap_new(to_c(store), to_c(&message))));
  }
  auto copy() const -> own<Trap> { return make_own(from_c(wasm_trap_copy(to_c(this)))); }

  auto message() const -> Message {
    return detail::vector_from<byte_t>(wasm_trap_message, to_c(this));
  }
  // The frame in which it began. Null if there are no frames.
  auto origin() const -> own<Frame> { return make_own(from_c(wasm_trap_origin(to_c(this)))); }
  // All frames, the origin first.
  auto trace() const -> ownvec<Frame> {
    return detail::vector_from<own<Frame>>(wasm_trap_trace, to_c(this));
  }
};

// -------------------------------------------------------------------------------------------------
// Modules

// A module that can be taken to other threads.
template <>
class Shared<Module> {
  friend class destroyer;
  void destroy() { wasm_shared_module_delete(to_c(this)); }

 public:
  Shared() = delete;
  ~Shared() = delete;
};

class Module : public Ref {
  friend class destroyer;
  void destroy() { wasm_module_delete(to_c(this)); }

 public:
  static auto validate(Store* store, const vec<byte_t>& binary) -> bool {
    return wasm_module_validate(to_c(store), to_c(&binary));
  }
  static auto make(Store* store, const vec<byte_t>& binary) -> own<Module> {
    return make_own(from_c(wasm_module_new(to_c(store), to_c(&binary))));
  }
  auto copy() const -> own<Module> { return make_own(from_c(wasm_module_copy(to_c(this)))); }

  auto imports() const -> ownvec<ImportType> {
    return detail::vector_from<own<ImportType>>(wasm_module_imports, to_c(this));
  }
  auto exports() const -> ownvec<ExportType> {
    return detail::vector_from<own<ExportType>>(wasm_module_exports, to_c(this));
  }

  auto share() const -> own<Shared<Module>> {
    return make_own(from_c(wasm_module_share(to_c(this))));
  }
  static auto obtain(Store* store, const Shared<Module>* shared) -> own<Module> {
    return make_own(from_c(wasm_module_obtain(to_c(store), to_c(shared))));
  }

  // Invalid on failure.
  auto serialize() const -> vec<byte_t> {
    auto bytes = detail::vector_from<byte_t>(wasm_module_serialize, to_c(this));
    return bytes.size() != 0 ? std::move(bytes) : vec<byte_t>::invalid();
  }
  static auto deserialize(Store* store, const vec<byte_t>& bytes) -> own<Module> {
    return make_own(from_c(wasm_module_deserialize(to_c(store), to_c(&bytes))));
  }
};

// -------------------------------------------------------------------------------------------------
// Foreign objects

class Foreign : public Ref {
  friend class destroyer;
  void destroy() { wasm_foreign_delete(to_c(this)); }

 public:
  static auto make(Store* store) -> own<Foreign> {
    return make_own(from_c(wasm_foreign_new(to_c(store))));
  }
  auto copy() const -> own<Foreign> { return make_own(from_c(wasm_foreign_copy(to_c(this)))); }
};

// -------------------------------------------------------------------------------------------------
// Externs

class Extern : public Ref {
  friend class destroyer;
  void destroy() { wasm_extern_delete(to_c(this)); }

 public:
  auto copy() const -> own<Extern> { return make_own(from_c(wasm_extern_copy(to_c(this)))); }

  auto kind() const -> ExternKind { return static_cast<ExternKind>(wasm_extern_kind(to_c(this))); }
  auto type() const -> own<ExternType> { return make_own(from_c(wasm_extern_type(to_c(this)))); }

  auto func() -> Func* { return from_c(wasm_extern_as_func(to_c(this))); }
  auto global() -> Global* { return from_c(wasm_extern_as_global(to_c(this))); }
  auto table() -> Table* { return from_c(wasm_extern_as_table(to_c(this))); }
  auto memory() -> Memory* { return from_c(wasm_extern_as_memory(to_c(this))); }

  auto func() const -> const Func* { return from_c(wasm_extern_as_func_const(to_c(this))); }
  auto global() const -> const Global* { return from_c(wasm_extern_as_global_const(to_c(this))); }
  auto table() const -> const Table* { return from_c(wasm_extern_as_table_const(to_c(this))); }
  auto memory() const -> const Memory* { return from_c(wasm_extern_as_memory_const(to_c(this))); }
};

namespace detail {

// A callback with its environment. C has room for one pointer, and a callback here, which returns
// an `own`, cannot be the C callback itself.
template <class Callback>
struct closure {
  Callback callback;
  void* env;
  void (*finalizer)(void*);

  // Returns null, with the environment finalized, if there is no memory.
  static auto make(Callback callback, void* env, void (*finalizer)(void*)) -> closure* {
    closure* made = new (std::nothrow) closure{callback, env, finalizer};
    if (!made && finalizer) finalizer(env);
    return made;
  }

  static void finalize(void* self) {
    auto ended = static_cast<closure*>(self);
    if (ended->finalizer) ended->finalizer(ended->env);
    delete ended;
  }
};

using callback = auto(*)(const vec<Val>&, vec<Val>&) -> own<Trap>;
using callback_with_env = auto(*)(void*, const vec<Val>&, vec<Val>&) -> own<Trap>;

// The C callbacks that call them.
inline auto call_plain(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) noexcept
    -> wasm_trap_t* {
  auto called = reinterpret_cast<callback>(env);
  return to_c(called(*from_c(args), *from_c(results)).release());
}

inline auto call_with_env(void* env, const wasm_val_vec_t* args, wasm_val_vec_t* results) noexcept
    -> wasm_trap_t* {
  auto called = static_cast<closure<callback_with_env>*>(env);
  return to_c(called->callback(called->env, *from_c(args), *from_c(results)).release());
}

} // namespace detail

class Func : public Extern {
  friend class destroyer;
  void destroy() { wasm_func_delete(to_c(this)); }

 public:
  // A host function. Returns null, or a trap.
  using callback = detail::callback;
  // The same with an environment.
  using callback_with_env = detail::callback_with_env;

  static auto make(Store* store, const FuncType* type, callback function) -> own<Func> {
    return make_own(from_c(wasm_func_new_with_env(to_c(store), to_c(type),
                                                  function ? detail::call_plain : nullptr,
                                                  reinterpret_cast<void*>(function), nullptr)));
  }
  // Takes `env`: `finalizer` is called with it once, at once if this fails.
  static auto make(Store* store, const FuncType* type, callback_with_env function, void* env,
                   void (*finalizer)(void*) = nullptr) -> own<Func> {
    using closure = detail::closure<callback_with_env>;
    closure* made = closure::make(function, env, finalizer);
    if (!made) return nullptr;
    return make_own(from_c(wasm_func_new_with_env(to_c(store), to_c(type),
                                                  function ? detail::call_with_env : nullptr, made,
                                                  closure::finalize)));
  }
  auto copy() const -> own<Func> { return make_own(from_c(wasm_func_copy(to_c(this)))); }

  auto type() const -> own<FuncType> { return make_own(from_c(wasm_func_type(to_c(this)))); }
  auto param_arity() const -> size_t { return wasm_func_param_arity(to_c(this)); }
  auto result_arity() const -> size_t { return wasm_func_result_arity(to_c(this)); }

  // Calls it. Returns null, or the trap.
  auto call(const vec<Val>& args, vec<Val>& results) const -> own<Trap> {
    return make_own(from_c(wasm_func_call(to_c(this), to_c(&args), to_c(&results))));
  }
};

class Global : public Extern {
  friend class destroyer;
  void destroy() { wasm_global_delete(to_c(this)); }

 public:
  static auto make(Store* store, const GlobalType* type, const Val& value) -> own<Global> {
    return make_own(from_c(wasm_global_new(to_c(store), to_c(type), to_c(&value))));
  }
  auto copy() const -> own<Global> { return make_own(from_c(wasm_global_copy(to_c(this)))); }

  auto type() const -> own<GlobalType> { return make_own(from_c(wasm_global_type(to_c(this)))); }
  auto get() const -> Val {
    Val out;
    wasm_global_get(to_c(this), to_c(&out));
    return out;
  }
  void set(const Val& value) { wasm_global_set(to_c(this), to_c(&value)); }
};

class Table : public Extern {
  friend class destroyer;
  void destroy() { wasm_table_delete(to_c(this)); }

  // C takes a pointer to what it only reads.
  static auto read_only(const Ref* ref) -> wasm_ref_t* { return to_c(const_cast<Ref*>(ref)); }

 public:
  // A number of elements, or an index.
  using size_t = uint32_t;

  static auto make(Store* store, const TableType* type, const Ref* init = nullptr) -> own<Table> {
    return make_own(from_c(wasm_table_new(to_c(store), to_c(type), read_only(init))));
  }
  auto copy() const -> own<Table> { return make_own(from_c(wasm_table_copy(to_c(this)))); }

  auto type() const -> own<TableType> { return make_own(from_c(wasm_table_type(to_c(this)))); }
  auto get(size_t index) const -> own<Ref> {
    return make_own(from_c(wasm_table_get(to_c(this), index)));
  }
  auto set(size_t index, const Ref* value) -> bool {
    return wasm_table_set(to_c(this), index, read_only(value));
  }
  auto size() const -> size_t { return wasm_table_size(to_c(this)); }
  auto grow(size_t delta, const Ref* init = nullptr) -> bool {
    return wasm_table_grow(to_c(this), delta, read_only(init));
  }
};

class Memory : public Extern {
  friend class destroyer;
  void destroy() { wasm_memory_delete(to_c(this)); }

 public:
  static auto make(Store* store, const MemoryType* type) -> own<Memory> {
    return make_own(from_c(wasm_memory_new(to_c(store), to_c(type))));
  }
  auto copy() const -> own<Memory> { return make_own(from_c(wasm_memory_copy(to_c(this)))); }

  // A number of pages.
  using pages_t = uint32_t;

  // The bytes of a page.
  static constexpr size_t page_size = 0x10000;

  auto type() const -> own<MemoryType> { return make_own(from_c(wasm_memory_type(to_c(this)))); }
  auto data() const -> byte_t* { return wasm_memory_data(to_c(const_cast<Memory*>(this))); }
  auto data_size() const -> size_t { return wasm_memory_data_size(to_c(this)); }
  auto size() const -> pages_t { return wasm_memory_size(to_c(this)); }
  auto grow(pages_t delta) -> bool { return wasm_memory_grow(to_c(this), delta); }
};

// -------------------------------------------------------------------------------------------------
// Instances

class Instance : public Ref {
  friend class destroyer;
  void destroy() { wasm_instance_delete(to_c(this)); }

 public:
  // Sets `*trap`, unless `trap` is null: to the trap with which it failed, if there is one.
  static auto make(Store* store, const Module* module, const vec<Extern*>& imports,
                   own<Trap>* trap = nullptr) -> own<Instance> {
    wasm_trap_t* trapped = nullptr;
    wasm_instance_t* instance =
        wasm_instance_new(to_c(store), to_c(module), to_c(&imports), trap ? &trapped : nullptr);
    if (trap) *trap = make_own(from_c(trapped));
    return make_own(from_c(instance));
  }
  auto copy() const -> own<Instance> { return make_own(from_c(wasm_instance_copy(to_c(this)))); }

  auto exports() const -> ownvec<Extern> {
    return detail::vector_from<own<Extern>>(wasm_instance_exports, to_c(this));
  }
};

// -------------------------------------------------------------------------------------------------
// What this header relies on

static_assert(sizeof(own<Ref>) == sizeof(wasm_ref_t*), "an own has the size of a pointer");
static_assert(std::is_standard_layout<vec<own<Ref>>>::value, "a vector has C's layout");
static_assert(sizeof(vec<Val>) == sizeof(wasm_val_vec_t), "a vector has C's layout");
static_assert(std::is_standard_layout<Val>::value, "a value has C's layout");
static_assert(sizeof(Val) == sizeof(wasm_val_t), "a value has C's layout");
static_assert(sizeof(Limits) == sizeof(wasm_limits_t), "limits have C's layout");
static_assert(std::is_empty<Func>::value, "a handle has no data");

} // namespace wasm

#endif // WASM_HH
