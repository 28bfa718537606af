//! Backends
//!
//! A backend is an engine that the library was built with, such as "wasmtime" or "wasmi", or a
//! shared library with the functions of wasm.h that was loaded. These functions tell which there
//! are and what they can do before an engine is made. The strings that they return are static. A
//! function that gets the name of a backend also takes the path of a library, or a name by which
//! one is found, and loads it; what it is refused for is the last error.

use super::{static_text, value};
use crate::backend::REGISTRY;
use crate::c_api::answer;
use crate::c_api::ffi::null;
use crate::runtime::base::error::Result;
use crate::runtime::base::options::Setting;
use crate::runtime::core::config::find_backend;
use crate::runtime::core::engine_traits::Backend;
use std::ffi::{CStr, c_char};

/// A value of `wasmrt_setting_enum`.
pub type wasmrt_setting_t = u32;

/// Settings that some backends do not have. Each is set by the function of its name:
/// `WASMRT_SETTING_FUEL` by `wasmrt_config_set_fuel`.
#[repr(C)]
pub enum wasmrt_setting_enum {
    /// A choice of compiler. Backends have different compilers: see `wasmrt_compiler_enum`.
    WASMRT_SETTING_COMPILER = 1,
    WASMRT_SETTING_OPTIMIZATION = 2,
    WASMRT_SETTING_FUEL = 3,
    WASMRT_SETTING_INTERRUPTION = 4,
    WASMRT_SETTING_MAX_WASM_STACK = 5,
    WASMRT_SETTING_MEMORY_RESERVATION = 6,
    WASMRT_SETTING_MEMORY_GUARD_SIZE = 7,
    WASMRT_SETTING_MEMORY_COPY_ON_WRITE = 8,
    /// `wasmrt_config_set_pooling` and `wasmrt_config_set_pool_limit`.
    WASMRT_SETTING_POOLING = 9,
    WASMRT_SETTING_PARALLEL_COMPILATION = 10,
    WASMRT_SETTING_DEBUG_INFO = 11,
    WASMRT_SETTING_PROFILING = 12,
    WASMRT_SETTING_DETERMINISTIC = 13,
    WASMRT_SETTING_TARGET = 14,
    /// `wasmrt_config_enable_cpu_feature`.
    WASMRT_SETTING_CPU_FEATURE = 15,
    WASMRT_SETTING_MEMORY_CREATOR = 16,
}

/// The header's number for a setting. Every setting has one: the compiler sees to it.
fn number(setting: Setting) -> wasmrt_setting_enum {
    use wasmrt_setting_enum::*;
    match setting {
        Setting::Compiler => WASMRT_SETTING_COMPILER,
        Setting::Optimization => WASMRT_SETTING_OPTIMIZATION,
        Setting::Fuel => WASMRT_SETTING_FUEL,
        Setting::Interruption => WASMRT_SETTING_INTERRUPTION,
        Setting::MaxWasmStack => WASMRT_SETTING_MAX_WASM_STACK,
        Setting::MemoryReservation => WASMRT_SETTING_MEMORY_RESERVATION,
        Setting::MemoryGuard => WASMRT_SETTING_MEMORY_GUARD_SIZE,
        Setting::CopyOnWrite => WASMRT_SETTING_MEMORY_COPY_ON_WRITE,
        Setting::Pooling => WASMRT_SETTING_POOLING,
        Setting::ParallelCompilation => WASMRT_SETTING_PARALLEL_COMPILATION,
        Setting::DebugInfo => WASMRT_SETTING_DEBUG_INFO,
        Setting::Profiling => WASMRT_SETTING_PROFILING,
        Setting::Deterministic => WASMRT_SETTING_DETERMINISTIC,
        Setting::Target => WASMRT_SETTING_TARGET,
        Setting::CpuFeatures => WASMRT_SETTING_CPU_FEATURE,
        Setting::MemoryCreator => WASMRT_SETTING_MEMORY_CREATOR,
    }
}

fn setting(wanted: u32) -> Option<Setting> {
    Setting::ALL.iter().copied().find(|setting| number(*setting) as u32 == wanted)
}

/// Returns the number of backends: those that the library was built with, at least one unless it
/// was built without any, and those that were loaded so far.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_count() -> usize {
    REGISTRY.count()
}

/// Returns the name of the backend at `index`, counted from 0, or NULL if there are not so many.
/// The backend at index 0 is the default. Those that were loaded come last, under the names or
/// paths by which they were asked for.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_name(index: usize) -> *const c_char {
    static_text(REGISTRY.get(index).map(|backend| backend.name()))
}

/// Returns the version of a backend's engine, such as "48.0.8"; "unknown" if a library that was
/// loaded does not tell it. Returns NULL and sets the last error if there is no backend of that
/// name.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_version(name: *const c_char) -> *const c_char {
    answer("wasmrt_backend_version", std::ptr::null(), || {
        // SAFETY: `name` is NULL or a string, which stays as it is during this call.
        Ok(unsafe { named(name) }?.version().as_ptr())
    })
}

/// Returns whether a backend has a setting. Returns false and sets the last error if there is no
/// such backend or setting.
///
/// The backend may still refuse some values of it, or combinations of settings: that is checked when
/// an engine is made.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_supports(name: *const c_char, setting: wasmrt_setting_t) -> bool {
    answer("wasmrt_backend_supports", false, || {
        // SAFETY: `name` is NULL or a string, which stays as it is during this call.
        let backend = unsafe { named(name) }?;
        Ok(backend.can(value(setting, "wasmrt_setting_enum", self::setting)?))
    })
}

/// The backend of a name from C.
///
/// # Safety
/// `name` is a string or NULL.
pub unsafe fn named(name: *const c_char) -> Result<&'static dyn Backend> {
    if name.is_null() {
        return Err(null("the name of a backend"));
    }
    // SAFETY: a string, which stays as it is during this call.
    find_backend(REGISTRY, &unsafe { CStr::from_ptr(name) }.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_numbered_from_one_without_gaps() {
        let numbers: Vec<_> = Setting::ALL.iter().map(|setting| number(*setting) as u32).collect();
        assert_eq!(numbers, (1..=Setting::ALL.len() as u32).collect::<Vec<_>>());
        assert!(setting(0).is_none() && setting(Setting::ALL.len() as u32 + 1).is_none());
    }
}
