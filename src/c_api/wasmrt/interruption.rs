//! Deadlines and interrupts.

use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::{answer, guard, required};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::core::interruption::{Interrupt, Supervisor};
use std::sync::Arc;
use std::time::Duration;

/// No deadline, no timeout.
pub const WASMRT_NO_DEADLINE: u64 = u64::MAX;

/// What stops the guests of a store, from any thread.
///
/// Functions: `wasmrt_interrupt_new`, `_trigger`, `_clear`, `_delete`. Usable from any thread, also
/// from several at once, and after the store is gone. Must eventually be passed to
/// `wasmrt_interrupt_delete`.
pub struct wasmrt_interrupt_t {
    _interrupt: Interrupt,
}

/// Has everything that runs in a store end `nanoseconds` from now; `WASMRT_NO_DEADLINE` lifts that.
/// The store's engine must have been configured with `wasmrt_config_set_interruption`.
///
/// WebAssembly that runs then, or is called or instantiated later, traps with
/// `WASMRT_TRAP_DEADLINE`, within 50 ms on a machine that is not overloaded, also in calls that
/// host functions make; until the deadline is set anew. Host functions are not stopped, nor is a
/// single instruction that copies much memory; the guest stops after them. Nor is what
/// instantiation does beside the start function: it takes as long as the instance's memory and data
/// need, which `WASMRT_LIMIT_MEMORY_BYTES` bounds, and traps when it is done. May be called from
/// host functions. True; false and a last error if the engine has no interruption, or for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_deadline(store: *mut wasm_store_t, nanoseconds: u64) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_set_deadline", false, || unsafe {
        supervisor(store)?.set_deadline(duration(nanoseconds)).map(|()| true)
    })
}

/// Gives every call into a store's WebAssembly `nanoseconds` from its beginning;
/// `WASMRT_NO_DEADLINE`, the default, all the time there is. Calls that host functions make share
/// the time of the outermost. Instantiation, which may run a start function, counts as a call.
///
/// Otherwise as `wasmrt_store_set_deadline`; where both are set, what comes first counts. A call
/// that is running keeps the time it began with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_call_timeout(store: *mut wasm_store_t, nanoseconds: u64) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_set_call_timeout", false, || unsafe {
        supervisor(store)?.set_call_timeout(duration(nanoseconds)).map(|()| true)
    })
}

/// A handle that stops the guests of a store, own. All handles of a store do the same.
///
/// NULL and a last error if the store's engine was not configured with
/// `wasmrt_config_set_interruption`, or for NULL. Called by whoever may use the store. Must be
/// passed to `wasmrt_interrupt_delete`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_new(store: *mut wasm_store_t) -> *mut wasmrt_interrupt_t {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_interrupt_new", std::ptr::null_mut(), || unsafe {
        Ok(Arc::into_raw(supervisor(store)?.interrupt()).cast_mut().cast())
    })
}

/// Stops what runs in the store: the outermost call into it, and all that it called in turn, trap
/// with `WASMRT_TRAP_INTERRUPTED`, as fast as for `wasmrt_store_set_deadline`.
///
/// If nothing runs, the next call or instantiation is stopped instead, so that no trigger is lost;
/// `wasmrt_interrupt_clear` withdraws it. Triggers are not counted: several before a call stop that
/// one only. May be called from any thread. NULL: nothing happens, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_trigger(interrupt: *const wasmrt_interrupt_t) {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_interrupt_trigger", (), || unsafe {
        required::<_, Interrupt>(interrupt, "an interrupt")?.trigger();
        Ok(())
    })
}

/// Withdraws triggers that have not stopped anything yet. May be called from any thread. NULL:
/// nothing happens, and there is a last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_clear(interrupt: *const wasmrt_interrupt_t) {
    // SAFETY: the caller's, or NULL.
    answer("wasmrt_interrupt_clear", (), || unsafe {
        required::<_, Interrupt>(interrupt, "an interrupt")?.clear();
        Ok(())
    })
}

/// Deletes a handle. Takes ownership. What it triggered stays triggered. May be called from any
/// thread. NULL: nothing happens.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_delete(interrupt: *mut wasmrt_interrupt_t) {
    guard((), || {
        if !interrupt.is_null() {
            // SAFETY: the caller's own, from `Arc::into_raw`.
            drop(unsafe { Arc::from_raw(interrupt.cast_const().cast::<Interrupt>()) });
        }
    })
}

fn duration(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != WASMRT_NO_DEADLINE).then(|| Duration::from_nanos(nanoseconds))
}

/// # Safety
/// The pointer is NULL or the caller's store.
unsafe fn supervisor<'a>(store: *mut wasm_store_t) -> Result<&'a Supervisor> {
    // SAFETY: as promised by the caller.
    unsafe { store::from_c(store)? }.supervisor().ok_or_else(|| {
        let message =
            "the store's engine has no interruption; call wasmrt_config_set_interruption on its configuration";
        Error::misuse(message)
    })
}
