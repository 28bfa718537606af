//! Configuration: cache of compiled modules

use super::change;
use crate::c_api::wasm::config::wasm_config_t;
use crate::runtime::core::cache::{Cache, DEFAULT_MAX_BYTES};
use std::ffi::{CStr, OsStr, c_char};
use std::os::unix::ffi::OsStrExt;

/// Keeps compiled modules in a directory, so that the next engine, in this process or another,
/// loads them instead of compiling them. NULL: keeps none, whatever the environment says.
/// Environment: `WASMRT_CACHE_DIR`, which programs with the rights of another user or group ignore.
///
/// The directory is made if it is not there, with access for its owner alone. Any number of
/// threads, engines and processes may share it. Once the modules take more than `max_bytes`, or 1
/// GiB for 0, those that have not been used for the longest time are removed.
///
/// `wasm_module_new` finds a module by a hash of its bytes, the version of the library, the
/// backend, everything in the configuration that its code or its limits depend on, and the
/// processor. An entry that is damaged is compiled again and replaced. What cannot be written is
/// not kept; a warning is logged once. Engines that do not compile (wasmi) keep nothing, and
/// neither does an engine for another machine.
///
/// The entries hold machine code: whoever can write to the directory decides what the program runs.
/// A directory to which everybody can write is refused, and one that this program cannot write to.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_config_set_cache(
    config: Option<&mut wasm_config_t>,
    directory: *const c_char,
    max_bytes: u64,
) -> bool {
    change("wasmrt_config_set_cache", config, |config| {
        config.cache = Some(if directory.is_null() {
            None
        } else {
            // SAFETY: a string, which stays as it is during this call.
            let directory = unsafe { CStr::from_ptr(directory) };
            let max_bytes = if max_bytes == 0 { DEFAULT_MAX_BYTES } else { max_bytes };
            Some(Cache::open(OsStr::from_bytes(directory.to_bytes()).as_ref(), max_bytes)?)
        });
        Ok(())
    })
}
