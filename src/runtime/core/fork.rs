//! Forks of the process. A child has the one thread that forked, and everything else as it was at that moment: a lock that
//! another thread held would stay locked for ever. So the thread that forks takes the library's own locks meanwhile. Those of the
//! engines are theirs: what that means for programs is said in `wasmrt.h`.

use super::interruption;
use crate::runtime::base::log;
use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The process's locks, in the order in which they are taken.
struct Held {
    ticker: interruption::Held,
    _logger: log::Held,
}

thread_local! {
    static HELD: Cell<Option<Held>> = const { Cell::new(None) };
}

/// Sees to it that forks are noticed.
pub fn prepare() {
    static PREPARED: AtomicBool = AtomicBool::new(false);
    // Miri knows no forks.
    if !PREPARED.swap(true, Ordering::Relaxed) && !cfg!(miri) {
        // SAFETY: the three functions stay where they are: the library is never unloaded.
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
