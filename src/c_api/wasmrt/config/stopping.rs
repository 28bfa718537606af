//! Configuration: stopping a guest
//!
//! These are off by default, because they make code slower: docs/wasmrt.md says by how much.

use super::{change, set};
use crate::c_api::ffi::null;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::base::error::Error;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::options::Setting;
use crate::runtime::binary::metering::Metering;
use std::ffi::c_void;

/// Returns what one instruction costs. `opcode` is its number in the binary format: one byte, or a
/// prefix and a number, such as 0xfc0008 for `memory.init`.
pub type wasmrt_cost_callback_t = Option<unsafe extern "C" fn(env: *mut c_void, opcode: u32) -> u64>;

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

/// Gives each instance `points`, which its instructions use up, at costs that the program chooses.
/// Fuel is less work, and its costs are fixed. Fails if it was called for the configuration before.
///
/// Modules are changed for it, and take more time to compile and to run. Each has two more exports,
/// mutable globals of the instance: `wasmrt_points`, an i64, has the points that are left, and may
/// be set. Guests reach them only if the host passes them on: `wasmrt_linker_define_instance` does
/// not define them. Instructions are paid for before they run, all up to the next branch, call, or
/// end of a block together. If there are not enough points, `wasmrt_points_exhausted`, an i32,
/// becomes 1, and the guest traps with `WASMRT_TRAP_UNREACHABLE`.
///
/// A module that has an export of one of these names is refused. Limits of modules are those of the
/// module as it was, but limits of compile costs count what is added as well. Offsets of frames and
/// in debug information are those of the changed module.
///
/// `cost` is called with `env` for each instruction of each module that is made or validated,
/// except in code that cannot run, on the thread that makes it, possibly on several at once.
/// `finalizer`, unless NULL, is called once with `env` when neither the configuration nor the
/// engine needs it any more; at once if this function fails. Serialized modules are metered as they
/// were compiled: an engine with metering and one without refuse each other's.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_metering(
    config: Option<&mut wasm_config_t>,
    points: u64,
    cost: wasmrt_cost_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) -> bool {
    let env = HostData { pointer: env, finalizer };
    change("wasmrt_config_set_metering", config, |config| {
        let cost = cost.ok_or_else(|| null("a callback"))?;
        if config.metering.is_some() {
            return Err(Error::misuse("the configuration has metering already; add the costs up in one callback"));
        }
        config.metering = Some(Metering { points, cost, env });
        Ok(())
    })
}
