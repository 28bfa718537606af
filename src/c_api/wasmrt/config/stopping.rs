//! Configuration: stopping a guest
//!
//! These are off by default, because they make code slower: docs/wasmrt.md says by how much.

use super::set;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::options::Setting;

/// Makes WebAssembly consume fuel: see `wasmrt_store_set_fuel`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_fuel(config: Option<&mut wasm_config_t>, enabled: bool) -> bool {
    set("wasmrt_config_set_fuel", config, Setting::Fuel, |config| {
        config.options.fuel = enabled;
        Ok(())
    })
}

/// Allows running WebAssembly to be stopped: see `wasmrt_store_set_timeout`,
/// `wasmrt_store_set_call_timeout` and `wasmrt_interrupt_new`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_interruption(config: Option<&mut wasm_config_t>, enabled: bool) -> bool {
    set("wasmrt_config_set_interruption", config, Setting::Interruption, |config| {
        config.options.interruption = enabled;
        Ok(())
    })
}
