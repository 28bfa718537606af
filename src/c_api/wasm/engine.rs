//! Engines.

use super::config::wasm_config_t;
use crate::backend::BACKENDS;
use crate::runtime::core::config::Config;
use crate::runtime::core::engine::Engine;
use std::sync::Arc;

/// An engine: what compiles and runs. Stores and modules of one engine go together; a program rarely needs a second.
///
/// Usable from any thread. Must eventually be passed to `wasm_engine_delete`; its stores and modules live on.
pub struct wasm_engine_t {
    _engine: Engine,
}

/// An engine with the default configuration, own. [Engine]
///
/// The environment variable `WASMRT_BACKEND` chooses the backend by name. NULL and a last error, which lists those there
/// are, if it names none of them.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_new() -> *mut wasm_engine_t {
    crate::c_api::answer("wasm_engine_new", std::ptr::null_mut(), || new(Config::default()))
}

/// An engine with a configuration, own. Takes the configuration, also when it fails. [Engine]
///
/// NULL and a last error if the engine cannot do what is configured, or as for `wasm_engine_new` where the configuration
/// names no backend. With any option but fuel, interruption, parallel compilation and limits of modules, a small module is
/// compiled and called first: an engine on which nothing would work is refused. NULL for the configuration: the default one.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_new_with_config(config: *mut wasm_config_t) -> *mut wasm_engine_t {
    crate::c_api::answer("wasm_engine_new_with_config", std::ptr::null_mut(), || {
        // SAFETY: the caller's own, or NULL.
        let config: Option<Box<Config>> = unsafe { crate::c_api::take_box(config) };
        new(config.map_or_else(Config::default, |config| *config))
    })
}

fn new(config: Config) -> crate::runtime::base::error::Result<*mut wasm_engine_t> {
    Ok(Arc::into_raw(Engine::new(config, BACKENDS)?).cast_mut().cast())
}

/// Deletes an engine. Takes ownership; stores and modules of it live on. NULL: nothing happens. May be called from any
/// thread. [Engine]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_delete(engine: *mut wasm_engine_t) {
    crate::c_api::guard((), || {
        if !engine.is_null() {
            // SAFETY: the caller's own, from `Arc::into_raw`.
            drop(unsafe { Arc::from_raw(engine.cast::<Engine>()) });
        }
    })
}

/// The shared engine behind a pointer of C's.
///
/// # Safety
/// The pointer is NULL or the caller's engine.
pub unsafe fn from_c(engine: *const wasm_engine_t) -> crate::runtime::base::error::Result<Arc<Engine>> {
    // SAFETY: as promised by the caller; an engine is an `Arc`, whose count goes up here.
    unsafe {
        // By the pointer from `Arc::into_raw`: a reference would not reach the count beside the engine.
        crate::c_api::required::<_, Engine>(engine, "an engine")?;
        let engine = engine.cast::<Engine>();
        Arc::increment_strong_count(engine);
        Ok(Arc::from_raw(engine))
    }
}
