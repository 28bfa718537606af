//! Timeouts and interrupts
//!
//! These functions stop guests that run for too long. They fail for a store whose engine was not
//! configured with `wasmrt_config_set_interruption`.
//!
//! A guest that is to stop traps within 50 ms on a machine that is not overloaded. A host function
//! or a single instruction that copies much memory is not stopped; the guest stops when it returns.
//! The same holds for making an instance, apart from its start function: that takes as long as its
//! memories and data need, which `WASMRT_STORE_LIMIT_MEMORY_BYTES` bounds.

use crate::c_api::ffi::{Argument, c_type, give};
use crate::c_api::wasm::store::wasm_store_t;
use crate::c_api::{answer, guard};
use crate::runtime::base::error::{Error, Result};
use crate::runtime::base::host_data::HostData;
use crate::runtime::core::interruption::{Interrupt, Poll, Supervisor};
use std::ffi::c_void;
use std::sync::Arc;
use std::time::Duration;

/// No timeout.
pub const WASMRT_NO_TIMEOUT: u64 = u64::MAX;

/// Sets a timeout for a store, `nanoseconds` from now. `WASMRT_NO_TIMEOUT` removes it.
///
/// When it has expired, all WebAssembly in the store traps with `WASMRT_TRAP_TIMEOUT`: what is
/// running, and what is called or instantiated later, until the timeout is set again or removed.
/// May be called from host functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_timeout(store: Option<&mut wasm_store_t>, nanoseconds: u64) -> bool {
    answer("wasmrt_store_set_timeout", false, || supervisor(store)?.set_deadline(duration(nanoseconds)).map(|()| true))
}

/// Limits each call into a store to `nanoseconds` from its start. `WASMRT_NO_TIMEOUT`, the default,
/// means no limit.
///
/// A call that takes longer traps with `WASMRT_TRAP_TIMEOUT`. Calls that its host functions make
/// share its time. Instantiation counts as a call. If the store has a timeout as well, the earlier
/// one counts. A call that is already running keeps its limit. May be called from host functions.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_call_timeout(store: Option<&mut wasm_store_t>, nanoseconds: u64) -> bool {
    answer("wasmrt_store_set_call_timeout", false, || {
        supervisor(store)?.set_call_timeout(duration(nanoseconds)).map(|()| true)
    })
}

/// Returns whether the guest that runs may go on. `env` is that of `wasmrt_store_set_poll`.
pub type wasmrt_poll_callback_t = Option<unsafe extern "C" fn(env: *mut c_void) -> bool>;

/// Has `callback` called about every 50 ms while a guest of a store runs, on the thread that runs
/// it: for a host that has to look after something on this thread, such as an interpreter after its
/// signals. If it returns false, what is running traps with `WASMRT_TRAP_INTERRUPTED`. NULL removes
/// it.
///
/// Takes `env`. Like an interrupt, a false answer stops neither a host function nor a single
/// instruction, but it does stop a guest that sleeps or waits in WASI. The callback must not use
/// the store and what belongs to it, and must leave the floating-point mode as it finds it, which
/// is the host's. `finalizer`, unless NULL, is called once with `env` when another callback is set
/// or the store is freed; at once if this fails or `callback` is NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_poll(
    store: Option<&mut wasm_store_t>,
    callback: wasmrt_poll_callback_t,
    env: *mut c_void,
    finalizer: Option<unsafe extern "C" fn(env: *mut c_void)>,
) -> bool {
    let env = HostData { pointer: env, finalizer };
    answer("wasmrt_store_set_poll", false, || {
        let poll = callback.map(|callback| Poll {
            // SAFETY: C passed the callback together with this environment, for the thread that uses the store.
            callback: Box::new(move |env| unsafe { callback(env.pointer) }),
            env,
        });
        supervisor(store)?.set_poll(poll).map(|()| true)
    })
}

c_type!(
    /// Stops the guests of a store, from any thread.
    ///
    /// Functions: `wasmrt_interrupt_new`, `_trigger`, `_clear`, `_delete`. Must eventually be passed to
    /// `wasmrt_interrupt_delete`. May be used by several threads at once, and after its store is
    /// deleted.
    wasmrt_interrupt_t,
    "an interrupt",
    Boxed,
    Arc<Interrupt>
);

/// Creates an interrupt for a store, own. All interrupts of a store do the same. Call it on the
/// thread that uses the store. Returns NULL and sets the last error on failure.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_new(store: Option<&mut wasm_store_t>) -> Option<Box<wasmrt_interrupt_t>> {
    answer("wasmrt_interrupt_new", None, || Ok(give(supervisor(store)?.interrupt())))
}

/// Stops what is running in the store: the outermost call, with all calls inside it, traps with
/// `WASMRT_TRAP_INTERRUPTED`. For NULL it only sets the last error.
///
/// If nothing is running, the next call or instantiation is stopped instead, so that no trigger is
/// lost. Triggers are not counted: however many there are, one call is stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_trigger(interrupt: Option<&wasmrt_interrupt_t>) {
    answer("wasmrt_interrupt_trigger", (), || {
        interrupt.required()?.trigger();
        Ok(())
    })
}

/// Withdraws triggers that have not stopped anything yet. For NULL it only sets the last error.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_clear(interrupt: Option<&wasmrt_interrupt_t>) {
    answer("wasmrt_interrupt_clear", (), || {
        interrupt.required()?.clear();
        Ok(())
    })
}

/// Deletes an interrupt. Takes ownership. What it triggered stays triggered. Does nothing for NULL.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_interrupt_delete(interrupt: Option<Box<wasmrt_interrupt_t>>) {
    guard((), || drop(interrupt))
}

fn duration(nanoseconds: u64) -> Option<Duration> {
    (nanoseconds != WASMRT_NO_TIMEOUT).then(|| Duration::from_nanos(nanoseconds))
}

fn supervisor(store: Option<&mut wasm_store_t>) -> Result<&Supervisor> {
    store.required()?.supervisor().ok_or_else(|| {
        let message =
            "the store's engine has no interruption; call wasmrt_config_set_interruption on its configuration";
        Error::misuse(message)
    })
}
