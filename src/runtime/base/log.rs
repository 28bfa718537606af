//! Warnings: events that are not errors, but that a program may want to know about.

use super::host_data::{HostData, to_c};
use std::ffi::c_void;
use std::sync::{Arc, PoisonError, RwLock, RwLockWriteGuard};

pub type Callback = unsafe extern "C" fn(env: *mut c_void, level: u32, message: *const std::ffi::c_char);

/// How severe an event is. The numbers are those of `wasmrt.h`.
#[derive(Clone, Copy)]
pub enum Level {
    /// A defect of the library.
    Error = 1,
    Warning = 2,
}

pub struct Logger {
    callback: Callback,
    env: HostData,
}

// SAFETY: `wasmrt.h` says that a logger must allow calls from any thread.
unsafe impl Send for Logger {}
unsafe impl Sync for Logger {}

static LOGGER: RwLock<Option<Arc<Logger>>> = RwLock::new(None);

/// Replaces the logger of the process. The finalizer of the former one runs when no thread is in its callback any
/// more.
pub fn set(callback: Option<Callback>, env: HostData) {
    let logger = callback.map(|callback| Arc::new(Logger { callback, env }));
    let former = std::mem::replace(&mut *hold(), logger);
    drop(former);
}

pub type Held = RwLockWriteGuard<'static, Option<Arc<Logger>>>;

/// Locks the logger against all other threads.
pub fn hold() -> Held {
    LOGGER.write().unwrap_or_else(PoisonError::into_inner)
}

pub fn warn(message: &str) {
    report(Level::Warning, message);
}

#[cold]
pub fn report(level: Level, message: &str) {
    // The lock is not held during the call, because a logger may replace itself.
    let logger = LOGGER.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(logger) = logger {
        let message = to_c(message);
        // SAFETY: C installed a callback of this type together with this environment, which the `Arc` keeps until the
        // call returns.
        unsafe { (logger.callback)(logger.env.pointer, level as u32, message.as_ptr()) };
    }
}
