//! Configuration
//!
//! A `wasm_config_t` holds settings for `wasm_engine_new_with_config`. Every `wasmrt_config_*`
//! function returns true if the value is valid. Otherwise, or if the configuration or a string is
//! NULL, it returns false, sets the last error and leaves the configuration unchanged.
//!
//! Whether the backend supports what was set is checked by `wasm_engine_new_with_config`. If not,
//! that returns NULL and sets a last error of kind `WASMRT_ERROR_UNSUPPORTED`. No setting is
//! ignored. `wasmrt_backend_supports` tells in advance.
//!
//! Some settings have an environment variable, which is read when an engine is made if the program
//! has not made the setting. An empty variable counts as unset. With an invalid value, no engine can
//! be made.

use crate::c_api::answer;
use crate::c_api::ffi::{null, required_mut};
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::error::Result;
use crate::runtime::base::options::Setting;
use crate::runtime::core::config::Config;
use std::ffi::{CStr, c_char};

pub mod compiler;
pub mod proposals;
pub mod stopping;
pub mod memory;
pub mod memory_creator;
pub mod pool;
pub mod shards;
pub mod compilation;
pub mod cache;
pub mod transform;
pub mod module_limits;

/// Changes a configuration, and notes which function did: messages about settings that a backend does not support name it.
fn set(
    function: &'static str,
    config: Option<&mut wasm_config_t>,
    setting: Setting,
    body: impl FnOnce(&mut Config) -> Result<()>,
) -> bool {
    change(function, config, |config| {
        body(config)?;
        config.options.origins.push((setting, function));
        Ok(())
    })
}

fn change(function: &str, config: Option<&mut wasm_config_t>, body: impl FnOnce(&mut Config) -> Result<()>) -> bool {
    answer(function, false, || body(required_mut(config)?).map(|()| true))
}

/// # Safety
/// The pointer is NULL or a string.
unsafe fn string(text: *const c_char, what: &str) -> Result<String> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: a string, which stays as it is during this call.
    Ok(unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}
