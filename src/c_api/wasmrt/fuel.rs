//! Fuel: how much work a guest may do.

use crate::c_api::wasm::store::{self, wasm_store_t};
use crate::c_api::{answer, null};
use crate::runtime::base::error::Result;
use crate::runtime::core::store::Store;

/// Sets how much fuel a store has. Its engine must have been configured with
/// `wasmrt_config_set_fuel`.
///
/// About one unit is consumed for each instruction; what exactly is the backend's to decide, the
/// same each time. A store has none at first; instantiation may need some, also where there is no
/// start function. When it runs out, the guest traps with `WASMRT_TRAP_OUT_OF_FUEL`, and what it
/// was doing is lost; the store goes on, and calls succeed again once it has fuel. What a call
/// consumes is exactly what it needs. May be called from host functions. True; false and a last
/// error if the engine has no fuel, or for NULL.
///
/// On wasmtime an instruction costs 1, and `nop`, `drop`, `block` and `loop` nothing. Instructions
/// that copy, fill or initialise memories, tables or arrays, or make tables grow, cost some 10, and
/// 1 more for every 64 bytes or elements once these are moved: one that traps, or gives -1, does
/// not pay for them. So the last one may move more than there was fuel for. With native debug info
/// they cost what any other does.
///
/// On wasmi instructions that copy, fill or grow pay another unit for every 64 bytes, or 16
/// elements of a table, unless they trap or give -1 anyway; those that access a table or grow one
/// cost 4 more. With interruption it is the same. A little that does not suffice for the next step
/// may be left when it runs out.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_set_fuel(store: *mut wasm_store_t, fuel: u64) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_set_fuel", false, || unsafe { store::from_c(store)?.set_fuel(fuel).map(|()| true) })
}

/// Adds to the fuel that a store has; no more than `UINT64_MAX` in all. True; false and a last
/// error as for `wasmrt_store_set_fuel`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_add_fuel(store: *mut wasm_store_t, fuel: u64) -> bool {
    // SAFETY: the caller's store, or NULL.
    answer("wasmrt_store_add_fuel", false, || unsafe {
        let store = store::from_c(store)?;
        store.set_fuel(store.fuel()?.saturating_add(fuel)).map(|()| true)
    })
}

/// How much fuel a store has, written to `fuel`. True; false and a last error as for
/// `wasmrt_store_set_fuel`, with nothing written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_fuel(store: *const wasm_store_t, fuel: *mut u64) -> bool {
    // SAFETY: the caller's store, and a place to write to, or NULL.
    unsafe { read("wasmrt_store_fuel", store, fuel, Store::fuel) }
}

/// How much fuel was consumed in a store since it was made, written to `fuel`. True; false and a
/// last error as for `wasmrt_store_set_fuel`, with nothing written.
///
/// On wasmtime, what a function consumed since it last called another is not counted if it traps or
/// is interrupted, other than by running out of fuel.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wasmrt_store_fuel_consumed(store: *const wasm_store_t, fuel: *mut u64) -> bool {
    // SAFETY: the caller's store, and a place to write to, or NULL.
    unsafe { read("wasmrt_store_fuel_consumed", store, fuel, Store::fuel_consumed) }
}

/// # Safety
/// The pointers are NULL or the caller's.
unsafe fn read(
    function: &str,
    store: *const wasm_store_t,
    place: *mut u64,
    amount: impl FnOnce(&Store) -> Result<u64>,
) -> bool {
    // SAFETY: as promised by the caller.
    answer(function, false, || unsafe {
        let amount = amount(store::from_c(store)?)?;
        *place.as_mut().ok_or_else(|| null("a place for the fuel"))? = amount;
        Ok(true)
    })
}
