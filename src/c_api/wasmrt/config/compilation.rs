//! Configuration: compilation

use super::{set, string};
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasmrt::value;
use crate::runtime::base::options::{Profiling, Setting};
use std::ffi::c_char;

/// Sets whether the functions of a module are compiled on several threads. On by default on
/// wasmtime; cannot be turned on on wasmi. Environment: `WASMRT_PARALLEL_COMPILATION`, 0 or 1.
///
/// Large modules get threads, in all no more than there are processors, which end when the module is
/// compiled. Small modules, and all modules if no thread can be started or this is off, are compiled
/// on the calling thread, which takes 0.5 MiB of its stack. If it has less and this is on, a small
/// module gets a thread as well.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_parallel_compilation(
    config: Option<&mut wasm_config_t>,
    enabled: bool,
) -> bool {
    set("wasmrt_config_set_parallel_compilation", config, Setting::ParallelCompilation, |config| {
        config.options.parallel_compilation = Some(enabled);
        Ok(())
    })
}

/// Sets whether the DWARF sections of a module are translated for native debuggers. Off by default.
/// Not supported by wasmi, Winch and Pulley.
///
/// A module with damaged DWARF sections may be refused then.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_debug_info(config: Option<&mut wasm_config_t>, enabled: bool) -> bool {
    set("wasmrt_config_set_debug_info", config, Setting::DebugInfo, |config| {
        config.options.debug_info = enabled;
        Ok(())
    })
}

/// A value of `wasmrt_profiling_enum`.
pub type wasmrt_profiling_t = u32;

/// What to report to a profiler of the operating system about compiled code.
#[repr(C)]
pub enum wasmrt_profiling_enum {
    /// Nothing. The default.
    WASMRT_PROFILING_NONE = 0,
    /// The names of functions, in /tmp/perf-PID.map, for Linux perf.
    WASMRT_PROFILING_PERFMAP = 1,
    /// Names and code, in jit-PID.dump in the working directory, for Linux perf and `perf inject`.
    WASMRT_PROFILING_JITDUMP = 2,
}

/// Chooses what to report to a profiler. Environment: `WASMRT_PROFILING`, one of none, perfmap,
/// jitdump. Not supported by wasmi.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_profiling(
    config: Option<&mut wasm_config_t>,
    profiling: wasmrt_profiling_t,
) -> bool {
    set("wasmrt_config_set_profiling", config, Setting::Profiling, |config| {
        config.options.profiling = Some(value(profiling, "wasmrt_profiling_enum", Profiling::from_number)?);
        Ok(())
    })
}

/// Sets whether results are the same on every machine: a single bit pattern for all NaNs that
/// instructions produce, and a single result for each relaxed SIMD instruction. Off by default. Not
/// supported by wasmi and Winch.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_deterministic(config: Option<&mut wasm_config_t>, enabled: bool) -> bool {
    set("wasmrt_config_set_deterministic", config, Setting::Deterministic, |config| {
        config.options.deterministic = enabled;
        Ok(())
    })
}

/// Compiles for another machine, given as a target triple such as "x86_64-unknown-linux-gnu". Not
/// supported by wasmi.
///
/// Modules of such an engine can be serialized, and deserialized on the other machine by the same
/// version of this library with the same configuration except for the target. They can be
/// instantiated here only if this machine is of that kind. The library supports the architecture of
/// this machine, "pulley64" and its variants, and other architectures if it was built with cargo's
/// feature `all-arch`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_target(config: Option<&mut wasm_config_t>, triple: *const c_char) -> bool {
    set("wasmrt_config_set_target", config, Setting::Target, |config| {
        // SAFETY: NULL or a string, which stays as it is during this call.
        config.options.target = Some(unsafe { string(triple, "a target triple")? });
        Ok(())
    })
}

/// Allows compiled code to use a feature of the processor, by Cranelift's name for it, such as
/// "has_avx2". Not supported by wasmi and Pulley.
///
/// Without a target, the features of this machine are used anyway, and a feature that it lacks is
/// refused.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_enable_cpu_feature(
    config: Option<&mut wasm_config_t>,
    name: *const c_char,
) -> bool {
    set("wasmrt_config_enable_cpu_feature", config, Setting::CpuFeatures, |config| {
        // SAFETY: NULL or a string, which stays as it is during this call.
        config.options.cpu_features.push(unsafe { string(name, "the name of a CPU feature")? });
        Ok(())
    })
}
