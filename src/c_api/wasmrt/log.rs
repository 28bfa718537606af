//! Warnings.

use crate::runtime::base::host_data::HostData;
use crate::runtime::base::log;
use std::ffi::{c_char, c_void};

/// What is called with each warning: a sentence in UTF-8, borrowed for the call.
pub type wasmrt_log_callback_t = Option<unsafe extern "C" fn(env: *mut c_void, message: *const c_char)>;

/// Has warnings passed to `callback`, with `env`; NULL for no callback, the default: nobody hears
/// of them.
///
/// Warnings are about things that are no errors of any call: a store reached its limit of memory
/// bytes or table elements (said once for each store), something was deleted twice, the environment
/// has a `WASMRT_` variable that does not exist, the library caught a defect of its own. There is
/// one logger in a process. What it does may change the thread's last error. It is called on the
/// thread on which the thing happens, several at once; it may call the library, but not use the
/// store that the thing happens in. `finalizer`, if not NULL, is called once with `env` when the
/// logger has been replaced and nobody is in it any more; at once if there is no callback. May be
/// called from any thread.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_set_log_callback(
    callback: wasmrt_log_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(arg1: *mut c_void)>,
) {
    crate::c_api::guard((), || log::set(callback, HostData { pointer: env, finalizer }))
}
