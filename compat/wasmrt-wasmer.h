// wasmrt-wasmer.h: the names of wasmer.h that libwasmrt-wasmer has, for programs that were written for
// libwasmer. docs/wasmer.md says which names mean what here, and which are missing.
//
// The conventions of wasm.h on ownership, NULL and errors apply. A function that fails returns false,
// NULL, 0 or -1, and leaves a message for `wasmer_last_error_message`; one that returns nothing only
// leaves the message. NULL, objects that were deleted and objects of another type are failures.
//
// Threads. A configuration, an environment and a named extern are used by one thread at a time, as the
// store that they belong to is. The last error is the thread's.
//
// Versions. wasmer 3 gave three functions of its 1st and 2nd version other parameters:
// `wasi_env_new`, `wasi_get_imports` and `wasi_get_unordered_imports`. The library takes both. This
// header declares the newer ones, or the older ones where WASMRT_WASMER_ABI is defined as 2.

#ifndef WASMRT_WASMER_H
#define WASMRT_WASMER_H

#include "wasm.h"
#include "wasmrt.h"

#ifndef WASMRT_WASMER_ABI
#define WASMRT_WASMER_ABI 3
#endif

#ifdef __cplusplus
extern "C" {
#endif

// What wasmer's header defines to say what it has been built with.
#define WASMER_COMPILER_ENABLED
#define WASMER_MIDDLEWARES_ENABLED
#define WASMER_UNIVERSAL_ENABLED
#define WASMER_WASI_ENABLED

// -------------------------------------------------------------------------------------------------
// Errors, versions, text

// The version of this header, which is that of wasmrt.h.
#define WASMER_VERSION WASMRT_VERSION
#define WASMER_VERSION_MAJOR WASMRT_VERSION_MAJOR
#define WASMER_VERSION_MINOR WASMRT_VERSION_MINOR
#define WASMER_VERSION_PATCH WASMRT_VERSION_PATCH
#define WASMER_VERSION_PRE ""

// Returns the size of the message of the thread's last error, with its final zero; 0 if there is none.
// Failures of wasm.h and wasmrt.h count, too.
WASM_API_EXTERN int wasmer_last_error_length(void);

// Copies the message of the thread's last error, with its final zero, to the `length` bytes at `buffer`,
// and forgets it. Returns its size, or 0 if there is none.
//
// Returns -1 if it does not fit, in which case it is forgotten all the same, or if `buffer` is NULL.
WASM_API_EXTERN int wasmer_last_error_message(char* buffer, int length);

// Returns the version of libwasmrt, which is not one of wasmer, such as "0.1.0". Static.
WASM_API_EXTERN const char* wasmer_version(void);

// Return the parts of that version.
WASM_API_EXTERN uint8_t wasmer_version_major(void);
WASM_API_EXTERN uint8_t wasmer_version_minor(void);
WASM_API_EXTERN uint8_t wasmer_version_patch(void);

// Returns what follows the version of a release that is only for trying, without the "-"; "" for any
// other. Static.
WASM_API_EXTERN const char* wasmer_version_pre(void);

// Converts a module from the text format to the binary format. Sets `*out` to the binary, own. On
// failure `*out` is empty. A binary is copied.
WASM_API_EXTERN void wat2wasm(const wasm_byte_vec_t* wat, wasm_byte_vec_t* out);

// Does nothing but leave a message, since the library prints nothing; see `wasmrt_log_set_callback`.
WASM_API_EXTERN void wasmer_setup_tracing(int verbosity_level, int use_color);

// -------------------------------------------------------------------------------------------------
// Configuration
//
// No setting is ignored: no engine is made for a configuration in which one was refused.

// Compilers, and engines of wasmer 5 and later.
typedef enum wasmer_compiler_t {
  // wasmrt.h's WASMRT_COMPILER_CRANELIFT; as a backend, wasmtime with it.
  CRANELIFT = 0,
  // Refused.
  LLVM = 1,
  // wasmrt.h's WASMRT_COMPILER_WINCH; as a backend, wasmtime with it.
  SINGLEPASS = 2,
  // Refused, as are the others but one.
  HEADLESS = 3,
  V8 = 4,
  // The backend "wasmi".
  WASMI = 5,
  WAMR = 6,
  JSC = 7,
} wasmer_compiler_t;
typedef wasmer_compiler_t wasmer_backend_t;

// How compiled code is kept, in wasmer 1 and 2.
typedef enum wasmer_engine_t {
  UNIVERSAL = 0,
  // The same as UNIVERSAL: a serialized module is a file for this library only.
  DYLIB = 1,
  // Refused.
  STATICLIB = 2,
  // Their names in wasmer 1.
  JIT = 0,
  NATIVE = 1,
  OBJECT_FILE = 2,
} wasmer_engine_t;

// Proposals to turn on or off. Those that are not named stay as they are.
typedef struct wasmer_features_t wasmer_features_t;

// A machine to compile for.
typedef struct wasmer_triple_t wasmer_triple_t;
typedef struct wasmer_cpu_features_t wasmer_cpu_features_t;
typedef struct wasmer_target_t wasmer_target_t;

WASM_API_EXTERN void wasm_config_set_compiler(wasm_config_t* config, wasmer_compiler_t compiler);
WASM_API_EXTERN void wasm_config_set_engine(wasm_config_t* config, wasmer_engine_t engine);
WASM_API_EXTERN void wasm_config_set_backend(wasm_config_t* config, wasmer_backend_t backend);

// Take the features, and the target.
WASM_API_EXTERN void wasm_config_set_features(wasm_config_t* config, wasmer_features_t* features);
WASM_API_EXTERN void wasm_config_set_target(wasm_config_t* config, wasmer_target_t* target);

// `wasmrt_config_set_deterministic`, by its two names.
WASM_API_EXTERN void wasm_config_canonicalize_nans(wasm_config_t* config, bool enable);
WASM_API_EXTERN void wasm_config_sys_canonicalize_nans(wasm_config_t* config, bool enable);

// Return whether an engine can be made, here and now, with a configuration that asks for this alone.
WASM_API_EXTERN bool wasmer_is_compiler_available(wasmer_compiler_t compiler);
WASM_API_EXTERN bool wasmer_is_engine_available(wasmer_engine_t engine);
WASM_API_EXTERN bool wasmer_is_backend_available(wasmer_backend_t backend);

// Returns false: the library compiles modules.
WASM_API_EXTERN bool wasmer_is_headless(void);

// Creates a set of proposals, own, that names none.
WASM_API_EXTERN wasmer_features_t* wasmer_features_new(void);
WASM_API_EXTERN void wasmer_features_delete(wasmer_features_t* features);

// Turn a proposal on or off. Turning simd off turns relaxed-simd off, unless that is named as well.
WASM_API_EXTERN bool wasmer_features_bulk_memory(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_exceptions(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_extended_const(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_memory64(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_multi_memory(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_multi_value(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_reference_types(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_relaxed_simd(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_simd(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_tail_call(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_threads(wasmer_features_t* features, bool enable);
WASM_API_EXTERN bool wasmer_features_wide_arithmetic(wasmer_features_t* features, bool enable);

// Can only be turned off: the proposal has become the component model, which is not here.
WASM_API_EXTERN bool wasmer_features_module_linking(wasmer_features_t* features, bool enable);

// Creates a target triple, own, such as "x86_64-unknown-linux-gnu". Whether the library compiles for it
// is known when an engine is made.
WASM_API_EXTERN wasmer_triple_t* wasmer_triple_new(const wasm_name_t* triple);
WASM_API_EXTERN wasmer_triple_t* wasmer_triple_new_from_host(void);
WASM_API_EXTERN void wasmer_triple_delete(wasmer_triple_t* triple);

// Creates an empty set of features of a processor, own.
WASM_API_EXTERN wasmer_cpu_features_t* wasmer_cpu_features_new(void);
WASM_API_EXTERN void wasmer_cpu_features_delete(wasmer_cpu_features_t* features);

// Adds a feature: sse2, sse3, ssse3, sse4.1, sse4.2, popcnt, avx, avx2, bmi, bmi2, avx512dq, avx512vl,
// avx512f, lzcnt.
WASM_API_EXTERN
bool wasmer_cpu_features_add(wasmer_cpu_features_t* features, const wasm_name_t* feature);

// Creates a target, own. Takes both arguments.
WASM_API_EXTERN
wasmer_target_t* wasmer_target_new(wasmer_triple_t* triple, wasmer_cpu_features_t* features);
WASM_API_EXTERN void wasmer_target_delete(wasmer_target_t* target);

// -------------------------------------------------------------------------------------------------
// Modules and functions

// Creates a module for an engine, own, as `wasm_module_new` does.
WASM_API_EXTERN
wasm_module_t* wasmer_module_new(wasm_engine_t* engine, const wasm_byte_vec_t* bytes);

// Sets `*out` to a module's name, own, empty if it has none.
WASM_API_EXTERN void wasmer_module_name(const wasm_module_t* module, wasm_name_t* out);

// Gives a module a name, which is copied. Returns false for NULL.
WASM_API_EXTERN bool wasmer_module_set_name(wasm_module_t* module, const wasm_name_t* name);

// An object without a use, here as in wasmer: functions get the environment that they are created with.
typedef struct wasmer_funcenv_t wasmer_funcenv_t;
WASM_API_EXTERN wasmer_funcenv_t* wasmer_funcenv_new(wasm_store_t* store, void* data);
WASM_API_EXTERN void wasmer_funcenv_delete(wasmer_funcenv_t* funcenv);

// -------------------------------------------------------------------------------------------------
// Metering
//
// `wasmrt_config_set_metering` with the costs of wasmer's kinds of instructions. Each instance has
// points of its own. An instruction that has no number here costs all there is.

// Kinds of instructions, with the numbers that wasmer has for them.
typedef enum wasmer_parser_operator_t {
  // clang-format off
  Unreachable, Nop, Block, Loop, If, Else, Try, Catch, CatchAll, Delegate, Throw, Rethrow, Unwind,
  End, Br, BrIf, BrTable, Return, Call, CallIndirect, ReturnCall, ReturnCallIndirect, Drop,
  Select, TypedSelect, LocalGet, LocalSet, LocalTee, GlobalGet, GlobalSet, I32Load, I64Load,
  F32Load, F64Load, I32Load8S, I32Load8U, I32Load16S, I32Load16U, I64Load8S, I64Load8U,
  I64Load16S, I64Load16U, I64Load32S, I64Load32U, I32Store, I64Store, F32Store, F64Store,
  I32Store8, I32Store16, I64Store8, I64Store16, I64Store32, MemorySize, MemoryGrow, I32Const,
  I64Const, F32Const, F64Const, RefNull, RefIsNull, RefFunc, I32Eqz, I32Eq, I32Ne, I32LtS, I32LtU,
  I32GtS, I32GtU, I32LeS, I32LeU, I32GeS, I32GeU, I64Eqz, I64Eq, I64Ne, I64LtS, I64LtU, I64GtS,
  I64GtU, I64LeS, I64LeU, I64GeS, I64GeU, F32Eq, F32Ne, F32Lt, F32Gt, F32Le, F32Ge, F64Eq, F64Ne,
  F64Lt, F64Gt, F64Le, F64Ge, I32Clz, I32Ctz, I32Popcnt, I32Add, I32Sub, I32Mul, I32DivS, I32DivU,
  I32RemS, I32RemU, I32And, I32Or, I32Xor, I32Shl, I32ShrS, I32ShrU, I32Rotl, I32Rotr, I64Clz,
  I64Ctz, I64Popcnt, I64Add, I64Sub, I64Mul, I64DivS, I64DivU, I64RemS, I64RemU, I64And, I64Or,
  I64Xor, I64Shl, I64ShrS, I64ShrU, I64Rotl, I64Rotr, F32Abs, F32Neg, F32Ceil, F32Floor, F32Trunc,
  F32Nearest, F32Sqrt, F32Add, F32Sub, F32Mul, F32Div, F32Min, F32Max, F32Copysign, F64Abs,
  F64Neg, F64Ceil, F64Floor, F64Trunc, F64Nearest, F64Sqrt, F64Add, F64Sub, F64Mul, F64Div,
  F64Min, F64Max, F64Copysign, I32WrapI64, I32TruncF32S, I32TruncF32U, I32TruncF64S, I32TruncF64U,
  I64ExtendI32S, I64ExtendI32U, I64TruncF32S, I64TruncF32U, I64TruncF64S, I64TruncF64U,
  F32ConvertI32S, F32ConvertI32U, F32ConvertI64S, F32ConvertI64U, F32DemoteF64, F64ConvertI32S,
  F64ConvertI32U, F64ConvertI64S, F64ConvertI64U, F64PromoteF32, I32ReinterpretF32,
  I64ReinterpretF64, F32ReinterpretI32, F64ReinterpretI64, I32Extend8S, I32Extend16S, I64Extend8S,
  I64Extend16S, I64Extend32S, I32TruncSatF32S, I32TruncSatF32U, I32TruncSatF64S, I32TruncSatF64U,
  I64TruncSatF32S, I64TruncSatF32U, I64TruncSatF64S, I64TruncSatF64U, MemoryInit, DataDrop,
  MemoryCopy, MemoryFill, TableInit, ElemDrop, TableCopy, TableFill, TableGet, TableSet,
  TableGrow, TableSize, MemoryAtomicNotify, MemoryAtomicWait32, MemoryAtomicWait64, AtomicFence,
  I32AtomicLoad, I64AtomicLoad, I32AtomicLoad8U, I32AtomicLoad16U, I64AtomicLoad8U,
  I64AtomicLoad16U, I64AtomicLoad32U, I32AtomicStore, I64AtomicStore, I32AtomicStore8,
  I32AtomicStore16, I64AtomicStore8, I64AtomicStore16, I64AtomicStore32, I32AtomicRmwAdd,
  I64AtomicRmwAdd, I32AtomicRmw8AddU, I32AtomicRmw16AddU, I64AtomicRmw8AddU, I64AtomicRmw16AddU,
  I64AtomicRmw32AddU, I32AtomicRmwSub, I64AtomicRmwSub, I32AtomicRmw8SubU, I32AtomicRmw16SubU,
  I64AtomicRmw8SubU, I64AtomicRmw16SubU, I64AtomicRmw32SubU, I32AtomicRmwAnd, I64AtomicRmwAnd,
  I32AtomicRmw8AndU, I32AtomicRmw16AndU, I64AtomicRmw8AndU, I64AtomicRmw16AndU,
  I64AtomicRmw32AndU, I32AtomicRmwOr, I64AtomicRmwOr, I32AtomicRmw8OrU, I32AtomicRmw16OrU,
  I64AtomicRmw8OrU, I64AtomicRmw16OrU, I64AtomicRmw32OrU, I32AtomicRmwXor, I64AtomicRmwXor,
  I32AtomicRmw8XorU, I32AtomicRmw16XorU, I64AtomicRmw8XorU, I64AtomicRmw16XorU,
  I64AtomicRmw32XorU, I32AtomicRmwXchg, I64AtomicRmwXchg, I32AtomicRmw8XchgU, I32AtomicRmw16XchgU,
  I64AtomicRmw8XchgU, I64AtomicRmw16XchgU, I64AtomicRmw32XchgU, I32AtomicRmwCmpxchg,
  I64AtomicRmwCmpxchg, I32AtomicRmw8CmpxchgU, I32AtomicRmw16CmpxchgU, I64AtomicRmw8CmpxchgU,
  I64AtomicRmw16CmpxchgU, I64AtomicRmw32CmpxchgU, V128Load, V128Store, V128Const, I8x16Splat,
  I8x16ExtractLaneS, I8x16ExtractLaneU, I8x16ReplaceLane, I16x8Splat, I16x8ExtractLaneS,
  I16x8ExtractLaneU, I16x8ReplaceLane, I32x4Splat, I32x4ExtractLane, I32x4ReplaceLane, I64x2Splat,
  I64x2ExtractLane, I64x2ReplaceLane, F32x4Splat, F32x4ExtractLane, F32x4ReplaceLane, F64x2Splat,
  F64x2ExtractLane, F64x2ReplaceLane, I8x16Eq, I8x16Ne, I8x16LtS, I8x16LtU, I8x16GtS, I8x16GtU,
  I8x16LeS, I8x16LeU, I8x16GeS, I8x16GeU, I16x8Eq, I16x8Ne, I16x8LtS, I16x8LtU, I16x8GtS,
  I16x8GtU, I16x8LeS, I16x8LeU, I16x8GeS, I16x8GeU, I32x4Eq, I32x4Ne, I32x4LtS, I32x4LtU,
  I32x4GtS, I32x4GtU, I32x4LeS, I32x4LeU, I32x4GeS, I32x4GeU, I64x2Eq, I64x2Ne, I64x2LtS,
  I64x2GtS, I64x2LeS, I64x2GeS, F32x4Eq, F32x4Ne, F32x4Lt, F32x4Gt, F32x4Le, F32x4Ge, F64x2Eq,
  F64x2Ne, F64x2Lt, F64x2Gt, F64x2Le, F64x2Ge, V128Not, V128And, V128AndNot, V128Or, V128Xor,
  V128Bitselect, V128AnyTrue, I8x16Abs, I8x16Neg, I8x16AllTrue, I8x16Bitmask, I8x16Shl, I8x16ShrS,
  I8x16ShrU, I8x16Add, I8x16AddSatS, I8x16AddSatU, I8x16Sub, I8x16SubSatS, I8x16SubSatU,
  I8x16MinS, I8x16MinU, I8x16MaxS, I8x16MaxU, I8x16Popcnt, I16x8Abs, I16x8Neg, I16x8AllTrue,
  I16x8Bitmask, I16x8Shl, I16x8ShrS, I16x8ShrU, I16x8Add, I16x8AddSatS, I16x8AddSatU, I16x8Sub,
  I16x8SubSatS, I16x8SubSatU, I16x8Mul, I16x8MinS, I16x8MinU, I16x8MaxS, I16x8MaxU,
  I16x8ExtAddPairwiseI8x16S, I16x8ExtAddPairwiseI8x16U, I32x4Abs, I32x4Neg, I32x4AllTrue,
  I32x4Bitmask, I32x4Shl, I32x4ShrS, I32x4ShrU, I32x4Add, I32x4Sub, I32x4Mul, I32x4MinS,
  I32x4MinU, I32x4MaxS, I32x4MaxU, I32x4DotI16x8S, I32x4ExtAddPairwiseI16x8S,
  I32x4ExtAddPairwiseI16x8U, I64x2Abs, I64x2Neg, I64x2AllTrue, I64x2Bitmask, I64x2Shl, I64x2ShrS,
  I64x2ShrU, I64x2Add, I64x2Sub, I64x2Mul, F32x4Ceil, F32x4Floor, F32x4Trunc, F32x4Nearest,
  F64x2Ceil, F64x2Floor, F64x2Trunc, F64x2Nearest, F32x4Abs, F32x4Neg, F32x4Sqrt, F32x4Add,
  F32x4Sub, F32x4Mul, F32x4Div, F32x4Min, F32x4Max, F32x4PMin, F32x4PMax, F64x2Abs, F64x2Neg,
  F64x2Sqrt, F64x2Add, F64x2Sub, F64x2Mul, F64x2Div, F64x2Min, F64x2Max, F64x2PMin, F64x2PMax,
  I32x4TruncSatF32x4S, I32x4TruncSatF32x4U, F32x4ConvertI32x4S, F32x4ConvertI32x4U, I8x16Swizzle,
  I8x16Shuffle, V128Load8Splat, V128Load16Splat, V128Load32Splat, V128Load32Zero, V128Load64Splat,
  V128Load64Zero, I8x16NarrowI16x8S, I8x16NarrowI16x8U, I16x8NarrowI32x4S, I16x8NarrowI32x4U,
  I16x8ExtendLowI8x16S, I16x8ExtendHighI8x16S, I16x8ExtendLowI8x16U, I16x8ExtendHighI8x16U,
  I32x4ExtendLowI16x8S, I32x4ExtendHighI16x8S, I32x4ExtendLowI16x8U, I32x4ExtendHighI16x8U,
  I64x2ExtendLowI32x4S, I64x2ExtendHighI32x4S, I64x2ExtendLowI32x4U, I64x2ExtendHighI32x4U,
  I16x8ExtMulLowI8x16S, I16x8ExtMulHighI8x16S, I16x8ExtMulLowI8x16U, I16x8ExtMulHighI8x16U,
  I32x4ExtMulLowI16x8S, I32x4ExtMulHighI16x8S, I32x4ExtMulLowI16x8U, I32x4ExtMulHighI16x8U,
  I64x2ExtMulLowI32x4S, I64x2ExtMulHighI32x4S, I64x2ExtMulLowI32x4U, I64x2ExtMulHighI32x4U,
  V128Load8x8S, V128Load8x8U, V128Load16x4S, V128Load16x4U, V128Load32x2S, V128Load32x2U,
  V128Load8Lane, V128Load16Lane, V128Load32Lane, V128Load64Lane, V128Store8Lane, V128Store16Lane,
  V128Store32Lane, V128Store64Lane, I8x16RoundingAverageU, I16x8RoundingAverageU,
  I16x8Q15MulrSatS, F32x4DemoteF64x2Zero, F64x2PromoteLowF32x4, F64x2ConvertLowI32x4S,
  F64x2ConvertLowI32x4U, I32x4TruncSatF64x2SZero, I32x4TruncSatF64x2UZero, I8x16RelaxedSwizzle,
  I32x4RelaxedTruncSatF32x4S, I32x4RelaxedTruncSatF32x4U, I32x4RelaxedTruncSatF64x2SZero,
  I32x4RelaxedTruncSatF64x2UZero, F32x4Fma, F32x4Fms, F64x2Fma, F64x2Fms, I8x16LaneSelect,
  I16x8LaneSelect, I32x4LaneSelect, I64x2LaneSelect, F32x4RelaxedMin, F32x4RelaxedMax,
  F64x2RelaxedMin, F64x2RelaxedMax, I16x8RelaxedQ15mulrS, I16x8DotI8x16I7x16S,
  I32x4DotI8x16I7x16AddS, F32x4RelaxedDotBf16x8AddF32x4
  // clang-format on
} wasmer_parser_operator_t;

// Returns what an instruction costs. Called for each instruction of each module that is made.
typedef uint64_t (*wasmer_metering_cost_function_t)(wasmer_parser_operator_t wasm_operator);

typedef struct wasmer_metering_t wasmer_metering_t;
typedef struct wasmer_middleware_t wasmer_middleware_t;

// Creates a metering that gives each instance `initial_limit` points, own.
WASM_API_EXTERN
wasmer_metering_t* wasmer_metering_new(uint64_t initial_limit,
                                       wasmer_metering_cost_function_t cost_function);
WASM_API_EXTERN void wasmer_metering_delete(wasmer_metering_t* metering);

// Makes a metering into what `wasm_config_push_middleware` takes, own. Takes the metering.
WASM_API_EXTERN wasmer_middleware_t* wasmer_metering_as_middleware(wasmer_metering_t* metering);

// Takes the middleware. A configuration has at most one.
WASM_API_EXTERN
void wasm_config_push_middleware(wasm_config_t* config, wasmer_middleware_t* middleware);

// Returns the points that an instance has left; `UINT64_MAX` if they did not suffice; 0 on failure:
// for an instance that is not metered.
WASM_API_EXTERN uint64_t wasmer_metering_get_remaining_points(wasm_instance_t* instance);

// Returns whether an instance trapped because its points did not suffice.
WASM_API_EXTERN bool wasmer_metering_points_are_exhausted(wasm_instance_t* instance);

// Gives an instance other points.
WASM_API_EXTERN
void wasmer_metering_set_remaining_points(wasm_instance_t* instance, uint64_t new_limit);

// -------------------------------------------------------------------------------------------------
// WASI
//
// A guest gets the functions of preview 1 and of `wasi_unstable`. Its memory is bound to them when it is
// instantiated.

// What a guest is given. `wasi_env_new` takes it, so there is no function that deletes it.
typedef struct wasi_config_t wasi_config_t;

// A guest's arguments, streams and directories.
typedef struct wasi_env_t wasi_env_t;

typedef enum wasi_version_t {
  // The module imports nothing of WASI.
  INVALID_VERSION = -1,
  // Never returned.
  LATEST = 0,
  // `wasi_unstable`.
  SNAPSHOT0 = 1,
  // `wasi_snapshot_preview1`.
  SNAPSHOT1 = 2,
  // wasmer's own extensions. They are recognised, but their functions are not here.
  WASIX32V1 = 3,
  WASIX64V1 = 4,
} wasi_version_t;

// Creates a configuration. The guest gets the program's name as its first argument, the three streams
// of this process, and a directory "/" that lists the directories that it is given.
WASM_API_EXTERN wasi_config_t* wasi_config_new(const char* program_name);

// Add an argument, and an environment variable. If one is refused, `wasi_env_new` fails.
WASM_API_EXTERN void wasi_config_arg(wasi_config_t* config, const char* arg);
WASM_API_EXTERN void wasi_config_env(wasi_config_t* config, const char* key, const char* value);

// Give the guest a directory, to read and write: under its own name, and as `alias`.
WASM_API_EXTERN bool wasi_config_preopen_dir(wasi_config_t* config, const char* dir);
WASM_API_EXTERN
bool wasi_config_mapdir(wasi_config_t* config, const char* alias, const char* dir);

// Keep what the guest writes for `wasi_env_read_stdout` and `wasi_env_read_stderr`: at most 256 MiB each
// that have not been read; a guest that writes more gets `ENOSPC`.
WASM_API_EXTERN void wasi_config_capture_stdout(wasi_config_t* config);
WASM_API_EXTERN void wasi_config_capture_stderr(wasi_config_t* config);

// Gives the guest a standard input that is at its end.
WASM_API_EXTERN void wasi_config_capture_stdin(wasi_config_t* config);

// Give the guest the stream that this process has when `wasi_env_new` is called: the default.
WASM_API_EXTERN void wasi_config_inherit_stdout(wasi_config_t* config);
WASM_API_EXTERN void wasi_config_inherit_stderr(wasi_config_t* config);
WASM_API_EXTERN void wasi_config_inherit_stdin(wasi_config_t* config);

// Creates an environment, own. Takes the configuration. It is for one store: `store`, or in the older
// form the first for which imports are asked.
#if WASMRT_WASMER_ABI == 3
WASM_API_EXTERN wasi_env_t* wasi_env_new(wasm_store_t* store, wasi_config_t* config);
#elif WASMRT_WASMER_ABI == 2
WASM_API_EXTERN wasi_env_t* wasi_env_new(wasi_config_t* config);
#endif

// Deletes an environment. What was made of it goes on working; what was captured is gone.
WASM_API_EXTERN void wasi_env_delete(wasi_env_t* env);

// Moves at most `buffer_len` captured bytes to `buffer`. Returns their number; -1 if the stream is not
// captured.
WASM_API_EXTERN intptr_t wasi_env_read_stdout(wasi_env_t* env, char* buffer, uintptr_t buffer_len);
WASM_API_EXTERN intptr_t wasi_env_read_stderr(wasi_env_t* env, char* buffer, uintptr_t buffer_len);

// Tells an environment which instance is its guest. The imports of that know its memory already; a
// function of WASI that was given to the guest in another way gets it now.
WASM_API_EXTERN
bool wasi_env_initialize_instance(wasi_env_t* env, wasm_store_t* store, wasm_instance_t* instance);

// The same in wasmer 1.
WASM_API_EXTERN bool wasi_env_set_instance(wasi_env_t* env, const wasm_instance_t* instance);

// Gives an environment's functions a memory, unless an instance's is bound to them.
WASM_API_EXTERN void wasi_env_set_memory(wasi_env_t* env, const wasm_memory_t* memory);

// Returns which WASI a module wants.
WASM_API_EXTERN wasi_version_t wasi_get_wasi_version(const wasm_module_t* module);

// Sets `*imports` to what a module imports, own, in the module's order. They are for one instance.
//
// Fails if one of them is not WASI's; `*imports` is empty then.
#if WASMRT_WASMER_ABI == 3
WASM_API_EXTERN
bool wasi_get_imports(const wasm_store_t* store, wasi_env_t* env, const wasm_module_t* module,
                      wasm_extern_vec_t* imports);
#elif WASMRT_WASMER_ABI == 2
WASM_API_EXTERN
bool wasi_get_imports(const wasm_store_t* store, const wasm_module_t* module, const wasi_env_t* env,
                      wasm_extern_vec_t* imports);
#endif

// Returns the function `_start` of an instance, own.
WASM_API_EXTERN wasm_func_t* wasi_get_start_function(wasm_instance_t* instance);

// An extern with the two names by which a module imports it.
typedef struct wasmer_named_extern_t wasmer_named_extern_t;

typedef struct wasmer_named_extern_vec_t {
  uintptr_t size;
  wasmer_named_extern_t** data;
} wasmer_named_extern_vec_t;

// Return what a named extern has. Borrowed, valid as long as it.
WASM_API_EXTERN const wasm_name_t* wasmer_named_extern_module(const wasmer_named_extern_t* named);
WASM_API_EXTERN const wasm_name_t* wasmer_named_extern_name(const wasmer_named_extern_t* named);
WASM_API_EXTERN const wasm_extern_t* wasmer_named_extern_unwrap(const wasmer_named_extern_t* named);

// As the functions of the same names of wasm.h's vectors. An uninitialized one has NULL everywhere.
WASM_API_EXTERN void wasmer_named_extern_vec_new_empty(wasmer_named_extern_vec_t* out);
WASM_API_EXTERN
void wasmer_named_extern_vec_new_uninitialized(wasmer_named_extern_vec_t* out, uintptr_t length);
WASM_API_EXTERN
void wasmer_named_extern_vec_new(wasmer_named_extern_vec_t* out, uintptr_t length,
                                 wasmer_named_extern_t* const* init);
WASM_API_EXTERN
void wasmer_named_extern_vec_copy(wasmer_named_extern_vec_t* out,
                                  const wasmer_named_extern_vec_t* in);
WASM_API_EXTERN void wasmer_named_extern_vec_delete(wasmer_named_extern_vec_t* vec);

// Sets `*imports` to those imports of a module that are WASI's, own, for a program that has the others.
// They are for one instance. On failure it is empty.
#if WASMRT_WASMER_ABI == 3
WASM_API_EXTERN
bool wasi_get_unordered_imports(wasi_env_t* env, const wasm_module_t* module,
                                wasmer_named_extern_vec_t* imports);
#elif WASMRT_WASMER_ABI == 2
WASM_API_EXTERN
bool wasi_get_unordered_imports(const wasm_store_t* store, const wasm_module_t* module,
                                const wasi_env_t* env, wasmer_named_extern_vec_t* imports);
#endif

// File systems in memory, of wasmer 3 to 7.0. These fail; the last one takes the configuration.
typedef struct wasi_filesystem_t wasi_filesystem_t;
WASM_API_EXTERN
wasi_filesystem_t* wasi_filesystem_init_static_memory(const wasm_byte_vec_t* volume_bytes);
WASM_API_EXTERN void wasi_filesystem_delete(wasi_filesystem_t* filesystem);
WASM_API_EXTERN
wasi_env_t* wasi_env_with_filesystem(wasi_config_t* config, wasm_store_t* store,
                                     const wasm_module_t* module,
                                     const wasi_filesystem_t* filesystem,
                                     wasm_extern_vec_t* imports, const char* package);

// -------------------------------------------------------------------------------------------------
// Other names of the same functions, which wasmer 1 had

typedef wasmer_triple_t wasm_triple_t;
typedef wasmer_cpu_features_t wasm_cpu_features_t;
typedef wasmer_target_t wasm_target_t;
typedef wasmer_named_extern_t wasm_named_extern_t;
typedef wasmer_named_extern_vec_t wasm_named_extern_vec_t;

WASM_API_EXTERN wasmer_triple_t* wasm_triple_new(const wasm_name_t* triple);
WASM_API_EXTERN wasmer_triple_t* wasm_triple_new_from_host(void);
WASM_API_EXTERN void wasm_triple_delete(wasmer_triple_t* triple);
WASM_API_EXTERN wasmer_cpu_features_t* wasm_cpu_features_new(void);
WASM_API_EXTERN void wasm_cpu_features_delete(wasmer_cpu_features_t* features);
WASM_API_EXTERN
bool wasm_cpu_features_add(wasmer_cpu_features_t* features, const wasm_name_t* feature);
WASM_API_EXTERN
wasmer_target_t* wasm_target_new(wasmer_triple_t* triple, wasmer_cpu_features_t* features);
WASM_API_EXTERN void wasm_target_delete(wasmer_target_t* target);
WASM_API_EXTERN void wasm_module_name(const wasm_module_t* module, wasm_name_t* out);
WASM_API_EXTERN bool wasm_module_set_name(wasm_module_t* module, const wasm_name_t* name);
WASM_API_EXTERN const wasm_name_t* wasm_named_extern_module(const wasmer_named_extern_t* named);
WASM_API_EXTERN const wasm_name_t* wasm_named_extern_name(const wasmer_named_extern_t* named);
WASM_API_EXTERN const wasm_extern_t* wasm_named_extern_unwrap(const wasmer_named_extern_t* named);
WASM_API_EXTERN void wasm_named_extern_vec_new_empty(wasmer_named_extern_vec_t* out);
WASM_API_EXTERN
void wasm_named_extern_vec_new_uninitialized(wasmer_named_extern_vec_t* out, uintptr_t length);
WASM_API_EXTERN
void wasm_named_extern_vec_new(wasmer_named_extern_vec_t* out, uintptr_t length,
                               wasmer_named_extern_t* const* init);
WASM_API_EXTERN
void wasm_named_extern_vec_copy(wasmer_named_extern_vec_t* out,
                                const wasmer_named_extern_vec_t* in);
WASM_API_EXTERN void wasm_named_extern_vec_delete(wasmer_named_extern_vec_t* vec);

#ifdef __cplusplus
} // extern "C"
#endif

#endif // WASMRT_WASMER_H
