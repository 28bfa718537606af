//! What an engine is to be like.

use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::{answer, null};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::options::{Compiler, Optimization, Pooling, Profiling, Proposal, Setting};
use crate::runtime::binary::module_limits::ModuleLimit;
use crate::runtime::core::config::{Config, stack_size};
use std::ffi::{CStr, c_char};

/// A compiler; the numbers are those of `wasmrt_compiler_enum`.
pub type wasmrt_compiler_t = u8;

/// How modules are made to run.
#[repr(C)]
pub enum wasmrt_compiler_enum {
    /// The backend's default: Cranelift on wasmtime, eager on wasmi.
    WASMRT_COMPILER_DEFAULT = 0,
    /// wasmtime: optimised machine code.
    WASMRT_COMPILER_CRANELIFT = 1,
    /// wasmtime: machine code in one pass, compiled several times faster, running slower. Lacks
    /// references other than to functions, the proposals function-references, gc, exceptions,
    /// tail-call, wide-arithmetic and relaxed-simd, and much of simd.
    WASMRT_COMPILER_WINCH = 2,
    /// wasmtime: portable bytecode, interpreted; for where machine code may not be made.
    WASMRT_COMPILER_PULLEY = 3,
    /// wasmi: everything is translated when the module is made.
    WASMRT_COMPILER_EAGER = 4,
    /// wasmi: everything is validated when the module is made, a function translated when first
    /// called. Modules are made several times faster, but a defect of wasmi's translator, which
    /// otherwise fails `wasm_module_new`, then ends the process: for modules that are trusted. Not
    /// with fuel or interruption.
    WASMRT_COMPILER_LAZY_TRANSLATION = 5,
    /// wasmi: a function is validated and translated when first called; an invalid one traps then.
    /// Otherwise as lazy translation.
    WASMRT_COMPILER_LAZY = 6,
}

/// An optimisation level; the numbers are those of `wasmrt_optimization_enum`.
pub type wasmrt_optimization_t = u8;

/// How much a compiler optimises.
#[repr(C)]
pub enum wasmrt_optimization_enum {
    /// The backend's default: for speed on wasmtime.
    WASMRT_OPTIMIZATION_DEFAULT = 0,
    /// Not at all.
    WASMRT_OPTIMIZATION_NONE = 1,
    /// For speed.
    WASMRT_OPTIMIZATION_SPEED = 2,
    /// For speed, and for small code.
    WASMRT_OPTIMIZATION_SPEED_AND_SIZE = 3,
}

/// Something to tell a profiler; the numbers are those of `wasmrt_profiling_enum`.
pub type wasmrt_profiling_t = u8;

/// What a profiler of the operating system is told of compiled code.
#[repr(C)]
pub enum wasmrt_profiling_enum {
    /// Nothing: the default.
    WASMRT_PROFILING_NONE = 0,
    /// Names of functions, in /tmp/perf-PID.map, for Linux' perf.
    WASMRT_PROFILING_PERFMAP = 1,
    /// Names and code, in jit-PID.dump in the working directory, for Linux' perf and `perf inject`.
    WASMRT_PROFILING_JITDUMP = 2,
}

/// A proposal; the numbers are those of `wasmrt_proposal_enum`.
pub type wasmrt_proposal_t = u8;

/// Proposals to WebAssembly, also those that have become part of it. All that a backend has are on
/// unless said otherwise.
#[repr(C)]
pub enum wasmrt_proposal_enum {
    WASMRT_PROPOSAL_MUTABLE_GLOBAL = 1,
    WASMRT_PROPOSAL_SIGN_EXTENSION = 2,
    WASMRT_PROPOSAL_SATURATING_FLOAT_TO_INT = 3,
    WASMRT_PROPOSAL_MULTI_VALUE = 4,
    WASMRT_PROPOSAL_BULK_MEMORY = 5,
    WASMRT_PROPOSAL_REFERENCE_TYPES = 6,
    /// On wasmtime it can be turned off only together with relaxed-simd.
    WASMRT_PROPOSAL_SIMD = 7,
    WASMRT_PROPOSAL_RELAXED_SIMD = 8,
    WASMRT_PROPOSAL_TAIL_CALL = 9,
    WASMRT_PROPOSAL_EXTENDED_CONST = 10,
    WASMRT_PROPOSAL_MULTI_MEMORY = 11,
    WASMRT_PROPOSAL_MEMORY64 = 12,
    /// Not on wasmi, nor with Winch.
    WASMRT_PROPOSAL_FUNCTION_REFERENCES = 13,
    /// Not on wasmi, nor with Winch.
    WASMRT_PROPOSAL_GC = 14,
    /// Not on wasmi, nor with Winch.
    WASMRT_PROPOSAL_EXCEPTIONS = 15,
    WASMRT_PROPOSAL_WIDE_ARITHMETIC = 16,
    /// Off by default.
    WASMRT_PROPOSAL_CUSTOM_PAGE_SIZES = 17,
    /// Not on wasmi, nor with Pulley. On wasmtime atomic instructions are there; a module with a
    /// memory that threads share is made, but `wasm_instance_new` refuses it.
    WASMRT_PROPOSAL_THREADS = 18,
}

