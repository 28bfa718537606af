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

/// A value of `wasmrt_log_level_enum`.
pub type wasmrt_log_level_t = u32;

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
pub type wasmrt_log_callback_t =
    Option<unsafe extern "C" fn(env: *mut c_void, level: wasmrt_log_level_t, message: *const c_char)>;

/// Installs the log callback of the process, which is called with `env`. NULL, the default, discards
/// events. May be called from any thread, also from the callback.
///
/// `finalizer`, unless NULL, is called once with `env` when the callback has been replaced and no
/// thread is inside it any more; at once if the callback is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_log_set_callback(
    callback: wasmrt_log_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) {
    guard((), || log::set(callback, HostData { pointer: env, finalizer }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::base::error::record_panic;
    use std::ffi::CStr;
    use std::sync::atomic::{AtomicU32, Ordering};

    static WARNED: AtomicU32 = AtomicU32::new(0);
    static CAUGHT: AtomicU32 = AtomicU32::new(0);

    /// Other tests may have something to report meanwhile.
    unsafe extern "C" fn keep_level(_: *mut c_void, level: u32, message: *const c_char) {
        // SAFETY: it is a string, as the header says.
        let message = unsafe { CStr::from_ptr(message) }.to_string_lossy();
        if message.contains("of this very test") {
            let kept = if message.contains("internal error") { &CAUGHT } else { &WARNED };
            kept.store(level, Ordering::Relaxed);
        }
    }

    #[test]
    fn defects_of_the_library_are_errors() {
        // SAFETY: the callback needs no environment.
        unsafe { wasmrt_log_set_callback(Some(keep_level), std::ptr::null_mut(), None) };
        log::warn("a warning of this very test");
        record_panic(Box::new("a panic of this very test"));
        // SAFETY: no callback.
        unsafe { wasmrt_log_set_callback(None, std::ptr::null_mut(), None) };
        assert_eq!(WARNED.load(Ordering::Relaxed), wasmrt_log_level_enum::WASMRT_LOG_WARNING as u32);
        assert_eq!(CAUGHT.load(Ordering::Relaxed), wasmrt_log_level_enum::WASMRT_LOG_ERROR as u32);
    }
}
