//! Handles forks of the process. The child has only the thread that forked, and everything else as it was at that
//! moment: a lock that another thread held would stay locked for ever. So the thread that forks holds the library's
//! own locks meanwhile. It cannot hold those of the engines; what that means for programs is said in `wasmrt.h`.

use super::interruption;
use crate::runtime::base::log;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The process-wide locks, in the order in which they are taken.
struct Held {
    ticker: interruption::Held,
    _logger: log::Held,
}

thread_local! {
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

/// Registers the handlers for forks.
pub fn prepare() {
    static PREPARED: AtomicBool = AtomicBool::new(false);
    // Miri does not support forks.
    // Read first: that is cheaper, and each new engine comes here.
    if !PREPARED.load(Ordering::Relaxed) && !PREPARED.swap(true, Ordering::Relaxed) && !cfg!(miri) {
        // SAFETY: the three functions are valid for the life of the process, because the library is never unloaded.
        unsafe { libc::pthread_atfork(Some(before), Some(after_in_parent), Some(after_in_child)) };
    }
}

unsafe extern "C" fn before() {
    let _ = HELD.try_with(|held| held.set(Some(Held { ticker: interruption::hold(), _logger: log::hold() })));
}

unsafe extern "C" fn after_in_parent() {
    let _ = HELD.try_with(|held| drop(held.take()));
}

unsafe extern "C" fn after_in_child() {
    let _ = HELD.try_with(|held| {
        if let Some(held) = held.take() {
            interruption::abandon(held.ticker);
        }
    });
}
