//! Configuration.

use crate::c_api::ffi::{c_type, give};
use crate::c_api::guard;
use crate::runtime::core::config::Config;

c_type!(
    /// The settings of an engine; functions of wasmrt.h change them.
    ///
    /// Must eventually be passed to `wasm_engine_new_with_config` or `wasm_config_delete`.
    wasm_config_t,
    "a configuration",
    Boxed,
    Config
);

/// Creates a configuration with the default of every setting, own. [Configuration]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_config_new() -> Option<Box<wasm_config_t>> {
    guard(None, || give(Config::default()))
}

/// Deletes a configuration. Takes ownership. Does nothing for NULL. [Configuration]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_config_delete(config: Option<Box<wasm_config_t>>) {
    guard((), || drop(config))
}
