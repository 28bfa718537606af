//! Engines.

use super::config::wasm_config_t;
use crate::backend::REGISTRY;
use crate::c_api::ffi::{CType, c_type, give};
use crate::c_api::{answer, guard};
use crate::runtime::base::error::Result;
use crate::runtime::core::config::Config;
use crate::runtime::core::engine::Engine;
use std::sync::Arc;

c_type!(
    /// An engine compiles and runs modules. Stores and modules of one engine go together; a program
    /// rarely needs a second engine.
    ///
    /// May be used from any thread. Must eventually be passed to `wasm_engine_delete`; its stores and
    /// modules outlive it.
    wasm_engine_t,
    "an engine",
    Boxed,
    Arc<Engine>
);

/// Creates an engine with the default configuration, own. [Engine]
///
/// The environment variable `WASMRT_BACKEND` names the backend, as `wasmrt_config_set_backend`
/// does. If the library has no backend of that name, the result is NULL, and the last error lists
/// the backends that there are.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_new() -> Option<Box<wasm_engine_t>> {
    answer("wasm_engine_new", None, || new(Config::default()))
}

/// Creates an engine with a configuration, own. Takes `config`; NULL means the default
/// configuration. [Engine]
///
/// Returns NULL and sets the last error if the backend does not support a setting. If the
/// configuration names no backend, the engine has the backend that `wasm_engine_new` would choose.
///
/// If a setting other than fuel, interruption, parallel compilation or a limit of modules is not the
/// default, a small module is compiled and called first: an engine that cannot run it is not
/// created.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_new_with_config(config: Option<Box<wasm_config_t>>) -> Option<Box<wasm_engine_t>> {
    answer(
        "wasm_engine_new_with_config",
        None,
        || new(config.map_or_else(Config::default, |config| config.into_rust())),
    )
}

fn new(config: Config) -> Result<Option<Box<wasm_engine_t>>> {
    Ok(give(Engine::new(config, REGISTRY)?))
}

/// Deletes an engine. Takes ownership. Stores and modules of the engine outlive it. [Engine]
///
/// Does nothing for NULL. May be called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasm_engine_delete(engine: Option<Box<wasm_engine_t>>) {
    guard((), || drop(engine))
}
