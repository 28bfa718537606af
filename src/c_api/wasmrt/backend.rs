//! Choosing the engine.

use crate::backend::BACKENDS;
use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::wasm::engine::wasm_engine_t;
use crate::c_api::{answer, null, required};
use crate::runtime::core::config::{Config, find_backend};
use crate::runtime::core::engine::Engine;
use std::ffi::{CStr, c_char};

/// How many backends this library has.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_count() -> usize {
    BACKENDS.len()
}

/// The name of a backend: static. The first, with index 0, is the default. NULL if `index` is
/// beyond the last; that is an answer, not an error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_backend_name(index: usize) -> *const c_char {
    BACKENDS.get(index).map_or(std::ptr::null(), |backend| backend.name().as_ptr())
}

/// Chooses the backend of the engines made with this configuration, by name. Takes precedence over
/// the environment variable `WASMRT_BACKEND`.
///
/// False and a last error, which lists those there are, if the library has no such backend, or if
/// an argument is NULL; the configuration is then as before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_backend(config: *mut wasm_config_t, name: *const c_char) -> bool {
    answer("wasmrt_config_set_backend", false, || {
        // SAFETY: the caller's configuration, used by nobody else meanwhile, or NULL.
        let config = unsafe { config.cast::<Config>().as_mut() }.ok_or_else(|| null("a configuration"))?;
        if name.is_null() {
            return Err(null("the name of a backend"));
        }
        // SAFETY: a string of the caller's.
        let name = unsafe { CStr::from_ptr(name) };
        config.set_backend(find_backend(BACKENDS, &name.to_string_lossy())?);
        Ok(true)
    })
}

/// The name of an engine's backend: static. NULL gives NULL and a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_engine_backend(engine: *const wasm_engine_t) -> *const c_char {
    // SAFETY: the caller's engine, or NULL.
    answer("wasmrt_engine_backend", std::ptr::null(), || unsafe {
        Ok(required::<_, std::sync::Arc<Engine>>(engine, "an engine")?.backend.name().as_ptr())
    })
}
