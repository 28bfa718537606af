//! Log
//!
//! The library prints nothing. It reports some events that are not errors of any call to a callback
//! of the process: a store reached its limit of memory bytes or table elements (reported once per
//! store), something was deleted twice, the environment has a `WASMRT_` variable that does not
//! exist, the library caught a defect of its own. Without a callback they are discarded.

use crate::c_api::guard;
use crate::runtime::base::host_data::HostData;
use crate::runtime::base::log::{self, Level};
use std::ffi::{c_char, c_void};

/// How severe an event is. Larger numbers are less severe; others may be added.
#[repr(C)]
pub enum wasmrt_log_level_enum {
    /// A defect in the library, which it caught.
    WASMRT_LOG_ERROR = 1,
    /// Something that the program or its operator should know.
    WASMRT_LOG_WARNING = 2,
}

const _: () = assert!(
    Level::Error as u32 == wasmrt_log_level_enum::WASMRT_LOG_ERROR as u32
        && Level::Warning as u32 == wasmrt_log_level_enum::WASMRT_LOG_WARNING as u32
);

/// Receives an event: `level` is a value of `wasmrt_log_level_enum`, `message` a sentence in UTF-8,
/// borrowed for the call.
///
/// It runs on the thread on which the event occurs, possibly on several threads at once. It may call
/// the library and change the thread's last error, but must not use the store concerned.
pub type wasmrt_log_callback_t = Option<unsafe extern "C" fn(env: *mut c_void, level: u32, message: *const c_char)>;

/// Installs the log callback of the process, which is called with `env`. NULL, the default, discards
/// events. May be called from any thread, also from the callback.
///
/// `finalizer`, if not NULL, is called once with `env` when the callback has been replaced and no
/// thread is inside it any more; immediately if the callback is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_log_set_callback(
    callback: wasmrt_log_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) {
    guard((), || log::set(callback, HostData { pointer: env, finalizer }))
}