/// Something of a module that can be bounded; the numbers are those of `wasmrt_module_limit_enum`.
pub type wasmrt_module_limit_t = u8;

/// What bounds the compilation of modules.
#[repr(C)]
pub enum wasmrt_module_limit_enum {
    /// The size of a binary, in bytes. At most 1 GiB in any case.
    WASMRT_MODULE_LIMIT_BYTES = 0,
    /// Functions, imported and own. At most 1,000,000 in any case.
    WASMRT_MODULE_LIMIT_FUNCTIONS = 1,
    /// Types. By default 100,000, at most 1,000,000 in any case. Different ones are dear on wasmtime:
    /// 100,000 of them take some 10 seconds and 1 GB.
    WASMRT_MODULE_LIMIT_TYPES = 2,
    /// Locals of a function, without its parameters. At most 50,000, with them, in any case; on wasmi
    /// somewhat fewer.
    WASMRT_MODULE_LIMIT_LOCALS = 3,
    /// The code of one function, in bytes. At most 7,654,321 in any case. What a compiler takes grows
    /// with this more than in proportion.
    WASMRT_MODULE_LIMIT_FUNCTION_BYTES = 4,
    /// Blocks, loops and ifs within each other in one function. By default 17,000.
    WASMRT_MODULE_LIMIT_NESTING = 5,
    /// What one function will cost to compile, or the code that initialises an instance: a number that
    /// is told from the bytes, in units of what a plain instruction costs, about 2 microseconds and
    /// 250 bytes of memory. It grows with locals that change in loops and branches, locals times
    /// blocks, values that blocks and branches carry, arguments and results of calls, handlers around
    /// calls, fields of structures. By default 20,000,000.
    WASMRT_MODULE_LIMIT_FUNCTION_COST = 6,
    /// The same for the whole module, for each byte of it; one of less than 128 KiB counts as that
    /// large. By default 8. Modules that compilers make have 1 or 2.
    WASMRT_MODULE_LIMIT_COST_PER_BYTE = 7,
    /// Terms of one constant expression: an initializer of a global or a table, an element, the offset
    /// of a segment. By default 20,000; on wasmi 1,000 in any case.
    WASMRT_MODULE_LIMIT_CONSTANT_TERMS = 8,
}

/// No limit.
pub const WASMRT_UNLIMITED: u64 = u64::MAX;

/// Chooses the compiler: a constant of `wasmrt_compiler_enum`. Environment: `WASMRT_COMPILER`, one
/// of cranelift, winch, pulley, eager, lazy-translation, lazy.
///
/// As for all functions of configuration: true if the value means something; else, or if the
/// configuration is NULL, false and a last error, and the configuration is as before. Whether the
/// backend can do what is asked for, `wasm_engine_new_with_config` says: if not, it gives NULL and
/// a last error of kind `WASMRT_ERROR_UNSUPPORTED`. Nothing is ignored. A configuration is used by
/// one thread at a time.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_compiler(config: *mut wasm_config_t, compiler: wasmrt_compiler_t) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_compiler", config, Setting::Compiler, |config| {
        config.options.compiler = choice(compiler, "a compiler", Compiler::from_number)?;
        Ok(())
    })
}

/// Chooses how much the compiler optimises: a constant of `wasmrt_optimization_enum`. Not on wasmi,
/// nor with Winch. Environment: `WASMRT_OPTIMIZATION`, one of none, speed, speed-and-size.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_optimization(
    config: *mut wasm_config_t,
    optimization: wasmrt_optimization_t,
) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_optimization", config, Setting::Optimization, |config| {
        config.options.optimization = choice(optimization, "an optimisation level", Optimization::from_number)?;
        Ok(())
    })
}

/// Turns a proposal on or off: a constant of `wasmrt_proposal_enum`. A module that uses one that is
/// off is invalid.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_proposal(
    config: *mut wasm_config_t,
    proposal: wasmrt_proposal_t,
    enabled: bool,
) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    change("wasmrt_config_set_proposal", config, |config| {
        let proposal = Proposal::from_number(proposal).ok_or_else(|| no_such("a proposal", proposal))?;
        config.options.set_proposal(proposal, enabled);
        Ok(())
    })
}

/// Has WebAssembly consume fuel: see `wasmrt_store_set_fuel`. Off by default.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_fuel(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_fuel", config, Setting::Fuel, |config| {
        config.options.fuel = enabled;
        Ok(())
    })
}

