//! Timeouts and interrupts
//!
//! These functions stop guests that run for too long. They fail for a store whose engine was not
//! configured with `wasmrt_config_set_interruption`.
//!
//! A guest that is to stop traps within 50 ms on a machine that is not overloaded. A host function
//! or a single instruction that copies much memory is not stopped; the guest stops when it returns.
//! The same holds for making an instance, apart from its start function: that takes as long as its
//! memories and data need, which `WASMRT_STORE_LIMIT_MEMORY_BYTES` bounds.

use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::{answer, guard, required};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::interruption::{Interrupt, Supervisor};
use std::sync::Arc;
use std::time::Duration;

/// No timeout.
pub const WASMRT_NO_TIMEOUT: u64 = u64::MAX;

/// Sets a timeout for a store, `nanoseconds` from now. `WASMRT_NO_TIMEOUT` removes it.
///
/// When it has expired, all WebAssembly in the store traps with `WASMRT_TRAP_TIMEOUT`: what is
/// running, and what is called or instantiated later, until the timeout is set again or removed. May
/// be called from host functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_timeout(store: *mut wasm_store_t, nanoseconds: u64) -> bool {
    // SAFETY: C passed a store, or NULL.
    answer("wasmrt_store_set_timeout", false, || unsafe {
        supervisor(store)?.set_deadline(duration(nanoseconds)).map(|()| true)
    })
}

/// Limits each call into a store to `nanoseconds` from its start. `WASMRT_NO_TIMEOUT`, the default,
/// means no limit.
///
/// A call that takes longer traps with `WASMRT_TRAP_TIMEOUT`. Calls that its host functions make
/// share its time. Instantiation counts as a call. If the store has a timeout as well, the earlier
/// one counts. A call that is already running keeps its limit. May be called from host functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_call_timeout(store: *mut wasm_store_t, nanoseconds: u64) -> bool {
    // SAFETY: C passed a store, or NULL.
    answer("wasmrt_store_set_call_timeout", false, || unsafe {
        supervisor(store)?.set_call_timeout(duration(nanoseconds)).map(|()| true)
    })
}

/// Stops the guests of a store, from any thread.
///
/// Functions: `wasmrt_interrupt_new`, `_trigger`, `_clear`, `_delete`. Must eventually be passed to
/// `wasmrt_interrupt_delete`. May be used by several threads at once, and after its store is
/// deleted.
pub struct wasmrt_interrupt_t {
    _interrupt: Interrupt,
}

/// Creates an interrupt for a store, own. All interrupts of a store do the same. Uses the store.
/// NULL and a last error on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_new(store: *mut wasm_store_t) -> *mut wasmrt_interrupt_t {
    // SAFETY: C passed a store, or NULL.
    answer("wasmrt_interrupt_new", std::ptr::null_mut(), || unsafe {
        Ok(Arc::into_raw(supervisor(store)?.interrupt()).cast_mut().cast())
    })
}

/// Stops what is running in the store: the outermost call, with all calls inside it, traps with
/// `WASMRT_TRAP_INTERRUPTED`. NULL: a last error.
///
/// If nothing is running, the next call or instantiation is stopped instead, so that no trigger is
/// lost. Triggers are not counted: however many there are, one call is stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_trigger(interrupt: *const wasmrt_interrupt_t) {
    // SAFETY: C passed an interrupt, or NULL.
    answer("wasmrt_interrupt_trigger", (), || unsafe {
        required::<_, Interrupt>(interrupt, "an interrupt")?.trigger();
        Ok(())
    })
}

/// Withdraws triggers that have not stopped anything yet. NULL: a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_clear(interrupt: *const wasmrt_interrupt_t) {
    // SAFETY: C passed an interrupt, or NULL.
    answer("wasmrt_interrupt_clear", (), || unsafe {
        required::<_, Interrupt>(interrupt, "an interrupt")?.clear();
        Ok(())
    })
}

/// Deletes an interrupt. Takes ownership. What it triggered stays triggered. NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_delete(interrupt: *mut wasmrt_interrupt_t) {
    guard((), || {
        if !interrupt.is_null() {
            // SAFETY: the pointer came from `Arc::into_raw` in `wasmrt_interrupt_new`, and C gives it up.
            drop(unsafe { Arc::from_raw(interrupt.cast_const().cast::<Interrupt>()) });
        }
    })
}

fn duration(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != WASMRT_NO_TIMEOUT).then(|| Duration::from_nanos(nanoseconds))
}

/// # Safety
/// The pointer is NULL or a store that this thread may use.
unsafe fn supervisor<'a>(store: *mut wasm_store_t) -> Result<&'a Supervisor> {
    // SAFETY: C passed a store, or NULL.
    unsafe { store::from_c(store)? }.supervisor().ok_or_else(|| {
        let message =
            "the store's engine has no interruption; call wasmrt_config_set_interruption on its configuration";
        Error::misuse(message)
    })
}
