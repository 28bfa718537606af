//! Configuration
//!
//! A `wasm_config_t` holds settings for `wasm_engine_new_with_config`. Every `wasmrt_config_*`
//! function returns true if the value is valid. Otherwise it returns false, records an error and
//! leaves the configuration unchanged; so it does if the configuration or a string is NULL.
//!
//! Whether the backend supports what was set is checked by `wasm_engine_new_with_config`, which
//! then returns NULL with an error of kind `WASMRT_ERROR_UNSUPPORTED`. No setting is ignored.
//! `wasmrt_backend_supports` tells in advance.
//!
//! An environment variable named with a setting is read when an engine is made, if the program has
//! not set it itself. An empty variable counts as unset; an invalid value fails the engine.

use crate::c_api::wasm::config::wasm_config_t;
use crate::c_api::{answer, null};
use crate::runtime::base::error::Result;
use crate::runtime::base::options::Setting;
use crate::runtime::core::config::Config;
use std::ffi::{CStr, c_char};

pub mod compiler;
pub mod proposals;
pub mod stopping;
pub mod memory;
pub mod pool;
pub mod compilation;
pub mod module_limits;

/// # Safety
/// The pointer is NULL or a configuration that no other thread uses.
unsafe fn from_c<'a>(config: *mut wasm_config_t) -> Option<&'a mut Config> {
    // SAFETY: a configuration of C's is a boxed `Config`, and this call is the only one that uses it.
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

/// # Safety
/// The pointer is NULL or a string.
unsafe fn string(text: *const c_char, what: &str) -> Result<String> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: it is a string of C's, which stays as it is during this call.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