/// Lets WebAssembly be stopped while it runs: see `wasmrt_store_set_deadline`,
/// `wasmrt_store_set_call_timeout` and `wasmrt_interrupt_new`. Off by default; what it costs stands
/// in docs/wasmrt.md.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_interruption(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_interruption", config, Setting::Interruption, |config| {
        config.options.interruption = enabled;
        Ok(())
    })
}

/// Bounds the stack of WebAssembly, in bytes, from 1 to 1 GiB; beyond it calls trap. Environment:
/// `WASMRT_MAX_WASM_STACK`.
///
/// On wasmtime, default 524,288, it is part of the calling thread's stack, which guests that run
/// inside each other share. The last 128 KiB of a stack, of small ones half, are left to the host
/// and the engine in any case. A size that does not fit into the system's limit for stacks (`ulimit
/// -s`) is refused. On wasmi, default 1,000,000, it is the interpreter's own; calls nest as many
/// deep as there are thousands of bytes in it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_max_wasm_stack(config: *mut wasm_config_t, bytes: usize) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_max_wasm_stack", config, Setting::MaxWasmStack, |config| {
        config.options.max_wasm_stack = Some(stack_size(bytes).map_err(Error::misuse)?);
        Ok(())
    })
}

/// The address space reserved for each memory, in bytes; a memory that outgrows it moves. Not on
/// wasmi. Default on 64-bit machines 4 GiB, where nothing moves and the fewest checks are made.
/// Environment: `WASMRT_MEMORY_RESERVATION`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_reservation(config: *mut wasm_config_t, bytes: u64) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_memory_reservation", config, Setting::MemoryReservation, |config| {
        config.options.memory_reservation = Some(bytes);
        Ok(())
    })
}

/// The inaccessible address space after each memory, in bytes; more of it saves checks. Not on
/// wasmi. Default on 64-bit machines 32 MiB.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_guard_size(config: *mut wasm_config_t, bytes: u64) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_memory_guard_size", config, Setting::MemoryGuard, |config| {
        config.options.memory_guard = Some(bytes);
        Ok(())
    })
}

/// Whether memories start as copy-on-write images of a module's data where the operating system can
/// do that. On by default on wasmtime; cannot be turned on on wasmi.
///
/// The image of a module takes a file descriptor for each memory that has data, as long as the
/// module or an instance of it is there. Where less than a quarter of those that the process may
/// have are free, modules are compiled without an image, and each instance copies the data. A
/// serialized module keeps what it was compiled with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_memory_copy_on_write(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_memory_copy_on_write", config, Setting::CopyOnWrite, |config| {
        config.options.copy_on_write = Some(enabled);
        Ok(())
    })
}

/// Sets room for instances aside when the engine is made, to be used again and again: instances are
/// then made faster, and there can be no more of them in all stores together. Not on wasmi.
///
/// `instances`, `memories` and `tables` count those of all stores, `memory_bytes` bounds each
/// memory and `table_elements` each table. 0 for any: the engine's default (1000 of each, 4 GiB,
/// 20,000 elements). At most 1,000,000 of each. Address space is reserved for all of it at once.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_pooling(
    config: *mut wasm_config_t,
    instances: u32,
    memories: u32,
    tables: u32,
    memory_bytes: usize,
    table_elements: usize,
) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_pooling", config, Setting::Pooling, |config| {
        config.options.pooling = Some(Pooling { instances, memories, tables, memory_bytes, table_elements });
        Ok(())
    })
}

/// Whether a module's functions are compiled on several threads. On by default on wasmtime; cannot
/// be turned on on wasmi. Environment: `WASMRT_PARALLEL_COMPILATION`, 0 or 1.
///
/// The threads are made for a module that is large enough, no more at a time than there are
/// processors, and end with its compilation. The calling thread compiles what is small, and
/// everything if no thread can be made, or if this is off: that takes 0.5 MiB of its stack. If it
/// has less, a small module gets a thread too, unless this is off.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_parallel_compilation(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_parallel_compilation", config, Setting::ParallelCompilation, |config| {
        config.options.parallel_compilation = Some(enabled);
        Ok(())
    })
}

/// Whether native debuggers get the module's DWARF sections, translated. Off by default. Not on
/// wasmi, nor with Winch or Pulley. A module whose DWARF sections are damaged may be refused then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_debug_info(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_debug_info", config, Setting::DebugInfo, |config| {
        config.options.debug_info = enabled;
        Ok(())
    })
}

