//! Configuration.

use crate::runtime::core::config::Config;

/// A configuration for an engine, filled by functions of wasmrt.h. Must eventually be passed to
/// `wasm_engine_new_with_config` or to `wasm_config_delete`.
pub struct wasm_config_t {
    _config: Config,
}

/// A configuration with every default, own. [Configuration]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_config_new() -> *mut wasm_config_t {
    crate::c_api::guard(std::ptr::null_mut(), || crate::c_api::give_box(Config::default()))
}

/// Deletes a configuration. Takes ownership. NULL: nothing happens. [Configuration]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_config_delete(config: *mut wasm_config_t) {
    // SAFETY: the caller's own, or NULL.
    crate::c_api::guard((), || drop(unsafe { crate::c_api::take_box::<_, Config>(config) }))
}