/// What a profiler is told of compiled code: a constant of `wasmrt_profiling_enum`. Not on wasmi.
/// Environment: `WASMRT_PROFILING`, one of none, perfmap, jitdump.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_profiling(
    config: *mut wasm_config_t,
    profiling: wasmrt_profiling_t,
) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_profiling", config, Setting::Profiling, |config| {
        let chosen = Profiling::from_number(profiling).ok_or_else(|| no_such("a kind of profiling", profiling))?;
        config.options.profiling = Some(chosen);
        Ok(())
    })
}

/// Makes results the same on every machine: one bit pattern for all NaNs that instructions produce,
/// and one result for each relaxed SIMD instruction. Off by default. Not on wasmi, nor with Winch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_deterministic(config: *mut wasm_config_t, enabled: bool) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_deterministic", config, Setting::Deterministic, |config| {
        config.options.deterministic = enabled;
        Ok(())
    })
}

/// Compiles for another machine, given as a target triple such as "x86_64-unknown-linux-gnu". Not
/// on wasmi.
///
/// Modules of such an engine can be serialized, to be deserialized there by the same version of
/// this library, with the same configuration but for the target; they can be instantiated here only
/// if this machine is of that kind. Only for processor architectures that the library was built
/// for: this machine's, "pulley64" and its kin, and the others if it was built with cargo's feature
/// `all-arch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_target(config: *mut wasm_config_t, triple: *const c_char) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_set_target", config, Setting::Target, |config| {
        // SAFETY: the caller's string, or NULL.
        config.options.target = Some(unsafe { string(triple, "a target triple")? });
        Ok(())
    })
}

/// Lets compiled code use a feature of the processor, by Cranelift's name for it, such as
/// "has_avx2". Not on wasmi, nor with Pulley.
///
/// Without a target, those that this machine has are used anyway. One that the machine lacks is
/// refused, unless a target is given.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_enable_cpu_feature(config: *mut wasm_config_t, name: *const c_char) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    set("wasmrt_config_enable_cpu_feature", config, Setting::CpuFeatures, |config| {
        // SAFETY: the caller's string, or NULL.
        config.options.cpu_features.push(unsafe { string(name, "the name of a CPU feature")? });
        Ok(())
    })
}

/// Bounds the modules that the engine compiles, not those that it deserializes: `limit` is a
/// constant of `wasmrt_module_limit_enum`, `value` the most that is allowed. A module beyond it is
/// refused before it is compiled, by `wasm_module_new` and `wasm_module_validate` alike, with a
/// last error of kind `WASMRT_ERROR_LIMIT` that says what is too much, in which function, and what
/// is allowed.
///
/// On by default are types, nesting, both costs and constant terms, so that a module takes some 10
/// seconds and 1 GB for each of its megabytes at most. The others are `WASMRT_UNLIMITED`, which
/// also lifts those. wasmi makes no machine code and takes time in proportion to a module's size:
/// there nesting and costs count only if they are set, and costs also where a signature has more
/// than 64 values.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_module_limit(
    config: *mut wasm_config_t,
    limit: wasmrt_module_limit_t,
    value: u64,
) -> bool {
    // SAFETY: the caller's configuration, or NULL.
    let config = unsafe { from_c(config) };
    change("wasmrt_config_set_module_limit", config, |config| {
        let limit = ModuleLimit::from_number(limit).ok_or_else(|| no_such("a limit of modules", limit))?;
        config.module_limits.set(limit, value);
        Ok(())
    })
}

/// # Safety
/// The pointer is NULL or the caller's configuration, used by nobody else meanwhile.
unsafe fn from_c<'a>(config: *mut wasm_config_t) -> Option<&'a mut Config> {
    // SAFETY: as promised by the caller.
    unsafe { config.cast::<Config>().as_mut() }
}

/// Changes a configuration, and notes which function did: messages about settings that a backend does not support name it.
fn set(
    function: &'static str,
    config: Option<&mut Config>,
    setting: Setting,
    body: impl FnOnce(&mut Config) -> Result<()>,
) -> bool {
    change(function, config, |config| {
        body(config)?;
        config.options.origins.push((setting, function));
        Ok(())
    })
}

fn change(function: &str, config: Option<&mut Config>, body: impl FnOnce(&mut Config) -> Result<()>) -> bool {
    answer(function, false, || body(config.ok_or_else(|| null("a configuration"))?).map(|()| true))
}

/// A choice by its number, where 0 is the default.
fn choice<T>(number: u8, what: &str, from_number: impl FnOnce(u8) -> Option<T>) -> Result<Option<T>> {
    if number == 0 {
        return Ok(None);
    }
    from_number(number).map(Some).ok_or_else(|| no_such(what, number))
}

#[cold]
fn no_such(what: &str, number: u8) -> Error {
    Error::misuse(format!("expected {what}, got the number {number}, which is none"))
}

/// # Safety
/// The pointer is NULL or a string.
unsafe fn string(text: *const c_char, what: &str) -> Result<String> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: as promised by the caller.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
